/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver keeps the promises of the interface by itself (callbacks from
 * the loop only, answers handed over), so there is nothing to add.
 */
#include "base/list.h"
#include "deliver/lookup_direct.h"

static struct sp_resolver *resolver_of(struct sp_lookup *lookup)
{
	return SP_CONTAINER(lookup, struct sp_lookup_direct, lookup)->resolver;
}

static uint64_t ask(struct sp_lookup *lookup, struct sp_str name,
                    enum sp_dns_type type, bool fresh, sp_lookup_fn *fn,
                    void *arg)
{
	return sp_resolver_ask(resolver_of(lookup), name, type, fresh, fn, arg);
}

static uint64_t ask_anew(struct sp_lookup *lookup, struct sp_str name,
                         enum sp_dns_type type, sp_lookup_fn *fn, void *arg)
{
	return sp_resolver_ask_anew(resolver_of(lookup), name, type, fn, arg);
}

static void cancel(struct sp_lookup *lookup, uint64_t id)
{
	sp_resolver_cancel(resolver_of(lookup), id);
}

void sp_lookup_direct_init(struct sp_lookup_direct *direct,
                           struct sp_resolver *resolver)
{
	direct->lookup.ask = ask;
	direct->lookup.ask_anew = ask_anew;
	direct->lookup.cancel = cancel;
	direct->resolver = resolver;
}
