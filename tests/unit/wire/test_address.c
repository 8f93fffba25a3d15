/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/address.h"

#define IN(lit)                                                                \
	{                                                                      \
		lit, sizeof(lit) - 1                                           \
	}
#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_address(void **state)
{
	static const struct {
		const char *name;
		struct sp_str text;
		int err;
		const char *local;
		bool utf8;
		bool literal;
	} cases[] = {
		{"RFC 5321 4.1.2 dot-string", IN("a.b+c@d-e.test"), 0, "a.b+c",
	         false, false},
		{"RFC 5321 4.1.2 all of atext",
	         IN("!#$%&'*+-/=?^_`{|}~@d.test"), 0, "!#$%&'*+-/=?^_`{|}~",
	         false, false},
		{"RFC 5321 4.1.2 quoted", IN("\"a b@c\"@d.test"), 0,
	         "\"a b@c\"", false, false},
		{"RFC 5321 4.1.2 quoted pair", IN("\"a\\\"b\\\\\"@d.test"), 0,
	         "\"a\\\"b\\\\\"", false, false},
		{"RFC 5321 4.1.2 empty quotes", IN("\"\"@d.test"), 0, "\"\"",
	         false, false},
		{"RFC 5321 4.1.3 IPv4", IN("a@[192.0.2.1]"), 0, "a", false,
	         true},
		{"RFC 5321 4.1.3 IPv6", IN("a@[IPv6:2001:db8::1]"), 0, "a",
	         false, true},
		{"RFC 6531 3.3 local part", IN("\xc3\xa9@d.test"), 0,
	         "\xc3\xa9", true, false},
		{"RFC 6531 3.3 quoted", IN("\"\xc3\xa9 \"@d.test"), 0,
	         "\"\xc3\xa9 \"", true, false},
		{"RFC 6531 3.3 domain", IN("a@\xc3\xa9.test"), 0, "a", true,
	         false},
		{"single label", IN("a@localhost"), 0, "a", false, false},
		{"underscore", IN("a@_x.test"), 0, "a", false, false},
		{"percent stays", IN("a%b@d.test"), 0, "a%b", false, false},
		{"RFC 5321 4.5.3.1.1 local part of 64", IN(L63 "b@d.test"), 0,
	         L63 "b", false, false},
		{"RFC 5321 4.5.3.1.1 local part of 65", IN(L63 "bc@d.test"),
	         SP_ELIMIT, NULL, false, false},
		{"RFC 5321 4.5.3.1.2 domain of 255",
	         IN("a@" L63 "." L63 "." L63 "." L63), 0, "a", false, false},
		{"RFC 5321 4.5.3.1.2 domain of 256",
	         IN("a@" L63 "." L63 "." L63 "." L63 "b"), SP_ELIMIT, NULL,
	         false, false},
		{"empty", IN(""), SP_ESYNTAX, NULL, false, false},
		{"no at-sign", IN("a"), SP_ESYNTAX, NULL, false, false},
		{"no local part", IN("@d.test"), SP_ESYNTAX, NULL, false,
	         false},
		{"no domain", IN("a@"), SP_ESYNTAX, NULL, false, false},
		{"two at-signs", IN("a@b@d.test"), SP_ESYNTAX, NULL, false,
	         false},
		{"leading dot", IN(".a@d.test"), SP_ESYNTAX, NULL, false,
	         false},
		{"final dot", IN("a.@d.test"), SP_ESYNTAX, NULL, false, false},
		{"double dot", IN("a..b@d.test"), SP_ESYNTAX, NULL, false,
	         false},
		{"domain with final dot", IN("a@d.test."), SP_ESYNTAX, NULL,
	         false, false},
		{"domain with double dot", IN("a@d..test"), SP_ESYNTAX, NULL,
	         false, false},
		{"label with leading hyphen", IN("a@-d.test"), SP_ESYNTAX, NULL,
	         false, false},
		{"label with final hyphen", IN("a@d-.test"), SP_ESYNTAX, NULL,
	         false, false},
		{"bare quote", IN("a\"b@d.test"), SP_ESYNTAX, NULL, false,
	         false},
		{"quote left open", IN("\"a@d.test"), SP_ESYNTAX, NULL, false,
	         false},
		{"text behind the quotes", IN("\"a\"b@d.test"), SP_ESYNTAX,
	         NULL, false, false},
		{"blank", IN("a b@d.test"), SP_ESYNTAX, NULL, false, false},
		{"blank behind", IN("a@d.test "), SP_ESYNTAX, NULL, false,
	         false},
		{"newline", IN("a\n@d.test"), SP_ESYNTAX, NULL, false, false},
		{"newline in quotes", IN("\"a\n\"@d.test"), SP_ESYNTAX, NULL,
	         false, false},
		{"escaped newline", IN("\"a\\\n\"@d.test"), SP_ESYNTAX, NULL,
	         false, false},
		{"NUL", IN("a\0b@d.test"), SP_ESYNTAX, NULL, false, false},
		{"NUL in quotes", IN("\"a\0b\"@d.test"), SP_ESYNTAX, NULL,
	         false, false},
		{"NUL in the domain", IN("a@d\0.test"), SP_ESYNTAX, NULL, false,
	         false},
		{"semicolon and shell", IN("a;x@d.test"), SP_ESYNTAX, NULL,
	         false, false},
		{"angle brackets", IN("<a@d.test>"), SP_ESYNTAX, NULL, false,
	         false},
		{"source route", IN("@x.test:a@d.test"), SP_ESYNTAX, NULL,
	         false, false},
		{"RFC 6531 3.3 no UTF-8", IN("\xe9@d.test"), SP_ESYNTAX, NULL,
	         false, false},
		{"RFC 5321 4.1.3 bad IPv4", IN("a@[192.0.2.256]"), SP_ESYNTAX,
	         NULL, false, false},
		{"RFC 5321 4.1.3 untagged IPv6", IN("a@[2001:db8::1]"),
	         SP_ESYNTAX, NULL, false, false},
		{"RFC 5321 4.1.3 general literal", IN("a@[x400:c=de]"),
	         SP_ESYNTAX, NULL, false, false},
		{"RFC 5321 4.1.3 not closed", IN("a@[192.0.2.1"), SP_ESYNTAX,
	         NULL, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_address a;

		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_address_parse(cases[i].text, &a),
		                 cases[i].err);
		if (cases[i].err) {
			continue;
		}
		assert_true(sp_str_eq(a.local, sp_str_from(cases[i].local)));
		assert_int_equal(a.local.len + 1 + a.domain.len,
		                 cases[i].text.len);
		assert_int_equal(a.utf8, cases[i].utf8);
		assert_int_equal(a.literal, cases[i].literal);
	}
}

