/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an attempt came to, and what follows from it: delivered, failed, or
 * due again on the grid of the retry schedule. A lease that is not current
 * any more means that this outcome was committed before, or that the work
 * was given to somebody else: it is acknowledged and changes nothing.
 */
#include <string.h>

#include "base/err.h"
#include "base/time.h"
#include "deliver/route.h"
#include "policy/verdict.h"
#include "role/queue/queue.h"

#define PAUSE_MS 1000 /* no work for a worker that hands work back */
#define BUSY_MS  2000 /* until mail for a busy host comes up again */

void sp_queue_expired_text(struct sp_arena *arena, struct sp_str *code_out,
                           struct sp_str *cause_out, struct sp_str *reply_out)
{
	struct sp_verdict v = sp_verdict_from_cause(
		SP_CAUSE_MESSAGE_EXPIRED, SP_STR(""), SP_STR(""), arena);
	char code[SP_STORE_CODE_MAX + 1];
	char line[SP_STORE_REPLY_MAX + 1];

	v = sp_verdict_expire(&v);
	sp_verdict_code(&v, code, sizeof(code));
	sp_verdict_line(&v, line, sizeof(line));
	*code_out = sp_arena_str(arena, sp_str_from(code));
	*cause_out = sp_str_from(sp_cause_get(v.cause)->name);
	*reply_out = sp_arena_str(arena, sp_str_from(line));
}

static const struct sp_msg_outcome_rcpt *
find_rcpt(const struct sp_msg_outcome *m, uint64_t rcpt_id)
{
	for (size_t i = 0; i < m->rcpt_count; i++) {
		if (m->rcpts[i].rcpt_id == rcpt_id) {
			return &m->rcpts[i];
		}
	}
	return NULL;
}

/* The expiry is the one that was fixed when the message came in. */
static struct sp_retry retry_of(const struct sp_conf *conf,
                                const struct sp_store_lease_rcpt *lease)
{
	struct sp_retry retry = sp_route_retry(conf, lease->domain);

	retry.expire_ms = lease->expires_ms - lease->received_ms;
	return retry;
}

static void expire_now(struct sp_arena *arena,
                       const struct sp_store_lease_rcpt *lease,
                       const struct sp_msg_outcome_rcpt *m,
                       struct sp_store_outcome_rcpt *out)
{
	out->state = SP_STORE_FAILED;
	out->report_due = sp_store_wants_report(lease->notify);
	if (m && m->expired_code.len) {
		out->code = m->expired_code;
		out->reply = m->expired_reply;
	} else {
		sp_queue_expired_text(arena, &out->code, &out->cause,
		                      &out->reply);
	}
}

void sp_queue_defer(struct sp_queue *q, const struct sp_store_lease_rcpt *lease,
                    const struct sp_msg_outcome_rcpt *m, int64_t now_ms,
                    struct sp_store_outcome_rcpt *out)
{
	struct sp_retry retry = retry_of(q->ctx->conf, lease);
	int64_t due_ms = sp_retry_next_ms(&retry, lease->received_ms,
	                                  lease->first_attempt_ms,
	                                  lease->attempts + 1, now_ms);

	if (due_ms < 0 && now_ms >= lease->expires_ms) {
		expire_now(&q->turn_arena, lease, m, out);
		return;
	}
	/* After the last attempt it waits for its expiry, when the sender is
	 * told: an operator may still send it on. */
	out->state = SP_STORE_QUEUED;
	out->due_ms = due_ms < 0 ? lease->expires_ms : due_ms;
	if (m) {
		out->expired_code = m->expired_code;
		out->expired_reply = m->expired_reply;
	}
}

int64_t sp_queue_expires_ms(const struct sp_conf *conf, struct sp_str domain,
                            int64_t now_ms)
{
	return now_ms + sp_route_retry(conf, domain).expire_ms;
}

static bool is_busy(const struct sp_msg_outcome_rcpt *m)
{
	return sp_cause_find(m->cause) == SP_CAUSE_HOST_BUSY;
}

static void decide(struct sp_queue *q, const struct sp_store_lease_rcpt *lease,
                   const struct sp_msg_outcome_rcpt *m, int64_t now_ms,
                   struct sp_store_outcome_rcpt *out)
{
	out->rcpt_id = lease->rcpt_id;
	if (m) {
		out->code = m->code;
		out->cause = m->cause;
		out->reply = m->reply;
	}
	if (m && m->retry_now) {
		out->state = SP_STORE_QUEUED;
		out->uncounted = true;
		out->noted = is_busy(m);
		out->due_ms = now_ms + (is_busy(m) ? BUSY_MS : 0);
	} else if (m && m->class == SP_VERDICT_DELIVERED) {
		out->state = SP_STORE_DELIVERED;
		out->report_due = !m->dsn && !lease->null_sender &&
		                  (lease->notify & SP_NOTIFY_SUCCESS) != 0;
	} else if (m && m->class == SP_VERDICT_PERM) {
		out->state = SP_STORE_FAILED;
		out->report_due = sp_store_wants_report(lease->notify);
	} else { /* also who was left out: tried again on the schedule */
		sp_queue_defer(q, lease, m, now_ms, out);
	}
}

