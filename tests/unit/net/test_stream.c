/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams in clear against a raw descriptor, and in TLS against each other,
 * whole and through a relay that passes one byte at a time.
 */
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
#include "base/mem.h"
#include "net/stream.h"
#include "unit/net/certs.h"

#define IN_MAX 262144

struct side {
	struct bench *bench;
	struct sp_stream *stream;
	char events[64]; /* a letter each, see letter() */
	size_t count;
	enum sp_stream_event stop_at; /* stops the loop */
	bool stops;
	bool free_at_stop;
	bool consume; /* count and drop what arrives */
	size_t received;
	size_t stop_at_bytes; /* 0: never */
};

struct bench {
	struct sp_loop *loop;
	struct side a;
	struct side b;
	int raw; /* the other end of a, for the test itself */
	int listen_fd;
	struct sp_timer *guard;
	struct sp_timer *timer;
	bool inside; /* a call into a stream */
	bool timed_out;
	struct sp_tls_server *server;
	struct cert cert;
	struct sp_arena arena;
};

static char letter(enum sp_stream_event event)
{
	static const char letters[] = {
		[SP_STREAM_CONNECTED] = 'c',  [SP_STREAM_DATA] = 'd',
		[SP_STREAM_DRAINED] = 'w',    [SP_STREAM_TLS_UP] = 'u',
		[SP_STREAM_TLS_FAILED] = 'f', [SP_STREAM_EOF] = 'e',
		[SP_STREAM_ERROR] = 'x',      [SP_STREAM_TIMEOUT] = 't',
	};

	return letters[event];
}

static void note(struct side *side, enum sp_stream_event event)
{
	char c = letter(event);

	/* How many DATA and DRAINED there are is chance: once is enough. */
	if (side->count > 0 && side->events[side->count - 1] == c)
		return;
	assert_true(side->count + 1 < sizeof(side->events));
	side->events[side->count++] = c;
}

static void on_event(void *arg, enum sp_stream_event event)
{
	struct side *side = arg;
	struct sp_buf *in = sp_stream_in(side->stream);

	assert_false(side->bench->inside);
	note(side, event);
	if (event == SP_STREAM_DATA && side->consume) {
		side->received += sp_buf_len(in);
		sp_buf_consume(in, sp_buf_len(in));
		if (side->stop_at_bytes &&
		    side->received >= side->stop_at_bytes)
			sp_loop_stop(side->bench->loop);
	}
	if (side->stops && event == side->stop_at) {
		sp_loop_stop(side->bench->loop);
		if (side->free_at_stop)
			sp_stream_free(&side->stream);
	}
}

static void on_guard(void *arg)
{
	struct bench *b = arg;

	b->timed_out = true;
	sp_loop_stop(b->loop);
}

static void stop_loop(void *arg)
{
	sp_loop_stop(((struct bench *)arg)->loop);
}

/* Runs until a callback stops the loop; never for long. */
static void run(struct bench *b)
{
	sp_timer_set(b->guard, 20000);
	assert_int_equal(sp_loop_run(b->loop), 0);
	sp_timer_stop(b->guard);
	assert_false(b->timed_out);
}

static void run_for(struct bench *b, int64_t ms)
{
	sp_timer_set(b->timer, ms);
	run(b);
}

static void run_until(struct bench *b, struct side *side,
                      enum sp_stream_event event)
{
	side->stops = true;
	side->stop_at = event;
	run(b);
	side->stops = false;
}

static void flush(struct side *side)
{
	side->bench->inside = true;
	sp_stream_flush(side->stream);
	side->bench->inside = false;
}

static void say(struct side *side, const char *text)
{
	assert_int_equal(sp_buf_append_cstr(sp_stream_out(side->stream), text),
	                 0);
	flush(side);
}

static void assert_in(struct side *side, const char *text)
{
	struct sp_str in = sp_buf_str(sp_stream_in(side->stream));

	assert_int_equal(in.len, strlen(text));
	if (in.len)
		assert_memory_equal(in.ptr, text, in.len);
	sp_buf_consume(sp_stream_in(side->stream), in.len);
}

