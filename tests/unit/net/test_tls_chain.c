/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tools see of a server: each of its keys alone, the chain it presents,
 * and which record fits which certificate.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/stream.h"
#include "net/tls.h"
#include "unit/net/certs.h"

enum who {
	ROOT,
	RSA_LEAF,
	ECDSA_LEAF,
	ED25519_LEAF,
	COUNT,
};

static struct cert certs[COUNT];
static struct sp_str ders[COUNT];

static const struct cert_spec ROOT_SPEC = {"root", NULL, 0, 0, true, NULL};
static const struct cert_spec LEAF_SPEC = {
	"mx", "DNS:mx.d.example,DNS:a.b", 0, 0, false, NULL};

static int set_up(void **state)
{
	(void)state;
	if (sp_tls_setup()) {
		return -1;
	}
	certs[ROOT] = cert_make(&ROOT_SPEC, NULL, NULL, NULL);
	certs[RSA_LEAF] =
		cert_make(&LEAF_SPEC, &certs[ROOT], NULL, EVP_RSA_gen(2048));
	certs[ECDSA_LEAF] = cert_make(&LEAF_SPEC, &certs[ROOT], NULL, NULL);
	certs[ED25519_LEAF] =
		cert_make(&LEAF_SPEC, &certs[ROOT], NULL,
	                  EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
	for (size_t i = 0; i < COUNT; i++) {
		unsigned char *der = NULL;
		int len = i2d_X509(certs[i].x509, &der);

		need(len > 0);
		ders[i] = sp_str_slice(der, (size_t)len);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		OPENSSL_free((void *)(uintptr_t)ders[i].ptr);
		cert_drop(&certs[i]);
	}
	sp_tls_teardown();
	return 0;
}

/* --- one session --- */

struct session {
	struct sp_loop *loop;
	struct sp_stream *client;
	struct sp_stream *server;
	struct sp_arena arena;
	struct sp_tls_chain chain;
	int open; /* ends that have not come to their end */
	bool up;  /* the client's */
};

static void on_client(void *arg, enum sp_stream_event event)
{
	struct session *s = arg;

	s->up = event == SP_STREAM_TLS_UP;
	if (s->up) {
		sp_stream_tls_chain(s->client, &s->arena, &s->chain);
	}
	if (--s->open == 0) {
		sp_loop_stop(s->loop);
	}
}

static void on_server(void *arg, enum sp_stream_event event)
{
	struct session *s = arg;

	(void)event;
	if (--s->open == 0) {
		sp_loop_stop(s->loop);
	}
}

/* authorities: how often the root is sent behind each leaf. */
static struct sp_tls_server *server_new(const enum who *leaves, size_t count,
                                        size_t authorities)
{
	struct sp_tls_server *server = NULL;
	char why[200] = "";

	for (size_t i = 0; i < count; i++) {
		struct pem chain = {0}, key = {0};
		int rc;

		pem_add_cert(&chain, certs[leaves[i]].x509);
		for (size_t k = 0; k < authorities; k++) {
			pem_add_cert(&chain, certs[ROOT].x509);
		}
		pem_add_key(&key, certs[leaves[i]].key);
		rc = i == 0 ? sp_tls_server_new(pem_str(&chain), pem_str(&key),
		                                &server, why, sizeof(why))
		            : sp_tls_server_add(server, pem_str(&chain),
		                                pem_str(&key), why,
		                                sizeof(why));
		if (rc) {
			fail_msg("%s", why);
		}
		sp_free(chain.text);
		sp_free(key.text);
	}
	return server;
}

static void ask(struct session *s, const enum who *leaves, size_t count,
                size_t authorities, enum sp_key_algorithm only)
{
	const struct sp_tls_client params = {.only = only};
	struct sp_tls_server *server = server_new(leaves, count, authorities);
	int fd[2];

	*s = (struct session){.open = 2};
	sp_arena_init(&s->arena);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	s->loop = sp_loop_new();
	s->client = sp_stream_accepted(s->loop, fd[0], on_client, s);
	s->server = sp_stream_accepted(s->loop, fd[1], on_server, s);
	assert_int_equal(sp_stream_start_tls_client(s->client, &params), 0);
	assert_int_equal(sp_stream_start_tls_server(s->server, server), 0);
	assert_int_equal(sp_loop_run(s->loop), 0);
	sp_stream_free(&s->client);
	sp_stream_free(&s->server);
	sp_loop_free(&s->loop);
	sp_tls_server_free(&server);
}

static const struct ask_case {
	const char *name;
	enum who leaves[3];
	size_t count;
	enum sp_key_algorithm only;
	int seen; /* -1: no session */
} ASKS[] = {
	{"RFC 8446 4.2.3 of two the RSA key",
         {ECDSA_LEAF, RSA_LEAF},
         2,
         SP_KEY_ALGORITHM_RSA,
         RSA_LEAF},
	{"RFC 8446 4.2.3 of two the ECDSA key",
         {ECDSA_LEAF, RSA_LEAF},
         2,
         SP_KEY_ALGORITHM_ECDSA,
         ECDSA_LEAF},
	{"RFC 8446 4.2.3 of two none is Ed25519",
         {ECDSA_LEAF, RSA_LEAF},
         2,
         SP_KEY_ALGORITHM_ED25519,
         -1},
	{"RFC 8446 4.2.3 of three the Ed25519 key",
         {ECDSA_LEAF, RSA_LEAF, ED25519_LEAF},
         3,
         SP_KEY_ALGORITHM_ED25519,
         ED25519_LEAF},
	{"RFC 8446 4.2.3 of three the ECDSA key",
         {ED25519_LEAF, RSA_LEAF, ECDSA_LEAF},
         3,
         SP_KEY_ALGORITHM_ECDSA,
         ECDSA_LEAF},
	{"RFC 8446 4.2.3 no RSA key",
         {ED25519_LEAF, ECDSA_LEAF},
         2,
         SP_KEY_ALGORITHM_RSA,
         -1},
	{"RFC 8446 4.2.3 no ECDSA key",
         {RSA_LEAF},
         1,
         SP_KEY_ALGORITHM_ECDSA,
         -1},
	{"any", {RSA_LEAF}, 1, SP_KEY_ALGORITHM_ANY, RSA_LEAF},
};

static void test_one_algorithm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ASKS) / sizeof(ASKS[0]); i++) {
		const struct ask_case *c = &ASKS[i];
		struct session s;

		print_message("  %s\n", c->name);
		ask(&s, c->leaves, c->count, 1, c->only);
		assert_int_equal(s.up, c->seen >= 0);
		assert_int_equal(s.chain.count, c->seen >= 0 ? 2 : 0);
		if (c->seen >= 0) {
			assert_true(sp_str_eq(s.chain.der[0], ders[c->seen]));
			assert_true(sp_str_eq(s.chain.der[1], ders[ROOT]));
			assert_false(s.chain.cut);
		}
		sp_arena_fini(&s.arena);
	}
}

