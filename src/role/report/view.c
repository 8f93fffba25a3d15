/* SPDX-License-Identifier: Apache-2.0 */
/* Reports as the command shows them. */
#include <stdio.h>

#include "base/err.h"
#include "base/time.h"
#include "role/report/report.h"

/* An answer has to fit a frame. */
#define BYTES_MAX      (1024 * 1024)
#define LISTED_MAX     (800 * 1024) /* of addresses, beside the rows */
#define NAME_MAX_BYTES 150          /* of a key */
#define NAMES_MAX      100          /* of a day and domain, of all kinds */
#define ESCAPED_MAX    6            /* bytes that JSON makes of one */
#define ROWS_MAX       2000
#define DAY_LEN        10

struct listing {
	struct sp_json *rows;    /* of a day, by domain */
	struct sp_map by_domain; /* domain -> struct sp_json, borrowed */
	size_t bytes;            /* of addresses, which others choose */
};

static void set_day(struct sp_json *obj, int64_t day)
{
	char text[SP_TIME_TEXT];

	sp_time_rfc3339(day * SP_STORE_DAY_MS, text);
	text[DAY_LEN] = '\0';
	sp_json_set_cstr(obj, "day", text);
}

static int on_out(void *arg, const struct sp_store_tls_out *o)
{
	struct listing *l = arg;
	struct sp_json *row = sp_map_find(&l->by_domain, o->domain);
	struct sp_json *obj;

	if (!row || l->bytes > LISTED_MAX) {
		return 0;
	}
	l->bytes += 200 + o->uri.len + ESCAPED_MAX * o->why.len;
	obj = sp_json_object();
	sp_json_set_text(obj, "uri", o->uri);
	sp_json_set_cstr(obj, "state", sp_store_tls_out_name(o->state));
	sp_json_set_int(obj, "tries", o->tries);
	sp_json_set_when(obj, "next", o->next_ms);
	sp_json_set_text(obj, "queue_id", o->queue_id);
	sp_json_set_text(obj, "why", o->why);
	sp_json_set_when(obj, "time", o->time_ms);
	sp_json_add(row, obj);
	return 0;
}

/* One line a domain; the list of its addresses is filled in afterwards. */
static void add_rows(struct listing *l, int64_t day,
                     const struct build_domain *domains, size_t count,
                     struct sp_str only)
{
	for (size_t i = 0; i < count; i++) {
		struct sp_json *row, *targets;

		if ((only.len && !sp_str_eq(only, domains[i].name)) ||
		    sp_json_len(l->rows) == ROWS_MAX) {
			continue;
		}
		row = sp_json_object();
		targets = sp_json_array();
		set_day(row, day);
		sp_json_set_str(row, "domain", domains[i].name);
		sp_json_set_int(row, "successful",
		                (int64_t)domains[i].successful);
		sp_json_set_int(row, "failed", (int64_t)domains[i].failed);
		sp_json_set(row, "sent_to", targets);
		(void)sp_map_set(&l->by_domain, domains[i].name, targets);
		sp_json_add(l->rows, row);
	}
}

struct sp_json *view_list(struct report *role, int64_t first_day,
                          int64_t last_day, struct sp_str domain)
{
	struct sp_store *store = report_store(role);
	struct listing l = {.rows = sp_json_array()};

	for (int64_t day = last_day; store && day >= first_day; day--) {
		struct build_domain *domains;
		struct sp_arena arena;
		size_t count;

		sp_map_init(&l.by_domain);
		sp_arena_init(&arena);
		if (build_domains(store, day, &arena, &domains, &count) == 0) {
			add_rows(&l, day, domains, count, domain);
			(void)sp_store_tls_outs(store, day, day, on_out, &l);
		}
		sp_arena_fini(&arena);
		sp_map_fini(&l.by_domain);
	}
	return l.rows;
}

struct sp_json *view_report(struct report *role, int64_t day,
                            struct sp_str domain)
{
	struct sp_store *store = report_store(role);
	struct sp_tlsrpt_report report;
	struct sp_json *json = NULL;
	struct sp_arena arena;

	sp_arena_init(&arena);
	if (store && build_report(store, role->ctx->conf, day, domain, &arena,
	                          &report) == 0) {
		json = sp_tlsrpt_json(&report);
	}
	sp_arena_fini(&arena);
	return json ? json : sp_json_copy(NULL);
}

