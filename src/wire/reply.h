/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_REPLY_H
#define SP_WIRE_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * SMTP replies (RFC 5321 4.2) and enhanced status codes (RFC 3463). The
 * parser is fed bytes as they come, at any split, and never looks beyond the
 * reply it returns, so that bytes behind the 220 to STARTTLS stay visible.
 */

#define SP_REPLY_LINE_MAX  2048 /* longer lines end the session */
#define SP_REPLY_LINES_MAX 128
#define SP_REPLY_TEXT_MAX  16384

struct sp_enhanced {
	unsigned class; /* 2, 4, 5; 0: none given */
	unsigned subject;
	unsigned detail;
};

struct sp_reply {
	unsigned code;               /* 200-599 */
	struct sp_enhanced enhanced; /* of the first line, if consistent with
	                              * the code's class; else class 0 */
	struct sp_str text; /* lines joined by "\n", codes stripped, enhanced
	                     * code kept; borrowed from the parser until the
	                     * next call */
	size_t line_count;
};

struct sp_reply_parser {
	struct sp_buf line; /* partial line */
	struct sp_buf text;
	unsigned code;
	size_t line_count;
};

void sp_reply_parser_init(struct sp_reply_parser *p);
void sp_reply_parser_fini(struct sp_reply_parser *p);
void sp_reply_parser_reset(struct sp_reply_parser *p);

/* Consume from *input (which is advanced). 1: a reply is complete in
 * reply_out; 0: more bytes are needed; SP_ESYNTAX: no SMTP reply (code not
 * 200-599, codes differ between lines, NUL); SP_ELIMIT: line, lines or text
 * too long. After an error the parser must be reset or dropped. A bare LF
 * ends a line too. */
int sp_reply_parse(struct sp_reply_parser *p, struct sp_str *input,
                   struct sp_reply *reply_out);

/* "5.7.1" at the start of text; 0 and the rest, or SP_ESYNTAX. */
int sp_enhanced_parse(struct sp_str text, struct sp_enhanced *enhanced_out,
                      struct sp_str *rest_out);

#endif