/* More is sent than anybody looks at. */
static void test_bound(void **state)
{
	static const struct {
		size_t authorities, count;
		bool cut;
	} ROWS[] = {
		{0, 1, false},
		{SP_TLS_CHAIN_MAX - 1, SP_TLS_CHAIN_MAX, false},
		{SP_TLS_CHAIN_MAX, SP_TLS_CHAIN_MAX, true},
		{3 * SP_TLS_CHAIN_MAX, SP_TLS_CHAIN_MAX, true},
	};
	static const enum who LEAF = ECDSA_LEAF;

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct session s;

		ask(&s, &LEAF, 1, ROWS[i].authorities, SP_KEY_ALGORITHM_ANY);
		assert_true(s.up);
		assert_int_equal(s.chain.count, ROWS[i].count);
		assert_int_equal(s.chain.cut, ROWS[i].cut);
		assert_true(sp_str_eq(s.chain.der[0], ders[LEAF]));
		sp_arena_fini(&s.arena);
	}
}

static void test_contradiction(void **state)
{
	const struct sp_tls_client params[] = {
		{.only = SP_KEY_ALGORITHM_RSA, .anonymous_ok = true},
		{.only = SP_KEY_ALGORITHM_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		struct sp_loop *loop = sp_loop_new();
		struct session s = {.loop = loop};
		struct sp_stream *stream;
		int fd[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd),
			0);
		stream = sp_stream_accepted(loop, fd[0], on_client, &s);
		assert_int_equal(sp_stream_start_tls_client(stream, &params[i]),
		                 -EINVAL);
		sp_stream_free(&stream);
		close(fd[1]);
		sp_loop_free(&loop);
	}
}

