/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places at an address: never more than the limit, and whoever waits gets
 * one as soon as it is free, however it became so. (Connections that are
 * used again are tested with whole attempts.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/pool.h"

#define ADDRESS SP_STR("192.0.2.1")
#define ASKERS  5

struct asker {
	struct world *world;
	struct sp_pool_ticket *ticket;
	bool has_place;
};

struct world {
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_pool *pool;
	struct sp_timer *later;
	struct asker askers[ASKERS];
};

static void on_place(void *arg, struct sp_dial *dial)
{
	struct asker *a = arg;

	assert_null(dial);
	a->ticket = NULL;
	a->has_place = true;
}

static void on_later(void *arg)
{
	struct world *w = arg;

	sp_loop_stop(w->loop);
}

/* All that is due has been told. */
static void turn(struct world *w)
{
	sp_timer_set(w->later, 1);
	assert_int_equal(sp_loop_run(w->loop), 0);
}

static size_t ask_all(struct world *w)
{
	for (size_t i = 0; i < ASKERS; i++) {
		struct asker *a = &w->askers[i];

		a->ticket = sp_pool_ask(w->pool, SP_STR("key"), ADDRESS,
		                        on_place, a);
		assert_false(a->has_place); /* never from inside */
	}
	turn(w);
	return sp_pool_connections(w->pool);
}

static size_t have_places(const struct world *w)
{
	size_t count = 0;

	for (size_t i = 0; i < ASKERS; i++) {
		count += w->askers[i].has_place;
	}
	return count;
}

static void leave(struct world *w, size_t i)
{
	assert_true(w->askers[i].has_place);
	w->askers[i].has_place = false;
	sp_pool_leave(w->pool, ADDRESS);
}

static int set_up(void **state)
{
	struct world *w = SP_NEW(struct world);
	char why[SP_CONF_WHY];

	w->loop = sp_loop_new();
	assert_int_equal(sp_conf_parse(SP_STR("smtp { max_per_host = 4 }\n"),
	                               "x", &w->conf, why),
	                 0);
	w->pool = sp_pool_new(w->loop, w->conf, 2); /* two for each worker */
	w->later = sp_timer_new(w->loop, on_later, w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	assert_int_equal(sp_pool_connections(w->pool), 0);
	sp_pool_free(&w->pool);
	sp_timer_free(&w->later);
	sp_conf_free(&w->conf);
	sp_loop_free(&w->loop);
	sp_free(w);
	return 0;
}

static void test_in_turn(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask_all(w), 2);
	for (size_t i = 0; i < ASKERS; i++) {
		assert_true(w->askers[i].has_place);
		leave(w, i);
		turn(w);
		assert_true(have_places(w) <= 2);
	}
}

static void test_cancel(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask_all(w), 2);
	sp_pool_cancel(&w->askers[2].ticket); /* one that waits */
	leave(w, 0);                          /* granted to 3, not yet told */
	assert_int_equal(sp_pool_connections(w->pool), 2);
	sp_pool_cancel(&w->askers[3].ticket); /* so 4 gets it */
	turn(w);
	assert_false(w->askers[3].has_place);
	leave(w, 4);
	leave(w, 1);
}

static void test_other_address(void **state)
{
	struct world *w = *state;
	struct asker other = {0};

	assert_int_equal(ask_all(w), 2);
	other.ticket = sp_pool_ask(w->pool, SP_STR("key"), SP_STR("192.0.2.2"),
	                           on_place, &other);
	turn(w);
	assert_true(other.has_place);
	sp_pool_leave(w->pool, SP_STR("192.0.2.2"));
	for (size_t i = 2; i < ASKERS; i++) {
		sp_pool_cancel(&w->askers[i].ticket);
	}
	leave(w, 0);
	leave(w, 1);
}

/* Who waits hears of a higher limit. */
static void test_reload(void **state)
{
	struct world *w = *state;
	struct sp_conf *more;
	char why[SP_CONF_WHY];

	assert_int_equal(ask_all(w), 2);
	assert_int_equal(sp_conf_parse(SP_STR("smtp { max_per_host = 20 }\n"),
	                               "x", &more, why),
	                 0);
	sp_pool_set_conf(w->pool, more);
	turn(w);
	assert_int_equal(have_places(w), ASKERS);
	for (size_t i = 0; i < ASKERS; i++) {
		leave(w, i);
	}
	sp_conf_free(&w->conf);
	w->conf = more;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_turn, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_address, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(test_reload, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
