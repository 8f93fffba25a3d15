/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_QUEUE_QUEUE_H
#define SP_ROLE_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "deliver/notice.h"
#include "role/role.h"
#include "store/store.h"

/*
 * Inside of the queue role: the only writer of the store. What arrives
 * within one turn of the loop waits as a list of ops; at the end of the turn
 * all of them are applied in one transaction, and answered after it.
 *
 *   frame ──▶ op (decoded) ──▶ apply ──▶ commit ──▶ answer
 *                  ▲             │ failed: everything rolled back
 *                  └─ keep ◀─────┴──▶ refuse (451, 452)
 */

struct sp_queue;
struct sp_queue_op;

/* What a kind of op does. apply works inside the turn and may leave its
 * result in the op; a negative result of the store loses the turn. answer
 * runs after the commit. refuse runs when the turn is lost; without it the
 * op is kept for the next turn. */
struct sp_queue_verb {
	const char *name;
	int (*apply)(struct sp_queue *q, struct sp_queue_op *op);
	void (*answer)(struct sp_queue *q, struct sp_queue_op *op);
	void (*refuse)(struct sp_queue *q, struct sp_queue_op *op, int err);
};

struct sp_queue_op {
	struct sp_list node;
	const struct sp_queue_verb *verb;
	struct sp_role_link *link; /* null: nobody waits for the answer */
	struct sp_arena arena;     /* owns msg and its strings */
	void *msg;                 /* struct sp_msg_* of the frame */

	/* Results of apply. */
	char id[SP_MSG_ID_MAX + 1];
	enum sp_queue_result {
		SP_QUEUE_RESULT_SILENT,
		SP_QUEUE_RESULT_ACCEPTED,
		SP_QUEUE_RESULT_PULL,
		SP_QUEUE_RESULT_FOUND,
	} result;
	struct sp_str data;
	bool last;
	int refused;      /* why nothing of it was stored; 0: see result */
	bool again;       /* not finished: apply in the next turn too */
	uint64_t changed; /* by turns that were committed */
	uint64_t changed_now;
};

/* A message whose body is coming in. */
struct sp_queue_session {
	struct sp_list node;
	struct sp_role_link *link;
	uint64_t session;
	uint32_t next_seq;
	char id[SP_MSG_ID_MAX + 1];
};

struct sp_queue_worker {
	bool known; /* has said HELLO on the link that is up */
	uint32_t slots;
	struct sp_map attempts;  /* attempt id -> itself; what it works on */
	int64_t paused_until_ms; /* monotonic; it handed work back */
	int64_t next_due_ms;     /* as the last turn has left it; -1: none */
};

/* Messages that wait for their DKIM signature: sign.c. */
struct sp_queue_signing {
	bool any;            /* there may be some behind seq */
	uint64_t seq;        /* how far they were listed */
	size_t asking;       /* in this turn */
	struct sp_map asked; /* queue id → who was asked */
	uint64_t last_ask;
	struct sp_timer *retry;
	bool retry_set;
};

/* Refreshes of MTA-STS policies: sts.c. */
struct sp_queue_sts {
	struct sp_map asked; /* by the id of the request */
	struct sp_list asks; /* of this turn */
	uint64_t last_id;
	int64_t next_forget_ms; /* monotonic */
};

enum sp_queue_time {
	SP_QUEUE_EXPIRY,
	SP_QUEUE_OVERDUE,
	SP_QUEUE_NOTICE,
	SP_QUEUE_STS,
	SP_QUEUE_DIGEST,
	SP_QUEUE_TIMES,
};

