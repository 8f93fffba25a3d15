/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role's face: frames become ops, links come and go, reload and stop.
 *
 * Stopping: transports are told first and send the outcomes of what they
 * work on, or hand it back; their links close behind that. The queue claims
 * nothing more, waits until no attempt is in flight with a worker whose link
 * is up, finishes its turn, moves the log into the file and goes.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/time.h"
#include "policy/worker.h"
#include "role/queue/queue.h"

#define GATHER_MS  3
#define GATHER_MAX 32 /* outcomes; with more a turn hardly gets cheaper */

/* ---- frames to ops ---- */

static const struct row {
	enum sp_role from;
	enum sp_msg type;
	const struct sp_queue_verb *verb;
	const struct sp_pack_field *fields;
	size_t size;
} FRAMES[] = {
	{SP_ROLE_RECEIVE, SP_MSG_SUBMIT, &SP_QUEUE_SUBMIT, SP_MSG_SUBMIT_FIELDS,
         sizeof(struct sp_msg_submit)},
	{SP_ROLE_RECEIVE, SP_MSG_BODY_CHUNK, &SP_QUEUE_CHUNK,
         SP_MSG_BODY_CHUNK_FIELDS, sizeof(struct sp_msg_body_chunk)},
	{SP_ROLE_RECEIVE, SP_MSG_SUBMIT_ABORT, &SP_QUEUE_ABORT,
         SP_MSG_SESSION_FIELDS, sizeof(struct sp_msg_session)},
	{SP_ROLE_TRANSPORT, SP_MSG_HELLO, &SP_QUEUE_HELLO, SP_MSG_HELLO_FIELDS,
         sizeof(struct sp_msg_hello)},
	{SP_ROLE_TRANSPORT, SP_MSG_BODY_PULL, &SP_QUEUE_PULL,
         SP_MSG_BODY_PULL_FIELDS, sizeof(struct sp_msg_body_pull)},
	{SP_ROLE_TRANSPORT, SP_MSG_OUTCOME, &SP_QUEUE_OUTCOME,
         SP_MSG_OUTCOME_FIELDS, sizeof(struct sp_msg_outcome)},
	{SP_ROLE_SIGN, SP_MSG_BODY_PULL, &SP_QUEUE_SIGN_PULL,
         SP_MSG_BODY_PULL_FIELDS, sizeof(struct sp_msg_body_pull)},
	{SP_ROLE_SIGN, SP_MSG_SIGNED, &SP_QUEUE_SIGNED, SP_MSG_SIGNED_FIELDS,
         sizeof(struct sp_msg_signed)},
	{SP_ROLE_TRANSPORT, SP_MSG_STS_KEEP, &SP_QUEUE_STS_KEEP,
         SP_MSG_STS_FIELDS, sizeof(struct sp_msg_sts)},
	{SP_ROLE_FETCH, SP_MSG_FETCHED, &SP_QUEUE_STS_FETCHED,
         SP_MSG_FETCHED_FIELDS, sizeof(struct sp_msg_fetched)},
	{SP_ROLE_REPORT, SP_MSG_TLS_REPORT, &SP_QUEUE_TLS_REPORT,
         SP_MSG_TLS_REPORT_FIELDS, sizeof(struct sp_msg_tls_report)},
	{SP_ROLE_CONSOLE, SP_MSG_COMMAND, &SP_QUEUE_COMMAND,
         SP_MSG_COMMAND_FIELDS, sizeof(struct sp_msg_command)},
};

struct sp_queue_op *sp_queue_op_new(struct sp_queue *q,
                                    struct sp_role_link *link,
                                    const struct sp_queue_verb *verb,
                                    size_t msg_size)
{
	struct sp_queue_op *op = SP_NEW(struct sp_queue_op);

	op->verb = verb;
	op->link = link;
	sp_arena_init(&op->arena);
	op->msg = sp_arena_alloc(&op->arena, msg_size);
	sp_list_append(&q->ops, &op->node);
	return op;
}

void sp_queue_op_free(struct sp_queue_op **op)
{
	if (*op) {
		sp_list_remove(&(*op)->node);
		sp_arena_fini(&(*op)->arena);
		SP_FREE(op);
	}
}

void sp_queue_wake(struct sp_queue *q)
{
	sp_deferred_call(q->turn);
}

/* Nobody waits for the commit of an outcome, but each commit costs as much as
 * some messages. So a turn that has nothing but outcomes waits for more of
 * them, while twice as many attempts are under way: their workers have enough
 * to do. */
