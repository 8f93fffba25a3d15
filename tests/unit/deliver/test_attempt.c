/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole attempts: plan, connection, TLS and judgement against scripted
 * servers on loopback, with a lookup that gives canned answers. What is
 * asked of each case: the verdict of each recipient, and what the servers
 * have seen, above all that nothing came in clear where it must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "deliver/attempt.h"
#include "net/tls.h"
#include "unit/deliver/attempt_rows.h"
#include "unit/deliver/peer.h"
#include "unit/net/certs.h"

#define GUARD_S 20

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
	bool finished;
	struct expect got[2];
	char codes[2][32];
	char security[16];
	bool interrupted;
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
	sp_free(w->detail);
	sp_buf_init(&text, 1024 * 1024);
	assert_int_equal(sp_json_write(result->detail, &text), 0);
	w->detail = sp_buf_take(&text);
	sp_buf_fini(&text);
	w->finished = true;
	sp_attempt_free(&w->attempt);
	sp_loop_stop(w->loop);
}

static void pull(void *arg, uint32_t seq);

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
	};

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

/* --- one message, two hosts --- */

static void check(const struct row *row, const struct world *w)
{
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(w->got[i].class, row->expect[i].class);
		assert_string_equal(w->got[i].cause, row->expect[i].cause);
		if (row->expect[i].class != SP_VERDICT_DELIVERED) {
			assert_string_equal(w->got[i].code,
			                    row->expect[i].code);
		}
	}
	assert_string_equal(w->security, row->security ? row->security : "");
	if (row->connections) {
		assert_int_equal(w->servers[0].connections, row->connections);
	}
	for (size_t i = 0; i < HOSTS; i++) {
		const struct server *s = &w->servers[i];

		assert_int_equal(s->messages, row->messages[i]);
		assert_int_equal(s->clear_mails, row->clear[i]);
		assert_int_equal(s->tls_mails, row->tls[i]);
	}
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		const struct row *row = &ROWS[i];
		struct world w;

		print_message("%s\n", row->name);
		world_open(&w, row->log_only, "");
		memcpy(w.tlsa, row->tlsa, sizeof(w.tlsa));
		for (size_t k = 0; k < HOSTS; k++) {
			w.servers[k].script = row->scripts[k];
			if (row->two_keys) {
				w.servers[k].tls = w.tls_two;
			}
		}
		envelope.body_8bit = row->body_8bit;
		envelope.requiretls = row->requiretls;
		envelope.sender =
			row->null_sender ? SP_STR("") : SP_STR(SENDER);
		envelope.smtputf8 = row->smtputf8;
		RCPTS[1].address =
			sp_str_from(row->local ? row->local : "b@d.example");
		send_one(&w);
		envelope.body_8bit = false;
		envelope.requiretls = false;
		envelope.sender = SP_STR(SENDER);
		envelope.smtputf8 = false;
		RCPTS[1].address = SP_STR("b@d.example");
		check(row, &w);
		world_close(&w);
	}
}

/* --- connections used again --- */

static void test_reuse(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "");
	w.tlsa[0] = GOOD;
	send_one(&w);
	send_one(&w);
	assert_int_equal(w.servers[0].connections, 1);
	assert_int_equal(w.servers[0].messages, 2);
	assert_string_equal(w.security, "dane");
	w.tlsa[0] = NO_TLSA; /* another policy, another connection */
	send_one(&w);
	assert_int_equal(w.servers[0].connections, 2);
	w.tlsa[0] = WRONG; /* which asks for another key too */
	send_one(&w);
	assert_int_equal(w.servers[0].connections, 4);
	assert_int_equal(w.servers[0].messages, 3);
	assert_int_equal(w.servers[1].messages, 1);
	world_close(&w);
}

/* An idle connection that the peer has given up costs no attempt. */
static void test_stale(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "");
	w.tlsa[0] = GOOD;
	w.servers[0].script.ends_after = 1;
	send_one(&w);
	send_one(&w);
	assert_int_equal(w.got[0].class, SP_VERDICT_DELIVERED);
	assert_int_equal(w.servers[0].connections, 2);
	assert_int_equal(w.servers[0].messages, 2);
	assert_int_equal(w.servers[1].connections, 0);
	world_close(&w);
}

