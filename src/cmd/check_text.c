/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The analysis on a terminal. The first screen names what is wrong: verdict,
 * code and scenario, what that means, where it was seen, who has to act and
 * how; what else was found, a line each. Below stands the tree, where each
 * cause is explained once.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cmd/check_text.h"
#include "cmd/plan_text.h"
#include "cmd/text.h"

#define WIDTH      78
#define LABEL      15
#define TEXT_BYTES 65536
#define ALSO_MAX   8 /* further findings named before the tree */

struct page {
	FILE *f;
	bool colour;
	struct sp_str target;
	struct sp_findings found;
};

/* ---- colour and lines ---- */

struct style {
	const char *verdict;
	const char *mark;
	const char *big;
	const char *colour;
};

static const struct style *style_of(struct sp_str verdict)
{
	static const struct style rows[] = {
		{"fail", "[FAIL]", "FAIL", "\033[1;31m"},
		{"warn", "[warn]", "WARN", "\033[1;33m"},
		{"pass", "[pass]", "PASS", "\033[1;32m"},
		{"skip", "[skip]", "NOT FINISHED", "\033[2m"},
	};
	size_t i = 0;

	while (i < 3 && !sp_str_eq(verdict, sp_str_from(rows[i].verdict))) {
		i++;
	}
	return &rows[i];
}

static void put_coloured(const struct page *p, const char *colour,
                         const char *text)
{
	if (p->colour) {
		fprintf(p->f, "%s%s\033[0m", colour, text);
	} else {
		fputs(text, p->f);
	}
}

/* Text from anywhere, broken at its blanks, behind what stands in the line
 * already; further lines begin at the indent. Ends the line. */
static void put_wrapped(const struct page *p, struct sp_str text, int at,
                        int indent)
{
	struct sp_str word;
	bool first = true;

	while (sp_str_cut(&text, ' ', &word)) {
		if (word.len == 0) {
			continue;
		}
		if (!first && at + 1 + (int)word.len > WIDTH) {
			fprintf(p->f, "\n%*s", indent, "");
			at = indent;
		} else if (!first) {
			fputc(' ', p->f);
			at++;
		}
		sp_text_put(p->f, word);
		at += (int)word.len;
		first = false;
	}
	fputc('\n', p->f);
}

/* "  Label        text". */
static void put_labelled(const struct page *p, const char *label,
                         struct sp_str text)
{
	if (text.len) {
		fprintf(p->f, "  %-*s", LABEL, label);
		put_wrapped(p, text, LABEL + 2, LABEL + 2);
	}
}

/* The steps of an action, numbered where there are several. */
static void put_steps(const struct page *p, const char *label,
                      struct sp_str action, int indent)
{
	bool several = sp_str_find(action, '\n') < action.len;
	struct sp_str line;
	unsigned number = 0;

	while (sp_str_cut(&action, '\n', &line)) {
		int hang = indent + (several ? 3 : 0);

		fprintf(p->f, "  %-*s", indent - 2, number++ ? "" : label);
		if (several) {
			fprintf(p->f, "%u. ", number);
		}
		put_wrapped(p, line, hang, hang);
	}
}

/* ---- the first screen ---- */

static void put_head(const struct page *p, const struct sp_json *check)
{
	const struct sp_json *tree = sp_json_get(check, "tree");
	const struct style *s = style_of(sp_json_get_str(check, "verdict"));
	struct sp_str code = sp_json_get_str(tree, "code");
	struct sp_str scenario = sp_json_get_str(tree, "scenario");
	struct sp_str note =
		sp_json_get_str(sp_json_get(tree, "evidence"), "note");
	char took[32];

	sp_text_put(p->f, p->target);
	fputs(": ", p->f);
	put_coloured(p, s->colour, s->big);
	if (scenario.len) {
		fputc(' ', p->f);
		sp_text_put(p->f, code);
		fputs(code.len ? " " : "", p->f);
		sp_text_put(p->f, scenario);
	}
	fputc('\n', p->f);
	sp_check_duration(sp_json_get_int(check, "elapsed_ms", 0), took);
	sp_text_put(p->f, sp_check_test_title(sp_json_get_str(check, "test")));
	fprintf(p->f, ", took %s\n", took);
	if (note.len) {
		put_wrapped(p, note, 0, 0);
	}
}

/* Where it was seen: the step, its host and address, how many more. */
static void put_where(const struct page *p, const struct sp_finding *f)
{
	const struct sp_json *evidence = sp_json_get(f->step, "evidence");
	struct sp_str host = sp_json_get_str(evidence, "host");
	struct sp_str address = sp_json_get_str(evidence, "address");
	struct sp_buf line;

	if (sp_str_eq(host, address)) {
		host = SP_STR("");
	}
	sp_buf_init(&line, TEXT_BYTES);
	(void)sp_buf_append_str(&line, sp_json_get_str(f->step, "title"));
	if (host.len || address.len) {
		(void)sp_buf_printf(&line, " (" SP_STR_FMT "%s" SP_STR_FMT ")",
		                    SP_STR_ARG(host),
		                    host.len && address.len ? ", " : "",
		                    SP_STR_ARG(address));
	}
	if (f->places > 1) {
		(void)sp_buf_printf(&line, "; %zu places in all", f->places);
	}
	put_labelled(p, "Where", sp_buf_str(&line));
	sp_buf_fini(&line);
}

