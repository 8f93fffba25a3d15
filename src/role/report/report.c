/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report role: sends the TLS reports of yesterday (RFC 8460 4.1), each at
 * a moment of its own within report.spread behind midnight UTC, and those of
 * any day when the command says so. It reads counts from the store, notes
 * through the queue, and looks at the clock once a minute.
 *
 * What it has in memory can be lost at any time: when the queue goes, the
 * jobs go with it, and are made anew from the store.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "role/report/report.h"

#define TICK_MS    60000
#define SOON_MS    1000
#define WAIT_MS    20000 /* for the jobs of a day that is closed by hand */
#define DAYS_SHOWN 8

/* Somebody who wants to know when the reports of a day are on their way. */
struct waiter {
	struct sp_list node;
	struct report *role;
	struct sp_role_link *link;
	uint64_t id;
	int64_t day;
	struct sp_timer *patience;
};

/* ---- the store ---- */

struct sp_store *report_store(struct report *role)
{
	char why[SP_STORE_WHY_MAX];

	if (!role->store &&
	    sp_store_open(sp_str_from(role->ctx->conf->store), SP_STORE_READER,
	                  false, &role->store, why, sizeof(why))) {
		sp_log(&role->ctx->log, SP_LOG_WARN, "report.store_closed",
		       SP_F_CSTR("why", why));
	}
	return role->store;
}

/* ---- who waits for a day ---- */

static void waiter_free(struct waiter *w)
{
	sp_list_remove(&w->node);
	sp_timer_free(&w->patience);
	sp_free(w);
}

static void answer_waiter(struct waiter *w, size_t pending)
{
	struct sp_json *reply = sp_json_object();
	struct report *role = w->role;

	sp_json_set_bool(reply, "ok", true);
	sp_json_set_int(reply, "pending", (int64_t)pending);
	sp_json_set(reply, "reports",
	            view_list(role, w->day, w->day, SP_STR("")));
	if (w->link) {
		sp_role_answer(w->link, w->id, reply);
	} else {
		sp_json_free(&reply);
	}
	waiter_free(w);
}

static struct day_count *count_of(struct report *role, int64_t day)
{
	struct day_count *count;

	SP_LIST_FOREACH (it, &role->days) {
		count = SP_CONTAINER(it, struct day_count, node);
		if (count->day == day) {
			return count;
		}
	}
	count = SP_NEW(struct day_count);
	count->day = day;
	sp_list_append(&role->days, &count->node);
	return count;
}

/* Jobs of the day that were not yet tried. */
static size_t pending_of(struct report *role, int64_t day)
{
	const struct day_count *count = count_of(role, day);

	return count->recipients + count->others;
}

static void on_patience(void *arg)
{
	struct waiter *w = arg;

	answer_waiter(w, pending_of(w->role, w->day));
}

/* ---- jobs ---- */

static struct sp_str name_of(int64_t day, struct sp_str domain,
                             struct sp_arena *arena)
{
	return sp_str_from(sp_arena_printf(arena, "%lld " SP_STR_FMT,
	                                   (long long)day, SP_STR_ARG(domain)));
}

struct job *report_find_job(struct report *role, int64_t day,
                            struct sp_str domain)
{
	struct sp_arena arena;
	struct job *job;

	sp_arena_init(&arena);
	job = sp_map_find(&role->by_name, name_of(day, domain, &arena));
	sp_arena_fini(&arena);
	return job;
}

static void count_untried(struct job *job, bool more)
{
	struct day_count *count = count_of(job->role, job->day);
	size_t *of = job->recipient ? &count->recipients : &count->others;

	*of += more ? 1 : (size_t)-1;
}

void report_set_tried(struct job *job, bool tried)
{
	if (job->tried != tried) {
		job->tried = tried;
		count_untried(job, !tried);
	}
}

