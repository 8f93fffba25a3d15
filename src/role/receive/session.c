/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's session: the stream, the sans-I/O server, and the way of a
 * message to the queue.
 *
 *   GATHER ──first 64 KiB full──▶ STREAM: chunk by chunk, as queue pulls
 *     │ end of data                 │ end of data
 *     ▼                             ▼
 *   WAIT (SUBMIT complete)        WAIT (last chunk) ──SUBMIT_DONE──▶ answer
 *
 * A message that fits into one frame is handed over at its end, so that an
 * abort costs nothing. Of a larger one at most a chunk is held here: while
 * queue has not pulled the last, the client is not read. 250 is said only
 * after SUBMIT_DONE, which queue sends after its commit.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/time.h"
#include "role/receive/receive.h"
#include "wire/header.h"

#define STOP_MS       10000
#define LAST_WORDS_MS 1000

enum handing {
	NOTHING,
	GATHER,
	STREAM,
	WAIT
};

struct session {
	struct sp_list node;
	struct receive *role;
	struct listener *listener;
	const struct sp_conf_listen *conf; /* of its listener, at its start */
	struct client *client;
	uint64_t id;
	struct sp_stream *stream;
	struct sp_smtp_server *server;
	struct sp_timer *life; /* of the message coming in, or the session */
	int64_t ends_ms;       /* the session, at the latest; monotonic */
	char peer[SP_ADDR_TEXT];
	int64_t started_ms; /* monotonic */
	bool starting_tls;  /* after the 220 has left */
	bool closing;
	char tls_text[128]; /* for Received */
	uint64_t messages;

	enum handing handing;
	uint64_t submission; /* names the message to queue: an answer that
	                      * comes late is never taken for the next one's;
	                      * 0: queue does not know of it */
	const struct sp_envelope *envelope; /* of the server */
	struct sp_header_scan scan;
	struct sp_buf body; /* what was not handed over yet */
	bool pulled;        /* queue waits for a chunk */
	uint32_t seq;       /* of the next chunk */
	bool ended;         /* end of data was seen */
};

static void pump(struct session *s);

/* --- handing over --- */

static void drop_message(struct session *s)
{
	if (s->submission) {
		sp_map_remove(&s->role->by_id, sp_map_key_u64(&s->submission));
	}
	s->submission = 0;
	sp_smtp_server_hold(s->server, false); /* what is left is read away */
	s->handing = NOTHING;
	s->envelope = NULL;
	s->ended = false;
	s->pulled = false;
	s->seq = 0;
	sp_buf_reset(&s->body);
}

static void refuse_busy(struct session *s)
{
	s->role->refused++;
	drop_message(s);
	(void)sp_smtp_server_answer(s->server, 451, "4.3.0",
	                            "queue not available, try again later");
}

/* Our trace header and, for submission, what RFC 6409 8.3 lets us add. */
static int write_headers(struct session *s, int64_t now_ms,
                         const char *queue_id, struct sp_buf *out)
{
	const struct sp_conf *conf = s->role->ctx->conf;
	struct sp_received received = {
		.helo = sp_smtp_server_helo(s->server),
		.address = sp_str_from(s->peer),
		.by = sp_str_from(conf->hostname),
		.with = sp_str_from(sp_smtp_server_with(s->server)),
		.tls = sp_str_from(s->tls_text),
		.id = sp_str_from(queue_id),
		.received_ms = now_ms,
	};
	char id[SP_ID_LEN + 1];
	char date[SP_TIME_TEXT];
	int r;

	if (s->envelope->rcpt_count == 1) {
		received.rcpt = s->envelope->rcpts[0].address;
	}
	r = sp_header_received(&received, out);
	if (!r && !s->conf->inbound && !s->scan.has_message_id) {
		sp_id_new(now_ms, id);
		r = sp_buf_printf(out, "Message-ID: <%s@%s>\r\n", id,
		                  conf->hostname);
	}
	if (!r && !s->conf->inbound && !s->scan.has_date) {
		sp_time_rfc5322(now_ms, date);
		r = sp_buf_printf(out, "Date: %s\r\n", date);
	}
	return r;
}

