/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sender is to be told. A report is due while report_due is 1 (the
 * recipient failed, or was delivered where NOTIFY=SUCCESS is ours to
 * answer), a delay notice once notice_ms has passed. Both are cleared in the
 * turn that enqueues the report, so that a report exists exactly when they
 * are cleared, whatever breaks between.
 */
#include "base/err.h"
#include "store/sqlite.h"
#include "wire/address.h"

struct found {
	int64_t message;
	enum sp_store_state state;
};

static int find_report(struct sp__sqlite *s, struct found *found_out)
{
	struct sp__use u = sp__use(s, SP__SQL_REPORT_FIND);

	if (sp__row(&u)) {
		found_out->message = sp__int(&u, 0, 1, INT64_MAX);
		found_out->state = (enum sp_store_state)sp__int(
			&u, 1, SP_STORE_DELIVERED, SP_STORE_FAILED);
	}
	return sp__end(&u);
}

static int find_notice(struct sp__sqlite *s, int64_t now_ms,
                       struct found *found_out)
{
	struct sp__use u = sp__use(s, SP__SQL_NOTICE_FIND);

	sp__bind_int(&u, now_ms);
	if (sp__row(&u)) {
		found_out->message = sp__int(&u, 0, 1, INT64_MAX);
		found_out->state = SP_STORE_QUEUED;
	}
	return sp__end(&u);
}

static void read_rcpt(struct sp__use *u, struct sp_arena *a,
                      struct sp_store_report_rcpt *r)
{
	r->rcpt_id = (uint64_t)sp__int(u, 0, 1, INT64_MAX);
	r->rcpt.address = sp_arena_str(a, sp__str(u, 1, SP_ADDRESS_MAX));
	r->rcpt.domain = sp_arena_str(a, sp__str(u, 2, SP_ADDRESS_DOMAIN_MAX));
	r->rcpt.orcpt = sp_arena_str(a, sp__str(u, 3, SP_ENVELOPE_ORCPT_MAX));
	r->rcpt.notify = (uint8_t)sp__int(u, 4, 0, 15);
	r->code = sp_arena_str(a, sp__str(u, 5, SP_STORE_CODE_MAX));
	r->cause = sp_arena_str(a, sp__str(u, 6, SP_STORE_CAUSE_MAX));
	r->reply = sp_arena_str(a, sp__str(u, 7, SP_STORE_REPLY_MAX));
	r->attempts = (uint32_t)sp__int(u, 8, 0, UINT32_MAX);
	r->expires_ms = sp__int(u, 9, INT64_MIN, INT64_MAX);
}

static int read_rcpts(struct sp__sqlite *s, const struct found *found,
                      int64_t now_ms, struct sp_arena *arena,
                      struct sp_store_report *out)
{
	bool notice = found->state == SP_STORE_QUEUED;
	struct sp__use u = sp__use(s, notice ? SP__SQL_NOTICE_RCPTS
	                                     : SP__SQL_REPORT_RCPTS);

	out->rcpts = sp_arena_array(arena, SP_ENVELOPE_RCPT_MAX,
	                            sizeof(*out->rcpts));
	sp__bind_int(&u, found->message);
	sp__bind_int(&u, notice ? now_ms : (int64_t)found->state);
	sp__bind_int(&u, SP_ENVELOPE_RCPT_MAX);
	while (out->rcpt_count < SP_ENVELOPE_RCPT_MAX && sp__row(&u)) {
		read_rcpt(&u, arena, &out->rcpts[out->rcpt_count++]);
	}
	return sp__end(&u);
}

static int read_attempt(struct sp__sqlite *s, int64_t message,
                        struct sp_arena *a, struct sp_store_report_rcpt *r)
{
	struct sp__use u = sp__use(s, SP__SQL_LAST_ATTEMPT);

	sp__bind_int(&u, message);
	sp__bind_int(&u, (int64_t)r->rcpt_id);
	if (sp__row(&u)) {
		r->attempt_ms = sp__int(&u, 0, INT64_MIN, INT64_MAX);
		r->attempt_reply =
			sp_arena_str(a, sp__str(&u, 1, SP_STORE_REPLY_MAX));
		r->host = sp_arena_str(a, sp__str(&u, 2, SP_STORE_HOST_MAX));
		r->address =
			sp_arena_str(a, sp__str(&u, 3, SP_STORE_ADDRESS_MAX));
		r->evidence_id = (uint64_t)sp__int(&u, 4, 0, INT64_MAX);
	}
	return sp__end(&u);
}

