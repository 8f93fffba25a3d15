/* SPDX-License-Identifier: Apache-2.0 */
/* layer: conf */
/* Writes sealpost.conf(5) from the table of keys. */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_schema.h"

static const char HEAD[] =
	".\\\" Made by doc/gen/conf_man.c from src/conf/conf_schema.c.\n"
	".Dd $Mdocdate$\n"
	".Dt SEALPOST.CONF 5\n"
	".Os\n"
	".Sh NAME\n"
	".Nm sealpost.conf\n"
	".Nd configuration of the Sealpost mail server\n"
	".Sh DESCRIPTION\n"
	"The file is read by\n"
	".Xr sealpostd 8\n"
	"when it starts and on SIGHUP, and by\n"
	".Xr sealpost 1 .\n"
	"A key is written\n"
	".Ql key = \\(dqvalue\\(dq ,\n"
	"a list\n"
	".Ql key = {\\(dqa\\(dq, \\(dqb\\(dq} ,\n"
	"a section\n"
	".Ql name { ... }\n"
	"or\n"
	".Ql name \\(dqtitle\\(dq { ... } .\n"
	"A\n"
	".Ql #\n"
	"begins a comment.\n"
	"Times have a unit\n"
	".Pq ms, s, m, h, d, w: Ql 15m , Ql 1h30m ,\n"
	"sizes may have one\n"
	".Pq Ql 64KiB , Ql 50MiB .\n"
	".Pp\n"
	"An unknown key, a bad value or a file that cannot be read is an "
	"error\n"
	"that names file, line and what was expected.\n"
	"The server does not start then, and a reload keeps what it had.\n"
	"A reload cannot change\n"
	".Cm store , control , user , workers\n"
	"and the addresses and certificates of\n"
	".Cm listen ;\n"
	"who may send by one follows it with the next session.\n";

static const char FOOT[] = ".Sh REPORTS TO SENDERS\n"
			   "The texts in the directory of\n"
			   ".Cm notice\n"
			   "are for people; the part for machines does not "
			   "change.\n"
			   ".Pa failed.txt\n"
			   "is for failures,\n"
			   ".Pa delayed.txt\n"
			   "for delays,\n"
			   ".Pa delivered.txt\n"
			   "for mail that was asked about and passed on.\n"
			   "What is missing is built in.\n"
			   "A first line\n"
			   ".Ql Subject: text\n"
			   "sets the subject.\n"
			   "Replaced are, everywhere:\n"
			   ".Ql {hostname} , {postmaster} , {sender} , "
			   "{message_id} , {arrived} , {queue_id} ;\n"
			   "and between a line\n"
			   ".Ql {each}\n"
			   "and a line\n"
			   ".Ql {end} ,\n"
			   "which are repeated for each group of recipients "
			   "with the same outcome:\n"
			   ".Ql {recipients} , {domain} , {code} , {reply} , "
			   "{scenario} , {meaning} , {who} , {steps} , "
			   "{evidence} , {attempts} , {last_attempt} , "
			   "{retry_until} , {host} , {address} .\n"
			   "A brace is written twice.\n"
			   ".Sh FILES\n"
			   ".Bl -tag -width Ds\n"
			   ".It Pa " SP_CONF_DEFAULT_PATH "\n"
			   "Default path.\n"
			   ".El\n"
			   ".Sh SEE ALSO\n"
			   ".Xr sealpost 1 ,\n"
			   ".Xr sealpost-codes 7 ,\n"
			   ".Xr sealpostd 8\n";

/* Text as mdoc lines: one sentence a line, no line begins with a control
 * character. */
static void put_text(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\') {
			fputs("\\e", stdout);
		} else if (p[0] == ' ' && p > text && strchr(".:", p[-1]) &&
		           p[-1] == '.') {
			putchar('\n');
		} else {
			putchar(*p);
		}
	}
	putchar('\n');
}

static void put_default(const struct sp_conf_key *key)
{
	if (*key->fallback) {
		printf("Default:\n.Ql %s .\n", key->fallback);
	}
}

static void put_words(const struct sp_conf_key *key)
{
	if (key->type == SP_CONF_WORD) {
		printf("One of\n.Ql %s .\n", key->words);
	}
}

static void put_section(const struct sp_conf_section *sec)
{
	printf(".Ss %s\n", sec->doc);
	if (*sec->name) {
		const char *dot = strchr(sec->name, '.');

		printf("Section\n.Cm %s%s%s", dot ? dot + 1 : sec->name,
		       sec->titled ? " \\(dqtitle\\(dq" : "",
		       dot ? " ,\nwhich stands inside\n.Cm resolver" : "");
		printf(" .\n");
	}
	printf(".Bl -tag -width Ds\n");
	for (const struct sp_conf_key *k = sec->keys; k->name; k++) {
		printf(".It Cm %s Pq %s\n", k->name,
		       sp_conf_type_text(k->type));
		put_text(k->doc);
		put_words(k);
		put_default(k);
	}
	printf(".El\n");
}

int main(void)
{
	fputs(HEAD, stdout);
	for (size_t i = 0; i < SP_CONF_SECTION_COUNT; i++) {
		put_section(&SP_CONF_SECTIONS[i]);
	}
	fputs(FOOT, stdout);
	return 0;
}
