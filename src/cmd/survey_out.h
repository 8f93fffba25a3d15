/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_SURVEY_OUT_H
#define SP_CMD_SURVEY_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/survey.h"

/*
 * Where rows go: standard output or a file, as they come or in order. A file
 * that an earlier run left is read again, and what is not a whole line at its
 * end is cut off.
 */

/* In order, so many rows may wait for one that is missing. */
#define SP_SURVEY_WINDOW 20000

struct sp_survey_out;

struct sp_survey_out_conf {
	const char *path; /* null: standard output */
	bool resume;      /* go on with what the file has */
	bool csv;
	bool ordered;
};

/* A row of an earlier run, borrowed for the call. */
typedef void sp_survey_out_fn(void *arg, const struct sp_survey_row *row);

/* 0 or an exit status, said. */
int sp_survey_out_open(const struct sp_survey_out_conf *conf,
                       sp_survey_out_fn *fn, void *arg,
                       struct sp_survey_out **out_out);
/* What waits in order is written, gaps left out. 0 or an exit status, said. */
int sp_survey_out_close(struct sp_survey_out **out);

/* Numbers begin with 0. Is there room in order for this one? */
bool sp_survey_out_has_room(const struct sp_survey_out *out, uint64_t number);
void sp_survey_out_put(struct sp_survey_out *out,
                       const struct sp_survey_row *row);
/* 0 or a negated errno: nothing more can be written. */
int sp_survey_out_flush(struct sp_survey_out *out);

#endif
