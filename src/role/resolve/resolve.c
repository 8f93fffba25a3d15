/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolve role: the only process that speaks DNS, for all workers with
 * one cache. It holds nothing else, because whoever finds a hole in the
 * validator from a hostile zone ends up here.
 *
 * Self-test: at start, and again while it fails (every few seconds) and
 * while all is well (every hour: anchors and clocks go bad too). Its verdict
 * travels with every answer.
 */
#include <stdio.h>

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "deliver/resolver_conf.h"
#include "net/resolver.h"
#include "role/role.h"
#include "wire/json.h"

#define SELF_TEST_OK_MS  (60 * 60 * 1000)
#define SELF_TEST_BAD_MS 5000

struct resolve {
	struct sp_role_ctx *ctx;
	struct sp_resolver *resolver;
	struct sp_timer *test_timer;
	struct sp_list questions; /* struct question: held for a link */
	struct sp_list waiting;   /* asked before the first self-test ended */
	bool tested;
	bool broken;
	char why[256];
	uint64_t asked;
	uint64_t answered[4]; /* by enum sp_dnssec */
};

struct question {
	struct sp_list node;
	struct resolve *role;
	struct sp_role_link *link; /* who asked; null: has gone */
	uint64_t id;               /* of the asker */
	uint64_t resolver_id;      /* 0: not asked yet */
	char *name;                /* owned */
	enum sp_dns_type type;
	bool fresh;
	bool anew;
};

static void question_free(struct question *q)
{
	sp_list_remove(&q->node);
	sp_free(q->name);
	sp_free(q);
}

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct question *q = arg;
	struct resolve *role = q->role;
	struct sp_msg_answer msg = {.id = q->id,
	                            .validator_broken = role->broken,
	                            .self_test = sp_str_from(role->why)};
	struct sp_buf bytes;

	sp_buf_init(&bytes, SP_FRAME_MAX / 2);
	role->answered[answer->dnssec]++;
	if (sp_dns_answer_encode(answer, &bytes) == 0) {
		msg.answer = sp_buf_str(&bytes);
	} /* empty: too large to travel; the asker takes it as failed */
	sp_role_send(q->link, SP_MSG_ANSWER, SP_MSG_ANSWER_FIELDS, &msg);
	sp_buf_fini(&bytes);
	sp_dns_answer_free(&answer);
	question_free(q);
}

static void ask(struct question *q)
{
	sp_list_remove(&q->node);
	sp_list_append(&q->role->questions, &q->node);
	q->resolver_id =
		q->anew ? sp_resolver_ask_anew(q->role->resolver,
	                                       sp_str_from(q->name), q->type,
	                                       on_answer, q)
			: sp_resolver_ask(q->role->resolver,
	                                  sp_str_from(q->name), q->type,
	                                  q->fresh, on_answer, q);
}

static void on_self_test(void *arg, int result, const char *why)
{
	struct resolve *role = arg;
	bool was_broken = role->broken;

	role->broken = result != 0;
	snprintf(role->why, sizeof(role->why), "%s", result ? why : "");
	if (role->broken) {
		sp_log(&role->ctx->log, SP_LOG_ERROR,
		       "resolver.self_test_failed", SP_F_CSTR("why", why),
		       SP_F_CSTR("effect", "DANE decisions are deferred"));
	} else if (!role->tested || was_broken) {
		sp_log(&role->ctx->log, SP_LOG_INFO, "resolver.self_test_ok");
	}
	role->tested = true;
	SP_LIST_FOREACH_SAFE (it, next, &role->waiting) {
		ask(SP_CONTAINER(it, struct question, node));
	}
	sp_timer_set(role->test_timer,
	             role->broken ? SELF_TEST_BAD_MS : SELF_TEST_OK_MS);
}

static void on_test_timer(void *arg)
{
	struct resolve *role = arg;

	sp_resolver_self_test(role->resolver, on_self_test, role);
}

static int start(struct sp_role_ctx *ctx)
{
	struct resolve *role = SP_NEW(struct resolve);
	int r;

	ctx->state = role;
	role->ctx = ctx;
	sp_list_init(&role->questions);
	sp_list_init(&role->waiting);
	role->test_timer = sp_timer_new(ctx->loop, on_test_timer, role);
	r = sp_resolver_from_conf(ctx->loop, ctx->conf, &role->resolver,
	                          ctx->why, sizeof(ctx->why));
	if (r == 0) {
		sp_resolver_self_test(role->resolver, on_self_test, role);
	}
	return r;
}

static struct question *find(struct resolve *role, struct sp_list *list,
                             const struct sp_role_link *link, uint64_t id)
{
	(void)role;
	SP_LIST_FOREACH (it, list) {
		struct question *q = SP_CONTAINER(it, struct question, node);

		if (q->link == link && q->id == id) {
			return q;
		}
	}
	return NULL;
}

