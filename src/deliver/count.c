/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each policy of a session gets its own finding (RFC 8460 4.4), whichever of
 * them bound us:
 *
 *   tlsa             the host's TLSA records were used, or could not be had
 *   sts              the domain has an MTA-STS policy of mode enforce or
 *                    testing, or announces one that could not be had
 *   no-policy-found  neither
 *
 * A failure that a filter let through, or that a policy under testing found,
 * is a failure all the same. A connection that never came to TLS says nothing
 * about TLS and is not counted.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "deliver/count.h"
#include "wire/tlsrpt.h"

#define LIST_MAX   8192 /* bytes of a policy's lines; what is over is left */
#define REASON_MAX 200
#define HELO_MAX   255
#define SORTED_MAX 64

static bool failed(const struct sp_verdict *v)
{
	return v && v->class != SP_VERDICT_DELIVERED;
}

/* The result type of a verdict, or null: not one about TLS. */
static const char *type_of(const struct sp_verdict *v)
{
	return failed(v) ? sp_cause_get(v->cause)->tlsrpt : NULL;
}

static bool is_of_sts(enum sp_cause_id cause)
{
	switch ((int)cause) {
	case SP_CAUSE_STS_MX_NOT_LISTED:
	case SP_CAUSE_STS_CERT_UNTRUSTED:
	case SP_CAUSE_STS_CERT_EXPIRED:
	case SP_CAUSE_STS_CERT_NAME_MISMATCH:
	case SP_CAUSE_STS_POLICY_FETCH_ERROR:
	case SP_CAUSE_STS_POLICY_INVALID:
	case SP_CAUSE_STS_WEBPKI_INVALID:
		return true;
	default:
		return false;
	}
}

/* ---- policies as text ---- */

static void add_line(struct sp_buf *lines, struct sp_str line)
{
	if (line.len + 1 <= sp_buf_room(lines)) {
		(void)sp_buf_append_cstr(lines, sp_buf_len(lines) ? "\n" : "");
		(void)sp_buf_append_str(lines, line);
	}
}

static struct sp_str take_lines(struct sp_buf *lines, struct sp_arena *arena)
{
	struct sp_str text = sp_arena_str(arena, sp_buf_str(lines));

	sp_buf_fini(lines);
	return text;
}

static int by_record(const void *a, const void *b)
{
	const struct sp_plan_tlsa_record *const *x = a;
	const struct sp_plan_tlsa_record *const *y = b;

	return sp_tlsa_cmp(&(*x)->tlsa, &(*y)->tlsa);
}

/* Sorted: DNS gives the records of one policy in any order. */
static struct sp_str tlsa_lines(const struct sp_plan_host *host,
                                struct sp_arena *arena)
{
	const struct sp_plan_tlsa_record *sorted[SORTED_MAX];
	size_t count =
		host->tlsa_count < SORTED_MAX ? host->tlsa_count : SORTED_MAX;
	struct sp_buf lines;

	for (size_t i = 0; i < count; i++) {
		sorted[i] = &host->tlsa[i];
	}
	qsort(sorted, count, sizeof(void *), by_record);
	sp_buf_init(&lines, LIST_MAX);
	for (size_t i = 0; i < count; i++) {
		if (sorted[i]->tlsa.data.len <= SP_TLSA_DATA_MAX) {
			add_line(&lines, sp_str_from(sp_tlsa_format(
						 &sorted[i]->tlsa, arena)));
		}
	}
	return take_lines(&lines, arena);
}

static struct sp_str mx_lines(const struct sp_sts_policy *policy,
                              const char *before, struct sp_arena *arena)
{
	struct sp_buf lines;
	char line[300];

	sp_buf_init(&lines, LIST_MAX / 2);
	for (size_t i = 0; i < policy->mx_count; i++) {
		(void)snprintf(line, sizeof(line), "%s" SP_STR_FMT, before,
		               SP_STR_ARG(policy->mx[i]));
		add_line(&lines, sp_str_from(line));
	}
	return take_lines(&lines, arena);
}

static struct sp_str sts_lines(const struct sp_sts_policy *policy,
                               struct sp_arena *arena)
{
	struct sp_str mx = mx_lines(policy, "mx: ", arena);

	return sp_str_from(sp_arena_printf(
		arena, "version: STSv1\nmode: %s%s" SP_STR_FMT "\nmax_age: %u",
		sp_sts_mode_text(policy->mode), mx.len ? "\n" : "",
		SP_STR_ARG(mx), policy->max_age_s));
}

/* ---- findings ---- */

