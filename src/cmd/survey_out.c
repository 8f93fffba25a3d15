/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows gather in a buffer and leave at each flush, in whole lines where the
 * system takes them; a run that is killed may leave a part of one, which the
 * next one cuts off. In order, a row stands in a ring at the place of its
 * number until all before it are out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/survey_out.h"
#include "cmd/survey_row.h"
#include "cmd/text.h"

#define FLUSH_BYTES 65536
#define READ_BYTES  65536

struct sp_survey_out {
	struct sp_survey_out_conf conf;
	int fd; /* owned, unless it is standard output */
	struct sp_buf buf;
	char **ring; /* owned, each owned: lines by number, in order */
	uint64_t next;
	int err;
	sp_survey_out_fn *fn;
	void *arg;
};

/* --- what an earlier run left --- */

static int read_line(struct sp_survey_out *o, struct sp_str line,
                     uint64_t number)
{
	struct sp_survey_row row;
	struct sp_arena arena;
	struct sp_buf titles;
	int err = 0;

	if (o->conf.csv && number == 1) {
		sp_buf_init(&titles, SP_SURVEY_LINE_MAX);
		sp_survey_row_titles(&titles);
		sp_buf_truncate(&titles, 1);
		err = sp_str_eq(line, sp_buf_str(&titles)) ? 0 : SP_ESYNTAX;
		sp_buf_fini(&titles);
		return err;
	}
	sp_arena_init(&arena);
	err = sp_survey_row_read(line, o->conf.csv, &arena, &row);
	if (!err) {
		o->fn(o->arg, &row);
	}
	sp_arena_fini(&arena);
	return err;
}

/* All whole lines of buf. */
static int read_lines(struct sp_survey_out *o, struct sp_buf *buf,
                      uint64_t *lines, off_t *whole)
{
	for (;;) {
		struct sp_str bytes = sp_buf_str(buf);
		size_t end = sp_str_find(bytes, '\n');

		if (end == bytes.len) {
			return 0;
		}
		++*lines;
		if (read_line(o, sp_str_sub(bytes, 0, end), *lines)) {
			return sp_cmd_fail(
				SP_EXIT_DATA, "%s:%llu: no %s row of a survey",
				o->conf.path, (unsigned long long)*lines,
				o->conf.csv ? "CSV" : "JSON");
		}
		*whole += (off_t)end + 1;
		sp_buf_consume(buf, end + 1);
	}
}

static int read_file(struct sp_survey_out *o, struct sp_buf *buf, off_t *whole)
{
	uint64_t lines = 0;
	int status = 0;

	for (;;) {
		char *room = sp_buf_reserve(buf, READ_BYTES);
		ssize_t n = room ? read(o->fd, room, READ_BYTES) : 0;

		if (!room) {
			return sp_cmd_fail(
				SP_EXIT_DATA, "%s:%llu: no row of a survey",
				o->conf.path, (unsigned long long)lines + 1);
		}
		if (n < 0) {
			return sp_cmd_fail(SP_EXIT_IO, "%s: %s", o->conf.path,
			                   sp_strerror(-errno));
		}
		if (n == 0) {
			return 0;
		}
		sp_buf_commit(buf, (size_t)n);
		status = read_lines(o, buf, &lines, whole);
		if (status) {
			return status;
		}
	}
}

/* Reads the file again and stands behind its last whole line. */
static int take_up(struct sp_survey_out *o)
{
	struct sp_buf buf;
	off_t whole = 0;
	int status;

	sp_buf_init(&buf, (size_t)4 * READ_BYTES);
	status = read_file(o, &buf, &whole);
	sp_buf_fini(&buf);
	if (!status &&
	    (ftruncate(o->fd, whole) || lseek(o->fd, whole, SEEK_SET) < 0)) {
		status = sp_cmd_fail(SP_EXIT_IO, "%s: %s", o->conf.path,
		                     sp_strerror(-errno));
	}
	if (!status && o->conf.csv && whole == 0) {
		sp_survey_row_titles(&o->buf);
	}
	return status;
}

/* --- opening --- */

