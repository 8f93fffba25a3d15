/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/mta_sts.h"

#define HEAD "version: STSv1\nmode: enforce\n"
#define FULL HEAD "mx: mx.d.test\nmax_age: 86400\n"
#define AGE  "max_age: 86400\n"

struct policy_case {
	const char *name;
	const char *body;
	enum sp_sts_mode mode;
	uint32_t max_age_s;
	const char *mx;  /* patterns, blanks between */
	const char *why; /* part of the reason; null: valid */
};

static const struct policy_case POLICIES[] = {
	{"RFC 8461 3.2 the example",
         "version: STSv1\nmode: enforce\nmx: mail.example.com\n"
         "mx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n",
         SP_STS_ENFORCE, 604800,
         "mail.example.com *.example.net backupmx.example.com", NULL},
	{"RFC 8461 3.2 CRLF, no end of the last line",
         "version: STSv1\r\nmode: testing\r\nmx: mx.d.test\r\nmax_age: 1",
         SP_STS_TESTING, 1, "mx.d.test", NULL},
	{"RFC 8461 3.2 LF and CRLF mixed",
         "version: STSv1\r\nmode: testing\nmx: mx.d.test\r\nmax_age: 1\n",
         SP_STS_TESTING, 1, "mx.d.test", NULL},
	{"RFC 8461 3.2 any order, no or more blanks",
         "max_age:7\nmx:a.test\nmode:\t  enforce \t\nversion:STSv1  \n",
         SP_STS_ENFORCE, 7, "a.test", NULL},
	{"RFC 8461 3.2 none needs no mx",
         "version: STSv1\nmode: none\nmax_age: 0\n", SP_STS_NONE, 0, "", NULL},
	{"RFC 8461 3.2 none may have mx",
         "version: STSv1\nmode: none\nmx: a.test\nmax_age: 0\n", SP_STS_NONE, 0,
         "a.test", NULL},
	{"RFC 8461 3.2 the first of repeated fields counts",
         FULL "mode: none\nversion: STSv9\nmax_age: rubbish\n", SP_STS_ENFORCE,
         86400, "mx.d.test", NULL},
	{"RFC 8461 3.2 unknown fields are ignored",
         FULL "x-1_2.3: what ever \xc3\xa9 is\nMODE: none\n", SP_STS_ENFORCE,
         86400, "mx.d.test", NULL},
	{"RFC 8461 3.2 largest max_age", HEAD "mx: a.test\nmax_age: 31557600\n",
         SP_STS_ENFORCE, 31557600, "a.test", NULL},
	{"RFC 8461 4.1 case and final dot",
         HEAD "mx: MX.D.Test.\nmx: *.D.TEST\n" AGE, SP_STS_ENFORCE, 86400,
         "mx.d.test *.d.test", NULL},
	{"RFC 8461 4.1 A-labels", HEAD "mx: *.xn--bcher-kva.test\n" AGE,
         SP_STS_ENFORCE, 86400, "*.xn--bcher-kva.test", NULL},
	{"RFC 8461 3.2 a pattern that stands twice",
         HEAD "mx: a.test\nmx: a.test\n" AGE, SP_STS_ENFORCE, 86400,
         "a.test a.test", NULL},

	{"RFC 8461 3.2 nothing", "", 0, 0, "", "empty"},
	{"RFC 8461 3.2 only a line's end", "\n", 0, 0, "", "blank line"},
	{"RFC 8461 3.2 blank line inside",
         "version: STSv1\n\nmode: none\nmax_age: 1\n", 0, 0, "", "blank line"},
	{"RFC 8461 3.2 blank line at the end", FULL "\n", 0, 0, "",
         "blank line"},
	{"RFC 8461 3.2 byte order mark", "\xef\xbb\xbf" FULL, 0, 0, "",
         "name of a field"},
	{"RFC 8461 3.2 text before the version", "policy\n" FULL, 0, 0, "",
         "without \":\""},
	{"RFC 8461 3.2 no version", "mode: none\nmax_age: 1\n", 0, 0, "",
         "no version"},
	{"RFC 8461 3.2 other version",
         "version: STSv2\nmode: none\nmax_age: 1\n", 0, 0, "",
         "version is not STSv1: STSv2"},
	{"RFC 8461 3.2 version has its case",
         "version: stsv1\nmode: none\nmax_age: 1\n", 0, 0, "", "version"},
	{"RFC 8461 3.2 no mode", "version: STSv1\nmx: a.test\n" AGE, 0, 0, "",
         "no mode"},
	{"RFC 8461 3.2 unknown mode",
         "version: STSv1\nmode: report\nmx: a.test\n" AGE, 0, 0, "",
         "mode is not"},
	{"RFC 8461 3.2 mode has its case",
         "version: STSv1\nmode: Enforce\nmx: a.test\n" AGE, 0, 0, "",
         "mode is not"},
	{"RFC 8461 3.2 the first mode counts",
         "version: STSv1\nmode: x\nmode: none\n" AGE, 0, 0, "", "mode is not"},
	{"RFC 8461 3.2 no max_age", HEAD "mx: a.test\n", 0, 0, "",
         "no max_age"},
	{"RFC 8461 3.2 max_age too large",
         HEAD "mx: a.test\nmax_age: 31557601\n", 0, 0, "", "max_age is not"},
	{"RFC 8461 3.2 max_age of 11 digits",
         HEAD "mx: a.test\nmax_age: 00000000001\n", 0, 0, "", "max_age is not"},
	{"RFC 8461 3.2 max_age beyond 64 bits",
         HEAD "mx: a.test\nmax_age: 18446744073709551617\n", 0, 0, "",
         "max_age is not"},
	{"RFC 8461 3.2 negative max_age", HEAD "mx: a.test\nmax_age: -1\n", 0,
         0, "", "max_age is not"},
	{"RFC 8461 3.2 max_age with a unit", HEAD "mx: a.test\nmax_age: 1d\n",
         0, 0, "", "max_age is not"},
	{"RFC 8461 3.2 no mx", HEAD AGE, 0, 0, "", "no mx"},
	{"RFC 8461 3.2 empty mx", HEAD "mx:\n" AGE, 0, 0, "", "not a value"},
	{"RFC 8461 3.2 two names in a line", HEAD "mx: a.test b.test\n" AGE, 0,
         0, "", "mx is not a host"},
	{"RFC 8461 3.2 comma list", HEAD "mx: a.test,b.test\n" AGE, 0, 0, "",
         "mx is not a host"},
	{"RFC 8461 4.1 a bare star", HEAD "mx: *\n" AGE, 0, 0, "",
         "mx is not a host"},
	{"RFC 8461 4.1 star without a name", HEAD "mx: *.\n" AGE, 0, 0, "",
         "mx is not a host"},
	{"RFC 8461 4.1 two stars", HEAD "mx: *.*.d.test\n" AGE, 0, 0, "",
         "mx is not a host"},
	{"RFC 8461 4.1 star inside", HEAD "mx: mx.*.test\n" AGE, 0, 0, "",
         "mx is not a host"},
	{"RFC 8461 4.1 part of a label", HEAD "mx: mx*.d.test\n" AGE, 0, 0, "",
         "mx is not a host"},
	{"RFC 8461 4.1 leading dot", HEAD "mx: .d.test\n" AGE, 0, 0, "",
         "mx is not a host"},
	{"RFC 8461 3.2 an address", HEAD "mx: 192.0.2.1\n" AGE, 0, 0, "",
         "mx is not a host"},
	{"RFC 8461 3.2 an address literal", HEAD "mx: [192.0.2.1]\n" AGE, 0, 0,
         "", "mx is not a host"},
	{"RFC 8461 3.2 U-labels",
         HEAD "mx: b\xc3\xbc"
              "cher.test\n" AGE,
         0, 0, "", "A-labels"},
	{"RFC 8461 3.2 a wrong mx under none",
         "version: STSv1\nmode: none\nmx: *\nmax_age: 1\n", 0, 0, "",
         "mx is not a host"},
	{"RFC 8461 3.2 bare CR", "version: STSv1\rmode: none\rmax_age: 1\r", 0,
         0, "", "not a value"},
	{"RFC 8461 3.2 blank before the name",
         " version: STSv1\nmode: none\nmax_age: 1\n", 0, 0, "",
         "name of a field"},
	{"RFC 8461 3.2 blank before the colon",
         "version : STSv1\nmode: none\nmax_age: 1\n", 0, 0, "",
         "name of a field"},
	{"RFC 8461 3.2 equals sign", "version=STSv1\nmode=none\nmax_age=1\n", 0,
         0, "", "without \":\""},
	{"RFC 8461 3.2 tab inside a value", FULL "x: a\tb\n", 0, 0, "",
         "not a value"},
	{"RFC 8461 3.2 no UTF-8 in a value", FULL "x: \xff\n", 0, 0, "",
         "not a value"},
	{"RFC 8461 3.2 name of 33 letters",
         FULL "a23456789012345678901234567890123: x\n", 0, 0, "",
         "name of a field"},
	{"RFC 8461 3.2 a web page", "<!DOCTYPE html>\n<html>", 0, 0, "",
         "without \":\""},
};

