/* SPDX-License-Identifier: Apache-2.0 */
/* TLS reports as the queue takes them: ours, each once, and what others
 * report, of which the postmaster is told. */
#include "store/tls_report.h"
#include "unit/role/queue_world.h"

#define SETTINGS                                                               \
	"hostname = \"mail.s.test\"\n"                                         \
	"postmaster = \"postmaster@s.test\"\n"
#define DIGEST  SETTINGS "report { digest = \"1500ms\" }\n"
#define AT_ONCE SETTINGS "report { digest = \"1ms\" }\n"

static bool contains(struct sp_str text, const char *part)
{
	return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static void has(struct sp_str text, const char *part)
{
	if (!contains(text, part)) {
		fail_msg("no '%s' in:\n%.*s", part, (int)text.len, text.ptr);
	}
}

/* ---- reports that we send ---- */

static bool note(struct world *w, enum sp_store_tls_out_state state,
                 const char *queue_id)
{
	struct sp_msg_tls_report_done done = {0};
	const struct sp_msg_tls_report m = {
		.id = 3,
		.day = 20000,
		.domain = SP_STR("d.test"),
		.uri = SP_STR("mailto:r@d.test"),
		.state = state,
		.queue_id = sp_str_from(queue_id),
		.to = SP_STR("r@d.test"),
		.to_domain = SP_STR("d.test"),
		.body = *queue_id ? SP_STR("Subject: x\r\n\r\nreport\r\n")
	                          : SP_STR(""),
	};

	SEND(w->fetch, TLS_REPORT, TLS_REPORT, &m);
	EXPECT(w->fetch, TLS_REPORT_DONE, TLS_REPORT_DONE, &done);
	assert_int_equal(done.id, 3);
	return done.done;
}

/* A role that did not see that its report is on its way asks again. */
static void test_once(void **state)
{
	struct world *w = *state;

	start(w, SETTINGS);
	connect_peer(w, &w->fetch, SP_ROLE_REPORT);
	assert_true(note(w, SP_STORE_TLS_OUT_WAITING, ""));
	assert_int_equal(in_state(w, "messages"), 0);
	assert_true(note(w, SP_STORE_TLS_OUT_QUEUED, "0a0b"));
	assert_true(note(w, SP_STORE_TLS_OUT_QUEUED, "0a0c"));
	assert_true(note(w, SP_STORE_TLS_OUT_WAITING, ""));
	assert_true(note(w, SP_STORE_TLS_OUT_QUEUED, "0a0d"));
	assert_int_equal(in_state(w, "messages"), 1);
	finish(w);
}

/* ---- reports of others ---- */

static void import(struct world *w, const char *domain, const char *id,
                   bool trusted, bool first)
{
	char text[1000];
	struct sp_json *reply;

	snprintf(text, sizeof(text),
	         "{\"verb\":\"report-import\",\"organization\":\"Org\\r\\nX: "
	         "y\",\"report_id\":\"%s\",\"dkim\":\"pass o.test\","
	         "\"trusted\":%s,\"type\":\"tlsa\",\"domain\":\"%s\","
	         "\"failed\":7,\"failures\":\"[{\\\"result_type\\\":"
	         "\\\"tlsa-invalid\\\",\\\"count\\\":5}]\"}",
	         id, trusted ? "true" : "false", domain);
	reply = ask(w, text);
	assert_true(sp_json_get_bool(reply, "ok"));
	assert_int_equal(sp_json_get_bool(reply, "first"), first);
	sp_json_free(&reply);
}

/* The next mail to the postmaster, which is delivered. */
static struct sp_msg_job mail(struct world *w)
{
	struct sp_msg_job j = job(w);

	outcome_of(w, &j, result(&j, SP_VERDICT_DELIVERED),
	           SP_MSG_DESTINATION_REACHED);
	assert_true(sp_str_eq(j.rcpts[0].rcpt.address,
	                      SP_STR("postmaster@s.test")));
	return j;
}

static void on_pause(void *arg)
{
	struct world *w = arg;

	sp_loop_stop(w->ctx.loop);
}

/* The queue goes on for so long. */
static void go_on(struct world *w, int64_t ms)
{
	struct sp_timer *timer = sp_timer_new(w->ctx.loop, on_pause, w);

	sp_timer_set(timer, ms);
	turn(w);
	sp_timer_free(&timer);
}

/* The first of a domain at once; then all that is new, once. */
static void test_digest(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	start(w, DIGEST);
	hello(w, 0);
	import(w, "a.test", "1", true, true);
	has(mail(w).body, "Subject: TLS failures are reported for a.test\r\n");
	go_on(w, 1700);
	assert_int_equal(in_state(w, "messages"), 1); /* nothing new */
	import(w, "a.test", "2", true, false);
	import(w, "a.test", "3", true, false);
	import(w, "a.test", "4", false, false); /* does not count */
	j = mail(w);
	has(j.body, "Subject: TLS failures that others reported\r\n");
	has(j.body, "\r\na.test\r\n"
	            "    10 tlsa-invalid, Org??X: y (o.test)\r\n"
	            "    4 type not told, Org??X: y (o.test)\r\n");
	go_on(w, 1700);
	assert_int_equal(in_state(w, "messages"), 2);
	finish(w);
}

/* What is to be told survives, and what was told is not told again. */
static void test_digest_restart(void **state)
{
	struct world *w = *state;

	start(w, SETTINGS "report { digest = \"1h\" }\n");
	import(w, "a.test", "1", true, true);
	import(w, "a.test", "2", true, false);
	assert_int_equal(in_state(w, "messages"), 1);
	finish(w);
	for (int again = 0; again < 2; again++) {
		start(w, AT_ONCE);
		assert_int_equal(in_state(w, "messages"), 2);
		assert_int_equal(in_state(w, "messages"), 2);
		finish(w);
	}
}

/* A report that was taken in so much later than now, of which nobody was
 * told. */
static void take_in(struct world *w, int64_t later_ms)
{
	const struct sp_store_tls_in in = {
		.received_ms = sp_time_wall_ms() + later_ms,
		.report_id = SP_STR("1"),
		.dkim = SP_STR("file"),
		.trusted = true,
		.domain = SP_STR("a.test"),
		.failed = 1,
	};
	struct sp_store *store;
	char why[SP_STORE_WHY_MAX];
	char name[300];
	bool known, first;

	snprintf(name, sizeof(name), "sqlite:%s/s.db", w->dir);
	assert_int_equal(sp_store_open(sp_str_from(name), SP_STORE_WRITER, true,
	                               &store, why, sizeof(why)),
	                 0);
	assert_int_equal(sp_store_begin(store), 0);
	assert_int_equal(sp_store_tls_in_add(store, &in, &known, &first), 0);
	assert_int_equal(sp_store_commit(store), 0);
	sp_store_close(&store);
}

/* One that comes in within a turn is later than the turn: its digest waits
 * all the same, and does not come beside the alert. After the clock was set
 * back it does not wait for that time to come again. */
static void test_digest_waits(void **state)
{
	static const struct {
		int64_t later_ms, messages;
	} CASES[] = {{20, 0}, {60000, 0}, {4 * 3600000, 1}};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		start(w, SETTINGS "report { digest = \"0\" }\n");
		finish(w); /* the store is there */
		take_in(w, CASES[i].later_ms);
		start(w, SETTINGS "report { digest = \"1h\" }\n");
		assert_int_equal(in_state(w, "messages"), CASES[i].messages);
		finish(w);
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		w = *state;
	}
}

static void test_no_digest(void **state)
{
	struct world *w = *state;

	start(w, SETTINGS "report { digest = \"0\" }\n");
	import(w, "a.test", "1", true, true);
	import(w, "a.test", "2", true, false);
	go_on(w, 50);
	assert_int_equal(in_state(w, "messages"), 1);
	finish(w);
}

/* Anybody can report about any name. */
static void test_alerts_limited(void **state)
{
	struct world *w = *state;
	char domain[32];

	start(w, SETTINGS "report { digest = \"1h\" }\n");
	for (int i = 0; i < 50; i++) {
		snprintf(domain, sizeof(domain), "d%d.test", i);
		import(w, domain, "1", true, true);
	}
	assert_int_equal(in_state(w, "messages"), 10);
	finish(w);
	start(w, AT_ONCE);
	assert_int_equal(in_state(w, "messages"), 11);
	finish(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_once),           TEST(test_digest),
		TEST(test_digest_restart), TEST(test_no_digest),
		TEST(test_digest_waits),   TEST(test_alerts_limited),
	};

	sp_log_setup(SP_LOG_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
