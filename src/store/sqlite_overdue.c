/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes due while its destination is left alone: found by the time
 * that stands in the row of the destination (sweep_ms), so that one that has
 * nothing due costs nothing. sqlite_destination.c tells the rest.
 */
#include "base/err.h"
#include "store/sqlite.h"

static int find_sweep(struct sp__sqlite *s, int64_t *time_ms_out,
                      struct sp__domain *out)
{
	struct sp__use u;
	int ret = sp__destinations_failing(s);

	*time_ms_out = -1;
	out->len = 0;
	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_DESTINATION_SWEEP);
	if (sp__row(&u)) {
		sp__domain_set(out, sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX));
		*time_ms_out = sp__int(&u, 1, 0, INT64_MAX);
	}
	return sp__end(&u);
}

int sp__next_overdue(struct sp_store *store, int64_t *time_ms_out)
{
	struct sp__domain domain;

	return find_sweep(sp__sqlite_of(store), time_ms_out, &domain);
}

static int read_failure(struct sp__sqlite *s, struct sp_str domain,
                        struct sp_arena *a, struct sp_store_failure *f)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_FAILURE);

	sp__bind_str(&u, domain);
	if (sp__row(&u)) {
		f->time_ms = sp__int(&u, 0, INT64_MIN, INT64_MAX);
		f->id = sp_arena_str(a, sp__str(&u, 1, SP_STORE_ID_MAX));
		f->code = sp_arena_str(a, sp__str(&u, 2, SP_STORE_CODE_MAX));
		f->cause = sp_arena_str(a, sp__str(&u, 3, SP_STORE_CAUSE_MAX));
		f->reply = sp_arena_str(a, sp__str(&u, 4, SP_STORE_REPLY_MAX));
		f->expired_code =
			sp_arena_str(a, sp__str(&u, 5, SP_STORE_CODE_MAX));
		f->expired_reply =
			sp_arena_str(a, sp__str(&u, 6, SP_STORE_REPLY_MAX));
		f->security =
			sp_arena_str(a, sp__str(&u, 7, SP_STORE_SECURITY_MAX));
		f->host = sp_arena_str(a, sp__str(&u, 8, SP_STORE_HOST_MAX));
		f->address =
			sp_arena_str(a, sp__str(&u, 9, SP_STORE_ADDRESS_MAX));
		f->pause_ms = sp__int(&u, 10, INT64_MIN, INT64_MAX);
	}
	return sp__end(&u);
}

static int list_overdue(struct sp__sqlite *s, struct sp_str domain,
                        int64_t now_ms, size_t limit, struct sp_arena *arena,
                        struct sp_store_lease_rcpt **rcpts_out,
                        size_t *count_out)
{
	struct sp__use u = sp__use(s, SP__SQL_OVERDUE);
	struct sp_store_lease_rcpt *rcpts =
		sp_arena_array(arena, limit, sizeof(*rcpts));

	*rcpts_out = rcpts;
	sp__bind_int(&u, now_ms);
	sp__bind_str(&u, domain);
	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, (int64_t)limit);
	while (*count_out < limit && sp__row(&u)) {
		sp__lease_read(&u, arena, &rcpts[(*count_out)++]);
	}
	return sp__end(&u);
}

int sp__overdue(struct sp_store *store, int64_t now_ms, size_t limit,
                struct sp_arena *arena, struct sp_store_failure *failure_out,
                struct sp_store_lease_rcpt **rcpts_out, size_t *count_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__domain last = {.len = 0};
	struct sp__domain domain;
	int64_t time_ms;
	int ret;

	*rcpts_out = NULL;
	while ((ret = find_sweep(s, &time_ms, &domain)) == 0 && time_ms >= 0 &&
	       time_ms <= now_ms) {
		struct sp_str name = sp__domain_str(&domain);

		if (sp_str_eq(name, sp__domain_str(&last))) {
			ret = read_failure(s, name, arena, failure_out);
			return ret ? ret
			           : list_overdue(s, name, now_ms, limit, arena,
			                          rcpts_out, count_out);
		}
		/* It may be stale; if it is found again it is not. */
		ret = sp__destination_refresh(s, name, now_ms);
		if (ret) {
			return ret;
		}
		last = domain;
	}
	return ret;
}
