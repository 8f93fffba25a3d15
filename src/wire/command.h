/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_COMMAND_H
#define SP_WIRE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/address.h"
#include "wire/envelope.h"

/*
 * SMTP commands as a server reads them (RFC 5321 4.1): one line to one
 * struct. Pure and strict; whether a command is offered, expected now or
 * allowed is for the session to say. What is wrong with a line is a problem
 * with the code, enhanced code and text of its answer.
 */

#define SP_COMMAND_LINE_MAX                                                    \
	2048                    /* without CRLF; RFC 5321 4.5.3.1.4 and what   \
	                         * the extensions add to it */
#define SP_COMMAND_NAME_MAX 255 /* name in HELO and EHLO */

/* FOREIGN stands for the methods of HTTP: end such a connection. AUTH is
 * known so that it can be answered, its argument is not read. */
#define SP_VERBS(X)                                                            \
	X(HELO)                                                                \
	X(EHLO)                                                                \
	X(MAIL)                                                                \
	X(RCPT)                                                                \
	X(DATA)                                                                \
	X(BDAT)                                                                \
	X(RSET)                                                                \
	X(NOOP)                                                                \
	X(QUIT)                                                                \
	X(VRFY)                                                                \
	X(EXPN)                                                                \
	X(HELP)                                                                \
	X(STARTTLS)                                                            \
	X(AUTH)                                                                \
	X(FOREIGN)

enum sp_verb {
	SP_VERB_UNKNOWN,
#define SP_X(name) SP_VERB_##name,
	SP_VERBS(SP_X)
#undef SP_X
};

const char *sp_verb_text(enum sp_verb verb); /* "MAIL" */

/* Name, reply code, enhanced code (RFC 3463), text. */
#define SP_COMMAND_PROBLEMS(X)                                                 \
	X(NONE, 250, "2.0.0", "ok")                                            \
	X(LINE_LONG, 500, "5.5.2", "line too long")                            \
	X(CONTROL, 500, "5.5.2", "control character in the command")           \
	X(NOT_UTF8, 500, "5.5.2", "command is neither ASCII nor UTF-8")        \
	X(UNKNOWN, 500, "5.5.1", "command not recognized")                     \
	X(ARGUMENT, 501, "5.5.4", "syntax error in the argument")              \
	X(ARGUMENT_NONE, 501, "5.5.4", "argument missing")                     \
	X(ARGUMENT_EXTRA, 501, "5.5.4", "command takes no argument")           \
	X(SENDER, 501, "5.1.7", "syntax error in the sender address")          \
	X(RECIPIENT, 501, "5.1.3", "syntax error in the recipient address")    \
	X(ADDRESS_LONG, 501, "5.1.0", "address too long")                      \
	X(PARAM_SYNTAX, 501, "5.5.4", "syntax error in a parameter")           \
	X(PARAM_TWICE, 501, "5.5.4", "parameter given twice")                  \
	X(PARAM_VALUE, 504, "5.5.4", "parameter value not implemented")        \
	X(PARAM_UNKNOWN, 555, "5.5.4", "parameter not recognized")             \
	X(NEEDS_SMTPUTF8, 553, "5.6.7", "address needs SMTPUTF8")

enum sp_command_problem {
#define SP_X(name, code, enhanced, text) SP_COMMAND_##name,
	SP_COMMAND_PROBLEMS(SP_X)
#undef SP_X
};

struct sp_command_answer {
	unsigned code;
	const char *enhanced;
	const char *text;
};

struct sp_command_answer sp_command_answer(enum sp_command_problem problem);

enum sp_body {
	SP_BODY_UNSET,
	SP_BODY_7BIT,
	SP_BODY_8BITMIME
};

/* Slices point into the line; envid and orcpt into the arena. */
struct sp_command {
	enum sp_verb verb;
	enum sp_command_problem problem;
	struct sp_str argument;    /* HELO, EHLO: the name; NOOP, HELP, VRFY,
	                            * EXPN, AUTH: all behind the verb */
	struct sp_address address; /* MAIL, RCPT: both parts empty for <>,
	                            * domain empty for <postmaster>; utf8 in
	                            * RCPT needs a transaction with SMTPUTF8 */
	struct sp_str mailbox;     /* the same as written, without brackets and
	                            * source route */
	bool has_size;             /* MAIL */
	uint64_t size_bytes;       /* RFC 1870; UINT64_MAX: that or more */
	enum sp_body body;         /* RFC 6152 */
	bool smtputf8;             /* RFC 6531 */
	bool requiretls;           /* RFC 8689 */
	enum sp_ret ret;           /* RFC 3461 */
	struct sp_str envid;       /* decoded: printable ASCII */
	uint8_t notify;            /* RCPT: bits of enum sp_notify */
	struct sp_str orcpt;       /* "rfc822;x@y" decoded; of type utf-8 as
	                            * it came (RFC 6533 3) */
	uint64_t chunk_bytes;      /* BDAT, RFC 3030 */
	bool last;
};

/* The line has no CRLF. 0, or with the problem set SP_ESYNTAX, SP_ELIMIT or
 * SP_EUNSUPPORTED (unknown command, parameter or value); the verb is set
 * wherever it was recognized. */
int sp_command_parse(struct sp_str line, struct sp_arena *arena,
                     struct sp_command *command_out);

#endif
