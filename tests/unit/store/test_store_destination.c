/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fairness between destinations, destinations that fail as a whole and come
 * back, and clocks that are set: what every engine of the store must do.
 */
#include "base/rand.h"
#include "unit/store/world.h"

#define MINUTE (60 * (int64_t)1000)
#define PAUSE  (5 * MINUTE)
#define RETRY  (15 * MINUTE)

static void enqueue_at(struct world *w, const char *domain, int64_t due_ms)
{
	static unsigned number;
	char address[64];
	char id[16];
	struct sp_envelope_rcpt rcpt = {.domain = sp_str_from(domain)};
	struct sp_envelope e = envelope(&rcpt, 1);
	struct sp_store_incoming in;

	snprintf(address, sizeof(address), "b@%s", domain);
	snprintf(id, sizeof(id), "%c%u", domain[0], number++);
	rcpt.address = sp_str_from(address);
	in = incoming(id, &e);
	in.due_ms = due_ms;
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	commit(w);
}

static void enqueue_many(struct world *w, const char *domain, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enqueue_at(w, domain, NOW);
	}
}

enum news {
	NONE,
	REACHED,
	FAILED
};

static const struct sp_store_failure REFUSED = {
	.time_ms = NOW,
	.id = SP_STR("PROBE"),
	.code = SP_STR("4.4.316"),
	.cause = SP_STR("connection-refused"),
	.reply = SP_STR("450 4.4.316 Connection refused"),
	.expired_code = SP_STR("5.4.316"),
	.expired_reply = SP_STR("550 5.4.316 Connection refused"),
	.host = SP_STR("mx.dead.test"),
};

/* Ends the attempt at now_ms; what failed is due again after RETRY. */
static void end(struct world *w, const struct sp_store_job *job, enum news news,
                int64_t now_ms)
{
	struct sp_store_outcome_rcpt r = to(
		news == FAILED ? DEFERRED : DELIVERED, job->rcpts[0].rcpt_id);
	struct sp_store_failure failure = REFUSED;
	const struct sp_store_outcome o = {
		.attempt_id = job->attempt_id,
		.now_ms = now_ms,
		.reached = news == REACHED,
		.failure = news == FAILED ? &failure : NULL,
		.rcpts = &r,
		.rcpt_count = 1,
	};

	failure.pause_ms = now_ms + PAUSE;
	r.due_ms = now_ms + RETRY;
	begin(w);
	must(sp_store_settle(w->store, &o), w->store);
	commit(w);
}

static size_t overdue(struct world *w, int64_t now_ms, size_t limit)
{
	struct sp_store_lease_rcpt *rcpts;
	struct sp_store_failure failure;
	size_t count = 0;

	begin(w);
	must(sp_store_overdue(w->store, now_ms, limit, &w->arena, &failure,
	                      &rcpts, &count),
	     w->store);
	for (size_t i = 0; i < count; i++) {
		struct sp_store_outcome_rcpt r = to(DEFERRED, rcpts[i].rcpt_id);
		const struct sp_store_outcome o = {.now_ms = now_ms,
		                                   .host = failure.host,
		                                   .detail = SP_STR("{}"),
		                                   .rcpts = &r,
		                                   .rcpt_count = 1};

		r.code = failure.code;
		r.due_ms = now_ms + RETRY;
		must(sp_store_settle(w->store, &o), w->store);
	}
	commit(w);
	return count;
}

static int64_t next_due(struct world *w)
{
	int64_t due_ms;

	must(sp_store_next_due(w->store, 0, &due_ms), w->store);
	return due_ms;
}

static void set_limits(struct world *w, int64_t destination, int64_t probes)
{
	const struct sp_store_limits limits = {destination, probes};

	sp_store_set_limits(w->store, &limits);
}

/* ---- fairness ---- */

static void test_destinations_take_turns(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	char order[16] = "";

	enqueue_many(w, "a.test", 5);
	enqueue_many(w, "b.test", 2);
	enqueue_many(w, "c.test", 1);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(claim(w, NOW + (int64_t)i / 3, 1, &jobs), 1);
		order[i] = jobs[0].domain.ptr[0];
	}
	assert_string_equal(order, "abcabaaa");
	assert_int_equal(next_due(w), -1);
}

static void test_share(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	struct sp_store_job *more;

	set_limits(w, 3, 1);
	enqueue_many(w, "a.test", 9);
	enqueue_many(w, "b.test", 1);
	assert_int_equal(claim(w, NOW, 9, &jobs), 4);
	assert_int_equal(claim(w, NOW, 9, &more), 0);
	assert_int_equal(next_due(w), -1); /* nothing to wake up for */
	for (size_t i = 0; i < 4; i++) {
		end(w, &jobs[i], REACHED, NOW);
	}
	assert_int_equal(next_due(w), NOW);
	assert_int_equal(claim(w, NOW, 9, &jobs), 3);
}

