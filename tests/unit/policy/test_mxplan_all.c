/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The invariants of mail-flow section 3 over all combinations of states, for
 * one host in full and for two hosts with what can differ between them; and
 * for one host the table itself, computed a second time in plain words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/policy/plan_world.h"

/* A record set that was asked for: state and content. */
enum said {
	S_REC,
	I_REC,
	S_NONE,
	I_NONE,
	S_NX,
	BOGUS,
	FAILED,
	SAID_COUNT
};

enum alias {
	NO_ALIAS,
	S_ALIAS,
	I_ALIAS,
	D_ALIAS, /* by DNAME, insecure */
	ALIAS_COUNT
};

enum records {
	GOOD,
	UNUSABLE,
	MIXED,
	RECORDS_COUNT
};

struct host {
	enum said a, aaaa;
	enum alias alias;
	enum said cname;    /* of I_ALIAS, D_ALIAS */
	enum said expanded; /* TLSA there */
	enum said original;
	enum records records;
};

struct world {
	enum said mx;
	struct host hosts[2];
	size_t host_count;
};

static const struct {
	enum sp_dnssec state;
	enum sp_dns_result result;
} said_as[] = {
	[S_REC] = {SP_DNSSEC_SECURE, SP_DNS_RECORDS},
	[I_REC] = {SP_DNSSEC_INSECURE, SP_DNS_RECORDS},
	[S_NONE] = {SP_DNSSEC_SECURE, SP_DNS_NODATA},
	[I_NONE] = {SP_DNSSEC_INSECURE, SP_DNS_NODATA},
	[S_NX] = {SP_DNSSEC_SECURE, SP_DNS_NXDOMAIN},
	[BOGUS] = {SP_DNSSEC_BOGUS, SP_DNS_NONE},
	[FAILED] = {SP_DNSSEC_FAILED, SP_DNS_NONE},
};

static const char *const host_names[] = {"mx1.d.test", "mx2.d.test"};
static const char *const real_names[] = {"real1.test", "real2.test"};

static struct sp_dns_record *records(struct sp_dns_answer *a, size_t count)
{
	if (a->result != SP_DNS_RECORDS) {
		return NULL;
	}
	a->records = sp_arena_array(&a->arena, count, sizeof(*a->records));
	a->record_count = count;
	return a->records;
}

static void say_as(struct sp_dns_answer *a, enum said said)
{
	a->dnssec = said_as[said].state;
	a->result = said_as[said].result;
	a->rcode = a->result == SP_DNS_NXDOMAIN ? 3 : 0;
}

static void say_mx(struct sp_dns_answer *a, const struct world *w)
{
	struct sp_dns_record *r;

	say_as(a, w->mx);
	r = records(a, w->host_count);
	for (size_t i = 0; r != NULL && i < w->host_count; i++) {
		r[i].preference = (uint16_t)(10 * i);
		r[i].name = sp_str_from(host_names[i]);
	}
}

static void say_address(struct sp_dns_answer *a, const struct host *host,
                        size_t index)
{
	struct sp_dns_record *r;

	say_as(a, a->type == SP_DNS_TYPE_A ? host->a : host->aaaa);
	r = records(a, 1);
	if (r != NULL) {
		memset(r->address, 0x20 + (int)index,
		       a->type == SP_DNS_TYPE_A ? 4 : 16);
	}
	if (host->alias == NO_ALIAS || a->dnssec > SP_DNSSEC_INSECURE) {
		return;
	}
	a->aliases = sp_arena_array(&a->arena, 1, sizeof(*a->aliases));
	a->alias_count = 1;
	a->aliases[0].owner = a->name;
	a->aliases[0].target = sp_str_from(real_names[index]);
	a->aliases[0].dnssec =
		host->alias == S_ALIAS ? SP_DNSSEC_SECURE : SP_DNSSEC_INSECURE;
	if (host->alias == D_ALIAS) {
		a->aliases[0].dname = SP_STR("d.test");
	}
	a->canonical = a->aliases[0].target;
	if (a->aliases[0].dnssec > a->dnssec) {
		a->dnssec = a->aliases[0].dnssec;
	}
}

