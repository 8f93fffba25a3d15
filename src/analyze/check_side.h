/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_SIDE_H
#define SP_ANALYZE_CHECK_SIDE_H

#include "analyze/check.h"

/*
 * What belongs to the mail that a domain sends, beside all that the analyzer
 * is about: SPF, DMARC, and the DKIM key of a selector that was named. Is
 * there a record, and one that can be read? Never more than a warning. Grows
 * a branch "side". A part of check.h.
 */

struct sp_check_side;

struct sp_check_side *sp_check_side_new(const struct sp_check_ask *ask,
                                        struct sp_step *parent, sp_check_fn *fn,
                                        void *arg);
void sp_check_side_free(struct sp_check_side **part);

#endif
