/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a role, the same for all:
 *
 *   START ──start()──▶ READY ──STOP from the parent, or the parent is gone──▶
 *   STOPPING ──sp_role_stopped()──▶ END
 *
 * In READY and STOPPING links come (LINK) and go. The parent's STOP is the
 * only way to stop a role in an orderly way; signals of a terminal are the
 * parent's business.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "role/role.h"

#define LINKS_MAX 300 /* 256 workers and the single roles */
#define TRIM_MS   10000

struct sp_role_private {
	struct sp_channel *control;
	struct sp_conf **reloaded; /* owned: all there were; work in flight
	                            * may still point into older ones */
	size_t reload_count;
	struct sp_role_link *links[LINKS_MAX];
	size_t link_count;
	struct sp_deferred *start_stop;
	struct sp_timer *trim;
};

static int handle_command(struct sp_role_link *link, struct sp_str payload)
{
	const struct sp_role_ops *ops = link->ctx->ops;
	struct sp_msg_command msg = {0};
	struct sp_json *ask = NULL;
	bool sessions;

	if (sp_unpack(SP_MSG_COMMAND_FIELDS, payload, false, NULL, &msg) ||
	    sp_json_parse(msg.json, &SP_JSON_LIMITS_DEFAULT, &ask, NULL, 0)) {
		return SP_EPROTO;
	}
	sessions = ops->sessions &&
	           sp_str_eq(sp_json_get_str(ask, "verb"), SP_STR("sessions"));
	sp_json_free(&ask);
	sp_role_answer(link, msg.id,
	               sessions ? ops->sessions(link->ctx)
	                        : ops->stats(link->ctx));
	return 0;
}

static int on_link_frame(void *arg, uint16_t type, struct sp_str payload,
                         int fd)
{
	struct sp_role_link *link = arg;

	if (fd >= 0) {
		close(fd);
	}
	if (link->role == SP_ROLE_CONSOLE && type == SP_MSG_COMMAND &&
	    link->ctx->ops->stats) {
		return handle_command(link, payload);
	}
	return link->ctx->ops->frame(link->ctx, link, type, payload);
}

/* The processes live on, so only the parent can make a new link; it replaces
 * one of the two, because what broke the link may still be in it. */
static void report_broken(const struct sp_role_link *link)
{
	struct sp_msg_link msg = {link->role, link->index, 0};

	sp_role_tell_parent(link->ctx, SP_MSG_LINK, SP_MSG_LINK_FIELDS, &msg);
}

static void on_link_closed(void *arg, int err)
{
	struct sp_role_link *link = arg;
	struct sp_role_ctx *ctx = link->ctx;

	sp_log(&ctx->log, err == SP_ECLOSED ? SP_LOG_DEBUG : SP_LOG_WARN,
	       "link.down", SP_F_CSTR("peer", sp_role_name(link->role)),
	       SP_F_INT("index", link->index), SP_F_ERR(err));
	sp_channel_free(&link->channel);
	if (ctx->ops->link_down) {
		ctx->ops->link_down(ctx, link);
	}
	if (err != SP_ECLOSED) {
		report_broken(link);
	}
}

struct sp_role_link *sp_role_find_link(struct sp_role_ctx *ctx,
                                       enum sp_role role, unsigned index)
{
	for (size_t i = 0; i < ctx->priv->link_count; i++) {
		struct sp_role_link *link = ctx->priv->links[i];

		if (link->role == role && link->index == index) {
			return link;
		}
	}
	return NULL;
}

static struct sp_role_link *find_or_add(struct sp_role_ctx *ctx,
                                        enum sp_role role, unsigned index)
{
	struct sp_role_link *link = sp_role_find_link(ctx, role, index);

	if (!link && ctx->priv->link_count < LINKS_MAX) {
		link = SP_NEW(struct sp_role_link);
		link->role = role;
		link->index = index;
		link->ctx = ctx;
		ctx->priv->links[ctx->priv->link_count++] = link;
	}
	return link;
}

