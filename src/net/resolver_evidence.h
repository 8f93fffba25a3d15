/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_RESOLVER_EVIDENCE_H
#define SP_NET_RESOLVER_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/resolver_packet.h"
#include "wire/dns.h"

/*
 * Why a question went wrong, inside net/resolver only. Pure, no I/O: first
 * from libunbound's own words, then by a second look at what the servers
 * really sent. What the second look sees explains a verdict and never
 * changes it: it was not validated.
 */

struct sp__finding {
	const char *scenario; /* cause name; a literal */
	uint16_t ede;         /* RFC 8914 INFO-CODE or SP_DNS_EDE_NONE */
	char text[256];       /* evidence for people; may be empty */
};

/* From libunbound's reason for a bogus answer; "dnssec-bogus" at least. */
struct sp__finding sp__finding_of_bogus(struct sp_str why);
/* From the RCODE and, if there is one, libunbound's line about a failure;
 * "dns-servfail" at least. */
struct sp__finding sp__finding_of_failure(int rcode, struct sp_str why);

/* A reason out of libunbound's cache, which is none. */
bool sp__why_is_vague(struct sp_str why);
/* The verdict came out of libunbound's cache, whether or not it says more. */
bool sp__why_is_cached(struct sp_str why);

/*
 * The second look at a bogus answer: a machine that says what to ask without
 * validation and is given the packets.
 *
 *	e = sp__evidence_new(name, type, why);
 *	while (sp__evidence_next(e, &name, &type))
 *		sp__evidence_answer(e, packet, now);
 *	finding = sp__evidence_finding(e);   may be null: nothing was seen
 */
#define SP__EVIDENCE_QUESTIONS_MAX 8

struct sp__evidence;

struct sp__evidence *sp__evidence_new(struct sp_str name, enum sp_dns_type type,
                                      struct sp_str why);
void sp__evidence_free(struct sp__evidence **evidence);
/* The next question, the name borrowed; false when there is none. */
bool sp__evidence_next(struct sp__evidence *evidence, struct sp_str *name_out,
                       enum sp_dns_type *type_out);
/* The packet to it, empty where there was none, and when it came: signatures
 * may be made as they are asked for. */
void sp__evidence_answer(struct sp__evidence *evidence, struct sp_str bytes,
                         int64_t wall_ms);
const struct sp__finding *sp__evidence_finding(struct sp__evidence *evidence);

/* --- keys: also for the look at single servers (net/dns_seen) --- */

/* RFC 4034 appendix B, of a DNSKEY's RDATA. */
uint16_t sp__key_tag(struct sp_str rdata);
/* RFC 4034 5.1.4: the digest of a key under its owner's name. Its length, or
 * 0 where the kind of digest is none that we know. */
#define SP__DS_DIGEST_MAX 64
size_t sp__ds_digest(unsigned digest_type, struct sp_str owner_wire,
                     struct sp_str key_rdata, uint8_t out[SP__DS_DIGEST_MAX]);
/* Does the DS name this key? */
bool sp__ds_fits(struct sp_str ds_rdata, struct sp_str owner_wire,
                 struct sp_str key_rdata);

#endif
