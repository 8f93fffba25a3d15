/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name server of our own on the same loop: it answers each question by the
 * case's script. Each UDP question takes the next letter, TCP has its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/dns_server.h"
#include "net/stream.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define PATIENT_MS   20000 /* where an answer comes */
#define SHORT_MS     1500  /* where none does */

struct authority {
	struct sp_loop *loop;
	const char *udp; /* what to do with the next ones: */
			 /* a answer, r refused, t truncated, s silence, */
			 /* i wrong id, q other question, b bytes, */
			 /* c the question itself, f bare FORMERR */
	char tcp;        /* the same, and x: close */
	unsigned asked_udp, asked_tcp;
	bool question_good;
	struct sp_addr address;
	int udp_fd, tcp_fd;
	struct sp_watch *udp_watch, *tcp_watch;
	struct sp_stream *client;
	struct sp_dns_server *server;
	struct sp_dns_server_reply *reply;
};

/* Header flags with DO's companion: no RD, one question, one additional. */
static bool good_question(const unsigned char *q, size_t len)
{
	return len > 12 && !(q[2] & 0x81) && q[5] == 1 && q[11] == 1 &&
	       q[len - 8] == 0x04 && q[len - 7] == 0xd0 && /* 1232 */
	       q[len - 4] == 0x80;                         /* DO */
}

/* The answer to the question; its length, 0: none. */
static size_t answer(char what, unsigned char *q, size_t len)
{
	if (what == 's' || what == 'x') {
		return 0;
	}
	if (what == 'c') {
		return len;
	}
	if (what == 'b') {
		memset(q + 12, 0xc0, len - 12);
	}
	q[2] = what == 't' ? 0x86 : 0x84;
	q[3] = what == 'r' ? 5 : what == 'f' ? 1 : 0;
	q[0] ^= what == 'i';
	if (what == 'q') {
		q[13] ^= 1;
	}
	if (what == 'f') {
		memset(q + 4, 0, 8);
		return 12;
	}
	return len;
}

static void on_udp(void *arg, int flags)
{
	struct authority *a = arg;
	unsigned char bytes[512];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(a->udp_fd, bytes, sizeof(bytes), 0,
	                       (struct sockaddr *)&from, &from_len);

	(void)flags;
	assert_true(len > 0);
	a->question_good = good_question(bytes, (size_t)len);
	a->asked_udp++;
	/* all letters but the last are of one packet each */
	do {
		unsigned char copy[512];
		size_t size;

		memcpy(copy, bytes, sizeof(copy));
		size = answer(*a->udp, copy, (size_t)len);
		if (size) {
			(void)sendto(a->udp_fd, copy, size, 0,
			             (struct sockaddr *)&from, from_len);
		}
	} while (a->udp[0] != 's' && a->udp[1] && *++a->udp);
	if (a->udp[0] == 's' && a->udp[1]) {
		a->udp++;
	}
}

static void on_client(void *arg, enum sp_stream_event event)
{
	struct authority *a = arg;
	struct sp_buf *in = sp_stream_in(a->client);
	unsigned char bytes[514];
	size_t len = sp_buf_len(in);

	if (event != SP_STREAM_DATA || len < 14) {
		return;
	}
	a->asked_tcp++;
	assert_true(len <= sizeof(bytes));
	memcpy(bytes, sp_buf_str(in).ptr, len);
	sp_buf_consume(in, len);
	if (a->tcp == 'x') {
		sp_stream_close_after_flush(a->client);
		return;
	}
	if (answer(a->tcp, bytes + 2, len - 2)) {
		(void)sp_buf_append(sp_stream_out(a->client), bytes, len);
		sp_stream_flush(a->client);
	}
}

static void on_tcp(void *arg, int flags)
{
	struct authority *a = arg;
	struct sp_addr peer, local;
	int fd = sp_socket_accept(a->tcp_fd, &peer, &local);

	(void)flags;
	assert_true(fd >= 0);
	sp_stream_free(&a->client);
	a->client = sp_stream_accepted(a->loop, fd, on_client, a);
}

