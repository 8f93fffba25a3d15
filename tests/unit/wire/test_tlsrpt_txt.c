/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/tlsrpt_txt.h"

#define V "v=TLSRPTv1; "

static const struct txt_case {
	const char *name;
	const char *records[3];
	int err;
	const char *rua;     /* URIs, or part of the reason */
	const char *ignored; /* "URI (why)"; null: none */
} CASES[] = {
	{"RFC 8460 3.1 mail",
         {"v=TLSRPTv1;rua=mailto:reports@example.com"},
         0,
         "mailto:reports@example.com",
         NULL},
	{"RFC 8460 3.1 https",
         {"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"},
         0,
         "https://reporting.example.com/v1/tlsrpt",
         NULL},
	{"RFC 8460 3 several, blanks around commas",
         {V
          "rua=mailto:a@b.test , https://c.test:8443/x?y=z&w=1,mailto:d@e.test"
          " ; "},
         0,
         "mailto:a@b.test https://c.test:8443/x?y=z&w=1 mailto:d@e.test",
         NULL},
	{"RFC 8460 3 extensions, any order",
         {"v=TLSRPTv1; x.y-z_1=a:b; rua=mailto:a@b.test; q=w"},
         0,
         "mailto:a@b.test",
         NULL},
	{"RFC 8460 3 other records are passed over",
         {"v=spf1 -all", V "rua=mailto:a@b.test", "v=TLSRPTv2; rua=x"},
         0,
         "mailto:a@b.test",
         NULL},
	{"RFC 8460 3 the first rua counts",
         {V "rua=mailto:a@b.test; rua=mailto:c@d.test"},
         0,
         "mailto:a@b.test",
         NULL},
	{"RFC 3986 3.1 the scheme has no case",
         {V "rua=MailTo:a@b.test,HTTPS://c.test"},
         0,
         "MailTo:a@b.test HTTPS://c.test",
         NULL},
	{"RFC 8460 3 unknown scheme",
         {V "rua=http://a.test/,mailto:a@b.test,ftp://c.test"},
         0,
         "mailto:a@b.test",
         "http://a.test/ (neither mailto: nor https:) "
         "ftp://c.test (neither mailto: nor https:)"},
	{"RFC 8460 3 address without mailto:",
         {V "rua=a@b.test,mailto:c@d.test"},
         0,
         "mailto:c@d.test",
         "a@b.test (neither mailto: nor https:)"},
	{"RFC 8460 3 exclamation mark must be encoded",
         {V "rua=mailto:a@b.test!10m,mailto:c%21@d.test"},
         0,
         "mailto:c%21@d.test",
         "mailto:a@b.test!10m (not a URI)"},
	{"RFC 8460 3 blank in a URI",
         {V "rua=mailto:a@b.test mailto:c@d.test, https://e.test"},
         0,
         "https://e.test",
         "mailto:a@b.test mailto:c@d.test (not a URI)"},
	{"RFC 8460 3 empty place in the list",
         {V "rua=mailto:a@b.test,,mailto:c@d.test"},
         0,
         "mailto:a@b.test mailto:c@d.test",
         " (not a URI)"},
	{"RFC 6068 2 no address",
         {V "rua=mailto:,mailto:@b.test,mailto:a,mailto:a@b..test,"
            "mailto:a@[192.0.2.1],mailto:c@d.test"},
         0,
         "mailto:c@d.test",
         "mailto: (not a mail address) mailto:@b.test (not a mail address) "
         "mailto:a (not a mail address) mailto:a@b..test (not a mail address) "
         "mailto:a@[192.0.2.1] (not a mail address)"},
	{"RFC 6068 2 bad percent-encoding",
         {V "rua=mailto:a%4@b.test,mailto:a%zz@b.test,mailto:a%0d%0a@b.test,"
            "mailto:c@d.test"},
         0,
         "mailto:c@d.test",
         "mailto:a%4@b.test (not a mail address) "
         "mailto:a%zz@b.test (not a mail address) "
         "mailto:a%0d%0a@b.test (not a mail address)"},
	{"RFC 3986 3.2 wrong authority",
         {V
          "rua=https://,https:///x,https://u:p@a.test/,https://a.test:0/,"
          "https://a.test:65536/,https://a..test,https://[::1,mailto:c@d.test"},
         0,
         "mailto:c@d.test",
         "https:// (not a host and port) https:///x (not a host and port) "
         "https://u:p@a.test/ (not a host and port) "
         "https://a.test:0/ (not a host and port) "
         "https://a.test:65536/ (not a host and port) "
         "https://a..test (not a host and port) "
         "https://[::1 (not a host and port)"},
	{"RFC 3986 3.5 fragment",
         {V "rua=https://a.test/#x,mailto:c@d.test"},
         0,
         "mailto:c@d.test",
         "https://a.test/#x (a URI with a fragment)"},
	{"the same target twice",
         {V "rua=mailto:a@b.test,mailto:a@B.TEST?subject=x,https://c.test/,"
            "https://c.test/,https://c.test/d"},
         0,
         "mailto:a@b.test https://c.test/ https://c.test/d",
         "mailto:a@B.TEST?subject=x (stands twice) "
         "https://c.test/ (stands twice)"},
	{"no more than 8",
         {V "rua=mailto:a@1.test,mailto:a@2.test,mailto:a@3.test,"
            "mailto:a@4.test,mailto:a@5.test,mailto:a@6.test,mailto:a@7.test,"
            "mailto:a@8.test,mailto:a@9.test"},
         0,
         "mailto:a@1.test mailto:a@2.test mailto:a@3.test mailto:a@4.test "
         "mailto:a@5.test mailto:a@6.test mailto:a@7.test mailto:a@8.test",
         "mailto:a@9.test (more than 8)"},

	{"RFC 8460 3 none", {NULL}, SP_ENOTFOUND, "no record", NULL},
	{"RFC 8460 3 version has its case",
         {"v=tlsrptv1; rua=mailto:a@b.test"},
         SP_ENOTFOUND,
         "no record",
         NULL},
	{"RFC 8460 3 no semicolon behind the version",
         {"v=TLSRPTv1 rua=mailto:a@b.test"},
         SP_ENOTFOUND,
         "no record",
         NULL},
	{"RFC 8460 3 several",
         {V "rua=mailto:a@b.test", V "rua=mailto:a@b.test"},
         SP_EPROTO,
         "several",
         NULL},
	{"RFC 8460 3 no rua", {"v=TLSRPTv1;"}, SP_EPROTO, "no rua", NULL},
	{"RFC 8460 3 rua has its case",
         {V "RUA=mailto:a@b.test"},
         SP_EPROTO,
         "no rua",
         NULL},
	{"RFC 8460 3 empty rua", {V "rua="}, SP_EPROTO, "not a field", NULL},
	{"RFC 8460 3 only commas",
         {V "rua=,"},
         SP_EPROTO,
         "no usable URI",
         NULL},
	{"RFC 8460 3 two semicolons",
         {V "; rua=mailto:a@b.test"},
         SP_EPROTO,
         "not a field",
         NULL},
	{"RFC 8460 3 no usable URI",
         {V "rua=http://a.test/"},
         SP_EPROTO,
         "no usable URI in rua: neither mailto: nor https:: http://a.test/",
         NULL},
	{"RFC 8460 3 equals sign in an extension",
         {V "rua=mailto:a@b.test; x=y=z"},
         SP_EPROTO,
         "not a field",
         NULL},
};

