/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost tlsa: records from certificates, certificates by records, and
 * records as they are published. */
#include <string.h>

#include "cmd/tlsa.h"

static const struct sp_option OPTIONS[] = {
	{"name", 0, "NAME", "host name; verify: more than one may be given"},
	{"port", 0, "PORT", "make, lint: port of the host and the owner (25)"},
	{"usage", 0, "0-3", "make: certificate usage (3)"},
	{"selector", 0, "0-1", "make: 0 certificate, 1 key (1)"},
	{"matching", 0, "0-2", "make: 0 full, 1 SHA-256, 2 SHA-512 (1)"},
	{"chain", 0, "FILE", "verify: certificates in PEM, the host's first"},
	{"record", 0, "RECORD", "verify: \"3 1 1 HEX\"; may be repeated"},
	{"at", 0, "TIME", "verify: at this time (RFC 3339) instead of now"},
	{0},
};

int sp_tlsa_number(const struct sp_args *args, const char *option, uint64_t max,
                   uint64_t fallback, uint64_t *number_out)
{
	const char *text = sp_args_get(args, option);

	*number_out = fallback;
	if (text && sp_str_u64(sp_str_from(text), max, number_out)) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "--%s: %s: expected a number up to %llu",
		                   option, text, (unsigned long long)max);
	}
	return 0;
}

int sp_tlsa_port(const struct sp_args *args, uint64_t *port_out)
{
	int status = sp_tlsa_number(args, "port", 65535, 25, port_out);

	return status || *port_out
	               ? status
	               : sp_cmd_fail(SP_EXIT_USAGE,
	                             "--port: 0: expected 1 to 65535");
}

static int run(struct sp_cmd_ctx *ctx)
{
	static const struct {
		const char *name;
		size_t words;
		int (*run)(struct sp_cmd_ctx *ctx);
	} PARTS[] = {{"make", 2, sp_tlsa_make_run},
	             {"verify", 1, sp_tlsa_verify_run},
	             {"lint", 2, sp_tlsa_lint_run}};
	const char *word = ctx->words[0];

	for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
		if (strcmp(PARTS[i].name, word) != 0) {
			continue;
		}
		if (ctx->word_count != PARTS[i].words) {
			return sp_cmd_fail(SP_EXIT_USAGE,
			                   "tlsa %s: %s arguments; see "
			                   "sealpost tlsa --help",
			                   word,
			                   ctx->word_count < PARTS[i].words
			                           ? "too few"
			                           : "too many");
		}
		return PARTS[i].run(ctx);
	}
	return sp_cmd_fail(SP_EXIT_USAGE,
	                   "tlsa %s: expected make, verify or lint", word);
}

const struct sp_cmd SP_CMD_TLSA = {
	.name = "tlsa",
	.words = "make CERTIFICATE|KEY|HOST | verify --chain FILE --record "
		 "RECORD... | lint HOST|OWNER",
	.about = "make TLSA records, compare them, or check published ones",
	.text = "  make    the record for a certificate or key (a file, PEM or "
		"DER), or for the\n"
		"          certificates that a live host shows by STARTTLS\n"
		"  verify  what DANE makes of a chain and records\n"
		"  lint    the records that are published for a host: DNSSEC, "
		"owner name, each\n"
		"          record, time to live\n"
		"\n"
		"Exit status of verify: 0 authenticated, or no record is "
		"usable; 1 failed. Of\n"
		"lint: 0 records that take effect, and no warning; 1 not.\n",
	.options = OPTIONS,
	.words_min = 1,
	.words_max = 2,
	.run = run,
};
