/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second table of mail-flow section 4: what a session has seen, under
 * the rule of its host, to "go on", "once more in clear" or "host fails".
 *
 * Everything is decided twice over tables: what an event without TLS means
 * (no_tls), and what became of the certificate (verify_causes). Facts that
 * contradict each other are taken at their worst: authenticated means that a
 * record matched, that verification found nothing, and that records were
 * given to it in the first place.
 */
#include "base/ascii.h"
#include "base/assert.h"
#include "base/time.h"
#include "policy/filter.h"
#include "policy/judge.h"
#include "policy/keys.h"

bool sp_rule_requires_tls(enum sp_rule rule)
{
	return rule != SP_RULE_OPPORTUNISTIC;
}

int sp_rule_tls_min(enum sp_rule rule)
{
	return sp_rule_requires_tls(rule) ? 0x0303 : 0;
}

/* --- Without TLS ---------------------------------------------------------- */

enum trouble {
	NOT_OFFERED,
	REFUSED,
	SILENT,
	GARBAGE,
	HANDSHAKE,
};

/* Clear text is tried on a new connection only where TLS was tried and did
 * not come about. Surplus bytes are no failed handshake but a sign of
 * tampering: they end the session under every rule. */
static const struct no_tls {
	enum trouble trouble;
	bool tls_required;
	enum sp_judgement judgement;
	enum sp_cause_id cause; /* with FAIL */
} no_tls[] = {
	{NOT_OFFERED, false, SP_JUDGE_PROCEED, SP_CAUSE_NONE},
	{NOT_OFFERED, true, SP_JUDGE_FAIL, SP_CAUSE_STARTTLS_NOT_OFFERED},
	{REFUSED, false, SP_JUDGE_PROCEED, SP_CAUSE_NONE},
	{REFUSED, true, SP_JUDGE_FAIL, SP_CAUSE_STARTTLS_REFUSED},
	{SILENT, false, SP_JUDGE_CLEAR_RETRY, SP_CAUSE_NONE},
	{SILENT, true, SP_JUDGE_FAIL, SP_CAUSE_STARTTLS_TIMEOUT},
	{GARBAGE, false, SP_JUDGE_FAIL, SP_CAUSE_SESSION_FAILED},
	{GARBAGE, true, SP_JUDGE_FAIL, SP_CAUSE_STARTTLS_GARBAGE},
	{HANDSHAKE, false, SP_JUDGE_CLEAR_RETRY, SP_CAUSE_NONE},
	{HANDSHAKE, true, SP_JUDGE_FAIL, SP_CAUSE_HANDSHAKE_FAILED},
};

/* A peer's words as one printable line. */
static struct sp_str one_line(struct sp_str text, struct sp_arena *arena)
{
	char *out = sp_arena_cstr(arena, text);

	for (size_t i = 0; i < text.len; i++) {
		out[i] = sp_ascii_tame(out[i]);
	}
	return sp_str_slice(out, text.len);
}

static struct sp_judge_result
fail_reason(const struct sp_plan_host *host, enum sp_cause_id cause,
            const char *security, struct sp_str reason, struct sp_str evidence,
            struct sp_arena *arena)
{
	struct sp_judge_result r = {
		.judgement = SP_JUDGE_FAIL,
		.security = security,
	};

	r.verdict = sp_verdict_from_cause(cause, host->name, reason, arena);
	r.verdict.host = host->name;
	r.verdict.evidence = evidence;
	return r;
}

static struct sp_judge_result fail(const struct sp_plan_host *host,
                                   enum sp_cause_id cause, const char *security,
                                   struct sp_str evidence,
                                   struct sp_arena *arena)
{
	return fail_reason(host, cause, security, (struct sp_str){0}, evidence,
	                   arena);
}

static struct sp_judge_result judge_no_tls(const struct sp_plan_host *host,
                                           enum trouble trouble,
                                           struct sp_str evidence,
                                           struct sp_arena *arena)
{
	bool required = sp_rule_requires_tls(host->rule);

