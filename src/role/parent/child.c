/* SPDX-License-Identifier: Apache-2.0 */
/* Forking a role, joining two of them, and how soon one is started again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "role/parent/child.h"
#include "role/role.h"

#define QUICK_DEATH_MS 5000 /* one that lived longer starts again at once */
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   10000

#define FDS_MAX 512

/* The parent's loop and channels stay behind untouched: their descriptors
 * are closed here, and its memory is never used again. */
_Noreturn static void run_child(struct sp_child *child,
                                const struct sp_child_spawn *spawn, int fd)
{
	int keep[FDS_MAX + 1];
	size_t count = 0;
	int r;

	keep[count++] = fd;
	for (size_t i = 0; i < spawn->fd_count && count <= FDS_MAX; i++) {
		keep[count++] = spawn->fds[i];
	}
	sp_sandbox_close_others(keep, count);
	r = sp_sandbox_enter(spawn->identity);
	if (r) {
		fprintf(stderr, "sealpostd: %s: cannot drop privileges: %s\n",
		        sp_role_name(child->role), sp_strerror(r));
		_exit(78);
	}
	r = sp_role_main(child->role, child->index, spawn->worker_count,
	                 spawn->conf, fd, spawn->fds, spawn->fd_count);
	exit(r);
}

int sp_child_start(struct sp_child *child, const struct sp_child_spawn *spawn)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	               pair) != 0) {
		return -errno;
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		int err = -errno;

		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (pid == 0) {
		close(pair[0]);
		run_child(child, spawn, pair[1]);
	}
	close(pair[1]);
	child->pid = pid;
	child->state = SP_CHILD_STARTING;
	child->started_ms = sp_time_mono_ms();
	child->control = sp_channel_new(spawn->loop, pair[0], spawn->on_frame,
	                                spawn->on_closed, child);
	return 0;
}

int64_t sp_child_buried(struct sp_child *child)
{
	int64_t lived_ms = sp_time_mono_ms() - child->started_ms;
	int64_t pause_ms = 0;

	child->pid = 0;
	child->state = SP_CHILD_ABSENT;
	child->restarts++;
	sp_channel_free(&child->control);
	if (lived_ms >= QUICK_DEATH_MS) {
		child->quick_deaths = 0;
	} else if (child->quick_deaths++ > 0) {
		unsigned shift = child->quick_deaths - 2;

		pause_ms = shift < 7 ? PAUSE_FIRST_MS << shift : PAUSE_MAX_MS;
	}
	return pause_ms;
}

static void send_end(struct sp_child *to, const struct sp_child *peer,
                     unsigned worker_count, int fd)
{
	struct sp_msg_link msg = {peer->role, peer->index, worker_count};
	struct sp_buf payload;

	sp_buf_init(&payload, 64);
	(void)sp_pack(SP_MSG_LINK_FIELDS, &msg, &payload); /* fits */
	sp_channel_send_raw(to->control, SP_MSG_LINK, sp_buf_str(&payload), fd);
	sp_buf_fini(&payload);
}

int sp_child_link(struct sp_child *a, struct sp_child *b, unsigned worker_count)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	               pair) != 0) {
		return -errno;
	}
	send_end(a, b, worker_count, pair[0]);
	send_end(b, a, worker_count, pair[1]);
	close(pair[0]); /* the channel holds a duplicate until it is sent */
	close(pair[1]);
	return 0;
}
