/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_TLSA_H
#define SP_WIRE_TLSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

/*
 * TLSA records (RFC 6698 2.1): their RDATA, their presentation form, and
 * whether SMTP can use them (RFC 7672 3.1, RFC 7671 4). Pure; any bytes are
 * legal input: TLSA RDATA is written by strangers.
 */

enum sp_tlsa_usage {
	SP_TLSA_PKIX_TA = 0,
	SP_TLSA_PKIX_EE = 1,
	SP_TLSA_DANE_TA = 2,
	SP_TLSA_DANE_EE = 3,
};

enum sp_tlsa_selector {
	SP_TLSA_CERT = 0,
	SP_TLSA_SPKI = 1
};

enum sp_tlsa_matching {
	SP_TLSA_FULL = 0,
	SP_TLSA_SHA256 = 1,
	SP_TLSA_SHA512 = 2,
};

#define SP_TLSA_DATA_MAX 8192 /* longer association data is unusable */

/* Why a record can't be used in SMTP; the names are what people see. */
#define SP_TLSA_REASONS(X)                                                     \
	X(USABLE, NULL)                                                        \
	X(RDATA_SHORT, "rdata shorter than 4 bytes")                           \
	X(USAGE_PKIX, "usage 0 or 1 is not used in SMTP")                      \
	X(USAGE_UNKNOWN, "unknown certificate usage")                          \
	X(SELECTOR_UNKNOWN, "unknown selector")                                \
	X(MATCHING_UNKNOWN, "unknown matching type")                           \
	X(DIGEST_LENGTH, "digest has the wrong length")                        \
	X(DATA_EMPTY, "no certificate association data")                       \
	X(DATA_LONG, "certificate association data too long")                  \
	X(DATA_UNPARSABLE, "certificate or key in the record does not parse")  \
	X(WEAKER_DIGEST, "a stronger digest is published (digest agility)")

enum sp_tlsa_reason {
#define SP_X(name, text) SP_TLSA_##name,
	SP_TLSA_REASONS(SP_X)
#undef SP_X
};

/* The text of a reason; null for SP_TLSA_USABLE. */
const char *sp_tlsa_reason_text(enum sp_tlsa_reason reason);

struct sp_tlsa {
	uint8_t usage;
	uint8_t selector;
	uint8_t matching;
	struct sp_str data; /* association data; borrowed or arena */
};

/* RDATA to record; data points into rdata. 0, or SP_ESYNTAX when shorter
 * than 3 bytes (such a record stands as 255 255 255 with its bytes as data,
 * so that it can be shown). An empty association is no syntax error. */
int sp_tlsa_decode(struct sp_str rdata, struct sp_tlsa *tlsa_out);

/* "3 1 1 0123ab..": three numbers 0-255 and hex, blanks between and inside
 * the hex allowed; data is allocated in the arena. 0, SP_ESYNTAX, SP_ELIMIT. */
int sp_tlsa_parse(struct sp_str text, struct sp_arena *arena,
                  struct sp_tlsa *tlsa_out);

/* Presentation form, upper limit SP_TLSA_DATA_MAX; allocated in the arena. */
char *sp_tlsa_format(const struct sp_tlsa *tlsa, struct sp_arena *arena);

/* Parameters and lengths only; whether a Full record parses as a certificate
 * or key is asked of OpenSSL by the caller (full_parses; pass true where
 * matching is not Full). */
enum sp_tlsa_reason sp_tlsa_check(const struct sp_tlsa *tlsa, bool full_parses);

/* A total order over records, for sorted sets and policy digests. */
int sp_tlsa_cmp(const struct sp_tlsa *a, const struct sp_tlsa *b);

#endif
