/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_PARENT_CHILD_H
#define SP_ROLE_PARENT_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/msg.h"
#include "ipc/sandbox.h"
#include "net/loop.h"

/*
 * One child of the parent: a role's process over its restarts.
 *
 *   ABSENT ──spawn──▶ STARTING ──READY──▶ RUNNING ──STOP──▶ STOPPING
 *     ▲                   │                  │                  │
 *     └───────────────────┴─────exit or kill─┴──────────────────┘
 */

enum sp_child_state {
	SP_CHILD_ABSENT,
	SP_CHILD_STARTING,
	SP_CHILD_RUNNING,
	SP_CHILD_STOPPING,
};

struct sp_parent;

struct sp_child {
	struct sp_parent *parent; /* borrowed */
	enum sp_role role;
	unsigned index;
	enum sp_child_state state;
	pid_t pid;
	struct sp_channel *control; /* our end; null when absent */
	struct sp_timer *respawn;   /* owned */
	unsigned quick_deaths;      /* in a row, for the pause before a new
	                             * start */
	int64_t started_ms;         /* monotonic */
	uint64_t restarts;
};

/* What a fork needs to know. */
struct sp_child_spawn {
	const struct sp_conf *conf;
	const struct sp_identity *identity;
	struct sp_loop *loop; /* the parent's */
	unsigned worker_count;
	const int *fds; /* descriptors of this role */
	size_t fd_count;
	sp_channel_frame_fn *on_frame; /* arg: the child */
	sp_channel_closed_fn *on_closed;
};

/* Fork and run the role. In the child it never returns. 0 or negated
 * errno. */
int sp_child_start(struct sp_child *child, const struct sp_child_spawn *spawn);

/* After its death: forget the process; how long to pause before the next
 * start, in milliseconds. */
int64_t sp_child_buried(struct sp_child *child);

/* Join two running children by a new socket pair. 0 or negated errno. */
int sp_child_link(struct sp_child *a, struct sp_child *b,
                  unsigned worker_count);

#endif
