/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ldns takes the packet apart (headers, compression, the fields of each
 * type); we then put every RDATA together again, uncompressed, and read it
 * with our own eyes. This looks like a detour, but ldns hands out a record
 * with fewer fields than its type has when the RDATA was short (a TLSA record
 * of no bytes at all is legal to it), and one reader with one length check is
 * easier to trust than one per type of field.
 */
#include <stdbool.h> /* before ldns, which else makes bool a char */
#include <stdio.h>
#include <string.h>

#include <ldns/ldns.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/resolver_evidence.h"
#include "net/resolver_packet.h"

#define HEADER_LEN     12
#define PACKET_MAX     65535
#define WIRE_NAME_MAX  255
#define WIRE_LABEL_MAX 63
#define SOA_FIXED_LEN  20 /* serial, refresh, retry, expire, minimum */
#define RCODE_NXDOMAIN 3
#define RCODE_SERVFAIL 2

/* --- names --- */

static void append_octet(struct sp_buf *text, unsigned char octet)
{
	char c = sp_ascii_lower((char)octet);

	if (c == '.' || c == '\\') {
		(void)sp_buf_append_char(text, '\\');
		(void)sp_buf_append_char(text, c);
	} else if (sp_ascii_is_graph(c)) {
		(void)sp_buf_append_char(text, c);
	} else {
		(void)sp_buf_printf(text, "\\%03u", octet);
	}
}

/* Labels into text; the length of the wire form, or SP_ESYNTAX. */
static int read_labels(struct sp_str bytes, struct sp_buf *text)
{
	size_t at = 0;

	for (;;) {
		size_t len;

		if (at >= bytes.len || at >= WIRE_NAME_MAX) {
			return SP_ESYNTAX;
		}
		len = (unsigned char)bytes.ptr[at++];
		if (len == 0) {
			return (int)at;
		}
		if (len > WIRE_LABEL_MAX || len > bytes.len - at) {
			return SP_ESYNTAX;
		}
		if (at > 1) {
			(void)sp_buf_append_char(text, '.');
		}
		for (size_t i = 0; i < len; i++) {
			append_octet(text, (unsigned char)bytes.ptr[at + i]);
		}
		at += len;
	}
}

int sp__dns_name_read(struct sp_str bytes, struct sp_arena *arena,
                      struct sp_str *name_out, size_t *len_out)
{
	struct sp_buf text;
	int len;
	int err = 0;

	sp_buf_init(&text, SP_DNS_NAME_MAX);
	len = read_labels(bytes, &text);
	if (len < 0) {
		err = len;
	} else if (sp_buf_error(&text)) {
		err = SP_ELIMIT; /* escapes made it too long to be shown */
	} else {
		struct sp_str name = sp_buf_str(&text);

		*name_out = sp_arena_str(arena, name.len ? name : SP_STR("."));
		*len_out = (size_t)len;
	}
	sp_buf_fini(&text);
	return err;
}

const char *sp__dns_type_text(uint16_t type, char out[16])
{
	static const struct {
		uint16_t type;
		const char *text;
	} types[] = {
		{SP_DNS_TYPE_A, "A"},           {SP_DNS_TYPE_NS, "NS"},
		{SP_DNS_TYPE_CNAME, "CNAME"},   {SP_DNS_TYPE_SOA, "SOA"},
		{SP_DNS_TYPE_MX, "MX"},         {SP_DNS_TYPE_TXT, "TXT"},
		{SP_DNS_TYPE_AAAA, "AAAA"},     {SP_DNS_TYPE_DS, "DS"},
		{SP__DNS_TYPE_RRSIG, "RRSIG"},  {SP__DNS_TYPE_NSEC, "NSEC"},
		{SP_DNS_TYPE_DNSKEY, "DNSKEY"}, {SP__DNS_TYPE_NSEC3, "NSEC3"},
		{SP_DNS_TYPE_TLSA, "TLSA"},     {SP_DNS_TYPE_DNAME, "DNAME"},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (types[i].type == type) {
			return types[i].text;
		}
	}
	(void)snprintf(out, 16, "TYPE%u", type);
	return out;
}

/* --- packets --- */

