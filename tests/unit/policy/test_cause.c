/* SPDX-License-Identifier: Apache-2.0 */
/* The table of causes against mail-flow, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/cause.h"
#include "policy/verdict.h"
#include "wire/tlsrpt.h"

static void test_table(void **state)
{
	(void)state;
	for (int id = SP_CAUSE_NONE + 1; id < SP_CAUSE_COUNT; id++) {
		const struct sp_cause *c = sp_cause_get((enum sp_cause_id)id);

		assert_int_equal(c->id, id);
		assert_int_equal(sp_cause_find(sp_str_from(c->name)), id);
		assert_true(strspn(c->name, "abcdefghijklmnopqrstuvwxyz"
		                            "0123456789-") == strlen(c->name));
		assert_in_range(c->temp_code, 450, 451);
		assert_in_range(c->perm_code, 550, 556);
		assert_true(strlen(c->meaning) > 20);
		assert_true(strlen(c->action) > 20);
		assert_true(c->action[strlen(c->action) - 1] == '.');
		assert_null(strstr(c->action, ".."));
		assert_true(c->rank > 0);
		assert_true(c->culprit != SP_CULPRIT_NONE);
		assert_true(!c->tlsrpt || /* RFC 8460 4.3 */
		            sp_tlsrpt_is_result(sp_str_from(c->tlsrpt)));
	}
}

static void test_unknown(void **state)
{
	(void)state;
	assert_int_equal(sp_cause_get(SP_CAUSE_NONE)->id, SP_CAUSE_NONE);
	assert_int_equal(sp_cause_get((enum sp_cause_id)9999)->id,
	                 SP_CAUSE_NONE);
	assert_int_equal(sp_cause_get((enum sp_cause_id) - 1)->id,
	                 SP_CAUSE_NONE);
	assert_int_equal(sp_cause_find(SP_STR("")), SP_CAUSE_NONE);
	assert_int_equal(sp_cause_find(SP_STR("TLSA-MISMATCH")), SP_CAUSE_NONE);
}

/* The lines people see while queued and at expiry (mail-flow section 5). */
static void test_lines(void **state)
{
#define T321                                                                   \
	"starttls-not-supported: Destination mail server must support TLS to " \
	"receive mail."
#define T323 "tlsa-invalid: The domain failed DANE validation."
#define T324                                                                   \
	"dnssec-invalid: Destination domain returned invalid DNSSEC records."
	static const struct {
		const char *scenario;
		const char *queued; /* null: permanent at once */
		const char *expired;
		const char *tlsrpt;
	} cases[] = {
		{"starttls-not-offered", "450 4.7.321 " T321,
	         "550 5.7.321 " T321, "starttls-not-supported"},
		{"starttls-refused", "450 4.7.321 " T321, "550 5.7.321 " T321,
	         "starttls-not-supported"},
		{"handshake-failed", "450 4.7.321 " T321, "550 5.7.321 " T321,
	         "validation-failure"},
		{"cert-expired",
	         "450 4.7.322 certificate-expired: Destination mail server's "
	         "certificate is expired.",
	         "550 5.7.322 certificate-expired: Destination mail server's "
	         "certificate is expired.",
	         "certificate-expired"},
		{"tlsa-mismatch", "450 4.7.323 " T323, "550 5.7.323 " T323,
	         "validation-failure"},
		{"ta-not-in-chain", "450 4.7.323 " T323, "550 5.7.323 " T323,
	         "certificate-not-trusted"},
		{"cert-not-yet-valid", "450 4.7.323 " T323, "550 5.7.323 " T323,
	         "validation-failure"},
		{"rrsig-expired", "450 4.7.324 " T324, "550 5.7.324 " T324,
	         "dnssec-invalid"},
		{"rrsig-not-yet-valid", "450 4.7.324 " T324,
	         "550 5.7.324 " T324, "dnssec-invalid"},
		{"ds-without-dnskey", "450 4.7.324 " T324, "550 5.7.324 " T324,
	         "dnssec-invalid"},
		{"denial-unproven", "450 4.7.324 " T324, "550 5.7.324 " T324,
	         "dnssec-invalid"},
		{"tlsa-servfail", "450 4.7.324 " T324, "550 5.7.324 " T324,
	         "dnssec-invalid"},
		{"tlsa-timeout", "450 4.7.324 " T324, "550 5.7.324 " T324,
	         "dnssec-invalid"},
		{"cert-name-mismatch",
	         "450 4.7.325 certificate-host-mismatch: Remote certificate "
	         "MUST have a common name or subject alternative name matching "
	         "the hostname (DANE)",
	         "550 5.7.325 certificate-host-mismatch: Remote certificate "
	         "MUST have a common name or subject alternative name matching "
	         "the hostname (DANE)",
	         "certificate-host-mismatch"},
		{"mx-lookup-failed", "450 4.4.312 DNS query failed",
	         "550 5.4.312 DNS query failed", NULL},
		{"no-such-domain", NULL,
	         "550 5.4.310 DNS domain d.test does not exist", NULL},
		{"sts-mx-not-listed",
	         "450 4.4.8 MX hosts of d.test failed MTA-STS validation",
	         "550 5.4.8 MX hosts of d.test failed MTA-STS validation",
	         "validation-failure"},
		{"sts-cert-untrusted",
	         "450 4.7.5 Remote certificate failed MTA-STS validation. "
	         "Reason: why",
	         "550 5.7.5 Remote certificate failed MTA-STS validation. "
	         "Reason: why",
	         "certificate-not-trusted"},
		{"connection-timeout", "450 4.4.315 Connection timed out",
	         "550 5.4.315 Connection timed out", NULL},
		{"connection-refused", "450 4.4.316 Connection refused",
	         "550 5.4.316 Connection refused", NULL},
		{"connection-failed",
	         "450 4.4.317 Cannot establish session with remote server",
	         "550 5.4.317 Cannot establish session with remote server",
	         NULL},
		{"connection-closed",
	         "450 4.4.318 Connection was closed abruptly",
	         "550 5.4.318 Connection was closed abruptly", NULL},
		{"message-expired", NULL, "550 5.4.300 Message expired", NULL},
		{"null-mx", NULL, "556 5.1.10 Recipient address has null MX",
	         NULL},
		{"no-addresses", NULL,
	         "550 5.4.4 No mail server of d.test has an address", NULL},
		{"no-mail-server", NULL,
	         "550 5.4.4 d.test has neither mail servers nor an address",
	         NULL},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum sp_cause_id id =
			sp_cause_find(sp_str_from(cases[i].scenario));
		struct sp_verdict v = sp_verdict_from_cause(
			id, SP_STR("d.test"), SP_STR("why"), &arena);
		struct sp_verdict end = sp_verdict_expire(&v);
		const char *rpt = sp_cause_get(id)->tlsrpt;
		char line[256];

		assert_int_equal(v.class, cases[i].queued == NULL
		                                  ? SP_VERDICT_PERM
		                                  : SP_VERDICT_TEMP);
		sp_verdict_line(&v, line, sizeof(line));
		assert_string_equal(line, cases[i].queued != NULL
		                                  ? cases[i].queued
		                                  : cases[i].expired);
		sp_verdict_line(&end, line, sizeof(line));
		assert_string_equal(line, cases[i].expired);
		assert_int_equal(end.class, SP_VERDICT_PERM);
		assert_string_equal(rpt != NULL ? rpt : "",
		                    cases[i].tlsrpt != NULL ? cases[i].tlsrpt
		                                            : "");
	}
	sp_arena_fini(&arena);
}

