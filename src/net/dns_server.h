/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_DNS_SERVER_H
#define SP_NET_DNS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/dns_seen.h"
#include "net/loop.h"
#include "net/socket.h"

/*
 * One question to one name server, without recursion and with DO (RFC 4035
 * 3.2.1), past every cache and every validator: how the analyzer looks at
 * single servers of a zone. By UDP with an EDNS size of 1232 bytes, twice,
 * and by TCP where the answer was truncated. Only packets from that address
 * with the question's id and the question itself count.
 */

struct sp_dns_server_ask {
	struct sp_addr server; /* its port too */
	struct sp_str name;    /* form of wire/dns.h; borrowed for the call */
	uint16_t type;
	bool tcp;           /* from the start */
	int64_t timeout_ms; /* for everything together */
};

struct sp_dns_server_reply {
	int err;     /* 0: `seen` is what it said; SP_ETIMEOUT, SP_ECLOSED,
	              * SP_EPROTO (only what was no answer to us came), or an
	              * errno, negated */
	int tcp_err; /* the UDP answer was truncated, and TCP brought no
	              * better one for this reason; `seen` is the
	              * truncated one */
	bool by_tcp; /* `seen` came by TCP */
	int64_t elapsed_ms; /* until the answer, or its failure */
	struct sp_seen seen;
};

void sp_dns_server_reply_free(struct sp_dns_server_reply **reply);

/* The reply is handed over. Called once, never from inside _new; the asking
 * may be freed in it. */
typedef void sp_dns_server_fn(void *arg, struct sp_dns_server_reply *reply);

struct sp_dns_server;

struct sp_dns_server *sp_dns_server_new(struct sp_loop *loop,
                                        const struct sp_dns_server_ask *ask,
                                        sp_dns_server_fn *fn, void *arg);
void sp_dns_server_free(struct sp_dns_server **server); /* cancels */

#endif
