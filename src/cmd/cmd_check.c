/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealpost check: the analyzer from the command line. Everything that is
 * looked at is looked at by analyze/; here are the options, and the forms in
 * which the tree is shown. All of them are made from the one JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyze/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "cmd/check_live.h"
#include "cmd/check_text.h"
#include "cmd/dns.h"
#include "cmd/text.h"
#include "net/tls.h"
#include "wire/address.h"

#define PEM_BYTES_MAX (1024u * 1024)
#define TIMEOUT_MS    (10 * 60 * 1000)

enum { /* exit status of this command, beside those of all */
	EXIT_PASS = 0,
	EXIT_WARN = 1,
	EXIT_FAIL = 2,
	EXIT_NOT_RUN = 3,
};

static const struct sp_option OPTIONS[] = {
	{"dnssec", 0, NULL, "DNSSEC validation: the chain from the root"},
	{"dane", 0, NULL, "DANE validation, including DNSSEC (default)"},
	{"smtp", 0, NULL, "inbound SMTP: a session up to the recipient"},
	{"sts", 0, NULL, "MTA-STS: record, policy, each MX against it"},
	{"tlsrpt", 0, NULL, "TLS reporting: record and targets"},
	{"all", 0, NULL, "all of these, and SPF, DKIM and DMARC"},
	{"host", 0, NULL, "TARGET is a mail server: no MX is looked up"},
	{"dkim-selector", 0, "NAME", "look for this DKIM key, too"},
	{"cert", 0, "FILE", "a certificate that is to come: what to publish"},
	{"key", 0, "FILE", "the same by its key"},
	{"from", 0, "ADDRESS", "sender of the probe (none: the null sender)"},
	{"to", 0, "ADDRESS", "its recipient (TARGET, or its postmaster)"},
	{"timeout", 0, "TIME", "for the whole of it (10m); 0: no limit"},
	{"html", 0, "[=FILE]", "one page of HTML, to standard output or FILE"},
	{0},
};

/* ---- which test ---- */

struct test {
	const char *name;
	unsigned of_domain; /* bits; 0: not for such a target */
	unsigned of_host;
	unsigned of_address;
};

#define OF_HOST (SP_CHECK_DNSSEC | SP_CHECK_DANE | SP_CHECK_RETRY)

static const struct test TESTS[] = {
	{"dane", OF_HOST, OF_HOST, 0},
	{"dnssec", SP_CHECK_DNSSEC, SP_CHECK_DNSSEC, 0},
	{"smtp", SP_CHECK_SMTP, SP_CHECK_SMTP, SP_CHECK_SMTP},
	{"sts", SP_CHECK_STS, 0, 0},
	{"tlsrpt", SP_CHECK_TLSRPT, 0, 0},
	{"all",
         OF_HOST | SP_CHECK_SMTP | SP_CHECK_STS | SP_CHECK_TLSRPT |
                 SP_CHECK_SIDE,
         OF_HOST | SP_CHECK_SMTP, SP_CHECK_SMTP},
};
#define TEST_COUNT (sizeof(TESTS) / sizeof(TESTS[0]))

/* One analysis from its options to its exit status. */
struct run {
	struct sp_cmd_ctx *ctx;
	struct sp_arena arena;
	const struct test *test;
	struct sp_check_ask ask;
	bool is_address;
	struct sp_buf pem; /* of --cert or --key */
	struct sp_cmd_dns dns;
	int64_t started_ms; /* wall */
	int64_t began_ms;   /* mono */
	struct sp_json *json;
};

static int pick_test(struct run *r)
{
	const char *name = NULL;

	r->test = r->is_address ? &TESTS[2] : &TESTS[0];
	for (size_t i = 0; i < TEST_COUNT; i++) {
		if (!sp_args_has(r->ctx->args, TESTS[i].name)) {
			continue;
		}
		if (name) {
			return sp_cmd_fail(SP_EXIT_USAGE,
			                   "check: --%s and --%s: one test at "
			                   "a time, or --all",
			                   name, TESTS[i].name);
		}
		name = TESTS[i].name;
		r->test = &TESTS[i];
	}
	r->ask.tests = r->is_address    ? r->test->of_address
	               : r->ask.is_host ? r->test->of_host
	                                : r->test->of_domain;
	return r->ask.tests
	               ? 0
	               : sp_cmd_fail(SP_EXIT_USAGE,
	                             "check: --%s is a test of a domain, "
	                             "not of %s",
	                             r->test->name,
	                             r->is_address ? "an address" : "a host");
}

/* ---- the other options ---- */

/* A mail address stands for its domain, and is whom the probe asks for. */
static struct sp_str take_recipient(struct run *r)
{
	struct sp_str text = sp_str_from(r->ctx->words[0]);
	struct sp_address address;

