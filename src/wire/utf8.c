/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 3629 4 as a table: the first byte gives the length and the legal range
 * of the second; all further bytes are 80-BF.
 */
#include "wire/utf8.h"

struct form {
	unsigned char first_min;
	unsigned char first_max;
	unsigned char second_min;
	unsigned char second_max;
	size_t len;
};

static const struct form forms[] = {
	{0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
	{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
	{0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool form_matches(const struct form *f, struct sp_str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;

	if (p[0] < f->first_min || p[0] > f->first_max || s.len < f->len) {
		return false;
	}
	if (f->len > 1 && (p[1] < f->second_min || p[1] > f->second_max)) {
		return false;
	}
	for (size_t i = 2; i < f->len; i++) {
		if (p[i] < 0x80 || p[i] > 0xbf) {
			return false;
		}
	}
	return true;
}

size_t sp_utf8_len(struct sp_str s)
{
	if (s.len == 0) {
		return 0;
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if (form_matches(&forms[i], s)) {
			return forms[i].len;
		}
	}
	return 0;
}

bool sp_utf8_valid(struct sp_str s)
{
	while (s.len > 0) {
		size_t len = sp_utf8_len(s);

		if (len == 0) {
			return false;
		}
		s = sp_str_sub(s, len, s.len);
	}
	return true;
}
