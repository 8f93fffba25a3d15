/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_RESOLVER_H
#define SP_NET_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"
#include "net/socket.h"
#include "wire/dns.h"

/*
 * The validating resolver: libunbound's event interface on the role's loop,
 * own recursion from root hints by default. The only file set that decodes
 * DNS packets (ldns). No AD bit of anybody is trusted. Reading order of a
 * result: bogus first, then RCODE (only NOERROR and NXDOMAIN are answers),
 * then data, then secure (RFC 4035 4.3; mail-flow section 2).
 *
 * Failures stay in libunbound's cache for seconds to minutes. With `fresh` a
 * question whose last answer was bogus or failed, or now is, is asked through
 * a context made just before.
 *
 * A bogus or failed answer has `why` (libunbound's reason, and what a second,
 * unvalidated look at the servers' answers shows) and `scenario`: for bogus a
 * cause name (rrsig-expired, rrsig-not-yet-valid, rrsig-missing,
 * rrsig-invalid, ds-without-dnskey, denial-unproven, dnssec-bogus), for failed
 * one of dns-timeout, dns-servfail, dns-refused, dns-notimp, dns-formerr,
 * dns-lame, dns-malformed, dns-unreachable, dns-limit, dns-name, dns-busy.
 */

struct sp_resolver_stub {
	struct sp_str zone;
	const struct sp_str *addresses; /* "127.0.53.1@5300" */
	size_t address_count;
};

struct sp_resolver_conf {
	const char *trust_anchor;     /* file; null or "": dns-root-data's */
	const char *root_hints;       /* file; null or "": dns-root-data's, else
	                                 built in */
	const struct sp_str *forward; /* "addr@port" each */
	size_t forward_count;
	const struct sp_resolver_stub *stubs;
	size_t stub_count;
	struct sp_str self_test_bad; /* known-bad name; empty: none */
	int64_t deadline_ms;         /* per question */
	size_t records_max;          /* <= SP_DNS_RECORDS_MAX */
	size_t aliases_max;
	size_t questions; /* at one time, about; 0: as many as can be */
};

struct sp_resolver;

/* Called later, never from inside sp_resolver_ask; the answer is handed
 * over. Exactly once per question unless cancelled. */
typedef void sp_resolver_fn(void *arg, struct sp_dns_answer *answer);

/* The files named in conf are read here. why_out gets one line on failure. */
int sp_resolver_new(struct sp_loop *loop, const struct sp_resolver_conf *conf,
                    struct sp_resolver **resolver_out, char *why_out,
                    size_t why_cap);
/* Outstanding questions are dropped without a call. Not from inside one of
 * the resolver's own callbacks. */
void sp_resolver_free(struct sp_resolver **resolver);

/* fresh: do not answer from a cached failure. The id can be used to cancel. */
uint64_t sp_resolver_ask(struct sp_resolver *resolver, struct sp_str name,
                         enum sp_dns_type type, bool fresh, sp_resolver_fn *fn,
                         void *arg);
/* The servers are asked, whatever is in a cache. */
uint64_t sp_resolver_ask_anew(struct sp_resolver *resolver, struct sp_str name,
                              enum sp_dns_type type, sp_resolver_fn *fn,
                              void *arg);
void sp_resolver_cancel(struct sp_resolver *resolver, uint64_t id);

/*
 * Self-test: the apex of the configured anchor validates as secure, and the
 * known-bad name, if one is set, does not. Calls fn with 0 or SP_EDNS and
 * one line; also when the clock is absurd (before this build).
 */
void sp_resolver_self_test(struct sp_resolver *resolver,
                           void (*fn)(void *arg, int result, const char *why),
                           void *arg);

/* "1.17.1" of libunbound, for --version. */
const char *sp_resolver_version(void);

#endif