/* From the end: those of a later day, or in order, are entered at once. */
void report_queue(struct job *job)
{
	struct report *role = job->role;
	struct sp_list *at = &role->jobs;
	const struct job *first;

	sp_list_remove(&job->node);
	if (job->running) {
		sp_list_append(&role->under_way, &job->node);
		return;
	}
	if (sp_list_first(&role->jobs)) {
		first = SP_CONTAINER(sp_list_first(&role->jobs), struct job,
		                     node);
		if (job->due_ms <= first->due_ms) {
			sp_list_prepend(&role->jobs, &job->node);
			return;
		}
	}
	while (at->prev != &role->jobs &&
	       SP_CONTAINER(at->prev, struct job, node)->due_ms > job->due_ms) {
		at = at->prev;
	}
	sp_list_insert_before(at, &job->node);
}

void report_enter(struct job *job)
{
	(void)sp_map_set(&job->role->by_name,
	                 name_of(job->day, job->domain, &job->arena), job);
	count_untried(job, true);
	report_queue(job);
}

void report_remove(struct job *job)
{
	(void)sp_map_remove(&job->role->by_name,
	                    name_of(job->day, job->domain, &job->arena));
	report_set_tried(job, true);
	sp_list_remove(&job->node);
}

static bool waits_for_recipients(struct report *role, const struct job *job)
{
	return !job->recipient && count_of(role, job->day)->recipients > 0;
}

/* Starts what is due; says when to look again. */
static int64_t start_due(struct report *role)
{
	int64_t now_ms = sp_time_wall_ms();
	int64_t delay_ms = TICK_MS;

	SP_LIST_FOREACH (it, &role->jobs) {
		struct job *job = SP_CONTAINER(it, struct job, node);

		if (role->running >= JOBS_RUNNING_MAX) {
			break;
		}
		if (job->due_ms > now_ms) {
			return job->due_ms - now_ms < delay_ms
			               ? job->due_ms - now_ms
			               : delay_ms;
		}
		if (!waits_for_recipients(role, job)) {
			job_start(job);
			return 0; /* the list may be another one now */
		}
	}
	return delay_ms;
}

/* When within the spread: the same after every restart. */
static int64_t due_of(const struct report *role, int64_t day,
                      struct sp_str domain)
{
	const struct sp_conf *conf = role->ctx->conf;
	uint64_t hash = sp_hash_stable(domain) ^
	                sp_hash_stable(sp_str_from(conf->hostname));
	int64_t spread_ms = conf->report.spread_ms;

	return (day + 1) * SP_STORE_DAY_MS +
	       (spread_ms > 0 ? (int64_t)(hash % (uint64_t)spread_ms) : 0);
}

static int by_due(const void *a, const void *b)
{
	int64_t x = ((const struct build_domain *)a)->due_ms;
	int64_t y = ((const struct build_domain *)b)->due_ms;

	return (x > y) - (x < y);
}

/* A job for each domain of the day that has none; now: due at once. */
static int load_day(struct report *role, int64_t day, struct sp_str only,
                    bool now)
{
	struct sp_store *store = report_store(role);
	struct build_domain *domains;
	struct sp_arena arena;
	size_t count = 0;
	int ret;

	if (!store) {
		return SP_EBUSY;
	}
	sp_arena_init(&arena);
	ret = build_domains(store, day, &arena, &domains, &count);
	for (size_t i = 0; ret == 0 && i < count; i++) {
		domains[i].due_ms = due_of(role, day, domains[i].name);
	}
	if (ret == 0 && count) { /* entered in order */
		qsort(domains, count, sizeof(*domains), by_due);
	}
	for (size_t i = 0; ret == 0 && i < count; i++) {
		struct sp_str name = domains[i].name;
		struct job *job;

		if (only.len && !sp_str_eq(only, name)) {
			continue;
		}
		job = report_find_job(role, day, name);
		if (!job) {
			job = job_new(role, day, name, domains[i].recipient,
			              domains[i].due_ms);
		}
		if (now && !job->running) {
			job->due_ms = 0;
			job->by_hand = true;
			report_set_tried(job, false);
			report_queue(job);
		}
	}
	sp_arena_fini(&arena);
	return ret;
}

