/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cause is about stands at the deepest step that has it; the steps
 * above it that speak for it are not counted as places of their own.
 */
#include <stdio.h>

#include "analyze/step.h"
#include "cmd/check_find.h"

/* ---- gathering ---- */

static bool same(const struct sp_json *step, struct sp_str scenario,
                 struct sp_str code)
{
	return sp_str_eq(sp_json_get_str(step, "scenario"), scenario) &&
	       sp_str_eq(sp_json_get_str(step, "code"), code);
}

static bool stands_below(const struct sp_json *step, struct sp_str scenario,
                         struct sp_str code)
{
	const struct sp_json *children = sp_json_get(step, "children");

	for (size_t i = 0; i < sp_json_len(children); i++) {
		const struct sp_json *c = sp_json_at(children, i);

		if (same(c, scenario, code) ||
		    stands_below(c, scenario, code)) {
			return true;
		}
	}
	return false;
}

/* How bad it is by itself: a step shows the worst of what stands below it,
 * which may be something else. Empty: nothing bad. */
static struct sp_str badness(const struct sp_json *step)
{
	struct sp_str verdict = sp_json_get_str(step, "verdict");
	enum sp_advice_id advice =
		sp_advice_find(sp_json_get_str(step, "scenario"));

	if (advice != SP_ADVICE_NONE) {
		verdict = sp_str_from(
			sp_step_verdict_text(sp_advice_get(advice)->verdict));
	}
	return sp_str_eq(verdict, SP_STR("fail")) ||
	                       sp_str_eq(verdict, SP_STR("warn"))
	               ? verdict
	               : SP_STR("");
}

static void add(struct sp_findings *f, const struct sp_json *step,
                struct sp_str verdict)
{
	struct sp_str scenario = sp_json_get_str(step, "scenario");
	struct sp_str code = sp_json_get_str(step, "code");
	struct sp_finding *found = NULL;

	for (size_t i = 0; i < f->count && !found; i++) {
		if (same(f->list[i].step, scenario, code)) {
			found = &f->list[i];
		}
	}
	if (!found && f->count < SP_FINDINGS_MAX) {
		found = &f->list[f->count++];
		*found = (struct sp_finding){.step = step,
		                             .verdict = verdict,
		                             .code = code,
		                             .scenario = scenario};
	}
	if (!found) {
		return;
	}
	if (sp_str_eq(verdict, SP_STR("fail"))) {
		found->verdict = verdict;
	}
	if (!stands_below(step, scenario, code)) {
		found->step = found->places++ ? found->step : step;
	}
}

static void walk(struct sp_findings *f, const struct sp_json *step)
{
	const struct sp_json *children = sp_json_get(step, "children");
	struct sp_str verdict = badness(step);

	if (sp_json_get_str(step, "scenario").len && verdict.len) {
		add(f, step, verdict);
	}
	for (size_t i = 0; i < sp_json_len(children); i++) {
		walk(f, sp_json_at(children, i));
	}
}

/* Those that fit come first, the others stay in their order. */
static void move_first(struct sp_findings *f, size_t from)
{
	struct sp_finding first = f->list[from];

	for (size_t i = from; i > 0; i--) {
		f->list[i] = f->list[i - 1];
	}
	f->list[0] = first;
}

static void sort(struct sp_findings *f, const struct sp_json *root)
{
	struct sp_str scenario = sp_json_get_str(root, "scenario");
	struct sp_str code = sp_json_get_str(root, "code");
	size_t fails = 0;

	for (size_t i = 0; i < f->count; i++) {
		if (sp_str_eq(f->list[i].verdict, SP_STR("fail"))) {
			struct sp_finding fail = f->list[i];

			for (size_t n = i; n > fails; n--) {
				f->list[n] = f->list[n - 1];
			}
			f->list[fails++] = fail;
		}
	}
	for (size_t i = 0; i < f->count; i++) {
		if (same(f->list[i].step, scenario, code)) {
			move_first(f, i);
			break;
		}
	}
}

void sp_findings_find(const struct sp_json *root, struct sp_findings *out)
{
	const struct sp_json *children = sp_json_get(root, "children");

	out->count = 0;
	for (size_t i = 0; i < sp_json_len(children); i++) {
		walk(out, sp_json_at(children, i));
	}
	sort(out, root);
}

/* ---- words ---- */

struct word {
	const char *word;
	const char *text;
};

const char *sp_finding_who(const struct sp_json *step, struct sp_str target,
                           char *out, size_t cap)
{
	static const struct word rows[] = {
		{"sender", "the sender of the message"},
		{"us", "the operator of this server"},
		{"network", "the administrator of the destination, or of the "
	                    "network before it"},
	};
	struct sp_str who =
		sp_json_get_str(sp_json_get(step, "evidence"), "who");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (sp_str_eq(who, sp_str_from(rows[i].word))) {
			return rows[i].text;
		}
	}
	snprintf(out, cap, "the administrator of " SP_STR_FMT,
	         SP_STR_ARG(target));
	return out;
}

struct sp_str sp_check_test_title(struct sp_str test)
{
	static const struct word rows[] = {
		{"dnssec", "DNSSEC validation"},
		{"dane", "DANE validation (including DNSSEC)"},
		{"smtp", "Inbound SMTP"},
		{"sts", "MTA-STS"},
		{"tlsrpt", "TLS reporting (TLSRPT)"},
		{"all", "All tests"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (sp_str_eq(test, sp_str_from(rows[i].word))) {
			return sp_str_from(rows[i].text);
		}
	}
	return test;
}

void sp_check_duration(int64_t ms, char out[32])
{
	if (ms < 1000) {
		snprintf(out, 32, "%lld ms", (long long)ms);
	} else {
		snprintf(out, 32, "%lld.%lld s", (long long)(ms / 1000),
		         (long long)(ms % 1000 / 100));
	}
}

/* ---- evidence ---- */

#define UNBROKEN_MAX 72 /* of a text without blanks */
#define UNBROKEN_CUT 32

static void put_text(struct sp_buf *out, struct sp_str text)
{
	bool cut =
		text.len > UNBROKEN_MAX && sp_str_find(text, ' ') == text.len;

	(void)sp_buf_append_str(out,
	                        cut ? sp_str_sub(text, 0, UNBROKEN_CUT) : text);
	if (cut) {
		(void)sp_buf_append_cstr(out, "...");
	}
}

static void put_array(const struct sp_json *array, struct sp_buf *out)
{
	for (size_t i = 0; i < sp_json_len(array); i++) {
		if (i) {
			(void)sp_buf_append_cstr(out, ", ");
		}
		sp_evidence_line(sp_json_at(array, i), out);
	}
	if (sp_json_len(array) == 0) {
		(void)sp_buf_append_cstr(out, "none");
	}
}

static void put_object(const struct sp_json *object, struct sp_buf *out)
{
	const struct sp_json *value;
	const char *key;
	const char *comma = "";
	void *at = NULL;

	while (sp_json_next(object, &at, &key, &value)) {
		if (!sp_json_is_null(value)) {
			(void)sp_buf_printf(out, "%s%s ", comma, key);
			sp_evidence_line(value, out);
			comma = ", ";
		}
	}
}

void sp_evidence_line(const struct sp_json *value, struct sp_buf *out)
{
	if (sp_json_is_string(value)) {
		put_text(out, sp_json_str(value));
	} else if (sp_json_is_array(value)) {
		put_array(value, out);
	} else if (sp_json_is_object(value)) {
		put_object(value, out);
	} else {
		(void)sp_json_write(value, out); /* cut: see the header */
	}
}
