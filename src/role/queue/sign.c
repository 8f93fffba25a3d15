/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DKIM: which messages wait for a signature, and the asking for it.
 *
 *   enqueued, From of a domain with keys ──▶ to sign, never due
 *     │ ▲                                        │ listed in a turn, SIGN
 *     │ └─ link down, failed (RETRY_MS) ◀── ASKED ┘ behind its commit
 *     │                                     │ BODY_PULL / BODY_CHUNK
 *     ▼                                     ▼ SIGNED
 *   (without keys: due at once)          signature stored, due now
 *
 * What waits stands in the store; in memory is only who was asked. So a
 * queue or a sign role that dies loses nothing: all is asked again. The list
 * is walked by a cursor, so that messages which fail over and over keep
 * nobody else waiting; whatever may be behind the cursor rewinds it. Without
 * messages to sign a turn costs one comparison.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/time.h"
#include "role/queue/queue.h"
#include "wire/field.h"
#include "wire/json.h"

#define ASK_MAX  32
#define RETRY_MS 5000

struct asked {
	uint64_t ask;
	char id[SP_MSG_ID_MAX + 1];
};

/* An ask of this turn, to be sent behind its commit. */
struct ask {
	struct sp_list node;
	struct sp_msg_sign msg;
};

/* ---- who is signed ---- */

bool sp_queue_wants_signature(struct sp_queue *q, struct sp_str head, bool all)
{
	struct sp_arena arena;
	struct sp_str domain;
	enum sp_from from;
	bool wants;

	if (q->ctx->conf->dkim_count == 0) {
		return false;
	}
	sp_arena_init(&arena);
	from = sp_from_domain(head, all, &arena, &domain);
	wants = from == SP_FROM_MORE || /* sign sees all of it */
	        (from == SP_FROM_FOUND &&
	         sp_conf_dkim_find(q->ctx->conf, domain));
	sp_arena_fini(&arena);
	if (from == SP_FROM_BAD || from == SP_FROM_MANY) {
		sp_log(&q->ctx->log, SP_LOG_INFO, "queue.not_signed",
		       SP_F_CSTR("why", sp_from_text(from)));
	}
	q->signing.any = q->signing.any || wants;
	return wants;
}

/* ---- asking ---- */

void sp_queue_sign_rewind(struct sp_queue *q)
{
	q->signing.any = true;
	q->signing.seq = 0;
}

void sp_queue_sign_retry(void *arg)
{
	struct sp_queue *q = arg;

	q->signing.retry_set = false;
	sp_queue_sign_rewind(q);
	sp_queue_wake(q);
}

static void retry_later(struct sp_queue *q)
{
	if (!q->signing.retry_set) {
		q->signing.retry_set = true;
		sp_timer_set(q->signing.retry, RETRY_MS);
	}
}

void sp_queue_sign_down(struct sp_queue *q)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&q->signing.asked, &it, &key, &value)) {
		sp_map_remove(&q->signing.asked, key);
		sp_free(value);
		it = (struct sp_map_iter){0};
	}
	sp_queue_sign_rewind(q);
}

static struct sp_role_link *link_of(struct sp_queue *q)
{
	struct sp_role_link *link = sp_role_find_link(q->ctx, SP_ROLE_SIGN, 0);

	return link && link->channel ? link : NULL;
}

/* All of a body that travels with its ask. SP_ENOTFOUND: it has gone. */
static int read_inline(struct sp_queue *q, struct sp_str id,
                       struct sp_str *body_out)
{
	char *body = sp_arena_alloc(&q->turn_arena, SP_BODY_INLINE_MAX);
	struct sp_str part;
	bool last = false;
	size_t len = 0;

