/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work for transports. A worker says HELLO on each new link with the
 * attempts that it still holds: leases of its own that it does not name end
 * then, and only then. A link that goes down ends nothing: the worker may be
 * alive and its outcome on the way.
 *
 *   UNKNOWN ──HELLO──▶ KNOWN ──link down──▶ UNKNOWN
 *                      claims go to known workers only, up to their slots
 *
 * A job is sent behind the commit of its lease. No more than CLAIM_MAX are
 * claimed for a worker in one turn, and none while its link is clogged: it
 * has work then, whose outcome brings the next turn.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/time.h"
#include "role/queue/queue.h"

#define CLAIM_MAX     64
#define CLOGGED_BYTES (8u * 1024 * 1024)

struct sp_queue_worker *sp_queue_worker_find(struct sp_queue *q,
                                             const struct sp_role_link *link)
{
	if (!link || link->role != SP_ROLE_TRANSPORT ||
	    link->index >= q->ctx->worker_count) {
		return NULL;
	}
	return &q->workers[link->index];
}

static void clear_attempts(struct sp_queue_worker *w)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&w->attempts, &it, &key, &value)) {
		uint64_t id;

		memcpy(&id, key.ptr, sizeof(id));
		(void)sp_map_remove(&w->attempts, sp_map_key_u64(&id));
	}
}

void sp_queue_worker_down(struct sp_queue *q, unsigned index)
{
	if (index < q->ctx->worker_count) {
		q->workers[index].known = false;
		clear_attempts(&q->workers[index]);
	}
}

size_t sp_queue_in_flight(const struct sp_queue *q)
{
	size_t count = 0;

	for (unsigned i = 0; i < q->ctx->worker_count; i++) {
		count += q->workers[i].attempts.count;
	}
	return count;
}

/* ---- HELLO ---- */

static int release(struct sp_queue *q, const struct sp_msg_hello *m,
                   unsigned worker, uint64_t *count_out)
{
	uint64_t *keep = sp_arena_array(&q->turn_arena, m->held_count + 1,
	                                sizeof(*keep));

	for (size_t i = 0; i < m->held_count; i++) {
		keep[i] = m->held[i].attempt_id;
	}
	return sp_store_release_leases(q->store, worker, keep, m->held_count,
	                               sp_time_wall_ms(), count_out);
}

/* Those held attempts whose lease is current count as in flight. */
static int take_over(struct sp_queue *q, const struct sp_msg_hello *m,
                     struct sp_queue_worker *w)
{
	struct sp_store_lease_rcpt *lease;
	size_t count;
	int ret = 0;

	clear_attempts(w);
	for (size_t i = 0; ret == 0 && i < m->held_count; i++) {
		const uint64_t *id = &m->held[i].attempt_id;

		ret = sp_store_lease(q->store, *id, &q->turn_arena, &lease,
		                     &count);
		if (ret == 0 && count > 0) {
			(void)sp_map_set(&w->attempts, sp_map_key_u64(id), w);
		}
	}
	return ret;
}

static int hello_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_hello *m = op->msg;
	struct sp_queue_worker *w = sp_queue_worker_find(q, op->link);
	uint64_t released = 0;
	int ret;

	if (!w) {
		return 0;
	}
	ret = release(q, m, op->link->index, &released);
	ret = ret ? ret : take_over(q, m, w);
	if (ret) {
		return ret;
	}
	w->known = true;
	w->slots = m->slots;
	w->paused_until_ms = 0;
	sp_log(&q->ctx->log, SP_LOG_INFO, "queue.worker",
	       SP_F_INT("index", op->link->index), SP_F_INT("slots", m->slots),
	       SP_F_INT("held", m->held_count), SP_F_INT("released", released));
	return 0;
}

const struct sp_queue_verb SP_QUEUE_HELLO = {"hello", hello_apply, NULL, NULL};

/* ---- claims ---- */

static struct sp_role_link *link_of(struct sp_queue *q, unsigned worker)
{
	struct sp_role_link *link =
		sp_role_find_link(q->ctx, SP_ROLE_TRANSPORT, worker);

	return link && link->channel ? link : NULL;
}

