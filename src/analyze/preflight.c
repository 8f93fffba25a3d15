/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host of the plan is taken as it is, or with other records in place of
 * its own, and the new chain verified under it: what comes out is what a
 * session would come to.
 */
#include <string.h>

#include "analyze/matrix.h"
#include "analyze/preflight.h"
#include "base/err.h"
#include "deliver/dial_facts.h"

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

static bool failed(const struct sp_verdict *v)
{
	return v->class != SP_VERDICT_DELIVERED;
}

static struct sp_str material_of(const struct sp_preflight_new *fresh)
{
	return fresh->cert_pem.len ? fresh->cert_pem : fresh->key_pem;
}

/* What stands behind the first certificate; empty: nothing. */
static struct sp_str issuers_of(struct sp_str pem)
{
	const char *first =
		memmem(pem.ptr, pem.len, PEM_BEGIN, strlen(PEM_BEGIN));
	const char *end = pem.ptr + pem.len;
	const char *second = NULL;

	if (first) {
		first += strlen(PEM_BEGIN);
		second = memmem(first, (size_t)(end - first), PEM_BEGIN,
		                strlen(PEM_BEGIN));
	}
	return second ? sp_str_slice(second, (size_t)(end - second))
	              : SP_STR("");
}

/* ---- records ---- */

/* Is it a record of this very key or certificate? */
static bool is_own(struct sp_str material, const struct sp_tlsa *record,
                   struct sp_arena *arena)
{
	struct sp_tlsa made;
	char why[256];

	return record->usage == SP_TLSA_DANE_EE &&
	       sp_tls_tlsa_make(material, SP_TLSA_DANE_EE, record->selector,
	                        record->matching, arena, &made, why,
	                        sizeof(why)) == 0 &&
	       sp_tlsa_cmp(&made, record) == 0;
}

static void sort_records(struct sp_str material,
                         const struct sp_plan_host *host,
                         struct sp_arena *arena, struct sp_preflight *out)
{
	out->remove = sp_arena_array(arena, host->tlsa_count + 1,
	                             sizeof(*out->remove));
	for (size_t i = 0; i < host->tlsa_count; i++) {
		const struct sp_tlsa *record = &host->tlsa[i].tlsa;
		bool usable = host->tlsa[i].reason == SP_TLSA_USABLE;

		if (record->usage == SP_TLSA_DANE_TA && usable) {
			out->issuer_published = true;
		}
		if (record->usage != SP_TLSA_DANE_EE) {
			continue;
		}
		if (!is_own(material, record, arena)) {
			out->remove[out->remove_count++] = *record;
		} else if (usable) {
			out->own = true;
		}
	}
}

/* The key's record of that usage, as it counts beside those of the host. */
static int make_new(struct sp_str material, const struct sp_plan_host *host,
                    uint8_t usage, struct sp_arena *arena, struct sp_tlsa *out,
                    char *why_out, size_t why_cap)
{
	return sp_tls_tlsa_make(material, usage, SP_TLSA_SPKI,
	                        sp_matrix_digest(host->tlsa, host->tlsa_count,
	                                         usage, SP_TLSA_SPKI),
	                        arena, out, why_out, why_cap);
}

/* ---- the chain ---- */

/* The judge's word on the chain under the host. */
static int judge(struct sp_str pem, const struct sp_plan_host *host,
                 enum sp_profile profile, int64_t now_ms,
                 struct sp_arena *arena, struct sp_verdict *verdict_out,
                 char *why_out, size_t why_cap)
{
	const struct sp_judge_conf conf = {.profile = profile,
	                                   .now_ms = now_ms};
	struct sp_tls_client params;
	struct sp_tls_facts facts;
	struct sp_judge_result r;
	struct sp_tls_seen seen;
	int err;

	sp_dial_tls_params(host, (struct sp_str){0}, arena, &params);
	err = sp_tls_verify_chain(pem, &params, now_ms, arena, &seen, why_out,
	                          why_cap);
	if (err) {
		return err;
	}
	sp_dial_tls_facts(&seen, &facts);
	facts.other_key_asked = true; /* this chain is all there is */
	r = sp_judge(&conf, host, SP_SESSION_HANDSHAKE_DONE, &facts, arena);
	*verdict_out =
		r.judgement == SP_JUDGE_FAIL
			? r.verdict
			: (struct sp_verdict){.class = SP_VERDICT_DELIVERED};
	return 0;
}

