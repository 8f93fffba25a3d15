/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the loop turns by hand (EVLOOP_ONCE) instead of by event priorities:
 * libevent never looks at a lower priority while a higher one is busy, so a
 * deferred call, and with it the commit of the queue, would starve under
 * load. Here each turn is
 *
 *	wait for descriptors, timers, signals -> run all that are ready
 *	-> run what was deferred until now -> next turn
 *
 * and a turn that has deferred work waiting does not sleep. What a deferred
 * call defers again has another round in the same turn, ROUNDS of them; then
 * it belongs to the next turn, so nothing spins in place.
 *
 * What a watch waits for is told to the kernel once a turn, and only where it
 * differs from what the kernel knows: a stream that rests and wakes again in
 * one turn costs no system call.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/time.h>

#include <event2/event.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"

#define ROUNDS 3

struct sp_loop {
	struct event_base *base; /* owned */
	struct sp_list
		deferred; /* sp_deferred.node: waiting for the turn's end */
	struct sp_list running; /* those of this round, not yet called */
	struct sp_list changed; /* sp_watch.node: the kernel does not know */
	bool stop;
};

struct sp_watch {
	struct sp_list node; /* in loop->changed, or alone */
	struct sp_loop *loop;
	struct event *event; /* owned */
	int wanted;          /* sp_io_flags now asked for */
	int known;           /* ... as libevent has them */
	void (*fn)(void *arg, int flags);
	void *arg;
};

struct sp_timer {
	struct event *event; /* owned */
	void (*fn)(void *arg);
	void *arg;
};

struct sp_deferred {
	struct sp_list node; /* in loop->deferred, loop->running, or alone */
	struct sp_loop *loop;
	void (*fn)(void *arg);
	void *arg;
};

struct sp_signal {
	struct event *event; /* owned */
	void (*fn)(void *arg);
	void *arg;
};

struct sp_loop *sp_loop_new(void)
{
	struct sp_loop *loop = SP_NEW(struct sp_loop);
	struct event_config *config = event_config_new();

	SP_ASSERT(config);
	/* One thread; and no environment variable picks our kernel interface.
	 */
	event_config_set_flag(
		config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
				EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	SP_ASSERT(loop->base);
	sp_list_init(&loop->deferred);
	sp_list_init(&loop->running);
	sp_list_init(&loop->changed);
	return loop;
}

void sp_loop_free(struct sp_loop **loop)
{
	if (!*loop) {
		return;
	}
	SP_ASSERT(sp_list_empty(&(*loop)->deferred));
	SP_ASSERT(sp_list_empty(&(*loop)->running));
	SP_ASSERT(sp_list_empty(&(*loop)->changed));
	event_base_free((*loop)->base);
	SP_FREE(loop);
}

static void run_deferred(struct sp_loop *loop)
{
	struct sp_list *node;

	while ((node = sp_list_first(&loop->deferred))) {
		sp_list_remove(node);
		sp_list_append(&loop->running, node);
	}
	while ((node = sp_list_first(&loop->running))) {
		struct sp_deferred *deferred =
			SP_CONTAINER(node, struct sp_deferred, node);

		sp_list_remove(node);
		deferred->fn(deferred->arg); /* may free it */
	}
}

static void run_rounds(struct sp_loop *loop)
{
	for (int i = 0; i < ROUNDS && !sp_list_empty(&loop->deferred); i++) {
		run_deferred(loop);
	}
}

static void tell_changes(struct sp_loop *loop);

int sp_loop_run(struct sp_loop *loop)
{
	while (!loop->stop) {
		int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

		if (!sp_list_empty(&loop->deferred)) {
			flags |= EVLOOP_NONBLOCK;
		}
		sp_log_flush();
		tell_changes(loop);
		errno = 0;
		if (event_base_loop(loop->base, flags) < 0) {
			return errno ? -errno : -EIO;
		}
		run_rounds(loop);
	}
	loop->stop = false;
	return 0;
}

void sp_loop_stop(struct sp_loop *loop)
{
	loop->stop = true;
}

void *sp_loop_base(struct sp_loop *loop)
{
	return loop->base;
}

void sp_loop_reinit_after_fork(struct sp_loop *loop)
{
	SP_ASSERT(event_reinit(loop->base) == 0);
}

/* --- descriptors --- */

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct sp_watch *watch = arg;
	int flags = 0;

	(void)fd;
	if (what & EV_READ) {
		flags |= SP_IO_READ;
	}
	if (what & EV_WRITE) {
		flags |= SP_IO_WRITE;
	}
	flags &= watch->wanted; /* as of now */
	if (flags) {
		watch->fn(watch->arg, flags); /* may free it */
	}
}

