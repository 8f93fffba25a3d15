/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_DNS_SEEN_H
#define SP_NET_DNS_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/dns.h"

/*
 * What one name server said, as it said it: a packet taken apart, for the
 * analyzer. Nothing in it was validated: it explains a verdict of the
 * resolver and never makes one. Pure.
 */

#define SP_SEEN_TYPE_RRSIG 46
#define SP_SEEN_TYPE_NSEC  47
#define SP_SEEN_TYPE_NSEC3 50

#define SP_SEEN_KEY_SEP     0x0001 /* DNSKEY flags (RFC 4034 2.1.1) */
#define SP_SEEN_KEY_REVOKED 0x0080
#define SP_SEEN_KEY_ZONE    0x0100

enum sp_seen_section {
	SP_SEEN_ANSWER,
	SP_SEEN_AUTHORITY,
	SP_SEEN_ADDITIONAL,
};

/* Each type fills its own members only; the others stay zero. */
struct sp_seen_record {
	enum sp_seen_section section;
	struct sp_str owner; /* form of wire/dns.h */
	uint16_t type;
	uint32_t ttl_s;
	struct sp_str rdata;      /* uncompressed */
	struct sp_str owner_wire; /* lower case */

	uint16_t key_tag;     /* DS, DNSKEY, RRSIG */
	uint8_t algorithm;    /* DS, DNSKEY, RRSIG */
	uint8_t digest_type;  /* DS */
	uint16_t flags;       /* DNSKEY */
	uint16_t covered;     /* RRSIG: the type that it signs */
	int64_t begins_ms;    /* RRSIG: wall time, of the turn of the 32-bit
	                       * clock that is nearest to now */
	int64_t ends_ms;      /* RRSIG */
	struct sp_str signer; /* RRSIG: the zone */
	uint32_t serial;      /* SOA */
	struct sp_str name;   /* NS, CNAME */
	uint8_t family;       /* A, AAAA: 4, 6 */
	uint8_t address[16];
};

struct sp_seen {
	struct sp_arena arena; /* owns all that follows */
	struct sp_str name;    /* of the question; empty: an error without */
	uint16_t type;
	uint8_t rcode;
	bool authoritative;
	bool truncated;
	bool edns; /* has an OPT record (RFC 6891) */
	struct sp_seen_record *records;
	size_t record_count;
	size_t malformed; /* records whose data can't be of their type */
};

/* 0; SP_ESYNTAX or SP_ELIMIT: then there is nothing to free. An error
 * without a question (as by servers that don't know EDNS) is legal. */
int sp_seen_decode(struct sp_str bytes, int64_t wall_ms,
                   struct sp_seen *seen_out);
void sp_seen_fini(struct sp_seen *seen);

/* A record of a validated answer in the same form: DS and DNSKEY (data of
 * sp_dns_record). 0, SP_ESYNTAX or SP_ELIMIT. */
int sp_seen_from_rdata(struct sp_str owner, uint16_t type, struct sp_str rdata,
                       struct sp_arena *arena,
                       struct sp_seen_record *record_out);

/* RFC 4034 5.1.4, 5.2: does the DS name this key? False too where the digest
 * is of a kind that we don't know. */
bool sp_seen_ds_fits(const struct sp_seen_record *ds,
                     const struct sp_seen_record *key);
/* The DS record that the parent should have for this key, digest SHA-256:
 * "d.test. DS 4711 13 2 0123...". Empty if that can't be said. */
struct sp_str sp_seen_ds_line(const struct sp_seen_record *key,
                              struct sp_arena *arena);

/* "ECDSAP256SHA256" for 13; "algorithm 99" for what has no name here. */
const char *sp_seen_algorithm_text(uint8_t algorithm, char out[24]);
/* MD5, SHA-1 or DSA in it (RFC 8624 3.1, RFC 9905). */
bool sp_seen_algorithm_weak(uint8_t algorithm);
/* "DNSKEY"; "TYPE99". */
const char *sp_seen_type_text(uint16_t type, char out[16]);

#endif
