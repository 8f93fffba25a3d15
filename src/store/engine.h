/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_STORE_ENGINE_H
#define SP_STORE_ENGINE_H

#include "store/store.h"
#include "store/tls_report.h"

/*
 * What an engine of the store implements; only store/ includes this. The
 * verbs are those of store.h, which says what they mean. store.c has checked
 * limits, and that turns are open where they must be, before it calls.
 */

struct sp_store_ops {
	const char *scheme; /* "sqlite:" */
	/* rest is the URL behind the scheme. The engine fills why itself. */
	int (*open)(struct sp_str rest, enum sp_store_mode mode, bool check,
	            struct sp_store **store_out, char *why_out, size_t why_cap);
	void (*close)(struct sp_store *store); /* frees it */

	int (*begin)(struct sp_store *);
	int (*commit)(struct sp_store *);
	void (*rollback)(struct sp_store *);
	int (*maintain)(struct sp_store *, bool all);
	int (*room)(struct sp_store *, int64_t *bytes_out);

	int (*enqueue)(struct sp_store *, const struct sp_store_incoming *);
	int (*append_body)(struct sp_store *, struct sp_str id, uint32_t seq,
	                   struct sp_str data);
	int (*finish)(struct sp_store *, struct sp_str id, bool body_8bit);
	int (*abort)(struct sp_store *, struct sp_str id);
	int (*sweep_incoming)(struct sp_store *, uint64_t *count_out);

	int (*list_to_sign)(struct sp_store *, uint64_t seq, size_t max,
	                    struct sp_arena *, struct sp_store_to_sign **,
	                    size_t *count_out);
	int (*sign)(struct sp_store *, struct sp_str id,
	            struct sp_str signature, int64_t now_ms,
	            struct sp_str detail);

	int (*claim_due)(struct sp_store *, unsigned worker, int64_t now_ms,
	                 size_t job_max, size_t rcpt_max, struct sp_arena *,
	                 struct sp_store_job **, size_t *count_out);
	int (*lease)(struct sp_store *, uint64_t attempt_id, struct sp_arena *,
	             struct sp_store_lease_rcpt **, size_t *count_out);
	int (*settle)(struct sp_store *, const struct sp_store_outcome *);
	int (*release_leases)(struct sp_store *, unsigned worker,
	                      const uint64_t *keep, size_t keep_count,
	                      int64_t now_ms, uint64_t *count_out);
	int (*expire)(struct sp_store *, int64_t now_ms, size_t limit,
	              struct sp_str code, struct sp_str cause,
	              struct sp_str reply, uint64_t *count_out);
	int (*next_report)(struct sp_store *, int64_t now_ms, bool notices,
	                   struct sp_arena *, struct sp_store_report *);
	int (*read_evidence)(struct sp_store *, uint64_t evidence_id,
	                     struct sp_arena *, struct sp_str *);
	int (*reported)(struct sp_store *, const struct sp_store_report *,
	                int64_t now_ms, struct sp_str detail);
	int (*next_notice)(struct sp_store *, int64_t *);
	int (*exception_set)(struct sp_store *,
	                     const struct sp_store_exception *);
	int (*exception_remove)(struct sp_store *, struct sp_str domain);
	int (*exception_find)(struct sp_store *, struct sp_str domain,
	                      int64_t now_ms, struct sp_arena *,
	                      struct sp_store_exception *);
	int (*exceptions)(struct sp_store *, int64_t now_ms,
	                  sp_store_exception_fn *, void *);
	int (*sts_set)(struct sp_store *, const struct sp_store_sts *);
	int (*sts_find)(struct sp_store *, struct sp_str domain,
	                struct sp_arena *, struct sp_store_sts *);
	int (*sts_mark)(struct sp_store *, struct sp_str domain,
	                int64_t used_ms, int64_t refresh_ms);
	int (*sts_due)(struct sp_store *, int64_t now_ms, size_t max,
	               struct sp_arena *, struct sp_store_sts **,
	               size_t *count_out);
	int (*sts_next)(struct sp_store *, int64_t *);
	int (*sts_forget)(struct sp_store *, int64_t before_ms, size_t max,
	                  uint64_t *count_out);
	int (*next_due)(struct sp_store *, unsigned worker, int64_t *);
	int (*overdue)(struct sp_store *, int64_t now_ms, size_t limit,
	               struct sp_arena *, struct sp_store_failure *,
	               struct sp_store_lease_rcpt **, size_t *count_out);
	int (*next_overdue)(struct sp_store *, int64_t *);
	int (*end_pauses)(struct sp_store *, int64_t now_ms);
	int (*next_expiry)(struct sp_store *, int64_t *);
	int (*read_body)(struct sp_store *, struct sp_str id, uint32_t seq,
	                 struct sp_arena *, struct sp_str *, bool *last_out);
	int (*set_workers)(struct sp_store *, unsigned workers,
	                   unsigned (*worker_of)(struct sp_str, unsigned),
	                   int64_t now_ms, uint64_t *changed_out);
	int (*purge)(struct sp_store *, int64_t before_ms, size_t limit,
	             uint64_t *count_out);
	int (*clock)(struct sp_store *, struct sp_store_clock *);
	int (*set_clock)(struct sp_store *, const struct sp_store_clock *);
	int (*shift)(struct sp_store *, int64_t by_ms);

