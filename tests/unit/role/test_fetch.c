/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetch role between those who ask and the resolver, all played here: who
 * shares what, what is refused, and what restarts of the others lead to. Its
 * work over HTTPS is tested in net/test_fetch and in the scenarios.
 */
#include "net/fetch.h"
#include "unit/role/process.h"
#include "wire/dns.h"

#define URL "https://mta-sts.d.test/.well-known/mta-sts.txt"

struct stage {
	struct process role;
	int queue, transport, resolve, console;
};

static int64_t stat_of(struct stage *s, const char *key)
{
	struct sp_msg_command m = {.id = 1,
	                           .json = SP_STR("{\"verb\":\"stats\"}")};
	struct sp_json *json = NULL;
	int64_t number;

	PUT(s->console, COMMAND, COMMAND, &m);
	GET(&s->role, s->console, COMMAND_REPLY, COMMAND, &m);
	assert_int_equal(
		sp_json_parse(m.json, &SP_JSON_LIMITS_DEFAULT, &json, NULL, 0),
		0);
	number = sp_json_get_int(json, key, -1);
	sp_json_free(&json);
	return number;
}

static void open_stage(struct stage *s, const char *conf)
{
	*s = (struct stage){0};
	start(&s->role, SP_ROLE_FETCH, conf, NULL, 0);
	s->queue = link_to(&s->role, SP_ROLE_QUEUE);
	s->transport = link_to(&s->role, SP_ROLE_TRANSPORT);
	s->resolve = link_to(&s->role, SP_ROLE_RESOLVE);
	s->console = link_to(&s->role, SP_ROLE_CONSOLE);
	assert_int_equal(stat_of(s, "requests"), 0); /* all links are up */
}

static void close_stage(struct stage *s)
{
	tell_stop(&s->role);
	expect_end(&s->role);
	close(s->queue);
	close(s->transport);
	close(s->resolve);
	close(s->console);
}

static void fetch(int fd, uint64_t id, const char *url, uint32_t timeout_ms)
{
	const struct sp_msg_fetch m = {
		.id = id,
		.url = sp_str_from(url),
		.body_max = 1000,
		.timeout_ms = timeout_ms,
	};

	PUT(fd, FETCH, FETCH, &m);
}

static void post(int fd, uint64_t id, const char *url)
{
	const struct sp_msg_fetch m = {
		.id = id,
		.url = sp_str_from(url),
		.post = true,
		.post_type = SP_STR("text/plain"),
		.body = SP_STR("x"),
		.body_max = 1000,
		.timeout_ms = 10000,
	};

	PUT(fd, FETCH, FETCH, &m);
}

static struct sp_msg_ask get_ask(struct stage *s, const char *name)
{
	struct sp_msg_ask m = {0};

	GET(&s->role, s->resolve, ASK, ASK, &m);
	assert_int_equal(m.name.len, strlen(name));
	assert_memory_equal(m.name.ptr, name, m.name.len);
	return m;
}

/* address null: there is none. */
static void answer(struct stage *s, const struct sp_msg_ask *ask,
                   const uint8_t *address)
{
	struct sp_dns_answer *a =
		sp_dns_answer_new(ask->name, (enum sp_dns_type)ask->type);
	struct sp_dns_record record = {0};
	struct sp_msg_answer m = {.id = ask->id};
	struct sp_buf bytes;

	a->dnssec = SP_DNSSEC_INSECURE;
	a->result = SP_DNS_NODATA;
	a->rcode = 0;
	if (address && ask->type == SP_DNS_TYPE_A) {
		memcpy(record.address, address, 4);
		a->records = &record;
		a->record_count = 1;
		a->result = SP_DNS_RECORDS;
	}
	sp_buf_init(&bytes, SP_DNS_ANSWER_BYTES_MAX);
	assert_int_equal(sp_dns_answer_encode(a, &bytes), 0);
	m.answer = sp_buf_str(&bytes);
	PUT(s->resolve, ANSWER, ANSWER, &m);
	sp_buf_fini(&bytes);
	sp_dns_answer_free(&a);
}

/* AAAA and A. */
static void resolve(struct stage *s, const char *name, const uint8_t *address)
{
	struct sp_msg_ask one = get_ask(s, name);
	struct sp_msg_ask two = get_ask(s, name);

	answer(s, &one, address);
	answer(s, &two, address);
}

/* Which one has failed. */
static uint64_t failure(struct stage *s, int fd, const char *part)
{
	struct sp_msg_fetched m = {0};
	char why[SP_FETCH_WHY_MAX];

	GET(&s->role, fd, FETCHED, FETCHED, &m);
	assert_int_equal(m.status, SP_FETCH_FAILED);
	snprintf(why, sizeof(why), "%.*s", (int)m.why.len, m.why.ptr);
	if (!strstr(why, part)) {
		fail_msg("\"%s\" lacks \"%s\"", why, part);
	}
	return m.id;
}

static void expect_failure(struct stage *s, int fd, uint64_t id,
                           const char *part)
{
	assert_int_equal(failure(s, fd, part), id);
}

/* ---- tests ---- */

static void test_shared(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, "");
	fetch(s.queue, 1, URL, 10000);
	fetch(s.queue, 2, URL, 10000);
	fetch(s.transport, 1, URL, 10000);
	while (stat_of(&s, "requests") < 3) {
	}
	resolve(&s, "mta-sts.d.test", NULL);
	expect_failure(&s, s.queue, 1, "no address");
	expect_failure(&s, s.queue, 2, "no address");
	expect_failure(&s, s.transport, 1, "no address");
	assert_int_equal(stat_of(&s, "requests"), 3);
	assert_int_equal(stat_of(&s, "shared"), 2);
	assert_int_equal(stat_of(&s, "failed"), 1);
	assert_int_equal(stat_of(&s, "running"), 0);
	/* what is over is not shared, and a POST never */
	fetch(s.queue, 3, URL, 10000);
	resolve(&s, "mta-sts.d.test", NULL);
	expect_failure(&s, s.queue, 3, "nodata");
	post(s.queue, 4, URL);
	post(s.queue, 5, URL);
	assert_int_equal(stat_of(&s, "shared"), 2);
	close_stage(&s);
}

