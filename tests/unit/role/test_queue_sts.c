/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of MTA-STS policies: what workers bring, what jobs take along,
 * and how it is kept fresh. */
#include "net/fetch.h"
#include "role/queue/queue.h"
#include "unit/role/queue_world.h"

#define POLICY(age)                                                            \
	SP_STR("version: STSv1\nmode: enforce\nmx: mx.d.test\nmax_age: " age   \
	       "\n")

/* A refresh comes soon. */
#define QUICK "sts { back_off = \"1ms\" timeout = \"100ms\" }\n"

static struct sp_msg_sts row_of(const char *domain, const char *id,
                                struct sp_str body, int64_t fetched_ms)
{
	return (struct sp_msg_sts){
		.domain = sp_str_from(domain),
		.id = sp_str_from(id),
		.body = body,
		.fetched_ms = fetched_ms,
		.expires_ms = INT64_MAX, /* the queue reads max_age itself */
	};
}

static void keep(struct world *w, const struct sp_msg_sts *row)
{
	SEND(w->transport, STS_KEEP, STS, row);
	in_state(w, "queued"); /* it has been handled */
}

/* What the next job has. */
static struct sp_msg_sts carried(struct world *w)
{
	struct sp_msg_job j;
	struct sp_msg_sts row;

	submit(w);
	j = job(w);
	row = j.sts;
	outcome(w, &j, result(&j, SP_VERDICT_DELIVERED));
	return row;
}

static void assert_id(struct sp_msg_sts row, const char *id)
{
	assert_int_equal(row.id.len, strlen(id));
	assert_memory_equal(row.id.ptr, id, row.id.len);
}

static void test_keep(void **state)
{
	struct world *w = *state;
	int64_t now_ms = sp_time_wall_ms();
	struct sp_msg_sts row =
		row_of("d.test", "1", POLICY("86400"), now_ms - 1000);
	struct sp_msg_sts found;

	start(w, "");
	hello(w, 0);
	assert_int_equal(carried(w).domain.len, 0);
	keep(w, &row);
	found = carried(w);
	assert_id(found, "1");
	assert_true(sp_str_eq(found.domain, SP_STR("d.test")));
	assert_true(sp_str_eq(found.body, row.body));
	assert_int_equal(found.fetched_ms, row.fetched_ms);
	assert_int_equal(found.expires_ms, row.fetched_ms + 86400000);
	/* an older one, one that is no policy, and a newer one */
	row = row_of("d.test", "2", POLICY("86400"), now_ms - 2000);
	keep(w, &row);
	assert_id(carried(w), "1");
	row = row_of("d.test", "3", SP_STR("<html>"), now_ms);
	keep(w, &row);
	assert_id(carried(w), "1");
	row = row_of("d.test", "4", POLICY("86400"), now_ms);
	keep(w, &row);
	assert_id(carried(w), "4");
	finish(w);
	/* after a restart */
	start(w, "");
	hello(w, 0);
	assert_id(carried(w), "4");
	finish(w);
}

/* A worker whose clock, or word, is ahead does not rule out later ones. */
static void test_future(void **state)
{
	struct world *w = *state;
	struct sp_msg_sts row = row_of("d.test", "1", POLICY("60"),
	                               sp_time_wall_ms() + 86400000);
	struct sp_msg_sts found;

	start(w, "");
	hello(w, 0);
	keep(w, &row);
	found = carried(w);
	assert_true(found.fetched_ms <= sp_time_wall_ms());
	assert_int_equal(found.expires_ms, found.fetched_ms + 60000);
	finish(w);
}

static const struct route_row {
	const char *name;
	const char *conf;
	const char *id; /* of the row that the job carries */
} ROUTES[] = {
	{"no route", "", "1"},
	{"RFC 8461 3 next hop by MX",
         "route \"d.test\" { next_hop = \"hop.test\" }", "2"},
	{"another port", "route \"d.test\" { next_hop = \"hop.test:26\" }",
         "2"},
	{"RFC 8461 3 smart host",
         "route \"d.test\" { next_hop = \"[hop.test]\" }", "2"},
	{"not heeded", "route \"d.test\" { mta_sts = false }", ""},
};

static void test_policy_domain(void **state)
{
	struct world *w = *state;
	int64_t now_ms = sp_time_wall_ms();
	struct sp_msg_sts rows[] = {
		row_of("d.test", "1", POLICY("86400"), now_ms),
		row_of("hop.test", "2", POLICY("86400"), now_ms),
	};

	for (size_t i = 0; i < sizeof(ROUTES) / sizeof(ROUTES[0]); i++) {
		start(w, ROUTES[i].conf);
		hello(w, 0);
		keep(w, &rows[0]);
		keep(w, &rows[1]);
		assert_id(carried(w), ROUTES[i].id);
		finish(w);
	}
}

/* ---- refreshes ---- */

static struct sp_msg_fetch asked(struct world *w)
{
	struct sp_msg_fetch m = {0};

