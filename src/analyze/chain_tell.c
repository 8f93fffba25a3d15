/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Below each zone's step stand its link to the parent, where there is
 * something wrong with it, findings of the zone and those of its servers, one
 * a step, since a step explains one thing.
 */
#include <stdio.h>

#include "analyze/chain_tell.h"
#include "base/err.h"
#include "base/time.h"

void sp_chain_story_init(struct sp_chain_story *story, struct sp_chain *chain,
                         bool fatal)
{
	*story = (struct sp_chain_story){.chain = chain, .fatal = fatal};
	sp_arena_init(&story->arena);
}

void sp_chain_story_fini(struct sp_chain_story *story)
{
	sp_arena_fini(&story->arena);
}

const struct sp_chain_link *
sp_chain_story_link(const struct sp_chain_story *story,
                    const struct sp_chain_zone *zone)
{
	for (size_t i = 0; zone && i < story->told; i++) {
		if (sp_chain_at(story->chain, i) == zone) {
			return &story->links[i];
		}
	}
	return NULL;
}

static bool is_end(const struct sp_chain_link *link)
{
	return link && (link->state == SP_CHAIN_UNSIGNED ||
	                link->state == SP_CHAIN_BROKEN);
}

/* The zone where the chain to a name ends; or null. */
static const struct sp_chain_zone *end_of(const struct sp_chain_story *story,
                                          struct sp_str name)
{
	const struct sp_chain_zone *zone = sp_chain_zone_of(story->chain, name);

	while (zone && !is_end(sp_chain_story_link(story, zone))) {
		zone = zone->parent;
	}
	return zone;
}

struct sp_str sp_chain_story_end(const struct sp_chain_story *story,
                                 struct sp_str name)
{
	const struct sp_chain_zone *zone = end_of(story, name);

	return zone ? zone->name : (struct sp_str){0};
}

static struct sp_verdict verdict_of(struct sp_chain_story *story,
                                    const struct sp_chain_zone *zone,
                                    const struct sp_chain_link *link)
{
	struct sp_verdict verdict = sp_verdict_from_cause(
		link->cause, zone->name, (struct sp_str){0}, &story->arena);

	verdict.evidence = link->why;
	return verdict;
}

void sp_chain_story_explain(struct sp_chain_story *story, struct sp_step *step,
                            struct sp_str name)
{
	const struct sp_chain_zone *zone = end_of(story, name);
	const struct sp_chain_link *link = sp_chain_story_link(story, zone);
	struct sp_verdict verdict;

	if (!link) {
		return;
	}
	if (link->state == SP_CHAIN_UNSIGNED) {
		sp_step_advice_detail(step, link->advice, zone->name,
		                      link->mend);
	} else {
		verdict = verdict_of(story, zone, link);
		sp_step_cause(step, &verdict);
	}
}

void sp_chain_story_blame(const struct sp_chain_story *story,
                          struct sp_step *step,
                          const struct sp_verdict *verdict, bool mild)
{
	sp_step_cause(step, verdict);
	sp_step_end(step, story->fatal && !mild ? SP_STEP_FAIL : SP_STEP_WARN);
}

/* --- evidence --- */

static void set_key(struct sp_json *obj, const struct sp_seen_record *r)
{
	char words[24];

	sp_json_set_int(obj, "tag", r->key_tag);
	sp_json_set_cstr(obj, "algorithm",
	                 sp_seen_algorithm_text(r->algorithm, words));
}

static struct sp_json *ds_json(const struct sp_chain_link *link)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < link->ds_count; i++) {
		struct sp_json *obj = sp_json_object();

		set_key(obj, &link->ds[i]);
		sp_json_set_int(obj, "digest_type", link->ds[i].digest_type);
		sp_json_set_bool(obj, "fits",
		                 sp_chain_ds_fits(link, &link->ds[i]));
		sp_json_add(list, obj);
	}
	return list;
}

static struct sp_json *keys_json(const struct sp_chain_link *link)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < link->key_count; i++) {
		struct sp_json *obj = sp_json_object();

		set_key(obj, &link->keys[i]);
		sp_json_set_int(obj, "flags", link->keys[i].flags);
		if (link->ds_count > 0) { /* not so for the root */
			sp_json_set_bool(
				obj, "named_by_ds",
				sp_chain_key_named(link, &link->keys[i]));
		}
		sp_json_add(list, obj);
	}
	return list;
}

