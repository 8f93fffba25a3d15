/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void clocks_run(void **state)
{
	(void)state;
	int64_t before_us = sp_time_mono_us();
	int64_t now_ms = sp_time_mono_ms();
	assert_true(now_ms >= before_us / 1000);
	assert_true(sp_time_wall_ms() > INT64_C(1700000000000));
	assert_true(sp_time_boot() != 0);
	assert_true(sp_time_boot() == sp_time_boot());
}

static void dates_in_both_forms(void **state)
{
	static const struct {
		const char *name;
		int64_t ms;
		const char *rfc3339;
		const char *rfc5322;
	} cases[] = {
		{"the epoch", 0, "1970-01-01T00:00:00.000Z",
	         "Thu, 01 Jan 1970 00:00:00 +0000"},
		{"before the epoch", -1, "1969-12-31T23:59:59.999Z",
	         "Wed, 31 Dec 1969 23:59:59 +0000"},
		{"leap day of a century", INT64_C(951782400123),
	         "2000-02-29T00:00:00.123Z", "Tue, 29 Feb 2000 00:00:00 +0000"},
		{"no leap day in 2100", INT64_C(4107542400000),
	         "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 +0000"},
		{"an ordinary day", INT64_C(1795428000123),
	         "2026-11-23T10:00:00.123Z", "Mon, 23 Nov 2026 10:00:00 +0000"},
	};
	char text[SP_TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = 1;
		sp_time_rfc3339(cases[i].ms, text);
		assert_string_equal(text, cases[i].rfc3339);
		sp_time_rfc5322(cases[i].ms, text);
		assert_string_equal(text, cases[i].rfc5322);
		assert_int_equal(
			sp_time_parse(sp_str_from(cases[i].rfc3339), &ms), 0);
		assert_true(ms == cases[i].ms);
	}
	sp_time_rfc3339(INT64_MIN, text);
	sp_time_rfc5322(INT64_MAX, text);
}

static void every_day_of_eight_centuries(void **state)
{
	const int64_t day_ms = 86400000;
	char text[SP_TIME_TEXT];

	(void)state;
	for (int64_t day = -150000; day < 150000; day += 11) {
		int64_t ms;
		sp_time_rfc3339(day * day_ms, text);
		assert_int_equal(sp_time_parse(sp_str_from(text), &ms), 0);
		assert_true(ms == day * day_ms);
	}
}

static void time_points_are_read(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		int want;
		int64_t ms;
	} cases[] = {
		{"RFC 3339 5.8: fraction", "1985-04-12T23:20:50.52Z", 0,
	         INT64_C(482196050520)},
		{"RFC 3339 5.8: offset", "1996-12-19T16:39:57-08:00", 0,
	         INT64_C(851042397000)},
		{"RFC 3339 5.8: leap second", "1990-12-31T23:59:60Z", 0,
	         INT64_C(662688000000)},
		{"RFC 3339 5.6: small letters", "1970-01-01t00:00:01z", 0,
	         1000},
		{"digits beyond the third", "1970-01-01T00:00:00.0019999Z", 0,
	         1},
		{"no zone", "1970-01-01T00:00:00", SP_ESYNTAX, 0},
		{"empty fraction", "1970-01-01T00:00:00.Z", SP_ESYNTAX, 0},
		{"month 13", "1970-13-01T00:00:00Z", SP_ESYNTAX, 0},
		{"month 0", "1970-00-01T00:00:00Z", SP_ESYNTAX, 0},
		{"day 0", "1970-01-00T00:00:00Z", SP_ESYNTAX, 0},
		{"29 February of 1900", "1900-02-29T00:00:00Z", SP_ESYNTAX, 0},
		{"hour 24", "1970-01-01T24:00:00Z", SP_ESYNTAX, 0},
		{"second 61", "1970-01-01T00:00:61Z", SP_ESYNTAX, 0},
		{"offset hour 24", "1970-01-01T00:00:00+24:00", SP_ESYNTAX, 0},
		{"junk behind", "1970-01-01T00:00:00Zx", SP_ESYNTAX, 0},
		{"sign in a number", "1970-01-+1T00:00:00Z", SP_ESYNTAX, 0},
		{"empty", "", SP_ESYNTAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = 0;
		int ret = sp_time_parse(sp_str_from(cases[i].text), &ms);
		if (ret != cases[i].want || ms != cases[i].ms) {
			fail_msg("%s: %d %lld", cases[i].name, ret,
			         (long long)ms);
		}
	}
}

