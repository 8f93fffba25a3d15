/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cause is about stands at the deepest step that has it; the steps
 * above it that speak for it are not counted as places of their own.
 */
#include <stdio.h>
#include <string.h>

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

bool sp_finding_is_below(const struct sp_json *step)
{
	struct sp_str scenario = sp_json_get_str(step, "scenario");

	return scenario.len &&
	       stands_below(step, scenario, sp_json_get_str(step, "code"));
}

/* How bad it is by itself: a step with others below it shows the worst of
 * them, which may be something else. Empty: nothing bad. */
static struct sp_str badness(const struct sp_json *step)
{
	struct sp_str verdict = sp_json_get_str(step, "verdict");
	bool leaf = sp_json_len(sp_json_get(step, "children")) == 0;
	enum sp_advice_id advice =
		sp_advice_find(sp_json_get_str(step, "scenario"));

	if (advice != SP_ADVICE_NONE && !leaf) {
		verdict = sp_str_from(
			sp_step_verdict_text(sp_advice_get(advice)->verdict));
	}
	return sp_str_eq(verdict, SP_STR("fail")) ||
	                       sp_str_eq(verdict, SP_STR("warn"))
	               ? verdict
	               : SP_STR("");
}

/* The host and address of a step, unless they are known; none at all is a
 * place where there is no other. */