static void test_window_grows(void **state)
{
	static const size_t sizes[] = {5, 10, 20, 20};
	struct world *w = *state;
	struct sp_store_job *jobs;

	set_limits(w, 20, 1);
	enqueue_many(w, "a.test", 60);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(claim(w, NOW, 50, &jobs), sizes[i]);
		for (size_t k = 0; k < sizes[i]; k++) {
			end(w, &jobs[k], REACHED, NOW);
		}
	}
}

/* ---- failing ---- */

/* A dead destination with its messages, the first of which was tried. */
static void fail_first(struct world *w, size_t count)
{
	struct sp_store_job *jobs;

	enqueue_many(w, "dead.test", 1);
	assert_int_equal(claim(w, NOW, 9, &jobs), 1);
	end(w, &jobs[0], FAILED, NOW);
	enqueue_many(w, "dead.test", count);
}

static void test_failing_is_left_alone(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	struct found f;
	int64_t when;

	fail_first(w, 30);
	must(sp_store_next_overdue(w->store, &when), w->store);
	assert_int_equal(when, NOW);
	assert_int_equal(claim(w, NOW, 9, &jobs), 0);
	assert_int_equal(overdue(w, NOW, 20), 20);
	assert_int_equal(overdue(w, NOW, 20), 10);
	assert_int_equal(overdue(w, NOW, 20), 0);
	f = search(w, (struct sp_store_filter){.code = SP_STR("4.4.316")});
	assert_int_equal(f.count, 30);
	assert_int_equal(f.attempts, 1);
	assert_int_equal(f.next_attempt_ms, NOW + RETRY);
	assert_string_equal(events(w, f.rcpt_id), "receive/0 defer/1{}");
	must(sp_store_next_overdue(w->store, &when), w->store);
	assert_int_equal(when, -1);
	assert_int_equal(next_due(w), NOW + RETRY);
}

static void test_one_probe(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;

	fail_first(w, 3);
	assert_int_equal(claim(w, NOW + PAUSE - 1, 9, &jobs), 0);
	assert_int_equal(claim(w, NOW + PAUSE, 9, &jobs), 1);
	assert_int_equal(overdue(w, NOW + PAUSE, 9), 0); /* its outcome first */
	end(w, &jobs[0], FAILED, NOW + PAUSE);
	assert_int_equal(claim(w, NOW + PAUSE, 9, &jobs), 0);
	assert_int_equal(overdue(w, NOW + PAUSE, 9), 2);
}

static void test_comes_back(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	size_t left = 30;
	size_t window = 1;

	fail_first(w, 29);
	assert_int_equal(overdue(w, NOW, 99), 29);
	enqueue_many(w, "dead.test", 1); /* comes when the pause is over */
	assert_int_equal(claim(w, NOW + PAUSE, 9, &jobs), 1);
	end(w, &jobs[0], REACHED, NOW + PAUSE);
	while (left > 0) { /* long before they are due by themselves */
		size_t count = claim(w, NOW + PAUSE, 99, &jobs);

		window *= 2;
		assert_int_equal(count, window < left ? window : left);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(jobs[i].attempt, 2);
			end(w, &jobs[i], REACHED, NOW + PAUSE);
		}
		left -= count;
	}
}

/* Others may be in flight that prove the contrary. */
static void test_one_of_several_fails(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	struct sp_store_job *more;

	enqueue_many(w, "a.test", 9);
	assert_int_equal(claim(w, NOW, 9, &jobs), 5);
	end(w, &jobs[0], FAILED, NOW); /* 5 -> 2 */
	assert_int_equal(overdue(w, NOW, 9), 0);
	end(w, &jobs[1], REACHED, NOW); /* 3 */
	end(w, &jobs[2], REACHED, NOW); /* 4 */
	assert_int_equal(claim(w, NOW, 9, &more), 2);
	/* the one that failed is due by its own time */
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(more[i].attempt, 1);
	}
}

static void test_all_of_several_fail(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;

	enqueue_many(w, "a.test", 9);
	assert_int_equal(claim(w, NOW, 9, &jobs), 5);
	for (size_t i = 0; i < 5; i++) {
		end(w, &jobs[i], FAILED, NOW);
	}
	assert_int_equal(claim(w, NOW, 9, &jobs), 0);
	assert_int_equal(overdue(w, NOW, 9), 4);
	/* a probe gets through: all nine are due, also the first ones */
	assert_int_equal(claim(w, NOW + RETRY, 9, &jobs), 1);
	end(w, &jobs[0], REACHED, NOW + RETRY);
	assert_int_equal(claim(w, NOW + RETRY, 9, &jobs), 2);
}

