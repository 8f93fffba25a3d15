/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   TXT ──answered──▶ grow: record, policy, hosts ──a policy──▶ DIALS ──▶ end
 *                                     └──none, or mode none──────────────▲
 *
 * The plan has the policy already, as delivery would have it. The TXT record
 * is asked for once more (a cached answer) for what the plan does not keep:
 * the records themselves. A host that fails is a warning where another one
 * can take the mail, as it is for the server; where none can, the branch
 * fails.
 */
#include "analyze/check_sts.h"
#include "analyze/part.h"
#include "analyze/sts_dials.h"
#include "analyze/txt_record.h"
#include "base/err.h"
#include "base/mem.h"
#include "deliver/sts_fetch.h"

#define MAX_AGE_LOW_S  86400  /* below, an attacker only has to wait a day */
#define MAX_AGE_GOOD_S 604800 /* RFC 8461 3.2 speaks of weeks */
#define UNUSED_MAX     16     /* shown one by one */

struct sp_check_sts {
	struct sp_part part;
	int txt;                    /* its number; negative: not asked */
	struct sp_sts_dials *dials; /* owned */
	struct sp_verdict worst;    /* of the hosts */
};

static bool failed(const struct sp_verdict *v)
{
	return v->class != SP_VERDICT_DELIVERED;
}

/* ---- the TXT record ---- */

/* False: there is no MTA-STS. */
static bool read_records(struct sp_check_sts *c, struct sp_step *step,
                         const struct sp_dns_answer *a)
{
	struct sp_txt_records r = sp_txt_record_list(a, &c->part.arena);
	char why[SP_STS_WHY_MAX] = "";
	struct sp_str id;
	int err = sp_sts_txt_parse(r.list, r.count, &id, why);

	sp_txt_record_put(step, &r);
	if (err == SP_ENOTFOUND) {
		sp_step_advice(step, SP_ADVICE_STS_ABSENT, c->part.ask->target);
	} else if (err) {
		sp_txt_record_refuse(step, SP_ADVICE_STS_TXT_INVALID, why);
	} else {
		sp_json_set_str(sp_step_evidence(step), "id", id);
	}
	return err == 0;
}

static bool grow_txt(struct sp_check_sts *c)
{
	const struct sp_dns_answer *a =
		sp_questions_answer(c->part.questions, c->txt);
	struct sp_step *step =
		sp_step_begin(c->part.step, "sts.txt",
	                      "TXT record at " SP_STR_FMT, SP_STR_ARG(a->name));
	bool good;

	if (!sp_txt_record_said(step, a, SP_ADVICE_STS_TXT_FAILED)) {
		return false;
	}
	good = read_records(c, step, a);
	sp_step_finish(step);
	return good;
}

/* ---- the policy ---- */

static void put_policy(struct sp_json *e, const struct sp_sts_kept *kept)
{
	struct sp_json *mx = sp_json_array();

	for (size_t i = 0; i < kept->policy.mx_count; i++) {
		sp_json_add_str(mx, kept->policy.mx[i]);
	}
	sp_json_set_cstr(e, "mode", sp_sts_mode_text(kept->policy.mode));
	sp_json_set_int(e, "max_age", kept->policy.max_age_s);
	sp_json_set(e, "mx", mx);
	sp_json_set_str(e, "id", kept->id);
	sp_json_set_time(e, "expires", kept->expires_ms);
}

static void grow_mode(struct sp_check_sts *c, const struct sp_sts_policy *p)
{
	struct sp_step *step = sp_step_begin(
		c->part.step, "sts.mode", "Mode %s", sp_sts_mode_text(p->mode));

	if (p->mode == SP_STS_TESTING) {
		sp_step_advice(step, SP_ADVICE_STS_TESTING,
		               c->part.ask->target);
	} else if (p->mode == SP_STS_NONE) {
		sp_step_advice(step, SP_ADVICE_STS_NONE, c->part.ask->target);
	}
	sp_step_finish(step);
}

