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
#include "analyze/questions.h"
#include "analyze/sts_dials.h"
#include "base/err.h"
#include "base/mem.h"
#include "deliver/sts_fetch.h"

#define MAX_AGE_LOW_S  86400  /* below, an attacker only has to wait a day */
#define MAX_AGE_GOOD_S 604800 /* RFC 8461 3.2 speaks of weeks */
#define UNUSED_MAX     16     /* shown one by one */

struct sp_check_sts {
	const struct sp_check_ask *ask;
	sp_check_fn *fn;
	void *arg;
	struct sp_step *step;
	struct sp_arena arena;
	struct sp_questions *questions; /* owned */
	int txt;                        /* number of the question */
	struct sp_sts_dials *dials;     /* owned */
	struct sp_verdict worst;        /* of the hosts */
};

static bool failed(const struct sp_verdict *v)
{
	return v->class != SP_VERDICT_DELIVERED;
}

static void note(struct sp_step *step, const char *text)
{
	sp_json_set_cstr(sp_step_evidence(step), "note", text);
	sp_step_end(step, SP_STEP_SKIP);
}

/* ---- the TXT record ---- */

static struct sp_str *records_of(struct sp_check_sts *c,
                                 const struct sp_dns_answer *a,
                                 struct sp_json *list)
{
	struct sp_str *records =
		sp_arena_array(&c->arena, a->record_count, sizeof(*records));

	for (size_t i = 0; i < a->record_count; i++) {
		records[i] = a->records[i].data;
		sp_json_add_str(list, records[i]);
	}
	return records;
}

/* False: there is no MTA-STS. */
static bool read_records(struct sp_check_sts *c, struct sp_step *step,
                         const struct sp_dns_answer *a)
{
	struct sp_json *list = sp_json_array();
	struct sp_str *records = records_of(c, a, list);
	char why[SP_STS_WHY_MAX] = "";
	struct sp_str id;
	int err = sp_sts_txt_parse(records, a->record_count, &id, why);

	sp_json_set(sp_step_evidence(step), "records", list);
	if (err == SP_ENOTFOUND) {
		sp_step_advice(step, SP_ADVICE_STS_ABSENT, c->ask->target);
	} else if (err) {
		sp_json_set_cstr(sp_step_evidence(step), "why", why);
		sp_step_advice(step, SP_ADVICE_STS_TXT_INVALID,
		               sp_str_from(why));
	} else {
		sp_json_set_str(sp_step_evidence(step), "id", id);
	}
	return err == 0;
}

static bool grow_txt(struct sp_check_sts *c)
{
	const struct sp_dns_answer *a =
		sp_questions_answer(c->questions, c->txt);
	struct sp_step *step =
		sp_step_begin(c->step, "sts.txt", "TXT record at " SP_STR_FMT,
	                      SP_STR_ARG(a->name));
	bool good = false;

	sp_json_set_cstr(sp_step_evidence(step), "dnssec",
	                 sp_dnssec_text(a->dnssec));
	if (!sp_answer_said(a)) {
		sp_json_set_text(sp_step_evidence(step), "why", a->why);
		sp_step_advice(step, SP_ADVICE_STS_TXT_FAILED, a->name);
	} else {
		good = read_records(c, step, a);
	}
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
	struct sp_step *step = sp_step_begin(c->step, "sts.mode", "Mode %s",
	                                     sp_sts_mode_text(p->mode));

	if (p->mode == SP_STS_TESTING) {
		sp_step_advice(step, SP_ADVICE_STS_TESTING, c->ask->target);
	} else if (p->mode == SP_STS_NONE) {
		sp_step_advice(step, SP_ADVICE_STS_NONE, c->ask->target);
	}
	sp_step_finish(step);
}

static void grow_max_age(struct sp_check_sts *c, const struct sp_sts_policy *p)
{
	struct sp_step *step =
		sp_step_begin(c->step, "sts.max_age", "Kept for %u seconds",
	                      (unsigned)p->max_age_s);
	struct sp_str age = sp_str_from(sp_arena_printf(
		&c->arena, "%u seconds", (unsigned)p->max_age_s));

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
	const struct sp_plan_sts *sts = &c->ask->plan->sts;
	struct sp_verdict v = sp_verdict_from_cause(
		sts->trouble, c->ask->target, sts->note, &c->arena);

	v.evidence = sts->note;
	sp_step_cause(step, &v);
	sp_step_end(step, SP_STEP_WARN);
}