/* What is reused was authenticated by whichever key, and the evidence shows
 * both handshakes. */
static void test_two_keys_evidence(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "");
	w.tlsa[0] = GOOD_RSA;
	w.servers[0].tls = w.tls_two;
	send_one(&w);
	assert_string_equal(w.security, "dane");
	assert_non_null(strstr(w.detail, "\"other_key_tls\""));
	assert_non_null(strstr(w.detail, "\"RSA 2048\""));
	assert_non_null(strstr(w.detail, "\"ECDSA 256\""));
	send_one(&w);
	assert_string_equal(w.security, "dane");
	assert_int_equal(w.servers[0].connections, 2);
	assert_int_equal(w.servers[0].messages, 2);
	world_close(&w);
}

static void test_no_other_key_evidence(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "");
	w.tlsa[0] = w.tlsa[1] = WRONG;
	send_one(&w);
	assert_string_equal(w.got[0].cause, "tlsa-mismatch");
	assert_non_null(strstr(w.detail, "asked for its rsa key: "));
	assert_non_null(strstr(w.detail, "\"other_key_tls\":{\"error\":"));
	world_close(&w);
}

/* What log-only has let through is used for this message only, and nothing
 * of it survives the turn to enforce. */
static void test_log_only_is_not_reused(void **state)
{
	struct world w;
	struct sp_conf *old;

	(void)state;
	world_open(&w, true, "");
	w.tlsa[0] = WRONG;
	send_one(&w);
	send_one(&w);
	/* each asks for another key in vain, and goes back to the first */
	assert_int_equal(w.servers[0].connections, 6);
	assert_int_equal(w.servers[0].messages, 2);
	assert_non_null(strstr(w.detail, "would_have_blocked"));
	old = w.conf;
	set_conf(&w, false, "");
	sp_pool_set_conf(w.pool, w.conf);
	sp_conf_free(&old);
	send_one(&w);
	assert_int_equal(w.servers[0].connections, 8);
	assert_int_equal(w.servers[0].messages, 2);
	assert_int_equal(w.servers[1].messages, 1);
	world_close(&w);
}

/* A connection that was judged for one kind of message is not found for
 * another kind: RFC 8689 4.2.1 holds for each. */
static void test_requiretls_has_its_own(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "");
	w.tlsa[0] = GOOD;
	w.servers[0].script.ehlo_more = OFFERS;
	send_one(&w);
	envelope.requiretls = true;
	send_one(&w);
	assert_int_equal(w.servers[0].connections, 2);
	send_one(&w); /* now it is known what the peer offers */
	assert_int_equal(w.servers[0].connections, 2);
	envelope.requiretls = false;
	envelope.tls_optional = true;
	send_one(&w);
	envelope.tls_optional = false;
	assert_int_equal(w.servers[0].connections, 3);
	assert_int_equal(w.servers[0].messages, 4);
	assert_string_equal(w.security, "dane");
	world_close(&w);
}

/* --- a body in chunks --- */

static void pull(void *arg, uint32_t seq)
{
	static char chunk[100000];
	struct world *w = arg;

	memset(chunk, 'x', sizeof(chunk));
	for (size_t i = 0; i + 1 < sizeof(chunk); i += 50) {
		chunk[i] = '\r';
		chunk[i + 1] = '\n';
	}
	w->chunks_left = seq == 0 ? 20 : w->chunks_left - 1;
	sp_attempt_body(w->attempt, sp_str_slice(chunk, sizeof(chunk)),
	                w->chunks_left == 1);
}

/* The second host gets the whole body anew. */
static void test_chunks(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "");
	w.servers[0].script.dot = "451 no\r\n";
	begin(&w, false);
	run(&w);
	assert_int_equal(w.got[0].class, SP_VERDICT_DELIVERED);
	assert_int_equal(w.servers[0].messages, 1);
	assert_int_equal(w.servers[1].messages, 1);
	assert_int_equal(w.servers[0].body_bytes, w.servers[1].body_bytes);
	assert_true(w.servers[1].body_bytes > 20 * 90000);
	world_close(&w);
}