	if (r->ask.is_host || sp_address_parse(text, &address)) {
		return text;
	}
	r->ask.recipient = text;
	return address.domain;
}

static int read_target(struct run *r)
{
	struct sp_str text;

	r->ask.is_host = sp_args_has(r->ctx->args, "host");
	text = take_recipient(r);
	r->is_address = sp_domain_is_literal(text);
	if (r->is_address) {
		r->ask.target = text;
		return 0;
	}
	return sp_cmd_domain(sp_arena_cstr(&r->arena, text), &r->arena,
	                     &r->ask.target);
}

static int read_address(const struct run *r, const char *option,
                        struct sp_str *out)
{
	const char *text = sp_args_get(r->ctx->args, option);
	struct sp_address address;

	if (!text) {
		return 0;
	}
	*out = sp_str_from(text);
	if (!out->len || sp_str_eq(*out, SP_STR("<>"))) {
		*out = SP_STR("");
		return 0;
	}
	return sp_address_parse(*out, &address)
	               ? sp_cmd_fail(SP_EXIT_USAGE,
	                             "--%s: %s: not a mail address", option,
	                             text)
	               : 0;
}

static int read_selector(struct run *r)
{
	const char *text = sp_args_get(r->ctx->args, "dkim-selector");

	if (!text) {
		return 0;
	}
	r->ask.tests |= SP_CHECK_SIDE;
	return sp_domain_to_ascii(sp_str_from(text), &r->arena,
	                          &r->ask.dkim_selector)
	               ? sp_cmd_fail(SP_EXIT_USAGE,
	                             "--dkim-selector: %s: not a selector",
	                             text)
	               : 0;
}

static int read_timeout(struct run *r)
{
	const char *text = sp_args_get(r->ctx->args, "timeout");
	int64_t *timeout_ms = &r->ask.timeout_ms;

	*timeout_ms = TIMEOUT_MS;
	return text && (sp_duration_parse(sp_str_from(text), timeout_ms) ||
	                *timeout_ms < 0)
	               ? sp_cmd_fail(SP_EXIT_USAGE,
	                             "--timeout: %s: not a time, as 90s or 5m",
	                             text)
	               : 0;
}

static int read_pem(struct run *r)
{
	const char *cert = sp_args_get(r->ctx->args, "cert");
	const char *key = sp_args_get(r->ctx->args, "key");
	int status;

	if (!cert && !key) {
		return 0;
	}
	if (cert && key) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "check: --cert or --key, not both");
	}
	if (r->is_address) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "check: --%s needs a domain or a host",
		                   cert ? "cert" : "key");
	}
	sp_buf_fini(&r->pem);
	status = sp_cmd_read_file(cert ? cert : key, PEM_BYTES_MAX, &r->pem);
	if (cert) {
		r->ask.new_cert_pem =
			sp_tls_as_pem(sp_buf_str(&r->pem), &r->arena);
	} else {
		r->ask.new_key_pem = sp_buf_str(&r->pem);
	}
	r->ask.tests |= SP_CHECK_PREFLIGHT;
	return status;
}

static int read_options(struct run *r)
{
	const struct sp_args *args = r->ctx->args;
	int status = pick_test(r);

	if (!status) {
		status = read_address(r, "from", &r->ask.sender);
	}
	if (!status) {
		status = read_address(r, "to", &r->ask.recipient);
	}
	if (!status) {
		status = read_timeout(r);
	}
	if (!status) {
		status = read_pem(r);
	}
	if (!status) {
		status = read_selector(r);
	}
	if (!status && r->ctx->json && sp_args_has(args, "html") &&
	    !*sp_args_get(args, "html")) {
		status = sp_cmd_fail(SP_EXIT_USAGE,
		                     "check: --json and --html both to "
		                     "standard output");
	}
	return status;
}

/* ---- the analysis ---- */

static void on_done(void *arg)
{
	struct sp_loop *loop = arg;

	sp_loop_stop(loop);
}

static struct sp_json *make_json(const struct run *r, struct sp_tree *tree)
{
	struct sp_json *json = sp_json_object();

	sp_json_set_str(json, "target", r->ask.target);
	sp_json_set_cstr(json, "test", r->test->name);
	sp_json_set_cstr(
		json, "verdict",
		sp_step_verdict_text(sp_step_verdict(sp_tree_root(tree))));
	sp_json_set_time(json, "started", r->started_ms);
	sp_json_set_int(json, "elapsed_ms", sp_time_mono_ms() - r->began_ms);
	sp_json_set(json, "tree", sp_tree_json(tree));
	return json;
}