/* --- what a certificate says --- */

static void test_read(void **state)
{
	static const struct {
		enum who who;
		enum sp_key_algorithm algorithm;
		const char *key;
	} ROWS[] = {
		{RSA_LEAF, SP_KEY_ALGORITHM_RSA, "RSA 2048"},
		{ECDSA_LEAF, SP_KEY_ALGORITHM_ECDSA, "ECDSA 256"},
		{ED25519_LEAF, SP_KEY_ALGORITHM_ED25519, "Ed25519 256"},
	};
	struct sp_tls_certificate c;
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		assert_int_equal(
			sp_tls_certificate_read(ders[ROWS[i].who], &arena, &c),
			0);
		assert_int_equal(c.algorithm, ROWS[i].algorithm);
		assert_true(sp_str_eq(c.key_text, sp_str_from(ROWS[i].key)));
		assert_true(sp_str_eq(c.subject, SP_STR("CN=mx")));
		assert_true(sp_str_eq(c.issuer, SP_STR("CN=root")));
		assert_true(sp_str_eq(c.names, SP_STR("mx.d.example, a.b")));
		assert_int_equal(c.sha256.len, 64);
		assert_true(c.not_before_ms < c.not_after_ms);
	}
	assert_int_equal(sp_tls_certificate_read(SP_STR(""), &arena, &c),
	                 SP_ESYNTAX);
	assert_int_equal(sp_tls_certificate_read(
				 sp_str_sub(ders[ROOT], 0, ders[ROOT].len - 1),
				 &arena, &c),
	                 SP_ESYNTAX);
	sp_arena_fini(&arena);
}

/* --- a record and a certificate --- */

static void test_fits(void **state)
{
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	for (uint8_t selector = 0; selector < 2; selector++) {
		for (uint8_t matching = 0; matching < 3; matching++) {
			struct sp_tlsa r;

			assert_int_equal(sp_tls_tlsa_of(ders[RSA_LEAF], 3,
			                                selector, matching,
			                                &arena, &r),
			                 0);
			assert_true(sp_tls_tlsa_fits(&r, ders[RSA_LEAF]));
			assert_false(sp_tls_tlsa_fits(&r, ders[ECDSA_LEAF]));
			assert_false(sp_tls_tlsa_fits(&r, SP_STR("x")));
			r.matching = 3;
			assert_false(sp_tls_tlsa_fits(&r, ders[RSA_LEAF]));
		}
	}
	sp_arena_fini(&arena);
}

/* The same as from a file, so that both tools print the same line. */
static void test_same_as_make(void **state)
{
	struct sp_tlsa live, made;
	struct sp_arena arena;
	char why[200];

	(void)state;
	sp_arena_init(&arena);
	assert_int_equal(sp_tls_tlsa_of(ders[ROOT], 2, 1, 1, &arena, &live), 0);
	assert_int_equal(sp_tls_tlsa_make(ders[ROOT], 2, 1, 1, &arena, &made,
	                                  why, sizeof(why)),
	                 0);
	assert_int_equal(sp_tlsa_cmp(&live, &made), 0);
	assert_int_equal(sp_tls_tlsa_of(ders[ROOT], 2, 2, 1, &arena, &live),
	                 -EINVAL);
	assert_int_equal(sp_tls_tlsa_of(SP_STR("-----BEGIN CERTIFICATE-----"),
	                                2, 1, 1, &arena, &live),
	                 SP_ESYNTAX);
	sp_arena_fini(&arena);
}

