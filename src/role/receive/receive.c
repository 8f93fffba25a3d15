/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive role: SMTP server for submission. It accepts connections on
 * the sockets that the parent opened, and hands messages to the queue; it
 * never touches the store and decides nothing but who may speak.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/tls.h"
#include "role/receive/receive.h"

#define PEM_MAX      (1024u * 1024)
#define ACCEPT_BURST 64   /* per turn, so that sessions get their share */
#define REST_MS      1000 /* when descriptors or memory have run out */

static bool is_full(const struct receive *role)
{
	return role->session_count >=
	       (size_t)role->ctx->conf->receive.sessions_max;
}

static void listen_now(struct receive *role, bool on)
{
	for (size_t i = 0; i < role->listener_count; i++) {
		sp_watch_set(role->listeners[i].watch, on ? SP_IO_READ : 0);
	}
}

/* A client that waits for a descriptor we don't have would wake the loop for
 * ever. */
static void rest(struct receive *role)
{
	listen_now(role, false);
	sp_timer_set(role->rested, REST_MS);
}

static void on_rested(void *arg)
{
	struct receive *role = arg;

	if (!role->ctx->stopping) {
		listen_now(role, true);
	}
}

static bool is_exhausted(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS ||
	       err == -ENOMEM;
}

static void on_accept(void *arg, int flags)
{
	struct listener *l = arg;

	(void)flags;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		struct sp_addr peer;
		struct sp_addr local;
		int fd = sp_socket_accept(l->fd, &peer, &local);

		if (fd == -EAGAIN) {
			return;
		}
		if (fd < 0) {
			sp_log(&l->role->ctx->log, SP_LOG_WARN,
			       "receive.accept_failed", SP_F_ERR(fd));
			if (is_exhausted(fd)) {
				rest(l->role);
			}
			return;
		}
		l->role->connections++;
		if (is_full(l->role)) {
			static const char BUSY[] =
				"421 4.3.2 too many sessions, try later\r\n";

			if (write(fd, BUSY, sizeof(BUSY) - 1) < 0) {
				/* it hears nothing then */
			}
			close(fd);
		} else {
			session_new(l, fd, &peer);
		}
	}
}

/* The parent's open file, from its beginning at every start. */
static int read_pem(int fd, struct sp_buf *out)
{
	off_t at = 0;

	for (;;) {
		char *room = sp_buf_reserve(out, 4096);
		ssize_t n = room ? pread(fd, room, 4096, at) : -1;

		if (n < 0) {
			return SP_ELIMIT;
		}
		if (n == 0) {
			return 0;
		}
		sp_buf_commit(out, (size_t)n);
		at += n;
	}
}

static int load_tls(struct sp_role_ctx *ctx, const struct sp_conf_listen *conf,
                    int cert_fd, int key_fd, struct sp_tls_server **tls_out)
{
	struct sp_buf cert;
	struct sp_buf key;
	char why[256] = "cannot be read";
	int r;

	sp_buf_init(&cert, PEM_MAX);
	sp_buf_init(&key, PEM_MAX);
	r = read_pem(cert_fd, &cert);
	r = r ? r : read_pem(key_fd, &key);
	r = r ? r
	      : sp_tls_server_new(sp_buf_str(&cert), sp_buf_str(&key), tls_out,
	                          why, sizeof(why));
	if (r) {
		snprintf(ctx->why, sizeof(ctx->why), "listen \"%s\": %s: %s",
		         conf->name, conf->certificate.items[0], why);
	}
	sp_buf_fini(&cert);
	sp_buf_fini(&key);
	return r;
}

static void add_listener(struct receive *role,
                         const struct sp_conf_listen *conf, int fd)
{
	struct listener *l = &role->listeners[role->listener_count++];

	l->role = role;
	l->conf = conf;
	l->fd = fd;
	l->watch = sp_watch_new(role->ctx->loop, fd, on_accept, l);
}

/* Certificates follow the listeners in fds; the first pair of a section is
 * the one that is shown. */
static int add_certificates(struct receive *role)
{
	struct sp_role_ctx *ctx = role->ctx;
	size_t fd = role->listener_count;
	size_t at = 0;

	for (size_t i = 0; i < ctx->conf->listen_count; i++) {
		const struct sp_conf_listen *conf = &ctx->conf->listen[i];
		struct sp_tls_server *tls = NULL;

		if (conf->certificate.count) {
			int r = load_tls(ctx, conf, ctx->fds[fd],
			                 ctx->fds[fd + 1], &tls);

			if (r) {
				return r;
			}
			fd += 2 * conf->certificate.count;
		}
		for (size_t k = 0; k < conf->address.count; k++, at++) {
			role->listeners[at].tls = tls;
			role->listeners[at].owns_tls = k == 0;
		}
	}
	return 0;
}

