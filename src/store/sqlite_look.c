/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at the store. A search is put together from constant conditions;
 * what the caller asks for is always a bound parameter. What drives it: an
 * id, a recipient or a sender where one is named, each by an index of its
 * own; else for pending recipients the index of open ones, so that the length
 * of the trace doesn't matter; everything else walks messages, newest first.
 */
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/sqlite.h"
#include "wire/address.h"

#define SQL_MAX   4096
#define PARAM_MAX 24

/* Where a filter has this set, the condition with its parameters. */
struct param {
	bool is_text;
	struct sp_str text;
	int64_t number;
};

struct query {
	struct sp_buf sql;
	struct param params[PARAM_MAX];
	size_t count;
	char message_id[SP_ENVELOPE_MESSAGE_ID_MAX + 3];
};

static void add(struct query *q, const char *sql)
{
	sp_buf_append_cstr(&q->sql, sql);
}

static void add_number(struct query *q, const char *sql, int64_t number)
{
	SP_ASSERT(q->count < PARAM_MAX);
	add(q, sql);
	q->params[q->count++] = (struct param){.number = number};
}

static void add_text(struct query *q, const char *sql, struct sp_str text)
{
	if (text.len) {
		SP_ASSERT(q->count < PARAM_MAX);
		add(q, sql);
		q->params[q->count++] =
			(struct param){.is_text = true, .text = text};
	}
}

/* Users leave the brackets out; the header has them. */
static void add_message_id(struct query *q, struct sp_str id)
{
	size_t len = 0;

	if (id.len == 0 || id.len > SP_ENVELOPE_MESSAGE_ID_MAX) {
		add(q, id.len ? " AND 0" : "");
		return;
	}
	if (id.ptr[0] != '<') {
		q->message_id[len++] = '<';
	}
	memcpy(q->message_id + len, id.ptr, id.len);
	len += id.len;
	if (id.ptr[0] != '<') {
		q->message_id[len++] = '>';
	}
	add(q, " AND m.message_id <> ''");
	add_text(q, " AND m.message_id = ?", sp_str_slice(q->message_id, len));
}

static void add_sender(struct query *q, struct sp_str sender)
{
	if (sp_str_eq(sender, SP_STR("<>"))) {
		add(q, " AND m.sender = ''");
	} else {
		add_text(q, " AND m.sender = ? COLLATE NOCASE", sender);
	}
}

static void add_statuses(struct query *q, unsigned statuses)
{
	if (statuses == 0) {
		return;
	}
	add(q, " AND (0");
	add(q, statuses & SP_STORE_PENDING ? " OR r.state <= 2" : "");
	add(q, statuses & SP_STORE_STATUS_DELIVERED ? " OR r.state = 3" : "");
	add(q,
	    statuses & SP_STORE_STATUS_FAILED ? " OR r.state IN (4, 5)" : "");
	add(q, ")");
}

static int64_t clamp_size(uint64_t size)
{
	return size > INT64_MAX ? INT64_MAX : (int64_t)size;
}

static void add_numbers(struct query *q, const struct sp_store_filter *f)
{
	if (f->from_ms) {
		add_number(q, " AND m.received_ms >= ?", f->from_ms);
	}
	if (f->to_ms) {
		add_number(q, " AND m.received_ms < ?", f->to_ms);
	}
	if (f->size_min) {
		add_number(q, " AND m.size_bytes >= ?",
		           clamp_size(f->size_min));
	}
	if (f->size_max) {
		add_number(q, " AND m.size_bytes <= ?",
		           clamp_size(f->size_max));
	}
}

static bool only_open(const struct sp_store_filter *f)
{
	return f->held || f->statuses == SP_STORE_PENDING;
}

enum driver {
	BY_MESSAGE,
	BY_OPEN,
	BY_RECIPIENT,
	BY_SENDER
};

/* Newest first; r.message grows with the time of reception. */
static const struct {
	const char *from;
	const char *order;
} DRIVERS[] = {
	[BY_MESSAGE] = {" FROM message m CROSS JOIN recipient r"
                        " INDEXED BY recipient_message ON r.message = m.id"
                        " WHERE m.incoming = 0",
                        " ORDER BY m.received_ms DESC, m.id DESC, r.id"},
	[BY_OPEN] = {" FROM recipient r INDEXED BY recipient_open"
                     " CROSS JOIN message m ON m.id = r.message"
                     " WHERE r.done_ms IS NULL AND r.state <= 2",
                     " ORDER BY r.message DESC, r.id"},
	[BY_RECIPIENT] = {" FROM recipient r INDEXED BY recipient_address"
                          " CROSS JOIN message m ON m.id = r.message"
                          " WHERE m.incoming = 0",
                          " ORDER BY r.message DESC, r.id DESC"},
	[BY_SENDER] = {" FROM message m INDEXED BY message_sender"
                       " CROSS JOIN recipient r INDEXED BY recipient_message"
                       " ON r.message = m.id WHERE m.incoming = 0",
                       " ORDER BY m.received_ms DESC, m.id DESC, r.id"},
};

