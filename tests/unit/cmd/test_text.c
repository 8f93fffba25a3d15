/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing of a peer's text moves the terminal; tables, CSV, the detail line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cmd/rows.h"
#include "cmd/text.h"

struct row {
	const char *name;
	struct sp_str text;
	const char *want;
};

static const struct row SAFE[] = {
	{"plain", SP_STR("hello \\ \"x\""), "hello \\ \"x\""},
	{"umlaut", SP_STR("m\xc3\xbcnchen"), "m\xc3\xbcnchen"},
	{"escape sequence", SP_STR("\x1b[2J"), "\\x1b[2J"},
	{"line ends and NUL", SP_STR("a\r\nb\0c"), "a\\x0d\\x0ab\\x00c"},
	{"DEL", SP_STR("\x7f"), "\\x7f"},
	{"C1 in UTF-8", SP_STR("\xc2\x9b"), "\\xc2\\x9b"},
	{"C1 as a byte", SP_STR("\x9b"), "\\x9b"},
	{"no UTF-8", SP_STR("\xff\xc3"), "\\xff\\xc3"},
	{"turned direction", SP_STR("a\xe2\x80\xae"), "a\\xe2\\x80\\xae"},
	{"line separator", SP_STR("\xe2\x80\xa8"), "\\xe2\\x80\\xa8"},
	{"four bytes", SP_STR("\xf0\x9f\x93\xac"), "\xf0\x9f\x93\xac"},
};

static const struct row CSV[] = {
	{"RFC 4180 2: plain", SP_STR("a b"), "a b"},
	{"RFC 4180 2: comma", SP_STR("a,b"), "\"a,b\""},
	{"RFC 4180 2: quote", SP_STR("say \"x\""), "\"say \"\"x\"\"\""},
	{"line end escaped", SP_STR("a\nb"), "a\\x0ab"},
	{"empty", SP_STR(""), ""},
};

static void check(const struct row *rows, size_t count,
                  void (*fn)(struct sp_buf *out, struct sp_str text))
{
	for (size_t i = 0; i < count; i++) {
		struct sp_buf out;
		char *text;

		print_message("%s\n", rows[i].name);
		sp_buf_init(&out, 1000);
		fn(&out, rows[i].text);
		text = sp_buf_take(&out);
		assert_string_equal(text, rows[i].want);
		sp_free(text);
		sp_buf_fini(&out);
	}
}

static void test_safe(void **state)
{
	(void)state;
	check(SAFE, sizeof(SAFE) / sizeof(SAFE[0]), sp_text_append);
}

static void test_csv(void **state)
{
	(void)state;
	check(CSV, sizeof(CSV) / sizeof(CSV[0]), sp_csv_append);
}

static void read_back(FILE *f, char *out, size_t cap)
{
	size_t len;

	rewind(f);
	len = fread(out, 1, cap - 1, f);
	out[len] = '\0';
	(void)fclose(f);
}

static void test_table(void **state)
{
	static const char *const TITLES[] = {"A", "LONGER", "C"};
	struct sp_table *t = sp_table_new(TITLES, 3);
	FILE *f = tmpfile();
	char text[256];

	(void)state;
	sp_table_cell(t, SP_STR("\xc3\xbc\xc3\xbc\xc3\xbc"));
	sp_table_int(t, -7);
	sp_table_cell(t, SP_STR("x"));
	sp_table_cell(t, SP_STR(""));
	sp_table_cell(t, SP_STR("\x1b"));
	sp_table_cell(t, SP_STR(""));
	assert_int_equal(sp_table_rows(t), 2);
	assert_non_null(f);
	sp_table_print(t, f);
	sp_table_free(&t);
	read_back(f, text, sizeof(text));
	assert_string_equal(text, "A    LONGER  C\n"
	                          "\xc3\xbc\xc3\xbc\xc3\xbc  -7      x\n"
	                          "-    \\x1b    -\n");
}

