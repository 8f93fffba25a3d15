/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/command.h"

#define IN(lit)                                                                \
	{                                                                      \
		lit, sizeof(lit) - 1                                           \
	}
#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define N50 "01234567890123456789012345678901234567890123456789"

static void test_verbs(void **state)
{
	static const struct {
		const char *name;
		struct sp_str line;
		enum sp_verb verb;
		enum sp_command_problem problem;
		const char *argument;
	} cases[] = {
		{"RFC 5321 4.1.1.1 EHLO", IN("EHLO c.test"), SP_VERB_EHLO,
	         SP_COMMAND_NONE, "c.test"},
		{"RFC 5321 2.4 case", IN("eHlo C.test"), SP_VERB_EHLO,
	         SP_COMMAND_NONE, "C.test"},
		{"RFC 5321 4.1.3 literal", IN("EHLO [IPv6:2001:db8::1]"),
	         SP_VERB_EHLO, SP_COMMAND_NONE, "[IPv6:2001:db8::1]"},
		{"RFC 5321 4.1.1.1 no name", IN("HELO"), SP_VERB_HELO,
	         SP_COMMAND_ARGUMENT_NONE, ""},
		{"RFC 5321 4.1.1.1 two names", IN("EHLO a b"), SP_VERB_EHLO,
	         SP_COMMAND_ARGUMENT, ""},
		{"RFC 5321 4.1.1.1 brackets", IN("EHLO <a>"), SP_VERB_EHLO,
	         SP_COMMAND_ARGUMENT, ""},
		{"RFC 5321 4.1.1 blanks behind", IN("EHLO a  "), SP_VERB_EHLO,
	         SP_COMMAND_NONE, "a"},
		{"RFC 5321 4.1.1.4 DATA", IN("DATA"), SP_VERB_DATA,
	         SP_COMMAND_NONE, ""},
		{"RFC 5321 4.1.1 DATA with blank", IN("DATA "), SP_VERB_DATA,
	         SP_COMMAND_NONE, ""},
		{"RFC 5321 4.1.1.4 DATA with argument", IN("DATA x"),
	         SP_VERB_DATA, SP_COMMAND_ARGUMENT_EXTRA, ""},
		{"RFC 5321 4.1.1.5 RSET", IN("RSET"), SP_VERB_RSET,
	         SP_COMMAND_NONE, ""},
		{"RFC 5321 4.1.1.9 NOOP", IN("NOOP a b"), SP_VERB_NOOP,
	         SP_COMMAND_NONE, "a b"},
		{"RFC 5321 4.1.1.10 QUIT", IN("QUIT"), SP_VERB_QUIT,
	         SP_COMMAND_NONE, ""},
		{"RFC 5321 4.1.1.6 VRFY", IN("VRFY x"), SP_VERB_VRFY,
	         SP_COMMAND_NONE, "x"},
		{"RFC 5321 4.1.1.7 EXPN, nothing", IN("EXPN"), SP_VERB_EXPN,
	         SP_COMMAND_ARGUMENT_NONE, ""},
		{"RFC 5321 4.1.1.8 HELP", IN("HELP"), SP_VERB_HELP,
	         SP_COMMAND_NONE, ""},
		{"RFC 3207 4 STARTTLS", IN("STARTTLS"), SP_VERB_STARTTLS,
	         SP_COMMAND_NONE, ""},
		{"RFC 3207 4 STARTTLS with argument", IN("STARTTLS now"),
	         SP_VERB_STARTTLS, SP_COMMAND_ARGUMENT_EXTRA, ""},
		{"RFC 4954 4 AUTH", IN("AUTH PLAIN AGE="), SP_VERB_AUTH,
	         SP_COMMAND_NONE, "PLAIN AGE="},
		{"HTTP", IN("POST / HTTP/1.1"), SP_VERB_FOREIGN,
	         SP_COMMAND_NONE, "/ HTTP/1.1"},
		{"RFC 5321 4.2.4 unknown", IN("XYZZY"), SP_VERB_UNKNOWN,
	         SP_COMMAND_UNKNOWN, ""},
		{"RFC 5321 4.2.4 longer word", IN("DATAX"), SP_VERB_UNKNOWN,
	         SP_COMMAND_UNKNOWN, ""},
		{"RFC 5321 4.1.1 leading blank", IN(" DATA"), SP_VERB_UNKNOWN,
	         SP_COMMAND_UNKNOWN, ""},
		{"empty line", IN(""), SP_VERB_UNKNOWN, SP_COMMAND_UNKNOWN, ""},
		{"tab", IN("DATA\t"), SP_VERB_UNKNOWN, SP_COMMAND_CONTROL, ""},
		{"NUL", IN("DATA\0"), SP_VERB_UNKNOWN, SP_COMMAND_CONTROL, ""},
		{"CR", IN("DATA\r"), SP_VERB_UNKNOWN, SP_COMMAND_CONTROL, ""},
		{"LF inside", IN("NOOP\nDATA"), SP_VERB_UNKNOWN,
	         SP_COMMAND_CONTROL, ""},
		{"DEL", IN("NOOP \x7f"), SP_VERB_UNKNOWN, SP_COMMAND_CONTROL,
	         ""},
		{"RFC 6531 3.3 no UTF-8", IN("NOOP \xe9"), SP_VERB_UNKNOWN,
	         SP_COMMAND_NOT_UTF8, ""},
		{"RFC 5321 4.1.1.1 8-bit name", IN("EHLO \xc3\xa9"),
	         SP_VERB_EHLO, SP_COMMAND_ARGUMENT, ""},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_command c;
		int err = sp_command_parse(cases[i].line, &arena, &c);

		print_message("  %s\n", cases[i].name);
		assert_int_equal(c.problem, cases[i].problem);
		assert_int_equal(c.verb, cases[i].verb);
		assert_int_equal(err == 0, c.problem == SP_COMMAND_NONE);
		assert_true(
			sp_str_eq(c.argument, sp_str_from(cases[i].argument)));
	}
	sp_arena_fini(&arena);
}

