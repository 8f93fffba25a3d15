/* SPDX-License-Identifier: Apache-2.0 */
/* What the queue promises to receive, transport and console. */
#include "role/queue/queue.h"
#include "unit/role/queue_world.h"

/* ---- tests ---- */

static int count_row(void *arg, const struct sp_store_row *row)
{
	(void)row;
	(*(int64_t *)arg)++;
	return 0;
}

static void test_submit_deliver(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	start(w, "");
	hello(w, 0);
	submit(w);
	j = job(w);
	assert_int_equal(j.attempt, 1);
	assert_true(j.inline_body);
	assert_true(sp_str_eq(j.body, SP_STR("Subject: x\r\n\r\nbody\r\n")));
	assert_true(sp_str_eq(j.domain, SP_STR("d.test")));
	assert_int_equal(j.rcpt_count, 1);
	assert_true(sp_str_eq(j.envelope.sender, SP_STR("a@s.test")));
	outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	outcome(w, &j, result(&j, SP_VERDICT_TEMP)); /* sent twice */
	assert_int_equal(in_state(w, "delivered"), 1);
	assert_int_equal(in_state(w, "in_flight"), 0);
	finish(w);
}

/* The id that Received names is the message's, where it is one. */
static void test_given_id(void **state)
{
	static const struct {
		const char *id;
		bool taken;
	} CASES[] = {
		{"01ABCDEFGHJKMNPQRSTV", true},
		{"01ABCDEFGHJKMNPQRST/", false},
		{"short", false},
		{"01ABCDEFGHJKMNPQRSTVW", false},
	};
	struct world *w = *state;
	struct sp_msg_submit m = submission(5, "a@s.test");
	struct sp_msg_submit_done done = {0};

	start(w, "");
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		m.id = sp_str_from(CASES[i].id);
		SEND(w->receive, SUBMIT, SUBMIT, &m);
		EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
		assert_true(done.accepted);
		assert_int_equal(sp_str_eq(done.id, m.id), CASES[i].taken);
	}
	m.id = sp_str_from(CASES[0].id); /* a second time */
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_false(done.accepted);
	assert_int_equal(done.code, 451);
	finish(w);
}

static void test_long_body(void **state)
{
	struct world *w = *state;
	static char chunk[SP_BODY_CHUNK_MAX];
	struct sp_msg_submit m = submission(5, "a@s.test");
	struct sp_msg_body_chunk c = {.session = 5,
	                              .data = {chunk, sizeof(chunk)}};
	struct sp_msg_body_pull pull = {0};
	struct sp_msg_session wanted = {0};
	struct sp_msg_submit_done done = {0};
	struct sp_msg_job j;

	memset(chunk, 'y', sizeof(chunk));
	start(w, "");
	hello(w, 0);
	m.complete = false;
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	for (c.seq = 1; c.seq <= 3; c.seq++) {
		EXPECT(w->receive, SUBMIT_PULL, SESSION, &wanted);
		assert_int_equal(wanted.session, 5);
		c.last = c.seq == 3;
		c.eight_bit = c.last;
		SEND(w->receive, BODY_CHUNK, BODY_CHUNK, &c);
	}
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_true(done.accepted);
	j = job(w);
	assert_false(j.inline_body);
	assert_int_equal(j.size_bytes, m.body.len + 3 * sizeof(chunk));
	assert_false(m.envelope.body_8bit);
	assert_true(j.envelope.body_8bit);
	pull.attempt_id = j.attempt_id;
	pull.id = j.id;
	for (pull.seq = 0; pull.seq < 4; pull.seq++) {
		SEND(w->transport, BODY_PULL, BODY_PULL, &pull);
		memset(&c, 0, sizeof(c));
		EXPECT(w->transport, BODY_CHUNK, BODY_CHUNK, &c);
		assert_int_equal(c.session, j.attempt_id);
		assert_int_equal(c.seq, pull.seq);
		assert_int_equal(c.last, pull.seq == 3);
		assert_int_equal(c.data.len,
		                 pull.seq ? sizeof(chunk) : m.body.len);
	}
	finish(w);
}

static void test_pull_without_lease(void **state)
{
	struct world *w = *state;
	struct sp_msg_body_pull pull = {.attempt_id = 99, .id = SP_STR("X")};
	struct sp_msg_attempt settled = {0};

	start(w, "");
	SEND(w->transport, BODY_PULL, BODY_PULL, &pull);
	EXPECT(w->transport, SETTLED, ATTEMPT, &settled);
	assert_int_equal(settled.attempt_id, 99);
	finish(w);
}

