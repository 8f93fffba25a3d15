/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_PLAN_H
#define SP_ANALYZE_CHECK_PLAN_H

#include "analyze/step.h"
#include "policy/mxplan.h"

/*
 * A delivery plan as steps: plan, plan.mx, and for each host plan.host with
 * plan.host.address and plan.host.tlsa. Pure. A host that the plan skips
 * warns where mail has another way, and fails where it has none.
 */
void sp_check_plan_grow(struct sp_step *step, const struct sp_plan *plan);

/* A host without any usable record: TLS all the same, and nothing is held
 * back. */
struct sp_verdict sp_check_all_unusable(const struct sp_plan_host *host);

/* The step plan alone, begun before there is a plan; grow ends it. */
struct sp_step *sp_check_plan_begin(struct sp_step *root, struct sp_str domain);

#endif
