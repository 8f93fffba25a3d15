/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of MTA-STS policies (RFC 8461 5.1), whose rows only the queue
 * writes. Workers bring what they have fetched (STS_KEEP); each job takes the
 * row of its policy domain along. A policy that mail is sent under is fetched
 * anew before it expires, so that who can hold up our fetches, or the TXT
 * record, for a while can't make us forget it:
 *
 *   kept ──half of max_age, at most a day, give or take a quarter──▶ ASKED
 *     ▲                                                               │
 *     └──a policy: the same id, a new time──┬──none: tried again soon─┘
 *                                           └─ never ends the row
 *
 * Rows whose mail has stopped are not refreshed, and forgotten when they have
 * been expired and unused for long.
 *
 * While a row is asked for, its time of refresh is set beyond the time the
 * answer may take: whatever is lost on the way is asked again then.
 */
#include "base/err.h"
#include "base/rand.h"
#include "base/time.h"
#include "deliver/route.h"
#include "deliver/sts_fetch.h"
#include "role/queue/queue.h"
#include "wire/mta_sts.h"

#define DAY_MS       (24 * 60 * 60 * 1000LL)
#define IN_USE_MS    (30 * DAY_MS) /* so long after the last mail */
#define FORGET_MS    (30 * DAY_MS)
#define ASKED_MAX    16 /* refreshes at a time */
#define FORGET_BATCH 500
#define FORGET_PAUSE (60 * 60 * 1000LL)

struct asked {
	uint64_t id;
	char *domain;    /* owned */
	char *policy_id; /* owned */
};

struct ask { /* in the turn's arena */
	struct sp_list node;
	struct sp_str domain;
	struct sp_str policy_id;
};

/* ---- times ---- */

/* Give or take a quarter. */
static int64_t jitter(int64_t ms)
{
	uint64_t state = sp_rand_u64();

	return ms - ms / 4 +
	       (int64_t)sp_rand_below(&state, (uint64_t)ms / 2 + 1);
}

static int64_t in_time(int64_t time_ms, int64_t expires_ms)
{
	return time_ms < expires_ms ? time_ms : -1;
}

/* -1: it is over before that is worth it, and fetched when it is needed. */
static int64_t refresh_ms(const struct sp_queue *q, int64_t fetched_ms,
                          int64_t expires_ms)
{
	int64_t wait_ms = (expires_ms - fetched_ms) / 2;
	int64_t least_ms = q->ctx->conf->sts.back_off_ms;

	wait_ms = wait_ms < DAY_MS ? wait_ms : DAY_MS;
	wait_ms = wait_ms > least_ms ? wait_ms : least_ms;
	return in_time(fetched_ms + jitter(wait_ms), expires_ms);
}

static int64_t retry_ms(const struct sp_queue *q, int64_t now_ms,
                        const struct sp_store_sts *row)
{
	int64_t wait_ms = (row->expires_ms - row->fetched_ms) / 8;
	int64_t least_ms = q->ctx->conf->sts.back_off_ms + 1;

	wait_ms = wait_ms < DAY_MS / 8 ? wait_ms : DAY_MS / 8;
	wait_ms = wait_ms > least_ms ? wait_ms : least_ms;
	return in_time(now_ms + jitter(wait_ms), row->expires_ms);
}

/* ---- rows come in ---- */

/* 0 with max_age, or SP_EPROTO. */
static int read_max_age(struct sp_str body, int64_t *max_age_ms_out, char *why)
{
	struct sp_sts_policy policy;
	struct sp_arena arena = {0};
	int ret = sp_sts_policy_parse(body, &arena, &policy, why);

	*max_age_ms_out = ret ? 0 : (int64_t)policy.max_age_s * 1000;
	sp_arena_fini(&arena);
	return ret;
}

/* An older one than the row there is changes nothing. */
static int keep_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_sts *m = op->msg;
	int64_t now_ms = sp_time_wall_ms();
	int64_t max_age_ms;
	struct sp_store_sts old;
	struct sp_store_sts row = {
		.domain = m->domain,
		.id = m->id,
		.body = m->body,
		.fetched_ms = m->fetched_ms < now_ms ? m->fetched_ms : now_ms,
		.used_ms = now_ms,
	};
	char why[SP_STS_WHY_MAX] = "";
	int ret;

	if (!m->domain.len || read_max_age(m->body, &max_age_ms, why)) {
		sp_log(&q->ctx->log, SP_LOG_ERROR, "sts.odd_row",
		       SP_F_STR("domain", m->domain), SP_F_CSTR("why", why));
		return 0;
	}
	ret = sp_store_sts_find(q->store, m->domain, &q->turn_arena, &old);
	if (ret == 0 && old.fetched_ms > row.fetched_ms) {
		return 0;
	}
	row.expires_ms = row.fetched_ms + max_age_ms;
	row.refresh_ms = refresh_ms(q, row.fetched_ms, row.expires_ms);
	return ret && ret != SP_ENOTFOUND ? ret
	                                  : sp_store_sts_set(q->store, &row);
}

