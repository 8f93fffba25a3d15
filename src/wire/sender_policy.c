/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record means is for those who receive mail from the domain; here it
 * is only told whether they could read it.
 */
#include "base/ascii.h"
#include "base/err.h"
#include "wire/sender_policy.h"

#define SPF_VERSION   SP_STR("v=spf1")
#define DMARC_VERSION SP_STR("v=DMARC1")

static const struct sp_str NOTHING = {NULL, 0};

/* ---- SPF ---- */

/* "v=spf1" and the end, or a blank (RFC 7208 4.5). */
static bool is_spf(struct sp_str record)
{
	return sp_str_starts_nocase(record, SPF_VERSION) &&
	       (record.len == SPF_VERSION.len ||
	        record.ptr[SPF_VERSION.len] == ' ');
}

enum value { /* of a mechanism, behind ":" */
	NEVER,
	MAYBE,
	ALWAYS,
};

static const struct mechanism {
	const char *name;
	enum value value;
	bool cidr; /* "/24" may follow the bare name */
	bool lookup;
} MECHANISMS[] = {
	{"all", NEVER, false, false},  {"include", ALWAYS, false, true},
	{"a", MAYBE, true, true},      {"mx", MAYBE, true, true},
	{"ptr", MAYBE, false, true},   {"ip4", ALWAYS, false, false},
	{"ip6", ALWAYS, false, false}, {"exists", ALWAYS, false, true},
};

static const struct mechanism *find_mechanism(struct sp_str name)
{
	for (size_t i = 0; i < sizeof(MECHANISMS) / sizeof(*MECHANISMS); i++) {
		if (sp_str_eq_nocase(name, sp_str_from(MECHANISMS[i].name))) {
			return &MECHANISMS[i];
		}
	}
	return NULL;
}

/* Where the name of a term ends: at ":", "/" or "=". */
static size_t name_end(struct sp_str term)
{
	size_t end = 0;

	while (end < term.len && term.ptr[end] != ':' && term.ptr[end] != '/' &&
	       term.ptr[end] != '=') {
		end++;
	}
	return end;
}

static int read_modifier(struct sp_str term, struct sp_str name,
                         struct sp_spf *spf, char *why_out)
{
	struct sp_str value = sp_str_sub(term, name.len + 1, term.len);

	if (!sp_txt_is_name(name)) {
		return sp_txt_refuse(why_out, "not a term", term);
	}
	if (!sp_str_eq_nocase(name, SP_STR("redirect"))) {
		return 0;
	}
	if (spf->redirect || !value.len) {
		return sp_txt_refuse(why_out,
		                     spf->redirect ? "redirect stands twice"
		                                   : "redirect to nowhere",
		                     NOTHING);
	}
	spf->redirect = true;
	spf->lookups++;
	return 0;
}

static bool value_fits(const struct mechanism *m, struct sp_str rest)
{
	if (!rest.len) {
		return m->value != ALWAYS;
	}
	return rest.ptr[0] == ':' ? m->value != NEVER && rest.len > 1
	                          : m->cidr && rest.len > 1;
}

static int read_term(struct sp_str term, struct sp_spf *spf, char *why_out)
{
	static const struct sp_str qualifiers = {"+-~?", 4};
	bool qualified = sp_str_find(qualifiers, term.ptr[0]) < qualifiers.len;
	struct sp_str rest = sp_str_sub(term, qualified, term.len);
	struct sp_str name = sp_str_sub(rest, 0, name_end(rest));
	const struct mechanism *m = find_mechanism(name);

	if (!qualified && name.len < rest.len && rest.ptr[name.len] == '=') {
		return read_modifier(term, name, spf, why_out);
	}
	rest = sp_str_sub(rest, name.len, rest.len);
	if (!m || !value_fits(m, rest)) {
		return sp_txt_refuse(why_out, "not a term", term);
	}
	spf->lookups += m->lookup;
	if (m == MECHANISMS && !spf->all) {
		spf->all = qualified ? term.ptr[0] : '+';
	}
	return 0;
}

