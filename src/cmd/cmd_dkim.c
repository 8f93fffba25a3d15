/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost dkim: new keys, and whether the DNS knows those in use. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cmd/dkim.h"

static const struct sp_option OPTIONS[] = {
	{"selector", 0, "NAME", "make: of the key record (s1)"},
	{"type", 0, "TYPE", "make: rsa or ed25519 (rsa)"},
	{"bits", 0, "NUMBER", "make: of an RSA key, 1024 to 4096 (2048)"},
	{"key", 0, "FILE", "make: where the private key goes"},
	{"service", 0, "LIST",
         "make: s= of the record; check: what it must serve (email)"},
	{0},
};

int sp_cmd_dkim_key(const char *path, struct sp_dkim_key **key_out,
                    char *why_out, size_t why_cap)
{
	char text[SP_DKIM_PEM_MAX + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));
	int err = errno;

	if (fd >= 0) {
		close(fd);
	}
	*key_out = NULL;
	if (len < 0) {
		(void)snprintf(why_out, why_cap, "%s: %s", path, strerror(err));
		return -1;
	}
	if (sp_dkim_key_load(sp_str_slice(text, (size_t)len), key_out, why_out,
	                     why_cap)) {
		char why[200];

		(void)snprintf(why, sizeof(why), "%s", why_out);
		(void)snprintf(why_out, why_cap, "%s: %s", path, why);
	}
	explicit_bzero(text, sizeof(text));
	return *key_out ? 0 : -1;
}

/* RFC 6376 3.6.1: a list of names with colons between. */
bool sp_cmd_dkim_service(const struct sp_args *args, struct sp_str *out)
{
	const char *text = sp_args_get(args, "service");

	*out = sp_str_from(text);
	if (text && (!*text ||
	             strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-*:") !=
	                     strlen(text))) {
		sp_cmd_fail(0,
		            "--service: %s: expected names such as "
		            "email:tlsrpt",
		            text);
		return false;
	}
	return true;
}

static int run(struct sp_cmd_ctx *ctx)
{
	if (strcmp(ctx->words[0], "make") == 0) {
		return sp_cmd_dkim_make(ctx);
	}
	if (strcmp(ctx->words[0], "check") == 0) {
		return sp_cmd_dkim_check(ctx);
	}
	return sp_cmd_fail(SP_EXIT_USAGE, "dkim %s: expected make or check",
	                   ctx->words[0]);
}

const struct sp_cmd SP_CMD_DKIM = {
	.name = "dkim",
	.words = "make DOMAIN | check DOMAIN",
	.about = "make DKIM keys, or check their records in the DNS",
	.text = "  make    a new private key in a file that only its owner can "
		"read; prints\n"
		"          the record for the DNS and the lines for the "
		"configuration\n"
		"  check   compares the record of each key that is configured "
		"for the domain\n"
		"\n"
		"Need no server. Exit status of check: 0 all records are good, "
		"1 not.\n",
	.options = OPTIONS,
	.words_min = 2,
	.words_max = 2,
	.run = run,
};
