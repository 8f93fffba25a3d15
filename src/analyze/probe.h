/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_PROBE_H
#define SP_ANALYZE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "deliver/dial.h"
#include "net/loop.h"
#include "policy/mxplan.h"
#include "policy/verdict.h"
#include "smtp/client.h"

/*
 * One address of a host looked at as delivery would do it: its dial, under
 * the host's rule and the configured profile, to the point where a message
 * could be sent. There MAIL and RCPT of the envelopes that were asked for
 * are tried, each ended by RSET and never by DATA; at the end always QUIT,
 * where one can be said.
 *
 * Asked for one key algorithm only, the connection is for looking at that
 * key: a server that has none is no failure of delivery.
 *
 * Nothing is waived: log-only mode and exceptions do not count here.
 */

#define SP_PROBE_ENVELOPES_MAX 4

struct sp_probe_envelope {
	struct sp_str sender; /* empty: the null sender */
	struct sp_str recipient;
};

struct sp_probe_ask { /* borrowed for the probe's life */
	struct sp_loop *loop;
	const struct sp_conf *conf;
	struct sp_str domain; /* for texts */
	uint16_t port;
	const struct sp_plan_host *host; /* not one to skip */
	const struct sp_plan_address *address;
	enum sp_key_algorithm only;
	const struct sp_probe_envelope *envelopes; /* in this order */
	size_t envelope_count;                     /* up to the limit above */
};

/* What the peer said to an envelope; code 0: it was not asked, or the session
 * ended before. Texts are peer bytes. */
struct sp_probe_said {
	struct sp_reply mail;
	struct sp_reply rcpt;
	bool accepted;
	enum sp_smtp_need need; /* not NONE: nothing was asked */
};

struct sp_probe_result {
	const struct sp_dial_facts *facts;
	bool ready;                /* a message could have been sent */
	struct sp_verdict verdict; /* of delivery; class DELIVERED: ready */
	struct sp_verdict broke;   /* behind that, of a session that broke off
	                            * without a reply; class DELIVERED: none */
	/* The same facts under each of the two profiles: */
	struct sp_verdict rfc;
	struct sp_verdict exchange;
	const struct sp_probe_said *said;
	size_t said_count;
};

/* What a profile says of a handshake with a host; class DELIVERED: it passes.
 * Nothing more is asked for. Strings in the arena, or in facts. */
struct sp_verdict sp_probe_judge(enum sp_profile profile,
                                 const struct sp_plan_host *host,
                                 const struct sp_tls_facts *facts,
                                 struct sp_arena *arena);

struct sp_probe;

/* Once, never from inside sp_probe_new; the probe may be freed in it. */
typedef void sp_probe_fn(void *arg);

struct sp_probe *sp_probe_new(const struct sp_probe_ask *ask, sp_probe_fn *fn,
                              void *arg);
/* Before it is done: closes at once. */
void sp_probe_free(struct sp_probe **probe);

/* Once done; as long as the probe. */
const struct sp_probe_result *sp_probe_result(const struct sp_probe *probe);

#endif
