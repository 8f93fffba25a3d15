/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   new ─▶ UDP ──answer──────────────────────────────▶ DONE
 *    │      │ ▲└─silence: the question again, once─┐     ▲
 *    │      │ └────────────────────────────────────┘     │
 *    │      └─truncated─▶ TCP ──answer, error, deadline──┤
 *    └─(tcp)──────────────▲                              │
 *   any state ──the deadline──────────────────────────────┘
 *
 * What is no answer to the question (another id, another question, rubbish)
 * is passed over: whoever is off the path could send such. The socket is
 * connected, so that only the server's own address is heard, and an ICMP
 * error ends the wait.
 *
 * After a truncated answer TCP may fail; the truncated answer then is all
 * there is, and the reason is told beside it.
 */
#include <errno.h>
#include <stdbool.h> /* before ldns, which else makes bool a char */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ldns/ldns.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/time.h"
#include "net/dns_server.h"
#include "net/stream.h"

#define EDNS_SIZE   1232
#define HEADER_LEN  12
#define PACKET_MAX  65535
#define QUERY_MAX   512
#define FLAG_QR     0x80 /* of the third byte */
#define FLAG_TC     0x02
#define RUBBISH_MAX 64 /* packets that are no answer to us */

enum state {
	UDP,
	TCP,
	DONE,
};

struct sp_dns_server {
	struct sp_loop *loop;
	sp_dns_server_fn *fn;
	void *arg;
	enum state state;
	struct sp_addr server;
	char *name; /* owned, for the comparison */
	uint16_t type;
	uint16_t id;
	uint8_t *query; /* owned by ldns */
	size_t query_len;

	int fd; /* -1: none */
	struct sp_watch *watch;
	struct sp_stream *stream;
	struct sp_timer *again;
	struct sp_timer *deadline;
	struct sp_deferred *finish;

	int64_t began_ms;
	unsigned rubbish;
	struct sp_dns_server_reply *reply; /* owned */
};

/* --- the end --- */

static void close_udp(struct sp_dns_server *s)
{
	sp_watch_free(&s->watch);
	if (s->fd >= 0) {
		(void)close(s->fd);
		s->fd = -1;
	}
}

static void end(struct sp_dns_server *s, int err)
{
	if (s->state == DONE) {
		return;
	}
	if (s->reply->seen.truncated && err) {
		s->reply->tcp_err = err;
	} else {
		s->reply->err = err;
	}
	s->reply->elapsed_ms = sp_time_mono_ms() - s->began_ms;
	s->state = DONE;
	close_udp(s);
	sp_timer_stop(s->again);
	sp_timer_stop(s->deadline);
	sp_deferred_call(s->finish);
}

static void on_finish(void *arg)
{
	struct sp_dns_server *s = arg;
	struct sp_dns_server_reply *reply = s->reply;

	s->reply = NULL;
	sp_stream_free(&s->stream);
	s->fn(s->arg, reply); /* may free s */
}

static void on_deadline(void *arg)
{
	struct sp_dns_server *s = arg;

	end(s, s->rubbish > 0 ? SP_EPROTO : SP_ETIMEOUT);
}

void sp_dns_server_reply_free(struct sp_dns_server_reply **reply)
{
	if (*reply) {
		sp_seen_fini(&(*reply)->seen);
		SP_FREE(reply);
	}
}

/* --- the question --- */

static int make_query(struct sp_dns_server *s)
{
	ldns_rdf *name = NULL;
	ldns_pkt *pkt = NULL;
	int err = SP_ESYNTAX;

	if (ldns_str2rdf_dname(&name, s->name) != LDNS_STATUS_OK) {
		return err;
	}
	pkt = ldns_pkt_query_new(name, (ldns_rr_type)s->type, LDNS_RR_CLASS_IN,
	                         0);
	if (!pkt) {
		ldns_rdf_deep_free(name);
		return err;
	}
	ldns_pkt_set_id(pkt, s->id);
	ldns_pkt_set_edns_udp_size(pkt, EDNS_SIZE);
	ldns_pkt_set_edns_do(pkt, true);
	if (ldns_pkt2wire(&s->query, pkt, &s->query_len) == LDNS_STATUS_OK &&
	    s->query_len <= QUERY_MAX) {
		err = 0;
	}
	ldns_pkt_free(pkt);
	return err;
}