static void test_path(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		bool bare_local;
		int err;
		const char *local;
		const char *domain;
		const char *rest;
	} cases[] = {
		{"RFC 5321 4.1.2 path", "<a@d.test> SIZE=1", false, 0, "a",
	         "d.test", " SIZE=1"},
		{"RFC 5321 4.5.5 null path", "<>", false, 0, "", "", ""},
		{"RFC 5321 4.1.1.3 postmaster", "<PostMaster>", true, 0,
	         "PostMaster", "", ""},
		{"RFC 5321 4.1.1.3 postmaster not here", "<postmaster>", false,
	         SP_ESYNTAX, NULL, NULL, NULL},
		{"RFC 5321 4.1.1.3 another bare name", "<root>", true,
	         SP_ESYNTAX, NULL, NULL, NULL},
		{"RFC 5321 4.1.1.3 postmaster at a domain",
	         "<postmaster@d.test>", true, 0, "postmaster", "d.test", ""},
		{"RFC 5321 C route", "<@x.test,@[192.0.2.1]:a@d.test>", false,
	         0, "a", "d.test", ""},
		{"RFC 5321 C route without mailbox", "<@x.test:>", false,
	         SP_ESYNTAX, NULL, NULL, NULL},
		{"RFC 5321 C route without colon", "<@x.test a@d.test>", false,
	         SP_ESYNTAX, NULL, NULL, NULL},
		{"RFC 5321 C route with an empty part", "<@x.test,:a@d.test>",
	         false, SP_ESYNTAX, NULL, NULL, NULL},
		{"bracket in quotes", "<\"a>b\"@d.test>x", false, 0, "\"a>b\"",
	         "d.test", "x"},
		{"no bracket", "a@d.test", false, SP_ESYNTAX, NULL, NULL, NULL},
		{"not closed", "<a@d.test", false, SP_ESYNTAX, NULL, NULL,
	         NULL},
		{"blank inside", "< a@d.test>", false, SP_ESYNTAX, NULL, NULL,
	         NULL},
		{"empty", "", false, SP_ESYNTAX, NULL, NULL, NULL},
		{"bracket alone", "<", true, SP_ESYNTAX, NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_address a;
		struct sp_str rest;

		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_address_path(sp_str_from(cases[i].text),
		                                 cases[i].bare_local, &a,
		                                 &rest),
		                 cases[i].err);
		if (cases[i].err) {
			continue;
		}
		assert_true(sp_str_eq(a.local, sp_str_from(cases[i].local)));
		assert_true(sp_str_eq(a.domain, sp_str_from(cases[i].domain)));
		assert_true(sp_str_eq(rest, sp_str_from(cases[i].rest)));
	}
}