static uint16_t get_u16(struct sp_str bytes, size_t at)
{
	const unsigned char *p = (const unsigned char *)bytes.ptr + at;

	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get_u32(struct sp_str bytes, size_t at)
{
	return (uint32_t)get_u16(bytes, at) << 16 | get_u16(bytes, at + 2);
}

static struct sp_str rdf_bytes(const ldns_rdf *rdf)
{
	return sp_str_slice(ldns_rdf_data(rdf), ldns_rdf_size(rdf));
}

/* RDATA as it would stand in an uncompressed packet. */
static int copy_rdata(const ldns_rr *rr, struct sp_arena *arena,
                      struct sp_str *rdata_out)
{
	size_t count = ldns_rr_rd_count(rr);
	size_t total = 0;
	char *at;

	for (size_t i = 0; i < count; i++) {
		total += rdf_bytes(ldns_rr_rdf(rr, i)).len;
	}
	if (total > SP_DNS_DATA_MAX) {
		return SP_ELIMIT;
	}
	at = sp_arena_alloc(arena, total + 1);
	*rdata_out = sp_str_slice(at, total);
	for (size_t i = 0; i < count; i++) {
		struct sp_str field = rdf_bytes(ldns_rr_rdf(rr, i));

		if (field.len > 0) {
			memcpy(at, field.ptr, field.len);
		}
		at += field.len;
	}
	return 0;
}

static int copy_owner(ldns_rr *rr, struct sp_arena *arena,
                      struct sp__dns_rr *out)
{
	size_t len;
	int err;

	ldns_dname2canonical(ldns_rr_owner(rr));
	out->owner_wire = sp_arena_str(arena, rdf_bytes(ldns_rr_owner(rr)));
	err = sp__dns_name_read(out->owner_wire, arena, &out->owner, &len);
	if (!err && len != out->owner_wire.len) {
		err = SP_ESYNTAX;
	}
	return err;
}

/* Appends a section to the packet's records, of which there is room. */
static int copy_section(const ldns_rr_list *list, enum sp__dns_section section,
                        struct sp_arena *arena, struct sp__dns_packet *packet)
{
	size_t count = ldns_rr_list_rr_count(list);
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		ldns_rr *rr = ldns_rr_list_rr(list, i);
		struct sp__dns_rr *out = &packet->rrs[packet->rr_count];

		if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN) {
			continue;
		}
		out->section = section;
		out->type = (uint16_t)ldns_rr_get_type(rr);
		out->ttl_s = ldns_rr_ttl(rr);
		err = copy_owner(rr, arena, out);
		if (!err) {
			err = copy_rdata(rr, arena, &out->rdata);
		}
		packet->rr_count++;
	}
	return err;
}

static int copy_packet(const ldns_pkt *pkt, bool all, struct sp_arena *arena,
                       struct sp__dns_packet *packet)
{
	const ldns_rr_list *question = ldns_pkt_question(pkt);
	const ldns_rr_list *answer = ldns_pkt_answer(pkt);
	const ldns_rr_list *authority = ldns_pkt_authority(pkt);
	const ldns_rr_list *additional = ldns_pkt_additional(pkt);
	size_t extra = all ? ldns_rr_list_rr_count(additional) : 0;
	struct sp__dns_rr asked = {0};
	ldns_rr *first;
	int err;

	if (ldns_rr_list_rr_count(question) != 1) {
		return SP_ESYNTAX;
	}
	first = ldns_rr_list_rr(question, 0);
	packet->rcode = (uint8_t)ldns_pkt_get_rcode(pkt);
	packet->type = (uint16_t)ldns_rr_get_type(first);
	packet->authoritative = ldns_pkt_aa(pkt);
	packet->truncated = ldns_pkt_tc(pkt);
	packet->edns = ldns_pkt_edns(pkt);
	packet->rrs = sp_arena_array(arena,
	                             ldns_rr_list_rr_count(answer) +
	                                     ldns_rr_list_rr_count(authority) +
	                                     extra + 1,
	                             sizeof(*packet->rrs));
	err = copy_owner(first, arena, &asked);
	packet->name = asked.owner;
	if (!err) {
		err = copy_section(answer, SP__DNS_ANSWER, arena, packet);
	}
	if (!err) {
		err = copy_section(authority, SP__DNS_AUTHORITY, arena, packet);
	}
	if (!err && all) {
		err = copy_section(additional, SP__DNS_ADDITIONAL, arena,
		                   packet);
	}
	return err;
}

static int parse(struct sp_str bytes, bool all, struct sp_arena *arena,
                 struct sp__dns_packet *packet_out)
{
	ldns_pkt *pkt = NULL;
	size_t rrs;
	int err;

	memset(packet_out, 0, sizeof(*packet_out));
	if (bytes.len < HEADER_LEN || bytes.len > PACKET_MAX) {
		return SP_ESYNTAX;
	}
	rrs = (size_t)get_u16(bytes, 6) + get_u16(bytes, 8) +
	      get_u16(bytes, 10);
	if (rrs > SP__DNS_RRS_MAX) {
		return SP_ELIMIT;
	}
	if (ldns_wire2pkt(&pkt, (const uint8_t *)bytes.ptr, bytes.len) !=
	    LDNS_STATUS_OK) {
		return SP_ESYNTAX;
	}
	err = copy_packet(pkt, all, arena, packet_out);
	ldns_pkt_free(pkt);
	return err;
}

