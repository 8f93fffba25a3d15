/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_PLAN_TEXT_H
#define SP_TESTS_PLAN_TEXT_H

/*
 * Worlds of DNS answers as text, and plans as text, for the tests of the
 * plan. A question the world does not know is denied securely.
 *
 *   TYPE NAME STATE WORD...     STATE: s(ecure) i(nsecure) b(ogus) f(ailed)
 *   WORD: nodata, nxdomain, alias=TARGET/STATE (by DNAME:
 *         alias=TARGET/STATE/OWNER), rcode=N, scenario=NAME, cut,
 *         10:HOST (MX), 192.0.2.1 (A, AAAA), 3.1.1 (TLSA, good digest;
 *         3.1.1:b another one, 3.1.2! wrong length, 3.1.0? does not parse)
 */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/policy/plan_world.h"

/* Cases name only what differs from the default. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define MX1     "MX d.test s 10:mx1.d.test\n"
#define MX1_I   "MX d.test i 10:mx1.d.test\n"
#define MX2     "MX d.test s 10:mx1.d.test 20:mx2.d.test\n"
#define A1      "A mx1.d.test s 192.0.2.1\n"
#define A1_I    "A mx1.d.test i 192.0.2.1\n"
#define A2      "A mx2.d.test s 192.0.2.2\n"
#define T1      "TLSA _25._tcp.mx1.d.test s 3.1.1\n"
#define ASK1    "asked TLSA _25._tcp.mx1.d.test\n"
#define ALIAS_S "A mx1.d.test s alias=real.d.test/s 192.0.2.1\n"
#define ALIAS_I "A mx1.d.test i alias=real.u.test/i 192.0.2.1\n"
#define ALIAS_D "A mx1.d.test i alias=mx1.u.test/i/d.test 192.0.2.1\n"
#define TREAL   "TLSA _25._tcp.real.d.test "
#define ASKR    "asked TLSA _25._tcp.real.d.test\n"
#define FIXED   .fixed = "[mx1.d.test]"
#define MANDAT  .dane = SP_DANE_MANDATORY

/* --- Worlds from text --------------------------------------------------- */

static enum sp_dns_type type_of(struct sp_str word)
{
	static const struct {
		const char *text;
		enum sp_dns_type type;
	} types[] = {
		{"MX", SP_DNS_TYPE_MX},       {"A", SP_DNS_TYPE_A},
		{"AAAA", SP_DNS_TYPE_AAAA},   {"TLSA", SP_DNS_TYPE_TLSA},
		{"CNAME", SP_DNS_TYPE_CNAME}, {"DNAME", SP_DNS_TYPE_DNAME},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (sp_str_eq(word, sp_str_from(types[i].text))) {
			return types[i].type;
		}
	}
	fail_msg("unknown type " SP_STR_FMT, SP_STR_ARG(word));
	return SP_DNS_TYPE_A;
}

static enum sp_dnssec state_of(char c)
{
	return c == 's'   ? SP_DNSSEC_SECURE
	       : c == 'i' ? SP_DNSSEC_INSECURE
	       : c == 'b' ? SP_DNSSEC_BOGUS
	                  : SP_DNSSEC_FAILED;
}

static struct sp_str after(struct sp_str word, char c)
{
	return sp_str_sub(word, sp_str_find(word, c) + 1, word.len);
}

static void add_alias(struct sp_dns_answer *a, struct sp_str word)
{
	struct sp_str target;

	word = after(word, '=');
	(void)sp_str_cut(&word, '/', &target);
	if (a->aliases == NULL) {
		a->aliases = sp_arena_array(&a->arena, SP_DNS_ALIASES_MAX,
		                            sizeof(*a->aliases));
	}
	a->aliases[a->alias_count].owner = a->canonical;
	a->aliases[a->alias_count].target = sp_arena_str(&a->arena, target);
	a->aliases[a->alias_count].dnssec = state_of(word.ptr[0]);
	if (word.len > 2) {
		a->aliases[a->alias_count].dname =
			sp_arena_str(&a->arena, after(word, '/'));
	}
	a->canonical = a->aliases[a->alias_count++].target;
}

