/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsa verify: the decision of a session without the session. A plan is made
 * for a fixed host whose DNS answers are ours: secure, with the records
 * given. So which records are usable, what must match and what that means is
 * said by policy, and the match by libssl, just as in delivery.
 */
#include <stdio.h>

#include "base/err.h"
#include "base/time.h"
#include "cmd/dns.h"
#include "cmd/text.h"
#include "cmd/tlsa.h"
#include "deliver/dial_facts.h"
#include "deliver/evidence.h"
#include "net/tls.h"
#include "wire/address.h"

#define FILE_MAX_BYTES 1048576
#define NO_NAME        "host.invalid" /* stands where no name is known */

struct verify {
	const struct sp_cmd_ctx *ctx;
	struct sp_arena arena;
	struct sp_buf chain;
	struct sp_tlsa records[SP_ARGS_MAX];
	size_t record_count;
	struct sp_str names[SP_ARGS_MAX];
	size_t name_count;
	bool names_given;
	int64_t at_ms;
	struct sp_plan *plan;
	struct sp_tls_facts facts;
};

/* ---- arguments ---- */

static int read_records(struct verify *v)
{
	const char *text;
	size_t at = 0;

	while ((text = sp_args_next(v->ctx->args, "record", &at))) {
		if (sp_tlsa_read(sp_str_from(text), &v->arena,
		                 &v->records[v->record_count++])) {
			return sp_cmd_fail(SP_EXIT_USAGE,
			                   "--record: %s: expected "
			                   "\"USAGE SELECTOR MATCHING HEX\"",
			                   text);
		}
	}
	if (v->record_count == 0 || v->record_count > SP_DNS_RECORDS_MAX) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "tlsa verify: --record: expected 1 to %d",
		                   SP_DNS_RECORDS_MAX);
	}
	return 0;
}

static int read_names(struct verify *v)
{
	const char *text;
	size_t at = 0;

	while ((text = sp_args_next(v->ctx->args, "name", &at))) {
		int status = sp_cmd_domain(text, &v->arena,
		                           &v->names[v->name_count++]);

		if (status) {
			return status;
		}
	}
	v->names_given = v->name_count > 0;
	return 0;
}

static int read_arguments(struct verify *v)
{
	const char *chain = sp_args_get(v->ctx->args, "chain");
	const char *at = sp_args_get(v->ctx->args, "at");
	int status;

	v->at_ms = sp_time_wall_ms();
	if (!chain) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "tlsa verify: --chain FILE is missing");
	}
	if (at && sp_time_parse(sp_str_from(at), &v->at_ms)) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "--at: %s: expected a time such as "
		                   "2026-11-23T10:00:00Z",
		                   at);
	}
	status = read_records(v);
	if (!status) {
		status = read_names(v);
	}
	return status ? status
	              : sp_cmd_read_file(chain, FILE_MAX_BYTES, &v->chain);
}

/* ---- the plan ---- */

static struct sp_dns_answer *answer_to(const struct verify *v,
                                       const struct sp_plan_question *q)
{
	struct sp_dns_answer *a = sp_dns_answer_new(q->name, q->type);
	bool is_tlsa = q->type == SP_DNS_TYPE_TLSA;
	size_t count = is_tlsa                    ? v->record_count
	               : q->type == SP_DNS_TYPE_A ? 1
	                                          : 0;

	a->dnssec = SP_DNSSEC_SECURE;
	a->result = count ? SP_DNS_RECORDS : SP_DNS_NODATA;
	a->records = sp_arena_array(&a->arena, count, sizeof(*a->records));
	a->record_count = count;
	for (size_t i = 0; is_tlsa && i < count; i++) {
		a->records[i].tlsa = v->records[i];
	}
	if (q->type == SP_DNS_TYPE_A) {
		a->records[0].address[0] = 192; /* 192.0.2.1, RFC 5737 */
		a->records[0].address[2] = 2;
		a->records[0].address[3] = 1;
	}
	return a;
}

static void make_plan(struct verify *v)
{
	struct sp_str host = v->name_count ? v->names[0] : SP_STR(NO_NAME);
	const struct sp_plan_conf conf = {
		.port = 25,
		.fixed_next_hop = host,
		.hosts_max = 1,
		.addresses_max = 1,
		.tlsa_max = SP_DNS_RECORDS_MAX,
		.full_parses = sp_tls_full_parses,
	};
	struct sp_plan_question q;

	v->plan = sp_plan_new(&conf, host, 0);
	while (sp_plan_next(v->plan, &q)) {
		struct sp_dns_answer *answer = answer_to(v, &q);

		sp_plan_answer(v->plan, q.id, &answer);
	}
}

/* ---- the chain ---- */

/* Names were not given: those of the certificate stand for them, so that the
 * rest can be told. */
static int borrow_names(struct verify *v)
{
	const struct sp_tls_client nothing = {0};
	struct sp_tls_seen seen;
	struct sp_str name;
	char why[512];

	if (sp_tls_verify_chain(sp_buf_str(&v->chain), &nothing, v->at_ms,
	                        &v->arena, &seen, why, sizeof(why))) {
		return sp_cmd_fail(SP_EXIT_DATA, "%s: %s",
		                   sp_args_get(v->ctx->args, "chain"), why);
	}
	while (!v->name_count && sp_str_cut(&seen.cert_names, ',', &name)) {
		name = sp_str_trim(name);
		if (sp_str_starts_nocase(name, SP_STR("*."))) {
			name = sp_str_from(sp_arena_printf(
				&v->arena, "name" SP_STR_FMT,
				SP_STR_ARG(sp_str_sub(name, 1, name.len))));
		}
		if (!sp_domain_to_ascii(name, &v->arena, &v->names[0])) {
			v->name_count = 1;
		}
	}
	return 0;
}

