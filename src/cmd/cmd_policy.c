/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealpost policy: the delivery plan for a domain, made by the code that the
 * server's transport uses, with a resolver in this process. It shows what the
 * rules say; what log-only mode or an exception would let through is said
 * beside it. Exceptions are the server's: when it can't be reached, that too
 * is said.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/time.h"
#include "cmd/control.h"
#include "cmd/dns.h"
#include "cmd/plan_text.h"
#include "cmd/text.h"
#include "deliver/evidence.h"
#include "deliver/gather.h"
#include "deliver/route.h"
#include "deliver/sts_direct.h"
#include "policy/filter.h"

struct asking {
	struct sp_loop *loop;
	struct sp_plan *plan; /* once done */
};

static void on_plan(void *arg, struct sp_plan *plan)
{
	struct asking *a = arg;

	a->plan = plan;
	sp_loop_stop(a->loop);
}

/* ---- the server's cache of MTA-STS policies ---- */

struct kept {
	bool asked;           /* the server */
	struct sp_json *json; /* owned: its answer; or null */
	struct sp_sts_row row;
};

/* What the server has cached of the domain, where there is one to ask. */
static int find_kept(struct sp_cmd_ctx *ctx, struct sp_str domain,
                     struct kept *k)
{
	struct sp_json *ask = sp_control_verb("sts-policy");
	const struct sp_json *sts;
	int status;

	k->asked = sp_control_reachable(ctx);
	if (!k->asked) {
		sp_json_free(&ask);
		return 0;
	}
	sp_json_set_str(ask, "domain", domain);
	status = sp_control_ask(ctx, ask, NULL, NULL, &k->json);
	sts = sp_json_get(k->json, "sts");
	k->row = (struct sp_sts_row){
		.domain = domain,
		.id = sp_json_get_str(sts, "id"),
		.body = sp_json_get_str(sts, "body"),
	};
	if (k->row.body.len && (sp_time_parse(sp_json_get_str(sts, "fetched"),
	                                      &k->row.fetched_ms) ||
	                        sp_time_parse(sp_json_get_str(sts, "expires"),
	                                      &k->row.expires_ms))) {
		k->row.body = SP_STR("");
	}
	return status;
}

static struct sp_plan *make_plan(const struct sp_conf *conf,
                                 struct sp_cmd_dns *dns,
                                 const struct sp_route *route,
                                 const struct kept *kept)
{
	struct asking a = {.loop = dns->loop};
	struct sp_sts_direct *sts =
		sp_sts_direct_new(dns->loop, conf, &dns->direct.lookup);
	const struct sp_gather_ask ask = {
		.loop = dns->loop,
		.lookup = &dns->direct.lookup,
		.conf = &route->plan,
		.domain = route->domain,
		.sts = route->mta_sts ? sp_sts_direct_borrow(sts) : NULL,
		.sts_row = kept->row.body.len ? &kept->row : NULL,
		.timeout_ms = conf->smtp.plan_timeout_ms,
	};
	struct sp_gather *gather = sp_gather_new(&ask, on_plan, &a);

	(void)sp_loop_run(dns->loop); /* no plan: said by the caller */
	sp_gather_free(&gather);
	sp_sts_direct_free(&sts);
	return a.plan;
}

/* ---- what is let through all the same ---- */

struct waivers {
	struct sp_str domain;
	bool asked;             /* the server, for its exceptions */
	struct sp_json *except; /* the one of the domain, owned; or null */
};

static void on_exception(void *arg, const struct sp_json *row)
{
	struct waivers *w = arg;

	if (!w->except &&
	    sp_str_eq(sp_json_get_str(row, "domain"), w->domain)) {
		w->except = sp_json_copy(row);
	}
}

static int find_waivers(struct sp_cmd_ctx *ctx, struct waivers *w)
{
	w->asked = sp_control_reachable(ctx);
	return w->asked ? sp_control_ask(ctx, sp_control_verb("exceptions"),
	                                 on_exception, w, NULL)
	                : 0;
}

static void put_reason(const struct waivers *w)
{
	if (!w->except) {
		puts("log-only (enforce = false): mail is not held back for "
		     "TLSA, STARTTLS or MTA-STS");
		return;
	}
	sp_put(stdout, "exception until ", sp_json_get_str(w->except, "until"),
	       " (");
	sp_text_put(stdout, sp_json_get_str(w->except, "reason"));
	puts("): mail is not held back for TLSA, STARTTLS or MTA-STS");
}

