/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submits messages over many connections as fast as they are taken.
 *
 *     inject [-c CONNECTIONS] [-n MESSAGES] [-s SIZE] [-f FIRST] [-p]
 *            ADDRESS PORT DOMAINS
 *
 * DOMAINS is a file with one a line; message i goes to domain i modulo their
 * number, the first being FIRST. Prints one JSON object. MAIL, RCPT and DATA
 * go in one flight; the next message follows the reply to the last.
 *
 * With -p each connection stops in the middle of its message; when all have,
 * "paused N" is printed, and a line on standard input lets them go on.
 *
 *     GREETING → EHLO → ENVELOPE (three replies) → BODY → ENVELOPE … → QUIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "bench/plumbing.h"

enum state {
	GREETING,
	EHLO,
	ENVELOPE,
	PAUSED,
	BODY,
	QUIT
};

struct conn {
	int fd;
	enum state state;
	int replies; /* that are still to come */
	uint64_t serial;
	char recipient[300];
	size_t in_len;
	char in[2048];
};

static struct {
	uint64_t connections, messages, size, first;
	bool pause;
	struct sockaddr_in to;
	struct lines domains;
} opt = {.connections = 20, .messages = 1000, .size = 4096};

static int epoll_fd;
static uint64_t begun, taken, ended, paused;

static void send_parts(struct conn *c, struct iovec *part, int n)
{
	while (n > 0) {
		ssize_t sent = writev(c->fd, part, n);

		if (sent < 0) {
			die("a connection broke: %s", strerror(errno));
		}
		while (n > 0 && (size_t)sent >= part->iov_len) {
			sent -= (ssize_t)part->iov_len;
			part++;
			n--;
		}
		if (n > 0) {
			part->iov_base = (char *)part->iov_base + sent;
			part->iov_len -= (size_t)sent;
		}
	}
}

static void send_text(struct conn *c, const char *text)
{
	struct iovec part = {(char *)(uintptr_t)text, strlen(text)};

	send_parts(c, &part, 1);
}

static void next_message(struct conn *c)
{
	char text[512];
	const char *domain;

	if (begun == opt.messages) {
		send_text(c, "QUIT\r\n");
		c->state = QUIT;
		c->replies = 1;
		return;
	}
	c->serial = opt.first + begun++;
	domain = opt.domains.line[c->serial % opt.domains.count];
	(void)snprintf(c->recipient, sizeof(c->recipient), "m%" PRIu64 "@%s",
	               c->serial, domain);
	(void)snprintf(text, sizeof(text),
	               "MAIL FROM:<bench@sender.test> SIZE=%" PRIu64 "\r\n"
	               "RCPT TO:<%s>\r\nDATA\r\n",
	               opt.size, c->recipient);
	send_text(c, text);
	c->state = ENVELOPE;
	c->replies = 3;
}

static void send_body(struct conn *c, bool head, bool rest)
{
	struct message m;
	struct iovec parts[2];
	int n = 0;

	message_make(c->serial, c->recipient, opt.size, &m);
	if (head) {
		parts[n++] = (struct iovec){m.head, m.head_len};
	}
	if (rest) {
		parts[n++] = (struct iovec){(char *)(uintptr_t)m.filler,
		                            m.filler_len};
	}
	send_parts(c, parts, n);
	c->state = rest ? BODY : PAUSED;
	c->replies = 1;
}

static void greeted(struct conn *c)
{
	send_text(c, "EHLO client.sender.test\r\n");
	c->state = EHLO;
	c->replies = 1;
}

/* All replies that were due are here. */
static void advance(struct conn *c)
{
	switch (c->state) {
	case GREETING:
		greeted(c);
		break;
	case EHLO:
		next_message(c);
		break;
	case ENVELOPE:
		send_body(c, true, !opt.pause);
		paused += opt.pause ? 1 : 0;
		break;
	case BODY:
		taken++;
		next_message(c);
		break;
	case PAUSED:
	case QUIT:
		(void)close(c->fd);
		ended++;
		break;
	}
}

