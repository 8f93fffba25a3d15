/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule of mail-flow section 5. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/retry.h"

#define MIN  ((int64_t)60 * 1000)
#define HOUR (60 * MIN)
#define T0   ((int64_t)1764000000000)

static const struct sp_retry standard = {
	.steps_ms = {15 * MIN, 15 * MIN, HOUR},
	.step_count = 3,
	.expire_ms = 24 * HOUR,
};

static void test_offsets(void **state)
{
	(void)state;
	assert_int_equal(sp_retry_offset_ms(&standard, 0), 0);
	assert_int_equal(sp_retry_offset_ms(&standard, 1), 0);
	assert_int_equal(sp_retry_offset_ms(&standard, 2), 15 * MIN);
	assert_int_equal(sp_retry_offset_ms(&standard, 3), 30 * MIN);
	for (unsigned n = 4; n <= 26; n++) {
		assert_int_equal(sp_retry_offset_ms(&standard, n),
		                 30 * MIN + (n - 3) * HOUR);
	}
	assert_int_equal(sp_retry_offset_ms(&standard, 26),
	                 23 * HOUR + 30 * MIN);
	assert_int_equal(sp_retry_planned(&standard), 26);
	assert_int_equal(sp_retry_expires_ms(&standard, T0), T0 + 24 * HOUR);
}

/* Attempts of the given length, until no more is planned. */
static unsigned simulate(const struct sp_retry *retry, int64_t length_ms,
                         int64_t *last_start_out)
{
	int64_t due = T0;
	unsigned attempts = 0;

	while (due >= 0) {
		attempts++;
		*last_start_out = due;
		due = sp_retry_next_ms(retry, T0, T0, attempts,
		                       due + length_ms);
	}
	return attempts;
}

static void test_day(void **state)
{
	int64_t last;

	(void)state;
	assert_int_equal(simulate(&standard, 0, &last), 26);
	assert_int_equal(last, T0 + 23 * HOUR + 30 * MIN);
	/* Slow attempts do not shift the later ones. */
	assert_int_equal(simulate(&standard, 14 * MIN, &last), 26);
	assert_int_equal(last, T0 + 23 * HOUR + 30 * MIN);
	/* One that runs over a due time loses it and no more: 0:15. */
	assert_int_equal(simulate(&standard, 16 * MIN, &last), 25);
	assert_int_equal(last, T0 + 23 * HOUR + 30 * MIN);
}

static void test_next(void **state)
{
	static const struct {
		const char *name;
		int64_t queued, first, now, due; /* from T0; -1: none */
		unsigned attempts;
	} cases[] = {
		{"not tried yet: now", 0, 0, 5 * MIN, 5 * MIN, 0},
		{"not tried and expired", 0, 0, 24 * HOUR, -1, 0},
		{"after the first", 0, 0, 0, 15 * MIN, 1},
		{"exactly at a due time: the next one", 0, 0, 15 * MIN,
	         30 * MIN, 2},
		{"a moment before", 0, 0, 15 * MIN - 1, 15 * MIN, 1},
		{"down for five hours", 0, 0, 5 * HOUR, 5 * HOUR + 30 * MIN, 2},
		{"retried by hand: the plan stands", 0, 0, 16 * MIN, 30 * MIN,
	         9},
		{"first attempt late: offsets count from it", 0, HOUR, HOUR,
	         HOUR + 15 * MIN, 1},
		{"expiry counts from queueing", 0, HOUR, 23 * HOUR + 31 * MIN,
	         -1, 25},
		{"none at expiry itself", 0, 30 * MIN, 23 * HOUR, -1, 25},
		{"expired", 0, 0, 23 * HOUR + 30 * MIN, -1, 26},
		{"clock set back: not at once again", 0, 0, -3 * HOUR, 15 * MIN,
	         1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t due = sp_retry_next_ms(
			&standard, T0 + cases[i].queued, T0 + cases[i].first,
			cases[i].attempts, T0 + cases[i].now);

		if (due != (cases[i].due < 0 ? -1 : T0 + cases[i].due)) {
			fail_msg("%s: %lld", cases[i].name, (long long)due);
		}
	}
}

static void test_other_schedules(void **state)
{
	struct sp_retry scaled = {.steps_ms = {15, 15, 60},
	                          .step_count = 3,
	                          .expire_ms = 24 * 60};
	struct sp_retry one = {
		.steps_ms = {1}, .step_count = 1, .expire_ms = 1000};
	struct sp_retry zero = {
		.steps_ms = {0}, .step_count = 1, .expire_ms = 10};
	struct sp_retry huge = {.steps_ms = {INT64_MAX / 2, INT64_MAX / 2},
	                        .step_count = 2,
	                        .expire_ms = INT64_MAX};
	struct sp_retry never = {
		.steps_ms = {MIN}, .step_count = 1, .expire_ms = 0};
	int64_t last;

	(void)state;
	assert_int_equal(sp_retry_planned(&scaled), 26);
	assert_int_equal(simulate(&scaled, 0, &last), 26);
	assert_int_equal(sp_retry_planned(&one), 1000);
	assert_int_equal(simulate(&one, 0, &last), 1000);
	assert_int_equal(sp_retry_planned(&zero), 10);
	assert_int_equal(sp_retry_planned(&never), 0);
	assert_int_equal(sp_retry_offset_ms(&huge, UINT_MAX), INT64_MAX);
	one.expire_ms = INT64_MAX;
	assert_int_equal(sp_retry_planned(&one), UINT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_day),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_other_schedules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
