/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_DELIVER_ATTEMPT_WORLD_H
#define SP_TESTS_DELIVER_ATTEMPT_WORLD_H

/*
 * The world of test_attempt.c: two scripted servers, and a lookup whose
 * answers lead to them. Its program is the only one that includes it.
 */
#include "base/time.h"
#include "deliver/attempt.h"
#include "net/tls.h"
#include "unit/deliver/attempt_rows.h"
#include "unit/deliver/peer.h"
#include "unit/net/certs.h"

#define GUARD_S 60

struct answer {
	struct sp_list node;
	uint64_t id;
	struct sp_dns_answer *answer;
	sp_lookup_fn *fn;
	void *arg;
};

struct world {
	struct sp_loop *loop;
	struct sp_timer *guard;
	struct sp_tls_server *tls;
	struct sp_tls_server *tls_two; /* has an RSA certificate too */
	struct sp_tlsa record;         /* of the servers' certificate */
	struct sp_tlsa record_rsa;
	struct sp_arena arena;
	struct server servers[HOSTS];
	struct sp_addr addresses[HOSTS];
	struct sp_conf *conf;
	struct sp_pool *pool;
	enum tlsa tlsa[HOSTS];

	struct sp_lookup lookup;
	struct sp_list answers;
	struct sp_deferred *deliver_answers;
	uint64_t last_id;
	enum sp_dns_type silent_type; /* never answered ... */
	const char *silent_name;      /* ... for names with this; null: none */

	struct sp_attempt *attempt;
	const char *domain; /* null: d.example */
	struct sp_timer *look;
	unsigned hurries; /* at most */
	enum sp_attempt_news news;
	size_t chunks_left; /* of a body that is pulled */
	char *body;         /* given inline, and taken; null: a constant */
	bool finished;
	struct expect got[2];
	char codes[2][32];
	char security[16];
	bool interrupted;
	bool probe;               /* instead of a message, and bare */
	struct sp_probed *probed; /* or null */
	bool blocked;             /* said so */
	bool shared;
	char *detail;
};

/* --- the lookup --- */

static void fill_tlsa(struct world *w, struct sp_dns_answer *a, size_t host)
{
	static const char WRONG_DATA[32] = "this is no digest of anything..";
	struct sp_dns_record *r = a->records;

	r->tlsa = w->record;
	if (w->tlsa[host] == WRONG) {
		r->tlsa.data = sp_str_slice(WRONG_DATA, 32);
	} else if (w->tlsa[host] == GOOD_RSA) {
		r->tlsa = w->record_rsa;
	} else if (w->tlsa[host] == UNUSABLE) {
		r->tlsa.usage = SP_TLSA_PKIX_EE;
	}
}

static size_t host_of(struct sp_str name)
{
	return memmem(name.ptr, name.len, "mx2", 3) ? 1 : 0;
}

static void fill(struct world *w, struct sp_dns_answer *a)
{
	size_t host = host_of(a->name);

	a->dnssec = SP_DNSSEC_SECURE;
	a->result = SP_DNS_NODATA;
	a->records = sp_arena_array(&a->arena, HOSTS, sizeof(*a->records));
	if (a->type == SP_DNS_TYPE_MX) {
		a->records[0].name = SP_STR("mx1.d.example");
		a->records[0].preference = 10;
		a->records[1].name = SP_STR("mx2.d.example");
		a->records[1].preference = 20;
		a->record_count = HOSTS;
	} else if (a->type == SP_DNS_TYPE_A) {
		memcpy(a->records[0].address, w->addresses[host].bytes, 4);
		a->record_count = 1;
	} else if (a->type == SP_DNS_TYPE_TLSA && w->tlsa[host] != NO_TLSA) {
		fill_tlsa(w, a, host);
		a->record_count = 1;
	}
	if (a->record_count) {
		a->result = SP_DNS_RECORDS;
	}
}

static uint64_t ask(struct sp_lookup *lookup, struct sp_str name,
                    enum sp_dns_type type, bool fresh, sp_lookup_fn *fn,
                    void *arg)
{
	struct world *w = SP_CONTAINER(lookup, struct world, lookup);
	struct answer *a;

	(void)fresh;
	if (w->silent_name && type == w->silent_type &&
	    memmem(name.ptr, name.len, w->silent_name,
	           strlen(w->silent_name))) {
		return ++w->last_id;
	}
	a = SP_NEW(struct answer);
	a->id = ++w->last_id;
	a->answer = sp_dns_answer_new(name, type);
	fill(w, a->answer);
	a->fn = fn;
	a->arg = arg;
	sp_list_append(&w->answers, &a->node);
	sp_deferred_call(w->deliver_answers);
	return a->id;
}

