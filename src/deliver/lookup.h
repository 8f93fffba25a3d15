/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_LOOKUP_H
#define SP_DELIVER_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "wire/dns.h"

/*
 * How plan gathering asks the DNS, whoever answers: the role resolve by
 * messages, or a resolver in this process. The maker of a lookup embeds this
 * struct and owns it.
 */

struct sp_lookup;

/* The answer is handed over. Called exactly once per question unless it is
 * cancelled, and never from inside ask. */
typedef void sp_lookup_fn(void *arg, struct sp_dns_answer *answer);

struct sp_lookup {
	/* fresh: do not answer from a cached failure. The name is borrowed
	 * for the call. The id, never 0, can be used to cancel. */
	uint64_t (*ask)(struct sp_lookup *lookup, struct sp_str name,
	                enum sp_dns_type type, bool fresh, sp_lookup_fn *fn,
	                void *arg);
	/* The same past every cache, of answers too: for the rare question
	 * whose old answer will not do. Null: ask has to serve. */
	uint64_t (*ask_anew)(struct sp_lookup *lookup, struct sp_str name,
	                     enum sp_dns_type type, sp_lookup_fn *fn,
	                     void *arg);
	/* An id that was answered already is harmless. */
	void (*cancel)(struct sp_lookup *lookup, uint64_t id);
	/* The resolver's self-test failed: nothing can be called secure or
	 * insecure. Kept up to date by the maker. */
	bool validator_broken;
};

#endif
