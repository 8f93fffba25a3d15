/* SPDX-License-Identifier: Apache-2.0 */
/* Rows out and in again, what they amount to, and the file that they are
 * in. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "cmd/cmd.h"
#include "cmd/survey_out.h"
#include "cmd/survey_row.h"
#include "cmd/survey_show.h"
#include "cmd/survey_sum.h"
#include "cmd/text.h"

#define S(lit)                                                                 \
	{                                                                      \
		"" lit, sizeof(lit) - 1                                        \
	}

static const struct sp_survey_row ROWS[] = {
	{.domain = S("a.test"),
         .dnssec = true,
         .mx = S("secure"),
         .hosts = 2,
         .tlsa_hosts = 1,
         .sts = S("enforce"),
         .rule = S("dane"),
         .verdict = S("deliver"),
         .security = S("dane"),
         .shared = true,
         .host = S("mx.a.test"),
         .address = S("192.0.2.1"),
         .elapsed_ms = 12},
	{.domain = S("b.test"),
         .mx = S("insecure"),
         .hosts = 1,
         .verdict = S("defer"),
         .code = S("4.7.323"),
         .scenario = S("tlsa-mismatch"),
         .blocked = true,
         .tlsa_hosts = 1,
         .evidence = S("say \"no\", \\ and\x01 more"),
         .elapsed_ms = 3},
	{.domain = S("c.test"),
         .dnssec = true,
         .mx = S("secure"),
         .verdict = S("fail"),
         .code = S("5.4.310"),
         .scenario = S("no-such-domain")},
	{.domain = S("no, \"domain\""), .error = S("not a domain name")},
	{.domain = S("d.test"),
         .verdict = S("defer"),
         .code = S("4.9.9"),
         .scenario = S("of a later version"),
         .sts = S("testing")},
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(*ROWS))

static char *line_of(const struct sp_survey_row *row, bool csv)
{
	struct sp_buf out;
	char *line;

	sp_buf_init(&out, SP_SURVEY_LINE_MAX);
	sp_survey_row_write(row, csv, &out);
	line = sp_buf_take(&out);
	sp_buf_fini(&out);
	assert_non_null(strchr(line, '\n'));
	assert_string_equal(strchr(line, '\n'), "\n");
	*strchr(line, '\n') = '\0';
	return line;
}

/* The evidence may come back escaped; all else is as it was. */
static void assert_same(const struct sp_survey_row *a,
                        const struct sp_survey_row *b)
{
	assert_true(sp_str_eq(a->domain, b->domain));
	assert_true(sp_str_eq(a->mx, b->mx));
	assert_true(sp_str_eq(a->sts, b->sts));
	assert_true(sp_str_eq(a->rule, b->rule));
	assert_true(sp_str_eq(a->verdict, b->verdict));
	assert_true(sp_str_eq(a->code, b->code));
	assert_true(sp_str_eq(a->scenario, b->scenario));
	assert_true(sp_str_eq(a->security, b->security));
	assert_true(sp_str_eq(a->host, b->host));
	assert_true(sp_str_eq(a->address, b->address));
	assert_true(sp_str_eq(a->error, b->error));
	assert_int_equal(a->dnssec, b->dnssec);
	assert_int_equal(a->blocked, b->blocked);
	assert_int_equal(a->shared, b->shared);
	assert_int_equal(a->hosts, b->hosts);
	assert_int_equal(a->tlsa_hosts, b->tlsa_hosts);
	assert_int_equal(a->elapsed_ms, b->elapsed_ms);
}

static void test_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ROW_COUNT; i++) {
		bool csv = i % 2;
		char *line = line_of(&ROWS[i / 2], csv);
		struct sp_survey_row row;
		struct sp_arena arena;

		sp_arena_init(&arena);
		assert_int_equal(sp_survey_row_read(sp_str_from(line), csv,
		                                    &arena, &row),
		                 0);
		assert_same(&ROWS[i / 2], &row);
		sp_arena_fini(&arena);
		sp_free(line);
	}
}

