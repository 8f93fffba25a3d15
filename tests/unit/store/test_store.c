/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every engine of the store must do with mail, written against store.h
 * only: messages coming in, delivery, expiry.
 */
#include "unit/store/world.h"

/* ---- a message comes in ---- */

static void test_enqueue(void **state)
{
	struct world *w = *state;
	struct sp_str body;
	bool last = false;
	struct found f;

	enqueue(w, "M1");
	f = show(w, "M1");
	assert_int_equal(f.count, 1);
	assert_int_equal(f.state, SP_STORE_QUEUED);
	assert_int_equal(f.next_attempt_ms, NOW);
	assert_string_equal(events(w, f.rcpt_id), "receive/0");
	must(sp_store_read_body(w->store, SP_STR("M1"), 0, &w->arena, &body,
	                        &last),
	     w->store);
	assert_true(last);
	assert_true(sp_str_eq(body, SP_STR("Subject: x\r\n\r\nbody\r\n")));
	assert_int_equal(sp_store_read_body(w->store, SP_STR("M1"), 1,
	                                    &w->arena, &body, &last),
	                 SP_ENOTFOUND);
}

static void test_chunks(void **state)
{
	struct world *w = *state;
	struct sp_envelope e = envelope(ONE, 1);
	struct sp_store_incoming in = incoming("M1", &e);
	struct sp_store_stats stats;
	struct sp_store_job *jobs;
	struct sp_str body;
	bool last = true;

	in.complete = false;
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	assert_int_equal(sp_store_append_body(w->store, SP_STR("M1"), 2,
	                                      SP_STR("early")),
	                 SP_ENOTFOUND);
	must(sp_store_append_body(w->store, SP_STR("M1"), 1, SP_STR("more")),
	     w->store);
	commit(w);
	assert_int_equal(show(w, "M1").count, 0);
	assert_int_equal(claim(w, NOW, 1, &jobs), 0);
	must(sp_store_stats(w->store, &stats), w->store);
	assert_int_equal(stats.incoming, 1);
	assert_int_equal(stats.messages, 0);
	begin(w);
	must(sp_store_finish(w->store, SP_STR("M1"), true), w->store);
	assert_int_equal(sp_store_finish(w->store, SP_STR("M1"), false),
	                 SP_ENOTFOUND);
	commit(w);
	assert_int_equal(claim(w, NOW, 1, &jobs), 1);
	assert_int_equal(jobs[0].size_bytes, in.body.len + 4);
	assert_true(jobs[0].envelope.body_8bit); /* known at the end only */
	must(sp_store_read_body(w->store, SP_STR("M1"), 0, &w->arena, &body,
	                        &last),
	     w->store);
	assert_false(last);
	must(sp_store_read_body(w->store, SP_STR("M1"), 1, &w->arena, &body,
	                        &last),
	     w->store);
	assert_true(last);
	assert_true(sp_str_eq(body, SP_STR("more")));
}

/* An id is chosen by somebody else: the second message is refused alone. */
static void test_id_taken(void **state)
{
	struct world *w = *state;
	struct sp_envelope e = envelope(ONE, 1);
	struct sp_store_incoming in = incoming("M1", &e);

	enqueue(w, "M1");
	begin(w);
	assert_int_equal(sp_store_enqueue(w->store, &in), SP_ELIMIT);
	in.id = SP_STR("M2");
	must(sp_store_enqueue(w->store, &in), w->store);
	commit(w);
	assert_int_equal(show(w, "M1").count, 1);
	assert_int_equal(show(w, "M2").count, 1);
}

static void test_abort_and_sweep(void **state)
{
	struct world *w = *state;
	struct sp_envelope e = envelope(ONE, 1);
	struct sp_store_incoming in = incoming("M1", &e);
	uint64_t count = 0;

	in.complete = false;
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	in.id = SP_STR("M2");
	must(sp_store_enqueue(w->store, &in), w->store);
	must(sp_store_abort(w->store, SP_STR("M1")), w->store);
	assert_int_equal(sp_store_abort(w->store, SP_STR("M1")), SP_ENOTFOUND);
	commit(w);
	enqueue(w, "M3");
	begin(w);
	must(sp_store_sweep_incoming(w->store, &count), w->store);
	commit(w);
	assert_int_equal(count, 1);
	begin(w);
	assert_int_equal(sp_store_finish(w->store, SP_STR("M2"), false),
	                 SP_ENOTFOUND);
	commit(w);
	assert_int_equal(show(w, "M3").count, 1);
}

