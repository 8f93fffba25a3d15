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
#include "deliver/attempt.h"
#include "deliver/dial_facts.h"
#include "deliver/evidence.h"
#include "deliver/gather.h"
#include "deliver/route.h"
#include "policy/filter.h"

#define TRIES_KEPT 40 /* in the evidence; later ones only count */

enum stage {
	PLAN,
	WAIT,
	DIAL,
	SEND,
	DONE
};

struct sp_attempt {
	struct sp_attempt_ask ask;
	struct sp_arena arena;
	enum stage stage;
	struct sp_route route;
	struct sp_judge_conf judge; /* with the filter of this message */
	struct sp_gather *gather;
	struct sp_plan *plan;
	struct sp_plan *outdated; /* its policy was */
	size_t host;              /* cursor */
	size_t address;
	struct sp_pool_ticket *ticket;
	struct sp_dial *dial;
	struct sp_pool_place *place;
	char place_address[SP_ADDR_TEXT];
	bool reused;
	bool ready;     /* a session came about under the host's rule */
	bool anew;      /* no idle connection for the next try */
	bool busy;      /* a host was passed over for want of places */
	bool curtailed; /* hurried before it had most of the patience */
	bool body_wanted;
	struct sp_smtp_transaction transaction;
	struct sp_envelope_rcpt *open_rcpts; /* sent in this transaction */
	size_t *open_index;                  /* their places in rcpts */
	size_t open_count;
	uint32_t body_seq; /* next chunk to pull */
	struct sp_attempt_rcpt *rcpts;
	struct sp_verdict host_verdict; /* the one that speaks for the hosts */
	bool have_host_verdict;
	struct sp_verdict waived; /* the one that speaks for all of them */
	struct sp_json *tries;
	struct sp_counts counts;
	size_t try_count;
	struct sp_timer *deadline;
	struct sp_deferred *finish;
	bool sts_failed; /* by the policy of the cache */
	bool looked;     /* for a newer one */
	bool stopped;
	bool late;        /* over the deadline, but the last dot is out */
	int64_t start_ms; /* monotonic */
	int64_t waits_ms; /* since when its patience runs; monotonic */
	unsigned hurried;
	int64_t dialled_ms; /* monotonic */
	int64_t planned_ms; /* duration */
	struct sp_attempt_result result;
	sp_attempt_fn *fn;
	void *arg;
};

static void ask_place(struct sp_attempt *a);
static void next_try(struct sp_attempt *a);
static void on_plan(void *arg, struct sp_plan *plan);

/* --- verdicts --- */

static void note_host_verdict(struct sp_attempt *a, const struct sp_verdict *v)
{
	if (!a->have_host_verdict) {
		a->host_verdict = *v;
		a->have_host_verdict = true;
	} else {
		a->host_verdict = *sp_verdict_worse(&a->host_verdict, v);
	}
}

static void note_sts(struct sp_attempt *a, const struct sp_plan_host *host,
                     const struct sp_verdict *v)
{
	a->sts_failed |=
		!a->plan->sts.fetched && sp_plan_sts_blamed(host, v->cause);
}

/* What two hosts amount to. One that lacks something for the message and one
 * that fails for now: the second may take it later. */
static struct sp_verdict both(const struct sp_verdict *a,
                              const struct sp_verdict *b)
{
	const struct sp_verdict *worse = sp_verdict_worse(a, b);

	return a->class == b->class ? *worse : sp_verdict_defer(worse);
}

static void settle_rcpt(struct sp_attempt *a, size_t index,
                        const struct sp_verdict *v, bool final)
{
	struct sp_attempt_rcpt *r = &a->rcpts[index];

	if (final || r->verdict.class == SP_VERDICT_DELIVERED) {
		r->verdict = *v; /* DELIVERED: nothing was said before */
	} else {
		r->verdict = both(&r->verdict, v);
	}
	r->settled = final;
}

static bool all_settled(const struct sp_attempt *a)
{
	for (size_t i = 0; i < a->ask.rcpt_count; i++) {
		if (!a->rcpts[i].settled) {
			return false;
		}
	}
	return true;
}

/* --- evidence --- */

static struct sp_plan_host *host_now(struct sp_attempt *a)
{
	return &a->plan->hosts[a->host];
}