/* How many jobs the worker may get now. */
static size_t room(struct sp_queue *q, unsigned index)
{
	const struct sp_queue_worker *w = &q->workers[index];
	const struct sp_role_link *link = link_of(q, index);
	size_t free_slots;

	if (!w->known || !link || !q->ctx->conf->deliver || q->ctx->stopping ||
	    sp_channel_waiting(link->channel) > CLOGGED_BYTES) {
		return 0;
	}
	free_slots =
		w->slots > w->attempts.count ? w->slots - w->attempts.count : 0;
	return free_slots < CLAIM_MAX ? free_slots : CLAIM_MAX;
}

/* All chunks of a body that is small enough to travel with its job. */
static int read_inline(struct sp_queue *q, const struct sp_store_job *from,
                       struct sp_str *body_out)
{
	struct sp_str part;
	bool last = false;
	char *body = NULL;
	size_t len = 0;

	for (uint32_t seq = 0; !last; seq++) {
		int ret = sp_store_read_body(q->store, from->id, seq,
		                             &q->turn_arena, &part, &last);

		if (ret) {
			return ret == SP_ENOTFOUND ? SP_ESTORE : ret;
		}
		if (last && seq == 0 && part.len <= SP_BODY_INLINE_MAX) {
			*body_out = part;
			return 0;
		}
		if (!body) {
			body = sp_arena_alloc(&q->turn_arena,
			                      SP_BODY_INLINE_MAX);
		}
		if (part.len > SP_BODY_INLINE_MAX - len) {
			return SP_ESTORE; /* not the size it claims */
		}
		memcpy(body + len, part.ptr, part.len);
		len += part.len;
	}
	*body_out = sp_str_slice(body, len);
	return 0;
}

/* The exception that holds for the destination now, if there is one. */
static int find_exception(struct sp_queue *q, struct sp_msg_job *job)
{
	struct sp_store_exception exception = {0};
	int ret = sp_store_exception_find(q->store, job->domain,
	                                  sp_time_wall_ms(), &q->turn_arena,
	                                  &exception);

	_Static_assert(SP_STORE_REASON_MAX <= SP_MSG_REASON_MAX, "it fits");
	job->exception = exception.reason;
	return ret == SP_ENOTFOUND ? 0 : ret;
}

static int fill_job(struct sp_queue *q, const struct sp_store_job *from,
                    struct sp_msg_job *job)
{
	int ret;

	job->attempt_id = from->attempt_id;
	job->id = from->id;
	job->domain = from->domain;
	job->attempt = from->attempt;
	job->size_bytes = from->size_bytes;
	job->expires_ms = from->expires_ms;
	job->envelope = from->envelope;
	job->rcpt_count = from->rcpt_count;
	job->rcpts = sp_arena_array(&q->turn_arena, from->rcpt_count,
	                            sizeof(*job->rcpts));
	for (size_t i = 0; i < from->rcpt_count; i++) {
		job->rcpts[i].rcpt_id = from->rcpts[i].rcpt_id;
		job->rcpts[i].rcpt = from->rcpts[i].rcpt;
	}
	job->inline_body = from->size_bytes <= SP_BODY_INLINE_MAX;
	ret = find_exception(q, job);
	ret = ret ? ret : sp_queue_sts_fill(q, job);
	if (ret || !job->inline_body) {
		return ret;
	}
	return read_inline(q, from, &job->body);
}

static int claim_for(struct sp_queue *q, unsigned worker, size_t max,
                     int64_t now_ms, struct sp_list *claims)
{
	struct sp_store_job *jobs;
	size_t count = 0;
	int ret = sp_store_claim_due(q->store, worker, now_ms, max,
	                             SP_JOB_RCPT_MAX, &q->turn_arena, &jobs,
	                             &count);

	for (size_t i = 0; ret == 0 && i < count; i++) {
		struct sp_queue_claim *c =
			sp_arena_alloc(&q->turn_arena, sizeof(*c));

		c->worker = worker;
		sp_list_append(claims, &c->node);
		ret = fill_job(q, &jobs[i], &c->job);
	}
	return ret;
}

int sp_queue_claim(struct sp_queue *q, int64_t now_ms, struct sp_list *claims)
{
	int64_t mono_ms = sp_time_mono_ms();
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < q->ctx->worker_count; i++) {
		size_t max = room(q, i);

		if (max > 0 && q->workers[i].paused_until_ms <= mono_ms) {
			ret = claim_for(q, i, max, now_ms, claims);
		}
	}
	return ret;
}