static void put_finding(const struct page *p, const struct sp_finding *f)
{
	const struct sp_json *evidence = sp_json_get(f->step, "evidence");
	char who[512];

	put_labelled(p, "What is wrong", sp_json_get_str(f->step, "meaning"));
	put_where(p, f);
	put_labelled(p, "Seen", sp_json_get_str(evidence, "why"));
	put_labelled(p, "Would match",
	             sp_json_get_str(evidence, "would_match"));
	put_labelled(p, "Who must act",
	             sp_str_from(sp_finding_who(f->step, p->target, who,
	                                        sizeof(who))));
	put_steps(p, "What to do", sp_json_get_str(f->step, "action"),
	          LABEL + 2);
}

static void put_also(const struct page *p, const struct sp_finding *f,
                     bool first)
{
	const struct style *s = style_of(f->verdict);
	int at = LABEL + 2 + 7 + (int)(f->code.len + f->scenario.len) + 3;

	fprintf(p->f, "  %-*s", LABEL, first ? "Also" : "");
	put_coloured(p, s->colour, s->mark);
	fputc(' ', p->f);
	if (f->code.len) {
		sp_text_put(p->f, f->code);
		fputc(' ', p->f);
		at++;
	}
	sp_text_put(p->f, f->scenario);
	fputs(": ", p->f);
	put_wrapped(p, sp_json_get_str(f->step, "title"), at, LABEL + 9);
}

/* The rule at each mail server, where mail goes at all. */
static void put_rules(const struct page *p, const struct sp_json *check)
{
	const struct sp_json *tree = sp_json_get(check, "tree");
	const struct sp_json *host;
	struct sp_buf line;
	size_t at = 0;

	sp_buf_init(&line, TEXT_BYTES);
	while ((host = sp_check_next_host(tree, &at))) {
		struct sp_str rule =
			sp_plan_rule_meaning(sp_json_get(host, "evidence"));

		sp_buf_reset(&line);
		(void)sp_buf_printf(&line, SP_STR_FMT ": " SP_STR_FMT,
		                    SP_STR_ARG(sp_json_get_str(host, "title")),
		                    SP_STR_ARG(rule));
		put_labelled(p, at > 2 ? "" : "The rule", sp_buf_str(&line));
	}
	sp_buf_fini(&line);
}

static void put_summary(struct page *p, const struct sp_json *check)
{
	size_t last =
		p->found.count < ALSO_MAX + 1 ? p->found.count : ALSO_MAX + 1;

	if (p->found.count) {
		fputc('\n', p->f);
		put_finding(p, &p->found.list[0]);
		(void)sp_findings_tell(&p->found, p->found.list[0].step);
	}
	for (size_t i = 1; i < last; i++) {
		put_also(p, &p->found.list[i], i == 1);
	}
	if (!sp_str_eq(sp_json_get_str(check, "verdict"), SP_STR("fail"))) {
		fputs(p->found.count ? "" : "\n", p->f);
		put_rules(p, check);
	}
	if (p->found.count > last) {
		fprintf(p->f, "  %-*sand %zu more, see below\n", LABEL, "",
		        p->found.count - last);
	}
}

/* ---- the tree ---- */

static void put_line(const struct page *p, const char *key,
                     const struct sp_json *value, int indent)
{
	struct sp_buf line;
	char name[64];

	sp_buf_init(&line, TEXT_BYTES);
	(void)sp_buf_printf(&line, "%s: ", sp_evidence_key(key, name));
	sp_evidence_line(value, &line);
	fprintf(p->f, "%*s", indent, "");
	put_wrapped(p, sp_buf_str(&line), indent, indent + 2);
	sp_buf_fini(&line);
}

static void put_block(const struct page *p, const char *key, struct sp_str text,
                      int indent)
{
	struct sp_str line;
	char name[64];

	fprintf(p->f, "%*s%s:\n", indent, "", sp_evidence_key(key, name));
	while (sp_str_cut(&text, '\n', &line)) {
		fprintf(p->f, "%*s| ", indent + 2, "");
		sp_text_put(p->f, line);
		fputc('\n', p->f);
	}
}

/* What a session told delivery: other steps have the essence of it. */
static bool is_shown(const char *key, const struct sp_json *value, bool below)
{
	return strcmp(key, "session") != 0 &&
	       sp_evidence_is_shown(key, value, below);
}

static void put_members(const struct page *p, const struct sp_json *object,
                        bool below, int indent);

