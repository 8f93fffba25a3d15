/* SPDX-License-Identifier: Apache-2.0 */
/* What hosts and replies amount to: a verdict for each recipient, the one
 * that speaks for all hosts, and the evidence. Nothing here moves the
 * attempt on. */
#include "base/mem.h"
#include "base/time.h"
#include "deliver/attempt_private.h"
#include "deliver/evidence.h"

#define TRIES_KEPT 40 /* in the evidence; later ones only count */

/* --- verdicts --- */

void sp_attempt_fold(struct sp_attempt_fold *fold, const struct sp_verdict *v)
{
	fold->verdict = fold->verdict.class == SP_VERDICT_DELIVERED
	                        ? *v
	                        : *sp_verdict_worse(&fold->verdict, v);
}

void sp__attempt_note_host(struct sp_attempt *a, const struct sp_verdict *v)
{
	sp_attempt_fold(&a->hosts, v);
}

void sp__attempt_note_blocked(struct sp_attempt *a,
                              const struct sp_plan_host *host,
                              const struct sp_verdict *v)
{
	static const struct sp_filter LOG_ONLY = {.log_only = true};

	a->blocked |= sp_filter_waives(&LOG_ONLY, host, v->cause);
}

void sp__attempt_note_sts(struct sp_attempt *a, const struct sp_plan_host *host,
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

void sp__attempt_settle(struct sp_attempt *a, size_t index,
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

void sp__attempt_settle_probe(struct sp_attempt *a, const char *security)
{
	struct sp_verdict v = {
		.class = SP_VERDICT_DELIVERED,
		.host = sp__attempt_host(a)->name,
		.address =
			sp_arena_str(&a->arena, sp_str_from(a->place_address)),
	};

	a->result.security = security;
	a->result.host = v.host;
	a->result.address = v.address;
	sp__attempt_settle(a, 0, &v, true);
}

bool sp__attempt_delivered(const struct sp_attempt *a)
{
	for (size_t i = 0; i < a->ask.rcpt_count; i++) {
		if (a->rcpts[i].verdict.class == SP_VERDICT_DELIVERED) {
			return true;
		}
	}
	return false;
}

bool sp__attempt_all_settled(const struct sp_attempt *a)
{
	for (size_t i = 0; i < a->ask.rcpt_count; i++) {
		if (!a->rcpts[i].settled) {
			return false;
		}
	}
	return true;
}

/* --- evidence --- */

struct sp_plan_host *sp__attempt_host(struct sp_attempt *a)
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

void sp__attempt_note_facts(struct sp_attempt *a,
                            const struct sp_dial_facts *facts,
                            const struct sp_verdict *v)
{
	note_waived(a, &sp__attempt_host(a)->waived);
	if (facts->judgement.waived) {
		note_waived(a, &facts->judgement.verdict);
	}

	a->try_count++;
	if (!a->reused) {
		sp_count_try(&a->counts, a->plan, sp__attempt_host(a), facts,
		             v);
	}
	a->result.host = sp__attempt_host(a)->name;
	a->result.address =
		sp_arena_str(&a->arena, sp_str_from(facts->address));
	if (a->try_count <= TRIES_KEPT && !a->ask.bare) {
		sp_json_add(a->tries, sp_evidence_try(sp__attempt_host(a),
		                                      facts, v, a->reused));
		a->result.known[1] = (struct sp_json_known){
			facts->tls_evidence,
			sp_arena_str(&a->arena, facts->tls_text)};
	}
}

void sp__attempt_note_try(struct sp_attempt *a, const struct sp_verdict *v)
{
	sp__attempt_note_facts(a, sp_dial_facts(a->dial), v);
}

struct sp_json *sp__attempt_detail(struct sp_attempt *a)
{
	struct sp_json *detail = sp_json_object();
	struct sp_json *timings = sp_json_object();

	if (a->shared) {
		sp_json_set(detail, "plan", sp_shared_plan_evidence(a->shared));
		a->result.known[0] = sp_shared_plan_known(a->shared);
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
		v.host = sp__attempt_host(a)->name;
	}
	if (!v.address.len) {
		v.address =
			sp_arena_str(&a->arena, sp_str_from(a->place_address));
	}
	return v;
}

bool sp__attempt_unheard(const struct sp_smtp_result *result)
{
	for (size_t i = 0; i < result->rcpt_count; i++) {
		if (result->rcpts[i].reply.code || result->rcpts[i].accepted) {
			return false;
		}
	}
	return result->need == SP_SMTP_NEED_NONE && !result->end_sent;
}

/* Settles the recipients by their replies; the first verdict that is not a
 * delivery stands for the try. Once the last dot is out, a recipient without
 * a reply is left for a later attempt: another host might make it a second
 * copy. What this host lacks, the next one may have (RFC 6531 3.2, RFC 8689
 * 4.2.1). */
const struct sp_verdict *
sp__attempt_settle_sent(struct sp_attempt *a,
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
		sp__attempt_settle(a, index, &v, final);
		a->rcpts[index].dsn =
			v.class == SP_VERDICT_DELIVERED && result->dsn;
		if (v.class != SP_VERDICT_DELIVERED && !shown) {
			shown = &a->rcpts[index].verdict;
		}
	}
	return shown;
}

bool sp__attempt_demands_tls(const struct sp_envelope *e)
{
	return e->requiretls && e->sender.len > 0;
}

bool sp__attempt_own_rule(const struct sp_attempt *a)
{
	const struct sp_envelope *e = a->ask.envelope;

	return sp__attempt_demands_tls(e) || e->tls_optional;
}

/* A reply to the envelope or the data is about this message; a permanent
 * verdict of the plan is an answer as well. What is our own fault tells
 * nothing, nor do addresses that were all passed over: that they failed was
 * another domain's finding, and they may answer by now. */
enum sp_attempt_news sp__attempt_news(const struct sp_attempt *a)
{
	bool ours = a->busy || (a->passed_over && !a->dialled);

	if (a->result.interrupted || sp__attempt_own_rule(a)) {
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