/* The Message-ID that the message leaves with: its own, or the one that
 * write_headers has just added. */
static struct sp_str message_id(struct session *s, struct sp_str headers)
{
	static const char FIELD[] = "\r\nMessage-ID: ";
	struct sp_str own = sp_header_message_id(&s->scan);
	const char *at;

	if (s->scan.has_message_id) {
		return own;
	}
	at = memmem(headers.ptr, headers.len, FIELD, sizeof(FIELD) - 1);
	if (!at) {
		return own;
	}
	own = sp_str_sub(headers,
	                 (size_t)(at - headers.ptr) + sizeof(FIELD) - 1,
	                 headers.len);
	return sp_str_sub(own, 0, sp_str_find(own, '\r'));
}

static void submit(struct session *s, bool complete)
{
	struct sp_msg_submit msg = {
		.envelope = *s->envelope,
		.complete = complete,
	};
	struct sp_buf first;
	struct sp_str rest = sp_buf_str(&s->body);
	struct sp_str part;
	size_t headers_len;
	char id[SP_ID_LEN + 1];

	msg.envelope.received_ms = sp_time_wall_ms();
	msg.envelope.body_8bit |= s->scan.body_8bit || s->scan.header_8bit;
	msg.envelope.smtputf8 &= s->scan.header_8bit || !s->scan.ended;
	sp_id_new(msg.envelope.received_ms, id);
	msg.id = sp_str_from(id);
	sp_buf_init(&first, SP_BODY_INLINE_MAX);
	if (!s->role->queue ||
	    write_headers(s, msg.envelope.received_ms, id, &first)) {
		sp_buf_fini(&first);
		refuse_busy(s);
		return;
	}
	headers_len = sp_buf_len(&first);
	part = sp_str_sub(rest, 0, sp_buf_room(&first));
	msg.complete = complete && part.len == rest.len;
	(void)sp_buf_append_str(&first, part); /* there is room */
	sp_buf_consume(&s->body, part.len);
	msg.body = sp_buf_str(&first); /* which moves no more from here on */
	msg.envelope.message_id =
		message_id(s, sp_str_sub(msg.body, 0, headers_len));
	msg.envelope.tls_optional = sp_header_tls_optional(&s->scan);
	msg.session = s->submission = ++s->role->last_submission;
	sp_map_set(&s->role->by_id, sp_map_key_u64(&s->submission), s);
	sp_role_send(s->role->queue, SP_MSG_SUBMIT, SP_MSG_SUBMIT_FIELDS, &msg);
	s->handing = msg.complete ? WAIT : STREAM;
	s->seq = 1;
	sp_buf_fini(&first);
}

static void send_chunk(struct session *s)
{
	size_t len = sp_buf_len(&s->body);
	struct sp_msg_body_chunk msg = {
		.session = s->submission,
		.seq = s->seq++,
		.last = s->ended && len <= SP_BODY_CHUNK_MAX,
		.eight_bit = s->scan.body_8bit || s->scan.header_8bit,
		.data = sp_str_sub(sp_buf_str(&s->body), 0, SP_BODY_CHUNK_MAX),
	};

	s->pulled = false;
	sp_role_send(s->role->queue, SP_MSG_BODY_CHUNK,
	             SP_MSG_BODY_CHUNK_FIELDS, &msg);
	sp_buf_consume(&s->body, msg.data.len);
	if (msg.last) {
		s->handing = WAIT;
	}
}

/* What can be done with what is here: hand over, or let the client wait. */
static void hand_over(struct session *s)
{
	if (s->handing == GATHER &&
	    (s->ended || sp_buf_len(&s->body) >= SP_BODY_INLINE_MAX)) {
		submit(s, s->ended);
	}
	if (s->handing == STREAM && s->pulled &&
	    (s->ended || sp_buf_len(&s->body) >= SP_BODY_CHUNK_MAX)) {
		send_chunk(s);
	}
	sp_smtp_server_hold(s->server,
	                    s->handing == STREAM && !s->ended &&
	                            sp_buf_len(&s->body) >= SP_BODY_CHUNK_MAX);
}

