/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The course of an attempt:
 *
 *   PLAN ──plan done──▶ WAIT ──place or idle connection──▶ DIAL ──READY──▶ SEND
 *     │                  ▲  ▲                                │              │
 *     │ no host usable   │  └──── next address, next host ───┘◀── 4xx, lost ┘
 *     ▼                  │                                                  │
 *    DONE ◀── all recipients settled, no address left, deadline, stop ──────┘
 *
 * A probe is DONE instead of SEND. In WAIT it lets another one under its key
 * come first (deliver/probed.h).
 *
 * An address that is known to have failed, or has no place while others need
 * ours (sp_attempt_hurry), is passed over from WAIT without a dial.
 *
 * Before a failure by the MTA-STS policy of the cache the domain is looked at
 * once more, in PLAN, for a newer one (RFC 8461 5.1); if there is one, the
 * hosts have another turn under it.
 *
 * The cursor (host, address) only moves forward. A connection comes from the
 * pool under the key of host, address and policy, or is dialled under the
 * host's rule: there is no other way to SEND.
 */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/attempt_private.h"
#include "deliver/dial_facts.h"
#include "deliver/evidence.h"

static void ask_place(struct sp_attempt *a);
static void next_try(struct sp_attempt *a);
static void on_plan(void *arg, struct sp_plan *plan);

/* --- the end --- */

static void drop_connection(struct sp_attempt *a)
{
	sp_probed_end(&a->turn);
	sp_pool_cancel(&a->ticket);
	sp_dial_quit(&a->dial);
	sp_pool_leave(&a->place);
}

static void on_finish(void *arg)
{
	struct sp_attempt *a = arg;

	a->result.rcpts = a->rcpts;
	a->result.news = sp__attempt_news(a);
	if (a->result.news == SP_ATTEMPT_FAILED && a->ask.plans) {
		sp_plan_cache_forget(a->ask.plans, a->ask.domain);
	}
	a->result.rcpt_count = a->ask.rcpt_count;
	a->result.waiver = sp_filter_waiver(&a->judge.filter);
	a->result.counts = a->counts.list;
	a->result.count_count = a->counts.count;
	a->result.blocked = a->blocked && !sp__attempt_delivered(a);
	a->result.plan = a->plan;
	a->result.detail = a->ask.bare ? NULL : sp__attempt_detail(a);
	a->fn(a->arg, &a->result); /* may free a */
}

static void done(struct sp_attempt *a)
{
	if (a->stage == SP__ATTEMPT_DONE) {
		return;
	}
	a->stage = SP__ATTEMPT_DONE;
	sp_timer_stop(a->deadline);
	sp_gather_free(&a->gather);
	drop_connection(a);
	sp_deferred_call(a->finish);
}

/* What is not settled gets the verdict that speaks for all hosts. Nothing is
 * ever delivered by a verdict that nobody gave. */
static void give_up(struct sp_attempt *a, const struct sp_verdict *last)
{
	bool unsaid;

	if (last) {
		sp__attempt_note_host(a, last);
	}
	unsaid = a->hosts.verdict.class == SP_VERDICT_DELIVERED;
	if (unsaid) {
		a->hosts.verdict = sp_verdict_from_cause(
			SP_CAUSE_INTERNAL_ERROR, a->ask.domain, SP_STR(""),
			&a->arena);
	}
	for (size_t i = 0; i < a->ask.rcpt_count; i++) {
		struct sp_attempt_rcpt *r = &a->rcpts[i];

		if (r->settled) {
			continue;
		}
		if (!unsaid || r->verdict.class == SP_VERDICT_DELIVERED) {
			sp__attempt_settle(a, i, &a->hosts.verdict, false);
		}
		r->settled = true;
	}
	done(a);
}

static void give_up_cause(struct sp_attempt *a, enum sp_cause_id cause,
                          const char *reason)
{
	struct sp_verdict v = sp_verdict_from_cause(
		cause, a->ask.domain, sp_str_from(reason), &a->arena);

	give_up(a, &v);
}

/* --- sending --- */

