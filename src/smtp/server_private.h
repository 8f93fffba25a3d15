/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_SMTP_SERVER_PRIVATE_H
#define SP_SMTP_SERVER_PRIVATE_H

#include "base/mem.h"
#include "smtp/data.h"
#include "smtp/server.h"
#include "wire/command.h"
#include "wire/header.h"

/*
 * Shared by server.c (session, input, events), server_command.c (the command
 * table) and server_data.c (message data). Nobody else includes it.
 */

#define SP__SMTPD_OUTPUT_MAX 32768
#define SP__SMTPD_REPLY_MAX  2048 /* room asked for before a command is read */
#define SP__SMTPD_BODY_MAX   65536
#define SP__SMTPD_TEXT_MAX   400 /* of one reply */
#define SP__SMTPD_EVENTS_MAX 4   /* queued at once */

enum sp__smtpd_state {
	SP__SMTPD_START,      /* no HELO or EHLO yet */
	SP__SMTPD_READY,      /* no transaction */
	SP__SMTPD_MAIL,       /* sender accepted */
	SP__SMTPD_RCPT,       /* and a recipient */
	SP__SMTPD_DATA,       /* reading to CRLF.CRLF */
	SP__SMTPD_CHUNK,      /* reading the bytes of a BDAT */
	SP__SMTPD_CHUNK_NEXT, /* between chunks */
	SP__SMTPD_CHUNK_BAD,  /* a chunk was refused; so are the others */
	SP__SMTPD_ANSWER,     /* the driver's answer is awaited */
	SP__SMTPD_TLS,        /* 220 to STARTTLS is given */
	SP__SMTPD_CLOSED,
};
#define SP__SMTPD_STATE_COUNT (SP__SMTPD_CLOSED + 1)

/* The answer to a message: ours, where something is wrong with it and the
 * end of data is awaited, or the driver's. code 0: none. */
struct sp__smtpd_answer {
	unsigned code;
	char enhanced[12];
	char text[SP__SMTPD_TEXT_MAX + 1];
};

/* One transaction: made by MAIL, gone by sp__smtpd_tx_end on every way. */
struct sp__smtpd_tx {
	struct sp_arena arena; /* all strings */
	struct sp_envelope envelope;
	struct sp_envelope_rcpt *rcpts; /* owned; envelope.rcpts */
	size_t rcpt_cap;
	bool declared_8bit;
	bool begun; /* MESSAGE_BEGIN given, neither END nor ABORT yet */
	struct sp_smtp_data_decoder decoder;
	struct sp_header_scan header;
	struct sp_smtp_message message;
	struct sp__smtpd_answer answer;
};

struct sp_smtp_server {
	struct sp_smtp_server_conf conf; /* strings point to the next two */
	char *hostname;                  /* owned */
	char *client;                    /* owned */

	enum sp__smtpd_state state;
	bool tls;
	bool esmtp; /* EHLO, not HELO */
	bool held;
	char helo[SP_COMMAND_NAME_MAX + 1];
	unsigned errors;

	struct sp_buf line; /* a command line that is not complete */
	bool line_long;     /* the rest of it is dropped */
	size_t behind;      /* bytes of input behind the current line */
	struct sp_buf out;
	struct sp_buf body; /* of the BODY event that was given out last */
	struct sp_smtp_server_event events[SP__SMTPD_EVENTS_MAX];
	size_t event_first, event_count;

	uint64_t chunk_left; /* of the current BDAT */
	bool chunk_last;
	bool chunk_dropped;              /* read and thrown away */
	enum sp__smtpd_state chunk_back; /* where its BDAT came */

	struct sp__smtpd_tx tx;
	struct sp_smtp_history history;
};

/* server.c */
void sp__smtpd_goto(struct sp_smtp_server *s, enum sp__smtpd_state state);
struct sp_smtp_server_event *
sp__smtpd_event(struct sp_smtp_server *s, enum sp_smtp_server_event_type type);
/* One line: "250 2.1.0 ok"; enhanced may be null. 5xx count as errors. */
void sp__smtpd_reply(struct sp_smtp_server *s, unsigned code,
                     const char *enhanced, const char *text);
void sp__smtpd_close(struct sp_smtp_server *s,
                     enum sp_smtp_server_event_type type, const char *why);
/* An open message is aborted; else nothing happens. */
void sp__smtpd_abort(struct sp_smtp_server *s, const char *why);
/* The transaction is over; an open message is aborted. */
void sp__smtpd_tx_end(struct sp_smtp_server *s, const char *why);

/* server_command.c */
void sp__smtpd_command(struct sp_smtp_server *s, struct sp_str line);

/* server_data.c */
void sp__smtpd_data_start(struct sp_smtp_server *s, bool dots);
void sp__smtpd_chunk_start(struct sp_smtp_server *s,
                           const struct sp_command *command);
void sp__smtpd_data_feed(struct sp_smtp_server *s, struct sp_str *input);
void sp__smtpd_chunk_feed(struct sp_smtp_server *s, struct sp_str *input);

#endif
