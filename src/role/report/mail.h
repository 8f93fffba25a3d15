/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_REPORT_MAIL_H
#define SP_ROLE_REPORT_MAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

/*
 * TLS reports out of a mail (RFC 8460 5.3). GMime is named in mail.c only.
 * Any bytes are legal input.
 */

#define REPORT_MAIL_MAX   ((size_t)20 * 1024 * 1024) /* bytes of a mail */
#define REPORT_PARTS_MAX  8   /* reports in one mail; others are ignored */
#define REPORT_PARTS_SEEN 200 /* parts looked at */

struct report_mail {
	struct sp_str parts[REPORT_PARTS_MAX]; /* decoded: gzip or JSON */
	size_t count;
	struct sp_str submitter; /* TLS-Report-Submitter; may be empty */
};

/* Is it JSON or gzip, rather than a mail? */
bool report_mail_is_bare(struct sp_str bytes);

/* All of it lives in the arena. 0; SP_ENOTFOUND: no report in it; SP_ESYNTAX:
 * no mail; SP_ELIMIT. */
int report_mail_open(struct sp_str mail, struct sp_arena *arena,
                     struct report_mail *mail_out);

#endif
