/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own reader instead of getopt's: one pass over the line with the options
 * of all commands, because the command may come last; what does not belong to
 * it is refused afterwards (sp_args_stray).
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmd/args.h"

struct reader {
	int argc;
	const char *const *argv;
	int at;
	const struct sp_option *const *tables;
	struct sp_args *args;
	char *why;
	size_t why_cap;
};

static int fail(struct reader *r, const char *what, size_t len, const char *why)
{
	snprintf(r->why, r->why_cap, "%.*s: %s", (int)len, what, why);
	return SP_ESYNTAX;
}

static bool is_named(const struct sp_option *o, const char *name, size_t len)
{
	return strlen(o->name) == len && memcmp(o->name, name, len) == 0;
}

static const struct sp_option *find(const struct sp_option *const *tables,
                                    const char *name, size_t len, char letter)
{
	for (; *tables; tables++) {
		for (const struct sp_option *o = *tables; o->name; o++) {
			if (name ? is_named(o, name, len)
			         : o->letter == letter) {
				return o;
			}
		}
	}
	return NULL;
}

static int add(struct reader *r, const struct sp_option *option,
               const char *value)
{
	if (r->args->given_count == SP_ARGS_MAX) {
		snprintf(r->why, r->why_cap, "too many options");
		return SP_ELIMIT;
	}
	r->args->given[r->args->given_count++] =
		(struct sp_given){option, value};
	return 0;
}

/* The value behind the option, or the next argument. */
static int add_valued(struct reader *r, const struct sp_option *option,
                      const char *attached, const char *shown, size_t len)
{
	if (!attached) {
		if (r->at + 1 >= r->argc) {
			return fail(r, shown, len, "needs a value");
		}
		attached = r->argv[++r->at];
	}
	return add(r, option, attached);
}

/* A value that may be left out stands behind "=" only. */
static bool is_optional(const struct sp_option *option)
{
	return option->value && option->value[0] == '[';
}

static int read_long(struct reader *r, const char *arg)
{
	const char *equals = strchr(arg, '=');
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
	const struct sp_option *option =
		find(r->tables, arg + 2, len - 2, '\0');

	if (!option) {
		return fail(r, arg, len, "unknown option");
	}
	if (is_optional(option)) {
		return add(r, option, equals ? equals + 1 : NULL);
	}
	if (option->value) {
		return add_valued(r, option, equals ? equals + 1 : NULL, arg,
		                  len);
	}
	return equals ? fail(r, arg, len, "takes no value")
	              : add(r, option, NULL);
}

/* "-c FILE", "-cFILE", and flags in a row. */
static int read_short(struct reader *r, const char *arg)
{
	for (const char *c = arg + 1; *c; c++) {
		char shown[3] = {'-', *c, '\0'};
		const struct sp_option *option = find(r->tables, NULL, 0, *c);
		int err;

		if (!option) {
			return fail(r, shown, 2, "unknown option");
		}
		if (option->value) {
			return add_valued(r, option, c[1] ? c + 1 : NULL, shown,
			                  2);
		}
		err = add(r, option, NULL);
		if (err) {
			return err;
		}
	}
	return 0;
}

static int add_word(struct reader *r, const char *word)
{
	if (r->args->word_count == SP_ARGS_MAX) {
		snprintf(r->why, r->why_cap, "too many arguments");
		return SP_ELIMIT;
	}
	r->args->words[r->args->word_count++] = word;
	return 0;
}

int sp_args_read(int argc, const char *const *argv,
                 const struct sp_option *const *tables,
                 struct sp_args *args_out, char *why_out, size_t why_cap)
{
	struct reader r = {argc, argv, 0, tables, args_out, why_out, why_cap};
	bool options_over = false;
	int err = 0;

	args_out->given_count = 0;
	args_out->word_count = 0;
	for (r.at = 1; !err && r.at < argc; r.at++) {
		const char *arg = argv[r.at];

		if (options_over || arg[0] != '-' || arg[1] == '\0') {
			err = add_word(&r, arg);
		} else if (strcmp(arg, "--") == 0) {
			options_over = true;
		} else if (arg[1] == '-') {
			err = read_long(&r, arg);
		} else {
			err = read_short(&r, arg);
		}
	}
	return err;
}

const char *sp_args_stray(const struct sp_args *args,
                          const struct sp_option *const *tables)
{
	for (size_t i = 0; i < args->given_count; i++) {
		const char *name = args->given[i].option->name;

		if (!find(tables, name, strlen(name), '\0')) {
			return name;
		}
	}
	return NULL;
}

const char *sp_args_next(const struct sp_args *args, const char *name,
                         size_t *at)
{
	while (*at < args->given_count) {
		const struct sp_given *given = &args->given[(*at)++];

		if (strcmp(given->option->name, name) == 0) {
			return given->value ? given->value : "";
		}
	}
	return NULL;
}

const char *sp_args_get(const struct sp_args *args, const char *name)
{
	const char *value = NULL;
	const char *next;
	size_t at = 0;

	while ((next = sp_args_next(args, name, &at))) {
		value = next;
	}
	return value;
}

bool sp_args_has(const struct sp_args *args, const char *name)
{
	return sp_args_get(args, name) != NULL;
}
