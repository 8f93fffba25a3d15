/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_DKIM_KEY_H
#define SP_NET_DKIM_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/dkim.h"

/*
 * DKIM keys as OpenSSL knows them: RSA and Ed25519 in PEM without a pass
 * phrase, their public half as it stands in a record (RFC 6376 3.6.1, RFC
 * 8463 4), Ed25519 signatures, and SHA-256. The sign role, which holds the
 * keys, and the command that makes and checks them.
 */

#define SP_DKIM_PEM_MAX      65536
#define SP_DKIM_RSA_BITS_MIN 1024 /* RFC 8301 3.2 */
#define SP_DKIM_RSA_BITS_MAX 4096 /* what verifiers have to take */
#define SP_SHA256_BYTES      32

struct sp_dkim_key;

/* A private key. 0, or SP_ESYNTAX with one line in why_out: not a key, or
 * one that must not be used. */
int sp_dkim_key_load(struct sp_str pem, struct sp_dkim_key **key_out,
                     char *why_out, size_t why_cap);
void sp_dkim_key_free(struct sp_dkim_key **key); /* memory wiped */

enum sp_dkim_key_type sp_dkim_key_type(const struct sp_dkim_key *key);
unsigned sp_dkim_key_bits(const struct sp_dkim_key *key);
/* The value of p= before base64, in the arena. 0 or -EIO. */
int sp_dkim_key_public(const struct sp_dkim_key *key, struct sp_arena *arena,
                       struct sp_str *public_out);
/* Whether the public half is that of a record. */
bool sp_dkim_key_matches(const struct sp_dkim_key *key,
                         const struct sp_dkim_record *record);

/* A new key as PEM in the arena, PKCS #8. bits are for RSA only. 0 or
 * -EIO. */
int sp_dkim_key_make(enum sp_dkim_key_type type, unsigned bits,
                     struct sp_arena *arena, struct sp_str *pem_out);

/* RFC 8463 3: the signature of a hash by an Ed25519 key, in the arena. 0 or
 * -EIO. */
int sp_dkim_key_sign(const struct sp_dkim_key *key,
                     const uint8_t hash[SP_SHA256_BYTES],
                     struct sp_arena *arena, struct sp_str *signature_out);

struct sp_sha256;
struct sp_sha256 *sp_sha256_new(void);
void sp_sha256_feed(struct sp_sha256 *sha, struct sp_str bytes);
void sp_sha256_end(struct sp_sha256 *sha, uint8_t hash_out[SP_SHA256_BYTES]);
void sp_sha256_free(struct sp_sha256 **sha);

#endif
