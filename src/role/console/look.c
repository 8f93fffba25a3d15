/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking into the store through the read-only connection: rows of trace and
 * queue in the shape of interface.md section 2, one per recipient.
 */
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "role/console/console.h"
#include "role/filter.h"

#define ROWS_DEFAULT 1000
#define ROWS_MAX     1000000
#define FAILING_MAX  100

static struct sp_json *row_json(const struct sp_store_row *row)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_str(obj, "id", row->id);
	sp_json_set_text(obj, "message_id", row->message_id);
	sp_json_set_str(obj, "sender", row->sender);
	sp_json_set_str(obj, "recipient", row->recipient);
	sp_json_set_str(obj, "domain", row->domain);
	sp_json_set_int(obj, "size", (int64_t)row->size_bytes);
	sp_json_set_when(obj, "received", row->received_ms);
	sp_json_set_cstr(obj, "status",
	                 sp_store_status_name(sp_store_status_of(row->state)));
	sp_json_set_cstr(obj, "state", sp_store_state_name(row->state));
	sp_json_set_text(obj, "code", row->code);
	sp_json_set_text(obj, "scenario", row->cause);
	sp_json_set_text(obj, "reply", row->reply);
	sp_json_set_text(obj, "security", row->security);
	sp_json_set_int(obj, "attempts", row->attempts);
	sp_json_set_when(obj, "next_attempt", row->next_attempt_ms);
	sp_json_set_when(obj, "expires", row->expires_ms);
	sp_json_set_when(obj, "done", row->done_ms);
	sp_json_set_bool(obj, "report_due", row->report_due);
	sp_json_set_cstr(obj, "waits_for",
	                 row->to_sign && !row->done_ms ? "dkim-signature"
	                                               : NULL);
	sp_json_set_text(obj, "client", row->client);
	return obj;
}

static int on_event(void *arg, const struct sp_store_event *event)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *detail = NULL;
	static const struct sp_json_limits LIMITS = {SP_STORE_DETAIL_MAX, 32,
	                                             100000};

	sp_json_set_time(obj, "time", event->time_ms);
	sp_json_set_cstr(obj, "event", sp_store_event_name(event->type));
	sp_json_set_int(obj, "attempt", event->attempt);
	sp_json_set_text(obj, "code", event->code);
	sp_json_set_text(obj, "scenario", event->cause);
	sp_json_set_text(obj, "reply", event->reply);
	sp_json_set_text(obj, "security", event->security);
	sp_json_set_text(obj, "host", event->host);
	sp_json_set_text(obj, "address", event->address);
	if (event->detail.len) {
		(void)sp_json_parse(event->detail, &LIMITS, &detail, NULL, 0);
	}
	sp_json_set(obj, "detail", detail ? detail : sp_json_object());
	sp_json_add(arg, obj);
	return 0;
}

struct walk {
	struct client *client;
	struct sp_store *store;
	bool detail;
	size_t rows;
};

static int on_row(void *arg, const struct sp_store_row *row)
{
	struct walk *walk = arg;
	struct sp_json *obj = row_json(row);

	if (walk->detail) {
		struct sp_json *events = sp_json_array();
		int r = sp_store_events(walk->store, row->rcpt_id, on_event,
		                        events);

		sp_json_set(obj, "events", events);
		if (r) {
			sp_json_free(&obj);
			return r;
		}
	}
	walk->rows++;
	client_row(walk->client, obj);
	return sp_buf_error(&walk->client->reply);
}

static void say_result(struct walk *walk, int r, bool full)
{
	struct sp_json *done;
	char why[600];

	if (r == SP_ELIMIT) {
		client_error(walk->client,
		             walk->client->squeezed
		                     ? "other answers are being read just now: "
		                       "try again, or narrow the filter"
		                     : "the answer is too large: narrow the "
		                       "filter or set a limit");
	} else if (r) {
		snprintf(why, sizeof(why), "store: %s",
		         sp_store_why(walk->store));
		client_error(walk->client, why);
	} else {
		done = sp_json_object();
		sp_json_set_int(done, "rows", (int64_t)walk->rows);
		sp_json_set_bool(done, "more", full);
		client_done(walk->client, done);
	}
}

