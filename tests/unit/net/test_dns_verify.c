/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of single servers. Keys and packets were made with dnspython and
 * cryptography: two MX records of d.test, signed by one key each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/dns_verify.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define NOW_MS       INT64_C(1790000000000)

/* Where the first MX record has its TTL and its data. */
#define AT_TTL        33
#define AT_PREFERENCE 37
#define AT_NAME       39

static const char key_ec[] =
	"0101030d8b50efc8ec733daa248c5cd26022ea453139c25d75d19574bc2326d4"
	"e9be00e9b53f4cdd739d54acc95ad550d9e93240bde55d1e778e58b9380d41d2"
	"ba6f4a3b";
static const char packet_ec[] =
	"0001810000010003000000010164047465737400000f0001c00c000f00010000"
	"012c0008000a036d7831c00cc00c000f00010000012c00080014034d5832c00c"
	"c00c002e00010000012c005a000f0d020000012c6ab28d006aafea00209c0164"
	"047465737400f3de9e58b39d555f64116f0c41c73abbc83552f2070e71bbdc2f"
	"14ec7b3e2587cb1fb6393dd1e6d6dd61e6b227d7e58d8f4370c841cbde82a84d"
	"4dd2bf4ba95f0000292000000000000000";
static const char key_rsa[] =
	"01010308030100018bf4f4e84e76323177f6e68a6302948ac5e3de810e8c0954"
	"af352935617c5056dab660d255f934a771f91528ae45f9bb3ad4baf576bd67e1"
	"5ccece79848b46c8398a3dc62d57f78b4bcc564d44aaeabe13d065c920afbf30"
	"066030ac0663aded1fa3f532b4bb0d9a25054a6f34e14562d349bd1e933b8929"
	"d750dd0f521df4b28544e0eb088dc0f2f70e41b7eb22f2e3e54414e4479e26ec"
	"f4e2c1e7ebc3c438bab952f6164516e22b61158220206cf4d2beb2f357158d70"
	"da46ee04b90e8a10ccc1d010ad3d95a1c4cd9a2ecb43b433a0cd0b2812fdff24"
	"50a31474f5e1ca4cc703f1f7ae068b811e00dd77daf19e4d9f9839170d3f8b37"
	"86d34131f83d9885";
static const char packet_rsa[] =
	"0001810000010003000000010164047465737400000f0001c00c000f00010000"
	"012c00080014034d5832c00cc00c000f00010000012c0008000a036d7831c00c"
	"c00c002e00010000012c011a000f08020000012c6ab28d006aafea00e7fa0164"
	"04746573740054b044a36bd153c8f59dcb27c66631e672ed5a8913dc42098e71"
	"bbbdc872135cab6c7044dd97e5d3c155521168b396802b74124c090a49c60f85"
	"d76d15c605a437f6ff17a9da9c94a9e00764ac43e9f11e62b02263fe4593a6d3"
	"3836a15280157f7e5c91979a0bc4eb0e1acf3c35c00c0655ec67ea861c563bb7"
	"fb3f9d461c45b0bd7bb66d56be8fa6321703fd29780b4e80f2a316f54a82ee0b"
	"235683b0608f8c2bc289d8eae22235c1cbfdb470c07437d8870fa4d313550d16"
	"d1c4ccc7de95eb73c3947adc95f6439baf06ed3b5fd50a9c623eb1e6999f2339"
	"7b068be3cf4ea2141c2f4405b687bb5fcdc96be7338532afc8ce1c145c2c9e04"
	"1e8487f831e30000292000000000000000";
static const char key_ed[] =
	"0101030f85bbce93337fc88b7a2bda01f1103f229eda283d0ead4141e38673a1"
	"b71e4e53";
static const char packet_ed[] =
	"0001810000010003000000010164047465737400000f0001c00c000f00010000"
	"012c00080014034d5832c00cc00c000f00010000012c0008000a036d7831c00c"
	"c00c002e00010000012c005a000f0f020000012c6ab28d006aafea004c6b0164"
	"04746573740049b08c2cdd7157122228bfeac7685bf9aa140a8151974336f961"
	"7c8e5022a65ddf4f6f9cbceb22082f3535577b7e05901354514b5aecf65f38ec"
	"0f9ca99a69090000292000000000000000";

