/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner is a machine over single bytes, so that the split of the
 * stream can't matter:
 *
 *   LINE_START --name byte--> NAME --blank--> BEFORE_COLON
 *       |  ^                   |                  |
 *       |  |                   +------ ':' -------+--> VALUE
 *       |  +-------------------------- LF -------------+  ^
 *       +-- blank, not in the first line (folding) -------+
 *       +-- CR --> END_CR --LF--> BODY
 *       +-- LF -----------------> BODY
 *   any other byte in LINE_START, NAME, BEFORE_COLON, END_CR ends the header
 *   where that line began (malformed): BODY
 *
 * A line that is no field ends the header, here as with those who read the
 * message later. Nobody can hide a Received field, or show one, by a line
 * that two readers take differently.
 *
 * Invariants: ended exactly in BODY; nothing found changes after that but
 * body_8bit and total_bytes; name holds min(name_len, NAME_MAX) bytes of the
 * current line's name; id holds id_len bytes, complete in ID_DONE.
 */

#include <string.h>

#include "base/ascii.h"
#include "base/err.h"
#include "base/time.h"
#include "wire/header.h"
#include "wire/utf8.h"

/* Scanning */

void sp_header_scan_init(struct sp_header_scan *scan)
{
	*scan = (struct sp_header_scan){0};
}

static bool is_8bit(char c)
{
	return (unsigned char)c >= 0x80;
}

/* ftext of RFC 5322 3.6.8. */
static bool is_name_byte(char c)
{
	return c > ' ' && c <= '~' && c != ':';
}

/* A value is complete only when the next line turns out not to continue it:
 * the scan may be asked in the middle of a header. */
static void close_field(struct sp_header_scan *s)
{
	size_t len = s->tls_len;

	if (!s->in_tls_required) {
		return;
	}
	s->in_tls_required = false;
	s->tls_required_count++;
	s->tls_required_no =
		len <= sizeof(s->tls) &&
		sp_str_eq_nocase(sp_str_trim(sp_str_slice(s->tls, len)),
	                         SP_STR("No"));
}

static void end_header(struct sp_header_scan *s, bool malformed, uint64_t at)
{
	close_field(s);
	s->state = SP_HEADER_BODY;
	s->ended = true;
	s->malformed = malformed;
	s->header_bytes = at;
}

static void begin_message_id(struct sp_header_scan *s)
{
	s->in_message_id = !s->has_message_id;
	s->has_message_id = true;
}

static void begin_value(struct sp_header_scan *s)
{
	struct sp_str name = sp_str_slice(s->name, s->name_len);

	s->state = SP_HEADER_VALUE;
	s->in_message_id = false;
	if (s->name_len > SP_HEADER_NAME_MAX) {
		return;
	}
	if (sp_str_eq_nocase(name, SP_STR("Received"))) {
		s->received_count++;
	} else if (sp_str_eq_nocase(name, SP_STR("Message-ID"))) {
		begin_message_id(s);
	} else if (sp_str_eq_nocase(name, SP_STR("From"))) {
		s->has_from = true;
	} else if (sp_str_eq_nocase(name, SP_STR("Date"))) {
		s->has_date = true;
	} else if (sp_str_eq_nocase(name, SP_STR("TLS-Required"))) {
		s->in_tls_required = true;
		s->tls_len = 0;
	}
}

static void add_name_byte(struct sp_header_scan *s, char c)
{
	s->state = SP_HEADER_NAME;
	if (s->name_len < SP_HEADER_NAME_MAX) {
		s->name[s->name_len] = c;
	}
	if (s->name_len <= SP_HEADER_NAME_MAX) {
		s->name_len++;
	}
}

/* A byte of the first Message-ID's value. What is not legal, or too long,
 * takes the whole id away. */