void sp_queue_send_forget(struct sp_queue *q)
{
	for (unsigned i = 0; q->forget && i < q->ctx->worker_count; i++) {
		sp_role_send(link_of(q, i), SP_MSG_FORGET, NULL, NULL);
	}
	q->forget = false;
}

void sp_queue_send_jobs(struct sp_queue *q, struct sp_list *claims)
{
	SP_LIST_FOREACH (it, claims) {
		const struct sp_queue_claim *c =
			SP_CONTAINER(it, struct sp_queue_claim, node);
		struct sp_queue_worker *w = &q->workers[c->worker];

		(void)sp_map_set(&w->attempts,
		                 sp_map_key_u64(&c->job.attempt_id), w);
		sp_role_send(link_of(q, c->worker), SP_MSG_JOB,
		             SP_MSG_JOB_FIELDS, &c->job);
		sp_log(&q->ctx->log, SP_LOG_DEBUG, "queue.job",
		       SP_F_STR("id", c->job.id),
		       SP_F_INT("attempt", c->job.attempt),
		       SP_F_INT("worker", c->worker));
	}
}

static int64_t worker_delay(const struct sp_queue *q, unsigned index,
                            int64_t now_ms)
{
	int64_t pause_ms =
		q->workers[index].paused_until_ms - sp_time_mono_ms();
	int64_t due_ms = q->workers[index].next_due_ms;
	int64_t delay_ms = due_ms > now_ms ? due_ms - now_ms : 0;

	if (due_ms < 0) {
		return -1;
	}
	return delay_ms < pause_ms ? pause_ms : delay_ms;
}

int sp_queue_look_ahead(struct sp_queue *q)
{
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < q->ctx->worker_count; i++) {
		ret = sp_store_next_due(q->store, i,
		                        &q->workers[i].next_due_ms);
	}
	return ret;
}

int64_t sp_queue_next_claim(struct sp_queue *q, int64_t now_ms)
{
	int64_t first_ms = -1;

	for (unsigned i = 0; i < q->ctx->worker_count; i++) {
		int64_t delay_ms = room(q, i) ? worker_delay(q, i, now_ms) : -1;

		if (delay_ms >= 0 && (first_ms < 0 || delay_ms < first_ms)) {
			first_ms = delay_ms;
		}
	}
	return first_ms;
}

/* ---- BODY_PULL ---- */

/* Only the holder of a current lease gets the body, and of its own message.
 * Without one the attempt is over: SETTLED tells the worker to drop it. */
static int pull_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_body_pull *m = op->msg;
	struct sp_store_lease_rcpt *lease;
	size_t count;
	int ret = sp_store_lease(q->store, m->attempt_id, &q->turn_arena,
	                         &lease, &count);

	if (ret || count == 0 || !sp_str_eq(lease[0].id, m->id)) {
		return ret;
	}
	ret = sp_store_read_body(q->store, m->id, m->seq, &q->turn_arena,
	                         &op->data, &op->last);
	op->result = ret == 0 ? SP_QUEUE_RESULT_FOUND : SP_QUEUE_RESULT_SILENT;
	return ret == SP_ENOTFOUND ? 0 : ret;
}

static void pull_answer(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_body_pull *m = op->msg;
	const struct sp_msg_attempt settled = {m->attempt_id};
	const struct sp_msg_body_chunk chunk = {
		.session = m->attempt_id,
		.seq = m->seq,
		.last = op->last,
		.data = op->data,
	};

	if (op->result == SP_QUEUE_RESULT_FOUND) {
		sp_role_send(op->link, SP_MSG_BODY_CHUNK,
		             SP_MSG_BODY_CHUNK_FIELDS, &chunk);
		return;
	}
	sp_log(&q->ctx->log, SP_LOG_WARN, "queue.pull_refused",
	       SP_F_STR("id", m->id), SP_F_INT("seq", m->seq));
	sp_role_send(op->link, SP_MSG_SETTLED, SP_MSG_ATTEMPT_FIELDS, &settled);
}

const struct sp_queue_verb SP_QUEUE_PULL = {"pull", pull_apply, pull_answer,
                                            NULL};
