/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"

/* Behind the time, whose length is fixed. */
#define TIME_LEN (sizeof("2026-11-23T10:00:00.123Z ") - 1)

static char last[16384];
static int lines;

static void keep(void *arg, enum sp_log_level level, const char *event,
                 const char *line)
{
	(void)arg;
	(void)level;
	(void)event;
	assert_true(strlen(line) < sizeof(last));
	memcpy(last, line, strlen(line) + 1);
	lines++;
}

static int capture(void **state)
{
	(void)state;
	lines = 0;
	sp_log_setup(SP_LOG_INFO, false);
	sp_log_capture(keep, NULL);
	return 0;
}

static int release(void **state)
{
	(void)state;
	sp_log_capture(NULL, NULL);
	return 0;
}

static void human_line_inherits_fields(void **state)
{
	struct sp_log role = {NULL, SP_F_CSTR("role", "transport")};
	struct sp_log plain = {&role, {0}};
	struct sp_log session = {&plain, SP_F_INT("session", 7)};

	(void)state;
	sp_log(&session, SP_LOG_WARN, "smtp.refused",
	       SP_F_CSTR("text", "no such = user"), SP_F_CSTR("empty", ""),
	       SP_F_BOOL("final", true), SP_F_ERR(SP_ETIMEOUT));
	assert_string_equal(last + TIME_LEN,
	                    "warn smtp.refused role=transport session=7 "
	                    "text=\"no such = user\" empty=\"\" final=true "
	                    "error=\"timed out\"");
	sp_log(NULL, SP_LOG_DEBUG, "bare");
	assert_string_equal(last + TIME_LEN, "debug bare");
	assert_int_equal(lines, 2);
}

static void json_line_is_escaped(void **state)
{
	(void)state;
	sp_log_setup(SP_LOG_INFO, true);
	sp_log(NULL, SP_LOG_ERROR, "a.b",
	       SP_F_STR("peer", SP_STR("x\"\\\r\n\0\xff")), SP_F_INT("n", -1));
	assert_memory_equal(last, "{\"time\":\"", 9);
	assert_non_null(strstr(last,
	                       "Z\",\"level\":\"error\",\"event\":\"a.b\","
	                       "\"peer\":\"x\\\\x22\\\\x5c\\\\x0d\\\\x0a"
	                       "\\\\x00\\\\xff\",\"n\":-1}"));
}

static void long_values_are_cut(void **state)
{
	static char text[2000];

	(void)state;
	memset(text, 'a', sizeof(text));
	sp_log(NULL, SP_LOG_INFO, "e",
	       SP_F_STR("v", sp_str_slice(text, sizeof(text))));
	assert_int_equal(strlen(last + TIME_LEN), strlen("info e v=") + 512);
	assert_string_equal(last + strlen(last) - 4, "a...");
}

static void fields_that_do_not_fit_are_owned_up(void **state)
{
	static char text[600];
	struct sp_field fields[41] = {0};

	(void)state;
	memset(text, '\n', sizeof(text));
	for (int i = 0; i < 40; i++) {
		fields[i] = SP_F_STR("v", sp_str_slice(text, sizeof(text)));
	}
	sp_log_fields(NULL, SP_LOG_INFO, "e", fields);
	assert_string_equal(last + strlen(last) - 9, " cut=true");
	sp_log_setup(SP_LOG_INFO, true);
	sp_log_fields(NULL, SP_LOG_INFO, "e", fields);
	assert_string_equal(last + strlen(last) - 12, ",\"cut\":true}");
}

static void errno_survives(void **state)
{
	(void)state;
	errno = ENOSPC;
	sp_log(NULL, SP_LOG_INFO, "e");
	assert_int_equal(errno, ENOSPC);
}

static void escape_fits_every_size(void **state)
{
	static const struct {
		const char *text;
		size_t cap;
		const char *want;
	} cases[] = {
		{"abc", 4, "abc"},    {"abcd", 4, "..."},
		{"abcde", 5, "a..."}, {"ab\n", 7, "ab\\x0a"},
		{"ab\n", 6, "ab..."}, {"abc", 2, "."},
		{"abc", 1, ""},
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sp_log_escape(sp_str_from(cases[i].text), out, cases[i].cap);
		assert_string_equal(out, cases[i].want);
	}
	sp_log_escape(SP_STR("x"), out, 0);
}

static void every_result_has_a_text(void **state)
{
	(void)state;
	assert_string_equal(sp_strerror(0), "success");
	assert_string_equal(sp_strerror(-ENOENT), strerror(ENOENT));
	assert_string_equal(sp_strerror(SP_ESYNTAX), "not well formed");
	assert_string_equal(sp_strerror(SP_EBUSY), "busy, try again");
	assert_string_equal(sp_strerror(SP_EBUSY + 1), "unknown error");
	assert_string_equal(sp_strerror(SP_EBASE), "unknown error");
	assert_string_equal(sp_strerror(-4000), "unknown system error");
	assert_string_equal(sp_strerror(INT32_MIN), "unknown error");
}

static size_t log_size(int fd)
{
	return (size_t)lseek(fd, 0, SEEK_END);
}

/* Kept until the turn ends, but never behind a warning. */
static void gathered_lines(void **state)
{
	char path[] = "/tmp/sp-log-XXXXXX";
	int file = mkstemp(path);
	int before = dup(STDERR_FILENO);
	size_t sizes[4];

	(void)state;
	assert_true(file >= 0 && before >= 0);
	dup2(file, STDERR_FILENO);
	sp_log_setup(SP_LOG_INFO, false);
	sp_log_gather(true);
	sp_log(NULL, SP_LOG_INFO, "kept", SP_F_INT("n", 1));
	sp_log(NULL, SP_LOG_INFO, "kept", SP_F_INT("n", 2));
	sizes[0] = log_size(file);
	sp_log(NULL, SP_LOG_WARN, "told", SP_F_INT("n", 3));
	sizes[1] = log_size(file);
	for (int i = 0; i < 200; i++) {
		sp_log(NULL, SP_LOG_INFO, "many", SP_F_INT("n", i));
	}
	sizes[2] = log_size(file);
	sp_log_gather(false);
	sizes[3] = log_size(file);
	dup2(before, STDERR_FILENO);
	close(before);
	close(file);
	unlink(path);
	assert_int_equal(sizes[0], 0);
	assert_true(sizes[1] > 3 * TIME_LEN);
	assert_true(sizes[2] > sizes[1] && sizes[3] > sizes[2]);
}

#define CAPTURED(fn) cmocka_unit_test_setup_teardown(fn, capture, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CAPTURED(human_line_inherits_fields),
		CAPTURED(json_line_is_escaped),
		CAPTURED(long_values_are_cut),
		CAPTURED(fields_that_do_not_fit_are_owned_up),
		CAPTURED(errno_survives),
		cmocka_unit_test(gathered_lines),
		cmocka_unit_test(escape_fits_every_size),
		cmocka_unit_test(every_result_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
