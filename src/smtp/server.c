/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server session. Input is lines, the bytes of DATA, or the counted
 * bytes of BDAT; which of them is the state's business alone.
 *
 *	START --EHLO--> READY --MAIL--> MAIL --RCPT--> RCPT
 *	RCPT --DATA--> DATA --CRLF.CRLF--> ANSWER --answer--> READY
 *	RCPT --BDAT--> CHUNK --> CHUNK_NEXT --BDAT--> CHUNK --LAST--> ANSWER
 *	CHUNK --refused--> CHUNK_BAD --BDAT--> CHUNK --> CHUNK_BAD
 *	START, READY --STARTTLS--> TLS --tls_started--> START
 *	RSET and EHLO lead from any command state to READY; all lead to CLOSED.
 *
 * Invariants
 * - feed takes nothing in ANSWER, TLS and CLOSED, while held, and while an
 *   event waits: what a client sends ahead stays in its own buffers.
 * - Bytes behind STARTTLS are never read as commands: they end the session.
 * - MESSAGE_BEGIN is followed by exactly one END or ABORT.
 * - A message with anything wrong in it is read to its end, refused there,
 *   and none of it counts.
 */
#include "base/assert.h"
#include "base/err.h"
#include "smtp/server_private.h"

#define TO(state) (1U << SP__SMTPD_##state)
/* Where commands are read; RSET, EHLO and errors may lead to any of these. */
#define COMMAND_STATES                                                         \
	(TO(START) | TO(READY) | TO(MAIL) | TO(RCPT) | TO(CHUNK_NEXT) |        \
	 TO(CHUNK_BAD))

static const struct state_row {
	const char *name;
	unsigned next;    /* besides CLOSED */
	bool reads_lines; /* commands */
} STATES[SP__SMTPD_STATE_COUNT] = {
	[SP__SMTPD_START] = {"start", TO(READY) | TO(TLS) | TO(CHUNK), true},
	[SP__SMTPD_READY] = {"ready", TO(MAIL) | TO(TLS) | TO(CHUNK), true},
	[SP__SMTPD_MAIL] = {"mail", TO(RCPT) | TO(READY) | TO(CHUNK), true},
	[SP__SMTPD_RCPT] = {"rcpt", TO(DATA) | TO(CHUNK) | TO(READY), true},
	[SP__SMTPD_DATA] = {"data", TO(ANSWER) | TO(READY), false},
	[SP__SMTPD_CHUNK] = {"chunk", TO(ANSWER) | COMMAND_STATES, false},
	[SP__SMTPD_CHUNK_NEXT] = {"chunk-next", TO(CHUNK) | TO(READY), true},
	[SP__SMTPD_CHUNK_BAD] = {"chunk-bad", TO(CHUNK) | TO(READY), true},
	[SP__SMTPD_ANSWER] = {"answer", TO(READY), false},
	[SP__SMTPD_TLS] = {"tls", TO(START), false},
	[SP__SMTPD_CLOSED] = {"closed", 0, false},
};

void sp__smtpd_goto(struct sp_smtp_server *s, enum sp__smtpd_state state)
{
	unsigned legal = STATES[s->state].next | TO(CLOSED);

	if (state == s->state) {
		return;
	}
	SP_ASSERT(s->state != SP__SMTPD_CLOSED && (legal & (1U << state)) != 0);
	sp_smtp_history_transition(&s->history, STATES[s->state].name,
	                           STATES[state].name);
	s->state = state;
}

struct sp_smtp_server_event *
sp__smtpd_event(struct sp_smtp_server *s, enum sp_smtp_server_event_type type)
{
	SP_ASSERT(s->event_count < SP__SMTPD_EVENTS_MAX);
	size_t i = (s->event_first + s->event_count) % SP__SMTPD_EVENTS_MAX;
	s->event_count++;
	s->events[i] = (struct sp_smtp_server_event){.type = type};
	return &s->events[i];
}

bool sp_smtp_server_next(struct sp_smtp_server *server,
                         struct sp_smtp_server_event *event_out)
{
	if (server->event_count == 0) {
		return false;
	}
	*event_out = server->events[server->event_first];
	server->event_first = (server->event_first + 1) % SP__SMTPD_EVENTS_MAX;
	server->event_count--;
	return true;
}

void sp__smtpd_reply(struct sp_smtp_server *s, unsigned code,
                     const char *enhanced, const char *text)
{
	int rc = sp_buf_printf(&s->out, "%u %s%s%s\r\n", code,
	                       enhanced ? enhanced : "", enhanced ? " " : "",
	                       text);

	SP_ASSERT(rc == 0);
	sp_smtp_history_reply(&s->history, STATES[s->state].name, code,
	                      sp_str_from(text));
	s->errors += code / 100 == 5;
}

