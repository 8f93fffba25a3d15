/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_PLAN_WORLD_H
#define SP_TESTS_PLAN_WORLD_H

/*
 * A world of DNS answers for a plan, and the invariants of mail-flow section
 * 3 over what the plan made of it. Shared by the unit tests and the fuzz
 * target; every check here looks at the answers given, not at the plan's own
 * notes.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "policy/filter.h"
#include "policy/mxplan.h"

#define PW_ASKED_MAX 512

/* What the world was asked and said, the state as the plan must take it. */
struct pw_asked {
	enum sp_dns_type type;
	char name[256];
	enum sp_dnssec state;
	enum sp_dns_result result;
	size_t usable; /* records that stand the parameter check */
	bool alias;
	char canonical[256];
};

struct pw_log {
	struct pw_asked list[PW_ASKED_MAX];
	size_t count;
};

typedef struct sp_dns_answer *pw_answer_fn(void *arg, struct sp_str name,
                                           enum sp_dns_type type);

static inline void pw_copy(char *out, size_t cap, struct sp_str s)
{
	size_t len = s.len < cap - 1 ? s.len : cap - 1;

	if (len > 0) {
		memcpy(out, s.ptr, len);
	}
	out[len] = '\0';
}

static inline size_t pw_usable(const struct sp_plan_conf *conf,
                               const struct sp_dns_answer *a)
{
	size_t count = 0;

	for (size_t i = 0; a->type == SP_DNS_TYPE_TLSA && i < a->record_count;
	     i++) {
		const struct sp_tlsa *t = &a->records[i].tlsa;
		bool parses = t->matching != SP_TLSA_FULL ||
		              conf->full_parses == NULL || conf->full_parses(t);

		count += sp_tlsa_check(t, parses) == SP_TLSA_USABLE;
	}
	return count;
}

/* What contradicts itself has to count as failed. */
static inline bool pw_plausible(const struct sp_dns_answer *a)
{
	bool records = a->result == SP_DNS_RECORDS;

	return (a->rcode == 0 || a->rcode == 3) && a->result != SP_DNS_NONE &&
	       (!records || a->record_count > 0);
}

static inline void pw_note(struct pw_log *log, const struct sp_plan_conf *conf,
                           const struct sp_dns_answer *a)
{
	struct pw_asked *asked = &log->list[log->count++];

	SP_ASSERT(log->count <= PW_ASKED_MAX);
	memset(asked, 0, sizeof(*asked));
	pw_copy(asked->name, sizeof(asked->name), a->name);
	pw_copy(asked->canonical, sizeof(asked->canonical), a->canonical);
	asked->type = a->type;
	asked->state = a->dnssec;
	for (size_t i = 0; i < a->alias_count; i++) {
		if (a->aliases[i].dnssec > asked->state) {
			asked->state = a->aliases[i].dnssec;
		}
	}
	if (asked->state <= SP_DNSSEC_INSECURE && !pw_plausible(a)) {
		asked->state = SP_DNSSEC_FAILED;
	}
	asked->result =
		asked->state > SP_DNSSEC_INSECURE ? SP_DNS_NONE : a->result;
	asked->alias = a->alias_count > 0;
	asked->usable = pw_usable(conf, a);
}

static inline struct sp_plan *pw_run(const struct sp_plan_conf *conf,
                                     const char *domain, uint64_t seed,
                                     pw_answer_fn *answer, void *arg,
                                     struct pw_log *log)
{
	struct sp_plan *plan = sp_plan_new(conf, sp_str_from(domain), seed);
	struct sp_plan_question q;

	log->count = 0;
	while (sp_plan_next(plan, &q)) {
		struct sp_dns_answer *a = answer(arg, q.name, q.type);

		pw_note(log, conf, a);
		sp_plan_answer(plan, q.id, &a);
		SP_ASSERT(a == NULL);
	}
	SP_ASSERT(sp_plan_done(plan));
	return plan;
}

static inline const struct pw_asked *
pw_find(const struct pw_log *log, enum sp_dns_type type, struct sp_str name)
{
	for (size_t i = 0; i < log->count; i++) {
		if (log->list[i].type == type &&
		    sp_str_eq_nocase(sp_str_from(log->list[i].name), name)) {
			return &log->list[i];
		}
	}
	return NULL;
}

