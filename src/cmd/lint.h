/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_LINT_H
#define SP_CMD_LINT_H

#include <stdbool.h>

#include "cmd/cmd.h"
#include "wire/json.h"

/* The kinds of `sealpost lint`, and how each says what it found. */

/* "what: valid" or "what: invalid: reason" or, with --json, the object of
 * the interface; reason null: valid. The value is freed; null: none. Says
 * whether it is valid. */
bool sp_lint_result(const struct sp_cmd_ctx *ctx, const char *what,
                    const char *reason, struct sp_json *value);

/* Exit statuses. */
int sp_lint_sts_policy(struct sp_cmd_ctx *ctx, const char *path);
int sp_lint_sts_txt(struct sp_cmd_ctx *ctx, const char *path);
int sp_lint_tlsrpt_txt(struct sp_cmd_ctx *ctx, const char *path);
int sp_lint_tlsrpt_report(struct sp_cmd_ctx *ctx, const char *path);

#endif
