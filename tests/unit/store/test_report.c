/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be reported, found until it is reported, and never again. */
#include "unit/store/world.h"

static const struct sp_store_outcome_rcpt FAILED = {
	.state = SP_STORE_FAILED,
	.report_due = true,
	.code = SP_STR("5.7.323"),
	.cause = SP_STR("tlsa-mismatch"),
	.reply = SP_STR("550 5.7.323 tlsa-invalid: x"),
};

static int next_report(struct world *w, int64_t now_ms,
                       struct sp_store_report *r)
{
	return sp_store_next_report(w->store, now_ms, true, &w->arena, r);
}

static void no_report(struct world *w, int64_t now_ms)
{
	struct sp_store_report r;

	begin(w);
	assert_int_equal(next_report(w, now_ms, &r), SP_ENOTFOUND);
	commit(w);
}

static bool has_body(struct world *w, const char *id)
{
	struct sp_str data;
	bool last;

	return sp_store_read_body(w->store, sp_str_from(id), 0, &w->arena,
	                          &data, &last) == 0;
}

/* Enqueues the report R and marks the message; the turn stays open. */
static void report(struct world *w, const struct sp_store_report *r)
{
	struct sp_envelope e = envelope(ONE, 1);
	struct sp_store_incoming in = incoming("R", &e);

	e.sender = SP_STR("");
	must(sp_store_enqueue(w->store, &in), w->store);
	must(sp_store_reported(w->store, r, NOW + 9, SP_STR("{\"r\":1}")),
	     w->store);
}

static void test_failed(void **state)
{
	struct world *w = *state;
	struct sp_store_report r;
	struct sp_store_job *jobs;
	struct sp_str detail;
	uint64_t rcpt_id;

	enqueue(w, "M1");
	no_report(w, NOW);
	claim(w, NOW, 1, &jobs);
	rcpt_id = jobs[0].rcpts[0].rcpt_id;
	settle(w, jobs[0].attempt_id, to(FAILED, rcpt_id));
	begin(w);
	must(next_report(w, NOW, &r), w->store);
	assert_int_equal(r.kind, SP_STORE_REPORT_FAILED);
	assert_true(sp_str_eq(r.id, SP_STR("M1")));
	assert_true(sp_str_eq(r.envelope.sender, SP_STR("a@s.test")));
	assert_int_equal(r.rcpt_count, 1);
	assert_true(sp_str_eq(r.rcpts[0].rcpt.address, SP_STR("b@d.test")));
	assert_true(sp_str_eq(r.rcpts[0].code, SP_STR("5.7.323")));
	assert_true(sp_str_eq(r.rcpts[0].host, SP_STR("mx.d.test")));
	assert_int_equal(r.rcpts[0].attempt_ms, NOW + 5);
	must(sp_store_read_evidence(w->store, r.rcpts[0].evidence_id, &w->arena,
	                            &detail),
	     w->store);
	assert_true(sp_str_eq(detail, SP_STR("{\"tls\":1}")));
	report(w, &r);
	sp_store_rollback(w->store); /* as if nothing had been */
	assert_int_equal(show(w, "R").count, 0);
	assert_true(show(w, "M1").report_due && has_body(w, "M1"));

	begin(w);
	must(next_report(w, NOW, &r), w->store);
	report(w, &r);
	assert_int_equal(sp_store_reported(w->store, &r, NOW, SP_STR("")),
	                 SP_ENOTFOUND); /* not twice */
	commit(w);
	no_report(w, NOW);
	assert_int_equal(show(w, "R").count, 1);
	assert_false(show(w, "M1").report_due || has_body(w, "M1"));
	assert_string_equal(events(w, rcpt_id),
	                    "receive/0 fail/1{\"tls\":1} resolved/1{\"r\":1}");
}

