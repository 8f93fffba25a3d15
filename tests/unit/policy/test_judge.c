/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second table of mail-flow section 4: every event under every rule,
 * both profiles and log-only; then all facts at once against the invariants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/filter.h"
#include "policy/judge.h"

/* Cases name only what differs from the default. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define NOW ((int64_t)1764000000000)
#define DAY ((int64_t)86400000)
#define DIGEST                                                                 \
	{                                                                      \
		"0123456789abcdef0123456789abcdef", 32                         \
	}

#define EE  SP_TLSA_DANE_EE
#define TA  SP_TLSA_DANE_TA
#define OPP SP_RULE_OPPORTUNISTIC
#define ENC SP_RULE_ENCRYPT
#define HLF SP_RULE_HALF_DANE
#define DNE SP_RULE_DANE

static struct sp_plan_tlsa_record records[2];

static struct sp_plan_host host_of(enum sp_rule rule, uint8_t first,
                                   uint8_t second)
{
	struct sp_plan_host host = {
		.name = SP_STR("mx1.d.test"),
		.tlsa_owner = SP_STR("_25._tcp.mx1.d.test"),
		.rule = rule,
		.tlsa = records,
		.tlsa_count = second != 0 ? 2 : 1,
	};

	records[0].tlsa = (struct sp_tlsa){first, 1, 1, DIGEST};
	records[1].tlsa = (struct sp_tlsa){second, 1, 1, DIGEST};
	return host;
}

/* A good session that matched a record of the usage. */
static struct sp_tls_facts matched(int usage)
{
	return (struct sp_tls_facts){
		.handshake_ok = true,
		.protocol = SP_STR("TLSv1.3"),
		.dane_active = true,
		.dane_matched = true,
		.matched_usage = usage,
		.verify_error = SP_VERIFY_OK,
		.not_before_ms = NOW - DAY,
		.not_after_ms = NOW + DAY,
		.cert_name_matches = true,
	};
}

static void describe(const struct sp_judge_result *r, char *out, size_t cap)
{
	static const char *const words[] = {"proceed", "clear-retry", "fail"};
	char code[32] = "";

	if (r->judgement == SP_JUDGE_FAIL || r->waived) {
		sp_verdict_code(&r->verdict, code, sizeof(code));
	}
	(void)snprintf(out, cap, "%s %s%s%s%s%s%s%s%s", words[r->judgement],
	               r->security, r->authenticated ? " authenticated" : "",
	               r->warning.len > 0 ? " warning" : "",
	               r->waived ? " waived" : "", code[0] ? " " : "", code,
	               code[0] ? " " : "",
	               code[0] ? sp_cause_get(r->verdict.cause)->name : "");
}

/* --- Without a TLS session --------------------------------------------------
 */

