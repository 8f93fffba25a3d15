/* SPDX-License-Identifier: Apache-2.0 */
/* Questions side by side, by a lookup that answers when it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze/questions.h"
#include "base/err.h"
#include "base/mem.h"

#define OPEN_MAX_TEST 8

struct world {
	struct sp_loop *loop;
	struct sp_lookup lookup;
	struct {
		sp_lookup_fn *fn;
		void *arg;
		struct sp_dns_answer *answer; /* owned until given */
	} asked[OPEN_MAX_TEST];
	size_t count;
	size_t cancelled;
	struct sp_questions *questions;
	unsigned words;
};

static struct world world; /* of the test at work */

static uint64_t ask(struct sp_lookup *lookup, struct sp_str name,
                    enum sp_dns_type type, bool fresh, sp_lookup_fn *fn,
                    void *arg)
{
	(void)lookup;
	(void)fresh;
	assert_true(world.count < OPEN_MAX_TEST);
	world.asked[world.count].fn = fn;
	world.asked[world.count].arg = arg;
	world.asked[world.count].answer = sp_dns_answer_new(name, type);
	return ++world.count;
}

static void cancel(struct sp_lookup *lookup, uint64_t id)
{
	(void)lookup;
	sp_dns_answer_free(&world.asked[id - 1].answer);
	world.cancelled++;
}

static void answer(size_t index)
{
	struct sp_dns_answer *a = world.asked[index].answer;

	world.asked[index].answer = NULL;
	world.asked[index].fn(world.asked[index].arg, a);
}

static void on_word(void *arg)
{
	(void)arg;
	world.words++;
	sp_loop_stop(world.loop);
}

static int set_up(void **state)
{
	(void)state;
	world = (struct world){.lookup = {.ask = ask, .cancel = cancel}};
	world.loop = sp_loop_new();
	world.questions = sp_questions_new(world.loop, &world.lookup);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_questions_free(&world.questions);
	sp_loop_free(&world.loop);
	return 0;
}

static void test_rounds(void **state)
{
	struct sp_questions *q = world.questions;
	const struct sp_dns_answer *a;

	(void)state;
	assert_int_equal(sp_questions_add(q, SP_STR("a.test"), SP_DNS_TYPE_TXT),
	                 0);
	assert_int_equal(
		sp_questions_add(q, SP_STR("b.test"), SP_DNS_TYPE_TLSA), 1);
	sp_questions_go(q, on_word, NULL);
	assert_int_equal(world.count, 2);
	answer(1);
	assert_null(sp_questions_answer(q, 0));
	answer(0);
	assert_int_equal(world.words, 0); /* never from inside */
	assert_int_equal(sp_loop_run(world.loop), 0);
	assert_int_equal(world.words, 1);
	a = sp_questions_answer(q, 1);
	assert_true(sp_str_eq(a->name, SP_STR("b.test")));
	assert_false(sp_answer_said(a)); /* failed: as it was made */

	assert_int_equal(sp_questions_add(q, SP_STR("c.test"), SP_DNS_TYPE_TXT),
	                 2);
	sp_questions_go(q, on_word, NULL);
	assert_int_equal(world.count, 3); /* the others are not asked again */
	answer(2);
	assert_int_equal(sp_loop_run(world.loop), 0);
	assert_int_equal(world.words, 2);
	assert_null(sp_questions_answer(q, 3));
	assert_null(sp_questions_answer(q, -1));
}

static void test_none(void **state)
{
	(void)state;
	sp_questions_go(world.questions, on_word, NULL);
	assert_int_equal(world.words, 0);
	assert_int_equal(sp_loop_run(world.loop), 0);
	assert_int_equal(world.words, 1);
}

static void test_freed_before(void **state)
{
	(void)state;
	(void)sp_questions_add(world.questions, SP_STR("a.test"),
	                       SP_DNS_TYPE_TXT);
	(void)sp_questions_add(world.questions, SP_STR("b.test"),
	                       SP_DNS_TYPE_TXT);
	sp_questions_go(world.questions, on_word, NULL);
	answer(0);
	sp_questions_free(&world.questions);
	assert_int_equal(world.cancelled, 1);
}

static void test_limit(void **state)
{
	(void)state;
	for (int i = 0; i < SP_QUESTIONS_MAX; i++) {
		assert_int_equal(sp_questions_add(world.questions,
		                                  SP_STR("a.test"),
		                                  SP_DNS_TYPE_TXT),
		                 i);
	}
	assert_int_equal(sp_questions_add(world.questions, SP_STR("a.test"),
	                                  SP_DNS_TYPE_TXT),
	                 SP_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_freed_before, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
