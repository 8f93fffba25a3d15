/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MTA-STS in the judge: every finding under every rule that a policy can
 * stand beside (RFC 8461 4.2 and 5), and all facts at once against what must
 * never be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/judge.h"

#define NOW ((int64_t)1764000000000)
#define OPP SP_RULE_OPPORTUNISTIC
#define ENC SP_RULE_ENCRYPT
#define HLF SP_RULE_HALF_DANE
#define DNE SP_RULE_DANE

static struct sp_plan_tlsa_record record = {
	.tlsa = {.usage = SP_TLSA_DANE_EE,
                 .selector = 1,
                 .matching = 1,
                 .data = {"0123456789abcdef0123456789abcdef", 32}},
};

static struct sp_plan_host host_of(enum sp_rule rule, enum sp_sts_mode sts,
                                   bool watched)
{
	return (struct sp_plan_host){
		.name = SP_STR("mx1.d.test"),
		.tlsa_owner = SP_STR("_25._tcp.mx1.d.test"),
		.rule = rule,
		.why = rule == ENC ? SP_WHY_STS : SP_WHY_NONE,
		.sts = sts,
		.sts_watched = watched,
		.tlsa = &record,
		.tlsa_count = 1,
	};
}

static struct sp_tls_facts facts_of(bool dane, enum sp_pki_error pki)
{
	static const char *const texts[] = {
		[SP_PKI_OK] = "ok",
		[SP_PKI_UNTRUSTED] = "self-signed certificate",
		[SP_PKI_NOT_YET_VALID] = "certificate is not yet valid",
		[SP_PKI_EXPIRED] = "certificate has expired",
		[SP_PKI_NAME] = "no DNS-ID\nis the host's name",
	};

	return (struct sp_tls_facts){
		.handshake_ok = true,
		.protocol = SP_STR("TLSv1.3"),
		.dane_active = true,
		.dane_matched = dane,
		.matched_usage = dane ? SP_TLSA_DANE_EE : -1,
		.verify_error = dane ? SP_VERIFY_OK : SP_VERIFY_NO_MATCH,
		.not_before_ms = NOW - 1,
		.not_after_ms = NOW + 1,
		.cert_name_matches = true,
		.other_key_asked = true,
		.pki_checked = true,
		.pki_error = pki,
		.pki_text = sp_str_from(texts[pki]),
	};
}

static const char *name_of(enum sp_cause_id cause)
{
	return cause == SP_CAUSE_NONE ? "-" : sp_cause_get(cause)->name;
}

static void describe(const struct sp_judge_result *r, char *out, size_t cap)
{
	static const char *const words[] = {"proceed", "clear-retry", "fail"};
	char code[32] = "";

	if (r->judgement == SP_JUDGE_FAIL || r->waived) {
		sp_verdict_code(&r->verdict, code, sizeof(code));
	}
	(void)snprintf(out, cap, "%s %s%s%s%s%s; %s", words[r->judgement],
	               r->security, r->authenticated ? " authenticated" : "",
	               r->waived ? " waived" : "", code[0] ? " " : "", code,
	               name_of(r->sts.cause));
}

enum session {
	GOOD,
	BAD_DANE,
	UNTRUSTED,
	EXPIRED,
	EARLY,
	OTHER_NAME,
	UNCHECKED,
	NO_HANDSHAKE,
	NO_STARTTLS,
};