static int start(struct sp_role_ctx *ctx)
{
	struct receive *role = SP_NEW(struct receive);
	size_t fd = 0;
	int r;

	ctx->state = role;
	role->ctx = ctx;
	sp_list_init(&role->sessions);
	sp_map_init(&role->by_id);
	sp_map_init(&role->clients);
	role->rested = sp_timer_new(ctx->loop, on_rested, role);
	role->listeners = sp_calloc(ctx->fd_count + 1, sizeof(struct listener));
	for (size_t i = 0; i < ctx->conf->listen_count; i++) {
		const struct sp_conf_listen *conf = &ctx->conf->listen[i];

		for (size_t k = 0; k < conf->address.count; k++) {
			add_listener(role, conf, ctx->fds[fd++]);
		}
	}
	r = sp_tls_setup();
	return r ? r : add_certificates(role);
}

/* The parent refuses a file whose sections or addresses are others, so each
 * listener finds its section where it was. */
static void reload(struct sp_role_ctx *ctx)
{
	struct receive *role = ctx->state;
	size_t at = 0;

	for (size_t i = 0; i < ctx->conf->listen_count; i++) {
		const struct sp_conf_listen *conf = &ctx->conf->listen[i];

		for (size_t k = 0; k < conf->address.count; k++) {
			SP_ASSERT(at < role->listener_count);
			role->listeners[at++].conf = conf;
		}
	}
	SP_ASSERT(at == role->listener_count);
}

/* Nobody is let in before there is a queue to hand mail to. */
static void link_up(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct receive *role = ctx->state;

	if (link->role != SP_ROLE_QUEUE) {
		return;
	}
	role->queue = link;
	if (!ctx->stopping) {
		listen_now(role, true);
	}
}

static void link_down(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct receive *role = ctx->state;

	if (link->role == SP_ROLE_QUEUE) {
		role->queue = NULL;
		session_queue_down(role);
	}
}

static struct sp_json *stats(struct sp_role_ctx *ctx)
{
	const struct receive *role = ctx->state;
	struct sp_json *obj = sp_json_object();

	sp_json_set_int(obj, "sessions", (int64_t)role->session_count);
	sp_json_set_int(obj, "connections", (int64_t)role->connections);
	sp_json_set_int(obj, "accepted", (int64_t)role->accepted);
	sp_json_set_int(obj, "refused", (int64_t)role->refused);
	return obj;
}

static struct sp_json *sessions(struct sp_role_ctx *ctx)
{
	return session_live(ctx->state);
}

static int frame(struct sp_role_ctx *ctx, struct sp_role_link *link,
                 uint16_t type, struct sp_str payload)
{
	struct receive *role = ctx->state;

	if (link->role == SP_ROLE_QUEUE && type == SP_MSG_SUBMIT_PULL) {
		return session_on_pull(role, payload);
	}
	if (link->role == SP_ROLE_QUEUE && type == SP_MSG_SUBMIT_DONE) {
		return session_on_done(role, payload);
	}
	return SP_EPROTO;
}

static void stop(struct sp_role_ctx *ctx)
{
	struct receive *role = ctx->state;

	listen_now(role, false);
	session_stop_all(role);
}

static void finish(struct sp_role_ctx *ctx)
{
	struct receive *role = ctx->state;

	session_free_all(role);
	for (size_t i = 0; i < role->listener_count; i++) {
		sp_watch_free(&role->listeners[i].watch);
		if (role->listeners[i].owns_tls) {
			sp_tls_server_free(&role->listeners[i].tls);
		}
	}
	sp_timer_free(&role->rested);
	sp_free(role->listeners);
	sp_map_fini(&role->by_id);
	sp_map_fini(&role->clients);
	sp_tls_teardown();
	sp_free(role);
}

const struct sp_role_ops SP_ROLE_RECEIVE_OPS = {
	.start = start,
	.link_up = link_up,
	.link_down = link_down,
	.frame = frame,
	.reload = reload,
	.stop = stop,
	.finish = finish,
	.stats = stats,
	.sessions = sessions,
};
