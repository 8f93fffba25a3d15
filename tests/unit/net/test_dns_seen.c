/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/dns_seen.h"
#include "wire/base64.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define NOW_MS       INT64_C(1790000000000)
#define BYTES(lit)                                                             \
	{                                                                      \
		"" lit, sizeof(lit) - 1                                        \
	}

/* --- packets --- */

#define HEAD(flags, answers, authority, additional)                            \
	"\x12\x34" flags "\0\1\0" answers "\0" authority "\0" additional
#define QUESTION(type) "\1d\4test\0\0" type "\0\1"
#define RR(type, len)  "\xc0\x0c\0" type "\0\1\0\0\1\x2c\0" len
#define RRSIG_SOA                                                              \
	RR("\x2e", "\x1b")                                                     \
	"\0\6\x0d\2\0\0\1\x2c\x6a\xb1\x3b\x80\x6a\xb1\x13\x70\x12\x67"         \
	"\1d\4test\0"                                                          \
	"s"
#define SOA_DATA                                                               \
	"\0\0"                                                                 \
	"\x78\xc4\x7d\x19\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"

static const struct decode_case {
	const char *name;
	struct sp_str bytes;
	int err;
	uint8_t rcode;
	bool authoritative, truncated, edns;
	size_t records, malformed;
	uint16_t type; /* of the first record; 0: none to look at */
	uint16_t tag;
	uint8_t algorithm;
	const char *text; /* name or signer */
	uint32_t serial;
} decode_cases[] = {
	{.name = "RFC 1035 3.3.13 SOA, authoritative",
         .bytes = BYTES(HEAD("\x84\0", "\1", "\0", "\0") QUESTION("\6")
                                RR("\6", "\x16") SOA_DATA),
         .authoritative = true,
         .records = 1,
         .type = SP_DNS_TYPE_SOA,
         .serial = 2026143001U},
	{.name = "RFC 4034 3.1 RRSIG",
         .bytes = BYTES(HEAD("\x84\0", "\1", "\0", "\0") QUESTION("\6")
                                RRSIG_SOA),
         .authoritative = true,
         .records = 1,
         .type = SP_SEEN_TYPE_RRSIG,
         .tag = 4711,
         .algorithm = 13,
         .text = "d.test"},
	{.name = "RFC 1034 4.2.1 a referral and its glue",
         .bytes = BYTES(HEAD("\x80\0", "\0", "\1", "\1") QUESTION("\2") RR(
		 "\2", "\5") "\2ns\xc0\x0c" RR("\1", "\4") "\xc0\0\2\1"),
         .records = 2,
         .type = SP_DNS_TYPE_NS,
         .text = "ns.d.test"},
	{.name = "RFC 4034 5.1 a DS that is too short is left out",
         .bytes = BYTES(HEAD("\x84\0", "\2", "\0", "\0") QUESTION("\x2b")
                                RR("\x2b", "\4") "\1\2\3\4" RR(
					"\x2b", "\5") "\x12\x67\x0d\2\xff"),
         .authoritative = true,
         .records = 1,
         .malformed = 1,
         .type = SP_DNS_TYPE_DS,
         .tag = 4711,
         .algorithm = 13},
	{.name = "RFC 6891 6.1.1 an answer with OPT",
         .bytes = BYTES(HEAD("\x80\5", "\0", "\0", "\1")
                                QUESTION("\6") "\0\0\x29\4\xd0\0\0\x80\0\0\0"),
         .rcode = 5,
         .edns = true},
	{.name = "RFC 2181 9 truncated",
         .bytes = BYTES(HEAD("\x86\0", "\0", "\0", "\0") QUESTION("\x30")),
         .authoritative = true,
         .truncated = true},
	{.name = "RFC 6891 7 FORMERR without the question",
         .bytes = BYTES("\x12\x34\x80\1\0\0\0\0\0\0\0\0"),
         .rcode = 1},
	{.name = "no question and no error",
         .bytes = BYTES("\x12\x34\x80\0\0\0\0\0\0\0\0\0"),
         .err = SP_ESYNTAX},
	{.name = "RFC 1035 4.1.4 a pointer to itself",
         .bytes = BYTES(HEAD("\x84\0", "\1", "\0", "\0")
                                QUESTION("\2") "\xc0\x18\0\2\0\1"),
         .err = SP_ESYNTAX},
	{.name = "RFC 1035 4.1.1 shorter than a header",
         .bytes = BYTES("\x12\x34\x80"),
         .err = SP_ESYNTAX},
};

