/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * The walk over a header in memory and the scanner of a stream agree on
 * where it ends, bytes that come later don't change what was found before,
 * and the domain of From is one.
 */
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/field.h"
#include "wire/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_end(struct sp_str text)
{
	struct sp_header_scan scan;
	struct sp_str rest = text;
	enum sp_header_field_walk walk;
	struct sp_header_field f;
	bool from = false;

	sp_header_scan_init(&scan);
	sp_header_scan_feed(&scan, text);
	sp_header_scan_finish(&scan);
	while ((walk = sp_header_field_next(&rest, true, &f)) ==
	       SP_HEADER_FIELD_FOUND) {
		SP_ASSERT(f.name.len > 0 && f.text.len > f.name.len);
		from = from || sp_str_eq_nocase(f.name, SP_STR("From"));
	}
	SP_ASSERT(walk != SP_HEADER_FIELD_MORE);
	SP_ASSERT(from == scan.has_from);
	if (walk == SP_HEADER_FIELD_END && scan.ended && !scan.malformed) {
		SP_ASSERT(text.len - rest.len == scan.header_bytes);
	}
	SP_ASSERT(walk != SP_HEADER_FIELD_BAD || scan.malformed);
}

static void check_from(struct sp_str text, size_t cut)
{
	struct sp_str early = {0};
	struct sp_str whole = {0};
	struct sp_arena arena;
	enum sp_from a;
	enum sp_from b;

	sp_arena_init(&arena);
	a = sp_from_domain(sp_str_sub(text, 0, cut), false, &arena, &early);
	b = sp_from_domain(text, true, &arena, &whole);
	SP_ASSERT(b != SP_FROM_MORE);
	if (a != SP_FROM_MORE) {
		SP_ASSERT(a == b || a == SP_FROM_MANY);
		SP_ASSERT(a != SP_FROM_FOUND || sp_str_eq(early, whole));
	}
	if (b == SP_FROM_FOUND) {
		SP_ASSERT(whole.len > 0 && whole.len <= SP_ADDRESS_DOMAIN_MAX);
		SP_ASSERT(!memchr(whole.ptr, '@', whole.len));
	}
	SP_ASSERT(*sp_from_text(b));
	sp_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str text = sp_str_slice(data, size);

	check_end(text);
	check_from(text, size / 2);
	check_from(text, size - size / 8);
	return 0;
}
