/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts come sorted by policy, so that a policy of the report ends where the
 * next row has another one. A report is about every policy that mail to its
 * domain was under, and, where it is the domain of TLSA records, about these:
 * who runs the mail servers may be somebody else (RFC 8460 3).
 */
#include <stdio.h>

#include "base/err.h"
#include "base/map.h"
#include "base/time.h"
#include "role/report/build.h"

/* ---- which domains ---- */

struct gathering {
	struct sp_arena *arena;
	struct sp_map map;
	struct build_domain *domains;
	size_t count, room;
};

static void grow(struct gathering *g)
{
	struct build_domain *more;

	g->room = g->room ? 2 * g->room : 16;
	more = sp_arena_array(g->arena, g->room, sizeof(*more));
	for (size_t i = 0; i < g->count; i++) {
		more[i] = g->domains[i];
	}
	g->domains = more;
}

static void add_domain(struct gathering *g, struct sp_str name,
                       const struct sp_store_tls_count *c)
{
	size_t at = (size_t)(uintptr_t)sp_map_find(&g->map, name);
	struct build_domain *d;

	if (!at) {
		if (g->count == BUILD_DOMAINS_MAX) {
			return;
		}
		if (g->count == g->room) {
			grow(g);
		}
		at = ++g->count;
		g->domains[at - 1].name = sp_arena_str(g->arena, name);
		(void)sp_map_set(&g->map, name, (void *)(uintptr_t)at);
	}
	d = &g->domains[at - 1];
	d->recipient |= sp_str_eq(name, c->recipient);
	if (c->result.len) {
		d->failed += c->sessions;
	} else {
		d->successful += c->sessions;
	}
}

static int on_domain(void *arg, int64_t day, const struct sp_store_tls_count *c)
{
	(void)day;
	add_domain(arg, c->domain, c);
	if (!sp_str_eq(c->domain, c->recipient)) {
		add_domain(arg, c->recipient, c);
	}
	return 0;
}

int build_domains(struct sp_store *store, int64_t day, struct sp_arena *arena,
                  struct build_domain **domains_out, size_t *count_out)
{
	struct gathering g = {.arena = arena};
	int ret;

	sp_map_init(&g.map);
	ret = sp_store_tls_counts(store, day, day, SP_STR(""), on_domain, &g);
	sp_map_fini(&g.map);
	*domains_out = g.domains;
	*count_out = g.count;
	return ret;
}

/* ---- one report ---- */

struct building {
	struct sp_arena *arena;
	struct sp_tlsrpt_report *report;
	struct sp_str policy, mx_hosts; /* of the last one, as counted */
	size_t failures;
};

static struct sp_str *split(struct sp_str lines, struct sp_arena *arena,
                            size_t *count_out)
{
	struct sp_str rest = lines;
	struct sp_str line;
	struct sp_str *list;
	size_t count = 0;

	while (sp_str_cut(&rest, '\n', &line)) {
		count++;
	}
	list = sp_arena_array(arena, count, sizeof(*list));
	*count_out = count;
	count = 0;
	while (sp_str_cut(&lines, '\n', &line)) {
		list[count++] = sp_arena_str(arena, line);
	}
	return list;
}

static bool same_policy(const struct building *b,
                        const struct sp_store_tls_count *c)
{
	const struct sp_tlsrpt_report *r = b->report;
	const struct sp_tlsrpt_policy *p;

	if (!r->policy_count) {
		return false;
	}
	p = &r->policies[r->policy_count - 1];
	return sp_str_eq(p->type, c->type) && sp_str_eq(p->domain, c->domain) &&
	       sp_str_eq(b->policy, c->policy) &&
	       sp_str_eq(b->mx_hosts, c->mx_hosts);
}

static void add_policy(struct building *b, const struct sp_store_tls_count *c)
{
	struct sp_tlsrpt_report *r = b->report;
	struct sp_tlsrpt_policy *p = &r->policies[r->policy_count++];

	b->policy = sp_arena_str(b->arena, c->policy);
	b->mx_hosts = sp_arena_str(b->arena, c->mx_hosts);
	p->type = sp_arena_str(b->arena, c->type);
	p->domain = sp_arena_str(b->arena, c->domain);
	p->strings = split(c->policy, b->arena, &p->string_count);
	p->mx_hosts = split(c->mx_hosts, b->arena, &p->mx_host_count);
	p->failures =
		sp_arena_array(b->arena, BUILD_FAILURES_MAX - b->failures + 1,
	                       sizeof(*p->failures));
}

