/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_STORE_STORE_H
#define SP_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/envelope.h"

/*
 * Where mail lives between 250 and its end: verbs in the language of mail,
 * behind which stands an engine (store/engine.h). Two kinds of connection
 * exist: the writer, one per server and only in the queue role, and readers,
 * which can't change anything (console).
 *
 * The writer works in turns: begin, any number of verbs, commit. What a turn
 * did is durable when sp_store_commit has answered 0, and not before. Verbs
 * marked [turn] need an open turn. After a negative result of a [turn] verb
 * other than SP_ENOTFOUND and SP_ELIMIT the turn is lost: roll it back.
 *
 * Results: SP_ESTORE, the engine failed (sp_store_why tells; after a failed
 * commit or sync close the store and open it again); -ENOSPC, the disk is
 * full, nothing is damaged; SP_ELIMIT, a value is over its limit;
 * SP_ENOTFOUND; SP_EBUSY, somebody else holds the lock.
 *
 * All times are wall milliseconds. Strings handed in are borrowed for the
 * call. Strings of rows in callbacks are borrowed for the callback; those of
 * results live in the caller's arena.
 */

#define SP_STORE_ID_MAX        32 /* queue id */
#define SP_STORE_CODE_MAX      16 /* "4.7.323" */
#define SP_STORE_CAUSE_MAX     64 /* "tlsa-mismatch" */
#define SP_STORE_REPLY_MAX     4096
#define SP_STORE_SECURITY_MAX  16
#define SP_STORE_HOST_MAX      255
#define SP_STORE_ADDRESS_MAX   128
#define SP_STORE_DETAIL_MAX    (256u * 1024)
#define SP_STORE_CHUNK_MAX     (256u * 1024)
#define SP_STORE_WORKER_MAX    1024
#define SP_STORE_WHY_MAX       512
#define SP_STORE_SIGNATURE_MAX 16384

/*
 * States of a recipient:
 *
 *   queued ──claim──▶ leased ──settle──▶ delivered | failed
 *     ▲ │ ▲             │
 *     │ │ └──settle, release of leases──┘
 *     │ └─expire──▶ failed
 *     └─release── held ◀──hold── queued;   queued, held ──remove──▶ removed
 *
 * Name, text. Numbers are stored: never reorder.
 */
#define SP_STORE_STATES(X)                                                     \
	X(QUEUED, "queued")                                                    \
	X(LEASED, "leased")                                                    \
	X(HELD, "held")                                                        \
	X(DELIVERED, "delivered")                                              \
	X(FAILED, "failed")                                                    \
	X(REMOVED, "removed")

enum sp_store_state {
#define SP_X(name, text) SP_STORE_##name,
	SP_STORE_STATES(SP_X)
#undef SP_X
	SP_STORE_STATE_COUNT,
};
const char *sp_store_state_name(enum sp_store_state state);

/* What users see of a state: pending, delivered, failed, expanded. Bits, for
 * filters; 0 means any. */
enum sp_store_status {
	SP_STORE_PENDING = 1,
	SP_STORE_STATUS_DELIVERED = 2,
	SP_STORE_STATUS_FAILED = 4,
	SP_STORE_EXPANDED = 8,
};
enum sp_store_status sp_store_status_of(enum sp_store_state state);
const char *sp_store_status_name(enum sp_store_status status);
/* 0 or SP_ENOTFOUND. */
int sp_store_status_find(struct sp_str name, enum sp_store_status *status_out);

/* Events of the trace. Name, text. Numbers are stored: never reorder. */
#define SP_STORE_EVENTS(X)                                                     \
	X(RECEIVE, "receive")                                                  \
	X(DEFER, "defer")                                                      \
	X(SEND, "send")                                                        \
	X(DELIVER, "deliver")                                                  \
	X(FAIL, "fail")                                                        \
	X(EXPAND, "expand")                                                    \
	X(RESOLVED, "resolved")                                                \
	X(RETRY, "retry")                                                      \
	X(HOLD, "hold")                                                        \
	X(RELEASE, "release")                                                  \
	X(REMOVE, "remove")

enum sp_store_event_type {
#define SP_X(name, text) SP_STORE_EVENT_##name,
	SP_STORE_EVENTS(SP_X)
#undef SP_X
	SP_STORE_EVENT_COUNT,
};
const char *sp_store_event_name(enum sp_store_event_type type);

