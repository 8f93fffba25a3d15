/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between roles: framing, limits, descriptors, closing. */
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
#include "ipc/channel.h"
#include "ipc/msg.h"

struct end {
	struct sp_loop *loop;
	struct sp_channel *channel;
	unsigned frames;
	uint16_t type;
	size_t len;
	uint64_t sum;
	int fd;
	int closed;
	unsigned stop_at; /* stop the loop after this many frames */
	unsigned free_at; /* free the channel inside that frame */
};

static int on_frame(void *arg, uint16_t type, struct sp_str payload, int fd)
{
	struct end *e = arg;

	e->frames++;
	e->type = type;
	e->len = payload.len;
	for (size_t i = 0; i < payload.len; i++) {
		e->sum += (unsigned char)payload.ptr[i];
	}
	if (fd >= 0) {
		e->fd = fd;
	}
	if (e->frames == e->free_at) {
		sp_channel_free(&e->channel);
	}
	if (e->frames == e->stop_at) {
		sp_loop_stop(e->loop);
	}
	return 0;
}

static void on_closed(void *arg, int err)
{
	struct end *e = arg;

	e->closed = err;
	sp_loop_stop(e->loop);
}

struct pair {
	struct end a, b;
};

static void open_pair(struct pair *p)
{
	int fds[2];

	*p = (struct pair){.a.fd = -1, .b.fd = -1};
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->a.loop = sp_loop_new();
	p->b.loop = p->a.loop;
	p->a.channel =
		sp_channel_new(p->a.loop, fds[0], on_frame, on_closed, &p->a);
	p->b.channel =
		sp_channel_new(p->a.loop, fds[1], on_frame, on_closed, &p->b);
}

static void close_pair(struct pair *p)
{
	sp_channel_free(&p->a.channel);
	sp_channel_free(&p->b.channel);
	sp_loop_free(&p->a.loop);
}

static void test_sizes(void **state)
{
	static const size_t SIZES[] = {0, 1, 100, 65536, SP_FRAME_MAX};
	struct pair p;
	char *bytes = sp_alloc(SP_FRAME_MAX);

	(void)state;
	memset(bytes, 1, SP_FRAME_MAX);
	for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
		open_pair(&p);
		p.b.stop_at = 2;
		for (int k = 0; k < 2; k++) {
			sp_channel_send_raw(p.a.channel, SP_MSG_JOB,
			                    sp_str_slice(bytes, SIZES[i]), -1);
		}
		assert_int_equal(sp_loop_run(p.a.loop), 0);
		assert_int_equal(p.b.type, SP_MSG_JOB);
		assert_int_equal(p.b.len, SIZES[i]);
		assert_int_equal(p.b.sum, 2 * SIZES[i]);
		assert_int_equal(sp_channel_waiting(p.a.channel), 0);
		close_pair(&p);
	}
	sp_free(bytes);
}

/* Descriptors arrive with the frame that they were sent with, whatever lies
 * in the buffer before. */
