/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps are nodes in lists of siblings; the tree frees them from the root
 * down. What a step shows is worked out when it is asked for: its own verdict
 * stays as it was given, so that a child that ends late still counts.
 */
#include <stdarg.h>
#include <stdio.h>

#include "analyze/step.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"

#define TITLE_BYTES 512
#define WORDS_BYTES 8192

struct sp_step {
	const char *id;           /* literal */
	char *title;              /* owned */
	struct sp_tree *tree;     /* borrowed */
	struct sp_step *parent;   /* borrowed; the root has none */
	struct sp_step *first;    /* owned children */
	struct sp_step *last;     /* borrowed */
	struct sp_step *next;     /* owned by the parent */
	struct sp_json *evidence; /* owned */
	int depth;
	bool ended;
	bool cut; /* not all of it was seen */
	enum sp_step_verdict own;
	int64_t began_ms; /* mono */
	int64_t elapsed_ms;

	enum sp_step_verdict worst; /* of cause or advice, for finish */
	char *code;                 /* all four owned; null: none */
	char *scenario;
	char *meaning;
	char *action;
};

struct sp_tree {
	struct sp_step *root; /* owned */
	sp_tree_fn *fn;
	void *arg;
};

const char *sp_step_verdict_text(enum sp_step_verdict verdict)
{
	static const char *const words[] = {
		[SP_STEP_SKIP] = "skip",
		[SP_STEP_PASS] = "pass",
		[SP_STEP_WARN] = "warn",
		[SP_STEP_FAIL] = "fail",
	};

	return words[verdict];
}

/* ---- lifecycle ---- */

static void tell(const struct sp_step *step)
{
	if (step->tree->fn) {
		step->tree->fn(step->tree->arg, step);
	}
}

static struct sp_step *step_new(struct sp_tree *tree, struct sp_step *parent,
                                const char *id, struct sp_str title)
{
	struct sp_step *step = SP_NEW(struct sp_step);

	step->id = id;
	step->title = sp_str_dup(title);
	step->tree = tree;
	step->parent = parent;
	step->depth = parent ? parent->depth + 1 : 0;
	step->evidence = sp_json_object();
	step->began_ms = sp_time_mono_ms();
	step->worst = SP_STEP_PASS;
	return step;
}

static void step_fini(struct sp_step *step)
{
	sp_free(step->title);
	sp_json_free(&step->evidence);
	sp_free(step->code);
	sp_free(step->scenario);
	sp_free(step->meaning);
	sp_free(step->action);
	sp_free(step);
}

/* As deep as analyses grow: a few levels. */
static void step_free(struct sp_step *step)
{
	while (step) {
		struct sp_step *next = step->next;

		step_free(step->first);
		step_fini(step);
		step = next;
	}
}

struct sp_tree *sp_tree_new(const char *root_id, struct sp_str title,
                            sp_tree_fn *fn, void *arg)
{
	struct sp_tree *tree = SP_NEW(struct sp_tree);

	tree->fn = fn;
	tree->arg = arg;
	tree->root = step_new(tree, NULL, root_id, title);
	tell(tree->root);
	return tree;
}

void sp_tree_free(struct sp_tree **tree)
{
	if (*tree) {
		step_free((*tree)->root);
		SP_FREE(tree);
	}
}

struct sp_step *sp_tree_root(struct sp_tree *tree)
{
	return tree->root;
}

struct sp_step *sp_step_begin(struct sp_step *parent, const char *id,
                              const char *title_fmt, ...)
{
	char title[TITLE_BYTES];
	struct sp_step *step;
	va_list ap;

	SP_ASSERT(!parent->ended);
	va_start(ap, title_fmt);
	(void)vsnprintf(title, sizeof(title), title_fmt, ap);
	va_end(ap);
	step = step_new(parent->tree, parent, id, sp_str_from(title));
	if (parent->last) {
		parent->last->next = step;
	} else {
		parent->first = step;
	}
	parent->last = step;
	tell(step);
	return step;
}

