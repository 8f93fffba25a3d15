/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's certificate by the public authorities, as MTA-STS asks for it
 * (RFC 8461 4.2): a chain to a root of the bundle, valid now, and the host's
 * own name as a DNS-ID; the common name never counts. It is libssl's own
 * X509_verify_cert over a store of its own, beside whatever DANE makes of the
 * same chain: neither sees the other's anchors or errors.
 *
 * As with DANE (tls_client.c), errors of dates and names are noted and passed
 * over until the chain is through, so that the worst of them is what is told.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/assert.h"
#include "base/err.h"
#include "net/tls_conn.h"

/* What public authorities promise anyway: RSA of 2048 bits, no SHA-1. */
#define AUTH_LEVEL 2

static X509_STORE *roots; /* owned; null: none are known */

int sp_tls_roots(const char *file, char *why_out, size_t why_cap)
{
	X509_STORE *fresh = X509_STORE_new();
	int ok;

	SP_ASSERT(fresh);
	ERR_clear_error();
	ok = *file ? X509_STORE_load_file(fresh, file)
	           : X509_STORE_set_default_paths(fresh);
	if (ok != 1) {
		sp__tls_queue_text(why_out, why_cap);
		X509_STORE_free(fresh);
		return SP_ETLS;
	}
	ERR_clear_error();
	if (roots) {
		sp__tls_roots_drop();
		sp__tls_session_forget(); /* verified by the old ones */
	}
	roots = fresh;
	return 0;
}

void sp__tls_roots_drop(void)
{
	X509_STORE_free(roots);
	roots = NULL;
}

static int set_up(struct sp_tls_conn *conn, X509_STORE_CTX *from,
                  X509_STORE_CTX *ctx)
{
	const struct sp_str name = conn->params.pki_name;
	X509_VERIFY_PARAM *old = X509_STORE_CTX_get0_param(from);
	X509_VERIFY_PARAM *param;

	if (X509_STORE_CTX_init(ctx, roots, X509_STORE_CTX_get0_cert(from),
	                        X509_STORE_CTX_get0_untrusted(from)) != 1 ||
	    X509_STORE_CTX_set_default(ctx, "ssl_server") != 1 ||
	    X509_STORE_CTX_set_ex_data(ctx,
	                               SSL_get_ex_data_X509_STORE_CTX_idx(),
	                               conn->ssl) != 1) {
		return 0;
	}
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_hostflags(
		param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
			       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	if (X509_VERIFY_PARAM_get_flags(old) & X509_V_FLAG_USE_CHECK_TIME) {
		X509_VERIFY_PARAM_set_time(param,
		                           X509_VERIFY_PARAM_get_time(old));
	}
	X509_STORE_CTX_set_verify_cb(ctx, sp__tls_note_error);
	return X509_VERIFY_PARAM_set1_host(param, name.ptr, name.len);
}

static int run(struct sp_tls_conn *conn, X509_STORE_CTX *from,
               X509_STORE_CTX *ctx)
{
	int error;

	conn->notes = (struct sp__tls_notes){0};
	if (!roots || set_up(conn, from, ctx) != 1) {
		return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
	}
	if (X509_verify_cert(ctx) != 1) {
		error = X509_STORE_CTX_get_error(ctx);
		return error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
	}
	conn->pki.end_ms = sp__tls_chain_end_ms(X509_STORE_CTX_get0_chain(ctx));
	return sp__tls_worst_noted(&conn->notes);
}

void sp__tls_pki_verify(struct sp_tls_conn *conn, X509_STORE_CTX *from)
{
	X509_STORE_CTX *ctx;

	if (conn->params.pki_name.len == 0) {
		return;
	}
	ctx = X509_STORE_CTX_new();
	SP_ASSERT(ctx);
	conn->pki.error = run(conn, from, ctx);
	conn->pki.checked = true;
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
}

static enum sp_tls_pki classify(int error)
{
	switch (error) {
	case X509_V_OK:
		return SP_TLS_PKI_OK;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return SP_TLS_PKI_NOT_YET_VALID;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return SP_TLS_PKI_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return SP_TLS_PKI_NAME;
	default:
		return SP_TLS_PKI_UNTRUSTED;
	}
}

void sp__tls_pki_seen(struct sp_tls_conn *conn, const X509 *leaf)
{
	struct sp_tls_seen *seen = &conn->seen;
	const char *text = X509_verify_cert_error_string(conn->pki.error);

	if (conn->params.pki_name.len == 0) {
		return;
	}
	if (!leaf || !conn->pki.checked) {
		seen->pki = SP_TLS_PKI_UNTRUSTED;
		seen->pki_text = SP_STR("no certificate was sent");
		return;
	}
	seen->pki_checked = true;
	seen->pki = classify(conn->pki.error);
	if (seen->pki == SP_TLS_PKI_NAME) {
		text = sp_arena_printf(&conn->arena,
		                       "certificate is not for " SP_STR_FMT,
		                       SP_STR_ARG(conn->params.pki_name));
	} else if (!roots) {
		text = "no certificates of public authorities are known here";
	}
	seen->pki_text =
		sp_str_from(sp_arena_cstr(&conn->arena, sp_str_from(text)));
}
