/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports to senders, as the queue makes them: one for each event, whatever
 * breaks between, and none where nobody asked or nobody is.
 */
#include "deliver/notice.h"
#include "unit/role/queue_world.h"

static const char EVIDENCE[] =
	"{\"plan\":{\"domain\":\"d.test\",\"mx\":{\"dnssec\":\"secure\","
	"\"answer\":\"records\"},\"hosts\":[{\"name\":\"mx.d.test\",\"tlsa\":"
	"{\"dnssec\":\"secure\",\"answer\":\"records\",\"owner\":"
	"\"_25._tcp.mx.d.test\",\"records\":[{\"usage\":3,\"selector\":1,"
	"\"matching\":1,\"data\":\"ab12\",\"usable\":true},{\"usage\":1,"
	"\"selector\":1,\"matching\":1,\"data\":\"cd\",\"usable\":false,"
	"\"reason\":\"usage\"}]}}]},\"tries\":[{\"host\":\"mx.d.test\","
	"\"address\":\"127.0.1.1\",\"rule\":\"dane\",\"scenario\":"
	"\"tlsa-mismatch\",\"reply\":\"450 4.7.323 tlsa-invalid: x\",\"tls\":"
	"{\"protocol\":\"TLSv1.3\",\"cipher\":\"C\",\"certificate\":{"
	"\"sha256\":\"ff00\",\"names\":\"mx.d.test\\nX: y\",\"not_before\":"
	"\"2026-01-01T00:00:00Z\",\"not_after\":\"2027-01-01T00:00:00Z\"}},"
	"\"timings\":{\"connect_ms\":1}}]}";

/* ---- words ---- */

static unsigned bounced; /* lines that end a double bounce */

static void on_log(void *arg, enum sp_log_level level, const char *event,
                   const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
	bounced += strcmp(event, "queue.double_bounce") == 0;
}

static bool contains(struct sp_str text, const char *part)
{
	return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static void has(const char *name, struct sp_str text, const char *part)
{
	if (!contains(text, part)) {
		fail_msg("%s: no '%s' in:\n%.*s", name, part, (int)text.len,
		         text.ptr);
	}
}

static void lacks(const char *name, struct sp_str text, const char *part)
{
	if (contains(text, part)) {
		fail_msg("%s: '%s' in:\n%.*s", name, part, (int)text.len,
		         text.ptr);
	}
}

static void submit_as(struct world *w, struct sp_msg_submit m)
{
	struct sp_msg_submit_done done = {0};

	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_true(done.accepted);
}

static void submit_notify(struct world *w, uint8_t notify)
{
	struct sp_envelope_rcpt one = rcpt;
	struct sp_msg_submit m = submission(1, "a@s.test");

	one.notify = notify;
	m.envelope.rcpts = &one;
	submit_as(w, m);
}

/* All recipients of the job end the same way. */
static void end(struct world *w, const struct sp_msg_job *j,
                enum sp_verdict_class class, bool dsn)
{
	struct sp_msg_outcome_rcpt r[8];
	struct sp_msg_attempt settled = {0};
	struct sp_msg_outcome m = {
		.attempt_id = j->attempt_id,
		.id = j->id,
		.host = SP_STR("mx.d.test"),
		.address = SP_STR("127.0.1.1"),
		.detail = sp_str_from(EVIDENCE),
		.rcpts = r,
		.rcpt_count = j->rcpt_count,
	};

	for (size_t i = 0; i < j->rcpt_count; i++) {
		r[i] = result(j, class);
		r[i].rcpt_id = j->rcpts[i].rcpt_id;
		r[i].dsn = dsn;
		if (class == SP_VERDICT_PERM) {
			r[i].code = r[i].expired_code;
			r[i].reply = r[i].expired_reply;
		}
	}
	SEND(w->transport, OUTCOME, OUTCOME, &m);
	EXPECT(w->transport, SETTLED, ATTEMPT, &settled);
}

static void fail_first_job(struct world *w)
{
	struct sp_msg_job j = job(w);

	end(w, &j, SP_VERDICT_PERM, false);
}

static struct sp_msg_job report_job(struct world *w)
{
	struct sp_msg_job j = job(w);

	assert_int_equal(j.envelope.sender.len, 0);
	assert_int_equal(j.rcpt_count, 1);
	assert_true(sp_str_eq(j.rcpts[0].rcpt.address, SP_STR("a@s.test")));
	assert_true(j.inline_body);
	return j;
}

/* ---- a failure ---- */

static void test_failed(void **state)
{
	static const char *const parts[] = {
		"From: Mail Delivery System <postmaster@s.test>\r\n"
		"To: <a@s.test>\r\n"
		"Subject: Your message could not be delivered\r\n",
		"Final-Recipient: rfc822; b@d.test\r\nAction: failed\r\n"
		"Status: 5.7.323\r\nRemote-MTA: dns; mx.d.test\r\n"
		"Diagnostic-Code: x-sealpost; 550 5.7.323 tlsa-invalid: x\r\n",
		"Original-Envelope-Id: e1\r\nReporting-MTA: dns; mail.s.test",
		"\r\n    550 5.7.323 tlsa-invalid: x\r\n"
		"    code 5.7.323, scenario tlsa-mismatch\r\n"
		"    attempts: 1, the last ",
		"The administrator of d.test.",
		"    1. Compare the TLSA records with the certificate",
		"    Server mx.d.test [127.0.1.1], rule dane\r\n",
		"      certificate: sha256 ff00\r\n",
		"        names mx.d.test?X: y\r\n",
		"        valid from 2026-01-01T00:00:00Z to 2027-01-01",
		"    TLSA _25._tcp.mx.d.test: records, DNSSEC secure\r\n"
		"      3 1 1 ab12: did not match\r\n"
		"      1 1 1 cd: not usable, usage\r\n",
		"Content-Type: message/rfc822\r\n",
		"Subject: x\r\n\r\nbody\r\n",
	};
	struct world *w = *state;
	struct sp_msg_submit m = submission(1, "a@s.test");
	struct sp_msg_job j;

	m.envelope.envid = SP_STR("e1");
	start(w, "hostname = \"mail.s.test\"\n"
	         "postmaster = \"postmaster@s.test\"\n");
	hello(w, 0);
	submit_as(w, m);
	fail_first_job(w);
	j = report_job(w);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		has("report", j.body, parts[i]);
	}
	assert_int_equal(in_state(w, "report_due"), 0);
	assert_int_equal(in_state(w, "messages"), 2);
	finish(w);
}

