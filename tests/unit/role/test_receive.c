/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive role between a client and a queue, both played here: when is
 * 250 said, and what becomes of a session while the queue says no, says
 * nothing or is away.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "unit/role/process.h"

#define BIG (900u * 1024) /* more than a session holds */

struct stage {
	struct process role;
	struct sp_addr addr;
	int listener;
	int queue;
	int client;
};

static int connect_client(const struct stage *s)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(s->addr.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void hello(struct stage *s)
{
	s->client = connect_client(s);
	expect_line(s->client, "220 ");
	put_text(s->client, "EHLO c.example\r\n");
	while (strncmp(get_line(s->client), "250 ", 4) != 0) {
	}
}

static void open_stage(struct stage *s, const char *receive)
{
	char conf[512], address[SP_ADDR_TEXT];

	*s = (struct stage){0};
	s->listener = listen_here(&s->addr);
	sp_addr_text_port(&s->addr, address);
	snprintf(conf, sizeof(conf),
	         "hostname = \"mx.example\"\n"
	         "listen \"a\" { address = \"%s\" accept_from = "
	         "{\"127.0.0.0/8\"} }\n"
	         "receive { %s }\n",
	         address, receive);
	start(&s->role, SP_ROLE_RECEIVE, conf, &s->listener, 1);
	s->queue = link_to(&s->role, SP_ROLE_QUEUE);
	hello(s);
}

static void close_stage(struct stage *s)
{
	tell_stop(&s->role);
	close(s->client);
	expect_end(&s->role);
	close(s->queue);
	close(s->listener);
}

static void envelope(struct stage *s)
{
	put_text(s->client, "MAIL FROM:<a@c.example>\r\n");
	expect_line(s->client, "250 ");
	put_text(s->client, "RCPT TO:<b@d.example>\r\n");
	expect_line(s->client, "250 ");
	put_text(s->client, "DATA\r\n");
	expect_line(s->client, "354 ");
}

static void lines(struct stage *s, size_t bytes)
{
	char line[100];

	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	for (size_t i = 0; i < bytes; i += sizeof(line)) {
		put(s->client, line, sizeof(line));
	}
}

static struct sp_msg_submit get_submit(struct stage *s)
{
	struct sp_msg_submit m = {0};

	GET(&s->role, s->queue, SUBMIT, SUBMIT, &m);
	return m;
}

static void done(struct stage *s, uint64_t session, bool accepted,
                 uint32_t code)
{
	struct sp_msg_submit_done m = {
		.session = session,
		.accepted = accepted,
		.id = SP_STR("x1"),
		.code = code,
		.enhanced = SP_STR("4.3.1"),
		.text = SP_STR("no room"),
	};

	PUT(s->queue, SUBMIT_DONE, SUBMIT_DONE, &m);
}

static void small_message(struct stage *s)
{
	struct sp_msg_submit m;

	envelope(s);
	put_text(s->client, "Subject: x\r\n\r\nhello\r\n.\r\n");
	m = get_submit(s);
	assert_true(m.complete);
	assert_false(is_readable(s->client, 50)); /* no 250 before the commit */
	done(s, m.session, true, 250);
	expect_line(s->client, "250 2.0.0 Ok: queued as x1");
}

static void test_small(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, "");
	small_message(&s);
	small_message(&s);
	close_stage(&s);
}

static const struct eight_bit_case {
	const char *name, *mail, *text;
	bool body_8bit, smtputf8;
} EIGHT_BIT[] = {
	{"RFC 6152 7-bit", "", "Subject: x\r\n\r\nhello", false, false},
	{"RFC 6152 declared", " BODY=8BITMIME", "Subject: x\r\n\r\nhello", true,
         false},
	{"RFC 6152 body, not declared", "", "Subject: x\r\n\r\n\xc3\xa9", true,
         false},
	{"RFC 6532 header, not declared", "", "Subject: \xc3\xa9\r\n\r\nx",
         true, false},
	{"RFC 6531 3.1.6 header", " SMTPUTF8", "Subject: \xc3\xa9\r\n\r\nx",
         true, true},
	{"RFC 6531 3.1.6 only the envelope may need it", " SMTPUTF8",
         "Subject: x\r\n\r\n\xc3\xa9", true, false},
};