	for (size_t i = 0; i < sizeof(no_tls) / sizeof(*no_tls); i++) {
		const struct no_tls *row = &no_tls[i];

		if (row->trouble != trouble || row->tls_required != required) {
			continue;
		}
		if (row->judgement == SP_JUDGE_FAIL) {
			return fail(host, row->cause, "clear", evidence, arena);
		}
		return (struct sp_judge_result){
			.judgement = row->judgement,
			.security = "clear",
		};
	}
	SP_ASSERT(!"every trouble has its row");
	return (struct sp_judge_result){.judgement = SP_JUDGE_FAIL};
}

/* --- The certificate --------------------------------------------------------
 */

static const enum sp_cause_id verify_causes[] = {
	[SP_VERIFY_OK] = SP_CAUSE_NONE,
	[SP_VERIFY_NO_MATCH] = SP_CAUSE_TLSA_MISMATCH,
	[SP_VERIFY_TA_NOT_IN_CHAIN] = SP_CAUSE_TA_NOT_IN_CHAIN,
	[SP_VERIFY_EXPIRED] = SP_CAUSE_CERT_EXPIRED,
	[SP_VERIFY_NOT_YET_VALID] = SP_CAUSE_CERT_NOT_YET_VALID,
	[SP_VERIFY_NAME] = SP_CAUSE_CERT_NAME_MISMATCH,
	[SP_VERIFY_CHAIN] = SP_CAUSE_CERT_CHAIN_INVALID,
};

static bool publishes_usage(const struct sp_plan_host *host, uint8_t usage)
{
	for (size_t i = 0; i < host->tlsa_count; i++) {
		if (host->tlsa[i].reason == SP_TLSA_USABLE &&
		    host->tlsa[i].tlsa.usage == usage) {
			return true;
		}
	}
	return false;
}

/* NONE when the server is authenticated by a TLSA record. */
static enum sp_cause_id verify_cause(const struct sp_plan_host *host,
                                     const struct sp_tls_facts *facts)
{
	enum sp_cause_id cause = verify_causes[facts->verify_error];

	if (cause == SP_CAUSE_NONE &&
	    !(facts->dane_active && facts->dane_matched)) {
		cause = SP_CAUSE_TLSA_MISMATCH;
	}
	/* The two differ by what is published, not by what was found. */
	if (cause == SP_CAUSE_TLSA_MISMATCH ||
	    cause == SP_CAUSE_TA_NOT_IN_CHAIN) {
		return publishes_usage(host, SP_TLSA_DANE_EE)
		               ? SP_CAUSE_TLSA_MISMATCH
		               : SP_CAUSE_TA_NOT_IN_CHAIN;
	}
	return cause;
}

/* What usage 3 does not look at (RFC 7672 3.1.1): a warning, but an error
 * under profile exchange. In the order of rank. */
struct unchecked {
	enum sp_cause_id cause;
	const char *warning;
};

static struct unchecked unchecked(const struct sp_judge_conf *conf,
                                  const struct sp_tls_facts *facts)
{
	if (facts->matched_usage != SP_TLSA_DANE_EE) {
		return (struct unchecked){SP_CAUSE_NONE, NULL};
	}
	if (conf->now_ms < facts->not_before_ms) {
		return (struct unchecked){
			SP_CAUSE_CERT_NOT_YET_VALID,
			"certificate not yet valid (not checked with usage 3)"};
	}
	if (conf->now_ms > facts->not_after_ms) {
		return (struct unchecked){
			SP_CAUSE_CERT_EXPIRED,
			"certificate expired (not checked with usage 3)"};
	}
	if (!facts->cert_name_matches) {
		return (struct unchecked){
			SP_CAUSE_CERT_NAME_MISMATCH,
			"certificate is for another name (not checked with "
			"usage 3)"};
	}
	return (struct unchecked){SP_CAUSE_NONE, NULL};
}

/* names: what counts of the certificate's names. */
static struct sp_str cert_text(struct sp_str what, struct sp_str at,
                               struct sp_str names,
                               const struct sp_tls_facts *facts,
                               struct sp_arena *arena)
{
	char from[SP_TIME_TEXT], to[SP_TIME_TEXT];
	char *text;

