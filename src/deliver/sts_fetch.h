/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_STS_FETCH_H
#define SP_DELIVER_STS_FETCH_H

#include "conf/conf.h"
#include "deliver/sts.h"
#include "net/fetch.h"

/*
 * The request for a domain's policy and the meaning of its answer (RFC 8461
 * 3.3), the same for all who fetch: a worker, the queue that refreshes, and
 * the command line.
 */

/* In the arena. */
struct sp_str sp_sts_url(const struct sp_conf *conf, struct sp_str domain,
                         struct sp_arena *arena);

/* Strings of out are borrowed from result and why. */
void sp_sts_fetched_read(const struct sp_fetch_result *result,
                         char why[SP_FETCH_WHY_MAX],
                         struct sp_sts_fetched *out);

#endif
