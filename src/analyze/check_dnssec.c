/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   chain of the domain ─▶ MX ─▶ its servers' answers ─┐
 *      ┌───────────────────────────────────────────────┘
 *      ▼
 *   next host ─▶ its chain ─▶ A, AAAA, TLSA ─▶ servers' answers to A, to
 *      ▲  │                                    AAAA, and to TLSA
 *      │  └─ no more: end                                      │
 *      └───────────────────────────────────────────────────────┘
 *
 * `next` is the step of this machine that the answer under way leads to. The
 * verdicts are the resolver's, and the causes those of the plan, which
 * delivery would act upon; what single servers say stands below them.
 *
 * TLSA is asked for where delivery asks: where the address is secure. The
 * owner in an unsigned zone is of no interest to the chain.
 */
#include "analyze/chain.h"
#include "analyze/chain_tell.h"
#include "analyze/check_dnssec.h"
#include "analyze/questions.h"
#include "base/mem.h"
#include "policy/cause.h"
#include "wire/address.h"

#define SERVER_MS 3000  /* one question to one name server */
#define TOTAL_MS  45000 /* all chains of all hosts */
#define HOSTS_MAX 16

struct sp_check_dnssec {
	const struct sp_check_ask *ask; /* borrowed */
	sp_check_fn *fn;
	void *arg;
	void (*next)(struct sp_check_dnssec *d);
	struct sp_deferred *end;

	struct sp_chain *chain; /* owned */
	struct sp_chain_story story;
	struct sp_questions *questions; /* owned; of the host, or MX */
	int mx, a, aaaa, tlsa;

	struct sp_step *top;   /* "dnssec" */
	struct sp_step *walk;  /* open: "dnssec.chain" */
	struct sp_step *step;  /* open: "dnssec.mx", "dnssec.host" */
	struct sp_str name;    /* whose chain is walked */
	size_t host;           /* index in the plan */
	struct sp_str owner;   /* of the host's TLSA records */
	struct sp_str address; /* where the host's addresses stand */
};

/* --- answers and steps --- */

static const struct sp_dns_answer *answer_of(const struct sp_check_dnssec *d,
                                             int number)
{
	return sp_questions_answer(d->questions, number);
}

static void put_answer(struct sp_step *step, const struct sp_dns_answer *a)
{
	struct sp_json *evidence = sp_step_evidence(step);

	if (!a) {
		sp_json_set_cstr(evidence, "answer", "none");
		return;
	}
	sp_json_set_str(evidence, "name", a->name);
	sp_json_set_cstr(evidence, "dnssec", sp_dnssec_text(a->dnssec));
	sp_json_set_cstr(evidence, "answer", sp_dns_result_text(a->result));
	sp_json_set_text(evidence, "why", a->why);
	if (!sp_str_eq(a->canonical, a->name)) {
		sp_json_set_str(evidence, "canonical", a->canonical);
	}
}

/* "secure", in titles: what the step is about. */
static const char *state_of(const struct sp_dns_answer *a)
{
	return a ? sp_dnssec_text(a->dnssec) : "no answer";
}

static void put_end(const struct sp_check_dnssec *d, struct sp_step *step,
                    struct sp_str name)
{
	sp_json_set_text(sp_step_evidence(step), "chain_ends_at",
	                 sp_chain_story_end(&d->story, name));
}

/* What the plan says of it; else by the answer itself. */
static void blame(struct sp_check_dnssec *d, struct sp_step *step,
                  const struct sp_verdict *by_plan,
                  const struct sp_dns_answer *a, enum sp_cause_id otherwise)
{
	enum sp_cause_id cause = a ? sp_cause_find(a->scenario) : SP_CAUSE_NONE;
	struct sp_verdict verdict;

	if (by_plan && by_plan->class != SP_VERDICT_DELIVERED) {
		sp_chain_story_blame(&d->story, step, by_plan, false);
		return;
	}
	verdict = sp_verdict_from_cause(
		cause != SP_CAUSE_NONE ? cause : otherwise, d->ask->target,
		(struct sp_str){0}, &d->story.arena);
	verdict.evidence = a ? a->why : SP_STR("");
	sp_chain_story_blame(&d->story, step, &verdict, false);
}

