/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk with a resolver and servers that are of no help. What it finds
 * where they are stands in the scenarios, with real zones.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyze/chain.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "conf/conf.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- a resolver that says what it is told to say --- */

struct question {
	struct sp_list node;
	uint64_t id;
	struct sp_dns_answer *answer;
	sp_lookup_fn *fn;
	void *arg;
};

struct world {
	struct sp_lookup lookup; /* first: it is cast back */
	struct sp_loop *loop;
	struct sp_deferred *speak;
	struct sp_list questions;
	uint64_t last_id;
	size_t asked;
	bool silent;
	bool everything_is_a_zone; /* NS, A for every name */
	struct sp_conf *conf;
	struct sp_chain *chain;
	bool done;

	int server_fd; /* a name server; -1: none */
	struct sp_watch *server_watch;
	size_t served;
	bool mute;
};

static void fill(const struct world *w, struct sp_dns_answer *a)
{
	a->dnssec = SP_DNSSEC_INSECURE;
	a->result = SP_DNS_NODATA;
	if (!w->everything_is_a_zone || a->type != SP_DNS_TYPE_NS) {
		return;
	}
	a->records = sp_arena_array(&a->arena, 1, sizeof(*a->records));
	a->record_count = 1;
	a->records[0].name = SP_STR("ns.test");
	a->result = SP_DNS_RECORDS;
}

static uint64_t ask(struct sp_lookup *lookup, struct sp_str name,
                    enum sp_dns_type type, bool fresh, sp_lookup_fn *fn,
                    void *arg)
{
	struct world *w = (struct world *)(void *)lookup;
	struct question *q = SP_NEW(struct question);

	(void)fresh;
	q->id = ++w->last_id;
	q->answer = sp_dns_answer_new(name, type);
	fill(w, q->answer);
	q->fn = fn;
	q->arg = arg;
	w->asked++;
	sp_list_append(&w->questions, &q->node);
	if (!w->silent) {
		sp_deferred_call(w->speak);
	}
	return q->id;
}

static void on_speak(void *arg)
{
	struct world *w = arg;

	while (!sp_list_empty(&w->questions)) {
		struct question *q = SP_CONTAINER(sp_list_first(&w->questions),
		                                  struct question, node);

		sp_list_remove(&q->node);
		q->fn(q->arg, q->answer);
		sp_free(q);
	}
}

static void cancel(struct sp_lookup *lookup, uint64_t id)
{
	struct world *w = (struct world *)(void *)lookup;

	SP_LIST_FOREACH_SAFE (it, tmp, &w->questions) {
		struct question *q = SP_CONTAINER(it, struct question, node);

		if (q->id == id) {
			sp_list_remove(&q->node);
			sp_dns_answer_free(&q->answer);
			sp_free(q);
		}
	}
}

/* --- a server that says to everybody: ask me, one label further down --- */

/* The length of the question at the start of the packet. */
static size_t question_end(const unsigned char *packet, size_t len)
{
	size_t at = 12;

	while (at < len && packet[at] != 0) {
		at += packet[at] + 1u;
	}
	return at + 5;
}

static size_t refer(unsigned char *packet, size_t end)
{
	/* NS of the question's name, "ns.test" */
	static const unsigned char ns[] = "\xc0\x0c\0\2\0\1\0\0\0\x3c\0\x9"
					  "\2ns\4test";

	memcpy(packet + end, ns, sizeof(ns));
	packet[2] = 0x80;
	packet[9] = 1; /* in the authority section */
	return end + sizeof(ns);
}

static size_t answer_soa(unsigned char *packet, size_t end)
{
	static const unsigned char soa[] = "\xc0\x0c\0\6\0\1\0\0\0\x3c\0\x16"
					   "\0\0\0\0\0\1\0\0\0\1\0\0\0\1"
					   "\0\0\0\1\0\0\0";

	memcpy(packet + end, soa, sizeof(soa));
	packet[2] = 0x84;
	packet[7] = 1;
	return end + sizeof(soa);
}

