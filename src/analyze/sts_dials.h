/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_STS_DIALS_H
#define SP_ANALYZE_STS_DIALS_H

#include "analyze/step.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "policy/mxplan.h"

/*
 * Every address of every host that an MTA-STS policy names under the rule of
 * an enforced policy (RFC 8461 4.2): STARTTLS, and a certificate of a public
 * authority for the host's own name. What an earlier part has met there
 * counts, with the same judgement; else there is a connection, one after the
 * other, QUIT said. Grows a step "sts.certificate" for each.
 */

struct sp_sts_dials;

struct sp_sts_dials_ask {
	struct sp_loop *loop;
	const struct sp_conf *conf;
	const struct sp_plan *plan; /* done, with a policy */
	uint16_t port;
	const struct sp_json *tries; /* of an earlier part; or null */
};

/* All borrowed until done; fn is called once, never from inside. */
struct sp_sts_dials *sp_sts_dials_new(const struct sp_sts_dials_ask *ask,
                                      struct sp_step *parent,
                                      void (*fn)(void *arg), void *arg);
void sp_sts_dials_free(struct sp_sts_dials **dials); /* hangs up */

/* When done: how many addresses passed, and the worst of what did not (class
 * DELIVERED: nothing). */
size_t sp_sts_dials_passed(const struct sp_sts_dials *dials);
const struct sp_verdict *sp_sts_dials_worst(const struct sp_sts_dials *dials);

#endif
