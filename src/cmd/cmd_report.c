/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost report: the TLS reports that we send, and those that we get (RFC
 * 8460). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/control.h"
#include "cmd/report_import.h"
#include "cmd/report_own.h"
#include "cmd/text.h"
#include "wire/address.h"

static const struct sp_option OPTIONS[] = {
	{"day", 0, "DATE", "UTC day, such as 2026-11-23"},
	{"received", 0, NULL, "list, show: what others reported to us"},
	{0},
};

/* ---- showing ---- */

static void put_targets(struct sp_table *t, const struct sp_json *row)
{
	const struct sp_json *targets = sp_json_get(row, "sent_to");
	size_t count = sp_json_len(targets);

	for (size_t i = 0; i < (count ? count : 1); i++) {
		const struct sp_json *target = sp_json_at(targets, i);

		sp_table_cell(t, sp_json_get_str(row, "day"));
		sp_table_cell(t, sp_json_get_str(row, "domain"));
		sp_table_int(t, sp_json_get_int(row, "successful", 0));
		sp_table_int(t, sp_json_get_int(row, "failed", 0));
		sp_table_cell(t, sp_json_get_str(target, "state"));
		sp_table_cell(t, sp_json_get_str(target, "uri"));
		sp_table_cell(t, sp_json_get_str(target, "why"));
	}
}

static void put_table(const struct sp_json *rows)
{
	static const char *const TITLES[] = {
		"DAY", "DOMAIN", "SUCCESSFUL", "FAILED", "STATE", "TO", "WHY"};
	struct sp_table *t =
		sp_table_new(TITLES, sizeof(TITLES) / sizeof(*TITLES));

	for (size_t i = 0; i < sp_json_len(rows); i++) {
		put_targets(t, sp_json_at(rows, i));
	}
	sp_table_print(t, stdout);
	sp_table_free(&t);
}

static int put_reports(const struct sp_cmd_ctx *ctx, const struct sp_json *done)
{
	const struct sp_json *rows = sp_json_get(done, "reports");

	if (ctx->json) {
		sp_json_put(stdout, rows);
	} else if (sp_json_len(rows)) {
		put_table(rows);
	}
	return sp_json_len(rows) ? SP_EXIT_OK : SP_EXIT_NO;
}

/* ---- asking ---- */

/* The domain of a word, in A-labels. 0 or a status, said. */
static int set_domain(struct sp_json *ask, const char *word)
{
	struct sp_arena arena;
	struct sp_str domain;
	int status = 0;

	sp_arena_init(&arena);
	if (sp_domain_to_ascii(sp_str_from(word), &arena, &domain)) {
		status = sp_cmd_fail(SP_EXIT_USAGE, "%s: not a domain", word);
	} else {
		sp_json_set_str(ask, "domain", domain);
	}
	sp_arena_fini(&arena);
	return status;
}

static struct sp_json *new_ask(const struct sp_cmd_ctx *ctx, const char *verb)
{
	const char *day = sp_args_get(ctx->args, "day");
	struct sp_json *ask = sp_control_verb(verb);

	if (day) {
		sp_json_set_cstr(ask, "day", day);
	}
	return ask;
}

static int ask_reports(struct sp_cmd_ctx *ctx, struct sp_json *ask)
{
	struct sp_json *done = NULL;
	int status = sp_control_ask(ctx, ask, NULL, NULL, &done);

	if (!status) {
		status = put_reports(ctx, done);
		if (sp_json_get_int(done, "pending", 0)) {
			fprintf(stderr,
			        "sealpost: %" PRId64 " reports are still on "
			        "their way\n",
			        sp_json_get_int(done, "pending", 0));
		}
	}
	sp_json_free(&done);
	return status;
}

/* ---- what others reported ---- */

/* "name 3, name 1" of an object of counts. */
static struct sp_str counts_text(const struct sp_json *counts,
                                 struct sp_arena *arena)
{
	struct sp_buf out;
	struct sp_str text;

	sp_buf_init(&out, SP_TEXT_MAX);
	(void)sp_json_write(counts, &out);
	text = sp_arena_str(arena, sp_buf_str(&out));
	sp_buf_fini(&out);
	return text.len > 2 ? sp_str_sub(text, 1, text.len - 2) : SP_STR("");
}

/* Failures of the days up to this one, and of those before them. */
static struct sp_str trend_text(const struct sp_json *trend,
                                struct sp_arena *arena)
{
	return sp_str_from(
		sp_arena_printf(arena, "%" PRId64 " (before %" PRId64 ")",
	                        sp_json_get_int(trend, "failed", 0),
	                        sp_json_get_int(trend, "failed_before", 0)));
}

static void put_received(const struct sp_json *rows)
{
	static const char *const TITLES[] = {
		"DAY",     "DOMAIN",     "SUCCESSFUL", "FAILED", "7 DAYS",
		"REPORTS", "UNVERIFIED", "RESULTS",    "HOSTS"};
	struct sp_table *t =
		sp_table_new(TITLES, sizeof(TITLES) / sizeof(*TITLES));
	struct sp_arena arena;

	sp_arena_init(&arena);
	for (size_t i = 0; i < sp_json_len(rows); i++) {
		const struct sp_json *row = sp_json_at(rows, i);

		sp_table_cell(t, sp_json_get_str(row, "day"));
		sp_table_cell(t, sp_json_get_str(row, "domain"));
		sp_table_int(t, sp_json_get_int(row, "successful", 0));
		sp_table_int(t, sp_json_get_int(row, "failed", 0));
		sp_table_cell(t, trend_text(sp_json_get(row, "trend"), &arena));
		sp_table_int(t, sp_json_get_int(row, "reports", 0));
		sp_table_int(t, sp_json_get_int(row, "unverified", 0));
		sp_table_cell(t, counts_text(sp_json_get(row, "result_types"),
		                             &arena));
		sp_table_cell(
			t, counts_text(sp_json_get(row, "mx_hosts"), &arena));
	}
	sp_table_print(t, stdout);
	sp_table_free(&t);
	sp_arena_fini(&arena);
}

