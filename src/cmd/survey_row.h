/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_SURVEY_ROW_H
#define SP_CMD_SURVEY_ROW_H

#include <stdbool.h>

#include "analyze/survey.h"
#include "base/buf.h"
#include "base/mem.h"

/* Rows of a survey as lines of JSON or CSV, and read again where a survey
 * goes on. One table of columns makes both. */

#define SP_SURVEY_LINE_MAX 65536

/* With its newline. */
void sp_survey_row_write(const struct sp_survey_row *row, bool csv,
                         struct sp_buf *out);
/* The line of titles of CSV. */
void sp_survey_row_titles(struct sp_buf *out);

/* A line without its newline; texts are in the arena, number is 0. 0 or
 * SP_ESYNTAX. */
int sp_survey_row_read(struct sp_str line, bool csv, struct sp_arena *arena,
                       struct sp_survey_row *row_out);

#endif
