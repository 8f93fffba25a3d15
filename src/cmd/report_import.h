/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_REPORT_IMPORT_H
#define SP_CMD_REPORT_IMPORT_H

#include "cmd/cmd.h"

/* `sealpost report import PATH...`; the exit status. */
int sp_report_import(struct sp_cmd_ctx *ctx, const char *path);

#endif