static const char DEFERRED[] =
	"{\"id\":\"X1\",\"sender\":\"\",\"recipient\":\"b@d.test\",\"size\":9,"
	"\"status\":\"pending\",\"code\":\"4.7.323\","
	"\"scenario\":\"tlsa-mismatch\","
	"\"reply\":\"450 4.7.323 tlsa-invalid: no\",\"events\":["
	"{\"time\":\"2026-11-23T10:00:00.000Z\",\"event\":\"receive\","
	"\"attempt\":0,\"detail\":{}},"
	"{\"time\":\"2026-11-23T10:00:01.000Z\",\"event\":\"defer\","
	"\"attempt\":1,\"host\":\"mx.d.test\",\"address\":\"%s\","
	"\"reply\":\"450 4.7.323 tlsa-invalid: \\u001b[1mno\","
	"\"detail\":{\"tries\":[%s]}}]}";

static struct sp_json *deferred(const char *address, const char *tries)
{
	struct sp_json *row = NULL;
	char text[2048];

	snprintf(text, sizeof(text), DEFERRED, address, tries);
	assert_int_equal(sp_json_parse(sp_str_from(text),
	                               &SP_JSON_LIMITS_DEFAULT, &row, NULL, 0),
	                 0);
	return row;
}

static void test_last_error(void **state)
{
	static const struct {
		const char *address;
		const char *tries;
		const char *want;
	} CASES[] = {
		{"127.0.1.1", "", "[LastAttemptedIP=127.0.1.1:25]"},
		{"2001:db8::1", "", "[LastAttemptedIP=[2001:db8::1]:25]"},
		{"127.0.1.1", "{\"address\":\"127.0.1.1\",\"port\":2525}",
	         "[LastAttemptedIP=127.0.1.1:2525]"},
		{"127.0.1.1",
	         "{\"address\":\"127.0.1.1\",\"port\":2525},"
	         "{\"address\":\"127.0.1.2\",\"port\":2526}",
	         "[LastAttemptedIP=127.0.1.1:2525]"},
		{"127.0.1.1", "{\"address\":\"127.0.1.2\",\"port\":2526}",
	         "[LastAttemptedIP=127.0.1.1:25]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct sp_json *row =
			deferred(CASES[i].address, CASES[i].tries);
		char want[256];
		struct sp_buf out;
		char *text;

		snprintf(want, sizeof(want),
		         "450 4.7.323 tlsa-invalid: no "
		         "[LastAttemptedServerName=mx.d.test] %s "
		         "[Scenario=tlsa-mismatch]",
		         CASES[i].want);
		sp_buf_init(&out, 1000);
		sp_rows_last_error(row, 25, &out);
		text = sp_buf_take(&out);
		assert_string_equal(text, want);
		sp_free(text);
		sp_buf_fini(&out);
		sp_json_free(&row);
	}
}

static void test_timeline(void **state)
{
	struct sp_json *row = deferred("127.0.1.1", "");
	FILE *f = tmpfile();
	char text[2048];

	(void)state;
	assert_non_null(f);
	sp_rows_timeline(f, row, 25);
	sp_json_free(&row);
	read_back(f, text, sizeof(text));
	assert_string_equal(
		text,
		"id           X1\n"
		"sender       <>\n"
		"recipient    b@d.test\n"
		"size         9 bytes\n"
		"status       pending\n"
		"last reply   450 4.7.323 tlsa-invalid: no "
		"[LastAttemptedServerName=mx.d.test] "
		"[LastAttemptedIP=127.0.1.1:25] [Scenario=tlsa-mismatch]\n"
		"  2026-11-23 10:00:00Z  receive\n"
		"  2026-11-23 10:00:01Z  defer, attempt 1, mx.d.test "
		"127.0.1.1\n"
		"    450 4.7.323 tlsa-invalid: \\x1b[1mno\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_last_error),
		cmocka_unit_test(test_timeline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
