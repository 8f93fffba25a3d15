/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console role: answers the control socket. It reads the store through a
 * connection that can't write; whatever changes something is asked of the
 * queue. Questions about live state go to all roles that know a part of the
 * answer; one that is away is left out after a moment.
 */
#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/socket.h"
#include "role/console/console.h"

#define ASK_MAX     (64u * 1024)
#define PATIENCE_MS 3000
#define IDLE_MS     30000

/* --- a client's connection --- */

static void client_free(struct client *c)
{
	struct console *role = c->role;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&role->asked, &it, &key, &value)) {
		if (value == c) {
			sp_map_remove(&role->asked, key);
			it = (struct sp_map_iter){0};
		}
	}
	sp_list_remove(&c->node);
	role->client_count--;
	sp_stream_free(&c->stream);
	sp_timer_free(&c->patience);
	sp_json_free(&c->collected);
	sp_buf_fini(&c->reply);
	sp_free(c);
}

static void write_out(struct client *c)
{
	struct sp_buf *to = sp_stream_out(c->stream);
	struct sp_str bytes =
		sp_str_sub(sp_buf_str(&c->reply), 0, sp_buf_room(to));

	if (bytes.len && sp_buf_append_str(to, bytes) == 0) {
		sp_buf_consume(&c->reply, bytes.len);
		sp_stream_flush(c->stream);
		sp_stream_timeout(c->stream, IDLE_MS); /* it reads on */
	}
	if (c->answered && sp_buf_len(&c->reply) == 0) {
		sp_buf_fini(&c->reply);
		sp_buf_init(&c->reply, REPLY_SMALL);
		sp_stream_close_after_flush(c->stream);
	}
}

size_t console_room(size_t held)
{
	size_t left = held < REPLIES_MAX ? REPLIES_MAX - held : 0;

	if (left < REPLY_SMALL) {
		return REPLY_SMALL;
	}
	return left < REPLY_MAX ? left : REPLY_MAX;
}

/* Replies of others may be read slowly, or not at all. */
static void measure_room(struct client *c)
{
	size_t held = 0;
	size_t room;

	SP_LIST_FOREACH (it, &c->role->clients) {
		held += SP_CONTAINER(it, struct client, node)->reply.cap;
	}
	room = console_room(held);
	c->squeezed = room < REPLY_MAX;
	sp_buf_fini(&c->reply);
	sp_buf_init(&c->reply, room);
}

static void line(struct client *c, const char *key, struct sp_json *take)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set(obj, key, take);
	if (sp_json_write(obj, &c->reply) == 0) {
		(void)sp_buf_append_char(&c->reply, '\n'); /* sticky */
	}
	sp_json_free(&obj);
}

void client_row(struct client *c, struct sp_json *take)
{
	line(c, "row", take);
}

void client_done(struct client *c, struct sp_json *take)
{
	line(c, "done", take);
	c->answered = true;
	write_out(c);
}

void client_error(struct client *c, const char *why)
{
	struct sp_json *obj = sp_json_object();

	sp_buf_fini(&c->reply);
	sp_buf_init(&c->reply, REPLY_SMALL);
	sp_json_set_cstr(obj, "error", why);
	(void)sp_json_write(obj, &c->reply); /* fits */
	(void)sp_buf_append_char(&c->reply, '\n');
	sp_json_free(&obj);
	c->answered = true;
	write_out(c);
}

/* Opened when it is needed first. */
static int open_store(struct console *role, char *why, size_t why_cap)
{
	return role->store ? 0
	                   : sp_store_open(sp_str_from(role->ctx->conf->store),
	                                   SP_STORE_READER, false, &role->store,
	                                   why, why_cap);
}

struct sp_store *console_store(struct client *c)
{
	char why[SP_STORE_WHY_MAX];

	if (open_store(c->role, why, sizeof(why))) {
		client_error(c, why);
	}
	return c->role->store;
}

