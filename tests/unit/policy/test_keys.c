/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which key of a server to ask for: by its records, and what the judge makes
 * of a handshake in which nothing matched (RFC 7671 8.4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/judge.h"
#include "policy/keys.h"

/* The starts of two keys: their algorithms. */
#define RSA                                                                    \
	{                                                                      \
		"\x30\x0d\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01"     \
		"\x01",                                                        \
			15                                                     \
	}
#define EC                                                                     \
	{                                                                      \
		"\x30\x0b\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", 13     \
	}
#define DIGEST                                                                 \
	{                                                                      \
		"0123456789abcdef0123456789abcdef", 32                         \
	}

static const struct records_case {
	const char *name;
	struct sp_tlsa records[2]; /* usage 0: none */
	bool second_unusable;
	enum sp_key_kind first, after_rsa, after_ec;
} RECORDS[] = {
	{"a digest",
         {{3, 1, 1, DIGEST}},
         false,
         SP_KEY_ANY,
         SP_KEY_EC,
         SP_KEY_RSA},
	{"an authority",
         {{2, 0, 1, DIGEST}},
         false,
         SP_KEY_ANY,
         SP_KEY_EC,
         SP_KEY_RSA},
	{"an authority's whole key",
         {{2, 1, 0, RSA}},
         false,
         SP_KEY_ANY,
         SP_KEY_EC,
         SP_KEY_RSA},
	{"a whole RSA key",
         {{3, 1, 0, RSA}},
         false,
         SP_KEY_RSA,
         SP_KEY_ANY,
         SP_KEY_RSA},
	{"a whole ECDSA key",
         {{3, 1, 0, EC}},
         false,
         SP_KEY_EC,
         SP_KEY_EC,
         SP_KEY_ANY},
	{"whole keys of both",
         {{3, 1, 0, EC}, {3, 1, 0, RSA}},
         false,
         SP_KEY_ANY,
         SP_KEY_EC,
         SP_KEY_RSA},
	{"a whole key and a digest",
         {{3, 1, 0, EC}, {3, 1, 1, DIGEST}},
         false,
         SP_KEY_ANY,
         SP_KEY_EC,
         SP_KEY_RSA},
	{"a whole key and an unusable record",
         {{3, 1, 0, EC}, {3, 1, 1, DIGEST}},
         true,
         SP_KEY_EC,
         SP_KEY_EC,
         SP_KEY_ANY},
	{"a whole key that is none",
         {{3, 1, 0, DIGEST}},
         false,
         SP_KEY_ANY,
         SP_KEY_EC,
         SP_KEY_RSA},
	{"no record", {{0}}, false, SP_KEY_ANY, SP_KEY_ANY, SP_KEY_ANY},
};

static struct sp_plan_tlsa_record records[2];

static struct sp_plan_host host_of(const struct records_case *c)
{
	struct sp_plan_host host = {
		.name = SP_STR("mx.d.test"),
		.tlsa_owner = SP_STR("_25._tcp.mx.d.test"),
		.rule = SP_RULE_DANE,
		.tlsa = records,
	};

	for (size_t i = 0; i < 2 && c->records[i].usage; i++) {
		records[i] = (struct sp_plan_tlsa_record){
			.tlsa = c->records[i],
			.reason = i && c->second_unusable
		                          ? SP_TLSA_WEAKER_DIGEST
		                          : SP_TLSA_USABLE,
		};
		host.tlsa_count++;
	}
	return host;
}

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(RECORDS) / sizeof(*RECORDS); i++) {
		const struct records_case *c = &RECORDS[i];
		struct sp_plan_host host = host_of(c);

		print_message("  %s\n", c->name);
		assert_int_equal(sp_keys_first(&host), c->first);
		assert_int_equal(sp_keys_other(&host, SP_KEY_RSA),
		                 c->after_rsa);
		assert_int_equal(sp_keys_other(&host, SP_KEY_EC), c->after_ec);
		assert_int_equal(sp_keys_other(&host, SP_KEY_ANY), SP_KEY_ANY);
	}
}

static const struct judge_case {
	const char *name;
	struct sp_tls_facts facts; /* handshake_ok, dane_active are set */
	enum sp_judgement judgement;
} CASES[] = {
	{"nothing matched an RSA key",
         {.key = SP_KEY_RSA,
          .matched_usage = -1,
          .verify_error = SP_VERIFY_NO_MATCH},
         SP_JUDGE_OTHER_KEY},
	{"no anchor in the chain of an ECDSA key",
         {.key = SP_KEY_EC,
          .matched_usage = -1,
          .verify_error = SP_VERIFY_TA_NOT_IN_CHAIN},
         SP_JUDGE_OTHER_KEY},
	{"nothing matched a key of another kind",
         {.matched_usage = -1, .verify_error = SP_VERIFY_NO_MATCH},
         SP_JUDGE_FAIL},
	{"both were asked",
         {.key = SP_KEY_RSA,
          .matched_usage = -1,
          .other_key_asked = true,
          .verify_error = SP_VERIFY_NO_MATCH},
         SP_JUDGE_FAIL},
	{"a match",
         {.key = SP_KEY_RSA, .matched_usage = 3, .dane_matched = true},
         SP_JUDGE_PROCEED},
	{"the anchor was found, the name was not",
         {.key = SP_KEY_RSA,
          .matched_usage = 2,
          .verify_error = SP_VERIFY_NAME},
         SP_JUDGE_FAIL},
	{"the chain is broken otherwise",
         {.key = SP_KEY_RSA,
          .matched_usage = -1,
          .verify_error = SP_VERIFY_CHAIN},
         SP_JUDGE_FAIL},
};

static void test_judge(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES) * 4; i++) {
		const struct judge_case *c = &CASES[i / 4];
		struct sp_plan_host host = host_of(&RECORDS[0]);
		struct sp_judge_conf conf = {.filter.log_only = i % 2 != 0};
		struct sp_tls_facts facts = c->facts;
		enum sp_judgement expected = c->judgement;
		struct sp_judge_result r;
		struct sp_arena arena;

		print_message("  %s, log-only %d\n", c->name,
		              conf.filter.log_only);
		if (i / 2 % 2) {
			host.rule = SP_RULE_HALF_DANE;
		}
		facts.handshake_ok = true;
		facts.dane_active = true;
		facts.cert_name_matches = true;
		facts.not_after_ms = INT64_MAX / 2;
		sp_arena_init(&arena);
		r = sp_judge(&conf, &host, SP_SESSION_HANDSHAKE_DONE, &facts,
		             &arena);
		if (expected == SP_JUDGE_FAIL && conf.filter.log_only) {
			expected = SP_JUDGE_PROCEED; /* waived */
		}
		assert_int_equal(r.judgement, expected);
		assert_int_equal(r.other_key != SP_KEY_ANY,
		                 expected == SP_JUDGE_OTHER_KEY);
		assert_false(expected == SP_JUDGE_OTHER_KEY &&
		             (r.waived || r.other_key == facts.key ||
		              r.verdict.class != SP_VERDICT_TEMP));
		sp_arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
