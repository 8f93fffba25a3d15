/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resumption, and peers of other kinds: TLS 1.2, anonymous suites, versions
 * too old, several keys. The server is a child process of plain OpenSSL, so
 * that it can be what ours never is.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/stream.h"
#include "unit/net/certs.h"

struct bench {
	struct sp_loop *loop;
	struct sp_timer *guard;
	struct sp_stream *stream;
	struct sp_arena arena;
	struct sp_tls_seen seen;
	struct sp_addr addr;
	struct cert ca;
	struct cert leaf;
	struct cert rsa;
	pid_t child;
	bool failed; /* the handshake */
};

/* --- the server --- */

struct server {
	int version; /* the only one; 0: any */
	const char *ciphers;
	bool rsa_too; /* has a second certificate */
	bool prefers; /* its own order of algorithms, ECDSA first */
};

static void serve_one(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	need(ssl && SSL_set_fd(ssl, fd) == 1);
	if (SSL_accept(ssl) == 1) {
		char c;

		/* Whoever got this has got the tickets before it. */
		SSL_write(ssl, "hi", 2);
		SSL_shutdown(ssl);
		while (read(fd, &c, 1) > 0)
			;
	}
	SSL_free(ssl);
	close(fd);
}

static void serve(const struct bench *b, const struct server *server,
                  int listen_fd)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	signal(SIGPIPE, SIG_IGN);
	need(ctx != NULL);
	if (server->ciphers)
		need(SSL_CTX_set_cipher_list(ctx, server->ciphers) == 1);
	if (server->version) {
		SSL_CTX_set_min_proto_version(ctx, server->version);
		SSL_CTX_set_max_proto_version(ctx, server->version);
	}
	SSL_CTX_set_dh_auto(ctx, 1);
	need(SSL_CTX_use_certificate(ctx, b->leaf.x509) == 1);
	need(SSL_CTX_add1_chain_cert(ctx, b->ca.x509) == 1);
	need(SSL_CTX_use_PrivateKey(ctx, b->leaf.key) == 1);
	if (server->rsa_too) {
		need(SSL_CTX_use_certificate(ctx, b->rsa.x509) == 1);
		need(SSL_CTX_add1_chain_cert(ctx, b->ca.x509) == 1);
		need(SSL_CTX_use_PrivateKey(ctx, b->rsa.key) == 1);
	}
	if (server->prefers)
		SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	for (;;) {
		int fd = accept(listen_fd, NULL, NULL);

		if (fd >= 0)
			serve_one(ctx, fd);
	}
}

static void start(struct bench *b, const struct server *server)
{
	int fd;

	assert_int_equal(sp_addr_parse(SP_STR("127.0.0.1:0"), 0, &b->addr), 0);
	fd = sp_socket_listen(&b->addr, 8);
	assert_true(fd >= 0);
	assert_int_equal(sp_socket_local(fd, &b->addr), 0);
	b->child = fork();
	assert_true(b->child >= 0);
	if (b->child == 0) {
		need(fcntl(fd, F_SETFL, 0) == 0); /* accept shall wait */
		serve(b, server, fd);
	}
	close(fd);
}

/* --- the client --- */

static void on_guard(void *arg)
{
	(void)arg;
	fail_msg("nothing happened for too long");
}

static void on_event(void *arg, enum sp_stream_event event)
{
	struct bench *b = arg;

	if (event == SP_STREAM_DATA || event == SP_STREAM_TLS_UP)
		return;
	b->failed = event == SP_STREAM_TLS_FAILED;
	sp_loop_stop(b->loop);
}

/* One session to its end; the facts are in b->seen. */
static void visit(struct bench *b, const struct sp_tls_client *params)
{
	sp_timer_set(b->guard, 20000);
	b->failed = false;
	b->stream = sp_stream_connect(b->loop, &b->addr, NULL, on_event, b);
	assert_int_equal(sp_loop_run(b->loop), 0); /* CONNECTED */
	assert_int_equal(sp_stream_error(b->stream), 0);
	assert_int_equal(sp_stream_start_tls_client(b->stream, params), 0);
	assert_int_equal(sp_loop_run(b->loop), 0); /* EOF or failed */
	if (!b->failed)
		assert_int_equal(sp_buf_len(sp_stream_in(b->stream)), 2);
	sp_stream_tls_facts(b->stream, &b->arena, &b->seen);
	assert_int_equal(b->seen.handshake_ok, !b->failed);
	sp_stream_free(&b->stream);
	sp_timer_stop(b->guard);
}

