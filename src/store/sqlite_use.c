/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements in use. Errors stick to the use, so that a verb reads as a list
 * of parameters and columns with one check at its end. A value that has the
 * wrong type, or lies outside the range its reader states, is an error of
 * the store: the file is not what we wrote.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "store/sqlite.h"

static const char *const SQL[] = {
#define SP_SQL(name, text) text,
#include "store/sqlite_sql.def"
#undef SP_SQL
};

int sp__fail(struct sp__sqlite *s, int rc, const char *what)
{
	int saved_errno = s->db ? sqlite3_system_errno(s->db) : 0;

	(void)snprintf(s->base.why, sizeof(s->base.why), "store %s: %s: %s%s%s",
	               s->path, what,
	               s->db ? sqlite3_errmsg(s->db) : "no memory",
	               saved_errno ? ": " : "",
	               saved_errno ? strerror(saved_errno) : "");
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
		return SP_EBUSY;
	default:
		return SP_ESTORE;
	}
}

int sp__exec(struct sp__sqlite *s, const char *sql)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sp__fail(s, rc, "set-up");
}

int sp__exec_int(struct sp__sqlite *s, const char *sql, int64_t *value_out)
{
	struct sp__use u = sp__use_text(s, sql);

	if (sp__row(&u)) {
		*value_out = sp__int(&u, 0, INT64_MIN, INT64_MAX);
	}
	return sp__end_text(&u);
}

static sqlite3_stmt *prepare(struct sp__sqlite *s, const char *sql,
                             unsigned flags, int *error_out)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v3(s->db, sql, -1, flags, &stmt, NULL);

	*error_out = rc == SQLITE_OK ? 0 : sp__fail(s, rc, "prepare");
	return stmt;
}

struct sp__use sp__use(struct sp__sqlite *s, enum sp__sql sql)
{
	struct sp__use u = {.s = s, .next = 1};

	if (!s->stmts[sql]) {
		s->stmts[sql] = prepare(s, SQL[sql], SQLITE_PREPARE_PERSISTENT,
		                        &u.error);
	}
	u.stmt = s->stmts[sql];
	SP_ASSERT(!u.stmt || !sqlite3_stmt_busy(u.stmt));
	return u;
}

struct sp__use sp__use_text(struct sp__sqlite *s, const char *sql)
{
	struct sp__use u = {.s = s, .next = 1};

	u.stmt = prepare(s, sql, 0, &u.error);
	return u;
}

int sp__end(struct sp__use *u)
{
	if (u->stmt) {
		/* Its result repeats the error of the step. */
		(void)sqlite3_reset(u->stmt);
		(void)sqlite3_clear_bindings(u->stmt);
	}
	return u->error;
}

int sp__end_text(struct sp__use *u)
{
	(void)sqlite3_finalize(u->stmt); /* repeats the error of the step */
	u->stmt = NULL;
	return u->error;
}

static void bound(struct sp__use *u, int rc)
{
	u->next++;
	if (rc != SQLITE_OK) {
		u->error = sp__fail(u->s, rc, "bind");
	}
}

void sp__bind_int(struct sp__use *u, int64_t value)
{
	if (!u->error) {
		bound(u, sqlite3_bind_int64(u->stmt, u->next, value));
	}
}

void sp__bind_str(struct sp__use *u, struct sp_str value)
{
	if (!u->error) {
		bound(u, sqlite3_bind_text64(
				 u->stmt, u->next, value.len ? value.ptr : "",
				 value.len, SQLITE_STATIC, SQLITE_UTF8));
	}
}

void sp__domain_set(struct sp__domain *d, struct sp_str domain)
{
	SP_ASSERT(domain.len <= sizeof(d->text));
	d->len = domain.len;
	if (domain.len) {
		memcpy(d->text, domain.ptr, domain.len);
	}
}

void sp__bind_blob(struct sp__use *u, struct sp_str value)
{
	if (!u->error) {
		bound(u, sqlite3_bind_blob64(u->stmt, u->next,
		                             value.len ? value.ptr : "",
		                             value.len, SQLITE_STATIC));
	}
}

void sp__bind_null(struct sp__use *u)
{
	if (!u->error) {
		bound(u, sqlite3_bind_null(u->stmt, u->next));
	}
}

bool sp__row(struct sp__use *u)
{
	int rc;

	if (u->error) {
		return false;
	}
	rc = sqlite3_step(u->stmt);
	if (rc == SQLITE_ROW) {
		return true;
	}
	if (rc != SQLITE_DONE) {
		u->error = sp__fail(u->s, rc, "run");
	}
	return false;
}

int sp__run(struct sp__use *u)
{
	SP_ASSERT(!sp__row(u));
	return sp__end(u);
}

static void odd_column(struct sp__use *u, int column)
{
	const char *name = sqlite3_column_name(u->stmt, column);

	(void)snprintf(
		u->s->base.why, sizeof(u->s->base.why),
		"store %s: column %s holds a value that was never written",
		u->s->path, name ? name : "?");
	u->error = SP_ESTORE;
}

int64_t sp__int(struct sp__use *u, int column, int64_t min, int64_t max)
{
	int type;
	int64_t value;

	if (u->error) {
		return min;
	}
	type = sqlite3_column_type(u->stmt, column);
	value = sqlite3_column_int64(u->stmt, column);
	if ((type != SQLITE_INTEGER && type != SQLITE_NULL) || value < min ||
	    value > max) {
		odd_column(u, column);
		return min;
	}
	return value;
}

bool sp__bool(struct sp__use *u, int column)
{
	return sp__int(u, column, 0, 1) == 1;
}

/* Bytes stand in columns of bytes (or come of an expression) only: SQLite
 * compares them unequal to the same text, so that a row with a domain of bytes
 * is found by a search and missed by every statement that names the domain. */
static bool is_string(const struct sp__use *u, int column, int type)
{
	const char *declared;

	if (type != SQLITE_BLOB) {
		return type == SQLITE_TEXT || type == SQLITE_NULL;
	}
	declared = sqlite3_column_decltype(u->stmt, column);
	return !declared || strcmp(declared, "BLOB") == 0;
}

struct sp_str sp__str(struct sp__use *u, int column, size_t max)
{
	const void *ptr;
	size_t len;

	if (u->error) {
		return SP_STR("");
	}
	if (!is_string(u, column, sqlite3_column_type(u->stmt, column))) {
		odd_column(u, column);
		return SP_STR("");
	}
	ptr = sqlite3_column_blob(u->stmt, column);
	len = (size_t)sqlite3_column_bytes(u->stmt, column);
	if (len > max) {
		odd_column(u, column);
		return SP_STR("");
	}
	return len ? sp_str_slice(ptr, len) : SP_STR("");
}
