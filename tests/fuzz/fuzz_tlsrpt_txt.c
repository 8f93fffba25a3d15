/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * Records, one a line: what is used is a URI of a scheme we know, an address
 * is one line without controls; a refusal has its reason.
 */
#include <stdint.h>

#include "base/assert.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/tlsrpt_txt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_MAX 4

static void check_rua(const struct sp_tlsrpt_rua *rua)
{
	struct sp_address address;

	SP_ASSERT(rua->uri.len > 0 && rua->uri.len <= SP_TLSRPT_URI_MAX);
	if (rua->scheme == SP_TLSRPT_MAILTO) {
		SP_ASSERT(sp_str_starts_nocase(rua->uri, SP_STR("mailto:")));
		SP_ASSERT(sp_address_parse(rua->address, &address) == 0);
		SP_ASSERT(address.domain.len > 0);
	} else {
		SP_ASSERT(sp_str_starts_nocase(rua->uri, SP_STR("https://")));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str text = sp_str_slice(data, size);
	char why[SP_TLSRPT_WHY_MAX] = "";
	struct sp_str records[RECORDS_MAX];
	struct sp_tlsrpt_txt txt;
	struct sp_arena arena;
	size_t count = 0;
	int err;

	while (count < RECORDS_MAX &&
	       sp_str_cut(&text, '\n', &records[count])) {
		count++;
	}
	sp_arena_init(&arena);
	err = sp_tlsrpt_txt_parse(records, count, &arena, &txt, why);
	SP_ASSERT((err == 0) == !why[0]);
	SP_ASSERT(err != 0 || txt.rua_count > 0);
	for (size_t i = 0; i < txt.rua_count; i++) {
		check_rua(&txt.rua[i]);
	}
	for (size_t i = 0; i < txt.ignored_count; i++) {
		SP_ASSERT(txt.ignored[i].why);
	}
	sp_arena_fini(&arena);
	return 0;
}
