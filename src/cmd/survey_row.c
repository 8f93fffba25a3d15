/* SPDX-License-Identifier: Apache-2.0 */
/* A row without a verdict has its domain and the error, and nothing else. */
#include <string.h>

#include "base/err.h"
#include "cmd/survey_row.h"
#include "cmd/text.h"
#include "wire/json.h"

enum kind {
	TEXT,
	YES_NO,
	NUMBER
};

struct column {
	const char *name;
	size_t offset;
	enum kind kind;
	bool always; /* in rows with an error too */
};

#define AT(member) offsetof(struct sp_survey_row, member)

static const struct column COLUMNS[] = {
	{"domain", AT(domain), TEXT, true},
	{"signed", AT(dnssec), YES_NO, false},
	{"mx", AT(mx), TEXT, false},
	{"hosts", AT(hosts), NUMBER, false},
	{"tlsa_hosts", AT(tlsa_hosts), NUMBER, false},
	{"sts", AT(sts), TEXT, false},
	{"verdict", AT(verdict), TEXT, false},
	{"code", AT(code), TEXT, false},
	{"scenario", AT(scenario), TEXT, false},
	{"security", AT(security), TEXT, false},
	{"shared", AT(shared), YES_NO, false},
	{"blocked", AT(blocked), YES_NO, false},
	{"rule", AT(rule), TEXT, false},
	{"host", AT(host), TEXT, false},
	{"address", AT(address), TEXT, false},
	{"elapsed_ms", AT(elapsed_ms), NUMBER, false},
	{"evidence", AT(evidence), TEXT, false},
	{"error", AT(error), TEXT, true},
};
#define COLUMN_COUNT (sizeof(COLUMNS) / sizeof(COLUMNS[0]))

static const void *field(const struct sp_survey_row *row,
                         const struct column *c)
{
	return (const char *)row + c->offset;
}

/* --- out --- */

static void set_json(struct sp_json *json, const struct sp_survey_row *row,
                     const struct column *c)
{
	const void *at = field(row, c);

	if (row->error.len && !c->always) {
		sp_json_set_null(json, c->name);
	} else if (c->kind == YES_NO) {
		sp_json_set_bool(json, c->name, *(const bool *)at);
	} else if (c->kind == NUMBER) {
		sp_json_set_int(json, c->name, *(const int64_t *)at);
	} else {
		sp_json_set_text(json, c->name, *(const struct sp_str *)at);
	}
}

static void append_csv(struct sp_buf *out, const struct sp_survey_row *row,
                       const struct column *c)
{
	const void *at = field(row, c);

	if (row->error.len && !c->always) {
		return;
	}
	if (c->kind == YES_NO) {
		(void)sp_buf_append_cstr(out,
		                         *(const bool *)at ? "true" : "false");
	} else if (c->kind == NUMBER) {
		(void)sp_buf_printf(out, "%lld",
		                    (long long)*(const int64_t *)at);
	} else {
		sp_csv_append(out, *(const struct sp_str *)at);
	}
}

static void write_csv(const struct sp_survey_row *row, struct sp_buf *out)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (i > 0) {
			(void)sp_buf_append_char(out, ',');
		}
		append_csv(out, row, &COLUMNS[i]);
	}
}

static void write_json(const struct sp_survey_row *row, struct sp_buf *out)
{
	struct sp_json *json = sp_json_object();

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		set_json(json, row, &COLUMNS[i]);
	}
	(void)sp_json_write(json, out);
	sp_json_free(&json);
}

void sp_survey_row_write(const struct sp_survey_row *row, bool csv,
                         struct sp_buf *out)
{
	if (csv) {
		write_csv(row, out);
	} else {
		write_json(row, out);
	}
	(void)sp_buf_append_char(out, '\n');
}

void sp_survey_row_titles(struct sp_buf *out)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		(void)sp_buf_printf(out, "%s%s", i ? "," : "", COLUMNS[i].name);
	}
	(void)sp_buf_append_char(out, '\n');
}

/* --- in --- */

