/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/tlsa.h"

static const char zeros[SP_TLSA_DATA_MAX + 1];

static void test_decode(void **state)
{
	static const struct {
		const char *name;
		struct sp_str rdata;
		int err;
		uint8_t usage;
		size_t data_len;
	} cases[] = {
		{"RFC 6698 2.1 complete", {"\3\1\1abc", 6}, 0, 3, 3},
		{"RFC 6698 2.1 no data", {"\3\1\1", 3}, 0, 3, 0},
		{"RFC 6698 2.1 of 2 bytes", {"\3\1", 2}, SP_ESYNTAX, 255, 2},
		{"RFC 6698 2.1 of 0 bytes", {NULL, 0}, SP_ESYNTAX, 255, 0},
		{"RFC 6698 2.1 numbers above 127", {"\xff\1\1", 3}, 0, 255, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_tlsa tlsa;

		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_tlsa_decode(cases[i].rdata, &tlsa),
		                 cases[i].err);
		assert_int_equal(tlsa.usage, cases[i].usage);
		assert_int_equal(tlsa.data.len, cases[i].data_len);
		if (cases[i].err) {
			assert_int_equal(sp_tlsa_check(&tlsa, true),
			                 SP_TLSA_RDATA_SHORT);
		}
	}
}

static void test_check(void **state)
{
	static const struct {
		const char *name;
		struct sp_tlsa tlsa;
		bool full_parses;
		enum sp_tlsa_reason reason;
	} cases[] = {
		{"RFC 7672 3.1.1 3 1 1",
	         {3, 1, 1, {zeros, 32}},
	         true,
	         SP_TLSA_USABLE},
		{"RFC 7672 3.1.2 2 0 2",
	         {2, 0, 2, {zeros, 64}},
	         true,
	         SP_TLSA_USABLE},
		{"RFC 7672 3.1.3 0",
	         {0, 0, 1, {zeros, 32}},
	         true,
	         SP_TLSA_USAGE_PKIX},
		{"RFC 7672 3.1.3 1",
	         {1, 1, 1, {zeros, 32}},
	         true,
	         SP_TLSA_USAGE_PKIX},
		{"RFC 7671 4.1 usage 4",
	         {4, 1, 1, {zeros, 32}},
	         true,
	         SP_TLSA_USAGE_UNKNOWN},
		{"RFC 7671 4.1 usage 255",
	         {255, 255, 255, {zeros, 32}},
	         true,
	         SP_TLSA_USAGE_UNKNOWN},
		{"RFC 7671 4.1 selector 2",
	         {3, 2, 1, {zeros, 32}},
	         true,
	         SP_TLSA_SELECTOR_UNKNOWN},
		{"RFC 7671 4.1 matching 3",
	         {3, 1, 3, {zeros, 32}},
	         true,
	         SP_TLSA_MATCHING_UNKNOWN},
		{"RFC 6698 2.1.3 SHA-256 of 31",
	         {3, 1, 1, {zeros, 31}},
	         true,
	         SP_TLSA_DIGEST_LENGTH},
		{"RFC 6698 2.1.3 SHA-256 of 64",
	         {3, 1, 1, {zeros, 64}},
	         true,
	         SP_TLSA_DIGEST_LENGTH},
		{"RFC 6698 2.1.3 SHA-512 of 32",
	         {3, 1, 2, {zeros, 32}},
	         true,
	         SP_TLSA_DIGEST_LENGTH},
		{"RFC 6698 2.1.4 empty",
	         {3, 1, 1, {zeros, 0}},
	         true,
	         SP_TLSA_DATA_EMPTY},
		{"RFC 6698 2.1.4 Full, empty",
	         {2, 0, 0, {zeros, 0}},
	         true,
	         SP_TLSA_DATA_EMPTY},
		{"Full at the limit",
	         {2, 0, 0, {zeros, SP_TLSA_DATA_MAX}},
	         true,
	         SP_TLSA_USABLE},
		{"Full over the limit",
	         {2, 0, 0, {zeros, SP_TLSA_DATA_MAX + 1}},
	         true,
	         SP_TLSA_DATA_LONG},
		{"RFC 7671 4.1 Full that does not parse",
	         {2, 0, 0, {zeros, 10}},
	         false,
	         SP_TLSA_DATA_UNPARSABLE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum sp_tlsa_reason reason =
			sp_tlsa_check(&cases[i].tlsa, cases[i].full_parses);

		print_message("  %s\n", cases[i].name);
		assert_int_equal(reason, cases[i].reason);
		assert_int_equal(sp_tlsa_reason_text(reason) == NULL,
		                 reason == SP_TLSA_USABLE);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		int err;
		const char *format;
	} cases[] = {
		{"RFC 6698 2.2 plain", "3 1 1 0aff", 0, "3 1 1 0aff"},
		{"RFC 6698 2.2 blanks in the hex", " 3\t1 1 0A FF\t0\t1 ", 0,
	         "3 1 1 0aff01"},
		{"RFC 6698 2.2 255", "255 255 255 00", 0, "255 255 255 00"},
		{"RFC 6698 2.2 no data", "3 1 1", 0, "3 1 1"},
		{"RFC 6698 2.2 number of 256", "3 256 1 00", SP_ESYNTAX, NULL},
		{"RFC 6698 2.2 negative", "-3 1 1 00", SP_ESYNTAX, NULL},
		{"RFC 6698 2.2 two numbers", "3 1", SP_ESYNTAX, NULL},
		{"RFC 6698 2.2 empty", "", SP_ESYNTAX, NULL},
		{"RFC 6698 2.2 odd digits", "3 1 1 0af", SP_ESYNTAX, NULL},
		{"RFC 6698 2.2 no hex", "3 1 1 0g", SP_ESYNTAX, NULL},
		{"RFC 6698 2.2 newline", "3 1 1 00\n", SP_ESYNTAX, NULL},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_tlsa tlsa = {0};

		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_tlsa_parse(sp_str_from(cases[i].text),
		                               &arena, &tlsa),
		                 cases[i].err);
		if (cases[i].format) {
			assert_string_equal(sp_tlsa_format(&tlsa, &arena),
			                    cases[i].format);
		}
	}
	sp_arena_fini(&arena);
}

