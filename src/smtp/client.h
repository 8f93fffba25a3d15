/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_SMTP_CLIENT_H
#define SP_SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "smtp/history.h"
#include "wire/envelope.h"
#include "wire/reply.h"

/*
 * The client side of an SMTP session (RFC 5321, 2920, 3030, 3207, 3461,
 * 6152, 6531, 8689) without any I/O. The driver owns socket, TLS and timers:
 *
 *	feed bytes that came  ->  pull events until there are none
 *	                      ->  write and consume sp_smtp_client_output
 *
 * in this order, after every call to the session. No function calls back.
 * Nothing learnt before sp_smtp_client_tls_started survives it.
 */

struct sp_smtp_client;

struct sp_smtp_client_conf {
	struct sp_str hostname; /* EHLO argument; copied */
	/* HELO after a refused EHLO: clear opportunistic sessions only. It is
	 * never tried inside TLS, whatever this says. */
	bool helo_fallback;
	bool no_pipelining; /* one command at a time, even where offered */
	bool keep_texts;    /* of greeting and EHLO reply, for those who look
	                     * closer than delivery does */
};

/* Extensions as bits of sp_smtp_caps.set. */
enum sp_smtp_cap {
	SP_SMTP_CAP_STARTTLS = 1 << 0,
	SP_SMTP_CAP_PIPELINING = 1 << 1,
	SP_SMTP_CAP_SIZE = 1 << 2,
	SP_SMTP_CAP_8BITMIME = 1 << 3,
	SP_SMTP_CAP_SMTPUTF8 = 1 << 4,
	SP_SMTP_CAP_DSN = 1 << 5,
	SP_SMTP_CAP_CHUNKING = 1 << 6,
	SP_SMTP_CAP_REQUIRETLS = 1 << 7,
	SP_SMTP_CAP_ENHANCEDSTATUSCODES = 1 << 8,
};

struct sp_smtp_caps {
	unsigned set;
	uint64_t size_max_bytes; /* of SIZE; 0: no limit stated */
	bool helo;               /* HELO was spoken: set is 0 */
};

/* What a message needs and the peer lacks (checked before MAIL is sent). */
enum sp_smtp_need {
	SP_SMTP_NEED_NONE,
	SP_SMTP_NEED_SIZE,     /* larger than the peer's SIZE */
	SP_SMTP_NEED_8BITMIME, /* 8-bit body, no 8BITMIME (RFC 6152 3) */
	SP_SMTP_NEED_SMTPUTF8, /* RFC 6531 3.1: for the header or for a local
	                        * part; a domain goes as A-labels instead */
	SP_SMTP_NEED_REQUIRETLS,
};

/* Where the session waits; names the timer the driver has to run. */
enum sp_smtp_stage {
	SP_SMTP_STAGE_GREETING,
	SP_SMTP_STAGE_EHLO,
	SP_SMTP_STAGE_STARTTLS,
	SP_SMTP_STAGE_TLS,  /* handshake: the driver's own */
	SP_SMTP_STAGE_IDLE, /* nothing outstanding; the driver's turn */
	SP_SMTP_STAGE_MAIL,
	SP_SMTP_STAGE_RCPT,
	SP_SMTP_STAGE_DATA_INIT,
	SP_SMTP_STAGE_DATA_BLOCK,
	SP_SMTP_STAGE_DATA_DONE,
	SP_SMTP_STAGE_RSET,
	SP_SMTP_STAGE_QUIT,
	SP_SMTP_STAGE_CLOSED,
};
#define SP_SMTP_STAGE_COUNT (SP_SMTP_STAGE_CLOSED + 1)

/* "greeting", "ehlo", "data-init", ... static. */
const char *sp_smtp_stage_name(enum sp_smtp_stage stage);
/* The timeout RFC 5321 4.5.3.2 asks for; -1 where it has none (TLS, idle,
 * closed). */
int64_t sp_smtp_stage_timeout_ms(enum sp_smtp_stage stage);

/* A message to send. All it points to is borrowed until its MESSAGE_DONE. */
struct sp_smtp_transaction {
	struct sp_str sender; /* without brackets; empty: null sender */
	struct sp_str envid;  /* decoded; sent only to DSN peers */
	enum sp_ret ret;
	const struct sp_envelope_rcpt *rcpts; /* at least one */
	size_t rcpt_count;
	uint64_t size_bytes; /* of the body in CRLF form; 0: not known */
	bool body_8bit;
	bool smtputf8;   /* its header has UTF-8 (RFC 6532); whether addresses
	                  * have is seen here */
	bool requiretls; /* demanded; with a null sender: where offered */
	bool chunking;   /* BDAT instead of DATA where offered */
	bool probe;      /* RSET follows the last RCPT: no message is sent,
	                  * and every reply is kept */
};

#define SP_SMTP_REPLY_KEEP_MAX 1024 /* text kept of each reply */

struct sp_smtp_rcpt_result {
	/* The reply that decides for this recipient: to MAIL, RCPT, DATA or
	 * the end of data; of a probe also the one that accepts. code 0: the
	 * session ended without one. Text is owned by the session, raw peer
	 * bytes. */
	struct sp_reply reply;
	/* MAIL, RCPT, DATA_INIT, DATA_DONE; by a 421 that ended the session:
	 * where that was; without a reply it means nothing */
	enum sp_smtp_stage stage;
	/* Not NONE: the peer lacks what this recipient needs, and was not
	 * told of it. */
	enum sp_smtp_need need;
	bool accepted;  /* RCPT was accepted */
	bool delivered; /* and the end of data too */
};

