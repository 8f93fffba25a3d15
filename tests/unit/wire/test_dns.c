/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/dns.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_names(void **state)
{
	static const struct {
		const char *name;
		struct sp_str text;
		bool valid;
	} cases[] = {
		{"root", {".", 1}, true},
		{"plain", {"mx1.d.test", 10}, true},
		{"RFC 6698 3 owner", {"_25._tcp.mx1.d.test", 19}, true},
		{"RFC 2317 slash", {"1/25.d.test", 11}, true},
		{"RFC 1035 5.1 escaped byte", {"a\\000b.test", 11}, true},
		{"RFC 1035 5.1 escaped dot", {"a\\.b.test", 9}, true},
		{"RFC 1035 5.1 escape over 255", {"a\\256b.test", 11}, false},
		{"RFC 1035 5.1 escaped letter", {"a\\A", 3}, false},
		{"RFC 1035 5.1 letter by number", {"a\\065", 5}, false},
		{"RFC 1035 5.1 escape cut", {"a\\25", 4}, false},
		{"RFC 1035 5.1 escape empty", {"a\\", 2}, false},
		{"empty", {"", 0}, false},
		{"final dot", {"d.test.", 7}, false},
		{"empty label", {"d..test", 7}, false},
		{"leading dot", {".test", 5}, false},
		{"upper case", {"D.test", 6}, false},
		{"blank", {"d test", 6}, false},
		{"NUL", {"d\0test", 6}, false},
		{"8-bit", {"d\xc3\xa9.test", 8}, false},
		{"RFC 1035 2.3.4 label of 63", {L63 ".test", 68}, true},
		{"RFC 1035 2.3.4 label of 64", {L63 "a.test", 69}, false},
		{"RFC 1035 2.3.4 name of 255 octets",
	         {L63 "." L63 "." L63 "." L63, 253},
	         true},
		{"RFC 1035 2.3.4 name of 256 octets",
	         {L63 "." L63 "." L63 "." L63, 254},
	         false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_dns_name_valid(cases[i].text),
		                 cases[i].valid);
	}
}

static void test_canonical(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{"MX1.D.Test.", "mx1.d.test"},
		{".", "."},
		{"a\\.", "a\\."},
		{"a\\\\.", "a\\\\"},
		{"d.test", "d.test"},
		{"", ""},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_str out =
			sp_dns_name_canonical(sp_str_from(cases[i].in), &arena);

		assert_true(sp_str_eq(out, sp_str_from(cases[i].out)));
	}
	sp_arena_fini(&arena);
}

/* An MX answer behind one alias with two records, to be bent by the cases. */
static struct sp_dns_answer *mx_answer(void)
{
	struct sp_dns_answer *a =
		sp_dns_answer_new(SP_STR("D.Test."), SP_DNS_TYPE_MX);

	a->dnssec = SP_DNSSEC_SECURE;
	a->result = SP_DNS_RECORDS;
	a->ttl_s = 300;
	a->alias_count = 1;
	a->aliases = sp_arena_array(&a->arena, 1, sizeof(*a->aliases));
	a->aliases[0] = (struct sp_dns_alias){
		.owner = SP_STR("d.test"),
		.target = SP_STR("e.test"),
		.dnssec = SP_DNSSEC_SECURE,
		.dname = SP_STR("test"),
	};
	a->canonical = SP_STR("e.test");
	a->record_count = 2;
	a->records = sp_arena_array(&a->arena, 2, sizeof(*a->records));
	a->records[0].preference = 10;
	a->records[0].name = SP_STR("mx1.e.test");
	a->records[1].preference = 20;
	a->records[1].name = SP_STR(".");
	return a;
}

