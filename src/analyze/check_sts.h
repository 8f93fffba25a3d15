/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_STS_H
#define SP_ANALYZE_CHECK_STS_H

#include "analyze/check.h"

/*
 * MTA-STS of a domain (RFC 8461): the TXT record, the policy as plan
 * gathering fetched it, every MX host against it, and each host's
 * certificate. Grows a branch "sts". A part of check.h.
 */

struct sp_check_sts;

struct sp_check_sts *sp_check_sts_new(const struct sp_check_ask *ask,
                                      struct sp_step *parent, sp_check_fn *fn,
                                      void *arg);
void sp_check_sts_free(struct sp_check_sts **part);

#endif
