/* SPDX-License-Identifier: Apache-2.0 */
/* What every engine must keep of the policies of MTA-STS. */
#include "unit/store/world.h"

static struct sp_store_sts row_of(const char *domain)
{
	return (struct sp_store_sts){
		.domain = sp_str_from(domain),
		.id = SP_STR("20260101"),
		.body = SP_STR("version: STSv1\nmode: none\nmax_age: 60\n\0x"),
		.fetched_ms = NOW,
		.expires_ms = NOW + DAY,
		.refresh_ms = NOW + HOUR,
		.used_ms = NOW,
	};
}

static void set(struct world *w, const struct sp_store_sts *row)
{
	begin(w);
	must(sp_store_sts_set(w->store, row), w->store);
	commit(w);
}

static void mark(struct world *w, const char *domain, int64_t used_ms,
                 int64_t refresh_ms)
{
	begin(w);
	must(sp_store_sts_mark(w->store, sp_str_from(domain), used_ms,
	                       refresh_ms),
	     w->store);
	commit(w);
}

static void assert_found(struct world *w, const struct sp_store_sts *want)
{
	struct sp_store_sts row = {0};
	struct sp_arena arena = {0};

	must(sp_store_sts_find(w->store, want->domain, &arena, &row), w->store);
	assert_true(sp_str_eq(row.domain, want->domain));
	assert_true(sp_str_eq(row.id, want->id));
	assert_true(sp_str_eq(row.body, want->body));
	assert_int_equal(row.fetched_ms, want->fetched_ms);
	assert_int_equal(row.expires_ms, want->expires_ms);
	assert_int_equal(row.refresh_ms, want->refresh_ms);
	assert_int_equal(row.used_ms, want->used_ms);
	sp_arena_fini(&arena);
}

static void assert_none(struct world *w, const char *domain)
{
	struct sp_store_sts row;
	struct sp_arena arena = {0};

	assert_int_equal(
		sp_store_sts_find(w->store, sp_str_from(domain), &arena, &row),
		SP_ENOTFOUND);
	sp_arena_fini(&arena);
}

static int64_t next(struct world *w)
{
	int64_t time_ms = 0;

	must(sp_store_sts_next(w->store, &time_ms), w->store);
	return time_ms;
}

/* Domains that are due, in their order. */
static void assert_due(struct world *w, int64_t now_ms, size_t max,
                       const char *want)
{
	struct sp_store_sts *rows;
	struct sp_arena arena = {0};
	char found[200] = "";
	size_t count = 0;

	must(sp_store_sts_due(w->store, now_ms, max, &arena, &rows, &count),
	     w->store);
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(found);

		snprintf(found + len, sizeof(found) - len, "%.*s ",
		         (int)rows[i].domain.len, rows[i].domain.ptr);
		assert_true(rows[i].body.len > 0);
	}
	assert_string_equal(found, want);
	sp_arena_fini(&arena);
}

static void test_set_and_find(void **state)
{
	struct world *w = *state;
	struct sp_store_sts row = row_of("d.test");

	assert_none(w, "d.test");
	set(w, &row);
	assert_found(w, &row);
	assert_none(w, "sub.d.test");
	row.id = SP_STR("2");
	row.body = SP_STR("another");
	row.fetched_ms++;
	row.refresh_ms = -1;
	set(w, &row);
	assert_found(w, &row);
	mark(w, "d.test", NOW + 7, NOW + 8);
	row.used_ms = NOW + 7;
	row.refresh_ms = NOW + 8;
	assert_found(w, &row);
	mark(w, "nobody.test", NOW, NOW);
}

static void test_durable(void **state)
{
	struct world *w = *state;
	struct sp_store_sts row = row_of("d.test");

	set(w, &row);
	sp_store_close(&w->store);
	open_writer(w);
	assert_found(w, &row);
}

static void test_due(void **state)
{
	struct world *w = *state;
	struct sp_store_sts row = row_of("c.test");

	assert_int_equal(next(w), -1);
	set(w, &row);
	row = row_of("b.test");
	row.refresh_ms = NOW + 10;
	set(w, &row);
	row = row_of("a.test");
	row.refresh_ms = -1;
	set(w, &row);
	assert_int_equal(next(w), NOW + 10);
	assert_due(w, NOW + 9, 9, "");
	assert_due(w, NOW + 10, 9, "b.test ");
	assert_due(w, NOW + HOUR, 9, "b.test c.test ");
	assert_due(w, NOW + HOUR, 1, "b.test ");
	mark(w, "b.test", NOW, -1);
	assert_due(w, NOW + HOUR, 9, "c.test ");
}

static uint64_t forget(struct world *w, int64_t before_ms, size_t max)
{
	uint64_t count = 0;

	begin(w);
	must(sp_store_sts_forget(w->store, before_ms, max, &count), w->store);
	commit(w);
	return count;
}

static void test_forget(void **state)
{
	struct world *w = *state;
	struct sp_store_sts row = row_of("a.test");

	set(w, &row);
	row.domain = SP_STR("b.test");
	set(w, &row);
	row.domain = SP_STR("used.test");
	row.used_ms = NOW + 2 * DAY;
	set(w, &row);
	row = row_of("good.test");
	row.expires_ms = NOW + 2 * DAY;
	set(w, &row);
	assert_int_equal(forget(w, NOW + DAY, 9), 0);
	assert_int_equal(forget(w, NOW + DAY + 1, 1), 1);
	assert_int_equal(forget(w, NOW + DAY + 1, 9), 1);
	assert_none(w, "a.test");
	assert_none(w, "b.test");
	assert_found(w, &row);
}

static void test_shift(void **state)
{
	struct world *w = *state;
	struct sp_store_sts row = row_of("d.test");

	set(w, &row);
	begin(w);
	must(sp_store_shift(w->store, -HOUR), w->store);
	commit(w);
	row.fetched_ms -= HOUR;
	row.expires_ms -= HOUR;
	row.refresh_ms -= HOUR;
	row.used_ms -= HOUR;
	assert_found(w, &row);
	row.refresh_ms = -1;
	set(w, &row);
	begin(w);
	must(sp_store_shift(w->store, HOUR), w->store);
	commit(w);
	assert_int_equal(next(w), -1);
}

static void test_limits(void **state)
{
	static char text[SP_STORE_STS_BODY_MAX + 1];
	struct world *w = *state;
	struct sp_store_sts row = row_of("d.test");

	memset(text, 'x', sizeof(text));
	begin(w);
	row.body = sp_str_slice(text, sizeof(text));
	assert_int_equal(sp_store_sts_set(w->store, &row), SP_ELIMIT);
	row.body.len--;
	must(sp_store_sts_set(w->store, &row), w->store);
	row.id = sp_str_slice(text, SP_STORE_STS_ID_MAX + 1);
	assert_int_equal(sp_store_sts_set(w->store, &row), SP_ELIMIT);
	row.id.len--;
	row.domain = sp_str_slice(text, 256);
	assert_int_equal(sp_store_sts_set(w->store, &row), SP_ELIMIT);
	row.domain.len = 0;
	assert_int_equal(sp_store_sts_set(w->store, &row), SP_ELIMIT);
	row.domain.len = 255;
	must(sp_store_sts_set(w->store, &row), w->store);
	commit(w);
	assert_found(w, &row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_set_and_find), TEST(test_durable), TEST(test_due),
		TEST(test_forget),       TEST(test_shift),   TEST(test_limits),
	};
	int failed = 0;

	RUN_FOR_ALL_ENGINES(tests, failed)
	return failed ? 1 : 0;
}
