/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/dkim.h"

/* ---- relaxed forms ---- */

static const struct {
	const char *name, *field_name, *value, *relaxed;
} FIELDS[] = {
	{"RFC 6376 3.4.5", "A", " X", "a:X\r\n"},
	{"RFC 6376 3.4.5: folded", "B", " Y\t\r\n\tZ  ", "b:Y Z\r\n"},
	{"RFC 6376 3.4.2: blanks", "SubJect", "\t a \t b ", "subject:a b\r\n"},
	{"empty", "X", "", "x:\r\n"},
	{"blanks only", "X", " \r\n ", "x:\r\n"},
	{"RFC 6532: 8-bit", "To", " \xc3\x84 B", "to:\xc3\x84 B\r\n"},
};

static void test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
		struct sp_buf out;

		sp_buf_init(&out, 1000);
		assert_int_equal(
			sp_dkim_relax_field(sp_str_from(FIELDS[i].field_name),
		                            sp_str_from(FIELDS[i].value), &out),
			0);
		if (!sp_str_eq(sp_buf_str(&out),
		               sp_str_from(FIELDS[i].relaxed))) {
			fail_msg("%s", FIELDS[i].name);
		}
		sp_buf_fini(&out);
	}
}

static void append(void *arg, struct sp_str bytes)
{
	assert_int_equal(sp_buf_append_str(arg, bytes), 0);
}

static void relax(struct sp_str text, size_t step, struct sp_buf *out)
{
	struct sp_dkim_body body;

	sp_buf_init(out, 1000);
	sp_dkim_body_init(&body, append, out);
	for (size_t at = 0; at < text.len; at += step) {
		sp_dkim_body_feed(&body, sp_str_sub(text, at, step));
	}
	sp_dkim_body_finish(&body);
}

static const struct {
	const char *name, *text, *relaxed;
} BODIES[] = {
	{"RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"},
	{"RFC 6376 3.4.4: empty", "", ""},
	{"only line ends", "\r\n\r\n\r\n", ""},
	{"only blanks", " \t \r\n \r\n", ""},
	{"no line end", "a", "a\r\n"},
	{"no line end, blanks", "a \t", "a\r\n"},
	{"empty lines within",
         "a\r\n\r\n \r\n\t\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
         "\r\n\r\n\r\n\r\nb",
         "a\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
         "\r\n\r\n\r\n\r\nb\r\n"},
	{"blank at the start of a line", "a\r\n  b\r\n", "a\r\n b\r\n"},
	{"dots", ".\r\n..\r\n", ".\r\n..\r\n"},
	{"8-bit", "\xc3\xa4  \xff\r\n", "\xc3\xa4 \xff\r\n"},
	{"a CR of its own", "a\rb\r\r\n", "a\rb\r\r\n"},
};

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
		for (size_t step = 1; step < 5; step++) {
			struct sp_buf out;

			relax(sp_str_from(BODIES[i].text), step, &out);
			if (!sp_str_eq(sp_buf_str(&out),
			               sp_str_from(BODIES[i].relaxed))) {
				fail_msg("%s by %zu: " SP_STR_FMT,
				         BODIES[i].name, step,
				         SP_STR_ARG(sp_buf_str(&out)));
			}
			sp_buf_fini(&out);
		}
	}
}

/* ---- the signature field ---- */

#define FIELD(n, v)                                                            \
	{                                                                      \
		.name = SP_STR(n), .value = SP_STR(v)                          \
	}

static void test_input(void **state)
{
	static const struct sp_header_field fields[] = {
		FIELD("Received", " by x"),
		FIELD("From", " a@d.test"),
		FIELD("TO", " first"),
		FIELD("X-Other", " y"),
		FIELD("To", " second"),
		FIELD("Subject", " s  s"),
		FIELD("TLS-Report-Domain", " e"),
	};
	static const struct sp_dkim_signature s = {
		.algorithm = "ed25519-sha256",
		.domain = SP_STR("d.test"),
		.selector = SP_STR("s1"),
		.time_s = 1800000000,
		.body_hash = SP_STR("foo"),
	};
	static const char FIELD_TEXT[] =
		"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
		"\td=d.test; s=s1; t=1800000000;\r\n"
		"\tbh=Zm9v;\r\n"
		"\th=from:from:to:to:to:cc:subject:subject:date:message-id:"
		"reply-to:\r\n"
		"\tmime-version:content-type:content-transfer-encoding:"
		"tls-report-domain;\r\n"
		"\tb=";
	static const char INPUT[] =
		"from:a@d.test\r\n"
		"to:second\r\n"
		"to:first\r\n"
		"subject:s s\r\n"
		"tls-report-domain:e\r\n"
		"dkim-signature:v=1; a=ed25519-sha256; c=relaxed/relaxed; "
		"d=d.test; s=s1; t=1800000000; bh=Zm9v; "
		"h=from:from:to:to:to:cc:subject:subject:date:message-id:"
		"reply-to: mime-version:content-type:"
		"content-transfer-encoding:tls-report-domain; b=";
	struct sp_buf field;
	struct sp_buf input;

	(void)state;
	sp_buf_init(&field, 10000);
	sp_buf_init(&input, 10000);
	assert_int_equal(sp_dkim_signature_input(&s, fields, 7, &field, &input),
	                 0);
	assert_true(sp_str_eq(sp_buf_str(&field), sp_str_from(FIELD_TEXT)));
	assert_true(sp_str_eq(sp_buf_str(&input), sp_str_from(INPUT)));
	sp_buf_fini(&field);
	sp_buf_init(&field, 100);
	assert_int_not_equal(
		sp_dkim_signature_input(&s, fields, 7, &field, &input), 0);
	sp_buf_fini(&field);
	sp_buf_fini(&input);
}