static void test_eight_bit(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, "");
	for (size_t i = 0; i < sizeof(EIGHT_BIT) / sizeof(EIGHT_BIT[0]); i++) {
		const struct eight_bit_case *c = &EIGHT_BIT[i];
		struct sp_msg_submit m;
		char text[256];

		print_message("  %s\n", c->name);
		snprintf(text, sizeof(text), "MAIL FROM:<a@c.example>%s\r\n",
		         c->mail);
		put_text(s.client, text);
		expect_line(s.client, "250 ");
		put_text(s.client, "RCPT TO:<b@d.example>\r\n");
		expect_line(s.client, "250 ");
		put_text(s.client, "DATA\r\n");
		expect_line(s.client, "354 ");
		snprintf(text, sizeof(text), "%s\r\n.\r\n", c->text);
		put_text(s.client, text);
		m = get_submit(&s);
		assert_int_equal(m.envelope.body_8bit, c->body_8bit);
		assert_int_equal(m.envelope.smtputf8, c->smtputf8);
		done(&s, m.session, true, 250);
		expect_line(s.client, "250 ");
	}
	close_stage(&s);
}

/* Our Received names the id that queue is asked to take (RFC 5321 4.4). */
static void test_received(void **state)
{
	struct sp_msg_submit m;
	struct stage s;
	char wanted[64];

	(void)state;
	open_stage(&s, "");
	envelope(&s);
	put_text(s.client, "Subject: x\r\n\r\nhello\r\n.\r\n");
	m = get_submit(&s);
	snprintf(wanted, sizeof(wanted), "\r\n\tid " SP_STR_FMT "\r\n",
	         SP_STR_ARG(m.id));
	assert_int_equal(m.id.len, 20);
	assert_non_null(memmem(m.body.ptr, m.body.len, wanted, strlen(wanted)));
	assert_non_null(
		memmem(m.body.ptr, m.body.len, "\tfor <b@d.example>;", 19));
	done(&s, m.session, true, 250);
	expect_line(s.client, "250 ");
	close_stage(&s);
}

static void test_large(void **state)
{
	struct sp_msg_body_chunk chunk = {0};
	struct sp_msg_submit m;
	struct stage s;
	size_t total;

	(void)state;
	open_stage(&s, "");
	envelope(&s);
	put_text(s.client, "Subject: x\r\n\r\n");
	lines(&s, 200000);
	m = get_submit(&s);
	assert_false(m.complete);
	total = m.body.len;
	assert_false(m.envelope.body_8bit);
	put_text(s.client, "late \xc3\xa9\r\n.\r\n");
	for (uint32_t seq = 1; !chunk.last; seq++) {
		struct sp_msg_session pull = {m.session};

		PUT(s.queue, SUBMIT_PULL, SESSION, &pull);
		GET(&s.role, s.queue, BODY_CHUNK, BODY_CHUNK, &chunk);
		assert_int_equal(chunk.session, m.session);
		assert_int_equal(chunk.seq, seq);
		total += chunk.data.len;
	}
	assert_true(total > 200000 && total < 201000);
	assert_true(chunk.eight_bit);
	done(&s, m.session, true, 250);
	expect_line(s.client, "250 ");
	close_stage(&s);
}

/* A session that was held because the queue did not pull reads on. */
static void test_refused_while_held(void **state)
{
	struct sp_msg_submit m;
	struct stage s;

	(void)state;
	open_stage(&s, "");
	envelope(&s);
	lines(&s, BIG);
	m = get_submit(&s);
	done(&s, m.session, false, 452);
	lines(&s, BIG);
	put_text(s.client, ".\r\n");
	expect_line(s.client, "452 4.3.1 no room");
	small_message(&s);
	close_stage(&s);
}

static void test_queue_gone_while_held(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, "");
	envelope(&s);
	lines(&s, BIG);
	(void)get_submit(&s);
	close(s.queue);
	lines(&s, BIG);
	put_text(s.client, ".\r\n");
	expect_line(s.client, "451 4.3.0");
	s.queue = link_to(&s.role, SP_ROLE_QUEUE);
	small_message(&s);
	close_stage(&s);
}

static void test_queue_gone_while_waiting(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, "");
	envelope(&s);
	put_text(s.client, "hello\r\n.\r\n");
	(void)get_submit(&s);
	close(s.queue);
	expect_line(s.client, "451 4.3.0");
	s.queue = link_to(&s.role, SP_ROLE_QUEUE);
	small_message(&s);
	close_stage(&s);
}

