/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_SMTP_SERVER_H
#define SP_SMTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "smtp/history.h"
#include "wire/address.h"
#include "wire/envelope.h"

/*
 * The server side of an SMTP session (RFC 5321, 1870, 2034, 2920, 3030,
 * 3207, 3461, 6152, 6531, 8689) without any I/O. The driver's loop:
 *
 *	do {
 *		sp_smtp_server_feed(s, &input);
 *		while (sp_smtp_server_next(s, &event))
 *			handle it;
 *	} while (input.len > 0 && sp_smtp_server_wants_input(s));
 *	write and consume sp_smtp_server_output(s);
 *
 * feed stops at every event, while the driver holds the session, while a
 * message waits for its answer and while the output is full; what it left in
 * input is fed again later. Every MESSAGE_BEGIN is followed by BODY events
 * and exactly one of MESSAGE_END and MESSAGE_ABORT. After CLOSE or QUIT the
 * driver flushes the output and closes.
 */

struct sp_smtp_server;

/* A refusal, in static strings: 550, "5.1.1", "no such user". */
struct sp_smtp_answer {
	unsigned code;
	const char *enhanced;
	const char *text;
};

/* Decisions of the owner; pure, at once, and without the session. True
 * accepts; false needs answer_out filled. A null function accepts. */
struct sp_smtp_server_ops {
	bool (*mail)(void *arg, const struct sp_address *sender,
	             struct sp_smtp_answer *answer_out);
	/* domain: lower-case A-labels */
	bool (*rcpt)(void *arg, const struct sp_address *rcpt,
	             struct sp_str domain, struct sp_smtp_answer *answer_out);
};

struct sp_smtp_server_conf {
	struct sp_str hostname;  /* copied */
	struct sp_str client;    /* address of the client, for the envelope;
	                          * copied */
	uint64_t size_max_bytes; /* of a message; 0: no limit */
	size_t rcpt_max;         /* at most SP_ENVELOPE_RCPT_MAX */
	unsigned errors_max;     /* 5xx replies, then 421 */
	unsigned received_max;   /* Received fields; more are a loop */
	size_t line_max_bytes;   /* of message text, without CRLF */
	bool starttls;           /* offer it (never inside TLS) */
	bool tls;                /* TLS is up from the first byte */
	bool refuse;             /* 550 5.7.1 instead of a greeting */
	bool bdat_normalize;     /* BDAT data: a bare LF becomes CRLF, a bare
	                          * CR a blank, instead of an error */
	const struct sp_smtp_server_ops *ops; /* null: accept all */
	void *ops_arg;
};

/* The defaults: 50 MiB, 1000 recipients, 20 errors, 100 Received fields,
 * lines of 998 bytes (RFC 5321 4.5.3.1.6), nothing else set. */
void sp_smtp_server_conf_init(struct sp_smtp_server_conf *conf);

enum sp_smtp_server_event_type {
	/* 220 is in the output: write all of it, see that nothing was read
	 * behind, shake hands, then sp_smtp_server_tls_started. */
	SP_SMTP_SERVER_STARTTLS,
	SP_SMTP_SERVER_MESSAGE_BEGIN, /* envelope */
	SP_SMTP_SERVER_BODY,          /* bytes: CRLF lines, dots removed */
	SP_SMTP_SERVER_MESSAGE_END,   /* message: answer it */
	SP_SMTP_SERVER_MESSAGE_ABORT, /* why: drop what came; the session
	                               * answers by itself */
	SP_SMTP_SERVER_QUIT,
	SP_SMTP_SERVER_CLOSE, /* why */
};

struct sp_smtp_message {
	uint64_t size_bytes;
	bool body_8bit;            /* bytes above 127 were seen */
	bool body_8bit_undeclared; /* and BODY=8BITMIME was not given */
	unsigned received_count;
};

/* Pointers are valid until the next call of feed or next; envelope until the
 * message is answered or aborted. Its received_ms is left to the driver. */
struct sp_smtp_server_event {
	enum sp_smtp_server_event_type type;
	const struct sp_envelope *envelope;
	struct sp_str bytes;
	struct sp_smtp_message message;
	const char *why; /* static, one word: "too-large", "bare-lf", ... */
};

struct sp_smtp_server *
sp_smtp_server_new(const struct sp_smtp_server_conf *conf); /* greets */
void sp_smtp_server_free(struct sp_smtp_server **server);

void sp_smtp_server_feed(struct sp_smtp_server *server, struct sp_str *input);
struct sp_buf *sp_smtp_server_output(struct sp_smtp_server *server);
bool sp_smtp_server_next(struct sp_smtp_server *server,
                         struct sp_smtp_server_event *event_out);
/* False: feed would consume nothing now. */
bool sp_smtp_server_wants_input(const struct sp_smtp_server *server);

/* Backpressure: feed consumes nothing while held. */
void sp_smtp_server_hold(struct sp_smtp_server *server, bool held);
/* The answer to MESSAGE_END. Between MESSAGE_BEGIN and MESSAGE_END only a
 * refusal is legal: the rest of the message is dropped without BODY events,
 * MESSAGE_ABORT comes, and the refusal is sent at the end of data. text is
 * one line of printable ASCII. SP_EBUSY when no message is open. */
int sp_smtp_server_answer(struct sp_smtp_server *server, unsigned code,
                          const char *enhanced, const char *text);
/* RFC 3207 4.2: everything known of the client is forgotten. */
void sp_smtp_server_tls_started(struct sp_smtp_server *server);
/* The driver ends the session (timeout, shutdown): 421 and CLOSE. */
void sp_smtp_server_shut(struct sp_smtp_server *server, const char *enhanced,
                         const char *text);
/* The connection is gone: MESSAGE_ABORT where one is open, then CLOSE. */
void sp_smtp_server_lost(struct sp_smtp_server *server);

bool sp_smtp_server_is_tls(const struct sp_smtp_server *server);
/* True where the next bytes are of a command, not of a message. */
bool sp_smtp_server_reads_command(const struct sp_smtp_server *server);
/* True while no transaction is open: a good moment to shut. */
bool sp_smtp_server_is_idle(const struct sp_smtp_server *server);
/* "SMTP", "ESMTP", "ESMTPS", "UTF8SMTPS", ...: the keyword of Received
 * (RFC 3848, RFC 6531 4.3). */
const char *sp_smtp_server_with(const struct sp_smtp_server *server);
struct sp_str sp_smtp_server_helo(const struct sp_smtp_server *server);
const char *sp_smtp_server_state(const struct sp_smtp_server *server);
const struct sp_smtp_history *
sp_smtp_server_history(const struct sp_smtp_server *server);

#endif
