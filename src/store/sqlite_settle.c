/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of recipients: by an outcome, by the clock, by the operator.
 * Each change writes its event in the same turn. When the last recipient of
 * a message is done with and no report is due, the body goes at once; the
 * trace stays until it is purged.
 */
#include "base/err.h"
#include "store/sqlite.h"

int sp__event_insert(struct sp__sqlite *s, const struct sp__event *event)
{
	const struct sp_store_event *e = &event->event;
	struct sp__use u = sp__use(s, SP__SQL_EVENT_INSERT);

	sp__bind_int(&u, event->message);
	if (event->rcpt) {
		sp__bind_int(&u, event->rcpt);
	} else {
		sp__bind_null(&u);
	}
	sp__bind_int(&u, e->time_ms);
	sp__bind_int(&u, e->type);
	sp__bind_int(&u, e->attempt);
	sp__bind_str(&u, e->code);
	sp__bind_str(&u, e->cause);
	sp__bind_str(&u, e->reply);
	sp__bind_str(&u, e->security);
	sp__bind_str(&u, e->host);
	sp__bind_str(&u, e->address);
	if (e->detail.len) {
		sp__bind_str(&u, e->detail);
	} else {
		sp__bind_null(&u);
	}
	if (event->detail_of) {
		sp__bind_int(&u, event->detail_of);
	}
	return sp__run(&u);
}

int sp__check_done(struct sp__sqlite *s, int64_t message, int64_t now_ms)
{
	struct sp__use u = sp__use(s, SP__SQL_MESSAGE_DONE);
	int ret;

	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, message);
	ret = sp__run(&u);
	if (ret || sqlite3_changes(s->db) == 0) {
		return ret;
	}
	u = sp__use(s, SP__SQL_BODY_DELETE);
	sp__bind_int(&u, message);
	return sp__run(&u);
}

/* ---- by an outcome ---- */

struct settling {
	const struct sp_store_outcome *outcome;
	bool waits;        /* those deferred wait for the destination */
	int64_t message;   /* 0: none settled yet */
	int64_t detail_of; /* first event of this attempt */
};

static void bind_outcome(struct sp__use *u, const struct settling *st,
                         const struct sp_store_outcome_rcpt *r)
{
	const struct sp_store_outcome *o = st->outcome;

	sp__bind_int(u, r->state);
	sp__bind_int(u, r->state == SP_STORE_QUEUED ? r->due_ms : o->now_ms);
	sp__bind_str(u, r->code);
	sp__bind_str(u, r->cause);
	sp__bind_str(u, r->reply);
	sp__bind_str(u, o->security);
	sp__bind_str(u, r->expired_code);
	sp__bind_str(u, r->expired_reply);
	sp__bind_int(u, r->state != SP_STORE_QUEUED && r->report_due);
	if (r->state == SP_STORE_QUEUED) {
		sp__bind_null(u);
	} else {
		sp__bind_int(u, o->now_ms);
	}
	sp__bind_int(u, r->state == SP_STORE_QUEUED && st->waits);
	sp__bind_int(u, o->now_ms);
}

/* Leased under the attempt; without one, queued. */
static void bind_lease(struct sp__use *u, uint64_t attempt_id)
{
	sp__bind_int(u, attempt_id ? SP_STORE_LEASED : SP_STORE_QUEUED);
	if (attempt_id) {
		sp__bind_int(u, (int64_t)attempt_id);
	} else {
		sp__bind_null(u);
	}
}

static bool had_cause(struct sp__use *u, const struct sp_store_outcome_rcpt *r)
{
	return sp_str_eq(sp__str(u, 2, SP_STORE_CAUSE_MAX), r->cause);
}

/* SP_ENOTFOUND when it isn't leased under the attempt. */
static int settle_find(struct sp__sqlite *s, const struct settling *st,
                       const struct sp_store_outcome_rcpt *r,
                       struct sp__target *target_out, bool *event_out)
{
	struct sp__use u = sp__use(s, SP__SQL_SETTLE_FIND);
	bool found = false;
	int ret;

	sp__bind_int(&u, (int64_t)r->rcpt_id);
	bind_lease(&u, st->outcome->attempt_id);
	if (sp__row(&u)) {
		found = true;
		target_out->message = sp__int(&u, 0, 1, INT64_MAX);
		target_out->attempts =
			(uint32_t)sp__int(&u, 1, 0, UINT32_MAX - 1) +
			!r->uncounted;
		*event_out = !r->uncounted || (r->noted && !had_cause(&u, r));
	}
	ret = sp__end(&u);
	return ret || found ? ret : SP_ENOTFOUND;
}

