/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariant: `open` counts the questions that were asked and not answered;
 * the word is given by way of the deferred call only, so that whoever hears
 * it may free all of this.
 */
#include "analyze/questions.h"
#include "base/err.h"
#include "base/mem.h"

struct question {
	struct sp_questions *all; /* borrowed */
	char *name;               /* owned */
	enum sp_dns_type type;
	uint64_t id;                  /* 0: not asked, or answered */
	struct sp_dns_answer *answer; /* owned */
};

struct sp_questions {
	struct sp_lookup *lookup;
	struct question questions[SP_QUESTIONS_MAX];
	size_t count;
	size_t asked;
	size_t open;
	struct sp_deferred *word; /* owned */
	void (*fn)(void *arg);
	void *arg;
};

static void say(void *arg)
{
	struct sp_questions *q = arg;

	q->fn(q->arg);
}

struct sp_questions *sp_questions_new(struct sp_loop *loop,
                                      struct sp_lookup *lookup)
{
	struct sp_questions *q = SP_NEW(struct sp_questions);

	q->lookup = lookup;
	q->word = sp_deferred_new(loop, say, q);
	return q;
}

void sp_questions_free(struct sp_questions **questions)
{
	struct sp_questions *q = *questions;

	if (!q) {
		return;
	}
	for (size_t i = 0; i < q->count; i++) {
		if (q->questions[i].id) {
			q->lookup->cancel(q->lookup, q->questions[i].id);
		}
		sp_dns_answer_free(&q->questions[i].answer);
		sp_free(q->questions[i].name);
	}
	sp_deferred_free(&q->word);
	SP_FREE(questions);
}

int sp_questions_add(struct sp_questions *questions, struct sp_str name,
                     enum sp_dns_type type)
{
	struct question *one;

	if (questions->count == SP_QUESTIONS_MAX) {
		return SP_ELIMIT;
	}
	one = &questions->questions[questions->count];
	one->all = questions;
	one->name = sp_str_dup(name);
	one->type = type;
	return (int)questions->count++;
}

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct question *one = arg;

	one->id = 0;
	one->answer = answer;
	if (--one->all->open == 0) {
		sp_deferred_call(one->all->word);
	}
}

void sp_questions_go(struct sp_questions *questions, void (*fn)(void *arg),
                     void *arg)
{
	questions->fn = fn;
	questions->arg = arg;
	questions->open = questions->count - questions->asked;
	if (questions->open == 0) {
		sp_deferred_call(questions->word);
	}
	for (; questions->asked < questions->count; questions->asked++) {
		struct question *one = &questions->questions[questions->asked];

		one->id = questions->lookup->ask(
			questions->lookup, sp_str_from(one->name), one->type,
			false, on_answer, one);
	}
}

const struct sp_dns_answer *
sp_questions_answer(const struct sp_questions *questions, int number)
{
	return number >= 0 && (size_t)number < questions->count
	               ? questions->questions[number].answer
	               : NULL;
}

bool sp_answer_said(const struct sp_dns_answer *answer)
{
	return answer && (answer->dnssec == SP_DNSSEC_SECURE ||
	                  answer->dnssec == SP_DNSSEC_INSECURE);
}

bool sp_answer_has(const struct sp_dns_answer *answer)
{
	return sp_answer_said(answer) && answer->record_count > 0;
}
