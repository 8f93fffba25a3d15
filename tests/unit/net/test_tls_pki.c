/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates by the public authorities (RFC 8461 4.2): each case goes
 * through a real handshake and through sp_tls_verify_chain, with and without
 * TLSA records beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "net/stream.h"
#include "net/tls.h"
#include "unit/net/certs.h"

#define DAY 86400L

enum who {
	NOBODY,
	ROOT,
	INTER,
	INTER_EXPIRED,
	STRANGER,
	LEAF,
	EXPIRED,
	FUTURE,
	OTHER,
	EXPIRED_OTHER,
	CN_ONLY,
	CN_BESIDE,
	WILD,
	WILD_PARTIAL,
	WILD_TWO,
	WILD_DEEP,
	CLIENT_ONLY,
	FORGED,
	BY_EXPIRED,
	BY_STRANGER,
	RSA_1024,
	SELF,
	COUNT,
};

/* clang-format off */
static const struct {
	struct cert_spec spec;
	enum who issuer;
	enum who signer; /* NOBODY: the issuer */
} plan[COUNT] = {
	[ROOT] = {{"root", NULL, 0, 0, true, NULL}, NOBODY, NOBODY},
	[INTER] = {{"inter", NULL, 0, 0, true, NULL}, ROOT, NOBODY},
	[INTER_EXPIRED] = {{"old", NULL, -3 * DAY, -DAY, true, NULL}, ROOT,
	 NOBODY},
	[STRANGER] = {{"stranger", NULL, 0, 0, true, NULL}, NOBODY, NOBODY},
	[LEAF] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL}, INTER, NOBODY},
	[EXPIRED] = {{"x", "DNS:mx.d.example", -3 * DAY, -DAY, false, NULL},
	 INTER, NOBODY},
	[FUTURE] = {{"x", "DNS:mx.d.example", DAY, 3 * DAY, false, NULL},
	 INTER, NOBODY},
	[OTHER] = {{"x", "DNS:d.example,DNS:mx.other.example", 0, 0, false,
	 NULL}, INTER, NOBODY},
	[EXPIRED_OTHER] = {{"x", "DNS:other.example", -3 * DAY, -DAY, false,
	 NULL}, INTER, NOBODY},
	[CN_ONLY] = {{"mx.d.example", NULL, 0, 0, false, NULL}, INTER, NOBODY},
	[CN_BESIDE] = {{"mx.d.example", "DNS:other.example", 0, 0, false,
	 NULL}, INTER, NOBODY},
	[WILD] = {{"x", "DNS:*.d.example", 0, 0, false, NULL}, INTER, NOBODY},
	[WILD_PARTIAL] = {{"x", "DNS:m*.d.example", 0, 0, false, NULL}, INTER,
	 NOBODY},
	[WILD_TWO] = {{"x", "DNS:*.example", 0, 0, false, NULL}, INTER,
	 NOBODY},
	[WILD_DEEP] = {{"x", "DNS:*.mx.d.example", 0, 0, false, NULL}, INTER,
	 NOBODY},
	[CLIENT_ONLY] = {{"x", "DNS:mx.d.example", 0, 0, false, "clientAuth"},
	 INTER, NOBODY},
	[FORGED] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL}, INTER,
	 STRANGER},
	[BY_EXPIRED] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL},
	 INTER_EXPIRED, NOBODY},
	[BY_STRANGER] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL},
	 STRANGER, NOBODY},
	[RSA_1024] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL}, INTER,
	 NOBODY},
	[SELF] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL}, NOBODY,
	 NOBODY},
};