static void test_no_tls(void **state)
{
	static const struct {
		const char *name;
		enum sp_session_event event;
		const char *opportunistic, *required, *log_only;
	} cases[] = {
		{"no STARTTLS (RFC 7672 2.2)", SP_SESSION_NO_STARTTLS,
	         "proceed clear", "fail clear 4.7.321 starttls-not-offered",
	         "proceed clear waived 4.7.321 starttls-not-offered"},
		{"STARTTLS refused", SP_SESSION_STARTTLS_REFUSED,
	         "proceed clear", "fail clear 4.7.321 starttls-refused",
	         "proceed clear waived 4.7.321 starttls-refused"},
		{"STARTTLS not answered", SP_SESSION_STARTTLS_SILENT,
	         "clear-retry clear", "fail clear 4.7.321 starttls-timeout",
	         "clear-retry clear waived 4.7.321 starttls-timeout"},
		{"bytes behind the 220", SP_SESSION_STARTTLS_GARBAGE,
	         "fail clear 4.4.317 session-failed",
	         "fail clear 4.7.321 starttls-garbage",
	         "fail clear 4.7.321 starttls-garbage"},
		{"handshake failed", SP_SESSION_HANDSHAKE_DONE,
	         "clear-retry clear", "fail clear 4.7.321 handshake-failed",
	         "clear-retry clear waived 4.7.321 handshake-failed"},
	};
	static const enum sp_rule rules[] = {OPP, ENC, HLF, DNE};
	struct sp_tls_facts facts = {.error = SP_STR("alert\r40"),
	                             .matched_usage = -1};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases) * 16; i++) {
		size_t n = i / 16;
		struct sp_plan_host host = host_of(rules[i % 4], EE, 0);
		struct sp_judge_conf conf = {
			.profile = (enum sp_profile)(i / 4 % 2),
			.filter.log_only = i / 8 % 2 != 0,
			.now_ms = NOW,
		};
		struct sp_judge_result r =
			sp_judge(&conf, &host, cases[n].event, &facts, &arena);
		const char *expected = host.rule == OPP ? cases[n].opportunistic
		                       : conf.filter.log_only
		                               ? cases[n].log_only
		                               : cases[n].required;
		char text[128];

		if (r.judgement == SP_JUDGE_FAIL) {
			assert_true(sp_str_eq(r.verdict.evidence,
			                      SP_STR("alert?40")));
		}
		describe(&r, text, sizeof(text));
		if (strcmp(text, expected) != 0) {
			fail_msg("%s, %s: %s, not %s", cases[n].name,
			         sp_rule_text(host.rule), text, expected);
		}
	}
	sp_arena_fini(&arena);
}

/* --- With one
 * ------------------------------------------------------------------ */

struct tls_case {
	const char *name;
	enum sp_rule rule;
	uint8_t usages[2]; /* published and usable */
	int matched;       /* usage; -1: none */
	enum sp_verify_error error;
	int64_t before, after; /* validity, days from now; 0: good */
	bool other_name;
	const char *rfc, *exchange, *log_only;
};

