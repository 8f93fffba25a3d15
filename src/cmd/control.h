/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_CONTROL_H
#define SP_CMD_CONTROL_H

#include "cmd/cmd.h"
#include "wire/json.h"

/*
 * A question to the running server over its control socket: one line of JSON
 * there, lines back: {"row": ...} any number of times, then {"done": ...} or
 * {"error": "..."}.
 */

#define SP_CONTROL_WAIT_MS 60000 /* for each line of the answer */

typedef void sp_control_row_fn(void *arg, const struct sp_json *row);

/* ask is freed. row may be null. 0 with *done_out (freed by the caller; may
 * be null), or an exit status, said: SP_EXIT_AWAY, SP_EXIT_AGAIN,
 * SP_EXIT_CONF. */
int sp_control_ask(struct sp_cmd_ctx *ctx, struct sp_json *ask,
                   sp_control_row_fn *row, void *arg,
                   struct sp_json **done_out);

/* Is a server there to be asked? Says nothing. */
bool sp_control_reachable(struct sp_cmd_ctx *ctx);

/* {"verb": verb} */
struct sp_json *sp_control_verb(const char *verb);

#endif