/* ---- opening ---- */

struct sp_store;

enum sp_store_mode {
	SP_STORE_WRITER,
	SP_STORE_READER
};

/* How far the file was looked over at opening. */
enum sp_store_check {
	SP_STORE_CHECK_NONE,
	SP_STORE_CHECK_BRIEF, /* the ends of each table */
	SP_STORE_CHECK_FULL,  /* every page */
};
enum sp_store_check sp_store_checked(const struct sp_store *store);

/*
 * Opens "sqlite:/path". The writer takes the lock of the file (SP_EBUSY: it
 * belongs to another server), creates or migrates it, finishes recovery and,
 * with check, looks it over: every page when the machine went down with the
 * file open or nothing is known about its last end, briefly otherwise (a
 * process that was killed leaves whole pages behind). A reader meets
 * SP_ENOTFOUND before a writer has ever created the file, SP_EUNSUPPORTED
 * where its version is another one.
 * On failure one clear line stands in why_out (cap bytes, NUL-terminated).
 */
int sp_store_open(struct sp_str url, enum sp_store_mode mode, bool check,
                  struct sp_store **store_out, char *why_out, size_t why_cap);
void sp_store_close(struct sp_store **store);
/* One line about the last failure; never null. */
const char *sp_store_why(const struct sp_store *store);

/* ---- turns (writer) ---- */

int sp_store_begin(struct sp_store *store);
int sp_store_commit(struct sp_store *store);
void sp_store_rollback(struct sp_store *store); /* harmless without a turn */

/* Work that may wait until the answers are out: moves the log into the file
 * when it has grown, everything when all is true. Outside a turn. */
int sp_store_maintain(struct sp_store *store, bool all);

/* Bytes of new mail that fit. What is already here has a reserve of the disk
 * to be delivered from: a tenth, 64 MiB at most. Outside a turn, since room
 * may be made in the log first. */
int sp_store_room(struct sp_store *store, int64_t *bytes_out);

/* ---- a message comes in (writer) ---- */

struct sp_store_incoming {
	struct sp_str id;                   /* queue id, unique for ever */
	const struct sp_envelope *envelope; /* at least one recipient */
	const unsigned *workers;            /* one per recipient */
	int64_t due_ms;                     /* first attempt */
	int64_t expires_ms;
	const int64_t *rcpt_expires_ms; /* one per recipient, or null */
	int64_t notice_ms;  /* when the sender hears of a delay; 0: never */
	bool complete;      /* body is the whole body: queued at once */
	struct sp_str body; /* chunk 0 */
	bool to_sign;       /* never due before sp_store_sign (DKIM) */
};

/* [turn] With complete the message is queued and its `receive` event is
 * written; else it is incoming: invisible and never due until finished.
 * SP_ELIMIT: something is too long, or the id is taken. */
int sp_store_enqueue(struct sp_store *store,
                     const struct sp_store_incoming *incoming);
/* [turn] Chunks in order, seq from 1. SP_ENOTFOUND: no such incoming
 * message, or not its next chunk. */
int sp_store_append_body(struct sp_store *store, struct sp_str id, uint32_t seq,
                         struct sp_str data);
/* [turn] The last chunk is in: queued. body_8bit: the envelope's is to be
 * set; the chunks had what nobody knew when they began. */
int sp_store_finish(struct sp_store *store, struct sp_str id, bool body_8bit);
/* [turn] As if the message had never come. For incoming messages, and for
 * those whose commit failed with nobody knowing how far it went. */
int sp_store_abort(struct sp_store *store, struct sp_str id);
/* [turn] Abort all incoming messages: after a restart nobody sends their
 * rest. */
int sp_store_sweep_incoming(struct sp_store *store, uint64_t *count_out);

/* ---- messages that wait for their DKIM signature (writer) ---- */

/*
 * Such a message is queued, but due only when sp_store_sign has been
 * committed. It is listed, may be held, removed and expire like any other;
 * neither a retry nor a release makes it due.
 */

struct sp_store_to_sign {
	uint64_t seq; /* of the message, in the order in which they came */
	struct sp_str id;
	uint64_t size_bytes;
};

/* At most max of them that came behind seq (0: from the first). Cost grows
 * with what is found only. */
