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

#include "unit/deliver/attempt_world.h"

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

/* --- a probe in place of the message --- */

/* Is what becomes of the message said before MAIL, and not about it? */
static bool is_seen_by_probe(const struct row *row)
{
	for (size_t k = 0; k < HOSTS; k++) {
		const struct script *s = &row->scripts[k];

		if (s->mail || s->rcpt || s->rcpt2 || s->data || s->dot ||
		    (s->ehlo_more && strstr(s->ehlo_more, "SIZE"))) {
			return false;
		}
	}
	return !row->requiretls && !row->body_8bit && !row->smtputf8 &&
	       !row->local;
}

static bool probe_says_mail(const struct world *w)
{
	unsigned mails = 0;

	for (size_t k = 0; k < HOSTS; k++) {
		mails += w->servers[k].clear_mails + w->servers[k].tls_mails;
	}
	return mails > 0;
}

static unsigned quits_heard(struct world *w)
{
	if (w->servers[0].quits + w->servers[1].quits == 0) {
		w->servers[0].stop_at_quit = true;
		w->servers[1].stop_at_quit = true;
		assert_int_equal(sp_loop_run(w->loop), 0);
	}
	return w->servers[0].quits + w->servers[1].quits;
}

static void probe_row(const struct row *row)
{
	const struct expect *e = &row->expect[0];
	struct world w;

	world_open(&w, row->log_only, "");
	w.probe = true;
	memcpy(w.tlsa, row->tlsa, sizeof(w.tlsa));
	for (size_t k = 0; k < HOSTS; k++) {
		w.servers[k].script = row->scripts[k];
		w.servers[k].tls = row->two_keys ? w.tls_two : w.tls;
	}
	send_one(&w);
	if (w.got[0].class != e->class ||
	    strcmp(w.got[0].cause, e->cause) != 0 ||
	    strcmp(w.security, row->security ? row->security : "") != 0 ||
	    probe_says_mail(&w)) {
		fail_msg("%s: %s %s", row->name, w.codes[0], w.security);
	}
	assert_int_equal(w.blocked, e->class != SP_VERDICT_DELIVERED &&
	                                    strncmp(e->code, "4.7.", 4) == 0);
	assert_int_equal(sp_pool_connections(w.pool), 0);
	if (e->class == SP_VERDICT_DELIVERED) {
		assert_int_equal(quits_heard(&w), 1);
	}
	world_close(&w);
}

/* As a message fares: the same hosts, the same verdict, and no MAIL. */
static void test_probe(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		const struct row *row = &ROWS[i];

		if (is_seen_by_probe(row)) {
			print_message("%s\n", row->name);
			probe_row(row);
			seen++;
		}
	}
	assert_true(seen > 25);
}

static void probe_as(struct world *w, const char *domain, bool shared)
{
	w->domain = domain;
	send_one(w);
	assert_int_equal(w->got[0].class, SP_VERDICT_DELIVERED);
	assert_int_equal(w->shared, shared);
}

/* What one domain's probe has found good serves the others under the same
 * policy; what failed does not. */
static void test_probe_is_shared(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "");
	w.probe = true;
	w.probed = sp_probed_new(w.loop, SP_PROBED_WAIT_MS);
	w.tlsa[0] = GOOD;
	probe_as(&w, "d.example", false);
	assert_string_equal(w.security, "dane");
	probe_as(&w, "e.example", true);
	assert_string_equal(w.security, "dane");
	assert_int_equal(w.servers[0].connections, 1);
	w.tlsa[0] = NO_TLSA; /* another policy */
	probe_as(&w, "f.example", false);
	assert_string_equal(w.security, "tls");
	assert_int_equal(w.servers[0].connections, 2);
	w.tlsa[0] = WRONG;
	probe_as(&w, "g.example", false); /* by the second host */
	probe_as(&w, "h.example", true);
	assert_int_equal(w.servers[0].connections, 6);
	assert_int_equal(w.servers[1].connections, 1);
	sp_probed_free(&w.probed);
	world_close(&w);
}

#define CROWD 30

struct crowd {
	struct world *w;
	struct sp_attempt *attempts[CROWD];
	char names[CROWD][16];
	size_t finished, shared, delivered;
};

static void on_one_of_crowd(void *arg, const struct sp_attempt_result *result)
{
	struct crowd *c = arg;

	c->shared += result->shared;
	c->delivered += result->rcpts[0].verdict.class == SP_VERDICT_DELIVERED;
	if (++c->finished == CROWD) {
		sp_loop_stop(c->w->loop);
	}
}

