/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_QUEUE_WORLD_H
#define SP_TESTS_QUEUE_WORLD_H

/*
 * The queue role over real channels and a real store: the test plays
 * receive, transport and console, and what role.c does for the role (links).
 * Included by one test program only: it defines functions of role.h.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/list.h"
#include "base/time.h"
#include "policy/verdict.h"
#include "role/role.h"
#include "store/store.h"
#include "wire/json.h"

#define TIMEOUT_MS 10000

struct frame {
	struct sp_list node;
	uint16_t type;
	struct sp_arena arena;
	struct sp_str payload;
};

struct peer {
	struct world *world;
	struct sp_role_link link;   /* the queue's end */
	struct sp_channel *channel; /* ours */
	struct sp_list frames;      /* received, not yet looked at */
};

struct world {
	char dir[64];
	struct sp_conf *conf;
	struct sp_role_ctx ctx;
	struct peer receive, transport, console;
	struct peer fetch, sign; /* not before a test connects it */
	struct sp_timer *timeout;
	struct sp_arena arena;
	bool stopped;
	bool timed_out;
};

static struct world *world; /* what the played functions of role.c see */

/* ---- role.c's part ---- */

struct sp_role_link *sp_role_find_link(struct sp_role_ctx *ctx,
                                       enum sp_role role, unsigned index)
{
	(void)ctx;
	if (role == SP_ROLE_FETCH && world->fetch.link.channel) {
		return &world->fetch.link;
	}
	if (role == SP_ROLE_SIGN && world->sign.link.channel) {
		return &world->sign.link;
	}
	return role == SP_ROLE_TRANSPORT && index == 0 ? &world->transport.link
	                                               : NULL;
}

bool sp_role_send(struct sp_role_link *link, enum sp_msg type,
                  const struct sp_pack_field *fields, const void *obj)
{
	if (!link || !link->channel) {
		return false;
	}
	sp_channel_send(link->channel, (uint16_t)type, fields, obj);
	return true;
}

void sp_role_stopped(struct sp_role_ctx *ctx)
{
	world->stopped = true;
	sp_loop_stop(ctx->loop);
}

static inline int on_queue_frame(void *arg, uint16_t type,
                                 struct sp_str payload, int fd)
{
	struct sp_role_link *link = arg;

	(void)fd;
	return SP_ROLE_QUEUE_OPS.frame(link->ctx, link, type, payload);
}

static inline void on_queue_closed(void *arg, int err)
{
	struct sp_role_link *link = arg;

	(void)err;
	sp_channel_free(&link->channel);
	SP_ROLE_QUEUE_OPS.link_down(link->ctx, link);
	sp_loop_stop(link->ctx->loop);
}

/* ---- our part ---- */

static inline int on_frame(void *arg, uint16_t type, struct sp_str payload,
                           int fd)
{
	struct peer *p = arg;
	struct frame *f = SP_NEW(struct frame);

	(void)fd;
	f->type = type;
	f->payload = sp_arena_str(&f->arena, payload);
	sp_list_append(&p->frames, &f->node);
	sp_loop_stop(p->world->ctx.loop);
	return 0;
}

static inline void on_closed(void *arg, int err)
{
	struct peer *p = arg;

	(void)err;
	sp_channel_free(&p->channel);
	sp_loop_stop(p->world->ctx.loop);
}

static inline void connect_peer(struct world *w, struct peer *p,
                                enum sp_role role)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX,
	                            SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	                            0, fds),
	                 0);
	p->world = w;
	p->link.role = role;
	p->link.ctx = &w->ctx;
	p->link.channel = sp_channel_new(w->ctx.loop, fds[0], on_queue_frame,
	                                 on_queue_closed, &p->link);
	p->channel =
		sp_channel_new(w->ctx.loop, fds[1], on_frame, on_closed, p);
	sp_list_init(&p->frames);
	SP_ROLE_QUEUE_OPS.link_up(&w->ctx, &p->link);
}

static inline void free_frames(struct peer *p)
{
	SP_LIST_FOREACH_SAFE (it, tmp, &p->frames) {
		struct frame *f = SP_CONTAINER(it, struct frame, node);

		sp_list_remove(&f->node);
		sp_arena_fini(&f->arena);
		sp_free(f);
	}
}