static void test_ascii(void **state)
{
	static const struct {
		const char *name;
		struct sp_str domain;
		int err;
		const char *ascii;
	} cases[] = {
		{"RFC 1035 2.3.3 case", IN("D.Test"), 0, "d.test"},
		{"RFC 1034 3.1 final dot", IN("d.test."), 0, "d.test"},
		{"underscore", IN("_x.test"), 0, "_x.test"},
		{"RFC 5891 5 U-label",
	         IN("B\xc3\xbc"
	            "cher.TEST"),
	         0, "xn--bcher-kva.test"},
		{"RFC 5891 5 with final dot",
	         IN("b\xc3\xbc"
	            "cher.test."),
	         0, "xn--bcher-kva.test"},
		{"UTS 46 4 sharp s stays",
	         IN("stra\xc3\x9f"
	            "e.test"),
	         0, "xn--strae-oqa.test"},
		{"UTS 46 4 ideographic dot", IN("b\xc3\xbc\xe3\x80\x82test"), 0,
	         "xn--b-eha.test"},
		{"RFC 5891 5 A-label", IN("XN--bcher-kva.test"), 0,
	         "xn--bcher-kva.test"},
		{"RFC 5321 4.1.3 literal", IN("[IPv6:::1]"), 0, "[IPv6:::1]"},
		{"bare IPv4", IN("192.0.2.1"), 0, "192.0.2.1"},
		{"empty", IN(""), SP_ESYNTAX, NULL},
		{"root", IN("."), SP_ESYNTAX, NULL},
		{"two final dots", IN("d.test.."), SP_ESYNTAX, NULL},
		{"two final dots behind U-label", IN("b\xc3\xbc.."), SP_ESYNTAX,
	         NULL},
		{"empty label", IN("d..test"), SP_ESYNTAX, NULL},
		{"RFC 1123 2.1 hyphen", IN("-d.test"), SP_ESYNTAX, NULL},
		{"blank", IN("d .test"), SP_ESYNTAX, NULL},
		{"NUL", IN("d\0.test"), SP_ESYNTAX, NULL},
		{"NUL with U-label", IN("\xc3\xbc\0.test"), SP_ESYNTAX, NULL},
		{"slash by compatibility", IN("a\xe2\x84\x80.test"), SP_ESYNTAX,
	         NULL},
		{"no UTF-8", IN("\xfc.test"), SP_ESYNTAX, NULL},
		{"RFC 1035 2.3.4 label of 63", IN(L63 ".test"), 0, L63 ".test"},
		{"RFC 1035 2.3.4 label of 64", IN(L63 "b.test"), SP_ELIMIT,
	         NULL},
		{"RFC 1035 2.3.4 name over 253",
	         IN(L63 "." L63 "." L63 "." L63), SP_ELIMIT, NULL},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_str ascii = {0};

		print_message("  %s\n", cases[i].name);
		assert_int_equal(
			sp_domain_to_ascii(cases[i].domain, &arena, &ascii),
			cases[i].err);
		if (cases[i].err == 0) {
			print_message("    " SP_STR_FMT "\n",
			              SP_STR_ARG(ascii));
			assert_true(
				sp_str_eq(ascii, sp_str_from(cases[i].ascii)));
		}
	}
	sp_arena_fini(&arena);
}