static void open_transaction(struct sp_attempt *a)
{
	const struct sp_envelope *e = a->ask.envelope;

	a->open_count = 0;
	for (size_t i = 0; i < a->ask.rcpt_count; i++) {
		if (!a->rcpts[i].settled) {
			a->open_index[a->open_count] = i;
			a->open_rcpts[a->open_count++] = a->ask.rcpts[i];
		}
	}
	a->transaction = (struct sp_smtp_transaction){
		.sender = e->sender,
		.envid = e->envid,
		.ret = e->ret,
		.rcpts = a->open_rcpts,
		.rcpt_count = a->open_count,
		.size_bytes = a->ask.size_bytes,
		.body_8bit = e->body_8bit,
		.smtputf8 = e->smtputf8,
		.requiretls = e->requiretls,
		.chunking = !a->ask.inline_body,
	};
	a->body_seq = 0;
	a->body_wanted = false;
	a->stage = SP__ATTEMPT_SEND;
	sp_dial_send(a->dial, &a->transaction);
}

static void want_body(struct sp_attempt *a)
{
	a->body_wanted = true;
	if (a->ask.inline_body) {
		sp_dial_body(a->dial, a->ask.body, true);
	} else {
		a->ask.pull(a->arg, a->body_seq++);
	}
}

/* Should another host have to be tried, it is pulled. */
static void on_taken(struct sp_attempt *a)
{
	if (a->ask.taken) {
		a->ask.inline_body = false;
		a->ask.body = (struct sp_str){0};
		a->ask.taken(a->arg);
	}
}

/* A connection that was idle can have ended at the peer's side before it
 * heard of this message: that is no failure of the host. */
static void try_anew(struct sp_attempt *a, const struct sp_verdict *v)
{
	sp__attempt_note_try(a, v);
	drop_connection(a);
	if (a->stopped) {
		next_try(a);
	} else {
		a->anew = true;
		ask_place(a);
	}
}

static void on_sent(struct sp_attempt *a)
{
	const struct sp_smtp_result *result = sp_dial_result(a->dial);
	bool unheard = sp__attempt_unheard(result);

	if (unheard && a->reused) {
		struct sp_verdict v =
			sp_verdict_keep(&a->arena, sp_dial_verdict(a->dial));

		try_anew(a, &v);
		return;
	}
	sp__attempt_note_try(a, sp__attempt_settle_sent(a, result));
	sp_pool_put(&a->place, &a->dial);
	if (sp__attempt_all_settled(a)) {
		done(a);
		return;
	}
	if (!unheard) {
		a->address = SIZE_MAX; /* this host has spoken: the next one */
	}
	next_try(a);
}

static void on_failed(struct sp_attempt *a)
{
	struct sp_verdict v =
		sp_verdict_keep(&a->arena, sp_dial_verdict(a->dial));

	if (a->reused) {
		try_anew(a, &v);
		return;
	}
	if (!a->curtailed && sp_dial_was_mute(sp_dial_facts(a->dial), &v)) {
		sp_pool_note_failure(a->place, a->ask.domain, v.cause,
		                     v.evidence);
	}
	sp__attempt_note_try(a, &v);
	sp__attempt_note_host(a, &v);
	sp__attempt_note_blocked(a, sp__attempt_host(a), &v);
	sp__attempt_note_sts(a, sp__attempt_host(a), &v);
	drop_connection(a);
	next_try(a);
}

/* The session stands, and that is all a probe wants. */
static void on_probed(struct sp_attempt *a)
{
	const char *security = sp_dial_facts(a->dial)->judgement.security;

	if (a->ask.probed && sp_dial_reusable(a->dial)) {
		sp_probed_keep(a->ask.probed, sp_dial_key(a->dial), security,
		               sp_time_mono_ms());
	}
	sp__attempt_settle_probe(a, security);
	sp__attempt_note_try(a, NULL);
	done(a);
}

/* Another domain's probe has found good what this one is about to try. */
static bool is_known(struct sp_attempt *a)
{
	const char *security =
		a->ask.probe && a->ask.probed
			? sp_probed_find(a->ask.probed, sp_str_from(a->key),
	                                 sp_time_mono_ms())
			: NULL;

	if (!security) {
		return false;
	}
	a->result.shared = true;
	sp__attempt_settle_probe(a, security);
	done(a);
	return true;
}

