/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket pair's end on the loop. What is sent in one turn gathers in one
 * buffer and leaves by one write at the end of the turn, or as the other
 * side takes it: nothing here ever blocks. A descriptor travels with the
 * first byte of its frame.
 *
 *        send()                       readable
 *   OPEN ──────▶ out ──flush──▶ fd        fd ──▶ in ──whole frame──▶ on_frame
 *    │                                            │ EOF, error, bad frame,
 *    ├─ peer closed: out is dropped, in is read to its end
 *    └───────────────▶ CLOSED ◀───────────────────┘ negative on_frame
 *                         └─ on_closed, once, from the loop
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "ipc/channel.h"

#define READ_SIZE (64u * 1024)
#define KEEP      (4 * READ_SIZE) /* of a buffer that is empty */
#define FDS_MAX   16              /* descriptors waiting on either side */

struct waiting_fd {
	struct sp_list node;
	int fd;
	uint64_t at; /* stream offset of its frame's first byte */
};

struct sp_channel {
	struct sp_loop *loop;      /* borrowed */
	int fd;                    /* owned; -1: closed */
	struct sp_watch *watch;    /* owned */
	struct sp_deferred *flush; /* owned */
	struct sp_buf in;
	struct sp_buf out;
	uint64_t sent_bytes;
	struct sp_list out_fds;
	int in_fds[FDS_MAX];
	size_t in_fd_count;
	sp_channel_frame_fn *on_frame;
	sp_channel_closed_fn *on_closed;
	void *arg;
	int err;
	bool deaf; /* the other side takes nothing any more */
	bool busy; /* inside on_frame */
	bool dead; /* freed inside on_frame */
};

static void close_fds(struct sp_channel *c)
{
	for (size_t i = 0; i < c->in_fd_count; i++) {
		close(c->in_fds[i]);
	}
	c->in_fd_count = 0;
	SP_LIST_FOREACH_SAFE (it, next, &c->out_fds) {
		struct waiting_fd *w =
			SP_CONTAINER(it, struct waiting_fd, node);

		close(w->fd);
		sp_list_remove(it);
		sp_free(w);
	}
}

/* The descriptor goes at once; the owner hears of it from the loop. */
static void fail(struct sp_channel *c, int err)
{
	if (c->fd < 0) {
		return;
	}
	sp_watch_free(&c->watch);
	close(c->fd);
	c->fd = -1;
	c->err = err;
	close_fds(c);
	sp_deferred_call(c->flush);
}

/* The other side has closed. What it said before is in the socket still and
 * must be heard: it may be the outcome of a delivery. The end follows. */
static void stop_writing(struct sp_channel *c)
{
	c->deaf = true;
	sp_buf_reset(&c->out);
}

static void update_watch(struct sp_channel *c)
{
	if (c->fd >= 0) {
		sp_watch_set(c->watch,
		             SP_IO_READ |
		                     (sp_buf_len(&c->out) ? SP_IO_WRITE : 0));
	}
}

/* The descriptor due at the current offset, or null; bytes_out is how much
 * may be written before the next one is due. */
static struct waiting_fd *due_fd(struct sp_channel *c, size_t *bytes_out)
{
	struct sp_list *first = sp_list_first(&c->out_fds);
	struct waiting_fd *w;

	*bytes_out = sp_buf_len(&c->out);
	if (!first) {
		return NULL;
	}
	w = SP_CONTAINER(first, struct waiting_fd, node);
	if (w->at > c->sent_bytes) {
		*bytes_out = (size_t)(w->at - c->sent_bytes);
		return NULL;
	}
	*bytes_out = 1;
	return w;
}

static ssize_t write_some(struct sp_channel *c)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = c->out.data + c->out.start};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct waiting_fd *w = due_fd(c, &iov.iov_len);
	ssize_t n;

	if (w) {
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &w->fd, sizeof(int));
	}
	n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0 && w) {
		close(w->fd);
		sp_list_remove(&w->node);
		sp_free(w);
	}
	return n;
}

