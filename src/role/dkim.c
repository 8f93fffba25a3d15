/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA signatures are made by libopendkim, Ed25519 ones by our own canonical
 * forms (wire/dkim) and OpenSSL. libopendkim 2.11 can make both, but for
 * Ed25519 it never frees the key that it parses for each message, more than
 * a kilobyte a signature, and gives nobody a handle to do so. That is no way
 * for a process that is to run for months. Both are fed the same fields and
 * the same body; the unit test holds the two body hashes against each other,
 * the scenarios both signatures against another implementation.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* Wants bool, and has a u_char of its own accord. */
#include <opendkim/dkim.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "role/dkim.h"
#include "wire/base64.h"

#define NAMES_MAX      64
#define INPUT_MAX      (2u * 1024 * 1024) /* of a header that is hashed */
#define FIELD_MAX      16384
#define SIGNATURE_LINE 72

struct sp_dkim_lib {
	DKIM_LIB *lib;
};

struct sp_dkim_signer {
	const struct sp_dkim_signing *signing;
	const struct sp_header_field *fields;
	size_t count;
	DKIM *dkim;            /* RSA */
	DKIM_STAT failed;      /* sticky */
	struct sp_sha256 *sha; /* Ed25519: of the body */
	struct sp_dkim_body body;
};

/* ---- the library ---- */

static const u_char *as_bytes(const char *text)
{
	return (const u_char *)text;
}

/* libopendkim's arguments are not const but stay as they are. */
static u_char *as_argument(const char *text)
{
	return (u_char *)(uintptr_t)text;
}

static bool set_names(DKIM_LIB *lib, dkim_opts_t option, bool signed_too)
{
	const u_char *names[NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; SP_DKIM_OVERSIGNED[i]; i++) {
		names[n++] = as_bytes(SP_DKIM_OVERSIGNED[i]);
	}
	for (size_t i = 0; signed_too && SP_DKIM_SIGNED[i]; i++) {
		SP_ASSERT(n < NAMES_MAX - 1);
		names[n++] = as_bytes(SP_DKIM_SIGNED[i]);
	}
	names[n] = NULL;
	return dkim_options(lib, DKIM_OP_SETOPT, option, names,
	                    sizeof(const u_char **)) == DKIM_STAT_OK;
}

/* Where libopendkim asks for a key: see below. */
static DKIM_CBSTAT on_key(DKIM *dkim, DKIM_SIGINFO *sig, u_char *buf,
                          size_t buflen);

/* Signatures are judged when the keys are there. */
static bool set_up_verifying(DKIM_LIB *lib)
{
	u_int flags = DKIM_LIBFLAGS_DELAYSIGPROC;

	return dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags,
	                    sizeof(flags)) == DKIM_STAT_OK &&
	       dkim_set_key_lookup(lib, on_key) == DKIM_STAT_OK;
}

struct sp_dkim_lib *sp_dkim_lib_new(void)
{
	DKIM_LIB *handle = dkim_init(NULL, NULL);
	struct sp_dkim_lib *lib;

	if (!handle) {
		return NULL;
	}
	if (!dkim_libfeature(handle, DKIM_FEATURE_SHA256) ||
	    !set_names(handle, DKIM_OPTS_SIGNHDRS, true) ||
	    !set_names(handle, DKIM_OPTS_OVERSIGNHDRS, false) ||
	    !set_up_verifying(handle)) {
		dkim_close(handle);
		return NULL;
	}
	lib = SP_NEW(struct sp_dkim_lib);
	lib->lib = handle;
	return lib;
}

void sp_dkim_lib_free(struct sp_dkim_lib **lib)
{
	if (*lib) {
		dkim_close((*lib)->lib);
		SP_FREE(lib);
	}
}

const char *sp_dkim_lib_version(void)
{
	static char text[32];
	uint32_t v = dkim_libversion();

	(void)snprintf(text, sizeof(text), "libopendkim %u.%u.%u", v >> 24,
	               v >> 16 & 255, v >> 8 & 255);
	return text;
}

/* ---- RSA ---- */

static void say(const struct sp_dkim_signer *s, DKIM_STAT stat, char *why_out,
                size_t why_cap)
{
	const char *error = s->dkim ? dkim_geterror(s->dkim) : NULL;

	(void)snprintf(why_out, why_cap, "%s",
	               error && *error ? error : dkim_getresultstr(stat));
}

static DKIM_STAT feed_header(struct sp_dkim_signer *s)
{
	DKIM_STAT stat = DKIM_STAT_OK;

	for (size_t i = 0; stat == DKIM_STAT_OK && i < s->count; i++) {
		const struct sp_str *text = &s->fields[i].text;

		stat = dkim_header(s->dkim, as_argument(text->ptr), text->len);
	}
	return stat == DKIM_STAT_OK ? dkim_eoh(s->dkim) : stat;
}

