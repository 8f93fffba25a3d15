/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server is judged from the ground up: has it an address, does it answer,
 * for this zone, with signatures that are good now, with the keys that others
 * have, from the newest zone, by TCP too. What stands lower makes what stands
 * higher meaningless, and is told alone.
 *
 * The server with the highest serial is what others are compared with.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/chain_judge.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/time.h"
#include "net/dns_verify.h"

#define DIGEST_SHA1    1
#define RCODE_GOOD     0
#define RCODE_NXDOMAIN 3
#define TEXT_MAX       1024
#define TRIES_MAX      32 /* signatures of one reply that are verified */

/* --- findings --- */

struct findings {
	struct sp_arena *arena;
	struct sp_chain_finding *out;
	size_t count;
	struct sp_str subject;
};

__attribute__((format(printf, 3, 4))) static void
add(struct findings *f, enum sp_advice_id advice, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list args;

	if (f->count == SP_CHAIN_FINDINGS_MAX) {
		return;
	}
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	f->out[f->count++] = (struct sp_chain_finding){
		.advice = advice,
		.subject = f->subject,
		.detail = sp_arena_str(f->arena, sp_str_from(text)),
	};
}

/* --- signatures --- */

enum signing { /* better ones first */
	SIGNING_GOOD,
	SIGNING_EXPIRED,
	SIGNING_FUTURE,
	SIGNING_FOREIGN, /* by no key of the zone */
	SIGNING_BROKEN,
	SIGNING_NONE,
};

struct signature {
	enum signing signing;
	const struct sp_seen_record *rrsig; /* null: none */
};

/* What signatures are held against; tries left bounds the work that a server
 * can make. */
struct touchstone {
	int64_t now_ms;
	struct sp_chain_signers signers;
	unsigned tries;
};

static enum signing by_window(const struct sp_seen_record *rrsig,
                              int64_t now_ms)
{
	return rrsig->ends_ms < now_ms     ? SIGNING_EXPIRED
	       : rrsig->begins_ms > now_ms ? SIGNING_FUTURE
	                                   : SIGNING_GOOD;
}

static enum signing verify(const struct sp_seen *seen,
                           const struct sp_seen_record *rrsig,
                           struct touchstone *t)
{
	enum signing signing = by_window(rrsig, t->now_ms);

	if (signing != SIGNING_GOOD || t->signers.count == 0 || t->tries == 0) {
		return signing;
	}
	t->tries--;
	switch (sp_dns_signature_verify(seen, rrsig, t->signers.zone,
	                                t->signers.keys, t->signers.count)) {
	case SP_DNS_SIGNATURE_GOOD:
	case SP_DNS_SIGNATURE_UNKNOWN:
		break;
	case SP_DNS_SIGNATURE_FOREIGN:
		return SIGNING_FOREIGN;
	case SP_DNS_SIGNATURE_BROKEN:
		return SIGNING_BROKEN;
	}
	return SIGNING_GOOD;
}

/* The best signature of an RRset in its section. */
static struct signature best_signature(const struct sp_seen *seen,
                                       const struct sp_seen_record *of,
                                       struct touchstone *t)
{
	struct signature best = {SIGNING_NONE, NULL};

	for (size_t i = 0; i < seen->record_count; i++) {
		const struct sp_seen_record *r = &seen->records[i];
		enum signing signing;

		if (r->type != SP_SEEN_TYPE_RRSIG || r->covered != of->type ||
		    r->section != of->section ||
		    !sp_str_eq(r->owner, of->owner)) {
			continue;
		}
		signing = verify(seen, r, t);
		if (signing < best.signing ||
		    (signing == best.signing && best.rrsig &&
		     r->ends_ms > best.rrsig->ends_ms)) {
			best = (struct signature){signing, r};
		}
	}
	return best;
}

/* Those that have to be signed in an answer: not the NS records of a
 * delegation, nor glue. */
static bool wants_signature(const struct sp_seen_record *r)
{
	if (r->section == SP_SEEN_ANSWER) {
		return r->type != SP_SEEN_TYPE_RRSIG;
	}
	return r->section == SP_SEEN_AUTHORITY &&
	       (r->type == SP_DNS_TYPE_SOA || r->type == SP_SEEN_TYPE_NSEC ||
	        r->type == SP_SEEN_TYPE_NSEC3);
}

static bool is_same_set(const struct sp_seen_record *a,
                        const struct sp_seen_record *b)
{
	return a->type == b->type && a->section == b->section &&
	       sp_str_eq(a->owner, b->owner);
}

