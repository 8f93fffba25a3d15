/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sign role: holds the DKIM keys, and nothing else: no network, no
 * store, no mail but what it is signing. The keys come as open files from
 * the parent; new ones come with a new process.
 *
 *   SIGN ─▶ HEADER ──domain of From has keys──▶ BODY ──last chunk──▶ SIGNED
 *             │  ▲ BODY_PULL / BODY_CHUNK        │ ▲
 *             │  └──────┘                        └─┘ chunk by chunk
 *             ├── no keys, no From, no header one could sign ──▶ SIGNED no
 *             └── the library fails ──▶ SIGNED failed: asked again later
 *
 * A body that fits into 64 KiB comes with SIGN and is answered at once. An
 * ask lives as long as the link that it came by: who comes back asks again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "role/dkim_keys.h"
#include "role/role.h"
#include "wire/json.h"

#define HEADER_MAX (1024u * 1024)
#define FIELDS_MAX 10000
#define ASKS_MAX   1000 /* queue has far fewer under way */

struct sign {
	struct sp_role_ctx *ctx;
	struct sp_dkim_lib *lib;
	struct sp_dkim_keys *keys;
	struct sp_role_link *queue;
	struct sp_map asks;  /* ask → struct ask */
	uint64_t results[3]; /* messages, by enum sp_msg_signed_result */
	uint64_t signatures; /* a message may have several */
};

struct ask {
	struct sign *role;
	uint64_t ask;
	char id[SP_MSG_ID_MAX + 1];
	struct sp_arena arena;
	struct sp_buf head; /* chunks up to the end of the header; the fields
	                     * point here */
	struct sp_str domain;
	struct sp_header_field *fields;
	size_t field_count;
	struct sp_dkim_signer *signers[SP_CONF_DKIM_KEYS_MAX];
	size_t signer_count; /* 0: in the header */
	uint32_t seq;        /* of the chunk asked for */
	char why[256];
};

/* What a step came to. */
enum step {
	STEP_MORE, /* another chunk is needed */
	STEP_SIGN, /* all is in */
	STEP_NO,
	STEP_FAILED,
};

/* --- one message --- */

static void ask_fini(struct ask *a)
{
	for (size_t i = 0; i < a->signer_count; i++) {
		sp_dkim_signer_free(&a->signers[i]);
	}
	sp_buf_fini(&a->head);
	sp_arena_fini(&a->arena);
}

static enum step refuse(struct ask *a, enum step step, const char *why)
{
	if (why) {
		(void)snprintf(a->why, sizeof(a->why), "%s", why);
	}
	return step;
}

static enum step
start_signers(struct ask *a, const struct sp_dkim_signing *first, size_t count)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < count; i++) {
		ret = sp_dkim_signer_new(a->role->lib, &first[i], a->fields,
		                         a->field_count, &a->signers[i], a->why,
		                         sizeof(a->why));
		a->signer_count += ret == 0;
	}
	if (ret) {
		return ret == SP_ESYNTAX ? STEP_NO : STEP_FAILED;
	}
	return STEP_MORE;
}

/* From has keys: the fields for them, and rest_out is the body so far. */
static enum step read_fields(struct ask *a, struct sp_str *rest_out)
{
	struct sp_str rest = sp_buf_str(&a->head);
	struct sp_header_field f;
	size_t count = 0;

	while (sp_header_field_next(&rest, true, &f) == SP_HEADER_FIELD_FOUND) {
		count++;
	}
	*rest_out = rest;
	if (count > FIELDS_MAX) {
		return refuse(a, STEP_NO, "too many header fields");
	}
	a->fields = sp_arena_array(&a->arena, count, sizeof(*a->fields));
	rest = sp_buf_str(&a->head);
	while (a->field_count < count) {
		(void)sp_header_field_next(&rest, true,
		                           &a->fields[a->field_count++]);
	}
	return STEP_MORE;
}

static enum step begin(struct ask *a, bool last, struct sp_str *rest_out)
{
	const struct sp_dkim_signing *first;
	enum sp_from from = sp_from_domain(sp_buf_str(&a->head), last,
	                                   &a->arena, &a->domain);
	enum step step;
	size_t count;

