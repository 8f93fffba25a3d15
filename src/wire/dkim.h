/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_DKIM_H
#define SP_WIRE_DKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/field.h"

/*
 * DKIM (RFC 6376, RFC 8301, RFC 8463) as far as it is text: relaxed
 * canonical forms, which fields are signed, the signature field without its
 * signature, and key records. Pure.
 */

#define SP_DKIM_RECORD_MAX 4096 /* of a key record */
#define SP_DKIM_WHY_MAX    160

/* ---- what is signed ---- */

/*
 * Names of fields, in lower case, null at the end. Those of the first list
 * are signed once more than they are there (oversigned: whoever adds one
 * breaks the signature), those of the second as often as they are there.
 */
extern const char *const SP_DKIM_OVERSIGNED[];
extern const char *const SP_DKIM_SIGNED[];

/* The relaxed form of a field (RFC 6376 3.4.2), with its CRLF. 0 or
 * SP_ELIMIT. */
int sp_dkim_relax_field(struct sp_str name, struct sp_str value,
                        struct sp_buf *out);

/* The relaxed form of a body (RFC 6376 3.4.4) that comes in pieces; what is
 * ready goes to the sink, borrowed for the call. Fixed memory. */
typedef void sp_dkim_sink_fn(void *arg, struct sp_str bytes);

struct sp_dkim_body {
	sp_dkim_sink_fn *sink;
	void *arg;
	uint64_t lines; /* line ends that nothing followed yet */
	bool blank;     /* in this line, and nothing followed yet */
	bool cr;
	bool any; /* something went to the sink */
};

void sp_dkim_body_init(struct sp_dkim_body *body, sp_dkim_sink_fn *sink,
                       void *arg);
void sp_dkim_body_feed(struct sp_dkim_body *body, struct sp_str piece);
void sp_dkim_body_finish(struct sp_dkim_body *body);

/* ---- the signature field ---- */

struct sp_dkim_signature {     /* all borrowed */
	const char *algorithm; /* "ed25519-sha256" */
	struct sp_str domain;  /* A-labels */
	struct sp_str selector;
	int64_t time_s;
	struct sp_str body_hash; /* SHA-256 of the relaxed body */
};

/* Appends to field_out the DKIM-Signature field up to and with "b=", to
 * input_out all that is to be hashed: the relaxed fields in the order of h=,
 * from the last of a name to its first (5.4.2), and this field (3.7). 0 or
 * SP_ELIMIT. */
int sp_dkim_signature_input(const struct sp_dkim_signature *signature,
                            const struct sp_header_field *fields, size_t count,
                            struct sp_buf *field_out, struct sp_buf *input_out);

/* ---- key records (RFC 6376 3.6.1) ---- */

enum sp_dkim_key_type {
	SP_DKIM_KEY_RSA,
	SP_DKIM_KEY_ED25519,
	SP_DKIM_KEY_OTHER, /* nobody could use it */
};
const char *sp_dkim_key_type_text(enum sp_dkim_key_type type);

struct sp_dkim_record {
	enum sp_dkim_key_type type;
	struct sp_str key;      /* decoded; empty: revoked */
	bool testing;           /* t=y */
	bool no_subdomains;     /* t=s */
	bool no_sha256;         /* h= without it */
	struct sp_str services; /* s=, as written; empty: all */
};

/* One TXT record, its strings joined. Strings in the arena or in text. 0, or
 * SP_ESYNTAX with one line of printable ASCII in why_out (SP_DKIM_WHY_MAX
 * bytes). */
int sp_dkim_record_parse(struct sp_str text, struct sp_arena *arena,
                         struct sp_dkim_record *record_out, char *why_out);

/* Whether mail may be signed by it, or a service such as "tlsrpt" (RFC 8460
 * 3). */
bool sp_dkim_record_serves(const struct sp_dkim_record *record,
                           struct sp_str service);

/* "v=DKIM1; k=ed25519; p=..."; service "": all. */
struct sp_str sp_dkim_record_format(enum sp_dkim_key_type type,
                                    struct sp_str key, struct sp_str service,
                                    struct sp_arena *arena);

#endif
