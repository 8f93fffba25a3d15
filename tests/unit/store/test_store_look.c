/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every engine of the store must show, let the operator do, and find
 * again after it was closed.
 */
#include <sys/statvfs.h>

#include "unit/store/world.h"

/* ---- looking, and the operator ---- */

static const struct search_case {
	const char *name;
	struct sp_store_filter filter;
	size_t count;
} SEARCHES[] = {
	{"everything", {.limit = 0}, 4},
	{"limit", {.limit = 3}, 3},
	{"id", {.id = SP_STR("M2")}, 2},
	{"no such id", {.id = SP_STR("M9")}, 0},
	{"message id", {.message_id = SP_STR("<1@s.test>")}, 4},
	{"message id without brackets", {.message_id = SP_STR("1@s.test")}, 4},
	{"another message id", {.message_id = SP_STR("2@s.test")}, 0},
	{"sender, case", {.sender = SP_STR("A@S.test")}, 3},
	{"null sender", {.sender = SP_STR("<>")}, 1},
	{"recipient, case", {.recipient = SP_STR("B@D.test")}, 2},
	{"domain", {.domain = SP_STR("d.test")}, 3},
	{"domain and id", {.domain = SP_STR("d.test"), .id = SP_STR("M2")}, 1},
	{"pending", {.statuses = SP_STORE_PENDING}, 3},
	{"delivered", {.statuses = SP_STORE_STATUS_DELIVERED}, 1},
	{"failed", {.statuses = SP_STORE_STATUS_FAILED}, 0},
	{"expanded", {.statuses = SP_STORE_EXPANDED}, 0},
	{"two statuses",
         {.statuses = SP_STORE_PENDING | SP_STORE_STATUS_DELIVERED},
         4},
	{"held", {.held = true}, 0},
	{"code", {.code = SP_STR("2.0.0")}, 1},
	{"code, pending only",
         {.code = SP_STR("2.0.0"), .statuses = SP_STORE_PENDING},
         0},
	{"scenario", {.cause = SP_STR("tlsa-mismatch")}, 0},
	{"from", {.from_ms = NOW}, 4},
	{"after", {.from_ms = NOW + 1}, 0},
	{"before", {.to_ms = NOW}, 0},
	{"until", {.to_ms = NOW + 1}, 4},
	{"larger", {.size_min = 23}, 0},
	{"size", {.size_min = 20, .size_max = 24}, 4},
	{"quotes do no harm", {.sender = SP_STR("' OR 1=1 --")}, 0},
	{"over-long message id", {.message_id = {"x", SIZE_MAX}}, 0},
};

static void test_search(void **state)
{
	static const struct sp_envelope_rcpt two[] = {
		{.address = SP_STR("b@d.test"), .domain = SP_STR("d.test")},
		{.address = SP_STR("b@e.test"), .domain = SP_STR("e.test")},
	};
	struct world *w = *state;
	struct sp_envelope e = envelope(&two[0], 1);
	struct sp_store_incoming in = incoming("M3", &e);
	struct sp_envelope_rcpt other = {.address = SP_STR("x@d.test"),
	                                 .domain = SP_STR("d.test")};
	struct sp_store_job *jobs;

	enqueue_to(w, "M1", &other, 1);
	claim(w, NOW, 1, &jobs);
	settle(w, jobs[0].attempt_id, to(DELIVERED, jobs[0].rcpts[0].rcpt_id));
	enqueue_to(w, "M2", two, 2);
	e.sender = SP_STR("");
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	commit(w);
	for (size_t i = 0; i < sizeof(SEARCHES) / sizeof(SEARCHES[0]); i++) {
		size_t count = search(w, SEARCHES[i].filter).count;

		if (count != SEARCHES[i].count) {
			fail_msg("%s: %zu", SEARCHES[i].name, count);
		}
	}
	/* newest first: the last row is the oldest message */
	assert_string_equal(search(w, SEARCHES[0].filter).id, "M1");
}

static uint64_t act(struct world *w, enum sp_store_action action,
                    struct sp_store_filter filter, size_t batch)
{
	uint64_t changed = 0;

	begin(w);
	must(sp_store_act(w->store, action, &filter, batch, NOW + 7, &changed),
	     w->store);
	commit(w);
	return changed;
}

