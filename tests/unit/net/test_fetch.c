/* SPDX-License-Identifier: Apache-2.0 */
/* One process: the fetcher and small HTTPS servers on the same loop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/fetch.h"
#include "net/stream.h"
#include "unit/net/certs.h"

#define HOST     "mta-sts.d.test"
#define BODY_MAX 64
#define CLIENTS  600

/* ---- the server ---- */

struct bench;

struct client {
	struct bench *bench;
	struct sp_stream *stream;
	struct sp_buf asked;
	bool answered;
};

struct bench {
	struct sp_loop *loop;
	struct sp_timer *limit;
	struct cert ca;
	struct sp_tls_server *server;
	int listen_fd;
	struct sp_watch *listener;
	struct sp_addr addr; /* where it listens */
	struct client *clients[CLIENTS];
	size_t client_count;
	const char *answer; /* "": closes; null: silence */
	bool drip;          /* one byte in 50 ms */
	struct sp_timer *drop;
	size_t dripped;
	struct sp_cidr allow;
	struct sp_guard guard;
	char ca_file[64];
	struct sp_fetcher *fetcher;
	struct sp_arena arena;
	/* of the last request */
	size_t over;
	size_t wanted;
	enum sp_fetch_status status;
	unsigned code;
	char type[200];
	char body[200];
	char why[SP_FETCH_WHY_MAX];
	struct sp_addr last;
	bool inside;
};

static void say(struct client *c, const char *bytes, size_t len)
{
	assert_int_equal(sp_buf_append(sp_stream_out(c->stream), bytes, len),
	                 0);
	sp_stream_flush(c->stream);
}

static void on_drop(void *arg)
{
	struct bench *b = arg;
	struct client *c = b->clients[b->client_count - 1];

	if (!c->stream || b->dripped == strlen(b->answer)) {
		return;
	}
	say(c, b->answer + b->dripped++, 1);
	sp_timer_set(b->drop, 50);
}

static void answer(struct client *c)
{
	struct bench *b = c->bench;

	if (c->answered || !b->answer) {
		return;
	}
	c->answered = true;
	if (b->drip) {
		on_drop(b);
		return;
	}
	say(c, b->answer, strlen(b->answer));
	sp_stream_close_after_flush(c->stream);
}

static void on_client(void *arg, enum sp_stream_event event)
{
	struct client *c = arg;
	struct sp_buf *in = sp_stream_in(c->stream);

	if (event == SP_STREAM_DATA) {
		struct sp_str all;

		assert_int_equal(sp_buf_append_str(&c->asked, sp_buf_str(in)),
		                 0);
		sp_buf_consume(in, sp_buf_len(in));
		all = sp_buf_str(&c->asked);
		if (sp_str_ends_nocase(all, SP_STR("\r\n\r\n")) ||
		    sp_str_ends_nocase(all, SP_STR("END"))) {
			answer(c);
		}
	} else if (event == SP_STREAM_EOF || event == SP_STREAM_ERROR ||
	           event == SP_STREAM_TLS_FAILED) {
		sp_stream_free(&c->stream);
	}
}

static void on_accept(void *arg, int flags)
{
	struct bench *b = arg;
	struct sp_addr peer;
	struct sp_addr local;
	int fd = sp_socket_accept(b->listen_fd, &peer, &local);
	struct client *c;

	(void)flags;
	if (fd < 0) {
		return;
	}
	assert_true(b->client_count < CLIENTS);
	c = SP_NEW(struct client);
	b->clients[b->client_count++] = c;
	c->bench = b;
	sp_buf_init(&c->asked, 100000);
	c->stream = sp_stream_accepted(b->loop, fd, on_client, c);
	assert_int_equal(sp_stream_start_tls_server(c->stream, b->server), 0);
}

/* ---- the bench ---- */

static void on_limit(void *arg)
{
	(void)arg;
	fail_msg("it takes too long");
}

static void write_file(const char *path, struct sp_str text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
	assert_int_equal(fclose(file), 0);
}

