/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_CHECK_LIVE_H
#define SP_CMD_CHECK_LIVE_H

#include "analyze/step.h"
#include "net/loop.h"

/*
 * Progress of an analysis while it runs, on standard error where both it and
 * standard output are a terminal; else nothing. The steps that have ended
 * lately, and a spinner with the one at work; all of it is gone at the end.
 */
struct sp_check_live;

struct sp_check_live *sp_check_live_new(struct sp_loop *loop);
void sp_check_live_free(struct sp_check_live **live); /* wipes it away */

/* For sp_tree_new; arg is the live display. */
void sp_check_live_step(void *arg, const struct sp_step *step);

#endif
