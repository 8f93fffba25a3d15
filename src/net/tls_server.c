/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's certificate and key. Both come as text: the parent reads the
 * files while it still may, the role that serves never sees a path. A key
 * that wants a pass phrase is refused, nobody is there to type it.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/assert.h"
#include "base/err.h"
#include "net/tls_conn.h"

struct sp_tls_server {
	SSL_CTX *ctx; /* owned; sessions hold references of their own */
};

#define PEM_MAX 1048576

static int refuse_pass_phrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int explain(const char *what, char *why_out, size_t why_cap)
{
	char text[160];

	sp__tls_queue_text(text, sizeof(text));
	snprintf(why_out, why_cap, "%s: %s", what, text);
	return SP_ECONFIG;
}

static bool is_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM &&
	       ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* The leaf first, then the certificates that go with it. */
static int use_chain(SSL_CTX *ctx, BIO *bio, char *why_out, size_t why_cap)
{
	X509 *cert = PEM_read_bio_X509(bio, NULL, refuse_pass_phrase, NULL);
	int rc = cert ? SSL_CTX_use_certificate(ctx, cert) : 0;

	X509_free(cert);
	if (rc != 1) {
		return explain("certificate", why_out, why_cap);
	}
	while ((cert = PEM_read_bio_X509(bio, NULL, refuse_pass_phrase,
	                                 NULL))) {
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			return explain("certificate chain", why_out, why_cap);
		}
	}
	if (!is_end_of_pem()) {
		return explain("certificate chain", why_out, why_cap);
	}
	ERR_clear_error();
	return 0;
}

static int use_key(SSL_CTX *ctx, BIO *bio, char *why_out, size_t why_cap)
{
	EVP_PKEY *key =
		PEM_read_bio_PrivateKey(bio, NULL, refuse_pass_phrase, NULL);
	int rc = key ? SSL_CTX_use_PrivateKey(ctx, key) : 0;

	EVP_PKEY_free(key);
	if (rc != 1) {
		return explain("private key", why_out, why_cap);
	}
	if (SSL_CTX_check_private_key(ctx) != 1) {
		return explain("private key", why_out, why_cap);
	}
	return 0;
}

static int fill_ctx(SSL_CTX *ctx, struct sp_str certificate_pem,
                    struct sp_str key_pem, char *why_out, size_t why_cap)
{
	BIO *cert_bio =
		BIO_new_mem_buf(certificate_pem.ptr, (int)certificate_pem.len);
	BIO *key_bio = BIO_new_mem_buf(key_pem.ptr, (int)key_pem.len);
	int rc;

	SP_ASSERT(cert_bio && key_bio);
	rc = use_chain(ctx, cert_bio, why_out, why_cap);
	if (rc == 0) {
		rc = use_key(ctx, key_bio, why_out, why_cap);
	}
	BIO_free(key_bio);
	BIO_free(cert_bio);
	return rc;
}

static int check_sizes(struct sp_str certificate_pem, struct sp_str key_pem,
                       char *why_out, size_t why_cap)
{
	if (certificate_pem.len == 0 || certificate_pem.len > PEM_MAX ||
	    key_pem.len == 0 || key_pem.len > PEM_MAX) {
		snprintf(why_out, why_cap,
		         "certificate or key is empty or "
		         "longer than 1 MiB");
		return SP_ECONFIG;
	}
	return 0;
}

int sp_tls_server_new(struct sp_str certificate_pem, struct sp_str key_pem,
                      struct sp_tls_server **server_out, char *why_out,
                      size_t why_cap)
{
	struct sp_tls_server *server;
	SSL_CTX *ctx;
	int rc = check_sizes(certificate_pem, key_pem, why_out, why_cap);

	if (rc < 0) {
		return rc;
	}
	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_server_method());
	SP_ASSERT(ctx);
	sp__tls_ctx_common(ctx);
	SSL_CTX_set_dh_auto(ctx, 1);
	rc = fill_ctx(ctx, certificate_pem, key_pem, why_out, why_cap);
	if (rc < 0) {
		SSL_CTX_free(ctx);
		return rc;
	}
	server = SP_NEW(struct sp_tls_server);
	server->ctx = ctx;
	*server_out = server;
	return 0;
}

int sp_tls_server_add(struct sp_tls_server *server,
                      struct sp_str certificate_pem, struct sp_str key_pem,
                      char *why_out, size_t why_cap)
{
	int rc = check_sizes(certificate_pem, key_pem, why_out, why_cap);

	ERR_clear_error();
	return rc < 0 ? rc
	              : fill_ctx(server->ctx, certificate_pem, key_pem, why_out,
	                         why_cap);
}

void sp_tls_server_free(struct sp_tls_server **server)
{
	if (!*server) {
		return;
	}
	SSL_CTX_free((*server)->ctx);
	SP_FREE(server);
}

struct sp_tls_conn *sp__tls_server_conn_new(struct sp_tls_server *server)
{
	return sp__tls_conn_new(server->ctx, false);
}
