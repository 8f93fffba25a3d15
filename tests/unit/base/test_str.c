/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void assert_str(struct sp_str have, const char *want)
{
	assert_int_equal(have.len, strlen(want));
	if (have.len > 0) {
		assert_memory_equal(have.ptr, want, have.len);
	}
}

static void from_takes_null(void **state)
{
	(void)state;
	assert_int_equal(sp_str_from(NULL).len, 0);
	assert_str(sp_str_from("abc"), "abc");
	assert_true(sp_str_eq(sp_str_from(NULL), SP_STR("")));
}

static void compares_ascii_case_only(void **state)
{
	static const struct {
		const char *name;
		const char *a;
		const char *b;
		bool eq, eq_nocase;
	} cases[] = {
		{"same", "quit", "quit", true, true},
		{"case", "QUIT", "quit", false, true},
		{"length", "quit", "quits", false, false},
		{"at sign and back quote are no letters", "@", "`", false,
	         false},
		{"bracket and brace are no letters", "[", "{", false, false},
		{"high bytes have no case", "\xc4", "\xe4", false, false},
		{"empty", "", "", true, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sp_str a = sp_str_from(cases[i].a);
		struct sp_str b = sp_str_from(cases[i].b);
		if (sp_str_eq(a, b) != cases[i].eq ||
		    sp_str_eq_nocase(a, b) != cases[i].eq_nocase) {
			fail_msg("%s", cases[i].name);
		}
	}
}

static void prefix_and_suffix(void **state)
{
	struct sp_str s = SP_STR("Mail From:<a>");

	(void)state;
	assert_true(sp_str_starts_nocase(s, SP_STR("MAIL FROM:")));
	assert_true(sp_str_starts_nocase(s, SP_STR("")));
	assert_false(sp_str_starts_nocase(s, SP_STR("RCPT TO:")));
	assert_false(sp_str_starts_nocase(SP_STR("MA"), SP_STR("MAIL")));
	assert_true(sp_str_ends_nocase(s, SP_STR("from:<A>")));
	assert_true(sp_str_ends_nocase(s, SP_STR("")));
	assert_false(sp_str_ends_nocase(SP_STR("om"), SP_STR("com")));
}

static void order_is_bytewise(void **state)
{
	(void)state;
	assert_true(sp_str_cmp(SP_STR("a"), SP_STR("b")) < 0);
	assert_true(sp_str_cmp(SP_STR("b"), SP_STR("a")) > 0);
	assert_true(sp_str_cmp(SP_STR("a"), SP_STR("aa")) < 0);
	assert_true(sp_str_cmp(SP_STR("\x80"), SP_STR("a")) > 0);
	assert_int_equal(sp_str_cmp(SP_STR(""), sp_str_from(NULL)), 0);
}

static void sub_is_clamped(void **state)
{
	struct sp_str s = SP_STR("abcdef");

	(void)state;
	assert_str(sp_str_sub(s, 0, 3), "abc");
	assert_str(sp_str_sub(s, 4, 3), "ef");
	assert_str(sp_str_sub(s, 6, 1), "");
	assert_str(sp_str_sub(s, SIZE_MAX, SIZE_MAX), "");
	assert_str(sp_str_sub(s, 1, SIZE_MAX), "bcdef");
	assert_str(sp_str_sub(sp_str_from(NULL), 1, 1), "");
}

static void trim_takes_blanks_and_tabs(void **state)
{
	(void)state;
	assert_str(sp_str_trim(SP_STR(" \t a b \t")), "a b");
	assert_str(sp_str_trim(SP_STR(" \t ")), "");
	assert_str(sp_str_trim(SP_STR("\r\n")), "\r\n");
	assert_str(sp_str_trim(sp_str_from(NULL)), "");
}

static void cut_walks_a_list(void **state)
{
	struct sp_str s = SP_STR("a,,b,");
	struct sp_str head;

	(void)state;
	assert_true(sp_str_cut(&s, ',', &head));
	assert_str(head, "a");
	assert_true(sp_str_cut(&s, ',', &head));
	assert_str(head, "");
	assert_true(sp_str_cut(&s, ',', &head));
	assert_str(head, "b");
	assert_false(sp_str_cut(&s, ',', &head));
	assert_str(head, "");
	s = SP_STR("rest");
	assert_true(sp_str_cut(&s, ',', &head));
	assert_str(head, "rest");
	assert_str(s, "");
}

static void numbers(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		uint64_t max;
		int want;
		uint64_t value;
	} cases[] = {
		{"zero", "0", 0, 0, 0},
		{"leading zeros", "0007", 9, 0, 7},
		{"at the limit", "65535", 65535, 0, 65535},
		{"over by one", "65536", 65535, SP_ELIMIT, 0},
		{"digit over a tiny limit", "9", 5, SP_ELIMIT, 0},
		{"largest", "18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"largest and one", "18446744073709551616", UINT64_MAX,
	         SP_ELIMIT, 0},
		{"empty", "", 9, SP_ESYNTAX, 0},
		{"sign", "+1", 9, SP_ESYNTAX, 0},
		{"blank", "1 ", 9, SP_ESYNTAX, 0},
		{"junk behind too much", "99999x", 9, SP_ESYNTAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t value = 0;
		int ret = sp_str_u64(sp_str_from(cases[i].text), cases[i].max,
		                     &value);
		if (ret != cases[i].want || value != cases[i].value) {
			fail_msg("%s: %d", cases[i].name, ret);
		}
	}
}

static void hex_both_ways(void **state)
{
	uint8_t bytes[2];
	char text[5];
	size_t len = 0;

	(void)state;
	assert_int_equal(sp_str_unhex(SP_STR("aF09"), bytes, 2, &len), 0);
	assert_int_equal(len, 2);
	sp_str_hex(bytes, len, text, sizeof(text));
	assert_string_equal(text, "af09");
	assert_int_equal(sp_str_unhex(SP_STR(""), bytes, 2, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(sp_str_unhex(SP_STR("abc"), bytes, 2, &len),
	                 SP_ESYNTAX);
	assert_int_equal(sp_str_unhex(SP_STR("0g"), bytes, 2, &len),
	                 SP_ESYNTAX);
	assert_int_equal(sp_str_unhex(SP_STR("000000"), bytes, 2, &len),
	                 SP_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_takes_null),
		cmocka_unit_test(compares_ascii_case_only),
		cmocka_unit_test(prefix_and_suffix),
		cmocka_unit_test(order_is_bytewise),
		cmocka_unit_test(sub_is_clamped),
		cmocka_unit_test(trim_takes_blanks_and_tabs),
		cmocka_unit_test(cut_walks_a_list),
		cmocka_unit_test(numbers),
		cmocka_unit_test(hex_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