static void cancel(struct sp_lookup *lookup, uint64_t id)
{
	struct world *w = SP_CONTAINER(lookup, struct world, lookup);

	SP_LIST_FOREACH_SAFE (it, next, &w->answers) {
		struct answer *a = SP_CONTAINER(it, struct answer, node);

		if (a->id == id) {
			sp_list_remove(it);
			sp_dns_answer_free(&a->answer);
			sp_free(a);
		}
	}
}

static void on_answers(void *arg)
{
	struct world *w = arg;
	struct sp_list *first = sp_list_first(&w->answers);
	struct answer *a;
	struct answer copy;

	if (!first) {
		return; /* cancelled */
	}
	a = SP_CONTAINER(first, struct answer, node);
	copy = *a;
	sp_list_remove(first);
	sp_free(a);
	if (!sp_list_empty(&w->answers)) {
		sp_deferred_call(w->deliver_answers);
	}
	copy.fn(copy.arg, copy.answer);
}

/* --- the world --- */

static void on_guard(void *arg)
{
	(void)arg;
	fail_msg("nothing happened for too long");
}

static void set_conf(struct world *w, bool log_only, const char *more)
{
	char text[1024], why[SP_CONF_WHY] = "";

	snprintf(text, sizeof(text),
	         "hostname = \"client.example\"\nenforce = %s\n"
	         "address_guard { enabled = false }\n"
	         "smtp { port = %u\n connect_timeout = \"1s\"\n"
	         "greeting_timeout = \"1s\"\n command_timeout = \"1s\"\n"
	         "data_init_timeout = \"1s\"\n data_block_timeout = \"1s\"\n"
	         "data_done_timeout = \"1s\"\n %s }\n",
	         log_only ? "false" : "true", w->addresses[0].port, more);
	assert_int_equal(sp_conf_parse(sp_str_from(text), "x", &w->conf, why),
	                 0);
}

struct identity {
	struct pem cert, key;
};

static struct identity make_identity(EVP_PKEY *key)
{
	struct cert_spec spec = {.cn = "mx", .san = "DNS:mx1.d.example"};
	struct cert c = cert_make(&spec, NULL, NULL, key);
	struct identity made = {0};

	pem_add_cert(&made.cert, c.x509);
	pem_add_key(&made.key, c.key);
	cert_drop(&c);
	return made;
}

static void drop_identity(struct identity *identity)
{
	sp_free(identity->cert.text);
	sp_free(identity->key.text);
}

static void make_server(const struct identity *identity,
                        struct sp_tls_server **server_out)
{
	char why[256];

	assert_int_equal(sp_tls_server_new(pem_str(&identity->cert),
	                                   pem_str(&identity->key), server_out,
	                                   why, sizeof(why)),
	                 0);
}

static void make_record(struct world *w, const struct identity *identity,
                        struct sp_tlsa *record_out)
{
	char why[256];

	assert_int_equal(sp_tls_tlsa_make(pem_str(&identity->cert), 3, 1, 1,
	                                  &w->arena, record_out, why,
	                                  sizeof(why)),
	                 0);
}

static void make_tls(struct world *w)
{
	struct identity ec = make_identity(NULL);
	struct identity rsa = make_identity(EVP_RSA_gen(2048));
	char why[256];

	make_server(&ec, &w->tls);
	make_server(&ec, &w->tls_two);
	assert_int_equal(sp_tls_server_add(w->tls_two, pem_str(&rsa.cert),
	                                   pem_str(&rsa.key), why, sizeof(why)),
	                 0);
	make_record(w, &ec, &w->record);
	make_record(w, &rsa, &w->record_rsa);
	drop_identity(&ec);
	drop_identity(&rsa);
}

static void make_servers(struct world *w)
{
	for (int i = 0; i < 20; i++) { /* until both have the same port free */
		assert_int_equal(sp_addr_parse(SP_STR("127.0.0.1:0"), 0,
		                               &w->addresses[0]),
		                 0);
		assert_true(server_start(&w->servers[0], w->loop, w->tls,
		                         &w->addresses[0]));
		w->addresses[1] = w->addresses[0];
		w->addresses[1].bytes[3] = 2;
		if (server_start(&w->servers[1], w->loop, w->tls,
		                 &w->addresses[1])) {
			return;
		}
		server_stop(&w->servers[0]);
	}
	fail_msg("no port");
}