static void flush_out(struct sp_channel *c)
{
	while (c->fd >= 0 && sp_buf_len(&c->out)) {
		ssize_t n = write_some(c);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			break;
		}
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
			stop_writing(c);
			break;
		}
		if (n <= 0) {
			fail(c, n < 0 ? -errno : SP_ECLOSED);
			return;
		}
		sp_buf_consume(&c->out, (size_t)n);
		c->sent_bytes += (uint64_t)n;
	}
	sp_buf_give_back(&c->out, KEEP);
	update_watch(c);
}

static void on_flush(void *arg)
{
	struct sp_channel *c = arg;

	if (c->fd >= 0) {
		flush_out(c);
	}
	if (c->fd < 0 && c->on_closed) {
		sp_channel_closed_fn *fn = c->on_closed;

		c->on_closed = NULL;
		fn(c->arg, c->err);
	}
}

static void take_fds(struct sp_channel *c, struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h;
	     h = CMSG_NXTHDR(msg, h)) {
		size_t count;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (c->in_fd_count < FDS_MAX) {
				c->in_fds[c->in_fd_count++] = fd;
			} else {
				close(fd);
			}
		}
	}
}

static int read_some(struct sp_channel *c)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = sp_buf_reserve(&c->in, READ_SIZE),
	                    .iov_len = READ_SIZE};
	struct msghdr msg = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = control.room,
	                     .msg_controllen = sizeof(control.room)};
	ssize_t n;

	SP_ASSERT(iov.iov_base);
	n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == ECONNRESET) {
		return SP_ECLOSED; /* with something of ours unread */
	}
	if (n < 0) {
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	}
	take_fds(c, &msg);
	if (n == 0) {
		return SP_ECLOSED;
	}
	sp_buf_commit(&c->in, (size_t)n);
	return 0;
}

/* 1: a frame was handed over; 0: more bytes are needed; negative: end. */
static int next_frame(struct sp_channel *c)
{
	struct sp_str bytes = sp_buf_str(&c->in);
	struct sp_frame_head head;
	int fd = -1;
	int r;

	if (bytes.len < SP_FRAME_HEAD) {
		return 0;
	}
	r = sp_frame_head_decode((const uint8_t *)bytes.ptr, &head);
	if (r) {
		return r;
	}
	if (bytes.len < SP_FRAME_HEAD + head.length) {
		return 0;
	}
	if (head.type == 1 && c->in_fd_count) { /* SP_MSG_LINK */
		fd = c->in_fds[0];
		c->in_fd_count--;
		memmove(c->in_fds, c->in_fds + 1, c->in_fd_count * sizeof(int));
	}
	r = c->on_frame(c->arg, head.type,
	                sp_str_sub(bytes, SP_FRAME_HEAD, head.length), fd);
	sp_buf_consume(&c->in, SP_FRAME_HEAD + head.length);
	sp_buf_give_back(&c->in, KEEP);
	return r < 0 ? r : 1;
}

static void really_free(struct sp_channel *c)
{
	if (c->fd >= 0) {
		sp_watch_free(&c->watch);
		close(c->fd);
	}
	close_fds(c);
	sp_deferred_free(&c->flush);
	sp_buf_fini(&c->in);
	sp_buf_fini(&c->out);
	sp_free(c);
}

static void on_readable(struct sp_channel *c)
{
	int r = read_some(c);

	if (r == -EAGAIN) {
		return;
	}
	c->busy = true;
	while (!r && !c->dead && c->fd >= 0) {
		r = next_frame(c);
		if (r == 0) {
			break;
		}
		r = r > 0 ? 0 : r;
	}
	c->busy = false;
	if (c->dead) {
		really_free(c);
	} else if (r < 0) {
		fail(c, r);
	}
}

static void on_io(void *arg, int flags)
{
	struct sp_channel *c = arg;

	if (flags & SP_IO_WRITE) {
		flush_out(c);
	}
	if ((flags & SP_IO_READ) && c->fd >= 0) {
		on_readable(c);
	}
}

