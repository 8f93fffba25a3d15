/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_FIELD_H
#define SP_WIRE_FIELD_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

/*
 * The header of a message held in memory, field by field (RFC 5322 2.2), and
 * the domain that the message is from. Pure. Where a stream passes by, use
 * wire/header.h; both agree on where a header ends.
 */

struct sp_header_field {
	struct sp_str name;  /* as written, without blanks before the colon */
	struct sp_str value; /* behind the colon; folds kept, no last CRLF */
	struct sp_str text;  /* all of it, without the last CRLF */
};

enum sp_header_field_walk {
	SP_HEADER_FIELD_FOUND,
	SP_HEADER_FIELD_END,  /* an empty line, or no bytes left: rest is the
	                         body */
	SP_HEADER_FIELD_MORE, /* the next field is not whole yet */
	SP_HEADER_FIELD_BAD,  /* a line that is no field: rest begins with it */
};

/* The next field of rest, which moves behind it. all: nothing follows what
 * is in rest. Lines end in CRLF or LF. */
enum sp_header_field_walk
sp_header_field_next(struct sp_str *rest, bool all,
                     struct sp_header_field *field_out);

enum sp_from {
	SP_FROM_FOUND,
	SP_FROM_NONE, /* no From */
	SP_FROM_MANY, /* more than one From field (RFC 5322 3.6) */
	SP_FROM_BAD,  /* it can't be told; or the header has a line that is
	               * no field */
	SP_FROM_MORE, /* not within these bytes */
};

/* The domain of the first mailbox in From (RFC 5322 3.6.2, 4.4; RFC 6854) as
 * lower-case A-labels in the arena. head: the message, or its first bytes
 * unless all. */
enum sp_from sp_from_domain(struct sp_str head, bool all,
                            struct sp_arena *arena, struct sp_str *domain_out);
/* What it was, for logs. */
const char *sp_from_text(enum sp_from from);

#endif
