/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All questions at once, then the steps. DMARC may stand at a domain above
 * (RFC 7489 3.2, RFC 9091): the nearest one that has a record counts, the
 * top-level domain is not asked.
 */
#include "analyze/check_side.h"
#include "analyze/questions.h"
#include "base/err.h"
#include "base/mem.h"
#include "wire/address.h"
#include "wire/dkim.h"
#include "wire/sender_policy.h"

#define ABOVE_MAX 8 /* domains asked for DMARC */

struct sp_check_side {
	const struct sp_check_ask *ask;
	sp_check_fn *fn;
	void *arg;
	struct sp_step *step;
	struct sp_arena arena;
	struct sp_questions *questions; /* owned */
	int spf;
	int dmarc[ABOVE_MAX];
	size_t dmarc_count;
	int dkim; /* -1: no selector was given */
};

/* ---- records ---- */

struct records {
	struct sp_str *list;
	size_t count;
};

static struct records records_of(struct sp_check_side *c,
                                 const struct sp_dns_answer *a)
{
	struct records r = {.count = a->record_count};

	r.list = sp_arena_array(&c->arena, r.count + 1, sizeof(*r.list));
	for (size_t i = 0; i < r.count; i++) {
		r.list[i] = a->records[i].data;
	}
	return r;
}

static void put_records(struct sp_step *step, const struct records *r,
                        struct sp_str begin)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < r->count; i++) {
		if (sp_str_starts_nocase(r->list[i], begin)) {
			sp_json_add_str(list, r->list[i]);
		}
	}
	sp_json_set(sp_step_evidence(step), "records", list);
}

/* An answer that says something; else the step is ended. */
static bool is_answered(struct sp_step *step, const struct sp_dns_answer *a)
{
	sp_json_set_cstr(sp_step_evidence(step), "dnssec",
	                 sp_dnssec_text(a->dnssec));
	if (sp_answer_said(a)) {
		return true;
	}
	sp_json_set_text(sp_step_evidence(step), "why", a->why);
	sp_step_advice(step, SP_ADVICE_SIDE_FAILED, a->name);
	sp_step_finish(step);
	return false;
}

static void refuse(struct sp_step *step, enum sp_advice_id advice,
                   const char *why)
{
	sp_json_set_cstr(sp_step_evidence(step), "why", why);
	sp_step_advice(step, advice, sp_str_from(why));
}

/* ---- SPF ---- */

static void grow_spf(struct sp_check_side *c)
{
	const struct sp_dns_answer *a =
		sp_questions_answer(c->questions, c->spf);
	struct sp_step *step =
		sp_step_begin(c->step, "side.spf", "SPF record of " SP_STR_FMT,
	                      SP_STR_ARG(a->name));
	char why[SP_TXT_FIELD_WHY_MAX] = "";
	struct records r;
	struct sp_spf spf;
	int err;

	if (!is_answered(step, a)) {
		return;
	}
	r = records_of(c, a);
	put_records(step, &r, SP_STR("v=spf1"));
	err = sp_spf_parse(r.list, r.count, &spf, why);
	if (err == SP_ENOTFOUND) {
		sp_step_advice(step, SP_ADVICE_SPF_ABSENT, a->name);
	} else if (err) {
		refuse(step, SP_ADVICE_SPF_INVALID, why);
	} else if (spf.all == '+') {
		sp_step_advice(step, SP_ADVICE_SPF_ALL, a->name);
	}
	sp_step_finish(step);
}

/* ---- DMARC ---- */

static const struct sp_dns_answer *find_dmarc(struct sp_check_side *c)
{
	for (size_t i = 0; i < c->dmarc_count; i++) {
		const struct sp_dns_answer *a =
			sp_questions_answer(c->questions, c->dmarc[i]);
		struct sp_dmarc dmarc;
		struct records r;

		if (!sp_answer_said(a)) {
			return a;
		}
		r = records_of(c, a);
		if (sp_dmarc_parse(r.list, r.count, &dmarc, NULL) !=
		    SP_ENOTFOUND) {
			return a;
		}
	}
	return sp_questions_answer(c->questions, c->dmarc[0]);
}

static void grow_dmarc(struct sp_check_side *c)
{
	const struct sp_dns_answer *a = find_dmarc(c);
	struct sp_step *step = sp_step_begin(c->step, "side.dmarc",
	                                     "DMARC record at " SP_STR_FMT,
	                                     SP_STR_ARG(a->name));
	char why[SP_TXT_FIELD_WHY_MAX] = "";
	struct sp_dmarc dmarc;
	struct records r;
	int err;

	if (!is_answered(step, a)) {
		return;
	}
	r = records_of(c, a);
	put_records(step, &r, SP_STR("v=DMARC1"));
	err = sp_dmarc_parse(r.list, r.count, &dmarc, why);
	if (err == SP_ENOTFOUND) {
		sp_step_advice(step, SP_ADVICE_DMARC_ABSENT, c->ask->target);
	} else if (err) {
		refuse(step, SP_ADVICE_DMARC_INVALID, why);
	} else {
		sp_json_set_str(sp_step_evidence(step), "policy", dmarc.policy);
	}
	sp_step_finish(step);
}

