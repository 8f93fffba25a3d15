/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLSA RDATA is written by strangers and has crashed mail servers with 0 and
 * 3 bytes. Here a record of any length is a value: too short to have its
 * three numbers, it gets numbers that no one uses and keeps its bytes, so
 * that it can be shown and is counted among the unusable.
 */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/err.h"
#include "wire/tlsa.h"

#define SHORT_NUMBER 255 /* RFC 7218 2: private use, never usable */
#define HEADER_BYTES 3

const char *sp_tlsa_reason_text(enum sp_tlsa_reason reason)
{
	static const char *const texts[] = {
#define SP_X(name, text) [SP_TLSA_##name] = (text),
		SP_TLSA_REASONS(SP_X)
#undef SP_X
	};

	return texts[reason];
}

int sp_tlsa_decode(struct sp_str rdata, struct sp_tlsa *tlsa_out)
{
	const unsigned char *p = (const unsigned char *)rdata.ptr;

	if (rdata.len < HEADER_BYTES) {
		*tlsa_out = (struct sp_tlsa){SHORT_NUMBER, SHORT_NUMBER,
		                             SHORT_NUMBER, rdata};
		return SP_ESYNTAX;
	}
	*tlsa_out = (struct sp_tlsa){
		.usage = p[0],
		.selector = p[1],
		.matching = p[2],
		.data = sp_str_sub(rdata, HEADER_BYTES, rdata.len),
	};
	return 0;
}

/* The next word of text, which is advanced behind it. Empty at the end. */
static struct sp_str next_word(struct sp_str *text)
{
	struct sp_str word;
	size_t len = 0;

	*text = sp_str_trim(*text);
	while (len < text->len && !sp_ascii_is_blank(text->ptr[len])) {
		len++;
	}
	word = sp_str_sub(*text, 0, len);
	*text = sp_str_sub(*text, len, text->len);
	return word;
}

static int parse_u8(struct sp_str *text, uint8_t *number_out)
{
	uint64_t value;

	if (sp_str_u64(next_word(text), UINT8_MAX, &value) != 0) {
		return SP_ESYNTAX;
	}
	*number_out = (uint8_t)value;
	return 0;
}

/* Hex digits with blanks anywhere between them. */
static int parse_hex(struct sp_str text, struct sp_arena *arena,
                     struct sp_str *data_out)
{
	static const size_t digits_max = 2 * (size_t)SP_TLSA_DATA_MAX;
	char *digits;
	uint8_t *data;
	size_t count = 0;
	size_t len = 0;
	int err;

	for (size_t i = 0; i < text.len; i++) {
		count += !sp_ascii_is_blank(text.ptr[i]);
	}
	if (count > digits_max) {
		return SP_ELIMIT;
	}
	digits = sp_arena_alloc(arena, count + 1);
	data = sp_arena_alloc(arena, count / 2 + 1);
	for (size_t i = 0, n = 0; i < text.len; i++) {
		if (!sp_ascii_is_blank(text.ptr[i])) {
			digits[n++] = text.ptr[i];
		}
	}
	err = sp_str_unhex(sp_str_slice(digits, count), data, count / 2, &len);
	*data_out = sp_str_slice(data, len);
	return err;
}

int sp_tlsa_parse(struct sp_str text, struct sp_arena *arena,
                  struct sp_tlsa *tlsa_out)
{
	struct sp_tlsa tlsa = {0};
	int err = parse_u8(&text, &tlsa.usage);

	if (!err) {
		err = parse_u8(&text, &tlsa.selector);
	}
	if (!err) {
		err = parse_u8(&text, &tlsa.matching);
	}
	if (!err) {
		err = parse_hex(text, arena, &tlsa.data);
	}
	if (!err) {
		*tlsa_out = tlsa;
	}
	return err;
}

char *sp_tlsa_format(const struct sp_tlsa *tlsa, struct sp_arena *arena)
{
	struct sp_str data = sp_str_sub(tlsa->data, 0, SP_TLSA_DATA_MAX);
	size_t cap = 2 * data.len + 1;
	char *hex = sp_arena_alloc(arena, cap);

	sp_str_hex(data.ptr, data.len, hex, cap);
	return sp_arena_printf(arena, "%u %u %u%s%s%s", tlsa->usage,
	                       tlsa->selector, tlsa->matching,
	                       data.len > 0 ? " " : "", hex,
	                       data.len < tlsa->data.len ? "..." : "");
}

/* Bytes of a digest; 0 for Full, which has none. */
static size_t digest_len(uint8_t matching)
{
	static const size_t lens[] = {
		[SP_TLSA_FULL] = 0,
		[SP_TLSA_SHA256] = 32,
		[SP_TLSA_SHA512] = 64,
	};

	return lens[matching];
}

static enum sp_tlsa_reason check_numbers(const struct sp_tlsa *tlsa)
{
	if (tlsa->usage == SHORT_NUMBER && tlsa->selector == SHORT_NUMBER &&
	    tlsa->matching == SHORT_NUMBER && tlsa->data.len < HEADER_BYTES) {
		return SP_TLSA_RDATA_SHORT;
	}
	if (tlsa->usage <= SP_TLSA_PKIX_EE) {
		return SP_TLSA_USAGE_PKIX;
	}
	if (tlsa->usage > SP_TLSA_DANE_EE) {
		return SP_TLSA_USAGE_UNKNOWN;
	}
	if (tlsa->selector > SP_TLSA_SPKI) {
		return SP_TLSA_SELECTOR_UNKNOWN;
	}
	if (tlsa->matching > SP_TLSA_SHA512) {
		return SP_TLSA_MATCHING_UNKNOWN;
	}
	return SP_TLSA_USABLE;
}

enum sp_tlsa_reason sp_tlsa_check(const struct sp_tlsa *tlsa, bool full_parses)
{
	enum sp_tlsa_reason reason = check_numbers(tlsa);

	if (reason != SP_TLSA_USABLE) {
		return reason;
	}
	if (tlsa->data.len == 0) {
		return SP_TLSA_DATA_EMPTY;
	}
	if (tlsa->data.len > SP_TLSA_DATA_MAX) {
		return SP_TLSA_DATA_LONG;
	}
	if (tlsa->matching == SP_TLSA_FULL) {
		return full_parses ? SP_TLSA_USABLE : SP_TLSA_DATA_UNPARSABLE;
	}
	if (tlsa->data.len != digest_len(tlsa->matching)) {
		return SP_TLSA_DIGEST_LENGTH;
	}
	return SP_TLSA_USABLE;
}

int sp_tlsa_cmp(const struct sp_tlsa *a, const struct sp_tlsa *b)
{
	if (a->usage != b->usage) {
		return a->usage < b->usage ? -1 : 1;
	}
	if (a->selector != b->selector) {
		return a->selector < b->selector ? -1 : 1;
	}
	if (a->matching != b->matching) {
		return a->matching < b->matching ? -1 : 1;
	}
	return sp_str_cmp(a->data, b->data);
}
