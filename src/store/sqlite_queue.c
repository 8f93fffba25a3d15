/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduling: who is due, who is leased. A lease is the attempt id in the
 * row; ids are random numbers of 63 bits, so that no id is ever given twice,
 * whatever became of the file between.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rand.h"
#include "store/sqlite.h"
#include "wire/address.h"

/* Released at one time; more than any worker ever holds. */
#define LEASES_BYTES_MAX (8u * 1024 * 1024)

/* In one claim: a damaged row of a destination may promise jobs for ever. */
#define TURNS_MAX 200

static int64_t new_attempt_id(void)
{
	int64_t id;

	do {
		id = (int64_t)(sp_rand_u64() >> 1);
	} while (id == 0);
	return id;
}

struct claim {
	unsigned worker;
	int64_t now_ms;
	size_t rcpt_max;
	struct sp_arena *arena;
	int64_t message; /* of the job in hand */
	size_t job_max;
	struct sp_store_job *jobs;
	size_t count;
};

/* Of the destination in turn, the recipient that is due first, else one that
 * waits. SP_ENOTFOUND: neither. */
static int claim_find(struct sp__sqlite *s, struct claim *c, bool waiting,
                      struct sp_store_job *job)
{
	struct sp__use u = sp__use(s, waiting ? SP__SQL_CLAIM_FIND_WAITING
	                                      : SP__SQL_CLAIM_FIND);
	bool found = false;
	int ret;

	sp__bind_str(&u, job->domain);
	if (!waiting) {
		sp__bind_int(&u, c->now_ms);
	}
	sp__bind_int(&u, c->now_ms);
	if (sp__row(&u)) {
		found = true;
		c->message = sp__int(&u, 0, 1, INT64_MAX);
		job->attempt = (uint32_t)sp__int(&u, 1, 0, UINT32_MAX - 1) + 1;
		job->expires_ms = sp__int(&u, 2, INT64_MIN, INT64_MAX);
	}
	ret = sp__end(&u);
	return ret || found ? ret : SP_ENOTFOUND;
}

static void read_rcpt(struct sp__use *u, const struct claim *c,
                      struct sp_str domain, struct sp_store_job_rcpt *out)
{
	out->rcpt_id = (uint64_t)sp__int(u, 0, 1, INT64_MAX);
	out->rcpt.address =
		sp_arena_str(c->arena, sp__str(u, 1, SP_ADDRESS_MAX));
	out->rcpt.orcpt =
		sp_arena_str(c->arena, sp__str(u, 2, SP_ENVELOPE_ORCPT_MAX));
	out->rcpt.notify = (uint8_t)sp__int(u, 3, 0, 15);
	out->rcpt.domain = domain;
}

/* It and its neighbours: same message, domain and attempt. */
static int claim_list(struct sp__sqlite *s, const struct claim *c, bool waiting,
                      struct sp_store_job *job)
{
	struct sp__use u = sp__use(s, SP__SQL_CLAIM_LIST);
	size_t cap = 1; /* most often */
	int ret;

	job->rcpts = sp_arena_array(c->arena, cap, sizeof(*job->rcpts));
	sp__bind_int(&u, c->message);
	sp__bind_str(&u, job->domain);
	sp__bind_int(&u, job->attempt - 1);
	sp__bind_int(&u, c->now_ms);
	sp__bind_int(&u, waiting ? 1 : 2);
	sp__bind_int(&u, c->now_ms);
	sp__bind_int(&u, (int64_t)c->rcpt_max);
	while (job->rcpt_count < c->rcpt_max && sp__row(&u)) {
		if (job->rcpt_count == cap) {
			const struct sp_store_job_rcpt *one = job->rcpts;

			cap = c->rcpt_max;
			job->rcpts = sp_arena_array(c->arena, cap,
			                            sizeof(*job->rcpts));
			job->rcpts[0] = *one;
		}
		read_rcpt(&u, c, job->domain, &job->rcpts[job->rcpt_count++]);
	}
	ret = sp__end(&u);
	return ret || job->rcpt_count ? ret : SP_ESTORE;
}

static int claim_take(struct sp__sqlite *s, const struct claim *c,
                      struct sp_store_job *job)
{
	int ret = 0;

	job->attempt_id = (uint64_t)new_attempt_id();
	for (size_t i = 0; ret == 0 && i < job->rcpt_count; i++) {
		struct sp__use u = sp__use(s, SP__SQL_CLAIM_TAKE);

		sp__bind_int(&u, (int64_t)job->attempt_id);
		sp__bind_int(&u, c->now_ms);
		sp__bind_int(&u, (int64_t)job->rcpts[i].rcpt_id);
		ret = sp__run(&u);
		sp__count_state(s, SP_STORE_QUEUED, SP_STORE_LEASED, 1);
	}
	return ret;
}

