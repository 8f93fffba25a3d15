/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealpost report import: TLS reports that others sent us. What strangers
 * have written is unpacked, parsed and verified here, in a process of its
 * own with nothing but the file; the server is handed plain values, one
 * policy at a time, and checks their limits again.
 *
 * A report by mail counts when its DKIM signature is good and of the domain
 * that it comes from (RFC 8460 3); one without mail is taken at the word of
 * whoever hands it in.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "cmd/control.h"
#include "cmd/dns.h"
#include "cmd/report_import.h"
#include "cmd/text.h"
#include "role/dkim.h"
#include "role/report/mail.h"
#include "wire/tlsrpt.h"

#define FIELDS_MAX   1000
#define FAILURES_MAX 100   /* handed on of one policy; sums stay right */
#define LIST_MAX     8192  /* bytes of lines */
#define JSON_MAX     40000 /* bytes of failures; a question has its limit */
#define TEXT_MAX     250

struct import {
	struct sp_cmd_ctx *ctx;
	struct sp_cmd_dns dns;
	bool dns_up;
	struct sp_json *rows; /* what became of each report */
	size_t refused;
};

struct origin {
	const char *path;
	char dkim[300];
	bool trusted;
};

/* ---- DKIM ---- */

struct keys {
	struct import *im;
	struct sp_dkim_verifier *verifier;
	size_t open;
};

struct key_ask {
	struct keys *keys;
	size_t index;
};

/* A key for reports only (RFC 8460 3: "s=tlsrpt") is a key like any other
 * here; libopendkim takes those for mail and no others. */
static void hand_over(const struct key_ask *ask, struct sp_str record)
{
	struct sp_buf out;
	struct sp_str tag;

	sp_buf_init(&out, record.len + 1);
	while (sp_str_cut(&record, ';', &tag)) {
		struct sp_str value = tag;
		struct sp_str name;

		(void)sp_str_cut(&value, '=', &name);
		if (sp_str_eq(sp_str_trim(name), SP_STR("s")) &&
		    sp_str_eq_nocase(sp_str_trim(value), SP_STR("tlsrpt"))) {
			continue;
		}
		(void)sp_buf_append_str(&out, tag);
		(void)sp_buf_append_char(&out, ';');
	}
	sp_dkim_verifier_key(ask->keys->verifier, ask->index, sp_buf_str(&out));
	sp_buf_fini(&out);
}

static void on_key(void *arg, struct sp_dns_answer *answer)
{
	const struct key_ask *ask = arg;

	if (answer->record_count) {
		hand_over(ask, answer->records[0].data);
	}
	sp_dns_answer_free(&answer);
	if (--ask->keys->open == 0) {
		sp_loop_stop(ask->keys->im->dns.loop);
	}
}

/* The keys of all signatures, by a resolver of our own. */
static int ask_keys(struct import *im, struct sp_dkim_verifier *verifier)
{
	struct keys keys = {im, verifier, sp_dkim_verifier_count(verifier)};
	struct key_ask asks[SP_DKIM_SIGNATURES_MAX];
	struct sp_lookup *lookup = &im->dns.direct.lookup;
	int status = 0;

	if (!im->dns_up) {
		status = sp_cmd_conf(im->ctx);
		if (!status) {
			im->dns_up = true;
			status = sp_cmd_dns_init(&im->dns, im->ctx->conf);
		}
	}
	for (size_t i = 0; !status && i < keys.open; i++) {
		asks[i] = (struct key_ask){&keys, i};
	}
	for (size_t i = 0, n = keys.open; !status && i < n; i++) {
		(void)lookup->ask(
			lookup,
			sp_str_from(sp_dkim_verifier_owner(verifier, i)),
			SP_DNS_TYPE_TXT, false, on_key, &asks[i]);
	}
	if (!status && keys.open) {
		(void)sp_loop_run(im->dns.loop);
	}
	return status;
}

/* The signer speaks for a domain if it is that domain or one above it. */
static bool speaks_for(const char *signer, struct sp_str domain)
{
	struct sp_str d = sp_str_from(signer);

	return d.len && (sp_str_eq_nocase(d, domain) ||
	                 (sp_str_ends_nocase(domain, d) && domain.len > d.len &&
	                  domain.ptr[domain.len - d.len - 1] == '.'));
}

static void judge(const struct sp_dkim_verifier *verifier, struct sp_str from,
                  struct sp_str submitter, struct origin *origin)
{
	const char *why = "no signature of the sender's domain";

