/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates as tools show them: the chain that a server presented, what
 * each of its certificates says, and whether a TLSA record's data fits one.
 * Nothing here decides about a session: that is libssl's word (tls_seen.c).
 */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "net/tls_conn.h"

/* --- the chain --- */

static int length_of(const X509 *cert)
{
	int len = i2d_X509(cert, NULL);

	return len > 0 ? len : 0;
}

void sp__tls_chain(const struct sp_tls_conn *conn, struct sp_arena *arena,
                   struct sp_tls_chain *chain_out)
{
	const STACK_OF(X509) *sent = SSL_get_peer_cert_chain(conn->ssl);
	int count = sk_X509_num(sent); /* -1 where there is none */
	struct sp_str *der =
		sp_arena_array(arena, SP_TLS_CHAIN_MAX, sizeof(*der));
	size_t bytes = 0;

	*chain_out = (struct sp_tls_chain){.der = der};
	for (int i = 0; i < count && !chain_out->cut; i++) {
		X509 *cert = sk_X509_value(sent, i);
		size_t len = (size_t)length_of(cert);
		unsigned char *to;

		bytes += len;
		chain_out->cut = len == 0 || bytes > SP_TLS_CHAIN_BYTES_MAX ||
		                 chain_out->count == SP_TLS_CHAIN_MAX;
		if (!chain_out->cut) {
			to = sp_arena_alloc(arena, len);
			der[chain_out->count++] = sp_str_slice(to, len);
			(void)i2d_X509(cert, &to);
		}
	}
	ERR_clear_error();
}

/* --- a certificate --- */

static X509 *parse(struct sp_str der)
{
	const unsigned char *p = (const unsigned char *)der.ptr;
	X509 *cert;

	if (der.len == 0 || der.len > SP_TLS_CHAIN_BYTES_MAX) {
		return NULL;
	}
	cert = d2i_X509(NULL, &p, (long)der.len);
	if (cert && p != (const unsigned char *)der.ptr + der.len) {
		X509_free(cert);
		cert = NULL;
	}
	return cert;
}

int sp_tls_certificate_read(struct sp_str der, struct sp_arena *arena,
                            struct sp_tls_certificate *out)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
	unsigned len = 0;
	X509 *cert;

	ERR_clear_error();
	*out = (struct sp_tls_certificate){0};
	cert = parse(der);
	if (!cert) {
		ERR_clear_error();
		return SP_ESYNTAX;
	}
	if (EVP_Digest(der.ptr, der.len, md, &len, EVP_sha256(), NULL) == 1) {
		sp_str_hex(md, len, hex, sizeof(hex));
	}
	out->sha256 = sp_arena_str(arena, sp_str_from(hex));
	out->subject = sp__tls_name_text(arena, X509_get_subject_name(cert));
	out->issuer = sp__tls_name_text(arena, X509_get_issuer_name(cert));
	out->names = sp__tls_dns_ids(arena, cert);
	(void)sp__tls_key(cert, arena, &out->algorithm, &out->key_text);
	out->not_before_ms = sp__tls_time_ms(X509_get0_notBefore(cert));
	out->not_after_ms = sp__tls_time_ms(X509_get0_notAfter(cert));
	X509_free(cert);
	ERR_clear_error();
	return 0;
}

int sp_tls_tlsa_of(struct sp_str der, uint8_t usage, uint8_t selector,
                   uint8_t matching, struct sp_arena *arena,
                   struct sp_tlsa *tlsa_out)
{
	X509 *cert;
	int rc;

	*tlsa_out = (struct sp_tlsa){usage, selector, matching, {0}};
	if (selector > SP_TLSA_SPKI || matching > SP_TLSA_SHA512) {
		return -EINVAL;
	}
	ERR_clear_error();
	cert = parse(der);
	rc = cert ? sp__tls_tlsa_data(cert, selector, matching, arena,
	                              &tlsa_out->data)
	          : SP_ESYNTAX;
	X509_free(cert);
	ERR_clear_error();
	return rc;
}

bool sp_tls_tlsa_fits(const struct sp_tlsa *record, struct sp_str der)
{
	struct sp_arena arena;
	struct sp_tlsa own;
	bool fits;

	sp_arena_init(&arena);
	fits = sp_tls_tlsa_of(der, record->usage, record->selector,
	                      record->matching, &arena, &own) == 0 &&
	       sp_str_eq(own.data, record->data);
	sp_arena_fini(&arena);
	return fits;
}
