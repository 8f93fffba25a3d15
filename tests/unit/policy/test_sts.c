/* SPDX-License-Identifier: Apache-2.0 */
/* Which policy applies: every cache against every answer of TXT and fetch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/sts.h"

#define NOW ((int64_t)1764000000000)

enum cache {
	EMPTY,
	KEPT,    /* in force, id "old" */
	EXPIRED, /* the same, its max_age over */
	AT_END,  /* over just now */
};

static const struct sp_sts_kept rows[] = {
	[KEPT] = {.id = SP_STR("old"), .expires_ms = NOW + 1},
	[EXPIRED] = {.id = SP_STR("old"), .expires_ms = NOW - 1},
	[AT_END] = {.id = SP_STR("old"), .expires_ms = NOW},
};
static const struct sp_sts_kept got = {.id = SP_STR("new")};

/* What a fetch brings, where one is made. */
enum fetch {
	NO_FETCH,
	GOOD,
	BAD,
};

static const struct sts_case {
	const char *name;
	enum cache cache;
	enum sp_sts_txt txt;
	const char *id;
	enum fetch fetch;
	const char *expected; /* policy; '!' trouble; note */
} cases[] = {
	{"nothing anywhere (RFC 8461 3.1)", EMPTY, SP_STS_TXT_NONE, "",
         NO_FETCH, "none"},
	{"several or malformed records: no policy (RFC 8461 3.1)", EMPTY,
         SP_STS_TXT_MALFORMED, "", NO_FETCH, "none TXT record: why"},
	{"TXT can't be had: no policy", EMPTY, SP_STS_TXT_FAILED, "", NO_FETCH,
         "none TXT record: why"},
	{"first sight (RFC 8461 3.3)", EMPTY, SP_STS_TXT_ID, "new", GOOD,
         "new"},
	{"first sight, fetch fails: no policy (RFC 8461 3.3)", EMPTY,
         SP_STS_TXT_ID, "new", BAD, "none! policy with id new: why"},
	{"same id: the kept one (RFC 8461 3.3)", KEPT, SP_STS_TXT_ID, "old",
         NO_FETCH, "old"},
	{"ids differ by case", KEPT, SP_STS_TXT_ID, "OLD", GOOD, "new"},
	{"new id (RFC 8461 3.3)", KEPT, SP_STS_TXT_ID, "new", GOOD, "new"},
	{"new id, fetch fails: the kept one (RFC 8461 5.1)", KEPT,
         SP_STS_TXT_ID, "new", BAD,
         "old! policy with id new: why; the one with id old holds until "
         "2025-11-24T16:00:00.001Z"},
	{"TXT gone: the kept one (RFC 8461 10.2)", KEPT, SP_STS_TXT_NONE, "",
         NO_FETCH,
         "old no TXT record any more; the one with id old holds until "
         "2025-11-24T16:00:00.001Z"},
	{"TXT malformed: the kept one", KEPT, SP_STS_TXT_MALFORMED, "",
         NO_FETCH,
         "old TXT record: why; the one with id old holds until "
         "2025-11-24T16:00:00.001Z"},
	{"TXT can't be had: the kept one", KEPT, SP_STS_TXT_FAILED, "",
         NO_FETCH,
         "old TXT record: why; the one with id old holds until "
         "2025-11-24T16:00:00.001Z"},
	{"expired, same id: fetched again", EXPIRED, SP_STS_TXT_ID, "old", GOOD,
         "new"},
	{"expired, fetch fails: no policy (RFC 8461 3.2)", EXPIRED,
         SP_STS_TXT_ID, "old", BAD, "none! policy with id old: why"},
	{"expired, TXT gone: no policy", EXPIRED, SP_STS_TXT_NONE, "", NO_FETCH,
         "none"},
	{"expires at this moment: over", AT_END, SP_STS_TXT_NONE, "", NO_FETCH,
         "none"},
};

static void describe(const struct sp_sts_choice *c, char *out, size_t cap)
{
	struct sp_str id = c->policy ? c->policy->id : SP_STR("none");

	snprintf(out, cap, SP_STR_FMT "%s%s" SP_STR_FMT, SP_STR_ARG(id),
	         c->trouble ? "!" : "", c->note.len ? " " : "",
	         SP_STR_ARG(c->note));
}

static void test_choice(void **state)
{
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct sts_case *c = &cases[i];
		struct sp_sts_facts facts = {
			.kept = c->cache == EMPTY ? NULL : &rows[c->cache],
			.txt = c->txt,
			.id = sp_str_from(c->id),
			.txt_why = SP_STR("why"),
			.now_ms = NOW,
		};
		struct sp_sts_choice choice;
		char text[256];

		print_message("  %s\n", c->name);
		assert_int_equal(sp_sts_wants_fetch(&facts),
		                 c->fetch != NO_FETCH);
		if (c->fetch == GOOD) {
			facts.got = &got;
		} else if (c->fetch == BAD) {
			facts.trouble = SP_CAUSE_STS_POLICY_FETCH_ERROR;
			facts.why = SP_STR("why");
		}
		choice = sp_sts_choose(&facts, &arena);
		assert_int_equal(choice.fetched, c->fetch == GOOD);
		describe(&choice, text, sizeof(text));
		assert_string_equal(text, c->expected);
	}
	sp_arena_fini(&arena);
}

static void test_new_row(void **state)
{
	struct sp_sts_policy policy = {.max_age_s = SP_STS_MAX_AGE_MAX};
	struct sp_sts_kept row;

	(void)state;
	row = sp_sts_new_row(&policy, SP_STR("a1"), NOW);
	assert_int_equal(row.fetched_ms, NOW);
	assert_int_equal(row.expires_ms - NOW,
	                 (int64_t)SP_STS_MAX_AGE_MAX * 1000);
	assert_true(sp_str_eq(row.id, SP_STR("a1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_new_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