	for (size_t i = 0; i < sp_dkim_verifier_count(verifier); i++) {
		const struct sp_dkim_seen *seen =
			sp_dkim_verifier_seen(verifier, i);
		bool ours =
			speaks_for(seen->domain, from) ||
			(submitter.len && speaks_for(seen->domain, submitter));

		if (seen->passed && ours) {
			(void)snprintf(origin->dkim, sizeof(origin->dkim),
			               "pass %s", seen->domain);
			origin->trusted = true;
			return;
		}
		why = ours && seen->why ? seen->why : why;
	}
	(void)snprintf(origin->dkim, sizeof(origin->dkim), "fail: %s", why);
}

/* Signatures are over lines that end in CRLF; files have LF. */
static void to_crlf(struct sp_str text, struct sp_buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		bool bare = text.ptr[i] == '\n' &&
		            (i == 0 || text.ptr[i - 1] != '\r');

		if (bare) {
			(void)sp_buf_append_char(out, '\r');
		}
		(void)sp_buf_append_char(out, text.ptr[i]);
	}
}

static size_t read_fields(struct sp_str *rest, struct sp_header_field *fields)
{
	size_t count = 0;

	while (count < FIELDS_MAX &&
	       sp_header_field_next(rest, true, &fields[count]) ==
	               SP_HEADER_FIELD_FOUND) {
		count++;
	}
	return count;
}

static int verify(struct import *im, struct sp_str mail,
                  const struct report_mail *parts, struct sp_arena *arena,
                  struct origin *origin)
{
	struct sp_dkim_lib *lib = sp_dkim_lib_new();
	struct sp_dkim_verifier *verifier = NULL;
	struct sp_header_field *fields =
		sp_arena_array(arena, FIELDS_MAX, sizeof(*fields));
	struct sp_str body = mail;
	struct sp_str from = {NULL, 0};
	size_t count = read_fields(&body, fields);
	char why[200] = "no signature";
	int status = 0;

	(void)snprintf(origin->dkim, sizeof(origin->dkim), "none");
	(void)sp_from_domain(mail, true, arena, &from);
	if (lib && sp_dkim_verifier_new(lib, fields, count, &verifier, why,
	                                sizeof(why)) == 0) {
		status = ask_keys(im, verifier);
		sp_dkim_verifier_feed(verifier, body);
		if (!status && sp_dkim_verifier_finish(verifier) == 0) {
			judge(verifier, from, parts->submitter, origin);
		}
	}
	sp_dkim_verifier_free(&verifier);
	sp_dkim_lib_free(&lib);
	return status;
}

/* ---- to the server ---- */

static struct sp_str lines_of(const struct sp_str *list, size_t count,
                              struct sp_arena *arena)
{
	struct sp_buf out;
	struct sp_str text;

	sp_buf_init(&out, LIST_MAX);
	for (size_t i = 0; i < count; i++) {
		if (list[i].len + 1 <= sp_buf_room(&out)) {
			(void)sp_buf_append_cstr(&out,
			                         sp_buf_len(&out) ? "\n" : "");
			(void)sp_buf_append_str(&out, list[i]);
		}
	}
	text = sp_arena_str(arena, sp_buf_str(&out));
	sp_buf_fini(&out);
	return text;
}

/* The failures as `lint` shows them, the first of them. */
static struct sp_str failures_of(const struct sp_json *view, size_t index,
                                 struct sp_arena *arena)
{
	const struct sp_json *all = sp_json_get(
		sp_json_at(sp_json_get(view, "policies"), index), "failures");
	struct sp_json *some = sp_json_array();
	struct sp_str text = SP_STR("[]");
	struct sp_buf out;

	sp_buf_init(&out, JSON_MAX);
	for (size_t i = 0; i < sp_json_len(all) && i < FAILURES_MAX; i++) {
		sp_json_add(some,
		            sp_json_copy_cut(sp_json_at(all, i), TEXT_MAX));
		sp_buf_reset(&out);
		if (sp_json_write(some, &out)) {
			break;
		}
		text = sp_arena_str(arena, sp_buf_str(&out));
	}
	sp_json_free(&some);
	sp_buf_fini(&out);
	return text;
}

static void set_cut(struct sp_json *ask, const char *key, struct sp_str text)
{
	struct sp_json *one = sp_json_array();
	struct sp_json *cut;

	sp_json_add_str(one, text);
	cut = sp_json_copy_cut(one, TEXT_MAX);
	sp_json_set(ask, key, sp_json_copy(sp_json_at(cut, 0)));
	sp_json_free(&one);
	sp_json_free(&cut);
}

struct taken { /* policies of a report */
	size_t fresh, refused, foreign;
};

