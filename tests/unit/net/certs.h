/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_NET_CERTS_H
#define SP_TESTS_NET_CERTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "base/str.h"

/* Certificates for the tests of net/, made on the spot. Aborts on failure:
 * nothing here is under test. */

struct cert_spec {
	const char *cn;    /* null: empty subject */
	const char *san;   /* "DNS:a,DNS:b"; null: none */
	long from_s, to_s; /* seconds from now; both 0: -1 day to +1 day */
	bool ca;
	const char *eku; /* "clientAuth"; null: none */
};

struct cert {
	X509 *x509;
	EVP_PKEY *key;
};

static inline void need(bool ok)
{
	if (!ok) {
		abort();
	}
}

static inline void add_extension(X509 *x509, X509 *issuer, int nid,
                                 const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	need(ext && X509_add_ext(x509, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static inline void set_subject(X509 *x509, const char *cn)
{
	X509_NAME *name = X509_NAME_new();

	need(name != NULL);
	if (cn) {
		need(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		                                (const unsigned char *)cn, -1,
		                                -1, 0) == 1);
	}
	need(X509_set_subject_name(x509, name) == 1);
	X509_NAME_free(name);
}

/* issuer null: self-signed; signer null: the issuer's key. */
static inline struct cert cert_make(const struct cert_spec *spec,
                                    const struct cert *issuer, EVP_PKEY *signer,
                                    EVP_PKEY *key)
{
	static long serial = 1;
	bool dated = spec->from_s || spec->to_s;
	struct cert c = {X509_new(), key ? key : EVP_EC_gen("P-256")};
	X509 *by = issuer ? issuer->x509 : c.x509;

	need(c.x509 && c.key);
	need(X509_set_version(c.x509, X509_VERSION_3) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x509), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c.x509),
	                dated ? spec->from_s : -86400);
	X509_gmtime_adj(X509_getm_notAfter(c.x509), dated ? spec->to_s : 86400);
	set_subject(c.x509, spec->cn);
	need(X509_set_issuer_name(c.x509, X509_get_subject_name(by)) == 1);
	need(X509_set_pubkey(c.x509, c.key) == 1);
	add_extension(c.x509, by, NID_basic_constraints,
	              spec->ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (spec->san) {
		add_extension(c.x509, by, NID_subject_alt_name, spec->san);
	}
	if (spec->eku) {
		add_extension(c.x509, by, NID_ext_key_usage, spec->eku);
	}
	if (!signer) {
		signer = issuer ? issuer->key : c.key;
	}
	need(X509_sign(c.x509, signer, EVP_sha256()) > 0);
	return c;
}

static inline void cert_drop(struct cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	*c = (struct cert){0};
}

/* PEM text, growing; freed with sp_free. */
struct pem {
	char *text;
	size_t len;
};

static inline void pem_take(struct pem *pem, BIO *bio)
{
	char *data;
	size_t len = (size_t)BIO_get_mem_data(bio, &data);

	pem->text = sp_realloc(pem->text, pem->len + len);
	need(pem->text != NULL);
	memcpy(pem->text + pem->len, data, len);
	pem->len += len;
	BIO_free(bio);
}

static inline void pem_add_cert(struct pem *pem, X509 *x509)
{
	BIO *bio = BIO_new(BIO_s_mem());

	need(bio && PEM_write_bio_X509(bio, x509) == 1);
	pem_take(pem, bio);
}

static inline void pem_add_key(struct pem *pem, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	need(bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL,
	                                     NULL) == 1);
	pem_take(pem, bio);
}

static inline void pem_add_public(struct pem *pem, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	need(bio && PEM_write_bio_PUBKEY(bio, key) == 1);
	pem_take(pem, bio);
}

static inline struct sp_str pem_str(const struct pem *pem)
{
	return sp_str_slice(pem->text, pem->len);
}

#endif
