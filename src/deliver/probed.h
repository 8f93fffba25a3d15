/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_PROBED_H
#define SP_DELIVER_PROBED_H

#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"

/*
 * What probes have found good, so that a mail host that takes the mail of
 * thousands of domains is not visited for each of them. Known are sessions
 * that stood under their rule, by the key under which delivery uses a
 * connection again for another domain (sp_dial_key): host, address, port and
 * the complete policy. What failed is not kept: each domain has its own look.
 *
 * Nor are there many visits at one time that would tell the same: while one
 * probe is under way, others under its key wait for its end, all at once and
 * once only. Then they know, or each has its own look.
 */

#define SP_PROBED_MS  600000
#define SP_PROBED_MAX 20000 /* keys; the oldest goes */
/* Some hosts keep strangers waiting for their greeting, commonly for five or
 * six seconds. */
#define SP_PROBED_WAIT_MS 10000

struct sp_probed;
struct sp_probed_turn; /* somebody who probes, or waits */

typedef void sp_probed_fn(void *arg);

/* Nobody waits for longer than wait_ms for a probe. */
struct sp_probed *sp_probed_new(struct sp_loop *loop, int64_t wait_ms);
void sp_probed_free(struct sp_probed **probed); /* after all turns */

/* security is a literal. Monotonic time. */
void sp_probed_keep(struct sp_probed *probed, struct sp_str key,
                    const char *security, int64_t now_ms);
/* How the session was secured; null: none is known, or not of late. */
const char *sp_probed_find(const struct sp_probed *probed, struct sp_str key,
                           int64_t now_ms);

/* Nobody probes under that key: the caller does, until _end; null if it
 * may do so, but nobody waits for it. */
struct sp_probed_turn *sp_probed_begin(struct sp_probed *probed,
                                       struct sp_str key);
/* Somebody does: fn is called, once and never from inside, when that has
 * ended or takes too long; before or in it the caller ends the turn. Null:
 * nobody does, or for too long already. */
struct sp_probed_turn *sp_probed_await(struct sp_probed *probed,
                                       struct sp_str key, sp_probed_fn *fn,
                                       void *arg);
void sp_probed_end(struct sp_probed_turn **turn); /* null is legal */

#endif
