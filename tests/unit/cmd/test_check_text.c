/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An analysis for people: which finding speaks first, what its first screen
 * says, and that nothing a stranger wrote becomes markup or a terminal's
 * command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cmd/check_text.h"
#include "cmd/plan_text.h"

#define STEP(id, verdict, code, scenario, evidence, children)                  \
	"{\"id\":\"" id "\",\"title\":\"Title of " id                          \
	"\",\"verdict\":\"" verdict                                            \
	"\",\"elapsed_ms\":3,\"evidence\":{" evidence "},\"code\":" code       \
	",\"scenario\":" scenario ",\"meaning\":\"Meaning of " id              \
	"\",\"action\":\"Do this.\\nThen that.\""                              \
	",\"children\":[" children "]}"
#define NONE    "null"
#define CODE(c) "\"" c "\""

static struct sp_json *check_of(const char *verdict, const char *root)
{
	char text[8192];
	struct sp_json *json = NULL;

	snprintf(text, sizeof(text),
	         "{\"target\":\"d.test\",\"test\":\"dane\",\"verdict\":\"%s\","
	         "\"started\":\"2026-11-23T10:00:00Z\",\"elapsed_ms\":1234,"
	         "\"tree\":%s}",
	         verdict, root);
	assert_int_equal(sp_json_parse(sp_str_from(text),
	                               &SP_JSON_LIMITS_DEFAULT, &json, NULL, 0),
	                 0);
	return json;
}

/* ---- findings ---- */

static const struct find_case {
	const char *name;
	const char *root;
	const char *found; /* "verdict scenario places" each */
} find_cases[] = {
	{"nothing", STEP("check", "pass", NONE, NONE, "", ""), ""},
	{"the deepest is the place",
         STEP("check", "fail", CODE("4.7.323"), CODE("tlsa-mismatch"), "",
              STEP("dane", "fail", CODE("4.7.323"), CODE("tlsa-mismatch"), "",
                   STEP("dane.tls", "fail", CODE("4.7.323"),
                        CODE("tlsa-mismatch"), "", ""))),
         "fail tlsa-mismatch 1 dane.tls;"},
	{"several places of one",
         STEP("check", "warn", CODE("4.7.322"), CODE("cert-expired"), "",
              STEP("a", "warn", CODE("4.7.322"), CODE("cert-expired"),
                   "\"address\":\"192.0.2.1\"",
                   "") "," STEP("b", "warn", CODE("4.7.322"),
                                CODE("cert-expired"),
                                "\"address\":\"192.0.2.2\"",
                                "") "," STEP("c", "warn", CODE("4.7.322"),
                                             CODE("cert-expired"),
                                             "\"address\":\"192.0.2.1\"", "")),
         "warn cert-expired 2 a;"},
	{"the retry simulation echoes",
         STEP("check", "fail", CODE("4.7.322"), CODE("cert-expired"), "",
              STEP("dane", "fail", CODE("4.7.322"), CODE("cert-expired"), "",
                   "") "," STEP("retry", "fail", NONE, NONE, "",
                                STEP("retry.attempt", "fail", CODE("4.7.322"),
                                     CODE("cert-expired"),
                                     "\"host\":\"mx.d.test\"", ""))),
         "fail cert-expired 1 dane;"},
	{"the root's first, then what fails, then what warns",
         STEP("check", "fail", CODE("4.7.324"), CODE("rrsig-expired"), "",
              STEP("w", "warn", NONE, CODE("tlsa-unsigned"), "", "") "," STEP(
		      "f", "fail", CODE("4.7.321"), CODE("handshake-failed"),
		      "", "") "," STEP("r", "fail", CODE("4.7.324"),
                                       CODE("rrsig-expired"), "", "")),
         "fail rrsig-expired 1 r;fail handshake-failed 1 f;"
         "warn tlsa-unsigned 1 w;"},
	{"advice is as bad as its table says, whatever stands below it",
         STEP("check", "fail", CODE("4.7.324"), CODE("rrsig-expired"), "",
              STEP("m", "fail", NONE, CODE("mx-implicit"), "",
                   STEP("r", "fail", CODE("4.7.324"), CODE("rrsig-expired"), "",
                        ""))),
         "fail rrsig-expired 1 r;"},
};

static void test_find(void **state)
{
	struct sp_findings *found = SP_NEW(struct sp_findings);

	(void)state;
	for (size_t i = 0; i < sizeof(find_cases) / sizeof(*find_cases); i++) {
		const struct find_case *c = &find_cases[i];
		struct sp_json *check = check_of("fail", c->root);
		struct sp_buf text;

		sp_buf_init(&text, 4096);
		sp_findings_find(sp_json_get(check, "tree"), found);
		for (size_t n = 0; n < found->count; n++) {
			const struct sp_finding *f = &found->list[n];

			(void)sp_buf_printf(
				&text,
				SP_STR_FMT " " SP_STR_FMT " %zu " SP_STR_FMT
					   ";",
				SP_STR_ARG(f->verdict), SP_STR_ARG(f->scenario),
				f->places,
				SP_STR_ARG(sp_json_get_str(f->step, "id")));
		}
		if (!sp_str_eq(sp_buf_str(&text), sp_str_from(c->found))) {
			fail_msg("%s: " SP_STR_FMT, c->name,
			         SP_STR_ARG(sp_buf_str(&text)));
		}
		sp_buf_fini(&text);
		sp_json_free(&check);
	}
	sp_free(found);
}

/* ---- what is printed ---- */

typedef void put_fn(FILE *f, const struct sp_json *check);