static void check_policy(const struct policy_case *c)
{
	struct sp_sts_policy p;
	struct sp_arena arena;
	struct sp_buf mx;
	char why[SP_STS_WHY_MAX] = "";
	int err;

	print_message("  %s\n", c->name);
	sp_arena_init(&arena);
	err = sp_sts_policy_parse(sp_str_from(c->body), &arena, &p, why);
	if (c->why) {
		assert_int_equal(err, SP_EPROTO);
		assert_non_null(strstr(why, c->why));
		assert_int_equal(sp_sts_policy_parse(sp_str_from(c->body),
		                                     &arena, &p, NULL),
		                 SP_EPROTO);
	} else {
		assert_string_equal(why, "");
		assert_int_equal(err, 0);
		assert_int_equal(p.mode, c->mode);
		assert_int_equal(p.max_age_s, c->max_age_s);
		sp_buf_init(&mx, 1000);
		for (size_t i = 0; i < p.mx_count; i++) {
			(void)sp_buf_printf(&mx, "%s" SP_STR_FMT, i ? " " : "",
			                    SP_STR_ARG(p.mx[i]));
		}
		assert_true(sp_str_eq(sp_buf_str(&mx), sp_str_from(c->mx)));
		sp_buf_fini(&mx);
	}
	sp_arena_fini(&arena);
}

