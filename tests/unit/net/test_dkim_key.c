/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/dkim_key.h"
#include "wire/base64.h"

/* RFC 8463 A.2: an Ed25519 key, here as PKCS #8. */
#define RFC_PEM                                                                \
	"-----BEGIN PRIVATE KEY-----\n"                                        \
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"   \
	"-----END PRIVATE KEY-----\n"
#define RFC_RECORD                                                             \
	"v=DKIM1; k=ed25519; "                                                 \
	"p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

/* P-256, which DKIM doesn't know. */
#define EC_PEM                                                                 \
	"-----BEGIN PRIVATE KEY-----\n"                                        \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXQ44ypCI+uUa5aJJ\n"   \
	"aqXIfwXLrJOMwUVxeqUdFuc6asKhRANCAAS3gE5j5SOxPJkx0WJQgaUAbtDGuOIt\n"   \
	"7+NQmjUEq5LRagjJcQXNkrzoSJsaA482AqOtOKOGBfs0RUXkAlhKYK2S\n"           \
	"-----END PRIVATE KEY-----\n"

static struct sp_dkim_key *load(struct sp_str pem)
{
	struct sp_dkim_key *key = NULL;
	char why[100] = "";

	if (sp_dkim_key_load(pem, &key, why, sizeof(why))) {
		fail_msg("%s", why);
	}
	return key;
}

static bool matches(const struct sp_dkim_key *key, struct sp_str text)
{
	char why[SP_DKIM_WHY_MAX];
	struct sp_dkim_record record;
	struct sp_arena arena;
	bool same;

	sp_arena_init(&arena);
	assert_int_equal(sp_dkim_record_parse(text, &arena, &record, why), 0);
	same = sp_dkim_key_matches(key, &record);
	sp_arena_fini(&arena);
	return same;
}

static void test_rfc8463(void **state)
{
	struct sp_dkim_key *key = load(SP_STR(RFC_PEM));
	struct sp_arena arena;
	struct sp_str text = {0};

	(void)state;
	sp_arena_init(&arena);
	assert_int_equal(sp_dkim_key_type(key), SP_DKIM_KEY_ED25519);
	assert_int_equal(sp_dkim_key_public(key, &arena, &text), 0);
	text = sp_dkim_record_format(SP_DKIM_KEY_ED25519, text, SP_STR(""),
	                             &arena);
	assert_true(sp_str_eq(text, SP_STR(RFC_RECORD)));
	assert_true(matches(key, SP_STR(RFC_RECORD)));
	assert_false(matches(key, SP_STR("v=DKIM1; k=ed25519; p=")));
	assert_false(matches(key, SP_STR("v=DKIM1; k=ed25519; p=Zm9v")));
	assert_false(matches(key, SP_STR("v=DKIM1; "
	                                 "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMl"
	                                 "rwIaaPcHURo=")));
	sp_arena_fini(&arena);
	sp_dkim_key_free(&key);
	sp_dkim_key_free(&key);
}

static void test_make(void **state)
{
	static const struct {
		enum sp_dkim_key_type type;
		unsigned bits;
	} cases[] = {{SP_DKIM_KEY_RSA, 1024},
	             {SP_DKIM_KEY_RSA, 2048},
	             {SP_DKIM_KEY_ED25519, 0}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct sp_dkim_key *key;
		struct sp_arena arena;
		struct sp_str text = {0};

		sp_arena_init(&arena);
		assert_int_equal(sp_dkim_key_make(cases[i].type, cases[i].bits,
		                                  &arena, &text),
		                 0);
		key = load(text);
		assert_int_equal(sp_dkim_key_type(key), cases[i].type);
		if (cases[i].bits) {
			assert_int_equal(sp_dkim_key_bits(key), cases[i].bits);
		}
		assert_int_equal(sp_dkim_key_public(key, &arena, &text), 0);
		assert_true(matches(
			key, sp_dkim_record_format(cases[i].type, text,
		                                   SP_STR("tlsrpt"), &arena)));
		sp_dkim_key_free(&key);
		sp_arena_fini(&arena);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *name, *pem, *why;
	} cases[] = {
		{"empty", "", "not a private key"},
		{"text", "hello", "not a private key"},
		{"cut", "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n",
	         "not a private key"},
		{"EC", EC_PEM, "neither an RSA"},
	};
	struct sp_arena arena;
	struct sp_str pem;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sp_dkim_key *key = NULL;
		char why[100] = "";

		if (sp_dkim_key_load(sp_str_from(cases[i].pem), &key, why,
		                     sizeof(why)) == 0 ||
		    key || !strstr(why, cases[i].why)) {
			fail_msg("%s: %s", cases[i].name, why);
		}
	}
	/* RFC 8301 3.2 */
	sp_arena_init(&arena);
	assert_int_equal(sp_dkim_key_make(SP_DKIM_KEY_RSA, 512, &arena, &pem),
	                 0);
	{
		struct sp_dkim_key *key = NULL;
		char why[100] = "";

		assert_int_not_equal(
			sp_dkim_key_load(pem, &key, why, sizeof(why)), 0);
		assert_string_equal(why, "an RSA key of less than 1024 bits");
	}
	sp_arena_fini(&arena);
}

/* FIPS 180-2 B.1 */
static void test_sha256(void **state)
{
	static const uint8_t expected[4] = {0xba, 0x78, 0x16, 0xbf};
	struct sp_sha256 *sha = sp_sha256_new();
	uint8_t hash[SP_SHA256_BYTES];

	(void)state;
	sp_sha256_feed(sha, SP_STR("a"));
	sp_sha256_feed(sha, SP_STR("bc"));
	sp_sha256_end(sha, hash);
	assert_memory_equal(hash, expected, 4);
	sp_sha256_free(&sha);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8463),
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