static void set_state(struct sp_json *obj, const char *key,
                      const struct sp_dns_answer *answer)
{
	if (answer) {
		sp_json_set_cstr(obj, key, sp_dnssec_text(answer->dnssec));
	}
}

static void zone_evidence(struct sp_json *obj, const struct sp_chain_zone *zone,
                          const struct sp_chain_link *link)
{
	struct sp_json *dnssec = sp_json_object();

	sp_json_set_str(obj, "zone", zone->name);
	if (zone->parent) {
		sp_json_set_str(obj, "parent", zone->parent->name);
	}
	sp_json_set_cstr(obj, "state", sp_chain_state_text(link->state));
	set_state(dnssec, "ds", zone->ds);
	set_state(dnssec, "dnskey", zone->keys);
	set_state(dnssec, "soa", zone->soa);
	sp_json_set(obj, "dnssec", dnssec);
	sp_json_set(obj, "ds", ds_json(link));
	sp_json_set(obj, "dnskey", keys_json(link));
}

static void add_tags(struct sp_json *list,
                     const struct sp_dns_server_reply *keys)
{
	char tag[8];

	for (size_t i = 0; keys && i < keys->seen.record_count; i++) {
		const struct sp_seen_record *r = &keys->seen.records[i];

		if (r->section == SP_SEEN_ANSWER &&
		    r->type == SP_DNS_TYPE_DNSKEY) {
			(void)snprintf(tag, sizeof(tag), "%u", r->key_tag);
			sp_json_add_cstr(list, tag);
		}
	}
}

/* Serial and the window of its signature, as this server has them. */
static void set_soa(struct sp_json *obj, const struct sp_dns_server_reply *soa)
{
	for (size_t i = 0; i < soa->seen.record_count; i++) {
		const struct sp_seen_record *r = &soa->seen.records[i];

		if (r->section != SP_SEEN_ANSWER) {
			continue;
		}
		if (r->type == SP_DNS_TYPE_SOA) {
			sp_json_set_int(obj, "serial", r->serial);
		} else if (r->type == SP_SEEN_TYPE_RRSIG) {
			sp_json_set_time(obj, "signed_from", r->begins_ms);
			sp_json_set_time(obj, "signed_until", r->ends_ms);
		}
	}
}

static void server_evidence(struct sp_json *obj,
                            const struct sp_chain_server *s)
{
	char addr[SP_ADDR_TEXT];
	struct sp_json *tags;

	sp_json_set_text(obj, "name", s->name);
	if (s->addr.family) {
		sp_addr_text(&s->addr, addr);
		sp_json_set_cstr(obj, "address", addr);
	}
	if (!s->soa || s->soa->err) {
		return;
	}
	sp_json_set_int(obj, "rcode", s->soa->seen.rcode);
	sp_json_set_bool(obj, "authoritative", s->soa->seen.authoritative);
	set_soa(obj, s->soa);
	tags = sp_json_array();
	add_tags(tags, s->keys);
	sp_json_set(obj, "dnskey", tags);
	if (s->tcp) {
		sp_json_set_bool(obj, "tcp", s->tcp->err == 0);
	}
}

/* --- findings --- */

/* One step for each; the first may have its own place already. */
static void note(struct sp_step *parent, const struct sp_chain_finding *finding)
{
	struct sp_step *step = sp_step_begin(parent, "dnssec.note", SP_STR_FMT,
	                                     SP_STR_ARG(finding->detail));

	sp_json_set_str(sp_step_evidence(step), "subject", finding->subject);
	sp_step_advice_detail(step, finding->advice, finding->subject,
	                      finding->detail);
	sp_step_finish(step);
}

static void skip(struct sp_step *step, const char *note_text)
{
	sp_json_set_cstr(sp_step_evidence(step), "note", note_text);
	sp_step_end(step, SP_STEP_SKIP);
}

/* --- servers --- */

/* Why there is nothing to say of a server; null: there is. */
static const char *not_looked_at(const struct sp_chain_server *s)
{
	if (s->not_asked) {
		return s->not_asked;
	}
	if (!s->addr.family) {
		return NULL;
	}
	if (!s->soa) {
		return "not asked: no time left";
	}
	return sp_chain_no_way(s->soa) ? "no way leads there from here" : NULL;
}