static int fill(struct sp__sqlite *s, const struct found *found, int64_t now_ms,
                struct sp_arena *arena, struct sp_store_report *out)
{
	static const enum sp_store_report_kind kinds[SP_STORE_STATE_COUNT] = {
		[SP_STORE_QUEUED] = SP_STORE_REPORT_DELAYED,
		[SP_STORE_DELIVERED] = SP_STORE_REPORT_RELAYED,
		[SP_STORE_FAILED] = SP_STORE_REPORT_FAILED,
	};
	struct sp__message m = {0};
	int ret = sp__message_read(s, found->message, arena, &m);

	if (ret) {
		return ret == SP_ENOTFOUND ? SP_ESTORE : ret;
	}
	out->kind = kinds[found->state];
	out->id = m.id;
	out->envelope = m.envelope;
	out->size_bytes = m.size_bytes;
	ret = read_rcpts(s, found, now_ms, arena, out);
	for (size_t i = 0; ret == 0 && i < out->rcpt_count; i++) {
		ret = read_attempt(s, found->message, arena, &out->rcpts[i]);
	}
	return ret || out->rcpt_count ? ret : SP_ESTORE;
}

int sp__next_report(struct sp_store *store, int64_t now_ms, bool notices,
                    struct sp_arena *arena, struct sp_store_report *report_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct found found = {0};
	int ret = find_report(s, &found);

	if (ret == 0 && found.message == 0 && notices) {
		ret = find_notice(s, now_ms, &found);
	}
	if (ret || found.message == 0) {
		return ret ? ret : SP_ENOTFOUND;
	}
	return fill(s, &found, now_ms, arena, report_out);
}

int sp__read_evidence(struct sp_store *store, uint64_t evidence_id,
                      struct sp_arena *arena, struct sp_str *detail_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_EVIDENCE);
	bool found = false;
	int ret;

	sp__bind_int(&u, (int64_t)evidence_id);
	while (sp__row(&u)) {
		*detail_out = sp_arena_str(arena,
		                           sp__str(&u, 0, SP_STORE_DETAIL_MAX));
		found = true;
	}
	ret = sp__end(&u);
	return ret || found ? ret : SP_ENOTFOUND;
}

/* Clears what was due; message_out stays 0 when nothing was. */
static int clear(struct sp__sqlite *s, enum sp_store_report_kind kind,
                 uint64_t rcpt_id, int64_t *message_out)
{
	struct sp__use u =
		sp__use(s, kind == SP_STORE_REPORT_DELAYED ? SP__SQL_NOTICED
	                                                   : SP__SQL_REPORTED);

	*message_out = 0;
	sp__bind_int(&u, (int64_t)rcpt_id);
	while (sp__row(&u)) {
		*message_out = sp__int(&u, 0, 1, INT64_MAX);
		sp__count(s, SP__COUNT_REPORT_DUE,
		          kind == SP_STORE_REPORT_DELAYED ? 0 : -1);
	}
	return sp__end(&u);
}

struct telling {
	int64_t message;   /* 0: of none yet */
	int64_t detail_of; /* the first event has the detail */
};

static int tell_one(struct sp__sqlite *s, const struct sp_store_report *report,
                    const struct sp_store_report_rcpt *r, int64_t now_ms,
                    struct sp_str detail, struct telling *t)
{
	struct sp__event event = {
		.rcpt = (int64_t)r->rcpt_id,
		.detail_of = t->detail_of,
		.event = {.time_ms = now_ms,
	                  .type = SP_STORE_EVENT_RESOLVED,
	                  .attempt = r->attempts,
	                  .code = r->code,
	                  .cause = r->cause,
	                  .detail = t->detail_of ? SP_STR("") : detail},
	};
	int ret = clear(s, report->kind, r->rcpt_id, &event.message);

	if (ret || event.message == 0) {
		return ret;
	}
	t->message = event.message;
	ret = sp__event_insert(s, &event);
	if (ret == 0 && t->detail_of == 0 && detail.len) {
		t->detail_of = sqlite3_last_insert_rowid(s->db);
	}
	return ret;
}

int sp__reported(struct sp_store *store, const struct sp_store_report *report,
                 int64_t now_ms, struct sp_str detail)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct telling t = {0};
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < report->rcpt_count; i++) {
		ret = tell_one(s, report, &report->rcpts[i], now_ms, detail,
		               &t);
	}
	if (ret || t.message == 0) {
		return ret ? ret : SP_ENOTFOUND;
	}
	return sp__check_done(s, t.message, now_ms);
}

int sp__next_notice(struct sp_store *store, int64_t *notice_ms_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_NEXT_NOTICE);

	*notice_ms_out = -1;
	while (sp__row(&u)) {
		*notice_ms_out = sp__int(&u, 0, 0, INT64_MAX);
	}
	return sp__end(&u);
}
