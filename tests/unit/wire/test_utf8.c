/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/utf8.h"

static void test_len(void **state)
{
	static const struct {
		const char *name;
		struct sp_str text;
		size_t len;
	} cases[] = {
		{"empty", {NULL, 0}, 0},
		{"RFC 3629 3 NUL", {"\0", 1}, 1},
		{"RFC 3629 3 ASCII", {"ab", 2}, 1},
		{"RFC 3629 3 two bytes", {"\xc2\x80", 2}, 2},
		{"RFC 3629 3 three bytes", {"\xef\xbf\xbf", 3}, 3},
		{"RFC 3629 3 four bytes", {"\xf4\x8f\xbf\xbf", 4}, 4},
		{"RFC 3629 4 cut", {"\xe2\x82", 2}, 0},
		{"RFC 3629 4 continuation first", {"\x80", 1}, 0},
		{"RFC 3629 4 third is no continuation", {"\xe2\x82z", 3}, 0},
		{"RFC 3629 3 overlong of 2", {"\xc1\x81", 2}, 0},
		{"RFC 3629 3 overlong of 3", {"\xe0\x9f\xbf", 3}, 0},
		{"RFC 3629 3 overlong of 4", {"\xf0\x8f\xbf\xbf", 4}, 0},
		{"RFC 3629 3 surrogate", {"\xed\xa0\x80", 3}, 0},
		{"RFC 3629 3 over U+10FFFF", {"\xf4\x90\x80\x80", 4}, 0},
		{"RFC 3629 4 no such first byte", {"\xff\xff", 2}, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_utf8_len(cases[i].text), cases[i].len);
		assert_int_equal(sp_utf8_valid(cases[i].text),
		                 cases[i].text.len == 0 || cases[i].len > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_len),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
