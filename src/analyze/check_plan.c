/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan was made elsewhere; here each of its facts finds its step. The
 * cause of a host stands where it arose: at the answer that brought it.
 */
#include "analyze/check_plan.h"
#include "deliver/evidence.h"

struct growing {
	const struct sp_plan *plan;
	const struct sp_json *json; /* `policy --json`, of which the evidence
	                             * is taken */
};

static bool failed(const struct sp_verdict *v)
{
	return v->class != SP_VERDICT_DELIVERED;
}

/* Copies what stands there, under the same name. */
static void take(struct sp_step *step, const struct sp_json *from,
                 const char *key)
{
	const struct sp_json *value = sp_json_get(from, key);

	if (!sp_json_is_null(value)) {
		sp_json_set(sp_step_evidence(step), key, sp_json_copy(value));
	}
}

/* A host's cause: others may still take the mail. */
static void end_by(struct sp_step *step, const struct growing *g,
                   const struct sp_verdict *cause)
{
	if (!cause) {
		sp_step_finish(step);
		return;
	}
	sp_step_cause(step, cause);
	sp_step_end(step,
	            failed(&g->plan->verdict) ? SP_STEP_FAIL : SP_STEP_WARN);
}

/* Not all that is published is used. what: "addresses of"; key: the limit's, in
 * the configuration. */
static void advise_cut(struct sp_step *step, const struct sp_plan_cut *cut,
                       const char *what, struct sp_str where, const char *key)
{
	struct sp_arena arena;

	if (!cut->left_out) {
		return;
	}
	sp_json_set_int(sp_step_evidence(step), "left_out",
	                (int64_t)cut->left_out);
	sp_arena_init(&arena);
	sp_step_advice_detail(
		step, SP_ADVICE_PLAN_CUT,
		sp_str_from(sp_arena_printf(
			&arena, "%s%zu of %zu %s " SP_STR_FMT,
			cut->more ? "At least " : "", cut->left_out,
			cut->taken + cut->left_out, what, SP_STR_ARG(where))),
		sp_str_from(
			sp_arena_printf(&arena, "%zu (%s)", cut->taken, key)));
	sp_arena_fini(&arena);
}

/* ---- MX ---- */

static void grow_mx(struct sp_step *parent, const struct growing *g)
{
	const struct sp_plan *plan = g->plan;
	const struct sp_json *mx = sp_json_get(g->json, "mx");
	struct sp_json *names = sp_json_array();
	struct sp_step *step =
		sp_step_begin(parent, "plan.mx", "MX records of " SP_STR_FMT,
	                      SP_STR_ARG(plan->domain));

	take(step, mx, "answer");
	take(step, mx, "dnssec");
	take(step, mx, "why");
	for (size_t i = 0; i < plan->host_count; i++) {
		sp_json_add_str(names, plan->hosts[i].name);
	}
	sp_json_set(sp_step_evidence(step), "hosts", names);
	if (plan->host_count == 0) {
		end_by(step, g, failed(&plan->verdict) ? &plan->verdict : NULL);
		return;
	}
	if (sp_str_starts_nocase(plan->warning, SP_STR("null MX beside"))) {
		sp_step_advice(step, SP_ADVICE_MX_NULL_BESIDE, plan->domain);
	}
	advise_cut(step, &plan->host_cut, "mail servers of", plan->domain,
	           "smtp.hosts_max");
	if (plan->hosts[0].implicit &&
	    plan->verdict.cause != SP_CAUSE_NO_MAIL_SERVER) {
		sp_step_advice(step, SP_ADVICE_MX_IMPLICIT, plan->domain);
	}
	sp_step_finish(step);
}

/* ---- hosts ---- */

enum place { /* where a host's cause arose */
	AT_HOST,
	AT_ADDRESS,
	AT_TLSA,
};

static enum place place_of(const struct sp_plan_host *host)
{
	enum sp_cause_id cause = host->verdict.cause;

	if (cause == SP_CAUSE_STS_MX_NOT_LISTED ||
	    cause == SP_CAUSE_DANE_REQUIRED) {
		return AT_HOST;
	}
	return host->tlsa_answer == SP_TLSA_NONE ? AT_TLSA : AT_ADDRESS;
}

static const struct sp_verdict *cause_at(const struct sp_plan_host *host,
                                         enum place place)
{
	return failed(&host->verdict) && place_of(host) == place
	               ? &host->verdict
	               : NULL;
}

static void grow_address(struct sp_step *parent, const struct growing *g,
                         const struct sp_plan_host *host,
                         const struct sp_json *json)
{
	struct sp_step *step = sp_step_begin(parent, "plan.host.address",
	                                     "Addresses of " SP_STR_FMT,
	                                     SP_STR_ARG(host->name));

	take(step, json, "addresses");
	if (host->alias_count) {
		take(step, json, "aliases");
	}
	advise_cut(step, &host->address_cut, "addresses of", host->name,
	           "smtp.addresses_max");
	if (host->alias_count && !host->implicit &&
	    !cause_at(host, AT_ADDRESS)) {
		sp_step_advice(step, SP_ADVICE_MX_ALIAS, host->name);
	}
	end_by(step, g, cause_at(host, AT_ADDRESS));
}

