/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key records: a list of tag=value (RFC 6376 3.2), read strictly where it
 * decides about the key, and with unknown tags passed over.
 */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/err.h"
#include "wire/base64.h"
#include "wire/dkim.h"

static int refuse(char *why_out, const char *why)
{
	(void)snprintf(why_out, SP_DKIM_WHY_MAX, "%s", why);
	return SP_ESYNTAX;
}

/* RFC 6376 2.8: FWS, blanks and line ends alike. */
static struct sp_str trim(struct sp_str s)
{
	while (s.len && strchr(" \t\r\n", s.ptr[0]) && s.ptr[0]) {
		s = sp_str_sub(s, 1, s.len);
	}
	while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]) &&
	       s.ptr[s.len - 1]) {
		s.len--;
	}
	return s;
}

/* Whether a list with colons between holds the word. */
static bool lists(struct sp_str list, struct sp_str word)
{
	struct sp_str item;

	while (sp_str_cut(&list, ':', &item)) {
		if (sp_str_eq_nocase(trim(item), word)) {
			return true;
		}
	}
	return false;
}

const char *sp_dkim_key_type_text(enum sp_dkim_key_type type)
{
	static const char *const TEXTS[] = {"rsa", "ed25519", "other"};

	return TEXTS[type];
}

struct reading {
	struct sp_dkim_record *record;
	struct sp_arena *arena;
	char *why;
	unsigned tags; /* so far, for v= */
	bool has_key;
};

static int on_version(struct reading *r, struct sp_str value)
{
	return r->tags == 0 && sp_str_eq(value, SP_STR("DKIM1"))
	               ? 0
	               : refuse(r->why, "v= is not first, or not DKIM1");
}

static int on_type(struct reading *r, struct sp_str value)
{
	r->record->type = SP_DKIM_KEY_OTHER;
	for (int t = SP_DKIM_KEY_RSA; t < SP_DKIM_KEY_OTHER; t++) {
		const char *text =
			sp_dkim_key_type_text((enum sp_dkim_key_type)t);

		if (sp_str_eq_nocase(value, sp_str_from(text))) {
			r->record->type = (enum sp_dkim_key_type)t;
		}
	}
	return 0;
}

static int on_key(struct reading *r, struct sp_str value)
{
	r->has_key = true;
	return sp_base64_decode(value, r->arena, &r->record->key)
	               ? refuse(r->why, "p= is not base64")
	               : 0;
}

static int on_hashes(struct reading *r, struct sp_str value)
{
	r->record->no_sha256 = !lists(value, SP_STR("sha256"));
	return 0;
}

static int on_services(struct reading *r, struct sp_str value)
{
	r->record->services = value;
	return value.len ? 0 : refuse(r->why, "s= is empty");
}

static int on_flags(struct reading *r, struct sp_str value)
{
	r->record->testing = lists(value, SP_STR("y"));
	r->record->no_subdomains = lists(value, SP_STR("s"));
	return 0;
}

static const struct tag {
	char name;
	int (*read)(struct reading *r, struct sp_str value);
} TAGS[] = {{'v', on_version}, {'k', on_type},     {'p', on_key},
            {'h', on_hashes},  {'s', on_services}, {'t', on_flags}};

#define TAG_COUNT (sizeof(TAGS) / sizeof(TAGS[0]))

/* ALPHA *(ALPHA / DIGIT / "_") */
static bool is_tag_name(struct sp_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!sp_ascii_is_letter(c) &&
		    (i == 0 || !(sp_ascii_is_digit(c) || c == '_'))) {
			return false;
		}
	}
	return s.len > 0;
}

static int read_tag(struct reading *r, struct sp_str tag, unsigned *seen)
{
	struct sp_str name;

	if (sp_str_find(tag, '=') == tag.len) {
		return refuse(r->why, "a tag without =");
	}
	(void)sp_str_cut(&tag, '=', &name); /* it is there */
	name = trim(name);
	if (!is_tag_name(name)) {
		return refuse(r->why, "the name of a tag has other characters");
	}
	for (size_t i = 0; i < TAG_COUNT; i++) {
		if (name.len != 1 || name.ptr[0] != TAGS[i].name) {
			continue;
		}
		if (*seen & 1u << i) { /* RFC 6376 3.2 */
			return refuse(r->why, "a tag stands twice");
		}
		*seen |= 1u << i;
		return TAGS[i].read(r, trim(tag));
	}
	return 0;
}

int sp_dkim_record_parse(struct sp_str text, struct sp_arena *arena,
                         struct sp_dkim_record *record_out, char *why_out)
{
	struct reading r = {record_out, arena, why_out, 0, false};
	struct sp_str tag;
	unsigned seen = 0;
	int ret = 0;

	*record_out = (struct sp_dkim_record){.type = SP_DKIM_KEY_RSA};
	if (text.len > SP_DKIM_RECORD_MAX) {
		return refuse(why_out, "too long");
	}
	while (ret == 0 && sp_str_cut(&text, ';', &tag)) {
		if (trim(tag).len || text.len) { /* the last may be empty */
			ret = read_tag(&r, tag, &seen);
		}
		r.tags++;
	}
	if (ret == 0 && !r.has_key) {
		ret = refuse(why_out, "no p=");
	}
	return ret;
}

bool sp_dkim_record_serves(const struct sp_dkim_record *record,
                           struct sp_str service)
{
	return !record->services.len || lists(record->services, SP_STR("*")) ||
	       lists(record->services, service);
}

struct sp_str sp_dkim_record_format(enum sp_dkim_key_type type,
                                    struct sp_str key, struct sp_str service,
                                    struct sp_arena *arena)
{
	struct sp_str p = sp_base64_encode(key, arena);

	return sp_str_from(sp_arena_printf(
		arena, "v=DKIM1; k=%s; %s" SP_STR_FMT "%sp=" SP_STR_FMT,
		sp_dkim_key_type_text(type), service.len ? "s=" : "",
		SP_STR_ARG(service), service.len ? "; " : "", SP_STR_ARG(p)));
}
