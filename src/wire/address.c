/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of RFC 5321 4.1.2 with UTF-8 from RFC 6531 3.3, read by small
 * functions that each take one part from the front of the text. Nothing is
 * re-interpreted: percent, bang and quoted at-signs stay what they are, part
 * of the local part. Wherever a path goes later (a reply, a log, a header, a
 * database), controls can't be in it, because none gets through here.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "base/ascii.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/utf8.h"

#define LABEL_MAX        63
#define ASCII_DOMAIN_MAX 253
#define U_LABELS_MAX     1024 /* UTF-8 text of a domain before conversion */
#define LITERAL_MAX      64
#define ATOM_SPECIAL     "!#$%&'*+-/=?^_`{|}~"
#define IPV6_TAG         "IPv6:"

static bool is_ascii(char c)
{
	return (unsigned char)c < 0x80;
}

static struct sp_str skip(struct sp_str s, size_t len)
{
	return sp_str_sub(s, len, s.len);
}

/* Parts of an address: each gives the length of what it takes from the front
 * of s, 0 where there is no such part. */

/* One character of an atom (RFC 5321 4.1.2 atext, RFC 6531 3.3). */
static size_t atext_len(struct sp_str s)
{
	if (s.len == 0) {
		return 0;
	}
	if (!is_ascii(s.ptr[0])) {
		return sp_utf8_len(s);
	}
	return sp_ascii_is_alnum(s.ptr[0]) ||
	                       (s.ptr[0] && strchr(ATOM_SPECIAL, s.ptr[0]))
	               ? 1
	               : 0;
}

static size_t atom_len(struct sp_str s)
{
	size_t len = 0;
	size_t one;

	while ((one = atext_len(skip(s, len))) > 0) {
		len += one;
	}
	return len;
}

/* Parts with single dots between them; 0: a part is missing. */
static size_t dotted_len(struct sp_str s, size_t part_len(struct sp_str))
{
	size_t len = part_len(s);

	while (len > 0 && len < s.len && s.ptr[len] == '.') {
		size_t part = part_len(skip(s, len + 1));

		if (part == 0) {
			return 0;
		}
		len += 1 + part;
	}
	return len;
}

/* One character between the quotes: as it is, after a backslash, or UTF-8. */
static size_t qcontent_len(struct sp_str s)
{
	if (s.len == 0 || s.ptr[0] == '"') {
		return 0;
	}
	if (s.ptr[0] == '\\') {
		return s.len > 1 && sp_ascii_is_print(s.ptr[1]) ? 2 : 0;
	}
	if (!is_ascii(s.ptr[0])) {
		return sp_utf8_len(s);
	}
	return sp_ascii_is_print(s.ptr[0]) ? 1 : 0;
}

static size_t quoted_string_len(struct sp_str s)
{
	size_t len = 1;
	size_t one;

	if (s.len == 0 || s.ptr[0] != '"') {
		return 0;
	}
	while ((one = qcontent_len(skip(s, len))) > 0) {
		len += one;
	}
	return len < s.len && s.ptr[len] == '"' ? len + 1 : 0;
}

/* A label: letters, digits, UTF-8, and between them hyphens. An underscore
 * is no host name but occurs, and DNS has no trouble with it. */
static size_t label_len(struct sp_str s)
{
	size_t len = 0;

	while (len < s.len) {
		char c = s.ptr[len];
		size_t one = is_ascii(c) ? sp_ascii_is_alnum(c) || c == '-' ||
		                                   c == '_'
		                         : sp_utf8_len(skip(s, len));

		if (one == 0) {
			break;
		}
		len += one;
	}
	if (len > 0 && (s.ptr[0] == '-' || s.ptr[len - 1] == '-')) {
		return 0;
	}
	return len;
}

static bool is_ip(struct sp_str text, int family)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char address[16];

	if (text.len == 0 || text.len >= sizeof(copy) ||
	    sp_str_find(text, '\0') < text.len) {
		return false;
	}
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return inet_pton(family, copy, address) == 1;
}

/* What stands between the brackets of an address literal. */
static bool is_literal_content(struct sp_str s)
{
	struct sp_str tag = SP_STR(IPV6_TAG);

	if (sp_str_starts_nocase(s, tag)) {
		return is_ip(skip(s, tag.len), AF_INET6);
	}
	return is_ip(s, AF_INET);
}

static size_t literal_len(struct sp_str s)
{
	size_t end = sp_str_find(sp_str_sub(s, 0, LITERAL_MAX), ']');

	if (s.len == 0 || s.ptr[0] != '[' || end >= s.len ||
	    end >= LITERAL_MAX ||
	    !is_literal_content(sp_str_sub(s, 1, end - 1))) {
		return 0;
	}
	return end + 1;
}

static size_t domain_len(struct sp_str s)
{
	if (s.len > 0 && s.ptr[0] == '[') {
		return literal_len(s);
	}
	return dotted_len(s, label_len);
}