static void world_open(struct world *w, bool log_only, const char *more)
{
	*w = (struct world){.lookup = {.ask = ask, .cancel = cancel}};
	assert_int_equal(sp_tls_setup(), 0);
	sp_arena_init(&w->arena);
	sp_list_init(&w->answers);
	w->loop = sp_loop_new();
	w->guard = sp_timer_new(w->loop, on_guard, w);
	sp_timer_set(w->guard, GUARD_S * 1000);
	w->deliver_answers = sp_deferred_new(w->loop, on_answers, w);
	make_tls(w);
	make_servers(w);
	set_conf(w, log_only, more);
	w->pool = sp_pool_new(w->loop, w->conf, 1);
}

static void world_close(struct world *w)
{
	sp_attempt_free(&w->attempt);
	assert_true(sp_list_empty(&w->answers));
	sp_pool_free(&w->pool);
	for (size_t i = 0; i < HOSTS; i++) {
		server_stop(&w->servers[i]);
	}
	sp_tls_server_free(&w->tls);
	sp_tls_server_free(&w->tls_two);
	sp_conf_free(&w->conf);
	sp_deferred_free(&w->deliver_answers);
	sp_timer_free(&w->guard);
	sp_loop_free(&w->loop);
	sp_arena_fini(&w->arena);
	sp_free(w->detail);
	sp_tls_teardown();
}

/* --- an attempt --- */

static void on_attempt(void *arg, const struct sp_attempt_result *result)
{
	struct world *w = arg;
	struct sp_buf text;

	for (size_t i = 0; i < result->rcpt_count && i < 2; i++) {
		const struct sp_verdict *v = &result->rcpts[i].verdict;

		w->got[i].class = v->class;
		sp_verdict_code(v, w->codes[i], sizeof(w->codes[i]));
		w->got[i].code = w->codes[i];
		w->got[i].cause = sp_cause_get(v->cause)->name;
		assert_true(result->rcpts[i].settled);
	}
	snprintf(w->security, sizeof(w->security), "%s",
	         result->security ? result->security : "");
	w->interrupted = result->interrupted;
	w->news = result->news;
	w->blocked = result->blocked;
	w->shared = result->shared;
	SP_FREE(&w->detail);
	if (!w->probe) {
		sp_buf_init(&text, 1024 * 1024);
		assert_int_equal(sp_json_write(result->detail, &text), 0);
		w->detail = sp_buf_take(&text);
		sp_buf_fini(&text);
	} else {
		assert_null(result->detail);
		assert_int_equal(result->rcpt_count, 1);
	}
	w->finished = true;
	sp_attempt_free(&w->attempt);
	sp_loop_stop(w->loop);
}

static void pull(void *arg, uint32_t seq);

static void taken(void *arg)
{
	struct world *w = arg;

	SP_FREE(&w->body); /* the first time */
}

static struct sp_envelope_rcpt RCPTS[2] = {
	{.address = {"a@d.example", 11}, .domain = {"d.example", 9}},
	{.address = {"b@d.example", 11}, .domain = {"d.example", 9}},
};
#define SENDER "s@client.example"

static struct sp_envelope envelope = {.sender = {SENDER, sizeof(SENDER) - 1}};

static void begin(struct world *w, bool inline_body)
{
	struct sp_attempt_ask how = {
		.loop = w->loop,
		.conf = w->conf,
		.lookup = &w->lookup,
		.pool = w->pool,
		.domain = sp_str_from(w->domain ? w->domain : "d.example"),
		.envelope = &envelope,
		.rcpts = RCPTS,
		.rcpt_count = 2,
		.size_bytes = 20,
		.body = SP_STR("Subject: x\r\n\r\nhello\r\n"),
		.inline_body = inline_body,
		.pull = pull,
		.taken = w->body ? taken : NULL,
		.probe = w->probe,
		.bare = w->probe,
		.probed = w->probed,
	};

	if (w->body) {
		how.body = sp_str_from(w->body);
	}
	w->finished = false;
	w->attempt = sp_attempt_new(&how, on_attempt, w);
}

static void run(struct world *w)
{
	assert_int_equal(sp_loop_run(w->loop), 0);
	assert_true(w->finished);
}

static void send_one(struct world *w)
{
	begin(w, true);
	run(w);
}

#endif
