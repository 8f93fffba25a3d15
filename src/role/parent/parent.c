/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's own life:
 *
 *   START ──all children READY──▶ UP ──SIGTERM──▶ STOP 0 ▶ STOP 1 ▶ STOP 2 ▶
 * END └─one can't start──▶ STOP (status 78)
 *
 * Links are made when both ends run: at start and after a restart alike.
 * Stop goes in stages, so that whoever has something to hand over finds the
 * receiver of it still there: first what takes in mail and sends it, then
 * the queue and the resolver, then the console.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/socket.h"
#include "role/parent/child.h"
#include "role/parent/keys.h"
#include "role/parent/parent.h"
#include "role/role.h"
#include "wire/json.h"

#define WORKERS_MAX   256
#define CHILDREN_MAX  (7 + WORKERS_MAX)
#define LISTENERS_MAX 64
#define BACKLOG       1024
#define STOP_LAST     3
#define STOP_STAGE_MS 30000 /* then what is left of the stage is killed */

struct sp_parent {
	struct sp_loop *loop;
	struct sp_conf *conf; /* owned */
	const char *path;
	struct sp_log log;
	struct sp_identity identity;
	unsigned worker_count;
	struct sp_child children[CHILDREN_MAX];
	size_t child_count;
	int listeners[LISTENERS_MAX]; /* and certificate files */
	size_t listener_count;
	struct sp_key_files keys; /* of the sign role */
	int control_fd;
	int ready_fd;
	bool up;
	int stop_stage; /* -1: not stopping */
	struct sp_timer *stop_timer;
	struct sp_signal *signals[4];
	int status;
};

/* Who talks to whom, and in which stage of a stop each role ends. Where a
 * link breaks though both live, the first is replaced: the one that is nearer
 * to strangers, or does less. */
static const struct {
	enum sp_role a, b;
} TOPOLOGY[] = {
	{SP_ROLE_RECEIVE, SP_ROLE_QUEUE},
	{SP_ROLE_TRANSPORT, SP_ROLE_QUEUE},
	{SP_ROLE_RESOLVE, SP_ROLE_TRANSPORT},
	{SP_ROLE_RESOLVE, SP_ROLE_FETCH},
	{SP_ROLE_FETCH, SP_ROLE_TRANSPORT},
	{SP_ROLE_FETCH, SP_ROLE_QUEUE},
	{SP_ROLE_SIGN, SP_ROLE_QUEUE},
	{SP_ROLE_RESOLVE, SP_ROLE_REPORT},
	{SP_ROLE_FETCH, SP_ROLE_REPORT},
	{SP_ROLE_REPORT, SP_ROLE_QUEUE},
	{SP_ROLE_CONSOLE, SP_ROLE_REPORT},
	{SP_ROLE_CONSOLE, SP_ROLE_SIGN},
	{SP_ROLE_CONSOLE, SP_ROLE_RECEIVE},
	{SP_ROLE_CONSOLE, SP_ROLE_QUEUE},
	{SP_ROLE_CONSOLE, SP_ROLE_RESOLVE},
	{SP_ROLE_CONSOLE, SP_ROLE_TRANSPORT},
	{SP_ROLE_CONSOLE, SP_ROLE_FETCH},
};

static const int STOP_STAGE[SP_ROLE_COUNT] = {
	[SP_ROLE_RECEIVE] = 0, [SP_ROLE_TRANSPORT] = 0, [SP_ROLE_QUEUE] = 1,
	[SP_ROLE_RESOLVE] = 1, [SP_ROLE_CONSOLE] = 2,   [SP_ROLE_FETCH] = 1,
	[SP_ROLE_SIGN] = 1,    [SP_ROLE_REPORT] = 0,
};

static void spawn(struct sp_child *child);
static void advance_stop(struct sp_parent *p);

static void tell_ready(struct sp_parent *p)
{
	uint8_t status = (uint8_t)p->status;

	if (p->ready_fd >= 0) {
		if (write(p->ready_fd, &status, 1) != 1) {
			sp_log(&p->log, SP_LOG_WARN, "parent.ready_unheard");
		}
		close(p->ready_fd);
		p->ready_fd = -1;
	}
}

static bool all_running(const struct sp_parent *p)
{
	for (size_t i = 0; i < p->child_count; i++) {
		if (p->children[i].state != SP_CHILD_RUNNING) {
			return false;
		}
	}
	return true;
}

