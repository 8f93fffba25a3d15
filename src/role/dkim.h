/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_DKIM_H
#define SP_ROLE_DKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "net/dkim_key.h"
#include "wire/field.h"

/*
 * DKIM signatures (RFC 6376), relaxed/relaxed, without l=; which fields are
 * covered stands in wire/dkim.h. libopendkim is named in dkim.c only.
 */

struct sp_dkim_lib; /* the library's handle, one for a process */

struct sp_dkim_lib *sp_dkim_lib_new(void); /* null: it can't be set up */
void sp_dkim_lib_free(struct sp_dkim_lib **lib);
/* "2.11.0 ...", for logs. */
const char *sp_dkim_lib_version(void);

/* With what to sign; all borrowed for the life of the signer. */
struct sp_dkim_signing {
	const struct sp_dkim_key *key;
	const char *pem;    /* the same key */
	const char *domain; /* A-labels */
	const char *selector;
};

struct sp_dkim_signer; /* one signature of one message */

/* The header, then the body in any pieces, then finish. The fields are
 * borrowed until finish. 0, SP_ESYNTAX (the library doesn't take this
 * header, and never will), -EIO; with one line in why_out. */
int sp_dkim_signer_new(struct sp_dkim_lib *lib,
                       const struct sp_dkim_signing *signing,
                       const struct sp_header_field *fields, size_t count,
                       struct sp_dkim_signer **signer_out, char *why_out,
                       size_t why_cap);
void sp_dkim_signer_feed(struct sp_dkim_signer *signer, struct sp_str piece);
/* Appends the whole DKIM-Signature field with its CRLF. 0, SP_ELIMIT (out
 * is full), -EIO with one line in why_out. */
int sp_dkim_signer_finish(struct sp_dkim_signer *signer, int64_t time_s,
                          struct sp_buf *out, char *why_out, size_t why_cap);
void sp_dkim_signer_free(struct sp_dkim_signer **signer);

/* ---- verifying ---- */

#define SP_DKIM_SIGNATURES_MAX 16 /* of a message; the others are ignored */

/*
 * A message is fed header first, then its key records are asked for by
 * whoever can (owner), handed in, and the body fed, in any order of these two;
 * finish judges. A signature with l= never passes: what is behind its end is
 * anybody's (RFC 8460 5.3).
 */
struct sp_dkim_verifier;

struct sp_dkim_seen {
	const char *domain, *selector;
	bool passed;
	const char *why; /* when not */
};

/* 0, SP_ENOTFOUND (no signature), SP_ESYNTAX (a header that can't be
 * verified), -EIO; with one line in why_out. */
int sp_dkim_verifier_new(struct sp_dkim_lib *lib,
                         const struct sp_header_field *fields, size_t count,
                         struct sp_dkim_verifier **verifier_out, char *why_out,
                         size_t why_cap);
size_t sp_dkim_verifier_count(const struct sp_dkim_verifier *verifier);
/* Where the key record of a signature is: "selector._domainkey.domain". */
const char *sp_dkim_verifier_owner(const struct sp_dkim_verifier *verifier,
                                   size_t index);
/* The record, copied. Without one the signature fails. */
void sp_dkim_verifier_key(struct sp_dkim_verifier *verifier, size_t index,
                          struct sp_str record);
void sp_dkim_verifier_feed(struct sp_dkim_verifier *verifier,
                           struct sp_str piece);
/* 0 or -EIO: nothing has passed. */
int sp_dkim_verifier_finish(struct sp_dkim_verifier *verifier);
/* After finish. */
const struct sp_dkim_seen *
sp_dkim_verifier_seen(const struct sp_dkim_verifier *verifier, size_t index);
/* Whether the signature is over all fields of the name (lower case). */
bool sp_dkim_verifier_covers(const struct sp_dkim_verifier *verifier,
                             size_t index, const char *name);
void sp_dkim_verifier_free(struct sp_dkim_verifier **verifier);

#endif
