/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bogus answer reaches us without its records, and a failure with an RCODE
 * only. What people need is the broken link: which signature expired when,
 * which key the parent announces. The second look goes up the chain of trust
 * from the place that libunbound names:
 *
 *	       names no zone                names a zone
 *	            |                            |
 *	         SUBJECT ----- signer ------> DNSKEY -> DS -.
 *	            |                            ^          |
 *	            | no signer                  '- parent -' (signer of the DS)
 *	            v                                       |
 *	           DONE <-- found, no parent, or too many --'
 *
 * A broken signature (the bits) shows only in libunbound's words: windows,
 * digests and missing proofs are what can be seen without verifying. Where
 * those words stand and only one RRset can be meant, it is named.
 */
#include <stdbool.h> /* before ldns, which else makes bool a char */
#include <stdio.h>
#include <string.h>

#include <ldns/ldns.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/time.h"
#include "net/resolver_evidence.h"
#include "net/resolver_packet.h"

#define RRSIG_FIXED_LEN  18
#define DS_FIXED_LEN     4
#define DNSKEY_FIXED_LEN 4

/* RFC 8914 4 */
enum ede {
	EDE_BOGUS = 6,
	EDE_EXPIRED = 7,
	EDE_NOT_YET = 8,
	EDE_DNSKEY_MISSING = 9,
	EDE_RRSIGS_MISSING = 10,
	EDE_NSEC_MISSING = 12,
	EDE_NO_AUTHORITY = 22,
	EDE_NETWORK = 23,
};

enum state {
	SUBJECT, /* the question itself */
	DNSKEY,  /* of the zone */
	DS,      /* of the zone */
	DONE,
};

/* An RRset that was seen, and the signature in its window, if it has one. */
struct rrset {
	struct sp_str owner;
	uint16_t type;
	uint16_t key_tag;
	struct sp_str signer;
};

struct sp__evidence {
	struct sp_arena arena; /* owns names and packets */
	struct sp_str name;
	enum sp_dns_type type;
	struct sp_str zone; /* whose keys are looked at */
	int64_t wall_ms;    /* of the last answer */
	enum state state;
	unsigned asked;
	struct sp__dns_packet keys; /* the answer to DNSKEY */
	const char *words;          /* scenario by libunbound's words */
	bool about_keys;            /* they are about DNSKEY of the zone */
	struct rrset bare;          /* the first without a signature */
	struct rrset intact;        /* the last with a good window */
	size_t intact_count;        /* how many there are of those */
	bool key_missing; /* none of the zone's keys made that signature */
	bool found;
	bool denied_bare; /* the denial came without proof */
	struct sp__finding finding;
};

/* --- from words --- */

struct words {
	const char *part; /* of what libunbound says */
	const char *scenario;
	uint16_t ede;
};

/* The first row that is contained in the reason. */
static const struct words bogus_words[] = {
	{"signature expired", "rrsig-expired", EDE_EXPIRED},
	{"signature before inception", "rrsig-not-yet-valid", EDE_NOT_YET},
	{"DS hash mismatches key", "ds-without-dnskey", EDE_DNSKEY_MISSING},
	{"no keys have a DS", "ds-without-dnskey", EDE_DNSKEY_MISSING},
	{"DNSKEY that matches DS", "ds-without-dnskey", EDE_DNSKEY_MISSING},
	{"No DNSKEY record", "ds-without-dnskey", EDE_DNSKEY_MISSING},
	{"no DNSKEY rrset", "ds-without-dnskey", EDE_DNSKEY_MISSING},
	{"over NSEC", "denial-unproven", EDE_NSEC_MISSING},
	{"no DNSSEC records", "denial-unproven", EDE_NSEC_MISSING},
	{"proof failed", "denial-unproven", EDE_NSEC_MISSING},
	{"fails to prove", "denial-unproven", EDE_NSEC_MISSING},
	{"no proof of that", "denial-unproven", EDE_NSEC_MISSING},
	{"signature verification failed", "rrsig-invalid", EDE_BOGUS},
	{"signature crypto failed", "rrsig-invalid", EDE_BOGUS},
	{"signatures from unknown keys", "rrsig-invalid", EDE_BOGUS},
	{"no signatures", "rrsig-missing", EDE_RRSIGS_MISSING},
	{"signature missing", "rrsig-missing", EDE_RRSIGS_MISSING},
};

