/* SPDX-License-Identifier: Apache-2.0 */
/* layer: cmd */
/*
 * Any bytes are a list of domains: what comes out is no longer than what went
 * in allows, whole and in pieces the same. Any line may be a row of an
 * earlier run: what is read can be written and read again.
 */
#include "base/assert.h"
#include "base/map.h"
#include "cmd/survey_list.h"
#include "cmd/survey_row.h"
#include "cmd/survey_sum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	size_t lines;
	uint64_t hash;
};

static void take(struct sp_survey_list *list, struct seen *seen)
{
	struct sp_survey_line line;
	struct sp_arena arena;

	sp_arena_init(&arena);
	while (sp_survey_list_next(list, &arena, &line)) {
		SP_ASSERT(line.domain.len > 0 && line.domain.len <= 400);
		for (size_t i = 0; i < line.domain.len; i++) {
			SP_ASSERT((uint8_t)line.domain.ptr[i] > 0x1f);
		}
		seen->lines++;
		seen->hash = seen->hash * 31 + sp_hash_stable(line.domain) +
		             (line.error != NULL);
	}
	sp_arena_fini(&arena);
}

static struct seen read_list(struct sp_str bytes, size_t piece)
{
	struct sp_survey_list *list = sp_survey_list_new();
	struct seen seen = {0};

	for (size_t at = 0; at < bytes.len; at += piece) {
		sp_survey_list_feed(list, sp_str_sub(bytes, at, piece));
		take(list, &seen);
	}
	sp_survey_list_end(list);
	take(list, &seen);
	SP_ASSERT(sp_survey_list_at(list) <= bytes.len);
	sp_survey_list_free(&list);
	return seen;
}

static void check_list(struct sp_str bytes)
{
	struct seen whole = read_list(bytes, SP_SURVEY_FEED_MAX);
	struct seen pieces = read_list(bytes, 3);

	SP_ASSERT(whole.lines == pieces.lines);
	/* of an over-long line another part may be shown */
	SP_ASSERT(bytes.len > 4096 || whole.hash == pieces.hash);
}

static void check_row(struct sp_str line, bool csv)
{
	struct sp_survey_sum sum = {0};
	struct sp_survey_row row;
	struct sp_arena arena;
	struct sp_buf out;
	struct sp_json *json;

	sp_arena_init(&arena);
	if (sp_survey_row_read(line, csv, &arena, &row) == 0) {
		sp_buf_init(&out, (size_t)64 * SP_SURVEY_LINE_MAX);
		sp_survey_sum_add(&sum, &row);
		json = sp_survey_sum_json(&sum);
		sp_json_free(&json);
		sp_survey_row_write(&row, csv, &out);
		sp_buf_truncate(&out, 1); /* the line end */
		SP_ASSERT(sp_survey_row_read(sp_buf_str(&out), csv, &arena,
		                             &row) == 0 ||
		          sp_buf_len(&out) >= SP_SURVEY_LINE_MAX);
		sp_buf_fini(&out);
	}
	sp_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str bytes = sp_str_slice(data, size);
	struct sp_str line = sp_str_sub(bytes, 0, sp_str_find(bytes, '\n'));

	check_list(bytes);
	check_row(line, false);
	check_row(line, true);
	return 0;
}
