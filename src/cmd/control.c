/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking and simple: there is nothing else to do meanwhile. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cmd/control.h"
#include "net/socket.h"

#define LINE_MAX_BYTES ((size_t)64 * 1024 * 1024) /* what the server allows */
#define READ_BYTES     65536

struct question {
	int fd;
	const char *path;
	struct sp_buf in;
	sp_control_row_fn *row;
	void *arg;
	struct sp_json *done;
	bool over;
};

struct sp_json *sp_control_verb(const char *verb)
{
	struct sp_json *ask = sp_json_object();

	sp_json_set_cstr(ask, "verb", verb);
	return ask;
}

static int away(const struct question *q, int err)
{
	return sp_cmd_fail(SP_EXIT_AWAY, "%s: %s; is the server running?",
	                   q->path, sp_strerror(err));
}

static int write_all(struct question *q, struct sp_str bytes)
{
	while (bytes.len) {
		ssize_t n = send(q->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR) {
			return away(q, -errno);
		}
		bytes = sp_str_sub(bytes, n > 0 ? (size_t)n : 0, bytes.len);
	}
	return 0;
}

static int send_question(struct question *q, const struct sp_json *ask)
{
	struct sp_buf line;
	int status = SP_EXIT_USAGE;

	sp_buf_init(&line, READ_BYTES);
	if (sp_json_write(ask, &line) || sp_buf_append_char(&line, '\n')) {
		sp_cmd_fail(status, "question too long for the server");
	} else {
		status = write_all(q, sp_buf_str(&line));
	}
	sp_buf_fini(&line);
	return status;
}

static int take_line(struct question *q, struct sp_str line)
{
	static const struct sp_json_limits LIMITS = {LINE_MAX_BYTES, 64,
	                                             4000000};
	struct sp_json *reply = NULL;
	const struct sp_json *row;
	char why[256];
	int status = 0;

	if (sp_json_parse(line, &LIMITS, &reply, why, sizeof(why))) {
		return sp_cmd_fail(SP_EXIT_AGAIN,
		                   "%s: not understood what it says: %s",
		                   q->path, why);
	}
	row = sp_json_get(reply, "row");
	if (row && q->row) {
		q->row(q->arg, row);
	} else if (sp_json_get(reply, "error")) {
		struct sp_str error = sp_json_get_str(reply, "error");

		q->over = true;
		status = sp_cmd_fail(SP_EXIT_AGAIN, "server: " SP_STR_FMT,
		                     SP_STR_ARG(error));
	} else if (!row) {
		q->over = true;
		q->done = sp_json_copy(sp_json_get(reply, "done"));
	}
	sp_json_free(&reply);
	return status;
}

static int take_lines(struct question *q)
{
	int status = 0;

	while (!status && !q->over) {
		struct sp_str bytes = sp_buf_str(&q->in);
		size_t end = sp_str_find(bytes, '\n');

		if (end == bytes.len) {
			break;
		}
		status = take_line(q, sp_str_sub(bytes, 0, end));
		sp_buf_consume(&q->in, end + 1);
	}
	return status;
}

/* Some more bytes of the answer. */
static int read_some(struct question *q)
{
	struct pollfd p = {.fd = q->fd, .events = POLLIN};
	char *room = sp_buf_reserve(&q->in, READ_BYTES);
	int ready = poll(&p, 1, SP_CONTROL_WAIT_MS);
	ssize_t n;

	if (!room) {
		return sp_cmd_fail(SP_EXIT_AGAIN, "%s: its answer is too long",
		                   q->path);
	}
	if (ready == 0) {
		return sp_cmd_fail(SP_EXIT_AGAIN, "%s: no answer in time",
		                   q->path);
	}
	n = ready < 0 ? -1 : read(q->fd, room, READ_BYTES);
	if (n < 0 && errno == EINTR) {
		return 0;
	}
	if (n <= 0) {
		return away(q, n < 0 ? -errno : SP_ECLOSED);
	}
	sp_buf_commit(&q->in, (size_t)n);
	return 0;
}

static int converse(struct question *q, const struct sp_json *ask)
{
	int status = send_question(q, ask);

	while (!status && !q->over) {
		status = read_some(q);
		if (!status) {
			status = take_lines(q);
		}
	}
	return status;
}

static int find_path(struct sp_cmd_ctx *ctx, const char **path_out)
{
	int status = 0;

	*path_out = sp_args_get(ctx->args, "socket");
	if (!*path_out) {
		status = sp_cmd_conf(ctx);
		*path_out = status ? NULL : ctx->conf->control;
	}
	return status;
}

bool sp_control_reachable(struct sp_cmd_ctx *ctx)
{
	const char *path;
	int fd = find_path(ctx, &path) ? -1 : sp_socket_connect_unix(path);

	if (fd < 0) {
		return false;
	}
	close(fd);
	return true;
}

int sp_control_ask(struct sp_cmd_ctx *ctx, struct sp_json *ask,
                   sp_control_row_fn *row, void *arg, struct sp_json **done_out)
{
	struct question q = {.row = row, .arg = arg};
	int status = find_path(ctx, &q.path);

	if (!status) {
		sp_buf_init(&q.in, LINE_MAX_BYTES + READ_BYTES);
		q.fd = sp_socket_connect_unix(q.path);
		status = q.fd < 0 ? away(&q, q.fd) : converse(&q, ask);
		if (q.fd >= 0) {
			close(q.fd);
		}
		sp_buf_fini(&q.in);
	}
	sp_json_free(&ask);
	if (!status && done_out) {
		*done_out = q.done;
	} else {
		sp_json_free(&q.done);
	}
	return status;
}
