/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of an analysis: what a step shows for what was given to it and to
 * its children, and its JSON (interface.md 2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analyze/step.h"

static struct sp_tree *tree_new(void)
{
	return sp_tree_new("check", SP_STR("d.test"), NULL, NULL);
}

static struct sp_verdict verdict_of(enum sp_cause_id cause,
                                    struct sp_arena *arena)
{
	struct sp_verdict v = sp_verdict_from_cause(cause, SP_STR("d.test"),
	                                            SP_STR("expired"), arena);

	v.host = SP_STR("mx.d.test");
	v.address = SP_STR("192.0.2.1");
	v.evidence = SP_STR("seen");
	return v;
}

/* ---- what shows ---- */

static const struct shown_case {
	const char *name;
	enum sp_step_verdict own;
	enum sp_step_verdict children[3]; /* the rest SKIP */
	enum sp_step_verdict shown;
} shown_cases[] = {
	{"alone", SP_STEP_PASS, {SP_STEP_SKIP}, SP_STEP_PASS},
	{"nothing but skipped", SP_STEP_SKIP, {SP_STEP_SKIP}, SP_STEP_SKIP},
	{"a child that passed", SP_STEP_SKIP, {SP_STEP_PASS}, SP_STEP_PASS},
	{"a child that warns",
         SP_STEP_PASS,
         {SP_STEP_PASS, SP_STEP_WARN},
         SP_STEP_WARN},
	{"the worst child",
         SP_STEP_PASS,
         {SP_STEP_FAIL, SP_STEP_WARN, SP_STEP_PASS},
         SP_STEP_FAIL},
	{"worse than its children",
         SP_STEP_FAIL,
         {SP_STEP_PASS, SP_STEP_WARN},
         SP_STEP_FAIL},
};

static void test_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shown_cases) / sizeof(*shown_cases);
	     i++) {
		const struct shown_case *c = &shown_cases[i];
		struct sp_tree *tree = tree_new();
		struct sp_step *root = sp_tree_root(tree);

		for (size_t n = 0; n < 3; n++) {
			sp_step_end(sp_step_begin(root, "child", "c"),
			            c->children[n]);
		}
		sp_step_end(root, c->own);
		if (sp_step_verdict(root) != c->shown) {
			fail_msg("%s: %s", c->name,
			         sp_step_verdict_text(sp_step_verdict(root)));
		}
		sp_tree_free(&tree);
	}
}

static void test_deep(void **state)
{
	struct sp_tree *tree = tree_new();
	struct sp_step *a = sp_step_begin(sp_tree_root(tree), "a", "a");
	struct sp_step *b = sp_step_begin(a, "a.b", "b %d", 7);

	(void)state;
	assert_int_equal(sp_step_depth(b), 2);
	assert_true(sp_str_eq(sp_step_title(b), SP_STR("b 7")));
	assert_false(sp_step_ended(b));
	sp_step_end(b, SP_STEP_FAIL);
	assert_int_equal(sp_step_verdict(a), SP_STEP_FAIL);
	assert_int_equal(sp_step_verdict(sp_tree_root(tree)), SP_STEP_FAIL);
	sp_tree_free(&tree);
}

/* ---- ending ---- */

static void test_open_children(void **state)
{
	struct sp_tree *tree = tree_new();
	struct sp_step *a = sp_step_begin(sp_tree_root(tree), "a", "a");
	struct sp_step *b = sp_step_begin(a, "a.b", "b");

	(void)state;
	sp_step_finish(a);
	assert_true(sp_step_ended(b));
	assert_int_equal(sp_step_verdict(b), SP_STEP_SKIP);
	assert_int_equal(sp_step_verdict(a), SP_STEP_PASS);
	assert_true(sp_str_eq(sp_json_get_str(sp_step_evidence(b), "note"),
	                      SP_STR("not finished")));
	sp_tree_free(&tree);
}

static void test_finish(void **state)
{
	struct sp_tree *tree = tree_new();
	struct sp_step *root = sp_tree_root(tree);
	struct sp_step *cause = sp_step_begin(root, "a", "a");
	struct sp_step *advice = sp_step_begin(root, "b", "b");
	struct sp_step *waived = sp_step_begin(root, "c", "c");
	struct sp_arena arena;
	struct sp_verdict v;

	(void)state;
	sp_arena_init(&arena);
	v = verdict_of(SP_CAUSE_TLSA_MISMATCH, &arena);
	sp_step_cause(cause, &v);
	sp_step_advice(cause, SP_ADVICE_TLSA_UNSIGNED, SP_STR("x"));
	sp_step_finish(cause);
	sp_step_advice(advice, SP_ADVICE_TLSA_UNSIGNED, SP_STR("x"));
	sp_step_finish(advice);
	sp_step_cause(waived, &v);
	sp_step_end(waived, SP_STEP_WARN);
	assert_int_equal(sp_step_verdict(cause), SP_STEP_FAIL);
	assert_true(
		sp_str_eq(sp_step_scenario(cause), SP_STR("tlsa-mismatch")));
	assert_int_equal(sp_step_verdict(advice), SP_STEP_WARN);
	assert_int_equal(sp_step_verdict(waived), SP_STEP_WARN);
	sp_arena_fini(&arena);
	sp_tree_free(&tree);
}

