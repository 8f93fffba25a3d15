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
#define SP_PLACES_MAX   32

struct sp_finding {
	const struct sp_json *step; /* the deepest in the first place */
	struct sp_str verdict;      /* "fail" or "warn": the worst seen */
	struct sp_str code;         /* may be empty */
	struct sp_str scenario;
	size_t places; /* so many hosts or addresses have it, up to the
	                * maximum; those are kept here */
	struct sp_str at[SP_PLACES_MAX][2];
};

struct sp_findings {
	struct sp_finding list[SP_FINDINGS_MAX]; /* further ones are left out */
	size_t count;
	const struct sp_json *told[SP_FINDINGS_MAX]; /* steps whose words were
	                                              * told */
	size_t told_count;
};

void sp_findings_find(const struct sp_json *root, struct sp_findings *out);

/* Whether the words of a step's cause or advice are still to be told: once
 * for each, wherever it comes first. */
bool sp_findings_tell(struct sp_findings *findings, const struct sp_json *step);

/* The same cause or advice stands at a step below it, with its evidence. */
bool sp_finding_is_below(const struct sp_json *step);

/* The steps plan.host one by one: start with *at 0; null at the end. */
const struct sp_json *sp_check_next_host(const struct sp_json *root,
                                         size_t *at);

/* "the administrator of d.test"; of a step's evidence "who". The
 * text may stand in the buffer. */
const char *sp_finding_who(const struct sp_json *step, struct sp_str target,
                           char *out, size_t cap);

/* "dane" -> "DANE validation"; the word itself if it is none. */
struct sp_str sp_check_test_title(struct sp_str test);

/* "450 ms", "1.2 s". */
void sp_check_duration(int64_t ms, char out[32]);

/* Not what is empty, and not what is said elsewhere: who must act stands on
 * the first screen; what a cause brought along, where it stands below. */
bool sp_evidence_is_shown(const char *key, const struct sp_json *value,
                          bool cause_below);

/* "not_before" as people read it, "not before", without the unit that "ttl_s"
 * ends with; into out, of ASCII only. And that unit, " s" or " ms"; or "". */
const char *sp_evidence_key(const char *key, char out[64]);
const char *sp_evidence_unit(const char *key);

/* Whether it reads well in a line with others; or in one of its own. */
bool sp_evidence_is_short(const struct sp_json *value);
bool sp_evidence_is_line(const struct sp_json *value);

/* The value of evidence in one line, objects as "key value, key value"; into
 * a buffer, cut by its maximum. */
void sp_evidence_line(const struct sp_json *value, struct sp_buf *out);

#endif
