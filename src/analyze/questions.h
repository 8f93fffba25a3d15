/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_QUESTIONS_H
#define SP_ANALYZE_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "deliver/lookup.h"
#include "net/loop.h"

/*
 * Some questions to the DNS at once, and one word when all of them are
 * answered. Rounds may follow each other: add and go again.
 */

#define SP_QUESTIONS_MAX 64 /* of all rounds together */

struct sp_questions;

/* loop and lookup are borrowed. */
struct sp_questions *sp_questions_new(struct sp_loop *loop,
                                      struct sp_lookup *lookup);
void sp_questions_free(struct sp_questions **questions); /* cancels */

/* The number of the question, from 0; the name is copied. Beyond the limit:
 * SP_ELIMIT. */
int sp_questions_add(struct sp_questions *questions, struct sp_str name,
                     enum sp_dns_type type);
/* Asks those that were added since; fn is called once when they are answered,
 * never from inside, at once where there are none. */
void sp_questions_go(struct sp_questions *questions, void (*fn)(void *arg),
                     void *arg);
/* Lives as long as questions; null: not answered, or no such number. */
const struct sp_dns_answer *
sp_questions_answer(const struct sp_questions *questions, int number);

/* Does the answer say something (secure or insecure), and has it records? */
bool sp_answer_said(const struct sp_dns_answer *answer);
bool sp_answer_has(const struct sp_dns_answer *answer);

#endif