static enum driver driver_of(const struct sp_store_filter *f, bool open)
{
	if (f->id.len || f->message_id.len) {
		return BY_MESSAGE;
	}
	if (f->recipient.len) {
		return BY_RECIPIENT;
	}
	/* The null sender may be half of the mail. */
	if (f->sender.len && !sp_str_eq(f->sender, SP_STR("<>"))) {
		return BY_SENDER;
	}
	return open ? BY_OPEN : BY_MESSAGE;
}

/* From FROM to WHERE; open: only recipients that are not done. */
static void add_filter(struct query *q, const struct sp_store_filter *f,
                       bool open)
{
	enum driver driver = driver_of(f, open);

	add(q, DRIVERS[driver].from);
	add(q, open && driver != BY_OPEN ? " AND r.state <= 2" : "");
	add_text(q, " AND m.queue_id = ?", f->id);
	add_message_id(q, f->message_id);
	add_sender(q, f->sender);
	add_text(q, " AND r.address = ? COLLATE NOCASE", f->recipient);
	add_text(q, " AND r.domain = ? COLLATE NOCASE", f->domain);
	add_text(q, " AND r.code = ?", f->code);
	add_text(q, " AND r.cause = ?", f->cause);
	add_statuses(q, f->statuses);
	add(q, f->held ? " AND r.state = 2" : "");
	add_numbers(q, f);
}

static void query_init(struct query *q, const char *start)
{
	memset(q, 0, sizeof(*q));
	sp_buf_init(&q->sql, SQL_MAX);
	add(q, start);
}

/* Prepared and bound; q must live until the use ends. */
static struct sp__use query_use(struct query *q, struct sp__sqlite *s)
{
	struct sp__use u;

	sp_buf_append_char(&q->sql, '\0');
	SP_ASSERT(sp_buf_error(&q->sql) == 0);
	u = sp__use_text(s, sp_buf_str(&q->sql).ptr);
	for (size_t i = 0; i < q->count; i++) {
		if (q->params[i].is_text) {
			sp__bind_str(&u, q->params[i].text);
		} else {
			sp__bind_int(&u, q->params[i].number);
		}
	}
	return u;
}

/* ---- search ---- */

static int64_t next_attempt(enum sp_store_state state, int64_t due_ms)
{
	return state == SP_STORE_QUEUED ? due_ms : 0;
}

static void read_row(struct sp__use *u, struct sp_store_row *r)
{
	r->rcpt_id = (uint64_t)sp__int(u, 0, 1, INT64_MAX);
	r->id = sp__str(u, 1, SP_STORE_ID_MAX);
	r->message_id = sp__str(u, 2, SP_ENVELOPE_MESSAGE_ID_MAX);
	r->sender = sp__str(u, 3, SP_ADDRESS_MAX);
	r->recipient = sp__str(u, 4, SP_ADDRESS_MAX);
	r->domain = sp__str(u, 5, SP_ADDRESS_DOMAIN_MAX);
	r->client = sp__str(u, 6, SP_STORE_ADDRESS_MAX);
	r->size_bytes = (uint64_t)sp__int(u, 7, 0, INT64_MAX);
	r->received_ms = sp__int(u, 8, INT64_MIN, INT64_MAX);
	r->expires_ms = sp__int(u, 9, INT64_MIN, INT64_MAX);
	r->state = (enum sp_store_state)sp__int(u, 10, 0,
	                                        SP_STORE_STATE_COUNT - 1);
	r->code = sp__str(u, 11, SP_STORE_CODE_MAX);
	r->cause = sp__str(u, 12, SP_STORE_CAUSE_MAX);
	r->reply = sp__str(u, 13, SP_STORE_REPLY_MAX);
	r->security = sp__str(u, 14, SP_STORE_SECURITY_MAX);
	r->attempts = (uint32_t)sp__int(u, 15, 0, UINT32_MAX);
	r->next_attempt_ms =
		next_attempt(r->state, sp__int(u, 16, INT64_MIN, INT64_MAX));
	if (r->next_attempt_ms >= r->expires_ms) {
		r->next_attempt_ms = 0; /* it only waits for its expiry */
	}
	r->done_ms = sp__int(u, 17, INT64_MIN, INT64_MAX);
	r->report_due = sp__bool(u, 18);
	r->to_sign = sp__bool(u, 19);
}

static const char SEARCH[] =
	"SELECT r.id, m.queue_id, m.message_id, m.sender, r.address, r.domain,"
	" m.client, m.size_bytes, m.received_ms, r.expires_ms, r.state, r.code,"
	" r.cause, r.reply, r.security, r.attempts, r.due_ms, r.done_ms,"
	" r.report_due, m.to_sign";

int sp__search(struct sp_store *store, const struct sp_store_filter *filter,
               sp_store_row_fn *fn, void *arg)
{
	bool open = only_open(filter);
	struct sp_store_row row;
	struct sp__use u;
	struct query q;
	int stopped = 0;
	int ret;

	query_init(&q, SEARCH);
	add_filter(&q, filter, open);
	add(&q, DRIVERS[driver_of(filter, open)].order);
	if (filter->limit) {
		add_number(&q, " LIMIT ?", clamp_size(filter->limit));
	}
	u = query_use(&q, sp__sqlite_of(store));
	while (stopped == 0 && sp__row(&u)) {
		read_row(&u, &row);
		stopped = u.error ? 0 : fn(arg, &row);
	}
	ret = sp__end_text(&u);
	sp_buf_fini(&q.sql);
	return stopped ? stopped : ret;
}