/* The host as if these were all of its records. */
static struct sp_plan_host with_records(const struct sp_plan_host *host,
                                        struct sp_plan_tlsa_record *records,
                                        size_t count)
{
	struct sp_plan_host copy = *host;

	copy.rule = SP_RULE_DANE;
	copy.why = SP_WHY_TLSA;
	copy.sts = SP_STS_NONE;
	copy.sts_watched = false;
	copy.tlsa = records;
	copy.tlsa_count = count;
	if (!copy.reference_id_count) {
		copy.reference_ids = (struct sp_str *)(uintptr_t)&host->name;
		copy.reference_id_count = 1;
	}
	return copy;
}

/* By the records of usage 2 that are there, or by the one that would be. */
static struct sp_plan_tlsa_record *
issuer_records(const struct sp_plan_host *host, const struct sp_tlsa *would_be,
               struct sp_arena *arena, size_t *count_out)
{
	struct sp_plan_tlsa_record *records =
		sp_arena_array(arena, host->tlsa_count + 1, sizeof(*records));
	size_t count = 0;

	for (size_t i = 0; i < host->tlsa_count; i++) {
		if (host->tlsa[i].tlsa.usage == SP_TLSA_DANE_TA &&
		    host->tlsa[i].reason == SP_TLSA_USABLE) {
			records[count++] = host->tlsa[i];
		}
	}
	if (!count) {
		records[count++] =
			(struct sp_plan_tlsa_record){*would_be, SP_TLSA_USABLE};
	}
	*count_out = count;
	return records;
}

static int look_at_issuer(struct sp_str pem, const struct sp_plan_host *host,
                          int64_t now_ms, struct sp_arena *arena,
                          struct sp_preflight *out, char *why_out,
                          size_t why_cap)
{
	struct sp_str issuers = issuers_of(pem);
	struct sp_plan_tlsa_record *records;
	struct sp_plan_host under;
	size_t count;
	int err;

	if (!issuers.len || make_new(issuers, host, SP_TLSA_DANE_TA, arena,
	                             &out->issuer_of, why_out, why_cap)) {
		out->issuer = SP_PREFLIGHT_ISSUER_ABSENT;
		return 0;
	}
	records = issuer_records(host, &out->issuer_of, arena, &count);
	under = with_records(host, records, count);
	err = judge(pem, &under, SP_PROFILE_RFC, now_ms, arena,
	            &out->issuer_verdict, why_out, why_cap);
	out->issuer = failed(&out->issuer_verdict) ? SP_PREFLIGHT_ISSUER_FAILS
	                                           : SP_PREFLIGHT_ISSUER_PASSES;
	return err;
}

/* ---- all of it ---- */

int sp_preflight_look(const struct sp_preflight_new *fresh,
                      const struct sp_plan_host *host, enum sp_profile profile,
                      int64_t now_ms, struct sp_arena *arena,
                      struct sp_preflight *out, char *why_out, size_t why_cap)
{
	struct sp_str material = material_of(fresh);
	int err;

	*out = (struct sp_preflight){
		.dane = host->rule == SP_RULE_DANE ||
	                host->rule == SP_RULE_HALF_DANE,
	};
	err = make_new(material, host, SP_TLSA_DANE_EE, arena, &out->add,
	               why_out, why_cap);
	if (err) {
		return err;
	}
	sort_records(material, host, arena, out);
	if (!fresh->cert_pem.len) {
		out->passes = out->own;
		out->unknown = !out->own && out->issuer_published;
		return 0;
	}
	err = look_at_issuer(material, host, now_ms, arena, out, why_out,
	                     why_cap);
	if (!err && host->rule != SP_RULE_SKIP) {
		err = judge(material, host, profile, now_ms, arena,
		            &out->verdict, why_out, why_cap);
	}
	out->passes = !failed(&out->verdict);
	return err;
}

/* No record fits, rather than a fault of the certificate. */
static bool is_mismatch(const struct sp_verdict *v)
{
	return v->cause == SP_CAUSE_TLSA_MISMATCH ||
	       v->cause == SP_CAUSE_TA_NOT_IN_CHAIN;
}

enum sp_advice_id sp_preflight_advice(const struct sp_preflight *p)
{
	if (!p->dane) {
		return SP_ADVICE_PREFLIGHT_NO_DANE;
	}
	if (p->unknown) {
		return SP_ADVICE_PREFLIGHT_UNKNOWN;
	}
	if (p->passes) {
		return p->own ? SP_ADVICE_PREFLIGHT_PUBLISHED
		              : SP_ADVICE_PREFLIGHT_BY_ISSUER;
	}
	/* A fault of the certificate has a cause of its own. */
	return failed(&p->verdict) && !is_mismatch(&p->verdict)
	               ? SP_ADVICE_NONE
	               : SP_ADVICE_PREFLIGHT_NOT_PUBLISHED;
}
