/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_SMTP_HISTORY_H
#define SP_SMTP_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * What a session did last: transitions and replies in a ring of limited size,
 * shown by `sealpost sessions` and in a failed attempt's trace. It holds no
 * times, because a session sees no clock. Peer text is escaped and cut.
 */

#define SP_SMTP_HISTORY_MAX      32
#define SP_SMTP_HISTORY_TEXT_MAX 48

struct sp_smtp_step {
	const char *from; /* static state name; null for a reply */
	const char *to;   /* static: new state, or the command answered */
	unsigned code;    /* reply code, 0 for a transition */
	char text[SP_SMTP_HISTORY_TEXT_MAX]; /* printable, NUL-terminated */
};

struct sp_smtp_history {
	struct sp_smtp_step *steps; /* owned; grows as steps are taken */
	size_t cap;
	size_t count; /* steps ever taken */
};

void sp_smtp_history_fini(struct sp_smtp_history *h);
void sp_smtp_history_transition(struct sp_smtp_history *h, const char *from,
                                const char *to);
void sp_smtp_history_reply(struct sp_smtp_history *h, const char *command,
                           unsigned code, struct sp_str text);
/* Steps kept, and the i-th of them, oldest first; borrowed. */
size_t sp_smtp_history_len(const struct sp_smtp_history *h);
const struct sp_smtp_step *sp_smtp_history_at(const struct sp_smtp_history *h,
                                              size_t i);

#endif
