/* SPDX-License-Identifier: Apache-2.0 */
/* TXT records below a name: the question, and what its step holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analyze/txt_record.h"
#include "base/buf.h"
#include "base/err.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define LABEL63                                                                \
	"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define LABELS LABEL63 "." LABEL63 "." LABEL63

/* ---- the question ---- */

static const struct ask_case {
	const char *name;
	const char *prefix;
	const char *domain;
	const char *asked; /* null: nothing */
} ask_cases[] = {
	{"RFC 8461 3.1", "_mta-sts.", "d.test", "_mta-sts.d.test"},
	{"RFC 8460 3", "_smtp._tls.", "d.test", "_smtp._tls.d.test"},
	{"RFC 7208 3 at the domain itself", "", "d.test", "d.test"},
	{"RFC 1035 2.3.4 longer than a name can be", "_mta-sts.",
         LABELS "." LABEL63, NULL},
	{"RFC 1035 2.3.4 an empty label", "_dmarc.", ".test", NULL},
};

static char asked[512];

static uint64_t note_question(struct sp_lookup *lookup, struct sp_str name,
                              enum sp_dns_type type, bool fresh,
                              sp_lookup_fn *fn, void *arg)
{
	(void)lookup;
	(void)fresh;
	(void)fn;
	(void)arg;
	assert_int_equal(type, SP_DNS_TYPE_TXT);
	assert_true(name.len < sizeof(asked));
	memcpy(asked, name.ptr, name.len);
	asked[name.len] = '\0';
	return 1;
}

static void cancel(struct sp_lookup *lookup, uint64_t id)
{
	(void)lookup;
	(void)id;
}

static void on_word(void *arg)
{
	(void)arg;
}

static void test_ask(void **state)
{
	struct sp_loop *loop = sp_loop_new();
	struct sp_lookup lookup = {.ask = note_question, .cancel = cancel};

	(void)state;
	for (size_t i = 0; i < COUNT(ask_cases); i++) {
		const struct ask_case *c = &ask_cases[i];
		struct sp_questions *q = sp_questions_new(loop, &lookup);
		int number =
			sp_txt_record_ask(q, c->prefix, sp_str_from(c->domain));

		print_message("  %s\n", c->name);
		asked[0] = '\0';
		sp_questions_go(q, on_word, NULL);
		assert_int_equal(number, c->asked ? 0 : SP_ESYNTAX);
		assert_string_equal(asked, c->asked ? c->asked : "");
		sp_questions_free(&q);
	}
	sp_loop_free(&loop);
}

/* ---- the step ---- */

static const struct said_case {
	const char *name;
	enum sp_dnssec dnssec;
	const char *texts[3];
	bool refused; /* by whoever read them */
	bool said;
	enum sp_step_verdict verdict;
	const char *scenario;
	const char *evidence;
} said_cases[] = {
	{"two records",
         SP_DNSSEC_SECURE,
         {"v=spf1 -all", "x"},
         false,
         true,
         SP_STEP_PASS,
         "",
         "{\"dnssec\":\"secure\",\"records\":[\"v=spf1 -all\",\"x\"]}"},
	{"none is an answer too",
         SP_DNSSEC_INSECURE,
         {NULL},
         false,
         true,
         SP_STEP_PASS,
         "",
         "{\"dnssec\":\"insecure\",\"records\":[]}"},
	{"a record that can't be read",
         SP_DNSSEC_INSECURE,
         {"v=spf1 ?"},
         true,
         true,
         SP_STEP_WARN,
         "spf-invalid",
         "{\"dnssec\":\"insecure\",\"records\":[\"v=spf1 ?\"],"
         "\"why\":\"no such term\",\"who\":\"destination\"}"},
	{"RFC 4035 4.3 bogus",
         SP_DNSSEC_BOGUS,
         {NULL},
         false,
         false,
         SP_STEP_WARN,
         "side-txt-failed",
         "{\"dnssec\":\"bogus\",\"why\":\"as the resolver says\","
         "\"who\":\"destination\"}"},
	{"no answer",
         SP_DNSSEC_FAILED,
         {NULL},
         false,
         false,
         SP_STEP_WARN,
         "side-txt-failed",
         "{\"dnssec\":\"failed\",\"why\":\"as the resolver says\","
         "\"who\":\"destination\"}"},
};

static struct sp_dns_answer *answer_of(const struct said_case *c)
{
	struct sp_dns_answer *a =
		sp_dns_answer_new(SP_STR("d.test"), SP_DNS_TYPE_TXT);

	a->dnssec = c->dnssec;
	if (!c->said) {
		sp_dns_answer_set_why(a, SP_STR("as the resolver says"));
	}
	a->records =
		sp_arena_array(&a->arena, COUNT(c->texts), sizeof(*a->records));
	while (c->texts[a->record_count]) {
		a->records[a->record_count].data =
			sp_str_from(c->texts[a->record_count]);
		a->record_count++;
	}
	return a;
}

/* As the parts do it. */
static void grow(struct sp_step *step, const struct said_case *c,
                 const struct sp_dns_answer *a)
{
	struct sp_arena arena = {0};
	struct sp_txt_records r;
	bool said = sp_txt_record_said(step, a, SP_ADVICE_SIDE_FAILED);

	assert_int_equal(said, c->said);
	assert_int_equal(sp_step_ended(step), !said);
	if (said) {
		r = sp_txt_record_list(a, &arena);
		sp_txt_record_put(step, &r);
		if (c->refused) {
			sp_txt_record_refuse(step, SP_ADVICE_SPF_INVALID,
			                     "no such term");
		}
		sp_step_finish(step);
	}
	sp_arena_fini(&arena);
}

static void test_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(said_cases); i++) {
		const struct said_case *c = &said_cases[i];
		struct sp_dns_answer *a = answer_of(c);
		struct sp_tree *tree =
			sp_tree_new("check", SP_STR("d.test"), NULL, NULL);
		struct sp_step *step =
			sp_step_begin(sp_tree_root(tree), "side.spf", "SPF");
		struct sp_buf text;

		print_message("  %s\n", c->name);
		grow(step, c, a);
		sp_buf_init(&text, 4096);
		assert_int_equal(sp_json_write(sp_step_evidence(step), &text),
		                 0);
		assert_true(
			sp_str_eq(sp_buf_str(&text), sp_str_from(c->evidence)));
		assert_int_equal(sp_step_verdict(step), c->verdict);
		assert_true(sp_str_eq(sp_step_scenario(step),
		                      sp_str_from(c->scenario)));
		sp_buf_fini(&text);
		sp_tree_free(&tree);
		sp_dns_answer_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
