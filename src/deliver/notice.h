/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_NOTICE_H
#define SP_DELIVER_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/json.h"

/*
 * The part of a report that is for people: plain text with placeholders, one
 * for each kind of report, built in and replaceable by the operator. The queue
 * writes its reports with it, and the analyzer shows what a sender would be
 * told.
 *
 * A template may begin with "Subject: " and a line. {name} is replaced; the
 * lines from {each} to {end}, both alone on a line, are repeated for each
 * group of recipients that share an outcome; "{{" is a brace. A line is left
 * out when all its placeholders are empty and nothing else is in it.
 * sealpost.conf(5) lists the names.
 */

#define SP_NOTICE_BYTES_MAX (64u * 1024) /* of a template */

enum sp_notice_kind {
	SP_NOTICE_FAILED,
	SP_NOTICE_RELAYED,
	SP_NOTICE_DELAYED,
	SP_NOTICE_KINDS,
};

struct sp_notices {
	char *text[SP_NOTICE_KINDS]; /* owned; null: the built-in one */
};

/* Reads failed.txt, delayed.txt and delivered.txt as far as they are in the
 * directory ("": none is looked for). 0, or SP_ECONFIG or a negated errno
 * with one line in why_out; out is as it was then. */
int sp_notices_load(const char *directory, struct sp_notices *notices,
                    char *why_out, size_t why_cap);
void sp_notices_fini(struct sp_notices *notices);

/* A recipient and its outcome. Borrowed. */
struct sp_notice_rcpt {
	struct sp_str address, domain;
	struct sp_str code, cause, reply; /* of the last outcome */
	unsigned attempts;
	int64_t expires_ms; /* wall, all of them */
	/* The last attempt; 0 and empty where there was none. */
	int64_t attempt_ms;
	struct sp_str attempt_reply;
	struct sp_str host, host_address;
};

/* Recipients with the same outcome. */
struct sp_notice_group {
	const struct sp_notice_rcpt **rcpts; /* at least one */
	size_t count;
	const struct sp_json *detail; /* of the last attempt; or null */
	/* The try of that attempt that speaks for the outcome; or null. */
	const struct sp_json *try;
};

struct sp_notice {
	const char *hostname, *postmaster;
	enum sp_notice_kind kind;
	struct sp_str id; /* of the message in the queue */
	struct sp_str sender, message_id;
	int64_t received_ms;
	const struct sp_notice_group *groups;
	size_t group_count;
};

/* The last try in the detail with the outcome's scenario; a delivery has
 * none, and the try that made it neither. */
const struct sp_json *sp_notice_find_try(const struct sp_json *detail,
                                         struct sp_str cause);

/* Appends the text; the subject lives in the template. */
void sp_notice_write(const struct sp_notices *notices,
                     const struct sp_notice *notice, struct sp_str *subject_out,
                     struct sp_buf *out);

/* notice_evidence.c: lines of what the attempt saw; printable ASCII. */
void sp_notice_evidence(const struct sp_notice_group *group,
                        struct sp_buf *out);
/* One line of printable ASCII, cut where it is endless. */
void sp_notice_clean(struct sp_buf *out, struct sp_str text);

#endif
