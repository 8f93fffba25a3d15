/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_SURVEY_SUM_H
#define SP_CMD_SURVEY_SUM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "analyze/survey.h"
#include "policy/cause.h"
#include "wire/json.h"

/* What all rows of a survey amount to. */

enum sp_survey_security {
	SP_SURVEY_DANE,
	SP_SURVEY_HALF_DANE,
	SP_SURVEY_STS,
	SP_SURVEY_TLS,
	SP_SURVEY_CLEAR,
	SP_SURVEY_SECURITIES
};

struct sp_survey_sum {
	uint64_t rows;    /* domains and errors */
	uint64_t errors;  /* lines that are no domain, and the like */
	uint64_t repeats; /* lines without a row: the name had been there */
	uint64_t earlier; /* of the rows, those of an earlier run */
	uint64_t dnssec;
	uint64_t tlsa;
	uint64_t sts_enforce;
	uint64_t sts_testing;
	uint64_t deliver;
	uint64_t defer;
	uint64_t fail;
	uint64_t blocked;
	uint64_t security[SP_SURVEY_SECURITIES];
	/* Of those that would not be delivered; NONE: of an unknown name. */
	uint64_t causes[SP_CAUSE_COUNT];
	uint64_t causes_blocked[SP_CAUSE_COUNT];
	int64_t elapsed_ms; /* of this run */
	bool finished;      /* the list was done to its end */
	bool dns_only;
	bool with_sts;
};

void sp_survey_sum_add(struct sp_survey_sum *sum,
                       const struct sp_survey_row *row);
struct sp_json *sp_survey_sum_json(const struct sp_survey_sum *sum);
void sp_survey_sum_put(FILE *f, const struct sp_survey_sum *sum);

#endif