	sp_time_rfc3339(facts->not_before_ms, from);
	sp_time_rfc3339(facts->not_after_ms, to);
	text = sp_arena_printf(
		arena,
		SP_STR_FMT " at " SP_STR_FMT "; certificate sha256 " SP_STR_FMT
			   ", names " SP_STR_FMT ", issuer " SP_STR_FMT
			   ", valid %s to %s",
		SP_STR_ARG(what), SP_STR_ARG(at),
		SP_STR_ARG(facts->cert_sha256), SP_STR_ARG(names),
		SP_STR_ARG(facts->cert_issuer), from, to);
	return one_line(sp_str_from(text), arena);
}

static struct sp_str cert_evidence(const struct sp_plan_host *host,
                                   const struct sp_tls_facts *facts,
                                   struct sp_arena *arena)
{
	struct sp_str what = facts->verify_text;
	struct sp_str names = facts->cert_names;

	if (what.len == 0) {
		what = SP_STR("not authenticated");
	}
	if (names.len == 0) { /* then the CN counts (RFC 7672 3.2.3) */
		names = facts->cert_subject;
	}
	return cert_text(what, host->tlsa_owner, names, facts, arena);
}

/* --- MTA-STS ----------------------------------------------------------------
 */

static const enum sp_cause_id pki_causes[] = {
	[SP_PKI_OK] = SP_CAUSE_NONE,
	[SP_PKI_UNTRUSTED] = SP_CAUSE_STS_CERT_UNTRUSTED,
	[SP_PKI_NOT_YET_VALID] = SP_CAUSE_STS_CERT_EXPIRED,
	[SP_PKI_EXPIRED] = SP_CAUSE_STS_CERT_EXPIRED,
	[SP_PKI_NAME] = SP_CAUSE_STS_CERT_NAME_MISMATCH,
};

/* What has to hold beside DANE, or in its place (RFC 8461 4.2). */
static struct sp_judge_result judge_sts(const struct sp_plan_host *host,
                                        const struct sp_tls_facts *facts,
                                        struct sp_arena *arena)
{
	enum sp_cause_id cause = facts->pki_checked
	                                 ? pki_causes[facts->pki_error]
	                                 : SP_CAUSE_STS_CERT_UNTRUSTED;
	struct sp_str what = facts->pki_text;
	struct sp_str names = facts->cert_names;

	if (cause == SP_CAUSE_NONE) {
		return (struct sp_judge_result){
			.judgement = SP_JUDGE_PROCEED,
			.authenticated = true,
			.security = "sts",
		};
	}
	if (what.len == 0) {
		what = SP_STR("certificate not checked");
	}
	if (names.len == 0) {
		names = SP_STR("none");
	}
	return fail_reason(host, cause, "tls", one_line(what, arena),
	                   cert_text(what, host->name, names, facts, arena),
	                   arena);
}

/* --- With TLS ---------------------------------------------------------------
 */

static struct sp_judge_result judge_dane(const struct sp_judge_conf *conf,
                                         const struct sp_plan_host *host,
                                         const struct sp_tls_facts *facts,
                                         struct sp_arena *arena)
{
	enum sp_cause_id cause = verify_cause(host, facts);
	struct unchecked extra = unchecked(conf, facts);
	struct sp_judge_result r = {.judgement = SP_JUDGE_PROCEED};

	if (cause == SP_CAUSE_NONE && conf->profile == SP_PROFILE_EXCHANGE) {
		cause = extra.cause;
	}
	if (cause != SP_CAUSE_NONE) {
		return fail(host, cause, "tls",
		            cert_evidence(host, facts, arena), arena);
	}
	r.authenticated = host->rule == SP_RULE_DANE;
	r.security = r.authenticated ? "dane" : "half-dane";
	r.warning = sp_str_from(extra.warning);
	return r;
}

/* Half-DANE under an enforced policy: both must pass. */
static struct sp_judge_result judge_both(const struct sp_judge_conf *conf,
                                         const struct sp_plan_host *host,
                                         const struct sp_tls_facts *facts,
                                         struct sp_arena *arena)
{
	struct sp_judge_result dane = judge_dane(conf, host, facts, arena);
	struct sp_judge_result sts;