static int set_up(void **state)
{
	struct bench *b = SP_NEW(struct bench);
	struct cert_spec ca = {.cn = "ca", .ca = true};
	struct cert_spec leaf = {.cn = "x", .san = "DNS:mx.d.example"};

	assert_int_equal(sp_tls_setup(), 0);
	b->loop = sp_loop_new();
	b->guard = sp_timer_new(b->loop, on_guard, b);
	b->ca = cert_make(&ca, NULL, NULL, NULL);
	b->leaf = cert_make(&leaf, &b->ca, NULL, NULL);
	b->rsa = cert_make(&leaf, &b->ca, NULL, EVP_RSA_gen(2048));
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	if (b->child > 0) {
		kill(b->child, SIGKILL);
		waitpid(b->child, NULL, 0);
	}
	sp_stream_free(&b->stream);
	sp_timer_free(&b->guard);
	sp_loop_free(&b->loop);
	cert_drop(&b->ca);
	cert_drop(&b->leaf);
	cert_drop(&b->rsa);
	sp_arena_fini(&b->arena);
	sp_tls_teardown();
	sp_free(b);
	return 0;
}

static struct sp_tlsa record_of(struct bench *b, const struct cert *cert,
                                uint8_t usage)
{
	struct pem pem = {0};
	struct sp_tlsa tlsa;
	char why[200];

	pem_add_cert(&pem, cert->x509);
	assert_int_equal(sp_tls_tlsa_make(pem_str(&pem), usage, 1, 1, &b->arena,
	                                  &tlsa, why, sizeof(why)),
	                 0);
	sp_free(pem.text);
	return tlsa;
}

/* --- resumption --- */

static const struct sp_str names[] = {{"mx.d.example", 12}};

static struct sp_tls_client params_for(const struct sp_tlsa *records,
                                       size_t count)
{
	return (struct sp_tls_client){
		.sni = names[0],
		.version_min = 0x0303,
		.records = records,
		.record_count = count,
		.reference_ids = names,
		.reference_id_count = 1,
		.host_name = names[0],
		.session_key = SP_STR("mx.d.example 127.0.0.1 25 digest"),
	};
}

static void check_resumed(struct bench *b, const struct sp_tls_seen *first)
{
	assert_true(b->seen.resumed);
	assert_int_equal(b->seen.verify, SP_TLS_VERIFY_OK);
	assert_true(b->seen.dane_matched);
	assert_int_equal(b->seen.matched_usage, first->matched_usage);
	assert_int_equal(b->seen.matched_depth, first->matched_depth);
	assert_true(sp_str_eq(b->seen.matched_record, first->matched_record));
	assert_true(sp_str_eq(b->seen.cert_sha256, first->cert_sha256));
	assert_true(sp_str_eq(b->seen.cert_names, first->cert_names));
	assert_int_equal(b->seen.not_after_ms, first->not_after_ms);
	assert_true(b->seen.cert_name_matches);
}

static void resumes(struct bench *b, uint8_t usage)
{
	struct sp_tlsa record =
		record_of(b, usage == 3 ? &b->leaf : &b->ca, usage);
	struct sp_tls_client params = params_for(&record, 1);
	struct sp_tls_seen first;

	visit(b, &params);
	first = b->seen;
	assert_false(first.resumed);
	assert_true(first.dane_matched);
	for (int i = 0; i < 3; i++) {
		visit(b, &params);
		check_resumed(b, &first);
	}
}

static void test_resumed_1_3_usage_3(void **state)
{
	start(*state, &(struct server){.version = TLS1_3_VERSION});
	resumes(*state, 3);
}

static void test_resumed_1_3_usage_2(void **state)
{
	start(*state, &(struct server){.version = TLS1_3_VERSION});
	resumes(*state, 2);
}

static void test_resumed_1_2_usage_3(void **state)
{
	start(*state, &(struct server){.version = TLS1_2_VERSION});
	resumes(*state, 3);
}

static void test_resumed_1_2_usage_2(void **state)
{
	start(*state, &(struct server){.version = TLS1_2_VERSION});
	resumes(*state, 2);
}

/* Whatever is asked for otherwise is another key (mail-flow section 3). */
static void test_never_under_another_policy(void **state)
{
	struct bench *b = *state;
	struct sp_tlsa records[2] = {record_of(b, &b->leaf, 3),
	                             record_of(b, &b->ca, 2)};
	const struct sp_tls_client base = params_for(records, 1);
	struct sp_tls_client others[] = {base, base, base, base,
	                                 base, base, base, base};
	struct sp_str other = SP_STR("other.example");

	start(b, &(struct server){.version = TLS1_2_VERSION});
	others[0].session_key = SP_STR("another digest");
	others[1].record_count = 2;
	others[2].records = &records[1];
	others[3].reference_ids = &other;
	others[4].version_min = 0;
	others[5].session_key = SP_STR("");
	others[6].key = SP_KEY_EC;
	others[7].key = SP_KEY_EC;
	others[7].key_only = true;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		visit(b, &base);
		visit(b, &others[i]);
		assert_false(b->seen.resumed);
	}
	visit(b, &base);
	assert_true(b->seen.resumed);
	sp_tls_teardown(); /* forgets all */
	assert_int_equal(sp_tls_setup(), 0);
	visit(b, &base);
	assert_false(b->seen.resumed);
}

