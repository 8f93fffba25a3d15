/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_PREFLIGHT_H
#define SP_ANALYZE_CHECK_PREFLIGHT_H

#include "analyze/check.h"

/*
 * A certificate or key that is to come (--cert, --key) at every host of the
 * plan: which record to publish, whether it is there, when it is safe to
 * switch, what to remove then. Grows a branch "preflight". A part of
 * check.h.
 */

struct sp_check_preflight;

struct sp_check_preflight *
sp_check_preflight_new(const struct sp_check_ask *ask, struct sp_step *parent,
                       sp_check_fn *fn, void *arg);
void sp_check_preflight_free(struct sp_check_preflight **part);

#endif