static void test_lines_that_are_no_row(void **state)
{
	static const struct {
		const char *line;
		bool csv;
	} BAD[] = {
		{"", false},
		{"{}", false},
		{"{\"domain\":\"a.test\"}", false},
		{"{\"verdict\":\"deliver\"}", false},
		{"{\"domain\":7,\"verdict\":\"deliver\"}", false},
		{"{\"domain\":\"a.test\",\"verdict\":\"deliver\"", false},
		{"{\"domain\":\"a.test\",\"verdict\":\"deliver\",\"host\":{}}x",
	         false},
		{"", true},
		{"a.test", true},
		{"a.test,true,secure,1,1,,deliver,,,dane,false,false,dane,mx,,"
	         "1,",
	         true},
		{"a.test,true,secure,1,1,,deliver,,,dane,false,false,dane,mx,,"
	         "1,,,",
	         true},
		{"a.test,yes,secure,1,1,,deliver,,,dane,false,false,dane,mx,,1,"
	         ",",
	         true},
		{"a.test,true,secure,-1,1,,deliver,,,dane,false,false,dane,mx,,"
	         "1,,",
	         true},
		{"\"a.test,true,secure,1,1,,deliver,,,dane,false,false,dane,mx,"
	         ",1,,",
	         true},
		{"\"a.test\"x,true,secure,1,1,,deliver,,,dane,false,false,dane,"
	         "mx,,1,"
	         ",",
	         true},
		{"a\"b,true,secure,1,1,,deliver,,,dane,false,false,dane,mx,,1,"
	         ",",
	         true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
		struct sp_survey_row row;
		struct sp_arena arena;

		sp_arena_init(&arena);
		if (sp_survey_row_read(sp_str_from(BAD[i].line), BAD[i].csv,
		                       &arena, &row) == 0) {
			fail_msg("%s", BAD[i].line);
		}
		sp_arena_fini(&arena);
	}
}

static int64_t count_of(const struct sp_json *json, const char *key)
{
	return sp_json_get_int(sp_json_get(json, key), "count", -1);
}

static void test_summary(void **state)
{
	struct sp_survey_sum sum = {.finished = true, .with_sts = true};
	const struct sp_json *causes;
	struct sp_json *json;
	double percent = 0;

	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		sp_survey_sum_add(&sum, &ROWS[i]);
	}
	json = sp_survey_sum_json(&sum);
	assert_int_equal(sp_json_get_int(json, "domains", -1), 4);
	assert_int_equal(sp_json_get_int(json, "errors", -1), 1);
	assert_int_equal(count_of(json, "signed"), 2);
	assert_int_equal(count_of(json, "tlsa"), 2);
	assert_int_equal(count_of(json, "sts_enforce"), 1);
	assert_int_equal(count_of(json, "sts_testing"), 1);
	assert_int_equal(count_of(json, "deliver"), 1);
	assert_int_equal(count_of(json, "defer"), 2);
	assert_int_equal(count_of(json, "fail"), 1);
	assert_int_equal(count_of(json, "blocked"), 1);
	assert_int_equal(count_of(sp_json_get(json, "security"), "dane"), 1);
	causes = sp_json_get(json, "causes");
	assert_int_equal(sp_json_len(causes), 3);
	for (size_t i = 0; i < 3; i++) {
		const struct sp_json *one = sp_json_at(causes, i);

		assert_true(
			sp_json_number(sp_json_get(one, "percent"), &percent));
		assert_true(percent > 24.99 && percent < 25.01);
	}
	sp_json_free(&json);
}

