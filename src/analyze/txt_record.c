/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MTA-STS, TLS reporting, SPF, DMARC and DKIM stand in the DNS in the same
 * way; what is the same about them is here, and what they mean is not.
 */
#include "analyze/txt_record.h"
#include "base/err.h"

int sp_txt_record_ask(struct sp_questions *questions, const char *prefix,
                      struct sp_str domain)
{
	struct sp_arena arena;
	struct sp_str name;
	int number = SP_ESYNTAX;

	sp_arena_init(&arena);
	name = sp_str_from(sp_arena_printf(&arena, "%s" SP_STR_FMT, prefix,
	                                   SP_STR_ARG(domain)));
	if (sp_dns_name_valid(name)) {
		number = sp_questions_add(questions, name, SP_DNS_TYPE_TXT);
	}
	sp_arena_fini(&arena);
	return number;
}

struct sp_txt_records sp_txt_record_list(const struct sp_dns_answer *answer,
                                         struct sp_arena *arena)
{
	struct sp_txt_records r = {.count = answer->record_count};

	r.list = sp_arena_array(arena, r.count + 1, sizeof(*r.list));
	for (size_t i = 0; i < r.count; i++) {
		r.list[i] = answer->records[i].data;
	}
	return r;
}

bool sp_txt_record_said(struct sp_step *step,
                        const struct sp_dns_answer *answer,
                        enum sp_advice_id failed)
{
	sp_json_set_cstr(sp_step_evidence(step), "dnssec",
	                 sp_dnssec_text(answer->dnssec));
	if (sp_answer_said(answer)) {
		return true;
	}
	sp_json_set_text(sp_step_evidence(step), "why", answer->why);
	sp_step_advice(step, failed, answer->name);
	sp_step_finish(step);
	return false;
}

void sp_txt_record_put(struct sp_step *step,
                       const struct sp_txt_records *records)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < records->count; i++) {
		sp_json_add_str(list, records->list[i]);
	}
	sp_json_set(sp_step_evidence(step), "records", list);
}

void sp_txt_record_refuse(struct sp_step *step, enum sp_advice_id advice,
                          const char *why)
{
	sp_json_set_cstr(sp_step_evidence(step), "why", why);
	sp_step_advice(step, advice, sp_str_from(why));
}
