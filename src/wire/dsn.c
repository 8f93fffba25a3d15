/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two things are kept apart here. What is a line of ours (header, status
 * field) takes its values through append_value, which lets nothing pass that
 * could end the line. What is a body (text, original) is measured first and
 * then written in the encoding it fits: as it is, or quoted-printable, where
 * "=" is always followed by a hex digit or a line's end. The boundary begins
 * with "=_" for that reason, and with no field's name.
 *
 * RFC 3464 wants message/delivery-status in plain 7 bits; RFC 6533 3 allows
 * its UTF-8 form to be encoded. message/rfc822 must not be encoded (RFC 2046
 * 5.2.1), and a report that its reader's server can't take is lost: nobody is
 * told of the failure of a report. So a report never needs 8BITMIME: of an
 * original with an 8-bit body only the header goes back, as RFC 3461 4.3
 * allows. One with a UTF-8 header is message/global, which may be encoded (RFC
 * 6532 3.7), and goes whole; and a report to an address beyond ASCII needs
 * SMTPUTF8 and has 8BITMIME with it.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/err.h"
#include "base/time.h"
#include "wire/dsn.h"
#include "wire/header.h"
#include "wire/utf8.h"

#define LINE_MAX     998 /* RFC 5322 2.1.1 */
#define FOLD_AT      76
#define QP_LINE      76 /* RFC 2045 6.7 */
#define BOUNDARY_MAX 32

struct writer {
	const struct sp_dsn *dsn;
	struct sp_buf *out;
	char boundary[BOUNDARY_MAX];
};

const char *sp_dsn_action_name(enum sp_dsn_action action)
{
	static const char *const names[] = {
		[SP_DSN_FAILED] = "failed",       [SP_DSN_DELAYED] = "delayed",
		[SP_DSN_DELIVERED] = "delivered", [SP_DSN_RELAYED] = "relayed",
		[SP_DSN_EXPANDED] = "expanded",
	};

	return names[action];
}

/* ---- what bytes there are ---- */

static bool is_8bit(char c)
{
	return (unsigned char)c > 127;
}

/* Whether it may stand in a message without an encoding. */
static bool fits_lines(struct sp_str s)
{
	size_t line = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool ends = c == '\r' && i + 1 < s.len && s.ptr[i + 1] == '\n';

		if (c == '\0' || (c == '\r' && !ends)) {
			return false;
		}
		line = c == '\n' ? 0 : line + (c != '\r');
		if (line > LINE_MAX) {
			return false;
		}
	}
	return true;
}

/* ---- lines of ours ---- */

/* At most SP_DSN_VALUE_MAX bytes, each printable ASCII, or with utf8 part of
 * a UTF-8 character. Blanks around it go. */
static void append_value(struct sp_buf *out, struct sp_str s, bool utf8)
{
	size_t left = SP_DSN_VALUE_MAX;

	s = sp_str_trim(s);
	while (s.len > 0 && left > 0) {
		char c = s.ptr[0];
		size_t len = utf8 && is_8bit(c) ? sp_utf8_len(s) : 0;

		if (len > left) {
			break;
		}
		if (len > 0) {
			(void)sp_buf_append(out, s.ptr, len);
		} else {
			bool safe = c >= ' ' && c <= '~';

			(void)sp_buf_append_char(out, safe ? c : '?');
			len = 1;
		}
		left -= len;
		s = sp_str_sub(s, len, s.len);
	}
}

static void put_field(struct sp_buf *out, const char *name, struct sp_str value,
                      bool utf8)
{
	if (value.len > 0) {
		(void)sp_buf_append_cstr(out, name);
		append_value(out, value, utf8);
		(void)sp_buf_append_cstr(out, "\r\n");
	}
}

static void put_time(struct sp_buf *out, const char *name, int64_t time_ms)
{
	char text[SP_TIME_TEXT];

	if (time_ms > 0) {
		sp_time_rfc5322(time_ms, text);
		(void)sp_buf_printf(out, "%s%s\r\n", name, text);
	}
}

/* Words go to a line of their own where the one before is full. */
static void put_folded(struct sp_buf *out, const char *name,
                       struct sp_str value)
{
	struct sp_str rest = sp_str_sub(value, 0, SP_DSN_VALUE_MAX);
	struct sp_str word;
	size_t column = strlen(name);

	(void)sp_buf_append_cstr(out, name);
	while (sp_str_cut(&rest, ' ', &word)) {
		word = sp_str_trim(word);
		if (word.len == 0) {
			continue;
		}
		if (column + 1 + word.len > FOLD_AT) {
			(void)sp_buf_append_cstr(out, "\r\n");
			column = 0;
		}
		(void)sp_buf_append_char(out, ' ');
		append_value(out, word, false);
		column += 1 + word.len;
	}
	(void)sp_buf_append_cstr(out, "\r\n");
}

