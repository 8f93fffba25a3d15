/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the SQLite engine has: files that are damaged, foreign or out of
 * reach, values in the file that were never written, its log, and the proof
 * that nothing in the scheduler's way is ever scanned.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "unit/store/version1.h"
#include "unit/store/world.h"

#define NOBODY 65534

static const struct query {
	const char *name;
	const char *sql;
} QUERIES[] = {
#define SP_SQL(name, text) {#name, text},
#include "store/sqlite_sql.def"
#undef SP_SQL
};

static void path_of(const struct world *w, char *out, size_t cap)
{
	snprintf(out, cap, "%s", w->url + strlen("sqlite:"));
}

static int open_again(struct world *w, char why[SP_STORE_WHY_MAX])
{
	return sp_store_open(sp_str_from(w->url), SP_STORE_WRITER, true,
	                     &w->store, why, SP_STORE_WHY_MAX);
}

static sqlite3 *raw_open(const struct world *w)
{
	sqlite3 *db = NULL;
	char path[160];

	path_of(w, path, sizeof(path));
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void raw(const struct world *w, const char *sql)
{
	sqlite3 *db = raw_open(w);
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
		fail_msg("%s: %s", sql, why);
	}
	sqlite3_close(db);
}

static void answer_zero(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	(void)argv;
	sqlite3_result_int(ctx, 0);
}

/* ---- cost ---- */

static void check_plan(sqlite3 *db, const struct query *q)
{
	sqlite3_stmt *stmt = NULL;
	char sql[2048];

	snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", q->sql);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
		fail_msg("%s: %s", q->name, sqlite3_errmsg(db));
	}
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(stmt, 3);
		bool scan = strncmp(step, "SCAN ", 5) == 0;
		bool sort = strstr(step, "TEMP B-TREE") != NULL;
		/* Partial indexes that hold just what is asked for, and the
		 * rows of a subquery, which has a step of its own. */
		bool whole = strncmp(step, "SCAN (subquery-", 15) == 0 ||
		             strstr(step, "USING INDEX message_incoming") ||
		             strstr(step, "USING INDEX recipient_leased") ||
		             strstr(step, "USING INDEX recipient_expiry") ||
		             strstr(step, "USING INDEX destination_sweep") ||
		             strcmp(step, "SCAN CONSTANT ROW") == 0 ||
		             strcmp(step, "SCAN counter") == 0;

		if ((scan && !whole) ||
		    (sort && strstr(q->name, "CLAIM_FIND")) ||
		    (sort && strstr(q->name, "EXPIRE_FIND"))) {
			fail_msg("%s: %s", q->name, step);
		}
	}
	sqlite3_finalize(stmt);
}

static void test_plans(void **state)
{
	struct world *w = *state;
	sqlite3 *db = raw_open(w);

	sqlite3_create_function(db, "sp_worker", 1, SQLITE_UTF8, NULL,
	                        answer_zero, NULL, NULL);
	for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
		/* These look at each row for a reason, and seldom. */
		if (strncmp(QUERIES[i].name, "WORKERS_", 8) &&
		    strncmp(QUERIES[i].name, "SHIFT_", 6) &&
		    strcmp(QUERIES[i].name, "DESTINATION_LIFT_ALL")) {
			check_plan(db, &QUERIES[i]);
		}
	}
	sqlite3_close(db);
}

/* What a claim looks at, word for word: one place in one index each. */
static const struct path_case {
	const char *query;
	const char *steps[4];
} PATHS[] = {
	{"CLAIM_FIND",
         {"SEARCH recipient USING INDEX recipient_due"
          " (domain=? AND due_ms<?)"}},
	{"CLAIM_FIND_WAITING",
         {"SEARCH recipient USING INDEX recipient_waiting (domain=?)"}},
	{"DESTINATION_NEXT",
         {"SEARCH destination USING INDEX destination_next"
          " (worker=? AND failing=? AND next_ms<?)"}},
	{"DESTINATION_NEXT_TIME",
         {"SEARCH destination USING COVERING INDEX destination_next"
          " (worker=? AND failing=? AND next_ms>?)"}},
	{"DESTINATION_PROBES",
         {"SEARCH destination USING INDEX destination_probed"
          " (worker=?)"}},
	{"DESTINATION_SWEEP",
         {"SEARCH destination USING INDEX destination_sweep"
          " (sweep_ms>?)"}},
};