/* The guard of the configuration, after resolution. */
static void test_guard(void **state)
{
	static const uint8_t LOOPBACK[] = {127, 0, 0, 1};
	static const uint8_t PRIVATE[] = {10, 0, 0, 1};
	struct stage s;

	(void)state;
	open_stage(&s, "address_guard { allow = {\"127.0.0.0/8\"} }\n");
	fetch(s.queue, 1, "https://in.d.test:1/", 10000);
	resolve(&s, "in.d.test", PRIVATE);
	expect_failure(&s, s.queue, 1,
	               "in.d.test at 10.0.0.1:1: not connected to, the address "
	               "is private");
	fetch(s.queue, 2, "https://lo.d.test:1/", 10000);
	resolve(&s, "lo.d.test", LOOPBACK);
	expect_failure(&s, s.queue, 2, "lo.d.test at 127.0.0.1:1: ");
	close_stage(&s);
	open_stage(&s, "");
	fetch(s.queue, 1, "https://lo.d.test:1/", 10000);
	resolve(&s, "lo.d.test", LOOPBACK);
	expect_failure(&s, s.queue, 1, "the address is loopback");
	close_stage(&s);
}

static void test_refused(void **state)
{
	static const char *const URLS[] = {"http://d.test/", "file:///x",
	                                   "https://10.0.0.1/", "", "x"};
	struct stage s;

	(void)state;
	open_stage(&s, "");
	for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
		fetch(s.queue, i, URLS[i], 1000);
		expect_failure(&s, s.queue, i, "not a URL we ask");
	}
	close_stage(&s);
}

static void test_late(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, "");
	fetch(s.queue, 1, URL, 50); /* the resolver says nothing */
	expect_failure(&s, s.queue, 1, "no answer in time");
	close_stage(&s);
}

/* Nobody waits any more: no question stays open for it. */
static void test_cancel(void **state)
{
	const struct sp_msg_fetch_cancel cancel = {1};
	struct sp_msg_ask_cancel asked = {0};
	struct stage s;

	(void)state;
	open_stage(&s, "");
	fetch(s.queue, 1, URL, 10000);
	fetch(s.transport, 1, URL, 10000);
	while (stat_of(&s, "requests") < 2) {
	}
	(void)get_ask(&s, "mta-sts.d.test");
	(void)get_ask(&s, "mta-sts.d.test");
	PUT(s.queue, FETCH_CANCEL, FETCH_CANCEL, &cancel);
	assert_false(is_readable(s.resolve, 100));
	PUT(s.transport, FETCH_CANCEL, FETCH_CANCEL, &cancel);
	GET(&s.role, s.resolve, ASK_CANCEL, ASK_CANCEL, &asked);
	GET(&s.role, s.resolve, ASK_CANCEL, ASK_CANCEL, &asked);
	PUT(s.transport, FETCH_CANCEL, FETCH_CANCEL, &cancel);
	close_stage(&s);
}

static void test_asker_goes(void **state)
{
	struct sp_msg_ask_cancel asked = {0};
	struct stage s;

	(void)state;
	open_stage(&s, "");
	fetch(s.queue, 1, URL, 10000);
	(void)get_ask(&s, "mta-sts.d.test");
	(void)get_ask(&s, "mta-sts.d.test");
	close(s.queue);
	GET(&s.role, s.resolve, ASK_CANCEL, ASK_CANCEL, &asked);
	GET(&s.role, s.resolve, ASK_CANCEL, ASK_CANCEL, &asked);
	s.queue = link_to(&s.role, SP_ROLE_QUEUE);
	close_stage(&s);
}

static void test_resolve_restarts(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, "");
	fetch(s.queue, 1, URL, 10000);
	(void)get_ask(&s, "mta-sts.d.test");
	(void)get_ask(&s, "mta-sts.d.test");
	close(s.resolve);
	s.resolve = link_to(&s.role, SP_ROLE_RESOLVE);
	resolve(&s, "mta-sts.d.test", NULL);
	expect_failure(&s, s.queue, 1, "no address");
	close_stage(&s);
}

/* No more than four at a time for one host; others are not held up. */
static void test_per_host(void **state)
{
	struct stage s;
	char url[64];

	(void)state;
	open_stage(&s, "");
	for (uint64_t i = 0; i < 6; i++) {
		snprintf(url, sizeof(url), "https://h.d.test/%u", (unsigned)i);
		fetch(s.queue, i, url, 300);
	}
	fetch(s.queue, 6, URL, 10000);
	for (int i = 0; i < 8; i++) {
		(void)get_ask(&s, "h.d.test");
	}
	resolve(&s, "mta-sts.d.test", NULL);
	expect_failure(&s, s.queue, 6, "no address");
	for (int i = 0; i < 4; i++) {
		assert_true(failure(&s, s.queue, "no answer in time") < 4);
	}
	assert_true(failure(&s, s.queue, "no answer in time") > 3);
	assert_true(failure(&s, s.queue, "no answer in time") > 3);
	close_stage(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_asker_goes),
		cmocka_unit_test(test_resolve_restarts),
		cmocka_unit_test(test_per_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
