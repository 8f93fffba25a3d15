/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_STORE_SQLITE_H
#define SP_STORE_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/map.h"
#include "store/engine.h"
#include "wire/address.h"

/*
 * Inside of the SQLite engine: its connection, its prepared statements, and
 * reading rows with suspicion. Only store/sqlite*.c include this.
 */

/* A message whose body is still coming in has recipients in a state that no
 * index of due, open or expiring recipients knows. */
#define SP__INCOMING SP_STORE_STATE_COUNT

/* Each statement is prepared at its first use and kept. */
enum sp__sql {
#define SP_SQL(name, text) SP__SQL_##name,
#include "store/sqlite_sql.def"
#undef SP_SQL
	SP__SQL_COUNT,
};

/* Rows of table counter: recipients by state, that of incoming ones
 * included, and these. */
enum {
	SP__COUNT_REPORT_DUE = SP__INCOMING + 1,
	SP__COUNT_MESSAGES,
	SP__COUNT_INCOMING,
	SP__COUNT_KINDS,
};

struct sp__sqlite {
	struct sp_store base;
	char *path; /* owned */
	sqlite3 *db;
	int lock_fd;   /* writer; -1: none */
	bool usable;   /* writer; opening succeeded */
	bool in_doubt; /* opened again after a failure */
	int wal_pages; /* in the log after the last commit */
	int64_t turns; /* claims so far; the order of equals among due ones */
	int64_t counts[SP__COUNT_KINDS]; /* of this turn: sqlite_count.c */
	struct sp_map destinations;      /* in hand: sqlite_destination.c */
	sqlite3_stmt *stmts[SP__SQL_COUNT];
};

static inline struct sp__sqlite *sp__sqlite_of(struct sp_store *store)
{
	return (struct sp__sqlite *)store;
}

/* Records why and maps the engine's result to one of ours. */
int sp__fail(struct sp__sqlite *s, int rc, const char *what);

/* Before SQLite is used: the name of the VFS to open files with, or null for
 * the system's. sqlite_vfs.c */
const char *sp__sqlite_setup(void);
/* Where its memory comes from. sqlite_mem.c */
const sqlite3_mem_methods *sp__sqlite_memory(void);

/* The schema: creates or migrates (writer). sqlite_schema.c */
int sp__migrate(struct sp__sqlite *s);
int sp__check_version(struct sp__sqlite *s);

/* Runs constant SQL without parameters. */
int sp__exec(struct sp__sqlite *s, const char *sql);
/* The first column of the first row as a number; for pragmas. */
int sp__exec_int(struct sp__sqlite *s, const char *sql, int64_t *value_out);

/*
 * A statement in use. Binding and reading are sticky: after the first error
 * nothing happens until sp__end says what it was. Every sp__use is followed
 * by one sp__end, which resets the statement.
 *
 *   struct sp__use u = sp__use(s, SP__SQL_...);
 *   sp__bind_int(&u, 1, id);
 *   while (sp__row(&u)) {
 *           x = sp__int(&u, 0, 0, INT64_MAX);
 *   }
 *   return sp__end(&u);
 */
struct sp__use {
	struct sp__sqlite *s;
	sqlite3_stmt *stmt;
	int next; /* parameter */
	int error;
};

struct sp__use sp__use(struct sp__sqlite *s, enum sp__sql sql);
/* For text put together from constant parts; finalized at the end. */
struct sp__use sp__use_text(struct sp__sqlite *s, const char *sql);
int sp__end(struct sp__use *u);
int sp__end_text(struct sp__use *u);

/* Parameters in their order; strings are borrowed until sp__end. */
void sp__bind_int(struct sp__use *u, int64_t value);
void sp__bind_str(struct sp__use *u, struct sp_str value);
void sp__bind_blob(struct sp__use *u, struct sp_str value);
void sp__bind_null(struct sp__use *u);

/* The next row; false at the end and after an error. */
bool sp__row(struct sp__use *u);
/* Runs a statement that gives no row; its sp__end. */
int sp__run(struct sp__use *u);

/* Columns, checked: what lies in the file is input like any other. Null is
 * 0 or the empty string. Strings are borrowed until the next row. */