static void abort_message(struct session *s)
{
	struct sp_msg_session msg = {s->submission};

	if (s->handing == STREAM || s->handing == WAIT) {
		sp_role_send(s->role->queue, SP_MSG_SUBMIT_ABORT,
		             SP_MSG_SESSION_FIELDS, &msg);
	}
	if (s->handing != NOTHING) {
		s->role->refused++;
	}
	drop_message(s);
}

/* --- the server's events --- */

/* A byte now and then is no silence: a message, too, has its time. */
static void limit_life(struct session *s, int64_t most_ms)
{
	int64_t left_ms = s->ends_ms - sp_time_mono_ms();

	left_ms = left_ms < most_ms ? left_ms : most_ms;
	sp_timer_set(s->life, left_ms > 0 ? left_ms : 0);
}

static void on_begin(struct session *s, const struct sp_smtp_server_event *ev)
{
	drop_message(s);
	limit_life(s, s->role->ctx->conf->receive.data_timeout_ms);
	s->handing = GATHER;
	s->envelope = ev->envelope;
	sp_header_scan_init(&s->scan);
}

static void on_body(struct session *s, const struct sp_smtp_server_event *ev)
{
	if (s->handing != GATHER && s->handing != STREAM) {
		return; /* refused meanwhile */
	}
	sp_header_scan_feed(&s->scan, ev->bytes);
	if (sp_buf_append_str(&s->body, ev->bytes)) {
		abort_message(s);
		(void)sp_smtp_server_answer(s->server, 451, "4.3.1",
		                            "out of room, try again later");
		return;
	}
	hand_over(s);
}

static void on_end(struct session *s, const struct sp_smtp_server_event *ev)
{
	(void)ev;
	limit_life(s, INT64_MAX);
	if (s->handing == NOTHING) {
		return;
	}
	sp_header_scan_finish(&s->scan);
	s->ended = true;
	hand_over(s);
}

static void on_abort(struct session *s, const struct sp_smtp_server_event *ev)
{
	sp_log(&s->role->ctx->log, SP_LOG_INFO, "receive.refused",
	       SP_F_INT("session", s->id), SP_F_CSTR("peer", s->peer),
	       SP_F_CSTR("why", ev->why));
	limit_life(s, INT64_MAX);
	abort_message(s);
}

static void on_starttls(struct session *s,
                        const struct sp_smtp_server_event *ev)
{
	(void)ev;
	s->starting_tls = true;
}

static void on_close(struct session *s, const struct sp_smtp_server_event *ev)
{
	(void)ev;
	s->closing = true;
}

static void (*const ON_EVENT[])(struct session *,
                                const struct sp_smtp_server_event *) = {
	[SP_SMTP_SERVER_STARTTLS] = on_starttls,
	[SP_SMTP_SERVER_MESSAGE_BEGIN] = on_begin,
	[SP_SMTP_SERVER_BODY] = on_body,
	[SP_SMTP_SERVER_MESSAGE_END] = on_end,
	[SP_SMTP_SERVER_MESSAGE_ABORT] = on_abort,
	[SP_SMTP_SERVER_QUIT] = on_close,
	[SP_SMTP_SERVER_CLOSE] = on_close,
};

/* --- moving bytes --- */

static void take_events(struct session *s)
{
	struct sp_smtp_server_event ev;

	while (sp_smtp_server_next(s->server, &ev)) {
		ON_EVENT[ev.type](s, &ev);
	}
}

static void write_out(struct session *s)
{
	struct sp_buf *from = sp_smtp_server_output(s->server);
	struct sp_buf *to = sp_stream_out(s->stream);
	struct sp_str bytes = sp_str_sub(sp_buf_str(from), 0, sp_buf_room(to));

	if (bytes.len && sp_buf_append_str(to, bytes) == 0) {
		sp_buf_consume(from, bytes.len);
		sp_stream_flush(s->stream);
	}
}

