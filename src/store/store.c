/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all engines share: the choice of the engine, the names of states and
 * events, and the checks on what callers hand in. An engine therefore never
 * sees a value over its limit, or a change outside a turn.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "store/engine.h"
#include "wire/address.h"

static const struct sp_store_ops *const ENGINES[] = {&SP_STORE_SQLITE};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *sp_store_state_name(enum sp_store_state state)
{
	static const char *const names[] = {
#define SP_X(name, text) text,
		SP_STORE_STATES(SP_X)
#undef SP_X
	};

	return (size_t)state < COUNT(names) ? names[state] : "?";
}

const char *sp_store_event_name(enum sp_store_event_type type)
{
	static const char *const names[] = {
#define SP_X(name, text) text,
		SP_STORE_EVENTS(SP_X)
#undef SP_X
	};

	return (size_t)type < COUNT(names) ? names[type] : "?";
}

enum sp_store_status sp_store_status_of(enum sp_store_state state)
{
	static const enum sp_store_status statuses[SP_STORE_STATE_COUNT] = {
		[SP_STORE_QUEUED] = SP_STORE_PENDING,
		[SP_STORE_LEASED] = SP_STORE_PENDING,
		[SP_STORE_HELD] = SP_STORE_PENDING,
		[SP_STORE_DELIVERED] = SP_STORE_STATUS_DELIVERED,
		[SP_STORE_FAILED] = SP_STORE_STATUS_FAILED,
		[SP_STORE_REMOVED] = SP_STORE_STATUS_FAILED,
	};

	SP_ASSERT(state < SP_STORE_STATE_COUNT);
	return statuses[state];
}

static const struct {
	enum sp_store_status status;
	const char *name;
} STATUSES[] = {
	{SP_STORE_PENDING, "pending"},
	{SP_STORE_STATUS_DELIVERED, "delivered"},
	{SP_STORE_STATUS_FAILED, "failed"},
	{SP_STORE_EXPANDED, "expanded"},
};

const char *sp_store_status_name(enum sp_store_status status)
{
	for (size_t i = 0; i < COUNT(STATUSES); i++) {
		if (STATUSES[i].status == status) {
			return STATUSES[i].name;
		}
	}
	return "?";
}

int sp_store_status_find(struct sp_str name, enum sp_store_status *status_out)
{
	for (size_t i = 0; i < COUNT(STATUSES); i++) {
		if (sp_str_eq_nocase(name, sp_str_from(STATUSES[i].name))) {
			*status_out = STATUSES[i].status;
			return 0;
		}
	}
	return SP_ENOTFOUND;
}

bool sp_store_wants_report(uint8_t notify)
{
	return notify == 0 || (notify & SP_NOTIFY_FAILURE) != 0;
}

bool sp_store_wants_notice(uint8_t notify, bool null_sender)
{
	return !null_sender && (notify == 0 || (notify & SP_NOTIFY_DELAY) != 0);
}

const char *sp_store_report_kind_name(enum sp_store_report_kind kind)
{
	static const char *const names[] = {
		[SP_STORE_REPORT_FAILED] = "failed",
		[SP_STORE_REPORT_RELAYED] = "relayed",
		[SP_STORE_REPORT_DELAYED] = "delayed",
	};

	return names[kind];
}

/* ---- opening and turns ---- */

int sp_store_open(struct sp_str url, enum sp_store_mode mode, bool check,
                  struct sp_store **store_out, char *why_out, size_t why_cap)
{
	for (size_t i = 0; i < COUNT(ENGINES); i++) {
		struct sp_str scheme = sp_str_from(ENGINES[i]->scheme);

		if (sp_str_starts_nocase(url, scheme)) {
			return ENGINES[i]->open(
				sp_str_sub(url, scheme.len, url.len), mode,
				check, store_out, why_out, why_cap);
		}
	}
	(void)snprintf(why_out, why_cap,
	               "store: not a known kind of store (sqlite:/path)");
	return SP_ECONFIG;
}

enum sp_store_check sp_store_checked(const struct sp_store *store)
{
	return store->checked;
}

void sp_store_close(struct sp_store **store)
{
	if (*store) {
		sp_store_rollback(*store);
		(*store)->ops->close(*store);
		*store = NULL;
	}
}

const char *sp_store_why(const struct sp_store *store)
{
	return store->why;
}

