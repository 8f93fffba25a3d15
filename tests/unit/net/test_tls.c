/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DANE by libssl: each case goes through a real handshake and through
 * sp_tls_verify_chain, and both must come to the same facts (mail-flow
 * section 4; RFC 7671, 7672).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/err.h"
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
	INTER_NOT_CA,
	INTER_EXPIRED,
	INTER_FUTURE,
	LEAF,
	LEAF_EXPIRED,
	LEAF_FUTURE,
	LEAF_OTHER,
	LEAF_EXPIRED_OTHER,
	LEAF_FUTURE_OTHER,
	LEAF_CN,
	LEAF_CN_SAN,
	LEAF_CN_EMAIL,
	LEAF_WILD,
	LEAF_WILD_PARTIAL,
	LEAF_WILD_DEEP,
	LEAF_CLIENT_ONLY,
	LEAF_FORGED,
	LEAF_BY_NOT_CA,
	LEAF_BY_EXPIRED,
	LEAF_EXPIRED_BY_FUTURE,
	LEAF_BY_ROOT,
	LEAF_RSA_1024,
	SELF,
	SELF_EXPIRED_EMPTY,
	STRANGER,
	COUNT,
};

struct plan_row {
	struct cert_spec spec;
	enum who issuer;
	enum who signer; /* NOBODY: the issuer */
};

/* clang-format off */
static const struct plan_row plan[COUNT] = {
	[ROOT] = {{"root", NULL, 0, 0, true, NULL}, NOBODY, NOBODY},
	[INTER] = {{"inter", NULL, 0, 0, true, NULL}, ROOT, NOBODY},
	[INTER_NOT_CA] = {{"not-ca", NULL, 0, 0, false, NULL}, ROOT, NOBODY},
	[INTER_EXPIRED] = {{"old", NULL, -3 * DAY, -DAY, true, NULL}, ROOT,
	 NOBODY},
	[INTER_FUTURE] = {{"new", NULL, DAY, 3 * DAY, true, NULL}, ROOT,
	 NOBODY},
	[LEAF] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL}, INTER, NOBODY},
	[LEAF_EXPIRED] = {{"x", "DNS:mx.d.example", -3 * DAY, -DAY, false,
	 NULL}, INTER, NOBODY},
	[LEAF_FUTURE] = {{"x", "DNS:mx.d.example", DAY, 3 * DAY, false, NULL},
	 INTER, NOBODY},
	[LEAF_OTHER] = {{"mx.d.example", "DNS:other.example", 0, 0, false,
	 NULL}, INTER, NOBODY},
	[LEAF_EXPIRED_OTHER] = {{"x", "DNS:other.example", -3 * DAY, -DAY,
	 false, NULL}, INTER, NOBODY},
	[LEAF_FUTURE_OTHER] = {{"x", "DNS:other.example", DAY, 3 * DAY, false,
	 NULL}, INTER, NOBODY},
	[LEAF_CN] = {{"mx.d.example", NULL, 0, 0, false, NULL}, INTER, NOBODY},
	[LEAF_CN_SAN] = {{"mx.d.example", "DNS:a.example,DNS:b.example", 0, 0,
	 false, NULL}, INTER, NOBODY},
	[LEAF_CN_EMAIL] = {{"mx.d.example", "email:a@mx.d.example", 0, 0, false,
	 NULL}, INTER, NOBODY},
	[LEAF_WILD] = {{"x", "DNS:*.d.example", 0, 0, false, NULL}, INTER,
	 NOBODY},
	[LEAF_WILD_PARTIAL] = {{"x", "DNS:m*.d.example", 0, 0, false, NULL},
	 INTER, NOBODY},
	[LEAF_WILD_DEEP] = {{"x", "DNS:*.mx.d.example", 0, 0, false, NULL},
	 INTER, NOBODY},
	[LEAF_CLIENT_ONLY] = {{"x", "DNS:mx.d.example", 0, 0, false,
	 "clientAuth"}, INTER, NOBODY},
	[LEAF_FORGED] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL}, INTER,
	 STRANGER},
	[LEAF_BY_NOT_CA] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL},
	 INTER_NOT_CA, NOBODY},
	[LEAF_BY_EXPIRED] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL},
	 INTER_EXPIRED, NOBODY},
	[LEAF_EXPIRED_BY_FUTURE] = {{"x", "DNS:mx.d.example", -3 * DAY, -DAY,
	 false, NULL}, INTER_FUTURE, NOBODY},
	[LEAF_BY_ROOT] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL}, ROOT,
	 NOBODY},
	[LEAF_RSA_1024] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL}, INTER,
	 NOBODY},
	[SELF] = {{"x", "DNS:mx.d.example", 0, 0, false, NULL}, NOBODY, NOBODY},
	[SELF_EXPIRED_EMPTY] = {{NULL, NULL, -3 * DAY, -DAY, false, NULL},
	 NOBODY, NOBODY},
	[STRANGER] = {{"stranger", NULL, 0, 0, true, NULL}, NOBODY, NOBODY},
};
/* clang-format on */