struct sp_queue {
	struct sp_role_ctx *ctx;
	struct sp_queue_sts sts;
	struct sp_store *store; /* null: being opened again */
	struct sp_list ops;     /* waiting for the next turn */
	struct sp_list done;    /* applied in this one */
	struct sp_list sessions;
	struct sp_list withdraw; /* ops whose commit nobody knows about */
	struct sp_queue_worker *workers;
	struct sp_deferred *turn;
	struct sp_timer *wake;
	struct sp_timer *gather; /* outcomes wait for others */
	size_t outcomes;         /* among ops, since the last turn */
	struct sp_timer *reopen;
	int64_t reopen_delay_ms;
	unsigned failures;     /* lost turns in a row */
	int64_t next_purge_ms; /* monotonic */
	bool forget;           /* workers: addresses may work now */
	bool end_pauses; /* new configuration: destinations may work now */
	uint64_t boot;   /* sp_time_boot */
	int64_t next_ms[SP_QUEUE_TIMES]; /* what the last turn left to do, and
	                                  * when; -1: nothing */
	struct sp_store_clock clock;     /* as noted in the store */
	struct sp_store_clock clock_now; /* what this turn notes */
	struct sp_store_job *jobs;       /* of this turn; in its arena */
	struct sp_arena turn_arena;
	struct sp_notices notices;
	struct sp_map counts; /* of this turn, for TLS reports */
	bool untold_known;    /* else untold_ms has to be looked up */
	int64_t untold_ms;    /* the first failure for a digest; -1: none */
	struct sp_queue_signing signing;
	int64_t room_bytes;  /* for new mail, as far as is known */
	int64_t room_due_ms; /* monotonic: measure again */
	bool full;           /* the last one that came found none */
};

/* queue.c */
struct sp_queue_op *sp_queue_op_new(struct sp_queue *q,
                                    struct sp_role_link *link,
                                    const struct sp_queue_verb *verb,
                                    size_t msg_size);
void sp_queue_op_free(struct sp_queue_op **op);
void sp_queue_wake(struct sp_queue *q); /* a turn at the end of this one */
/* An outcome has come: a turn, soon. */
void sp_queue_wake_for_outcome(struct sp_queue *q);

/* turn.c: the timer, the store's failures, the turn itself. */
void sp_queue_turn(void *arg);
void sp_queue_reopen(void *arg);

/* room.c: on the disk, for new mail. */
int sp_queue_measure_room(struct sp_queue *q); /* before a turn */
/* False: a message, or a part of one, of so many bytes has to be refused. */
bool sp_queue_take_room(struct sp_queue *q, size_t bytes);

/* submit.c */
extern const struct sp_queue_verb SP_QUEUE_SUBMIT, SP_QUEUE_CHUNK,
	SP_QUEUE_ABORT, SP_QUEUE_WITHDRAW;
void sp_queue_receive_down(struct sp_queue *q, struct sp_role_link *link);

/* outcome.c */
extern const struct sp_queue_verb SP_QUEUE_OUTCOME;
/* "5.4.300" and its line: expired without an attempt that left a cause. */
void sp_queue_expired_text(struct sp_arena *arena, struct sp_str *code_out,
                           struct sp_str *cause_out, struct sp_str *reply_out);

/* A deferral by the schedule, or the end where its time is over. m may be
 * null: nothing is known of the reason. */
void sp_queue_defer(struct sp_queue *q, const struct sp_store_lease_rcpt *lease,
                    const struct sp_msg_outcome_rcpt *m, int64_t now_ms,
                    struct sp_store_outcome_rcpt *out);
/* When mail for the domain that comes in at now_ms expires: by its route. */
int64_t sp_queue_expires_ms(const struct sp_conf *conf, struct sp_str domain,
                            int64_t now_ms);

/* destination.c: those that fail as a whole. */
void sp_queue_set_limits(struct sp_queue *q);
/* Until when a destination is left alone that failed at now_ms and whose
 * message is due again at due_ms (-1: not at all). */
int64_t sp_queue_pause_ms(const struct sp_conf *conf, struct sp_str domain,
                          int64_t now_ms, int64_t due_ms);
/* In the turn, before claims: what is due and would not be tried. */
int sp_queue_defer_overdue(struct sp_queue *q, int64_t now_ms);

