/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_POOL_H
#define SP_DELIVER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "deliver/dial.h"
#include "net/loop.h"

/*
 * Connections of one worker: how many go to one address and to one MX host
 * at a time, and which idle ones may be used again. An idle connection is
 * found only under its complete key (host, address, port, policy digest), so
 * nothing decided for one destination is reused for another.
 *
 * The pool also knows which addresses do not answer, whoever has tried: see
 * the top of pool.c.
 */

struct sp_pool;
struct sp_pool_ticket;
struct sp_pool_place; /* from the answer until _put or _leave */

struct sp_pool_ask {          /* borrowed for the call */
	struct sp_str key;    /* of the connection; empty: a new one */
	struct sp_str domain; /* for whose mail */
	struct sp_str host;   /* the MX host's name */
	struct sp_str address;
	uint16_t port;
};

/* Why there is no place. */
struct sp_pool_failure {
	enum sp_cause_id cause; /* SP_CAUSE_HOST_BUSY: all places are taken;
	                         * else what somebody met at the address ... */
	struct sp_str why;
	int64_t age_ms; /* ... so long ago */
};

/* One of the two is null. A place is the caller's now: with a connection
 * (sp_pool_place_dial), or to dial one. A failure is borrowed for the call. */
typedef void sp_pool_fn(void *arg, struct sp_pool_place *place,
                        const struct sp_pool_failure *failure);

struct sp_pool *sp_pool_new(struct sp_loop *loop, const struct sp_conf *conf,
                            unsigned worker_count);
void sp_pool_free(struct sp_pool **pool); /* closes all idle ones */
/* Idle connections were made by the old one: they end. Failures are
 * forgotten. */
void sp_pool_set_conf(struct sp_pool *pool, const struct sp_conf *conf);
/* Failed addresses are tried as though nothing had been: an operator has
 * asked for it. */
void sp_pool_forget(struct sp_pool *pool);

/* Answered later, never from inside; at most once, unless cancelled. */
struct sp_pool_ticket *sp_pool_ask(struct sp_pool *pool,
                                   const struct sp_pool_ask *ask,
                                   sp_pool_fn *fn, void *arg);
void sp_pool_cancel(struct sp_pool_ticket **ticket);
/* The answer comes now: the failure of the address, while somebody else is
 * trying it, or SP_CAUSE_HOST_BUSY. */
void sp_pool_give_up(struct sp_pool_ticket *ticket);

/* The connection that came with the place, once; null: there is none. */
struct sp_dial *sp_pool_place_dial(struct sp_pool_place *place);
/* A session came about. */
void sp_pool_note_up(struct sp_pool_place *place);
/* The address refused the connection, or kept silent. */
void sp_pool_note_failure(struct sp_pool_place *place, struct sp_str domain,
                          enum sp_cause_id cause, struct sp_str why);

/* The message is done: keep the connection if it is good for another. */
void sp_pool_put(struct sp_pool_place **place, struct sp_dial **dial);
/* The connection is gone, or never came: the place is free. Null is legal. */
void sp_pool_leave(struct sp_pool_place **place);

struct sp_list *sp_pool_lingering(struct sp_pool *pool);
size_t sp_pool_connections(const struct sp_pool *pool);

#endif
