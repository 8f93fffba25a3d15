/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Within one boot of the machine, the monotonic clock tells how much time has
 * really gone by. Time in which the machine slept does not count there, so a
 * message does not expire in its sleep.
 *
 * Over a reboot nothing tells how long the machine was down, so a clock that
 * is ahead is believed. One that is behind can't be right, since time was
 * noted later than that: a clock without a battery starts in 1970. The store
 * is then moved back to it; when the clock is set right, in this boot, it
 * moves forward again.
 */
#include <stdbool.h>

#include "role/queue/clock.h"

/* How much time went by between the two looks; false: beyond all sense. */
static bool elapsed(int64_t before_ms, int64_t now_ms, int64_t *ms_out)
{
	return !__builtin_sub_overflow(now_ms, before_ms, ms_out);
}

int64_t sp_queue_clock_step(const struct sp_store_clock *before,
                            const struct sp_store_clock *now)
{
	bool same_boot = before->boot == now->boot;
	int64_t wall_ms;
	int64_t mono_ms;
	int64_t step_ms;

	if (before->boot == 0 || now->boot == 0 ||
	    !elapsed(before->wall_ms, now->wall_ms, &wall_ms) ||
	    !elapsed(before->mono_ms, now->mono_ms, &mono_ms) ||
	    !elapsed(same_boot ? mono_ms : 0, wall_ms, &step_ms)) {
		return 0;
	}
	if (!same_boot && step_ms > 0) {
		return 0;
	}
	return step_ms > -SP_QUEUE_STEP_MIN_MS && step_ms < SP_QUEUE_STEP_MIN_MS
	               ? 0
	               : step_ms;
}
