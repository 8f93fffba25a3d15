/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_LOOKUP_DIRECT_H
#define SP_DELIVER_LOOKUP_DIRECT_H

#include "deliver/lookup.h"
#include "net/resolver.h"

/*
 * A lookup over a resolver in this very process, for the command line. Give
 * &direct.lookup to whoever asks; nothing to free. Questions that are open
 * when the resolver is freed are never answered.
 */
struct sp_lookup_direct {
	struct sp_lookup lookup;
	struct sp_resolver *resolver; /* borrowed */
};

void sp_lookup_direct_init(struct sp_lookup_direct *direct,
                           struct sp_resolver *resolver);

#endif
