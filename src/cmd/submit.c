/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SMTP session machine over a socket and poll(2). Only what happens
 * before the message is sent leads to the next address; from then on the
 * answer, or its absence, is the result.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "cmd/message.h"
#include "cmd/submit.h"
#include "net/socket.h"
#include "smtp/client.h"

#define READ_BYTES      16384
#define CONNECT_WAIT_MS 10000

struct session {
	const struct sp_submission *sub;
	struct sp_smtp_client *client;
	int fd;
	struct sp_str body; /* what is still to go */
	bool next_address;  /* nothing was sent: another may be tried */
	bool over;
	int status;
	char *id; /* SP_SUBMIT_ID_MAX */
};

/* ---- where to ---- */

/* Any address means this machine. */
static void reachable(struct sp_addr *addr)
{
	static const uint8_t ANY[16];
	bool any = true;

	for (size_t i = 0; i < (addr->family == 4 ? 4u : 16u); i++) {
		any = any && addr->bytes[i] == ANY[i];
	}
	if (any && addr->family == 4) {
		addr->bytes[0] = 127;
		addr->bytes[3] = 1;
	} else if (any) {
		addr->bytes[15] = 1;
	}
}

static bool address_at(const struct sp_conf *conf, size_t at,
                       struct sp_addr *addr_out)
{
	for (size_t i = 0; i < conf->listen_count; i++) {
		const struct sp_conf_strings *list = &conf->listen[i].address;

		if (conf->listen[i].inbound) {
			continue;
		}
		if (at < list->count) {
			if (sp_addr_parse(sp_str_from(list->items[at]), 587,
			                  addr_out)) {
				return false; /* checked before */
			}
			reachable(addr_out);
			return true;
		}
		at -= list->count;
	}
	return false;
}