static void add_tlsa(struct sp_dns_answer *a, struct sp_dns_record *r,
                     struct sp_str word)
{
	size_t len;
	char *data;

	r->tlsa.usage = (uint8_t)(word.ptr[0] - '0');
	r->tlsa.selector = (uint8_t)(word.ptr[2] - '0');
	r->tlsa.matching = (uint8_t)(word.ptr[4] - '0');
	len = r->tlsa.matching == SP_TLSA_SHA512 ? 64 : 32;
	if (word.len > 5 && word.ptr[5] == '!') {
		len = 20;
	}
	data = sp_arena_alloc(&a->arena, len);
	memset(data, word.len > 5 ? word.ptr[word.len - 1] : 'a', len);
	r->tlsa.data = sp_str_slice(data, len);
}

static void add_record(struct sp_dns_answer *a, struct sp_str word)
{
	struct sp_dns_record *r;
	struct sp_str number;
	char text[64];
	uint64_t value;

	if (a->records == NULL) {
		a->records = sp_arena_array(&a->arena, 64, sizeof(*a->records));
	}
	assert_true(a->record_count < 64);
	r = &a->records[a->record_count++];
	a->result = SP_DNS_RECORDS;
	if (a->type == SP_DNS_TYPE_MX) {
		(void)sp_str_cut(&word, ':', &number);
		assert_int_equal(sp_str_u64(number, 65535, &value), 0);
		r->preference = (uint16_t)value;
		r->name = sp_arena_str(&a->arena, word);
	} else if (a->type == SP_DNS_TYPE_TLSA) {
		add_tlsa(a, r, word);
	} else if (a->type == SP_DNS_TYPE_CNAME ||
	           a->type == SP_DNS_TYPE_DNAME) {
		r->name = sp_arena_str(&a->arena, word);
	} else {
		pw_copy(text, sizeof(text), word);
		assert_int_equal(
			inet_pton(a->type == SP_DNS_TYPE_A ? AF_INET : AF_INET6,
		                  text, r->address),
			1);
	}
}

static void add_word(struct sp_dns_answer *a, struct sp_str word)
{
	uint64_t value = 0;

	if (sp_str_eq(word, SP_STR("nodata"))) {
		a->result = SP_DNS_NODATA;
	} else if (sp_str_eq(word, SP_STR("nxdomain"))) {
		a->result = SP_DNS_NXDOMAIN;
		a->rcode = 3;
	} else if (sp_str_eq(word, SP_STR("cut"))) {
		a->cut = true;
	} else if (sp_str_starts_nocase(word, SP_STR("alias="))) {
		add_alias(a, word);
	} else if (sp_str_starts_nocase(word, SP_STR("rcode="))) {
		assert_int_equal(sp_str_u64(after(word, '='), 15, &value), 0);
		a->rcode = (uint8_t)value;
	} else if (sp_str_starts_nocase(word, SP_STR("scenario="))) {
		a->scenario = sp_arena_str(&a->arena, after(word, '='));
	} else {
		add_record(a, word);
	}
}

static struct sp_dns_answer *world_answer(void *arg, struct sp_str name,
                                          enum sp_dns_type type)
{
	struct sp_str world = sp_str_from(arg), line, word, owner;
	struct sp_dns_answer *a = sp_dns_answer_new(name, type);

	a->dnssec = SP_DNSSEC_SECURE;
	a->result = SP_DNS_NODATA;
	a->ttl_s = 300;
	while (sp_str_cut(&world, '\n', &line)) {
		(void)sp_str_cut(&line, ' ', &word);
		(void)sp_str_cut(&line, ' ', &owner);
		if (type_of(word) != type || !sp_str_eq(owner, name)) {
			continue;
		}
		(void)sp_str_cut(&line, ' ', &word);
		a->dnssec = state_of(word.ptr[0]);
		if (a->dnssec > SP_DNSSEC_INSECURE) {
			a->result = SP_DNS_NONE;
		}
		while (sp_str_cut(&line, ' ', &word)) {
			add_word(a, word);
		}
	}
	return a;
}

