/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mail server that takes everything and keeps nothing.
 *
 *     sink BOARD CHAIN KEY PORT THREADS
 *
 * It listens on all addresses. Each thread has a port of its own
 * (SO_REUSEPORT), an epoll set and a TLS context; the contexts have one set of
 * ticket keys. What it counts and how it behaves is in board.h.
 *
 * A connection:
 *
 *     PLAIN ──STARTTLS, 220 flushed──▶ SHAKE ──handshake done──▶ SECURE
 *
 * and in it COMMAND ⇄ DATA (until the dot) or CHUNK (a counted number of
 * bytes). Replies gather in `out` and go at once, or when their time has come:
 * a delay is the same for all of its kind, so that two queues in order of
 * arrival are all the timers there are.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "base/time.h"
#include "bench/board.h"
#include "bench/plumbing.h"

#define LINE_MAX_  1024
#define READ_SIZE  (64 * 1024)
#define TICKET_KEY 80 /* what SSL_CTX_set_tlsext_ticket_keys wants */
#define BACKLOG    4096

enum layer {
	LAYER_PLAIN,
	LAYER_SHAKE,
	LAYER_SECURE
};
enum mode {
	MODE_COMMAND,
	MODE_DATA,
	MODE_CHUNK
};

struct conn {
	int fd;
	SSL *ssl;
	enum layer layer;
	enum mode mode;
	bool closing;    /* after the next flush */
	bool starting;   /* TLS begins after the next flush */
	bool final;      /* out has the reply to a message */
	bool waiting;    /* in a queue */
	bool dead;       /* freed when it leaves its queue */
	bool last_chunk; /* the message ends with this chunk */
	uint64_t chunk_left;
	uint64_t messages;
	size_t carry_len; /* what may be the beginning of CRLF . CRLF */
	char carry[4];
	size_t line_len;
	size_t out_len, out_cap;
	char *out;
	int64_t due_us;
	struct conn *next;
	char line[LINE_MAX_];
};

struct queue {
	struct conn *head, **tail;
};

struct lane {
	pthread_t thread;
	int port_fd, epoll_fd;
	SSL_CTX *tls;
	struct board_lane *counts;
	struct queue soon, late; /* SET_LATENCY_MS, and SET_FINAL_MS too */
	char *buffer;
};

static struct board *board;

static uint64_t setting(enum board_setting which)
{
	return atomic_load_explicit(&board->settings[which],
	                            memory_order_relaxed);
}

static void count(struct lane *lane, enum board_counter which, uint64_t n)
{
	_Atomic uint64_t *counter = &lane->counts->counters[which];
	uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

static void count_open(void)
{
	uint64_t open = atomic_fetch_add(&board->open, 1) + 1;
	uint64_t peak = atomic_load(&board->peak);

	while (open > peak &&
	       !atomic_compare_exchange_weak(&board->peak, &peak, open)) {
	}
}

/* ---- the end of a connection ---- */

static void conn_drop(struct conn *c)
{
	if (c->fd >= 0) {
		SSL_free(c->ssl);
		c->ssl = NULL;
		(void)close(c->fd);
		c->fd = -1;
		(void)atomic_fetch_sub(&board->open, 1);
	}
	if (c->waiting) {
		c->dead = true;
		return;
	}
	sp_free(c->out);
	sp_free(c);
}

/* ---- replies ---- */

static void say(struct conn *c, const char *text)
{
	size_t len = strlen(text);

	if (c->out_len + len > c->out_cap) {
		c->out_cap = (c->out_len + len) * 2;
		c->out = sp_realloc(c->out, c->out_cap);
	}
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
}

static bool send_out(struct conn *c)
{
	size_t len = c->out_len;
	ssize_t sent;

	c->out_len = 0;
	c->final = false;
	if (len == 0) {
		return true;
	}
	if (c->layer == LAYER_SECURE) {
		sent = SSL_write(c->ssl, c->out, (int)len);
	} else {
		sent = send(c->fd, c->out, len, MSG_NOSIGNAL);
	}
	/* replies are short: a peer that leaves no room for them has gone */
	return sent == (ssize_t)len;
}

static bool tls_begin(struct lane *lane, struct conn *c)
{
	bool tickets = setting(SET_TICKETS) != 0;

	c->starting = false;
	c->line_len = 0;
	c->layer = LAYER_SHAKE;
	c->ssl = SSL_new(lane->tls);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1) {
		return false;
	}
	if (!tickets) {
		(void)SSL_set_options(c->ssl, SSL_OP_NO_TICKET);
		(void)SSL_set_num_tickets(c->ssl, 0);
	}
	SSL_set_accept_state(c->ssl);
	return true;
}

