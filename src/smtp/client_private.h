/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_SMTP_CLIENT_PRIVATE_H
#define SP_SMTP_CLIENT_PRIVATE_H

#include "base/list.h"
#include "base/mem.h"
#include "smtp/client.h"
#include "smtp/data.h"

/*
 * Shared by client.c (session, events), client_command.c (the commands and
 * what their replies do), client_message.c (one transaction) and
 * client_caps.c. Nobody else includes it.
 */

#define SP__SMTP_OUTPUT_MAX  65536
#define SP__SMTP_COMMAND_MAX 4096 /* room asked for before one is written */
#define SP__SMTP_HOST_MAX    255
#define SP__SMTP_PATH_MAX    512
#define SP__SMTP_TEXT_MAX    4096 /* kept of greeting and EHLO reply */

struct sp__smtp_command;

/* One kind of command: how it is written and who reads its reply. */
struct sp__smtp_kind {
	const char *name;
	enum sp_smtp_stage stage;
	bool ends_group; /* RFC 2920 3.1: nothing is sent behind it before
	                  * its reply */
	/* null: something else puts the bytes out (greeting, body) */
	void (*format)(struct sp_smtp_client *c,
	               const struct sp__smtp_command *cmd, struct sp_buf *out);
	void (*on_reply)(struct sp_smtp_client *c,
	                 const struct sp__smtp_command *cmd,
	                 const struct sp_reply *reply);
};

struct sp__smtp_command {
	struct sp_list node; /* in unsent or waiting */
	const struct sp__smtp_kind *kind;
	size_t rcpt;      /* index, RCPT only */
	uint64_t out_end; /* count of output bytes at its last byte */
};

struct sp__smtp_event {
	struct sp_list node;
	struct sp_smtp_client_event event;
	char *text; /* owned; what event.reply.text points to */
};

struct sp_smtp_client {
	char *hostname; /* owned */
	bool helo_fallback;
	bool no_pipelining;
	bool keep_texts;
	char *greeting; /* owned; with keep_texts */
	char *hello;

	enum sp_smtp_stage stage;
	bool refused; /* greeting or EHLO refused: only QUIT is left */
	bool tls;
	struct sp_smtp_caps caps;
	char host[SP__SMTP_HOST_MAX + 1]; /* of the EHLO reply */

	struct sp_reply_parser parser;
	struct sp_buf out;
	uint64_t out_total;     /* bytes ever appended to out */
	struct sp_list unsent;  /* of sp__smtp_command */
	struct sp_list waiting; /* sent, reply outstanding, oldest first */
	struct sp_list events;  /* of sp__smtp_event */
	struct sp__smtp_event *shown; /* last given out; owned */

	/* the open transaction */
	bool open;                     /* between send and MESSAGE_DONE */
	struct sp_smtp_transaction tx; /* what it points to is borrowed */
	struct sp_arena arena;         /* results, replies, xtext */
	struct sp_smtp_result result;  /* arena */
	bool utf8;                     /* MAIL has SMTPUTF8 */
	struct sp_str sender;          /* as it is said to the peer; arena */
	struct sp_str *paths;          /* of the recipients, likewise */
	size_t accepted;               /* recipients */
	bool mail_ok;
	bool data_queued; /* DATA or body asked for; of a probe: its RSET */
	bool body_open;   /* WANT_BODY given, last not yet seen */
	bool bdat;
	bool dirty; /* the peer holds an unfinished transaction */
	struct sp_smtp_data_encoder encoder;
	struct sp_buf chunk; /* BDAT only */

	struct sp_smtp_history history;
};

/* client.c */
struct sp_smtp_client_event *sp__smtp_event(struct sp_smtp_client *c,
                                            enum sp_smtp_client_event_type type,
                                            const struct sp_reply *reply);
void sp__smtp_queue(struct sp_smtp_client *c, const struct sp__smtp_kind *kind,
                    size_t rcpt);
/* As sent by somebody else: the bytes are in out already. */
void sp__smtp_queue_sent(struct sp_smtp_client *c,
                         const struct sp__smtp_kind *kind);
void sp__smtp_unqueue(struct sp_smtp_client *c); /* drop what is unsent */
void sp__smtp_put(struct sp_smtp_client *c, struct sp_str bytes);
bool sp__smtp_pipelining(const struct sp_smtp_client *c);
void sp__smtp_goto(struct sp_smtp_client *c, enum sp_smtp_stage stage);
void sp__smtp_update_stage(struct sp_smtp_client *c);
void sp__smtp_protocol_error(struct sp_smtp_client *c, const char *why);
void sp__smtp_end(struct sp_smtp_client *c, const struct sp_reply *reply);

/* client_address.c: what is said of addresses to a peer with these caps. Sets
 * utf8, sender, paths, and the needs of the result. */
void sp__smtp_address(struct sp_smtp_client *c);

/* client_caps.c: the text of a 250 to EHLO */
void sp__smtp_caps_parse(struct sp_str text, struct sp_smtp_caps *caps_out,
                         struct sp_str *host_out);

/* client_command.c */
extern const struct sp__smtp_kind SP__SMTP_GREETING, SP__SMTP_EHLO,
	SP__SMTP_HELO, SP__SMTP_STARTTLS, SP__SMTP_MAIL, SP__SMTP_RCPT,
	SP__SMTP_DATA, SP__SMTP_DOT, SP__SMTP_BDAT, SP__SMTP_BDAT_LAST,
	SP__SMTP_RSET, SP__SMTP_RSET_FIRST, SP__SMTP_QUIT;

/* client_message.c */
void sp__smtp_on_mail(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd,
                      const struct sp_reply *reply);
void sp__smtp_on_rcpt(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd,
                      const struct sp_reply *reply);
void sp__smtp_on_data(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd,
                      const struct sp_reply *reply);
void sp__smtp_on_dot(struct sp_smtp_client *c,
                     const struct sp__smtp_command *cmd,
                     const struct sp_reply *reply);
void sp__smtp_on_bdat(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd,
                      const struct sp_reply *reply);
/* A reply while the body is on its way and no command waits for one. */
void sp__smtp_on_early_reply(struct sp_smtp_client *c,
                             const struct sp_reply *reply);
/* Go on or finish once nothing is outstanding. */
void sp__smtp_message_advance(struct sp_smtp_client *c);
/* The session ends: undecided recipients get this reply (null: none). */
void sp__smtp_message_end(struct sp_smtp_client *c,
                          const struct sp_reply *reply);

#endif
