/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/base64.h"

static const struct {
	const char *name;
	const char *text, *bytes; /* bytes null: refused */
	bool both;                /* text is what encoding gives */
} CASES[] = {
	{"RFC 4648 10: empty", "", "", true},
	{"RFC 4648 10: f", "Zg==", "f", true},
	{"RFC 4648 10: fo", "Zm8=", "fo", true},
	{"RFC 4648 10: foo", "Zm9v", "foo", true},
	{"RFC 4648 10: foob", "Zm9vYg==", "foob", true},
	{"RFC 4648 10: fooba", "Zm9vYmE=", "fooba", true},
	{"RFC 4648 10: foobar", "Zm9vYmFy", "foobar", true},
	{"all of the alphabet's end", "+/+/", "\xfb\xff\xbf", true},
	{"RFC 2045 6.8: blanks between", " Zm9v\r\n\tYg = =", "foob", false},
	{"padding is missing", "Zg", NULL, false},
	{"padding too long", "Zg===", NULL, false},
	{"padding alone", "====", NULL, false},
	{"text behind padding", "Zg==Zg==", NULL, false},
	{"RFC 4648 3.5: bits left over", "Zh==", NULL, false},
	{"RFC 4648 3.5: bits left over of two", "Zm9=", NULL, false},
	{"another character", "Zm9*", NULL, false},
	{"RFC 4648 5 is another alphabet", "-_-_", NULL, false},
};

static void test_cases(void **state)
{
	struct sp_arena arena;
	struct sp_str out;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		int ret = sp_base64_decode(sp_str_from(CASES[i].text), &arena,
		                           &out);
		struct sp_str bytes = sp_str_from(CASES[i].bytes);

		if ((ret == 0) != (CASES[i].bytes != NULL) ||
		    (ret == 0 && !sp_str_eq(out, bytes)) ||
		    (CASES[i].both &&
		     !sp_str_eq(sp_base64_encode(bytes, &arena),
		                sp_str_from(CASES[i].text)))) {
			fail_msg("%s", CASES[i].name);
		}
	}
	assert_int_not_equal(sp_base64_decode(SP_STR("Zm\0v"), &arena, &out),
	                     0);
	sp_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