struct sp_smtp_result {
	struct sp_smtp_rcpt_result *rcpts;
	size_t rcpt_count;
	struct sp_reply final;  /* to the end of data; code 0: none */
	struct sp_reply mail;   /* of a probe: the reply to MAIL */
	enum sp_smtp_need need; /* not NONE: nothing was sent; the message
	                         * needs it, or every recipient does */
	/* The end of data was handed out: without a final reply the peer may
	 * or may not have the message. */
	bool end_sent;
	bool dsn; /* DSN parameters were passed on */
};

enum sp_smtp_client_event_type {
	SP_SMTP_CLIENT_READY,            /* caps, host: EHLO done */
	SP_SMTP_CLIENT_GREETING_REFUSED, /* reply; quit or close */
	SP_SMTP_CLIENT_EHLO_REFUSED,     /* reply; quit or close */
	SP_SMTP_CLIENT_STARTTLS_READY,   /* 220, and nothing behind it */
	SP_SMTP_CLIENT_STARTTLS_REFUSED, /* reply; the session goes on clear:
	                                  * whether to is the driver's choice */
	SP_SMTP_CLIENT_STARTTLS_GARBAGE, /* bytes behind the 220, or no SMTP
	                                  * reply to STARTTLS: closed */
	SP_SMTP_CLIENT_RCPT,             /* rcpt, reply */
	SP_SMTP_CLIENT_WANT_BODY,        /* call sp_smtp_client_body */
	SP_SMTP_CLIENT_MESSAGE_DONE,     /* result; exactly one per send */
	SP_SMTP_CLIENT_RESET_DONE,       /* reply to the driver's RSET */
	SP_SMTP_CLIENT_PROTOCOL_ERROR,   /* why; closed */
	/* reply: 421, or code 0: lost. Comes after what the 421 answered:
	 * GREETING_REFUSED, MESSAGE_DONE, ... */
	SP_SMTP_CLIENT_CLOSED,
	SP_SMTP_CLIENT_QUIT_DONE, /* close the connection */
};

/* Pointers are valid until the next call of next, send or free. */
struct sp_smtp_client_event {
	enum sp_smtp_client_event_type type;
	struct sp_smtp_caps caps;
	struct sp_str host; /* the name in the EHLO reply, peer bytes */
	struct sp_reply reply;
	size_t rcpt;     /* index */
	const char *why; /* static */
	const struct sp_smtp_result *result;
};

struct sp_smtp_client *
sp_smtp_client_new(const struct sp_smtp_client_conf *conf);
void sp_smtp_client_free(struct sp_smtp_client **client);

/* Consume bytes of the peer; input is advanced. All is consumed except
 * behind the 220 to STARTTLS and after the end of the session. */
void sp_smtp_client_feed(struct sp_smtp_client *client, struct sp_str *input);
/* The connection ended, timed out or failed: an open message gets its
 * MESSAGE_DONE, then CLOSED comes. */
void sp_smtp_client_lost(struct sp_smtp_client *client);
/* Bytes to write; the driver consumes what it has taken. */
struct sp_buf *sp_smtp_client_output(struct sp_smtp_client *client);
/* True while there was an event. READY, STARTTLS_READY and WANT_BODY come
 * only while the session lives, so the call they invite to is legal. */
bool sp_smtp_client_next(struct sp_smtp_client *client,
                         struct sp_smtp_client_event *event_out);

/* The driver's turn: stage is IDLE, else SP_EBUSY (SP_ECLOSED when over).
 * starttls before READY offered it is SP_EUNSUPPORTED. */
int sp_smtp_client_starttls(struct sp_smtp_client *client);
void sp_smtp_client_tls_started(struct sp_smtp_client *client); /* EHLO anew */
/* A transaction; an RSET goes before it where the last one was left open.
 * Unmet needs give MESSAGE_DONE with result->need and send nothing.
 * SP_ESYNTAX: a control character in an address or parameter, or one too
 * long; nothing is sent and no event comes. */
int sp_smtp_client_send(struct sp_smtp_client *client,
                        const struct sp_smtp_transaction *transaction);
int sp_smtp_client_reset(struct sp_smtp_client *client);
/* Also after GREETING_REFUSED and EHLO_REFUSED. */
int sp_smtp_client_quit(struct sp_smtp_client *client);
/* In place of tls_started, to one that the driver will not go on with: QUIT
 * is all that is said inside TLS. SP_EBUSY: no handshake was due. */
int sp_smtp_client_tls_quit(struct sp_smtp_client *client);

/* Raw body bytes that body() takes now; 0 before WANT_BODY, while the
 * output is full, and when the peer has refused (a reply can come before
 * the body is complete: stop when room stays 0 and MESSAGE_DONE came). */
size_t sp_smtp_client_body_room(const struct sp_smtp_client *client);
/* Lines may end in LF or CRLF; a bare CR becomes a blank. last: the message
 * is complete. SP_ELIMIT: more than the room; SP_EBUSY: not wanted. */
int sp_smtp_client_body(struct sp_smtp_client *client, struct sp_str bytes,
                        bool last);

enum sp_smtp_stage sp_smtp_client_stage(const struct sp_smtp_client *client);
const struct sp_smtp_caps *
sp_smtp_client_caps(const struct sp_smtp_client *client);
const struct sp_smtp_history *
sp_smtp_client_history(const struct sp_smtp_client *client);
enum sp_smtp_need
sp_smtp_need_check(const struct sp_smtp_caps *caps,
                   const struct sp_smtp_transaction *transaction);
const char *sp_smtp_need_name(enum sp_smtp_need need);
/* With keep_texts: what the greeting said, and the last reply to EHLO or HELO,
 * a line of it per line; raw peer bytes, owned by the session. */
struct sp_str sp_smtp_client_greeting(const struct sp_smtp_client *client);
struct sp_str sp_smtp_client_hello(const struct sp_smtp_client *client);

#endif