static struct cert certs[COUNT];

static void make_cert(enum who who)
{
	enum who issuer = plan[who].issuer;
	enum who signer = plan[who].signer;
	EVP_PKEY *key = who == LEAF_RSA_1024 ? EVP_RSA_gen(1024) : NULL;

	certs[who] = cert_make(&plan[who].spec, issuer ? &certs[issuer] : NULL,
	                       signer ? certs[signer].key : NULL, key);
}

static int set_up(void **state)
{
	(void)state;
	if (sp_tls_setup())
		return -1;
	make_cert(STRANGER); /* signs one of the others */
	for (int i = NOBODY + 1; i < STRANGER; i++)
		make_cert((enum who)i);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = NOBODY + 1; i < COUNT; i++)
		cert_drop(&certs[i]);
	sp_tls_teardown();
	return 0;
}

/* --- the table --- */

#define OK      SP_TLS_VERIFY_OK
#define NOMATCH SP_TLS_VERIFY_NO_MATCH
#define NOTA    SP_TLS_VERIFY_TA_NOT_IN_CHAIN
#define EXPIRED SP_TLS_VERIFY_EXPIRED
#define FUTURE  SP_TLS_VERIFY_NOT_YET_VALID
#define NAME    SP_TLS_VERIFY_NAME
#define CHAIN   SP_TLS_VERIFY_CHAIN

struct dane_case {
	const char *name;
	enum who sent[4];
	struct {
		uint8_t usage, selector, matching;
		enum who of; /* NOBODY: no more */
	} records[4];
	enum sp_tls_verify verify;
	int depth; /* of the match; -1: none */
	bool name_matches;
	bool file_only; /* a server here would refuse the key */
};