/* The record of the reply whose signature is worst; null: none wants one. */
static const struct sp_seen_record *worst_record(const struct sp_seen *seen,
                                                 struct touchstone *t,
                                                 struct signature *worst_out)
{
	const struct sp_seen_record *found = NULL;

	*worst_out = (struct signature){SIGNING_GOOD, NULL};
	for (size_t i = 0; i < seen->record_count; i++) {
		const struct sp_seen_record *r = &seen->records[i];
		struct signature s;

		if (!wants_signature(r) ||
		    (i > 0 && is_same_set(r, &seen->records[i - 1]))) {
			continue;
		}
		s = best_signature(seen, r, t);
		if (!found || s.signing > worst_out->signing) {
			found = r;
			*worst_out = s;
		}
	}
	return found;
}

static void add_window(struct findings *f, const struct sp_seen_record *of,
                       const struct signature *s)
{
	bool expired = s->signing == SIGNING_EXPIRED;
	char type[16];
	char when[SP_TIME_TEXT];

	sp_time_rfc3339(expired ? s->rrsig->ends_ms : s->rrsig->begins_ms,
	                when);
	add(f, SP_ADVICE_DNS_SERVER_SIGNATURES,
	    "RRSIG of " SP_STR_FMT " %s by key %u %s %s", SP_STR_ARG(of->owner),
	    sp_seen_type_text(of->type, type), s->rrsig->key_tag,
	    expired ? "expired" : "begins only", when);
}

static void add_wrong(struct findings *f, const struct sp_seen_record *of,
                      const struct signature *s,
                      const struct sp_chain_signers *signers)
{
	char type[16];

	add(f, SP_ADVICE_DNS_SERVER_SIGNATURES,
	    "RRSIG of " SP_STR_FMT " %s by key %u %s", SP_STR_ARG(of->owner),
	    sp_seen_type_text(of->type, type), s->rrsig->key_tag,
	    s->signing == SIGNING_BROKEN
	            ? "does not verify"
	            : sp_arena_printf(
			      f->arena,
			      "is by no key of the zone, which has " SP_STR_FMT,
			      SP_STR_ARG(sp__chain_tags(signers->keys,
	                                                signers->count,
	                                                f->arena))));
}

/* False: something was found. */
static bool look_at_signatures(struct findings *f,
                               const struct sp_dns_server_reply *reply,
                               const struct sp_chain_signers *signers,
                               int64_t now_ms)
{
	struct touchstone t = {now_ms, *signers, TRIES_MAX};
	struct signature worst;
	const struct sp_seen_record *of;
	char type[16];

	if (!reply || reply->err || reply->tcp_err) {
		return true;
	}
	of = worst_record(&reply->seen, &t, &worst);
	if (!of || worst.signing == SIGNING_GOOD) {
		return true;
	}
	if (worst.signing == SIGNING_NONE) {
		add(f, SP_ADVICE_DNS_SERVER_UNSIGNED,
		    "no RRSIG of " SP_STR_FMT " %s%s", SP_STR_ARG(of->owner),
		    sp_seen_type_text(of->type, type),
		    reply->seen.edns ? "" : ", and no EDNS");
	} else if (worst.signing >= SIGNING_FOREIGN) {
		add_wrong(f, of, &worst, signers);
	} else {
		add_window(f, of, &worst);
	}
	return false;
}

/* --- the zone --- */

static void look_at_algorithms(struct findings *f,
                               const struct sp_chain_link *link)
{
	for (size_t i = 0; i < link->key_count; i++) {
		const struct sp_seen_record *key = &link->keys[i];
		char words[24];

		if ((key->flags & SP_SEEN_KEY_ZONE) &&
		    !(key->flags & SP_SEEN_KEY_REVOKED) &&
		    sp_seen_algorithm_weak(key->algorithm)) {
			add(f, SP_ADVICE_CHAIN_ALGORITHM_WEAK, "%s (key %u)",
			    sp_seen_algorithm_text(key->algorithm, words),
			    key->key_tag);
			return;
		}
	}
}

