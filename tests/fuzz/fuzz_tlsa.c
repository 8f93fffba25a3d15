/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * Any RDATA is a record that can be checked and shown; any record's text is
 * read back as the same record.
 */
#include "base/assert.h"
#include "wire/key.h"
#include "wire/tlsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const struct sp_tlsa *tlsa, struct sp_arena *arena)
{
	enum sp_tlsa_reason reason = sp_tlsa_check(tlsa, true);
	const char *text = sp_tlsa_format(tlsa, arena);
	struct sp_tlsa again;

	SP_ASSERT(sp_key_kind_of_record(tlsa) == SP_KEY_ANY ||
	          (tlsa->usage == 3 && tlsa->matching == 0));
	SP_ASSERT((reason == SP_TLSA_USABLE) == !sp_tlsa_reason_text(reason));
	SP_ASSERT(sp_tlsa_cmp(tlsa, tlsa) == 0);
	if (reason == SP_TLSA_USABLE) {
		SP_ASSERT(tlsa->usage == 2 || tlsa->usage == 3);
		SP_ASSERT(tlsa->selector <= 1 && tlsa->data.len > 0);
		SP_ASSERT(tlsa->matching != 1 || tlsa->data.len == 32);
		SP_ASSERT(tlsa->matching != 2 || tlsa->data.len == 64);
	}
	if (tlsa->data.len <= SP_TLSA_DATA_MAX) {
		SP_ASSERT(sp_tlsa_parse(sp_str_from(text), arena, &again) == 0);
		SP_ASSERT(sp_tlsa_cmp(tlsa, &again) == 0);
	}
}

/* Halves of the input as two records: the order is one. */
static void check_order(struct sp_str rdata)
{
	struct sp_tlsa a;
	struct sp_tlsa b;
	int there;
	int back;

	(void)sp_tlsa_decode(sp_str_sub(rdata, 0, rdata.len / 2), &a);
	(void)sp_tlsa_decode(sp_str_sub(rdata, rdata.len / 2, rdata.len), &b);
	there = sp_tlsa_cmp(&a, &b);
	back = sp_tlsa_cmp(&b, &a);
	SP_ASSERT((there > 0) == (back < 0) && (there < 0) == (back > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str bytes = sp_str_slice(data, size);
	struct sp_tlsa tlsa;
	struct sp_arena arena;

	sp_arena_init(&arena);
	if (sp_tlsa_decode(bytes, &tlsa) == 0) {
		SP_ASSERT(tlsa.data.len == size - 3);
	} else {
		SP_ASSERT(sp_tlsa_check(&tlsa, true) == SP_TLSA_RDATA_SHORT);
	}
	check_record(&tlsa, &arena);
	check_order(bytes);
	if (sp_tlsa_parse(bytes, &arena, &tlsa) == 0) {
		check_record(&tlsa, &arena);
	}
	sp_arena_fini(&arena);
	return 0;
}