/* clang-format off */
static const struct dane_case cases[] = {
	{"3 1 1", {LEAF, INTER}, {{3, 1, 1, LEAF}}, OK, 0, true, 0},
	{"3 0 1", {LEAF, INTER}, {{3, 0, 1, LEAF}}, OK, 0, true, 0},
	{"3 1 2", {LEAF, INTER}, {{3, 1, 2, LEAF}}, OK, 0, true, 0},
	{"3 0 2", {LEAF, INTER}, {{3, 0, 2, LEAF}}, OK, 0, true, 0},
	{"3 0 0", {LEAF, INTER}, {{3, 0, 0, LEAF}}, OK, 0, true, 0},
	{"3 1 0", {LEAF, INTER}, {{3, 1, 0, LEAF}}, OK, 0, true, 0},
	{"3 1 1, leaf alone", {LEAF}, {{3, 1, 1, LEAF}}, OK, 0, true, 0},
	{"3 1 1, self-signed", {SELF}, {{3, 1, 1, SELF}}, OK, 0, true, 0},
	{"3 1 1, expired (RFC 7671 5.1)", {LEAF_EXPIRED, INTER}, {{3, 1, 1,
	 LEAF_EXPIRED}}, OK, 0, true, 0},
	{"3 1 1, not yet valid", {LEAF_FUTURE, INTER}, {{3, 1, 1, LEAF_FUTURE}},
	 OK, 0, true, 0},
	{"3 1 1, other name", {LEAF_OTHER, INTER}, {{3, 1, 1, LEAF_OTHER}}, OK,
	 0, false, 0},
	{"3 0 1, expired, empty subject, no name", {SELF_EXPIRED_EMPTY}, {{3, 0,
	 1, SELF_EXPIRED_EMPTY}}, OK, 0, false, 0},
	{"3 1 1, key usage for clients only", {LEAF_CLIENT_ONLY, INTER}, {{3, 1,
	 1, LEAF_CLIENT_ONLY}}, OK, 0, true, 0},
	{"3 1 1, chain forged", {LEAF_FORGED, INTER}, {{3, 1, 1, LEAF_FORGED}},
	 OK, 0, true, 0},
	{"3 1 1, RSA of 1024 bits", {LEAF_RSA_1024, INTER}, {{3, 1, 1,
	 LEAF_RSA_1024}}, OK, 0, true, true},
	{"3 1 1 of another", {LEAF, INTER}, {{3, 1, 1, SELF}}, NOMATCH, -1,
	 true, 0},
	{"3 1 1 of the issuer", {LEAF, INTER}, {{3, 1, 1, INTER}}, NOMATCH, -1,
	 true, 0},
	{"two 3 1 1, second matches", {LEAF, INTER}, {{3, 1, 1, SELF}, {3, 1, 1,
	 LEAF}}, OK, 0, true, 0},
	{"3 0 1 fails, 3 1 1 matches", {LEAF, INTER}, {{3, 0, 1, SELF}, {3, 1,
	 1, LEAF}}, OK, 0, true, 0},
	{"3 1 0 of another, 3 1 1 matches", {LEAF, INTER}, {{3, 1, 0, SELF}, {3,
	 1, 1, LEAF}}, OK, 0, true, 0},
	{"2 0 1 root", {LEAF, INTER, ROOT}, {{2, 0, 1, ROOT}}, OK, 2, true, 0},
	{"2 1 1 root", {LEAF, INTER, ROOT}, {{2, 1, 1, ROOT}}, OK, 2, true, 0},
	{"2 1 2 root", {LEAF, INTER, ROOT}, {{2, 1, 2, ROOT}}, OK, 2, true, 0},
	{"2 0 1 intermediate (RFC 7671 5.2.3)", {LEAF, INTER}, {{2, 0, 1,
	 INTER}}, OK, 1, true, 0},
	{"2 1 1 intermediate, root sent too", {LEAF, INTER, ROOT}, {{2, 1, 1,
	 INTER}}, OK, 1, true, 0},
	{"2 0 0 root not sent (RFC 7671 5.2.1)", {LEAF, INTER}, {{2, 0, 0,
	 ROOT}}, OK, 2, true, 0},
	{"2 1 0 root not sent", {LEAF, INTER}, {{2, 1, 0, ROOT}}, OK, 1, true,
	 0},
	{"2 0 0 root sent", {LEAF, INTER, ROOT}, {{2, 0, 0, ROOT}}, OK, 2, true,
	 0},
	{"2 0 0 issuer of a leaf alone", {LEAF_BY_ROOT}, {{2, 0, 0, ROOT}}, OK,
	 1, true, 0},
	{"2 1 0 issuer of a leaf alone", {LEAF_BY_ROOT}, {{2, 1, 0, ROOT}}, OK,
	 0, true, 0},
	{"2 0 1 root not sent", {LEAF, INTER}, {{2, 0, 1, ROOT}}, NOTA, -1,
	 true, 0},
	{"2 1 1 root not sent, leaf alone", {LEAF}, {{2, 1, 1, INTER}}, NOTA,
	 -1, true, 0},
	{"2 1 1 of a stranger", {LEAF, INTER, ROOT}, {{2, 1, 1, STRANGER}},
	 NOTA, -1, true, 0},
	{"2 1 1 of a stranger that is sent along", {LEAF, INTER, STRANGER}, {{2,
	 1, 1, STRANGER}}, NOTA, -1, true, 0},
	{"2 1 1 of the leaf itself", {LEAF, INTER}, {{2, 1, 1, LEAF}}, NOTA, -1,
	 true, 0},
	{"2 1 1 of a self-signed leaf", {SELF}, {{2, 1, 1, SELF}}, NOTA, -1,
	 true, 0},
	{"2 1 0 of a self-signed leaf: its key signs it", {SELF}, {{2, 1, 0,
	 SELF}}, OK, 0, true, 0},
	{"2 0 0 of a self-signed leaf", {SELF}, {{2, 0, 0, SELF}}, NOTA, -1,
	 true, 0},
	{"no anchor, expired, other name: the anchor is told",
	 {LEAF_EXPIRED_OTHER, INTER}, {{2, 1, 1, ROOT}}, NOTA, -1, false, 0},
	{"2 1 1, leaf expired", {LEAF_EXPIRED, INTER}, {{2, 1, 1, INTER}},
	 EXPIRED, 1, true, 0},
	{"2 1 1, leaf not yet valid", {LEAF_FUTURE, INTER}, {{2, 1, 1, INTER}},
	 FUTURE, 1, true, 0},
	{"2 1 1, intermediate expired", {LEAF_BY_EXPIRED, INTER_EXPIRED, ROOT},
	 {{2, 1, 1, ROOT}}, EXPIRED, 2, true, 0},
	{"2 1 1, other name (CN does not count)", {LEAF_OTHER, INTER}, {{2, 1,
	 1, INTER}}, NAME, 1, false, 0},
	{"2 0 0 not sent, leaf expired", {LEAF_EXPIRED, INTER}, {{2, 0, 0,
	 ROOT}}, EXPIRED, 2, true, 0},
	{"2 1 0 not sent, other name", {LEAF_OTHER, INTER}, {{2, 1, 0, ROOT}},
	 NAME, 1, false, 0},
	{"expired before name", {LEAF_EXPIRED_OTHER, INTER}, {{2, 1, 1, INTER}},
	 EXPIRED, 1, false, 0},
	{"not yet valid before name", {LEAF_FUTURE_OTHER, INTER}, {{2, 1, 1,
	 INTER}}, FUTURE, 1, false, 0},
	{"not yet valid before expired", {LEAF_EXPIRED_BY_FUTURE, INTER_FUTURE,
	 ROOT}, {{2, 1, 1, ROOT}}, FUTURE, 2, true, 0},
	{"issuer is no authority", {LEAF_BY_NOT_CA, INTER_NOT_CA, ROOT}, {{2, 1,
	 1, ROOT}}, CHAIN, 2, true, 0},
	{"leaf for clients only", {LEAF_CLIENT_ONLY, INTER}, {{2, 1, 1, INTER}},
	 CHAIN, 1, true, 0},
	{"leaf not signed by its issuer", {LEAF_FORGED, INTER}, {{2, 1, 1,
	 INTER}}, CHAIN, 1, true, 0},
	{"CN only, no SAN", {LEAF_CN, INTER}, {{2, 1, 1, INTER}}, OK, 1, true,
	 0},
	{"CN beside DNS-IDs", {LEAF_CN_SAN, INTER}, {{2, 1, 1, INTER}}, NAME, 1,
	 false, 0},
	{"CN beside a SAN without DNS-ID (RFC 6125 6.4.4)", {LEAF_CN_EMAIL,
	 INTER}, {{2, 1, 1, INTER}}, OK, 1, true, 0},
	{"wildcard, whole label", {LEAF_WILD, INTER}, {{2, 1, 1, INTER}}, OK, 1,
	 true, 0},
	{"wildcard, part of a label", {LEAF_WILD_PARTIAL, INTER}, {{2, 1, 1,
	 INTER}}, NAME, 1, false, 0},
	{"wildcard needs a label", {LEAF_WILD_DEEP, INTER}, {{2, 1, 1, INTER}},
	 NAME, 1, false, 0},
	{"EE fails, TA matches", {LEAF, INTER}, {{3, 1, 1, SELF}, {2, 1, 1,
	 INTER}}, OK, 1, true, 0},
	{"EE matches, TA fails", {LEAF_EXPIRED, INTER}, {{2, 1, 1, ROOT}, {3, 1,
	 1, LEAF_EXPIRED}}, OK, 0, true, 0},
	{"EE and TA fail", {LEAF, INTER}, {{3, 1, 1, SELF}, {2, 1, 1, ROOT}},
	 NOMATCH, -1, true, 0},
	{"EE fails, TA matches an expired chain", {LEAF_EXPIRED, INTER}, {{3, 1,
	 1, SELF}, {2, 1, 1, INTER}}, EXPIRED, 1, true, 0},
	{"EE and TA both match: EE decides", {LEAF_EXPIRED_OTHER, INTER}, {{2,
	 1, 1, INTER}, {3, 1, 1, LEAF_EXPIRED_OTHER}}, OK, 0, false, 0},
	{"no record", {LEAF, INTER}, {{0, 0, 0, NOBODY}}, CHAIN, -1, true, 0},
};
/* clang-format on */