int sp__dns_packet_parse(struct sp_str bytes, struct sp_arena *arena,
                         struct sp__dns_packet *packet_out)
{
	return parse(bytes, false, arena, packet_out);
}

int sp__dns_packet_parse_all(struct sp_str bytes, struct sp_arena *arena,
                             struct sp__dns_packet *packet_out)
{
	return parse(bytes, true, arena, packet_out);
}

/* --- records --- */

static int read_name(struct sp_str rdata, struct sp_arena *arena,
                     struct sp_dns_record *out)
{
	size_t len;
	int err = sp__dns_name_read(rdata, arena, &out->name, &len);

	return !err && len != rdata.len ? SP_ESYNTAX : err;
}

static int read_a(struct sp_str rdata, struct sp_arena *arena,
                  struct sp_dns_record *out)
{
	(void)arena;
	if (rdata.len != 4) {
		return SP_ESYNTAX;
	}
	memcpy(out->address, rdata.ptr, 4);
	return 0;
}

static int read_aaaa(struct sp_str rdata, struct sp_arena *arena,
                     struct sp_dns_record *out)
{
	(void)arena;
	if (rdata.len != 16) {
		return SP_ESYNTAX;
	}
	memcpy(out->address, rdata.ptr, 16);
	return 0;
}

static int read_mx(struct sp_str rdata, struct sp_arena *arena,
                   struct sp_dns_record *out)
{
	if (rdata.len < 3) {
		return SP_ESYNTAX;
	}
	out->preference = get_u16(rdata, 0);
	return read_name(sp_str_sub(rdata, 2, rdata.len), arena, out);
}

/* The strings of a TXT record, joined (RFC 7208 3.3 and its like). */
static int read_txt(struct sp_str rdata, struct sp_arena *arena,
                    struct sp_dns_record *out)
{
	char *at = sp_arena_alloc(arena, rdata.len + 1);

	out->data.ptr = at;
	while (rdata.len > 0) {
		size_t len = (unsigned char)rdata.ptr[0];

		if (len > rdata.len - 1) {
			return SP_ESYNTAX;
		}
		memcpy(at + out->data.len, rdata.ptr + 1, len);
		out->data.len += len;
		rdata = sp_str_sub(rdata, len + 1, rdata.len);
	}
	return 0;
}

/* A TLSA record is never malformed: RFC 7672 3.1.3 wants a strange one kept
 * as unusable, and sp_tlsa_decode marks it so. */
static int read_tlsa(struct sp_str rdata, struct sp_arena *arena,
                     struct sp_dns_record *out)
{
	(void)arena;
	(void)sp_tlsa_decode(rdata, &out->tlsa);
	return 0;
}

static int read_whole(struct sp_str rdata, struct sp_arena *arena,
                      struct sp_dns_record *out)
{
	(void)arena;
	out->data = rdata;
	return 0;
}

static int read_key(struct sp_str rdata, struct sp_arena *arena,
                    struct sp_dns_record *out)
{
	return rdata.len < 4 ? SP_ESYNTAX : read_whole(rdata, arena, out);
}

static int read_soa(struct sp_str rdata, struct sp_arena *arena,
                    struct sp_dns_record *out)
{
	return rdata.len < SOA_FIXED_LEN + 2 ? SP_ESYNTAX
	                                     : read_whole(rdata, arena, out);
}

static const struct record_reader {
	enum sp_dns_type type;
	int (*read)(struct sp_str rdata, struct sp_arena *arena,
	            struct sp_dns_record *out);
} readers[] = {
	{SP_DNS_TYPE_A, read_a},        {SP_DNS_TYPE_AAAA, read_aaaa},
	{SP_DNS_TYPE_MX, read_mx},      {SP_DNS_TYPE_TLSA, read_tlsa},
	{SP_DNS_TYPE_TXT, read_txt},    {SP_DNS_TYPE_CNAME, read_name},
	{SP_DNS_TYPE_NS, read_name},    {SP_DNS_TYPE_SOA, read_soa},
	{SP_DNS_TYPE_DS, read_key},     {SP_DNS_TYPE_DNSKEY, read_key},
	{SP_DNS_TYPE_DNAME, read_name},
};

