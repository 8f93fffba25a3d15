/* SPDX-License-Identifier: Apache-2.0 */
/* One row per key of a filter: its name, its kind, its place. */
#include <stdio.h>

#include "base/err.h"
#include "base/time.h"
#include "role/filter.h"

enum kind {
	TEXT,
	TIME,
	SIZE,
	LIMIT,
	FLAG
};

#define AT(member) offsetof(struct sp_store_filter, member)

static const struct row {
	const char *name;
	enum kind kind;
	size_t offset;
} ROWS[] = {
	{"id", TEXT, AT(id)},
	{"message_id", TEXT, AT(message_id)},
	{"sender", TEXT, AT(sender)},
	{"recipient", TEXT, AT(recipient)},
	{"domain", TEXT, AT(domain)},
	{"code", TEXT, AT(code)},
	{"scenario", TEXT, AT(cause)},
	{"from", TIME, AT(from_ms)},
	{"to", TIME, AT(to_ms)},
	{"size_min", SIZE, AT(size_min)},
	{"size_max", SIZE, AT(size_max)},
	{"limit", LIMIT, AT(limit)},
	{"held", FLAG, AT(held)},
};

static int read_row(const struct row *row, const struct sp_json *value,
                    struct sp_store_filter *out)
{
	void *at = (char *)out + row->offset;
	struct sp_str text = sp_json_str(value);
	int64_t number = sp_json_int(value, -1);

	if (row->kind == TEXT && text.len) {
		*(struct sp_str *)at = text;
	} else if (row->kind == TIME && text.len) {
		return sp_time_parse(text, (int64_t *)at);
	} else if (row->kind == SIZE && number >= 0) {
		*(uint64_t *)at = (uint64_t)number;
	} else if (row->kind == LIMIT && number >= 0) {
		*(size_t *)at = (size_t)number;
	} else {
		return SP_ESYNTAX;
	}
	return 0;
}

static int read_status(const struct sp_json *value, struct sp_store_filter *out)
{
	size_t count = sp_json_is_array(value) ? sp_json_len(value) : 1;

	for (size_t i = 0; i < count; i++) {
		enum sp_store_status status;
		const struct sp_json *one =
			sp_json_is_array(value) ? sp_json_at(value, i) : value;

		if (sp_store_status_find(sp_json_str(one), &status)) {
			return SP_ESYNTAX;
		}
		out->statuses |= (unsigned)status;
	}
	return 0;
}

int sp_filter_read(const struct sp_json *json, struct sp_store_filter *out,
                   char *why_out, size_t why_cap)
{
	*out = (struct sp_store_filter){0};
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		const struct sp_json *value = sp_json_get(json, ROWS[i].name);
		int r = 0;

		if (sp_json_is_null(value)) {
			continue;
		}
		if (ROWS[i].kind == FLAG) {
			out->held = sp_json_get_bool(json, ROWS[i].name);
		} else {
			r = read_row(&ROWS[i], value, out);
		}
		if (r) {
			snprintf(why_out, why_cap, "%s: not understood",
			         ROWS[i].name);
			return SP_ESYNTAX;
		}
	}
	if (!sp_json_is_null(sp_json_get(json, "status")) &&
	    read_status(sp_json_get(json, "status"), out)) {
		snprintf(why_out, why_cap,
		         "status: expected pending, delivered, failed or "
		         "expanded");
		return SP_ESYNTAX;
	}
	return 0;
}
