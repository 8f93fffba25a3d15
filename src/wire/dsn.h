/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_DSN_H
#define SP_WIRE_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "wire/envelope.h"

/*
 * A delivery status notification written from facts: multipart/report (RFC
 * 6522) with a part for people, one for machines (RFC 3464) and the original
 * message or its header. Pure.
 *
 * Whatever the facts hold, the result is a legal message: lines end in CRLF
 * and have at most 998 bytes, header and status fields are one printable
 * line each, the boundary occurs in no part. All of it is ASCII, except
 *
 *  - the To field and the envelope, when the sender's address is not
 *    (sp_dsn_result.smtputf8), and
 *  - then the original message, when it goes whole and is not
 *    (sp_dsn_result.body_8bit). Otherwise one with an 8-bit body is not
 *    returned whole.
 *
 * Addresses beyond ASCII turn the status part into message/global-delivery-
 * status, and a header beyond ASCII its part into message/global-headers (RFC
 * 6533), both in quoted-printable.
 */

#define SP_DSN_HEADER_MAX (64u * 1024)  /* of the original header; cut there */
#define SP_DSN_TEXT_MAX   (256u * 1024) /* of the part for people */
#define SP_DSN_VALUE_MAX  900           /* of one field; longer ones are cut */

enum sp_dsn_action { /* RFC 3464 2.3.3 */
	SP_DSN_FAILED,
	SP_DSN_DELAYED,
	SP_DSN_DELIVERED,
	SP_DSN_RELAYED,
	SP_DSN_EXPANDED,
};
const char *sp_dsn_action_name(enum sp_dsn_action action);

enum sp_dsn_diagnostic { /* type of Diagnostic-Code, RFC 3464 2.3.6 */
	SP_DSN_NO_DIAGNOSTIC,
	SP_DSN_SEALPOST, /* x-sealpost: a verdict of ours */
	SP_DSN_SMTP,     /* smtp: a reply of the peer */
};

/* Empty strings and zero times leave their field out. */
struct sp_dsn_rcpt {
	struct sp_str address; /* Final-Recipient */
	struct sp_str orcpt;   /* "rfc822;x@y", decoded */
	enum sp_dsn_action action;
	struct sp_str status; /* "5.7.323"; what is no status is replaced */
	enum sp_dsn_diagnostic diagnostic_type;
	struct sp_str diagnostic; /* "550 5.7.323 tlsa-invalid: ..." */
	struct sp_str remote_mta; /* only one that was contacted */
	int64_t last_attempt_ms;
	int64_t retry_until_ms; /* delayed */
};

struct sp_dsn {
	struct sp_str hostname; /* ours: Reporting-MTA, Message-ID */
	struct sp_str from;     /* address; empty: MAILER-DAEMON@hostname */
	struct sp_str to;       /* sender of the original, without brackets */
	struct sp_str subject;
	struct sp_str id;   /* of the report; letters and digits */
	struct sp_str text; /* for people; UTF-8, lines end in LF */
	uint64_t seed;      /* of the boundary */
	int64_t now_ms;

	/* Of the original. */
	struct sp_str original_id; /* queue id */
	struct sp_str message_id;  /* with brackets */
	struct sp_str envid;       /* decoded */
	int64_t arrival_ms;
	const struct sp_dsn_rcpt *rcpts; /* at least one */
	size_t rcpt_count;
	struct sp_str original; /* the message, or as much of its beginning as
	                         * there is; empty: no third part */
	bool whole; /* original is all of it, and all is to be returned */
};

struct sp_dsn_result {
	bool smtputf8;  /* the report needs SMTPUTF8 (RFC 6531) */
	bool body_8bit; /* and 8BITMIME; only with smtputf8 */
	bool whole;     /* the original is in it; else only its header */
};

/* Append the report. 0, or SP_ELIMIT with out as it was. */
int sp_dsn_write(const struct sp_dsn *dsn, struct sp_buf *out,
                 struct sp_dsn_result *result_out);

#endif
