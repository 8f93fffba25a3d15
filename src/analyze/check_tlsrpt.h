/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_TLSRPT_H
#define SP_ANALYZE_CHECK_TLSRPT_H

#include "analyze/check.h"

/*
 * Where a domain wants its TLS reports (RFC 8460): the TXT record, and each
 * of its targets: mail for an address has to have somewhere to go, an https
 * host has to answer. No report is sent. Grows a branch "tlsrpt". A part of
 * check.h.
 */

struct sp_check_tlsrpt;

struct sp_check_tlsrpt *sp_check_tlsrpt_new(const struct sp_check_ask *ask,
                                            struct sp_step *parent,
                                            sp_check_fn *fn, void *arg);
void sp_check_tlsrpt_free(struct sp_check_tlsrpt **part);

#endif
