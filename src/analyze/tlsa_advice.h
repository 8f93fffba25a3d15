/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_TLSA_ADVICE_H
#define SP_ANALYZE_TLSA_ADVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyze/advice.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/mxplan.h"

/*
 * What there is to say of the TLSA records that are published for one host,
 * without a look at its certificate: DNSSEC, owner name, each record, TTL
 * (RFC 7671 4 to 8, RFC 7672 3.1, analyzer.md 1 "advice rules"). Pure; the
 * same for `check --dane` and `tlsa lint`.
 */

#define SP_TLSA_ADVICE_MAX 64 /* findings of one host */
#define SP_TLSA_TTL_LOW_S  1800
#define SP_TLSA_TTL_HIGH_S 3600
#define SP_TLSA_TTL_FAR_S  86400 /* our own cache shows no more */

/* What was found in the DNS. Borrowed. */
struct sp_tlsa_published {
	struct sp_str owner; /* "_25._tcp.mx1.d.test" */
	enum sp_tlsa_answer answer;
	enum sp_dnssec dnssec;
	uint32_t ttl_s; /* 0: not known */
	const struct sp_plan_tlsa_record *records;
	size_t record_count;
	struct sp_str stray;   /* another owner that has records, such as
	                        * "_25.tcp.mx1.d.test"; empty: none */
	bool address_unsigned; /* the host's address is not signed, so that
	                        * nobody asks for them */
	struct sp_str tcp;     /* "_tcp.mx1.d.test", where it was asked about */
	bool tcp_denied;       /* it answered NXDOMAIN, or without a proof,
	                        * though there are records below it */
};

struct sp_tlsa_finding {
	enum sp_advice_id advice;
	struct sp_str subject; /* for the text of the advice; arena */
	int record;            /* index of the record; -1: of all of them */
};

/* The findings, those of all records first. Bogus and failed answers are
 * none of these: they have a cause. Returns the count. */
size_t sp_tlsa_advise(const struct sp_tlsa_published *published,
                      struct sp_arena *arena,
                      struct sp_tlsa_finding out[SP_TLSA_ADVICE_MAX]);

/* "3 1 1 ab12..." as texts name a record; arena. */
struct sp_str sp_tlsa_brief(const struct sp_tlsa *tlsa, struct sp_arena *arena);

#endif
