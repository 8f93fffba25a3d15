/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports to senders: one message for each (message, event), written in the
 * turn in which the event is found and committed with the mark that it is
 * reported.
 *
 *   failed, or relayed with NOTIFY=SUCCESS ──▶ report due ──┐
 *   queued, and notice time passed ─────────────────────────┤ report enqueued
 *                                                           ▼ and, in the same
 *                                             reported      transaction, marked
 *
 * A turn that is lost takes both back, and they are found again. So there is
 * never a second report of an event, and none is lost. Without anybody to
 * report to (a report that failed itself: null sender) the event ends in a
 * log line.
 */
#include <string.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/time.h"
#include "deliver/notice.h"
#include "policy/cause.h"
#include "policy/worker.h"
#include "role/queue/queue.h"
#include "wire/address.h"
#include "wire/dsn.h"

#define REPORTS_MAX  20 /* in one turn; the rest in the next */
#define EVIDENCE_MAX 16 /* different attempts shown in one report */
#define REPORT_BYTES (32u * 1024 * 1024)

struct reporting {
	struct sp_queue *q;
	int64_t now_ms;
	struct sp_arena arena;
	struct sp_store_report report;
	struct sp_notice_group *groups;
	const struct sp_store_report_rcpt **firsts; /* of the groups */
	size_t group_count;
	struct detail { /* each evidence is read once */
		uint64_t id;
		struct sp_json *json; /* owned */
	} details[EVIDENCE_MAX];
	size_t detail_count;
	char id[SP_ID_LEN + 1]; /* of the report */
	struct sp_envelope_rcpt to;
	struct sp_buf body;
	struct sp_dsn_result shape;
};

/* ---- who shares an outcome ---- */

static const struct sp_json *find_detail(struct reporting *r, uint64_t id)
{
	static const struct sp_json_limits limits = {SP_STORE_DETAIL_MAX, 32,
	                                             100000};
	struct sp_str text;

	struct detail *d = &r->details[r->detail_count];

	for (size_t i = 0; i < r->detail_count; i++) {
		if (r->details[i].id == id) {
			return r->details[i].json;
		}
	}
	if (id == 0 || r->detail_count == EVIDENCE_MAX ||
	    sp_store_read_evidence(r->q->store, id, &r->arena, &text) ||
	    sp_json_parse(text, &limits, &d->json, NULL, 0)) {
		return NULL; /* a report without evidence is still one */
	}
	d->id = id;
	r->detail_count++;
	return d->json;
}

static bool same_outcome(const struct sp_store_report_rcpt *a,
                         const struct sp_store_report_rcpt *b)
{
	return a->evidence_id == b->evidence_id && a->attempts == b->attempts &&
	       sp_str_eq(a->reply, b->reply) && sp_str_eq(a->cause, b->cause) &&
	       sp_str_eq(a->rcpt.domain, b->rcpt.domain);
}

static struct sp_notice_group *group_of(struct reporting *r,
                                        const struct sp_store_report_rcpt *rcpt)
{
	struct sp_notice_group *g;

	for (size_t i = 0; i < r->group_count; i++) {
		if (same_outcome(r->firsts[i], rcpt)) {
			return &r->groups[i];
		}
	}
	r->firsts[r->group_count] = rcpt;
	g = &r->groups[r->group_count++];
	g->rcpts =
		sp_arena_array(&r->arena, r->report.rcpt_count, sizeof(void *));
	g->detail = find_detail(r, rcpt->evidence_id);
	g->try = sp_notice_find_try(g->detail, rcpt->cause);
	return g;
}

static struct sp_notice_rcpt row_of(const struct sp_store_report_rcpt *rcpt)
{
	return (struct sp_notice_rcpt){
		.address = rcpt->rcpt.address,
		.domain = rcpt->rcpt.domain,
		.code = rcpt->code,
		.cause = rcpt->cause,
		.reply = rcpt->reply,
		.attempts = rcpt->attempts,
		.expires_ms = rcpt->expires_ms,
		.attempt_ms = rcpt->attempt_ms,
		.attempt_reply = rcpt->attempt_reply,
		.host = rcpt->host,
		.host_address = rcpt->address,
	};
}

