/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as tables: what is read, what is refused, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "cmd/args.h"

#define WORDS_MAX 8

static const struct sp_option GENERAL[] = {
	{"config", 'c', "FILE", ""},
	{"json", 0, NULL, ""},
	{"verbose", 'v', NULL, ""},
	{0},
};
static const struct sp_option OWN[] = {
	{"record", 0, "TEXT", ""},
	{"limit", 'l', "NUMBER", ""},
	{0},
};
static const struct sp_option *const TABLES[] = {GENERAL, OWN, NULL};

static int count(const char *const *argv)
{
	int argc = 0;

	while (argv[argc]) {
		argc++;
	}
	return argc;
}

struct good {
	const char *name;
	const char *argv[WORDS_MAX];
	const char *words; /* joined by | */
	const char *config;
	const char *records; /* joined by | */
	bool json;
};

static const struct good GOOD[] = {
	{"nothing", {"x"}, "", NULL, "", false},
	{"options before the command",
         {"x", "--json", "-c", "f", "trace"},
         "trace",
         "f",
         "",
         true},
	{"options after",
         {"x", "trace", "--json", "-cf"},
         "trace",
         "f",
         "",
         true},
	{"between words",
         {"x", "tlsa", "--json", "make"},
         "tlsa|make",
         NULL,
         "",
         true},
	{"value after =", {"x", "--config=f=g", "a"}, "a", "f=g", "", false},
	{"empty value", {"x", "--config=", "a"}, "a", "", "", false},
	{"value like an option",
         {"x", "--config", "-v", "a"},
         "a",
         "-v",
         "",
         false},
	{"flags in a row", {"x", "-vvc", "f"}, "", "f", "", false},
	{"the last one counts",
         {"x", "-c", "a", "-c", "b"},
         "",
         "b",
         "",
         false},
	{"repeated",
         {"x", "--record", "1", "--record=2"},
         "",
         NULL,
         "1|2",
         false},
	{"dash is a word", {"x", "lint", "-"}, "lint|-", NULL, "", false},
	{"end of options",
         {"x", "--", "--json", "-c"},
         "--json|-c",
         NULL,
         "",
         false},
};

static void join(char *out, size_t cap, const char *text)
{
	size_t len = strlen(out);

	snprintf(out + len, cap - len, "%s%s", len ? "|" : "", text);
}

static void test_good(void **state)
{
	struct sp_args *args = SP_NEW(struct sp_args);
	char why[128];

	(void)state;
	for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
		const struct good *g = &GOOD[i];
		char words[128] = "", records[128] = "";
		const char *config;
		const char *one;
		size_t at = 0;

		print_message("%s\n", g->name);
		assert_int_equal(sp_args_read(count(g->argv), g->argv, TABLES,
		                              args, why, sizeof(why)),
		                 0);
		for (size_t k = 0; k < args->word_count; k++) {
			join(words, sizeof(words), args->words[k]);
		}
		while ((one = sp_args_next(args, "record", &at))) {
			join(records, sizeof(records), one);
		}
		config = sp_args_get(args, "config");
		assert_string_equal(words, g->words);
		assert_string_equal(records, g->records);
		assert_string_equal(config ? config : "(none)",
		                    g->config ? g->config : "(none)");
		assert_int_equal(sp_args_has(args, "json"), g->json);
	}
	sp_free(args);
}

struct bad {
	const char *name;
	const char *argv[WORDS_MAX];
	const char *why;
};

static const struct bad BAD[] = {
	{"unknown long", {"x", "--frob"}, "--frob: unknown option"},
	{"unknown long with value",
         {"x", "--frob=1"},
         "--frob: unknown option"},
	{"unknown short", {"x", "-z"}, "-z: unknown option"},
	{"unknown in a row", {"x", "-vz"}, "-z: unknown option"},
	{"no prefixes", {"x", "--conf", "f"}, "--conf: unknown option"},
	{"value missing", {"x", "--config"}, "--config: needs a value"},
	{"short value missing", {"x", "-c"}, "-c: needs a value"},
	{"flag with value", {"x", "--json=yes"}, "--json: takes no value"},
	{"three dashes", {"x", "---json"}, "---json: unknown option"},
};

static void test_bad(void **state)
{
	struct sp_args *args = SP_NEW(struct sp_args);

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		char why[128] = "";

		print_message("%s\n", BAD[i].name);
		assert_int_equal(sp_args_read(count(BAD[i].argv), BAD[i].argv,
		                              TABLES, args, why, sizeof(why)),
		                 SP_ESYNTAX);
		assert_string_equal(why, BAD[i].why);
	}
	sp_free(args);
}

static void test_stray(void **state)
{
	static const struct sp_option *const ONLY[] = {GENERAL, NULL};
	const char *const argv[] = {"x", "--json", "--limit", "3", NULL};
	struct sp_args *args = SP_NEW(struct sp_args);
	char why[128];

	(void)state;
	assert_int_equal(sp_args_read(4, argv, TABLES, args, why, sizeof(why)),
	                 0);
	assert_null(sp_args_stray(args, TABLES));
	assert_string_equal(sp_args_stray(args, ONLY), "limit");
	sp_free(args);
}

static void test_too_many(void **state)
{
	const char **argv = sp_calloc(SP_ARGS_MAX + 2, sizeof(*argv));
	struct sp_args *args = SP_NEW(struct sp_args);
	char why[128];

	(void)state;
	for (size_t i = 0; i < SP_ARGS_MAX + 2; i++) {
		argv[i] = "word";
	}
	assert_int_equal(sp_args_read(SP_ARGS_MAX + 1, argv, TABLES, args, why,
	                              sizeof(why)),
	                 0);
	assert_int_equal(sp_args_read(SP_ARGS_MAX + 2, argv, TABLES, args, why,
	                              sizeof(why)),
	                 SP_ELIMIT);
	sp_free(argv);
	sp_free(args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