struct sp_channel *sp_channel_new(struct sp_loop *loop, int fd,
                                  sp_channel_frame_fn *on_frame,
                                  sp_channel_closed_fn *on_closed, void *arg)
{
	struct sp_channel *c = SP_NEW(struct sp_channel);

	c->loop = loop;
	c->fd = fd;
	c->on_frame = on_frame;
	c->on_closed = on_closed;
	c->arg = arg;
	sp_list_init(&c->out_fds);
	sp_buf_init(&c->in, SP_FRAME_HEAD + SP_FRAME_MAX + READ_SIZE);
	sp_buf_init(&c->out, SP_CHANNEL_OUT_MAX);
	c->flush = sp_deferred_new(loop, on_flush, c);
	c->watch = sp_watch_new(loop, fd, on_io, c);
	sp_watch_set(c->watch, SP_IO_READ);
	return c;
}

void sp_channel_free(struct sp_channel **channel)
{
	struct sp_channel *c = *channel;

	if (!c) {
		return;
	}
	*channel = NULL;
	if (c->busy) {
		c->dead = true;
		return;
	}
	really_free(c);
}

void sp_channel_send_raw(struct sp_channel *c, uint16_t type,
                         struct sp_str payload, int fd)
{
	struct sp_frame_head head = {(uint32_t)payload.len, type};
	uint8_t bytes[SP_FRAME_HEAD];

	SP_ASSERT(payload.len <= SP_FRAME_MAX);
	if (c->fd < 0 || c->deaf) {
		return;
	}
	if (fd >= 0) {
		struct waiting_fd *w = SP_NEW(struct waiting_fd);

		w->fd = dup(fd);
		w->at = c->sent_bytes + sp_buf_len(&c->out);
		sp_list_append(&c->out_fds, &w->node);
		if (w->fd < 0) {
			fail(c, -errno);
			return;
		}
	}
	sp_frame_head_encode(&head, bytes);
	if (sp_buf_append(&c->out, bytes, sizeof(bytes)) ||
	    sp_buf_append_str(&c->out, payload)) {
		fail(c, SP_ELIMIT);
		return;
	}
	sp_deferred_call(c->flush);
}

void sp_channel_send(struct sp_channel *c, uint16_t type,
                     const struct sp_pack_field *fields, const void *obj)
{
	struct sp_frame_head head = {0, type};
	uint8_t bytes[SP_FRAME_HEAD] = {0};
	size_t before = sp_buf_len(&c->out);
	int r;

	if (c->fd < 0 || c->deaf) {
		return;
	}
	/* Packed where it leaves from; the head is known behind that. */
	r = sp_buf_append(&c->out, bytes, sizeof(bytes));
	if (r == 0 && fields) {
		r = sp_pack(fields, obj, &c->out);
	}
	head.length = (uint32_t)(sp_buf_len(&c->out) - before - sizeof(bytes));
	if (r && sp_buf_error(&c->out)) {
		fail(c, SP_ELIMIT); /* the other side takes too little */
		return;
	}
	SP_ASSERT(r == 0 && head.length <= SP_FRAME_MAX);
	sp_frame_head_encode(&head, bytes);
	memcpy(c->out.data + c->out.start + before, bytes, sizeof(bytes));
	sp_deferred_call(c->flush);
}

size_t sp_channel_waiting(const struct sp_channel *c)
{
	return sp_buf_len(&c->out);
}

int sp_channel_drain(struct sp_channel *c, int64_t timeout_ms)
{
	int64_t end_ms = sp_time_mono_ms() + timeout_ms;

	while (c->fd >= 0 && sp_buf_len(&c->out)) {
		struct pollfd p = {.fd = c->fd, .events = POLLOUT};
		int64_t left_ms = end_ms - sp_time_mono_ms();

		if (left_ms <= 0 || poll(&p, 1, (int)left_ms) == 0) {
			return SP_ETIMEOUT;
		}
		flush_out(c);
	}
	if (c->fd < 0) {
		return c->err;
	}
	return c->deaf ? SP_ECLOSED : 0;
}