static DKIM_STAT start_rsa(struct sp_dkim_signer *s, struct sp_dkim_lib *lib)
{
	const struct sp_dkim_signing *how = s->signing;
	DKIM_STAT stat = DKIM_STAT_OK;

	s->dkim = dkim_sign(lib->lib, as_bytes("sealpost"), NULL,
	                    (dkim_sigkey_t)as_argument(how->pem),
	                    as_bytes(how->selector), as_bytes(how->domain),
	                    DKIM_CANON_RELAXED, DKIM_CANON_RELAXED,
	                    DKIM_SIGN_RSASHA256, -1, &stat);
	return s->dkim ? feed_header(s) : stat;
}

static int finish_rsa(struct sp_dkim_signer *s, struct sp_buf *out,
                      char *why_out, size_t why_cap)
{
	static const char NAME[] = "DKIM-Signature: ";
	u_char *value = NULL;
	size_t len = 0;

	if (s->failed == DKIM_STAT_OK) {
		s->failed = dkim_eom(s->dkim, NULL);
	}
	if (s->failed == DKIM_STAT_OK) {
		s->failed = dkim_getsighdr_d(s->dkim, sizeof(NAME) - 1, &value,
		                             &len);
	}
	if (s->failed != DKIM_STAT_OK) {
		say(s, s->failed, why_out, why_cap);
		return -EIO;
	}
	(void)sp_buf_append_cstr(out, NAME); /* sticky */
	(void)sp_buf_append(out, value, len);
	return sp_buf_append_cstr(out, "\r\n");
}

/* ---- Ed25519 ---- */

static void hash(void *arg, struct sp_str bytes)
{
	sp_sha256_feed(arg, bytes);
}

static void start_ed25519(struct sp_dkim_signer *s)
{
	s->sha = sp_sha256_new();
	sp_dkim_body_init(&s->body, hash, s->sha);
}

/* Base64 in lines, behind "b=". */
static int put_signature(struct sp_str bytes, struct sp_arena *arena,
                         struct sp_buf *out)
{
	struct sp_str text = sp_base64_encode(bytes, arena);

	for (size_t at = 0; at < text.len; at += SIGNATURE_LINE) {
		(void)sp_buf_append_cstr(out, at ? "\r\n\t " : ""); /* sticky */
		(void)sp_buf_append_str(out,
		                        sp_str_sub(text, at, SIGNATURE_LINE));
	}
	return sp_buf_append_cstr(out, "\r\n");
}

static int write_ed25519(const struct sp_dkim_signer *s,
                         const struct sp_dkim_signature *signature,
                         struct sp_buf *field, struct sp_buf *input)
{
	struct sp_sha256 *sha = sp_sha256_new();
	uint8_t digest[SP_SHA256_BYTES];
	struct sp_arena arena;
	struct sp_str bytes;
	int ret = sp_dkim_signature_input(signature, s->fields, s->count, field,
	                                  input);

	sp_arena_init(&arena);
	sp_sha256_feed(sha, sp_buf_str(input));
	sp_sha256_end(sha, digest);
	ret = ret ? ret
	          : sp_dkim_key_sign(s->signing->key, digest, &arena, &bytes);
	ret = ret ? ret : put_signature(bytes, &arena, field);
	sp_sha256_free(&sha);
	sp_arena_fini(&arena);
	return ret;
}

static int finish_ed25519(struct sp_dkim_signer *s, int64_t time_s,
                          struct sp_buf *out, char *why_out, size_t why_cap)
{
	uint8_t digest[SP_SHA256_BYTES];
	const struct sp_dkim_signature signature = {
		.algorithm = "ed25519-sha256",
		.domain = sp_str_from(s->signing->domain),
		.selector = sp_str_from(s->signing->selector),
		.time_s = time_s,
		.body_hash = sp_str_slice(digest, sizeof(digest)),
	};
	struct sp_buf field;
	struct sp_buf input;
	int ret;

	sp_dkim_body_finish(&s->body);
	sp_sha256_end(s->sha, digest);
	sp_buf_init(&field, FIELD_MAX);
	sp_buf_init(&input, INPUT_MAX);
	ret = write_ed25519(s, &signature, &field, &input);
	ret = ret ? ret : sp_buf_append_str(out, sp_buf_str(&field));
	if (ret) {
		(void)snprintf(why_out, why_cap, "Ed25519: %s",
		               sp_strerror(ret));
	}
	sp_buf_fini(&field);
	sp_buf_fini(&input);
	return ret;
}

/* ---- both ---- */

static bool is_rsa(const struct sp_dkim_signer *s)
{
	return sp_dkim_key_type(s->signing->key) == SP_DKIM_KEY_RSA;
}