static const struct verify_case {
	const char *name;
	const char *key, *packet;
	size_t at; /* a byte of the packet that is changed; 0: none */
	uint8_t change;
	const char *zone;
	enum sp_dns_signature found;
} cases[] = {
	{"RFC 6605 ECDSA", key_ec, packet_ec, 0, 0, "d.test",
         SP_DNS_SIGNATURE_GOOD},
	{"RFC 5702 RSA", key_rsa, packet_rsa, 0, 0, "d.test",
         SP_DNS_SIGNATURE_GOOD},
	{"RFC 8080 Ed25519", key_ed, packet_ed, 0, 0, "d.test",
         SP_DNS_SIGNATURE_GOOD},
	{"RFC 4034 6.2 case in names counts for nothing", key_ec, packet_ec,
         AT_NAME, 0x20, "d.test", SP_DNS_SIGNATURE_GOOD},
	{"RFC 4034 3.1.4 a cache may lower the TTL", key_ec, packet_ec, AT_TTL,
         1, "d.test", SP_DNS_SIGNATURE_GOOD},
	{"RFC 4035 5.3.3 other data, ECDSA", key_ec, packet_ec, AT_PREFERENCE,
         1, "d.test", SP_DNS_SIGNATURE_BROKEN},
	{"RFC 4035 5.3.3 other data, RSA", key_rsa, packet_rsa, AT_PREFERENCE,
         1, "d.test", SP_DNS_SIGNATURE_BROKEN},
	{"RFC 4035 5.3.3 other data, Ed25519", key_ed, packet_ed, AT_PREFERENCE,
         1, "d.test", SP_DNS_SIGNATURE_BROKEN},
	{"RFC 4035 5.3.1 another key", key_rsa, packet_ec, 0, 0, "d.test",
         SP_DNS_SIGNATURE_FOREIGN},
	{"RFC 4035 5.3.1 no key", NULL, packet_ec, 0, 0, "d.test",
         SP_DNS_SIGNATURE_FOREIGN},
	{"RFC 4035 5.3.1 another zone's signature", key_ec, packet_ec, 0, 0,
         "test", SP_DNS_SIGNATURE_UNKNOWN},
};

static size_t unhex(const char *hex, uint8_t *out, size_t size)
{
	size_t len = 0;

	assert_int_equal(sp_str_unhex(sp_str_from(hex), out, size, &len), 0);
	return len;
}

static size_t key_of(const struct verify_case *c, struct sp_arena *arena,
                     struct sp_seen_record *out)
{
	uint8_t bytes[512];
	size_t len;

	if (!c->key) {
		return 0;
	}
	len = unhex(c->key, bytes, sizeof(bytes));
	assert_int_equal(
		sp_seen_from_rdata(SP_STR("d.test"), SP_DNS_TYPE_DNSKEY,
	                           sp_str_slice(bytes, len), arena, out),
		0);
	return 1;
}

static void test_verify(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct verify_case *c = &cases[i];
		struct sp_arena arena = {0};
		struct sp_seen_record key;
		size_t key_count = key_of(c, &arena, &key);
		uint8_t bytes[1024];
		size_t len = unhex(c->packet, bytes, sizeof(bytes));
		struct sp_seen seen;

		print_message("  %s\n", c->name);
		bytes[c->at] ^= c->change;
		assert_int_equal(
			sp_seen_decode(sp_str_slice(bytes, len), NOW_MS, &seen),
			0);
		assert_int_equal(seen.record_count, 3);
		assert_int_equal(seen.records[2].type, SP_SEEN_TYPE_RRSIG);
		assert_int_equal(sp_dns_signature_verify(
					 &seen, &seen.records[2],
					 sp_str_from(c->zone), &key, key_count),
		                 c->found);
		sp_seen_fini(&seen);
		sp_arena_fini(&arena);
	}
}

/* Keys of one tag (CVE-2023-50387): a few are tried, and nobody is blamed. */
static void test_many_keys(void **state)
{
	const struct verify_case c = {
		.key = key_ec,
		.packet = packet_ec,
	};
	struct sp_arena arena = {0};
	struct sp_seen_record keys[100];
	uint8_t bytes[1024];
	size_t len = unhex(c.packet, bytes, sizeof(bytes));
	struct sp_seen seen;

	(void)state;
	bytes[AT_PREFERENCE] ^= 1;
	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_int_equal(key_of(&c, &arena, &keys[i]), 1);
	}
	assert_int_equal(
		sp_seen_decode(sp_str_slice(bytes, len), NOW_MS, &seen), 0);
	assert_int_equal(sp_dns_signature_verify(&seen, &seen.records[2],
	                                         SP_STR("d.test"), keys,
	                                         COUNT(keys)),
	                 SP_DNS_SIGNATURE_UNKNOWN);
	sp_seen_fini(&seen);
	sp_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_many_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
