/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_DANE_H
#define SP_ANALYZE_CHECK_DANE_H

#include "analyze/check.h"

/*
 * "DANE validation" (analyzer.md 1, --dane): every address of every host of
 * the plan, first as delivery would dial it, then once for each other key
 * algorithm that the server has; the certificates against the records; both
 * profiles; and whether the next certificate can come. The branch's verdict
 * is what delivery does: what is wrong at one address while another takes the
 * mail is a warning.
 *
 * Steps: dane, dane.host, dane.address, dane.address.key,
 * dane.address.exchange, dane.host.rollover; and those of tlsa_look.
 */

struct sp_check_dane;

struct sp_check_dane *sp_check_dane_new(const struct sp_check_ask *ask,
                                        struct sp_step *parent, sp_check_fn *fn,
                                        void *arg);
/* Before it is freed at work: ends the steps of the addresses that are done. */
void sp_check_dane_cut(struct sp_check_dane *part);
void sp_check_dane_free(struct sp_check_dane **part);

#endif