	for (uint32_t seq = 0; !last; seq++) {
		int ret = sp_store_read_body(q->store, id, seq, &q->turn_arena,
		                             &part, &last);

		if (ret) {
			return ret;
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

static int add_ask(struct sp_queue *q, const struct sp_store_to_sign *m,
                   struct sp_list *asks)
{
	struct ask *a = sp_arena_alloc(&q->turn_arena, sizeof(*a));
	int ret = 0;

	a->msg.ask = ++q->signing.last_ask;
	a->msg.id = m->id;
	a->msg.inline_body = m->size_bytes <= SP_BODY_INLINE_MAX;
	if (a->msg.inline_body) {
		ret = read_inline(q, m->id, &a->msg.body);
	}
	if (ret == 0) {
		sp_list_append(asks, &a->node);
		q->signing.asking++;
	}
	return ret == SP_ENOTFOUND ? 0 : ret;
}

int sp_queue_sign_list(struct sp_queue *q, struct sp_list *asks)
{
	struct sp_queue_signing *s = &q->signing;
	size_t room = ASK_MAX - s->asked.count;
	struct sp_store_to_sign *list;
	size_t max = 2 * ASK_MAX; /* those asked may be among them */
	size_t count = 0;
	int ret;

	s->asking = 0;
	if (!s->any || room == 0 || q->ctx->stopping || !link_of(q)) {
		return 0;
	}
	ret = sp_store_list_to_sign(q->store, s->seq, max, &q->turn_arena,
	                            &list, &count);
	s->any = count == max;
	for (size_t i = 0; ret == 0 && i < count; i++) {
		if (s->asking == room) {
			s->any = true;
			break;
		}
		s->seq = list[i].seq;
		if (!sp_map_find(&s->asked, list[i].id)) {
			ret = add_ask(q, &list[i], asks);
		}
	}
	return ret;
}

void sp_queue_sign_send(struct sp_queue *q, struct sp_list *asks)
{
	struct sp_role_link *link = link_of(q);

	SP_LIST_FOREACH (it, asks) {
		const struct ask *a = SP_CONTAINER(it, struct ask, node);
		struct asked *asked = SP_NEW(struct asked);

		asked->ask = a->msg.ask;
		(void)snprintf(asked->id, sizeof(asked->id), SP_STR_FMT,
		               SP_STR_ARG(a->msg.id));
		sp_map_set(&q->signing.asked, sp_str_from(asked->id), asked);
		sp_role_send(link, SP_MSG_SIGN, SP_MSG_SIGN_FIELDS, &a->msg);
	}
}

/* The ask that an answer is for; null: an older one. */
static struct asked *find_asked(struct sp_queue *q, struct sp_str id,
                                uint64_t ask)
{
	struct asked *asked = sp_map_find(&q->signing.asked, id);

	return asked && asked->ask == ask ? asked : NULL;
}

static void forget(struct sp_queue *q, struct asked *asked)
{
	if (asked) {
		sp_map_remove(&q->signing.asked, sp_str_from(asked->id));
		sp_free(asked);
	}
	if (q->signing.any) {
		sp_queue_wake(q); /* there is room for the next */
	}
}

/* ---- BODY_PULL ---- */

static int pull_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_body_pull *m = op->msg;
	int ret = SP_ENOTFOUND;

	if (find_asked(q, m->id, m->attempt_id)) {
		ret = sp_store_read_body(q->store, m->id, m->seq,
		                         &q->turn_arena, &op->data, &op->last);
	}
	op->result = ret == 0 ? SP_QUEUE_RESULT_FOUND : SP_QUEUE_RESULT_SILENT;
	return ret == SP_ENOTFOUND ? 0 : ret;
}

/* An empty chunk: sign drops the ask. */
static void pull_answer(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_body_pull *m = op->msg;
	struct sp_msg_body_chunk chunk = {
		.session = m->attempt_id,
		.seq = m->seq,
	};

	if (op->result == SP_QUEUE_RESULT_FOUND) {
		chunk.data = op->data;
		chunk.last = op->last;
	} else {
		forget(q, find_asked(q, m->id, m->attempt_id));
	}
	sp_role_send(op->link, SP_MSG_BODY_CHUNK, SP_MSG_BODY_CHUNK_FIELDS,
	             &chunk);
}

const struct sp_queue_verb SP_QUEUE_SIGN_PULL = {"sign-pull", pull_apply,
                                                 pull_answer, NULL};

/* ---- SIGNED ---- */

/* Whole fields and nothing else, no empty line either: what comes here goes
 * out before the header. */
static unsigned count_signatures(struct sp_str header)
{
	struct sp_header_field f;
	unsigned count = 0;

	if (!sp_str_ends_nocase(header, SP_STR("\r\n"))) {
		return 0;
	}
	for (; header.len > 0; count++) {
		if (sp_header_field_next(&header, true, &f) !=
		            SP_HEADER_FIELD_FOUND ||
		    !sp_str_eq_nocase(f.name, SP_STR("DKIM-Signature"))) {
			return 0;
		}
	}
	return count;
}

/* {"dkim": {"signed": true, "domain": ..., "signatures": 2}} */
static int store_result(struct sp_queue *q, const struct sp_msg_signed *m,
                        unsigned signatures)
{
	struct sp_json *detail = sp_json_object();
	struct sp_json *dkim = sp_json_object();
	struct sp_buf text;
	int ret;

	sp_json_set_bool(dkim, "signed", signatures > 0);
	if (m->domain.len) {
		sp_json_set_text(dkim, "domain", m->domain);
	}
	if (signatures) {
		sp_json_set_int(dkim, "signatures", signatures);
	} else {
		sp_json_set_text(dkim, "why", m->why);
	}
	sp_json_set(detail, "dkim", dkim);
	sp_buf_init(&text, SP_STORE_DETAIL_MAX);
	ret = sp_json_write(detail, &text);
	if (ret == 0) {
		ret = sp_store_sign(q->store, m->id,
		                    signatures ? m->header : SP_STR(""),
		                    sp_time_wall_ms(), sp_buf_str(&text));
	}
	sp_buf_fini(&text);
	sp_json_free(&detail);
	return ret == SP_ENOTFOUND ? 0 : ret; /* it was removed meanwhile */
}

/* Sign may still have the keys of before a reload; ours are the newer. */
static bool is_final_no(const struct sp_queue *q, const struct sp_msg_signed *m)
{
	return m->result == SP_MSG_SIGNED_NO &&
	       !(m->domain.len &&
	         sp_str_eq(m->why, SP_STR(SP_MSG_SIGN_NO_KEY)) &&
	         sp_conf_dkim_find(q->ctx->conf, m->domain));
}

static void log_result(struct sp_queue *q, const struct sp_msg_signed *m,
                       enum sp_log_level level, const char *event)
{
	sp_log(&q->ctx->log, level, event, SP_F_STR("id", m->id),
	       SP_F_STR("domain", m->domain), SP_F_STR("why", m->why));
}

static int signed_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_signed *m = op->msg;
	unsigned signatures = 0;

	if (!find_asked(q, m->id, m->ask)) {
		return 0; /* asked again since */
	}
	if (m->result == SP_MSG_SIGNED_YES) {
		signatures = count_signatures(m->header);
	}
	if (signatures) {
		return store_result(q, m, signatures);
	}
	if (is_final_no(q, m)) {
		log_result(q, m, SP_LOG_WARN, "queue.not_signed");
		return store_result(q, m, 0);
	}
	log_result(q, m, SP_LOG_ERROR, "queue.sign_failed");
	retry_later(q);
	return 0;
}

static void signed_answer(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_signed *m = op->msg;

	forget(q, find_asked(q, m->id, m->ask));
}

const struct sp_queue_verb SP_QUEUE_SIGNED = {"signed", signed_apply,
                                              signed_answer, NULL};

/* ---- life ---- */

void sp_queue_sign_init(struct sp_queue *q)
{
	sp_map_init(&q->signing.asked);
	q->signing.retry = sp_timer_new(q->ctx->loop, sp_queue_sign_retry, q);
	q->signing.any = true; /* of a time before */
}

void sp_queue_sign_fini(struct sp_queue *q)
{
	sp_queue_sign_down(q);
	sp_map_fini(&q->signing.asked);
	sp_timer_free(&q->signing.retry);
}