static void test_rollback(void **state)
{
	struct world *w = *state;
	struct sp_envelope e = envelope(ONE, 1);
	struct sp_store_incoming in = incoming("M1", &e);

	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	sp_store_rollback(w->store);
	assert_int_equal(show(w, "M1").count, 0);
	assert_int_equal(in_state(w, SP_STORE_QUEUED), 0);
}

static void test_over_limits(void **state)
{
	struct world *w = *state;
	struct sp_store_outcome_rcpt r = to(DEFERRED, 1);
	struct sp_store_outcome o = {
		.attempt_id = 1, .rcpts = &r, .rcpt_count = 1};
	static char big[SP_STORE_CHUNK_MAX + 1];
	struct sp_str texts[] = {sp_str_slice(big, 321), sp_str_slice(big, 999),
	                         sp_str_slice(big, sizeof(big))};
	struct sp_envelope e[3] = {envelope(ONE, 1), envelope(ONE, 1),
	                           envelope(ONE, 0)};
	struct sp_store_incoming in;

	memset(big, 'x', sizeof(big));
	e[0].sender = texts[0];
	e[1].message_id = texts[1];
	begin(w);
	for (size_t i = 0; i < 3; i++) {
		in = incoming("M1", &e[i]);
		assert_int_equal(sp_store_enqueue(w->store, &in), SP_ELIMIT);
	}
	e[2] = envelope(ONE, 1);
	in = incoming("0123456789012345678901234567890123", &e[2]);
	assert_int_equal(sp_store_enqueue(w->store, &in), SP_ELIMIT);
	in = incoming("M1", &e[2]);
	in.body = texts[2];
	assert_int_equal(sp_store_enqueue(w->store, &in), SP_ELIMIT);
	r.reply = sp_str_slice(big, SP_STORE_REPLY_MAX + 1);
	assert_int_equal(sp_store_settle(w->store, &o), SP_ELIMIT);
	commit(w);
	assert_int_equal(search(w, (struct sp_store_filter){.limit = 0}).count,
	                 0);
}

/* ---- delivery ---- */

static void test_claim_groups(void **state)
{
	static const struct sp_envelope_rcpt rcpts[] = {
		{.address = SP_STR("a@d.test"), .domain = SP_STR("d.test")},
		{.address = SP_STR("b@e.test"), .domain = SP_STR("e.test")},
		{.address = SP_STR("c@d.test"),
	         .domain = SP_STR("d.test"),
	         .orcpt = SP_STR("rfc822;c@o.test"),
	         .notify = SP_NOTIFY_NEVER},
	};
	struct world *w = *state;
	struct sp_store_job *jobs;
	size_t count;

	enqueue_to(w, "M1", rcpts, 3);
	assert_int_equal(claim(w, NOW - 1, 9, &jobs), 0);
	count = claim(w, NOW, 9, &jobs);
	assert_int_equal(count, 2);
	assert_true(jobs[0].attempt_id != jobs[1].attempt_id);
	for (size_t i = 0; i < 2; i++) {
		bool two = sp_str_eq(jobs[i].domain, SP_STR("d.test"));

		assert_int_equal(jobs[i].rcpt_count, two ? 2 : 1);
		assert_int_equal(jobs[i].attempt, 1);
		assert_int_equal(jobs[i].expires_ms, NOW + DAY);
		assert_true(sp_str_eq(jobs[i].id, SP_STR("M1")));
		assert_true(
			sp_str_eq(jobs[i].envelope.sender, SP_STR("a@s.test")));
		assert_int_equal(jobs[i].envelope.rcpt_count, 0);
	}
	assert_int_equal(claim(w, NOW, 9, &jobs), 0);
	assert_int_equal(in_state(w, SP_STORE_LEASED), 3);
}