int sp_store_list_to_sign(struct sp_store *store, uint64_t seq, size_t max,
                          struct sp_arena *arena,
                          struct sp_store_to_sign **list_out,
                          size_t *count_out);
/* [turn] It is due at now_ms and goes out behind signature: whole header
 * fields with their CRLF, or empty. An event `resolved` with the detail (a
 * JSON object). SP_ENOTFOUND: the message doesn't wait for one. */
int sp_store_sign(struct sp_store *store, struct sp_str id,
                  struct sp_str signature, int64_t now_ms,
                  struct sp_str detail);

/* ---- delivery (writer) ---- */

struct sp_store_job_rcpt {
	uint64_t rcpt_id;
	struct sp_envelope_rcpt rcpt;
};

struct sp_store_job {
	uint64_t attempt_id; /* unique for ever */
	struct sp_str id;
	struct sp_str domain;
	uint32_t attempt;    /* 1-based */
	uint64_t size_bytes; /* of the body */
	int64_t expires_ms;
	struct sp_envelope envelope; /* without recipients */
	struct sp_store_job_rcpt *rcpts;
	size_t rcpt_count;
};

/* How much one destination, and all that fail together, may have in flight.
 * Limits may change at any time; without a call there are none. */
struct sp_store_limits {
	int64_t destination_max; /* jobs of one destination */
	int64_t probe_max; /* failing destinations tried at once, per worker */
};
void sp_store_set_limits(struct sp_store *store,
                         const struct sp_store_limits *limits);

/* [turn] Leases what is due for the worker: at most job_max jobs, each the
 * due recipients of one message in one domain, at most rcpt_max of them.
 * Destinations take turns, each within its share; one that fails is tried by
 * one job at a time, when its pause is over. Expired recipients are left to
 * sp_store_expire. */
int sp_store_claim_due(struct sp_store *store, unsigned worker, int64_t now_ms,
                       size_t job_max, size_t rcpt_max, struct sp_arena *arena,
                       struct sp_store_job **jobs_out, size_t *count_out);

/* What is needed to decide on the outcome of a leased recipient. */
struct sp_store_lease_rcpt {
	uint64_t rcpt_id;
	struct sp_str id; /* of the message */
	struct sp_str domain;
	uint32_t attempts; /* finished before this one */
	int64_t first_attempt_ms;
	int64_t received_ms;
	int64_t expires_ms;
	uint8_t notify;
	bool null_sender;
	bool own_rule; /* of TLS (RFC 8689): others say nothing about it */
};

/* The recipients leased under an attempt; count 0 when the lease is not
 * current (settled before, released, never given). */
int sp_store_lease(struct sp_store *store, uint64_t attempt_id,
                   struct sp_arena *arena,
                   struct sp_store_lease_rcpt **rcpts_out, size_t *count_out);

struct sp_store_outcome_rcpt {
	uint64_t rcpt_id;
	enum sp_store_state state; /* QUEUED, DELIVERED or FAILED */
	bool uncounted;  /* with QUEUED: attempt was not made; no event */
	bool noted;      /* with uncounted: code, cause and reply are kept, and
	                  * there is an event where the cause is another one */
	int64_t due_ms;  /* with QUEUED */
	bool report_due; /* with FAILED, DELIVERED: a report is due */
	struct sp_str code, cause, reply;
	struct sp_str expired_code, expired_reply; /* with QUEUED */
};

/* How an attempt failed on its destination as a whole. */
struct sp_store_failure {
	int64_t time_ms;
	struct sp_str id; /* of the message that was tried */
	struct sp_str code, cause, reply, expired_code, expired_reply;
	struct sp_str security, host, address;
	int64_t pause_ms; /* it is left alone until then */
};

struct sp_store_outcome {
	uint64_t attempt_id; /* 0: no attempt, by the state of the destination;
	                      * its recipients are queued (sp_store_overdue) */
	int64_t now_ms;
	bool reached;                           /* the destination works */
	const struct sp_store_failure *failure; /* or it failed */
	struct sp_str security, host, address;
	struct sp_str detail; /* JSON object, or empty */
	const struct sp_store_outcome_rcpt *rcpts;
	size_t rcpt_count;
};

/* [turn] New states and trace events (send, defer, fail) of leased
 * recipients. Those named that aren't leased under the attempt are passed
 * over; SP_ENOTFOUND when none was. The body goes when the message is done
 * with: no recipient open, no report due. */
