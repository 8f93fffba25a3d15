/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/sender_policy.h"

#define RECORDS_MAX 3

static size_t to_records(const char *const *texts,
                         struct sp_str records[RECORDS_MAX])
{
	size_t count = 0;

	for (; count < RECORDS_MAX && texts[count]; count++) {
		records[count] = sp_str_from(texts[count]);
	}
	return count;
}

static const struct spf_case {
	const char *name;
	const char *records[RECORDS_MAX];
	int ret;
	char all;
	bool redirect;
	unsigned lookups;
	const char *why;
} SPF_CASES[] = {
	{"RFC 7208 A.1 mx", {"v=spf1 mx -all"}, 0, '-', false, 1, ""},
	{"RFC 7208 A.1 all kinds",
         {"v=spf1 a:x.test/24 mx/24//64 ip4:192.0.2.0/24 ip6:2001:db8::/32 "
          "ptr exists:%{i}.x.test include:y.test ~all"},
         0,
         '~',
         false,
         5,
         ""},
	{"RFC 7208 4.6.2 all without a qualifier",
         {"v=spf1 all"},
         0,
         '+',
         false,
         0,
         ""},
	{"RFC 7208 6.1 redirect",
         {"v=spf1 redirect=_spf.x.test"},
         0,
         0,
         true,
         1,
         ""},
	{"RFC 7208 6 unknown modifiers",
         {"v=spf1 new=1 -all"},
         0,
         '-',
         false,
         0,
         ""},
	{"RFC 7208 4.5 the version alone", {"v=spf1"}, 0, 0, false, 0, ""},
	{"RFC 7208 4.5 case", {"V=SPF1 MX -ALL"}, 0, '-', false, 1, ""},
	{"RFC 7208 4.5 others beside it",
         {"v=spf10 -all", "v=spf1 -all", "x"},
         0,
         '-',
         false,
         0,
         ""},
	{"RFC 7208 4.5 none",
         {"v=spf2.0/pra -all"},
         SP_ENOTFOUND,
         0,
         false,
         0,
         "no record"},
	{"RFC 7208 4.5 two",
         {"v=spf1 -all", "v=spf1 mx"},
         SP_EPROTO,
         0,
         false,
         0,
         "several records"},
	{"RFC 7208 12 an unknown mechanism",
         {"v=spf1 ipv4:192.0.2.1 -all"},
         SP_EPROTO,
         0,
         false,
         0,
         "not a term: ipv4:192.0.2.1"},
	{"RFC 7208 5.2 include of nothing",
         {"v=spf1 include: -all"},
         SP_EPROTO,
         0,
         false,
         0,
         "not a term: include:"},
	{"RFC 7208 5.1 all with a value",
         {"v=spf1 all:x"},
         SP_EPROTO,
         0,
         false,
         0,
         "not a term: all:x"},
	{"RFC 7208 6 redirect twice",
         {"v=spf1 redirect=a redirect=b"},
         SP_EPROTO,
         0,
         true,
         1,
         "redirect stands twice"},
	{"RFC 7208 4.6.4 eleven lookups",
         {"v=spf1 a a a a a a a a a a a"},
         SP_EPROTO,
         0,
         false,
         11,
         "more than 10"},
	{"RFC 7208 4.6.1 a qualifier alone",
         {"v=spf1 -"},
         SP_EPROTO,
         0,
         false,
         0,
         "not a term: -"},
};

static void test_spf(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(SPF_CASES) / sizeof(*SPF_CASES); i++) {
		const struct spf_case *c = &SPF_CASES[i];
		char why[SP_TXT_FIELD_WHY_MAX] = "";
		struct sp_str records[RECORDS_MAX];
		size_t count = to_records(c->records, records);
		struct sp_spf spf;
		int ret = sp_spf_parse(records, count, &spf, why);

		if (ret != c->ret || spf.all != c->all ||
		    spf.redirect != c->redirect || spf.lookups != c->lookups ||
		    strncmp(why, c->why, strlen(c->why)) != 0) {
			fail_msg("%s: %d '%c' %u %s", c->name, ret, spf.all,
			         spf.lookups, why);
		}
		assert_int_equal(sp_spf_parse(records, count, &spf, NULL), ret);
	}
}

static const struct dmarc_case {
	const char *name;
	const char *records[RECORDS_MAX];
	int ret;
	const char *policy, *rua, *why;
} DMARC_CASES[] = {
	{"RFC 7489 B.2.1",
         {"v=DMARC1; p=none; rua=mailto:d@x.test"},
         0,
         "none",
         "mailto:d@x.test",
         ""},
	{"RFC 7489 6.3 blanks, other tags",
         {"v=DMARC1 ; p = reject ; pct=100 ; sp=none;"},
         0,
         "reject",
         "",
         ""},
	{"RFC 7489 6.6.3 others beside it",
         {"v=spf1 -all", "v=DMARC1;p=quarantine"},
         0,
         "quarantine",
         "",
         ""},
	{"RFC 7489 6.3 the version comes first",
         {"p=none; v=DMARC1"},
         SP_ENOTFOUND,
         "",
         "",
         "no record"},
	{"RFC 7489 6.6.3 two",
         {"v=DMARC1; p=none", "v=DMARC1; p=none"},
         SP_EPROTO,
         "",
         "",
         "several records"},
	{"RFC 7489 6.3 no policy",
         {"v=DMARC1; rua=mailto:d@x.test"},
         SP_EPROTO,
         "",
         "mailto:d@x.test",
         "no p"},
	{"RFC 7489 6.3 an unknown policy",
         {"v=DMARC1; p=block"},
         SP_EPROTO,
         "block",
         "",
         "p is not none, quarantine or reject: block"},
	{"RFC 7489 6.4 not a tag",
         {"v=DMARC1; p=none; rua"},
         SP_EPROTO,
         "none",
         "",
         "not a tag: rua"},
};

static void test_dmarc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(DMARC_CASES) / sizeof(*DMARC_CASES);
	     i++) {
		const struct dmarc_case *c = &DMARC_CASES[i];
		char why[SP_TXT_FIELD_WHY_MAX] = "";
		struct sp_str records[RECORDS_MAX];
		size_t count = to_records(c->records, records);
		struct sp_dmarc d;
		int ret = sp_dmarc_parse(records, count, &d, why);

		if (ret != c->ret ||
		    !sp_str_eq(d.policy, sp_str_from(c->policy)) ||
		    !sp_str_eq(d.rua, sp_str_from(c->rua)) ||
		    strncmp(why, c->why, strlen(c->why)) != 0) {
			fail_msg("%s: %d %.*s %s", c->name, ret,
			         SP_STR_ARG(d.policy), why);
		}
		assert_int_equal(sp_dmarc_parse(records, count, &d, NULL), ret);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spf),
		cmocka_unit_test(test_dmarc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
