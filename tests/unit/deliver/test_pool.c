/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places at an address and at a host: never more than the limit, and whoever
 * waits gets one as soon as it is free, however it became so. An address that
 * fails is tried by one at a time, and nobody waits for it in vain.
 * (Connections that are used again are tested with whole attempts.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "deliver/pool.h"

#define ASKERS 12

struct asker {
	struct sp_pool_ticket *ticket;
	struct sp_pool_place *place;
	enum sp_cause_id refused; /* NONE: not */
	char why[32];
};

struct world {
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_pool *pool;
	struct sp_timer *later;
	const char *key; /* that is asked for; null: none */
	struct asker askers[ASKERS];
};

static void on_answer(void *arg, struct sp_pool_place *place,
                      const struct sp_pool_failure *failure)
{
	struct asker *a = arg;

	assert_true((place == NULL) != (failure == NULL));
	a->ticket = NULL;
	a->place = place;
	a->refused = failure ? failure->cause : SP_CAUSE_NONE;
	if (failure) {
		snprintf(a->why, sizeof(a->why), SP_STR_FMT,
		         SP_STR_ARG(failure->why));
		assert_true(failure->age_ms >= 0);
	} else {
		assert_null(sp_pool_place_dial(place));
	}
}

static void on_later(void *arg)
{
	struct world *w = arg;

	sp_loop_stop(w->loop);
}

static void wait_ms(struct world *w, int64_t ms)
{
	sp_timer_set(w->later, ms);
	assert_int_equal(sp_loop_run(w->loop), 0);
}

/* All that is due has been told. */
static void turn(struct world *w)
{
	wait_ms(w, 1);
}

/* Asker i, on behalf of a domain of its own unless one is given. */
static void ask_at(struct world *w, size_t i, const char *domain,
                   const char *host, const char *address)
{
	struct asker *a = &w->askers[i];
	char own[32];
	struct sp_pool_ask ask = {
		.key = sp_str_from(w->key),
		.host = sp_str_from(host),
		.address = sp_str_from(address),
		.port = 25,
	};

	snprintf(own, sizeof(own), "d%zu.example", i);
	ask.domain = sp_str_from(domain ? domain : own);
	a->refused = SP_CAUSE_NONE;
	a->ticket = sp_pool_ask(w->pool, &ask, on_answer, a);
	assert_null(a->place); /* never from inside */
}

static void ask_one(struct world *w, size_t i)
{
	ask_at(w, i, NULL, "mx.example", "192.0.2.1");
}

static size_t ask_many(struct world *w, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		ask_one(w, i);
	}
	turn(w);
	return sp_pool_connections(w->pool);
}

static size_t have_places(const struct world *w)
{
	size_t count = 0;

	for (size_t i = 0; i < ASKERS; i++) {
		count += w->askers[i].place != NULL;
	}
	return count;
}

static size_t refused(const struct world *w)
{
	size_t count = 0;

	for (size_t i = 0; i < ASKERS; i++) {
		count += w->askers[i].refused != SP_CAUSE_NONE;
	}
	return count;
}

static void leave(struct world *w, size_t i)
{
	assert_non_null(w->askers[i].place);
	sp_pool_leave(&w->askers[i].place);
}

static void fail_at(struct world *w, size_t i)
{
	char own[32];

	assert_non_null(w->askers[i].place);
	snprintf(own, sizeof(own), "d%zu.example", i);
	sp_pool_note_failure(w->askers[i].place, sp_str_from(own),
	                     SP_CAUSE_CONNECTION_REFUSED,
	                     SP_STR("nobody there"));
	leave(w, i);
}

static void leave_all(struct world *w)
{
	for (size_t i = 0; i < ASKERS; i++) {
		sp_pool_cancel(&w->askers[i].ticket);
	}
	turn(w);
	for (size_t i = 0; i < ASKERS; i++) {
		sp_pool_leave(&w->askers[i].place);
	}
}