	*rest_out = SP_STR("");
	if (from == SP_FROM_MORE) {
		return STEP_MORE;
	}
	if (from != SP_FROM_FOUND) {
		return refuse(a, STEP_NO, sp_from_text(from));
	}
	sp_dkim_keys_find(a->role->keys, a->domain, &first, &count);
	if (count == 0) {
		return refuse(a, STEP_NO, SP_MSG_SIGN_NO_KEY);
	}
	step = read_fields(a, rest_out);
	return step == STEP_MORE ? start_signers(a, first, count) : step;
}

static enum step take_header(struct ask *a, struct sp_str data, bool last,
                             struct sp_str *rest_out)
{
	if (sp_buf_append_str(&a->head, data)) {
		return refuse(a, STEP_NO, sp_from_text(SP_FROM_MORE));
	}
	return begin(a, last, rest_out);
}

static enum step take(struct ask *a, struct sp_str data, bool last)
{
	enum step step = STEP_MORE;

	if (a->signer_count == 0) {
		step = take_header(a, data, last, &data);
	}
	for (size_t i = 0; step == STEP_MORE && i < a->signer_count; i++) {
		sp_dkim_signer_feed(a->signers[i], data);
	}
	return step == STEP_MORE && last ? STEP_SIGN : step;
}

static enum step write_signatures(struct ask *a, struct sp_buf *out)
{
	int64_t time_s = sp_time_wall_ms() / 1000;

	for (size_t i = 0; i < a->signer_count; i++) {
		if (sp_dkim_signer_finish(a->signers[i], time_s, out, a->why,
		                          sizeof(a->why))) {
			return STEP_FAILED;
		}
	}
	return STEP_SIGN;
}

static void answer(struct ask *a, enum step step)
{
	struct sp_msg_signed msg = {
		.ask = a->ask,
		.id = sp_str_from(a->id),
		.domain = a->domain,
	};
	struct sp_buf header;

	sp_buf_init(&header, SP_MSG_SIGNATURE_MAX);
	if (step == STEP_SIGN) {
		step = write_signatures(a, &header);
	}
	msg.result = step == STEP_SIGN ? SP_MSG_SIGNED_YES
	             : step == STEP_NO ? SP_MSG_SIGNED_NO
	                               : SP_MSG_SIGNED_FAILED;
	if (msg.result == SP_MSG_SIGNED_YES) {
		msg.header = sp_buf_str(&header);
		a->role->signatures += a->signer_count;
	} else {
		msg.why = sp_str_from(a->why);
	}
	a->role->results[msg.result]++;
	sp_role_send(a->role->queue, SP_MSG_SIGNED, SP_MSG_SIGNED_FIELDS, &msg);
	sp_buf_fini(&header);
}

/* --- pulling --- */

static void ask_free(struct ask *a)
{
	sp_map_remove(&a->role->asks, sp_map_key_u64(&a->ask));
	ask_fini(a);
	sp_free(a);
}

static void pull(struct ask *a)
{
	const struct sp_msg_body_pull msg = {
		.attempt_id = a->ask,
		.id = sp_str_from(a->id),
		.seq = a->seq,
	};

	sp_role_send(a->role->queue, SP_MSG_BODY_PULL, SP_MSG_BODY_PULL_FIELDS,
	             &msg);
}

static void ask_init(struct ask *a, struct sign *role,
                     const struct sp_msg_sign *msg)
{
	*a = (struct ask){.role = role, .ask = msg->ask};
	(void)snprintf(a->id, sizeof(a->id), SP_STR_FMT, SP_STR_ARG(msg->id));
	sp_arena_init(&a->arena);
	sp_buf_init(&a->head, HEADER_MAX + SP_BODY_CHUNK_MAX);
}

