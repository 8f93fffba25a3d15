/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts of a handshake, as text and numbers that outlive it. Text out of
 * a certificate is a stranger's: it is escaped and cut here, once, so that
 * logs, traces and reports may show it as it is.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "net/tls_conn.h"

#define NAME_MAX_BYTES  512  /* of a subject or issuer */
#define NAMES_MAX_BYTES 1024 /* of all DNS-IDs together */

static struct sp_str copy_cstr(struct sp_arena *arena, const char *text)
{
	return sp_str_from(sp_arena_cstr(arena, sp_str_from(text)));
}

/* --- the certificate --- */

struct sp_str sp__tls_name_text(struct sp_arena *arena, const X509_NAME *name)
{
	char out[NAME_MAX_BYTES];
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	SP_ASSERT(bio);
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0) {
		(void)BIO_reset(bio);
	}
	len = BIO_get_mem_data(bio, &text);
	sp_log_escape(sp_str_slice(text, (size_t)len), out, sizeof(out));
	BIO_free(bio);
	return copy_cstr(arena, out);
}

struct sp_str sp__tls_dns_ids(struct sp_arena *arena, X509 *cert)
{
	GENERAL_NAMES *all =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	struct sp_str result;
	struct sp_buf list;

	sp_buf_init(&list, NAMES_MAX_BYTES);
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
		char text[300];

		if (name->type != GEN_DNS) {
			continue;
		}
		sp_log_escape(
			sp_str_slice(
				ASN1_STRING_get0_data(name->d.dNSName),
				(size_t)ASN1_STRING_length(name->d.dNSName)),
			text, sizeof(text));
		if (sp_buf_len(&list) + strlen(text) + 8 > NAMES_MAX_BYTES) {
			sp_buf_append_cstr(&list, ", ...");
			break;
		}
		sp_buf_printf(&list, "%s%s", sp_buf_len(&list) ? ", " : "",
		              text);
	}
	GENERAL_NAMES_free(all);
	result = sp_arena_str(arena, sp_buf_str(&list));
	sp_buf_fini(&list);
	return result;
}

int64_t sp__tls_time_ms(const ASN1_TIME *time)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1) {
		return 0;
	}
	return (int64_t)timegm(&tm) * 1000;
}