/* Sends what there is to say; false: the connection is no more. */
static bool flush(struct lane *lane, struct conn *c)
{
	bool good = send_out(c);

	if (good && c->starting) {
		good = tls_begin(lane, c);
	}
	if (good && c->closing && c->ssl != NULL) {
		(void)SSL_shutdown(c->ssl);
	}
	if (!good || c->closing) {
		conn_drop(c);
		return false;
	}
	return true;
}

static void queue_put(struct queue *q, struct conn *c, int64_t delay_ms)
{
	c->due_us = sp_time_mono_us() + delay_ms * 1000;
	c->waiting = true;
	c->next = NULL;
	*q->tail = c;
	q->tail = &c->next;
}

/* A peer that does without TCP_NODELAY says nothing more until we have
 * acknowledged what it said, and for that the kernel takes 40 ms when we have
 * nothing to say: after a handshake without tickets, for one. That would
 * measure the kernel. */
static void acknowledge(const struct conn *c)
{
	int one = 1;

	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

/* After a batch of commands: answer now or later. */
static bool answer(struct lane *lane, struct conn *c)
{
	int64_t wait_ms = (int64_t)setting(SET_LATENCY_MS);
	int64_t final_ms = (int64_t)setting(SET_FINAL_MS);

	if (c->waiting || (c->out_len == 0 && !c->closing)) {
		acknowledge(c);
		return true;
	}
	if (c->final && final_ms > 0) {
		queue_put(&lane->late, c, wait_ms + final_ms);
		return true;
	}
	if (wait_ms > 0) {
		queue_put(&lane->soon, c, wait_ms);
		return true;
	}
	return flush(lane, c);
}

/* Sends what is due; how long epoll may wait for the next. */
static int queue_run(struct lane *lane, struct queue *q)
{
	struct conn *c;

	while ((c = q->head) != NULL) {
		int64_t left_us = c->due_us - sp_time_mono_us();

		if (left_us > 0) {
			return (int)(left_us / 1000) + 1;
		}
		q->head = c->next;
		if (q->head == NULL) {
			q->tail = &q->head;
		}
		c->waiting = false;
		if (c->dead) {
			conn_drop(c);
		} else {
			(void)flush(lane, c);
		}
	}
	return -1;
}

/* ---- the dialogue ---- */

static void took_message(struct lane *lane, struct conn *c)
{
	bool secure = c->layer == LAYER_SECURE;
	uint64_t most = setting(SET_CLOSE);

	count(lane, secure ? COUNT_MESSAGES : COUNT_CLEAR, 1);
	atomic_store_explicit(&lane->counts->counters[COUNT_LAST_US],
	                      (uint64_t)sp_time_mono_us(),
	                      memory_order_relaxed);
	c->messages++;
	c->final = true;
	c->mode = MODE_COMMAND;
	say(c, "250 2.0.0 Ok: taken\r\n");
	if (most > 0 && c->messages >= most) {
		c->closing = true;
	}
}

static void do_ehlo(struct conn *c, const char *line)
{
	(void)line;
	say(c, "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n");
	if (c->layer == LAYER_PLAIN) {
		say(c, "250-STARTTLS\r\n");
	}
	if (setting(SET_CHUNKING) != 0) {
		say(c, "250-CHUNKING\r\n");
	}
	say(c, "250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n");
}

static void do_starttls(struct conn *c, const char *line)
{
	(void)line;
	if (c->layer != LAYER_PLAIN) {
		say(c, "503 5.5.1 TLS is up\r\n");
		return;
	}
	c->starting = true;
	say(c, "220 2.0.0 Ready\r\n");
}

static void do_data(struct conn *c, const char *line)
{
	(void)line;
	c->mode = MODE_DATA;
	memcpy(c->carry, "\r\n", 2);
	c->carry_len = 2;
	say(c, "354 Go on\r\n");
}

static void do_bdat(struct conn *c, const char *line)
{
	struct sp_str rest = sp_str_from(line), word;

	(void)sp_str_cut(&rest, ' ', &word);
	(void)sp_str_cut(&rest, ' ', &word);
	if (sp_str_u64(word, UINT32_MAX, &c->chunk_left) != 0) {
		say(c, "501 5.5.4 No number\r\n");
		c->closing = true;
		return;
	}
	c->last_chunk = sp_str_eq_nocase(rest, SP_STR("LAST"));
	c->mode = MODE_CHUNK;
}

static void do_quit(struct conn *c, const char *line)
{
	(void)line;
	say(c, "221 2.0.0 Bye\r\n");
	c->closing = true;
}

static void do_ok(struct conn *c, const char *line)
{
	(void)line;
	say(c, "250 2.1.0 Ok\r\n");
}

static const struct verb {
	const char *name;
	void (*run)(struct conn *c, const char *line);
} VERBS[] = {
	{"MAIL", do_ok},   {"RCPT", do_ok},           {"DATA", do_data},
	{"BDAT", do_bdat}, {"EHLO", do_ehlo},         {"HELO", do_ehlo},
	{"QUIT", do_quit}, {"STARTTLS", do_starttls}, {"RSET", do_ok},
	{"NOOP", do_ok},
};

static void command(struct lane *lane, struct conn *c)
{
	count(lane, COUNT_COMMANDS, 1);
	for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
		size_t len = strlen(VERBS[i].name);

		if (strncasecmp(c->line, VERBS[i].name, len) == 0) {
			VERBS[i].run(c, c->line);
			return;
		}
	}
	say(c, "500 5.5.2 What?\r\n");
}

