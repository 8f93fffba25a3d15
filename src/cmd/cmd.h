/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_CMD_H
#define SP_CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "cmd/args.h"
#include "conf/conf.h"

/*
 * The commands of `sealpost`: a table of names, options and functions. Each
 * command lives in its cmd_*.c, writes results to standard output and
 * complaints to standard error, and returns the exit status.
 */

enum sp_exit { /* interface.md, and sysexits(3) */
	SP_EXIT_OK = 0,
	SP_EXIT_NO = 1, /* no, or nothing found */
	SP_EXIT_USAGE = 64,
	SP_EXIT_DATA = 65,
	SP_EXIT_NOINPUT = 66,
	SP_EXIT_AWAY = 69, /* the server is not reachable */
	SP_EXIT_IO = 74,
	SP_EXIT_AGAIN = 75,
	SP_EXIT_CONF = 78,
};

struct sp_cmd_ctx {
	const struct sp_args *args;
	const char *const *words; /* behind the command */
	size_t word_count;
	bool json;
	struct sp_conf *conf; /* set by sp_cmd_conf */
};

struct sp_cmd {
	const char *name;
	const char *words; /* of the usage line; where one begins
	                    * with a small letter, it is to be
	                    * typed as it stands */
	const char *kinds; /* what the first word may be, separated by blanks,
	                    * where words doesn't tell; null: it does */
	const char *about; /* one line */
	const char *text;  /* more for --help; null: none */
	const struct sp_option *options; /* null: none of its own */
	size_t words_min;
	size_t words_max;
	int (*run)(struct sp_cmd_ctx *ctx);
};

extern const struct sp_cmd SP_CMD_CHECK;
extern const struct sp_cmd SP_CMD_COMPLETION;
extern const struct sp_cmd SP_CMD_DKIM;
extern const struct sp_cmd SP_CMD_EXCEPTION;
extern const struct sp_cmd SP_CMD_LINT;
extern const struct sp_cmd SP_CMD_POLICY;
extern const struct sp_cmd SP_CMD_QUEUE;
extern const struct sp_cmd SP_CMD_REPORT;
extern const struct sp_cmd SP_CMD_SEND;
extern const struct sp_cmd SP_CMD_SESSIONS;
extern const struct sp_cmd SP_CMD_STATS;
extern const struct sp_cmd SP_CMD_SURVEY;
extern const struct sp_cmd SP_CMD_TLSA;
extern const struct sp_cmd SP_CMD_TRACE;

/* The table of commands, and the options that all of them have. */
const struct sp_cmd *const *sp_cmd_all(size_t *count_out);
const struct sp_option *sp_cmd_general(void);

/* The whole life of `sealpost` and of its other face, sendmail(8). */
int sp_cmd_main(int argc, const char *const *argv);
int sp_cmd_sendmail(int argc, char **argv);

/* "sealpost: ..." on standard error, made harmless; returns status. */
int sp_cmd_fail(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Fills ctx->conf from -c FILE, or the default file if there is one, or the
 * built-in defaults. The certificates and keys that it names are the
 * server's matter and are not looked at. 0 or an exit status, said. */
int sp_cmd_conf(struct sp_cmd_ctx *ctx);
int sp_cmd_conf_load(const char *path, struct sp_conf **conf_out);

/* A file, or standard input for "-", of at most max bytes into out, which is
 * initialised here and freed by the caller in any case. 0 or an exit status,
 * said. */
int sp_cmd_read_file(const char *path, size_t max, struct sp_buf *out);

#endif