static void raw_send(struct bench *b, struct sp_str bytes)
{
	assert_int_equal(write(b->raw, bytes.ptr, bytes.len), bytes.len);
}

static void raw_say(struct bench *b, const char *text)
{
	raw_send(b, sp_str_from(text));
}

static void raw_expect(struct bench *b, const char *text)
{
	char got[100] = "";

	assert_int_equal(recv(b->raw, got, sizeof(got) - 1, MSG_DONTWAIT),
	                 strlen(text));
	assert_string_equal(got, text);
}

static void make_server(struct bench *b)
{
	struct cert_spec spec = {.cn = "x", .san = "DNS:mx.d.example"};
	struct pem cert = {0};
	struct pem key = {0};
	char why[200];

	b->cert = cert_make(&spec, NULL, NULL, NULL);
	pem_add_cert(&cert, b->cert.x509);
	pem_add_key(&key, b->cert.key);
	assert_int_equal(sp_tls_server_new(pem_str(&cert), pem_str(&key),
	                                   &b->server, why, sizeof(why)),
	                 0);
	sp_free(cert.text);
	sp_free(key.text);
}

static int set_up(void **state)
{
	struct bench *b = SP_NEW(struct bench);
	int fd[2];

	assert_int_equal(sp_tls_setup(), 0);
	b->loop = sp_loop_new();
	b->a.bench = b->b.bench = b;
	b->listen_fd = -1;
	b->guard = sp_timer_new(b->loop, on_guard, b);
	b->timer = sp_timer_new(b->loop, stop_loop, b);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	b->a.stream = sp_stream_accepted(b->loop, fd[0], on_event, &b->a);
	b->raw = fd[1];
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	sp_stream_free(&b->a.stream);
	sp_stream_free(&b->b.stream);
	if (b->raw >= 0)
		close(b->raw);
	if (b->listen_fd >= 0)
		close(b->listen_fd);
	sp_timer_free(&b->guard);
	sp_timer_free(&b->timer);
	sp_loop_free(&b->loop);
	sp_tls_server_free(&b->server);
	if (b->cert.x509)
		cert_drop(&b->cert);
	sp_arena_fini(&b->arena);
	sp_tls_teardown();
	sp_free(b);
	return 0;
}

/* --- clear --- */

static void test_both_ways(void **state)
{
	struct bench *b = *state;

	say(&b->a, "hello");
	run_until(b, &b->a, SP_STREAM_DRAINED);
	raw_expect(b, "hello");
	raw_say(b, "world");
	run_until(b, &b->a, SP_STREAM_DATA);
	assert_in(&b->a, "world");
	assert_string_equal(b->a.events, "wd");
	assert_false(sp_stream_is_tls(b->a.stream));
}

static void test_unflushed_stays_back(void **state)
{
	struct bench *b = *state;

	say(&b->a, "now");
	sp_buf_append_cstr(sp_stream_out(b->a.stream), "later");
	run_until(b, &b->a, SP_STREAM_DRAINED);
	raw_say(b, "x");
	run_until(b, &b->a, SP_STREAM_DATA);
	raw_expect(b, "now");
	flush(&b->a);
	run_until(b, &b->a, SP_STREAM_DRAINED);
	raw_expect(b, "later");
}

static void test_bytes_before_end(void **state)
{
	struct bench *b = *state;

	raw_say(b, "bye");
	close(b->raw);
	b->raw = -1;
	run_until(b, &b->a, SP_STREAM_EOF);
	assert_string_equal(b->a.events, "de");
	assert_in(&b->a, "bye");
}

static void test_half_closed_peer(void **state)
{
	struct bench *b = *state;

	assert_int_equal(shutdown(b->raw, SHUT_WR), 0);
	run_until(b, &b->a, SP_STREAM_EOF);
	say(&b->a, "still here");
	run_until(b, &b->a, SP_STREAM_DRAINED);
	raw_expect(b, "still here");
	run_for(b, 20); /* and no second EOF */
	assert_string_equal(b->a.events, "ew");
}

