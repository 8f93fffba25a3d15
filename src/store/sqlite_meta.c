/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts about the file as a whole, and moving all times in it when the wall
 * clock is set.
 *
 * Only times that lie ahead move, and first attempts, from which the times of
 * later ones are counted: what has happened stays in the trace with the time
 * at which the clock showed it.
 */
#include "store/sqlite.h"

int sp__meta_get(struct sp__sqlite *s, const char *name, int64_t *value_out)
{
	struct sp__use u = sp__use(s, SP__SQL_META_GET);

	*value_out = 0;
	sp__bind_str(&u, sp_str_from(name));
	if (sp__row(&u)) {
		*value_out = sp__int(&u, 0, INT64_MIN, INT64_MAX);
	}
	return sp__end(&u);
}

int sp__meta_set(struct sp__sqlite *s, const char *name, int64_t value)
{
	struct sp__use u = sp__use(s, SP__SQL_META_SET);

	sp__bind_str(&u, sp_str_from(name));
	sp__bind_int(&u, value);
	return sp__run(&u);
}

int sp__clock(struct sp_store *store, struct sp_store_clock *clock)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	int64_t boot = 0;
	int ret = sp__meta_get(s, "clock_boot", &boot);

	clock->boot = (uint64_t)boot;
	ret = ret ? ret : sp__meta_get(s, "clock_wall_ms", &clock->wall_ms);
	return ret ? ret : sp__meta_get(s, "clock_mono_ms", &clock->mono_ms);
}

int sp__set_clock(struct sp_store *store, const struct sp_store_clock *clock)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	int ret = sp__meta_set(s, "clock_boot", (int64_t)clock->boot);

	ret = ret ? ret : sp__meta_set(s, "clock_wall_ms", clock->wall_ms);
	return ret ? ret : sp__meta_set(s, "clock_mono_ms", clock->mono_ms);
}

int sp__shift(struct sp_store *store, int64_t by_ms)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__use u;
	int ret = sp__destinations_flush(s);

	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_SHIFT_RECIPIENTS);
	sp__bind_int(&u, by_ms);
	ret = sp__run(&u);
	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_SHIFT_STS);
	sp__bind_int(&u, by_ms);
	ret = sp__run(&u);
	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_SHIFT_DESTINATIONS);
	sp__bind_int(&u, by_ms);
	return sp__run(&u);
}