/* ---- DKIM ---- */

/* RFC 6376 3.6.2.2: what comes of several records is undefined. */
static void read_key(struct sp_check_side *c, struct sp_step *step,
                     const struct records *r)
{
	char why[SP_DKIM_WHY_MAX] = "";
	struct sp_dkim_record key;

	if (r->count != 1) {
		refuse(step, SP_ADVICE_DKIM_INVALID, "more than one record");
	} else if (sp_dkim_record_parse(r->list[0], &c->arena, &key, why)) {
		refuse(step, SP_ADVICE_DKIM_INVALID, why);
	} else if (!key.key.len) {
		refuse(step, SP_ADVICE_DKIM_INVALID, "the key is revoked");
	} else {
		sp_json_set_cstr(sp_step_evidence(step), "type",
		                 sp_dkim_key_type_text(key.type));
		sp_json_set_bool(sp_step_evidence(step), "testing",
		                 key.testing);
	}
}

static void grow_dkim(struct sp_check_side *c)
{
	const struct sp_dns_answer *a =
		sp_questions_answer(c->questions, c->dkim);
	struct sp_step *step;
	struct records r;

	if (!a) {
		return;
	}
	step = sp_step_begin(c->step, "side.dkim", "DKIM key at " SP_STR_FMT,
	                     SP_STR_ARG(a->name));
	if (!is_answered(step, a)) {
		return;
	}
	r = records_of(c, a);
	put_records(step, &r, SP_STR(""));
	if (r.count == 0) {
		sp_step_advice(step, SP_ADVICE_DKIM_ABSENT, a->name);
	} else {
		read_key(c, step, &r);
	}
	sp_step_finish(step);
}

/* ---- asking ---- */

static void on_answers(void *arg)
{
	struct sp_check_side *c = arg;

	grow_spf(c);
	grow_dmarc(c);
	grow_dkim(c);
	sp_step_finish(c->step);
	c->fn(c->arg);
}

static void on_no_domain(void *arg)
{
	struct sp_check_side *c = arg;

	sp_json_set_cstr(sp_step_evidence(c->step), "note",
	                 "only a domain has such records");
	sp_step_end(c->step, SP_STEP_SKIP);
	c->fn(c->arg);
}

static int ask_txt(struct sp_check_side *c, const char *prefix,
                   struct sp_str domain)
{
	struct sp_str name = sp_str_from(sp_arena_printf(
		&c->arena, "%s" SP_STR_FMT, prefix, SP_STR_ARG(domain)));

	return sp_dns_name_valid(name)
	               ? sp_questions_add(c->questions, name, SP_DNS_TYPE_TXT)
	               : -1;
}

static void ask_dmarc(struct sp_check_side *c)
{
	struct sp_str domain = c->ask->target;
	struct sp_str label;

	do {
		int number = ask_txt(c, "_dmarc.", domain);

		if (number >= 0) {
			c->dmarc[c->dmarc_count++] = number;
		}
		(void)sp_str_cut(&domain, '.', &label);
	} while (sp_str_find(domain, '.') < domain.len &&
	         c->dmarc_count < ABOVE_MAX);
}

static void ask_dkim(struct sp_check_side *c)
{
	struct sp_str selector = c->ask->dkim_selector;

	c->dkim = -1;
	if (selector.len) {
		c->dkim = ask_txt(c,
		                  sp_arena_printf(&c->arena,
		                                  SP_STR_FMT "._domainkey.",
		                                  SP_STR_ARG(selector)),
		                  c->ask->target);
	}
}

/* ---- its life ---- */

struct sp_check_side *sp_check_side_new(const struct sp_check_ask *ask,
                                        struct sp_step *parent, sp_check_fn *fn,
                                        void *arg)
{
	struct sp_check_side *c = SP_NEW(struct sp_check_side);

	c->ask = ask;
	c->fn = fn;
	c->arg = arg;
	sp_arena_init(&c->arena);
	c->questions = sp_questions_new(ask->loop, ask->lookup);
	c->step = sp_step_begin(parent, "side",
	                        "Beside it: SPF, DMARC and DKIM of " SP_STR_FMT,
	                        SP_STR_ARG(ask->target));
	if (!sp_domain_is_literal(ask->target)) {
		c->spf = ask_txt(c, "", ask->target);
		ask_dmarc(c);
		ask_dkim(c);
	}
	sp_questions_go(c->questions,
	                c->dmarc_count ? on_answers : on_no_domain, c);
	return c;
}

void sp_check_side_free(struct sp_check_side **part)
{
	if (*part) {
		sp_questions_free(&(*part)->questions);
		sp_arena_fini(&(*part)->arena);
		SP_FREE(part);
	}
}
