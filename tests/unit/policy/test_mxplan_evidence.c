/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plan says about why a domain or host is not used: which question,
 * what came of it, and what the route lacks. Never empty.
 */
#include "unit/policy/plan_text.h"

struct evidence_case {
	struct plan_case plan;
	const char *evidence; /* the whole of it */
};

static const struct evidence_case cases[] = {
	{{"row 12 bogus MX", "MX d.test b scenario=rrsig-expired\n", NULL},
         "MX d.test: bogus"},
	{{"row 13 failed MX", "MX d.test f rcode=5\n", NULL},
         "MX d.test: failed, rcode 5"},
	{{"row 14 no such domain", "MX d.test s nxdomain\n", NULL},
         "MX d.test: no such name, secure"},
	{{"row 14 the end of an alias",
          "MX d.test i alias=gone.test/i nxdomain\n", NULL},
         "MX d.test, alias of gone.test: no such name, insecure"},
	{{"row 17 null MX", "MX d.test i 0:.\n", NULL},
         "MX d.test: null MX, insecure"},
	{{"RFC 5321 5.1 we are the best MX", "MX d.test s 5:self.test\n", NULL},
         "MX d.test: self.test is this server"},
	{{"RFC 5321 5.1 one of our addresses",
          MX1 "A mx1.d.test s 198.51.100.1\n", NULL},
         "MX d.test: mx1.d.test has an address of this server"},
	{{"RFC 5321 5.1 implicit MX", "", NULL, .domain = "self.test"},
         "MX self.test: self.test is this server"},
	{{"row 9 both families", MX1 "A mx1.d.test b\n", NULL},
         "A mx1.d.test: bogus; AAAA mx1.d.test: no data, secure"},
	{{"row 10 both families", MX1 "AAAA mx1.d.test f rcode=2\n", NULL},
         "AAAA mx1.d.test: failed, rcode 2; A mx1.d.test: no data, secure"},
	{{"row 11 both families",
          MX1 "A mx1.d.test s nxdomain\nAAAA mx1.d.test s nxdomain\n", NULL},
         "A mx1.d.test: no such name, secure; "
         "AAAA mx1.d.test: no such name, secure"},
	{{"row 11 addresses that are nobody's", MX1 "A mx1.d.test s 0.0.0.0\n",
          NULL},
         "A mx1.d.test: no usable address, secure; "
         "AAAA mx1.d.test: no data, secure"},
	{{"row 5", MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=4\n", NULL},
         "TLSA _25._tcp.mx1.d.test: failed, rcode 4"},
	{{"RFC 7672 6 mandatory, no TLSA", MX1 A1, NULL, MANDAT},
         "TLSA _25._tcp.mx1.d.test: no data, secure"},
	{{"RFC 7672 6 mandatory, insecure TLSA",
          MX1 A1 "TLSA _25._tcp.mx1.d.test i 3.1.1\n", NULL, MANDAT},
         "TLSA _25._tcp.mx1.d.test: records, insecure"},
	{{"RFC 7672 6 mandatory, none usable",
          MX1 A1 "TLSA _25._tcp.mx1.d.test s 1.1.1\n", NULL, MANDAT},
         "TLSA _25._tcp.mx1.d.test: records, secure, none of them usable"},
	{{"RFC 7672 6 mandatory, insecure MX", MX1_I A1 T1, NULL, MANDAT},
         "MX d.test: records, insecure"},
	{{"RFC 7672 6 mandatory, insecure addresses", MX1 A1_I, NULL, MANDAT},
         "A mx1.d.test: records, insecure"},
	{{"RFC 7672 6 mandatory, insecure alias",
          MX1 ALIAS_I "CNAME mx1.d.test i real.u.test\n", NULL, MANDAT},
         "CNAME mx1.d.test: records, insecure"},
	{{"RFC 7672 6 mandatory, literal", "", NULL, MANDAT,
          .fixed = "[192.0.2.5]"},
         "[192.0.2.5] is an address literal"},
	{{"RFC 7672 6 mandatory, unsigned null MX", "MX d.test i 0:.\n", NULL,
          MANDAT},
         "MX d.test: null MX, insecure"},
};

static void test_evidence(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_plan_conf conf = conf_of(&cases[i].plan);
		struct sp_plan *plan = run(&cases[i].plan, &conf);

		if (!sp_str_eq(plan->verdict.evidence,
		               sp_str_from(cases[i].evidence))) {
			fail_msg("%s: " SP_STR_FMT, cases[i].plan.name,
			         SP_STR_ARG(plan->verdict.evidence));
		}
		sp_plan_free(&plan);
	}
}

/* What was decided for a mandatory route binds in log-only mode as well, so
 * a connection that log-only let through must not be found for it. */
static void test_mandatory_is_another_policy(void **state)
{
	struct plan_case c = {.world = MX1 A1 T1};
	struct sp_plan_conf conf = conf_of(&c);
	struct sp_plan *may = run(&c, &conf), *must;

	(void)state;
	conf.dane = SP_DANE_MANDATORY;
	must = run(&c, &conf);
	assert_int_equal(must->hosts[0].rule, SP_RULE_DANE);
	assert_false(sp_str_eq(may->hosts[0].digest, must->hosts[0].digest));
	sp_plan_free(&may);
	sp_plan_free(&must);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_mandatory_is_another_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
