/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/field.h"

/* ---- walking ---- */

/* "name=value|name=value end:rest", line ends as ~ */
static void walk(const char *text, bool all, char *out, size_t cap)
{
	static const char *const ENDS[] = {"", "end", "more", "bad"};
	struct sp_str rest = sp_str_from(text);
	enum sp_header_field_walk w;
	struct sp_header_field f;
	size_t len = 0;

	while ((w = sp_header_field_next(&rest, all, &f)) ==
	       SP_HEADER_FIELD_FOUND) {
		len += (size_t)snprintf(
			out + len, cap - len, SP_STR_FMT "=" SP_STR_FMT "|",
			SP_STR_ARG(f.name), SP_STR_ARG(f.value));
	}
	snprintf(out + len, cap - len, "%s:" SP_STR_FMT, ENDS[w],
	         SP_STR_ARG(rest));
	for (char *c = out; *c; c++) {
		*c = *c == '\n' ? '~' : *c == '\r' ? '^' : *c;
	}
}

static const struct {
	const char *name, *text;
	bool all;
	const char *result;
} WALKS[] = {
	{"RFC 5322 2.2", "A: b\r\nC:d\r\n\r\nbody", true, "A= b|C=d|end:body"},
	{"RFC 5322 2.2.3: folded", "A: b\r\n c\r\n\td\r\n\r\n", true,
         "A= b^~ c^~\td|end:"},
	{"RFC 5322 4.5.8: blanks before the colon", "A \t: b\r\n\r\n", true,
         "A= b|end:"},
	{"LF alone", "A: b\n c\nD: e\n\nbody", true, "A= b~ c|D= e|end:body"},
	{"no body", "A: b\r\n", true, "A= b|end:"},
	{"no line end", "A: b", true, "A= b|end:"},
	{"nothing", "", true, "end:"},
	{"empty header", "\r\nbody", true, "end:body"},
	{"a fold may follow", "A: b\r\n", false, "more:A: b^~"},
	{"cut in a line", "A: b\r\nC: ", false, "A= b|more:C: "},
	{"cut before the empty line", "A: b\r\nC", false, "A= b|more:C"},
	{"cut in the empty line", "A: b\r\n\r", false, "A= b|more:^"},
	{"whole although more comes", "A: b\r\n\r\nx", false, "A= b|end:x"},
	{"a line that is no field", "A: b\r\nno field\r\nC: d\r\n", true,
         "A= b|bad:no field^~C: d^~"},
	{"begins with a blank", " A: b\r\n\r\n", true, "bad: A: b^~^~"},
	{"empty name", ": b\r\n\r\n", true, "bad:: b^~^~"},
	{"8-bit name", "\xc3\xa4: b\r\n\r\n", true, "bad:\xc3\xa4: b^~^~"},
};

static void test_walk(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(WALKS) / sizeof(WALKS[0]); i++) {
		char out[200];

		walk(WALKS[i].text, WALKS[i].all, out, sizeof(out));
		if (strcmp(out, WALKS[i].result) != 0) {
			fail_msg("%s: %s", WALKS[i].name, out);
		}
	}
}

/* ---- From ---- */

