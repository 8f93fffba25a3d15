/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-only as a filter over finished verdicts. The plan and the judge don't
 * know of it: what they find is the same in both modes, so that "would have
 * blocked" is exactly what would have blocked.
 */
#include <string.h>

#include "base/assert.h"
#include "policy/filter.h"
#include "policy/mxplan_private.h"

/* Codes of TLSA, STARTTLS and MTA-STS; 324 of a plan needs host->waivable. */
static const struct {
	unsigned subject, detail;
} waivable_codes[] = {
	{7, 321}, {7, 322}, {7, 323}, {7, 324}, {7, 325}, {7, 5}, {4, 8},
};

bool sp_filter_waives(bool enforce, const struct sp_plan_host *host,
                      enum sp_cause_id id)
{
	const struct sp_cause *cause = sp_cause_get(id);

	if (enforce || host->mandatory || id == SP_CAUSE_NONE) {
		return false;
	}
	if (host->rule == SP_RULE_SKIP && !host->waivable) {
		return false;
	}
	for (size_t i = 0; i < sizeof(waivable_codes) / sizeof(*waivable_codes);
	     i++) {
		if (waivable_codes[i].subject == cause->subject &&
		    waivable_codes[i].detail == cause->detail) {
			return true;
		}
	}
	return false;
}

void sp_filter_plan(bool enforce, struct sp_plan *plan)
{
	SP_ASSERT(sp_plan_done(plan));
	for (size_t i = 0; i < plan->host_count; i++) {
		struct sp_plan_host *host = &plan->hosts[i];

		if (host->rule != SP_RULE_SKIP ||
		    !sp_filter_waives(enforce, host, host->verdict.cause)) {
			continue;
		}
		host->waived = host->verdict;
		memset(&host->verdict, 0, sizeof(host->verdict));
		host->rule = SP_RULE_OPPORTUNISTIC;
		host->why = SP_WHY_NONE;
		sp__dane_session(plan, host);
	}
	sp__plan_conclude(plan);
}

bool sp_filter_clear_allowed(bool enforce, const struct sp_plan_host *host)
{
	if (host->rule == SP_RULE_SKIP) {
		return false;
	}
	return host->rule == SP_RULE_OPPORTUNISTIC ||
	       (!enforce && !host->mandatory);
}
