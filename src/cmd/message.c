/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of a local message, as sendmail(8) treats it (RFC 5322 2.2 and
 * 3.4). The address list is read for its addresses only; what is no address
 * is found out by the server, which is told it as it stands.
 */
#include <string.h>

#include "base/ascii.h"
#include "cmd/message.h"
#include "wire/header.h"

#define ADDRESS_MAX 1024

/* ---- lines and fields ---- */

/* One line with its end; empty at the end of the text. */
static struct sp_str next_line(struct sp_str *text)
{
	size_t len = sp_str_find(*text, '\n');
	struct sp_str line =
		sp_str_sub(*text, 0, len + (len < text->len ? 1 : 0));

	*text = sp_str_sub(*text, line.len, text->len);
	return line;
}

static bool is_empty_line(struct sp_str line)
{
	return sp_str_eq(line, SP_STR("\n")) || sp_str_eq(line, SP_STR("\r\n"));
}

static bool is_folded(struct sp_str text)
{
	return text.len && sp_ascii_is_blank(text.ptr[0]);
}

/* One field of the header with its folded lines; empty at its end. */
static struct sp_str next_field(struct sp_str *text)
{
	struct sp_str rest = *text;
	struct sp_str line = next_line(&rest);
	size_t len = line.len;

	if (is_empty_line(line) || sp_str_find(line, ':') == line.len) {
		return (struct sp_str){0};
	}
	while (is_folded(rest)) {
		len += next_line(&rest).len;
	}
	line = sp_str_sub(*text, 0, len);
	*text = rest;
	return line;
}

static bool field_is(struct sp_str field, const char *name)
{
	struct sp_str head = sp_str_sub(field, 0, sp_str_find(field, ':'));

	return sp_str_eq_nocase(sp_str_trim(head), sp_str_from(name));
}

/* ---- completing ---- */

static int append_from(struct sp_str sender, struct sp_str name,
                       struct sp_buf *out)
{
	(void)sp_buf_append_cstr(out, "From: ");
	if (name.len) {
		(void)sp_buf_append_char(out, '"');
		for (size_t i = 0; i < name.len; i++) {
			char c = name.ptr[i];

			if (c == '"' || c == '\\') {
				(void)sp_buf_append_char(out, '\\');
			}
			(void)sp_buf_append_char(
				out, (unsigned char)c < 0x20 ? ' ' : c);
		}
		(void)sp_buf_append_cstr(out, "\" ");
	}
	(void)sp_buf_append_char(out, '<');
	(void)sp_buf_append_str(out, sender);
	return sp_buf_append_cstr(out, ">\n");
}

int sp_message_complete(struct sp_str in, struct sp_str sender,
                        struct sp_str name, struct sp_buf *out)
{
	struct sp_header_scan scan;
	size_t header;

	if (sp_str_starts_nocase(in, SP_STR("From ")) &&
	    sp_str_find(next_line(&(struct sp_str){in.ptr, in.len}), ':') > 4) {
		(void)next_line(&in);
	}
	sp_header_scan_init(&scan);
	sp_header_scan_feed(&scan, in);
	sp_header_scan_finish(&scan);
	if (!scan.has_from && sender.len) {
		(void)append_from(sender, name, out);
	}
	header = scan.malformed ? (size_t)scan.header_bytes : in.len;
	(void)sp_buf_append_str(out, sp_str_sub(in, 0, header));
	if (scan.malformed) {
		(void)sp_buf_append_char(out, '\n');
	}
	(void)sp_buf_append_str(out, sp_str_sub(in, header, in.len));
	return sp_buf_error(out);
}

struct sp_str sp_message_until_dot(struct sp_str in)
{
	struct sp_str rest = in;

	while (rest.len) {
		size_t before = in.len - rest.len;
		struct sp_str line = next_line(&rest);

		if (sp_str_eq(line, SP_STR(".\n")) ||
		    sp_str_eq(line, SP_STR(".\r\n")) ||
		    sp_str_eq(line, SP_STR("."))) {
			return sp_str_sub(in, 0, before);
		}
	}
	return in;
}

bool sp_message_is_8bit(struct sp_str message)
{
	for (size_t i = 0; i < message.len; i++) {
		if ((unsigned char)message.ptr[i] > 127) {
			return true;
		}
	}
	return false;
}

/* ---- address lists ---- */