static void put_plain(FILE *f, const struct sp_json *check)
{
	sp_check_put_text(f, check, false);
}

static void put_coloured(FILE *f, const struct sp_json *check)
{
	sp_check_put_text(f, check, true);
}

static char *printed(put_fn *put, const char *verdict, const char *root)
{
	struct sp_json *check = check_of(verdict, root);
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	put(f, check);
	fclose(f);
	sp_json_free(&check);
	return text;
}

#define FAILING                                                                \
	STEP("check", "fail", CODE("4.7.323"), CODE("tlsa-mismatch"), "",      \
	     STEP("dane", "fail", CODE("4.7.323"), CODE("tlsa-mismatch"),      \
	          "\"host\":\"mx.d.test\",\"address\":\"192.0.2.1\","          \
	          "\"why\":\"seen so\",\"who\":\"us\"",                        \
	          "") "," STEP("w", "warn", NONE, CODE("tlsa-unsigned"), "",   \
	                       ""))

static void test_first_screen(void **state)
{
	char *text = printed(put_plain, "fail", FAILING);

	(void)state;
	assert_string_equal(
		text,
		"d.test: FAIL 4.7.323 tlsa-mismatch\n"
		"DANE validation (including DNSSEC), took 1.2 s\n"
		"\n"
		"  What is wrong  Meaning of dane\n"
		"  Where          Title of dane (mx.d.test, 192.0.2.1)\n"
		"  Seen           seen so\n"
		"  Who must act   the operator of this server\n"
		"  What to do     1. Do this.\n"
		"                 2. Then that.\n"
		"  Also           [warn] tlsa-unsigned: Title of w\n"
		"\n"
		"[FAIL] Title of dane\n"
		"       4.7.323 tlsa-mismatch\n"
		"       host: mx.d.test, address: 192.0.2.1, why: seen so\n"
		"[warn] Title of w\n"
		"       tlsa-unsigned\n"
		"         Meaning of w\n"
		"         1. Do this.\n"
		"         2. Then that.\n");
	sp_free(text);
}

static void test_colour(void **state)
{
	char *text = printed(put_coloured, "fail", FAILING);

	(void)state;
	assert_non_null(strstr(text, "d.test: \033[1;31mFAIL\033[0m 4.7.323"));
	sp_free(text);
}

#define HOSTILE                                                                \
	STEP("check", "fail", CODE("5.0.0"), CODE("remote-reply"), "",         \
	     STEP("smtp", "fail", CODE("5.0.0"), CODE("remote-reply"),         \
	          "\"why\":\"<script>\\u001b[2Jx</script>\\u202e\","           \
	          "\"<b>\":\"a & 'b' \\\"c\\\"\",\"two\":\"1\\n<2>\"",         \
	          ""))

static void test_hostile(void **state)
{
	char *text = printed(put_plain, "fail", HOSTILE);
	char *page = printed(sp_check_put_html, "fail", HOSTILE);

	(void)state;
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "<script>\\x1b[2Jx</script>\\xe2\\x80"));
	assert_null(strchr(page, '\033'));
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "<b>"));
	assert_null(strstr(page, "<2>"));
	assert_non_null(strstr(page, "&lt;script&gt;"));
	assert_non_null(strstr(page, "a &amp; &#39;b&#39; &quot;c&quot;"));
	sp_free(text);
	sp_free(page);
}

/* One page, nothing from elsewhere, and its elements balanced. */
static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text += strlen(what)) {
		n++;
	}
	return n;
}

/* What holds for a host depends on its policy, too. */
static void test_rule(void **state)
{
	static const struct {
		const char *host, *found;
	} rows[] = {
		{"{\"rule\":\"opportunistic\",\"sts\":null}", "clear text"},
		{"{\"rule\":\"encrypt\"}", "whatever the certificate"},
		{"{\"rule\":\"encrypt\",\"sts\":\"enforce\"}", "MTA-STS"},
		{"{\"rule\":\"encrypt\",\"sts\":\"testing\"}", "whatever"},
		{"{\"rule\":\"new\",\"sts\":\"enforce\"}", "new"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sp_json *host = NULL;
		struct sp_str said;

		assert_int_equal(sp_json_parse(sp_str_from(rows[i].host),
		                               &SP_JSON_LIMITS_DEFAULT, &host,
		                               NULL, 0),
		                 0);
		said = sp_plan_rule_meaning(host);
		assert_non_null(strstr(said.ptr, rows[i].found));
		sp_json_free(&host);
	}
}

static void test_page(void **state)
{
	static const char *const elements[] = {"details", "summary", "div",
	                                       "dl",      "ol",      "section",
	                                       "main",    "html",    "ul"};
	char *page = printed(sp_check_put_html, "fail", FAILING);

	(void)state;
	assert_int_equal(strncmp(page, "<!DOCTYPE html>", 15), 0);
	assert_non_null(strstr(page, "<title>d.test: fail</title>"));
	assert_null(strstr(page, "http://"));
	assert_null(strstr(page, "https://"));
	assert_null(strstr(page, "src="));
	for (size_t i = 0; i < sizeof(elements) / sizeof(*elements); i++) {
		char open[32], closing[32], more[32];

		snprintf(open, sizeof(open), "<%s>", elements[i]);
		snprintf(more, sizeof(more), "<%s ", elements[i]);
		snprintf(closing, sizeof(closing), "</%s>", elements[i]);
		assert_int_equal(count(page, open) + count(page, more),
		                 count(page, closing));
	}
	sp_free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_first_screen),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