/* --- the answer --- */

static unsigned get_u16(struct sp_str bytes, size_t at)
{
	const unsigned char *p = (const unsigned char *)bytes.ptr + at;

	return (unsigned)p[0] << 8 | p[1];
}

static bool is_ours(const struct sp_dns_server *s, const struct sp_seen *seen)
{
	if (seen->name.len == 0) {
		return seen->rcode != 0; /* an error without the question */
	}
	return seen->type == s->type &&
	       sp_str_eq(seen->name, sp_str_from(s->name));
}

/* Takes a packet; false: it was no answer to us. */
static bool take(struct sp_dns_server *s, struct sp_str bytes, bool by_tcp)
{
	struct sp_seen seen;

	if (bytes.len < HEADER_LEN || get_u16(bytes, 0) != s->id ||
	    !(bytes.ptr[2] & FLAG_QR) ||
	    sp_seen_decode(bytes, sp_time_wall_ms(), &seen)) {
		s->rubbish++;
		return false;
	}
	if (!is_ours(s, &seen)) {
		sp_seen_fini(&seen);
		s->rubbish++;
		return false;
	}
	if (by_tcp) {
		seen.truncated = false; /* means nothing here */
	}
	sp_seen_fini(&s->reply->seen);
	s->reply->seen = seen;
	s->reply->by_tcp = by_tcp;
	return true;
}

/* A truncated packet may end in the middle of a record: the header is enough
 * to go on by TCP. */
static bool says_truncated(const struct sp_dns_server *s, struct sp_str bytes)
{
	return bytes.len >= HEADER_LEN && get_u16(bytes, 0) == s->id &&
	       (bytes.ptr[2] & FLAG_QR) && (bytes.ptr[2] & FLAG_TC);
}

/* --- TCP --- */

static void take_stream(struct sp_dns_server *s)
{
	struct sp_str in = sp_buf_str(sp_stream_in(s->stream));
	size_t len;

	if (in.len < 2) {
		return;
	}
	len = get_u16(in, 0);
	if (in.len - 2 >= len) {
		end(s, take(s, sp_str_sub(in, 2, len), true) ? 0 : SP_EPROTO);
	}
}

static void on_stream(void *arg, enum sp_stream_event event)
{
	struct sp_dns_server *s = arg;

	if (s->state == DONE) {
		return;
	}
	switch (event) {
	case SP_STREAM_CONNECTED:
	case SP_STREAM_DRAINED:
	case SP_STREAM_TLS_UP:
		break;
	case SP_STREAM_DATA:
		take_stream(s);
		break;
	case SP_STREAM_EOF:
		end(s, SP_ECLOSED);
		break;
	case SP_STREAM_ERROR:
	case SP_STREAM_TLS_FAILED:
		end(s, sp_stream_error(s->stream));
		break;
	case SP_STREAM_TIMEOUT:
		end(s, SP_ETIMEOUT);
		break;
	}
}

static void start_tcp(struct sp_dns_server *s)
{
	unsigned char length[2] = {(unsigned char)(s->query_len >> 8),
	                           (unsigned char)s->query_len};
	struct sp_buf *out;

	close_udp(s);
	sp_timer_stop(s->again);
	s->state = TCP;
	s->rubbish = 0;
	s->stream = sp_stream_connect(s->loop, &s->server, NULL, on_stream, s);
	out = sp_stream_out(s->stream);
	(void)sp_buf_append(out, length, sizeof(length));
	(void)sp_buf_append(out, s->query, s->query_len);
	sp_stream_flush(s->stream);
}

