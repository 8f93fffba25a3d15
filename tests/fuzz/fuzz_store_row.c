/* SPDX-License-Identifier: Apache-2.0 */
/* layer: store */
/*
 * The rows of a store hold what the input says, and every verb that reads
 * them ends with a result: the file may have been damaged, or written by
 * somebody else. One store is made for all inputs, with its tables stripped
 * of what SQLite itself would check (STRICT, NOT NULL, CHECK), so that any
 * value may stand in any column. Each input is one turn that is rolled back:
 * changes of values first, then the verbs.
 *
 * A change is: table, row and column (a byte each), kind of the value (a
 * byte), then the value; see put_value.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "store/sqlite.h"

#define NOW         1800000000000
#define CHANGES_MAX 64
#define COLUMNS_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sp_store *store;

/* ---- the store ---- */

static struct table {
	const char *name;
	int column_count;
	sqlite3_stmt *stmts[COLUMNS_MAX];
} TABLES[] = {{.name = "message"},     {.name = "body"},
              {.name = "recipient"},   {.name = "event"},
              {.name = "destination"}, {.name = "counter"},
              {.name = "exception"},   {.name = "meta"}};

#define TABLE_COUNT (sizeof(TABLES) / sizeof(TABLES[0]))

static const char *const SUFFIXES[] = {"", "-wal", "-shm", ".lock"};

static sqlite3 *db(void)
{
	return sp__sqlite_of(store)->db;
}

static void must(int ret)
{
	if (ret) {
		(void)fprintf(stderr, "%s: %s\n", sp_strerror(ret),
		              store ? sp_store_why(store) : "");
		abort();
	}
}

static void must_exec(const char *sql)
{
	SP_ASSERT(sqlite3_exec(db(), sql, NULL, NULL, NULL) == SQLITE_OK);
}

static void open_store(const char *path)
{
	char url[128];
	char why[SP_STORE_WHY_MAX];

	(void)snprintf(url, sizeof(url), "sqlite:%s", path);
	if (sp_store_open(sp_str_from(url), SP_STORE_WRITER, false, &store, why,
	                  sizeof(why))) {
		(void)fprintf(stderr, "%s\n", why);
		abort();
	}
}

/* Text gets a type by which no value is changed (its name has BLOB in it). */
static void strip_schema(void)
{
	static const char *const cuts[][2] = {
		{") STRICT, WITHOUT", ") WITHOUT"},
		{") STRICT", ")"},
		{" IS NOT NULL", " NOTNULL"},
		{" NOT NULL", ""},
		{" TEXT", " BLOBS"},
	};
	char sql[128];

	must(sqlite3_db_config(db(), SQLITE_DBCONFIG_DEFENSIVE, 0, NULL));
	must_exec("PRAGMA writable_schema = ON");
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		(void)snprintf(sql, sizeof(sql),
		               "UPDATE sqlite_schema SET sql ="
		               " replace(sql, '%s', '%s') WHERE type = 'table'",
		               cuts[i][0], cuts[i][1]);
		must_exec(sql);
	}
	must_exec("PRAGMA writable_schema = OFF");
}

static void enqueue(const char *id, const char *domain)
{
	struct sp_envelope_rcpt rcpts[2] = {
		{.address = SP_STR("b@d.test"),
	         .orcpt = SP_STR("rfc822;b@d.test")},
		{.address = SP_STR("c@d.test"), .notify = SP_NOTIFY_DELAY},
	};
	struct sp_envelope e = {
		.sender = SP_STR("a@s.test"),
		.envid = SP_STR("envid"),
		.client = SP_STR("127.0.0.1"),
		.helo = SP_STR("client.test"),
		.message_id = SP_STR("<1@s.test>"),
		.received_ms = NOW - 1000,
		.rcpts = rcpts,
		.rcpt_count = 2,
	};
	const unsigned workers[2] = {0, 0};
	const struct sp_store_incoming in = {
		.id = sp_str_from(id),
		.envelope = &e,
		.workers = workers,
		.due_ms = NOW - 1000,
		.expires_ms = NOW + 1000000,
		.notice_ms = NOW - 500,
		.body = SP_STR("Subject: x\r\n\r\nfirst half\r\n"),
	};

	rcpts[0].domain = rcpts[1].domain = sp_str_from(domain);
	must(sp_store_enqueue(store, &in));
	must(sp_store_append_body(store, in.id, 1, SP_STR("the other\r\n")));
	must(sp_store_finish(store, in.id, false));
}

