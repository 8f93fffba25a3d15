/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are parsed once, when they are loaded. A key that nobody would
 * accept (RSA below 1024 bits, RFC 8301 3.2) is refused here, so that it is
 * an error at the start rather than a signature that fails elsewhere.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/assert.h"
#include "base/err.h"
#include "net/dkim_key.h"

#define ED25519_PUBLIC_BYTES    32
#define ED25519_SIGNATURE_BYTES 64

struct sp_dkim_key {
	EVP_PKEY *pkey;
	enum sp_dkim_key_type type;
};

/* ---- loading ---- */

/* Nobody is there to be asked. */
static int no_pass_phrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static EVP_PKEY *read_pem(struct sp_str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	EVP_PKEY *pkey = NULL;

	ERR_clear_error();
	if (bio) {
		pkey = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
	}
	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

/* Null: it may be used. */
static const char *find_fault(const EVP_PKEY *pkey)
{
	int bits = EVP_PKEY_get_bits(pkey);

	if (EVP_PKEY_get_id(pkey) == EVP_PKEY_ED25519) {
		return NULL;
	}
	if (EVP_PKEY_get_id(pkey) != EVP_PKEY_RSA) {
		return "neither an RSA nor an Ed25519 key";
	}
	if (bits < SP_DKIM_RSA_BITS_MIN) {
		return "an RSA key of less than 1024 bits";
	}
	return bits > SP_DKIM_RSA_BITS_MAX ? "an RSA key of more than 4096 bits"
	                                   : NULL;
}

int sp_dkim_key_load(struct sp_str pem, struct sp_dkim_key **key_out,
                     char *why_out, size_t why_cap)
{
	EVP_PKEY *pkey = pem.len <= SP_DKIM_PEM_MAX ? read_pem(pem) : NULL;
	const char *fault = pkey ? find_fault(pkey)
	                         : "not a private key in PEM without a pass "
	                           "phrase";

	*key_out = NULL;
	if (fault) {
		(void)snprintf(why_out, why_cap, "%s", fault);
		EVP_PKEY_free(pkey);
		return SP_ESYNTAX;
	}
	*key_out = SP_NEW(struct sp_dkim_key);
	(*key_out)->pkey = pkey;
	(*key_out)->type = EVP_PKEY_get_id(pkey) == EVP_PKEY_RSA
	                           ? SP_DKIM_KEY_RSA
	                           : SP_DKIM_KEY_ED25519;
	return 0;
}

void sp_dkim_key_free(struct sp_dkim_key **key)
{
	if (*key) {
		EVP_PKEY_free((*key)->pkey);
		SP_FREE(key);
	}
}

enum sp_dkim_key_type sp_dkim_key_type(const struct sp_dkim_key *key)
{
	return key->type;
}

unsigned sp_dkim_key_bits(const struct sp_dkim_key *key)
{
	return (unsigned)EVP_PKEY_get_bits(key->pkey);
}

/* ---- the public half ---- */

static int public_rsa(const struct sp_dkim_key *key, struct sp_arena *arena,
                      struct sp_str *public_out)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key->pkey, &der);

	if (len <= 0) {
		return -EIO;
	}
	*public_out = sp_arena_str(arena, sp_str_slice(der, (size_t)len));
	OPENSSL_free(der);
	return 0;
}

static int public_ed25519(const struct sp_dkim_key *key, struct sp_arena *arena,
                          struct sp_str *public_out)
{
	unsigned char raw[ED25519_PUBLIC_BYTES];
	size_t len = sizeof(raw);

	if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &len) != 1) {
		return -EIO;
	}
	*public_out = sp_arena_str(arena, sp_str_slice(raw, len));
	return 0;
}

int sp_dkim_key_public(const struct sp_dkim_key *key, struct sp_arena *arena,
                       struct sp_str *public_out)
{
	return key->type == SP_DKIM_KEY_RSA
	               ? public_rsa(key, arena, public_out)
	               : public_ed25519(key, arena, public_out);
}

/* Either form of an RSA key is in use (RFC 6376 3.6.1 and its erratum 3017):
 * compared is the key, not its bytes. */
static EVP_PKEY *record_rsa(struct sp_str der)
{
	const unsigned char *p = (const unsigned char *)der.ptr;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)der.len);

	if (!pkey) {
		p = (const unsigned char *)der.ptr;
		pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.len);
	}
	ERR_clear_error();
	return pkey;
}

bool sp_dkim_key_matches(const struct sp_dkim_key *key,
                         const struct sp_dkim_record *record)
{
	EVP_PKEY *theirs = NULL;
	bool same;

	if (record->type != key->type || record->key.len == 0) {
		return false;
	}
	if (key->type == SP_DKIM_KEY_RSA) {
		theirs = record_rsa(record->key);
	} else {
		theirs = EVP_PKEY_new_raw_public_key(
			EVP_PKEY_ED25519, NULL,
			(const unsigned char *)record->key.ptr,
			record->key.len);
	}
	same = theirs && EVP_PKEY_eq(key->pkey, theirs) == 1;
	EVP_PKEY_free(theirs);
	ERR_clear_error();
	return same;
}

/* ---- a new key ---- */

int sp_dkim_key_make(enum sp_dkim_key_type type, unsigned bits,
                     struct sp_arena *arena, struct sp_str *pem_out)
{
	EVP_PKEY *pkey = type == SP_DKIM_KEY_RSA
	                         ? EVP_RSA_gen(bits)
	                         : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	int ret = -EIO;

	if (pkey && bio &&
	    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) ==
	            1) {
		long len = BIO_get_mem_data(bio, &text);

		*pem_out = sp_arena_str(arena, sp_str_slice(text, (size_t)len));
		ret = 0;
	}
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return ret;
}

/* ---- signing ---- */

int sp_dkim_key_sign(const struct sp_dkim_key *key,
                     const uint8_t hash[SP_SHA256_BYTES],
                     struct sp_arena *arena, struct sp_str *signature_out)
{
	unsigned char signature[ED25519_SIGNATURE_BYTES];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof(signature);
	int ret = -EIO;

	SP_ASSERT(key->type == SP_DKIM_KEY_ED25519);
	ERR_clear_error();
	if (ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
	    EVP_DigestSign(ctx, signature, &len, hash, SP_SHA256_BYTES) == 1) {
		*signature_out =
			sp_arena_str(arena, sp_str_slice(signature, len));
		ret = 0;
	}
	EVP_MD_CTX_free(ctx);
	return ret;
}

/* ---- SHA-256 ---- */

struct sp_sha256 {
	EVP_MD_CTX *ctx;
};

struct sp_sha256 *sp_sha256_new(void)
{
	struct sp_sha256 *sha = SP_NEW(struct sp_sha256);

	sha->ctx = EVP_MD_CTX_new();
	SP_ASSERT(sha->ctx &&
	          EVP_DigestInit_ex(sha->ctx, EVP_sha256(), NULL) == 1);
	return sha;
}

void sp_sha256_feed(struct sp_sha256 *sha, struct sp_str bytes)
{
	SP_ASSERT(EVP_DigestUpdate(sha->ctx, bytes.ptr, bytes.len) == 1);
}

void sp_sha256_end(struct sp_sha256 *sha, uint8_t hash_out[SP_SHA256_BYTES])
{
	unsigned len = 0;

	SP_ASSERT(EVP_DigestFinal_ex(sha->ctx, hash_out, &len) == 1 &&
	          len == SP_SHA256_BYTES);
}

void sp_sha256_free(struct sp_sha256 **sha)
{
	if (*sha) {
		EVP_MD_CTX_free((*sha)->ctx);
		SP_FREE(sha);
	}
}