static void shake_hands(struct session *s)
{
	int r;

	s->starting_tls = false;
	r = sp_stream_start_tls_server(s->stream, s->listener->tls);
	if (r) { /* bytes behind STARTTLS: RFC 3207 4.2 */
		sp_log(&s->role->ctx->log, SP_LOG_WARN, "receive.starttls",
		       SP_F_CSTR("peer", s->peer), SP_F_ERR(r));
		s->closing = true;
		sp_smtp_server_lost(s->server);
		take_events(s);
		sp_stream_close_after_flush(s->stream);
	}
}

static void pump(struct session *s)
{
	struct sp_buf *in = sp_stream_in(s->stream);
	struct sp_str input = sp_buf_str(in);
	size_t before = input.len;

	bool moved = false; /* what a deadline is for has happened */

	take_events(s);
	while (!s->closing && !s->starting_tls && input.len &&
	       sp_smtp_server_wants_input(s->server)) {
		moved = moved || !sp_smtp_server_reads_command(s->server);
		sp_smtp_server_feed(s->server, &input);
		take_events(s);
	}
	moved = moved || !before ||
	        sp_buf_len(sp_smtp_server_output(s->server));
	sp_buf_consume(in, before - input.len);
	if (before != input.len) {
		sp_stream_pause(s->stream, false);
	}
	write_out(s);
	if (s->closing) {
		sp_stream_close_after_flush(s->stream);
	}
	if (moved) { /* a piece of a command has all the time it needs, once */
		sp_stream_timeout(s->stream,
		                  s->role->ctx->conf->receive.idle_timeout_ms);
	}
}

static void session_free(struct session *s)
{
	struct receive *role = s->role;

	abort_message(s);
	sp_list_remove(&s->node);
	role->session_count--;
	if (--s->client->sessions == 0) {
		sp_map_remove(&role->clients, sp_str_from(s->client->address));
		sp_free(s->client);
	}
	sp_stream_free(&s->stream);
	sp_smtp_server_free(&s->server);
	sp_timer_free(&s->life);
	sp_buf_fini(&s->body);
	sp_free(s);
	if (role->ctx->stopping && role->session_count == 0) {
		sp_role_stopped(role->ctx);
	}
}

static void shut(struct session *s, const char *enhanced, const char *text)
{
	sp_smtp_server_shut(s->server, enhanced, text);
	pump(s);
}

static void on_tls_up(struct session *s)
{
	struct sp_tls_seen seen;
	struct sp_arena arena;

	sp_arena_init(&arena);
	sp_stream_tls_facts(s->stream, &arena, &seen);
	snprintf(s->tls_text, sizeof(s->tls_text), SP_STR_FMT ", " SP_STR_FMT,
	         SP_STR_ARG(seen.protocol), SP_STR_ARG(seen.cipher));
	sp_arena_fini(&arena);
	sp_smtp_server_tls_started(s->server);
	pump(s);
}

static void on_stream(void *arg, enum sp_stream_event event)
{
	struct session *s = arg;

	switch (event) {
	case SP_STREAM_CONNECTED:
		break;
	case SP_STREAM_DATA:
		if (!s->closing && !s->starting_tls) {
			pump(s);
		}
		break;
	case SP_STREAM_DRAINED:
		if (s->starting_tls) {
			shake_hands(s);
		} else {
			pump(s);
		}
		break;
	case SP_STREAM_TLS_UP:
		on_tls_up(s);
		break;
	case SP_STREAM_TIMEOUT:
		if (s->closing) {
			session_free(s);
		} else {
			shut(s, "4.4.2", "timeout, closing the connection");
		}
		break;
	case SP_STREAM_EOF:
	case SP_STREAM_ERROR:
	case SP_STREAM_TLS_FAILED:
		session_free(s);
		break;
	}
}

static void on_life_end(void *arg)
{
	struct session *s = arg;

	if (s->closing) {
		session_free(s);
	} else {
		s->ends_ms = sp_time_mono_ms() + LAST_WORDS_MS;
		sp_timer_set(s->life, LAST_WORDS_MS);
		shut(s, "4.4.2",
		     s->handing == NOTHING
		             ? "session too long, closing the connection"
		             : "message too slow, closing the connection");
	}
}

/* --- coming and going --- */