static void add_place(struct sp_finding *f, const struct sp_json *step)
{
	const struct sp_json *evidence = sp_json_get(step, "evidence");
	struct sp_str host = sp_json_get_str(evidence, "host");
	struct sp_str address = sp_json_get_str(evidence, "address");

	if (f->places == SP_PLACES_MAX ||
	    (f->places && !host.len && !address.len)) {
		return;
	}
	for (size_t i = 0; i < f->places; i++) {
		if (sp_str_eq(f->at[i][0], host) &&
		    sp_str_eq(f->at[i][1], address)) {
			return;
		}
	}
	f->at[f->places][0] = host;
	f->at[f->places++][1] = address;
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
	if (!sp_finding_is_below(step)) {
		found->step = found->places ? found->step : step;
		add_place(found, step);
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

/* The retry simulation tells the consequences of what others found. */
static bool is_echo(const struct sp_json *step)
{
	return sp_str_eq(sp_json_get_str(step, "id"), SP_STR("retry"));
}

void sp_findings_find(const struct sp_json *root, struct sp_findings *out)
{
	const struct sp_json *children = sp_json_get(root, "children");

	out->count = 0;
	out->told_count = 0;
	for (size_t i = 0; i < sp_json_len(children); i++) {
		const struct sp_json *c = sp_json_at(children, i);

		if (!is_echo(c)) {
			walk(out, c);
		}
	}
	sort(out, root);
}

/* The branch of that name; or null. */
static const struct sp_json *branch(const struct sp_json *step, const char *id)
{
	const struct sp_json *children = sp_json_get(step, "children");

	for (size_t i = 0; i < sp_json_len(children); i++) {
		const struct sp_json *c = sp_json_at(children, i);

		if (sp_str_eq(sp_json_get_str(c, "id"), sp_str_from(id))) {
			return c;
		}
	}
	return NULL;
}

const struct sp_json *sp_check_next_host(const struct sp_json *root, size_t *at)
{
	const struct sp_json *steps =
		sp_json_get(branch(root, "plan"), "children");

	while (*at < sp_json_len(steps)) {
		const struct sp_json *step = sp_json_at(steps, (*at)++);

		if (sp_str_eq(sp_json_get_str(step, "id"),
		              SP_STR("plan.host"))) {
			return step;
		}
	}
	return NULL;
}

bool sp_findings_tell(struct sp_findings *findings, const struct sp_json *step)
{
	struct sp_str scenario = sp_json_get_str(step, "scenario");
	struct sp_str code = sp_json_get_str(step, "code");

	for (size_t i = 0; i < findings->told_count; i++) {
		if (same(findings->told[i], scenario, code)) {
			return false;
		}
	}
	if (findings->told_count < SP_FINDINGS_MAX) {
		findings->told[findings->told_count++] = step;
	}
	return true;
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
		{"tlsa", "Published TLSA records"},
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

bool sp_evidence_is_shown(const char *key, const struct sp_json *value,
                          bool cause_below)
{
	static const char *const of_cause[] = {"host", "address", "why",
	                                       "reply"};

	if (sp_json_is_null(value) || strcmp(key, "who") == 0 ||
	    (sp_json_is_array(value) && sp_json_len(value) == 0)) {
		return false;
	}
	for (size_t i = 0; cause_below && i < 4; i++) {
		if (strcmp(key, of_cause[i]) == 0) {
			return false;
		}
	}
	return true;
}

#define UNBROKEN_MAX 48 /* of a text without blanks */
#define UNBROKEN_CUT 32
#define SHORT_MAX    40 /* of a text among others in a line */
#define SMALL_MAX    4  /* members of an object in one line */

const char *sp_evidence_unit(const char *key)
{
	struct sp_str name = sp_str_from(key);

	return sp_str_ends_nocase(name, SP_STR("_ms"))  ? " ms"
	       : sp_str_ends_nocase(name, SP_STR("_s")) ? " s"
	                                                : "";
}

const char *sp_evidence_key(const char *key, char out[64])
{
	size_t len = strlen(key) - strlen(sp_evidence_unit(key));
	size_t i = 0;

	for (; i < len && i < 63; i++) {
		bool plain = key[i] >= ' ' && key[i] <= '~';

		out[i] = key[i] == '_' ? ' ' : plain ? key[i] : '?';
	}
	out[i] = '\0';
	return out;
}

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

/* "3 1 1 0123...": a TLSA record, as people write it. */
static bool put_record(const struct sp_json *o, struct sp_buf *out)
{
	struct sp_str reason = sp_json_get_str(o, "reason");
	const struct sp_json *usable = sp_json_get(o, "usable");

	if (!sp_json_get(o, "usage") || !sp_json_get(o, "selector") ||
	    !sp_json_get(o, "matching")) {
		return false;
	}
	(void)sp_buf_printf(out, "%lld %lld %lld",
	                    (long long)sp_json_get_int(o, "usage", 0),
	                    (long long)sp_json_get_int(o, "selector", 0),
	                    (long long)sp_json_get_int(o, "matching", 0));
	if (sp_json_get_str(o, "data").len) {
		(void)sp_buf_append_char(out, ' ');
		put_text(out, sp_json_get_str(o, "data"));
	}
	if (usable && sp_json_get_bool(o, "usable")) {
		(void)sp_buf_append_cstr(out, ", usable");
	} else if (reason.len) {
		(void)sp_buf_printf(out, ", not usable: " SP_STR_FMT,
		                    SP_STR_ARG(reason));
	}
	return true;
}

/* Said by itself: what it is the address or the state of stands before. */
static bool is_plain(const char *key)
{
	return strcmp(key, "address") == 0 || strcmp(key, "name") == 0 ||
	       strcmp(key, "dnssec") == 0;
}

static void put_object(const struct sp_json *object, struct sp_buf *out)
{
	const struct sp_json *value;
	const char *key;
	const char *comma = "";
	char name[64];
	void *at = NULL;

	if (put_record(object, out)) {
		return;
	}
	while (sp_json_next(object, &at, &key, &value)) {
		if (!sp_json_is_null(value)) {
			(void)sp_buf_printf(
				out, "%s%s%s", comma,
				is_plain(key) ? "" : sp_evidence_key(key, name),
				is_plain(key) ? "" : " ");
			sp_evidence_line(value, out);
			(void)sp_buf_append_cstr(out, sp_evidence_unit(key));
			comma = ", ";
		}
	}
}

bool sp_evidence_is_short(const struct sp_json *value)
{
	return !sp_json_is_object(value) && !sp_json_is_array(value) &&
	       sp_json_str(value).len <= SHORT_MAX;
}

/* A TLSA record, or a few short members. */
static bool is_small(const struct sp_json *object)
{
	const struct sp_json *value;
	const char *key;
	void *at = NULL;
	size_t count = 0;

	if (sp_json_get(object, "usage") && sp_json_get(object, "selector")) {
		return true;
	}
	while (sp_json_next(object, &at, &key, &value)) {
		if (!sp_evidence_is_short(value) || ++count > SMALL_MAX) {
			return false;
		}
	}
	return true;
}

bool sp_evidence_is_line(const struct sp_json *value)
{
	struct sp_str text = sp_json_str(value);

	if (sp_json_is_array(value)) {
		return !sp_json_is_object(sp_json_at(value, 0));
	}
	return sp_json_is_object(value) ? is_small(value)
	                                : sp_str_find(text, '\n') == text.len;
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