static void make_groups(struct reporting *r, size_t *group_of_rcpt)
{
	size_t count = r->report.rcpt_count;
	struct sp_notice_rcpt *rows =
		sp_arena_array(&r->arena, count, sizeof(*rows));

	r->groups = sp_arena_array(&r->arena, count, sizeof(*r->groups));
	r->firsts = sp_arena_array(&r->arena, count,
	                           sizeof(struct sp_store_report_rcpt *));
	for (size_t i = 0; i < count; i++) {
		const struct sp_store_report_rcpt *rcpt = &r->report.rcpts[i];
		struct sp_notice_group *g = group_of(r, rcpt);

		rows[i] = row_of(rcpt);
		g->rcpts[g->count++] = &rows[i];
		group_of_rcpt[i] = (size_t)(g - r->groups);
	}
}

/* ---- the facts for machines ---- */

/* The server that was spoken to, if one was: a connection that came about,
 * or a reply. */
static struct sp_str remote_mta(const struct sp_notice_group *g,
                                const struct sp_store_report_rcpt *rcpt,
                                bool replied)
{
	const struct sp_json *timings = sp_json_get(g->try, "timings");

	if (g->try && (replied || sp_json_get_bool(g->try, "reused") ||
	               sp_json_get_int(timings, "connect_ms", -1) >= 0)) {
		return sp_json_get_str(g->try, "host");
	}
	return replied ? rcpt->host : SP_STR("");
}

static void fill_rcpt(struct sp_dsn_rcpt *out, const struct reporting *r,
                      const struct sp_store_report_rcpt *rcpt,
                      const struct sp_notice_group *g)
{
	static const enum sp_dsn_action actions[] = {
		[SP_STORE_REPORT_FAILED] = SP_DSN_FAILED,
		[SP_STORE_REPORT_RELAYED] = SP_DSN_RELAYED,
		[SP_STORE_REPORT_DELAYED] = SP_DSN_DELAYED,
	};
	enum sp_store_report_kind kind = r->report.kind;
	bool replied = kind == SP_STORE_REPORT_RELAYED ||
	               sp_cause_find(rcpt->cause) == SP_CAUSE_REMOTE_REPLY;

	out->address = rcpt->rcpt.address;
	out->orcpt = rcpt->rcpt.orcpt;
	out->action = actions[kind];
	out->status = rcpt->code.len ? rcpt->code : SP_STR("4.4.7");
	out->diagnostic_type = replied ? SP_DSN_SMTP : SP_DSN_SEALPOST;
	out->diagnostic = replied && rcpt->attempt_reply.len
	                          ? rcpt->attempt_reply
	                          : rcpt->reply;
	out->remote_mta = remote_mta(g, rcpt, replied);
	out->last_attempt_ms = rcpt->attempt_ms;
	if (kind == SP_STORE_REPORT_DELAYED) {
		out->retry_until_ms = rcpt->expires_ms;
	}
}

/* ---- the original ---- */

/* RFC 3461 4.3: RET is about failures; other reports carry the header. Of a
 * message with REQUIRETLS no more goes round than the sender needs. */
static bool wants_whole(const struct reporting *r)
{
	const struct sp_store_report *p = &r->report;
	int64_t max = r->q->ctx->conf->notice.original_max_bytes;

	return p->kind == SP_STORE_REPORT_FAILED &&
	       p->envelope.ret != SP_RET_HDRS && !p->envelope.requiretls &&
	       p->size_bytes <= (uint64_t)max;
}

static int read_original(struct reporting *r, bool whole, struct sp_buf *out)
{
	size_t enough = whole ? SIZE_MAX : SP_DSN_HEADER_MAX;
	bool last = false;
	int ret = 0;

	for (uint32_t seq = 0; ret == 0 && !last && sp_buf_len(out) < enough;
	     seq++) {
		struct sp_str chunk;

		ret = sp_store_read_body(r->q->store, r->report.id, seq,
		                         &r->arena, &chunk, &last);
		if (ret == 0) {
			ret = sp_buf_append_str(out, chunk);
		}
	}
	return ret == SP_ENOTFOUND ? 0 : ret;
}

/* ---- writing ---- */