struct sp_watch *sp_watch_new(struct sp_loop *loop, int fd,
                              void (*fn)(void *arg, int flags), void *arg)
{
	struct sp_watch *watch = SP_NEW(struct sp_watch);

	sp_list_init(&watch->node);
	watch->loop = loop;
	watch->fn = fn;
	watch->arg = arg;
	watch->event = event_new(loop->base, fd, EV_PERSIST, on_watch, watch);
	SP_ASSERT(watch->event);
	return watch;
}

void sp_watch_set(struct sp_watch *watch, int flags)
{
	watch->wanted = flags;
	sp_list_remove(&watch->node);
	if (flags != watch->known) {
		sp_list_append(&watch->loop->changed, &watch->node);
	}
}

static void tell(struct sp_watch *watch)
{
	struct event *event = watch->event;
	short what = EV_PERSIST;

	watch->known = watch->wanted;
	if (watch->wanted & SP_IO_READ) {
		what |= EV_READ;
	}
	if (watch->wanted & SP_IO_WRITE) {
		what |= EV_WRITE;
	}
	event_del(event);
	SP_ASSERT(event_assign(event, event_get_base(event),
	                       event_get_fd(event), what, on_watch,
	                       watch) == 0);
	if (watch->wanted) {
		SP_ASSERT(event_add(event, NULL) == 0);
	}
}

static void tell_changes(struct sp_loop *loop)
{
	struct sp_list *node;

	while ((node = sp_list_first(&loop->changed))) {
		sp_list_remove(node);
		tell(SP_CONTAINER(node, struct sp_watch, node));
	}
}

void sp_watch_free(struct sp_watch **watch)
{
	if (!*watch) {
		return;
	}
	sp_list_remove(&(*watch)->node);
	event_free((*watch)->event);
	SP_FREE(watch);
}

/* --- timers --- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct sp_timer *timer = arg;

	(void)fd;
	(void)what;
	timer->fn(timer->arg); /* may free it */
}

struct sp_timer *sp_timer_new(struct sp_loop *loop, void (*fn)(void *arg),
                              void *arg)
{
	struct sp_timer *timer = SP_NEW(struct sp_timer);

	timer->fn = fn;
	timer->arg = arg;
	timer->event = evtimer_new(loop->base, on_timer, timer);
	SP_ASSERT(timer->event);
	return timer;
}

void sp_timer_set(struct sp_timer *timer, int64_t delay_ms)
{
	struct timeval delay = {
		.tv_sec = (time_t)(delay_ms / 1000),
		.tv_usec = (suseconds_t)(delay_ms % 1000 * 1000),
	};

	SP_ASSERT(delay_ms >= 0);
	SP_ASSERT(evtimer_add(timer->event, &delay) == 0);
}

void sp_timer_stop(struct sp_timer *timer)
{
	evtimer_del(timer->event);
}

void sp_timer_free(struct sp_timer **timer)
{
	if (!*timer) {
		return;
	}
	event_free((*timer)->event);
	SP_FREE(timer);
}

/* --- deferred calls --- */

struct sp_deferred *sp_deferred_new(struct sp_loop *loop, void (*fn)(void *),
                                    void *arg)
{
	struct sp_deferred *deferred = SP_NEW(struct sp_deferred);

	sp_list_init(&deferred->node);
	deferred->loop = loop;
	deferred->fn = fn;
	deferred->arg = arg;
	return deferred;
}

void sp_deferred_call(struct sp_deferred *deferred)
{
	if (sp_list_empty(&deferred->node)) {
		sp_list_append(&deferred->loop->deferred, &deferred->node);
	}
}

void sp_deferred_free(struct sp_deferred **deferred)
{
	if (!*deferred) {
		return;
	}
	sp_list_remove(&(*deferred)->node);
	SP_FREE(deferred);
}

/* --- signals --- */

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct sp_signal *sig = arg;

	(void)signo;
	(void)what;
	sig->fn(sig->arg); /* may free it */
}

struct sp_signal *sp_signal_new(struct sp_loop *loop, int signo,
                                void (*fn)(void *arg), void *arg)
{
	struct sp_signal *sig = SP_NEW(struct sp_signal);

	sig->fn = fn;
	sig->arg = arg;
	sig->event = evsignal_new(loop->base, signo, on_signal, sig);
	SP_ASSERT(sig->event);
	SP_ASSERT(evsignal_add(sig->event, NULL) == 0);
	return sig;
}

void sp_signal_free(struct sp_signal **sig)
{
	if (!*sig) {
		return;
	}
	event_free((*sig)->event);
	SP_FREE(sig);
}
