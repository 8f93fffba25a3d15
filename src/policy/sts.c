/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy is dropped for one reason only: its max_age is over. A TXT record
 * that has vanished, an id whose policy can't be had, a file that is none:
 * each is also what somebody would bring about who wants mail in clear text,
 * and so none of them ends a policy (RFC 8461 10.2). A domain that wants out
 * says so by a policy of mode none.
 */
#include "base/time.h"
#include "policy/sts.h"

static const struct sp_sts_kept *in_force(const struct sp_sts_facts *facts)
{
	const struct sp_sts_kept *kept = facts->kept;

	return kept && facts->now_ms < kept->expires_ms ? kept : NULL;
}

bool sp_sts_wants_fetch(const struct sp_sts_facts *facts)
{
	const struct sp_sts_kept *kept = in_force(facts);

	return facts->txt == SP_STS_TXT_ID &&
	       (!kept || !sp_str_eq(kept->id, facts->id));
}

/* What went wrong; empty: nothing. */
static struct sp_str what(const struct sp_sts_facts *facts,
                          struct sp_arena *arena)
{
	switch (facts->txt) {
	case SP_STS_TXT_ID:
		break;
	case SP_STS_TXT_NONE:
		return SP_STR("no TXT record any more");
	case SP_STS_TXT_MALFORMED:
	case SP_STS_TXT_FAILED:
		return sp_str_from(sp_arena_printf(arena,
		                                   "TXT record: " SP_STR_FMT,
		                                   SP_STR_ARG(facts->txt_why)));
	}
	if (facts->trouble == SP_CAUSE_NONE) {
		return (struct sp_str){0};
	}
	return sp_str_from(sp_arena_printf(
		arena, "policy with id " SP_STR_FMT ": " SP_STR_FMT,
		SP_STR_ARG(facts->id), SP_STR_ARG(facts->why)));
}

static struct sp_str note(const struct sp_sts_facts *facts,
                          const struct sp_sts_kept *kept,
                          struct sp_arena *arena)
{
	struct sp_str trouble = what(facts, arena);
	char until[SP_TIME_TEXT];

	if (!kept && facts->txt == SP_STS_TXT_NONE) {
		return (struct sp_str){0}; /* nothing was ever there */
	}
	if (!kept || !trouble.len) {
		return trouble;
	}
	sp_time_rfc3339(kept->expires_ms, until);
	return sp_str_from(sp_arena_printf(
		arena,
		SP_STR_FMT "; the one with id " SP_STR_FMT " holds until %s",
		SP_STR_ARG(trouble), SP_STR_ARG(kept->id), until));
}

struct sp_sts_choice sp_sts_choose(const struct sp_sts_facts *facts,
                                   struct sp_arena *arena)
{
	const struct sp_sts_kept *kept = in_force(facts);

	if (facts->got) {
		return (struct sp_sts_choice){.policy = facts->got,
		                              .fetched = true};
	}
	return (struct sp_sts_choice){
		.policy = kept,
		.trouble = facts->trouble,
		.note = note(facts, kept, arena),
	};
}

struct sp_sts_kept sp_sts_new_row(const struct sp_sts_policy *policy,
                                  struct sp_str id, int64_t now_ms)
{
	return (struct sp_sts_kept){
		.id = id,
		.policy = *policy,
		.fetched_ms = now_ms,
		.expires_ms = now_ms + (int64_t)policy->max_age_s * 1000,
	};
}