static void on_tick(void *arg)
{
	struct report *role = arg;
	int64_t yesterday = sp_time_wall_ms() / SP_STORE_DAY_MS - 1;
	int64_t delay_ms;

	/* The day before is for what waits there since the server was down:
	 * it is given up, and said. */
	if (role->loaded_day != yesterday && role->queue &&
	    load_day(role, yesterday - 1, SP_STR(""), false) == 0 &&
	    load_day(role, yesterday, SP_STR(""), false) == 0) {
		role->loaded_day = yesterday;
	}
	delay_ms = role->queue ? start_due(role) : TICK_MS;
	SP_LIST_FOREACH_SAFE (it, next, &role->waiters) {
		struct waiter *w = SP_CONTAINER(it, struct waiter, node);

		if (pending_of(role, w->day) == 0) {
			answer_waiter(w, 0);
		}
	}
	sp_timer_set(role->tick, delay_ms);
}

void report_wake(struct report *role)
{
	sp_timer_set(role->tick, 0);
}

static void drop_list(struct sp_list *list)
{
	SP_LIST_FOREACH_SAFE (it, next, list) {
		struct job *job = SP_CONTAINER(it, struct job, node);

		job_free(&job);
	}
}

static void drop_jobs(struct report *role)
{
	drop_list(&role->jobs);
	drop_list(&role->under_way);
	SP_LIST_FOREACH_SAFE (it, next, &role->days) {
		sp_list_remove(it);
		sp_free(SP_CONTAINER(it, struct day_count, node));
	}
	role->loaded_day = -1;
}

/* ---- commands ---- */

static void answer_error(struct sp_role_link *link, uint64_t id,
                         const char *why)
{
	struct sp_json *reply = sp_json_object();

	sp_json_set_cstr(reply, "error", why);
	sp_role_answer(link, id, reply);
}

/* The day of a command, "2026-11-23"; fallback where there is none. False:
 * it is no day. */
static bool read_day(const struct sp_json *ask, const char *key,
                     int64_t fallback, int64_t *day_out)
{
	struct sp_str text = sp_json_get_str(ask, key);
	char time[32];
	int64_t wall_ms = 0;

	*day_out = fallback;
	if (text.len == 0) {
		return true;
	}
	(void)snprintf(time, sizeof(time), SP_STR_FMT "T00:00:00Z",
	               SP_STR_ARG(text));
	if (text.len != 10 || sp_time_parse(sp_str_from(time), &wall_ms) ||
	    wall_ms < 0) {
		return false;
	}
	*day_out = wall_ms / SP_STORE_DAY_MS;
	return true;
}

static void verb_close(struct report *role, struct sp_role_link *link,
                       uint64_t id, const struct sp_json *ask)
{
	int64_t today = sp_time_wall_ms() / SP_STORE_DAY_MS;
	struct waiter *w;
	int64_t day;

	if (!read_day(ask, "day", today, &day) || day > today) {
		answer_error(link, id, "day: not one that has begun");
		return;
	}
	if (!role->queue ||
	    load_day(role, day, sp_json_get_str(ask, "domain"), true)) {
		answer_error(link, id, "the store is not ready: try again");
		return;
	}
	w = SP_NEW(struct waiter);
	w->role = role;
	w->link = link;
	w->id = id;
	w->day = day;
	w->patience = sp_timer_new(role->ctx->loop, on_patience, w);
	sp_timer_set(w->patience, WAIT_MS);
	sp_list_append(&role->waiters, &w->node);
	report_wake(role);
}

static void verb_list(struct report *role, struct sp_role_link *link,
                      uint64_t id, const struct sp_json *ask)
{
	int64_t today = sp_time_wall_ms() / SP_STORE_DAY_MS;
	struct sp_json *reply;
	int64_t first, last;

	if (!read_day(ask, "day", -1, &first)) {
		answer_error(link, id, "day: expected one such as 2026-11-23");
		return;
	}
	last = first < 0 ? today : first;
	first = first < 0 ? today - DAYS_SHOWN + 1 : first;
	reply = sp_json_object();
	sp_json_set_bool(reply, "ok", true);
	sp_json_set(
		reply, "reports",
		view_list(role, first, last, sp_json_get_str(ask, "domain")));
	sp_role_answer(link, id, reply);
}