static void check_same(const struct sp_dns_answer *a,
                       const struct sp_dns_answer *b)
{
	assert_true(sp_str_eq(a->name, b->name));
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->dnssec, b->dnssec);
	assert_int_equal(a->result, b->result);
	assert_int_equal(a->rcode, b->rcode);
	assert_int_equal(a->ede, b->ede);
	assert_true(sp_str_eq(a->why, b->why));
	assert_true(sp_str_eq(a->scenario, b->scenario));
	assert_int_equal(a->ttl_s, b->ttl_s);
	assert_true(sp_str_eq(a->canonical, b->canonical));
	assert_int_equal(a->alias_count, b->alias_count);
	for (size_t i = 0; i < a->alias_count; i++) {
		assert_true(
			sp_str_eq(a->aliases[i].owner, b->aliases[i].owner));
		assert_true(
			sp_str_eq(a->aliases[i].target, b->aliases[i].target));
		assert_true(
			sp_str_eq(a->aliases[i].dname, b->aliases[i].dname));
	}
	assert_int_equal(a->record_count, b->record_count);
	for (size_t i = 0; i < a->record_count; i++) {
		assert_int_equal(a->records[i].preference,
		                 b->records[i].preference);
		assert_true(sp_str_eq(a->records[i].name, b->records[i].name));
	}
}

static void test_round_trip(void **state)
{
	struct sp_dns_answer *a = mx_answer();
	struct sp_dns_answer *b = NULL;
	struct sp_buf out;

	(void)state;
	sp_dns_answer_set_why(a, SP_STR("line\none"));
	a->scenario = SP_STR("rrsig-expired");
	sp_buf_init(&out, 100000);
	assert_int_equal(sp_dns_answer_encode(a, &out), 0);
	assert_int_equal(sp_dns_answer_decode(sp_buf_str(&out), &b), 0);
	check_same(a, b);
	assert_true(sp_str_eq(b->why, SP_STR("line\\x0aone")));
	sp_dns_answer_free(&a);
	assert_null(a);
	sp_dns_answer_free(&b);
	sp_buf_fini(&out);
}

/* Every truncation of a good encoding is refused. */
static void test_truncated(void **state)
{
	struct sp_dns_answer *a = mx_answer();
	struct sp_dns_answer *b;
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 100000);
	assert_int_equal(sp_dns_answer_encode(a, &out), 0);
	for (size_t len = 0; len < sp_buf_len(&out); len++) {
		struct sp_str part = sp_str_sub(sp_buf_str(&out), 0, len);

		assert_int_equal(sp_dns_answer_decode(part, &b), SP_ESYNTAX);
		assert_null(b);
	}
	sp_dns_answer_free(&a);
	sp_buf_fini(&out);
}

static void bogus_with_records(struct sp_dns_answer *a)
{
	a->dnssec = SP_DNSSEC_BOGUS;
}

static void bogus_and_silent(struct sp_dns_answer *a)
{
	a->dnssec = SP_DNSSEC_BOGUS;
	a->result = SP_DNS_NONE;
	a->record_count = 0;
	a->rcode = 2;
}

static void secure_and_silent(struct sp_dns_answer *a)
{
	a->result = SP_DNS_NONE;
	a->record_count = 0;
}

static void no_records(struct sp_dns_answer *a)
{
	a->record_count = 0;
}

static void nodata_with_records(struct sp_dns_answer *a)
{
	a->result = SP_DNS_NODATA;
}

static void nxdomain_rcode_0(struct sp_dns_answer *a)
{
	a->result = SP_DNS_NXDOMAIN;
	a->record_count = 0;
}

static void nxdomain_rcode_3(struct sp_dns_answer *a)
{
	nxdomain_rcode_0(a);
	a->rcode = 3;
}

static void records_servfail(struct sp_dns_answer *a)
{
	a->rcode = 2;
}

static void alias_insecure(struct sp_dns_answer *a)
{
	a->aliases[0].dnssec = SP_DNSSEC_INSECURE;
}

static void alias_and_answer_insecure(struct sp_dns_answer *a)
{
	alias_insecure(a);
	a->dnssec = SP_DNSSEC_INSECURE;
}

static void alias_gap(struct sp_dns_answer *a)
{
	a->aliases[0].owner = SP_STR("x.test");
}

static void dname_beside(struct sp_dns_answer *a)
{
	a->aliases[0].dname = SP_STR("e.test");
}

