/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar is taken at its word (RFC 8461 3.1, 3.2): a text with a byte
 * order mark, a blank line, a U-label or a bare CR is no policy. Two readers
 * that are lenient in different ways would see two policies in one text, and
 * an operator learns of a mistake only if somebody refuses it.
 *
 * What the grammar lets pass is ignored where it is not known: further
 * fields, and every repetition of a field that stands once.
 */
#include "base/ascii.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/mta_sts.h"
#include "wire/txt_field.h"
#include "wire/utf8.h"

#define AGE_DIGITS_MAX 10
#define VERSION_MARK   "v=STSv1;"

const char *sp_sts_mode_text(enum sp_sts_mode mode)
{
	static const char *const texts[] = {
		[SP_STS_NONE] = "none",
		[SP_STS_TESTING] = "testing",
		[SP_STS_ENFORCE] = "enforce",
	};

	return texts[mode];
}

static const struct sp_str NOTHING = {NULL, 0};

/* ---- the policy file ---- */

struct reading {
	struct sp_sts_policy *policy;
	struct sp_arena *arena;
	char *why;
	bool version_seen;
	bool mode_seen;
	bool age_seen;
};

/* A value: printable, UTF-8, not empty; blanks at its ends are cut off. */
static bool is_value(struct sp_str s)
{
	return s.len > 0 && !sp_str_any(s, sp_ascii_is_control) &&
	       sp_utf8_valid(s);
}

static int read_version(struct reading *r, struct sp_str value)
{
	if (r->version_seen) {
		return 0;
	}
	r->version_seen = true;
	return sp_str_eq(value, SP_STR("STSv1"))
	               ? 0
	               : sp_txt_refuse(r->why, "version is not STSv1", value);
}

static int read_mode(struct reading *r, struct sp_str value)
{
	static const enum sp_sts_mode modes[] = {SP_STS_NONE, SP_STS_TESTING,
	                                         SP_STS_ENFORCE};

	if (r->mode_seen) {
		return 0;
	}
	r->mode_seen = true;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		const char *text = sp_sts_mode_text(modes[i]);

		if (sp_str_eq(value, sp_str_from(text))) {
			r->policy->mode = modes[i];
			return 0;
		}
	}
	return sp_txt_refuse(r->why, "mode is not enforce, testing or none",
	                     value);
}

static int read_max_age(struct reading *r, struct sp_str value)
{
	uint64_t age_s = 0;

	if (r->age_seen) {
		return 0;
	}
	r->age_seen = true;
	if (value.len > AGE_DIGITS_MAX ||
	    sp_str_u64(value, SP_STS_MAX_AGE_MAX, &age_s) != 0) {
		return sp_txt_refuse(
			r->why, "max_age is not a number from 0 to 31557600",
			value);
	}
	r->policy->max_age_s = (uint32_t)age_s;
	return 0;
}

static int read_mx(struct reading *r, struct sp_str value)
{
	struct sp_sts_policy *p = r->policy;
	bool wild = sp_str_starts_nocase(value, SP_STR("*."));
	struct sp_str name = sp_str_sub(value, wild ? 2 : 0, value.len);

	if (!sp_str_is_ascii(value)) {
		return sp_txt_refuse(r->why, "mx is not in A-labels", value);
	}
	if (sp_domain_is_literal(name) ||
	    sp_domain_to_ascii(name, r->arena, &name) != 0 ||
	    name.len > SP_ADDRESS_DOMAIN_MAX - 2) {
		return sp_txt_refuse(r->why,
		                     "mx is not a host name or \"*.\" and one",
		                     value);
	}
	if (p->mx_count == SP_STS_MX_MAX) {
		return sp_txt_refuse(r->why, "more than 1000 mx", NOTHING);
	}
	if (wild) {
		name = sp_str_from(sp_arena_printf(r->arena, "*." SP_STR_FMT,
		                                   SP_STR_ARG(name)));
	}
	p->mx[p->mx_count++] = name;
	return 0;
}

static const struct field {
	const char *name;
	int (*read)(struct reading *r, struct sp_str value);
} FIELDS[] = {
	{"version", read_version},
	{"mode", read_mode},
	{"max_age", read_max_age},
	{"mx", read_mx},
};

static int read_line(struct reading *r, struct sp_str line)
{
	struct sp_str name;
	struct sp_str value = line;

	if (line.len == 0) {
		return sp_txt_refuse(r->why, "a blank line", NOTHING);
	}
	if (sp_str_find(line, ':') == line.len) {
		return sp_txt_refuse(r->why, "a line without \":\"", line);
	}
	(void)sp_str_cut(&value, ':', &name);
	if (!sp_txt_is_name(name)) {
		return sp_txt_refuse(r->why, "not the name of a field", name);
	}
	value = sp_str_trim(value);
	if (!is_value(value)) {
		return sp_txt_refuse(r->why, "not a value", line);
	}
	for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
		if (sp_str_eq(name, sp_str_from(FIELDS[i].name))) {
			return FIELDS[i].read(r, value);
		}
	}
	return 0;
}