static const struct pki_case {
	const char *name;
	enum who sent[3];
	enum sp_tls_pki pki;
	const char *text; /* a part of it */
	bool file_only;   /* a server here would refuse the key */
} cases[] = {
	{"good", {LEAF, INTER}, SP_TLS_PKI_OK, "ok", 0},
	{"good, root sent along", {LEAF, INTER, ROOT}, SP_TLS_PKI_OK, "ok", 0},
	{"intermediate not sent", {LEAF}, SP_TLS_PKI_UNTRUSTED,
	 "unable to get local issuer", 0},
	{"self-signed", {SELF}, SP_TLS_PKI_UNTRUSTED, "self-signed", 0},
	{"a root of its own", {BY_STRANGER, STRANGER}, SP_TLS_PKI_UNTRUSTED,
	 "self-signed certificate in certificate chain", 0},
	{"not signed by its issuer", {FORGED, INTER}, SP_TLS_PKI_UNTRUSTED,
	 "signature", 0},
	{"for clients only", {CLIENT_ONLY, INTER}, SP_TLS_PKI_UNTRUSTED,
	 "purpose", 0},
	{"RSA of 1024 bits", {RSA_1024, INTER}, SP_TLS_PKI_UNTRUSTED,
	 "key too weak", true},
	{"expired", {EXPIRED, INTER}, SP_TLS_PKI_EXPIRED, "expired", 0},
	{"intermediate expired", {BY_EXPIRED, INTER_EXPIRED},
	 SP_TLS_PKI_EXPIRED, "expired", 0},
	{"not yet valid", {FUTURE, INTER}, SP_TLS_PKI_NOT_YET_VALID,
	 "not yet valid", 0},
	{"other names", {OTHER, INTER}, SP_TLS_PKI_NAME,
	 "not for mx.d.example", 0},
	{"expired before name", {EXPIRED_OTHER, INTER}, SP_TLS_PKI_EXPIRED,
	 "expired", 0},
	{"CN only (RFC 8461 4.2)", {CN_ONLY, INTER}, SP_TLS_PKI_NAME,
	 "not for mx.d.example", 0},
	{"CN beside another DNS-ID", {CN_BESIDE, INTER}, SP_TLS_PKI_NAME,
	 "not for", 0},
	{"wildcard, whole left-most label", {WILD, INTER}, SP_TLS_PKI_OK, "ok",
	 0},
	{"wildcard, part of a label", {WILD_PARTIAL, INTER}, SP_TLS_PKI_NAME,
	 "not for", 0},
	{"wildcard for two labels", {WILD_TWO, INTER}, SP_TLS_PKI_NAME,
	 "not for", 0},
	{"wildcard needs a label", {WILD_DEEP, INTER}, SP_TLS_PKI_NAME,
	 "not for", 0},
};
/* clang-format on */

static struct cert certs[COUNT];
static char roots_file[] = "/tmp/sp-roots-XXXXXX";

static void write_roots(void)
{
	struct pem pem = {0};
	int fd = mkstemp(roots_file);

	need(fd >= 0);
	pem_add_cert(&pem, certs[ROOT].x509);
	need(write(fd, pem.text, pem.len) == (ssize_t)pem.len);
	close(fd);
	sp_free(pem.text);
}

static int set_up(void **state)
{
	(void)state;
	if (sp_tls_setup()) {
		return -1;
	}
	for (int i = ROOT; i < COUNT; i++) {
		enum who issuer = plan[i].issuer, signer = plan[i].signer;

		certs[i] =
			cert_make(&plan[i].spec, issuer ? &certs[issuer] : NULL,
		                  signer ? certs[signer].key : NULL,
		                  i == RSA_1024 ? EVP_RSA_gen(1024) : NULL);
	}
	write_roots();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = ROOT; i < COUNT; i++) {
		cert_drop(&certs[i]);
	}
	unlink(roots_file);
	sp_tls_teardown();
	return 0;
}

static void use_roots(void)
{
	char why[200] = "";

	if (sp_tls_roots(roots_file, why, sizeof(why))) {
		fail_msg("%s", why);
	}
}

/* --- a handshake --- */

struct session {
	struct sp_loop *loop;
	struct sp_stream *client;
	struct sp_stream *server;
	struct sp_arena arena;
	struct sp_tls_seen seen;
	int up;
};

static void on_event(void *arg, enum sp_stream_event event)
{
	struct session *s = arg;

	assert_int_equal(event, SP_STREAM_TLS_UP);
	if (++s->up == 2) {
		sp_loop_stop(s->loop);
	}
}

static void handshake(struct session *s, const struct sp_tls_client *params,
                      struct sp_str chain, struct sp_str key)
{
	struct sp_tls_server *server;
	char why[200] = "";
	int fd[2];

	if (sp_tls_server_new(chain, key, &server, why, sizeof(why))) {
		fail_msg("%s", why);
	}
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	s->loop = sp_loop_new();
	s->client = sp_stream_accepted(s->loop, fd[0], on_event, s);
	s->server = sp_stream_accepted(s->loop, fd[1], on_event, s);
	assert_int_equal(sp_stream_start_tls_client(s->client, params), 0);
	assert_int_equal(sp_stream_start_tls_server(s->server, server), 0);
	assert_int_equal(sp_loop_run(s->loop), 0);
	sp_stream_tls_facts(s->client, &s->arena, &s->seen);
	sp_stream_free(&s->client);
	sp_stream_free(&s->server);
	sp_loop_free(&s->loop);
	sp_tls_server_free(&server);
}

static struct sp_tlsa record_of(enum who of, struct sp_arena *arena)
{
	struct pem pem = {0};
	struct sp_tlsa tlsa;
	char why[200] = "";

	pem_add_cert(&pem, certs[of].x509);
	if (sp_tls_tlsa_make(pem_str(&pem), SP_TLSA_DANE_EE, 1, 1, arena, &tlsa,
	                     why, sizeof(why))) {
		fail_msg("%s", why);
	}
	sp_free(pem.text);
	return tlsa;
}