static void test_claim_limits(void **state)
{
	static const struct sp_envelope_rcpt rcpts[] = {
		{.address = SP_STR("a@d.test"), .domain = SP_STR("d.test")},
		{.address = SP_STR("b@d.test"), .domain = SP_STR("d.test")},
		{.address = SP_STR("c@d.test"), .domain = SP_STR("d.test")},
	};
	struct world *w = *state;
	struct sp_store_job *jobs;
	size_t count = 0;

	enqueue_to(w, "M1", rcpts, 3);
	begin(w);
	must(sp_store_claim_due(w->store, 1, NOW, 9, 2, &w->arena, &jobs,
	                        &count),
	     w->store);
	assert_int_equal(count, 0); /* another worker's */
	must(sp_store_claim_due(w->store, 0, NOW, 1, 2, &w->arena, &jobs,
	                        &count),
	     w->store);
	assert_int_equal(count, 1);
	assert_int_equal(jobs[0].rcpt_count, 2);
	commit(w);
	assert_int_equal(in_state(w, SP_STORE_QUEUED), 1);
}

static void test_settle_delivered(void **state)
{
	struct world *w = *state;
	struct sp_store_lease_rcpt *lease;
	struct sp_store_job *jobs;
	struct sp_str body;
	size_t count;
	bool last;
	struct found f;
	uint64_t rcpt;

	enqueue(w, "M1");
	claim(w, NOW + 1, 1, &jobs);
	rcpt = jobs[0].rcpts[0].rcpt_id;
	must(sp_store_lease(w->store, jobs[0].attempt_id, &w->arena, &lease,
	                    &count),
	     w->store);
	assert_int_equal(count, 1);
	assert_int_equal(lease[0].rcpt_id, rcpt);
	assert_int_equal(lease[0].attempts, 0);
	assert_int_equal(lease[0].first_attempt_ms, NOW + 1);
	assert_int_equal(lease[0].received_ms, NOW);
	assert_false(lease[0].null_sender);
	must(settle(w, jobs[0].attempt_id, to(DELIVERED, rcpt)), w->store);
	f = show(w, "M1");
	assert_int_equal(f.state, SP_STORE_DELIVERED);
	assert_int_equal(f.done_ms, NOW + 5);
	assert_int_equal(f.attempts, 1);
	assert_int_equal(f.next_attempt_ms, 0);
	assert_string_equal(events(w, rcpt), "receive/0 send/1{\"tls\":1}");
	assert_int_equal(sp_store_read_body(w->store, SP_STR("M1"), 0,
	                                    &w->arena, &body, &last),
	                 SP_ENOTFOUND);
}

static void test_settle_deferred(void **state)
{
	struct world *w = *state;
	struct sp_store_lease_rcpt *lease;
	struct sp_store_job *jobs;
	size_t count;
	uint64_t rcpt;

	enqueue(w, "M1");
	claim(w, NOW + 1, 1, &jobs);
	rcpt = jobs[0].rcpts[0].rcpt_id;
	must(settle(w, jobs[0].attempt_id, to(DEFERRED, rcpt)), w->store);
	assert_string_equal(show(w, "M1").code, "4.7.323");
	assert_int_equal(show(w, "M1").next_attempt_ms, NOW + HOUR);
	assert_int_equal(claim(w, NOW + HOUR - 1, 1, &jobs), 0);
	assert_int_equal(claim(w, NOW + HOUR, 1, &jobs), 1);
	assert_int_equal(jobs[0].attempt, 2);
	must(sp_store_lease(w->store, jobs[0].attempt_id, &w->arena, &lease,
	                    &count),
	     w->store);
	assert_int_equal(lease[0].first_attempt_ms, NOW + 1);
	assert_int_equal(lease[0].attempts, 1);
}

static void test_settle_uncounted(void **state)
{
	struct world *w = *state;
	struct sp_store_outcome_rcpt r = {
		.state = SP_STORE_QUEUED, .uncounted = true, .due_ms = NOW + 2};
	struct sp_store_job *jobs;

	enqueue(w, "M1");
	claim(w, NOW, 1, &jobs);
	r.rcpt_id = jobs[0].rcpts[0].rcpt_id;
	must(settle(w, jobs[0].attempt_id, r), w->store);
	assert_int_equal(show(w, "M1").attempts, 0);
	assert_string_equal(events(w, r.rcpt_id), "receive/0");
	assert_int_equal(claim(w, NOW + 2, 1, &jobs), 1);
	assert_int_equal(jobs[0].attempt, 1);
}

