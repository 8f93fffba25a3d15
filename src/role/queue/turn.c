/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The turn: group commit. One sync covers all that arrived together; the
 * answers go out behind it, so that 250 means "on disk". Outcomes alone wait a
 * little for each other (sp_queue_wake_for_outcome).
 *
 *   OPEN ──turn committed──▶ OPEN
 *    │ turn lost: submissions refused, their ids kept to be withdrawn; the
 *    ▼ rest of the ops waits
 *   CLOSED ──opened again (at once, then with growing delays)──▶ OPEN
 *    └─FAILURES_MAX lost in a row──▶ the role ends; the parent restarts it
 *
 * A commit that failed may have reached the disk all the same. Its messages
 * were answered 451 and will come again, so they are withdrawn by their ids
 * as the first thing of the next turn, before anybody can claim them.
 *
 * Clocks: times in the store are wall time, and move when somebody sets the
 * clock (clock.h). Every turn looks whether it was set, before anything is
 * expired by it, and the wake timer makes a turn at least every WAKE_MAX_MS.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/time.h"
#include "role/queue/clock.h"
#include "role/queue/queue.h"
#include "store/tls_report.h"

#define EXPIRE_BATCH        200
#define PURGE_BATCH         100
#define PURGE_PAUSE_MS      600000
#define WAKE_MAX_MS         60000
#define FAILURES_MAX        8
#define REOPEN_DELAY_MS     100
#define REOPEN_DELAY_MAX_MS 10000
#define FULL_DELAY_MS       1000

/* ---- a lost turn ---- */

static void withdraw_later(struct sp_queue *q, const struct sp_queue_op *lost)
{
	struct sp_queue_op *op;

	if (!*lost->id) {
		return;
	}
	op = sp_queue_op_new(q, NULL, &SP_QUEUE_WITHDRAW, 1);
	memcpy(op->id, lost->id, sizeof(op->id));
	/* before everything else */
	sp_list_remove(&op->node);
	sp_list_append(&q->withdraw, &op->node);
}

static void give_back(struct sp_queue *q, struct sp_list *ops, int err)
{
	SP_LIST_FOREACH_SAFE (it, tmp, ops) {
		struct sp_queue_op *op =
			SP_CONTAINER(it, struct sp_queue_op, node);

		if (op->verb->refuse) {
			withdraw_later(q, op);
			op->verb->refuse(q, op, err);
			sp_queue_op_free(&op);
		} else {
			op->changed_now = 0;
			op->result = SP_QUEUE_RESULT_SILENT;
		}
	}
}

static void lose_turn(struct sp_queue *q, int err)
{
	sp_store_rollback(q->store);
	sp_queue_count_drop(q);
	q->untold_known = false;
	sp_queue_sign_rewind(q);
	q->failures += err != -ENOSPC; /* a full disk may be emptied */
	sp_log(&q->ctx->log, SP_LOG_ERROR, "queue.store_failed", SP_F_ERR(err),
	       SP_F_CSTR("why", sp_store_why(q->store)),
	       SP_F_INT("in_a_row", q->failures));
	sp_store_close(&q->store);
	/* Applied or not, all ops of the turn share its fate; those that are
	 * kept stay in their order. */
	give_back(q, &q->done, err);
	give_back(q, &q->ops, err);
	while (!sp_list_empty(&q->done)) {
		struct sp_list *last = q->done.prev;

		sp_list_remove(last);
		sp_list_prepend(&q->ops, last);
	}
	sp_arena_fini(&q->turn_arena);
	sp_timer_stop(q->wake);
	if (q->failures > FAILURES_MAX) {
		sp_log(&q->ctx->log, SP_LOG_ERROR, "queue.gave_up");
		sp_role_stopped(q->ctx);
		return;
	}
	q->reopen_delay_ms = REOPEN_DELAY_MS << q->failures;
	if (err == -ENOSPC) {
		q->reopen_delay_ms = FULL_DELAY_MS;
	} else if (q->failures <= 1) {
		q->reopen_delay_ms = 0;
	}
	sp_timer_set(q->reopen, q->reopen_delay_ms);
}