static void test_literal(void **state)
{
	static const struct {
		const char *text;
		bool literal;
	} cases[] = {
		{"[192.0.2.1]", true},
		{"192.0.2.1", true},
		{"[IPv6:2001:db8::1]", true},
		{"[ipv6:::1]", true},
		{"2001:db8::1", true},
		{"[2001:db8::1]", false},
		{"[]", false},
		{"[", false},
		{"", false},
		{"[192.0.2.1]x", false},
		{"[[192.0.2.1]", false},
		{"d.test", false},
		{"1.2.3", false},
		{"]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("  RFC 5321 4.1.3 %s\n", cases[i].text);
		assert_int_equal(
			sp_domain_is_literal(sp_str_from(cases[i].text)),
			cases[i].literal);
	}
}

static void test_xtext(void **state)
{
	static const struct {
		const char *name;
		struct sp_str xtext;
		int err;
		struct sp_str text;
	} cases[] = {
		{"RFC 3461 4 plain", IN("abc"), 0, IN("abc")},
		{"RFC 3461 4 encoded", IN("a+2Bb+3D+20"), 0, IN("a+b= ")},
		{"lower-case digits", IN("+2b"), 0, IN("+")},
		{"empty", IN(""), 0, IN("")},
		{"at the limit", IN("12345678"), 0, IN("12345678")},
		{"over the limit", IN("123456789"), SP_ELIMIT, IN("")},
		{"over the limit, encoded", IN("+41+41+41+41+41+41+41+41+41"),
	         SP_ELIMIT, IN("")},
		{"RFC 3461 4 equals sign", IN("a=b"), SP_ESYNTAX, IN("")},
		{"RFC 3461 4 blank", IN("a b"), SP_ESYNTAX, IN("")},
		{"RFC 3461 4 cut", IN("a+2"), SP_ESYNTAX, IN("")},
		{"RFC 3461 4 no hex", IN("a+2G"), SP_ESYNTAX, IN("")},
		{"NUL", IN("a+00"), SP_ESYNTAX, IN("")},
		{"CR", IN("a+0D"), SP_ESYNTAX, IN("")},
		{"LF", IN("a+0A"), SP_ESYNTAX, IN("")},
		{"8-bit", IN("\xe9"), SP_ESYNTAX, IN("")},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_str text = {0};

		print_message("  %s\n", cases[i].name);
		assert_int_equal(
			sp_xtext_decode(cases[i].xtext, &arena, 8, &text),
			cases[i].err);
		assert_true(sp_str_eq(text, cases[i].text));
	}
	assert_true(sp_str_eq(sp_xtext_encode(SP_STR("a+b=\xff "), &arena),
	                      SP_STR("a+2Bb+3D+FF+20")));
	sp_arena_fini(&arena);
}

static void test_to_ascii(void **state)
{
	static const struct {
		const char *name;
		struct sp_str address;
		int err;
		const char *ascii;
	} cases[] = {
		{"RFC 5321 ASCII stays", IN("A@B.test"), 0, "A@B.test"},
		{"RFC 5321 the null sender", IN(""), 0, ""},
		{"RFC 5890 2.3.2.1 U-label",
	         IN("A@b\xc3\xbc"
	            "cher.test"),
	         0, "A@xn--bcher-kva.test"},
		{"RFC 6531 3.3 quoted local part", IN("\"a b\"@\xc3\xa9.test"),
	         0, "\"a b\"@xn--9ca.test"},
		{"RFC 6531 3.3 local part", IN("\xc3\xa9@d.test"),
	         SP_EUNSUPPORTED, NULL},
		{"RFC 6531 3.3 both", IN("\xc3\xa9@\xc3\xa9.test"),
	         SP_EUNSUPPORTED, NULL},
		{"RFC 5891 5.4 no domain", IN("a@\xe2\x80\x8b.test"),
	         SP_ESYNTAX, NULL},
		{"RFC 3629 no UTF-8", IN("a@\xff.test"), SP_ESYNTAX, NULL},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_str ascii = {0};

		print_message("  %s\n", cases[i].name);
		assert_int_equal(
			sp_address_to_ascii(cases[i].address, &arena, &ascii),
			cases[i].err);
		assert_true(cases[i].err ||
		            sp_str_eq(ascii, sp_str_from(cases[i].ascii)));
	}
	sp_arena_fini(&arena);
}

static void test_utf8_addr_xtext(void **state)
{
	static const struct {
		const char *name;
		struct sp_str text;
		const char *xtext;
	} cases[] = {
		{"RFC 6533 3 ASCII", IN("a\\x{2B}b@d"), "a\\x{2B}b@d"},
		{"RFC 6533 3 two bytes", IN("\xc2\x80\xdf\xbf"),
	         "\\x{80}\\x{7FF}"},
		{"RFC 6533 3 three bytes", IN("\xe2\x82\xac"), "\\x{20AC}"},
		{"RFC 6533 3 four bytes", IN("\xf4\x8f\xbf\xbf"),
	         "\\x{10FFFF}"},
		{"RFC 3629 no UTF-8", IN("a\xff"), "a?"},
		{"empty", IN(""), ""},
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("  %s\n", cases[i].name);
		assert_true(sp_str_eq(sp_utf8_addr_xtext(cases[i].text, &arena),
		                      sp_str_from(cases[i].xtext)));
	}
	sp_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_xtext),
		cmocka_unit_test(test_to_ascii),
		cmocka_unit_test(test_utf8_addr_xtext),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
