/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of published TLSA records, without a certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analyze/tlsa_advice.h"
#include "base/buf.h"

#define RECORDS_MAX 3

static const struct advice_case {
	const char *name;
	const char *records[RECORDS_MAX]; /* "3 1 1"; data is made up */
	enum sp_tlsa_reason reasons[RECORDS_MAX];
	enum sp_tlsa_answer answer;
	enum sp_dnssec dnssec;
	uint32_t ttl_s;
	const char *stray;
	bool tcp_denied;
	bool address_unsigned;
	const char *found; /* "name " of each; "name:1 " with its record */
} CASES[] = {
	{.name = "RFC 7672 3.1.1 the one to publish",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .ttl_s = 3600,
         .found = ""},
	{.name = "RFC 7672 3.1.2 the issuer's",
         .records = {"2 1 1"},
         .answer = SP_TLSA_RECORDS,
         .ttl_s = 1800,
         .found = ""},
	{.name = "RFC 6698 4.1 the zone is not signed",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .dnssec = SP_DNSSEC_INSECURE,
         .ttl_s = 60,
         .found = "tlsa-unsigned "},
	{.name = "RFC 7672 2.2.2 the address is not signed",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .address_unsigned = true,
         .found = "tlsa-address-unsigned "},
	{.name = "RFC 6698 4.1 nor is anything else",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .dnssec = SP_DNSSEC_INSECURE,
         .address_unsigned = true,
         .found = "tlsa-unsigned "},
	{.name = "none", .answer = SP_TLSA_NXDOMAIN, .found = "tlsa-absent "},
	{.name = "RFC 6698 3 none there, some elsewhere",
         .answer = SP_TLSA_NODATA,
         .stray = "_25.tcp.mx.d.test",
         .found = "tlsa-owner-wrong "},
	{.name = "RFC 8020 2 the name above is denied",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .tcp_denied = true,
         .found = "tlsa-tcp-denied "},
	{.name = "the name above does not matter without records",
         .answer = SP_TLSA_NODATA,
         .tcp_denied = true,
         .found = "tlsa-absent "},
	{.name = "TTL of two days",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .ttl_s = 172800,
         .found = "tlsa-ttl-far "},
	{.name = "TTL of a day that waited in a cache",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .ttl_s = 86395,
         .found = "tlsa-ttl-far "},
	{.name = "TTL of hours",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .ttl_s = 43200,
         .found = "tlsa-ttl-long "},
	{.name = "TTL of a minute",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .ttl_s = 60,
         .found = "tlsa-ttl-short "},
	{.name = "TTL that waited in a cache",
         .records = {"3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .ttl_s = 1790,
         .found = ""},
	{.name = "RFC 7672 3.1.3 usage 1",
         .records = {"1 1 1", "3 1 1"},
         .reasons = {SP_TLSA_USAGE_PKIX},
         .answer = SP_TLSA_RECORDS,
         .found = "tlsa-record-unusable:0 "},
	{.name = "RFC 7671 9 two digests",
         .records = {"3 1 1", "3 1 2"},
         .reasons = {SP_TLSA_WEAKER_DIGEST},
         .answer = SP_TLSA_RECORDS,
         .found = "tlsa-weaker-digest:0 "},
	{.name = "RFC 7671 9 SHA-512 alone",
         .records = {"3 1 2"},
         .answer = SP_TLSA_RECORDS,
         .found = "tlsa-no-sha256:0 "},
	{.name = "RFC 7671 8.1 the whole certificate",
         .records = {"3 1 1", "3 0 1"},
         .answer = SP_TLSA_RECORDS,
         .found = "tlsa-cert-selector:1 "},
	{.name = "RFC 7671 10.1.2 no digest",
         .records = {"2 0 0"},
         .answer = SP_TLSA_RECORDS,
         .found = "tlsa-full:0 "},
	{.name = "twice",
         .records = {"3 1 1", "3 1 1"},
         .answer = SP_TLSA_RECORDS,
         .found = "tlsa-twice:1 "},
	{.name = "bogus: it has a cause",
         .answer = SP_TLSA_NONE,
         .dnssec = SP_DNSSEC_BOGUS,
         .found = ""},
};

static void check_case(const struct advice_case *c)
{
	struct sp_plan_tlsa_record records[RECORDS_MAX];
	struct sp_tlsa_finding found[SP_TLSA_ADVICE_MAX];
	struct sp_tlsa_published p = {
		.owner = SP_STR("_25._tcp.mx.d.test"),
		.answer = c->answer,
		.dnssec = c->dnssec,
		.ttl_s = c->ttl_s,
		.records = records,
		.stray = sp_str_from(c->stray),
		.tcp = SP_STR("_tcp.mx.d.test"),
		.tcp_denied = c->tcp_denied,
		.address_unsigned = c->address_unsigned,
	};
	struct sp_arena arena;
	struct sp_buf seen;
	size_t count;

	sp_arena_init(&arena);
	sp_buf_init(&seen, 1000);
	for (; p.record_count < RECORDS_MAX && c->records[p.record_count];
	     p.record_count++) {
		const char *text = sp_arena_printf(&arena,
		                                   "%s 00112233445566"
		                                   "778899",
		                                   c->records[p.record_count]);

		assert_int_equal(sp_tlsa_parse(sp_str_from(text), &arena,
		                               &records[p.record_count].tlsa),
		                 0);
		records[p.record_count].reason = c->reasons[p.record_count];
	}
	count = sp_tlsa_advise(&p, &arena, found);
	for (size_t i = 0; i < count; i++) {
		(void)sp_buf_append_cstr(&seen,
		                         sp_advice_get(found[i].advice)->name);
		if (found[i].record >= 0) {
			(void)sp_buf_printf(&seen, ":%d", found[i].record);
		}
		(void)sp_buf_append_char(&seen, ' ');
		assert_true(found[i].subject.len > 0);
	}
	if (!sp_str_eq(sp_buf_str(&seen), sp_str_from(c->found))) {
		fail_msg("%s: %.*s", c->name, SP_STR_ARG(sp_buf_str(&seen)));
	}
	sp_buf_fini(&seen);
	sp_arena_fini(&arena);
}

static void test_advice(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		check_case(&CASES[i]);
	}
}

static void test_brief(void **state)
{
	struct sp_tlsa tlsa = {3, 1, 1, SP_STR("\x01\x02")};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	assert_true(
		sp_str_eq(sp_tlsa_brief(&tlsa, &arena), SP_STR("3 1 1 0102")));
	tlsa.data = SP_STR("\x01\x02\x03\x04\x05\x06\x07\x08\x09");
	assert_true(sp_str_eq(sp_tlsa_brief(&tlsa, &arena),
	                      SP_STR("3 1 1 0102030405060708...")));
	sp_arena_fini(&arena);
}

/* An RRset of as many records as the DNS allows fills no more than there is
 * room for. */
static void test_many(void **state)
{
	struct sp_plan_tlsa_record records[100] = {{.reason = SP_TLSA_USABLE}};
	struct sp_tlsa_finding found[SP_TLSA_ADVICE_MAX];
	const struct sp_tlsa_published p = {
		.answer = SP_TLSA_RECORDS,
		.records = records,
		.record_count = 100,
	};
	struct sp_arena arena;

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		records[i].reason = SP_TLSA_USAGE_PKIX;
	}
	sp_arena_init(&arena);
	assert_int_equal(sp_tlsa_advise(&p, &arena, found), SP_TLSA_ADVICE_MAX);
	sp_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_brief),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
