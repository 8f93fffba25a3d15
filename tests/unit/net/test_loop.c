/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: order inside a turn, one-shot timers, calls deferred once, and
 * everything freed inside its own callback.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "net/loop.h"

struct bench {
	struct sp_loop *loop;
	struct sp_watch *watch[2];
	struct sp_timer *timer[2];
	struct sp_deferred *deferred[2];
	struct sp_signal *sig;
	int fd[2];
	int count;
	int flags;
	char order[32];
};

static void note(struct bench *b, char c)
{
	assert_true(b->count + 1 < (int)sizeof(b->order));
	b->order[b->count++] = c;
}

static int set_up(void **state)
{
	struct bench *b = SP_NEW(struct bench);

	b->loop = sp_loop_new();
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b->fd), 0);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 2; i++) {
		sp_watch_free(&b->watch[i]);
		sp_timer_free(&b->timer[i]);
		sp_deferred_free(&b->deferred[i]);
		close(b->fd[i]);
	}
	sp_signal_free(&b->sig);
	sp_loop_free(&b->loop);
	sp_free(b);
	return 0;
}

static void stop_now(void *arg)
{
	sp_loop_stop(((struct bench *)arg)->loop);
}

/* --- timers --- */

static void timer_a(void *arg)
{
	note(arg, 'a');
}

static void timer_b_stop(void *arg)
{
	note(arg, 'b');
	stop_now(arg);
}

static void test_timers_in_order(void **state)
{
	struct bench *b = *state;

	b->timer[0] = sp_timer_new(b->loop, timer_a, b);
	b->timer[1] = sp_timer_new(b->loop, timer_b_stop, b);
	sp_timer_set(b->timer[1], 30);
	sp_timer_set(b->timer[0], 5);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_string_equal(b->order, "ab");
}

static void test_timer_moves_and_stops(void **state)
{
	struct bench *b = *state;
	int64_t start_ms = sp_time_mono_ms();

	b->timer[0] = sp_timer_new(b->loop, timer_a, b);
	b->timer[1] = sp_timer_new(b->loop, timer_b_stop, b);
	sp_timer_set(b->timer[0], 1);
	sp_timer_stop(b->timer[0]);
	sp_timer_set(b->timer[1], 1);
	sp_timer_set(b->timer[1], 40);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_string_equal(b->order, "b");
	assert_true(sp_time_mono_ms() - start_ms >= 30);
}

static void timer_frees_itself(void *arg)
{
	struct bench *b = arg;

	sp_timer_free(&b->timer[0]);
	sp_loop_stop(b->loop);
}

static void test_timer_freed_in_callback(void **state)
{
	struct bench *b = *state;

	b->timer[0] = sp_timer_new(b->loop, timer_frees_itself, b);
	sp_timer_set(b->timer[0], 0);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_null(b->timer[0]);
}

/* --- deferred calls --- */

static void on_deferred(void *arg)
{
	note(arg, 'd');
	stop_now(arg);
}

static void on_readable(void *arg, int flags)
{
	struct bench *b = arg;
	char c;

	assert_int_equal(flags, SP_IO_READ);
	assert_int_equal(read(b->fd[0], &c, 1), 1);
	note(b, 'r');
	sp_deferred_call(b->deferred[0]);
	sp_deferred_call(b->deferred[0]);
}

static void on_writable(void *arg, int flags)
{
	struct bench *b = arg;

	assert_int_equal(flags, SP_IO_WRITE);
	note(b, 'w');
	sp_watch_set(b->watch[1], 0);
	sp_deferred_call(b->deferred[0]);
}

static void test_deferred_runs_once_after_descriptors(void **state)
{
	struct bench *b = *state;

	b->deferred[0] = sp_deferred_new(b->loop, on_deferred, b);
	b->watch[0] = sp_watch_new(b->loop, b->fd[0], on_readable, b);
	b->watch[1] = sp_watch_new(b->loop, b->fd[1], on_writable, b);
	sp_watch_set(b->watch[0], SP_IO_READ);
	sp_watch_set(b->watch[1], SP_IO_WRITE);
	assert_int_equal(write(b->fd[1], "x", 1), 1);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_int_equal(b->count, 3);
	assert_int_equal(b->order[2], 'd');
}

static void deferred_again(void *arg)
{
	struct bench *b = arg;

	note(b, 'g');
	if (b->count < 3)
		sp_deferred_call(b->deferred[0]);
	else
		sp_loop_stop(b->loop);
}

static void test_deferred_may_defer_itself(void **state)
{
	struct bench *b = *state;

	b->deferred[0] = sp_deferred_new(b->loop, deferred_again, b);
	sp_deferred_call(b->deferred[0]);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_string_equal(b->order, "ggg");
}