static void assert_turn(const struct sp_store *store)
{
	SP_ASSERT(store->mode == SP_STORE_WRITER);
	SP_ASSERT(store->in_turn);
}

int sp_store_begin(struct sp_store *store)
{
	int ret;

	SP_ASSERT(store->mode == SP_STORE_WRITER);
	SP_ASSERT(!store->in_turn);
	ret = store->ops->begin(store);
	store->in_turn = ret == 0;
	return ret;
}

int sp_store_commit(struct sp_store *store)
{
	int ret;

	assert_turn(store);
	ret = store->ops->commit(store);
	if (ret) {
		store->ops->rollback(store);
	}
	store->in_turn = false;
	return ret;
}

void sp_store_rollback(struct sp_store *store)
{
	if (store->in_turn) {
		store->ops->rollback(store);
		store->in_turn = false;
	}
}

int sp_store_maintain(struct sp_store *store, bool all)
{
	SP_ASSERT(store->mode == SP_STORE_WRITER);
	SP_ASSERT(!store->in_turn);
	return store->ops->maintain(store, all);
}

int sp_store_room(struct sp_store *store, int64_t *bytes_out)
{
	SP_ASSERT(store->mode == SP_STORE_WRITER);
	SP_ASSERT(!store->in_turn);
	return store->ops->room(store, bytes_out);
}

/* ---- limits ---- */

struct limit {
	struct sp_str value;
	size_t max;
};

static int check_limits(const struct limit *limits, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (limits[i].value.len > limits[i].max) {
			return SP_ELIMIT;
		}
	}
	return 0;
}

static bool id_ok(struct sp_str id)
{
	return id.len > 0 && id.len <= SP_STORE_ID_MAX;
}

static int check_rcpt(const struct sp_envelope_rcpt *rcpt)
{
	const struct limit limits[] = {
		{rcpt->address, SP_ADDRESS_MAX},
		{rcpt->domain, SP_ADDRESS_DOMAIN_MAX},
		{rcpt->orcpt, SP_ENVELOPE_ORCPT_MAX},
	};

	return check_limits(limits, COUNT(limits));
}

static int check_envelope(const struct sp_envelope *e)
{
	const struct limit limits[] = {
		{e->sender, SP_ADDRESS_MAX},
		{e->envid, SP_ENVELOPE_ENVID_MAX},
		{e->client, SP_STORE_ADDRESS_MAX},
		{e->helo, SP_STORE_HOST_MAX},
		{e->message_id, SP_ENVELOPE_MESSAGE_ID_MAX},
	};
	int ret = check_limits(limits, COUNT(limits));

	if (e->rcpt_count == 0 || e->rcpt_count > SP_ENVELOPE_RCPT_MAX) {
		ret = SP_ELIMIT;
	}
	for (size_t i = 0; ret == 0 && i < e->rcpt_count; i++) {
		ret = check_rcpt(&e->rcpts[i]);
	}
	return ret;
}

static int check_outcome(const struct sp_store_outcome *o)
{
	const struct limit limits[] = {
		{o->security, SP_STORE_SECURITY_MAX},
		{o->host, SP_STORE_HOST_MAX},
		{o->address, SP_STORE_ADDRESS_MAX},
		{o->detail, SP_STORE_DETAIL_MAX},
	};
	int ret = check_limits(limits, COUNT(limits));

	for (size_t i = 0; ret == 0 && i < o->rcpt_count; i++) {
		const struct sp_store_outcome_rcpt *r = &o->rcpts[i];
		const struct limit texts[] = {
			{r->code, SP_STORE_CODE_MAX},
			{r->cause, SP_STORE_CAUSE_MAX},
			{r->reply, SP_STORE_REPLY_MAX},
			{r->expired_code, SP_STORE_CODE_MAX},
			{r->expired_reply, SP_STORE_REPLY_MAX},
		};

		SP_ASSERT(r->state == SP_STORE_QUEUED ||
		          r->state == SP_STORE_DELIVERED ||
		          r->state == SP_STORE_FAILED);
		ret = check_limits(texts, COUNT(texts));
	}
	return ret;
}