static void test_hold_and_release(void **state)
{
	struct world *w = *state;
	struct sp_store_filter all = {.limit = 0};
	struct sp_store_job *jobs;
	struct found f;

	enqueue(w, "M1");
	enqueue(w, "M2");
	assert_int_equal(act(w, SP_STORE_ACT_RELEASE, all, 9), 0);
	assert_int_equal(act(w, SP_STORE_ACT_HOLD, all, 1), 1);
	assert_int_equal(act(w, SP_STORE_ACT_HOLD, all, 9), 1);
	assert_int_equal(act(w, SP_STORE_ACT_HOLD, all, 9), 0);
	assert_int_equal(claim(w, NOW + DAY, 9, &jobs), 0);
	assert_int_equal(
		search(w, (struct sp_store_filter){.held = true}).count, 2);
	assert_int_equal(act(w, SP_STORE_ACT_RELEASE,
	                     (struct sp_store_filter){.id = SP_STR("M2")}, 9),
	                 1);
	f = show(w, "M2");
	assert_int_equal(f.next_attempt_ms, NOW + 7);
	assert_string_equal(events(w, f.rcpt_id), "receive/0 hold/0 release/0");
	assert_int_equal(claim(w, NOW + 7, 9, &jobs), 1);
}

static void test_retry_and_remove(void **state)
{
	struct world *w = *state;
	struct sp_store_filter all = {.limit = 0};
	struct sp_store_job *jobs;
	struct sp_str body;
	uint64_t count;
	bool last;

	enqueue(w, "M1");
	claim(w, NOW, 1, &jobs);
	assert_int_equal(act(w, SP_STORE_ACT_REMOVE, all, 9), 0); /* leased */
	settle(w, jobs[0].attempt_id, to(DEFERRED, jobs[0].rcpts[0].rcpt_id));
	assert_int_equal(act(w, SP_STORE_ACT_RETRY, all, 9), 1);
	assert_int_equal(act(w, SP_STORE_ACT_RETRY, all, 9), 0);
	assert_int_equal(show(w, "M1").next_attempt_ms, NOW + 7);
	assert_int_equal(act(w, SP_STORE_ACT_REMOVE, all, 9), 1);
	assert_int_equal(show(w, "M1").state, SP_STORE_REMOVED);
	assert_int_equal(show(w, "M1").done_ms, NOW + 7);
	assert_int_equal(sp_store_read_body(w->store, SP_STR("M1"), 0,
	                                    &w->arena, &body, &last),
	                 SP_ENOTFOUND);
	begin(w);
	must(sp_store_purge(w->store, NOW + 8, 9, &count), w->store);
	commit(w);
	assert_int_equal(count, 1);
}

/* ---- opening again ---- */

static void test_reader(void **state)
{
	struct world *w = *state;
	struct sp_store *writer = w->store;
	char why[SP_STORE_WHY_MAX];

	enqueue(w, "M1");
	assert_int_equal(sp_store_open(sp_str_from(w->url), SP_STORE_READER,
	                               false, &w->store, why, sizeof(why)),
	                 0);
	assert_int_equal(show(w, "M1").count, 1);
	sp_store_close(&w->store);
	w->store = writer;
}

static void test_two_writers(void **state)
{
	struct world *w = *state;
	struct sp_store *second = NULL;
	char why[SP_STORE_WHY_MAX];

	assert_int_equal(sp_store_open(sp_str_from(w->url), SP_STORE_WRITER,
	                               false, &second, why, sizeof(why)),
	                 SP_EBUSY);
	assert_null(second);
	assert_non_null(strstr(why, "in use by another server"));
}

static void test_reopen(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	struct sp_envelope e = envelope(ONE, 1);
	struct sp_store_incoming in = incoming("M2", &e);

	enqueue(w, "M1");
	claim(w, NOW, 1, &jobs);
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	sp_store_close(&w->store); /* in the middle of a turn */
	open_writer(w);
	assert_int_equal(show(w, "M2").count, 0);
	must(settle(w, jobs[0].attempt_id,
	            to(DELIVERED, jobs[0].rcpts[0].rcpt_id)),
	     w->store);
	assert_int_equal(show(w, "M1").state, SP_STORE_DELIVERED);
}

static void test_maintain(void **state)
{
	struct world *w = *state;

	enqueue(w, "M1");
	must(sp_store_maintain(w->store, false), w->store);
	must(sp_store_maintain(w->store, true), w->store);
	assert_int_equal(show(w, "M1").count, 1);
}

/* Never all of the disk; others write to it as well, so that nothing more
 * exact can be said here. */
static void test_room(void **state)
{
	struct world *w = *state;
	int64_t before = 0;
	int64_t all;
	struct statvfs fs;

	assert_int_equal(statvfs(w->dir, &fs), 0);
	all = (int64_t)(fs.f_blocks * fs.f_frsize);
	must(sp_store_room(w->store, &before), w->store);
	assert_true(before < all);
	enqueue(w, "M1");
	must(sp_store_room(w->store, &before), w->store);
	assert_true(before < all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_search),           TEST(test_hold_and_release),
		TEST(test_retry_and_remove), TEST(test_reader),
		TEST(test_two_writers),      TEST(test_reopen),
		TEST(test_maintain),         TEST(test_room),
	};
	int failed = 0;

	RUN_FOR_ALL_ENGINES(tests, failed)
	return failed ? 1 : 0;
}
