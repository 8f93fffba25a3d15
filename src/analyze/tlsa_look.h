/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_TLSA_LOOK_H
#define SP_ANALYZE_TLSA_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/step.h"
#include "deliver/lookup.h"
#include "net/loop.h"
#include "policy/mxplan.h"

/*
 * Looks at the TLSA records of one host in the DNS and grows a branch
 * "tlsa" of what there is to say of them: owner, DNSSEC state, TTL, each
 * record ("tlsa.record") and advice ("tlsa.advice"). A host whose plan did
 * not ask for TLSA (its address is insecure) is asked all the same: records
 * that have no effect are worth a word. No certificate is looked at.
 *
 * Used by check_dane for every host and by `tlsa lint` for one.
 */

struct sp_tlsa_look;

struct sp_tlsa_look_ask {
	struct sp_loop *loop;
	struct sp_lookup *lookup;
	const struct sp_plan_host *host; /* of a plan that is done */
	uint16_t port;
	bool records_wanted; /* that there are none is a warning */
};

typedef void sp_tlsa_look_fn(void *arg);

/* All borrowed until done; fn is called once, never from inside. */
struct sp_tlsa_look *sp_tlsa_look_new(const struct sp_tlsa_look_ask *ask,
                                      struct sp_step *parent,
                                      sp_tlsa_look_fn *fn, void *arg);
void sp_tlsa_look_free(struct sp_tlsa_look **look); /* cancels */

#endif
