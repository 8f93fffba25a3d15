/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_ATTEMPT_PRIVATE_H
#define SP_DELIVER_ATTEMPT_PRIVATE_H

#include "deliver/attempt.h"
#include "deliver/gather.h"
#include "deliver/plan_cache.h"
#include "deliver/route.h"

/*
 * What the files of the attempt share, and nobody else sees:
 *   attempt.c           its course
 *   attempt_verdict.c   what hosts and replies amount to
 */

enum sp__attempt_stage {
	SP__ATTEMPT_PLAN,
	SP__ATTEMPT_WAIT,
	SP__ATTEMPT_DIAL,
	SP__ATTEMPT_SEND,
	SP__ATTEMPT_DONE
};

struct sp_attempt {
	struct sp_attempt_ask ask;
	struct sp_arena arena;
	enum sp__attempt_stage stage;
	struct sp_route route;
	struct sp_judge_conf judge; /* with the filter of this message */
	struct sp_gather *gather;
	struct sp_shared_plan *shared;   /* held */
	struct sp_shared_plan *outdated; /* held; its policy was */
	struct sp_plan *plan;            /* of shared */
	size_t host;                     /* cursor */
	size_t address;
	struct sp_probed_turn *turn; /* of a probe; null: none is needed */
	struct sp_pool_ticket *ticket;
	struct sp_dial *dial;
	struct sp_pool_place *place;
	char place_address[SP_ADDR_TEXT];
	const char *key; /* of a connection there, in the arena */
	bool reused;
	bool ready;   /* a session came about under the host's rule */
	bool anew;    /* no idle connection for the next try */
	bool blocked; /* a host failed that log-only mode would let pass */
	bool busy;    /* a host was passed over for want of places */
	bool dialled; /* some address was tried, and not just passed over */
	bool passed_over;
	bool curtailed; /* hurried before it had most of the patience */
	bool body_wanted;
	struct sp_smtp_transaction transaction;
	struct sp_envelope_rcpt *open_rcpts; /* sent in this transaction */
	size_t *open_index;                  /* their places in rcpts */
	size_t open_count;
	uint32_t body_seq; /* next chunk to pull */
	struct sp_attempt_rcpt *rcpts;
	struct sp_attempt_fold hosts; /* what speaks for them */
	struct sp_verdict waived;     /* the one that speaks for all of them */
	struct sp_json *tries;
	struct sp_counts counts;
	size_t try_count;
	struct sp_timer *deadline;
	struct sp_deferred *finish;
	bool sts_failed; /* by the policy of the cache */
	bool looked;     /* for a newer one */
	bool stopped;
	bool late;        /* over the deadline, but the last dot is out */
	int64_t start_ms; /* monotonic */
	int64_t waits_ms; /* since when its patience runs; monotonic */
	unsigned hurried;
	int64_t dialled_ms; /* monotonic */
	int64_t planned_ms; /* duration */
	struct sp_attempt_result result;
	sp_attempt_fn *fn;
	void *arg;
};

/* attempt_verdict.c */

/* What speaks for the hosts so far. */
void sp__attempt_note_host(struct sp_attempt *a, const struct sp_verdict *v);
/* A host failed with v, or did not: would log-only mode let it pass? */
void sp__attempt_note_blocked(struct sp_attempt *a,
                              const struct sp_plan_host *host,
                              const struct sp_verdict *v);
/* A host failed by the MTA-STS policy of the cache, or not. */
void sp__attempt_note_sts(struct sp_attempt *a, const struct sp_plan_host *host,
                          const struct sp_verdict *v);
void sp__attempt_note_facts(struct sp_attempt *a,
                            const struct sp_dial_facts *facts,
                            const struct sp_verdict *v);
/* The same of the dial there is; v null: it came about. */
void sp__attempt_note_try(struct sp_attempt *a, const struct sp_verdict *v);

void sp__attempt_settle(struct sp_attempt *a, size_t index,
                        const struct sp_verdict *v, bool final);
/* A session at the cursor counts as a delivery. */
void sp__attempt_settle_probe(struct sp_attempt *a, const char *security);
bool sp__attempt_delivered(const struct sp_attempt *a); /* to somebody */
bool sp__attempt_all_settled(const struct sp_attempt *a);
/* The peer has said nothing that decides for any recipient. */
bool sp__attempt_unheard(const struct sp_smtp_result *result);
/* Settles the recipients by their replies; the first verdict that is no
 * delivery, or null. */
const struct sp_verdict *
sp__attempt_settle_sent(struct sp_attempt *a,
                        const struct sp_smtp_result *result);

/* At the cursor. */
struct sp_plan_host *sp__attempt_host(struct sp_attempt *a);
/* A report goes on where the way back offers no REQUIRETLS: it returns no
 * more than a header, and nobody would hear of its loss (RFC 8689 5). */
bool sp__attempt_demands_tls(const struct sp_envelope *e);
/* Under a rule of its own a message tells nothing about others. */
bool sp__attempt_own_rule(const struct sp_attempt *a);
enum sp_attempt_news sp__attempt_news(const struct sp_attempt *a);
struct sp_json *sp__attempt_detail(struct sp_attempt *a); /* owned */

#endif