static const struct tls_case tls_cases[] = {
	{"opportunistic: nothing is checked",
         OPP,
         {EE},
         -1,
         SP_VERIFY_OK,
         0,
         0,
         true,
         "proceed tls",
         "proceed tls",
         "proceed tls"},
	{"row 2 all unusable, TLS up",
         ENC,
         {0},
         -1,
         SP_VERIFY_OK,
         0,
         0,
         true,
         "proceed tls",
         "proceed tls",
         "proceed tls"},
	{"usage 3 matches",
         DNE,
         {EE},
         EE,
         SP_VERIFY_OK,
         0,
         0,
         false,
         "proceed dane authenticated",
         "proceed dane authenticated",
         "proceed dane authenticated"},
	{"usage 3 matches, MX insecure: never called authenticated",
         HLF,
         {EE},
         EE,
         SP_VERIFY_OK,
         0,
         0,
         false,
         "proceed half-dane",
         "proceed half-dane",
         "proceed half-dane"},
	{"usage 3 matches, expired (RFC 7672 3.1.1)",
         DNE,
         {EE},
         EE,
         SP_VERIFY_OK,
         -2,
         -1,
         false,
         "proceed dane authenticated warning",
         "fail tls 4.7.322 cert-expired",
         "proceed dane authenticated warning"},
	{"usage 3 matches, not yet valid (RFC 7672 3.1.1)",
         DNE,
         {EE},
         EE,
         SP_VERIFY_OK,
         1,
         2,
         false,
         "proceed dane authenticated warning",
         "fail tls 4.7.323 cert-not-yet-valid",
         "proceed dane authenticated warning"},
	{"usage 3 matches, other name (RFC 7672 3.1.1)",
         DNE,
         {EE},
         EE,
         SP_VERIFY_OK,
         0,
         0,
         true,
         "proceed dane authenticated warning",
         "fail tls 4.7.325 cert-name-mismatch",
         "proceed dane authenticated warning"},
	{"usage 3 matches, expired and other name",
         DNE,
         {EE},
         EE,
         SP_VERIFY_OK,
         -2,
         -1,
         true,
         "proceed dane authenticated warning",
         "fail tls 4.7.322 cert-expired",
         "proceed dane authenticated warning"},
	{"half-dane, usage 3 matches, expired",
         HLF,
         {EE},
         EE,
         SP_VERIFY_OK,
         -2,
         -1,
         false,
         "proceed half-dane warning",
         "fail tls 4.7.322 cert-expired",
         "proceed half-dane warning"},
	{"usage 2 matches, all good",
         DNE,
         {TA},
         TA,
         SP_VERIFY_OK,
         0,
         0,
         false,
         "proceed dane authenticated",
         "proceed dane authenticated",
         "proceed dane authenticated"},
	{"usage 2, expired (A27)",
         DNE,
         {TA},
         -1,
         SP_VERIFY_EXPIRED,
         -2,
         -1,
         false,
         "fail tls 4.7.322 cert-expired",
         "fail tls 4.7.322 cert-expired",
         "proceed tls waived 4.7.322 cert-expired"},
	{"usage 2, not yet valid",
         DNE,
         {TA},
         -1,
         SP_VERIFY_NOT_YET_VALID,
         1,
         2,
         false,
         "fail tls 4.7.323 cert-not-yet-valid",
         "fail tls 4.7.323 cert-not-yet-valid",
         "proceed tls waived 4.7.323 cert-not-yet-valid"},
	{"usage 2, no reference name (A28)",
         DNE,
         {TA},
         -1,
         SP_VERIFY_NAME,
         0,
         0,
         true,
         "fail tls 4.7.325 cert-name-mismatch",
         "fail tls 4.7.325 cert-name-mismatch",
         "proceed tls waived 4.7.325 cert-name-mismatch"},
	{"usage 2, anchor not in the chain (A29)",
         DNE,
         {TA},
         -1,
         SP_VERIFY_TA_NOT_IN_CHAIN,
         0,
         0,
         false,
         "fail tls 4.7.323 ta-not-in-chain",
         "fail tls 4.7.323 ta-not-in-chain",
         "proceed tls waived 4.7.323 ta-not-in-chain"},
	{"usage 2 only, called no match: ta-not-in-chain",
         DNE,
         {TA, TA},
         -1,
         SP_VERIFY_NO_MATCH,
         0,
         0,
         false,
         "fail tls 4.7.323 ta-not-in-chain",
         "fail tls 4.7.323 ta-not-in-chain",
         "proceed tls waived 4.7.323 ta-not-in-chain"},
	{"usage 2, other trouble in the chain",
         DNE,
         {TA},
         -1,
         SP_VERIFY_CHAIN,
         0,
         0,
         false,
         "fail tls 4.7.323 cert-chain-invalid",
         "fail tls 4.7.323 cert-chain-invalid",
         "proceed tls waived 4.7.323 cert-chain-invalid"},
	{"no record matches, usage 3 (A15)",
         DNE,
         {EE},
         -1,
         SP_VERIFY_NO_MATCH,
         0,
         0,
         false,
         "fail tls 4.7.323 tlsa-mismatch",
         "fail tls 4.7.323 tlsa-mismatch",
         "proceed tls waived 4.7.323 tlsa-mismatch"},
	{"no record matches, usages 2 and 3: tlsa-mismatch",
         DNE,
         {TA, EE},
         -1,
         SP_VERIFY_TA_NOT_IN_CHAIN,
         0,
         0,
         false,
         "fail tls 4.7.323 tlsa-mismatch",
         "fail tls 4.7.323 tlsa-mismatch",
         "proceed tls waived 4.7.323 tlsa-mismatch"},
	{"half-dane, no record matches",
         HLF,
         {EE},
         -1,
         SP_VERIFY_NO_MATCH,
         0,
         0,
         false,
         "fail tls 4.7.323 tlsa-mismatch",
         "fail tls 4.7.323 tlsa-mismatch",
         "proceed tls waived 4.7.323 tlsa-mismatch"},
};

