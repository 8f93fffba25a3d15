/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record's frame is read strictly, its list leniently: a URI that cannot
 * be used is named and passed over, as RFC 8460 3 wants it for schemes that
 * are not known. What can be used is decided here and not where reports are
 * sent, so that `sealpost lint` and the sender agree.
 */
#include <stdio.h>

#include "base/ascii.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/tlsrpt_txt.h"
#include "wire/txt_field.h"

#define VERSION_MARK "v=TLSRPTv1;"
#define PORT_MAX     65535

static const struct sp_str NOTHING = {NULL, 0};

/* ---- one URI ---- */

/* Percent-encoding (RFC 3986 2.1). */
static bool decode(struct sp_str text, struct sp_arena *arena,
                   struct sp_str *text_out)
{
	char *out = sp_arena_alloc(arena, text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.ptr[i] != '%') {
			out[len++] = text.ptr[i];
			continue;
		}
		if (text.len - i < 3) {
			return false;
		}
		high = sp_ascii_hex(text.ptr[i + 1]);
		low = sp_ascii_hex(text.ptr[i + 2]);
		if (high < 0 || low < 0) {
			return false;
		}
		out[len++] = (char)(high * 16 + low);
		i += 2;
	}
	*text_out = sp_str_slice(out, len);
	return true;
}

/* The header fields that a mailto URI may carry (RFC 6068 2) are dropped:
 * what a report's mail looks like is not the receiver's to say. */
static const char *read_mailto(struct sp_str rest, struct sp_arena *arena,
                               struct sp_tlsrpt_rua *rua)
{
	struct sp_address address;
	struct sp_str domain;

	rest = sp_str_sub(rest, 0, sp_str_find(rest, '?'));
	if (!decode(rest, arena, &rest) ||
	    sp_address_parse(rest, &address) != 0 || address.literal ||
	    sp_domain_to_ascii(address.domain, arena, &domain) != 0) {
		return "not a mail address";
	}
	rua->address = sp_str_from(
		sp_arena_printf(arena, SP_STR_FMT "@" SP_STR_FMT,
	                        SP_STR_ARG(address.local), SP_STR_ARG(domain)));
	return NULL;
}

/* "host[:port]" or "[IPv6][:port]"; who logs in there is not ours to be. */
static bool is_authority(struct sp_str text, struct sp_arena *arena)
{
	struct sp_str host = text;
	struct sp_str port = NOTHING;
	size_t end = 0;
	uint64_t number = 0;

	if (text.len && text.ptr[0] == '[') {
		end = sp_str_find(text, ']') + 1;
		if (end > text.len) {
			return false;
		}
	} else {
		end = sp_str_find(text, ':');
	}
	host = sp_str_sub(text, 0, end);
	if (end < text.len) {
		port = sp_str_sub(text, end + 1, text.len);
		if (text.ptr[end] != ':' ||
		    sp_str_u64(port, PORT_MAX, &number) != 0 || number == 0) {
			return false;
		}
	}
	return sp_domain_is_literal(host) ||
	       sp_domain_to_ascii(host, arena, &host) == 0;
}

static const char *read_https(struct sp_str rest, struct sp_arena *arena,
                              struct sp_tlsrpt_rua *rua)
{
	struct sp_str authority;
	size_t end = 0;

	(void)rua;
	while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?') {
		end++;
	}
	authority = sp_str_sub(rest, 0, end);
	if (sp_str_find(rest, '#') < rest.len) {
		return "a URI with a fragment";
	}
	return is_authority(authority, arena) ? NULL : "not a host and port";
}

static bool is_uri_text(struct sp_str uri)
{
	static const struct sp_str never = SP_STR("\"<>\\^`{|}!");

	for (size_t i = 0; i < uri.len; i++) {
		char c = uri.ptr[i];

		if (!sp_ascii_is_graph(c) ||
		    sp_str_find(never, c) < never.len) {
			return false;
		}
	}
	return uri.len > 0;
}

static const struct scheme {
	struct sp_str prefix;
	enum sp_tlsrpt_scheme scheme;
	const char *(*read)(struct sp_str rest, struct sp_arena *arena,
	                    struct sp_tlsrpt_rua *rua);
} SCHEMES[] = {
	{SP_STR("mailto:"), SP_TLSRPT_MAILTO, read_mailto},
	{SP_STR("https://"), SP_TLSRPT_HTTPS, read_https},
};