/* The chain ends above the name; or it does not, and a denial with opt-out
 * proves nothing. */
static void end_insecure(struct sp_check_dnssec *d, struct sp_step *step,
                         const struct sp_dns_answer *a)
{
	struct sp_str end = sp_chain_story_end(&d->story, a->canonical);

	if (end.len == 0 && a->record_count == 0 && !sp_chain_late(d->chain)) {
		sp_step_advice(step, SP_ADVICE_DENIAL_OPTOUT, a->canonical);
		sp_step_finish(step);
		return;
	}
	put_end(d, step, a->canonical);
	sp_chain_story_explain(&d->story, step, a->canonical);
	sp_step_end(step, SP_STEP_WARN);
}

/* Ends a step by the state of the answer that it is about. */
static void end_by(struct sp_check_dnssec *d, struct sp_step *step,
                   const struct sp_verdict *by_plan,
                   const struct sp_dns_answer *a, enum sp_cause_id otherwise)
{
	put_answer(step, a);
	switch (a ? a->dnssec : SP_DNSSEC_FAILED) {
	case SP_DNSSEC_SECURE:
		sp_step_end(step, SP_STEP_PASS);
		break;
	case SP_DNSSEC_INSECURE:
		end_insecure(d, step, a);
		break;
	case SP_DNSSEC_BOGUS:
		blame(d, step, by_plan, a, SP_CAUSE_DNSSEC_BOGUS);
		break;
	case SP_DNSSEC_FAILED:
		blame(d, step, by_plan, a, otherwise);
		break;
	}
}

/* --- waiting --- */

static void on_next(void *arg)
{
	struct sp_check_dnssec *d = arg;

	d->next(d);
}

static void on_end(void *arg)
{
	struct sp_check_dnssec *d = arg;

	d->fn(d->arg); /* may free d */
}

static void finish(struct sp_check_dnssec *d)
{
	if (sp_chain_late(d->chain)) {
		sp_json_set_cstr(sp_step_evidence(d->top), "note",
		                 "the time for single servers was up");
	}
	sp_step_finish(d->top);
	sp_deferred_call(d->end);
}

/* The same question to all servers of the zone that the name is in. */
static void begin_round(struct sp_check_dnssec *d, struct sp_str name,
                        enum sp_dns_type type,
                        void (*next)(struct sp_check_dnssec *d))
{
	d->next = next;
	sp_chain_round(d->chain, sp_chain_zone_of(d->chain, name), name, type,
	               on_next, d);
}

static void tell_round(struct sp_check_dnssec *d, struct sp_step *step,
                       struct sp_str name, enum sp_dns_type type, bool compare)
{
	sp_chain_tell_round(&d->story, step, sp_chain_zone_of(d->chain, name),
	                    name, type, compare);
}

/* --- a chain --- */

static enum sp_step_verdict verdict_of(const struct sp_check_dnssec *d,
                                       enum sp_chain_state state)
{
	static const enum sp_step_verdict verdicts[] = {
		[SP_CHAIN_SECURE] = SP_STEP_PASS,
		[SP_CHAIN_UNSIGNED] = SP_STEP_WARN,
		[SP_CHAIN_BELOW_UNSIGNED] = SP_STEP_WARN,
		[SP_CHAIN_BROKEN] = SP_STEP_FAIL,
		[SP_CHAIN_BELOW_BROKEN] = SP_STEP_FAIL,
		[SP_CHAIN_ABOVE_ANCHOR] = SP_STEP_SKIP,
		[SP_CHAIN_UNKNOWN] = SP_STEP_SKIP,
	};
	enum sp_step_verdict verdict = verdicts[state];

	return verdict == SP_STEP_FAIL && !d->story.fatal ? SP_STEP_WARN
	                                                  : verdict;
}

