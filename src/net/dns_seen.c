/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet is taken apart by net/resolver_packet; here each record of a
 * type that the chain of trust is made of is read further. A record that
 * can't be read is counted and left out: a server that sends one is strange,
 * and the rest of what it said is wanted all the same.
 */
#include <stdbool.h> /* before ldns, which else makes bool a char */
#include <stdio.h>
#include <string.h>

#include <ldns/ldns.h>

#include "base/err.h"
#include "net/dns_seen.h"
#include "net/resolver_evidence.h"
#include "net/resolver_packet.h"

#define HEADER_LEN       12
#define RRSIG_FIXED_LEN  18
#define DS_FIXED_LEN     4
#define DNSKEY_FIXED_LEN 4
#define SOA_FIXED_LEN    20 /* serial, refresh, retry, expire, minimum */
#define DIGEST_SHA256    2
#define COUNT(array)     (sizeof(array) / sizeof(*(array)))

static uint32_t number(struct sp_str bytes, size_t at, size_t len)
{
	uint32_t value = 0;

	for (size_t i = 0; i < len; i++) {
		value = value << 8 | (unsigned char)bytes.ptr[at + i];
	}
	return value;
}

/* --- one record --- */

/* What the readers share. */
struct reading {
	struct sp_arena *arena;
	int64_t wall_ms;
};

static int read_ds(const struct reading *r, struct sp_seen_record *out)
{
	(void)r;
	if (out->rdata.len <= DS_FIXED_LEN) {
		return SP_ESYNTAX;
	}
	out->key_tag = (uint16_t)number(out->rdata, 0, 2);
	out->algorithm = (uint8_t)number(out->rdata, 2, 1);
	out->digest_type = (uint8_t)number(out->rdata, 3, 1);
	return 0;
}

static int read_dnskey(const struct reading *r, struct sp_seen_record *out)
{
	(void)r;
	if (out->rdata.len <= DNSKEY_FIXED_LEN) {
		return SP_ESYNTAX;
	}
	out->flags = (uint16_t)number(out->rdata, 0, 2);
	out->algorithm = (uint8_t)number(out->rdata, 3, 1);
	out->key_tag = sp__key_tag(out->rdata);
	return 0;
}

/* RFC 4034 3.1.5: seconds modulo 2^32, less than 68 years from now. */
static int64_t moment(uint32_t seconds, int64_t wall_ms)
{
	int64_t now_s = wall_ms / 1000;
	int32_t distance = (int32_t)(seconds - (uint32_t)now_s);

	return (now_s + distance) * 1000;
}

static int read_rrsig(const struct reading *r, struct sp_seen_record *out)
{
	struct sp_str rdata = out->rdata;
	size_t len;

	if (rdata.len <= RRSIG_FIXED_LEN) {
		return SP_ESYNTAX;
	}
	out->covered = (uint16_t)number(rdata, 0, 2);
	out->algorithm = (uint8_t)number(rdata, 2, 1);
	out->ends_ms = moment(number(rdata, 8, 4), r->wall_ms);
	out->begins_ms = moment(number(rdata, 12, 4), r->wall_ms);
	out->key_tag = (uint16_t)number(rdata, 16, 2);
	return sp__dns_name_read(sp_str_sub(rdata, RRSIG_FIXED_LEN, rdata.len),
	                         r->arena, &out->signer, &len);
}

static int read_soa(const struct reading *r, struct sp_seen_record *out)
{
	(void)r;
	if (out->rdata.len < SOA_FIXED_LEN + 2) {
		return SP_ESYNTAX;
	}
	out->serial = number(out->rdata, out->rdata.len - SOA_FIXED_LEN, 4);
	return 0;
}

static int read_name(const struct reading *r, struct sp_seen_record *out)
{
	size_t len;
	int err = sp__dns_name_read(out->rdata, r->arena, &out->name, &len);

	return !err && len != out->rdata.len ? SP_ESYNTAX : err;
}