static void test_pause(void **state)
{
	struct bench *b = *state;

	sp_stream_pause(b->a.stream, true);
	run_for(b, 1);
	raw_say(b, "x");
	run_for(b, 20);
	assert_string_equal(b->a.events, "");
	sp_stream_pause(b->a.stream, false);
	run_until(b, &b->a, SP_STREAM_DATA);
	assert_in(&b->a, "x");
}

/* Writes until the peer and the kernel take no more. */
static size_t raw_fill(struct bench *b)
{
	static const char block[8192];
	size_t total = 0;
	ssize_t n;

	for (;;) {
		n = write(b->raw, block, sizeof(block));
		if (n < 0)
			break;
		total += (size_t)n;
	}
	assert_int_equal(errno, EAGAIN);
	return total;
}

static void test_full_input_rests(void **state)
{
	struct bench *b = *state;
	size_t sent = 0;

	while (sp_buf_len(sp_stream_in(b->a.stream)) < IN_MAX) {
		sent += raw_fill(b);
		run_for(b, 1);
	}
	sent += raw_fill(b);
	run_for(b, 20);
	assert_int_equal(sp_buf_len(sp_stream_in(b->a.stream)), IN_MAX);
	assert_true(sent > IN_MAX);
	b->a.received = IN_MAX;
	b->a.consume = true;
	b->a.stop_at_bytes = sent;
	sp_buf_consume(sp_stream_in(b->a.stream), IN_MAX);
	sp_stream_pause(b->a.stream, false);
	run(b);
	assert_int_equal(b->a.received, sent);
}

static void raw_drain(struct bench *b, size_t want)
{
	static char block[65536];
	size_t got = 0;

	while (got < want) {
		ssize_t n = read(b->raw, block, sizeof(block));

		if (n > 0)
			got += (size_t)n;
		else
			run_for(b, 1);
	}
	assert_int_equal(got, want);
}

static void test_output_larger_than_the_kernel_takes(void **state)
{
	struct bench *b = *state;
	struct sp_buf *out = sp_stream_out(b->a.stream);
	size_t size = 1048576;
	char *room = sp_buf_reserve(out, size);

	assert_non_null(room);
	memset(room, 'x', size);
	sp_buf_commit(out, size);
	assert_int_equal(sp_buf_append_cstr(out, "x"), SP_ELIMIT);
	flush(&b->a);
	raw_drain(b, size);
	run_for(b, 1);
	assert_int_equal(b->a.events[b->a.count - 1], 'w');
}

static void test_timeout(void **state)
{
	struct bench *b = *state;

	sp_stream_timeout(b->a.stream, 1);
	sp_stream_timeout(b->a.stream, -1);
	run_for(b, 20);
	assert_string_equal(b->a.events, "");
	sp_stream_timeout(b->a.stream, 60000);
	sp_stream_timeout(b->a.stream, 5);
	run_until(b, &b->a, SP_STREAM_TIMEOUT);
	assert_string_equal(b->a.events, "t");
}

static void test_freed_in_callback(void **state)
{
	static const enum sp_stream_event events[] = {
		SP_STREAM_DATA, SP_STREAM_DRAINED, SP_STREAM_EOF,
		SP_STREAM_TIMEOUT};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		int fd[2];

		sp_stream_free(&b->a.stream);
		close(b->raw);
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd),
			0);
		b->raw = fd[1];
		b->a = (struct side){.bench = b, .free_at_stop = true};
		b->a.stream =
			sp_stream_accepted(b->loop, fd[0], on_event, &b->a);
		sp_stream_timeout(b->a.stream, 30);
		if (events[i] != SP_STREAM_TIMEOUT) {
			say(&b->a, "x");
			raw_say(b, "y");
		}
		if (events[i] == SP_STREAM_EOF)
			shutdown(b->raw, SHUT_WR);
		run_until(b, &b->a, events[i]);
		assert_null(b->a.stream);
	}
}

