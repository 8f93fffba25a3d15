/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_DKIM_H
#define SP_CMD_DKIM_H

#include <stdbool.h>

#include "cmd/cmd.h"
#include "net/dkim_key.h"

/* The parts of `sealpost dkim`, and what they share. */

int sp_cmd_dkim_make(struct sp_cmd_ctx *ctx);
int sp_cmd_dkim_check(struct sp_cmd_ctx *ctx);

/* The private key in a file. 0, or -1 with one line in why_out. */
int sp_cmd_dkim_key(const char *path, struct sp_dkim_key **key_out,
                    char *why_out, size_t why_cap);

/* "--service", or "" where it was not given. False: said. */
bool sp_cmd_dkim_service(const struct sp_args *args, struct sp_str *out);

#endif