static void test_failed_verification_is_not_kept(void **state)
{
	struct bench *b = *state;
	struct sp_tlsa record = record_of(b, &b->ca, 3); /* no match */
	struct sp_tls_client params = params_for(&record, 1);

	start(b, &(struct server){.version = TLS1_2_VERSION});
	for (int i = 0; i < 2; i++) {
		visit(b, &params);
		assert_false(b->seen.resumed);
		assert_false(b->seen.dane_matched);
		assert_int_equal(b->seen.verify, SP_TLS_VERIFY_NO_MATCH);
	}
}

static void trust(const struct cert *root)
{
	char name[] = "/tmp/sp-roots-XXXXXX", why[200] = "";
	int fd = mkstemp(name);
	struct pem pem = {0};

	pem_add_cert(&pem, root->x509);
	need(fd >= 0 && write(fd, pem.text, pem.len) == (ssize_t)pem.len);
	close(fd);
	assert_int_equal(sp_tls_roots(name, why, sizeof(why)), 0);
	unlink(name);
	sp_free(pem.text);
}

/* By the public authorities: good ones are kept with their finding, for one
 * name, and others not at all (RFC 8461 4.2). */
static void test_public_authorities(void **state)
{
	struct bench *b = *state;
	struct sp_tls_client params = params_for(NULL, 0);
	struct sp_tls_client without = params;

	start(b, &(struct server){.version = TLS1_2_VERSION});
	params.pki_name = names[0];
	for (int i = 0; i < 2; i++) {
		visit(b, &params);
		assert_false(b->seen.resumed);
		assert_true(b->seen.pki_checked);
		assert_int_equal(b->seen.pki, SP_TLS_PKI_UNTRUSTED);
	}
	trust(&b->ca);
	visit(b, &without);
	for (int i = 0; i < 3; i++) {
		visit(b, &params);
		assert_int_equal(b->seen.resumed, i > 0);
		assert_true(b->seen.pki_checked);
		assert_int_equal(b->seen.pki, SP_TLS_PKI_OK);
	}
	trust(&b->rsa); /* the roots have changed */
	visit(b, &params);
	assert_false(b->seen.resumed);
	assert_int_equal(b->seen.pki, SP_TLS_PKI_UNTRUSTED);
}

static void test_opportunistic_resumes_unverified(void **state)
{
	struct bench *b = *state;
	struct sp_tls_client params = params_for(NULL, 0);

	start(b, &(struct server){0});
	params.anonymous_ok = true;
	visit(b, &params);
	visit(b, &params);
	assert_true(b->seen.resumed);
	assert_false(b->seen.dane_active);
	assert_false(b->seen.dane_matched);
	assert_int_equal(b->seen.verify, SP_TLS_VERIFY_CHAIN);
	assert_int_equal(b->seen.cert_sha256.len, 64);
}

/* --- servers with two keys --- */

static const struct key_case {
	const char *name;
	struct server server;
	enum sp_key_kind key;
	bool only;
	enum sp_key_kind shown; /* ANY: the handshake fails */
} KEY_CASES[] = {
	{"RFC 8446 4.4.2.2 RSA first",
         {TLS1_3_VERSION, NULL, true, false},
         SP_KEY_RSA,
         false,
         SP_KEY_RSA},
	{"RFC 8446 4.4.2.2 ECDSA first",
         {TLS1_3_VERSION, NULL, true, false},
         SP_KEY_EC,
         false,
         SP_KEY_EC},
	{"the server's order wins",
         {TLS1_3_VERSION, NULL, true, true},
         SP_KEY_RSA,
         false,
         SP_KEY_EC},
	{"RSA only",
         {TLS1_3_VERSION, NULL, true, true},
         SP_KEY_RSA,
         true,
         SP_KEY_RSA},
	{"ECDSA only",
         {TLS1_3_VERSION, NULL, true, true},
         SP_KEY_EC,
         true,
         SP_KEY_EC},
	{"TLS 1.2 RSA only",
         {TLS1_2_VERSION, NULL, true, true},
         SP_KEY_RSA,
         true,
         SP_KEY_RSA},
	{"TLS 1.2 ECDSA only",
         {TLS1_2_VERSION, "aRSA:ALL", true, true},
         SP_KEY_EC,
         true,
         SP_KEY_EC},
	{"TLS 1.2 key exchange by RSA",
         {TLS1_2_VERSION, "kRSA:ALL", true, true},
         SP_KEY_RSA,
         true,
         SP_KEY_RSA},
	{"no RSA key there",
         {TLS1_3_VERSION, NULL, false, false},
         SP_KEY_RSA,
         true,
         SP_KEY_ANY},
	{"TLS 1.2 no RSA key there",
         {TLS1_2_VERSION, NULL, false, false},
         SP_KEY_RSA,
         true,
         SP_KEY_ANY},
	{"preferred, not there",
         {TLS1_3_VERSION, NULL, false, false},
         SP_KEY_RSA,
         false,
         SP_KEY_EC},
};