static void on_dial(void *arg, enum sp_dial_event event)
{
	struct sp_attempt *a = arg;

	switch (event) {
	case SP_DIAL_READY:
		sp_pool_note_up(a->place);
		if (!a->ready) {
			a->ready = true;
			a->waits_ms = sp_time_mono_ms();
		}
		if (a->ask.probe) {
			on_probed(a);
		} else {
			open_transaction(a);
		}
		break;
	case SP_DIAL_WANT_BODY:
		want_body(a);
		break;
	case SP_DIAL_TAKEN:
		on_taken(a);
		break;
	case SP_DIAL_SENT:
		on_sent(a);
		break;
	case SP_DIAL_FAILED:
	case SP_DIAL_GONE:
		on_failed(a);
		break;
	}
}

/* The patience begins anew with the first connection: what the plan and the
 * wait for a place took, on this side, is no silence of the peer. With less
 * than all of it no failure would count (a->curtailed), and one attempt after
 * the other would try an address of which each learns the same. */
static void begin_patience(struct sp_attempt *a)
{
	a->hurried = 0;
	a->waits_ms = a->dialled_ms;
}

static void dial(struct sp_attempt *a)
{
	struct sp_plan_host *host = sp__attempt_host(a);
	struct sp_dial_conf conf = {
		.loop = a->ask.loop,
		.conf = a->ask.conf,
		.domain = a->ask.domain,
		.port = a->route.plan.port,
		.judge = a->judge,
		.lingering = sp_pool_lingering(a->ask.pool),
	};

	a->stage = SP__ATTEMPT_DIAL;
	a->dialled_ms = sp_time_mono_ms();
	if (!a->dialled) {
		begin_patience(a);
	}
	a->dialled = true;
	a->curtailed = false;
	a->dial = sp_dial_new(&conf, host, &host->addresses[a->address],
	                      on_dial, a);
}

static void pass_over(struct sp_attempt *a,
                      const struct sp_pool_failure *failure)
{
	struct sp_verdict v = sp_verdict_from_cause(
		failure->cause, a->ask.domain, SP_STR(""), &a->arena);
	struct sp_dial_facts facts = {
		.port = a->route.plan.port,
		.connect_ms = -1,
		.greeting_ms = -1,
		.tls_ms = -1,
		.smtp_ms = -1,
	};

	memcpy(facts.address, a->place_address, sizeof(facts.address));
	v.host = sp__attempt_host(a)->name;
	v.address = sp_arena_str(&a->arena, sp_str_from(a->place_address));
	v.evidence = sp_evidence_not_tried(failure, &a->arena);
	a->busy |= v.cause == SP_CAUSE_HOST_BUSY;
	a->passed_over = true;
	a->reused = false;
	sp__attempt_note_facts(a, &facts, &v);
	sp__attempt_note_host(a, &v);
	next_try(a);
}

static void on_place(void *arg, struct sp_pool_place *place,
                     const struct sp_pool_failure *failure)
{
	struct sp_attempt *a = arg;

	a->ticket = NULL;
	if (failure) {
		pass_over(a, failure);
		return;
	}
	a->place = place;
	if (is_known(a)) {
		return;
	}
	a->dial = sp_pool_place_dial(place);
	a->reused = a->dial != NULL;
	if (a->reused) {
		sp_dial_adopt(a->dial, on_dial, a);
		open_transaction(a);
	} else {
		dial(a);
	}
}

/* --- the cursor --- */

/* To the next address of a host that may be used; false: none is left. */
static bool advance(struct sp_attempt *a, bool first)
{
	if (!first && a->address != SIZE_MAX &&
	    a->address + 1 < sp__attempt_host(a)->address_count) {
		a->address++;
		return true;
	}
	for (a->host += first ? 0 : 1; a->host < a->plan->host_count;
	     a->host++) {
		const struct sp_plan_host *host = sp__attempt_host(a);

		if (host->rule == SP_RULE_SKIP) {
			sp__attempt_note_host(a, &host->verdict);
			sp_count_skipped(&a->counts, a->plan, host);
		} else if (host->address_count) {
			a->address = 0;
			return true;
		}
	}
	return false;
}

