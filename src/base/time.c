/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks and the texts of time points, durations and sizes. The calendar is
 * computed here (proleptic Gregorian, UTC), because the C library's depends
 * on the environment's time zone and locale.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/map.h"
#include "base/time.h"

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR   (60 * MS_PER_MINUTE)
#define MS_PER_DAY    (24 * MS_PER_HOUR)
#define DURATION_MAX  (3660 * MS_PER_DAY) /* ten years, leap days included */
#define SIZE_MAX_TEXT (UINT64_C(1) << 50)

/* A point in time, taken apart. */
struct civil {
	int64_t year;
	int month;   /* 1 to 12 */
	int day;     /* 1 to 31 */
	int weekday; /* 0 is Sunday */
	int hour, minute, second, ms;
};

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	SP_ASSERT(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t sp_time_wall_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t sp_time_mono_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t sp_time_boot(void)
{
	char id[64];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, id, sizeof(id));

	if (fd >= 0) {
		close(fd);
	}
	return len > 0 ? sp_hash_stable(sp_str_slice(id, (size_t)len)) : 0;
}

int64_t sp_time_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * The calendar repeats every 400 years of 146097 days. With the year taken
 * to begin in March, the leap day is its last, and the months' beginnings
 * follow (153 m + 2) / 5.
 */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = floor_div(y, 400);
	int64_t of_era = y - era * 400;
	int64_t march_month = (month + 9) % 12;
	int64_t of_year = (153 * march_month + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - 719468;
}

static void date_from_days(int64_t days, struct civil *c)
{
	int64_t shifted = days + 719468; /* days since 1 March of year 0 */
	int64_t era = floor_div(shifted, 146097);
	int64_t day = shifted - era * 146097;
	int64_t of_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
	int64_t march_month = (5 * of_year + 2) / 153;

	c->day = (int)(of_year - (153 * march_month + 2) / 5 + 1);
	c->month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	c->year = era * 400 + of_era + (c->month <= 2);
	c->weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7);
}

static struct civil civil_from_ms(int64_t wall_ms)
{
	int64_t days = floor_div(wall_ms, MS_PER_DAY);
	int64_t rest = wall_ms % MS_PER_DAY;
	struct civil c;

	rest += rest < 0 ? MS_PER_DAY : 0;
	date_from_days(days, &c);
	c.hour = (int)(rest / MS_PER_HOUR);
	c.minute = (int)(rest / MS_PER_MINUTE % 60);
	c.second = (int)(rest / MS_PER_SECOND % 60);
	c.ms = (int)(rest % MS_PER_SECOND);
	return c;
}

/* Digits in place of those at the end of the text before at. */
static void put_digits(char *at, int value)
{
	for (; value > 0; value /= 10) {
		*--at = (char)('0' + value % 10);
	}
}

/* Each line of the log has one: without printf, which takes ten times as
 * long. */
void sp_time_rfc3339(int64_t wall_ms, char out[SP_TIME_TEXT])
{
	static const char form[] = "0000-00-00T00:00:00.000Z";
	struct civil c = civil_from_ms(wall_ms);

	_Static_assert(sizeof(form) <= SP_TIME_TEXT, "it fits");
	if (c.year < 0 || c.year > 9999) {
		(void)snprintf(out, SP_TIME_TEXT,
		               "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ",
		               (long long)c.year, c.month, c.day, c.hour,
		               c.minute, c.second, c.ms);
		return;
	}
	memcpy(out, form, sizeof(form));
	put_digits(out + 4, (int)c.year);
	put_digits(out + 7, c.month);
	put_digits(out + 10, c.day);
	put_digits(out + 13, c.hour);
	put_digits(out + 16, c.minute);
	put_digits(out + 19, c.second);
	put_digits(out + 23, c.ms);
}

void sp_time_rfc5322(int64_t wall_ms, char out[SP_TIME_TEXT])
{
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed",
	                                "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr",
	                                   "May", "Jun", "Jul", "Aug",
	                                   "Sep", "Oct", "Nov", "Dec"};
	struct civil c = civil_from_ms(wall_ms);

	(void)snprintf(out, SP_TIME_TEXT,
	               "%s, %02d %s %04lld %02d:%02d:%02d +0000",
	               days[c.weekday], c.day, months[c.month - 1],
	               (long long)c.year, c.hour, c.minute, c.second);
}

