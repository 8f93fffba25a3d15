/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_POOL_H
#define SP_DELIVER_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "deliver/dial.h"
#include "net/loop.h"

/*
 * Connections of one worker: how many go to one address at a time, and which
 * idle ones may be used again. An idle connection is found only under its
 * complete key (host, address, port, policy digest), so nothing decided for
 * one destination is reused for another. A place at an address is taken from
 * sp_pool_ask's answer until sp_pool_put or sp_pool_leave.
 */

struct sp_pool;
struct sp_pool_ticket;

/* A place is the caller's now: with a connection that is READY, or null: to
 * dial one. */
typedef void sp_pool_fn(void *arg, struct sp_dial *dial);

struct sp_pool *sp_pool_new(struct sp_loop *loop, const struct sp_conf *conf,
                            unsigned worker_count);
void sp_pool_free(struct sp_pool **pool); /* closes all idle ones */
/* Idle connections were made by the old one: they end. */
void sp_pool_set_conf(struct sp_pool *pool, const struct sp_conf *conf);

/* Answered later, never from inside; at most once, unless cancelled. */
struct sp_pool_ticket *sp_pool_ask(struct sp_pool *pool, struct sp_str key,
                                   struct sp_str address, sp_pool_fn *fn,
                                   void *arg);
void sp_pool_cancel(struct sp_pool_ticket **ticket);

/* The message is done: keep the connection if it is good for another. */
void sp_pool_put(struct sp_pool *pool, struct sp_dial **dial);
/* The connection is gone, or never came: the place is free. */
void sp_pool_leave(struct sp_pool *pool, struct sp_str address);

struct sp_list *sp_pool_lingering(struct sp_pool *pool);
size_t sp_pool_connections(const struct sp_pool *pool);

#endif