static const struct {
	const char *name, *value;
	const char *domain; /* null: bad */
} FROMS[] = {
	{"RFC 5322 3.4.1: addr-spec", " a@d.test", "d.test"},
	{"RFC 5322 3.4: name-addr", " Joe <a@d.test>", "d.test"},
	{"upper case", " a@D.Test", "d.test"},
	{"quoted display name", " \"x@y.test\" <a@d.test>", "d.test"},
	{"quoted pair in it", " \"x\\\" <b@y.test>\" <a@d.test>", "d.test"},
	{"quoted local part", " \"a@b <c>\"@d.test", "d.test"},
	{"comments", " (x@y.test) a(b)@(c)d(e).test (\\)f@g.test)", "d.test"},
	{"nested comment", " (a (b@c.test) d) a@d.test", "d.test"},
	{"folded", "\r\n Joe\r\n <a@d.test>", "d.test"},
	{"first of several", " a@d.test, b@e.test", "d.test"},
	{"RFC 6854: group", " G: a@d.test, b@e.test;", "d.test"},
	{"RFC 5322 4.4: route", " Joe <@x.test,@y.test:a@d.test>", "d.test"},
	{"RFC 5322 4.4: empty members", " , ,a@d.test", "d.test"},
	{"RFC 5322 4.4: blanks around dots", " a . b @ d . test", "d.test"},
	{"RFC 6532: U-label",
         " a@b\xc3\xbc"
         "cher.test",
         "xn--bcher-kva.test"},
	{"encoded words", " =?utf-8?q?a?= <a@d.test>", "d.test"},
	{"dots in the display name", " Joe Q. Public <a@d.test>", "d.test"},
	{"no domain", " joe", NULL},
	{"no value", "", NULL},
	{"colon first", ":", NULL},
	{"empty domain", " a@", NULL},
	{"empty group", " undisclosed:;", NULL},
	{"domain literal", " a@[192.0.2.1]", NULL},
	{"address in the display name", " a@d.test <b@e.test>", NULL},
	{"in an encoded word", " =?q?a@d.test?= <b@e.test>", NULL},
	{"two addresses without a comma", " a@d.test b@e.test", NULL},
	{"text behind the brackets", " <a@d.test> x@e.test", NULL},
	{"bracket not closed", " <a@d.test", NULL},
	{"two ats", " a@b@d.test", NULL},
	{"dot at the end", " a@d.test.", NULL},
	{"dot at the start", " a@.d.test", NULL},
	{"comment not closed", " a@d.test (x", NULL},
	{"quote not closed", " \"a@d.test", NULL},
	{"route without an address", " <@x.test,@y.test>", NULL},
};

static void test_from(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(FROMS) / sizeof(FROMS[0]); i++) {
		struct sp_str domain = {0};
		struct sp_arena arena;
		char text[200];
		enum sp_from from;

		sp_arena_init(&arena);
		snprintf(text, sizeof(text), "To: x\r\nfRoM:%s\r\n\r\nb",
		         FROMS[i].value);
		from = sp_from_domain(sp_str_from(text), true, &arena, &domain);
		if (from != (FROMS[i].domain ? SP_FROM_FOUND : SP_FROM_BAD) ||
		    (FROMS[i].domain &&
		     !sp_str_eq(domain, sp_str_from(FROMS[i].domain)))) {
			fail_msg("%s: %s " SP_STR_FMT, FROMS[i].name,
			         sp_from_text(from), SP_STR_ARG(domain));
		}
		sp_arena_fini(&arena);
	}
}

static const struct {
	const char *name, *text;
	bool all;
	enum sp_from from;
} HEADS[] = {
	{"no From", "To: a@d.test\r\n\r\nFrom: a@d.test\r\n", true,
         SP_FROM_NONE},
	{"RFC 5322 3.6: twice", "From: a@d.test\r\nfrom: b@e.test\r\n\r\n",
         true, SP_FROM_MANY},
	{"a second may follow", "From: a@d.test\r\nTo: x\r\n", false,
         SP_FROM_MORE},
	{"header over", "From: a@d.test\r\n\r\nx", false, SP_FROM_FOUND},
	{"no field between", "From: a@d.test\r\nx\r\n\r\n", true, SP_FROM_BAD},
	{"not hidden by a longer name", "From-X: a@d.test\r\n\r\n", true,
         SP_FROM_NONE},
};

static void test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(HEADS) / sizeof(HEADS[0]); i++) {
		struct sp_str domain;
		struct sp_arena arena;

		sp_arena_init(&arena);
		if (sp_from_domain(sp_str_from(HEADS[i].text), HEADS[i].all,
		                   &arena, &domain) != HEADS[i].from) {
			fail_msg("%s", HEADS[i].name);
		}
		sp_arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
