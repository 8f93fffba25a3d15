/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/sqlite.h"

#define COUNT 200

static const int SIZES[] = {1,   7,    8,    9,    23,   24,   25,
                            500, 1007, 1008, 1009, 1016, 1017, 70000};
#define SIZE_COUNT (sizeof(SIZES) / sizeof(SIZES[0]))

static void check(const unsigned char *ptr, int size, int value)
{
	for (int i = 0; i < size; i++) {
		assert_int_equal(ptr[i], value);
	}
}

/* Many of all sizes at a time, twice: what was given back is used again. */
static void test_take(void **state)
{
	const sqlite3_mem_methods *m = sp__sqlite_memory();
	unsigned char *all[COUNT];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < COUNT; i++) {
			int size = SIZES[(size_t)i % SIZE_COUNT];

			all[i] = m->xMalloc(size);
			assert_int_equal((uintptr_t)all[i] % 8, 0);
			assert_true(m->xSize(all[i]) >= size);
			assert_int_equal(m->xSize(all[i]), m->xRoundup(size));
			memset(all[i], i, (size_t)size);
		}
		for (int i = 0; i < COUNT; i++) {
			check(all[i], SIZES[(size_t)i % SIZE_COUNT], i);
			m->xFree(all[i]);
		}
	}
	m->xFree(NULL);
}

static void test_take_again(void **state)
{
	const sqlite3_mem_methods *m = sp__sqlite_memory();

	(void)state;
	for (size_t i = 0; i < SIZE_COUNT; i++) {
		for (size_t j = 0; j < SIZE_COUNT; j++) {
			int less = SIZES[i] < SIZES[j] ? SIZES[i] : SIZES[j];
			unsigned char *ptr = m->xMalloc(SIZES[i]);

			memset(ptr, 7, (size_t)SIZES[i]);
			ptr = m->xRealloc(ptr, m->xRoundup(SIZES[j]));
			assert_int_equal(m->xSize(ptr), m->xRoundup(SIZES[j]));
			check(ptr, less, 7);
			memset(ptr, 8, (size_t)SIZES[j]);
			m->xFree(ptr);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_take_again),
	};

	return cmocka_run_group_tests_name("sqlite_mem", tests, NULL, NULL);
}