static void set_up(struct authority *a)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};

	a->loop = sp_loop_new();
	assert_int_equal(sp_addr_parse(SP_STR("127.0.0.1"), 0, &a->address), 0);
	a->tcp_fd = sp_socket_listen(&a->address, 4);
	assert_true(a->tcp_fd >= 0);
	assert_int_equal(sp_socket_local(a->tcp_fd, &a->address), 0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.sin_port = htons(a->address.port);
	a->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(a->udp_fd, (struct sockaddr *)&sa, sizeof(sa)),
	                 0);
	a->udp_watch = sp_watch_new(a->loop, a->udp_fd, on_udp, a);
	a->tcp_watch = sp_watch_new(a->loop, a->tcp_fd, on_tcp, a);
	sp_watch_set(a->udp_watch, SP_IO_READ);
	sp_watch_set(a->tcp_watch, SP_IO_READ);
}

static void close_udp(struct authority *a)
{
	sp_watch_free(&a->udp_watch);
	if (a->udp_fd >= 0) {
		(void)close(a->udp_fd);
	}
	a->udp_fd = -1;
}

static void close_tcp(struct authority *a)
{
	sp_watch_free(&a->tcp_watch);
	if (a->tcp_fd >= 0) {
		(void)close(a->tcp_fd);
	}
	a->tcp_fd = -1;
}

static void tear_down(struct authority *a)
{
	sp_dns_server_free(&a->server);
	sp_dns_server_reply_free(&a->reply);
	sp_stream_free(&a->client);
	close_udp(a);
	close_tcp(a);
	sp_loop_free(&a->loop);
}

static void on_reply(void *arg, struct sp_dns_server_reply *reply)
{
	struct authority *a = arg;

	a->reply = reply;
	sp_dns_server_free(&a->server); /* which is legal here */
	sp_loop_stop(a->loop);
}

static void ask(struct authority *a, bool tcp, int64_t timeout_ms)
{
	const struct sp_dns_server_ask asking = {
		.server = a->address,
		.name = SP_STR("mx.d.test"),
		.type = SP_DNS_TYPE_TLSA,
		.tcp = tcp,
		.timeout_ms = timeout_ms,
	};

	a->server = sp_dns_server_new(a->loop, &asking, on_reply, a);
	assert_null(a->reply);
	assert_int_equal(sp_loop_run(a->loop), 0);
	assert_non_null(a->reply);
}

