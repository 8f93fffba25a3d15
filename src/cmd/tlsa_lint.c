/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsa lint: the TLSA records of one host as they are published. The plan is
 * that of delivery to a fixed next hop, so which records count and whether
 * DANE applies at all is said by the code that delivers; the rest is looked
 * at by the analyzer. No connection is made.
 */
#include <string.h>

#include "analyze/tlsa_look.h"
#include "base/time.h"
#include "cmd/check_text.h"
#include "cmd/dns.h"
#include "cmd/text.h"
#include "cmd/tlsa.h"
#include "deliver/gather.h"
#include "deliver/route.h"

struct lint {
	struct sp_cmd_ctx *ctx;
	struct sp_arena arena;
	struct sp_cmd_dns dns;
	struct sp_str host;
	uint64_t port;
	struct sp_plan *plan; /* owned */
	struct sp_gather *gather;
	struct sp_tree *tree;
	struct sp_tlsa_look *look;
	int64_t started_ms; /* wall */
	int64_t began_ms;   /* mono */
};

/* ---- the name ---- */

/* "_25._tcp.host" is taken apart; any other underscore is a mistake that can
 * be named at once. */
static int read_owner(struct lint *l, struct sp_str *name)
{
	struct sp_str rest = sp_str_sub(*name, 1, name->len);
	struct sp_str port;
	struct sp_str tcp;

	(void)sp_str_cut(&rest, '.', &port);
	(void)sp_str_cut(&rest, '.', &tcp);
	if (sp_str_u64(port, 65535, &l->port) || l->port == 0 ||
	    !sp_str_eq_nocase(tcp, SP_STR("_tcp")) || !rest.len) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "tlsa lint: " SP_STR_FMT
		                   ": expected a host, or _25._tcp. and a "
		                   "host",
		                   SP_STR_ARG(*name));
	}
	*name = rest;
	return 0;
}

static int read_name(struct lint *l)
{
	struct sp_str name = sp_str_from(l->ctx->words[1]);
	int status = sp_tlsa_port(l->ctx->args, &l->port);

	if (!status && name.len && name.ptr[0] == '_') {
		status = read_owner(l, &name);
	}
	return status ? status
	              : sp_cmd_domain(sp_arena_cstr(&l->arena, name), &l->arena,
	                              &l->host);
}

/* ---- looking ---- */

static void on_look(void *arg)
{
	struct lint *l = arg;

	sp_loop_stop(l->dns.loop);
}

static void put_host(struct lint *l, const struct sp_plan_host *host)
{
	struct sp_json *e = sp_step_evidence(sp_tree_root(l->tree));

	sp_json_set_cstr(e, "rule", sp_rule_text(host->rule));
	sp_json_set_cstr(e, "reason", sp_rule_why_text(host->why));
}

static void on_plan(void *arg, struct sp_plan *plan)
{
	struct lint *l = arg;
	const struct sp_tlsa_look_ask ask = {
		.records_wanted = true,
		.loop = l->dns.loop,
		.lookup = &l->dns.direct.lookup,
		.host = plan->hosts,
		.port = (uint16_t)l->port,
	};

	l->plan = plan;
	if (plan->host_count == 0) {
		sp_step_cause(sp_tree_root(l->tree), &plan->verdict);
		sp_loop_stop(l->dns.loop);
		return;
	}
	put_host(l, plan->hosts);
	l->look = sp_tlsa_look_new(&ask, sp_tree_root(l->tree), on_look, l);
}

static void look(struct lint *l)
{
	struct sp_route route;
	struct sp_gather_ask ask = {
		.loop = l->dns.loop,
		.lookup = &l->dns.direct.lookup,
		.domain = l->host,
		.fresh = true,
		.timeout_ms = l->ctx->conf->smtp.plan_timeout_ms,
	};

	sp_route_find(l->ctx->conf, l->host, false, &l->arena, &route);
	route.plan.fixed_next_hop = l->host;
	route.plan.port = (uint16_t)l->port;
	route.plan.dane = SP_DANE_OPPORTUNISTIC;
	ask.conf = &route.plan;
	l->tree = sp_tree_new("lint", l->host, NULL, NULL);
	sp_json_set_str(sp_step_evidence(sp_tree_root(l->tree)), "domain",
	                l->host);
	l->gather = sp_gather_new(&ask, on_plan, l);
	(void)sp_loop_run(l->dns.loop); /* no plan: said below */
}

/* ---- showing ---- */

/* The first finding that is as bad as the whole. */
static const struct sp_step *speaker(const struct sp_step *step,
                                     enum sp_step_verdict verdict)
{
	const struct sp_step *found = NULL;

	if (sp_step_scenario(step).len && sp_step_verdict(step) == verdict) {
		return step;
	}
	for (const struct sp_step *c = sp_step_first(step); c && !found;
	     c = sp_step_next(c)) {
		found = speaker(c, verdict);
	}
	return found;
}

static struct sp_json *make_json(struct lint *l)
{
	struct sp_step *root = sp_tree_root(l->tree);
	enum sp_step_verdict verdict = sp_step_verdict(root);
	const struct sp_step *from =
		verdict > SP_STEP_PASS ? speaker(root, verdict) : NULL;
	struct sp_json *json = sp_json_object();

	if (from && from != root) {
		sp_step_cause_from(root, from);
	}
	sp_step_end(root, verdict);
	sp_json_set_str(json, "target", l->host);
	sp_json_set_cstr(json, "test", "tlsa");
	sp_json_set_cstr(json, "verdict",
	                 sp_step_verdict_text(sp_step_verdict(root)));
	sp_json_set_time(json, "started", l->started_ms);
	sp_json_set_int(json, "elapsed_ms", sp_time_mono_ms() - l->began_ms);
	sp_json_set(json, "tree", sp_tree_json(l->tree));
	return json;
}

/* Fine: there are records, they take effect, and nothing warns. */
static bool is_fine(const struct lint *l)
{
	return sp_step_verdict(sp_tree_root(l->tree)) == SP_STEP_PASS &&
	       l->plan->hosts[0].tlsa_answer == SP_TLSA_RECORDS;
}

static int show(struct lint *l)
{
	struct sp_json *json = make_json(l);

	if (l->ctx->json) {
		sp_json_put(stdout, json);
	} else {
		sp_check_put_text(stdout, json, sp_check_wants_colour());
	}
	sp_json_free(&json);
	return is_fine(l) ? SP_EXIT_OK : SP_EXIT_NO;
}

/* ---- all of it ---- */

static int lint(struct lint *l)
{
	int status = read_name(l);

	status = status ? status : sp_cmd_conf(l->ctx);
	status = status ? status : sp_cmd_dns_init(&l->dns, l->ctx->conf);
	if (!status && l->dns.direct.lookup.validator_broken) {
		status = SP_EXIT_AGAIN; /* said by the self-test */
	}
	if (status) {
		return status;
	}
	look(l);
	return l->plan ? show(l)
	               : sp_cmd_fail(SP_EXIT_AGAIN, "tlsa lint: no answer");
}

int sp_tlsa_lint_run(struct sp_cmd_ctx *ctx)
{
	struct lint l = {
		.ctx = ctx,
		.started_ms = sp_time_wall_ms(),
		.began_ms = sp_time_mono_ms(),
	};
	int status;

	sp_arena_init(&l.arena);
	status = lint(&l);
	sp_tlsa_look_free(&l.look);
	sp_gather_free(&l.gather);
	sp_plan_free(&l.plan);
	sp_tree_free(&l.tree);
	sp_cmd_dns_fini(&l.dns);
	sp_arena_fini(&l.arena);
	return status;
}
