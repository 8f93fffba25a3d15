/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost lint: the texts of MTA-STS and of TLS reporting. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cmd/lint.h"
#include "cmd/text.h"
#include "cmd/txt.h"
#include "role/report/mail.h"
#include "wire/address.h"
#include "wire/mta_sts.h"
#include "wire/tlsrpt.h"
#include "wire/tlsrpt_txt.h"

/* Of what is read; the parsers have their own, smaller limits. */
#define TEXT_MAX_BYTES   ((size_t)1024 * 1024)
#define REPORT_MAX_BYTES ((size_t)32 * 1024 * 1024)

static const char *name_of(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

static int status_of(bool good)
{
	return good ? SP_EXIT_OK : SP_EXIT_NO;
}

/* "  title: text, text" for people; nothing of an empty list. */
static void put_list(const char *title, const struct sp_json *list)
{
	size_t count = sp_json_len(list);

	if (count) {
		printf("  %s: ", title);
	}
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ", " : "", stdout);
		sp_text_put(stdout, sp_json_str(sp_json_at(list, i)));
	}
	fputs(count ? "\n" : "", stdout);
}

static void put_text(const char *title, struct sp_str text)
{
	if (text.len) {
		printf("  %s: ", title);
		sp_text_put(stdout, text);
		putchar('\n');
	}
}

/* ---- mta-sts-policy ---- */

static struct sp_json *policy_json(const struct sp_sts_policy *policy)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_cstr(obj, "mode", sp_sts_mode_text(policy->mode));
	sp_json_set_int(obj, "max_age", policy->max_age_s);
	sp_json_set_strs(obj, "mx", policy->mx, policy->mx_count);
	return obj;
}

static void put_policy(const struct sp_json *value, const char *host)
{
	printf("  mode: %s\n  max_age: %" PRId64 "\n",
	       sp_json_get_str(value, "mode").ptr,
	       sp_json_get_int(value, "max_age", 0));
	put_list("mx", sp_json_get(value, "mx"));
	if (host) {
		fputs("  ", stdout);
		sp_text_put(stdout, sp_str_from(host));
		puts(sp_json_get_bool(value, "covers") ? ": covered"
		                                       : ": not covered");
	}
}

static bool show_policy(struct sp_cmd_ctx *ctx, const char *path,
                        const struct sp_sts_policy *policy, struct sp_str mx)
{
	const char *host = sp_args_get(ctx->args, "mx");
	struct sp_json *value = policy_json(policy);
	struct sp_json *copy;
	bool good;

	if (host) {
		sp_json_set_bool(value, "covers",
		                 sp_sts_policy_covers(policy, mx));
	}
	copy = sp_json_copy(value);
	good = sp_lint_result(ctx, name_of(path), NULL, value);
	if (!ctx->json) {
		put_policy(copy, host);
	}
	sp_json_free(&copy);
	return good;
}

int sp_lint_sts_policy(struct sp_cmd_ctx *ctx, const char *path)
{
	const char *host = sp_args_get(ctx->args, "mx");
	char why[SP_STS_WHY_MAX] = "";
	struct sp_sts_policy policy;
	struct sp_str mx = {NULL, 0};
	struct sp_arena arena;
	struct sp_buf text;
	int status;

	sp_arena_init(&arena);
	if (host && sp_domain_to_ascii(sp_str_from(host), &arena, &mx) != 0) {
		sp_arena_fini(&arena);
		return sp_cmd_fail(SP_EXIT_USAGE, "--mx: %s is not a host name",
		                   host);
	}
	status = sp_cmd_read_file(path, TEXT_MAX_BYTES, &text);
	if (!status &&
	    sp_sts_policy_parse(sp_buf_str(&text), &arena, &policy, why) == 0) {
		status = status_of(show_policy(ctx, path, &policy, mx));
	} else if (!status) {
		status = status_of(
			sp_lint_result(ctx, name_of(path), why, NULL));
	}
	sp_buf_fini(&text);
	sp_arena_fini(&arena);
	return status;
}

/* ---- TXT records ---- */

struct records {
	struct sp_arena arena;
	struct sp_buf text;
	struct sp_str record[SP_TXT_RECORDS_MAX];
	size_t count;
};

static void records_fini(struct records *r)
{
	sp_buf_fini(&r->text);
	sp_arena_fini(&r->arena);
}

/* 0, or an exit status, said. */
static int read_records(struct sp_cmd_ctx *ctx, const char *path,
                        struct records *r)
{
	char why[SP_TXT_WHY_MAX] = "";
	int status;

	sp_arena_init(&r->arena);
	status = sp_cmd_read_file(path, TEXT_MAX_BYTES, &r->text);
	if (!status && sp_txt_read(sp_buf_str(&r->text), &r->arena, r->record,
	                           &r->count, why) != 0) {
		status = status_of(
			sp_lint_result(ctx, name_of(path), why, NULL));
	}
	return status;
}

int sp_lint_sts_txt(struct sp_cmd_ctx *ctx, const char *path)
{
	char why[SP_STS_WHY_MAX] = "";
	struct sp_json *value = NULL;
	struct records r;
	struct sp_str id;
	int status = read_records(ctx, path, &r);
	int err;

	if (!status) {
		err = sp_sts_txt_parse(r.record, r.count, &id, why);
		if (!err) {
			value = sp_json_object();
			sp_json_set_str(value, "id", id);
		}
		status = status_of(sp_lint_result(ctx, name_of(path),
		                                  err ? why : NULL, value));
		if (!err && !ctx->json) {
			put_text("id", id);
		}
	}
	records_fini(&r);
	return status;
}