static void test_abort(void **state)
{
	struct world *w = *state;
	struct sp_msg_submit m = submission(5, "a@s.test");
	struct sp_msg_session s = {5};

	start(w, "");
	m.complete = false;
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_PULL, SESSION, &s);
	assert_int_equal(in_state(w, "incoming"), 1);
	SEND(w->receive, SUBMIT_ABORT, SESSION, &s);
	while (in_state(w, "incoming") != 0) {
	}
	finish(w);
}

static void test_wrong_chunk(void **state)
{
	struct world *w = *state;
	struct sp_msg_submit m = submission(5, "a@s.test");
	struct sp_msg_body_chunk c = {
		.session = 5, .seq = 2, .last = true, .data = SP_STR("x")};
	struct sp_msg_session s = {5};
	struct sp_msg_submit_done done = {0};

	start(w, "");
	m.complete = false;
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_PULL, SESSION, &s);
	SEND(w->receive, BODY_CHUNK, BODY_CHUNK, &c);
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_false(done.accepted);
	assert_int_equal(done.code, 451);
	assert_int_equal(in_state(w, "incoming"), 0);
	finish(w);
}

static void test_receive_dies(void **state)
{
	struct world *w = *state;
	struct sp_msg_submit m = submission(5, "a@s.test");
	struct sp_msg_session s = {5};

	start(w, "");
	m.complete = false;
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_PULL, SESSION, &s);
	sp_channel_free(&w->receive.channel);
	while (w->receive.link.channel) {
		turn(w);
	}
	assert_int_equal(in_state(w, "incoming"), 0);
	finish(w);
}

static void test_malformed_frame(void **state)
{
	struct world *w = *state;

	start(w, "");
	sp_channel_send_raw(w->receive.channel, SP_MSG_SUBMIT, SP_STR("junk"),
	                    -1);
	while (w->receive.link.channel) {
		turn(w);
	}
	sp_channel_send_raw(w->transport.channel, SP_MSG_SUBMIT, SP_STR(""),
	                    -1); /* not its word */
	while (w->transport.link.channel) {
		turn(w);
	}
	assert_int_equal(in_state(w, "queued"), 0);
	finish(w);
}

static void test_retry_until_expiry(void **state)
{
	struct world *w = *state;
	unsigned attempts = 0;
	struct sp_msg_job j;

	start(w, "retry = {\"40ms\"}\nexpire = \"1s\"\n");
	hello(w, 0);
	submit(w);
	for (attempts = 1; attempts <= 3; attempts++) {
		j = job(w);
		assert_int_equal(j.attempt, attempts);
		outcome(w, &j, result(&j, SP_VERDICT_TEMP));
	}
	while (in_state(w, "failed") == 0) {
		if (!sp_list_empty(&w->transport.frames)) {
			j = job(w);
			outcome(w, &j, result(&j, SP_VERDICT_TEMP));
		}
	}
	assert_int_equal(in_state(w, "report_due"), 0); /* reported */
	assert_int_equal(in_state(w, "messages"), 2);
	finish(w);
}

/* ---- destinations that fail as a whole ---- */

static struct sp_msg_job job_that_fails(struct world *w)
{
	struct sp_msg_job j = job(w);

	outcome_of(w, &j, result(&j, SP_VERDICT_TEMP),
	           SP_MSG_DESTINATION_FAILED);
	return j;
}

static int64_t deferred(struct world *w)
{
	struct sp_store *store;
	struct sp_store_filter filter = {.cause = SP_STR("tlsa-mismatch")};
	char url[128];
	char why[SP_STORE_WHY_MAX];
	int64_t count = 0;

	snprintf(url, sizeof(url), "sqlite:%s/s.db", w->dir);
	assert_int_equal(sp_store_open(sp_str_from(url), SP_STORE_READER, false,
	                               &store, why, sizeof(why)),
	                 0);
	assert_int_equal(sp_store_search(store, &filter, count_row, &count), 0);
	sp_store_close(&store);
	return count;
}

