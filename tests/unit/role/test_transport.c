/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transport worker between queue, resolve and a mail server, all played
 * here: its jobs over restarts of the queue and the resolver, and its stop.
 */
#include "policy/verdict.h"
#include "unit/role/process.h"
#include "wire/dns.h"

#define ATTEMPT 4711

struct stage {
	struct process role;
	struct sp_addr addr;
	int listener;
	int queue, resolve;
	int server; /* the connection we accepted */
};

static struct sp_msg_hello get_hello(struct stage *s)
{
	struct sp_msg_hello m = {0};

	GET(&s->role, s->queue, HELLO, HELLO, &m);
	return m;
}

static void open_stage(struct stage *s)
{
	char conf[512];

	*s = (struct stage){0};
	s->listener = listen_here(&s->addr);
	snprintf(conf, sizeof(conf),
	         "hostname = \"c.example\"\n"
	         "address_guard { enabled = false }\n"
	         "route \"*\" { mta_sts = false }\n"
	         "smtp { port = %u }\n",
	         s->addr.port);
	start(&s->role, SP_ROLE_TRANSPORT, conf, NULL, 0);
	s->queue = link_to(&s->role, SP_ROLE_QUEUE);
	s->resolve = link_to(&s->role, SP_ROLE_RESOLVE);
	assert_int_equal(get_hello(s).held_count, 0);
}

static void close_stage(struct stage *s)
{
	expect_end(&s->role);
	close(s->queue);
	close(s->resolve);
	close(s->listener);
}

static void job(struct stage *s, bool inline_body)
{
	struct sp_msg_job_rcpt rcpt = {
		.rcpt_id = 5,
		.rcpt = {.address = SP_STR("b@d.example"),
	                 .domain = SP_STR("d.example")},
	};
	struct sp_msg_job m = {
		.attempt_id = ATTEMPT,
		.id = SP_STR("q1"),
		.domain = SP_STR("d.example"),
		.attempt = 1,
		.size_bytes = 7,
		.envelope = {.sender = SP_STR("a@c.example")},
		.rcpts = &rcpt,
		.rcpt_count = 1,
		.inline_body = inline_body,
		.body = inline_body ? SP_STR("hello\r\n") : SP_STR(""),
	};

	PUT(s->queue, JOB, JOB, &m);
}

