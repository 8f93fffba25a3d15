/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client's handshake asks for, and how a peer's chain is verified.
 *
 * The matching of TLSA records, the building of the chain, its purpose and
 * its names are libssl's work (RFC 7671, 7672). Two things are added here,
 * by the documented hook for it (SSL_CTX_set_cert_verify_callback):
 *
 * - A verdict never breaks the handshake off: SSL_VERIFY_NONE lets it go on,
 *   and the verdict is left for the judge.
 * - libssl stops at its first error, and looks at names before dates, while
 *   mail-flow section 5 ranks chain (323) > not yet valid (323) > expired
 *   (322) > name (325). So errors of dates and names are noted and passed
 *   over until the chain is through; nothing else is ever passed over. A
 *   chain is built, and its records are matched, before the first of these
 *   can turn up: passing over them never changes what matched. At the end
 *   the worst one noted becomes the result again.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/assert.h"
#include "base/err.h"
#include "net/tls_conn.h"

/* Owned; one of each per process. */
static SSL_CTX *checked_ctx;
static SSL_CTX *unchecked_ctx; /* anonymous_ok */

/* Checked certificates: RSA and DH from 1024 bits, no SHA-1 (level 1). The
 * owner of a domain vouches for its key in the DNS; refusing a short one
 * would only keep the mail. Unchecked: whatever encrypts beats clear text. */
#define CIPHERS_CHECKED   "DEFAULT:!aNULL:@SECLEVEL=1"
#define CIPHERS_UNCHECKED "ALL:!eNULL:!PSK:!SRP:+aNULL:@SECLEVEL=0"

/* By the key of the server's certificate. Where only RSA is out, its older
 * form stays on the list: no server signs a TLS 1.3 handshake with it
 * (RFC 8446 4.2.3), TLS 1.2 is kept from it by the suites, and some look here
 * for what their chain is signed with. */
#define SIGS_RSA_PSS                                                           \
	"rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"         \
	"rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512"
#define SIGS_RSA_OLD "RSA+SHA256:RSA+SHA384:RSA+SHA512"
#define SIGS_RSA     SIGS_RSA_PSS ":" SIGS_RSA_OLD
#define SIGS_ECDSA   "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512"
#define SIGS_EC      SIGS_ECDSA ":ed25519:ed448"

static SSL_CTX *ctx_new(const char *ciphers)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || SSL_CTX_dane_enable(ctx) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, ciphers) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_dane_set_flags(ctx, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, sp__tls_verify, NULL);
	sp__tls_ctx_common(ctx);
	sp__tls_session_watch(ctx);
	return ctx;
}

