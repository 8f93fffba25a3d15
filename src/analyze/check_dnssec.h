/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_DNSSEC_H
#define SP_ANALYZE_CHECK_DNSSEC_H

#include "analyze/check.h"

/*
 * The part behind `sealpost check --dnssec`: the chain of trust from the root
 * to the domain and to each of its mail servers, with what each name server
 * says; then whether MX, addresses and TLSA owner are secure, or denied with
 * a proof. Shape: see check.h.
 */

struct sp_check_dnssec;

struct sp_check_dnssec *sp_check_dnssec_new(const struct sp_check_ask *ask,
                                            struct sp_step *parent,
                                            sp_check_fn *fn, void *arg);
void sp_check_dnssec_free(struct sp_check_dnssec **part);

#endif
