/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_HEADER_H
#define SP_WIRE_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "wire/envelope.h"

/*
 * The header of a message (RFC 5322 2.2) looked at while it streams by, and
 * the trace header a server adds (RFC 5321 4.4). Pure; the scanner takes
 * pieces at any split and holds a fixed amount.
 */

#define SP_HEADER_NAME_MAX 32 /* longer names are none of those looked for */

enum sp_header_state {
	SP_HEADER_LINE_START,
	SP_HEADER_NAME,
	SP_HEADER_BEFORE_COLON,
	SP_HEADER_VALUE,
	SP_HEADER_END_CR, /* CR of the empty line seen */
	SP_HEADER_BODY,
};

enum sp_header_id_state {
	SP_HEADER_ID_BEFORE,
	SP_HEADER_ID_INSIDE,
	SP_HEADER_ID_DONE,
};

struct sp_header_scan {
	/* What was found so far. */
	unsigned received_count; /* Received fields, for the loop limit */
	bool has_message_id;     /* a field of that name, whatever it holds */
	bool has_from;
	bool has_date;
	unsigned tls_required_count; /* TLS-Required fields (RFC 8689 3) */
	bool tls_required_no;        /* the last of them says No */
	bool header_8bit;            /* bytes above 127 in the header */
	bool body_8bit;              /* and behind it */
	bool ended;                  /* the header is over */
	bool malformed;        /* it ended at a line that is no field, not at
	                        * an empty line; that line is body */
	uint64_t header_bytes; /* once ended: with the empty line */
	uint64_t total_bytes;

	/* The scanner's own. */
	enum sp_header_state state;
	enum sp_header_id_state id_state;
	bool in_message_id;
	bool in_tls_required;
	size_t tls_len; /* over the size: too long to say No */
	char tls[8];    /* the value without blanks around it */
	uint64_t line_start;
	size_t name_len;
	char name[SP_HEADER_NAME_MAX];
	size_t id_len;
	char id[SP_ENVELOPE_MESSAGE_ID_MAX];
};

void sp_header_scan_init(struct sp_header_scan *scan);

/* The next bytes of the message, transparency (RFC 5321 4.5.2) undone. Lines
 * may end in CRLF or LF. Go on beyond the header for body_8bit. */
void sp_header_scan_feed(struct sp_header_scan *scan, struct sp_str piece);

/* No more bytes will come: a message may be all header. */
void sp_header_scan_finish(struct sp_header_scan *scan);

/* The first Message-ID with its brackets; empty where there is none, or it is
 * not printable ASCII without blanks, or is longer than its limit. Borrowed
 * from the scan. */
struct sp_str sp_header_message_id(const struct sp_header_scan *scan);

/* The sender cares more for delivery than for TLS: one field "TLS-Required:
 * No", and no other of that name (RFC 8689 3). */
bool sp_header_tls_optional(const struct sp_header_scan *scan);

/* All borrowed; empty parts are left out. */
struct sp_received {
	struct sp_str helo;    /* as the client said */
	struct sp_str rdns;    /* verified name of the client */
	struct sp_str address; /* of the client, text: "192.0.2.1", "::1" */
	struct sp_str by;      /* our host name */
	struct sp_str with;    /* RFC 3848, RFC 6531: "ESMTPS", "UTF8SMTP" */
	struct sp_str tls;     /* "TLSv1.3, TLS_AES_256_GCM_SHA384" */
	struct sp_str id;      /* queue id */
	struct sp_str rcpt;    /* only if there is one recipient (RFC 5321
	                        * 7.2), without brackets */
	int64_t received_ms;   /* wall */
};

/* Append "Received: ...CRLF", folded. Bytes of the client that have no place
 * in a header become "?". 0 or SP_ELIMIT; after an error out holds what it
 * held before. */
int sp_header_received(const struct sp_received *parts, struct sp_buf *out);

#endif