struct list {
	struct sp_str rest;
	char text[ADDRESS_MAX]; /* the address so far */
	size_t len;
	bool too_long;
	bool blank; /* behind the address so far */
	bool in_angle;
	bool had_angle; /* the address of this one is out already */
	size_t count;
	void (*fn)(void *arg, struct sp_str address);
	void *arg;
};

/* Blanks around the dots and the @ mean nothing (RFC 5322 4.4); elsewhere they
 * stay, so that two words are not glued into an address. */
static bool parts_words(const struct list *l, char next)
{
	char last = l->len ? l->text[l->len - 1] : '@';

	return last != '@' && last != '.' && next != '@' && next != '.';
}

static void keep(struct list *l, char c)
{
	if (l->blank) {
		l->blank = false;
		if (parts_words(l, c)) {
			keep(l, ' ');
		}
	}
	if (l->len < sizeof(l->text)) {
		l->text[l->len++] = c;
	} else {
		l->too_long = true;
	}
}

static void emit(struct list *l)
{
	if (l->len && !l->too_long) {
		l->fn(l->arg, sp_str_slice(l->text, l->len));
		l->count++;
	}
	l->len = 0;
	l->too_long = false;
	l->blank = false;
}

static char take(struct list *l)
{
	char c = l->rest.ptr[0];

	l->rest = sp_str_sub(l->rest, 1, l->rest.len);
	return c;
}

/* "(...)", nested and with quoted pairs: dropped. */
static void skip_comment(struct list *l)
{
	size_t depth = 1;

	while (depth && l->rest.len) {
		char c = take(l);

		if (c == '\\' && l->rest.len) {
			(void)take(l);
		} else if (c == '(') {
			depth++;
		} else if (c == ')') {
			depth--;
		}
	}
}

/* "..." or [...]: kept with its marks up to the closing one. */
static void keep_until(struct list *l, char open, char close)
{
	keep(l, open);
	while (l->rest.len) {
		char c = take(l);

		keep(l, c);
		if (c == '\\' && l->rest.len) {
			keep(l, take(l));
		} else if (c == close) {
			return;
		}
	}
}

/* The end of one element of the list. */
static void separate(struct list *l)
{
	if (!l->had_angle) {
		emit(l);
	}
	l->len = 0;
	l->in_angle = false;
	l->had_angle = false;
	l->too_long = false;
}

static void step(struct list *l, char c)
{
	switch (c) {
	case '(':
		skip_comment(l);
		break;
	case '"':
		keep_until(l, '"', '"');
		break;
	case '[':
		keep_until(l, '[', ']');
		break;
	case '<': /* what came before was a display name */
		l->len = 0;
		l->too_long = false;
		l->in_angle = true;
		break;
	case '>':
		emit(l);
		l->in_angle = false;
		l->had_angle = true;
		break;
	case ':': /* of a group, or of a source route */
		l->len = 0;
		break;
	case ',':
	case ';':
		if (l->in_angle) { /* in a source route */
			l->len = 0;
		} else {
			separate(l);
		}
		break;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		l->blank = true;
		break;
	default:
		keep(l, c);
	}
}

size_t sp_message_addresses(struct sp_str list,
                            void (*fn)(void *arg, struct sp_str address),
                            void *arg)
{
	struct list l = {.rest = list, .fn = fn, .arg = arg};

	while (l.rest.len) {
		step(&l, take(&l));
	}
	separate(&l);
	return l.count;
}

size_t sp_message_recipients(struct sp_str message,
                             void (*fn)(void *arg, struct sp_str address),
                             void *arg)
{
	struct sp_str rest = message;
	struct sp_str field;
	size_t count = 0;

	while ((field = next_field(&rest)).len) {
		if (field_is(field, "To") || field_is(field, "Cc") ||
		    field_is(field, "Bcc")) {
			size_t colon = sp_str_find(field, ':');

			count += sp_message_addresses(
				sp_str_sub(field, colon + 1, field.len), fn,
				arg);
		}
	}
	return count;
}

int sp_message_drop_bcc(struct sp_str in, struct sp_buf *out)
{
	struct sp_str field;

	while ((field = next_field(&in)).len) {
		if (!field_is(field, "Bcc")) {
			(void)sp_buf_append_str(out, field);
		}
	}
	return sp_buf_append_str(out, in);
}
