/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_DELIVER_PEER_H
#define SP_TESTS_DELIVER_PEER_H

/*
 * A scripted SMTP server on a loopback address, in this very process and on
 * the loop of what is tested. Included by one test program only.
 */
#include <stdio.h>

#include "base/list.h"
#include "base/mem.h"
#include "net/socket.h"
#include "net/stream.h"

/* What it says instead of the usual. Null: the usual. "": nothing any more.
 * "#...": the text, then the end of the connection. */
struct script {
	const char *greeting, *ehlo, *starttls, *mail, *rcpt, *rcpt2, *data,
		*dot, *rset;
	bool no_starttls;    /* not offered */
	bool no_handshake;   /* 220, then the connection ends */
	bool mute_handshake; /* 220, then nothing */
	unsigned ends_after; /* messages; then the connection ends in silence */
	const char *ehlo_more; /* further lines of the EHLO reply */
	/* from the connection after this many on; 0: never */
	unsigned ends_greeting; /* it ends at once */
	unsigned ends_starttls; /* STARTTLS is not offered */
	unsigned starts_again;  /* STARTTLS is offered again */
};

struct server {
	struct sp_loop *loop;
	struct sp_tls_server *tls;
	struct script script;
	struct sp_watch *watch;
	int fd;
	struct sp_list visits; /* struct visit */
	/* what was seen */
	unsigned connections, messages, clear_mails, tls_mails, ehlos;
	size_t body_bytes;
	unsigned quits;
	bool stop_at_quit; /* the loop */
};

struct visit {
	struct sp_list node;
	struct server *server;
	struct sp_stream *stream;
	unsigned rcpts, messages;
	unsigned accepted;
	unsigned number; /* of the connection, from 1 */
	bool tls, in_data, turning, mute;
};

static void visit_end(struct visit *v)
{
	sp_list_remove(&v->node);
	sp_stream_free(&v->stream);
	sp_free(v);
}

/* False: the visit has ended. */
static bool say(struct visit *v, const char *script, const char *usual)
{
	const char *text = script ? script : usual;
	bool ends = *text == '#';

	if (ends) {
		text++;
	} else if (!*text) {
		v->mute = true;
	}
	(void)sp_buf_append_cstr(sp_stream_out(v->stream), text);
	sp_stream_flush(v->stream);
	if (ends) {
		sp_stream_close_after_flush(v->stream);
	}
	return !ends;
}

static bool is(struct sp_str line, const char *verb)
{
	return sp_str_eq_nocase(sp_str_sub(line, 0, strlen(verb)),
	                        sp_str_from(verb));
}

static bool is_after(const struct visit *v, unsigned number)
{
	return number && v->number > number;
}

static bool on_hello(struct visit *v)
{
	const struct script *s = &v->server->script;
	bool offered = !s->no_starttls && (!is_after(v, s->ends_starttls) ||
	                                   is_after(v, s->starts_again));
	char usual[256];

	v->server->ehlos++;
	snprintf(usual, sizeof(usual), "250-mx%s%s\r\n250 PIPELINING\r\n",
	         !v->tls && offered ? "\r\n250-STARTTLS" : "",
	         s->ehlo_more ? s->ehlo_more : "\r\n250-8BITMIME");
	return say(v, s->ehlo, usual);
}

static bool on_starttls(struct visit *v)
{
	const struct script *s = &v->server->script;

	if (s->no_handshake) {
		return say(v, "#220 go\r\n", NULL);
	}
	v->turning = !s->starttls;
	return say(v, s->starttls, "220 go\r\n");
}

static bool on_mail(struct visit *v)
{
	if (v->tls) {
		v->server->tls_mails++;
	} else {
		v->server->clear_mails++;
	}
	v->rcpts = 0;
	v->accepted = 0;
	if (v->server->script.ends_after &&
	    v->messages >= v->server->script.ends_after) {
		return say(v, "#", NULL);
	}
	return say(v, v->server->script.mail, "250 ok\r\n");
}

