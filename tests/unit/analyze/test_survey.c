/* SPDX-License-Identifier: Apache-2.0 */
/* How many domains are asked about at one time, what a row says of a plan,
 * and that nothing is left when a survey is dropped. Sessions are the
 * scenarios' matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analyze/survey.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/tls.h"

struct question {
	struct sp_list node;
	uint64_t id;
	struct sp_dns_answer *answer;
	sp_lookup_fn *fn;
	void *arg;
};

struct world {
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_lookup lookup;
	struct sp_list questions;
	uint64_t last_id;
	struct sp_survey *survey;
	size_t rows;
	struct sp_survey_row last;
	struct sp_arena arena;
	struct sp_deferred *turn; /* answers the first question */
};

static uint64_t ask(struct sp_lookup *lookup, struct sp_str name,
                    enum sp_dns_type type, bool fresh, sp_lookup_fn *fn,
                    void *arg)
{
	struct world *w = SP_CONTAINER(lookup, struct world, lookup);
	struct question *q = SP_NEW(struct question);

	(void)fresh;
	q->id = ++w->last_id;
	q->answer = sp_dns_answer_new(name, type);
	q->fn = fn;
	q->arg = arg;
	sp_list_append(&w->questions, &q->node);
	return q->id;
}

static void cancel(struct sp_lookup *lookup, uint64_t id)
{
	struct world *w = SP_CONTAINER(lookup, struct world, lookup);

	SP_LIST_FOREACH_SAFE (it, next, &w->questions) {
		struct question *q = SP_CONTAINER(it, struct question, node);

		if (q->id == id) {
			sp_list_remove(it);
			sp_dns_answer_free(&q->answer);
			sp_free(q);
		}
	}
}

static size_t open_questions(struct world *w)
{
	size_t count = 0;

	SP_LIST_FOREACH (it, &w->questions) {
		count++;
	}
	return count;
}

/* MX: mx.<name>, secure; its address 192.0.2.1; TLSA at "dane." names, bogus
 * at "bogus." ones; no such domain at "absent." ones. */
static void fill(struct sp_dns_answer *a)
{
	const char *name = sp_arena_cstr(&a->arena, a->name);

	a->dnssec = SP_DNSSEC_SECURE;
	a->result = strstr(name, "absent.") ? SP_DNS_NXDOMAIN : SP_DNS_NODATA;
	a->records = sp_arena_array(&a->arena, 1, sizeof(*a->records));
	if (a->result == SP_DNS_NXDOMAIN) {
		return;
	}
	if (a->type == SP_DNS_TYPE_MX) {
		a->records[0].name =
			sp_str_from(sp_arena_printf(&a->arena, "mx.%s", name));
	} else if (a->type == SP_DNS_TYPE_A) {
		memcpy(a->records[0].address, "\xc0\x00\x02\x01", 4);
	} else if (a->type == SP_DNS_TYPE_TLSA && strstr(name, "dane.")) {
		a->records[0].tlsa = (struct sp_tlsa){
			.usage = SP_TLSA_DANE_EE,
			.selector = 1,
			.matching = 1,
			.data = SP_STR("0123456789abcdef0123456789abcdef"),
		};
	} else if (a->type == SP_DNS_TYPE_TLSA && strstr(name, "bogus.")) {
		a->dnssec = SP_DNSSEC_BOGUS;
		a->result = SP_DNS_NONE;
		return;
	} else {
		return;
	}
	a->result = SP_DNS_RECORDS;
	a->record_count = 1;
}

static void on_turn(void *arg)
{
	struct world *w = arg;
	struct sp_list *first = sp_list_first(&w->questions);
	struct question *q;
	struct question copy;

	if (!first) {
		sp_loop_stop(w->loop);
		return;
	}
	q = SP_CONTAINER(first, struct question, node);
	copy = *q;
	sp_list_remove(first);
	sp_free(q);
	fill(copy.answer);
	sp_deferred_call(w->turn);
	copy.fn(copy.arg, copy.answer);
}

static void on_row(void *arg, const struct sp_survey_row *row)
{
	struct world *w = arg;

	w->rows++;
	w->last = *row;
	w->last.domain = sp_arena_str(&w->arena, row->domain);
	w->last.code = sp_arena_str(&w->arena, row->code);
	w->last.host = sp_arena_str(&w->arena, row->host);
}