/* Most attempts have one or two findings. */
static void grow(struct sp_counts *counts)
{
	struct sp_count *list;

	counts->room = counts->room ? 4 * counts->room : 2;
	list = sp_arena_array(counts->arena, counts->room, sizeof(*list));
	for (size_t i = 0; i < counts->count; i++) {
		list[i] = counts->list[i];
	}
	counts->list = list;
}

static struct sp_count *add(struct sp_counts *counts, const char *type,
                            struct sp_str domain)
{
	struct sp_count *c;

	if (counts->off || counts->count == SP_COUNTS_MAX) {
		return NULL;
	}
	if (counts->count == counts->room) {
		grow(counts);
	}
	c = &counts->list[counts->count++];
	*c = (struct sp_count){
		.type = sp_str_from(type),
		.domain = sp_arena_str(counts->arena, domain),
		.recipient = counts->recipient,
	};
	return c;
}

static struct sp_str reason_of(struct sp_counts *counts, enum sp_cause_id id,
                               struct sp_str note)
{
	const struct sp_cause *cause = sp_cause_get(id);
	char text[REASON_MAX];

	(void)snprintf(text, sizeof(text), "%u.%u.%u %s%s" SP_STR_FMT, 4U,
	               cause->subject, cause->detail, cause->name,
	               note.len ? ": " : "", SP_STR_ARG(note));
	return sp_arena_str(counts->arena, sp_str_from(text));
}

static void set_failure(struct sp_counts *counts, struct sp_count *c,
                        enum sp_cause_id cause)
{
	c->result = sp_str_from(sp_cause_get(cause)->tlsrpt);
	c->reason = reason_of(counts, cause, SP_STR(""));
}

static struct sp_count *add_tlsa(struct sp_counts *counts,
                                 const struct sp_plan_host *host)
{
	struct sp_count *c =
		add(counts, SP_TLSRPT_TLSA,
	            host->tlsa_base.len ? host->tlsa_base : host->name);

	if (c) {
		c->policy = tlsa_lines(host, counts->arena);
	}
	return c;
}

static struct sp_count *add_sts(struct sp_counts *counts,
                                const struct sp_plan *plan)
{
	const struct sp_sts_policy *policy = &plan->sts.policy.policy;
	struct sp_count *c = add(counts, SP_TLSRPT_STS, plan->domain);

	if (c && plan->sts.known) {
		c->policy = sts_lines(policy, counts->arena);
		c->mx_hosts = mx_lines(policy, "", counts->arena);
	}
	return c;
}

/* What a peer calls itself: any bytes. */
static struct sp_str clean(struct sp_arena *arena, struct sp_str name)
{
	size_t len = name.len < HELO_MAX ? name.len : HELO_MAX;
	char *out = sp_arena_cstr(arena, sp_str_sub(name, 0, len));

	for (size_t i = 0; i < len; i++) {
		out[i] = out[i] > ' ' && out[i] <= '~' ? out[i] : '?';
	}
	return sp_str_slice(out, len);
}

static void set_session(struct sp_counts *counts, struct sp_count *c,
                        const struct sp_plan_host *host,
                        const struct sp_dial_facts *facts)
{
	struct sp_arena *arena = counts->arena;

	c->session = facts != NULL;
	if (!c->result.len) {
		return; /* of a success only the policy is told */
	}
	c->mx_host = sp_arena_str(arena, host->name);
	if (facts) {
		c->sending_ip = sp_arena_str(arena, sp_str_from(facts->local));
		c->mx_helo = clean(arena, facts->peer_name);
		c->receiving_ip =
			sp_arena_str(arena, sp_str_from(facts->address));
	}
}

void sp_count_skipped(struct sp_counts *counts, const struct sp_plan *plan,
                      const struct sp_plan_host *host)
{
	struct sp_count *c;

	if (host->rule != SP_RULE_SKIP || !type_of(&host->verdict)) {
		return;
	}
	c = is_of_sts(host->verdict.cause) ? add_sts(counts, plan)
	                                   : add_tlsa(counts, host);
	if (c) {
		set_failure(counts, c, host->verdict.cause);
		set_session(counts, c, host, NULL);
	}
}

static void count_trouble(struct sp_counts *counts, const struct sp_plan *plan)
{
	enum sp_cause_id cause = plan->sts.trouble;
	struct sp_count *c;

	if (cause == SP_CAUSE_NONE || !sp_cause_get(cause)->tlsrpt) {
		return;
	}
	c = add_sts(counts, plan);
	if (c) {
		set_failure(counts, c, cause);
		c->reason = reason_of(counts, cause, plan->sts.note);
	}
}