static void say_tlsa(struct sp_dns_answer *a, enum said said, enum records kind)
{
	static const char digest[] = "0123456789abcdef0123456789abcdef";
	struct sp_dns_record *r;

	say_as(a, said);
	r = records(a, kind == MIXED ? 2 : 1);
	for (size_t i = 0; r != NULL && i < a->record_count; i++) {
		bool good = kind == GOOD || (kind == MIXED && i == 1);

		r[i].tlsa.usage = good ? SP_TLSA_DANE_EE : SP_TLSA_PKIX_EE;
		r[i].tlsa.selector = SP_TLSA_SPKI;
		r[i].tlsa.matching = SP_TLSA_SHA256;
		r[i].tlsa.data = sp_str_slice(digest, 32);
	}
}

static void say_host(struct sp_dns_answer *a, const struct host *host,
                     size_t index)
{
	struct sp_dns_record *r;

	if (a->type == SP_DNS_TYPE_A || a->type == SP_DNS_TYPE_AAAA) {
		say_address(a, host, index);
	} else if (a->type == SP_DNS_TYPE_CNAME ||
	           a->type == SP_DNS_TYPE_DNAME) {
		say_as(a, host->cname);
		r = records(a, 1);
		if (r != NULL) {
			r->name = sp_str_from(real_names[index]);
		}
	} else {
		say_tlsa(a, host->original, host->records);
	}
}

static struct sp_dns_answer *world_answer(void *arg, struct sp_str name,
                                          enum sp_dns_type type)
{
	const struct world *w = arg;
	struct sp_dns_answer *a = sp_dns_answer_new(name, type);

	if (type == SP_DNS_TYPE_MX) {
		say_mx(a, w);
		return a;
	}
	for (size_t i = 0; i < 2; i++) {
		if (sp_str_ends_nocase(name, sp_str_from(real_names[i]))) {
			say_tlsa(a, w->hosts[i].expanded, w->hosts[i].records);
			return a;
		}
		if (sp_str_ends_nocase(name, sp_str_from(host_names[i]))) {
			say_host(a, &w->hosts[i], i);
			return a;
		}
	}
	say_host(a, &w->hosts[0], 0); /* implicit MX: the domain itself */
	return a;
}

/* --- The table in plain words ------------------------------------------------
 */

struct expected {
	enum sp_rule rule;
	unsigned subject, detail; /* of a skipped host */
};

static const struct expected plain = {SP_RULE_OPPORTUNISTIC, 0, 0};
static const struct expected skip_324 = {SP_RULE_SKIP, 7, 324};
static const struct expected skip_312 = {SP_RULE_SKIP, 4, 312};
static const struct expected skip_44 = {SP_RULE_SKIP, 4, 4};

static bool bad(enum said said)
{
	return said == BOGUS || said == FAILED;
}

static bool has(enum said said)
{
	return said == S_REC || said == I_REC;
}

static struct expected by_tlsa(const struct host *h, enum said said,
                               bool secure_mx, enum sp_insecure_mx setting)
{
	if (bad(said)) {
		return skip_324;
	}
	if (said != S_REC) {
		return plain;
	}
	if (h->records == UNUSABLE) {
		return (struct expected){SP_RULE_ENCRYPT, 0, 0};
	}
	if (secure_mx) {
		return (struct expected){SP_RULE_DANE, 0, 0};
	}
	return (struct expected){setting == SP_INSECURE_MX_DANE
	                                 ? SP_RULE_HALF_DANE
	                                 : SP_RULE_ENCRYPT,
	                         0, 0};
}

static struct expected expect(const struct host *h, bool secure_mx,
                              const struct sp_plan_conf *conf)
{
	bool whole = h->alias < I_ALIAS; /* chain can be secure at all */
	bool ask = conf->dane != SP_DANE_OFF &&
	           (secure_mx || conf->insecure_mx != SP_INSECURE_MX_MAY);

	if (!has(h->a) && !has(h->aaaa)) {
		return h->a == BOGUS || h->aaaa == BOGUS     ? skip_324
		       : h->a == FAILED || h->aaaa == FAILED ? skip_312
		                                             : skip_44;
	}
	if (!ask) {
		return plain;
	}
	if (whole && (h->a == S_REC || h->aaaa == S_REC)) {
		if (h->alias == S_ALIAS &&
		    (h->expanded == S_REC || bad(h->expanded))) {
			return by_tlsa(h, h->expanded, secure_mx,
			               conf->insecure_mx);
		}
		return by_tlsa(h, h->original, secure_mx, conf->insecure_mx);
	}
	if (!secure_mx || h->alias == NO_ALIAS ||
	    said_as[h->cname].state == SP_DNSSEC_INSECURE ||
	    (h->alias == D_ALIAS && h->cname == S_REC)) {
		return plain;
	}
	return bad(h->cname)
	               ? skip_324
	               : by_tlsa(h, h->original, secure_mx, conf->insecure_mx);
}