static void on_server(void *arg, int flags)
{
	struct world *w = arg;
	unsigned char packet[512];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(w->server_fd, packet, sizeof(packet), 0,
	                       (struct sockaddr *)&from, &from_len);
	size_t end;

	(void)flags;
	assert_true(len > 12);
	end = question_end(packet, (size_t)len);
	assert_true(end + 64 < sizeof(packet));
	w->served++;
	if (w->mute) {
		return;
	}
	packet[3] = 0;
	packet[11] = 0; /* without OPT */
	end = packet[end - 3] == SP_DNS_TYPE_NS ? refer(packet, end)
	                                        : answer_soa(packet, end);
	(void)sendto(w->server_fd, packet, end, 0, (struct sockaddr *)&from,
	             from_len);
}

static uint16_t start_server(struct world *w)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->server_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->server_fd, (struct sockaddr *)&sa, sizeof(sa)),
	                 0);
	assert_int_equal(
		getsockname(w->server_fd, (struct sockaddr *)&sa, &len), 0);
	w->server_watch = sp_watch_new(w->loop, w->server_fd, on_server, w);
	sp_watch_set(w->server_watch, SP_IO_READ);
	return ntohs(sa.sin_port);
}

/* --- the tests --- */

static void set_up(struct world *w, int64_t total_ms, const char *extra)
{
	char text[1024];
	char why[SP_CONF_WHY];
	uint16_t port;
	struct sp_chain_conf conf;

	w->lookup.ask = ask;
	w->lookup.cancel = cancel;
	w->loop = sp_loop_new();
	w->speak = sp_deferred_new(w->loop, on_speak, w);
	sp_list_init(&w->questions);
	port = start_server(w);
	(void)snprintf(text, sizeof(text),
	               "resolver { %s stub \".\" { address = "
	               "{\"127.0.0.1@%u\"} } }",
	               extra, port);
	assert_int_equal(
		sp_conf_parse(sp_str_from(text), "test", &w->conf, why), 0);
	conf = (struct sp_chain_conf){
		.loop = w->loop,
		.lookup = &w->lookup,
		.conf = w->conf,
		.server_ms = total_ms / 4,
		.total_ms = total_ms,
	};
	w->chain = sp_chain_new(&conf);
}

static void tear_down(struct world *w)
{
	sp_chain_free(&w->chain);
	assert_true(sp_list_empty(&w->questions)); /* all were cancelled */
	sp_conf_free(&w->conf);
	sp_watch_free(&w->server_watch);
	(void)close(w->server_fd);
	sp_deferred_free(&w->speak);
	sp_loop_free(&w->loop);
}

static void on_done(void *arg)
{
	struct world *w = arg;

	w->done = true;
	sp_loop_stop(w->loop);
}

static void walk(struct world *w, const char *name)
{
	w->done = false;
	sp_chain_walk(w->chain, sp_str_from(name), on_done, w);
	assert_false(w->done);
	assert_int_equal(sp_loop_run(w->loop), 0);
	assert_true(w->done);
}

/* A name with that many labels. */
static const char *deep(char out[256], size_t labels)
{
	size_t len = 0;

	for (size_t i = 1; i < labels; i++) {
		len += (size_t)snprintf(out + len, 256 - len, "a.");
	}
	(void)snprintf(out + len, 256 - len, "test");
	return out;
}

static void test_silence_ends(void **state)
{
	struct world w = {.silent = true, .mute = true};
	int64_t began_ms = sp_time_mono_ms();

	(void)state;
	set_up(&w, 400, "");
	walk(&w, "mx.d.test");
	assert_true(sp_chain_late(w.chain));
	assert_true(sp_time_mono_ms() - began_ms >= 400);
	assert_int_equal(sp_chain_count(w.chain), 1);
	assert_false(sp_chain_at(w.chain, 0)->complete);
	/* later ones end at once */
	walk(&w, "other.test");
	w.done = false;
	sp_chain_round(w.chain, sp_chain_at(w.chain, 0), SP_STR("d.test"),
	               SP_DNS_TYPE_MX, on_done, &w);
	assert_int_equal(sp_loop_run(w.loop), 0);
	assert_true(w.done);
	tear_down(&w);
}

static void test_dropped_in_the_middle(void **state)
{
	struct world w = {.silent = true};

	(void)state;
	set_up(&w, 60000, "");
	sp_chain_walk(w.chain, SP_STR("mx.d.test"), on_done, &w);
	assert_true(w.asked > 0);
	tear_down(&w);
	assert_false(w.done);
}

/* Whatever is asked for is a zone of its own, says the server; and says the
 * resolver. */
