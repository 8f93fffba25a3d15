/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analyze/chain_judge.h"
#include "base/err.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define NOW_MS       INT64_C(1790000000000)
#define HOUR_MS      INT64_C(3600000)
#define DAY_MS       (24 * HOUR_MS)

/* A DS or DNSKEY of d.test by its RDATA. */
static struct sp_seen_record record(struct sp_arena *arena, unsigned type,
                                    const char *hex)
{
	struct sp_seen_record out;
	uint8_t bytes[256];
	size_t len;

	assert_int_equal(
		sp_str_unhex(sp_str_from(hex), bytes, sizeof(bytes), &len), 0);
	assert_int_equal(sp_seen_from_rdata(SP_STR("d.test"), (uint16_t)type,
	                                    sp_str_slice(bytes, len), arena,
	                                    &out),
	                 0);
	return out;
}

#define KEY_GOOD "0101030d0102030405060708" /* 257 3 13 */
#define KEY_ZSK  "0100030d1112131415161718" /* 256 3 13 */
#define KEY_SHA1 "010103052122232425262728" /* 257 3 5 */

/* A DS that fits the key, by the line that the module makes itself. */
static struct sp_seen_record ds_for(struct sp_arena *arena, const char *key_hex)
{
	struct sp_seen_record key = record(arena, SP_DNS_TYPE_DNSKEY, key_hex);
	struct sp_str line = sp_seen_ds_line(&key, arena);
	struct sp_str hex = sp_str_sub(line, line.len - 64, 64);
	char *rdata =
		sp_arena_printf(arena, "%04x%02x02" SP_STR_FMT, key.key_tag,
	                        key.algorithm, SP_STR_ARG(hex));

	return record(arena, SP_DNS_TYPE_DS, rdata);
}

/* --- the link --- */

enum said { /* by the resolver */
	NOTHING,
	SECURE,      /* with records */
	SECURE_NONE, /* denied */
	INSECURE,
	INSECURE_NONE,
	BOGUS,
	FAILED,
};

static struct sp_dns_answer *answer(enum said said, enum sp_dns_type type,
                                    const char *scenario)
{
	static const enum sp_dnssec states[] = {
		[SECURE] = SP_DNSSEC_SECURE,
		[SECURE_NONE] = SP_DNSSEC_SECURE,
		[INSECURE] = SP_DNSSEC_INSECURE,
		[INSECURE_NONE] = SP_DNSSEC_INSECURE,
		[BOGUS] = SP_DNSSEC_BOGUS,
		[FAILED] = SP_DNSSEC_FAILED,
	};
	struct sp_dns_answer *a;
	struct sp_seen_record r;

	if (said == NOTHING) {
		return NULL;
	}
	a = sp_dns_answer_new(SP_STR("d.test"), type);
	a->dnssec = states[said];
	a->result = SP_DNS_NODATA;
	a->scenario = sp_str_from(said == BOGUS ? scenario : NULL);
	sp_dns_answer_set_why(a, SP_STR("as libunbound says"));
	if ((said == SECURE || said == INSECURE) && type != SP_DNS_TYPE_SOA) {
		r = type == SP_DNS_TYPE_DS
		            ? ds_for(&a->arena, KEY_GOOD)
		            : record(&a->arena, SP_DNS_TYPE_DNSKEY, KEY_GOOD);
		a->records = sp_arena_array(&a->arena, 1, sizeof(*a->records));
		a->records[0].data = r.rdata;
		a->record_count = 1;
		a->result = SP_DNS_RECORDS;
	}
	return a;
}

#define NO_PARENT (-1)

