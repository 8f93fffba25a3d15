/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job is one domain:
 *
 *   WAITING ──a place is free──▶ plan, DNS only ──▶ row
 *                          └───▶ attempt with a probe ──▶ row
 *
 * Places are counted here; connections are the pool's. No plan cache stands
 * beside it: a domain comes once, and what domains share, MX hosts above
 * all, is shared by the resolver's cache.
 */
#include "analyze/survey.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/attempt.h"
#include "deliver/gather.h"
#include "deliver/route.h"

struct job {
	struct sp_list node; /* of waiting or running */
	struct sp_survey *survey;
	uint64_t number;
	struct sp_str domain; /* in the arena */
	int64_t began_ms;     /* monotonic */
	struct sp_arena arena;
	struct sp_route route;      /* DNS only */
	struct sp_gather *gather;   /* DNS only */
	struct sp_attempt *attempt; /* else */
};

struct sp_survey {
	struct sp_survey_ask ask;
	struct sp_pool *pool;     /* null: DNS only */
	struct sp_probed *probed; /* likewise */
	struct sp_list waiting;
	struct sp_list running;
	size_t running_count;
	sp_survey_fn *fn;
	void *arg;
};

#define TEXT(member)                                                           \
	SP_PACK_LIM(STR, struct sp_survey_row, member, SP_SURVEY_TEXT_MAX)

const struct sp_pack_field SP_SURVEY_ROW_FIELDS[] = {
	SP_PACK(U64, struct sp_survey_row, number),
	TEXT(domain),
	SP_PACK(BOOL, struct sp_survey_row, dnssec),
	TEXT(mx),
	SP_PACK(I64, struct sp_survey_row, hosts),
	SP_PACK(I64, struct sp_survey_row, tlsa_hosts),
	TEXT(sts),
	TEXT(rule),
	TEXT(verdict),
	TEXT(code),
	TEXT(scenario),
	TEXT(security),
	SP_PACK(BOOL, struct sp_survey_row, shared),
	SP_PACK(BOOL, struct sp_survey_row, blocked),
	TEXT(host),
	TEXT(address),
	TEXT(evidence),
	SP_PACK(I64, struct sp_survey_row, elapsed_ms),
	TEXT(error),
	SP_PACK_END,
};

/* --- a row --- */

static struct sp_str cut(struct sp_str text)
{
	return sp_str_sub(text, 0, SP_SURVEY_TEXT_MAX);
}

static bool has_tlsa(const struct sp_plan_host *host)
{
	return host->tlsa_answer == SP_TLSA_RECORDS &&
	       host->tlsa_dnssec == SP_DNSSEC_SECURE;
}

static void write_plan(const struct sp_plan *plan, struct sp_survey_row *row)
{
	row->dnssec = plan->mx_dnssec == SP_DNSSEC_SECURE;
	row->mx = sp_str_from(sp_dnssec_text(plan->mx_dnssec));
	row->hosts = (int64_t)plan->host_count;
	for (size_t i = 0; i < plan->host_count; i++) {
		row->tlsa_hosts += has_tlsa(&plan->hosts[i]);
	}
	if (plan->sts.known) {
		row->sts = sp_str_from(
			sp_sts_mode_text(plan->sts.policy.policy.mode));
	}
}

/* Of the host that the row names. */
static void write_rule(const struct sp_plan *plan, struct sp_survey_row *row)
{
	for (size_t i = 0; i < plan->host_count; i++) {
		const struct sp_plan_host *host = &plan->hosts[i];

		if (row->host.len && sp_str_eq(host->name, row->host)) {
			row->rule = sp_str_from(sp_rule_text(host->rule));
			return;
		}
	}
}

static void write_verdict(struct job *job, const struct sp_verdict *v,
                          struct sp_survey_row *row)
{
	static const char *const WORDS[] = {
		[SP_VERDICT_DELIVERED] = "deliver",
		[SP_VERDICT_TEMP] = "defer",
		[SP_VERDICT_PERM] = "fail",
	};
	char code[32];

	row->verdict = sp_str_from(WORDS[v->class]);
	if (v->host.len) {
		row->host = v->host;
		row->address = v->address;
	}
	if (v->class == SP_VERDICT_DELIVERED) {
		return;
	}
	sp_verdict_code(v, code, sizeof(code));
	row->code = sp_arena_str(&job->arena, sp_str_from(code));
	row->scenario = sp_str_from(sp_cause_get(v->cause)->name);
	row->evidence = cut(v->evidence.len ? v->evidence : v->text);
}

static void begin_next(struct sp_survey *s);

static void job_free(struct job *job)
{
	sp_list_remove(&job->node);
	sp_gather_free(&job->gather);
	sp_attempt_free(&job->attempt);
	sp_arena_fini(&job->arena);
	sp_free(job);
}

static void finish(struct job *job, struct sp_survey_row *row)
{
	struct sp_survey *s = job->survey;

	row->number = job->number;
	row->domain = job->domain;
	row->elapsed_ms = sp_time_mono_ms() - job->began_ms;
	row->host = cut(row->host);
	s->fn(s->arg, row);
	job_free(job);
	s->running_count--;
	begin_next(s);
}