static void dname_itself(struct sp_dns_answer *a)
{
	a->aliases[0].dname = SP_STR("d.test");
}

static void dname_inside_label(struct sp_dns_answer *a)
{
	a->aliases[0].dname = SP_STR("est");
}

static void dname_after_escaped_dot(struct sp_dns_answer *a)
{
	a->name = a->aliases[0].owner = SP_STR("d\\.test");
}

static void dname_none(struct sp_dns_answer *a)
{
	a->aliases[0].dname = SP_STR("");
}

static void canonical_elsewhere(struct sp_dns_answer *a)
{
	a->canonical = SP_STR("x.test");
}

static void canonical_after_cut(struct sp_dns_answer *a)
{
	canonical_elsewhere(a);
	a->cut = true;
}

static void name_odd(struct sp_dns_answer *a)
{
	a->records[0].name = SP_STR("mx1 .test");
}

static void name_missing(struct sp_dns_answer *a)
{
	a->records[0].name = SP_STR("");
}

static void address_in_mx(struct sp_dns_answer *a)
{
	a->records[0].address[15] = 1;
}

static void tlsa_in_mx(struct sp_dns_answer *a)
{
	a->records[0].tlsa.usage = 3;
}

static void data_in_mx(struct sp_dns_answer *a)
{
	a->records[0].data = SP_STR("x");
}

static void a_with_more_than_4(struct sp_dns_answer *a)
{
	a->type = SP_DNS_TYPE_A;
	a->record_count = 1;
	a->records[0] = (struct sp_dns_record){.address = {127, 0, 0, 1, 1}};
}

static void a_with_4(struct sp_dns_answer *a)
{
	a_with_more_than_4(a);
	a->records[0].address[4] = 0;
}

static void tlsa_of_0_bytes(struct sp_dns_answer *a)
{
	a->type = SP_DNS_TYPE_TLSA;
	a->record_count = 1;
	a->records[0] = (struct sp_dns_record){.tlsa = {255, 255, 255, {0}}};
}

static void ds_short(struct sp_dns_answer *a)
{
	a->type = SP_DNS_TYPE_DS;
	a->record_count = 1;
	a->records[0] = (struct sp_dns_record){.data = SP_STR("123")};
}

static void type_unknown(struct sp_dns_answer *a)
{
	a->type = (enum sp_dns_type)3;
}

static void why_with_newline(struct sp_dns_answer *a)
{
	a->why = SP_STR("a\nb");
}

static void scenario_with_blank(struct sp_dns_answer *a)
{
	a->scenario = SP_STR("rrsig expired");
}