static void test_dead_destination(void **state)
{
	struct world *w = *state;
	struct sp_msg_hello one = {.slots = 1}; /* answers in their order */
	struct sp_json *reply;
	struct sp_msg_job j;

	start(w, "");
	SEND(w->transport, HELLO, HELLO, &one);
	submit(w);
	(void)job_that_fails(w);
	for (int i = 0; i < 20; i++) {
		submit(w);
	}
	while (deferred(w) < 21) { /* without a single attempt */
		(void)in_state(w, "queued");
	}
	assert_true(sp_list_empty(&w->transport.frames));
	reply = ask(w, "{\"verb\":\"queue-retry\",\"filter\":"
	               "{\"domain\":\"d.test\"}}");
	assert_true(sp_json_get_bool(reply, "ok"));
	sp_json_free(&reply);
	expect(&w->transport, SP_MSG_FORGET, NULL, NULL); /* first */
	j = job_that_fails(w);                            /* one for all */
	assert_int_equal(in_state(w, "queued"), 21);
	assert_true(sp_list_empty(&w->transport.frames));
	reply = ask(w, "{\"verb\":\"queue-retry\",\"filter\":"
	               "{\"limit\":1,\"domain\":\"d.test\"}}");
	sp_json_free(&reply);
	expect(&w->transport, SP_MSG_FORGET, NULL, NULL);
	for (int i = 0; i < 21; i++) {
		j = job(w);
		outcome_of(w, &j, result(&j, SP_VERDICT_DELIVERED),
		           SP_MSG_DESTINATION_REACHED);
	}
	assert_int_equal(in_state(w, "delivered"), 21);
	finish(w);
}

/* Its pause never outlasts the schedule of the message that was tried. */
static void test_lone_message_is_always_tried(void **state)
{
	struct world *w = *state;

	start(w, "retry = {\"40ms\"}\nexpire = \"1h\"\n");
	hello(w, 0);
	submit(w);
	for (unsigned attempt = 1; attempt <= 5; attempt++) {
		struct sp_msg_job j = job_that_fails(w);

		assert_int_equal(j.attempt, attempt);
	}
	finish(w);
}

/* RFC 8689 4.2.2: it may be delivered where others may not. */
static void test_own_rule_is_tried(void **state)
{
	struct world *w = *state;
	struct sp_msg_submit m = submission(1, "a@s.test");
	struct sp_msg_submit_done done = {0};
	struct sp_msg_job j;

	start(w, "smtp { domain_pause = \"300ms\" }\n");
	hello(w, 0);
	submit(w);
	(void)job_that_fails(w);
	m.envelope.tls_optional = true;
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_int_equal(in_state(w, "queued"), 2);
	assert_true(sp_list_empty(&w->transport.frames));
	j = job(w); /* when the pause is over, and for the first time */
	assert_true(j.envelope.tls_optional);
	assert_int_equal(j.attempt, 1);
	finish(w);
}

static const struct pause_case {
	const char *name;
	const char *conf;
	int64_t due_ms;
	int64_t pause_ms;
} PAUSES[] = {
	{"default", "", 900000, 300000},
	{"half of the shortest step", "retry = {\"15m\", \"4m\"}\n", 900000,
         120000},
	{"of the route", "route \"d.test\" { retry = {\"2s\"} }\n", 900000,
         1000},
	{"the message is due before", "", 100, 100},
	{"the message is not tried again", "", -1, 300000},
	{"the setting", "smtp { domain_pause = \"1s\" }\n", 900000, 1000},
	{"none", "smtp { domain_pause = \"0\" }\n", 900000, 0},
};

static void test_pauses(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(PAUSES) / sizeof(PAUSES[0]); i++) {
		const struct pause_case *c = &PAUSES[i];
		int64_t pause_ms;

		configure(w, c->conf);
		pause_ms = sp_queue_pause_ms(w->conf, SP_STR("d.test"), 0,
		                             c->due_ms);
		if (pause_ms != c->pause_ms) {
			fail_msg("%s: %lld", c->name, (long long)pause_ms);
		}
		sp_conf_free(&w->conf);
	}
}

static void test_destination_share(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	start(w, "smtp { max_per_domain = 2 }\n");
	hello(w, 0);
	for (int i = 0; i < 5; i++) {
		submit(w);
	}
	j = job(w);
	(void)job(w);
	assert_int_equal(in_state(w, "leased"), 2);
	assert_true(sp_list_empty(&w->transport.frames));
	outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	(void)job(w);
	finish(w);
}

static void test_expiry_of_the_route(void **state)
{
	struct world *w = *state;

	start(w, "route \"d.test\" { expire = \"50ms\" }\n");
	submit(w);
	while (in_state(w, "failed") == 0) {
	}
	finish(w);
}

