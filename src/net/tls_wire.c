/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies between libssl and the descriptor. libssl's own would write each
 * record and ask for input at once after each flight, where nothing can have
 * come yet. Here records gather until the stream says that they may leave, so
 * that what belongs together is one system call (the end of a handshake and
 * the first command, QUIT and close_notify), and the kernel is asked for bytes
 * only when the loop has said that there are some.
 *
 *	SSL_write, SSL_do_handshake ─▶ wire ──sp__tls_send──▶ descriptor
 *	SSL_read ◀────────────────────── recv, while readable
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/err.h"
#include "net/tls_conn.h"

#define WIRE_MAX 262144 /* more than a flight and the records of one turn */

static BIO_METHOD *method; /* one per process, until its end */

static bool is_again(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

static int wire_write(BIO *bio, const char *data, size_t len, size_t *len_out)
{
	struct sp_tls_conn *conn = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (sp_buf_append(&conn->wire, data, len) != 0) {
		errno = ENOBUFS;
		return 0;
	}
	*len_out = len;
	return 1;
}

static int wire_read(BIO *bio, char *out, size_t cap, size_t *len_out)
{
	struct sp_tls_conn *conn = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (!conn->readable) {
		BIO_set_retry_read(bio);
		return 0;
	}
	n = recv(conn->fd, out, cap, 0);
	conn->readable = n > 0 && (size_t)n == cap;
	if (n > 0) {
		*len_out = (size_t)n;
		return 1;
	}
	if (n < 0 && is_again(errno)) {
		BIO_set_retry_read(bio);
	}
	conn->wire_eof = n == 0;
	return 0;
}

static long wire_ctrl(BIO *bio, int what, long number, void *pointer)
{
	const struct sp_tls_conn *conn = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (what) {
	case BIO_CTRL_FLUSH: /* by sp__tls_send, in its own time */
		return 1;
	case BIO_CTRL_EOF:
		return conn->wire_eof;
	default:
		return 0;
	}
}

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	                      "stream");
	SP_ASSERT(method && BIO_meth_set_write_ex(method, wire_write) == 1 &&
	          BIO_meth_set_read_ex(method, wire_read) == 1 &&
	          BIO_meth_set_ctrl(method, wire_ctrl) == 1);
}

int sp__tls_wire_attach(struct sp_tls_conn *conn, int fd)
{
	BIO *bio;

	if (!method) {
		make_method();
	}
	bio = BIO_new(method);
	if (!bio) {
		return SP_ETLS;
	}
	conn->fd = fd;
	BIO_set_data(bio, conn);
	BIO_set_init(bio, 1);
	SSL_set_bio(conn->ssl, bio, bio); /* takes it over */
	return 0;
}

void sp__tls_readable(struct sp_tls_conn *conn)
{
	conn->readable = true;
}

size_t sp__tls_unsent(const struct sp_tls_conn *conn)
{
	return sp_buf_len(&conn->wire);
}

/* In a handshake the peer's alert, or its end, says more. */
static enum sp__tls_step send_failed(struct sp_tls_conn *conn, int err)
{
	sp_buf_reset(&conn->wire);
	if (!conn->up || conn->broken) {
		return SP__TLS_DONE;
	}
	return sp__tls_fail(conn, -err, strerror(err));
}

enum sp__tls_step sp__tls_send(struct sp_tls_conn *conn)
{
	struct sp_str bytes;

	while ((bytes = sp_buf_str(&conn->wire)).len > 0) {
		ssize_t n = send(conn->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

		if (n < 0 && is_again(errno)) {
			return SP__TLS_WANT_WRITE;
		}
		if (n < 0) {
			return send_failed(conn, errno);
		}
		sp_buf_consume(&conn->wire, (size_t)n);
	}
	sp_buf_give_back(&conn->wire, 0);
	return SP__TLS_DONE;
}

void sp__tls_wire_init(struct sp_tls_conn *conn)
{
	conn->fd = -1;
	sp_buf_init(&conn->wire, WIRE_MAX);
}

void sp__tls_wire_fini(struct sp_tls_conn *conn)
{
	sp_buf_fini(&conn->wire);
}
