/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/socket.h"

struct parse_case {
	const char *name;
	const char *text;
	int rc;
	const char *host; /* sp_addr_text */
	const char *full; /* sp_addr_text_port */
};

static const struct parse_case parse_cases[] = {
	{"v4", "192.0.2.1", 0, "192.0.2.1", "192.0.2.1:25"},
	{"v4 with port", "192.0.2.1:2525", 0, "192.0.2.1", "192.0.2.1:2525"},
	{"v4, port 0", "127.0.0.1:0", 0, "127.0.0.1", "127.0.0.1:0"},
	{"v4, port 65535", "127.0.0.1:65535", 0, "127.0.0.1",
         "127.0.0.1:65535"},
	{"v6 (RFC 5952)", "2001:DB8:0::1", 0, "2001:db8::1",
         "[2001:db8::1]:25"},
	{"v6 in brackets", "[2001:db8::1]", 0, "2001:db8::1",
         "[2001:db8::1]:25"},
	{"v6 with port", "[2001:db8::1]:587", 0, "2001:db8::1",
         "[2001:db8::1]:587"},
	{"v6 unspecified", "::", 0, "::", "[::]:25"},
	{"v6 mapped", "::ffff:192.0.2.1", 0, "::ffff:192.0.2.1",
         "[::ffff:192.0.2.1]:25"},
	{"v6 with zone number (RFC 4007 11)", "fe80::1%7", 0, "fe80::1%7",
         "[fe80::1%7]:25"},
	{"longest",
         "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535", 0,
         "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295",
         "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535"},
	{"empty", "", SP_ESYNTAX, NULL, NULL},
	{"name", "mx.example", SP_ESYNTAX, NULL, NULL},
	{"v4 short", "192.0.2", SP_ESYNTAX, NULL, NULL},
	{"v4 over 255", "192.0.2.256", SP_ESYNTAX, NULL, NULL},
	{"v4 leading zero", "192.0.02.1", SP_ESYNTAX, NULL, NULL},
	{"port empty", "192.0.2.1:", SP_ESYNTAX, NULL, NULL},
	{"port too high", "192.0.2.1:65536", SP_ESYNTAX, NULL, NULL},
	{"port signed", "192.0.2.1:+25", SP_ESYNTAX, NULL, NULL},
	{"port alone", ":25", SP_ESYNTAX, NULL, NULL},
	{"bracket open", "[2001:db8::1", SP_ESYNTAX, NULL, NULL},
	{"bracket, junk", "[2001:db8::1]x", SP_ESYNTAX, NULL, NULL},
	{"bracket empty", "[]", SP_ESYNTAX, NULL, NULL},
	{"v4 in brackets", "[192.0.2.1]:25", SP_ESYNTAX, NULL, NULL},
	{"zone empty", "fe80::1%", SP_ESYNTAX, NULL, NULL},
	{"zone unknown", "fe80::1%nosuchif", SP_ESYNTAX, NULL, NULL},
	{"blank", "192.0.2.1 ", SP_ESYNTAX, NULL, NULL},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(parse_cases) / sizeof(*parse_cases);
	     i++) {
		const struct parse_case *c = &parse_cases[i];
		struct sp_addr addr;
		char text[SP_ADDR_TEXT];

		print_message("  %s\n", c->name);
		assert_int_equal(sp_addr_parse(sp_str_from(c->text), 25, &addr),
		                 c->rc);
		if (c->rc)
			continue;
		sp_addr_text(&addr, text);
		assert_string_equal(text, c->host);
		sp_addr_text_port(&addr, text);
		assert_string_equal(text, c->full);
	}
}

struct cidr_case {
	const char *name;
	const char *net;
	const char *addr;
	int rc;
	bool inside;
};

static const struct cidr_case cidr_cases[] = {
	{"v4 /8 in", "127.0.0.0/8", "127.255.0.1", 0, true},
	{"v4 /8 out", "127.0.0.0/8", "128.0.0.1", 0, false},
	{"v4 /0", "0.0.0.0/0", "203.0.113.9", 0, true},
	{"v4 host", "192.0.2.1", "192.0.2.1", 0, true},
	{"v4 host out", "192.0.2.1", "192.0.2.2", 0, false},
	{"v4 /25 in", "192.0.2.128/25", "192.0.2.200", 0, true},
	{"v4 /25 out", "192.0.2.128/25", "192.0.2.127", 0, false},
	{"v4 /31", "192.0.2.2/31", "192.0.2.3", 0, true},
	{"host bits set", "192.0.2.77/24", "192.0.2.1", 0, true},
	{"v6 host", "::1", "::1", 0, true},
	{"v6 /32", "2001:db8::/32", "2001:db8:ffff::1", 0, true},
	{"v6 /33 out", "2001:db8::/33", "2001:db8:8000::1", 0, false},
	{"v6 /128 out", "2001:db8::1/128", "2001:db8::2", 0, false},
	{"families differ", "::/0", "192.0.2.1", 0, false},
	{"families differ, other way", "0.0.0.0/0", "2001:db8::1", 0, false},
	{"mapped address", "192.0.2.0/24", "::ffff:192.0.2.9", 0, true},
	{"mapped address is not v6", "::/0", "::ffff:192.0.2.9", 0, false},
	{"mapped network", "::ffff:192.0.2.0/120", "192.0.2.9", 0, true},
	{"v4 too many bits", "192.0.2.0/33", NULL, SP_ESYNTAX, false},
	{"v6 too many bits", "::/129", NULL, SP_ESYNTAX, false},
	{"no bits", "192.0.2.0/", NULL, SP_ESYNTAX, false},
	{"junk bits", "192.0.2.0/2x", NULL, SP_ESYNTAX, false},
	{"two slashes", "192.0.2.0/8/8", NULL, SP_ESYNTAX, false},
	{"empty", "", NULL, SP_ESYNTAX, false},
	{"port", "192.0.2.0:25/24", NULL, SP_ESYNTAX, false},
	{"brackets", "[::1]/128", NULL, SP_ESYNTAX, false},
};

