/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_EVIDENCE_H
#define SP_DELIVER_EVIDENCE_H

#include "deliver/dial.h"
#include "deliver/pool.h"
#include "policy/mxplan.h"
#include "wire/json.h"

/*
 * What an attempt saw, as JSON: the plan in the shape of `policy --json`
 * (interface.md section 2), and each connection with its handshake,
 * certificate, verdict and timings. The trace keeps it, reports read it.
 */

struct sp_json *sp_evidence_plan(const struct sp_plan *plan);

/* One try of one address. verdict null: the connection came about. reused:
 * it stood already. */
struct sp_json *sp_evidence_try(const struct sp_plan_host *host,
                                const struct sp_dial_facts *facts,
                                const struct sp_verdict *verdict, bool reused);

/* {"code", "scenario", "text"} into obj. */
void sp_evidence_verdict(struct sp_json *obj, const struct sp_verdict *v);

/* Why an address was passed over. */
struct sp_str sp_evidence_not_tried(const struct sp_pool_failure *failure,
                                    struct sp_arena *arena);

/* What of the ordinary rules did not hold for this message, and what of the
 * verdicts was let through (class DELIVERED: nothing). */
void sp_evidence_filter(struct sp_json *detail, const struct sp_filter *filter,
                        struct sp_str exception,
                        const struct sp_verdict *waived);

/* The evidence of an attempt in at most max_bytes. What does not fit goes by
 * steps: long texts are cut, then the plan's hosts and all but the last tries
 * are left out; the plan's verdict stays. "cut" then says what is missing. 0,
 * or SP_ELIMIT and nothing written when not even the shortest form fits.
 * Of some parts the text may be known. */
int sp_evidence_write(const struct sp_json *detail,
                      const struct sp_json_known *known, size_t known_count,
                      size_t max_bytes, struct sp_buf *out);

struct sp_json *sp_evidence_tls(const struct sp_tls_facts *facts);

#endif
