/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_SURVEY_LIST_H
#define SP_CMD_SURVEY_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

/*
 * A list of domains, one a line, from bytes as they come: pure, and in
 * bounded memory. Blank lines, and what follows a "#", count for nothing.
 */

struct sp_survey_line {
	struct sp_str domain; /* lower-case A-labels; with an error: the line
	                       * made harmless, cut */
	const char *error;    /* why it is no domain; null: it is one */
};

struct sp_survey_list;

struct sp_survey_list *sp_survey_list_new(void);
void sp_survey_list_free(struct sp_survey_list **list);

#define SP_SURVEY_FEED_MAX 65536

/* Bytes of the list, at most SP_SURVEY_FEED_MAX; all lines before have been
 * taken. */
void sp_survey_list_feed(struct sp_survey_list *list, struct sp_str bytes);
/* Nothing follows: what stands without a line end is a line too. */
void sp_survey_list_end(struct sp_survey_list *list);
/* The next line that counts, in the arena. False: none, feed more. */
bool sp_survey_list_next(struct sp_survey_list *list, struct sp_arena *arena,
                         struct sp_survey_line *line_out);
/* Bytes that have been looked at. */
uint64_t sp_survey_list_at(const struct sp_survey_list *list);

/*
 * Which names have been there: 8 to 16 bytes for each, for a hash under a
 * random key. Two names of a million are taken for one with a probability of
 * about one in ten million.
 */

enum sp_survey_met {
	SP_SURVEY_NEW,
	SP_SURVEY_DONE_BEFORE, /* by an earlier run; told once */
	SP_SURVEY_AGAIN,
};

struct sp_survey_seen;

struct sp_survey_seen *sp_survey_seen_new(void);
void sp_survey_seen_free(struct sp_survey_seen **seen);

/* An earlier run has done it. */
void sp_survey_seen_before(struct sp_survey_seen *seen, struct sp_str name);
enum sp_survey_met sp_survey_seen_meet(struct sp_survey_seen *seen,
                                       struct sp_str name);

#endif