static void test_close_after_flush(void **state)
{
	struct bench *b = *state;

	raw_say(b, "unread");
	sp_buf_append_cstr(sp_stream_out(b->a.stream), "221 bye");
	b->inside = true;
	sp_stream_close_after_flush(b->a.stream);
	b->inside = false;
	run_for(b, 20);
	raw_expect(b, "221 bye");
	assert_int_equal(recv(b->raw, &(char){0}, 1, MSG_DONTWAIT), 0);
	assert_string_equal(b->a.events, ""); /* the peer is open yet */
	close(b->raw);
	b->raw = -1;
	run_until(b, &b->a, SP_STREAM_EOF);
	assert_string_equal(b->a.events, "e");
}

static void test_close_after_answer(void **state)
{
	struct bench *b = *state;

	sp_buf_append_cstr(sp_stream_out(b->a.stream), "QUIT");
	sp_stream_close_after_answer(b->a.stream);
	run_for(b, 20);
	raw_expect(b, "QUIT");
	assert_string_equal(b->a.events, "");
	raw_say(b, "221 bye"); /* and stays open */
	run_until(b, &b->a, SP_STREAM_EOF);
	assert_string_equal(b->a.events, "e");
}

/* --- TCP --- */

static struct sp_addr listen_loopback(struct bench *b)
{
	struct sp_addr addr;

	assert_int_equal(sp_addr_parse(SP_STR("127.0.0.1:0"), 0, &addr), 0);
	b->listen_fd = sp_socket_listen(&addr, 8);
	assert_true(b->listen_fd >= 0);
	assert_int_equal(sp_socket_local(b->listen_fd, &addr), 0);
	return addr;
}

static void connect_b(struct bench *b, const struct sp_addr *addr)
{
	b->inside = true;
	b->b.stream = sp_stream_connect(b->loop, addr, NULL, on_event, &b->b);
	b->inside = false;
}

static void accept_raw(struct bench *b)
{
	struct sp_addr peer;
	struct sp_addr local;

	close(b->raw);
	b->raw = sp_socket_accept(b->listen_fd, &peer, &local);
	assert_true(b->raw >= 0);
}

static void test_connect(void **state)
{
	struct bench *b = *state;
	struct sp_addr addr = listen_loopback(b);

	connect_b(b, &addr);
	say(&b->b, "early"); /* waits for the connection */
	run_until(b, &b->b, SP_STREAM_DRAINED);
	assert_string_equal(b->b.events, "cw");
	accept_raw(b);
	raw_expect(b, "early");
	assert_int_equal(sp_stream_peer(b->b.stream)->port, addr.port);
}

static void test_connect_refused(void **state)
{
	struct bench *b = *state;
	struct sp_addr addr = listen_loopback(b);

	close(b->listen_fd);
	b->listen_fd = -1;
	connect_b(b, &addr);
	run_until(b, &b->b, SP_STREAM_ERROR);
	assert_string_equal(b->b.events, "x");
	assert_int_equal(sp_stream_error(b->b.stream), -ECONNREFUSED);
	assert_true(strlen(sp_stream_error_text(b->b.stream)) > 0);
}

static void test_connect_cannot_start(void **state)
{
	struct bench *b = *state;
	struct sp_addr none = {0};

	connect_b(b, &none);
	run_until(b, &b->b, SP_STREAM_ERROR);
	assert_int_equal(sp_stream_error(b->b.stream), -EAFNOSUPPORT);
}

/* The peer says 421, closes with our bytes unread (so it resets), and our
 * next write fails: the 421 must come through first. */
static void test_last_words_before_error(void **state)
{
	struct bench *b = *state;
	struct sp_addr addr = listen_loopback(b);

	connect_b(b, &addr);
	run_until(b, &b->b, SP_STREAM_CONNECTED);
	accept_raw(b);
	sp_stream_pause(b->b.stream, true);
	say(&b->b, "MAIL");
	run_until(b, &b->b, SP_STREAM_DRAINED);
	raw_say(b, "421 bye");
	close(b->raw);
	b->raw = -1;
	say(&b->b, "RCPT");
	run_until(b, &b->b, SP_STREAM_ERROR);
	assert_string_equal(b->b.events, "cwdx");
	assert_in(&b->b, "421 bye");
}

