/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transport worker: takes jobs from the queue, runs an attempt for each,
 * and hands the outcome back until it is settled.
 *
 *   JOB ─▶ RUNNING ─attempt ends─▶ UNSETTLED ─SETTLED─▶ gone
 *             │ BODY_PULL / BODY_CHUNK      │ again after each HELLO
 *             ├── STOP: finish or hand back ┘
 *             └── SETTLED: the lease is gone, dropped
 *
 * When all places are taken, attempts that have nothing to show after the
 * time that is set (smtp.patience) keep a quarter of them; the oldest of the
 * others are hurried: silence never holds up the work of a worker.
 *
 * Room for the outcome is there from the moment a job is taken: it is kept
 * in the job itself. When the queue comes back after a restart it first
 * hears which attempts are held here (HELLO), then the unsettled outcomes
 * again; it knows them by their attempt id.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/attempt.h"
#include "deliver/pool.h"
#include "net/tls.h"
#include "role/lookup_role.h"
#include "role/role.h"
#include "role/transport/outcome.h"
#include "role/transport/sts_role.h"
#include "role/transport/waived.h"
#include "wire/json.h"

#define STOP_GRACE_MS 20000 /* for messages that are being sent */
#define OVERDUE_PART  4     /* of all places: theirs, whoever waits */
#define LOOKS         8     /* for overdue ones, in the time they have */

struct transport {
	struct sp_role_ctx *ctx;
	struct sp_role_link *queue; /* null while it is away */
	struct sp_lookup_role *lookup;
	struct sts_role *sts;
	struct sp_pool *pool;
	struct sp_plan_cache *plans;
	struct sp_timer *ages; /* set while there may be plans */
	bool aging;
	struct sp_map jobs; /* by attempt id */
	struct sp_timer *grace;
	struct sp_timer *look; /* set while all places are taken */
	bool looks;
	bool alone; /* in a stop: queue does not come back */
	uint64_t attempts;
	uint64_t hurried;
	uint64_t verdicts[3]; /* recipients by enum sp_verdict_class */
	struct waived_counts waived;
};

struct job {
	struct transport *role;
	uint64_t attempt_id;
	struct sp_arena arena; /* the frame's content */
	char *frame;           /* owned: strings of msg point here */
	char *body;            /* owned; that of msg, until it has left */
	struct sp_msg_job msg;
	struct sp_envelope_rcpt *rcpts;
	struct sp_sts_row sts_row;  /* of msg */
	struct sp_attempt *attempt; /* null: unsettled */
	char *chunk;                /* owned */
	uint32_t pull_seq;
	bool pull_open;        /* asked, not yet come */
	struct sp_buf outcome; /* packed, when unsettled */
};

/* --- the outcome --- */

static void send_outcome(struct job *job)
{
	struct sp_role_link *queue = job->role->queue;

	if (queue && queue->channel) {
		sp_channel_send_raw(queue->channel, SP_MSG_OUTCOME,
		                    sp_buf_str(&job->outcome), -1);
	}
}

static void on_attempt(void *arg, const struct sp_attempt_result *result)
{
	struct job *job = arg;
	struct transport *role = job->role;

	for (size_t i = 0; i < result->rcpt_count; i++) {
		role->verdicts[result->rcpts[i].verdict.class]++;
	}
	waived_count(&role->waived, result);
	outcome_pack(&job->msg, result, &job->arena, &job->outcome);
	sp_log(&role->ctx->log, SP_LOG_INFO, "attempt.done",
	       SP_F_STR("id", job->msg.id), SP_F_STR("domain", job->msg.domain),
	       SP_F_INT("attempt", job->msg.attempt),
	       SP_F_CSTR("security", result->security),
	       SP_F_CSTR("scenario", outcome_scenario(result)),
	       SP_F_STR("host", result->host),
	       SP_F_STR("address", result->address));
	sp_attempt_free(&job->attempt);
	send_outcome(job);
}

/* --- the body --- */

static void send_pull(struct job *job)
{
	struct sp_msg_body_pull msg = {
		.attempt_id = job->attempt_id,
		.id = job->msg.id,
		.seq = job->pull_seq,
	};

	sp_role_send(job->role->queue, SP_MSG_BODY_PULL,
	             SP_MSG_BODY_PULL_FIELDS, &msg);
}

static void pull(void *arg, uint32_t seq)
{
	struct job *job = arg;

	job->pull_seq = seq;
	job->pull_open = true;
	send_pull(job); /* or when the queue is back */
}

