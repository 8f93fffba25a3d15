/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of an analysis.
 *
 *   new ──▶ PLAN ──(gathered)──▶ PART 0 ──done──▶ PART 1 ... ──▶ end: fn
 *            └──────────time is over──┴───────────────┴───────────▲
 *
 * Invariants
 * - One part at a time: manners towards the peers, and a tree in order.
 * - A part is freed between its word that it is done and the next one's
 *   beginning, never inside its own callback.
 * - When the time is over the part at work is freed where it stands: its open
 *   steps are those that were not finished.
 * - The root ends last; what it shows as cause is the cause of the first of
 *   the steps nearest to it that are as bad as it is, in the branch dane if
 *   there is one.
 */
#include <string.h>

#include "analyze/check.h"
#include "analyze/check_dane.h"
#include "analyze/check_dnssec.h"
#include "analyze/check_plan.h"
#include "analyze/check_preflight.h"
#include "analyze/check_retry.h"
#include "analyze/check_side.h"
#include "analyze/check_smtp.h"
#include "analyze/check_sts.h"
#include "analyze/check_tlsrpt.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/gather.h"
#include "deliver/sts_direct.h"

/* The parts in their order: bit and name. A part's header is
 * analyze/check_<name>.h; it joins by a line here. */
#define PARTS(X)                                                               \
	X(DANE, dane)                                                          \
	X(DNSSEC, dnssec)                                                      \
	X(SMTP, smtp)                                                          \
	X(STS, sts)                                                            \
	X(TLSRPT, tlsrpt)                                                      \
	X(SIDE, side)                                                          \
	X(RETRY, retry)                                                        \
	X(PREFLIGHT, preflight)

#define ADAPT(bit, name)                                                       \
	static void *new_##name(const struct sp_check_ask *ask,                \
	                        struct sp_step *root, sp_check_fn *fn,         \
	                        void *arg)                                     \
	{                                                                      \
		return sp_check_##name##_new(ask, root, fn, arg);              \
	}                                                                      \
	static void free_##name(void *part)                                    \
	{                                                                      \
		struct sp_check_##name *p = part;                              \
                                                                               \
		sp_check_##name##_free(&p);                                    \
	}
PARTS(ADAPT)
#undef ADAPT

struct part {
	unsigned bit;
	const char *name; /* the id of its first step */
	void *(*new)(const struct sp_check_ask *ask, struct sp_step *root,
	             sp_check_fn *fn, void *arg);
	void (*free)(void *part);
};

static const struct part parts[] = {
#define ROW(bit_, name_) {SP_CHECK_##bit_, #name_, new_##name_, free_##name_},
	PARTS(ROW)
#undef ROW
		{0, NULL, NULL, NULL},
};

/* The tests whose answer depends on how mail would be delivered. */
#define NEED_PLAN                                                              \
	(SP_CHECK_DNSSEC | SP_CHECK_DANE | SP_CHECK_SMTP | SP_CHECK_STS |      \
	 SP_CHECK_RETRY | SP_CHECK_PREFLIGHT)

struct sp_check {
	struct sp_check_ask ask;
	struct sp_tree *tree; /* borrowed */
	sp_check_fn *fn;
	void *arg;

	struct sp_arena arena;
	struct sp_route route;
	struct sp_sts_direct *sts; /* owned */
	struct sp_gather *gather;  /* owned, while it gathers */
	struct sp_plan *plan;      /* owned */
	struct sp_step *plan_step; /* null: not shown */
	struct sp_check_saw saw;
	struct sp_deferred *turn; /* owned: the next part, or the end */
	struct sp_timer *timer;   /* owned; null: no limit of time */

	const struct part *part; /* the one at work, or the next */
	void *at_work;           /* owned by way of part->free; or null */
};

/* ---- the end ---- */

#define DEPTH_MAX 8

/* The first step of that depth that is as bad by a cause or advice of its
 * own. */
static const struct sp_step *speaker_at(const struct sp_step *step,
                                        enum sp_step_verdict verdict, int depth)
{
	const struct sp_step *found = NULL;

	if (sp_step_depth(step) == depth) {
		return sp_step_own_verdict(step) == verdict &&
		                       sp_step_scenario(step).len
		               ? step
		               : NULL;
	}
	for (const struct sp_step *c = sp_step_first(step); c && !found;
	     c = sp_step_next(c)) {
		found = speaker_at(c, verdict, depth);
	}
	return found;
}

/* The highest; or null. */
static const struct sp_step *speaker(const struct sp_step *branch,
                                     enum sp_step_verdict verdict)
{
	const struct sp_step *found = NULL;

	for (int depth = 1; depth <= DEPTH_MAX && !found; depth++) {
		found = speaker_at(branch, verdict, depth);
	}
	return found;
}

/* The branch that tells what delivery does goes before the others. */
static const struct sp_step *speaker_of_all(const struct sp_step *root,
                                            enum sp_step_verdict verdict)
{
	const struct sp_step *found = NULL;

	for (const struct sp_step *c = sp_step_first(root); c;
	     c = sp_step_next(c)) {
		if (strcmp(sp_step_id(c), "dane") == 0) {
			found = speaker(c, verdict);
		}
	}
	return found ? found : speaker(root, verdict);
}

/* note: why it ends before all was seen; null: it does not. */
static void end(struct sp_check *check, const char *note)
{
	struct sp_step *root = sp_tree_root(check->tree);
	enum sp_step_verdict verdict = sp_step_verdict(root);
	const struct sp_step *from = NULL;

	/* Of what was not all seen only a failure is known. */
	if (verdict >= (note ? SP_STEP_FAIL : SP_STEP_WARN)) {
		from = speaker_of_all(root, verdict);
	}
	if (from) {
		sp_step_cause_from(root, from);
	}
	if (note) {
		sp_step_end_cut(root, note);
	} else {
		sp_step_end(root,
		            verdict == SP_STEP_SKIP ? SP_STEP_PASS : verdict);
	}
	sp_timer_free(&check->timer);
	check->fn(check->arg);
}

