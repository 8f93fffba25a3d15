/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   new ──▶ OWNER ──records──▶ is "_tcp" a name? ──▶ grow, done
 *             └────none──────▶ do they stand elsewhere? ──▶ grow, done
 *
 * The name "_tcp" is asked about last: a resolver that once heard that it
 * does not exist believes of the names below it the same.
 */
#include <stdio.h>

#include "analyze/check_plan.h"
#include "analyze/questions.h"
#include "analyze/tlsa_advice.h"
#include "analyze/tlsa_look.h"
#include "base/mem.h"
#include "net/tls.h"

/* Where people publish by mistake: before the host's name. */
static const struct stray {
	const char *before;
	bool port; /* stands between */
	const char *after;
} STRAYS[] = {
	{"_", true, ".tcp."}, {"", true, "._tcp."},       {"", true, ".tcp."},
	{"", false, "_tcp."}, {"_smtp", false, "._tcp."}, {"", false, ""},
};

static const struct stray OWNER = {"_", true, "._tcp."};
static const struct stray TCP = {"", false, "_tcp."};

#define STRAY_COUNT (sizeof(STRAYS) / sizeof(STRAYS[0]))

struct sp_tlsa_look {
	struct sp_tlsa_look_ask ask;
	struct sp_step *step;
	sp_tlsa_look_fn *fn;
	void *arg;
	struct sp_arena arena;
	struct sp_questions *questions; /* owned */
	int owner;                      /* numbers of questions */
	int tcp;
	int strays[STRAY_COUNT];
	struct sp_tlsa_published published;
	struct sp_plan_tlsa_record *records; /* arena; where the plan has not
	                                      * asked for them */
};

/* ---- growing ---- */

static void put_published(struct sp_tlsa_look *l)
{
	const struct sp_tlsa_published *p = &l->published;
	struct sp_json *e = sp_step_evidence(l->step);

	sp_json_set_str(e, "owner", p->owner);
	sp_json_set_cstr(e, "answer", sp_tlsa_answer_text(p->answer));
	sp_json_set_cstr(e, "dnssec", sp_dnssec_text(p->dnssec));
	if (p->answer == SP_TLSA_RECORDS) {
		sp_json_set_int(e, "ttl_s", p->ttl_s);
	}
}

/* What a finding about all of the records is a look at. */
static const char *title_of(enum sp_advice_id advice)
{
	return advice == SP_ADVICE_TLSA_OWNER_WRONG ? "TLSA records elsewhere"
	       : advice == SP_ADVICE_TLSA_TCP_DENIED
	               ? "The name above the TLSA records"
	       : advice == SP_ADVICE_TLSA_TTL_FAR ||
	                       advice == SP_ADVICE_TLSA_TTL_LONG ||
	                       advice == SP_ADVICE_TLSA_TTL_SHORT
	               ? "Time to live of the TLSA records"
	               : "Place of the TLSA records";
}

static void grow_finding(struct sp_tlsa_look *l,
                         const struct sp_tlsa_finding *finding)
{
	struct sp_step *step = sp_step_begin(l->step, "tlsa.advice", "%s",
	                                     title_of(finding->advice));

	sp_step_advice(step, finding->advice, finding->subject);
	sp_json_set_str(sp_step_evidence(step), "subject", finding->subject);
	if (finding->advice == SP_ADVICE_TLSA_ABSENT && l->ask.records_wanted) {
		sp_step_end(step, SP_STEP_WARN);
	} else {
		sp_step_finish(step);
	}
}

/* The one finding of the record that matters most stands with it. */
static void grow_record(struct sp_tlsa_look *l, size_t index,
                        const struct sp_tlsa_finding *findings, size_t count)
{
	const struct sp_plan_tlsa_record *r = &l->published.records[index];
	struct sp_str brief = sp_tlsa_brief(&r->tlsa, &l->arena);
	struct sp_step *step =
		sp_step_begin(l->step, "tlsa.record", "Record " SP_STR_FMT,
	                      SP_STR_ARG(brief));
	struct sp_json *e = sp_step_evidence(step);

	sp_json_set_cstr(e, "record", sp_tlsa_format(&r->tlsa, &l->arena));
	sp_json_set_bool(e, "usable", r->reason == SP_TLSA_USABLE);
	sp_json_set_cstr(e, "reason", sp_tlsa_reason_text(r->reason));
	for (size_t i = 0; i < count; i++) {
		if (findings[i].record == (int)index) {
			sp_step_advice(step, findings[i].advice,
			               findings[i].subject);
		}
	}
	sp_step_finish(step);
}