struct sp_json *sp_step_evidence(struct sp_step *step)
{
	return step->evidence;
}

/* ---- what is wrong ---- */

static const char *who_text(enum sp_culprit culprit)
{
	static const char *const words[] = {
		[SP_CULPRIT_NONE] = NULL,
		[SP_CULPRIT_DESTINATION] = "destination",
		[SP_CULPRIT_SENDER] = "sender",
		[SP_CULPRIT_US] = "us",
		[SP_CULPRIT_NETWORK] = "network",
	};

	return words[culprit];
}

/* The words with each "<placeholder>" replaced. */
static char *fill(const char *words, const char *placeholder,
                  struct sp_str with)
{
	struct sp_str rest = sp_str_from(words);
	struct sp_str mark = sp_str_from(placeholder);
	struct sp_buf out;
	char *text;

	sp_buf_init(&out, WORDS_BYTES);
	while (rest.len) {
		if (sp_str_starts_nocase(rest, mark)) {
			(void)sp_buf_append_str(&out, with);
			rest = sp_str_sub(rest, mark.len, rest.len);
		} else {
			(void)sp_buf_append_char(&out, *rest.ptr);
			rest = sp_str_sub(rest, 1, rest.len);
		}
	}
	text = sp_buf_take(&out);
	sp_buf_fini(&out);
	return text;
}

static void set_text(struct sp_step *step, const char *key, struct sp_str text)
{
	if (text.len) {
		sp_json_set_str(step->evidence, key, text);
	}
}

static struct sp_str domain_of(const struct sp_step *step)
{
	const struct sp_step *root = step->tree->root;

	return sp_json_get_str(root->evidence, "domain");
}

void sp_step_cause(struct sp_step *step, const struct sp_verdict *verdict)
{
	const struct sp_cause *cause = sp_cause_get(verdict->cause);
	char code[32];
	char line[1024];

	if (verdict->class == SP_VERDICT_DELIVERED || step->scenario) {
		return;
	}
	sp_verdict_code(verdict, code, sizeof(code));
	sp_verdict_line(verdict, line, sizeof(line));
	step->code = sp_strdup(code);
	step->scenario = sp_strdup(cause->name);
	step->meaning = sp_strdup(cause->meaning);
	step->action = fill(cause->action, "<domain>", domain_of(step));
	step->worst = SP_STEP_FAIL;
	set_text(step, "host", verdict->host);
	set_text(step, "address", verdict->address);
	set_text(step, "why", verdict->evidence);
	if (verdict->text.len) {
		set_text(step, "reply", sp_str_from(line));
	}
	sp_json_set_cstr(step->evidence, "who", who_text(cause->culprit));
}

/* Both placeholders of the table of advice. */
static char *fill_advice(const char *words, struct sp_str subject,
                         struct sp_str detail)
{
	char *half = fill(words, "<subject>", subject);
	char *whole = fill(half, "<detail>", detail);

	sp_free(half);
	return whole;
}

void sp_step_advice_detail(struct sp_step *step, enum sp_advice_id advice,
                           struct sp_str subject, struct sp_str detail)
{
	const struct sp_advice *a = sp_advice_get(advice);

	if (step->scenario || advice == SP_ADVICE_NONE) {
		return;
	}
	step->scenario = sp_strdup(a->name);
	step->meaning = fill_advice(a->meaning, subject, detail);
	step->action = fill_advice(a->action, subject, detail);
	step->worst = a->verdict;
	/* all of them are of that kind */
	sp_json_set_cstr(step->evidence, "who",
	                 who_text(SP_CULPRIT_DESTINATION));
}

void sp_step_advice(struct sp_step *step, enum sp_advice_id advice,
                    struct sp_str subject)
{
	sp_step_advice_detail(step, advice, subject, (struct sp_str){0});
}

