/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan as steps: where the cause of each row of mail-flow section 3 stands,
 * and that a host which fails only warns where mail has another way.
 */
#include "analyze/check_plan.h"
#include "unit/policy/plan_text.h"

struct step_case {
	struct plan_case plan;
	const char *steps; /* "id verdict scenario" each, what only passes
	                    * left out */
};

#define TWO    MX2 A1 A2
#define BOGUS1 "TLSA _25._tcp.mx1.d.test b scenario=rrsig-expired\n"
#define BOGUS2 "TLSA _25._tcp.mx2.d.test b scenario=denial-unproven\n"

#define EMPTY                                                                  \
	"plan.host fail -, plan.host.address fail host-without-address, "      \
	"plan.host.tlsa skip -, "

static const struct step_case cases[] = {
	{{"row 1", MX1 A1 T1, NULL}, ""},
	{{"row 2", MX1 A1 "TLSA _25._tcp.mx1.d.test s 1.1.1\n", NULL},
         "plan warn -, plan.host warn -, "
         "plan.host.tlsa warn tlsa-all-unusable, "},
	{{"row 3", MX1 A1, NULL}, "plan.host.tlsa pass tlsa-absent, "},
	{{"row 4", MX1 A1 "TLSA _25._tcp.mx1.d.test i 3.1.1\n", NULL},
         "plan warn -, plan.host warn -, plan.host.tlsa warn tlsa-unsigned, "},
	{{"row 5, the only host", MX1 A1 BOGUS1, NULL},
         "plan fail rrsig-expired, plan.host fail -, "
         "plan.host.tlsa fail rrsig-expired, "},
	{{"row 5, another host is good", TWO BOGUS1, NULL},
         "plan warn -, plan.host warn -, plan.host.tlsa warn rrsig-expired, "
         "plan.host.tlsa pass tlsa-absent, "},
	{{"row 5, none is good", TWO BOGUS1 BOGUS2, NULL},
         "plan fail rrsig-expired, plan.host fail -, "
         "plan.host.tlsa fail rrsig-expired, plan.host fail -, "
         "plan.host.tlsa fail denial-unproven, "},
	{{"row 6", MX1 A1_I, NULL}, "plan.host.tlsa skip -, "},
	{{"row 6a, an alias", MX1 ALIAS_I "CNAME mx1.d.test s real.u.test\n",
          NULL},
         "plan warn -, plan.host warn -, plan.host.address warn mx-alias, "
         "plan.host.tlsa pass tlsa-absent, "},
	{{"row 9", MX1 "A mx1.d.test b\n", NULL},
         "plan fail dnssec-bogus, plan.host fail -, "
         "plan.host.address fail dnssec-bogus, plan.host.tlsa skip -, "},
	{{"row 11", MX1, NULL},
         "plan fail no-addresses, plan.host fail -, "
         "plan.host.address fail no-addresses, plan.host.tlsa skip -, "},
	{{"row 12", "MX d.test b scenario=rrsig-expired\n", NULL},
         "plan fail rrsig-expired, plan.mx fail rrsig-expired, "},
	{{"row 13", "MX d.test f rcode=5\n", NULL},
         "plan fail mx-lookup-failed, plan.mx fail mx-lookup-failed, "},
	{{"row 14", "MX d.test s nxdomain\n", NULL},
         "plan fail no-such-domain, plan.mx fail no-such-domain, "},
	{{"row 15", "A d.test s 192.0.2.1\nTLSA _25._tcp.d.test s 3.1.1\n",
          NULL},
         "plan.mx pass mx-implicit, "},
	{{"RFC 5321 5.1 neither MX nor address", "", NULL},
         "plan fail no-mail-server, plan.host fail -, plan.host.address fail "
         "no-mail-server, "
         "plan.host.tlsa skip -, "},
	{{"more than the limit",
          "MX d.test s 1:a.test 2:b.test 3:c.test 4:d.test 5:e.test "
          "6:f.test 7:g.test 8:h.test 9:i.test 10:j.test 11:k.test\n",
          NULL},
         "plan fail host-without-address, plan.mx warn plan-cut, " EMPTY EMPTY
                 EMPTY EMPTY EMPTY EMPTY EMPTY EMPTY EMPTY EMPTY},
	{{"more addresses than the limit",
          MX1 "A mx1.d.test s 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 "
              "192.0.2.5 192.0.2.6\nAAAA mx1.d.test s 2001:db8::1 "
              "2001:db8::2 2001:db8::3 2001:db8::4 2001:db8::5\n" T1,
          NULL},
         "plan warn -, plan.host warn -, plan.host.address warn plan-cut, "},
	{{"more addresses than the resolver keeps",
          MX1 "A mx1.d.test s 192.0.2.1 cut\n" T1, NULL},
         "plan warn -, plan.host warn -, plan.host.address warn plan-cut, "},
	{{"row 17", "MX d.test s 0:.\n", NULL},
         "plan fail null-mx, plan.mx fail null-mx, "},
	{{"row 17a", "MX d.test s 10:mx1.d.test 0:.\n" A1 T1, NULL},
         "plan warn -, plan.mx warn null-mx-beside, "},
	{{"a route that demands DANE", MX1 A1, NULL, MANDAT},
         "plan fail dane-required, plan.host fail dane-required, "
         "plan.host.tlsa pass tlsa-absent, "},
	{{"an address", "", NULL, .domain = "[192.0.2.5]"},
         "plan.host.tlsa skip -, "},
};

