/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_LOOP_H
#define SP_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The event loop of a role: a thin face of libevent's core, so that no other
 * layer names it. One loop per process, one thread. Callbacks run from
 * sp_loop_run only, never from inside the call that registers them.
 */

struct sp_loop;

enum sp_io_flags {
	SP_IO_READ = 1,
	SP_IO_WRITE = 2,
};

struct sp_loop *sp_loop_new(void);
void sp_loop_free(struct sp_loop **loop); /* all watches freed before */
/* Until sp_loop_stop; the turn in which that is called is finished first,
 * its deferred calls included. 0 or a negative error. */
int sp_loop_run(struct sp_loop *loop);
void sp_loop_stop(struct sp_loop *loop);
/* libevent's base, for libunbound and libcurl inside net/ only. */
void *sp_loop_base(struct sp_loop *loop);

/* Watches one descriptor, which stays the caller's. Level-triggered. */
struct sp_watch;
struct sp_watch *sp_watch_new(struct sp_loop *loop, int fd,
                              void (*fn)(void *arg, int flags), void *arg);
void sp_watch_set(struct sp_watch *watch, int flags); /* 0: rest */
void sp_watch_free(struct sp_watch **watch);

/* A one-shot timer; setting it again moves it. */
struct sp_timer;
struct sp_timer *sp_timer_new(struct sp_loop *loop, void (*fn)(void *arg),
                              void *arg);
void sp_timer_set(struct sp_timer *timer, int64_t delay_ms); /* >= 0 */
void sp_timer_stop(struct sp_timer *timer);
void sp_timer_free(struct sp_timer **timer);

/* Runs fn once, later in the same turn of the loop, after the callbacks of
 * all descriptors that are ready now: what group commit and "never free
 * inside your own callback" need. Calling it again before it ran is
 * harmless; called from a deferred call it runs in a later round, a few of
 * which belong to the same turn. */
struct sp_deferred;
struct sp_deferred *sp_deferred_new(struct sp_loop *loop, void (*fn)(void *),
                                    void *arg);
void sp_deferred_call(struct sp_deferred *deferred);
void sp_deferred_free(struct sp_deferred **deferred);

/* Signals as events. */
struct sp_signal;
struct sp_signal *sp_signal_new(struct sp_loop *loop, int signo,
                                void (*fn)(void *arg), void *arg);
void sp_signal_free(struct sp_signal **sig);

/* In a child after fork, before anything else is done with the loop: cuts it
 * off from the parent's kernel state. The child may then go on with it, or
 * free what it does not want (watches, then the loop). */
void sp_loop_reinit_after_fork(struct sp_loop *loop);

#endif