static void look_at_ds(struct findings *f, const struct sp_chain_link *link)
{
	bool sha1_only = link->ds_count > 0;
	bool any_fits = false;

	for (size_t i = 0; i < link->ds_count; i++) {
		sha1_only = sha1_only && link->ds[i].digest_type == DIGEST_SHA1;
		any_fits = any_fits || sp_chain_ds_fits(link, &link->ds[i]);
	}
	if (sha1_only) {
		add(f, SP_ADVICE_CHAIN_DIGEST_WEAK, SP_STR_FMT,
		    SP_STR_ARG(sp__chain_tags(link->ds, link->ds_count,
		                              f->arena)));
	}
	for (size_t i = 0; any_fits && i < link->ds_count; i++) {
		if (!sp_chain_ds_fits(link, &link->ds[i])) {
			add(f, SP_ADVICE_CHAIN_DS_UNUSED, SP_STR_FMT,
			    SP_STR_ARG(
				    sp__chain_tags(&link->ds[i], 1, f->arena)));
			return;
		}
	}
}

/* The signature that ends first, of those that are good now. */
static void find_soonest(const struct sp_dns_server_reply *reply,
                         int64_t now_ms, const struct sp_seen_record **of,
                         const struct sp_seen_record **rrsig)
{
	struct touchstone t = {.now_ms = now_ms};

	for (size_t i = 0; reply && !reply->err && i < reply->seen.record_count;
	     i++) {
		const struct sp_seen_record *r = &reply->seen.records[i];
		struct signature s;

		if (!wants_signature(r)) {
			continue;
		}
		s = best_signature(&reply->seen, r, &t);
		if (s.signing == SIGNING_GOOD &&
		    (!*rrsig || s.rrsig->ends_ms < (*rrsig)->ends_ms)) {
			*of = r;
			*rrsig = s.rrsig;
		}
	}
}

static void look_at_end(struct findings *f, const struct sp_chain_zone *zone,
                        int64_t now_ms)
{
	const struct sp_seen_record *of = NULL;
	const struct sp_seen_record *rrsig = NULL;
	char type[16];
	char when[SP_TIME_TEXT];
	int64_t left_ms;

	for (size_t i = 0; i < zone->server_count; i++) {
		find_soonest(zone->servers[i].soa, now_ms, &of, &rrsig);
		find_soonest(zone->servers[i].keys, now_ms, &of, &rrsig);
	}
	find_soonest(zone->parent_ds, now_ms, &of, &rrsig);
	if (!rrsig) {
		return;
	}
	left_ms = rrsig->ends_ms - now_ms;
	if (left_ms >= SP_CHAIN_SOON_MS ||
	    left_ms >= (rrsig->ends_ms - rrsig->begins_ms) / 4) {
		return;
	}
	sp_time_rfc3339(rrsig->ends_ms, when);
	add(f, SP_ADVICE_CHAIN_EXPIRES_SOON,
	    "RRSIG of " SP_STR_FMT " %s by key %u of " SP_STR_FMT " expires %s",
	    SP_STR_ARG(of->owner), sp_seen_type_text(of->type, type),
	    rrsig->key_tag, SP_STR_ARG(rrsig->signer), when);
}

/* --- the delegation --- */

static bool is_delegated(const struct sp_chain_zone *zone, struct sp_str name)
{
	for (size_t i = 0; i < zone->delegated_count; i++) {
		if (sp_str_eq_nocase(zone->delegated[i], name)) {
			return true;
		}
	}
	return false;
}

static bool is_named(const struct sp_chain_zone *zone, struct sp_str name)
{
	for (size_t i = 0; i < zone->ns->record_count; i++) {
		if (sp_str_eq_nocase(zone->ns->records[i].name, name)) {
			return true;
		}
	}
	return false;
}

static void append_name(struct sp_buf *names, struct sp_str name)
{
	/* what does not fit is left out: there are enough of them */
	(void)sp_buf_printf(names, "%s" SP_STR_FMT,
	                    sp_buf_str(names).len ? ", " : "",
	                    SP_STR_ARG(name));
}

static void add_names(struct findings *f, enum sp_advice_id advice,
                      const struct sp_buf *names)
{
	if (sp_buf_str(names).len) {
		add(f, advice, SP_STR_FMT, SP_STR_ARG(sp_buf_str(names)));
	}
}