static int read_address(const struct reading *r, struct sp_seen_record *out)
{
	size_t len = out->type == SP_DNS_TYPE_A ? 4 : 16;

	(void)r;
	if (out->rdata.len != len) {
		return SP_ESYNTAX;
	}
	out->family = len == 4 ? 4 : 6;
	memcpy(out->address, out->rdata.ptr, len);
	return 0;
}

static const struct reader {
	uint16_t type;
	int (*read)(const struct reading *r, struct sp_seen_record *out);
} readers[] = {
	{SP_DNS_TYPE_DS, read_ds},        {SP_DNS_TYPE_DNSKEY, read_dnskey},
	{SP_DNS_TYPE_SOA, read_soa},      {SP_DNS_TYPE_NS, read_name},
	{SP_DNS_TYPE_CNAME, read_name},   {SP_DNS_TYPE_A, read_address},
	{SP_DNS_TYPE_AAAA, read_address}, {SP_SEEN_TYPE_RRSIG, read_rrsig},
};

/* rdata, type and owner stand already. */
static int read_record(const struct reading *r, struct sp_seen_record *out)
{
	for (size_t i = 0; i < COUNT(readers); i++) {
		if (readers[i].type == out->type) {
			return readers[i].read(r, out);
		}
	}
	return 0; /* of no further interest */
}

/* --- packets --- */

static enum sp_seen_section section_of(enum sp__dns_section section)
{
	return section == SP__DNS_ANSWER      ? SP_SEEN_ANSWER
	       : section == SP__DNS_AUTHORITY ? SP_SEEN_AUTHORITY
	                                      : SP_SEEN_ADDITIONAL;
}

static void take_records(const struct sp__dns_packet *packet, int64_t wall_ms,
                         struct sp_seen *seen)
{
	const struct reading r = {&seen->arena, wall_ms};

	seen->records = sp_arena_array(&seen->arena, packet->rr_count + 1,
	                               sizeof(*seen->records));
	for (size_t i = 0; i < packet->rr_count; i++) {
		const struct sp__dns_rr *rr = &packet->rrs[i];
		struct sp_seen_record record = {
			.section = section_of(rr->section),
			.owner = rr->owner,
			.owner_wire = rr->owner_wire,
			.type = rr->type,
			.ttl_s = rr->ttl_s,
			.rdata = rr->rdata,
		};

		if (read_record(&r, &record)) {
			seen->malformed++;
			continue;
		}
		seen->records[seen->record_count++] = record;
	}
}

/* An error that does not even repeat the question. */
static bool is_bare_error(struct sp_str bytes)
{
	return bytes.len >= HEADER_LEN && number(bytes, 4, 2) == 0 &&
	       (number(bytes, 3, 1) & 15) != 0;
}

int sp_seen_decode(struct sp_str bytes, int64_t wall_ms,
                   struct sp_seen *seen_out)
{
	struct sp__dns_packet packet;
	int err;

	*seen_out = (struct sp_seen){0};
	sp_arena_init(&seen_out->arena);
	if (is_bare_error(bytes)) {
		seen_out->rcode = (uint8_t)(number(bytes, 3, 1) & 15);
		return 0;
	}
	err = sp__dns_packet_parse_all(bytes, &seen_out->arena, &packet);
	if (err) {
		sp_seen_fini(seen_out);
		return err;
	}
	seen_out->name = packet.name;
	seen_out->type = packet.type;
	seen_out->rcode = packet.rcode;
	seen_out->authoritative = packet.authoritative;
	seen_out->truncated = packet.truncated;
	seen_out->edns = packet.edns;
	take_records(&packet, wall_ms, seen_out);
	return 0;
}

void sp_seen_fini(struct sp_seen *seen)
{
	sp_arena_fini(&seen->arena);
	*seen = (struct sp_seen){0};
}

/* --- keys --- */