/* Each of these takes what it can from the input and says how much. */

static size_t take_command(struct lane *lane, struct conn *c, const char *in,
                           size_t len)
{
	const char *end = memchr(in, '\n', len);
	size_t part = end != NULL ? (size_t)(end - in) + 1 : len;

	if (c->line_len + part >= sizeof(c->line)) {
		say(c, "500 5.5.2 Too long\r\n");
		c->closing = true;
		return len;
	}
	memcpy(c->line + c->line_len, in, part);
	c->line_len += part;
	if (end == NULL) {
		return part;
	}
	while (c->line_len > 0 && (c->line[c->line_len - 1] == '\n' ||
	                           c->line[c->line_len - 1] == '\r')) {
		c->line_len--;
	}
	c->line[c->line_len] = '\0';
	c->line_len = 0;
	command(lane, c);
	if (c->mode == MODE_CHUNK && c->chunk_left == 0 && c->last_chunk) {
		took_message(lane, c);
	}
	return part;
}

/* The offset just behind CRLF . CRLF, or 0. Looks first at what the last
 * input ended with. */
static size_t find_end(const struct conn *c, const char *in, size_t len)
{
	static const char END[] = "\r\n.\r\n";
	char seam[sizeof(c->carry) + 4];
	size_t more = len < 4 ? len : 4;
	const char *at;

	memcpy(seam, c->carry, c->carry_len);
	memcpy(seam + c->carry_len, in, more);
	at = memmem(seam, c->carry_len + more, END, 5);
	if (at != NULL) {
		return (size_t)(at - seam) + 5 - c->carry_len;
	}
	at = memmem(in, len, END, 5);
	return at != NULL ? (size_t)(at - in) + 5 : 0;
}

