/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a link, by the resolver's answers to DS and DNSKEY:
 *
 *   answers             parent secure        parent unsigned   parent broken
 *   one is bogus        BROKEN here          -                 BELOW_BROKEN
 *   keys are secure     SECURE               SECURE (anchor)   -
 *   insecure            UNSIGNED: ends here  BELOW_UNSIGNED    BELOW_BROKEN
 *   no answer           UNKNOWN              BELOW_UNSIGNED    BELOW_BROKEN
 *
 * Only a bogus SOA, with good keys, makes a mild break: what the zone has
 * reaches the mail, what it denies does not.
 */
#include "analyze/chain_link.h"
#include "base/buf.h"

#define TEXT_MAX 1024

const char *sp_chain_state_text(enum sp_chain_state state)
{
	static const char *const words[] = {
		[SP_CHAIN_SECURE] = "secure",
		[SP_CHAIN_UNSIGNED] = "unsigned",
		[SP_CHAIN_BELOW_UNSIGNED] = "below-unsigned",
		[SP_CHAIN_BROKEN] = "broken",
		[SP_CHAIN_BELOW_BROKEN] = "below-broken",
		[SP_CHAIN_ABOVE_ANCHOR] = "above-anchor",
		[SP_CHAIN_UNKNOWN] = "unknown",
	};

	return words[state];
}

/* --- DS and DNSKEY --- */

/* Of the resolver's answer. */
static size_t from_answer(const struct sp_dns_answer *answer, uint16_t type,
                          struct sp_arena *arena, struct sp_seen_record **out)
{
	size_t count = 0;

	if (!answer || answer->record_count == 0) {
		return 0;
	}
	*out = sp_arena_array(arena, answer->record_count, sizeof(**out));
	for (size_t i = 0; i < answer->record_count; i++) {
		if (sp_seen_from_rdata(answer->canonical, type,
		                       answer->records[i].data, arena,
		                       &(*out)[count]) == 0) {
			count++;
		}
	}
	return count;
}

bool sp__chain_is_answer(const struct sp_seen_record *r, struct sp_str owner,
                         unsigned type)
{
	return r->section == SP_SEEN_ANSWER && r->type == type &&
	       sp_str_eq(r->owner, owner);
}

size_t sp__chain_count_answer(const struct sp_dns_server_reply *reply,
                              struct sp_str owner, unsigned type)
{
	size_t count = 0;

	for (size_t i = 0; reply && i < reply->seen.record_count; i++) {
		count += sp__chain_is_answer(&reply->seen.records[i], owner,
		                             type);
	}
	return count;
}

/* Of what a server said. */
size_t sp__chain_from_reply(const struct sp_dns_server_reply *reply,
                            struct sp_str owner, uint16_t type,
                            struct sp_arena *arena, struct sp_seen_record **out)
{
	size_t count = sp__chain_count_answer(reply, owner, type);
	size_t at = 0;

	if (count == 0) {
		return 0;
	}
	*out = sp_arena_array(arena, count, sizeof(**out));
	for (size_t i = 0; i < reply->seen.record_count; i++) {
		if (sp__chain_is_answer(&reply->seen.records[i], owner, type)) {
			(*out)[at++] = reply->seen.records[i];
		}
	}
	return count;
}

static void collect(const struct sp_chain_zone *zone, struct sp_arena *arena,
                    struct sp_chain_link *link)
{
	link->ds_count =
		from_answer(zone->ds, SP_DNS_TYPE_DS, arena, &link->ds);
	if (link->ds_count == 0) {
		link->ds_count =
			sp__chain_from_reply(zone->parent_ds, zone->name,
		                             SP_DNS_TYPE_DS, arena, &link->ds);
	}
	link->key_count =
		from_answer(zone->keys, SP_DNS_TYPE_DNSKEY, arena, &link->keys);
	for (size_t i = 0; link->key_count == 0 && i < zone->server_count;
	     i++) {
		link->key_count = sp__chain_from_reply(
			zone->servers[i].keys, zone->name, SP_DNS_TYPE_DNSKEY,
			arena, &link->keys);
	}
}

