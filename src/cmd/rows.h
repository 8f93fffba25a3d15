/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_ROWS_H
#define SP_CMD_ROWS_H

#include <stdio.h>

#include "cmd/cmd.h"
#include "wire/json.h"

/* Rows of trace and queue, as the console role gives them: one per recipient
 * (interface.md 2), in the form that was asked for. */

enum sp_rows_form {
	SP_ROWS_TABLE,
	SP_ROWS_JSON,  /* a line each: a stream */
	SP_ROWS_ARRAY, /* one document: a list */
	SP_ROWS_CSV,
	SP_ROWS_DETAIL, /* the timeline in words */
};

/* Asks with this filter (borrowed) and prints. found_out counts the rows. 0
 * or an exit status, said. */
int sp_cmd_rows(struct sp_cmd_ctx *ctx, const struct sp_json *filter,
                enum sp_rows_form form, bool detail, size_t *found_out);

/* The last error of a row in one line:
 * "450 4.7.323 ... [LastAttemptedServerName=...] [LastAttemptedIP=...:25]
 * [Scenario=...]"; empty where there was none. Needs the events of the row.
 * port is shown where the event's tries don't tell it. */
void sp_rows_last_error(const struct sp_json *row, int64_t port,
                        struct sp_buf *out);

/* The timeline of one row, for people. */
void sp_rows_timeline(FILE *f, const struct sp_json *row, int64_t port);

#endif
