/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_RESOLVER_CONF_H
#define SP_DELIVER_RESOLVER_CONF_H

#include "conf/conf.h"
#include "net/loop.h"
#include "net/resolver.h"

/*
 * The resolver that the configuration asks for: the role resolve and the
 * command line make theirs here, so that both see the same DNS. As
 * sp_resolver_new; conf is not needed afterwards.
 */
int sp_resolver_from_conf(struct sp_loop *loop, const struct sp_conf *conf,
                          struct sp_resolver **resolver_out, char *why_out,
                          size_t why_cap);

#endif
