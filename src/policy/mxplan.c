/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of one domain, from its MX question to the hosts and their rules.
 *
 *            literal, bad name, fixed next hop
 *   new ─────────────────────────────────────────┐
 *    │ MX question                               │
 *    ▼                                           ▼
 *   MX ──rows 12, 13, 14, 17──▶ done      ┌── hosts ──┐ each by itself
 *    └──rows 1-11, 15, 16, 18, 19───────▶ │ mxplan_   │
 *                                         │ host.c    │
 *                                         └─────┬─────┘
 *                                  all ready    ▼
 *                                            conclude ──▶ done
 *
 * Invariants
 * - An answer is never used before its state was judged, in one place
 *   (answer_state): a state worse than insecure has no data.
 * - A question that the tables forbid is never made, so it can't be asked.
 * - The answers live as long as the plan; hosts borrow from them.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/buf.h"
#include "policy/mxplan.h"
#include "policy/mxplan_private.h"
#include "wire/address.h"

#define EVIDENCE_BYTES 2048

static const enum sp_dns_type ask_type[] = {
	[SP__ASK_MX] = SP_DNS_TYPE_MX,
	[SP__ASK_A] = SP_DNS_TYPE_A,
	[SP__ASK_AAAA] = SP_DNS_TYPE_AAAA,
	[SP__ASK_CNAME] = SP_DNS_TYPE_CNAME,
	[SP__ASK_DNAME] = SP_DNS_TYPE_DNAME,
	[SP__ASK_TLSA] = SP_DNS_TYPE_TLSA,
};

static const char *const ask_text[] = {
	[SP__ASK_MX] = "MX",       [SP__ASK_A] = "A",
	[SP__ASK_AAAA] = "AAAA",   [SP__ASK_CNAME] = "CNAME",
	[SP__ASK_DNAME] = "DNAME", [SP__ASK_TLSA] = "TLSA",
};

const char *sp_rule_text(enum sp_rule rule)
{
	static const char *const text[] = {
		[SP_RULE_SKIP] = "skip",
		[SP_RULE_OPPORTUNISTIC] = "opportunistic",
		[SP_RULE_ENCRYPT] = "encrypt",
		[SP_RULE_HALF_DANE] = "half-dane",
		[SP_RULE_DANE] = "dane",
	};

	return text[rule];
}

const char *sp_rule_why_text(enum sp_rule_why why)
{
	static const char *const text[] = {
		[SP_WHY_NONE] = "none",
		[SP_WHY_TLSA] = "tlsa",
		[SP_WHY_ALL_UNUSABLE] = "all-unusable",
		[SP_WHY_INSECURE_MX] = "insecure-mx",
		[SP_WHY_ROUTE] = "route",
		[SP_WHY_STS] = "sts",
	};

	return text[why];
}

const char *sp_tlsa_answer_text(enum sp_tlsa_answer answer)
{
	static const char *const text[] = {
		[SP_TLSA_NOT_ASKED] = "not-asked",
		[SP_TLSA_RECORDS] = "records",
		[SP_TLSA_NODATA] = "nodata",
		[SP_TLSA_NXDOMAIN] = "nxdomain",
		[SP_TLSA_NONE] = "none",
	};

	return text[answer];
}

const char *sp_plan_mx_answer_text(const struct sp_plan *plan)
{
	return plan->null_mx ? "null-mx" : sp_dns_result_text(plan->mx_result);
}

/* --- Words ------------------------------------------------------------- */

/* Reasons come from the network: one line, printable, bounded. */
static void clean(char *text, size_t max)
{
	size_t i = 0;

	for (; text[i] != '\0' && i < max; i++) {
		text[i] = sp_ascii_tame(text[i]);
	}
	text[i] = '\0';
}

/* Why an answer can't be used; the resolver's words, unless it is us. */
static struct sp_str why(const struct sp_plan *plan,
                         const struct sp_dns_answer *answer)
{
	if (answer->why.len == 0 && plan->work->conf.validator_broken) {
		return SP_STR("the resolver's self-test failed");
	}
	return answer->why;
}