static void check_tls_case(const struct tls_case *c, bool log_only,
                           enum sp_profile profile, const char *expected,
                           struct sp_arena *arena)
{
	struct sp_plan_host host = host_of(c->rule, c->usages[0], c->usages[1]);
	struct sp_judge_conf conf = {profile, {.log_only = log_only}, NOW};
	struct sp_tls_facts facts = matched(c->matched);
	struct sp_judge_result r;
	char text[128];

	facts.dane_matched = c->matched >= 0;
	facts.verify_error = c->error;
	facts.cert_name_matches = !c->other_name;
	if (c->before != 0) {
		facts.not_before_ms = NOW + c->before * DAY;
		facts.not_after_ms = NOW + c->after * DAY;
	}
	r = sp_judge(&conf, &host, SP_SESSION_HANDSHAKE_DONE, &facts, arena);
	describe(&r, text, sizeof(text));
	if (strcmp(text, expected) != 0) {
		fail_msg("%s: %s, not %s", c->name, text, expected);
	}
	if (r.judgement == SP_JUDGE_FAIL) {
		assert_true(r.verdict.evidence.len > 0);
		assert_true(sp_str_eq(r.verdict.host, host.name));
	}
}

/* The CN counts where there is no DNS-ID: then it is what has to be seen. */
static void test_evidence_names(void **state)
{
	struct sp_plan_host host = host_of(DNE, TA, 0);
	struct sp_judge_conf conf = {SP_PROFILE_RFC, {0}, NOW};
	struct sp_tls_facts facts = matched(TA);
	struct sp_judge_result r;
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	facts.dane_matched = false;
	facts.verify_error = SP_VERIFY_NAME;
	facts.cert_names = SP_STR("");
	facts.cert_subject = SP_STR("CN=old.d.test");
	r = sp_judge(&conf, &host, SP_SESSION_HANDSHAKE_DONE, &facts, &arena);
	assert_int_equal(r.verdict.cause, SP_CAUSE_CERT_NAME_MISMATCH);
	assert_non_null(memmem(r.verdict.evidence.ptr, r.verdict.evidence.len,
	                       "names CN=old.d.test", 19));
	sp_arena_fini(&arena);
}

static void test_tls(void **state)
{
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(tls_cases) / sizeof(*tls_cases); i++) {
		const struct tls_case *c = &tls_cases[i];

		check_tls_case(c, false, SP_PROFILE_RFC, c->rfc, &arena);
		check_tls_case(c, false, SP_PROFILE_EXCHANGE, c->exchange,
		               &arena);
		check_tls_case(c, true, SP_PROFILE_RFC, c->log_only, &arena);
	}
	sp_arena_fini(&arena);
}

static void test_all_unusable_warns(void **state)
{
	struct sp_plan_host host = host_of(ENC, 1, 0);
	struct sp_judge_conf conf = {SP_PROFILE_RFC, {0}, NOW};
	struct sp_tls_facts facts = matched(-1);
	struct sp_judge_result r;
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	host.why = SP_WHY_ALL_UNUSABLE;
	r = sp_judge(&conf, &host, SP_SESSION_HANDSHAKE_DONE, &facts, &arena);
	assert_int_equal(r.judgement, SP_JUDGE_PROCEED);
	assert_true(sp_str_starts_nocase(r.warning, SP_STR("tlsa-invalid")));
	sp_arena_fini(&arena);
}

/* Exchange rows under log-only are waived, but then not called DANE. */
static void test_exchange_log_only(void **state)
{
	struct sp_plan_host host = host_of(DNE, EE, 0);
	struct sp_judge_conf conf = {
		SP_PROFILE_EXCHANGE, {.log_only = true}, NOW};
	struct sp_tls_facts facts = matched(EE);
	struct sp_judge_result r;
	struct sp_arena arena;
	char text[128];

	(void)state;
	sp_arena_init(&arena);
	facts.not_after_ms = NOW - 1;
	r = sp_judge(&conf, &host, SP_SESSION_HANDSHAKE_DONE, &facts, &arena);
	describe(&r, text, sizeof(text));
	assert_string_equal(text, "proceed tls waived 4.7.322 cert-expired");
	sp_arena_fini(&arena);
}

