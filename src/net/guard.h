/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_GUARD_H
#define SP_NET_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "net/socket.h"

/*
 * Which addresses we connect to when a stranger has chosen the name: the host
 * of an MTA-STS policy, the target of a TLS report. Without it, whoever owns
 * a domain could point us at services that only we can reach.
 */

struct sp_guard {
	bool enabled;
	const struct sp_cidr *allow; /* borrowed; these pass all the same */
	size_t allow_count;
};

/* Null: the address may be connected to. Otherwise what it is, in a word or
 * two ("loopback", "private", "one of our own"). Forms of IPv6 that carry an
 * IPv4 address are judged by that too. */
const char *sp_guard_refuses(const struct sp_guard *guard,
                             const struct sp_addr *addr);

/* The same without a look at this machine's own addresses and at allow:
 * pure. */
const char *sp_guard_special(const struct sp_addr *addr);

#endif
