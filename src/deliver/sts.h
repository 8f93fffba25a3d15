/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_STS_H
#define SP_DELIVER_STS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/*
 * How plan gathering gets at MTA-STS policies, whoever fetches them: the
 * role fetch by messages, or libcurl in this process. The maker of a source
 * embeds this struct and owns it. Cached rows come from the store with the
 * job; what a fetch brought anew goes back with the outcome.
 */

/* A policy as it is kept: the text, and when it was seen. It was parsed
 * before it was kept. */
struct sp_sts_row {
	struct sp_str domain; /* policy domain, lower-case A-labels */
	struct sp_str id;     /* of the TXT record that led to it */
	struct sp_str body;   /* the policy file */
	int64_t fetched_ms;   /* wall */
	int64_t expires_ms;   /* wall: fetched_ms and its max_age */
};

enum sp_sts_fetch_status {
	SP_STS_FETCHED,       /* status 200 and a body: not yet parsed */
	SP_STS_FETCH_FAILED,  /* sts-policy-fetch-error */
	SP_STS_FETCH_WEBPKI,  /* the policy host's certificate:
	                       * sts-webpki-invalid */
	SP_STS_FETCH_BACKOFF, /* failed a short while ago: not tried again */
};

struct sp_sts_fetched {
	enum sp_sts_fetch_status status;
	struct sp_str body; /* with FETCHED */
	struct sp_str why;  /* otherwise: one line, what failed at whom */
};

/* Everything in it is borrowed for the call. */
typedef void sp_sts_fetch_fn(void *arg, const struct sp_sts_fetched *fetched);

struct sp_sts_source {
	/* Fetches the policy of a domain; one fetch per domain at a time,
	 * others that ask share it. Called back exactly once unless cancelled,
	 * never from inside. The id is never 0. */
	uint64_t (*fetch)(struct sp_sts_source *source, struct sp_str domain,
	                  sp_sts_fetch_fn *fn, void *arg);
	void (*cancel)(struct sp_sts_source *source, uint64_t id);
	/* The same, but the fetch goes on, and what it comes to is there for
	 * who asks soon. */
	void (*leave)(struct sp_sts_source *source, uint64_t id);
	/* A newer row than the one that came with the job, if there is one
	 * (borrowed until the next call); and where a fresh one is noted. May
	 * be null. */
	const struct sp_sts_row *(*find)(struct sp_sts_source *source,
	                                 struct sp_str domain);
	void (*keep)(struct sp_sts_source *source,
	             const struct sp_sts_row *row);
};

#endif