/* One attempt of what is due: one recipient ends, the other is deferred, and
 * the destination fails. */
static void attempt(enum sp_store_state state)
{
	static const struct sp_store_failure failure = {
		.time_ms = NOW,
		.id = SP_STR("m1"),
		.code = SP_STR("4.4.1"),
		.cause = SP_STR("timeout"),
		.pause_ms = NOW + 5000,
	};
	struct sp_store_outcome_rcpt rcpts[2] = {
		{.state = state,
	         .report_due = true,
	         .code = SP_STR("5.1.1"),
	         .reply = SP_STR("550 5.1.1 no")},
		{.state = SP_STORE_QUEUED,
	         .due_ms = NOW + 100,
	         .code = SP_STR("4.7.323"),
	         .cause = SP_STR("tlsa-mismatch"),
	         .expired_code = SP_STR("5.7.323")},
	};
	struct sp_store_outcome outcome = {
		.now_ms = NOW,
		.failure = state == SP_STORE_FAILED ? &failure : NULL,
		.reached = state == SP_STORE_DELIVERED,
		.security = SP_STR("dane"),
		.host = SP_STR("mx.d.test"),
		.address = SP_STR("127.0.1.1"),
		.detail = SP_STR("{\"tls\":1}"),
		.rcpts = rcpts,
		.rcpt_count = 2,
	};
	struct sp_store_job *jobs;
	struct sp_arena arena;
	size_t count = 0;

	sp_arena_init(&arena);
	must(sp_store_claim_due(store, 0, NOW, 1, 10, &arena, &jobs, &count));
	SP_ASSERT(count == 1 && jobs[0].rcpt_count == 2);
	outcome.attempt_id = jobs[0].attempt_id;
	rcpts[0].rcpt_id = jobs[0].rcpts[0].rcpt_id;
	rcpts[1].rcpt_id = jobs[0].rcpts[1].rcpt_id;
	must(sp_store_settle(store, &outcome));
	sp_arena_fini(&arena);
}

/* Messages in all states; what is leased has a known attempt id. */
static void fill(void)
{
	static const struct sp_store_exception exception = {
		.domain = SP_STR("d.test"),
		.until_ms = NOW + 1000,
		.reason = SP_STR("being repaired"),
		.added_ms = NOW,
	};

	must(sp_store_begin(store));
	enqueue("m1", "d.test");
	attempt(SP_STORE_FAILED);
	enqueue("m2", "e.test");
	attempt(SP_STORE_DELIVERED);
	enqueue("m3", "f.test");
	enqueue("m4", "g.test");
	must(sp_store_exception_set(store, &exception));
	must(sp_store_commit(store));
	must_exec("UPDATE recipient SET state = 1, attempt_id = 77"
	          " WHERE domain = 'g.test'");
}

static void prepare_changes(struct table *t)
{
	char sql[256];
	sqlite3_stmt *all;

	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", t->name);
	must(sqlite3_prepare_v2(db(), sql, -1, &all, NULL));
	t->column_count = sqlite3_column_count(all);
	SP_ASSERT(t->column_count <= COLUMNS_MAX);
	for (int i = 0; i < t->column_count; i++) {
		const char *key = sqlite3_column_name(all, 0);

		(void)snprintf(sql, sizeof(sql),
		               "UPDATE OR IGNORE %s SET %s = ?1 WHERE %s ="
		               " (SELECT %s FROM %s ORDER BY %s"
		               "  LIMIT 1 OFFSET ?2)",
		               t->name, sqlite3_column_name(all, i), key, key,
		               t->name, key);
		must(sqlite3_prepare_v3(db(), sql, -1,
		                        SQLITE_PREPARE_PERSISTENT, &t->stmts[i],
		                        NULL));
	}
	(void)sqlite3_finalize(all);
}

