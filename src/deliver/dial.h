/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_DIAL_H
#define SP_DELIVER_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tls.h"
#include "policy/judge.h"
#include "policy/mxplan.h"
#include "smtp/client.h"
#include "wire/json.h"

/*
 * One connection to one address of a host, under the host's rule: connect,
 * greeting, EHLO, STARTTLS, authenticate, and then one message after another.
 * It joins three machines that don't know each other: the byte stream (net),
 * the SMTP session (smtp) and the judge (policy). What the judge says is
 * done; no decision is made here.
 *
 * RFC 5321 4.5.3.2 timeouts per stage; RFC 7672 and RFC 3207 rules by the
 * judge and the session machine.
 */

struct sp_dial_conf {
	struct sp_loop *loop;
	const struct sp_conf *conf; /* timeouts, hostname, source addresses;
	                             * borrowed for the dial's life */
	struct sp_str domain;       /* for texts; copied */
	uint16_t port;
	struct sp_judge_conf judge; /* now_ms is set by the dial */
	struct sp_list *lingering;  /* where dials wait that have said QUIT */
	/* For those who look closer than delivery does (analyze): greeting,
	 * EHLO reply and chain are kept, no TLS session is resumed, and no
	 * connection is left without QUIT where one can be said. */
	bool inspect;
	/* With it: a key of this algorithm and no other. A server that has
	 * none fails: neither clear text nor another key is tried. */
	enum sp_key_algorithm only;
};

enum sp_dial_event {
	SP_DIAL_READY,     /* under the rule: a message may be sent */
	SP_DIAL_WANT_BODY, /* the next chunk is wanted */
	SP_DIAL_SENT,      /* sp_dial_result */
	SP_DIAL_TAKEN,     /* all of the body: its bytes are not needed here */
	SP_DIAL_FAILED,    /* sp_dial_verdict says why; free it */
	SP_DIAL_GONE,      /* an idle connection has ended; free it */
};

struct sp_dial;

/* Never called from inside a call to the dial; it may be freed in it. */
typedef void sp_dial_fn(void *arg, enum sp_dial_event event);

/* What there is to tell of a connection. Strings live as long as the dial. */
struct sp_dial_facts {
	char address[SP_ADDR_TEXT]; /* without port */
	char local[SP_ADDR_TEXT];   /* ours; empty: not connected */
	uint16_t port;
	struct sp_str peer_name; /* its EHLO name */
	bool tls;
	struct sp_tls_facts tls_facts; /* when a handshake was tried */
	struct sp_json *tls_evidence;  /* of it: what the messages on a reused
	                                * connection share; null until then */
	struct sp_str tls_text;        /* of tls_evidence */
	bool handshake_tried;
	/* No record matched the key that the server showed first, and it was
	 * asked for one of the other kind. other_tls is the handshake that did
	 * not decide: the first, or, where it brought nothing, the second. */
	bool other_key;
	struct sp_tls_facts other_tls;
	bool clear_retry;                 /* after a failed handshake */
	bool failed_here;                 /* no way out to the address */
	struct sp_judge_result judgement; /* the last one */
	int64_t connect_ms;               /* durations; -1: not reached */
	int64_t greeting_ms;
	int64_t tls_ms;
	int64_t smtp_ms;   /* of the current or last message */
	uint64_t messages; /* sent before on this connection */
	/* With conf.inspect; peer bytes, the replies' lines by "\n": */
	struct sp_str greeting;
	struct sp_str hello;             /* to the last EHLO or HELO */
	bool starttls_offered;           /* in clear */
	struct sp_tls_chain chain;       /* of tls_facts */
	struct sp_tls_chain other_chain; /* of other_tls */
};

/* host is borrowed until READY or FAILED; the parts needed later are
 * copied. */
struct sp_dial *sp_dial_new(const struct sp_dial_conf *conf,
                            const struct sp_plan_host *host,
                            const struct sp_plan_address *address,
                            sp_dial_fn *fn, void *arg);
/* Closes at once, without QUIT. */
void sp_dial_free(struct sp_dial **dial);
/* Says QUIT and lets the connection end by itself; the caller is done with
 * it. */
void sp_dial_quit(struct sp_dial **dial);

/* Says QUIT and goes on being the owner's: GONE follows when the connection
 * has ended, after 5 s at most. False: QUIT can't be said any more, nothing
 * follows. After READY, SENT or FAILED; only to be freed then. */
bool sp_dial_part(struct sp_dial *dial);

/* Frees all that still linger (before the loop goes). */
void sp_dial_reap(struct sp_list *lingering);

/* A new owner for an idle connection. */
void sp_dial_adopt(struct sp_dial *dial, sp_dial_fn *fn, void *arg);

/* After READY or SENT. The transaction is borrowed until SENT or FAILED. */
void sp_dial_send(struct sp_dial *dial,
                  const struct sp_smtp_transaction *transaction);
/* After WANT_BODY: bytes are borrowed until the next WANT_BODY, SENT or
 * FAILED. last: nothing follows. */
void sp_dial_body(struct sp_dial *dial, struct sp_str bytes, bool last);

/* Others need the place: what has not come to DATA ends as though its time
 * was over, without a fall back to clear text. FAILED or SENT follows. */
void sp_dial_hurry(struct sp_dial *dial);

const struct sp_smtp_result *sp_dial_result(const struct sp_dial *dial);
/* After FAILED; and after SENT for recipients whose reply has code 0: why
 * the session ended without one. */
const struct sp_verdict *sp_dial_verdict(const struct sp_dial *dial);
const struct sp_dial_facts *sp_dial_facts(const struct sp_dial *dial);
/* Host, address, port, policy digest and how strictly it was judged: who may
 * reuse it. */
struct sp_str sp_dial_key(const struct sp_dial *dial);
/* Not one that only a filter has let through. */
bool sp_dial_reusable(const struct sp_dial *dial);
/* The end of data was handed out, its reply is awaited: to break off now
 * would make the peer's copy a duplicate. */
bool sp_dial_awaits_end(const struct sp_dial *dial);
/* The key that a connection to this host and address would have. */
char *sp_dial_make_key(const struct sp_plan_host *host,
                       const struct sp_plan_address *address, uint16_t port,
                       const struct sp_judge_conf *judge,
                       struct sp_arena *arena);

/* For `sealpost sessions`: stage, history of transitions and replies. */
struct sp_json *sp_dial_live(const struct sp_dial *dial);

#endif