static int received(struct sp_cmd_ctx *ctx, bool detail)
{
	struct sp_json *ask = new_ask(ctx, "report-received");
	struct sp_json *done = NULL;
	struct sp_json *own = NULL;
	const struct sp_json *rows;
	int status = ctx->word_count > 1 ? set_domain(ask, ctx->words[1]) : 0;

	if (status) {
		sp_json_free(&ask);
		return status;
	}
	sp_json_set_bool(ask, "detail", detail);
	status = sp_control_ask(ctx, ask, NULL, NULL, &done);
	rows = sp_json_get(done, "reports");
	if (!status && detail) {
		status = sp_report_own(ctx, rows, &own);
		sp_json_put(stdout, own);
		sp_json_free(&own);
	} else if (!status && ctx->json) {
		sp_json_put(stdout, rows);
	} else if (!status && sp_json_len(rows)) {
		put_received(rows);
	}
	if (!status && !sp_json_len(rows)) {
		status = SP_EXIT_NO;
	}
	sp_json_free(&done);
	return status;
}

static int import(struct sp_cmd_ctx *ctx)
{
	if (ctx->word_count != 2) {
		return sp_cmd_fail(SP_EXIT_USAGE, "report import: expected a "
		                                  "file, a Maildir or -");
	}
	return sp_report_import(ctx, ctx->words[1]);
}

static int list(struct sp_cmd_ctx *ctx)
{
	struct sp_json *ask;
	int status;

	if (sp_args_has(ctx->args, "received")) {
		return received(ctx, false);
	}
	ask = new_ask(ctx, "report-list");
	status = ctx->word_count > 1 ? set_domain(ask, ctx->words[1]) : 0;
	if (status) {
		sp_json_free(&ask);
		return status;
	}
	return ask_reports(ctx, ask);
}

static int close_day(struct sp_cmd_ctx *ctx)
{
	struct sp_json *ask = new_ask(ctx, "report-close");

	if (ctx->word_count > 1) {
		sp_json_set_cstr(ask, "day", ctx->words[1]);
	}
	return ask_reports(ctx, ask);
}

static int send_one(struct sp_cmd_ctx *ctx)
{
	struct sp_json *ask;
	int status;

	if (ctx->word_count != 2) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "report send: expected one domain");
	}
	ask = new_ask(ctx, "report-close");
	status = set_domain(ask, ctx->words[1]);
	if (status) {
		sp_json_free(&ask);
		return status;
	}
	return ask_reports(ctx, ask);
}

static int show(struct sp_cmd_ctx *ctx)
{
	struct sp_json *done = NULL;
	const struct sp_json *report;
	struct sp_json *ask;
	struct sp_buf text;
	int status;

	if (ctx->word_count != 2) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "report show: expected one domain");
	}
	if (sp_args_has(ctx->args, "received")) {
		return received(ctx, true);
	}
	ask = new_ask(ctx, "report-show");
	status = set_domain(ask, ctx->words[1]);
	if (status) {
		sp_json_free(&ask);
		return status;
	}
	status = sp_control_ask(ctx, ask, NULL, NULL, &done);
	report = sp_json_get(done, "report");
	if (!status && sp_json_is_null(report)) {
		status = SP_EXIT_NO;
	} else if (!status && ctx->json) {
		sp_json_put(stdout, report);
	} else if (!status) {
		sp_buf_init(&text, SP_TEXT_MAX);
		(void)sp_json_write_pretty(report, &text);
		(void)sp_buf_append_char(&text, '\n');
		(void)fwrite(sp_buf_str(&text).ptr, 1, sp_buf_len(&text),
		             stdout);
		sp_buf_fini(&text);
	}
	sp_json_free(&done);
	return status;
}

static int run(struct sp_cmd_ctx *ctx)
{
	static const struct {
		const char *name;
		int (*run)(struct sp_cmd_ctx *ctx);
	} ACTIONS[] = {
		{"list", list},     {"show", show},
		{"send", send_one}, {"close-day", close_day},
		{"import", import},
	};
	const char *action = ctx->word_count ? ctx->words[0] : "list";

	for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(*ACTIONS); i++) {
		if (strcmp(ACTIONS[i].name, action) == 0) {
			return ACTIONS[i].run(ctx);
		}
	}
	return sp_cmd_fail(SP_EXIT_USAGE,
	                   "report %s: expected list, show, send, close-day or "
	                   "import",
	                   action);
}

const struct sp_cmd SP_CMD_REPORT = {
	.name = "report",
	.words = "[list [DOMAIN] | show DOMAIN | send DOMAIN | close-day "
		 "[DATE]]",
	.kinds = "list show send import close-day",
	.about = "TLS reports",
	.text = "What was counted for TLS reports, a line for each domain and "
		"day, and where the\n"
		"reports went. show prints the report as it is sent. Reports "
		"go out by\n"
		"themselves behind midnight UTC; send and close-day send them "
		"now, of today\n"
		"where no day is said. import takes in a report of others: a "
		"mail, JSON or gzip,\n"
		"\"-\" for standard input, or a Maildir; --received shows "
		"those.\n"
		"Exit status: 0 found, 1 nothing.\n",
	.options = OPTIONS,
	.words_min = 0,
	.words_max = 2,
	.run = run,
};