/* --- running a case --- */

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
	if (++s->up == 2)
		sp_loop_stop(s->loop);
}

static void handshake(struct session *s, const struct sp_tls_client *params,
                      struct sp_str chain, struct sp_str key)
{
	struct sp_tls_server *server;
	char why[200] = "";
	int fd[2];

	if (sp_tls_server_new(chain, key, &server, why, sizeof(why)))
		fail_msg("%s", why);
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

static struct sp_tlsa make_record(uint8_t usage, uint8_t selector,
                                  uint8_t matching, enum who of,
                                  struct sp_arena *arena)
{
	struct pem pem = {0};
	struct sp_tlsa tlsa;
	char why[200] = "";

	pem_add_cert(&pem, certs[of].x509);
	if (sp_tls_tlsa_make(pem_str(&pem), usage, selector, matching, arena,
	                     &tlsa, why, sizeof(why)))
		fail_msg("%s", why);
	sp_free(pem.text);
	return tlsa;
}

static void check_seen(const struct dane_case *c,
                       const struct sp_tls_seen *seen)
{
	if (seen->verify != c->verify || seen->matched_depth != c->depth)
		fail_msg("verify %d, depth %d: %.*s", (int)seen->verify,
		         seen->matched_depth, SP_STR_ARG(seen->verify_text));
	assert_true(seen->handshake_ok);
	assert_int_equal(seen->verify, c->verify);
	assert_int_equal(seen->dane_matched, c->verify == OK);
	assert_int_equal(seen->dane_active, c->records[0].of != NOBODY);
	assert_int_equal(seen->matched_depth, c->depth);
	assert_int_equal(seen->matched_record.len > 0, c->depth >= 0);
	assert_int_equal(seen->cert_name_matches, c->name_matches);
	assert_int_equal(seen->cert_sha256.len, 64);
	assert_true(seen->verify_text.len > 0);
	assert_true(seen->not_before_ms > 0);
	assert_true(seen->not_after_ms > seen->not_before_ms);
}

static void run_case(const struct dane_case *c)
{
	struct sp_str names[] = {SP_STR("next-hop.example"),
	                         SP_STR("mx.d.example")};
	struct sp_tlsa records[4];
	struct sp_tls_client params = {
		.sni = SP_STR("mx.d.example"),
		.version_min = 0x0303,
		.records = records,
		.reference_ids = names,
		.reference_id_count = 2,
		.host_name = SP_STR("mx.d.example"),
	};
	struct session s = {0};
	struct sp_tls_seen offline;
	struct pem chain = {0};
	struct pem key = {0};
	char why[200] = "";

	sp_arena_init(&s.arena);
	for (int i = 0; i < 4 && c->records[i].of; i++)
		records[params.record_count++] = make_record(
			c->records[i].usage, c->records[i].selector,
			c->records[i].matching, c->records[i].of, &s.arena);
	for (int i = 0; i < 4 && c->sent[i]; i++)
		pem_add_cert(&chain, certs[c->sent[i]].x509);
	pem_add_key(&key, certs[c->sent[0]].key);
	assert_int_equal(sp_tls_verify_chain(pem_str(&chain), &params,
	                                     sp_time_wall_ms(), &s.arena,
	                                     &offline, why, sizeof(why)),
	                 0);
	check_seen(c, &offline);
	if (!c->file_only) {
		handshake(&s, &params, pem_str(&chain), pem_str(&key));
		check_seen(c, &s.seen);
		assert_true(sp_str_eq(s.seen.verify_text, offline.verify_text));
		assert_true(sp_str_eq(s.seen.matched_record,
		                      offline.matched_record));
		assert_true(sp_str_eq(s.seen.protocol, SP_STR("TLSv1.3")));
	}
	sp_free(chain.text);
	sp_free(key.text);
	sp_arena_fini(&s.arena);
}

static void test_dane(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("  %s\n", cases[i].name);
		run_case(&cases[i]);
	}
}