static void tell_server(struct sp_chain_story *story, struct sp_step *parent,
                        const struct sp_chain_zone *zone,
                        const struct sp_chain_link *link, size_t index)
{
	const struct sp_chain_server *s = &zone->servers[index];
	struct sp_str text = sp_chain_server_text(s, &story->arena);
	struct sp_chain_finding found[SP_CHAIN_FINDINGS_MAX];
	struct sp_step *step =
		sp_step_begin(parent, "dnssec.server",
	                      "Name server " SP_STR_FMT, SP_STR_ARG(text));
	size_t count;

	server_evidence(sp_step_evidence(step), s);
	if (not_looked_at(s)) {
		skip(step, not_looked_at(s));
		return;
	}
	count = sp_chain_judge_server(zone, link, index, sp_time_wall_ms(),
	                              &story->arena, found);
	for (size_t i = 1; i < count; i++) {
		note(step, &found[i]);
	}
	if (count > 0) {
		sp_json_set_str(sp_step_evidence(step), "detail",
		                found[0].detail);
		sp_step_advice_detail(step, found[0].advice, found[0].subject,
		                      found[0].detail);
	}
	sp_step_finish(step);
}

/* Behind a forwarder, or when the time was up. */
static void tell_unreached(const struct sp_chain_story *story,
                           struct sp_step *parent,
                           const struct sp_chain_zone *zone)
{
	bool forwarded = sp_chain_forwarded(story->chain);
	struct sp_step *step = sp_step_begin(parent, "dnssec.server",
	                                     "Name servers of " SP_STR_FMT,
	                                     SP_STR_ARG(zone->name));

	if (forwarded) {
		sp_step_advice_detail(
			step, SP_ADVICE_CHAIN_UNREACHED, zone->name,
			SP_STR("the resolver asks a forwarder, and none of "
		               "the servers answers us"));
	}
	skip(step, forwarded ? "not reached: the resolver asks a forwarder"
	                     : "not asked: no time left");
}

static void tell_servers(struct sp_chain_story *story, struct sp_step *parent,
                         const struct sp_chain_zone *zone,
                         const struct sp_chain_link *link)
{
	if (sp_chain_forwarded(story->chain) || !zone->complete) {
		tell_unreached(story, parent, zone);
		return;
	}
	for (size_t i = 0; i < zone->server_count; i++) {
		tell_server(story, parent, zone, link, i);
	}
	if (zone->servers_cut) {
		sp_json_set_bool(sp_step_evidence(parent), "servers_cut", true);
	}
}

/* --- zones --- */

/* Where the chain ends or breaks: "dnssec.link". */
static void tell_link(struct sp_chain_story *story, struct sp_step *parent,
                      const struct sp_chain_zone *zone,
                      const struct sp_chain_link *link)
{
	struct sp_str above =
		zone->parent ? zone->parent->name : SP_STR("the trust anchor");
	struct sp_step *step;
	struct sp_verdict verdict;

	if (!is_end(link)) {
		return;
	}
	step = sp_step_begin(parent, "dnssec.link",
	                     "Link from " SP_STR_FMT " to " SP_STR_FMT,
	                     SP_STR_ARG(above), SP_STR_ARG(zone->name));
	sp_json_set_text(sp_step_evidence(step), "why", link->why);
	if (link->state == SP_CHAIN_UNSIGNED) {
		sp_step_advice_detail(step, link->advice, zone->name,
		                      link->mend);
		sp_step_finish(step);
		return;
	}
	verdict = verdict_of(story, zone, link);
	sp_chain_story_blame(story, step, &verdict, link->mild);
}

static void end_zone(struct sp_step *step, enum sp_chain_state state)
{
	static const char *const notes[] = {
		[SP_CHAIN_SECURE] = NULL,
		[SP_CHAIN_UNSIGNED] = NULL,
		[SP_CHAIN_BROKEN] = NULL,
		[SP_CHAIN_BELOW_UNSIGNED] =
			"the chain of trust ends above this zone",
		[SP_CHAIN_BELOW_BROKEN] =
			"the chain of trust is broken above this zone",
		[SP_CHAIN_ABOVE_ANCHOR] = "above the configured trust anchor",
		[SP_CHAIN_UNKNOWN] =
			"the resolver has no answer about this zone",
	};

	if (notes[state]) {
		skip(step, notes[state]);
	} else {
		sp_step_end(step, SP_STEP_PASS);
	}
}

/* The state as a title has it. */
static const char *zone_words(enum sp_chain_state state)
{
	static const char *const words[] = {
		[SP_CHAIN_SECURE] = "secure",
		[SP_CHAIN_UNSIGNED] = "the chain ends here",
		[SP_CHAIN_BELOW_UNSIGNED] = "insecure",
		[SP_CHAIN_BROKEN] = "the chain is broken here",
		[SP_CHAIN_BELOW_BROKEN] = "bogus",
		[SP_CHAIN_ABOVE_ANCHOR] = "above the trust anchor",
		[SP_CHAIN_UNKNOWN] = "no answer",
	};

	return words[state];
}

