/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   TXT ──answered──▶ record ──▶ TARGET ──one after the other──▶ ... ──▶ end
 *
 * What fails here never holds mail back: a domain only learns less of it.
 */
#include "analyze/check_tlsrpt.h"
#include "analyze/part.h"
#include "analyze/txt_record.h"
#include "base/err.h"
#include "base/mem.h"
#include "deliver/download.h"
#include "deliver/gather.h"
#include "wire/address.h"
#include "wire/tlsrpt_txt.h"

#define ANSWER_MAX  65536 /* bytes; HEAD has none */
#define IGNORED_MAX 16    /* shown one by one */

struct sp_check_tlsrpt {
	struct sp_part part;
	int txt; /* its number; negative: not asked */
	struct sp_tlsrpt_txt record;
	size_t target;                /* at work */
	struct sp_step *at;           /* its step */
	struct sp_route route;        /* of its domain */
	struct sp_deferred *go;       /* owned: the next target, or the end */
	struct sp_gather *gather;     /* owned; or null */
	struct sp_fetcher *fetcher;   /* owned */
	struct sp_download *download; /* owned; or null */
};

/* ---- targets ---- */

static void end_target(struct sp_check_tlsrpt *c)
{
	c->target++;
	sp_deferred_call(c->go);
}

static void on_plan(void *arg, struct sp_plan *plan)
{
	struct sp_check_tlsrpt *c = arg;
	struct sp_json *hosts = sp_json_array();

	for (size_t i = 0; i < plan->host_count; i++) {
		sp_json_add_str(hosts, plan->hosts[i].name);
	}
	sp_json_set(sp_step_evidence(c->at), "hosts", hosts);
	if (plan->verdict.class == SP_VERDICT_DELIVERED) {
		sp_step_finish(c->at);
	} else {
		sp_step_cause(c->at, &plan->verdict);
		sp_step_end(c->at, SP_STEP_WARN);
	}
	sp_plan_free(&plan);
	end_target(c);
}

static void look_at_mail(struct sp_check_tlsrpt *c, struct sp_str address)
{
	size_t at = address.len;
	struct sp_gather_ask ask = {
		.loop = c->part.ask->loop,
		.lookup = c->part.ask->lookup,
		.timeout_ms = c->part.ask->conf->smtp.plan_timeout_ms,
	};

	while (at > 0 && address.ptr[at - 1] != '@') {
		at--;
	}
	sp_route_find(c->part.ask->conf, sp_str_sub(address, at, address.len),
	              c->part.ask->lookup->validator_broken, &c->part.arena,
	              &c->route);
	ask.conf = &c->route.plan;
	ask.domain = c->route.domain;
	c->gather = sp_gather_new(&ask, on_plan, c);
}

static void on_head(void *arg, const struct sp_fetch_result *result)
{
	struct sp_check_tlsrpt *c = arg;
	struct sp_json *e = sp_step_evidence(c->at);

	if (result->status == SP_FETCH_ANSWERED) {
		sp_json_set_int(e, "status", result->code);
	} else {
		sp_json_set_str(e, "why", result->why);
		sp_step_advice(c->at, SP_ADVICE_TLSRPT_TARGET_AWAY,
		               c->record.rua[c->target].uri);
	}
	sp_step_finish(c->at);
	end_target(c);
}

/* HEAD: whether somebody answers under the certificate that a report will
 * want. What the answer is does not matter. */
static void look_at_https(struct sp_check_tlsrpt *c, struct sp_str uri)
{
	const struct sp_download_ask ask = {
		.loop = c->part.ask->loop,
		.lookup = c->part.ask->lookup,
		.fetcher = c->fetcher,
		.url = uri,
		.head = true,
		.body_max = ANSWER_MAX,
		.timeout_ms = c->part.ask->conf->sts.timeout_ms,
	};

	c->download = sp_download_new(&ask, on_head, c);
}