/* After the plan was shown as it is: the filter changes it. */
static void put_waived(const struct waivers *w, struct sp_plan *plan)
{
	const struct sp_filter filter = {
		.log_only = !w->except,
		.exception = w->except != NULL,
	};

	put_reason(w);
	sp_filter_plan(&filter, plan);
	for (size_t i = 0; i < plan->host_count; i++) {
		const struct sp_plan_host *host = &plan->hosts[i];
		char line[1024];

		if (host->waived.class != SP_VERDICT_DELIVERED) {
			sp_verdict_line(&host->waived, line, sizeof(line));
			sp_put(stdout, "  ", host->name, "");
			sp_put(stdout, " would be tried in spite of ",
			       sp_str_from(line), "\n");
		}
	}
}

/* Which cache the plan started from. */
static const char *cache_name(const struct kept *kept)
{
	return kept->row.body.len ? "server" : kept->asked ? "empty" : "none";
}

static int show(const struct sp_cmd_ctx *ctx, const struct waivers *w,
                const struct kept *kept, struct sp_plan *plan)
{
	struct sp_json *json = sp_evidence_plan(plan);
	bool good = plan->verdict.class == SP_VERDICT_DELIVERED;

	if (ctx->json) {
		if (!ctx->conf->enforce) {
			sp_json_set_bool(json, "enforce", false);
		}
		if (w->except) {
			sp_json_set(json, "exception", sp_json_copy(w->except));
		} else if (w->asked) {
			sp_json_set_null(json, "exception");
		}
		sp_json_set_cstr(json, "sts_cache", cache_name(kept));
		sp_json_put(stdout, json);
	} else {
		sp_plan_put(stdout, json, 0);
		if (kept->row.body.len) {
			puts("MTA-STS cache: the server's policy");
		}
		if (!ctx->conf->enforce || w->except) {
			put_waived(w, plan);
		}
		if (!w->asked) {
			puts("exceptions: not known, the server can't be "
			     "reached\n"
			     "MTA-STS cache: not known either");
		}
	}
	sp_json_free(&json);
	return good ? SP_EXIT_OK : SP_EXIT_NO;
}

static int plan_and_show(struct sp_cmd_ctx *ctx, struct sp_str domain,
                         struct sp_arena *arena)
{
	struct sp_cmd_dns dns;
	struct sp_route route;
	struct sp_plan *plan = NULL;
	struct waivers w = {.domain = domain};
	struct kept kept = {0};
	int status = sp_cmd_dns_init(&dns, ctx->conf);

	if (!status) {
		sp_route_find(ctx->conf, domain,
		              dns.direct.lookup.validator_broken, arena,
		              &route);
		status = find_kept(ctx, route.domain, &kept);
	}
	if (!status) {
		plan = make_plan(ctx->conf, &dns, &route, &kept);
		status = plan ? find_waivers(ctx, &w)
		              : sp_cmd_fail(SP_EXIT_AGAIN, "%s: no plan",
		                            ctx->words[0]);
	}
	if (plan && !status) {
		status = show(ctx, &w, &kept, plan);
	}
	sp_json_free(&w.except);
	sp_json_free(&kept.json);
	sp_plan_free(&plan);
	sp_cmd_dns_fini(&dns);
	return status;
}

static int run(struct sp_cmd_ctx *ctx)
{
	struct sp_arena arena;
	struct sp_str domain;
	int status;

	sp_arena_init(&arena);
	status = sp_cmd_domain(ctx->words[0], &arena, &domain);
	if (!status) {
		status = sp_cmd_conf(ctx);
	}
	if (!status) {
		status = plan_and_show(ctx, domain, &arena);
	}
	sp_arena_fini(&arena);
	return status;
}

const struct sp_cmd SP_CMD_POLICY = {
	.name = "policy",
	.words = "DOMAIN",
	.about = "how mail for a domain would be delivered, and why",
	.text = "Needs no server: the DNS is asked by this command itself, and "
		"an MTA-STS\npolicy is fetched. A running server is asked for "
		"an exception of the domain and\nfor the policy that it has "
		"cached: where its id is still the one of the TXT\nrecord, "
		"nothing is fetched.\n"
		"Exit status: 0 deliverable, 1 not.\n",
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