/* A mandatory route binds in log-only mode too (A44). */
static void test_mandatory(void **state)
{
	struct sp_plan_host host = host_of(DNE, EE, 0);
	struct sp_judge_conf conf = {SP_PROFILE_RFC, {.log_only = true}, NOW};
	struct sp_tls_facts facts = matched(-1);
	struct sp_judge_result r;
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	host.mandatory = true;
	facts.dane_matched = false;
	facts.verify_error = SP_VERIFY_NO_MATCH;
	r = sp_judge(&conf, &host, SP_SESSION_HANDSHAKE_DONE, &facts, &arena);
	assert_int_equal(r.judgement, SP_JUDGE_FAIL);
	assert_false(r.waived);
	r = sp_judge(&conf, &host, SP_SESSION_NO_STARTTLS, NULL, &arena);
	assert_int_equal(r.judgement, SP_JUDGE_FAIL);
	assert_false(sp_filter_clear_allowed(&conf.filter, &host));
	sp_arena_fini(&arena);
}

/* RFC 8689 4.2.1: what a message with REQUIRETLS makes of a session. */
static void test_requiretls(void **state)
{
	static const struct {
		const char *name;
		enum sp_rule rule;
		enum sp_session_event event;
		bool handshake, matches;
		const char *expected, *evidence;
	} cases[] = {
		{"4.2.1 authenticated", DNE, SP_SESSION_HANDSHAKE_DONE, true,
	         true, "proceed dane authenticated", ""},
		{"4.2.1 no match", DNE, SP_SESSION_HANDSHAKE_DONE, true, false,
	         "fail tls 5.7.30 requiretls-unmet", "tlsa-mismatch: "},
		{"4.2.1 no handshake", DNE, SP_SESSION_HANDSHAKE_DONE, false,
	         false, "fail clear 5.7.30 requiretls-unmet",
	         "handshake-failed"},
		{"4.2.1 no STARTTLS", DNE, SP_SESSION_NO_STARTTLS, false, false,
	         "fail clear 5.7.30 requiretls-unmet", "starttls-not-offered"},
		{"4.2.1 no REQUIRETLS", DNE, SP_SESSION_NO_REQUIRETLS, true,
	         true, "fail tls 5.7.30 requiretls-unmet",
	         "REQUIRETLS is not offered"},
		{"4.2.1 half-dane matches", HLF, SP_SESSION_HANDSHAKE_DONE,
	         true, true, "fail half-dane 5.7.30 requiretls-unmet",
	         "not authenticated"},
		{"4.2.1 all unusable", ENC, SP_SESSION_HANDSHAKE_DONE, true,
	         false, "fail tls 5.7.30 requiretls-unmet",
	         "not authenticated"},
		{"4.2.1 opportunistic", OPP, SP_SESSION_HANDSHAKE_DONE, true,
	         false, "fail tls 5.7.30 requiretls-unmet",
	         "not authenticated"},
		{"4.2.1 opportunistic in clear", OPP, SP_SESSION_NO_STARTTLS,
	         false, false, "fail clear 5.7.30 requiretls-unmet",
	         "not authenticated"},
	};

	(void)state;
	/* Whatever else is set: REQUIRETLS wins. */
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases) * 8; i++) {
		size_t n = i / 8;
		struct sp_plan_host host = host_of(cases[n].rule, EE, 0);
		struct sp_judge_conf conf = {SP_PROFILE_RFC,
		                             {
						     .log_only = i & 1,
						     .exception = i & 2,
						     .tls_optional = i & 4,
						     .requiretls = true,
					     },
		                             NOW};
		struct sp_tls_facts facts = matched(cases[n].matches ? EE : -1);
		struct sp_judge_result r;
		struct sp_arena arena;
		char text[128];

		sp_arena_init(&arena);
		facts.handshake_ok = cases[n].handshake;
		facts.dane_matched = cases[n].matches;
		if (!cases[n].matches) {
			facts.verify_error = SP_VERIFY_NO_MATCH;
		}
		r = sp_judge(&conf, &host, cases[n].event, &facts, &arena);
		describe(&r, text, sizeof(text));
		if (strcmp(text, cases[n].expected) != 0 ||
		    !sp_str_starts_nocase(r.verdict.evidence,
		                          sp_str_from(cases[n].evidence))) {
			fail_msg("%s: %s " SP_STR_FMT, cases[n].name, text,
			         SP_STR_ARG(r.verdict.evidence));
		}
		assert_false(sp_filter_clear_allowed(&conf.filter, &host));
		sp_arena_fini(&arena);
	}
}