static void add_failing(struct console *role, struct sp_json *all)
{
	char why[SP_STORE_WHY_MAX];
	struct sp_json *list = NULL;

	if (open_store(role, why, sizeof(why)) == 0) {
		list = look_failing(role);
	}
	if (list) {
		sp_json_set(all, "failing", list);
	}
}

/* --- questions to other roles --- */

static void finish_collecting(struct client *c)
{
	struct sp_json *all = c->collected;

	sp_timer_stop(c->patience);
	c->collected = NULL;
	if (c->is_sessions) {
		for (size_t i = 0; i < sp_json_len(all); i++) {
			client_row(c, sp_json_copy(sp_json_at(all, i)));
		}
		sp_json_free(&all);
		all = sp_json_object();
	} else {
		add_failing(c->role, all);
	}
	client_done(c, all);
}

static void on_patience(void *arg)
{
	struct client *c = arg;

	if (!c->answered && c->collected) {
		c->open_questions = 0;
		finish_collecting(c);
	} else if (!c->answered) {
		client_error(c, "no answer from the queue: try again");
	}
}

static uint64_t ask_id(struct client *c)
{
	uint64_t id = ++c->role->last_id;

	sp_map_set(&c->role->asked, sp_map_key_u64(&id), c);
	c->open_questions++;
	return id;
}

static bool ask_role(struct client *c, enum sp_role role, unsigned index,
                     struct sp_str json)
{
	struct sp_role_link *link =
		sp_role_find_link(c->role->ctx, role, index);
	struct sp_msg_command msg = {.json = json};

	if (!link || !link->channel) {
		return false;
	}
	msg.id = ask_id(c);
	return sp_role_send(link, SP_MSG_COMMAND, SP_MSG_COMMAND_FIELDS, &msg);
}

static void ask_all(struct client *c, struct sp_str json, bool sessions)
{
	struct sp_role_ctx *ctx = c->role->ctx;
	struct sp_msg_command msg = {.json = json};

	c->is_sessions = sessions;
	c->collected = sessions ? sp_json_array() : sp_json_object();
	sp_timer_set(c->patience, PATIENCE_MS);
	ask_role(c, SP_ROLE_RECEIVE, 0, json);
	ask_role(c, SP_ROLE_FETCH, 0, json);
	for (unsigned i = 0; i < ctx->worker_count; i++) {
		ask_role(c, SP_ROLE_TRANSPORT, i, json);
	}
	if (!sessions) {
		ask_role(c, SP_ROLE_QUEUE, 0, json);
		ask_role(c, SP_ROLE_REPORT, 0, json);
		ask_role(c, SP_ROLE_RESOLVE, 0, json);
		ask_role(c, SP_ROLE_SIGN, 0, json);
		msg.id = ask_id(c);
		sp_role_tell_parent(ctx, SP_MSG_COMMAND, SP_MSG_COMMAND_FIELDS,
		                    &msg);
	}
	if (c->open_questions == 0) {
		finish_collecting(c);
	}
}

/* Live sessions are one list; counters stand under the role's name, those
 * of the workers in a list; the parent's are merged in. */
static void collect(struct client *c, const struct sp_role_link *link,
                    const struct sp_json *part)
{
	const char *name = sp_role_name(link->role);

	if (c->is_sessions) {
		for (size_t i = 0; i < sp_json_len(part); i++) {
			sp_json_add(c->collected,
			            sp_json_copy(sp_json_at(part, i)));
		}
	} else if (link->role == SP_ROLE_PARENT) {
		sp_json_set(c->collected, "processes",
		            sp_json_copy(sp_json_get(part, "processes")));
	} else if (link->role == SP_ROLE_TRANSPORT) {
		const struct sp_json *old = sp_json_get(c->collected, name);
		struct sp_json *list = sp_json_is_null(old) ? sp_json_array()
		                                            : sp_json_copy(old);
		struct sp_json *row = sp_json_copy(part);

		sp_json_set_int(row, "worker", link->index);
		sp_json_add(list, row);
		sp_json_set(c->collected, name, list);
	} else {
		sp_json_set(c->collected, name, sp_json_copy(part));
	}
}