	int (*search)(struct sp_store *, const struct sp_store_filter *,
	              sp_store_row_fn *, void *);
	int (*events)(struct sp_store *, uint64_t rcpt_id, sp_store_event_fn *,
	              void *);
	int (*act)(struct sp_store *, enum sp_store_action,
	           const struct sp_store_filter *, size_t batch, int64_t now_ms,
	           uint64_t *changed_out);
	int (*failing)(struct sp_store *, unsigned worker, size_t limit,
	               sp_store_failing_fn *, void *);
	int (*stats)(struct sp_store *, struct sp_store_stats *);

	int (*tls_count)(struct sp_store *, int64_t day,
	                 const struct sp_store_tls_count *);
	int (*tls_counts)(struct sp_store *, int64_t first_day,
	                  int64_t last_day, struct sp_str domain,
	                  sp_store_tls_count_fn *, void *);
	int (*tls_out_set)(struct sp_store *, const struct sp_store_tls_out *);
	int (*tls_out_find)(struct sp_store *, int64_t day,
	                    struct sp_str domain, struct sp_str uri,
	                    enum sp_store_tls_out_state *);
	int (*tls_outs_of)(struct sp_store *, int64_t day, struct sp_str domain,
	                   sp_store_tls_out_fn *, void *);
	int (*tls_outs_to)(struct sp_store *, int64_t first_day,
	                   int64_t last_day, struct sp_str uri,
	                   sp_store_tls_out_fn *, void *);
	int (*tls_outs)(struct sp_store *, int64_t first_day, int64_t last_day,
	                sp_store_tls_out_fn *, void *);
	int (*tls_in_add)(struct sp_store *, const struct sp_store_tls_in *,
	                  bool *known_out, bool *first_out);
	int (*tls_ins)(struct sp_store *, int64_t from_ms, int64_t to_ms,
	               struct sp_str domain, sp_store_tls_in_fn *, void *);
	int (*tls_untold)(struct sp_store *, size_t max, sp_store_tls_in_fn *,
	                  void *);
	int (*tls_in_told)(struct sp_store *, struct sp_str domain,
	                   bool by_alert);
	int (*tls_in_alerts)(struct sp_store *, int64_t since_ms,
	                     uint64_t *count_out);
	int (*tls_purge)(struct sp_store *, int64_t before_day);
};

/* The head of every engine's own struct. */
struct sp_store {
	const struct sp_store_ops *ops;
	enum sp_store_mode mode;
	bool in_turn;
	enum sp_store_check checked;
	struct sp_store_limits limits;
	char why[SP_STORE_WHY_MAX];
};

extern const struct sp_store_ops SP_STORE_SQLITE;

#endif
