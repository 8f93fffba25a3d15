/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS without a connection: TLSA records made from a certificate or a key,
 * Full records looked into, and a chain from a file verified by the very
 * function that a session uses (sp__tls_verify).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/assert.h"
#include "base/err.h"
#include "net/tls_conn.h"

#define INPUT_MAX 1048576 /* of PEM or DER text */
#define CHAIN_MAX 100     /* certificates in a file */

const char *sp_tls_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

static const unsigned char *bytes_of(struct sp_str s)
{
	return (const unsigned char *)s.ptr;
}

/* --- DER --- */

static X509 *whole_cert(struct sp_str der)
{
	const unsigned char *p = bytes_of(der);
	X509 *cert = d2i_X509(NULL, &p, (long)der.len);

	if (cert && p == bytes_of(der) + der.len) {
		return cert;
	}
	X509_free(cert);
	return NULL;
}

static EVP_PKEY *whole_public_key(struct sp_str der)
{
	const unsigned char *p = bytes_of(der);
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.len);

	if (key && p == bytes_of(der) + der.len) {
		return key;
	}
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *whole_private_key(struct sp_str der)
{
	const unsigned char *p = bytes_of(der);
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)der.len);

	if (key && p == bytes_of(der) + der.len) {
		return key;
	}
	EVP_PKEY_free(key);
	return NULL;
}

bool sp_tls_full_parses(const struct sp_tlsa *tlsa)
{
	bool parses = false;

	ERR_clear_error();
	if (tlsa->data.len == 0 || tlsa->data.len > SP_TLSA_DATA_MAX) {
		return false;
	}
	if (tlsa->selector == SP_TLSA_CERT) {
		X509 *cert = whole_cert(tlsa->data);

		/* A key that OpenSSL does not know can't anchor anything. */
		parses = cert && X509_get0_pubkey(cert);
		X509_free(cert);
	} else if (tlsa->selector == SP_TLSA_SPKI) {
		EVP_PKEY *key = whole_public_key(tlsa->data);

		parses = key != NULL;
		EVP_PKEY_free(key);
	}
	ERR_clear_error();
	return parses;
}

/* --- tlsa make --- */

/* What the input turned out to be: one of the two, or neither. */
struct material {
	X509 *cert;    /* owned */
	EVP_PKEY *key; /* owned */
};

static int refuse_pass_phrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static BIO *bio_of(struct sp_str text)
{
	BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);

	SP_ASSERT(bio);
	return bio;
}

/* A file with a certificate and its key stands for the certificate. */
static void read_pem(struct sp_str text, struct material *m)
{
	BIO *bio = bio_of(text);

	m->cert = PEM_read_bio_X509(bio, NULL, refuse_pass_phrase, NULL);
	if (!m->cert && BIO_reset(bio) == 1) {
		m->key = PEM_read_bio_PUBKEY(bio, NULL, refuse_pass_phrase,
		                             NULL);
	}
	if (!m->cert && !m->key && BIO_reset(bio) == 1) {
		m->key = PEM_read_bio_PrivateKey(bio, NULL, refuse_pass_phrase,
		                                 NULL);
	}
	BIO_free(bio);
}

static void read_der(struct sp_str der, struct material *m)
{
	m->cert = whole_cert(der);
	if (!m->cert) {
		m->key = whole_public_key(der);
	}
	if (!m->cert && !m->key) {
		m->key = whole_private_key(der);
	}
}

/* The selected bytes, exactly as they stand in the certificate. */
static int select_bytes(const struct material *m, uint8_t selector,
                        unsigned char **out)
{
	if (selector == SP_TLSA_CERT) {
		return m->cert ? i2d_X509(m->cert, out) : -1;
	}
	if (m->cert) {
		return i2d_X509_PUBKEY(X509_get_X509_PUBKEY(m->cert), out);
	}
	return i2d_PUBKEY(m->key, out);
}

static int match_bytes(struct sp_str selected, uint8_t matching,
                       struct sp_arena *arena, struct sp_str *data_out)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (matching == SP_TLSA_FULL) {
		if (selected.len > SP_TLSA_DATA_MAX) {
			return SP_ELIMIT;
		}
		*data_out = sp_arena_str(arena, selected);
		return 0;
	}
	if (EVP_Digest(selected.ptr, selected.len, md, &len,
	               matching == SP_TLSA_SHA256 ? EVP_sha256() : EVP_sha512(),
	               NULL) != 1) {
		return SP_ETLS;
	}
	*data_out = sp_arena_str(arena, sp_str_slice(md, len));
	return 0;
}