/* 0, or a negative error. */
static int wait_for(int fd, short events, int64_t wait_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do {
		n = poll(&p, 1, wait_ms < 0 ? -1 : (int)wait_ms);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == 0 ? SP_ETIMEOUT : 0;
}

static int connect_to(const struct sp_addr *addr)
{
	int fd = sp_socket_connect(addr, NULL);
	int err = fd < 0 ? fd : wait_for(fd, POLLOUT, CONNECT_WAIT_MS);

	if (!err && fd >= 0) {
		err = sp_socket_error(fd);
	}
	if (err && fd >= 0) {
		close(fd);
	}
	return err ? err : fd;
}

int sp_submit_connect(const struct sp_conf *conf, size_t *at, int *status_out)
{
	bool first = *at == 0;
	struct sp_addr addr;

	*status_out = SP_EXIT_AGAIN;
	while (address_at(conf, *at, &addr)) {
		char text[SP_ADDR_TEXT];
		int fd = connect_to(&addr);

		++*at;
		if (fd >= 0) {
			return fd;
		}
		sp_addr_text_port(&addr, text);
		sp_cmd_fail(0, "%s: %s", text, sp_strerror(fd));
	}
	if (*at == 0) {
		*status_out = sp_cmd_fail(
			SP_EXIT_CONF, "%s: no listener for submission",
			conf->file ? conf->file : "configuration");
	} else if (first) {
		sp_cmd_fail(0, "no submission listener answers; is the server "
		               "running?");
	}
	return -1;
}

/* ---- what became of it ---- */

static int worse(int a, int b, int refused)
{
	return a == refused || b == refused ? refused : a ? a : b;
}

static int status_of(const struct session *s, const struct sp_reply *reply)
{
	return reply->code >= 500 ? s->sub->refused_status : SP_EXIT_AGAIN;
}

static void say_reply(const char *what, size_t len,
                      const struct sp_reply *reply)
{
	if (reply->code == 0) {
		sp_cmd_fail(0, "%.*s: the connection ended without an answer",
		            (int)len, what);
	} else {
		sp_cmd_fail(0, "%.*s: %u " SP_STR_FMT, (int)len, what,
		            reply->code, SP_STR_ARG(reply->text));
	}
}

/* "2.0.0 Ok: queued as ID": the last word. */
static void read_id(struct session *s, struct sp_str text)
{
	size_t start = text.len;

	while (start && text.ptr[start - 1] != ' ') {
		start--;
	}
	for (size_t i = start, n = 0;
	     i < text.len && n + 1 < SP_SUBMIT_ID_MAX &&
	     sp_ascii_is_alnum(text.ptr[i]);
	     i++) {
		s->id[n++] = text.ptr[i];
		s->id[n] = '\0';
	}
}

/* One line for each recipient that was refused, or one for all. */
static void say_recipients(struct session *s,
                           const struct sp_smtp_result *result)
{
	for (size_t i = 0; i < result->rcpt_count; i++) {
		const struct sp_smtp_rcpt_result *r = &result->rcpts[i];
		struct sp_str who = s->sub->rcpts[i].address;
		bool all = r->stage != SP_SMTP_STAGE_RCPT;

		if (r->delivered) {
			continue;
		}
		s->status = worse(s->status, status_of(s, &r->reply),
		                  s->sub->refused_status);
		if (!all) {
			say_reply(who.ptr, who.len, &r->reply);
		} else if (i + 1 == result->rcpt_count) {
			say_reply("message", 7, &r->reply);
		}
	}
}

static void on_done(struct session *s, const struct sp_smtp_result *result)
{
	s->over = true;
	if (result->need != SP_SMTP_NEED_NONE) {
		s->status = sp_cmd_fail(s->sub->refused_status,
		                        "message: the server lacks %s",
		                        sp_smtp_need_name(result->need));
		return;
	}
	if (result->final.code / 100 == 2) {
		read_id(s, result->final.text);
	}
	say_recipients(s, result);
	(void)sp_smtp_client_quit(s->client);
}

/* ---- the session ---- */

static void start(struct session *s)
{
	const struct sp_submission *sub = s->sub;
	struct sp_smtp_transaction t = {
		.sender = sub->sender,
		.envid = sub->envid,
		.ret = sub->ret,
		.rcpts = sub->rcpts,
		.rcpt_count = sub->rcpt_count,
		.body_8bit = sp_message_is_8bit(sub->body),
		.smtputf8 = sp_message_is_8bit(sub->sender),
	};

	for (size_t i = 0; i < sub->rcpt_count; i++) {
		t.smtputf8 |= sp_message_is_8bit(sub->rcpts[i].address);
	}
	s->next_address = false;
	if (sp_smtp_client_send(s->client, &t)) {
		s->over = true;
		s->status = sp_cmd_fail(SP_EXIT_USAGE,
		                        "an address or parameter holds a "
		                        "control character or is too long");
	}
}

static void end_without_message(struct session *s,
                                const struct sp_smtp_client_event *event)
{
	if (!s->over) {
		s->over = true;
		s->status = status_of(s, &event->reply);
		say_reply("server", 6, &event->reply);
	}
}

static void on_event(struct session *s,
                     const struct sp_smtp_client_event *event)
{
	switch (event->type) {
	case SP_SMTP_CLIENT_READY:
		start(s);
		break;
	case SP_SMTP_CLIENT_MESSAGE_DONE:
		on_done(s, event->result);
		break;
	case SP_SMTP_CLIENT_GREETING_REFUSED:
	case SP_SMTP_CLIENT_EHLO_REFUSED:
	case SP_SMTP_CLIENT_CLOSED:
		end_without_message(s, event);
		break;
	case SP_SMTP_CLIENT_PROTOCOL_ERROR:
		s->over = true;
		s->status =
			sp_cmd_fail(SP_EXIT_AGAIN, "server: %s", event->why);
		break;
	case SP_SMTP_CLIENT_STARTTLS_READY:
	case SP_SMTP_CLIENT_STARTTLS_REFUSED:
	case SP_SMTP_CLIENT_STARTTLS_GARBAGE:
	case SP_SMTP_CLIENT_RCPT:
	case SP_SMTP_CLIENT_WANT_BODY:
	case SP_SMTP_CLIENT_RESET_DONE:
	case SP_SMTP_CLIENT_QUIT_DONE:
		break;
	}
}

static void turn(struct session *s)
{
	struct sp_smtp_client_event event;
	size_t room;

	while (!s->over && sp_smtp_client_next(s->client, &event)) {
		on_event(s, &event);
	}
	while (!s->over && (room = sp_smtp_client_body_room(s->client)) > 0) {
		struct sp_str piece = sp_str_sub(s->body, 0, room);
		bool last = piece.len == s->body.len;

		if (sp_smtp_client_body(s->client, piece, last) || last) {
			s->body = (struct sp_str){0};
			break;
		}
		s->body = sp_str_sub(s->body, piece.len, s->body.len);
	}
}

static int write_some(struct session *s)
{
	struct sp_buf *out = sp_smtp_client_output(s->client);
	struct sp_str bytes = sp_buf_str(out);
	ssize_t n;

	if (!bytes.len) {
		return 0;
	}
	n = send(s->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
	if (n < 0) {
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	sp_buf_consume(out, (size_t)n);
	return 0;
}

static int read_some(struct session *s)
{
	char bytes[READ_BYTES];
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), 0);
	struct sp_str input;

	if (n < 0) {
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	if (n == 0) {
		return SP_ECLOSED;
	}
	input = sp_str_slice(bytes, (size_t)n);
	sp_smtp_client_feed(s->client, &input);
	return 0;
}

static void converse(struct session *s)
{
	while (!s->over) {
		bool more = sp_buf_len(sp_smtp_client_output(s->client)) > 0;
		int64_t wait_ms = sp_smtp_stage_timeout_ms(
			sp_smtp_client_stage(s->client));
		int err = wait_for(
			s->fd, (short)(POLLIN | (more ? POLLOUT : 0)), wait_ms);

		if (!err) {
			err = read_some(s);
		}
		if (!err) {
			err = write_some(s);
		}
		if (err) {
			sp_smtp_client_lost(s->client);
		}
		turn(s);
	}
	(void)write_some(s); /* QUIT, if there is room for it */
}

static int talk(struct session *s)
{
	struct sp_smtp_client_conf conf = {
		.hostname = sp_str_from(s->sub->conf->hostname),
	};

	s->body = s->sub->body;
	s->over = false;
	s->next_address = true;
	s->status = 0;
	s->client = sp_smtp_client_new(&conf);
	converse(s);
	sp_smtp_client_free(&s->client);
	return s->status;
}

int sp_submit(const struct sp_submission *submission,
              char id_out[SP_SUBMIT_ID_MAX])
{
	struct session s = {.sub = submission, .id = id_out};
	size_t at = 0;
	int status;

	id_out[0] = '\0';
	do {
		int none;

		s.fd = sp_submit_connect(submission->conf, &at, &none);
		if (s.fd < 0) {
			return at && s.status ? s.status : none;
		}
		status = talk(&s);
		close(s.fd);
	} while (status && s.next_address);
	return status;
}
