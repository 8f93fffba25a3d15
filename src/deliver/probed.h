/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_PROBED_H
#define SP_DELIVER_PROBED_H

#include <stdint.h>

#include "base/str.h"

/*
 * What probes have found good, so that a mail host that takes the mail of
 * thousands of domains is not visited for each of them. Known are sessions
 * that stood under their rule, by the key under which delivery uses a
 * connection again for another domain (sp_dial_key): host, address, port and
 * the complete policy. What failed is not kept: each domain has its own look.
 */

#define SP_PROBED_MS  600000
#define SP_PROBED_MAX 20000 /* keys; the oldest goes */

struct sp_probed;

struct sp_probed *sp_probed_new(void);
void sp_probed_free(struct sp_probed **probed);

/* security is a literal. Monotonic time. */
void sp_probed_keep(struct sp_probed *probed, struct sp_str key,
                    const char *security, int64_t now_ms);
/* How the session was secured; null: none is known, or not of late. */
const char *sp_probed_find(const struct sp_probed *probed, struct sp_str key,
                           int64_t now_ms);

#endif