static void test_keys(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(KEY_CASES) / sizeof(*KEY_CASES); i++) {
		const struct key_case *c = &KEY_CASES[i];
		struct sp_tlsa record = record_of(
			b, c->shown == SP_KEY_RSA ? &b->rsa : &b->leaf, 3);
		struct sp_tls_client params = params_for(&record, 1);

		print_message("  %s\n", c->name);
		params.key = c->key;
		params.key_only = c->only;
		params.session_key = SP_STR("");
		start(b, &c->server);
		visit(b, &params);
		assert_int_equal(b->failed, c->shown == SP_KEY_ANY);
		assert_int_equal(b->seen.key, c->shown);
		assert_int_equal(b->seen.dane_matched, c->shown != SP_KEY_ANY);
		assert_true(
			sp_str_eq(b->seen.key_text,
		                  c->shown == SP_KEY_RSA  ? SP_STR("RSA 2048")
		                  : c->shown == SP_KEY_EC ? SP_STR("ECDSA 256")
		                                          : SP_STR("")));
		kill(b->child, SIGKILL);
		waitpid(b->child, NULL, 0);
		b->child = 0;
	}
}

/* --- other peers --- */

static void test_anonymous(void **state)
{
	struct bench *b = *state;
	struct sp_tls_client params = params_for(NULL, 0);

	start(b,
	      &(struct server){.version = TLS1_2_VERSION,
	                       .ciphers = "ADH-AES128-GCM-SHA256:@SECLEVEL=0"});
	visit(b, &params); /* not offered */
	assert_true(b->failed);
	assert_true(b->seen.error.len > 0);
	params.anonymous_ok = true;
	visit(b, &params);
	assert_false(b->failed);
	assert_true(sp_str_eq(b->seen.cipher, SP_STR("ADH-AES128-GCM-SHA256")));
	assert_int_equal(b->seen.cert_sha256.len, 0);
	assert_int_equal(b->seen.verify, SP_TLS_VERIFY_CHAIN);
}

static void test_version_too_old(void **state)
{
	struct bench *b = *state;
	struct sp_tlsa record = record_of(b, &b->leaf, 3);
	struct sp_tls_client params = params_for(&record, 1);

	start(b, &(struct server){.version = TLS1_1_VERSION,
	                          .ciphers = "DEFAULT:@SECLEVEL=0"});
	visit(b, &params);
	assert_true(b->failed);
	assert_false(b->seen.dane_matched);
	assert_true(b->seen.error.len > 0);
}

static void test_server_that_resets(void **state)
{
	struct bench *b = *state;
	struct sp_tls_client params = params_for(NULL, 0);
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	struct sp_addr peer;
	struct sp_addr local;
	int listen_fd;
	int fd;

	assert_int_equal(sp_addr_parse(SP_STR("127.0.0.1:0"), 0, &b->addr), 0);
	listen_fd = sp_socket_listen(&b->addr, 8);
	assert_int_equal(sp_socket_local(listen_fd, &b->addr), 0);
	b->stream = sp_stream_connect(b->loop, &b->addr, NULL, on_event, b);
	assert_int_equal(sp_loop_run(b->loop), 0);
	fd = sp_socket_accept(listen_fd, &peer, &local);
	assert_true(fd >= 0);
	assert_int_equal(sp_stream_start_tls_client(b->stream, &params), 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	close(listen_fd);
	assert_int_equal(sp_loop_run(b->loop), 0);
	assert_true(b->failed);
	assert_true(sp_stream_error(b->stream) == -ECONNRESET ||
	            sp_stream_error(b->stream) == -EPIPE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_resumed_1_3_usage_3),
		TEST(test_resumed_1_3_usage_2),
		TEST(test_resumed_1_2_usage_3),
		TEST(test_resumed_1_2_usage_2),
		TEST(test_never_under_another_policy),
		TEST(test_failed_verification_is_not_kept),
		TEST(test_public_authorities),
		TEST(test_opportunistic_resumes_unverified),
		TEST(test_keys),
		TEST(test_anonymous),
		TEST(test_version_too_old),
		TEST(test_server_that_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