/* What an answer says; only of secure and insecure ones. */
static const char *said(const struct sp_plan *plan,
                        const struct sp__question *q)
{
	static const char *const words[] = {
		[SP_DNS_NONE] = "nothing",
		[SP_DNS_RECORDS] = "records",
		[SP_DNS_NODATA] = "no data",
		[SP_DNS_NXDOMAIN] = "no such name",
	};
	bool address = q->ask == SP__ASK_A || q->ask == SP__ASK_AAAA;

	if (q->ask == SP__ASK_MX && sp__null_mx(q->answer)) {
		return "null MX";
	}
	if (address && q->answer->result == SP_DNS_RECORDS &&
	    plan->hosts[q->host].address_count == 0) {
		return "no usable address";
	}
	return words[q->answer->result];
}

static void say_answer(const struct sp_plan *plan, const struct sp__question *q,
                       struct sp_buf *out)
{
	const struct sp_dns_answer *answer = q->answer;

	if (answer->alias_count > 0) {
		(void)sp_buf_printf(out, ", alias of " SP_STR_FMT,
		                    SP_STR_ARG(answer->canonical));
	}
	(void)sp_buf_printf(out, ": %s, %s", said(plan, q),
	                    sp_dnssec_text(q->state));
}

static void say_trouble(const struct sp_plan *plan,
                        const struct sp__question *q, struct sp_buf *out)
{
	const struct sp_dns_answer *answer = q->answer;
	struct sp_str reason = why(plan, answer);

	(void)sp_buf_printf(out, ": %s", sp_dnssec_text(q->state));
	if (q->state == SP_DNSSEC_FAILED) {
		(void)sp_buf_printf(out, ", rcode %u", answer->rcode);
	}
	if (answer->ede != SP_DNS_EDE_NONE) {
		(void)sp_buf_printf(out, ", EDE %u", answer->ede);
	}
	if (reason.len > 0) {
		(void)sp_buf_printf(out, ": " SP_STR_FMT, SP_STR_ARG(reason));
	}
}

struct sp_str sp__evidence(struct sp_plan *plan, const struct sp__question *q)
{
	struct sp_buf line;
	char *text;

	sp_buf_init(&line, EVIDENCE_BYTES);
	(void)sp_buf_printf(&line, "%s " SP_STR_FMT, ask_text[q->ask],
	                    SP_STR_ARG(q->name));
	if (q->state > SP_DNSSEC_INSECURE) {
		say_trouble(plan, q, &line);
	} else {
		say_answer(plan, q, &line);
	}
	text = sp_arena_cstr(&plan->arena, sp_buf_str(&line));
	sp_buf_fini(&line);
	clean(text, 1024);
	return sp_str_from(text);
}

struct sp_str sp__evidence_mx(struct sp_plan *plan)
{
	const struct sp_plan_work *work = plan->work;

	if (work->question_count == 0 ||
	    work->questions[0]->ask != SP__ASK_MX) {
		return (struct sp_str){0}; /* fixed, or a literal */
	}
	return sp__evidence(plan, work->questions[0]);
}

/* The best MX is ourselves. */
static void end_at_self(struct sp_plan *plan, struct sp_str host,
                        const char *what)
{
	char *text = sp_arena_printf(
		&plan->arena, "MX " SP_STR_FMT ": " SP_STR_FMT " %s",
		SP_STR_ARG(plan->domain), SP_STR_ARG(host), what);

	sp__plan_end(plan, SP_CAUSE_MX_IS_SELF, sp_str_from(text));
}

void sp__warn(struct sp_plan *plan, struct sp_str *warning, const char *text)
{
	*warning = sp_str_from(sp_arena_printf(
		&plan->arena, SP_STR_FMT "%s%s", SP_STR_ARG(*warning),
		warning->len > 0 ? "; " : "", text));
}

size_t sp__cut(struct sp_plan *plan, size_t all, size_t max, bool more,
               struct sp_plan_cut *cut, struct sp_str *warning,
               const char *what)
{
	size_t taken = all < max ? all : max;

	if (all > max || more) {
		*cut = (struct sp_plan_cut){taken, all - taken + more, more};
		sp__warn(plan, warning,
		         sp_arena_printf(
				 &plan->arena,
				 "more %s than the limit: %s%zu left out", what,
				 more ? "at least " : "", cut->left_out));
	}
	return taken;
}

struct sp_verdict sp__verdict(struct sp_plan *plan, enum sp_cause_id cause,
                              struct sp_str host, struct sp_str evidence)
{
	struct sp_verdict v;

	v = sp_verdict_from_cause(cause, plan->domain, (struct sp_str){0},
	                          &plan->arena);
	v.host = host;
	v.evidence = evidence;
	return v;
}

