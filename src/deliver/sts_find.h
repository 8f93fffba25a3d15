/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_STS_FIND_H
#define SP_DELIVER_STS_FIND_H

#include "deliver/lookup.h"
#include "deliver/sts.h"
#include "net/loop.h"
#include "policy/sts.h"

/*
 * Discovery of one domain's MTA-STS policy (RFC 8461 3.3): the TXT record,
 * and a fetch where policy/sts wants one. It always comes to an end: what
 * fails on the way only means that a kept policy stays, or that there is
 * none. Used by plan gathering.
 */

struct sp_sts_find;

struct sp_sts_find_ask {
	struct sp_loop *loop;
	struct sp_lookup *lookup;
	struct sp_sts_source *source;
	const struct sp_sts_row *row; /* from the store; or null */
	struct sp_str domain;         /* policy domain, A-labels */
	bool fresh;                   /* cached failures do not count */
	bool anew; /* nor does a cached TXT record: the look for an update
	            * before a failure by policy (RFC 8461 5.1) */
};

typedef void sp_sts_find_fn(void *arg);

/* All of ask is borrowed for the call, lookup and source until the end. fn is
 * called once, never from inside; find may be freed in it. */
struct sp_sts_find *sp_sts_find_new(const struct sp_sts_find_ask *ask,
                                    sp_sts_find_fn *fn, void *arg);
void sp_sts_find_free(struct sp_sts_find **find); /* cancels */
bool sp_sts_find_done(const struct sp_sts_find *find);

/* No time is left: for the TXT record, or for the fetch as well. Where that
 * would leave the domain without a policy that it announces, it is unready: the
 * fetch goes on, for who comes later. */
void sp_sts_find_end(struct sp_sts_find *find, bool fetch_too, const char *why);

/* When done: there may be a policy, and it is not known yet. */
bool sp_sts_find_unready(const struct sp_sts_find *find);

/* When done; lives as long as find. A fresh policy was handed to the source
 * to be kept. */
const struct sp_sts_choice *sp_sts_find_choice(const struct sp_sts_find *find);
/* For how long it is good; 0: something failed, the next one looks again. */
uint32_t sp_sts_find_ttl_s(const struct sp_sts_find *find);

#endif