static void check_against_words(const struct sp_plan *plan,
                                const struct host *h,
                                const struct sp_plan_conf *conf)
{
	struct expected e =
		expect(h, plan->mx_dnssec == SP_DNSSEC_SECURE, conf);
	const struct sp_plan_host *host = &plan->hosts[0];
	const struct sp_cause *cause = sp_cause_get(host->verdict.cause);

	PW_CHECK(host->rule == e.rule);
	PW_CHECK(e.rule != SP_RULE_SKIP ||
	         (cause->subject == e.subject && cause->detail == e.detail));
}

/* --- MTA-STS over each of them -----------------------------------------------
 */

static struct sp_str mx_all[] = {SP_STR("*.d.test"), SP_STR("d.test")};
static struct sp_str mx_first[] = {SP_STR("mx1.d.test")};
static struct sp_str mx_other[] = {SP_STR("mx.other.test"),
                                   SP_STR("*.mx1.d.test")};

static const struct sts_setting {
	enum sp_sts_mode mode;
	struct sp_str *mx;
	size_t mx_count;
} sts_settings[] = {
	{SP_STS_NONE, mx_other, 2},    {SP_STS_TESTING, mx_all, 2},
	{SP_STS_TESTING, mx_first, 1}, {SP_STS_TESTING, mx_other, 2},
	{SP_STS_ENFORCE, mx_all, 2},   {SP_STS_ENFORCE, mx_first, 1},
	{SP_STS_ENFORCE, mx_other, 2},
};

static bool is_listed(const struct sts_setting *s,
                      const struct sp_plan_host *host)
{
	return s->mx == mx_all || (s->mx == mx_first &&
	                           sp_str_eq(host->name, SP_STR("mx1.d.test")));
}

/* What DANE has decided stays; beside it, and without it, MTA-STS decides. */
static enum sp_rule rule_with_sts(const struct sts_setting *s,
                                  const struct sp_plan_host *before)
{
	if (s->mode != SP_STS_ENFORCE || before->rule == SP_RULE_SKIP ||
	    before->rule == SP_RULE_DANE) {
		return before->rule;
	}
	if (!is_listed(s, before)) {
		return SP_RULE_SKIP;
	}
	return before->rule == SP_RULE_OPPORTUNISTIC ? SP_RULE_ENCRYPT
	                                             : before->rule;
}

static void check_sts_host(const struct sts_setting *s,
                           const struct sp_plan_host *before,
                           const struct sp_plan_host *after)
{
	bool has_say = s->mode != SP_STS_NONE && before->rule != SP_RULE_SKIP;
	bool binds = has_say && before->rule != SP_RULE_DANE;
	bool skipped = after->rule == SP_RULE_SKIP;
	bool found = after->sts_found.class != SP_VERDICT_DELIVERED;

	PW_CHECK(after->rule == rule_with_sts(s, before));
	PW_CHECK(after->sts_watched == has_say);
	PW_CHECK(after->sts == (binds ? s->mode : SP_STS_NONE));
	PW_CHECK(found == (has_say && !is_listed(s, before)));
	PW_CHECK(has_say || sp_str_eq(after->digest, before->digest));
	PW_CHECK(!has_say || !sp_str_eq(after->digest, before->digest));
	PW_CHECK(after->addresses == before->addresses &&
	         sp_str_eq(after->name, before->name));
	PW_CHECK(!before->mandatory || skipped || after->rule == SP_RULE_DANE);
	if (skipped && before->rule != SP_RULE_SKIP) {
		PW_CHECK(after->verdict.cause == SP_CAUSE_STS_MX_NOT_LISTED);
		PW_CHECK(after->verdict.class == SP_VERDICT_TEMP);
		PW_CHECK(after->why == SP_WHY_STS && after->waivable);
	} else if (after->rule != before->rule) {
		PW_CHECK(after->why == SP_WHY_STS);
	} else {
		PW_CHECK(after->why == before->why);
	}
	if (after->rule == SP_RULE_DANE || after->rule == SP_RULE_HALF_DANE) {
		PW_CHECK(after->reference_id_count ==
		         before->reference_id_count);
	}
}

