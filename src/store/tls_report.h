/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_STORE_TLS_REPORT_H
#define SP_STORE_TLS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct sp_store;

/*
 * What the store keeps for TLS reports (RFC 8460): the counts of each UTC
 * day, how far its reports have got, and the reports that others sent us.
 * Rules of store.h hold. A day is the number of days since 1970-01-01 UTC.
 * Lists (policy, mx_hosts, oddities) have one item a line.
 */

#define SP_STORE_TLS_TEXT_MAX    255
#define SP_STORE_TLS_LIST_MAX    8192
#define SP_STORE_TLS_URI_MAX     1024
#define SP_STORE_TLS_WHY_MAX     500
#define SP_STORE_TLS_DETAILS_MAX (256u * 1024)
#define SP_STORE_DAY_MS          INT64_C(86400000)

/* ---- counting ---- */

struct sp_store_tls_count {
	struct sp_str type; /* policy type */
	struct sp_str domain;
	struct sp_str recipient; /* domain that the mail was for */
	struct sp_str policy;
	struct sp_str mx_hosts;
	struct sp_str result; /* empty: success */
	struct sp_str sending_ip, mx_host, mx_helo, receiving_ip, reason;
	uint64_t sessions;
};

/* [turn] Adds the sessions to those of the day. */
int sp_store_tls_count(struct sp_store *store, int64_t day,
                       const struct sp_store_tls_count *count);

/* A non-zero result ends the walk and is handed through. */
typedef int sp_store_tls_count_fn(void *arg, int64_t day,
                                  const struct sp_store_tls_count *count);

/* By day, domain and policy; domain empty: all, else those of that policy
 * domain or for that recipient domain. Readers too. */
int sp_store_tls_counts(struct sp_store *store, int64_t first_day,
                        int64_t last_day, struct sp_str domain,
                        sp_store_tls_count_fn *fn, void *arg);

/* ---- reports that we send ---- */

#define SP_STORE_TLS_OUTS(X)                                                   \
	X(NONE, "no-record")  /* the domain wants none; uri is empty */        \
	X(WAITING, "waiting") /* for its first or next try at next_ms */       \
	X(QUEUED, "queued")   /* as mail: queue_id */                          \
	X(SENT, "sent")       /* taken by an https receiver, or written */     \
	X(DROPPED, "dropped") /* given up */

enum sp_store_tls_out_state {
#define SP_X(name, text) SP_STORE_TLS_OUT_##name,
	SP_STORE_TLS_OUTS(SP_X)
#undef SP_X
};
const char *sp_store_tls_out_name(enum sp_store_tls_out_state state);

/* One report to one address. Key: day, domain, uri. */
struct sp_store_tls_out {
	int64_t day;
	struct sp_str domain;
	struct sp_str uri;
	enum sp_store_tls_out_state state;
	struct sp_str report_id;
	uint32_t tries;
	int64_t next_ms; /* 0: none */
	struct sp_str queue_id;
	struct sp_str why; /* of the last failure, or empty */
	int64_t time_ms;   /* of the last change */
};

/* [turn] In place of what it was. */
int sp_store_tls_out_set(struct sp_store *store,
                         const struct sp_store_tls_out *out);

/* Its state, or SP_ENOTFOUND. */
int sp_store_tls_out_find(struct sp_store *store, int64_t day,
                          struct sp_str domain, struct sp_str uri,
                          enum sp_store_tls_out_state *state_out);

typedef int sp_store_tls_out_fn(void *arg, const struct sp_store_tls_out *out);
int sp_store_tls_outs(struct sp_store *store, int64_t first_day,
                      int64_t last_day, sp_store_tls_out_fn *fn, void *arg);
/* Of one report; and those to one address, the newest day first: a result of
 * fn that is not 0 ends the list and is returned. */
int sp_store_tls_outs_of(struct sp_store *store, int64_t day,
                         struct sp_str domain, sp_store_tls_out_fn *fn,
                         void *arg);
int sp_store_tls_outs_to(struct sp_store *store, int64_t first_day,
                         int64_t last_day, struct sp_str uri,
                         sp_store_tls_out_fn *fn, void *arg);

/* ---- reports that we got ---- */

/* One policy of a report. */
struct sp_store_tls_in {
	int64_t received_ms;
	struct sp_str organization;
	struct sp_str report_id;
	struct sp_str contact;
	int64_t start_ms, end_ms;
	struct sp_str dkim; /* "pass example.org", "fail ...", "none", or "file"
	                     * where it came without mail */
	bool trusted;       /* it counts: DKIM passed, or came by the
	                     * operator's hand without mail */
	struct sp_str type;
	struct sp_str domain;
	struct sp_str policy;
	uint64_t successful, failed;
	struct sp_str failures; /* JSON list, as `lint` shows them */
	struct sp_str oddities;
};

/* [turn] known_out: a row with the same organization, report-id, type, domain
 * and policy was there, and nothing was changed; of those that count, only one
 * of the same signer or from the operator's hand is the same, and it replaces
 * those that don't. first_out: it is the first that counts and tells of a
 * failure of the domain. */
int sp_store_tls_in_add(struct sp_store *store,
                        const struct sp_store_tls_in *in, bool *known_out,
                        bool *first_out);

typedef int sp_store_tls_in_fn(void *arg, const struct sp_store_tls_in *in);
/* Begun in [from, to), domain empty: all; the newest first. */
int sp_store_tls_ins(struct sp_store *store, int64_t from_ms, int64_t to_ms,
                     struct sp_str domain, sp_store_tls_in_fn *fn, void *arg);

/* Those that count, tell of failures, and that the postmaster was not told of:
 * the oldest of them, at most max. */
int sp_store_tls_untold(struct sp_store *store, size_t max,
                        sp_store_tls_in_fn *fn, void *arg);
/* [turn] All of these (of the domain, unless it is empty) were told of. */
int sp_store_tls_in_told(struct sp_store *store, struct sp_str domain,
                         bool by_alert);
/* How many were told of by an alert and received since then. */
int sp_store_tls_in_alerts(struct sp_store *store, int64_t since_ms,
                           uint64_t *count_out);

/* [turn] Forgets counts and sent reports before the day, reports got before
 * its begin. */
int sp_store_tls_purge(struct sp_store *store, int64_t before_day);

#endif