static void test_news_of_nothing(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;

	fail_first(w, 2);
	assert_int_equal(claim(w, NOW + PAUSE, 9, &jobs), 1);
	end(w, &jobs[0], NONE, NOW + PAUSE);
	/* as before: one at a time */
	assert_int_equal(claim(w, NOW + PAUSE, 9, &jobs), 1);
}

static void test_retry_overrides(void **state)
{
	struct world *w = *state;
	struct sp_store_filter all = {.domain = SP_STR("dead.test")};
	struct sp_store_job *jobs;
	uint64_t changed = 0;

	fail_first(w, 3);
	assert_int_equal(overdue(w, NOW, 9), 3);
	begin(w);
	must(sp_store_act(w->store, SP_STORE_ACT_RETRY, &all, 9, NOW + 1,
	                  &changed),
	     w->store);
	commit(w);
	assert_int_equal(changed, 4);
	assert_int_equal(overdue(w, NOW + 1, 9), 0);
	assert_int_equal(claim(w, NOW + 1, 9, &jobs), 1);
	end(w, &jobs[0], FAILED, NOW + 1);
	assert_int_equal(overdue(w, NOW + 1, 9), 3);
}

static void test_pauses_end(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;

	fail_first(w, 2);
	assert_int_equal(overdue(w, NOW, 9), 2);
	begin(w);
	must(sp_store_end_pauses(w->store, NOW + 1), w->store);
	commit(w);
	assert_int_equal(claim(w, NOW + 1, 9, &jobs), 0); /* none is due */
	enqueue_at(w, "dead.test", NOW + 2);
	assert_int_equal(overdue(w, NOW + 2, 9), 0);
	assert_int_equal(claim(w, NOW + 2, 9, &jobs), 1);
}

static void test_survives_restart(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;

	fail_first(w, 3);
	assert_int_equal(overdue(w, NOW, 2), 2);
	sp_store_close(&w->store);
	open_writer(w);
	assert_int_equal(claim(w, NOW, 9, &jobs), 0);
	assert_int_equal(overdue(w, NOW, 9), 1);
	assert_int_equal(claim(w, NOW + RETRY, 9, &jobs), 1);
}

/* However many destinations fail, they don't take all slots. */
static void test_probe_share(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	char domain[32];

	for (unsigned i = 0; i < 6; i++) {
		snprintf(domain, sizeof(domain), "dead%u.test", i);
		enqueue_many(w, domain, 1);
	}
	assert_int_equal(claim(w, NOW, 9, &jobs), 6);
	for (size_t i = 0; i < 6; i++) {
		end(w, &jobs[i], FAILED, NOW);
	}
	set_limits(w, 20, 2);
	enqueue_many(w, "good.test", 3);
	assert_int_equal(claim(w, NOW + RETRY, 9, &jobs), 5);
	assert_int_equal(claim(w, NOW + RETRY, 9, &jobs), 0);
	assert_int_equal(next_due(w), -1);
}

static void test_expiry_by_recipient(void **state)
{
	static const struct sp_envelope_rcpt two[] = {
		{.address = SP_STR("b@d.test"), .domain = SP_STR("d.test")},
		{.address = SP_STR("b@e.test"), .domain = SP_STR("e.test")},
	};
	static const int64_t expires_ms[] = {NOW + HOUR, NOW + DAY};
	struct world *w = *state;
	struct sp_envelope e = envelope(two, 2);
	struct sp_store_incoming in = incoming("M1", &e);
	struct sp_store_job *jobs;
	uint64_t count = 0;

	in.rcpt_expires_ms = expires_ms;
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	must(sp_store_expire(w->store, NOW + HOUR, 9, SP_STR("5.4.300"),
	                     SP_STR("message-expired"), SP_STR("x"), &count),
	     w->store);
	commit(w);
	assert_int_equal(count, 1);
	assert_int_equal(claim(w, NOW + HOUR, 9, &jobs), 1);
	assert_int_equal(jobs[0].expires_ms, NOW + DAY);
}

/* ---- the clock ---- */

static void test_shift(void **state)
{
	static const int64_t steps[] = {DAY * 365, -DAY * 365, -NOW * 2};
	struct world *w = *state;
	struct sp_store_job *jobs;
	int64_t now = NOW;

	fail_first(w, 1);
	enqueue_many(w, "good.test", 1);
	for (size_t i = 0; i < 3; i++) {
		uint64_t count = 0;

		now = now + steps[i] > 0 ? now + steps[i] : 0;
		begin(w);
		must(sp_store_shift(w->store, steps[i]), w->store);
		must(sp_store_expire(w->store, now, 9, SP_STR("5.4.300"),
		                     SP_STR("message-expired"), SP_STR("x"),
		                     &count),
		     w->store);
		commit(w);
		if (now) {
			assert_int_equal(count, 0);
		}
	}
	assert_int_equal(in_state(w, SP_STORE_QUEUED), 0); /* all at 0 */
	enqueue_many(w, "good.test", 1);
	assert_int_equal(claim(w, NOW, 9, &jobs), 1);
}