/* With bytes of the peer unread, close would reset the connection and the
 * reply could be lost. */
static void test_close_does_not_reset(void **state)
{
	struct bench *b = *state;
	struct sp_addr addr = listen_loopback(b);
	static const char block[100000];

	connect_b(b, &addr);
	run_until(b, &b->b, SP_STREAM_CONNECTED);
	accept_raw(b);
	assert_true(write(b->raw, block, sizeof(block)) > 0);
	sp_buf_append_cstr(sp_stream_out(b->b.stream), "554 no");
	sp_stream_close_after_flush(b->b.stream);
	run_for(b, 20);
	assert_true(write(b->raw, block, 1) == 1);
	run_for(b, 20);
	raw_expect(b, "554 no");
	shutdown(b->raw, SHUT_WR);
	run_until(b, &b->b, SP_STREAM_EOF);
}

/* --- TLS --- */

/* Passes bytes between two descriptors, at most step at a time. */
struct relay {
	struct bench *bench;
	struct sp_watch *watch[2];
	int fd[2];
	size_t step;
	bool cut; /* the next byte is dropped and both ends closed */
};

static struct relay relay;

static void pass(int from, int to)
{
	char bytes[16384];
	ssize_t n = read(relay.fd[from], bytes, relay.step);

	if (n == 0) {
		sp_watch_set(relay.watch[from], 0);
		shutdown(relay.fd[to], SHUT_WR);
	}
	if (n <= 0)
		return;
	if (relay.cut) {
		for (int i = 0; i < 2; i++) {
			sp_watch_free(&relay.watch[i]);
			shutdown(relay.fd[i], SHUT_RDWR);
		}
		return;
	}
	assert_int_equal(write(relay.fd[to], bytes, (size_t)n), n);
}

static void pass_0(void *arg, int flags)
{
	(void)arg;
	(void)flags;
	pass(0, 1);
}

static void pass_1(void *arg, int flags)
{
	(void)arg;
	(void)flags;
	pass(1, 0);
}

static void relay_start(struct bench *b, size_t step)
{
	int one[2];
	int two[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, one), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, two), 0);
	sp_stream_free(&b->a.stream);
	b->a.stream = sp_stream_accepted(b->loop, one[0], on_event, &b->a);
	b->b.stream = sp_stream_accepted(b->loop, two[0], on_event, &b->b);
	relay = (struct relay){.bench = b, .fd = {one[1], two[1]}};
	relay.step = step;
	relay.watch[0] = sp_watch_new(b->loop, one[1], pass_0, NULL);
	relay.watch[1] = sp_watch_new(b->loop, two[1], pass_1, NULL);
	sp_watch_set(relay.watch[0], SP_IO_READ);
	sp_watch_set(relay.watch[1], SP_IO_READ);
	make_server(b);
}

static void relay_stop(void)
{
	for (int i = 0; i < 2; i++) {
		sp_watch_free(&relay.watch[i]);
		close(relay.fd[i]);
	}
}

static const struct sp_tls_client plain_client = {
	.sni = {"mx.d.example", 12},
	.host_name = {"mx.d.example", 12},
};

/* A server says 220 and turns at once; the client turns on it. */
static void turn_both(struct bench *b)
{
	say(&b->a, "220 go");
	b->inside = true;
	assert_int_equal(sp_stream_start_tls_server(b->a.stream, b->server), 0);
	b->inside = false;
	/* said too early: must wait for TLS */
	say(&b->a, "inside");
	while (sp_buf_len(sp_stream_in(b->b.stream)) < 6)
		run_until(b, &b->b, SP_STREAM_DATA);
	assert_in(&b->b, "220 go");
	b->inside = true;
	assert_int_equal(sp_stream_start_tls_client(b->b.stream, &plain_client),
	                 0);
	b->inside = false;
	while (sp_buf_len(sp_stream_in(b->b.stream)) < 6)
		run_until(b, &b->b, SP_STREAM_DATA);
	assert_in(&b->b, "inside");
	assert_non_null(strchr(b->a.events, 'u'));
	assert_non_null(strchr(b->b.events, 'u'));
	assert_true(sp_stream_is_tls(b->a.stream));
	assert_true(sp_stream_is_tls(b->b.stream));
}