static char *dup_or_null(const char *text)
{
	return text ? sp_strdup(text) : NULL;
}

void sp_step_cause_from(struct sp_step *step, const struct sp_step *from)
{
	if (step->scenario || !from->scenario) {
		return;
	}
	step->code = dup_or_null(from->code);
	step->scenario = dup_or_null(from->scenario);
	step->meaning = dup_or_null(from->meaning);
	step->action = dup_or_null(from->action);
	step->worst = from->worst;
	set_text(step, "who", sp_json_get_str(from->evidence, "who"));
}

/* ---- ending ---- */

/* As deep as analyses grow. */
static void end_children(struct sp_step *step)
{
	for (struct sp_step *c = step->first; c; c = c->next) {
		if (!c->ended) {
			sp_step_end_cut(c, "not finished");
		}
	}
}

void sp_step_end(struct sp_step *step, enum sp_step_verdict verdict)
{
	SP_ASSERT(!step->ended);
	end_children(step);
	step->own = verdict;
	step->elapsed_ms = sp_time_mono_ms() - step->began_ms;
	step->ended = true;
	tell(step);
}

void sp_step_end_cut(struct sp_step *step, const char *note)
{
	sp_json_set_cstr(step->evidence, "note", note);
	step->cut = true;
	sp_step_end(step, SP_STEP_SKIP);
}

void sp_step_finish(struct sp_step *step)
{
	sp_step_end(step, step->worst);
}

/* ---- inspection ---- */

const char *sp_step_id(const struct sp_step *step)
{
	return step->id;
}

struct sp_str sp_step_title(const struct sp_step *step)
{
	return sp_str_from(step->title);
}

int sp_step_depth(const struct sp_step *step)
{
	return step->depth;
}

bool sp_step_ended(const struct sp_step *step)
{
	return step->ended;
}

enum sp_step_verdict sp_step_verdict(const struct sp_step *step)
{
	enum sp_step_verdict worst = step->own;

	for (const struct sp_step *c = step->first; c; c = c->next) {
		enum sp_step_verdict below = sp_step_verdict(c);

		worst = below > worst ? below : worst;
	}
	return step->cut && worst < SP_STEP_FAIL ? SP_STEP_SKIP : worst;
}

enum sp_step_verdict sp_step_own_verdict(const struct sp_step *step)
{
	return step->own;
}

int64_t sp_step_elapsed_ms(const struct sp_step *step)
{
	return step->ended ? step->elapsed_ms
	                   : sp_time_mono_ms() - step->began_ms;
}

struct sp_str sp_step_scenario(const struct sp_step *step)
{
	return sp_str_from(step->scenario);
}

const struct sp_step *sp_step_first(const struct sp_step *step)
{
	return step->first;
}

const struct sp_step *sp_step_next(const struct sp_step *step)
{
	return step->next;
}

static struct sp_json *step_json(const struct sp_step *step)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *children = sp_json_array();

	sp_json_set_cstr(obj, "id", step->id);
	sp_json_set_cstr(obj, "title", step->title);
	sp_json_set_cstr(obj, "verdict",
	                 sp_step_verdict_text(sp_step_verdict(step)));
	sp_json_set_int(obj, "elapsed_ms", sp_step_elapsed_ms(step));
	sp_json_set(obj, "evidence", sp_json_copy(step->evidence));
	sp_json_set_cstr(obj, "code", step->code);
	sp_json_set_cstr(obj, "scenario", step->scenario);
	sp_json_set_cstr(obj, "meaning", step->meaning);
	sp_json_set_cstr(obj, "action", step->action);
	for (const struct sp_step *c = step->first; c; c = c->next) {
		sp_json_add(children, step_json(c));
	}
	sp_json_set(obj, "children", children);
	return obj;
}

struct sp_json *sp_tree_json(const struct sp_tree *tree)
{
	return step_json(tree->root);
}