/* What waives, in the order in which it is named. */
static void test_waivers(void **state)
{
	static const struct {
		struct sp_filter filter;
		const char *word;
	} cases[] = {
		{{0}, NULL},
		{{.log_only = true}, "log-only"},
		{{.exception = true}, "exception"},
		{{.tls_optional = true}, "tls-required-no"},
		{{.log_only = true, .exception = true}, "log-only"},
		{{.exception = true, .tls_optional = true}, "exception"},
		{{.tls_optional = true, .requiretls = true}, NULL},
		{{.log_only = true, .requiretls = true}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_plan_host host = host_of(DNE, EE, 0);
		const struct sp_filter *f = &cases[i].filter;
		const char *word = sp_waiver_text(sp_filter_waiver(f));

		assert_true(word == cases[i].word ||
		            strcmp(word, cases[i].word) == 0);
		assert_int_equal(
			sp_filter_waives(f, &host, SP_CAUSE_TLSA_MISMATCH),
			word != NULL);
		assert_int_equal(sp_filter_clear_allowed(f, &host),
		                 word != NULL);
		/* not of TLS, and a route's demand */
		assert_false(sp_filter_waives(f, &host, SP_CAUSE_NULL_MX));
		host.mandatory = true;
		assert_false(
			sp_filter_waives(f, &host, SP_CAUSE_TLSA_MISMATCH));
		assert_false(sp_filter_clear_allowed(f, &host));
	}
}

static void test_tls_version(void **state)
{
	static const char *const old[] = {"SSLv3", "TLSv1", "TLSv1.1"};
	struct sp_judge_conf conf = {SP_PROFILE_RFC, {0}, NOW};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < 3; i++) {
		struct sp_plan_host host = host_of(DNE, EE, 0);
		struct sp_tls_facts facts = matched(EE);
		struct sp_judge_result r;

		facts.protocol = sp_str_from(old[i]);
		r = sp_judge(&conf, &host, SP_SESSION_HANDSHAKE_DONE, &facts,
		             &arena);
		assert_int_equal(r.verdict.cause, SP_CAUSE_HANDSHAKE_FAILED);
		host.rule = OPP;
		r = sp_judge(&conf, &host, SP_SESSION_HANDSHAKE_DONE, &facts,
		             &arena);
		assert_int_equal(r.judgement, SP_JUDGE_PROCEED);
	}
	for (int rule = SP_RULE_OPPORTUNISTIC; rule <= SP_RULE_DANE; rule++) {
		bool tls = rule != SP_RULE_OPPORTUNISTIC;

		assert_int_equal(sp_rule_requires_tls((enum sp_rule)rule), tls);
		assert_int_equal(sp_rule_tls_min((enum sp_rule)rule),
		                 tls ? 0x0303 : 0);
	}
	sp_arena_fini(&arena);
}

/* All facts, also contradicting ones, against what must never be. */
static void check_invariants(const struct sp_judge_conf *conf,
                             const struct sp_plan_host *host,
                             enum sp_session_event event,
                             const struct sp_tls_facts *facts,
                             struct sp_arena *arena)
{
	struct sp_judge_result r = sp_judge(conf, host, event, facts, arena);
	bool tls = event == SP_SESSION_NO_REQUIRETLS ||
	           (event == SP_SESSION_HANDSHAKE_DONE && facts->handshake_ok);
	bool clear = strcmp(r.security, "clear") == 0;
	bool proven = tls && facts->dane_active && facts->dane_matched &&
	              facts->verify_error == SP_VERIFY_OK;
	bool dane = host->rule == DNE || host->rule == HLF;
	bool binding = sp_filter_waiver(&conf->filter) == SP_WAIVER_NONE ||
	               host->mandatory;