/* a is the first of a pair, b the second. */
static bool first_of(enum sp_role a, enum sp_role b)
{
	for (size_t i = 0; i < sizeof(TOPOLOGY) / sizeof(TOPOLOGY[0]); i++) {
		if (TOPOLOGY[i].a == a && TOPOLOGY[i].b == b) {
			return true;
		}
	}
	return false;
}

static bool are_peers(enum sp_role a, enum sp_role b)
{
	return first_of(a, b) || first_of(b, a);
}

static void link_up(struct sp_parent *p, struct sp_child *child)
{
	for (size_t i = 0; i < p->child_count; i++) {
		struct sp_child *peer = &p->children[i];
		int r;

		if (peer == child || peer->state != SP_CHILD_RUNNING ||
		    !peer->control || /* dead, SIGCHLD is on its way */
		    !are_peers(peer->role, child->role)) {
			continue;
		}
		r = sp_child_link(child, peer, p->worker_count);
		if (r) { /* no descriptors left: a new start tries again */
			sp_log(&p->log, SP_LOG_ERROR, "parent.link_failed",
			       SP_F_ERR(r));
			kill(child->pid, SIGKILL);
			return;
		}
	}
}

static void on_ready(struct sp_child *child)
{
	struct sp_parent *p = child->parent;

	if (child->state != SP_CHILD_STARTING || !child->control) {
		return;
	}
	child->state = SP_CHILD_RUNNING;
	link_up(p, child);
	if (!p->up && all_running(p)) {
		p->up = true;
		sp_log(&p->log, SP_LOG_INFO, "server.ready",
		       SP_F_CSTR("version", SP_VERSION),
		       SP_F_INT("workers", p->worker_count));
		tell_ready(p);
	}
}

static void replace(struct sp_child *child)
{
	if (child->state == SP_CHILD_RUNNING) {
		sp_log(&child->parent->log, SP_LOG_ERROR, "parent.broken_link",
		       SP_F_CSTR("child", sp_role_name(child->role)),
		       SP_F_INT("index", child->index));
		kill(child->pid, SIGKILL);
	}
}

/* A child found its link to another one broken: a frame that can't be, or
 * more bytes waiting than the other will ever take. */
static int on_broken_link(struct sp_child *child, struct sp_str payload)
{
	struct sp_parent *p = child->parent;
	struct sp_msg_link msg = {0};

	if (sp_unpack(SP_MSG_LINK_FIELDS, payload, false, NULL, &msg) ||
	    !are_peers(child->role, msg.role)) {
		return SP_EPROTO;
	}
	if (first_of(child->role, msg.role)) {
		replace(child);
	}
	for (size_t i = 0; i < p->child_count; i++) {
		struct sp_child *peer = &p->children[i];

		if (peer->role == msg.role && peer->index == msg.index &&
		    first_of(peer->role, child->role)) {
			replace(peer);
		}
	}
	return 0;
}

/* Console asks which processes there are. */
static void on_command(struct sp_child *child, struct sp_str payload)
{
	struct sp_parent *p = child->parent;
	struct sp_msg_command msg = {0};
	struct sp_json *list = sp_json_array();
	struct sp_json *reply = sp_json_object();
	struct sp_buf text;

	sp_buf_init(&text, SP_FRAME_MAX / 2);
	if (sp_unpack(SP_MSG_COMMAND_FIELDS, payload, false, NULL, &msg)) {
		goto out;
	}
	for (size_t i = 0; i < p->child_count; i++) {
		const struct sp_child *c = &p->children[i];
		struct sp_json *row = sp_json_object();

		sp_json_set_cstr(row, "role", sp_role_name(c->role));
		sp_json_set_int(row, "index", c->index);
		sp_json_set_int(row, "pid", c->pid);
		sp_json_set_bool(row, "running", c->state == SP_CHILD_RUNNING);
		sp_json_set_int(row, "restarts", (int64_t)c->restarts);
		sp_json_add(list, row);
	}
	sp_json_set(reply, "processes", sp_json_copy(list));
	if (sp_json_write(reply, &text) == 0) {
		msg.json = sp_buf_str(&text);
		sp_channel_send(child->control, SP_MSG_COMMAND_REPLY,
		                SP_MSG_COMMAND_FIELDS, &msg);
	}
out:
	sp_json_free(&list);
	sp_json_free(&reply);
	sp_buf_fini(&text);
}