/* --- ends from our side --- */

static void test_deadline(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "attempt_timeout = \"1s\"");
	w.conf->smtp.greeting_timeout_ms = 60000;
	w.servers[0].script.greeting = "";
	send_one(&w);
	assert_string_equal(w.got[0].cause, "attempt-deadline");
	world_close(&w);
}

/* The last dot is out: to break off would make a second copy. */
static void on_late_reply(void *arg)
{
	struct world *w = arg;
	struct sp_list *first = sp_list_first(&w->servers[0].visits);
	struct visit *v;

	assert_non_null(first);
	v = SP_CONTAINER(first, struct visit, node);
	(void)say(v, "250 ok\r\n", NULL);
}

static void test_deadline_behind_the_dot(void **state)
{
	struct sp_timer *late;
	struct world w;

	(void)state;
	world_open(&w, false, "attempt_timeout = \"1s\"");
	w.conf->smtp.data_done_timeout_ms = 60000;
	w.servers[0].script.dot = "";
	late = sp_timer_new(w.loop, on_late_reply, &w);
	sp_timer_set(late, 1500);
	send_one(&w);
	assert_int_equal(w.got[0].class, SP_VERDICT_DELIVERED);
	assert_int_equal(w.servers[1].connections, 0);
	sp_timer_free(&late);
	world_close(&w);
}

static void on_stop_now(void *arg)
{
	struct world *w = arg;

	sp_attempt_stop(w->attempt);
}

static void test_stop(void **state)
{
	static const struct {
		const char *name;
		struct script script;
		bool interrupted;
	} STOPS[] = {
		{"greeting", {.greeting = ""}, true},
		{"EHLO", {.ehlo = ""}, true},
		{"handshake", {.mute_handshake = true}, true},
		{"MAIL goes on", {.mail = ""}, true}, /* then no next host */
		{"dot goes on", {.dot = ""}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(STOPS) / sizeof(STOPS[0]); i++) {
		struct sp_timer *timer;
		struct world w;

		print_message("%s\n", STOPS[i].name);
		world_open(&w, false, "");
		w.servers[0].script = STOPS[i].script;
		timer = sp_timer_new(w.loop, on_stop_now, &w);
		sp_timer_set(timer, 200);
		send_one(&w);
		assert_int_equal(w.got[0].class, SP_VERDICT_TEMP);
		assert_int_equal(w.interrupted, STOPS[i].interrupted);
		assert_int_equal(w.servers[1].connections, 0);
		sp_timer_free(&timer);
		world_close(&w);
	}
}

/* Freed at any moment: nothing is left behind, nobody is called. */
static void on_leave(void *arg)
{
	struct world *w = arg;

	sp_attempt_free(&w->attempt);
	sp_loop_stop(w->loop);
}

static void test_news(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(NEWS) / sizeof(NEWS[0]); i++) {
		const struct news_row *row = &NEWS[i];
		struct world w;

		world_open(&w, false, "");
		for (size_t k = 0; k < HOSTS; k++) {
			w.tlsa[k] = row->tlsa[k];
			w.servers[k].script = row->scripts[k];
		}
		envelope.requiretls = row->requiretls;
		begin(&w, true);
		run(&w);
		envelope.requiretls = false;
		if (w.news != row->news) {
			fail_msg("%s: %d", row->name, (int)w.news);
		}
		world_close(&w);
	}
}

static void test_plan_timeout(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(SILENT) / sizeof(SILENT[0]); i++) {
		const struct silent_row *row = &SILENT[i];
		struct world w;

		world_open(&w, false, "plan_timeout = \"100ms\"");
		w.tlsa[0] = w.tlsa[1] = GOOD;
		w.silent_type = row->type;
		w.silent_name = row->silent;
		begin(&w, true);
		run(&w);
		if (w.got[0].class != row->class ||
		    strcmp(w.got[0].code, row->code) ||
		    (row->cause && strcmp(w.got[0].cause, row->cause))) {
			fail_msg("%s: %s %s", row->name, w.got[0].code,
			         w.got[0].cause);
		}
		assert_int_equal(w.servers[0].clear_mails, 0);
		world_close(&w);
	}
}