/* --- facts --- */

static struct sp_tls_seen verify_at(enum who leaf, enum who issuer,
                                    const struct sp_tls_client *params,
                                    int64_t at_ms, struct sp_arena *arena)
{
	struct sp_tls_seen seen;
	struct pem chain = {0};
	char why[200] = "";

	pem_add_cert(&chain, certs[leaf].x509);
	if (issuer)
		pem_add_cert(&chain, certs[issuer].x509);
	if (sp_tls_verify_chain(pem_str(&chain), params, at_ms, arena, &seen,
	                        why, sizeof(why)))
		fail_msg("%s", why);
	sp_free(chain.text);
	return seen;
}

static void test_verify_at_another_time(void **state)
{
	struct sp_str name = SP_STR("mx.d.example");
	struct sp_arena arena;
	struct sp_tlsa record;
	struct sp_tls_client params = {
		.records = &record,
		.record_count = 1,
		.reference_ids = &name,
		.reference_id_count = 1,
	};
	int64_t now_ms = sp_time_wall_ms();

	(void)state;
	sp_arena_init(&arena);
	record = make_record(2, 1, 1, INTER, &arena);
	assert_int_equal(verify_at(LEAF, INTER, &params, now_ms, &arena).verify,
	                 OK);
	assert_int_equal(
		verify_at(LEAF, INTER, &params, now_ms + 2 * DAY * 1000, &arena)
			.verify,
		EXPIRED);
	assert_int_equal(
		verify_at(LEAF, INTER, &params, now_ms - 2 * DAY * 1000, &arena)
			.verify,
		FUTURE);
	sp_arena_fini(&arena);
}