static int on_child_frame(void *arg, uint16_t type, struct sp_str payload,
                          int fd)
{
	struct sp_child *child = arg;

	if (fd >= 0) {
		close(fd);
	}
	if (type == SP_MSG_READY) {
		on_ready(child);
	} else if (type == SP_MSG_LINK) {
		return on_broken_link(child, payload);
	} else if (type == SP_MSG_COMMAND && child->role == SP_ROLE_CONSOLE) {
		on_command(child, payload);
	} else {
		return SP_EPROTO;
	}
	return 0;
}

/* Its death is what counts: SIGCHLD follows. A child that closes its control
 * channel and lives on is broken. */
static void on_child_closed(void *arg, int err)
{
	struct sp_child *child = arg;

	sp_channel_free(&child->control);
	if (err != SP_ECLOSED && child->pid > 0) {
		sp_log(&child->parent->log, SP_LOG_ERROR, "parent.bad_child",
		       SP_F_CSTR("child", sp_role_name(child->role)),
		       SP_F_ERR(err));
		kill(child->pid, SIGKILL);
	}
}

static void on_respawn(void *arg)
{
	struct sp_child *child = arg;

	if (child->parent->stop_stage < 0) {
		spawn(child);
	}
}

static void spawn(struct sp_child *child)
{
	struct sp_parent *p = child->parent;
	struct sp_child_spawn how = {
		.conf = p->conf,
		.identity = &p->identity,
		.loop = p->loop,
		.worker_count = p->worker_count,
		.on_frame = on_child_frame,
		.on_closed = on_child_closed,
	};
	int r;

	if (child->role == SP_ROLE_RECEIVE) {
		how.fds = p->listeners;
		how.fd_count = p->listener_count;
	} else if (child->role == SP_ROLE_CONSOLE) {
		how.fds = &p->control_fd;
		how.fd_count = 1;
	} else if (child->role == SP_ROLE_SIGN) {
		how.fds = p->keys.fds;
		how.fd_count = p->keys.count;
	}
	r = sp_child_start(child, &how);
	if (r) {
		sp_log(&p->log, SP_LOG_ERROR, "parent.fork_failed",
		       SP_F_CSTR("child", sp_role_name(child->role)),
		       SP_F_ERR(r));
		sp_timer_set(child->respawn, 1000);
	}
}

/* In a stop nobody is started anew: without queue the workers need not wait
 * for their outcomes to be settled. */
static void tell_alone(struct sp_parent *p)
{
	bool queue = false;

	for (size_t i = 0; i < p->child_count; i++) {
		const struct sp_child *c = &p->children[i];

		queue |=
			c->role == SP_ROLE_QUEUE && c->state != SP_CHILD_ABSENT;
	}
	for (size_t i = 0; !queue && i < p->child_count; i++) {
		const struct sp_child *c = &p->children[i];

		if (c->role == SP_ROLE_TRANSPORT && c->control) {
			sp_channel_send(c->control, SP_MSG_ALONE, NULL, NULL);
		}
	}
}

static void begin_stop(struct sp_parent *p, int status)
{
	if (p->stop_stage >= 0) {
		return;
	}
	p->status = status;
	p->stop_stage = 0;
	sp_log(&p->log, p->up ? SP_LOG_INFO : SP_LOG_DEBUG, "server.stopping",
	       SP_F_INT("status", status));
	for (size_t i = 0; i < p->listener_count; i++) {
		close(p->listeners[i]);
	}
	p->listener_count = 0;
	sp_timer_set(p->stop_timer, STOP_STAGE_MS);
	tell_alone(p);
	advance_stop(p);
}

/* Tell those of the current stage; go on when none of them is left. */
static void advance_stop(struct sp_parent *p)
{
	while (p->stop_stage >= 0 && p->stop_stage < STOP_LAST) {
		size_t left = 0;

		for (size_t i = 0; i < p->child_count; i++) {
			struct sp_child *c = &p->children[i];

			if (c->state == SP_CHILD_ABSENT ||
			    STOP_STAGE[c->role] != p->stop_stage) {
				continue;
			}
			left++;
			if (c->state != SP_CHILD_STOPPING && c->control) {
				sp_channel_send(c->control, SP_MSG_STOP, NULL,
				                NULL);
				c->state = SP_CHILD_STOPPING;
			}
		}
		if (left) {
			return;
		}
		p->stop_stage++;
		sp_timer_set(p->stop_timer, STOP_STAGE_MS);
	}
	sp_timer_stop(p->stop_timer);
	sp_loop_stop(p->loop);
}