static void write_text(struct reporting *r, struct sp_str *subject_out,
                       struct sp_buf *text)
{
	static const enum sp_notice_kind kinds[] = {
		[SP_STORE_REPORT_FAILED] = SP_NOTICE_FAILED,
		[SP_STORE_REPORT_RELAYED] = SP_NOTICE_RELAYED,
		[SP_STORE_REPORT_DELAYED] = SP_NOTICE_DELAYED,
	};
	const struct sp_conf *conf = r->q->ctx->conf;
	const struct sp_envelope *envelope = &r->report.envelope;
	const struct sp_notice notice = {
		.hostname = conf->hostname,
		.postmaster = conf->postmaster,
		.kind = kinds[r->report.kind],
		.id = r->report.id,
		.sender = envelope->sender,
		.message_id = envelope->message_id,
		.received_ms = envelope->received_ms,
		.groups = r->groups,
		.group_count = r->group_count,
	};

	sp_notice_write(&r->q->notices, &notice, subject_out, text);
}

static int write_report(struct reporting *r)
{
	const struct sp_conf *conf = r->q->ctx->conf;
	const struct sp_store_report *p = &r->report;
	size_t *groups =
		sp_arena_array(&r->arena, p->rcpt_count, sizeof(*groups));
	struct sp_dsn_rcpt *rcpts =
		sp_arena_array(&r->arena, p->rcpt_count, sizeof(*rcpts));
	struct sp_dsn dsn = {
		.hostname = sp_str_from(conf->hostname),
		.from = sp_str_from(conf->postmaster),
		.to = r->to.address,
		.id = sp_str_from(r->id),
		.seed = sp_rand_u64(),
		.now_ms = r->now_ms,
		.original_id = p->id,
		.message_id = p->envelope.message_id,
		.envid = p->envelope.envid,
		.arrival_ms = p->envelope.received_ms,
		.rcpts = rcpts,
		.rcpt_count = p->rcpt_count,
		.whole = wants_whole(r),
	};
	struct sp_buf original;
	struct sp_buf text;
	int ret;

	make_groups(r, groups);
	for (size_t i = 0; i < p->rcpt_count; i++) {
		fill_rcpt(&rcpts[i], r, &p->rcpts[i], &r->groups[groups[i]]);
	}
	sp_buf_init(&original, REPORT_BYTES);
	sp_buf_init(&text, SP_DSN_TEXT_MAX);
	ret = read_original(r, dsn.whole, &original);
	if (ret == 0) {
		write_text(r, &dsn.subject, &text);
		dsn.text = sp_buf_str(&text);
		dsn.original = sp_buf_str(&original);
		ret = sp_dsn_write(&dsn, &r->body, &r->shape);
	}
	sp_buf_fini(&original);
	sp_buf_fini(&text);
	return ret;
}

/* ---- into the queue ---- */

/* The sender as a recipient. Where only the domain is beyond ASCII its
 * A-labels stand in, and the report needs no SMTPUTF8. */
static int address_report(struct reporting *r)
{
	struct sp_str sender = r->report.envelope.sender;
	struct sp_str domain;
	struct sp_address address;
	int ret = sp_address_parse(sender, &address);

	ret = ret ? ret
	          : sp_domain_to_ascii(address.domain, &r->arena, &domain);
	if (ret) {
		return ret;
	}
	if (!sp_str_is_ascii(sender) && sp_str_is_ascii(address.local)) {
		sender = sp_str_from(sp_arena_printf(
			&r->arena, SP_STR_FMT "@" SP_STR_FMT,
			SP_STR_ARG(address.local), SP_STR_ARG(domain)));
	}
	r->to = (struct sp_envelope_rcpt){.address = sender, .domain = domain};
	return 0;
}

static int enqueue_chunks(struct reporting *r,
                          const struct sp_store_incoming *in)
{
	struct sp_str rest = sp_buf_str(&r->body);
	int ret = sp_store_enqueue(r->q->store, in);

	for (uint32_t seq = 1; ret == 0 && !in->complete; seq++) {
		struct sp_str chunk =
			sp_str_sub(rest, seq * (size_t)SP_STORE_CHUNK_MAX,
		                   SP_STORE_CHUNK_MAX);

		if (chunk.len == 0) {
			return sp_store_finish(r->q->store, in->id, false);
		}
		ret = sp_store_append_body(r->q->store, in->id, seq, chunk);
	}
	return ret;
}