static const struct sts_case {
	const char *name;
	enum sp_rule rule;
	enum sp_sts_mode sts;
	enum session session;
	const char *expected; /* judgement; opinion of MTA-STS */
	const char *waived;   /* the same with TLS-Required: No; null: so */
} cases[] = {
	{"RFC 8461 4.2 all good", ENC, SP_STS_ENFORCE, GOOD,
         "proceed sts authenticated; -", NULL},
	{"RFC 8461 4.2 not trusted", ENC, SP_STS_ENFORCE, UNTRUSTED,
         "fail tls 4.7.5; sts-cert-untrusted",
         "proceed tls waived 4.7.5; sts-cert-untrusted"},
	{"RFC 8461 4.2 expired", ENC, SP_STS_ENFORCE, EXPIRED,
         "fail tls 4.7.5; sts-cert-expired",
         "proceed tls waived 4.7.5; sts-cert-expired"},
	{"RFC 8461 4.2 not yet valid", ENC, SP_STS_ENFORCE, EARLY,
         "fail tls 4.7.5; sts-cert-expired",
         "proceed tls waived 4.7.5; sts-cert-expired"},
	{"RFC 8461 4.2 other name", ENC, SP_STS_ENFORCE, OTHER_NAME,
         "fail tls 4.7.5; sts-cert-name-mismatch",
         "proceed tls waived 4.7.5; sts-cert-name-mismatch"},
	{"not looked at is not good", ENC, SP_STS_ENFORCE, UNCHECKED,
         "fail tls 4.7.5; sts-cert-untrusted",
         "proceed tls waived 4.7.5; sts-cert-untrusted"},
	{"RFC 8461 5 handshake failed: never clear text", ENC, SP_STS_ENFORCE,
         NO_HANDSHAKE, "fail clear 4.7.321; handshake-failed",
         "clear-retry clear waived 4.7.321; handshake-failed"},
	{"RFC 8461 5 no STARTTLS: never clear text", ENC, SP_STS_ENFORCE,
         NO_STARTTLS, "fail clear 4.7.321; starttls-not-offered",
         "proceed clear waived 4.7.321; starttls-not-offered"},
	{"encrypt without a policy that binds", ENC, SP_STS_TESTING, UNTRUSTED,
         "proceed tls; sts-cert-untrusted", NULL},
	{"RFC 8461 5 testing, all good", OPP, SP_STS_TESTING, GOOD,
         "proceed tls; -", NULL},
	{"RFC 8461 5 testing, not trusted", OPP, SP_STS_TESTING, UNTRUSTED,
         "proceed tls; sts-cert-untrusted", NULL},
	{"RFC 8461 5 testing, no STARTTLS", OPP, SP_STS_TESTING, NO_STARTTLS,
         "proceed clear; starttls-not-offered", NULL},
	{"RFC 8461 5 testing, handshake failed", OPP, SP_STS_TESTING,
         NO_HANDSHAKE, "clear-retry clear; handshake-failed", NULL},
	{"A40 half-dane: both pass", HLF, SP_STS_ENFORCE, GOOD,
         "proceed half-dane authenticated; -", NULL},
	{"A40 half-dane: MTA-STS fails", HLF, SP_STS_ENFORCE, UNTRUSTED,
         "fail tls 4.7.5; sts-cert-untrusted",
         "proceed tls waived 4.7.5; sts-cert-untrusted"},
	{"A40 half-dane: DANE fails", HLF, SP_STS_ENFORCE, BAD_DANE,
         "fail tls 4.7.323; -", "proceed tls waived 4.7.323; -"},
	{"half-dane, testing fails", HLF, SP_STS_TESTING, UNTRUSTED,
         "proceed half-dane; sts-cert-untrusted", NULL},
	{"A45 DANE fails though MTA-STS passes (RFC 8461 2)", DNE, SP_STS_NONE,
         BAD_DANE, "fail tls 4.7.323; -", "proceed tls waived 4.7.323; -"},
	{"RFC 8461 2 DANE in its place", DNE, SP_STS_NONE, UNTRUSTED,
         "proceed dane authenticated; sts-cert-untrusted", NULL},
};

static void set_session(enum session session, struct sp_tls_facts *facts,
                        enum sp_session_event *event)
{
	static const enum sp_pki_error errors[] = {
		[UNTRUSTED] = SP_PKI_UNTRUSTED, [EXPIRED] = SP_PKI_EXPIRED,
		[EARLY] = SP_PKI_NOT_YET_VALID, [OTHER_NAME] = SP_PKI_NAME,
		[NO_STARTTLS] = SP_PKI_OK,
	};

	*facts = facts_of(session != BAD_DANE, errors[session]);
	*event = session == NO_STARTTLS ? SP_SESSION_NO_STARTTLS
	                                : SP_SESSION_HANDSHAKE_DONE;
	facts->handshake_ok = session != NO_HANDSHAKE;
	facts->pki_checked = session != UNCHECKED;
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		const struct sts_case *c = &cases[i / 2];
		struct sp_judge_conf conf = {
			.filter.tls_optional = i % 2 != 0,
			.now_ms = NOW,
		};
		struct sp_plan_host host = host_of(c->rule, c->sts, true);
		enum sp_session_event event;
		struct sp_tls_facts facts;
		struct sp_judge_result r;
		struct sp_arena arena;
		char text[128];

		sp_arena_init(&arena);
		set_session(c->session, &facts, &event);
		r = sp_judge(&conf, &host, event, &facts, &arena);
		describe(&r, text, sizeof(text));
		print_message("  %s\n", c->name);
		assert_string_equal(text, i % 2 != 0 && c->waived
		                                  ? c->waived
		                                  : c->expected);
		sp_arena_fini(&arena);
	}
}