static void append(struct sp_buf *out, const char *before, struct sp_str text)
{
	(void)sp_buf_append_cstr(out, sp_buf_len(out) ? before : "");
	(void)sp_buf_append_str(out, text);
}

static void check_lists(const struct txt_case *c,
                        const struct sp_tlsrpt_txt *txt)
{
	struct sp_buf out;

	sp_buf_init(&out, 10000);
	for (size_t i = 0; i < txt->rua_count; i++) {
		append(&out, " ", txt->rua[i].uri);
	}
	assert_true(sp_str_eq(sp_buf_str(&out), sp_str_from(c->rua)));
	sp_buf_reset(&out);
	for (size_t i = 0; i < txt->ignored_count; i++) {
		append(&out, " ", txt->ignored[i].uri);
		(void)sp_buf_printf(&out, " (%s)", txt->ignored[i].why);
	}
	assert_true(sp_str_eq(sp_buf_str(&out), sp_str_from(c->ignored)));
	sp_buf_fini(&out);
}

static void test_txt(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		char why[SP_TLSRPT_WHY_MAX] = "";
		struct sp_str records[3];
		struct sp_tlsrpt_txt txt;
		struct sp_arena arena;
		size_t n = 0;

		print_message("  %s\n", CASES[i].name);
		sp_arena_init(&arena);
		while (n < 3 && CASES[i].records[n]) {
			records[n] = sp_str_from(CASES[i].records[n]);
			n++;
		}
		assert_int_equal(
			sp_tlsrpt_txt_parse(records, n, &arena, &txt, why),
			CASES[i].err);
		if (CASES[i].err) {
			assert_non_null(strstr(why, CASES[i].rua));
		} else {
			check_lists(&CASES[i], &txt);
		}
		assert_int_equal(
			sp_tlsrpt_txt_parse(records, n, &arena, &txt, NULL),
			CASES[i].err);
		sp_arena_fini(&arena);
	}
}

/* RFC 6068: what is written to is the decoded address, without the rest. */
static void test_address(void **state)
{
	static const struct {
		const char *uri;
		const char *address;
	} cases[] = {
		{"mailto:Tls.Reports+x@Example.COM",
	         "Tls.Reports+x@example.com"},
		{"mailto:a%2Bb@c.test?subject=x&to=y@z.test", "a+b@c.test"},
		{"mailto:%61%40b.test", "a@b.test"},
		{"mailto:a@b%C3%BCcher.test", "a@xn--bcher-kva.test"},
	};
	struct sp_tlsrpt_txt txt;
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_str record = sp_str_from(
			sp_arena_printf(&arena, V "rua=%s", cases[i].uri));

		assert_int_equal(
			sp_tlsrpt_txt_parse(&record, 1, &arena, &txt, NULL), 0);
		assert_int_equal(txt.rua[0].scheme, SP_TLSRPT_MAILTO);
		assert_true(sp_str_eq(txt.rua[0].address,
		                      sp_str_from(cases[i].address)));
	}
	sp_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_txt),
		cmocka_unit_test(test_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
