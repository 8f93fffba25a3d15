/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_RETRY_H
#define SP_ANALYZE_CHECK_RETRY_H

#include "analyze/check.h"

/*
 * What a sender would do with a message now: what delivery makes of the
 * addresses as the DANE part met them (check.h, "saw"); and if it fails, every
 * attempt of the schedule, and the report that the sender would get. Only
 * where something is wrong so far, or with all tests. Grows a branch "retry".
 * A part of check.h, after all others.
 */

struct sp_check_retry;

struct sp_check_retry *sp_check_retry_new(const struct sp_check_ask *ask,
                                          struct sp_step *parent,
                                          sp_check_fn *fn, void *arg);
void sp_check_retry_free(struct sp_check_retry **part);

#endif
