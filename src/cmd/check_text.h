/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_CHECK_TEXT_H
#define SP_CMD_CHECK_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "cmd/check_find.h"
#include "wire/json.h"

/*
 * An analysis (`check --json`, interface.md 2) for people: first what is
 * wrong, whose matter it is and what to do, within a screen; then the tree.
 * Lines of at most 78 columns where words can be broken.
 */
void sp_check_put_text(FILE *f, const struct sp_json *check, bool colour);

/* Standard output is a terminal that has colour. */
bool sp_check_wants_colour(void);

/* The same as one page of HTML without scripts and without anything from
 * elsewhere; everything that came from a peer is escaped. */
void sp_check_put_html(FILE *f, const struct sp_json *check);

#endif
