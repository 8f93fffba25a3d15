/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetch role: the only process that speaks HTTPS, to hosts that strangers
 * have named. It holds no mail, no keys and no store, and connects only where
 * the address guard lets it.
 *
 *   FETCH ─▶ job ─▶ WAITING ──there is room──▶ RUNNING ─▶ FETCHED to all
 *             ▲  a GET of the same URL joins         │ nobody waits any more
 *             └──────────────────────────────────────┴─▶ gone
 *
 * No more than PARALLEL_MAX run, and no more than HOST_MAX for one host: a
 * slow host keeps others from theirs for no longer than the asker's time. The
 * time of a job begins when it runs.
 */
#include <stdio.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/download.h"
#include "role/lookup_role.h"
#include "role/role.h"

#define PARALLEL_MAX 200
#define HOST_MAX     4
#define WAITING_MAX  5000 /* jobs; more are refused */

struct fetch {
	struct sp_role_ctx *ctx;
	struct sp_lookup_role *lookup;
	struct sp_fetcher *fetcher;
	struct sp_list waiting;
	struct sp_list running;
	size_t waiting_count;
	size_t running_count;
	struct sp_map gets; /* struct job by URL and limit */
	struct sp_deferred *next;
	uint64_t asked;
	uint64_t shared;
	uint64_t refused;
	uint64_t ended[3]; /* by enum sp_fetch_status */
};

struct job {
	struct sp_list node; /* in waiting or running */
	struct fetch *role;
	struct sp_arena arena; /* owns the strings of ask and url */
	struct sp_msg_fetch ask;
	struct sp_fetch_url url;
	char *key; /* of gets; null: not shared */
	struct sp_list askers;
	struct sp_download *download; /* null: waiting */
	int64_t begin_ms;             /* monotonic; when it began to run */
};

struct asker {
	struct sp_list node;
	struct sp_role_link *link;
	uint64_t id;
};

/* ---- answers ---- */

static void answer(struct sp_role_link *link, uint64_t id,
                   const struct sp_fetch_result *result)
{
	char addr[SP_ADDR_TEXT] = "";
	struct sp_msg_fetched msg = {
		.id = id,
		.status = (uint8_t)result->status,
		.code = result->code,
		.type = result->type,
		.body = result->body,
		.why = result->why,
	};

	if (result->addr.family) {
		sp_addr_text_port(&result->addr, addr);
		msg.address = sp_str_from(addr);
	}
	sp_role_send(link, SP_MSG_FETCHED, SP_MSG_FETCHED_FIELDS, &msg);
}

static void refuse(struct fetch *role, struct sp_role_link *link, uint64_t id,
                   const char *why)
{
	const struct sp_fetch_result result = {
		.status = SP_FETCH_FAILED,
		.why = sp_str_from(why),
	};

	role->refused++;
	answer(link, id, &result);
}

/* ---- jobs ---- */

static void job_free(struct job *job)
{
	struct fetch *role = job->role;

	SP_LIST_FOREACH_SAFE (it, next, &job->askers) {
		sp_free(SP_CONTAINER(it, struct asker, node));
	}
	if (job->download) {
		role->running_count--;
		sp_deferred_call(role->next);
	} else {
		role->waiting_count--;
	}
	if (job->key) {
		sp_map_remove(&role->gets, sp_str_from(job->key));
	}
	sp_list_remove(&job->node);
	sp_download_free(&job->download);
	sp_arena_fini(&job->arena);
	sp_free(job);
}

static void on_result(void *arg, const struct sp_fetch_result *result)
{
	struct job *job = arg;
	struct fetch *role = job->role;
	char addr[SP_ADDR_TEXT] = "";

	role->ended[result->status]++;
	if (result->addr.family) {
		sp_addr_text_port(&result->addr, addr);
	}
	sp_log(&role->ctx->log, SP_LOG_INFO, "fetch.done",
	       SP_F_CSTR("url", job->url.text), SP_F_INT("code", result->code),
	       SP_F_CSTR("address", addr), SP_F_INT("bytes", result->body.len),
	       SP_F_STR("why", result->why),
	       SP_F_INT("ms", sp_time_mono_ms() - job->begin_ms));
	SP_LIST_FOREACH (it, &job->askers) {
		const struct asker *asker =
			SP_CONTAINER(it, struct asker, node);

		answer(asker->link, asker->id, result);
	}
	job_free(job);
}

static void run(struct job *job)
{
	struct fetch *role = job->role;
	const struct sp_download_ask ask = {
		.loop = role->ctx->loop,
		.lookup = sp_lookup_role_borrow(role->lookup),
		.fetcher = role->fetcher,
		.url = job->ask.url,
		.post = job->ask.post,
		.post_type = job->ask.post_type,
		.body = job->ask.body,
		.body_max = job->ask.body_max,
		.timeout_ms = job->ask.timeout_ms,
	};

	sp_list_remove(&job->node);
	sp_list_append(&role->running, &job->node);
	role->waiting_count--;
	role->running_count++;
	job->begin_ms = sp_time_mono_ms();
	job->download = sp_download_new(&ask, on_result, job);
}