static void test_long_data(void **state)
{
	struct sp_tlsa tlsa = {2, 0, 0, {zeros, SP_TLSA_DATA_MAX + 1}};
	struct sp_arena arena;
	char *text;

	(void)state;
	sp_arena_init(&arena);
	text = sp_tlsa_format(&tlsa, &arena);
	assert_int_equal(strlen(text), 6 + 2 * SP_TLSA_DATA_MAX + 3);
	assert_string_equal(text + 6 + 2 * SP_TLSA_DATA_MAX, "...");
	tlsa.data.len = SP_TLSA_DATA_MAX;
	text = sp_tlsa_format(&tlsa, &arena);
	assert_int_equal(sp_tlsa_parse(sp_str_from(text), &arena, &tlsa), 0);
	assert_int_equal(tlsa.data.len, SP_TLSA_DATA_MAX);
	text = sp_arena_printf(&arena, "%s00", text);
	assert_int_equal(sp_tlsa_parse(sp_str_from(text), &arena, &tlsa),
	                 SP_ELIMIT);
	sp_arena_fini(&arena);
}

static void test_order(void **state)
{
	static const struct sp_tlsa sorted[] = {
		{2, 0, 0, {"a", 1}}, {2, 0, 1, {"", 0}},  {2, 1, 0, {"", 0}},
		{3, 0, 0, {"", 0}},  {3, 0, 0, {"a", 1}}, {3, 0, 0, {"b", 1}},
	};
	static const size_t count = sizeof(sorted) / sizeof(*sorted);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			int cmp = sp_tlsa_cmp(&sorted[i], &sorted[j]);

			assert_int_equal((cmp > 0) - (cmp < 0),
			                 (i > j) - (i < j));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),    cmocka_unit_test(test_check),
		cmocka_unit_test(test_parse),     cmocka_unit_test(test_order),
		cmocka_unit_test(test_long_data),
	};

	return cmocka_run_group_tests_name("tlsa", tests, NULL, NULL);
}