/* --- Questions and answers ---------------------------------------------- */

void sp__plan_ask(struct sp_plan *plan, enum sp__ask ask, size_t host,
                  struct sp_str name)
{
	struct sp_plan_work *work = plan->work;
	struct sp__question *q = SP_NEW(struct sp__question);

	if (work->question_count == work->question_room) {
		work->question_room = work->question_room * 2 + 8;
		work->questions = sp_realloc(
			work->questions,
			work->question_room * sizeof(struct sp__question *));
	}
	q->ask = ask;
	q->host = host;
	q->name = name;
	work->questions[work->question_count++] = q;
}

static bool same_name(struct sp_str a, struct sp_str b)
{
	if (a.len > 1 && a.ptr[a.len - 1] == '.') {
		a.len--;
	}
	if (b.len > 1 && b.ptr[b.len - 1] == '.') {
		b.len--;
	}
	return sp_str_eq_nocase(a, b);
}

/* An answer that contradicts itself, or is to something else, says nothing. */
static bool plausible(const struct sp__question *q)
{
	const struct sp_dns_answer *answer = q->answer;

	if (answer->type != ask_type[q->ask] ||
	    !same_name(answer->name, q->name)) {
		return false;
	}
	if (answer->rcode != 0 && answer->rcode != 3) {
		return false;
	}
	if (answer->result == SP_DNS_RECORDS) {
		return answer->record_count > 0;
	}
	return answer->result == SP_DNS_NODATA ||
	       answer->result == SP_DNS_NXDOMAIN;
}

/* The worst of the answer and its alias steps counts (mail-flow section 1). */
static enum sp_dnssec answer_state(const struct sp_plan *plan,
                                   const struct sp__question *q)
{
	const struct sp_plan_conf *conf = &plan->work->conf;
	const struct sp_dns_answer *answer = q->answer;
	enum sp_dnssec worst = answer->dnssec;

	for (size_t i = 0; i < answer->alias_count; i++) {
		if (answer->aliases[i].dnssec > worst) {
			worst = answer->aliases[i].dnssec;
		}
	}
	if (worst > SP_DNSSEC_INSECURE) {
		return worst;
	}
	if (!plausible(q)) {
		return SP_DNSSEC_FAILED;
	}
	if (!conf->validator_broken) {
		return worst;
	}
	/* Without a validator there is no difference between the two: where
	 * DANE matters nothing is known, elsewhere nothing is secure. */
	return conf->dane == SP_DANE_OFF ? SP_DNSSEC_INSECURE
	                                 : SP_DNSSEC_FAILED;
}

/* Causes a resolver may name as the reason of a bogus answer. */
static const enum sp_cause_id bogus_causes[] = {
	SP_CAUSE_RRSIG_EXPIRED,     SP_CAUSE_RRSIG_NOT_YET_VALID,
	SP_CAUSE_RRSIG_MISSING,     SP_CAUSE_RRSIG_INVALID,
	SP_CAUSE_DS_WITHOUT_DNSKEY, SP_CAUSE_DENIAL_UNPROVEN,
};

enum sp_cause_id sp__bogus_cause(const struct sp_plan *plan,
                                 const struct sp_dns_answer *answer)
{
	enum sp_cause_id named = sp_cause_find(answer->scenario);

	if (plan->work->conf.validator_broken) {
		return SP_CAUSE_RESOLVER_NOT_VALIDATING;
	}
	for (size_t i = 0; i < sizeof(bogus_causes) / sizeof(*bogus_causes);
	     i++) {
		if (bogus_causes[i] == named) {
			return named;
		}
	}
	return SP_CAUSE_DNSSEC_BOGUS;
}

bool sp_plan_next(struct sp_plan *plan, struct sp_plan_question *question_out)
{
	struct sp_plan_work *work = plan->work;
	const struct sp__question *q;

	if (work->done || work->handed_out == work->question_count) {
		return false;
	}
	q = work->questions[work->handed_out];
	question_out->id = (unsigned)work->handed_out++;
	question_out->name = q->name;
	question_out->type = ask_type[q->ask];
	return true;
}

/* --- The MX answer ------------------------------------------------------- */

enum mx_action {
	MX_HOSTS,    /* as listed */
	MX_IMPLICIT, /* the domain itself */
	MX_NULL,
	MX_NO_DOMAIN,
	MX_BOGUS,
	MX_FAILED,
};