int sp__tls_tlsa_data(X509 *cert, uint8_t selector, uint8_t matching,
                      struct sp_arena *arena, struct sp_str *data_out)
{
	const struct material m = {.cert = cert};
	unsigned char *der = NULL;
	int len = select_bytes(&m, selector, &der);
	int rc = SP_ETLS;

	if (len > 0) {
		rc = match_bytes(sp_str_slice(der, (size_t)len), matching,
		                 arena, data_out);
	}
	OPENSSL_free(der);
	return rc;
}

static int make(const struct material *m, struct sp_arena *arena,
                struct sp_tlsa *tlsa, char *why_out, size_t why_cap)
{
	unsigned char *der = NULL;
	int len;
	int rc;

	if (!m->cert && !m->key) {
		snprintf(why_out, why_cap,
		         "neither a certificate nor a key (PEM or DER, "
		         "without a pass phrase)");
		return SP_ESYNTAX;
	}
	if (!m->cert && tlsa->selector == SP_TLSA_CERT) {
		snprintf(why_out, why_cap,
		         "selector 0 needs a certificate, this is a key");
		return -EINVAL;
	}
	len = select_bytes(m, tlsa->selector, &der);
	if (len <= 0) {
		sp__tls_queue_text(why_out, why_cap);
		return SP_ETLS;
	}
	rc = match_bytes(sp_str_slice(der, (size_t)len), tlsa->matching, arena,
	                 &tlsa->data);
	if (rc < 0) {
		snprintf(why_out, why_cap, "%s", sp_strerror(rc));
	}
	OPENSSL_free(der);
	return rc;
}

int sp_tls_tlsa_make(struct sp_str pem_or_der, uint8_t usage, uint8_t selector,
                     uint8_t matching, struct sp_arena *arena,
                     struct sp_tlsa *tlsa_out, char *why_out, size_t why_cap)
{
	struct sp_tlsa tlsa = {usage, selector, matching, {0}};
	struct material m = {0};
	int rc;

	if (usage > SP_TLSA_DANE_EE || selector > SP_TLSA_SPKI ||
	    matching > SP_TLSA_SHA512) {
		snprintf(why_out, why_cap,
		         "usage 0-3, selector 0-1, matching type 0-2");
		return -EINVAL;
	}
	if (pem_or_der.len == 0 || pem_or_der.len > INPUT_MAX) {
		snprintf(why_out, why_cap, "empty, or longer than 1 MiB");
		return SP_ELIMIT;
	}
	ERR_clear_error();
	read_pem(pem_or_der, &m);
	if (!m.cert && !m.key) {
		read_der(pem_or_der, &m);
	}
	ERR_clear_error();
	rc = make(&m, arena, &tlsa, why_out, why_cap);
	if (rc == 0) {
		*tlsa_out = tlsa;
	}
	X509_free(m.cert);
	EVP_PKEY_free(m.key);
	return rc;
}

struct sp_str sp_tls_as_pem(struct sp_str pem_or_der, struct sp_arena *arena)
{
	struct sp_str pem = pem_or_der;
	X509 *cert = NULL;
	BIO *bio;
	char *text;

	ERR_clear_error();
	if (pem_or_der.len > 0 && pem_or_der.len <= INPUT_MAX) {
		cert = whole_cert(pem_or_der);
	}
	bio = cert ? BIO_new(BIO_s_mem()) : NULL;
	if (bio && PEM_write_bio_X509(bio, cert) == 1) {
		long len = BIO_get_mem_data(bio, &text);

		pem = sp_arena_str(arena, sp_str_slice(text, (size_t)len));
	}
	BIO_free(bio);
	X509_free(cert);
	ERR_clear_error();
	return pem;
}

/* --- issuers --- */

static bool may_issue(X509 *cert)
{
	return cert && X509_check_ca(cert) > 0;
}

static struct sp_str keep_der(X509 *cert, struct sp_arena *arena)
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);
	struct sp_str kept = {0};

	if (len > 0) {
		kept = sp_arena_str(arena, sp_str_slice(der, (size_t)len));
	}
	OPENSSL_free(der);
	return kept;
}

/* The first that may issue, or the last; or null. The caller's. */
static X509 *first_issuer(struct sp_str pem)
{
	BIO *bio = bio_of(pem);
	X509 *found = NULL;
	X509 *cert;

	while (!may_issue(found) &&
	       (cert = PEM_read_bio_X509(bio, NULL, refuse_pass_phrase,
	                                 NULL))) {
		X509_free(found);
		found = cert;
	}
	BIO_free(bio);
	return found;
}