/* 0 or an exit status. */
static int send_policy(struct import *im, const struct origin *origin,
                       const struct sp_tlsrpt_report *report, size_t index,
                       const struct sp_json *view, struct sp_arena *arena,
                       struct taken *taken)
{
	const struct sp_tlsrpt_policy *p = &report->policies[index];
	struct sp_json *ask = sp_control_verb("report-import");
	struct sp_json *done = NULL;
	int status;

	set_cut(ask, "organization", report->organization);
	set_cut(ask, "report_id", report->report_id);
	set_cut(ask, "contact", report->contact);
	sp_json_set_int(ask, "start_ms", report->start_ms);
	sp_json_set_int(ask, "end_ms", report->end_ms);
	sp_json_set_cstr(ask, "dkim", origin->dkim);
	sp_json_set_bool(ask, "trusted", origin->trusted);
	set_cut(ask, "type", p->type);
	set_cut(ask, "domain", p->domain);
	sp_json_set_str(ask, "policy",
	                lines_of(p->strings, p->string_count, arena));
	sp_json_set_int(ask, "successful", (int64_t)p->successful);
	sp_json_set_int(ask, "failed", (int64_t)p->failed);
	sp_json_set_str(ask, "failures", failures_of(view, index, arena));
	sp_json_set_str(
		ask, "oddities",
		lines_of(report->oddities, report->oddity_count, arena));
	status = sp_control_ask(im->ctx, ask, NULL, NULL, &done);
	if (!status && sp_json_get_bool(done, "refused")) {
		taken->refused++;
	} else if (!status && sp_json_get_bool(done, "foreign")) {
		taken->foreign++;
	} else if (!status && !sp_json_get_bool(done, "known")) {
		taken->fresh++;
	}
	sp_json_free(&done);
	return status;
}

static void note_row(struct import *im, const struct origin *origin,
                     const struct sp_tlsrpt_report *report,
                     const struct taken *taken)
{
	struct sp_json *row = sp_json_object();

	sp_json_set_cstr(row, "file", origin->path);
	sp_json_set_text(row, "organization_name", report->organization);
	sp_json_set_text(row, "report_id", report->report_id);
	sp_json_set_cstr(row, "dkim", origin->dkim);
	sp_json_set_bool(row, "trusted", origin->trusted);
	sp_json_set_int(row, "policies", (int64_t)report->policy_count);
	sp_json_set_int(row, "new", (int64_t)taken->fresh);
	sp_json_set_int(row, "foreign", (int64_t)taken->foreign);
	sp_json_set_int(row, "oddities", (int64_t)report->oddity_count);
	sp_json_set_null(row, "error");
	sp_json_add(im->rows, row);
}

static void note_refused(struct import *im, const char *path, const char *why)
{
	struct sp_json *row = sp_json_object();

	sp_json_set_cstr(row, "file", path);
	sp_json_set_cstr(row, "error", why);
	sp_json_add(im->rows, row);
	im->refused++;
}

/* A report needs a name to be known again by. */
static void name_report(struct sp_tlsrpt_report *report, struct sp_str bytes,
                        struct sp_arena *arena)
{
	if (!report->report_id.len) {
		report->report_id = sp_str_from(sp_arena_printf(
			arena, "unnamed-%016llx",
			(unsigned long long)sp_hash_stable(bytes)));
	}
}

static int take_report(struct import *im, const struct origin *origin,
                       struct sp_str bytes)
{
	char why[SP_TLSRPT_READ_WHY_MAX] = "";
	struct sp_tlsrpt_report report;
	struct sp_json *view;
	struct sp_arena arena;
	struct taken taken = {0, 0, 0};
	int status = 0;

	sp_arena_init(&arena);
	if (sp_tlsrpt_read_packed(bytes, &arena, &report, why)) {
		note_refused(im, origin->path, why);
		sp_arena_fini(&arena);
		return 0;
	}
	name_report(&report, bytes, &arena);
	view = sp_tlsrpt_view(&report);
	for (size_t i = 0; !status && i < report.policy_count; i++) {
		status = send_policy(im, origin, &report, i, view, &arena,
		                     &taken);
	}
	if (!status && taken.refused) {
		note_refused(im, origin->path, "over a limit of the server");
	} else if (!status && taken.foreign == report.policy_count &&
	           taken.foreign) {
		note_refused(im, origin->path,
		             "about domains that are not ours "
		             "(report { domains })");
	} else if (!status) {
		note_row(im, origin, &report, &taken);
	}
	sp_json_free(&view);
	sp_arena_fini(&arena);
	return status;
}

/* ---- files ---- */