bool sp_chain_ds_fits(const struct sp_chain_link *link,
                      const struct sp_seen_record *ds)
{
	for (size_t i = 0; i < link->key_count; i++) {
		if (sp_seen_ds_fits(ds, &link->keys[i])) {
			return true;
		}
	}
	return false;
}

bool sp_chain_key_named(const struct sp_chain_link *link,
                        const struct sp_seen_record *key)
{
	for (size_t i = 0; i < link->ds_count; i++) {
		if (sp_seen_ds_fits(&link->ds[i], key)) {
			return true;
		}
	}
	return false;
}

/* "4711 (ECDSAP256SHA256), 4712 (RSASHA256)"; "none" */
struct sp_str sp__chain_tags(const struct sp_seen_record *records, size_t count,
                             struct sp_arena *arena)
{
	struct sp_buf text;
	struct sp_str out;

	sp_buf_init(&text, TEXT_MAX);
	for (size_t i = 0; i < count; i++) {
		char words[24];
		const char *algorithm =
			sp_seen_algorithm_text(records[i].algorithm, words);

		if (sp_buf_printf(&text, "%s%u (%s)", i ? ", " : "",
		                  records[i].key_tag, algorithm)) {
			break; /* there are enough of them */
		}
	}
	out = sp_arena_str(arena, count ? sp_buf_str(&text) : SP_STR("none"));
	sp_buf_fini(&text);
	return out;
}

/* --- the link --- */

static bool is_in(const struct sp_dns_answer *answer, enum sp_dnssec state)
{
	return answer && answer->dnssec == state;
}

static bool has_data(const struct sp_dns_answer *answer)
{
	return answer && answer->record_count > 0;
}

/* As in the plan: what the resolver names, if it is a reason for 324. */
static enum sp_cause_id cause_of(const struct sp_dns_answer *answer)
{
	static const enum sp_cause_id causes[] = {
		SP_CAUSE_RRSIG_EXPIRED,     SP_CAUSE_RRSIG_NOT_YET_VALID,
		SP_CAUSE_RRSIG_MISSING,     SP_CAUSE_RRSIG_INVALID,
		SP_CAUSE_DS_WITHOUT_DNSKEY, SP_CAUSE_DENIAL_UNPROVEN,
	};
	enum sp_cause_id named = sp_cause_find(answer->scenario);

	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (causes[i] == named) {
			return named;
		}
	}
	return SP_CAUSE_DNSSEC_BOGUS;
}

static struct sp_str parent_name(const struct sp_chain_zone *zone)
{
	return zone->parent ? zone->parent->name : SP_STR("the parent");
}

static struct sp_str tell_keys(const struct sp_chain_zone *zone,
                               const struct sp_chain_link *link,
                               struct sp_arena *arena)
{
	struct sp_str ds = sp__chain_tags(link->ds, link->ds_count, arena);
	struct sp_str keys = sp__chain_tags(link->keys, link->key_count, arena);

	return sp_str_from(sp_arena_printf(
		arena,
		"DS of " SP_STR_FMT " in " SP_STR_FMT ": " SP_STR_FMT
		"; DNSKEY in the zone: " SP_STR_FMT,
		SP_STR_ARG(zone->name), SP_STR_ARG(parent_name(zone)),
		SP_STR_ARG(ds), SP_STR_ARG(keys)));
}

static void judge_broken(const struct sp_chain_zone *zone,
                         const struct sp_dns_answer *bogus,
                         struct sp_arena *arena, struct sp_chain_link *link)
{
	link->state = SP_CHAIN_BROKEN;
	link->cause = cause_of(bogus);
	link->why = sp_arena_str(arena, bogus->why);
	link->mild = bogus == zone->soa;
	if (link->cause == SP_CAUSE_DS_WITHOUT_DNSKEY) {
		link->why = tell_keys(zone, link, arena);
	}
}