/* The next line without its LF or CRLF. */
static bool next_line(struct sp_str *rest, struct sp_str *line_out)
{
	bool ended = sp_str_find(*rest, '\n') < rest->len;
	struct sp_str *line = line_out;

	if (!sp_str_cut(rest, '\n', line)) {
		return false;
	}
	if (ended && line->len && line->ptr[line->len - 1] == '\r') {
		line->len--;
	}
	return true;
}

static int check_complete(const struct reading *r)
{
	if (!r->version_seen) {
		return sp_txt_refuse(r->why, "no version", NOTHING);
	}
	if (!r->mode_seen) {
		return sp_txt_refuse(r->why, "no mode", NOTHING);
	}
	if (!r->age_seen) {
		return sp_txt_refuse(r->why, "no max_age", NOTHING);
	}
	if (r->policy->mode != SP_STS_NONE && !r->policy->mx_count) {
		return sp_txt_refuse(r->why, "no mx", NOTHING);
	}
	return 0;
}

/* Room for the patterns: no more than there are lines, or than are legal. */
static size_t count_lines(struct sp_str body)
{
	size_t count = 1;

	for (size_t i = 0; i < body.len; i++) {
		count += body.ptr[i] == '\n';
	}
	return count < SP_STS_MX_MAX ? count : SP_STS_MX_MAX;
}

int sp_sts_policy_parse(struct sp_str body, struct sp_arena *arena,
                        struct sp_sts_policy *policy_out, char *why_out)
{
	struct reading r = {
		.policy = policy_out, .arena = arena, .why = why_out};
	struct sp_str line;
	int err = 0;

	*policy_out = (struct sp_sts_policy){.mode = SP_STS_NONE};
	if (body.len == 0) {
		return sp_txt_refuse(why_out, "empty", NOTHING);
	}
	if (body.len > SP_STS_BODY_MAX) {
		return sp_txt_refuse(why_out, "longer than 64 KiB", NOTHING);
	}
	policy_out->mx = sp_arena_array(arena, count_lines(body),
	                                sizeof(*policy_out->mx));
	while (!err && next_line(&body, &line)) {
		err = read_line(&r, line);
	}
	return err ? err : check_complete(&r);
}

/* ---- which hosts ---- */

static struct sp_str without_dot(struct sp_str name)
{
	bool dot = name.len && name.ptr[name.len - 1] == '.';

	return sp_str_sub(name, 0, name.len - dot);
}

static bool pattern_covers(struct sp_str pattern, struct sp_str host)
{
	size_t label;

	if (!sp_str_starts_nocase(pattern, SP_STR("*."))) {
		return sp_str_eq_nocase(pattern, host);
	}
	label = sp_str_find(host, '.');
	return label > 0 &&
	       sp_str_eq_nocase(sp_str_sub(pattern, 1, pattern.len),
	                        sp_str_sub(host, label, host.len));
}

bool sp_sts_policy_covers(const struct sp_sts_policy *policy,
                          struct sp_str host)
{
	host = without_dot(host);
	for (size_t i = 0; i < policy->mx_count; i++) {
		if (pattern_covers(policy->mx[i], host)) {
			return true;
		}
	}
	return false;
}

/* ---- the TXT record ---- */

static bool is_id(struct sp_str s)
{
	return s.len > 0 && s.len <= SP_STS_ID_MAX &&
	       sp_str_all(s, sp_ascii_is_alnum);
}

static int read_txt_field(const struct sp_txt_field *field,
                          struct sp_str *id_out, char *why_out)
{
	if (!sp_txt_is_value(field->value)) {
		return sp_txt_refuse(why_out, "not a field", field->whole);
	}
	if (!sp_str_eq(field->name, SP_STR("id")) || id_out->len) {
		return 0;
	}
	if (!is_id(field->value)) {
		return sp_txt_refuse(why_out,
		                     "id is not 1 to 32 letters and digits",
		                     field->value);
	}
	*id_out = field->value;
	return 0;
}

int sp_sts_txt_parse(const struct sp_str *records, size_t count,
                     struct sp_str *id_out, char *why_out)
{
	struct sp_txt_fields fields;
	struct sp_txt_field field;
	int err;

	*id_out = NOTHING;
	err = sp_txt_fields_begin(records, count, VERSION_MARK, &fields,
	                          why_out);
	if (err) {
		return err;
	}
	while ((err = sp_txt_fields_next(&fields, &field, why_out)) > 0) {
		err = read_txt_field(&field, id_out, why_out);
		if (err) {
			return err;
		}
	}
	if (!err && !id_out->len) {
		err = sp_txt_refuse(why_out, "no id", NOTHING);
	}
	return err;
}
