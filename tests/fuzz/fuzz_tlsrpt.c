/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * Whatever is read as a report keeps the limits; written again, it is read
 * as the same report, with nothing odd beyond what it lacked.
 */
#include "base/assert.h"
#include "base/err.h"
#include "wire/tlsrpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES_MAX 100000000

static void check_policy(const struct sp_tlsrpt_policy *p)
{
	SP_ASSERT(p->type.len <= SP_TLSRPT_TEXT_MAX);
	SP_ASSERT(p->string_count <= SP_TLSRPT_STRINGS_MAX);
	SP_ASSERT(p->mx_host_count <= SP_TLSRPT_STRINGS_MAX);
	SP_ASSERT(p->failure_count <= SP_TLSRPT_FAILURES_MAX);
	SP_ASSERT(p->successful <= SP_TLSRPT_COUNT_MAX);
	for (size_t i = 0; i < p->failure_count; i++) {
		SP_ASSERT(p->failures[i].count <= SP_TLSRPT_COUNT_MAX);
		SP_ASSERT(p->failures[i].reason.len <= SP_TLSRPT_TEXT_MAX);
	}
}

static void check_report(const struct sp_tlsrpt_report *r)
{
	SP_ASSERT(r->policy_count <= SP_TLSRPT_POLICIES_MAX);
	SP_ASSERT(r->oddity_count <= SP_TLSRPT_ODDITIES_MAX);
	for (size_t i = 0; i < r->oddity_count; i++) {
		for (size_t k = 0; k < r->oddities[i].len; k++) {
			char c = r->oddities[i].ptr[k];

			SP_ASSERT(c >= ' ' && c <= '~');
		}
	}
	for (size_t i = 0; i < r->policy_count; i++) {
		check_policy(&r->policies[i]);
	}
}

static void write_view(const struct sp_tlsrpt_report *r, struct sp_buf *out)
{
	struct sp_json *view = sp_tlsrpt_view(r);

	SP_ASSERT(sp_json_write(view, out) == 0);
	sp_json_free(&view);
}

static void check_again(const struct sp_tlsrpt_report *r,
                        struct sp_arena *arena)
{
	struct sp_json *json = sp_tlsrpt_json(r);
	struct sp_tlsrpt_report again;
	struct sp_buf text;

	sp_buf_init(&text, BYTES_MAX);
	SP_ASSERT(sp_json_write(json, &text) == 0);
	sp_json_free(&json);
	SP_ASSERT(sp_tlsrpt_read(sp_buf_str(&text), arena, &again, NULL) == 0);
	SP_ASSERT(again.policy_count == r->policy_count);
	SP_ASSERT(sp_str_eq(again.report_id, r->report_id));
	for (size_t i = 0; i < r->policy_count; i++) {
		SP_ASSERT(again.policies[i].failed == r->policies[i].failed);
		SP_ASSERT(again.policies[i].failure_count ==
		          r->policies[i].failure_count);
	}
	sp_buf_reset(&text);
	write_view(r, &text);
	sp_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[SP_TLSRPT_READ_WHY_MAX] = "";
	struct sp_tlsrpt_report report;
	struct sp_arena arena;
	int err;

	sp_arena_init(&arena);
	err = sp_tlsrpt_read(sp_str_slice(data, size), &arena, &report, why);
	SP_ASSERT(err == 0 || err == SP_ESYNTAX || err == SP_ELIMIT);
	SP_ASSERT((err == 0) == !why[0]);
	if (err == 0) {
		check_report(&report);
		check_again(&report, &arena);
	}
	sp_arena_fini(&arena);
	return 0;
}