static int check_failure(const struct sp_store_failure *f)
{
	const struct limit limits[] = {
		{f->id, SP_STORE_ID_MAX},
		{f->code, SP_STORE_CODE_MAX},
		{f->cause, SP_STORE_CAUSE_MAX},
		{f->reply, SP_STORE_REPLY_MAX},
		{f->expired_code, SP_STORE_CODE_MAX},
		{f->expired_reply, SP_STORE_REPLY_MAX},
		{f->security, SP_STORE_SECURITY_MAX},
		{f->host, SP_STORE_HOST_MAX},
		{f->address, SP_STORE_ADDRESS_MAX},
	};

	return check_limits(limits, COUNT(limits));
}

/* ---- a message comes in ---- */

int sp_store_enqueue(struct sp_store *store,
                     const struct sp_store_incoming *incoming)
{
	int ret;

	assert_turn(store);
	if (!id_ok(incoming->id) || incoming->body.len > SP_STORE_CHUNK_MAX) {
		return SP_ELIMIT;
	}
	ret = check_envelope(incoming->envelope);
	for (size_t i = 0; ret == 0 && i < incoming->envelope->rcpt_count;
	     i++) {
		SP_ASSERT(incoming->workers[i] < SP_STORE_WORKER_MAX);
	}
	return ret ? ret : store->ops->enqueue(store, incoming);
}

int sp_store_append_body(struct sp_store *store, struct sp_str id, uint32_t seq,
                         struct sp_str data)
{
	assert_turn(store);
	if (!id_ok(id) || data.len > SP_STORE_CHUNK_MAX) {
		return SP_ELIMIT;
	}
	return store->ops->append_body(store, id, seq, data);
}

int sp_store_finish(struct sp_store *store, struct sp_str id, bool body_8bit)
{
	assert_turn(store);
	return id_ok(id) ? store->ops->finish(store, id, body_8bit)
	                 : SP_ENOTFOUND;
}

int sp_store_list_to_sign(struct sp_store *store, uint64_t seq, size_t max,
                          struct sp_arena *arena,
                          struct sp_store_to_sign **list_out, size_t *count_out)
{
	*list_out = NULL;
	*count_out = 0;
	return store->ops->list_to_sign(store, seq, max, arena, list_out,
	                                count_out);
}

int sp_store_sign(struct sp_store *store, struct sp_str id,
                  struct sp_str signature, int64_t now_ms, struct sp_str detail)
{
	assert_turn(store);
	if (signature.len > SP_STORE_SIGNATURE_MAX ||
	    detail.len > SP_STORE_DETAIL_MAX) {
		return SP_ELIMIT;
	}
	return id_ok(id)
	               ? store->ops->sign(store, id, signature, now_ms, detail)
	               : SP_ENOTFOUND;
}

int sp_store_abort(struct sp_store *store, struct sp_str id)
{
	assert_turn(store);
	return id_ok(id) ? store->ops->abort(store, id) : SP_ENOTFOUND;
}

int sp_store_sweep_incoming(struct sp_store *store, uint64_t *count_out)
{
	assert_turn(store);
	return store->ops->sweep_incoming(store, count_out);
}

/* ---- delivery ---- */

int sp_store_claim_due(struct sp_store *store, unsigned worker, int64_t now_ms,
                       size_t job_max, size_t rcpt_max, struct sp_arena *arena,
                       struct sp_store_job **jobs_out, size_t *count_out)
{
	assert_turn(store);
	SP_ASSERT(rcpt_max > 0 && rcpt_max <= SP_ENVELOPE_RCPT_MAX);
	return store->ops->claim_due(store, worker, now_ms, job_max, rcpt_max,
	                             arena, jobs_out, count_out);
}

int sp_store_lease(struct sp_store *store, uint64_t attempt_id,
                   struct sp_arena *arena,
                   struct sp_store_lease_rcpt **rcpts_out, size_t *count_out)
{
	*rcpts_out = NULL;
	*count_out = 0;
	if (attempt_id > INT64_MAX) {
		return 0; /* never given */
	}
	return store->ops->lease(store, attempt_id, arena, rcpts_out,
	                         count_out);
}

int sp_store_settle(struct sp_store *store,
                    const struct sp_store_outcome *outcome)
{
	int ret;

	assert_turn(store);
	ret = check_outcome(outcome);
	if (ret == 0 && outcome->failure) {
		ret = check_failure(outcome->failure);
	}
	if (ret == 0 && outcome->attempt_id > INT64_MAX) {
		ret = SP_ENOTFOUND;
	}
	return ret ? ret : store->ops->settle(store, outcome);
}