const struct sp_queue_verb SP_QUEUE_STS_KEEP = {"sts_keep", keep_apply, NULL,
                                                NULL};

/* ---- rows go out ---- */

static struct sp_str policy_domain(const struct sp_queue *q,
                                   struct sp_str domain, struct sp_arena *arena)
{
	const struct sp_conf_route *conf =
		sp_conf_route_find(q->ctx->conf, domain);
	struct sp_route route;

	if (conf && !conf->mta_sts) {
		return SP_STR("");
	}
	sp_route_find(q->ctx->conf, domain, false, arena, &route);
	return route.plan.fixed_next_hop.len ? route.plan.fixed_next_hop
	                                     : route.domain;
}

/* Once a day; a row that was not refreshed any more is again. */
static int note_use(struct sp_queue *q, const struct sp_store_sts *row)
{
	int64_t now_ms = sp_time_wall_ms();
	int64_t next_ms = row->refresh_ms;

	if (now_ms - row->used_ms < DAY_MS) {
		return 0;
	}
	if (next_ms < 0 && row->expires_ms > now_ms) {
		next_ms = refresh_ms(q, now_ms, row->expires_ms);
	}
	return sp_store_sts_mark(q->store, row->domain, now_ms, next_ms);
}

int sp_queue_sts_fill(struct sp_queue *q, struct sp_msg_job *job)
{
	struct sp_store_sts row;
	struct sp_str domain = policy_domain(q, job->domain, &q->turn_arena);
	int ret;

	if (!domain.len) {
		return 0;
	}
	ret = sp_store_sts_find(q->store, domain, &q->turn_arena, &row);
	if (ret) {
		return ret == SP_ENOTFOUND ? 0 : ret;
	}
	job->sts = (struct sp_msg_sts){
		.domain = row.domain,
		.id = row.id,
		.body = row.body,
		.fetched_ms = row.fetched_ms,
		.expires_ms = row.expires_ms,
	};
	return note_use(q, &row);
}

/* ---- refreshes ---- */

static struct sp_role_link *fetch_link(struct sp_queue *q)
{
	struct sp_role_link *link = sp_role_find_link(q->ctx, SP_ROLE_FETCH, 0);

	return link && link->channel ? link : NULL;
}

static size_t room(struct sp_queue *q)
{
	if (q->ctx->stopping || !fetch_link(q)) {
		return 0;
	}
	return ASKED_MAX > q->sts.asked.count ? ASKED_MAX - q->sts.asked.count
	                                      : 0;
}

static int choose(struct sp_queue *q, const struct sp_store_sts *row,
                  int64_t now_ms)
{
	const struct sp_conf *conf = q->ctx->conf;
	int64_t next_ms = -1;

	if (now_ms - row->used_ms < IN_USE_MS) {
		struct ask *ask = sp_arena_alloc(&q->turn_arena, sizeof(*ask));

		ask->domain = row->domain;
		ask->policy_id = row->id;
		sp_list_append(&q->sts.asks, &ask->node);
		next_ms = now_ms + 2 * conf->sts.timeout_ms +
		          conf->sts.back_off_ms;
	}
	return sp_store_sts_mark(q->store, row->domain, row->used_ms, next_ms);
}

static int forget(struct sp_queue *q, int64_t now_ms)
{
	int64_t mono_ms = sp_time_mono_ms();
	uint64_t count = 0;
	int ret;

	if (mono_ms < q->sts.next_forget_ms) {
		return 0;
	}
	ret = sp_store_sts_forget(q->store, now_ms - FORGET_MS, FORGET_BATCH,
	                          &count);
	if (count < FORGET_BATCH) {
		q->sts.next_forget_ms = mono_ms + FORGET_PAUSE;
	} else {
		sp_queue_wake(q);
	}
	return ret;
}

int sp_queue_sts_due(struct sp_queue *q, int64_t now_ms)
{
	struct sp_store_sts *rows;
	size_t max = room(q);
	size_t count = 0;
	int ret = forget(q, now_ms);

	sp_list_init(&q->sts.asks); /* those of a lost turn are gone */
	if (ret || !max) {
		return ret;
	}
	ret = sp_store_sts_due(q->store, now_ms, max, &q->turn_arena, &rows,
	                       &count);
	for (size_t i = 0; ret == 0 && i < count; i++) {
		ret = choose(q, &rows[i], now_ms);
	}
	return ret;
}

