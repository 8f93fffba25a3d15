/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/reply.h"

struct reply_case {
	const char *name;
	struct sp_str input;
	int result;
	unsigned code;
	struct sp_enhanced enhanced;
	const char *text;
	size_t line_count;
	size_t left; /* bytes behind the reply that stay in the input */
};

#define IN(lit)                                                                \
	{                                                                      \
		lit, sizeof(lit) - 1                                           \
	}

static const struct reply_case cases[] = {
	{"RFC 5321 4.2.1 one line", IN("250 ok\r\n"), 1, 250, {0}, "ok", 1, 0},
	{"RFC 5321 4.2.1 several lines",
         IN("250-a\r\n250-b\r\n250 c\r\n"),
         1,
         250,
         {0},
         "a\nb\nc",
         3,
         0},
	{"RFC 5321 4.2.1 code alone", IN("354\r\n"), 1, 354, {0}, "", 1, 0},
	{"RFC 5321 4.2.1 empty last line",
         IN("220-x\r\n220\r\n"),
         1,
         220,
         {0},
         "x\n",
         2,
         0},
	{"RFC 3207 4.2 bytes behind",
         IN("220 go\r\n250 x\r\n"),
         1,
         220,
         {0},
         "go",
         1,
         7},
	{"RFC 3207 4.2 one byte behind",
         IN("220 go\n2"),
         1,
         220,
         {0},
         "go",
         1,
         1},
	{"bare LF", IN("250-a\n250 b\n"), 1, 250, {0}, "a\nb", 2, 0},
	{"two CR", IN("250 a\r\r\n"), 1, 250, {0}, "a", 1, 0},
	{"CR inside", IN("250 a\rb\r\n"), 1, 250, {0}, "a b", 1, 0},
	{"8-bit text", IN("550 \xff\r\n"), 1, 550, {0}, "\xff", 1, 0},
	{"RFC 3463 2 enhanced",
         IN("550 5.7.1 no\r\n"),
         1,
         550,
         {5, 7, 1},
         "5.7.1 no",
         1,
         0},
	{"RFC 3463 2 three digits",
         IN("550 5.123.999 no\r\n"),
         1,
         550,
         {5, 123, 999},
         "5.123.999 no",
         1,
         0},
	{"RFC 3463 2 alone",
         IN("250 2.0.0\r\n"),
         1,
         250,
         {2, 0, 0},
         "2.0.0",
         1,
         0},
	{"RFC 2034 4 first line decides",
         IN("450-4.7.1 a\r\n450 4.7.2 b\r\n"),
         1,
         450,
         {4, 7, 1},
         "4.7.1 a\n4.7.2 b",
         2,
         0},
	{"RFC 2034 4 other class than the code",
         IN("550 4.7.1 no\r\n"),
         1,
         550,
         {0},
         "4.7.1 no",
         1,
         0},
	{"RFC 3463 2 class 3",
         IN("354 3.0.0 go\r\n"),
         1,
         354,
         {0},
         "3.0.0 go",
         1,
         0},
	{"RFC 3463 2 four digits",
         IN("550 5.1234.1 no\r\n"),
         1,
         550,
         {0},
         "5.1234.1 no",
         1,
         0},
	{"RFC 3463 2 leading zero",
         IN("550 5.07.1 no\r\n"),
         1,
         550,
         {0},
         "5.07.1 no",
         1,
         0},
	{"RFC 3463 2 an address",
         IN("550 5.7.1.2 no\r\n"),
         1,
         550,
         {0},
         "5.7.1.2 no",
         1,
         0},
	{"incomplete line", IN("250 ok\r"), 0, 0, {0}, NULL, 0, 0},
	{"incomplete reply", IN("250-ok\r\n"), 0, 0, {0}, NULL, 0, 0},
	{"nothing", {NULL, 0}, 0, 0, {0}, NULL, 0, 0},
	{"RFC 5321 4.2 code below 200",
         IN("199 x\r\n"),
         SP_ESYNTAX,
         0,
         {0},
         NULL,
         0,
         0},
	{"RFC 5321 4.2 code above 599",
         IN("600 x\r\n"),
         SP_ESYNTAX,
         0,
         {0},
         NULL,
         0,
         0},
	{"RFC 5321 4.2.1 codes differ",
         IN("250-a\r\n251 b\r\n"),
         SP_ESYNTAX,
         0,
         {0},
         NULL,
         0,
         0},
	{"RFC 5321 4.2 two digits",
         IN("25 x\r\n"),
         SP_ESYNTAX,
         0,
         {0},
         NULL,
         0,
         0},
	{"RFC 5321 4.2 four digits",
         IN("2500 x\r\n"),
         SP_ESYNTAX,
         0,
         {0},
         NULL,
         0,
         0},
	{"RFC 5321 4.2 tab", IN("250\tx\r\n"), SP_ESYNTAX, 0, {0}, NULL, 0, 0},
	{"RFC 5321 4.2 no code",
         IN("HTTP/1.1 400\r\n"),
         SP_ESYNTAX,
         0,
         {0},
         NULL,
         0,
         0},
	{"empty line", IN("\r\n"), SP_ESYNTAX, 0, {0}, NULL, 0, 0},
	{"NUL", IN("250 a\0b\r\n"), SP_ESYNTAX, 0, {0}, NULL, 0, 0},
};