static int set_text(struct sp_survey_row *row, const struct column *c,
                    struct sp_str text)
{
	void *at = (char *)row + c->offset;
	bool yes = sp_str_eq(text, SP_STR("true"));
	uint64_t number = 0;

	if (c->kind == TEXT) {
		*(struct sp_str *)at = text;
		return 0;
	}
	if (!text.len) {
		return 0; /* of a row with an error */
	}
	if (c->kind == YES_NO) {
		*(bool *)at = yes;
		return yes || sp_str_eq(text, SP_STR("false")) ? 0 : SP_ESYNTAX;
	}
	if (sp_str_u64(text, INT64_MAX, &number)) {
		return SP_ESYNTAX;
	}
	*(int64_t *)at = (int64_t)number;
	return 0;
}

/* A field of RFC 4180 from the front of rest, in the arena; its comma is
 * taken too. */
static int take_field(struct sp_str *rest, struct sp_arena *arena,
                      struct sp_str *field_out)
{
	char *to = sp_arena_alloc(arena, rest->len + 1);
	bool quoted = rest->len && rest->ptr[0] == '"';
	size_t i = quoted;
	size_t n = 0;

	for (; i < rest->len; i++) {
		char c = rest->ptr[i];

		if (c == '"') {
			bool twice = quoted && i + 1 < rest->len &&
			             rest->ptr[i + 1] == '"';

			if (!twice) {
				break;
			}
			i++;
		} else if (c == ',' && !quoted) {
			break;
		}
		to[n++] = c;
	}
	*field_out = sp_str_slice(to, n);
	if (quoted != (i < rest->len && rest->ptr[i] == '"')) {
		return SP_ESYNTAX;
	}
	*rest = sp_str_sub(*rest, i + quoted, rest->len);
	return 0;
}

static int read_csv(struct sp_str rest, struct sp_arena *arena,
                    struct sp_survey_row *row)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		struct sp_str text;
		int err = take_field(&rest, arena, &text);

		err = err ? err : set_text(row, &COLUMNS[i], text);
		if (err) {
			return err;
		}
		if (i + 1 < COLUMN_COUNT) {
			if (!rest.len || rest.ptr[0] != ',') {
				return SP_ESYNTAX;
			}
			rest = sp_str_sub(rest, 1, rest.len);
		}
	}
	return rest.len ? SP_ESYNTAX : 0;
}

static void get_json(const struct sp_json *json, const struct column *c,
                     struct sp_arena *arena, struct sp_survey_row *row)
{
	void *at = (char *)row + c->offset;

	if (c->kind == TEXT) {
		*(struct sp_str *)at =
			sp_arena_str(arena, sp_json_get_str(json, c->name));
	} else if (c->kind == YES_NO) {
		*(bool *)at = sp_json_get_bool(json, c->name);
	} else {
		*(int64_t *)at = sp_json_get_int(json, c->name, 0);
	}
}

static int read_json(struct sp_str line, struct sp_arena *arena,
                     struct sp_survey_row *row)
{
	static const struct sp_json_limits LIMITS = {
		.bytes_max = SP_SURVEY_LINE_MAX,
		.depth_max = 2,
		.values_max = 2 * COLUMN_COUNT + 2,
	};
	struct sp_json *json = NULL;

	if (sp_json_parse(line, &LIMITS, &json, NULL, 0)) {
		return SP_ESYNTAX;
	}
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		get_json(json, &COLUMNS[i], arena, row);
	}
	sp_json_free(&json);
	return 0;
}

int sp_survey_row_read(struct sp_str line, bool csv, struct sp_arena *arena,
                       struct sp_survey_row *row_out)
{
	int err;

	memset(row_out, 0, sizeof(*row_out));
	err = csv ? read_csv(line, arena, row_out)
	          : read_json(line, arena, row_out);
	if (err) {
		return err;
	}
	return row_out->domain.len &&
	                       (row_out->verdict.len || row_out->error.len)
	               ? 0
	               : SP_ESYNTAX;
}