static void read_envelope(struct sp__use *u, struct sp_arena *a,
                          struct sp_envelope *e)
{
	e->sender = sp_arena_str(a, sp__str(u, 1, SP_ADDRESS_MAX));
	e->envid = sp_arena_str(a, sp__str(u, 2, SP_ENVELOPE_ENVID_MAX));
	e->ret = (enum sp_ret)sp__int(u, 3, SP_RET_UNSET, SP_RET_HDRS);
	e->smtputf8 = sp__bool(u, 4);
	e->body_8bit = sp__bool(u, 5);
	e->requiretls = sp__bool(u, 6);
	e->client = sp_arena_str(a, sp__str(u, 7, SP_STORE_ADDRESS_MAX));
	e->helo = sp_arena_str(a, sp__str(u, 8, SP_STORE_HOST_MAX));
	e->message_id =
		sp_arena_str(a, sp__str(u, 9, SP_ENVELOPE_MESSAGE_ID_MAX));
	e->received_ms = sp__int(u, 10, INT64_MIN, INT64_MAX);
}

int sp__message_read(struct sp__sqlite *s, int64_t message,
                     struct sp_arena *arena, struct sp__message *out)
{
	struct sp__use u = sp__use(s, SP__SQL_CLAIM_MESSAGE);
	int ret;

	sp__bind_int(&u, message);
	if (sp__row(&u)) {
		out->id = sp_arena_str(arena, sp__str(&u, 0, SP_STORE_ID_MAX));
		read_envelope(&u, arena, &out->envelope);
		out->expires_ms = sp__int(&u, 11, INT64_MIN, INT64_MAX);
		out->size_bytes = (uint64_t)sp__int(&u, 12, 0, INT64_MAX);
		out->envelope.tls_optional = sp__bool(&u, 13);
	}
	ret = sp__end(&u);
	return ret || out->id.len ? ret : SP_ENOTFOUND;
}

static int claim_message(struct sp__sqlite *s, const struct claim *c,
                         struct sp_store_job *job)
{
	struct sp__message m = {0};
	int ret = sp__message_read(s, c->message, c->arena, &m);

	job->id = m.id;
	job->envelope = m.envelope;
	job->size_bytes = m.size_bytes;
	return ret == SP_ENOTFOUND ? SP_ESTORE : ret;
}

/* A job of the destination in turn. SP_ENOTFOUND: it has none after all. */
static int claim_job(struct sp__sqlite *s, struct claim *c, bool waiting,
                     struct sp_store_job *job)
{
	int ret = claim_find(s, c, false, job);

	if (ret == SP_ENOTFOUND && waiting) {
		ret = claim_find(s, c, true, job);
	}
	ret = ret ? ret : claim_list(s, c, waiting, job);
	ret = ret ? ret : claim_take(s, c, job);
	return ret ? ret : claim_message(s, c, job);
}

/* One turn of one destination. */
static int claim_turn(struct sp__sqlite *s, struct claim *c,
                      struct sp_str domain, bool *again_out)
{
	struct sp_store_job *job = &c->jobs[c->count];
	struct sp__offer offer;
	bool found = false;
	int ret = sp__destination_offer(s, domain, &offer);

	*job = (struct sp_store_job){.domain = domain};
	if (ret == 0 && offer.any) {
		ret = claim_job(s, c, offer.waiting, job);
		found = ret == 0;
	}
	if (ret && ret != SP_ENOTFOUND) {
		return ret;
	}
	c->count += found;
	return sp__destination_asked(s, domain, c->now_ms, found, again_out);
}

/* Destinations that work, round and round. */
static int claim_round(struct sp__sqlite *s, struct claim *c, bool *more_out)
{
	size_t left = c->job_max - c->count;
	struct sp__domains due;
	struct sp_str *order;
	size_t end;
	bool again;
	int ret = sp__destinations_due(s, c->worker, c->now_ms, left, c->arena,
	                               &due, more_out);

	if (ret) {
		return ret;
	}
	end = due.count;
	order = sp_arena_array(c->arena, end + left, sizeof(*order));
	for (size_t i = 0; i < end; i++) {
		order[i] = due.items[i];
	}
	for (size_t i = 0; i < end && c->count < c->job_max; i++) {
		ret = claim_turn(s, c, order[i], &again);
		if (ret) {
			return ret;
		}
		if (again && end < due.count + left) {
			order[end++] = order[i];
		}
	}
	return 0;
}

