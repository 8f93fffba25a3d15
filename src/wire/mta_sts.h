/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_MTA_STS_H
#define SP_WIRE_MTA_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/txt_field.h"

/*
 * The two texts of MTA-STS: the TXT record at "_mta-sts.<domain>" (RFC 8461
 * 3.1) and the policy file (3.2). Pure: bytes in, struct out; the same
 * parsers serve delivery and `sealpost lint`.
 */

#define SP_STS_ID_MAX      32
#define SP_STS_BODY_MAX    65536u    /* bytes of a policy, RFC 8461 3.3 */
#define SP_STS_MAX_AGE_MAX 31557600u /* seconds, RFC 8461 3.2 */
#define SP_STS_MX_MAX      1000      /* patterns that one policy may have */
#define SP_STS_WHY_MAX     SP_TXT_FIELD_WHY_MAX

enum sp_sts_mode {
	SP_STS_NONE,
	SP_STS_TESTING,
	SP_STS_ENFORCE,
};
const char *sp_sts_mode_text(enum sp_sts_mode mode);

struct sp_sts_policy {
	enum sp_sts_mode mode;
	uint32_t max_age_s;
	struct sp_str *mx; /* lower-case A-labels, "*." kept; in file order */
	size_t mx_count;
};

/* One whole policy file. Everything is copied to the arena. 0, or SP_EPROTO
 * with one line of reason in why_out (SP_STS_WHY_MAX bytes; may be null). */
int sp_sts_policy_parse(struct sp_str body, struct sp_arena *arena,
                        struct sp_sts_policy *policy_out, char *why_out);

/* Is the host (A-labels, case and final dot ignored) named by the policy?
 * "*." stands for exactly one left-most label (RFC 8461 4.1). */
bool sp_sts_policy_covers(const struct sp_sts_policy *policy,
                          struct sp_str host);

/* All TXT records of the owner, strings of each joined. Exactly one has to
 * begin "v=STSv1;". 0 with the id (borrowed from the record), SP_ENOTFOUND:
 * there is no such record, SP_EPROTO: there are several or it is malformed,
 * with a reason. */
int sp_sts_txt_parse(const struct sp_str *records, size_t count,
                     struct sp_str *id_out, char *why_out);

#endif