static bool on_line(struct visit *v, struct sp_str line)
{
	const struct script *s = &v->server->script;

	if (v->in_data) {
		v->server->body_bytes += line.len;
		if (!sp_str_eq(line, SP_STR("."))) {
			return true;
		}
		v->in_data = false;
		v->server->messages++;
		v->messages++;
		return say(v, s->dot, "250 2.0.0 taken\r\n");
	}
	if (is(line, "EHLO") || is(line, "HELO")) {
		return on_hello(v);
	}
	if (is(line, "STARTTLS")) {
		return on_starttls(v);
	}
	if (is(line, "MAIL")) {
		return on_mail(v);
	}
	if (is(line, "RCPT")) {
		const char *reply = s->mail      ? "503 no MAIL\r\n"
		                    : v->rcpts++ ? s->rcpt2
		                                 : s->rcpt;

		v->accepted += !reply || *reply == '2';
		return say(v, reply, "250 ok\r\n");
	}
	if (is(line, "DATA") && !v->accepted) {
		return say(v, "554 no recipients\r\n", NULL);
	}
	if (is(line, "DATA")) {
		v->in_data = !s->data;
		return say(v, s->data, "354 go\r\n");
	}
	if (is(line, "RSET")) {
		return say(v, s->rset, "250 ok\r\n");
	}
	if (is(line, "QUIT")) {
		v->server->quits++;
		if (v->server->stop_at_quit) {
			sp_loop_stop(v->server->loop);
		}
	}
	return say(v, "#221 bye\r\n", NULL);
}

static void on_lines(struct visit *v)
{
	struct sp_buf *in = sp_stream_in(v->stream);

	for (;;) {
		struct sp_str bytes = sp_buf_str(in);
		size_t end = sp_str_find(bytes, '\n');
		char line[4096];

		if (v->turning || v->mute || end == bytes.len) {
			return;
		}
		snprintf(line, sizeof(line), SP_STR_FMT,
		         SP_STR_ARG(sp_str_sub(bytes, 0, end ? end - 1 : 0)));
		sp_buf_consume(in, end + 1);
		if (!on_line(v, sp_str_from(line))) {
			return;
		}
	}
}

static void on_visit(void *arg, enum sp_stream_event event)
{
	struct visit *v = arg;

	if (event == SP_STREAM_DATA) {
		on_lines(v);
	} else if (event == SP_STREAM_DRAINED && v->turning &&
	           !v->server->script.mute_handshake) {
		v->turning = false;
		if (sp_stream_start_tls_server(v->stream, v->server->tls)) {
			visit_end(v);
		}
	} else if (event == SP_STREAM_TLS_UP) {
		v->tls = true;
	} else if (event != SP_STREAM_DRAINED) {
		visit_end(v);
	}
}

static void on_server(void *arg, int flags)
{
	struct server *s = arg;
	struct sp_addr peer, local;
	int fd;

	(void)flags;
	while ((fd = sp_socket_accept(s->fd, &peer, &local)) >= 0) {
		struct visit *v = SP_NEW(struct visit);

		v->number = ++s->connections;
		v->server = s;
		sp_list_append(&s->visits, &v->node);
		v->stream = sp_stream_accepted(s->loop, fd, on_visit, v);
		(void)say(v,
		          is_after(v, s->script.ends_greeting)
		                  ? "#"
		                  : s->script.greeting,
		          "220 mx ESMTP\r\n");
	}
}

/* address has the port to listen on, or 0 and gets one. False: taken. */
static bool server_start(struct server *s, struct sp_loop *loop,
                         struct sp_tls_server *tls, struct sp_addr *address)
{
	*s = (struct server){.loop = loop, .tls = tls};
	sp_list_init(&s->visits);
	s->fd = sp_socket_listen(address, 16);
	if (s->fd < 0) {
		return false;
	}
	sp_socket_local(s->fd, address);
	s->watch = sp_watch_new(loop, s->fd, on_server, s);
	sp_watch_set(s->watch, SP_IO_READ);
	return true;
}

static void server_hang_up(struct server *s)
{
	SP_LIST_FOREACH_SAFE (it, next, &s->visits) {
		visit_end(SP_CONTAINER(it, struct visit, node));
	}
}

static void server_stop(struct server *s)
{
	server_hang_up(s);
	sp_watch_free(&s->watch);
	if (s->fd >= 0) {
		close(s->fd);
		s->fd = -1;
	}
}

#endif
