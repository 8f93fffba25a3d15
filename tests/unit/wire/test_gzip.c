/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/gzip.h"

/* "hello\n" and "world\n", by gzip(1) -n. */
#define HELLO                                                                  \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02" \
	"\x00\x20\x30\x3a\x36\x06\x00\x00\x00"
#define WORLD                                                                  \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x2b\xcf\x2f\xca\x49\xe1\x02" \
	"\x00\xa8\x61\x38\xdd\x06\x00\x00\x00"
#define HELLO_LEN 26

static const struct unpack_case {
	const char *name;
	struct sp_str bytes;
	int err;
	const char *out; /* or the reason */
	size_t surplus;
} UNPACK[] = {
	{"RFC 1952 2.3 one member", SP_STR(HELLO), 0, "hello\n", 0},
	{"RFC 1952 2.2 two members", SP_STR(HELLO WORLD), 0, "hello\nworld\n",
         0},
	{"RFC 1952 2.2 zeros behind", SP_STR(HELLO "\0\0\0"), 0, "hello\n", 3},
	{"RFC 1952 2.2 text behind", SP_STR(HELLO "\r\n--x"), 0, "hello\n", 5},
	{"RFC 1952 2.2 half a magic number behind", SP_STR(HELLO "\x1f"), 0,
         "hello\n", 1},
	{"RFC 1952 2.2 a damaged member behind",
         SP_STR(HELLO "\x1f\x8b\x09\x00"), SP_ESYNTAX, "gzip data is damaged",
         0},
	{"RFC 1952 2.2 a cut-off member behind", SP_STR(HELLO "\x1f\x8b"),
         SP_ESYNTAX, "gzip data is cut off", 0},
	{"RFC 1952 2.3.1 no magic number", SP_STR("{}"), SP_ESYNTAX, "not gzip",
         0},
	{"RFC 1952 2.3.1 nothing", SP_STR(""), SP_ESYNTAX, "not gzip", 0},
	{"RFC 1952 2.3.1 another method",
         SP_STR("\x1f\x8b\x07\x00\x00\x00\x00\x00\x00\x03\x03\x00"), SP_ESYNTAX,
         "gzip data is damaged", 0},
	{"RFC 1950 zlib is another format", SP_STR("\x78\x9c\x03\x00"),
         SP_ESYNTAX, "not gzip", 0},
	{"RFC 1952 2.3.1 wrong check sum",
         SP_STR("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9"
                "\xe7\x02\x00\x21\x30\x3a\x36\x06\x00\x00\x00"),
         SP_ESYNTAX, "gzip data is damaged", 0},
	{"RFC 1952 2.3.1 wrong size",
         SP_STR("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9"
                "\xe7\x02\x00\x20\x30\x3a\x36\x07\x00\x00\x00"),
         SP_ESYNTAX, "gzip data is damaged", 0},
};

static void test_unpack(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(UNPACK) / sizeof(*UNPACK); i++) {
		const struct unpack_case *c = &UNPACK[i];
		char why[SP_GZIP_WHY_MAX] = "";
		size_t surplus = 77;
		struct sp_buf out;

		print_message("  %s\n", c->name);
		sp_buf_init(&out, 1000);
		(void)sp_buf_append_cstr(&out, "before ");
		assert_int_equal(sp_gzip_unpack(c->bytes,
		                                &SP_GZIP_LIMITS_REPORT, &out,
		                                &surplus, why),
		                 c->err);
		assert_int_equal(surplus, c->surplus);
		assert_string_equal(why, c->err ? c->out : "");
		assert_true(sp_str_eq(sp_str_sub(sp_buf_str(&out), 0, 7),
		                      SP_STR("before ")));
		assert_true(sp_str_eq(sp_str_sub(sp_buf_str(&out), 7, 1000),
		                      sp_str_from(c->err ? "" : c->out)));
		assert_int_equal(sp_gzip_unpack(c->bytes,
		                                &SP_GZIP_LIMITS_REPORT, &out,
		                                NULL, NULL),
		                 c->err);
		sp_buf_fini(&out);
	}
}

/* Cut anywhere, it is refused, and read within its bounds (ASan watches). */
static void test_cut(void **state)
{
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 1000);
	for (size_t len = 0; len < HELLO_LEN; len++) {
		char *copy = sp_str_dup(sp_str_sub(SP_STR(HELLO), 0, len));

		assert_int_equal(sp_gzip_unpack(sp_str_slice(copy, len),
		                                &SP_GZIP_LIMITS_REPORT, &out,
		                                NULL, NULL),
		                 SP_ESYNTAX);
		assert_int_equal(sp_buf_len(&out), 0);
		sp_free(copy);
	}
	sp_buf_fini(&out);
}

/* As many bytes as asked for: equal ones, or such as do not shrink. */
static void make_bytes(struct sp_buf *out, size_t len, bool equal)
{
	uint64_t x = 88172645463325252u;

	sp_buf_init(out, len);
	while (sp_buf_len(out) < len) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		(void)sp_buf_append_char(out, equal ? ' ' : (char)(x >> 32));
	}
}

