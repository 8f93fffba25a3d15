/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions of destinations: a handful of rows, looked up by their key for
 * every job. Those that are over have no effect; they leave when the next one
 * is made, so that nothing needs to run for it.
 */
#include "base/err.h"
#include "store/sqlite.h"
#include "wire/address.h"

int sp__exception_set(struct sp_store *store,
                      const struct sp_store_exception *exception)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__use u = sp__use(s, SP__SQL_EXCEPTION_SWEEP);
	int ret;

	sp__bind_int(&u, exception->added_ms);
	ret = sp__run(&u);
	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_EXCEPTION_SET);
	sp__bind_str(&u, exception->domain);
	sp__bind_int(&u, exception->until_ms);
	sp__bind_str(&u, exception->reason);
	sp__bind_int(&u, exception->added_ms);
	return sp__run(&u);
}

int sp__exception_remove(struct sp_store *store, struct sp_str domain)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__use u = sp__use(s, SP__SQL_EXCEPTION_REMOVE);
	int ret;

	sp__bind_str(&u, domain);
	ret = sp__run(&u);
	return ret == 0 && sqlite3_changes(s->db) == 0 ? SP_ENOTFOUND : ret;
}

static void read(struct sp__use *u, struct sp_store_exception *out)
{
	out->domain = sp__str(u, 0, SP_ADDRESS_DOMAIN_MAX);
	out->until_ms = sp__int(u, 1, INT64_MIN, INT64_MAX);
	out->reason = sp__str(u, 2, SP_STORE_REASON_MAX);
	out->added_ms = sp__int(u, 3, INT64_MIN, INT64_MAX);
}

int sp__exception_find(struct sp_store *store, struct sp_str domain,
                       int64_t now_ms, struct sp_arena *arena,
                       struct sp_store_exception *exception_out)
{
	struct sp__use u =
		sp__use(sp__sqlite_of(store), SP__SQL_EXCEPTION_FIND);
	bool found = false;
	int ret;

	sp__bind_str(&u, domain);
	sp__bind_int(&u, now_ms);
	while (sp__row(&u)) {
		read(&u, exception_out);
		exception_out->domain =
			sp_arena_str(arena, exception_out->domain);
		exception_out->reason =
			sp_arena_str(arena, exception_out->reason);
		found = true;
	}
	ret = sp__end(&u);
	return ret || found ? ret : SP_ENOTFOUND;
}

int sp__exceptions(struct sp_store *store, int64_t now_ms,
                   sp_store_exception_fn *fn, void *arg)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_EXCEPTIONS);
	int ret = 0;
	int end;

	sp__bind_int(&u, now_ms);
	while (ret == 0 && sp__row(&u)) {
		struct sp_store_exception exception = {0};

		read(&u, &exception);
		ret = fn(arg, &exception);
	}
	end = sp__end(&u);
	return ret ? ret : end;
}