static const struct link_case {
	const char *name;
	int parent; /* its state */
	enum said ds, keys, soa;
	const char *scenario; /* of what is bogus */
	enum sp_chain_state state;
	enum sp_cause_id cause;
	enum sp_advice_id advice;
	bool mild;
	const char *why; /* part of it; null: none is demanded */
	const char *mend;
} link_cases[] = {
	{"RFC 4035 5 the root, secure by the anchor", NO_PARENT, NOTHING,
         SECURE, SECURE, NULL, SP_CHAIN_SECURE, SP_CAUSE_NONE, SP_ADVICE_NONE,
         false, NULL, NULL},
	{"RFC 4035 5.2 a secure delegation", SP_CHAIN_SECURE, SECURE, SECURE,
         SECURE, NULL, SP_CHAIN_SECURE, SP_CAUSE_NONE, SP_ADVICE_NONE, false,
         NULL, NULL},
	{"RFC 4035 5.2 keys that no DS names", SP_CHAIN_SECURE, SECURE, BOGUS,
         BOGUS, "ds-without-dnskey", SP_CHAIN_BROKEN,
         SP_CAUSE_DS_WITHOUT_DNSKEY, SP_ADVICE_NONE, false,
         "DS of d.test in test: ", NULL},
	{"RFC 4035 5.3.1 keys with an old signature", SP_CHAIN_SECURE, SECURE,
         BOGUS, BOGUS, "rrsig-expired", SP_CHAIN_BROKEN, SP_CAUSE_RRSIG_EXPIRED,
         SP_ADVICE_NONE, false, "as libunbound says", NULL},
	{"RFC 4035 5.3.1 a DS with a future signature", SP_CHAIN_SECURE, BOGUS,
         FAILED, FAILED, "rrsig-not-yet-valid", SP_CHAIN_BROKEN,
         SP_CAUSE_RRSIG_NOT_YET_VALID, SP_ADVICE_NONE, false, NULL, NULL},
	{"no cause of ours: bogus all the same", SP_CHAIN_SECURE, SECURE, BOGUS,
         BOGUS, "cert-expired", SP_CHAIN_BROKEN, SP_CAUSE_DNSSEC_BOGUS,
         SP_ADVICE_NONE, false, NULL, NULL},
	{"RFC 4035 5.4 only what is denied is bogus", SP_CHAIN_SECURE, SECURE,
         SECURE, BOGUS, "rrsig-invalid", SP_CHAIN_BROKEN,
         SP_CAUSE_RRSIG_INVALID, SP_ADVICE_NONE, true, NULL, NULL},
	{"RFC 4035 5.2 neither DS nor keys", SP_CHAIN_SECURE, SECURE_NONE,
         INSECURE_NONE, INSECURE, NULL, SP_CHAIN_UNSIGNED, SP_CAUSE_NONE,
         SP_ADVICE_ZONE_UNSIGNED, false, "none", "test"},
	{"RFC 4035 5.2 keys without DS", SP_CHAIN_SECURE, SECURE_NONE, INSECURE,
         INSECURE, NULL, SP_CHAIN_UNSIGNED, SP_CAUSE_NONE,
         SP_ADVICE_ZONE_DS_MISSING, false,
         "DNSKEY in the zone: ", "d.test. DS "},
	{"RFC 5155 6 no DS by opt-out", SP_CHAIN_SECURE, INSECURE_NONE,
         INSECURE_NONE, INSECURE, NULL, SP_CHAIN_UNSIGNED, SP_CAUSE_NONE,
         SP_ADVICE_ZONE_UNSIGNED, false, NULL, NULL},
	{"RFC 4035 5.2 algorithms that nobody knows", SP_CHAIN_SECURE, SECURE,
         INSECURE, INSECURE, NULL, SP_CHAIN_UNSIGNED, SP_CAUSE_NONE,
         SP_ADVICE_ZONE_DS_UNKNOWN, false, NULL, "ECDSAP256SHA256"},
	{"below an unsigned zone, keys of its own", SP_CHAIN_UNSIGNED, INSECURE,
         INSECURE, INSECURE, NULL, SP_CHAIN_BELOW_UNSIGNED, SP_CAUSE_NONE,
         SP_ADVICE_NONE, false, NULL, NULL},
	{"below an unsigned zone, without an answer", SP_CHAIN_BELOW_UNSIGNED,
         FAILED, FAILED, FAILED, NULL, SP_CHAIN_BELOW_UNSIGNED, SP_CAUSE_NONE,
         SP_ADVICE_NONE, false, NULL, NULL},
	{"below a broken zone", SP_CHAIN_BROKEN, BOGUS, BOGUS, BOGUS,
         "rrsig-expired", SP_CHAIN_BELOW_BROKEN, SP_CAUSE_NONE, SP_ADVICE_NONE,
         false, NULL, NULL},
	{"an anchor of its own below an unsigned zone", SP_CHAIN_BELOW_UNSIGNED,
         INSECURE_NONE, SECURE, SECURE, NULL, SP_CHAIN_SECURE, SP_CAUSE_NONE,
         SP_ADVICE_NONE, false, NULL, NULL},
	{"above the anchor", NO_PARENT, NOTHING, INSECURE, INSECURE, NULL,
         SP_CHAIN_ABOVE_ANCHOR, SP_CAUSE_NONE, SP_ADVICE_NONE, false, NULL,
         NULL},
	{"no answer", SP_CHAIN_SECURE, FAILED, FAILED, FAILED, NULL,
         SP_CHAIN_UNKNOWN, SP_CAUSE_NONE, SP_ADVICE_NONE, false, NULL, NULL},
	{"no time for a question", SP_CHAIN_SECURE, NOTHING, NOTHING, NOTHING,
         NULL, SP_CHAIN_UNKNOWN, SP_CAUSE_NONE, SP_ADVICE_NONE, false, NULL,
         NULL},
};

