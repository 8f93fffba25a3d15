/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the wall clock was set, by what two looks at the clocks tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "role/queue/clock.h"

#define NOW    INT64_C(1800000000000)
#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define YEAR   (365 * 24 * HOUR)

static const struct clock_case {
	const char *name;
	struct sp_store_clock before, now;
	int64_t step_ms;
} CASES[] = {
	{"nothing noted yet", {0, 0, 0}, {7, NOW, 5}, 0},
	{"boots can't be told apart", {0, NOW, 5}, {0, NOW + YEAR, 6}, 0},
	{"time goes by", {7, NOW, 5}, {7, NOW + HOUR, 5 + HOUR}, 0},
	{"drift", {7, NOW, 5}, {7, NOW + HOUR + 900, 5 + HOUR}, 0},
	{"just below the least step",
         {7, NOW, 0},
         {7, NOW + 2 * MINUTE - 1, MINUTE},
         0},
	{"forward", {7, NOW, 0}, {7, NOW + HOUR + MINUTE, MINUTE}, HOUR},
	{"back", {7, NOW, 0}, {7, NOW - HOUR + MINUTE, MINUTE}, -HOUR},
	{"set right after a start in 1970",
         {7, HOUR, HOUR},
         {7, NOW, HOUR + MINUTE},
         NOW - HOUR - MINUTE},
	{"the machine slept: it does not count",
         {7, NOW, 0},
         {7, NOW + 8 * HOUR, MINUTE},
         8 * HOUR - MINUTE},
	{"the role was away for an hour",
         {7, NOW, 0},
         {7, NOW + HOUR, HOUR},
         0},
	{"set while the role was away",
         {7, NOW, 0},
         {7, NOW + YEAR, HOUR},
         YEAR - HOUR},
	{"another boot, later: believed",
         {7, NOW, HOUR},
         {8, NOW + YEAR, 0},
         0},
	{"another boot, earlier: it can't be",
         {7, NOW, HOUR},
         {8, HOUR, 0},
         HOUR - NOW},
	{"another boot, a little earlier",
         {7, NOW, HOUR},
         {8, NOW - 1000, 0},
         0},
	{"numbers beyond all sense",
         {7, INT64_MIN, 0},
         {7, INT64_MAX, MINUTE},
         0},
};

static void test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		const struct clock_case *c = &CASES[i];
		int64_t step_ms = sp_queue_clock_step(&c->before, &c->now);

		if (step_ms != c->step_ms) {
			fail_msg("%s: %lld", c->name, (long long)step_ms);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