static void tell_zone(struct sp_chain_story *story, struct sp_step *parent,
                      const struct sp_chain_zone *zone,
                      const struct sp_chain_link *link)
{
	struct sp_chain_finding found[SP_CHAIN_FINDINGS_MAX];
	bool root = sp_str_eq(zone->name, SP_STR("."));
	struct sp_step *step =
		sp_step_begin(parent, "dnssec.zone", "%s" SP_STR_FMT ": %s",
	                      root ? "Root zone" : "Zone ",
	                      SP_STR_ARG(root ? SP_STR("") : zone->name),
	                      zone_words(link->state));
	size_t count;

	zone_evidence(sp_step_evidence(step), zone, link);
	tell_link(story, step, zone, link);
	count = sp_chain_judge_zone(zone, link, sp_time_wall_ms(),
	                            &story->arena, found);
	for (size_t i = 0; i < count; i++) {
		note(step, &found[i]);
	}
	if (!zone->sampled) {
		tell_servers(story, step, zone, link);
	}
	end_zone(step, link->state);
}

void sp_chain_tell_zones(struct sp_chain_story *story, struct sp_step *parent)
{
	while (story->told < sp_chain_count(story->chain)) {
		const struct sp_chain_zone *zone =
			sp_chain_at(story->chain, story->told);
		struct sp_chain_link *link = &story->links[story->told];

		sp_chain_judge_link(zone,
		                    sp_chain_story_link(story, zone->parent),
		                    &story->arena, link);
		story->told++;
		tell_zone(story, parent, zone, link);
	}
}

/* --- rounds --- */

/* Takes out what was said of the server itself already. */
static size_t leave_news(struct sp_chain_story *story,
                         const struct sp_chain_zone *zone, size_t index,
                         struct sp_chain_finding *found, size_t count)
{
	struct sp_chain_finding known[SP_CHAIN_FINDINGS_MAX];
	size_t known_count = sp_chain_judge_server(
		zone, sp_chain_story_link(story, zone), index,
		sp_time_wall_ms(), &story->arena, known);
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		bool old = false;

		for (size_t k = 0; k < known_count; k++) {
			old = old || known[k].advice == found[i].advice;
		}
		if (!old) {
			found[left++] = found[i];
		}
	}
	return left;
}

static void tell_answer(struct sp_chain_story *story, struct sp_step *parent,
                        const struct sp_chain_zone *zone, size_t index,
                        const struct sp_chain_answer *answer)
{
	struct sp_chain_finding found[SP_CHAIN_FINDINGS_MAX];
	size_t count = sp_chain_judge_answer(answer, sp_time_wall_ms(),
	                                     &story->arena, found);
	char type[16];
	struct sp_step *step;

	count = leave_news(story, zone, index, found, count);

	if (count == 0) {
		return;
	}
	step = sp_step_begin(parent, "dnssec.answer", "%s by " SP_STR_FMT,
	                     sp_seen_type_text((uint16_t)answer->type, type),
	                     SP_STR_ARG(answer->server));
	sp_json_set_str(sp_step_evidence(step), "detail", found[0].detail);
	sp_step_advice_detail(step, found[0].advice, found[0].subject,
	                      found[0].detail);
	for (size_t i = 1; i < count; i++) {
		note(step, &found[i]);
	}
	sp_step_finish(step);
}

void sp_chain_tell_round(struct sp_chain_story *story, struct sp_step *parent,
                         const struct sp_chain_zone *zone, struct sp_str name,
                         enum sp_dns_type type, bool compare)
{
	const struct sp_chain_link *link = sp_chain_story_link(story, zone);
	struct sp_chain_answer answer = {
		.name = name,
		.type = type,
		.compare = compare,
	};

	if (!link) {
		return;
	}
	answer.signed_zone = link->key_count > 0;
	answer.signers = sp_chain_signers(zone, link);
	answer.reference =
		sp_chain_round_reply(story->chain, sp_chain_newest(zone));
	for (size_t i = 0; i < zone->server_count; i++) {
		answer.server =
			sp_chain_server_text(&zone->servers[i], &story->arena);
		answer.reply = sp_chain_round_reply(story->chain, i);
		tell_answer(story, parent, zone, i, &answer);
	}
}
