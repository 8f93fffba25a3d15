/* SPDX-License-Identifier: Apache-2.0 */
/* layer: analyze */
/* Writes sealpost-codes(7) from the tables of causes and of advice. */
#include <stdio.h>

#include "analyze/advice.h"
#include "policy/cause.h"

static const char HEAD[] =
	".\\\" Made by doc/gen/codes_man.c from src/policy/cause.def\n"
	".\\\" and src/analyze/advice.def.\n"
	".Dd $Mdocdate$\n"
	".Dt SEALPOST-CODES 7\n"
	".Os\n"
	".Sh NAME\n"
	".Nm sealpost-codes\n"
	".Nd why mail was not delivered, and what to do\n"
	".Sh DESCRIPTION\n"
	"Every failure has an enhanced status code (RFC 3463), a text, and a\n"
	"scenario: the exact cause under a name that does not change.\n"
	"The same names stand in log, trace, reports and\n"
	".Cm --json\n"
	"output.\n"
	"While a message is queued its code begins with 4, when it has failed\n"
	"for good with 5.\n"
	".Sh SCENARIOS\n"
	".Bl -tag -width Ds\n";

static const char ADVICE[] =
	".El\n"
	".Sh ADVICE\n"
	"What refuses no mail, but should be mended or is worth knowing:\n"
	"the names that\n"
	".Xr sealpost-check 1\n"
	"uses beside those above.\n"
	"They have no code.\n"
	"What they are about stands in place of\n"
	".Li <subject> .\n"
	".Bl -tag -width Ds\n";

static const char FOOT[] = ".El\n"
			   ".Sh SEE ALSO\n"
			   ".Xr sealpost 1 ,\n"
			   ".Xr sealpost-check 1 ,\n"
			   ".Xr sealpost.conf 5 ,\n"
			   ".Xr sealpostd 8\n";

/* A line must not begin with what mdoc takes for a request. */
static void put(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\') {
			fputs("\\e", stdout);
		} else if (*p == '\n') {
			fputs("\n.It\n", stdout);
		} else if (p > text && *p == ' ' && p[-1] == '.') {
			putchar('\n');
		} else {
			putchar(*p);
		}
	}
	putchar('\n');
}

static const char *who(enum sp_culprit culprit)
{
	static const char *const WHO[] = {
		[SP_CULPRIT_NONE] = "nobody",
		[SP_CULPRIT_DESTINATION] = "the destination's administrator",
		[SP_CULPRIT_SENDER] = "the sender",
		[SP_CULPRIT_US] = "the administrator of this server",
		[SP_CULPRIT_NETWORK] = "whoever runs the network between",
	};

	return WHO[culprit];
}

static void put_cause(const struct sp_cause *c)
{
	printf(".It Cm %s\n", c->name);
	if (c->at_once) {
		printf("Code 5.%u.%u", c->subject, c->detail);
	} else if (c->subject || c->detail) {
		printf("Code 4.%u.%u while queued, 5.%u.%u at the end",
		       c->subject, c->detail, c->subject, c->detail);
	} else {
		printf("The code is the peer's own");
	}
	if (c->tlsrpt) {
		printf("; in TLS reports %s", c->tlsrpt);
	}
	printf(".\n");
	if (*c->text) {
		printf(".Dl \"%s\"\n", c->text);
	}
	put(c->meaning);
	printf("Who acts: %s.\n", who(c->culprit));
	if (*c->action) {
		printf(".Bl -enum -compact\n.It\n");
		put(c->action);
		printf(".El\n");
	}
}

static void put_advice(const struct sp_advice *a)
{
	static const char *const WEIGHT[] = {
		[SP_STEP_SKIP] = "Worth knowing",
		[SP_STEP_PASS] = "Worth knowing",
		[SP_STEP_WARN] = "A warning",
		[SP_STEP_FAIL] = "Fails the test",
	};

	printf(".It Cm %s\n%s.\n", a->name, WEIGHT[a->verdict]);
	put(a->meaning);
	printf(".Bl -enum -compact\n.It\n");
	put(a->action);
	printf(".El\n");
}

int main(void)
{
	fputs(HEAD, stdout);
	for (int i = SP_CAUSE_NONE + 1; i < SP_CAUSE_COUNT; i++) {
		put_cause(sp_cause_get((enum sp_cause_id)i));
	}
	fputs(ADVICE, stdout);
	for (int i = SP_ADVICE_NONE + 1; i < SP_ADVICE_COUNT; i++) {
		put_advice(sp_advice_get((enum sp_advice_id)i));
	}
	fputs(FOOT, stdout);
	return 0;
}
