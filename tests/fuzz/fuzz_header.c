/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * A message cut anywhere shows the same header; a Received field made of
 * anything is one field of legal lines.
 */
#include <string.h>

#include "base/assert.h"
#include "wire/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void scan(struct sp_str text, size_t piece_max, struct sp_header_scan *s)
{
	sp_header_scan_init(s);
	for (size_t at = 0; at < text.len;) {
		struct sp_str piece = sp_str_sub(text, at, piece_max);

		sp_header_scan_feed(s, piece);
		at += piece.len;
	}
	sp_header_scan_finish(s);
	SP_ASSERT(s->ended && s->state == SP_HEADER_BODY);
	SP_ASSERT(s->total_bytes == text.len && s->header_bytes <= text.len);
}

static void check_same(const struct sp_header_scan *a,
                       const struct sp_header_scan *b)
{
	SP_ASSERT(a->received_count == b->received_count);
	SP_ASSERT(a->has_message_id == b->has_message_id);
	SP_ASSERT(a->has_from == b->has_from && a->has_date == b->has_date);
	SP_ASSERT(a->tls_required_count == b->tls_required_count);
	SP_ASSERT(sp_header_tls_optional(a) == sp_header_tls_optional(b));
	SP_ASSERT(a->header_8bit == b->header_8bit);
	SP_ASSERT(a->body_8bit == b->body_8bit);
	SP_ASSERT(a->malformed == b->malformed);
	SP_ASSERT(a->header_bytes == b->header_bytes);
	SP_ASSERT(sp_str_eq(sp_header_message_id(a), sp_header_message_id(b)));
}

/* What the scanner says of 8-bit bytes is what a look at the two parts
 * says, and the id is text in brackets. */
static void check_scan(const struct sp_header_scan *s, struct sp_str text)
{
	struct sp_str id = sp_header_message_id(s);
	bool seen[2] = {false, false};

	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] >= 0x80) {
			seen[i >= s->header_bytes] = true;
		}
	}
	SP_ASSERT(s->header_8bit == seen[0] && s->body_8bit == seen[1]);
	if (id.len > 0) {
		SP_ASSERT(id.ptr[0] == '<' && id.ptr[id.len - 1] == '>');
	}
	for (size_t i = 0; i < id.len; i++) {
		SP_ASSERT(id.ptr[i] > ' ' && id.ptr[i] <= '~');
	}
}

static void check_received(struct sp_str text)
{
	struct sp_received parts = {
		.helo = sp_str_sub(text, 0, 300),
		.rdns = sp_str_sub(text, text.len / 3, 300),
		.address = sp_str_sub(text, text.len / 2, 60),
		.by = SP_STR("mx.test"),
		.with = SP_STR("ESMTP"),
		.id = SP_STR("1"),
		.rcpt = sp_str_sub(text, text.len / 4, 320),
		.received_ms = 0,
	};
	struct sp_header_scan s;
	struct sp_buf out;
	struct sp_str field;

	sp_buf_init(&out, 4000);
	SP_ASSERT(sp_header_received(&parts, &out) == 0);
	field = sp_buf_str(&out);
	for (size_t i = 0; i < field.len; i++) {
		char c = field.ptr[i];

		SP_ASSERT(c != '\n' || field.ptr[i - 1] == '\r');
		SP_ASSERT(c != '\r' || field.ptr[i + 1] == '\n');
		SP_ASSERT(c && c != 0x7f);
	}
	sp_header_scan_init(&s);
	sp_header_scan_feed(&s, field);
	SP_ASSERT(!s.ended && s.received_count == 1 && !s.has_from);
	sp_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = {1, 2, 13};
	struct sp_str text = sp_str_slice(data, size);
	struct sp_header_scan whole;

	scan(text, SIZE_MAX, &whole);
	check_scan(&whole, text);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		struct sp_header_scan cut;

		scan(text, pieces[i], &cut);
		check_same(&whole, &cut);
	}
	check_received(text);
	return 0;
}