/* The zones of the name, the nearest last, and what holds of the nearest. */
static void end_walk(struct sp_check_dnssec *d)
{
	const struct sp_chain_zone *zone = sp_chain_zone_of(d->chain, d->name);
	const struct sp_chain_link *link;
	struct sp_json *evidence = sp_step_evidence(d->walk);
	enum sp_step_verdict verdict;

	sp_chain_tell_zones(&d->story, d->walk);
	link = sp_chain_story_link(&d->story, zone);
	if (!link) {
		sp_step_end(d->walk, SP_STEP_SKIP);
		return;
	}
	sp_json_set_str(evidence, "zone", zone->name);
	sp_json_set_cstr(evidence, "state", sp_chain_state_text(link->state));
	put_end(d, d->walk, d->name);
	verdict = link->mild ? SP_STEP_WARN : verdict_of(d, link->state);
	if (verdict > SP_STEP_PASS) {
		sp_chain_story_explain(&d->story, d->walk, d->name);
	}
	sp_step_end(d->walk, verdict);
}

static void begin_walk(struct sp_check_dnssec *d, struct sp_step *parent,
                       struct sp_str name,
                       void (*next)(struct sp_check_dnssec *d))
{
	d->name = name;
	d->next = next;
	d->walk = sp_step_begin(parent, "dnssec.chain",
	                        "Chain of trust to " SP_STR_FMT,
	                        SP_STR_ARG(name));
	sp_chain_walk(d->chain, name, on_next, d);
}

/* --- a host --- */

static const struct sp_plan_host *host_of(const struct sp_check_dnssec *d)
{
	return &d->ask->plan->hosts[d->host];
}

static void next_host(struct sp_check_dnssec *d);

static void end_host(struct sp_check_dnssec *d)
{
	sp_step_finish(d->step);
	sp_questions_free(&d->questions);
	d->host++;
	next_host(d);
}

static void after_tlsa_round(struct sp_check_dnssec *d)
{
	const struct sp_dns_answer *a = answer_of(d, d->tlsa);
	struct sp_step *step = sp_step_begin(
		d->step, "dnssec.tlsa", "TLSA records at " SP_STR_FMT ": %s",
		SP_STR_ARG(d->owner), state_of(a));

	tell_round(d, step, a ? a->canonical : d->owner, SP_DNS_TYPE_TLSA,
	           true);
	end_by(d, step, &host_of(d)->verdict, a, SP_CAUSE_TLSA_FAILED);
	end_host(d);
}

static void after_tlsa(struct sp_check_dnssec *d)
{
	const struct sp_dns_answer *a = answer_of(d, d->tlsa);

	begin_round(d, a ? a->canonical : d->owner, SP_DNS_TYPE_TLSA,
	            after_tlsa_round);
}

/* The family that speaks for the host: the better one. */
static const struct sp_dns_answer *
speaking_address(const struct sp_check_dnssec *d)
{
	const struct sp_dns_answer *a = answer_of(d, d->a);
	const struct sp_dns_answer *aaaa = answer_of(d, d->aaaa);

	if (sp_answer_has(a) != sp_answer_has(aaaa)) {
		return sp_answer_has(a) ? a : aaaa;
	}
	if (!a || !aaaa) {
		return a ? a : aaaa;
	}
	/* both have addresses, or none: the worse one without, which may be
	 * the reason, and the better one with */
	return sp_answer_has(a) == (a->dnssec <= aaaa->dnssec) ? a : aaaa;
}

static void tell_family(struct sp_check_dnssec *d, struct sp_step *parent,
                        int number, const char *family)
{
	const struct sp_dns_answer *a = answer_of(d, number);
	struct sp_step *step;

	if (a == speaking_address(d) || !a || a->dnssec <= SP_DNSSEC_INSECURE) {
		return;
	}
	step = sp_step_begin(parent, "dnssec.address",
	                     "%s records of " SP_STR_FMT ": %s", family,
	                     SP_STR_ARG(a->name), state_of(a));
	put_answer(step, a);
	if (a->dnssec == SP_DNSSEC_BOGUS) {
		struct sp_verdict verdict = sp_verdict_from_cause(
			sp_cause_find(a->scenario), d->ask->target,
			(struct sp_str){0}, &d->story.arena);

		verdict.evidence = a->why;
		sp_step_cause(step, &verdict);
	}
	sp_step_end(step, SP_STEP_WARN);
}