static bool same_failure(const struct sp_tlsrpt_failure *f,
                         const struct sp_store_tls_count *c)
{
	return sp_str_eq(f->result_type, c->result) &&
	       sp_str_eq(f->mx_host, c->mx_host) &&
	       sp_str_eq(f->mx_helo, c->mx_helo) &&
	       sp_str_eq(f->sending_ip, c->sending_ip) &&
	       sp_str_eq(f->receiving_ip, c->receiving_ip) &&
	       sp_str_eq(f->reason, c->reason);
}

static void add_failure(struct building *b, struct sp_tlsrpt_policy *p,
                        const struct sp_store_tls_count *c)
{
	struct sp_tlsrpt_failure *f;

	if (p->failure_count &&
	    same_failure(&p->failures[p->failure_count - 1], c)) {
		p->failures[p->failure_count - 1].count += c->sessions;
		return;
	}
	if (b->failures == BUILD_FAILURES_MAX) {
		return;
	}
	b->failures++;
	f = &p->failures[p->failure_count++];
	*f = (struct sp_tlsrpt_failure){
		.result_type = sp_arena_str(b->arena, c->result),
		.mx_host = sp_arena_str(b->arena, c->mx_host),
		.mx_helo = sp_arena_str(b->arena, c->mx_helo),
		.sending_ip = sp_arena_str(b->arena, c->sending_ip),
		.receiving_ip = sp_arena_str(b->arena, c->receiving_ip),
		.reason = sp_arena_str(b->arena, c->reason),
		.count = c->sessions,
	};
}

static int on_count(void *arg, int64_t day, const struct sp_store_tls_count *c)
{
	struct building *b = arg;
	struct sp_tlsrpt_policy *p;

	(void)day;
	if (!same_policy(b, c)) {
		if (b->report->policy_count == BUILD_POLICIES_MAX) {
			return 0;
		}
		add_policy(b, c);
	}
	p = &b->report->policies[b->report->policy_count - 1];
	if (c->result.len) {
		p->failed += c->sessions;
		add_failure(b, p, c);
	} else {
		p->successful += c->sessions;
	}
	return 0;
}

/* Names may be long, and the store takes no more than so much. */
static struct sp_str make_id(const struct sp_conf *conf, const char *date,
                             struct sp_str domain, struct sp_arena *arena)
{
	struct sp_str id = sp_str_from(
		sp_arena_printf(arena, "%s." SP_STR_FMT "@%s", date,
	                        SP_STR_ARG(domain), conf->hostname));

	if (id.len <= SP_STORE_TLS_TEXT_MAX) {
		return id;
	}
	return sp_str_from(sp_arena_printf(
		arena, "%s.%016llx@%.200s", date,
		(unsigned long long)sp_hash_stable(domain), conf->hostname));
}

int build_report(struct sp_store *store, const struct sp_conf *conf,
                 int64_t day, struct sp_str domain, struct sp_arena *arena,
                 struct sp_tlsrpt_report *report_out)
{
	struct building b = {.arena = arena, .report = report_out};
	char date[SP_TIME_TEXT];
	int ret;

	*report_out = (struct sp_tlsrpt_report){
		.organization = sp_str_from(conf->report.organization),
		.contact = sp_str_from(conf->report.contact),
		.start_ms = day * SP_STORE_DAY_MS,
		.end_ms = (day + 1) * SP_STORE_DAY_MS - 1000,
	};
	sp_time_rfc3339(report_out->start_ms, date);
	date[10] = '\0';
	report_out->report_id = make_id(conf, date, domain, arena);
	report_out->policies = sp_arena_array(arena, BUILD_POLICIES_MAX,
	                                      sizeof(*report_out->policies));
	ret = sp_store_tls_counts(store, day, day, domain, on_count, &b);
	if (ret == 0 && report_out->policy_count == 0) {
		return SP_ENOTFOUND;
	}
	return ret;
}
