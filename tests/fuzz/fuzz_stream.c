/* SPDX-License-Identifier: Apache-2.0 */
/* layer: net */
/*
 * A stream under a script: each byte is one act of the owner or of the peer,
 * with the loop turning in between. Whatever comes: no callback inside a
 * call, no bytes out that were not flushed, no event after it is dead but
 * the one that says so, and the loop comes to rest.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 64
#define TURNS_MAX 200 /* events between two acts; more is a busy loop */

struct script {
	struct sp_loop *loop;
	struct sp_stream *stream;
	struct sp_timer *turn;
	int peer;
	bool inside;
	bool ended; /* ERROR or TLS_FAILED came */
	bool free_next;
	int events;      /* since the last act */
	size_t appended; /* bytes, from the start */
	size_t flushed;
	size_t seen;
	bool tls;
};

static void on_event(void *arg, enum sp_stream_event event)
{
	struct script *s = arg;

	SP_ASSERT(!s->inside);
	SP_ASSERT(s->events++ < TURNS_MAX);
	if (event == SP_STREAM_ERROR || event == SP_STREAM_TLS_FAILED) {
		SP_ASSERT(!s->ended);
		SP_ASSERT(sp_stream_error(s->stream) < 0);
		s->ended = true;
	}
	if (event == SP_STREAM_DATA)
		SP_ASSERT(sp_buf_len(sp_stream_in(s->stream)) > 0);
	if (s->free_next)
		sp_stream_free(&s->stream);
}

static void stop(void *arg)
{
	sp_loop_stop(((struct script *)arg)->loop);
}

/* What arrives in clear is no more than what was flushed. */
static void peer_reads(struct script *s)
{
	char bytes[4096];
	ssize_t n = recv(s->peer, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0)
		s->seen += (size_t)n;
	SP_ASSERT(s->tls || s->seen <= s->flushed);
}

static void owner_writes(struct script *s, uint8_t byte)
{
	struct sp_buf *out = sp_stream_out(s->stream);

	if (sp_buf_append(out, "0123456789abcdef", byte & 15))
		return;
	s->appended += byte & 15;
	if (byte & 16) {
		s->flushed = s->appended;
		sp_stream_flush(s->stream);
	}
}

static void start_tls(struct script *s)
{
	static const struct sp_tlsa record = {
		3, 1, 1, {"0123456789abcdef0123456789abcdef", 32}};
	static const struct sp_tls_client params = {
		.sni = {"mx.d.example", 12},
		.version_min = 0x0303,
		.records = &record,
		.record_count = 1,
	};

	if (sp_stream_start_tls_client(s->stream, &params) == 0)
		s->tls = true;
}

static void act(struct script *s, uint8_t byte)
{
	static const char hello[] = "220 go\r\n";
	static const char alert[] = "\x15\x03\x03\x00\x02\x02\x28";
	struct sp_buf *in = sp_stream_in(s->stream);

	switch (byte >> 5) {
	case 0:
		owner_writes(s, byte);
		break;
	case 1:
		sp_buf_consume(in, byte & 16 ? sp_buf_len(in) : 0);
		break;
	case 2:
		sp_stream_pause(s->stream, byte & 1);
		break;
	case 3:
		start_tls(s);
		break;
	case 4:
		(void)!send(s->peer, byte & 1 ? hello : alert,
		            byte & 1 ? sizeof(hello) - 1 : sizeof(alert) - 1,
		            MSG_NOSIGNAL);
		break;
	case 5:
		shutdown(s->peer, byte & 1 ? SHUT_WR : SHUT_RDWR);
		break;
	case 6:
		sp_stream_timeout(s->stream, byte & 1 ? 0 : -1);
		break;
	default:
		s->free_next = byte & 1;
		if (s->free_next)
			break;
		s->flushed = s->appended; /* close flushes */
		sp_stream_close_after_flush(s->stream);
		break;
	}
}

static void play(struct script *s, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size && i < STEPS_MAX && s->stream; i++) {
		s->events = 0;
		s->inside = true;
		act(s, data[i]);
		s->inside = false;
		for (int turn = 0; turn < 3; turn++) {
			sp_timer_set(s->turn, 0);
			SP_ASSERT(sp_loop_run(s->loop) == 0);
		}
		peer_reads(s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {0};
	int fd[2];

	SP_ASSERT(sp_tls_setup() == 0);
	SP_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	s.loop = sp_loop_new();
	s.turn = sp_timer_new(s.loop, stop, &s);
	s.peer = fd[1];
	s.stream = sp_stream_accepted(s.loop, fd[0], on_event, &s);
	play(&s, data, size);
	sp_stream_free(&s.stream);
	sp_timer_free(&s.turn);
	sp_loop_free(&s.loop);
	close(s.peer);
	return 0;
}
