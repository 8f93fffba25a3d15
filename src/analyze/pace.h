/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_PACE_H
#define SP_ANALYZE_PACE_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/mxplan.h"

/*
 * Manners: which address of a plan's hosts has its turn. A few at once, but
 * never two connections to one address, whatever names lead to it. Pure.
 */

#define SP_PACE_MAX 4 /* at once */

struct sp_pace_job {
	size_t host; /* index in the plan */
	const struct sp_plan_address *address;
	enum {
		SP_PACE_WAITS,
		SP_PACE_RUNS,
		SP_PACE_OVER,
	} state;
};

struct sp_pace {
	struct sp_pace_job *jobs; /* in the order of delivery; arena */
	size_t count;
	size_t running;
	size_t over;
};

/* Every address of every host that is not to be skipped. */
void sp_pace_init(struct sp_pace *pace, const struct sp_plan *plan,
                  struct sp_arena *arena);
/* The next one that may begin now, which counts as running from here on. */
bool sp_pace_next(struct sp_pace *pace, size_t *job_out);
void sp_pace_over(struct sp_pace *pace, size_t job);
bool sp_pace_all_over(const struct sp_pace *pace);

#endif
