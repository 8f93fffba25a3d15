/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "net/resolver_evidence.h"
#include "net/resolver_failures.h"
#include "net/resolver_packet.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define BYTES(lit)                                                             \
	{                                                                      \
		"" lit, sizeof(lit) - 1                                        \
	}

/* A record of a packet to build: names are dotted, RDATA is bytes; in RDATA
 * "@name." stands for a name in wire form. */
struct rr {
	char section; /* 'a' answer, 'n' authority */
	const char *owner;
	uint16_t type;
	uint32_t ttl_s;
	struct sp_str rdata;
};

static void put_u16(struct sp_buf *out, unsigned value)
{
	(void)sp_buf_append_char(out, (char)(value >> 8));
	(void)sp_buf_append_char(out, (char)value);
}

static void put_name(struct sp_buf *out, struct sp_str name)
{
	struct sp_str label;

	while (sp_str_cut(&name, '.', &label)) {
		if (label.len > 0) {
			(void)sp_buf_append_char(out, (char)label.len);
			(void)sp_buf_append_str(out, label);
		}
	}
	(void)sp_buf_append_char(out, '\0');
}

static void put_rr(struct sp_buf *out, const struct rr *rr)
{
	struct sp_buf rdata;
	struct sp_str rest = rr->rdata;
	size_t at;

	sp_buf_init(&rdata, 65535);
	at = sp_str_find(rest, '@');
	(void)sp_buf_append_str(&rdata, sp_str_sub(rest, 0, at));
	if (at < rest.len) {
		struct sp_str name = sp_str_sub(rest, at + 1, rest.len);
		size_t end = sp_str_find(name, '@'); /* "@name.@rest" */

		put_name(&rdata, sp_str_sub(name, 0, end));
		(void)sp_buf_append_str(&rdata,
		                        sp_str_sub(name, end + 1, name.len));
	}
	put_name(out, sp_str_from(rr->owner));
	put_u16(out, rr->type);
	put_u16(out, 1);
	put_u16(out, rr->ttl_s >> 16);
	put_u16(out, rr->ttl_s & 0xffff);
	put_u16(out, (unsigned)sp_buf_len(&rdata));
	(void)sp_buf_append_str(out, sp_buf_str(&rdata));
	sp_buf_fini(&rdata);
}

static void build(struct sp_buf *out, unsigned rcode, const char *qname,
                  unsigned qtype, const struct rr *rrs)
{
	unsigned counts[2] = {0, 0};

	for (const struct rr *rr = rrs; rr->section; rr++) {
		counts[rr->section == 'n']++;
	}
	put_u16(out, 0);
	put_u16(out, 0x8180 | rcode);
	put_u16(out, 1);
	put_u16(out, counts[0]);
	put_u16(out, counts[1]);
	put_u16(out, 0);
	put_name(out, sp_str_from(qname));
	put_u16(out, qtype);
	put_u16(out, 1);
	for (const struct rr *rr = rrs; rr->section; rr++) {
		if (rr->section == 'a') {
			put_rr(out, rr);
		}
	}
	for (const struct rr *rr = rrs; rr->section; rr++) {
		if (rr->section == 'n') {
			put_rr(out, rr);
		}
	}
}

#define SOA_RDATA                                                              \
	BYTES("@ns.d.test.@\1h\0"                                              \
	      "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\x3c")

/* --- decoding --- */

