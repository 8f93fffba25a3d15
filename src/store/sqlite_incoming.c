/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on their way in and out of the store. An incoming message has its
 * recipients in a state of their own, which finish() turns into queued with
 * one statement; a message that never finishes leaves with the sweep at the
 * next start.
 */
#include "base/err.h"
#include "store/sqlite.h"

static void bind_envelope(struct sp__use *u, const struct sp_envelope *e)
{
	sp__bind_str(u, e->sender);
	sp__bind_str(u, e->envid);
	sp__bind_int(u, e->ret);
	sp__bind_int(u, e->smtputf8);
	sp__bind_int(u, e->body_8bit);
	sp__bind_int(u, e->requiretls);
	sp__bind_str(u, e->client);
	sp__bind_str(u, e->helo);
	sp__bind_str(u, e->message_id);
	sp__bind_int(u, e->received_ms);
	sp__bind_int(u, e->tls_optional);
}

static int64_t expiry_of(const struct sp_store_incoming *in, size_t i)
{
	return in->rcpt_expires_ms ? in->rcpt_expires_ms[i] : in->expires_ms;
}

static int64_t last_expiry(const struct sp_store_incoming *in)
{
	int64_t last_ms = expiry_of(in, 0);

	for (size_t i = 1; i < in->envelope->rcpt_count; i++) {
		if (expiry_of(in, i) > last_ms) {
			last_ms = expiry_of(in, i);
		}
	}
	return last_ms;
}

static int insert_message(struct sp__sqlite *s,
                          const struct sp_store_incoming *in, int64_t *row_out)
{
	struct sp__use u = sp__use(s, SP__SQL_MESSAGE_INSERT);
	int ret;

	sp__bind_str(&u, in->id);
	sp__bind_int(&u, !in->complete);
	bind_envelope(&u, in->envelope);
	sp__bind_int(&u, last_expiry(in));
	sp__bind_int(&u, (int64_t)in->body.len);
	ret = sp__run(&u);
	*row_out = sqlite3_last_insert_rowid(s->db);
	if (ret || sqlite3_changes(s->db) == 0) {
		return ret ? ret : SP_ELIMIT;
	}
	sp__count(s, in->complete ? SP__COUNT_MESSAGES : SP__COUNT_INCOMING, 1);
	return 0;
}

static int insert_body(struct sp__sqlite *s, int64_t message, uint32_t seq,
                       struct sp_str data)
{
	struct sp__use u = sp__use(s, SP__SQL_BODY_INSERT);

	sp__bind_int(&u, message);
	sp__bind_int(&u, seq);
	sp__bind_blob(&u, data);
	return sp__run(&u);
}

static int64_t due_of(const struct sp_store_incoming *in)
{
	return in->to_sign ? SP__NEVER_MS : in->due_ms;
}

static int insert_rcpt(struct sp__sqlite *s, int64_t message,
                       const struct sp_store_incoming *in, size_t i)
{
	const struct sp_envelope *e = in->envelope;
	const struct sp_envelope_rcpt *rcpt = &e->rcpts[i];
	const int state = in->complete ? (int)SP_STORE_QUEUED : SP__INCOMING;
	struct sp__use u = sp__use(s, SP__SQL_RCPT_INSERT);

	sp__bind_int(&u, message);
	sp__bind_str(&u, rcpt->address);
	sp__bind_str(&u, rcpt->domain);
	sp__bind_str(&u, rcpt->orcpt);
	sp__bind_int(&u, rcpt->notify);
	sp__bind_int(&u, state);
	sp__bind_int(&u, in->workers[i]);
	sp__bind_int(&u, due_of(in));
	sp__bind_int(&u, expiry_of(in, i));
	sp__count(s, state, 1);
	if (in->notice_ms &&
	    sp_store_wants_notice(rcpt->notify, e->sender.len == 0)) {
		sp__bind_int(&u, in->notice_ms);
	} else {
		sp__bind_null(&u);
	}
	return sp__run(&u);
}

static int received(struct sp__sqlite *s, int64_t message, int64_t time_ms)
{
	const struct sp__event event = {
		.message = message,
		.event = {.time_ms = time_ms, .type = SP_STORE_EVENT_RECEIVE},
	};

	return sp__event_insert(s, &event);
}

static int queued(struct sp__sqlite *s, const struct sp_store_incoming *in)
{
	const struct sp_envelope *e = in->envelope;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < e->rcpt_count; i++) {
		ret = sp__destination_queued(s, e->rcpts[i].domain,
		                             in->workers[i], due_of(in));
	}
	return ret;
}