static void deferred_frees_both(void *arg)
{
	struct bench *b = arg;

	note(b, 'f');
	sp_deferred_free(&b->deferred[0]);
	sp_deferred_free(&b->deferred[1]);
	sp_loop_stop(b->loop);
}

static void test_deferred_freed_in_callback(void **state)
{
	struct bench *b = *state;

	b->deferred[0] = sp_deferred_new(b->loop, deferred_frees_both, b);
	b->deferred[1] = sp_deferred_new(b->loop, deferred_frees_both, b);
	sp_deferred_call(b->deferred[0]);
	sp_deferred_call(b->deferred[1]);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_string_equal(b->order, "f");
}

/* A descriptor that is always ready must not starve what is deferred. */
static void on_always_writable(void *arg, int flags)
{
	struct bench *b = arg;

	(void)flags;
	b->flags++;
	assert_true(b->flags < 100);
	sp_deferred_call(b->deferred[0]);
}

static void test_deferred_not_starved(void **state)
{
	struct bench *b = *state;

	b->deferred[0] = sp_deferred_new(b->loop, on_deferred, b);
	b->watch[0] = sp_watch_new(b->loop, b->fd[0], on_always_writable, b);
	sp_watch_set(b->watch[0], SP_IO_WRITE);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_string_equal(b->order, "d");
	assert_int_equal(b->flags, 1);
}

/* --- descriptors --- */

static void watch_frees_both(void *arg, int flags)
{
	struct bench *b = arg;

	(void)flags;
	note(b, 'x');
	sp_watch_free(&b->watch[0]);
	sp_watch_free(&b->watch[1]);
	sp_loop_stop(b->loop);
}

static void test_watch_freed_while_ready(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 2; i++) {
		b->watch[i] =
			sp_watch_new(b->loop, b->fd[i], watch_frees_both, b);
		sp_watch_set(b->watch[i], SP_IO_WRITE);
	}
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_string_equal(b->order, "x");
}

static void test_watch_rests(void **state)
{
	struct bench *b = *state;

	b->watch[0] = sp_watch_new(b->loop, b->fd[0], on_readable, b);
	b->timer[0] = sp_timer_new(b->loop, stop_now, b);
	assert_int_equal(write(b->fd[1], "x", 1), 1);
	sp_watch_set(b->watch[0], SP_IO_READ);
	sp_watch_set(b->watch[0], 0);
	sp_timer_set(b->timer[0], 10);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_int_equal(b->count, 0);
}

/* --- stop, signals, fork --- */

static void test_stop_before_run(void **state)
{
	struct bench *b = *state;

	sp_loop_stop(b->loop);
	assert_int_equal(sp_loop_run(b->loop), 0);
	b->timer[0] = sp_timer_new(b->loop, timer_b_stop, b);
	sp_timer_set(b->timer[0], 0);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_string_equal(b->order, "b");
}

static void test_signal(void **state)
{
	struct bench *b = *state;

	b->sig = sp_signal_new(b->loop, SIGUSR1, timer_b_stop, b);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_string_equal(b->order, "b");
}

static int child_of_fork(struct bench *b)
{
	struct sp_timer *timer;
	int rc;

	sp_loop_reinit_after_fork(b->loop);
	sp_watch_free(&b->watch[0]);
	sp_loop_free(&b->loop);
	b->loop = sp_loop_new();
	timer = sp_timer_new(b->loop, timer_b_stop, b);
	sp_timer_set(timer, 0);
	rc = sp_loop_run(b->loop);
	sp_timer_free(&timer);
	return rc == 0 && b->count == 1 ? 0 : 1;
}

static void read_and_stop(void *arg, int flags)
{
	(void)flags;
	note(arg, 'p');
	stop_now(arg);
}

/* The child drops its copy; the parent's descriptor stays watched. */
static void test_reinit_after_fork(void **state)
{
	struct bench *b = *state;
	int status;
	pid_t pid;

	b->watch[0] = sp_watch_new(b->loop, b->fd[0], read_and_stop, b);
	sp_watch_set(b->watch[0], SP_IO_READ);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child_of_fork(b));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(write(b->fd[1], "x", 1), 1);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_string_equal(b->order, "p");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_timers_in_order),
		TEST(test_timer_moves_and_stops),
		TEST(test_timer_freed_in_callback),
		TEST(test_deferred_runs_once_after_descriptors),
		TEST(test_deferred_may_defer_itself),
		TEST(test_deferred_freed_in_callback),
		TEST(test_deferred_not_starved),
		TEST(test_watch_freed_while_ready),
		TEST(test_watch_rests),
		TEST(test_stop_before_run),
		TEST(test_signal),
		TEST(test_reinit_after_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
