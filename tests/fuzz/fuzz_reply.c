/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * A server's bytes taken one by one give the same replies, and the same end,
 * as taken whole; no byte behind a reply is consumed with it.
 */
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "wire/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reply(const struct sp_reply *reply)
{
	size_t lines = 1;

	SP_ASSERT(reply->code >= 200 && reply->code <= 599);
	SP_ASSERT(reply->text.len <= SP_REPLY_TEXT_MAX);
	SP_ASSERT(reply->line_count <= SP_REPLY_LINES_MAX);
	for (size_t i = 0; i < reply->text.len; i++) {
		SP_ASSERT(reply->text.ptr[i] != '\r' && reply->text.ptr[i]);
		lines += reply->text.ptr[i] == '\n';
	}
	SP_ASSERT(lines == reply->line_count);
	if (reply->enhanced.class) {
		SP_ASSERT(reply->enhanced.class == reply->code / 100);
	}
}

/* All that a run shows, as text: replies with the place of their end, and
 * how it ended. */
static void run(struct sp_str input, size_t piece_max, struct sp_buf *out)
{
	struct sp_reply_parser p;
	size_t left = input.len;
	int result = 0;

	sp_reply_parser_init(&p);
	while (left > 0 && result >= 0) {
		struct sp_reply reply;
		struct sp_str piece =
			sp_str_sub(input, input.len - left, piece_max);
		size_t given = piece.len;

		result = sp_reply_parse(&p, &piece, &reply);
		left -= given - piece.len;
		SP_ASSERT(result != 0 || piece.len == 0);
		if (result != 1) {
			continue;
		}
		check_reply(&reply);
		(void)sp_buf_printf(out, "%zu %u %u.%u.%u ", left, reply.code,
		                    reply.enhanced.class,
		                    reply.enhanced.subject,
		                    reply.enhanced.detail);
		(void)sp_buf_append_str(out, reply.text);
	}
	(void)sp_buf_printf(out, "end %d", result < 0 ? result : 0);
	sp_reply_parser_fini(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = {1, 2, 7};
	struct sp_str input = sp_str_slice(data, size);
	struct sp_buf whole;

	sp_buf_init(&whole, 100 * (size + 1));
	run(input, SIZE_MAX, &whole);
	SP_ASSERT(sp_buf_error(&whole) == 0);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		struct sp_buf cut;

		sp_buf_init(&cut, 100 * (size + 1));
		run(input, pieces[i], &cut);
		SP_ASSERT(sp_str_eq(sp_buf_str(&whole), sp_buf_str(&cut)));
		sp_buf_fini(&cut);
	}
	sp_buf_fini(&whole);
	return 0;
}