/* What it comes to for mail goes before what is to be said of each record. */
static void end_published(struct sp_tlsa_look *l)
{
	struct sp_verdict unusable = sp_check_all_unusable(l->ask.host);

	if (l->ask.host->why == SP_WHY_ALL_UNUSABLE) {
		sp_step_cause(l->step, &unusable);
		sp_step_end(l->step, SP_STEP_WARN);
	} else {
		sp_step_finish(l->step);
	}
}

static void grow(struct sp_tlsa_look *l)
{
	struct sp_tlsa_finding findings[SP_TLSA_ADVICE_MAX];
	size_t count = sp_tlsa_advise(&l->published, &l->arena, findings);
	const struct sp_plan_host *host = l->ask.host;

	put_published(l);
	for (size_t i = 0; i < count; i++) {
		if (findings[i].record < 0) {
			grow_finding(l, &findings[i]);
		}
	}
	for (size_t i = 0; i < l->published.record_count; i++) {
		grow_record(l, i, findings, count);
	}
	if (l->published.answer != SP_TLSA_NONE) {
		end_published(l);
		return;
	}
	sp_json_set_text(sp_step_evidence(l->step), "why",
	                 sp_questions_answer(l->questions, l->owner)->why);
	sp_step_cause(l->step, &host->verdict);
	sp_step_end(l->step, host->verdict.class == SP_VERDICT_DELIVERED
	                             ? SP_STEP_SKIP
	                             : SP_STEP_FAIL);
}

/* ---- what is published ---- */

static bool records_of(const struct sp_dns_answer *a)
{
	return sp_answer_has(a) && a->type == SP_DNS_TYPE_TLSA;
}

/* The plan did not ask: its judgement of each record is made up for. */
static void judge_records(struct sp_tlsa_look *l, const struct sp_dns_answer *a)
{
	l->records =
		sp_arena_array(&l->arena, a->record_count, sizeof(*l->records));
	for (size_t i = 0; i < a->record_count; i++) {
		const struct sp_tlsa *tlsa = &a->records[i].tlsa;

		l->records[i].tlsa = *tlsa;
		l->records[i].reason =
			sp_tlsa_check(tlsa, tlsa->matching != SP_TLSA_FULL ||
		                                    sp_tls_full_parses(tlsa));
	}
	l->published.records = l->records;
	l->published.record_count = a->record_count;
}

static enum sp_tlsa_answer answer_of(const struct sp_dns_answer *a)
{
	return !sp_answer_said(a)             ? SP_TLSA_NONE
	       : a->result == SP_DNS_RECORDS  ? SP_TLSA_RECORDS
	       : a->result == SP_DNS_NXDOMAIN ? SP_TLSA_NXDOMAIN
	                                      : SP_TLSA_NODATA;
}

/* By the plan where it asked: what delivery knows. */
static void read_owner(struct sp_tlsa_look *l)
{
	const struct sp_dns_answer *a =
		sp_questions_answer(l->questions, l->owner);
	const struct sp_plan_host *host = l->ask.host;
	struct sp_tlsa_published *p = &l->published;

	if (host->tlsa_answer != SP_TLSA_NOT_ASKED) {
		p->answer = host->tlsa_answer;
		p->dnssec = host->tlsa_dnssec;
		p->records = host->tlsa;
		p->record_count = host->tlsa_count;
	} else {
		p->answer = answer_of(a);
		p->dnssec = a->dnssec;
		if (records_of(a)) {
			judge_records(l, a);
		}
	}
	p->ttl_s = records_of(a) ? a->ttl_s : 0;
	for (size_t i = 0; i < host->address_count; i++) {
		p->address_unsigned |=
			host->addresses[i].dnssec == SP_DNSSEC_INSECURE;
	}
}