static const struct server_case {
	const char *name;
	const char *udp;
	char tcp;
	bool from_start; /* TCP */
	bool no_udp, no_tcp;
	int64_t timeout_ms;
	int err;
	int tcp_err;
	bool by_tcp;
	uint8_t rcode;
	unsigned asked_udp; /* at least; 0: not */
} server_cases[] = {
	{.name = "an answer",
         .udp = "a",
         .timeout_ms = PATIENT_MS,
         .asked_udp = 1},
	{.name = "an error is an answer",
         .udp = "r",
         .timeout_ms = PATIENT_MS,
         .rcode = 5,
         .asked_udp = 1},
	{.name = "RFC 6891 7: FORMERR without the question",
         .udp = "f",
         .timeout_ms = PATIENT_MS,
         .rcode = 1,
         .asked_udp = 1},
	{.name = "RFC 5452 9.1: another id, another question, rubbish, our own "
                 "question, then the answer",
         .udp = "iqbca",
         .timeout_ms = PATIENT_MS,
         .asked_udp = 1},
	{.name = "RFC 1035 4.2.1: asked again after silence",
         .udp = "sa",
         .timeout_ms = 6000,
         .asked_udp = 2},
	{.name = "silence",
         .udp = "s",
         .timeout_ms = SHORT_MS,
         .err = SP_ETIMEOUT,
         .asked_udp = 1},
	{.name = "only what is no answer to us",
         .udp = "i",
         .timeout_ms = SHORT_MS,
         .err = SP_EPROTO,
         .asked_udp = 1},
	{.name = "nobody listens",
         .udp = "a",
         .no_udp = true,
         .timeout_ms = PATIENT_MS,
         .err = -ECONNREFUSED},
	{.name = "RFC 7766 5: truncated, then by TCP",
         .udp = "t",
         .tcp = 'a',
         .timeout_ms = PATIENT_MS,
         .by_tcp = true,
         .asked_udp = 1},
	{.name = "truncated, and TCP refused",
         .udp = "t",
         .no_tcp = true,
         .timeout_ms = PATIENT_MS,
         .tcp_err = -ECONNREFUSED,
         .asked_udp = 1},
	{.name = "truncated, and TCP closed without an answer",
         .udp = "t",
         .tcp = 'x',
         .timeout_ms = PATIENT_MS,
         .tcp_err = SP_ECLOSED,
         .asked_udp = 1},
	{.name = "truncated, and TCP silent",
         .udp = "t",
         .tcp = 's',
         .timeout_ms = SHORT_MS,
         .tcp_err = SP_ETIMEOUT,
         .asked_udp = 1},
	{.name = "by TCP from the start",
         .udp = "s",
         .tcp = 'a',
         .from_start = true,
         .timeout_ms = PATIENT_MS,
         .by_tcp = true},
	{.name = "by TCP, another id",
         .udp = "s",
         .tcp = 'i',
         .from_start = true,
         .timeout_ms = PATIENT_MS,
         .err = SP_EPROTO},
};

static void test_asking(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(server_cases); i++) {
		const struct server_case *c = &server_cases[i];
		struct authority a = {.udp = c->udp, .tcp = c->tcp};

		print_message("  %s\n", c->name);
		set_up(&a);
		if (c->no_udp) {
			close_udp(&a);
		}
		if (c->no_tcp) {
			close_tcp(&a);
		}
		ask(&a, c->from_start, c->timeout_ms);
		assert_int_equal(a.reply->err, c->err);
		assert_int_equal(a.reply->tcp_err, c->tcp_err);
		assert_int_equal(a.reply->by_tcp, c->by_tcp);
		assert_int_equal(a.reply->seen.rcode, c->rcode);
		assert_true(a.asked_udp >= c->asked_udp);
		assert_int_equal(a.asked_udp > 0, c->asked_udp > 0);
		assert_int_equal(a.asked_udp > 0, a.question_good);
		tear_down(&a);
	}
}

static void on_never(void *arg, struct sp_dns_server_reply *reply)
{
	(void)arg;
	(void)reply;
	fail();
}

static void test_cancelled(void **state)
{
	struct authority a = {.udp = "a"};
	struct sp_dns_server *early;

	(void)state;
	set_up(&a);
	early = sp_dns_server_new(a.loop,
	                          &(struct sp_dns_server_ask){
					  .server = a.address,
					  .name = SP_STR("."),
					  .type = SP_DNS_TYPE_NS,
					  .timeout_ms = PATIENT_MS,
				  },
	                          on_never, NULL);
	sp_dns_server_free(&early);
	ask(&a, false, PATIENT_MS);
	tear_down(&a);
}

static void test_name_refused(void **state)
{
	struct authority a = {.udp = "a"};

	(void)state;
	set_up(&a);
	a.server = sp_dns_server_new(a.loop,
	                             &(struct sp_dns_server_ask){
					     .server = a.address,
					     .name = SP_STR("a..b"),
					     .type = SP_DNS_TYPE_NS,
					     .timeout_ms = PATIENT_MS,
				     },
	                             on_reply, &a);
	assert_int_equal(sp_loop_run(a.loop), 0);
	assert_int_equal(a.reply->err, SP_ESYNTAX);
	assert_int_equal(a.asked_udp, 0);
	tear_down(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asking),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_name_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