static void test_text_is_safe(void **state)
{
	const struct sp_cause *c = sp_cause_get(SP_CAUSE_NO_SUCH_DOMAIN);
	char small[12];

	(void)state;
	sp_cause_text(c, SP_STR("a\r\nb"), SP_STR(""), small, sizeof(small));
	assert_string_equal(small, "DNS domain ");
	sp_cause_text(c, SP_STR("x"), SP_STR(""), small, 1);
	assert_string_equal(small, "");
	{
		char text[64];

		sp_cause_text(c, SP_STR("a\r\nb"), SP_STR(""), text,
		              sizeof(text));
		assert_string_equal(text, "DNS domain a??b does not exist");
	}
}

/* 323 > 322 > 325 > 321 > 324 > STS > 4.4.312 > connection. */
static void test_ranks(void **state)
{
	static const char *const order[] = {
		"tlsa-mismatch",    "cert-expired",       "cert-name-mismatch",
		"handshake-failed", "tlsa-servfail",      "sts-mx-not-listed",
		"mx-lookup-failed", "connection-refused",
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i + 1 < sizeof(order) / sizeof(*order); i++) {
		struct sp_verdict a = sp_verdict_from_cause(
			sp_cause_find(sp_str_from(order[i])), SP_STR(""),
			SP_STR(""), &arena);
		struct sp_verdict b = sp_verdict_from_cause(
			sp_cause_find(sp_str_from(order[i + 1])), SP_STR(""),
			SP_STR(""), &arena);

		assert_ptr_equal(sp_verdict_worse(&a, &b), &a);
		assert_ptr_equal(sp_verdict_worse(&b, &a), &a);
		assert_ptr_equal(sp_verdict_worse(&a, NULL), &a);
		assert_ptr_equal(sp_verdict_worse(NULL, &b), &b);
	}
	sp_arena_fini(&arena);
}

static struct sp_reply reply(unsigned code, struct sp_enhanced e,
                             const char *text)
{
	return (struct sp_reply){.code = code,
	                         .enhanced = e,
	                         .text = sp_str_from(text),
	                         .line_count = 1};
}

