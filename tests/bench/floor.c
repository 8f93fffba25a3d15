/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: the least that a client can do to deliver with DANE. No queue, no
 * DNS, no log, no disk: a blocking OpenSSL client in some threads.
 *
 *     floor [-t THREADS] [-n MESSAGES] [-k PER_CONNECTION] [-r] [-s SIZE]
 *           TARGETS TLSA
 *
 * TARGETS is a file of lines "address name", TLSA the hexadecimal SHA-256
 * digest of a 3 1 1 record that all of them have. Each thread has its own
 * targets. -r: each target is visited once before the clock runs, and from
 * then on sessions are resumed. Prints one JSON object; processor time is that
 * of the timed part.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "base/time.h"
#include "bench/plumbing.h"

struct target {
	struct sockaddr_in to;
	const char *name;
	SSL_SESSION *session;
};

struct session {
	int fd;
	SSL *ssl;
	struct target *target;
	size_t in_len;
	char in[4096];
};

struct worker {
	pthread_t thread;
	SSL_CTX *tls;
	size_t number;
	uint64_t full, resumed;
};

static struct {
	uint64_t threads, messages, per_connection, size;
	bool resume;
	uint8_t tlsa[32];
	struct target *targets;
	size_t target_count;
} opt = {.threads = 8, .messages = 1000, .per_connection = 1, .size = 4096};

static pthread_barrier_t barrier;

static void put(struct session *s, const char *text, size_t len)
{
	ssize_t sent = s->ssl != NULL ? SSL_write(s->ssl, text, (int)len)
	                              : send(s->fd, text, len, MSG_NOSIGNAL);

	if (sent != (ssize_t)len) {
		ERR_print_errors_fp(stderr);
		die("cannot write");
	}
}

static void put_text(struct session *s, const char *text)
{
	put(s, text, strlen(text));
}

/* Waits for so many replies, all of them good. */
static void expect(struct session *s, int replies)
{
	while (replies > 0) {
		size_t room = sizeof(s->in) - s->in_len, at = 0;
		ssize_t got =
			s->ssl != NULL
				? SSL_read(s->ssl, s->in + s->in_len, (int)room)
				: recv(s->fd, s->in + s->in_len, room, 0);
		char *end;

		if (got <= 0) {
			ERR_print_errors_fp(stderr);
			die("cannot read");
		}
		s->in_len += (size_t)got;
		while ((end = memchr(s->in + at, '\n', s->in_len - at))) {
			const char *line = s->in + at;

			if (line[0] != '2' && line[0] != '3') {
				die("refused: %.40s", line);
			}
			replies -= line[3] == ' ' ? 1 : 0;
			at = (size_t)(end - s->in) + 1;
		}
		memmove(s->in, s->in + at, s->in_len - at);
		s->in_len -= at;
	}
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct target *target = SSL_get_app_data(ssl);

	SSL_SESSION_free(target->session);
	target->session = session;
	return 1;
}

static void secure(struct worker *w, struct session *s)
{
	SSL *ssl = SSL_new(w->tls);

	if (ssl == NULL || SSL_set_fd(ssl, s->fd) != 1 ||
	    SSL_dane_enable(ssl, s->target->name) != 1 ||
	    SSL_dane_tlsa_add(ssl, 3, 1, 1, opt.tlsa, sizeof(opt.tlsa)) != 1) {
		die("cannot set up TLS");
	}
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	(void)SSL_set_app_data(ssl, s->target);
	if (opt.resume && s->target->session != NULL) {
		(void)SSL_set_session(ssl, s->target->session);
	}
	if (SSL_connect(ssl) != 1 || SSL_get_verify_result(ssl) != X509_V_OK) {
		ERR_print_errors_fp(stderr);
		die("no handshake with %s", s->target->name);
	}
	if (SSL_session_reused(ssl) == 1) {
		w->resumed++;
	} else {
		w->full++;
	}
	s->ssl = ssl;
}

static void start(struct worker *w, struct session *s, struct target *target)
{
	int one = 1;

	*s = (struct session){.target = target};
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&target->to,
	                         sizeof(target->to)) != 0) {
		die("connect: %s", strerror(errno));
	}
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	expect(s, 1);
	put_text(s, "EHLO floor.sender.test\r\n");
	expect(s, 1);
	put_text(s, "STARTTLS\r\n");
	expect(s, 1);
	secure(w, s);
	put_text(s, "EHLO floor.sender.test\r\n");
	expect(s, 1);
}

static void deliver(struct session *s, uint64_t serial)
{
	char text[512];
	struct message m;

	(void)snprintf(text, sizeof(text),
	               "MAIL FROM:<bench@sender.test> SIZE=%" PRIu64 "\r\n"
	               "RCPT TO:<m%" PRIu64 "@%s>\r\nDATA\r\n",
	               opt.size, serial, s->target->name);
	put_text(s, text);
	expect(s, 3);
	message_make(serial, s->target->name, opt.size, &m);
	/* one record, as a queue that has read its file would send it */
	char *whole = sp_alloc(m.head_len + m.filler_len);
	memcpy(whole, m.head, m.head_len);
	memcpy(whole + m.head_len, m.filler, m.filler_len);
	put(s, whole, m.head_len + m.filler_len);
	sp_free(whole);
	expect(s, 1);
}