static void world_open(struct world *w, size_t jobs, bool dns_only)
{
	struct sp_survey_ask how;
	char why[SP_CONF_WHY];

	*w = (struct world){.lookup = {.ask = ask, .cancel = cancel}};
	sp_list_init(&w->questions);
	sp_arena_init(&w->arena);
	assert_int_equal(sp_tls_setup(), 0);
	assert_int_equal(sp_conf_load(NULL, &w->conf, why), 0);
	w->loop = sp_loop_new();
	w->turn = sp_deferred_new(w->loop, on_turn, w);
	how = (struct sp_survey_ask){
		.loop = w->loop,
		.conf = w->conf,
		.lookup = &w->lookup,
		.dns_only = dns_only,
		.jobs = jobs,
		.worker_count = 1,
	};
	w->survey = sp_survey_new(&how, on_row, w);
}

static void world_close(struct world *w)
{
	sp_survey_free(&w->survey);
	assert_true(sp_list_empty(&w->questions));
	sp_deferred_free(&w->turn);
	sp_loop_free(&w->loop);
	sp_conf_free(&w->conf);
	sp_arena_fini(&w->arena);
	sp_tls_teardown();
}

static void answer_all(struct world *w)
{
	sp_deferred_call(w->turn);
	assert_int_equal(sp_loop_run(w->loop), 0);
}

static void test_jobs(void **state)
{
	struct world w;
	char name[32];

	(void)state;
	world_open(&w, 3, true);
	for (unsigned n = 0; n < 10; n++) {
		(void)snprintf(name, sizeof(name), "absent.d%u.test", n);
		sp_survey_add(w.survey, n, sp_str_from(name));
	}
	assert_int_equal(open_questions(&w), 3); /* each its MX */
	assert_int_equal(w.rows, 0);
	answer_all(&w);
	assert_int_equal(w.rows, 10);
	assert_int_equal(w.last.number, 9);
	assert_true(sp_str_eq(w.last.verdict, SP_STR("fail")));
	assert_true(sp_str_eq(w.last.scenario, SP_STR("no-such-domain")));
	world_close(&w);
}

static void test_rows(void **state)
{
	static const struct {
		const char *domain, *verdict, *scenario, *rule;
		int64_t hosts, tlsa_hosts;
		bool blocked;
	} CASES[] = {
		{"dane.test", "deliver", "", "dane", 1, 1, false},
		{"plain.test", "deliver", "", "opportunistic", 1, 0, false},
		{"bogus.test", "defer", "dnssec-bogus", "skip", 1, 0, true},
		{"absent.test", "fail", "no-such-domain", "", 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		struct world w;

		world_open(&w, 1, true);
		sp_survey_add(w.survey, 7, sp_str_from(CASES[i].domain));
		answer_all(&w);
		assert_int_equal(w.rows, 1);
		assert_int_equal(w.last.number, 7);
		assert_true(w.last.dnssec);
		assert_true(
			sp_str_eq(w.last.domain, sp_str_from(CASES[i].domain)));
		assert_true(sp_str_eq(w.last.verdict,
		                      sp_str_from(CASES[i].verdict)));
		assert_true(sp_str_eq(w.last.rule, sp_str_from(CASES[i].rule)));
		if (*CASES[i].verdict == 'f') {
			assert_true(sp_str_eq(w.last.scenario,
			                      sp_str_from(CASES[i].scenario)));
		}
		assert_int_equal(w.last.hosts, CASES[i].hosts);
		assert_int_equal(w.last.tlsa_hosts, CASES[i].tlsa_hosts);
		assert_int_equal(w.last.blocked, CASES[i].blocked);
		world_close(&w);
	}
}

/* In the middle of plans, and with domains that have not begun. */
static void test_dropped(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w;

		world_open(&w, 2, i == 0);
		sp_survey_add(w.survey, 0, SP_STR("dane.test"));
		sp_survey_add(w.survey, 1, SP_STR("plain.test"));
		sp_survey_add(w.survey, 2, SP_STR("late.test"));
		assert_int_equal(open_questions(&w), 2);
		world_close(&w);
		assert_int_equal(w.rows, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
