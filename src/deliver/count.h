/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_COUNT_H
#define SP_DELIVER_COUNT_H

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"
#include "deliver/dial.h"
#include "policy/mxplan.h"
#include "policy/verdict.h"

/*
 * What RFC 8460 counts of an attempt: a finding for each session and each
 * policy that it was under, and for what failed before there was a session.
 * A session is a connection that came to TLS or should have; one that carries
 * several messages counts once. Pure.
 */

#define SP_COUNTS_MAX 32 /* of one attempt; the rest is not counted */

struct sp_count {
	struct sp_str type;      /* SP_TLSRPT_TLSA, _STS or _NONE */
	struct sp_str domain;    /* policy domain: lower-case A-labels */
	struct sp_str recipient; /* domain that the mail is for */
	struct sp_str policy;    /* policy-string, one a line */
	struct sp_str mx_hosts;  /* patterns, one a line */
	struct sp_str result;    /* result type; empty: a success */
	struct sp_str sending_ip;
	struct sp_str mx_host;
	struct sp_str mx_helo;
	struct sp_str receiving_ip;
	struct sp_str reason; /* scenario and code: "tlsa-mismatch 4.7.323" */
	bool session;         /* there was one; else it is of the plan */
};

struct sp_counts {
	struct sp_arena *arena;  /* of the attempt: all texts live there */
	struct sp_str recipient; /* set by sp_count_plan */
	struct sp_count *list;
	size_t count;
	size_t room;
	bool off; /* nothing is counted (report.count) */
};

/* Of the plan as a whole: DNSSEC, and fetching the MTA-STS policy. Once. */
void sp_count_plan(struct sp_counts *counts, const struct sp_plan *plan);
/* Another plan takes its place: what was found without a session is gone. */
void sp_count_replan(struct sp_counts *counts);
/* A host that is passed over for its TLSA records or by MTA-STS. */
void sp_count_skipped(struct sp_counts *counts, const struct sp_plan *plan,
                      const struct sp_plan_host *host);
/* A try that was not made over an older connection. verdict null: the session
 * came about. */
void sp_count_try(struct sp_counts *counts, const struct sp_plan *plan,
                  const struct sp_plan_host *host,
                  const struct sp_dial_facts *facts,
                  const struct sp_verdict *verdict);

#endif