static const char *sql_of(const char *name)
{
	for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
		if (strcmp(QUERIES[i].name, name) == 0) {
			return QUERIES[i].sql;
		}
	}
	fail_msg("%s: no such statement", name);
	return "";
}

static void check_path(sqlite3 *db, const struct path_case *c)
{
	sqlite3_stmt *stmt = NULL;
	char sql[2048];

	snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", sql_of(c->query));
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), 0);
	for (size_t i = 0; c->steps[i]; i++) {
		const char *step;

		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		step = (const char *)sqlite3_column_text(stmt, 3);
		if (strcmp(step, c->steps[i])) {
			fail_msg("%s: %s", c->query, step);
		}
	}
	assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
	sqlite3_finalize(stmt);
}

static void test_claim_paths(void **state)
{
	struct world *w = *state;
	sqlite3 *db = raw_open(w);

	for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
		check_path(db, &PATHS[i]);
	}
	sqlite3_close(db);
}

/* ---- how far a file is looked over ---- */

static void test_check_after_clean_end(void **state)
{
	struct world *w = *state;

	/* a new file: nothing is known */
	assert_int_equal(sp_store_checked(w->store), SP_STORE_CHECK_FULL);
	enqueue(w, "M1");
	sp_store_close(&w->store);
	open_writer(w);
	assert_int_equal(sp_store_checked(w->store), SP_STORE_CHECK_BRIEF);
}

static void test_check_after_kill(void **state)
{
	struct world *w = *state;
	pid_t pid;
	int status = 0;

	sp_store_close(&w->store);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		open_writer(w);
		enqueue(w, "M1");
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	open_writer(w);
	assert_int_equal(sp_store_checked(w->store), SP_STORE_CHECK_BRIEF);
	assert_int_equal(show(w, "M1").count, 1);
}

/* The machine went down with the file open. */
static void test_check_after_reboot(void **state)
{
	struct world *w = *state;

	sp_store_close(&w->store);
	raw(w, "UPDATE meta SET value = 12345 WHERE name = 'opened'");
	open_writer(w);
	assert_int_equal(sp_store_checked(w->store), SP_STORE_CHECK_FULL);
}

/* A store that was opened again after a failure is in doubt until it has
 * been looked over. */
static void test_check_after_failure(void **state)
{
	struct world *w = *state;
	char why[SP_STORE_WHY_MAX];

	for (int i = 0; i < 2; i++) {
		sp_store_close(&w->store);
		assert_int_equal(sp_store_open(sp_str_from(w->url),
		                               SP_STORE_WRITER, false,
		                               &w->store, why, sizeof(why)),
		                 0);
		assert_int_equal(sp_store_checked(w->store),
		                 SP_STORE_CHECK_NONE);
	}
	sp_store_close(&w->store);
	open_writer(w);
	assert_int_equal(sp_store_checked(w->store), SP_STORE_CHECK_FULL);
}

static void test_brief_check_sees_a_cut(void **state)
{
	struct world *w = *state;
	char why[SP_STORE_WHY_MAX];
	char path[160];
	struct stat st;

	enqueue(w, "M1");
	sp_store_close(&w->store);
	path_of(w, path, sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 4096), 0);
	assert_int_equal(open_again(w, why), SP_ESTORE);
}