/* Why it waits is told, and not again each time. */
static void test_settle_noted(void **state)
{
	struct world *w = *state;
	struct sp_store_outcome_rcpt r = {.state = SP_STORE_QUEUED,
	                                  .uncounted = true,
	                                  .noted = true,
	                                  .code = SP_STR("4.4.5"),
	                                  .cause = SP_STR("host-busy"),
	                                  .reply = SP_STR("busy")};
	struct sp_store_job *jobs;

	enqueue(w, "M1");
	for (int again = 0; again < 3; again++) {
		assert_int_equal(claim(w, NOW + again, 1, &jobs), 1);
		assert_int_equal(jobs[0].attempt, 1);
		r.rcpt_id = jobs[0].rcpts[0].rcpt_id;
		r.due_ms = NOW + again + 1;
		must(settle(w, jobs[0].attempt_id, r), w->store);
		assert_int_equal(show(w, "M1").attempts, 0);
		assert_string_equal(show(w, "M1").code, "4.4.5");
		assert_string_equal(events(w, r.rcpt_id),
		                    "receive/0 defer/0{\"tls\":1}");
	}
	assert_int_equal(claim(w, NOW + 3, 1, &jobs), 1);
	must(settle(w, jobs[0].attempt_id, to(DEFERRED, r.rcpt_id)), w->store);
	assert_int_equal(show(w, "M1").attempts, 1);
	assert_int_equal(claim(w, NOW + 2 * HOUR, 1, &jobs), 1);
	must(settle(w, jobs[0].attempt_id, r), w->store);
	assert_string_equal(events(w, r.rcpt_id),
	                    "receive/0 defer/0{\"tls\":1} defer/1{\"tls\":1} "
	                    "defer/1{\"tls\":1}");
}

static void test_settle_unknown_attempt(void **state)
{
	struct world *w = *state;
	struct sp_store_lease_rcpt *lease;
	struct sp_store_job *jobs;
	size_t count = 9;
	uint64_t attempt;
	uint64_t rcpt;

	enqueue(w, "M1");
	claim(w, NOW, 1, &jobs);
	attempt = jobs[0].attempt_id;
	rcpt = jobs[0].rcpts[0].rcpt_id;
	assert_int_equal(settle(w, attempt ^ 1, to(DELIVERED, rcpt)),
	                 SP_ENOTFOUND);
	assert_int_equal(settle(w, UINT64_MAX, to(DELIVERED, rcpt)),
	                 SP_ENOTFOUND);
	assert_int_equal(settle(w, attempt, to(DELIVERED, rcpt + 1)),
	                 SP_ENOTFOUND);
	must(settle(w, attempt, to(DELIVERED, rcpt)), w->store);
	assert_int_equal(settle(w, attempt, to(DELIVERED, rcpt)), SP_ENOTFOUND);
	must(sp_store_lease(w->store, attempt, &w->arena, &lease, &count),
	     w->store);
	assert_int_equal(count, 0);
	assert_int_equal(show(w, "M1").attempts, 1);
}

/* Evidence of one attempt for several recipients is shown by each. */
static void test_settle_shared_detail(void **state)
{
	static const struct sp_envelope_rcpt rcpts[] = {
		{.address = SP_STR("a@d.test"), .domain = SP_STR("d.test")},
		{.address = SP_STR("b@d.test"), .domain = SP_STR("d.test")},
	};
	struct world *w = *state;
	struct sp_store_job *jobs;
	struct sp_store_outcome_rcpt r[2];
	struct sp_store_outcome o = {.now_ms = NOW,
	                             .detail = SP_STR("{}"),
	                             .rcpts = r,
	                             .rcpt_count = 2};

	enqueue_to(w, "M1", rcpts, 2);
	assert_int_equal(claim(w, NOW, 9, &jobs), 1);
	o.attempt_id = jobs[0].attempt_id;
	r[0] = to(DELIVERED, jobs[0].rcpts[0].rcpt_id);
	r[1] = to(DEFERRED, jobs[0].rcpts[1].rcpt_id);
	begin(w);
	must(sp_store_settle(w->store, &o), w->store);
	commit(w);
	assert_string_equal(events(w, r[0].rcpt_id), "receive/0 send/1{}");
	assert_string_equal(events(w, r[1].rcpt_id), "receive/0 defer/1{}");
}