/* What the filter let through, each cause once. */
static void note_waived(struct sp_attempt *a, const struct sp_verdict *v)
{
	struct sp_attempt_result *r = &a->result;

	for (size_t i = 0; i < r->waived_count; i++) {
		if (r->waived[i] == v->cause) {
			return;
		}
	}
	if (v->class == SP_VERDICT_DELIVERED ||
	    r->waived_count == SP_ATTEMPT_WAIVED_MAX) {
		return;
	}
	r->waived[r->waived_count++] = v->cause;
	a->waived = sp_verdict_keep(&a->arena, sp_verdict_worse(v, &a->waived));
}

static void note_facts(struct sp_attempt *a, const struct sp_dial_facts *facts,
                       const struct sp_verdict *v)
{
	note_waived(a, &host_now(a)->waived);
	if (facts->judgement.waived) {
		note_waived(a, &facts->judgement.verdict);
	}

	a->try_count++;
	if (!a->reused) {
		sp_count_try(&a->counts, a->plan, host_now(a), facts, v);
	}
	a->result.host = host_now(a)->name;
	a->result.address =
		sp_arena_str(&a->arena, sp_str_from(facts->address));
	if (a->try_count <= TRIES_KEPT) {
		sp_json_add(a->tries,
		            sp_evidence_try(host_now(a), facts, v, a->reused));
	}
}

static void note_try(struct sp_attempt *a, const struct sp_verdict *v)
{
	note_facts(a, sp_dial_facts(a->dial), v);
}

static struct sp_json *write_detail(struct sp_attempt *a)
{
	struct sp_json *detail = sp_json_object();
	struct sp_json *timings = sp_json_object();

	if (a->plan) {
		sp_json_set(detail, "plan", sp_evidence_plan(a->plan));
	}
	sp_json_set(detail, "tries", a->tries);
	a->tries = NULL;
	sp_json_set_int(detail, "try_count", (int64_t)a->try_count);
	sp_json_set_int(timings, "dns_ms", a->planned_ms);
	sp_json_set_int(timings, "total_ms", sp_time_mono_ms() - a->start_ms);
	sp_json_set(detail, "timings", timings);
	sp_json_set_cstr(detail, "security", a->result.security);
	sp_evidence_filter(detail, &a->judge.filter, a->ask.exception,
	                   &a->waived);
	return detail;
}

/* --- the end --- */

static void drop_connection(struct sp_attempt *a)
{
	sp_pool_cancel(&a->ticket);
	sp_dial_quit(&a->dial);
	sp_pool_leave(&a->place);
}

/* A report goes on where the way back offers no REQUIRETLS: it returns no
 * more than a header, and nobody would hear of its loss (RFC 8689 5). */
static bool demands_tls(const struct sp_envelope *e)
{
	return e->requiretls && e->sender.len > 0;
}

/* Under a rule of its own a message tells nothing about others. */
static bool has_own_rule(const struct sp_attempt *a)
{
	const struct sp_envelope *e = a->ask.envelope;

	return demands_tls(e) || e->tls_optional;
}

/* A reply to the envelope or the data is about this message; a permanent
 * verdict of the plan is an answer as well. What is our own fault tells
 * nothing. */
static enum sp_attempt_news news_of(const struct sp_attempt *a)
{
	bool ours = a->busy;

	if (a->result.interrupted || has_own_rule(a)) {
		return SP_ATTEMPT_NO_NEWS;
	}
	for (size_t i = 0; i < a->ask.rcpt_count; i++) {
		const struct sp_verdict *v = &a->rcpts[i].verdict;

		if (v->class != SP_VERDICT_TEMP || v->at_envelope) {
			return SP_ATTEMPT_REACHED;
		}
		ours |= sp_cause_get(v->cause)->culprit == SP_CULPRIT_US;
	}
	if (a->ready) {
		return SP_ATTEMPT_REACHED;
	}
	return ours ? SP_ATTEMPT_NO_NEWS : SP_ATTEMPT_FAILED;
}

static void on_finish(void *arg)
{
	struct sp_attempt *a = arg;

	a->result.rcpts = a->rcpts;
	a->result.news = news_of(a);
	a->result.rcpt_count = a->ask.rcpt_count;
	a->result.waiver = sp_filter_waiver(&a->judge.filter);
	a->result.counts = a->counts.list;
	a->result.count_count = a->counts.count;
	a->result.detail = write_detail(a);
	a->fn(a->arg, &a->result); /* may free a */
}