static void test_policy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(POLICIES) / sizeof(*POLICIES); i++) {
		check_policy(&POLICIES[i]);
	}
}

static int parse_of(struct sp_buf *body, struct sp_arena *arena,
                    struct sp_sts_policy *p, char *why)
{
	return sp_sts_policy_parse(sp_buf_str(body), arena, p, why);
}

/* RFC 8461 3.3: 64 KiB are read, one byte more is not. */
static void test_size(void **state)
{
	char why[SP_STS_WHY_MAX];
	struct sp_sts_policy p;
	struct sp_arena arena;
	struct sp_buf body;

	(void)state;
	sp_arena_init(&arena);
	sp_buf_init(&body, SP_STS_BODY_MAX + 1);
	(void)sp_buf_append_cstr(&body, FULL "x: ");
	while (sp_buf_len(&body) < SP_STS_BODY_MAX) {
		(void)sp_buf_append_char(&body, 'a');
	}
	assert_int_equal(parse_of(&body, &arena, &p, why), 0);
	(void)sp_buf_append_char(&body, 'a');
	assert_int_equal(parse_of(&body, &arena, &p, why), SP_EPROTO);
	assert_string_equal(why, "longer than 64 KiB");
	sp_buf_fini(&body);
	sp_arena_fini(&arena);
}

