/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost lint: is this text what it is meant to be? */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cmd/lint.h"
#include "cmd/text.h"
#include "cmd/tlsa.h"
#include "net/tls.h"
#include "wire/json.h"

#define FILE_MAX_BYTES 1048576

bool sp_lint_result(const struct sp_cmd_ctx *ctx, const char *what,
                    const char *reason, struct sp_json *value)
{
	if (ctx->json) {
		struct sp_json *obj = sp_json_object();

		sp_json_set_bool(obj, "valid", !reason);
		sp_json_set_cstr(obj, "reason", reason);
		sp_json_set(obj, "value", value);
		sp_json_put(stdout, obj);
		sp_json_free(&obj);
		return !reason;
	}
	sp_text_put(stdout, sp_str_from(what));
	fputs(reason ? ": invalid: " : ": valid", stdout);
	sp_text_put(stdout, sp_str_from(reason));
	if (value && !reason && !sp_json_get_bool(value, "usable") &&
	    sp_json_get(value, "usable")) {
		fputs(", but not usable in SMTP: ", stdout);
		sp_text_put(stdout, sp_json_get_str(value, "reason"));
	}
	putchar('\n');
	sp_json_free(&value);
	return !reason;
}

/* ---- tlsa ---- */

/* A record may be well made and still be of no use in SMTP; wrong in itself
 * is one whose data is not what its numbers promise. */
static bool is_broken(enum sp_tlsa_reason reason)
{
	return reason == SP_TLSA_RDATA_SHORT ||
	       reason == SP_TLSA_DIGEST_LENGTH ||
	       reason == SP_TLSA_DATA_EMPTY || reason == SP_TLSA_DATA_LONG ||
	       reason == SP_TLSA_DATA_UNPARSABLE;
}

static bool lint_record(const struct sp_cmd_ctx *ctx, const char *what,
                        struct sp_str line, struct sp_arena *arena)
{
	enum sp_tlsa_reason reason;
	struct sp_tlsa tlsa;
	int err = sp_tlsa_read(line, arena, &tlsa);

	if (err) {
		return sp_lint_result(
			ctx, what,
			err == SP_ELIMIT ? "certificate association data too "
					   "long"
					 : "expected \"USAGE SELECTOR "
					   "MATCHING HEX\"",
			NULL);
	}
	reason = sp_tlsa_check(&tlsa, tlsa.matching != SP_TLSA_FULL ||
	                                      sp_tls_full_parses(&tlsa));
	return sp_lint_result(ctx, what,
	                      is_broken(reason) ? sp_tlsa_reason_text(reason)
	                                        : NULL,
	                      sp_tlsa_json(&tlsa, reason));
}

static bool is_blank(struct sp_str line)
{
	line = sp_str_trim(line);
	return !line.len || line.ptr[0] == ';' || sp_str_eq(line, SP_STR("\r"));
}

static int lint_tlsa(struct sp_cmd_ctx *ctx, const char *path)
{
	struct sp_arena arena;
	struct sp_buf text;
	struct sp_str rest, line;
	size_t number = 0, found = 0;
	bool good = true;
	int status = sp_cmd_read_file(path, FILE_MAX_BYTES, &text);

	sp_arena_init(&arena);
	rest = sp_buf_str(&text);
	while (!status && sp_str_cut(&rest, '\n', &line)) {
		number++;
		if (!is_blank(line)) {
			found++;
			good &= lint_record(
				ctx,
				sp_arena_printf(&arena, "%s:%zu", path, number),
				line, &arena);
		}
	}
	if (!status && !found) {
		good = sp_lint_result(ctx, path, "no record in it", NULL);
	}
	sp_arena_fini(&arena);
	sp_buf_fini(&text);
	return status ? status : good ? SP_EXIT_OK : SP_EXIT_NO;
}

/* ---- config ---- */