static void grow_max_age(struct sp_check_sts *c, const struct sp_sts_policy *p)
{
	struct sp_step *step =
		sp_step_begin(c->part.step, "sts.max_age",
	                      "Kept for %u seconds", (unsigned)p->max_age_s);
	struct sp_str age = sp_str_from(sp_arena_printf(
		&c->part.arena, "%u seconds", (unsigned)p->max_age_s));

	if (p->mode == SP_STS_NONE) {
		; /* it is to be forgotten */
	} else if (p->max_age_s < MAX_AGE_LOW_S) {
		sp_step_advice(step, SP_ADVICE_STS_MAX_AGE_SHORT, age);
	} else if (p->max_age_s < MAX_AGE_GOOD_S) {
		sp_step_advice(step, SP_ADVICE_STS_MAX_AGE_LOW, age);
	}
	sp_step_finish(step);
}

/* Why it could not be had: alone no reason to hold mail back. */
static void grow_trouble(struct sp_check_sts *c, struct sp_step *step)
{
	const struct sp_plan_sts *sts = &c->part.ask->plan->sts;
	struct sp_verdict v = sp_verdict_from_cause(
		sts->trouble, c->part.ask->target, sts->note, &c->part.arena);

	v.evidence = sts->note;
	sp_step_cause(step, &v);
	sp_step_end(step, SP_STEP_WARN);
}

static void grow_policy(struct sp_check_sts *c)
{
	const struct sp_plan_sts *sts = &c->part.ask->plan->sts;
	struct sp_str url = sp_sts_url(
		c->part.ask->conf, c->part.ask->route->domain, &c->part.arena);
	struct sp_step *step =
		sp_step_begin(c->part.step, "sts.policy",
	                      "Policy at " SP_STR_FMT, SP_STR_ARG(url));

	sp_json_set_str(sp_step_evidence(step), "url", url);
	if (sts->known) {
		put_policy(sp_step_evidence(step), &sts->policy);
	}
	if (sts->trouble != SP_CAUSE_NONE) {
		grow_trouble(c, step);
	} else if (!sts->known) {
		sp_json_set_cstr(sp_step_evidence(step), "note", "not fetched");
		sp_step_end(step, SP_STEP_SKIP);
	} else {
		sp_step_finish(step);
		grow_mode(c, &sts->policy.policy);
		grow_max_age(c, &sts->policy.policy);
	}
}

/* ---- hosts ---- */

static void note_worst(struct sp_check_sts *c, const struct sp_verdict *v)
{
	if (failed(v)) {
		c->worst = failed(&c->worst) ? *sp_verdict_worse(&c->worst, v)
		                             : *v;
	}
}

static void grow_host(struct sp_check_sts *c, const struct sp_plan_host *host)
{
	const struct sp_sts_policy *p = &c->part.ask->plan->sts.policy.policy;
	struct sp_step *step = sp_step_begin(c->part.step, "sts.mx",
	                                     SP_STR_FMT " in the policy",
	                                     SP_STR_ARG(host->name));
	bool covered = sp_sts_policy_covers(p, host->name);
	struct sp_verdict v = {.class = SP_VERDICT_DELIVERED};

	sp_json_set_str(sp_step_evidence(step), "host", host->name);
	sp_json_set_bool(sp_step_evidence(step), "listed", covered);
	if (covered) {
		sp_step_finish(step);
		return;
	}
	v = failed(&host->sts_found)
	            ? host->sts_found
	            : sp_verdict_from_cause(SP_CAUSE_STS_MX_NOT_LISTED,
	                                    c->part.ask->target,
	                                    (struct sp_str){0}, &c->part.arena);
	v.host = host->name;
	note_worst(c, &v);
	sp_step_cause(step, &v);
	sp_step_end(step, SP_STEP_WARN);
}

/* Does the pattern name one of the hosts? */
static bool is_used(const struct sp_plan *plan, struct sp_str pattern)
{
	const struct sp_sts_policy one = {.mx = &pattern, .mx_count = 1};

	for (size_t i = 0; i < plan->host_count; i++) {
		if (sp_sts_policy_covers(&one, plan->hosts[i].name)) {
			return true;
		}
	}
	return false;
}