/* Both sides of the delegation (RFC 1034 4.2.2), where both have spoken. */
static void look_at_delegation(struct findings *f,
                               const struct sp_chain_zone *zone)
{
	struct sp_buf above, below;

	if (zone->sampled || zone->delegated_count == 0 || !zone->ns ||
	    zone->ns->dnssec > SP_DNSSEC_INSECURE || zone->ns->cut ||
	    zone->ns->record_count == 0 ||
	    !sp_str_eq_nocase(zone->ns->canonical, zone->name)) {
		return;
	}
	sp_buf_init(&above, TEXT_MAX / 2);
	sp_buf_init(&below, TEXT_MAX / 2);
	for (size_t i = 0; i < zone->delegated_count; i++) {
		if (!is_named(zone, zone->delegated[i])) {
			append_name(&above, zone->delegated[i]);
		}
	}
	for (size_t i = 0; i < zone->ns->record_count; i++) {
		if (!is_delegated(zone, zone->ns->records[i].name)) {
			append_name(&below, zone->ns->records[i].name);
		}
	}
	add_names(f, SP_ADVICE_NS_PARENT_ONLY, &above);
	add_names(f, SP_ADVICE_NS_CHILD_ONLY, &below);
	sp_buf_fini(&above);
	sp_buf_fini(&below);
}

static bool is_signed(const struct sp_chain_link *link)
{
	return link->key_count > 0;
}

size_t sp_chain_judge_zone(const struct sp_chain_zone *zone,
                           const struct sp_chain_link *link, int64_t now_ms,
                           struct sp_arena *arena,
                           struct sp_chain_finding out[SP_CHAIN_FINDINGS_MAX])
{
	struct findings f = {
		.arena = arena,
		.out = out,
		.subject = zone->name,
	};

	if (is_signed(link)) {
		look_at_end(&f, zone, now_ms);
		look_at_algorithms(&f, link);
		look_at_ds(&f, link);
	}
	look_at_delegation(&f, zone);
	return f.count;
}

/* --- one server --- */

struct sp_str sp_chain_server_text(const struct sp_chain_server *server,
                                   struct sp_arena *arena)
{
	char addr[SP_ADDR_TEXT];

	if (!server->addr.family) {
		return sp_arena_str(arena, server->name);
	}
	sp_addr_text(&server->addr, addr);
	return sp_str_from(sp_arena_printf(arena, SP_STR_FMT "%s[%s]",
	                                   SP_STR_ARG(server->name),
	                                   server->name.len ? " " : "", addr));
}

static const char *rcode_text(uint8_t rcode, char out[24])
{
	static const char *const words[] = {
		"NOERROR",  "FORMERR", "SERVFAIL",
		"NXDOMAIN", "NOTIMP",  "REFUSED",
	};

	if (rcode < sizeof(words) / sizeof(words[0])) {
		return words[rcode];
	}
	(void)snprintf(out, 24, "RCODE %u", rcode);
	return out;
}

/* RFC 1982 3.2 */
static bool is_newer(uint32_t a, uint32_t b)
{
	return a != b && a - b < UINT32_C(0x80000000);
}

static bool serial_of(const struct sp_chain_zone *zone, size_t index,
                      uint32_t *serial_out)
{
	const struct sp_chain_server *s = &zone->servers[index];

	if (!sp_chain_server_good(s)) {
		return false;
	}
	for (size_t i = 0; i < s->soa->seen.record_count; i++) {
		const struct sp_seen_record *r = &s->soa->seen.records[i];

		if (sp__chain_is_answer(r, zone->name, SP_DNS_TYPE_SOA)) {
			*serial_out = r->serial;
			return true;
		}
	}
	return false;
}

size_t sp_chain_newest(const struct sp_chain_zone *zone)
{
	size_t best = zone->server_count;
	uint32_t newest = 0;

	for (size_t i = 0; i < zone->server_count; i++) {
		uint32_t serial;

		if (serial_of(zone, i, &serial) &&
		    (best == zone->server_count || is_newer(serial, newest))) {
			best = i;
			newest = serial;
		}
	}
	return best;
}

bool sp_chain_no_way(const struct sp_dns_server_reply *reply)
{
	int err = reply->err;

	return err == -ENETUNREACH || err == -EHOSTUNREACH ||
	       err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT;
}

/* False: it does not answer for the zone, and nothing else matters. */
static bool look_at_soa(struct findings *f, const struct sp_chain_server *s)
{
	const struct sp_dns_server_reply *soa = s->soa;
	char words[24];

	if (!s->addr.family && !s->not_asked) {
		add(f, SP_ADVICE_DNS_SERVER_NO_ADDRESS, SP_STR_FMT,
		    SP_STR_ARG(s->trouble.len ? s->trouble
		                              : SP_STR("it has none")));
		return false;
	}
	if (!soa || sp_chain_no_way(soa)) {
		return false;
	}
	if (soa->err) {
		add(f, SP_ADVICE_DNS_SERVER_SILENT, "%s",
		    sp_strerror(soa->err));
		return false;
	}
	if (soa->seen.rcode != RCODE_GOOD) {
		add(f, SP_ADVICE_DNS_SERVER_LAME, "%s",
		    rcode_text(soa->seen.rcode, words));
		return false;
	}
	if (!soa->seen.authoritative) {
		add(f, SP_ADVICE_DNS_SERVER_LAME,
		    "an answer that is not authoritative");
		return false;
	}
	return true;
}