static void test_zones_without_end(void **state)
{
	struct world w = {.everything_is_a_zone = true};
	char name[256];

	(void)state;
	set_up(&w, 60000, "");
	walk(&w, deep(name, 100));
	assert_false(sp_chain_late(w.chain));
	assert_int_equal(sp_chain_count(w.chain), SP_CHAIN_LABELS_MAX + 1);
	assert_true(w.asked < 12 * SP_CHAIN_LABELS_MAX);
	for (size_t i = 0; i < 40; i++) { /* of many names */
		(void)snprintf(name, sizeof(name), "n%zu.test", i);
		walk(&w, name);
	}
	assert_int_equal(sp_chain_count(w.chain), SP_CHAIN_ZONES_MAX);
	tear_down(&w);
}

static void test_known_zones_are_not_asked_again(void **state)
{
	struct world w = {0};
	size_t asked, served;

	(void)state;
	set_up(&w, 60000, "");
	walk(&w, "test");
	assert_int_equal(sp_chain_count(w.chain), 2);
	assert_true(sp_chain_server_good(&sp_chain_at(w.chain, 0)->servers[0]));
	asked = w.asked;
	served = w.served;
	walk(&w, "test");
	assert_int_equal(w.asked, asked);
	assert_int_equal(w.served, served);
	assert_ptr_equal(sp_chain_zone_of(w.chain, SP_STR("mx.d.test")),
	                 sp_chain_at(w.chain, 1));
	assert_ptr_equal(sp_chain_zone_of(w.chain, SP_STR("other")),
	                 sp_chain_at(w.chain, 0));
	tear_down(&w);
}

/* RFC 1035 5.1: an escaped dot is no end of a label. */
static void test_escaped_labels(void **state)
{
	struct world w = {.everything_is_a_zone = true};

	(void)state;
	set_up(&w, 60000, "");
	walk(&w, "x\\.y\\046z.test");
	assert_int_equal(sp_chain_count(w.chain), 3);
	assert_true(sp_str_eq(sp_chain_at(w.chain, 2)->name,
	                      SP_STR("x\\.y\\046z.test")));
	tear_down(&w);
}

static void test_round(void **state)
{
	struct world w = {0};
	const struct sp_dns_server_reply *reply;

	(void)state;
	set_up(&w, 60000, "");
	walk(&w, ".");
	w.done = false;
	sp_chain_round(w.chain, sp_chain_at(w.chain, 0), SP_STR("d.test"),
	               SP_DNS_TYPE_MX, on_done, &w);
	assert_int_equal(sp_loop_run(w.loop), 0);
	assert_true(w.done);
	reply = sp_chain_round_reply(w.chain, 0);
	assert_non_null(reply);
	assert_int_equal(reply->err, 0);
	assert_true(sp_str_eq(reply->seen.name, SP_STR("d.test")));
	assert_null(sp_chain_round_reply(w.chain, 1));
	tear_down(&w);
}

/* Nothing but a forwarder leads out: single servers are let alone then. */
static void test_behind_a_forwarder(void **state)
{
	struct world w = {.everything_is_a_zone = true};
	struct sp_chain_conf conf;
	char why[SP_CONF_WHY];

	(void)state;
	set_up(&w, 60000, "");
	sp_chain_free(&w.chain);
	sp_conf_free(&w.conf);
	assert_int_equal(sp_conf_parse(SP_STR("resolver { forward = "
	                                      "{\"127.0.0.1@53\"} }"),
	                               "test", &w.conf, why),
	                 0);
	conf = (struct sp_chain_conf){
		.loop = w.loop,
		.lookup = &w.lookup,
		.conf = w.conf,
		.server_ms = 1000,
		.total_ms = 60000,
	};
	w.chain = sp_chain_new(&conf);
	walk(&w, "d.test");
	assert_true(sp_chain_forwarded(w.chain));
	assert_int_equal(sp_chain_count(w.chain), 3);
	assert_int_equal(w.served, 0);
	tear_down(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence_ends),
		cmocka_unit_test(test_dropped_in_the_middle),
		cmocka_unit_test(test_zones_without_end),
		cmocka_unit_test(test_known_zones_are_not_asked_again),
		cmocka_unit_test(test_escaped_labels),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_behind_a_forwarder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
