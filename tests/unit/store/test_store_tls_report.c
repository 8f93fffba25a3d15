/* SPDX-License-Identifier: Apache-2.0 */
/* What every engine must keep for TLS reports. */
#include "base/buf.h"
#include "store/tls_report.h"
#include "unit/store/world.h"

#define TODAY 20000

static const struct sp_store_tls_count SUCCESS = {
	.type = SP_STR("tlsa"),
	.domain = SP_STR("mx.d.test"),
	.policy = SP_STR("3 1 1 00\n3 1 1 01"),
	.sessions = 2,
};

static void count(struct world *w, int64_t day,
                  const struct sp_store_tls_count *c)
{
	begin(w);
	must(sp_store_tls_count(w->store, day, c), w->store);
	commit(w);
}

static int write_count(void *arg, int64_t day,
                       const struct sp_store_tls_count *c)
{
	struct sp_buf *out = arg;

	return sp_buf_printf(
		out, "%d " SP_STR_FMT " " SP_STR_FMT " [" SP_STR_FMT "] %d;",
		(int)(day - TODAY), SP_STR_ARG(c->type), SP_STR_ARG(c->domain),
		SP_STR_ARG(c->result), (int)c->sessions);
}

static void expect_counts(struct world *w, const char *domain,
                          const char *wanted)
{
	struct sp_buf out;

	sp_buf_init(&out, 10000);
	must(sp_store_tls_counts(w->store, TODAY - 1, TODAY,
	                         sp_str_from(domain), write_count, &out),
	     w->store);
	(void)sp_buf_append_char(&out, '\0');
	assert_string_equal(sp_buf_str(&out).ptr, wanted);
	sp_buf_fini(&out);
}

/* RFC 8460 4.4: alike are added up, by day and policy. */
static void test_counts(void **state)
{
	struct world *w = *state;
	struct sp_store_tls_count failure = SUCCESS;
	struct sp_store_tls_count other = SUCCESS;

	failure.result = SP_STR("tlsa-invalid");
	failure.mx_host = SP_STR("mx.d.test");
	other.domain = SP_STR("a.test");
	other.type = SP_STR("sts");
	count(w, TODAY, &SUCCESS);
	count(w, TODAY, &SUCCESS);
	count(w, TODAY, &failure);
	count(w, TODAY - 1, &SUCCESS);
	count(w, TODAY - 2, &SUCCESS);
	count(w, TODAY, &other);
	expect_counts(w, "",
	              "-1 tlsa mx.d.test [] 2;0 sts a.test [] 2;"
	              "0 tlsa mx.d.test [] 4;0 tlsa mx.d.test [tlsa-invalid] "
	              "2;");
	expect_counts(w, "a.test", "0 sts a.test [] 2;");
	begin(w);
	must(sp_store_tls_purge(w->store, TODAY), w->store);
	commit(w);
	expect_counts(w, "mx.d.test",
	              "0 tlsa mx.d.test [] 4;0 tlsa mx.d.test [tlsa-invalid] "
	              "2;");
}

/* A turn that is lost takes its counts along. */
static void test_rollback(void **state)
{
	struct world *w = *state;

	begin(w);
	must(sp_store_tls_count(w->store, TODAY, &SUCCESS), w->store);
	sp_store_rollback(w->store);
	expect_counts(w, "", "");
}

static int write_out(void *arg, const struct sp_store_tls_out *o)
{
	return sp_buf_printf(arg, "%d " SP_STR_FMT " " SP_STR_FMT " %s %u;",
	                     (int)(o->day - TODAY), SP_STR_ARG(o->domain),
	                     SP_STR_ARG(o->uri),
	                     sp_store_tls_out_name(o->state), o->tries);
}

