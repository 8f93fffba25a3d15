/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_SURVEY_SHOW_H
#define SP_CMD_SURVEY_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How far a survey has come, on one line of a terminal. */

struct sp_survey_progress {
	uint64_t done;    /* domains of this run */
	uint64_t blocked; /* of all rows */
	double part;      /* of the list that is behind us, 0 to 1; negative:
	                   * nobody knows how long it is */
	double begun;     /* the same when this run asked about its first */
	int64_t elapsed_ms;
};

#define SP_SURVEY_SHOW_MAX 160

/* The line, without the end of line: at most columns characters. Pure. */
void sp_survey_show_line(const struct sp_survey_progress *progress,
                         unsigned columns, char out[SP_SURVEY_SHOW_MAX]);

/* In place of the last one. */
void sp_survey_show(FILE *terminal, const struct sp_survey_progress *progress);
void sp_survey_show_end(FILE *terminal); /* an empty line again */

#endif