/* One message may go without, another must not. */
static void check_sts_filter(struct sp_plan *plan, bool requiretls)
{
	const struct sp_filter filter = {
		.tls_optional = !requiretls,
		.requiretls = requiretls,
	};

	sp_filter_plan(&filter, plan);
	for (size_t i = 0; i < plan->host_count; i++) {
		const struct sp_plan_host *host = &plan->hosts[i];

		if (requiretls) {
			PW_CHECK(host->rule == SP_RULE_SKIP ||
			         host->rule == SP_RULE_DANE ||
			         host->sts == SP_STS_ENFORCE);
		} else {
			PW_CHECK(host->verdict.cause !=
			         SP_CAUSE_STS_MX_NOT_LISTED);
			PW_CHECK(host->waived.class == SP_VERDICT_DELIVERED ||
			         host->sts == SP_STS_NONE);
		}
	}
}

/* The plan is given back as it was. */
static void check_sts(struct sp_plan *plan)
{
	const struct sp_plan before = *plan;
	struct sp_plan_host hosts[2];

	PW_CHECK(plan->host_count <= 2);
	for (size_t i = 0; i < plan->host_count; i++) {
		hosts[i] = plan->hosts[i];
	}
	for (size_t n = 0; n < 2 * sizeof(sts_settings) / sizeof(*sts_settings);
	     n++) {
		const struct sts_setting *s = &sts_settings[n / 2];
		const struct sp_sts_kept policy = {
			.id = SP_STR("id1"),
			.policy = {.mode = s->mode,
		                   .mx = s->mx,
		                   .mx_count = s->mx_count},
		};
		bool usable = false;

		sp_plan_join_sts(plan,
		                 &(struct sp_sts_choice){.policy = &policy});
		PW_CHECK(plan->host_count == before.host_count);
		for (size_t i = 0; i < plan->host_count; i++) {
			check_sts_host(s, &hosts[i], &plan->hosts[i]);
			usable |= plan->hosts[i].rule != SP_RULE_SKIP;
		}
		PW_CHECK(usable ==
		         (plan->verdict.class == SP_VERDICT_DELIVERED));
		PW_CHECK(plan->verdict.class != SP_VERDICT_PERM ||
		         plan->verdict.cause == before.verdict.cause);
		check_sts_filter(plan, n % 2 != 0);
		plan->verdict = before.verdict;
		plan->sts = before.sts;
		for (size_t i = 0; i < plan->host_count; i++) {
			plan->hosts[i] = hosts[i];
		}
	}
}

/* --- All of them
 * --------------------------------------------------------------- */

static unsigned long plans;

static void try_world(struct world *w, const struct sp_plan_conf *conf)
{
	static struct pw_log log, log_off;
	struct sp_plan_conf off = *conf;
	struct sp_plan *plan, *without;

	off.dane = SP_DANE_OFF;
	plan = pw_run(conf, "d.test", 7, world_answer, w, &log);
	without = pw_run(&off, "d.test", 7, world_answer, w, &log_off);
	if (w->host_count == 1 && plan->host_count == 1 &&
	    conf->dane != SP_DANE_MANDATORY) {
		check_against_words(plan, &w->hosts[0], conf);
	}
	if (!conf->validator_broken) {
		pw_check_order(plan, without);
	}
	check_sts(plan);
	pw_check_all(&log, conf, plan);
	plans++;
	sp_plan_free(&without);
	sp_plan_free(&plan);
}

/* All settings that can matter for a world with this MX. */
static void try_settings(struct world *w)
{
	struct sp_plan_conf conf = {
		.port = 25,
		.hosts_max = 5,
		.addresses_max = 5,
		.tlsa_max = 5,
	};
	int settings = said_as[w->mx].state == SP_DNSSEC_INSECURE ? 3 : 1;

	for (int dane = 0; dane < 3; dane++) {
		for (int setting = 0; setting < settings; setting++) {
			conf.dane = (enum sp_dane_mode)dane;
			conf.insecure_mx = (enum sp_insecure_mx)setting;
			try_world(w, &conf);
		}
	}
}