int64_t sp__int(struct sp__use *u, int column, int64_t min, int64_t max);
bool sp__bool(struct sp__use *u, int column);
struct sp_str sp__str(struct sp__use *u, int column, size_t max);

/* An event of the trace; rcpt 0: of the whole message. detail_of 0, or the
 * row of the event that keeps the detail of this attempt. sqlite_settle.c */
struct sp__event {
	int64_t message, rcpt, detail_of;
	struct sp_store_event event;
};
int sp__event_insert(struct sp__sqlite *s, const struct sp__event *event);

/* A domain kept over the next statement. */
struct sp__domain {
	size_t len;
	char text[SP_ADDRESS_DOMAIN_MAX];
};
static inline struct sp_str sp__domain_str(const struct sp__domain *d)
{
	return (struct sp_str){d->text, d->len};
}
void sp__domain_set(struct sp__domain *d, struct sp_str domain);

struct sp__domains {
	struct sp_str *items;
	size_t count;
};

/*
 * Destinations: sqlite_destination.c. A row exists while recipients of the
 * domain are queued or leased; whoever changes those refreshes it. now_ms
 * INT64_MIN: not known. Within a turn rows are in hand; before the commit,
 * and before a statement that changes rows by itself, they are put back.
 */
int sp__destinations_flush(struct sp__sqlite *s);
int sp__destinations_failing(struct sp__sqlite *s); /* rows of these only */
void sp__destinations_drop(struct sp__sqlite *s);   /* the turn is lost */
/* A recipient was queued that was not there before. */
int sp__destination_queued(struct sp__sqlite *s, struct sp_str domain,
                           unsigned worker, int64_t due_ms);
/* Recipients of an attempt were settled, none of them queued again. */
int sp__destination_landed(struct sp__sqlite *s, struct sp_str domain,
                           uint64_t attempt_id, int64_t now_ms);
int sp__destination_refresh(struct sp__sqlite *s, struct sp_str domain,
                            int64_t now_ms);
/* The same for a walk over rows: refreshes the last domain when another one
 * comes, and at the end (flush). last starts with len 0. */
int sp__destination_note(struct sp__sqlite *s, struct sp__domain *last,
                         struct sp_str domain, int64_t now_ms);
int sp__destination_flush(struct sp__sqlite *s, struct sp__domain *last,
                          int64_t now_ms);
/* The domain of a recipient and its worker; empty: there is no such one. */
int sp__destination_of(struct sp__sqlite *s, int64_t rcpt,
                       struct sp__domain *out, unsigned *worker_out);
/* Domains of the open recipients of a message (queue id). */
int sp__destinations_of(struct sp__sqlite *s, struct sp_str id,
                        struct sp_arena *arena, struct sp__domains *out);
int sp__destinations_refresh(struct sp__sqlite *s,
                             const struct sp__domains *domains);
/* Recipients of a message are queued. */
int sp__destinations_join(struct sp__sqlite *s, struct sp_str id);

/* Those that work and are due now, in their order; the first max of them at
 * least, and whether there may be more. */
int sp__destinations_due(struct sp__sqlite *s, unsigned worker, int64_t now_ms,
                         size_t max, struct sp_arena *arena,
                         struct sp__domains *out, bool *more_out);
/* One that fails and is to be tried. SP_ENOTFOUND: none. */
int sp__destination_probe(struct sp__sqlite *s, unsigned worker, int64_t now_ms,
                          struct sp__domain *domain_out);
struct sp__offer {
	bool any;     /* false: the row was stale */
	bool waiting; /* those that wait are due too */
};
int sp__destination_offer(struct sp__sqlite *s, struct sp_str domain,
                          struct sp__offer *offer_out);
/* It has been asked, and something was found or not; again_out: it has more
 * that is due. */
int sp__destination_asked(struct sp__sqlite *s, struct sp_str domain,
                          int64_t now_ms, bool found, bool *again_out);
/* What the outcome of an attempt says about it, before the recipients are
 * settled; waits_out: those that are deferred wait for it. */
int sp__destination_news(struct sp__sqlite *s, struct sp_str domain,
                         const struct sp_store_outcome *o, bool *waits_out);
/* Not left alone any more (then refresh). */
int sp__destination_lift(struct sp__sqlite *s, struct sp_str domain,
                         int64_t now_ms);

