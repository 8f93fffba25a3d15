/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealpost queue: what waits, and what an operator does about it. What
 * changes the queue needs to be told which mail: ids, a filter, or --all.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/control.h"
#include "cmd/filter.h"
#include "cmd/rows.h"
#include "cmd/text.h"

static const struct sp_option OPTIONS[] = {
	SP_FILTER_OPTIONS,
	{"held", 0, NULL, "only what is held"},
	{"all", 0, NULL, "the whole queue"},
	{"detail", 0, NULL, "list: the timeline of each"},
	{"csv", 0, NULL, "list: comma-separated values"},
	{0},
};

/* ---- looking ---- */

static enum sp_rows_form form_of(const struct sp_cmd_ctx *ctx, bool detail)
{
	if (ctx->json) {
		return SP_ROWS_ARRAY;
	}
	if (sp_args_has(ctx->args, "csv")) {
		return SP_ROWS_CSV;
	}
	return detail ? SP_ROWS_DETAIL : SP_ROWS_TABLE;
}

static int look(struct sp_cmd_ctx *ctx, struct sp_json *filter, bool detail)
{
	size_t found = 0;
	int status =
		sp_cmd_rows(ctx, filter, form_of(ctx, detail), detail, &found);

	return status ? status : found ? SP_EXIT_OK : SP_EXIT_NO;
}

static int list(struct sp_cmd_ctx *ctx, struct sp_json *filter, const char *arg)
{
	(void)arg;
	if (!sp_args_has(ctx->args, "status")) {
		sp_json_set_cstr(filter, "status", "pending");
	}
	if (ctx->word_count == 2) {
		sp_json_set_cstr(filter, sp_cmd_filter_word(ctx->words[1])[0],
		                 ctx->words[1]);
	} else if (ctx->word_count > 2) {
		return sp_cmd_fail(SP_EXIT_USAGE, "%s: unexpected argument",
		                   ctx->words[2]);
	}
	return look(ctx, filter, sp_args_has(ctx->args, "detail"));
}

static int show(struct sp_cmd_ctx *ctx, struct sp_json *filter, const char *arg)
{
	(void)arg;
	if (ctx->word_count != 2) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "queue show: expected one queue id");
	}
	sp_json_set_cstr(filter, "id", ctx->words[1]);
	return look(ctx, filter, true);
}

/* ---- changing ---- */

static int change_some(struct sp_cmd_ctx *ctx, const char *verb,
                       struct sp_json *filter, int64_t *changed)
{
	struct sp_json *ask = sp_control_verb(verb);
	struct sp_json *done = NULL;
	int status;

	sp_json_set(ask, "filter", sp_json_copy(filter));
	status = sp_control_ask(ctx, ask, NULL, NULL, &done);
	*changed += sp_json_get_int(done, "changed", 0);
	sp_json_free(&done);
	return status;
}

/* Is anything said about which mail is meant? A limit alone says nothing. */
static bool is_narrow(const struct sp_cmd_ctx *ctx)
{
	for (size_t i = 0; i < ctx->args->given_count; i++) {
		const char *name = ctx->args->given[i].option->name;
		const struct sp_option *o = OPTIONS;

		while (o->name && strcmp(o->name, name) != 0) {
			o++;
		}
		if (o->name && strcmp(name, "limit") != 0 &&
		    strcmp(name, "detail") != 0 && strcmp(name, "csv") != 0) {
			return true;
		}
	}
	return false;
}

static void put_changed(const struct sp_cmd_ctx *ctx, int64_t changed)
{
	if (ctx->json) {
		struct sp_json *obj = sp_json_object();

		sp_json_set_int(obj, "changed", changed);
		sp_json_put(stdout, obj);
		sp_json_free(&obj);
	} else {
		printf("%s: %lld recipient%s changed\n", ctx->words[0],
		       (long long)changed, changed == 1 ? "" : "s");
	}
}

static int change(struct sp_cmd_ctx *ctx, struct sp_json *filter,
                  const char *verb)
{
	int64_t changed = 0;
	int status = 0;

	if (ctx->word_count == 1 && !is_narrow(ctx)) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "queue %s: which? name ids, a filter, or "
		                   "--all",
		                   ctx->words[0]);
	}
	sp_json_set_bool(filter, "all", sp_args_has(ctx->args, "all"));
	if (ctx->word_count == 1) {
		status = change_some(ctx, verb, filter, &changed);
	}
	for (size_t i = 1; !status && i < ctx->word_count; i++) {
		struct sp_json *one = sp_json_copy(filter);

		sp_json_set_cstr(one, sp_cmd_filter_word(ctx->words[i])[0],
		                 ctx->words[i]);
		status = change_some(ctx, verb, one, &changed);
		sp_json_free(&one);
	}
	if (status) {
		return status;
	}
	put_changed(ctx, changed);
	return changed ? SP_EXIT_OK : SP_EXIT_NO;
}

static const struct {
	const char *name;
	int (*run)(struct sp_cmd_ctx *ctx, struct sp_json *filter,
	           const char *verb);
	const char *verb;
} VERBS[] = {
	{"list", list, NULL},
	{"show", show, NULL},
	{"retry", change, "queue-retry"},
	{"hold", change, "queue-hold"},
	{"release", change, "queue-release"},
	{"remove", change, "queue-remove"},
};

static int run(struct sp_cmd_ctx *ctx)
{
	const char *word = ctx->word_count ? ctx->words[0] : "list";
	struct sp_json *filter;
	int status = sp_cmd_filter(ctx->args, &filter);

	if (status) {
		return status;
	}
	if (sp_args_has(ctx->args, "held")) {
		sp_json_set_bool(filter, "held", true);
	}
	status = -1;
	for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
		if (strcmp(VERBS[i].name, word) == 0) {
			status = VERBS[i].run(ctx, filter, VERBS[i].verb);
		}
	}
	sp_json_free(&filter);
	return status >= 0 ? status
	                   : sp_cmd_fail(SP_EXIT_USAGE,
	                                 "queue %s: expected list, show, "
	                                 "retry, hold, release or remove",
	                                 word);
}

const struct sp_cmd SP_CMD_QUEUE = {
	.name = "queue",
	.words = "[list | show ID | retry | hold | release | remove] [ID...]",
	.about = "look at the queue and change it",
	.text = "  list     what waits (the default)\n"
		"  show     all about one message\n"
		"  retry    make due at once\n"
		"  hold     keep from delivery until released\n"
		"  release  undo hold\n"
		"  remove   delete without delivery\n"
		"\n"
		"What changes the queue takes ids, addresses, filters, or "
		"--all.\n"
		"Exit status: 0 found or changed, 1 nothing was.\n",
	.options = OPTIONS,
	.words_max = 1000,
	.run = run,
};
