/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_PLAN_TEXT_H
#define SP_CMD_PLAN_TEXT_H

#include <stdio.h>

#include "wire/json.h"

/* A delivery plan (`policy --json`, deliver/evidence.h) in words, each line
 * behind so many blanks. Null and other shapes print what there is. */
void sp_plan_put(FILE *f, const struct sp_json *plan, int indent);

/* What the "rule" ("dane") and "sts" of a host mean; the rule's word itself if
 * it is none. */
struct sp_str sp_plan_rule_meaning(const struct sp_json *host);

/* before, text made harmless, after; nothing when the text is empty. */
void sp_put(FILE *f, const char *before, struct sp_str text, const char *after);

#endif
