/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each rule looks at all that is published and adds what it finds. A rule
 * that another one makes pointless (the TTL of records without effect) keeps
 * silent, so that the first finding is the one to act upon.
 */
#include "analyze/tlsa_advice.h"

#define SHOWN_HEX     16 /* digits of a record's data in a text */
#define CACHE_SLACK_S 60 /* an answer may have waited in a cache */

struct finding {
	const struct sp_tlsa_published *published;
	struct sp_arena *arena;
	struct sp_tlsa_finding *out;
	size_t count;
};

static void add(struct finding *f, enum sp_advice_id advice,
                struct sp_str subject, int record)
{
	if (f->count < SP_TLSA_ADVICE_MAX) {
		f->out[f->count++] =
			(struct sp_tlsa_finding){advice, subject, record};
	}
}

struct sp_str sp_tlsa_brief(const struct sp_tlsa *tlsa, struct sp_arena *arena)
{
	char hex[SHOWN_HEX + 1];
	size_t bytes =
		tlsa->data.len < SHOWN_HEX / 2 ? tlsa->data.len : SHOWN_HEX / 2;

	sp_str_hex(tlsa->data.ptr, bytes, hex, sizeof(hex));
	return sp_str_from(sp_arena_printf(
		arena, "%u %u %u %s%s", tlsa->usage, tlsa->selector,
		tlsa->matching, hex, tlsa->data.len > bytes ? "..." : ""));
}

/* ---- all of them ---- */

static bool has_effect(const struct sp_tlsa_published *p)
{
	return p->answer == SP_TLSA_RECORDS && p->dnssec == SP_DNSSEC_SECURE;
}

static void find_place(struct finding *f)
{
	const struct sp_tlsa_published *p = f->published;

	if (p->stray.len) {
		add(f, SP_ADVICE_TLSA_OWNER_WRONG, p->stray, -1);
	} else if (p->answer == SP_TLSA_NODATA ||
	           p->answer == SP_TLSA_NXDOMAIN) {
		add(f, SP_ADVICE_TLSA_ABSENT, p->owner, -1);
	}
	if (p->answer == SP_TLSA_RECORDS && p->dnssec == SP_DNSSEC_INSECURE) {
		add(f, SP_ADVICE_TLSA_UNSIGNED, p->owner, -1);
	}
	if (has_effect(p) && p->address_unsigned) {
		add(f, SP_ADVICE_TLSA_ADDRESS_UNSIGNED, p->owner, -1);
	}
	if (has_effect(p) && p->tcp_denied) {
		add(f, SP_ADVICE_TLSA_TCP_DENIED, p->tcp, -1);
	}
}

static void find_ttl(struct finding *f)
{
	const struct sp_tlsa_published *p = f->published;
	enum sp_advice_id advice = SP_ADVICE_NONE;

	if (p->ttl_s == 0 || !has_effect(p)) {
		return;
	}
	if (p->ttl_s + CACHE_SLACK_S >= SP_TLSA_TTL_FAR_S) {
		add(f, SP_ADVICE_TLSA_TTL_FAR, SP_STR("a day or more"), -1);
	} else if (p->ttl_s > SP_TLSA_TTL_HIGH_S) {
		advice = SP_ADVICE_TLSA_TTL_LONG;
	} else if (p->ttl_s + CACHE_SLACK_S < SP_TLSA_TTL_LOW_S) {
		advice = SP_ADVICE_TLSA_TTL_SHORT;
	}
	if (advice != SP_ADVICE_NONE) {
		add(f, advice,
		    sp_str_from(sp_arena_printf(f->arena, "%u seconds",
		                                (unsigned)p->ttl_s)),
		    -1);
	}
}

/* Is there a record of the same usage and selector with SHA-256, which all
 * senders know (RFC 7671 9)? */
static bool has_sha256(const struct sp_tlsa_published *p,
                       const struct sp_tlsa *r)
{
	for (size_t i = 0; i < p->record_count; i++) {
		const struct sp_tlsa *other = &p->records[i].tlsa;

		if (other->usage == r->usage &&
		    other->selector == r->selector &&
		    other->matching == SP_TLSA_SHA256) {
			return true;
		}
	}
	return false;
}

static bool is_twice(const struct sp_tlsa_published *p, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (sp_tlsa_cmp(&p->records[i].tlsa, &p->records[index].tlsa) ==
		    0) {
			return true;
		}
	}
	return false;
}

/* ---- each of them ---- */

static void find_usable(struct finding *f, const struct sp_tlsa *tlsa,
                        int record)
{
	struct sp_str brief = sp_tlsa_brief(tlsa, f->arena);

	if (tlsa->usage == SP_TLSA_DANE_EE && tlsa->selector == SP_TLSA_CERT) {
		add(f, SP_ADVICE_TLSA_CERT_SELECTOR, brief, record);
	}
	if (tlsa->matching == SP_TLSA_FULL) {
		add(f, SP_ADVICE_TLSA_FULL, brief, record);
	} else if (!has_sha256(f->published, tlsa)) {
		add(f, SP_ADVICE_TLSA_NO_SHA256, brief, record);
	}
}

static void find_record(struct finding *f, size_t index)
{
	const struct sp_plan_tlsa_record *r = &f->published->records[index];
	struct sp_str brief = sp_tlsa_brief(&r->tlsa, f->arena);

	if (r->reason == SP_TLSA_WEAKER_DIGEST) {
		add(f, SP_ADVICE_TLSA_WEAKER_DIGEST, brief, (int)index);
	} else if (r->reason != SP_TLSA_USABLE) {
		add(f, SP_ADVICE_TLSA_RECORD_UNUSABLE,
		    sp_str_from(sp_arena_printf(
			    f->arena, SP_STR_FMT ": %s", SP_STR_ARG(brief),
			    sp_tlsa_reason_text(r->reason))),
		    (int)index);
	} else if (is_twice(f->published, index)) {
		add(f, SP_ADVICE_TLSA_TWICE, brief, (int)index);
	} else {
		find_usable(f, &r->tlsa, (int)index);
	}
}

size_t sp_tlsa_advise(const struct sp_tlsa_published *published,
                      struct sp_arena *arena,
                      struct sp_tlsa_finding out[SP_TLSA_ADVICE_MAX])
{
	struct finding f = {.published = published, .arena = arena, .out = out};

	find_place(&f);
	find_ttl(&f);
	for (size_t i = 0; i < published->record_count; i++) {
		find_record(&f, i);
	}
	return f.count;
}