/* A file of the first version gets what came since, and keeps what it has. */
static void test_migrate(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	int64_t notice_ms = 0;
	char path[160];

	sp_store_close(&w->store);
	path_of(w, path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	raw(w, VERSION1);
	open_writer(w);
	must(sp_store_next_notice(w->store, &notice_ms), w->store);
	assert_int_equal(notice_ms, -1);
	must(sp_store_sts_next(w->store, &notice_ms), w->store);
	assert_int_equal(notice_ms, -1);
	assert_int_equal(in_state(w, SP_STORE_QUEUED), 1);
	assert_int_equal(claim(w, NOW, 9, &jobs), 1);
	must(settle(w, jobs[0].attempt_id,
	            to(DELIVERED, jobs[0].rcpts[0].rcpt_id)),
	     w->store);
	assert_int_equal(show(w, "M1").state, SP_STORE_DELIVERED);
}

/* ---- trouble at opening ---- */

static void test_durable_settings(void **state)
{
	struct world *w = *state;
	struct stat st;
	char path[160];
	char log[170];

	path_of(w, path, sizeof(path));
	snprintf(log, sizeof(log), "%s-wal", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	enqueue(w, "M1");
	must(sp_store_maintain(w->store, true), w->store);
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_size, 0); /* all of it is in the file */
}

static void copy_file(const char *from, const char *to)
{
	static char bytes[8 * 1024 * 1024];
	int in = open(from, O_RDONLY);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ssize_t len = read(in, bytes, sizeof(bytes));

	assert_true(in >= 0 && out >= 0);
	assert_true(len >= 0 && (size_t)len < sizeof(bytes));
	assert_int_equal(write(out, bytes, (size_t)len), len);
	close(in);
	close(out);
}

/* What a kill in this very moment would leave behind holds all that was
 * committed, however much one turn wrote, and nothing else. */
static void test_commit_is_in_the_files(void **state)
{
	static char body[SP_STORE_CHUNK_MAX];
	struct world *w = *state;
	struct sp_envelope e = envelope(ONE, 1);
	char path[160];
	char copy[170];
	char log[180];
	char log_copy[180];
	sqlite3 *db = NULL;

	begin(w);
	for (int i = 0; i < 5; i++) {
		char id[16];
		struct sp_store_incoming in;

		snprintf(id, sizeof(id), "M%d", i);
		in = incoming(id, &e);
		in.body = sp_str_slice(body, sizeof(body));
		must(sp_store_enqueue(w->store, &in), w->store);
	}
	commit(w);
	begin(w);
	path_of(w, path, sizeof(path));
	snprintf(copy, sizeof(copy), "%s-copy", path);
	snprintf(log, sizeof(log), "%s-wal", path);
	snprintf(log_copy, sizeof(log_copy), "%s-wal", copy);
	copy_file(path, copy);
	copy_file(log, log_copy);
	commit(w);
	assert_int_equal(sqlite3_open(copy, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                              "SELECT CASE WHEN count(*) = 5 AND"
	                              " sum(length(data)) = 5 * 262144 THEN 1"
	                              " ELSE abs(-1 << 63) END FROM body",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	unlink(copy);
	unlink(log_copy);
}

static void scribble(const struct world *w, off_t offset, size_t len)
{
	char path[160];
	char junk[4096];
	int fd;

	path_of(w, path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	memset(junk, 0xa5, sizeof(junk));
	while (len > 0) {
		size_t part = len < sizeof(junk) ? len : sizeof(junk);

		assert_int_equal(pwrite(fd, junk, part, offset), part);
		offset += (off_t)part;
		len -= part;
	}
	close(fd);
}

static void test_not_a_database(void **state)
{
	struct world *w = *state;
	char why[SP_STORE_WHY_MAX] = "";

	enqueue(w, "M1");
	sp_store_close(&w->store);
	scribble(w, 0, 100);
	assert_int_equal(open_again(w, why), SP_ESTORE);
	assert_non_null(strstr(why, "not a database"));
	assert_null(strchr(why, '\n'));
}

static void test_damaged_pages(void **state)
{
	struct world *w = *state;
	char why[SP_STORE_WHY_MAX] = "";

	enqueue(w, "M1");
	sp_store_close(&w->store);
	scribble(w, 4096, 12 * 4096);
	assert_int_equal(open_again(w, why), SP_ESTORE);
	assert_non_null(strstr(why, "store /"));
	assert_null(strchr(why, '\n'));
}

static const struct foreign_case {
	const char *name;
	const char *sql;
	const char *why;
} FOREIGN[] = {
	{"newer version", "PRAGMA user_version = 1000",
         "was written by a newer version"},
	{"another program", "PRAGMA application_id = 7",
         "is a database of another program"},
};

static void test_foreign(void **state)
{
	struct world *w = *state;
	char why[SP_STORE_WHY_MAX];

	for (size_t i = 0; i < sizeof(FOREIGN) / sizeof(FOREIGN[0]); i++) {
		sp_store_close(&w->store);
		tear_down((void *[]){w});
		assert_int_equal(set_up((void **)&w), 0);
		*state = w;
		sp_store_close(&w->store);
		raw(w, FOREIGN[i].sql);
		assert_int_equal(open_again(w, why), SP_EUNSUPPORTED);
		if (!strstr(why, FOREIGN[i].why)) {
			fail_msg("%s: %s", FOREIGN[i].name, why);
		}
	}
}

static void test_tables_of_others(void **state)
{
	struct world *w = *state;
	char why[SP_STORE_WHY_MAX];
	char path[160];

	sp_store_close(&w->store);
	path_of(w, path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	raw(w, "CREATE TABLE theirs (x)");
	assert_int_equal(open_again(w, why), SP_EUNSUPPORTED);
	assert_non_null(strstr(why, "another program"));
}

static const struct url_case {
	const char *url;
	int ret;
} URLS[] = {
	{"", SP_ECONFIG},
	{"mysql:/x", SP_ECONFIG},
	{"sqlite:", SP_ECONFIG},
	{"sqlite:relative.db", SP_ECONFIG},
	{"sqlite:/nonexistent-directory/x/store.db", -ENOENT},
	{"sqlite:/proc/store.db", 0},
};

static void test_urls(void **state)
{
	struct sp_store *store;

	(void)state;
	for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
		char why[SP_STORE_WHY_MAX] = "";
		int ret =
			sp_store_open(sp_str_from(URLS[i].url), SP_STORE_WRITER,
		                      true, &store, why, sizeof(why));

		if (ret >= 0 || (URLS[i].ret && ret != URLS[i].ret) ||
		    strncmp(why, "store", 5)) {
			fail_msg("%s: %d %s", URLS[i].url, ret, why);
		}
	}
}

static void test_read_only_directory(void **state)
{
	struct world *w = *state;
	char why[SP_STORE_WHY_MAX] = "";
	int ret;

	sp_store_close(&w->store);
	sqlite_gone(w);
	assert_int_equal(mkdir(w->dir, 0555), 0);
	if (geteuid() == 0) { /* root may write everywhere */
		assert_int_equal(seteuid(NOBODY), 0);
		ret = open_again(w, why);
		assert_int_equal(seteuid(0), 0);
	} else {
		ret = open_again(w, why);
	}
	assert_int_equal(chmod(w->dir, 0700), 0);
	assert_int_equal(ret, -EACCES);
	assert_non_null(strstr(why, "Permission denied"));
}

static void test_reader_before_writer(void **state)
{
	struct world *w = *state;
	char why[SP_STORE_WHY_MAX] = "";
	char path[160];

	sp_store_close(&w->store);
	path_of(w, path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sp_store_open(sp_str_from(w->url), SP_STORE_READER,
	                               false, &w->store, why, sizeof(why)),
	                 SP_ENOTFOUND);
	raw(w, "PRAGMA journal_mode = WAL");
	assert_int_equal(sp_store_open(sp_str_from(w->url), SP_STORE_READER,
	                               false, &w->store, why, sizeof(why)),
	                 SP_ENOTFOUND);
}

/* ---- values that were never written ---- */

static const struct odd_case {
	const char *name;
	const char *sql;
} ODD[] = {
	{"state", "UPDATE recipient SET state = 99, done_ms = NULL"},
	{"attempts", "UPDATE recipient SET attempts = -1"},
	{"address", "UPDATE recipient SET address = hex(zeroblob(4000))"},
	{"size", "UPDATE message SET size_bytes = -4"},
	{"id", "UPDATE message SET queue_id = hex(zeroblob(100))"},
	{"reply", "UPDATE recipient SET reply = hex(zeroblob(9000))"},
};

static void test_odd_values(void **state)
{
	struct world *w = *state;
	struct sp_store_filter all = {.limit = 0};
	struct found f;
	sqlite3 *db;

	enqueue(w, "M1");
	for (size_t i = 0; i < sizeof(ODD) / sizeof(ODD[0]); i++) {
		db = raw_open(w);
		sqlite3_exec(db, "PRAGMA ignore_check_constraints = 1", NULL,
		             NULL, NULL);
		sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
		assert_int_equal(sqlite3_exec(db, ODD[i].sql, NULL, NULL, NULL),
		                 SQLITE_OK);
		sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
		if (sp_store_search(w->store, &all, on_row, &f) != SP_ESTORE ||
		    !strstr(sp_store_why(w->store), "never written")) {
			fail_msg("%s: %s", ODD[i].name, sp_store_why(w->store));
		}
		sqlite3_exec(db,
		             "UPDATE recipient SET state = 0, attempts = 0,"
		             " address = 'b@d.test', reply = '';"
		             "UPDATE message SET size_bytes = 1,"
		             " queue_id = 'M1'",
		             NULL, NULL, NULL);
		sqlite3_close(db);
		must(sp_store_search(w->store, &all, on_row, &f), w->store);
	}
}

/* RLIMIT_FSIZE stands in for a full disk: writes beyond it fail. */
static void test_write_fails(void **state)
{
	struct world *w = *state;
	struct sp_envelope e = envelope(ONE, 1);
	struct sp_store_incoming in = incoming("M2", &e);
	static char body[SP_STORE_CHUNK_MAX];
	struct rlimit before;
	struct rlimit tight;
	int ret;

	enqueue(w, "M1");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	tight = before;
	tight.rlim_cur = (rlim_t)128 * 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	in.body = sp_str_slice(body, sizeof(body));
	begin(w);
	ret = sp_store_enqueue(w->store, &in);
	ret = ret ? ret : sp_store_commit(w->store);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(ret == SP_ESTORE || ret == -ENOSPC);
	sp_store_close(&w->store);
	open_writer(w);
	assert_int_equal(show(w, "M1").count, 1);
	assert_int_equal(show(w, "M2").count, 0);
	enqueue(w, "M2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plans),
		TEST(test_claim_paths),
		TEST(test_check_after_clean_end),
		TEST(test_check_after_kill),
		TEST(test_check_after_reboot),
		TEST(test_check_after_failure),
		TEST(test_brief_check_sees_a_cut),
		TEST(test_migrate),
		TEST(test_durable_settings),
		TEST(test_commit_is_in_the_files),
		TEST(test_not_a_database),
		TEST(test_damaged_pages),
		TEST(test_foreign),
		TEST(test_tables_of_others),
		TEST(test_urls),
		TEST(test_read_only_directory),
		TEST(test_reader_before_writer),
		TEST(test_odd_values),
		TEST(test_write_fails),
	};
	int failed = 0;

	RUN_FOR_ALL_ENGINES(tests, failed)
	return failed ? 1 : 0;
}