static void reply(struct conn *c, const char *line)
{
	if (line[0] != '2' && line[0] != '3') {
		die("refused in state %d: %s", (int)c->state, line);
	}
	if (line[3] == ' ' && --c->replies == 0) {
		advance(c);
	}
}

static void readable(struct conn *c)
{
	ssize_t got = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len,
	                   MSG_DONTWAIT);
	size_t at = 0;
	char *end;

	if (got < 0 && errno == EAGAIN) {
		return;
	}
	if (got <= 0) {
		die("closed in state %d after %" PRIu64 " messages",
		    (int)c->state, taken);
	}
	c->in_len += (size_t)got;
	while ((end = memchr(c->in + at, '\n', c->in_len - at)) != NULL) {
		*end = '\0';
		reply(c, c->in + at);
		at = (size_t)(end - c->in) + 1;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	if (c->in_len == sizeof(c->in)) {
		die("a reply is too long");
	}
}

static void dial(struct conn *c)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    connect(c->fd, (struct sockaddr *)&opt.to, sizeof(opt.to)) != 0) {
		die("connect: %s", strerror(errno));
	}
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->state = GREETING;
	c->replies = 1;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
		die("epoll_ctl: %s", strerror(errno));
	}
}

/* Everybody is in the middle of a message: say so, and wait for the word. */
static void go_on(struct conn *conns)
{
	char word[8];

	printf("paused %" PRIu64 "\n", paused);
	(void)fflush(stdout);
	if (fgets(word, sizeof(word), stdin) == NULL) {
		exit(0);
	}
	opt.pause = false;
	for (uint64_t i = 0; i < opt.connections; i++) {
		if (conns[i].state == PAUSED) {
			send_body(&conns[i], false, true);
		}
	}
}

static void run(struct conn *conns)
{
	struct epoll_event events[256];

	while (ended < opt.connections) {
		int n = epoll_wait(epoll_fd, events, 256, 60000);

		if (n == 0) {
			die("nothing happened for a minute: %" PRIu64
			    " of %" PRIu64 " messages taken",
			    taken, opt.messages);
		}
		for (int i = 0; i < n; i++) {
			readable(events[i].data.ptr);
		}
		if (opt.pause && paused == opt.connections) {
			go_on(conns);
		}
	}
}

static void options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "c:n:s:f:p")) != -1) {
		switch (c) {
		case 'c':
			opt.connections = number(optarg, "-c");
			break;
		case 'n':
			opt.messages = number(optarg, "-n");
			break;
		case 's':
			opt.size = number(optarg, "-s");
			break;
		case 'f':
			opt.first = number(optarg, "-f");
			break;
		case 'p':
			opt.pause = true;
			break;
		default:
			die("see the head of inject.c");
		}
	}
	if (argc - optind != 3) {
		die("usage: inject [OPTION]... ADDRESS PORT DOMAINS");
	}
	opt.to.sin_family = AF_INET;
	opt.to.sin_port = htons((uint16_t)number(argv[optind + 1], "port"));
	if (inet_pton(AF_INET, argv[optind], &opt.to.sin_addr) != 1) {
		die("%s is no address", argv[optind]);
	}
	read_lines(argv[optind + 2], &opt.domains);
}

int main(int argc, char **argv)
{
	struct conn *conns;
	int64_t began;

	options(argc, argv);
	if (opt.connections > opt.messages) {
		opt.connections = opt.messages;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	raise_files();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	conns = sp_calloc(opt.connections, sizeof(*conns));
	began = sp_time_mono_us();
	for (uint64_t i = 0; i < opt.connections; i++) {
		dial(&conns[i]);
	}
	run(conns);
	printf("{\"messages\": %" PRIu64 ", \"seconds\": %.6f}\n", taken,
	       (double)(sp_time_mono_us() - began) / 1e6);
	sp_free(conns);
	return 0;
}