static struct sp_json *rua_json(const struct sp_tlsrpt_txt *txt)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *rua = sp_json_array();
	struct sp_json *ignored = sp_json_array();

	for (size_t i = 0; i < txt->rua_count; i++) {
		sp_json_add_str(rua, txt->rua[i].uri);
	}
	for (size_t i = 0; i < txt->ignored_count; i++) {
		sp_json_add_str(ignored, txt->ignored[i].uri);
	}
	sp_json_set(obj, "rua", rua);
	sp_json_set(obj, "ignored", ignored);
	return obj;
}

static void put_rua(const struct sp_tlsrpt_txt *txt)
{
	for (size_t i = 0; i < txt->rua_count; i++) {
		put_text("rua", txt->rua[i].uri);
	}
	for (size_t i = 0; i < txt->ignored_count; i++) {
		printf("  ignored (%s): ", txt->ignored[i].why);
		sp_text_put(stdout, txt->ignored[i].uri);
		putchar('\n');
	}
}

int sp_lint_tlsrpt_txt(struct sp_cmd_ctx *ctx, const char *path)
{
	char why[SP_TLSRPT_WHY_MAX] = "";
	struct sp_tlsrpt_txt txt;
	struct records r;
	int status = read_records(ctx, path, &r);
	int err;

	if (!status) {
		err = sp_tlsrpt_txt_parse(r.record, r.count, &r.arena, &txt,
		                          why);
		status = status_of(sp_lint_result(ctx, name_of(path),
		                                  err ? why : NULL,
		                                  err ? NULL : rua_json(&txt)));
		if (!ctx->json) {
			put_rua(&txt);
		}
	}
	records_fini(&r);
	return status;
}

/* ---- tlsrpt-report ---- */

static void put_failures(const struct sp_tlsrpt_policy *p)
{
	for (size_t i = 0; i < p->failure_count; i++) {
		const struct sp_tlsrpt_failure *f = &p->failures[i];
		const struct sp_str parts[] = {f->result_type, f->mx_host,
		                               f->receiving_ip, f->reason};

		printf("    %" PRIu64, f->count);
		for (size_t k = 0; k < sizeof(parts) / sizeof(*parts); k++) {
			if (parts[k].len) {
				putchar(' ');
				sp_text_put(stdout, parts[k]);
			}
		}
		putchar('\n');
	}
}

static void put_report(const struct sp_tlsrpt_report *r,
                       const struct sp_json *view)
{
	put_text("from", r->organization);
	put_text("id", r->report_id);
	put_text("contact", r->contact);
	put_text("start", sp_json_get_str(view, "start"));
	put_text("end", sp_json_get_str(view, "end"));
	for (size_t i = 0; i < r->policy_count; i++) {
		const struct sp_tlsrpt_policy *p = &r->policies[i];

		fputs("  policy ", stdout);
		sp_text_put(stdout, p->type);
		putchar(' ');
		sp_text_put(stdout, p->domain);
		printf(": %" PRIu64 " successful, %" PRIu64 " failed\n",
		       p->successful, p->failed);
		put_failures(p);
	}
	for (size_t i = 0; i < r->oddity_count; i++) {
		put_text("odd", r->oddities[i]);
	}
}

static bool show_report(struct sp_cmd_ctx *ctx, const char *path,
                        const struct sp_tlsrpt_report *report)
{
	struct sp_json *view = sp_tlsrpt_view(report);
	struct sp_json *copy = sp_json_copy(view);
	bool good = sp_lint_result(ctx, name_of(path), NULL, view);

	if (!ctx->json) {
		put_report(report, copy);
	}
	sp_json_free(&copy);
	return good;
}

/* JSON, gzip, or a mail with one of them in it. */
static int read_report(struct sp_str bytes, struct sp_arena *arena,
                       struct sp_tlsrpt_report *report, char *why_out)
{
	struct report_mail mail;

	if (report_mail_is_bare(bytes)) {
		return sp_tlsrpt_read_packed(bytes, arena, report, why_out);
	}
	if (report_mail_open(bytes, arena, &mail)) {
		(void)snprintf(why_out, SP_TLSRPT_READ_WHY_MAX,
		               "neither JSON nor gzip, nor a mail with a TLS "
		               "report in it");
		return SP_ESYNTAX;
	}
	return sp_tlsrpt_read_packed(mail.parts[0], arena, report, why_out);
}

int sp_lint_tlsrpt_report(struct sp_cmd_ctx *ctx, const char *path)
{
	char why[SP_TLSRPT_READ_WHY_MAX] = "";
	struct sp_tlsrpt_report report;
	struct sp_arena arena;
	struct sp_buf bytes;
	int status = sp_cmd_read_file(path, REPORT_MAX_BYTES, &bytes);

	sp_arena_init(&arena);
	if (!status &&
	    read_report(sp_buf_str(&bytes), &arena, &report, why) == 0) {
		status = status_of(show_report(ctx, path, &report));
	} else if (!status) {
		status = status_of(
			sp_lint_result(ctx, name_of(path), why, NULL));
	}
	sp_buf_fini(&bytes);
	sp_arena_fini(&arena);
	return status;
}