/* --- with a session --- */

static void on_attempt(void *arg, const struct sp_attempt_result *result)
{
	struct job *job = arg;
	struct sp_survey_row row = {
		.mx = sp_str_from(sp_dnssec_text(SP_DNSSEC_FAILED)),
		.host = result->host,
		.address = result->address,
		.security = sp_str_from(result->security),
		.shared = result->shared,
		.blocked = result->blocked,
	};

	write_verdict(job, &result->rcpts[0].verdict, &row);
	if (result->plan) {
		write_plan(result->plan, &row);
		write_rule(result->plan, &row);
	}
	finish(job, &row);
}

static void begin_attempt(struct job *job)
{
	const struct sp_survey_ask *ask = &job->survey->ask;
	const struct sp_attempt_ask how = {
		.loop = ask->loop,
		.conf = ask->conf,
		.lookup = ask->lookup,
		.pool = job->survey->pool,
		.domain = job->domain,
		.probe = true,
		.bare = true,
		.probed = job->survey->probed,
		.sts = ask->sts,
	};

	job->attempt = sp_attempt_new(&how, on_attempt, job);
}

/* --- DNS only --- */

static const struct sp_plan_host *first_usable(const struct sp_plan *plan)
{
	for (size_t i = 0; i < plan->host_count; i++) {
		if (plan->hosts[i].rule != SP_RULE_SKIP) {
			return &plan->hosts[i];
		}
	}
	return NULL;
}

static bool is_blocked(const struct sp_plan *plan)
{
	static const struct sp_filter LOG_ONLY = {.log_only = true};

	for (size_t i = 0; i < plan->host_count; i++) {
		const struct sp_plan_host *host = &plan->hosts[i];

		if (sp_filter_waives(&LOG_ONLY, host, host->verdict.cause)) {
			return plan->verdict.class != SP_VERDICT_DELIVERED;
		}
	}
	return false;
}

static void on_plan(void *arg, struct sp_plan *plan)
{
	struct job *job = arg;
	struct sp_survey_row row = {.blocked = is_blocked(plan)};
	const struct sp_plan_host *host = first_usable(plan);

	row.host = host ? host->name : SP_STR("");
	write_plan(plan, &row);
	write_verdict(job, &plan->verdict, &row);
	write_rule(plan, &row);
	finish(job, &row);
	sp_plan_free(&plan);
}

static void begin_plan(struct job *job)
{
	const struct sp_survey_ask *ask = &job->survey->ask;
	struct sp_gather_ask how = {
		.loop = ask->loop,
		.lookup = ask->lookup,
		.conf = &job->route.plan,
		.timeout_ms = ask->conf->smtp.plan_timeout_ms,
	};

	sp_route_find(ask->conf, job->domain, ask->lookup->validator_broken,
	              &job->arena, &job->route);
	how.domain = job->route.domain;
	how.sts = job->route.mta_sts ? ask->sts : NULL;
	job->gather = sp_gather_new(&how, on_plan, job);
}

/* --- all of them --- */

static void begin_next(struct sp_survey *s)
{
	while (s->running_count < s->ask.jobs && !sp_list_empty(&s->waiting)) {
		struct job *job = SP_CONTAINER(sp_list_first(&s->waiting),
		                               struct job, node);

		sp_list_remove(&job->node);
		sp_list_append(&s->running, &job->node);
		s->running_count++;
		job->began_ms = sp_time_mono_ms();
		if (s->ask.dns_only) {
			begin_plan(job);
		} else {
			begin_attempt(job);
		}
	}
}

void sp_survey_add(struct sp_survey *s, uint64_t number, struct sp_str domain)
{
	struct job *job = SP_NEW(struct job);

	sp_arena_init(&job->arena);
	job->survey = s;
	job->number = number;
	job->domain = sp_arena_str(&job->arena, cut(domain));
	sp_list_append(&s->waiting, &job->node);
	begin_next(s);
}

struct sp_survey *sp_survey_new(const struct sp_survey_ask *ask,
                                sp_survey_fn *fn, void *arg)
{
	struct sp_survey *s = SP_NEW(struct sp_survey);

	s->ask = *ask;
	s->fn = fn;
	s->arg = arg;
	sp_list_init(&s->waiting);
	sp_list_init(&s->running);
	if (!ask->dns_only) {
		s->pool = sp_pool_new(ask->loop, ask->conf, ask->worker_count);
		s->probed = sp_probed_new(ask->loop, SP_PROBED_WAIT_MS);
	}
	return s;
}

void sp_survey_free(struct sp_survey **survey)
{
	struct sp_survey *s = *survey;

	if (!s) {
		return;
	}
	*survey = NULL;
	SP_LIST_FOREACH_SAFE (it, next, &s->running) {
		job_free(SP_CONTAINER(it, struct job, node));
	}
	SP_LIST_FOREACH_SAFE (it2, next2, &s->waiting) {
		job_free(SP_CONTAINER(it2, struct job, node));
	}
	sp_pool_free(&s->pool);
	sp_probed_free(&s->probed);
	sp_free(s);
}