/* --- UDP --- */

static void send_udp(struct sp_dns_server *s)
{
	ssize_t sent = send(s->fd, s->query, s->query_len, 0);

	/* Full buffers pass: the question is asked again. */
	if (sent < 0 && errno != EAGAIN && errno != ENOBUFS) {
		end(s, -errno);
	}
}

static void take_datagram(struct sp_dns_server *s, struct sp_str bytes)
{
	bool taken = take(s, bytes, false);

	if (says_truncated(s, bytes) && (!taken || s->reply->seen.truncated)) {
		s->reply->seen.truncated = true;
		start_tcp(s);
	} else if (taken) {
		end(s, 0);
	} else if (s->rubbish >= RUBBISH_MAX) {
		end(s, SP_EPROTO);
	}
}

static void on_udp(void *arg, int flags)
{
	struct sp_dns_server *s = arg;
	char bytes[EDNS_SIZE + 1];
	ssize_t len;

	(void)flags;
	if (s->state != UDP) {
		return;
	}
	len = recv(s->fd, bytes, sizeof(bytes), MSG_TRUNC);
	if (len < 0) {
		if (errno != EAGAIN && errno != EINTR) {
			end(s, -errno);
		}
		return;
	}
	if ((size_t)len > sizeof(bytes)) {
		len = sizeof(bytes); /* more than it was told we take */
	}
	take_datagram(s, sp_str_slice(bytes, (size_t)len));
}

static void on_again(void *arg)
{
	struct sp_dns_server *s = arg;

	if (s->state == UDP) {
		send_udp(s);
	}
}

static void start_udp(struct sp_dns_server *s, int64_t timeout_ms)
{
	s->fd = sp_socket_connect_udp(&s->server);
	if (s->fd < 0) {
		int err = s->fd;

		s->fd = -1;
		end(s, err);
		return;
	}
	s->watch = sp_watch_new(s->loop, s->fd, on_udp, s);
	sp_watch_set(s->watch, SP_IO_READ);
	sp_timer_set(s->again, timeout_ms / 3);
	send_udp(s);
}

/* --- in and out --- */

struct sp_dns_server *sp_dns_server_new(struct sp_loop *loop,
                                        const struct sp_dns_server_ask *ask,
                                        sp_dns_server_fn *fn, void *arg)
{
	struct sp_dns_server *s = SP_NEW(struct sp_dns_server);
	int err;

	SP_ASSERT(ask->timeout_ms > 0);
	s->loop = loop;
	s->fn = fn;
	s->arg = arg;
	s->fd = -1;
	s->server = ask->server;
	s->name = sp_str_dup(ask->name);
	s->type = ask->type;
	s->id = (uint16_t)sp_rand_u64();
	s->began_ms = sp_time_mono_ms();
	s->reply = SP_NEW(struct sp_dns_server_reply);
	s->again = sp_timer_new(loop, on_again, s);
	s->deadline = sp_timer_new(loop, on_deadline, s);
	s->finish = sp_deferred_new(loop, on_finish, s);
	sp_timer_set(s->deadline, ask->timeout_ms);
	err = make_query(s);
	if (err) {
		end(s, err);
	} else if (ask->tcp) {
		start_tcp(s);
	} else {
		start_udp(s, ask->timeout_ms);
	}
	return s;
}

void sp_dns_server_free(struct sp_dns_server **server)
{
	struct sp_dns_server *s = *server;

	if (!s) {
		return;
	}
	close_udp(s);
	sp_stream_free(&s->stream);
	sp_timer_free(&s->again);
	sp_timer_free(&s->deadline);
	sp_deferred_free(&s->finish);
	sp_dns_server_reply_free(&s->reply);
	LDNS_FREE(s->query);
	sp_free(s->name);
	SP_FREE(server);
}
