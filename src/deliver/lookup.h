/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_LOOKUP_H
#define SP_DELIVER_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/dns.h"

/*
 * How deliver/ asks the DNS: by messages to the resolve role in the server,
 * by a resolver in the same process on the command line. Answers come later,
 * never from inside ask, exactly once unless cancelled, and are handed over.
 */

typedef void sp_lookup_fn(void *arg, struct sp_dns_answer *answer);

struct sp_lookup {
	uint64_t (*ask)(struct sp_lookup *lookup, struct sp_str name,
	                enum sp_dns_type type, bool fresh, sp_lookup_fn *fn,
	                void *arg);
	void (*cancel)(struct sp_lookup *lookup, uint64_t id);
	/* The resolver's self-test failed: nothing can be called secure or
	 * insecure. Kept up to date by the implementation. */
	bool validator_broken;
};

#endif