void sp_count_plan(struct sp_counts *counts, const struct sp_plan *plan)
{
	counts->recipient = sp_arena_str(counts->arena, plan->domain);
	count_trouble(counts, plan);
	if (!failed(&plan->verdict) ||
	    plan->verdict.cause == SP_CAUSE_HOST_BUSY) { /* not yet made */
		return;
	}
	for (size_t i = 0; i < plan->host_count; i++) {
		sp_count_skipped(counts, plan, &plan->hosts[i]);
	}
	if (plan->host_count == 0 && type_of(&plan->verdict)) {
		struct sp_count *c = add(counts, SP_TLSRPT_TLSA, plan->domain);

		if (c) {
			set_failure(counts, c, plan->verdict.cause);
		}
	}
}

void sp_count_replan(struct sp_counts *counts)
{
	size_t kept = 0;

	for (size_t i = 0; i < counts->count; i++) {
		if (counts->list[i].session) {
			counts->list[kept++] = counts->list[i];
		}
	}
	counts->count = kept;
}

/* ---- a try ---- */

struct
try {
	struct sp_counts *counts;
	const struct sp_plan *plan;
	const struct sp_plan_host *host;
	const struct sp_dial_facts *facts;
	const struct sp_verdict *verdict; /* also one that was let through */
	bool policy;                      /* one was found */
};

static bool has_tlsa(const struct sp_plan_host *host)
{
	if (failed(&host->waived)) {
		return !is_of_sts(host->waived.cause) && type_of(&host->waived);
	}
	return host->rule == SP_RULE_DANE || host->rule == SP_RULE_HALF_DANE ||
	       host->why == SP_WHY_ALL_UNUSABLE;
}

static void count_tlsa(struct try *t)
{
	struct sp_count *c;

	if (!has_tlsa(t->host)) {
		return;
	}
	t->policy = true;
	c = add_tlsa(t->counts, t->host);
	if (!c) {
		return;
	}
	if (type_of(t->verdict) && !is_of_sts(t->verdict->cause)) {
		set_failure(t->counts, c, t->verdict->cause);
	} else if (t->host->why == SP_WHY_ALL_UNUSABLE) {
		set_failure(t->counts, c, SP_CAUSE_TLSA_ALL_UNUSABLE);
	}
	set_session(t->counts, c, t->host, t->facts);
}

static void count_sts(struct try *t)
{
	const struct sp_verdict *v = &t->host->sts_found;
	struct sp_count *c;

	if (!t->plan->sts.known ||
	    t->plan->sts.policy.policy.mode == SP_STS_NONE ||
	    (!t->host->sts_watched && !failed(v))) {
		return;
	}
	t->policy = true;
	c = add_sts(t->counts, t->plan);
	if (!c) {
		return;
	}
	v = failed(v) ? v : &t->facts->judgement.sts;
	if (type_of(v)) {
		set_failure(t->counts, c, v->cause);
	}
	set_session(t->counts, c, t->host, t->facts);
}

static void count_none(struct try *t)
{
	const char *security = t->facts->judgement.security;
	bool clear =
		security && sp_str_eq(sp_str_from(security), SP_STR("clear"));
	struct sp_count *c;

	if (t->policy) {
		return;
	}
	c = add(t->counts, SP_TLSRPT_NONE, t->plan->domain);
	if (!c) {
		return;
	}
	if (type_of(t->verdict)) {
		set_failure(t->counts, c, t->verdict->cause);
	} else if (clear) {
		set_failure(t->counts, c,
		            t->facts->clear_retry
		                    ? SP_CAUSE_HANDSHAKE_FAILED
		                    : SP_CAUSE_STARTTLS_NOT_OFFERED);
	}
	set_session(t->counts, c, t->host, t->facts);
}

void sp_count_try(struct sp_counts *counts, const struct sp_plan *plan,
                  const struct sp_plan_host *host,
                  const struct sp_dial_facts *facts,
                  const struct sp_verdict *verdict)
{
	const struct sp_judge_result *j = &facts->judgement;
	struct try t = {counts, plan, host, facts, verdict, false};

	if (!j->security && !failed(&j->verdict)) {
		return; /* never came to TLS */
	}
	if (failed(&host->waived)) {
		t.verdict = &host->waived;
	} else if (failed(&j->verdict)) {
		t.verdict = &j->verdict;
	}
	count_tlsa(&t);
	count_sts(&t);
	count_none(&t);
}