int sp_tls_setup(void)
{
	if (checked_ctx) {
		return 0;
	}
	/* OpenSSL writes to sockets with write(2). */
	signal(SIGPIPE, SIG_IGN);
	ERR_clear_error();
	sp__tls_session_setup();
	checked_ctx = ctx_new(CIPHERS_CHECKED);
	unchecked_ctx = ctx_new(CIPHERS_UNCHECKED);
	if (!checked_ctx || !unchecked_ctx) {
		sp_tls_teardown();
		return SP_ETLS;
	}
	/* Servers too old to know RFC 5746: an attack by renegotiation is no
	 * worse than the clear text that would follow. */
	SSL_CTX_set_options(unchecked_ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	return 0;
}

void sp_tls_teardown(void)
{
	sp__tls_session_teardown();
	sp__tls_roots_drop();
	SSL_CTX_free(checked_ctx);
	SSL_CTX_free(unchecked_ctx);
	checked_ctx = NULL;
	unchecked_ctx = NULL;
}

/* --- verification --- */

int sp__tls_note_error(int ok, X509_STORE_CTX *ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
		ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct sp__tls_notes *notes = &sp__tls_conn_of(ssl)->notes;

	if (ok) {
		return 1;
	}
	switch (X509_STORE_CTX_get_error(ctx)) {
	case X509_V_ERR_CERT_NOT_YET_VALID:
		notes->not_yet_valid = true;
		return 1;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		notes->expired = true;
		return 1;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		notes->name = true;
		return 1;
	default:
		return 0;
	}
}

int sp__tls_worst_noted(const struct sp__tls_notes *notes)
{
	if (notes->not_yet_valid) {
		return X509_V_ERR_CERT_NOT_YET_VALID;
	}
	if (notes->expired) {
		return X509_V_ERR_CERT_HAS_EXPIRED;
	}
	if (notes->name) {
		return X509_V_ERR_HOSTNAME_MISMATCH;
	}
	return X509_V_OK;
}

int sp__tls_verify(X509_STORE_CTX *ctx, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
		ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct sp_tls_conn *conn = sp__tls_conn_of(ssl);
	int error;

	(void)arg;
	sp__tls_pki_verify(conn, ctx);
	conn->notes = (struct sp__tls_notes){0};
	if (conn->params.record_count == 0) {
		/* No anchor to verify by: nobody shall take it for verified. */
		X509_STORE_CTX_set_error(ctx,
		                         X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	if (conn->accepted_count == 0) {
		/* Without records libssl would look for a WebPKI root. */
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_DANE_NO_MATCH);
		return 0;
	}
	X509_STORE_CTX_set_verify_cb(ctx, sp__tls_note_error);
	if (X509_verify_cert(ctx) != 1) {
		if (X509_STORE_CTX_get_error(ctx) == X509_V_OK) {
			X509_STORE_CTX_set_error(ctx, X509_V_ERR_UNSPECIFIED);
		}
		return 0;
	}
	error = sp__tls_worst_noted(&conn->notes);
	X509_STORE_CTX_set_error(ctx, error);
	return error == X509_V_OK;
}

/* --- what a handshake asks for --- */

static void copy_params(struct sp_tls_conn *conn,
                        const struct sp_tls_client *params)
{
	struct sp_arena *arena = &conn->arena;
	struct sp_tls_client *own = &conn->params;
	struct sp_tlsa *records;
	struct sp_str *names;

	*own = *params;
	own->sni = sp_str_from(sp_arena_cstr(arena, params->sni));
	own->host_name = sp_arena_str(arena, params->host_name);
	own->pki_name = sp_arena_str(arena, params->pki_name);
	own->session_key = sp_arena_str(arena, params->session_key);
	records = sp_arena_array(arena, params->record_count, sizeof(*records));
	for (size_t i = 0; i < params->record_count; i++) {
		records[i] = params->records[i];
		records[i].data = sp_arena_str(arena, records[i].data);
	}
	own->records = records;
	names = sp_arena_array(arena, params->reference_id_count,
	                       sizeof(*names));
	for (size_t i = 0; i < params->reference_id_count; i++) {
		names[i] = sp_arena_str(arena, params->reference_ids[i]);
	}
	own->reference_ids = names;
}

static bool has_usage(const struct sp_tls_client *params, uint8_t usage)
{
	for (size_t i = 0; i < params->record_count; i++) {
		if (params->records[i].usage == usage) {
			return true;
		}
	}
	return false;
}

static bool is_name(struct sp_str s)
{
	return s.len == 0 || (s.len <= 255 && !memchr(s.ptr, 0, s.len));
}

/* Usage 2 without a name to look for would take any name for good. */
static int check_params(const struct sp_tls_client *params)
{
	bool names = has_usage(params, SP_TLSA_DANE_TA);

	if (names && params->reference_id_count == 0) {
		return -EINVAL;
	}
	for (size_t i = 0; names && i < params->reference_id_count; i++) {
		if (params->reference_ids[i].len == 0) {
			return -EINVAL;
		}
	}
	if (params->anonymous_ok &&
	    (params->record_count > 0 || params->key != SP_KEY_ANY ||
	     params->only != SP_KEY_ALGORITHM_ANY)) {
		return -EINVAL;
	}
	return is_name(params->sni) && is_name(params->pki_name) ? 0 : -EINVAL;
}

static int set_names(SSL *ssl, const struct sp_tls_client *params)
{
	X509_VERIFY_PARAM *verify = SSL_get0_param(ssl);

	/* Wildcards only as the whole left-most label, for one label; the CN
	 * only without any DNS-ID, as libssl does (RFC 7672 3.2.3, RFC 6125
	 * 6.4.4). */
	X509_VERIFY_PARAM_set_hostflags(verify,
	                                X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < params->reference_id_count; i++) {
		struct sp_str name = params->reference_ids[i];

		if (X509_VERIFY_PARAM_add1_host(verify, name.ptr, name.len) !=
		    1) {
			return SP_ETLS;
		}
	}
	return 0;
}

/* Digest agility is done before (policy); libssl's own finds nothing more to
 * drop then, since one digest is left per usage and selector. */
static int set_records(struct sp_tls_conn *conn)
{
	const struct sp_tls_client *params = &conn->params;

	if (SSL_dane_enable(conn->ssl, NULL) <= 0) {
		return SP_ETLS;
	}
	SSL_dane_set_flags(conn->ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < params->record_count; i++) {
		const struct sp_tlsa *r = &params->records[i];

		if (SSL_dane_tlsa_add(conn->ssl, r->usage, r->selector,
		                      r->matching,
		                      (const unsigned char *)r->data.ptr,
		                      r->data.len) > 0) {
			conn->accepted_count++;
		}
	}
	ERR_clear_error();
	return set_names(conn->ssl, params);
}

static int set_algorithms(SSL *ssl, const char *sigs, const char *suites)
{
	if (SSL_set1_sigalgs_list(ssl, sigs) != 1 ||
	    (suites && SSL_set_cipher_list(ssl, suites) != 1)) {
		return SP_ETLS;
	}
	return 0;
}

/* One algorithm and nothing beside it. The older form of RSA stays, as above:
 * the suites keep its keys out. */
static int set_only(SSL *ssl, enum sp_key_algorithm only)
{
	static const struct {
		const char *sigs, *suites;
	} ALGORITHMS[SP_KEY_ALGORITHM_COUNT] = {
		[SP_KEY_ALGORITHM_RSA] = {SIGS_RSA, CIPHERS_CHECKED ":!aECDSA"},
		[SP_KEY_ALGORITHM_ECDSA] = {SIGS_ECDSA ":" SIGS_RSA_OLD,
	                                    CIPHERS_CHECKED ":!aRSA"},
		[SP_KEY_ALGORITHM_ED25519] = {"ed25519:" SIGS_RSA_OLD,
	                                      CIPHERS_CHECKED ":!aRSA"},
	};

	return ALGORITHMS[only].sigs
	               ? set_algorithms(ssl, ALGORITHMS[only].sigs,
	                                ALGORITHMS[only].suites)
	               : -EINVAL;
}

static int set_key(SSL *ssl, enum sp_key_kind key, bool only)
{
	static const struct {
		const char *first, *only, *suites;
	} KINDS[] = {
		[SP_KEY_RSA] = {SIGS_RSA ":" SIGS_EC, SIGS_RSA,
	                        CIPHERS_CHECKED ":!aECDSA"},
		[SP_KEY_EC] = {SIGS_EC ":" SIGS_RSA, SIGS_EC ":" SIGS_RSA_OLD,
	                       CIPHERS_CHECKED ":!aRSA"},
	};

	if (key == SP_KEY_ANY) {
		return 0;
	}
	return set_algorithms(ssl, only ? KINDS[key].only : KINDS[key].first,
	                      only ? KINDS[key].suites : NULL);
}

static int set_protocol(struct sp_tls_conn *conn)
{
	const struct sp_tls_client *params = &conn->params;
	SSL *ssl = conn->ssl;

	if (params->version_min &&
	    SSL_set_min_proto_version(ssl, params->version_min) != 1) {
		return SP_ETLS;
	}
	if (params->sni.len > 0 &&
	    SSL_set_tlsext_host_name(ssl, params->sni.ptr) != 1) {
		return SP_ETLS;
	}
	return 0;
}

int sp__tls_client_new(const struct sp_tls_client *params,
                       struct sp_tls_conn **conn_out)
{
	struct sp_tls_conn *conn;
	int rc = check_params(params);

	if (rc < 0) {
		return rc;
	}
	SP_ASSERT(checked_ctx); /* sp_tls_setup */
	conn = sp__tls_conn_new(
		params->anonymous_ok ? unchecked_ctx : checked_ctx, true);
	copy_params(conn, params);
	if (params->record_count > 0) {
		rc = set_records(conn);
	}
	if (rc == 0) {
		rc = set_protocol(conn);
	}
	if (rc == 0) {
		rc = params->only != SP_KEY_ALGORITHM_ANY
		             ? set_only(conn->ssl, params->only)
		             : set_key(conn->ssl, params->key,
		                       params->key_only);
	}
	if (rc < 0) {
		sp__tls_conn_free(&conn);
		return rc;
	}
	if (params->session_key.len > 0) {
		sp__tls_session_key(conn);
	}
	*conn_out = conn;
	return 0;
}
