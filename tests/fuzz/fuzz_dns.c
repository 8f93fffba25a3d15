/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * An answer that is let through has a legal form and is encoded as the same
 * bytes. As a name, the input canonicalised twice is what it was once.
 */
#include "base/assert.h"
#include "wire/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct sp_dns_answer *a, struct sp_str bytes)
{
	struct sp_buf out;

	SP_ASSERT(sp_dns_answer_check(a) == 0);
	SP_ASSERT(a->record_count <= SP_DNS_RECORDS_MAX);
	SP_ASSERT(a->alias_count <= SP_DNS_ALIASES_MAX);
	SP_ASSERT(sp_dnssec_text(a->dnssec) && sp_dns_result_text(a->result));
	if (a->dnssec == SP_DNSSEC_BOGUS || a->dnssec == SP_DNSSEC_FAILED) {
		SP_ASSERT(a->record_count == 0);
	}
	sp_buf_init(&out, bytes.len + 1);
	SP_ASSERT(sp_dns_answer_encode(a, &out) == 0);
	SP_ASSERT(sp_str_eq(sp_buf_str(&out), bytes));
	sp_buf_fini(&out);
}

/* Any text can be the reason of an answer that still is one. */
static void try_new(struct sp_str text)
{
	struct sp_dns_answer *a =
		sp_dns_answer_new(SP_STR("D.Test."), SP_DNS_TYPE_TLSA);

	sp_dns_answer_set_why(a, text);
	SP_ASSERT(a->why.len <= SP_DNS_WHY_MAX);
	SP_ASSERT(sp_dns_answer_check(a) == 0);
	sp_dns_answer_free(&a);
}

static void try_name(struct sp_str name)
{
	struct sp_arena arena;
	struct sp_str once;

	sp_arena_init(&arena);
	once = sp_dns_name_canonical(name, &arena);
	if (sp_dns_name_valid(once)) {
		struct sp_str twice = sp_dns_name_canonical(once, &arena);

		SP_ASSERT(sp_str_eq(once, twice));
	}
	if (sp_dns_name_valid(name)) {
		SP_ASSERT(sp_str_eq(name, once));
	}
	sp_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str bytes = sp_str_slice(data, size);
	struct sp_dns_answer *a;

	if (sp_dns_answer_decode(bytes, &a) == 0) {
		check_answer(a, bytes);
	} else {
		SP_ASSERT(!a);
	}
	sp_dns_answer_free(&a);
	try_new(bytes);
	try_name(bytes);
	return 0;
}