static int settle_row(struct sp__sqlite *s, const struct settling *st,
                      const struct sp_store_outcome_rcpt *r)
{
	struct sp__use u = sp__use(s, !r->uncounted ? SP__SQL_SETTLE
	                              : r->noted    ? SP__SQL_SETTLE_NOTED
	                                            : SP__SQL_SETTLE_UNCOUNTED);

	if (r->uncounted) {
		sp__bind_int(&u, r->due_ms);
	} else {
		bind_outcome(&u, st, r);
	}
	if (r->uncounted && r->noted) {
		sp__bind_str(&u, r->code);
		sp__bind_str(&u, r->cause);
		sp__bind_str(&u, r->reply);
	}
	sp__bind_int(&u, (int64_t)r->rcpt_id);
	sp__count_state(
		s, st->outcome->attempt_id ? SP_STORE_LEASED : SP_STORE_QUEUED,
		(int)r->state, 1);
	sp__count(s, SP__COUNT_REPORT_DUE,
	          r->state != SP_STORE_QUEUED && r->report_due);
	return sp__run(&u);
}

static int settle_event(struct sp__sqlite *s, struct settling *st,
                        const struct sp_store_outcome_rcpt *r,
                        uint32_t attempts)
{
	static const enum sp_store_event_type types[SP_STORE_STATE_COUNT] = {
		[SP_STORE_QUEUED] = SP_STORE_EVENT_DEFER,
		[SP_STORE_DELIVERED] = SP_STORE_EVENT_SEND,
		[SP_STORE_FAILED] = SP_STORE_EVENT_FAIL,
	};
	const struct sp_store_outcome *o = st->outcome;
	const struct sp__event event = {
		.message = st->message,
		.rcpt = (int64_t)r->rcpt_id,
		.detail_of = st->detail_of,
		.event = {.time_ms = o->now_ms,
	                  .type = types[r->state],
	                  .attempt = attempts,
	                  .code = r->code,
	                  .cause = r->cause,
	                  .reply = r->reply,
	                  .security = o->security,
	                  .host = o->host,
	                  .address = o->address,
	                  .detail = st->detail_of ? SP_STR("") : o->detail},
	};
	int ret = sp__event_insert(s, &event);

	if (ret == 0 && st->detail_of == 0 && o->detail.len) {
		st->detail_of = sqlite3_last_insert_rowid(s->db);
	}
	return ret;
}

static int settle_one(struct sp__sqlite *s, struct settling *st,
                      const struct sp_store_outcome_rcpt *r)
{
	struct sp__target target = {0};
	bool event = false;
	int ret = settle_find(s, st, r, &target, &event);

	ret = ret ? ret : settle_row(s, st, r);
	if (ret == 0) {
		st->message = target.message;
		if (event) {
			ret = settle_event(s, st, r, target.attempts);
		}
	}
	return ret == SP_ENOTFOUND ? 0 : ret;
}

static bool any_done(const struct sp_store_outcome *outcome)
{
	for (size_t i = 0; i < outcome->rcpt_count; i++) {
		if (outcome->rcpts[i].state != SP_STORE_QUEUED) {
			return true;
		}
	}
	return false;
}

static bool all_done(const struct sp_store_outcome *outcome)
{
	for (size_t i = 0; i < outcome->rcpt_count; i++) {
		if (outcome->rcpts[i].state == SP_STORE_QUEUED) {
			return false;
		}
	}
	return true;
}

static int settle_all(struct sp__sqlite *s, struct settling *st)
{
	const struct sp_store_outcome *o = st->outcome;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < o->rcpt_count; i++) {
		ret = settle_one(s, st, &o->rcpts[i]);
	}
	if (ret == 0 && st->message == 0) {
		return SP_ENOTFOUND;
	}
	return ret == 0 && any_done(o)
	               ? sp__check_done(s, st->message, o->now_ms)
	               : ret;
}

/* By the state of a destination: nothing new about it. sp__overdue looks at
 * the destination again before anybody claims. */
static int settle_unattempted(struct sp__sqlite *s,
                              const struct sp_store_outcome *outcome)
{
	struct settling st = {.outcome = outcome, .waits = true};

	return settle_all(s, &st);
}

