/* SPDX-License-Identifier: Apache-2.0 */
/* The queue role and its messages to sign; the test plays sign. */
#include "unit/role/queue_world.h"

#define CONF      "dkim \"s.test\" { key = \"/k\" }\n"
#define SIGNATURE "DKIM-Signature: v=1;\r\n\tb=x\r\n"
#define BODY      "From: a@s.test\r\n\r\nbody\r\n"

static void start_signing(struct world *w)
{
	start(w, CONF);
	connect_peer(w, &w->sign, SP_ROLE_SIGN);
	hello(w, 0);
}

static void submit_body(struct world *w, struct sp_str body)
{
	struct sp_msg_submit m = submission(1, "a@s.test");
	struct sp_msg_submit_done done = {0};

	m.body = body;
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_true(done.accepted);
}

static struct sp_msg_sign asked(struct world *w)
{
	struct sp_msg_sign m = {0};

	EXPECT(w->sign, SIGN, SIGN, &m);
	return m;
}

static void answer(struct world *w, const struct sp_msg_sign *ask,
                   enum sp_msg_signed_result result, const char *text)
{
	struct sp_msg_signed m = {
		.ask = ask->ask,
		.id = ask->id,
		.result = result,
		.domain = SP_STR("s.test"),
	};

	if (result == SP_MSG_SIGNED_YES) {
		m.header = sp_str_from(text);
	} else {
		m.why = sp_str_from(text);
	}
	SEND(w->sign, SIGNED, SIGNED, &m);
}

/* All that sign has said was heard. */
static void heard(struct world *w)
{
	const struct sp_msg_body_pull m = {.id = SP_STR("nobody's")};
	struct sp_msg_body_chunk chunk = {0};

	SEND(w->sign, BODY_PULL, BODY_PULL, &m);
	EXPECT(w->sign, BODY_CHUNK, BODY_CHUNK, &chunk);
}

/* The one that was asked for is all that waits, and nothing goes out. */
static void assert_waits(struct world *w)
{
	assert_int_equal(in_state(w, "queued"), 1);
	assert_true(sp_list_empty(&w->transport.frames));
}

static void test_signed(void **state)
{
	struct world *w = *state;
	struct sp_msg_sign ask;
	struct sp_msg_job j;

	start_signing(w);
	submit_body(w, SP_STR(BODY));
	ask = asked(w);
	assert_true(ask.inline_body);
	assert_true(sp_str_eq(ask.body, SP_STR(BODY)));
	assert_waits(w);
	answer(w, &ask, SP_MSG_SIGNED_YES, SIGNATURE);
	j = job(w);
	assert_true(sp_str_eq(j.body, SP_STR(SIGNATURE BODY)));
	assert_int_equal(j.size_bytes, sizeof(SIGNATURE BODY) - 1);
	finish(w);
}

static void test_not_for_us(void **state)
{
	static const char *const bodies[] = {
		"From: a@other.test\r\n\r\nx\r\n",
		"Subject: x\r\n\r\nFrom: a@s.test\r\n",
		"From: a@s.test\r\nFrom: a@s.test\r\n\r\nx\r\n",
		"From: a@s.test <b@other.test>\r\n\r\nx\r\n",
	};
	struct world *w = *state;

	start_signing(w);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct sp_msg_job j;

		submit_body(w, sp_str_from(bodies[i]));
		j = job(w);
		assert_true(sp_str_eq(j.body, sp_str_from(bodies[i])));
		outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	}
	assert_true(sp_list_empty(&w->sign.frames));
	finish(w);
}

/* Whatever it was that was wrong, it is asked again with a new link. */
static void test_asked_again(void **state)
{
	struct world *w = *state;
	struct sp_msg_sign ask;
	struct sp_msg_sign again;

	start_signing(w);
	submit_body(w, SP_STR(BODY));
	ask = asked(w);
	sp_channel_free(&w->sign.channel); /* killed */
	while (w->sign.link.channel) {
		turn(w);
	}
	assert_waits(w);
	connect_peer(w, &w->sign, SP_ROLE_SIGN);
	again = asked(w);
	assert_int_not_equal(again.ask, ask.ask);
	answer(w, &ask, SP_MSG_SIGNED_NO, "an old one"); /* not listened to */
	heard(w);
	assert_waits(w);
	answer(w, &again, SP_MSG_SIGNED_YES, SIGNATURE);
	(void)job(w);
	finish(w);
}

static void test_restart(void **state)
{
	struct world *w = *state;
	struct sp_msg_sign ask;
	struct sp_msg_job j;

	start_signing(w);
	submit_body(w, SP_STR(BODY));
	(void)asked(w);
	finish(w);
	memset(&w->sign, 0, sizeof(w->sign));
	start_signing(w);
	ask = asked(w);
	answer(w, &ask, SP_MSG_SIGNED_YES, SIGNATURE);
	j = job(w);
	assert_true(sp_str_eq(j.body, SP_STR(SIGNATURE BODY)));
	finish(w);
}

static void test_no(void **state)
{
	struct world *w = *state;
	struct sp_msg_sign ask;
	struct sp_msg_job j;

	start_signing(w);
	submit_body(w, SP_STR(BODY));
	ask = asked(w);
	answer(w, &ask, SP_MSG_SIGNED_NO, "too many header fields");
	j = job(w);
	assert_true(sp_str_eq(j.body, SP_STR(BODY)));
	finish(w);
}