static int on_reply(struct console *role, struct sp_role_link *link,
                    struct sp_str payload)
{
	static const struct sp_json_limits LIMITS = {SP_FRAME_MAX, 32, 200000};
	struct sp_msg_command msg = {0};
	struct sp_json *part = NULL;
	struct client *c;

	if (sp_unpack(SP_MSG_COMMAND_FIELDS, payload, false, NULL, &msg) ||
	    sp_json_parse(msg.json, &LIMITS, &part, NULL, 0)) {
		return SP_EPROTO;
	}
	c = sp_map_remove(&role->asked, sp_map_key_u64(&msg.id));
	if (c && !c->answered && c->collected) {
		collect(c, link, part);
		if (--c->open_questions == 0) {
			finish_collecting(c);
		}
	} else if (c && !c->answered) {
		if (sp_json_get(part, "error")) {
			char why[512];

			sp_log_escape(sp_json_get_str(part, "error"), why,
			              sizeof(why));
			client_error(c, why);
		} else {
			client_done(c, sp_json_copy(part));
		}
	}
	sp_json_free(&part);
	return 0;
}

/* --- verbs --- */

static void verb_stats(struct client *c, const struct sp_json *ask,
                       struct sp_str json)
{
	(void)ask;
	ask_all(c, json, false);
}

static void verb_sessions(struct client *c, const struct sp_json *ask,
                          struct sp_str json)
{
	(void)ask;
	ask_all(c, json, true);
}

static void verb_rows(struct client *c, const struct sp_json *ask,
                      struct sp_str json)
{
	(void)json;
	look_rows(c, ask);
}

static void verb_exceptions(struct client *c, const struct sp_json *ask,
                            struct sp_str json)
{
	(void)ask;
	(void)json;
	look_exceptions(c);
}

static void verb_sts(struct client *c, const struct sp_json *ask,
                     struct sp_str json)
{
	(void)json;
	look_sts(c, ask);
}

static void verb_queue(struct client *c, const struct sp_json *ask,
                       struct sp_str json)
{
	(void)ask;
	sp_timer_set(c->patience, 10 * PATIENCE_MS);
	if (!ask_role(c, SP_ROLE_QUEUE, 0, json)) {
		client_error(c, "the queue is restarting: try again");
	}
}

static void verb_report(struct client *c, const struct sp_json *ask,
                        struct sp_str json)
{
	(void)ask;
	sp_timer_set(c->patience, 10 * PATIENCE_MS);
	if (!ask_role(c, SP_ROLE_REPORT, 0, json)) {
		client_error(c, "the report role is restarting: try again");
	}
}

static const struct verb {
	const char *name;
	void (*run)(struct client *c, const struct sp_json *ask,
	            struct sp_str json);
} VERBS[] = {
	{"stats", verb_stats},
	{"sessions", verb_sessions},
	{"rows", verb_rows},
	{"queue-retry", verb_queue},
	{"queue-hold", verb_queue},
	{"queue-release", verb_queue},
	{"queue-remove", verb_queue},
	{"exception-add", verb_queue},
	{"exception-remove", verb_queue},
	{"exceptions", verb_exceptions},
	{"report-close", verb_report},
	{"report-received", verb_report},
	{"report-import", verb_queue},
	{"report-list", verb_report},
	{"report-show", verb_report},
	{"sts-policy", verb_sts},
};

static void run(struct client *c, struct sp_str json)
{
	struct sp_json *ask = NULL;
	char why[256];

	if (sp_json_parse(json, &SP_JSON_LIMITS_DEFAULT, &ask, why,
	                  sizeof(why))) {
		client_error(c, why);
		return;
	}
	for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
		if (sp_str_eq(sp_json_get_str(ask, "verb"),
		              sp_str_from(VERBS[i].name))) {
			measure_room(c);
			VERBS[i].run(c, ask, json);
			sp_json_free(&ask);
			return;
		}
	}
	sp_json_free(&ask);
	client_error(c, "unknown verb");
}

