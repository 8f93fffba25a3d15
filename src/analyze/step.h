/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_STEP_H
#define SP_ANALYZE_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/advice.h"
#include "base/str.h"
#include "policy/verdict.h"
#include "wire/json.h"

/*
 * The tree that an analysis grows (analyzer.md 1): what was looked at, what
 * came of it, the evidence, and where something is wrong what it means, who
 * must act and how. A step's id is a literal with dots ("dane.address.tls"),
 * stable from version to version and listed in sealpost-check(1); which host
 * or address it was about stands in title and evidence.
 *
 * A step is begun, may have children, and is ended once with a verdict of its
 * own. What it shows is the worst of its own and its children's: fail, warn,
 * pass; skip counts for nothing, and shows only where nothing else does.
 *
 * The tree owns all steps; a step pointer lives as long as the tree.
 */

/* "skip", "pass", "warn", "fail". */
const char *sp_step_verdict_text(enum sp_step_verdict verdict);

struct sp_step;
struct sp_tree;

/* Live progress: called when a step begins and when it ends. */
typedef void sp_tree_fn(void *arg, const struct sp_step *step);

/* fn may be null. The root step stands at once. */
struct sp_tree *sp_tree_new(const char *root_id, struct sp_str title,
                            sp_tree_fn *fn, void *arg);
void sp_tree_free(struct sp_tree **tree);
struct sp_step *sp_tree_root(struct sp_tree *tree);

/* A child of parent; id is a literal. */
struct sp_step *sp_step_begin(struct sp_step *parent, const char *id,
                              const char *title_fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The object that evidence goes into; borrowed, never null. */
struct sp_json *sp_step_evidence(struct sp_step *step);

/* The cause behind warn or fail, from the one table of causes: code,
 * scenario, meaning and action. The verdict's host and address, its evidence
 * ("why"), the line that a trace would show ("reply") and who must act
 * ("who": destination, sender, us, network) are added to the evidence. The
 * first cause or advice stands, further ones are ignored. To be followed by
 * end: FAIL by finish; WARN where delivery would get by all the same. */
void sp_step_cause(struct sp_step *step, const struct sp_verdict *verdict);
/* What is no reason to refuse mail, from the table of advice; subject stands
 * in its words for "<subject>". It is the destination that may act
 * ("who"). */
void sp_step_advice(struct sp_step *step, enum sp_advice_id advice,
                    struct sp_str subject);
/* With a second fact, for "<detail>". */
void sp_step_advice_detail(struct sp_step *step, enum sp_advice_id advice,
                           struct sp_str subject, struct sp_str detail);

/* The cause of one step for another that stands for it (the root for what
 * speaks for all); of its evidence only "who" is taken along. */
void sp_step_cause_from(struct sp_step *step, const struct sp_step *from);

/* Children that are still open are cut, with "not finished" in their
 * evidence ("note"). */
void sp_step_end(struct sp_step *step, enum sp_step_verdict verdict);
/* Ends it where not all of it was seen: it shows SKIP, for what is missing
 * might have been worse, unless it shows FAIL. */
void sp_step_end_cut(struct sp_step *step, const char *note);
/* By the cause (fail) or the advice (its own) that was given, else pass. */
void sp_step_finish(struct sp_step *step);

/* For whoever shows it. */
const char *sp_step_id(const struct sp_step *step);
struct sp_str sp_step_title(const struct sp_step *step);
int sp_step_depth(const struct sp_step *step); /* root: 0 */
bool sp_step_ended(const struct sp_step *step);
enum sp_step_verdict
sp_step_verdict(const struct sp_step *step); /* rolled up */
/* The one it was ended with. */
enum sp_step_verdict sp_step_own_verdict(const struct sp_step *step);
int64_t sp_step_elapsed_ms(const struct sp_step *step);
struct sp_str sp_step_scenario(const struct sp_step *step); /* or empty */
/* Those below it, in order; null: none, or no more. */
const struct sp_step *sp_step_first(const struct sp_step *step);
const struct sp_step *sp_step_next(const struct sp_step *step);

/* interface.md 2: {"id", "title", "verdict", "elapsed_ms", "evidence",
 * "code", "scenario", "meaning", "action", "children"}; of the whole tree. */
struct sp_json *sp_tree_json(const struct sp_tree *tree);

#endif
