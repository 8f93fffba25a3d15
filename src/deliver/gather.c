/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge between the pure plan and the DNS, and between the plan and the
 * MTA-STS policy, which is waited for where the plan has a host to use. The end
 * always comes through a deferred call, also of a plan that needs no question
 * at all (a literal as next-hop), so that callers see one order of events: new,
 * then the callback.
 */
#include "base/list.h"
#include "base/mem.h"
#include "base/rand.h"
#include "deliver/gather.h"
#include "deliver/sts_find.h"
#include "wire/address.h"

struct question {
	struct sp_list node;
	struct sp_gather *gather;
	unsigned id;        /* of the plan */
	struct sp_str name; /* the plan's */
	enum sp_dns_type type;
	uint64_t lookup_id; /* of the lookup */
};

struct sp_gather {
	struct sp_lookup *lookup;
	struct sp_plan *plan;     /* owned until done */
	struct sp_list questions; /* outstanding */
	struct sp_sts_find *sts;  /* owned; null: off, or of no use */
	bool fresh;
	const char *late; /* past the deadline: which; null: not yet */
	struct sp_timer *deadline;
	struct sp_deferred *finish; /* owned */
	sp_gather_fn *fn;
	void *arg;
};

static void on_answer(void *arg, struct sp_dns_answer *answer);

static void answer_late(struct sp_gather *g, unsigned id, struct sp_str name,
                        enum sp_dns_type type)
{
	struct sp_dns_answer *answer = sp_dns_answer_new(name, type);

	answer->scenario = SP_STR("dns-timeout");
	sp_dns_answer_set_why(answer, sp_str_from(g->late));
	sp_plan_answer(g->plan, id, &answer);
}

/* A plan without a host to use is not changed by any policy. */
static void finish_if_done(struct sp_gather *g)
{
	if (!g->plan || !sp_plan_done(g->plan)) {
		return;
	}
	if (g->plan->verdict.class != SP_VERDICT_DELIVERED) {
		sp_sts_find_free(&g->sts);
	}
	if (!g->sts || sp_sts_find_done(g->sts)) {
		sp_deferred_call(g->finish);
	}
}

static void ask_open(struct sp_gather *g)
{
	struct sp_plan_question q;

	while (sp_plan_next(g->plan, &q)) {
		struct question *mine;

		if (g->late) {
			answer_late(g, q.id, q.name, q.type);
			continue;
		}
		mine = SP_NEW(struct question);
		mine->gather = g;
		mine->id = q.id;
		mine->name = q.name;
		mine->type = q.type;
		sp_list_append(&g->questions, &mine->node);
		mine->lookup_id = g->lookup->ask(g->lookup, q.name, q.type,
		                                 g->fresh, on_answer, mine);
	}
	finish_if_done(g);
}

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct question *mine = arg;
	struct sp_gather *g = mine->gather;
	unsigned id = mine->id;

	sp_list_remove(&mine->node);
	sp_free(mine);
	if (!g->plan || sp_plan_done(g->plan)) { /* decided without it */
		sp_dns_answer_free(&answer);
		return;
	}
	if (g->lookup->validator_broken) {
		sp_plan_distrust(g->plan);
	}
	sp_plan_answer(g->plan, id, &answer);
	ask_open(g);
}

static void on_sts(void *arg)
{
	finish_if_done(arg);
}

static void end_questions(struct sp_gather *g, const char *why, bool fetch_too)
{
	if (g->sts) {
		sp_sts_find_end(g->sts, fetch_too, why);
	}
	if (!g->plan || sp_plan_done(g->plan)) {
		return; /* its end is on its way */
	}
	g->late = why;
	SP_LIST_FOREACH_SAFE (it, next, &g->questions) {
		struct question *mine = SP_CONTAINER(it, struct question, node);

		g->lookup->cancel(g->lookup, mine->lookup_id);
		sp_list_remove(it);
		if (!sp_plan_done(g->plan)) {
			answer_late(g, mine->id, mine->name, mine->type);
		}
		sp_free(mine);
	}
	ask_open(g);
}

static void on_deadline(void *arg)
{
	end_questions(arg, "no answer before the deadline for all questions",
	              false);
}

void sp_gather_hurry(struct sp_gather *g)
{
	end_questions(g, "no answer in time, while the place was needed", true);
}

static void on_finish(void *arg)
{
	struct sp_gather *g = arg;
	struct sp_plan *plan = g->plan;

	sp_timer_stop(g->deadline);
	g->plan = NULL;
	if (g->sts && sp_sts_find_unready(g->sts)) {
		sp_plan_await_sts(plan);
	} else if (g->sts) {
		uint32_t ttl_s = sp_sts_find_ttl_s(g->sts);

		sp_plan_join_sts(plan, sp_sts_find_choice(g->sts));
		plan->ttl_s = ttl_s < plan->ttl_s ? ttl_s : plan->ttl_s;
	}
	g->fn(g->arg, plan); /* may free g */
}

static void start_sts(struct sp_gather *g, const struct sp_gather_ask *ask)
{
	const struct sp_sts_find_ask find = {
		.loop = ask->loop,
		.lookup = ask->lookup,
		.source = ask->sts,
		.row = ask->sts_row,
		.domain = g->plan->domain,
		.fresh = ask->fresh,
		.anew = ask->sts_anew,
	};

	if (ask->sts && !sp_plan_done(g->plan) &&
	    !ask->conf->fixed_next_hop.len &&
	    !sp_domain_is_literal(g->plan->domain)) {
		g->sts = sp_sts_find_new(&find, on_sts, g);
	}
}

struct sp_gather *sp_gather_new(const struct sp_gather_ask *ask,
                                sp_gather_fn *fn, void *arg)
{
	struct sp_gather *g = SP_NEW(struct sp_gather);

	g->lookup = ask->lookup;
	g->fresh = ask->fresh;
	g->fn = fn;
	g->arg = arg;
	g->finish = sp_deferred_new(ask->loop, on_finish, g);
	g->deadline = sp_timer_new(ask->loop, on_deadline, g);
	if (ask->timeout_ms) {
		sp_timer_set(g->deadline, ask->timeout_ms);
	}
	sp_list_init(&g->questions);
	g->plan = sp_plan_new(ask->conf, ask->domain, sp_rand_u64());
	ask_open(g);
	start_sts(g, ask);
	return g;
}

void sp_gather_free(struct sp_gather **gather)
{
	struct sp_gather *g = *gather;

	if (!g) {
		return;
	}
	*gather = NULL;
	SP_LIST_FOREACH_SAFE (it, next, &g->questions) {
		struct question *mine = SP_CONTAINER(it, struct question, node);

		g->lookup->cancel(g->lookup, mine->lookup_id);
		sp_list_remove(it);
		sp_free(mine);
	}
	sp_sts_find_free(&g->sts);
	sp_deferred_free(&g->finish);
	sp_timer_free(&g->deadline);
	sp_plan_free(&g->plan);
	sp_free(g);
}