static inline bool pw_good(const struct pw_asked *a)
{
	return a != NULL && a->state <= SP_DNSSEC_INSECURE;
}

static inline bool pw_secure_records(const struct pw_asked *a)
{
	return a != NULL && a->state == SP_DNSSEC_SECURE &&
	       a->result == SP_DNS_RECORDS;
}

static inline bool pw_blocks(const struct pw_asked *a)
{
	return a != NULL && a->state > SP_DNSSEC_INSECURE;
}

/* The TLSA answer asked at the base, or null. */
static inline const struct pw_asked *pw_tlsa(const struct pw_log *log,
                                             const struct sp_plan_conf *conf,
                                             struct sp_str base)
{
	char owner[512];

	(void)snprintf(owner, sizeof(owner), "_%u._tcp." SP_STR_FMT,
	               (unsigned)conf->port, SP_STR_ARG(base));
	return pw_find(log, SP_DNS_TYPE_TLSA, sp_str_from(owner));
}

#define PW_CHECK(cond) SP_ASSERT(cond)

/* What was asked about a step of an alias, or null. */
static inline const struct pw_asked *pw_step(const struct pw_log *log,
                                             const struct sp_dns_alias *alias)
{
	return alias->dname.len > 0
	               ? pw_find(log, SP_DNS_TYPE_DNAME, alias->dname)
	               : pw_find(log, SP_DNS_TYPE_CNAME, alias->owner);
}

/* Row 6a: secure steps by DNAME, then one that is no DNAME. */
static inline bool pw_alias_secure(const struct pw_log *log,
                                   const struct sp_plan_host *host)
{
	for (size_t i = 0; i < host->alias_count; i++) {
		const struct pw_asked *step = pw_step(log, &host->aliases[i]);

		if (step == NULL || step->state != SP_DNSSEC_SECURE) {
			return false;
		}
		if (step->type == SP_DNS_TYPE_CNAME ||
		    step->result != SP_DNS_RECORDS) {
			return true;
		}
	}
	return false;
}

/* Row 6a: a step whose answer may not be used. */
static inline bool pw_alias_blocks(const struct pw_log *log,
                                   const struct sp_plan_host *host)
{
	for (size_t i = 0; i < host->alias_count; i++) {
		if (pw_blocks(pw_step(log, &host->aliases[i]))) {
			return true;
		}
	}
	return false;
}

/* Where TLSA may be asked for this host: rows 1-5, 7, 18 and 6a. */
static inline bool pw_may_ask(const struct pw_log *log,
                              const struct sp_plan_conf *conf,
                              const struct sp_plan *plan,
                              const struct sp_plan_host *host,
                              struct sp_str base)
{
	const struct pw_asked *a = pw_find(log, SP_DNS_TYPE_A, host->name);
	const struct pw_asked *aaaa =
		pw_find(log, SP_DNS_TYPE_AAAA, host->name);
	bool original = sp_str_eq_nocase(base, host->name);

	if (conf->dane == SP_DANE_OFF || conf->validator_broken ||
	    host->literal) {
		return false;
	}
	if (plan->mx_dnssec == SP_DNSSEC_INSECURE &&
	    conf->insecure_mx == SP_INSECURE_MX_MAY) {
		return false;
	}
	if (pw_secure_records(a) || pw_secure_records(aaaa)) {
		return original ||
		       sp_str_eq_nocase(base, sp_str_from(a->canonical)) ||
		       sp_str_eq_nocase(base, sp_str_from(aaaa->canonical));
	}
	return plan->mx_dnssec == SP_DNSSEC_SECURE && original &&
	       ((pw_good(a) && a->alias) || (pw_good(aaaa) && aaaa->alias)) &&
	       pw_alias_secure(log, host);
}