static struct sp_json *conf_json(const struct sp_conf *conf)
{
	struct sp_json *obj = sp_json_object();
	char why[SP_CONF_WHY];

	sp_json_set_cstr(obj, "file", conf->file);
	sp_json_set_cstr(obj, "hostname", conf->hostname);
	sp_json_set_cstr(obj, "postmaster", conf->postmaster);
	sp_json_set_cstr(obj, "store", conf->store);
	sp_json_set_cstr(obj, "control", conf->control);
	sp_json_set_bool(obj, "enforce", conf->enforce);
	sp_json_set_bool(obj, "deliver", conf->deliver);
	sp_json_set_cstr(obj, "dane_profile", conf->dane.profile);
	sp_json_set_int(obj, "listeners", (int64_t)conf->listen_count);
	sp_json_set_int(obj, "routes", (int64_t)conf->route_count);
	sp_json_set_cstr(obj, "warning",
	                 sp_conf_warning(conf, why) ? why : NULL);
	return obj;
}

/* As the server reads it, the files it names included; what comes by
 * standard input is judged by its text alone. */
static int lint_config(struct sp_cmd_ctx *ctx, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *what = is_stdin ? "standard input" : path;
	struct sp_conf *conf = NULL;
	char why[SP_CONF_WHY] = "";
	struct sp_buf text;
	int status = sp_cmd_read_file(path, SP_CONF_BYTES_MAX, &text);
	int err;

	if (!status) {
		err = is_stdin ? sp_conf_parse(sp_buf_str(&text), what, &conf,
		                               why)
		               : sp_conf_load(path, &conf, why);
		status = sp_lint_result(ctx, what, err ? why : NULL,
		                        conf ? conf_json(conf) : NULL)
		                 ? SP_EXIT_OK
		                 : SP_EXIT_NO;
	}
	if (conf && !ctx->json && sp_conf_warning(conf, why)) {
		fprintf(stderr, "sealpost: warning: %s\n", why);
	}
	sp_conf_free(&conf);
	sp_buf_fini(&text);
	return status;
}

static int run(struct sp_cmd_ctx *ctx)
{
	static const struct {
		const char *name;
		int (*run)(struct sp_cmd_ctx *ctx, const char *path);
	} KINDS[] = {
		{"mta-sts-policy", sp_lint_sts_policy},
		{"mta-sts-txt", sp_lint_sts_txt},
		{"tlsrpt-txt", sp_lint_tlsrpt_txt},
		{"tlsrpt-report", sp_lint_tlsrpt_report},
		{"tlsa", lint_tlsa},
		{"config", lint_config},
	};
	const char *kind = ctx->words[0];

	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		if (strcmp(KINDS[i].name, kind) == 0) {
			return KINDS[i].run(ctx, ctx->words[1]);
		}
	}
	return sp_cmd_fail(SP_EXIT_USAGE,
	                   "lint %s: expected mta-sts-policy, mta-sts-txt, "
	                   "tlsrpt-txt, tlsrpt-report, tlsa or config",
	                   kind);
}

static const struct sp_option OPTIONS[] = {
	{"mx", 0, "HOST", "mta-sts-policy: does it cover this host?"},
	{NULL, 0, NULL, NULL},
};

const struct sp_cmd SP_CMD_LINT = {
	.name = "lint",
	.words = "KIND FILE",
	.kinds = "mta-sts-policy mta-sts-txt tlsrpt-txt tlsrpt-report tlsa "
		 "config",
	.about = "check a policy, a record, a report or a configuration",
	.text = "KIND is mta-sts-policy, mta-sts-txt, tlsrpt-txt, "
		"tlsrpt-report (JSON,\n"
		"gzip or a mail), tlsa or config; FILE \"-\" is standard "
		"input. Records "
		"stand one in a\n"
		"line.\n"
		"Exit status: 0 valid, 1 not.\n",
	.options = OPTIONS,
	.words_min = 2,
	.words_max = 2,
	.run = run,
};