void sp__smtpd_abort(struct sp_smtp_server *s, const char *why)
{
	if (s->tx.begun) {
		s->tx.begun = false;
		sp__smtpd_event(s, SP_SMTP_SERVER_MESSAGE_ABORT)->why = why;
	}
}

static void tx_free(struct sp__smtpd_tx *tx)
{
	SP_FREE(&tx->rcpts);
	sp_arena_fini(&tx->arena);
	*tx = (struct sp__smtpd_tx){0};
	sp_arena_init(&tx->arena);
}

void sp__smtpd_tx_end(struct sp_smtp_server *s, const char *why)
{
	sp__smtpd_abort(s, why);
	tx_free(&s->tx);
}

/* The transaction itself stays until free: the driver may still be looking
 * at the envelope of a message that waits for its answer. */
void sp__smtpd_close(struct sp_smtp_server *s,
                     enum sp_smtp_server_event_type type, const char *why)
{
	if (s->state == SP__SMTPD_CLOSED) {
		return;
	}
	sp__smtpd_abort(s, why);
	sp__smtpd_event(s, type)->why = why;
	sp__smtpd_goto(s, SP__SMTPD_CLOSED);
}

/* Input. */

static void after_command(struct sp_smtp_server *s)
{
	if (s->state != SP__SMTPD_CLOSED && s->errors > s->conf.errors_max) {
		sp__smtpd_reply(s, 421, "4.7.0", "too many errors, closing");
		sp__smtpd_close(s, SP_SMTP_SERVER_CLOSE, "too-many-errors");
	}
}

static void line_complete(struct sp_smtp_server *s)
{
	struct sp_str line = sp_buf_str(&s->line);
	struct sp_command_answer bad = sp_command_answer(SP_COMMAND_LINE_LONG);

	if (s->line_long) {
		sp__smtpd_reply(s, bad.code, bad.enhanced, bad.text);
	} else if (line.len == 0 || line.ptr[line.len - 1] != '\r') {
		sp__smtpd_reply(s, 500, "5.5.2", "line does not end in CRLF");
	} else {
		sp__smtpd_command(s, sp_str_sub(line, 0, line.len - 1));
	}
	sp_buf_reset(&s->line);
	s->line_long = false;
	after_command(s);
}

static void line_feed(struct sp_smtp_server *s, struct sp_str *input)
{
	size_t lf = sp_str_find(*input, '\n');
	struct sp_str part = sp_str_sub(*input, 0, lf);
	bool complete = lf < input->len;

	*input = sp_str_sub(*input, lf + (complete ? 1 : 0), input->len);
	if (s->line_long || part.len > sp_buf_room(&s->line)) {
		s->line_long = true;
	} else {
		(void)sp_buf_append_str(&s->line, part);
	}
	if (complete) {
		s->behind = input->len;
		line_complete(s);
	}
}

bool sp_smtp_server_wants_input(const struct sp_smtp_server *server)
{
	const struct sp_smtp_server *s = server;
	bool reads = STATES[s->state].reads_lines ||
	             s->state == SP__SMTPD_DATA || s->state == SP__SMTPD_CHUNK;

	return reads && !s->held && s->event_count == 0 &&
	       sp_buf_room(&s->out) >= SP__SMTPD_REPLY_MAX;
}

void sp_smtp_server_feed(struct sp_smtp_server *server, struct sp_str *input)
{
	struct sp_smtp_server *s = server;

	if (s->state == SP__SMTPD_TLS && input->len > 0) {
		sp__smtpd_close(s, SP_SMTP_SERVER_CLOSE, "starttls-garbage");
	}
	while (input->len > 0 && sp_smtp_server_wants_input(s)) {
		sp_buf_reset(&s->body);
		if (s->state == SP__SMTPD_DATA) {
			sp__smtpd_data_feed(s, input);
		} else if (s->state == SP__SMTPD_CHUNK) {
			sp__smtpd_chunk_feed(s, input);
		} else {
			line_feed(s, input);
		}
	}
}

/* The driver's side. */

void sp_smtp_server_conf_init(struct sp_smtp_server_conf *conf)
{
	*conf = (struct sp_smtp_server_conf){
		.hostname = SP_STR("localhost"),
		.size_max_bytes = (uint64_t)50 << 20,
		.rcpt_max = SP_ENVELOPE_RCPT_MAX,
		.errors_max = 20,
		.received_max = 100,
		.line_max_bytes = 998,
	};
}