static void set_up(void)
{
	char dir[64] = "/dev/shm/sp-fuzz-XXXXXX";
	char path[96];

	if (!mkdtemp(dir)) {
		(void)snprintf(dir, sizeof(dir), "/tmp/sp-fuzz-XXXXXX");
		SP_ASSERT(mkdtemp(dir));
	}
	(void)snprintf(path, sizeof(path), "%s/store", dir);
	open_store(path);
	fill();
	strip_schema();
	sp_store_close(&store);
	open_store(path);
	must_exec("PRAGMA ignore_check_constraints = ON;"
	          "PRAGMA foreign_keys = OFF");
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		prepare_changes(&TABLES[i]);
	}
	/* It is open; nobody has to tidy up. */
	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/store%s", dir,
		               SUFFIXES[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

/* ---- changes ---- */

static uint8_t take(struct sp_str *in)
{
	uint8_t byte = in->len ? (uint8_t)in->ptr[0] : 0;

	*in = sp_str_sub(*in, 1, in->len);
	return byte;
}

static struct sp_str take_many(struct sp_str *in, size_t len)
{
	struct sp_str part = sp_str_sub(*in, 0, len);

	*in = sp_str_sub(*in, len, in->len);
	return part;
}

static int64_t take_number(struct sp_str *in)
{
	struct sp_str part = take_many(in, sizeof(int64_t));
	int64_t number = 0;

	if (part.len) {
		memcpy(&number, part.ptr, part.len);
	}
	return number;
}

/* Kinds: null, number, small number, time near now, floating point, text,
 * bytes, many zeros, text of ten times the bytes. */
static void put_value(sqlite3_stmt *stmt, struct sp_str *in)
{
	uint8_t kind = take(in) % 9;
	struct sp_str text = SP_STR("");
	char many[2560];

	if (kind == 5 || kind == 6 || kind == 8) {
		text = take_many(in, take(in));
	}
	switch (kind) {
	case 0:
		(void)sqlite3_bind_null(stmt, 1);
		return;
	case 1:
		(void)sqlite3_bind_int64(stmt, 1, take_number(in));
		return;
	case 2:
		(void)sqlite3_bind_int64(stmt, 1, (int8_t)take(in));
		return;
	case 3:
		(void)sqlite3_bind_int64(stmt, 1, NOW + (int8_t)take(in) * 100);
		return;
	case 4:
		(void)sqlite3_bind_double(stmt, 1,
		                          (double)take_number(in) / 256.0);
		return;
	case 6:
		(void)sqlite3_bind_blob(stmt, 1, text.ptr, (int)text.len,
		                        SQLITE_TRANSIENT);
		return;
	case 7:
		(void)sqlite3_bind_zeroblob(stmt, 1, take(in) * 4096);
		return;
	default:
		for (size_t i = 0; kind == 8 && text.len && i < 10; i++) {
			memcpy(many + i * text.len, text.ptr, text.len);
		}
		(void)sqlite3_bind_text(
			stmt, 1, kind == 8 && text.len ? many : text.ptr,
			(int)text.len * (kind == 8 ? 10 : 1), SQLITE_TRANSIENT);
	}
}

static void change(struct sp_str *in)
{
	struct table *t = &TABLES[take(in) % TABLE_COUNT];
	int row = take(in);
	int column = take(in) % t->column_count;
	sqlite3_stmt *stmt = t->stmts[column];

	put_value(stmt, in);
	(void)sqlite3_bind_int(stmt, 2, row % 16);
	(void)sqlite3_step(stmt); /* what it refuses stays as it was */
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
}

/* ---- verbs ---- */

static void check(int ret)
{
	SP_ASSERT(ret == 0 || ret == SP_ESTORE || ret == SP_ENOTFOUND ||
	          ret == SP_ELIMIT);
	SP_ASSERT(sp_store_why(store));
}

/* Reads every byte of it. */
static void touch(struct sp_str s, size_t max)
{
	volatile char sum = 0;

	SP_ASSERT(s.len <= max);
	for (size_t i = 0; i < s.len; i++) {
		sum = (char)(sum ^ s.ptr[i]);
	}
}

static int on_row(void *arg, const struct sp_store_row *row)
{
	(void)arg;
	SP_ASSERT(row->state < SP_STORE_STATE_COUNT);
	touch(row->id, SP_STORE_ID_MAX);
	touch(row->message_id, SP_ENVELOPE_MESSAGE_ID_MAX);
	touch(row->recipient, SP_ADDRESS_MAX);
	touch(row->reply, SP_STORE_REPLY_MAX);
	touch(row->security, SP_STORE_SECURITY_MAX);
	return 0;
}

static int on_event(void *arg, const struct sp_store_event *event)
{
	(void)arg;
	SP_ASSERT(event->type < SP_STORE_EVENT_COUNT);
	touch(event->reply, SP_STORE_REPLY_MAX);
	touch(event->detail, SP_STORE_DETAIL_MAX);
	return 0;
}

static int on_exception(void *arg, const struct sp_store_exception *e)
{
	(void)arg;
	touch(e->domain, SP_ADDRESS_DOMAIN_MAX);
	touch(e->reason, SP_STORE_REASON_MAX);
	return 0;
}

static int on_failing(void *arg, const struct sp_store_failing *f)
{
	(void)arg;
	touch(f->domain, SP_ADDRESS_DOMAIN_MAX);
	touch(f->reply, SP_STORE_REPLY_MAX);
	return 0;
}

static void look(struct sp_arena *arena)
{
	static const struct sp_store_filter filters[] = {
		{.limit = 0},
		{.id = SP_STR("m1")},
		{.statuses = SP_STORE_PENDING, .domain = SP_STR("d.test")},
		{.recipient = SP_STR("b@d.test"), .size_max = 4096},
		{.sender = SP_STR("a@s.test"), .from_ms = 1},
		{.message_id = SP_STR("1@s.test"), .limit = 3},
	};
	struct sp_store_exception exception = {.until_ms = 0};
	struct sp_store_stats stats;
	struct sp_store_clock clock;

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		check(sp_store_search(store, &filters[i], on_row, NULL));
	}
	for (uint64_t rcpt = 0; rcpt < 9; rcpt++) {
		check(sp_store_events(store, rcpt, on_event, NULL));
	}
	check(sp_store_stats(store, &stats));
	check(sp_store_failing(store, 0, 100, on_failing, NULL));
	check(sp_store_clock(store, &clock));
	check(sp_store_exceptions(store, NOW, on_exception, NULL));
	if (sp_store_exception_find(store, SP_STR("d.test"), NOW, arena,
	                            &exception) == 0) {
		(void)on_exception(NULL, &exception);
	}
}

