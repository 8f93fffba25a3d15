/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of local programs, and TLSA records as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "cmd/message.h"
#include "cmd/tlsa.h"

static void collect(void *arg, struct sp_str address)
{
	struct sp_buf *out = arg;

	(void)sp_buf_append_cstr(out, sp_buf_len(out) ? "|" : "");
	(void)sp_buf_append_str(out, address);
}

struct list {
	const char *name;
	const char *text;
	const char *want;
};

static const struct list LISTS[] = {
	{"RFC 5322 3.4: bare", "a@x.test", "a@x.test"},
	{"RFC 5322 3.4: two", " a@x.test , b@y.test\r\n ", "a@x.test|b@y.test"},
	{"RFC 5322 3.4: display name", "Bob B <b@y.test>", "b@y.test"},
	{"RFC 5322 3.4: quoted name", "\"B, <c@z.test>\" <b@y.test>",
         "b@y.test"},
	{"RFC 5322 3.4: group", "us: a@x.test, Bob <b@y.test>;, c@z.test",
         "a@x.test|b@y.test|c@z.test"},
	{"RFC 5322 3.4: empty group", "undisclosed-recipients:;", ""},
	{"RFC 5322 3.2.2: comments",
         "a@x.test (b@y.test (, \\) x)), (c) d@z.test", "a@x.test|d@z.test"},
	{"RFC 5322 3.2.4: quoted local part", "\"a b,c\"@x.test",
         "\"a b,c\"@x.test"},
	{"RFC 5322 3.4.1: literal", "a@[IPv6:::1], b@y.test",
         "a@[IPv6:::1]|b@y.test"},
	{"RFC 5322 4.4: route", "<@a.test,@b.test:c@z.test>", "c@z.test"},
	{"RFC 5322 4.4: blanks around dots", "a . b @ x . test", "a.b@x.test"},
	{"two words", "no address, b@y.test", "no address|b@y.test"},
	{"null address", "<>", ""},
	{"a name alone", "root", "root"},
	{"open ends", "a@x.test, \"b", "a@x.test|\"b"},
	{"open bracket", "<a@x.test", "a@x.test"},
	{"open comment", "a@x.test (", "a@x.test"},
	{"nothing", " , ;; ,", ""},
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
		struct sp_buf out;
		char *text;

		print_message("%s\n", LISTS[i].name);
		sp_buf_init(&out, 1000);
		sp_message_addresses(sp_str_from(LISTS[i].text), collect, &out);
		text = sp_buf_take(&out);
		assert_string_equal(text, LISTS[i].want);
		sp_free(text);
		sp_buf_fini(&out);
	}
}

static const char MAIL[] = "To: a@x.test,\n b@y.test\n"
			   "bcc: c@z.test\n"
			   "Subject: Bcc: no@where.test\n"
			   "CC : d@w.test\n"
			   "\n"
			   "To: body@x.test\n";

static void test_header(void **state)
{
	struct sp_buf out;
	char *text;

	(void)state;
	sp_buf_init(&out, 1000);
	assert_int_equal(
		sp_message_recipients(sp_str_from(MAIL), collect, &out), 4);
	text = sp_buf_take(&out);
	assert_string_equal(text, "a@x.test|b@y.test|c@z.test|d@w.test");
	sp_free(text);
	assert_int_equal(sp_message_drop_bcc(sp_str_from(MAIL), &out), 0);
	text = sp_buf_take(&out);
	assert_string_equal(text, "To: a@x.test,\n b@y.test\n"
	                          "Subject: Bcc: no@where.test\n"
	                          "CC : d@w.test\n"
	                          "\n"
	                          "To: body@x.test\n");
	sp_free(text);
	sp_buf_fini(&out);
}

struct whole {
	const char *name;
	const char *in;
	const char *from_name;
	const char *want;
};