static const struct record_reader *reader_of(enum sp_dns_type type)
{
	for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++) {
		if (readers[i].type == type) {
			return &readers[i];
		}
	}
	return NULL;
}

/* --- answers --- */

struct sp_dns_answer *sp__dns_answer_failed(struct sp_str name,
                                            enum sp_dns_type type,
                                            const char *scenario,
                                            struct sp_str why)
{
	struct sp_dns_answer *a = sp_dns_answer_new(name, type);

	a->rcode = RCODE_SERVFAIL;
	a->scenario = sp_str_from(scenario);
	sp_dns_answer_set_why(a, why);
	return a;
}

static void lower_ttl(struct sp_dns_answer *a, uint32_t ttl_s)
{
	if (ttl_s < a->ttl_s) {
		a->ttl_s = ttl_s;
	}
}

static const struct sp__dns_rr *find_cname(const struct sp__dns_packet *packet,
                                           struct sp_str owner)
{
	for (size_t i = 0; i < packet->rr_count; i++) {
		const struct sp__dns_rr *rr = &packet->rrs[i];

		if (rr->section == SP__DNS_ANSWER &&
		    rr->type == SP_DNS_TYPE_CNAME &&
		    sp_str_eq(rr->owner, owner)) {
			return rr;
		}
	}
	return NULL;
}

/* Whether the DNAME makes exactly this CNAME: it stands above the owner, and
 * the labels before it lead on to its target (RFC 6672 2.2). */
static bool dname_makes(const struct sp__dns_rr *dname,
                        const struct sp__dns_rr *cname)
{
	struct sp_str below = cname->owner_wire;
	struct sp_str to = cname->rdata;
	size_t len;

	if (below.len <= dname->owner_wire.len) {
		return false;
	}
	len = below.len - dname->owner_wire.len;
	for (size_t at = 0; at < len;) { /* the cut is between labels */
		at += (unsigned char)below.ptr[at] + 1u;
		if (at > len) {
			return false;
		}
	}
	return sp_str_ends_nocase(below, dname->owner_wire) && to.len > len &&
	       sp_str_eq_nocase(sp_str_sub(to, 0, len),
	                        sp_str_sub(below, 0, len)) &&
	       sp_str_eq_nocase(sp_str_sub(to, len, to.len), dname->rdata);
}

/* The owner of the DNAME that made this step, or empty. One at the root is
 * passed over: its aliases count as by CNAME. */
static struct sp_str find_dname(const struct sp__dns_packet *packet,
                                const struct sp__dns_rr *cname)
{
	for (size_t i = 0; i < packet->rr_count; i++) {
		const struct sp__dns_rr *rr = &packet->rrs[i];

		if (rr->section == SP__DNS_ANSWER &&
		    rr->type == SP_DNS_TYPE_DNAME && rr->owner_wire.len > 1 &&
		    dname_makes(rr, cname)) {
			return rr->owner;
		}
	}
	return (struct sp_str){0};
}

/* Follows the aliases from the question's name. libunbound follows a DNAME
 * by a CNAME that it puts beside it, so the chain is one of CNAMEs. A
 * chain longer than the limit says nothing about its end, hence an error. */
static int follow_aliases(const struct sp__dns_packet *packet, size_t max,
                          enum sp_dnssec dnssec, struct sp_dns_answer *a)
{
	const struct sp__dns_rr *rr;

	a->canonical = packet->name;
	if (a->type == SP_DNS_TYPE_CNAME) {
		return 0;
	}
	a->aliases = sp_arena_array(&a->arena, max + 1, sizeof(*a->aliases));
	while ((rr = find_cname(packet, a->canonical))) {
		struct sp_dns_alias *alias = &a->aliases[a->alias_count];
		struct sp_dns_record target = {0};
		int err = read_name(rr->rdata, &a->arena, &target);

		if (err || a->alias_count == max) {
			return err ? err : SP_ELIMIT;
		}
		alias->owner = a->canonical;
		alias->target = target.name;
		alias->dnssec = dnssec;
		alias->dname = find_dname(packet, rr);
		a->alias_count++;
		a->canonical = target.name;
		lower_ttl(a, rr->ttl_s);
	}
	return 0;
}

static int collect_records(const struct sp__dns_packet *packet, size_t max,
                           struct sp_dns_answer *a)
{
	const struct record_reader *reader = reader_of(a->type);

