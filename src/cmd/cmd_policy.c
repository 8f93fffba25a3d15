/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealpost policy: the delivery plan for a domain, made by the code that the
 * server's transport uses, with a resolver in this process. It shows what the
 * rules say; what log-only mode would let through is said beside it.
 */
#include <stdio.h>

#include "base/mem.h"
#include "cmd/dns.h"
#include "cmd/plan_text.h"
#include "cmd/text.h"
#include "deliver/evidence.h"
#include "deliver/gather.h"
#include "deliver/route.h"
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

static struct sp_plan *make_plan(struct sp_cmd_dns *dns,
                                 const struct sp_route *route)
{
	struct asking a = {.loop = dns->loop};
	const struct sp_gather_ask ask = {
		.loop = dns->loop,
		.lookup = &dns->direct.lookup,
		.conf = &route->plan,
		.domain = route->domain,
	};
	struct sp_gather *gather = sp_gather_new(&ask, on_plan, &a);

	(void)sp_loop_run(dns->loop); /* no plan: said by the caller */
	sp_gather_free(&gather);
	return a.plan;
}

/* After the plan was shown as it is: the filter changes it. */
static void put_waived(struct sp_plan *plan)
{
	const struct sp_filter log_only = {.log_only = true};

	puts("log-only (enforce = false): mail is not held back for TLSA, "
	     "STARTTLS or MTA-STS");
	sp_filter_plan(&log_only, plan);
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

static int show(const struct sp_cmd_ctx *ctx, struct sp_plan *plan)
{
	struct sp_json *json = sp_evidence_plan(plan);
	bool good = plan->verdict.class == SP_VERDICT_DELIVERED;

	if (ctx->json) {
		if (!ctx->conf->enforce) {
			sp_json_set_bool(json, "enforce", false);
		}
		sp_json_put(stdout, json);
	} else {
		sp_plan_put(stdout, json, 0);
		if (!ctx->conf->enforce) {
			put_waived(plan);
		}
	}
	sp_json_free(&json);
	return good ? SP_EXIT_OK : SP_EXIT_NO;
}

static int plan_and_show(const struct sp_cmd_ctx *ctx, struct sp_str domain,
                         struct sp_arena *arena)
{
	struct sp_cmd_dns dns;
	struct sp_route route;
	struct sp_plan *plan = NULL;
	int status = sp_cmd_dns_init(&dns, ctx->conf);

	if (!status) {
		sp_route_find(ctx->conf, domain,
		              dns.direct.lookup.validator_broken, arena,
		              &route);
		plan = make_plan(&dns, &route);
		status = plan ? show(ctx, plan)
		              : sp_cmd_fail(SP_EXIT_AGAIN, "%s: no plan",
		                            ctx->words[0]);
	}
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
	.text = "Needs no server: the DNS is asked by this command itself.\n"
		"Exit status: 0 deliverable, 1 not.\n",
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