static struct world *set_up_with(void **state, const char *conf,
                                 unsigned worker_count)
{
	struct world *w = SP_NEW(struct world);
	char why[SP_CONF_WHY];

	w->loop = sp_loop_new();
	assert_int_equal(sp_conf_parse(sp_str_from(conf), "x", &w->conf, why),
	                 0);
	w->pool = sp_pool_new(w->loop, w->conf, worker_count);
	w->later = sp_timer_new(w->loop, on_later, w);
	*state = w;
	return w;
}

static int set_up(void **state) /* two for each worker */
{
	set_up_with(state, "smtp { max_per_host = 4 }\n", 2);
	return 0;
}

static int set_up_more(void **state) /* eight, of which five at first */
{
	set_up_with(state, "smtp { max_per_host = 8 }\n", 1);
	return 0;
}

static int set_up_short(void **state) /* the same, and a pause of 200 ms */
{
	set_up_with(state, "retry = {\"400ms\"}\nsmtp { max_per_host = 8 }\n",
	            1);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	leave_all(w);
	assert_int_equal(sp_pool_connections(w->pool), 0);
	sp_pool_free(&w->pool);
	sp_timer_free(&w->later);
	sp_conf_free(&w->conf);
	sp_loop_free(&w->loop);
	sp_free(w);
	return 0;
}

/* --- limits --- */

static void test_in_turn(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask_many(w, 0, 5), 2);
	for (size_t i = 0; i < 5; i++) {
		leave(w, i);
		turn(w);
		assert_true(have_places(w) <= 2);
	}
}

static void test_cancel(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask_many(w, 0, 5), 2);
	sp_pool_cancel(&w->askers[2].ticket); /* one that waits */
	leave(w, 0);                          /* granted to 3, not yet told */
	assert_int_equal(sp_pool_connections(w->pool), 2);
	sp_pool_cancel(&w->askers[3].ticket); /* so 4 gets it */
	turn(w);
	assert_null(w->askers[3].place);
	leave(w, 4);
	leave(w, 1);
}

static void test_other_address(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask_many(w, 0, 5), 2);
	ask_at(w, 5, NULL, "mx2.example", "192.0.2.2");
	turn(w);
	assert_non_null(w->askers[5].place);
}

/* The addresses of a host together have no more than one of them. */
static void test_host(void **state)
{
	struct world *w = *state;

	ask_at(w, 0, NULL, "mx.example", "192.0.2.1");
	ask_at(w, 1, NULL, "mx.example", "192.0.2.2");
	ask_at(w, 2, NULL, "mx.example", "192.0.2.3");
	ask_at(w, 3, NULL, "mx2.example", "192.0.2.3");
	turn(w);
	assert_null(w->askers[2].place);
	assert_non_null(w->askers[3].place);
	leave(w, 0);
	turn(w);
	assert_non_null(w->askers[2].place);
}

/* Who waits for the host waits for the address when it is full by then. */
static void test_from_host_to_address(void **state)
{
	struct world *w = *state;

	ask_at(w, 0, NULL, "mx.example", "192.0.2.1");
	ask_at(w, 1, NULL, "mx.example", "192.0.2.2");
	ask_at(w, 2, NULL, "mx.example", "192.0.2.3"); /* for the host */
	ask_at(w, 3, NULL, "mx2.example", "192.0.2.3");
	ask_at(w, 4, NULL, "mx3.example", "192.0.2.3");
	turn(w);
	leave(w, 0);
	turn(w);
	assert_null(w->askers[2].place); /* for the address now */
	leave(w, 3);
	turn(w);
	assert_non_null(w->askers[2].place);
}

