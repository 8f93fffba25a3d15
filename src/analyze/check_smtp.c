/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   new ──▶ addresses, a few at once ──all done──▶ outcome ──▶ fn
 *
 * The outcome is made as an attempt makes it: hosts in their order; an
 * address without a session leads to the next one; a 5xx to the recipient
 * ends it, a 4xx leads to the next host, and so does a session that breaks
 * off. A 4xx may be greylisting and only warns.
 */
#include "analyze/check_smtp.h"
#include "analyze/pace.h"
#include "analyze/smtp_address.h"
#include "base/mem.h"
#include "deliver/attempt.h"
#include "wire/address.h"

/* Reserved for documentation (RFC 2606 3): nobody's mail. */
#define STRANGER       "relay-test@example.net"
#define OTHER_STRANGER "relay-test@example.org"

enum outcome {
	NO_SESSION,
	ACCEPTED,
	BROKEN_OFF, /* before there was a reply */
	DEFERRED,
	REFUSED,
};

struct job {
	struct sp_check_smtp *smtp;
	size_t index;
	struct sp_smtp_address *work; /* owned; null: not begun */
};

struct sp_check_smtp {
	const struct sp_check_ask *ask;
	struct sp_arena arena;
	struct sp_step *step;
	struct sp_step **hosts; /* as in the plan; arena */
	struct job *jobs;       /* as in the pace; arena */
	struct sp_pace pace;
	struct sp_str recipient;
	struct sp_str stranger;
	struct sp_deferred *end; /* owned */
	sp_check_fn *fn;
	void *arg;
};

static bool failed(const struct sp_verdict *v)
{
	return v->class != SP_VERDICT_DELIVERED;
}

/* ---- the outcome ---- */

/* The word of the first address that has one; for the others what speaks for
 * them all. */
static enum outcome outcome_of(struct sp_check_smtp *s,
                               struct sp_verdict *verdict_out)
{
	enum outcome outcome = NO_SESSION;
	size_t spoken = SIZE_MAX; /* host */

	for (size_t i = 0; i < s->pace.count; i++) {
		const struct sp_smtp_address *a = s->jobs[i].work;
		const struct sp_verdict *v = sp_smtp_address_verdict(a);

		if (!sp_smtp_address_ready(a) ||
		    s->pace.jobs[i].host == spoken) {
			continue;
		}
		if (v->class != SP_VERDICT_TEMP) {
			*verdict_out = *v;
			return failed(v) ? REFUSED : ACCEPTED;
		}
		if (outcome != DEFERRED || v->cause == SP_CAUSE_REMOTE_REPLY) {
			*verdict_out = *v;
			outcome = v->cause == SP_CAUSE_REMOTE_REPLY
			                  ? DEFERRED
			                  : BROKEN_OFF;
		}
		spoken = s->pace.jobs[i].host;
	}
	return outcome;
}

static struct sp_verdict fold(struct sp_check_smtp *s)
{
	const struct sp_plan *plan = s->ask->plan;
	struct sp_attempt_fold f = {0};

	if (failed(&plan->verdict)) {
		sp_attempt_fold(&f, &plan->verdict);
	}
	for (size_t i = 0; i < plan->host_count; i++) {
		if (failed(&plan->hosts[i].verdict)) {
			sp_attempt_fold(&f, &plan->hosts[i].verdict);
		}
	}
	for (size_t i = 0; i < s->pace.count; i++) {
		const struct sp_verdict *v =
			sp_smtp_address_verdict(s->jobs[i].work);

		if (failed(v)) {
			sp_attempt_fold(&f, v);
		}
	}
	return f.verdict;
}

static void end_host(struct sp_check_smtp *s, size_t index,
                     enum sp_step_verdict level)
{
	const struct sp_plan_host *host = &s->ask->plan->hosts[index];

	if (failed(&host->verdict)) {
		sp_step_cause(s->hosts[index], &host->verdict);
		sp_step_end(s->hosts[index], level);
	} else {
		sp_step_finish(s->hosts[index]);
	}
}

static void end_branch(struct sp_check_smtp *s, enum outcome outcome,
                       const struct sp_verdict *verdict)
{
	static const char *const words[] = {
		[NO_SESSION] = "no session", [ACCEPTED] = "accepted",
		[BROKEN_OFF] = "broken off", [DEFERRED] = "deferred",
		[REFUSED] = "refused",
	};

	sp_json_set_str(sp_step_evidence(s->step), "recipient", s->recipient);
	sp_json_set_cstr(sp_step_evidence(s->step), "outcome", words[outcome]);
	if (outcome == ACCEPTED) {
		sp_step_finish(s->step);
		return;
	}
	if (failed(verdict)) {
		sp_step_cause(s->step, verdict);
	}
	sp_step_end(s->step, outcome == DEFERRED ? SP_STEP_WARN : SP_STEP_FAIL);
}