static void on_stop_timeout(void *arg)
{
	struct sp_parent *p = arg;

	for (size_t i = 0; i < p->child_count; i++) {
		struct sp_child *c = &p->children[i];

		if (c->pid > 0 && STOP_STAGE[c->role] <= p->stop_stage) {
			sp_log(&p->log, SP_LOG_ERROR, "parent.stop_late",
			       SP_F_CSTR("child", sp_role_name(c->role)),
			       SP_F_INT("pid", c->pid));
			kill(c->pid, SIGKILL);
		}
	}
	sp_timer_set(p->stop_timer, STOP_STAGE_MS);
}

static struct sp_child *child_of_pid(struct sp_parent *p, pid_t pid)
{
	for (size_t i = 0; i < p->child_count; i++) {
		if (p->children[i].pid == pid) {
			return &p->children[i];
		}
	}
	return NULL;
}

static void on_death(struct sp_parent *p, struct sp_child *child, int status)
{
	bool was_starting = child->state == SP_CHILD_STARTING;
	bool was_told = child->state == SP_CHILD_STOPPING;
	int64_t pause_ms = sp_child_buried(child);

	if (p->stop_stage >= 0) {
		if (child->role == SP_ROLE_QUEUE) {
			tell_alone(p);
		}
		advance_stop(p);
		return;
	}
	if (was_told) { /* for new keys: renew_sign */
		child->quick_deaths = 0;
		spawn(child);
		return;
	}
	if (!p->up && was_starting && WIFEXITED(status)) {
		begin_stop(p, WEXITSTATUS(status)); /* it has said why */
		return;
	}
	sp_log(&p->log, SP_LOG_ERROR, "parent.child_died",
	       SP_F_CSTR("child", sp_role_name(child->role)),
	       SP_F_INT("index", child->index),
	       SP_F_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
	       SP_F_INT("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
	       SP_F_INT("pause_ms", pause_ms));
	if (pause_ms) {
		sp_timer_set(child->respawn, pause_ms);
	} else {
		spawn(child);
	}
}

static void on_sigchld(void *arg)
{
	struct sp_parent *p = arg;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct sp_child *child = child_of_pid(p, pid);

		if (child) {
			on_death(p, child, status);
		}
	}
}

static void on_sigterm(void *arg)
{
	begin_stop(arg, 0);
}

static bool same(const struct sp_conf_strings *a,
                 const struct sp_conf_strings *b)
{
	if (a->count != b->count) {
		return false;
	}
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0) {
			return false;
		}
	}
	return true;
}

/* What can't change under running roles; null: nothing of that changed. */
static const char *needs_restart(const struct sp_conf *a,
                                 const struct sp_conf *b)
{
	if (strcmp(a->store, b->store) != 0) {
		return "store";
	}
	if (strcmp(a->control, b->control) != 0) {
		return "control";
	}
	if (strcmp(a->user, b->user) != 0) {
		return "user";
	}
	if (a->workers != b->workers) {
		return "workers";
	}
	if (a->listen_count != b->listen_count) {
		return "listen";
	}
	for (size_t i = 0; i < a->listen_count; i++) {
		const struct sp_conf_listen *x = &a->listen[i];
		const struct sp_conf_listen *y = &b->listen[i];

		if (!same(&x->address, &y->address)) {
			return "listen";
		}
		/* a new receive gets the files that were opened at start */
		if (!same(&x->certificate, &y->certificate) ||
		    !same(&x->key, &y->key)) {
			return "certificate";
		}
	}
	return NULL;
}

/* New keys need a new process: descriptors come by fork. Until it is there,
 * what is to be signed waits as when it had died. */
static void renew_sign(struct sp_parent *p)
{
	for (size_t i = 0; i < p->child_count; i++) {
		struct sp_child *c = &p->children[i];

		if (c->role == SP_ROLE_SIGN && c->control &&
		    c->state != SP_CHILD_STOPPING) {
			sp_channel_send(c->control, SP_MSG_STOP, NULL, NULL);
			c->state = SP_CHILD_STOPPING;
		}
	}
}

/* The keys of a configuration that is to take effect. 0, or SP_ECONFIG: said,
 * and those in use stay. */
static int take_keys(struct sp_parent *p, const struct sp_conf *fresh)
{
	struct sp_key_files files;
	char why[SP_CONF_WHY] = "";
	int r = sp_key_files_open(fresh, &files, why, sizeof(why));

	if (r == 0) {
		r = sp_key_files_check(fresh, &files, why, sizeof(why));
		if (r) {
			sp_key_files_close(&files);
		}
	}
	if (r) {
		sp_log(&p->log, SP_LOG_ERROR, "reload.refused",
		       SP_F_CSTR("why", why));
		return r;
	}
	sp_key_files_close(&p->keys);
	p->keys = files;
	return 0;
}