static void test_paths(void **state)
{
	static const struct {
		const char *name;
		struct sp_str line;
		enum sp_command_problem problem;
		const char *mailbox;
	} cases[] = {
		{"RFC 5321 4.1.1.2 MAIL", IN("MAIL FROM:<a@d.test>"),
	         SP_COMMAND_NONE, "a@d.test"},
		{"RFC 5321 2.4 case", IN("mail from:<A@d.test>"),
	         SP_COMMAND_NONE, "A@d.test"},
		{"RFC 5321 4.1.1.2 null path", IN("MAIL FROM:<>"),
	         SP_COMMAND_NONE, ""},
		{"RFC 5321 4.1.1.3 RCPT", IN("RCPT TO:<\"a b\"@[192.0.2.1]>"),
	         SP_COMMAND_NONE, "\"a b\"@[192.0.2.1]"},
		{"RFC 5321 4.1.1.3 Postmaster", IN("RCPT TO:<Postmaster>"),
	         SP_COMMAND_NONE, "Postmaster"},
		{"RFC 5321 C source route", IN("RCPT TO:<@x.test:a@d.test>"),
	         SP_COMMAND_NONE, "a@d.test"},
		{"RFC 5321 4.1.1.3 null path", IN("RCPT TO:<>"),
	         SP_COMMAND_RECIPIENT, ""},
		{"RFC 5321 4.1.1.2 Postmaster", IN("MAIL FROM:<postmaster>"),
	         SP_COMMAND_SENDER, ""},
		{"RFC 5321 3.3 blank behind the colon",
	         IN("MAIL FROM: <a@d.test>"), SP_COMMAND_SENDER, ""},
		{"RFC 5321 3.3 blank before the colon",
	         IN("MAIL FROM :<a@d.test>"), SP_COMMAND_ARGUMENT, ""},
		{"RFC 5321 4.1.2 no brackets", IN("MAIL FROM:a@d.test"),
	         SP_COMMAND_SENDER, ""},
		{"RFC 5321 4.1.2 no bracket at the end",
	         IN("RCPT TO:<a@d.test"), SP_COMMAND_RECIPIENT, ""},
		{"RFC 5321 4.1.2 text behind", IN("RCPT TO:<a@d.test>x"),
	         SP_COMMAND_RECIPIENT, ""},
		{"RFC 5321 4.1.1.2 TO", IN("MAIL TO:<a@d.test>"),
	         SP_COMMAND_ARGUMENT, ""},
		{"RFC 5321 4.1.1.2 nothing", IN("MAIL"), SP_COMMAND_ARGUMENT,
	         ""},
		{"RFC 5321 4.5.3.1.1 long local part",
	         IN("RCPT TO:<" L63 "bb@d.test>"), SP_COMMAND_ADDRESS_LONG, ""},
		{"RFC 6531 3.5 without SMTPUTF8",
	         IN("MAIL FROM:<\xc3\xa9@d.test>"), SP_COMMAND_NEEDS_SMTPUTF8,
	         "\xc3\xa9@d.test"},
		{"RFC 6531 3.5 with SMTPUTF8",
	         IN("MAIL FROM:<\xc3\xa9@d.test> SMTPUTF8"), SP_COMMAND_NONE,
	         "\xc3\xa9@d.test"},
		{"RFC 6531 3.5 recipient", IN("RCPT TO:<\xc3\xa9@d.test>"),
	         SP_COMMAND_NONE, "\xc3\xa9@d.test"},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_command c;

		print_message("  %s\n", cases[i].name);
		(void)sp_command_parse(cases[i].line, &arena, &c);
		assert_int_equal(c.problem, cases[i].problem);
		if (c.problem == SP_COMMAND_NONE) {
			assert_true(sp_str_eq(c.mailbox,
			                      sp_str_from(cases[i].mailbox)));
		}
	}
	sp_arena_fini(&arena);
}