	assert_false(r.authenticated && !(proven && host->rule == DNE));
	assert_int_equal(r.authenticated, strcmp(r.security, "dane") == 0);
	assert_false(strcmp(r.security, "half-dane") == 0 &&
	             !(proven && host->rule == HLF));
	assert_true(tls || clear);
	assert_false(r.waived && binding);
	if (conf->filter.requiretls) { /* RFC 8689 4.2.1 */
		assert_false(r.waived);
		assert_true(r.judgement != SP_JUDGE_PROCEED || r.authenticated);
		assert_true(r.judgement != SP_JUDGE_CLEAR_RETRY);
		assert_true(r.judgement != SP_JUDGE_FAIL ||
		            r.verdict.cause == SP_CAUSE_REQUIRETLS_UNMET ||
		            r.verdict.cause == SP_CAUSE_SESSION_FAILED);
	}
	if (r.judgement == SP_JUDGE_CLEAR_RETRY) {
		assert_false(tls);
		assert_true(host->rule == OPP || r.waived);
	}
	if (binding && r.judgement == SP_JUDGE_PROCEED) {
		assert_true(host->rule == OPP || tls);
		assert_true(!dane || proven);
		assert_true(!clear ||
		            sp_filter_clear_allowed(&conf->filter, host));
	}
	if (r.judgement == SP_JUDGE_OTHER_KEY) {
		assert_true(tls && dane && !proven && !facts->other_key_asked);
		assert_true(facts->key != SP_KEY_ANY && !r.waived);
	}
	assert_int_equal(r.verdict.class != SP_VERDICT_DELIVERED,
	                 r.judgement == SP_JUDGE_FAIL ||
	                         r.judgement == SP_JUDGE_OTHER_KEY || r.waived);
}

static void test_invariants(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 1u << 16; n++) {
		struct sp_plan_host host =
			host_of((enum sp_rule)(1 + (n & 3)), n & 4 ? EE : TA,
		                n & 8 ? EE : 0);
		struct sp_judge_conf conf = {(enum sp_profile)(n >> 4 & 1),
		                             {
						     .log_only = n & 0x20,
						     .exception = n % 7 == 0,
						     .tls_optional = n % 5 == 0,
						     .requiretls = n % 3 == 0,
					     },
		                             NOW};
		struct sp_tls_facts facts =
			matched((int)(n >> 6 & 3) == 0   ? -1
		                : (int)(n >> 6 & 3) == 1 ? TA
		                                         : EE);
		struct sp_arena arena;

		sp_arena_init(&arena);
		host.mandatory = host.rule == DNE && (n & 0x100) != 0;
		facts.handshake_ok = (n & 0x200) != 0;
		facts.dane_active = (n & 0x400) != 0;
		facts.dane_matched = (n & 0x800) != 0;
		facts.cert_name_matches = (n & 0x1000) != 0;
		facts.verify_error = (enum sp_verify_error)((n >> 13) % 7);
		facts.key = (enum sp_key_kind)(n % 3);
		facts.other_key_asked = n % 5 == 0;
		for (int e = 0; e <= SP_SESSION_STARTTLS_SILENT; e++) {
			check_invariants(&conf, &host, (enum sp_session_event)e,
			                 &facts, &arena);
		}
		sp_arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_tls),
		cmocka_unit_test(test_evidence_names),
		cmocka_unit_test(test_requiretls),
		cmocka_unit_test(test_waivers),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_all_unusable_warns),
		cmocka_unit_test(test_exchange_log_only),
		cmocka_unit_test(test_mandatory),
		cmocka_unit_test(test_tls_version),
		cmocka_unit_test(test_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