static void demand_part(struct sp_str text, const char *part)
{
	if (part &&
	    !memmem(text.ptr ? text.ptr : "", text.len, part, strlen(part))) {
		fail_msg("\"" SP_STR_FMT "\" lacks \"%s\"", SP_STR_ARG(text),
		         part);
	}
}

static void test_link(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(link_cases); i++) {
		const struct link_case *c = &link_cases[i];
		struct sp_arena arena = {0};
		struct sp_chain_zone above = {.name = SP_STR("test")};
		struct sp_chain_link parent = {0};
		struct sp_chain_link link;
		struct sp_chain_zone zone = {
			.name = SP_STR("d.test"),
			.ds = answer(c->ds, SP_DNS_TYPE_DS, c->scenario),
			.keys = answer(c->keys, SP_DNS_TYPE_DNSKEY,
		                       c->scenario),
			.soa = answer(c->soa, SP_DNS_TYPE_SOA, c->scenario),
		};

		print_message("  %s\n", c->name);
		if (c->parent != NO_PARENT) {
			zone.parent = &above;
			parent.state = (enum sp_chain_state)c->parent;
		}
		sp_chain_judge_link(&zone, zone.parent ? &parent : NULL, &arena,
		                    &link);
		assert_int_equal(link.state, c->state);
		assert_int_equal(link.cause, c->cause);
		assert_int_equal(link.advice, c->advice);
		assert_int_equal(link.mild, c->mild);
		demand_part(link.why, c->why);
		demand_part(link.mend, c->mend);
		sp_dns_answer_free(&zone.ds);
		sp_dns_answer_free(&zone.keys);
		sp_dns_answer_free(&zone.soa);
		sp_arena_fini(&arena);
	}
}

/* --- what servers say --- */

#define RECORDS_MAX 8

struct said_by_server {
	struct sp_dns_server_reply reply;
	struct sp_seen_record records[RECORDS_MAX];
};

static void put(struct said_by_server *s, struct sp_seen_record r)
{
	assert_true(s->reply.seen.record_count < RECORDS_MAX);
	s->records[s->reply.seen.record_count++] = r;
	s->reply.seen.records = s->records;
}

/* An RRset of one record, and its signature where it has one. */
static void put_signed(struct said_by_server *s, struct sp_seen_record r,
                       enum sp_seen_section section, int64_t begins_h,
                       int64_t ends_h)
{
	struct sp_seen_record rrsig = {
		.section = section,
		.owner = r.owner,
		.type = SP_SEEN_TYPE_RRSIG,
		.covered = r.type,
		.key_tag = 4711,
		.signer = SP_STR("d.test"),
		.begins_ms = NOW_MS + begins_h * HOUR_MS,
		.ends_ms = NOW_MS + ends_h * HOUR_MS,
	};

	r.section = section;
	put(s, r);
	if (begins_h || ends_h) {
		put(s, rrsig);
	}
}

static struct sp_seen_record soa_record(uint32_t serial)
{
	return (struct sp_seen_record){
		.owner = SP_STR("d.test"),
		.type = SP_DNS_TYPE_SOA,
		.serial = serial,
	};
}

struct window {
	int64_t begins_h, ends_h; /* from now; both 0: no signature */
};
#define GOOD                                                                   \
	{                                                                      \
		-240, 240                                                      \
	}