int sp_store_settle(struct sp_store *store,
                    const struct sp_store_outcome *outcome);

/* [turn] Leases of the worker that are not in keep (attempt ids) end; their
 * recipients are due at now_ms, the attempt does not count. */
int sp_store_release_leases(struct sp_store *store, unsigned worker,
                            const uint64_t *keep, size_t keep_count,
                            int64_t now_ms, uint64_t *count_out);

/* Whether a failure is to be reported (RFC 3461 4.1: NOTIFY absent or with
 * FAILURE). Of a null sender too: the queue ends that in a log line. */
bool sp_store_wants_report(uint8_t notify);
/* Whether the sender hears of a delay: NOTIFY absent or with DELAY; never
 * the null sender. */
bool sp_store_wants_notice(uint8_t notify, bool null_sender);

/* [turn] Fails queued recipients whose time is over, at most limit, with the
 * expired code of their last outcome or, without one, the given code, cause
 * and reply. */
int sp_store_expire(struct sp_store *store, int64_t now_ms, size_t limit,
                    struct sp_str code, struct sp_str cause,
                    struct sp_str reply, uint64_t *count_out);

/* [turn] The recipients, at most limit, of one destination that is left alone
 * just now, which are due: they are to be settled (attempt 0) by its failure.
 * Count 0: there are none. */
int sp_store_overdue(struct sp_store *store, int64_t now_ms, size_t limit,
                     struct sp_arena *arena,
                     struct sp_store_failure *failure_out,
                     struct sp_store_lease_rcpt **rcpts_out, size_t *count_out);
/* When that is worth another look. -1: never. */
int sp_store_next_overdue(struct sp_store *store, int64_t *time_ms_out);
/* [turn] Something has changed that may make failing destinations work: the
 * next due message of each is tried. */
int sp_store_end_pauses(struct sp_store *store, int64_t now_ms);

/* When a claim for the worker is worth another look; when the next queued
 * recipient of all expires. -1: never. */
int sp_store_next_due(struct sp_store *store, unsigned worker,
                      int64_t *due_ms_out);
int sp_store_next_expiry(struct sp_store *store, int64_t *expires_ms_out);

/* ---- reports to the sender (writer) ---- */

/* What a report tells: by the state of its recipients. */
enum sp_store_report_kind {
	SP_STORE_REPORT_FAILED,
	SP_STORE_REPORT_RELAYED, /* NOTIFY=SUCCESS, next hop without DSN */
	SP_STORE_REPORT_DELAYED,
};
const char *sp_store_report_kind_name(enum sp_store_report_kind kind);

struct sp_store_report_rcpt {
	uint64_t rcpt_id;
	struct sp_envelope_rcpt rcpt;
	struct sp_str code, cause, reply; /* of the last outcome */
	uint32_t attempts;
	int64_t expires_ms;
	/* The last attempt; 0 and empty where there was none. */
	int64_t attempt_ms;
	struct sp_str attempt_reply;
	struct sp_str host, address;
	uint64_t evidence_id; /* sp_store_read_evidence; 0: none */
};

struct sp_store_report {
	enum sp_store_report_kind kind;
	struct sp_str id; /* of the message */
	uint64_t size_bytes;
	struct sp_envelope envelope; /* without recipients */
	struct sp_store_report_rcpt *rcpts;
	size_t rcpt_count;
};

/* [turn] The next message of which something is to be reported, with all its
 * recipients that it is to be reported of (at most SP_ENVELOPE_RCPT_MAX).
 * Delays only with notices. SP_ENOTFOUND: nothing. It is found again until
 * sp_store_reported is committed. */
int sp_store_next_report(struct sp_store *store, int64_t now_ms, bool notices,
                         struct sp_arena *arena,
                         struct sp_store_report *report_out);
/* The detail of an attempt, a JSON object. SP_ENOTFOUND. */
int sp_store_read_evidence(struct sp_store *store, uint64_t evidence_id,
                           struct sp_arena *arena, struct sp_str *detail_out);
/* [turn] It is reported, to be called in the turn that enqueued the report:
 * an event `resolved` with the detail, and the body of a message that is
 * done with goes. */
int sp_store_reported(struct sp_store *store,
                      const struct sp_store_report *report, int64_t now_ms,
                      struct sp_str detail);
/* When the next delay notice is due; -1: none. */
int sp_store_next_notice(struct sp_store *store, int64_t *notice_ms_out);