static int read_spf(struct sp_str record, struct sp_spf *spf, char *why_out)
{
	struct sp_str rest = sp_str_sub(record, SPF_VERSION.len, record.len);
	struct sp_str term;
	int err = 0;

	if (!sp_str_all(record, sp_ascii_is_print)) {
		return sp_txt_refuse(why_out, "not printable", record);
	}
	while (!err && sp_str_cut(&rest, ' ', &term)) {
		err = term.len ? read_term(term, spf, why_out) : 0;
	}
	if (!err && spf->lookups > SP_SPF_LOOKUPS_MAX) {
		err = sp_txt_refuse(why_out, "more than 10 terms ask the DNS",
		                    NOTHING);
	}
	return err;
}

int sp_spf_parse(const struct sp_str *records, size_t count,
                 struct sp_spf *spf_out, char *why_out)
{
	struct sp_str record = NOTHING;
	size_t found = 0;

	*spf_out = (struct sp_spf){.all = 0};
	for (size_t i = 0; i < count; i++) {
		if (is_spf(records[i])) {
			found++;
			record = records[i];
		}
	}
	if (found != 1) {
		(void)sp_txt_refuse(why_out,
		                    found ? "several records begin \"v=spf1\""
		                          : "no record begins \"v=spf1\"",
		                    NOTHING);
		return found ? SP_EPROTO : SP_ENOTFOUND;
	}
	return read_spf(record, spf_out, why_out);
}

/* ---- DMARC ---- */

/* "v=DMARC1" is the first tag, as it is written (RFC 7489 6.3). */
static bool is_dmarc(struct sp_str record)
{
	struct sp_str first;

	(void)sp_str_cut(&record, ';', &first);
	return sp_str_eq(sp_str_trim(first), DMARC_VERSION);
}

static bool is_policy(struct sp_str value)
{
	return sp_str_eq_nocase(value, SP_STR("none")) ||
	       sp_str_eq_nocase(value, SP_STR("quarantine")) ||
	       sp_str_eq_nocase(value, SP_STR("reject"));
}

static int read_tag(struct sp_str tag, struct sp_dmarc *dmarc, char *why_out)
{
	struct sp_str name;
	struct sp_str value = tag;

	(void)sp_str_cut(&value, '=', &name);
	name = sp_str_trim(name);
	value = sp_str_trim(value);
	if (!sp_txt_is_name(name) || !value.len ||
	    !sp_str_all(value, sp_ascii_is_print)) {
		return sp_txt_refuse(why_out, "not a tag", tag);
	}
	if (sp_str_eq(name, SP_STR("p")) && !dmarc->policy.len) {
		dmarc->policy = value;
		return is_policy(value)
		               ? 0
		               : sp_txt_refuse(why_out,
		                               "p is not none, quarantine or "
		                               "reject",
		                               value);
	}
	if (sp_str_eq(name, SP_STR("rua"))) {
		dmarc->rua = value;
	}
	return 0;
}

static int read_dmarc(struct sp_str rest, struct sp_dmarc *dmarc, char *why_out)
{
	struct sp_str tag;
	int err = 0;

	(void)sp_str_cut(&rest, ';', &tag); /* the version */
	while (!err && sp_str_cut(&rest, ';', &tag)) {
		tag = sp_str_trim(tag);
		err = tag.len ? read_tag(tag, dmarc, why_out) : 0;
	}
	if (!err && !dmarc->policy.len) {
		err = sp_txt_refuse(why_out, "no p", NOTHING);
	}
	return err;
}

int sp_dmarc_parse(const struct sp_str *records, size_t count,
                   struct sp_dmarc *dmarc_out, char *why_out)
{
	struct sp_str record = NOTHING;
	size_t found = 0;

	*dmarc_out = (struct sp_dmarc){.policy = NOTHING};
	for (size_t i = 0; i < count; i++) {
		if (is_dmarc(records[i])) {
			found++;
			record = records[i];
		}
	}
	if (found != 1) {
		(void)sp_txt_refuse(why_out,
		                    found ? "several records begin \"v=DMARC1\""
		                          : "no record begins \"v=DMARC1\"",
		                    NOTHING);
		return found ? SP_EPROTO : SP_ENOTFOUND;
	}
	return read_dmarc(record, dmarc_out, why_out);
}