static void test_grouped(void **state)
{
	struct world *w = *state;
	struct sp_envelope_rcpt two[2] = {rcpt, rcpt};
	struct sp_msg_submit m = submission(1, "a@s.test");
	struct sp_msg_job j;

	two[1].address = SP_STR("c@d.test");
	two[1].orcpt = SP_STR("rfc822;first@e.test");
	m.envelope.rcpts = two;
	m.envelope.rcpt_count = 2;
	start(w, "");
	hello(w, 0);
	submit_as(w, m);
	fail_first_job(w);
	j = report_job(w);
	has("RFC 3464 2", j.body, "Final-Recipient: rfc822; b@d.test\r\n");
	has("RFC 3464 2", j.body,
	    "Original-Recipient: rfc822; first@e.test\r\n"
	    "Final-Recipient: rfc822; c@d.test\r\n");
	has("one block for both", j.body, "    b@d.test\r\n    c@d.test\r\n");
	assert_int_equal(in_state(w, "messages"), 2);
	finish(w);
}

/* ---- whom to tell ---- */

static const struct notify_case {
	const char *name;
	const char *action; /* null: no report */
	enum sp_verdict_class class;
	uint8_t notify;
	bool dsn;
} NOTIFY_CASES[] = {
	{"RFC 3461 4.1 absent, failed", "failed", SP_VERDICT_PERM, 0, false},
	{"RFC 3461 4.1 NEVER, failed", NULL, SP_VERDICT_PERM, SP_NOTIFY_NEVER,
         false},
	{"RFC 3461 4.1 SUCCESS, failed", NULL, SP_VERDICT_PERM,
         SP_NOTIFY_SUCCESS, false},
	{"RFC 3461 4.1 FAILURE, failed", "failed", SP_VERDICT_PERM,
         SP_NOTIFY_FAILURE, false},
	{"RFC 3461 4.1 absent, delivered", NULL, SP_VERDICT_DELIVERED, 0,
         false},
	{"RFC 3461 4.1 FAILURE, delivered", NULL, SP_VERDICT_DELIVERED,
         SP_NOTIFY_FAILURE, false},
	{"RFC 3461 5.2.2 SUCCESS, next hop without DSN", "relayed",
         SP_VERDICT_DELIVERED, SP_NOTIFY_SUCCESS, false},
	{"RFC 3461 5.2.2 SUCCESS, next hop with DSN", NULL,
         SP_VERDICT_DELIVERED, SP_NOTIFY_SUCCESS, true},
};