static void test_descriptor(void **state)
{
	struct sp_msg_link link = {SP_ROLE_QUEUE, 0, 2};
	struct sp_buf payload;
	struct pair p;
	int pipe_fds[2];
	char byte = 'x';

	(void)state;
	open_pair(&p);
	assert_int_equal(pipe(pipe_fds), 0);
	sp_buf_init(&payload, 100);
	assert_int_equal(sp_pack(SP_MSG_LINK_FIELDS, &link, &payload), 0);
	p.b.stop_at = 3;
	sp_channel_send_raw(p.a.channel, SP_MSG_STOP, SP_STR(""), -1);
	sp_channel_send_raw(p.a.channel, SP_MSG_LINK, sp_buf_str(&payload),
	                    pipe_fds[0]);
	sp_channel_send_raw(p.a.channel, SP_MSG_STOP, SP_STR(""), -1);
	assert_int_equal(sp_loop_run(p.a.loop), 0);
	assert_true(p.b.fd >= 0);
	assert_int_equal(write(pipe_fds[1], &byte, 1), 1);
	byte = 0;
	assert_int_equal(read(p.b.fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(p.b.fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	sp_buf_fini(&payload);
	close_pair(&p);
}

static void test_peer_closes(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	sp_channel_free(&p.a.channel);
	assert_int_equal(sp_loop_run(p.b.loop), 0);
	assert_int_equal(p.b.closed, SP_ECLOSED);
	sp_channel_send_raw(p.b.channel, SP_MSG_STOP, SP_STR(""), -1);
	close_pair(&p);
}

/* What the other side said before it closed is heard, also by one that was
 * just about to write: it may be the outcome of a delivery. */
static void test_last_words(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	for (int i = 0; i < 3; i++) {
		sp_channel_send_raw(p.a.channel, SP_MSG_OUTCOME, SP_STR("abc"),
		                    -1);
	}
	assert_int_equal(sp_channel_drain(p.a.channel, 1000), 0);
	sp_channel_free(&p.a.channel);
	sp_channel_send_raw(p.b.channel, SP_MSG_JOB, SP_STR("x"), -1);
	assert_int_equal(sp_channel_drain(p.b.channel, 1000), SP_ECLOSED);
	sp_channel_send_raw(p.b.channel, SP_MSG_JOB, SP_STR("x"), -1);
	assert_int_equal(sp_loop_run(p.b.loop), 0);
	assert_int_equal(p.b.frames, 3);
	assert_int_equal(p.b.closed, SP_ECLOSED);
	close_pair(&p);
}

static void test_free_inside_callback(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	p.b.free_at = 1;
	p.b.stop_at = 1;
	sp_channel_send_raw(p.a.channel, SP_MSG_STOP, SP_STR("abc"), -1);
	sp_channel_send_raw(p.a.channel, SP_MSG_STOP, SP_STR("abc"), -1);
	assert_int_equal(sp_loop_run(p.a.loop), 0);
	assert_int_equal(p.b.frames, 1);
	close_pair(&p);
}

static const struct bad {
	const char *name;
	uint8_t head[SP_FRAME_HEAD];
	int result;
} BAD[] = {
	{"too long", {1, 0, 32, 0, 3, 0, 0, 0}, SP_ELIMIT},
	{"length of all ones", {255, 255, 255, 255, 3, 0, 0, 0}, SP_ELIMIT},
	{"type 0", {0, 0, 0, 0, 0, 0, 0, 0}, SP_ESYNTAX},
	{"unknown type", {0, 0, 0, 0, 99, 0, 0, 0}, SP_ESYNTAX},
	{"type beyond 16 bits", {0, 0, 0, 0, 3, 0, 1, 0}, SP_ESYNTAX},
};

static void test_bad_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		struct end e = {.fd = -1};
		struct sp_frame_head head;
		int fds[2];

		assert_int_equal(sp_frame_head_decode(BAD[i].head, &head),
		                 BAD[i].result);
		assert_int_equal(socketpair(AF_UNIX,
		                            SOCK_STREAM | SOCK_NONBLOCK, 0,
		                            fds),
		                 0);
		e.loop = sp_loop_new();
		e.channel =
			sp_channel_new(e.loop, fds[0], on_frame, on_closed, &e);
		assert_int_equal(write(fds[1], BAD[i].head, SP_FRAME_HEAD),
		                 SP_FRAME_HEAD);
		assert_int_equal(sp_loop_run(e.loop), 0);
		assert_int_equal(e.closed, BAD[i].result);
		assert_int_equal(e.frames, 0);
		sp_channel_free(&e.channel);
		sp_loop_free(&e.loop);
		close(fds[1]);
	}
}

/* Nothing is lost when the other side is slow to read. */
static void test_backlog(void **state)
{
	struct pair p;
	char block[4096];

	(void)state;
	memset(block, 1, sizeof(block));
	open_pair(&p);
	p.b.stop_at = 1000;
	for (int i = 0; i < 1000; i++) {
		sp_channel_send_raw(p.a.channel, SP_MSG_ANSWER,
		                    sp_str_slice(block, sizeof(block)), -1);
	}
	assert_int_equal(sp_loop_run(p.a.loop), 0);
	assert_int_equal(p.b.sum, 1000 * sizeof(block));
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_peer_closes),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_free_inside_callback),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_backlog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
