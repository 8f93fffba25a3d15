/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/resolver.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- the resolver, with a server that never answers --- */

struct silence {
	struct sp_loop *loop;
	struct sp_resolver *resolver;
	struct sp_str address; /* of the stub */
	struct sp_resolver_stub stub;
	char address_text[32];
	char anchor[32];
	char hints[32];
	int socket;
	int calls;
	int wanted;
	struct sp_dns_answer *last;
};

static void write_file(char *path, const char *text)
{
	int fd;

	(void)snprintf(path, 32, "%s", "/tmp/sealpost-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static int set_up(void **state)
{
	struct silence *s = SP_NEW(struct silence);
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	char why[256];

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(s->socket, (struct sockaddr *)&address, sizeof(address)),
		0);
	assert_int_equal(
		getsockname(s->socket, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(s->address_text, sizeof(s->address_text), "127.0.0.1@%u",
	               ntohs(address.sin_port));
	write_file(s->anchor, "; a comment\ntest. 300 IN DS 4711 13 2 "
	                      "0123456789abcdef0123456789abcdef"
	                      "0123456789abcdef0123456789abcdef\n");
	write_file(s->hints, ". 300 NS ns.\nns. 300 A 127.0.0.1\n");
	s->address = sp_str_from(s->address_text);
	s->stub = (struct sp_resolver_stub){SP_STR("test."), &s->address, 1};
	s->loop = sp_loop_new();
	assert_int_equal(sp_resolver_new(s->loop,
	                                 &(struct sp_resolver_conf){
						 .trust_anchor = s->anchor,
						 .root_hints = s->hints,
						 .stubs = &s->stub,
						 .stub_count = 1,
						 .deadline_ms = 150,
					 },
	                                 &s->resolver, why, sizeof(why)),
	                 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct silence *s = *state;

	sp_dns_answer_free(&s->last);
	sp_resolver_free(&s->resolver);
	sp_loop_free(&s->loop);
	(void)close(s->socket);
	(void)unlink(s->anchor);
	(void)unlink(s->hints);
	sp_free(s);
	return 0;
}

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct silence *s = arg;

	sp_dns_answer_free(&s->last);
	s->last = answer;
	if (++s->calls == s->wanted) {
		sp_loop_stop(s->loop);
	}
}

static void run_for(struct silence *s, int calls)
{
	s->wanted = calls;
	assert_int_equal(sp_loop_run(s->loop), 0);
	assert_int_equal(s->calls, calls);
}

static void test_deadline(void **state)
{
	struct silence *s = *state;
	int64_t start_ms = sp_time_mono_ms();

	(void)sp_resolver_ask(s->resolver, SP_STR("Mx.D.Test."),
	                      SP_DNS_TYPE_TLSA, false, on_answer, s);
	run_for(s, 1);
	assert_true(sp_time_mono_ms() - start_ms >= 150);
	assert_int_equal(s->last->dnssec, SP_DNSSEC_FAILED);
	assert_true(sp_str_eq(s->last->scenario, SP_STR("dns-timeout")));
	assert_true(sp_str_eq(s->last->name, SP_STR("mx.d.test")));
	assert_int_equal(s->last->ede, 22);
}

static void test_never_synchronous(void **state)
{
	struct silence *s = *state;

	(void)sp_resolver_ask(s->resolver, SP_STR("a..test"), SP_DNS_TYPE_A,
	                      false, on_answer, s);
	assert_int_equal(s->calls, 0);
	run_for(s, 1);
	assert_true(sp_str_eq(s->last->scenario, SP_STR("dns-name")));
	assert_int_equal(sp_dns_answer_check(s->last), 0);
}

static void test_cancel(void **state)
{
	struct silence *s = *state;
	uint64_t id = sp_resolver_ask(s->resolver, SP_STR("a.test"),
	                              SP_DNS_TYPE_A, true, on_answer, s);

	assert_true(id != 0);
	sp_resolver_cancel(s->resolver, id);
	sp_resolver_cancel(s->resolver, id); /* harmless */
	(void)sp_resolver_ask(s->resolver, SP_STR("b.test"), SP_DNS_TYPE_A,
	                      true, on_answer, s);
	run_for(s, 1);
	assert_true(sp_str_eq(s->last->name, SP_STR("b.test")));
}

/* More than may be outstanding, half of them dropped with the resolver. */
static void test_many_and_free(void **state)
{
	struct silence *s = *state;
	char name[32];

	for (int i = 0; i < 1500; i++) {
		(void)snprintf(name, sizeof(name), "n%d.test", i);
		(void)sp_resolver_ask(s->resolver, sp_str_from(name),
		                      SP_DNS_TYPE_A, i % 2, on_answer, s);
	}
	run_for(s, 1500);
	assert_int_equal(s->last->dnssec, SP_DNSSEC_FAILED);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "n%d.test", i);
		(void)sp_resolver_ask(s->resolver, sp_str_from(name),
		                      SP_DNS_TYPE_A, true, on_answer, s);
	}
	sp_resolver_free(&s->resolver);
	assert_int_equal(s->calls, 1500);
}

static void on_tested(void *arg, int result, const char *why)
{
	struct silence *s = arg;

	s->calls = result;
	assert_non_null(strstr(why, "test"));
	sp_loop_stop(s->loop);
}

static void test_self_test_without_answer(void **state)
{
	struct silence *s = *state;

	sp_resolver_self_test(s->resolver, on_tested, s);
	assert_int_equal(s->calls, 0);
	assert_int_equal(sp_loop_run(s->loop), 0);
	assert_int_equal(s->calls, SP_EDNS);
}

static void test_bad_configuration(void **state)
{
	struct silence *s = *state;
	struct sp_str bad = SP_STR("no-address");
	struct sp_resolver_stub stub = {SP_STR("test."), &bad, 1};
	char empty[32];
	char rubbish[32];
	char why[256];

	write_file(empty, "; nothing\n");
	write_file(rubbish, "this is no record\n");

	const struct {
		const char *name;
		struct sp_resolver_conf conf;
		const char *part; /* of the line */
	} cases[] = {
		{"anchor missing",
	         {.trust_anchor = "/nonexistent/key"},
	         "/nonexistent/key: No such file"},
		{"anchor empty", {.trust_anchor = empty}, "no DNSKEY or DS"},
		{"anchor rubbish", {.trust_anchor = rubbish}, ":1: "},
		{"hints missing",
	         {.trust_anchor = s->anchor, .root_hints = "/nonexistent/h"},
	         "/nonexistent/h"},
		{"hints empty",
	         {.trust_anchor = s->anchor, .root_hints = empty},
	         "no address of a root server"},
		{"stub",
	         {.trust_anchor = s->anchor, .stubs = &stub, .stub_count = 1},
	         "stub test. no-address"},
		{"forward",
	         {.trust_anchor = s->anchor,
	          .forward = &bad,
	          .forward_count = 1},
	         "forward no-address"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sp_resolver *r = NULL;

		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_resolver_new(s->loop, &cases[i].conf, &r,
		                                 why, sizeof(why)),
		                 SP_ECONFIG);
		assert_null(r);
		assert_non_null(strstr(why, cases[i].part));
	}
	(void)unlink(empty);
	(void)unlink(rubbish);
}

int main(void)
{
#define SILENT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SILENT(test_deadline),
		SILENT(test_never_synchronous),
		SILENT(test_cancel),
		SILENT(test_many_and_free),
		SILENT(test_self_test_without_answer),
		SILENT(test_bad_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
