/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_CHECK_FIND_H
#define SP_CMD_CHECK_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/json.h"

/*
 * What the tree of an analysis found, gathered for its first screen: each
 * cause or advice once, the one that the root shows first, then what fails,
 * then what warns. All is borrowed from the JSON.
 */

#define SP_FINDINGS_MAX 64

struct sp_finding {
	const struct sp_json *step; /* the deepest in the first place */
	struct sp_str verdict;      /* "fail" or "warn": the worst seen */
	struct sp_str code;         /* may be empty */
	struct sp_str scenario;
	size_t places; /* at so many leaves of the tree */
};

struct sp_findings {
	struct sp_finding list[SP_FINDINGS_MAX]; /* further ones are left out */
	size_t count;
};

void sp_findings_find(const struct sp_json *root, struct sp_findings *out);

/* "the administrator of d.test", "nobody"; of a step's evidence "who". The
 * domain stands in the buffer. */
const char *sp_finding_who(const struct sp_json *step, struct sp_str target,
                           char *out, size_t cap);

/* "dane" -> "DANE validation"; the word itself if it is none. */
struct sp_str sp_check_test_title(struct sp_str test);

/* "450 ms", "1.2 s". */
void sp_check_duration(int64_t ms, char out[32]);

/* The value of evidence in one line, objects as "key value, key value"; into
 * a buffer, cut by its maximum. */
void sp_evidence_line(const struct sp_json *value, struct sp_buf *out);

#endif
