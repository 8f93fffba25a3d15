/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_QUEUE_CLOCK_H
#define SP_ROLE_QUEUE_CLOCK_H

#include <stdint.h>

#include "store/store.h"

/*
 * Whether the wall clock was set between two looks at it; pure. Times in the
 * store are wall time, so they have to move with the clock: otherwise a step
 * forward would expire what was just accepted, and one back would hold mail
 * for as long.
 */

/* Smaller differences are drift, or the granularity of noting. */
#define SP_QUEUE_STEP_MIN_MS INT64_C(60000)

/* By how much it was set; 0: not at all, or nothing can be told. */
int64_t sp_queue_clock_step(const struct sp_store_clock *before,
                            const struct sp_store_clock *now);

#endif