static void present(struct bench *b, const struct cert_spec *spec,
                    const struct cert *by)
{
	struct cert leaf = cert_make(spec, by, NULL, NULL);
	struct pem chain = {0};
	struct pem key = {0};
	char why[256];

	pem_add_cert(&chain, leaf.x509);
	pem_add_key(&key, leaf.key);
	sp_tls_server_free(&b->server);
	assert_int_equal(sp_tls_server_new(pem_str(&chain), pem_str(&key),
	                                   &b->server, why, sizeof(why)),
	                 0);
	cert_drop(&leaf);
	sp_free(chain.text);
	sp_free(key.text);
}

static const struct cert_spec GOOD = {.san = "DNS:" HOST};

static int set_up(void **state)
{
	struct bench *b = SP_NEW(struct bench);
	struct pem pem = {0};

	*state = b;
	assert_int_equal(sp_tls_setup(), 0);
	b->loop = sp_loop_new();
	b->limit = sp_timer_new(b->loop, on_limit, b);
	b->drop = sp_timer_new(b->loop, on_drop, b);
	b->ca = cert_make(&(struct cert_spec){.cn = "lab root", .ca = true},
	                  NULL, NULL, NULL);
	pem_add_cert(&pem, b->ca.x509);
	snprintf(b->ca_file, sizeof(b->ca_file), "/tmp/sp-test-fetch.%ld.pem",
	         (long)getpid());
	write_file(b->ca_file, pem_str(&pem));
	sp_free(pem.text);
	present(b, &GOOD, &b->ca);
	assert_int_equal(sp_addr_parse(SP_STR("127.0.0.1:0"), 0, &b->addr), 0);
	b->listen_fd = sp_socket_listen(&b->addr, 1024);
	assert_true(b->listen_fd >= 0);
	assert_int_equal(sp_socket_local(b->listen_fd, &b->addr), 0);
	b->listener = sp_watch_new(b->loop, b->listen_fd, on_accept, b);
	sp_watch_set(b->listener, SP_IO_READ);
	assert_int_equal(sp_cidr_parse(SP_STR("127.0.0.0/8"), &b->allow), 0);
	b->guard = (struct sp_guard){true, &b->allow, 1};
	b->fetcher = sp_fetcher_new(b->loop, b->ca_file, &b->guard);
	sp_arena_init(&b->arena);
	b->answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		    "Content-Length: 5\r\n\r\nhello";
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	sp_fetcher_free(&b->fetcher);
	for (size_t i = 0; i < b->client_count; i++) {
		sp_stream_free(&b->clients[i]->stream);
		sp_buf_fini(&b->clients[i]->asked);
		sp_free(b->clients[i]);
	}
	sp_watch_free(&b->listener);
	close(b->listen_fd);
	sp_timer_free(&b->limit);
	sp_timer_free(&b->drop);
	sp_tls_server_free(&b->server);
	sp_loop_free(&b->loop);
	sp_arena_fini(&b->arena);
	cert_drop(&b->ca);
	unlink(b->ca_file);
	sp_tls_teardown();
	sp_free(b);
	return 0;
}

static void copy(char *out, size_t cap, struct sp_str from)
{
	assert_true(from.len < cap);
	memcpy(out, from.ptr ? from.ptr : "", from.len);
	out[from.len] = '\0';
}

static void on_result(void *arg, const struct sp_fetch_result *r)
{
	struct bench *b = arg;

	assert_false(b->inside);
	b->status = r->status;
	b->code = r->code;
	b->last = r->addr;
	copy(b->type, sizeof(b->type), r->type);
	copy(b->body, sizeof(b->body), r->body);
	copy(b->why, sizeof(b->why), r->why);
	if (++b->over == b->wanted) {
		sp_loop_stop(b->loop);
	}
}

static struct sp_fetch_url url_of(struct bench *b, const char *path)
{
	struct sp_fetch_url url = {0};
	char text[200];
	char why[SP_FETCH_WHY_MAX] = "";