static void test_facts_of_the_certificate(void **state)
{
	struct sp_tls_client params = {.host_name = SP_STR("b.example")};
	struct sp_arena arena;
	struct sp_tls_seen seen;

	(void)state;
	sp_arena_init(&arena);
	seen = verify_at(LEAF_CN_SAN, INTER, &params, 0, &arena);
	assert_true(sp_str_eq(seen.cert_subject, SP_STR("CN=mx.d.example")));
	assert_true(sp_str_eq(seen.cert_issuer, SP_STR("CN=inter")));
	assert_true(sp_str_eq(seen.cert_names, SP_STR("a.example, b.example")));
	assert_true(seen.cert_name_matches);
	assert_false(seen.dane_active);
	assert_int_equal(seen.matched_usage, -1);
	seen = verify_at(SELF_EXPIRED_EMPTY, NOBODY, &params, 0, &arena);
	assert_int_equal(seen.cert_subject.len, 0);
	assert_int_equal(seen.cert_names.len, 0);
	sp_arena_fini(&arena);
}

/* Names of strangers: controls are escaped, a long list is cut. */
static void test_hostile_names(void **state)
{
	struct sp_tls_client params = {0};
	struct cert_spec spec = {.cn = "a\r\nb\x01\"c", .san = NULL};
	struct sp_arena arena;
	struct sp_tls_seen seen;
	struct pem pem = {0};
	char san[8000] = "";
	char why[200];
	struct cert c;

	(void)state;
	for (size_t i = 0, at = 0; i < 200; i++)
		at += (size_t)snprintf(san + at, sizeof(san) - at,
		                       "%sDNS:host-%03zu.example", i ? "," : "",
		                       i);
	spec.san = san;
	c = cert_make(&spec, NULL, NULL, NULL);
	pem_add_cert(&pem, c.x509);
	sp_arena_init(&arena);
	assert_int_equal(sp_tls_verify_chain(pem_str(&pem), &params, 0, &arena,
	                                     &seen, why, sizeof(why)),
	                 0);
	assert_true(seen.cert_names.len <= 1024);
	assert_true(sp_str_ends_nocase(seen.cert_names, SP_STR(", ...")));
	for (size_t i = 0; i < seen.cert_subject.len; i++)
		assert_in_range(seen.cert_subject.ptr[i], 32, 126);
	sp_arena_fini(&arena);
	sp_free(pem.text);
	cert_drop(&c);
}