/* The clock is set forward by an hour while the role is away. */
static void test_clock_is_set(void **state)
{
	struct sp_store_clock clock = {.boot = sp_time_boot()};
	struct world *w = *state;
	struct sp_store *store;
	char url[128];
	char why[SP_STORE_WHY_MAX];

	start(w, "expire = \"30m\"\ndeliver = false\n");
	submit(w);
	finish(w);
	snprintf(url, sizeof(url), "sqlite:%s/s.db", w->dir);
	assert_int_equal(sp_store_open(sp_str_from(url), SP_STORE_WRITER, false,
	                               &store, why, sizeof(why)),
	                 0);
	clock.wall_ms = sp_time_wall_ms() - 3600000;
	clock.mono_ms = sp_time_mono_ms();
	assert_int_equal(sp_store_begin(store), 0);
	assert_int_equal(sp_store_set_clock(store, &clock), 0);
	assert_int_equal(sp_store_shift(store, -3600000), 0);
	assert_int_equal(sp_store_commit(store), 0);
	sp_store_close(&store);
	start(w, "");
	hello(w, 0);
	(void)job(w);
	assert_int_equal(in_state(w, "failed"), 0);
	finish(w);
}

static void test_expiry_without_worker(void **state)
{
	struct world *w = *state;

	start(w, "expire = \"50ms\"\n");
	submit(w);
	while (in_state(w, "failed") == 0) {
	}
	finish(w);
}

static void test_permanent(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	start(w, "");
	hello(w, 0);
	submit_from(w, "");
	j = job(w);
	outcome(w, &j, result(&j, SP_VERDICT_PERM));
	assert_int_equal(in_state(w, "failed"), 1);
	assert_int_equal(in_state(w, "report_due"), 0);
	assert_int_equal(in_state(w, "messages"), 1); /* null sender */
	finish(w);
}

static void test_handed_back(void **state)
{
	struct world *w = *state;
	struct sp_msg_outcome_rcpt r;
	struct sp_msg_job j;

	start(w, "");
	hello(w, 0);
	submit(w);
	j = job(w);
	r = result(&j, SP_VERDICT_TEMP);
	r.retry_now = true;
	outcome(w, &j, r);
	assert_int_equal(in_state(w, "queued"), 1);
	hello(w, 0); /* ready again */
	j = job(w);
	assert_int_equal(j.attempt, 1);
	finish(w);
}

/* Others go first, by the same worker; it counts as no attempt. */
static void test_host_busy(void **state)
{
	struct world *w = *state;
	struct sp_msg_outcome_rcpt r;
	struct sp_msg_job j;
	char busy[SP_MSG_ID_MAX + 1];

	start(w, "");
	hello(w, 0);
	submit(w);
	j = job(w);
	r = result(&j, SP_VERDICT_TEMP);
	r.retry_now = true;
	r.cause = sp_str_from(sp_cause_get(SP_CAUSE_HOST_BUSY)->name);
	snprintf(busy, sizeof(busy), SP_STR_FMT, SP_STR_ARG(j.id));
	outcome(w, &j, r);
	submit(w);
	j = job(w);
	assert_false(sp_str_eq(j.id, sp_str_from(busy)));
	outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	assert_int_equal(in_state(w, "delivered"), 1);
	j = job(w);
	assert_true(sp_str_eq(j.id, sp_str_from(busy)));
	assert_int_equal(j.attempt, 1);
	finish(w);
}

static void reconnect_transport(struct world *w)
{
	sp_channel_free(&w->transport.channel);
	while (w->transport.link.channel) {
		turn(w);
	}
	free_frames(&w->transport);
	connect_peer(w, &w->transport, SP_ROLE_TRANSPORT);
}

static void test_worker_comes_back(void **state)
{
	struct world *w = *state;
	struct sp_msg_job first;
	struct sp_msg_job second;

	start(w, "");
	hello(w, 0);
	submit(w);
	first = job(w);
	reconnect_transport(w);
	assert_int_equal(in_state(w, "leased"), 1); /* nothing is known yet */
	hello(w, first.attempt_id);
	assert_int_equal(in_state(w, "leased"), 1);
	assert_true(sp_list_empty(&w->transport.frames));
	reconnect_transport(w);
	hello(w, 0); /* it died and holds nothing */
	second = job(w);
	assert_true(second.attempt_id != first.attempt_id);
	assert_int_equal(second.attempt, 1);
	outcome(w, &first, result(&first, SP_VERDICT_DELIVERED));
	assert_int_equal(in_state(w, "leased"), 1); /* not current: ignored */
	outcome(w, &second, result(&second, SP_VERDICT_DELIVERED));
	assert_int_equal(in_state(w, "delivered"), 1);
	finish(w);
}

