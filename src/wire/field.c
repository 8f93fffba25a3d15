/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields are cut at line ends that no blank follows. Of From only the first
 * mailbox is read, but that strictly: whose domain it is decides under which
 * key a message is signed, so what two readers could take differently (an
 * address in a display name, text behind an address) counts as unreadable.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/field.h"

/* ---- fields ---- */

/* Offset behind the line that begins at at; 0: its end is not there. */
static size_t line_end(struct sp_str s, size_t at)
{
	const char *lf =
		at < s.len ? memchr(s.ptr + at, '\n', s.len - at) : NULL;

	return lf ? (size_t)(lf - s.ptr) + 1 : 0;
}

static bool is_empty_line(struct sp_str line)
{
	return sp_str_eq(line, SP_STR("\n")) || sp_str_eq(line, SP_STR("\r\n"));
}

/* Offset behind the field that begins rest, with its folds; 0: more bytes
 * are needed to tell. */
static size_t field_end(struct sp_str rest, bool all)
{
	size_t end = line_end(rest, 0);

	while (end && end < rest.len && sp_ascii_is_blank(rest.ptr[end])) {
		end = line_end(rest, end);
	}
	if (all) {
		return end ? end : rest.len;
	}
	return end < rest.len ? end : 0; /* a fold may follow */
}

static struct sp_str without_line_end(struct sp_str s)
{
	if (s.len && s.ptr[s.len - 1] == '\n') {
		s.len--;
		s.len -= s.len && s.ptr[s.len - 1] == '\r';
	}
	return s;
}

/* RFC 5322 3.6.8; blanks before the colon are the obsolete syntax (4.5.8). */
static bool split(struct sp_str text, struct sp_header_field *out)
{
	size_t len = 0;
	size_t colon;

	while (len < text.len && text.ptr[len] > ' ' && text.ptr[len] <= '~' &&
	       text.ptr[len] != ':') {
		len++;
	}
	colon = len;
	while (colon < text.len && sp_ascii_is_blank(text.ptr[colon])) {
		colon++;
	}
	if (len == 0 || colon == text.len || text.ptr[colon] != ':') {
		return false;
	}
	*out = (struct sp_header_field){
		.name = sp_str_sub(text, 0, len),
		.value = sp_str_sub(text, colon + 1, text.len),
		.text = text,
	};
	return true;
}

enum sp_header_field_walk
sp_header_field_next(struct sp_str *rest, bool all,
                     struct sp_header_field *field_out)
{
	size_t first = line_end(*rest, 0);
	size_t end;

	if (first && is_empty_line(sp_str_sub(*rest, 0, first))) {
		*rest = sp_str_sub(*rest, first, rest->len);
		return SP_HEADER_FIELD_END;
	}
	if (rest->len == 0) {
		return all ? SP_HEADER_FIELD_END : SP_HEADER_FIELD_MORE;
	}
	end = field_end(*rest, all);
	if (end == 0) {
		return SP_HEADER_FIELD_MORE;
	}
	if (!split(without_line_end(sp_str_sub(*rest, 0, end)), field_out)) {
		return SP_HEADER_FIELD_BAD;
	}
	*rest = sp_str_sub(*rest, end, rest->len);
	return SP_HEADER_FIELD_FOUND;
}

/* ---- From ---- */

struct reader {
	struct sp_str s;
	size_t at;
};

static char peek(const struct reader *r)
{
	return r->at < r->s.len ? r->s.ptr[r->at] : '\0';
}

static bool ended(const struct reader *r)
{
	return r->at >= r->s.len;
}

/* Up to the end mark, over quoted pairs; nesting where open is not end. */
static bool skip_quoted(struct reader *r, char open, char end)
{
	size_t depth = 0;

	for (; !ended(r); r->at++) {
		char c = peek(r);

		if (c == '\\') {
			r->at++;
		} else if (c == open && (open != end || depth == 0)) {
			depth++;
		} else if (c == end && --depth == 0) {
			r->at++;
			return true;
		}
	}
	return false;
}

/* Blanks, folds and comments. */
static bool skip_cfws(struct reader *r)
{
	while (!ended(r)) {
		char c = peek(r);

		if (c == '(') {
			if (!skip_quoted(r, '(', ')')) {
				return false;
			}
		} else if (sp_ascii_is_blank(c) || c == '\r' || c == '\n') {
			r->at++;
		} else {
			break;
		}
	}
	return true;
}

