/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of mail-flow section 3, one case a row or more. A case is a
 * small world of DNS answers as text and what the plan makes of it as text:
 * the verdict, each host with its rule, and which CNAME and TLSA questions
 * were asked. A question the world does not know is denied securely, and
 * shows in the list of questions.
 *
 *   TYPE NAME STATE WORD...     STATE: s(ecure) i(nsecure) b(ogus) f(ailed)
 *   WORD: nodata, nxdomain, alias=TARGET/STATE, rcode=N, scenario=NAME, cut,
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

#define MX1   "MX d.test s 10:mx1.d.test\n"
#define MX1_I "MX d.test i 10:mx1.d.test\n"
#define MX2   "MX d.test s 10:mx1.d.test 20:mx2.d.test\n"
#define A1    "A mx1.d.test s 192.0.2.1\n"
#define A1_I  "A mx1.d.test i 192.0.2.1\n"
#define A2    "A mx2.d.test s 192.0.2.2\n"
#define T1    "TLSA _25._tcp.mx1.d.test s 3.1.1\n"
#define ASK1  "asked TLSA _25._tcp.mx1.d.test\n"

/* --- Worlds from text --------------------------------------------------- */

static enum sp_dns_type type_of(struct sp_str word)
{
	static const struct {
		const char *text;
		enum sp_dns_type type;
	} types[] = {
		{"MX", SP_DNS_TYPE_MX},       {"A", SP_DNS_TYPE_A},
		{"AAAA", SP_DNS_TYPE_AAAA},   {"TLSA", SP_DNS_TYPE_TLSA},
		{"CNAME", SP_DNS_TYPE_CNAME},
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
	} else if (a->type == SP_DNS_TYPE_CNAME) {
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

static void summarise(const struct sp_plan *plan, const struct pw_log *log,
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
		if (log->list[i].type == SP_DNS_TYPE_TLSA ||
		    log->list[i].type == SP_DNS_TYPE_CNAME) {
			say(out, cap, "asked %s %s\n",
			    log->list[i].type == SP_DNS_TYPE_TLSA ? "TLSA"
			                                          : "CNAME",
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

static void check_cases(const struct plan_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct sp_plan_conf conf = conf_of(&cases[i]);
		struct sp_plan *plan = run(&cases[i], &conf);
		char text[2048];

		summarise(plan, &plan_log, text, sizeof(text));
		if (strcmp(text, cases[i].expected) != 0) {
			fail_msg("%s:\n--- is\n%s--- should be\n%s",
			         cases[i].name, text, cases[i].expected);
		}
		pw_check_all(&plan_log, &conf, plan);
		sp_plan_free(&plan);
	}
}

#define CHECK(cases) check_cases(cases, sizeof(cases) / sizeof(*(cases)))

/* --- Rows 1 to 5: MX and addresses secure --------------------------------- */

static void test_secure(void **state)
{
	static const struct plan_case cases[] = {
		{"row 1 secure, usable record (RFC 7672 2.2)", MX1 A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 1 one usable beside unusable ones",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 0.0.1 1.1.1 2.1.1 9.9.9\n",
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 2 all unusable: encrypt (RFC 7672 2.2, 3.1.3)",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 0.0.1 1.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test encrypt/all-unusable row=2\n" ASK1},
		{"row 2 wrong digest length",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 3.1.1!a\n",
	         "deliver row=1-11\n"
	         "mx1.d.test encrypt/all-unusable row=2\n" ASK1},
		{"row 2 full record that does not parse",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 3.0.0?\n",
	         "deliver row=1-11\n"
	         "mx1.d.test encrypt/all-unusable row=2\n" ASK1},
		{"row 3 NODATA secure",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s nodata\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
		{"row 3 NODATA insecure",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test i nodata\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
		{"row 3 NXDOMAIN secure",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s nxdomain\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
		{"row 3 NXDOMAIN insecure (opt-out)",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test i nxdomain\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
		{"row 4 insecure records",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test i 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=4\n" ASK1},
		{"row 5 bogus, reason known",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test b scenario=denial-unproven\n",
	         "defer 4.7.324 denial-unproven row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "denial-unproven\n" ASK1},
		{"row 5 bogus, reason not known",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "dnssec-bogus\n" ASK1},
		{"row 5 failed, SERVFAIL",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n",
	         "defer 4.7.324 tlsa-servfail row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-servfail\n" ASK1},
		{"row 5 failed, timeout",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test f scenario=dns-timeout\n",
	         "defer 4.7.324 tlsa-timeout row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-timeout\n" ASK1},
		{"row 5 failed, NOTIMP",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2 "
	                "scenario=dns-notimp\n",
	         "defer 4.7.324 tlsa-failed row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 tlsa-failed\n" ASK1},
		{"row 5 one host; the other carries the domain",
	         MX2 A1 A2 "TLSA _25._tcp.mx1.d.test f rcode=2\n"
	                   "TLSA _25._tcp.mx2.d.test s nodata\n",
	         "deliver row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 tlsa-servfail\n"
	         "mx2.d.test opportunistic/none row=3\n" ASK1
	         "asked TLSA _25._tcp.mx2.d.test\n"},
		{"an answer with records and SERVFAIL says nothing",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s rcode=2 nodata\n",
	         "defer 4.7.324 tlsa-servfail row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-servfail\n" ASK1},
	};

	(void)state;
	CHECK(cases);
}

/* --- Rows 6 to 11: addresses ------------------------------------------------
 */

#define ALIAS_S "A mx1.d.test s alias=real.d.test/s 192.0.2.1\n"
#define ALIAS_I "A mx1.d.test i alias=real.u.test/i 192.0.2.1\n"

static void test_address(void **state)
{
	static const struct plan_case cases[] = {
		{"row 6 insecure, no alias: TLSA must not be asked",
	         MX1 A1_I "TLSA _25._tcp.mx1.d.test f rcode=4\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=6\n"},
		{"row 6a secure CNAME (RFC 7672 2.2.3)",
	         MX1 ALIAS_I "CNAME mx1.d.test s real.u.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n"
	         "asked CNAME mx1.d.test\n" ASK1},
		{"row 6a secure CNAME, no TLSA at the original name",
	         MX1 ALIAS_I "CNAME mx1.d.test s real.u.test\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n"
	         "asked CNAME mx1.d.test\n" ASK1},
		{"row 6a insecure CNAME: as row 6",
	         MX1 ALIAS_I "CNAME mx1.d.test i real.u.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=6a\n"
	         "asked CNAME mx1.d.test\n"},
		{"row 6a bogus CNAME: host skipped",
	         MX1 ALIAS_I "CNAME mx1.d.test b scenario=rrsig-expired\n",
	         "defer 4.7.324 rrsig-expired row=1-11\n"
	         "mx1.d.test skip/none row=6a defer 4.7.324 rrsig-expired\n"
	         "asked CNAME mx1.d.test\n"},
		{"row 6a failed CNAME: host skipped",
	         MX1 ALIAS_I "CNAME mx1.d.test f rcode=2\n",
	         "defer 4.7.324 alias-lookup-failed row=1-11\n"
	         "mx1.d.test skip/none row=6a defer 4.7.324 "
	         "alias-lookup-failed\n"
	         "asked CNAME mx1.d.test\n"},
		{"row 7 A secure, AAAA insecure: asked once",
	         MX1 A1 "AAAA mx1.d.test i 2001:db8::1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 7 A insecure, AAAA secure: asked once",
	         MX1 A1_I "AAAA mx1.d.test s 2001:db8::1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 8 A secure, AAAA bogus", MX1 A1 "AAAA mx1.d.test b\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 8 A failed, AAAA gives addresses (A50)",
	         MX1
	         "A mx1.d.test f rcode=2\nAAAA mx1.d.test s 2001:db8::1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 9 A bogus, AAAA NODATA",
	         MX1 "A mx1.d.test b scenario=rrsig-not-yet-valid\n",
	         "defer 4.7.324 rrsig-not-yet-valid row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 "
	         "rrsig-not-yet-valid\n"},
		{"row 9 A failed, AAAA bogus: the bogus one speaks",
	         MX1 "A mx1.d.test f rcode=2\nAAAA mx1.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n"},
		{"row 9 bogus alias step of a good address",
	         MX1 "A mx1.d.test i alias=x.test/b 192.0.2.1\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n"},
		{"row 10 A failed, AAAA NODATA (A50)",
	         MX1 "A mx1.d.test f rcode=2\n",
	         "defer 4.4.312 address-lookup-failed row=1-11\n"
	         "mx1.d.test skip/none row=10 defer 4.4.312 "
	         "address-lookup-failed\n"},
		{"row 11 no address on the only host",
	         MX1 "A mx1.d.test s nxdomain\nAAAA mx1.d.test s nxdomain\n",
	         "fail 5.4.4 no-addresses row=1-11\n"
	         "mx1.d.test skip/none row=11 fail 5.4.4 no-addresses\n"},
		{"row 11 beside row 10: not for good",
	         MX2 "A mx2.d.test f rcode=5\n",
	         "defer 4.4.312 address-lookup-failed row=1-11\n"
	         "mx1.d.test skip/none row=11 defer 4.4.312 "
	         "host-without-address\n"
	         "mx2.d.test skip/none row=10 defer 4.4.312 "
	         "address-lookup-failed\n"},
		{"row 11 with more hosts than were looked at",
	         "MX d.test s cut 10:mx1.d.test\n",
	         "defer 4.4.312 host-without-address row=1-11\n"
	         "mx1.d.test skip/none row=11 defer 4.4.312 "
	         "host-without-address\n"},
		{"row 11 addresses that are no host's",
	         MX1 "A mx1.d.test s 0.0.0.0 255.255.255.255 224.0.0.1\n"
	             "AAAA mx1.d.test s :: ff02::1 ::ffff:127.0.0.1\n",
	         "fail 5.4.4 no-addresses row=1-11\n"
	         "mx1.d.test skip/none row=11 fail 5.4.4 no-addresses\n"},
	};

	(void)state;
	CHECK(cases);
}

/* --- Names: aliases of the host, of the TLSA owner ---------------------------
 */

#define TREAL "TLSA _25._tcp.real.d.test "
#define ASKR  "asked TLSA _25._tcp.real.d.test\n"

static void test_alias(void **state)
{
	static const struct plan_case cases[] = {
		{"secure alias: TLSA at the expanded name (RFC 7672 2.2.2)",
	         MX1 ALIAS_S TREAL "s 3.1.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=real.d.test\n" ASKR},
		{"secure alias: none there, TLSA at the original name",
	         MX1 ALIAS_S TREAL "s nxdomain\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASKR ASK1},
		{"secure alias: insecurely denied there, then the original",
	         MX1 ALIAS_S TREAL "i nodata\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASKR ASK1},
		{"secure alias: insecure records there, then the original",
	         MX1 ALIAS_S TREAL "i 3.1.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASKR ASK1},
		{"secure alias: none at either", MX1 ALIAS_S,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASKR ASK1},
		{"secure alias: error there never falls to the original",
	         MX1 ALIAS_S TREAL "f rcode=2\n" T1,
	         "defer 4.7.324 tlsa-servfail row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-servfail\n" ASKR},
		{"secure alias: bogus there never falls to the original",
	         MX1 ALIAS_S TREAL "b scenario=denial-unproven\n" T1,
	         "defer 4.7.324 denial-unproven row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "denial-unproven\n" ASKR},
		{"secure alias: unusable there is an answer: encrypt",
	         MX1 ALIAS_S TREAL "s 1.1.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test encrypt/all-unusable row=2\n" ASKR},
		{"names between the first and the last alias are not asked",
	         MX1 "A mx1.d.test s alias=mid.d.test/s alias=real.d.test/s "
	             "192.0.2.1\n"
	             "TLSA _25._tcp.mid.d.test s 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASKR ASK1},
		{"an insecure step makes the chain insecure: row 6a",
	         MX1 "A mx1.d.test s alias=mid.d.test/s alias=real.u.test/i "
	             "192.0.2.1\n"
	             "CNAME mx1.d.test s mid.d.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n"
	         "asked CNAME mx1.d.test\n" ASK1},
		{"an alias to the root is no TLSA base",
	         MX1 "A mx1.d.test s alias=./s 192.0.2.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"CNAME at the TLSA owner, secure: the base stays",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s alias=t.x.test/s 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"CNAME at the TLSA owner, insecure step: no TLSA here",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s alias=t.x.test/i 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=4\n" ASK1},
		{"CNAME at the TLSA owner, bogus step: host skipped",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s alias=t.x.test/b 3.1.1\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "dnssec-bogus\n" ASK1},
		{"CNAME at the TLSA owner, failed step: host skipped",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s alias=t.x.test/f 3.1.1\n",
	         "defer 4.7.324 tlsa-failed row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 tlsa-failed\n" ASK1},
		{"insecure step at the expanded owner: then the original",
	         MX1 ALIAS_S TREAL "s alias=t.x.test/i 3.1.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASKR ASK1},
		{"single-label host",
	         "MX d.test s 10:mx\nA mx s 192.0.2.1\n"
	         "TLSA _25._tcp.mx s 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx dane/tlsa row=1 base=mx\nasked TLSA _25._tcp.mx\n"},
		{"address literal as MX host: never DANE",
	         "MX d.test s 10:192.0.2.9\n",
	         "deliver row=1-11\n"
	         "192.0.2.9 opportunistic/none row=literal\n"},
	};

	(void)state;
	CHECK(cases);
}

/* --- Rows 12 to 17a: the MX answer
 * --------------------------------------------- */

static void test_mx(void **state)
{
	static const struct plan_case cases[] = {
		{"row 12 bogus", "MX d.test b scenario=rrsig-expired\n",
	         "defer 4.7.324 rrsig-expired row=12\n"},
		{"row 12 bogus, DS without DNSKEY",
	         "MX d.test b scenario=ds-without-dnskey\n",
	         "defer 4.7.324 ds-without-dnskey row=12\n"},
		{"row 12 a scenario that is no DNSSEC verdict is not believed",
	         "MX d.test b scenario=tlsa-servfail\n",
	         "defer 4.7.324 dnssec-bogus row=12\n"},
		{"row 12 bogus alias of the domain",
	         "MX d.test i alias=e.test/b 10:mx1.d.test\n" A1,
	         "defer 4.7.324 dnssec-bogus row=12\n"},
		{"row 12 with DANE off too", "MX d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=12\n", .dane = SP_DANE_OFF},
		{"row 13 failed", "MX d.test f rcode=2\n",
	         "defer 4.4.312 mx-lookup-failed row=13\n"},
		{"row 13 failed, a DNSSEC scenario does not make it 324",
	         "MX d.test f scenario=rrsig-expired\n",
	         "defer 4.4.312 mx-lookup-failed row=13\n"},
		{"row 14 NXDOMAIN secure", "MX d.test s nxdomain\n",
	         "fail 5.4.310 no-such-domain row=14\n"},
		{"row 14 NXDOMAIN insecure", "MX d.test i nxdomain\n",
	         "fail 5.4.310 no-such-domain row=14\n"},
		{"row 15 implicit MX, DANE applies",
	         "A d.test s 192.0.2.1\nTLSA _25._tcp.d.test s 3.1.1\n",
	         "deliver row=15\n"
	         "d.test dane/tlsa row=1 base=d.test\n"
	         "asked TLSA _25._tcp.d.test\n"},
		{"row 15 implicit MX, insecure address",
	         "A d.test i 192.0.2.1\n",
	         "deliver row=15\nd.test opportunistic/none row=6\n"},
		{"row 15 implicit MX, no address", "MX d.test s nodata\n",
	         "fail 5.4.4 no-addresses row=15\n"
	         "d.test skip/none row=11 fail 5.4.4 no-addresses\n"},
		{"row 16 implicit MX, insecure",
	         "MX d.test i nodata\nA d.test i 192.0.2.1\n",
	         "deliver row=16\nd.test opportunistic/none row=19\n"},
		{"row 16 implicit MX, insecure NODATA, secure address",
	         "MX d.test i nodata\nA d.test s 192.0.2.1\n"
	         "TLSA _25._tcp.d.test s 3.1.1\n",
	         "deliver row=16\n"
	         "d.test half-dane/insecure-mx row=18 base=d.test\n"
	         "asked TLSA _25._tcp.d.test\n"},
		{"row 17 null MX (RFC 7505)", "MX d.test s 0:.\n",
	         "fail 5.1.10 null-mx row=17\n"},
		{"row 17 any preference, insecure", "MX d.test i 10:.\n",
	         "fail 5.1.10 null-mx row=17\n"},
		{"row 17a `0 .` beside others",
	         "MX d.test s 0:. 10:mx1.d.test\n" A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 17a `10 .` beside others",
	         "MX d.test s 5:mx1.d.test 10:.\n" A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
	};

	(void)state;
	CHECK(cases);
}

/* --- Rows 18, 18a, 19: insecure MX
 * ------------------------------------------------ */

static void test_insecure_mx(void **state)
{
	static const struct plan_case cases[] = {
		{"row 18 insecure_mx = dane", MX1_I A1 T1,
	         "deliver row=18-19\n"
	         "mx1.d.test half-dane/insecure-mx row=18 "
	         "base=mx1.d.test\n" ASK1},
		{"row 18 insecure_mx = encrypt", MX1_I A1 T1,
	         "deliver row=18-19\n"
	         "mx1.d.test encrypt/insecure-mx row=18\n" ASK1,
	         .insecure_mx = SP_INSECURE_MX_ENCRYPT},
		{"row 18 insecure_mx = may: nothing depends on TLSA", MX1_I A1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/none row=18\n",
	         .insecure_mx = SP_INSECURE_MX_MAY},
		{"row 18 all unusable",
	         MX1_I A1 "TLSA _25._tcp.mx1.d.test s 0.0.1\n",
	         "deliver row=18-19\n"
	         "mx1.d.test encrypt/all-unusable row=18\n" ASK1},
		{"row 18 no TLSA", MX1_I A1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/none row=18\n" ASK1},
		{"row 18 insecure alias of the domain makes the MX insecure",
	         "MX d.test s alias=e.test/i 10:mx1.d.test\n" A1 T1,
	         "deliver row=18-19\n"
	         "mx1.d.test half-dane/insecure-mx row=18 "
	         "base=mx1.d.test\n" ASK1},
		{"row 18 secure alias of the host",
	         MX1_I ALIAS_S TREAL "s 3.1.1\n",
	         "deliver row=18-19\n"
	         "mx1.d.test half-dane/insecure-mx row=18 "
	         "base=real.d.test\n" ASKR},
		{"row 18a TLSA bogus",
	         MX1_I A1 "TLSA _25._tcp.mx1.d.test b scenario=rrsig-expired\n",
	         "defer 4.7.324 rrsig-expired row=18-19\n"
	         "mx1.d.test skip/none row=18a defer 4.7.324 "
	         "rrsig-expired\n" ASK1},
		{"row 18a TLSA failed",
	         MX1_I A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n",
	         "defer 4.7.324 tlsa-servfail row=18-19\n"
	         "mx1.d.test skip/none row=18a defer 4.7.324 "
	         "tlsa-servfail\n" ASK1},
		{"row 19 insecure address: not asked (A2)", MX1_I A1_I T1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/none row=19\n"},
		{"row 19 insecure address by alias: no CNAME question",
	         MX1_I ALIAS_I "CNAME mx1.d.test s real.u.test\n" T1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/none row=19\n"},
		{"row 19 bogus address", MX1_I "A mx1.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=18-19\n"
	         "mx1.d.test skip/none row=19 defer 4.7.324 dnssec-bogus\n"},
		{"row 19 failed address", MX1_I "A mx1.d.test f rcode=2\n",
	         "defer 4.4.312 address-lookup-failed row=18-19\n"
	         "mx1.d.test skip/none row=19 defer 4.4.312 "
	         "address-lookup-failed\n"},
		{"row 19 no address", MX1_I,
	         "fail 5.4.4 no-addresses row=18-19\n"
	         "mx1.d.test skip/none row=19 fail 5.4.4 no-addresses\n"},
	};

	(void)state;
	CHECK(cases);
}

/* --- Routes, ourselves, the validator
 * ----------------------------------------------- */

#define FIXED  .fixed = "[mx1.d.test]"
#define MANDAT .dane = SP_DANE_MANDATORY

static void test_route(void **state)
{
	static const struct plan_case cases[] = {
		{"dane = off: TLSA is not asked", MX1 A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/route row=1-5\n",
	         .dane = SP_DANE_OFF},
		{"dane = off: bogus addresses are not used all the same",
	         MX1 "A mx1.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n",
	         .dane = SP_DANE_OFF},
		{"mandatory, met", MX1 A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1,
	         MANDAT},
		{"mandatory, no TLSA (A44)", MX1 A1,
	         "defer 4.7.324 dane-required row=1-11\n"
	         "mx1.d.test skip/route row=3 defer 4.7.324 "
	         "dane-required\n" ASK1,
	         MANDAT},
		{"mandatory, half-dane (A44)", MX1_I A1 T1,
	         "defer 4.7.324 dane-required row=18-19\n"
	         "mx1.d.test skip/route row=18 defer 4.7.324 "
	         "dane-required\n" ASK1,
	         MANDAT},
		{"mandatory, all unusable (A44)",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 1.1.1\n",
	         "defer 4.7.324 dane-required row=1-11\n"
	         "mx1.d.test skip/route row=2 defer 4.7.324 "
	         "dane-required\n" ASK1,
	         MANDAT},
		{"mandatory, insecure address", MX1 A1_I,
	         "defer 4.7.324 dane-required row=1-11\n"
	         "mx1.d.test skip/route row=6 defer 4.7.324 dane-required\n",
	         MANDAT},
		{"mandatory, TLSA fails: that cause stays",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n",
	         "defer 4.7.324 tlsa-servfail row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-servfail\n" ASK1,
	         MANDAT},
		{"mandatory, forged NXDOMAIN must not return mail",
	         "MX d.test i nxdomain\n",
	         "defer 4.7.324 dane-required row=14\n", MANDAT},
		{"mandatory, forged null MX must not return mail",
	         "MX d.test i 0:.\n", "defer 4.7.324 dane-required row=17\n",
	         MANDAT},
		{"mandatory, proven NXDOMAIN returns it",
	         "MX d.test s nxdomain\n",
	         "fail 5.4.310 no-such-domain row=14\n", MANDAT},
		{"mandatory, forged absence of addresses",
	         MX1 "A mx1.d.test i nodata\n",
	         "defer 4.7.324 dane-required row=1-11\n"
	         "mx1.d.test skip/route row=11 defer 4.7.324 dane-required\n",
	         MANDAT},
		{"mandatory, proven absence of addresses", MX1,
	         "fail 5.4.4 no-addresses row=1-11\n"
	         "mx1.d.test skip/none row=11 fail 5.4.4 no-addresses\n",
	         MANDAT},
		{"fixed next hop: as good as a secure MX, no MX question",
	         "MX d.test b\n" A1 T1,
	         "deliver row=fixed\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1,
	         FIXED},
		{"fixed next hop, mandatory", A1 T1,
	         "deliver row=fixed\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1,
	         MANDAT, FIXED},
		{"fixed next hop, insecure address", A1_I,
	         "deliver row=fixed\n"
	         "mx1.d.test opportunistic/none row=6\n",
	         FIXED},
		{"fixed next hop that is ourselves is meant so",
	         "A self.test s 198.51.100.1\n",
	         "deliver row=fixed\n"
	         "self.test opportunistic/none row=3\n"
	         "asked TLSA _25._tcp.self.test\n",
	         .fixed = "self.test"},
		{"fixed next hop, address literal", "",
	         "deliver row=fixed\n"
	         "[192.0.2.5] opportunistic/none row=literal\n",
	         .fixed = "[192.0.2.5]"},
		{"address literal as domain (RFC 5321 4.1.3)", "",
	         "deliver row=literal\n"
	         "[192.0.2.5] opportunistic/none row=literal\n",
	         .domain = "[192.0.2.5]"},
		{"IPv6 literal as domain", "",
	         "deliver row=literal\n"
	         "[IPv6:2001:db8::7] opportunistic/none row=literal\n",
	         .domain = "[IPv6:2001:db8::7]"},
		{"address literal, mandatory", "",
	         "defer 4.7.324 dane-required row=literal\n"
	         "[192.0.2.5] skip/route row=literal defer 4.7.324 "
	         "dane-required\n",
	         MANDAT, .domain = "[192.0.2.5]"},
		{"address literal that is ourselves", "",
	         "fail 5.4.6 mx-is-self row=literal\n",
	         .domain = "[198.51.100.1]"},
		{"address literal of nobody", "",
	         "fail 5.1.2 bad-domain row=literal\n", .domain = "[0.0.0.0]"},
		{"no domain", "", "fail 5.1.2 bad-domain row=\n",
	         .domain = "a..b"},
		{"the root is no mail domain", "",
	         "fail 5.1.2 bad-domain row=\n", .domain = "."},
		{"RFC 5321 5.1 ourselves and all behind us dropped",
	         "MX d.test s 10:mx1.d.test 20:self.test 20:mx2.d.test "
	         "30:mx3.d.test\n" A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"RFC 5321 5.1 nothing better than ourselves",
	         "MX d.test s 10:self.test 20:mx1.d.test\n" A1,
	         "fail 5.4.6 mx-is-self row=1-11\n"},
		{"RFC 5321 5.1 ourselves by address",
	         MX2 A1 "AAAA mx2.d.test s 2001:db8::5e1f\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1
	         "asked TLSA _25._tcp.mx2.d.test\n"},
		{"RFC 5321 5.1 ourselves by address, equal preference",
	         "MX d.test s 10:mx1.d.test 10:mx2.d.test\n" A1
	         "A mx2.d.test s 198.51.100.1\n",
	         "fail 5.4.6 mx-is-self row=1-11\n"
	         "asked TLSA _25._tcp.mx1.d.test\n"
	         "asked TLSA _25._tcp.mx2.d.test\n"},
		{"backup MX: the primary without address is not for good",
	         "MX d.test s 10:mx1.d.test 20:self.test\n",
	         "defer 4.4.312 host-without-address row=1-11\n"
	         "mx1.d.test skip/none row=11 defer 4.4.312 "
	         "host-without-address\n"},
		{"broken validator: nothing is insecure, all is failed", MX1 A1,
	         "defer 4.4.312 resolver-not-validating row=13\n",
	         .broken = true},
		{"broken validator: NXDOMAIN does not return mail",
	         "MX d.test s nxdomain\n",
	         "defer 4.4.312 resolver-not-validating row=13\n",
	         .broken = true},
		{"broken validator: bogus does not accuse the destination",
	         "MX d.test b scenario=rrsig-expired\n",
	         "defer 4.4.312 resolver-not-validating row=12\n",
	         .broken = true},
		{"broken validator, fixed next hop", A1_I,
	         "defer 4.4.312 resolver-not-validating row=fixed\n"
	         "mx1.d.test skip/none row=10 defer 4.4.312 "
	         "resolver-not-validating\n",
	         FIXED, .broken = true},
		{"broken validator, DANE off: mail flows, nothing is secure",
	         MX1 A1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/route row=19\n",
	         .dane = SP_DANE_OFF, .broken = true},
	};

	(void)state;
	CHECK(cases);
}

/* --- Several hosts: who speaks for the domain
 * ------------------------------------------ */

static void test_domain_verdict(void **state)
{
	static const struct plan_case cases[] = {
		{"324 before 4.4.312 (mail-flow 5)",
	         MX2 "A mx1.d.test f rcode=2\nA mx2.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=10 defer 4.4.312 "
	         "address-lookup-failed\n"
	         "mx2.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n"},
		{"first bogus, second good (A14)",
	         MX2 "A mx1.d.test b\n" A2 "TLSA _25._tcp.mx2.d.test s 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n"
	         "mx2.d.test dane/tlsa row=1 base=mx2.d.test\n"
	         "asked TLSA _25._tcp.mx2.d.test\n"},
		{"no host has an address: for good", MX2,
	         "fail 5.4.4 no-addresses row=1-11\n"
	         "mx1.d.test skip/none row=11 fail 5.4.4 no-addresses\n"
	         "mx2.d.test skip/none row=11 fail 5.4.4 no-addresses\n"},
		{"the same host twice counts at its best preference",
	         "MX d.test s 20:mx1.d.test 10:mx1.d.test\n" A1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
	};

	(void)state;
	CHECK(cases);
}

/* --- Digest agility, reference names, digest
 * ---------------------------------------------- */

static void test_agility(void **state)
{
	static const struct {
		const char *name;
		const char *records;
		const char *expected; /* usage.selector.matching:reason */
	} cases[] = {
		{"A33a 3 1 1 beside a well-formed 3 1 2 (RFC 7671 9)",
	         "3.1.1 3.1.2", "3.1.2:0 3.1.1:weaker "},
		{"A33b 3 1 1 beside a malformed 3 1 2 (RFC 7671 9)",
	         "3.1.1 3.1.2!a", "3.1.1:0 3.1.2:unusable "},
		{"Full stays beside digests", "3.1.0 3.1.1 3.1.2",
	         "3.1.0:0 3.1.2:0 3.1.1:weaker "},
		{"per usage and selector", "3.0.2 3.1.1 2.1.1 2.0.1",
	         "2.0.1:0 2.1.1:0 3.0.2:0 3.1.1:0 "},
		{"an unusable usage weakens nothing", "1.1.2 3.1.1",
	         "3.1.1:0 1.1.2:unusable "},
		{"several of one kind all count", "3.1.1:b 3.1.1:a",
	         "3.1.1:0 3.1.1:0 "},
		{"the same record twice counts once", "3.1.1 3.1.1",
	         "3.1.1:0 "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char world[256], text[256] = "";
		struct plan_case c = {.world = world};
		struct sp_plan_conf conf = conf_of(&c);
		struct sp_plan *plan;

		(void)snprintf(world, sizeof(world),
		               MX1 A1 "TLSA _25._tcp.mx1.d.test s %s\n",
		               cases[i].records);
		plan = run(&c, &conf);
		for (size_t k = 0; k < plan->hosts[0].tlsa_count; k++) {
			const struct sp_plan_tlsa_record *r =
				&plan->hosts[0].tlsa[k];

			say(text, sizeof(text), "%u.%u.%u:%s ", r->tlsa.usage,
			    r->tlsa.selector, r->tlsa.matching,
			    r->reason == SP_TLSA_USABLE          ? "0"
			    : r->reason == SP_TLSA_WEAKER_DIGEST ? "weaker"
			                                         : "unusable");
		}
		if (strcmp(text, cases[i].expected) != 0) {
			fail_msg("%s: is %s, should be %s", cases[i].name, text,
			         cases[i].expected);
		}
		sp_plan_free(&plan);
	}
}

static void test_session_names(void **state)
{
	static const struct {
		struct plan_case plan;
		const char *sni;
		const char *ids;
		const char *digest;
	} cases[] = {
		{{"RFC 7672 3.2.3 secure MX: base and next-hop",
	          MX1 A1 "TLSA _25._tcp.mx1.d.test s 2.1.1\n", NULL},
	         "mx1.d.test",
	         "mx1.d.test d.test ",
	         "names=d.test,mx1.d.test"},
		{{"RFC 7672 3.2.3 secure alias of the domain: expanded too",
	          "MX d.test s alias=e.test/s 10:mx1.d.test\n" A1
	          "TLSA _25._tcp.mx1.d.test s 2.1.1\n",
	          NULL},
	         "mx1.d.test",
	         "mx1.d.test d.test e.test ",
	         "names=d.test,e.test,mx1.d.test"},
		{{"RFC 7672 3.2.3 base is the expanded host",
	          MX1 ALIAS_S TREAL "s 2.1.1\n", NULL},
	         "real.d.test",
	         "real.d.test d.test ",
	         "sni=real.d.test"},
		{{"RFC 7672 3.2.3 implicit MX",
	          "A d.test s 192.0.2.1\nTLSA _25._tcp.d.test s 2.1.1\n", NULL},
	         "d.test",
	         "d.test ",
	         "names=d.test"},
		{{"RFC 7672 3.2.3 insecure MX: the base only",
	          MX1_I A1 "TLSA _25._tcp.mx1.d.test s 2.1.1\n", NULL},
	         "mx1.d.test",
	         "mx1.d.test ",
	         "rule=half-dane"},
		{{"RFC 7672 3.2.3 fixed next hop: expansion and its name",
	          ALIAS_S TREAL "s 2.1.1\n", NULL, FIXED},
	         "real.d.test",
	         "real.d.test mx1.d.test ",
	         "names=mx1.d.test,real.d.test"},
		{{"RFC 7672 3.2.3 fixed next hop: its name",
	          A1 "TLSA _25._tcp.mx1.d.test s 2.1.1\n", NULL, FIXED},
	         "mx1.d.test",
	         "mx1.d.test ",
	         "names=mx1.d.test"},
		{{"no DANE: the MX host name (SNI)", MX1 A1, NULL},
	         "mx1.d.test",
	         "",
	         "rule=opportunistic port=25 sni=mx1.d.test"},
		{{"literal: no SNI", "", NULL, .domain = "[192.0.2.5]"},
	         "",
	         "",
	         "rule=opportunistic"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_plan_conf conf = conf_of(&cases[i].plan);
		struct sp_plan *plan = run(&cases[i].plan, &conf);
		const struct sp_plan_host *host = &plan->hosts[0];
		char ids[256] = "", digest[1024];

		for (size_t k = 0; k < host->reference_id_count; k++) {
			say(ids, sizeof(ids), SP_STR_FMT " ",
			    SP_STR_ARG(host->reference_ids[k]));
		}
		pw_copy(digest, sizeof(digest), host->digest);
		if (strcmp(ids, cases[i].ids) != 0 ||
		    !sp_str_eq(host->sni, sp_str_from(cases[i].sni)) ||
		    strstr(digest, cases[i].digest) == NULL) {
			fail_msg("%s: ids %s, sni " SP_STR_FMT ", digest %s",
			         cases[i].plan.name, ids, SP_STR_ARG(host->sni),
			         digest);
		}
		sp_plan_free(&plan);
	}
}

static struct sp_str digest_of(const char *world, struct sp_arena *arena,
                               const char *domain)
{
	struct plan_case c = {.world = world, .domain = domain};
	struct sp_plan_conf conf = conf_of(&c);
	struct sp_plan *plan = run(&c, &conf);
	struct sp_str digest = sp_arena_str(arena, plan->hosts[0].digest);

	sp_plan_free(&plan);
	return digest;
}

/* Same text, same policy: the key of connection reuse. */
static void test_digest(void **state)
{
	static const char ab[] =
		MX1 A1 "TLSA _25._tcp.mx1.d.test s 3.1.1:a 3.1.1:b\n";
	static const char ba[] =
		MX1 A1 "TLSA _25._tcp.mx1.d.test s 3.1.1:b 3.1.1:a\n";
	static const char noise[] =
		MX1 A1 "TLSA _25._tcp.mx1.d.test s 0.0.1 3.1.1:b 3.1.1:a\n";
	static const char ta[] = MX1 A1 "TLSA _25._tcp.mx1.d.test s 2.1.1:a\n";
	static const char e_ee[] =
		"MX e.test s 10:mx1.d.test\n" A1
		"TLSA _25._tcp.mx1.d.test s 3.1.1:a 3.1.1:b\n";
	static const char e_ta[] = "MX e.test s 10:mx1.d.test\n" A1
				   "TLSA _25._tcp.mx1.d.test s 2.1.1:a\n";
	static const char half[] =
		MX1_I A1 "TLSA _25._tcp.mx1.d.test s 3.1.1:a 3.1.1:b\n";
	struct sp_arena arena;
	struct sp_str base;

	(void)state;
	sp_arena_init(&arena);
	base = digest_of(ab, &arena, NULL);
	assert_true(sp_str_eq(base, digest_of(ba, &arena, NULL)));
	assert_true(sp_str_eq(base, digest_of(noise, &arena, NULL)));
	assert_true(sp_str_eq(base, digest_of(e_ee, &arena, "e.test")));
	assert_false(sp_str_eq(base, digest_of(MX1 A1 T1, &arena, NULL)));
	assert_false(sp_str_eq(base, digest_of(half, &arena, NULL)));
	assert_false(sp_str_eq(digest_of(ta, &arena, NULL),
	                       digest_of(e_ta, &arena, "e.test")));
	sp_arena_fini(&arena);
}

/* --- Hosts and addresses
 * --------------------------------------------------------------------- */

static void test_order(void **state)
{
	static const char world[] =
		"MX d.test s 20:z.test 10:a.test 10:b.test 10:c.test 5:y.test\n"
		"A a.test s 192.0.2.1\nA b.test s 192.0.2.2\n"
		"A c.test s 192.0.2.3\nA y.test s 192.0.2.4\n"
		"A z.test s 192.0.2.5\n";
	struct plan_case c = {.world = world};
	struct sp_plan_conf conf = conf_of(&c);
	unsigned first[3] = {0};

	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		char *copy = sp_strdup(world);
		struct sp_plan *plan = pw_run(&conf, "d.test", seed,
		                              world_answer, copy, &plan_log);

		assert_int_equal(plan->host_count, 5);
		assert_true(sp_str_eq(plan->hosts[0].name, SP_STR("y.test")));
		assert_true(sp_str_eq(plan->hosts[4].name, SP_STR("z.test")));
		first[plan->hosts[1].name.ptr[0] - 'a']++;
		sp_plan_free(&plan);
		sp_free(copy);
	}
	for (size_t i = 0; i < 3; i++) {
		assert_in_range(first[i], 70, 130);
	}
}

static void test_limits(void **state)
{
	static const char world[] =
		"MX d.test s 10:mx1.d.test 20:mx2.d.test 30:mx3.d.test\n"
		"A mx1.d.test s 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.1\n"
		"AAAA mx1.d.test s 2001:db8::1 2001:db8::2 2001:db8::3\n" A2
		"TLSA _25._tcp.mx1.d.test s 0.0.1 1.0.1 1.1.1 3.1.1 3.0.1\n";
	struct plan_case c = {.world = world};
	struct sp_plan_conf conf = conf_of(&c);
	const struct sp_plan_host *host;
	struct sp_plan *plan;

	(void)state;
	plan = run(&c, &conf);
	assert_int_equal(plan->host_count, 3);
	assert_int_equal(plan->hosts[0].address_count, 6);
	sp_plan_free(&plan);

	conf.hosts_max = 2;
	conf.addresses_max = 3;
	conf.tlsa_max = 2;
	plan = run(&c, &conf);
	host = &plan->hosts[0];
	assert_int_equal(plan->host_count, 2);
	assert_true(plan->warning.len > 0);
	assert_int_equal(host->address_count, 3);
	/* Families in turn, so that none is lost. */
	assert_int_equal(host->addresses[0].family, 6);
	assert_int_equal(host->addresses[1].family, 4);
	assert_int_equal(host->addresses[2].family, 6);
	/* The usable records stay. */
	assert_int_equal(host->tlsa_count, 2);
	assert_int_equal(host->tlsa[0].reason, SP_TLSA_USABLE);
	assert_int_equal(host->tlsa[1].reason, SP_TLSA_USABLE);
	assert_int_equal(host->rule, SP_RULE_DANE);
	assert_true(host->warning.len > 0);
	assert_int_equal(plan->ttl_s, 300);
	sp_plan_free(&plan);
}

static void test_long_name(void **state)
{
	/* 253 characters: "_25._tcp." does not fit before it. */
	char host[254], world[1024];
	struct plan_case c = {.world = world};
	struct sp_plan_conf conf = conf_of(&c);
	struct sp_plan *plan;

	(void)state;
	memset(host, 'a', sizeof(host) - 1);
	host[253] = '\0';
	host[63] = host[127] = host[191] = '.';
	(void)snprintf(world, sizeof(world),
	               "MX d.test s 10:%s\nA %s s 192.0.2.1\n", host, host);
	plan = run(&c, &conf);
	assert_int_equal(plan->hosts[0].rule, SP_RULE_OPPORTUNISTIC);
	assert_true(plan->hosts[0].warning.len > 0);
	assert_null(pw_find(&plan_log, SP_DNS_TYPE_TLSA,
	                    plan->hosts[0].tlsa_owner));
	sp_plan_free(&plan);
}

/* Whatever the order of the answers, the plan is the same; and all addresses
 * are asked for at once. */
static void test_any_order(void **state)
{
	static const char world[] = MX2 A1 A2 T1;
	struct plan_case c = {.world = world};
	struct sp_plan_conf conf = conf_of(&c);
	struct sp_plan *plan = sp_plan_new(&conf, SP_STR("D.Test."), 1);
	struct sp_plan_question q[16];
	size_t count = 0;
	char text[1024];

	(void)state;
	plan_log.count = 0;
	assert_true(sp_plan_next(plan, &q[0]));
	assert_false(sp_plan_next(plan, &q[1]));
	for (size_t round = 0; !sp_plan_done(plan); round++) {
		char *copy = sp_strdup(world);

		count = round == 0 ? 1 : 0;
		while (sp_plan_next(plan, &q[count])) {
			count++;
		}
		assert_int_equal(count, round == 0 ? 1 : round == 1 ? 4 : 2);
		while (count-- > 0) { /* last first */
			struct sp_dns_answer *a = world_answer(
				copy, q[count].name, q[count].type);

			sp_plan_answer(plan, q[count].id, &a);
		}
		sp_free(copy);
	}
	summarise(plan, &plan_log, text, sizeof(text));
	assert_string_equal(text, "deliver row=1-11\n"
	                          "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n"
	                          "mx2.d.test opportunistic/none row=3\n");
	sp_plan_free(&plan);
	sp_plan_free(&plan);
}

/* An answer to another question is no answer to this one. */
static void test_wrong_answer(void **state)
{
	struct plan_case c = {.world = ""};
	struct sp_plan_conf conf = conf_of(&c);
	struct sp_plan *plan = sp_plan_new(&conf, SP_STR("d.test"), 1);
	struct sp_dns_answer *a =
		sp_dns_answer_new(SP_STR("evil.test"), SP_DNS_TYPE_MX);
	struct sp_plan_question q;

	(void)state;
	a->dnssec = SP_DNSSEC_SECURE;
	a->result = SP_DNS_NXDOMAIN;
	a->rcode = 3;
	assert_true(sp_plan_next(plan, &q));
	sp_plan_answer(plan, q.id, &a);
	assert_true(sp_plan_done(plan));
	assert_int_equal(plan->verdict.cause, SP_CAUSE_MX_LOOKUP_FAILED);
	sp_plan_free(&plan);
}

/* --- Log-only
 * ----------------------------------------------------------------------------------
 */

static void test_log_only(void **state)
{
	static const struct {
		const char *name;
		struct plan_case plan;
		const char *waived; /* null: stays skipped */
	} cases[] = {
		{"row 5 TLSA failed",
	         {"", MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n", NULL},
	         "tlsa-servfail"},
		{"row 5 TLSA bogus",
	         {"", MX1 A1 "TLSA _25._tcp.mx1.d.test b\n", NULL},
	         "dnssec-bogus"},
		{"row 18a TLSA failed",
	         {"", MX1_I A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n", NULL},
	         "tlsa-servfail"},
		{"row 6a CNAME failed",
	         {"", MX1 ALIAS_I "CNAME mx1.d.test f rcode=2\n", NULL},
	         "alias-lookup-failed"},
		{"row 6a CNAME bogus: the address may be forged",
	         {"", MX1 ALIAS_I "CNAME mx1.d.test b\n", NULL},
	         NULL},
		{"row 9 bogus address (A43)",
	         {"", MX1 "A mx1.d.test b\n", NULL},
	         NULL},
		{"row 10 failed address",
	         {"", MX1 "A mx1.d.test f rcode=2\n", NULL},
	         NULL},
		{"mandatory without TLSA", {"", MX1 A1, NULL, MANDAT}, NULL},
		{"mandatory, TLSA failed",
	         {"", MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n", NULL,
	          MANDAT},
	         NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_plan_conf conf = conf_of(&cases[i].plan);
		struct sp_plan *plan = run(&cases[i].plan, &conf);
		const struct sp_plan_host *host = &plan->hosts[0];
		const char *name = "";

		sp_filter_plan(true, plan); /* changes nothing */
		assert_int_equal(host->rule, SP_RULE_SKIP);
		assert_int_equal(plan->verdict.class, SP_VERDICT_TEMP);
		sp_filter_plan(false, plan);
		if (host->rule == SP_RULE_OPPORTUNISTIC) {
			name = sp_cause_get(host->waived.cause)->name;
		}
		if (strcmp(name, cases[i].waived ? cases[i].waived : "") != 0 ||
		    (plan->verdict.class == SP_VERDICT_DELIVERED) !=
		            (cases[i].waived != NULL)) {
			fail_msg("%s: waived \"%s\"", cases[i].name, name);
		}
		sp_plan_free(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secure),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_mx),
		cmocka_unit_test(test_insecure_mx),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_domain_verdict),
		cmocka_unit_test(test_agility),
		cmocka_unit_test(test_session_names),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_wrong_answer),
		cmocka_unit_test(test_log_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
