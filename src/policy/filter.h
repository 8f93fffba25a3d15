/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_FILTER_H
#define SP_POLICY_FILTER_H

#include <stdbool.h>

#include "policy/mxplan.h"

/*
 * Log-only mode (`enforce = false`, mail-flow section 1): every check runs
 * and says what it would have done; here, and nowhere else, is decided what
 * is let through all the same. Waived are the verdicts of TLSA, STARTTLS and
 * MTA-STS. Never waived: bogus or failed MX and address answers, whose data
 * could be forged, and whatever a mandatory route demands.
 */

/* Is this cause, found on this host, let through? */
bool sp_filter_waives(bool enforce, const struct sp_plan_host *host,
                      enum sp_cause_id cause);

/* Call once, when the plan is done: hosts skipped for their TLSA only become
 * opportunistic, with what was waived in host->waived; the plan's verdict
 * follows. With enforce nothing changes. */
void sp_filter_plan(bool enforce, struct sp_plan *plan);

/* May mail for this host go in clear text, if the judge says so? */
bool sp_filter_clear_allowed(bool enforce, const struct sp_plan_host *host);

#endif
