/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_GATHER_H
#define SP_DELIVER_GATHER_H

#include <stdbool.h>

#include "deliver/lookup.h"
#include "deliver/sts.h"
#include "net/loop.h"
#include "policy/mxplan.h"

/*
 * Runs a plan: asks the questions that policy/mxplan poses, hands back the
 * answers, until the plan is done. Used by transport, by `sealpost policy`
 * and by the analyzer alike.
 *
 * Beside it the domain's MTA-STS policy is looked for, and joined to the plan
 * at its end. A domain that is an address, and a fixed next hop, have none.
 *
 * At the deadline all questions that are open, and those that would follow,
 * count as failed for want of an answer: what is known by then still serves,
 * and the plan ends with the verdict that belongs to what is missing.
 */

struct sp_gather;

/* Called once, never from inside sp_gather_new; the plan is handed over and
 * the gatherer may be freed in it. */
typedef void sp_gather_fn(void *arg, struct sp_plan *plan);

struct sp_gather_ask {
	struct sp_loop *loop;
	struct sp_lookup *lookup;
	const struct sp_plan_conf *conf; /* borrowed until the plan is done */
	struct sp_str domain;
	bool fresh;         /* cached failures do not count */
	int64_t timeout_ms; /* for all questions together; 0: none. A fetch
	                     * under way has its own time */
	struct sp_sts_source *sts;        /* null: MTA-STS is off */
	const struct sp_sts_row *sts_row; /* from the store; or null */
	bool sts_anew; /* look for an update of the policy first */
};

struct sp_gather *sp_gather_new(const struct sp_gather_ask *ask,
                                sp_gather_fn *fn, void *arg);
/* The deadline is now: somebody else needs the place. */
void sp_gather_hurry(struct sp_gather *gather);
/* Cancels what is outstanding. */
void sp_gather_free(struct sp_gather **gather);

#endif
