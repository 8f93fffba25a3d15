/* SPDX-License-Identifier: Apache-2.0 */
/* What every engine must keep of the exceptions of destinations. */
#include "unit/store/world.h"

static void set(struct world *w, const char *domain, int64_t until_ms,
                int64_t now_ms)
{
	const struct sp_store_exception e = {
		.domain = sp_str_from(domain),
		.until_ms = until_ms,
		.reason = SP_STR("because"),
		.added_ms = now_ms,
	};

	begin(w);
	must(sp_store_exception_set(w->store, &e), w->store);
	commit(w);
}

/* Until when; 0: none holds. */
static int64_t find(struct world *w, const char *domain, int64_t now_ms)
{
	struct sp_store_exception e = {0};
	struct sp_arena arena;
	int64_t until_ms = 0;
	int ret;

	sp_arena_init(&arena);
	ret = sp_store_exception_find(w->store, sp_str_from(domain), now_ms,
	                              &arena, &e);
	if (ret == 0) {
		assert_true(sp_str_eq(e.domain, sp_str_from(domain)));
		assert_true(sp_str_eq(e.reason, SP_STR("because")));
		until_ms = e.until_ms;
	} else {
		assert_int_equal(ret, SP_ENOTFOUND);
	}
	sp_arena_fini(&arena);
	return until_ms;
}

static int count_one(void *arg, const struct sp_store_exception *e)
{
	(void)e;
	++*(size_t *)arg;
	return 0;
}

static size_t count(struct world *w, int64_t now_ms)
{
	size_t n = 0;

	must(sp_store_exceptions(w->store, now_ms, count_one, &n), w->store);
	return n;
}

static int drop(struct world *w, const char *domain)
{
	int ret;

	begin(w);
	ret = sp_store_exception_remove(w->store, sp_str_from(domain));
	commit(w);
	return ret;
}

static void test_time(void **state)
{
	struct world *w = *state;

	set(w, "d.test", NOW + HOUR, NOW);
	assert_int_equal(find(w, "d.test", NOW), NOW + HOUR);
	assert_int_equal(find(w, "d.test", NOW + HOUR - 1), NOW + HOUR);
	assert_int_equal(find(w, "d.test", NOW + HOUR), 0);
	assert_int_equal(find(w, "sub.d.test", NOW), 0);
	assert_int_equal(find(w, "test", NOW), 0);
	assert_int_equal(count(w, NOW), 1);
	assert_int_equal(count(w, NOW + HOUR), 0);
}

static void test_replace_and_remove(void **state)
{
	struct world *w = *state;

	set(w, "d.test", NOW + HOUR, NOW);
	set(w, "d.test", NOW + 2 * HOUR, NOW);
	assert_int_equal(find(w, "d.test", NOW), NOW + 2 * HOUR);
	set(w, "e.test", NOW + HOUR, NOW);
	assert_int_equal(count(w, NOW), 2);
	assert_int_equal(drop(w, "d.test"), 0);
	assert_int_equal(drop(w, "d.test"), SP_ENOTFOUND);
	assert_int_equal(find(w, "d.test", NOW), 0);
	assert_int_equal(find(w, "e.test", NOW), NOW + HOUR);
}

/* What is over leaves with the next one, and is not to be removed. */
static void test_over(void **state)
{
	struct world *w = *state;

	set(w, "d.test", NOW + HOUR, NOW);
	set(w, "e.test", NOW + DAY, NOW + HOUR);
	assert_int_equal(drop(w, "d.test"), SP_ENOTFOUND);
	assert_int_equal(count(w, NOW), 1);
}

static void test_durable(void **state)
{
	struct world *w = *state;

	set(w, "d.test", NOW + HOUR, NOW);
	sp_store_close(&w->store);
	open_writer(w);
	assert_int_equal(find(w, "d.test", NOW), NOW + HOUR);
}

static void test_limits(void **state)
{
	static char text[SP_STORE_REASON_MAX + 1];
	struct world *w = *state;
	struct sp_store_exception e = {.until_ms = NOW, .added_ms = NOW};

	begin(w);
	assert_int_equal(sp_store_exception_set(w->store, &e), SP_ELIMIT);
	memset(text, 'x', sizeof(text));
	e.domain = sp_str_slice(text, 256);
	assert_int_equal(sp_store_exception_set(w->store, &e), SP_ELIMIT);
	e.domain = SP_STR("d.test");
	e.reason = sp_str_slice(text, sizeof(text));
	assert_int_equal(sp_store_exception_set(w->store, &e), SP_ELIMIT);
	e.reason.len--;
	must(sp_store_exception_set(w->store, &e), w->store);
	commit(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_time),   TEST(test_replace_and_remove),
		TEST(test_over),   TEST(test_durable),
		TEST(test_limits),
	};
	int failed = 0;

	RUN_FOR_ALL_ENGINES(tests, failed)
	return failed ? 1 : 0;
}