/* Each is put behind MAIL FROM:<a@d.test> or RCPT TO:<a@d.test>. */
static const struct param_case {
	const char *name;
	const char *params;
	enum sp_command_problem problem;
} mail_cases[] = {
	{"RFC 1870 3 SIZE", "SIZE=1000", SP_COMMAND_NONE},
	{"RFC 1870 3 SIZE of 20 digits", "SIZE=99999999999999999999",
         SP_COMMAND_NONE},
	{"RFC 1870 3 SIZE of 21 digits", "SIZE=000000000000000000001",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 1870 3 SIZE negative", "SIZE=-1", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 1870 3 SIZE empty", "SIZE=", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 1870 3 SIZE alone", "SIZE", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 6152 2 BODY", "body=8bitmime", SP_COMMAND_NONE},
	{"RFC 3030 3 BODY=BINARYMIME", "BODY=BINARYMIME",
         SP_COMMAND_PARAM_VALUE},
	{"RFC 6531 3.4 SMTPUTF8", "SMTPUTF8", SP_COMMAND_NONE},
	{"RFC 6531 3.4 SMTPUTF8 with value", "SMTPUTF8=1",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 6531 3.4 SMTPUTF8 with empty value",
         "SMTPUTF8=", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 8689 2 REQUIRETLS", "REQUIRETLS", SP_COMMAND_NONE},
	{"RFC 3461 4.3 RET", "RET=HDRS", SP_COMMAND_NONE},
	{"RFC 3461 4.3 RET of another word", "RET=ALL",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.4 ENVID", "ENVID=QQ+2B+20x", SP_COMMAND_NONE},
	{"RFC 3461 4.4 ENVID of 100", "ENVID=" N50 N50, SP_COMMAND_NONE},
	{"RFC 3461 4.4 ENVID of 101", "ENVID=" N50 N50 "0",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.4 ENVID with NUL", "ENVID=a+00", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.4 ENVID with LF", "ENVID=a+0Ab", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.4 ENVID with tab", "ENVID=a+09b", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.4 ENVID 8-bit", "ENVID=a+E9", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.1 NOTIFY is for RCPT", "NOTIFY=NEVER",
         SP_COMMAND_PARAM_UNKNOWN},
	{"RFC 5321 4.1.1.11 unknown", "XYZ=1", SP_COMMAND_PARAM_UNKNOWN},
	{"RFC 5321 4.1.1.11 twice", "SIZE=1 RET=FULL size=1",
         SP_COMMAND_PARAM_TWICE},
	{"RFC 5321 4.1.2 keyword", "-X=1", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 5321 4.1.2 no keyword", "=1", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 5321 4.1.2 equals sign in the value", "ENVID=a=b",
         SP_COMMAND_PARAM_SYNTAX},
	{"several", "SIZE=1 BODY=7BIT SMTPUTF8 REQUIRETLS RET=FULL ENVID=x",
         SP_COMMAND_NONE},
};

static const struct param_case rcpt_cases[] = {
	{"RFC 3461 4.1 NOTIFY", "NOTIFY=success,DELAY", SP_COMMAND_NONE},
	{"RFC 3461 4.1 NEVER", "NOTIFY=NEVER", SP_COMMAND_NONE},
	{"RFC 3461 4.1 NEVER and more", "NOTIFY=NEVER,FAILURE",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.1 twice", "NOTIFY=DELAY,DELAY", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.1 comma at the end", "NOTIFY=DELAY,",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.1 comma at the start", "NOTIFY=,DELAY",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.1 another word", "NOTIFY=ALWAYS", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.2 ORCPT", "ORCPT=rfc822;x+2By@d.test", SP_COMMAND_NONE},
	{"RFC 3461 4.2 ORCPT with CR", "ORCPT=rfc822;x+0Dy@d.test",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.2 ORCPT without type", "ORCPT=x@d.test",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.2 ORCPT with empty type", "ORCPT=;x@d.test",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 3461 4.2 ORCPT with empty address", "ORCPT=rfc822;",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 6533 3 ORCPT of type rfc822 with UTF-8",
         "ORCPT=rfc822;j+C3+BCrgen@d.test", SP_COMMAND_NONE},
	{"RFC 6533 3 ORCPT of type rfc822, not UTF-8",
         "ORCPT=rfc822;j+FCrgen@d.test", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 6533 3 ORCPT of type rfc822, UTF-8 and LF",
         "ORCPT=rfc822;j+C3+BC+0A@d.test", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 6533 3 ORCPT of another type with UTF-8",
         "ORCPT=x400;j+C3+BCrgen@d.test", SP_COMMAND_PARAM_SYNTAX},
	{"RFC 6533 3 ORCPT of type utf-8", "ORCPT=utf-8;\\x{E9}@d.test",
         SP_COMMAND_NONE},
	{"RFC 6533 3 ORCPT of type utf-8, plus", "ORCPT=utf-8;a+2Bb@d.test",
         SP_COMMAND_PARAM_SYNTAX},
	{"RFC 1870 3 SIZE is for MAIL", "SIZE=1", SP_COMMAND_PARAM_UNKNOWN},
};

static void check_params(const char *prefix, const struct param_case *c)
{
	struct sp_command command;
	struct sp_arena arena;
	char *line;

	print_message("  %s\n", c->name);
	sp_arena_init(&arena);
	line = sp_arena_printf(&arena, "%s %s", prefix, c->params);
	(void)sp_command_parse(sp_str_from(line), &arena, &command);
	assert_int_equal(command.problem, c->problem);
	sp_arena_fini(&arena);
}

static void test_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mail_cases) / sizeof(*mail_cases); i++) {
		check_params("MAIL FROM:<a@d.test>", &mail_cases[i]);
	}
	for (size_t i = 0; i < sizeof(rcpt_cases) / sizeof(*rcpt_cases); i++) {
		check_params("RCPT TO:<a@d.test>", &rcpt_cases[i]);
	}
}

