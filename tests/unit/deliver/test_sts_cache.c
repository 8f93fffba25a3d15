/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "deliver/sts_cache.h"
#include "deliver/sts_fetch.h"

#define POLICY SP_STR("version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n")

struct world {
	struct sp_sts_backend backend; /* first */
	struct sp_loop *loop;
	struct sp_timer *timer;
	struct sp_sts_cache *cache;
	struct sp_sts_source *source;
	uint64_t ids[10]; /* as started */
	char domains[10][40];
	size_t started;
	uint64_t cancelled;
	size_t kept;
	/* what waiters heard */
	size_t heard;
	enum sp_sts_fetch_status status;
	char text[100];
	uint64_t cancel_in_call;
	bool ask_in_call;
	bool inside;
};

static void start(struct sp_sts_backend *backend, uint64_t id,
                  struct sp_str domain)
{
	struct world *w = (struct world *)backend;

	assert_true(w->started < 10);
	w->ids[w->started] = id;
	snprintf(w->domains[w->started], sizeof(w->domains[0]), "%.*s",
	         (int)domain.len, domain.ptr);
	w->started++;
}

static void cancel(struct sp_sts_backend *backend, uint64_t id)
{
	((struct world *)backend)->cancelled = id;
}

static void kept(struct sp_sts_backend *backend, const struct sp_sts_row *row)
{
	assert_true(row->body.len > 0);
	((struct world *)backend)->kept++;
}

static void on_timer(void *arg)
{
	sp_loop_stop(((struct world *)arg)->loop);
}

static int set_up(void **state)
{
	struct world *w = SP_NEW(struct world);

	*state = w;
	w->backend = (struct sp_sts_backend){start, cancel, kept};
	w->loop = sp_loop_new();
	w->timer = sp_timer_new(w->loop, on_timer, w);
	w->cache = sp_sts_cache_new(w->loop, &w->backend, 60000);
	w->source = sp_sts_cache_borrow(w->cache);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	sp_sts_cache_free(&w->cache);
	sp_timer_free(&w->timer);
	sp_loop_free(&w->loop);
	sp_free(w);
	return 0;
}

static void turn(struct world *w, int64_t ms)
{
	sp_timer_set(w->timer, ms);
	assert_int_equal(sp_loop_run(w->loop), 0);
}

static uint64_t ask(struct world *w, const char *domain);

static void on_fetched(void *arg, const struct sp_sts_fetched *f)
{
	struct world *w = arg;
	struct sp_str text = f->status == SP_STS_FETCHED ? f->body : f->why;

	assert_false(w->inside);
	w->heard++;
	w->status = f->status;
	snprintf(w->text, sizeof(w->text), "%.*s", (int)text.len, text.ptr);
	if (w->cancel_in_call) {
		w->source->cancel(w->source, w->cancel_in_call);
	}
	if (w->ask_in_call) {
		w->ask_in_call = false;
		ask(w, "d.test");
	}
}

static uint64_t ask(struct world *w, const char *domain)
{
	uint64_t id;

	w->inside = true;
	id = w->source->fetch(w->source, sp_str_from(domain), on_fetched, w);
	w->inside = false;
	assert_true(id != 0);
	return id;
}

static void answer(struct world *w, size_t which,
                   enum sp_sts_fetch_status status, struct sp_str text)
{
	struct sp_sts_fetched f = {.status = status};

	if (status == SP_STS_FETCHED) {
		f.body = text;
	} else {
		f.why = text;
	}
	sp_sts_cache_done(w->cache, w->ids[which], &f);
}

static void test_shared(void **state)
{
	struct world *w = *state;

	ask(w, "d.test");
	ask(w, "d.test");
	ask(w, "e.test");
	assert_int_equal(w->started, 2);
	assert_string_equal(w->domains[1], "e.test");
	answer(w, 0, SP_STS_FETCHED, POLICY);
	assert_int_equal(w->heard, 2);
	assert_int_equal(w->status, SP_STS_FETCHED);
	answer(w, 0, SP_STS_FETCHED, POLICY); /* late, or again */
	assert_int_equal(w->heard, 2);
	/* no pause behind one that went well */
	ask(w, "d.test");
	assert_int_equal(w->started, 3);
}

static const struct pause_row {
	const char *name;
	enum sp_sts_fetch_status status;
	const char *text;
	const char *told;
} PAUSES[] = {
	{"RFC 8461 3.3 fetch failed", SP_STS_FETCH_FAILED, "status 404",
         "status 404"},
	{"RFC 8461 3.3 certificate", SP_STS_FETCH_WEBPKI, "expired", "expired"},
	{"RFC 8461 3.2 not a policy", SP_STS_FETCHED, "<html>", ""},
};

static void test_pause(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(PAUSES) / sizeof(PAUSES[0]); i++) {
		const struct pause_row *row = &PAUSES[i];
		char domain[20];

		snprintf(domain, sizeof(domain), "d%zu.test", i);
		w->heard = 0;
		ask(w, domain);
		answer(w, i, row->status, sp_str_from(row->text));
		assert_int_equal(w->status, row->status);
		ask(w, domain);
		assert_int_equal(w->heard, 1);
		turn(w, 0);
		assert_int_equal(w->started, i + 1);
		assert_int_equal(w->heard, 2);
		assert_int_equal(w->status, SP_STS_FETCH_BACKOFF);
		assert_non_null(strstr(w->text, row->told));
		assert_true(*w->text != '\0');
	}
}