static const struct decode_case {
	const char *name;
	const char *asked;
	enum sp_dns_type type;
	unsigned rcode;
	struct rr rrs[6];
	enum sp_dns_result result;
	size_t records;
	size_t aliases;
	const char *canonical;
	uint32_t ttl_s;
	const char *scenario; /* set: failed by it */
	bool cut;
} decode_cases[] = {
	{"RFC 1035 3.4.1 A",
         "d.test",
         SP_DNS_TYPE_A,
         0,
         {{'a', "d.test", 1, 300, BYTES("\x7f\1\2\3")}},
         SP_DNS_RECORDS,
         1,
         0,
         "d.test",
         300,
         NULL,
         false},
	{"RFC 3596 2.1 AAAA",
         "d.test",
         SP_DNS_TYPE_AAAA,
         0,
         {{'a', "d.test", 28, 5, BYTES("0123456789abcdef")}},
         SP_DNS_RECORDS,
         1,
         0,
         "d.test",
         5,
         NULL,
         false},
	{"RFC 1035 3.4.1 A of 3 bytes",
         "d.test",
         SP_DNS_TYPE_A,
         0,
         {{'a', "d.test", 1, 300, BYTES("\x7f\1\2")}},
         SP_DNS_NONE,
         0,
         0,
         "d.test",
         0,
         "dns-malformed",
         false},
	{"RFC 1035 3.3.9 MX, lowest TTL counts",
         "d.test",
         SP_DNS_TYPE_MX,
         0,
         {{'a', "d.test", 15, 300, BYTES("\0\12@MX1.d.test.")},
          {'a', "d.test", 15, 200, BYTES("\0\24@mx2.d.test.")}},
         SP_DNS_RECORDS,
         2,
         0,
         "d.test",
         200,
         NULL,
         false},
	{"RFC 7505 3 null MX",
         "d.test",
         SP_DNS_TYPE_MX,
         0,
         {{'a', "d.test", 15, 300, BYTES("\0\0@")}},
         SP_DNS_RECORDS,
         1,
         0,
         "d.test",
         300,
         NULL,
         false},
	{"RFC 1035 3.3.9 MX without exchange",
         "d.test",
         SP_DNS_TYPE_MX,
         0,
         {{'a', "d.test", 15, 300, BYTES("\0\12")}},
         SP_DNS_NONE,
         0,
         0,
         "d.test",
         0,
         "dns-malformed",
         false},
	{"RFC 6698 2.1 TLSA of 0 bytes",
         "_25._tcp.d.test",
         SP_DNS_TYPE_TLSA,
         0,
         {{'a', "_25._tcp.d.test", 52, 300, BYTES("")}},
         SP_DNS_RECORDS,
         1,
         0,
         "_25._tcp.d.test",
         300,
         NULL,
         false},
	{"RFC 6698 2.1 TLSA of 1 to 3 bytes",
         "_25._tcp.d.test",
         SP_DNS_TYPE_TLSA,
         0,
         {{'a', "_25._tcp.d.test", 52, 300, BYTES("\3")},
          {'a', "_25._tcp.d.test", 52, 300, BYTES("\3\1")},
          {'a', "_25._tcp.d.test", 52, 300, BYTES("\3\1\1")}},
         SP_DNS_RECORDS,
         3,
         0,
         "_25._tcp.d.test",
         300,
         NULL,
         false},
	{"RFC 4035 4.3 a foreign record in the answer is none",
         "d.test",
         SP_DNS_TYPE_A,
         0,
         {{'a', "e.test", 1, 300, BYTES("\x7f\1\2\3")}},
         SP_DNS_NODATA,
         0,
         0,
         "d.test",
         0,
         NULL,
         false},
	{"RFC 2308 5 NODATA, TTL by the SOA",
         "d.test",
         SP_DNS_TYPE_AAAA,
         0,
         {{'n', "d.test", 6, 300, SOA_RDATA}},
         SP_DNS_NODATA,
         0,
         0,
         "d.test",
         60,
         NULL,
         false},
	{"RFC 2308 2.1 NXDOMAIN behind an alias",
         "al.d.test",
         SP_DNS_TYPE_A,
         3,
         {{'a', "al.d.test", 5, 30, BYTES("@nx.d.test.")},
          {'n', "d.test", 6, 300, SOA_RDATA}},
         SP_DNS_NXDOMAIN,
         0,
         1,
         "nx.d.test",
         30,
         NULL,
         false},
	{"RFC 1034 3.6.2 chain in any order",
         "a.d.test",
         SP_DNS_TYPE_A,
         0,
         {{'a', "c.d.test", 1, 300, BYTES("\x7f\1\2\3")},
          {'a', "b.d.test", 5, 300, BYTES("@c.d.test.")},
          {'a', "a.d.test", 5, 300, BYTES("@b.d.test.")}},
         SP_DNS_RECORDS,
         1,
         2,
         "c.d.test",
         300,
         NULL,
         false},
	{"RFC 1034 3.6.2 question for the alias itself",
         "a.d.test",
         SP_DNS_TYPE_CNAME,
         0,
         {{'a', "a.d.test", 5, 300, BYTES("@b.d.test.")}},
         SP_DNS_RECORDS,
         1,
         0,
         "a.d.test",
         300,
         NULL,
         false},
	{"RFC 6672 2.1 question for the DNAME itself",
         "d.test",
         SP_DNS_TYPE_DNAME,
         0,
         {{'a', "d.test", 39, 300, BYTES("@e.test.")}},
         SP_DNS_RECORDS,
         1,
         0,
         "d.test",
         300,
         NULL,
         false},
	{"RFC 1034 3.6.2 loop",
         "a.d.test",
         SP_DNS_TYPE_A,
         0,
         {{'a', "a.d.test", 5, 300, BYTES("@b.d.test.")},
          {'a', "b.d.test", 5, 300, BYTES("@a.d.test.")}},
         SP_DNS_NONE,
         0,
         0,
         "a.d.test",
         0,
         "dns-limit",
         false},
	{"more records than the limit",
         "d.test",
         SP_DNS_TYPE_A,
         0,
         {{'a', "d.test", 1, 300, BYTES("\x7f\1\2\1")},
          {'a', "d.test", 1, 300, BYTES("\x7f\1\2\2")},
          {'a', "d.test", 1, 300, BYTES("\x7f\1\2\3")},
          {'a', "d.test", 1, 10, BYTES("\x7f\1\2\4")}},
         SP_DNS_RECORDS,
         3,
         0,
         "d.test",
         10,
         NULL,
         true},
	{"RFC 2671 4.6 other RCODEs are no answers",
         "d.test",
         SP_DNS_TYPE_A,
         5,
         {{0}},
         SP_DNS_NONE,
         0,
         0,
         "d.test",
         0,
         "dns-refused",
         false},
	{"answer to another question",
         "d.test",
         SP_DNS_TYPE_A,
         0,
         {{0}},
         SP_DNS_NONE,
         0,
         0,
         "d.test",
         0,
         "dns-malformed",
         false},
};