static void test_many_mx(void **state)
{
	char why[SP_STS_WHY_MAX];
	struct sp_sts_policy p;
	struct sp_arena arena;
	struct sp_buf body;

	(void)state;
	sp_arena_init(&arena);
	sp_buf_init(&body, SP_STS_BODY_MAX);
	(void)sp_buf_append_cstr(&body, HEAD AGE);
	for (unsigned i = 0; i < SP_STS_MX_MAX; i++) {
		(void)sp_buf_printf(&body, "mx: mx%u.d.test\n", i);
	}
	assert_int_equal(parse_of(&body, &arena, &p, why), 0);
	assert_int_equal(p.mx_count, SP_STS_MX_MAX);
	(void)sp_buf_append_cstr(&body, "mx: one.more.test\n");
	assert_int_equal(parse_of(&body, &arena, &p, why), SP_EPROTO);
	assert_string_equal(why, "more than 1000 mx");
	sp_buf_fini(&body);
	sp_arena_fini(&arena);
}

/* A reason holds the peer's text escaped. */
static void test_why(void **state)
{
	char why[SP_STS_WHY_MAX];
	struct sp_sts_policy p;
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	assert_int_equal(sp_sts_policy_parse(
				 SP_STR("version: \xe2\x80\xae\nmode: none\n"),
				 &arena, &p, why),
	                 SP_EPROTO);
	for (const char *at = why; *at; at++) {
		assert_in_range((unsigned char)*at, ' ', '~');
	}
	sp_arena_fini(&arena);
}

static void test_covers(void **state)
{
	static const struct {
		const char *name;
		const char *host;
		bool covered;
	} cases[] = {
		{"RFC 8461 4.1 the name itself", "mx.d.test", true},
		{"RFC 8461 4.1 case", "MX.d.Test", true},
		{"RFC 8461 4.1 final dot", "mx.d.test.", true},
		{"RFC 8461 4.1 another host", "mx2.d.test", false},
		{"RFC 8461 4.1 below the name", "a.mx.d.test", false},
		{"RFC 8461 4.1 above the name", "d.test", false},
		{"RFC 8461 4.1 star is one label", "a.wild.test", true},
		{"RFC 8461 4.1 star, case and dot", "A.WILD.test.", true},
		{"RFC 8461 4.1 star is not two labels", "a.b.wild.test", false},
		{"RFC 8461 4.1 star is not no label", "wild.test", false},
		{"RFC 8461 4.1 star is not an empty label", ".wild.test",
	         false},
		{"RFC 8461 4.1 the pattern is no host", "*.wild.test", true},
		{"RFC 8461 4.1 end of a label", "a.bwild.test", false},
		{"RFC 8461 4.1 A-label", "xn--bcher-kva.wild.test", true},
		{"RFC 8461 4.1 nothing", "", false},
		{"RFC 8461 4.1 the root", ".", false},
	};
	struct sp_str mx[] = {SP_STR("mx.d.test"), SP_STR("*.wild.test")};
	struct sp_sts_policy p = {SP_STS_ENFORCE, 1, mx, 2};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("  %s\n", cases[i].name);
		assert_int_equal(
			sp_sts_policy_covers(&p, sp_str_from(cases[i].host)),
			cases[i].covered);
	}
	p.mx_count = 0;
	assert_false(sp_sts_policy_covers(&p, SP_STR("mx.d.test")));
}

#define ID32 "20261123T100000Z1234567890123456"