static void verb_received(struct report *role, struct sp_role_link *link,
                          uint64_t id, const struct sp_json *ask)
{
	int64_t today = sp_time_wall_ms() / SP_STORE_DAY_MS;
	struct sp_json *reply;
	int64_t day;

	if (!read_day(ask, "day", -1, &day)) {
		answer_error(link, id, "day: expected one such as 2026-11-23");
		return;
	}
	reply = sp_json_object();
	sp_json_set_bool(reply, "ok", true);
	sp_json_set(reply, "reports",
	            view_received(role, day < 0 ? 0 : day,
	                          day < 0 ? today : day,
	                          sp_json_get_str(ask, "domain"),
	                          sp_json_get_bool(ask, "detail")));
	sp_role_answer(link, id, reply);
}

static void verb_show(struct report *role, struct sp_role_link *link,
                      uint64_t id, const struct sp_json *ask)
{
	int64_t today = sp_time_wall_ms() / SP_STORE_DAY_MS;
	struct sp_json *reply;
	int64_t day;

	if (!read_day(ask, "day", today, &day)) {
		answer_error(link, id, "day: expected one such as 2026-11-23");
		return;
	}
	reply = sp_json_object();
	sp_json_set_bool(reply, "ok", true);
	sp_json_set(reply, "report",
	            view_report(role, day, sp_json_get_str(ask, "domain")));
	sp_role_answer(link, id, reply);
}

static void verb_stats(struct report *role, struct sp_role_link *link,
                       uint64_t id, const struct sp_json *ask)
{
	struct sp_json *stats = sp_json_object();

	(void)ask;
	sp_json_set_int(stats, "sent", (int64_t)role->sent);
	sp_json_set_int(stats, "failed", (int64_t)role->failed);
	sp_json_set_int(stats, "running", (int64_t)role->running);
	sp_role_answer(link, id, stats);
}

static const struct {
	const char *verb;
	void (*run)(struct report *role, struct sp_role_link *link, uint64_t id,
	            const struct sp_json *ask);
} VERBS[] = {
	{"report-close", verb_close}, {"report-list", verb_list},
	{"report-show", verb_show},   {"report-received", verb_received},
	{"stats", verb_stats},
};

static int on_command(struct report *role, struct sp_role_link *link,
                      struct sp_str payload)
{
	struct sp_msg_command msg = {0};
	struct sp_json *ask = NULL;
	size_t i = 0;

	if (sp_unpack(SP_MSG_COMMAND_FIELDS, payload, false, NULL, &msg) ||
	    sp_json_parse(msg.json, &SP_JSON_LIMITS_DEFAULT, &ask, NULL, 0)) {
		return SP_EPROTO;
	}
	while (i < sizeof(VERBS) / sizeof(*VERBS) &&
	       !sp_str_eq(sp_json_get_str(ask, "verb"),
	                  sp_str_from(VERBS[i].verb))) {
		i++;
	}
	if (i < sizeof(VERBS) / sizeof(*VERBS)) {
		VERBS[i].run(role, link, msg.id, ask);
	} else {
		answer_error(link, msg.id, "verb: not known here");
	}
	sp_json_free(&ask);
	return 0;
}

/* ---- frames ---- */

static struct job *take_asked(struct report *role, uint64_t id)
{
	return sp_map_remove(&role->asked, sp_map_key_u64(&id));
}

static int on_noted(struct report *role, struct sp_str payload)
{
	struct sp_msg_tls_report_done msg = {0};
	struct job *job;

	if (sp_unpack(SP_MSG_TLS_REPORT_DONE_FIELDS, payload, false, NULL,
	              &msg)) {
		return SP_EPROTO;
	}
	job = take_asked(role, msg.id);
	if (job) {
		job_noted(job, msg.done);
	}
	return 0;
}