	snprintf(text, sizeof(text), "https://" HOST ":%u%s", b->addr.port,
	         path);
	assert_int_equal(
		sp_fetch_url_parse(sp_str_from(text), &b->arena, &url, why), 0);
	return url;
}

static uint64_t start(struct bench *b, const struct sp_addr *addrs,
                      size_t count, int64_t timeout_ms)
{
	const struct sp_fetch_url url = url_of(b, "/p.txt");
	const struct sp_fetch_ask ask = {
		.url = &url,
		.addrs = addrs,
		.addr_count = count,
		.body_max = BODY_MAX,
		.timeout_ms = timeout_ms,
	};
	uint64_t id;

	b->inside = true;
	id = sp_fetch_start(b->fetcher, &ask, on_result, b);
	b->inside = false;
	b->wanted++;
	assert_true(id != 0);
	return id;
}

static void run(struct bench *b)
{
	sp_timer_set(b->limit, 90000);
	assert_int_equal(sp_loop_run(b->loop), 0);
	sp_timer_stop(b->limit);
}

static void fetch(struct bench *b, int64_t timeout_ms)
{
	start(b, &b->addr, 1, timeout_ms);
	run(b);
}

static void assert_why(struct bench *b, const char *part)
{
	if (!strstr(b->why, part)) {
		fail_msg("\"%s\" lacks \"%s\"", b->why, part);
	}
}

/* ---- tests ---- */

static void test_good(void **state)
{
	struct bench *b = *state;
	struct sp_str asked;

	fetch(b, 5000);
	assert_string_equal(b->why, "");
	assert_int_equal(b->status, SP_FETCH_ANSWERED);
	assert_int_equal(b->code, 200);
	assert_string_equal(b->type, "text/plain");
	assert_string_equal(b->body, "hello");
	assert_int_equal(b->last.port, b->addr.port);
	asked = sp_buf_str(&b->clients[0]->asked);
	assert_true(sp_str_starts_nocase(asked, SP_STR("GET /p.txt HTTP/1.1\r\n"
	                                               "Host: " HOST ":")));
}

static const struct answer_row {
	const char *name;
	const char *answer;
	enum sp_fetch_status status;
	unsigned code;
	const char *part; /* of the body, or of the reason */
} ANSWERS[] = {
	{"as large as allowed",
         "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n"
         "0123456789012345678901234567890123456789012345678901234567890123",
         SP_FETCH_ANSWERED, 200, "0123"},
	{"one byte more, announced",
         "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n"
         "01234567890123456789012345678901234567890123456789012345678901234",
         SP_FETCH_FAILED, 0, "too large"},
	{"one byte more, unannounced",
         "HTTP/1.1 200 OK\r\n\r\n"
         "01234567890123456789012345678901234567890123456789012345678901234",
         SP_FETCH_FAILED, 0, "too large"},
	{"one byte more, in chunks",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n"
         "0123456789012345678901234567890123456789012345678901234567890123"
         "\r\n1\r\n4\r\n0\r\n\r\n",
         SP_FETCH_FAILED, 0, "too large"},
	{"RFC 8461 3.3 redirects are not followed",
         "HTTP/1.1 301 Moved\r\nLocation: https://" HOST "/x\r\n"
         "Content-Length: 0\r\n\r\n",
         SP_FETCH_ANSWERED, 301, ""},
	{"not found, with a long page",
         "HTTP/1.1 404 No\r\n\r\n"
         "01234567890123456789012345678901234567890123456789012345678901234",
         SP_FETCH_ANSWERED, 404, ""},
	{"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhello",
         SP_FETCH_FAILED, 0, "127.0.0.1:"},
	{"no answer", "", SP_FETCH_FAILED, 0, HOST " at 127.0.0.1:"},
	{"RFC 9112 2.3 version 0.9", "hello there", SP_FETCH_FAILED, 0, HOST},
	{"no HTTP", "220 smtp.d.test ESMTP\r\n", SP_FETCH_FAILED, 0, HOST},
	{"a field without a value", "HTTP/1.1 200 OK\r\nX: \r\n\r\n",
         SP_FETCH_ANSWERED, 200, ""},
};