#define OLD                                                                    \
	{                                                                      \
		-480, -24                                                      \
	}
#define AHEAD                                                                  \
	{                                                                      \
		24, 480                                                        \
	}
#define NONE                                                                   \
	{                                                                      \
		0, 0                                                           \
	}

static const struct server_case {
	const char *name;
	const char *not_asked;
	const char *key;    /* in hex; null: no DNSKEY */
	const char *detail; /* of the first */
	struct window soa, keys;
	int err, tcp_err;
	uint32_t serial; /* the other server has 5 */
	enum sp_advice_id found[3];
	uint8_t rcode, keys_rcode;
	bool no_address;
	bool lame;
	bool unsigned_zone;
	bool validated; /* the zone's keys are known for certain */
} server_cases[] = {
	{.name = "healthy",
         .serial = 5,
         .soa = GOOD,
         .keys = GOOD,
         .key = KEY_GOOD},
	{.name = "a name without address",
         .no_address = true,
         .found = {SP_ADVICE_DNS_SERVER_NO_ADDRESS}},
	{.name = "an address that is not asked",
         .not_asked = "private",
         .err = SP_ETIMEOUT},
	{.name = "no way there is no fault", .err = -ENETUNREACH},
	{.name = "silent",
         .err = SP_ETIMEOUT,
         .found = {SP_ADVICE_DNS_SERVER_SILENT},
         .detail = "timed out"},
	{.name = "RFC 1912 2.8 lame by REFUSED",
         .rcode = 5,
         .found = {SP_ADVICE_DNS_SERVER_LAME},
         .detail = "REFUSED"},
	{.name = "RFC 1912 2.8 lame by an answer without AA",
         .lame = true,
         .found = {SP_ADVICE_DNS_SERVER_LAME},
         .detail = "not authoritative"},
	{.name = "RFC 4034 3.1.5 an old signature",
         .serial = 5,
         .soa = OLD,
         .keys = GOOD,
         .key = KEY_GOOD,
         .found = {SP_ADVICE_DNS_SERVER_SIGNATURES},
         .detail = "RRSIG of d.test SOA by key 4711 expired 2026-"},
	{.name = "RFC 4034 3.1.5 a signature of the future, of the keys",
         .serial = 5,
         .soa = GOOD,
         .keys = AHEAD,
         .key = KEY_GOOD,
         .found = {SP_ADVICE_DNS_SERVER_SIGNATURES},
         .detail = "DNSKEY by key 4711 begins only 2026-"},
	{.name = "RFC 4035 5.3.1 a signature by a key that the zone lacks",
         .serial = 5,
         .soa = GOOD,
         .keys = GOOD,
         .key = KEY_GOOD,
         .validated = true,
         .found = {SP_ADVICE_DNS_SERVER_SIGNATURES},
         .detail = "RRSIG of d.test SOA by key 4711 is by no key of the zone, "
                   "which has "},
	{.name = "RFC 4034 3.1.5 an old one by such a key is old",
         .serial = 5,
         .soa = OLD,
         .keys = GOOD,
         .key = KEY_GOOD,
         .validated = true,
         .found = {SP_ADVICE_DNS_SERVER_SIGNATURES},
         .detail = "RRSIG of d.test SOA by key 4711 expired 2026-"},
	{.name = "RFC 4035 3.1.1 signatures left out",
         .serial = 5,
         .soa = NONE,
         .keys = NONE,
         .key = KEY_GOOD,
         .found = {SP_ADVICE_DNS_SERVER_UNSIGNED},
         .detail = "no RRSIG of d.test SOA, and no EDNS"},
	{.name = "the unsigned zone on one server",
         .serial = 5,
         .soa = GOOD,
         .key = NULL,
         .found = {SP_ADVICE_DNS_SERVER_UNSIGNED},
         .detail = "no DNSKEY of d.test"},
	{.name = "DNSKEY refused",
         .serial = 5,
         .soa = GOOD,
         .keys_rcode = 4,
         .found = {SP_ADVICE_DNS_SERVER_TYPE},
         .detail = "NOTIMP to a question of type DNSKEY"},
	{.name = "RFC 8901 other keys than elsewhere",
         .serial = 4,
         .soa = GOOD,
         .keys = GOOD,
         .key = KEY_ZSK,
         .found = {SP_ADVICE_DNS_SERVER_KEYS, SP_ADVICE_DNS_SERVER_BEHIND},
         .detail = "ECDSAP256SHA256"},
	{.name = "RFC 1982 an older zone, with the old signatures",
         .serial = 4,
         .soa = OLD,
         .keys = GOOD,
         .key = KEY_GOOD,
         .found = {SP_ADVICE_DNS_SERVER_SIGNATURES,
                   SP_ADVICE_DNS_SERVER_BEHIND}},
	{.name = "RFC 1982 3.2 older over the turn of the number",
         .serial = UINT32_C(4294967290),
         .soa = GOOD,
         .keys = GOOD,
         .key = KEY_GOOD,
         .found = {SP_ADVICE_DNS_SERVER_BEHIND},
         .detail = "serial 4294967290, and 5 elsewhere"},
	{.name = "RFC 7766 5 no TCP",
         .serial = 5,
         .soa = GOOD,
         .keys = GOOD,
         .key = KEY_GOOD,
         .tcp_err = -ECONNREFUSED,
         .found = {SP_ADVICE_DNS_SERVER_NO_TCP},
         .detail = "refused"},
	{.name = "an unsigned zone wants no signatures",
         .serial = 5,
         .unsigned_zone = true},
};

