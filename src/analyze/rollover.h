/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_ROLLOVER_H
#define SP_ANALYZE_ROLLOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyze/matrix.h"

/*
 * Is a host ready for its next certificate (RFC 7671 8)? Judged by what is
 * published and what its addresses present, with every key. Pure.
 */

enum sp_rollover_scheme {
	SP_ROLLOVER_NONE,       /* nothing matches: nothing to say */
	SP_ROLLOVER_SINGLE,     /* each record of usage 3 is in use: the next
	                         * key has none yet */
	SP_ROLLOVER_NEXT_KEY,   /* current and next key (3 1 1 + 3 1 1) */
	SP_ROLLOVER_KEY_AND_CA, /* key and authority (3 1 1 + 2 1 1) */
	SP_ROLLOVER_CA,         /* authorities only (2 1 1) */
};

/* "none", "single", "3 1 1 + 3 1 1", "3 1 1 + 2 1 1", "2 1 1". */
const char *sp_rollover_scheme_text(enum sp_rollover_scheme scheme);

struct sp_rollover {
	enum sp_rollover_scheme scheme;
	bool ready; /* the next certificate can come as things stand */
	/* Where only usage 2 matches, dates count: the certificate that ends
	 * next, of those from the server's own to the matched one; 0: no
	 * date matters. One that has ended is the judge's. */
	int64_t ends_ms;
	struct sp_str ends_subject;
};

/* matrices: one for each chain that was seen; all over the same records. */
struct sp_rollover sp_rollover_judge(const struct sp_matrix *matrices,
                                     size_t count, int64_t now_ms);

/* Sooner than this a certificate whose dates count is worth a warning. */
#define SP_ROLLOVER_SOON_MS (14LL * 24 * 3600 * 1000)

#endif