static void read_bodies(struct sp_arena *arena)
{
	static const struct sp_str ids[] = {SP_STR("m1"), SP_STR("m3")};

	for (size_t i = 0; i < 2; i++) {
		for (uint32_t seq = 0; seq < 3; seq++) {
			struct sp_str data = SP_STR("");
			bool last = false;

			check(sp_store_read_body(store, ids[i], seq, arena,
			                         &data, &last));
			touch(data, SP_STORE_CHUNK_MAX);
		}
	}
}

static void ask_times(void)
{
	int64_t ms;

	check(sp_store_next_due(store, 0, &ms));
	check(sp_store_next_expiry(store, &ms));
	check(sp_store_next_overdue(store, &ms));
	check(sp_store_next_notice(store, &ms));
}

static void settle_overdue(struct sp_arena *arena)
{
	struct sp_store_failure failure = {.time_ms = 0};
	struct sp_store_lease_rcpt *rcpts = NULL;
	size_t count = 0;

	check(sp_store_overdue(store, NOW + 500, 10, arena, &failure, &rcpts,
	                       &count));
	for (size_t i = 0; i < count; i++) {
		touch(rcpts[i].domain, SP_ADDRESS_DOMAIN_MAX);
	}
	touch(failure.reply, SP_STORE_REPLY_MAX);
}

