/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_STS_DIRECT_H
#define SP_DELIVER_STS_DIRECT_H

#include "conf/conf.h"
#include "deliver/lookup.h"
#include "deliver/sts.h"
#include "net/loop.h"

/*
 * A source of policies in this very process, for the command line: our own
 * lookup and libcurl, under the limits and the address guard of the
 * configuration.
 */

struct sp_sts_direct;

/* All borrowed until it is freed. */
struct sp_sts_direct *sp_sts_direct_new(struct sp_loop *loop,
                                        const struct sp_conf *conf,
                                        struct sp_lookup *lookup);
void sp_sts_direct_free(struct sp_sts_direct **direct);
struct sp_sts_source *sp_sts_direct_borrow(struct sp_sts_direct *direct);

#endif