static int claim_probe(struct sp__sqlite *s, struct claim *c)
{
	struct sp__domain domain;
	bool again;
	int ret = sp__destination_probe(s, c->worker, c->now_ms, &domain);

	return ret ? ret
	           : claim_turn(s, c,
	                        sp_arena_str(c->arena, sp__domain_str(&domain)),
	                        &again);
}

int sp__claim_due(struct sp_store *store, unsigned worker, int64_t now_ms,
                  size_t job_max, size_t rcpt_max, struct sp_arena *arena,
                  struct sp_store_job **jobs_out, size_t *count_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct claim c = {.worker = worker,
	                  .now_ms = now_ms,
	                  .rcpt_max = rcpt_max,
	                  .arena = arena,
	                  .job_max = job_max};
	unsigned turns = 0;
	bool more = true;
	int ret = 0;

	c.jobs = sp_arena_array(arena, job_max, sizeof(*c.jobs));
	while (ret == 0 && more && c.count < job_max && turns++ < TURNS_MAX) {
		ret = claim_round(s, &c, &more);
	}
	while (ret == 0 && c.count < job_max && turns++ < TURNS_MAX) {
		ret = claim_probe(s, &c);
	}
	*jobs_out = c.jobs;
	*count_out = c.count;
	return ret == SP_ENOTFOUND ? 0 : ret;
}

void sp__lease_read(struct sp__use *u, struct sp_arena *arena,
                    struct sp_store_lease_rcpt *out)
{
	out->rcpt_id = (uint64_t)sp__int(u, 0, 1, INT64_MAX);
	out->attempts = (uint32_t)sp__int(u, 1, 0, UINT32_MAX);
	out->first_attempt_ms = sp__int(u, 2, INT64_MIN, INT64_MAX);
	out->received_ms = sp__int(u, 3, INT64_MIN, INT64_MAX);
	out->expires_ms = sp__int(u, 4, INT64_MIN, INT64_MAX);
	out->notify = (uint8_t)sp__int(u, 5, 0, 15);
	out->null_sender = sp__bool(u, 6);
	out->domain = sp_arena_str(arena, sp__str(u, 7, SP_ADDRESS_DOMAIN_MAX));
	out->id = sp_arena_str(arena, sp__str(u, 8, SP_STORE_ID_MAX));
	out->own_rule = sp__bool(u, 9);
}

int sp__lease(struct sp_store *store, uint64_t attempt_id,
              struct sp_arena *arena, struct sp_store_lease_rcpt **rcpts_out,
              size_t *count_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_LEASE);
	struct sp_store_lease_rcpt one;
	size_t cap = 0;

	sp__bind_int(&u, (int64_t)attempt_id);
	while (sp__row(&u)) {
		sp__lease_read(&u, arena, &one);
		if (*count_out == cap) {
			void *old = *rcpts_out;

			cap = cap ? cap * 2 : 4;
			*rcpts_out = sp_arena_array(arena, cap, sizeof(one));
			if (*count_out) {
				memcpy(*rcpts_out, old,
				       *count_out * sizeof(one));
			}
		}
		(*rcpts_out)[(*count_out)++] = one;
	}
	return sp__end(&u);
}

/* ---- leases that end without an outcome ---- */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Ids of leased recipients of the worker whose attempts aren't kept; keep is
 * sorted. They are collected before any is changed. */
static int stale_leases(struct sp__sqlite *s, unsigned worker,
                        const uint64_t *keep, size_t keep_count,
                        struct sp_buf *ids)
{
	struct sp__use u = sp__use(s, SP__SQL_LEASES_OF_WORKER);

	sp__bind_int(&u, worker);
	while (sp__row(&u)) {
		int64_t id = sp__int(&u, 0, 1, INT64_MAX);
		uint64_t attempt = (uint64_t)sp__int(&u, 1, 1, INT64_MAX);

		if (keep_count && bsearch(&attempt, keep, keep_count,
		                          sizeof(*keep), compare_u64)) {
			continue;
		}
		if (sp_buf_append(ids, &id, sizeof(id))) {
			break; /* the rest the next time */
		}
	}
	return sp__end(&u);
}