static void check_facts(struct bench *b)
{
	struct sp_tls_seen seen;

	sp_stream_tls_facts(b->b.stream, &b->arena, &seen);
	assert_true(seen.handshake_ok);
	assert_false(seen.dane_active);
	assert_false(seen.dane_matched);
	assert_true(seen.cert_name_matches);
	assert_true(sp_str_eq(seen.protocol, SP_STR("TLSv1.3")));
	sp_stream_tls_facts(b->a.stream, &b->arena, &seen);
	assert_true(seen.handshake_ok);
	assert_true(seen.cipher.len > 0);
}

static void tls_session(struct bench *b, size_t step)
{
	relay_start(b, step);
	turn_both(b);
	check_facts(b);
	for (int i = 0; i < 20; i++)
		say(&b->b, "x");
	while (sp_buf_len(sp_stream_in(b->a.stream)) < 20)
		run_until(b, &b->a, SP_STREAM_DATA);
	assert_in(&b->a, "xxxxxxxxxxxxxxxxxxxx");
	sp_buf_append_cstr(sp_stream_out(b->a.stream), "221 bye");
	sp_stream_close_after_flush(b->a.stream);
	run_until(b, &b->b, SP_STREAM_EOF);
	assert_in(&b->b, "221 bye");
	assert_false(sp_stream_truncated(b->b.stream));
	sp_stream_close_after_flush(b->b.stream);
	run_until(b, &b->a, SP_STREAM_EOF);
	relay_stop();
}

static void test_tls_whole(void **state)
{
	tls_session(*state, 16384);
}

static void test_tls_byte_by_byte(void **state)
{
	tls_session(*state, 1);
}

static void test_tls_three_bytes(void **state)
{
	tls_session(*state, 3);
}

static void test_tls_bulk(void **state)
{
	struct bench *b = *state;
	struct sp_buf *out;
	size_t size = 900000;
	char *room;

	relay_start(b, 16384);
	turn_both(b);
	out = sp_stream_out(b->a.stream);
	room = sp_buf_reserve(out, size);
	assert_non_null(room);
	memset(room, 'x', size);
	sp_buf_commit(out, size);
	b->b.consume = true;
	b->b.stop_at_bytes = size;
	flush(&b->a);
	run(b);
	assert_int_equal(b->b.received, size);
	assert_int_equal(sp_buf_len(out), 0);
	relay_stop();
}

/* Reading that rests with records inside the TLS library goes on, though
 * the descriptor has nothing more to say. */
static void test_tls_full_input_goes_on(void **state)
{
	struct bench *b = *state;
	size_t size = IN_MAX + 5000;
	char *room;

	relay_start(b, 16384);
	turn_both(b);
	room = sp_buf_reserve(sp_stream_out(b->a.stream), size);
	assert_non_null(room);
	memset(room, 'x', size);
	sp_buf_commit(sp_stream_out(b->a.stream), size);
	flush(&b->a);
	while (sp_buf_len(sp_stream_in(b->b.stream)) < IN_MAX)
		run_until(b, &b->b, SP_STREAM_DATA);
	run_for(b, 20);
	sp_buf_consume(sp_stream_in(b->b.stream), IN_MAX);
	sp_stream_pause(b->b.stream, false);
	while (sp_buf_len(sp_stream_in(b->b.stream)) < 5000)
		run_until(b, &b->b, SP_STREAM_DATA);
	relay_stop();
}