static void put_value(const struct page *p, const char *key,
                      const struct sp_json *value, int indent)
{
	char name[64];

	if (sp_evidence_is_line(value)) {
		put_line(p, key, value, indent);
	} else if (sp_json_is_array(value)) {
		for (size_t i = 0; i < sp_json_len(value); i++) {
			put_value(p, key, sp_json_at(value, i), indent);
		}
	} else if (sp_json_is_object(value)) {
		fprintf(p->f, "%*s%s:\n", indent, "",
		        sp_evidence_key(key, name));
		put_members(p, value, false, indent + 2);
	} else {
		put_block(p, key, sp_json_str(value), indent);
	}
}

/* "key: value", in the line or in the next one; at is the column, 0: none
 * yet. The new column. */
static int put_pair(const struct page *p, const char *key,
                    const struct sp_json *value, int at, int indent)
{
	struct sp_buf pair, safe;
	char name[64];

	sp_buf_init(&pair, TEXT_BYTES);
	sp_buf_init(&safe, TEXT_BYTES);
	(void)sp_buf_printf(&pair, "%s: ", sp_evidence_key(key, name));
	sp_evidence_line(value, &pair);
	(void)sp_buf_append_cstr(&pair, sp_evidence_unit(key));
	sp_text_append(&safe, sp_buf_str(&pair));
	if (at == 0) {
		at = fprintf(p->f, "%*s", indent, "");
	} else if (at + 2 + (int)sp_buf_len(&safe) >= WIDTH) {
		at = fprintf(p->f, ",\n%*s", indent, "") - 2;
	} else {
		at += fprintf(p->f, ", ");
	}
	at += fprintf(p->f, SP_STR_FMT, SP_STR_ARG(sp_buf_str(&safe)));
	sp_buf_fini(&pair);
	sp_buf_fini(&safe);
	return at;
}

/* All that is short together; then the rest, each by itself. */
static void put_members(const struct page *p, const struct sp_json *object,
                        bool below, int indent)
{
	const struct sp_json *value;
	const char *key;
	void *it = NULL;
	int at = 0;

	while (sp_json_next(object, &it, &key, &value)) {
		if (is_shown(key, value, below) &&
		    sp_evidence_is_short(value)) {
			at = put_pair(p, key, value, at, indent);
		}
	}
	if (at) {
		fputc('\n', p->f);
	}
	it = NULL;
	while (sp_json_next(object, &it, &key, &value)) {
		if (is_shown(key, value, below) &&
		    !sp_evidence_is_short(value)) {
			put_value(p, key, value, indent);
		}
	}
}

static void put_cause(struct page *p, const struct sp_json *step, int indent)
{
	struct sp_str code = sp_json_get_str(step, "code");
	struct sp_str scenario = sp_json_get_str(step, "scenario");

	if (!scenario.len) {
		return;
	}
	fprintf(p->f, "%*s", indent, "");
	sp_text_put(p->f, code);
	fputs(code.len ? " " : "", p->f);
	sp_text_put(p->f, scenario);
	fputc('\n', p->f);
	if (sp_findings_tell(&p->found, step)) {
		fprintf(p->f, "%*s", indent + 2, "");
		put_wrapped(p, sp_json_get_str(step, "meaning"), indent + 2,
		            indent + 2);
		put_steps(p, "", sp_json_get_str(step, "action"), indent + 2);
	}
}

static void put_step(struct page *p, const struct sp_json *step, int depth)
{
	const struct style *s = style_of(sp_json_get_str(step, "verdict"));
	const struct sp_json *children = sp_json_get(step, "children");
	int indent = 2 * depth;

	fprintf(p->f, "%*s", indent, "");
	put_coloured(p, s->colour, s->mark);
	fputc(' ', p->f);
	put_wrapped(p, sp_json_get_str(step, "title"), indent + 7, indent + 7);
	put_cause(p, step, indent + 7);
	put_members(p, sp_json_get(step, "evidence"), sp_finding_is_below(step),
	            indent + 7);
	for (size_t i = 0; i < sp_json_len(children); i++) {
		put_step(p, sp_json_at(children, i), depth + 1);
	}
}

void sp_check_put_text(FILE *f, const struct sp_json *check, bool colour)
{
	const struct sp_json *tree = sp_json_get(check, "tree");
	const struct sp_json *children = sp_json_get(tree, "children");
	struct page *p = SP_NEW(struct page);

	p->f = f;
	p->colour = colour;
	p->target = sp_json_get_str(check, "target");
	sp_findings_find(tree, &p->found);
	put_head(p, check);
	put_summary(p, check);
	fputc('\n', f);
	for (size_t i = 0; i < sp_json_len(children); i++) {
		put_step(p, sp_json_at(children, i), 0);
	}
	sp_free(p);
}

bool sp_check_wants_colour(void)
{
	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") &&
	       sp_text_terminal_moves();
}