static int check_chain(struct verify *v)
{
	const struct sp_plan_host *host = &v->plan->hosts[0];
	struct sp_tls_client params;
	struct sp_tls_seen seen;
	char why[512];

	sp_dial_tls_params(host, (struct sp_str){0}, &v->arena, &params);
	if (v->names_given) {
		params.reference_ids = v->names;
		params.reference_id_count = v->name_count;
	}
	if (sp_tls_verify_chain(sp_buf_str(&v->chain), &params, v->at_ms,
	                        &v->arena, &seen, why, sizeof(why))) {
		return sp_cmd_fail(SP_EXIT_DATA, "%s: %s",
		                   sp_args_get(v->ctx->args, "chain"), why);
	}
	sp_dial_tls_facts(&seen, &v->facts);
	v->facts.other_key_asked = true; /* this chain is all there is */
	v->facts.cert_name_matches |= !v->names_given;
	return 0;
}

/* ---- the verdict ---- */

static struct sp_judge_result judge(struct verify *v, enum sp_profile profile)
{
	const struct sp_judge_conf conf = {
		.profile = profile,
		.now_ms = v->at_ms,
	};

	return sp_judge(&conf, &v->plan->hosts[0], SP_SESSION_HANDSHAKE_DONE,
	                &v->facts, &v->arena);
}

static const char *word_of(const struct sp_judge_result *r)
{
	return r->judgement != SP_JUDGE_PROCEED ? "failed"
	       : r->authenticated               ? "authenticated"
	                                        : "unauthenticated";
}

static struct sp_json *match_json(const struct sp_tls_facts *f)
{
	struct sp_json *match = sp_json_object();

	sp_json_set_int(match, "usage", f->matched_usage);
	sp_json_set_int(match, "selector", f->matched_selector);
	sp_json_set_int(match, "matching", f->matched_matching);
	sp_json_set_int(match, "depth", f->matched_depth);
	return match;
}

static struct sp_json *result_json(const struct verify *v,
                                   const struct sp_judge_result *r)
{
	struct sp_json *obj = sp_json_object();
	bool failed = r->judgement != SP_JUDGE_PROCEED;

	sp_json_set_cstr(obj, "verdict", word_of(r));
	sp_json_set(obj, "match",
	            v->facts.matched_usage >= 0 ? match_json(&v->facts) : NULL);
	sp_evidence_verdict(obj, failed ? &r->verdict : NULL);
	return obj;
}

static void put_result(const char *title, const struct sp_judge_result *r)
{
	char line[1024];

	printf("%s: %s\n", title, word_of(r));
	if (r->judgement != SP_JUDGE_PROCEED) {
		sp_verdict_line(&r->verdict, line, sizeof(line));
		sp_text_put(stdout, sp_str_from("  "));
		sp_text_put(stdout, sp_str_from(line));
		printf(" [Scenario=%s]\n",
		       sp_cause_get(r->verdict.cause)->name);
	}
	if (r->warning.len) {
		printf("  warning: ");
		sp_text_put(stdout, r->warning);
		putchar('\n');
	}
}

static void put_records(struct verify *v)
{
	const struct sp_plan_host *host = &v->plan->hosts[0];

	for (size_t i = 0; i < host->tlsa_count; i++) {
		const struct sp_plan_tlsa_record *r = &host->tlsa[i];
		const char *reason = sp_tlsa_reason_text(r->reason);

		printf("record %s: %s%s\n", sp_tlsa_format(&r->tlsa, &v->arena),
		       reason ? "not usable: " : "usable",
		       reason ? reason : "");
	}
	if (v->facts.matched_usage >= 0) {
		printf("matched by %.*s at depth %d\n",
		       SP_STR_ARG(v->facts.matched_record),
		       v->facts.matched_depth);
	}
	if (!v->names_given) {
		puts("no --name was given: the names in the certificate were "
		     "not compared with any");
	}
}

static int put_verdict(struct verify *v)
{
	struct sp_judge_result rfc = judge(v, SP_PROFILE_RFC);
	struct sp_judge_result strict = judge(v, SP_PROFILE_EXCHANGE);

	if (v->ctx->json) {
		struct sp_json *obj = result_json(v, &rfc);

		sp_json_set(obj, "strict", result_json(v, &strict));
		sp_json_put(stdout, obj);
		sp_json_free(&obj);
	} else {
		put_records(v);
		put_result("verdict", &rfc);
		put_result("under profile exchange", &strict);
	}
	return rfc.judgement == SP_JUDGE_PROCEED ? SP_EXIT_OK : SP_EXIT_NO;
}

static int verify(struct verify *v)
{
	int status = read_arguments(v);

	if (!status && !v->names_given) {
		status = borrow_names(v);
	}
	if (status) {
		return status;
	}
	make_plan(v);
	if (!sp_plan_done(v->plan) || v->plan->host_count != 1 ||
	    v->plan->hosts[0].rule == SP_RULE_SKIP) {
		return sp_cmd_fail(SP_EXIT_DATA, "no plan for these names");
	}
	status = check_chain(v);
	return status ? status : put_verdict(v);
}

int sp_tlsa_verify_run(struct sp_cmd_ctx *ctx)
{
	struct verify *v = SP_NEW(struct verify);
	int status = SP_EXIT_IO;

	v->ctx = ctx;
	sp_arena_init(&v->arena);
	if (sp_tls_setup()) {
		sp_cmd_fail(status, "TLS library: not usable");
	} else {
		status = verify(v);
		sp_tls_teardown();
	}
	sp_plan_free(&v->plan);
	sp_buf_fini(&v->chain);
	sp_arena_fini(&v->arena);
	sp_free(v);
	return status;
}
