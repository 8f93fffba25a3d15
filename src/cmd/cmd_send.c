/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost send: a message from standard input to the server. */
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/message.h"
#include "cmd/send.h"
#include "cmd/submit.h"
#include "cmd/text.h"
#include "wire/address.h"
#include "wire/json.h"

struct sp_str sp_send_me(const struct sp_conf *conf, struct sp_arena *arena)
{
	const struct passwd *user = getpwuid(getuid());

	return sp_str_from(sp_arena_printf(arena, "%s@%s",
	                                   user ? user->pw_name : "nobody",
	                                   conf->hostname));
}

struct sp_str sp_send_qualify(const struct sp_conf *conf, struct sp_str address,
                              struct sp_arena *arena)
{
	if (!address.len || sp_str_find(address, '@') < address.len) {
		return sp_arena_str(arena, address);
	}
	return sp_str_from(sp_arena_printf(
		arena, SP_STR_FMT "@%s", SP_STR_ARG(address), conf->hostname));
}

int sp_send_check(struct sp_str address)
{
	struct sp_address parts;

	return sp_address_parse(address, &parts)
	               ? sp_cmd_fail(SP_EXIT_USAGE,
	                             SP_STR_FMT ": not an address",
	                             SP_STR_ARG(address))
	               : 0;
}

static const struct sp_option OPTIONS[] = {
	{"sender", 'f', "ADDRESS",
         "envelope sender (default: user@hostname; \"<>\": none)"},
	{0},
};

static int read_addresses(struct sp_cmd_ctx *ctx, struct sp_arena *arena,
                          struct sp_submission *sub)
{
	const char *from = sp_args_get(ctx->args, "sender");
	int status = 0;

	sub->sender = sp_send_me(ctx->conf, arena);
	if (from) {
		struct sp_str text = sp_str_from(from);

		sub->sender = sp_str_eq(text, SP_STR("<>")) ? (struct sp_str){0}
		                                            : text;
		status = sub->sender.len ? sp_send_check(text) : 0;
	}
	sub->rcpts =
		sp_arena_array(arena, ctx->word_count, sizeof(*sub->rcpts));
	for (size_t i = 0; !status && i < ctx->word_count; i++) {
		sub->rcpts[i].address = sp_str_from(ctx->words[i]);
		status = sp_send_check(sub->rcpts[i].address);
	}
	sub->rcpt_count = ctx->word_count;
	return status;
}

static void put_result(const struct sp_cmd_ctx *ctx, const char *id)
{
	if (ctx->json) {
		struct sp_json *obj = sp_json_object();

		sp_json_set_cstr(obj, "id", *id ? id : NULL);
		sp_json_put(stdout, obj);
		sp_json_free(&obj);
	} else if (*id) {
		printf("queued as %s\n", id);
	}
}

static int send_body(struct sp_cmd_ctx *ctx, struct sp_submission *sub,
                     struct sp_str text)
{
	size_t max = text.len + 4096;
	char id[SP_SUBMIT_ID_MAX];
	struct sp_buf whole;
	int status;

	sp_buf_init(&whole, max);
	if (sp_message_complete(text, sub->sender, (struct sp_str){0},
	                        &whole)) {
		status = sp_cmd_fail(SP_EXIT_DATA, "message: too large");
	} else {
		sub->body = sp_buf_str(&whole);
		status = sp_submit(sub, id);
		if (!status || *id) {
			put_result(ctx, id);
		}
	}
	sp_buf_fini(&whole);
	return status;
}

static int run(struct sp_cmd_ctx *ctx)
{
	struct sp_submission sub = {.refused_status = SP_EXIT_NO};
	struct sp_arena arena;
	struct sp_buf text;
	int status = sp_cmd_conf(ctx);

	if (status) {
		return status;
	}
	sp_arena_init(&arena);
	sub.conf = ctx->conf;
	status = read_addresses(ctx, &arena, &sub);
	if (!status) {
		status = sp_cmd_read_file("-", SP_SEND_MAX(ctx->conf), &text);
		if (!status) {
			status = send_body(ctx, &sub, sp_buf_str(&text));
		}
		sp_buf_fini(&text);
	}
	sp_arena_fini(&arena);
	return status;
}

const struct sp_cmd SP_CMD_SEND = {
	.name = "send",
	.words = "RECIPIENT... < message",
	.about = "submit a message to the server",
	.text = "Exit status: 0 queued, 1 refused, 75 try again later.\n",
	.options = OPTIONS,
	.words_min = 1,
	.words_max = SP_ENVELOPE_RCPT_MAX,
	.run = run,
};