static void ask_pool(struct sp_attempt *a)
{
	struct sp_pool_ask ask = {
		.domain = a->ask.domain,
		.host = sp__attempt_host(a)->name,
		.address = sp_str_from(a->place_address),
		.port = a->route.plan.port,
		/* a new connection has none */
		.key = sp_str_from(a->anew || a->ask.probe ? "" : a->key),
	};

	a->anew = false;
	a->ticket = sp_pool_ask(a->ask.pool, &ask, on_place, a);
}

/* Others wait for it no more. */
static void on_other_probe(void *arg)
{
	struct sp_attempt *a = arg;

	sp_probed_end(&a->turn);
	if (!is_known(a)) {
		ask_pool(a);
	}
}

/* True: first another probe comes to its end. */
static bool lets_other_first(struct sp_attempt *a)
{
	struct sp_str key = sp_str_from(a->key);

	sp_probed_end(&a->turn);
	if (!a->ask.probe || !a->ask.probed) {
		return false;
	}
	a->turn = sp_probed_await(a->ask.probed, key, on_other_probe, a);
	if (a->turn) {
		return true;
	}
	a->turn = sp_probed_begin(a->ask.probed, key);
	return false;
}

static void ask_place(struct sp_attempt *a)
{
	const struct sp_plan_host *host = sp__attempt_host(a);
	const struct sp_plan_address *address = &host->addresses[a->address];
	struct sp_addr addr = {.family = address->family};

	a->key = sp_dial_make_key(host, address, a->route.plan.port, &a->judge,
	                          &a->arena);
	memcpy(addr.bytes, address->bytes, sizeof(addr.bytes));
	sp_addr_text(&addr, a->place_address);
	if (is_known(a)) {
		return;
	}
	a->stage = SP__ATTEMPT_WAIT;
	if (!lets_other_first(a)) {
		ask_pool(a);
	}
}

/* --- the plan --- */

static void gather(struct sp_attempt *a)
{
	const struct sp_gather_ask ask = {
		.loop = a->ask.loop,
		.lookup = a->ask.lookup,
		.conf = &a->route.plan,
		.domain = a->route.domain,
		.fresh = a->ask.fresh,
		.timeout_ms = a->ask.conf->smtp.plan_timeout_ms,
		.sts = a->route.mta_sts ? a->ask.sts : NULL,
		.sts_row = a->ask.sts_row,
		.sts_anew = a->looked,
	};

	a->stage = SP__ATTEMPT_PLAN;
	a->gather = sp_gather_new(&ask, on_plan, a);
}

/* No host is left, for the reasons noted and, where given, v. */
static void fail_all(struct sp_attempt *a, const struct sp_verdict *v)
{
	if (v) {
		sp__attempt_note_host(a, v);
	}
	if (a->sts_failed && !a->looked) {
		a->looked = true;
		gather(a);
	} else {
		give_up(a, NULL);
	}
}

static void next_try(struct sp_attempt *a)
{
	if (a->stopped) {
		a->result.interrupted = true;
		give_up_cause(a, SP_CAUSE_INTERRUPTED, "");
	} else if (a->late) {
		give_up_cause(a, SP_CAUSE_ATTEMPT_DEADLINE, "");
	} else if (advance(a, false)) {
		ask_place(a);
	} else {
		fail_all(a, NULL);
	}
}

/* Only what brings another policy is of use; then what was noted under the
 * outdated one does not count any more. */
static bool take_update(struct sp_attempt *a, struct sp_plan **plan)
{
	const struct sp_plan *p = *plan;
	bool known = p->sts.known || p->verdict.class == SP_VERDICT_DELIVERED;

	if (!known || sp_str_eq(p->sts.policy.id, a->plan->sts.policy.id)) {
		sp_plan_free(plan);
		return false;
	}
	a->outdated = a->shared;
	a->hosts = (struct sp_attempt_fold){0};
	sp_count_replan(&a->counts);
	a->host = 0;
	return true;
}

