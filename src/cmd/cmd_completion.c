/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealpost completion: what a shell needs to complete our command line, made
 * from the table of commands, so that it can't fall behind. Values are
 * completed where they are files; a domain or a queue id nobody can guess.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

/* ---- what the table says ---- */

static bool is_optional(const struct sp_option *o)
{
	return o->value && o->value[0] == '[';
}

static bool is_file(const char *what)
{
	return what && (strstr(what, "FILE") || strstr(what, "PATH") ||
	                strstr(what, "CERTIFICATE"));
}

static bool small(char c)
{
	return (c >= 'a' && c <= 'z') || c == '-';
}

/* Calls fn with each word that is to be typed as it stands: those of a usage
 * line such as "[list | show ID] [ID...]" that begin an alternative; says how
 * many there are. */
static size_t each_verb(const struct sp_cmd *cmd,
                        void (*fn)(const char *verb, size_t len))
{
	const char *at = cmd->kinds ? cmd->kinds : cmd->words;
	bool begins = true;
	size_t count = 0;

	while (*at) {
		size_t len = 0;

		while (small(at[len])) {
			len++;
		}
		if (begins && len > 1 && at[0] != '-') {
			fn(at, len);
			count++;
			at += len;
			begins = false;
			continue;
		}
		begins = *at == '|' || *at == '[' ||
		         (*at == ' ' && (begins || cmd->kinds));
		at++;
	}
	return count;
}

static void no_verb(const char *verb, size_t len)
{
	(void)verb;
	(void)len;
}

/* Calls fn with every option of every command; a name may come twice. */
static void each_option(void (*fn)(const struct sp_option *o))
{
	size_t count;
	const struct sp_cmd *const *all = sp_cmd_all(&count);

	for (size_t i = 0; i <= count; i++) {
		const struct sp_option *o =
			i < count ? all[i]->options : sp_cmd_general();

		for (; o && o->name; o++) {
			fn(o);
		}
	}
}

/* ---- bash ---- */

static void bash_verb(const char *verb, size_t len)
{
	printf(" %.*s", (int)len, verb);
}

static void bash_option(const struct sp_option *o)
{
	printf(" --%s", o->name);
	if (o->letter) {
		printf(" -%c", o->letter);
	}
}

static void bash_valued(const struct sp_option *o)
{
	if (o->value && !is_optional(o)) {
		bash_option(o);
	}
}

static void bash_file(const struct sp_option *o)
{
	if (is_file(o->value)) {
		bash_option(o);
	}
}

static const char BASH_HEAD[] =
	"# bash completion for sealpost(1), made by: sealpost completion bash\n"
	"_sealpost()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}"
	"\n"
	"\tlocal command= verb= word i options= verbs= files=\n";

static const char BASH_WALK[] =
	"\tCOMPREPLY=()\n"
	"\tif [[ $cur == = ]]; then\n"
	"\t\tcur=\n"
	"\telif [[ $prev == = ]]; then\n"
	"\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n"
	"\tfi\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [[ $word == = ]]; then\n"
	"\t\t\t((i++))\n"
	"\t\telif [[ \" $valued \" == *\" $word \"* ]]; then\n"
	"\t\t\t[[ ${COMP_WORDS[i+1]} == = ]] || ((i++))\n"
	"\t\telif [[ $word != -* ]]; then\n"
	"\t\t\tif [[ $command ]]; then verb=$word; else command=$word; fi\n"
	"\t\tfi\n"
	"\tdone\n";