struct sp_verdict sp_check_all_unusable(const struct sp_plan_host *host)
{
	return (struct sp_verdict){
		.class = SP_VERDICT_TEMP,
		.cause = SP_CAUSE_TLSA_ALL_UNUSABLE,
		.code = sp_cause_get(SP_CAUSE_TLSA_ALL_UNUSABLE)->temp_code,
		.enhanced = {4, 7, 323},
		.host = host->name,
	};
}

static void end_records(struct sp_step *step, const struct sp_plan_host *host)
{
	struct sp_verdict unusable = sp_check_all_unusable(host);

	if (host->tlsa_dnssec != SP_DNSSEC_SECURE) {
		sp_step_advice(step, SP_ADVICE_TLSA_UNSIGNED, host->tlsa_owner);
		sp_step_finish(step);
	} else if (host->why == SP_WHY_ALL_UNUSABLE) {
		sp_step_cause(step, &unusable);
		sp_step_end(step, SP_STEP_WARN);
	} else {
		sp_step_finish(step);
	}
}

static void end_not_asked(struct sp_step *step, const struct sp_plan_host *host)
{
	const char *note =
		host->literal               ? "an address has no TLSA records"
		: host->why == SP_WHY_ROUTE ? "a route turns DANE off"
		: failed(&host->verdict)
			? "not asked: no address to go to"
			: "not asked: the addresses are not signed by DNSSEC";

	sp_json_set_cstr(sp_step_evidence(step), "note", note);
	sp_step_end(step, SP_STEP_SKIP);
}

static void grow_tlsa(struct sp_step *parent, const struct growing *g,
                      const struct sp_plan_host *host,
                      const struct sp_json *json)
{
	struct sp_str where =
		host->tlsa_owner.len ? host->tlsa_owner : host->name;
	struct sp_step *step =
		sp_step_begin(parent, "plan.host.tlsa",
	                      "TLSA records at " SP_STR_FMT, SP_STR_ARG(where));
	const struct sp_json *tlsa = sp_json_get(json, "tlsa");

	take(step, tlsa, "answer");
	take(step, tlsa, "dnssec");
	take(step, tlsa, "records");
	switch (host->tlsa_answer) {
	case SP_TLSA_NOT_ASKED:
		end_not_asked(step, host);
		break;
	case SP_TLSA_RECORDS:
		advise_cut(step, &host->tlsa_cut, "TLSA records at",
		           host->tlsa_owner, "dane.records_max");
		end_records(step, host);
		break;
	case SP_TLSA_NODATA:
	case SP_TLSA_NXDOMAIN:
		sp_step_advice(step, SP_ADVICE_TLSA_ABSENT, host->tlsa_owner);
		sp_step_finish(step);
		break;
	case SP_TLSA_NONE:
		end_by(step, g, cause_at(host, AT_TLSA));
		break;
	}
}

static void grow_host(struct sp_step *parent, const struct growing *g,
                      size_t index)
{
	const struct sp_plan_host *host = &g->plan->hosts[index];
	const struct sp_json *json =
		sp_json_at(sp_json_get(g->json, "hosts"), index);
	struct sp_step *step =
		sp_step_begin(parent, "plan.host", "Mail server " SP_STR_FMT,
	                      SP_STR_ARG(host->name));
	static const char *const keys[] = {"preference", "rule", "sts",
	                                   "sts_found", "warning"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		take(step, json, keys[i]);
	}
	if (host->why != SP_WHY_NONE) {
		sp_json_set_cstr(sp_step_evidence(step), "reason",
		                 sp_rule_why_text(host->why));
	}
	grow_address(step, g, host, json);
	grow_tlsa(step, g, host, json);
	end_by(step, g, cause_at(host, AT_HOST));
}

/* ---- the plan ---- */

struct sp_step *sp_check_plan_begin(struct sp_step *root, struct sp_str domain)
{
	return sp_step_begin(root, "plan", "Delivery plan for " SP_STR_FMT,
	                     SP_STR_ARG(domain));
}

/* A fixed next hop, or an address: no MX was asked for. */
static bool has_mx(const struct sp_plan *plan)
{
	return !sp_str_eq(sp_str_from(plan->row), SP_STR("fixed")) &&
	       !sp_str_eq(sp_str_from(plan->row), SP_STR("literal"));
}

void sp_check_plan_grow(struct sp_step *step, const struct sp_plan *plan)
{
	struct sp_json *json = sp_evidence_plan(plan);
	struct growing g = {.plan = plan, .json = json};

	take(step, json, "verdict");
	take(step, json, "sts");
	take(step, json, "sts_scenario");
	take(step, json, "sts_note");
	take(step, json, "warning");
	if (has_mx(plan)) {
		grow_mx(step, &g);
	}
	for (size_t i = 0; i < plan->host_count; i++) {
		grow_host(step, &g, i);
	}
	if (failed(&plan->verdict)) {
		sp_step_cause(step, &plan->verdict);
	}
	sp_step_finish(step);
	sp_json_free(&json);
}
