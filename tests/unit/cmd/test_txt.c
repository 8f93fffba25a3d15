/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "cmd/txt.h"

#define TEN "aaaaaaaaaa"
#define L250                                                                   \
	TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN    \
		TEN TEN TEN TEN TEN TEN TEN TEN

static const struct txt_case {
	const char *name;
	const char *text;
	const char *records; /* "|" behind each; or the reason */
	int err;
} CASES[] = {
	{"nothing", "", "", 0},
	{"blank lines and comments", "\n  \r\n; x\n", "", 0},
	{"no quotes: the line is the string", " v=X; a=b \r\nc", "v=X; a=b|c|",
         0},
	{"RFC 1035 5.1 a quoted string", "\" v=X; a=b \"\n", " v=X; a=b |", 0},
	{"RFC 1035 3.3.14 strings are joined", "\"a\" \"b\"\t\"\" \"c\"",
         "abc|", 0},
	{"RFC 1035 5.1 with owner, TTL, class",
         "_x.d.test. 300 IN TXT \"a\" ; more", "a|", 0},
	{"RFC 1035 5.1 parentheses in one line", "x TXT ( \"a\" \"b\" )", "ab|",
         0},
	{"RFC 1035 5.1 escapes", "\"a\\\"b\\\\c\\059\\;\"", "a\"b\\c;;|", 0},
	{"several records", "\"a\"\n\nb\n\"c\"", "a|b|c|", 0},
	{"RFC 1035 3.3 a string of 255", "\"" L250 "aaaaa\" \"b\"",
         L250 "aaaaab|", 0},
	{"RFC 1035 3.3 a string of 256", "\"" L250 "aaaaaa\"",
         "line 1: a string of more than 255 bytes", SP_ESYNTAX},
	{"quote without its end", "a\n\"b", "line 2: a quote without its end",
         SP_ESYNTAX},
	{"text between the quotes", "\"a\" b \"c\"",
         "line 1: text outside the quotes", SP_ESYNTAX},
	{"another type", "x IN MX \"c\"", "line 1: text outside the quotes",
         SP_ESYNTAX},
	{"RFC 1035 5.1 byte above 255", "\"\\256\"", "line 1: a byte above 255",
         SP_ESYNTAX},
	{"RFC 1035 5.1 two digits", "\"\\25\"",
         "line 1: a backslash and not three digits", SP_ESYNTAX},
	{"backslash at the end", "\"\\", "line 1: a backslash at the end",
         SP_ESYNTAX},
};

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		struct sp_str records[SP_TXT_RECORDS_MAX];
		char why[SP_TXT_WHY_MAX] = "";
		struct sp_arena arena;
		struct sp_buf out;
		size_t count;

		print_message("  %s\n", CASES[i].name);
		sp_arena_init(&arena);
		sp_buf_init(&out, 10000);
		assert_int_equal(sp_txt_read(sp_str_from(CASES[i].text), &arena,
		                             records, &count, why),
		                 CASES[i].err);
		for (size_t k = 0; !CASES[i].err && k < count; k++) {
			(void)sp_buf_append_str(&out, records[k]);
			(void)sp_buf_append_char(&out, '|');
		}
		(void)sp_buf_append_cstr(&out, why);
		assert_true(sp_str_eq(sp_buf_str(&out),
		                      sp_str_from(CASES[i].records)));
		sp_buf_fini(&out);
		sp_arena_fini(&arena);
	}
}

static void test_many(void **state)
{
	struct sp_str records[SP_TXT_RECORDS_MAX];
	char why[SP_TXT_WHY_MAX];
	struct sp_arena arena;
	struct sp_buf text;
	size_t count;

	(void)state;
	sp_arena_init(&arena);
	sp_buf_init(&text, 1000);
	for (int i = 0; i < SP_TXT_RECORDS_MAX; i++) {
		(void)sp_buf_append_cstr(&text, "a\n");
	}
	assert_int_equal(
		sp_txt_read(sp_buf_str(&text), &arena, records, &count, why),
		0);
	assert_int_equal(count, SP_TXT_RECORDS_MAX);
	(void)sp_buf_append_cstr(&text, "b");
	assert_int_equal(
		sp_txt_read(sp_buf_str(&text), &arena, records, &count, why),
		SP_ESYNTAX);
	assert_string_equal(why, "line 65: more than 64 records");
	sp_buf_fini(&text);
	sp_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