static void claim_and_settle(struct sp_arena *arena)
{
	struct sp_store_outcome_rcpt rcpt = {.state = SP_STORE_DELIVERED};
	struct sp_store_outcome outcome = {.now_ms = NOW,
	                                   .reached = true,
	                                   .rcpts = &rcpt,
	                                   .rcpt_count = 1};
	struct sp_store_lease_rcpt *leased = NULL;
	struct sp_store_job *jobs = NULL;
	size_t count = 0;

	check(sp_store_lease(store, 77, arena, &leased, &count));
	for (size_t i = 0; i < count; i++) {
		touch(leased[i].id, SP_STORE_ID_MAX);
	}
	count = 0;
	check(sp_store_claim_due(store, 0, NOW, 8, 10, arena, &jobs, &count));
	for (size_t i = 0; i < count; i++) {
		touch(jobs[i].envelope.sender, SP_ADDRESS_MAX);
		outcome.attempt_id = jobs[i].attempt_id;
		for (size_t r = 0; r < jobs[i].rcpt_count; r++) {
			rcpt.rcpt_id = jobs[i].rcpts[r].rcpt_id;
			check(sp_store_settle(store, &outcome));
		}
	}
}

static void report(struct sp_arena *arena)
{
	for (size_t i = 0; i < 8; i++) {
		struct sp_store_report r = {.rcpt_count = 0};
		struct sp_str detail = SP_STR("");
		int ret = sp_store_next_report(store, NOW, true, arena, &r);

		check(ret);
		if (ret) {
			return;
		}
		for (size_t n = 0; n < r.rcpt_count; n++) {
			touch(r.rcpts[n].attempt_reply, SP_STORE_REPLY_MAX);
			check(sp_store_read_evidence(
				store, r.rcpts[n].evidence_id, arena, &detail));
			touch(detail, SP_STORE_DETAIL_MAX);
		}
		check(sp_store_reported(store, &r, NOW, SP_STR("")));
	}
}

static void clean(void)
{
	static const struct sp_store_filter all = {.limit = 0};
	uint64_t count;

	check(sp_store_expire(store, NOW, 10, SP_STR("5.4.7"),
	                      SP_STR("expired"), SP_STR("too late"), &count));
	check(sp_store_release_leases(store, 0, NULL, 0, NOW, &count));
	check(sp_store_act(store, SP_STORE_ACT_HOLD, &all, 5, NOW, &count));
	check(sp_store_act(store, SP_STORE_ACT_RETRY, &all, 5, NOW, &count));
	check(sp_store_end_pauses(store, NOW));
	check(sp_store_shift(store, 1000));
	check(sp_store_abort(store, SP_STR("m3")));
	check(sp_store_purge(store, NOW, 10, &count));
	check(sp_store_sweep_incoming(store, &count));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str in = sp_str_slice(data, size);
	struct sp_arena arena;

	if (!store) {
		set_up();
	}
	must(sp_store_begin(store));
	for (size_t i = 0; in.len && i < CHANGES_MAX; i++) {
		change(&in);
	}
	sp_arena_init(&arena);
	look(&arena);
	read_bodies(&arena);
	ask_times();
	settle_overdue(&arena);
	claim_and_settle(&arena);
	report(&arena);
	clean();
	sp_arena_fini(&arena);
	sp_store_rollback(store);
	return 0;
}
