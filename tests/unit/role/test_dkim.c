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
	if (sp_dkim_signer_finish(s, 1700000000, &out, why, sizeof(why))) {
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

/* ---- verifying ---- */

/* Has the signed message verified, with a record of ours, and something done
 * to it: null, or why it did not pass. The text is the world's. */
static const char *verify(struct world *w, const char *signature,
                          const char *record, struct sp_str body,
                          const char *extra)
{
	struct sp_str text = sp_str_from(
		sp_arena_printf(&w->arena, "%s%s%s", signature, extra, HEADER));
	struct sp_header_field fields[32];
	struct sp_dkim_verifier *v;
	char why[200] = "";
	const char *result;
	size_t count = 0;

	while (sp_header_field_next(&text, true, &fields[count]) ==
	       SP_HEADER_FIELD_FOUND) {
		count++;
	}
	if (sp_dkim_verifier_new(w->lib, fields, count, &v, why, sizeof(why))) {
		return sp_arena_cstr(&w->arena, sp_str_from(why));
	}
	assert_int_equal(sp_dkim_verifier_count(v), 1);
	assert_non_null(strstr(sp_dkim_verifier_owner(v, 0),
	                       "._domainkey.football.example.com"));
	if (record) {
		sp_dkim_verifier_key(v, 0, sp_str_from(record));
	}
	sp_dkim_verifier_feed(v, body);
	assert_int_equal(sp_dkim_verifier_finish(v), 0);
	assert_true(sp_dkim_verifier_covers(v, 0, "from"));
	assert_false(sp_dkim_verifier_covers(v, 0, "received"));
	result = sp_dkim_verifier_seen(v, 0)->passed
	                 ? NULL
	                 : sp_arena_cstr(
				   &w->arena,
				   sp_str_from(
					   sp_dkim_verifier_seen(v, 0)->why));
	sp_dkim_verifier_free(&v);
	return result;
}

static const char *record_of(struct world *w)
{
	struct sp_str public;

	assert_int_equal(sp_dkim_key_public(w->key, &w->arena, &public), 0);
	return sp_dkim_record_format(sp_dkim_key_type(w->key), public,
	                             SP_STR(""), &w->arena)
	        .ptr;
}

static void test_verify(void **state)
{
	static const enum sp_dkim_key_type types[] = {SP_DKIM_KEY_RSA,
	                                              SP_DKIM_KEY_ED25519};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world other;
		struct world w;
		const char *text;
		const char *record;
		char *cut;

		set_up(&w, types[i]);
		set_up(&other, types[i]);
		text = sign(&w, SP_STR(BODY), 100);
		record = record_of(&w);
		assert_null(verify(&w, text, record, SP_STR(BODY), ""));
		assert_null(verify(&w, text, record, SP_STR(BODY "\r\n"), ""));
		assert_null(verify(&w, text, record, SP_STR(BODY),
		                   "Received: by x\r\n"));
		assert_non_null(
			verify(&w, text, record, SP_STR(BODY "x\r\n"), ""));
		assert_non_null(verify(&w, text, record, SP_STR(BODY),
		                       "Subject: another\r\n"));
		assert_non_null(verify(&w, text, record, SP_STR(BODY),
		                       "Reply-To: x@y.test\r\n"));
		assert_non_null(
			verify(&w, text, record_of(&other), SP_STR(BODY), ""));
		assert_non_null(verify(&w, text, NULL, SP_STR(BODY), ""));
		assert_non_null(
			verify(&w, text, "v=DKIM1; p=", SP_STR(BODY), ""));
		assert_non_null(verify(&w, text, "junk", SP_STR(BODY), ""));
		assert_string_equal(verify(&w, "", record, SP_STR(BODY), ""),
		                    "no DKIM signature");
		cut = sp_arena_cstr(&w.arena, sp_str_from(text));
		memcpy(strstr(cut, "bh="), "xh=", 3);
		assert_non_null(verify(&w, cut, record, SP_STR(BODY), ""));
		tear_down(&w);
		tear_down(&other);
	}
}

/* RFC 8463 A.3: a signature that we did not make. */
static void test_rfc8463(void **state)
{
	static const char signature[] =
		"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
		" d=football.example.com; i=@football.example.com;\r\n"
		" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
		" subject : date : message-id : from : subject : date;\r\n"
		" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
		" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus"
		"Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n";
	static const char record[] =
		"v=DKIM1; k=ed25519; "
		"p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
	struct world w;

	(void)state;
	set_up(&w, SP_DKIM_KEY_ED25519);
	assert_null(verify(&w, signature, record, SP_STR(BODY), ""));
	assert_non_null(verify(&w, signature, record, SP_STR("x"), ""));
	tear_down(&w);
}

/* RFC 6376 8.2: made by another implementation, good but for l=. */
static void test_part_of_body(void **state)
{
	static const char signature[] =
		"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
		" d=football.example.com; i=@football.example.com; l=54; "
		"q=dns/txt;\r\n"
		" s=test; t=1700000000; h=from : to;\r\n"
		" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
		" b=TmIPb+"
		"tusTaBw4yPvHJM729iknJprfIAqeYWmdf6VZp5mlT3I5SP8zkeo6OZ7ds77rLd"
		"z\r\n"
		" LCV/0PhBLM/CWwCBQ==\r\n";
	static const char record[] =
		"v=DKIM1; k=ed25519; "
		"p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
	static const char *const bodies[] = {BODY, BODY "and more\r\n"};
	struct world w;

	(void)state;
	set_up(&w, SP_DKIM_KEY_ED25519);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(verify(&w, signature, record,
		                           sp_str_from(bodies[i]), ""),
		                    "covers a part of the body only (l=)");
	}
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
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_rfc8463),
		cmocka_unit_test(test_part_of_body),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