static void test_progress_line(void **state)
{
	static const struct {
		struct sp_survey_progress progress;
		unsigned columns;
		const char *line;
	} CASES[] = {
		{{.part = -1, .begun = -1, .done = 10, .elapsed_ms = 1000},
	         80,
	         "10 done, 10 a second, 0 blocked"},
		{{.part = 0.5, .begun = 0, .done = 500, .elapsed_ms = 5000},
	         80,
	         "[##############...............]  50 % 500 done, 100 a "
	         "second, 5s left, 0 blocked"},
		{{.part = 0.5, .begun = 0.25, .done = 500, .elapsed_ms = 5000},
	         49,
	         "500 done, 100 a second, 10s left, 0 blocked"},
		{{.part = 0.1, .begun = 0, .done = 500, .elapsed_ms = 500000},
	         49,
	         "500 done, 1 a second, 1h15m left, 0 blocked"},
		{{.part = 0, .begun = 0}, 20, "0 done, 0 a second, "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		char line[SP_SURVEY_SHOW_MAX];

		sp_survey_show_line(&CASES[i].progress, CASES[i].columns, line);
		assert_string_equal(line, CASES[i].line);
	}
}

/* --- the file --- */

struct file {
	char path[64];
	struct sp_survey_out *out;
	size_t earlier;
};

static void file_make(struct file *f, const char *text)
{
	int fd;

	*f = (struct file){.path = "/tmp/sealpost-survey-XXXXXX"};
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void on_row(void *arg, const struct sp_survey_row *row)
{
	struct file *f = arg;

	assert_true(row->domain.len > 0);
	f->earlier++;
}

static int file_open(struct file *f, bool resume, bool csv, bool ordered)
{
	const struct sp_survey_out_conf conf = {
		.path = f->path,
		.resume = resume,
		.csv = csv,
		.ordered = ordered,
	};

	return sp_survey_out_open(&conf, on_row, f, &f->out);
}

/* Closed, and its text; the caller's. */
static char *file_end(struct file *f)
{
	struct sp_buf text;
	char *found;

	(void)sp_survey_out_close(&f->out);
	assert_int_equal(sp_cmd_read_file(f->path, 1 << 20, &text), 0);
	found = sp_buf_take(&text);
	sp_buf_fini(&text);
	unlink(f->path);
	return found;
}

static void test_order(void **state)
{
	static const uint64_t NUMBERS[] = {2, 0, 4, 1}; /* 3 never comes */
	struct file f;
	char *text;
	char *b, *c, *d;

	(void)state;
	file_make(&f, "what was there before\n");
	assert_int_equal(file_open(&f, false, false, true), 0);
	for (size_t i = 0; i < 4; i++) {
		struct sp_survey_row row = ROWS[NUMBERS[i]];

		row.number = NUMBERS[i];
		sp_survey_out_put(f.out, &row);
	}
	assert_true(sp_survey_out_has_room(f.out, 3 + SP_SURVEY_WINDOW - 1));
	assert_false(sp_survey_out_has_room(f.out, 3 + SP_SURVEY_WINDOW));
	text = file_end(&f);
	b = strstr(text, "b.test");
	c = strstr(text, "c.test");
	d = strstr(text, "d.test");
	assert_true(strncmp(text, "{\"domain\":\"a.test\"", 18) == 0);
	assert_true(b && c && d && b < c && c < d);
	sp_free(text);
}

static void test_resume(void **state)
{
	static const char *const ENDS[] = {"", "{", "{\"domain\":\"a.test\"",
	                                   "a.test,\"x"};

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		bool csv = i % 2;
		struct file f;
		struct sp_buf wanted;
		char *text;

		sp_buf_init(&wanted, SP_SURVEY_LINE_MAX);
		if (csv) {
			sp_survey_row_titles(&wanted);
		}
		sp_survey_row_write(&ROWS[0], csv, &wanted);
		sp_survey_row_write(&ROWS[3], csv, &wanted);
		(void)sp_buf_append_char(&wanted, '\0');
		file_make(&f, sp_buf_str(&wanted).ptr);
		sp_buf_truncate(&wanted, 1);
		if (i > 1) { /* broken off */
			int fd = open(f.path, O_WRONLY | O_APPEND | O_CLOEXEC);

			assert_true(write(fd, ENDS[i / 2],
			                  strlen(ENDS[i / 2])) >= 0);
			close(fd);
		}
		assert_int_equal(file_open(&f, true, csv, false), 0);
		assert_int_equal(f.earlier, 2);
		sp_survey_out_put(f.out, &ROWS[1]);
		sp_survey_row_write(&ROWS[1], csv, &wanted);
		text = file_end(&f);
		assert_int_equal(strlen(text), sp_buf_len(&wanted));
		assert_memory_equal(text, sp_buf_str(&wanted).ptr,
		                    sp_buf_len(&wanted));
		sp_buf_fini(&wanted);
		sp_free(text);
	}
}

static void test_resume_from_nothing(void **state)
{
	struct file f;
	char *text;

	(void)state;
	file_make(&f, "");
	assert_int_equal(file_open(&f, true, true, false), 0);
	text = file_end(&f);
	assert_true(strncmp(text, "domain,signed,", 14) == 0);
	sp_free(text);
}

static void test_resume_of_something_else(void **state)
{
	struct file f;
	char *text;

	(void)state;
	file_make(&f, "root:x:0:0\n");
	assert_int_equal(file_open(&f, true, false, false), SP_EXIT_DATA);
	text = file_end(&f);
	assert_string_equal(text, "root:x:0:0\n"); /* untouched */
	sp_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_lines_that_are_no_row),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_progress_line),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_resume_from_nothing),
		cmocka_unit_test(test_resume_of_something_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