int sp__settle(struct sp_store *store, const struct sp_store_outcome *outcome)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct settling st = {.outcome = outcome};
	struct sp__domain domain;
	struct sp_str name;
	unsigned worker;
	int ret;

	if (outcome->attempt_id == 0) {
		return settle_unattempted(s, outcome);
	}
	if (outcome->rcpt_count == 0) {
		return SP_ENOTFOUND;
	}
	ret = sp__destination_of(s, (int64_t)outcome->rcpts[0].rcpt_id, &domain,
	                         &worker);
	name = sp__domain_str(&domain);
	ret = ret ? ret : sp__destination_news(s, name, outcome, &st.waits);
	ret = ret ? ret : settle_all(s, &st);
	if (ret) {
		return ret;
	}
	return all_done(outcome)
	               ? sp__destination_landed(s, name, outcome->attempt_id,
	                                        outcome->now_ms)
	               : sp__destination_refresh(s, name, outcome->now_ms);
}

/* ---- by the clock ---- */

struct expiring {
	int64_t rcpt, message;
	uint32_t attempts;
	bool report_due;
	struct sp_str code, cause, reply, security, domain;
};

static void read_expiring(struct sp__use *u, struct sp_arena *a,
                          struct expiring *e)
{
	uint8_t notify = (uint8_t)sp__int(u, 3, 0, 15);

	e->rcpt = sp__int(u, 0, 1, INT64_MAX);
	e->message = sp__int(u, 1, 1, INT64_MAX);
	e->attempts = (uint32_t)sp__int(u, 2, 0, UINT32_MAX);
	e->report_due = sp_store_wants_report(notify);
	e->code = sp_arena_str(a, sp__str(u, 4, SP_STORE_CODE_MAX));
	e->cause = sp_arena_str(a, sp__str(u, 5, SP_STORE_CAUSE_MAX));
	e->reply = sp_arena_str(a, sp__str(u, 6, SP_STORE_REPLY_MAX));
	e->security = sp_arena_str(a, sp__str(u, 7, SP_STORE_SECURITY_MAX));
	e->domain = sp_arena_str(a, sp__str(u, 8, SP_ADDRESS_DOMAIN_MAX));
}

static int find_expiring(struct sp__sqlite *s, int64_t now_ms, size_t limit,
                         struct sp_arena *arena, struct expiring **list_out,
                         size_t *count_out)
{
	struct sp__use u = sp__use(s, SP__SQL_EXPIRE_FIND);
	struct expiring *list = NULL;
	size_t count = 0;

	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, (int64_t)limit);
	while (count < limit && sp__row(&u)) {
		if (!list) { /* in most turns there is none */
			list = sp_arena_array(arena, limit, sizeof(*list));
		}
		read_expiring(&u, arena, &list[count++]);
	}
	*list_out = list;
	*count_out = count;
	return sp__end(&u);
}

static int expire_one(struct sp__sqlite *s, const struct expiring *e,
                      int64_t now_ms)
{
	struct sp__use u = sp__use(s, SP__SQL_EXPIRE);
	const struct sp__event event = {
		.message = e->message,
		.rcpt = e->rcpt,
		.event = {.time_ms = now_ms,
	                  .type = SP_STORE_EVENT_FAIL,
	                  .attempt = e->attempts,
	                  .code = e->code,
	                  .cause = e->cause,
	                  .reply = e->reply,
	                  .security = e->security},
	};
	int ret;

	sp__bind_str(&u, e->code);
	sp__bind_str(&u, e->cause);
	sp__bind_str(&u, e->reply);
	sp__bind_int(&u, e->report_due);
	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, e->rcpt);
	ret = sp__run(&u);
	sp__count_state(s, SP_STORE_QUEUED, SP_STORE_FAILED, 1);
	sp__count(s, SP__COUNT_REPORT_DUE, e->report_due);
	ret = ret ? ret : sp__event_insert(s, &event);
	return ret ? ret : sp__check_done(s, e->message, now_ms);
}

int sp__expire(struct sp_store *store, int64_t now_ms, size_t limit,
               struct sp_str code, struct sp_str cause, struct sp_str reply,
               uint64_t *count_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__domain last = {.len = 0};
	struct sp_arena arena;
	struct expiring *list;
	size_t count;
	int ret;

	sp_arena_init(&arena);
	ret = find_expiring(s, now_ms, limit, &arena, &list, &count);
	for (size_t i = 0; ret == 0 && i < count; i++) {
		if (list[i].code.len == 0) {
			list[i].code = code;
			list[i].cause = cause;
			list[i].reply = reply;
		}
		ret = expire_one(s, &list[i], now_ms);
		ret = ret ? ret
		          : sp__destination_note(s, &last, list[i].domain,
		                                 now_ms);
	}
	ret = ret ? ret : sp__destination_flush(s, &last, now_ms);
	*count_out = ret ? 0 : count;
	sp_arena_fini(&arena);
	return ret;
}