static void greet(struct sp_smtp_server *s)
{
	struct sp_buf text;

	if (s->conf.refuse) {
		sp__smtpd_reply(s, 550, "5.7.1", "client not accepted here");
		sp__smtpd_close(s, SP_SMTP_SERVER_CLOSE, "refused");
		return;
	}
	sp_buf_init(&text, SP__SMTPD_TEXT_MAX);
	(void)sp_buf_printf(&text, "%s ESMTP Sealpost", s->hostname);
	char *greeting = sp_buf_take(&text);
	sp__smtpd_reply(s, 220, NULL, greeting);
	SP_FREE(&greeting);
	sp_buf_fini(&text);
}

struct sp_smtp_server *
sp_smtp_server_new(const struct sp_smtp_server_conf *conf)
{
	struct sp_smtp_server *s = SP_NEW(struct sp_smtp_server);

	SP_ASSERT(conf->hostname.len > 0 &&
	          conf->hostname.len <= SP_COMMAND_NAME_MAX);
	SP_ASSERT(conf->rcpt_max > 0 && conf->rcpt_max <= SP_ENVELOPE_RCPT_MAX);
	s->conf = *conf;
	s->hostname = sp_str_dup(conf->hostname);
	s->client = sp_str_dup(conf->client);
	s->conf.hostname = sp_str_from(s->hostname);
	s->conf.client = sp_str_from(s->client);
	s->tls = conf->tls;
	sp_buf_init(&s->line, SP_COMMAND_LINE_MAX + 1);
	sp_buf_init(&s->out, SP__SMTPD_OUTPUT_MAX);
	sp_buf_init(&s->body, SP__SMTPD_BODY_MAX);
	sp_arena_init(&s->tx.arena);
	greet(s);
	return s;
}

void sp_smtp_server_free(struct sp_smtp_server **server)
{
	struct sp_smtp_server *s = *server;

	if (!s) {
		return;
	}
	tx_free(&s->tx);
	sp_smtp_history_fini(&s->history);
	sp_buf_fini(&s->line);
	sp_buf_fini(&s->out);
	sp_buf_fini(&s->body);
	SP_FREE(&s->hostname);
	SP_FREE(&s->client);
	SP_FREE(server);
}

struct sp_buf *sp_smtp_server_output(struct sp_smtp_server *server)
{
	return &server->out;
}

void sp_smtp_server_hold(struct sp_smtp_server *server, bool held)
{
	server->held = held;
}

void sp_smtp_server_tls_started(struct sp_smtp_server *server)
{
	SP_ASSERT(server->state == SP__SMTPD_TLS);
	SP_ASSERT(sp_buf_len(&server->out) == 0);
	server->tls = true;
	server->esmtp = false;
	server->helo[0] = '\0';
	sp_buf_reset(&server->line);
	sp__smtpd_goto(server, SP__SMTPD_START);
}

void sp_smtp_server_shut(struct sp_smtp_server *server, const char *enhanced,
                         const char *text)
{
	/* between 220 and the handshake nothing may be said in clear */
	if (server->state != SP__SMTPD_CLOSED &&
	    server->state != SP__SMTPD_TLS) {
		sp__smtpd_reply(server, 421, enhanced, text);
	}
	sp__smtpd_close(server, SP_SMTP_SERVER_CLOSE, "shut");
}

void sp_smtp_server_lost(struct sp_smtp_server *server)
{
	sp__smtpd_close(server, SP_SMTP_SERVER_CLOSE, "lost");
}

/* What the owner of a session may look at. */

bool sp_smtp_server_is_tls(const struct sp_smtp_server *server)
{
	return server->tls;
}

bool sp_smtp_server_reads_command(const struct sp_smtp_server *server)
{
	return STATES[server->state].reads_lines;
}

bool sp_smtp_server_is_idle(const struct sp_smtp_server *server)
{
	return server->state == SP__SMTPD_START ||
	       server->state == SP__SMTPD_READY;
}

const char *sp_smtp_server_with(const struct sp_smtp_server *server)
{
	if (server->tx.envelope.smtputf8) {
		return server->tls ? "UTF8SMTPS" : "UTF8SMTP";
	}
	if (!server->esmtp) {
		return "SMTP";
	}
	return server->tls ? "ESMTPS" : "ESMTP";
}

struct sp_str sp_smtp_server_helo(const struct sp_smtp_server *server)
{
	return sp_str_from(server->helo);
}

const char *sp_smtp_server_state(const struct sp_smtp_server *server)
{
	return STATES[server->state].name;
}

const struct sp_smtp_history *
sp_smtp_server_history(const struct sp_smtp_server *server)
{
	return &server->history;
}