static void test_pause_ends(void **state)
{
	struct world *w = *state;

	sp_sts_cache_set_back_off(w->cache, 20);
	ask(w, "d.test");
	answer(w, 0, SP_STS_FETCH_FAILED, SP_STR("x"));
	turn(w, 30);
	ask(w, "d.test");
	assert_int_equal(w->started, 2);
	answer(w, 1, SP_STS_FETCHED, POLICY);
	ask(w, "d.test");
	assert_int_equal(w->started, 3);
}

static void test_cancel(void **state)
{
	struct world *w = *state;
	uint64_t one = ask(w, "d.test");
	uint64_t two = ask(w, "d.test");

	w->source->cancel(w->source, one);
	assert_int_equal(w->cancelled, 0);
	w->source->cancel(w->source, two);
	assert_int_equal(w->cancelled, w->ids[0]);
	w->source->cancel(w->source, two);
	answer(w, 0, SP_STS_FETCHED, POLICY);
	assert_int_equal(w->heard, 0);
	/* while told of a pause */
	ask(w, "d.test");
	answer(w, 1, SP_STS_FETCH_FAILED, SP_STR("x"));
	w->source->cancel(w->source, ask(w, "d.test"));
	turn(w, 0);
	assert_int_equal(w->heard, 1);
}

/* Who leaves comes back for what the fetch came to. */
static void test_leave(void **state)
{
	struct world *w = *state;

	w->source->leave(w->source, ask(w, "d.test"));
	assert_int_equal(w->cancelled, 0);
	w->source->cancel(w->source, ask(w, "d.test")); /* shares it */
	assert_int_equal(w->started, 1);
	assert_int_equal(w->cancelled, 0);
	answer(w, 0, SP_STS_FETCHED, POLICY);
	assert_int_equal(w->heard, 0);
	w->source->cancel(w->source, ask(w, "e.test"));
	ask(w, "d.test");
	turn(w, 0);
	assert_int_equal(w->heard, 1);
	assert_int_equal(w->status, SP_STS_FETCHED);
	assert_non_null(strstr(w->text, "STSv1"));
	assert_int_equal(w->started, 2);
	/* once: behind it comes a new one */
	w->source->cancel(w->source, ask(w, "d.test"));
	assert_int_equal(w->started, 3);
}

static void test_leave_a_failure(void **state)
{
	struct world *w = *state;

	w->source->leave(w->source, ask(w, "d.test"));
	answer(w, 0, SP_STS_FETCH_FAILED, SP_STR("status 404"));
	ask(w, "d.test");
	turn(w, 0);
	assert_int_equal(w->status, SP_STS_FETCH_BACKOFF);
	assert_int_equal(w->started, 1);
	/* with one waiting it is his; and open ones go with the cache */
	w->source->leave(w->source, ask(w, "e.test"));
	ask(w, "e.test");
	answer(w, 1, SP_STS_FETCHED, POLICY);
	assert_int_equal(w->heard, 2);
	w->source->leave(w->source, ask(w, "f.test"));
	w->source->leave(w->source, ask(w, "g.test"));
	answer(w, 3, SP_STS_FETCHED, POLICY);
}

/* Nobody can make open fetches pile up. */
static void test_leave_many(void **state)
{
	struct world *w = *state;
	char domain[20];

	for (int i = 0; i < 201; i++) {
		snprintf(domain, sizeof(domain), "d%d.test", i);
		w->started = 0;
		w->source->leave(w->source, ask(w, domain));
		assert_int_equal(w->cancelled, i < 200 ? 0 : w->ids[0]);
	}
}

/* Who is told may cancel the next one, or ask again. */
static void test_reentry(void **state)
{
	struct world *w = *state;

	ask(w, "d.test");
	w->cancel_in_call = ask(w, "d.test");
	w->ask_in_call = true;
	answer(w, 0, SP_STS_FETCHED, POLICY);
	assert_int_equal(w->heard, 1);
	assert_int_equal(w->started, 2);
	w->cancel_in_call = 0;
	answer(w, 1, SP_STS_FETCHED, POLICY);
	assert_int_equal(w->heard, 2);
}

static struct sp_sts_row row_of(const char *domain, int64_t fetched_ms)
{
	return (struct sp_sts_row){sp_str_from(domain), SP_STR("id1"), POLICY,
	                           fetched_ms, fetched_ms + 1000};
}

static void count_row(void *arg, const struct sp_sts_row *row)
{
	(void)row;
	++*(size_t *)arg;
}

