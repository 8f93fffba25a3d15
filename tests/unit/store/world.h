/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_STORE_WORLD_H
#define SP_TESTS_STORE_WORLD_H

/*
 * A fresh store for each test, and short words for what tests do to it. An
 * engine enters the tests by a row of ENGINES: how to name an empty store.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "store/store.h"

#define HOUR 3600000
#define NOW  1800000000000
#define DAY  (24 * (int64_t)HOUR)

struct world {
	char dir[64];
	char url[128];
	struct sp_store *store;
	struct sp_arena arena;
};

static inline void must(int ret, const struct sp_store *store)
{
	if (ret) {
		fail_msg("%s: %s", sp_strerror(ret),
		         store ? sp_store_why(store) : "");
	}
}

static inline void open_writer(struct world *w)
{
	char why[SP_STORE_WHY_MAX];

	if (sp_store_open(sp_str_from(w->url), SP_STORE_WRITER, true, &w->store,
	                  why, sizeof(why))) {
		fail_msg("%s", why);
	}
}

/* ---- engines ---- */

static inline void sqlite_fresh(struct world *w)
{
	snprintf(w->dir, sizeof(w->dir), "/tmp/sp-store-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->url, sizeof(w->url), "sqlite:%s/store.db", w->dir);
}

static inline void sqlite_gone(struct world *w)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	char path[160];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/store.db%s", w->dir,
		         suffixes[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(w->dir), 0);
}

static const struct engine {
	const char *name;
	void (*fresh)(struct world *);
	void (*gone)(struct world *);
} ENGINES[] = {{"sqlite", sqlite_fresh, sqlite_gone}};

static const struct engine *engine; /* under test */

static inline int set_up(void **state)
{
	struct world *w = SP_NEW(struct world);

	engine->fresh(w);
	sp_arena_init(&w->arena);
	open_writer(w);
	*state = w;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *w = *state;

	sp_store_close(&w->store);
	engine->gone(w);
	sp_arena_fini(&w->arena);
	sp_free(w);
	return 0;
}

/* ---- short words for tests ---- */

static inline void begin(struct world *w)
{
	must(sp_store_begin(w->store), w->store);
}

static inline int count_row(void *arg, const struct sp_store_row *row)
{
	struct sp_store_stats *seen = arg;

	seen->recipients[row->state]++;
	seen->report_due += row->report_due;
	return 0;
}

/* After each turn the counters say what the rows say. */
static inline void commit(struct world *w)
{
	const struct sp_store_filter all = {0};
	struct sp_store_stats seen = {0};
	struct sp_store_stats stats;

	must(sp_store_commit(w->store), w->store);
	must(sp_store_search(w->store, &all, count_row, &seen), w->store);
	must(sp_store_stats(w->store, &stats), w->store);
	assert_memory_equal(stats.recipients, seen.recipients,
	                    sizeof(stats.recipients));
	assert_int_equal(stats.report_due, seen.report_due);
}

static const struct sp_envelope_rcpt ONE[] = {
	{.address = SP_STR("b@d.test"), .domain = SP_STR("d.test")}};

static inline struct sp_envelope envelope(const struct sp_envelope_rcpt *rcpts,
                                          size_t count)
{
	return (struct sp_envelope){
		.sender = SP_STR("a@s.test"),
		.client = SP_STR("127.0.0.1"),
		.helo = SP_STR("client.test"),
		.message_id = SP_STR("<1@s.test>"),
		.received_ms = NOW,
		.rcpts = (struct sp_envelope_rcpt *)(uintptr_t)rcpts,
		.rcpt_count = count,
	};
}

static inline struct sp_store_incoming incoming(const char *id,
                                                const struct sp_envelope *e)
{
	static const unsigned workers[SP_ENVELOPE_RCPT_MAX];

	return (struct sp_store_incoming){
		.id = sp_str_from(id),
		.envelope = e,
		.workers = workers,
		.due_ms = NOW,
		.expires_ms = NOW + DAY,
		.complete = true,
		.body = SP_STR("Subject: x\r\n\r\nbody\r\n"),
	};
}

static inline void enqueue_to(struct world *w, const char *id,
                              const struct sp_envelope_rcpt *rcpts,
                              size_t count)
{
	struct sp_envelope e = envelope(rcpts, count);
	struct sp_store_incoming in = incoming(id, &e);

	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	commit(w);
}

static inline void enqueue(struct world *w, const char *id)
{
	enqueue_to(w, id, ONE, 1);
}