static void test_values(void **state)
{
	struct sp_arena arena;
	struct sp_command c;

	(void)state;
	sp_arena_init(&arena);
	assert_int_equal(
		sp_command_parse(SP_STR("MAIL FROM:<a@d.test> SIZE=1000  "
	                                "BODY=8BITMIME SMTPUTF8 REQUIRETLS "
	                                "RET=HDRS ENVID=a+20b"),
	                         &arena, &c),
		0);
	assert_true(c.has_size);
	assert_true(c.size_bytes == 1000);
	assert_int_equal(c.body, SP_BODY_8BITMIME);
	assert_true(c.smtputf8);
	assert_true(c.requiretls);
	assert_int_equal(c.ret, SP_RET_HDRS);
	assert_true(sp_str_eq(c.envid, SP_STR("a b")));
	assert_int_equal(sp_command_parse(SP_STR("RCPT TO:<a@d.test> "
	                                         "NOTIFY=FAILURE,DELAY "
	                                         "ORCPT=rfc822;x+2By@d.test"),
	                                  &arena, &c),
	                 0);
	assert_int_equal(c.notify, SP_NOTIFY_FAILURE | SP_NOTIFY_DELAY);
	assert_true(sp_str_eq(c.orcpt, SP_STR("rfc822;x+y@d.test")));
	assert_int_equal(
		sp_command_parse(SP_STR("RCPT TO:<a@d.test> "
	                                "ORCPT=rfc822;j+C3+BC+2By@d.test"),
	                         &arena, &c),
		0);
	assert_true(
		sp_str_eq(c.orcpt, SP_STR("utf-8;j\xC3\xBC\\x{2B}y@d.test")));
	assert_int_equal(
		sp_command_parse(
			SP_STR("MAIL FROM:<> SIZE=18446744073709551616"),
			&arena, &c),
		0);
	assert_true(c.size_bytes == UINT64_MAX);
	sp_arena_fini(&arena);
}

