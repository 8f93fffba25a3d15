/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter over finished verdicts. The plan and the judge don't know of it:
 * what they find is the same with every filter, so that "would have blocked"
 * is exactly what would have blocked.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "policy/filter.h"
#include "policy/mxplan_private.h"

/* Codes of TLSA, STARTTLS and MTA-STS; 324 of a plan needs host->waivable. */
static const struct {
	unsigned subject, detail;
} tls_codes[] = {
	{7, 321}, {7, 322}, {7, 323}, {7, 324}, {7, 325}, {7, 5}, {4, 8},
};

static bool is_of_tls(enum sp_cause_id id)
{
	const struct sp_cause *cause = sp_cause_get(id);

	for (size_t i = 0; i < sizeof(tls_codes) / sizeof(*tls_codes); i++) {
		if (tls_codes[i].subject == cause->subject &&
		    tls_codes[i].detail == cause->detail) {
			return true;
		}
	}
	return false;
}

enum sp_waiver sp_filter_waiver(const struct sp_filter *filter)
{
	if (filter->requiretls) {
		return SP_WAIVER_NONE;
	}
	if (filter->log_only) {
		return SP_WAIVER_LOG_ONLY;
	}
	if (filter->exception) {
		return SP_WAIVER_EXCEPTION;
	}
	return filter->tls_optional ? SP_WAIVER_TLS_OPTIONAL : SP_WAIVER_NONE;
}

const char *sp_waiver_text(enum sp_waiver waiver)
{
	static const char *const text[SP_WAIVER_COUNT] = {
		[SP_WAIVER_LOG_ONLY] = "log-only",
		[SP_WAIVER_EXCEPTION] = "exception",
		[SP_WAIVER_TLS_OPTIONAL] = "tls-required-no",
	};

	return text[waiver];
}

bool sp_filter_waives(const struct sp_filter *filter,
                      const struct sp_plan_host *host, enum sp_cause_id id)
{
	if (!sp_filter_waiver(filter) || host->mandatory) {
		return false;
	}
	if (host->rule == SP_RULE_SKIP && !host->waivable) {
		return false;
	}
	return is_of_tls(id);
}

bool sp_filter_clear_allowed(const struct sp_filter *filter,
                             const struct sp_plan_host *host)
{
	if (host->rule == SP_RULE_SKIP || filter->requiretls) {
		return false;
	}
	return host->rule == SP_RULE_OPPORTUNISTIC ||
	       (sp_filter_waiver(filter) && !host->mandatory);
}

/* --- REQUIRETLS ----------------------------------------------------------- */

static struct sp_verdict unmet(struct sp_str host, const char *what,
                               struct sp_str evidence, struct sp_arena *arena)
{
	struct sp_verdict v = sp_verdict_from_cause(
		SP_CAUSE_REQUIRETLS_UNMET, host, (struct sp_str){0}, arena);

	v.host = host;
	v.evidence = sp_str_from(sp_arena_printf(arena, "%s%s" SP_STR_FMT, what,
	                                         evidence.len > 0 ? ": " : "",
	                                         SP_STR_ARG(evidence)));
	return v;
}

struct sp_verdict sp_filter_verdict(const struct sp_filter *filter,
                                    const struct sp_verdict *found,
                                    struct sp_arena *arena)
{
	struct sp_verdict v;

	if (!filter->requiretls || !is_of_tls(found->cause)) {
		return *found;
	}
	v = unmet(found->host, sp_cause_get(found->cause)->name,
	          found->evidence, arena);
	v.address = found->address;
	return v;
}

/* What DANE or MTA-STS have found wrong with the host itself; other trouble
 * may be over at the next try. */
static bool is_settled(const struct sp_plan_host *host)
{
	return host->verdict.cause == SP_CAUSE_DANE_REQUIRED ||
	       host->verdict.cause == SP_CAUSE_STS_MX_NOT_LISTED;
}

static bool may_satisfy(const struct sp_plan_host *host)
{
	if (host->rule == SP_RULE_SKIP) {
		return !is_settled(host);
	}
	return host->rule == SP_RULE_DANE || host->sts == SP_STS_ENFORCE;
}

/* A host whose records could not be had may satisfy the next time; one that
 * was looked at and has none, or may be the wrong one, does not. Nor is it
 * known yet of a policy that is announced but could not be had. */
static void demand(struct sp_plan *plan, struct sp_plan_host *host)
{
	char what[64];

	if (may_satisfy(host)) {
		return;
	}
	(void)snprintf(what, sizeof(what), "rule %s, MX %s",
	               sp_rule_text(host->rule),
	               sp_dnssec_text(plan->mx_dnssec));
	host->verdict =
		unmet(host->name, what, host->verdict.evidence, &plan->arena);
	if (!plan->sts.known && plan->sts.note.len > 0) {
		host->verdict = sp_verdict_defer(&host->verdict);
	}
	host->rule = SP_RULE_SKIP;
	host->waivable = false;
}

/* --- The plan ------------------------------------------------------------- */

static void waive(struct sp_plan *plan, struct sp_plan_host *host)
{
	host->waived = host->verdict;
	memset(&host->verdict, 0, sizeof(host->verdict));
	host->rule = SP_RULE_OPPORTUNISTIC;
	host->why = SP_WHY_NONE;
	host->sts = SP_STS_NONE;
	sp__dane_session(plan, host);
}

void sp_filter_plan(const struct sp_filter *filter, struct sp_plan *plan)
{
	SP_ASSERT(sp_plan_done(plan));
	for (size_t i = 0; i < plan->host_count; i++) {
		struct sp_plan_host *host = &plan->hosts[i];

		if (filter->requiretls) {
			demand(plan, host);
		} else if (host->rule == SP_RULE_SKIP &&
		           sp_filter_waives(filter, host,
		                            host->verdict.cause)) {
			waive(plan, host);
		}
	}
	sp__plan_conclude(plan);
}