static void test_as_pem(void **state)
{
	struct sp_arena arena;
	struct sp_str pem, der;

	(void)state;
	sp_arena_init(&arena);
	pem = sp_tls_as_pem(ders[ROOT], &arena);
	assert_true(sp_str_starts_nocase(
		pem, SP_STR("-----BEGIN CERTIFICATE-----\n")));
	assert_int_equal(sp_tls_issuer_read(pem, &arena, &der), 0);
	assert_true(sp_str_eq(der, ders[ROOT]));
	assert_true(sp_str_eq(sp_tls_as_pem(pem, &arena), pem));
	assert_true(sp_str_eq(sp_tls_as_pem(SP_STR("junk"), &arena),
	                      SP_STR("junk")));
	assert_int_equal(sp_tls_as_pem(SP_STR(""), &arena).len, 0);
	sp_arena_fini(&arena);
}

/* Which certificate of a chain issues (RFC 5280 4.2.1.9). */
static void test_issuer(void **state)
{
	static const struct {
		const char *name;
		size_t count;
		enum who sent[3];
		int found; /* place in sent; -1: none */
	} cases[] = {
		{"the host's own alone", 1, {ROOT}, -1},
		{"behind it", 2, {RSA_LEAF, ROOT}, 1},
		{"another leaf between", 3, {RSA_LEAF, ECDSA_LEAF, ROOT}, 2},
		{"none that may", 2, {RSA_LEAF, ECDSA_LEAF}, -1},
		{"nothing", 0, {ROOT}, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sp_str der[3];
		struct sp_tls_chain chain = {.der = der,
		                             .count = cases[i].count};
		struct sp_str found;
		int rc;

		for (size_t k = 0; k < 3; k++) {
			der[k] = ders[cases[i].sent[k]];
		}
		rc = sp_tls_issuer_sent(&chain, &found);
		if (rc != (cases[i].found < 0 ? SP_ENOTFOUND : 0) ||
		    (rc == 0 && !sp_str_eq(found, der[cases[i].found]))) {
			fail_msg("%s: %d", cases[i].name, rc);
		}
	}
}

static void test_issuer_in_a_file(void **state)
{
	const enum who file[] = {ED25519_LEAF, ROOT, RSA_LEAF};
	BIO *bio = BIO_new(BIO_s_mem());
	struct sp_arena arena;
	struct sp_str found;
	char *text;
	long len;

	(void)state;
	sp_arena_init(&arena);
	for (size_t i = 0; i < 3; i++) {
		need(PEM_write_bio_X509(bio, certs[file[i]].x509) == 1);
	}
	len = BIO_get_mem_data(bio, &text);
	assert_int_equal(sp_tls_issuer_read(sp_str_slice(text, (size_t)len),
	                                    &arena, &found),
	                 0);
	assert_true(sp_str_eq(found, ders[ROOT]));
	BIO_free(bio);
	assert_int_equal(sp_tls_issuer_read(ders[ROOT], &arena, &found), 0);
	assert_true(sp_str_eq(found, ders[ROOT]));
	assert_int_equal(sp_tls_issuer_read(ders[RSA_LEAF], &arena, &found),
	                 SP_ENOTFOUND);
	assert_int_equal(sp_tls_issuer_read(SP_STR("junk"), &arena, &found),
	                 SP_ESYNTAX);
	assert_int_equal(sp_tls_issuer_read(SP_STR(""), &arena, &found),
	                 SP_ESYNTAX);
	sp_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_algorithm),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_contradiction),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_same_as_make),
		cmocka_unit_test(test_as_pem),
		cmocka_unit_test(test_issuer),
		cmocka_unit_test(test_issuer_in_a_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