static const struct sp__dns_limits limits = {.records_max = 3,
                                             .aliases_max = 4};

static struct sp_dns_answer *decode(const struct decode_case *c, bool other)
{
	struct sp__dns_reply reply = {.security = SP__DNS_SEC_SECURE};
	struct sp_dns_answer *a;
	struct sp_buf packet;

	sp_buf_init(&packet, 65535);
	build(&packet, c->rcode, other ? "other.test" : c->asked,
	      (unsigned)c->type, c->rrs);
	reply.packet = sp_buf_str(&packet);
	a = sp__dns_answer_make(sp_str_from(c->asked), c->type, &reply,
	                        &limits);
	sp_buf_fini(&packet);
	return a;
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(decode_cases); i++) {
		const struct decode_case *c = &decode_cases[i];
		bool other = strstr(c->name, "another question") != NULL;
		struct sp_dns_answer *a = decode(c, other);

		print_message("  %s\n", c->name);
		assert_int_equal(sp_dns_answer_check(a), 0);
		assert_int_equal(a->result, c->result);
		assert_int_equal(a->dnssec, c->scenario ? SP_DNSSEC_FAILED
		                                        : SP_DNSSEC_SECURE);
		assert_true(sp_str_eq(a->scenario, sp_str_from(c->scenario)));
		assert_int_equal(a->record_count, c->records);
		assert_int_equal(a->alias_count, c->aliases);
		assert_true(sp_str_eq(a->canonical, sp_str_from(c->canonical)));
		assert_int_equal(a->ttl_s, c->ttl_s);
		assert_int_equal(a->cut, c->cut);
		sp_dns_answer_free(&a);
	}
}

#define TO_E  BYTES("@e.test.")
#define MX1_E BYTES("@MX1.E.test.")

