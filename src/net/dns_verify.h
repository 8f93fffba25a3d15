/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_DNS_VERIFY_H
#define SP_NET_DNS_VERIFY_H

#include <stddef.h>

#include "net/dns_seen.h"

/*
 * Is a signature that one server gave out really one of the zone's keys
 * (RFC 4035 5.3)? For the analyzer, which looks at servers one by one: the
 * verdict about a domain is the resolver's. Pure; the window is not looked
 * at, which sp_seen_record has.
 */

enum sp_dns_signature {
	SP_DNS_SIGNATURE_GOOD,
	SP_DNS_SIGNATURE_UNKNOWN, /* another zone's, an algorithm that we do
	                           * not know, more keys than we try */
	SP_DNS_SIGNATURE_FOREIGN, /* by no key of the zone */
	SP_DNS_SIGNATURE_BROKEN,  /* it does not verify */
};

/* rrsig: of seen; what it covers is taken from its own section. keys: the
 * DNSKEY records of the zone, validated by the caller. */
enum sp_dns_signature
sp_dns_signature_verify(const struct sp_seen *seen,
                        const struct sp_seen_record *rrsig, struct sp_str zone,
                        const struct sp_seen_record *keys, size_t key_count);

#endif
