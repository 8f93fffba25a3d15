/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_WORKER_H
#define SP_POLICY_WORKER_H

#include "base/map.h"
#include "base/str.h"

/* Which transport worker owns a domain: always the same one, so that policy
 * cache, connections and per-destination limits need no sharing. */
static inline unsigned sp_worker_of(struct sp_str domain, unsigned workers)
{
	return (unsigned)(sp_hash_stable(domain) % workers);
}

#endif