static const char BASH_TAIL[] =
	"\tif [[ \" $valued_files \" == *\" $prev \"* && $cur != -* ]]; then\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"\telif [[ \" $valued \" == *\" $prev \"* ]]; then\n"
	"\t\tCOMPREPLY=()\n"
	"\telif [[ $cur == -* ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$options $general\" -- "
	"\"$cur\")\n"
	"\telif [[ ! $command ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$commands\" -- \"$cur\")\n"
	"\telse\n"
	"\t\t[[ $verb ]] || mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- "
	"\"$cur\")\n"
	"\t\tif [[ $files ]]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "
	"\"$cur\")\n"
	"\t\tfi\n"
	"\tfi\n"
	"}\n"
	"complete -F _sealpost sealpost\n";

static void bash_list(const char *name, void (*fn)(const struct sp_option *o))
{
	printf("\tlocal %s=\"", name);
	each_option(fn);
	puts("\"");
}

static void bash_command(const struct sp_cmd *cmd)
{
	printf("\t%s)\n\t\toptions=\"", cmd->name);
	for (const struct sp_option *o = cmd->options; o && o->name; o++) {
		bash_option(o);
	}
	fputs("\"\n\t\tverbs=\"", stdout);
	(void)each_verb(cmd, bash_verb);
	printf("\"\n\t\tfiles=%s\n\t\t;;\n", is_file(cmd->words) ? "yes" : "");
}

static void put_bash(void)
{
	size_t count;
	const struct sp_cmd *const *all = sp_cmd_all(&count);

	fputs(BASH_HEAD, stdout);
	fputs("\tlocal commands=\"", stdout);
	for (size_t i = 0; i < count; i++) {
		printf(" %s", all[i]->name);
	}
	fputs("\"\n\tlocal general=\"", stdout);
	for (const struct sp_option *o = sp_cmd_general(); o->name; o++) {
		bash_option(o);
	}
	puts("\"");
	bash_list("valued", bash_valued);
	bash_list("valued_files", bash_file);
	fputs(BASH_WALK, stdout);
	puts("\tcase $command in");
	for (size_t i = 0; i < count; i++) {
		bash_command(all[i]);
	}
	puts("\tesac");
	fputs(BASH_TAIL, stdout);
}

/* ---- zsh ---- */

/* Inside '...', as a description of _arguments or _describe. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'') {
			fputs("'\\''", stdout);
		} else {
			if (strchr("[]:\\", *text)) {
				putchar('\\');
			}
			putchar(*text);
		}
	}
}

static void zsh_spec(const struct sp_option *o, const char *name,
                     const char *joint)
{
	printf(" \\\n\t\t'*%s%s[", name, joint);
	zsh_text(o->about);
	putchar(']');
	if (o->value) {
		fputs(is_optional(o) ? "::" : ":", stdout);
		zsh_text(o->value);
		fputs(is_file(o->value) ? ":_files" : ": ", stdout);
	}
	putchar('\'');
}

static void zsh_options(const struct sp_option *o)
{
	for (; o && o->name; o++) {
		char name[64];

		snprintf(name, sizeof(name), "--%s", o->name);
		zsh_spec(o, name, !o->value ? "" : is_optional(o) ? "=-" : "=");
		if (o->letter) {
			snprintf(name, sizeof(name), "-%c", o->letter);
			zsh_spec(o, name, o->value ? "+" : "");
		}
	}
}

static void zsh_verb(const char *verb, size_t len)
{
	printf(" %.*s", (int)len, verb);
}

static void zsh_command(const struct sp_cmd *cmd)
{
	const char *rest = is_file(cmd->words) ? "_files" : " ";

	printf("\t%s)\n\t\t_arguments -S", cmd->name);
	zsh_options(cmd->options);
	zsh_options(sp_cmd_general());
	if (each_verb(cmd, no_verb) > 0) {
		fputs(" \\\n\t\t'1: :(", stdout);
		(void)each_verb(cmd, zsh_verb);
		fputs(")'", stdout);
	}
	printf(" \\\n\t\t'*: :%s'\n\t\t;;\n", rest);
}

static void put_zsh(void)
{
	size_t count;
	const struct sp_cmd *const *all = sp_cmd_all(&count);

	puts("#compdef sealpost\n"
	     "# made by: sealpost completion zsh\n"
	     "local curcontext=$curcontext state line\n"
	     "typeset -A opt_args\n"
	     "local -a commands\n"
	     "commands=(");
	for (size_t i = 0; i < count; i++) {
		printf("\t'%s:", all[i]->name);
		zsh_text(all[i]->about);
		puts("'");
	}
	fputs(")\n_arguments -C -S", stdout);
	zsh_options(sp_cmd_general());
	puts(" \\\n\t\t'1: :->command' \\\n\t\t'*:: :->rest'\n"
	     "case $state in\n"
	     "command)\n\t_describe command commands\n\t;;\n"
	     "rest)\n\tcase $words[1] in");
	for (size_t i = 0; i < count; i++) {
		zsh_command(all[i]);
	}
	puts("\tesac\n\t;;\nesac");
}

/* ---- the command ---- */

static int run(struct sp_cmd_ctx *ctx)
{
	if (strcmp(ctx->words[0], "bash") == 0) {
		put_bash();
	} else if (strcmp(ctx->words[0], "zsh") == 0) {
		put_zsh();
	} else {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "completion: %s: expected bash or zsh",
		                   ctx->words[0]);
	}
	return SP_EXIT_OK;
}

const struct sp_cmd SP_CMD_COMPLETION = {
	.name = "completion",
	.words = "bash | zsh",
	.about = "what a shell needs to complete this command's line",
	.text = "For this shell only: source <(sealpost completion bash). "
		"`make install` puts\nboth where the shells look for them.\n",
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