	if (host->sts != SP_STS_ENFORCE || dane.judgement == SP_JUDGE_FAIL) {
		return dane;
	}
	sts = judge_sts(host, facts, arena);
	if (sts.judgement == SP_JUDGE_FAIL) {
		return sts;
	}
	dane.authenticated = true;
	return dane;
}

static struct sp_judge_result judge_encrypt(const struct sp_plan_host *host,
                                            const struct sp_tls_facts *facts,
                                            struct sp_arena *arena)
{
	struct sp_judge_result r = {
		.judgement = SP_JUDGE_PROCEED,
		.security = "tls",
	};

	if (host->sts == SP_STS_ENFORCE) {
		r = judge_sts(host, facts, arena);
	}
	if (host->why == SP_WHY_ALL_UNUSABLE &&
	    r.judgement == SP_JUDGE_PROCEED) {
		r.warning = r.authenticated
		                    ? SP_STR("tlsa-invalid: no TLSA record is "
		                             "usable")
		                    : SP_STR("tlsa-invalid: no TLSA record is "
		                             "usable, certificate not checked");
	}
	return r;
}

static struct sp_judge_result judge_tls(const struct sp_judge_conf *conf,
                                        const struct sp_plan_host *host,
                                        const struct sp_tls_facts *facts,
                                        struct sp_arena *arena)
{
	struct sp_judge_result r = {
		.judgement = SP_JUDGE_PROCEED,
		.security = "tls",
	};

	switch (host->rule) {
	case SP_RULE_DANE:
	case SP_RULE_HALF_DANE:
		return judge_both(conf, host, facts, arena);
	case SP_RULE_ENCRYPT:
		return judge_encrypt(host, facts, arena);
	case SP_RULE_OPPORTUNISTIC:
		return r;
	case SP_RULE_SKIP:
		break;
	}
	SP_ASSERT(!"a skipped host is never spoken to");
	return r;
}

/* --- The judge
 * ------------------------------------------------------------------ */

/* Below TLS 1.2 counts as no common version where TLS is mandatory; the
 * context forbids it already, this is the second lock. */
static bool too_old(struct sp_str protocol)
{
	return sp_str_eq(protocol, SP_STR("SSLv3")) ||
	       sp_str_eq(protocol, SP_STR("TLSv1")) ||
	       sp_str_eq(protocol, SP_STR("TLSv1.1"));
}

static struct sp_judge_result judge_handshake(const struct sp_judge_conf *conf,
                                              const struct sp_plan_host *host,
                                              const struct sp_tls_facts *facts,
                                              struct sp_arena *arena)
{
	if (!facts->handshake_ok) {
		return judge_no_tls(host, HANDSHAKE,
		                    one_line(facts->error, arena), arena);
	}
	if (sp_rule_requires_tls(host->rule) && too_old(facts->protocol)) {
		return judge_no_tls(host, HANDSHAKE, facts->protocol, arena);
	}
	return judge_tls(conf, host, facts, arena);
}

static struct sp_judge_result judge_event(const struct sp_judge_conf *conf,
                                          const struct sp_plan_host *host,
                                          enum sp_session_event event,
                                          const struct sp_tls_facts *facts,
                                          struct sp_arena *arena)
{
	struct sp_str said = facts != NULL ? one_line(facts->error, arena)
	                                   : (struct sp_str){0};

	switch (event) {
	case SP_SESSION_NO_STARTTLS:
		return judge_no_tls(host, NOT_OFFERED, said, arena);
	case SP_SESSION_STARTTLS_REFUSED:
		return judge_no_tls(host, REFUSED, said, arena);
	case SP_SESSION_STARTTLS_SILENT:
		return judge_no_tls(host, SILENT, said, arena);
	case SP_SESSION_STARTTLS_GARBAGE:
		return judge_no_tls(host, GARBAGE, said, arena);
	case SP_SESSION_NO_REQUIRETLS:
		return fail(host, SP_CAUSE_REQUIRETLS_UNMET, "tls",
		            SP_STR("REQUIRETLS is not offered"), arena);
	case SP_SESSION_HANDSHAKE_DONE:
		SP_ASSERT(facts != NULL);
		return judge_handshake(conf, host, facts, arena);
	}
	SP_ASSERT(!"unknown session event");
	return judge_no_tls(host, GARBAGE, said, arena);
}