/* The answer to a message that was given up is not the next one's. */
static void test_late_answer(void **state)
{
	struct sp_msg_session abort = {0};
	struct sp_msg_submit first, second;
	struct stage s;

	(void)state;
	open_stage(&s, "size_max = \"100KiB\"");
	envelope(&s);
	lines(&s, 200000);
	first = get_submit(&s);
	put_text(s.client, ".\r\n");
	expect_line(s.client, "552 ");
	GET(&s.role, s.queue, SUBMIT_ABORT, SESSION, &abort);
	assert_int_equal(abort.session, first.session);
	envelope(&s);
	put_text(s.client, "hello\r\n.\r\n");
	second = get_submit(&s);
	assert_int_not_equal(second.session, first.session);
	done(&s, first.session, false, 451);
	done(&s, first.session, true, 250);
	assert_false(is_readable(s.client, 100));
	done(&s, second.session, true, 250);
	expect_line(s.client, "250 ");
	close_stage(&s);
}

/* A refusal is a refusal, whatever its code says. */
static void test_odd_code(void **state)
{
	struct sp_msg_submit m;
	struct stage s;

	(void)state;
	open_stage(&s, "");
	envelope(&s);
	put_text(s.client, "hello\r\n.\r\n");
	m = get_submit(&s);
	done(&s, m.session, false, 250);
	expect_line(s.client, "451 ");
	close_stage(&s);
}

/* The largest envelope there can be still fits into a frame. */
static void test_largest_envelope(void **state)
{
	char local[65], domain[254], orcpt[500];
	struct sp_msg_submit m;
	struct stage s;

	(void)state;
	memset(local, 'l', 64);
	local[64] = '\0';
	for (int i = 0; i < 253; i++) {
		domain[i] = i % 11 == 10 ? '.' : 'd';
	}
	domain[252] = '\0';
	memset(orcpt, 'o', 490);
	orcpt[490] = '\0';
	open_stage(&s, "");
	put_text(s.client, "MAIL FROM:<a@c.example>\r\n");
	expect_line(s.client, "250 ");
	for (int i = 0; i < 1000; i++) {
		char line[1500];

		snprintf(line, sizeof(line),
		         "RCPT TO:<%s@%s> ORCPT=rfc822;%s\r\n", local, domain,
		         orcpt);
		put_text(s.client, line);
		expect_line(s.client, "250 ");
	}
	put_text(s.client, "DATA\r\n");
	expect_line(s.client, "354 ");
	lines(&s, 64000);
	put_text(s.client, ".\r\n");
	m = get_submit(&s);
	assert_int_equal(m.envelope.rcpt_count, 1000);
	done(&s, m.session, true, 250);
	expect_line(s.client, "250 ");
	close_stage(&s);
}

/* Whoever waits for the queue gets its answer, then 421. */
static void test_stop_while_waiting(void **state)
{
	(void)state;
	for (int gone = 0; gone < 2; gone++) {
		struct sp_msg_submit m;
		struct stage s;

		open_stage(&s, "");
		envelope(&s);
		put_text(s.client, "hello\r\n.\r\n");
		m = get_submit(&s);
		tell_stop(&s.role);
		assert_false(is_readable(s.client, 50));
		if (gone) {
			close(s.queue);
			expect_line(s.client, "451 ");
		} else {
			done(&s, m.session, true, 250);
			expect_line(s.client, "250 ");
		}
		expect_line(s.client, "421 4.3.2");
		close(s.client);
		expect_end(&s.role);
		if (!gone) {
			close(s.queue);
		}
		close(s.listener);
	}
}

/* With a session in every state and the parent gone: all is freed. */
static void test_parent_gone(void **state)
{
	struct stage s;
	int idle, half;
	char byte;

	(void)state;
	open_stage(&s, "");
	idle = connect_client(&s);
	expect_line(idle, "220 ");
	half = s.client;
	envelope(&s);
	lines(&s, BIG);
	(void)get_submit(&s);
	shutdown(s.role.control, SHUT_WR);
	expect_line(idle, "421 ");
	assert_false(get(idle, &byte, 1));
	close(idle);
	close(half);
	expect_end(&s.role);
	close(s.queue);
	close(s.listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_eight_bit),
		cmocka_unit_test(test_received),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_refused_while_held),
		cmocka_unit_test(test_queue_gone_while_held),
		cmocka_unit_test(test_queue_gone_while_waiting),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_odd_code),
		cmocka_unit_test(test_largest_envelope),
		cmocka_unit_test(test_stop_while_waiting),
		cmocka_unit_test(test_parent_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
