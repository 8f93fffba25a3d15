/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_FETCH_H
#define SP_NET_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/guard.h"
#include "net/loop.h"
#include "net/socket.h"

/*
 * One request over HTTPS to a server that a stranger has named: for policies
 * of MTA-STS (RFC 8461 3.3) and TLS reports (RFC 8460 5.4). It connects to
 * the addresses that the caller has resolved and to no others, verifies the
 * certificate for the name of the URL (WebPKI; DNS-ID only), follows no
 * redirects, uses no proxies, and takes no more bytes and time than it is
 * told.
 */

#define SP_FETCH_URL_MAX   2048 /* bytes */
#define SP_FETCH_HOST_MAX  253
#define SP_FETCH_TYPE_MAX  127 /* media type of an answer; the rest is cut */
#define SP_FETCH_WHY_MAX   600
#define SP_FETCH_ADDRS_MAX 8 /* tried of one host */

/* A URL taken apart, strings in the arena. */
struct sp_fetch_url {
	const char *text;   /* in its normal form */
	struct sp_str host; /* lower case; a domain name, never an address */
	uint16_t port;
};

/* https only, without user information; names of two labels or more, no
 * addresses. 0 or
 * SP_ESYNTAX with one line of reason in why_out (SP_FETCH_WHY_MAX bytes). */
int sp_fetch_url_parse(struct sp_str text, struct sp_arena *arena,
                       struct sp_fetch_url *url_out, char *why_out);

enum sp_fetch_status {
	SP_FETCH_ANSWERED, /* an answer of HTTP, whatever its code */
	SP_FETCH_FAILED,   /* none, or one over a limit */
	SP_FETCH_WEBPKI,   /* the server's certificate was not accepted */
};

/* Everything in it is borrowed for the call. */
struct sp_fetch_result {
	enum sp_fetch_status status;
	unsigned code;       /* of HTTP, with ANSWERED */
	struct sp_str type;  /* Content-Type as it came; may be empty */
	struct sp_str body;  /* with ANSWERED */
	struct sp_str why;   /* otherwise: one line that names host and,
	                      * where there was one, address; printable */
	struct sp_addr addr; /* of the last try; family 0: none */
};

typedef void sp_fetch_fn(void *arg, const struct sp_fetch_result *result);

struct sp_fetch_ask {
	const struct sp_fetch_url *url;
	const struct sp_addr *addrs; /* tried in this order */
	size_t addr_count;           /* more than the limit are ignored */
	bool head; /* only asks whether anybody is there: HEAD */
	bool post;
	const char *post_type; /* its Content-Type */
	struct sp_str body;    /* of the POST */
	size_t body_max;       /* bytes of the answer; more is FAILED */
	int64_t timeout_ms;    /* for all of it */
};

struct sp_fetcher;

/* Makes the process ignore SIGPIPE. The bundle of roots is a PEM file; empty:
 * the system's. The guard is looked at once more for each address when it is
 * connected to; it is copied. */
struct sp_fetcher *sp_fetcher_new(struct sp_loop *loop, const char *ca_bundle,
                                  const struct sp_guard *guard);
/* Requests under way are dropped without a call. Not from a callback. */
void sp_fetcher_free(struct sp_fetcher **fetcher);

/* All of ask is borrowed for the call. fn is called exactly once unless the
 * request is cancelled, never from inside. The id is never 0. How many may
 * run at a time is the caller's business. */
uint64_t sp_fetch_start(struct sp_fetcher *fetcher,
                        const struct sp_fetch_ask *ask, sp_fetch_fn *fn,
                        void *arg);
/* An id that is over is harmless. */
void sp_fetch_cancel(struct sp_fetcher *fetcher, uint64_t id);

#endif