static void on_data(struct client *c)
{
	struct sp_buf *in = sp_stream_in(c->stream);
	struct sp_str bytes = sp_buf_str(in);
	size_t end = sp_str_find(bytes, '\n');

	if (c->answered || c->open_questions) {
		sp_buf_consume(in, bytes.len);
	} else if (end < bytes.len) {
		char *copy = sp_str_dup(sp_str_sub(bytes, 0, end));

		sp_buf_consume(in, end + 1);
		run(c, sp_str_from(copy));
		sp_free(copy);
	} else if (bytes.len > ASK_MAX) {
		client_error(c, "request too long");
	}
}

static void on_stream(void *arg, enum sp_stream_event event)
{
	struct client *c = arg;

	switch (event) {
	case SP_STREAM_DATA:
		on_data(c);
		break;
	case SP_STREAM_DRAINED:
		write_out(c);
		break;
	case SP_STREAM_EOF:
	case SP_STREAM_ERROR:
	case SP_STREAM_TIMEOUT:
	case SP_STREAM_TLS_FAILED:
		client_free(c);
		break;
	case SP_STREAM_CONNECTED:
	case SP_STREAM_TLS_UP:
		break;
	}
}

/* Who has asked nothing yet goes, the oldest first, when there are too many:
 * they could keep an operator out. */
static void make_room(struct console *role)
{
	SP_LIST_FOREACH_SAFE (it, next, &role->clients) {
		struct client *c = SP_CONTAINER(it, struct client, node);

		if (role->client_count < CLIENTS_MAX) {
			return;
		}
		if (!c->answered && !c->open_questions) {
			client_free(c);
		}
	}
}

static void on_accept(void *arg, int flags)
{
	struct console *role = arg;
	struct sp_addr peer;
	struct sp_addr local;
	struct client *c;
	int fd = sp_socket_accept(role->ctx->fds[0], &peer, &local);

	(void)flags;
	if (fd < 0) {
		if (fd != -EAGAIN) {
			sp_log(&role->ctx->log, SP_LOG_WARN,
			       "console.accept_failed", SP_F_ERR(fd));
		}
		return;
	}
	make_room(role);
	c = SP_NEW(struct client);
	c->role = role;
	sp_buf_init(&c->reply, REPLY_SMALL);
	c->patience = sp_timer_new(role->ctx->loop, on_patience, c);
	c->stream = sp_stream_accepted(role->ctx->loop, fd, on_stream, c);
	sp_stream_timeout(c->stream, IDLE_MS);
	sp_list_append(&role->clients, &c->node);
	if (++role->client_count > CLIENTS_MAX) {
		client_error(c, "too many clients of the control socket");
	}
}

/* --- the role --- */

static int start(struct sp_role_ctx *ctx)
{
	struct console *role = SP_NEW(struct console);

	ctx->state = role;
	role->ctx = ctx;
	sp_list_init(&role->clients);
	sp_map_init(&role->asked);
	role->listener = sp_watch_new(ctx->loop, ctx->fds[0], on_accept, role);
	sp_watch_set(role->listener, SP_IO_READ);
	return 0;
}

static int frame(struct sp_role_ctx *ctx, struct sp_role_link *link,
                 uint16_t type, struct sp_str payload)
{
	return type == SP_MSG_COMMAND_REPLY
	               ? on_reply(ctx->state, link, payload)
	               : SP_EPROTO;
}

static void finish(struct sp_role_ctx *ctx)
{
	struct console *role = ctx->state;

	SP_LIST_FOREACH_SAFE (it, next, &role->clients) {
		client_free(SP_CONTAINER(it, struct client, node));
	}
	sp_watch_free(&role->listener);
	sp_store_close(&role->store);
	sp_map_fini(&role->asked);
	sp_free(role);
}

const struct sp_role_ops SP_ROLE_CONSOLE_OPS = {
	.start = start,
	.frame = frame,
	.finish = finish,
};