static bool may_speak(const struct sp_conf_listen *conf,
                      const struct sp_addr *peer)
{
	for (size_t i = 0; i < conf->accept_from.count; i++) {
		struct sp_cidr cidr;

		if (sp_cidr_parse(sp_str_from(conf->accept_from.items[i]),
		                  &cidr) == 0 &&
		    sp_cidr_contains(&cidr, peer)) {
			return true;
		}
	}
	return false;
}

/* There are no accepted domains yet: an inbound listener takes nothing. */
static bool no_inbound(void *arg, const struct sp_address *rcpt,
                       struct sp_str domain, struct sp_smtp_answer *answer_out)
{
	(void)arg;
	(void)rcpt;
	(void)domain;
	*answer_out = (struct sp_smtp_answer){550, "5.7.1",
	                                      "no mail for this domain here"};
	return false;
}

static const struct sp_smtp_server_ops INBOUND_OPS = {.rcpt = no_inbound};

static struct client *client_of(struct receive *role, const char *address)
{
	struct client *c = sp_map_find(&role->clients, sp_str_from(address));

	if (!c) {
		c = SP_NEW(struct client);
		snprintf(c->address, sizeof(c->address), "%s", address);
		sp_map_set(&role->clients, sp_str_from(c->address), c);
	}
	c->sessions++;
	return c;
}

static struct sp_smtp_server *new_server(struct session *s,
                                         const struct sp_addr *peer)
{
	const struct sp_conf *conf = s->role->ctx->conf;
	struct sp_smtp_server_conf sc;

	sp_smtp_server_conf_init(&sc);
	sc.hostname = sp_str_from(conf->hostname);
	sc.client = sp_str_from(s->peer);
	sc.size_max_bytes = (uint64_t)conf->receive.size_max_bytes;
	sc.rcpt_max = (size_t)conf->receive.rcpt_max;
	sc.errors_max = (unsigned)conf->receive.errors_max;
	sc.received_max = (unsigned)conf->receive.received_max;
	sc.line_max_bytes = (size_t)conf->receive.line_max_bytes;
	sc.starttls = s->listener->tls != NULL;
	if (s->conf->inbound) {
		sc.ops = &INBOUND_OPS;
	} else {
		sc.refuse = !may_speak(s->conf, peer);
	}
	return sp_smtp_server_new(&sc);
}

void session_new(struct listener *listener, int fd, const struct sp_addr *peer)
{
	struct receive *role = listener->role;
	const struct sp_conf *conf = role->ctx->conf;
	struct session *s = SP_NEW(struct session);

	s->role = role;
	s->listener = listener;
	s->conf = listener->conf;
	s->id = ++role->last_session;
	s->started_ms = sp_time_mono_ms();
	sp_addr_text(peer, s->peer);
	s->client = client_of(role, s->peer);
	/* The first chunk may be followed by what came in the same read. */
	sp_buf_init(&s->body, SP_BODY_CHUNK_MAX + 1024 * 1024);
	s->stream = sp_stream_accepted(role->ctx->loop, fd, on_stream, s);
	s->server = new_server(s, peer);
	s->life = sp_timer_new(role->ctx->loop, on_life_end, s);
	s->ends_ms = s->started_ms + conf->receive.session_timeout_ms;
	limit_life(s, INT64_MAX);
	sp_list_append(&role->sessions, &s->node);
	role->session_count++;
	if (s->client->sessions > (size_t)conf->receive.sessions_per_client) {
		shut(s, "4.7.0", "too many sessions from your address");
	} else {
		pump(s);
	}
}

void session_free_all(struct receive *role)
{
	SP_LIST_FOREACH_SAFE (it, next, &role->sessions) {
		session_free(SP_CONTAINER(it, struct session, node));
	}
}

/* A session in the middle of a message may finish it: its answer comes with
 * the queue's, and it is shut then. Nobody has longer than STOP_MS. */
