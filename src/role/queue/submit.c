/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from receive. A message that fits one frame is queued at once;
 * of a longer one the chunks are pulled, one on the way at a time, and each
 * is asked for after the one before is on disk: memory stays at one chunk a
 * session, and the disk sets the pace.
 *
 *   SUBMIT(complete) ──────────────────────────────▶ DONE accepted
 *   SUBMIT ──▶ PULL ──▶ CHUNK ──▶ PULL … CHUNK(last) ──▶ DONE accepted
 *      any lost turn or odd chunk ──▶ DONE refused;  ABORT ──▶ silence
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/err.h"
#include "base/rand.h"
#include "base/time.h"
#include "policy/worker.h"
#include "role/queue/queue.h"

static struct sp_queue_session *find_session(struct sp_queue *q,
                                             const struct sp_role_link *link,
                                             uint64_t session)
{
	SP_LIST_FOREACH (it, &q->sessions) {
		struct sp_queue_session *s =
			SP_CONTAINER(it, struct sp_queue_session, node);

		if (s->link == link && s->session == session) {
			return s;
		}
	}
	return NULL;
}

static void drop_session(struct sp_queue_session *s)
{
	if (s) {
		sp_list_remove(&s->node);
		sp_free(s);
	}
}

static void refuse_session(struct sp_queue *q, struct sp_role_link *link,
                           uint64_t session, int err)
{
	bool full = err == -ENOSPC;
	const struct sp_msg_submit_done done = {
		.session = session,
		.code = full ? 452 : 451,
		.enhanced = full ? SP_STR("4.3.1") : SP_STR("4.3.0"),
		.text = full ? SP_STR("Insufficient system storage")
	                     : SP_STR("Message not stored, try again later"),
	};

	drop_session(find_session(q, link, session));
	sp_role_send(link, SP_MSG_SUBMIT_DONE, SP_MSG_SUBMIT_DONE_FIELDS,
	             &done);
}

static void answer_session(struct sp_queue *q, const struct sp_queue_op *op,
                           uint64_t session)
{
	const struct sp_msg_session pull = {session};
	const struct sp_msg_submit_done done = {
		.session = session,
		.accepted = true,
		.id = sp_str_from(op->id),
		.code = 250,
		.enhanced = SP_STR("2.0.0"),
	};

	if (op->result == SP_QUEUE_RESULT_PULL) {
		sp_role_send(op->link, SP_MSG_SUBMIT_PULL,
		             SP_MSG_SESSION_FIELDS, &pull);
	} else if (op->result == SP_QUEUE_RESULT_ACCEPTED) {
		sp_role_send(op->link, SP_MSG_SUBMIT_DONE,
		             SP_MSG_SUBMIT_DONE_FIELDS, &done);
		sp_log(&q->ctx->log, SP_LOG_DEBUG, "queue.accepted",
		       SP_F_CSTR("id", op->id));
	}
}

/* ---- SUBMIT ---- */

static int enqueue(struct sp_queue *q, struct sp_queue_op *op)
{
	struct sp_msg_submit *m = op->msg;
	const struct sp_envelope *e = &m->envelope;
	int64_t now_ms = sp_time_wall_ms();
	unsigned *workers =
		sp_arena_array(&op->arena, e->rcpt_count, sizeof(*workers));
	int64_t *expires_ms =
		sp_arena_array(&op->arena, e->rcpt_count, sizeof(*expires_ms));
	const struct sp_store_incoming in = {
		.id = sp_str_from(op->id),
		.envelope = e,
		.workers = workers,
		.due_ms = now_ms,
		.rcpt_expires_ms = expires_ms,
		.notice_ms = q->ctx->conf->delay_notice_ms
	                             ? now_ms + q->ctx->conf->delay_notice_ms
	                             : 0,
		.complete = m->complete,
		.body = m->body,
		.to_sign = sp_queue_wants_signature(q, m->body, m->complete),
	};

	for (size_t i = 0; i < e->rcpt_count; i++) {
		workers[i] =
			sp_worker_of(e->rcpts[i].domain, q->ctx->worker_count);
		expires_ms[i] = sp_queue_expires_ms(q->ctx->conf,
		                                    e->rcpts[i].domain, now_ms);
	}
	return sp_store_enqueue(q->store, &in);
}

static void add_session(struct sp_queue *q, const struct sp_queue_op *op,
                        uint64_t session)
{
	struct sp_queue_session *s = SP_NEW(struct sp_queue_session);

	s->link = op->link;
	s->session = session;
	s->next_seq = 1;
	memcpy(s->id, op->id, sizeof(s->id));
	sp_list_append(&q->sessions, &s->node);
}

/* The id that the message's Received names, if it is one. */
static void choose_id(const struct sp_msg_submit *m, struct sp_queue_op *op)
{
	bool good = m->id.len == SP_ID_LEN && m->id.len < sizeof(op->id);

	for (size_t i = 0; good && i < m->id.len; i++) {
		char c = m->id.ptr[i];

		good = sp_ascii_is_digit(c) || sp_ascii_is_upper(c);
	}
	if (good) {
		memcpy(op->id, m->id.ptr, m->id.len);
		op->id[m->id.len] = '\0';
	} else {
		sp_id_new(sp_time_wall_ms(), op->id);
	}
}

