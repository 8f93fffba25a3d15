/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS reports of the report role: the mail is enqueued in the same commit
 * that notes that it was. So there is one mail for each day, domain and
 * address, whatever is killed in between; where the answer got lost the role
 * finds the note in the store.
 */
#include <string.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/time.h"
#include "policy/worker.h"
#include "role/queue/queue.h"
#include "store/tls_report.h"
#include "wire/address.h"

static int enqueue_whole(struct sp_queue *q, const struct sp_store_incoming *in,
                         struct sp_str body)
{
	int ret = sp_store_enqueue(q->store, in);

	for (uint32_t seq = 1; ret == 0 && !in->complete; seq++) {
		struct sp_str chunk =
			sp_str_sub(body, seq * (size_t)SP_STORE_CHUNK_MAX,
		                   SP_STORE_CHUNK_MAX);

		if (chunk.len == 0) {
			return sp_store_finish(q->store, in->id, false);
		}
		ret = sp_store_append_body(q->store, in->id, seq, chunk);
	}
	return ret;
}

static int enqueue(struct sp_queue *q, const struct sp_msg_tls_report *m,
                   struct sp_arena *arena, int64_t now_ms)
{
	const struct sp_role_ctx *ctx = q->ctx;
	struct sp_envelope_rcpt rcpt = {.address = m->to,
	                                .domain = m->to_domain,
	                                .notify = SP_NOTIFY_NEVER};
	struct sp_envelope envelope = {
		.helo = SP_ENVELOPE_TLS_REPORT,
		.received_ms = now_ms,
		.tls_optional = true,
		.message_id = sp_str_from(sp_arena_printf(
			arena, "<" SP_STR_FMT "@%s>", SP_STR_ARG(m->queue_id),
			ctx->conf->hostname)),
		.rcpts = &rcpt,
		.rcpt_count = 1,
	};
	unsigned worker = sp_worker_of(m->to_domain, ctx->worker_count);
	const struct sp_store_incoming in = {
		.id = m->queue_id,
		.envelope = &envelope,
		.workers = &worker,
		.due_ms = now_ms,
		.expires_ms = now_ms + SP_STORE_DAY_MS,
		.complete = m->body.len <= SP_STORE_CHUNK_MAX,
		.body = sp_str_sub(m->body, 0, SP_STORE_CHUNK_MAX),
		.to_sign = sp_queue_wants_signature(q, m->body, true),
	};
	return enqueue_whole(q, &in, m->body);
}

/* A role that lost its answer and did not yet see the note asks again: what
 * is on its way stays so. */
static int was_told(struct sp_queue *q, const struct sp_msg_tls_report *m,
                    bool *told_out)
{
	enum sp_store_tls_out_state state = SP_STORE_TLS_OUT_NONE;
	int ret = sp_store_tls_out_find(q->store, m->day, m->domain, m->uri,
	                                &state);

	*told_out = ret == 0 && (state == SP_STORE_TLS_OUT_QUEUED ||
	                         state == SP_STORE_TLS_OUT_SENT);
	return ret == SP_ENOTFOUND ? 0 : ret;
}

static int tls_report_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_tls_report *m = op->msg;
	int64_t now_ms = sp_time_wall_ms();
	const struct sp_store_tls_out out = {
		.day = m->day,
		.domain = m->domain,
		.uri = m->uri,
		.state = (enum sp_store_tls_out_state)m->state,
		.report_id = m->report_id,
		.tries = m->tries,
		.next_ms = m->next_ms,
		.queue_id = m->queue_id,
		.why = m->why,
		.time_ms = now_ms,
	};
	bool told = false;
	int ret;

	if (m->state > SP_STORE_TLS_OUT_DROPPED) {
		return 0; /* answered as not done */
	}
	ret = was_told(q, m, &told);
	if (ret == 0 && told) {
		op->result = SP_QUEUE_RESULT_ACCEPTED;
		return 0;
	}
	if (ret == 0 && m->queue_id.len && m->body.len) {
		ret = enqueue(q, m, &op->arena, now_ms);
	}
	ret = ret ? ret : sp_store_tls_out_set(q->store, &out);
	op->result =
		ret == 0 ? SP_QUEUE_RESULT_ACCEPTED : SP_QUEUE_RESULT_SILENT;
	if (ret == SP_ELIMIT) { /* half of it may be written */
		sp_log(&q->ctx->log, SP_LOG_ERROR, "queue.odd_tls_report",
		       SP_F_STR("domain", m->domain));
		ret = SP_ESTORE;
	}
	return ret;
}

static void answer(const struct sp_queue_op *op, bool done)
{
	const struct sp_msg_tls_report *m = op->msg;
	const struct sp_msg_tls_report_done msg = {m->id, done};

	sp_role_send(op->link, SP_MSG_TLS_REPORT_DONE,
	             SP_MSG_TLS_REPORT_DONE_FIELDS, &msg);
}

static void tls_report_answer(struct sp_queue *q, struct sp_queue_op *op)
{
	(void)q;
	answer(op, op->result == SP_QUEUE_RESULT_ACCEPTED);
}

static void tls_report_refuse(struct sp_queue *q, struct sp_queue_op *op,
                              int err)
{
	(void)q;
	(void)err;
	answer(op, false);
}

const struct sp_queue_verb SP_QUEUE_TLS_REPORT = {
	"tls-report", tls_report_apply, tls_report_answer, tls_report_refuse};
