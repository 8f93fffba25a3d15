/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All questions at once, then the steps. DMARC may stand at a domain above
 * (RFC 7489 3.2, RFC 9091): the nearest one that has a record counts, the
 * top-level domain is not asked.
 */
#include "analyze/check_side.h"
#include "analyze/part.h"
#include "analyze/txt_record.h"
#include "base/err.h"
#include "base/mem.h"
#include "wire/address.h"
#include "wire/dkim.h"
#include "wire/sender_policy.h"

#define ABOVE_MAX 8 /* domains asked for DMARC */

struct sp_check_side {
	struct sp_part part;
	int spf;
	int dmarc[ABOVE_MAX];
	size_t dmarc_count;
	int dkim; /* -1: no selector was given */
};

/* ---- records ---- */

/* Those of a kind; other TXT records are nobody's business here. */
static void put_kind(struct sp_check_side *c, struct sp_step *step,
                     const struct sp_txt_records *all, struct sp_str begin)
{
	struct sp_txt_records some = {0};

	some.list = sp_arena_array(&c->part.arena, all->count + 1,
	                           sizeof(*some.list));
	for (size_t i = 0; i < all->count; i++) {
		if (sp_str_starts_nocase(all->list[i], begin)) {
			some.list[some.count++] = all->list[i];
		}
	}
	sp_txt_record_put(step, &some);
}

/* ---- SPF ---- */

static void grow_spf(struct sp_check_side *c)
{
	const struct sp_dns_answer *a =
		sp_questions_answer(c->part.questions, c->spf);
	struct sp_step *step =
		sp_step_begin(c->part.step, "side.spf",
	                      "SPF record of " SP_STR_FMT, SP_STR_ARG(a->name));
	char why[SP_TXT_FIELD_WHY_MAX] = "";
	struct sp_txt_records r;
	struct sp_spf spf;
	int err;

	if (!sp_txt_record_said(step, a, SP_ADVICE_SIDE_FAILED)) {
		return;
	}
	r = sp_txt_record_list(a, &c->part.arena);
	put_kind(c, step, &r, SP_STR("v=spf1"));
	err = sp_spf_parse(r.list, r.count, &spf, why);
	if (err == SP_ENOTFOUND) {
		sp_step_advice(step, SP_ADVICE_SPF_ABSENT, a->name);
	} else if (err) {
		sp_txt_record_refuse(step, SP_ADVICE_SPF_INVALID, why);
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
			sp_questions_answer(c->part.questions, c->dmarc[i]);
		struct sp_dmarc dmarc;
		struct sp_txt_records r;

		if (!sp_answer_said(a)) {
			return a;
		}
		r = sp_txt_record_list(a, &c->part.arena);
		if (sp_dmarc_parse(r.list, r.count, &dmarc, NULL) !=
		    SP_ENOTFOUND) {
			return a;
		}
	}
	return sp_questions_answer(c->part.questions, c->dmarc[0]);
}

static void grow_dmarc(struct sp_check_side *c)
{
	const struct sp_dns_answer *a = find_dmarc(c);
	struct sp_step *step = sp_step_begin(c->part.step, "side.dmarc",
	                                     "DMARC record at " SP_STR_FMT,
	                                     SP_STR_ARG(a->name));
	char why[SP_TXT_FIELD_WHY_MAX] = "";
	struct sp_dmarc dmarc;
	struct sp_txt_records r;
	int err;

	if (!sp_txt_record_said(step, a, SP_ADVICE_SIDE_FAILED)) {
		return;
	}
	r = sp_txt_record_list(a, &c->part.arena);
	put_kind(c, step, &r, SP_STR("v=DMARC1"));
	err = sp_dmarc_parse(r.list, r.count, &dmarc, why);
	if (err == SP_ENOTFOUND) {
		sp_step_advice(step, SP_ADVICE_DMARC_ABSENT,
		               c->part.ask->target);
	} else if (err) {
		sp_txt_record_refuse(step, SP_ADVICE_DMARC_INVALID, why);
	} else {
		sp_json_set_str(sp_step_evidence(step), "policy", dmarc.policy);
	}
	sp_step_finish(step);
}

/* ---- DKIM ---- */

/* RFC 6376 3.6.2.2: what comes of several records is undefined. */
static void read_key(struct sp_check_side *c, struct sp_step *step,
                     const struct sp_txt_records *r)
{
	char why[SP_DKIM_WHY_MAX] = "";
	struct sp_dkim_record key;

	if (r->count != 1) {
		sp_txt_record_refuse(step, SP_ADVICE_DKIM_INVALID,
		                     "more than one record");
	} else if (sp_dkim_record_parse(r->list[0], &c->part.arena, &key,
	                                why)) {
		sp_txt_record_refuse(step, SP_ADVICE_DKIM_INVALID, why);
	} else if (!key.key.len) {
		sp_txt_record_refuse(step, SP_ADVICE_DKIM_INVALID,
		                     "the key is revoked");
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
		sp_questions_answer(c->part.questions, c->dkim);
	struct sp_step *step;
	struct sp_txt_records r;

	if (!a) {
		return;
	}
	step = sp_step_begin(c->part.step, "side.dkim",
	                     "DKIM key at " SP_STR_FMT, SP_STR_ARG(a->name));
	if (!sp_txt_record_said(step, a, SP_ADVICE_SIDE_FAILED)) {
		return;
	}
	r = sp_txt_record_list(a, &c->part.arena);
	sp_txt_record_put(step, &r);
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
	sp_part_end(&c->part);
}

static void on_no_domain(void *arg)
{
	struct sp_check_side *c = arg;

	sp_part_skip(&c->part, "only a domain has such records");
}

static void ask_dmarc(struct sp_check_side *c)
{
	struct sp_str domain = c->part.ask->target;
	struct sp_str label;

	do {
		int number =
			sp_txt_record_ask(c->part.questions, "_dmarc.", domain);

		if (number >= 0) {
			c->dmarc[c->dmarc_count++] = number;
		}
		(void)sp_str_cut(&domain, '.', &label);
	} while (sp_str_find(domain, '.') < domain.len &&
	         c->dmarc_count < ABOVE_MAX);
}

static void ask_dkim(struct sp_check_side *c)
{
	struct sp_str selector = c->part.ask->dkim_selector;

	c->dkim = -1;
	if (selector.len) {
		c->dkim = sp_txt_record_ask(
			c->part.questions,
			sp_arena_printf(&c->part.arena,
		                        SP_STR_FMT "._domainkey.",
		                        SP_STR_ARG(selector)),
			c->part.ask->target);
	}
}

/* ---- its life ---- */

struct sp_check_side *sp_check_side_new(const struct sp_check_ask *ask,
                                        struct sp_step *parent, sp_check_fn *fn,
                                        void *arg)
{
	struct sp_check_side *c = SP_NEW(struct sp_check_side);

	sp_part_init(
		&c->part, ask,
		sp_step_begin(parent, "side",
	                      "Beside it: SPF, DMARC and DKIM of " SP_STR_FMT,
	                      SP_STR_ARG(ask->target)),
		fn, arg);
	if (!sp_domain_is_literal(ask->target)) {
		c->spf = sp_txt_record_ask(c->part.questions, "", ask->target);
		ask_dmarc(c);
		ask_dkim(c);
	}
	sp_questions_go(c->part.questions,
	                c->dmarc_count ? on_answers : on_no_domain, c);
	return c;
}

void sp_check_side_free(struct sp_check_side **part)
{
	if (*part) {
		sp_part_fini(&(*part)->part);
		SP_FREE(part);
	}
}
