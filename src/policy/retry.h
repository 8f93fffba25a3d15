/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_RETRY_H
#define SP_POLICY_RETRY_H

#include <stddef.h>
#include <stdint.h>

/*
 * The retry schedule of mail-flow section 5, as arithmetic. All times are
 * milliseconds; now and stored times are wall time. Due times are offsets
 * from the first attempt, so slow attempts do not shift the later ones.
 */

#define SP_RETRY_STEPS_MAX 64

struct sp_retry {
	int64_t steps_ms[SP_RETRY_STEPS_MAX]; /* the last one repeats */
	size_t step_count;                    /* at least 1 */
	int64_t expire_ms;                    /* after the message was queued */
};

/* Offset of attempt n (1-based) from the first one; n = 1 gives 0.
 * Saturates instead of overflowing. */
int64_t sp_retry_offset_ms(const struct sp_retry *retry, unsigned attempt);

/* When to try again after `attempts` attempts: the first planned due time
 * later than now, or -1: no attempt starts at or after expiry. */
int64_t sp_retry_next_ms(const struct sp_retry *retry, int64_t queued_ms,
                         int64_t first_attempt_ms, unsigned attempts,
                         int64_t now_ms);

/* When the message expires. */
int64_t sp_retry_expires_ms(const struct sp_retry *retry, int64_t queued_ms);

/* Attempts planned when each one is instantaneous and starts at queueing
 * (26 by default). */
unsigned sp_retry_planned(const struct sp_retry *retry);

#endif