int sp__next_due(struct sp_store *, unsigned worker, int64_t *);
int sp__overdue(struct sp_store *, int64_t now_ms, size_t limit,
                struct sp_arena *, struct sp_store_failure *,
                struct sp_store_lease_rcpt **, size_t *count_out);
int sp__next_overdue(struct sp_store *, int64_t *);
int sp__end_pauses(struct sp_store *, int64_t now_ms);

/* What a turn changes in the counters. sqlite_count.c */
void sp__count(struct sp__sqlite *s, int kind, int64_t by);
void sp__count_state(struct sp__sqlite *s, int from, int to, int64_t rows);
int sp__counts_flush(struct sp__sqlite *s); /* also before rows go */
void sp__counts_drop(struct sp__sqlite *s); /* the turn is lost */

/* Facts about the file: 0 where there is none. sqlite_meta.c */
int sp__meta_get(struct sp__sqlite *s, const char *name, int64_t *value_out);
int sp__meta_set(struct sp__sqlite *s, const char *name, int64_t value);
int sp__clock(struct sp_store *, struct sp_store_clock *);
int sp__set_clock(struct sp_store *, const struct sp_store_clock *);
int sp__shift(struct sp_store *, int64_t by_ms);

/* The verbs, by file. sqlite_incoming.c */
int sp__enqueue(struct sp_store *, const struct sp_store_incoming *);
int sp__append_body(struct sp_store *, struct sp_str id, uint32_t seq,
                    struct sp_str data);
int sp__finish(struct sp_store *, struct sp_str id, bool body_8bit);
int sp__abort(struct sp_store *, struct sp_str id);
int sp__sweep_incoming(struct sp_store *, uint64_t *count_out);
int sp__read_body(struct sp_store *, struct sp_str id, uint32_t seq,
                  struct sp_arena *, struct sp_str *, bool *last_out);
int sp__purge(struct sp_store *, int64_t before_ms, size_t limit,
              uint64_t *count_out);

/* sqlite_sign.c. Messages to be signed have this due time. */
#define SP__NEVER_MS (INT64_C(1) << 62)
int sp__set_to_sign(struct sp__sqlite *s, int64_t message);
int sp__list_to_sign(struct sp_store *, uint64_t seq, size_t max,
                     struct sp_arena *, struct sp_store_to_sign **,
                     size_t *count_out);
int sp__sign(struct sp_store *, struct sp_str id, struct sp_str signature,
             int64_t now_ms, struct sp_str detail);

/* sqlite_queue.c */
int sp__claim_due(struct sp_store *, unsigned worker, int64_t now_ms,
                  size_t job_max, size_t rcpt_max, struct sp_arena *,
                  struct sp_store_job **, size_t *count_out);
int sp__lease(struct sp_store *, uint64_t attempt_id, struct sp_arena *,
              struct sp_store_lease_rcpt **, size_t *count_out);
int sp__release_leases(struct sp_store *, unsigned worker, const uint64_t *keep,
                       size_t keep_count, int64_t now_ms, uint64_t *count_out);
/* A message by CLAIM_MESSAGE, strings in the arena. SP_ENOTFOUND. */
struct sp__message {
	struct sp_str id;
	struct sp_envelope envelope; /* without recipients */
	int64_t expires_ms;
	uint64_t size_bytes;
};
int sp__message_read(struct sp__sqlite *s, int64_t message,
                     struct sp_arena *arena, struct sp__message *out);
/* A row of LEASE or OVERDUE. */
void sp__lease_read(struct sp__use *u, struct sp_arena *arena,
                    struct sp_store_lease_rcpt *out);
int sp__next_expiry(struct sp_store *, int64_t *);
int sp__set_workers(struct sp_store *, unsigned workers,
                    unsigned (*worker_of)(struct sp_str, unsigned),
                    int64_t now_ms, uint64_t *changed_out);

/* sqlite_settle.c */
int sp__settle(struct sp_store *, const struct sp_store_outcome *);
int sp__expire(struct sp_store *, int64_t now_ms, size_t limit,
               struct sp_str code, struct sp_str cause, struct sp_str reply,
               uint64_t *count_out);
int sp__act(struct sp_store *, enum sp_store_action,
            const struct sp_store_filter *, size_t batch, int64_t now_ms,
            uint64_t *changed_out);

