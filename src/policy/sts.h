/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_STS_H
#define SP_POLICY_STS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/cause.h"
#include "wire/mta_sts.h"

/*
 * Which MTA-STS policy applies to a domain now, and whether one has to be
 * fetched first: RFC 8461 3.3 and 5.1. Pure: the caller looks at the cache,
 * asks the TXT record and fetches. Whatever fails on the way, a kept policy
 * stays until its max_age is over, and without one mail goes on as if there
 * was none: discovery never holds mail back.
 *
 *   if (sp_sts_wants_fetch(&facts)) fetch: fills got, or trouble and why;
 *   choice = sp_sts_choose(&facts, &arena);
 */

/* A policy with the times of its row. Wall clock. */
struct sp_sts_kept {
	struct sp_str id; /* of the TXT record that led to it */
	struct sp_sts_policy policy;
	int64_t fetched_ms;
	int64_t expires_ms;
};

/* What became of the question for "_mta-sts.<domain>". */
enum sp_sts_txt {
	SP_STS_TXT_ID,        /* one good record */
	SP_STS_TXT_NONE,      /* no such record */
	SP_STS_TXT_MALFORMED, /* or several: as if there was none (3.1) */
	SP_STS_TXT_FAILED,    /* bogus, or no answer */
};

struct sp_sts_facts {
	const struct sp_sts_kept *kept; /* from the cache, also one that has
	                                 * expired; or null */
	enum sp_sts_txt txt;
	struct sp_str id;              /* with TXT_ID */
	struct sp_str txt_why;         /* with MALFORMED and FAILED: one line */
	const struct sp_sts_kept *got; /* fetched now; or null */
	enum sp_cause_id trouble;      /* why a fetch brought none: a cause of
	                                * STS_POLICY_* or STS_WEBPKI; or NONE */
	struct sp_str why;             /* of trouble: one line */
	int64_t now_ms;                /* wall */
};

struct sp_sts_choice {
	const struct sp_sts_kept *policy; /* null: none applies */
	bool fetched;                     /* it was fetched just now */
	enum sp_cause_id trouble;         /* for report and trace; or NONE */
	struct sp_str note;               /* one line where something was not
	                                   * as it should be; or empty */
};

/* An id that is not the one of a policy in force. */
bool sp_sts_wants_fetch(const struct sp_sts_facts *facts);
/* policy points to what facts point to; strings in the arena. */
struct sp_sts_choice sp_sts_choose(const struct sp_sts_facts *facts,
                                   struct sp_arena *arena);

/* The row of a policy that was fetched at that time. */
struct sp_sts_kept sp_sts_new_row(const struct sp_sts_policy *policy,
                                  struct sp_str id, int64_t now_ms);

#endif
