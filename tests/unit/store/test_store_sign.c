/* SPDX-License-Identifier: Apache-2.0 */
/* What every engine must keep of messages that wait for a signature. */
#include "unit/store/world.h"

#define SIGNATURE SP_STR("DKIM-Signature: x\r\n")
#define BODY      SP_STR("Subject: x\r\n\r\nbody\r\n")

static void enqueue_unsigned(struct world *w, const char *id)
{
	struct sp_envelope e = envelope(ONE, 1);
	struct sp_store_incoming in = incoming(id, &e);

	in.to_sign = true;
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	commit(w);
}

static int sign(struct world *w, const char *id, struct sp_str signature,
                int64_t now_ms)
{
	int ret;

	begin(w);
	ret = sp_store_sign(w->store, sp_str_from(id), signature, now_ms,
	                    SP_STR("{\"dkim\":1}"));
	commit(w);
	return ret;
}

static size_t waiting(struct world *w, struct sp_store_to_sign **list)
{
	size_t count = 0;

	must(sp_store_list_to_sign(w->store, 0, 9, &w->arena, list, &count),
	     w->store);
	return count;
}

static int on_to_sign(void *arg, const struct sp_store_row *row)
{
	*(bool *)arg = row->to_sign;
	return 0;
}

static bool shown_as_waiting(struct world *w, const char *id)
{
	const struct sp_store_filter f = {.id = sp_str_from(id)};
	bool waits = false;

	must(sp_store_search(w->store, &f, on_to_sign, &waits), w->store);
	return waits;
}

static uint64_t act(struct world *w, enum sp_store_action action)
{
	const struct sp_store_filter f = {.id = SP_STR("M1")};
	uint64_t changed = 0;

	begin(w);
	must(sp_store_act(w->store, action, &f, 100, NOW + 1, &changed),
	     w->store);
	commit(w);
	return changed;
}

static void assert_chunk(struct world *w, uint32_t seq, struct sp_str expected,
                         bool expected_last)
{
	struct sp_str data = {0};
	bool last = false;

	must(sp_store_read_body(w->store, SP_STR("M1"), seq, &w->arena, &data,
	                        &last),
	     w->store);
	assert_true(sp_str_eq(data, expected));
	assert_int_equal(last, expected_last);
}

static void test_never_due(void **state)
{
	struct world *w = *state;
	struct sp_store_to_sign *list;
	struct sp_store_job *jobs;

	enqueue_unsigned(w, "M1");
	assert_int_equal(claim(w, NOW + DAY - 1, 9, &jobs), 0);
	assert_true(shown_as_waiting(w, "M1"));
	assert_int_equal(show(w, "M1").next_attempt_ms, 0);
	assert_int_equal(waiting(w, &list), 1);
	assert_true(sp_str_eq(list[0].id, SP_STR("M1")));
	assert_int_equal(list[0].size_bytes, BODY.len);
	assert_chunk(w, 0, BODY, true);
}

static void test_signed(void **state)
{
	struct world *w = *state;
	struct sp_store_to_sign *list;
	struct sp_store_job *jobs;

	enqueue_unsigned(w, "M1");
	assert_int_equal(sign(w, "M1", SIGNATURE, NOW + 5), 0);
	assert_int_equal(sign(w, "M1", SIGNATURE, NOW + 6), SP_ENOTFOUND);
	assert_int_equal(waiting(w, &list), 0);
	assert_false(shown_as_waiting(w, "M1"));
	assert_int_equal(show(w, "M1").next_attempt_ms, NOW + 5);
	assert_string_equal(events(w, show(w, "M1").rcpt_id),
	                    "receive/0 resolved/0{\"dkim\":1}");
	assert_int_equal(claim(w, NOW + 5, 9, &jobs), 1);
	assert_int_equal(jobs[0].size_bytes, SIGNATURE.len + BODY.len);
	assert_chunk(w, 0, SIGNATURE, false);
	assert_chunk(w, 1, BODY, true);
}

