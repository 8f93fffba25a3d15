/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "role/queue/share.h"

#define SLOW SP_STR("slow.example")

static int setup(void **state)
{
	static struct sp_share share;

	sp_share_init(&share);
	*state = &share;
	return 0;
}

static int teardown(void **state)
{
	sp_share_fini(*state);
	return 0;
}

static void test_counts_by_domain(void **state)
{
	struct sp_share *s = *state;

	sp_share_begin(s, 1, SLOW, 0);
	sp_share_begin(s, 2, SLOW, 0);
	sp_share_begin(s, 2, SLOW, 0); /* known */
	sp_share_begin(s, 3, SP_STR("quick.example"), 0);
	assert_int_equal(sp_share_count(s), 3);
	assert_int_equal(sp_share_of(s, SLOW), 2);
	sp_share_end(s, 1, 10);
	sp_share_end(s, 1, 10); /* not known any more */
	sp_share_end(s, 9, 10);
	assert_int_equal(sp_share_of(s, SLOW), 1);
	sp_share_end(s, 2, 10);
	assert_int_equal(sp_share_of(s, SLOW), 0);
	assert_int_equal(sp_share_count(s), 1);
}

/* n messages that are put off at once by a domain whose attempts take that
 * long: when the last of them is due again. */
static int64_t last_of(struct sp_share *s, int64_t took_ms, size_t max, int n)
{
	int64_t last_ms = 0;

	for (uint64_t id = 1; id <= 40; id++) { /* long enough to be known */
		sp_share_begin(s, id, SLOW, 0);
	}
	for (uint64_t id = 2; id <= 40; id++) {
		sp_share_end(s, id, took_ms);
	}
	for (int i = 0; i < n; i++) {
		int64_t later_ms = sp_share_later_ms(s, SLOW, max, took_ms);

		assert_true(later_ms >= last_ms);
		assert_in_range(later_ms, SP_SHARE_LATER_MIN_MS,
		                SP_SHARE_LATER_MAX_MS);
		last_ms = later_ms;
	}
	return last_ms;
}

static const struct {
	const char *name;
	int64_t took_ms;
	size_t max;
	int count;
	int64_t least_ms, most_ms;
} PACES[] = {
	{"quick: no later than the shortest time", 50, 100, 100, 1000, 1200},
	{"quick: as fast as it is served", 50, 100, 10000, 9000, 21000},
	{"slow: as slow as it is served", 60000, 10, 20, 100000, 125000},
	{"dead: not for ever", 300000, 20, 100000, 300000, 300000},
};

static void test_comes_back_at_its_pace(void **state)
{
	for (size_t i = 0; i < sizeof(PACES) / sizeof(PACES[0]); i++) {
		int64_t last_ms = last_of(*state, PACES[i].took_ms,
		                          PACES[i].max, PACES[i].count);

		if (last_ms < PACES[i].least_ms || last_ms > PACES[i].most_ms) {
			fail_msg("%s: %lld ms", PACES[i].name,
			         (long long)last_ms);
		}
		sp_share_fini(*state);
		sp_share_init(*state);
	}
}

static void test_nothing_in_hand_yet(void **state)
{
	assert_int_equal(sp_share_later_ms(*state, SLOW, 5, 0),
	                 SP_SHARE_LATER_MIN_MS);
	assert_int_equal(sp_share_of(*state, SLOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts_by_domain, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(test_comes_back_at_its_pace,
	                                        setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_in_hand_yet, setup,
	                                        teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
