/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar is taken at its word, for the reason that wire/mta_sts.c gives:
 * each field stands between two semicolons, and only behind the last one
 * there may be nothing.
 */
#include <stdio.h>

#include "base/ascii.h"
#include "base/err.h"
#include "base/log.h"
#include "wire/txt_field.h"

#define NAME_LEN_MAX 32

static const struct sp_str NOTHING = {NULL, 0};

int sp_txt_refuse(char *why_out, const char *what, struct sp_str text)
{
	char shown[80] = "";

	if (!why_out) {
		return SP_EPROTO;
	}
	if (text.len) {
		sp_log_escape(text, shown, sizeof(shown));
	}
	(void)snprintf(why_out, SP_TXT_FIELD_WHY_MAX, "%s%s%s", what,
	               text.len ? ": " : "", shown);
	return SP_EPROTO;
}

bool sp_txt_is_name(struct sp_str s)
{
	if (s.len == 0 || s.len > NAME_LEN_MAX ||
	    !sp_ascii_is_alnum(s.ptr[0])) {
		return false;
	}
	for (size_t i = 1; i < s.len; i++) {
		char c = s.ptr[i];

		if (!sp_ascii_is_alnum(c) && c != '_' && c != '-' && c != '.') {
			return false;
		}
	}
	return true;
}

bool sp_txt_is_value(struct sp_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!sp_ascii_is_graph(c) || c == '=' || c == ';') {
			return false;
		}
	}
	return s.len > 0;
}

int sp_txt_fields_begin(const struct sp_str *records, size_t count,
                        const char *mark, struct sp_txt_fields *fields_out,
                        char *why_out)
{
	struct sp_str begin = sp_str_from(mark);
	char what[80];
	size_t found = 0;

	*fields_out = (struct sp_txt_fields){.rest = NOTHING};
	for (size_t i = 0; i < count; i++) {
		if (sp_str_eq(sp_str_sub(records[i], 0, begin.len), begin)) {
			found++;
			fields_out->rest = sp_str_sub(records[i], begin.len,
			                              records[i].len);
		}
	}
	if (found == 1) {
		return 0;
	}
	(void)snprintf(what, sizeof(what),
	               found ? "several records begin \"%s\""
	                     : "no record begins \"%s\"",
	               mark);
	(void)sp_txt_refuse(why_out, what, NOTHING);
	return found ? SP_EPROTO : SP_ENOTFOUND;
}

int sp_txt_fields_next(struct sp_txt_fields *fields,
                       struct sp_txt_field *field_out, char *why_out)
{
	struct sp_str field;

	if (fields->ended) {
		return 0;
	}
	fields->ended = sp_str_find(fields->rest, ';') == fields->rest.len;
	(void)sp_str_cut(&fields->rest, ';', &field);
	field = sp_str_trim(field);
	if (fields->ended && !field.len) {
		return 0;
	}
	*field_out = (struct sp_txt_field){.whole = field, .value = field};
	(void)sp_str_cut(&field_out->value, '=', &field_out->name);
	if (!sp_txt_is_name(field_out->name) || !field_out->value.len) {
		return sp_txt_refuse(why_out, "not a field", field);
	}
	return 1;
}