static void test_cidr(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cidr_cases) / sizeof(*cidr_cases); i++) {
		const struct cidr_case *c = &cidr_cases[i];
		struct sp_cidr cidr;
		struct sp_addr addr;

		print_message("  %s\n", c->name);
		assert_int_equal(sp_cidr_parse(sp_str_from(c->net), &cidr),
		                 c->rc);
		if (c->rc)
			continue;
		assert_int_equal(sp_addr_parse(sp_str_from(c->addr), 0, &addr),
		                 0);
		assert_int_equal(sp_cidr_contains(&cidr, &addr), c->inside);
	}
}

static struct sp_addr addr_of(const char *text)
{
	struct sp_addr addr;

	assert_int_equal(sp_addr_parse(sp_str_from(text), 0, &addr), 0);
	return addr;
}

static void test_local_address(void **state)
{
	struct sp_addr loopback = addr_of("127.0.0.1");
	struct sp_addr mapped = addr_of("::ffff:127.0.0.1");
	struct sp_addr any = addr_of("0.0.0.0");
	struct sp_addr other = addr_of("192.0.2.77");
	struct sp_addr none = {0};

	(void)state;
	assert_true(sp_socket_is_local_address(&loopback));
	assert_true(sp_socket_is_local_address(&mapped));
	assert_true(sp_socket_is_local_address(&any));
	assert_false(sp_socket_is_local_address(&other));
	assert_false(sp_socket_is_local_address(&none));
}

static void wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	assert_int_equal(poll(&p, 1, 5000), 1);
}

static void test_listen_connect_accept(void **state)
{
	struct sp_addr addr = addr_of("127.0.0.1");
	struct sp_addr source = addr_of("127.0.0.2");
	struct sp_addr peer;
	struct sp_addr local;
	char text[SP_ADDR_TEXT];
	int listen_fd = sp_socket_listen(&addr, 8);
	int client;
	int server;

	(void)state;
	assert_true(listen_fd >= 0);
	assert_int_equal(sp_socket_accept(listen_fd, &peer, &local), -EAGAIN);
	assert_int_equal(sp_socket_local(listen_fd, &addr), 0);
	assert_true(addr.port > 0);
	assert_int_equal(sp_socket_listen(&addr, 8), -EADDRINUSE);
	client = sp_socket_connect(&addr, &source);
	assert_true(client >= 0);
	assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
	wait_for(client, POLLOUT);
	assert_int_equal(sp_socket_error(client), 0);
	wait_for(listen_fd, POLLIN);
	server = sp_socket_accept(listen_fd, &peer, &local);
	assert_true(server >= 0);
	sp_addr_text(&peer, text);
	assert_string_equal(text, "127.0.0.2");
	assert_int_equal(local.port, addr.port);
	close(server);
	close(client);
	close(listen_fd);
}

static void test_connect_refused(void **state)
{
	struct sp_addr addr = addr_of("127.0.0.1");
	int fd = sp_socket_listen(&addr, 1);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sp_socket_local(fd, &addr), 0);
	close(fd);
	fd = sp_socket_connect(&addr, NULL);
	if (fd >= 0) {
		wait_for(fd, POLLOUT);
		assert_int_equal(sp_socket_error(fd), -ECONNREFUSED);
		close(fd);
	} else {
		assert_int_equal(fd, -ECONNREFUSED);
	}
}

static void test_unix(void **state)
{
	char dir[] = "/tmp/sp_test_XXXXXX";
	char path[64];
	char longer[200];
	struct stat st;
	struct sp_addr peer;
	struct sp_addr local;
	int fd;
	int client;
	int server;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	fd = sp_socket_listen_unix(path, 0600);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(sp_socket_listen_unix(path, 0600), -EADDRINUSE);
	client = sp_socket_connect_unix(path);
	assert_true(client >= 0);
	/* the probe of the second listen was queued first */
	server = sp_socket_accept(fd, &peer, &local);
	assert_true(server >= 0);
	assert_int_equal(peer.family, 0);
	close(server);
	close(client);
	close(fd);
	fd = sp_socket_listen_unix(path, 0660); /* the file is stale now */
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sp_socket_listen_unix(path, 0600), -EADDRINUSE);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(sp_socket_listen_unix(longer, 0600), -ENAMETOOLONG);
	assert_int_equal(sp_socket_connect_unix(longer), -ENAMETOOLONG);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_cidr),
		cmocka_unit_test(test_local_address),
		cmocka_unit_test(test_listen_connect_accept),
		cmocka_unit_test(test_connect_refused),
		cmocka_unit_test(test_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