void sp_queue_reopen(void *arg)
{
	struct sp_queue *q = arg;
	char why[SP_STORE_WHY_MAX];
	int ret =
		sp_store_open(sp_str_from(q->ctx->conf->store), SP_STORE_WRITER,
	                      false, &q->store, why, sizeof(why));

	if (ret == 0) {
		sp_log(&q->ctx->log, SP_LOG_WARN, "queue.reopened");
		sp_queue_set_limits(q);
		sp_queue_wake(q);
		return;
	}
	q->failures++;
	sp_log(&q->ctx->log, SP_LOG_ERROR, "queue.reopen_failed",
	       SP_F_CSTR("why", why), SP_F_INT("in_a_row", q->failures));
	if (q->failures > FAILURES_MAX) {
		sp_role_stopped(q->ctx);
		return;
	}
	q->reopen_delay_ms = q->reopen_delay_ms * 2 + REOPEN_DELAY_MS;
	if (q->reopen_delay_ms > REOPEN_DELAY_MAX_MS) {
		q->reopen_delay_ms = REOPEN_DELAY_MAX_MS;
	}
	sp_timer_set(q->reopen, q->reopen_delay_ms);
}

/* ---- the steps of a turn ---- */

static int apply_all(struct sp_queue *q, struct sp_list *ops)
{
	int ret = 0;

	while (ret == 0 && !sp_list_empty(ops)) {
		struct sp_queue_op *op = SP_CONTAINER(sp_list_first(ops),
		                                      struct sp_queue_op, node);

		op->again = false;
		ret = op->verb->apply(q, op);
		sp_list_remove(&op->node);
		sp_list_append(&q->done, &op->node);
	}
	return ret;
}

static void answer_all(struct sp_queue *q)
{
	while (!sp_list_empty(&q->done)) {
		struct sp_queue_op *op = SP_CONTAINER(sp_list_first(&q->done),
		                                      struct sp_queue_op, node);

		op->changed += op->changed_now;
		op->changed_now = 0;
		if (op->again) {
			sp_list_remove(&op->node);
			sp_list_append(&q->ops, &op->node);
			sp_queue_wake(q);
			continue;
		}
		if (op->verb->answer) {
			op->verb->answer(q, op);
		}
		sp_queue_op_free(&op);
	}
}

static int expire(struct sp_queue *q, int64_t now_ms)
{
	struct sp_str code;
	struct sp_str cause;
	struct sp_str reply;
	uint64_t count = 0;
	int ret;

	if (!q->ctx->conf->deliver) {
		return 0; /* as held: held mail does not expire */
	}
	sp_queue_expired_text(&q->turn_arena, &code, &cause, &reply);
	ret = sp_store_expire(q->store, now_ms, EXPIRE_BATCH, code, cause,
	                      reply, &count);
	if (count > 0) {
		sp_log(&q->ctx->log, SP_LOG_INFO, "queue.expired",
		       SP_F_INT("recipients", count));
	}
	return ret;
}

static int purge(struct sp_queue *q, int64_t now_ms)
{
	int64_t mono_ms = sp_time_mono_ms();
	uint64_t count = 0;
	int ret;

	if (mono_ms < q->next_purge_ms) {
		return 0;
	}
	ret = sp_store_purge(q->store, now_ms - q->ctx->conf->trace_keep_ms,
	                     PURGE_BATCH, &count);
	ret = ret ? ret
	          : sp_store_tls_purge(q->store,
	                               (now_ms - q->ctx->conf->trace_keep_ms) /
	                                       SP_STORE_DAY_MS);
	if (count < PURGE_BATCH) {
		q->next_purge_ms = mono_ms + PURGE_PAUSE_MS;
	} else {
		sp_queue_wake(q);
	}
	return ret;
}

/* The clock is noted seldom, so that a turn with nothing to write stays one;
 * what was noted before a lost turn is found again in the store. */
static int check_clock(struct sp_queue *q, int64_t now_ms)
{
	const struct sp_store_clock now = {
		.boot = q->boot,
		.wall_ms = now_ms,
		.mono_ms = sp_time_mono_ms(),
	};
	int64_t step_ms = sp_queue_clock_step(&q->clock, &now);
	int ret = 0;

	if (step_ms) {
		sp_log(&q->ctx->log, SP_LOG_WARN, "queue.clock_set",
		       SP_F_INT("by_ms", step_ms));
		ret = sp_store_shift(q->store, step_ms);
	} else if (q->clock.boot == now.boot &&
	           now.mono_ms - q->clock.mono_ms < WAKE_MAX_MS) {
		return 0;
	}
	q->clock_now = now;
	return ret ? ret : sp_store_set_clock(q->store, &now);
}

