/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "deliver/probed.h"

static void test_time(void **state)
{
	struct sp_loop *loop = sp_loop_new();
	struct sp_probed *p = sp_probed_new(loop, SP_PROBED_WAIT_MS);

	(void)state;
	assert_null(sp_probed_find(p, SP_STR("a"), 0));
	sp_probed_keep(p, SP_STR("a"), "dane", 1000);
	assert_string_equal(sp_probed_find(p, SP_STR("a"), 1000), "dane");
	assert_null(sp_probed_find(p, SP_STR("b"), 1000));
	assert_non_null(
		sp_probed_find(p, SP_STR("a"), 1000 + SP_PROBED_MS - 1));
	assert_null(sp_probed_find(p, SP_STR("a"), 1000 + SP_PROBED_MS));
	sp_probed_keep(p, SP_STR("a"), "tls", 5000 + SP_PROBED_MS);
	assert_string_equal(sp_probed_find(p, SP_STR("a"), 5000 + SP_PROBED_MS),
	                    "tls");
	sp_probed_free(&p);
	sp_loop_free(&loop);
}

/* The one that was kept the longest ago goes. */
static void test_bound(void **state)
{
	struct sp_loop *loop = sp_loop_new();
	struct sp_probed *p = sp_probed_new(loop, SP_PROBED_WAIT_MS);
	char key[32];

	(void)state;
	for (unsigned n = 0; n < SP_PROBED_MAX + 10; n++) {
		(void)snprintf(key, sizeof(key), "%u", n);
		sp_probed_keep(p, sp_str_from(key), "dane", 0);
		if (n == 100) { /* anew */
			sp_probed_keep(p, SP_STR("0"), "dane", 0);
		}
	}
	assert_non_null(sp_probed_find(p, SP_STR("0"), 0));
	assert_null(sp_probed_find(p, SP_STR("1"), 0));
	assert_null(sp_probed_find(p, SP_STR("9"), 0));
	assert_non_null(sp_probed_find(p, SP_STR("11"), 0));
	assert_non_null(sp_probed_find(p, sp_str_from(key), 0));
	sp_probed_free(&p);
	sp_loop_free(&loop);
}

struct waiter {
	struct sp_probed_turn *turn;
	struct sp_probed_turn **other; /* ended with it; or null */
	unsigned told;
	struct sp_loop *loop; /* for on_late */
};

static void on_told(void *arg)
{
	struct waiter *w = arg;

	w->told++;
	sp_probed_end(&w->turn);
	if (w->other) {
		sp_probed_end(w->other);
	}
}

static void on_rest(void *arg)
{
	sp_loop_stop(arg);
}

/* All that is due now. */
static void settle(struct sp_loop *loop)
{
	struct sp_timer *rest = sp_timer_new(loop, on_rest, loop);

	sp_timer_set(rest, 0);
	assert_int_equal(sp_loop_run(loop), 0);
	sp_timer_free(&rest);
}

static void await(struct sp_probed *p, const char *key, struct waiter *w)
{
	w->turn = sp_probed_await(p, sp_str_from(key), on_told, w);
}

/* Whoever waits is told of the end, all at once, and not before. */
static void test_turns(void **state)
{
	struct sp_loop *loop = sp_loop_new();
	struct sp_probed *p = sp_probed_new(loop, SP_PROBED_WAIT_MS);
	struct sp_probed_turn *turn, *late;
	struct waiter w[4] = {0}, stranger = {0};

	(void)state;
	await(p, "a", &stranger);
	assert_null(stranger.turn); /* for whom? */
	turn = sp_probed_begin(p, SP_STR("a"));
	assert_non_null(turn);
	assert_null(sp_probed_begin(p, SP_STR("a")));
	for (size_t i = 0; i < 4; i++) {
		await(p, "a", &w[i]);
		assert_non_null(w[i].turn);
	}
	await(p, "b", &stranger);
	assert_null(stranger.turn);
	settle(loop);
	assert_int_equal(w[0].told, 0);
	sp_probed_end(&w[3].turn);
	w[0].other = &w[1].turn;
	sp_probed_end(&turn);
	assert_null(turn);
	assert_int_equal(w[0].told, 0); /* not from inside */
	late = sp_probed_begin(p, SP_STR("a"));
	assert_non_null(late);
	settle(loop);
	assert_int_equal(w[0].told, 1);
	assert_int_equal(w[1].told, 0);
	assert_int_equal(w[2].told, 1);
	assert_int_equal(w[3].told, 0);
	sp_probed_end(&late);
	sp_probed_free(&p);
	sp_loop_free(&loop);
}

static void on_late(void *arg)
{
	struct waiter *w = arg;

	on_told(w);
	sp_loop_stop(w->loop);
}

/* Who waits is let go while the probe goes on, and nobody waits for that one
 * any more, nor for a second one beside it. */
static void test_late(void **state)
{
	struct sp_loop *loop = sp_loop_new();
	struct sp_probed *p = sp_probed_new(loop, 1);
	struct sp_probed_turn *turn = sp_probed_begin(p, SP_STR("a"));
	struct waiter w = {.loop = loop}, later = {0};

	(void)state;
	w.turn = sp_probed_await(p, SP_STR("a"), on_late, &w);
	assert_non_null(w.turn);
	assert_int_equal(sp_loop_run(loop), 0);
	assert_int_equal(w.told, 1);
	await(p, "a", &later);
	assert_null(later.turn);
	assert_null(sp_probed_begin(p, SP_STR("a")));
	sp_probed_end(&turn);
	settle(loop);
	assert_int_equal(w.told, 1);
	turn = sp_probed_begin(p, SP_STR("a"));
	await(p, "a", &later);
	assert_non_null(later.turn);
	sp_probed_end(&later.turn);
	sp_probed_end(&turn);
	sp_probed_free(&p);
	sp_loop_free(&loop);
}

/* Another one has come to know meanwhile. */
static void test_known_meanwhile(void **state)
{
	struct sp_loop *loop = sp_loop_new();
	struct sp_probed *p = sp_probed_new(loop, SP_PROBED_WAIT_MS);
	struct sp_probed_turn *turn = sp_probed_begin(p, SP_STR("a"));
	struct waiter w = {0};

	(void)state;
	await(p, "a", &w);
	sp_probed_keep(p, SP_STR("b"), "dane", 0);
	settle(loop);
	assert_int_equal(w.told, 0);
	sp_probed_keep(p, SP_STR("a"), "dane", 0);
	settle(loop);
	assert_int_equal(w.told, 1);
	sp_probed_end(&turn);
	sp_probed_free(&p);
	sp_loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_known_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