static void send_reload(struct sp_parent *p, struct sp_str text, bool to_sign)
{
	const struct sp_msg_reload msg = {text};

	for (size_t i = 0; i < p->child_count; i++) {
		struct sp_child *c = &p->children[i];

		if (c->control && (to_sign || c->role != SP_ROLE_SIGN)) {
			sp_channel_send(c->control, SP_MSG_RELOAD,
			                SP_MSG_RELOAD_FIELDS, &msg);
		}
	}
}

static void on_sighup(void *arg)
{
	struct sp_parent *p = arg;
	struct sp_conf *fresh = NULL;
	char why[SP_CONF_WHY] = "";
	const char *fixed;
	bool has_keys;

	if (p->stop_stage >= 0) {
		return;
	}
	if (sp_conf_load(p->path, &fresh, why)) {
		sp_log(&p->log, SP_LOG_ERROR, "reload.refused",
		       SP_F_CSTR("why", why));
		return;
	}
	fixed = needs_restart(p->conf, fresh);
	if (fixed) {
		sp_log(&p->log, SP_LOG_ERROR, "reload.refused",
		       SP_F_CSTR("why", "needs a restart"),
		       SP_F_CSTR("key", fixed));
		sp_conf_free(&fresh);
		return;
	}
	if (take_keys(p, fresh)) {
		sp_conf_free(&fresh);
		return;
	}
	has_keys = p->conf->dkim_count || fresh->dkim_count;
	sp_conf_free(&p->conf);
	p->conf = fresh;
	send_reload(p, fresh->text, !has_keys);
	if (has_keys) {
		renew_sign(p);
	}
	sp_log(&p->log, SP_LOG_INFO, "reload.done");
}

static int fail(const char *what, const char *name, int err, int status)
{
	fprintf(stderr, "sealpostd: %s %s: %s\n", what, name, sp_strerror(err));
	return status;
}

static int open_listeners(struct sp_parent *p)
{
	for (size_t i = 0; i < p->conf->listen_count; i++) {
		const struct sp_conf_listen *l = &p->conf->listen[i];

		for (size_t k = 0; k < l->address.count; k++) {
			const char *text = l->address.items[k];
			struct sp_addr addr;
			int fd;

			if (p->listener_count == LISTENERS_MAX) {
				return fail("listen", text, SP_ELIMIT, 78);
			}
			if (sp_addr_parse(sp_str_from(text), 0, &addr)) {
				return fail("listen", text, SP_ESYNTAX, 78);
			}
			fd = sp_socket_listen(&addr, BACKLOG);
			if (fd < 0) {
				return fail("cannot listen on", text, fd, 75);
			}
			p->listeners[p->listener_count++] = fd;
		}
	}
	return 0;
}

/* Certificates and keys travel to the receive role as open files, behind
 * the listeners: it may not be able to open them itself, and no other role
 * ever holds a key. */
static int open_file(struct sp_parent *p, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return fail("listen:", path, -errno, 78);
	}
	if (p->listener_count == LISTENERS_MAX) {
		close(fd);
		return fail("listen:", path, SP_ELIMIT, 78);
	}
	p->listeners[p->listener_count++] = fd;
	return 0;
}

static int open_certificates(struct sp_parent *p)
{
	int r = 0;

	for (size_t i = 0; !r && i < p->conf->listen_count; i++) {
		const struct sp_conf_listen *l = &p->conf->listen[i];

		for (size_t k = 0; !r && k < l->certificate.count; k++) {
			r = open_file(p, l->certificate.items[k]);
			r = r ? r : open_file(p, l->key.items[k]);
		}
	}
	return r;
}

static int open_control(struct sp_parent *p)
{
	const char *path = p->conf->control;
	int r = sp_sandbox_make_dir(path, &p->identity);

	if (r) {
		return fail("control: cannot make the directory of", path, r,
		            78);
	}
	p->control_fd = sp_socket_listen_unix(path, 0660);
	if (p->control_fd < 0) {
		r = p->control_fd;
		return fail("control:", path, r, r == -EADDRINUSE ? 75 : 78);
	}
	if (p->identity.change &&
	    chown(path, p->identity.uid, p->identity.gid) != 0) {
		return fail("control:", path, -errno, 78);
	}
	return 0;
}

