/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_TXT_FIELD_H
#define SP_WIRE_TXT_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/*
 * TXT records of the form "v=NAMEv1; name=value; name=value;", which MTA-STS
 * (RFC 8461 3.1) and TLS reporting (RFC 8460 3) share: one record of several
 * by its version, then its fields one after another. What a field means is
 * the caller's. Pure; any bytes are legal input.
 */

#define SP_TXT_FIELD_WHY_MAX 200 /* room for one line of reason */

struct sp_txt_field {
	struct sp_str whole; /* "name=value", blanks around it cut off */
	struct sp_str name;  /* has the form of one */
	struct sp_str value; /* not empty */
};

struct sp_txt_fields {
	struct sp_str rest;
	bool ended;
};

/* Of all records of an owner (strings of each joined) the one that begins
 * with mark, such as "v=STSv1;". 0 with what follows the mark, SP_ENOTFOUND:
 * none does, SP_EPROTO: several do. Here and below: why_out has
 * SP_TXT_FIELD_WHY_MAX bytes or is null. */
int sp_txt_fields_begin(const struct sp_str *records, size_t count,
                        const char *mark, struct sp_txt_fields *fields_out,
                        char *why_out);
/* 1: a field; 0: that was all; SP_EPROTO. */
int sp_txt_fields_next(struct sp_txt_fields *fields,
                       struct sp_txt_field *field_out, char *why_out);

/* Letters and digits, inside also "_", "-" and "."; at most 32. */
bool sp_txt_is_name(struct sp_str s);
/* The value of an extension: printable without blanks, "=" and ";". */
bool sp_txt_is_value(struct sp_str s);

/* SP_EPROTO, said: what is a literal; text is the peer's, shown escaped and
 * cut. */
int sp_txt_refuse(char *why_out, const char *what, struct sp_str text);

#endif
