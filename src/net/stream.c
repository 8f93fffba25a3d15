/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connected stream, in clear or in TLS.
 *
 *	CONNECTING --writable--> OPEN --start_tls--> TURNING --clear bytes-->
 *	                          ^                   sent       HANDSHAKE
 *	                          +------------- TLS_UP ------------+
 *	OPEN --close_after_flush--> CLOSING --flushed--> LINGERING
 *	                                       --peer's end--> DEAD
 *	any  --error--> DEAD
 *
 * One driver (drive) lets the step of the state work until the state rests,
 * then delivers what happened, then sets what to wait for. Only the driver
 * calls the owner, and only the loop calls the driver: functions of the
 * interface change the state and defer the driver, so an owner is never
 * called from inside its own call.
 *
 * Invariants
 * - Events are bits, delivered from the lowest: bytes before the end of the
 *   stream, the end before an error.
 * - Only bytes that were flushed are sent: what an owner holds back (until a
 *   commit, say) stays back, whatever else the stream has to do.
 * - What is in out at start_tls leaves in clear, all that comes later in
 *   TLS; nothing is read in clear after start_tls.
 * - Nothing is asked of the kernel that nobody is ready to handle: no
 *   reading when paused, full or after the end, no waiting for room without
 *   bytes to send. So a level-triggered loop never spins.
 * - `more` says that a read stopped early: TLS may hold bytes then that the
 *   kernel does not know of, and the driver comes back by itself.
 * - What TLS makes of the bytes leaves when the step of the state is over
 *   (push), in one write; the end of a handshake waits for what the owner
 *   says first in TLS.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/stream.h"
#include "net/tls_conn.h"

#define IN_MAX       262144 /* reading rests when so much is waiting */
#define OUT_MAX      1048576
#define TURN_MAX     65536 /* read by one stream before others get a turn */
#define CHUNK        16384 /* also the longest TLS record */
#define KEEP         1024  /* an empty buffer larger than this is given back */
#define PUSH_MIN     65536 /* made by TLS: enough for a write */
#define LINGER_MS    5000  /* for the peer to read our last bytes and close */
#define LINGER_BYTES 262144

#define STATES(X)                                                              \
	X(CONNECTING, connect_step)                                            \
	X(OPEN, open_step)                                                     \
	X(TURNING, turn_step)                                                  \
	X(HANDSHAKE, handshake_step)                                           \
	X(CLOSING, close_step)                                                 \
	X(LINGERING, linger_step)                                              \
	X(DEAD, dead_step)

enum state {
#define SP_X(name, step) STATE_##name,
	STATES(SP_X)
#undef SP_X
};

struct sp_stream {
	struct sp_loop *loop; /* borrowed */
	int fd;               /* owned; -1: none */
	enum state state;
	struct sp_watch *watch;       /* owned; null without a descriptor */
	struct sp_deferred *deferred; /* owned */
	struct sp_timer *timer;       /* owned; the owner's deadline, lazily */
	struct sp_timer *linger;      /* owned; lazily */
	sp_stream_fn *fn;
	void *arg;
	bool *freed; /* on the driver's stack while it runs */

	struct sp_buf in;
	struct sp_buf out;
	size_t flushed;  /* bytes at the front of out that may leave */
	size_t in_clear; /* TURNING: those of them that leave in clear */
	unsigned events; /* bits 1 << sp_stream_event, not yet delivered */

	int ready;          /* sp_io_flags: the descriptor woke us */
	bool more;          /* the last read stopped early */
	bool paused;        /* by the owner */
	bool read_eof;      /* the peer's end was seen */
	bool truncated;     /* in TLS, without close_notify */
	bool write_blocked; /* the kernel has no room */
	bool drains;        /* DRAINED is due when all has left */
	bool notified;      /* close_notify was written */
	bool answered;      /* CLOSING, LINGERING: by the peer's next words */
	enum sp__tls_step read_wants;
	enum sp__tls_step write_wants;
	size_t lingered; /* bytes thrown away */

	struct sp_tls_conn *conn; /* owned; null: clear */
	struct sp_addr peer;
	int error;
	bool error_told;
	char error_text[200];
};