static void test_queue_restarts(void **state)
{
	struct world *w = *state;
	struct sp_msg_submit half = submission(5, "a@s.test");
	struct sp_msg_session s = {0};
	struct sp_msg_job j;

	start(w, "");
	hello(w, 0);
	submit(w);
	j = job(w);
	half.complete = false;
	SEND(w->receive, SUBMIT, SUBMIT, &half);
	EXPECT(w->receive, SUBMIT_PULL, SESSION, &s);
	finish(w); /* without a word */
	start(w, "");
	assert_int_equal(in_state(w, "incoming"), 0);
	assert_int_equal(in_state(w, "leased"), 1);
	hello(w, j.attempt_id);
	outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	assert_int_equal(in_state(w, "delivered"), 1);
	finish(w);
}

static void test_slots(void **state)
{
	struct world *w = *state;
	struct sp_msg_hello m = {.slots = 1};
	struct sp_msg_job j;

	start(w, "");
	SEND(w->transport, HELLO, HELLO, &m);
	submit(w);
	submit(w);
	j = job(w);
	assert_int_equal(in_state(w, "queued"), 1);
	assert_true(sp_list_empty(&w->transport.frames));
	outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	(void)job(w);
	finish(w);
}

static void test_deliver_false(void **state)
{
	struct world *w = *state;
	struct sp_conf *before;
	int64_t expired_ms;

	start(w, "deliver = false\nexpire = \"10ms\"\n");
	hello(w, 0);
	submit(w);
	expired_ms = sp_time_wall_ms() + 10;
	while (sp_time_wall_ms() <= expired_ms) {
		assert_int_equal(in_state(w, "queued"), 1);
	}
	before = w->conf;
	configure(w, "");
	SP_ROLE_QUEUE_OPS.reload(&w->ctx);
	sp_conf_free(&before);
	while (in_state(w, "failed") == 0) { /* its time was over */
	}
	submit(w);
	(void)job(w);
	finish(w);
}

static const struct command_case {
	const char *json;
	bool ok;
	int64_t changed;
} COMMANDS[] = {
	{"{\"verb\":\"queue-hold\",\"filter\":{}}", false, -1},
	{"{\"verb\":\"queue-hold\"}", false, -1},
	{"{\"verb\":\"queue-fly\",\"filter\":{\"all\":true}}", false, -1},
	{"{\"verb\":", false, -1},
	{"{\"verb\":\"queue-hold\",\"filter\":{\"status\":\"odd\"}}", false,
         -1},
	{"{\"verb\":\"queue-hold\",\"filter\":{\"from\":\"odd\"}}", false, -1},
	{"{\"verb\":\"queue-hold\",\"filter\":{\"domain\":\"no.test\"}}", true,
         0},
	{"{\"verb\":\"queue-hold\",\"filter\":{\"all\":true,\"limit\":1}}",
         true, 1},
	{"{\"verb\":\"queue-hold\",\"filter\":{\"all\":true}}", true, 699},
	{"{\"verb\":\"queue-retry\",\"filter\":{\"all\":true}}", true, 0},
	{"{\"verb\":\"queue-release\",\"filter\":{\"limit\":600,"
         "\"domain\":\"d.test\"}}",
         true, 600},
	{"{\"verb\":\"queue-remove\",\"filter\":{\"status\":[\"pending\"]}}",
         true, 700},
};

static void test_commands(void **state)
{
	struct world *w = *state;

	start(w, "deliver = false\n");
	for (int i = 0; i < 700; i++) {
		submit(w);
	}
	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
		struct sp_json *reply = ask(w, COMMANDS[i].json);

		if (sp_json_get_bool(reply, "ok") != COMMANDS[i].ok ||
		    sp_json_get_int(reply, "changed", -1) !=
		            COMMANDS[i].changed) {
			fail_msg("%s: %d", COMMANDS[i].json,
			         (int)sp_json_get_int(reply, "changed", -1));
		}
		sp_json_free(&reply);
	}
	assert_int_equal(in_state(w, "removed"), 700);
	finish(w);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Writes to the log fail: 451, nothing half-done, and later all is well. */
