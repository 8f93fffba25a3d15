/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices of network text. Nothing here reads behind the length and nothing
 * consults the locale: a Turkish locale must not change what "QUIT" is.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/str.h"

struct sp_str sp_str_from(const char *cstr)
{
	return (struct sp_str){cstr, cstr ? strlen(cstr) : 0};
}

struct sp_str sp_str_slice(const void *ptr, size_t len)
{
	return (struct sp_str){ptr, len};
}

bool sp_str_eq(struct sp_str a, struct sp_str b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

bool sp_str_eq_nocase(struct sp_str a, struct sp_str b)
{
	return a.len == b.len && sp_str_starts_nocase(a, b);
}

bool sp_str_starts_nocase(struct sp_str s, struct sp_str prefix)
{
	if (s.len < prefix.len) {
		return false;
	}
	for (size_t i = 0; i < prefix.len; i++) {
		if (sp_ascii_lower(s.ptr[i]) != sp_ascii_lower(prefix.ptr[i])) {
			return false;
		}
	}
	return true;
}

bool sp_str_ends_nocase(struct sp_str s, struct sp_str suffix)
{
	if (s.len < suffix.len) {
		return false;
	}
	return sp_str_eq_nocase(sp_str_sub(s, s.len - suffix.len, suffix.len),
	                        suffix);
}

int sp_str_cmp(struct sp_str a, struct sp_str b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

	if (order != 0) {
		return order;
	}
	return (a.len > b.len) - (a.len < b.len);
}

struct sp_str sp_str_sub(struct sp_str s, size_t offset, size_t len)
{
	if (offset >= s.len) {
		return (struct sp_str){s.len ? s.ptr + s.len : s.ptr, 0};
	}
	if (len > s.len - offset) {
		len = s.len - offset;
	}
	return (struct sp_str){s.ptr + offset, len};
}

struct sp_str sp_str_trim(struct sp_str s)
{
	while (s.len > 0 && sp_ascii_is_blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && sp_ascii_is_blank(s.ptr[s.len - 1])) {
		s.len--;
	}
	return s;
}

/* Eight at a time: header fields and lines of bodies go through here. */
bool sp_str_is_ascii(struct sp_str s)
{
	size_t i = 0;

	for (uint64_t word; s.len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, s.ptr + i, sizeof(word));
		if (word & 0x8080808080808080U) {
			return false;
		}
	}
	for (; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] >= 0x80) {
			return false;
		}
	}
	return true;
}

size_t sp_str_find(struct sp_str s, char c)
{
	const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;

	return at ? (size_t)(at - s.ptr) : s.len;
}

bool sp_str_cut(struct sp_str *s, char c, struct sp_str *head_out)
{
	size_t at = sp_str_find(*s, c);
	bool any = s->len > 0;

	*head_out = sp_str_sub(*s, 0, at);
	*s = at < s->len ? sp_str_sub(*s, at + 1, s->len)
	                 : sp_str_sub(*s, s->len, 0);
	return any;
}

int sp_str_u64(struct sp_str s, uint64_t max, uint64_t *value_out)
{
	uint64_t value = 0;
	bool over = false;

	if (s.len == 0) {
		return SP_ESYNTAX;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9') {
			return SP_ESYNTAX;
		}
		uint64_t digit = (uint64_t)(s.ptr[i] - '0');
		if (over || digit > max || value > (max - digit) / 10) {
			over = true; /* go on: junk behind is a syntax error */
			continue;
		}
		value = value * 10 + digit;
	}
	if (over) {
		return SP_ELIMIT;
	}
	*value_out = value;
	return 0;
}

int sp_str_unhex(struct sp_str hex, uint8_t *out, size_t cap, size_t *len_out)
{
	if (hex.len % 2 != 0) {
		return SP_ESYNTAX;
	}
	for (size_t i = 0; i < hex.len; i++) {
		if (sp_ascii_hex(hex.ptr[i]) < 0) {
			return SP_ESYNTAX;
		}
	}
	if (hex.len / 2 > cap) {
		return SP_ELIMIT;
	}
	for (size_t i = 0; i < hex.len; i += 2) {
		int high = sp_ascii_hex(hex.ptr[i]);
		int low = sp_ascii_hex(hex.ptr[i + 1]);
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	*len_out = hex.len / 2;
	return 0;
}

void sp_str_hex(const void *data, size_t len, char *out, size_t cap)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	SP_ASSERT(cap > 0 && len <= (cap - 1) / 2);
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}
