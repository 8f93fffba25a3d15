/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/txt_field.h"

#define MARK "v=Xv1;"

static const struct txt_case {
	const char *name;
	const char *records[3];
	const char *fields; /* "name=value " of each */
	const char *why;    /* null: valid */
	int ret;
} CASES[] = {
	{"RFC 8461 3.1 a field", {MARK " id=1;"}, "id=1 ", NULL, 0},
	{"RFC 8461 3.1 nothing behind the version", {MARK}, "", NULL, 0},
	{"RFC 8461 3.1 no semicolon at the end",
         {MARK "a=1;b=2"},
         "a=1 b=2 ",
         NULL,
         0},
	{"RFC 8461 3.1 other records stand beside it",
         {"v=spf1 -all", MARK "a=1", ""},
         "a=1 ",
         NULL,
         0},
	{"RFC 8460 3 the value may have =", {MARK "a=b=c"}, "a=b=c ", NULL, 0},
	{"RFC 8461 3.1 none",
         {"v=Xv1", "v=xV1;a=1"},
         "",
         "no record begins",
         SP_ENOTFOUND},
	{"RFC 8461 3.1 two",
         {MARK "a=1", MARK "a=1"},
         "",
         "several records",
         SP_EPROTO},
	{"RFC 8461 3.1 an empty field",
         {MARK "a=1;;b=2"},
         "a=1 ",
         "not a field",
         SP_EPROTO},
	{"RFC 8461 3.1 no value",
         {MARK "a="},
         "",
         "not a field: a=",
         SP_EPROTO},
	{"RFC 8461 3.1 no equals sign",
         {MARK "a"},
         "",
         "not a field: a",
         SP_EPROTO},
	{"RFC 8461 3.1 a name begins with a letter or digit",
         {MARK "_a=1"},
         "",
         "not a field: _a=1",
         SP_EPROTO},
	{"RFC 8461 3.1 a name of 33",
         {MARK "a23456789012345678901234567890123=1"},
         "",
         "not a field",
         SP_EPROTO},
};

static int read_all(struct sp_txt_fields *fields, struct sp_buf *out, char *why)
{
	struct sp_txt_field f;
	int ret;

	while ((ret = sp_txt_fields_next(fields, &f, why)) > 0) {
		assert_int_equal(f.whole.len, f.name.len + 1 + f.value.len);
		(void)sp_buf_printf(out, SP_STR_FMT "=" SP_STR_FMT " ",
		                    SP_STR_ARG(f.name), SP_STR_ARG(f.value));
	}
	assert_true(ret != 0 || sp_txt_fields_next(fields, &f, why) == 0);
	return ret;
}

static void check_case(const struct txt_case *c)
{
	struct sp_str records[3];
	struct sp_txt_fields fields;
	char why[SP_TXT_FIELD_WHY_MAX] = "";
	struct sp_buf seen;
	size_t count = 0;
	int ret;

	for (; count < 3 && c->records[count]; count++) {
		records[count] = sp_str_from(c->records[count]);
	}
	sp_buf_init(&seen, 1000);
	ret = sp_txt_fields_begin(records, count, MARK, &fields, why);
	if (!ret) {
		ret = read_all(&fields, &seen, why);
	}
	if (ret != c->ret || (c->why ? !strstr(why, c->why) : *why) ||
	    !sp_str_eq(sp_buf_str(&seen), sp_str_from(c->fields))) {
		fail_msg("%s: %d '%s' %s", c->name, ret, why,
		         sp_buf_str(&seen).ptr);
	}
	sp_buf_fini(&seen);
	ret = sp_txt_fields_begin(records, count, MARK, &fields, NULL);
	assert_true(ret == c->ret || ret == 0);
}

static void test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		check_case(&CASES[i]);
	}
}

static void test_value(void **state)
{
	(void)state;
	assert_true(sp_txt_is_value(SP_STR("!:<>~")));
	assert_false(sp_txt_is_value(SP_STR("")));
	assert_false(sp_txt_is_value(SP_STR("a b")));
	assert_false(sp_txt_is_value(SP_STR("a=b")));
	assert_false(sp_txt_is_value(SP_STR("a;b")));
	assert_false(sp_txt_is_value(SP_STR("\xc3\xa4")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
