/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, their help, and what they share. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/text.h"
#include "net/resolver.h"
#include "net/tls.h"

static const struct sp_cmd *const COMMANDS[] = {
	&SP_CMD_SEND,  &SP_CMD_POLICY,     &SP_CMD_CHECK,  &SP_CMD_SURVEY,
	&SP_CMD_TLSA,  &SP_CMD_LINT,       &SP_CMD_REPORT, &SP_CMD_TRACE,
	&SP_CMD_QUEUE, &SP_CMD_EXCEPTION,  &SP_CMD_DKIM,   &SP_CMD_SESSIONS,
	&SP_CMD_STATS, &SP_CMD_COMPLETION,
};
#define COMMAND_COUNT (sizeof(COMMANDS) / sizeof(COMMANDS[0]))

static const struct sp_option GENERAL[] = {
	{"config", 'c', "FILE",
         "configuration (default " SP_CONF_DEFAULT_PATH ")"},
	{"socket", 0, "PATH", "control socket of the server"},
	{"json", 0, NULL, "JSON instead of text"},
	{"help", 'h', NULL, "this text"},
	{"version", 0, NULL, "versions of sealpost and its libraries"},
	{0},
};
static const struct sp_option NO_OPTIONS[] = {{0}};

const struct sp_cmd *const *sp_cmd_all(size_t *count_out)
{
	*count_out = COMMAND_COUNT;
	return COMMANDS;
}

const struct sp_option *sp_cmd_general(void)
{
	return GENERAL;
}

/* ---- messages and files ---- */

int sp_cmd_fail(int status, const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fflush(stdout);
	fputs("sealpost: ", stderr);
	sp_text_put(stderr, sp_str_from(line));
	fputc('\n', stderr);
	return status;
}

static int read_fd(int fd, size_t max, struct sp_buf *out)
{
	for (;;) {
		char *room = sp_buf_reserve(out, 65536);
		ssize_t n = room ? read(fd, room, 65536) : 0;

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n > 0) {
			sp_buf_commit(out, (size_t)n);
		}
		if (!room || sp_buf_len(out) > max) {
			return SP_ELIMIT;
		}
		if (n <= 0) {
			return n < 0 ? -errno : 0;
		}
	}
}

int sp_cmd_read_file(const char *path, size_t max, struct sp_buf *out)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int err;

	sp_buf_init(out, max + 65536);
	err = fd < 0 ? -errno : read_fd(fd, max, out);
	if (fd >= 0 && !is_stdin) {
		close(fd);
	}
	if (err == SP_ELIMIT) {
		return sp_cmd_fail(SP_EXIT_DATA, "%s: more than %zu bytes",
		                   is_stdin ? "standard input" : path, max);
	}
	return err ? sp_cmd_fail(SP_EXIT_NOINPUT, "%s: %s",
	                         is_stdin ? "standard input" : path,
	                         sp_strerror(err))
	           : 0;
}

/* ---- configuration ---- */

int sp_cmd_conf_load(const char *path, struct sp_conf **conf_out)
{
	bool given = path != NULL;
	char why[SP_CONF_WHY] = "";
	struct sp_buf text;
	int status;

	path = given ? path : SP_CONF_DEFAULT_PATH;
	if (!given && access(path, F_OK) != 0 && errno == ENOENT) {
		return sp_conf_load(NULL, conf_out, why)
		               ? sp_cmd_fail(SP_EXIT_CONF, "%s", why)
		               : 0;
	}
	status = sp_cmd_read_file(path, SP_CONF_BYTES_MAX, &text);
	if (status) {
		status = SP_EXIT_CONF;
	} else if (sp_conf_parse(sp_buf_str(&text), path, conf_out, why)) {
		status = sp_cmd_fail(SP_EXIT_CONF, "%s", why);
	}
	sp_buf_fini(&text);
	return status;
}

int sp_cmd_conf(struct sp_cmd_ctx *ctx)
{
	return ctx->conf ? 0
	                 : sp_cmd_conf_load(sp_args_get(ctx->args, "config"),
	                                    &ctx->conf);
}

/* ---- help ---- */

static void print_options(const struct sp_option *options)
{
	for (; options->name; options++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%.*s%s--%s%s%s",
		         options->letter ? "-" : "  ", options->letter ? 1 : 0,
		         &options->letter, options->letter ? ", " : "  ",
		         options->name,
		         options->value && *options->value != '[' ? " " : "",
		         options->value ? options->value : "");
		printf("  %-26s %s\n", left, options->about);
	}
}