/* The cause of an expired message was left by an attempt before. */
static void test_expired(void **state)
{
	struct world *w = *state;
	struct sp_store_report r;
	struct sp_store_job *jobs;
	uint64_t count;

	enqueue(w, "M1");
	claim(w, NOW, 1, &jobs);
	settle(w, jobs[0].attempt_id, to(DEFERRED, jobs[0].rcpts[0].rcpt_id));
	begin(w);
	must(sp_store_expire(w->store, NOW + DAY, 9, SP_STR(""), SP_STR(""),
	                     SP_STR(""), &count),
	     w->store);
	must(next_report(w, NOW + DAY, &r), w->store);
	assert_int_equal(r.rcpts[0].attempt_ms, NOW + 5);
	assert_true(sp_str_eq(r.rcpts[0].attempt_reply,
	                      SP_STR("450 4.7.323 tlsa-invalid: x")));
	assert_true(sp_str_eq(r.rcpts[0].reply,
	                      SP_STR("550 5.7.323 tlsa-invalid: x")));
	assert_true(r.rcpts[0].evidence_id > 0);
	commit(w);
}

static void test_relayed(void **state)
{
	struct world *w = *state;
	struct sp_store_outcome_rcpt delivered = DELIVERED;
	struct sp_store_report r;
	struct sp_store_job *jobs;

	delivered.report_due = true;
	enqueue(w, "M1");
	claim(w, NOW, 1, &jobs);
	settle(w, jobs[0].attempt_id, to(delivered, jobs[0].rcpts[0].rcpt_id));
	assert_true(has_body(w, "M1"));
	begin(w);
	must(next_report(w, NOW, &r), w->store);
	assert_int_equal(r.kind, SP_STORE_REPORT_RELAYED);
	report(w, &r);
	commit(w);
	no_report(w, NOW);
	assert_false(has_body(w, "M1"));
}

static void enqueue_with_notice(struct world *w, const char *id,
                                const char *sender, uint8_t notify)
{
	struct sp_envelope_rcpt rcpt = ONE[0];
	struct sp_envelope e = envelope(&rcpt, 1);
	struct sp_store_incoming in = incoming(id, &e);

	rcpt.notify = notify;
	e.sender = sp_str_from(sender);
	in.notice_ms = NOW + HOUR;
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	commit(w);
}

static void test_notice(void **state)
{
	struct world *w = *state;
	struct sp_store_report r;
	struct sp_store_job *jobs;
	int64_t notice_ms;

	enqueue_with_notice(w, "N1", "a@s.test", SP_NOTIFY_FAILURE);
	enqueue_with_notice(w, "N2", "", 0);
	must(sp_store_next_notice(w->store, &notice_ms), w->store);
	assert_int_equal(notice_ms, -1);
	enqueue_with_notice(w, "N3", "a@s.test", SP_NOTIFY_DELAY);
	must(sp_store_next_notice(w->store, &notice_ms), w->store);
	assert_int_equal(notice_ms, NOW + HOUR);
	no_report(w, NOW + HOUR - 1);
	begin(w);
	assert_int_equal(sp_store_next_report(w->store, NOW + HOUR, false,
	                                      &w->arena, &r),
	                 SP_ENOTFOUND);
	must(next_report(w, NOW + HOUR, &r), w->store);
	assert_int_equal(r.kind, SP_STORE_REPORT_DELAYED);
	assert_true(sp_str_eq(r.id, SP_STR("N3")));
	assert_int_equal(r.rcpts[0].attempt_ms, 0);
	assert_int_equal(r.rcpts[0].expires_ms, NOW + DAY);
	report(w, &r);
	commit(w);
	no_report(w, NOW + HOUR);
	assert_true(has_body(w, "N3"));
	assert_int_equal(claim(w, NOW, 9, &jobs), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_failed),
		TEST(test_expired),
		TEST(test_relayed),
		TEST(test_notice),
	};
	int failed = 0;

	RUN_FOR_ALL_ENGINES(tests, failed);
	return failed;
}