static int on_sign(struct sign *role, struct sp_str payload)
{
	struct sp_msg_sign msg = {0};
	struct ask *a;

	if (sp_unpack(SP_MSG_SIGN_FIELDS, payload, false, NULL, &msg) ||
	    role->asks.count >= ASKS_MAX ||
	    sp_map_find(&role->asks, sp_map_key_u64(&msg.ask))) {
		return SP_EPROTO;
	}
	if (msg.inline_body) {
		struct ask now;

		ask_init(&now, role, &msg);
		answer(&now, take(&now, msg.body, true));
		ask_fini(&now);
		return 0;
	}
	a = SP_NEW(struct ask);
	ask_init(a, role, &msg);
	sp_map_set(&role->asks, sp_map_key_u64(&a->ask), a);
	pull(a);
	return 0;
}

static int on_chunk(struct sign *role, struct sp_str payload)
{
	struct sp_msg_body_chunk msg = {0};
	enum step step;
	struct ask *a;

	if (sp_unpack(SP_MSG_BODY_CHUNK_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	a = sp_map_find(&role->asks, sp_map_key_u64(&msg.session));
	if (!a || msg.seq != a->seq) {
		return 0; /* late */
	}
	if (!msg.data.len && !msg.last) {
		ask_free(a); /* the message has gone */
		return 0;
	}
	step = take(a, msg.data, msg.last);
	if (step == STEP_MORE) {
		a->seq++;
		pull(a);
	} else {
		answer(a, step);
		ask_free(a);
	}
	return 0;
}

static void drop_all(struct sign *role)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&role->asks, &it, &key, &value)) {
		ask_free(value);
		it = (struct sp_map_iter){0};
	}
}

/* --- console's questions --- */

static struct sp_json *stats(struct sp_role_ctx *ctx)
{
	const struct sign *role = ctx->state;
	struct sp_json *obj = sp_json_object();

	sp_json_set_int(obj, "keys", (int64_t)sp_dkim_keys_count(role->keys));
	sp_json_set_int(obj, "signed",
	                (int64_t)role->results[SP_MSG_SIGNED_YES]);
	sp_json_set_int(obj, "signatures", (int64_t)role->signatures);
	sp_json_set_int(obj, "not_signed",
	                (int64_t)role->results[SP_MSG_SIGNED_NO]);
	sp_json_set_int(obj, "failed",
	                (int64_t)role->results[SP_MSG_SIGNED_FAILED]);
	sp_json_set_int(obj, "in_work", (int64_t)role->asks.count);
	return obj;
}

/* --- the role --- */

static int start(struct sp_role_ctx *ctx)
{
	struct sign *role = SP_NEW(struct sign);

	ctx->state = role;
	role->ctx = ctx;
	sp_map_init(&role->asks);
	role->lib = sp_dkim_lib_new();
	if (!role->lib) {
		(void)snprintf(ctx->why, sizeof(ctx->why),
		               "%s cannot be set up", sp_dkim_lib_version());
		return SP_EUNSUPPORTED;
	}
	return sp_dkim_keys_load(ctx->conf, ctx->fds, ctx->fd_count,
	                         &role->keys, ctx->why, sizeof(ctx->why));
}

static void link_up(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct sign *role = ctx->state;

	if (link->role == SP_ROLE_QUEUE) {
		role->queue = link;
	}
}

static void link_down(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct sign *role = ctx->state;

	if (link->role == SP_ROLE_QUEUE) {
		role->queue = NULL;
		drop_all(role);
	}
}

static int frame(struct sp_role_ctx *ctx, struct sp_role_link *link,
                 uint16_t type, struct sp_str payload)
{
	struct sign *role = ctx->state;
	bool queue = link->role == SP_ROLE_QUEUE;

	if (queue && type == SP_MSG_SIGN) {
		return on_sign(role, payload);
	}
	if (queue && type == SP_MSG_BODY_CHUNK) {
		return on_chunk(role, payload);
	}
	return SP_EPROTO;
}

static void finish(struct sp_role_ctx *ctx)
{
	struct sign *role = ctx->state;

	if (!role) {
		return;
	}
	drop_all(role);
	sp_map_fini(&role->asks);
	sp_dkim_keys_free(&role->keys);
	sp_dkim_lib_free(&role->lib);
	sp_free(role);
	ctx->state = NULL;
}

const struct sp_role_ops SP_ROLE_SIGN_OPS = {
	.start = start,
	.link_up = link_up,
	.link_down = link_down,
	.frame = frame,
	.finish = finish,
	.stats = stats,
};