static void add_id_byte(struct sp_header_scan *s, char c)
{
	if (s->id_state == SP_HEADER_ID_DONE) {
		return;
	}
	if (s->id_state == SP_HEADER_ID_BEFORE && c != '<') {
		return;
	}
	if (!is_name_byte(c) && c != ':') {
		s->id_state = SP_HEADER_ID_DONE;
		s->id_len = 0;
		return;
	}
	if (s->id_len == sizeof(s->id)) {
		s->id_state = SP_HEADER_ID_DONE;
		s->id_len = 0;
		return;
	}
	s->id[s->id_len++] = c;
	s->id_state = c == '>' ? SP_HEADER_ID_DONE : SP_HEADER_ID_INSIDE;
}

/* Of blanks and line ends one in a row is kept, none at the start. */
static void add_tls_byte(struct sp_header_scan *s, char c)
{
	size_t len = s->tls_len;

	if (sp_ascii_is_blank(c) || c == '\r' || c == '\n') {
		c = ' ';
	}
	if (len > sizeof(s->tls) ||
	    (c == ' ' && (len == 0 || s->tls[len - 1] == ' '))) {
		return;
	}
	if (len < sizeof(s->tls)) {
		s->tls[len] = c;
	}
	s->tls_len++;
}

static void value_byte(struct sp_header_scan *s, char c)
{
	if (s->in_tls_required) {
		add_tls_byte(s, c);
	}
	if (s->in_message_id) {
		add_id_byte(s, c);
	}
	if (c == '\n') {
		s->state = SP_HEADER_LINE_START;
	}
}

static void line_start_byte(struct sp_header_scan *s, char c, uint64_t at)
{
	s->line_start = at;
	s->name_len = 0;
	if (!sp_ascii_is_blank(c)) {
		close_field(s);
	}
	if (sp_ascii_is_blank(c) && at > 0) {
		s->state = SP_HEADER_VALUE;
	} else if (c == '\r') {
		s->state = SP_HEADER_END_CR;
	} else if (c == '\n') {
		end_header(s, false, at + 1);
	} else if (is_name_byte(c)) {
		add_name_byte(s, c);
	} else {
		end_header(s, true, at);
	}
}

static void name_byte(struct sp_header_scan *s, char c)
{
	if (c == ':') {
		begin_value(s);
	} else if (sp_ascii_is_blank(c)) {
		s->state = SP_HEADER_BEFORE_COLON;
	} else if (is_name_byte(c) && s->state == SP_HEADER_NAME) {
		add_name_byte(s, c);
	} else {
		end_header(s, true, s->line_start);
	}
}

static void header_byte(struct sp_header_scan *s, char c, uint64_t at)
{
	switch (s->state) {
	case SP_HEADER_LINE_START:
		line_start_byte(s, c, at);
		break;
	case SP_HEADER_NAME:
	case SP_HEADER_BEFORE_COLON:
		name_byte(s, c);
		break;
	case SP_HEADER_VALUE:
		value_byte(s, c);
		break;
	case SP_HEADER_END_CR:
		if (c == '\n') {
			end_header(s, false, at + 1);
		} else {
			end_header(s, true, s->line_start);
		}
		break;
	case SP_HEADER_BODY:
		break;
	}
}

void sp_header_scan_feed(struct sp_header_scan *scan, struct sp_str piece)
{
	size_t i = 0;

	for (; i < piece.len && !scan->ended; i++) {
		header_byte(scan, piece.ptr[i], scan->total_bytes + i);
		if (is_8bit(piece.ptr[i]) && !scan->ended) {
			scan->header_8bit = true;
		}
	}
	/* The byte that showed the line to be no field is of the body. */
	if (i > 0 && scan->malformed && is_8bit(piece.ptr[i - 1])) {
		scan->body_8bit = true;
	}
	if (!scan->body_8bit) {
		scan->body_8bit =
			!sp_str_is_ascii(sp_str_sub(piece, i, piece.len));
	}
	scan->total_bytes += piece.len;
}

