/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS reports of the report role: the mail is enqueued in the same commit
 * that notes that it was. So there is one mail for each day, domain and
 * address, whatever is killed in between; where the answer got lost the role
 * finds the note in the store.
 *
 * And reports that others send us: each policy becomes a row, once. The first
 * that tells of failures under a policy of a domain is an alert, in the log
 * and by mail to the postmaster.
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
	int ret = 0;

	if (m->state > SP_STORE_TLS_OUT_DROPPED) {
		return 0; /* answered as not done */
	}
	if (m->queue_id.len && m->body.len) {
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

/* ---- reports of others ---- */

#define ALERT_MAX 4096

/* What of it can stand in a header or a line of text. */
static const char *printable(struct sp_str text, struct sp_arena *arena)
{
	char *out = sp_arena_cstr(arena, sp_str_sub(text, 0, 200));

	for (char *at = out; *at; at++) {
		*at = *at >= ' ' && *at <= '~' ? *at : '?';
	}
	return out;
}

static void write_alert(const struct sp_conf *conf, const char *id,
                        const struct sp_store_tls_in *in, int64_t now_ms,
                        struct sp_arena *arena, struct sp_buf *out)
{
	char date[SP_TIME_TEXT];

	sp_time_rfc5322(now_ms, date);
	(void)sp_buf_printf(
		out,
		"From: <%s>\r\nTo: <%s>\r\nDate: %s\r\n"
		"Message-ID: <%s@%s>\r\n"
		"Subject: TLS failures are reported for %s\r\n"
		"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
		"For the first time a TLS report tells of failures under a "
		"policy of\r\n%s.\r\n\r\n"
		"Reporter: %s\r\nPolicy: %s\r\nFailed sessions: %llu\r\n"
		"Successful sessions: %llu\r\n\r\n"
		"sealpost report show --received %s\r\n"
		"shows all of it. There is no further mail for each "
		"report.\r\n",
		conf->postmaster, conf->postmaster, date, id, conf->hostname,
		printable(in->domain, arena), printable(in->domain, arena),
		printable(in->organization, arena), printable(in->type, arena),
		(unsigned long long)in->failed,
		(unsigned long long)in->successful,
		printable(in->domain, arena));
}

static int send_alert(struct sp_queue *q, const struct sp_store_tls_in *in,
                      struct sp_arena *arena)
{
	const struct sp_conf *conf = q->ctx->conf;
	int64_t now_ms = sp_time_wall_ms();
	struct sp_envelope_rcpt rcpt = {
		.address = sp_str_from(conf->postmaster),
		.notify = SP_NOTIFY_NEVER,
	};
	struct sp_envelope envelope = {
		.received_ms = now_ms, .rcpts = &rcpt, .rcpt_count = 1};
	struct sp_store_incoming msg = {.envelope = &envelope,
	                                .due_ms = now_ms,
	                                .expires_ms = now_ms + conf->expire_ms,
	                                .complete = true};
	struct sp_str domain = rcpt.address;
	struct sp_str local;
	char id[SP_ID_LEN + 1];
	unsigned worker;
	struct sp_buf body;
	int ret;

	(void)sp_str_cut(&domain, '@', &local);
	if (sp_domain_to_ascii(domain, arena, &rcpt.domain)) {
		return 0; /* a postmaster without a domain reads the log */
	}
	sp_id_new(now_ms, id);
	sp_buf_init(&body, ALERT_MAX);
	write_alert(conf, id, in, now_ms, arena, &body);
	worker = sp_worker_of(rcpt.domain, q->ctx->worker_count);
	msg.id = sp_str_from(id);
	msg.workers = &worker;
	msg.body = sp_buf_str(&body);
	msg.to_sign = sp_queue_wants_signature(q, msg.body, true);
	ret = sp_store_enqueue(q->store, &msg);
	sp_buf_fini(&body);
	return ret;
}

static uint64_t count_of(const struct sp_json *command, const char *key)
{
	int64_t count = sp_json_get_int(command, key, 0);

	return count > 0 ? (uint64_t)count : 0;
}

int sp_queue_report_import(struct sp_queue *q, struct sp_arena *arena,
                           const struct sp_json *command,
                           struct sp_json **reply_out)
{
	struct sp_store_tls_in in = {
		.received_ms = sp_time_wall_ms(),
		.organization = sp_json_get_str(command, "organization"),
		.report_id = sp_json_get_str(command, "report_id"),
		.contact = sp_json_get_str(command, "contact"),
		.start_ms = sp_json_get_int(command, "start_ms", 0),
		.end_ms = sp_json_get_int(command, "end_ms", 0),
		.dkim = sp_json_get_str(command, "dkim"),
		.trusted = sp_json_get_bool(command, "trusted"),
		.type = sp_json_get_str(command, "type"),
		.domain = sp_json_get_str(command, "domain"),
		.policy = sp_json_get_str(command, "policy"),
		.successful = count_of(command, "successful"),
		.failed = count_of(command, "failed"),
		.failures = sp_json_get_str(command, "failures"),
		.oddities = sp_json_get_str(command, "oddities"),
	};
	bool known = false;
	bool first = false;
	int ret = sp_store_tls_in_add(q->store, &in, &known, &first);

	*reply_out = sp_json_object();
	if (ret == SP_ELIMIT) {
		sp_json_set_cstr(*reply_out, "error", "over a limit");
		return 0;
	}
	if (ret == 0 && first) {
		sp_log(&q->ctx->log, SP_LOG_WARN, "report.first_failure",
		       SP_F_STR("domain", in.domain),
		       SP_F_STR("organization", in.organization),
		       SP_F_INT("failed", in.failed));
		ret = send_alert(q, &in, arena);
		ret = ret == SP_ELIMIT ? 0 : ret;
	}
	sp_json_set_bool(*reply_out, "ok", true);
	sp_json_set_bool(*reply_out, "known", known);
	sp_json_set_bool(*reply_out, "first", first);
	return ret;
}