static void keep_carry(struct conn *c, const char *in, size_t len)
{
	char both[sizeof(c->carry) * 2];
	size_t more = len < 4 ? len : 4;
	size_t all = c->carry_len + more;
	size_t keep = all < 4 ? all : 4;

	memcpy(both, c->carry, c->carry_len);
	memcpy(both + c->carry_len, in + len - more, more);
	memcpy(c->carry, both + all - keep, keep);
	c->carry_len = keep;
}

static size_t take_data(struct lane *lane, struct conn *c, const char *in,
                        size_t len)
{
	size_t end = find_end(c, in, len);

	if (end == 0) {
		keep_carry(c, in, len);
		count(lane, COUNT_BYTES, len);
		return len;
	}
	count(lane, COUNT_BYTES, end);
	took_message(lane, c);
	return end;
}

static size_t take_chunk(struct lane *lane, struct conn *c, size_t len)
{
	size_t part = len < c->chunk_left ? len : (size_t)c->chunk_left;

	c->chunk_left -= part;
	count(lane, COUNT_BYTES, part);
	if (c->chunk_left == 0 && c->last_chunk) {
		took_message(lane, c);
	} else if (c->chunk_left == 0) {
		c->mode = MODE_COMMAND;
		say(c, "250 2.0.0 Chunk taken\r\n");
	}
	return part;
}

static void take(struct lane *lane, struct conn *c, const char *in, size_t len)
{
	while (len > 0 && !c->closing && !c->starting) {
		size_t part = c->mode == MODE_DATA ? take_data(lane, c, in, len)
		              : c->mode == MODE_CHUNK
		                      ? take_chunk(lane, c, len)
		                      : take_command(lane, c, in, len);

		in += part;
		len -= part;
	}
}

/* ---- input ---- */

static bool shake(struct lane *lane, struct conn *c)
{
	int done = SSL_do_handshake(c->ssl);

	if (done == 1) {
		bool again = SSL_session_reused(c->ssl) == 1;

		c->layer = LAYER_SECURE;
		count(lane, again ? COUNT_RESUMED : COUNT_FULL, 1);
		return true;
	}
	if (SSL_get_error(c->ssl, done) == SSL_ERROR_WANT_READ) {
		return true;
	}
	count(lane, COUNT_FAILED, 1);
	ERR_clear_error();
	conn_drop(c);
	return false;
}

static ssize_t input(struct lane *lane, struct conn *c)
{
	int got;

	if (c->layer == LAYER_PLAIN) {
		ssize_t len = recv(c->fd, lane->buffer, READ_SIZE, 0);

		return len < 0 && errno == EAGAIN ? -1 : len > 0 ? len : 0;
	}
	got = SSL_read(c->ssl, lane->buffer, READ_SIZE);
	if (got > 0) {
		return got;
	}
	got = SSL_get_error(c->ssl, got);
	ERR_clear_error();
	return got == SSL_ERROR_WANT_READ ? -1 : 0;
}

static void readable(struct lane *lane, struct conn *c)
{
	for (;;) {
		ssize_t len;

		if (c->layer == LAYER_SHAKE && !shake(lane, c)) {
			return;
		}
		if (c->layer == LAYER_SHAKE) {
			break;
		}
		len = input(lane, c);
		if (len == 0) {
			conn_drop(c);
			return;
		}
		if (len < 0) {
			break;
		}
		take(lane, c, lane->buffer, (size_t)len);
		if (c->layer == LAYER_PLAIN) {
			break;
		}
		if (SSL_pending(c->ssl) == 0 && !SSL_has_pending(c->ssl)) {
			break;
		}
	}
	(void)answer(lane, c);
}