/* One Q-encoded word for so many characters as a line takes (RFC 2047). */
static void append_encoded(struct sp_buf *out, struct sp_str text)
{
	static const char LEAD[] = "=?utf-8?q?";
	const size_t room = FOLD_AT - 10 - (sizeof(LEAD) - 1) - 2;
	size_t used = 0;

	(void)sp_buf_append_cstr(out, LEAD);
	while (text.len > 0) {
		size_t len = sp_utf8_len(text);

		len = len ? len : 1;
		if (used + 3 * len > room) {
			(void)sp_buf_printf(out, "?=\r\n %s", LEAD);
			used = 0;
		}
		for (size_t i = 0; i < len; i++) {
			unsigned char c = (unsigned char)text.ptr[i];
			bool plain = sp_ascii_is_alnum(text.ptr[i]);

			(void)sp_buf_printf(out, plain ? "%c" : "=%02X", c);
			used += plain ? 1 : 3;
		}
		text = sp_str_sub(text, len, text.len);
	}
	(void)sp_buf_append_cstr(out, "?=");
}

static void put_subject(struct sp_buf *out, struct sp_str subject)
{
	subject = sp_str_sub(sp_str_trim(subject), 0, 200);
	if (!sp_str_is_ascii(subject) && sp_utf8_valid(subject)) {
		(void)sp_buf_append_cstr(out, "Subject: ");
		append_encoded(out, subject);
		(void)sp_buf_append_cstr(out, "\r\n");
	} else {
		put_folded(out, "Subject:", subject);
	}
}

/* ---- bodies ---- */

/* A line's content without its end; false at the end of the text. */
static bool next_line(struct sp_str *text, struct sp_str *line_out)
{
	if (!sp_str_cut(text, '\n', line_out)) {
		return false;
	}
	if (line_out->len > 0 && line_out->ptr[line_out->len - 1] == '\r') {
		line_out->len--;
	}
	return true;
}

static void put_plain(struct sp_buf *out, struct sp_str text)
{
	struct sp_str line;

	while (next_line(&text, &line)) {
		(void)sp_buf_append_str(out, line);
		(void)sp_buf_append_cstr(out, "\r\n");
	}
}

static void put_quoted_line(struct sp_buf *out, struct sp_str line)
{
	size_t column = 0;

	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];
		bool last = i + 1 == line.len;
		bool blank = c == ' ' || c == '\t';
		bool plain =
			(c > ' ' && c <= '~' && c != '=') || (blank && !last);
		size_t len = plain ? 1 : 3;

		if (column + len > QP_LINE - (last ? 0 : 1)) {
			(void)sp_buf_append_cstr(out, "=\r\n");
			column = 0;
		}
		(void)sp_buf_printf(out, plain ? "%c" : "=%02X", c);
		column += len;
	}
	(void)sp_buf_append_cstr(out, "\r\n");
}

static void put_quoted(struct sp_buf *out, struct sp_str text)
{
	struct sp_str line;

	while (next_line(&text, &line)) {
		put_quoted_line(out, line);
	}
}

static void begin_part(struct writer *w, const char *type, const char *encoding)
{
	(void)sp_buf_printf(w->out,
	                    "\r\n--%s\r\nContent-Type: %s\r\n"
	                    "Content-Transfer-Encoding: %s\r\n\r\n",
	                    w->boundary, type, encoding);
}

static void put_encoded(struct writer *w, const char *type, struct sp_str text,
                        bool plain)
{
	begin_part(w, type, plain ? "7bit" : "quoted-printable");
	if (plain) {
		put_plain(w->out, text);
	} else {
		put_quoted(w->out, text);
	}
}

/* ---- the parts ---- */

static void put_text(struct writer *w)
{
	struct sp_str text = sp_str_sub(w->dsn->text, 0, SP_DSN_TEXT_MAX);
	bool plain = sp_str_is_ascii(text) && fits_lines(text);

	put_encoded(w, "text/plain; charset=utf-8", text, plain);
}

static bool is_status(struct sp_str s)
{
	struct sp_str part;
	uint64_t number;
	size_t parts = 0;

	for (; s.len > 0 && parts < 4; parts++) {
		(void)sp_str_cut(&s, '.', &part);
		if (part.len == 0 || part.len > 3 ||
		    sp_str_u64(part, 999, &number) ||
		    (parts == 0 && number != 2 && number != 4 && number != 5)) {
			return false;
		}
	}
	return parts == 3;
}

static struct sp_str status_of(const struct sp_dsn_rcpt *r)
{
	static const char *const plain[] = {
		[SP_DSN_FAILED] = "5.0.0",    [SP_DSN_DELAYED] = "4.0.0",
		[SP_DSN_DELIVERED] = "2.0.0", [SP_DSN_RELAYED] = "2.0.0",
		[SP_DSN_EXPANDED] = "2.0.0",
	};