static const enum said mx_answers[] = {S_REC, I_REC, S_NONE, I_NONE};

/* The TLSA and alias part of a host with an address, in all its ways. */
static void try_tlsa(struct world *w)
{
	struct host *h = &w->hosts[0];

	for (int o = 0; o < SAID_COUNT; o++) {
		for (int k = 0; k < RECORDS_COUNT; k++) {
			h->original = (enum said)o;
			h->records = (enum records)k;
			/* Without records their kind makes no difference. */
			if (k == 0 || has(h->original) || has(h->expanded)) {
				try_settings(w);
			}
		}
	}
}

static void try_alias(struct world *w)
{
	struct host *h = &w->hosts[0];

	for (int alias = 0; alias < ALIAS_COUNT; alias++) {
		h->alias = (enum alias)alias;
		h->expanded = h->cname = S_NONE;
		for (int x = 0; x < SAID_COUNT; x++) {
			if (h->alias == S_ALIAS) {
				h->expanded = (enum said)x;
			} else {
				h->cname = (enum said)x;
			}
			if (x == 0 || h->alias != NO_ALIAS) {
				try_tlsa(w);
			}
		}
	}
}

static void test_one_host(void **state)
{
	struct world w = {.host_count = 1};

	(void)state;
	for (size_t m = 0; m < 4; m++) {
		w.mx = mx_answers[m];
		for (int a = 0; a < SAID_COUNT; a++) {
			for (int aaaa = 0; aaaa < SAID_COUNT; aaaa++) {
				/* I_NONE and S_NX stand for S_NONE, which
				 * leaves the run time bearable. */
				if (a == S_NX || aaaa == I_NONE) {
					continue;
				}
				w.hosts[0].a = (enum said)a;
				w.hosts[0].aaaa = (enum said)aaaa;
				try_alias(&w);
			}
		}
	}
	print_message("%lu plans\n", plans);
}

/* Addresses, TLSA and kind of one of two hosts. */
static void set_host(struct host *h, unsigned n)
{
	static const enum said pairs[][2] = {
		{S_REC, S_NONE},  {I_REC, S_NONE},  {BOGUS, S_NONE},
		{FAILED, FAILED}, {S_NONE, S_NONE}, {S_REC, I_REC},
		{BOGUS, S_REC},
	};
	static const enum said tlsa[] = {S_REC, I_REC, I_NONE, BOGUS, FAILED};

	h->a = pairs[n % 7][0];
	h->aaaa = pairs[n % 7][1];
	h->original = tlsa[n / 7 % 5];
	h->expanded = S_NONE;
	h->records = (enum records)(n / 35 % 2);
	h->alias = NO_ALIAS;
}

static void test_two_hosts(void **state)
{
	struct world w = {.host_count = 2};

	(void)state;
	plans = 0;
	for (size_t m = 0; m < 2; m++) {
		w.mx = mx_answers[m];
		for (unsigned n = 0; n < 70 * 70; n++) {
			set_host(&w.hosts[0], n % 70);
			set_host(&w.hosts[1], n / 70);
			try_settings(&w);
		}
	}
	print_message("%lu plans\n", plans);
}

/* Answers without hosts, and a validator that does not work. */
static void test_no_hosts(void **state)
{
	struct sp_plan_conf conf = {
		.port = 25,
		.hosts_max = 5,
		.addresses_max = 5,
		.tlsa_max = 5,
	};
	struct world w = {.host_count = 2};

	(void)state;
	for (unsigned n = 0; n < SAID_COUNT * 3 * 2 * 70; n++) {
		w.mx = (enum said)(n % SAID_COUNT);
		conf.dane = (enum sp_dane_mode)(n / SAID_COUNT % 3);
		conf.validator_broken = n / SAID_COUNT / 3 % 2 != 0;
		set_host(&w.hosts[0], n / SAID_COUNT / 6);
		set_host(&w.hosts[1], (n + 11) % 70);
		try_world(&w, &conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_host),
		cmocka_unit_test(test_two_hosts),
		cmocka_unit_test(test_no_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
