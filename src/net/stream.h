/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_STREAM_H
#define SP_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tls.h"

/*
 * A connected byte stream on the loop, clear at first, TLS after a step. The
 * owner appends to `out` (256 KiB go in, 1 MiB out; only append, and check
 * the result) and calls sp_stream_flush: what is not flushed stays back.
 * Bytes that arrive are in `in`; the owner consumes them. Slices of `in` are
 * good until the callback returns. One driver owns poll flags and the timer;
 * the steps inside return DONE, WANT_READ, WANT_WRITE or FAILED. The callback
 * is never run from inside a call to the stream, and the stream may be freed
 * in it.
 *
 * Reading rests while `in` is full and goes on when a callback leaves room;
 * an owner that makes room at another time calls sp_stream_pause(s, false).
 * Processes that use TLS have called sp_tls_setup, which also makes them
 * ignore SIGPIPE.
 */

/* Where several are due they come in this order. */
enum sp_stream_event {
	SP_STREAM_CONNECTED, /* of sp_stream_connect only */
	SP_STREAM_TLS_UP, /* handshake finished, verified or not: see facts */
	SP_STREAM_TLS_FAILED, /* sp_stream_error says why; only free it now */
	SP_STREAM_DATA,       /* in has new bytes */
	SP_STREAM_DRAINED,    /* all that was flushed is sent */
	SP_STREAM_EOF,        /* the peer's end; writing may still work */
	SP_STREAM_ERROR,      /* sp_stream_error: negative; only free it now */
	SP_STREAM_TIMEOUT,    /* the timer set by the owner ran out */
};

struct sp_stream;

typedef void sp_stream_fn(void *arg, enum sp_stream_event event);

/* Connect; the stream owns the descriptor. Never null: a failure to start
 * comes as SP_STREAM_ERROR. */
struct sp_stream *sp_stream_connect(struct sp_loop *loop,
                                    const struct sp_addr *addr,
                                    const struct sp_addr *source,
                                    sp_stream_fn *fn, void *arg);
/* Over an accepted descriptor, taken over. */
struct sp_stream *sp_stream_accepted(struct sp_loop *loop, int fd,
                                     sp_stream_fn *fn, void *arg);
void sp_stream_free(struct sp_stream **stream); /* closes at once */

struct sp_buf *sp_stream_in(struct sp_stream *stream);
struct sp_buf *sp_stream_out(struct sp_stream *stream);
void sp_stream_flush(struct sp_stream *stream); /* out has bytes to send */
void sp_stream_pause(struct sp_stream *stream, bool paused); /* reading */
/* Sends all of `out`, close_notify and the end of stream, reads no more, and
 * gives EOF once the peer has closed too (at most 5 s later; or ERROR). A
 * peer that takes no bytes is for the owner's timeout. */
void sp_stream_close_after_flush(struct sp_stream *stream);
/* The same for who has said goodbye: EOF with the peer's next bytes, which
 * nobody wants to see, or with its end. */
void sp_stream_close_after_answer(struct sp_stream *stream);

/* Turn to TLS, after what is in `out` was sent in clear. `in` must be empty,
 * or SP_EPROTO. The parameters are copied. A certificate that fails to verify
 * does not fail the handshake: ask sp_stream_tls_facts. -EINVAL: parameters
 * that contradict themselves (see struct sp_tls_client), or TLS already. */
int sp_stream_start_tls_client(struct sp_stream *stream,
                               const struct sp_tls_client *params);
int sp_stream_start_tls_server(struct sp_stream *stream,
                               struct sp_tls_server *server);
bool sp_stream_is_tls(const struct sp_stream *stream);
/* After TLS_UP or TLS_FAILED: what was seen; strings in the arena. */
void sp_stream_tls_facts(struct sp_stream *stream, struct sp_arena *arena,
                         struct sp_tls_seen *seen_out);
/* After TLS_UP: all that the peer sent, within the limits of struct
 * sp_tls_chain; in the arena. Empty: none, or the session was resumed. */
void sp_stream_tls_chain(struct sp_stream *stream, struct sp_arena *arena,
                         struct sp_tls_chain *chain_out);

/* The peer ended TLS without close_notify: bytes may have been cut off. */
bool sp_stream_truncated(const struct sp_stream *stream);

/* One deadline at a time; negative stops it. */
void sp_stream_timeout(struct sp_stream *stream, int64_t delay_ms);

int sp_stream_error(const struct sp_stream *stream);
const char *sp_stream_error_text(const struct sp_stream *stream);
const struct sp_addr *sp_stream_peer(const struct sp_stream *stream);
/* Our own end, once connected. 0 or a negative errno. */
int sp_stream_local(const struct sp_stream *stream, struct sp_addr *addr_out);

#endif