enum mx_said {
	MX_RECORDS,
	MX_NULL_RECORD,
	MX_NODATA,
	MX_NXDOMAIN,
	MX_ANY
};

/* Section 3 of mail-flow, column MX; the first row that fits. */
static const struct mx_row {
	const char *row;
	enum sp_dnssec state;
	enum mx_said said;
	enum mx_action action;
} mx_rows[] = {
	{"12", SP_DNSSEC_BOGUS, MX_ANY, MX_BOGUS},
	{"13", SP_DNSSEC_FAILED, MX_ANY, MX_FAILED},
	{"14", SP_DNSSEC_SECURE, MX_NXDOMAIN, MX_NO_DOMAIN},
	{"14", SP_DNSSEC_INSECURE, MX_NXDOMAIN, MX_NO_DOMAIN},
	{"15", SP_DNSSEC_SECURE, MX_NODATA, MX_IMPLICIT},
	{"16", SP_DNSSEC_INSECURE, MX_NODATA, MX_IMPLICIT},
	{"17", SP_DNSSEC_SECURE, MX_NULL_RECORD, MX_NULL},
	{"17", SP_DNSSEC_INSECURE, MX_NULL_RECORD, MX_NULL},
	{"1-11", SP_DNSSEC_SECURE, MX_RECORDS, MX_HOSTS},
	{"18-19", SP_DNSSEC_INSECURE, MX_RECORDS, MX_HOSTS},
};

static enum mx_said mx_said(const struct sp_dns_answer *answer)
{
	if (answer->result == SP_DNS_RECORDS) {
		return sp__null_mx(answer) ? MX_NULL_RECORD : MX_RECORDS;
	}
	return answer->result == SP_DNS_NXDOMAIN ? MX_NXDOMAIN : MX_NODATA;
}

static const struct mx_row *mx_row_find(const struct sp__question *q)
{
	enum mx_said said = mx_said(q->answer);

	for (size_t i = 0; i < sizeof(mx_rows) / sizeof(*mx_rows); i++) {
		if (mx_rows[i].state == q->state &&
		    (mx_rows[i].said == MX_ANY || mx_rows[i].said == said)) {
			return &mx_rows[i];
		}
	}
	SP_ASSERT(!"every MX answer has its row");
	return NULL;
}

static void start_hosts(struct sp_plan *plan)
{
	for (size_t i = 0; i < plan->host_count; i++) {
		sp__host_start(plan, i);
	}
}

static struct sp_str own_name(const struct sp_plan *plan,
                              const struct sp_dns_answer *answer)
{
	for (size_t i = 0; i < answer->record_count; i++) {
		if (sp__host_is_self(plan, answer->records[i].name)) {
			return answer->records[i].name;
		}
	}
	return plan->domain;
}

static void use_mx_hosts(struct sp_plan *plan, const struct sp__question *q)
{
	if (sp__hosts_from_mx(plan, q->answer)) {
		start_hosts(plan);
	} else {
		end_at_self(plan, own_name(plan, q->answer), "is this server");
	}
}

static void use_implicit_mx(struct sp_plan *plan)
{
	if (sp__host_is_self(plan, plan->domain)) {
		end_at_self(plan, plan->domain, "is this server");
		return;
	}
	sp__hosts_single(plan, plan->domain, true);
	start_hosts(plan);
}

static enum sp_cause_id mx_failed_cause(const struct sp_plan *plan)
{
	return plan->work->conf.validator_broken
	               ? SP_CAUSE_RESOLVER_NOT_VALIDATING
	               : SP_CAUSE_MX_LOOKUP_FAILED;
}

static void take_mx_facts(struct sp_plan *plan, const struct sp__question *q)
{
	const struct sp_dns_answer *answer = q->answer;

	plan->mx_dnssec = q->state;
	if (q->state > SP_DNSSEC_INSECURE) {
		plan->mx_why = why(plan, answer);
		return;
	}
	plan->mx_result = answer->result;
	if (answer->alias_count > 0 && !sp__is_root(answer->canonical)) {
		plan->expanded = answer->canonical;
	}
}