static void test_dname(void **state)
{
	static const struct {
		struct decode_case c;
		const char *dname;
	} cases[] = {
		{{"RFC 6672 2.2 DNAME", "mx1.d.test", SP_DNS_TYPE_A,
	          .rrs = {{'a', "D.test", 39, 300, TO_E},
	                  {'a', "mx1.d.test", 5, 300, MX1_E}}},
	         "d.test"},
		{{"RFC 6672 2.2 DNAME two labels above", "mx1.sub.d.test",
	          SP_DNS_TYPE_A,
	          .rrs = {{'a', "mx1.sub.d.test", 5, 300,
	                   BYTES("@mx1.sub.e.test.")},
	                  {'a', "d.test", 39, 300, TO_E}}},
	         "d.test"},
		{{"RFC 6672 2.3 the owner itself is not renamed", "d.test",
	          SP_DNS_TYPE_A,
	          .rrs = {{'a', "d.test", 39, 300, TO_E},
	                  {'a', "d.test", 5, 300, TO_E}}},
	         ""},
		{{"RFC 6672 2.2 CNAME that this DNAME does not make",
	          "mx1.d.test", SP_DNS_TYPE_A,
	          .rrs = {{'a', "d.test", 39, 300, TO_E},
	                  {'a', "mx1.d.test", 5, 300, BYTES("@mx2.e.test.")}}},
	         ""},
		{{"RFC 6672 2.2 DNAME of another zone", "mx1.d.test",
	          SP_DNS_TYPE_A,
	          .rrs = {{'a', "c.test", 39, 300, TO_E},
	                  {'a', "mx1.d.test", 5, 300, MX1_E}}},
	         ""},
		{{"RFC 6672 2.2 DNAME beside the answer", "mx1.d.test",
	          SP_DNS_TYPE_A,
	          .rrs = {{'a', "mx1.d.test", 5, 300, MX1_E},
	                  {'n', "d.test", 39, 300, TO_E}}},
	         ""},
		{{"RFC 1034 3.6.2 CNAME alone", "mx1.d.test", SP_DNS_TYPE_A,
	          .rrs = {{'a', "mx1.d.test", 5, 300, MX1_E}}},
	         ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sp_dns_answer *a = decode(&cases[i].c, false);

		print_message("  %s\n", cases[i].c.name);
		assert_int_equal(sp_dns_answer_check(a), 0);
		assert_int_equal(a->alias_count, 1);
		assert_true(sp_str_eq(a->aliases[0].dname,
		                      sp_str_from(cases[i].dname)));
		sp_dns_answer_free(&a);
	}
}

static void test_record_values(void **state)
{
	static const struct decode_case mx = {
		.asked = "D.test",
		.type = SP_DNS_TYPE_MX,
		.rrs = {{'a', "d.TEST", 15, 1, BYTES("\1\2@MX \\.d.test.")}},
	};
	static const struct decode_case txt = {
		.asked = "d.test",
		.type = SP_DNS_TYPE_TXT,
		.rrs = {{'a', "d.test", 16, 1, BYTES("\3v=S\0\2TS")}},
	};
	static const struct decode_case tlsa = {
		.asked = "d.test",
		.type = SP_DNS_TYPE_TLSA,
		.rrs = {{'a', "d.test", 52, 1, BYTES("\3\1\1\xab\0")}},
	};
	struct sp_dns_answer *a;

	(void)state;
	a = decode(&mx, false);
	assert_int_equal(a->record_count, 1);
	assert_int_equal(a->records[0].preference, 258);
	assert_true(
		sp_str_eq(a->records[0].name, SP_STR("mx\\032\\\\.d.test")));
	sp_dns_answer_free(&a);
	a = decode(&txt, false);
	assert_true(sp_str_eq(a->records[0].data, SP_STR("v=STS")));
	sp_dns_answer_free(&a);
	a = decode(&tlsa, false);
	assert_int_equal(a->records[0].tlsa.usage, 3);
	assert_int_equal(a->records[0].tlsa.data.len, 2);
	sp_dns_answer_free(&a);
}

/* A name whose text is longer than an answer may carry. */
static void test_unprintable_name(void **state)
{
	static const char x[] =
		"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
		"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1";
	struct decode_case c = {.asked = "d.test", .type = SP_DNS_TYPE_MX};
	struct sp_dns_answer *a;
	char rdata[256];
	int len = snprintf(rdata, sizeof(rdata), "x\12@%s.%s.", x, x);

	(void)state;
	rdata[0] = '\0';
	c.rrs[0] = (struct rr){'a', "d.test", 15, 1,
	                       sp_str_slice(rdata, (size_t)len)};
	a = decode(&c, false);
	assert_int_equal(a->dnssec, SP_DNSSEC_FAILED);
	assert_true(sp_str_eq(a->scenario, SP_STR("dns-limit")));
	sp_dns_answer_free(&a);
}

/* RFC 4035 4.3 and mail-flow section 2: in which order a reply is read. */
static void test_reading_order(void **state)
{
	static const struct {
		const char *name;
		struct sp__dns_reply reply;
		enum sp_dnssec dnssec;
		const char *scenario;
		uint16_t ede;
	} cases[] = {
		{"bogus before the RCODE",
	         {2, SP__DNS_SEC_BOGUS, {0}, SP_STR("signature expired")},
	         SP_DNSSEC_BOGUS,
	         "rrsig-expired",
	         7},
		{"the RCODE before secure",
	         {2, SP__DNS_SEC_SECURE, {0}, {0}},
	         SP_DNSSEC_FAILED,
	         "dns-servfail",
	         23},
		{"no packet is no answer",
	         {0, SP__DNS_SEC_SECURE, {0}, {0}},
	         SP_DNSSEC_FAILED,
	         "dns-malformed",
	         SP_DNS_EDE_NONE},
		{"a piece of a packet is no answer",
	         {0, SP__DNS_SEC_NONE, SP_STR("\0\0\x81\x80\0\1\0\1"), {0}},
	         SP_DNSSEC_FAILED,
	         "dns-malformed",
	         SP_DNS_EDE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sp_dns_answer *a =
			sp__dns_answer_make(SP_STR("d.test"), SP_DNS_TYPE_A,
		                            &cases[i].reply, &limits);

		print_message("  %s\n", cases[i].name);
		assert_int_equal(a->dnssec, cases[i].dnssec);
		assert_int_equal(a->result, SP_DNS_NONE);
		assert_true(
			sp_str_eq(a->scenario, sp_str_from(cases[i].scenario)));
		assert_int_equal(a->ede, cases[i].ede);
		assert_int_equal(sp_dns_answer_check(a), 0);
		sp_dns_answer_free(&a);
	}
}

/* --- reasons --- */

static void test_words(void **state)
{
	static const struct {
		const char *why;
		const char *scenario;
		uint16_t ede; /* RFC 8914 4 */
	} bogus[] = {
		{"signature expired from 192.0.2.1", "rrsig-expired", 7},
		{"signature before inception date", "rrsig-not-yet-valid", 8},
		{"no keys have a DS with algorithm RSASHA256",
	         "ds-without-dnskey", 9},
		{"nodata proof failed from 192.0.2.1", "denial-unproven", 12},
		{"no signatures over NSECs", "denial-unproven", 12},
		{"no signatures from 192.0.2.1", "rrsig-missing", 10},
		{"ECDSA signature verification failed", "rrsig-invalid", 6},
		{"too many RRSIG validations", "dnssec-bogus", 6},
		{"", "dnssec-bogus", 6},
	};
	static const struct {
		int rcode;
		const char *why;
		const char *scenario;
	} failed[] = {
		{2, "all servers failed from 192.0.2.1 upstream server timeout",
	         "dns-timeout"},
		{2, "all servers failed got REFUSED", "dns-refused"},
		{2, "all servers failed got NOTIMPL", "dns-notimp"},
		{2, "no server to query no addresses", "dns-unreachable"},
		{2, "", "dns-servfail"},
		{5, "", "dns-refused"},
		{-1, "", "dns-servfail"},
		{99, "", "dns-servfail"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bogus); i++) {
		struct sp__finding f =
			sp__finding_of_bogus(sp_str_from(bogus[i].why));

		assert_string_equal(f.scenario, bogus[i].scenario);
		assert_int_equal(f.ede, bogus[i].ede);
	}
	for (size_t i = 0; i < COUNT(failed); i++) {
		struct sp__finding f = sp__finding_of_failure(
			failed[i].rcode, sp_str_from(failed[i].why));

		assert_string_equal(f.scenario, failed[i].scenario);
	}
}

/* RRSIG RDATA: type covered, window, key tag 4711, signer d.test. */
#define RRSIG(covered, until, from)                                            \
	BYTES("\0" covered "\15\2\0\0\1\x2c" until from "\x12\x67@d.test.@"    \
	      "sig")
#define T_PAST  "\0\0\0\x10"
#define T_NOW   0x1000
#define T_LATER "\0\1\0\0"

static const struct evidence_step {
	const char *asked; /* name and type that the machine must ask */
	enum sp_dns_type type;
	bool silent; /* no packet comes back */
	struct rr rrs[5];
} first_mx = {"d.test", SP_DNS_TYPE_MX, false, {{0}}};

static const struct evidence_case {
	const char *name;
	const char *why;
	struct evidence_step steps[4];
	const char *scenario; /* null: nothing is found */
	const char *part;     /* of the text */
} evidence_cases[] = {
	{"RFC 4034 3.1.5 expired",
         "",
         {{"d.test",
           SP_DNS_TYPE_MX,
           false,
           {{'a', "d.test", 15, 1, BYTES("\0\1@m.d.test.")},
            {'a', "d.test", 46, 1, RRSIG("\17", T_PAST, "\0\0\0\0")}}}},
         "rrsig-expired",
         "RRSIG of d.test MX by key 4711 of d.test expired "
         "1970-01-01T00:00:16"},
	{"RFC 4034 3.1.5 not yet valid",
         "",
         {{"d.test",
           SP_DNS_TYPE_MX,
           false,
           {{'a', "d.test", 15, 1, BYTES("\0\1@m.d.test.")},
            {'a', "d.test", 46, 1, RRSIG("\17", T_LATER, T_LATER)}}}},
         "rrsig-not-yet-valid",
         "begins 1970-01-01T18:12:16"},
	{"RFC 4035 5.3.1 one good signature is enough",
         "",
         {{"d.test",
           SP_DNS_TYPE_MX,
           false,
           {{'a', "d.test", 15, 1, BYTES("\0\1@m.d.test.")},
            {'a', "d.test", 46, 1, RRSIG("\17", T_PAST, "\0\0\0\0")},
            {'a', "d.test", 46, 1, RRSIG("\17", T_LATER, T_PAST)}}},
          {"d.test", SP_DNS_TYPE_DNSKEY, false, {{0}}},
          {"d.test", SP_DNS_TYPE_DS, false, {{0}}}},
         NULL,
         NULL},
	{"RFC 4035 5.3.3 the bits are wrong: which signature",
         "signature verification failed from 192.0.2.1",
         {{"d.test",
           SP_DNS_TYPE_MX,
           false,
           {{'a', "d.test", 15, 1, BYTES("\0\1@m.d.test.")},
            {'a', "d.test", 46, 1, RRSIG("\17", T_LATER, T_PAST)}}},
          {"d.test", SP_DNS_TYPE_DNSKEY, false, {{0}}},
          {"d.test", SP_DNS_TYPE_DS, false, {{0}}}},
         "rrsig-invalid",
         "RRSIG of d.test MX by key 4711 of d.test does not verify"},
	{"RFC 4035 5.3.1 by no key of the zone",
         "signatures from unknown keys",
         {{"d.test",
           SP_DNS_TYPE_MX,
           false,
           {{'a', "d.test", 15, 1, BYTES("\0\1@m.d.test.")},
            {'a', "d.test", 46, 1, RRSIG("\17", T_LATER, T_PAST)}}},
          {"d.test",
           SP_DNS_TYPE_DNSKEY,
           false,
           {{'a', "d.test", 48, 1, BYTES("\1\1\3\15somekey")}}},
          {"d.test", SP_DNS_TYPE_DS, false, {{0}}}},
         "rrsig-invalid",
         "RRSIG of d.test MX by key 4711 of d.test is by no key of the zone"},
	{"of two signatures none is named",
         "signature verification failed from 192.0.2.1",
         {{"d.test",
           SP_DNS_TYPE_MX,
           false,
           {{'a', "d.test", 5, 1, BYTES("@e.test.")},
            {'a', "d.test", 46, 1, RRSIG("\5", T_LATER, T_PAST)},
            {'a', "e.test", 15, 1, BYTES("\0\1@m.d.test.")},
            {'a', "e.test", 46, 1, RRSIG("\17", T_LATER, T_PAST)}}},
          {"d.test", SP_DNS_TYPE_DNSKEY, false, {{0}}},
          {"d.test", SP_DNS_TYPE_DS, false, {{0}}}},
         NULL,
         NULL},
	{"RFC 4035 5.3 no signature: of which records",
         "no signatures from 192.0.2.1",
         {{"d.test",
           SP_DNS_TYPE_MX,
           false,
           {{'a', "d.test", 15, 1, BYTES("\0\1@m.d.test.")}}}},
         "rrsig-missing",
         "no RRSIG of d.test MX in the answer"},
	{"RFC 4035 5.3.3 the zone's own keys",
         "signature verification failed from 192.0.2.1 for key d.test. while",
         {{"d.test",
           SP_DNS_TYPE_DNSKEY,
           false,
           {{'a', "d.test", 48, 1, BYTES("\1\1\3\15somekey")},
            {'a', "d.test", 46, 1, RRSIG("\60", T_LATER, T_PAST)}}},
          {"d.test", SP_DNS_TYPE_DS, false, {{0}}}},
         "rrsig-invalid",
         "RRSIG of d.test DNSKEY by key 4711 of d.test"},
	{"RFC 4035 5.4 denial without proof",
         "no signatures",
         {{"d.test", SP_DNS_TYPE_MX, false, {{0}}}},
         "denial-unproven",
         "the answer denies d.test MX without NSEC"},
	{"RFC 4035 5.2 DS without key",
         "no keys have a DS from 192.0.2.1 for key d.test. while building",
         {{"d.test",
           SP_DNS_TYPE_DNSKEY,
           false,
           {{'a', "d.test", 48, 1, BYTES("\1\1\3\15somekey")}}},
          {"d.test",
           SP_DNS_TYPE_DS,
           false,
           {{'a', "d.test", 43, 1,
             BYTES("\x12\x67\15\2"
                   "0123456789abcdef0123456789abcdef")}}}},
         "ds-without-dnskey",
         "DS of d.test at the parent: 4711"},
	{"RFC 4509 2 unknown digest proves nothing",
         "for key d.test. while",
         {{"d.test",
           SP_DNS_TYPE_DNSKEY,
           false,
           {{'a', "d.test", 48, 1, BYTES("\1\1\3\15somekey")}}},
          {"d.test",
           SP_DNS_TYPE_DS,
           false,
           {{'a', "d.test", 43, 1, BYTES("\x12\x67\15\x63zz")}}}},
         NULL,
         NULL},
	{"no answer about keys",
         "No DNSKEY record for key d.test. while",
         {{"d.test", SP_DNS_TYPE_DNSKEY, true, {{0}}}},
         "dnssec-bogus",
         "DNSKEY of d.test failed"},
};

static void run_evidence(const struct evidence_case *c)
{
	struct sp__evidence *e = sp__evidence_new(
		SP_STR("d.test"), first_mx.type, sp_str_from(c->why));
	const struct evidence_step *step = c->steps;
	const struct sp__finding *finding;
	enum sp_dns_type type;
	struct sp_str name;

	while (sp__evidence_next(e, &name, &type)) {
		struct sp_buf packet;

		assert_non_null(step->asked);
		assert_true(sp_str_eq(name, sp_str_from(step->asked)));
		assert_int_equal(type, step->type);
		sp_buf_init(&packet, 65535);
		if (!step->silent) {
			build(&packet, 0, step->asked, (unsigned)step->type,
			      step->rrs);
		}
		sp__evidence_answer(e, sp_buf_str(&packet),
		                    T_NOW * INT64_C(1000));
		sp_buf_fini(&packet);
		step++;
	}
	assert_null(step->asked);
	finding = sp__evidence_finding(e);
	if (c->scenario) {
		assert_non_null(finding);
		assert_string_equal(finding->scenario, c->scenario);
		assert_non_null(strstr(finding->text, c->part));
	} else {
		assert_null(finding);
	}
	sp__evidence_free(&e);
}

static void test_evidence(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(evidence_cases); i++) {
		print_message("  %s\n", evidence_cases[i].name);
		run_evidence(&evidence_cases[i]);
	}
}

static void test_failures_are_bounded(void **state)
{
	struct sp__failures failures;
	struct sp__failure *f;
	char name[32];

	(void)state;
	sp__failures_init(&failures);
	for (int i = 0; i < 5000; i++) {
		struct sp_dns_answer *a;

		(void)snprintf(name, sizeof(name), "n%d.test", i);
		a = sp__dns_answer_failed(sp_str_from(name), SP_DNS_TYPE_A,
		                          "dns-timeout", SP_STR("why"));
		(void)sp__failures_note(&failures, a, 7, i);
		f = sp__failures_note(&failures, a, 3, i);
		assert_int_equal(f->serial, 7); /* the newest counts */
		sp_dns_answer_free(&a);
	}
	assert_true(failures.by_question.count <= 4096);
	assert_null(
		sp__failures_find(&failures, SP_STR("n0.test"), SP_DNS_TYPE_A));
	f = sp__failures_find(&failures, SP_STR("n4999.test"), SP_DNS_TYPE_A);
	assert_non_null(f);
	assert_string_equal(f->why, "why");
	assert_null(sp__failures_find(&failures, SP_STR("n4999.test"),
	                              SP_DNS_TYPE_MX));
	sp__failures_fini(&failures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_dname),
		cmocka_unit_test(test_record_values),
		cmocka_unit_test(test_unprintable_name),
		cmocka_unit_test(test_reading_order),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_failures_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
