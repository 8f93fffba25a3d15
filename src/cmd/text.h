/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_TEXT_H
#define SP_CMD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"
#include "wire/json.h"

/*
 * Text for terminals. Whatever may have come from a peer goes through here:
 * control characters (C0, DEL, C1), line and direction marks of Unicode and
 * bytes that are no UTF-8 appear as \xHH and never reach the terminal.
 */

#define SP_TEXT_MAX ((size_t)256 * 1024 * 1024)

/* Appends the text made harmless, in one line. */
void sp_text_append(struct sp_buf *out, struct sp_str text);
void sp_text_put(FILE *f, struct sp_str text);

/* A table for people: columns as wide as their widest cell, no rules. */
struct sp_table;
struct sp_table *sp_table_new(const char *const *titles, size_t columns);
/* The next cell, row by row; the text is copied, "" shows as "-". */
void sp_table_cell(struct sp_table *table, struct sp_str text);
void sp_table_int(struct sp_table *table, int64_t number);
size_t sp_table_rows(const struct sp_table *table);
void sp_table_print(const struct sp_table *table, FILE *f);
void sp_table_free(struct sp_table **table);

/* A field of RFC 4180, in quotes where it needs them, controls escaped. */
void sp_csv_append(struct sp_buf *out, struct sp_str text);

/* The value as one line with its newline. */
void sp_json_put(FILE *f, const struct sp_json *value);

/* "2026-11-23 10:00:05Z" from RFC 3339, for tables; as it is if it is none. */
struct sp_str sp_text_time(struct sp_str rfc3339, char out[24]);

/* A terminal of ours knows more than to write line by line (TERM). */
bool sp_text_terminal_moves(void);

#endif