static int take_mail(struct import *im, const char *path, struct sp_str bytes)
{
	struct origin origin = {.path = path};
	struct report_mail parts;
	struct sp_arena arena;
	struct sp_buf mail;
	int status = 0;
	int err;

	sp_arena_init(&arena);
	sp_buf_init(&mail, 2 * REPORT_MAIL_MAX);
	to_crlf(bytes, &mail);
	err = report_mail_open(sp_buf_str(&mail), &arena, &parts);
	if (err) {
		note_refused(im, path,
		             err == SP_ELIMIT ? "too large"
		                              : "no TLS report in this mail");
	} else {
		status = verify(im, sp_buf_str(&mail), &parts, &arena, &origin);
	}
	for (size_t i = 0; !status && i < parts.count; i++) {
		status = take_report(im, &origin, parts.parts[i]);
	}
	sp_buf_fini(&mail);
	sp_arena_fini(&arena);
	return status;
}

static int take_file(struct import *im, const char *path)
{
	const struct origin by_hand = {path, "file", true};
	struct sp_buf bytes;
	int status = sp_cmd_read_file(path, REPORT_MAIL_MAX, &bytes);

	if (!status) {
		status = report_mail_is_bare(sp_buf_str(&bytes))
		                 ? take_report(im, &by_hand, sp_buf_str(&bytes))
		                 : take_mail(im, path, sp_buf_str(&bytes));
	}
	sp_buf_fini(&bytes);
	return status;
}

/* A file that can't be read is one of many: the others are imported. */
static int take_folder(struct import *im, const char *maildir, const char *name)
{
	char *folder = sp_alloc(strlen(maildir) + strlen(name) + 2);
	struct dirent *entry;
	struct sp_arena arena;
	int status = 0;
	DIR *dir;

	(void)snprintf(folder, strlen(maildir) + strlen(name) + 2, "%s/%s",
	               maildir, name);
	dir = opendir(folder);
	sp_arena_init(&arena);
	while (dir && (entry = readdir(dir))) {
		const char *path =
			sp_arena_printf(&arena, "%s/%s", folder, entry->d_name);

		if (entry->d_name[0] == '.') {
			continue;
		}
		status = take_file(im, path);
		if (status == SP_EXIT_DATA || status == SP_EXIT_NOINPUT) {
			im->refused++;
			status = 0;
		}
		if (status) {
			break;
		}
	}
	if (dir) {
		closedir(dir);
	}
	sp_arena_fini(&arena);
	sp_free(folder);
	return status;
}

static int take_path(struct import *im, const char *path)
{
	struct stat st;
	int status;

	if (strcmp(path, "-") == 0 || stat(path, &st) != 0 ||
	    !S_ISDIR(st.st_mode)) {
		return take_file(im, path);
	}
	status = take_folder(im, path, "new");
	return status ? status : take_folder(im, path, "cur");
}

/* ---- what to say ---- */

static void put_rows(const struct sp_json *rows)
{
	for (size_t i = 0; i < sp_json_len(rows); i++) {
		const struct sp_json *row = sp_json_at(rows, i);
		struct sp_str error = sp_json_get_str(row, "error");

		sp_text_put(stdout, sp_json_get_str(row, "file"));
		if (error.len) {
			fputs(": refused: ", stdout);
			sp_text_put(stdout, error);
			putchar('\n');
			continue;
		}
		fputs(": ", stdout);
		sp_text_put(stdout, sp_json_get_str(row, "organization_name"));
		putchar(' ');
		sp_text_put(stdout, sp_json_get_str(row, "report_id"));
		printf(": %lld policies, %lld new, %lld oddities, DKIM ",
		       (long long)sp_json_get_int(row, "policies", 0),
		       (long long)sp_json_get_int(row, "new", 0),
		       (long long)sp_json_get_int(row, "oddities", 0));
		sp_text_put(stdout, sp_json_get_str(row, "dkim"));
		puts(sp_json_get_bool(row, "trusted") ? "" : " (not counted)");
	}
}

int sp_report_import(struct sp_cmd_ctx *ctx, const char *path)
{
	struct import im = {.ctx = ctx, .rows = sp_json_array()};
	int status = take_path(&im, path);

	if (!status && ctx->json) {
		sp_json_put(stdout, im.rows);
	} else {
		put_rows(im.rows);
	}
	if (!status && (im.refused || !sp_json_len(im.rows))) {
		status = SP_EXIT_NO;
	}
	if (im.dns_up) {
		sp_cmd_dns_fini(&im.dns);
	}
	sp_json_free(&im.rows);
	return status;
}