/* ---- what others reported ---- */

struct sums;

/* Sums of so many days, and of as many before them. */
#define TREND_DAYS 7

struct received {
	struct sums *first, **end; /* in the order of the store */
	struct sp_json *rows;
	struct sp_map by_key; /* day and domain -> struct sums, in arena */
	struct sp_arena arena;
	size_t bytes;
	int64_t first_day; /* to show: those before it are for the trend */
	bool detail;
};

struct sums {
	struct sums *next;
	int64_t day;
	struct sp_str domain;
	uint64_t successful, failed, unverified, reports;
	size_t names;
	struct sp_json *types;     /* result type -> sessions; owned */
	struct sp_json *hosts;     /* MX host -> sessions */
	struct sp_json *reporters; /* organization -> sessions that failed */
};

/* At the end of a character. */
static struct sp_str cut(struct sp_str text, size_t max)
{
	size_t len = text.len < max ? text.len : max;

	while (len && len < text.len && (text.ptr[len] & 0xc0) == 0x80) {
		len--;
	}
	return sp_str_sub(text, 0, len);
}

static void add_to(struct sums *sums, struct sp_json *counts, struct sp_str key,
                   int64_t count)
{
	char name[NAME_MAX_BYTES + 1];

	(void)snprintf(name, sizeof(name), SP_STR_FMT,
	               SP_STR_ARG(cut(key, NAME_MAX_BYTES)));
	if (!sp_json_get(counts, name)) {
		if (sums->names == NAMES_MAX) {
			(void)snprintf(name, sizeof(name), "others");
		} else {
			sums->names++;
		}
	}
	sp_json_set_int(counts, name, sp_json_get_int(counts, name, 0) + count);
}

static struct sp_json *parse_failures(struct sp_str text)
{
	static const struct sp_json_limits limits = {SP_STORE_TLS_DETAILS_MAX,
	                                             8, 100000};
	struct sp_json *failures = NULL;

	if (sp_json_parse(text, &limits, &failures, NULL, 0)) {
		return sp_json_array();
	}
	return failures;
}

static const char *key_of(struct received *r, int64_t day, struct sp_str domain)
{
	return sp_arena_printf(&r->arena, "%lld " SP_STR_FMT, (long long)day,
	                       SP_STR_ARG(domain));
}

static struct sums *sums_of(struct received *r,
                            const struct sp_store_tls_in *in)
{
	int64_t day = in->start_ms / SP_STORE_DAY_MS;
	const char *key = key_of(r, day, in->domain);
	struct sums *sums = sp_map_find(&r->by_key, sp_str_from(key));

	if (!sums && r->by_key.count < ROWS_MAX) {
		sums = sp_arena_alloc(&r->arena, sizeof(*sums));
		sums->day = day;
		sums->domain = sp_arena_str(&r->arena, in->domain);
		sums->types = sp_json_object();
		sums->hosts = sp_json_object();
		sums->reporters = sp_json_object();
		(void)sp_map_set(&r->by_key, sp_str_from(key), sums);
		*r->end = sums;
		r->end = &sums->next;
	}
	return sums;
}

static void add_sums(struct received *r, const struct sp_store_tls_in *in)
{
	struct sums *sums = sums_of(r, in);
	struct sp_json *failures;

	if (!sums) {
		return;
	}
	if (!in->trusted) {
		sums->unverified++;
		return;
	}
	sums->reports++;
	sums->successful += in->successful;
	sums->failed += in->failed;
	add_to(sums, sums->reporters, in->organization, (int64_t)in->failed);
	failures = parse_failures(in->failures);
	for (size_t i = 0; i < sp_json_len(failures); i++) {
		const struct sp_json *f = sp_json_at(failures, i);
		int64_t count = sp_json_get_int(f, "count", 0);

		add_to(sums, sums->types, sp_json_get_str(f, "result_type"),
		       count);
		add_to(sums, sums->hosts,
		       sp_json_get_str(f, "receiving_mx_hostname"), count);
	}
	sp_json_free(&failures);
}