/* ---- one part after the other ---- */

static void on_part(void *arg)
{
	struct sp_check *check = arg;

	sp_deferred_call(check->turn);
}

static void end_part(struct sp_check *check)
{
	if (check->at_work) {
		check->part->free(check->at_work);
		check->at_work = NULL;
		check->part++;
	}
}

static void next_part(void *arg)
{
	struct sp_check *check = arg;

	end_part(check);
	while (check->part->new && !(check->part->bit & check->ask.tests)) {
		check->part++;
	}
	if (!check->part->new) {
		end(check, NULL);
		return;
	}
	check->at_work = check->part->new (
		&check->ask, sp_tree_root(check->tree), on_part, check);
}

void sp_check_saw_delivery(const struct sp_check_ask *ask,
                           const struct sp_verdict *verdict,
                           struct sp_json *tries)
{
	struct sp_check *check = SP_CONTAINER(ask->saw, struct sp_check, saw);

	check->saw.known = true;
	check->saw.verdict = sp_verdict_keep(&check->arena, verdict);
	sp_json_free(&check->saw.tries);
	check->saw.tries = tries;
}

/* ---- the time is over ---- */

/* What was seen till now is told. */
static void cut_part(struct sp_check *check)
{
	if (check->at_work && check->part->bit == SP_CHECK_DANE) {
		sp_check_dane_cut(check->at_work);
	} else if (check->at_work && check->part->bit == SP_CHECK_SMTP) {
		sp_check_smtp_cut(check->at_work);
	}
	end_part(check);
}

static void skip_the_rest(struct sp_check *check)
{
	struct sp_step *root = sp_tree_root(check->tree);

	for (; check->part->new; check->part++) {
		if (check->part->bit & check->ask.tests &&
		    check->part->bit != SP_CHECK_RETRY) {
			(void)sp_step_begin(root, check->part->name,
			                    "Test %s, not begun",
			                    check->part->name);
		}
	}
}

static void on_time(void *arg)
{
	struct sp_check *check = arg;
	char limit[SP_TIME_TEXT];

	sp_deferred_free(&check->turn);
	sp_gather_free(&check->gather);
	cut_part(check);
	skip_the_rest(check);
	sp_duration_format(check->ask.timeout_ms, limit);
	end(check,
	    sp_arena_printf(&check->arena, "not finished within %s", limit));
}

static void limit_time(struct sp_check *check)
{
	const struct sp_check_ask *ask = &check->ask;
	int64_t left_ms = ask->began_ms + ask->timeout_ms - sp_time_mono_ms();

	if (ask->timeout_ms > 0) {
		check->timer = sp_timer_new(ask->loop, on_time, check);
		sp_timer_set(check->timer, left_ms > 0 ? left_ms : 0);
	}
}

/* ---- the plan ---- */

static void on_plan(void *arg, struct sp_plan *plan)
{
	struct sp_check *check = arg;

	sp_gather_free(&check->gather);
	check->plan = plan;
	check->ask.plan = plan;
	if (check->plan_step) {
		sp_check_plan_grow(check->plan_step, plan);
	}
	sp_deferred_call(check->turn);
}

static void find_route(struct sp_check *check)
{
	struct sp_check_ask *ask = &check->ask;

	sp_route_find(ask->conf, ask->target, ask->lookup->validator_broken,
	              &check->arena, &check->route);
	if (ask->is_host) {
		check->route.plan.fixed_next_hop = ask->target;
		check->route.mta_sts = false;
	}
	ask->route = &check->route;
}

static void begin(struct sp_check *check)
{
	const struct sp_check_ask *ask = &check->ask;
	const struct sp_gather_ask gather = {
		.loop = ask->loop,
		.lookup = ask->lookup,
		.conf = &check->route.plan,
		.domain = check->route.domain,
		.fresh = true,
		.timeout_ms = ask->conf->smtp.plan_timeout_ms,
		.sts = check->route.mta_sts ? sp_sts_direct_borrow(check->sts)
	                                    : NULL,
	};

	check->gather = sp_gather_new(&gather, on_plan, check);
}

struct sp_check *sp_check_new(const struct sp_check_ask *ask,
                              struct sp_tree *tree, sp_check_fn *fn, void *arg)
{
	struct sp_check *check = SP_NEW(struct sp_check);
	struct sp_step *root = sp_tree_root(tree);

	check->ask = *ask;
	check->ask.saw = &check->saw;
	check->tree = tree;
	check->fn = fn;
	check->arg = arg;
	check->part = parts;
	check->turn = sp_deferred_new(ask->loop, next_part, check);
	sp_arena_init(&check->arena);
	check->sts = sp_sts_direct_new(ask->loop, ask->conf, ask->lookup);
	sp_json_set_str(sp_step_evidence(root), "domain", ask->target);
	find_route(check);
	if (ask->tests & NEED_PLAN) {
		check->plan_step = sp_check_plan_begin(root, ask->target);
	}
	begin(check);
	limit_time(check);
	return check;
}

void sp_check_free(struct sp_check **check)
{
	struct sp_check *c = *check;

	if (!c) {
		return;
	}
	end_part(c);
	sp_gather_free(&c->gather);
	sp_sts_direct_free(&c->sts);
	sp_deferred_free(&c->turn);
	sp_timer_free(&c->timer);
	sp_json_free(&c->saw.tries);
	sp_plan_free(&c->plan);
	sp_arena_fini(&c->arena);
	SP_FREE(check);
}
