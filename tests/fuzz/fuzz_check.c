/* SPDX-License-Identifier: Apache-2.0 */
/* layer: cmd */
/*
 * An analysis with anything in it, as text and as page: nothing reaches the
 * terminal that moves it, and no text becomes markup.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cmd/check_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sp_json_limits limits = {
	.bytes_max = 16384, .depth_max = 24, .values_max = 1000};

static void check_plain(struct sp_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		SP_ASSERT((c >= 0x20 || c == '\n') && c != 0x7f);
	}
}

/* Behind each "<" stands one of our own elements, all of which are small. */
static void check_markup(struct sp_str text)
{
	check_plain(text);
	for (size_t i = 0; i + 1 < text.len; i++) {
		char c = text.ptr[i + 1];

		if (text.ptr[i] == '<') {
			SP_ASSERT((c >= 'a' && c <= 'z') || c == '/' ||
			          c == '!');
			SP_ASSERT(!sp_str_starts_nocase(sp_str_sub(text, i, 7),
			                                SP_STR("<script")));
		}
	}
}

static void check_both(const struct sp_json *analysis)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	SP_ASSERT(f);
	sp_check_put_text(f, analysis, false);
	(void)fflush(f);
	check_plain(sp_str_slice(text, len));
	(void)fclose(f);
	sp_free(text);
	f = open_memstream(&text, &len);
	SP_ASSERT(f);
	sp_check_put_html(f, analysis);
	(void)fflush(f);
	check_markup(sp_str_slice(text, len));
	(void)fclose(f);
	sp_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_json *analysis = NULL;

	if (sp_json_parse(sp_str_slice(data, size), &limits, &analysis, NULL,
	                  0) == 0) {
		check_both(analysis);
		sp_json_free(&analysis);
	}
	return 0;
}