static int enqueue(struct reporting *r)
{
	const struct sp_role_ctx *ctx = r->q->ctx;
	struct sp_str body = sp_buf_str(&r->body);
	struct sp_envelope envelope = {
		.smtputf8 = r->shape.smtputf8,
		.body_8bit = r->shape.body_8bit || r->shape.smtputf8,
		/* RFC 8689 5: protected as its subject was, where it can be. */
		.requiretls = r->report.envelope.requiretls,
		.received_ms = r->now_ms,
		.rcpts = &r->to,
		.rcpt_count = 1,
	};
	unsigned worker = sp_worker_of(r->to.domain, ctx->worker_count);
	const struct sp_store_incoming in = {
		.id = sp_str_from(r->id),
		.envelope = &envelope,
		.workers = &worker,
		.due_ms = r->now_ms,
		.expires_ms = r->now_ms + ctx->conf->expire_ms,
		.complete = body.len <= SP_STORE_CHUNK_MAX,
		.body = sp_str_sub(body, 0, SP_STORE_CHUNK_MAX),
		.to_sign = sp_queue_wants_signature(r->q, body, true),
	};

	envelope.message_id = sp_str_from(sp_arena_printf(
		&r->arena, "<%s@%s>", r->id, ctx->conf->hostname));
	return enqueue_chunks(r, &in);
}

/* ---- the mark ---- */

/* {"report": {"id": ..., "kind": ..., "to": ...}}; id null: nobody to
 * report to. */
static int mark(struct reporting *r, bool sent)
{
	struct sp_json *detail = sp_json_object();
	struct sp_json *report = sp_json_object();
	struct sp_buf text;
	int ret;

	sp_json_set_cstr(report, "id", sent ? r->id : NULL);
	sp_json_set_cstr(report, "kind",
	                 sp_store_report_kind_name(r->report.kind));
	sp_json_set_str(report, "to", r->report.envelope.sender);
	sp_json_set(detail, "report", report);
	sp_buf_init(&text, SP_STORE_DETAIL_MAX);
	ret = sp_json_write(detail, &text);
	if (ret == 0) {
		ret = sp_store_reported(r->q->store, &r->report, r->now_ms,
		                        sp_buf_str(&text));
	}
	sp_buf_fini(&text);
	sp_json_free(&detail);
	return ret;
}

static void log_report(const struct reporting *r, enum sp_log_level level,
                       const char *event)
{
	const struct sp_store_report_rcpt *rcpt = &r->report.rcpts[0];

	sp_log(&r->q->ctx->log, level, event, SP_F_STR("id", r->report.id),
	       SP_F_CSTR("kind", sp_store_report_kind_name(r->report.kind)),
	       SP_F_CSTR("report", r->id),
	       SP_F_STR("sender", r->report.envelope.sender),
	       SP_F_INT("recipients", r->report.rcpt_count),
	       SP_F_STR("recipient", rcpt->rcpt.address),
	       SP_F_STR("code", rcpt->code), SP_F_STR("cause", rcpt->cause));
}

static int report(struct reporting *r)
{
	int ret;

	if (r->report.envelope.sender.len == 0) {
		log_report(r, SP_LOG_WARN, "queue.double_bounce");
		return mark(r, false);
	}
	if (address_report(r)) {
		log_report(r, SP_LOG_ERROR, "queue.no_way_to_report");
		return mark(r, false);
	}
	sp_id_new(r->now_ms, r->id);
	ret = write_report(r);
	ret = ret ? ret : enqueue(r);
	ret = ret ? ret : mark(r, true);
	if (ret == 0) {
		log_report(r, SP_LOG_INFO, "queue.reported");
	}
	return ret == SP_ELIMIT || ret == SP_ENOTFOUND ? SP_ESTORE : ret;
}

static void reporting_fini(struct reporting *r)
{
	for (size_t i = 0; i < r->detail_count; i++) {
		sp_json_free(&r->details[i].json);
	}
	sp_buf_fini(&r->body);
	sp_arena_fini(&r->arena);
}

static int report_next(struct sp_queue *q, int64_t now_ms)
{
	struct reporting r = {.q = q, .now_ms = now_ms};
	int ret;

	sp_arena_init(&r.arena);
	sp_buf_init(&r.body, REPORT_BYTES);
	ret = sp_store_next_report(q->store, now_ms, q->ctx->conf->deliver,
	                           &r.arena, &r.report);
	if (ret == 0) {
		ret = report(&r);
	}
	reporting_fini(&r);
	return ret;
}

int sp_queue_report(struct sp_queue *q, int64_t now_ms)
{
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < REPORTS_MAX; i++) {
		ret = report_next(q, now_ms);
	}
	if (ret == 0) {
		sp_queue_wake(q); /* there may be more */
	}
	return ret == SP_ENOTFOUND ? 0 : ret;
}
