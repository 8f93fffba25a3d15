/* SPDX-License-Identifier: Apache-2.0 */
/* Whose turn it is: a few at once, none of them at the same address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze/pace.h"

#define ADDRESSES 6

static const struct pace_case {
	const char *name;
	/* The last byte of each address, host by host; 0: no more. */
	uint8_t hosts[3][ADDRESSES];
	bool skip[3];
	size_t count;
	size_t at_once; /* that may begin before any is over */
} CASES[] = {
	{"two addresses of a host", {{1, 2}}, {0}, 2, 2},
	{"not more than the limit", {{1, 2, 3, 4, 5}}, {0}, 5, SP_PACE_MAX},
	{"two names of one address", {{1}, {1}}, {0}, 2, 1},
	{"the address is busy, another is not", {{1}, {1, 2}}, {0}, 3, 2},
	{"a host to skip", {{1}, {2}, {3}}, {false, true, false}, 2, 2},
	{"no address", {{0}}, {0}, 0, 0},
};

static void make_plan(const struct pace_case *c, struct sp_plan *plan,
                      struct sp_plan_host *hosts,
                      struct sp_plan_address addresses[3][ADDRESSES])
{
	*plan = (struct sp_plan){.hosts = hosts, .host_count = 3};
	for (size_t i = 0; i < 3; i++) {
		hosts[i] = (struct sp_plan_host){
			.addresses = addresses[i],
			.rule = c->skip[i] ? SP_RULE_SKIP : SP_RULE_DANE,
		};
		for (size_t k = 0; k < ADDRESSES && c->hosts[i][k]; k++) {
			addresses[i][k] = (struct sp_plan_address){
				.family = 4,
				.bytes = {192, 0, 2, c->hosts[i][k]},
			};
			hosts[i].address_count++;
		}
	}
}

static void run(const struct pace_case *c)
{
	struct sp_plan_address addresses[3][ADDRESSES];
	struct sp_plan_host hosts[3];
	struct sp_plan plan;
	struct sp_arena arena;
	struct sp_pace pace;
	size_t began = 0, job = 0;
	size_t running[SP_PACE_MAX];

	sp_arena_init(&arena);
	make_plan(c, &plan, hosts, addresses);
	sp_pace_init(&pace, &plan, &arena);
	assert_int_equal(pace.count, c->count);
	while (sp_pace_next(&pace, &job)) {
		assert_true(began < SP_PACE_MAX);
		running[began++] = job;
	}
	assert_int_equal(began, c->at_once);
	for (size_t i = 0; i < began; i++) {
		sp_pace_over(&pace, running[i]);
	}
	while (sp_pace_next(&pace, &job)) {
		sp_pace_over(&pace, job);
		began++;
	}
	assert_int_equal(began, c->count);
	assert_true(sp_pace_all_over(&pace));
	sp_arena_fini(&arena);
}

static void test_pace(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		print_message("  %s\n", CASES[i].name);
		run(&CASES[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