static void test_records_libssl_refuses(void **state)
{
	struct sp_tlsa record = {3, 1, 1, SP_STR("too short")};
	struct sp_tls_client params = {.records = &record, .record_count = 1};
	struct sp_arena arena;
	struct sp_tls_seen seen;

	(void)state;
	sp_arena_init(&arena);
	seen = verify_at(LEAF, INTER, &params, sp_time_wall_ms(), &arena);
	assert_true(seen.dane_active);
	assert_false(seen.dane_matched);
	assert_int_equal(seen.verify, NOMATCH);
	sp_arena_fini(&arena);
}

static void test_contradicting_params(void **state)
{
	struct sp_arena arena;
	struct sp_tlsa record;
	struct sp_tls_client params = {.records = &record, .record_count = 1};
	struct sp_tls_seen seen;
	struct pem pem = {0};
	char why[200];

	(void)state;
	sp_arena_init(&arena);
	record = make_record(2, 1, 1, INTER, &arena);
	pem_add_cert(&pem, certs[LEAF].x509);
	assert_int_equal(sp_tls_verify_chain(pem_str(&pem), &params, 0, &arena,
	                                     &seen, why, sizeof(why)),
	                 -EINVAL); /* usage 2 and no name to look for */
	record = make_record(3, 1, 1, LEAF, &arena);
	params.anonymous_ok = true;
	assert_int_equal(sp_tls_verify_chain(pem_str(&pem), &params, 0, &arena,
	                                     &seen, why, sizeof(why)),
	                 -EINVAL);
	params.anonymous_ok = false;
	assert_int_equal(sp_tls_verify_chain(SP_STR("junk"), &params, 0, &arena,
	                                     &seen, why, sizeof(why)),
	                 SP_ESYNTAX);
	assert_true(strlen(why) > 0);
	sp_free(pem.text);
	sp_arena_fini(&arena);
}

/* --- tools --- */

static void test_make_from_every_form(void **state)
{
	struct pem pems[3] = {{0}};
	unsigned char *der = NULL;
	struct sp_arena arena;
	struct sp_tlsa want;
	struct sp_tlsa got;
	char why[200];
	int len;

	(void)state;
	sp_arena_init(&arena);
	pem_add_cert(&pems[0], certs[LEAF].x509);
	pem_add_key(&pems[1], certs[LEAF].key);
	pem_add_public(&pems[2], certs[LEAF].key);
	want = make_record(3, 1, 1, LEAF, &arena);
	assert_int_equal(want.data.len, 32);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sp_tls_tlsa_make(pem_str(&pems[i]), 3, 1, 1,
		                                  &arena, &got, why,
		                                  sizeof(why)),
		                 0);
		assert_true(sp_str_eq(got.data, want.data));
		sp_free(pems[i].text);
	}
	len = i2d_X509(certs[LEAF].x509, &der);
	assert_int_equal(sp_tls_tlsa_make(sp_str_slice(der, (size_t)len), 3, 1,
	                                  1, &arena, &got, why, sizeof(why)),
	                 0);
	assert_true(sp_str_eq(got.data, want.data));
	OPENSSL_free(der);
	der = NULL;
	len = i2d_PrivateKey(certs[LEAF].key, &der);
	assert_int_equal(sp_tls_tlsa_make(sp_str_slice(der, (size_t)len), 3, 1,
	                                  1, &arena, &got, why, sizeof(why)),
	                 0);
	assert_true(sp_str_eq(got.data, want.data));
	OPENSSL_free(der);
	sp_arena_fini(&arena);
}