/* Takes exactly digits decimal digits from the front of s. */
static bool take_number(struct sp_str *s, size_t digits, int *value_out)
{
	uint64_t value;

	if (s->len < digits ||
	    sp_str_u64(sp_str_sub(*s, 0, digits), 9999, &value) < 0) {
		return false;
	}
	*s = sp_str_sub(*s, digits, s->len);
	*value_out = (int)value;
	return true;
}

static bool take_char(struct sp_str *s, char c)
{
	if (s->len == 0 || s->ptr[0] != c) {
		return false;
	}
	*s = sp_str_sub(*s, 1, s->len);
	return true;
}

static bool date_valid(const struct civil *c)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30,
	                              31, 31, 30, 31, 30, 31};

	if (c->month < 1 || c->month > 12 || c->day < 1) {
		return false;
	}
	bool leap =
		(c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
	return c->day <= lengths[c->month - 1] + (leap && c->month == 2);
}

static bool take_date(struct sp_str *s, struct civil *c)
{
	int year;

	if (!take_number(s, 4, &year) || !take_char(s, '-') ||
	    !take_number(s, 2, &c->month) || !take_char(s, '-') ||
	    !take_number(s, 2, &c->day)) {
		return false;
	}
	c->year = year;
	return date_valid(c);
}

/* Digits beyond the third are read and dropped. */
static bool take_fraction(struct sp_str *s, int *ms_out)
{
	int scale = 100;

	*ms_out = 0;
	if (!take_char(s, '.')) {
		return true;
	}
	if (s->len == 0 || !sp_ascii_is_digit(s->ptr[0])) {
		return false;
	}
	while (s->len > 0 && sp_ascii_is_digit(s->ptr[0])) {
		*ms_out += (s->ptr[0] - '0') * scale;
		scale /= 10;
		*s = sp_str_sub(*s, 1, s->len);
	}
	return true;
}

static bool take_clock(struct sp_str *s, struct civil *c)
{
	if (!take_number(s, 2, &c->hour) || !take_char(s, ':') ||
	    !take_number(s, 2, &c->minute) || !take_char(s, ':') ||
	    !take_number(s, 2, &c->second) || !take_fraction(s, &c->ms)) {
		return false;
	}
	/* 60 is a leap second: RFC 3339 5.6. */
	return c->hour < 24 && c->minute < 60 && c->second <= 60;
}

static bool take_offset(struct sp_str *s, int *minutes_out)
{
	int hours;
	int minutes;

	*minutes_out = 0;
	if (take_char(s, 'Z') || take_char(s, 'z')) {
		return true;
	}
	bool east = take_char(s, '+');
	if ((!east && !take_char(s, '-')) || !take_number(s, 2, &hours) ||
	    !take_char(s, ':') || !take_number(s, 2, &minutes) || hours > 23 ||
	    minutes > 59) {
		return false;
	}
	*minutes_out = (hours * 60 + minutes) * (east ? 1 : -1);
	return true;
}

int sp_time_parse(struct sp_str s, int64_t *wall_ms_out)
{
	struct civil c;
	int offset_minutes;

	if (!take_date(&s, &c) || !(take_char(&s, 'T') || take_char(&s, 't')) ||
	    !take_clock(&s, &c) || !take_offset(&s, &offset_minutes) ||
	    s.len > 0) {
		return SP_ESYNTAX;
	}
	*wall_ms_out = days_from_date(c.year, c.month, c.day) * MS_PER_DAY +
	               c.hour * MS_PER_HOUR + c.minute * MS_PER_MINUTE +
	               c.second * MS_PER_SECOND + c.ms -
	               offset_minutes * MS_PER_MINUTE;
	return 0;
}

struct unit {
	struct sp_str name;
	int64_t factor;
};

/* Largest first. */
static const struct unit duration_units[] = {
	{SP_STR("w"), 7 * MS_PER_DAY}, {SP_STR("d"), MS_PER_DAY},
	{SP_STR("h"), MS_PER_HOUR},    {SP_STR("m"), MS_PER_MINUTE},
	{SP_STR("s"), MS_PER_SECOND},  {SP_STR("ms"), 1},
};
#define DURATION_UNITS (sizeof(duration_units) / sizeof(duration_units[0]))

