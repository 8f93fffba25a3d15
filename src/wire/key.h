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

/* Finer than the kind: what a tool that looks at every key of a server asks
 * for, one after another. */
enum sp_key_algorithm {
	SP_KEY_ALGORITHM_ANY,
	SP_KEY_ALGORITHM_RSA,
	SP_KEY_ALGORITHM_ECDSA,
	SP_KEY_ALGORITHM_ED25519,
	SP_KEY_ALGORITHM_OTHER, /* of a certificate only: not to be asked for */
};
#define SP_KEY_ALGORITHM_COUNT (SP_KEY_ALGORITHM_OTHER + 1)

/* "any", "RSA", "ECDSA", "Ed25519", "other"; static. */
const char *sp_key_algorithm_text(enum sp_key_algorithm algorithm);

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