/* The hosts of a plan, one after another. */
static void begin(struct sp_attempt *a, struct sp_shared_plan *shared)
{
	struct sp_plan *plan = shared->plan;

	a->shared = shared;
	a->plan = plan;
	a->planned_ms = sp_time_mono_ms() - a->start_ms;
	sp_count_plan(&a->counts, plan);
	for (size_t i = 0; i < plan->host_count; i++) {
		const struct sp_plan_host *host = &plan->hosts[i];

		sp__attempt_note_sts(a, host, &host->verdict);
		sp__attempt_note_blocked(a, host, &host->verdict);
	}
	if (plan->verdict.class != SP_VERDICT_DELIVERED) {
		fail_all(a, &plan->verdict);
	} else if (advance(a, true)) {
		ask_place(a);
	} else {
		give_up_cause(a, SP_CAUSE_INTERNAL_ERROR, "");
	}
}

/* Only plans under the rules that hold for all mail. */
static bool may_share(const struct sp_attempt *a)
{
	return a->ask.plans && !a->ask.exception.len &&
	       !sp__attempt_own_rule(a) && !a->ask.lookup->validator_broken;
}

/* The plan that another message has made meanwhile; or null. */
static struct sp_shared_plan *find_shared(const struct sp_attempt *a)
{
	return may_share(a) && !a->ask.fresh && !a->looked
	               ? sp_plan_cache_find(a->ask.plans, a->ask.domain,
	                                    sp_time_mono_ms())
	               : NULL;
}

static void on_plan(void *arg, struct sp_plan *plan)
{
	struct sp_attempt *a = arg;
	struct sp_shared_plan *shared = find_shared(a);

	sp_gather_free(&a->gather);
	if (shared) { /* one of the two is enough to keep */
		sp_plan_free(&plan);
		begin(a, sp_shared_plan_hold(shared));
		return;
	}
	if (a->looked && !take_update(a, &plan)) {
		give_up(a, NULL);
		return;
	}
	sp_filter_plan(&a->judge.filter, plan);
	begin(a, sp_shared_plan_new(&plan));
	if (may_share(a)) {
		sp_plan_cache_keep(a->ask.plans, a->ask.domain, a->shared,
		                   sp_time_mono_ms());
	}
}

/* Whatever is under way ends here and now. */
static void break_off(struct sp_attempt *a, enum sp_cause_id cause)
{
	struct sp_verdict v = sp_verdict_from_cause(cause, a->ask.domain,
	                                            SP_STR(""), &a->arena);

	if (a->dial) {
		sp__attempt_note_try(a, &v);
		sp_dial_free(&a->dial);
	}
	a->result.interrupted |= cause == SP_CAUSE_INTERRUPTED;
	give_up(a, &v);
}

static void on_deadline(void *arg)
{
	struct sp_attempt *a = arg;

	if (a->dial && sp_dial_awaits_end(a->dial)) {
		a->late = true; /* the reply's own time still runs */
		return;
	}
	break_off(a, SP_CAUSE_ATTEMPT_DEADLINE);
}

static void start(struct sp_attempt *a)
{
	struct sp_shared_plan *shared = find_shared(a);

	if (shared) {
		begin(a, sp_shared_plan_hold(shared));
	} else {
		gather(a);
	}
}

static const struct sp_envelope NO_ENVELOPE;
static const struct sp_envelope_rcpt NO_RCPT;

struct sp_attempt *sp_attempt_new(const struct sp_attempt_ask *ask,
                                  sp_attempt_fn *fn, void *arg)
{
	struct sp_attempt *a = SP_NEW(struct sp_attempt);

	sp_arena_init(&a->arena);
	a->counts.arena = &a->arena;
	a->counts.off = !ask->conf->report.count;
	a->ask = *ask;
	if (ask->probe) {
		a->ask.envelope = &NO_ENVELOPE;
		a->ask.rcpts = &NO_RCPT;
		a->ask.rcpt_count = 1;
	}
	a->fn = fn;
	a->arg = arg;
	a->start_ms = a->waits_ms = sp_time_mono_ms();
	a->rcpts =
		sp_arena_array(&a->arena, a->ask.rcpt_count, sizeof(*a->rcpts));
	a->open_rcpts = sp_arena_array(&a->arena, a->ask.rcpt_count,
	                               sizeof(*a->open_rcpts));
	a->open_index = sp_arena_array(&a->arena, a->ask.rcpt_count,
	                               sizeof(*a->open_index));
	a->tries = sp_json_array();
	a->finish = sp_deferred_new(ask->loop, on_finish, a);
	a->deadline = sp_timer_new(ask->loop, on_deadline, a);
	sp_timer_set(a->deadline, ask->conf->smtp.attempt_timeout_ms);
	a->judge = sp_route_judge(ask->conf);
	a->judge.filter.requiretls = sp__attempt_demands_tls(a->ask.envelope);
	a->judge.filter.tls_optional =
		a->ask.envelope->tls_optional && !a->ask.envelope->requiretls;
	a->judge.filter.exception = ask->exception.len > 0;
	sp_route_find(ask->conf, ask->domain, ask->lookup->validator_broken,
	              &a->arena, &a->route);
	start(a);
	return a;
}