static void check_there_and_back(size_t len, bool equal)
{
	struct sp_gzip_limits limits = {1u << 24, 1u << 24, 2000};
	struct sp_buf bytes, packed, again, back;

	make_bytes(&bytes, len, equal);
	sp_buf_init(&packed, 1u << 24);
	sp_buf_init(&again, 1u << 24);
	sp_buf_init(&back, 1u << 24);
	assert_int_equal(sp_gzip_pack(sp_buf_str(&bytes), &packed), 0);
	assert_int_equal(sp_gzip_pack(sp_buf_str(&bytes), &again), 0);
	assert_true(sp_str_eq(sp_buf_str(&packed), sp_buf_str(&again)));
	assert_int_equal(
		sp_gzip_unpack(sp_buf_str(&packed), &limits, &back, NULL, NULL),
		0);
	assert_true(sp_str_eq(sp_buf_str(&bytes), sp_buf_str(&back)));
	sp_buf_fini(&bytes);
	sp_buf_fini(&packed);
	sp_buf_fini(&again);
	sp_buf_fini(&back);
}

static void test_there_and_back(void **state)
{
	static const size_t lens[] = {0,     1,     32767,  32768,
	                              32769, 65536, 300000, 3000000};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		check_there_and_back(lens[i], false);
		check_there_and_back(lens[i], true);
	}
}

/* Limits hold to the byte: of what comes in, of what comes out, of both. */
static void test_limits(void **state)
{
	static const struct {
		const char *name;
		size_t in_less, out_max, ratio_max;
		int err;
	} cases[] = {
		{"all of it", 0, 100000, 2000, 0},
		{"one byte less may come in", 1, 100000, 2000, SP_ELIMIT},
		{"one byte less may come out", 0, 99999, 2000, SP_ELIMIT},
		{"no more than a piece may come out", 0, 32768, 2000,
	         SP_ELIMIT},
		{"nothing may come out", 0, 0, 2000, SP_ELIMIT},
		{"not a hundred times as much", 0, 100000, 100, SP_ELIMIT},
	};
	struct sp_buf bytes, packed;

	(void)state;
	make_bytes(&bytes, 100000, true);
	sp_buf_init(&packed, 100000);
	assert_int_equal(sp_gzip_pack(sp_buf_str(&bytes), &packed), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_gzip_limits limits = {
			sp_buf_len(&packed) - cases[i].in_less,
			cases[i].out_max, cases[i].ratio_max};
		struct sp_buf out;

		print_message("  %s\n", cases[i].name);
		sp_buf_init(&out, 1u << 20);
		assert_int_equal(sp_gzip_unpack(sp_buf_str(&packed), &limits,
		                                &out, NULL, NULL),
		                 cases[i].err);
		assert_int_equal(sp_buf_len(&out), cases[i].err ? 0 : 100000);
		sp_buf_fini(&out);
	}
	sp_buf_fini(&bytes);
	sp_buf_fini(&packed);
}

/* The buffer's own maximum holds too, both ways. */
static void test_room(void **state)
{
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 5);
	assert_int_equal(sp_gzip_unpack(SP_STR(HELLO), &SP_GZIP_LIMITS_REPORT,
	                                &out, NULL, NULL),
	                 SP_ELIMIT);
	assert_int_equal(sp_gzip_pack(SP_STR("hello\n"), &out), SP_ELIMIT);
	assert_int_equal(sp_buf_len(&out), 0);
	sp_buf_fini(&out);
	sp_buf_init(&out, 6);
	assert_int_equal(sp_gzip_unpack(SP_STR(HELLO), &SP_GZIP_LIMITS_REPORT,
	                                &out, NULL, NULL),
	                 0);
	sp_buf_fini(&out);
	sp_buf_init(&out, HELLO_LEN);
	assert_int_equal(sp_gzip_pack(SP_STR("hello\n"), &out), 0);
	assert_int_equal(sp_buf_len(&out), HELLO_LEN);
	sp_buf_fini(&out);
}

/* A bomb that promises gigabytes ends at the limit. */
static void test_bomb(void **state)
{
	struct sp_buf bytes, packed, out;
	char why[SP_GZIP_WHY_MAX];

	(void)state;
	make_bytes(&bytes, 8u << 20, true);
	sp_buf_init(&packed, 1u << 20);
	sp_buf_init(&out, SP_GZIP_LIMITS_REPORT.out_max);
	for (int i = 0; i < 40; i++) { /* members: 320 MiB of blanks */
		assert_int_equal(sp_gzip_pack(sp_buf_str(&bytes), &packed), 0);
	}
	assert_int_equal(sp_gzip_unpack(sp_buf_str(&packed),
	                                &SP_GZIP_LIMITS_REPORT, &out, NULL,
	                                why),
	                 SP_ELIMIT);
	assert_string_equal(why, "unpacks to too much");
	assert_int_equal(sp_buf_len(&out), 0);
	sp_buf_fini(&bytes);
	sp_buf_fini(&packed);
	sp_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unpack),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_bomb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
