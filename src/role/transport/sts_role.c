/* SPDX-License-Identifier: Apache-2.0 */
/* The cache with messages behind it. The role fetch is the one nearest to
 * hostile servers: what it says is checked like the word of a stranger. */
#include "base/err.h"
#include "base/mem.h"
#include "deliver/sts_cache.h"
#include "deliver/sts_fetch.h"
#include "role/transport/sts_role.h"
#include "wire/mta_sts.h"

struct sts_role {
	struct sp_sts_backend backend; /* first */
	struct sp_role_ctx *ctx;
	struct sp_role_link *fetch; /* null while it is away */
	struct sp_role_link *queue;
	struct sp_sts_cache *cache;
};

static void start(struct sp_sts_backend *backend, uint64_t id,
                  struct sp_str domain)
{
	struct sts_role *s = (struct sts_role *)backend;
	struct sp_arena arena = {0};
	const struct sp_msg_fetch msg = {
		.id = id,
		.url = sp_sts_url(s->ctx->conf, domain, &arena),
		.body_max = SP_STS_BODY_MAX,
		.timeout_ms = (uint32_t)s->ctx->conf->sts.timeout_ms,
	};

	sp_role_send(s->fetch, SP_MSG_FETCH, SP_MSG_FETCH_FIELDS, &msg);
	sp_arena_fini(&arena);
}

static void cancel(struct sp_sts_backend *backend, uint64_t id)
{
	struct sts_role *s = (struct sts_role *)backend;
	const struct sp_msg_fetch_cancel msg = {id};

	sp_role_send(s->fetch, SP_MSG_FETCH_CANCEL, SP_MSG_FETCH_CANCEL_FIELDS,
	             &msg);
}

static void send_row(void *arg, const struct sp_sts_row *row)
{
	const struct sts_role *s = arg;
	const struct sp_msg_sts msg = {
		.domain = row->domain,
		.id = row->id,
		.body = row->body,
		.fetched_ms = row->fetched_ms,
		.expires_ms = row->expires_ms,
	};

	sp_role_send(s->queue, SP_MSG_STS_KEEP, SP_MSG_STS_FIELDS, &msg);
}

static void kept(struct sp_sts_backend *backend, const struct sp_sts_row *row)
{
	send_row(backend, row);
}

/* A status that can't be, or too much of a body: a failure. */
static void read_fetched(const struct sp_msg_fetched *msg,
                         struct sp_fetch_result *out)
{
	*out = (struct sp_fetch_result){
		.status = SP_FETCH_FAILED,
		.code = msg->code,
		.type = msg->type,
		.why = msg->why,
	};
	if (msg->address.len &&
	    sp_addr_parse(msg->address, 0, &out->addr) != 0) {
		out->addr = (struct sp_addr){0};
	}
	if (msg->status == SP_FETCH_WEBPKI) {
		out->status = SP_FETCH_WEBPKI;
	} else if (msg->status == SP_FETCH_ANSWERED &&
	           msg->body.len <= SP_STS_BODY_MAX) {
		out->status = SP_FETCH_ANSWERED;
		out->body = msg->body;
	}
}

int sts_role_fetched(struct sts_role *s, struct sp_str payload)
{
	struct sp_msg_fetched msg = {0};
	struct sp_fetch_result result;
	struct sp_sts_fetched fetched;
	char why[SP_FETCH_WHY_MAX];

	if (sp_unpack(SP_MSG_FETCHED_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	read_fetched(&msg, &result);
	sp_sts_fetched_read(&result, why, &fetched);
	sp_sts_cache_done(s->cache, msg.id, &fetched);
	return 0;
}

const struct sp_sts_row *sts_role_row(struct sts_role *s,
                                      const struct sp_msg_sts *msg,
                                      struct sp_sts_row *row_out)
{
	if (!msg->domain.len) {
		return NULL;
	}
	*row_out = (struct sp_sts_row){
		.domain = msg->domain,
		.id = msg->id,
		.body = msg->body,
		.fetched_ms = msg->fetched_ms,
		.expires_ms = msg->expires_ms,
	};
	sp_sts_cache_stored(s->cache, row_out);
	return row_out;
}

void sts_role_link_up(struct sts_role *s, struct sp_role_link *link)
{
	if (link->role == SP_ROLE_FETCH) {
		s->fetch = link;
		sp_sts_cache_restart(s->cache);
	} else if (link->role == SP_ROLE_QUEUE) {
		s->queue = link;
		sp_sts_cache_each(s->cache, send_row, s);
	}
}

void sts_role_link_down(struct sts_role *s, const struct sp_role_link *link)
{
	if (link->role == SP_ROLE_FETCH) {
		s->fetch = NULL;
	} else if (link->role == SP_ROLE_QUEUE) {
		s->queue = NULL;
	}
}

void sts_role_reload(struct sts_role *s)
{
	sp_sts_cache_set_back_off(s->cache, s->ctx->conf->sts.back_off_ms);
}

struct sts_role *sts_role_new(struct sp_role_ctx *ctx)
{
	struct sts_role *s = SP_NEW(struct sts_role);

	s->backend = (struct sp_sts_backend){start, cancel, kept};
	s->ctx = ctx;
	s->cache = sp_sts_cache_new(ctx->loop, &s->backend,
	                            ctx->conf->sts.back_off_ms);
	return s;
}

void sts_role_free(struct sts_role **sts)
{
	struct sts_role *s = *sts;

	if (s) {
		*sts = NULL;
		sp_sts_cache_free(&s->cache);
		sp_free(s);
	}
}

struct sp_sts_source *sts_role_borrow(struct sts_role *s)
{
	return sp_sts_cache_borrow(s->cache);
}