/* Every TLSA question belongs to a host that may be asked for it. */
static inline void pw_check_questions(const struct pw_log *log,
                                      const struct sp_plan_conf *conf,
                                      const struct sp_plan *plan)
{
	for (size_t i = 0; i < log->count; i++) {
		struct sp_str name = sp_str_from(log->list[i].name);
		struct sp_str label;
		bool allowed = false;

		if (log->list[i].type != SP_DNS_TYPE_TLSA) {
			PW_CHECK(!sp_str_eq(name, SP_STR(".")));
			PW_CHECK(name.len > 0);
			continue;
		}
		PW_CHECK(sp_str_cut(&name, '.', &label)); /* _25 */
		PW_CHECK(sp_str_cut(&name, '.', &label)); /* _tcp */
		PW_CHECK(name.len > 0 && !sp_str_eq(name, SP_STR(".")));
		/* Hosts may have been taken away again, as ourselves. */
		for (size_t h = 0; h < plan->host_count; h++) {
			allowed = allowed || pw_may_ask(log, conf, plan,
			                                &plan->hosts[h], name);
		}
		PW_CHECK(allowed || conf->is_self != NULL);
	}
}

static inline void pw_check_rule(const struct pw_log *log,
                                 const struct sp_plan_conf *conf,
                                 const struct sp_plan *plan,
                                 const struct sp_plan_host *host)
{
	bool insecure_mx = plan->mx_dnssec == SP_DNSSEC_INSECURE;
	const struct pw_asked *tlsa =
		host->tlsa_base.len > 0 ? pw_tlsa(log, conf, host->tlsa_base)
					: NULL;
	bool secure = pw_secure_records(tlsa);

	if (secure) {
		PW_CHECK(host->rule != SP_RULE_OPPORTUNISTIC);
	}
	if (secure && tlsa->usable > 0 && host->rule != SP_RULE_SKIP) {
		PW_CHECK(host->rule == SP_RULE_DANE ||
		         (insecure_mx && host->rule == SP_RULE_HALF_DANE) ||
		         (insecure_mx && host->rule == SP_RULE_ENCRYPT &&
		          conf->insecure_mx == SP_INSECURE_MX_ENCRYPT));
	}
	if (host->rule == SP_RULE_DANE || host->rule == SP_RULE_HALF_DANE) {
		PW_CHECK(secure && tlsa->usable > 0);
		PW_CHECK(host->tlsa_count > 0 &&
		         host->tlsa[0].reason == SP_TLSA_USABLE);
		PW_CHECK(sp_str_eq(host->sni, host->tlsa_base));
		PW_CHECK(host->reference_id_count >= 1);
		PW_CHECK((host->rule == SP_RULE_HALF_DANE) == insecure_mx);
		PW_CHECK(!insecure_mx || host->reference_id_count == 1);
	}
	if (host->rule == SP_RULE_DANE) {
		PW_CHECK(plan->mx_dnssec == SP_DNSSEC_SECURE);
	}
	if (conf->dane == SP_DANE_MANDATORY) {
		PW_CHECK(host->rule == SP_RULE_DANE ||
		         host->rule == SP_RULE_SKIP);
	}
}

/* A skipped host has a row that names why, seen in an answer. */
static inline void pw_check_skip(const struct pw_log *log,
                                 const struct sp_plan_conf *conf,
                                 const struct sp_plan_host *host)
{
	const struct pw_asked *a = pw_find(log, SP_DNS_TYPE_A, host->name);
	const struct pw_asked *aaaa =
		pw_find(log, SP_DNS_TYPE_AAAA, host->name);
	bool named =
		conf->dane == SP_DANE_MANDATORY || host->address_count == 0;

	if (host->rule != SP_RULE_SKIP) {
		PW_CHECK(host->verdict.class == SP_VERDICT_DELIVERED);
		PW_CHECK(host->address_count > 0);
		return;
	}
	PW_CHECK(host->verdict.class != SP_VERDICT_DELIVERED);
	PW_CHECK(host->verdict.cause != SP_CAUSE_NONE);
	named = named || pw_alias_blocks(log, host) ||
	        (host->tlsa_base.len > 0 &&
	         pw_blocks(pw_tlsa(log, conf, host->tlsa_base)));
	PW_CHECK(named);
	if (host->waivable) {
		PW_CHECK(pw_good(a) || pw_good(aaaa));
	}
}

