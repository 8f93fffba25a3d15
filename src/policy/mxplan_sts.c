/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MTA-STS beside DANE (mail-flow section 3, RFC 8461 2 and 4). The plan has
 * come to its rules by DNS and DANE alone; a policy can make them stricter,
 * never weaker:
 *
 *   rule so far      enforce, listed    enforce, not listed   testing
 *   dane             stays: DANE replaces MTA-STS
 *   half-dane        both must pass     skip 4.4.8            noted
 *   encrypt          both must pass     skip 4.4.8            noted
 *   opportunistic    encrypt, why sts   skip 4.4.8            noted
 *   skip             stays: MTA-STS does not override a failure of DANE
 *
 * What it finds is kept on every host that is spoken to, for the report: also
 * where DANE stands in its place, and where it is only being tested.
 */
#include "base/assert.h"
#include "policy/mxplan_private.h"

static const struct sts_row {
	enum sp_rule before;
	bool binds;         /* the policy has a say beside what binds already */
	enum sp_rule after; /* of enforce, where the host is listed */
} sts_rows[] = {
	{SP_RULE_DANE, false, SP_RULE_DANE},
	{SP_RULE_HALF_DANE, true, SP_RULE_HALF_DANE},
	{SP_RULE_ENCRYPT, true, SP_RULE_ENCRYPT},
	{SP_RULE_OPPORTUNISTIC, true, SP_RULE_ENCRYPT},
	{SP_RULE_SKIP, false, SP_RULE_SKIP},
};

static const struct sts_row *row_find(enum sp_rule rule)
{
	for (size_t i = 0; i < sizeof(sts_rows) / sizeof(*sts_rows); i++) {
		if (sts_rows[i].before == rule) {
			return &sts_rows[i];
		}
	}
	SP_ASSERT(!"every rule has its row");
	return NULL;
}

static void copy_policy(struct sp_plan *plan, const struct sp_sts_kept *from)
{
	struct sp_sts_kept *own = &plan->sts.policy;
	size_t count = from->policy.mx_count;

	*own = *from;
	own->id = sp_arena_str(&plan->arena, from->id);
	own->policy.mx =
		sp_arena_array(&plan->arena, count, sizeof(*own->policy.mx));
	for (size_t i = 0; i < count; i++) {
		own->policy.mx[i] =
			sp_arena_str(&plan->arena, from->policy.mx[i]);
	}
	plan->sts.known = true;
}

static struct sp_verdict not_listed(struct sp_plan *plan,
                                    const struct sp_plan_host *host)
{
	const struct sp_sts_policy *policy = &plan->sts.policy.policy;
	const char *text = sp_arena_printf(
		&plan->arena,
		SP_STR_FMT " is not among the mx of policy " SP_STR_FMT
			   " (" SP_STR_FMT "%s)",
		SP_STR_ARG(host->name), SP_STR_ARG(plan->sts.policy.id),
		SP_STR_ARG(policy->mx_count > 0 ? policy->mx[0]
	                                        : SP_STR("none")),
		policy->mx_count > 1 ? ", ..." : "");

	return sp__verdict(plan, SP_CAUSE_STS_MX_NOT_LISTED, host->name,
	                   sp_str_from(text));
}

static void enforce(struct sp_plan_host *host, const struct sts_row *row)
{
	if (host->sts_found.class != SP_VERDICT_DELIVERED) {
		host->rule = SP_RULE_SKIP;
		host->why = SP_WHY_STS;
		host->verdict = host->sts_found;
		host->waivable = true; /* its addresses are good */
		return;
	}
	if (row->before != row->after) {
		host->rule = row->after;
		host->why = SP_WHY_STS;
	}
}

static void join_host(struct sp_plan *plan, struct sp_plan_host *host)
{
	const struct sp_sts_policy *policy = &plan->sts.policy.policy;
	const struct sts_row *row = row_find(host->rule);

	if (host->rule == SP_RULE_SKIP) {
		return;
	}
	host->sts_watched = true;
	host->sts = row->binds ? policy->mode : SP_STS_NONE;
	if (!sp_sts_policy_covers(policy, host->name)) {
		host->sts_found = not_listed(plan, host);
	}
	if (host->sts == SP_STS_ENFORCE) {
		enforce(host, row);
	}
	sp__dane_session(plan, host);
}

void sp_plan_join_sts(struct sp_plan *plan, const struct sp_sts_choice *choice)
{
	SP_ASSERT(sp_plan_done(plan) && !plan->sts.known);
	plan->sts.fetched = choice->fetched;
	plan->sts.trouble = choice->trouble;
	plan->sts.note = sp_arena_str(&plan->arena, choice->note);
	if (!choice->policy) {
		return;
	}
	copy_policy(plan, choice->policy);
	if (choice->policy->policy.mode == SP_STS_NONE) {
		return;
	}
	for (size_t i = 0; i < plan->host_count; i++) {
		join_host(plan, &plan->hosts[i]);
	}
	sp__plan_conclude(plan);
}

void sp_plan_await_sts(struct sp_plan *plan)
{
	plan->sts.awaited = true;
	plan->ttl_s = 0;
	sp__plan_conclude(plan);
}

/* Without TLS half-DANE would fail as well; the other demands of an enforced
 * policy are its own. REQUIRETLS takes it for its proof. */
bool sp_plan_sts_blamed(const struct sp_plan_host *host, enum sp_cause_id cause)
{
	static const enum sp_cause_id own[] = {
		SP_CAUSE_STS_MX_NOT_LISTED, SP_CAUSE_STS_CERT_UNTRUSTED,
		SP_CAUSE_STS_CERT_EXPIRED,  SP_CAUSE_STS_CERT_NAME_MISMATCH,
		SP_CAUSE_REQUIRETLS_UNMET,
	};
	const struct sp_cause *c = sp_cause_get(cause);

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		if (host->sts == SP_STS_ENFORCE && cause == own[i]) {
			return true;
		}
	}
	return host->sts == SP_STS_ENFORCE && host->why == SP_WHY_STS &&
	       c->subject == 7 && c->detail == 321;
}