static void welcome(struct lane *lane)
{
	struct epoll_event event = {.events = EPOLLIN};
	int one = 1;

	for (;;) {
		int fd = accept4(lane->port_fd, NULL, NULL,
		                 SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct conn *c;

		if (fd < 0) {
			return;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		                 sizeof(one));
		c = SP_NEW(struct conn);
		c->fd = fd;
		count(lane, COUNT_CONNECTIONS, 1);
		count_open();
		event.data.ptr = c;
		if (epoll_ctl(lane->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
			die("epoll_ctl: %s", strerror(errno));
		}
		say(c, "220 sink.test ESMTP\r\n");
		(void)answer(lane, c);
	}
}

static int sooner(int a, int b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

static void *lane_run(void *arg)
{
	struct lane *lane = arg;
	struct epoll_event events[256];

	for (;;) {
		int wait = sooner(queue_run(lane, &lane->soon),
		                  queue_run(lane, &lane->late));
		int n = epoll_wait(lane->epoll_fd, events, 256, wait);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL) {
				welcome(lane);
			} else {
				readable(lane, events[i].data.ptr);
			}
		}
	}
	return NULL;
}

/* ---- the start ---- */

static int open_port(uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET,
	                          .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		die("port %u: %s", port, strerror(errno));
	}
	return fd;
}

static SSL_CTX *make_tls(const char *chain, const char *key, uint8_t *tickets)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (tls == NULL ||
	    SSL_CTX_use_certificate_chain_file(tls, chain) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_tlsext_ticket_keys(tls, tickets, TICKET_KEY) != 1) {
		ERR_print_errors_fp(stderr);
		die("cannot set up TLS");
	}
	(void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(tls, 1);
	return tls;
}

static void lane_start(struct lane *lane, const char *const *argv, size_t n,
                       uint8_t *tickets)
{
	struct epoll_event event = {.events = EPOLLIN};

	lane->counts = &board->lane[n];
	lane->soon.tail = &lane->soon.head;
	lane->late.tail = &lane->late.head;
	lane->buffer = sp_alloc(READ_SIZE);
	lane->tls = make_tls(argv[2], argv[3], tickets);
	lane->port_fd = open_port((uint16_t)number(argv[4], "port"));
	lane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (lane->epoll_fd < 0 || epoll_ctl(lane->epoll_fd, EPOLL_CTL_ADD,
	                                    lane->port_fd, &event) != 0) {
		die("epoll: %s", strerror(errno));
	}
	if (pthread_create(&lane->thread, NULL, lane_run, lane) != 0) {
		die("no thread");
	}
}

static void map_board(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	void *at;

	if (fd < 0 || ftruncate(fd, sizeof(struct board)) != 0) {
		die("%s: %s", path, strerror(errno));
	}
	at = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
	          MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		die("%s: %s", path, strerror(errno));
	}
	board = at;
	(void)close(fd);
}

int main(int argc, char **argv)
{
	static struct lane lanes[BOARD_LANES];
	uint8_t tickets[TICKET_KEY];
	size_t threads;

	if (argc != 6) {
		die("usage: sink BOARD CHAIN KEY PORT THREADS");
	}
	threads = number(argv[5], "threads");
	if (threads < 1 || threads > BOARD_LANES) {
		die("1 to %d threads", BOARD_LANES);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	raise_files();
	map_board(argv[1]);
	if (RAND_bytes(tickets, sizeof(tickets)) != 1) {
		die("no random numbers");
	}
	for (size_t i = 0; i < threads; i++) {
		lane_start(&lanes[i], (const char *const *)argv, i, tickets);
	}
	atomic_store(&board->lanes, threads);
	atomic_store(&board->magic, BOARD_MAGIC);
	for (size_t i = 0; i < threads; i++) {
		(void)pthread_join(lanes[i].thread, NULL);
	}
	return 0;
}