static void read_second(void *arg)
{
	struct sp_tlsa_look *l = arg;
	const struct sp_dns_answer *tcp =
		sp_questions_answer(l->questions, l->tcp);

	if (tcp) {
		l->published.tcp = tcp->name;
		l->published.tcp_denied = tcp->dnssec == SP_DNSSEC_BOGUS ||
		                          tcp->result == SP_DNS_NXDOMAIN;
	}
	for (size_t i = 0; i < STRAY_COUNT && !l->published.stray.len; i++) {
		const struct sp_dns_answer *a =
			sp_questions_answer(l->questions, l->strays[i]);

		if (records_of(a)) {
			l->published.stray = a->name;
		}
	}
	grow(l);
	l->fn(l->arg);
}

/* ---- asking ---- */

static struct sp_str base_of(const struct sp_tlsa_look *l)
{
	const struct sp_plan_host *host = l->ask.host;

	return host->tlsa_base.len ? host->tlsa_base : host->name;
}

static struct sp_str below(struct sp_tlsa_look *l, const struct stray *place)
{
	char port[8] = "";

	if (place->port) {
		(void)snprintf(port, sizeof(port), "%u", (unsigned)l->ask.port);
	}
	return sp_str_from(sp_arena_printf(&l->arena, "%s%s%s" SP_STR_FMT,
	                                   place->before, port, place->after,
	                                   SP_STR_ARG(base_of(l))));
}

static int ask_tlsa(struct sp_tlsa_look *l, struct sp_str name)
{
	return sp_dns_name_valid(name)
	               ? sp_questions_add(l->questions, name, SP_DNS_TYPE_TLSA)
	               : -1;
}

static void on_owner(void *arg)
{
	struct sp_tlsa_look *l = arg;

	read_owner(l);
	if (l->published.answer == SP_TLSA_RECORDS) {
		l->tcp = ask_tlsa(l, below(l, &TCP));
	} else if (l->published.answer != SP_TLSA_NONE) {
		for (size_t i = 0; i < STRAY_COUNT; i++) {
			l->strays[i] = ask_tlsa(l, below(l, &STRAYS[i]));
		}
	}
	sp_questions_go(l->questions, read_second, l);
}

static struct sp_str owner_of(struct sp_tlsa_look *l)
{
	return l->ask.host->tlsa_owner.len ? l->ask.host->tlsa_owner
	                                   : below(l, &OWNER);
}

static void on_literal(void *arg)
{
	struct sp_tlsa_look *l = arg;

	sp_json_set_cstr(sp_step_evidence(l->step), "note",
	                 "an address, or a name too long, has no TLSA "
	                 "records");
	sp_step_end(l->step, SP_STEP_SKIP);
	l->fn(l->arg);
}

struct sp_tlsa_look *sp_tlsa_look_new(const struct sp_tlsa_look_ask *ask,
                                      struct sp_step *parent,
                                      sp_tlsa_look_fn *fn, void *arg)
{
	struct sp_tlsa_look *l = SP_NEW(struct sp_tlsa_look);

	l->ask = *ask;
	l->fn = fn;
	l->arg = arg;
	l->owner = l->tcp = -1;
	for (size_t i = 0; i < STRAY_COUNT; i++) {
		l->strays[i] = -1;
	}
	sp_arena_init(&l->arena);
	l->questions = sp_questions_new(ask->loop, ask->lookup);
	l->published.owner = owner_of(l);
	l->step = sp_step_begin(parent, "tlsa", "TLSA records at " SP_STR_FMT,
	                        SP_STR_ARG(l->published.owner));
	if (!ask->host->literal) {
		l->owner = ask_tlsa(l, l->published.owner);
	}
	sp_questions_go(l->questions, l->owner < 0 ? on_literal : on_owner, l);
	return l;
}

void sp_tlsa_look_free(struct sp_tlsa_look **look)
{
	if (*look) {
		sp_questions_free(&(*look)->questions);
		sp_arena_fini(&(*look)->arena);
		SP_FREE(look);
	}
}