static int compare_str(const void *a, const void *b)
{
	const struct sp_str *x = a;
	const struct sp_str *y = b;

	return sp_str_cmp(*x, *y);
}

/* The RDATA of all records of the answer, in order. */
static size_t sorted_data(const struct sp_dns_server_reply *reply,
                          unsigned type, struct sp_arena *arena,
                          struct sp_str **out)
{
	size_t count = 0;

	*out = sp_arena_array(arena, reply->seen.record_count + 1,
	                      sizeof(**out));
	for (size_t i = 0; i < reply->seen.record_count; i++) {
		const struct sp_seen_record *r = &reply->seen.records[i];

		if (r->section == SP_SEEN_ANSWER && r->type == type) {
			(*out)[count++] = r->rdata;
		}
	}
	qsort(*out, count, sizeof(**out), compare_str);
	return count;
}

static bool same_data(const struct sp_dns_server_reply *a,
                      const struct sp_dns_server_reply *b, unsigned type,
                      struct sp_arena *arena)
{
	struct sp_str *x, *y;
	size_t count = sorted_data(a, type, arena, &x);

	if (count != sorted_data(b, type, arena, &y)) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!sp_str_eq(x[i], y[i])) {
			return false;
		}
	}
	return true;
}

static bool answered(const struct sp_dns_server_reply *reply)
{
	return reply && !reply->err && !reply->tcp_err &&
	       (reply->seen.rcode == RCODE_GOOD ||
	        reply->seen.rcode == RCODE_NXDOMAIN);
}

static void look_at_keys(struct findings *f, const struct sp_chain_zone *zone,
                         size_t index)
{
	const struct sp_chain_server *s = &zone->servers[index];
	size_t newest = sp_chain_newest(zone);
	const struct sp_dns_server_reply *other =
		newest < zone->server_count ? zone->servers[newest].keys : NULL;
	char words[24];

	if (s->keys && !s->keys->err && !s->keys->tcp_err &&
	    !answered(s->keys)) {
		add(f, SP_ADVICE_DNS_SERVER_TYPE,
		    "%s to a question of type DNSKEY",
		    rcode_text(s->keys->seen.rcode, words));
		return;
	}
	if (answered(s->keys) &&
	    sp__chain_count_answer(s->keys, zone->name, SP_DNS_TYPE_DNSKEY) ==
	            0) {
		add(f, SP_ADVICE_DNS_SERVER_UNSIGNED,
		    "no DNSKEY of " SP_STR_FMT, SP_STR_ARG(zone->name));
		return;
	}
	if (answered(s->keys) && answered(other) &&
	    !same_data(s->keys, other, SP_DNS_TYPE_DNSKEY, f->arena)) {
		struct sp_seen_record *keys = NULL;
		size_t count = sp__chain_from_reply(s->keys, zone->name,
		                                    SP_DNS_TYPE_DNSKEY,
		                                    f->arena, &keys);

		add(f, SP_ADVICE_DNS_SERVER_KEYS, SP_STR_FMT,
		    SP_STR_ARG(sp__chain_tags(keys, count, f->arena)));
	}
}

static void look_at_serial(struct findings *f, const struct sp_chain_zone *zone,
                           size_t index)
{
	size_t newest = sp_chain_newest(zone);
	uint32_t serial, best;

	if (newest < zone->server_count && serial_of(zone, index, &serial) &&
	    serial_of(zone, newest, &best) && serial != best) {
		add(f, SP_ADVICE_DNS_SERVER_BEHIND,
		    "serial %u, and %u elsewhere", serial, best);
	}
}

static void look_at_tcp(struct findings *f, const struct sp_chain_server *s)
{
	int err = s->tcp ? s->tcp->err : 0;

	if (s->keys && s->keys->tcp_err) {
		err = s->keys->tcp_err;
	}
	if (err) {
		add(f, SP_ADVICE_DNS_SERVER_NO_TCP, "%s", sp_strerror(err));
	}
}