/* So many domains that lead to the same hosts, at one time. */
static void begin_crowd(struct crowd *c, struct world *w)
{
	struct sp_attempt_ask how = {
		.loop = w->loop,
		.conf = w->conf,
		.lookup = &w->lookup,
		.pool = w->pool,
		.probe = true,
		.bare = true,
		.probed = w->probed,
	};

	*c = (struct crowd){.w = w};
	for (unsigned n = 0; n < CROWD; n++) {
		(void)snprintf(c->names[n], sizeof(c->names[n]), "d%u.example",
		               n);
		how.domain = sp_str_from(c->names[n]);
		c->attempts[n] = sp_attempt_new(&how, on_one_of_crowd, c);
	}
}

static void end_crowd(struct crowd *c)
{
	for (unsigned n = 0; n < CROWD; n++) {
		sp_attempt_free(&c->attempts[n]);
	}
}

/* One goes, and all know. Where that one fails, each of them has its own
 * look, and all wait together for the one that goes to the next host. */
static void test_probes_at_one_time(void **state)
{
	static const struct {
		enum tlsa first;
		unsigned connections[HOSTS];
	} TABLE[] = {
		{GOOD, {1, 0}},
		{WRONG, {2 * CROWD, 1}}, /* for either kind of key */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(TABLE) / sizeof(*TABLE); i++) {
		struct crowd c;
		struct world w;

		world_open(&w, false, "");
		w.probed = sp_probed_new(w.loop, SP_PROBED_WAIT_MS);
		w.tlsa[0] = TABLE[i].first;
		begin_crowd(&c, &w);
		assert_int_equal(sp_loop_run(w.loop), 0);
		assert_int_equal(c.finished, CROWD);
		end_crowd(&c);
		assert_int_equal(c.delivered, CROWD);
		assert_int_equal(c.shared, CROWD - 1);
		for (size_t k = 0; k < HOSTS; k++) {
			assert_int_equal(w.servers[k].connections,
			                 TABLE[i].connections[k]);
		}
		sp_probed_free(&w.probed);
		world_close(&w);
	}
}

static void on_rest(void *arg)
{
	sp_loop_stop(arg);
}

/* Whoever probes and those who wait for it leave at any time. */
static void test_crowd_leaves(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 24; ms += 2) {
		struct sp_timer *timer;
		struct crowd c;
		struct world w;

		world_open(&w, false, "");
		w.probed = sp_probed_new(w.loop, SP_PROBED_WAIT_MS);
		w.tlsa[0] = GOOD;
		timer = sp_timer_new(w.loop, on_rest, w.loop);
		sp_timer_set(timer, ms);
		begin_crowd(&c, &w);
		assert_int_equal(sp_loop_run(w.loop), 0);
		end_crowd(&c);
		sp_probed_free(&w.probed); /* nobody has a turn */
		sp_timer_free(&timer);
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

/* What was inline is gone with its last byte, and is pulled for the second
 * host. */
static void test_taken(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "");
	w.servers[0].script.dot = "451 no\r\n";
	w.body = sp_str_dup(SP_STR("Subject: x\r\n\r\nhello\r\n"));
	send_one(&w);
	assert_null(w.body);
	assert_int_equal(w.got[0].class, SP_VERDICT_DELIVERED);
	assert_int_equal(w.servers[0].messages, 1);
	assert_int_equal(w.servers[1].messages, 1);
	assert_true(w.servers[0].body_bytes < 100);
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

/* What the plan took is not taken from the peer: a host that is silent for
 * the whole of the patience has failed, however late it was dialled. */
static void test_plan_takes_no_patience(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false, "patience = \"200ms\" greeting_timeout = \"1h\"");
	w.silent_type = SP_DNS_TYPE_TLSA;
	w.silent_name = "mx1";
	w.servers[1].script.greeting = "";
	w.hurries = 2; /* in the plan, and at the second host */
	w.look = sp_timer_new(w.loop, on_look, &w);
	sp_timer_set(w.look, 1);
	send_one(&w);
	assert_int_equal(w.hurries, 0);
	assert_int_equal(w.servers[1].connections, 1);
	w.hurries = 1;
	w.domain = "e.example";
	send_one(&w);
	assert_non_null(strstr(w.detail, "not tried: it failed "));
	assert_int_equal(w.servers[1].connections, 1);
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
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_probe_is_shared),
		cmocka_unit_test(test_probes_at_one_time),
		cmocka_unit_test(test_crowd_leaves),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_two_keys_evidence),
		cmocka_unit_test(test_no_other_key_evidence),
		cmocka_unit_test(test_log_only_is_not_reused),
		cmocka_unit_test(test_requiretls_has_its_own),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_deadline_behind_the_dot),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_free_at_any_time),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_plan_timeout),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_not_tried),
		cmocka_unit_test(test_hurried_is_not_failed),
		cmocka_unit_test(test_plan_takes_no_patience),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