static int release_one(struct sp__sqlite *s, int64_t id, int64_t now_ms,
                       struct sp__domain *last)
{
	struct sp__use u = sp__use(s, SP__SQL_LEASE_RELEASE);
	struct sp__domain domain = {.len = 0};
	int ret;

	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, id);
	while (sp__row(&u)) {
		sp__domain_set(&domain, sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX));
		sp__count_state(s, SP_STORE_LEASED, SP_STORE_QUEUED, 1);
	}
	ret = sp__end(&u);
	return ret ? ret
	           : sp__destination_note(s, last, sp__domain_str(&domain),
	                                  now_ms);
}

int sp__release_leases(struct sp_store *store, unsigned worker,
                       const uint64_t *keep, size_t keep_count, int64_t now_ms,
                       uint64_t *count_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	uint64_t *sorted = sp_calloc(keep_count + 1, sizeof(*sorted));
	struct sp__domain last = {.len = 0};
	struct sp_buf ids;
	int64_t id;
	int ret;

	if (keep_count) {
		memcpy(sorted, keep, keep_count * sizeof(*keep));
	}
	qsort(sorted, keep_count, sizeof(*sorted), compare_u64);
	sp_buf_init(&ids, LEASES_BYTES_MAX);
	ret = stale_leases(s, worker, sorted, keep_count, &ids);
	*count_out = 0;
	while (ret == 0 && sp_buf_len(&ids) > 0) {
		memcpy(&id, sp_buf_str(&ids).ptr, sizeof(id));
		sp_buf_consume(&ids, sizeof(id));
		ret = release_one(s, id, now_ms, &last);
		*count_out += ret == 0;
	}
	ret = ret ? ret : sp__destination_flush(s, &last, now_ms);
	sp_buf_fini(&ids);
	sp_free(sorted);
	return ret;
}

/* ---- when to look again ---- */

static int first_time(struct sp__use *u, int64_t *time_ms_out)
{
	*time_ms_out = -1;
	if (sp__row(u)) {
		*time_ms_out = sp__int(u, 0, INT64_MIN, INT64_MAX);
		*time_ms_out = *time_ms_out < 0 ? 0 : *time_ms_out;
	}
	return sp__end(u);
}

int sp__next_expiry(struct sp_store *store, int64_t *expires_ms_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_NEXT_EXPIRY);

	return first_time(&u, expires_ms_out);
}

/* ---- another number of workers ---- */

struct owner {
	unsigned workers;
	unsigned (*of)(struct sp_str domain, unsigned workers);
};

static void owner_of(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct owner *owner = sqlite3_user_data(ctx);
	const void *domain = sqlite3_value_blob(argv[0]);
	int len = sqlite3_value_bytes(argv[0]);

	(void)argc;
	sqlite3_result_int64(ctx, owner->of(sp_str_slice(domain, (size_t)len),
	                                    owner->workers));
}

/* The statement knows the function; neither is needed again soon. */
static int run_once(struct sp__sqlite *s, enum sp__sql sql)
{
	struct sp__use u = sp__use(s, sql);
	int ret = sp__run(&u);

	(void)sqlite3_finalize(s->stmts[sql]);
	s->stmts[sql] = NULL;
	return ret;
}

static int move_to_owners(struct sp__sqlite *s, struct owner *owner)
{
	int rc = sqlite3_create_function(s->db, "sp_worker", 1,
	                                 SQLITE_UTF8 | SQLITE_DETERMINISTIC,
	                                 owner, owner_of, NULL, NULL);
	int ret;

	if (rc != SQLITE_OK) {
		return sp__fail(s, rc, "set-up");
	}
	ret = run_once(s, SP__SQL_WORKERS_DESTINATION);
	return ret ? ret : run_once(s, SP__SQL_WORKERS_MOVE);
}

int sp__set_workers(struct sp_store *store, unsigned workers,
                    unsigned (*worker_of)(struct sp_str, unsigned),
                    int64_t now_ms, uint64_t *changed_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct owner owner = {workers, worker_of};
	struct sp__use u;
	int64_t before;
	int ret = sp__meta_get(s, "workers", &before);

	*changed_out = 0;
	if (ret || before == (int64_t)workers) {
		return ret;
	}
	ret = sp__destinations_flush(s);
	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_WORKERS_LEASED);
	sp__bind_int(&u, now_ms);
	ret = sp__run(&u);
	sp__count_state(s, SP_STORE_LEASED, SP_STORE_QUEUED,
	                sqlite3_changes64(s->db));
	ret = ret ? ret : move_to_owners(s, &owner);
	*changed_out = ret ? 0 : (uint64_t)sqlite3_changes64(s->db);
	return ret ? ret : sp__meta_set(s, "workers", workers);
}
