/* SPDX-License-Identifier: Apache-2.0 */
/* Four characters for three bytes; see the header for what is tolerated. */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "wire/base64.h"

static const char ALPHABET[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct sp_str sp_base64_encode(struct sp_str bytes, struct sp_arena *arena)
{
	size_t len = (bytes.len + 2) / 3 * 4;
	char *out = sp_arena_alloc(arena, len + 1);
	const unsigned char *in = (const unsigned char *)bytes.ptr;

	for (size_t i = 0, o = 0; i < bytes.len; i += 3, o += 4) {
		size_t left = bytes.len - i;
		uint32_t v = (uint32_t)in[i] << 16;

		v |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		v |= left > 2 ? in[i + 2] : 0;
		out[o] = ALPHABET[v >> 18];
		out[o + 1] = ALPHABET[v >> 12 & 63];
		out[o + 2] = left > 1 ? ALPHABET[v >> 6 & 63] : '=';
		out[o + 3] = left > 2 ? ALPHABET[v & 63] : '=';
	}
	return sp_str_slice(out, len);
}

/* -1: not a character of the alphabet. */
static int value_of(char c)
{
	const char *at = c ? strchr(ALPHABET, c) : NULL;

	return at ? (int)(at - ALPHABET) : -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int sp_base64_decode(struct sp_str text, struct sp_arena *arena,
                     struct sp_str *bytes_out)
{
	char *out = sp_arena_alloc(arena, text.len / 4 * 3 + 4);
	uint32_t bits = 0;
	size_t count = 0; /* characters, padding included */
	size_t pads = 0;
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int v = value_of(text.ptr[i]);

		if (is_space(text.ptr[i])) {
			continue;
		}
		pads += text.ptr[i] == '=';
		if ((v < 0 && text.ptr[i] != '=') || (v >= 0 && pads) ||
		    pads > 2) {
			return SP_ESYNTAX;
		}
		bits = bits << 6 | (v < 0 ? 0 : (uint32_t)v);
		if (++count % 4 == 0) {
			out[len++] = (char)(bits >> 16 & 255);
			out[len++] = (char)(bits >> 8 & 255);
			out[len++] = (char)(bits & 255);
		}
	}
	/* Bits that padding leaves over are zero (RFC 4648 3.5). */
	if (count % 4 != 0 || (pads && (bits & (pads == 1 ? 0xff : 0xffff)))) {
		return SP_ESYNTAX;
	}
	*bytes_out = sp_str_slice(out, len - pads);
	return 0;
}
