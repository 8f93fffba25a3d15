/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_ROLE_H
#define SP_ROLE_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/msg.h"
#include "net/loop.h"
#include "wire/json.h"

/*
 * What all roles share: a process with one loop, one control channel to the
 * parent, and links to other roles that come and go as those restart. The
 * parent makes every pair and sends the ends, at start and after each
 * restart alike; a new link to the same role replaces the old one.
 */

struct sp_role_link {
	enum sp_role role; /* at the other end */
	unsigned index;
	struct sp_channel *channel; /* null while the peer is away */
	struct sp_role_ctx *ctx;
};

struct sp_role_ctx {
	struct sp_loop *loop;
	const struct sp_conf *conf; /* replaced at reload */
	enum sp_role role;
	unsigned index; /* which worker */
	unsigned worker_count;
	struct sp_log log;
	bool stopping;
	const struct sp_role_ops *ops;
	void *state; /* the role's own */
	/* Inherited. receive: a listener for each address in the order of the
	 * configuration, then certificate and key file of each pair; console:
	 * the control socket; sign: the key files in that order. */
	const int *fds;
	size_t fd_count;
	char why[512]; /* one line, when start fails */
	struct sp_role_private *priv;
};

struct sp_role_ops {
	/* Before the first link. 0, or negative with a line in ctx->why: the
	 * role can't start; the process ends with status 78. */
	int (*start)(struct sp_role_ctx *ctx);
	/* A link has come up (again) or gone; frames on it. Unknown types and
	 * malformed payloads return SP_EPROTO: the link ends. The
	 * payload is borrowed for the call. */
	void (*link_up)(struct sp_role_ctx *ctx, struct sp_role_link *link);
	void (*link_down)(struct sp_role_ctx *ctx, struct sp_role_link *link);
	int (*frame)(struct sp_role_ctx *ctx, struct sp_role_link *link,
	             uint16_t type, struct sp_str payload);
	/* ctx->conf is new. The old one lives on until the process ends. */
	void (*reload)(struct sp_role_ctx *ctx);
	/* Finish or hand back what is in flight, then call
	 * sp_role_stopped. */
	void (*stop)(struct sp_role_ctx *ctx);
	/* Free everything (leak checkers look). */
	void (*finish)(struct sp_role_ctx *ctx);
	/* For console's COMMANDs: counters, and a list of live sessions (null:
	 * it has none). Where stats is null, they come to frame. */
	struct sp_json *(*stats)(struct sp_role_ctx *ctx);
	struct sp_json *(*sessions)(struct sp_role_ctx *ctx);
};

extern const struct sp_role_ops SP_ROLE_RECEIVE_OPS;
extern const struct sp_role_ops SP_ROLE_QUEUE_OPS;
extern const struct sp_role_ops SP_ROLE_RESOLVE_OPS;
extern const struct sp_role_ops SP_ROLE_TRANSPORT_OPS;
extern const struct sp_role_ops SP_ROLE_SIGN_OPS;
extern const struct sp_role_ops SP_ROLE_CONSOLE_OPS;
extern const struct sp_role_ops SP_ROLE_FETCH_OPS;
extern const struct sp_role_ops SP_ROLE_REPORT_OPS;

/* Runs the role in this (child) process until it stops; the exit status. */
int sp_role_main(enum sp_role role, unsigned index, unsigned worker_count,
                 const struct sp_conf *conf, int control_fd, const int *fds,
                 size_t fd_count);

/* The link to a role, or null where none ever came. Its channel may be
 * null. */
struct sp_role_link *sp_role_find_link(struct sp_role_ctx *ctx,
                                       enum sp_role role, unsigned index);

/* Send on a link; false (and nothing sent) while the peer is away. */
bool sp_role_send(struct sp_role_link *link, enum sp_msg type,
                  const struct sp_pack_field *fields, const void *obj);

/* The reply to a COMMAND; takes the JSON. */
void sp_role_answer(struct sp_role_link *link, uint64_t id,
                    struct sp_json *take);

/* A frame to the parent. Its COMMAND_REPLY comes to ops->frame on a link
 * whose role is SP_ROLE_PARENT. */
void sp_role_tell_parent(struct sp_role_ctx *ctx, enum sp_msg type,
                         const struct sp_pack_field *fields, const void *obj);

/* All is finished: leave the loop (then ops->finish is called). */
void sp_role_stopped(struct sp_role_ctx *ctx);

#endif
