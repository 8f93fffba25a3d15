/* SPDX-License-Identifier: Apache-2.0 */
/* One address looked at: what is said to it, what is never said, and that it
 * is left with QUIT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyze/probe.h"
#include "unit/deliver/peer.h"
#include "unit/net/certs.h"

#define GUARD_MS 20000

struct world {
	struct sp_loop *loop;
	struct sp_timer *guard;
	struct sp_tls_server *tls; /* has an ECDSA key */
	struct server server;
	struct sp_addr at;
	struct sp_conf *conf;
	struct sp_arena arena;
	struct sp_plan_tlsa_record record;
	struct sp_plan_host host;
	struct sp_plan_address address;
	bool done;
};

enum records {
	NO_RECORDS,
	RIGHT,
	WRONG,
};

static const struct probe_case {
	const char *name;
	struct script script;
	enum records records;
	enum sp_key_algorithm only;
	size_t envelopes;
	/* what is expected: */
	bool ready;
	enum sp_cause_id cause;
	size_t said;
	unsigned mail[2], rcpt[2]; /* codes */
	unsigned connections, quits, tls_mails, clear_mails;
} CASES[] = {
	{"two envelopes",
         {0},
         RIGHT,
         0,
         2,
         true,
         0,
         2,
         {250, 250},
         {250, 250},
         1,
         1,
         2,
         0},
	{"no envelope", {0}, RIGHT, 0, 0, true, 0, 0, {0}, {0}, 1, 1, 0, 0},
	{"RFC 5321 4.3.2 the recipient is refused",
         {.rcpt = "550 5.1.1 no\r\n"},
         RIGHT,
         0,
         2,
         true,
         0,
         2,
         {250, 250},
         {550, 550},
         1,
         1,
         2,
         0},
	{"RFC 5321 4.3.2 MAIL is refused",
         {.mail = "451 later\r\n"},
         RIGHT,
         0,
         1,
         true,
         0,
         1,
         {451},
         {0},
         1,
         1,
         1,
         0},
	{"RFC 5321 3.8 the peer ends it after the first recipient",
         {.rcpt = "#421 bye\r\n"},
         RIGHT,
         0,
         2,
         true,
         0,
         1,
         {250},
         {421},
         1,
         0,
         1,
         0},
	{"RFC 5321 3.1 the greeting refuses",
         {.greeting = "554 no\r\n"},
         RIGHT,
         0,
         2,
         false,
         SP_CAUSE_REMOTE_REPLY,
         0,
         {0},
         {0},
         1,
         1,
         0,
         0},
	{"RFC 7672 2.2 no STARTTLS under DANE",
         {.no_starttls = true},
         RIGHT,
         0,
         2,
         false,
         SP_CAUSE_STARTTLS_NOT_OFFERED,
         0,
         {0},
         {0},
         1,
         1,
         0,
         0},
	{"RFC 7671 8.4 no record matches, there is no other key",
         {0},
         WRONG,
         0,
         2,
         false,
         SP_CAUSE_TLSA_MISMATCH,
         0,
         {0},
         {0},
         2,
         1,
         0,
         0},
	{"the key that the server has, alone",
         {0},
         RIGHT,
         SP_KEY_ALGORITHM_ECDSA,
         0,
         true,
         0,
         0,
         {0},
         {0},
         1,
         1,
         0,
         0},
	{"a key that it has not: neither another key nor clear text",
         {0},
         NO_RECORDS,
         SP_KEY_ALGORITHM_RSA,
         1,
         false,
         SP_CAUSE_HANDSHAKE_FAILED,
         0,
         {0},
         {0},
         1,
         0,
         0,
         0},
	{"one key alone does not match: no second connection",
         {0},
         WRONG,
         SP_KEY_ALGORITHM_ECDSA,
         0,
         false,
         SP_CAUSE_TLSA_MISMATCH,
         0,
         {0},
         {0},
         1,
         1,
         0,
         0},
	{"RFC 3207 clear text where nothing forbids it",
         {.no_starttls = true},
         NO_RECORDS,
         0,
         1,
         true,
         0,
         1,
         {250},
         {250},
         1,
         1,
         0,
         1},
};

static void on_guard(void *arg)
{
	(void)arg;
	fail_msg("nothing happens any more");
}

static void set_tls(struct world *w)
{
	static const struct cert_spec SPEC = {"mx", "DNS:mx.d.test", 0,
	                                      0,    false,           NULL};
	struct cert cert = cert_make(&SPEC, NULL, NULL, NULL);
	struct pem chain = {0}, key = {0};
	char why[200] = "";

	pem_add_cert(&chain, cert.x509);
	pem_add_key(&key, cert.key);
	if (sp_tls_server_new(pem_str(&chain), pem_str(&key), &w->tls, why,
	                      sizeof(why)) ||
	    sp_tls_tlsa_make(pem_str(&chain), 3, 1, 1, &w->arena,
	                     &w->record.tlsa, why, sizeof(why))) {
		fail_msg("%s", why);
	}
	sp_free(chain.text);
	sp_free(key.text);
	cert_drop(&cert);
}

static void set_host(struct world *w, enum records records)
{
	static const char NO_KEY[32] = "this is no digest of anything..";

	w->host = (struct sp_plan_host){
		.name = SP_STR("mx.d.test"),
		.sni = SP_STR("mx.d.test"),
		.tlsa_owner = SP_STR("_25._tcp.mx.d.test"),
		.rule = records == NO_RECORDS ? SP_RULE_OPPORTUNISTIC
	                                      : SP_RULE_DANE,
		.tlsa = &w->record,
		.tlsa_count = records == NO_RECORDS ? 0 : 1,
		.addresses = &w->address,
		.address_count = 1,
	};
	if (records == WRONG) {
		w->record.tlsa.data = sp_str_slice(NO_KEY, sizeof(NO_KEY));
	}
	w->address.family = 4;
	memcpy(w->address.bytes, w->at.bytes, sizeof(w->address.bytes));
}

