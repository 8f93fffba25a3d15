/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers cross from the resolver, the role that strangers' packets reach
 * first, to roles that decide by them. So the reader believes nothing: after
 * the sizes (wire/pack) it checks that the answer agrees with itself. What
 * it lets through can still be a lie, but it can't be a form that policy has
 * no row for. The writer asks the same question, so that a mistake of the
 * resolver shows on the resolver's side.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/err.h"
#include "base/log.h"
#include "wire/dns.h"
#include "wire/pack.h"

#define LABEL_MAX    63
#define SCENARIO_MAX 64
#define RCODE_MAX    15

const char *sp_dnssec_text(enum sp_dnssec state)
{
	static const char *const texts[] = {
#define SP_X(name, text) [SP_DNSSEC_##name] = (text),
		SP_DNSSEC_STATES(SP_X)
#undef SP_X
	};

	return texts[state];
}

const char *sp_dns_result_text(enum sp_dns_result result)
{
	static const char *const texts[] = {
#define SP_X(name, text) [SP_DNS_##name] = (text),
		SP_DNS_ANSWERS(SP_X)
#undef SP_X
	};

	return texts[result];
}

/* Names */

/* Whether the name ends in a dot that is no part of a label ("a\." has none,
 * "a\\." has one). The root keeps its dot. */
static bool has_final_dot(struct sp_str name)
{
	size_t escapes = 0;

	if (name.len < 2 || name.ptr[name.len - 1] != '.') {
		return false;
	}
	while (escapes < name.len - 1 &&
	       name.ptr[name.len - 2 - escapes] == '\\') {
		escapes++;
	}
	return escapes % 2 == 0;
}

struct sp_str sp_dns_name_canonical(struct sp_str name, struct sp_arena *arena)
{
	char *copy;

	if (has_final_dot(name)) {
		name.len--;
	}
	copy = sp_arena_cstr(arena, name);
	for (size_t i = 0; i < name.len; i++) {
		copy[i] = sp_ascii_lower(copy[i]);
	}
	return sp_str_slice(copy, name.len);
}

/* Length of the escape at the start of s ("\." or "\009"); 0: none legal.
 * What needs no escape must have none: names are compared as text. */
static size_t escape_len(struct sp_str s)
{
	unsigned value = 0;

	if (s.len < 2) {
		return 0;
	}
	if (!sp_ascii_is_digit(s.ptr[1])) {
		return sp_ascii_is_graph(s.ptr[1]) &&
		                       !sp_ascii_is_letter(s.ptr[1])
		               ? 2
		               : 0;
	}
	if (s.len < 4) {
		return 0;
	}
	for (size_t i = 1; i < 4; i++) {
		if (!sp_ascii_is_digit(s.ptr[i])) {
			return 0;
		}
		value = value * 10 + (unsigned)(s.ptr[i] - '0');
	}
	return value <= 255 && !sp_ascii_is_graph((char)value) ? 4 : 0;
}

/* Characters of text that make the next octet of a name; 0: not legal. */
static size_t octet_len(struct sp_str s)
{
	char c = s.ptr[0];

	if (c == '\\') {
		return escape_len(s);
	}
	return sp_ascii_is_graph(c) && !sp_ascii_is_upper(c) ? 1 : 0;
}

bool sp_dns_name_valid(struct sp_str name)
{
	size_t label = 0;
	size_t octets = 1; /* the root's, and a length octet for each label */

	if (name.len == 0 || name.len > SP_DNS_NAME_MAX) {
		return false;
	}
	if (sp_str_eq(name, SP_STR("."))) {
		return true;
	}
	while (name.len > 0) {
		size_t len = 1;

		if (name.ptr[0] == '.') {
			if (label == 0) {
				return false;
			}
			label = 0;
		} else {
			len = octet_len(name);
			if (len == 0 || ++label > LABEL_MAX) {
				return false;
			}
			octets += label == 1 ? 2 : 1;
		}
		name = sp_str_sub(name, len, name.len);
	}
	return label > 0 && octets <= SP_DNS_NAME_MAX;
}

/* Lifecycle */

struct sp_dns_answer *sp_dns_answer_new(struct sp_str name,
                                        enum sp_dns_type type)
{
	struct sp_dns_answer *a = SP_NEW(struct sp_dns_answer);

	sp_arena_init(&a->arena);
	a->name = sp_dns_name_canonical(name, &a->arena);
	a->canonical = a->name;
	a->type = type;
	a->dnssec = SP_DNSSEC_FAILED;
	a->result = SP_DNS_NONE;
	a->ede = SP_DNS_EDE_NONE;
	return a;
}

void sp_dns_answer_free(struct sp_dns_answer **answer)
{
	if (!*answer) {
		return;
	}
	sp_arena_fini(&(*answer)->arena);
	SP_FREE(answer);
}

