/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_FILTER_H
#define SP_POLICY_FILTER_H

#include <stdbool.h>

#include "policy/mxplan.h"

/*
 * The one filter over verdicts (mail-flow section 1 and 4): every check runs
 * and says what it finds; here, and nowhere else, is decided what is let
 * through all the same, and what is not good enough all the same.
 *
 * Waived are the verdicts of TLSA, STARTTLS and MTA-STS: in log-only mode, by
 * an exception, or by the sender (RFC 8689 4.2.2). Never waived: bogus or
 * failed MX and address answers, whose data could be forged, and whatever a
 * mandatory route demands.
 *
 * REQUIRETLS (RFC 8689 4.2.1) wins over all of that and adds a demand: a host
 * found by a secure MX or listed by an enforced MTA-STS policy, authenticated,
 * that offers REQUIRETLS as well.
 */
struct sp_filter {
	bool log_only;     /* `enforce = false` */
	bool exception;    /* time-boxed, for this destination: as log-only */
	bool tls_optional; /* the message says "TLS-Required: No" */
	bool requiretls;   /* the message was given with REQUIRETLS */
};

/* What lets things through; of several the first. */
enum sp_waiver {
	SP_WAIVER_NONE,
	SP_WAIVER_LOG_ONLY,
	SP_WAIVER_EXCEPTION,
	SP_WAIVER_TLS_OPTIONAL,
	SP_WAIVER_COUNT,
};
enum sp_waiver sp_filter_waiver(const struct sp_filter *filter);
/* For trace and counters: "log-only", "exception", "tls-required-no"; null
 * for none. */
const char *sp_waiver_text(enum sp_waiver waiver);

/* Is this cause, found on this host, let through? */
bool sp_filter_waives(const struct sp_filter *filter,
                      const struct sp_plan_host *host, enum sp_cause_id cause);

/* The verdict that a failure has under the filter: with REQUIRETLS those of
 * TLS become requiretls-unmet, the found one stays as evidence. */
struct sp_verdict sp_filter_verdict(const struct sp_filter *filter,
                                    const struct sp_verdict *found,
                                    struct sp_arena *arena);

/* Call once, when the plan is done: hosts skipped for their TLSA only become
 * opportunistic, with what was waived in host->waived; hosts that can't
 * satisfy REQUIRETLS are skipped; the plan's verdict follows. A filter with
 * nothing set changes nothing. */
void sp_filter_plan(const struct sp_filter *filter, struct sp_plan *plan);

/* May mail for this host go in clear text, if the judge says so? */
bool sp_filter_clear_allowed(const struct sp_filter *filter,
                             const struct sp_plan_host *host);

#endif
