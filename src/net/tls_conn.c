/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a TLS connection. Three habits of OpenSSL are kept inside
 * here: its error queue is per thread and outlives the call that filled it,
 * so it is emptied before each call; SSL_get_error explains only the very
 * last call; and after a fatal error an SSL may only be freed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/assert.h"
#include "base/err.h"
#include "net/tls_conn.h"

struct sp_tls_conn *sp__tls_conn_new(SSL_CTX *ctx, bool client)
{
	struct sp_tls_conn *conn = SP_NEW(struct sp_tls_conn);

	ERR_clear_error();
	conn->ssl = SSL_new(ctx);
	SP_ASSERT(conn->ssl); /* out of memory */
	conn->client = client;
	sp_arena_init(&conn->arena);
	sp__tls_wire_init(conn);
	SP_ASSERT(SSL_set_app_data(conn->ssl, conn));
	return conn;
}

void sp__tls_conn_free(struct sp_tls_conn **conn)
{
	if (!*conn) {
		return;
	}
	ERR_clear_error();
	SSL_SESSION_free((*conn)->pending_session);
	SSL_free((*conn)->ssl);
	sp__tls_wire_fini(*conn);
	sp_arena_fini(&(*conn)->arena);
	SP_FREE(conn);
}

struct sp_tls_conn *sp__tls_conn_of(const SSL *ssl)
{
	struct sp_tls_conn *conn = SSL_get_app_data(ssl);

	SP_ASSERT(conn && conn->ssl == ssl);
	return conn;
}

int sp__tls_conn_set_fd(struct sp_tls_conn *conn, int fd)
{
	ERR_clear_error();
	if (sp__tls_wire_attach(conn, fd) < 0) {
		return SP_ETLS;
	}
	if (!conn->client) {
		SSL_set_accept_state(conn->ssl);
		return 0;
	}
	SSL_set_connect_state(conn->ssl);
	sp__tls_session_offer(conn);
	return 0;
}

void sp__tls_ctx_common(SSL_CTX *ctx)
{
	/* Buffers of idle connections are given back; a write may go out in
	 * parts and be repeated from another place in memory. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	                              SSL_MODE_ENABLE_PARTIAL_WRITE |
	                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ctx,
	                    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

void sp__tls_queue_text(char *out, size_t cap)
{
	unsigned long code = ERR_get_error();
	const char *reason = ERR_reason_error_string(code);
	const char *lib = ERR_lib_error_string(code);

	if (code == 0) {
		snprintf(out, cap, "unknown TLS error");
	} else if (ERR_SYSTEM_ERROR(code)) {
		snprintf(out, cap, "%s", strerror(ERR_GET_REASON(code)));
	} else if (reason) {
		snprintf(out, cap, "%s (%s)", reason, lib ? lib : "OpenSSL");
	} else {
		snprintf(out, cap, "OpenSSL error %08lx", code);
	}
	ERR_clear_error();
}

enum sp__tls_step sp__tls_fail(struct sp_tls_conn *conn, int error,
                               const char *text)
{
	conn->broken = true;
	conn->error = error;
	snprintf(conn->error_text, sizeof(conn->error_text), "%s", text);
	return SP__TLS_FAILED;
}

/* The peer's end of stream. In a handshake it is a failure as any other. */
static enum sp__tls_step closed(struct sp_tls_conn *conn, bool truncated)
{
	conn->truncated = truncated;
	if (!conn->up) {
		return sp__tls_fail(conn, SP_ECLOSED,
		                    "connection closed in the handshake");
	}
	if (truncated) {
		(void)sp__tls_fail(conn, SP_ECLOSED,
		                   "closed without close_notify");
	}
	return SP__TLS_CLOSED;
}

static bool is_unexpected_eof(void)
{
	unsigned long code = ERR_peek_error();

	return ERR_GET_LIB(code) == ERR_LIB_SSL &&
	       ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* What a call that did not succeed waits for, or why it failed. */
static enum sp__tls_step explain(struct sp_tls_conn *conn, int rc)
{
	int err = errno;
	char text[sizeof(conn->error_text)];

	switch (SSL_get_error(conn->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return SP__TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return SP__TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return closed(conn, false);
	case SSL_ERROR_SYSCALL:
		if (err == 0) {
			return closed(conn, true);
		}
		ERR_clear_error();
		return sp__tls_fail(conn, -err, strerror(err));
	default:
		if (is_unexpected_eof()) {
			ERR_clear_error();
			return closed(conn, true);
		}
		sp__tls_queue_text(text, sizeof(text));
		return sp__tls_fail(conn, SP_ETLS, text);
	}
}

static void prepare(const struct sp_tls_conn *conn)
{
	SP_ASSERT(!conn->broken);
	ERR_clear_error();
	errno = 0;
}

static void complete(struct sp_tls_conn *conn)
{
	bool recalled =
		conn->up && conn->client && sp__tls_session_recall(conn);

	if (conn->client && !recalled) {
		sp__tls_seen_fill(conn);
	} else {
		sp__tls_seen_session(conn, &conn->seen);
	}
	if (conn->client && conn->up) {
		sp__tls_session_settle(conn);
	}
}

enum sp__tls_step sp__tls_handshake(struct sp_tls_conn *conn)
{
	enum sp__tls_step step;
	int rc;

	prepare(conn);
	rc = SSL_do_handshake(conn->ssl);
	if (rc == 1) {
		conn->up = true;
		step = SP__TLS_DONE;
	} else {
		step = explain(conn, rc);
	}
	if (step == SP__TLS_DONE || step == SP__TLS_FAILED) {
		complete(conn);
	}
	return step;
}

bool sp__tls_holds_bytes(struct sp_tls_conn *conn)
{
	if (SSL_has_pending(conn->ssl)) {
		return true;
	}
	SSL_free_buffers(conn->ssl);
	return false;
}

enum sp__tls_step sp__tls_read(struct sp_tls_conn *conn, void *out, size_t cap,
                               size_t *len_out)
{
	enum sp__tls_step step;

	*len_out = 0;
	prepare(conn);
	if (SSL_read_ex(conn->ssl, out, cap, len_out) == 1) {
		return SP__TLS_DONE;
	}
	step = explain(conn, 0);
	/* SSL_MODE_RELEASE_BUFFERS leaves 17 KiB to an idle client of TLS 1.3
	 * (OpenSSL 3.0); this does not, and touches nothing in use. */
	if (step == SP__TLS_WANT_READ) {
		SSL_free_buffers(conn->ssl);
	}
	return step;
}

enum sp__tls_step sp__tls_write(struct sp_tls_conn *conn, const void *data,
                                size_t len, size_t *len_out)
{
	*len_out = 0;
	prepare(conn);
	if (SSL_write_ex(conn->ssl, data, len, len_out) == 1) {
		return SP__TLS_DONE;
	}
	return explain(conn, 0);
}

void sp__tls_close_notify(struct sp_tls_conn *conn)
{
	if (!conn->broken && conn->up) {
		prepare(conn);
		(void)SSL_shutdown(conn->ssl);
	}
}