static void finish(struct session *s)
{
	put_text(s, "QUIT\r\n");
	(void)SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	(void)close(s->fd);
}

/* A thread's share: its targets in turn, until its messages are sent. */
static void visit(struct worker *w, uint64_t messages)
{
	size_t at = w->number;
	uint64_t sent = 0;

	while (sent < messages) {
		struct session s;

		start(w, &s, &opt.targets[at % opt.target_count]);
		for (uint64_t i = 0; i < opt.per_connection && sent < messages;
		     i++) {
			deliver(&s, sent++);
		}
		finish(&s);
		at += opt.threads;
	}
}

static uint64_t share(const struct worker *w, uint64_t all)
{
	return all / opt.threads + (w->number < all % opt.threads ? 1 : 0);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	if (opt.resume) {
		uint64_t targets = opt.target_count < opt.messages
		                           ? opt.target_count
		                           : opt.messages;

		visit(w, share(w, targets) * opt.per_connection);
		w->full = w->resumed = 0;
	}
	(void)pthread_barrier_wait(&barrier);
	(void)pthread_barrier_wait(&barrier);
	visit(w, share(w, opt.messages));
	return NULL;
}

static SSL_CTX *make_tls(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL || SSL_CTX_dane_enable(tls) != 1 ||
	    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1) {
		die("cannot set up TLS");
	}
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	if (opt.resume) {
		(void)SSL_CTX_set_session_cache_mode(
			tls,
			SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(tls, keep_session);
	}
	return tls;
}

static void read_targets(const char *path)
{
	struct lines lines;

	read_lines(path, &lines);
	opt.target_count = lines.count;
	opt.targets = sp_calloc(lines.count, sizeof(*opt.targets));
	for (size_t i = 0; i < lines.count; i++) {
		struct target *target = &opt.targets[i];
		char *blank = strchr(lines.line[i], ' ');

		if (blank == NULL) {
			die("%s: expected: address name", path);
		}
		*blank = '\0';
		target->name = blank + 1;
		target->to.sin_family = AF_INET;
		target->to.sin_port = htons(25);
		if (inet_pton(AF_INET, lines.line[i], &target->to.sin_addr) !=
		    1) {
			die("%s is no address", lines.line[i]);
		}
	}
}

static void options(int argc, char **argv)
{
	size_t len = 0;
	int c;

	while ((c = getopt(argc, argv, "t:n:k:rs:")) != -1) {
		switch (c) {
		case 't':
			opt.threads = number(optarg, "-t");
			break;
		case 'n':
			opt.messages = number(optarg, "-n");
			break;
		case 'k':
			opt.per_connection = number(optarg, "-k");
			break;
		case 's':
			opt.size = number(optarg, "-s");
			break;
		case 'r':
			opt.resume = true;
			break;
		default:
			die("see the head of floor.c");
		}
	}
	if (argc - optind != 2 || opt.threads < 1 || opt.per_connection < 1) {
		die("usage: floor [OPTION]... TARGETS TLSA");
	}
	read_targets(argv[optind]);
	if (opt.resume && opt.target_count % opt.threads != 0) {
		die("-r: each thread must meet its own targets again");
	}
	if (sp_str_unhex(sp_str_from(argv[optind + 1]), opt.tlsa,
	                 sizeof(opt.tlsa), &len) != 0 ||
	    len != sizeof(opt.tlsa)) {
		die("%s is no SHA-256 digest", argv[optind + 1]);
	}
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct rusage before, after;
	struct worker *workers;
	uint64_t full = 0, resumed = 0;
	int64_t began;

	options(argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	workers = sp_calloc(opt.threads, sizeof(*workers));
	(void)pthread_barrier_init(&barrier, NULL, (unsigned)opt.threads + 1);
	for (size_t i = 0; i < opt.threads; i++) {
		workers[i].number = i;
		workers[i].tls = make_tls();
		if (pthread_create(&workers[i].thread, NULL, work,
		                   &workers[i]) != 0) {
			die("no thread");
		}
	}
	(void)pthread_barrier_wait(&barrier);
	(void)getrusage(RUSAGE_SELF, &before);
	began = sp_time_mono_us();
	(void)pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < opt.threads; i++) {
		(void)pthread_join(workers[i].thread, NULL);
		full += workers[i].full;
		resumed += workers[i].resumed;
	}
	(void)getrusage(RUSAGE_SELF, &after);
	printf("{\"messages\": %" PRIu64 ", \"seconds\": %.6f, "
	       "\"cpu_user\": %.6f, \"cpu_system\": %.6f, "
	       "\"full\": %" PRIu64 ", \"resumed\": %" PRIu64 "}\n",
	       opt.messages, (double)(sp_time_mono_us() - began) / 1e6,
	       seconds(after.ru_utime) - seconds(before.ru_utime),
	       seconds(after.ru_stime) - seconds(before.ru_stime), full,
	       resumed);
	return 0;
}
