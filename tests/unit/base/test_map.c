/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"

static void set_find_remove(void **state)
{
	struct sp_map m;
	int one;
	int two;

	(void)state;
	sp_map_init(&m);
	assert_null(sp_map_find(&m, SP_STR("a")));
	assert_null(sp_map_remove(&m, SP_STR("a")));
	assert_null(sp_map_set(&m, SP_STR("a"), &one));
	assert_null(sp_map_set(&m, SP_STR("a\0"), &two));
	assert_null(sp_map_set(&m, sp_str_from(NULL), &two));
	assert_int_equal(m.count, 3);
	assert_ptr_equal(sp_map_set(&m, SP_STR("a"), &two), &one);
	assert_int_equal(m.count, 3);
	assert_ptr_equal(sp_map_find(&m, SP_STR("a")), &two);
	assert_null(sp_map_find(&m, SP_STR("A")));
	assert_ptr_equal(sp_map_remove(&m, SP_STR("a")), &two);
	assert_null(sp_map_find(&m, SP_STR("a")));
	assert_ptr_equal(sp_map_find(&m, SP_STR("")), &two);
	sp_map_fini(&m);
}

static void thousands_and_a_walk_that_removes(void **state)
{
	static uint64_t ids[5000];
	struct sp_map m;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;
	size_t seen = 0;

	(void)state;
	sp_map_init(&m);
	for (size_t i = 0; i < 5000; i++) {
		ids[i] = i * 3;
		sp_map_set(&m, sp_map_key_u64(&ids[i]), &ids[i]);
	}
	assert_int_equal(m.count, 5000);
	while (sp_map_next(&m, &it, &key, &value)) {
		assert_memory_equal(key.ptr, value, sizeof(uint64_t));
		seen++;
		if (*(uint64_t *)value % 2 == 0) {
			assert_ptr_equal(sp_map_remove(&m, key), value);
		}
	}
	assert_int_equal(seen, 5000);
	assert_int_equal(m.count, 2500);
	for (size_t i = 0; i < 5000; i++) {
		void *found = sp_map_find(&m, sp_map_key_u64(&ids[i]));
		assert_ptr_equal(found, ids[i] % 2 ? &ids[i] : NULL);
	}
	sp_map_fini(&m);
}

/* The vectors that the authors of SipHash publish: key 00..0f, input 00.. */
static void siphash_vectors(void **state)
{
	static const struct {
		size_t len;
		uint64_t want;
	} cases[] = {
		{0, 0x726fdb47dd0e0e31U},
		{1, 0x74f839c593dc67fdU},
		{8, 0x93f5f5799a932462U},
		{15, 0xa129ca6149be45e5U},
	};
	const uint64_t key[2] = {0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
	uint8_t input[16];

	(void)state;
	for (uint8_t i = 0; i < sizeof(input); i++) {
		input[i] = i;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sp_str s = sp_str_slice(input, cases[i].len);
		assert_true(sp_siphash(key, s) == cases[i].want);
	}
}

/* FNV-1a 64 of "" and "a" are published; a domain's case does not count. */
static void stable_hash_is_stable(void **state)
{
	(void)state;
	assert_true(sp_hash_stable(SP_STR("")) == 0xcbf29ce484222325U);
	assert_true(sp_hash_stable(SP_STR("a")) == 0xaf63dc4c8601ec8cU);
	assert_true(sp_hash_stable(SP_STR("foobar")) == 0x85944171f73967e8U);
	assert_true(sp_hash_stable(SP_STR("Example.ORG")) ==
	            sp_hash_stable(SP_STR("example.org")));
}

struct item {
	int value;
	struct sp_list node;
};

static int list_sum(struct sp_list *l)
{
	int sum = 0;

	SP_LIST_FOREACH (it, l) {
		sum = sum * 10 + SP_CONTAINER(it, struct item, node)->value;
	}
	return sum;
}

static void list_keeps_order(void **state)
{
	struct item items[] = {{.value = 1}, {.value = 2}, {.value = 3}};
	struct sp_list l;

	(void)state;
	sp_list_init(&l);
	assert_true(sp_list_empty(&l));
	assert_null(sp_list_first(&l));
	sp_list_append(&l, &items[1].node);
	sp_list_append(&l, &items[2].node);
	sp_list_prepend(&l, &items[0].node);
	assert_int_equal(list_sum(&l), 123);
	sp_list_remove(&items[1].node);
	sp_list_remove(&items[1].node);
	assert_int_equal(list_sum(&l), 13);
	assert_ptr_equal(sp_list_first(&l), &items[0].node);
	SP_LIST_FOREACH_SAFE (it, tmp, &l) {
		sp_list_remove(it);
	}
	assert_true(sp_list_empty(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_find_remove),
		cmocka_unit_test(thousands_and_a_walk_that_removes),
		cmocka_unit_test(siphash_vectors),
		cmocka_unit_test(stable_hash_is_stable),
		cmocka_unit_test(list_keeps_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
