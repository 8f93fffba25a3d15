/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_SENDER_POLICY_H
#define SP_WIRE_SENDER_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "wire/txt_field.h"

/*
 * The TXT records of SPF (RFC 7208) and DMARC (RFC 7489) as texts: whether
 * there is one, and one that can be read. Nothing is evaluated and no name
 * in them is looked up. Pure; any bytes are legal input.
 */

#define SP_SPF_LOOKUPS_MAX 10 /* RFC 7208 4.6.4 */

struct sp_spf {
	char all; /* '+', '-', '~' or '?' before "all"; 0: there is none */
	bool redirect;
	unsigned lookups; /* terms of this record that ask the DNS */
};

/* Of all TXT records of a domain (strings of each joined) the one that is
 * SPF. 0; SP_ENOTFOUND: none; SP_EPROTO: several, or malformed, with one
 * line in why_out (SP_TXT_FIELD_WHY_MAX bytes; may be null). */
int sp_spf_parse(const struct sp_str *records, size_t count,
                 struct sp_spf *spf_out, char *why_out);

struct sp_dmarc {
	struct sp_str policy; /* "none", "quarantine" or "reject" */
	struct sp_str rua;    /* as written; empty: none */
};

/* The same of the records at "_dmarc.<domain>". */
int sp_dmarc_parse(const struct sp_str *records, size_t count,
                   struct sp_dmarc *dmarc_out, char *why_out);

#endif
