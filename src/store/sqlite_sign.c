/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that wait for their DKIM signature. They are queued, with a due
 * time that never comes, so that nothing that claims has to know of them,
 * and expiry, notices and the operator find them where they look anyway.
 *
 *   to_sign = 1, due never ──sign──▶ to_sign = 0, due now, signature stored
 *
 * The signature is its own chunk, before the body: nothing of a body that
 * may be large is written again.
 */
#include "base/err.h"
#include "store/sqlite.h"

int sp__set_to_sign(struct sp__sqlite *s, int64_t message)
{
	struct sp__use u = sp__use(s, SP__SQL_TO_SIGN_SET);

	sp__bind_int(&u, message);
	return sp__run(&u);
}

int sp__list_to_sign(struct sp_store *store, uint64_t seq, size_t max,
                     struct sp_arena *arena, struct sp_store_to_sign **list_out,
                     size_t *count_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_TO_SIGN_LIST);
	struct sp_store_to_sign *list =
		sp_arena_array(arena, max, sizeof(*list));
	size_t count = 0;

	sp__bind_int(&u, seq > INT64_MAX ? INT64_MAX : (int64_t)seq);
	sp__bind_int(&u, (int64_t)max);
	while (count < max && sp__row(&u)) {
		struct sp_store_to_sign *m = &list[count++];

		m->seq = (uint64_t)sp__int(&u, 0, 1, INT64_MAX);
		m->id = sp_arena_str(arena, sp__str(&u, 1, SP_STORE_ID_MAX));
		m->size_bytes = (uint64_t)sp__int(&u, 2, 0, INT64_MAX);
	}
	*list_out = list;
	*count_out = count;
	return sp__end(&u);
}

/* SP_ENOTFOUND: it doesn't wait. */
static int store_signature(struct sp__sqlite *s, struct sp_str id,
                           struct sp_str signature, int64_t *message_out)
{
	struct sp__use u = sp__use(s, SP__SQL_SIGN);
	int ret;

	*message_out = 0;
	sp__bind_str(&u, id);
	if (signature.len) {
		sp__bind_str(&u, signature);
	} else {
		sp__bind_null(&u);
	}
	while (sp__row(&u)) {
		*message_out = sp__int(&u, 0, 1, INT64_MAX);
	}
	ret = sp__end(&u);
	return ret || *message_out ? ret : SP_ENOTFOUND;
}

static int make_due(struct sp__sqlite *s, int64_t message, int64_t now_ms)
{
	struct sp__use u = sp__use(s, SP__SQL_SIGN_RCPTS);

	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, message);
	return sp__run(&u);
}

int sp__sign(struct sp_store *store, struct sp_str id, struct sp_str signature,
             int64_t now_ms, struct sp_str detail)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__event event = {
		.event = {.time_ms = now_ms,
	                  .type = SP_STORE_EVENT_RESOLVED,
	                  .detail = detail},
	};
	struct sp__domains domains;
	struct sp_arena arena;
	int ret = store_signature(s, id, signature, &event.message);

	if (ret) {
		return ret;
	}
	sp_arena_init(&arena);
	ret = make_due(s, event.message, now_ms);
	ret = ret ? ret : sp__event_insert(s, &event);
	ret = ret ? ret : sp__destinations_of(s, id, &arena, &domains);
	ret = ret ? ret : sp__destinations_refresh(s, &domains);
	sp_arena_fini(&arena);
	return ret;
}
