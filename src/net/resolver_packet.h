/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_RESOLVER_PACKET_H
#define SP_NET_RESOLVER_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/dns.h"

/*
 * From packets to facts, inside net/resolver only. Pure: bytes in, values in
 * an arena out. libunbound has looked at these packets before us and wrote
 * them anew, but what stands in them was chosen by strangers: nothing here
 * believes a length.
 */

#define SP__DNS_TYPE_RRSIG 46
#define SP__DNS_TYPE_NSEC  47
#define SP__DNS_TYPE_NSEC3 50

#define SP__DNS_RRS_MAX         4096 /* resource records of a packet */
#define SP__DNS_ALIASES_DEFAULT (size_t)16

enum sp__dns_section {
	SP__DNS_ANSWER,
	SP__DNS_AUTHORITY,
	SP__DNS_ADDITIONAL,
};

struct sp__dns_rr {
	enum sp__dns_section section;
	struct sp_str owner;      /* text, canonical form of wire/dns.h */
	struct sp_str owner_wire; /* lower case, uncompressed */
	uint16_t type;
	uint32_t ttl_s;
	struct sp_str rdata; /* names in it uncompressed */
};

struct sp__dns_packet {
	uint8_t rcode;
	struct sp_str name; /* of the question */
	uint16_t type;
	bool authoritative;     /* AA */
	bool truncated;         /* TC */
	bool edns;              /* has an OPT record */
	struct sp__dns_rr *rrs; /* answer, then authority, then additional
	                         * where it was asked for */
	size_t rr_count;
};

/* All that the packet gives is copied into the arena. 0, SP_ESYNTAX or
 * SP_ELIMIT (too many records, a name too long to be written as text). */
int sp__dns_packet_parse(struct sp_str bytes, struct sp_arena *arena,
                         struct sp__dns_packet *packet_out);
/* With the additional section, where a referral has its glue. */
int sp__dns_packet_parse_all(struct sp_str bytes, struct sp_arena *arena,
                             struct sp__dns_packet *packet_out);

/* A name in wire form at the start of bytes, to text; len_out is what it
 * took. 0, SP_ESYNTAX or SP_ELIMIT. Compression is not legal here. */
int sp__dns_name_read(struct sp_str bytes, struct sp_arena *arena,
                      struct sp_str *name_out, size_t *len_out);

/* "TLSA" for 52, "TYPE65" for what we never ask. */
const char *sp__dns_type_text(uint16_t type, char out[16]);

/* What libunbound says to one question (ub_resolve_event's callback). */
enum sp__dns_security {
	SP__DNS_SEC_NONE = 0,
	SP__DNS_SEC_BOGUS = 1,
	SP__DNS_SEC_SECURE = 2,
};

struct sp__dns_reply {
	int rcode; /* not 0: there is no packet to look at */
	enum sp__dns_security security;
	struct sp_str packet;
	struct sp_str why; /* of a bogus answer or of a failure; or empty */
};

struct sp__dns_limits {
	size_t records_max;
	size_t aliases_max;
};

/* The answer to (name, type), in the reading order of resolver.h. Never
 * null: what can't be read is failed, "dns-malformed". */
struct sp_dns_answer *sp__dns_answer_make(struct sp_str name,
                                          enum sp_dns_type type,
                                          const struct sp__dns_reply *reply,
                                          const struct sp__dns_limits *limits);

/* A failed answer. `scenario` must be a literal. */
struct sp_dns_answer *sp__dns_answer_failed(struct sp_str name,
                                            enum sp_dns_type type,
                                            const char *scenario,
                                            struct sp_str why);

#endif
