/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_ADVICE_H
#define SP_ANALYZE_ADVICE_H

/*
 * What is no reason to refuse mail but should be mended, or is worth knowing
 * (analyzer.md 1, "advice rules"): the table is advice.def. What does refuse
 * mail stands in policy/cause.def and nowhere else.
 */

#include "base/str.h"

enum sp_step_verdict { /* in order: a higher one shows */
	SP_STEP_SKIP,
	SP_STEP_PASS,
	SP_STEP_WARN,
	SP_STEP_FAIL,
};

enum sp_advice_id {
	SP_ADVICE_NONE,
#define SP_ADVICE(id, ...) SP_ADVICE_##id,
#include "analyze/advice.def"
#undef SP_ADVICE
	SP_ADVICE_COUNT,
};

struct sp_advice {
	const char *name;             /* scenario, such as "tlsa-ttl-long" */
	enum sp_step_verdict verdict; /* PASS: worth knowing; or WARN; FAIL only
	                               * where the test itself asks for it (a
	                               * preflight, an open relay) */
	const char *meaning; /* "<subject>" and "<detail>" are replaced */
	const char *action;  /* steps, separated by "\n"; there too */
};

/* Never null: an id out of range gives one without words. */
const struct sp_advice *sp_advice_get(enum sp_advice_id id);
/* SP_ADVICE_NONE when none has that name. */
enum sp_advice_id sp_advice_find(struct sp_str name);

#endif