static void test_notify(void **state)
{
	struct world *w = *state;
	char action[64];

	start(w, "");
	hello(w, 0);
	for (size_t i = 0; i < sizeof(NOTIFY_CASES) / sizeof(NOTIFY_CASES[0]);
	     i++) {
		const struct notify_case *c = &NOTIFY_CASES[i];
		int64_t before = in_state(w, "messages");
		struct sp_msg_job j;

		submit_notify(w, c->notify);
		j = job(w);
		end(w, &j, c->class, c->dsn);
		if (c->action) {
			j = report_job(w);
			snprintf(action, sizeof(action), "\r\nAction: %s\r\n",
			         c->action);
			has(c->name, j.body, action);
			end(w, &j, SP_VERDICT_DELIVERED, false);
		}
		if (in_state(w, "messages") != before + 1 + !!c->action) {
			fail_msg("%s: %ld messages", c->name,
			         (long)in_state(w, "messages"));
		}
	}
	finish(w);
}

static void test_double_bounce(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	bounced = 0;
	start(w, "");
	hello(w, 0);
	sp_log_capture(on_log, NULL);
	submit(w);
	fail_first_job(w);
	j = report_job(w);
	end(w, &j, SP_VERDICT_PERM, false);
	assert_int_equal(in_state(w, "messages"), 2); /* no third */
	assert_int_equal(in_state(w, "report_due"), 0);
	sp_log_capture(NULL, NULL);
	assert_int_equal(bounced, 1);
	finish(w);
}

/* ---- delays ---- */

static void test_delayed_once(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	start(w, "retry = {\"10s\"}\ndelay_notice = \"20ms\"\n"
	         "expire = \"300ms\"\n");
	hello(w, 0);
	submit(w);
	j = job(w);
	end(w, &j, SP_VERDICT_TEMP, false);
	j = report_job(w);
	has("delayed", j.body, "Action: delayed\r\nStatus: 4.7.323\r\n");
	has("delayed", j.body, "\r\nWill-Retry-Until: ");
	has("delayed", j.body, "Subject: Your message is delayed\r\n");
	lacks("header only", j.body, "\r\n\r\nbody\r\n");
	end(w, &j, SP_VERDICT_DELIVERED, false);
	j = report_job(w); /* and nothing between */
	has("expired", j.body, "Action: failed\r\nStatus: 5.7.323\r\n");
	end(w, &j, SP_VERDICT_DELIVERED, false);
	assert_int_equal(in_state(w, "messages"), 3);
	finish(w);
}

static void test_delay_not_wanted(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	start(w, "retry = {\"10s\"}\ndelay_notice = \"10ms\"\n"
	         "expire = \"100ms\"\n");
	hello(w, 0);
	submit_notify(w, SP_NOTIFY_FAILURE);
	j = job(w);
	end(w, &j, SP_VERDICT_TEMP, false);
	j = report_job(w);
	has("RFC 3461 4.1", j.body, "Action: failed\r\n");
	end(w, &j, SP_VERDICT_DELIVERED, false);
	submit_from(w, "");
	j = job(w);
	end(w, &j, SP_VERDICT_TEMP, false);
	while (in_state(w, "failed") < 2) {
	}
	assert_int_equal(in_state(w, "messages"), 3);
	finish(w);
}

/* ---- what breaks between ---- */

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The turn that would report is lost as often as it is tried. */
static void test_lost_turn(void **state)
{
	struct world *w = *state;
	struct sp_msg_submit m = submission(3, "z@s.test");
	struct sp_msg_submit_done done = {0};
	struct sp_msg_outcome_rcpt r;
	struct sp_msg_attempt settled = {0};
	struct sp_msg_job j;

	signal(SIGXFSZ, SIG_IGN);
	sp_log_capture(on_log, NULL);
	start(w, "");
	hello(w, 0);
	submit(w);
	j = job(w);
	r = result(&j, SP_VERDICT_PERM);
	struct sp_msg_outcome o = {.attempt_id = j.attempt_id,
	                           .id = j.id,
	                           .detail = SP_STR("{}"),
	                           .rcpts = &r,
	                           .rcpt_count = 1};
	limit_files(1);
	SEND(w->transport, OUTCOME, OUTCOME, &o);
	SEND(w->receive, SUBMIT, SUBMIT, &m); /* its refusal ends the turn */
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_false(done.accepted);
	limit_files(RLIM_INFINITY);
	EXPECT(w->transport, SETTLED, ATTEMPT, &settled);
	(void)report_job(w);
	assert_int_equal(in_state(w, "messages"), 2);
	assert_int_equal(in_state(w, "report_due"), 0);
	sp_log_capture(NULL, NULL);
	finish(w);
}

/* A restart of the role makes no second report. */
static void test_restart(void **state)
{
	struct world *w = *state;

	start(w, "");
	hello(w, 0);
	submit(w);
	fail_first_job(w);
	(void)report_job(w);
	finish(w);
	start(w, "");
	hello(w, 0);
	(void)report_job(w); /* the same: its lease ended */
	assert_int_equal(in_state(w, "messages"), 2);
	finish(w);
}