static void fill(struct said_by_server *s, uint8_t rcode, bool aa)
{
	memset(s, 0, sizeof(*s));
	s->reply.seen.rcode = rcode;
	s->reply.seen.authoritative = aa;
}

struct two_servers {
	struct sp_arena arena;
	struct said_by_server soa[2], keys[2], tcp;
	struct sp_chain_server servers[2];
	struct sp_chain_zone zone;
	struct sp_chain_link link;
	struct sp_seen_record link_key;
};

static void put_keys(struct two_servers *t, size_t i, const char *key,
                     struct window window)
{
	if (key) {
		put_signed(&t->keys[i],
		           record(&t->arena, SP_DNS_TYPE_DNSKEY, key),
		           SP_SEEN_ANSWER, window.begins_h, window.ends_h);
	}
}

/* The first as the case has it, the second healthy. */
static void set_up(struct two_servers *t, const struct server_case *c)
{
	memset(t, 0, sizeof(*t));
	t->link_key = record(&t->arena, SP_DNS_TYPE_DNSKEY, KEY_GOOD);
	t->link.keys = &t->link_key;
	t->link.key_count = c->unsigned_zone ? 0 : 1;
	fill(&t->soa[0], c->rcode, !c->lame);
	fill(&t->soa[1], 0, true);
	fill(&t->keys[0], c->keys_rcode, true);
	fill(&t->keys[1], 0, true);
	fill(&t->tcp, 0, true);
	t->soa[0].reply.err = c->err;
	t->tcp.reply.err = c->tcp_err;
	put_signed(&t->soa[0], soa_record(c->serial), SP_SEEN_ANSWER,
	           c->soa.begins_h, c->soa.ends_h);
	put_signed(&t->soa[1], soa_record(5), SP_SEEN_ANSWER, -240, 240);
	put_keys(t, 0, c->key, c->keys);
	put_keys(t, 1, KEY_GOOD, (struct window)GOOD);
	for (size_t i = 0; i < 2; i++) {
		t->servers[i].name = SP_STR("ns.d.test");
		t->servers[i].addr.family = c->no_address && i == 0 ? 0 : 4;
		t->servers[i].soa = &t->soa[i].reply;
		t->servers[i].keys = &t->keys[i].reply;
		t->servers[i].tcp = &t->tcp.reply;
	}
	t->servers[0].not_asked = c->not_asked;
	if (c->not_asked) {
		t->servers[0].soa = NULL;
	}
	t->zone.name = SP_STR("d.test");
	t->zone.servers = t->servers;
	t->zone.server_count = 2;
	t->zone.keys = answer(c->validated ? SECURE : NOTHING,
	                      SP_DNS_TYPE_DNSKEY, NULL);
}

