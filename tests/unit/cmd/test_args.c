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
#include "cmd/cmd.h"
#include "cmd/filter.h"

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

/* A line is read before its command is known: see args.h. */
static void test_one_shape(void **state)
{
	const struct sp_option *const tables[] = {
		SP_CMD_POLICY.options, SP_CMD_QUEUE.options,
		SP_CMD_SEND.options,   SP_CMD_TLSA.options,
		SP_CMD_TRACE.options,
	};
	const size_t count = sizeof(tables) / sizeof(tables[0]);

	(void)state;
	for (size_t i = 0; i < count * count; i++) {
		const struct sp_option *a = tables[i / count];

		for (; a && a->name; a++) {
			const struct sp_option *b = tables[i % count];

			for (; b && b->name; b++) {
				bool same = strcmp(a->name, b->name) == 0;

				assert_true(!same || !a->value == !b->value);
				assert_true(same || !a->letter ||
				            a->letter != b->letter);
			}
		}
	}
}

static void test_bare_words(void **state)
{
	static const struct {
		const char *word;
		const char *key;
	} CASES[] = {{"06H0C5ADZ23ZVYY8VTE6", "id"},
	             {"b@d.test", "recipient"},
	             {"<x@d.test>", "message_id"},
	             {"d.test", "domain"}};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		assert_string_equal(sp_cmd_filter_word(CASES[i].word)[0],
		                    CASES[i].key);
	}
}

static void test_filter(void **state)
{
	static const struct {
		const char *argv[4];
		const char *want; /* null: a usage error */
	} CASES[] = {
		{{"x", "--status", "pending,failed"},
	         "{\"status\":[\"pending\",\"failed\"]}"},
		{{"x", "--from", "2026-11-23"},
	         "{\"from\":\"2026-11-23T00:00:00.000Z\"}"},
		{{"x", "--to=2026-11-23T10:00:00+01:00"},
	         "{\"to\":\"2026-11-23T09:00:00.000Z\"}"},
		{{"x", "--size-min", "10KiB"}, "{\"size_min\":10240}"},
		{{"x", "--limit", "0"}, NULL},
		{{"x", "--limit", "-1"}, NULL},
		{{"x", "--status", "lost"}, NULL},
		{{"x", "--from", "yesterday"}, NULL},
		{{"x", "--size-max", "big"}, NULL},
		{{"x", "--id", ""}, NULL},
	};
	const struct sp_option *const tables[] = {SP_CMD_TRACE.options, NULL};
	struct sp_args *args = SP_NEW(struct sp_args);
	char why[128];

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct sp_json *filter = NULL;
		struct sp_buf text;

		print_message("%s %s\n", CASES[i].argv[1],
		              CASES[i].argv[2] ? CASES[i].argv[2] : "");
		assert_int_equal(sp_args_read(count(CASES[i].argv),
		                              CASES[i].argv, tables, args, why,
		                              sizeof(why)),
		                 0);
		assert_int_equal(sp_cmd_filter(args, &filter),
		                 CASES[i].want ? 0 : SP_EXIT_USAGE);
		if (CASES[i].want) {
			sp_buf_init(&text, 1000);
			assert_int_equal(sp_json_write(filter, &text), 0);
			assert_true(sp_str_eq(sp_buf_str(&text),
			                      sp_str_from(CASES[i].want)));
			sp_buf_fini(&text);
		}
		sp_json_free(&filter);
	}
	sp_free(args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_one_shape),
		cmocka_unit_test(test_bare_words),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
