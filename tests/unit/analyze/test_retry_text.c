/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a message whose first attempt has failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analyze/retry_text.h"

#define NOW_MS 1000000000000 /* 2001-09-09T01:46:40Z */

static const struct line_case {
	const char *name;
	struct sp_retry retry;
	const char *first, *last; /* beginnings of lines */
	size_t lines;
} LINE_CASES[] = {
	{"the default schedule",
         {{900000, 900000, 3600000}, 3, 86400000},
         "1. at once, 2001-09-09T01:46:40.000Z",
         "26. after 23h30m, 2001-09-10T01:16:40.000Z",
         26},
	{"one attempt",
         {{3600000}, 1, 3600000},
         "1. at once, 2001-09-09T01:46:40.000Z",
         "1. at once, 2001-09-09T01:46:40.000Z",
         1},
	{"more than are shown",
         {{1000}, 1, 100000},
         "1. at once, 2001-09-09T01:46:40.000Z",
         "and 40 more",
         SP_RETRY_LINES_MAX + 1},
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(LINE_CASES) / sizeof(*LINE_CASES); i++) {
		const struct line_case *c = &LINE_CASES[i];
		struct sp_str rest, line, first = {0}, last = {0};
		struct sp_buf out;
		size_t count = 0;

		sp_buf_init(&out, 100000);
		sp_retry_lines(&c->retry, NOW_MS, &out);
		rest = sp_buf_str(&out);
		while (sp_str_cut(&rest, '\n', &line)) {
			first = count++ ? first : line;
			last = line;
		}
		if (count != c->lines ||
		    !sp_str_eq(first, sp_str_from(c->first)) ||
		    !sp_str_eq(last, sp_str_from(c->last))) {
			fail_msg("%s: %zu lines, %.*s ... %.*s", c->name, count,
			         SP_STR_ARG(first), SP_STR_ARG(last));
		}
		sp_buf_fini(&out);
	}
}

/* ---- the report ---- */

static const struct report_case {
	const char *name;
	enum sp_cause_id cause;
	const char *parts[4]; /* in it */
	const char *never;
} REPORT_CASES[] = {
	{"mail-flow 5 until the schedule is over",
         SP_CAUSE_TLSA_MISMATCH,
         {"550 5.7.323 tlsa-invalid: ", "code 5.7.323, scenario tlsa-mismatch",
          "attempts: 26, the last Mon, 10 Sep 2001 01:16:40 +0000",
          "The administrator of d.test."},
         "450 "},
	{"mail-flow 5 at once",
         SP_CAUSE_NULL_MX,
         {"556 5.1.10 ", "attempts: 1, the last Sun, 09 Sep 2001 01:46:40",
          "You, the sender.", "    b@d.test\n"},
         "attempts: 26"},
};

static bool has(struct sp_str text, const char *part)
{
	return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static void check_report(const struct report_case *c)
{
	static const struct sp_notices built_in;
	const struct sp_retry retry = {{900000, 900000, 3600000}, 3, 86400000};
	const struct sp_conf conf = {.hostname = "mail.s.test",
	                             .postmaster = "p@s.test"};
	struct sp_retry_report report = {
		.conf = &conf,
		.notices = &built_in,
		.sender = SP_STR("a@s.test"),
		.recipient = SP_STR("b@d.test"),
		.domain = SP_STR("d.test"),
		.now_ms = NOW_MS,
	};
	struct sp_str subject;
	struct sp_verdict v;
	struct sp_arena arena;
	struct sp_buf out;

	sp_arena_init(&arena);
	sp_buf_init(&out, 100000);
	v = sp_verdict_from_cause(c->cause, SP_STR("d.test"), SP_STR(""),
	                          &arena);
	report.verdict = &v;
	sp_retry_report(&report, &retry, &subject, &out);
	assert_true(sp_str_eq(subject,
	                      SP_STR("Your message could not be delivered")));
	for (size_t i = 0; i < 4; i++) {
		if (!has(sp_buf_str(&out), c->parts[i])) {
			fail_msg("%s: no '%s' in %.*s", c->name, c->parts[i],
			         SP_STR_ARG(sp_buf_str(&out)));
		}
	}
	assert_false(has(sp_buf_str(&out), c->never));
	sp_buf_fini(&out);
	sp_arena_fini(&arena);
}

static void test_report(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(REPORT_CASES) / sizeof(*REPORT_CASES);
	     i++) {
		check_report(&REPORT_CASES[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
