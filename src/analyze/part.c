/* SPDX-License-Identifier: Apache-2.0 */
/* Questions are asked through it, so that they are never answered after it is
 * gone. */
#include "analyze/part.h"

void sp_part_init(struct sp_part *part, const struct sp_check_ask *ask,
                  struct sp_step *step, sp_check_fn *fn, void *arg)
{
	part->ask = ask;
	part->step = step;
	part->fn = fn;
	part->arg = arg;
	sp_arena_init(&part->arena);
	part->questions = sp_questions_new(ask->loop, ask->lookup);
}

void sp_part_fini(struct sp_part *part)
{
	sp_questions_free(&part->questions);
	sp_arena_fini(&part->arena);
}

void sp_part_end(struct sp_part *part)
{
	sp_step_finish(part->step);
	part->fn(part->arg);
}

void sp_part_skip(struct sp_part *part, const char *note)
{
	sp_json_set_cstr(sp_step_evidence(part->step), "note", note);
	sp_step_end(part->step, SP_STEP_SKIP);
	part->fn(part->arg);
}