int sp_tls_issuer_read(struct sp_str pem_or_der, struct sp_arena *arena,
                       struct sp_str *der_out)
{
	int rc = SP_ESYNTAX;
	X509 *cert;

	*der_out = (struct sp_str){0};
	if (pem_or_der.len == 0 || pem_or_der.len > INPUT_MAX) {
		return SP_ESYNTAX;
	}
	ERR_clear_error();
	cert = first_issuer(pem_or_der);
	cert = cert ? cert : whole_cert(pem_or_der);
	if (cert) {
		rc = SP_ENOTFOUND;
	}
	if (may_issue(cert)) {
		*der_out = keep_der(cert, arena);
		rc = der_out->len ? 0 : SP_ETLS;
	}
	X509_free(cert);
	ERR_clear_error();
	return rc;
}

int sp_tls_issuer_sent(const struct sp_tls_chain *chain, struct sp_str *der_out)
{
	*der_out = (struct sp_str){0};
	for (size_t i = 1; i < chain->count && !der_out->len; i++) {
		X509 *cert = whole_cert(chain->der[i]);

		if (may_issue(cert)) {
			*der_out = chain->der[i];
		}
		X509_free(cert);
	}
	ERR_clear_error();
	return der_out->len ? 0 : SP_ENOTFOUND;
}

/* --- tlsa verify --- */

static int read_chain(struct sp_str pem, STACK_OF(X509) * chain, char *why_out,
                      size_t why_cap)
{
	BIO *bio;
	X509 *cert;

	if (pem.len == 0 || pem.len > INPUT_MAX) {
		snprintf(why_out, why_cap,
		         "chain is empty or longer than "
		         "1 MiB");
		return SP_ELIMIT;
	}
	bio = bio_of(pem);
	while (sk_X509_num(chain) < CHAIN_MAX &&
	       (cert = PEM_read_bio_X509(bio, NULL, refuse_pass_phrase,
	                                 NULL))) {
		SP_ASSERT(sk_X509_push(chain, cert) > 0);
	}
	BIO_free(bio);
	if (sk_X509_num(chain) == 0) {
		sp__tls_queue_text(why_out, why_cap);
		return SP_ESYNTAX;
	}
	ERR_clear_error();
	return 0;
}

/* Sets ctx up as libssl does it for the chain that a server sent. */
static int verify(struct sp_tls_conn *conn, STACK_OF(X509) * chain,
                  int64_t at_ms)
{
	SSL *ssl = conn->ssl;
	X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int rc = SP_ETLS;

	SP_ASSERT(ctx);
	if (X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain) !=
	            1 ||
	    X509_STORE_CTX_set_ex_data(
		    ctx, SSL_get_ex_data_X509_STORE_CTX_idx(), ssl) != 1) {
		goto out;
	}
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(ssl));
	if (conn->accepted_count > 0) {
		X509_STORE_CTX_set0_dane(ctx, SSL_get0_dane(ssl));
	}
	X509_STORE_CTX_set_default(ctx, "ssl_server");
	if (X509_VERIFY_PARAM_set1(param, SSL_get0_param(ssl)) != 1) {
		goto out;
	}
	X509_VERIFY_PARAM_set_time(param, (time_t)(at_ms / 1000));
	(void)sp__tls_verify(ctx, NULL);
	SSL_set_verify_result(ssl, X509_STORE_CTX_get_error(ctx));
	rc = 0;
out:
	X509_STORE_CTX_free(ctx);
	return rc;
}

int sp_tls_verify_chain(struct sp_str chain_pem,
                        const struct sp_tls_client *params, int64_t at_ms,
                        struct sp_arena *arena, struct sp_tls_seen *seen_out,
                        char *why_out, size_t why_cap)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct sp_tls_conn *conn = NULL;
	int rc;

	SP_ASSERT(chain);
	ERR_clear_error();
	rc = read_chain(chain_pem, chain, why_out, why_cap);
	if (rc < 0) {
		goto out;
	}
	rc = sp__tls_client_new(params, &conn);
	if (rc == 0) {
		rc = verify(conn, chain, at_ms);
	}
	if (rc < 0) {
		snprintf(why_out, why_cap, "%s", sp_strerror(rc));
		goto out;
	}
	sp__tls_seen_chain(conn, sk_X509_value(chain, 0));
	conn->seen.handshake_ok = true;
	sp__tls_seen_copy(&conn->seen, arena, seen_out);
out:
	sp__tls_conn_free(&conn);
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	return rc;
}
