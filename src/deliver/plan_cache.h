/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_PLAN_CACHE_H
#define SP_DELIVER_PLAN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "policy/mxplan.h"
#include "wire/json.h"

/*
 * Plans that the messages of a burst share: what the DNS has just said of a
 * domain is not asked again for the next message. A plan is good for as long
 * as the shortest TTL in it, and never for more than SP_PLAN_SHARE_MS: hosts
 * of equal preference are shuffled anew with each plan (RFC 5321 5.1).
 * Retries don't look here; what they bring replaces what is here.
 */

#define SP_PLAN_SHARE_MS  10000
#define SP_PLAN_CACHE_MAX 4096 /* plans; the oldest goes */

/* A plan and its evidence as several attempts see them: not to be changed. */
struct sp_shared_plan {
	struct sp_plan *plan;     /* owned */
	struct sp_json *evidence; /* owned; null until it is asked for */
	struct sp_buf text;       /* of it; empty until it is asked for again */
	size_t holders;
};

/* Takes the plan, which is done; the caller holds the result. */
struct sp_shared_plan *sp_shared_plan_new(struct sp_plan **plan);
struct sp_shared_plan *sp_shared_plan_hold(struct sp_shared_plan *shared);
void sp_shared_plan_drop(struct sp_shared_plan **shared);
/* sp_evidence_plan, made once; the caller's, and not to be changed. */
struct sp_json *sp_shared_plan_evidence(struct sp_shared_plan *shared);
/* It and its text, borrowed, where several attempts have asked for it; else
 * none. */
struct sp_json_known sp_shared_plan_known(const struct sp_shared_plan *shared);

struct sp_plan_cache;

struct sp_plan_cache *sp_plan_cache_new(void);
void sp_plan_cache_free(struct sp_plan_cache **cache);

/* The plan for a recipient domain, borrowed; null: there is none that is
 * good at now_ms (monotonic). */
struct sp_shared_plan *sp_plan_cache_find(struct sp_plan_cache *cache,
                                          struct sp_str domain, int64_t now_ms);
/* Keeps it in place of an older one, if its TTL allows that: it is 0 where an
 * answer was bogus or missing, and such a domain is asked about each time. */
void sp_plan_cache_keep(struct sp_plan_cache *cache, struct sp_str domain,
                        struct sp_shared_plan *shared, int64_t now_ms);
/* Gives back what is good no longer; true: some are left. */
bool sp_plan_cache_age(struct sp_plan_cache *cache, int64_t now_ms);
/* The plan of a domain has led nowhere; or the rules have changed. */
void sp_plan_cache_forget(struct sp_plan_cache *cache, struct sp_str domain);
void sp_plan_cache_clear(struct sp_plan_cache *cache);

#endif
