/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   new ──▶ records of every host (DNS) ──┐
 *      └──▶ addresses, a few at once ─────┴── all done ──▶ verdict ──▶ fn
 *
 * Only when all addresses are known can it be said what a failing one means:
 * the message goes to the first that passes, and is held back where none
 * does, with the verdict that attempts fold from all of them.
 */
#include "analyze/check_dane.h"
#include "analyze/dane_address.h"
#include "analyze/pace.h"
#include "analyze/rollover.h"
#include "analyze/tlsa_look.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/attempt.h"

struct host {
	struct sp_step *step;
	struct sp_tlsa_look *look; /* owned; or null */
};

struct job {
	struct sp_check_dane *dane;
	size_t index;                 /* in the pace */
	struct sp_dane_address *work; /* owned; null: not begun */
};

struct sp_check_dane {
	const struct sp_check_ask *ask;
	struct sp_arena arena;
	struct sp_step *step;
	struct host *hosts; /* as in the plan; arena */
	struct job *jobs;   /* as in the pace; arena */
	struct sp_pace pace;
	size_t looking;          /* hosts whose records are looked at */
	struct sp_deferred *end; /* owned */
	sp_check_fn *fn;
	void *arg;
};

static bool failed(const struct sp_verdict *v)
{
	return v->class != SP_VERDICT_DELIVERED;
}

/* ---- the end ---- */

/* Does an address pass? What speaks for those that do not? */
static bool fold(struct sp_check_dane *d, struct sp_attempt_fold *fold_out)
{
	const struct sp_plan *plan = d->ask->plan;
	bool passes = false;

	*fold_out = (struct sp_attempt_fold){0};
	if (failed(&plan->verdict)) {
		sp_attempt_fold(fold_out, &plan->verdict);
	}
	for (size_t i = 0; i < plan->host_count; i++) {
		if (failed(&plan->hosts[i].verdict)) {
			sp_attempt_fold(fold_out, &plan->hosts[i].verdict);
		}
	}
	for (size_t i = 0; i < d->pace.count; i++) {
		const struct sp_verdict *v =
			sp_dane_address_verdict(d->jobs[i].work);

		passes |= !failed(v);
		if (failed(v)) {
			sp_attempt_fold(fold_out, v);
		}
	}
	return passes && !failed(&plan->verdict);
}

/* The chains of all addresses of a host, in one row. */
static size_t collect(struct sp_check_dane *d, size_t host,
                      struct sp_matrix **out)
{
	struct sp_matrix *all = sp_arena_array(
		&d->arena, d->pace.count * SP_DANE_ADDRESS_KEYS_MAX + 1,
		sizeof(*all));
	size_t count = 0;

	for (size_t i = 0; i < d->pace.count; i++) {
		const struct sp_matrix *of;
		size_t part;

		if (d->pace.jobs[i].host != host) {
			continue;
		}
		of = sp_dane_address_matrices(d->jobs[i].work, &part);
		for (size_t k = 0; k < part; k++) {
			all[count++] = of[k];
		}
	}
	*out = all;
	return count;
}

static struct sp_str ends_text(struct sp_check_dane *d,
                               const struct sp_rollover *r)
{
	char when[SP_TIME_TEXT];

	sp_time_rfc3339(r->ends_ms, when);
	return sp_str_from(sp_arena_printf(&d->arena,
	                                   SP_STR_FMT " is valid until %s",
	                                   SP_STR_ARG(r->ends_subject), when));
}

static void grow_rollover(struct sp_check_dane *d, size_t index)
{
	const struct sp_plan_host *host = &d->ask->plan->hosts[index];
	struct sp_matrix *all;
	size_t count = collect(d, index, &all);
	int64_t now_ms = sp_time_wall_ms();
	struct sp_rollover r = sp_rollover_judge(all, count, now_ms);
	struct sp_step *step;
	struct sp_json *e;

	if (r.scheme == SP_ROLLOVER_NONE) {
		return;
	}
	step = sp_step_begin(d->hosts[index].step, "dane.host.rollover",
	                     "Ready for the next certificate of " SP_STR_FMT,
	                     SP_STR_ARG(host->name));
	e = sp_step_evidence(step);
	sp_json_set_cstr(e, "scheme", sp_rollover_scheme_text(r.scheme));
	sp_json_set_bool(e, "ready", r.ready);
	if (r.ends_ms) {
		sp_json_set_time(e, "ends", r.ends_ms);
	}
	if (r.ends_ms && r.ends_ms - now_ms < SP_ROLLOVER_SOON_MS) {
		sp_step_advice(step, SP_ADVICE_CERT_ENDS_SOON,
		               ends_text(d, &r));
	} else if (!r.ready) {
		sp_step_advice(step, SP_ADVICE_ROLLOVER_SINGLE,
		               host->tlsa_owner);
	}
	sp_step_finish(step);
}

static void end_host(struct sp_check_dane *d, size_t index,
                     enum sp_step_verdict level)
{
	const struct sp_plan_host *host = &d->ask->plan->hosts[index];
	struct sp_step *step = d->hosts[index].step;

	if (failed(&host->verdict)) {
		sp_step_cause(step, &host->verdict);
		sp_step_end(step, level);
		return;
	}
	grow_rollover(d, index);
	sp_step_finish(step);
}