static void log_rcpt(const struct sp_queue *q, struct sp_str id,
                     const struct sp_store_outcome_rcpt *r)
{
	sp_log(&q->ctx->log, SP_LOG_INFO, "queue.settled", SP_F_STR("id", id),
	       SP_F_INT("rcpt", r->rcpt_id),
	       SP_F_CSTR("state", sp_store_state_name(r->state)),
	       SP_F_STR("code", r->code), SP_F_STR("cause", r->cause));
}

/* What stands for all other mail to the destination. */
static struct sp_store_failure failure_of(const struct sp_msg_outcome *m,
                                          int64_t now_ms)
{
	const struct sp_msg_outcome_rcpt *r = &m->rcpts[0];

	return (struct sp_store_failure){
		.time_ms = now_ms,
		.id = m->id,
		.code = r->code,
		.cause = r->cause,
		.reply = r->reply,
		.expired_code = r->expired_code,
		.expired_reply = r->expired_reply,
		.security = m->security,
		.host = m->host,
		.address = m->address,
	};
}

/* -1: none of them is tried again. */
static int64_t first_due(const struct sp_store_outcome_rcpt *rcpts,
                         size_t count)
{
	int64_t first_ms = -1;

	for (size_t i = 0; i < count; i++) {
		if (rcpts[i].state == SP_STORE_QUEUED &&
		    (first_ms < 0 || rcpts[i].due_ms < first_ms)) {
			first_ms = rcpts[i].due_ms;
		}
	}
	return first_ms;
}

static int settle(struct sp_queue *q, struct sp_queue_op *op,
                  const struct sp_store_lease_rcpt *lease, size_t count)
{
	const struct sp_msg_outcome *m = op->msg;
	struct sp_store_outcome_rcpt *rcpts =
		sp_arena_array(&q->turn_arena, count, sizeof(*rcpts));
	struct sp_store_failure failure;
	struct sp_store_outcome outcome = {
		.attempt_id = m->attempt_id,
		.now_ms = sp_time_wall_ms(),
		.reached = m->destination == SP_MSG_DESTINATION_REACHED,
		.security = m->security,
		.host = m->host,
		.address = m->address,
		.detail = m->detail,
		.rcpts = rcpts,
		.rcpt_count = count,
	};
	int ret;

	for (size_t i = 0; i < count; i++) {
		decide(q, &lease[i], find_rcpt(m, lease[i].rcpt_id),
		       outcome.now_ms, &rcpts[i]);
		log_rcpt(q, lease[i].id, &rcpts[i]);
	}
	if (m->destination == SP_MSG_DESTINATION_FAILED && m->rcpt_count > 0) {
		failure = failure_of(m, outcome.now_ms);
		outcome.failure = &failure;
		failure.pause_ms = sp_queue_pause_ms(
			q->ctx->conf, lease[0].domain, outcome.now_ms,
			first_due(rcpts, count));
	}
	ret = sp_store_settle(q->store, &outcome);
	if (ret == 0) {
		sp_queue_count(q, m);
	}
	return ret;
}

/* A worker that is about to stop gets nothing new in this very turn. */
static void pause_worker(struct sp_queue *q, const struct sp_queue_op *op)
{
	const struct sp_msg_outcome *m = op->msg;
	struct sp_queue_worker *w = sp_queue_worker_find(q, op->link);

	if (w && m->rcpt_count > 0 && m->rcpts[0].retry_now &&
	    !is_busy(&m->rcpts[0])) {
		w->paused_until_ms = sp_time_mono_ms() + PAUSE_MS;
	}
}

static int outcome_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_outcome *m = op->msg;
	struct sp_store_lease_rcpt *lease;
	size_t count;
	int ret = sp_store_lease(q->store, m->attempt_id, &q->turn_arena,
	                         &lease, &count);

	pause_worker(q, op);
	if (ret == 0 && count == 0) {
		sp_log(&q->ctx->log, SP_LOG_INFO, "queue.known_outcome",
		       SP_F_STR("id", m->id));
	} else if (ret == 0) {
		ret = settle(q, op, lease, count);
	}
	if (ret == SP_ELIMIT || ret == SP_ENOTFOUND) {
		/* Frames have narrower limits; nothing is lost by waiting for
		 * the worker's next HELLO. */
		sp_log(&q->ctx->log, SP_LOG_ERROR, "queue.odd_outcome",
		       SP_F_STR("id", m->id), SP_F_ERR(ret));
		ret = 0;
	}
	return ret;
}

static void outcome_answer(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_outcome *m = op->msg;
	const struct sp_msg_attempt settled = {m->attempt_id};
	struct sp_queue_worker *w = sp_queue_worker_find(q, op->link);

	if (!w) {
		return; /* its worker has gone; the outcome stays true */
	}
	(void)sp_map_remove(&w->attempts, sp_map_key_u64(&m->attempt_id));
	sp_role_send(op->link, SP_MSG_SETTLED, SP_MSG_ATTEMPT_FIELDS, &settled);
}

const struct sp_queue_verb SP_QUEUE_OUTCOME = {"outcome", outcome_apply,
                                               outcome_answer, NULL};