static char scratch[CHUNK]; /* one thread; bytes stay for one read only */

static void post(struct sp_stream *s, enum sp_stream_event event)
{
	s->events |= 1u << event;
}

static void unpost(struct sp_stream *s, enum sp_stream_event event)
{
	s->events &= ~(1u << event);
}

/* The end of the stream; text null: that of the error. */
static void fail(struct sp_stream *s, int error, const char *text,
                 enum sp_stream_event event)
{
	unpost(s,
	       SP_STREAM_CONNECTED); /* then it was the attempt that failed */
	s->state = STATE_DEAD;
	s->error = error;
	s->flushed = 0;
	snprintf(s->error_text, sizeof(s->error_text), "%s",
	         text ? text : sp_strerror(error));
	post(s, event);
}

/* --- bytes in and out --- */

static enum sp__tls_step clear_step(struct sp_stream *s, ssize_t n,
                                    enum sp__tls_step want, size_t *len_out)
{
	*len_out = n > 0 ? (size_t)n : 0;
	if (n > 0) {
		return SP__TLS_DONE;
	}
	if (n == 0) {
		return SP__TLS_CLOSED;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		return want;
	}
	s->error = -errno;
	return SP__TLS_FAILED;
}

static enum sp__tls_step receive(struct sp_stream *s, char *out, size_t cap,
                                 size_t *len_out)
{
	if (s->conn) {
		return sp__tls_read(s->conn, out, cap, len_out);
	}
	return clear_step(s, recv(s->fd, out, cap, 0), SP__TLS_WANT_READ,
	                  len_out);
}

static enum sp__tls_step transmit(struct sp_stream *s, const char *data,
                                  size_t len, size_t *len_out)
{
	if (s->conn && s->state != STATE_TURNING) {
		return sp__tls_write(s->conn, data, len, len_out);
	}
	return clear_step(s, send(s->fd, data, len, MSG_NOSIGNAL),
	                  SP__TLS_WANT_WRITE, len_out);
}

static void io_failed(struct sp_stream *s)
{
	if (s->conn && s->conn->broken) {
		fail(s, s->conn->error, s->conn->error_text, SP_STREAM_ERROR);
	} else {
		fail(s, s->error, NULL, SP_STREAM_ERROR);
	}
}

static void end_of_input(struct sp_stream *s)
{
	s->read_eof = true;
	s->truncated = s->conn && s->conn->truncated;
	/* A TLS connection that was cut can't be written to either. */
	if (s->truncated) {
		fail(s, SP_ECLOSED, NULL, SP_STREAM_EOF);
	} else {
		post(s, SP_STREAM_EOF);
	}
}

