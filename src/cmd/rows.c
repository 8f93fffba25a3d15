/* SPDX-License-Identifier: Apache-2.0 */
/* JSON and CSV go out row by row; the table waits for its widths. */
#include <string.h>

#include "base/mem.h"
#include "cmd/control.h"
#include "cmd/rows.h"
#include "cmd/text.h"

struct printer {
	enum sp_rows_form form;
	struct sp_table *table;
	int64_t port; /* dialled; for the detail line */
	size_t rows;
};

static struct sp_str number_text(const struct sp_json *row, const char *key,
                                 char out[24])
{
	snprintf(out, 24, "%lld", (long long)sp_json_get_int(row, key, 0));
	return sp_str_from(out);
}

/* ---- CSV ---- */

static const char *const CSV_KEYS[] = {
	"id",       "message_id", "sender",       "recipient", "size",
	"received", "status",     "code",         "scenario",  "reply",
	"security", "attempts",   "next_attempt", "expires",
};
#define CSV_COUNT (sizeof(CSV_KEYS) / sizeof(CSV_KEYS[0]))

static bool is_number_key(const char *key)
{
	return strcmp(key, "size") == 0 || strcmp(key, "attempts") == 0;
}

/* Null: the line of titles. */
static void put_csv(const struct sp_json *row)
{
	struct sp_buf line;
	char number[24];

	sp_buf_init(&line, SP_TEXT_MAX);
	for (size_t i = 0; i < CSV_COUNT; i++) {
		struct sp_str text =
			!row ? sp_str_from(CSV_KEYS[i])
			: is_number_key(CSV_KEYS[i])
				? number_text(row, CSV_KEYS[i], number)
				: sp_json_get_str(row, CSV_KEYS[i]);

		(void)sp_buf_append_cstr(&line, i ? "," : "");
		sp_csv_append(&line, text);
	}
	(void)sp_buf_append_cstr(&line, "\r\n");
	(void)fwrite(sp_buf_str(&line).ptr, 1, sp_buf_len(&line), stdout);
	sp_buf_fini(&line);
}

/* ---- table ---- */

static const char *const TITLES[] = {
	"ID",    "RECEIVED", "SENDER", "RECIPIENT", "STATUS",
	"TRIES", "SECURITY", "CODE",   "SCENARIO",  "NEXT TRY"};
#define TITLE_COUNT (sizeof(TITLES) / sizeof(TITLES[0]))

static struct sp_str status_word(const struct sp_json *row)
{
	struct sp_str state = sp_json_get_str(row, "state");
	bool queued = sp_str_eq(state, SP_STR("queued"));

	if (queued && sp_json_get_str(row, "waits_for").len) {
		return SP_STR("waiting for DKIM signature");
	}

	return sp_str_eq(state, SP_STR("held")) ||
	                       sp_str_eq(state, SP_STR("removed"))
	               ? state
	               : sp_json_get_str(row, "status");
}

static void add_to_table(struct sp_table *t, const struct sp_json *row)
{
	struct sp_str sender = sp_json_get_str(row, "sender");
	char time[24];

	sp_table_cell(t, sp_json_get_str(row, "id"));
	sp_table_cell(t, sp_text_time(sp_json_get_str(row, "received"), time));
	sp_table_cell(t, sender.len ? sender : SP_STR("<>"));
	sp_table_cell(t, sp_json_get_str(row, "recipient"));
	sp_table_cell(t, status_word(row));
	sp_table_int(t, sp_json_get_int(row, "attempts", 0));
	sp_table_cell(t, sp_json_get_str(row, "security"));
	sp_table_cell(t, sp_json_get_str(row, "code"));
	sp_table_cell(t, sp_json_get_str(row, "scenario"));
	sp_table_cell(t,
	              sp_text_time(sp_json_get_str(row, "next_attempt"), time));
}

/* ---- asking ---- */

static void on_row(void *arg, const struct sp_json *row)
{
	struct printer *p = arg;

	p->rows++;
	switch (p->form) {
	case SP_ROWS_TABLE:
		add_to_table(p->table, row);
		break;
	case SP_ROWS_JSON:
		sp_json_put(stdout, row);
		break;
	case SP_ROWS_ARRAY:
		fputs(p->rows > 1 ? "," : "[", stdout);
		sp_json_put(stdout, row);
		break;
	case SP_ROWS_CSV:
		put_csv(row);
		break;
	case SP_ROWS_DETAIL:
		if (p->rows > 1) {
			putchar('\n');
		}
		sp_rows_timeline(stdout, row, p->port);
		break;
	}
}

static struct sp_json *question(const struct sp_json *filter, bool detail)
{
	struct sp_json *ask = sp_control_verb("rows");

	sp_json_set(ask, "filter", sp_json_copy(filter));
	sp_json_set_bool(ask, "detail", detail);
	return ask;
}

static void say_more(const struct sp_json *done, size_t rows)
{
	if (sp_json_get_bool(done, "more")) {
		sp_cmd_fail(0,
		            "only the first %zu are shown; --limit NUMBER "
		            "shows more",
		            rows);
	}
}

int sp_cmd_rows(struct sp_cmd_ctx *ctx, const struct sp_json *filter,
                enum sp_rows_form form, bool detail, size_t *found_out)
{
	struct printer p = {.form = form};
	struct sp_json *done = NULL;
	bool limited = sp_args_has(ctx->args, "limit");
	int status = form == SP_ROWS_DETAIL ? sp_cmd_conf(ctx) : 0;

	*found_out = 0;
	if (status) {
		return status;
	}
	p.port = ctx->conf ? ctx->conf->smtp.port : 0;
	p.table = sp_table_new(TITLES, TITLE_COUNT);
	if (form == SP_ROWS_CSV) {
		put_csv(NULL);
	}
	status = sp_control_ask(ctx, question(filter, detail), on_row, &p,
	                        &done);
	if (!status && form == SP_ROWS_TABLE && p.rows) {
		sp_table_print(p.table, stdout);
	}
	if (!status && form == SP_ROWS_ARRAY) {
		puts(p.rows ? "]" : "[]");
	}
	if (!status && !limited) {
		say_more(done, p.rows);
	}
	*found_out = p.rows;
	sp_table_free(&p.table);
	sp_json_free(&done);
	return status;
}