static void next_target(void *arg)
{
	struct sp_check_tlsrpt *c = arg;
	const struct sp_tlsrpt_rua *rua = &c->record.rua[c->target];

	sp_gather_free(&c->gather);
	sp_download_free(&c->download);
	if (c->target == c->record.rua_count) {
		sp_part_end(&c->part);
		return;
	}
	c->at = sp_step_begin(c->part.step, "tlsrpt.target",
	                      "Reports to " SP_STR_FMT, SP_STR_ARG(rua->uri));
	sp_json_set_str(sp_step_evidence(c->at), "uri", rua->uri);
	if (rua->scheme == SP_TLSRPT_MAILTO) {
		look_at_mail(c, rua->address);
	} else {
		look_at_https(c, rua->uri);
	}
}

/* ---- the record ---- */

static void read_records(struct sp_check_tlsrpt *c, struct sp_step *step,
                         const struct sp_dns_answer *a)
{
	struct sp_txt_records r = sp_txt_record_list(a, &c->part.arena);
	char why[SP_TLSRPT_WHY_MAX] = "";
	int err;

	sp_txt_record_put(step, &r);
	err = sp_tlsrpt_txt_parse(r.list, r.count, &c->part.arena, &c->record,
	                          why);
	if (err == SP_ENOTFOUND) {
		sp_step_advice(step, SP_ADVICE_TLSRPT_ABSENT,
		               c->part.ask->target);
	} else if (err) {
		c->record.rua_count = 0;
		sp_txt_record_refuse(step, SP_ADVICE_TLSRPT_INVALID, why);
	}
	sp_step_finish(step);
}

static void grow_ignored(struct sp_check_tlsrpt *c)
{
	for (size_t i = 0; i < c->record.ignored_count && i < IGNORED_MAX;
	     i++) {
		const struct sp_tlsrpt_ignored *one = &c->record.ignored[i];
		struct sp_step *step = sp_step_begin(
			c->part.step, "tlsrpt.ignored", "Not used: " SP_STR_FMT,
			SP_STR_ARG(one->uri));

		sp_json_set_cstr(sp_step_evidence(step), "why", one->why);
		sp_step_advice(step, SP_ADVICE_TLSRPT_URI_UNUSED,
		               sp_str_from(sp_arena_printf(
				       &c->part.arena, SP_STR_FMT ": %s",
				       SP_STR_ARG(one->uri), one->why)));
		sp_step_finish(step);
	}
}

static void on_txt(void *arg)
{
	struct sp_check_tlsrpt *c = arg;
	const struct sp_dns_answer *a =
		sp_questions_answer(c->part.questions, c->txt);
	struct sp_step *step =
		sp_step_begin(c->part.step, "tlsrpt.txt",
	                      "TXT record at " SP_STR_FMT, SP_STR_ARG(a->name));

	if (sp_txt_record_said(step, a, SP_ADVICE_TLSRPT_TXT_FAILED)) {
		read_records(c, step, a);
	}
	grow_ignored(c);
	next_target(c);
}

static void on_no_name(void *arg)
{
	struct sp_check_tlsrpt *c = arg;

	sp_part_skip(&c->part, "only a domain can have a record");
}

/* ---- its life ---- */

struct sp_check_tlsrpt *sp_check_tlsrpt_new(const struct sp_check_ask *ask,
                                            struct sp_step *parent,
                                            sp_check_fn *fn, void *arg)
{
	struct sp_check_tlsrpt *c = SP_NEW(struct sp_check_tlsrpt);

	c->go = sp_deferred_new(ask->loop, next_target, c);
	c->fetcher = sp_fetcher_from_conf(ask->loop, ask->conf);
	sp_part_init(&c->part, ask,
	             sp_step_begin(parent, "tlsrpt",
	                           "TLS reporting of " SP_STR_FMT,
	                           SP_STR_ARG(ask->target)),
	             fn, arg);
	c->txt = sp_domain_is_literal(ask->target)
	                 ? SP_ENOTFOUND
	                 : sp_txt_record_ask(c->part.questions, "_smtp._tls.",
	                                     ask->target);
	sp_questions_go(c->part.questions, c->txt < 0 ? on_no_name : on_txt, c);
	return c;
}

void sp_check_tlsrpt_free(struct sp_check_tlsrpt **part)
{
	struct sp_check_tlsrpt *c = *part;

	if (!c) {
		return;
	}
	sp_gather_free(&c->gather);
	sp_download_free(&c->download);
	sp_fetcher_free(&c->fetcher);
	sp_deferred_free(&c->go);
	sp_part_fini(&c->part);
	SP_FREE(part);
}