static void test_text(void **state)
{
	struct sp_judge_conf conf = {.now_ms = NOW};
	struct sp_plan_host host = host_of(ENC, SP_STS_ENFORCE, true);
	struct sp_tls_facts facts = facts_of(false, SP_PKI_NAME);
	struct sp_judge_result r;
	struct sp_arena arena;
	char line[256];

	(void)state;
	sp_arena_init(&arena);
	r = sp_judge(&conf, &host, SP_SESSION_HANDSHAKE_DONE, &facts, &arena);
	sp_verdict_line(&r.verdict, line, sizeof(line));
	assert_string_equal(line,
	                    "450 4.7.5 Remote certificate failed MTA-STS "
	                    "validation. Reason: no DNS-ID?is the host's name");
	assert_true(sp_str_starts_nocase(
		r.verdict.evidence,
		SP_STR("no DNS-ID?is the host's name at mx1.d.test; "
	               "certificate sha256 , names none, issuer ")));
	sp_arena_fini(&arena);
}

/* --- All facts at once ------------------------------------------------------
 */

static void check_invariants(const struct sp_judge_conf *conf,
                             const struct sp_plan_host *host,
                             enum sp_session_event event,
                             const struct sp_tls_facts *facts,
                             struct sp_arena *arena)
{
	struct sp_judge_result r = sp_judge(conf, host, event, facts, arena);
	struct sp_plan_host without = *host;
	bool tls = event == SP_SESSION_HANDSHAKE_DONE && facts->handshake_ok;
	bool proven =
		tls && facts->pki_checked && facts->pki_error == SP_PKI_OK;
	bool found = r.sts.class != SP_VERDICT_DELIVERED;
	struct sp_judge_result bare;

	without.sts = SP_STS_NONE;
	without.sts_watched = false;
	bare = sp_judge(conf, &without, event, facts, arena);
	assert_false(bare.sts.class != SP_VERDICT_DELIVERED);
	assert_true(!found || host->sts_watched);
	assert_true(event == SP_SESSION_NO_REQUIRETLS || !host->sts_watched ||
	            found == !proven);
	if (host->sts != SP_STS_ENFORCE) { /* testing: as if none */
		assert_int_equal(r.judgement, bare.judgement);
		assert_int_equal(r.verdict.cause, bare.verdict.cause);
		assert_string_equal(r.security, bare.security);
		assert_int_equal(r.authenticated, bare.authenticated);
		return;
	}
	/* It can make a failure of a success, never the other way. */
	assert_true(r.judgement != SP_JUDGE_PROCEED ||
	            bare.judgement == SP_JUDGE_PROCEED ||
	            conf->filter.requiretls);
	if (sp_filter_waiver(&conf->filter) == SP_WAIVER_NONE) {
		assert_true(r.judgement != SP_JUDGE_PROCEED || proven);
		assert_true(r.judgement != SP_JUDGE_CLEAR_RETRY);
	}
	assert_true(!r.authenticated || proven);
	assert_true(strcmp(r.security, "sts") != 0 || r.authenticated);
	assert_true(!conf->filter.requiretls ||
	            r.judgement != SP_JUDGE_PROCEED || r.authenticated);
}

static void test_invariants(void **state)
{
	static const struct {
		enum sp_rule rule;
		enum sp_sts_mode sts;
	} hosts[] = {
		{OPP, SP_STS_TESTING}, {ENC, SP_STS_TESTING},
		{ENC, SP_STS_ENFORCE}, {HLF, SP_STS_TESTING},
		{HLF, SP_STS_ENFORCE}, {DNE, SP_STS_NONE},
	};

	(void)state;
	for (unsigned n = 0; n < 1u << 15; n++) {
		struct sp_plan_host host =
			host_of(hosts[n % 6].rule, hosts[n % 6].sts, true);
		struct sp_tls_facts facts =
			facts_of(n & 1, (enum sp_pki_error)(n / 6 % 5));
		struct sp_judge_conf conf = {
			.filter = {.log_only = n & 0x40,
		                   .tls_optional = n & 0x80,
		                   .requiretls = n & 0x100},
			.profile = (enum sp_profile)(n >> 9 & 1),
			.now_ms = NOW,
		};
		struct sp_arena arena;

		sp_arena_init(&arena);
		facts.handshake_ok = n & 0x400;
		facts.pki_checked = n & 0x800;
		facts.cert_name_matches = n & 0x1000;
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
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