static void test_reply(void **state)
{
	static const struct {
		const char *name;
		struct sp_reply reply;
		bool at_envelope;
		enum sp_verdict_class class;
		const char *line, *code, *expired;
	} cases[] = {
		{"5xx to RCPT ends it",
	         {550, {5, 1, 1}, {"5.1.1 No such user", 18}, 1},
	         true,
	         SP_VERDICT_PERM,
	         "550 5.1.1 No such user",
	         "5.1.1",
	         "5.1.1"},
		{"5xx to the greeting ends the host's turn only",
	         {554, {0, 0, 0}, {"Go away", 7}, 1},
	         false,
	         SP_VERDICT_TEMP,
	         "554 5.0.0 Go away",
	         "4.0.0",
	         "5.0.0"},
		{"4xx to DATA",
	         {451,
	          {4, 7, 1},
	          {"4.7.1 Greylisted,\n4.7.1 come back", 33},
	          2},
	         true,
	         SP_VERDICT_TEMP,
	         "451 4.7.1 Greylisted, come back",
	         "4.7.1",
	         "5.7.1"},
		{"2xx is delivered",
	         {250, {2, 0, 0}, {"2.0.0 Queued", 12}, 1},
	         true,
	         SP_VERDICT_DELIVERED,
	         "250 2.0.0 Queued",
	         "2.0.0",
	         "2.0.0"},
		{"enhanced code of another class is not believed",
	         {550, {4, 7, 1}, {"text", 4}, 1},
	         true,
	         SP_VERDICT_PERM,
	         "550 5.0.0 text",
	         "5.0.0",
	         "5.0.0"},
		{"controls do not reach the log",
	         {550, {0, 0, 0}, {"a\033[2Jb", 6}, 1},
	         true,
	         SP_VERDICT_PERM,
	         "550 5.0.0 a?[2Jb",
	         "5.0.0",
	         "5.0.0"},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_verdict v = sp_verdict_from_reply(
			&cases[i].reply, cases[i].at_envelope, &arena);
		struct sp_verdict end = sp_verdict_expire(&v);
		char line[128], code[32], expired[32];

		sp_verdict_line(&v, line, sizeof(line));
		sp_verdict_code(&v, code, sizeof(code));
		sp_verdict_code(&end, expired, sizeof(expired));
		if (v.class != cases[i].class ||
		    strcmp(line, cases[i].line) != 0 ||
		    strcmp(code, cases[i].code) != 0 ||
		    strcmp(expired, cases[i].expired) != 0) {
			fail_msg("%s: %d %s (%s, then %s)", cases[i].name,
			         (int)v.class, line, code, expired);
		}
	}
	sp_arena_fini(&arena);
}

/* Permanent, then temporary, then what it shows at expiry. */
static void test_defer(void **state)
{
	static const struct {
		const char *scenario;
		const char *queued;
		const char *expired;
	} cases[] = {
		{"too-large-for-peer",
	         "450 4.3.4 Message too big for the remote server",
	         "552 5.3.4 Message too big for the remote server"},
		{"smtputf8-not-supported",
	         "450 4.6.7 Remote server does not support SMTPUTF8",
	         "553 5.6.7 Remote server does not support SMTPUTF8"},
	};
	struct sp_reply refused =
		reply(550, (struct sp_enhanced){5, 1, 1}, "no");
	struct sp_verdict v, deferred;
	struct sp_arena arena;
	char line[128];

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		v = sp_verdict_from_cause(
			sp_cause_find(sp_str_from(cases[i].scenario)),
			SP_STR("d.test"), SP_STR(""), &arena);
		assert_int_equal(v.class, SP_VERDICT_PERM);
		deferred = sp_verdict_defer(&v);
		assert_int_equal(deferred.class, SP_VERDICT_TEMP);
		sp_verdict_line(&deferred, line, sizeof(line));
		assert_string_equal(line, cases[i].queued);
		v = sp_verdict_expire(&deferred);
		sp_verdict_line(&v, line, sizeof(line));
		assert_string_equal(line, cases[i].expired);
	}
	v = sp_verdict_from_reply(&refused, true, &arena);
	assert_int_equal(sp_verdict_defer(&v).class, SP_VERDICT_PERM);
	sp_arena_fini(&arena);
}

static void test_reply_speaks_first(void **state)
{
	struct sp_arena arena;
	struct sp_reply r4 = reply(451, (struct sp_enhanced){4, 2, 0}, "later");
	struct sp_reply r5 = reply(554, (struct sp_enhanced){0, 0, 0}, "no");
	struct sp_verdict ours, envelope, greeting, done;

	(void)state;
	sp_arena_init(&arena);
	ours = sp_verdict_from_cause(SP_CAUSE_TLSA_MISMATCH, SP_STR(""),
	                             SP_STR(""), &arena);
	envelope = sp_verdict_from_reply(&r4, true, &arena);
	greeting = sp_verdict_from_reply(&r5, false, &arena);
	done = sp_verdict_from_cause(SP_CAUSE_NONE, SP_STR(""), SP_STR(""),
	                             &arena);
	assert_int_equal(done.class, SP_VERDICT_DELIVERED);
	assert_ptr_equal(sp_verdict_worse(&ours, &envelope), &envelope);
	assert_ptr_equal(sp_verdict_worse(&envelope, &ours), &envelope);
	assert_ptr_equal(sp_verdict_worse(&greeting, &ours), &ours);
	assert_ptr_equal(sp_verdict_worse(&done, &greeting), &greeting);
	sp_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_text_is_safe),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_defer),
		cmocka_unit_test(test_reply_speaks_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