static void test_store_fails(void **state)
{
	struct world *w = *state;
	struct sp_msg_submit m = submission(3, "a@s.test");
	struct sp_msg_submit_done done = {0};
	struct sp_msg_job j;

	signal(SIGXFSZ, SIG_IGN);
	start(w, "");
	hello(w, 0);
	submit(w);
	j = job(w);
	limit_files(1);
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	limit_files(RLIM_INFINITY);
	assert_false(done.accepted);
	assert_true(done.code == 451 || done.code == 452);
	outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	assert_int_equal(in_state(w, "delivered"), 1);
	assert_int_equal(in_state(w, "messages"), 1);
	submit(w);
	(void)job(w);
	finish(w);
}

/* Outcomes that come while the store is away are not lost. */
static void test_outcome_survives_failure(void **state)
{
	struct world *w = *state;
	struct sp_msg_submit m = submission(3, "a@s.test");
	struct sp_msg_submit_done done = {0};
	struct sp_msg_attempt settled = {0};
	struct sp_msg_job j;
	struct sp_msg_outcome_rcpt r;
	struct sp_msg_outcome o;

	start(w, "");
	hello(w, 0);
	submit(w);
	j = job(w);
	r = result(&j, SP_VERDICT_DELIVERED);
	o = (struct sp_msg_outcome){.attempt_id = j.attempt_id,
	                            .id = j.id,
	                            .rcpts = &r,
	                            .rcpt_count = 1};
	limit_files(1);
	SEND(w->transport, OUTCOME, OUTCOME, &o);
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_false(done.accepted);
	limit_files(RLIM_INFINITY);
	EXPECT(w->transport, SETTLED, ATTEMPT, &settled);
	assert_int_equal(settled.attempt_id, j.attempt_id);
	assert_int_equal(in_state(w, "delivered"), 1);
	finish(w);
}

static void test_stop_waits(void **state)
{
	struct world *w = *state;
	struct sp_msg_job j;

	start(w, "");
	hello(w, 0);
	submit(w);
	j = job(w);
	w->ctx.stopping = true;
	SP_ROLE_QUEUE_OPS.stop(&w->ctx);
	submit(w); /* accepted, not claimed */
	assert_false(w->stopped);
	outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	while (!w->stopped) {
		turn(w);
	}
	assert_true(sp_list_empty(&w->transport.frames));
	finish(w);
	start(w, "deliver = false");
	assert_int_equal(in_state(w, "queued"), 1);
	finish(w);
}

static void test_stop_when_workers_gone(void **state)
{
	struct world *w = *state;

	start(w, "");
	hello(w, 0);
	submit(w);
	(void)job(w);
	w->ctx.stopping = true;
	SP_ROLE_QUEUE_OPS.stop(&w->ctx);
	sp_channel_free(&w->transport.channel);
	while (!w->stopped) {
		turn(w);
	}
	finish(w);
}

static void test_no_store(void **state)
{
	struct world *w = *state;
	char why[SP_CONF_WHY];

	assert_int_equal(sp_conf_parse(SP_STR("store = \"sqlite:/no/where\""),
	                               "test", &w->conf, why),
	                 0);
	w->ctx.conf = w->conf;
	w->ctx.loop = sp_loop_new();
	assert_true(SP_ROLE_QUEUE_OPS.start(&w->ctx) < 0);
	assert_non_null(strstr(w->ctx.why, "/no/where"));
	SP_ROLE_QUEUE_OPS.finish(&w->ctx);
	sp_loop_free(&w->ctx.loop);
	sp_conf_free(&w->conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_submit_deliver),
		TEST(test_given_id),
		TEST(test_long_body),
		TEST(test_pull_without_lease),
		TEST(test_abort),
		TEST(test_wrong_chunk),
		TEST(test_receive_dies),
		TEST(test_malformed_frame),
		TEST(test_retry_until_expiry),
		TEST(test_dead_destination),
		TEST(test_lone_message_is_always_tried),
		TEST(test_own_rule_is_tried),
		TEST(test_pauses),
		TEST(test_destination_share),
		TEST(test_expiry_of_the_route),
		TEST(test_clock_is_set),
		TEST(test_expiry_without_worker),
		TEST(test_permanent),
		TEST(test_handed_back),
		TEST(test_host_busy),
		TEST(test_worker_comes_back),
		TEST(test_queue_restarts),
		TEST(test_slots),
		TEST(test_deliver_false),
		TEST(test_commands),
		TEST(test_store_fails),
		TEST(test_outcome_survives_failure),
		TEST(test_stop_waits),
		TEST(test_stop_when_workers_gone),
		TEST(test_no_store),
	};

	sp_log_setup(SP_LOG_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
