/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   new ──▶ NEXT ──an address──▶ DIAL ──ready or failed──▶ PART ──gone──▶ NEXT
 *            ├──one that was met before: NEXT
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
#include "net/socket.h"

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

static struct sp_step *begin_step(struct sp_sts_dials *d,
                                  const struct sp_plan_host *host,
                                  const char *address)
{
	struct sp_step *step = sp_step_begin(d->parent, "sts.certificate",
	                                     "Certificate of " SP_STR_FMT
	                                     " [%s] by public authorities",
	                                     SP_STR_ARG(host->name), address);

	sp_json_set_str(sp_step_evidence(step), "host", host->name);
	sp_json_set_cstr(sp_step_evidence(step), "address", address);
	return step;
}

/* Class DELIVERED: it passes. */
static void end_step(struct sp_sts_dials *d, struct sp_step *step,
                     const struct sp_verdict *verdict)
{
	if (verdict->class == SP_VERDICT_DELIVERED) {
		d->passed++;
		sp_step_finish(step);
		return;
	}
	sp_step_cause(step, verdict);
	sp_step_end(step, SP_STEP_WARN);
	d->worst = sp_verdict_keep(
		&d->arena, d->worst.class == SP_VERDICT_DELIVERED
				   ? verdict
				   : sp_verdict_worse(&d->worst, verdict));
}

/* ---- met before ---- */

/* What that try says of the policy, in the words of causes; null: nothing. */
static const struct sp_json *said_of_sts(const struct sp_json *try)
{
	enum sp_cause_id cause =
		sp_cause_find(sp_json_get_str(try, "scenario"));

	if (sp_json_is_object(sp_json_get(try, "sts"))) {
		return sp_json_get(try, "sts");
	}
	return cause == SP_CAUSE_CONNECTION_TIMEOUT ||
	       cause == SP_CAUSE_CONNECTION_REFUSED
		?
	try : NULL
		;
}

static const struct sp_json *find_try(const struct sp_sts_dials *d,
                                      struct sp_str host, const char *address)
{
	for (size_t i = 0; i < sp_json_len(d->ask.tries); i++) {
		const struct sp_json *try = sp_json_at(d->ask.tries, i);

		if (sp_str_eq(sp_json_get_str(try, "host"), host) &&
		    sp_str_eq(sp_json_get_str(try, "address"),
		              sp_str_from(address)) &&
		    said_of_sts(try)) {
			return try;
		}
	}
	return NULL;
}

static bool was_met(struct sp_sts_dials *d, const struct sp_plan_host *host,
                    const char *address)
{
	const struct sp_json *try = find_try(d, host->name, address);
	const struct sp_json *said = try ? said_of_sts(try) : NULL;
	struct sp_verdict verdict = {.class = SP_VERDICT_DELIVERED};
	enum sp_cause_id cause;
	struct sp_step *step;

	if (!said) {
		return false;
	}
	step = begin_step(d, host, address);
	cause = sp_cause_find(sp_json_get_str(said, "scenario"));
	if (cause != SP_CAUSE_NONE) {
		verdict = sp_verdict_from_cause(
			cause, d->ask.plan->domain,
			sp_json_get_str(said, "evidence"), &d->arena);
		verdict.evidence = sp_json_get_str(said, "evidence");
		verdict.host = host->name;
		verdict.address = sp_str_from(address);
	}
	sp_json_set(sp_step_evidence(step), "tls",
	            sp_json_copy(sp_json_get(try, "tls")));
	sp_json_set_cstr(sp_step_evidence(step), "note",
	                 "met before, see the DANE validation");
	end_step(d, step, &verdict);
	return true;
}

/* ---- a dial ---- */

static void end_dial(struct sp_sts_dials *d, bool ready)
{
	static const struct sp_verdict delivered = {
		.class = SP_VERDICT_DELIVERED};
	const struct sp_dial_facts *facts = sp_dial_facts(d->dial);
	struct sp_json *e = sp_step_evidence(d->step);

	if (facts->handshake_tried) {
		sp_json_set(e, "tls", sp_evidence_tls(&facts->tls_facts));
	}
	if (!ready && facts->failed_here) {
		sp_json_set_cstr(e, "note", "no way to it from this machine");
		sp_step_end(d->step, SP_STEP_SKIP);
	} else {
		end_step(d, d->step,
		         ready ? &delivered : sp_dial_verdict(d->dial));
	}
}

static void on_dial(void *arg, enum sp_dial_event event)
{
	struct sp_sts_dials *d = arg;

	if (event == SP_DIAL_READY || event == SP_DIAL_FAILED) {
		end_dial(d, event == SP_DIAL_READY);
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
	d->step = begin_step(d, host, sp_dial_facts(d->dial)->address);
}

/* ---- one after the other ---- */

static bool is_wanted(const struct sp_sts_dials *d,
                      const struct sp_plan_host *host)
{
	return !host->literal &&
	       sp_sts_policy_covers(&d->ask.plan->sts.policy.policy,
	                            host->name);
}

/* The next address of the host that has to be dialled; false: none. */
static bool work_on(struct sp_sts_dials *d, const struct sp_plan_host *host)
{
	while (d->address < host->address_count) {
		const struct sp_plan_address *address =
			&host->addresses[d->address++];
		struct sp_addr addr = {.family = address->family};
		char text[SP_ADDR_TEXT];

		for (size_t i = 0; i < sizeof(addr.bytes); i++) {
			addr.bytes[i] = address->bytes[i];
		}
		sp_addr_text(&addr, text);
		if (!was_met(d, host, text)) {
			dial(d, host, address);
			return true;
		}
	}
	return false;
}

static void next(void *arg)
{
	struct sp_sts_dials *d = arg;
	const struct sp_plan *plan = d->ask.plan;

	for (; d->host < plan->host_count; d->host++, d->address = 0) {
		const struct sp_plan_host *host = &plan->hosts[d->host];

		if (is_wanted(d, host) && work_on(d, host)) {
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