	EXPECT(w->fetch, FETCH, FETCH, &m);
	return m;
}

static void answer(struct world *w, uint64_t id, uint32_t code,
                   struct sp_str body)
{
	const struct sp_msg_fetched m = {
		.id = id,
		.status = code ? SP_FETCH_ANSWERED : SP_FETCH_FAILED,
		.code = code,
		.type = SP_STR("text/plain"),
		.body = body,
		.why = SP_STR("no connection"),
	};

	SEND(w->fetch, FETCHED, FETCHED, &m);
	in_state(w, "queued");
}

static void test_refresh(void **state)
{
	struct world *w = *state;
	struct sp_msg_sts row =
		row_of("d.test", "1", POLICY("2"), sp_time_wall_ms() - 1500);
	struct sp_msg_fetch m;
	struct sp_msg_sts found;

	start(w, QUICK);
	connect_peer(w, &w->fetch, SP_ROLE_FETCH);
	hello(w, 0);
	keep(w, &row);
	m = asked(w);
	assert_true(
		sp_str_eq(m.url, SP_STR("https://mta-sts.d.test/.well-known/"
	                                "mta-sts.txt")));
	assert_false(m.post);
	assert_int_equal(m.body_max, 65536);
	assert_int_equal(m.timeout_ms, 100);
	answer(w, m.id, 200, POLICY("86400"));
	found = carried(w);
	assert_id(found, "1");
	assert_true(sp_str_eq(found.body, POLICY("86400")));
	assert_true(found.fetched_ms > row.fetched_ms);
	answer(w, m.id, 200, POLICY("3")); /* twice is harmless */
	answer(w, 99, 200, POLICY("3"));
	assert_true(sp_str_eq(carried(w).body, POLICY("86400")));
	finish(w);
}

static const struct bad_row {
	const char *name;
	uint32_t code;
	const char *body;
} BAD[] = {
	{"no answer", 0, ""},
	{"RFC 8461 3.3 status", 404,
         "version: STSv1\nmode: none\nmax_age: 1\n"},
	{"RFC 8461 3.2 not a policy", 200, "mode: none\n"},
};

/* RFC 8461 5.1: what is cached stays. */
static void test_refresh_fails(void **state)
{
	struct world *w = *state;
	struct sp_msg_sts row =
		row_of("d.test", "1", POLICY("60"), sp_time_wall_ms() - 45000);

	start(w, QUICK);
	connect_peer(w, &w->fetch, SP_ROLE_FETCH);
	hello(w, 0);
	keep(w, &row);
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		struct sp_msg_fetch m = asked(w);

		answer(w, m.id, BAD[i].code, sp_str_from(BAD[i].body));
		assert_true(sp_str_eq(carried(w).body, row.body));
		assert_int_equal(carried(w).fetched_ms, row.fetched_ms);
		finish(w);
		/* the next try would come in seconds: ask for it anew */
		row.fetched_ms += 1000;
		start(w, QUICK);
		connect_peer(w, &w->fetch, SP_ROLE_FETCH);
		hello(w, 0);
		keep(w, &row);
	}
	finish(w);
}

/* What a worker brought of another id stays. */
static void test_refresh_is_late(void **state)
{
	struct world *w = *state;
	struct sp_msg_sts row =
		row_of("d.test", "1", POLICY("2"), sp_time_wall_ms() - 1500);
	struct sp_msg_fetch m;

	start(w, QUICK);
	connect_peer(w, &w->fetch, SP_ROLE_FETCH);
	hello(w, 0);
	keep(w, &row);
	m = asked(w);
	row = row_of("d.test", "2", POLICY("86400"), sp_time_wall_ms());
	keep(w, &row);
	answer(w, m.id, 200, POLICY("5"));
	assert_id(carried(w), "2");
	assert_true(sp_str_eq(carried(w).body, POLICY("86400")));
	finish(w);
}

/* The role fetch was killed: it is asked again once it is back. */
static void test_fetch_restarts(void **state)
{
	struct world *w = *state;
	struct sp_msg_sts row =
		row_of("d.test", "1", POLICY("60"), sp_time_wall_ms() - 45000);
	struct sp_msg_fetch m;

	start(w, QUICK);
	keep(w, &row);
	connect_peer(w, &w->fetch, SP_ROLE_FETCH);
	(void)asked(w);
	sp_channel_free(&w->fetch.channel);
	while (w->fetch.link.channel) {
		turn(w);
	}
	connect_peer(w, &w->fetch, SP_ROLE_FETCH);
	m = asked(w);
	answer(w, m.id, 200, POLICY("86400"));
	hello(w, 0);
	assert_true(sp_str_eq(carried(w).body, POLICY("86400")));
	finish(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_keep),           TEST(test_future),
		TEST(test_policy_domain),  TEST(test_refresh),
		TEST(test_refresh_fails),  TEST(test_refresh_is_late),
		TEST(test_fetch_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
