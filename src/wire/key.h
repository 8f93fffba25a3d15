/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_KEY_H
#define SP_WIRE_KEY_H

#include "base/str.h"
#include "wire/tlsa.h"

/*
 * Kinds of public keys, as far as they tell one certificate of a server from
 * another: a server with several certificates chooses by the signature
 * algorithms that the client offers (RFC 8446 4.4.2.2), and those come in
 * two kinds. Pure; any bytes are legal input.
 */

enum sp_key_kind {
	SP_KEY_ANY, /* not known, or no matter */
	SP_KEY_RSA,
	SP_KEY_EC, /* ECDSA, Ed25519, Ed448 */
};

/* "any", "rsa", "ecdsa"; static. */
const char *sp_key_kind_text(enum sp_key_kind kind);

/* Of a SubjectPublicKeyInfo and of a certificate, in DER (RFC 5280 4.1). */
enum sp_key_kind sp_key_kind_of_spki(struct sp_str der);
enum sp_key_kind sp_key_kind_of_certificate(struct sp_str der);

/* What a record of usage 3 with the whole certificate or key (matching type
 * 0) says of the server's key; ANY of every other record: a digest doesn't
 * tell, nor does an authority's key. */
enum sp_key_kind sp_key_kind_of_record(const struct sp_tlsa *tlsa);

#endif