static void durations_are_read(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		int want;
		int64_t ms;
	} cases[] = {
		{"bare zero", "0", 0, 0},
		{"zero seconds", "0s", 0, 0},
		{"milliseconds", "250ms", 0, 250},
		{"seconds", "15s", 0, 15000},
		{"minutes", "15m", 0, 900000},
		{"mixed", "1h30m", 0, 5400000},
		{"all units", "1w1d1h1m1s1ms", 0, 694861001},
		{"ten years", "3660d", 0, INT64_C(316224000000)},
		{"over ten years", "3661d", SP_ELIMIT, 0},
		{"over ten years in sum", "3660d1ms", SP_ELIMIT, 0},
		{"over 64 bits", "99999999999999999999w", SP_ELIMIT, 0},
		{"junk behind too much", "99999w1x", SP_ESYNTAX, 0},
		{"no unit", "15", SP_ESYNTAX, 0},
		{"unit alone", "m", SP_ESYNTAX, 0},
		{"unknown unit", "1y", SP_ESYNTAX, 0},
		{"wrong order", "30m1h", SP_ESYNTAX, 0},
		{"twice", "1m1m", SP_ESYNTAX, 0},
		{"capital", "1H", SP_ESYNTAX, 0},
		{"blank", "1 h", SP_ESYNTAX, 0},
		{"negative", "-1h", SP_ESYNTAX, 0},
		{"empty", "", SP_ESYNTAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = 0;
		int ret = sp_duration_parse(sp_str_from(cases[i].text), &ms);
		if (ret != cases[i].want || ms != cases[i].ms) {
			fail_msg("%s: %d %lld", cases[i].name, ret,
			         (long long)ms);
		}
	}
}

static void durations_are_written(void **state)
{
	static const struct {
		int64_t ms;
		const char *want;
	} cases[] = {
		{0, "0"},
		{250, "250ms"},
		{5400000, "1h30m"},
		{86400000, "1d"},
		{604800000, "1w"},
		{864000000, "10d"},
		{90061001, "1d1h1m1s1ms"},
		{-1000, "-1s"},
		{INT64_MIN, "-106751991167d7h12m55s808ms"},
	};
	char text[SP_TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		sp_duration_format(cases[i].ms, text);
		assert_string_equal(text, cases[i].want);
	}
}

static void sizes_are_read(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		int want;
		uint64_t bytes;
	} cases[] = {
		{"bare", "1000", 0, 1000},
		{"bytes", "7B", 0, 7},
		{"binary", "50MiB", 0, 52428800},
		{"decimal", "2KB", 0, 2000},
		{"at the limit", "1048576GiB", 0, UINT64_C(1) << 50},
		{"over the limit", "1048577GiB", SP_ELIMIT, 0},
		{"unit alone", "MiB", SP_ESYNTAX, 0},
		{"unknown unit", "1TiB", SP_ESYNTAX, 0},
		{"small letters", "1mib", SP_ESYNTAX, 0},
		{"junk behind", "1MiB1", SP_ESYNTAX, 0},
		{"empty", "", SP_ESYNTAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t bytes = 0;
		int ret = sp_size_parse(sp_str_from(cases[i].text), &bytes);
		if (ret != cases[i].want || bytes != cases[i].bytes) {
			fail_msg("%s: %d", cases[i].name, ret);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_run),
		cmocka_unit_test(dates_in_both_forms),
		cmocka_unit_test(every_day_of_eight_centuries),
		cmocka_unit_test(time_points_are_read),
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(durations_are_written),
		cmocka_unit_test(sizes_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