static void tell_addresses(struct sp_check_dnssec *d)
{
	struct sp_step *step = sp_step_begin(d->step, "dnssec.address",
	                                     "Addresses of " SP_STR_FMT,
	                                     SP_STR_ARG(host_of(d)->name));

	tell_family(d, step, d->a, "A");
	tell_family(d, step, d->aaaa, "AAAA");
	d->walk = step; /* open until the servers were asked */
}

static void after_aaaa_round(struct sp_check_dnssec *d)
{
	const struct sp_dns_answer *speaks = speaking_address(d);

	tell_round(d, d->walk, d->address, SP_DNS_TYPE_AAAA, false);
	end_by(d, d->walk, &host_of(d)->verdict, speaks,
	       SP_CAUSE_ADDRESS_LOOKUP_FAILED);
	if (!speaks || speaks->dnssec != SP_DNSSEC_SECURE ||
	    !sp_answer_has(speaks)) {
		end_host(d);
		return;
	}
	d->next = after_tlsa;
	d->tlsa = sp_questions_add(d->questions, d->owner, SP_DNS_TYPE_TLSA);
	sp_questions_go(d->questions, on_next, d);
}

static void after_a_round(struct sp_check_dnssec *d)
{
	tell_addresses(d);
	tell_round(d, d->walk, d->address, SP_DNS_TYPE_A, false);
	begin_round(d, d->address, SP_DNS_TYPE_AAAA, after_aaaa_round);
}

/* Where the alias leads to may be in another zone. */
static void after_alias_walk(struct sp_check_dnssec *d)
{
	end_walk(d);
	begin_round(d, d->address, SP_DNS_TYPE_A, after_a_round);
}

static void find_owner(struct sp_check_dnssec *d)
{
	const struct sp_plan_host *host = host_of(d);
	struct sp_str base = host->tlsa_base.len ? host->tlsa_base : d->address;

	d->owner = host->tlsa_owner;
	if (d->owner.len == 0) {
		d->owner = sp_str_from(sp_arena_printf(
			&d->story.arena, "_%u._tcp." SP_STR_FMT,
			d->ask->route->plan.port, SP_STR_ARG(base)));
	}
}

static void after_addresses(struct sp_check_dnssec *d)
{
	const struct sp_dns_answer *speaks = speaking_address(d);

	d->address = speaks ? speaks->canonical : host_of(d)->name;
	find_owner(d);
	if (sp_str_eq_nocase(d->address, host_of(d)->name)) {
		begin_round(d, d->address, SP_DNS_TYPE_A, after_a_round);
	} else {
		begin_walk(d, d->step, d->address, after_alias_walk);
	}
}

static void after_host_walk(struct sp_check_dnssec *d)
{
	end_walk(d);
	d->questions = sp_questions_new(d->ask->loop, d->ask->lookup);
	d->a = sp_questions_add(d->questions, host_of(d)->name, SP_DNS_TYPE_A);
	d->aaaa = sp_questions_add(d->questions, host_of(d)->name,
	                           SP_DNS_TYPE_AAAA);
	d->next = after_addresses;
	sp_questions_go(d->questions, on_next, d);
}

static void next_host(struct sp_check_dnssec *d)
{
	const struct sp_plan *plan = d->ask->plan;

	while (plan && d->host < plan->host_count && d->host < HOSTS_MAX &&
	       host_of(d)->literal) {
		d->host++;
	}
	if (!plan || d->host >= plan->host_count || d->host >= HOSTS_MAX) {
		finish(d);
		return;
	}
	d->step = sp_step_begin(d->top, "dnssec.host",
	                        "DNSSEC of mail server " SP_STR_FMT,
	                        SP_STR_ARG(host_of(d)->name));
	begin_walk(d, d->step, host_of(d)->name, after_host_walk);
}