static void write_steps(const struct sp_step *step, struct sp_buf *out)
{
	struct sp_str scenario = sp_step_scenario(step);
	enum sp_step_verdict verdict = sp_step_verdict(step);

	if (verdict != SP_STEP_PASS || scenario.len) {
		(void)sp_buf_printf(
			out, "%s %s " SP_STR_FMT ", ", sp_step_id(step),
			sp_step_verdict_text(verdict),
			SP_STR_ARG(scenario.len ? scenario : SP_STR("-")));
	}
	for (const struct sp_step *c = sp_step_first(step); c;
	     c = sp_step_next(c)) {
		write_steps(c, out);
	}
}

static void check_case(const struct step_case *c)
{
	struct sp_plan_conf conf = conf_of(&c->plan);
	struct sp_plan *plan = run(&c->plan, &conf);
	struct sp_tree *tree =
		sp_tree_new("check", SP_STR("d.test"), NULL, NULL);
	struct sp_step *step =
		sp_check_plan_begin(sp_tree_root(tree), plan->domain);
	struct sp_buf found;

	sp_check_plan_grow(step, plan);
	sp_buf_init(&found, 4096);
	write_steps(step, &found);
	if (!sp_str_eq(sp_buf_str(&found), sp_str_from(c->steps))) {
		fail_msg("%s: " SP_STR_FMT, c->plan.name,
		         SP_STR_ARG(sp_buf_str(&found)));
	}
	sp_buf_fini(&found);
	sp_tree_free(&tree);
	sp_plan_free(&plan);
}

static void test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		check_case(&cases[i]);
	}
}

/* ---- what is left out ---- */

static const struct cut_case {
	struct plan_case plan;
	const char *meaning; /* its beginning */
} cut_cases[] = {
	{{"one of eleven",
          "MX d.test s 1:a.test 2:b.test 3:c.test 4:d.test "
          "5:e.test 6:f.test 7:g.test 8:h.test 9:i.test 10:j.test "
          "11:k.test\n",
          NULL},
         "1 of 11 mail servers of d.test are left out, "},
	{{"the resolver has left some out before", "MX d.test s cut 1:a.test\n",
          NULL},
         "At least 1 of 2 mail servers of d.test are left out, "},
};

static struct sp_str meaning_of(const struct sp_json *tree, const char *id)
{
	struct sp_str found = {0};

	if (sp_str_eq(sp_json_get_str(tree, "id"), sp_str_from(id))) {
		return sp_json_get_str(tree, "meaning");
	}
	for (size_t i = 0;
	     i < sp_json_len(sp_json_get(tree, "children")) && !found.len;
	     i++) {
		found = meaning_of(sp_json_at(sp_json_get(tree, "children"), i),
		                   id);
	}
	return found;
}

static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cut_cases) / sizeof(*cut_cases); i++) {
		const struct cut_case *c = &cut_cases[i];
		struct sp_plan_conf conf = conf_of(&c->plan);
		struct sp_plan *plan = run(&c->plan, &conf);
		struct sp_tree *tree =
			sp_tree_new("check", SP_STR("d.test"), NULL, NULL);
		struct sp_json *json;

		print_message("  %s\n", c->plan.name);
		sp_check_plan_grow(
			sp_check_plan_begin(sp_tree_root(tree), plan->domain),
			plan);
		sp_step_finish(sp_tree_root(tree));
		json = sp_tree_json(tree);
		assert_true(sp_str_starts_nocase(meaning_of(json, "plan.mx"),
		                                 sp_str_from(c->meaning)));
		sp_json_free(&json);
		sp_tree_free(&tree);
		sp_plan_free(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