static void cancel(struct resolve *role, struct question *q)
{
	if (q->resolver_id) {
		sp_resolver_cancel(role->resolver, q->resolver_id);
	}
	question_free(q);
}

static int on_ask(struct resolve *role, struct sp_role_link *link,
                  struct sp_str payload)
{
	struct sp_msg_ask msg = {0};
	struct question *q;

	if (sp_unpack(SP_MSG_ASK_FIELDS, payload, false, NULL, &msg) ||
	    msg.type > UINT16_MAX) {
		return SP_EPROTO;
	}
	q = SP_NEW(struct question);
	q->role = role;
	q->link = link;
	q->id = msg.id;
	q->name = sp_str_dup(msg.name);
	q->type = (enum sp_dns_type)msg.type;
	q->fresh = msg.fresh;
	q->anew = msg.anew;
	role->asked++;
	sp_list_append(&role->waiting, &q->node);
	if (role->tested) {
		ask(q);
	}
	return 0;
}

static int on_cancel(struct resolve *role, struct sp_role_link *link,
                     struct sp_str payload)
{
	struct sp_msg_ask_cancel msg = {0};
	struct question *q;

	if (sp_unpack(SP_MSG_ASK_CANCEL_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	q = find(role, &role->questions, link, msg.id);
	q = q ? q : find(role, &role->waiting, link, msg.id);
	if (q) {
		cancel(role, q);
	}
	return 0;
}

static struct sp_json *stats(struct sp_role_ctx *ctx)
{
	const struct resolve *role = ctx->state;
	struct sp_json *obj = sp_json_object();

	sp_json_set_int(obj, "questions", (int64_t)role->asked);
	for (int i = 0; i < 4; i++) {
		sp_json_set_int(obj, sp_dnssec_text((enum sp_dnssec)i),
		                (int64_t)role->answered[i]);
	}
	sp_json_set_bool(obj, "self_test_ok", role->tested && !role->broken);
	sp_json_set_cstr(obj, "self_test", role->broken ? role->why : NULL);
	return obj;
}

static int frame(struct sp_role_ctx *ctx, struct sp_role_link *link,
                 uint16_t type, struct sp_str payload)
{
	struct resolve *role = ctx->state;

	if (type == SP_MSG_ASK) {
		return on_ask(role, link, payload);
	}
	if (type == SP_MSG_ASK_CANCEL) {
		return on_cancel(role, link, payload);
	}
	return SP_EPROTO;
}

/* Who has gone needs no answers: a worker that comes back asks anew. */
static void link_down(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct resolve *role = ctx->state;
	struct sp_list *lists[] = {&role->questions, &role->waiting};

	for (size_t i = 0; i < 2; i++) {
		SP_LIST_FOREACH_SAFE (it, next, lists[i]) {
			struct question *q =
				SP_CONTAINER(it, struct question, node);

			if (q->link == link) {
				cancel(role, q);
			}
		}
	}
}

static void reload(struct sp_role_ctx *ctx)
{
	struct resolve *role = ctx->state;
	struct sp_resolver *fresh = NULL;

	if (sp_resolver_from_conf(ctx->loop, ctx->conf, &fresh, ctx->why,
	                          sizeof(ctx->why))) {
		sp_log(&ctx->log, SP_LOG_ERROR, "resolver.reload_failed",
		       SP_F_CSTR("why", ctx->why));
		return;
	}
	SP_LIST_FOREACH_SAFE (it, next, &role->questions) {
		struct question *q = SP_CONTAINER(it, struct question, node);

		sp_resolver_cancel(role->resolver, q->resolver_id);
		q->resolver_id = 0;
		sp_list_remove(&q->node);
		sp_list_append(&role->waiting, &q->node);
	}
	sp_resolver_free(&role->resolver);
	role->resolver = fresh;
	sp_resolver_self_test(role->resolver, on_self_test, role);
}

static void finish(struct sp_role_ctx *ctx)
{
	struct resolve *role = ctx->state;
	struct sp_list *lists[] = {&role->questions, &role->waiting};

	for (size_t i = 0; i < 2; i++) {
		SP_LIST_FOREACH_SAFE (it, next, lists[i]) {
			question_free(SP_CONTAINER(it, struct question, node));
		}
	}
	sp_resolver_free(&role->resolver);
	sp_timer_free(&role->test_timer);
	sp_free(role);
}

const struct sp_role_ops SP_ROLE_RESOLVE_OPS = {
	.start = start,
	.link_down = link_down,
	.frame = frame,
	.reload = reload,
	.finish = finish,
	.stats = stats,
};