static void test_outs(void **state)
{
	struct world *w = *state;
	struct sp_store_tls_out o = {
		.day = TODAY,
		.domain = SP_STR("d.test"),
		.uri = SP_STR("mailto:a@d.test"),
		.state = SP_STORE_TLS_OUT_WAITING,
		.time_ms = NOW,
	};
	struct sp_buf out;

	begin(w);
	must(sp_store_tls_out_set(w->store, &o), w->store);
	o.state = SP_STORE_TLS_OUT_QUEUED;
	o.tries = 1;
	must(sp_store_tls_out_set(w->store, &o), w->store);
	o.uri = SP_STR("https://d.test/");
	must(sp_store_tls_out_set(w->store, &o), w->store);
	commit(w);
	sp_buf_init(&out, 10000);
	must(sp_store_tls_outs(w->store, TODAY, TODAY, write_out, &out),
	     w->store);
	assert_true(sp_str_eq(sp_buf_str(&out),
	                      SP_STR("0 d.test https://d.test/ queued 1;"
	                             "0 d.test mailto:a@d.test queued 1;")));
	begin(w);
	o.domain = SP_STR("e.test");
	must(sp_store_tls_out_set(w->store, &o), w->store);
	o.day = TODAY - 1;
	must(sp_store_tls_out_set(w->store, &o), w->store);
	commit(w);
	sp_buf_reset(&out);
	must(sp_store_tls_outs_of(w->store, TODAY, o.domain, write_out, &out),
	     w->store);
	assert_true(sp_str_eq(sp_buf_str(&out),
	                      SP_STR("0 e.test https://d.test/ queued 1;")));
	sp_buf_reset(&out);
	must(sp_store_tls_outs_to(w->store, TODAY - 1, TODAY,
	                          SP_STR("mailto:a@d.test"), write_out, &out),
	     w->store);
	assert_true(sp_str_eq(sp_buf_str(&out),
	                      SP_STR("0 d.test mailto:a@d.test queued 1;")));
	sp_buf_reset(&out);
	must(sp_store_tls_outs_to(w->store, TODAY - 1, TODAY - 1, o.uri,
	                          write_out, &out),
	     w->store);
	assert_true(sp_str_eq(sp_buf_str(&out),
	                      SP_STR("-1 e.test https://d.test/ queued 1;")));
	sp_buf_fini(&out);
}

static void add_in(struct world *w, const struct sp_store_tls_in *in,
                   bool known, bool first)
{
	bool is_known, is_first;

	begin(w);
	must(sp_store_tls_in_add(w->store, in, &is_known, &is_first), w->store);
	commit(w);
	assert_int_equal(is_known, known);
	assert_int_equal(is_first, first);
}

static int count_in(void *arg, const struct sp_store_tls_in *in)
{
	*(uint64_t *)arg += in->failed;
	return 0;
}

/* Once by organization, report-id and policy; the first failure of a domain
 * that counts is told from later ones. */
static void test_ins(void **state)
{
	struct world *w = *state;
	struct sp_store_tls_in in = {
		.received_ms = NOW,
		.organization = SP_STR("x"),
		.report_id = SP_STR("1"),
		.start_ms = NOW - DAY,
		.dkim = SP_STR("none"),
		.type = SP_STR("tlsa"),
		.domain = SP_STR("d.test"),
		.successful = 5,
		.failed = 3,
		.failures = SP_STR("[]"),
	};
	uint64_t failed = 0;

	add_in(w, &in, false, false); /* unverified */
	add_in(w, &in, true, false);
	in.trusted = true; /* a forged one does not keep it out */
	in.dkim = SP_STR("pass x.test");
	add_in(w, &in, false, true);
	add_in(w, &in, true, false);
	in.trusted = false;
	in.dkim = SP_STR("fail: no");
	add_in(w, &in, true, false);
	in.trusted = true; /* under its name, by somebody else */
	in.dkim = SP_STR("pass y.test");
	add_in(w, &in, false, false);
	in.dkim = SP_STR("file"); /* the same by hand */
	add_in(w, &in, true, false);
	in.type = SP_STR("sts");
	add_in(w, &in, false, false);
	in.dkim = SP_STR("pass x.test");
	add_in(w, &in, true, false);
	must(sp_store_tls_ins(w->store, NOW - DAY, NOW, SP_STR("d.test"),
	                      count_in, &failed),
	     w->store);
	assert_int_equal(failed, 9);
}