static void grow_unused(struct sp_check_sts *c)
{
	const struct sp_plan *plan = c->part.ask->plan;
	const struct sp_sts_policy *p = &plan->sts.policy.policy;
	size_t shown = 0;

	for (size_t i = 0; i < p->mx_count && shown < UNUSED_MAX; i++) {
		struct sp_step *step;

		if (is_used(plan, p->mx[i])) {
			continue;
		}
		shown++;
		step = sp_step_begin(c->part.step, "sts.unused",
		                     "Policy names " SP_STR_FMT,
		                     SP_STR_ARG(p->mx[i]));
		sp_step_advice(step, SP_ADVICE_STS_MX_UNUSED, p->mx[i]);
		sp_step_finish(step);
	}
}

/* ---- the end ---- */

/* Some host would be given the mail: by DANE, which goes first, or since one
 * of its addresses holds what the policy demands. */
static bool passes(const struct sp_check_sts *c)
{
	const struct sp_plan *plan = c->part.ask->plan;

	for (size_t i = 0; i < plan->host_count; i++) {
		if (plan->hosts[i].rule == SP_RULE_DANE) {
			return true;
		}
	}
	return c->dials && sp_sts_dials_passed(c->dials) > 0;
}

static void end(void *arg)
{
	struct sp_check_sts *c = arg;
	const struct sp_plan_sts *sts = &c->part.ask->plan->sts;

	if (c->dials) {
		note_worst(c, sp_sts_dials_worst(c->dials));
	}
	if (sts->known && sts->policy.policy.mode == SP_STS_ENFORCE &&
	    failed(&c->worst) && !passes(c)) {
		sp_step_cause(c->part.step, &c->worst);
	}
	sp_part_end(&c->part);
}

static void check_hosts(struct sp_check_sts *c)
{
	const struct sp_plan *plan = c->part.ask->plan;
	const struct sp_sts_dials_ask ask = {
		.loop = c->part.ask->loop,
		.conf = c->part.ask->conf,
		.plan = plan,
		.port = c->part.ask->route->plan.port,
		.tries = c->part.ask->saw->tries,
	};

	for (size_t i = 0; i < plan->host_count; i++) {
		grow_host(c, &plan->hosts[i]);
	}
	grow_unused(c);
	c->dials = sp_sts_dials_new(&ask, c->part.step, end, c);
}

static void on_txt(void *arg)
{
	struct sp_check_sts *c = arg;
	const struct sp_plan_sts *sts = &c->part.ask->plan->sts;

	if (grow_txt(c) || sts->known) {
		grow_policy(c);
	}
	if (sts->known && sts->policy.policy.mode != SP_STS_NONE) {
		check_hosts(c);
	} else {
		end(c);
	}
}

static void on_nothing(void *arg)
{
	struct sp_check_sts *c = arg;

	sp_part_skip(&c->part,
	             c->part.ask->route->mta_sts
	                     ? "only a domain can have a policy"
	                     : "no policy is looked for: a route turns it "
	                       "off, or a mail server was named");
}

struct sp_check_sts *sp_check_sts_new(const struct sp_check_ask *ask,
                                      struct sp_step *parent, sp_check_fn *fn,
                                      void *arg)
{
	struct sp_check_sts *c = SP_NEW(struct sp_check_sts);

	sp_part_init(&c->part, ask,
	             sp_step_begin(parent, "sts", "MTA-STS of " SP_STR_FMT,
	                           SP_STR_ARG(ask->route->domain)),
	             fn, arg);
	c->txt = ask->route->mta_sts
	                 ? sp_txt_record_ask(c->part.questions, "_mta-sts.",
	                                     ask->route->domain)
	                 : SP_ENOTFOUND;
	sp_questions_go(c->part.questions, c->txt < 0 ? on_nothing : on_txt, c);
	return c;
}

void sp_check_sts_free(struct sp_check_sts **part)
{
	struct sp_check_sts *c = *part;

	if (!c) {
		return;
	}
	sp_sts_dials_free(&c->dials);
	sp_part_fini(&c->part);
	SP_FREE(part);
}