static void end(void *arg)
{
	struct sp_check_smtp *s = arg;
	struct sp_verdict verdict = {0};
	enum outcome outcome = failed(&s->ask->plan->verdict)
	                               ? NO_SESSION
	                               : outcome_of(s, &verdict);
	bool bad = outcome != ACCEPTED && outcome != DEFERRED;
	enum sp_step_verdict level = bad ? SP_STEP_FAIL : SP_STEP_WARN;

	if (outcome == NO_SESSION) {
		verdict = fold(s);
	}
	for (size_t i = 0; i < s->pace.count; i++) {
		sp_smtp_address_end(s->jobs[i].work, level);
	}
	for (size_t i = 0; i < s->ask->plan->host_count; i++) {
		end_host(s, i, level);
	}
	end_branch(s, outcome, &verdict);
	s->fn(s->arg);
}

/* ---- the addresses ---- */

static void work_on(struct sp_check_smtp *s);

static void on_address(void *arg)
{
	struct job *job = arg;
	struct sp_check_smtp *s = job->smtp;

	sp_pace_over(&s->pace, job->index);
	work_on(s);
}

static void work_on(struct sp_check_smtp *s)
{
	size_t i;

	while (sp_pace_next(&s->pace, &i)) {
		size_t host = s->pace.jobs[i].host;
		const struct sp_smtp_address_ask ask = {
			.check = s->ask,
			.host = &s->ask->plan->hosts[host],
			.address = s->pace.jobs[i].address,
			.recipient = s->recipient,
			.stranger = s->stranger,
			.parent = s->hosts[host],
		};

		s->jobs[i] = (struct job){.smtp = s, .index = i};
		s->jobs[i].work =
			sp_smtp_address_new(&ask, on_address, &s->jobs[i]);
	}
	if (sp_pace_all_over(&s->pace)) {
		sp_deferred_call(s->end);
	}
}

/* ---- its life ---- */

/* Whom every server has to know (RFC 5321 4.5.1). */
static struct sp_str postmaster(struct sp_str target, struct sp_arena *arena)
{
	const char *open = "", *close = "";

	if (sp_domain_is_literal(target) && target.ptr[0] != '[') {
		open = sp_str_find(target, ':') < target.len ? "[IPv6:" : "[";
		close = "]";
	}
	return sp_str_from(sp_arena_printf(arena,
	                                   "postmaster@%s" SP_STR_FMT "%s",
	                                   open, SP_STR_ARG(target), close));
}

static void begin_hosts(struct sp_check_smtp *s)
{
	const struct sp_plan *plan = s->ask->plan;

	s->hosts = sp_arena_array(&s->arena, plan->host_count + 1,
	                          sizeof(struct sp_step *));
	for (size_t i = 0; i < plan->host_count; i++) {
		s->hosts[i] = sp_step_begin(s->step, "smtp.host",
		                            "SMTP of mail server " SP_STR_FMT,
		                            SP_STR_ARG(plan->hosts[i].name));
	}
}

struct sp_check_smtp *sp_check_smtp_new(const struct sp_check_ask *ask,
                                        struct sp_step *parent, sp_check_fn *fn,
                                        void *arg)
{
	struct sp_check_smtp *s = SP_NEW(struct sp_check_smtp);

	s->ask = ask;
	s->fn = fn;
	s->arg = arg;
	sp_arena_init(&s->arena);
	s->end = sp_deferred_new(ask->loop, end, s);
	s->recipient = ask->recipient.len ? ask->recipient
	                                  : postmaster(ask->target, &s->arena);
	s->stranger = sp_str_eq(ask->target, SP_STR("example.net"))
	                      ? SP_STR(OTHER_STRANGER)
	                      : SP_STR(STRANGER);
	s->step = sp_step_begin(parent, "smtp", "Inbound SMTP of " SP_STR_FMT,
	                        SP_STR_ARG(ask->target));
	begin_hosts(s);
	sp_pace_init(&s->pace, ask->plan, &s->arena);
	s->jobs =
		sp_arena_array(&s->arena, s->pace.count + 1, sizeof(*s->jobs));
	work_on(s);
	return s;
}

void sp_check_smtp_cut(struct sp_check_smtp *part)
{
	for (size_t i = 0; i < part->pace.count; i++) {
		if (part->pace.jobs[i].state == SP_PACE_OVER) {
			sp_smtp_address_end(part->jobs[i].work, SP_STEP_WARN);
		}
	}
}

void sp_check_smtp_free(struct sp_check_smtp **part)
{
	struct sp_check_smtp *s = *part;

	if (!s) {
		return;
	}
	for (size_t i = 0; i < s->pace.count; i++) {
		sp_smtp_address_free(&s->jobs[i].work);
	}
	sp_deferred_free(&s->end);
	sp_arena_fini(&s->arena);
	SP_FREE(part);
}