/* jobs.c */
extern const struct sp_queue_verb SP_QUEUE_HELLO, SP_QUEUE_PULL;
void sp_queue_worker_down(struct sp_queue *q, unsigned index);
struct sp_queue_worker *sp_queue_worker_find(struct sp_queue *q,
                                             const struct sp_role_link *link);
size_t sp_queue_in_flight(const struct sp_queue *q);
/* In the turn: lease what is due, read bodies; after it: send. */
struct sp_queue_claim {
	struct sp_list node;
	unsigned worker;
	struct sp_msg_job job;
};
int sp_queue_claim(struct sp_queue *q, int64_t now_ms, struct sp_list *claims);
/* When q->forget is set: each worker tries failed addresses again. */
void sp_queue_send_forget(struct sp_queue *q);
void sp_queue_send_jobs(struct sp_queue *q, struct sp_list *claims);
/* At the end of a turn, while its read of the store is still good: when
 * there will be more to claim. */
int sp_queue_look_ahead(struct sp_queue *q);
/* In how many ms claims are worth another look; -1: not by the clock. */
int64_t sp_queue_next_claim(struct sp_queue *q, int64_t now_ms);

/* report.c: in the turn, tell senders what is due. */
int sp_queue_report(struct sp_queue *q, int64_t now_ms);

/* sign.c */
extern const struct sp_queue_verb SP_QUEUE_SIGN_PULL, SP_QUEUE_SIGNED;
void sp_queue_sign_init(struct sp_queue *q);
void sp_queue_sign_fini(struct sp_queue *q);
/* Whether a message is to be signed: for sp_store_incoming.to_sign. head is
 * the message, or its first bytes unless all. */
bool sp_queue_wants_signature(struct sp_queue *q, struct sp_str head, bool all);
/* There may be messages to sign anywhere. */
void sp_queue_sign_rewind(struct sp_queue *q);
void sp_queue_sign_retry(void *arg);
void sp_queue_sign_down(struct sp_queue *q); /* the sign role has gone */
/* In the turn: choose whom to ask for; behind it: ask. */
int sp_queue_sign_list(struct sp_queue *q, struct sp_list *asks);
void sp_queue_sign_send(struct sp_queue *q, struct sp_list *asks);

/* sts.c: the cache of MTA-STS policies. */
extern const struct sp_queue_verb SP_QUEUE_STS_KEEP, SP_QUEUE_STS_FETCHED;
/* In the turn: the row that a job takes along, if there is one. */
int sp_queue_sts_fill(struct sp_queue *q, struct sp_msg_job *job);
/* In the turn: which are to be refreshed; behind it: ask for them. */
int sp_queue_sts_due(struct sp_queue *q, int64_t now_ms);
void sp_queue_sts_send(struct sp_queue *q);
/* When that is worth another look; -1: not by the clock. */
int sp_queue_sts_next(struct sp_queue *q, int64_t *time_ms_out);
void sp_queue_sts_down(struct sp_queue *q); /* the fetch role has gone */

/* count.c: what the outcomes of this turn say for TLS reports. */
void sp_queue_count(struct sp_queue *q, const struct sp_msg_outcome *m);
void sp_queue_count_drop(struct sp_queue *q);
int sp_queue_count_write(struct sp_queue *q, int64_t now_ms);

/* tls_report.c */
extern const struct sp_queue_verb SP_QUEUE_TLS_REPORT;

/* received.c: TLS reports of others. */
/* In the turn: tell the postmaster what is new, where it is time. */
int sp_queue_digest(struct sp_queue *q, int64_t now_ms);
/* When that is; -1: there is nothing to tell. */
int sp_queue_digest_next(struct sp_queue *q, int64_t *time_ms_out);
/* A policy of a report that somebody sent us; reply_out is freed by the
 * caller. */
int sp_queue_report_import(struct sp_queue *q, struct sp_arena *arena,
                           const struct sp_json *command,
                           struct sp_json **reply_out);

/* command.c */
extern const struct sp_queue_verb SP_QUEUE_COMMAND;

#endif