/* Null, or why it can't be used. */
static const char *read_uri(struct sp_str uri, struct sp_arena *arena,
                            struct sp_tlsrpt_rua *rua)
{
	if (uri.len > SP_TLSRPT_URI_MAX) {
		return "too long";
	}
	if (!is_uri_text(uri)) {
		return "not a URI";
	}
	for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(*SCHEMES); i++) {
		struct sp_str prefix = SCHEMES[i].prefix;

		if (sp_str_starts_nocase(uri, prefix)) {
			*rua = (struct sp_tlsrpt_rua){SCHEMES[i].scheme, uri,
			                              NOTHING};
			return SCHEMES[i].read(
				sp_str_sub(uri, prefix.len, uri.len), arena,
				rua);
		}
	}
	return "neither mailto: nor https:";
}

/* Twice the same target: the same address, or the same URI. */
static bool is_known(const struct sp_tlsrpt_txt *txt,
                     const struct sp_tlsrpt_rua *rua)
{
	for (size_t i = 0; i < txt->rua_count; i++) {
		const struct sp_tlsrpt_rua *other = &txt->rua[i];

		if (other->scheme == rua->scheme &&
		    (rua->scheme == SP_TLSRPT_MAILTO
		             ? sp_str_eq(other->address, rua->address)
		             : sp_str_eq(other->uri, rua->uri))) {
			return true;
		}
	}
	return false;
}

/* ---- the record ---- */

static size_t count_of(struct sp_str text, char c)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++) {
		count += text.ptr[i] == c;
	}
	return count;
}

static int read_rua(struct sp_str list, struct sp_arena *arena,
                    struct sp_tlsrpt_txt *txt)
{
	struct sp_str uri;

	txt->ignored = sp_arena_array(arena, count_of(list, ',') + 1,
	                              sizeof(*txt->ignored));
	while (sp_str_cut(&list, ',', &uri)) {
		struct sp_tlsrpt_rua rua;
		const char *why;

		uri = sp_str_trim(uri);
		why = read_uri(uri, arena, &rua);
		if (!why && is_known(txt, &rua)) {
			why = "stands twice";
		}
		if (!why && txt->rua_count == SP_TLSRPT_RUA_MAX) {
			why = "more than 8";
		}
		if (why) {
			txt->ignored[txt->ignored_count++] =
				(struct sp_tlsrpt_ignored){uri, why};
		} else {
			txt->rua[txt->rua_count++] = rua;
		}
	}
	return 0;
}

/* The value of the first rua is noted. */
static int read_field(const struct sp_txt_field *field, struct sp_str *rua_out,
                      char *why_out)
{
	if (sp_str_eq(field->name, SP_STR("rua"))) {
		*rua_out = rua_out->len ? *rua_out : field->value;
		return 0;
	}
	return sp_txt_is_value(field->value)
	               ? 0
	               : sp_txt_refuse(why_out, "not a field", field->whole);
}

static int read_fields(struct sp_txt_fields *fields, struct sp_str *rua_out,
                       char *why_out)
{
	struct sp_txt_field field;
	int err;

	while ((err = sp_txt_fields_next(fields, &field, why_out)) > 0) {
		err = read_field(&field, rua_out, why_out);
		if (err) {
			return err;
		}
	}
	if (!err && !rua_out->len) {
		err = sp_txt_refuse(why_out, "no rua", NOTHING);
	}
	return err;
}

static int explain_ignored(const struct sp_tlsrpt_txt *txt, char *why_out)
{
	char what[64];

	if (!txt->ignored_count) {
		return sp_txt_refuse(why_out, "no URI in rua", NOTHING);
	}
	(void)snprintf(what, sizeof(what), "no usable URI in rua: %s",
	               txt->ignored[0].why);
	return sp_txt_refuse(why_out, what, txt->ignored[0].uri);
}

int sp_tlsrpt_txt_parse(const struct sp_str *records, size_t count,
                        struct sp_arena *arena, struct sp_tlsrpt_txt *txt_out,
                        char *why_out)
{
	struct sp_txt_fields fields;
	struct sp_str rua = NOTHING;
	int err;

	*txt_out = (struct sp_tlsrpt_txt){.rua_count = 0};
	err = sp_txt_fields_begin(records, count, VERSION_MARK, &fields,
	                          why_out);
	if (!err) {
		err = read_fields(&fields, &rua, why_out);
	}
	if (!err) {
		err = read_rua(rua, arena, txt_out);
	}
	if (!err && !txt_out->rua_count) {
		err = explain_ignored(txt_out, why_out);
	}
	return err;
}