static const struct unit size_units[] = {
	{SP_STR("B"), 1},
	{SP_STR("KiB"), INT64_C(1) << 10},
	{SP_STR("MiB"), INT64_C(1) << 20},
	{SP_STR("GiB"), INT64_C(1) << 30},
	{SP_STR("KB"), 1000},
	{SP_STR("MB"), 1000000},
	{SP_STR("GB"), 1000000000},
};
#define SIZE_UNITS (sizeof(size_units) / sizeof(size_units[0]))

/* The digits, or the letters, at the front of s. */
static struct sp_str take_run(struct sp_str *s, bool digits)
{
	size_t len = 0;

	while (len < s->len && sp_ascii_is_digit(s->ptr[len]) == digits) {
		len++;
	}
	struct sp_str run = sp_str_sub(*s, 0, len);
	*s = sp_str_sub(*s, len, s->len);
	return run;
}

/* Index of the unit called name, or count. */
static size_t find_unit(const struct unit *units, size_t count,
                        struct sp_str name)
{
	size_t i = 0;

	while (i < count && !sp_str_eq(units[i].name, name)) {
		i++;
	}
	return i;
}

/* Each unit at most once, the larger before the smaller. */
int sp_duration_parse(struct sp_str s, int64_t *duration_ms_out)
{
	int64_t total = 0;
	size_t first_legal = 0;
	int err = 0;

	if (sp_str_eq(s, SP_STR("0"))) {
		*duration_ms_out = 0;
		return 0;
	}
	if (s.len == 0) {
		return SP_ESYNTAX;
	}
	while (s.len > 0) {
		struct sp_str number = take_run(&s, true);
		struct sp_str name = take_run(&s, false);
		size_t unit = find_unit(duration_units, DURATION_UNITS, name);
		uint64_t value = 0;
		if (unit >= DURATION_UNITS || unit < first_legal) {
			return SP_ESYNTAX;
		}
		int64_t factor = duration_units[unit].factor;
		int ret = sp_str_u64(
			number, (uint64_t)((DURATION_MAX - total) / factor),
			&value);
		if (ret == SP_ESYNTAX) {
			return ret;
		}
		err = ret < 0 ? ret : err;
		total += (int64_t)value * factor;
		first_legal = unit + 1;
	}
	if (err == 0) {
		*duration_ms_out = total;
	}
	return err;
}

void sp_duration_format(int64_t duration_ms, char out[SP_TIME_TEXT])
{
	const int64_t week = duration_units[0].factor;
	bool negative = duration_ms < 0;
	uint64_t rest =
		negative ? 0 - (uint64_t)duration_ms : (uint64_t)duration_ms;
	/* Weeks only when there is nothing else: "10d", not "1w3d". */
	size_t first = rest % (uint64_t)week == 0 ? 0 : 1;
	size_t at = 0;

	if (rest == 0) {
		(void)snprintf(out, SP_TIME_TEXT, "0");
		return;
	}
	if (negative) {
		out[at++] = '-';
	}
	for (size_t i = first; i < DURATION_UNITS && rest > 0; i++) {
		uint64_t factor = (uint64_t)duration_units[i].factor;
		if (rest >= factor) {
			at += (size_t)snprintf(
				out + at, SP_TIME_TEXT - at, "%llu%s",
				(unsigned long long)(rest / factor),
				duration_units[i].name.ptr);
			rest %= factor;
		}
	}
}

int sp_size_parse(struct sp_str s, uint64_t *size_bytes_out)
{
	struct sp_str number = take_run(&s, true);
	size_t unit = s.len ? find_unit(size_units, SIZE_UNITS, s) : 0;
	uint64_t value;

	if (unit >= SIZE_UNITS) {
		return SP_ESYNTAX;
	}
	uint64_t factor = (uint64_t)size_units[unit].factor;
	int ret = sp_str_u64(number, SIZE_MAX_TEXT / factor, &value);
	if (ret < 0) {
		return ret;
	}
	*size_bytes_out = value * factor;
	return 0;
}
