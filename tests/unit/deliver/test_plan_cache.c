/* SPDX-License-Identifier: Apache-2.0 */
/* Plans that a burst of mail shares: for how long, and how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "deliver/plan_cache.h"

#define DOMAIN SP_STR("d.test")

/* A plan that is done without a question. */
static struct sp_shared_plan *plan_with(uint32_t ttl_s)
{
	const struct sp_plan_conf conf = {
		.port = 25,
		.fixed_next_hop = SP_STR("[192.0.2.1]"),
		.hosts_max = 10,
		.addresses_max = 10,
		.tlsa_max = 10,
	};
	struct sp_plan *plan = sp_plan_new(&conf, DOMAIN, 1);

	assert_true(sp_plan_done(plan));
	plan->ttl_s = ttl_s;
	return sp_shared_plan_new(&plan);
}

static const struct {
	const char *name;
	uint32_t ttl_s;
	int64_t looked_ms; /* after it was kept */
	bool found;
} LIVES[] = {
	{"within its TTL", 5, 4999, true},
	{"RFC 1035 3.2.1: not behind its TTL", 5, 5000, false},
	{"RFC 1035 3.2.1: TTL 0 is for one use", 0, 0, false},
	{"a long TTL: shared by a burst", 86400, SP_PLAN_SHARE_MS - 1, true},
	{"RFC 5321 5.1: a long TTL: hosts are shuffled again", 86400,
         SP_PLAN_SHARE_MS, false},
};

static void lives(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(LIVES) / sizeof(LIVES[0]); i++) {
		struct sp_plan_cache *cache = sp_plan_cache_new();
		struct sp_shared_plan *shared = plan_with(LIVES[i].ttl_s);
		struct sp_shared_plan *found;

		print_message("  %s\n", LIVES[i].name);
		sp_plan_cache_keep(cache, DOMAIN, shared, 1000);
		found = sp_plan_cache_find(cache, DOMAIN,
		                           1000 + LIVES[i].looked_ms);
		assert_ptr_equal(found, LIVES[i].found ? shared : NULL);
		sp_shared_plan_drop(&shared);
		assert_null(shared);
		sp_plan_cache_free(&cache);
	}
}

/* Whoever holds a plan keeps it, whatever becomes of the cache. */
static void held(void **state)
{
	struct sp_plan_cache *cache = sp_plan_cache_new();
	struct sp_shared_plan *first = plan_with(60), *second = plan_with(60);

	(void)state;
	sp_plan_cache_keep(cache, DOMAIN, first, 0);
	sp_plan_cache_keep(cache, DOMAIN, second, 0);
	assert_ptr_equal(sp_plan_cache_find(cache, DOMAIN, 0), second);
	sp_plan_cache_forget(cache, DOMAIN);
	assert_null(sp_plan_cache_find(cache, DOMAIN, 0));
	sp_plan_cache_keep(cache, DOMAIN, second, 0);
	sp_plan_cache_free(&cache);
	assert_int_equal(first->plan->host_count, 1);
	assert_int_equal(second->holders, 1);
	sp_shared_plan_drop(&first);
	sp_shared_plan_drop(&second);
}

/* Who comes alone needs no text of it. */
static void text(void **state)
{
	struct sp_shared_plan *shared = plan_with(60);
	struct sp_json *evidence;
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 10000);
	for (int i = 0; i < 3; i++) {
		evidence = sp_shared_plan_evidence(shared);
		assert_ptr_equal(sp_shared_plan_known(shared).value,
		                 i > 0 ? evidence : NULL);
		sp_buf_reset(&out);
		assert_int_equal(sp_json_write(evidence, &out), 0);
		sp_json_free(&evidence);
	}
	assert_true(
		sp_str_eq(sp_shared_plan_known(shared).text, sp_buf_str(&out)));
	sp_buf_fini(&out);
	sp_shared_plan_drop(&shared);
}

static void ages(void **state)
{
	struct sp_plan_cache *cache = sp_plan_cache_new();
	struct sp_shared_plan *first = plan_with(60), *second = plan_with(60);

	(void)state;
	sp_plan_cache_keep(cache, DOMAIN, first, 0);
	sp_plan_cache_keep(cache, SP_STR("other.test"), second, 1);
	assert_true(sp_plan_cache_age(cache, SP_PLAN_SHARE_MS - 1));
	assert_int_equal(first->holders, 2);
	assert_true(sp_plan_cache_age(cache, SP_PLAN_SHARE_MS));
	assert_int_equal(first->holders, 1);
	assert_int_equal(second->holders, 2);
	assert_false(sp_plan_cache_age(cache, SP_PLAN_SHARE_MS + 1));
	sp_plan_cache_free(&cache);
	sp_shared_plan_drop(&first);
	sp_shared_plan_drop(&second);
}

static void bounded(void **state)
{
	struct sp_plan_cache *cache = sp_plan_cache_new();
	struct sp_shared_plan *shared = plan_with(60);
	char name[32];

	(void)state;
	for (int i = 0; i <= SP_PLAN_CACHE_MAX; i++) {
		snprintf(name, sizeof(name), "d%d.test", i);
		sp_plan_cache_keep(cache, sp_str_from(name), shared, 0);
	}
	assert_int_equal(shared->holders, SP_PLAN_CACHE_MAX + 1);
	assert_null(sp_plan_cache_find(cache, SP_STR("d0.test"), 0));
	assert_non_null(sp_plan_cache_find(cache, sp_str_from(name), 0));
	sp_plan_cache_clear(cache);
	assert_int_equal(shared->holders, 1);
	sp_shared_plan_drop(&shared);
	sp_plan_cache_free(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lives),   cmocka_unit_test(held),
		cmocka_unit_test(text),    cmocka_unit_test(ages),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
