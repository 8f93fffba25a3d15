/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of MTA-STS that were seen, a row for each policy domain. A row is
 * looked up for every job, and changes seldom: when a policy is fetched, and
 * once a day that it is used.
 *
 *   refresh_ms   when it is to be fetched anew; null: it is not
 *   used_ms      the last day on which mail was sent under it
 */
#include "base/err.h"
#include "store/sqlite.h"

static void read(struct sp__use *u, struct sp_arena *arena,
                 struct sp_store_sts *out)
{
	out->domain = sp_arena_str(arena, sp__str(u, 0, SP_ADDRESS_DOMAIN_MAX));
	out->id = sp_arena_str(arena, sp__str(u, 1, SP_STORE_STS_ID_MAX));
	out->body = sp_arena_str(arena, sp__str(u, 2, SP_STORE_STS_BODY_MAX));
	out->fetched_ms = sp__int(u, 3, INT64_MIN, INT64_MAX);
	out->expires_ms = sp__int(u, 4, INT64_MIN, INT64_MAX);
	out->refresh_ms = sp__int(u, 5, INT64_MIN, INT64_MAX);
	out->used_ms = sp__int(u, 6, INT64_MIN, INT64_MAX);
}

/* A negative time is null in the file: reading gives -1 for it. */
static void bind_time(struct sp__use *u, int64_t time_ms)
{
	if (time_ms < 0) {
		sp__bind_null(u);
	} else {
		sp__bind_int(u, time_ms);
	}
}

int sp__sts_set(struct sp_store *store, const struct sp_store_sts *row)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_STS_SET);

	sp__bind_str(&u, row->domain);
	sp__bind_str(&u, row->id);
	sp__bind_blob(&u, row->body);
	sp__bind_int(&u, row->fetched_ms);
	sp__bind_int(&u, row->expires_ms);
	bind_time(&u, row->refresh_ms);
	sp__bind_int(&u, row->used_ms);
	return sp__run(&u);
}

int sp__sts_find(struct sp_store *store, struct sp_str domain,
                 struct sp_arena *arena, struct sp_store_sts *row_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_STS_FIND);
	bool found = false;
	int ret;

	sp__bind_str(&u, domain);
	while (sp__row(&u)) {
		read(&u, arena, row_out);
		found = true;
	}
	ret = sp__end(&u);
	return ret || found ? ret : SP_ENOTFOUND;
}

int sp__sts_mark(struct sp_store *store, struct sp_str domain, int64_t used_ms,
                 int64_t refresh_ms)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_STS_MARK);

	sp__bind_int(&u, used_ms);
	bind_time(&u, refresh_ms);
	sp__bind_str(&u, domain);
	return sp__run(&u);
}

int sp__sts_due(struct sp_store *store, int64_t now_ms, size_t max,
                struct sp_arena *arena, struct sp_store_sts **rows_out,
                size_t *count_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_STS_DUE);
	struct sp_store_sts *rows = sp_arena_array(arena, max, sizeof(*rows));
	size_t count = 0;

	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, (int64_t)max);
	while (count < max && sp__row(&u)) {
		read(&u, arena, &rows[count++]);
	}
	*rows_out = rows;
	*count_out = count;
	return sp__end(&u);
}

int sp__sts_next(struct sp_store *store, int64_t *time_ms_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_STS_NEXT);

	*time_ms_out = -1;
	while (sp__row(&u)) {
		*time_ms_out = sp__int(&u, 0, INT64_MIN, INT64_MAX);
	}
	return sp__end(&u);
}

int sp__sts_forget(struct sp_store *store, int64_t before_ms, size_t max,
                   uint64_t *count_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__use u = sp__use(s, SP__SQL_STS_FORGET);
	int ret;

	sp__bind_int(&u, before_ms);
	sp__bind_int(&u, (int64_t)max);
	ret = sp__run(&u);
	*count_out = ret == 0 ? (uint64_t)sqlite3_changes(s->db) : 0;
	return ret;
}