void sp_queue_wake_for_outcome(struct sp_queue *q)
{
	q->outcomes++;
	if (q->ctx->stopping || q->outcomes >= GATHER_MAX ||
	    2 * q->outcomes >= sp_queue_in_flight(q)) {
		sp_queue_wake(q);
	} else if (q->outcomes == 1) {
		sp_timer_set(q->gather, GATHER_MS);
	}
}

static const struct row *find_row(enum sp_role from, uint16_t type)
{
	for (size_t i = 0; i < sizeof(FRAMES) / sizeof(FRAMES[0]); i++) {
		if (FRAMES[i].from == from && FRAMES[i].type == type) {
			return &FRAMES[i];
		}
	}
	return NULL;
}

static int on_frame(struct sp_role_ctx *ctx, struct sp_role_link *link,
                    uint16_t type, struct sp_str payload)
{
	struct sp_queue *q = ctx->state;
	const struct row *row = find_row(link->role, type);
	struct sp_queue_op *op;

	if (!row) {
		return SP_EPROTO;
	}
	op = sp_queue_op_new(q, link, row->verb, row->size);
	if (sp_unpack(row->fields, payload, true, &op->arena, op->msg)) {
		sp_queue_op_free(&op);
		return SP_EPROTO;
	}
	if (!q->store && op->verb->refuse) {
		op->verb->refuse(q, op, SP_ESTORE);
		sp_queue_op_free(&op);
		return 0;
	}
	if (row->verb == &SP_QUEUE_OUTCOME) {
		sp_queue_wake_for_outcome(q);
	} else {
		sp_queue_wake(q);
	}
	return 0;
}

/* ---- links ---- */

/* What a peer that is gone asked for: outcomes and policies stay true without
 * it, the rest has lost its meaning. */
static void forget_ops(struct sp_queue *q, struct sp_role_link *link)
{
	SP_LIST_FOREACH_SAFE (it, tmp, &q->ops) {
		struct sp_queue_op *op =
			SP_CONTAINER(it, struct sp_queue_op, node);

		if (op->link != link) {
			continue;
		}
		if (op->verb == &SP_QUEUE_OUTCOME ||
		    op->verb == &SP_QUEUE_STS_KEEP ||
		    op->verb == &SP_QUEUE_COMMAND) {
			op->link = NULL;
		} else {
			sp_queue_op_free(&op);
		}
	}
}

static void on_link_up(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	sp_log(&ctx->log, SP_LOG_DEBUG, "queue.link_up",
	       SP_F_CSTR("peer", sp_role_name(link->role)),
	       SP_F_INT("index", link->index));
	if (link->role == SP_ROLE_FETCH) {
		sp_queue_wake(ctx->state); /* refreshes may be due */
	}
	if (link->role == SP_ROLE_SIGN) {
		sp_queue_sign_rewind(ctx->state);
		sp_queue_wake(ctx->state);
	}
}

static void on_link_down(struct sp_role_ctx *ctx, struct sp_role_link *link)
{
	struct sp_queue *q = ctx->state;

	forget_ops(q, link);
	if (link->role == SP_ROLE_RECEIVE) {
		sp_queue_receive_down(q, link);
	} else if (link->role == SP_ROLE_TRANSPORT) {
		sp_queue_worker_down(q, link->index);
	} else if (link->role == SP_ROLE_FETCH) {
		sp_queue_sts_down(q);
	} else if (link->role == SP_ROLE_SIGN) {
		sp_queue_sign_down(q);
	}
	sp_queue_wake(q);
}

/* ---- life ---- */

static int prepare_store(struct sp_queue *q)
{
	uint64_t swept = 0;
	uint64_t moved = 0;
	int ret;

	sp_queue_set_limits(q);
	ret = sp_store_clock(q->store, &q->clock);
	ret = ret ? ret : sp_store_begin(q->store);

	if (ret) {
		return ret;
	}
	ret = sp_store_sweep_incoming(q->store, &swept);
	ret = ret ? ret
	          : sp_store_set_workers(q->store, q->ctx->worker_count,
	                                 sp_worker_of, sp_time_wall_ms(),
	                                 &moved);
	if (ret) {
		sp_store_rollback(q->store);
		return ret;
	}
	ret = sp_store_commit(q->store);
	sp_log(&q->ctx->log, SP_LOG_INFO, "queue.opened",
	       SP_F_INT("half_received", swept), SP_F_INT("reassigned", moved),
	       SP_F_CSTR("check",
	                 sp_store_checked(q->store) == SP_STORE_CHECK_FULL
	                         ? "full"
	                         : "brief"));
	return ret;
}