static inline size_t claim(struct world *w, int64_t now, size_t max,
                           struct sp_store_job **jobs_out)
{
	size_t count = 0;

	begin(w);
	must(sp_store_claim_due(w->store, 0, now, max, 100, &w->arena, jobs_out,
	                        &count),
	     w->store);
	commit(w);
	return count;
}

static inline int settle(struct world *w, uint64_t attempt,
                         struct sp_store_outcome_rcpt rcpt)
{
	struct sp_store_outcome o = {
		.attempt_id = attempt,
		.now_ms = NOW + 5,
		.security = SP_STR("dane"),
		.host = SP_STR("mx.d.test"),
		.address = SP_STR("127.0.1.1"),
		.detail = SP_STR("{\"tls\":1}"),
		.rcpts = &rcpt,
		.rcpt_count = 1,
	};
	int ret;

	begin(w);
	ret = sp_store_settle(w->store, &o);
	commit(w);
	return ret;
}

static const struct sp_store_outcome_rcpt DELIVERED = {
	.state = SP_STORE_DELIVERED,
	.code = SP_STR("2.0.0"),
	.reply = SP_STR("250 2.0.0 ok"),
};
static const struct sp_store_outcome_rcpt DEFERRED = {
	.state = SP_STORE_QUEUED,
	.due_ms = NOW + HOUR,
	.code = SP_STR("4.7.323"),
	.cause = SP_STR("tlsa-mismatch"),
	.reply = SP_STR("450 4.7.323 tlsa-invalid: x"),
	.expired_code = SP_STR("5.7.323"),
	.expired_reply = SP_STR("550 5.7.323 tlsa-invalid: x"),
};

static inline struct sp_store_outcome_rcpt to(struct sp_store_outcome_rcpt r,
                                              uint64_t rcpt_id)
{
	r.rcpt_id = rcpt_id;
	return r;
}

struct found {
	size_t count;
	uint64_t rcpt_id;
	enum sp_store_state state;
	uint32_t attempts;
	int64_t next_attempt_ms, done_ms;
	bool report_due;
	char code[32], reply[80], id[40];
};

static inline void keep(char *out, size_t cap, struct sp_str s)
{
	snprintf(out, cap, SP_STR_FMT, SP_STR_ARG(s));
}

static inline int on_row(void *arg, const struct sp_store_row *row)
{
	struct found *f = arg;

	f->count++;
	f->rcpt_id = row->rcpt_id;
	f->state = row->state;
	f->attempts = row->attempts;
	f->next_attempt_ms = row->next_attempt_ms;
	f->done_ms = row->done_ms;
	f->report_due = row->report_due;
	keep(f->code, sizeof(f->code), row->code);
	keep(f->reply, sizeof(f->reply), row->reply);
	keep(f->id, sizeof(f->id), row->id);
	return 0;
}

static inline struct found search(struct world *w,
                                  struct sp_store_filter filter)
{
	struct found f = {0};

	must(sp_store_search(w->store, &filter, on_row, &f), w->store);
	return f;
}

static inline struct found show(struct world *w, const char *id)
{
	return search(w, (struct sp_store_filter){.id = sp_str_from(id)});
}

static inline int on_event(void *arg, const struct sp_store_event *e)
{
	char *text = arg;
	size_t len = strlen(text);

	snprintf(text + len, 200 - len, "%s%s/%u" SP_STR_FMT, len ? " " : "",
	         sp_store_event_name(e->type), e->attempt,
	         SP_STR_ARG(e->detail));
	return 0;
}

/* "receive/0 defer/1{...}" */
static inline const char *events(struct world *w, uint64_t rcpt_id)
{
	static char text[200];

	text[0] = '\0';
	must(sp_store_events(w->store, rcpt_id, on_event, text), w->store);
	return text;
}

static inline uint64_t in_state(struct world *w, enum sp_store_state state)
{
	struct sp_store_stats stats;

	must(sp_store_stats(w->store, &stats), w->store);
	return stats.recipients[state];
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* The same tests for each engine. */
#define RUN_FOR_ALL_ENGINES(tests, failed)                                     \
	for (size_t i_ = 0; i_ < sizeof(ENGINES) / sizeof(ENGINES[0]); i_++) { \
		engine = &ENGINES[i_];                                         \
		(failed) += cmocka_run_group_tests_name(engine->name, tests,   \
		                                        NULL, NULL);           \
	}

#endif
