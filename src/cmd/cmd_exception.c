/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealpost exception: for one destination, until a given time, verdicts of
 * TLS are noted but do not hold mail back. Time and reason are demanded: an
 * exception that nobody remembers is a hole.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "cmd/control.h"
#include "cmd/plan_text.h"
#include "cmd/text.h"
#include "wire/address.h"

static const struct sp_option OPTIONS[] = {
	{"until", 0, "TIME", "add: RFC 3339, or a time from now such as 4h"},
	{"reason", 0, "TEXT", "add: why, for those who come across it"},
	{0},
};

/* ---- list ---- */

static void on_row(void *arg, const struct sp_json *row)
{
	sp_json_add(arg, sp_json_copy(row));
}

static void put_table(const struct sp_json *list)
{
	static const char *const TITLES[] = {"DOMAIN", "UNTIL", "REASON"};
	struct sp_table *t = sp_table_new(TITLES, 3);

	for (size_t i = 0; i < sp_json_len(list); i++) {
		const struct sp_json *row = sp_json_at(list, i);

		sp_table_cell(t, sp_json_get_str(row, "domain"));
		sp_table_cell(t, sp_json_get_str(row, "until"));
		sp_table_cell(t, sp_json_get_str(row, "reason"));
	}
	sp_table_print(t, stdout);
	sp_table_free(&t);
}

static int list(struct sp_cmd_ctx *ctx, struct sp_json *ask)
{
	struct sp_json *rows = sp_json_array();
	size_t count;
	int status;

	(void)ask;
	status = sp_control_ask(ctx, sp_control_verb("exceptions"), on_row,
	                        rows, NULL);
	count = sp_json_len(rows);
	if (!status && ctx->json) {
		sp_json_put(stdout, rows);
	} else if (!status && count) {
		put_table(rows);
	}
	sp_json_free(&rows);
	return status ? status : count ? SP_EXIT_OK : SP_EXIT_NO;
}

/* ---- add, remove ---- */

static int set_until(const struct sp_cmd_ctx *ctx, struct sp_json *ask)
{
	const char *text = sp_args_get(ctx->args, "until");
	int64_t now_ms = sp_time_wall_ms();
	int64_t until_ms = 0;

	if (!text) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "exception add: --until is missing");
	}
	if (sp_time_parse(sp_str_from(text), &until_ms)) {
		if (sp_duration_parse(sp_str_from(text), &until_ms)) {
			return sp_cmd_fail(SP_EXIT_USAGE,
			                   "--until %s: expected a time such "
			                   "as 2026-12-24T18:00:00Z or 4h",
			                   text);
		}
		until_ms += now_ms;
	}
	if (until_ms <= now_ms) {
		return sp_cmd_fail(SP_EXIT_USAGE, "--until %s: is over", text);
	}
	sp_json_set_time(ask, "until", until_ms);
	return 0;
}

static int set_domain(const struct sp_cmd_ctx *ctx, struct sp_json *ask)
{
	struct sp_arena arena;
	struct sp_str domain;
	int status = 0;

	if (ctx->word_count != 2) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "exception %s: expected one domain",
		                   ctx->words[0]);
	}
	sp_arena_init(&arena);
	if (sp_domain_to_ascii(sp_str_from(ctx->words[1]), &arena, &domain)) {
		status = sp_cmd_fail(SP_EXIT_USAGE, "%s: not a domain",
		                     ctx->words[1]);
	} else {
		sp_json_set_str(ask, "domain", domain);
	}
	sp_arena_fini(&arena);
	return status;
}

static int add(struct sp_cmd_ctx *ctx, struct sp_json *ask)
{
	const char *reason = sp_args_get(ctx->args, "reason");
	int status = set_domain(ctx, ask);

	status = status ? status : set_until(ctx, ask);
	if (!status && (!reason || !*reason)) {
		status = sp_cmd_fail(SP_EXIT_USAGE,
		                     "exception add: --reason is missing");
	}
	if (status) {
		return status;
	}
	sp_json_set_cstr(ask, "verb", "exception-add");
	sp_json_set_cstr(ask, "reason", reason);
	status = sp_control_ask(ctx, sp_json_copy(ask), NULL, NULL, NULL);
	if (status) {
		return status;
	}
	if (ctx->json) {
		struct sp_json *made = sp_json_object();

		sp_json_set_str(made, "domain", sp_json_get_str(ask, "domain"));
		sp_json_set_str(made, "until", sp_json_get_str(ask, "until"));
		sp_json_set_str(made, "reason", sp_json_get_str(ask, "reason"));
		sp_json_put(stdout, made);
		sp_json_free(&made);
	} else {
		sp_put(stdout, "", sp_json_get_str(ask, "domain"), "");
		sp_put(stdout, ": verdicts of TLS are waived until ",
		       sp_json_get_str(ask, "until"), "\n");
	}
	return SP_EXIT_OK;
}

static int take_away(struct sp_cmd_ctx *ctx, struct sp_json *ask)
{
	struct sp_json *done = NULL;
	int64_t removed;
	int status = set_domain(ctx, ask);

	if (status) {
		return status;
	}
	sp_json_set_cstr(ask, "verb", "exception-remove");
	status = sp_control_ask(ctx, sp_json_copy(ask), NULL, NULL, &done);
	removed = sp_json_get_int(done, "changed", 0);
	sp_json_free(&done);
	if (status) {
		return status;
	}
	if (ctx->json) {
		struct sp_json *obj = sp_json_object();

		sp_json_set_int(obj, "removed", removed);
		sp_json_put(stdout, obj);
		sp_json_free(&obj);
	} else {
		sp_put(stdout, "", sp_json_get_str(ask, "domain"),
		       removed ? ": exception removed\n"
		               : ": has no exception\n");
	}
	return removed ? SP_EXIT_OK : SP_EXIT_NO;
}

static int run(struct sp_cmd_ctx *ctx)
{
	static const struct {
		const char *name;
		int (*run)(struct sp_cmd_ctx *ctx, struct sp_json *ask);
	} VERBS[] = {{"list", list}, {"add", add}, {"remove", take_away}};
	const char *word = ctx->word_count ? ctx->words[0] : "list";
	struct sp_json *ask;
	int status;

	for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
		if (strcmp(VERBS[i].name, word) == 0) {
			ask = sp_json_object();
			status = VERBS[i].run(ctx, ask);
			sp_json_free(&ask);
			return status;
		}
	}
	return sp_cmd_fail(SP_EXIT_USAGE,
	                   "exception %s: expected list, add or remove", word);
}

const struct sp_cmd SP_CMD_EXCEPTION = {
	.name = "exception",
	.words = "[list | add DOMAIN | remove DOMAIN]",
	.about = "waive verdicts of TLS for a destination, for a time",
	.text = "  list    the exceptions that hold now (the default)\n"
		"  add     --until TIME --reason TEXT; in place of one that "
		"there is\n"
		"  remove  the exception of a domain\n"
		"\n"
		"While it holds, mail for that recipient domain is treated as "
		"in log-only mode.\n"
		"Exit status: 0 done or found, 1 there was none.\n",
	.options = OPTIONS,
	.words_max = 2,
	.run = run,
};