int sp__select(struct sp__sqlite *s, const struct sp_store_filter *filter,
               const char *extra, int64_t now_ms, size_t limit,
               struct sp_arena *arena, struct sp__target **targets_out,
               size_t *count_out)
{
	struct sp__target *targets =
		sp_arena_array(arena, limit, sizeof(*targets));
	size_t count = 0;
	struct sp__use u;
	struct query q;
	int ret;

	query_init(&q, "SELECT r.id, r.message, r.attempts");
	add_filter(&q, filter, true);
	add_number(&q, extra, now_ms);
	add_number(&q, " ORDER BY r.id LIMIT ?", clamp_size(limit));
	u = query_use(&q, s);
	while (count < limit && sp__row(&u)) {
		struct sp__target *t = &targets[count++];

		t->rcpt = sp__int(&u, 0, 1, INT64_MAX);
		t->message = sp__int(&u, 1, 1, INT64_MAX);
		t->attempts = (uint32_t)sp__int(&u, 2, 0, UINT32_MAX);
	}
	ret = sp__end_text(&u);
	sp_buf_fini(&q.sql);
	*targets_out = targets;
	*count_out = count;
	return ret;
}

/* ---- timeline ---- */

static void read_event(struct sp__use *u, struct sp_store_event *e)
{
	e->time_ms = sp__int(u, 0, INT64_MIN, INT64_MAX);
	e->type = (enum sp_store_event_type)sp__int(u, 1, 0,
	                                            SP_STORE_EVENT_COUNT - 1);
	e->attempt = (uint32_t)sp__int(u, 2, 0, UINT32_MAX);
	e->code = sp__str(u, 3, SP_STORE_CODE_MAX);
	e->cause = sp__str(u, 4, SP_STORE_CAUSE_MAX);
	e->reply = sp__str(u, 5, SP_STORE_REPLY_MAX);
	e->security = sp__str(u, 6, SP_STORE_SECURITY_MAX);
	e->host = sp__str(u, 7, SP_STORE_HOST_MAX);
	e->address = sp__str(u, 8, SP_STORE_ADDRESS_MAX);
	e->detail = sp__str(u, 9, SP_STORE_DETAIL_MAX);
}

int sp__events(struct sp_store *store, uint64_t rcpt_id, sp_store_event_fn *fn,
               void *arg)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_EVENTS);
	struct sp_store_event event;
	int stopped = 0;
	int ret;

	sp__bind_int(&u, clamp_size(rcpt_id));
	while (stopped == 0 && sp__row(&u)) {
		read_event(&u, &event);
		stopped = u.error ? 0 : fn(arg, &event);
	}
	ret = sp__end(&u);
	return stopped ? stopped : ret;
}

/* ---- destinations that fail ---- */

int sp__failing(struct sp_store *store, unsigned worker, size_t limit,
                sp_store_failing_fn *fn, void *arg)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_FAILING);
	int stopped = 0;
	int ret;

	sp__bind_int(&u, SP_STORE_WAITING_MAX);
	sp__bind_int(&u, clamp_size(limit));
	sp__bind_int(&u, worker);
	while (stopped == 0 && sp__row(&u)) {
		const struct sp_store_failing f = {
			.domain = sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX),
			.code = sp__str(&u, 1, SP_STORE_CODE_MAX),
			.cause = sp__str(&u, 2, SP_STORE_CAUSE_MAX),
			.reply = sp__str(&u, 3, SP_STORE_REPLY_MAX),
			.failed_ms = sp__int(&u, 4, INT64_MIN, INT64_MAX),
			.pause_ms = sp__int(&u, 5, INT64_MIN, INT64_MAX),
			.waiting = (uint64_t)sp__int(&u, 6, 0, INT64_MAX),
			.since_ms = sp__int(&u, 7, INT64_MIN, INT64_MAX),
		};

		stopped = u.error ? 0 : fn(arg, &f);
	}
	ret = sp__end(&u);
	return stopped ? stopped : ret;
}

/* ---- statistics ---- */

int sp__stats(struct sp_store *store, struct sp_store_stats *stats)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_STATS);

	while (sp__row(&u)) {
		int64_t kind = sp__int(&u, 0, 0, SP__COUNT_KINDS - 1);
		uint64_t n = (uint64_t)sp__int(&u, 1, 0, INT64_MAX);

		if (kind < SP_STORE_STATE_COUNT) {
			stats->recipients[kind] = n;
		} else if (kind == SP__COUNT_REPORT_DUE) {
			stats->report_due = n;
		} else if (kind == SP__COUNT_MESSAGES) {
			stats->messages = n;
		} else if (kind == SP__COUNT_INCOMING) {
			stats->incoming = n;
		}
	}
	return sp__end(&u);
}
