/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_PREFLIGHT_H
#define SP_ANALYZE_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyze/advice.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/tls.h"
#include "policy/judge.h"
#include "policy/mxplan.h"

/*
 * A certificate or key that is to come, against the TLSA records that are
 * published for a host now (RFC 7671 8.1, RFC 7672 3.1): would it pass, what
 * to publish, what to remove later. No connection, no DNS, no clock.
 *
 * The chain is verified by the function that a session uses, and judged by
 * the judge. Processes that use it have called sp_tls_setup.
 */

/* What is to come: one of both. */
struct sp_preflight_new {
	struct sp_str cert_pem; /* leaf first, then its issuers */
	struct sp_str key_pem;
};

enum sp_preflight_issuer {           /* a record of the issuer's, usage 2 */
	SP_PREFLIGHT_ISSUER_UNKNOWN, /* a key says nothing of it */
	SP_PREFLIGHT_ISSUER_ABSENT,  /* none in the file */
	SP_PREFLIGHT_ISSUER_PASSES,
	SP_PREFLIGHT_ISSUER_FAILS, /* chain, dates or names */
};

struct sp_preflight {
	bool dane;    /* the host has records that bind */
	bool own;     /* a record of the new key or certificate is there */
	bool passes;  /* certificate: it would be accepted now */
	bool unknown; /* key: only a record of the issuer's could let it in */
	struct sp_verdict verdict; /* where a certificate would not pass */
	struct sp_tlsa add;        /* 3 1 1 */
	struct sp_tlsa *remove;    /* usage 3, of other keys; arena */
	size_t remove_count;
	enum sp_preflight_issuer issuer;
	bool issuer_published;    /* records of usage 2 are there: it is by
	                           * them */
	struct sp_tlsa issuer_of; /* 2 1 1, where the file has an issuer */
	struct sp_verdict issuer_verdict; /* with FAILS */
};

/* 0, or an error of sp_tls_tlsa_make or sp_tls_verify_chain with one line.
 * All in the arena. */
int sp_preflight_look(const struct sp_preflight_new *fresh,
                      const struct sp_plan_host *host, enum sp_profile profile,
                      int64_t now_ms, struct sp_arena *arena,
                      struct sp_preflight *out, char *why_out, size_t why_cap);

/* What to say of it. */
enum sp_advice_id sp_preflight_advice(const struct sp_preflight *preflight);

#endif