static void answer_mx(struct sp_plan *plan, const struct sp__question *q)
{
	const struct mx_row *row = mx_row_find(q);

	take_mx_facts(plan, q);
	plan->row = row->row;
	switch (row->action) {
	case MX_HOSTS:
		use_mx_hosts(plan, q);
		return;
	case MX_IMPLICIT:
		use_implicit_mx(plan);
		return;
	case MX_NULL:
		plan->null_mx = true;
		sp__plan_end(plan, SP_CAUSE_NULL_MX, sp__evidence(plan, q));
		return;
	case MX_NO_DOMAIN:
		sp__plan_end(plan, SP_CAUSE_NO_SUCH_DOMAIN,
		             sp__evidence(plan, q));
		return;
	case MX_BOGUS:
		sp__plan_end(plan, sp__bogus_cause(plan, q->answer),
		             sp__evidence(plan, q));
		return;
	case MX_FAILED:
		sp__plan_end(plan, mx_failed_cause(plan),
		             sp__evidence(plan, q));
		return;
	}
}

static void lower_ttl(struct sp_plan *plan, uint32_t ttl_s)
{
	if (ttl_s < plan->ttl_s) {
		plan->ttl_s = ttl_s;
	}
}

void sp_plan_answer(struct sp_plan *plan, unsigned id,
                    struct sp_dns_answer **answer)
{
	struct sp_plan_work *work = plan->work;
	struct sp__question *q;

	SP_ASSERT(id < work->handed_out && *answer != NULL);
	q = work->questions[id];
	SP_ASSERT(q->answer == NULL && !work->done);
	q->answer = *answer;
	*answer = NULL;
	q->state = answer_state(plan, q);
	lower_ttl(plan, q->state <= SP_DNSSEC_INSECURE ? q->answer->ttl_s : 0);
	if (q->ask == SP__ASK_MX) {
		answer_mx(plan, q);
	} else {
		sp__host_answer(plan, q);
	}
}

/* --- The end -------------------------------------------------------------- */

static void done(struct sp_plan *plan)
{
	plan->work->done = true;
	if (plan->ttl_s == UINT32_MAX) {
		plan->ttl_s = 0;
	}
}

/* Data that nobody signed must not return mail for good where the route
 * demands DANE: whoever forges the answer could. */
static enum sp_cause_id soften(const struct sp_plan *plan,
                               enum sp_cause_id cause)
{
	if (plan->work->conf.dane == SP_DANE_MANDATORY &&
	    plan->mx_dnssec == SP_DNSSEC_INSECURE &&
	    sp_cause_get(cause)->at_once) {
		return SP_CAUSE_DANE_REQUIRED;
	}
	return cause;
}

void sp__plan_end(struct sp_plan *plan, enum sp_cause_id cause,
                  struct sp_str evidence)
{
	plan->verdict = sp__verdict(plan, soften(plan, cause),
	                            (struct sp_str){0}, evidence);
	done(plan);
}

/* Row 11: 5.4.4 only if no host at all has an address; a host of which we
 * know less keeps the domain deferred. Without MX records (row 15) the domain
 * names no server that could lack one. */
static void settle_no_addresses(struct sp_plan *plan)
{
	bool all = !plan->work->incomplete;

	for (size_t i = 0; i < plan->host_count; i++) {
		all = all &&
		      plan->hosts[i].verdict.cause == SP_CAUSE_NO_ADDRESSES;
	}
	for (size_t i = 0; i < plan->host_count; i++) {
		struct sp_plan_host *host = &plan->hosts[i];
		bool stays = all && !host->implicit;

		if (host->verdict.cause == SP_CAUSE_NO_ADDRESSES && !stays) {
			host->verdict =
				sp__verdict(plan,
			                    all ? SP_CAUSE_NO_MAIL_SERVER
			                        : SP_CAUSE_HOST_WITHOUT_ADDRESS,
			                    host->name, host->verdict.evidence);
		}
	}
}

void sp__plan_conclude(struct sp_plan *plan)
{
	const struct sp_verdict *worst = NULL;

	if (plan->sts.awaited) {
		plan->verdict = sp__verdict(
			plan, SP_CAUSE_HOST_BUSY, (struct sp_str){0},
			SP_STR("its MTA-STS policy is not there yet, and "
		               "others need the place"));
		return;
	}
	for (size_t i = 0; i < plan->host_count; i++) {
		if (plan->hosts[i].rule != SP_RULE_SKIP) {
			memset(&plan->verdict, 0, sizeof(plan->verdict));
			return;
		}
		worst = sp_verdict_worse(worst, &plan->hosts[i].verdict);
	}
	if (worst != NULL) {
		plan->verdict = *worst;
	}
}