/* --- the domain --- */

static void after_mx_round(struct sp_check_dnssec *d)
{
	const struct sp_dns_answer *a = answer_of(d, d->mx);

	tell_round(d, d->step, a ? a->canonical : d->ask->target,
	           SP_DNS_TYPE_MX, true);
	end_by(d, d->step, d->ask->plan ? &d->ask->plan->verdict : NULL, a,
	       SP_CAUSE_MX_LOOKUP_FAILED);
	sp_questions_free(&d->questions);
	next_host(d);
}

static void ask_mx_round(struct sp_check_dnssec *d)
{
	const struct sp_dns_answer *a = answer_of(d, d->mx);

	d->step =
		sp_step_begin(d->top, "dnssec.mx", "MX records of " SP_STR_FMT,
	                      SP_STR_ARG(d->ask->target));
	begin_round(d, a ? a->canonical : d->ask->target, SP_DNS_TYPE_MX,
	            after_mx_round);
}

static void after_mx_walk(struct sp_check_dnssec *d)
{
	end_walk(d);
	ask_mx_round(d);
}

/* Where an alias leads to may be in another zone. */
static void after_mx(struct sp_check_dnssec *d)
{
	const struct sp_dns_answer *a = answer_of(d, d->mx);

	if (!a || sp_str_eq_nocase(a->canonical, d->ask->target)) {
		ask_mx_round(d);
	} else {
		begin_walk(d, d->top, a->canonical, after_mx_walk);
	}
}

static void after_domain_walk(struct sp_check_dnssec *d)
{
	end_walk(d);
	d->questions = sp_questions_new(d->ask->loop, d->ask->lookup);
	d->mx = sp_questions_add(d->questions, d->ask->target, SP_DNS_TYPE_MX);
	d->next = after_mx;
	sp_questions_go(d->questions, on_next, d);
}

/* --- in and out --- */

static bool is_address(struct sp_str target)
{
	struct sp_addr addr;

	return sp_domain_is_literal(target) ||
	       sp_addr_parse(target, 0, &addr) == 0;
}

/* Delivery would not get anywhere. */
static bool is_fatal(const struct sp_plan *plan)
{
	return plan && plan->verdict.class != SP_VERDICT_DELIVERED;
}

static void begin(struct sp_check_dnssec *d)
{
	if (is_address(d->ask->target)) {
		sp_json_set_cstr(sp_step_evidence(d->top), "note",
		                 "an address is in no zone");
		sp_step_end(d->top, SP_STEP_SKIP);
		sp_deferred_call(d->end);
	} else if (d->ask->is_host) {
		next_host(d);
	} else {
		begin_walk(d, d->top, d->ask->target, after_domain_walk);
	}
}

struct sp_check_dnssec *sp_check_dnssec_new(const struct sp_check_ask *ask,
                                            struct sp_step *parent,
                                            sp_check_fn *fn, void *arg)
{
	struct sp_check_dnssec *d = SP_NEW(struct sp_check_dnssec);
	const struct sp_chain_conf conf = {
		.loop = ask->loop,
		.lookup = ask->lookup,
		.conf = ask->conf,
		.server_ms = SERVER_MS,
		.total_ms = TOTAL_MS,
	};

	d->ask = ask;
	d->fn = fn;
	d->arg = arg;
	d->end = sp_deferred_new(ask->loop, on_end, d);
	d->chain = sp_chain_new(&conf);
	sp_chain_story_init(&d->story, d->chain, is_fatal(ask->plan));
	d->top = sp_step_begin(parent, "dnssec", "DNSSEC of " SP_STR_FMT,
	                       SP_STR_ARG(ask->target));
	begin(d);
	return d;
}

void sp_check_dnssec_free(struct sp_check_dnssec **part)
{
	struct sp_check_dnssec *d = *part;

	if (!d) {
		return;
	}
	sp_questions_free(&d->questions);
	sp_chain_free(&d->chain);
	sp_chain_story_fini(&d->story);
	sp_deferred_free(&d->end);
	SP_FREE(part);
}