static int on_chunk(struct transport *role, struct sp_str payload)
{
	struct sp_msg_body_chunk msg = {0};
	struct job *job;

	if (sp_unpack(SP_MSG_BODY_CHUNK_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	job = sp_map_find(&role->jobs, sp_map_key_u64(&msg.session));
	if (!job || !job->attempt || !job->pull_open ||
	    msg.seq != job->pull_seq) {
		return 0; /* late */
	}
	job->pull_open = false;
	sp_free(job->chunk);
	job->chunk = sp_str_dup(msg.data);
	if (!msg.data.len && !msg.last) { /* removed while it was under way */
		sp_attempt_body_failed(job->attempt);
	} else {
		sp_attempt_body(job->attempt,
		                sp_str_slice(job->chunk, msg.data.len),
		                msg.last);
	}
	return 0;
}

static void taken(void *arg)
{
	struct job *job = arg;

	SP_FREE(&job->body);
	SP_FREE(&job->chunk);
	job->msg.body = (struct sp_str){0};
}

/* --- hurry --- */

struct overdue {
	struct sp_attempt *attempt;
	int64_t by_ms;
};

static uint32_t slots(const struct transport *role)
{
	uint32_t all = (uint32_t)role->ctx->conf->smtp.max_connections;
	uint32_t n =
		(all + role->ctx->worker_count - 1) / role->ctx->worker_count;

	return n < SP_HELLO_MAX ? n : SP_HELLO_MAX;
}

static int oldest_first(const void *a, const void *b)
{
	int64_t x = ((const struct overdue *)a)->by_ms;
	int64_t y = ((const struct overdue *)b)->by_ms;

	return (x < y) - (x > y);
}

static size_t find_overdue(struct transport *role, struct overdue *out)
{
	int64_t now_ms = sp_time_mono_ms();
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;
	size_t count = 0;

	while (sp_map_next(&role->jobs, &it, &key, &value)) {
		const struct job *job = value;
		int64_t by_ms =
			job->attempt
				? sp_attempt_overdue_ms(job->attempt, now_ms)
				: -1;

		if (by_ms >= 0) {
			out[count++] = (struct overdue){job->attempt, by_ms};
		}
	}
	return count;
}

static void hurry(struct transport *role)
{
	struct overdue *list = sp_calloc(role->jobs.count + 1, sizeof(*list));
	size_t count = find_overdue(role, list);
	size_t kept = slots(role) / OVERDUE_PART;

	qsort(list, count, sizeof(*list), oldest_first);
	for (size_t i = 0; i + kept < count; i++) {
		sp_attempt_hurry(list[i].attempt);
		role->hurried++;
	}
	sp_free(list);
}

static void look_later(struct transport *role)
{
	role->looks = role->jobs.count >= slots(role);
	if (role->looks) {
		sp_timer_set(role->look,
		             role->ctx->conf->smtp.patience_ms / LOOKS + 1);
	}
}

static void on_look(void *arg)
{
	struct transport *role = arg;

	if (role->jobs.count >= slots(role)) {
		hurry(role);
	}
	look_later(role);
}

/* --- jobs --- */

static void job_free(struct job *job)
{
	sp_attempt_free(&job->attempt);
	sp_buf_fini(&job->outcome);
	sp_arena_fini(&job->arena);
	sp_free(job->chunk);
	sp_free(job->body);
	sp_free(job->frame);
	sp_free(job);
}

static void job_end(struct job *job)
{
	sp_map_remove(&job->role->jobs, sp_map_key_u64(&job->attempt_id));
	job_free(job);
}

/* Plans of a burst are large, with their evidence, and good for a while. */
static void on_age(void *arg)
{
	struct transport *role = arg;

	role->aging = sp_plan_cache_age(role->plans, sp_time_mono_ms());
	if (role->aging) {
		sp_timer_set(role->ages, SP_PLAN_SHARE_MS);
	}
}

static void age_later(struct transport *role)
{
	if (!role->aging) {
		role->aging = true;
		sp_timer_set(role->ages, SP_PLAN_SHARE_MS);
	}
}

static void start_attempt(struct job *job)
{
	struct transport *role = job->role;
	const struct sp_msg_job *msg = &job->msg;
	struct sp_attempt_ask ask = {
		.loop = role->ctx->loop,
		.conf = role->ctx->conf,
		.lookup = sp_lookup_role_borrow(role->lookup),
		.pool = role->pool,
		.plans = role->plans,
		.domain = msg->domain,
		.envelope = &msg->envelope,
		.rcpts = job->rcpts,
		.rcpt_count = msg->rcpt_count,
		.size_bytes = msg->size_bytes,
		.fresh = msg->attempt > 1,
		.sts = sts_role_borrow(role->sts),
		.sts_row = sts_role_row(role->sts, &msg->sts, &job->sts_row),
		.exception = msg->exception,
		.body = msg->body,
		.inline_body = msg->inline_body,
		.pull = pull,
		.taken = taken,
	};

	role->attempts++;
	job->attempt = sp_attempt_new(&ask, on_attempt, job);
	if (role->ctx->stopping) {
		sp_attempt_stop(job->attempt);
	}
}

static int on_job(struct transport *role, struct sp_str payload)
{
	struct job *job = SP_NEW(struct job);
	int r;

	job->role = role;
	sp_arena_init(&job->arena);
	sp_buf_init(&job->outcome, SP_FRAME_MAX);
	r = sp_msg_job_unpack(payload, &job->arena, &job->frame, &job->body,
	                      &job->msg);
	job->attempt_id = job->msg.attempt_id;
	if (r || !job->msg.rcpt_count ||
	    sp_map_find(&role->jobs, sp_map_key_u64(&job->attempt_id))) {
		job_free(job);
		return SP_EPROTO;
	}
	sp_map_set(&role->jobs, sp_map_key_u64(&job->attempt_id), job);
	job->rcpts = sp_arena_array(&job->arena, job->msg.rcpt_count,
	                            sizeof(*job->rcpts));
	for (size_t i = 0; i < job->msg.rcpt_count; i++) {
		job->rcpts[i] = job->msg.rcpts[i].rcpt;
	}
	start_attempt(job);
	age_later(role);
	if (!role->looks) {
		look_later(role);
	}
	return 0;
}

static void stop_if_done(struct transport *role)
{
	if (role->ctx->stopping && role->jobs.count == 0) {
		sp_role_stopped(role->ctx);
	}
}

static int on_settled(struct transport *role, struct sp_str payload)
{
	struct sp_msg_attempt msg = {0};
	struct job *job;

	if (sp_unpack(SP_MSG_ATTEMPT_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	job = sp_map_find(&role->jobs, sp_map_key_u64(&msg.attempt_id));
	if (!job) {
		return 0;
	}
	if (job->attempt) { /* the lease is gone, and the body with it */
		sp_log(&role->ctx->log, SP_LOG_WARN, "attempt.withdrawn",
		       SP_F_STR("id", job->msg.id));
	}
	job_end(job);
	stop_if_done(role);
	return 0;
}

/* --- console's questions --- */

static struct sp_json *sessions(struct sp_role_ctx *ctx)
{
	const struct transport *role = ctx->state;
	struct sp_json *list = sp_json_array();
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&role->jobs, &it, &key, &value) &&
	       sp_json_len(list) < 1000) {
		struct job *job = value;
		struct sp_json *row = job->attempt
		                              ? sp_attempt_live(job->attempt)
		                              : sp_json_object();

		sp_json_set_cstr(row, "role", "transport");
		sp_json_set_int(row, "worker", role->ctx->index);
		sp_json_set_str(row, "id", job->msg.id);
		sp_json_set_int(row, "attempt", job->msg.attempt);
		sp_json_set_bool(row, "unsettled", !job->attempt);
		sp_json_add(list, row);
	}
	return list;
}

static struct sp_json *stats(struct sp_role_ctx *ctx)
{
	const struct transport *role = ctx->state;
	struct sp_json *obj = sp_json_object();

	sp_json_set_int(obj, "jobs", (int64_t)role->jobs.count);
	sp_json_set_int(obj, "connections",
	                (int64_t)sp_pool_connections(role->pool));
	sp_json_set_int(obj, "attempts", (int64_t)role->attempts);
	sp_json_set_int(obj, "hurried", (int64_t)role->hurried);
	sp_json_set_int(obj, "delivered", (int64_t)role->verdicts[0]);
	sp_json_set_int(obj, "deferred", (int64_t)role->verdicts[1]);
	sp_json_set_int(obj, "failed", (int64_t)role->verdicts[2]);
	sp_json_set(obj, "would_have_blocked", waived_stats(&role->waived));
	return obj;
}

/* --- the role --- */

static void say_hello(struct transport *role)
{
	struct sp_msg_hello msg = {.slots = slots(role)};
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	msg.held = sp_calloc(role->jobs.count + 1, sizeof(*msg.held));
	while (sp_map_next(&role->jobs, &it, &key, &value)) {
		msg.held[msg.held_count++].attempt_id =
			((struct job *)value)->attempt_id;
	}
	sp_role_send(role->queue, SP_MSG_HELLO, SP_MSG_HELLO_FIELDS, &msg);
	sp_free(msg.held);
}

static void link_up(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct transport *role = ctx->state;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	if (link->role == SP_ROLE_RESOLVE) {
		sp_lookup_role_link_up(role->lookup, link);
	}
	sts_role_link_up(role->sts, link);
	if (link->role != SP_ROLE_QUEUE) {
		return;
	}
	role->queue = link;
	say_hello(role);
	while (sp_map_next(&role->jobs, &it, &key, &value)) {
		struct job *job = value;

		if (!job->attempt) {
			send_outcome(job);
		} else if (job->pull_open) {
			send_pull(job);
		}
	}
}

static void link_down(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct transport *role = ctx->state;

	sts_role_link_down(role->sts, link);
	if (link->role == SP_ROLE_RESOLVE) {
		sp_lookup_role_link_down(role->lookup);
	} else if (link->role == SP_ROLE_QUEUE) {
		role->queue = NULL;
	}
}

static int frame(struct sp_role_ctx *ctx, struct sp_role_link *link,
                 uint16_t type, struct sp_str payload)
{
	struct transport *role = ctx->state;
	bool queue = link->role == SP_ROLE_QUEUE;

	if (queue && type == SP_MSG_JOB) {
		return on_job(role, payload);
	}
	if (queue && type == SP_MSG_BODY_CHUNK) {
		return on_chunk(role, payload);
	}
	if (queue && type == SP_MSG_SETTLED) {
		return on_settled(role, payload);
	}
	if (queue && type == SP_MSG_FORGET) {
		sp_pool_forget(role->pool);
		return 0;
	}
	if (link->role == SP_ROLE_RESOLVE && type == SP_MSG_ANSWER) {
		return sp_lookup_role_answer(role->lookup, payload);
	}
	if (link->role == SP_ROLE_FETCH && type == SP_MSG_FETCHED) {
		return sts_role_fetched(role->sts, payload);
	}
	if (link->role == SP_ROLE_PARENT && type == SP_MSG_ALONE) {
		role->alone = true;
		sp_timer_set(role->grace, 0);
		return 0;
	}
	return SP_EPROTO;
}

static void on_grace(void *arg)
{
	struct transport *role = arg;

	sp_log(&role->ctx->log, SP_LOG_WARN,
	       role->alone ? "transport.stop_alone" : "transport.stop_late",
	       SP_F_INT("jobs", role->jobs.count));
	sp_role_stopped(role->ctx);
}

static void read_roots(struct sp_role_ctx *ctx)
{
	char why[200];

	if (sp_tls_roots(ctx->conf->ca_bundle, why, sizeof(why))) {
		sp_log(&ctx->log, SP_LOG_ERROR, "transport.ca_bundle",
		       SP_F_CSTR("file", ctx->conf->ca_bundle),
		       SP_F_CSTR("why", why));
	}
}

static int start(struct sp_role_ctx *ctx)
{
	struct transport *role = SP_NEW(struct transport);

	ctx->state = role;
	role->ctx = ctx;
	sp_map_init(&role->jobs);
	role->lookup = sp_lookup_role_new();
	role->sts = sts_role_new(ctx);
	role->plans = sp_plan_cache_new();
	role->pool = sp_pool_new(ctx->loop, ctx->conf, ctx->worker_count);
	role->grace = sp_timer_new(ctx->loop, on_grace, role);
	role->look = sp_timer_new(ctx->loop, on_look, role);
	role->ages = sp_timer_new(ctx->loop, on_age, role);
	if (sp_tls_setup()) {
		return SP_ETLS;
	}
	read_roots(ctx);
	return 0;
}

static void reload(struct sp_role_ctx *ctx)
{
	struct transport *role = ctx->state;

	sp_pool_set_conf(role->pool, ctx->conf);
	sp_plan_cache_clear(role->plans);
	sts_role_reload(role->sts);
	read_roots(ctx);
}

static void stop(struct sp_role_ctx *ctx)
{
	struct transport *role = ctx->state;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	sp_timer_set(role->grace, role->alone ? 0 : STOP_GRACE_MS);
	while (sp_map_next(&role->jobs, &it, &key, &value)) {
		struct job *job = value;

		if (job->attempt) {
			sp_attempt_stop(job->attempt);
		}
	}
	stop_if_done(role);
}

static void finish(struct sp_role_ctx *ctx)
{
	struct transport *role = ctx->state;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&role->jobs, &it, &key, &value)) {
		job_end(value);
		it = (struct sp_map_iter){0};
	}
	sp_map_fini(&role->jobs);
	sp_pool_free(&role->pool);
	sp_plan_cache_free(&role->plans);
	sts_role_free(&role->sts);
	sp_lookup_role_free(&role->lookup);
	sp_timer_free(&role->grace);
	sp_timer_free(&role->look);
	sp_timer_free(&role->ages);
	sp_tls_teardown();
	sp_free(role);
}

const struct sp_role_ops SP_ROLE_TRANSPORT_OPS = {
	.start = start,
	.link_up = link_up,
	.link_down = link_down,
	.frame = frame,
	.reload = reload,
	.stop = stop,
	.finish = finish,
	.stats = stats,
	.sessions = sessions,
};