/* As the role does it, when all of its places are taken. */
static void on_look(void *arg)
{
	struct world *w = arg;

	if (w->attempt && w->hurries > 0 &&
	    sp_attempt_overdue_ms(w->attempt, sp_time_mono_ms()) >= 0) {
		w->hurries--;
		sp_attempt_hurry(w->attempt);
	}
	sp_timer_set(w->look, 10);
}

static void test_hurry(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(HURRY) / sizeof(HURRY[0]); i++) {
		const struct hurry_row *row = &HURRY[i];
		struct world w;

		print_message("%s\n", row->name);
		world_open(&w, false,
		           "patience = \"200ms\" greeting_timeout = \"1h\"");
		w.silent_type = row->silent_type;
		w.silent_name = row->silent_name;
		w.hurries = 1;
		w.look = sp_timer_new(w.loop, on_look, &w);
		sp_timer_set(w.look, 1);
		for (size_t k = 0; k < HOSTS; k++) {
			w.servers[k].script = row->scripts[k];
		}
		send_one(&w);
		assert_int_equal(w.got[0].class, row->class);
		if (row->cause) {
			assert_string_equal(w.got[0].cause, row->cause);
		}
		for (size_t k = 0; k < HOSTS; k++) {
			assert_int_equal(w.servers[k].messages,
			                 row->messages[k]);
			assert_int_equal(w.servers[k].clear_mails, 0);
		}
		sp_timer_free(&w.look);
		world_close(&w);
	}
}

/* What one domain has met at an address, the next one is told. */
static void test_not_tried(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "");
	w.servers[0].script.greeting = "#";
	send_one(&w);
	assert_non_null(strstr(w.detail, "connection-closed"));
	w.domain = "e.example";
	send_one(&w);
	assert_int_equal(w.got[0].class, SP_VERDICT_DELIVERED);
	assert_non_null(strstr(w.detail, "not tried: it failed "));
	assert_int_equal(w.servers[0].connections, 1);
	w.domain = "d.example"; /* by its own schedule */
	send_one(&w);
	assert_int_equal(w.servers[0].connections, 2);
	w.servers[0].script.greeting = NULL;
	send_one(&w);
	assert_int_equal(w.servers[0].messages, 1);
	w.domain = "e.example"; /* it works again */
	send_one(&w);
	assert_int_equal(w.servers[0].messages, 2);
	world_close(&w);
}

/* A domain whose first host is silent leaves little patience to its second:
 * what that host did not do in so short a time is not held against it. */
static void test_hurried_is_not_failed(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "patience = \"400ms\" greeting_timeout = \"1h\"");
	w.servers[0].script.greeting = w.servers[1].script.greeting = "";
	w.hurries = 2;
	w.look = sp_timer_new(w.loop, on_look, &w);
	sp_timer_set(w.look, 1);
	send_one(&w);
	assert_string_equal(w.got[0].cause, "session-timeout");
	assert_int_equal(w.servers[1].connections, 1);
	w.servers[1].script.greeting = NULL;
	w.domain = "e.example";
	send_one(&w);
	assert_non_null(strstr(w.detail, "not tried: it failed "));
	assert_int_equal(w.servers[0].connections, 1);
	assert_int_equal(w.got[0].class, SP_VERDICT_DELIVERED);
	assert_int_equal(w.servers[1].messages, 1);
	sp_timer_free(&w.look);
	world_close(&w);
}

static void test_free_at_any_time(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 24; ms += 2) {
		struct sp_timer *timer;
		struct world w;

		world_open(&w, false, "");
		w.tlsa[0] = GOOD;
		timer = sp_timer_new(w.loop, on_leave, &w);
		sp_timer_set(timer, ms);
		begin(&w, true);
		assert_int_equal(sp_loop_run(w.loop), 0);
		sp_timer_free(&timer);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_two_keys_evidence),
		cmocka_unit_test(test_no_other_key_evidence),
		cmocka_unit_test(test_log_only_is_not_reused),
		cmocka_unit_test(test_requiretls_has_its_own),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_deadline_behind_the_dot),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_free_at_any_time),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_plan_timeout),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_not_tried),
		cmocka_unit_test(test_hurried_is_not_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