static int analyze(struct run *r)
{
	struct sp_check_live *live = sp_check_live_new(r->dns.loop);
	struct sp_tree *tree =
		sp_tree_new("check", r->ask.target, sp_check_live_step, live);
	struct sp_check *check;
	int err;

	check = sp_check_new(&r->ask, tree, on_done, r->dns.loop);
	err = sp_loop_run(r->dns.loop);
	sp_check_free(&check);
	sp_check_live_free(&live);
	if (!err) {
		r->json = make_json(r, tree);
	}
	sp_tree_free(&tree);
	return err ? sp_cmd_fail(EXIT_NOT_RUN, "event loop: %s",
	                         sp_strerror(err))
	           : 0;
}

/* As the server has it; without the roots nothing passes under MTA-STS. */
static int start_tls(const struct sp_conf *conf)
{
	char why[200] = "no TLS";

	if (sp_tls_setup() || sp_tls_roots(conf->ca_bundle, why, sizeof(why))) {
		return sp_cmd_fail(EXIT_NOT_RUN, "%s", why);
	}
	return 0;
}

static int prepare_and_analyze(struct run *r)
{
	int status = sp_cmd_conf(r->ctx);

	if (status) {
		return status;
	}
	status = r->is_address ? sp_cmd_dns_init_untested(&r->dns, r->ctx->conf)
	                       : sp_cmd_dns_init_within(&r->dns, r->ctx->conf,
	                                                r->ask.timeout_ms);
	if (!status && r->dns.direct.lookup.validator_broken) {
		status = EXIT_NOT_RUN; /* said by the self-test */
	}
	if (!status) {
		status = start_tls(r->ctx->conf);
	}
	if (!status) {
		r->ask.loop = r->dns.loop;
		r->ask.conf = r->ctx->conf;
		r->ask.lookup = &r->dns.direct.lookup;
		r->ask.resolver = r->dns.resolver;
		status = analyze(r);
	}
	sp_cmd_dns_fini(&r->dns);
	sp_tls_teardown();
	return status;
}

/* ---- showing it ---- */

static int write_page(const char *path, const struct sp_json *json)
{
	FILE *f = fopen(path, "we");
	bool bad;

	if (!f) {
		return sp_cmd_fail(SP_EXIT_IO, "%s: %s", path,
		                   sp_strerror(-errno));
	}
	sp_check_put_html(f, json);
	bad = ferror(f) != 0;
	bad = fclose(f) != 0 || bad;
	return bad ? sp_cmd_fail(SP_EXIT_IO, "%s: %s", path,
	                         sp_strerror(-errno))
	           : 0;
}

static int show(const struct run *r)
{
	const char *html = sp_args_get(r->ctx->args, "html");
	struct sp_str verdict = sp_json_get_str(r->json, "verdict");
	int status = html && *html ? write_page(html, r->json) : 0;

	if (r->ctx->json) {
		sp_json_put(stdout, r->json);
	} else if (html && !*html) {
		sp_check_put_html(stdout, r->json);
	} else {
		sp_check_put_text(stdout, r->json, sp_check_wants_colour());
	}
	if (status) {
		return status;
	}
	if (sp_str_eq(verdict, SP_STR("skip"))) {
		return sp_cmd_fail(
			EXIT_NOT_RUN, "check: " SP_STR_FMT,
			SP_STR_ARG(sp_json_get_str(
				sp_json_get(sp_json_get(r->json, "tree"),
		                            "evidence"),
				"note")));
	}
	return sp_str_eq(verdict, SP_STR("fail"))   ? EXIT_FAIL
	       : sp_str_eq(verdict, SP_STR("warn")) ? EXIT_WARN
	                                            : EXIT_PASS;
}

static int run(struct sp_cmd_ctx *ctx)
{
	struct run r = {.ctx = ctx};
	int status;

	sp_arena_init(&r.arena);
	sp_buf_init(&r.pem, 1);
	r.started_ms = sp_time_wall_ms();
	r.began_ms = sp_time_mono_ms();
	r.ask.began_ms = r.began_ms;
	status = read_target(&r);
	if (!status) {
		status = read_options(&r);
	}
	if (!status) {
		status = prepare_and_analyze(&r);
	}
	if (!status) {
		status = show(&r);
	}
	sp_json_free(&r.json);
	sp_buf_fini(&r.pem);
	sp_arena_fini(&r.arena);
	return status;
}

const struct sp_cmd SP_CMD_CHECK = {
	.name = "check",
	.words = "TARGET",
	.about = "what a sender meets at a domain, a mail server or an address",
	.text = "Looks at everything that delivery would look at, and says "
		"what is wrong, who\nhas to act and how. TARGET is a domain; "
		"with --host a mail server; a mail\naddress, which stands for "
		"its domain; or an IP address. Needs no server of\nours; no "
		"message is sent. See sealpost-check(1).\n"
		"Exit status: 0 pass, 1 warnings, 2 failed, 3 the test could "
		"not be run.\n",
	.options = OPTIONS,
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