static int name_to_wire(struct sp_str name, struct sp_arena *arena,
                        struct sp_str *wire_out)
{
	ldns_rdf *rdf = NULL;
	ldns_status status =
		ldns_str2rdf_dname(&rdf, sp_arena_cstr(arena, name));

	if (status != LDNS_STATUS_OK) {
		return SP_ESYNTAX;
	}
	ldns_dname2canonical(rdf);
	*wire_out = sp_arena_str(
		arena, sp_str_slice(ldns_rdf_data(rdf), ldns_rdf_size(rdf)));
	ldns_rdf_deep_free(rdf);
	return 0;
}

int sp_seen_from_rdata(struct sp_str owner, uint16_t type, struct sp_str rdata,
                       struct sp_arena *arena,
                       struct sp_seen_record *record_out)
{
	const struct reading r = {arena, 0};
	int err;

	*record_out = (struct sp_seen_record){
		.owner = sp_arena_str(arena, owner),
		.type = type,
		.rdata = sp_arena_str(arena, rdata),
	};
	if (!sp_dns_name_valid(owner) || rdata.len > SP_DNS_DATA_MAX) {
		return SP_ESYNTAX;
	}
	err = name_to_wire(owner, arena, &record_out->owner_wire);
	return err ? err : read_record(&r, record_out);
}

bool sp_seen_ds_fits(const struct sp_seen_record *ds,
                     const struct sp_seen_record *key)
{
	return ds->type == SP_DNS_TYPE_DS && key->type == SP_DNS_TYPE_DNSKEY &&
	       sp__ds_fits(ds->rdata, key->owner_wire, key->rdata);
}

struct sp_str sp_seen_ds_line(const struct sp_seen_record *key,
                              struct sp_arena *arena)
{
	uint8_t digest[SP__DS_DIGEST_MAX];
	char hex[2 * SP__DS_DIGEST_MAX + 1];
	size_t len = 0;

	if (key->type == SP_DNS_TYPE_DNSKEY) {
		len = sp__ds_digest(DIGEST_SHA256, key->owner_wire, key->rdata,
		                    digest);
	}
	if (len == 0) {
		return (struct sp_str){0};
	}
	sp_str_hex(digest, len, hex, sizeof(hex));
	return sp_str_from(sp_arena_printf(
		arena, SP_STR_FMT "%s DS %u %u %u %s", SP_STR_ARG(key->owner),
		sp_str_eq(key->owner, SP_STR(".")) ? "" : ".", key->key_tag,
		key->algorithm, DIGEST_SHA256, hex));
}

/* --- words --- */

static const struct algorithm {
	uint8_t number;
	bool weak;
	const char *text;
} algorithms[] = {
	{1, true, "RSAMD5"},
	{3, true, "DSA"},
	{5, true, "RSASHA1"},
	{6, true, "DSA-NSEC3-SHA1"},
	{7, true, "RSASHA1-NSEC3-SHA1"},
	{8, false, "RSASHA256"},
	{10, false, "RSASHA512"},
	{12, true, "ECC-GOST"},
	{13, false, "ECDSAP256SHA256"},
	{14, false, "ECDSAP384SHA384"},
	{15, false, "ED25519"},
	{16, false, "ED448"},
};

const char *sp_seen_algorithm_text(uint8_t algorithm, char out[24])
{
	for (size_t i = 0; i < COUNT(algorithms); i++) {
		if (algorithms[i].number == algorithm) {
			return algorithms[i].text;
		}
	}
	(void)snprintf(out, 24, "algorithm %u", algorithm);
	return out;
}

bool sp_seen_algorithm_weak(uint8_t algorithm)
{
	for (size_t i = 0; i < COUNT(algorithms); i++) {
		if (algorithms[i].number == algorithm) {
			return algorithms[i].weak;
		}
	}
	return false;
}

const char *sp_seen_type_text(uint16_t type, char out[16])
{
	return sp__dns_type_text(type, out);
}