/* In the turn: outside, each question would lock and unlock the file. */
static int look_ahead(struct sp_queue *q)
{
	int64_t *next_ms = q->next_ms;
	int ret = sp_queue_look_ahead(q);

	for (size_t i = 0; i < SP_QUEUE_TIMES; i++) {
		next_ms[i] = -1;
	}
	if (ret || !q->ctx->conf->deliver) {
		return ret;
	}
	ret = sp_store_next_expiry(q->store, &next_ms[SP_QUEUE_EXPIRY]);
	ret = ret ? ret
	          : sp_store_next_overdue(q->store, &next_ms[SP_QUEUE_OVERDUE]);
	ret = ret ? ret
	          : sp_store_next_notice(q->store, &next_ms[SP_QUEUE_NOTICE]);
	ret = ret ? ret : sp_queue_digest_next(q, &next_ms[SP_QUEUE_DIGEST]);
	return ret ? ret : sp_queue_sts_next(q, &next_ms[SP_QUEUE_STS]);
}

static int do_turn(struct sp_queue *q, struct sp_list *claims,
                   struct sp_list *asks)
{
	int64_t now_ms = sp_time_wall_ms();
	int ret = sp_store_begin(q->store);

	if (ret) {
		return ret;
	}
	q->clock_now = q->clock;
	ret = check_clock(q, now_ms);
	ret = ret ? ret : apply_all(q, &q->withdraw);
	ret = ret ? ret : apply_all(q, &q->ops);
	ret = ret ? ret : expire(q, now_ms);
	ret = ret ? ret : sp_queue_report(q, now_ms);
	ret = ret ? ret : sp_queue_digest(q, now_ms);
	ret = ret ? ret : purge(q, now_ms);
	if (ret == 0 && q->end_pauses) {
		ret = sp_store_end_pauses(q->store, now_ms);
	}
	ret = ret ? ret : sp_queue_defer_overdue(q, now_ms);
	ret = ret ? ret : sp_queue_count_write(q, now_ms);
	ret = ret ? ret : sp_queue_claim(q, now_ms, claims);
	ret = ret ? ret : sp_queue_sts_due(q, now_ms);
	ret = ret ? ret : sp_queue_sign_list(q, asks);
	ret = ret ? ret : look_ahead(q);
	return ret ? ret : sp_store_commit(q->store);
}

/* ---- between turns ---- */

/* time_ms -1: never. */
static int64_t sooner(int64_t delay_ms, int64_t time_ms, int64_t now_ms)
{
	if (time_ms < 0 || time_ms - now_ms >= delay_ms) {
		return delay_ms;
	}
	return time_ms > now_ms ? time_ms - now_ms : 0;
}

static void set_wake(struct sp_queue *q)
{
	int64_t now_ms = sp_time_wall_ms();
	int64_t delay_ms = WAKE_MAX_MS;
	int64_t claim_ms = sp_queue_next_claim(q, now_ms);

	if (claim_ms >= 0 && claim_ms < delay_ms) {
		delay_ms = claim_ms;
	}
	for (size_t i = 0; i < SP_QUEUE_TIMES; i++) {
		delay_ms = sooner(delay_ms, q->next_ms[i], now_ms);
	}
	sp_timer_set(q->wake, delay_ms);
}

static bool may_stop(const struct sp_queue *q)
{
	return q->ctx->stopping && sp_list_empty(&q->ops) &&
	       sp_list_empty(&q->withdraw) && sp_queue_in_flight(q) == 0;
}

static int after_turn(struct sp_queue *q)
{
	int ret;

	if (may_stop(q)) {
		ret = sp_store_maintain(q->store, true);
		sp_timer_stop(q->wake);
		sp_role_stopped(q->ctx);
		return ret;
	}
	ret = sp_store_maintain(q->store, false);
	if (ret == 0) {
		set_wake(q);
	}
	return ret;
}

void sp_queue_turn(void *arg)
{
	struct sp_queue *q = arg;
	struct sp_list claims;
	struct sp_list asks;
	int ret;

	sp_timer_stop(q->gather);
	q->outcomes = 0;
	if (!q->store) {
		return; /* sp_queue_reopen comes back here */
	}
	sp_list_init(&claims);
	sp_list_init(&asks);
	ret = sp_queue_measure_room(q);
	ret = ret ? ret : do_turn(q, &claims, &asks);
	if (ret == 0) {
		q->failures = 0;
		q->clock = q->clock_now;
		q->end_pauses = false;
		answer_all(q);
		sp_queue_send_forget(q);
		sp_queue_send_jobs(q, &claims);
		sp_queue_sts_send(q);
		sp_queue_sign_send(q, &asks);
		sp_arena_fini(&q->turn_arena);
		ret = after_turn(q);
	}
	if (ret) {
		lose_turn(q, ret);
	}
}