static int open_all(struct sp_parent *p)
{
	char why[SP_CONF_WHY];
	int r;

	if (sp_identity_find(p->conf->user, p->conf->user_given, &p->identity,
	                     why, sizeof(why))) {
		fprintf(stderr, "sealpostd: %s\n", why);
		return 78;
	}
	if (*why) {
		sp_log(&p->log, SP_LOG_WARN, "server.same_user",
		       SP_F_CSTR("why", why));
	}
	r = sp_sandbox_make_dir(p->conf->store + strlen("sqlite:"),
	                        &p->identity);
	if (r) {
		return fail("store: cannot make the directory of",
		            p->conf->store, r, 78);
	}
	r = open_listeners(p);
	r = r ? r : open_certificates(p);
	if (r == 0 && sp_key_files_open(p->conf, &p->keys, why, sizeof(why))) {
		fprintf(stderr, "sealpostd: %s\n", why);
		return 78;
	}
	return r ? r : open_control(p);
}

static void add_child(struct sp_parent *p, enum sp_role role, unsigned index)
{
	struct sp_child *child = &p->children[p->child_count++];

	child->parent = p;
	child->role = role;
	child->index = index;
	child->respawn = sp_timer_new(p->loop, on_respawn, child);
}

static void add_children(struct sp_parent *p)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t workers = p->conf->workers ? p->conf->workers : cores;

	p->worker_count = (unsigned)(workers < 1             ? 1
	                             : workers > WORKERS_MAX ? WORKERS_MAX
	                                                     : workers);
	add_child(p, SP_ROLE_QUEUE, 0);
	add_child(p, SP_ROLE_RESOLVE, 0);
	add_child(p, SP_ROLE_FETCH, 0);
	for (unsigned i = 0; i < p->worker_count; i++) {
		add_child(p, SP_ROLE_TRANSPORT, i);
	}
	add_child(p, SP_ROLE_SIGN, 0);
	add_child(p, SP_ROLE_REPORT, 0);
	add_child(p, SP_ROLE_CONSOLE, 0);
	add_child(p, SP_ROLE_RECEIVE, 0);
}

static void watch_signals(struct sp_parent *p)
{
	signal(SIGPIPE, SIG_IGN);
	p->signals[0] = sp_signal_new(p->loop, SIGCHLD, on_sigchld, p);
	p->signals[1] = sp_signal_new(p->loop, SIGTERM, on_sigterm, p);
	p->signals[2] = sp_signal_new(p->loop, SIGINT, on_sigterm, p);
	p->signals[3] = sp_signal_new(p->loop, SIGHUP, on_sighup, p);
}

static void release(struct sp_parent *p)
{
	for (size_t i = 0; i < p->child_count; i++) {
		sp_channel_free(&p->children[i].control);
		sp_timer_free(&p->children[i].respawn);
	}
	for (size_t i = 0; i < 4; i++) {
		sp_signal_free(&p->signals[i]);
	}
	for (size_t i = 0; i < p->listener_count; i++) {
		close(p->listeners[i]);
	}
	sp_key_files_close(&p->keys);
	if (p->control_fd >= 0) {
		close(p->control_fd);
		unlink(p->conf->control);
	}
	sp_timer_free(&p->stop_timer);
	sp_loop_free(&p->loop);
	sp_conf_free(&p->conf);
}

int sp_parent_run(struct sp_conf **conf, const char *path, int ready_fd)
{
	struct sp_parent *p = SP_NEW(struct sp_parent);
	int status;

	p->conf = *conf;
	*conf = NULL;
	p->path = path;
	p->ready_fd = ready_fd;
	p->control_fd = -1;
	p->stop_stage = -1;
	p->log.field = SP_F_CSTR("role", "parent");
	p->loop = sp_loop_new();
	p->stop_timer = sp_timer_new(p->loop, on_stop_timeout, p);
	p->status = open_all(p);
	if (p->status == 0) {
		watch_signals(p);
		add_children(p);
		for (size_t i = 0; i < p->child_count; i++) {
			spawn(&p->children[i]);
		}
		if (sp_loop_run(p->loop) != 0) {
			p->status = 70;
		}
		sp_log(&p->log, p->up ? SP_LOG_INFO : SP_LOG_DEBUG,
		       "server.stopped", SP_F_INT("status", p->status));
	}
	tell_ready(p);
	status = p->status;
	release(p);
	sp_free(p);
	return status;
}