static bool may_read(const struct sp_stream *s)
{
	return s->state == STATE_OPEN && !s->read_eof && !s->paused &&
	       sp_buf_room(&s->in) > 0;
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One read; false when there is no point in another one now. */
static bool read_once(struct sp_stream *s, size_t *left)
{
	size_t cap =
		min_size(min_size(sp_buf_room(&s->in), *left), sizeof(scratch));
	size_t len;
	enum sp__tls_step step = receive(s, scratch, cap, &len);

	if (step == SP__TLS_DONE) {
		SP_ASSERT(sp_buf_append(&s->in, scratch, len) == 0);
		post(s, SP_STREAM_DATA);
		*left -= len;
		/* What the kernel has left it tells by itself. */
		s->more = s->conn ? sp__tls_holds_bytes(s->conn) : len == cap;
		return s->more;
	}
	s->more = false;
	s->read_wants = step;
	if (step == SP__TLS_CLOSED) {
		end_of_input(s);
	} else if (step == SP__TLS_FAILED) {
		io_failed(s);
	}
	return false;
}

static void read_some(struct sp_stream *s)
{
	size_t left = TURN_MAX;

	if (!(s->ready & SP_IO_READ) && !s->more) {
		return;
	}
	s->more = true;
	while (may_read(s) && left > 0) {
		if (!read_once(s, &left)) {
			break;
		}
	}
}

/* In clear a peer's last words (421 and close) may still wait in the kernel
 * when writing to it fails: they are worth more than the error. */
static void rescue_input(struct sp_stream *s)
{
	size_t len;

	if (s->conn) {
		return;
	}
	while (sp_buf_room(&s->in) > 0 && !s->read_eof) {
		size_t cap = min_size(sp_buf_room(&s->in), sizeof(scratch));
		ssize_t n = recv(s->fd, scratch, cap, 0);

		if (n <= 0) {
			return;
		}
		len = (size_t)n;
		SP_ASSERT(sp_buf_append(&s->in, scratch, len) == 0);
		post(s, SP_STREAM_DATA);
	}
}

static size_t may_write(const struct sp_stream *s)
{
	size_t limit = s->state == STATE_TURNING ? s->in_clear : s->flushed;

	return min_size(limit, sp_buf_len(&s->out));
}

static void wrote(struct sp_stream *s, size_t len)
{
	sp_buf_consume(&s->out, len);
	s->flushed -= min_size(len, s->flushed);
	s->in_clear -= min_size(len, s->in_clear);
	s->drains = s->state == STATE_OPEN;
}

static void write_stopped(struct sp_stream *s, enum sp__tls_step step)
{
	if (step == SP__TLS_FAILED || step == SP__TLS_CLOSED) {
		int error = s->error ? s->error : SP_ECLOSED;

		rescue_input(s);
		s->error = error;
		io_failed(s);
	} else {
		s->write_wants = step;
		s->write_blocked = true;
	}
}

static size_t unsent(const struct sp_stream *s)
{
	return s->conn ? sp__tls_unsent(s->conn) : 0;
}

/* What TLS has made, to the kernel. */
static void push(struct sp_stream *s)
{
	enum sp__tls_step step;

	if (unsent(s) == 0 || s->write_blocked) {
		return;
	}
	step = sp__tls_send(s->conn);
	if (step != SP__TLS_DONE && s->state != STATE_DEAD) {
		write_stopped(s, step);
	}
}

static void write_some(struct sp_stream *s)
{
	size_t len;

	while ((len = may_write(s)) > 0 && !s->write_blocked) {
		enum sp__tls_step step = transmit(s, sp_buf_str(&s->out).ptr,
		                                  min_size(len, CHUNK), &len);

		if (step != SP__TLS_DONE) {
			write_stopped(s, step);
			return;
		}
		wrote(s, len);
		if (unsent(s) >= PUSH_MIN) {
			push(s);
		}
	}
}

static void note_drained(struct sp_stream *s)
{
	if (s->drains && s->state == STATE_OPEN && s->flushed == 0 &&
	    unsent(s) == 0) {
		s->drains = false;
		post(s, SP_STREAM_DRAINED);
	}
}

/* --- the states --- */

static void connect_step(struct sp_stream *s)
{
	if (!s->ready) {
		return;
	}
	/* Where it failed there is something to read, and that read fails. */
	s->state = STATE_OPEN;
	s->ready &= SP_IO_READ;
	post(s, SP_STREAM_CONNECTED);
}

static void open_step(struct sp_stream *s)
{
	read_some(s);
	if (s->state == STATE_OPEN) {
		write_some(s);
	}
}

static void turn_step(struct sp_stream *s)
{
	write_some(s);
	if (s->state == STATE_TURNING && may_write(s) == 0) {
		s->state = STATE_HANDSHAKE;
	}
}

static void handshake_step(struct sp_stream *s)
{
	enum sp__tls_step step = sp__tls_handshake(s->conn);

	if (step == SP__TLS_FAILED) {
		fail(s, s->conn->error, s->conn->error_text,
		     SP_STREAM_TLS_FAILED);
		return;
	}
	s->read_wants = step;
	if (step != SP__TLS_DONE) {
		return;
	}
	s->state = STATE_OPEN;
	s->read_wants = SP__TLS_WANT_READ;
	s->write_blocked = false;
	s->more = true; /* the peer may have said more already */
	post(s, SP_STREAM_TLS_UP);
	sp_deferred_call(s->deferred); /* to push */
}

static void on_linger(void *arg);

static void close_step(struct sp_stream *s)
{
	write_some(s);
	if (s->state != STATE_CLOSING || may_write(s) > 0) {
		return;
	}
	if (s->conn && !s->notified) {
		s->notified = true;
		sp__tls_close_notify(s->conn);
	}
	push(s);
	if (s->state != STATE_CLOSING || unsent(s) > 0) {
		return;
	}
	sp__tls_conn_free(&s->conn);
	if (!s->answered) { /* else both know that it is over */
		(void)shutdown(s->fd, SHUT_WR); /* fails where it is gone */
	}
	if (s->read_eof) {
		s->state = STATE_DEAD;
		post(s, SP_STREAM_EOF);
		return;
	}
	/* Closing now, with bytes of the peer unread, would make the kernel
	 * reset the connection and could cost the peer our last reply. */
	s->state = STATE_LINGERING;
	s->ready = 0;
	s->linger = sp_timer_new(s->loop, on_linger, s);
	sp_timer_set(s->linger, LINGER_MS);
}

static void linger_step(struct sp_stream *s)
{
	ssize_t n;

	if (!(s->ready & SP_IO_READ)) {
		return;
	}
	do {
		n = recv(s->fd, scratch, sizeof(scratch), 0);
		s->lingered += n > 0 ? (size_t)n : 0;
	} while (n > 0 && !s->answered && s->lingered < LINGER_BYTES);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	s->state = STATE_DEAD;
	post(s, SP_STREAM_EOF);
}

static void dead_step(struct sp_stream *s)
{
	(void)s;
}

static void advance(struct sp_stream *s)
{
	static void (*const steps[])(struct sp_stream *) = {
#define SP_X(name, step) [STATE_##name] = (step),
		STATES(SP_X)
#undef SP_X
	};
	enum state was;

	do {
		was = s->state;
		steps[was](s);
	} while (s->state != was);
	s->ready = 0;
}

/* --- the driver --- */

static int io_flags(enum sp__tls_step wants, int otherwise)
{
	if (wants == SP__TLS_WANT_READ) {
		return SP_IO_READ;
	}
	return wants == SP__TLS_WANT_WRITE ? SP_IO_WRITE : otherwise;
}

static int wanted(const struct sp_stream *s)
{
	int flags = 0;

	if (s->state == STATE_DEAD) {
		return 0;
	}
	if (s->state == STATE_CONNECTING) {
		return SP_IO_WRITE | SP_IO_READ;
	}
	if (s->state == STATE_LINGERING) {
		return SP_IO_READ;
	}
	if (s->state == STATE_HANDSHAKE || may_read(s)) {
		flags |= io_flags(s->read_wants, SP_IO_READ);
	}
	if (s->write_blocked) {
		flags |= io_flags(s->write_wants, SP_IO_WRITE);
	}
	return flags;
}

/* False when the stream was freed by its owner. */
static bool deliver(struct sp_stream *s)
{
	bool freed = false;

	s->freed = &freed;
	while (s->events) {
		int event = __builtin_ctz(s->events);

		s->events &= ~(1u << event);
		if (event == SP_STREAM_ERROR || event == SP_STREAM_TLS_FAILED) {
			s->error_told = true;
		}
		s->fn(s->arg, (enum sp_stream_event)event);
		if (freed) {
			return false;
		}
	}
	s->freed = NULL;
	return true;
}

static void drive(struct sp_stream *s)
{
	advance(s);
	if (!(s->events & 1u << SP_STREAM_TLS_UP)) {
		push(s);
	}
	note_drained(s);
	if (!deliver(s)) {
		return;
	}
	sp_buf_give_back(&s->in, KEEP);
	sp_buf_give_back(&s->out, KEEP);
	if (s->watch) {
		sp_watch_set(s->watch, wanted(s));
	}
	/* The owner made room, or others had their turn: go on reading. */
	if (s->more && may_read(s)) {
		sp_deferred_call(s->deferred);
	}
}

static void on_io(void *arg, int flags)
{
	struct sp_stream *s = arg;

	s->ready = flags;
	s->write_blocked = false;
	if (s->conn && flags & SP_IO_READ) {
		sp__tls_readable(s->conn);
	}
	drive(s);
}

static void on_deferred(void *arg)
{
	drive(arg);
}

static void on_timer(void *arg)
{
	post(arg, SP_STREAM_TIMEOUT);
	drive(arg);
}

static void on_linger(void *arg)
{
	struct sp_stream *s = arg;

	s->state = STATE_DEAD;
	post(s, SP_STREAM_EOF);
	drive(s);
}

/* --- lifecycle --- */

static struct sp_stream *stream_new(struct sp_loop *loop, int fd,
                                    sp_stream_fn *fn, void *arg)
{
	struct sp_stream *s = SP_NEW(struct sp_stream);

	SP_ASSERT(fn);
	s->loop = loop;
	s->fd = fd;
	s->fn = fn;
	s->arg = arg;
	s->read_wants = SP__TLS_WANT_READ;
	sp_buf_init(&s->in, IN_MAX);
	sp_buf_init(&s->out, OUT_MAX);
	s->deferred = sp_deferred_new(loop, on_deferred, s);
	if (fd >= 0) {
		s->watch = sp_watch_new(loop, fd, on_io, s);
		sp_watch_set(s->watch, wanted(s));
	}
	return s;
}

struct sp_stream *sp_stream_connect(struct sp_loop *loop,
                                    const struct sp_addr *addr,
                                    const struct sp_addr *source,
                                    sp_stream_fn *fn, void *arg)
{
	int fd = sp_socket_connect(addr, source);
	struct sp_stream *s = stream_new(loop, fd < 0 ? -1 : fd, fn, arg);

	s->peer = *addr;
	if (fd < 0) {
		fail(s, fd, NULL, SP_STREAM_ERROR);
		sp_deferred_call(s->deferred);
	}
	return s;
}

struct sp_stream *sp_stream_accepted(struct sp_loop *loop, int fd,
                                     sp_stream_fn *fn, void *arg)
{
	struct sp_stream *s = stream_new(loop, fd, fn, arg);

	s->state = STATE_OPEN;
	/* One that is gone already tells so by its first read. */
	(void)sp_socket_peer(fd, &s->peer);
	sp_watch_set(s->watch, wanted(s));
	return s;
}

void sp_stream_free(struct sp_stream **stream)
{
	struct sp_stream *s = *stream;

	if (!s) {
		return;
	}
	if (s->freed) {
		*s->freed = true;
	}
	if (s->conn && s->state == STATE_OPEN) {
		if (s->flushed == 0) {
			sp__tls_close_notify(s->conn);
		}
		(void)sp__tls_send(s->conn);
	}
	sp_watch_free(&s->watch);
	sp_deferred_free(&s->deferred);
	sp_timer_free(&s->timer);
	sp_timer_free(&s->linger);
	sp__tls_conn_free(&s->conn);
	if (s->fd >= 0) {
		close(s->fd);
	}
	sp_buf_fini(&s->in);
	sp_buf_fini(&s->out);
	SP_FREE(stream);
}

/* --- use --- */

struct sp_buf *sp_stream_in(struct sp_stream *stream)
{
	return &stream->in;
}

struct sp_buf *sp_stream_out(struct sp_stream *stream)
{
	return &stream->out;
}

void sp_stream_flush(struct sp_stream *stream)
{
	struct sp_stream *s = stream;

	if (s->state != STATE_DEAD) {
		s->flushed = sp_buf_len(&s->out);
	} else if (!s->error) {
		fail(s, SP_ECLOSED, NULL, SP_STREAM_ERROR);
	} else if (!s->error_told) {
		post(s, SP_STREAM_ERROR);
	}
	sp_deferred_call(s->deferred);
}

void sp_stream_pause(struct sp_stream *stream, bool paused)
{
	stream->paused = paused;
	sp_deferred_call(stream->deferred);
}

void sp_stream_close_after_flush(struct sp_stream *stream)
{
	struct sp_stream *s = stream;

	unpost(s, SP_STREAM_DATA);
	unpost(s, SP_STREAM_DRAINED);
	if (s->state == STATE_OPEN) {
		s->state = STATE_CLOSING;
		s->flushed = sp_buf_len(&s->out);
		unpost(s, SP_STREAM_EOF);
	} else if (s->state != STATE_CLOSING && s->state != STATE_LINGERING) {
		s->state = STATE_DEAD;
		post(s, SP_STREAM_EOF);
	}
	sp_deferred_call(s->deferred);
}

void sp_stream_close_after_answer(struct sp_stream *stream)
{
	stream->answered = true;
	sp_stream_close_after_flush(stream);
}

/* --- TLS --- */

static int check_start(const struct sp_stream *s)
{
	if (s->state == STATE_DEAD) {
		return s->error ? s->error : SP_ECLOSED;
	}
	if (s->state != STATE_OPEN || s->conn) {
		return -EINVAL;
	}
	/* Said in clear before the handshake, perhaps by another (RFC 3207
	 * 4.2; CVE-2011-0411): not to be taken for the peer's words. */
	return sp_buf_len(&s->in) > 0 ? SP_EPROTO : 0;
}

static int start(struct sp_stream *s, struct sp_tls_conn *conn)
{
	int rc = sp__tls_conn_set_fd(conn, s->fd);

	if (rc < 0) {
		sp__tls_conn_free(&conn);
		return rc;
	}
	s->conn = conn;
	s->flushed = s->in_clear = sp_buf_len(&s->out);
	s->state = STATE_TURNING;
	unpost(s, SP_STREAM_DATA);
	unpost(s, SP_STREAM_DRAINED);
	unpost(s, SP_STREAM_EOF);
	s->drains = false;
	s->read_eof = false; /* the handshake will see it for itself */
	sp_deferred_call(s->deferred);
	return 0;
}

int sp_stream_start_tls_client(struct sp_stream *stream,
                               const struct sp_tls_client *params)
{
	struct sp_tls_conn *conn = NULL;
	int rc = check_start(stream);

	if (rc == 0) {
		rc = sp__tls_client_new(params, &conn);
	}
	return rc < 0 ? rc : start(stream, conn);
}

int sp_stream_start_tls_server(struct sp_stream *stream,
                               struct sp_tls_server *server)
{
	int rc = check_start(stream);

	if (rc < 0) {
		return rc;
	}
	return start(stream, sp__tls_server_conn_new(server));
}

bool sp_stream_is_tls(const struct sp_stream *stream)
{
	return stream->conn && stream->conn->up;
}

void sp_stream_tls_facts(struct sp_stream *stream, struct sp_arena *arena,
                         struct sp_tls_seen *seen_out)
{
	static const struct sp_tls_seen nothing = {
		.matched_usage = -1,
		.matched_selector = -1,
		.matched_matching = -1,
		.matched_depth = -1,
		.verify = SP_TLS_VERIFY_CHAIN,
	};

	if (stream->conn) {
		sp__tls_seen_copy(&stream->conn->seen, arena, seen_out);
	} else {
		*seen_out = nothing;
	}
}

void sp_stream_tls_chain(struct sp_stream *stream, struct sp_arena *arena,
                         struct sp_tls_chain *chain_out)
{
	*chain_out = (struct sp_tls_chain){0};
	if (stream->conn && stream->conn->up) {
		sp__tls_chain(stream->conn, arena, chain_out);
	}
}

/* --- inspection --- */

void sp_stream_timeout(struct sp_stream *stream, int64_t delay_ms)
{
	unpost(stream, SP_STREAM_TIMEOUT); /* that of an older deadline */
	if (delay_ms < 0) {
		if (stream->timer) {
			sp_timer_stop(stream->timer);
		}
		return;
	}
	if (!stream->timer) {
		stream->timer = sp_timer_new(stream->loop, on_timer, stream);
	}
	sp_timer_set(stream->timer, delay_ms);
}

int sp_stream_error(const struct sp_stream *stream)
{
	return stream->error;
}

const char *sp_stream_error_text(const struct sp_stream *stream)
{
	return stream->error_text;
}

bool sp_stream_truncated(const struct sp_stream *stream)
{
	return stream->truncated;
}

const struct sp_addr *sp_stream_peer(const struct sp_stream *stream)
{
	return &stream->peer;
}

int sp_stream_local(const struct sp_stream *stream, struct sp_addr *addr_out)
{
	return sp_socket_local(stream->fd, addr_out);
}
