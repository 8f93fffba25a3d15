/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_TLSRPT_MAIL_H
#define SP_WIRE_TLSRPT_MAIL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * A TLS report as a mail (RFC 8460 5.3): multipart/report of a line for
 * people and the packed report. Pure; ASCII, lines end in CRLF.
 */

struct sp_tlsrpt_mail {
	struct sp_str from;       /* address */
	struct sp_str to;         /* address */
	struct sp_str submitter;  /* domain of the report's contact-info */
	struct sp_str domain;     /* policy domain */
	struct sp_str report_id;  /* without brackets */
	struct sp_str message_id; /* without brackets */
	struct sp_str file;       /* name of the attachment */
	struct sp_str packed;     /* gzip */
	int64_t now_ms;           /* wall */
};

/* RFC 8460 5.1: "submitter!domain!begin!end.json.gz", times in seconds, or
 * ".json" where it is not packed. */
int sp_tlsrpt_file_name(struct sp_str submitter, struct sp_str domain,
                        int64_t start_ms, int64_t end_ms, const char *extension,
                        struct sp_buf *out);

/* Appends the mail. 0, SP_ESYNTAX: a value can't stand in a header, or
 * SP_ELIMIT. */
int sp_tlsrpt_mail_write(const struct sp_tlsrpt_mail *mail, struct sp_buf *out);

#endif