void sp_dns_answer_set_why(struct sp_dns_answer *answer, struct sp_str text)
{
	char line[SP_DNS_WHY_MAX + 1];

	sp_log_escape(text, line, sizeof(line));
	answer->why = sp_arena_str(&answer->arena, sp_str_from(line));
}

/* What an answer of each kind must look like */

static bool str_none(struct sp_str s)
{
	return s.len == 0;
}

static bool tlsa_none(const struct sp_tlsa *t)
{
	return !t->usage && !t->selector && !t->matching && str_none(t->data);
}

static bool address_none_from(const struct sp_dns_record *r, size_t from)
{
	for (size_t i = from; i < sizeof(r->address); i++) {
		if (r->address[i]) {
			return false;
		}
	}
	return true;
}

/* One row per type: which members it fills, and the fixed part of its RDATA
 * where that is carried whole. */
static const struct type_form {
	size_t address_len;
	size_t data_min;
	enum sp_dns_type type;
	bool preference;
	bool name;
	bool tlsa;
	bool data;
} type_forms[] = {
	{.type = SP_DNS_TYPE_A, .address_len = 4},
	{.type = SP_DNS_TYPE_AAAA, .address_len = 16},
	{.type = SP_DNS_TYPE_NS, .name = true},
	{.type = SP_DNS_TYPE_CNAME, .name = true},
	{.type = SP_DNS_TYPE_DNAME, .name = true},
	{.type = SP_DNS_TYPE_MX, .preference = true, .name = true},
	{.type = SP_DNS_TYPE_TXT, .data = true},
	{.type = SP_DNS_TYPE_DS, .data = true, .data_min = 4},
	{.type = SP_DNS_TYPE_DNSKEY, .data = true, .data_min = 4},
	{.type = SP_DNS_TYPE_SOA, .data = true, .data_min = 22},
	{.type = SP_DNS_TYPE_TLSA, .tlsa = true},
};

static const struct type_form *form_of(enum sp_dns_type type)
{
	for (size_t i = 0; i < sizeof(type_forms) / sizeof(*type_forms); i++) {
		if (type_forms[i].type == type) {
			return &type_forms[i];
		}
	}
	return NULL;
}

static bool record_fits(const struct sp_dns_record *r,
                        const struct type_form *form)
{
	if (r->preference && !form->preference) {
		return false;
	}
	if (form->name ? !sp_dns_name_valid(r->name) : !str_none(r->name)) {
		return false;
	}
	if (!address_none_from(r, form->address_len)) {
		return false;
	}
	if (!form->tlsa && !tlsa_none(&r->tlsa)) {
		return false;
	}
	return form->data ? r->data.len >= form->data_min : str_none(r->data);
}

/* Result, rcode and number of records follow from each other. */
static bool verdict_fits(const struct sp_dns_answer *a)
{
	bool silent =
		a->dnssec == SP_DNSSEC_BOGUS || a->dnssec == SP_DNSSEC_FAILED;

	if (silent != (a->result == SP_DNS_NONE)) {
		return false;
	}
	if ((a->result == SP_DNS_RECORDS) != (a->record_count > 0)) {
		return false;
	}
	if (a->rcode > RCODE_MAX) {
		return false;
	}
	if (silent) {
		return true;
	}
	return a->rcode == (a->result == SP_DNS_NXDOMAIN ? 3 : 0);
}

/* Whether name ends in a dot, not part of a label, and then parent. */
static bool is_below(struct sp_str name, struct sp_str parent)
{
	return name.len > parent.len + 1 && sp_str_ends_nocase(name, parent) &&
	       has_final_dot(sp_str_sub(name, 0, name.len - parent.len));
}

static bool dname_fits(const struct sp_dns_alias *alias)
{
	return str_none(alias->dname) || (sp_dns_name_valid(alias->dname) &&
	                                  is_below(alias->owner, alias->dname));
}

static bool aliases_fit(const struct sp_dns_answer *a)
{
	struct sp_str at = a->name;

	for (size_t i = 0; i < a->alias_count; i++) {
		const struct sp_dns_alias *alias = &a->aliases[i];

		if (!sp_str_eq(alias->owner, at) ||
		    !sp_dns_name_valid(alias->target) || !dname_fits(alias)) {
			return false;
		}
		if (a->dnssec == SP_DNSSEC_SECURE &&
		    alias->dnssec != SP_DNSSEC_SECURE) {
			return false;
		}
		at = alias->target;
	}
	return sp_dns_name_valid(a->canonical) &&
	       (a->cut || sp_str_eq(a->canonical, at));
}