int sp_dkim_signer_new(struct sp_dkim_lib *lib,
                       const struct sp_dkim_signing *signing,
                       const struct sp_header_field *fields, size_t count,
                       struct sp_dkim_signer **signer_out, char *why_out,
                       size_t why_cap)
{
	struct sp_dkim_signer *s = SP_NEW(struct sp_dkim_signer);
	DKIM_STAT stat = DKIM_STAT_OK;

	s->signing = signing;
	s->fields = fields;
	s->count = count;
	s->failed = DKIM_STAT_OK;
	if (is_rsa(s)) {
		stat = start_rsa(s, lib);
	} else {
		start_ed25519(s);
	}
	if (stat != DKIM_STAT_OK) {
		say(s, stat, why_out, why_cap);
		sp_dkim_signer_free(&s);
	}
	*signer_out = s;
	if (stat == DKIM_STAT_SYNTAX) {
		return SP_ESYNTAX;
	}
	return stat == DKIM_STAT_OK ? 0 : -EIO;
}

void sp_dkim_signer_feed(struct sp_dkim_signer *s, struct sp_str piece)
{
	if (!piece.len) {
		return;
	}
	if (!is_rsa(s)) {
		sp_dkim_body_feed(&s->body, piece);
	} else if (s->failed == DKIM_STAT_OK) {
		s->failed =
			dkim_body(s->dkim, as_argument(piece.ptr), piece.len);
	}
}

int sp_dkim_signer_finish(struct sp_dkim_signer *s, int64_t time_s,
                          struct sp_buf *out, char *why_out, size_t why_cap)
{
	return is_rsa(s) ? finish_rsa(s, out, why_out, why_cap)
	                 : finish_ed25519(s, time_s, out, why_out, why_cap);
}

void sp_dkim_signer_free(struct sp_dkim_signer **signer)
{
	struct sp_dkim_signer *s = *signer;

	if (!s) {
		return;
	}
	if (s->dkim) {
		(void)dkim_free(s->dkim);
	}
	sp_sha256_free(&s->sha);
	SP_FREE(signer);
}

/* ---- verifying ---- */

struct sp_dkim_verifier {
	DKIM *dkim;
	DKIM_SIGINFO *signatures[SP_DKIM_SIGNATURES_MAX]; /* the library's */
	size_t count;
	DKIM_STAT failed; /* sticky */
	struct sp_arena arena;
	const char *owners[SP_DKIM_SIGNATURES_MAX];
	const char *records[SP_DKIM_SIGNATURES_MAX]; /* null: none */
	struct sp_dkim_seen seen[SP_DKIM_SIGNATURES_MAX];
};

static DKIM_CBSTAT on_key(DKIM *dkim, DKIM_SIGINFO *sig, u_char *buf,
                          size_t buflen)
{
	const struct sp_dkim_verifier *v = dkim_get_user_context(dkim);

	for (size_t i = 0; v && i < v->count; i++) {
		if (v->signatures[i] != sig || !v->records[i]) {
			continue;
		}
		if (strlen(v->records[i]) >= buflen) {
			return DKIM_CBSTAT_ERROR;
		}
		(void)snprintf((char *)buf, buflen, "%s", v->records[i]);
		return DKIM_CBSTAT_CONTINUE;
	}
	return DKIM_CBSTAT_NOTFOUND;
}

static DKIM_STAT read_header(struct sp_dkim_verifier *v,
                             const struct sp_header_field *fields, size_t count)
{
	DKIM_STAT stat = DKIM_STAT_OK;

	for (size_t i = 0; stat == DKIM_STAT_OK && i < count; i++) {
		const struct sp_str *text = &fields[i].text;

		stat = dkim_header(v->dkim, as_argument(text->ptr), text->len);
	}
	return stat == DKIM_STAT_OK ? dkim_eoh(v->dkim) : stat;
}

static void list_signatures(struct sp_dkim_verifier *v)
{
	DKIM_SIGINFO **list = NULL;
	int count = 0;

	if (dkim_getsiglist(v->dkim, &list, &count) != DKIM_STAT_OK) {
		return;
	}
	for (int i = 0; i < count && v->count < SP_DKIM_SIGNATURES_MAX; i++) {
		struct sp_dkim_seen *seen = &v->seen[v->count];

		if (!dkim_sig_getdomain(list[i]) ||
		    !dkim_sig_getselector(list[i])) {
			continue; /* too broken to be anybody's */
		}
		seen->domain = (const char *)dkim_sig_getdomain(list[i]);
		seen->selector = (const char *)dkim_sig_getselector(list[i]);
		seen->why = "not judged";
		v->owners[v->count] =
			sp_arena_printf(&v->arena, "%s._domainkey.%s",
		                        seen->selector, seen->domain);
		v->signatures[v->count++] = list[i];
	}
}