static void free_queue(struct sp_queue **queue)
{
	struct sp_queue *q = *queue;

	for (unsigned i = 0; i < q->ctx->worker_count; i++) {
		sp_queue_worker_down(q, i);
		sp_map_fini(&q->workers[i].attempts);
	}
	sp_queue_sign_fini(q);
	sp_queue_sts_down(q);
	sp_map_fini(&q->sts.asked);
	sp_store_close(&q->store);
	sp_deferred_free(&q->turn);
	sp_timer_free(&q->wake);
	sp_timer_free(&q->gather);
	sp_timer_free(&q->reopen);
	sp_arena_fini(&q->turn_arena);
	sp_map_fini(&q->counts);
	sp_notices_fini(&q->notices);
	sp_free(q->workers);
	SP_FREE(queue);
}

static struct sp_queue *new_queue(struct sp_role_ctx *ctx)
{
	struct sp_queue *q = SP_NEW(struct sp_queue);

	q->ctx = ctx;
	q->boot = sp_time_boot();
	sp_list_init(&q->ops);
	sp_list_init(&q->done);
	sp_list_init(&q->sessions);
	sp_list_init(&q->withdraw);
	sp_arena_init(&q->turn_arena);
	sp_map_init(&q->counts);
	sp_map_init(&q->sts.asked);
	sp_list_init(&q->sts.asks);
	q->workers = sp_calloc(ctx->worker_count, sizeof(*q->workers));
	for (unsigned i = 0; i < ctx->worker_count; i++) {
		sp_map_init(&q->workers[i].attempts);
	}
	sp_queue_sign_init(q);
	q->turn = sp_deferred_new(ctx->loop, sp_queue_turn, q);
	q->wake = sp_timer_new(ctx->loop, sp_queue_turn, q);
	q->gather = sp_timer_new(ctx->loop, sp_queue_turn, q);
	q->reopen = sp_timer_new(ctx->loop, sp_queue_reopen, q);
	return q;
}

static int on_start(struct sp_role_ctx *ctx)
{
	struct sp_queue *q = new_queue(ctx);
	int ret = sp_notices_load(ctx->conf->notice.directory, &q->notices,
	                          ctx->why, sizeof(ctx->why));

	ret = ret ? ret
	          : sp_store_open(sp_str_from(ctx->conf->store),
	                          SP_STORE_WRITER, true, &q->store, ctx->why,
	                          sizeof(ctx->why));
	if (ret == 0) {
		ret = prepare_store(q);
		if (ret) {
			snprintf(ctx->why, sizeof(ctx->why), "%s",
			         sp_store_why(q->store));
		}
	}
	if (ret) {
		free_queue(&q);
		return ret;
	}
	ctx->state = q;
	sp_queue_wake(q);
	return 0;
}

static void on_reload(struct sp_role_ctx *ctx)
{
	struct sp_queue *q = ctx->state;
	char why[512];

	if (sp_notices_load(ctx->conf->notice.directory, &q->notices, why,
	                    sizeof(why))) {
		sp_log(&ctx->log, SP_LOG_ERROR, "queue.notices_kept",
		       SP_F_CSTR("why", why));
	}
	q->end_pauses = true;
	if (q->store) {
		sp_queue_set_limits(q);
	}
	sp_queue_wake(q); /* deliver may be true now */
}

static void on_stop(struct sp_role_ctx *ctx)
{
	sp_queue_wake(ctx->state); /* the turn sees ctx->stopping */
}

static void free_list(struct sp_list *ops)
{
	while (!sp_list_empty(ops)) {
		struct sp_queue_op *op = SP_CONTAINER(sp_list_first(ops),
		                                      struct sp_queue_op, node);

		sp_queue_op_free(&op);
	}
}

static void on_finish(struct sp_role_ctx *ctx)
{
	struct sp_queue *q = ctx->state;

	if (!q) {
		return;
	}
	free_list(&q->ops);
	free_list(&q->done);
	free_list(&q->withdraw);
	while (!sp_list_empty(&q->sessions)) {
		struct sp_queue_session *s =
			SP_CONTAINER(sp_list_first(&q->sessions),
		                     struct sp_queue_session, node);

		sp_list_remove(&s->node);
		sp_free(s);
	}
	free_queue(&q);
	ctx->state = NULL;
}

const struct sp_role_ops SP_ROLE_QUEUE_OPS = {
	.start = on_start,
	.link_up = on_link_up,
	.link_down = on_link_down,
	.frame = on_frame,
	.reload = on_reload,
	.stop = on_stop,
	.finish = on_finish,
};