static const struct whole WHOLES[] = {
	{"complete", "From: x\nSubject: s\n\nb\n", "",
         "From: x\nSubject: s\n\nb\n"},
	{"From is added", "Subject: s\n\nb\n", "",
         "From: <me@x.test>\nSubject: s\n\nb\n"},
	{"with a name", "Subject: s\n\nb\n", "A \"B\"",
         "From: \"A \\\"B\\\"\" <me@x.test>\nSubject: s\n\nb\n"},
	{"no header at all", "hello\n", "", "From: <me@x.test>\n\nhello\n"},
	{"header without an end", "Subject: s\nhello there\n", "",
         "From: <me@x.test>\nSubject: s\n\nhello there\n"},
	{"mbox line", "From me Mon Nov 23\nSubject: s\n\nb\n", "",
         "From: <me@x.test>\nSubject: s\n\nb\n"},
};

static void test_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(WHOLES) / sizeof(WHOLES[0]); i++) {
		struct sp_buf out;
		char *text;

		print_message("%s\n", WHOLES[i].name);
		sp_buf_init(&out, 1000);
		assert_int_equal(
			sp_message_complete(
				sp_str_from(WHOLES[i].in), SP_STR("me@x.test"),
				sp_str_from(WHOLES[i].from_name), &out),
			0);
		text = sp_buf_take(&out);
		assert_string_equal(text, WHOLES[i].want);
		sp_free(text);
		sp_buf_fini(&out);
	}
}

static void test_dot(void **state)
{
	static const struct list CASES[] = {
		{"none", "a\n..\n", "a\n..\n"},
		{"dot", "a\n.\nb\n", "a\n"},
		{"dot CRLF", "a\r\n.\r\nb\r\n", "a\r\n"},
		{"dot at the end", "a\n.", "a\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		print_message("%s\n", CASES[i].name);
		assert_true(sp_str_eq(
			sp_message_until_dot(sp_str_from(CASES[i].text)),
			sp_str_from(CASES[i].want)));
	}
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *name;
	const char *text;
	int result;
} RECORDS[] = {
	{"RFC 6698 2.2: record", "3 1 1 " HEX, 0},
	{"RFC 6698 2.2: line", "_25._tcp.x.test. IN TLSA 3 1 1 " HEX, 0},
	{"RFC 1035 5.1: TTL, case, tabs", "x\t3600\tin\ttlsa\t3\t1\t1\t" HEX,
         0},
	{"RFC 1035 5.1: parentheses", "x TLSA ( 3 1 1 " HEX " )", 0},
	{"RFC 1035 5.1: comment", "3 1 1 " HEX " ; key of 2026", 0},
	{"RFC 3597 5: line", "x TYPE52 \\# 35 030101" HEX, 0},
	{"RFC 3597 5: RDATA", "\\# 35 03 01 01 " HEX, 0},
	{"RFC 3597 5: wrong length", "\\# 36 030101" HEX, SP_ESYNTAX},
	{"RFC 3597 5: no length", "\\#", SP_ESYNTAX},
	{"two numbers", "3 1", SP_ESYNTAX},
	{"number too large", "256 1 1 " HEX, SP_ESYNTAX},
	{"no hex", "3 1 1 xyz", SP_ESYNTAX},
	{"other type", "x IN A 192.0.2.1", SP_ESYNTAX},
	{"nothing behind the type", "x TLSA", SP_ESYNTAX},
};

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(RECORDS) / sizeof(RECORDS[0]); i++) {
		struct sp_arena arena;
		struct sp_tlsa tlsa;

		print_message("%s\n", RECORDS[i].name);
		sp_arena_init(&arena);
		assert_int_equal(sp_tlsa_read(sp_str_from(RECORDS[i].text),
		                              &arena, &tlsa),
		                 RECORDS[i].result);
		if (!RECORDS[i].result) {
			assert_string_equal(sp_tlsa_format(&tlsa, &arena),
			                    "3 1 1 " HEX);
		}
		sp_arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),    cmocka_unit_test(test_header),
		cmocka_unit_test(test_complete), cmocka_unit_test(test_dot),
		cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