void sp_attempt_free(struct sp_attempt **attempt)
{
	struct sp_attempt *a = *attempt;

	if (!a) {
		return;
	}
	*attempt = NULL;
	sp_gather_free(&a->gather);
	drop_connection(a);
	sp_timer_free(&a->deadline);
	sp_deferred_free(&a->finish);
	sp_json_free(&a->tries);
	sp_json_free(&a->result.detail);
	sp_shared_plan_drop(&a->shared);
	sp_shared_plan_drop(&a->outdated);
	sp_arena_fini(&a->arena);
	sp_free(a);
}

void sp_attempt_body(struct sp_attempt *a, struct sp_str bytes, bool last)
{
	if (a->stage == SP__ATTEMPT_SEND && a->dial) {
		sp_dial_body(a->dial, bytes, last);
	}
}

void sp_attempt_body_failed(struct sp_attempt *a)
{
	if (a->stage == SP__ATTEMPT_SEND && a->dial) {
		/* no dot was sent: nothing happened */
		break_off(a, SP_CAUSE_INTERRUPTED);
	}
}

void sp_attempt_stop(struct sp_attempt *a)
{
	a->stopped = true;
	if (a->stage == SP__ATTEMPT_PLAN || a->stage == SP__ATTEMPT_WAIT ||
	    a->stage == SP__ATTEMPT_DIAL) {
		break_off(a, SP_CAUSE_INTERRUPTED);
	}
}

int64_t sp_attempt_overdue_ms(const struct sp_attempt *a, int64_t now_ms)
{
	int64_t patience_ms =
		a->hurried < 62 ? a->ask.conf->smtp.patience_ms >> a->hurried
				: 0;

	if (a->stage == SP__ATTEMPT_DONE ||
	    (a->stage == SP__ATTEMPT_SEND && a->body_wanted)) {
		return -1;
	}
	return now_ms - a->waits_ms - patience_ms;
}

void sp_attempt_hurry(struct sp_attempt *a)
{
	a->hurried++;
	a->waits_ms = sp_time_mono_ms();
	/* Other hosts of the domain have used up the rest. */
	a->curtailed = a->waits_ms - a->dialled_ms <
	               a->ask.conf->smtp.patience_ms / 4 * 3;
	if (a->stage == SP__ATTEMPT_PLAN) {
		sp_gather_hurry(a->gather);
	} else if (a->stage == SP__ATTEMPT_WAIT && a->ticket) {
		sp_pool_give_up(a->ticket);
	} else if (a->dial && !a->body_wanted) {
		sp_dial_hurry(a->dial);
	}
}

struct sp_json *sp_attempt_live(const struct sp_attempt *a)
{
	static const char *const STAGES[] = {[SP__ATTEMPT_PLAN] = "plan",
	                                     [SP__ATTEMPT_WAIT] = "wait",
	                                     [SP__ATTEMPT_DIAL] = "dial",
	                                     [SP__ATTEMPT_SEND] = "send",
	                                     [SP__ATTEMPT_DONE] = "done"};
	struct sp_json *live =
		a->dial ? sp_dial_live(a->dial) : sp_json_object();

	sp_json_set_str(live, "domain", a->ask.domain);
	sp_json_set_cstr(live, "attempt_stage", STAGES[a->stage]);
	sp_json_set_int(live, "age_ms", sp_time_mono_ms() - a->start_ms);
	return live;
}