static void add_detail(struct received *r, const struct sp_store_tls_in *in)
{
	struct sp_json *row;

	r->bytes += 1000 + in->failures.len +
	            ESCAPED_MAX *
	                    (in->domain.len + in->organization.len +
	                     in->report_id.len + in->contact.len +
	                     in->type.len + in->policy.len + in->oddities.len);
	if (r->bytes > BYTES_MAX) {
		return;
	}
	row = sp_json_object();
	set_day(row, in->start_ms / SP_STORE_DAY_MS);
	sp_json_set_text(row, "domain", in->domain);
	sp_json_set_text(row, "organization_name", in->organization);
	sp_json_set_text(row, "report_id", in->report_id);
	sp_json_set_text(row, "contact", in->contact);
	sp_json_set_when(row, "start", in->start_ms);
	sp_json_set_when(row, "end", in->end_ms);
	sp_json_set_when(row, "received", in->received_ms);
	sp_json_set_text(row, "dkim", in->dkim);
	sp_json_set_bool(row, "trusted", in->trusted);
	sp_json_set_text(row, "type", in->type);
	sp_json_set_text(row, "policy", in->policy);
	sp_json_set_int(row, "successful", (int64_t)in->successful);
	sp_json_set_int(row, "failed", (int64_t)in->failed);
	sp_json_set(row, "failures", parse_failures(in->failures));
	sp_json_set_text(row, "oddities", in->oddities);
	sp_json_add(r->rows, row);
}

static int on_in(void *arg, const struct sp_store_tls_in *in)
{
	struct received *r = arg;

	if (r->detail) {
		add_detail(r, in);
	} else {
		add_sums(r, in);
	}
	return 0;
}

static struct sp_json *trend_of(struct received *r, const struct sums *sums)
{
	struct sp_json *trend = sp_json_object();
	uint64_t successful[2] = {0};
	uint64_t failed[2] = {0};

	for (int64_t back = 0; back < 2 * (int64_t)TREND_DAYS; back++) {
		const char *key = key_of(r, sums->day - back, sums->domain);
		const struct sums *other =
			sp_map_find(&r->by_key, sp_str_from(key));

		if (other) {
			successful[back / TREND_DAYS] += other->successful;
			failed[back / TREND_DAYS] += other->failed;
		}
	}
	sp_json_set_int(trend, "days", TREND_DAYS);
	sp_json_set_int(trend, "successful", (int64_t)successful[0]);
	sp_json_set_int(trend, "failed", (int64_t)failed[0]);
	sp_json_set_int(trend, "successful_before", (int64_t)successful[1]);
	sp_json_set_int(trend, "failed_before", (int64_t)failed[1]);
	return trend;
}

static void free_sums(struct sums *sums)
{
	sp_json_free(&sums->types);
	sp_json_free(&sums->hosts);
	sp_json_free(&sums->reporters);
}

static void write_sums(struct received *r)
{
	for (struct sums *sums = r->first; sums; sums = sums->next) {
		struct sp_json *row;

		if (sums->day < r->first_day) {
			free_sums(sums);
			continue;
		}
		row = sp_json_object();

		set_day(row, sums->day);
		sp_json_set_text(row, "domain", sums->domain);
		sp_json_set_int(row, "successful", (int64_t)sums->successful);
		sp_json_set_int(row, "failed", (int64_t)sums->failed);
		sp_json_set_int(row, "reports", (int64_t)sums->reports);
		sp_json_set_int(row, "unverified", (int64_t)sums->unverified);
		sp_json_set(row, "result_types", sums->types);
		sp_json_set(row, "mx_hosts", sums->hosts);
		sp_json_set(row, "reporters", sums->reporters);
		sp_json_set(row, "trend", trend_of(r, sums));
		sp_json_add(r->rows, row);
	}
}

struct sp_json *view_received(struct report *role, int64_t first_day,
                              int64_t last_day, struct sp_str domain,
                              bool detail)
{
	struct sp_store *store = report_store(role);
	struct received r = {.rows = sp_json_array(),
	                     .first_day = first_day,
	                     .detail = detail};
	int64_t from_day = detail || first_day < 2 * TREND_DAYS
	                           ? first_day
	                           : first_day - 2 * TREND_DAYS + 1;

	r.end = &r.first;
	sp_map_init(&r.by_key);
	sp_arena_init(&r.arena);
	if (store) {
		(void)sp_store_tls_ins(store, from_day * SP_STORE_DAY_MS,
		                       (last_day + 1) * SP_STORE_DAY_MS, domain,
		                       on_in, &r);
	}
	write_sums(&r);
	sp_map_fini(&r.by_key);
	sp_arena_fini(&r.arena);
	return r.rows;
}