int sp_store_release_leases(struct sp_store *store, unsigned worker,
                            const uint64_t *keep, size_t keep_count,
                            int64_t now_ms, uint64_t *count_out)
{
	assert_turn(store);
	return store->ops->release_leases(store, worker, keep, keep_count,
	                                  now_ms, count_out);
}

int sp_store_expire(struct sp_store *store, int64_t now_ms, size_t limit,
                    struct sp_str code, struct sp_str cause,
                    struct sp_str reply, uint64_t *count_out)
{
	const struct limit limits[] = {
		{code, SP_STORE_CODE_MAX},
		{cause, SP_STORE_CAUSE_MAX},
		{reply, SP_STORE_REPLY_MAX},
	};

	assert_turn(store);
	SP_ASSERT(check_limits(limits, COUNT(limits)) == 0);
	return store->ops->expire(store, now_ms, limit, code, cause, reply,
	                          count_out);
}

int sp_store_next_report(struct sp_store *store, int64_t now_ms, bool notices,
                         struct sp_arena *arena,
                         struct sp_store_report *report_out)
{
	assert_turn(store);
	memset(report_out, 0, sizeof(*report_out));
	return store->ops->next_report(store, now_ms, notices, arena,
	                               report_out);
}

int sp_store_read_evidence(struct sp_store *store, uint64_t evidence_id,
                           struct sp_arena *arena, struct sp_str *detail_out)
{
	if (evidence_id == 0 || evidence_id > INT64_MAX) {
		return SP_ENOTFOUND;
	}
	return store->ops->read_evidence(store, evidence_id, arena, detail_out);
}

int sp_store_exception_set(struct sp_store *store,
                           const struct sp_store_exception *exception)
{
	assert_turn(store);
	if (exception->domain.len == 0 ||
	    exception->domain.len > SP_ADDRESS_DOMAIN_MAX ||
	    exception->reason.len > SP_STORE_REASON_MAX) {
		return SP_ELIMIT;
	}
	return store->ops->exception_set(store, exception);
}

int sp_store_exception_remove(struct sp_store *store, struct sp_str domain)
{
	assert_turn(store);
	return store->ops->exception_remove(store, domain);
}

int sp_store_exception_find(struct sp_store *store, struct sp_str domain,
                            int64_t now_ms, struct sp_arena *arena,
                            struct sp_store_exception *exception_out)
{
	return store->ops->exception_find(store, domain, now_ms, arena,
	                                  exception_out);
}

int sp_store_exceptions(struct sp_store *store, int64_t now_ms,
                        sp_store_exception_fn *fn, void *arg)
{
	return store->ops->exceptions(store, now_ms, fn, arg);
}

int sp_store_sts_set(struct sp_store *store, const struct sp_store_sts *row)
{
	const struct limit limits[] = {
		{row->domain, SP_ADDRESS_DOMAIN_MAX},
		{row->id, SP_STORE_STS_ID_MAX},
		{row->body, SP_STORE_STS_BODY_MAX},
	};

	assert_turn(store);
	if (row->domain.len == 0 || check_limits(limits, COUNT(limits))) {
		return SP_ELIMIT;
	}
	return store->ops->sts_set(store, row);
}

int sp_store_sts_find(struct sp_store *store, struct sp_str domain,
                      struct sp_arena *arena, struct sp_store_sts *row_out)
{
	return store->ops->sts_find(store, domain, arena, row_out);
}

int sp_store_sts_mark(struct sp_store *store, struct sp_str domain,
                      int64_t used_ms, int64_t refresh_ms)
{
	assert_turn(store);
	return store->ops->sts_mark(store, domain, used_ms, refresh_ms);
}

int sp_store_sts_due(struct sp_store *store, int64_t now_ms, size_t max,
                     struct sp_arena *arena, struct sp_store_sts **rows_out,
                     size_t *count_out)
{
	return store->ops->sts_due(store, now_ms, max, arena, rows_out,
	                           count_out);
}

int sp_store_sts_next(struct sp_store *store, int64_t *time_ms_out)
{
	return store->ops->sts_next(store, time_ms_out);
}

int sp_store_sts_forget(struct sp_store *store, int64_t before_ms, size_t max,
                        uint64_t *count_out)
{
	assert_turn(store);
	return store->ops->sts_forget(store, before_ms, max, count_out);
}