/* Take local@domain from the front of text. */
static int take_mailbox(struct sp_str *text, struct sp_address *address_out)
{
	struct sp_address a = {0};
	size_t len = text->len > 0 && text->ptr[0] == '"'
	                     ? quoted_string_len(*text)
	                     : dotted_len(*text, atom_len);
	struct sp_str rest = skip(*text, len);

	if (len == 0 || rest.len == 0 || rest.ptr[0] != '@') {
		return SP_ESYNTAX;
	}
	a.local = sp_str_sub(*text, 0, len);
	rest = skip(rest, 1);
	len = domain_len(rest);
	if (len == 0) {
		return SP_ESYNTAX;
	}
	a.domain = sp_str_sub(rest, 0, len);
	if (a.local.len > SP_ADDRESS_LOCAL_MAX ||
	    a.domain.len > SP_ADDRESS_DOMAIN_MAX) {
		return SP_ELIMIT;
	}
	a.literal = a.domain.ptr[0] == '[';
	a.utf8 = !sp_str_is_ascii(a.local) || !sp_str_is_ascii(a.domain);
	*text = skip(rest, len);
	*address_out = a;
	return 0;
}

int sp_address_parse(struct sp_str text, struct sp_address *address_out)
{
	struct sp_address a;
	int err = take_mailbox(&text, &a);

	if (err) {
		return err;
	}
	if (text.len > 0) {
		return SP_ESYNTAX;
	}
	*address_out = a;
	return 0;
}

/* Drop "@a,@b:" (RFC 5321 4.1.2 A-d-l) from the front of text. */
static int drop_route(struct sp_str *text)
{
	struct sp_str rest = *text;
	char separator = ',';

	if (rest.len == 0 || rest.ptr[0] != '@') {
		return 0;
	}
	while (separator == ',') {
		size_t len;

		if (rest.len == 0 || rest.ptr[0] != '@') {
			return SP_ESYNTAX;
		}
		rest = skip(rest, 1);
		len = domain_len(rest);
		rest = skip(rest, len);
		if (len == 0 || rest.len == 0) {
			return SP_ESYNTAX;
		}
		separator = rest.ptr[0];
		rest = skip(rest, 1);
	}
	*text = rest;
	return separator == ':' ? 0 : SP_ESYNTAX;
}

/* What stands between the angle brackets, with the closing one. */
static int take_path(struct sp_str *text, bool bare_local,
                     struct sp_address *address_out)
{
	struct sp_str bare = SP_STR("postmaster");
	int err;

	if (text->len > 0 && text->ptr[0] == '>') {
		return 0;
	}
	if (bare_local && sp_str_starts_nocase(*text, SP_STR("postmaster>"))) {
		address_out->local = sp_str_sub(*text, 0, bare.len);
		*text = skip(*text, bare.len);
		return 0;
	}
	err = drop_route(text);
	return err ? err : take_mailbox(text, address_out);
}

int sp_address_path(struct sp_str text, bool bare_local,
                    struct sp_address *address_out, struct sp_str *rest_out)
{
	struct sp_address a = {0};
	int err;

	if (text.len == 0 || text.ptr[0] != '<') {
		return SP_ESYNTAX;
	}
	text = skip(text, 1);
	err = take_path(&text, bare_local, &a);
	if (err) {
		return err;
	}
	if (text.len == 0 || text.ptr[0] != '>') {
		return SP_ESYNTAX;
	}
	*address_out = a;
	*rest_out = skip(text, 1);
	return 0;
}

/* Domains */

bool sp_domain_is_literal(struct sp_str domain)
{
	if (domain.len > 0 && domain.ptr[0] == '[') {
		return literal_len(domain) == domain.len;
	}
	return is_ip(domain, AF_INET) || is_ip(domain, AF_INET6);
}

/* Sizes and characters of a domain in ASCII. */
static int check_ascii(struct sp_str domain)
{
	struct sp_str rest = domain;
	struct sp_str label;

	if (!sp_str_is_ascii(domain) || domain.len == 0 ||
	    dotted_len(domain, label_len) != domain.len) {
		return SP_ESYNTAX;
	}
	if (domain.len > ASCII_DOMAIN_MAX) {
		return SP_ELIMIT;
	}
	while (sp_str_cut(&rest, '.', &label)) {
		if (label.len > LABEL_MAX) {
			return SP_ELIMIT;
		}
	}
	return 0;
}

/* U-labels to A-labels by UTS 46, non-transitional: RFC 5891 5. */
static int convert(struct sp_str domain, struct sp_arena *arena,
                   struct sp_str *ascii_out)
{
	const char *text = sp_arena_cstr(arena, domain);
	uint8_t *ascii = NULL;
	int rc = idn2_lookup_u8((const uint8_t *)text, &ascii,
	                        IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

	if (rc == IDN2_MALLOC) {
		abort();
	}
	if (rc == IDN2_TOO_BIG_DOMAIN || rc == IDN2_TOO_BIG_LABEL) {
		return SP_ELIMIT;
	}
	if (rc != IDN2_OK) {
		return SP_ESYNTAX;
	}
	*ascii_out = sp_arena_str(arena, sp_str_from((const char *)ascii));
	idn2_free(ascii);
	return 0;
}

static struct sp_str lower(struct sp_str s, struct sp_arena *arena)
{
	char *copy = sp_arena_cstr(arena, s);