int sp__enqueue(struct sp_store *store, const struct sp_store_incoming *in)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	int64_t message = 0;
	int ret = insert_message(s, in, &message);

	ret = ret ? ret : insert_body(s, message, 0, in->body);
	if (ret == 0 && in->to_sign) {
		ret = sp__set_to_sign(s, message);
	}
	for (size_t i = 0; ret == 0 && i < in->envelope->rcpt_count; i++) {
		ret = insert_rcpt(s, message, in, i);
	}
	if (ret == 0 && in->complete) {
		ret = received(s, message, in->envelope->received_ms);
		ret = ret ? ret : queued(s, in);
	}
	return ret;
}

int sp__append_body(struct sp_store *store, struct sp_str id, uint32_t seq,
                    struct sp_str data)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__use u = sp__use(s, SP__SQL_MESSAGE_GROW);
	int64_t message = 0;
	int ret;

	sp__bind_int(&u, (int64_t)data.len);
	sp__bind_str(&u, id);
	sp__bind_int(&u, seq);
	while (sp__row(&u)) {
		message = sp__int(&u, 0, 1, INT64_MAX);
	}
	ret = sp__end(&u);
	if (ret == 0 && message == 0) {
		return SP_ENOTFOUND;
	}
	return ret ? ret : insert_body(s, message, seq, data);
}

int sp__finish(struct sp_store *store, struct sp_str id, bool body_8bit)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__use u = sp__use(s, SP__SQL_MESSAGE_FINISH);
	int64_t message = 0;
	int64_t received_ms = 0;
	int ret;

	sp__bind_int(&u, body_8bit);
	sp__bind_str(&u, id);
	while (sp__row(&u)) {
		message = sp__int(&u, 0, 1, INT64_MAX);
		received_ms = sp__int(&u, 1, INT64_MIN, INT64_MAX);
	}
	ret = sp__end(&u);
	if (ret || message == 0) {
		return ret ? ret : SP_ENOTFOUND;
	}
	u = sp__use(s, SP__SQL_RCPT_FINISH);
	sp__bind_int(&u, message);
	ret = sp__run(&u);
	sp__count_state(s, SP__INCOMING, SP_STORE_QUEUED,
	                sqlite3_changes64(s->db));
	sp__count_state(s, SP__COUNT_INCOMING, SP__COUNT_MESSAGES, 1);
	ret = ret ? ret : received(s, message, received_ms);
	return ret ? ret : sp__destinations_join(s, id);
}

int sp__abort(struct sp_store *store, struct sp_str id)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__domains domains;
	struct sp_arena arena;
	struct sp__use u;
	int ret;

	sp_arena_init(&arena);
	ret = sp__destinations_of(s, id, &arena, &domains);
	ret = ret ? ret : sp__counts_flush(s);
	if (ret == 0) {
		u = sp__use(s, SP__SQL_MESSAGE_DELETE);
		sp__bind_str(&u, id);
		ret = sp__run(&u);
	}
	if (ret == 0 && sqlite3_changes(s->db) == 0) {
		ret = SP_ENOTFOUND;
	}
	ret = ret ? ret : sp__destinations_refresh(s, &domains);
	sp_arena_fini(&arena);
	return ret;
}

int sp__sweep_incoming(struct sp_store *store, uint64_t *count_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	int ret = sp__counts_flush(s);
	struct sp__use u;

	if (ret == 0) {
		u = sp__use(s, SP__SQL_INCOMING_DELETE);
		ret = sp__run(&u);
	}
	*count_out = ret ? 0 : (uint64_t)sqlite3_changes64(s->db);
	return ret;
}

int sp__read_body(struct sp_store *store, struct sp_str id, uint32_t seq,
                  struct sp_arena *arena, struct sp_str *data_out,
                  bool *last_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_BODY_READ);
	bool found = false;
	int ret;

	sp__bind_str(&u, id);
	sp__bind_int(&u, seq);
	while (sp__row(&u)) {
		*data_out =
			sp_arena_str(arena, sp__str(&u, 0, SP_STORE_CHUNK_MAX));
		*last_out = sp__bool(&u, 1);
		found = true;
	}
	ret = sp__end(&u);
	return ret || found ? ret : SP_ENOTFOUND;
}

int sp__purge(struct sp_store *store, int64_t before_ms, size_t limit,
              uint64_t *count_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	int ret = sp__counts_flush(s);
	struct sp__use u;

	*count_out = 0;
	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_PURGE);
	sp__bind_int(&u, before_ms);
	sp__bind_int(&u, (int64_t)limit);
	ret = sp__run(&u);
	*count_out = ret ? 0 : (uint64_t)sqlite3_changes64(s->db);
	return ret;
}
