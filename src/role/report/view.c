/* SPDX-License-Identifier: Apache-2.0 */
/* Reports as the command shows them. */
#include <stdio.h>

#include "base/err.h"
#include "base/time.h"
#include "role/report/report.h"

#define ROWS_MAX 2000 /* an answer has to fit a frame */
#define DAY_LEN  10

struct listing {
	struct sp_json *rows;    /* of a day, by domain */
	struct sp_map by_domain; /* domain -> struct sp_json, borrowed */
};

static void set_day(struct sp_json *obj, int64_t day)
{
	char text[SP_TIME_TEXT];

	sp_time_rfc3339(day * SP_STORE_DAY_MS, text);
	text[DAY_LEN] = '\0';
	sp_json_set_cstr(obj, "day", text);
}

static void set_time(struct sp_json *obj, const char *key, int64_t wall_ms)
{
	if (wall_ms) {
		sp_json_set_time(obj, key, wall_ms);
	} else {
		sp_json_set_null(obj, key);
	}
}

static int on_out(void *arg, const struct sp_store_tls_out *o)
{
	struct listing *l = arg;
	struct sp_json *row = sp_map_find(&l->by_domain, o->domain);
	struct sp_json *obj;

	if (!row) {
		return 0;
	}
	obj = sp_json_object();
	sp_json_set_text(obj, "uri", o->uri);
	sp_json_set_cstr(obj, "state", sp_store_tls_out_name(o->state));
	sp_json_set_int(obj, "tries", o->tries);
	set_time(obj, "next", o->next_ms);
	sp_json_set_text(obj, "queue_id", o->queue_id);
	sp_json_set_text(obj, "why", o->why);
	set_time(obj, "time", o->time_ms);
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