void session_stop_all(struct receive *role)
{
	SP_LIST_FOREACH_SAFE (it, next, &role->sessions) {
		struct session *s = SP_CONTAINER(it, struct session, node);

		s->ends_ms = sp_time_mono_ms() + STOP_MS;
		limit_life(s, INT64_MAX);
		if (s->handing != WAIT && !s->closing) {
			shut(s, "4.3.2", "server going down");
		}
	}
	if (role->session_count == 0) {
		sp_role_stopped(role->ctx);
	}
}

/* Null: the client has gone meanwhile, or was refused already. */
static struct session *find(struct receive *role, uint64_t submission)
{
	return sp_map_find(&role->by_id, sp_map_key_u64(&submission));
}

static void go_on(struct session *s)
{
	if (s->role->ctx->stopping && !s->closing) {
		shut(s, "4.3.2", "server going down");
	} else {
		pump(s);
	}
}

int session_on_pull(struct receive *role, struct sp_str payload)
{
	struct sp_msg_session msg = {0};
	struct session *s;

	if (sp_unpack(SP_MSG_SESSION_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	s = find(role, msg.session);
	if (s && s->handing == STREAM) {
		s->pulled = true;
		hand_over(s);
		pump(s);
	}
	return 0;
}

static void answer(struct session *s, const struct sp_msg_submit_done *msg)
{
	struct receive *role = s->role;
	unsigned code = msg->accepted ? 250 : msg->code;
	char enhanced[16];
	char text[256];

	if (!msg->accepted && (code < 400 || code > 599)) {
		code = 451;
	}
	snprintf(enhanced, sizeof(enhanced), SP_STR_FMT,
	         SP_STR_ARG(msg->enhanced));
	if (msg->accepted) {
		role->accepted++;
		s->messages++;
		snprintf(text, sizeof(text), "Ok: queued as " SP_STR_FMT,
		         SP_STR_ARG(msg->id));
	} else {
		role->refused++;
		sp_log_escape(msg->text, text, sizeof(text));
	}
	sp_log(&role->ctx->log, SP_LOG_INFO,
	       msg->accepted ? "receive.accepted" : "receive.refused",
	       SP_F_INT("session", s->id), SP_F_CSTR("peer", s->peer),
	       SP_F_STR("id", msg->id), SP_F_CSTR("answer", text));
	drop_message(s);
	(void)sp_smtp_server_answer(s->server, code,
	                            msg->accepted ? "2.0.0" : enhanced, text);
}

int session_on_done(struct receive *role, struct sp_str payload)
{
	struct sp_msg_submit_done msg = {0};
	struct session *s;

	if (sp_unpack(SP_MSG_SUBMIT_DONE_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	s = find(role, msg.session);
	if (!s || (s->handing != WAIT && s->handing != STREAM) ||
	    (msg.accepted && s->handing != WAIT)) {
		return 0;
	}
	answer(s, &msg);
	go_on(s);
	return 0;
}

void session_queue_down(struct receive *role)
{
	SP_LIST_FOREACH_SAFE (it, next, &role->sessions) {
		struct session *s = SP_CONTAINER(it, struct session, node);

		if (s->handing == STREAM || s->handing == WAIT) {
			refuse_busy(s);
			go_on(s);
		}
	}
}

struct sp_json *session_live(struct receive *role)
{
	struct sp_json *list = sp_json_array();

	SP_LIST_FOREACH (it, &role->sessions) {
		struct session *s = SP_CONTAINER(it, struct session, node);
		struct sp_json *row = sp_json_object();

		if (sp_json_len(list) >= 1000) {
			sp_json_free(&row);
			break;
		}
		sp_json_set_cstr(row, "role", "receive");
		sp_json_set_int(row, "session", (int64_t)s->id);
		sp_json_set_cstr(row, "peer", s->peer);
		sp_json_set_str(row, "helo", sp_smtp_server_helo(s->server));
		sp_json_set_cstr(row, "state", sp_smtp_server_state(s->server));
		sp_json_set_bool(row, "tls", sp_smtp_server_is_tls(s->server));
		sp_json_set_int(row, "messages", (int64_t)s->messages);
		sp_json_set_int(row, "age_ms",
		                sp_time_mono_ms() - s->started_ms);
		sp_json_add(list, row);
	}
	return list;
}