static void look_at_first(const struct decode_case *c,
                          const struct sp_seen_record *r)
{
	struct sp_str text = r->name.len ? r->name : r->signer;

	assert_int_equal(r->type, c->type);
	assert_int_equal(r->key_tag, c->tag);
	assert_int_equal(r->algorithm, c->algorithm);
	assert_int_equal(r->serial, c->serial);
	assert_true(sp_str_eq(text, sp_str_from(c->text)));
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(decode_cases); i++) {
		const struct decode_case *c = &decode_cases[i];
		struct sp_seen seen;

		print_message("  %s\n", c->name);
		assert_int_equal(sp_seen_decode(c->bytes, NOW_MS, &seen),
		                 c->err);
		if (c->err) {
			continue;
		}
		assert_int_equal(seen.rcode, c->rcode);
		assert_int_equal(seen.authoritative, c->authoritative);
		assert_int_equal(seen.truncated, c->truncated);
		assert_int_equal(seen.edns, c->edns);
		assert_int_equal(seen.record_count, c->records);
		assert_int_equal(seen.malformed, c->malformed);
		if (c->type) {
			look_at_first(c, &seen.records[0]);
		}
		sp_seen_fini(&seen);
	}
}

static void test_rrsig_window(void **state)
{
	static const struct sp_str bytes = BYTES(
		HEAD("\x84\0", "\1", "\0", "\0") QUESTION("\6") RRSIG_SOA);
	struct sp_seen seen;

	(void)state;
	assert_int_equal(sp_seen_decode(bytes, NOW_MS, &seen), 0);
	assert_int_equal(seen.records[0].covered, SP_DNS_TYPE_SOA);
	assert_int_equal(seen.records[0].ends_ms, INT64_C(0x6ab13b80) * 1000);
	assert_int_equal(seen.records[0].begins_ms, INT64_C(0x6ab11370) * 1000);
	sp_seen_fini(&seen);
	/* RFC 4034 3.1.5: beyond the turn of the clock in 2106 */
	assert_int_equal(sp_seen_decode(bytes,
	                                NOW_MS + (INT64_C(1) << 32) * 1000,
	                                &seen),
	                 0);
	assert_int_equal(seen.records[0].ends_ms,
	                 (INT64_C(0x16ab13b80)) * 1000);
	sp_seen_fini(&seen);
}

/* --- keys: the example of RFC 4034 5.4 and RFC 4509 2.3 --- */

#define KEY_TEXT                                                               \
	"AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxe" \
	"YCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2" \
	"wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw=="

static struct sp_seen_record example_key(struct sp_arena *arena)
{
	static const unsigned char head[4] = {1, 0, 3, 5};
	struct sp_seen_record key;
	struct sp_str bytes;
	char *rdata;

	assert_int_equal(sp_base64_decode(SP_STR(KEY_TEXT), arena, &bytes), 0);
	rdata = sp_arena_alloc(arena, bytes.len + 4);
	memcpy(rdata, head, sizeof(head));
	memcpy(rdata + 4, bytes.ptr, bytes.len);
	assert_int_equal(sp_seen_from_rdata(SP_STR("dskey.example.com"),
	                                    SP_DNS_TYPE_DNSKEY,
	                                    sp_str_slice(rdata, bytes.len + 4),
	                                    arena, &key),
	                 0);
	return key;
}