static void open_world(struct world *w, const struct probe_case *c)
{
	char why[SP_CONF_WHY] = "";

	*w = (struct world){0};
	assert_int_equal(sp_tls_setup(), 0);
	sp_arena_init(&w->arena);
	w->loop = sp_loop_new();
	w->guard = sp_timer_new(w->loop, on_guard, w);
	sp_timer_set(w->guard, GUARD_MS);
	set_tls(w);
	assert_int_equal(sp_addr_parse(SP_STR("127.0.0.1:0"), 0, &w->at), 0);
	assert_true(server_start(&w->server, w->loop, w->tls, &w->at));
	w->server.script = c->script;
	if (sp_conf_parse(SP_STR("hostname = \"me.test\"\n"), "x", &w->conf,
	                  why)) {
		fail_msg("%s", why);
	}
	set_host(w, c->records);
}

static void close_world(struct world *w)
{
	server_stop(&w->server);
	sp_tls_server_free(&w->tls);
	sp_conf_free(&w->conf);
	sp_timer_free(&w->guard);
	sp_loop_free(&w->loop);
	sp_arena_fini(&w->arena);
	sp_tls_teardown();
}

static void on_probe(void *arg)
{
	struct world *w = arg;

	assert_false(w->done);
	w->done = true;
	sp_loop_stop(w->loop);
}

static void check_said(const struct probe_case *c,
                       const struct sp_probe_result *r)
{
	assert_int_equal(r->said_count, c->said);
	for (size_t i = 0; i < c->said; i++) {
		assert_int_equal(r->said[i].mail.code, c->mail[i]);
		assert_int_equal(r->said[i].rcpt.code, c->rcpt[i]);
		assert_int_equal(r->said[i].accepted, c->rcpt[i] / 100 == 2);
	}
}

static void check_facts(const struct probe_case *c,
                        const struct sp_dial_facts *facts)
{
	bool refused = c->script.greeting != NULL;

	assert_true(sp_str_eq(facts->greeting,
	                      refused ? SP_STR("no") : SP_STR("mx ESMTP")));
	assert_int_equal(facts->hello.len > 0, !refused);
	assert_int_equal(facts->starttls_offered,
	                 !refused && !c->script.no_starttls);
	assert_int_equal(facts->chain.count, facts->tls_facts.handshake_ok);
	assert_false(facts->tls_facts.resumed);
}

static void run(const struct probe_case *c)
{
	static const struct sp_probe_envelope ENVELOPES[] = {
		{{0}, {"b@d.test", 8}},
		{{0}, {"c@e.test", 8}},
	};
	const struct sp_probe_result *r;
	struct sp_probe *probe;
	struct world w;

	open_world(&w, c);
	probe = sp_probe_new(
		&(const struct sp_probe_ask){
			.loop = w.loop,
			.conf = w.conf,
			.domain = SP_STR("d.test"),
			.port = w.at.port,
			.host = &w.host,
			.address = &w.address,
			.only = c->only,
			.envelopes = ENVELOPES,
			.envelope_count = c->envelopes,
		},
		on_probe, &w);
	assert_int_equal(sp_loop_run(w.loop), 0);
	assert_true(w.done);
	r = sp_probe_result(probe);
	assert_int_equal(r->ready, c->ready);
	assert_int_equal(r->verdict.cause, c->cause);
	check_said(c, r);
	check_facts(c, r->facts);
	assert_int_equal(w.server.connections, c->connections);
	assert_int_equal(w.server.quits, c->quits);
	assert_int_equal(w.server.tls_mails, c->tls_mails);
	assert_int_equal(w.server.clear_mails, c->clear_mails);
	assert_int_equal(w.server.messages, 0);
	sp_probe_free(&probe);
	close_world(&w);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		print_message("  %s\n", CASES[i].name);
		run(&CASES[i]);
	}
}

/* RFC 7672 3.1.1 and profile exchange, from the same facts. */
static void test_judge(void **state)
{
	const struct sp_tls_facts expired = {
		.handshake_ok = true,
		.protocol = SP_STR("TLSv1.3"),
		.dane_active = true,
		.dane_matched = true,
		.matched_usage = 3,
		.not_before_ms = 1,
		.not_after_ms = 2,
		.cert_name_matches = true,
	};
	const struct sp_plan_host host = {
		.name = SP_STR("mx.d.test"),
		.rule = SP_RULE_DANE,
	};
	struct sp_verdict v;
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	v = sp_probe_judge(SP_PROFILE_RFC, &host, &expired, &arena);
	assert_int_equal(v.class, SP_VERDICT_DELIVERED);
	v = sp_probe_judge(SP_PROFILE_EXCHANGE, &host, &expired, &arena);
	assert_int_equal(v.cause, SP_CAUSE_CERT_EXPIRED);
	sp_arena_fini(&arena);
}

/* Given up half way: nothing is called any more, nothing leaks. */
static void test_free_early(void **state)
{
	struct sp_probe *probe;
	struct world w;

	(void)state;
	open_world(&w, &CASES[0]);
	probe = sp_probe_new(
		&(const struct sp_probe_ask){
			.loop = w.loop,
			.conf = w.conf,
			.domain = SP_STR("d.test"),
			.port = w.at.port,
			.host = &w.host,
			.address = &w.address,
		},
		on_probe, &w);
	sp_probe_free(&probe);
	assert_null(probe);
	assert_false(w.done);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_free_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
