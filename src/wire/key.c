/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Just enough DER to come to the algorithm of a public key. Whether the rest
 * is a certificate is for the TLS library to say (sp_tls_full_parses): what
 * is read wrongly here costs a handshake, never an authentication.
 */
#include "wire/key.h"

#define SEQUENCE 0x30
#define OID      0x06
#define VERSION  0xa0 /* [0] EXPLICIT, optional (RFC 5280 4.1) */

const char *sp_key_kind_text(enum sp_key_kind kind)
{
	static const char *const texts[] = {
		[SP_KEY_ANY] = "any",
		[SP_KEY_RSA] = "rsa",
		[SP_KEY_EC] = "ecdsa",
	};

	return texts[kind];
}

const char *sp_key_algorithm_text(enum sp_key_algorithm algorithm)
{
	static const char *const texts[] = {
		[SP_KEY_ALGORITHM_ANY] = "any",
		[SP_KEY_ALGORITHM_RSA] = "RSA",
		[SP_KEY_ALGORITHM_ECDSA] = "ECDSA",
		[SP_KEY_ALGORITHM_ED25519] = "Ed25519",
		[SP_KEY_ALGORITHM_OTHER] = "other",
	};

	return texts[algorithm];
}

/* The length behind a tag; false: none, or not a definite one of up to three
 * bytes (a certificate of 16 MiB is none). */
static bool take_length(struct sp_str *in, size_t *len_out)
{
	size_t count;

	if (in->len == 0) {
		return false;
	}
	*len_out = (unsigned char)in->ptr[0];
	*in = sp_str_sub(*in, 1, in->len);
	if (*len_out < 0x80) {
		return true;
	}
	count = *len_out & 0x7f;
	if (count == 0 || count > 3 || count > in->len) {
		return false;
	}
	*len_out = 0;
	for (size_t i = 0; i < count; i++) {
		*len_out = *len_out << 8 | (unsigned char)in->ptr[i];
	}
	*in = sp_str_sub(*in, count, in->len);
	return true;
}

/* The element at the start of in, which moves behind it. */
static bool take(struct sp_str *in, unsigned char *tag_out,
                 struct sp_str *value_out)
{
	struct sp_str rest = *in;
	size_t len;

	if (rest.len == 0) {
		return false;
	}
	*tag_out = (unsigned char)rest.ptr[0];
	rest = sp_str_sub(rest, 1, rest.len);
	if (!take_length(&rest, &len) || len > rest.len) {
		return false;
	}
	*value_out = sp_str_sub(rest, 0, len);
	*in = sp_str_sub(rest, len, rest.len);
	return true;
}

/* Goes into the element at the start, if it has this tag. */
static bool enter(struct sp_str *in, unsigned char wanted)
{
	struct sp_str value;
	unsigned char tag;
	bool entered = take(in, &tag, &value) && tag == wanted;

	if (entered) {
		*in = value;
	}
	return entered;
}

static bool enter_two(struct sp_str *in, unsigned char outer,
                      unsigned char inner)
{
	return enter(in, outer) && enter(in, inner);
}

static enum sp_key_kind kind_of_oid(struct sp_str oid)
{
	static const struct {
		struct sp_str oid;
		enum sp_key_kind kind;
	} rows[] = {
		/* rsaEncryption, id-RSASSA-PSS (RFC 8017 appendix C) */
		{{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 9}, SP_KEY_RSA},
		{{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", 9}, SP_KEY_RSA},
		/* id-ecPublicKey (RFC 5480 2.1.1) */
		{{"\x2a\x86\x48\xce\x3d\x02\x01", 7}, SP_KEY_EC},
		/* id-Ed25519, id-Ed448 (RFC 8410 3) */
		{{"\x2b\x65\x70", 3}, SP_KEY_EC},
		{{"\x2b\x65\x71", 3}, SP_KEY_EC},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (sp_str_eq(oid, rows[i].oid)) {
			return rows[i].kind;
		}
	}
	return SP_KEY_ANY;
}

enum sp_key_kind sp_key_kind_of_spki(struct sp_str der)
{
	if (!enter_two(&der, SEQUENCE, SEQUENCE) || !enter(&der, OID)) {
		return SP_KEY_ANY;
	}
	return kind_of_oid(der);
}

enum sp_key_kind sp_key_kind_of_certificate(struct sp_str der)
{
	struct sp_str field;
	unsigned char tag;

	if (!enter_two(&der, SEQUENCE, SEQUENCE)) {
		return SP_KEY_ANY;
	}
	if (der.len > 0 && (unsigned char)der.ptr[0] == VERSION &&
	    !take(&der, &tag, &field)) {
		return SP_KEY_ANY;
	}
	/* serial number, signature, issuer, validity, subject */
	for (int i = 0; i < 5; i++) {
		if (!take(&der, &tag, &field)) {
			return SP_KEY_ANY;
		}
	}
	return sp_key_kind_of_spki(der);
}

enum sp_key_kind sp_key_kind_of_record(const struct sp_tlsa *tlsa)
{
	if (tlsa->usage != SP_TLSA_DANE_EE || tlsa->matching != SP_TLSA_FULL) {
		return SP_KEY_ANY;
	}
	return tlsa->selector == SP_TLSA_SPKI
	               ? sp_key_kind_of_spki(tlsa->data)
	               : sp_key_kind_of_certificate(tlsa->data);
}