static bool name_matches(X509 *cert, struct sp_str name)
{
	return name.len > 0 &&
	       X509_check_host(cert, name.ptr, name.len,
	                       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static bool any_name_matches(X509 *cert, const struct sp_tls_client *params)
{
	for (size_t i = 0; i < params->reference_id_count; i++) {
		if (name_matches(cert, params->reference_ids[i])) {
			return true;
		}
	}
	return name_matches(cert, params->host_name);
}

enum sp_key_kind sp__tls_key(const X509 *cert, struct sp_arena *arena,
                             enum sp_key_algorithm *algorithm_out,
                             struct sp_str *text_out)
{
	static const struct {
		int type;
		enum sp_key_kind kind;
		enum sp_key_algorithm algorithm;
		const char *name;
	} KINDS[] = {
		{EVP_PKEY_RSA, SP_KEY_RSA, SP_KEY_ALGORITHM_RSA, "RSA"},
		{EVP_PKEY_RSA_PSS, SP_KEY_RSA, SP_KEY_ALGORITHM_RSA, "RSA-PSS"},
		{EVP_PKEY_EC, SP_KEY_EC, SP_KEY_ALGORITHM_ECDSA, "ECDSA"},
		{EVP_PKEY_ED25519, SP_KEY_EC, SP_KEY_ALGORITHM_ED25519,
	         "Ed25519"},
		{EVP_PKEY_ED448, SP_KEY_EC, SP_KEY_ALGORITHM_OTHER, "Ed448"},
	};
	const EVP_PKEY *key = X509_get0_pubkey(cert);
	int type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;

	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		if (KINDS[i].type == type) {
			*algorithm_out = KINDS[i].algorithm;
			*text_out = sp_str_from(
				sp_arena_printf(arena, "%s %d", KINDS[i].name,
			                        EVP_PKEY_get_bits(key)));
			return KINDS[i].kind;
		}
	}
	*algorithm_out = SP_KEY_ALGORITHM_OTHER;
	*text_out = (struct sp_str){0};
	return SP_KEY_ANY;
}

static void fill_cert(struct sp_tls_conn *conn, X509 *cert)
{
	struct sp_tls_seen *seen = &conn->seen;
	struct sp_arena *arena = &conn->arena;
	enum sp_key_algorithm algorithm;
	unsigned char md[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned len = 0;

	if (X509_digest(cert, EVP_sha256(), md, &len) == 1) {
		sp_str_hex(md, len, hex, sizeof(hex));
		seen->cert_sha256 = copy_cstr(arena, hex);
	}
	seen->cert_subject =
		sp__tls_name_text(arena, X509_get_subject_name(cert));
	seen->cert_issuer =
		sp__tls_name_text(arena, X509_get_issuer_name(cert));
	seen->cert_names = sp__tls_dns_ids(arena, cert);
	seen->key = sp__tls_key(cert, arena, &algorithm, &seen->key_text);
	seen->not_before_ms = sp__tls_time_ms(X509_get0_notBefore(cert));
	seen->not_after_ms = sp__tls_time_ms(X509_get0_notAfter(cert));
	seen->cert_name_matches = any_name_matches(cert, &conn->params);
}

/* --- the verdict of libssl --- */

/* The record that matched, also where something else went wrong later:
 * libssl tells it only of a good session, so for the length of the question
 * the result reads good. */
static void fill_match(struct sp_tls_conn *conn)
{
	struct sp_tls_seen *seen = &conn->seen;
	long result = SSL_get_verify_result(conn->ssl);
	const unsigned char *data;
	struct sp_tlsa record;
	uint8_t usage, selector, matching;
	size_t len;
	int depth;

	SSL_set_verify_result(conn->ssl, X509_V_OK);
	depth = SSL_get0_dane_tlsa(conn->ssl, &usage, &selector, &matching,
	                           &data, &len);
	SSL_set_verify_result(conn->ssl, result);
	if (depth < 0) {
		return;
	}
	record = (struct sp_tlsa){usage, selector, matching,
	                          sp_str_slice(data, len)};
	seen->matched_usage = usage;
	seen->matched_selector = selector;
	seen->matched_matching = matching;
	seen->matched_depth = depth;
	seen->matched_record =
		sp_str_from(sp_tlsa_format(&record, &conn->arena));
}

static bool has_usage_3(const struct sp_tls_client *params)
{
	for (size_t i = 0; i < params->record_count; i++) {
		if (params->records[i].usage == SP_TLSA_DANE_EE) {
			return true;
		}
	}
	return false;
}

/* The errors that mean: no record led to an anchor. */
static bool is_no_anchor(long error)
{
	static const long errors[] = {
		X509_V_ERR_DANE_NO_MATCH,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
		X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
		X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
		X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		if (errors[i] == error) {
			return true;
		}
	}
	return false;
}

static enum sp_tls_verify classify(const struct sp_tls_conn *conn, long error)
{
	switch (error) {
	case X509_V_OK:
		return SP_TLS_VERIFY_OK;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return SP_TLS_VERIFY_NOT_YET_VALID;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return SP_TLS_VERIFY_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return SP_TLS_VERIFY_NAME;
	default:
		break;
	}
	if (!conn->seen.dane_active || conn->seen.matched_depth >= 0 ||
	    !is_no_anchor(error)) {
		return SP_TLS_VERIFY_CHAIN;
	}
	return has_usage_3(&conn->params) ? SP_TLS_VERIFY_NO_MATCH
	                                  : SP_TLS_VERIFY_TA_NOT_IN_CHAIN;
}

static const char *verify_text(const struct sp_tls_conn *conn, long error)
{
	if (!conn->seen.dane_active) {
		return "certificate not checked: no TLSA record";
	}
	if (conn->seen.verify == SP_TLS_VERIFY_NO_MATCH) {
		return conn->accepted_count
		               ? "no TLSA record matches"
		               : "no TLSA record that the TLS library takes";
	}
	if (conn->seen.verify == SP_TLS_VERIFY_TA_NOT_IN_CHAIN) {
		return "no TLSA record of usage 2 leads to an anchor of the "
		       "chain";
	}
	return X509_verify_cert_error_string(error);
}

static void reset(struct sp_tls_conn *conn)
{
	conn->seen = (struct sp_tls_seen){
		.dane_active = conn->params.record_count > 0,
		.matched_usage = -1,
		.matched_selector = -1,
		.matched_matching = -1,
		.matched_depth = -1,
		.verify = SP_TLS_VERIFY_CHAIN,
	};
}

void sp__tls_seen_chain(struct sp_tls_conn *conn, X509 *leaf)
{
	struct sp_tls_seen *seen = &conn->seen;
	long error = SSL_get_verify_result(conn->ssl);

	reset(conn);
	sp__tls_pki_seen(conn, leaf);
	if (!leaf) {
		seen->verify_text =
			copy_cstr(&conn->arena, "no certificate was sent");
		return;
	}
	fill_cert(conn, leaf);
	if (seen->dane_active) {
		fill_match(conn);
	} else {
		error = X509_V_ERR_APPLICATION_VERIFICATION;
	}
	seen->verify = classify(conn, error);
	seen->verify_text = copy_cstr(&conn->arena, verify_text(conn, error));
	/* libssl's own word, not ours, makes a session authenticated. A good
	 * result without a match is the one of a handshake that failed before
	 * its certificate was looked at. */
	seen->dane_matched =
		seen->verify == SP_TLS_VERIFY_OK &&
		SSL_get0_dane_authority(conn->ssl, NULL, NULL) >= 0;
	if (seen->verify == SP_TLS_VERIFY_OK && !seen->dane_matched) {
		seen->verify = SP_TLS_VERIFY_CHAIN;
		seen->verify_text = SP_STR("certificate not verified");
	}
	ERR_clear_error();
}

/* --- the session --- */

void sp__tls_seen_session(const struct sp_tls_conn *conn,
                          struct sp_tls_seen *seen)
{
	seen->handshake_ok = conn->up;
	seen->error = sp_str_from(conn->error_text);
	seen->resumed = conn->up && SSL_session_reused(conn->ssl) == 1;
	if (!conn->up) {
		return;
	}
	/* Both are static text of OpenSSL. */
	seen->protocol = sp_str_from(SSL_get_version(conn->ssl));
	seen->cipher = sp_str_from(SSL_get_cipher_name(conn->ssl));
}

void sp__tls_seen_fill(struct sp_tls_conn *conn)
{
	/* Null as well when the handshake failed before it came. */
	sp__tls_seen_chain(conn, SSL_get0_peer_certificate(conn->ssl));
	sp__tls_seen_session(conn, &conn->seen);
}

void sp__tls_seen_copy(const struct sp_tls_seen *seen, struct sp_arena *arena,
                       struct sp_tls_seen *seen_out)
{
	struct sp_str *const texts[] = {
		&seen_out->error,        &seen_out->protocol,
		&seen_out->cipher,       &seen_out->matched_record,
		&seen_out->verify_text,  &seen_out->cert_sha256,
		&seen_out->cert_subject, &seen_out->cert_names,
		&seen_out->cert_issuer,  &seen_out->key_text,
		&seen_out->pki_text,
	};

	*seen_out = *seen;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		*texts[i] = sp_arena_str(arena, *texts[i]);
	}
}