static void test_failed_keeps_body(void **state)
{
	struct sp_store_outcome_rcpt r = {.state = SP_STORE_FAILED,
	                                  .report_due = true,
	                                  .code = SP_STR("5.1.1")};
	struct world *w = *state;
	struct sp_store_job *jobs;
	struct sp_store_stats stats;
	struct sp_str body;
	uint64_t count;
	bool last;

	enqueue(w, "M1");
	claim(w, NOW, 1, &jobs);
	r.rcpt_id = jobs[0].rcpts[0].rcpt_id;
	must(settle(w, jobs[0].attempt_id, r), w->store);
	assert_true(show(w, "M1").report_due);
	must(sp_store_read_body(w->store, SP_STR("M1"), 0, &w->arena, &body,
	                        &last),
	     w->store);
	must(sp_store_stats(w->store, &stats), w->store);
	assert_int_equal(stats.report_due, 1);
	begin(w);
	must(sp_store_purge(w->store, INT64_MAX, 10, &count), w->store);
	commit(w);
	assert_int_equal(count, 0); /* a report due keeps the message */
}

static void test_release_leases(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	uint64_t keep_id;
	uint64_t count;

	enqueue(w, "M1");
	enqueue(w, "M2");
	assert_int_equal(claim(w, NOW, 9, &jobs), 2);
	keep_id = jobs[1].attempt_id;
	begin(w);
	must(sp_store_release_leases(w->store, 7, NULL, 0, NOW, &count),
	     w->store);
	assert_int_equal(count, 0);
	must(sp_store_release_leases(w->store, 0, &keep_id, 1, NOW + 9, &count),
	     w->store);
	assert_int_equal(count, 1);
	commit(w);
	assert_int_equal(in_state(w, SP_STORE_LEASED), 1);
	assert_int_equal(settle(w, jobs[0].attempt_id,
	                        to(DELIVERED, jobs[0].rcpts[0].rcpt_id)),
	                 SP_ENOTFOUND);
	must(settle(w, keep_id, to(DELIVERED, jobs[1].rcpts[0].rcpt_id)),
	     w->store);
	assert_int_equal(claim(w, NOW + 9, 9, &jobs), 1);
	assert_int_equal(jobs[0].attempt, 1);
}

static const struct expire_case {
	const char *name;
	bool deferred_before;
	const char *sender;
	uint8_t notify;
	const char *code;
	bool report_due;
} EXPIRE_CASES[] = {
	{"no attempt left a cause", false, "a@s.test", 0, "5.4.300", true},
	{"cause of the last outcome", true, "a@s.test", 0, "5.7.323", true},
	{"null sender: for a log line", false, "", 0, "5.4.300", true},
	{"NOTIFY=NEVER (RFC 3461 4.1)", false, "a@s.test", SP_NOTIFY_NEVER,
         "5.4.300", false},
	{"NOTIFY=DELAY (RFC 3461 4.1)", false, "a@s.test", SP_NOTIFY_DELAY,
         "5.4.300", false},
	{"NOTIFY=FAILURE (RFC 3461 4.1)", false, "a@s.test", SP_NOTIFY_FAILURE,
         "5.4.300", true},
};

static void expire_one(struct world *w, const struct expire_case *c,
                       const char *id)
{
	struct sp_envelope_rcpt rcpt = ONE[0];
	struct sp_envelope e = envelope(&rcpt, 1);
	struct sp_store_incoming in = incoming(id, &e);
	struct sp_store_job *jobs;
	uint64_t count = 0;

	rcpt.notify = c->notify;
	e.sender = sp_str_from(c->sender);
	begin(w);
	must(sp_store_enqueue(w->store, &in), w->store);
	commit(w);
	if (c->deferred_before) {
		claim(w, NOW, 1, &jobs);
		settle(w, jobs[0].attempt_id,
		       to(DEFERRED, jobs[0].rcpts[0].rcpt_id));
	}
	assert_int_equal(claim(w, NOW + DAY, 1, &jobs), 0);
	begin(w);
	must(sp_store_expire(w->store, NOW + DAY - 1, 9, SP_STR(""), SP_STR(""),
	                     SP_STR(""), &count),
	     w->store);
	assert_int_equal(count, 0);
	must(sp_store_expire(w->store, NOW + DAY, 9, SP_STR("5.4.300"),
	                     SP_STR("message-expired"),
	                     SP_STR("550 5.4.300 Message expired"), &count),
	     w->store);
	commit(w);
	assert_int_equal(count, 1);
}