/* Addresses come from answers that may be used, with their own state. */
static inline void pw_check_addresses(const struct pw_log *log,
                                      const struct sp_plan_conf *conf,
                                      const struct sp_plan_host *host)
{
	PW_CHECK(host->address_count <= conf->addresses_max);
	for (size_t i = 0; i < host->address_count && !host->literal; i++) {
		const struct pw_asked *from = pw_find(
			log,
			host->addresses[i].family == 4 ? SP_DNS_TYPE_A
						       : SP_DNS_TYPE_AAAA,
			host->name);

		PW_CHECK(pw_good(from));
		PW_CHECK(host->addresses[i].dnssec >= from->state);
		PW_CHECK(!(conf->validator_broken &&
		           host->addresses[i].dnssec == SP_DNSSEC_SECURE));
	}
}

static inline bool pw_may_be_permanent(enum sp_cause_id cause)
{
	return cause == SP_CAUSE_NO_SUCH_DOMAIN || cause == SP_CAUSE_NULL_MX ||
	       cause == SP_CAUSE_NO_ADDRESSES ||
	       cause == SP_CAUSE_NO_MAIL_SERVER ||
	       cause == SP_CAUSE_MX_IS_SELF || cause == SP_CAUSE_BAD_DOMAIN;
}

static inline void pw_check_verdict(const struct pw_log *log,
                                    const struct sp_plan_conf *conf,
                                    const struct sp_plan *plan)
{
	bool usable = false, trouble = false;

	for (size_t i = 0; i < plan->host_count; i++) {
		usable = usable || plan->hosts[i].rule != SP_RULE_SKIP;
	}
	PW_CHECK(usable == (plan->verdict.class == SP_VERDICT_DELIVERED));
	if (plan->verdict.class == SP_VERDICT_PERM) {
		PW_CHECK(pw_may_be_permanent(plan->verdict.cause));
		PW_CHECK(conf->dane != SP_DANE_MANDATORY ||
		         plan->mx_dnssec == SP_DNSSEC_SECURE ||
		         plan->verdict.cause == SP_CAUSE_BAD_DOMAIN);
	}
	if (plan->verdict.class != SP_VERDICT_TEMP ||
	    conf->dane == SP_DANE_MANDATORY || conf->validator_broken) {
		return;
	}
	/* Merely insecure never blocks: something was bogus or failed, or
	 * hosts were left out of sight. */
	for (size_t i = 0; i < log->count; i++) {
		trouble = trouble || pw_blocks(&log->list[i]);
	}
	PW_CHECK(trouble || plan->warning.len > 0 || conf->is_self != NULL);
}

/* The same world without DANE gives the same hosts in the same order. */
static inline void pw_check_order(const struct sp_plan *plan,
                                  const struct sp_plan *without)
{
	PW_CHECK(plan->host_count == without->host_count);
	for (size_t i = 0; i < plan->host_count; i++) {
		PW_CHECK(
			sp_str_eq(plan->hosts[i].name, without->hosts[i].name));
		PW_CHECK(i == 0 || plan->hosts[i].preference >=
		                           plan->hosts[i - 1].preference);
	}
}

/* Log-only: data that could be forged is not used even then, and nothing
 * becomes stricter. */
static inline void pw_check_filter(const struct sp_plan_conf *conf,
                                   struct sp_plan *plan)
{
	sp_filter_plan(&(struct sp_filter){.log_only = true}, plan);
	for (size_t i = 0; i < plan->host_count; i++) {
		const struct sp_plan_host *host = &plan->hosts[i];
		bool waived = host->waived.class != SP_VERDICT_DELIVERED;

		PW_CHECK(!waived || host->rule == SP_RULE_OPPORTUNISTIC);
		PW_CHECK(!waived || host->address_count > 0);
		PW_CHECK(!waived || conf->dane != SP_DANE_MANDATORY);
		PW_CHECK(!waived ||
		         plan->verdict.class == SP_VERDICT_DELIVERED);
	}
}

static inline void pw_check_all(const struct pw_log *log,
                                const struct sp_plan_conf *conf,
                                struct sp_plan *plan)
{
	PW_CHECK(plan->host_count <= conf->hosts_max);
	pw_check_questions(log, conf, plan);
	for (size_t i = 0; i < plan->host_count; i++) {
		pw_check_rule(log, conf, plan, &plan->hosts[i]);
		pw_check_skip(log, conf, &plan->hosts[i]);
		pw_check_addresses(log, conf, &plan->hosts[i]);
		PW_CHECK(plan->hosts[i].digest.len > 0);
	}
	pw_check_verdict(log, conf, plan);
	pw_check_filter(conf, plan);
}

#endif
