/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_TXT_H
#define SP_CMD_TXT_H

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

/*
 * TXT records as people have them in files: one in a line, as a zone file
 * has its data (one or more quoted strings, RFC 1035 5.1), with what stands
 * before it (owner, TTL, IN, TXT) or without. A line without quotes is one
 * string.
 */

#define SP_TXT_RECORDS_MAX 64
#define SP_TXT_WHY_MAX     120

/* Strings of a record are joined. Blank lines and comments are passed over.
 * 0, or SP_ESYNTAX with one line of reason. All of it lives in the arena. */
int sp_txt_read(struct sp_str text, struct sp_arena *arena,
                struct sp_str records_out[SP_TXT_RECORDS_MAX],
                size_t *count_out, char *why_out);

#endif