static uint64_t untold(struct world *w)
{
	uint64_t failed = 0;

	must(sp_store_tls_untold(w->store, 100, count_in, &failed), w->store);
	return failed;
}

static void tell(struct world *w, const char *domain, bool by_alert)
{
	begin(w);
	must(sp_store_tls_in_told(w->store, sp_str_from(domain), by_alert),
	     w->store);
	commit(w);
}

static void expect_alerts(struct world *w, int64_t since_ms, uint64_t wanted)
{
	uint64_t count = 0;

	must(sp_store_tls_in_alerts(w->store, since_ms, &count), w->store);
	assert_int_equal(count, wanted);
}

/* What the postmaster was told of, and how. */
static void test_told(void **state)
{
	struct world *w = *state;
	struct sp_store_tls_in in = {
		.received_ms = NOW,
		.report_id = SP_STR("1"),
		.dkim = SP_STR("file"),
		.trusted = true,
		.domain = SP_STR("a.test"),
		.failed = 1,
		.failures = SP_STR("[]"),
	};

	add_in(w, &in, false, true);
	in.domain = SP_STR("b.test");
	in.failed = 10;
	add_in(w, &in, false, true);
	in.domain = SP_STR("c.test");
	in.failed = 0; /* nothing to tell */
	add_in(w, &in, false, false);
	in.domain = SP_STR("d.test");
	in.failed = 100;
	in.trusted = false;
	add_in(w, &in, false, false);
	assert_int_equal(untold(w), 11);
	tell(w, "a.test", true);
	assert_int_equal(untold(w), 10);
	expect_alerts(w, NOW, 1);
	expect_alerts(w, NOW + 1, 0);
	tell(w, "", false);
	assert_int_equal(untold(w), 0);
	expect_alerts(w, NOW, 1);
}

static void test_out_find(void **state)
{
	struct world *w = *state;
	const struct sp_store_tls_out out = {
		.day = TODAY,
		.domain = SP_STR("d.test"),
		.uri = SP_STR("mailto:a@d.test"),
		.state = SP_STORE_TLS_OUT_SENT,
	};
	enum sp_store_tls_out_state found = SP_STORE_TLS_OUT_NONE;

	assert_int_equal(sp_store_tls_out_find(w->store, TODAY, out.domain,
	                                       out.uri, &found),
	                 SP_ENOTFOUND);
	begin(w);
	must(sp_store_tls_out_set(w->store, &out), w->store);
	commit(w);
	must(sp_store_tls_out_find(w->store, TODAY, out.domain, out.uri,
	                           &found),
	     w->store);
	assert_int_equal(found, SP_STORE_TLS_OUT_SENT);
	assert_int_equal(sp_store_tls_out_find(w->store, TODAY + 1, out.domain,
	                                       out.uri, &found),
	                 SP_ENOTFOUND);
}

static void test_limits(void **state)
{
	static char text[SP_STORE_TLS_LIST_MAX + 1];
	struct world *w = *state;
	struct sp_store_tls_count c = SUCCESS;

	memset(text, 'x', sizeof(text));
	begin(w);
	c.mx_helo = sp_str_slice(text, SP_STORE_TLS_TEXT_MAX + 1);
	assert_int_equal(sp_store_tls_count(w->store, TODAY, &c), SP_ELIMIT);
	c.mx_helo.len--;
	c.policy = sp_str_slice(text, sizeof(text));
	assert_int_equal(sp_store_tls_count(w->store, TODAY, &c), SP_ELIMIT);
	c.policy.len--;
	must(sp_store_tls_count(w->store, TODAY, &c), w->store);
	commit(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counts),   TEST(test_rollback), TEST(test_outs),
		TEST(test_ins),      TEST(test_limits),   TEST(test_told),
		TEST(test_out_find),
	};
	int failed = 0;

	RUN_FOR_ALL_ENGINES(tests, failed)
	return failed ? 1 : 0;
}
