/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_RESOLVER_FAILURES_H
#define SP_NET_RESOLVER_FAILURES_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "wire/dns.h"

/*
 * The questions whose last answer was bogus or failed, inside net/resolver
 * only: where they went wrong, and why. Bounded; the oldest is forgotten.
 */

struct sp__failure {
	struct sp_list node;
	struct sp_str key;    /* owned */
	uint64_t serial;      /* newest context in which it went wrong */
	int64_t at_ms;        /* monotonic */
	int64_t explained_ms; /* when a second look was had; 0: never */
	enum sp_dnssec dnssec;
	const char *words;    /* scenario by libunbound's words; a literal */
	const char *scenario; /* scenario by all we know; a literal */
	uint16_t ede;
	char *why; /* owned */
};

struct sp__failures {
	struct sp_map by_question;
	struct sp_list oldest_first; /* sp__failure.node */
};

void sp__failures_init(struct sp__failures *failures);
void sp__failures_fini(struct sp__failures *failures);

struct sp__failure *sp__failures_find(const struct sp__failures *failures,
                                      struct sp_str name,
                                      enum sp_dns_type type); /* or null */
/* The entry of the question, made if need be, now the youngest; filled from
 * the answer but for explained_ms and words. */
struct sp__failure *sp__failures_note(struct sp__failures *failures,
                                      const struct sp_dns_answer *answer,
                                      uint64_t serial, int64_t now_ms);
void sp__failures_drop(struct sp__failures *failures,
                       struct sp__failure *failure); /* null is legal */

#endif
