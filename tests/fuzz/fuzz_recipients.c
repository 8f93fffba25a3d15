/* SPDX-License-Identifier: Apache-2.0 */
/* layer: cmd */
/*
 * Any bytes are a local message: its recipients hold no line end of the
 * header, dropping Bcc never adds, completing adds a header only. Any bytes
 * are a line that may hold a TLSA record, and all text can be shown.
 */
#include "base/assert.h"
#include "cmd/message.h"
#include "cmd/text.h"
#include "cmd/tlsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_address(void *arg, struct sp_str address)
{
	size_t *bytes = arg;

	*bytes += address.len;
	SP_ASSERT(address.len > 0 && address.len <= 1024);
}

static void check_message(struct sp_str in)
{
	struct sp_str part = sp_message_until_dot(in);
	struct sp_buf out;
	size_t bytes = 0;

	SP_ASSERT(part.len <= in.len);
	(void)sp_message_recipients(in, on_address, &bytes);
	SP_ASSERT(bytes <= in.len);
	sp_buf_init(&out, in.len + 64);
	SP_ASSERT(sp_message_drop_bcc(in, &out) == 0);
	SP_ASSERT(sp_buf_len(&out) <= in.len);
	sp_buf_reset(&out);
	SP_ASSERT(sp_message_complete(in, SP_STR("a@b.test"),
	                              (struct sp_str){0}, &out) == 0);
	sp_buf_fini(&out);
}

static void check_list(struct sp_str in)
{
	size_t bytes = 0;

	(void)sp_message_addresses(in, on_address, &bytes);
	SP_ASSERT(bytes <= in.len);
}

static void check_text(struct sp_str in)
{
	struct sp_buf out;
	struct sp_str text;

	sp_buf_init(&out, 4 * in.len + 16);
	sp_text_append(&out, in);
	SP_ASSERT(sp_buf_error(&out) == 0);
	text = sp_buf_str(&out);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = (uint8_t)text.ptr[i];

		SP_ASSERT(c >= 0x20 && c != 0x7f);
	}
	sp_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str bytes = sp_str_slice(data, size);
	struct sp_arena arena;
	struct sp_tlsa tlsa;

	check_message(bytes);
	check_list(bytes);
	check_text(bytes);
	sp_arena_init(&arena);
	if (sp_tlsa_read(bytes, &arena, &tlsa) == 0) {
		(void)sp_tlsa_format(&tlsa, &arena);
	}
	sp_arena_fini(&arena);
	return 0;
}
