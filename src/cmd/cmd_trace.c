/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost trace: what became of messages. */
#include "cmd/filter.h"
#include "cmd/rows.h"

static const struct sp_option OPTIONS[] = {
	SP_FILTER_OPTIONS,
	{"detail", 0, NULL, "the timeline of each, with all evidence"},
	{"csv", 0, NULL, "comma-separated values with a line of titles"},
	{0},
};

static enum sp_rows_form form_of(const struct sp_cmd_ctx *ctx)
{
	if (ctx->json) {
		return SP_ROWS_JSON;
	}
	if (sp_args_has(ctx->args, "csv")) {
		return SP_ROWS_CSV;
	}
	return sp_args_has(ctx->args, "detail") ? SP_ROWS_DETAIL
	                                        : SP_ROWS_TABLE;
}

/* A bare word is taken for the likeliest, then for what else it may be. */
static int search(struct sp_cmd_ctx *ctx, struct sp_json *filter,
                  size_t *found_out)
{
	static const char *const NO_WORD[] = {NULL};
	const char *word = ctx->word_count ? ctx->words[0] : NULL;
	const char *const *keys = word ? sp_cmd_filter_word(word) : NO_WORD;
	bool detail = sp_args_has(ctx->args, "detail");
	int status;

	do {
		struct sp_json *one = sp_json_copy(filter);

		if (*keys) {
			sp_json_set_cstr(one, *keys, word);
		}
		status = sp_cmd_rows(ctx, one, form_of(ctx), detail, found_out);
		sp_json_free(&one);
	} while (!status && !*found_out && *keys && *++keys);
	return status;
}

static int run(struct sp_cmd_ctx *ctx)
{
	struct sp_json *filter;
	size_t found = 0;
	int status = sp_cmd_filter(ctx->args, &filter);

	if (status) {
		return status;
	}
	status = search(ctx, filter, &found);
	sp_json_free(&filter);
	return status ? status : found ? SP_EXIT_OK : SP_EXIT_NO;
}

const struct sp_cmd SP_CMD_TRACE = {
	.name = "trace",
	.words = "[ID | ADDRESS | MESSAGE-ID | DOMAIN]",
	.about = "what became of messages",
	.text = "Exit status: 0 found, 1 none.\n",
	.options = OPTIONS,
	.words_max = 1,
	.run = run,
};