static void check_reply(const struct reply_case *c,
                        const struct sp_reply *reply)
{
	assert_int_equal(reply->code, c->code);
	assert_int_equal(reply->enhanced.class, c->enhanced.class);
	assert_int_equal(reply->enhanced.subject, c->enhanced.subject);
	assert_int_equal(reply->enhanced.detail, c->enhanced.detail);
	assert_true(sp_str_eq(reply->text, sp_str_from(c->text)));
	assert_int_equal(reply->line_count, c->line_count);
}

static void test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_reply_parser p;
		struct sp_str input = cases[i].input;
		struct sp_reply reply;

		print_message("  %s\n", cases[i].name);
		sp_reply_parser_init(&p);
		assert_int_equal(sp_reply_parse(&p, &input, &reply),
		                 cases[i].result);
		if (cases[i].result == 1) {
			check_reply(&cases[i], &reply);
			assert_int_equal(input.len, cases[i].left);
		}
		sp_reply_parser_fini(&p);
	}
}

/* The same, each byte alone. */
static void test_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_reply_parser p;
		struct sp_reply reply;
		int result = 0;
		size_t at = 0;

		sp_reply_parser_init(&p);
		while (result == 0 && at < cases[i].input.len) {
			struct sp_str one = sp_str_sub(cases[i].input, at++, 1);

			result = sp_reply_parse(&p, &one, &reply);
			assert_int_equal(one.len, 0);
		}
		assert_int_equal(result, cases[i].result);
		if (result == 1) {
			check_reply(&cases[i], &reply);
			assert_int_equal(cases[i].input.len - at,
			                 cases[i].left);
		}
		sp_reply_parser_fini(&p);
	}
}

/* RFC 5321 4.1.1: with pipelining several replies come together. */
static void test_sequence(void **state)
{
	struct sp_str input =
		SP_STR("250-a\r\n250 b\r\n450 4.7.1 c\r\n354 d\n");
	static const struct {
		unsigned code;
		const char *text;
	} want[] = {{250, "a\nb"}, {450, "4.7.1 c"}, {354, "d"}};
	struct sp_reply_parser p;
	struct sp_reply reply;

	(void)state;
	sp_reply_parser_init(&p);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(sp_reply_parse(&p, &input, &reply), 1);
		assert_int_equal(reply.code, want[i].code);
		assert_true(sp_str_eq(reply.text, sp_str_from(want[i].text)));
	}
	assert_int_equal(sp_reply_parse(&p, &input, &reply), 0);
	assert_int_equal(input.len, 0);
	sp_reply_parser_fini(&p);
}

/* Feed piece again and again; the number of pieces taken until an error. */
static size_t pieces_until(const char *piece, size_t count_max, int *err_out)
{
	struct sp_reply_parser p;
	struct sp_reply reply;
	size_t count = 0;

	*err_out = 0;
	sp_reply_parser_init(&p);
	while (count < count_max && *err_out == 0) {
		struct sp_str input = sp_str_from(piece);

		*err_out = sp_reply_parse(&p, &input, &reply);
		count += *err_out == 0;
	}
	sp_reply_parser_reset(&p);
	sp_reply_parser_fini(&p);
	return count;
}

static void test_limits(void **state)
{
	char line[1003] = "250-";
	int err;

	(void)state;
	assert_int_equal(pieces_until("2", 100000, &err), SP_REPLY_LINE_MAX);
	assert_int_equal(err, SP_ELIMIT);
	assert_int_equal(pieces_until("250-\r\n", 100000, &err),
	                 SP_REPLY_LINES_MAX);
	assert_int_equal(err, SP_ELIMIT);
	memset(line + 4, 'x', sizeof(line) - 6);
	line[sizeof(line) - 2] = '\n';
	assert_int_equal(pieces_until(line, 100000, &err),
	                 SP_REPLY_TEXT_MAX / 998);
	assert_int_equal(err, SP_ELIMIT);
}

/* RFC 5321 4.5.3.1.5: the line is too long before the NUL comes. */
static void test_first_fault(void **state)
{
	char line[SP_REPLY_LINE_MAX + 2] = "250 ";
	struct sp_str input = sp_str_slice(line, sizeof(line));
	struct sp_reply_parser p;
	struct sp_reply reply;

	(void)state;
	memset(line + 4, 'x', sizeof(line) - 5);
	sp_reply_parser_init(&p);
	assert_int_equal(sp_reply_parse(&p, &input, &reply), SP_ELIMIT);
	sp_reply_parser_fini(&p);
}

static void test_reset(void **state)
{
	struct sp_reply_parser p;
	struct sp_reply reply;
	struct sp_str input = SP_STR("250-half\r\n250-ha");

	(void)state;
	sp_reply_parser_init(&p);
	assert_int_equal(sp_reply_parse(&p, &input, &reply), 0);
	sp_reply_parser_reset(&p);
	input = SP_STR("451 whole\r\n");
	assert_int_equal(sp_reply_parse(&p, &input, &reply), 1);
	assert_int_equal(reply.code, 451);
	assert_true(sp_str_eq(reply.text, SP_STR("whole")));
	sp_reply_parser_fini(&p);
}

static void test_enhanced_rest(void **state)
{
	struct sp_enhanced e;
	struct sp_str rest;

	(void)state;
	assert_int_equal(sp_enhanced_parse(SP_STR("4.7.1  text"), &e, &rest),
	                 0);
	assert_true(sp_str_eq(rest, SP_STR("text")));
	assert_int_equal(sp_enhanced_parse(SP_STR("4.7"), &e, &rest),
	                 SP_ESYNTAX);
	assert_int_equal(sp_enhanced_parse(SP_STR(""), &e, &rest), SP_ESYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_first_fault),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_enhanced_rest),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
