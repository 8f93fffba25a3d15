/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_DNS_H
#define SP_WIRE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/tlsa.h"

/*
 * DNS answers as facts: what the validator made of a question. The resolver
 * produces them, policy decides by them, the roles send them to each other.
 * Names are lower-case A-labels without a trailing dot; the root is ".".
 */

/* Number, word as shown in JSON. The order is from best to worst. */
#define SP_DNSSEC_STATES(X)                                                    \
	X(SECURE, "secure")                                                    \
	X(INSECURE, "insecure")                                                \
	X(BOGUS, "bogus")                                                      \
	X(FAILED, "failed")

enum sp_dnssec {
#define SP_X(name, text) SP_DNSSEC_##name,
	SP_DNSSEC_STATES(SP_X)
#undef SP_X
};

/* What the answer says; NONE with bogus and failed, which say nothing. */
#define SP_DNS_ANSWERS(X)                                                      \
	X(NONE, "none")                                                        \
	X(RECORDS, "records")                                                  \
	X(NODATA, "nodata")                                                    \
	X(NXDOMAIN, "nxdomain")

enum sp_dns_result {
#define SP_X(name, text) SP_DNS_##name,
	SP_DNS_ANSWERS(SP_X)
#undef SP_X
};

const char *sp_dnssec_text(enum sp_dnssec state);
const char *sp_dns_result_text(enum sp_dns_result result);

/* Question types, by their DNS numbers. */
enum sp_dns_type {
	SP_DNS_TYPE_A = 1,
	SP_DNS_TYPE_NS = 2,
	SP_DNS_TYPE_CNAME = 5,
	SP_DNS_TYPE_MX = 15,
	SP_DNS_TYPE_TXT = 16,
	SP_DNS_TYPE_AAAA = 28,
	SP_DNS_TYPE_DNAME = 39,
	SP_DNS_TYPE_DS = 43,
	SP_DNS_TYPE_DNSKEY = 48,
	SP_DNS_TYPE_TLSA = 52,
	SP_DNS_TYPE_SOA = 6,
};

/* Limits on what one answer may carry; the rest is dropped and flagged. */
#define SP_DNS_RECORDS_MAX 512
#define SP_DNS_ALIASES_MAX 32
#define SP_DNS_NAME_MAX    255
#define SP_DNS_DATA_MAX    65535 /* RDATA, RFC 1035 3.2.1 */
#define SP_DNS_WHY_MAX     512

/* Each type fills its own members only; the others stay zero. */
struct sp_dns_record {
	uint16_t preference; /* MX */
	struct sp_str name;  /* MX exchange, CNAME and DNAME target, NS */
	uint8_t address[16]; /* A: 4 bytes, AAAA: 16 */
	struct sp_tlsa tlsa; /* TLSA */
	struct sp_str data;  /* TXT: strings joined; DS, DNSKEY, SOA: RDATA */
};

struct sp_dns_alias {
	struct sp_str owner;
	struct sp_str target;
	/* The whole answer secure: secure. Insecure: the worst that is known,
	 * a question for the alias itself tells more (mail-flow row 6a): for
	 * CNAME at the owner, or for DNAME at the DNAME's. */
	enum sp_dnssec dnssec;
	struct sp_str dname; /* owner of the DNAME that made this step (RFC
	                      * 6672), above `owner`; empty: a CNAME's own */
};

struct sp_dns_answer {
	struct sp_arena arena; /* owns all that follows */
	struct sp_str name;    /* as asked */
	enum sp_dns_type type;
	enum sp_dnssec dnssec;
	enum sp_dns_result result;
	uint8_t rcode;          /* DNS RCODE, 0-15 */
	uint16_t ede;           /* RFC 8914 INFO-CODE; 0xffff: none */
	struct sp_str why;      /* reason of bogus or failed; may be empty */
	struct sp_str scenario; /* cause name if the reason is known, e.g.
	                         * "rrsig-expired"; may be empty */
	uint32_t ttl_s;
	bool cut; /* records or aliases beyond the limit dropped */
	struct sp_dns_alias *aliases; /* chain in order, DNAME as CNAME */
	size_t alias_count;
	struct sp_str canonical; /* owner of the records: end of the chain */
	struct sp_dns_record *records;
	size_t record_count;
};

#define SP_DNS_EDE_NONE 0xffff

/* A new answer knows its question only: failed, none, no EDE, canonical name
 * equal to the name. The name is put into the form above. */
struct sp_dns_answer *sp_dns_answer_new(struct sp_str name,
                                        enum sp_dns_type type);
void sp_dns_answer_free(struct sp_dns_answer **answer);

/* Sets why, made printable and cut to its limit: any bytes are legal. */
void sp_dns_answer_set_why(struct sp_dns_answer *answer, struct sp_str text);

/* A copy in the arena in the form above: lower case, no trailing dot. */
struct sp_str sp_dns_name_canonical(struct sp_str name, struct sp_arena *arena);
/* Whether a name has that form and the sizes of RFC 1035 2.3.4. Bytes
 * that are not printable appear as \DDD (RFC 1035 5.1), a dot inside a label
 * and other special characters as \. and so on; letters and digits always
 * stand for themselves. */
bool sp_dns_name_valid(struct sp_str name);

/*
 * Whether an answer agrees with itself; encode and decode both ask:
 *  - bogus and failed say "none", secure and insecure do not; "records" and
 *    only it has records; rcode is 3 with "nxdomain" and 0 with the other two
 *  - aliases lead from name to canonical without a gap (to canonical unless
 *    cut); in a secure answer each of them is secure; a DNAME stands above
 *    the name it makes an alias of
 *  - records have the form of their type, and nothing else is filled
 * 0 or SP_ESYNTAX.
 */
int sp_dns_answer_check(const struct sp_dns_answer *answer);

/* Bytes for a frame between roles, and back. Decoding trusts nothing:
 * SP_ESYNTAX or SP_ELIMIT on anything odd. An encoded answer has at most
 * SP_DNS_ANSWER_BYTES_MAX bytes. */
#define SP_DNS_ANSWER_BYTES_MAX 262144

int sp_dns_answer_encode(const struct sp_dns_answer *answer,
                         struct sp_buf *out);
int sp_dns_answer_decode(struct sp_str bytes,
                         struct sp_dns_answer **answer_out);

#endif