static void test_tls_cut_off(void **state)
{
	struct bench *b = *state;

	relay_start(b, 16384);
	turn_both(b);
	relay.cut = true;
	say(&b->a, "lost");
	run_until(b, &b->b, SP_STREAM_EOF);
	assert_true(sp_stream_truncated(b->b.stream));
	say(&b->b, "too late");
	run_until(b, &b->b, SP_STREAM_ERROR);
	assert_int_equal(sp_stream_error(b->b.stream), SP_ECLOSED);
	close(relay.fd[0]);
	close(relay.fd[1]);
}

static void test_tls_freed_when_up(void **state)
{
	struct bench *b = *state;

	relay_start(b, 16384);
	assert_int_equal(sp_stream_start_tls_server(b->a.stream, b->server), 0);
	assert_int_equal(sp_stream_start_tls_client(b->b.stream, &plain_client),
	                 0);
	b->b.free_at_stop = true;
	run_until(b, &b->b, SP_STREAM_TLS_UP);
	assert_null(b->b.stream);
	run_until(b, &b->a, SP_STREAM_EOF);
	assert_false(sp_stream_truncated(b->a.stream));
	relay_stop();
}

static void test_tls_refuses_bytes_said_before(void **state)
{
	struct bench *b = *state;

	raw_say(b, "220 go\r\nEHLO injected\r\n");
	run_until(b, &b->a, SP_STREAM_DATA);
	sp_buf_consume(sp_stream_in(b->a.stream), 8);
	assert_int_equal(sp_stream_start_tls_client(b->a.stream, &plain_client),
	                 SP_EPROTO);
	sp_buf_consume(sp_stream_in(b->a.stream), 15);
	assert_int_equal(sp_stream_start_tls_client(b->a.stream, &plain_client),
	                 0);
	assert_int_equal(sp_stream_start_tls_client(b->a.stream, &plain_client),
	                 -EINVAL);
}

static void fails_on(struct bench *b, struct sp_str answer, int error)
{
	struct sp_tls_seen seen;

	assert_int_equal(sp_stream_start_tls_client(b->a.stream, &plain_client),
	                 0);
	if (answer.len)
		raw_send(b, answer);
	else
		shutdown(b->raw, SHUT_WR);
	run_until(b, &b->a, SP_STREAM_TLS_FAILED);
	assert_string_equal(b->a.events, "f");
	assert_int_equal(sp_stream_error(b->a.stream), error);
	sp_stream_tls_facts(b->a.stream, &b->arena, &seen);
	assert_false(seen.handshake_ok);
	assert_false(seen.dane_matched);
	assert_true(seen.error.len > 0);
	assert_false(sp_stream_is_tls(b->a.stream));
}

static void test_tls_answered_in_clear(void **state)
{
	fails_on(*state, SP_STR("500 what?\r\n"), SP_ETLS);
}

static void test_tls_answered_by_alert(void **state)
{
	/* fatal, handshake_failure (RFC 8446 6.2) */
	fails_on(*state, SP_STR("\x15\x03\x03\x00\x02\x02\x28"), SP_ETLS);
}

static void test_tls_answered_by_end(void **state)
{
	fails_on(*state, SP_STR(""), SP_ECLOSED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_both_ways),
		TEST(test_unflushed_stays_back),
		TEST(test_bytes_before_end),
		TEST(test_half_closed_peer),
		TEST(test_pause),
		TEST(test_full_input_rests),
		TEST(test_output_larger_than_the_kernel_takes),
		TEST(test_timeout),
		TEST(test_freed_in_callback),
		TEST(test_close_after_flush),
		TEST(test_close_after_answer),
		TEST(test_connect),
		TEST(test_connect_refused),
		TEST(test_connect_cannot_start),
		TEST(test_last_words_before_error),
		TEST(test_close_does_not_reset),
		TEST(test_tls_whole),
		TEST(test_tls_byte_by_byte),
		TEST(test_tls_three_bytes),
		TEST(test_tls_bulk),
		TEST(test_tls_full_input_goes_on),
		TEST(test_tls_cut_off),
		TEST(test_tls_freed_when_up),
		TEST(test_tls_refuses_bytes_said_before),
		TEST(test_tls_answered_in_clear),
		TEST(test_tls_answered_by_alert),
		TEST(test_tls_answered_by_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