static void test_make_refuses(void **state)
{
	struct pem key = {0};
	struct sp_arena arena;
	struct sp_tlsa got;
	char why[200] = "";

	(void)state;
	sp_arena_init(&arena);
	pem_add_key(&key, certs[LEAF].key);
	assert_int_equal(sp_tls_tlsa_make(pem_str(&key), 3, 0, 1, &arena, &got,
	                                  why, sizeof(why)),
	                 -EINVAL);
	assert_true(strlen(why) > 0);
	assert_int_equal(sp_tls_tlsa_make(pem_str(&key), 4, 1, 1, &arena, &got,
	                                  why, sizeof(why)),
	                 -EINVAL);
	assert_int_equal(sp_tls_tlsa_make(SP_STR("junk"), 3, 1, 1, &arena, &got,
	                                  why, sizeof(why)),
	                 SP_ESYNTAX);
	assert_int_equal(sp_tls_tlsa_make(SP_STR(""), 3, 1, 1, &arena, &got,
	                                  why, sizeof(why)),
	                 SP_ELIMIT);
	sp_free(key.text);
	sp_arena_fini(&arena);
}

static void test_full_parses(void **state)
{
	struct sp_arena arena;
	struct sp_tlsa cert;
	struct sp_tlsa key;

	(void)state;
	sp_arena_init(&arena);
	cert = make_record(2, 0, 0, ROOT, &arena);
	key = make_record(2, 1, 0, ROOT, &arena);
	assert_true(sp_tls_full_parses(&cert));
	assert_true(sp_tls_full_parses(&key));
	cert.selector = 1;
	assert_false(sp_tls_full_parses(&cert));
	cert.selector = 0;
	cert.data.len--;
	assert_false(sp_tls_full_parses(&cert)); /* cut */
	key.data =
		sp_str_from(sp_arena_printf(&arena, "%s", "not a key at all"));
	assert_false(sp_tls_full_parses(&key));
	key.data.len = 0;
	assert_false(sp_tls_full_parses(&key));
	sp_arena_fini(&arena);
}

static void test_server_refuses(void **state)
{
	struct sp_tls_server *server = NULL;
	struct pem cert = {0};
	struct pem key = {0};
	char why[200] = "";

	(void)state;
	pem_add_cert(&cert, certs[LEAF].x509);
	pem_add_key(&key, certs[INTER].key);
	assert_int_equal(sp_tls_server_new(pem_str(&cert), pem_str(&key),
	                                   &server, why, sizeof(why)),
	                 SP_ECONFIG); /* not the key of the certificate */
	assert_true(strlen(why) > 0);
	assert_int_equal(sp_tls_server_new(SP_STR("junk"), pem_str(&key),
	                                   &server, why, sizeof(why)),
	                 SP_ECONFIG);
	assert_int_equal(sp_tls_server_new(pem_str(&cert), SP_STR(""), &server,
	                                   why, sizeof(why)),
	                 SP_ECONFIG);
	assert_null(server);
	assert_non_null(strstr(sp_tls_version(), "OpenSSL"));
	sp_free(cert.text);
	sp_free(key.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dane),
		cmocka_unit_test(test_verify_at_another_time),
		cmocka_unit_test(test_facts_of_the_certificate),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_records_libssl_refuses),
		cmocka_unit_test(test_contradicting_params),
		cmocka_unit_test(test_make_from_every_form),
		cmocka_unit_test(test_make_refuses),
		cmocka_unit_test(test_full_parses),
		cmocka_unit_test(test_server_refuses),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