/* The key that the parent's DS should name: one that signs keys. */
static const struct sp_seen_record *entry_key(const struct sp_chain_link *link)
{
	const struct sp_seen_record *found = NULL;

	for (size_t i = 0; i < link->key_count; i++) {
		const struct sp_seen_record *key = &link->keys[i];

		if (!(key->flags & SP_SEEN_KEY_ZONE) ||
		    (key->flags & SP_SEEN_KEY_REVOKED)) {
			continue;
		}
		if (key->flags & SP_SEEN_KEY_SEP) {
			return key;
		}
		found = found ? found : key;
	}
	return found;
}

static void judge_unsigned(const struct sp_chain_zone *zone,
                           struct sp_arena *arena, struct sp_chain_link *link)
{
	const struct sp_seen_record *key = entry_key(link);

	link->state = SP_CHAIN_UNSIGNED;
	if (has_data(zone->ds)) {
		link->advice = SP_ADVICE_ZONE_DS_UNKNOWN;
		link->mend = sp__chain_tags(link->ds, link->ds_count, arena);
	} else if (key) {
		link->advice = SP_ADVICE_ZONE_DS_MISSING;
		link->mend = sp_seen_ds_line(key, arena);
	} else {
		link->advice = SP_ADVICE_ZONE_UNSIGNED;
		link->mend = parent_name(zone);
	}
	link->why = tell_keys(zone, link, arena);
}

/* The first of the three that is bogus; the SOA speaks last. */
static const struct sp_dns_answer *find_bogus(const struct sp_chain_zone *zone)
{
	const struct sp_dns_answer *answers[] = {zone->keys, zone->ds,
	                                         zone->soa};

	for (size_t i = 0; i < 3; i++) {
		if (is_in(answers[i], SP_DNSSEC_BOGUS)) {
			return answers[i];
		}
	}
	return NULL;
}

static bool is_insecure(const struct sp_chain_zone *zone)
{
	return is_in(zone->keys, SP_DNSSEC_INSECURE) ||
	       is_in(zone->soa, SP_DNSSEC_INSECURE) ||
	       (zone->ds && zone->ds->dnssec <= SP_DNSSEC_INSECURE &&
	        zone->ds->record_count == 0);
}

static enum sp_chain_state state_above(const struct sp_chain_link *parent)
{
	return parent ? parent->state : SP_CHAIN_ABOVE_ANCHOR;
}

/* Where the parent decides already. */
static bool inherit(enum sp_chain_state above, struct sp_chain_link *link)
{
	switch (above) {
	case SP_CHAIN_UNSIGNED:
	case SP_CHAIN_BELOW_UNSIGNED:
		link->state = SP_CHAIN_BELOW_UNSIGNED;
		return true;
	case SP_CHAIN_BROKEN:
	case SP_CHAIN_BELOW_BROKEN:
		link->state = SP_CHAIN_BELOW_BROKEN;
		return true;
	case SP_CHAIN_SECURE:
	case SP_CHAIN_ABOVE_ANCHOR:
	case SP_CHAIN_UNKNOWN:
		break;
	}
	return false;
}

void sp_chain_judge_link(const struct sp_chain_zone *zone,
                         const struct sp_chain_link *parent,
                         struct sp_arena *arena, struct sp_chain_link *link)
{
	enum sp_chain_state above = state_above(parent);
	const struct sp_dns_answer *bogus = find_bogus(zone);

	*link = (struct sp_chain_link){.state = SP_CHAIN_UNKNOWN};
	collect(zone, arena, link);
	if (is_in(zone->keys, SP_DNSSEC_SECURE) && has_data(zone->keys) &&
	    !bogus) {
		link->state = SP_CHAIN_SECURE;
	} else if (!(bogus && parent && parent->mild) && inherit(above, link)) {
		link->why = sp_arena_str(arena, parent->why);
	} else if (bogus) {
		judge_broken(zone, bogus, arena, link);
	} else if (!is_insecure(zone)) {
		link->why = zone->keys ? sp_arena_str(arena, zone->keys->why)
		                       : SP_STR("");
	} else if (above == SP_CHAIN_ABOVE_ANCHOR) {
		link->state = SP_CHAIN_ABOVE_ANCHOR;
	} else {
		judge_unsigned(zone, arena, link);
	}
}