/* ---- exceptions of destinations ---- */

#define SP_STORE_REASON_MAX 500

/* Until then verdicts of TLS are waived for a recipient domain. */
struct sp_store_exception {
	struct sp_str domain; /* lower-case A-labels */
	int64_t until_ms;
	struct sp_str reason;
	int64_t added_ms;
};

/* [turn] In place of one that the domain may have; what was over by added_ms
 * is forgotten. */
int sp_store_exception_set(struct sp_store *store,
                           const struct sp_store_exception *exception);
/* [turn] SP_ENOTFOUND. */
int sp_store_exception_remove(struct sp_store *store, struct sp_str domain);
/* The one that holds at now_ms, strings in the arena. SP_ENOTFOUND. */
int sp_store_exception_find(struct sp_store *store, struct sp_str domain,
                            int64_t now_ms, struct sp_arena *arena,
                            struct sp_store_exception *exception_out);

/* A non-zero result ends the walk and is handed through. */
typedef int sp_store_exception_fn(void *arg,
                                  const struct sp_store_exception *exception);

/* All that hold at now_ms, by domain; readers too. */
int sp_store_exceptions(struct sp_store *store, int64_t now_ms,
                        sp_store_exception_fn *fn, void *arg);

/* ---- policies of MTA-STS ---- */

#define SP_STORE_STS_ID_MAX   32
#define SP_STORE_STS_BODY_MAX (64u * 1024)

struct sp_store_sts {
	struct sp_str domain; /* policy domain, lower-case A-labels */
	struct sp_str id;     /* of the TXT record that led to it */
	struct sp_str body;   /* the policy file, once parsed */
	int64_t fetched_ms;
	int64_t expires_ms;
	int64_t refresh_ms; /* -1: it is not refreshed */
	int64_t used_ms;    /* mail was last sent under it, as noted */
};

/* [turn] In place of what the domain may have. SP_ELIMIT. */
int sp_store_sts_set(struct sp_store *store, const struct sp_store_sts *row);
/* Expired or not, strings in the arena; readers too. SP_ENOTFOUND. */
int sp_store_sts_find(struct sp_store *store, struct sp_str domain,
                      struct sp_arena *arena, struct sp_store_sts *row_out);
/* [turn] Changes the two times only; a domain without a row is harmless. */
int sp_store_sts_mark(struct sp_store *store, struct sp_str domain,
                      int64_t used_ms, int64_t refresh_ms);
/* Those to be refreshed by now_ms, at most max, the first due first. */
int sp_store_sts_due(struct sp_store *store, int64_t now_ms, size_t max,
                     struct sp_arena *arena, struct sp_store_sts **rows_out,
                     size_t *count_out);
/* When the next one is to be refreshed; -1: none. */
int sp_store_sts_next(struct sp_store *store, int64_t *time_ms_out);
/* [turn] Those that expired and were last used before the time, at most
 * max. */
int sp_store_sts_forget(struct sp_store *store, int64_t before_ms, size_t max,
                        uint64_t *count_out);

/* ---- bodies, workers, the past (writer) ---- */

/* Chunk seq of the body, copied into the arena; of a message that was signed
 * the signature is chunk 0. SP_ENOTFOUND. */
int sp_store_read_body(struct sp_store *store, struct sp_str id, uint32_t seq,
                       struct sp_arena *arena, struct sp_str *data_out,
                       bool *last_out);

/* [turn] When the number of workers is not the one of the last call (ever):
 * every open recipient gets its worker from worker_of, and all leases end
 * (their holders are gone), due at now_ms. */
int sp_store_set_workers(struct sp_store *store, unsigned workers,
                         unsigned (*worker_of)(struct sp_str domain,
                                               unsigned workers),
                         int64_t now_ms, uint64_t *changed_out);

/* The clocks as they were at some turn; boot 0: never noted. */
struct sp_store_clock {
	uint64_t boot; /* sp_time_boot */
	int64_t wall_ms, mono_ms;
};
int sp_store_clock(struct sp_store *store, struct sp_store_clock *clock_out);
/* [turn] */
int sp_store_set_clock(struct sp_store *store,
                       const struct sp_store_clock *clock);
/* [turn] The wall clock was set by so much: all times to come move with it.
 * This looks at every open recipient. */