static bool texts_fit(const struct sp_dns_answer *a)
{
	if (!sp_str_all(a->why, sp_ascii_is_print)) {
		return false;
	}
	for (size_t i = 0; i < a->scenario.len; i++) {
		char c = a->scenario.ptr[i];

		if (!sp_ascii_is_digit(c) && c != '-' &&
		    !(c >= 'a' && c <= 'z')) {
			return false;
		}
	}
	return true;
}

int sp_dns_answer_check(const struct sp_dns_answer *a)
{
	const struct type_form *form = form_of(a->type);

	if (!form || !sp_dns_name_valid(a->name) || !verdict_fits(a) ||
	    !texts_fit(a) || !aliases_fit(a)) {
		return SP_ESYNTAX;
	}
	for (size_t i = 0; i < a->record_count; i++) {
		if (!record_fits(&a->records[i], form)) {
			return SP_ESYNTAX;
		}
	}
	return 0;
}

/* Bytes */

#define STR(type_, member, limit) SP_PACK_LIM(STR, type_, member, limit)

static const struct sp_pack_field tlsa_fields[] = {
	SP_PACK(U8, struct sp_tlsa, usage),
	SP_PACK(U8, struct sp_tlsa, selector),
	SP_PACK(U8, struct sp_tlsa, matching),
	STR(struct sp_tlsa, data, SP_DNS_DATA_MAX),
	SP_PACK_END,
};

static const struct sp_pack_field record_fields[] = {
	SP_PACK(U16, struct sp_dns_record, preference),
	STR(struct sp_dns_record, name, SP_DNS_NAME_MAX),
	SP_PACK_LIM(BYTES, struct sp_dns_record, address, 16),
	SP_PACK_SUB(struct sp_dns_record, tlsa, tlsa_fields),
	STR(struct sp_dns_record, data, SP_DNS_DATA_MAX),
	SP_PACK_END,
};

static const struct sp_pack_field alias_fields[] = {
	STR(struct sp_dns_alias, owner, SP_DNS_NAME_MAX),
	STR(struct sp_dns_alias, target, SP_DNS_NAME_MAX),
	SP_PACK_LIM(ENUM, struct sp_dns_alias, dnssec, SP_DNSSEC_FAILED),
	STR(struct sp_dns_alias, dname, SP_DNS_NAME_MAX),
	SP_PACK_END,
};

static const struct sp_pack_field answer_fields[] = {
	STR(struct sp_dns_answer, name, SP_DNS_NAME_MAX),
	SP_PACK_LIM(ENUM, struct sp_dns_answer, type, SP_DNS_TYPE_TLSA),
	SP_PACK_LIM(ENUM, struct sp_dns_answer, dnssec, SP_DNSSEC_FAILED),
	SP_PACK_LIM(ENUM, struct sp_dns_answer, result, SP_DNS_NXDOMAIN),
	SP_PACK(U8, struct sp_dns_answer, rcode),
	SP_PACK(U16, struct sp_dns_answer, ede),
	STR(struct sp_dns_answer, why, SP_DNS_WHY_MAX),
	STR(struct sp_dns_answer, scenario, SCENARIO_MAX),
	SP_PACK(U32, struct sp_dns_answer, ttl_s),
	SP_PACK(BOOL, struct sp_dns_answer, cut),
	SP_PACK_ARR(struct sp_dns_answer, aliases, alias_count, alias_fields,
                    SP_DNS_ALIASES_MAX),
	STR(struct sp_dns_answer, canonical, SP_DNS_NAME_MAX),
	SP_PACK_ARR(struct sp_dns_answer, records, record_count, record_fields,
                    SP_DNS_RECORDS_MAX),
	SP_PACK_END,
};

int sp_dns_answer_encode(const struct sp_dns_answer *answer, struct sp_buf *out)
{
	size_t before = sp_buf_len(out);
	int err = sp_dns_answer_check(answer);

	if (!err) {
		err = sp_pack(answer_fields, answer, out);
	}
	if (!err && sp_buf_len(out) - before > SP_DNS_ANSWER_BYTES_MAX) {
		sp_buf_truncate(out, sp_buf_len(out) - before);
		err = SP_ELIMIT;
	}
	return err;
}

int sp_dns_answer_decode(struct sp_str bytes, struct sp_dns_answer **answer_out)
{
	struct sp_dns_answer *a;
	int err;

	*answer_out = NULL;
	if (bytes.len > SP_DNS_ANSWER_BYTES_MAX) {
		return SP_ELIMIT;
	}
	a = SP_NEW(struct sp_dns_answer);
	sp_arena_init(&a->arena);
	err = sp_unpack(answer_fields, bytes, true, &a->arena, a);
	if (!err) {
		err = sp_dns_answer_check(a);
	}
	if (err) {
		sp_dns_answer_free(&a);
	}
	*answer_out = a;
	return err;
}
