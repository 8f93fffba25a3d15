/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_PART_H
#define SP_ANALYZE_PART_H

#include "analyze/check.h"
#include "analyze/questions.h"
#include "base/mem.h"

/*
 * A part of an analysis that begins with questions to the DNS: what all of
 * those hold, and how they end. It is the first member of theirs.
 */

struct sp_part {
	const struct sp_check_ask *ask; /* borrowed */
	struct sp_step *step;           /* its branch */
	struct sp_questions *questions; /* owned */
	struct sp_arena arena;
	sp_check_fn *fn;
	void *arg;
};

void sp_part_init(struct sp_part *part, const struct sp_check_ask *ask,
                  struct sp_step *step, sp_check_fn *fn, void *arg);
void sp_part_fini(struct sp_part *part); /* cancels */

/* Ends the branch by what was found. The part may be freed in it, as in the
 * next one. */
void sp_part_end(struct sp_part *part);
/* There is nothing to look at, and why. */
void sp_part_skip(struct sp_part *part, const char *note);

#endif