	return is_status(r->status) ? r->status : sp_str_from(plain[r->action]);
}

/* "type;address" to "type; address"; a type that is no atom, no field. */
static void put_orcpt(struct sp_buf *out, struct sp_str orcpt, bool utf8)
{
	struct sp_str type;

	if (!sp_str_cut(&orcpt, ';', &type) || type.len == 0 || !orcpt.len) {
		return;
	}
	for (size_t i = 0; i < type.len; i++) {
		char c = type.ptr[i];

		if (!sp_ascii_is_graph(c) || strchr("()<>@,;:\\\"/[]?=.", c)) {
			return;
		}
	}
	(void)sp_buf_append_cstr(out, "Original-Recipient: ");
	append_value(out, type, false);
	(void)sp_buf_append_cstr(out, "; ");
	append_value(out, orcpt, utf8);
	(void)sp_buf_append_cstr(out, "\r\n");
}

static void put_rcpt(struct sp_buf *out, const struct sp_dsn_rcpt *r, bool utf8)
{
	static const char *const diagnostics[] = {
		[SP_DSN_NO_DIAGNOSTIC] = NULL,
		[SP_DSN_SEALPOST] = "Diagnostic-Code: x-sealpost;",
		[SP_DSN_SMTP] = "Diagnostic-Code: smtp;",
	};
	const char *diagnostic = diagnostics[r->diagnostic_type];

	(void)sp_buf_append_cstr(out, "\r\n");
	put_orcpt(out, r->orcpt, utf8);
	put_field(out,
	          utf8 && !sp_str_is_ascii(r->address)
	                  ? "Final-Recipient: utf-8; "
	                  : "Final-Recipient: rfc822; ",
	          r->address, utf8);
	(void)sp_buf_printf(out, "Action: %s\r\n",
	                    sp_dsn_action_name(r->action));
	put_field(out, "Status: ", status_of(r), false);
	put_field(out, "Remote-MTA: dns; ", r->remote_mta, false);
	if (diagnostic && r->diagnostic.len > 0) {
		put_folded(out, diagnostic, r->diagnostic);
	}
	put_time(out, "Last-Attempt-Date: ", r->last_attempt_ms);
	put_time(out, "Will-Retry-Until: ", r->retry_until_ms);
}

static void put_status_fields(const struct sp_dsn *d, struct sp_buf *out,
                              bool utf8)
{
	put_field(out, "Original-Envelope-Id: ", d->envid, utf8);
	put_field(out, "Reporting-MTA: dns; ", d->hostname, false);
	put_time(out, "Arrival-Date: ", d->arrival_ms);
	put_field(out, "X-Sealpost-Queue-Id: ", d->original_id, false);
	for (size_t i = 0; i < d->rcpt_count; i++) {
		put_rcpt(out, &d->rcpts[i], utf8);
	}
}

static void put_status(struct writer *w)
{
	const struct sp_dsn *d = w->dsn;
	bool utf8 = false;
	struct sp_buf fields;

	for (size_t i = 0; i < d->rcpt_count; i++) {
		utf8 = utf8 || !sp_str_is_ascii(d->rcpts[i].address) ||
		       !sp_str_is_ascii(d->rcpts[i].orcpt);
	}
	if (!utf8) {
		begin_part(w, "message/delivery-status", "7bit");
		put_status_fields(d, w->out, false);
		return;
	}
	sp_buf_init(&fields, sp_buf_room(w->out));
	put_status_fields(d, &fields, true);
	put_encoded(w, "message/global-delivery-status", sp_buf_str(&fields),
	            false);
	if (sp_buf_error(&fields)) { /* then it doesn't fit out either */
		w->out->failed = true;
	}
	sp_buf_fini(&fields);
}

/* The header with the empty line behind it, cut at the end of a line. */
static struct sp_str header_of(struct sp_str original)
{
	struct sp_header_scan scan;
	struct sp_str header;

	sp_header_scan_init(&scan);
	sp_header_scan_feed(&scan, original);
	sp_header_scan_finish(&scan);
	header = sp_str_sub(original, 0, (size_t)scan.header_bytes);
	if (header.len > SP_DSN_HEADER_MAX) {
		header.len = SP_DSN_HEADER_MAX;
		while (header.len > 0 && header.ptr[header.len - 1] != '\n') {
			header.len--;
		}
	}
	return header;
}

static void put_header(struct writer *w, struct sp_str header)
{
	bool eight = !sp_str_is_ascii(header);
	bool global = eight && sp_utf8_valid(header);

	put_encoded(w,
	            global ? "message/global-headers" : "text/rfc822-headers",
	            header, !eight && fits_lines(header));
}