static inline void on_timeout(void *arg)
{
	struct world *w = arg;

	w->timed_out = true;
	sp_loop_stop(w->ctx.loop);
}

static inline void turn(struct world *w)
{
	sp_timer_set(w->timeout, TIMEOUT_MS);
	assert_int_equal(sp_loop_run(w->ctx.loop), 0);
	sp_timer_stop(w->timeout);
	if (w->timed_out) {
		fail_msg("nothing happened");
	}
}

/* The next frame of the type; others before it are an error. fields null: it
 * has none. */
static inline void expect(struct peer *p, enum sp_msg type,
                          const struct sp_pack_field *fields, void *msg)
{
	struct frame *f;

	while (sp_list_empty(&p->frames)) {
		turn(p->world);
	}
	f = SP_CONTAINER(sp_list_first(&p->frames), struct frame, node);
	if (f->type != type) {
		fail_msg("%s instead of %s", sp_msg_name(f->type),
		         sp_msg_name((uint16_t)type));
	}
	if (fields &&
	    sp_unpack(fields, f->payload, true, &p->world->arena, msg)) {
		fail_msg("%s: odd", sp_msg_name(type));
	}
	sp_list_remove(&f->node);
	sp_arena_fini(&f->arena);
	sp_free(f);
}

#define EXPECT(peer, name, table, msg)                                         \
	expect(&(peer), SP_MSG_##name, SP_MSG_##table##_FIELDS, (msg))
#define SEND(peer, name, table, msg)                                           \
	sp_channel_send((peer).channel, SP_MSG_##name,                         \
	                SP_MSG_##table##_FIELDS, (msg))

/* A question and its answer: all that was sent before has been handled. */
static inline struct sp_json *ask(struct world *w, const char *json)
{
	struct sp_msg_command m = {.id = 7, .json = sp_str_from(json)};
	struct sp_json *reply = NULL;
	char why[128];

	SEND(w->console, COMMAND, COMMAND, &m);
	memset(&m, 0, sizeof(m));
	EXPECT(w->console, COMMAND_REPLY, COMMAND, &m);
	assert_int_equal(m.id, 7);
	assert_int_equal(sp_json_parse(m.json, &SP_JSON_LIMITS_DEFAULT, &reply,
	                               why, sizeof(why)),
	                 0);
	return reply;
}

static inline int64_t ask_number(struct world *w, const char *json,
                                 const char *key)
{
	struct sp_json *reply = ask(w, json);
	int64_t number = sp_json_get_int(reply, key, -1);

	if (number < 0) {
		number = sp_json_get_int(sp_json_get(reply, "recipients"), key,
		                         -1);
	}
	sp_json_free(&reply);
	return number;
}

static inline int64_t in_state(struct world *w, const char *state)
{
	return ask_number(w, "{\"verb\":\"stats\"}", state);
}

/* ---- set-up ---- */

static inline void configure(struct world *w, const char *extra)
{
	char text[512];
	char why[SP_CONF_WHY];

	snprintf(text, sizeof(text), "store = \"sqlite:%s/s.db\"\n%s", w->dir,
	         extra);
	if (sp_conf_parse(sp_str_from(text), "test", &w->conf, why)) {
		fail_msg("%s", why);
	}
	w->ctx.conf = w->conf;
}

static inline void start(struct world *w, const char *extra)
{
	configure(w, extra);
	w->ctx.loop = sp_loop_new();
	w->timeout = sp_timer_new(w->ctx.loop, on_timeout, w);
	w->ctx.stopping = false;
	w->stopped = false;
	assert_int_equal(SP_ROLE_QUEUE_OPS.start(&w->ctx), 0);
	sp_list_init(&w->fetch.frames);
	sp_list_init(&w->sign.frames);
	connect_peer(w, &w->receive, SP_ROLE_RECEIVE);
	connect_peer(w, &w->transport, SP_ROLE_TRANSPORT);
	connect_peer(w, &w->console, SP_ROLE_CONSOLE);
}

static inline void finish(struct world *w)
{
	struct peer *peers[] = {&w->receive, &w->transport, &w->console,
	                        &w->fetch, &w->sign};

	SP_ROLE_QUEUE_OPS.finish(&w->ctx);
	for (size_t i = 0; i < 5; i++) {
		sp_channel_free(&peers[i]->link.channel);
		sp_channel_free(&peers[i]->channel);
		free_frames(peers[i]);
	}
	sp_timer_free(&w->timeout);
	sp_loop_free(&w->ctx.loop);
	sp_conf_free(&w->conf);
}

static inline int set_up(void **state)
{
	world = SP_NEW(struct world);
	snprintf(world->dir, sizeof(world->dir), "/tmp/sp-queue-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	world->ctx.worker_count = 1;
	world->ctx.role = SP_ROLE_QUEUE;
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	static const char *const names[] = {"s.db", "s.db-wal", "s.db-shm",
	                                    "s.db.lock"};
	struct world *w = *state;
	char path[160];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
		unlink(path);
	}
	rmdir(w->dir);
	sp_arena_fini(&w->arena);
	sp_free(w);
	return 0;
}

/* ---- words of the peers ---- */

static struct sp_envelope_rcpt rcpt = {.address = SP_STR("b@d.test"),
                                       .domain = SP_STR("d.test")};

static inline struct sp_msg_submit submission(uint64_t session,
                                              const char *sender)
{
	return (struct sp_msg_submit){
		.session = session,
		.envelope = {.sender = sp_str_from(sender),
	                     .received_ms = sp_time_wall_ms(),
	                     .rcpts = &rcpt,
	                     .rcpt_count = 1},
		.complete = true,
		.body = SP_STR("Subject: x\r\n\r\nbody\r\n"),
	};
}

static inline void submit_from(struct world *w, const char *sender)
{
	struct sp_msg_submit m = submission(1, sender);
	struct sp_msg_submit_done done = {0};

	SEND(w->receive, SUBMIT, SUBMIT, &m);
	EXPECT(w->receive, SUBMIT_DONE, SUBMIT_DONE, &done);
	assert_true(done.accepted);
	assert_int_equal(done.session, 1);
	assert_int_equal(done.id.len, 20);
}

static inline void submit(struct world *w)
{
	submit_from(w, "a@s.test");
}

static inline void hello(struct world *w, uint64_t held)
{
	struct sp_msg_attempt one = {held};
	struct sp_msg_hello m = {
		.slots = 10, .held = &one, .held_count = held ? 1 : 0};

	SEND(w->transport, HELLO, HELLO, &m);
}

static inline struct sp_msg_job job(struct world *w)
{
	struct sp_msg_job m = {0};

	EXPECT(w->transport, JOB, JOB, &m);
	return m;
}

static inline struct sp_msg_outcome_rcpt result(const struct sp_msg_job *j,
                                                enum sp_verdict_class class)
{
	struct sp_msg_outcome_rcpt r = {
		.rcpt_id = j->rcpts[0].rcpt_id,
		.class = (uint8_t) class,
		.code = SP_STR("2.0.0"),
		.reply = SP_STR("250 2.0.0 ok"),
	};

	if (class != SP_VERDICT_DELIVERED) {
		r.cause = SP_STR("tlsa-mismatch");
		r.code = SP_STR("4.7.323");
		r.reply = SP_STR("450 4.7.323 tlsa-invalid: x");
		r.expired_code = SP_STR("5.7.323");
		r.expired_reply = SP_STR("550 5.7.323 tlsa-invalid: x");
	}
	return r;
}

static inline void outcome_of(struct world *w, const struct sp_msg_job *j,
                              struct sp_msg_outcome_rcpt r,
                              enum sp_msg_destination destination)
{
	struct sp_msg_outcome m = {
		.attempt_id = j->attempt_id,
		.destination = destination,
		.id = j->id,
		.security = SP_STR("dane"),
		.detail = SP_STR("{}"),
		.rcpts = &r,
		.rcpt_count = 1,
	};
	struct sp_msg_attempt settled = {0};

	SEND(w->transport, OUTCOME, OUTCOME, &m);
	EXPECT(w->transport, SETTLED, ATTEMPT, &settled);
	assert_int_equal(settled.attempt_id, j->attempt_id);
}

static inline void outcome(struct world *w, const struct sp_msg_job *j,
                           struct sp_msg_outcome_rcpt r)
{
	outcome_of(w, j, r, SP_MSG_DESTINATION_UNKNOWN);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