static void test_consistency(void **state)
{
	static const struct {
		const char *name;
		void (*bend)(struct sp_dns_answer *a);
		int err;
	} cases[] = {
		{"RFC 4035 4.3 bogus has no records", bogus_with_records,
	         SP_ESYNTAX},
		{"RFC 4035 4.3 bogus says nothing", bogus_and_silent, 0},
		{"secure says something", secure_and_silent, SP_ESYNTAX},
		{"records has records", no_records, SP_ESYNTAX},
		{"RFC 2308 2.2 nodata has none", nodata_with_records,
	         SP_ESYNTAX},
		{"RFC 2308 2.1 nxdomain is rcode 3", nxdomain_rcode_0,
	         SP_ESYNTAX},
		{"RFC 2308 2.1 nxdomain", nxdomain_rcode_3, 0},
		{"RFC 1035 4.1.1 records with SERVFAIL", records_servfail,
	         SP_ESYNTAX},
		{"RFC 7672 2.1.3 secure answer, insecure alias", alias_insecure,
	         SP_ESYNTAX},
		{"RFC 7672 2.1.3 insecure answer, insecure alias",
	         alias_and_answer_insecure, 0},
		{"RFC 1034 3.6.2 chain with a gap", alias_gap, SP_ESYNTAX},
		{"RFC 6672 2.2 DNAME beside the name", dname_beside,
	         SP_ESYNTAX},
		{"RFC 6672 2.3 DNAME at the name itself", dname_itself,
	         SP_ESYNTAX},
		{"RFC 6672 2.2 DNAME in mid-label", dname_inside_label,
	         SP_ESYNTAX},
		{"RFC 6672 2.2 DNAME after an escaped dot",
	         dname_after_escaped_dot, SP_ESYNTAX},
		{"RFC 6672 2.2 a CNAME of its own", dname_none, 0},
		{"RFC 1034 3.6.2 chain ends elsewhere", canonical_elsewhere,
	         SP_ESYNTAX},
		{"chain cut", canonical_after_cut, 0},
		{"RFC 1035 2.3.1 odd name", name_odd, SP_ESYNTAX},
		{"RFC 1035 3.3.9 no exchange", name_missing, SP_ESYNTAX},
		{"MX with an address", address_in_mx, SP_ESYNTAX},
		{"MX with TLSA", tlsa_in_mx, SP_ESYNTAX},
		{"MX with data", data_in_mx, SP_ESYNTAX},
		{"RFC 1035 3.4.1 A of 5 bytes", a_with_more_than_4, SP_ESYNTAX},
		{"RFC 1035 3.4.1 A", a_with_4, 0},
		{"RFC 6698 2.1 TLSA of 0 bytes", tlsa_of_0_bytes, 0},
		{"RFC 4034 5.1 DS of 3 bytes", ds_short, SP_ESYNTAX},
		{"unknown type", type_unknown, SP_ESYNTAX},
		{"newline in a text", why_with_newline, SP_ESYNTAX},
		{"blank in a cause name", scenario_with_blank, SP_ESYNTAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_dns_answer *a = mx_answer();
		struct sp_buf out;

		print_message("  %s\n", cases[i].name);
		sp_buf_init(&out, 100000);
		cases[i].bend(a);
		assert_int_equal(sp_dns_answer_encode(a, &out), cases[i].err);
		assert_int_equal(sp_buf_len(&out) > 0, cases[i].err == 0);
		sp_dns_answer_free(&a);
		sp_buf_fini(&out);
	}
}

static void test_limits(void **state)
{
	static const char big[SP_DNS_DATA_MAX + 1];
	struct sp_dns_answer *a =
		sp_dns_answer_new(SP_STR("d.test"), SP_DNS_TYPE_TXT);
	struct sp_dns_answer *b;
	struct sp_buf out;

	(void)state;
	a->dnssec = SP_DNSSEC_INSECURE;
	a->result = SP_DNS_RECORDS;
	a->record_count = SP_DNS_RECORDS_MAX + 1;
	a->records =
		sp_arena_array(&a->arena, a->record_count, sizeof(*a->records));
	sp_buf_init(&out, 1 << 20);
	assert_int_equal(sp_dns_answer_encode(a, &out), SP_ELIMIT);
	a->record_count = SP_DNS_RECORDS_MAX;
	assert_int_equal(sp_dns_answer_encode(a, &out), 0);
	sp_buf_reset(&out);
	a->record_count = 5;
	a->records[0].data = sp_str_slice(big, SP_DNS_DATA_MAX + 1);
	assert_int_equal(sp_dns_answer_encode(a, &out), SP_ELIMIT);
	for (size_t i = 0; i < 5; i++) {
		a->records[i].data = sp_str_slice(big, SP_DNS_DATA_MAX);
	}
	assert_int_equal(sp_dns_answer_encode(a, &out), SP_ELIMIT);
	assert_int_equal(sp_buf_len(&out), 0);
	assert_int_equal(
		sp_dns_answer_decode(
			sp_str_slice(big, SP_DNS_ANSWER_BYTES_MAX + 1), &b),
		SP_ELIMIT);
	sp_dns_answer_free(&a);
	sp_buf_fini(&out);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(sp_dnssec_text(SP_DNSSEC_BOGUS), "bogus");
	assert_string_equal(sp_dns_result_text(SP_DNS_NXDOMAIN), "nxdomain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_consistency),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