static int on_exception(void *arg, const struct sp_store_exception *e)
{
	struct walk *walk = arg;
	struct sp_json *obj = sp_json_object();

	sp_json_set_str(obj, "domain", e->domain);
	sp_json_set_time(obj, "until", e->until_ms);
	sp_json_set_str(obj, "reason", e->reason);
	sp_json_set_time(obj, "added", e->added_ms);
	walk->rows++;
	client_row(walk->client, obj);
	return sp_buf_error(&walk->client->reply);
}

static int on_failing(void *arg, const struct sp_store_failing *f)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_str(obj, "domain", f->domain);
	sp_json_set_text(obj, "code", f->code);
	sp_json_set_text(obj, "scenario", f->cause);
	sp_json_set_text(obj, "reply", f->reply);
	sp_json_set_when(obj, "since",
	                 f->since_ms ? f->since_ms : f->failed_ms);
	sp_json_set_when(obj, "failed", f->failed_ms);
	sp_json_set_when(obj, "next_attempt", f->pause_ms);
	sp_json_set_int(obj, "waiting", (int64_t)f->waiting);
	sp_json_add(arg, obj);
	return 0;
}

struct sp_json *look_failing(struct console *role)
{
	struct sp_json *list = sp_json_array();
	int ret = role->store ? 0 : SP_ENOTFOUND;

	for (unsigned i = 0; ret == 0 && i < role->ctx->worker_count; i++) {
		ret = sp_store_failing(role->store, i,
		                       FAILING_MAX - sp_json_len(list),
		                       on_failing, list);
	}
	if (ret) {
		sp_json_free(&list);
	}
	return list;
}

void look_exceptions(struct client *client)
{
	struct walk walk = {.client = client, .store = console_store(client)};

	if (walk.store) {
		int r = sp_store_exceptions(walk.store, sp_time_wall_ms(),
		                            on_exception, &walk);

		say_result(&walk, r, false);
	}
}

static struct sp_json *sts_json(const struct sp_store_sts *row)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_str(obj, "domain", row->domain);
	sp_json_set_str(obj, "id", row->id);
	sp_json_set_str(obj, "body", row->body);
	sp_json_set_time(obj, "fetched", row->fetched_ms);
	sp_json_set_time(obj, "expires", row->expires_ms);
	sp_json_set_time(obj, "used", row->used_ms);
	return obj;
}

void look_sts(struct client *client, const struct sp_json *ask)
{
	struct sp_store *store = console_store(client);
	struct sp_arena arena = {0};
	struct sp_store_sts row;
	struct sp_json *done;
	char why[600];
	int r;

	if (!store) {
		return;
	}
	r = sp_store_sts_find(store, sp_json_get_str(ask, "domain"), &arena,
	                      &row);
	if (r && r != SP_ENOTFOUND) {
		snprintf(why, sizeof(why), "store: %s", sp_store_why(store));
		client_error(client, why);
	} else {
		done = sp_json_object();
		sp_json_set(done, "sts", r ? NULL : sts_json(&row));
		client_done(client, done);
	}
	sp_arena_fini(&arena);
}

void look_rows(struct client *client, const struct sp_json *ask)
{
	struct sp_store_filter filter;
	struct walk walk = {
		.client = client,
		.detail = sp_json_get_bool(ask, "detail"),
	};
	char why[256];
	int r;

	if (sp_filter_read(sp_json_get(ask, "filter"), &filter, why,
	                   sizeof(why))) {
		client_error(client, why);
		return;
	}
	if (filter.limit == 0) {
		filter.limit = ROWS_DEFAULT;
	} else if (filter.limit > ROWS_MAX) {
		filter.limit = ROWS_MAX;
	}
	walk.store = console_store(client);
	if (!walk.store) {
		return;
	}
	r = sp_store_search(walk.store, &filter, on_row, &walk);
	say_result(&walk, r, walk.rows >= filter.limit);
}