/* Who waits hears of a higher limit. */
static void test_reload(void **state)
{
	struct world *w = *state;
	struct sp_conf *more;
	char why[SP_CONF_WHY];

	assert_int_equal(ask_many(w, 0, 5), 2);
	assert_int_equal(sp_conf_parse(SP_STR("smtp { max_per_host = 20 }\n"),
	                               "x", &more, why),
	                 0);
	sp_pool_set_conf(w->pool, more);
	turn(w);
	assert_int_equal(have_places(w), 5);
	leave_all(w);
	sp_conf_free(&w->conf);
	w->conf = more;
}

/* --- addresses that fail --- */

static void test_grows(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask_many(w, 0, 12), 5);
	sp_pool_note_up(w->askers[0].place);
	sp_pool_note_up(w->askers[0].place); /* counts once */
	turn(w);
	assert_int_equal(have_places(w), 6);
	for (size_t i = 1; i < 6; i++) {
		sp_pool_note_up(w->askers[i].place);
	}
	turn(w);
	assert_int_equal(have_places(w), 8); /* the setting */
	fail_at(w, 7);                       /* while others are up: half */
	turn(w);
	assert_int_equal(have_places(w), 7);
	assert_int_equal(refused(w), 0);
	for (size_t i = 0; i < 3; i++) {
		leave(w, i);
	}
	turn(w);
	assert_int_equal(have_places(w), 4);
	leave(w, 3);
	turn(w);
	assert_int_equal(have_places(w), 4);
}

/* All who wait are told, and who comes in the pause. */
static void test_fails(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask_many(w, 0, 8), 5);
	fail_at(w, 0);
	turn(w);
	assert_int_equal(refused(w), 3);
	assert_int_equal(w->askers[7].refused, SP_CAUSE_CONNECTION_REFUSED);
	assert_string_equal(w->askers[7].why, "nobody there");
	for (size_t i = 1; i < 5; i++) {
		fail_at(w, i);
	}
	assert_int_equal(ask_many(w, 8, 2), 0); /* remembered */
	assert_int_equal(refused(w), 5);
	ask_at(w, 10, NULL, "mx.example", "192.0.2.2"); /* another address */
	turn(w);
	assert_non_null(w->askers[10].place);
}

static void test_probe(void **state)
{
	struct world *w = *state;

	ask_many(w, 0, 1);
	fail_at(w, 0);
	wait_ms(w, 250);
	assert_int_equal(ask_many(w, 1, 3), 1); /* the others wait for it */
	assert_int_equal(refused(w), 0);
	fail_at(w, 1);
	turn(w);
	assert_int_equal(refused(w), 2);
	wait_ms(w, 250);
	assert_int_equal(ask_many(w, 4, 8), 1);
	sp_pool_note_up(w->askers[4].place); /* it works again: one more */
	turn(w);
	assert_int_equal(have_places(w), 2);
	sp_pool_note_up(w->askers[5].place);
	turn(w);
	assert_int_equal(have_places(w), 3);
}

/* Who has waited in silence since before does not stand in its way. */
static void test_probe_beside_old(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask_many(w, 0, 3), 3);
	fail_at(w, 0);
	wait_ms(w, 250);
	assert_int_equal(ask_many(w, 3, 2), 3);
	assert_non_null(w->askers[3].place);
	assert_int_equal(refused(w), 0);
	fail_at(w, 1);
	turn(w);
	assert_int_equal(refused(w), 1);
}

/* Whose failure it was comes when its schedule says so. */
static void test_same_domain(void **state)
{
	struct world *w = *state;

	ask_many(w, 0, 1);
	fail_at(w, 0);
	ask_at(w, 1, "d0.example", "mx.example", "192.0.2.1");
	ask_one(w, 2);
	turn(w);
	assert_non_null(w->askers[1].place);
	assert_int_equal(w->askers[2].refused, SP_CAUSE_CONNECTION_REFUSED);
}

