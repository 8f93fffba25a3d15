/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_TLS_CONN_H
#define SP_NET_TLS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/tls.h"

/*
 * Private to net/tls*.c and net/stream.c: one TLS connection over a
 * non-blocking descriptor that belongs to the stream. Every step returns at
 * once and says what it waits for.
 */

enum sp__tls_step {
	SP__TLS_DONE,
	SP__TLS_WANT_READ,
	SP__TLS_WANT_WRITE,
	SP__TLS_CLOSED, /* the peer's end; conn->truncated: no close_notify */
	SP__TLS_FAILED, /* conn->error, conn->error_text */
};

#define SP__TLS_KEY 32

struct sp_tls_conn {
	SSL *ssl; /* owned */
	int fd;   /* the stream's */
	bool client;
	bool up;        /* handshake finished */
	bool broken;    /* only to be freed: no more calls into SSL */
	bool truncated; /* the peer closed without close_notify */
	int error;      /* of a failed step: negative */
	char error_text[160];

	/* For tls_wire.c: */
	struct sp_buf wire; /* records that have not left yet */
	bool readable;      /* the kernel may have bytes */
	bool wire_eof;

	/* From here on: client only. */
	struct sp_arena arena;       /* params and seen */
	struct sp_tls_client params; /* copied */
	size_t accepted_count;       /* records that libssl took */
	struct sp__tls_notes {       /* what verification met on its way */
		bool not_yet_valid;
		bool expired;
		bool name;
	} notes;
	struct sp__tls_pki {
		bool checked;
		int error;      /* X509_V_ERR_* */
		int64_t end_ms; /* wall, of the chain; 0: no matter */
	} pki;
	struct sp_tls_seen seen; /* complete once up, or failed */

	/* For tls_session.c: */
	bool caching; /* session_key was given */
	bool offered; /* a stored session; its facts are in recalled */
	bool settled; /* facts are complete */
	uint8_t cache_key[SP__TLS_KEY];
	struct sp_tls_seen recalled;
	int64_t verified_mono_ms;     /* when the chain was seen */
	int64_t valid_until_ms;       /* wall, of that chain; 0: no matter */
	SSL_SESSION *pending_session; /* owned; came before settled */
};

/* tls_client.c: a connection without a descriptor yet. -EINVAL when the
 * parameters can't be obeyed (usage 2 without a reference name). */
int sp__tls_client_new(const struct sp_tls_client *params,
                       struct sp_tls_conn **conn_out);
/* The verification of a peer's chain; the one and only, also of
 * sp_tls_verify_chain. 1 or 0, the error left in ctx. */
int sp__tls_verify(X509_STORE_CTX *ctx, void *arg);

/* Passes over and notes what does not break the chain, see there. */
int sp__tls_note_error(int ok, X509_STORE_CTX *ctx);
int sp__tls_worst_noted(const struct sp__tls_notes *notes);

/* tls_pki.c: the chain that from has to verify, by the public authorities. */
void sp__tls_pki_verify(struct sp_tls_conn *conn, X509_STORE_CTX *from);
void sp__tls_pki_seen(struct sp_tls_conn *conn, const X509 *leaf);
void sp__tls_roots_drop(void);

/* tls_server.c */
struct sp_tls_conn *sp__tls_server_conn_new(struct sp_tls_server *server);

/* tls_conn.c */
struct sp_tls_conn *sp__tls_conn_new(SSL_CTX *ctx, bool client);
void sp__tls_conn_free(struct sp_tls_conn **conn); /* no close_notify */
struct sp_tls_conn *sp__tls_conn_of(const SSL *ssl);
int sp__tls_conn_set_fd(struct sp_tls_conn *conn, int fd);
/* What the steps below write waits for sp__tls_send; what they read has been
 * announced by sp__tls_readable. */
enum sp__tls_step sp__tls_handshake(struct sp_tls_conn *conn);
/* After a read: there may be more without asking the kernel. Without, an idle
 * connection keeps no buffers. */
bool sp__tls_holds_bytes(struct sp_tls_conn *conn);
enum sp__tls_step sp__tls_read(struct sp_tls_conn *conn, void *out, size_t cap,
                               size_t *len_out);
enum sp__tls_step sp__tls_write(struct sp_tls_conn *conn, const void *data,
                                size_t len, size_t *len_out);
/* Writes close_notify, does not wait for the peer's. */
void sp__tls_close_notify(struct sp_tls_conn *conn);
enum sp__tls_step sp__tls_fail(struct sp_tls_conn *conn, int error,
                               const char *text);
/* One line for the oldest error in OpenSSL's queue, which is emptied. */
void sp__tls_queue_text(char *out, size_t cap);
/* The options every context has. */
void sp__tls_ctx_common(SSL_CTX *ctx);

/* tls_wire.c */
int sp__tls_wire_attach(struct sp_tls_conn *conn, int fd);
/* The loop has seen that there are bytes, or the end. */
void sp__tls_readable(struct sp_tls_conn *conn);
/* To the kernel: DONE, WANT_WRITE or FAILED. Also after a failed step, whose
 * alert it may be. What can't leave in a handshake is forgotten: reading will
 * tell why. */
enum sp__tls_step sp__tls_send(struct sp_tls_conn *conn);
size_t sp__tls_unsent(const struct sp_tls_conn *conn);
void sp__tls_wire_init(struct sp_tls_conn *conn);
void sp__tls_wire_fini(struct sp_tls_conn *conn);

/* tls_seen.c */
void sp__tls_seen_fill(struct sp_tls_conn *conn);
void sp__tls_seen_session(const struct sp_tls_conn *conn,
                          struct sp_tls_seen *seen);
void sp__tls_seen_chain(struct sp_tls_conn *conn, X509 *leaf);
void sp__tls_seen_copy(const struct sp_tls_seen *seen, struct sp_arena *arena,
                       struct sp_tls_seen *seen_out);

/* tls_chain.c: all that the peer has sent. */
void sp__tls_chain(const struct sp_tls_conn *conn, struct sp_arena *arena,
                   struct sp_tls_chain *chain_out);

/* tls_tools.c: association data of a certificate. 0 or negative. */
int sp__tls_tlsa_data(X509 *cert, uint8_t selector, uint8_t matching,
                      struct sp_arena *arena, struct sp_str *data_out);

/* tls_seen.c: what certificates say, for others that tell it. */
struct sp_str sp__tls_name_text(struct sp_arena *arena, const X509_NAME *name);
struct sp_str sp__tls_dns_ids(struct sp_arena *arena, X509 *cert);
int64_t sp__tls_time_ms(const ASN1_TIME *time);
enum sp_key_kind sp__tls_key(const X509 *cert, struct sp_arena *arena,
                             enum sp_key_algorithm *algorithm_out,
                             struct sp_str *text_out);

/* tls_session.c: sessions of this process, by cache_key, bounded. */
void sp__tls_session_setup(void);
void sp__tls_session_watch(SSL_CTX *ctx);
void sp__tls_session_teardown(void);
void sp__tls_session_forget(void); /* all of them */
/* Wall time at which the first of the certificates expires. */
int64_t sp__tls_chain_end_ms(const STACK_OF(X509) * chain);
void sp__tls_session_key(struct sp_tls_conn *conn);
/* Offers a stored session, if there is one, to the handshake to come. */
void sp__tls_session_offer(struct sp_tls_conn *conn);
/* After the handshake: takes the stored facts back if it was resumed. */
bool sp__tls_session_recall(struct sp_tls_conn *conn);
/* Facts are complete: stores a session that came before them. */
void sp__tls_session_settle(struct sp_tls_conn *conn);

#endif