static void test_answers(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(ANSWERS) / sizeof(ANSWERS[0]); i++) {
		const struct answer_row *row = &ANSWERS[i];
		const char *text;

		b->answer = row->answer;
		fetch(b, 5000);
		text = row->status == SP_FETCH_ANSWERED ? b->body : b->why;
		if (b->status != row->status || b->code != row->code ||
		    !strstr(text, row->part)) {
			fail_msg("%s: %d %u \"%s\"", row->name, (int)b->status,
			         b->code, text);
		}
	}
	assert_int_equal(b->client_count, sizeof(ANSWERS) / sizeof(ANSWERS[0]));
}

/* More header than anybody needs, by one field and by many. */
static void test_large_header(void **state)
{
	static const char *const FIELDS[] = {"X: y\r\n",
	                                     "HTTP/1.1 100 Go on\r\n\r\n"};
	struct bench *b = *state;
	struct sp_buf text;

	for (size_t i = 0; i < 2; i++) {
		sp_buf_init(&text, 200000);
		(void)sp_buf_append_cstr(&text, i ? "" : "HTTP/1.1 200 OK\r\n");
		while (sp_buf_len(&text) < 70000) {
			(void)sp_buf_append_cstr(&text, FIELDS[i]);
		}
		(void)sp_buf_append_cstr(&text, i ? "HTTP/1.1 200 OK\r\n\r\nx"
		                                  : "\r\nx");
		(void)sp_buf_append_char(&text, '\0');
		b->answer = sp_buf_str(&text).ptr;
		fetch(b, 5000);
		assert_int_equal(b->status, SP_FETCH_FAILED);
		assert_why(b, "header of its answer is too large");
		sp_buf_fini(&text);
	}
}

static const struct cert_row {
	const char *name;
	struct cert_spec spec;
	bool stranger; /* signed by nobody we know */
	bool good;
} CERTS[] = {
	{"RFC 8461 3.3 DNS-ID", {.san = "DNS:" HOST}, false, true},
	{"RFC 6125 6.4.3 wildcard", {.san = "DNS:*.d.test"}, false, true},
	{"one of several", {.san = "DNS:a.test,DNS:" HOST}, false, true},
	{"RFC 8461 3.3 common name only", {.cn = HOST}, false, false},
	{"RFC 6125 6.4.3 partial wildcard",
         {.san = "DNS:mta-*.d.test"},
         false,
         false},
	{"RFC 6125 6.4.3 wildcard too high",
         {.san = "DNS:*.test"},
         false,
         false},
	{"another name", {.san = "DNS:www.d.test"}, false, false},
	{"the mail domain", {.san = "DNS:d.test"}, false, false},
	{"name as mail address", {.san = "email:x@" HOST}, false, false},
	{"expired",
         {.san = "DNS:" HOST, .from_s = -7200, .to_s = -3600},
         false,
         false},
	{"not yet valid",
         {.san = "DNS:" HOST, .from_s = 3600, .to_s = 7200},
         false,
         false},
	{"for clients",
         {.san = "DNS:" HOST, .eku = "clientAuth"},
         false,
         false},
	{"self-signed", {.san = "DNS:" HOST}, true, false},
};

static void test_certificates(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(CERTS) / sizeof(CERTS[0]); i++) {
		const struct cert_row *row = &CERTS[i];
		enum sp_fetch_status want =
			row->good ? SP_FETCH_ANSWERED : SP_FETCH_WEBPKI;

		present(b, &row->spec, row->stranger ? NULL : &b->ca);
		fetch(b, 5000);
		if (b->status != want) {
			fail_msg("%s: %d %s", row->name, (int)b->status,
			         b->why);
		}
		if (!row->good) {
			assert_why(b, HOST " at 127.0.0.1:");
			assert_int_equal(sp_buf_len(&b->clients[i]->asked), 0);
		}
	}
}

static void test_silence(void **state)
{
	struct bench *b = *state;
	int64_t begin_ms = sp_time_mono_ms();

	b->answer = NULL;
	fetch(b, 300);
	assert_int_equal(b->status, SP_FETCH_FAILED);
	assert_why(b, ": timed out before the end of its answer");
	assert_true(sp_time_mono_ms() - begin_ms < 5000);
}