static bool is_atom_byte(char c)
{
	return (unsigned char)c > 127 ||
	       (c > ' ' && c < 127 && !strchr("()<>[]:;@\\,.\"", c));
}

/* Words and dots: a display name, or a local part. */
static bool skip_words(struct reader *r)
{
	while (skip_cfws(r)) {
		if (peek(r) == '"') {
			if (!skip_quoted(r, '"', '"')) {
				return false;
			}
		} else if (is_atom_byte(peek(r)) || peek(r) == '.') {
			r->at++;
		} else {
			return true;
		}
	}
	return false;
}

/* Atoms with dots and, as of old, comments between (RFC 5322 4.4). */
static bool read_domain(struct reader *r, struct sp_arena *arena,
                        struct sp_str *domain_out)
{
	char text[SP_ADDRESS_DOMAIN_MAX];
	bool dot = true; /* an atom may follow */
	size_t len = 0;

	for (;;) {
		bool begins;

		if (!skip_cfws(r)) {
			return false;
		}
		begins = is_atom_byte(peek(r));

		if (begins ? !dot : peek(r) != '.' || dot) {
			break;
		}
		do {
			if (len == sizeof(text)) {
				return false;
			}
			text[len++] = peek(r);
			r->at++;
		} while (begins && is_atom_byte(peek(r)));
		dot = !begins;
	}
	return len && !dot &&
	       sp_domain_to_ascii(sp_str_slice(text, len), arena, domain_out) ==
	               0 &&
	       domain_out->len > 0;
}

/* "@a,@b:" before the address (RFC 5322 4.4). */
static bool skip_route(struct reader *r)
{
	size_t colon;

	if (!skip_cfws(r) || peek(r) != '@') {
		return skip_cfws(r);
	}
	colon = sp_str_find(sp_str_sub(r->s, r->at, r->s.len), ':');
	r->at += colon + 1;
	return !ended(r);
}

/* Behind the local part. */
static bool read_at_domain(struct reader *r, struct sp_arena *arena,
                           struct sp_str *domain_out)
{
	if (peek(r) != '@') {
		return false;
	}
	r->at++;
	return read_domain(r, arena, domain_out) && skip_cfws(r);
}

static bool read_angle(struct reader *r, struct sp_arena *arena,
                       struct sp_str *domain_out)
{
	r->at++;
	if (!skip_route(r) || !skip_words(r) ||
	    !read_at_domain(r, arena, domain_out) || peek(r) != '>') {
		return false;
	}
	r->at++;
	return skip_cfws(r);
}

/* A mailbox ends where the list, the group or the field ends. */
static bool at_mailbox_end(const struct reader *r)
{
	return ended(r) || peek(r) == ',' || peek(r) == ';';
}

static bool read_from(struct sp_str value, struct sp_arena *arena,
                      struct sp_str *domain_out)
{
	struct reader r = {value, 0};
	bool found;

	while (skip_words(&r) && (peek(&r) == ':' || peek(&r) == ',')) {
		r.at++; /* behind the name of a group, or an empty member */
	}
	found = peek(&r) == '<' ? read_angle(&r, arena, domain_out)
	                        : read_at_domain(&r, arena, domain_out);
	return found && at_mailbox_end(&r);
}

enum sp_from sp_from_domain(struct sp_str head, bool all,
                            struct sp_arena *arena, struct sp_str *domain_out)
{
	enum sp_header_field_walk walk;
	struct sp_str value = {0};
	struct sp_header_field field;
	unsigned count = 0;

	while ((walk = sp_header_field_next(&head, all, &field)) ==
	       SP_HEADER_FIELD_FOUND) {
		if (sp_str_eq_nocase(field.name, SP_STR("From"))) {
			value = field.value;
			count++;
		}
	}
	if (count > 1) {
		return SP_FROM_MANY;
	}
	if (walk != SP_HEADER_FIELD_END) {
		return walk == SP_HEADER_FIELD_MORE ? SP_FROM_MORE
		                                    : SP_FROM_BAD;
	}
	if (count == 0) {
		return SP_FROM_NONE;
	}
	return read_from(value, arena, domain_out) ? SP_FROM_FOUND
	                                           : SP_FROM_BAD;
}

const char *sp_from_text(enum sp_from from)
{
	static const char *const TEXTS[] = {
		[SP_FROM_FOUND] = "found",
		[SP_FROM_NONE] = "no From field",
		[SP_FROM_MANY] = "more than one From field",
		[SP_FROM_BAD] = "header or From field not readable",
		[SP_FROM_MORE] = "header too long",
	};

	return TEXTS[from];
}