static const struct {
	const char *name;
	const char *records[3];
	int err;
	const char *id; /* or part of the reason */
} RECORDS[] = {
	{"RFC 8461 3.1 the example",
         {"v=STSv1; id=20160831085700Z;"},
         0,
         "20160831085700Z"},
	{"RFC 8461 3.1 no final semicolon", {"v=STSv1;id=1"}, 0, "1"},
	{"RFC 8461 3.1 blanks around delimiters",
         {"v=STSv1; \t id=a1 \t;  "},
         0,
         "a1"},
	{"RFC 8461 3.1 id of 32", {"v=STSv1; id=" ID32}, 0, ID32},
	{"RFC 8461 3.1 extensions",
         {"v=STSv1; x-y_z.1=a:b,c; id=1; q=w;"},
         0,
         "1"},
	{"RFC 8461 3.1 the first id counts", {"v=STSv1; id=1; id=2;"}, 0, "1"},
	{"RFC 8461 3.1 other records are passed over",
         {"v=spf1 -all", "v=STSv1; id=1;", "v=STSv2; id=2"},
         0,
         "1"},
	{"RFC 8461 3.1 none", {NULL}, SP_ENOTFOUND, "no record"},
	{"RFC 8461 3.1 only others", {"v=spf1 -all"}, SP_ENOTFOUND, "no"},
	{"RFC 8461 3.1 blank before the semicolon",
         {"v=STSv1 ; id=1;"},
         SP_ENOTFOUND,
         "no record"},
	{"RFC 8461 3.1 blank at the start",
         {" v=STSv1; id=1;"},
         SP_ENOTFOUND,
         "no record"},
	{"RFC 8461 3.1 version has its case",
         {"v=stsv1; id=1;"},
         SP_ENOTFOUND,
         "no record"},
	{"RFC 8461 3.1 several",
         {"v=STSv1; id=1;", "v=STSv1; id=1;"},
         SP_EPROTO,
         "several"},
	{"RFC 8461 3.1 several, one without an id",
         {"v=STSv1; id=1;", "v=STSv1;"},
         SP_EPROTO,
         "several"},
	{"RFC 8461 3.1 no id", {"v=STSv1;"}, SP_EPROTO, "no id"},
	{"RFC 8461 3.1 other fields, no id",
         {"v=STSv1; x=1;"},
         SP_EPROTO,
         "no id"},
	{"RFC 8461 3.1 empty id", {"v=STSv1; id=;"}, SP_EPROTO, "not a field"},
	{"RFC 8461 3.1 id of 33",
         {"v=STSv1; id=" ID32 "7"},
         SP_EPROTO,
         "id is not"},
	{"RFC 8461 3.1 id with a hyphen",
         {"v=STSv1; id=2026-11-23"},
         SP_EPROTO,
         "id is not"},
	{"RFC 8461 3.1 id has its case", {"v=STSv1; ID=1"}, SP_EPROTO, "no id"},
	{"RFC 8461 3.1 blank after the equals sign",
         {"v=STSv1; id= 1"},
         SP_EPROTO,
         "not a field"},
	{"RFC 8461 3.1 two semicolons",
         {"v=STSv1;; id=1"},
         SP_EPROTO,
         "not a field"},
	{"RFC 8461 3.1 two semicolons at the end",
         {"v=STSv1; id=1; ;"},
         SP_EPROTO,
         "not a field"},
	{"RFC 8461 3.1 no semicolon between",
         {"v=STSv1; id=1 x=2"},
         SP_EPROTO,
         "not a field"},
	{"RFC 8461 3.1 equals sign in a value",
         {"v=STSv1; id=1; x=a=b"},
         SP_EPROTO,
         "not a field"},
	{"RFC 8461 3.1 beyond ASCII",
         {"v=STSv1; id=1; x=\xc3\xa9"},
         SP_EPROTO,
         "not a field"},
};

static void test_txt(void **state)
{
	char why[SP_STS_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(RECORDS) / sizeof(*RECORDS); i++) {
		struct sp_str records[3], id;
		size_t n = 0;
		int err;

		print_message("  %s\n", RECORDS[i].name);
		while (n < 3 && RECORDS[i].records[n]) {
			records[n] = sp_str_from(RECORDS[i].records[n]);
			n++;
		}
		err = sp_sts_txt_parse(records, n, &id, why);
		assert_int_equal(err, RECORDS[i].err);
		if (err) {
			assert_non_null(strstr(why, RECORDS[i].id));
		} else {
			assert_true(sp_str_eq(id, sp_str_from(RECORDS[i].id)));
		}
		assert_int_equal(sp_sts_txt_parse(records, n, &id, NULL), err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),  cmocka_unit_test(test_size),
		cmocka_unit_test(test_many_mx), cmocka_unit_test(test_why),
		cmocka_unit_test(test_covers),  cmocka_unit_test(test_txt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