static void help_general(FILE *f)
{
	fputs("usage: sealpost [options] COMMAND [arguments]\n\ncommands:\n",
	      f);
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		fprintf(f, "  %-11s %s\n", COMMANDS[i]->name,
		        COMMANDS[i]->about);
	}
	fputs("\n`sealpost COMMAND --help` tells more; sealpost(1) all.\n", f);
}

static void help_command(const struct sp_cmd *cmd)
{
	printf("usage: sealpost %s [options]%s%s\n%s.\n", cmd->name,
	       *cmd->words ? " " : "", cmd->words, cmd->about);
	if (cmd->text) {
		printf("\n%s", cmd->text);
	}
	printf("\noptions:\n");
	if (cmd->options) {
		print_options(cmd->options);
	}
	print_options(GENERAL);
}

static void version(void)
{
	printf("sealpost %s\n%s\nlibunbound %s\n", SP_VERSION, sp_tls_version(),
	       sp_resolver_version());
}

/* ---- dispatch ---- */

static const struct sp_cmd *find_command(const char *name)
{
	/* Named in the manual of the interface, to come with later parts. */
	static const char *const LATER[] = {"domain", "keys"};

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(COMMANDS[i]->name, name) == 0) {
			return COMMANDS[i];
		}
	}
	for (size_t i = 0; i < sizeof(LATER) / sizeof(LATER[0]); i++) {
		if (strcmp(LATER[i], name) == 0) {
			sp_cmd_fail(SP_EXIT_USAGE, "%s: not built yet", name);
			return NULL;
		}
	}
	sp_cmd_fail(SP_EXIT_USAGE, "%s: unknown command; see sealpost --help",
	            name);
	return NULL;
}

static int check_usage(const struct sp_cmd *cmd, const struct sp_cmd_ctx *ctx)
{
	const struct sp_option *tables[] = {
		GENERAL, cmd->options ? cmd->options : NO_OPTIONS, NULL};
	const char *stray = sp_args_stray(ctx->args, tables);

	if (stray) {
		return sp_cmd_fail(SP_EXIT_USAGE, "%s: no option --%s",
		                   cmd->name, stray);
	}
	if (ctx->word_count < cmd->words_min) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "%s: an argument is missing; usage: "
		                   "sealpost %s [options] %s",
		                   cmd->name, cmd->name, cmd->words);
	}
	if (ctx->word_count > cmd->words_max) {
		return sp_cmd_fail(SP_EXIT_USAGE, "%s: unexpected argument",
		                   ctx->words[cmd->words_max]);
	}
	return 0;
}

static int run_command(const struct sp_args *args)
{
	struct sp_cmd_ctx ctx = {
		.args = args,
		.words = args->words + 1,
		.word_count = args->word_count - 1,
		.json = sp_args_has(args, "json"),
	};
	const struct sp_cmd *cmd = find_command(args->words[0]);
	int status;

	if (!cmd) {
		return SP_EXIT_USAGE;
	}
	if (sp_args_has(args, "help")) {
		help_command(cmd);
		return 0;
	}
	status = check_usage(cmd, &ctx);
	if (!status) {
		status = cmd->run(&ctx);
	}
	sp_conf_free(&ctx.conf);
	return status;
}

static int dispatch(const struct sp_args *args)
{
	if (sp_args_has(args, "version")) {
		version();
		return 0;
	}
	if (args->word_count == 0) {
		bool asked = sp_args_has(args, "help");

		help_general(asked ? stdout : stderr);
		return asked ? 0 : SP_EXIT_USAGE;
	}
	return run_command(args);
}

int sp_cmd_main(int argc, const char *const *argv)
{
	const struct sp_option *tables[COMMAND_COUNT + 2] = {GENERAL};
	struct sp_args *args = SP_NEW(struct sp_args);
	char why[512];
	int status;

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		tables[i + 1] = COMMANDS[i]->options ? COMMANDS[i]->options
		                                     : NO_OPTIONS;
	}
	sp_log_setup(SP_LOG_ERROR, false);
	if (sp_args_read(argc, argv, tables, args, why, sizeof(why))) {
		status = args->word_count && !find_command(args->words[0])
		                 ? SP_EXIT_USAGE
		                 : sp_cmd_fail(SP_EXIT_USAGE, "%s", why);
	} else {
		status = dispatch(args);
	}
	sp_free(args);
	if (fflush(stdout) || ferror(stdout)) {
		return sp_cmd_fail(SP_EXIT_IO, "standard output: %s",
		                   sp_strerror(-errno));
	}
	return status;
}