/* ---- key records ---- */

static const struct {
	const char *name, *text;
	const char *result; /* "type key flags services", or the reason */
} RECORDS[] = {
	{"RFC 6376 3.6.1", "v=DKIM1; p=Zm9v", "rsa foo  "},
	{"no version", "p=Zm9v", "rsa foo  "},
	{"RFC 8463 4", "v=DKIM1; k=ed25519; p=Zm9v;", "ed25519 foo  "},
	{"RFC 8460 3", "v=DKIM1; k=rsa; s=tlsrpt; p=Zm9v", "rsa foo  tlsrpt"},
	{"RFC 6376 3.6.1: revoked", "v=DKIM1; p=", "rsa   "},
	{"testing", "v=DKIM1; t=y; p=Zm9v", "rsa foo y "},
	{"flags", "v=DKIM1; t= s : y; p=Zm9v", "rsa foo ys "},
	{"sha1 only", "v=DKIM1; h=sha1; p=Zm9v", "rsa foo 1 "},
	{"sha256 among others", "v=DKIM1; h=sha1:sha256; p=Zm9v", "rsa foo  "},
	{"unknown tag", "v=DKIM1; x=y; p=Zm9v", "rsa foo  "},
	{"unknown type", "v=DKIM1; k=dsa; p=Zm9v", "other foo  "},
	{"RFC 6376 3.2: blanks", " v = DKIM1 ;\tp = Zm\r\n 9v ", "rsa foo  "},
	{"wrong version", "v=DKIM2; p=Zm9v", "v= is not first, or not DKIM1"},
	{"version behind", "p=Zm9v; v=DKIM1", "v= is not first, or not DKIM1"},
	{"RFC 6376 3.2: twice", "v=DKIM1; p=Zm9v; p=Zm9v",
         "a tag stands twice"},
	{"no key", "v=DKIM1", "no p="},
	{"nothing", "", "no p="},
	{"key is no base64", "v=DKIM1; p=Zm9", "p= is not base64"},
	{"another record", "v=spf1 -all", "v= is not first, or not DKIM1"},
	{"empty tag", "v=DKIM1;; p=Zm9v", "a tag without ="},
	{"name with other characters", "v=DKIM1; -=x; p=Zm9v",
         "the name of a tag has other characters"},
	{"no services", "v=DKIM1; s=; p=Zm9v", "s= is empty"},
};

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(RECORDS) / sizeof(RECORDS[0]); i++) {
		char why[SP_DKIM_WHY_MAX] = "";
		struct sp_dkim_record r;
		struct sp_arena arena;

		sp_arena_init(&arena);
		if (sp_dkim_record_parse(sp_str_from(RECORDS[i].text), &arena,
		                         &r, why) == 0) {
			snprintf(why, sizeof(why),
			         "%s " SP_STR_FMT " %s%s%s " SP_STR_FMT,
			         sp_dkim_key_type_text(r.type),
			         SP_STR_ARG(r.key), r.testing ? "y" : "",
			         r.no_subdomains ? "s" : "",
			         r.no_sha256 ? "1" : "",
			         SP_STR_ARG(r.services));
		}
		if (strcmp(why, RECORDS[i].result) != 0) {
			fail_msg("%s: %s", RECORDS[i].name, why);
		}
		sp_arena_fini(&arena);
	}
}

static void test_services(void **state)
{
	static const struct {
		const char *services, *service;
		bool serves;
	} cases[] = {
		{"", "email", true},
		{"", "tlsrpt", true},
		{"*", "tlsrpt", true},
		{"email", "tlsrpt", false},
		{"email:tlsrpt", "tlsrpt", true},
		{" tlsrpt ", "email", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sp_dkim_record r = {
			.services = sp_str_from(cases[i].services)};

		assert_int_equal(sp_dkim_record_serves(
					 &r, sp_str_from(cases[i].service)),
		                 cases[i].serves);
	}
}

static void test_format(void **state)
{
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	assert_string_equal(sp_dkim_record_format(SP_DKIM_KEY_ED25519,
	                                          SP_STR("foo"), SP_STR(""),
	                                          &arena)
	                            .ptr,
	                    "v=DKIM1; k=ed25519; p=Zm9v");
	assert_string_equal(sp_dkim_record_format(SP_DKIM_KEY_RSA,
	                                          SP_STR("foo"),
	                                          SP_STR("tlsrpt"), &arena)
	                            .ptr,
	                    "v=DKIM1; k=rsa; s=tlsrpt; p=Zm9v");
	sp_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),   cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_input),    cmocka_unit_test(test_records),
		cmocka_unit_test(test_services), cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