static int handle_link(struct sp_role_ctx *ctx, struct sp_str payload, int fd)
{
	struct sp_msg_link msg = {0};
	struct sp_role_link *link;
	int r = sp_unpack(SP_MSG_LINK_FIELDS, payload, false, NULL, &msg);

	if (r || fd < 0) {
		return SP_EPROTO;
	}
	link = find_or_add(ctx, msg.role, msg.index);
	if (!link) {
		close(fd);
		return SP_ELIMIT;
	}
	if (link->channel) { /* the peer was restarted before we saw it die */
		sp_channel_free(&link->channel);
		if (ctx->ops->link_down) {
			ctx->ops->link_down(ctx, link);
		}
	}
	link->channel = sp_channel_new(ctx->loop, fd, on_link_frame,
	                               on_link_closed, link);
	if (ctx->ops->link_up) {
		ctx->ops->link_up(ctx, link);
	}
	return 0;
}

static int handle_reload(struct sp_role_ctx *ctx, struct sp_str payload)
{
	struct sp_role_private *priv = ctx->priv;
	struct sp_msg_reload msg = {0};
	struct sp_conf *fresh = NULL;
	char why[SP_CONF_WHY];

	if (sp_unpack(SP_MSG_RELOAD_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	if (sp_conf_parse(msg.config, ctx->conf->file, &fresh, why)) {
		sp_log(&ctx->log, SP_LOG_ERROR, "reload.failed",
		       SP_F_CSTR("why", why));
		return 0; /* the parent found it good: keep what we have */
	}
	priv->reloaded =
		sp_realloc(priv->reloaded,
	                   (priv->reload_count + 1) * sizeof(struct sp_conf *));
	priv->reloaded[priv->reload_count++] = fresh;
	ctx->conf = fresh;
	if (ctx->ops->reload) {
		ctx->ops->reload(ctx);
	}
	return 0;
}

static void begin_stop(struct sp_role_ctx *ctx)
{
	if (ctx->stopping) {
		return;
	}
	ctx->stopping = true;
	sp_deferred_call(ctx->priv->start_stop);
}

static void on_stop(void *arg)
{
	struct sp_role_ctx *ctx = arg;

	if (ctx->ops->stop) {
		ctx->ops->stop(ctx);
	} else {
		sp_role_stopped(ctx);
	}
}

void sp_role_stopped(struct sp_role_ctx *ctx)
{
	sp_loop_stop(ctx->loop);
}

static int on_control_frame(void *arg, uint16_t type, struct sp_str payload,
                            int fd)
{
	struct sp_role_ctx *ctx = arg;
	struct sp_role_link parent = {.role = SP_ROLE_PARENT, .ctx = ctx};
	int r = SP_EPROTO;

	if (type == SP_MSG_LINK) {
		return handle_link(ctx, payload, fd);
	}
	if (fd >= 0) {
		close(fd);
	}
	if (type == SP_MSG_RELOAD) {
		r = handle_reload(ctx, payload);
	} else if (type == SP_MSG_STOP) {
		begin_stop(ctx);
		r = 0;
	} else if (type == SP_MSG_COMMAND_REPLY || type == SP_MSG_ALONE) {
		r = ctx->ops->frame(ctx, &parent, type, payload);
	}
	return r;
}

static void on_control_closed(void *arg, int err)
{
	struct sp_role_ctx *ctx = arg;

	sp_log(&ctx->log, SP_LOG_ERROR, "parent.gone", SP_F_ERR(err));
	begin_stop(ctx);
}

bool sp_role_send(struct sp_role_link *link, enum sp_msg type,
                  const struct sp_pack_field *fields, const void *obj)
{
	if (!link || !link->channel) {
		return false;
	}
	sp_channel_send(link->channel, (uint16_t)type, fields, obj);
	return true;
}

void sp_role_answer(struct sp_role_link *link, uint64_t id,
                    struct sp_json *take)
{
	struct sp_msg_command msg = {.id = id};
	struct sp_buf text;

	sp_buf_init(&text, SP_FRAME_MAX - 64);
	if (sp_json_write(take, &text)) { /* too large */
		sp_buf_reset(&text);
		(void)sp_buf_append_cstr(&text, "[]");
	}
	msg.json = sp_buf_str(&text);
	sp_role_send(link, SP_MSG_COMMAND_REPLY, SP_MSG_COMMAND_FIELDS, &msg);
	sp_buf_fini(&text);
	sp_json_free(&take);
}

void sp_role_tell_parent(struct sp_role_ctx *ctx, enum sp_msg type,
                         const struct sp_pack_field *fields, const void *obj)
{
	sp_channel_send(ctx->priv->control, (uint16_t)type, fields, obj);
}

static void set_up_process(const struct sp_role_ctx *ctx)
{
	char name[16];

	snprintf(name, sizeof(name), "sp-%.8s%u", sp_role_name(ctx->role),
	         ctx->index);
	prctl(PR_SET_NAME, name);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

static void release(struct sp_role_ctx *ctx)
{
	struct sp_role_private *priv = ctx->priv;

	if (ctx->ops->finish) {
		ctx->ops->finish(ctx);
	}
	for (size_t i = 0; i < priv->link_count; i++) {
		if (priv->links[i]->channel) {
			(void)sp_channel_drain(priv->links[i]->channel, 1000);
		}
		sp_channel_free(&priv->links[i]->channel);
		sp_free(priv->links[i]);
	}
	(void)sp_channel_drain(priv->control, 1000);
	sp_channel_free(&priv->control);
	sp_deferred_free(&priv->start_stop);
	sp_timer_free(&priv->trim);
	for (size_t i = 0; i < priv->reload_count; i++) {
		sp_conf_free(&priv->reloaded[i]);
	}
	sp_free(priv->reloaded);
	sp_loop_free(&ctx->loop);
	sp_free(priv);
}

static const struct sp_role_ops *ops_of(enum sp_role role)
{
	static const struct sp_role_ops *const OPS[SP_ROLE_COUNT] = {
		[SP_ROLE_RECEIVE] = &SP_ROLE_RECEIVE_OPS,
		[SP_ROLE_QUEUE] = &SP_ROLE_QUEUE_OPS,
		[SP_ROLE_RESOLVE] = &SP_ROLE_RESOLVE_OPS,
		[SP_ROLE_TRANSPORT] = &SP_ROLE_TRANSPORT_OPS,
		[SP_ROLE_SIGN] = &SP_ROLE_SIGN_OPS,
		[SP_ROLE_CONSOLE] = &SP_ROLE_CONSOLE_OPS,
		[SP_ROLE_FETCH] = &SP_ROLE_FETCH_OPS,
		[SP_ROLE_REPORT] = &SP_ROLE_REPORT_OPS,
	};

	SP_ASSERT(role < SP_ROLE_COUNT && OPS[role]);
	return OPS[role];
}

/* What a burst of work took is not kept for ever. */
static void on_trim(void *arg)
{
	struct sp_role_ctx *ctx = arg;

	sp_mem_trim();
	sp_timer_set(ctx->priv->trim, TRIM_MS);
}

int sp_role_main(enum sp_role role, unsigned index, unsigned worker_count,
                 const struct sp_conf *conf, int control_fd, const int *fds,
                 size_t fd_count)
{
	struct sp_role_ctx ctx = {
		.conf = conf,
		.role = role,
		.index = index,
		.worker_count = worker_count,
		.log = {.field = SP_F_CSTR("role", sp_role_name(role))},
		.ops = ops_of(role),
		.fds = fds,
		.fd_count = fd_count,
		.priv = SP_NEW(struct sp_role_private),
	};
	int status = 0;

	sp_mem_keep();
	set_up_process(&ctx);
	sp_log_gather(true);
	ctx.loop = sp_loop_new();
	ctx.priv->start_stop = sp_deferred_new(ctx.loop, on_stop, &ctx);
	ctx.priv->trim = sp_timer_new(ctx.loop, on_trim, &ctx);
	sp_timer_set(ctx.priv->trim, TRIM_MS);
	ctx.priv->control =
		sp_channel_new(ctx.loop, control_fd, on_control_frame,
	                       on_control_closed, &ctx);
	if (ctx.ops->start && ctx.ops->start(&ctx) != 0) {
		fprintf(stderr, "sealpostd: %s: %s\n", sp_role_name(role),
		        *ctx.why ? ctx.why : "cannot start");
		status = 78;
	} else {
		sp_role_tell_parent(&ctx, SP_MSG_READY, NULL, NULL);
		if (sp_loop_run(ctx.loop) != 0) {
			status = 70;
		}
	}
	release(&ctx);
	sp_log_gather(false);
	return status;
}