static int on_fetched(struct report *role, struct sp_str payload)
{
	struct sp_msg_fetched msg = {0};
	struct job *job;

	if (sp_unpack(SP_MSG_FETCHED_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	job = take_asked(role, msg.id);
	if (job) {
		job_fetched(job, &msg);
	}
	return 0;
}

static int frame(struct sp_role_ctx *ctx, struct sp_role_link *link,
                 uint16_t type, struct sp_str payload)
{
	struct report *role = ctx->state;

	if (link->role == SP_ROLE_QUEUE && type == SP_MSG_TLS_REPORT_DONE) {
		return on_noted(role, payload);
	}
	if (link->role == SP_ROLE_FETCH && type == SP_MSG_FETCHED) {
		return on_fetched(role, payload);
	}
	if (link->role == SP_ROLE_RESOLVE && type == SP_MSG_ANSWER) {
		return sp_lookup_role_answer(role->lookup, payload);
	}
	if (link->role == SP_ROLE_CONSOLE && type == SP_MSG_COMMAND) {
		return on_command(role, link, payload);
	}
	return SP_EPROTO;
}

/* ---- life ---- */

static void link_up(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct report *role = ctx->state;

	if (link->role == SP_ROLE_QUEUE) {
		role->queue = link;
		sp_timer_set(role->tick, SOON_MS);
	} else if (link->role == SP_ROLE_FETCH) {
		role->fetch = link;
	} else if (link->role == SP_ROLE_RESOLVE) {
		sp_lookup_role_link_up(role->lookup, link);
	}
}

static void link_down(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct report *role = ctx->state;

	if (link->role == SP_ROLE_QUEUE) {
		role->queue = NULL;
		drop_jobs(role);
	} else if (link->role == SP_ROLE_FETCH) {
		role->fetch = NULL;
		drop_jobs(role); /* made anew from the store */
		sp_timer_set(role->tick, SOON_MS);
	} else if (link->role == SP_ROLE_RESOLVE) {
		sp_lookup_role_link_down(role->lookup);
	}
	SP_LIST_FOREACH (it, &role->waiters) {
		struct waiter *w = SP_CONTAINER(it, struct waiter, node);

		w->link = w->link == link ? NULL : w->link;
	}
}

/* It leaves unsigned, and nobody would hear why it is ignored. */
static void warn(const struct sp_role_ctx *ctx)
{
	char why[SP_CONF_WHY];

	if (sp_conf_warning(ctx->conf, why)) {
		sp_log(&ctx->log, SP_LOG_WARN, "report.unsigned",
		       SP_F_CSTR("why", why));
	}
}

static int start(struct sp_role_ctx *ctx)
{
	struct report *role = SP_NEW(struct report);

	ctx->state = role;
	role->ctx = ctx;
	role->loaded_day = -1;
	role->lookup = sp_lookup_role_new();
	role->tick = sp_timer_new(ctx->loop, on_tick, role);
	sp_list_init(&role->jobs);
	sp_list_init(&role->under_way);
	sp_list_init(&role->days);
	sp_map_init(&role->by_name);
	sp_list_init(&role->waiters);
	sp_map_init(&role->asked);
	warn(ctx);
	return 0;
}

static void reload(struct sp_role_ctx *ctx)
{
	warn(ctx);
}

static void finish(struct sp_role_ctx *ctx)
{
	struct report *role = ctx->state;

	if (!role) {
		return;
	}
	drop_jobs(role);
	SP_LIST_FOREACH_SAFE (it, next, &role->waiters) {
		waiter_free(SP_CONTAINER(it, struct waiter, node));
	}
	sp_timer_free(&role->tick);
	sp_lookup_role_free(&role->lookup);
	sp_store_close(&role->store);
	sp_map_fini(&role->asked);
	sp_map_fini(&role->by_name);
	sp_free(role);
	ctx->state = NULL;
}

const struct sp_role_ops SP_ROLE_REPORT_OPS = {
	.start = start,
	.link_up = link_up,
	.link_down = link_down,
	.frame = frame,
	.reload = reload,
	.finish = finish,
};