	if (!reader) {
		return SP_EUNSUPPORTED;
	}
	/* no more than the packet has can come of it */
	a->records = sp_arena_array(
		&a->arena, max < packet->rr_count ? max : packet->rr_count,
		sizeof(*a->records));
	for (size_t i = 0; i < packet->rr_count; i++) {
		const struct sp__dns_rr *rr = &packet->rrs[i];
		int err;

		if (rr->section != SP__DNS_ANSWER || rr->type != a->type ||
		    !sp_str_eq(rr->owner, a->canonical)) {
			continue;
		}
		lower_ttl(a, rr->ttl_s);
		if (a->record_count == max) {
			a->cut = true;
			continue;
		}
		err = reader->read(rr->rdata, &a->arena,
		                   &a->records[a->record_count]);
		if (err) {
			return err;
		}
		a->record_count++;
	}
	return 0;
}

/* RFC 2308 5: the lesser of the SOA's TTL and its last field. */
static uint32_t negative_ttl(const struct sp__dns_packet *packet)
{
	for (size_t i = 0; i < packet->rr_count; i++) {
		const struct sp__dns_rr *rr = &packet->rrs[i];
		uint32_t minimum;

		if (rr->section != SP__DNS_AUTHORITY ||
		    rr->type != SP_DNS_TYPE_SOA || rr->rdata.len < 4) {
			continue;
		}
		minimum = get_u32(rr->rdata, rr->rdata.len - 4);
		return minimum < rr->ttl_s ? minimum : rr->ttl_s;
	}
	return 0;
}

static int fill(const struct sp__dns_packet *packet, bool secure,
                const struct sp__dns_limits *limits, struct sp_dns_answer *a)
{
	enum sp_dnssec dnssec = secure ? SP_DNSSEC_SECURE : SP_DNSSEC_INSECURE;
	int err;

	if (!sp_str_eq(packet->name, a->name) || packet->type != a->type) {
		return SP_ESYNTAX;
	}
	a->ttl_s = UINT32_MAX;
	err = follow_aliases(packet, limits->aliases_max, dnssec, a);
	if (!err && packet->rcode != RCODE_NXDOMAIN) {
		err = collect_records(packet, limits->records_max, a);
	}
	if (err) {
		return err;
	}
	if (a->record_count == 0) {
		lower_ttl(a, negative_ttl(packet));
	}
	a->dnssec = dnssec;
	a->rcode = packet->rcode;
	a->result = a->record_count > 0 ? SP_DNS_RECORDS : SP_DNS_NODATA;
	if (packet->rcode == RCODE_NXDOMAIN) {
		a->result = SP_DNS_NXDOMAIN;
	}
	return sp_dns_answer_check(a);
}

static struct sp_dns_answer *failed(struct sp_str name, enum sp_dns_type type,
                                    int rcode, struct sp_str why)
{
	struct sp__finding finding = sp__finding_of_failure(rcode, why);
	struct sp_dns_answer *a =
		sp__dns_answer_failed(name, type, finding.scenario, why);

	a->rcode = (uint8_t)(rcode & 15);
	a->ede = finding.ede;
	return a;
}

static struct sp_dns_answer *bogus(struct sp_str name, enum sp_dns_type type,
                                   struct sp_str why)
{
	struct sp__finding finding = sp__finding_of_bogus(why);
	struct sp_dns_answer *a =
		sp__dns_answer_failed(name, type, finding.scenario, why);

	a->dnssec = SP_DNSSEC_BOGUS;
	a->ede = finding.ede;
	return a;
}

struct sp_dns_answer *sp__dns_answer_make(struct sp_str name,
                                          enum sp_dns_type type,
                                          const struct sp__dns_reply *reply,
                                          const struct sp__dns_limits *limits)
{
	struct sp__dns_packet packet;
	struct sp_dns_answer *a;
	int err;

	if (reply->security == SP__DNS_SEC_BOGUS) {
		return bogus(name, type, reply->why);
	}
	if (reply->rcode != 0) {
		return failed(name, type, reply->rcode, reply->why);
	}
	a = sp_dns_answer_new(name, type);
	err = sp__dns_packet_parse(reply->packet, &a->arena, &packet);
	if (!err && packet.rcode != 0 && packet.rcode != RCODE_NXDOMAIN) {
		sp_dns_answer_free(&a);
		return failed(name, type, packet.rcode, reply->why);
	}
	if (!err) {
		err = fill(&packet, reply->security == SP__DNS_SEC_SECURE,
		           limits, a);
	}
	if (!err) {
		return a;
	}
	sp_dns_answer_free(&a);
	return sp__dns_answer_failed(
		name, type, err == SP_ELIMIT ? "dns-limit" : "dns-malformed",
		err == SP_ELIMIT
			? SP_STR("answer has more aliases or records, or a "
	                         "longer name, than the limit")
			: SP_STR("answer could not be decoded"));
}