static const struct words failure_words[] = {
	{"upstream server timeout", "dns-timeout", EDE_NO_AUTHORITY},
	{"got REFUSED", "dns-refused", EDE_NETWORK},
	{"got NOTIMP", "dns-notimp", EDE_NETWORK},
	{"got FORMERR", "dns-formerr", EDE_NETWORK},
	{"got SERVFAIL", "dns-servfail", EDE_NETWORK},
	{"failed scrub", "dns-malformed", EDE_NETWORK},
	{"could not parse", "dns-malformed", EDE_NETWORK},
	{"nodata answer", "dns-lame", EDE_NETWORK},
	{"exceeded the maximum", "dns-limit", EDE_NO_AUTHORITY},
	{"exceeded the limit", "dns-limit", EDE_NO_AUTHORITY},
	{"no server to query", "dns-unreachable", EDE_NO_AUTHORITY},
	{"no useful nameservers", "dns-unreachable", EDE_NO_AUTHORITY},
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool contains(struct sp_str text, const char *part)
{
	const char *in = text.ptr ? text.ptr : "";

	return memmem(in, text.len, part, strlen(part)) != NULL;
}

static struct sp__finding by_words(struct sp_str why, const struct words *rows,
                                   size_t count, struct words otherwise)
{
	struct sp__finding f = {otherwise.scenario, otherwise.ede, ""};

	for (size_t i = 0; i < count; i++) {
		if (contains(why, rows[i].part)) {
			f.scenario = rows[i].scenario;
			f.ede = rows[i].ede;
			break;
		}
	}
	return f;
}

struct sp__finding sp__finding_of_bogus(struct sp_str why)
{
	return by_words(why, bogus_words, COUNT(bogus_words),
	                (struct words){"", "dnssec-bogus", EDE_BOGUS});
}

struct sp__finding sp__finding_of_failure(int rcode, struct sp_str why)
{
	static const struct words by_rcode[] = {
		[1] = {"", "dns-formerr", EDE_NETWORK},
		[2] = {"", "dns-servfail", EDE_NETWORK},
		[4] = {"", "dns-notimp", EDE_NETWORK},
		[5] = {"", "dns-refused", EDE_NETWORK},
	};
	size_t row = 2;

	if (rcode > 0 && (size_t)rcode < COUNT(by_rcode) &&
	    by_rcode[rcode].scenario) {
		row = (size_t)rcode;
	}
	return by_words(why, failure_words, COUNT(failure_words),
	                by_rcode[row]);
}

bool sp__why_is_vague(struct sp_str why)
{
	return why.len == 0 || contains(why, "misc failure") ||
	       contains(why, "SERVFAIL in cache");
}

bool sp__why_is_cached(struct sp_str why)
{
	return sp__why_is_vague(why) || contains(why, "because of a previous");
}

/* The zone whose key or DS libunbound names as the culprit. */
static struct sp_str zone_in(struct sp_str why, struct sp_arena *arena)
{
	static const char *const before[] = {
		"for key ",
		"key for validation ",
		"for DS ",
		"for trust anchor ",
	};

	for (size_t i = 0; i < COUNT(before); i++) {
		size_t len = strlen(before[i]);
		const char *at =
			memmem(why.ptr ? why.ptr : "", why.len, before[i], len);
		struct sp_str rest;

		if (!at) {
			continue;
		}
		rest = sp_str_sub(why, (size_t)(at - why.ptr) + len, why.len);
		rest = sp_str_sub(rest, 0, sp_str_find(rest, ' '));
		rest = sp_dns_name_canonical(rest, arena);
		if (sp_dns_name_valid(rest)) {
			return rest;
		}
	}
	return (struct sp_str){0};
}

/* --- signatures --- */

struct signature {
	uint16_t covered;
	uint32_t expires_s; /* RFC 4034 3.1.5: modulo 2^32 */
	uint32_t begins_s;
	uint16_t key_tag;
	struct sp_str signer;
};

static uint32_t get_number(struct sp_str bytes, size_t at, size_t len)
{
	uint32_t value = 0;

	for (size_t i = 0; i < len; i++) {
		value = value << 8 | (unsigned char)bytes.ptr[at + i];
	}
	return value;
}

static bool read_signature(const struct sp__dns_rr *rr, struct sp_arena *arena,
                           struct signature *out)
{
	size_t len;

	if (rr->type != SP__DNS_TYPE_RRSIG || rr->rdata.len < RRSIG_FIXED_LEN) {
		return false;
	}
	out->covered = (uint16_t)get_number(rr->rdata, 0, 2);
	out->expires_s = get_number(rr->rdata, 8, 4);
	out->begins_s = get_number(rr->rdata, 12, 4);
	out->key_tag = (uint16_t)get_number(rr->rdata, 16, 2);
	return sp__dns_name_read(
		       sp_str_sub(rr->rdata, RRSIG_FIXED_LEN, rr->rdata.len),
		       arena, &out->signer, &len) == 0;
}

static void say_window(struct sp__evidence *e, const struct sp__dns_rr *rr,
                       const struct signature *s, bool expired)
{
	uint32_t now_s = (uint32_t)(e->wall_ms / 1000);
	int32_t distance =
		(int32_t)((expired ? s->expires_s : s->begins_s) - now_s);
	char type[16];
	char when[SP_TIME_TEXT];

	sp_time_rfc3339((e->wall_ms / 1000 + distance) * 1000, when);
	e->found = true;
	e->finding.scenario = expired ? "rrsig-expired" : "rrsig-not-yet-valid";
	e->finding.ede = expired ? EDE_EXPIRED : EDE_NOT_YET;
	(void)snprintf(
		e->finding.text, sizeof(e->finding.text),
		"RRSIG of " SP_STR_FMT " %s by key %u of " SP_STR_FMT " %s %s",
		SP_STR_ARG(rr->owner), sp__dns_type_text(s->covered, type),
		s->key_tag, SP_STR_ARG(s->signer),
		expired ? "expired" : "begins", when);
}

static bool is_same(const struct rrset *set, const struct sp__dns_rr *rr)
{
	return set->type == rr->type && sp_str_eq(set->owner, rr->owner);
}

/* Only what libunbound can have meant: what was asked, or the zone's keys
 * where it speaks of them. */
static bool is_culprit(const struct sp__evidence *e)
{
	if (!e->about_keys) {
		return e->asked == 1; /* with a DS named: nothing is there */
	}
	/* The keys are looked at when the DS is there, and before it. */
	return e->asked == 2 && e->intact_count == 0 && e->bare.owner.len == 0;
}

static void note_intact(struct sp__evidence *e, const struct sp__dns_rr *rr,
                        const struct signature *s)
{
	if (!is_culprit(e) || is_same(&e->intact, rr)) {
		return;
	}
	e->intact = (struct rrset){rr->owner, rr->type, s->key_tag, s->signer};
	e->intact_count++;
}

static void note_bare(struct sp__evidence *e, const struct sp__dns_rr *rr)
{
	if (is_culprit(e) && e->bare.owner.len == 0) {
		e->bare.owner = rr->owner;
		e->bare.type = rr->type;
	}
}

/*
 * Looks at the signatures of one RRset (RFC 4034 3.1.5, serial arithmetic).
 * A finding is made when there are some and none is within its window. The
 * signer is set when there is any.
 */
static void look_at_rrset(struct sp__evidence *e,
                          const struct sp__dns_packet *packet,
                          const struct sp__dns_rr *of, struct sp_str *signer)
{
	uint32_t now_s = (uint32_t)(e->wall_ms / 1000);
	const struct sp__dns_rr *worst = NULL;
	struct signature outside = {0};

	for (size_t i = 0; i < packet->rr_count; i++) {
		const struct sp__dns_rr *rr = &packet->rrs[i];
		struct signature s;

		if (rr->section != of->section ||
		    !sp_str_eq(rr->owner, of->owner) ||
		    !read_signature(rr, &e->arena, &s) ||
		    s.covered != of->type) {
			continue;
		}
		*signer = s.signer;
		if ((int32_t)(now_s - s.expires_s) <= 0 &&
		    (int32_t)(now_s - s.begins_s) >= 0) {
			note_intact(e, of, &s);
			return;
		}
		worst = rr;
		outside = s;
	}
	if (!worst) {
		note_bare(e, of);
	} else if (!e->found) {
		say_window(e, worst, &outside,
		           (int32_t)(now_s - outside.expires_s) > 0);
	}
}

/* --- the question itself --- */

static bool in_section(const struct sp__dns_packet *packet,
                       enum sp__dns_section section)
{
	for (size_t i = 0; i < packet->rr_count; i++) {
		if (packet->rrs[i].section == section &&
		    packet->rrs[i].type != SP__DNS_TYPE_RRSIG) {
			return true;
		}
	}
	return false;
}

static bool has_denial(const struct sp__dns_packet *packet)
{
	for (size_t i = 0; i < packet->rr_count; i++) {
		if (packet->rrs[i].type == SP__DNS_TYPE_NSEC ||
		    packet->rrs[i].type == SP__DNS_TYPE_NSEC3) {
			return true;
		}
	}
	return false;
}

/* Every RRset of the section that matters; the signer that was seen last,
 * which is the zone at the end of a chain of aliases. */
static struct sp_str look_at_section(struct sp__evidence *e,
                                     const struct sp__dns_packet *packet,
                                     enum sp__dns_section section)
{
	struct sp_str signer = {0};

	for (size_t i = 0; i < packet->rr_count && !e->found; i++) {
		const struct sp__dns_rr *rr = &packet->rrs[i];

		if (rr->section == section && rr->type != SP__DNS_TYPE_RRSIG) {
			look_at_rrset(e, packet, rr, &signer);
		}
	}
	return signer;
}

static struct sp_str owner_of_soa(const struct sp__dns_packet *packet)
{
	for (size_t i = 0; i < packet->rr_count; i++) {
		if (packet->rrs[i].type == SP_DNS_TYPE_SOA) {
			return packet->rrs[i].owner;
		}
	}
	return (struct sp_str){0};
}

static void look_at_subject(struct sp__evidence *e,
                            const struct sp__dns_packet *packet)
{
	enum sp__dns_section section = SP__DNS_ANSWER;
	struct sp_str signer;

	if (!in_section(packet, SP__DNS_ANSWER)) {
		section = SP__DNS_AUTHORITY;
		e->denied_bare = !has_denial(packet);
	}
	signer = look_at_section(e, packet, section);
	if (signer.len == 0) {
		signer = owner_of_soa(packet);
	}
	e->zone = signer;
	e->state = signer.len > 0 && !e->found ? DNSKEY : DONE;
}

/* --- keys --- */

/* RFC 4509, RFC 6605: known ways to digest a key. */
static const EVP_MD *digest_of(unsigned type)
{
	switch (type) {
	case 1:
		return EVP_sha1();
	case 2:
		return EVP_sha256();
	case 4:
		return EVP_sha384();
	default:
		return NULL;
	}
}

uint16_t sp__key_tag(struct sp_str rdata)
{
	return ldns_calc_keytag_raw((const uint8_t *)rdata.ptr, rdata.len);
}

size_t sp__ds_digest(unsigned digest_type, struct sp_str owner_wire,
                     struct sp_str key_rdata, uint8_t out[SP__DS_DIGEST_MAX])
{
	const EVP_MD *md = digest_of(digest_type);
	EVP_MD_CTX *ctx = md ? EVP_MD_CTX_new() : NULL;
	unsigned len = 0;

	if (!ctx || EVP_DigestInit_ex(ctx, md, NULL) != 1 ||
	    EVP_DigestUpdate(ctx, owner_wire.ptr, owner_wire.len) != 1 ||
	    EVP_DigestUpdate(ctx, key_rdata.ptr, key_rdata.len) != 1 ||
	    EVP_DigestFinal_ex(ctx, out, &len) != 1) {
		len = 0;
	}
	EVP_MD_CTX_free(ctx);
	return len;
}

bool sp__ds_fits(struct sp_str ds_rdata, struct sp_str owner_wire,
                 struct sp_str key_rdata)
{
	uint8_t digest[SP__DS_DIGEST_MAX];
	size_t len;

	if (ds_rdata.len <= DS_FIXED_LEN || key_rdata.len < DNSKEY_FIXED_LEN ||
	    get_number(ds_rdata, 0, 2) != sp__key_tag(key_rdata) ||
	    ds_rdata.ptr[2] != key_rdata.ptr[3]) {
		return false;
	}
	len = sp__ds_digest(get_number(ds_rdata, 3, 1), owner_wire, key_rdata,
	                    digest);
	return len > 0 &&
	       sp_str_eq(sp_str_sub(ds_rdata, DS_FIXED_LEN, ds_rdata.len),
	                 sp_str_slice(digest, len));
}

static bool is_answer(const struct sp__dns_rr *rr, uint16_t type,
                      struct sp_str owner, size_t least)
{
	return rr->section == SP__DNS_ANSWER && rr->type == type &&
	       sp_str_eq(rr->owner, owner) && rr->rdata.len >= least;
}

/* Tags of the records of a type, for people: "12345 4711". */
static const char *tags(struct sp__evidence *e,
                        const struct sp__dns_packet *packet, uint16_t type)
{
	char *text = sp_arena_alloc(&e->arena, 64);
	size_t len = 0;

	for (size_t i = 0; i < packet->rr_count && len < 56; i++) {
		const struct sp__dns_rr *rr = &packet->rrs[i];
		unsigned tag;

		if (!is_answer(rr, type, e->zone, DS_FIXED_LEN)) {
			continue;
		}
		tag = type == SP_DNS_TYPE_DS ? get_number(rr->rdata, 0, 2)
		                             : sp__key_tag(rr->rdata);
		len += (size_t)snprintf(text + len, 64 - len, "%s%u",
		                        len ? " " : "", tag);
	}
	return len ? text : "none";
}

enum fit {
	FIT_NO_DS, /* nothing to compare, or nothing that we know */
	FIT_NONE,
	FIT_SOME,
};

static enum fit compare_keys(struct sp__evidence *e,
                             const struct sp__dns_packet *ds)
{
	enum fit fit = FIT_NO_DS;

	for (size_t i = 0; i < ds->rr_count; i++) {
		const struct sp__dns_rr *d = &ds->rrs[i];

		if (!is_answer(d, SP_DNS_TYPE_DS, e->zone, DS_FIXED_LEN + 1) ||
		    !digest_of(get_number(d->rdata, 3, 1))) {
			continue;
		}
		fit = FIT_NONE;
		for (size_t k = 0; k < e->keys.rr_count; k++) {
			const struct sp__dns_rr *key = &e->keys.rrs[k];

			if (is_answer(key, SP_DNS_TYPE_DNSKEY, e->zone,
			              DNSKEY_FIXED_LEN) &&
			    sp__ds_fits(d->rdata, key->owner_wire,
			                key->rdata)) {
				return FIT_SOME;
			}
		}
	}
	return fit;
}

static void look_at_keys(struct sp__evidence *e,
                         const struct sp__dns_packet *ds)
{
	struct sp_str parent;

	if (compare_keys(e, ds) == FIT_NONE) {
		e->found = true;
		e->finding.scenario = "ds-without-dnskey";
		e->finding.ede = EDE_DNSKEY_MISSING;
		(void)snprintf(e->finding.text, sizeof(e->finding.text),
		               "DS of " SP_STR_FMT " at the parent: %s; "
		               "DNSKEY in the zone: %s; none fits",
		               SP_STR_ARG(e->zone), tags(e, ds, SP_DNS_TYPE_DS),
		               tags(e, &e->keys, SP_DNS_TYPE_DNSKEY));
		return;
	}
	(void)look_at_section(e, &e->keys, SP__DNS_ANSWER);
	parent = look_at_section(e, ds, SP__DNS_ANSWER);
	if (e->found || parent.len == 0 || sp_str_eq(parent, e->zone)) {
		e->state = DONE;
		return;
	}
	e->zone = parent;
	e->state = DNSKEY;
}

/* No answer about keys is no evidence that there are none, whatever
 * libunbound calls it. */
static void say_no_keys(struct sp__evidence *e)
{
	e->found = true;
	e->finding.scenario = "dnssec-bogus";
	e->finding.ede = EDE_NETWORK;
	(void)snprintf(e->finding.text, sizeof(e->finding.text),
	               "the question for DNSKEY of " SP_STR_FMT " failed",
	               SP_STR_ARG(e->zone));
}

/* Are there keys, and none with the tag of the signature that was seen? */
static void look_for_key(struct sp__evidence *e)
{
	bool any = false;

	if (!sp_str_eq(e->zone, e->intact.signer)) {
		return;
	}
	for (size_t i = 0; i < e->keys.rr_count; i++) {
		const struct sp__dns_rr *key = &e->keys.rrs[i];

		if (!is_answer(key, SP_DNS_TYPE_DNSKEY, e->zone,
		               DNSKEY_FIXED_LEN)) {
			continue;
		}
		if (sp__key_tag(key->rdata) == e->intact.key_tag) {
			return;
		}
		any = true;
	}
	e->key_missing = any;
}

/* --- the machine --- */

struct sp__evidence *sp__evidence_new(struct sp_str name, enum sp_dns_type type,
                                      struct sp_str why)
{
	struct sp__evidence *e = SP_NEW(struct sp__evidence);

	sp_arena_init(&e->arena);
	e->name = sp_arena_str(&e->arena, name);
	e->type = type;
	e->words = sp__finding_of_bogus(why).scenario;
	e->about_keys = contains(why, "for key ") ||
	                contains(why, "key for validation");
	e->zone = zone_in(why, &e->arena);
	e->state = e->zone.len > 0 ? DNSKEY : SUBJECT;
	e->about_keys = e->about_keys && e->state == DNSKEY;
	return e;
}

void sp__evidence_free(struct sp__evidence **evidence)
{
	if (!*evidence) {
		return;
	}
	sp_arena_fini(&(*evidence)->arena);
	SP_FREE(evidence);
}

bool sp__evidence_next(struct sp__evidence *e, struct sp_str *name_out,
                       enum sp_dns_type *type_out)
{
	if (e->found || e->state == DONE ||
	    e->asked == SP__EVIDENCE_QUESTIONS_MAX) {
		return false;
	}
	e->asked++;
	*name_out = e->state == SUBJECT ? e->name : e->zone;
	*type_out = e->state == SUBJECT  ? e->type
	            : e->state == DNSKEY ? SP_DNS_TYPE_DNSKEY
	                                 : SP_DNS_TYPE_DS;
	return true;
}

void sp__evidence_answer(struct sp__evidence *e, struct sp_str bytes,
                         int64_t wall_ms)
{
	struct sp__dns_packet packet;
	bool parsed = sp__dns_packet_parse(bytes, &e->arena, &packet) == 0;

	e->wall_ms = wall_ms;
	switch (e->state) {
	case SUBJECT:
		e->state = DONE;
		if (parsed) {
			look_at_subject(e, &packet);
		}
		break;
	case DNSKEY:
		e->state = DS;
		e->keys = packet;
		if (!parsed || packet.rcode != 0) {
			say_no_keys(e);
		} else {
			look_for_key(e);
		}
		break;
	case DS:
		e->state = DONE;
		if (parsed) {
			look_at_keys(e, &packet);
		}
		break;
	case DONE:
		break;
	}
}

/* Words that libunbound said, put to what was seen; null: nothing fits. */
static const struct sp__finding *say_seen(struct sp__evidence *e)
{
	char type[16];
	const struct rrset *set = &e->intact;

	if (strcmp(e->words, "rrsig-missing") == 0 && e->bare.owner.len > 0) {
		(void)snprintf(e->finding.text, sizeof(e->finding.text),
		               "no RRSIG of " SP_STR_FMT " %s in the answer",
		               SP_STR_ARG(e->bare.owner),
		               sp__dns_type_text(e->bare.type, type));
		e->finding.ede = EDE_RRSIGS_MISSING;
	} else if (strcmp(e->words, "rrsig-invalid") == 0 &&
	           e->intact_count == 1) {
		(void)snprintf(e->finding.text, sizeof(e->finding.text),
		               "RRSIG of " SP_STR_FMT
		               " %s by key %u of " SP_STR_FMT " %s",
		               SP_STR_ARG(set->owner),
		               sp__dns_type_text(set->type, type), set->key_tag,
		               SP_STR_ARG(set->signer),
		               e->key_missing ? "is by no key of the zone"
		                              : "does not verify");
		e->finding.ede = EDE_BOGUS;
	} else {
		return NULL;
	}
	e->finding.scenario = e->words;
	return &e->finding;
}

static const struct sp__finding *say_denial(struct sp__evidence *e)
{
	char type[16];

	e->finding.scenario = "denial-unproven";
	e->finding.ede = EDE_NSEC_MISSING;
	(void)snprintf(e->finding.text, sizeof(e->finding.text),
	               "the answer denies " SP_STR_FMT
	               " %s without NSEC or NSEC3",
	               SP_STR_ARG(e->name),
	               sp__dns_type_text((uint16_t)e->type, type));
	return &e->finding;
}

const struct sp__finding *sp__evidence_finding(struct sp__evidence *e)
{
	if (e->found) {
		return &e->finding;
	}
	return e->denied_bare ? say_denial(e) : say_seen(e);
}
