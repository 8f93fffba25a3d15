/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message of RFC 8463 A.3, signed by both kinds of keys. Signatures are
 * verified by another implementation in the scenarios.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "role/dkim.h"

#define HEADER                                                                 \
	"From: Joe SixPack <joe@football.example.com>\r\n"                     \
	"To: Suzie Q <suzie@shopping.example.net>\r\n"                         \
	"Subject: Is dinner ready?\r\n"                                        \
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                      \
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"     \
	"\r\n"
#define BODY                                                                   \
	"Hi.\r\n"                                                              \
	"\r\n"                                                                 \
	"We lost the game.  Are you hungry yet?\r\n"                           \
	"\r\n"                                                                 \
	"Joe.\r\n"
#define BODY_HASH "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;"

struct world {
	struct sp_dkim_lib *lib;
	struct sp_arena arena;
	struct sp_header_field fields[16];
	size_t count;
	struct sp_dkim_key *key;
	struct sp_dkim_signing signing;
};

static void set_up(struct world *w, enum sp_dkim_key_type type)
{
	struct sp_str rest = SP_STR(HEADER);
	struct sp_str pem;
	char why[100] = "";

	*w = (struct world){.lib = sp_dkim_lib_new()};
	assert_non_null(w->lib);
	sp_arena_init(&w->arena);
	while (sp_header_field_next(&rest, true, &w->fields[w->count]) ==
	       SP_HEADER_FIELD_FOUND) {
		w->count++;
	}
	assert_int_equal(sp_dkim_key_make(type, 1024, &w->arena, &pem), 0);
	assert_int_equal(sp_dkim_key_load(pem, &w->key, why, sizeof(why)), 0);
	w->signing = (struct sp_dkim_signing){
		.key = w->key,
		.pem = sp_arena_cstr(&w->arena, pem),
		.domain = "football.example.com",
		.selector = "test",
	};
}

static void tear_down(struct world *w)
{
	sp_dkim_key_free(&w->key);
	sp_dkim_lib_free(&w->lib);
	sp_arena_fini(&w->arena);
}

/* In pieces of the size. */
static const char *sign(struct world *w, struct sp_str body, size_t step)
{
	struct sp_dkim_signer *s;
	char why[200] = "";
	struct sp_buf out;
	const char *text;

	sp_buf_init(&out, 16384);
	if (sp_dkim_signer_new(w->lib, &w->signing, w->fields, w->count, &s,
	                       why, sizeof(why))) {
		fail_msg("%s", why);
	}
	for (size_t at = 0; at < body.len; at += step) {
		sp_dkim_signer_feed(s, sp_str_sub(body, at, step));
	}
	if (sp_dkim_signer_finish(s, 1800000000, &out, why, sizeof(why))) {
		fail_msg("%s", why);
	}
	sp_dkim_signer_free(&s);
	text = sp_arena_cstr(&w->arena, sp_buf_str(&out));
	sp_buf_fini(&out);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part)) {
		fail_msg("%s is not in %s", part, text);
	}
}

static void test_both(void **state)
{
	static const struct {
		enum sp_dkim_key_type type;
		const char *algorithm;
	} cases[] = {{SP_DKIM_KEY_RSA, "a=rsa-sha256;"},
	             {SP_DKIM_KEY_ED25519, "a=ed25519-sha256;"}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		const char *text;

		set_up(&w, cases[i].type);
		for (size_t step = 1; step < 40; step += 6) {
			text = sign(&w, SP_STR(BODY), step);
			assert_has(text, "DKIM-Signature: v=1; ");
			assert_has(text, cases[i].algorithm);
			assert_has(text, "c=relaxed/relaxed;");
			assert_has(text, "d=football.example.com;");
			assert_has(text, "s=test;");
			assert_has(text, BODY_HASH);
			assert_null(strstr(text, "l="));
			assert_has(text + strlen(text) - 2, "\r\n");
		}
		tear_down(&w);
	}
}

/* RFC 8463 3: the same message gives the same signature. */
static void test_deterministic(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, SP_DKIM_KEY_ED25519);
	assert_string_equal(sign(&w, SP_STR(BODY), 1),
	                    sign(&w, SP_STR(BODY "\r\n \r\n"), 7));
	tear_down(&w);
}

/* RFC 6376 3.4.4: the hash of nothing. */
static void test_no_body(void **state)
{
	static const char *const hash =
		"bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;";
	struct world w;

	(void)state;
	set_up(&w, SP_DKIM_KEY_ED25519);
	assert_has(sign(&w, SP_STR(""), 1), hash);
	tear_down(&w);
	set_up(&w, SP_DKIM_KEY_RSA);
	assert_has(sign(&w, SP_STR(""), 1), hash);
	tear_down(&w);
}

static void test_room(void **state)
{
	struct sp_dkim_signer *s;
	struct world w;
	struct sp_buf out;
	char why[200] = "";

	(void)state;
	set_up(&w, SP_DKIM_KEY_ED25519);
	sp_buf_init(&out, 100);
	assert_int_equal(sp_dkim_signer_new(w.lib, &w.signing, w.fields,
	                                    w.count, &s, why, sizeof(why)),
	                 0);
	assert_int_not_equal(
		sp_dkim_signer_finish(s, 1, &out, why, sizeof(why)), 0);
	assert_string_not_equal(why, "");
	sp_dkim_signer_free(&s);
	sp_buf_fini(&out);
	tear_down(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_no_body),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