void sp_header_scan_finish(struct sp_header_scan *scan)
{
	bool whole = scan->state == SP_HEADER_LINE_START ||
	             scan->state == SP_HEADER_VALUE;

	if (!scan->ended) {
		end_header(scan, !whole,
		           whole ? scan->total_bytes : scan->line_start);
	}
}

struct sp_str sp_header_message_id(const struct sp_header_scan *scan)
{
	if (scan->id_state != SP_HEADER_ID_DONE) {
		return (struct sp_str){0};
	}
	return sp_str_slice(scan->id, scan->id_len);
}

bool sp_header_tls_optional(const struct sp_header_scan *scan)
{
	return scan->tls_required_count == 1 && scan->tls_required_no;
}

/* Writing */

/* Text of the client as part of a structured header: no blanks, no
 * parentheses, no controls; UTF-8 passes for SMTPUTF8 addresses. */
static void append_safe(struct sp_buf *out, struct sp_str s, bool utf8)
{
	while (s.len > 0) {
		char c = s.ptr[0];
		size_t len = is_8bit(c) && utf8 ? sp_utf8_len(s) : 0;

		if (len > 0) {
			(void)sp_buf_append(out, s.ptr, len);
		} else {
			bool safe = c > ' ' && c <= '~' && c != '(' &&
			            c != ')' && c != '\\';

			(void)sp_buf_append_char(out, safe ? c : '?');
			len = 1;
		}
		s = sp_str_sub(s, len, s.len);
	}
}

static void append_part(struct sp_buf *out, const char *before,
                        struct sp_str part, const char *after)
{
	if (part.len == 0) {
		return;
	}
	(void)sp_buf_append_cstr(out, before);
	append_safe(out, part, false);
	(void)sp_buf_append_cstr(out, after);
}

/* "(name [address])" of RFC 5321 4.4 TCP-info. */
static void append_tcp_info(struct sp_buf *out, const struct sp_received *r)
{
	bool ipv6 = sp_str_find(r->address, ':') < r->address.len;

	if (r->address.len == 0) {
		return;
	}
	(void)sp_buf_append_cstr(out, " (");
	append_part(out, "", r->rdns, " ");
	append_part(out, ipv6 ? "[IPv6:" : "[", r->address, "])");
}

/* A quoted local part may have blanks, parentheses and backslashes in their
 * right place; everything else that is no address was refused before. */
static void append_rcpt(struct sp_buf *out, struct sp_str rcpt)
{
	if (rcpt.len == 0) {
		return;
	}
	(void)sp_buf_append_cstr(out, "\r\n\tfor <");
	for (size_t i = 0; i < rcpt.len; i++) {
		char c = rcpt.ptr[i];
		(void)sp_buf_append_char(out, sp_ascii_tame(c));
	}
	(void)sp_buf_append_char(out, '>');
}

int sp_header_received(const struct sp_received *parts, struct sp_buf *out)
{
	size_t before = sp_buf_len(out);
	char date[SP_TIME_TEXT];

	sp_time_rfc5322(parts->received_ms, date);
	(void)sp_buf_append_cstr(out, "Received:");
	append_part(out, " from ", parts->helo, "");
	append_tcp_info(out, parts);
	append_part(out, "\r\n\tby ", parts->by, "");
	append_part(out, " with ", parts->with, "");
	if (parts->tls.len > 0) {
		(void)sp_buf_printf(out, "\r\n\t(" SP_STR_FMT ")",
		                    SP_STR_ARG(parts->tls));
	}
	append_part(out, "\r\n\tid ", parts->id, "");
	append_rcpt(out, parts->rcpt);
	(void)sp_buf_printf(out, ";\r\n\t%s\r\n", date);
	if (sp_buf_error(out) == 0) {
		return 0;
	}
	sp_buf_truncate(out, sp_buf_len(out) - before);
	return SP_ELIMIT;
}