static void demand(const struct sp_chain_finding *found, size_t count,
                   const enum sp_advice_id *wanted, size_t most,
                   const char *detail)
{
	size_t expected = 0;

	while (expected < most && wanted[expected] != SP_ADVICE_NONE) {
		expected++;
	}
	assert_int_equal(count, expected);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(sp_advice_get(found[i].advice)->name,
		                    sp_advice_get(wanted[i])->name);
	}
	if (count > 0) {
		demand_part(found[0].detail, detail);
	}
}

static void test_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(server_cases); i++) {
		const struct server_case *c = &server_cases[i];
		struct sp_chain_finding found[SP_CHAIN_FINDINGS_MAX];
		struct two_servers t;
		size_t count;

		print_message("  %s\n", c->name);
		set_up(&t, c);
		count = sp_chain_judge_server(&t.zone, &t.link, 0, NOW_MS,
		                              &t.arena, found);
		demand(found, count, c->found, COUNT(c->found), c->detail);
		sp_dns_answer_free(&t.zone.keys);
		sp_arena_fini(&t.arena);
	}
}

static void test_server_text(void **state)
{
	struct sp_arena arena = {0};
	struct sp_chain_server s = {.name = SP_STR("ns.d.test")};

	(void)state;
	assert_true(sp_str_eq(sp_chain_server_text(&s, &arena),
	                      SP_STR("ns.d.test")));
	s.addr = (struct sp_addr){.family = 4, .bytes = {192, 0, 2, 1}};
	assert_true(sp_str_eq(sp_chain_server_text(&s, &arena),
	                      SP_STR("ns.d.test [192.0.2.1]")));
	s.name = SP_STR("");
	assert_true(sp_str_eq(sp_chain_server_text(&s, &arena),
	                      SP_STR("[192.0.2.1]")));
	sp_arena_fini(&arena);
}

/* --- the zone --- */

static const struct zone_case {
	const char *name;
	const char *key;
	const char *more_ds; /* in hex, fits nothing; or null */
	const char *detail;
	struct window soa;
	enum sp_advice_id found[3];
	bool ds_fits;
} zone_cases[] = {
	{.name = "nothing to say",
         .soa = GOOD,
         .key = KEY_GOOD,
         .ds_fits = true},
	{.name = "a day left of fifteen",
         .soa = {-14 * 24, 24},
         .key = KEY_GOOD,
         .ds_fits = true,
         .found = {SP_ADVICE_CHAIN_EXPIRES_SOON},
         .detail = "RRSIG of d.test SOA by key 4711 of d.test expires"},
	{.name = "a day left of two, as some sign",
         .soa = {-25, 25},
         .key = KEY_GOOD,
         .ds_fits = true},
	{.name = "expired is another matter",
         .soa = OLD,
         .key = KEY_GOOD,
         .ds_fits = true},
	{.name = "RFC 9905 2 RSASHA1",
         .soa = GOOD,
         .key = KEY_SHA1,
         .ds_fits = true,
         .found = {SP_ADVICE_CHAIN_ALGORITHM_WEAK},
         .detail = "RSASHA1 (key"},
	{.name = "RFC 9905 3 a SHA-1 digest alone",
         .soa = GOOD,
         .key = KEY_GOOD,
         .more_ds = "12670d010011",
         .found = {SP_ADVICE_CHAIN_DIGEST_WEAK},
         .detail = "4711"},
	{.name = "RFC 6781 4.1.2 a DS left from a change of keys",
         .soa = GOOD,
         .key = KEY_GOOD,
         .ds_fits = true,
         .more_ds = "12670d020011",
         .found = {SP_ADVICE_CHAIN_DS_UNUSED},
         .detail = "4711"},
};

static void test_zone(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(zone_cases); i++) {
		const struct zone_case *c = &zone_cases[i];
		const struct server_case server = {
			.serial = 5,
			.soa = c->soa,
			.key = c->key,
		};
		struct sp_chain_finding found[SP_CHAIN_FINDINGS_MAX];
		struct sp_seen_record ds[2];
		struct two_servers t;
		size_t count;

		print_message("  %s\n", c->name);
		set_up(&t, &server);
		t.link_key = record(&t.arena, SP_DNS_TYPE_DNSKEY, c->key);
		t.link.ds = ds;
		if (c->ds_fits) {
			ds[t.link.ds_count++] = ds_for(&t.arena, c->key);
		}
		if (c->more_ds) {
			ds[t.link.ds_count++] =
				record(&t.arena, SP_DNS_TYPE_DS, c->more_ds);
		}
		count = sp_chain_judge_zone(&t.zone, &t.link, NOW_MS, &t.arena,
		                            found);
		demand(found, count, c->found, COUNT(c->found), c->detail);
		sp_arena_fini(&t.arena);
	}
}