static const struct fit_case {
	const char *name;
	const char *ds; /* RDATA in hex */
	bool fits;
} fit_cases[] = {
	{"RFC 4034 5.4 SHA-1",
         "ec45"
         "05"
         "01"
         "2bb183af5f22588179a53b0a98631fad1a292118",
         true},
	{"RFC 4509 2.3 SHA-256",
         "ec45"
         "05"
         "02"
         "d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a",
         true},
	{"RFC 4034 5.1.1 another tag",
         "ec46"
         "05"
         "01"
         "2bb183af5f22588179a53b0a98631fad1a292118",
         false},
	{"RFC 4034 5.1.2 another algorithm",
         "ec45"
         "08"
         "01"
         "2bb183af5f22588179a53b0a98631fad1a292118",
         false},
	{"RFC 4034 5.1.4 another digest",
         "ec45"
         "05"
         "01"
         "3bb183af5f22588179a53b0a98631fad1a292118",
         false},
	{"RFC 4034 5.1.4 a digest cut short",
         "ec45"
         "05"
         "01"
         "2b",
         false},
	{"RFC 4509 an unknown kind of digest",
         "ec45"
         "05"
         "09"
         "2bb183af5f22588179a53b0a98631fad1a292118",
         false},
};

static void test_ds(void **state)
{
	struct sp_arena arena = {0};
	struct sp_seen_record key = example_key(&arena);

	(void)state;
	assert_int_equal(key.key_tag, 60485);
	assert_int_equal(key.flags, SP_SEEN_KEY_ZONE);
	for (size_t i = 0; i < COUNT(fit_cases); i++) {
		struct sp_seen_record ds;
		uint8_t rdata[64];
		size_t len;

		print_message("  %s\n", fit_cases[i].name);
		assert_int_equal(sp_str_unhex(sp_str_from(fit_cases[i].ds),
		                              rdata, sizeof(rdata), &len),
		                 0);
		assert_int_equal(sp_seen_from_rdata(key.owner, SP_DNS_TYPE_DS,
		                                    sp_str_slice(rdata, len),
		                                    &arena, &ds),
		                 0);
		assert_int_equal(sp_seen_ds_fits(&ds, &key), fit_cases[i].fits);
	}
	sp_arena_fini(&arena);
}

static void test_ds_line(void **state)
{
	struct sp_arena arena = {0};
	struct sp_seen_record key = example_key(&arena);
	struct sp_seen_record ns = {.type = SP_DNS_TYPE_NS};

	(void)state;
	assert_true(sp_str_eq(
		sp_seen_ds_line(&key, &arena),
		SP_STR("dskey.example.com. DS 60485 5 2 d4b7d520e7bb5f0f67674a"
	               "0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a")));
	assert_int_equal(sp_seen_ds_line(&ns, &arena).len, 0);
	sp_arena_fini(&arena);
}

static void test_rdata_refused(void **state)
{
	struct sp_arena arena = {0};
	struct sp_seen_record record;

	(void)state;
	assert_int_equal(sp_seen_from_rdata(SP_STR("d.test"), SP_DNS_TYPE_DS,
	                                    SP_STR("\1\2\3"), &arena, &record),
	                 SP_ESYNTAX);
	assert_int_equal(sp_seen_from_rdata(SP_STR("D..test"), SP_DNS_TYPE_DS,
	                                    SP_STR("\1\2\3\4\5"), &arena,
	                                    &record),
	                 SP_ESYNTAX);
	sp_arena_fini(&arena);
}

static void test_words(void **state)
{
	char out[24];

	(void)state;
	assert_string_equal(sp_seen_algorithm_text(13, out), "ECDSAP256SHA256");
	assert_string_equal(sp_seen_algorithm_text(99, out), "algorithm 99");
	assert_true(sp_seen_algorithm_weak(7)); /* RFC 9905 */
	assert_true(sp_seen_algorithm_weak(1));
	assert_false(sp_seen_algorithm_weak(8));
	assert_false(sp_seen_algorithm_weak(99));
	assert_string_equal(sp_seen_type_text(48, out), "DNSKEY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_rrsig_window),
		cmocka_unit_test(test_ds),
		cmocka_unit_test(test_ds_line),
		cmocka_unit_test(test_rdata_refused),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