/* ---- the original ---- */

static const struct original_case {
	const char *name;
	const char *conf;
	enum sp_ret ret;
	bool requiretls;
	bool whole;
} ORIGINAL_CASES[] = {
	{"RFC 3461 4.3 no RET", "", SP_RET_UNSET, false, true},
	{"RFC 3461 4.3 FULL", "", SP_RET_FULL, false, true},
	{"RFC 3461 4.3 HDRS", "", SP_RET_HDRS, false, false},
	{"RFC 8689 5 REQUIRETLS", "", SP_RET_FULL, true, false},
	{"too large", "notice { original_max = \"10\" }\n", SP_RET_FULL, false,
         false},
};

static void test_original(void **state)
{
	struct world *w = *state;

	for (size_t i = 0;
	     i < sizeof(ORIGINAL_CASES) / sizeof(ORIGINAL_CASES[0]); i++) {
		const struct original_case *c = &ORIGINAL_CASES[i];
		struct sp_msg_submit m = submission(1, "a@s.test");
		struct sp_msg_job j;

		m.envelope.ret = c->ret;
		m.envelope.requiretls = c->requiretls;
		start(w, c->conf);
		hello(w, 0);
		submit_as(w, m);
		fail_first_job(w);
		j = report_job(w);
		has(c->name, j.body, "\r\nSubject: x\r\n");
		if (contains(j.body, "\r\n\r\nbody\r\n") != c->whole) {
			fail_msg("%s: whole is %d", c->name, !c->whole);
		}
		end(w, &j, SP_VERDICT_DELIVERED, false);
		(void)in_state(w, "messages");
		finish(w);
	}
}

static void test_utf8(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	start(w, "");
	hello(w, 0);
	submit_from(w, "\xc3\xbc@s.test");
	fail_first_job(w);
	j = job(w);
	assert_true(j.envelope.smtputf8);
	has("RFC 6531 3.2", j.body, "To: <\xc3\xbc@s.test>\r\n");
	submit_from(w, "a@b\xc3\xbc"
	               "cher.test");
	fail_first_job(w);
	j = job(w);
	assert_false(j.envelope.smtputf8);
	has("RFC 5891 A-labels", j.body, "To: <a@xn--bcher-kva.test>\r\n");
	finish(w);
}

/* ---- templates ---- */

static void write_template(struct world *w, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/failed.txt", w->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void remove_template(struct world *w)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/failed.txt", w->dir);
	assert_int_equal(unlink(path), 0);
}

static void start_with_template(struct world *w, const char *text)
{
	char conf[200];

	write_template(w, text);
	snprintf(conf, sizeof(conf), "notice { directory = \"%s\" }\n", w->dir);
	start(w, conf);
}

static void test_template(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	start_with_template(w, "Subject: Mist\n\n{{x} {sender}\n"
	                       "{each}\n> {recipients} {code}\n{end}\nEnde\n");
	remove_template(w); /* it was read at the start */
	hello(w, 0);
	submit(w);
	fail_first_job(w);
	j = report_job(w);
	has("own template", j.body, "Subject: Mist\r\n");
	has("own template", j.body,
	    "\r\n\r\n{x} a@s.test\r\n> b@d.test 5.7.323\r\nEnde\r\n\r\n--=_");
	finish(w);
}

static const struct bad_case {
	const char *text, *why;
} BAD_CASES[] = {
	{"{nothing}\n", "failed.txt:1: 'nothing': no such placeholder"},
	{"x\n{code}\n", "failed.txt:2: 'code': only between {each} and {end}"},
	{"{each}\n", "failed.txt: {each} without {end}"},
	{"{end}\n", "{end} without {each}"},
	{"{each}\n{each}\n", "failed.txt:2: '{each}': {each} inside of"},
	{"a {code\n", "brace is not closed"},
};

static void test_bad_template(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(BAD_CASES) / sizeof(BAD_CASES[0]); i++) {
		struct sp_notices notices = {{NULL}};
		char why[512] = "";

		write_template(w, BAD_CASES[i].text);
		assert_int_equal(
			sp_notices_load(w->dir, &notices, why, sizeof(why)),
			SP_ECONFIG);
		if (!strstr(why, BAD_CASES[i].why)) {
			fail_msg("'%s' is not '%s'", why, BAD_CASES[i].why);
		}
		remove_template(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_failed),       TEST(test_grouped),
		TEST(test_notify),       TEST(test_double_bounce),
		TEST(test_delayed_once), TEST(test_delay_not_wanted),
		TEST(test_lost_turn),    TEST(test_restart),
		TEST(test_original),     TEST(test_utf8),
		TEST(test_template),     TEST(test_bad_template),
	};

	sp_log_setup(SP_LOG_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