/* --- both sides of a delegation --- */

#define NAMES_MAX 3

static const struct delegation_case {
	const char *name;
	const char *above[NAMES_MAX], *below[NAMES_MAX];
	enum sp_dnssec dnssec; /* of the zone's own NS records */
	enum sp_advice_id found[3];
	const char *detail; /* of the first */
} delegation_cases[] = {
	{"RFC 1034 4.2.2 the same on both sides",
         {"ns1.d.test", "NS2.d.test"},
         {"ns2.d.test", "ns1.d.test"},
         SP_DNSSEC_SECURE,
         {SP_ADVICE_NONE},
         NULL},
	{"one that the zone does not name",
         {"ns1.d.test", "old.d.test"},
         {"ns1.d.test"},
         SP_DNSSEC_SECURE,
         {SP_ADVICE_NS_PARENT_ONLY},
         "old.d.test"},
	{"two that the parent does not name",
         {"ns1.d.test"},
         {"ns1.d.test", "ns2.d.test", "ns3.d.test"},
         SP_DNSSEC_INSECURE,
         {SP_ADVICE_NS_CHILD_ONLY},
         "ns2.d.test, ns3.d.test"},
	{"one on each side",
         {"old.d.test"},
         {"ns1.d.test"},
         SP_DNSSEC_SECURE,
         {SP_ADVICE_NS_PARENT_ONLY, SP_ADVICE_NS_CHILD_ONLY},
         "old.d.test"},
	{"no referral was seen",
         {NULL},
         {"ns1.d.test"},
         SP_DNSSEC_SECURE,
         {SP_ADVICE_NONE},
         NULL},
	{"nobody knows the zone's own",
         {"ns1.d.test"},
         {NULL},
         SP_DNSSEC_FAILED,
         {SP_ADVICE_NONE},
         NULL},
	{"RFC 4035 4.3 the zone's own are bogus",
         {"ns1.d.test"},
         {"ns2.d.test"},
         SP_DNSSEC_BOGUS,
         {SP_ADVICE_NONE},
         NULL},
};

static struct sp_dns_answer *own_names(const struct delegation_case *c)
{
	struct sp_dns_answer *ns =
		sp_dns_answer_new(SP_STR("d.test"), SP_DNS_TYPE_NS);

	ns->dnssec = c->dnssec;
	ns->canonical = ns->name;
	ns->records =
		sp_arena_array(&ns->arena, NAMES_MAX, sizeof(*ns->records));
	while (ns->record_count < NAMES_MAX && c->below[ns->record_count]) {
		ns->records[ns->record_count].name =
			sp_str_from(c->below[ns->record_count]);
		ns->record_count++;
	}
	return ns;
}

static void test_delegation(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(delegation_cases); i++) {
		const struct delegation_case *c = &delegation_cases[i];
		struct sp_chain_finding found[SP_CHAIN_FINDINGS_MAX];
		struct sp_chain_link link = {0};
		struct sp_str above[NAMES_MAX];
		struct sp_arena arena = {0};
		struct sp_chain_zone zone = {
			.name = SP_STR("d.test"),
			.ns = own_names(c),
			.delegated = above,
		};
		size_t count;

		print_message("  %s\n", c->name);
		while (zone.delegated_count < NAMES_MAX &&
		       c->above[zone.delegated_count]) {
			above[zone.delegated_count] =
				sp_str_from(c->above[zone.delegated_count]);
			zone.delegated_count++;
		}
		count = sp_chain_judge_zone(&zone, &link, NOW_MS, &arena,
		                            found);
		demand(found, count, c->found, COUNT(c->found), c->detail);
		sp_dns_answer_free(&zone.ns);
		sp_arena_fini(&arena);
	}
}

/* --- one answer --- */

