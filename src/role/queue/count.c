/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts for TLS reports go into the store with the outcomes they come from:
 * in the same commit, so that neither a crash nor a repeated outcome changes
 * a total. Outcomes of one turn are mostly alike, so they are added up first
 * and cost one row for all of them.
 */
#include <string.h>

#include "base/err.h"
#include "base/time.h"
#include "role/queue/queue.h"
#include "store/tls_report.h"

#define PARTS 11 /* texts of a finding */

static void parts_of(const struct sp_msg_count *c, struct sp_str out[PARTS])
{
	const struct sp_str parts[PARTS] = {
		c->type,     c->domain,       c->recipient,  c->policy,
		c->mx_hosts, c->result,       c->sending_ip, c->mx_host,
		c->mx_helo,  c->receiving_ip, c->reason};

	memcpy(out, parts, sizeof(parts));
}

/* Each text with its length before it. */
static struct sp_str key_of(const struct sp_msg_count *c,
                            struct sp_arena *arena)
{
	struct sp_str parts[PARTS];
	size_t len = 0;
	char *key, *at;

	parts_of(c, parts);
	for (size_t i = 0; i < PARTS; i++) {
		len += sizeof(size_t) + parts[i].len;
	}
	key = at = sp_arena_alloc(arena, len);
	for (size_t i = 0; i < PARTS; i++) {
		memcpy(at, &parts[i].len, sizeof(size_t));
		at += sizeof(size_t);
		if (parts[i].len) {
			memcpy(at, parts[i].ptr, parts[i].len);
		}
		at += parts[i].len;
	}
	return sp_str_slice(key, len);
}

static struct sp_store_tls_count *new_row(const struct sp_msg_count *c,
                                          struct sp_arena *arena)
{
	struct sp_store_tls_count *row = sp_arena_alloc(arena, sizeof(*row));

	*row = (struct sp_store_tls_count){
		.type = sp_arena_str(arena, c->type),
		.domain = sp_arena_str(arena, c->domain),
		.recipient = sp_arena_str(arena, c->recipient),
		.policy = sp_arena_str(arena, c->policy),
		.mx_hosts = sp_arena_str(arena, c->mx_hosts),
		.result = sp_arena_str(arena, c->result),
		.sending_ip = sp_arena_str(arena, c->sending_ip),
		.mx_host = sp_arena_str(arena, c->mx_host),
		.mx_helo = sp_arena_str(arena, c->mx_helo),
		.receiving_ip = sp_arena_str(arena, c->receiving_ip),
		.reason = sp_arena_str(arena, c->reason),
	};
	return row;
}

void sp_queue_count(struct sp_queue *q, const struct sp_msg_outcome *m)
{
	for (size_t i = 0; i < m->count_count; i++) {
		struct sp_str key = key_of(&m->counts[i], &q->turn_arena);
		struct sp_store_tls_count *row = sp_map_find(&q->counts, key);

		if (!row) {
			row = new_row(&m->counts[i], &q->turn_arena);
			(void)sp_map_set(&q->counts, key, row);
		}
		row->sessions++;
	}
}

void sp_queue_count_drop(struct sp_queue *q)
{
	sp_map_fini(&q->counts);
	sp_map_init(&q->counts);
}

int sp_queue_count_write(struct sp_queue *q, int64_t now_ms)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *row;
	int ret = 0;

	while (ret == 0 && sp_map_next(&q->counts, &it, &key, &row)) {
		ret = sp_store_tls_count(q->store, now_ms / SP_STORE_DAY_MS,
		                         row);
		if (ret == SP_ELIMIT) {
			sp_log(&q->ctx->log, SP_LOG_ERROR, "queue.odd_count");
			ret = 0;
		}
	}
	sp_queue_count_drop(q);
	return ret;
}