static int open_file(struct sp_survey_out *o)
{
	const char *path = o->conf.path;

	o->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (o->fd < 0) {
		return sp_cmd_fail(SP_EXIT_IO, "%s: %s", path,
		                   sp_strerror(-errno));
	}
	if (flock(o->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
		return sp_cmd_fail(SP_EXIT_IO, "%s: another survey writes it",
		                   path);
	}
	/* a pipe or a terminal can be neither */
	if (!o->conf.resume && ftruncate(o->fd, 0) && errno != EINVAL) {
		return sp_cmd_fail(SP_EXIT_IO, "%s: %s", path,
		                   sp_strerror(-errno));
	}
	return 0;
}

int sp_survey_out_open(const struct sp_survey_out_conf *conf,
                       sp_survey_out_fn *fn, void *arg,
                       struct sp_survey_out **out_out)
{
	struct sp_survey_out *o = SP_NEW(struct sp_survey_out);
	int status = 0;

	o->conf = *conf;
	o->fd = STDOUT_FILENO;
	o->fn = fn;
	o->arg = arg;
	sp_buf_init(&o->buf, SP_TEXT_MAX);
	if (conf->ordered) {
		o->ring = sp_calloc(SP_SURVEY_WINDOW, sizeof(*o->ring));
	}
	*out_out = o;
	if (conf->path) {
		status = open_file(o);
	}
	if (!status && conf->resume) {
		status = take_up(o);
	} else if (!status && conf->csv) {
		sp_survey_row_titles(&o->buf);
	}
	return status;
}

/* --- rows --- */

int sp_survey_out_flush(struct sp_survey_out *o)
{
	while (!o->err && sp_buf_len(&o->buf)) {
		struct sp_str bytes = sp_buf_str(&o->buf);
		ssize_t n = write(o->fd, bytes.ptr, bytes.len);

		if (n >= 0) {
			sp_buf_consume(&o->buf, (size_t)n);
		} else if (errno != EINTR) {
			o->err = -errno;
		}
	}
	sp_buf_give_back(&o->buf, (size_t)4 * FLUSH_BYTES);
	return o->err;
}

bool sp_survey_out_has_room(const struct sp_survey_out *o, uint64_t number)
{
	return !o->ring || number - o->next < SP_SURVEY_WINDOW;
}

static void put_in_order(struct sp_survey_out *o, const char *line)
{
	if (line) {
		(void)sp_buf_append_cstr(&o->buf, line);
	}
}

void sp_survey_out_put(struct sp_survey_out *o, const struct sp_survey_row *row)
{
	struct sp_buf line;
	char **at;

	if (!o->ring) {
		sp_survey_row_write(row, o->conf.csv, &o->buf);
	} else {
		sp_buf_init(&line, (size_t)16 * SP_SURVEY_LINE_MAX);
		sp_survey_row_write(row, o->conf.csv, &line);
		o->ring[row->number % SP_SURVEY_WINDOW] = sp_buf_take(&line);
		sp_buf_fini(&line);
		while (*(at = &o->ring[o->next % SP_SURVEY_WINDOW])) {
			put_in_order(o, *at);
			SP_FREE(at);
			o->next++;
		}
	}
	if (sp_buf_len(&o->buf) >= FLUSH_BYTES) {
		(void)sp_survey_out_flush(o);
	}
}

int sp_survey_out_close(struct sp_survey_out **out)
{
	struct sp_survey_out *o = *out;
	int err;

	if (!o) {
		return 0;
	}
	*out = NULL;
	for (uint64_t i = 0; o->ring && i < SP_SURVEY_WINDOW; i++) {
		char **at = &o->ring[(o->next + i) % SP_SURVEY_WINDOW];

		put_in_order(o, *at);
		SP_FREE(at);
	}
	err = o->fd >= 0 ? sp_survey_out_flush(o) : 0;
	if (o->fd >= 0 && o->fd != STDOUT_FILENO && close(o->fd) && !err) {
		err = -errno;
	}
	if (err) {
		err = sp_cmd_fail(SP_EXIT_IO, "%s: %s",
		                  o->conf.path ? o->conf.path
		                               : "standard output",
		                  sp_strerror(err));
	}
	sp_buf_fini(&o->buf);
	sp_free(o->ring);
	sp_free(o);
	return err;
}