/* ---- live progress ---- */

struct seen {
	char text[256];
};

static void on_step(void *arg, const struct sp_step *step)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%c%s ",
	         sp_step_ended(step) ? '-' : '+', sp_step_id(step));
}

static void test_told(void **state)
{
	struct seen seen = {""};
	struct sp_tree *tree =
		sp_tree_new("check", SP_STR("t"), on_step, &seen);
	struct sp_step *root = sp_tree_root(tree);

	(void)state;
	sp_step_finish(sp_step_begin(root, "a", "a"));
	(void)sp_step_begin(root, "b", "b");
	sp_step_finish(root);
	assert_string_equal(seen.text, "+check +a -a +b -b -check ");
	sp_tree_free(&tree);
}

/* ---- JSON ---- */

static char *json_of(const struct sp_tree *tree)
{
	struct sp_json *json = sp_tree_json(tree);
	struct sp_buf out;
	char *text;

	sp_buf_init(&out, 65536);
	assert_int_equal(sp_json_write(json, &out), 0);
	text = sp_buf_take(&out);
	sp_buf_fini(&out);
	sp_json_free(&json);
	return text;
}

/* A number of milliseconds is the one thing that differs from run to run. */
static void test_json(void **state)
{
	struct sp_tree *tree = tree_new();
	struct sp_step *root = sp_tree_root(tree);
	struct sp_step *step = sp_step_begin(root, "a.b", "A title");
	struct sp_arena arena;
	struct sp_verdict v;
	char *text;

	(void)state;
	sp_arena_init(&arena);
	v = verdict_of(SP_CAUSE_CERT_EXPIRED, &arena);
	sp_json_set_int(sp_step_evidence(step), "port", 25);
	sp_step_cause(step, &v);
	sp_step_finish(step);
	text = json_of(tree);
	assert_non_null(strstr(text, "{\"id\":\"check\",\"title\":\"d.test\","
	                             "\"verdict\":\"fail\",\"elapsed_ms\":"));
	assert_non_null(strstr(
		text, "\"evidence\":{},\"code\":null,\"scenario\":null,"
		      "\"meaning\":null,\"action\":null,\"children\":[{"));
	assert_non_null(
		strstr(text, "\"evidence\":{\"port\":25,\"host\":\"mx.d.test\","
	                     "\"address\":\"192.0.2.1\",\"why\":\"seen\","
	                     "\"reply\":\"450 4.7.322 certificate-expired: "));
	assert_non_null(strstr(text, "\"who\":\"destination\"},"
	                             "\"code\":\"4.7.322\","
	                             "\"scenario\":\"cert-expired\","
	                             "\"meaning\":\""));
	assert_non_null(strstr(text, "\"children\":[]}]}"));
	sp_free(text);
	sp_arena_fini(&arena);
	sp_tree_free(&tree);
}

/* What is missing may be worse than what is there, but for a failure. */
static void test_cut(void **state)
{
	static const struct {
		enum sp_step_verdict below, shown;
	} rows[] = {
		{SP_STEP_PASS, SP_STEP_SKIP},
		{SP_STEP_WARN, SP_STEP_SKIP},
		{SP_STEP_FAIL, SP_STEP_FAIL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sp_tree *tree = tree_new();
		struct sp_step *root = sp_tree_root(tree);
		char *text;

		sp_step_end(sp_step_begin(root, "a", "seen"), rows[i].below);
		(void)sp_step_begin(root, "b", "open");
		sp_step_end_cut(root, "no time");
		assert_int_equal(sp_step_verdict(root), rows[i].shown);
		text = json_of(tree);
		assert_non_null(strstr(text, "{\"note\":\"no time\"}"));
		assert_non_null(strstr(text, "{\"note\":\"not finished\"}"));
		sp_free(text);
		sp_tree_free(&tree);
	}
}

static void test_subject(void **state)
{
	struct sp_tree *tree = tree_new();
	struct sp_step *root = sp_tree_root(tree);
	char *text;

	(void)state;
	sp_step_advice(root, SP_ADVICE_TLSA_UNSIGNED,
	               SP_STR("_25._tcp.x.test"));
	text = json_of(tree);
	assert_non_null(strstr(text, "\"code\":null,"
	                             "\"scenario\":\"tlsa-unsigned\","));
	assert_non_null(strstr(text, "published at _25._tcp.x.test, but"));
	assert_null(strstr(text, "<subject>"));
	sp_free(text);
	sp_tree_free(&tree);
}

/* Every row has words; a name that is also a cause would be mistaken for it
 * by who searches for it. */
static void test_advices(void **state)
{
	(void)state;
	for (int id = SP_ADVICE_NONE + 1; id < SP_ADVICE_COUNT; id++) {
		const struct sp_advice *a =
			sp_advice_get((enum sp_advice_id)id);

		assert_true(*a->name && *a->meaning && *a->action);
		assert_int_equal(sp_cause_find(sp_str_from(a->name)),
		                 SP_CAUSE_NONE);
		assert_int_not_equal(a->verdict, SP_STEP_SKIP);
	}
	assert_string_equal(sp_advice_get(SP_ADVICE_COUNT)->name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_open_children),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_subject),
		cmocka_unit_test(test_advices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