static void test_rows(void **state)
{
	struct world *w = *state;
	struct sp_sts_row row = row_of("d.test", 100);
	size_t count = 0;

	assert_null(w->source->find(w->source, row.domain));
	w->source->keep(w->source, &row);
	assert_int_equal(w->kept, 1);
	assert_true(sp_str_eq(w->source->find(w->source, row.domain)->id,
	                      SP_STR("id1")));
	row.fetched_ms = 200;
	w->source->keep(w->source, &row);
	w->source->keep(w->source, w->source->find(w->source, row.domain));
	sp_sts_cache_each(w->cache, count_row, &count);
	assert_int_equal(count, 1);
	/* an older one from the store changes nothing */
	row.fetched_ms = 199;
	sp_sts_cache_stored(w->cache, &row);
	assert_int_equal(w->source->find(w->source, row.domain)->fetched_ms,
	                 200);
	row.fetched_ms = 200;
	sp_sts_cache_stored(w->cache, &row);
	assert_null(w->source->find(w->source, row.domain));
}

/* However many domains there are, and however large their policies. */
static void test_bounded(void **state)
{
	struct world *w = *state;
	char *large = sp_calloc(1, 65536);
	struct sp_sts_row row;
	char domain[40];
	size_t count = 0;

	ask(w, "open.test");
	memset(large, '#', 65536);
	for (int i = 0; i < 200; i++) {
		snprintf(domain, sizeof(domain), "l%d.test", i);
		row = row_of(domain, 1);
		row.body = sp_str_slice(large, 65536);
		w->source->keep(w->source, &row);
	}
	sp_sts_cache_each(w->cache, count_row, &count);
	assert_int_equal(count, 64);
	assert_non_null(w->source->find(w->source, row.domain));
	for (int i = 0; i < 12000; i++) {
		snprintf(domain, sizeof(domain), "s%d.test", i);
		row = row_of(domain, 1);
		w->source->keep(w->source, &row);
	}
	count = 0;
	sp_sts_cache_each(w->cache, count_row, &count);
	assert_true(count <= 5000);
	/* what is open stays open */
	answer(w, 0, SP_STS_FETCHED, POLICY);
	assert_int_equal(w->heard, 1);
	sp_free(large);
}

static void test_restart(void **state)
{
	struct world *w = *state;

	ask(w, "d.test");
	sp_sts_cache_restart(w->cache);
	assert_int_equal(w->started, 2);
	assert_int_equal(w->ids[0], w->ids[1]);
}

static const struct read_row {
	const char *name;
	enum sp_fetch_status status;
	unsigned code;
	const char *type;
	enum sp_sts_fetch_status want;
	const char *part; /* of why */
} READS[] = {
	{"RFC 8461 3.3", SP_FETCH_ANSWERED, 200, "text/plain", SP_STS_FETCHED,
         ""},
	{"parameters", SP_FETCH_ANSWERED, 200, "Text/Plain ; charset=utf-8",
         SP_STS_FETCHED, ""},
	{"no type", SP_FETCH_ANSWERED, 200, "", SP_STS_FETCH_FAILED,
         "media type ''"},
	{"html", SP_FETCH_ANSWERED, 200, "text/html", SP_STS_FETCH_FAILED,
         "expected text/plain"},
	{"hostile type", SP_FETCH_ANSWERED, 200, "a\r\n\x1b[0m",
         SP_STS_FETCH_FAILED, "\\x1b"},
	{"status 204", SP_FETCH_ANSWERED, 204, "text/plain",
         SP_STS_FETCH_FAILED, "status 204"},
	{"redirect", SP_FETCH_ANSWERED, 302, "text/plain", SP_STS_FETCH_FAILED,
         "redirects are not followed"},
	{"not found", SP_FETCH_ANSWERED, 404, "text/plain", SP_STS_FETCH_FAILED,
         "status 404 from 192.0.2.1"},
	{"no connection", SP_FETCH_FAILED, 0, "", SP_STS_FETCH_FAILED,
         "reason"},
	{"certificate", SP_FETCH_WEBPKI, 0, "", SP_STS_FETCH_WEBPKI, "reason"},
};

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(READS) / sizeof(READS[0]); i++) {
		const struct read_row *row = &READS[i];
		struct sp_fetch_result r = {
			.status = row->status,
			.code = row->code,
			.type = sp_str_from(row->type),
			.body = SP_STR("body"),
			.why = SP_STR("reason"),
		};
		struct sp_sts_fetched out;
		char room[SP_FETCH_WHY_MAX];
		char why[SP_FETCH_WHY_MAX];

		assert_int_equal(
			sp_addr_parse(SP_STR("192.0.2.1:443"), 0, &r.addr), 0);
		sp_sts_fetched_read(&r, room, &out);
		snprintf(why, sizeof(why), "%.*s", (int)out.why.len,
		         out.why.len ? out.why.ptr : "");
		if (out.status != row->want || !strstr(why, row->part)) {
			fail_msg("%s: %d %s", row->name, (int)out.status, why);
		}
		assert_int_equal(out.body.len,
		                 row->want == SP_STS_FETCHED ? 4 : 0);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shared),     TEST(test_pause),
		TEST(test_pause_ends), TEST(test_cancel),
		TEST(test_reentry),    TEST(test_rows),
		TEST(test_bounded),    TEST(test_restart),
		TEST(test_leave),      TEST(test_leave_a_failure),
		TEST(test_leave_many), cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