/* For the part that tells what a sender does. */
static void leave(struct sp_check_dane *d, bool passes,
                  const struct sp_verdict *worst)
{
	const struct sp_verdict delivered = {.class = SP_VERDICT_DELIVERED};
	struct sp_json *tries = sp_json_array();

	for (size_t i = 0; i < d->pace.count; i++) {
		sp_json_add(tries,
		            sp_json_copy(sp_dane_address_try(d->jobs[i].work)));
	}
	sp_check_saw_delivery(d->ask, passes ? &delivered : worst, tries);
}

static void end(void *arg)
{
	struct sp_check_dane *d = arg;
	struct sp_attempt_fold hosts;
	bool passes = fold(d, &hosts);
	enum sp_step_verdict level = passes ? SP_STEP_WARN : SP_STEP_FAIL;

	for (size_t i = 0; i < d->pace.count; i++) {
		sp_dane_address_end(d->jobs[i].work, level);
	}
	for (size_t i = 0; i < d->ask->plan->host_count; i++) {
		end_host(d, i, level);
	}
	sp_json_set_cstr(sp_step_evidence(d->step), "delivery",
	                 passes                                   ? "deliver"
	                 : hosts.verdict.class == SP_VERDICT_PERM ? "fail"
	                                                          : "defer");
	if (!passes && failed(&hosts.verdict)) {
		sp_step_cause(d->step, &hosts.verdict);
	}
	leave(d, passes, &hosts.verdict);
	sp_step_end(d->step, passes ? SP_STEP_PASS : SP_STEP_FAIL);
	d->fn(d->arg);
}

static void end_if_done(struct sp_check_dane *d)
{
	if (d->looking == 0 && sp_pace_all_over(&d->pace)) {
		sp_deferred_call(d->end);
	}
}

/* ---- hosts and addresses ---- */

static void work_on(struct sp_check_dane *d);

static void on_address(void *arg)
{
	struct job *job = arg;
	struct sp_check_dane *d = job->dane;

	sp_pace_over(&d->pace, job->index);
	work_on(d);
	end_if_done(d);
}

static void work_on(struct sp_check_dane *d)
{
	size_t i;

	while (sp_pace_next(&d->pace, &i)) {
		size_t host = d->pace.jobs[i].host;
		const struct sp_dane_address_ask ask = {
			.check = d->ask,
			.host = &d->ask->plan->hosts[host],
			.address = d->pace.jobs[i].address,
			.parent = d->hosts[host].step,
		};

		d->jobs[i] = (struct job){.dane = d, .index = i};
		d->jobs[i].work =
			sp_dane_address_new(&ask, on_address, &d->jobs[i]);
	}
}

static void on_look(void *arg)
{
	struct sp_check_dane *d = arg;

	d->looking--;
	end_if_done(d);
}

/* What failed in the plan stands there. */
static void begin_host(struct sp_check_dane *d, size_t index)
{
	const struct sp_plan_host *host = &d->ask->plan->hosts[index];
	const struct sp_tlsa_look_ask ask = {
		.loop = d->ask->loop,
		.lookup = d->ask->lookup,
		.host = host,
		.port = d->ask->route->plan.port,
	};
	struct host *h = &d->hosts[index];

	h->step = sp_step_begin(d->step, "dane.host",
	                        "DANE of mail server " SP_STR_FMT,
	                        SP_STR_ARG(host->name));
	if (!failed(&host->verdict) && !host->literal) {
		d->looking++;
		h->look = sp_tlsa_look_new(&ask, h->step, on_look, d);
	}
}

/* ---- its life ---- */

struct sp_check_dane *sp_check_dane_new(const struct sp_check_ask *ask,
                                        struct sp_step *parent, sp_check_fn *fn,
                                        void *arg)
{
	struct sp_check_dane *d = SP_NEW(struct sp_check_dane);
	const struct sp_plan *plan = ask->plan;

	d->ask = ask;
	d->fn = fn;
	d->arg = arg;
	sp_arena_init(&d->arena);
	d->end = sp_deferred_new(ask->loop, end, d);
	d->step =
		sp_step_begin(parent, "dane", "DANE validation of " SP_STR_FMT,
	                      SP_STR_ARG(ask->target));
	d->hosts = sp_arena_array(&d->arena, plan->host_count + 1,
	                          sizeof(*d->hosts));
	for (size_t i = 0; i < plan->host_count; i++) {
		begin_host(d, i);
	}
	sp_pace_init(&d->pace, plan, &d->arena);
	d->jobs =
		sp_arena_array(&d->arena, d->pace.count + 1, sizeof(*d->jobs));
	work_on(d);
	end_if_done(d);
	return d;
}

void sp_check_dane_cut(struct sp_check_dane *part)
{
	for (size_t i = 0; i < part->pace.count; i++) {
		if (part->pace.jobs[i].state == SP_PACE_OVER) {
			sp_dane_address_end(part->jobs[i].work, SP_STEP_WARN);
		}
	}
}

void sp_check_dane_free(struct sp_check_dane **part)
{
	struct sp_check_dane *d = *part;

	if (!d) {
		return;
	}
	for (size_t i = 0; i < d->pace.count; i++) {
		sp_dane_address_free(&d->jobs[i].work);
	}
	for (size_t i = 0; i < d->ask->plan->host_count; i++) {
		sp_tlsa_look_free(&d->hosts[i].look);
	}
	sp_deferred_free(&d->end);
	sp_arena_fini(&d->arena);
	SP_FREE(part);
}
