/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void empty_allocations_are_not_null(void **state)
{
	void *a = sp_alloc(0);
	void *b = sp_calloc(0, 0);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	a = sp_realloc(a, 0);
	assert_non_null(a);
	SP_FREE(&a);
	assert_null(a);
	sp_free(b);
	sp_free(NULL);
}

static void copies_end_in_nul(void **state)
{
	char *a = sp_str_dup(sp_str_slice("abc", 2));
	char *b = sp_strdup("xyz");
	char *c = sp_str_dup(sp_str_from(NULL));

	(void)state;
	assert_string_equal(a, "ab");
	assert_string_equal(b, "xyz");
	assert_string_equal(c, "");
	sp_free(a);
	sp_free(b);
	sp_free(c);
}

/* Sizes around a quarter of a block take different paths. */
static void arena_is_zeroed_aligned_and_apart(void **state)
{
	struct sp_arena a;
	unsigned char *before = NULL;

	(void)state;
	sp_arena_init(&a);
	for (size_t size = 0; size < 3000; size += 97) {
		unsigned char *p = sp_arena_alloc(&a, size);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++) {
			assert_int_equal(p[i], 0);
		}
		memset(p, 0xff, size);
		assert_ptr_not_equal(p, before);
		before = p;
	}
	assert_true(a.total_bytes > 3000);
	sp_arena_fini(&a);
	assert_int_equal(a.total_bytes, 0);
	assert_non_null(sp_arena_alloc(&a, 1));
	sp_arena_fini(&a);
}

static void large_block_leaves_the_newest_in_use(void **state)
{
	struct sp_arena a;

	(void)state;
	sp_arena_init(&a);
	char *first = sp_arena_alloc(&a, 16);
	char *large = sp_arena_alloc(&a, 100000);
	char *second = sp_arena_alloc(&a, 16);
	large[99999] = 1;
	assert_ptr_equal(first + 16, second);
	sp_arena_fini(&a);
}

/* A session has many arenas that hold little. */
static void small_content_takes_little_memory(void **state)
{
	struct sp_arena a;

	(void)state;
	sp_arena_init(&a);
	assert_non_null(sp_arena_alloc(&a, 100));
	assert_true(malloc_usable_size(a.head) <= 512);
	sp_arena_fini(&a);
	assert_non_null(sp_arena_alloc(&a, 1000));
	assert_true(malloc_usable_size(a.head) <= 1200);
	for (size_t i = 0; i < 1000; i++) {
		assert_non_null(sp_arena_alloc(&a, 100));
	}
	assert_true(malloc_usable_size(a.head) >= 4096);
	assert_true(malloc_usable_size(a.head) <= 8192);
	sp_arena_fini(&a);
}

static void arena_text(void **state)
{
	struct sp_arena a;

	(void)state;
	sp_arena_init(&a);
	struct sp_str s = sp_arena_str(&a, SP_STR("a\0b"));
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.ptr, "a\0b", 4);
	assert_string_equal(sp_arena_cstr(&a, sp_str_from(NULL)), "");
	assert_string_equal(sp_arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	uint32_t *numbers = sp_arena_array(&a, 10, sizeof(*numbers));
	assert_int_equal(numbers[9], 0);
	sp_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_allocations_are_not_null),
		cmocka_unit_test(copies_end_in_nul),
		cmocka_unit_test(arena_is_zeroed_aligned_and_apart),
		cmocka_unit_test(large_block_leaves_the_newest_in_use),
		cmocka_unit_test(small_content_takes_little_memory),
		cmocka_unit_test(arena_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
