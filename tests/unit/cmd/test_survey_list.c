/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cmd/survey_list.h"

#define HUNDRED                                                                \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct list_case {
	const char *name;
	const char *text;
	const char *found; /* "|" behind each; "!" before an error */
} CASES[] = {
	{"nothing", "", ""},
	{"one, with its line end", "a.test\n", "a.test|"},
	{"the last without its line end", "a.test\nb.test", "a.test|b.test|"},
	{"CRLF", "a.test\r\nb.test\r\n", "a.test|b.test|"},
	{"blank lines, blanks and tabs", "\n \t\n\r\n\t a.test \n", "a.test|"},
	{"comments", "# x\na.test # y\n #\nb.test#z", "a.test|b.test|"},
	{"byte order mark",
         "\xef\xbb\xbf"
         "a.test\n",
         "a.test|"},
	{"a byte order mark and a comment", "\xef\xbb\xbf# x\n", ""},
	{"RFC 1035 2.3.3 case, and the root's dot", "A.TeSt.\n", "a.test|"},
	{"RFC 5891 4.4 A-labels",
         "b\xc3\xbc"
         "cher.test",
         "xn--bcher-kva.test|"},
	{"RFC 8499 an underscore", "_x.test", "_x.test|"},
	{"an address", "192.0.2.1\n[192.0.2.1]\n::1",
         "!192.0.2.1|![192.0.2.1]|!::1|"},
	{"a mail address", "a@b.test", "!a@b.test|"},
	{"two words", "a.test b.test\nc.test", "!a.test b.test|c.test|"},
	{"RFC 1035 2.3.4 a label of 64",
         "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.x",
         "!aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg."
         "x|"},
	{"shown harmless", "\x1b[1m\xff", "!\\x1b[1m\\xff|"},
	{"a dot", ".\n", "!.|"},
	{"shown cut", HUNDRED "aa bb", "!" HUNDRED "|"},
};

static void append_line(struct sp_buf *out, const struct sp_survey_line *line)
{
	(void)sp_buf_append_cstr(out, line->error ? "!" : "");
	(void)sp_buf_append_str(out, line->domain);
	(void)sp_buf_append_char(out, '|');
}

static void take(struct sp_survey_list *list, struct sp_buf *out)
{
	struct sp_survey_line line;
	struct sp_arena arena;

	sp_arena_init(&arena);
	while (sp_survey_list_next(list, &arena, &line)) {
		append_line(out, &line);
	}
	sp_arena_fini(&arena);
}

/* Fed in pieces of that size. */
static char *read_all(struct sp_str text, size_t piece)
{
	struct sp_survey_list *list = sp_survey_list_new();
	struct sp_buf out;
	char *found;

	sp_buf_init(&out, 1024 * 1024);
	for (size_t at = 0; at < text.len; at += piece) {
		sp_survey_list_feed(list, sp_str_sub(text, at, piece));
		take(list, &out);
	}
	sp_survey_list_end(list);
	take(list, &out);
	found = sp_buf_take(&out);
	sp_buf_fini(&out);
	sp_survey_list_free(&list);
	return found;
}

static void check_case(const struct list_case *c, size_t piece)
{
	char *found = read_all(sp_str_from(c->text), piece);

	if (strcmp(found, c->found) != 0) {
		fail_msg("%s, by %zu: %s", c->name, piece, found);
	}
	sp_free(found);
}

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		check_case(&CASES[i], 1);
		check_case(&CASES[i], 2);
		check_case(&CASES[i], 7);
		check_case(&CASES[i], 60000);
	}
}

/* An endless line is one error and no memory; what follows it is read. */
static void test_long_line(void **state)
{
	static const size_t PIECES[] = {1, 4095, 4096, 4097, 60000};
	size_t len = 200000;
	char *text = sp_calloc(1, len + 16);

	(void)state;
	memset(text, 'x', len);
	memcpy(text + len, "\nb.test\n", 9);
	for (size_t k = 0; k < sizeof(PIECES) / sizeof(*PIECES); k++) {
		char *found = read_all(sp_str_from(text), PIECES[k]);
		char *end = strchr(found, '|');

		assert_true(found[0] == '!' && found[1] == 'x');
		assert_non_null(end);
		assert_string_equal(end, "|b.test|");
		sp_free(found);
	}
	sp_free(text);
}

static void test_position(void **state)
{
	struct sp_survey_list *list = sp_survey_list_new();
	struct sp_survey_line line;
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	sp_survey_list_feed(list, SP_STR("# x\na.test\nb.te"));
	assert_true(sp_survey_list_next(list, &arena, &line));
	assert_int_equal(sp_survey_list_at(list), 11);
	assert_false(sp_survey_list_next(list, &arena, &line));
	sp_survey_list_end(list);
	assert_true(sp_survey_list_next(list, &arena, &line));
	assert_int_equal(sp_survey_list_at(list), 15);
	sp_arena_fini(&arena);
	sp_survey_list_free(&list);
}

static struct sp_str name_of(unsigned n, char out[32])
{
	snprintf(out, 32, "n%u.test", n);
	return sp_str_from(out);
}

/* Many, so that the table grows; some were done before. */
static void test_seen(void **state)
{
	struct sp_survey_seen *seen = sp_survey_seen_new();
	char text[32];

	(void)state;
	for (unsigned n = 0; n < 5000; n += 3) {
		sp_survey_seen_before(seen, name_of(n, text));
	}
	for (unsigned n = 0; n < 10000; n++) {
		bool before = n < 5000 && n % 3 == 0;

		assert_int_equal(sp_survey_seen_meet(seen, name_of(n, text)),
		                 before ? SP_SURVEY_DONE_BEFORE
		                        : SP_SURVEY_NEW);
	}
	for (unsigned n = 0; n < 10000; n++) {
		assert_int_equal(sp_survey_seen_meet(seen, name_of(n, text)),
		                 SP_SURVEY_AGAIN);
	}
	sp_survey_seen_free(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_position),
		cmocka_unit_test(test_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
