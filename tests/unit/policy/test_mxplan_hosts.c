/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host of the plan carries into its session (records, names, digest),
 * order and limits, how questions and answers meet, and log-only.
 */
#include "unit/policy/plan_text.h"

/* --- Digest agility, reference names, digest
 * ---------------------------------------------- */

static void test_agility(void **state)
{
	static const struct {
		const char *name;
		const char *records;
		const char *expected; /* usage.selector.matching:reason */
	} cases[] = {
		{"A33a 3 1 1 beside a well-formed 3 1 2 (RFC 7671 9)",
	         "3.1.1 3.1.2", "3.1.2:0 3.1.1:weaker "},
		{"A33b 3 1 1 beside a malformed 3 1 2 (RFC 7671 9)",
	         "3.1.1 3.1.2!a", "3.1.1:0 3.1.2:unusable "},
		{"Full stays beside digests", "3.1.0 3.1.1 3.1.2",
	         "3.1.0:0 3.1.2:0 3.1.1:weaker "},
		{"per usage and selector", "3.0.2 3.1.1 2.1.1 2.0.1",
	         "2.0.1:0 2.1.1:0 3.0.2:0 3.1.1:0 "},
		{"an unusable usage weakens nothing", "1.1.2 3.1.1",
	         "3.1.1:0 1.1.2:unusable "},
		{"several of one kind all count", "3.1.1:b 3.1.1:a",
	         "3.1.1:0 3.1.1:0 "},
		{"the same record twice counts once", "3.1.1 3.1.1",
	         "3.1.1:0 "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char world[256], text[256] = "";
		struct plan_case c = {.world = world};
		struct sp_plan_conf conf = conf_of(&c);
		struct sp_plan *plan;

		(void)snprintf(world, sizeof(world),
		               MX1 A1 "TLSA _25._tcp.mx1.d.test s %s\n",
		               cases[i].records);
		plan = run(&c, &conf);
		for (size_t k = 0; k < plan->hosts[0].tlsa_count; k++) {
			const struct sp_plan_tlsa_record *r =
				&plan->hosts[0].tlsa[k];

			say(text, sizeof(text), "%u.%u.%u:%s ", r->tlsa.usage,
			    r->tlsa.selector, r->tlsa.matching,
			    r->reason == SP_TLSA_USABLE          ? "0"
			    : r->reason == SP_TLSA_WEAKER_DIGEST ? "weaker"
			                                         : "unusable");
		}
		if (strcmp(text, cases[i].expected) != 0) {
			fail_msg("%s: is %s, should be %s", cases[i].name, text,
			         cases[i].expected);
		}
		sp_plan_free(&plan);
	}
}

static void test_session_names(void **state)
{
	static const struct {
		struct plan_case plan;
		const char *sni;
		const char *ids;
		const char *digest;
	} cases[] = {
		{{"RFC 7672 3.2.3 secure MX: base and next-hop",
	          MX1 A1 "TLSA _25._tcp.mx1.d.test s 2.1.1\n", NULL},
	         "mx1.d.test",
	         "mx1.d.test d.test ",
	         "names=d.test,mx1.d.test"},
		{{"RFC 7672 3.2.3 secure alias of the domain: expanded too",
	          "MX d.test s alias=e.test/s 10:mx1.d.test\n" A1
	          "TLSA _25._tcp.mx1.d.test s 2.1.1\n",
	          NULL},
	         "mx1.d.test",
	         "mx1.d.test d.test e.test ",
	         "names=d.test,e.test,mx1.d.test"},
		{{"RFC 7672 3.2.3 base is the expanded host",
	          MX1 ALIAS_S TREAL "s 2.1.1\n", NULL},
	         "real.d.test",
	         "real.d.test d.test ",
	         "sni=real.d.test"},
		{{"RFC 7672 3.2.3 implicit MX",
	          "A d.test s 192.0.2.1\nTLSA _25._tcp.d.test s 2.1.1\n", NULL},
	         "d.test",
	         "d.test ",
	         "names=d.test"},
		{{"RFC 7672 3.2.3 insecure MX: the base only",
	          MX1_I A1 "TLSA _25._tcp.mx1.d.test s 2.1.1\n", NULL},
	         "mx1.d.test",
	         "mx1.d.test ",
	         "rule=half-dane"},
		{{"RFC 7672 3.2.3 fixed next hop: expansion and its name",
	          ALIAS_S TREAL "s 2.1.1\n", NULL, FIXED},
	         "real.d.test",
	         "real.d.test mx1.d.test ",
	         "names=mx1.d.test,real.d.test"},
		{{"RFC 7672 3.2.3 fixed next hop: its name",
	          A1 "TLSA _25._tcp.mx1.d.test s 2.1.1\n", NULL, FIXED},
	         "mx1.d.test",
	         "mx1.d.test ",
	         "names=mx1.d.test"},
		{{"no DANE: the MX host name (SNI)", MX1 A1, NULL},
	         "mx1.d.test",
	         "",
	         "rule=opportunistic port=25 sni=mx1.d.test"},
		{{"literal: no SNI", "", NULL, .domain = "[192.0.2.5]"},
	         "",
	         "",
	         "rule=opportunistic"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_plan_conf conf = conf_of(&cases[i].plan);
		struct sp_plan *plan = run(&cases[i].plan, &conf);
		const struct sp_plan_host *host = &plan->hosts[0];
		char ids[256] = "", digest[1024];

		for (size_t k = 0; k < host->reference_id_count; k++) {
			say(ids, sizeof(ids), SP_STR_FMT " ",
			    SP_STR_ARG(host->reference_ids[k]));
		}
		pw_copy(digest, sizeof(digest), host->digest);
		if (strcmp(ids, cases[i].ids) != 0 ||
		    !sp_str_eq(host->sni, sp_str_from(cases[i].sni)) ||
		    strstr(digest, cases[i].digest) == NULL) {
			fail_msg("%s: ids %s, sni " SP_STR_FMT ", digest %s",
			         cases[i].plan.name, ids, SP_STR_ARG(host->sni),
			         digest);
		}
		sp_plan_free(&plan);
	}
}

static struct sp_str digest_of(const char *world, struct sp_arena *arena,
                               const char *domain)
{
	struct plan_case c = {.world = world, .domain = domain};
	struct sp_plan_conf conf = conf_of(&c);
	struct sp_plan *plan = run(&c, &conf);
	struct sp_str digest = sp_arena_str(arena, plan->hosts[0].digest);

	sp_plan_free(&plan);
	return digest;
}

/* Same text, same policy: the key of connection reuse. */
static void test_digest(void **state)
{
	static const char ab[] =
		MX1 A1 "TLSA _25._tcp.mx1.d.test s 3.1.1:a 3.1.1:b\n";
	static const char ba[] =
		MX1 A1 "TLSA _25._tcp.mx1.d.test s 3.1.1:b 3.1.1:a\n";
	static const char noise[] =
		MX1 A1 "TLSA _25._tcp.mx1.d.test s 0.0.1 3.1.1:b 3.1.1:a\n";
	static const char ta[] = MX1 A1 "TLSA _25._tcp.mx1.d.test s 2.1.1:a\n";
	static const char e_ee[] =
		"MX e.test s 10:mx1.d.test\n" A1
		"TLSA _25._tcp.mx1.d.test s 3.1.1:a 3.1.1:b\n";
	static const char e_ta[] = "MX e.test s 10:mx1.d.test\n" A1
				   "TLSA _25._tcp.mx1.d.test s 2.1.1:a\n";
	static const char half[] =
		MX1_I A1 "TLSA _25._tcp.mx1.d.test s 3.1.1:a 3.1.1:b\n";
	struct sp_arena arena;
	struct sp_str base;

	(void)state;
	sp_arena_init(&arena);
	base = digest_of(ab, &arena, NULL);
	assert_true(sp_str_eq(base, digest_of(ba, &arena, NULL)));
	assert_true(sp_str_eq(base, digest_of(noise, &arena, NULL)));
	assert_true(sp_str_eq(base, digest_of(e_ee, &arena, "e.test")));
	assert_false(sp_str_eq(base, digest_of(MX1 A1 T1, &arena, NULL)));
	assert_false(sp_str_eq(base, digest_of(half, &arena, NULL)));
	assert_false(sp_str_eq(digest_of(ta, &arena, NULL),
	                       digest_of(e_ta, &arena, "e.test")));
	sp_arena_fini(&arena);
}

/* --- Hosts and addresses
 * --------------------------------------------------------------------- */

static void test_order(void **state)
{
	static const char world[] =
		"MX d.test s 20:z.test 10:a.test 10:b.test 10:c.test 5:y.test\n"
		"A a.test s 192.0.2.1\nA b.test s 192.0.2.2\n"
		"A c.test s 192.0.2.3\nA y.test s 192.0.2.4\n"
		"A z.test s 192.0.2.5\n";
	struct plan_case c = {.world = world};
	struct sp_plan_conf conf = conf_of(&c);
	unsigned first[3] = {0};

	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		char *copy = sp_strdup(world);
		struct sp_plan *plan = pw_run(&conf, "d.test", seed,
		                              world_answer, copy, &plan_log);

		assert_int_equal(plan->host_count, 5);
		assert_true(sp_str_eq(plan->hosts[0].name, SP_STR("y.test")));
		assert_true(sp_str_eq(plan->hosts[4].name, SP_STR("z.test")));
		first[plan->hosts[1].name.ptr[0] - 'a']++;
		sp_plan_free(&plan);
		sp_free(copy);
	}
	for (size_t i = 0; i < 3; i++) {
		assert_in_range(first[i], 70, 130);
	}
}

static void test_limits(void **state)
{
	static const char world[] =
		"MX d.test s 10:mx1.d.test 20:mx2.d.test 30:mx3.d.test\n"
		"A mx1.d.test s 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.1\n"
		"AAAA mx1.d.test s 2001:db8::1 2001:db8::2 2001:db8::3\n" A2
		"TLSA _25._tcp.mx1.d.test s 0.0.1 1.0.1 1.1.1 3.1.1 3.0.1\n";
	struct plan_case c = {.world = world};
	struct sp_plan_conf conf = conf_of(&c);
	const struct sp_plan_host *host;
	struct sp_plan *plan;

	(void)state;
	plan = run(&c, &conf);
	assert_int_equal(plan->host_count, 3);
	assert_int_equal(plan->hosts[0].address_count, 6);
	assert_int_equal(plan->host_cut.left_out, 0);
	assert_int_equal(plan->hosts[0].address_cut.left_out, 0);
	sp_plan_free(&plan);

	conf.hosts_max = 2;
	conf.addresses_max = 3;
	conf.tlsa_max = 2;
	plan = run(&c, &conf);
	host = &plan->hosts[0];
	assert_int_equal(plan->host_count, 2);
	assert_true(plan->warning.len > 0);
	assert_int_equal(host->address_count, 3);
	/* Families in turn, so that none is lost. */
	assert_int_equal(host->addresses[0].family, 6);
	assert_int_equal(host->addresses[1].family, 4);
	assert_int_equal(host->addresses[2].family, 6);
	/* The usable records stay. */
	assert_int_equal(host->tlsa_count, 2);
	assert_int_equal(host->tlsa[0].reason, SP_TLSA_USABLE);
	assert_int_equal(host->tlsa[1].reason, SP_TLSA_USABLE);
	assert_int_equal(host->rule, SP_RULE_DANE);
	assert_int_equal(plan->host_cut.taken, 2);
	assert_int_equal(plan->host_cut.left_out, 1);
	assert_int_equal(host->address_cut.taken, 3);
	assert_int_equal(host->address_cut.left_out, 3);
	assert_int_equal(host->tlsa_cut.taken, 2);
	assert_int_equal(host->tlsa_cut.left_out, 3);
	assert_true(sp_str_eq(plan->warning,
	                      SP_STR("more MX hosts than the limit: 1 left "
	                             "out")));
	assert_true(sp_str_eq(
		host->warning,
		SP_STR("more addresses than the limit: 3 left out; more TLSA "
	               "records than the limit: 3 left out")));
	assert_int_equal(plan->ttl_s, 300);
	sp_plan_free(&plan);
}

static void test_long_name(void **state)
{
	/* 253 characters: "_25._tcp." does not fit before it. */
	char host[254], world[1024];
	struct plan_case c = {.world = world};
	struct sp_plan_conf conf = conf_of(&c);
	struct sp_plan *plan;

	(void)state;
	memset(host, 'a', sizeof(host) - 1);
	host[253] = '\0';
	host[63] = host[127] = host[191] = '.';
	(void)snprintf(world, sizeof(world),
	               "MX d.test s 10:%s\nA %s s 192.0.2.1\n", host, host);
	plan = run(&c, &conf);
	assert_int_equal(plan->hosts[0].rule, SP_RULE_OPPORTUNISTIC);
	assert_true(plan->hosts[0].warning.len > 0);
	assert_null(pw_find(&plan_log, SP_DNS_TYPE_TLSA,
	                    plan->hosts[0].tlsa_owner));
	sp_plan_free(&plan);
}

/* Whatever the order of the answers, the plan is the same; and all addresses
 * are asked for at once. */
static void test_any_order(void **state)
{
	static const char world[] = MX2 A1 A2 T1;
	struct plan_case c = {.world = world};
	struct sp_plan_conf conf = conf_of(&c);
	struct sp_plan *plan = sp_plan_new(&conf, SP_STR("D.Test."), 1);
	struct sp_plan_question q[16];
	size_t count = 0;
	char text[1024];

	(void)state;
	plan_log.count = 0;
	assert_true(sp_plan_next(plan, &q[0]));
	assert_false(sp_plan_next(plan, &q[1]));
	for (size_t round = 0; !sp_plan_done(plan); round++) {
		char *copy = sp_strdup(world);

		count = round == 0 ? 1 : 0;
		while (sp_plan_next(plan, &q[count])) {
			count++;
		}
		assert_int_equal(count, round == 0 ? 1 : round == 1 ? 4 : 2);
		while (count-- > 0) { /* last first */
			struct sp_dns_answer *a = world_answer(
				copy, q[count].name, q[count].type);

			sp_plan_answer(plan, q[count].id, &a);
		}
		sp_free(copy);
	}
	summarise(plan, &plan_log, text, sizeof(text));
	assert_string_equal(text, "deliver row=1-11\n"
	                          "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n"
	                          "mx2.d.test opportunistic/none row=3\n");
	sp_plan_free(&plan);
	sp_plan_free(&plan);
}

/* An answer to another question is no answer to this one. */
static void test_wrong_answer(void **state)
{
	struct plan_case c = {.world = ""};
	struct sp_plan_conf conf = conf_of(&c);
	struct sp_plan *plan = sp_plan_new(&conf, SP_STR("d.test"), 1);
	struct sp_dns_answer *a =
		sp_dns_answer_new(SP_STR("evil.test"), SP_DNS_TYPE_MX);
	struct sp_plan_question q;

	(void)state;
	a->dnssec = SP_DNSSEC_SECURE;
	a->result = SP_DNS_NXDOMAIN;
	a->rcode = 3;
	assert_true(sp_plan_next(plan, &q));
	sp_plan_answer(plan, q.id, &a);
	assert_true(sp_plan_done(plan));
	assert_int_equal(plan->verdict.cause, SP_CAUSE_MX_LOOKUP_FAILED);
	sp_plan_free(&plan);
}

/* --- Log-only
 * ----------------------------------------------------------------------------------
 */

static void test_log_only(void **state)
{
	static const struct sp_filter none, log_only = {.log_only = true};
	static const struct {
		const char *name;
		struct plan_case plan;
		const char *waived; /* null: stays skipped */
	} cases[] = {
		{"row 5 TLSA failed",
	         {"", MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n", NULL},
	         "tlsa-servfail"},
		{"row 5 TLSA bogus",
	         {"", MX1 A1 "TLSA _25._tcp.mx1.d.test b\n", NULL},
	         "dnssec-bogus"},
		{"row 18a TLSA failed",
	         {"", MX1_I A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n", NULL},
	         "tlsa-servfail"},
		{"row 6a CNAME failed",
	         {"", MX1 ALIAS_I "CNAME mx1.d.test f rcode=2\n", NULL},
	         "alias-lookup-failed"},
		{"row 6a CNAME bogus: the address may be forged",
	         {"", MX1 ALIAS_I "CNAME mx1.d.test b\n", NULL},
	         NULL},
		{"row 9 bogus address (A43)",
	         {"", MX1 "A mx1.d.test b\n", NULL},
	         NULL},
		{"row 10 failed address",
	         {"", MX1 "A mx1.d.test f rcode=2\n", NULL},
	         NULL},
		{"mandatory without TLSA", {"", MX1 A1, NULL, MANDAT}, NULL},
		{"mandatory, TLSA failed",
	         {"", MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n", NULL,
	          MANDAT},
	         NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_plan_conf conf = conf_of(&cases[i].plan);
		struct sp_plan *plan = run(&cases[i].plan, &conf);
		const struct sp_plan_host *host = &plan->hosts[0];
		const char *name = "";

		sp_filter_plan(&none, plan); /* changes nothing */
		assert_int_equal(host->rule, SP_RULE_SKIP);
		assert_int_equal(plan->verdict.class, SP_VERDICT_TEMP);
		sp_filter_plan(&log_only, plan);
		if (host->rule == SP_RULE_OPPORTUNISTIC) {
			name = sp_cause_get(host->waived.cause)->name;
		}
		if (strcmp(name, cases[i].waived ? cases[i].waived : "") != 0 ||
		    (plan->verdict.class == SP_VERDICT_DELIVERED) !=
		            (cases[i].waived != NULL)) {
			fail_msg("%s: waived \"%s\"", cases[i].name, name);
		}
		sp_plan_free(&plan);
	}
}

/* RFC 8689 4.2.1: which hosts are good enough for a message with REQUIRETLS,
 * before any of them is spoken to. */
static void test_requiretls(void **state)
{
#define UNMET "requiretls-unmet"
	static const struct {
		const char *name;
		struct plan_case plan;
		const char *cause; /* of the host; "": it may be tried */
		enum sp_verdict_class class; /* of the plan */
	} cases[] = {
		{"DANE", {"", MX1 A1 T1, NULL}, "", SP_VERDICT_DELIVERED},
		{"no TLSA", {"", MX1 A1, NULL}, UNMET, SP_VERDICT_PERM},
		{"insecure MX: half-dane",
	         {"", MX1_I A1 T1, NULL},
	         UNMET,
	         SP_VERDICT_PERM},
		{"mandatory without TLSA",
	         {"", MX1 A1, NULL, MANDAT},
	         UNMET,
	         SP_VERDICT_PERM},
		{"TLSA failed: perhaps the next time",
	         {"", MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n", NULL},
	         "tlsa-servfail",
	         SP_VERDICT_TEMP},
		{"address bogus: perhaps the next time",
	         {"", MX1 "A mx1.d.test b\n", NULL},
	         "dnssec-bogus",
	         SP_VERDICT_TEMP},
	};
	static const struct sp_filter filter = {
		.log_only = true,
		.exception = true,
		.tls_optional = true,
		.requiretls = true,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_plan_conf conf = conf_of(&cases[i].plan);
		struct sp_plan *plan = run(&cases[i].plan, &conf);
		const struct sp_plan_host *host = &plan->hosts[0];
		const char *name = "";

		sp_filter_plan(&filter, plan);
		if (host->rule == SP_RULE_SKIP) {
			name = sp_cause_get(host->verdict.cause)->name;
		}
		if (strcmp(name, cases[i].cause) != 0 ||
		    plan->verdict.class != cases[i].class) {
			fail_msg("%s: \"%s\" class %d", cases[i].name, name,
			         plan->verdict.class);
		}
		assert_int_equal(host->waived.class, SP_VERDICT_DELIVERED);
		sp_plan_free(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agility),
		cmocka_unit_test(test_session_names),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_wrong_answer),
		cmocka_unit_test(test_log_only),
		cmocka_unit_test(test_requiretls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