static void grow_policy(struct sp_check_sts *c)
{
	const struct sp_plan_sts *sts = &c->ask->plan->sts;
	struct sp_str url =
		sp_sts_url(c->ask->conf, c->ask->route->domain, &c->arena);
	struct sp_step *step =
		sp_step_begin(c->step, "sts.policy", "Policy at " SP_STR_FMT,
	                      SP_STR_ARG(url));

	sp_json_set_str(sp_step_evidence(step), "url", url);
	if (sts->known) {
		put_policy(sp_step_evidence(step), &sts->policy);
	}
	if (sts->trouble != SP_CAUSE_NONE) {
		grow_trouble(c, step);
	} else if (!sts->known) {
		note(step, "not fetched");
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
	const struct sp_sts_policy *p = &c->ask->plan->sts.policy.policy;
	struct sp_step *step =
		sp_step_begin(c->step, "sts.mx", SP_STR_FMT " in the policy",
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
	                                    c->ask->target, (struct sp_str){0},
	                                    &c->arena);
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
	const struct sp_plan *plan = c->ask->plan;
	const struct sp_sts_policy *p = &plan->sts.policy.policy;
	size_t shown = 0;

	for (size_t i = 0; i < p->mx_count && shown < UNUSED_MAX; i++) {
		struct sp_step *step;

		if (is_used(plan, p->mx[i])) {
			continue;
		}
		shown++;
		step = sp_step_begin(c->step, "sts.unused",
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
	const struct sp_plan *plan = c->ask->plan;

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
	const struct sp_plan_sts *sts = &c->ask->plan->sts;

	if (c->dials) {
		note_worst(c, sp_sts_dials_worst(c->dials));
	}
	if (sts->known && sts->policy.policy.mode == SP_STS_ENFORCE &&
	    failed(&c->worst) && !passes(c)) {
		sp_step_cause(c->step, &c->worst);
	}
	sp_step_finish(c->step);
	c->fn(c->arg);
}

static void check_hosts(struct sp_check_sts *c)
{
	const struct sp_plan *plan = c->ask->plan;
	const struct sp_sts_dials_ask ask = {
		.loop = c->ask->loop,
		.conf = c->ask->conf,
		.plan = plan,
		.port = c->ask->route->plan.port,
		.tries = c->ask->saw->tries,
	};

	for (size_t i = 0; i < plan->host_count; i++) {
		grow_host(c, &plan->hosts[i]);
	}
	grow_unused(c);
	c->dials = sp_sts_dials_new(&ask, c->step, end, c);
}

static void on_txt(void *arg)
{
	struct sp_check_sts *c = arg;
	const struct sp_plan_sts *sts = &c->ask->plan->sts;

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

	note(c->step, c->ask->route->mta_sts
	                      ? "only a domain can have a policy"
	                      : "no policy is looked for: a route turns it "
	                        "off, or a mail server was named");
	c->fn(c->arg);
}

struct sp_check_sts *sp_check_sts_new(const struct sp_check_ask *ask,
                                      struct sp_step *parent, sp_check_fn *fn,
                                      void *arg)
{
	struct sp_check_sts *c = SP_NEW(struct sp_check_sts);
	struct sp_str owner;

	c->ask = ask;
	c->fn = fn;
	c->arg = arg;
	sp_arena_init(&c->arena);
	c->questions = sp_questions_new(ask->loop, ask->lookup);
	c->step = sp_step_begin(parent, "sts", "MTA-STS of " SP_STR_FMT,
	                        SP_STR_ARG(ask->route->domain));
	owner = sp_str_from(sp_arena_printf(&c->arena, "_mta-sts." SP_STR_FMT,
	                                    SP_STR_ARG(ask->route->domain)));
	if (!ask->route->mta_sts || !sp_dns_name_valid(owner)) {
		sp_questions_go(c->questions, on_nothing, c);
		return c;
	}
	c->txt = sp_questions_add(c->questions, owner, SP_DNS_TYPE_TXT);
	sp_questions_go(c->questions, on_txt, c);
	return c;
}

void sp_check_sts_free(struct sp_check_sts **part)
{
	struct sp_check_sts *c = *part;

	if (!c) {
		return;
	}
	sp_sts_dials_free(&c->dials);
	sp_questions_free(&c->questions);
	sp_arena_fini(&c->arena);
	SP_FREE(part);
}