int sp_store_reported(struct sp_store *store,
                      const struct sp_store_report *report, int64_t now_ms,
                      struct sp_str detail)
{
	assert_turn(store);
	if (detail.len > SP_STORE_DETAIL_MAX) {
		return SP_ELIMIT;
	}
	return store->ops->reported(store, report, now_ms, detail);
}

int sp_store_next_notice(struct sp_store *store, int64_t *notice_ms_out)
{
	return store->ops->next_notice(store, notice_ms_out);
}

void sp_store_set_limits(struct sp_store *store,
                         const struct sp_store_limits *limits)
{
	SP_ASSERT(limits->destination_max > 0 && limits->probe_max > 0);
	store->limits = *limits;
}

int sp_store_overdue(struct sp_store *store, int64_t now_ms, size_t limit,
                     struct sp_arena *arena,
                     struct sp_store_failure *failure_out,
                     struct sp_store_lease_rcpt **rcpts_out, size_t *count_out)
{
	assert_turn(store);
	memset(failure_out, 0, sizeof(*failure_out));
	*count_out = 0;
	return store->ops->overdue(store, now_ms, limit, arena, failure_out,
	                           rcpts_out, count_out);
}

int sp_store_next_overdue(struct sp_store *store, int64_t *time_ms_out)
{
	return store->ops->next_overdue(store, time_ms_out);
}

int sp_store_end_pauses(struct sp_store *store, int64_t now_ms)
{
	assert_turn(store);
	return store->ops->end_pauses(store, now_ms);
}

int sp_store_clock(struct sp_store *store, struct sp_store_clock *clock_out)
{
	memset(clock_out, 0, sizeof(*clock_out));
	return store->ops->clock(store, clock_out);
}

int sp_store_set_clock(struct sp_store *store,
                       const struct sp_store_clock *clock)
{
	assert_turn(store);
	return store->ops->set_clock(store, clock);
}

int sp_store_shift(struct sp_store *store, int64_t by_ms)
{
	assert_turn(store);
	return store->ops->shift(store, by_ms);
}

int sp_store_next_due(struct sp_store *store, unsigned worker,
                      int64_t *due_ms_out)
{
	return store->ops->next_due(store, worker, due_ms_out);
}

int sp_store_next_expiry(struct sp_store *store, int64_t *expires_ms_out)
{
	return store->ops->next_expiry(store, expires_ms_out);
}

int sp_store_read_body(struct sp_store *store, struct sp_str id, uint32_t seq,
                       struct sp_arena *arena, struct sp_str *data_out,
                       bool *last_out)
{
	if (!id_ok(id)) {
		return SP_ENOTFOUND;
	}
	return store->ops->read_body(store, id, seq, arena, data_out, last_out);
}

int sp_store_set_workers(struct sp_store *store, unsigned workers,
                         unsigned (*worker_of)(struct sp_str domain,
                                               unsigned workers),
                         int64_t now_ms, uint64_t *changed_out)
{
	assert_turn(store);
	SP_ASSERT(workers > 0 && workers <= SP_STORE_WORKER_MAX);
	return store->ops->set_workers(store, workers, worker_of, now_ms,
	                               changed_out);
}

int sp_store_purge(struct sp_store *store, int64_t before_ms, size_t limit,
                   uint64_t *count_out)
{
	assert_turn(store);
	return store->ops->purge(store, before_ms, limit, count_out);
}

/* ---- looking, and the operator ---- */

int sp_store_search(struct sp_store *store,
                    const struct sp_store_filter *filter, sp_store_row_fn *fn,
                    void *arg)
{
	return store->ops->search(store, filter, fn, arg);
}

int sp_store_events(struct sp_store *store, uint64_t rcpt_id,
                    sp_store_event_fn *fn, void *arg)
{
	return store->ops->events(store, rcpt_id, fn, arg);
}

int sp_store_act(struct sp_store *store, enum sp_store_action action,
                 const struct sp_store_filter *filter, size_t batch,
                 int64_t now_ms, uint64_t *changed_out)
{
	assert_turn(store);
	return store->ops->act(store, action, filter, batch, now_ms,
	                       changed_out);
}

int sp_store_failing(struct sp_store *store, unsigned worker, size_t limit,
                     sp_store_failing_fn *fn, void *arg)
{
	return store->ops->failing(store, worker, limit, fn, arg);
}

int sp_store_stats(struct sp_store *store, struct sp_store_stats *stats_out)
{
	memset(stats_out, 0, sizeof(*stats_out));
	return store->ops->stats(store, stats_out);
}
