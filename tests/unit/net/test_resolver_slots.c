/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "net/resolver_slots.h"

struct world {
	struct sp_loop *loop;
	struct sp_deferred *wake;
	struct sp__slots slots;
	struct sp__slot *all;
	size_t wakes;
};

static void on_wake(void *arg)
{
	struct world *w = arg;

	w->wakes++;
	sp_loop_stop(w->loop);
}

static int open_world(void **state)
{
	struct world *w = SP_NEW(struct world);

	w->loop = sp_loop_new();
	w->wake = sp_deferred_new(w->loop, on_wake, w);
	sp__slots_init(&w->slots, w->loop, w->wake);
	w->all = sp_calloc(SP__SLOTS_QUICK + SP__SLOTS_SLOW, sizeof(*w->all));
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < SP__SLOTS_QUICK + SP__SLOTS_SLOW; i++) {
		if (w->all[i].taken) {
			sp__slot_give(&w->slots, &w->all[i]);
		}
	}
	assert_true(sp__slots_have_room(&w->slots, 0));
	sp__slots_fini(&w->slots);
	sp_deferred_free(&w->wake);
	sp_loop_free(&w->loop);
	sp_free(w->all);
	sp_free(w);
	return 0;
}

/* From that one on, until there is no room. */
static size_t fill(struct world *w, size_t from)
{
	while (sp__slots_have_room(&w->slots, 0)) {
		sp__slot_take(&w->slots, &w->all[from++]);
	}
	return from;
}

static void test_as_many_as_are_quick(void **state)
{
	struct world *w = *state;

	assert_int_equal(fill(w, 0), SP__SLOTS_QUICK);
	sp__slot_give(&w->slots, &w->all[7]);
	assert_true(sp__slots_have_room(&w->slots, 0));
	assert_int_equal(fill(w, SP__SLOTS_QUICK), SP__SLOTS_QUICK + 1);
}

static void test_the_slow_give_room(void **state)
{
	struct world *w = *state;
	int64_t began_ms = sp_time_mono_ms();
	size_t taken = fill(w, 0);

	sp_loop_run(w->loop);
	assert_int_equal(w->wakes, 1);
	assert_in_range(sp_time_mono_ms() - began_ms, SP__SLOT_SLOW_MS,
	                60 * SP__SLOT_SLOW_MS);
	assert_true(w->all[0].slow);
	assert_true(sp__slots_have_room(&w->slots, 0));
	sp__slot_give(&w->slots, &w->all[0]);
	sp__slot_take(&w->slots, &w->all[0]);
	assert_false(w->all[0].slow);
	assert_true(taken < fill(w, taken));
}

/* Those that nobody waits for count too. */
static void test_not_too_many_are_slow(void **state)
{
	struct world *w = *state;
	size_t quick = SP__SLOTS_QUICK;

	(void)fill(w, 0);
	while (w->all[SP__SLOTS_QUICK - 1].taken &&
	       !w->all[SP__SLOTS_QUICK - 1].slow) {
		sp_loop_run(w->loop);
	}
	assert_true(sp__slots_have_room(&w->slots, SP__SLOTS_SLOW - quick - 1));
	assert_false(sp__slots_have_room(&w->slots, SP__SLOTS_SLOW - quick));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_as_many_as_are_quick,
	                                        open_world, close_world),
		cmocka_unit_test_setup_teardown(test_the_slow_give_room,
	                                        open_world, close_world),
		cmocka_unit_test_setup_teardown(test_not_too_many_are_slow,
	                                        open_world, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