static void test_clock_is_kept(void **state)
{
	const struct sp_store_clock clock = {7, NOW, 1234};
	struct sp_store_clock seen;
	struct world *w = *state;

	must(sp_store_clock(w->store, &seen), w->store);
	assert_int_equal(seen.boot, 0);
	begin(w);
	must(sp_store_set_clock(w->store, &clock), w->store);
	commit(w);
	sp_store_close(&w->store);
	open_writer(w);
	must(sp_store_clock(w->store, &seen), w->store);
	assert_memory_equal(&seen, &clock, sizeof(seen));
}

/* ---- whatever happened, all that is queued is claimed in the end ---- */

static struct sp_store_job held[64];
static size_t held_count;

static void any_step(struct world *w, uint64_t *seed, int64_t now)
{
	static const enum news news[] = {NONE, REACHED, FAILED, FAILED};
	static const char *const domains[] = {"a.test", "b.test", "c.test"};
	struct sp_store_filter all = {.domain = sp_str_from(domains[now % 3])};
	struct sp_store_job *jobs;
	uint64_t count;
	size_t i;

	switch (sp_rand_below(seed, 8)) {
	case 0:
	case 1:
		enqueue_at(w, domains[sp_rand_below(seed, 3)], now);
		break;
	case 2:
	case 3:
		if (held_count < 60) {
			i = claim(w, now, 4, &jobs);
			memcpy(&held[held_count], jobs, i * sizeof(*jobs));
			held_count += i;
		}
		break;
	case 4:
		if (held_count) {
			i = sp_rand_below(seed, held_count);
			end(w, &held[i], news[sp_rand_below(seed, 4)], now);
			held[i] = held[--held_count];
		}
		break;
	case 5:
		(void)overdue(w, now, 1 + sp_rand_below(seed, 4));
		break;
	case 6:
		begin(w);
		must(sp_store_act(w->store,
		                  (enum sp_store_action)sp_rand_below(seed, 3),
		                  &all, 1 + sp_rand_below(seed, 5), now,
		                  &count),
		     w->store);
		commit(w);
		break;
	default:
		if (sp_rand_below(seed, 8) == 0) {
			begin(w);
			must(sp_store_release_leases(w->store, 0, NULL, 0, now,
			                             &count),
			     w->store);
			commit(w);
			held_count = 0;
		}
	}
}

static void drain(struct world *w, int64_t now)
{
	const struct sp_store_filter all = {.held = true};
	struct sp_store_job *jobs;
	uint64_t count;

	begin(w);
	must(sp_store_act(w->store, SP_STORE_ACT_RELEASE, &all, 100000, now,
	                  &count),
	     w->store);
	commit(w);
	while (held_count) {
		end(w, &held[--held_count], REACHED, now);
	}
	for (unsigned idle = 0; idle < 100; now += MINUTE) {
		size_t found = claim(w, now, 50, &jobs);

		idle = found ? 0 : idle + 1;
		for (size_t i = 0; i < found; i++) {
			end(w, &jobs[i], REACHED, now);
		}
	}
}

static void test_nothing_is_forgotten(void **state)
{
	struct world *w = *state;

	for (uint64_t seed = 1; seed <= 12; seed++) {
		uint64_t random = seed;
		int64_t now = NOW;

		for (unsigned i = 0; i < 120; i++) {
			any_step(w, &random, now);
			now += (int64_t)sp_rand_below(&random, MINUTE);
		}
		drain(w, now);
		if (in_state(w, SP_STORE_QUEUED) ||
		    in_state(w, SP_STORE_LEASED)) {
			fail_msg("seed %u: %u queued, %u leased",
			         (unsigned)seed,
			         (unsigned)in_state(w, SP_STORE_QUEUED),
			         (unsigned)in_state(w, SP_STORE_LEASED));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_destinations_take_turns),
		TEST(test_share),
		TEST(test_window_grows),
		TEST(test_failing_is_left_alone),
		TEST(test_one_probe),
		TEST(test_comes_back),
		TEST(test_one_of_several_fails),
		TEST(test_all_of_several_fail),
		TEST(test_news_of_nothing),
		TEST(test_retry_overrides),
		TEST(test_pauses_end),
		TEST(test_survives_restart),
		TEST(test_probe_share),
		TEST(test_expiry_by_recipient),
		TEST(test_shift),
		TEST(test_clock_is_kept),
		TEST(test_nothing_is_forgotten),
	};
	int failed = 0;

	RUN_FOR_ALL_ENGINES(tests, failed)
	return failed ? 1 : 0;
}