static const struct answer_case {
	const char *name;
	const char *detail;
	struct window window;
	int err, tcp_err;
	enum sp_advice_id found[2];
	uint8_t rcode;
	bool referral;
	bool records;
	bool denial; /* with NSEC */
	bool differs;
	bool unsigned_zone;
} answer_cases[] = {
	{.name = "records", .records = true, .window = GOOD},
	{.name = "RFC 4035 3.1.3 denied with a proof",
         .denial = true,
         .window = GOOD},
	{.name = "RFC 4035 3.1.3 NXDOMAIN with a proof",
         .rcode = 3,
         .denial = true,
         .window = GOOD},
	{.name = "RFC 4035 3.1.3 denied without a proof",
         .found = {SP_ADVICE_DNS_SERVER_NO_PROOF},
         .detail = "TLSA denied without NSEC"},
	{.name = "denied without a proof in an unsigned zone",
         .unsigned_zone = true},
	{.name = "RFC 8906 3.1.3 NOTIMP",
         .rcode = 4,
         .found = {SP_ADVICE_DNS_SERVER_TYPE},
         .detail = "NOTIMP to a question of type TLSA"},
	{.name = "SERVFAIL in an unsigned zone",
         .rcode = 2,
         .unsigned_zone = true,
         .found = {SP_ADVICE_DNS_SERVER_TYPE},
         .detail = "SERVFAIL"},
	{.name = "RFC 8906 3.1 no answer to this type",
         .err = SP_ETIMEOUT,
         .found = {SP_ADVICE_DNS_SERVER_TYPE},
         .detail = "no answer"},
	{.name = "no way there", .err = -ENETUNREACH},
	{.name = "RFC 7766 5 truncated, and no TCP",
         .tcp_err = SP_ECLOSED,
         .found = {SP_ADVICE_DNS_SERVER_NO_TCP}},
	{.name = "RFC 1034 4.3.2 a referral to a zone below", .referral = true},
	{.name = "an old signature",
         .records = true,
         .window = OLD,
         .found = {SP_ADVICE_DNS_SERVER_SIGNATURES},
         .detail = "TLSA by key 4711 expired"},
	{.name = "no signature",
         .records = true,
         .window = NONE,
         .found = {SP_ADVICE_DNS_SERVER_UNSIGNED},
         .detail = "no RRSIG of d.test TLSA"},
	{.name = "other records than elsewhere",
         .records = true,
         .window = GOOD,
         .differs = true,
         .found = {SP_ADVICE_DNS_SERVER_DIFFERS},
         .detail = "other TLSA records of d.test"},
};

static struct sp_seen_record plain(unsigned type, const char *rdata)
{
	return (struct sp_seen_record){
		.owner = SP_STR("d.test"),
		.type = (uint16_t)type,
		.rdata = sp_str_from(rdata),
	};
}

static void test_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answer_cases); i++) {
		const struct answer_case *c = &answer_cases[i];
		struct sp_chain_finding found[SP_CHAIN_FINDINGS_MAX];
		struct said_by_server said, other;
		struct sp_arena arena = {0};
		struct sp_chain_answer answered = {
			.server = SP_STR("ns.d.test"),
			.reply = &said.reply,
			.name = SP_STR("d.test"),
			.type = SP_DNS_TYPE_TLSA,
			.signed_zone = !c->unsigned_zone,
			.compare = true,
		};
		size_t count;

		print_message("  %s\n", c->name);
		fill(&said, c->rcode, !c->referral);
		fill(&other, 0, true);
		said.reply.err = c->err;
		said.reply.tcp_err = c->tcp_err;
		if (c->records) {
			put_signed(&said, plain(SP_DNS_TYPE_TLSA, "one"),
			           SP_SEEN_ANSWER, c->window.begins_h,
			           c->window.ends_h);
			put(&other, plain(SP_DNS_TYPE_TLSA,
			                  c->differs ? "two" : "one"));
			answered.reference = &other.reply;
		}
		if (c->denial) {
			put_signed(&said, plain(SP_SEEN_TYPE_NSEC, ""),
			           SP_SEEN_AUTHORITY, c->window.begins_h,
			           c->window.ends_h);
		}
		count = sp_chain_judge_answer(&answered, NOW_MS, &arena, found);
		demand(found, count, c->found, COUNT(c->found), c->detail);
		sp_arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_server_text),
		cmocka_unit_test(test_zone),
		cmocka_unit_test(test_delegation),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