static void test_bdat(void **state)
{
	static const struct {
		const char *name;
		const char *line;
		enum sp_command_problem problem;
		uint64_t bytes;
		bool last;
	} cases[] = {
		{"RFC 3030 2 chunk", "BDAT 86", SP_COMMAND_NONE, 86, false},
		{"RFC 3030 2 last", "BDAT 86 last", SP_COMMAND_NONE, 86, true},
		{"RFC 3030 2 empty last", "BDAT 0 LAST", SP_COMMAND_NONE, 0,
	         true},
		{"RFC 3030 2 largest", "BDAT 18446744073709551615",
	         SP_COMMAND_NONE, UINT64_MAX, false},
		{"RFC 3030 2 no size", "BDAT", SP_COMMAND_ARGUMENT_NONE, 0,
	         false},
		{"RFC 3030 2 LAST alone", "BDAT LAST", SP_COMMAND_ARGUMENT, 0,
	         false},
		{"RFC 3030 2 negative", "BDAT -1", SP_COMMAND_ARGUMENT, 0,
	         false},
		{"RFC 3030 2 another word", "BDAT 1 FIRST", SP_COMMAND_ARGUMENT,
	         1, false},
		{"RFC 3030 2 text behind", "BDAT 1 LAST x", SP_COMMAND_ARGUMENT,
	         1, false},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_command c;

		print_message("  %s\n", cases[i].name);
		(void)sp_command_parse(sp_str_from(cases[i].line), &arena, &c);
		assert_int_equal(c.verb, SP_VERB_BDAT);
		assert_int_equal(c.problem, cases[i].problem);
		assert_true(c.chunk_bytes == cases[i].bytes);
		assert_int_equal(c.last, cases[i].last);
	}
	sp_arena_fini(&arena);
}

static void test_line_limit(void **state)
{
	char line[SP_COMMAND_LINE_MAX + 1] = "NOOP ";
	struct sp_arena arena;
	struct sp_command c;

	(void)state;
	memset(line + 5, 'x', sizeof(line) - 5);
	sp_arena_init(&arena);
	assert_int_equal(
		sp_command_parse(sp_str_slice(line, SP_COMMAND_LINE_MAX),
	                         &arena, &c),
		0);
	assert_int_equal(
		sp_command_parse(sp_str_slice(line, sizeof(line)), &arena, &c),
		SP_ELIMIT);
	assert_int_equal(c.problem, SP_COMMAND_LINE_LONG);
	sp_arena_fini(&arena);
}

static void test_answers(void **state)
{
	(void)state;
	assert_int_equal(sp_command_answer(SP_COMMAND_UNKNOWN).code, 500);
	assert_int_equal(sp_command_answer(SP_COMMAND_ARGUMENT).code, 501);
	assert_int_equal(sp_command_answer(SP_COMMAND_PARAM_VALUE).code, 504);
	assert_int_equal(sp_command_answer(SP_COMMAND_PARAM_UNKNOWN).code, 555);
	assert_string_equal(sp_command_answer(SP_COMMAND_SENDER).enhanced,
	                    "5.1.7");
	assert_string_equal(sp_verb_text(SP_VERB_STARTTLS), "STARTTLS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bdat),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