int sp_store_shift(struct sp_store *store, int64_t by_ms);

/* [turn] Forgets messages that were done with before the time, at most
 * limit. */
int sp_store_purge(struct sp_store *store, int64_t before_ms, size_t limit,
                   uint64_t *count_out);

/* ---- looking, and the operator (all but sp_store_act: readers too) ---- */

/* Empty strings, zeros and false mean: any. */
struct sp_store_filter {
	struct sp_str id;
	struct sp_str message_id; /* with or without brackets */
	struct sp_str sender;     /* ASCII case is ignored; "<>": null sender */
	struct sp_str recipient;  /* ASCII case is ignored */
	struct sp_str domain;     /* of the recipient */
	unsigned statuses;        /* bits of enum sp_store_status */
	bool held;                /* only held recipients */
	struct sp_str code;       /* "4.7.323" */
	struct sp_str cause;      /* scenario */
	int64_t from_ms, to_ms;   /* received in [from, to) */
	uint64_t size_min, size_max;
	size_t limit; /* recipients; 0: all */
};

/* One recipient with its message. */
struct sp_store_row {
	uint64_t rcpt_id;
	struct sp_str id;
	struct sp_str message_id;
	struct sp_str sender;
	struct sp_str recipient;
	struct sp_str domain;
	struct sp_str client;
	uint64_t size_bytes;
	int64_t received_ms;
	int64_t expires_ms;
	enum sp_store_state state;
	struct sp_str code, cause, reply, security; /* of the last outcome */
	uint32_t attempts;
	int64_t next_attempt_ms; /* 0: none planned */
	int64_t done_ms;         /* 0: not done */
	bool report_due;
	bool to_sign; /* waits for its DKIM signature */
};

/* A non-zero result ends the walk and is handed through. */
typedef int sp_store_row_fn(void *arg, const struct sp_store_row *row);

/* Newest message first, recipients of a message in their order. */
int sp_store_search(struct sp_store *store,
                    const struct sp_store_filter *filter, sp_store_row_fn *fn,
                    void *arg);

struct sp_store_event {
	int64_t time_ms;
	enum sp_store_event_type type;
	uint32_t attempt; /* 0: none */
	struct sp_str code, cause, reply, security, host, address;
	struct sp_str detail; /* JSON object, or empty */
};

typedef int sp_store_event_fn(void *arg, const struct sp_store_event *event);

/* The timeline of one recipient, with what concerns its whole message. */
int sp_store_events(struct sp_store *store, uint64_t rcpt_id,
                    sp_store_event_fn *fn, void *arg);

enum sp_store_action {
	SP_STORE_ACT_RETRY,   /* queued: due now */
	SP_STORE_ACT_HOLD,    /* queued -> held */
	SP_STORE_ACT_RELEASE, /* held -> queued, due now */
	SP_STORE_ACT_REMOVE,  /* queued, held -> removed */
};

/* [turn] On recipients the filter names, at most batch of them (the filter's
 * limit is not looked at): call again while changed_out equals batch. Leased
 * ones are passed over: their attempt is under way. Events are written. */
int sp_store_act(struct sp_store *store, enum sp_store_action action,
                 const struct sp_store_filter *filter, size_t batch,
                 int64_t now_ms, uint64_t *changed_out);

struct sp_store_stats {
	uint64_t recipients[SP_STORE_STATE_COUNT];
	uint64_t report_due;
	uint64_t messages; /* without incoming ones */
	uint64_t incoming;
};

/* A destination that fails just now. */
struct sp_store_failing {
	struct sp_str domain;
	struct sp_str code, cause, reply; /* of the last failure */
	int64_t failed_ms;                /* when that was */
	int64_t since_ms; /* first attempt for what waits; 0: none */
	int64_t pause_ms; /* it is left alone until then */
	uint64_t waiting; /* recipients; counted up to the maximum */
};
#define SP_STORE_WAITING_MAX 1000

typedef int sp_store_failing_fn(void *arg,
                                const struct sp_store_failing *failing);

/* Those of a worker that are not being tried just now, in the order of their
 * next attempts, at most limit. */
int sp_store_failing(struct sp_store *store, unsigned worker, size_t limit,
                     sp_store_failing_fn *fn, void *arg);

/* Cost does not grow with the store. */
int sp_store_stats(struct sp_store *store, struct sp_store_stats *stats_out);

#endif