/* Nothing matched, but the server may have another key that does. */
static enum sp_key_kind other_key(const struct sp_plan_host *host,
                                  enum sp_session_event event,
                                  const struct sp_tls_facts *facts,
                                  enum sp_cause_id cause)
{
	bool unmatched = cause == SP_CAUSE_TLSA_MISMATCH ||
	                 cause == SP_CAUSE_TA_NOT_IN_CHAIN;

	if (event != SP_SESSION_HANDSHAKE_DONE || !unmatched ||
	    facts->matched_usage >= 0 || facts->resumed ||
	    facts->other_key_asked) {
		return SP_KEY_ANY;
	}
	return sp_keys_other(host, facts->key);
}

/* What an enforced policy would say of the session, whatever binds it. */
static struct sp_verdict sts_opinion(const struct sp_judge_conf *conf,
                                     const struct sp_plan_host *host,
                                     enum sp_session_event event,
                                     const struct sp_tls_facts *facts,
                                     struct sp_arena *arena)
{
	struct sp_plan_host alone = *host;
	struct sp_judge_result r;

	if (!host->sts_watched || event == SP_SESSION_NO_REQUIRETLS) {
		return (struct sp_verdict){0};
	}
	alone.rule = SP_RULE_ENCRYPT;
	alone.why = SP_WHY_STS;
	alone.sts = SP_STS_ENFORCE;
	r = judge_event(conf, &alone, event, facts, arena);
	return r.judgement == SP_JUDGE_FAIL ? r.verdict
	                                    : (struct sp_verdict){0};
}

static struct sp_judge_result judge_strict(const struct sp_judge_conf *conf,
                                           const struct sp_plan_host *host,
                                           enum sp_session_event event,
                                           const struct sp_tls_facts *facts,
                                           struct sp_arena *arena)
{
	struct sp_judge_result r = judge_event(conf, host, event, facts, arena);

	r.sts = sts_opinion(conf, host, event, facts, arena);
	if (r.judgement == SP_JUDGE_FAIL) {
		r.other_key = other_key(host, event, facts, r.verdict.cause);
	}
	if (r.other_key != SP_KEY_ANY) {
		r.judgement = SP_JUDGE_OTHER_KEY;
	}
	return r;
}

struct sp_judge_result sp_judge(const struct sp_judge_conf *conf,
                                const struct sp_plan_host *host,
                                enum sp_session_event event,
                                const struct sp_tls_facts *facts,
                                struct sp_arena *arena)
{
	struct sp_plan_host relaxed = *host;
	struct sp_judge_result strict, other;

	SP_ASSERT(host->rule != SP_RULE_SKIP);
	strict = judge_strict(conf, host, event, facts, arena);
	if (conf->filter.requiretls && !strict.authenticated &&
	    (strict.judgement == SP_JUDGE_PROCEED ||
	     strict.judgement == SP_JUDGE_CLEAR_RETRY)) {
		other = fail(host, SP_CAUSE_REQUIRETLS_UNMET, strict.security,
		             SP_STR("not authenticated"), arena);
		other.sts = strict.sts;
		return other;
	}
	if (strict.judgement != SP_JUDGE_FAIL) {
		return strict;
	}
	if (!sp_filter_waives(&conf->filter, host, strict.verdict.cause)) {
		strict.verdict = sp_filter_verdict(&conf->filter,
		                                   &strict.verdict, arena);
		return strict;
	}
	relaxed.rule = SP_RULE_OPPORTUNISTIC;
	relaxed.sts = SP_STS_NONE;
	other = judge_event(conf, &relaxed, event, facts, arena);
	if (other.judgement == SP_JUDGE_FAIL) {
		return strict; /* unusable under any rule */
	}
	other.waived = true;
	other.verdict = strict.verdict;
	other.sts = strict.sts;
	return other;
}
