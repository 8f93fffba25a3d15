/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rand.h"
#include "base/str.h"

static void kernel_bytes_differ(void **state)
{
	uint8_t large[1000] = {0};
	size_t zeros = 0;

	(void)state;
	assert_true(sp_rand_u64() != sp_rand_u64());
	sp_rand_bytes(large, sizeof(large));
	for (size_t i = 0; i < sizeof(large); i++) {
		zeros += large[i] == 0;
	}
	assert_true(zeros < 100);
}

/* Numbers come from a pool that a child must not share with its parent. */
static void a_child_has_its_own(void **state)
{
	uint64_t ours;
	uint64_t theirs;
	int ends[2];
	pid_t child;

	(void)state;
	(void)sp_rand_u64(); /* fills the pool */
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		theirs = sp_rand_u64();
		_exit(write(ends[1], &theirs, sizeof(theirs)) !=
		      sizeof(theirs));
	}
	assert_int_equal(read(ends[0], &theirs, sizeof(theirs)),
	                 sizeof(theirs));
	assert_int_equal(waitpid(child, NULL, 0), child);
	ours = sp_rand_u64();
	assert_true(ours != theirs);
	close(ends[0]);
	close(ends[1]);
}

/* The first outputs of splitmix64 for the seed 1234567, as published with
 * the generator. */
static void seeded_sequence_repeats(void **state)
{
	uint64_t seed = 1234567;

	(void)state;
	assert_true(sp_rand_next(&seed) == UINT64_C(6457827717110365317));
	assert_true(sp_rand_next(&seed) == UINT64_C(3203168211198807973));
	assert_true(sp_rand_next(&seed) == UINT64_C(9817491932198370423));
}

static void below_is_even(void **state)
{
	uint64_t seed = 1;
	int seen[3] = {0};

	(void)state;
	for (int i = 0; i < 30000; i++) {
		seen[sp_rand_below(&seed, 3)]++;
	}
	for (int i = 0; i < 3; i++) {
		assert_in_range(seen[i], 9500, 10500);
	}
	assert_true(sp_rand_below(&seed, 1) == 0);
}

static void ids_sort_by_time(void **state)
{
	char early[SP_ID_LEN + 1];
	char late[SP_ID_LEN + 1];
	char again[SP_ID_LEN + 1];

	(void)state;
	for (int64_t ms = 1; ms < INT64_C(1) << 47; ms *= 2) {
		sp_id_new(ms - 1, early);
		sp_id_new(ms, late);
		sp_id_new(ms, again);
		assert_int_equal(strlen(late), SP_ID_LEN);
		assert_true(strcmp(early, late) < 0);
		assert_string_not_equal(late, again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_bytes_differ),
		cmocka_unit_test(a_child_has_its_own),
		cmocka_unit_test(seeded_sequence_repeats),
		cmocka_unit_test(below_is_even),
		cmocka_unit_test(ids_sort_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