static void test_forget(void **state)
{
	struct world *w = *state;

	ask_many(w, 0, 2);
	fail_at(w, 0);
	ask_many(w, 2, 1);
	assert_int_equal(refused(w), 1);
	sp_pool_forget(w->pool); /* while somebody is there, */
	assert_int_equal(ask_many(w, 3, 1), 2);
	fail_at(w, 1);
	fail_at(w, 3);
	sp_pool_forget(w->pool); /* and nobody */
	assert_int_equal(ask_many(w, 4, 6), 5);
}

/* The longest ago are forgotten; nothing grows without end. */
static void test_remembered(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i <= 1000; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256,
		         i % 256);
		ask_at(w, 0, NULL, "mx.example", address);
		turn(w);
		fail_at(w, 0);
	}
	ask_at(w, 1, NULL, "mx.example", "10.0.0.0");
	ask_at(w, 2, NULL, "mx.example", "10.0.3.232");
	turn(w);
	assert_non_null(w->askers[1].place);
	assert_int_equal(w->askers[2].refused, SP_CAUSE_CONNECTION_REFUSED);
}

static void test_give_up(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask_many(w, 0, 7), 5);
	sp_pool_give_up(w->askers[5].ticket);
	turn(w);
	assert_int_equal(w->askers[5].refused, SP_CAUSE_HOST_BUSY);
	leave(w, 0);
	sp_pool_give_up(w->askers[6].ticket); /* has a place already */
	turn(w);
	assert_non_null(w->askers[6].place);
	leave_all(w);

	ask_many(w, 0, 1);
	fail_at(w, 0);
	ask_at(w, 1, "d0.example", "mx.example", "192.0.2.1");
	ask_at(w, 2, "d0.example", "mx.example", "192.0.2.1");
	turn(w);
	assert_non_null(w->askers[2].ticket); /* a probe is there */
	sp_pool_give_up(w->askers[2].ticket);
	turn(w);
	assert_int_equal(w->askers[2].refused, SP_CAUSE_CONNECTION_REFUSED);
}

/* A handshake is made for many messages: connections under one key grow
 * slowly, whoever has none of his own. */
static void test_group(void **state)
{
	struct world *w = *state;

	w->key = "k";
	assert_int_equal(ask_many(w, 0, 5), 1);
	w->key = "other"; /* RFC 7672: of another policy, not to be shared */
	assert_int_equal(ask_many(w, 5, 1), 2);
	leave(w, 0); /* nobody waits for what is not there */
	turn(w);
	assert_int_equal(sp_pool_connections(w->pool), 2);
	assert_non_null(w->askers[1].place);
	leave_all(w);
	turn(w);
}

static void test_group_backlog(void **state)
{
	struct world *w = *state;

	w->key = "k";
	assert_int_equal(ask_many(w, 0, 5), 1);
	assert_int_equal(ask_many(w, 5, 1), 2); /* five waited for one */
	assert_int_equal(ask_many(w, 6, 6), 3); /* nine for two */
}

static void test_group_waits(void **state)
{
	struct world *w = *state;

	w->key = "k";
	assert_int_equal(ask_many(w, 0, 3), 1);
	while (have_places(w) == 1) { /* the one there is takes its time */
		wait_ms(w, 10);
	}
	assert_int_equal(sp_pool_connections(w->pool), 2);
	assert_non_null(w->askers[2].ticket);
}

#define TEST(name, set_up)                                                     \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_turn, set_up),
		TEST(test_group, set_up),
		TEST(test_group_backlog, set_up_more),
		TEST(test_group_waits, set_up),
		TEST(test_cancel, set_up),
		TEST(test_other_address, set_up),
		TEST(test_host, set_up),
		TEST(test_from_host_to_address, set_up),
		TEST(test_reload, set_up),
		TEST(test_grows, set_up_more),
		TEST(test_fails, set_up_more),
		TEST(test_probe, set_up_short),
		TEST(test_probe_beside_old, set_up_short),
		TEST(test_same_domain, set_up_more),
		TEST(test_forget, set_up_more),
		TEST(test_give_up, set_up_more),
		TEST(test_remembered, set_up_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
