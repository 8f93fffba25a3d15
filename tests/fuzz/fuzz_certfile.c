/* SPDX-License-Identifier: Apache-2.0 */
/* layer: net */
/*
 * The first two bytes choose a record's numbers, the rest is a file for
 * `tlsa make` and `tlsa verify`. A record made of a certificate is usable,
 * parses, and under usage 3 matches the very certificate.
 */
#include "base/assert.h"
#include "net/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_verify(struct sp_str file, const struct sp_tlsa *record,
                         struct sp_arena *arena)
{
	struct sp_str name = SP_STR("mx.d.example");
	struct sp_tls_client params = {
		.records = record,
		.record_count = 1,
		.reference_ids = &name,
		.reference_id_count = 1,
	};
	struct sp_tls_seen seen;
	char why[200] = "";

	if (sp_tls_verify_chain(file, &params, 0, arena, &seen, why,
	                        sizeof(why))) {
		SP_ASSERT(why[0]);
		return;
	}
	SP_ASSERT(seen.dane_active);
	SP_ASSERT(seen.dane_matched == (seen.verify == SP_TLS_VERIFY_OK));
	SP_ASSERT(!seen.dane_matched || seen.matched_usage == record->usage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_arena arena;
	struct sp_tlsa record;
	struct sp_str file;
	struct sp_str issuer;
	char why[200] = "";
	uint8_t usage;

	if (size < 2)
		return 0;
	SP_ASSERT(sp_tls_setup() == 0);
	sp_arena_init(&arena);
	file = sp_str_slice(data + 2, size - 2);
	usage = (uint8_t)(2 + (data[0] & 1));
	if (sp_tls_tlsa_make(file, usage, data[1] & 1,
	                     (uint8_t)((data[1] >> 1) % 3), &arena, &record,
	                     why, sizeof(why)) == 0) {
		SP_ASSERT(record.data.len > 0);
		SP_ASSERT(record.matching != SP_TLSA_SHA256 ||
		          record.data.len == 32);
		check_verify(file, &record, &arena);
	} else {
		SP_ASSERT(why[0]);
	}
	record = (struct sp_tlsa){usage, data[1] & 1, SP_TLSA_FULL, file};
	(void)sp_tls_full_parses(&record);
	SP_ASSERT((sp_tls_issuer_read(file, &arena, &issuer) == 0) ==
	          (issuer.len > 0));
	sp_arena_fini(&arena);
	return 0;
}