static void test_drip(void **state)
{
	struct bench *b = *state;

	b->drip = true;
	fetch(b, 400);
	assert_int_equal(b->status, SP_FETCH_FAILED);
	assert_why(b, ": timed out before the end of its answer");
	assert_true(b->dripped < 20);
}

static void test_next_address(void **state)
{
	struct bench *b = *state;
	struct sp_addr addrs[3];

	/* refused, not allowed, good */
	assert_int_equal(sp_addr_parse(SP_STR("127.0.0.2"), 0, &addrs[0]), 0);
	assert_int_equal(sp_addr_parse(SP_STR("10.0.0.1"), 0, &addrs[1]), 0);
	addrs[2] = b->addr;
	start(b, addrs, 3, 5000);
	run(b);
	assert_int_equal(b->status, SP_FETCH_ANSWERED);
	assert_int_equal(b->last.bytes[3], 1);
	/* only the first: nobody listens there */
	start(b, addrs, 1, 5000);
	run(b);
	assert_int_equal(b->status, SP_FETCH_FAILED);
	assert_why(b, HOST " at 127.0.0.2:");
}

static void test_guard(void **state)
{
	struct bench *b = *state;
	struct sp_addr addrs[2];

	assert_int_equal(sp_addr_parse(SP_STR("10.0.0.1"), 0, &addrs[0]), 0);
	assert_int_equal(sp_addr_parse(SP_STR("::1"), 0, &addrs[1]), 0);
	start(b, addrs, 2, 5000);
	run(b);
	assert_int_equal(b->status, SP_FETCH_FAILED);
	assert_why(b, "loopback");
	start(b, addrs, 1, 5000);
	run(b);
	assert_why(b, HOST " at 10.0.0.1:");
	assert_why(b, "private");
	start(b, addrs, 0, 5000);
	run(b);
	assert_int_equal(b->status, SP_FETCH_FAILED);
	assert_why(b, "no address");
	assert_int_equal(b->client_count, 0);
}

static void test_post(void **state)
{
	struct bench *b = *state;
	const struct sp_fetch_url url = url_of(b, "/report?a=b");
	const struct sp_fetch_ask ask = {
		.url = &url,
		.addrs = &b->addr,
		.addr_count = 1,
		.post = true,
		.post_type = "application/tlsrpt+gzip",
		.body = SP_STR("some bytes END"),
		.body_max = BODY_MAX,
		.timeout_ms = 5000,
	};
	char asked[2000];

	b->answer = "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n";
	b->wanted = 1;
	(void)sp_fetch_start(b->fetcher, &ask, on_result, b);
	run(b);
	assert_int_equal(b->status, SP_FETCH_ANSWERED);
	assert_int_equal(b->code, 201);
	copy(asked, sizeof(asked), sp_buf_str(&b->clients[0]->asked));
	assert_non_null(strstr(asked, "POST /report?a=b HTTP/1.1\r\n"));
	assert_non_null(
		strstr(asked, "\r\nContent-Type: application/tlsrpt+gzip\r\n"));
	assert_non_null(strstr(asked, "\r\nContent-Length: 14\r\n"));
	assert_null(strstr(asked, "Expect"));
	assert_non_null(strstr(asked, "\r\n\r\nsome bytes END"));
}

/* RFC 8461 3.3: what the environment says about proxies is not heard. */
static void test_environment(void **state)
{
	struct bench *b = *state;

	assert_int_equal(setenv("https_proxy", "http://127.0.0.2:9", 1), 0);
	assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.2:9", 1), 0);
	fetch(b, 5000);
	unsetenv("https_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(b->status, SP_FETCH_ANSWERED);
}

static void test_cancel(void **state)
{
	struct bench *b = *state;
	uint64_t id = start(b, &b->addr, 1, 5000);

	sp_fetch_cancel(b->fetcher, id);
	sp_fetch_cancel(b->fetcher, id);
	id = start(b, &b->addr, 0, 5000);
	sp_fetch_cancel(b->fetcher, id);
	b->wanted = 0;
	fetch(b, 5000);
	assert_int_equal(b->over, 1);
	b->answer = NULL; /* one is under way when all is freed */
	start(b, &b->addr, 1, 5000);
}

static void test_hundreds(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < 300; i++) {
		start(b, &b->addr, 1, 90000);
	}
	run(b);
	assert_int_equal(b->over, 300);
	assert_int_equal(b->status, SP_FETCH_ANSWERED);
}