static bool is_global(struct sp_str original)
{
	struct sp_str header = header_of(original);

	return !sp_str_is_ascii(header) && sp_utf8_valid(header);
}

static void put_original(struct writer *w, const struct sp_dsn_result *result)
{
	struct sp_str original = w->dsn->original;
	bool global = is_global(original);

	if (result->whole && global && !result->body_8bit) {
		put_encoded(w, "message/global", original, false);
	} else if (result->whole) {
		begin_part(w, global ? "message/global" : "message/rfc822",
		           result->body_8bit ? "8bit" : "7bit");
		put_plain(w->out, original);
	} else if (header_of(original).len > 0) {
		put_header(w, header_of(original));
	}
}

static void choose_shape(const struct sp_dsn *d, struct sp_dsn_result *result)
{
	bool eight = !sp_str_is_ascii(d->original);

	result->smtputf8 = !sp_str_is_ascii(d->to) && sp_utf8_valid(d->to);
	result->whole = d->whole && d->original.len > 0 &&
	                fits_lines(d->original) &&
	                (!eight || result->smtputf8 || is_global(d->original));
	result->body_8bit = result->whole && eight && result->smtputf8;
}

/* ---- the whole ---- */

static bool occurs(const char *needle, struct sp_str hay)
{
	return hay.len > 0 && memmem(hay.ptr, hay.len, needle, strlen(needle));
}

static void choose_boundary(struct writer *w)
{
	uint64_t seed = w->dsn->seed;

	do {
		struct sp_buf text;

		sp_buf_init(&text, sizeof(w->boundary) - 1);
		(void)sp_buf_printf(&text, "=_sealpost_%016llx",
		                    (unsigned long long)seed++);
		memcpy(w->boundary, sp_buf_str(&text).ptr, sp_buf_len(&text));
		w->boundary[sp_buf_len(&text)] = '\0';
		sp_buf_fini(&text);
	} while (occurs(w->boundary, w->dsn->original) ||
	         occurs(w->boundary, w->dsn->text));
}

static bool is_message_id(struct sp_str s)
{
	if (s.len < 3 || s.len > SP_DSN_VALUE_MAX || s.ptr[0] != '<' ||
	    s.ptr[s.len - 1] != '>') {
		return false;
	}
	return sp_str_all(s, sp_ascii_is_graph);
}

static void put_address(struct sp_buf *out, const char *name,
                        struct sp_str address, bool utf8)
{
	(void)sp_buf_append_cstr(out, name);
	append_value(out, address, utf8);
	(void)sp_buf_append_cstr(out, ">\r\n");
}

static void put_from(const struct sp_dsn *d, struct sp_buf *out)
{
	static const char name[] = "From: Mail Delivery System <";

	if (d->from.len > 0) {
		put_address(out, name, d->from, false);
	} else {
		(void)sp_buf_append_cstr(out, name);
		put_address(out, "MAILER-DAEMON@", d->hostname, false);
	}
}

static void put_report_header(struct writer *w,
                              const struct sp_dsn_result *result)
{
	const struct sp_dsn *d = w->dsn;
	struct sp_buf *out = w->out;

	put_time(out, "Date: ", d->now_ms);
	put_from(d, out);
	put_address(out, "To: <", d->to, result->smtputf8);
	put_subject(out, d->subject);
	(void)sp_buf_append_cstr(out, "Message-ID: <");
	append_value(out, d->id, false);
	put_address(out, "@", d->hostname, false);
	if (is_message_id(d->message_id)) {
		put_field(out, "In-Reply-To: ", d->message_id, false);
		put_field(out, "References: ", d->message_id, false);
	}
	(void)sp_buf_printf(
		out,
		"Auto-Submitted: auto-replied\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Transfer-Encoding: %s\r\n"
		"Content-Type: multipart/report; "
		"report-type=delivery-status;\r\n"
		" boundary=\"%s\"\r\n\r\n"
		"This is a report on the delivery of a message, in the form of "
		"RFC 3464.\r\n",
		result->body_8bit ? "8bit" : "7bit", w->boundary);
}

int sp_dsn_write(const struct sp_dsn *dsn, struct sp_buf *out,
                 struct sp_dsn_result *result_out)
{
	struct writer w = {.dsn = dsn, .out = out};
	size_t before = sp_buf_len(out);

	choose_shape(dsn, result_out);
	choose_boundary(&w);
	put_report_header(&w, result_out);
	put_text(&w);
	put_status(&w);
	put_original(&w, result_out);
	(void)sp_buf_printf(out, "\r\n--%s--\r\n", w.boundary);
	if (sp_buf_error(out) == 0) {
		return 0;
	}
	sp_buf_truncate(out, sp_buf_len(out) - before);
	return SP_ELIMIT;
}
