/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_ARGS_H
#define SP_CMD_ARGS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The command line as a table: options may stand before or after the words,
 * "--name=value", "--name value", "-cFILE" and "-c FILE" are one and the
 * same, "--" ends the options. An option has the same shape (with a value or
 * without) in every command that has it, so that a line can be read before
 * its command is known.
 */

#define SP_ARGS_MAX 1024 /* options given, and words, on one line */

struct sp_option {
	const char *name;  /* without dashes; null ends a table */
	char letter;       /* 0: none */
	const char *value; /* what the help calls the value; null: none;
	                    * "[...]": may be left out; no letter then */
	const char *about;
};

struct sp_given {
	const struct sp_option *option;
	const char *value; /* null for options without one */
};

/* All pointers are borrowed from argv and the tables. */
struct sp_args {
	struct sp_given given[SP_ARGS_MAX];
	size_t given_count;
	const char *words[SP_ARGS_MAX];
	size_t word_count;
};

/* tables: option tables, null at the end; the first that has the option
 * counts. 0 or SP_ESYNTAX / SP_ELIMIT with one line "what: why" in why_out. */
int sp_args_read(int argc, const char *const *argv,
                 const struct sp_option *const *tables,
                 struct sp_args *args_out, char *why_out, size_t why_cap);

/* An option that was given but stands in none of these tables; null: none. */
const char *sp_args_stray(const struct sp_args *args,
                          const struct sp_option *const *tables);

bool sp_args_has(const struct sp_args *args, const char *name);
/* The value last given; null where the option was not given. */
const char *sp_args_get(const struct sp_args *args, const char *name);
/* Each value in order: start with *at 0; null at the end. */
const char *sp_args_next(const struct sp_args *args, const char *name,
                         size_t *at);

#endif