	for (size_t i = 0; i < s.len; i++) {
		copy[i] = sp_ascii_lower(copy[i]);
	}
	return sp_str_slice(copy, s.len);
}

static struct sp_str without_final_dot(struct sp_str s)
{
	if (s.len > 0 && s.ptr[s.len - 1] == '.') {
		s.len--;
	}
	return s;
}

int sp_domain_to_ascii(struct sp_str domain, struct sp_arena *arena,
                       struct sp_str *ascii_out)
{
	struct sp_str ascii;
	int err = 0;

	if (sp_domain_is_literal(domain)) {
		*ascii_out = sp_arena_str(arena, domain);
		return 0;
	}
	if (domain.len > U_LABELS_MAX) {
		return SP_ELIMIT;
	}
	if (sp_str_find(domain, '\0') < domain.len || !sp_utf8_valid(domain)) {
		return SP_ESYNTAX;
	}
	ascii = domain;
	if (!sp_str_is_ascii(domain)) {
		err = convert(domain, arena, &ascii);
	}
	ascii = without_final_dot(ascii);
	if (!err) {
		err = check_ascii(ascii);
	}
	if (!err) {
		*ascii_out = lower(ascii, arena);
	}
	return err;
}

/* xtext */

/* The character at the front of xtext, which is advanced; -1: not legal. */
static int take_xchar(struct sp_str *xtext)
{
	char c = xtext->ptr[0];
	int high;
	int low;

	if (c != '+') {
		*xtext = skip(*xtext, 1);
		return c > ' ' && c <= '~' && c != '=' ? c : -1;
	}
	if (xtext->len < 3) {
		return -1;
	}
	high = sp_ascii_hex(xtext->ptr[1]);
	low = sp_ascii_hex(xtext->ptr[2]);
	*xtext = skip(*xtext, 3);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

int sp_xtext_decode(struct sp_str xtext, struct sp_arena *arena, size_t max,
                    struct sp_str *text_out)
{
	char *out;
	size_t len = 0;

	if (xtext.len / 3 > max) {
		return SP_ELIMIT;
	}
	out = sp_arena_alloc(arena, xtext.len + 1);
	while (xtext.len > 0) {
		int c = take_xchar(&xtext);

		if (c <= 0 || c == '\r' || c == '\n') {
			return SP_ESYNTAX;
		}
		if (len == max) {
			return SP_ELIMIT;
		}
		out[len++] = (char)c;
	}
	*text_out = sp_str_slice(out, len);
	return 0;
}

struct sp_str sp_xtext_encode(struct sp_str text, struct sp_arena *arena)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = sp_arena_array(arena, text.len + 1, 3);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c > ' ' && c <= '~' && c != '+' && c != '=') {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '+';
		out[len++] = digits[c >> 4];
		out[len++] = digits[c & 15];
	}
	return sp_str_slice(out, len);
}

/* The character at the start of s, which has len bytes (sp_utf8_len). */
static unsigned code_point(struct sp_str s, size_t len)
{
	static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned c = (unsigned char)s.ptr[0] & lead[len];

	for (size_t i = 1; i < len; i++) {
		c = c << 6 | ((unsigned char)s.ptr[i] & 0x3f);
	}
	return c;
}

struct sp_str sp_utf8_addr_xtext(struct sp_str text, struct sp_arena *arena)
{
	/* a character of 2 bytes takes up to 7, one of 4 up to 10 */
	size_t cap = text.len * 4 + 1;
	char *out = sp_arena_alloc(arena, cap);
	size_t len = 0;

	while (text.len > 0) {
		size_t bytes = sp_utf8_len(text);

		if (bytes > 1) {
			len += (size_t)snprintf(out + len, cap - len, "\\x{%X}",
			                        code_point(text, bytes));
		} else { /* bytes that are no UTF-8 were refused before */
			out[len++] = bytes == 1 ? text.ptr[0] : '?';
			bytes = 1;
		}
		text = skip(text, bytes);
	}
	return sp_str_slice(out, len);
}

int sp_address_to_ascii(struct sp_str address, struct sp_arena *arena,
                        struct sp_str *ascii_out)
{
	struct sp_address parts;
	struct sp_str domain;
	int err;

	if (sp_str_is_ascii(address)) {
		*ascii_out = sp_arena_str(arena, address);
		return 0;
	}
	err = sp_address_parse(address, &parts);
	if (!err && !sp_str_is_ascii(parts.local)) {
		err = SP_EUNSUPPORTED;
	}
	if (!err) {
		err = sp_domain_to_ascii(parts.domain, arena, &domain);
	}
	if (!err) {
		*ascii_out = sp_str_from(sp_arena_printf(
			arena, SP_STR_FMT "@" SP_STR_FMT,
			SP_STR_ARG(parts.local), SP_STR_ARG(domain)));
	}
	return err;
}