static void test_expire(void **state)
{
	struct world *w = *state;
	char id[16];

	for (size_t i = 0; i < sizeof(EXPIRE_CASES) / sizeof(EXPIRE_CASES[0]);
	     i++) {
		const struct expire_case *c = &EXPIRE_CASES[i];
		struct found f;

		snprintf(id, sizeof(id), "M%zu", i);
		expire_one(w, c, id);
		f = show(w, id);
		if (f.state != SP_STORE_FAILED || strcmp(f.code, c->code) ||
		    f.report_due != c->report_due) {
			fail_msg("%s: state %u code %s report %d", c->name,
			         f.state, f.code, f.report_due);
		}
	}
}

static void test_next(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	int64_t when = 0;

	must(sp_store_next_due(w->store, 0, &when), w->store);
	assert_int_equal(when, -1);
	must(sp_store_next_expiry(w->store, &when), w->store);
	assert_int_equal(when, -1);
	enqueue(w, "M1");
	must(sp_store_next_due(w->store, 0, &when), w->store);
	assert_int_equal(when, NOW);
	must(sp_store_next_due(w->store, 1, &when), w->store);
	assert_int_equal(when, -1);
	must(sp_store_next_expiry(w->store, &when), w->store);
	assert_int_equal(when, NOW + DAY);
	claim(w, NOW, 1, &jobs);
	must(sp_store_next_due(w->store, 0, &when), w->store);
	assert_int_equal(when, -1);
}

static unsigned last_letter(struct sp_str domain, unsigned workers)
{
	(void)domain;
	return workers - 1;
}

static void test_workers_change(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	uint64_t changed = 0;
	size_t count;

	begin(w);
	must(sp_store_set_workers(w->store, 1, last_letter, NOW, &changed),
	     w->store);
	commit(w);
	enqueue(w, "M1");
	enqueue(w, "M2");
	assert_int_equal(claim(w, NOW, 1, &jobs), 1);
	begin(w);
	must(sp_store_set_workers(w->store, 1, last_letter, NOW, &changed),
	     w->store);
	assert_int_equal(changed, 0);
	must(sp_store_set_workers(w->store, 4, last_letter, NOW, &changed),
	     w->store);
	assert_int_equal(changed, 2);
	must(sp_store_claim_due(w->store, 3, NOW, 9, 9, &w->arena, &jobs,
	                        &count),
	     w->store);
	commit(w);
	assert_int_equal(count, 2);
}

static void test_purge(void **state)
{
	struct world *w = *state;
	struct sp_store_job *jobs;
	uint64_t count = 0;
	char id[16];

	for (int i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "M%d", i);
		enqueue(w, id);
	}
	assert_int_equal(claim(w, NOW, 2, &jobs), 2);
	for (size_t i = 0; i < 2; i++) {
		settle(w, jobs[i].attempt_id,
		       to(DELIVERED, jobs[i].rcpts[0].rcpt_id));
	}
	begin(w);
	must(sp_store_purge(w->store, NOW + 5, 10, &count), w->store);
	assert_int_equal(count, 0);
	must(sp_store_purge(w->store, NOW + 6, 1, &count), w->store);
	assert_int_equal(count, 1);
	must(sp_store_purge(w->store, NOW + 6, 10, &count), w->store);
	assert_int_equal(count, 1);
	commit(w);
	assert_int_equal(search(w, (struct sp_store_filter){.limit = 0}).count,
	                 1);
	assert_int_equal(in_state(w, SP_STORE_DELIVERED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_enqueue),
		TEST(test_chunks),
		TEST(test_id_taken),
		TEST(test_abort_and_sweep),
		TEST(test_rollback),
		TEST(test_over_limits),
		TEST(test_claim_groups),
		TEST(test_claim_limits),
		TEST(test_settle_delivered),
		TEST(test_settle_deferred),
		TEST(test_settle_uncounted),
		TEST(test_settle_noted),
		TEST(test_settle_unknown_attempt),
		TEST(test_settle_shared_detail),
		TEST(test_failed_keeps_body),
		TEST(test_release_leases),
		TEST(test_expire),
		TEST(test_next),
		TEST(test_workers_change),
		TEST(test_purge),
	};
	int failed = 0;

	RUN_FOR_ALL_ENGINES(tests, failed)
	return failed ? 1 : 0;
}
