/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_TXT_RECORD_H
#define SP_ANALYZE_TXT_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "analyze/questions.h"
#include "analyze/step.h"
#include "base/mem.h"

/*
 * What is said of a domain in TXT records: at a name below it ("_mta-sts."),
 * or at its own. The question, the step, and the records for whoever reads
 * them.
 */

/* Adds the question for TXT at prefix and domain. Its number; SP_ESYNTAX where
 * both together are no name; SP_ELIMIT. */
int sp_txt_record_ask(struct sp_questions *questions, const char *prefix,
                      struct sp_str domain);

struct sp_txt_records {
	struct sp_str *list; /* arena; the texts live as long as the answer */
	size_t count;
};
struct sp_txt_records sp_txt_record_list(const struct sp_dns_answer *answer,
                                         struct sp_arena *arena);

/* The DNSSEC state of the answer into the step's evidence. False: it says
 * nothing; then the step has why, and this advice about the name, and is
 * ended. */
bool sp_txt_record_said(struct sp_step *step,
                        const struct sp_dns_answer *answer,
                        enum sp_advice_id failed);
/* The records into the step's evidence. */
void sp_txt_record_put(struct sp_step *step,
                       const struct sp_txt_records *records);
/* A record that can't be used: why, in the evidence and for the advice. */
void sp_txt_record_refuse(struct sp_step *step, enum sp_advice_id advice,
                          const char *why);

#endif