static size_t running_at(const struct fetch *role, struct sp_str host)
{
	size_t count = 0;

	SP_LIST_FOREACH (it, &role->running) {
		const struct job *job = SP_CONTAINER(it, struct job, node);

		count += sp_str_eq(job->url.host, host) ? 1 : 0;
	}
	return count;
}

static void on_next(void *arg)
{
	struct fetch *role = arg;

	SP_LIST_FOREACH_SAFE (it, next, &role->waiting) {
		struct job *job = SP_CONTAINER(it, struct job, node);

		if (role->running_count >= PARALLEL_MAX) {
			return;
		}
		if (running_at(role, job->url.host) < HOST_MAX) {
			run(job);
		}
	}
}

static void add_asker(struct job *job, struct sp_role_link *link, uint64_t id)
{
	struct asker *asker = SP_NEW(struct asker);

	asker->link = link;
	asker->id = id;
	sp_list_append(&job->askers, &asker->node);
}

/* Takes the arena, which owns all of ask. */
static void job_new(struct fetch *role, struct sp_role_link *link,
                    struct sp_arena arena, const struct sp_msg_fetch *ask,
                    const struct sp_fetch_url *url, char *key)
{
	struct job *job = SP_NEW(struct job);

	job->role = role;
	job->arena = arena;
	job->ask = *ask;
	job->url = *url;
	job->key = key;
	sp_list_init(&job->askers);
	sp_list_init(&job->node);
	add_asker(job, link, ask->id);
	if (key) {
		sp_map_set(&role->gets, sp_str_from(key), job);
	}
	sp_list_append(&role->waiting, &job->node);
	role->waiting_count++;
	sp_deferred_call(role->next);
}

/* ---- frames ---- */

/* True: answered, or somebody else's job will. */
static bool answer_otherwise(struct fetch *role, struct sp_role_link *link,
                             const struct sp_msg_fetch *ask,
                             struct sp_arena *arena,
                             struct sp_fetch_url *url_out, char **key_out)
{
	char why[SP_FETCH_WHY_MAX];
	struct job *same;

	if (sp_fetch_url_parse(ask->url, arena, url_out, why)) {
		refuse(role, link, ask->id, why);
		return true;
	}
	if (!ask->post) {
		*key_out = sp_arena_printf(arena, "%u %s", ask->body_max,
		                           url_out->text);
		same = sp_map_find(&role->gets, sp_str_from(*key_out));
		if (same) {
			role->shared++;
			add_asker(same, link, ask->id);
			return true;
		}
	}
	if (role->waiting_count >= WAITING_MAX) {
		refuse(role, link, ask->id, "too many requests are waiting");
		return true;
	}
	return false;
}

static int on_ask(struct fetch *role, struct sp_role_link *link,
                  struct sp_str payload)
{
	struct sp_arena arena = {0};
	struct sp_msg_fetch ask = {0};
	struct sp_fetch_url url = {0};
	char *key = NULL;

	if (sp_unpack(SP_MSG_FETCH_FIELDS, payload, true, &arena, &ask) ||
	    ask.body_max > SP_MSG_FETCHED_MAX) {
		sp_arena_fini(&arena);
		return SP_EPROTO;
	}
	role->asked++;
	if (answer_otherwise(role, link, &ask, &arena, &url, &key)) {
		sp_arena_fini(&arena);
	} else {
		job_new(role, link, arena, &ask, &url, key);
	}
	return 0;
}

static void drop_from(struct job *job, const struct sp_role_link *link,
                      const uint64_t *id)
{
	SP_LIST_FOREACH_SAFE (it, next, &job->askers) {
		struct asker *asker = SP_CONTAINER(it, struct asker, node);

		if (asker->link == link && (!id || asker->id == *id)) {
			sp_list_remove(&asker->node);
			sp_free(asker);
		}
	}
	if (sp_list_empty(&job->askers)) {
		job_free(job);
	}
}

/* Who asked over the link with this id (null: any) waits no more. */
static void drop_askers(struct fetch *role, const struct sp_role_link *link,
                        const uint64_t *id)
{
	struct sp_list *lists[] = {&role->running, &role->waiting};

	for (size_t i = 0; i < 2; i++) {
		SP_LIST_FOREACH_SAFE (it, next, lists[i]) {
			drop_from(SP_CONTAINER(it, struct job, node), link, id);
		}
	}
}

static int on_cancel(struct fetch *role, struct sp_role_link *link,
                     struct sp_str payload)
{
	struct sp_msg_fetch_cancel msg = {0};