struct sp_chain_signers sp_chain_signers(const struct sp_chain_zone *zone,
                                         const struct sp_chain_link *link)
{
	struct sp_chain_signers signers = {.zone = zone->name};

	if (link->state == SP_CHAIN_SECURE && zone->keys &&
	    zone->keys->dnssec == SP_DNSSEC_SECURE &&
	    zone->keys->record_count > 0) {
		signers.keys = link->keys;
		signers.count = link->key_count;
	}
	return signers;
}

size_t sp_chain_judge_server(const struct sp_chain_zone *zone,
                             const struct sp_chain_link *link, size_t index,
                             int64_t now_ms, struct sp_arena *arena,
                             struct sp_chain_finding out[SP_CHAIN_FINDINGS_MAX])
{
	const struct sp_chain_server *s = &zone->servers[index];
	struct findings f = {
		.arena = arena,
		.out = out,
		.subject = sp_chain_server_text(s, arena),
	};
	const struct sp_chain_signers signers = sp_chain_signers(zone, link);

	if (!look_at_soa(&f, s)) {
		return f.count;
	}
	if (is_signed(link)) {
		if (look_at_signatures(&f, s->soa, &signers, now_ms)) {
			(void)look_at_signatures(&f, s->keys, &signers, now_ms);
		}
		look_at_keys(&f, zone, index);
	}
	look_at_serial(&f, zone, index);
	look_at_tcp(&f, s);
	return f.count;
}

/* --- one answer --- */

static bool has_denial(const struct sp_seen *seen)
{
	for (size_t i = 0; i < seen->record_count; i++) {
		if (seen->records[i].section == SP_SEEN_AUTHORITY &&
		    (seen->records[i].type == SP_SEEN_TYPE_NSEC ||
		     seen->records[i].type == SP_SEEN_TYPE_NSEC3)) {
			return true;
		}
	}
	return false;
}

static bool has_answer(const struct sp_seen *seen)
{
	for (size_t i = 0; i < seen->record_count; i++) {
		if (seen->records[i].section == SP_SEEN_ANSWER) {
			return true;
		}
	}
	return false;
}

/* A referral further down: there is another zone, whose servers know. */
static bool is_referral(const struct sp_seen *seen)
{
	return !seen->authoritative && !has_answer(seen);
}

static void look_at_error(struct findings *f,
                          const struct sp_chain_answer *answer)
{
	const struct sp_dns_server_reply *r = answer->reply;
	char type[16];
	char words[24];
	const char *what = sp_seen_type_text((uint16_t)answer->type, type);

	if (r->err) {
		add(f, SP_ADVICE_DNS_SERVER_TYPE,
		    "no answer (%s) to a question of type %s",
		    sp_strerror(r->err), what);
	} else if (r->tcp_err) {
		add(f, SP_ADVICE_DNS_SERVER_NO_TCP, "%s",
		    sp_strerror(r->tcp_err));
	} else {
		add(f, SP_ADVICE_DNS_SERVER_TYPE, "%s to a question of type %s",
		    rcode_text(r->seen.rcode, words), what);
	}
}

size_t sp_chain_judge_answer(const struct sp_chain_answer *answer,
                             int64_t now_ms, struct sp_arena *arena,
                             struct sp_chain_finding out[SP_CHAIN_FINDINGS_MAX])
{
	struct findings f = {
		.arena = arena,
		.out = out,
		.subject = answer->server,
	};
	const struct sp_dns_server_reply *r = answer->reply;
	char type[16];
	const char *what = sp_seen_type_text((uint16_t)answer->type, type);

	if (!r || sp_chain_no_way(r)) {
		return 0;
	}
	if (!answered(r)) {
		look_at_error(&f, answer);
		return f.count;
	}
	if (is_referral(&r->seen)) {
		return 0;
	}
	if (answer->signed_zone) {
		(void)look_at_signatures(&f, r, &answer->signers, now_ms);
		if (!has_answer(&r->seen) && !has_denial(&r->seen)) {
			add(&f, SP_ADVICE_DNS_SERVER_NO_PROOF,
			    SP_STR_FMT " %s denied without NSEC or NSEC3",
			    SP_STR_ARG(answer->name), what);
		}
	}
	if (answer->compare && answered(answer->reference) &&
	    answer->reference != r &&
	    !same_data(r, answer->reference, answer->type, arena)) {
		add(&f, SP_ADVICE_DNS_SERVER_DIFFERS,
		    "other %s records of " SP_STR_FMT, what,
		    SP_STR_ARG(answer->name));
	}
	return f.count;
}