static const struct url_row {
	const char *name;
	const char *text;
	const char *host; /* null: refused */
	unsigned port;
	const char *normal;
} URLS[] = {
	{"RFC 8461 3.3", "https://mta-sts.d.test/.well-known/mta-sts.txt",
         "mta-sts.d.test", 443,
         "https://mta-sts.d.test/.well-known/mta-sts.txt"},
	{"port", "https://d.test:8443/", "d.test", 8443,
         "https://d.test:8443/"},
	{"case", "HTTPS://D.Test/X", "d.test", 443, NULL},
	{"no path", "https://d.test", "d.test", 443, "https://d.test/"},
	{"final dot", "https://d.test./x", "d.test", 443, NULL},
	{"fragment goes", "https://d.test/x#y", "d.test", 443,
         "https://d.test/x"},
	{"http", "http://d.test/", NULL, 0, NULL},
	{"file", "file:///etc/passwd", NULL, 0, NULL},
	{"no scheme", "d.test/x", NULL, 0, NULL},
	{"user", "https://u@d.test/", NULL, 0, NULL},
	{"password", "https://u:p@d.test/", NULL, 0, NULL},
	{"IPv4", "https://127.0.0.1/", NULL, 0, NULL},
	{"IPv4, short", "https://127.1/", NULL, 0, NULL},
	{"IPv4, a number", "https://2130706433/", NULL, 0, NULL},
	{"IPv4, hexadecimal", "https://0x7f000001/", NULL, 0, NULL},
	{"IPv4, hidden", "https://%3127.0.0.1/", NULL, 0, NULL},
	{"a number for a domain", "https://%30062.0/", NULL, 0, NULL},
	{"IPv6", "https://[::1]/", NULL, 0, NULL},
	{"port 0", "https://d.test:0/", NULL, 0, NULL},
	{"port too large", "https://d.test:65536/", NULL, 0, NULL},
	{"blank", "https://d.test/a b", NULL, 0, NULL},
	{"line end", "https://d.test/a\r\nX: y", NULL, 0, NULL},
	{"empty", "", NULL, 0, NULL},
	{"no host", "https:///x", NULL, 0, NULL},
	{"one label", "https://localhost/", NULL, 0, NULL},
	{"one label, final dot", "https://localhost./", NULL, 0, NULL},
	{"label too long",
         "https://"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         ".test/",
         NULL, 0, NULL},
};

static void test_urls(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
		const struct url_row *row = &URLS[i];
		struct sp_fetch_url url = {0};
		char why[SP_FETCH_WHY_MAX] = "";
		int r = sp_fetch_url_parse(sp_str_from(row->text), &b->arena,
		                           &url, why);

		if ((r == 0) != (row->host != NULL)) {
			fail_msg("%s: %d %s", row->name, r, why);
		}
		if (!row->host) {
			assert_int_equal(r, SP_ESYNTAX);
			assert_true(*why != '\0');
			continue;
		}
		assert_true(sp_str_eq(url.host, sp_str_from(row->host)));
		assert_int_equal(url.port, row->port);
		if (row->normal) {
			assert_string_equal(url.text, row->normal);
		}
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),         TEST(test_answers),
		TEST(test_large_header), TEST(test_certificates),
		TEST(test_silence),      TEST(test_drip),
		TEST(test_next_address), TEST(test_guard),
		TEST(test_post),         TEST(test_environment),
		TEST(test_cancel),       TEST(test_hundreds),
		TEST(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