static bool full_parses(const struct sp_tlsa *tlsa)
{
	return tlsa->data.len > 0 && tlsa->data.ptr[0] != '?';
}

static bool is_self(void *arg, struct sp_str host)
{
	(void)arg;
	return sp_str_eq(host, SP_STR("self.test")) ||
	       sp_str_eq(host, SP_STR("198.51.100.1")) ||
	       sp_str_eq(host, SP_STR("2001:db8::5e1f"));
}

/* --- Plans as text -------------------------------------------------------- */

static void say(char *out, size_t cap, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(char *out, size_t cap, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(out + len, cap - len, fmt, ap);
	va_end(ap);
}

static void say_verdict(char *out, size_t cap, const struct sp_verdict *v)
{
	static const char *const words[] = {"deliver", "defer", "fail"};
	char code[32];

	say(out, cap, "%s", words[v->class]);
	if (v->class != SP_VERDICT_DELIVERED) {
		sp_verdict_code(v, code, sizeof(code));
		say(out, cap, " %s %s", code, sp_cause_get(v->cause)->name);
	}
}

__attribute__((unused)) static void summarise(const struct sp_plan *plan,
                                              const struct pw_log *log,
                                              char *out, size_t cap)
{
	out[0] = '\0';
	say_verdict(out, cap, &plan->verdict);
	say(out, cap, " row=%s\n", plan->row);
	for (size_t i = 0; i < plan->host_count; i++) {
		const struct sp_plan_host *h = &plan->hosts[i];

		say(out, cap, SP_STR_FMT " %s/%s row=%s", SP_STR_ARG(h->name),
		    sp_rule_text(h->rule), sp_rule_why_text(h->why), h->row);
		if (h->rule == SP_RULE_SKIP) {
			say(out, cap, " ");
			say_verdict(out, cap, &h->verdict);
		} else if (h->rule >= SP_RULE_HALF_DANE) {
			say(out, cap, " base=" SP_STR_FMT,
			    SP_STR_ARG(h->tlsa_base));
		}
		say(out, cap, "\n");
	}
	for (size_t i = 0; i < log->count; i++) {
		enum sp_dns_type type = log->list[i].type;

		if (type == SP_DNS_TYPE_TLSA || type == SP_DNS_TYPE_CNAME ||
		    type == SP_DNS_TYPE_DNAME) {
			say(out, cap, "asked %s %s\n",
			    type == SP_DNS_TYPE_TLSA    ? "TLSA"
			    : type == SP_DNS_TYPE_CNAME ? "CNAME"
			                                : "DNAME",
			    log->list[i].name);
		}
	}
}

struct plan_case {
	const char *name;
	const char *world;
	const char *expected;
	enum sp_dane_mode dane;
	enum sp_insecure_mx insecure_mx;
	const char *fixed;
	const char *domain; /* default d.test */
	bool broken;
};

static struct sp_plan_conf conf_of(const struct plan_case *c)
{
	struct sp_plan_conf conf = {
		.dane = c->dane,
		.insecure_mx = c->insecure_mx,
		.port = 25,
		.fixed_next_hop = sp_str_from(c->fixed),
		.is_self = is_self,
		.validator_broken = c->broken,
		.hosts_max = 10,
		.addresses_max = 8,
		.tlsa_max = 16,
		.full_parses = full_parses,
	};

	return conf;
}

static struct pw_log plan_log;

static struct sp_plan *run(const struct plan_case *c,
                           const struct sp_plan_conf *conf)
{
	const char *domain = c->domain != NULL ? c->domain : "d.test";
	char *world = sp_strdup(c->world);
	struct sp_plan *plan =
		pw_run(conf, domain, 1, world_answer, world, &plan_log);

	sp_free(world);
	return plan;
}

#endif
