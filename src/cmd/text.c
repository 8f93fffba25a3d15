/* SPDX-License-Identifier: Apache-2.0 */
/* Harmless text, tables, CSV and JSON on a stream. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cmd/text.h"
#include "wire/utf8.h"

/* ---- harmless text ---- */

static uint32_t code_point(struct sp_str s, size_t len)
{
	static const uint8_t MASKS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (uint8_t)s.ptr[0] & MASKS[len];

	for (size_t i = 1; i < len; i++) {
		c = c << 6 | ((uint8_t)s.ptr[i] & 0x3f);
	}
	return c;
}

/* C0, DEL, C1, and the characters of Unicode that move lines or turn the
 * direction of what follows. */
static bool is_harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

void sp_text_append(struct sp_buf *out, struct sp_str text)
{
	while (text.len) {
		size_t len = sp_utf8_len(text);
		bool plain = len && !is_harmful(code_point(text, len));

		len = len ? len : 1;
		for (size_t i = 0; !plain && i < len; i++) {
			(void)sp_buf_printf(out, "\\x%02x",
			                    (unsigned)(uint8_t)text.ptr[i]);
		}
		if (plain) {
			(void)sp_buf_append(out, text.ptr, len);
		}
		text = sp_str_sub(text, len, text.len);
	}
}

void sp_text_put(FILE *f, struct sp_str text)
{
	struct sp_buf safe;

	sp_buf_init(&safe, SP_TEXT_MAX);
	sp_text_append(&safe, text);
	(void)fwrite(sp_buf_str(&safe).ptr ? sp_buf_str(&safe).ptr : "", 1,
	             sp_buf_len(&safe), f); /* main asks ferror */
	sp_buf_fini(&safe);
}

/* ---- tables ---- */

struct cell {
	char *text; /* owned */
	size_t width;
};

struct sp_table {
	size_t columns;
	struct cell *cells; /* the titles first */
	size_t count;
	size_t cap;
};

static size_t width_of(struct sp_str text)
{
	size_t width = 0;

	for (size_t i = 0; i < text.len; i++) {
		width += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
	}
	return width;
}

struct sp_table *sp_table_new(const char *const *titles, size_t columns)
{
	struct sp_table *table = SP_NEW(struct sp_table);

	table->columns = columns;
	for (size_t i = 0; i < columns; i++) {
		sp_table_cell(table, sp_str_from(titles[i]));
	}
	return table;
}

void sp_table_cell(struct sp_table *table, struct sp_str text)
{
	struct sp_buf safe;
	struct cell *cell;

	if (table->count == table->cap) {
		table->cap = table->cap ? table->cap * 2 : 64;
		table->cells = sp_realloc(table->cells,
		                          table->cap * sizeof(*table->cells));
	}
	cell = &table->cells[table->count++];
	sp_buf_init(&safe, SP_TEXT_MAX);
	sp_text_append(&safe, text.len ? text : SP_STR("-"));
	cell->width = width_of(sp_buf_str(&safe));
	cell->text = sp_buf_take(&safe);
	sp_buf_fini(&safe);
}

void sp_table_int(struct sp_table *table, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	sp_table_cell(table, sp_str_from(text));
}

size_t sp_table_rows(const struct sp_table *table)
{
	return table->count / table->columns - 1;
}

static size_t column_width(const struct sp_table *table, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < table->count; i += table->columns) {
		if (table->cells[i].width > width) {
			width = table->cells[i].width;
		}
	}
	return width;
}

void sp_table_print(const struct sp_table *table, FILE *f)
{
	size_t *widths = sp_calloc(table->columns, sizeof(*widths));

	SP_ASSERT(table->count % table->columns == 0);
	for (size_t i = 0; i < table->columns; i++) {
		widths[i] = column_width(table, i);
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct cell *cell = &table->cells[i];
		size_t column = i % table->columns;
		bool last = column + 1 == table->columns;
		int pad = last ? 0 : (int)(widths[column] - cell->width) + 2;

		fprintf(f, "%s%*s%s", cell->text, pad, "", last ? "\n" : "");
	}
	sp_free(widths);
}

void sp_table_free(struct sp_table **table)
{
	if (*table) {
		for (size_t i = 0; i < (*table)->count; i++) {
			sp_free((*table)->cells[i].text);
		}
		sp_free((*table)->cells);
		SP_FREE(table);
	}
}

/* ---- for programs ---- */

void sp_csv_append(struct sp_buf *out, struct sp_str text)
{
	struct sp_buf safe;
	struct sp_str s;
	bool quotes;

	sp_buf_init(&safe, SP_TEXT_MAX);
	sp_text_append(&safe, text);
	s = sp_buf_str(&safe);
	quotes = sp_str_find(s, '"') < s.len || sp_str_find(s, ',') < s.len;
	if (quotes) {
		(void)sp_buf_append_char(out, '"');
	}
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"') {
			(void)sp_buf_append_char(out, '"');
		}
		(void)sp_buf_append_char(out, s.ptr[i]);
	}
	if (quotes) {
		(void)sp_buf_append_char(out, '"');
	}
	sp_buf_fini(&safe);
}

void sp_json_put(FILE *f, const struct sp_json *value)
{
	struct sp_buf text;
	int err;

	sp_buf_init(&text, SP_TEXT_MAX);
	err = sp_json_write(value, &text);
	SP_ASSERT(err == 0); /* far below the limit: it came in one line */
	(void)fwrite(sp_buf_str(&text).ptr, 1, sp_buf_len(&text), f);
	fputc('\n', f);
	sp_buf_fini(&text);
}

struct sp_str sp_text_time(struct sp_str rfc3339, char out[24])
{
	if (rfc3339.len < 20 || rfc3339.ptr[10] != 'T') {
		return rfc3339;
	}
	snprintf(out, 24, "%.10s %.8sZ", rfc3339.ptr, rfc3339.ptr + 11);
	return sp_str_from(out);
}

bool sp_text_terminal_moves(void)
{
	const char *term = getenv("TERM");

	return !term || strcmp(term, "dumb") != 0;
}
