/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * An address that is let through is its parts and nothing else, the same in
 * brackets as bare, and free of controls. Domains converted twice are what
 * they were once; xtext written is read back.
 */
#include "base/assert.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(struct sp_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		SP_ASSERT(c >= ' ' && c != 0x7f);
	}
	SP_ASSERT(sp_utf8_valid(text));
}

static void try_address(struct sp_str text, struct sp_arena *arena)
{
	struct sp_address bare;
	struct sp_address path;
	struct sp_str rest;
	const char *bracketed;
	bool cut = sp_str_find(text, '\0') < text.len;

	if (sp_address_parse(text, &bare) != 0) {
		return;
	}
	SP_ASSERT(!cut);
	check_clean(text);
	SP_ASSERT(bare.local.len > 0 && bare.local.len <= SP_ADDRESS_LOCAL_MAX);
	SP_ASSERT(bare.domain.len <= SP_ADDRESS_DOMAIN_MAX);
	SP_ASSERT(bare.local.ptr == text.ptr);
	SP_ASSERT(bare.local.len + 1 + bare.domain.len == text.len);
	SP_ASSERT(bare.literal == (bare.domain.ptr[0] == '['));
	bracketed =
		sp_arena_printf(arena, "<" SP_STR_FMT "> x", SP_STR_ARG(text));
	SP_ASSERT(sp_address_path(sp_str_from(bracketed), false, &path,
	                          &rest) == 0);
	SP_ASSERT(sp_str_eq(path.local, bare.local));
	SP_ASSERT(sp_str_eq(path.domain, bare.domain));
	SP_ASSERT(sp_str_eq(rest, SP_STR(" x")));
}

/* What is said without SMTPUTF8 is an address in ASCII. */
static void try_to_ascii(struct sp_str text, struct sp_arena *arena)
{
	struct sp_str coded = sp_utf8_addr_xtext(text, arena);
	struct sp_address parts;
	struct sp_str ascii;

	for (size_t i = 0; i < coded.len; i++) {
		SP_ASSERT((unsigned char)coded.ptr[i] < 0x80);
	}
	if (sp_address_parse(text, &parts) != 0 ||
	    sp_address_to_ascii(text, arena, &ascii) != 0) {
		return;
	}
	SP_ASSERT(sp_address_parse(ascii, &parts) == 0 && !parts.utf8);
}

static void try_path(struct sp_str text)
{
	struct sp_address a;
	struct sp_str rest;

	if (sp_address_path(text, true, &a, &rest) != 0) {
		return;
	}
	SP_ASSERT(rest.ptr + rest.len == text.ptr + text.len);
	SP_ASSERT(rest.ptr[-1] == '>');
	check_clean(sp_str_sub(text, 0, text.len - rest.len));
	SP_ASSERT(a.local.len > 0 || a.domain.len == 0);
}

static void try_domain(struct sp_str text, struct sp_arena *arena)
{
	struct sp_str once;
	struct sp_str twice;

	if (sp_domain_to_ascii(text, arena, &once) != 0) {
		return;
	}
	SP_ASSERT(once.len > 0 && once.len <= 253);
	for (size_t i = 0; i < once.len; i++) {
		SP_ASSERT(once.ptr[i] > ' ' && once.ptr[i] <= '~');
	}
	SP_ASSERT(sp_domain_to_ascii(once, arena, &twice) == 0);
	SP_ASSERT(sp_str_eq(once, twice));
}

static void try_xtext(struct sp_str text, struct sp_arena *arena)
{
	struct sp_str coded = sp_xtext_encode(text, arena);
	struct sp_str back;
	bool legal = sp_str_find(text, '\0') == text.len &&
	             sp_str_find(text, '\r') == text.len &&
	             sp_str_find(text, '\n') == text.len;
	int err = sp_xtext_decode(coded, arena, text.len, &back);

	SP_ASSERT(err == (legal ? 0 : SP_ESYNTAX));
	SP_ASSERT(err || sp_str_eq(back, text));
	if (sp_xtext_decode(text, arena, 100, &back) == 0) {
		SP_ASSERT(back.len <= 100);
		SP_ASSERT(sp_str_find(back, '\n') == back.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str text = sp_str_slice(data, size);
	struct sp_arena arena;

	sp_arena_init(&arena);
	try_address(text, &arena);
	try_path(text);
	try_domain(text, &arena);
	try_to_ascii(text, &arena);
	try_xtext(text, &arena);
	(void)sp_domain_is_literal(text);
	sp_arena_fini(&arena);
	return 0;
}