void sp_queue_sts_send(struct sp_queue *q)
{
	SP_LIST_FOREACH (it, &q->sts.asks) {
		const struct ask *ask = SP_CONTAINER(it, struct ask, node);
		struct asked *a = SP_NEW(struct asked);
		struct sp_msg_fetch msg = {
			.url = sp_sts_url(q->ctx->conf, ask->domain,
		                          &q->turn_arena),
			.body_max = SP_STS_BODY_MAX,
			.timeout_ms = (uint32_t)q->ctx->conf->sts.timeout_ms,
		};

		msg.id = a->id = ++q->sts.last_id;
		a->domain = sp_str_dup(ask->domain);
		a->policy_id = sp_str_dup(ask->policy_id);
		(void)sp_map_set(&q->sts.asked, sp_map_key_u64(&a->id), a);
		sp_role_send(fetch_link(q), SP_MSG_FETCH, SP_MSG_FETCH_FIELDS,
		             &msg);
	}
	sp_list_init(&q->sts.asks); /* they were in the turn's arena */
}

int sp_queue_sts_next(struct sp_queue *q, int64_t *time_ms_out)
{
	*time_ms_out = -1;
	return room(q) ? sp_store_sts_next(q->store, time_ms_out) : 0;
}

static void asked_free(struct sp_queue *q, struct asked *a)
{
	(void)sp_map_remove(&q->sts.asked, sp_map_key_u64(&a->id));
	sp_free(a->domain);
	sp_free(a->policy_id);
	sp_free(a);
}

void sp_queue_sts_down(struct sp_queue *q)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&q->sts.asked, &it, &key, &value)) {
		asked_free(q, value);
		it = (struct sp_map_iter){0};
	}
}

/* The policy, or why there is none. */
static int read_answer(const struct sp_msg_fetched *m, int64_t *max_age_ms_out,
                       char *why)
{
	struct sp_fetch_result result = {
		.status = SP_FETCH_FAILED,
		.code = m->code,
		.type = m->type,
		.why = m->why,
	};
	struct sp_sts_fetched fetched;
	char room_for_why[SP_FETCH_WHY_MAX];

	if (m->status == SP_FETCH_ANSWERED && m->body.len <= SP_STS_BODY_MAX) {
		result.status = SP_FETCH_ANSWERED;
		result.body = m->body;
	}
	(void)sp_addr_parse(m->address, 0, &result.addr);
	sp_sts_fetched_read(&result, room_for_why, &fetched);
	if (fetched.status != SP_STS_FETCHED) {
		sp_log_escape(fetched.why, why, SP_FETCH_WHY_MAX);
		return SP_EPROTO;
	}
	return read_max_age(fetched.body, max_age_ms_out, why);
}

static int refresh(struct sp_queue *q, struct sp_store_sts *row,
                   const struct sp_msg_fetched *m)
{
	int64_t now_ms = sp_time_wall_ms();
	int64_t max_age_ms = 0;
	char why[SP_FETCH_WHY_MAX] = "";

	if (read_answer(m, &max_age_ms, why)) {
		sp_log(&q->ctx->log, SP_LOG_WARN, "sts.refresh_failed",
		       SP_F_STR("domain", row->domain), SP_F_CSTR("why", why));
		return sp_store_sts_mark(q->store, row->domain, row->used_ms,
		                         retry_ms(q, now_ms, row));
	}
	sp_log(&q->ctx->log, SP_LOG_INFO, "sts.refreshed",
	       SP_F_STR("domain", row->domain));
	row->body = m->body;
	row->fetched_ms = now_ms;
	row->expires_ms = now_ms + max_age_ms;
	row->refresh_ms = refresh_ms(q, now_ms, row->expires_ms);
	return sp_store_sts_set(q->store, row);
}

/* A worker may have brought the policy of another id meanwhile. */
static int fetched_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_fetched *m = op->msg;
	const struct asked *a =
		sp_map_find(&q->sts.asked, sp_map_key_u64(&m->id));
	struct sp_store_sts row;
	int ret;

	if (!a) {
		return 0;
	}
	ret = sp_store_sts_find(q->store, sp_str_from(a->domain),
	                        &q->turn_arena, &row);
	if (ret) {
		return ret == SP_ENOTFOUND ? 0 : ret;
	}
	return sp_str_eq(row.id, sp_str_from(a->policy_id))
	               ? refresh(q, &row, m)
	               : 0;
}

static void fetched_answer(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_fetched *m = op->msg;
	struct asked *a = sp_map_find(&q->sts.asked, sp_map_key_u64(&m->id));

	if (a) {
		asked_free(q, a);
		sp_queue_wake(q); /* there is room again */
	}
}

const struct sp_queue_verb SP_QUEUE_STS_FETCHED = {"sts_fetched", fetched_apply,
                                                   fetched_answer, NULL};
