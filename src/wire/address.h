/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_ADDRESS_H
#define SP_WIRE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

/*
 * Mail addresses and domains as SMTP knows them (RFC 5321 4.1.2, RFC 6531),
 * xtext (RFC 3461 4, RFC 6533 3), and A-labels (libidn2, RFC 5891). Pure.
 */

#define SP_ADDRESS_LOCAL_MAX  64
#define SP_ADDRESS_DOMAIN_MAX 255
#define SP_ADDRESS_MAX        320 /* local part, @, domain */

struct sp_address {
	struct sp_str local;  /* as written, quotes kept */
	struct sp_str domain; /* as written; "[...]" for an address literal */
	bool utf8;            /* needs SMTPUTF8: bytes above 127 */
	bool literal;
};

/* "local@domain" without angle brackets. Slices point into text. Controls,
 * NUL, bare quotes, source routes, bytes that are no UTF-8 are refused. 0,
 * SP_ESYNTAX or SP_ELIMIT. */
int sp_address_parse(struct sp_str text, struct sp_address *address_out);

/* A path in angle brackets at the start of text ("<a@b>", "<>", and where
 * bare_local "<postmaster>", which has an empty domain): sets the address (both
 * parts empty for the null path) and rest_out to what follows. Source routes
 * (RFC 5321 appendix C) are dropped. 0, SP_ESYNTAX, SP_ELIMIT. */
int sp_address_path(struct sp_str text, bool bare_local,
                    struct sp_address *address_out, struct sp_str *rest_out);

/* Domain to lower-case A-labels without trailing dot, in the arena. Checks
 * label and name lengths and LDH (underscore allowed). A literal comes back
 * as it is. 0, SP_ESYNTAX, SP_ELIMIT. */
int sp_domain_to_ascii(struct sp_str domain, struct sp_arena *arena,
                       struct sp_str *ascii_out);

/* True for "[192.0.2.1]" and "[IPv6:..]" and for bare IPv4/IPv6 text. */
bool sp_domain_is_literal(struct sp_str domain);

/* xtext: out gets at most max bytes; CR, LF and NUL after decoding are
 * refused. 0, SP_ESYNTAX, SP_ELIMIT. */
int sp_xtext_decode(struct sp_str xtext, struct sp_arena *arena, size_t max,
                    struct sp_str *text_out);
struct sp_str sp_xtext_encode(struct sp_str text, struct sp_arena *arena);
/* An address of the type utf-8 in ASCII: characters above 127 as "\x{E9}"
 * (RFC 6533 3), the rest as it is. */
struct sp_str sp_utf8_addr_xtext(struct sp_str text, struct sp_arena *arena);

/* What there is to say of an address where SMTPUTF8 is not spoken: the domain
 * as A-labels (RFC 5890 2.3.2.1). SP_EUNSUPPORTED: its local part is beyond
 * ASCII, and nothing can be said. */
int sp_address_to_ascii(struct sp_str address, struct sp_arena *arena,
                        struct sp_str *ascii_out);

#endif