/* Decided otherwise: it goes as it is. */
static void test_unsigned_after_all(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;

	enqueue_unsigned(w, "M1");
	assert_int_equal(sign(w, "M1", SP_STR(""), NOW), 0);
	assert_int_equal(claim(w, NOW, 9, &jobs), 1);
	assert_int_equal(jobs[0].size_bytes, BODY.len);
	assert_chunk(w, 0, BODY, true);
}

static void test_durable(void **state)
{
	struct world *w = *state;
	struct sp_store_to_sign *list;
	struct sp_store_job *jobs;

	enqueue_unsigned(w, "M1");
	sp_store_close(&w->store);
	open_writer(w);
	assert_int_equal(waiting(w, &list), 1);
	assert_int_equal(claim(w, NOW, 9, &jobs), 0);
}

/* One that is still coming in is not handed out, and one that is over
 * neither. */
static void test_not_listed(void **state)
{
	struct sp_envelope e = envelope(ONE, 1);
	struct sp_store_incoming in = incoming("M1", &e);
	struct world *w = *state;
	struct sp_store_to_sign *list;
	struct sp_store_job *jobs;

	in.to_sign = true;
	in.complete = false;
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	commit(w);
	assert_int_equal(waiting(w, &list), 0);
	begin(w);
	must(sp_store_finish(w->store, SP_STR("M1"), false), w->store);
	commit(w);
	assert_int_equal(waiting(w, &list), 1);
	assert_int_equal(claim(w, NOW, 9, &jobs), 0);
	assert_int_equal(act(w, SP_STORE_ACT_REMOVE), 1);
	assert_int_equal(waiting(w, &list), 0);
	assert_int_equal(sign(w, "M1", SIGNATURE, NOW), SP_ENOTFOUND);
}

/* A retry passes it over; who holds it gets it back as it was. */
static void test_operator(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;

	enqueue_unsigned(w, "M1");
	assert_int_equal(act(w, SP_STORE_ACT_RETRY), 0);
	assert_int_equal(act(w, SP_STORE_ACT_HOLD), 1);
	assert_int_equal(act(w, SP_STORE_ACT_RELEASE), 1);
	assert_int_equal(claim(w, NOW + HOUR, 9, &jobs), 0);
	assert_int_equal(act(w, SP_STORE_ACT_HOLD), 1);
	assert_int_equal(sign(w, "M1", SIGNATURE, NOW), 0);
	assert_int_equal(claim(w, NOW + HOUR, 9, &jobs), 0);
	assert_int_equal(act(w, SP_STORE_ACT_RELEASE), 1);
	assert_int_equal(claim(w, NOW + HOUR, 9, &jobs), 1);
}

static void test_expires(void **state)
{
	struct world *w = *state;
	struct sp_store_to_sign *list;
	uint64_t count = 0;

	enqueue_unsigned(w, "M1");
	begin(w);
	must(sp_store_shift(w->store, HOUR), w->store);
	must(sp_store_expire(w->store, NOW + DAY + HOUR, 9, SP_STR("5.4.300"),
	                     SP_STR("expired"), SP_STR("550 x"), &count),
	     w->store);
	commit(w);
	assert_int_equal(count, 1);
	assert_int_equal(show(w, "M1").state, SP_STORE_FAILED);
	(void)waiting(w, &list); /* until it is reported */
}

static void test_limit(void **state)
{
	static char text[SP_STORE_SIGNATURE_MAX + 1];
	struct world *w = *state;

	memset(text, 'x', sizeof(text));
	enqueue_unsigned(w, "M1");
	assert_int_equal(sign(w, "M1", sp_str_slice(text, sizeof(text)), NOW),
	                 SP_ELIMIT);
	assert_int_equal(
		sign(w, "M1", sp_str_slice(text, sizeof(text) - 1), NOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_never_due),
		TEST(test_signed),
		TEST(test_unsigned_after_all),
		TEST(test_durable),
		TEST(test_not_listed),
		TEST(test_operator),
		TEST(test_expires),
		TEST(test_limit),
	};
	int failed = 0;

	RUN_FOR_ALL_ENGINES(tests, failed);
	return failed;
}
