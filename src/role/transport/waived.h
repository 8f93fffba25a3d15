/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_TRANSPORT_WAIVED_H
#define SP_ROLE_TRANSPORT_WAIVED_H

#include "deliver/attempt.h"

/* How often what was let through, by cause and by what let it through, since
 * the worker was started. In attempts: one that several hosts would have
 * failed for the same cause counts once. */
struct waived_counts {
	uint64_t n[SP_WAIVER_COUNT][SP_CAUSE_COUNT];
};

void waived_count(struct waived_counts *counts,
                  const struct sp_attempt_result *result);
/* [{"code", "scenario", "filter", "attempts"}]; the caller frees it. */
struct sp_json *waived_stats(const struct waived_counts *counts);

#endif