static int start_verifier(struct sp_dkim_verifier *v, struct sp_dkim_lib *lib,
                          const struct sp_header_field *fields, size_t count,
                          DKIM_STAT *stat_out)
{
	v->dkim = dkim_verify(lib->lib, as_bytes("sealpost"), NULL, stat_out);
	if (!v->dkim) {
		return -EIO;
	}
	(void)dkim_set_user_context(v->dkim, v); /* never fails */
	*stat_out = read_header(v, fields, count);
	if (*stat_out == DKIM_STAT_SYNTAX) {
		return SP_ESYNTAX;
	}
	list_signatures(v);
	if (v->count == 0) {
		return SP_ENOTFOUND;
	}
	return *stat_out == DKIM_STAT_OK ? 0 : -EIO;
}

int sp_dkim_verifier_new(struct sp_dkim_lib *lib,
                         const struct sp_header_field *fields, size_t count,
                         struct sp_dkim_verifier **verifier_out, char *why_out,
                         size_t why_cap)
{
	struct sp_dkim_verifier *v = SP_NEW(struct sp_dkim_verifier);
	DKIM_STAT stat = DKIM_STAT_OK;
	int ret;

	sp_arena_init(&v->arena);
	ret = start_verifier(v, lib, fields, count, &stat);
	if (ret) {
		(void)snprintf(why_out, why_cap, "%s",
		               ret == SP_ENOTFOUND ? "no DKIM signature"
		                                   : dkim_getresultstr(stat));
		sp_dkim_verifier_free(&v);
	}
	*verifier_out = v;
	return ret;
}

size_t sp_dkim_verifier_count(const struct sp_dkim_verifier *v)
{
	return v->count;
}

const char *sp_dkim_verifier_owner(const struct sp_dkim_verifier *v,
                                   size_t index)
{
	SP_ASSERT(index < v->count);
	return v->owners[index];
}

void sp_dkim_verifier_key(struct sp_dkim_verifier *v, size_t index,
                          struct sp_str record)
{
	SP_ASSERT(index < v->count);
	v->records[index] = sp_arena_cstr(&v->arena, record);
}

void sp_dkim_verifier_feed(struct sp_dkim_verifier *v, struct sp_str piece)
{
	if (piece.len && v->failed == DKIM_STAT_OK) {
		v->failed =
			dkim_body(v->dkim, as_argument(piece.ptr), piece.len);
	}
}

static void judge(const struct sp_dkim_verifier *v, DKIM_SIGINFO *sig,
                  struct sp_dkim_seen *seen)
{
	ssize_t whole = 0;
	ssize_t canonical = 0;
	ssize_t length = -1;
	DKIM_STAT stat = dkim_sig_process(v->dkim, sig);

	seen->passed = false;
	if (stat != DKIM_STAT_OK) {
		seen->why = dkim_getresultstr(stat);
	} else if ((dkim_sig_getflags(sig) & DKIM_SIGFLAG_PASSED) == 0) {
		seen->why = dkim_sig_geterrorstr(dkim_sig_geterror(sig));
	} else if (dkim_sig_getbh(sig) != DKIM_SIGBH_MATCH) {
		seen->why = "body hash mismatch";
	} else if (dkim_sig_getcanonlen(v->dkim, sig, &whole, &canonical,
	                                &length) != DKIM_STAT_OK ||
	           length != -1) {
		seen->why = "covers a part of the body only (l=)";
	} else {
		seen->passed = true;
		seen->why = NULL;
	}
}

int sp_dkim_verifier_finish(struct sp_dkim_verifier *v)
{
	bool testing = false;

	if (v->failed != DKIM_STAT_OK) {
		return -EIO;
	}
	/* Its result is about all signatures together; each is asked. */
	(void)dkim_eom(v->dkim, &testing);
	for (size_t i = 0; i < v->count; i++) {
		judge(v, v->signatures[i], &v->seen[i]);
	}
	return 0;
}

const struct sp_dkim_seen *
sp_dkim_verifier_seen(const struct sp_dkim_verifier *v, size_t index)
{
	SP_ASSERT(index < v->count);
	return &v->seen[index];
}

bool sp_dkim_verifier_covers(const struct sp_dkim_verifier *v, size_t index,
                             const char *name)
{
	SP_ASSERT(index < v->count);
	return dkim_sig_hdrsigned(v->signatures[index], as_argument(name));
}

void sp_dkim_verifier_free(struct sp_dkim_verifier **verifier)
{
	struct sp_dkim_verifier *v = *verifier;

	if (!v) {
		return;
	}
	if (v->dkim) {
		(void)dkim_free(v->dkim);
	}
	sp_arena_fini(&v->arena);
	SP_FREE(verifier);
}