/* What must not let a message go: it is asked for again, after a while. */
static void test_kept(void **state)
{
	static const struct {
		enum sp_msg_signed_result result;
		const char *text;
	} cases[] = {
		{SP_MSG_SIGNED_FAILED, "out of memory"},
		{SP_MSG_SIGNED_NO, SP_MSG_SIGN_NO_KEY}, /* before a reload */
		{SP_MSG_SIGNED_YES, ""},
		{SP_MSG_SIGNED_YES, "Subject: x\r\n"},
		{SP_MSG_SIGNED_YES, SIGNATURE "\r\n"},
		{SP_MSG_SIGNED_YES, SIGNATURE "\r\nbody\r\n"},
		{SP_MSG_SIGNED_YES, "DKIM-Signature: x"},
		{SP_MSG_SIGNED_YES, SIGNATURE "no field\r\n"},
	};
	struct world *w = *state;

	start_signing(w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sp_msg_sign ask;

		submit_body(w, SP_STR(BODY));
		ask = asked(w);
		answer(w, &ask, cases[i].result, cases[i].text);
		heard(w);
		assert_int_equal(in_state(w, "queued"), (int64_t)i + 1);
		assert_true(sp_list_empty(&w->transport.frames));
		assert_int_equal(in_state(w, "signing"), 0);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)asked(w); /* by the timer */
	}
	finish(w);
}

/* ---- bodies that are pulled ---- */

static char large[100000];

static void submit_large(struct world *w, bool from_first)
{
	struct sp_msg_submit m = submission(1, "a@s.test");
	struct sp_msg_submit_done done = {0};
	struct sp_msg_session pull = {0};
	struct sp_msg_body_chunk chunk = {.session = 1, .seq = 1, .last = true};

	for (size_t i = 0; i < sizeof(large); i++) {
		large[i] = "X-Filler: y\r\n"[i % 13];
	}
	memcpy(large + (from_first ? 0 : 91000), "From: a@s.test\r\n", 16);
	memcpy(large + (from_first ? 16 : 91016), "\r\n", 2);
	m.complete = false;
	m.body = sp_str_slice(large, SP_BODY_INLINE_MAX);
	chunk.data = sp_str_slice(large + SP_BODY_INLINE_MAX,
	                          sizeof(large) - SP_BODY_INLINE_MAX);
	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_PULL, SESSION, &pull);
	SEND(w->receive, BODY_CHUNK, BODY_CHUNK, &chunk);
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_true(done.accepted);
}

static struct sp_msg_body_chunk
pull(struct world *w, const struct sp_msg_sign *ask, uint32_t seq)
{
	const struct sp_msg_body_pull m = {ask->ask, ask->id, seq};
	struct sp_msg_body_chunk chunk = {0};

	SEND(w->sign, BODY_PULL, BODY_PULL, &m);
	EXPECT(w->sign, BODY_CHUNK, BODY_CHUNK, &chunk);
	assert_int_equal(chunk.session, ask->ask);
	assert_int_equal(chunk.seq, seq);
	return chunk;
}

static void test_pulled(void **state)
{
	struct world *w = *state;

	start_signing(w);
	for (int first = 0; first < 2; first++) {
		struct sp_msg_sign ask;
		struct sp_msg_body_chunk chunk;
		struct sp_msg_job j;

		submit_large(w, first != 0);
		ask = asked(w);
		assert_false(ask.inline_body);
		chunk = pull(w, &ask, 0);
		assert_int_equal(chunk.data.len, SP_BODY_INLINE_MAX);
		assert_false(chunk.last);
		chunk = pull(w, &ask, 1);
		assert_int_equal(chunk.data.len,
		                 sizeof(large) - SP_BODY_INLINE_MAX);
		assert_true(chunk.last);
		answer(w, &ask, SP_MSG_SIGNED_YES, SIGNATURE);
		j = job(w);
		assert_false(j.inline_body);
		assert_int_equal(j.size_bytes,
		                 sizeof(large) + sizeof(SIGNATURE) - 1);
		outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	}
	finish(w);
}

/* Only what was asked for is handed out; what has gone is said to be. */
static void test_pull_refused(void **state)
{
	struct world *w = *state;
	struct sp_msg_sign first;
	struct sp_msg_sign other;
	struct sp_msg_body_chunk chunk;
	struct sp_json *reply;

	start_signing(w);
	submit_large(w, true);
	first = asked(w);
	other = first;
	other.ask++;
	chunk = pull(w, &other, 0);
	assert_int_equal(chunk.data.len, 0);
	assert_false(chunk.last);
	chunk = pull(w, &first, 7);
	assert_int_equal(chunk.data.len, 0);
	assert_int_equal(in_state(w, "signing"), 0);
	reply = ask(w, "{\"verb\":\"queue-remove\",\"all\":true}");
	sp_json_free(&reply);
	answer(w, &first, SP_MSG_SIGNED_YES, SIGNATURE);
	heard(w);
	assert_int_equal(in_state(w, "removed"), 1);
	finish(w);
}

/* More than are asked for at one time. */
static void test_many(void **state)
{
	struct world *w = *state;

	start_signing(w);
	for (int i = 0; i < 100; i++) {
		submit_body(w, SP_STR(BODY));
	}
	for (int i = 0; i < 100; i++) {
		struct sp_msg_sign ask = asked(w);

		assert_true(in_state(w, "signing") <= 32);
		answer(w, &ask, SP_MSG_SIGNED_YES, SIGNATURE);
	}
	heard(w);
	assert_int_equal(in_state(w, "signing"), 0);
	assert_true(sp_list_empty(&w->sign.frames));
	assert_true(in_state(w, "leased") > 0);
	finish(w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_signed),      TEST(test_not_for_us),
		TEST(test_asked_again), TEST(test_restart),
		TEST(test_no),          TEST(test_kept),
		TEST(test_pulled),      TEST(test_pull_refused),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
