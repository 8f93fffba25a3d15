/* SPDX-License-Identifier: Apache-2.0 */
/* The table of advice.def as an array. */
#include "analyze/advice.h"

static const struct sp_advice none = {
	.name = "",
	.verdict = SP_STEP_PASS,
	.meaning = "",
	.action = "",
};

static const struct sp_advice advices[SP_ADVICE_COUNT] = {
#define SP_ADVICE(id_, name_, verdict_, meaning_, action_)                     \
	[SP_ADVICE_##id_] = {                                                  \
		.name = name_,                                                 \
		.verdict = SP_STEP_##verdict_,                                 \
		.meaning = meaning_,                                           \
		.action = action_,                                             \
	},
#include "analyze/advice.def"
#undef SP_ADVICE
};

const struct sp_advice *sp_advice_get(enum sp_advice_id id)
{
	if (id <= SP_ADVICE_NONE || id >= SP_ADVICE_COUNT) {
		return &none;
	}
	return &advices[id];
}

enum sp_advice_id sp_advice_find(struct sp_str name)
{
	for (int id = SP_ADVICE_NONE + 1; id < SP_ADVICE_COUNT; id++) {
		if (sp_str_eq(name, sp_str_from(advices[id].name))) {
			return (enum sp_advice_id)id;
		}
	}
	return SP_ADVICE_NONE;
}