	if (sp_unpack(SP_MSG_FETCH_CANCEL_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	drop_askers(role, link, &msg.id);
	return 0;
}

/* ---- console's questions ---- */

static struct sp_json *sessions(struct sp_role_ctx *ctx)
{
	const struct fetch *role = ctx->state;
	struct sp_json *list = sp_json_array();
	int64_t now_ms = sp_time_mono_ms();

	SP_LIST_FOREACH (it, &role->running) {
		const struct job *job = SP_CONTAINER(it, struct job, node);
		struct sp_json *row = sp_json_object();

		sp_json_set_cstr(row, "role", "fetch");
		sp_json_set_cstr(row, "state", job->ask.post ? "post" : "get");
		sp_json_set_str(row, "host", job->url.host);
		sp_json_set_cstr(row, "url", job->url.text);
		sp_json_set_bool(row, "tls", true);
		sp_json_set_int(row, "age_ms", now_ms - job->begin_ms);
		sp_json_add(list, row);
	}
	return list;
}

static struct sp_json *stats(struct sp_role_ctx *ctx)
{
	const struct fetch *role = ctx->state;
	struct sp_json *obj = sp_json_object();

	sp_json_set_int(obj, "running", (int64_t)role->running_count);
	sp_json_set_int(obj, "waiting", (int64_t)role->waiting_count);
	sp_json_set_int(obj, "requests", (int64_t)role->asked);
	sp_json_set_int(obj, "shared", (int64_t)role->shared);
	sp_json_set_int(obj, "refused", (int64_t)role->refused);
	sp_json_set_int(obj, "answered",
	                (int64_t)role->ended[SP_FETCH_ANSWERED]);
	sp_json_set_int(obj, "failed", (int64_t)role->ended[SP_FETCH_FAILED]);
	sp_json_set_int(obj, "webpki", (int64_t)role->ended[SP_FETCH_WEBPKI]);
	return obj;
}

/* ---- the role ---- */

static int start(struct sp_role_ctx *ctx)
{
	struct fetch *role = SP_NEW(struct fetch);

	ctx->state = role;
	role->ctx = ctx;
	role->lookup = sp_lookup_role_new();
	role->fetcher = sp_fetcher_from_conf(ctx->loop, ctx->conf);
	sp_list_init(&role->waiting);
	sp_list_init(&role->running);
	sp_map_init(&role->gets);
	role->next = sp_deferred_new(ctx->loop, on_next, role);
	return 0;
}

static void link_up(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct fetch *role = ctx->state;

	if (link->role == SP_ROLE_RESOLVE) {
		sp_lookup_role_link_up(role->lookup, link);
	}
}

/* Who comes back asks anew. */
static void link_down(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct fetch *role = ctx->state;

	if (link->role == SP_ROLE_RESOLVE) {
		sp_lookup_role_link_down(role->lookup);
	} else {
		drop_askers(role, link, NULL);
	}
}

static int frame(struct sp_role_ctx *ctx, struct sp_role_link *link,
                 uint16_t type, struct sp_str payload)
{
	struct fetch *role = ctx->state;

	if (link->role == SP_ROLE_RESOLVE) {
		return type == SP_MSG_ANSWER
		               ? sp_lookup_role_answer(role->lookup, payload)
		               : SP_EPROTO;
	}
	if (type == SP_MSG_FETCH) {
		return on_ask(role, link, payload);
	}
	return type == SP_MSG_FETCH_CANCEL ? on_cancel(role, link, payload)
	                                   : SP_EPROTO;
}

/* What runs begins again, under the new bundle and guard. */
static void reload(struct sp_role_ctx *ctx)
{
	struct fetch *role = ctx->state;
	struct sp_list *it;

	while ((it = sp_list_first(&role->running))) {
		struct job *job = SP_CONTAINER(it, struct job, node);

		sp_download_free(&job->download);
		sp_list_remove(&job->node);
		sp_list_prepend(&role->waiting, &job->node);
		role->running_count--;
		role->waiting_count++;
	}
	sp_fetcher_free(&role->fetcher);
	role->fetcher = sp_fetcher_from_conf(ctx->loop, ctx->conf);
	sp_deferred_call(role->next);
}

static void finish(struct sp_role_ctx *ctx)
{
	struct fetch *role = ctx->state;
	struct sp_list *lists[] = {&role->running, &role->waiting};

	for (size_t i = 0; i < 2; i++) {
		SP_LIST_FOREACH_SAFE (it, next, lists[i]) {
			job_free(SP_CONTAINER(it, struct job, node));
		}
	}
	sp_deferred_free(&role->next);
	sp_fetcher_free(&role->fetcher);
	sp_lookup_role_free(&role->lookup);
	sp_map_fini(&role->gets);
	sp_free(role);
}

const struct sp_role_ops SP_ROLE_FETCH_OPS = {
	.start = start,
	.link_up = link_up,
	.link_down = link_down,
	.frame = frame,
	.reload = reload,
	.finish = finish,
	.stats = stats,
	.sessions = sessions,
};
