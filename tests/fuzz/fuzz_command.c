/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * A command that is let through carries no control anywhere, its mailbox is
 * an address, and its values are within their limits; one that is not has a
 * problem with an answer of the 5xx class.
 */
#include "base/assert.h"
#include "wire/command.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct sp_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		SP_ASSERT(c >= ' ' && c != 0x7f);
	}
	SP_ASSERT(sp_utf8_valid(text));
}

static void check_mailbox(const struct sp_command *c)
{
	struct sp_address again;
	bool bare = c->address.domain.len == 0;

	SP_ASSERT(c->verb != SP_VERB_RCPT || c->mailbox.len > 0);
	if (bare) {
		SP_ASSERT(sp_str_eq(c->mailbox, c->address.local));
		return;
	}
	SP_ASSERT(sp_address_parse(c->mailbox, &again) == 0);
	SP_ASSERT(sp_str_eq(again.local, c->address.local));
	SP_ASSERT(sp_str_eq(again.domain, c->address.domain));
}

static void check_command(const struct sp_command *c)
{
	bool never = c->notify & SP_NOTIFY_NEVER;

	SP_ASSERT(c->verb != SP_VERB_UNKNOWN);
	check_text(c->argument);
	check_text(c->mailbox);
	check_text(c->envid);
	check_text(c->orcpt);
	SP_ASSERT(c->envid.len <= SP_ENVELOPE_ENVID_MAX);
	SP_ASSERT(c->orcpt.len <= SP_ENVELOPE_ORCPT_MAX);
	SP_ASSERT(!never || c->notify == SP_NOTIFY_NEVER);
	if (c->verb == SP_VERB_MAIL || c->verb == SP_VERB_RCPT) {
		check_mailbox(c);
	}
	if (c->verb != SP_VERB_MAIL) {
		SP_ASSERT(!c->has_size && !c->smtputf8 && !c->requiretls);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str line = sp_str_slice(data, size);
	struct sp_command_answer answer;
	struct sp_command c;
	struct sp_arena arena;
	int err;

	sp_arena_init(&arena);
	err = sp_command_parse(line, &arena, &c);
	SP_ASSERT((err == 0) == (c.problem == SP_COMMAND_NONE));
	answer = sp_command_answer(c.problem);
	SP_ASSERT(answer.text && answer.enhanced);
	if (err == 0) {
		check_command(&c);
	} else {
		SP_ASSERT(answer.code >= 500 && answer.enhanced[0] == '5');
	}
	sp_arena_fini(&arena);
	return 0;
}
