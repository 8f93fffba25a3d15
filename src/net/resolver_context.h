/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_RESOLVER_CONTEXT_H
#define SP_NET_RESOLVER_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/resolver_packet.h"

/*
 * libunbound contexts, inside net/resolver only: how they are set up, and
 * questions to them whose replies wait in a list until they are taken. That
 * list keeps us out of libunbound's own stack: nothing is asked, freed or
 * called back from inside its callback.
 */

enum sp__dns_kind {
	SP__DNS_MAIN,  /* the big cache; lives as long as the resolver */
	SP__DNS_FRESH, /* validates, has no cached failures */
	SP__DNS_PLAIN, /* does not validate: only for evidence */
	SP__DNS_KINDS,
};

/*
 * The world to ask, read from the files and strings of the configuration.
 * Contexts are made from it later, when a sandbox may have closed the files.
 */
struct sp__dns_setup;

int sp__dns_setup_new(const struct sp_resolver_conf *conf,
                      struct sp__dns_setup **setup_out, char *why_out,
                      size_t why_cap);
void sp__dns_setup_free(struct sp__dns_setup **setup);
/* The zone of the (first) trust anchor. */
struct sp_str sp__dns_setup_apex(const struct sp__dns_setup *setup);

struct sp__dns_context {
	struct sp_list node; /* for the owner */
	enum sp__dns_kind kind;
	uint64_t serial; /* grows with each context of the process */
	int64_t born_ms; /* monotonic */
	size_t asked;    /* questions so far */
	size_t waiting;  /* questions that somebody waits for */
	size_t dropped;  /* questions that libunbound still works on */

	struct ub_ctx *ub;    /* owned */
	struct sp_list shots; /* sp__dns_shot.node: without reply */
	struct sp_list done;  /* sp__dns_shot.node: with reply */
	bool closing;
	struct sp_list sink_node;
	struct sp_deferred *wake; /* borrowed; called when done grows */
};

struct sp__dns_shot {
	struct sp_list node;
	struct sp__dns_context *context;
	char *name; /* owned */
	uint16_t type;
	void *arg; /* null: dropped */
	bool returned;
	struct sp__dns_reply reply; /* its strings are owned */
};

/* What contexts are made with; all borrowed. */
struct sp__dns_home {
	struct sp_loop *loop;
	const struct sp__dns_setup *setup;
	struct sp_deferred *wake;
};

/* 0, or SP_ECONFIG with one line in why_out. */
int sp__dns_context_new(const struct sp__dns_home *home, enum sp__dns_kind kind,
                        struct sp__dns_context **context_out, char *why_out,
                        size_t why_cap);
/* Shots without reply are freed with it. Not from libunbound's callback. */
void sp__dns_context_free(struct sp__dns_context **context);

/* Asks; arg is not null. The name is canonical and valid. */
struct sp__dns_shot *sp__dns_context_ask(struct sp__dns_context *context,
                                         struct sp_str name, uint16_t type,
                                         void *arg);
/* Nobody waits any more; the shot must not be used afterwards. */
void sp__dns_shot_drop(struct sp__dns_shot *shot);
/* The next shot that has its reply, to be freed by the caller; or null. */
struct sp__dns_shot *sp__dns_context_take(struct sp__dns_context *context);
void sp__dns_shot_free(struct sp__dns_shot **shot);

#endif