static void done(struct sp_attempt *a)
{
	if (a->stage == DONE) {
		return;
	}
	a->stage = DONE;
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
		note_host_verdict(a, last);
	}
	unsaid = a->host_verdict.class == SP_VERDICT_DELIVERED;
	if (unsaid) {
		a->host_verdict = sp_verdict_from_cause(SP_CAUSE_INTERNAL_ERROR,
		                                        a->ask.domain,
		                                        SP_STR(""), &a->arena);
	}
	for (size_t i = 0; i < a->ask.rcpt_count; i++) {
		struct sp_attempt_rcpt *r = &a->rcpts[i];

		if (r->settled) {
			continue;
		}
		if (!unsaid || r->verdict.class == SP_VERDICT_DELIVERED) {
			settle_rcpt(a, i, &a->host_verdict, false);
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
	a->stage = SEND;
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

static const enum sp_cause_id NEED_CAUSES[] = {
	[SP_SMTP_NEED_NONE] = SP_CAUSE_NONE,
	[SP_SMTP_NEED_SIZE] = SP_CAUSE_TOO_LARGE_FOR_PEER,
	[SP_SMTP_NEED_8BITMIME] = SP_CAUSE_EIGHTBIT_NOT_SUPPORTED,
	[SP_SMTP_NEED_SMTPUTF8] = SP_CAUSE_SMTPUTF8_NOT_SUPPORTED,
	[SP_SMTP_NEED_REQUIRETLS] = SP_CAUSE_REQUIRETLS_UNMET,
};

/* What the host lacks for this recipient. */
static enum sp_smtp_need need_of(const struct sp_smtp_result *result, size_t i)
{
	return result->need != SP_SMTP_NEED_NONE ? result->need
	                                         : result->rcpts[i].need;
}

static struct sp_verdict rcpt_verdict(struct sp_attempt *a,
                                      const struct sp_smtp_result *result,
                                      size_t i)
{
	const struct sp_reply *reply = &result->rcpts[i].reply;
	enum sp_smtp_need need = need_of(result, i);
	struct sp_verdict v;

	if (need != SP_SMTP_NEED_NONE) {
		v = sp_verdict_from_cause(NEED_CAUSES[need], a->ask.domain,
		                          SP_STR(""), &a->arena);
	} else if (reply->code) {
		v = sp_verdict_from_reply(reply, true, &a->arena);
	} else {
		v = sp_verdict_keep(&a->arena, sp_dial_verdict(a->dial));
	}
	if (v.class == SP_VERDICT_DELIVERED && !result->rcpts[i].delivered) {
		v = sp_verdict_from_cause(SP_CAUSE_INTERNAL_ERROR,
		                          a->ask.domain, SP_STR(""), &a->arena);
	}
	if (!v.host.len) {
		v.host = host_now(a)->name;
	}
	if (!v.address.len) {
		v.address =
			sp_arena_str(&a->arena, sp_str_from(a->place_address));
	}
	return v;
}

/* The peer has said nothing that decides for any recipient. */
static bool is_unheard(const struct sp_smtp_result *result)
{
	for (size_t i = 0; i < result->rcpt_count; i++) {
		if (result->rcpts[i].reply.code || result->rcpts[i].accepted) {
			return false;
		}
	}
	return result->need == SP_SMTP_NEED_NONE && !result->end_sent;
}

/* A connection that was idle can have ended at the peer's side before it
 * heard of this message: that is no failure of the host. */
static void try_anew(struct sp_attempt *a, const struct sp_verdict *v)
{
	note_try(a, v);
	drop_connection(a);
	if (a->stopped) {
		next_try(a);
	} else {
		a->anew = true;
		ask_place(a);
	}
}

/* Settles the recipients by their replies; the first verdict that is not a
 * delivery stands for the try. Once the last dot is out, a recipient without
 * a reply is left for a later attempt: another host might make it a second
 * copy. What this host lacks, the next one may have (RFC 6531 3.2, RFC 8689
 * 4.2.1). */
static const struct sp_verdict *settle_sent(struct sp_attempt *a,
                                            const struct sp_smtp_result *result)
{
	const struct sp_verdict *shown = NULL;

	for (size_t i = 0; i < a->open_count; i++) {
		size_t index = a->open_index[i];
		struct sp_verdict v = rcpt_verdict(a, result, i);
		bool lacks = need_of(result, i) != SP_SMTP_NEED_NONE;
		bool unknown = result->end_sent && !result->rcpts[i].reply.code;
		bool final = !lacks && (v.class != SP_VERDICT_TEMP || unknown);

		if (v.class == SP_VERDICT_DELIVERED) {
			a->result.security =
				sp_dial_facts(a->dial)->judgement.security;
		}
		settle_rcpt(a, index, &v, final);
		a->rcpts[index].dsn =
			v.class == SP_VERDICT_DELIVERED && result->dsn;
		if (v.class != SP_VERDICT_DELIVERED && !shown) {
			shown = &a->rcpts[index].verdict;
		}
	}
	return shown;
}

static void on_sent(struct sp_attempt *a)
{
	const struct sp_smtp_result *result = sp_dial_result(a->dial);
	bool unheard = is_unheard(result);

	if (unheard && a->reused) {
		struct sp_verdict v =
			sp_verdict_keep(&a->arena, sp_dial_verdict(a->dial));

		try_anew(a, &v);
		return;
	}
	note_try(a, settle_sent(a, result));
	sp_pool_put(&a->place, &a->dial);
	if (all_settled(a)) {
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
	note_try(a, &v);
	note_host_verdict(a, &v);
	note_sts(a, host_now(a), &v);
	drop_connection(a);
	next_try(a);
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
		open_transaction(a);
		break;
	case SP_DIAL_WANT_BODY:
		want_body(a);
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

static void dial(struct sp_attempt *a)
{
	struct sp_plan_host *host = host_now(a);
	struct sp_dial_conf conf = {
		.loop = a->ask.loop,
		.conf = a->ask.conf,
		.domain = a->ask.domain,
		.port = a->route.plan.port,
		.judge = a->judge,
		.lingering = sp_pool_lingering(a->ask.pool),
	};

	a->stage = DIAL;
	a->dialled_ms = sp_time_mono_ms();
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
	v.host = host_now(a)->name;
	v.address = sp_arena_str(&a->arena, sp_str_from(a->place_address));
	v.evidence = sp_evidence_not_tried(failure, &a->arena);
	a->busy |= v.cause == SP_CAUSE_HOST_BUSY;
	a->reused = false;
	note_facts(a, &facts, &v);
	note_host_verdict(a, &v);
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
	    a->address + 1 < host_now(a)->address_count) {
		a->address++;
		return true;
	}
	for (a->host += first ? 0 : 1; a->host < a->plan->host_count;
	     a->host++) {
		const struct sp_plan_host *host = host_now(a);

		if (host->rule == SP_RULE_SKIP) {
			note_host_verdict(a, &host->verdict);
			sp_count_skipped(&a->counts, a->plan, host);
		} else if (host->address_count) {
			a->address = 0;
			return true;
		}
	}
	return false;
}

static void ask_place(struct sp_attempt *a)
{
	const struct sp_plan_host *host = host_now(a);
	const struct sp_plan_address *address = &host->addresses[a->address];
	struct sp_addr addr = {.family = address->family};
	struct sp_pool_ask ask = {
		.domain = a->ask.domain,
		.host = host->name,
		.port = a->route.plan.port,
	};
	const char *key =
		a->anew ? "" /* of none */
			: sp_dial_make_key(host, address, a->route.plan.port,
	                                   &a->judge, &a->arena);

	a->anew = false;
	memcpy(addr.bytes, address->bytes, sizeof(addr.bytes));
	sp_addr_text(&addr, a->place_address);
	a->stage = WAIT;
	ask.key = sp_str_from(key);
	ask.address = sp_str_from(a->place_address);
	a->ticket = sp_pool_ask(a->ask.pool, &ask, on_place, a);
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

	a->stage = PLAN;
	a->gather = sp_gather_new(&ask, on_plan, a);
}

/* No host is left, for the reasons noted and, where given, v. */
static void fail_all(struct sp_attempt *a, const struct sp_verdict *v)
{
	if (v) {
		note_host_verdict(a, v);
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
	a->outdated = a->plan;
	a->have_host_verdict = false;
	a->host = 0;
	return true;
}

static void on_plan(void *arg, struct sp_plan *plan)
{
	struct sp_attempt *a = arg;

	sp_gather_free(&a->gather);
	if (a->looked && !take_update(a, &plan)) {
		give_up(a, NULL);
		return;
	}
	a->plan = plan;
	a->planned_ms = sp_time_mono_ms() - a->start_ms;
	sp_filter_plan(&a->judge.filter, plan);
	sp_count_plan(&a->counts, plan);
	for (size_t i = 0; i < plan->host_count; i++) {
		note_sts(a, &plan->hosts[i], &plan->hosts[i].verdict);
	}
	if (plan->verdict.class != SP_VERDICT_DELIVERED) {
		fail_all(a, &plan->verdict);
	} else if (advance(a, true)) {
		ask_place(a);
	} else {
		give_up_cause(a, SP_CAUSE_INTERNAL_ERROR, "");
	}
}

/* Whatever is under way ends here and now. */
static void break_off(struct sp_attempt *a, enum sp_cause_id cause)
{
	struct sp_verdict v = sp_verdict_from_cause(cause, a->ask.domain,
	                                            SP_STR(""), &a->arena);

	if (a->dial) {
		note_try(a, &v);
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

struct sp_attempt *sp_attempt_new(const struct sp_attempt_ask *ask,
                                  sp_attempt_fn *fn, void *arg)
{
	struct sp_attempt *a = SP_NEW(struct sp_attempt);

	sp_arena_init(&a->arena);
	a->counts.arena = &a->arena;
	a->ask = *ask;
	a->fn = fn;
	a->arg = arg;
	a->start_ms = a->waits_ms = sp_time_mono_ms();
	a->rcpts =
		sp_arena_array(&a->arena, ask->rcpt_count, sizeof(*a->rcpts));
	a->open_rcpts = sp_arena_array(&a->arena, ask->rcpt_count,
	                               sizeof(*a->open_rcpts));
	a->open_index = sp_arena_array(&a->arena, ask->rcpt_count,
	                               sizeof(*a->open_index));
	a->tries = sp_json_array();
	a->finish = sp_deferred_new(ask->loop, on_finish, a);
	a->deadline = sp_timer_new(ask->loop, on_deadline, a);
	sp_timer_set(a->deadline, ask->conf->smtp.attempt_timeout_ms);
	a->judge = sp_route_judge(ask->conf);
	a->judge.filter.requiretls = demands_tls(ask->envelope);
	a->judge.filter.tls_optional =
		ask->envelope->tls_optional && !ask->envelope->requiretls;
	a->judge.filter.exception = ask->exception.len > 0;
	sp_route_find(ask->conf, ask->domain, ask->lookup->validator_broken,
	              &a->arena, &a->route);
	gather(a);
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
	sp_plan_free(&a->plan);
	sp_plan_free(&a->outdated);
	sp_arena_fini(&a->arena);
	sp_free(a);
}

void sp_attempt_body(struct sp_attempt *a, struct sp_str bytes, bool last)
{
	if (a->stage == SEND && a->dial) {
		sp_dial_body(a->dial, bytes, last);
	}
}

void sp_attempt_body_failed(struct sp_attempt *a)
{
	if (a->stage == SEND && a->dial) {
		/* no dot was sent: nothing happened */
		break_off(a, SP_CAUSE_INTERRUPTED);
	}
}

void sp_attempt_stop(struct sp_attempt *a)
{
	a->stopped = true;
	if (a->stage == PLAN || a->stage == WAIT || a->stage == DIAL) {
		break_off(a, SP_CAUSE_INTERRUPTED);
	}
}

int64_t sp_attempt_overdue_ms(const struct sp_attempt *a, int64_t now_ms)
{
	int64_t patience_ms =
		a->hurried < 62 ? a->ask.conf->smtp.patience_ms >> a->hurried
				: 0;

	if (a->stage == DONE || (a->stage == SEND && a->body_wanted)) {
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
	if (a->stage == PLAN) {
		sp_gather_hurry(a->gather);
	} else if (a->stage == WAIT && a->ticket) {
		sp_pool_give_up(a->ticket);
	} else if (a->dial && !a->body_wanted) {
		sp_dial_hurry(a->dial);
	}
}

struct sp_json *sp_attempt_live(const struct sp_attempt *a)
{
	static const char *const STAGES[] = {[PLAN] = "plan",
	                                     [WAIT] = "wait",
	                                     [DIAL] = "dial",
	                                     [SEND] = "send",
	                                     [DONE] = "done"};
	struct sp_json *live =
		a->dial ? sp_dial_live(a->dial) : sp_json_object();

	sp_json_set_str(live, "domain", a->ask.domain);
	sp_json_set_cstr(live, "attempt_stage", STAGES[a->stage]);
	sp_json_set_int(live, "age_ms", sp_time_mono_ms() - a->start_ms);
	return live;
}