void sp__plan_host_ready(struct sp_plan *plan)
{
	struct sp_plan_work *work = plan->work;
	struct sp_str own = {0};

	work->ready_count++;
	if (work->ready_count < plan->host_count) {
		return;
	}
	if (!work->fixed) {
		own = sp__hosts_drop_self(plan);
	}
	if (plan->host_count == 0) {
		end_at_self(plan, own, "has an address of this server");
		return;
	}
	settle_no_addresses(plan);
	sp__plan_conclude(plan);
	done(plan);
}

bool sp_plan_done(const struct sp_plan *plan)
{
	return plan->work->done;
}

/* --- The beginning ---------------------------------------------------------
 */

static void start_fixed(struct sp_plan *plan)
{
	struct sp_plan_work *work = plan->work;
	struct sp_str name = work->conf.fixed_next_hop;

	if (!sp_domain_is_literal(name) && name.len > 2 && name.ptr[0] == '[' &&
	    name.ptr[name.len - 1] == ']') {
		name = sp_str_sub(name, 1, name.len - 2);
	}
	if (sp_domain_to_ascii(name, &plan->arena, &name) != 0) {
		sp__plan_end(plan, SP_CAUSE_BAD_DOMAIN, (struct sp_str){0});
		return;
	}
	work->fixed = true;
	plan->row = "fixed";
	plan->mx_dnssec = SP_DNSSEC_SECURE;
	sp__hosts_single(plan, name, false);
	start_hosts(plan);
}

static void start_literal(struct sp_plan *plan)
{
	plan->row = "literal";
	plan->mx_dnssec = SP_DNSSEC_INSECURE;
	sp__hosts_single(plan, plan->domain, true);
	if (plan->hosts[0].address_count == 0) {
		plan->host_count = 0;
		sp__plan_end(plan, SP_CAUSE_BAD_DOMAIN, (struct sp_str){0});
		return;
	}
	start_hosts(plan);
}

static void start(struct sp_plan *plan, struct sp_str domain)
{
	bool good =
		sp_domain_to_ascii(domain, &plan->arena, &plan->domain) == 0 &&
		!sp__is_root(plan->domain);

	if (!good) {
		plan->domain = sp_arena_str(&plan->arena, domain);
	}
	plan->expanded = plan->domain;
	if (plan->work->conf.fixed_next_hop.len > 0) {
		start_fixed(plan);
	} else if (!good) {
		sp__plan_end(plan, SP_CAUSE_BAD_DOMAIN, (struct sp_str){0});
	} else if (sp_domain_is_literal(plan->domain)) {
		start_literal(plan);
	} else {
		sp__plan_ask(plan, SP__ASK_MX, 0, plan->domain);
	}
}

struct sp_plan *sp_plan_new(const struct sp_plan_conf *conf,
                            struct sp_str domain, uint64_t seed)
{
	struct sp_plan *plan = SP_NEW(struct sp_plan);

	SP_ASSERT(conf->hosts_max > 0 && conf->addresses_max > 0 &&
	          conf->tlsa_max > 0 && conf->port > 0);
	sp_arena_init(&plan->arena);
	plan->work = SP_NEW(struct sp_plan_work);
	plan->work->conf = *conf;
	plan->work->conf.fixed_next_hop =
		sp_arena_str(&plan->arena, conf->fixed_next_hop);
	plan->work->seed = seed;
	plan->ttl_s = UINT32_MAX;
	plan->row = "";
	plan->mx_dnssec = SP_DNSSEC_FAILED; /* until it is answered */
	start(plan, domain);
	return plan;
}

void sp_plan_free(struct sp_plan **plan)
{
	struct sp_plan *p = *plan;

	if (p == NULL) {
		return;
	}
	for (size_t i = 0; i < p->work->question_count; i++) {
		sp_dns_answer_free(&p->work->questions[i]->answer);
		SP_FREE(&p->work->questions[i]);
	}
	SP_FREE(&p->work->questions);
	SP_FREE(&p->work);
	sp_arena_fini(&p->arena);
	SP_FREE(plan);
}

void sp_plan_distrust(struct sp_plan *plan)
{
	plan->work->conf.validator_broken = true;
}
