/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/ascii.h"
#include "base/err.h"
#include "cmd/txt.h"

#define STRING_MAX 255 /* RFC 1035 3.3 */

struct line {
	struct sp_str rest;
	size_t number;
	char *why;
};

static int refuse(const struct line *l, const char *what)
{
	(void)snprintf(l->why, SP_TXT_WHY_MAX, "line %zu: %s", l->number, what);
	return SP_ESYNTAX;
}

/* Behind a backslash: three digits are a byte, anything else itself. */
static int read_escape(struct line *l, char *byte_out)
{
	unsigned number = 0;

	if (l->rest.len == 0) {
		return refuse(l, "a backslash at the end");
	}
	*byte_out = l->rest.ptr[0];
	if (!sp_ascii_is_digit(*byte_out)) {
		l->rest = sp_str_sub(l->rest, 1, l->rest.len);
		return 0;
	}
	for (size_t i = 0; i < 3; i++) {
		if (i >= l->rest.len || !sp_ascii_is_digit(l->rest.ptr[i])) {
			return refuse(l, "a backslash and not three digits");
		}
		number = 10 * number + (unsigned)(l->rest.ptr[i] - '0');
	}
	if (number > 255) {
		return refuse(l, "a byte above 255");
	}
	*byte_out = (char)number;
	l->rest = sp_str_sub(l->rest, 3, l->rest.len);
	return 0;
}

/* Behind the opening quote; what it holds goes behind len bytes of out. */
static int read_string(struct line *l, char *out, size_t *len)
{
	size_t before = *len;
	int err = 0;

	while (!err && l->rest.len) {
		char c = l->rest.ptr[0];

		l->rest = sp_str_sub(l->rest, 1, l->rest.len);
		if (c == '"') {
			return *len - before > STRING_MAX
			               ? refuse(l, "a string of more than 255 "
			                           "bytes")
			               : 0;
		}
		if (c == '\\') {
			err = read_escape(l, &c);
		}
		out[(*len)++] = c;
	}
	return err ? err : refuse(l, "a quote without its end");
}

/* What may stand between the strings. */
static void skip_blanks(struct line *l)
{
	while (l->rest.len &&
	       (sp_ascii_is_blank(l->rest.ptr[0]) || l->rest.ptr[0] == '(' ||
	        l->rest.ptr[0] == ')')) {
		l->rest = sp_str_sub(l->rest, 1, l->rest.len);
	}
}

static int read_quoted(struct line *l, struct sp_arena *arena,
                       struct sp_str *record_out)
{
	char *out = sp_arena_alloc(arena, l->rest.len + 1);
	size_t len = 0;
	int err = 0;

	l->rest = sp_str_sub(l->rest, sp_str_find(l->rest, '"'), l->rest.len);
	while (!err && l->rest.len && l->rest.ptr[0] == '"') {
		l->rest = sp_str_sub(l->rest, 1, l->rest.len);
		err = read_string(l, out, &len);
		skip_blanks(l);
	}
	if (!err && l->rest.len && l->rest.ptr[0] != ';') {
		err = refuse(l, "text outside the quotes");
	}
	*record_out = sp_str_slice(out, len);
	return err;
}

/* Owner, TTL and class are anybody's; the type has to be TXT. */
static bool is_before(struct sp_str text)
{
	struct sp_str last = {NULL, 0};
	struct sp_str word;

	while (sp_str_cut(&text, ' ', &word)) {
		word = sp_str_trim(word);
		if (word.len && !sp_str_eq(word, SP_STR("("))) {
			last = word;
		}
	}
	return last.len == 0 || sp_str_ends_nocase(last, SP_STR("TXT"));
}

static int read_line(struct line *l, struct sp_arena *arena,
                     struct sp_str *record_out)
{
	size_t quote = sp_str_find(l->rest, '"');

	if (quote == l->rest.len) {
		*record_out = l->rest;
		return 0;
	}
	return is_before(sp_str_sub(l->rest, 0, quote))
	               ? read_quoted(l, arena, record_out)
	               : refuse(l, "text outside the quotes");
}

int sp_txt_read(struct sp_str text, struct sp_arena *arena,
                struct sp_str records_out[SP_TXT_RECORDS_MAX],
                size_t *count_out, char *why_out)
{
	struct line l = {.why = why_out};
	struct sp_str raw;
	int err = 0;

	*count_out = 0;
	while (!err && sp_str_cut(&text, '\n', &raw)) {
		if (raw.len && raw.ptr[raw.len - 1] == '\r') {
			raw.len--;
		}
		l.rest = sp_str_trim(raw);
		l.number++;
		if (l.rest.len == 0 || l.rest.ptr[0] == ';') {
			continue;
		}
		if (*count_out == SP_TXT_RECORDS_MAX) {
			return refuse(&l, "more than 64 records");
		}
		err = read_line(&l, arena, &records_out[*count_out]);
		*count_out += !err;
	}
	return err;
}