static void answer(struct stage *s, const struct sp_msg_ask *ask)
{
	static const uint8_t LOOPBACK[4] = {127, 0, 0, 1};
	struct sp_dns_answer *a =
		sp_dns_answer_new(ask->name, (enum sp_dns_type)ask->type);
	struct sp_msg_answer m = {.id = ask->id};
	struct sp_dns_record record = {0};
	struct sp_buf bytes;

	a->dnssec = SP_DNSSEC_INSECURE;
	a->result = SP_DNS_NODATA;
	a->rcode = 0;
	if (ask->type == SP_DNS_TYPE_A) {
		memcpy(record.address, LOOPBACK, 4);
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

static void get_ask(struct stage *s, struct sp_msg_ask *out)
{
	memset(out, 0, sizeof(*out));
	GET(&s->role, s->resolve, ASK, ASK, out);
}

/* Answers what is asked, until the worker connects. */
static void accept_connection(struct stage *s)
{
	while (!is_readable(s->listener, 0)) {
		if (is_readable(s->resolve, 20)) {
			struct sp_msg_ask ask;

			get_ask(s, &ask);
			answer(s, &ask);
		}
	}
	s->server = accept(s->listener, NULL, NULL);
	assert_true(s->server >= 0);
}

static void say(struct stage *s, const char *expected, const char *reply)
{
	expect_line(s->server, expected);
	put_text(s->server, reply);
}

static void up_to_data(struct stage *s)
{
	accept_connection(s);
	put_text(s->server, "220 mx ESMTP\r\n");
	say(s, "EHLO c.example", "250 mx\r\n");
	say(s, "MAIL FROM:<a@c.example>", "250 ok\r\n");
	say(s, "RCPT TO:<b@d.example>", "250 ok\r\n");
	say(s, "DATA", "354 go\r\n");
}

static void body(struct stage *s)
{
	expect_line(s->server, "hello");
	say(s, ".", "250 ok\r\n");
}

static struct sp_msg_outcome get_outcome(struct stage *s)
{
	struct sp_msg_outcome m = {0};

	GET(&s->role, s->queue, OUTCOME, OUTCOME, &m);
	assert_int_equal(m.attempt_id, ATTEMPT);
	assert_int_equal(m.rcpt_count, 1);
	assert_int_equal(m.rcpts[0].rcpt_id, 5);
	return m;
}

static void expect_delivered(struct stage *s)
{
	struct sp_msg_outcome m = get_outcome(s);

	assert_int_equal(m.rcpts[0].class, SP_VERDICT_DELIVERED);
	assert_true(sp_str_eq(m.security, SP_STR("clear")));
}

static void settle(struct stage *s)
{
	struct sp_msg_attempt m = {ATTEMPT};

	PUT(s->queue, SETTLED, ATTEMPT, &m);
}

static void expect_pull(struct stage *s, uint32_t seq)
{
	struct sp_msg_body_pull m = {0};

	GET(&s->role, s->queue, BODY_PULL, BODY_PULL, &m);
	assert_int_equal(m.attempt_id, ATTEMPT);
	assert_int_equal(m.seq, seq);
}

static void chunk(struct stage *s, uint32_t seq, const char *data, bool last)
{
	struct sp_msg_body_chunk m = {
		.session = ATTEMPT,
		.seq = seq,
		.last = last,
		.data = sp_str_from(data),
	};

	PUT(s->queue, BODY_CHUNK, BODY_CHUNK, &m);
}

static void queue_restarts(struct stage *s, size_t held)
{
	struct sp_msg_hello hello;

	close(s->queue);
	s->queue = link_to(&s->role, SP_ROLE_QUEUE);
	hello = get_hello(s);
	assert_int_equal(hello.held_count, held);
	if (held) {
		assert_int_equal(hello.held[0].attempt_id, ATTEMPT);
	}
}

static void test_delivered(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	job(&s, true);
	up_to_data(&s);
	body(&s);
	expect_delivered(&s);
	settle(&s);
	tell_stop(&s.role);
	close_stage(&s);
	close(s.server);
}

/* The outcome is told until it is settled, and the stop waits for that. */
static void test_outcome_again(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	job(&s, true);
	up_to_data(&s);
	body(&s);
	expect_delivered(&s);
	queue_restarts(&s, 1);
	expect_delivered(&s);
	tell_stop(&s.role);
	queue_restarts(&s, 1);
	expect_delivered(&s);
	settle(&s);
	close_stage(&s);
	close(s.server);
}

static void test_pull_over_a_restart(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	job(&s, false);
	up_to_data(&s);
	expect_pull(&s, 0);
	chunk(&s, 0, "hel", false);
	expect_pull(&s, 1);
	queue_restarts(&s, 1);
	expect_pull(&s, 1);
	chunk(&s, 0, "late", false); /* not what was asked for */
	chunk(&s, 1, "lo\r\n", true);
	body(&s);
	expect_delivered(&s);
	settle(&s);
	queue_restarts(&s, 0);
	tell_stop(&s.role);
	close_stage(&s);
	close(s.server);
}

/* A pull without a lease is answered by SETTLED: the attempt ends at once,
 * before a dot, and nothing more is heard of it. */
static void test_lease_gone(void **state)
{
	struct stage s;
	char byte;

	(void)state;
	open_stage(&s);
	job(&s, false);
	up_to_data(&s);
	expect_pull(&s, 0);
	settle(&s);
	assert_false(get(s.server, &byte, 1));
	queue_restarts(&s, 0);
	tell_stop(&s.role);
	close_stage(&s);
	close(s.server);
}

/* The message was removed while it was under way. */
static void test_body_gone(void **state)
{
	struct sp_msg_outcome m;
	struct stage s;
	char byte;

	(void)state;
	open_stage(&s);
	job(&s, false);
	up_to_data(&s);
	expect_pull(&s, 0);
	chunk(&s, 0, "", false);
	assert_false(get(s.server, &byte, 1));
	m = get_outcome(&s);
	assert_int_equal(m.rcpts[0].class, SP_VERDICT_TEMP);
	assert_true(sp_str_eq(m.address, SP_STR("127.0.0.1")));
	settle(&s);
	tell_stop(&s.role);
	close_stage(&s);
	close(s.server);
}

static void test_resolve_restarts(void **state)
{
	struct sp_msg_ask first, again;
	struct stage s;

	(void)state;
	open_stage(&s);
	job(&s, true);
	get_ask(&s, &first);
	close(s.resolve);
	s.resolve = link_to(&s.role, SP_ROLE_RESOLVE);
	get_ask(&s, &again);
	assert_int_equal(again.id, first.id);
	assert_true(sp_str_eq(again.name, first.name));
	answer(&s, &again);
	up_to_data(&s);
	body(&s);
	expect_delivered(&s);
	settle(&s);
	tell_stop(&s.role);
	close_stage(&s);
	close(s.server);
}

/* What has not begun to send is handed back and does not count; what waits
 * for its last reply is waited for. */
static void test_stop(void **state)
{
	struct sp_msg_ask question;
	struct sp_msg_outcome m;
	struct stage s;

	(void)state;
	for (int stage = 0; stage < 3; stage++) {
		open_stage(&s);
		job(&s, true);
		if (stage == 0) {
			get_ask(&s, &question);
		} else if (stage == 1) {
			accept_connection(&s);
		} else {
			up_to_data(&s);
			expect_line(s.server, "hello");
		}
		tell_stop(&s.role);
		if (stage == 2) {
			expect_line(s.server, ".");
			assert_false(is_readable(s.queue, 50));
			put_text(s.server, "250 ok\r\n");
			expect_delivered(&s);
		} else {
			m = get_outcome(&s);
			assert_int_equal(m.rcpts[0].class, SP_VERDICT_TEMP);
			assert_true(m.rcpts[0].retry_now);
		}
		settle(&s);
		close_stage(&s);
		if (stage) {
			close(s.server);
		}
	}
}

/* The queue hands out more while we stop: it comes back at once. */
static void test_job_while_stopping(void **state)
{
	struct sp_msg_outcome m;
	struct stage s;

	(void)state;
	open_stage(&s);
	job(&s, true);
	up_to_data(&s);
	tell_stop(&s.role);
	body(&s);
	expect_delivered(&s);
	settle(&s);
	close_stage(&s);
	close(s.server);

	open_stage(&s);
	job(&s, true);
	tell_stop(&s.role);
	m = get_outcome(&s);
	assert_true(m.rcpts[0].retry_now);
	settle(&s);
	close_stage(&s);
}

/* A broken frame ends the link, and the parent hears of it. */
static void test_broken_link(void **state)
{
	struct sp_msg_link link = {0};
	struct stage s;
	char byte;

	(void)state;
	open_stage(&s);
	put_frame(s.queue, SP_MSG_JOB, NULL, NULL);
	assert_false(get(s.queue, &byte, 1));
	GET(&s.role, s.role.control, LINK, LINK, &link);
	assert_int_equal(link.role, SP_ROLE_QUEUE);
	tell_stop(&s.role);
	close_stage(&s);
}

/* --- a resolver that was taken over says anything --- */

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* The worker may end the link before it has read all. */
static void put_bytes(int fd, uint16_t type, const char *bytes, size_t len)
{
	struct sp_frame_head head = {(uint32_t)len, type};
	uint8_t start[SP_FRAME_HEAD];

	sp_frame_head_encode(&head, start);
	(void)send(fd, start, sizeof(start), MSG_NOSIGNAL);
	(void)send(fd, bytes, len, MSG_NOSIGNAL);
}

/* The next question; what is taken back of older ones comes before it. */
static void skip_to_ask(struct stage *s, struct sp_msg_ask *out)
{
	struct sp_frame_head head = {0};
	uint8_t bytes[SP_FRAME_HEAD];
	char *payload;

	do {
		assert_true(get(s->resolve, bytes, sizeof(bytes)));
		assert_int_equal(sp_frame_head_decode(bytes, &head), 0);
		payload = sp_arena_alloc(&s->role.arena, head.length + 1);
		assert_true(get(s->resolve, payload, head.length));
	} while (head.type != SP_MSG_ASK);
	memset(out, 0, sizeof(*out));
	assert_int_equal(sp_unpack(SP_MSG_ASK_FIELDS,
	                           sp_str_slice(payload, head.length), false,
	                           &s->role.arena, out),
	                 0);
}

/* An answer to the question with some bytes changed, cut or made up. */
static void put_mutated(struct stage *s, const struct sp_msg_ask *ask,
                        uint32_t *seed)
{
	struct sp_dns_answer *a =
		sp_dns_answer_new(ask->name, (enum sp_dns_type)ask->type);
	struct sp_msg_answer m = {.id = ask->id};
	struct sp_buf bytes, frame;
	char *at;
	size_t len;

	a->dnssec = SP_DNSSEC_SECURE;
	a->result = SP_DNS_NODATA;
	sp_buf_init(&bytes, SP_DNS_ANSWER_BYTES_MAX);
	sp_buf_init(&frame, SP_FRAME_MAX);
	assert_int_equal(sp_dns_answer_encode(a, &bytes), 0);
	m.answer = sp_buf_str(&bytes);
	assert_int_equal(sp_pack(SP_MSG_ANSWER_FIELDS, &m, &frame), 0);
	len = sp_buf_len(&frame);
	at = sp_arena_alloc(&s->role.arena, len);
	memcpy(at, sp_buf_str(&frame).ptr, len);
	for (uint32_t n = next_random(seed) % 8; n > 0; n--) {
		at[next_random(seed) % len] = (char)next_random(seed);
	}
	len -= next_random(seed) % 4 == 0 ? next_random(seed) % len : 0;
	put_bytes(s->resolve,
	          next_random(seed) % 8 == 0 ? (uint16_t)next_random(seed)
	                                     : SP_MSG_ANSWER,
	          at, len);
	sp_buf_fini(&frame);
	sp_buf_fini(&bytes);
	sp_dns_answer_free(&a);
}

/* Ends the link by a frame that has no place there, if it still stands. */
static void link_again(struct stage *s)
{
	struct sp_msg_link link = {0};
	char rest[256];

	put_bytes(s->resolve, SP_MSG_JOB, "", 0);
	while (recv(s->resolve, rest, sizeof(rest), 0) > 0) {
	}
	GET(&s->role, s->role.control, LINK, LINK, &link);
	assert_int_equal(link.role, SP_ROLE_RESOLVE);
	close(s->resolve);
	s->resolve = link_to(&s->role, SP_ROLE_RESOLVE);
}

static void test_resolver_says_anything(void **state)
{
	struct sp_msg_attempt settled = {ATTEMPT};
	uint32_t seed = 2463534242;
	struct sp_msg_ask ask;
	struct stage s;

	(void)state;
	open_stage(&s);
	for (int round = 0; round < 300; round++) {
		job(&s, true);
		skip_to_ask(&s, &ask);
		put_mutated(&s, &ask, &seed);
		link_again(&s);
		PUT(s.queue, SETTLED, ATTEMPT, &settled);
	}
	tell_stop(&s.role);
	close_stage(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivered),
		cmocka_unit_test(test_outcome_again),
		cmocka_unit_test(test_pull_over_a_restart),
		cmocka_unit_test(test_lease_gone),
		cmocka_unit_test(test_body_gone),
		cmocka_unit_test(test_resolve_restarts),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_job_while_stopping),
		cmocka_unit_test(test_broken_link),
		cmocka_unit_test(test_resolver_says_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
