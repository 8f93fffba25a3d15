/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * The relaxed form of a body doesn't depend on how it is cut, and relaxing
 * it again changes nothing; a key record is read or refused with a line of
 * reason, and what was read is written and read again the same.
 */
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "wire/dkim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX (4u * 1024 * 1024)

static void append(void *arg, struct sp_str bytes)
{
	SP_ASSERT(sp_buf_append_str(arg, bytes) == 0);
}

static void relax(struct sp_str text, size_t step, struct sp_buf *out)
{
	struct sp_dkim_body body;

	sp_buf_init(out, OUT_MAX);
	sp_dkim_body_init(&body, append, out);
	for (size_t at = 0; at < text.len; at += step) {
		sp_dkim_body_feed(&body, sp_str_sub(text, at, step));
	}
	sp_dkim_body_finish(&body);
}

static void check_body(struct sp_str text)
{
	struct sp_buf whole;
	struct sp_buf pieces;
	struct sp_buf again;

	relax(text, text.len + 1, &whole);
	relax(text, 1 + text.len % 7, &pieces);
	SP_ASSERT(sp_str_eq(sp_buf_str(&whole), sp_buf_str(&pieces)));
	relax(sp_buf_str(&whole), 3, &again);
	SP_ASSERT(sp_str_eq(sp_buf_str(&whole), sp_buf_str(&again)));
	sp_buf_fini(&whole);
	sp_buf_fini(&pieces);
	sp_buf_fini(&again);
}

static void check_fields(struct sp_str text)
{
	static const struct sp_dkim_signature s = {
		.algorithm = "x",
		.domain = SP_STR("d.test"),
		.selector = SP_STR("s"),
		.body_hash = SP_STR("h"),
	};
	struct sp_header_field fields[32];
	struct sp_buf field;
	struct sp_buf input;
	size_t count = 0;

	while (count < 32 &&
	       sp_header_field_next(&text, true, &fields[count]) ==
	               SP_HEADER_FIELD_FOUND) {
		count++;
	}
	sp_buf_init(&field, OUT_MAX);
	sp_buf_init(&input, OUT_MAX);
	SP_ASSERT(sp_dkim_signature_input(&s, fields, count, &field, &input) ==
	          0);
	sp_buf_fini(&field);
	sp_buf_fini(&input);
}

static void check_record(struct sp_str text)
{
	char why[SP_DKIM_WHY_MAX] = "";
	struct sp_dkim_record r;
	struct sp_dkim_record s;
	struct sp_arena arena;

	sp_arena_init(&arena);
	if (sp_dkim_record_parse(text, &arena, &r, why)) {
		SP_ASSERT(*why);
	} else if (r.type != SP_DKIM_KEY_OTHER) {
		struct sp_str again = sp_dkim_record_format(
			r.type, r.key, SP_STR("email"), &arena);

		SP_ASSERT(sp_dkim_record_parse(again, &arena, &s, why) == 0);
		SP_ASSERT(sp_str_eq(r.key, s.key) && r.type == s.type);
		SP_ASSERT(sp_dkim_record_serves(&s, SP_STR("email")));
	}
	sp_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str text = sp_str_slice(data, size);

	check_body(text);
	check_fields(text);
	check_record(text);
	return 0;
}
