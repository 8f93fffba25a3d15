/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_TLSRPT_TXT_H
#define SP_WIRE_TLSRPT_TXT_H

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/txt_field.h"

/*
 * The TXT record at "_smtp._tls.<domain>" (RFC 8460 3): where a domain wants
 * its TLS reports. Pure; any bytes are legal input.
 */

#define SP_TLSRPT_RUA_MAX 8    /* used; a record must not multiply mail */
#define SP_TLSRPT_URI_MAX 1024 /* bytes of one */
#define SP_TLSRPT_WHY_MAX SP_TXT_FIELD_WHY_MAX

enum sp_tlsrpt_scheme {
	SP_TLSRPT_MAILTO,
	SP_TLSRPT_HTTPS,
};

struct sp_tlsrpt_rua {
	enum sp_tlsrpt_scheme scheme;
	struct sp_str uri;     /* as written */
	struct sp_str address; /* mailto: decoded, "local@domain" in A-labels */
};

/* What stands in the list and is not used, and why (a literal). */
struct sp_tlsrpt_ignored {
	struct sp_str uri;
	const char *why;
};

struct sp_tlsrpt_txt {
	struct sp_tlsrpt_rua rua[SP_TLSRPT_RUA_MAX];
	size_t rua_count;
	struct sp_tlsrpt_ignored *ignored;
	size_t ignored_count;
};

/* All TXT records of the owner, strings of each joined. Exactly one has to
 * begin "v=TLSRPTv1;". Texts point into the record or the arena. 0,
 * SP_ENOTFOUND: there is no such record, SP_EPROTO: there are several, it is
 * malformed, or nothing in it can be used, with one line of reason in
 * why_out (SP_TLSRPT_WHY_MAX bytes; may be null). */
int sp_tlsrpt_txt_parse(const struct sp_str *records, size_t count,
                        struct sp_arena *arena, struct sp_tlsrpt_txt *txt_out,
                        char *why_out);

#endif