/* ---- by the operator ---- */

static const struct {
	const char *condition; /* whom it touches */
	enum sp_store_state to;
	enum sp_store_event_type event;
	bool done;
} ACTIONS[] = {
	[SP_STORE_ACT_RETRY] = {" AND r.state <= 2 AND r.state = 0"
                                " AND m.to_sign = 0 AND r.due_ms > ?",
                                SP_STORE_QUEUED, SP_STORE_EVENT_RETRY, false},
	[SP_STORE_ACT_HOLD] = {" AND r.state <= 2 AND r.state = 0 AND ?",
                               SP_STORE_HELD, SP_STORE_EVENT_HOLD, false},
	[SP_STORE_ACT_RELEASE] = {" AND r.state <= 2 AND r.state = 2 AND ?",
                                  SP_STORE_QUEUED, SP_STORE_EVENT_RELEASE,
                                  false},
	[SP_STORE_ACT_REMOVE] = {" AND r.state <= 2 AND r.state IN (0, 2)"
                                 " AND ?",
                                 SP_STORE_REMOVED, SP_STORE_EVENT_REMOVE, true},
};

/* A destination whose mail the operator wants tried is not left alone. */
static int act_on_destination(struct sp__sqlite *s, enum sp_store_action action,
                              int64_t rcpt, struct sp__domain *last,
                              int64_t now_ms)
{
	struct sp__domain domain;
	unsigned worker;
	int ret = sp__destination_of(s, rcpt, &domain, &worker);
	struct sp_str name = sp__domain_str(&domain);

	if (ret == 0 && action == SP_STORE_ACT_RETRY) {
		ret = sp__destination_lift(s, name, now_ms);
	} else if (ret == 0 && action == SP_STORE_ACT_RELEASE) {
		ret = sp__destination_queued(s, name, worker, now_ms);
	}
	return ret ? ret : sp__destination_note(s, last, name, now_ms);
}

static int count_act(struct sp__sqlite *s, int64_t rcpt, int to)
{
	struct sp__use u = sp__use(s, SP__SQL_ACT_FROM);

	sp__bind_int(&u, rcpt);
	if (sp__row(&u)) {
		sp__count_state(
			s, (int)sp__int(&u, 0, 0, SP_STORE_STATE_COUNT - 1), to,
			1);
	}
	return sp__end(&u);
}

static int act_on(struct sp__sqlite *s, enum sp_store_action action,
                  const struct sp__target *target, int64_t now_ms)
{
	struct sp__use u;
	const struct sp__event event = {
		.message = target->message,
		.rcpt = target->rcpt,
		.event = {.time_ms = now_ms,
	                  .type = ACTIONS[action].event,
	                  .attempt = target->attempts},
	};
	int ret;

	ret = count_act(s, target->rcpt, (int)ACTIONS[action].to);
	if (ret) {
		return ret;
	}
	u = sp__use(s, ACTIONS[action].done ? SP__SQL_ACT_DONE
	                                    : SP__SQL_ACT_STATE);
	sp__bind_int(&u, ACTIONS[action].to);
	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, target->rcpt);
	ret = sp__run(&u);
	ret = ret ? ret : sp__event_insert(s, &event);
	if (ret == 0 && ACTIONS[action].done) {
		ret = sp__check_done(s, target->message, now_ms);
	}
	return ret;
}

int sp__act(struct sp_store *store, enum sp_store_action action,
            const struct sp_store_filter *filter, size_t batch, int64_t now_ms,
            uint64_t *changed_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__target *targets = NULL;
	struct sp__domain last = {.len = 0};
	struct sp_arena arena;
	size_t count = 0;
	int ret;

	sp_arena_init(&arena);
	ret = sp__select(s, filter, ACTIONS[action].condition, now_ms, batch,
	                 &arena, &targets, &count);
	for (size_t i = 0; ret == 0 && i < count; i++) {
		ret = act_on(s, action, &targets[i], now_ms);
		ret = ret ? ret
		          : act_on_destination(s, action, targets[i].rcpt,
		                               &last, now_ms);
	}
	ret = ret ? ret : sp__destination_flush(s, &last, now_ms);
	*changed_out = ret ? 0 : count;
	sp_arena_fini(&arena);
	return ret;
}