static void check_seen(const struct pki_case *c, const struct sp_tls_seen *seen,
                       bool dane)
{
	const char *text = sp_str_dup(seen->pki_text);

	assert_true(seen->handshake_ok && seen->pki_checked);
	if (seen->pki != c->pki || !strstr(text, c->text)) {
		fail_msg("%d: %s", (int)seen->pki, text);
	}
	/* Neither sees the other's anchors or errors. */
	assert_int_equal(seen->dane_matched, dane);
	assert_int_equal(seen->verify == SP_TLS_VERIFY_OK, dane);
	sp_free((void *)(uintptr_t)text);
}

static void run_case(const struct pki_case *c, enum who record)
{
	struct session s = {0};
	struct sp_tlsa tlsa;
	struct sp_tls_client params = {
		.sni = SP_STR("mx.d.example"),
		.version_min = 0x0303,
		.records = &tlsa,
		.record_count = record != NOBODY,
		.host_name = SP_STR("mx.d.example"),
		.pki_name = SP_STR("mx.d.example"),
	};
	bool dane = record == c->sent[0];
	struct sp_tls_seen offline;
	struct pem chain = {0}, key = {0};
	char why[200] = "";

	sp_arena_init(&s.arena);
	if (record != NOBODY) {
		tlsa = record_of(record, &s.arena);
	}
	for (int i = 0; i < 3 && c->sent[i]; i++) {
		pem_add_cert(&chain, certs[c->sent[i]].x509);
	}
	pem_add_key(&key, certs[c->sent[0]].key);
	assert_int_equal(sp_tls_verify_chain(pem_str(&chain), &params,
	                                     sp_time_wall_ms(), &s.arena,
	                                     &offline, why, sizeof(why)),
	                 0);
	check_seen(c, &offline, dane);
	if (!c->file_only) {
		handshake(&s, &params, pem_str(&chain), pem_str(&key));
		check_seen(c, &s.seen, dane);
	}
	sp_free(chain.text);
	sp_free(key.text);
	sp_arena_fini(&s.arena);
}

static void test_table(void **state)
{
	(void)state;
	use_roots();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("  %s\n", cases[i].name);
		run_case(&cases[i], NOBODY);
		run_case(&cases[i], cases[i].sent[0]);
		run_case(&cases[i], ROOT); /* usage 3: no match */
	}
}

/* At another time: what `tlsa verify --at` asks for. */
static void test_time(void **state)
{
	struct sp_tls_client params = {.pki_name = SP_STR("mx.d.example")};
	int64_t now_ms = sp_time_wall_ms();
	struct sp_tls_seen seen;
	struct sp_arena arena;
	struct pem chain = {0};
	char why[200];

	(void)state;
	use_roots();
	sp_arena_init(&arena);
	pem_add_cert(&chain, certs[LEAF].x509);
	pem_add_cert(&chain, certs[INTER].x509);
	assert_int_equal(sp_tls_verify_chain(pem_str(&chain), &params,
	                                     now_ms + 2 * DAY * 1000, &arena,
	                                     &seen, why, sizeof(why)),
	                 0);
	assert_int_equal(seen.pki, SP_TLS_PKI_EXPIRED);
	assert_int_equal(sp_tls_verify_chain(pem_str(&chain), &params,
	                                     now_ms - 2 * DAY * 1000, &arena,
	                                     &seen, why, sizeof(why)),
	                 0);
	assert_int_equal(seen.pki, SP_TLS_PKI_NOT_YET_VALID);
	params.pki_name = (struct sp_str){0};
	assert_int_equal(sp_tls_verify_chain(pem_str(&chain), &params, now_ms,
	                                     &arena, &seen, why, sizeof(why)),
	                 0);
	assert_false(seen.pki_checked);
	sp_free(chain.text);
	sp_arena_fini(&arena);
}

/* A bundle that can't be read takes nothing away; none trusts nobody. */
static void test_roots(void **state)
{
	static const struct pki_case good = {
		"", {LEAF, INTER}, SP_TLS_PKI_OK, "ok", false};
	static const struct pki_case none = {
		"", {LEAF, INTER}, SP_TLS_PKI_UNTRUSTED, "known here", false};
	char why[200] = "";

	(void)state;
	use_roots();
	assert_true(sp_tls_roots("/nonexistent", why, sizeof(why)) < 0);
	assert_true(strlen(why) > 0);
	run_case(&good, NOBODY);
	assert_int_equal(sp_tls_roots("", why, sizeof(why)), 0);
	sp_tls_teardown();
	assert_int_equal(sp_tls_setup(), 0);
	run_case(&none, NOBODY);
	use_roots();
	run_case(&good, NOBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_roots),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