static int submit_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	struct sp_msg_submit *m = op->msg;
	struct sp_queue_session *old = find_session(q, op->link, m->session);
	int ret;

	if (old) { /* the peer has forgotten the first one */
		ret = sp_store_abort(q->store, sp_str_from(old->id));
		drop_session(old);
		if (ret && ret != SP_ENOTFOUND) {
			return ret;
		}
	}
	if (!sp_queue_take_room(q, m->body.len)) {
		op->refused = -ENOSPC;
		return 0;
	}
	m->envelope.received_ms = m->envelope.received_ms > 0
	                                  ? m->envelope.received_ms
	                                  : sp_time_wall_ms();
	choose_id(m, op);
	ret = enqueue(q, op);
	if (ret == SP_ELIMIT) {
		sp_log(&q->ctx->log, SP_LOG_WARN, "queue.over_limit",
		       SP_F_INT("session", m->session));
		op->id[0] = '\0';
		op->refused = ret;
		return 0;
	}
	op->result =
		m->complete ? SP_QUEUE_RESULT_ACCEPTED : SP_QUEUE_RESULT_PULL;
	if (ret == 0 && !m->complete) {
		add_session(q, op, m->session);
	}
	return ret;
}

static void submit_answer(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_submit *m = op->msg;

	if (op->refused) {
		refuse_session(q, op->link, m->session, op->refused);
	}
	answer_session(q, op, m->session);
}

static void submit_refuse(struct sp_queue *q, struct sp_queue_op *op, int err)
{
	const struct sp_msg_submit *m = op->msg;

	refuse_session(q, op->link, m->session, err);
}

const struct sp_queue_verb SP_QUEUE_SUBMIT = {"submit", submit_apply,
                                              submit_answer, submit_refuse};

/* ---- BODY_CHUNK ---- */

static int chunk_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_body_chunk *m = op->msg;
	struct sp_queue_session *s = find_session(q, op->link, m->session);
	int ret;

	if (!s) {
		return 0; /* refused before; the answer is on its way */
	}
	memcpy(op->id, s->id, sizeof(op->id));
	if (m->seq != s->next_seq) {
		op->refused = SP_EPROTO;
		return 0; /* and aborted */
	}
	if (!sp_queue_take_room(q, m->data.len)) {
		op->refused = -ENOSPC;
		return 0;
	}
	ret = sp_store_append_body(q->store, sp_str_from(s->id), m->seq,
	                           m->data);
	if (ret == 0 && m->last) {
		ret = sp_store_finish(q->store, sp_str_from(s->id),
		                      m->eight_bit);
	}
	if (ret == SP_ENOTFOUND) {
		op->refused = SP_EPROTO;
		return 0;
	}
	s->next_seq++;
	op->result = m->last ? SP_QUEUE_RESULT_ACCEPTED : SP_QUEUE_RESULT_PULL;
	if (m->last) {
		drop_session(s);
		sp_queue_sign_rewind(q); /* it may be behind it */
	}
	return ret;
}

static void abort_later(struct sp_queue *q, const char *id)
{
	struct sp_queue_op *op =
		sp_queue_op_new(q, NULL, &SP_QUEUE_WITHDRAW, 1);

	snprintf(op->id, sizeof(op->id), "%s", id);
	sp_queue_wake(q);
}

static void chunk_answer(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_body_chunk *m = op->msg;

	if (op->refused) {
		abort_later(q, op->id);
		refuse_session(q, op->link, m->session, op->refused);
	}
	answer_session(q, op, m->session);
}

static void chunk_refuse(struct sp_queue *q, struct sp_queue_op *op, int err)
{
	const struct sp_msg_body_chunk *m = op->msg;
	struct sp_queue_session *s = find_session(q, op->link, m->session);

	if (s && !*op->id) { /* not applied: its earlier chunks are there */
		abort_later(q, s->id);
	}
	if (s || *op->id) {
		refuse_session(q, op->link, m->session, err);
	}
}

const struct sp_queue_verb SP_QUEUE_CHUNK = {"chunk", chunk_apply, chunk_answer,
                                             chunk_refuse};

/* ---- SUBMIT_ABORT, and messages that must not have come ---- */

static int abort_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_session *m = op->msg;
	struct sp_queue_session *s = find_session(q, op->link, m->session);

	if (s) {
		memcpy(op->id, s->id, sizeof(op->id));
		drop_session(s);
	}
	return SP_QUEUE_WITHDRAW.apply(q, op);
}

const struct sp_queue_verb SP_QUEUE_ABORT = {"abort", abort_apply, NULL, NULL};

static int withdraw_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	int ret = *op->id ? sp_store_abort(q->store, sp_str_from(op->id)) : 0;

	return ret == SP_ENOTFOUND ? 0 : ret;
}

const struct sp_queue_verb SP_QUEUE_WITHDRAW = {"withdraw", withdraw_apply,
                                                NULL, NULL};

void sp_queue_receive_down(struct sp_queue *q, struct sp_role_link *link)
{
	SP_LIST_FOREACH_SAFE (it, tmp, &q->sessions) {
		struct sp_queue_session *s =
			SP_CONTAINER(it, struct sp_queue_session, node);

		if (s->link == link) {
			abort_later(q, s->id);
			drop_session(s);
		}
	}
}
