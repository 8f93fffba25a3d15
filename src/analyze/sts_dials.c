/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   new ──▶ NEXT ──an address──▶ DIAL ──ready or failed──▶ PART ──gone──▶ NEXT
 *            └──no more: fn
 *
 * The host is a copy of the plan's with another rule: what the policy alone
 * demands, where DANE would stand in its place or be asked beside it.
 */
#include "analyze/sts_dials.h"
#include "base/list.h"
#include "base/mem.h"
#include "deliver/dial.h"
#include "deliver/evidence.h"
#include "deliver/route.h"

struct sp_sts_dials {
	struct sp_sts_dials_ask ask;
	struct sp_step *parent;
	void (*fn)(void *arg);
	void *arg;

	struct sp_arena arena;
	size_t host, address;      /* of the next dial */
	struct sp_plan_host under; /* the host under the policy's rule */
	struct sp_dial *dial;      /* owned */
	struct sp_step *step;      /* of the dial */
	struct sp_list lingering;
	struct sp_deferred *turn; /* owned */
	size_t passed;
	struct sp_verdict worst;
};

static void next(void *arg);

/* ---- one address ---- */

static void end_step(struct sp_sts_dials *d, bool ready)
{
	const struct sp_dial_facts *facts = sp_dial_facts(d->dial);
	const struct sp_verdict *verdict = sp_dial_verdict(d->dial);
	struct sp_json *e = sp_step_evidence(d->step);

	if (facts->handshake_tried) {
		sp_json_set(e, "tls", sp_evidence_tls(&facts->tls_facts));
		sp_json_set_text(e, "verify", facts->tls_facts.pki_text);
	}
	if (ready) {
		d->passed++;
		sp_step_finish(d->step);
	} else if (facts->failed_here) {
		sp_json_set_cstr(e, "note", "no way to it from this machine");
		sp_step_end(d->step, SP_STEP_SKIP);
	} else {
		sp_step_cause(d->step, verdict);
		sp_step_end(d->step, SP_STEP_WARN);
		d->worst = sp_verdict_keep(
			&d->arena,
			d->worst.class == SP_VERDICT_DELIVERED
				? verdict
				: sp_verdict_worse(&d->worst, verdict));
	}
}

static void on_dial(void *arg, enum sp_dial_event event)
{
	struct sp_sts_dials *d = arg;

	if (event == SP_DIAL_READY || event == SP_DIAL_FAILED) {
		end_step(d, event == SP_DIAL_READY);
		if (sp_dial_part(d->dial)) {
			return; /* GONE follows */
		}
	}
	sp_dial_free(&d->dial);
	sp_deferred_call(d->turn);
}

static void dial(struct sp_sts_dials *d, const struct sp_plan_host *host,
                 const struct sp_plan_address *address)
{
	struct sp_dial_conf conf = {
		.loop = d->ask.loop,
		.conf = d->ask.conf,
		.domain = d->ask.plan->domain,
		.port = d->ask.port,
		.judge = sp_route_judge(d->ask.conf),
		.lingering = &d->lingering,
		.inspect = true,
	};

	conf.judge.filter = (struct sp_filter){0};
	d->under = *host;
	d->under.rule = SP_RULE_ENCRYPT;
	d->under.why = SP_WHY_STS;
	d->under.sts = SP_STS_ENFORCE;
	d->under.sts_watched = true;
	d->under.sni = host->name;
	d->under.tlsa_count = 0;
	d->under.reference_id_count = 0;
	d->dial = sp_dial_new(&conf, &d->under, address, on_dial, d);
	d->step = sp_step_begin(
		d->parent, "sts.certificate",
		"Certificate of " SP_STR_FMT " [%s] by public authorities",
		SP_STR_ARG(host->name), sp_dial_facts(d->dial)->address);
	sp_json_set_str(sp_step_evidence(d->step), "host", host->name);
	sp_json_set_cstr(sp_step_evidence(d->step), "address",
	                 sp_dial_facts(d->dial)->address);
}

/* ---- one after the other ---- */

static bool is_wanted(const struct sp_sts_dials *d,
                      const struct sp_plan_host *host)
{
	return !host->literal &&
	       sp_sts_policy_covers(&d->ask.plan->sts.policy.policy,
	                            host->name);
}

static void next(void *arg)
{
	struct sp_sts_dials *d = arg;
	const struct sp_plan *plan = d->ask.plan;

	for (; d->host < plan->host_count; d->host++, d->address = 0) {
		const struct sp_plan_host *host = &plan->hosts[d->host];

		if (is_wanted(d, host) && d->address < host->address_count) {
			dial(d, host, &host->addresses[d->address++]);
			return;
		}
	}
	d->fn(d->arg);
}

struct sp_sts_dials *sp_sts_dials_new(const struct sp_sts_dials_ask *ask,
                                      struct sp_step *parent,
                                      void (*fn)(void *arg), void *arg)
{
	struct sp_sts_dials *d = SP_NEW(struct sp_sts_dials);

	d->ask = *ask;
	d->parent = parent;
	d->fn = fn;
	d->arg = arg;
	sp_arena_init(&d->arena);
	sp_list_init(&d->lingering);
	d->turn = sp_deferred_new(ask->loop, next, d);
	sp_deferred_call(d->turn);
	return d;
}

void sp_sts_dials_free(struct sp_sts_dials **dials)
{
	struct sp_sts_dials *d = *dials;

	if (!d) {
		return;
	}
	sp_dial_free(&d->dial);
	sp_dial_reap(&d->lingering);
	sp_deferred_free(&d->turn);
	sp_arena_fini(&d->arena);
	SP_FREE(dials);
}

size_t sp_sts_dials_passed(const struct sp_sts_dials *dials)
{
	return dials->passed;
}

const struct sp_verdict *sp_sts_dials_worst(const struct sp_sts_dials *dials)
{
	return &dials->worst;
}