/* The message may be done with now: its body goes then. */
int sp__check_done(struct sp__sqlite *s, int64_t message, int64_t now_ms);

/* sqlite_report.c */
int sp__next_report(struct sp_store *, int64_t now_ms, bool notices,
                    struct sp_arena *, struct sp_store_report *);
int sp__read_evidence(struct sp_store *, uint64_t evidence_id,
                      struct sp_arena *, struct sp_str *);
int sp__reported(struct sp_store *, const struct sp_store_report *,
                 int64_t now_ms, struct sp_str detail);
int sp__next_notice(struct sp_store *, int64_t *);

/* sqlite_exception.c */
int sp__exception_set(struct sp_store *, const struct sp_store_exception *);
int sp__exception_remove(struct sp_store *, struct sp_str domain);
int sp__exception_find(struct sp_store *, struct sp_str domain, int64_t now_ms,
                       struct sp_arena *, struct sp_store_exception *);
int sp__exceptions(struct sp_store *, int64_t now_ms, sp_store_exception_fn *,
                   void *);

/* sqlite_sts.c */
int sp__sts_set(struct sp_store *, const struct sp_store_sts *);
int sp__sts_find(struct sp_store *, struct sp_str domain, struct sp_arena *,
                 struct sp_store_sts *);
int sp__sts_mark(struct sp_store *, struct sp_str domain, int64_t used_ms,
                 int64_t refresh_ms);
int sp__sts_due(struct sp_store *, int64_t now_ms, size_t max,
                struct sp_arena *, struct sp_store_sts **, size_t *count_out);
int sp__sts_next(struct sp_store *, int64_t *);
int sp__sts_forget(struct sp_store *, int64_t before_ms, size_t max,
                   uint64_t *count_out);

/* sqlite_tls_report.c */
int sp__tls_count(struct sp_store *, int64_t day,
                  const struct sp_store_tls_count *);
int sp__tls_counts(struct sp_store *, int64_t first_day, int64_t last_day,
                   struct sp_str domain, sp_store_tls_count_fn *, void *);
int sp__tls_out_set(struct sp_store *, const struct sp_store_tls_out *);
int sp__tls_out_find(struct sp_store *, int64_t day, struct sp_str domain,
                     struct sp_str uri, enum sp_store_tls_out_state *);
int sp__tls_outs_of(struct sp_store *, int64_t day, struct sp_str domain,
                    sp_store_tls_out_fn *, void *);
int sp__tls_outs_to(struct sp_store *, int64_t first_day, int64_t last_day,
                    struct sp_str uri, sp_store_tls_out_fn *, void *);
int sp__tls_outs(struct sp_store *, int64_t first_day, int64_t last_day,
                 sp_store_tls_out_fn *, void *);
int sp__tls_in_add(struct sp_store *, const struct sp_store_tls_in *,
                   bool *known_out, bool *first_out);
int sp__tls_ins(struct sp_store *, int64_t from_ms, int64_t to_ms,
                struct sp_str domain, sp_store_tls_in_fn *, void *);
int sp__tls_untold(struct sp_store *, size_t max, sp_store_tls_in_fn *, void *);
int sp__tls_in_told(struct sp_store *, struct sp_str domain, bool by_alert);
int sp__tls_in_alerts(struct sp_store *, int64_t since_ms, uint64_t *count_out);
int sp__tls_purge(struct sp_store *, int64_t before_day);

/* sqlite_look.c */
int sp__search(struct sp_store *, const struct sp_store_filter *,
               sp_store_row_fn *, void *);
int sp__events(struct sp_store *, uint64_t rcpt_id, sp_store_event_fn *,
               void *);
int sp__failing(struct sp_store *, unsigned worker, size_t limit,
                sp_store_failing_fn *, void *);
int sp__stats(struct sp_store *, struct sp_store_stats *);
/* Ids of recipients that the filter names, their message ids, their
 * attempts; extra is a constant condition on r. */
struct sp__target {
	int64_t rcpt, message;
	uint32_t attempts;
};
int sp__select(struct sp__sqlite *s, const struct sp_store_filter *filter,
               const char *extra, int64_t now_ms, size_t limit,
               struct sp_arena *arena, struct sp__target **targets_out,
               size_t *count_out);

#endif
