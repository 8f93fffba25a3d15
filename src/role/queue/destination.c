/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Destinations that fail as a whole. The attempt that found out speaks for
 * all: until the pause is over, what becomes due for the same destination is
 * deferred with the same cause, as though it had been tried. It counts as an
 * attempt, so each message keeps to its own schedule, expires in its time and
 * is reported with the right cause; its trace says which message was tried.
 *
 * A message with a rule of its own (RFC 8689) may fare better: it only waits
 * for the end of the pause, when it is due before all others that come later.
 *
 * The pause ends at the latest when the message that was tried is due again:
 * a message that is alone is always tried itself.
 */
#include <string.h>

#include "base/err.h"
#include "base/time.h"
#include "role/queue/queue.h"
#include "wire/json.h"

#define OVERDUE_BATCH 200
#define SHARES_MIN    4 /* that it takes to fill a worker */
#define DETAIL_MAX    1024

void sp_queue_set_limits(struct sp_queue *q)
{
	int64_t workers = (int64_t)q->ctx->worker_count;
	int64_t slots =
		(q->ctx->conf->smtp.max_connections + workers - 1) / workers;
	int64_t part = slots / SHARES_MIN > 0 ? slots / SHARES_MIN : 1;
	int64_t set = q->ctx->conf->smtp.max_per_domain;
	const struct sp_store_limits limits = {
		.destination_max = set < part ? set : part,
		.probe_max = part,
	};

	sp_store_set_limits(q->store, &limits);
}

static int64_t shortest_step(const struct sp_conf_steps *steps)
{
	int64_t shortest_ms = steps->steps_ms[0];

	for (size_t i = 1; i < steps->count; i++) {
		if (steps->steps_ms[i] < shortest_ms) {
			shortest_ms = steps->steps_ms[i];
		}
	}
	return shortest_ms;
}

int64_t sp_queue_pause_ms(const struct sp_conf *conf, struct sp_str domain,
                          int64_t now_ms, int64_t due_ms)
{
	const struct sp_conf_route *route = sp_conf_route_find(conf, domain);
	const struct sp_conf_steps *steps =
		route && route->retry.count ? &route->retry : &conf->retry;
	int64_t length_ms = shortest_step(steps) / 2;

	if (length_ms > conf->smtp.domain_pause_ms) {
		length_ms = conf->smtp.domain_pause_ms;
	}
	return due_ms >= 0 && due_ms < now_ms + length_ms ? due_ms
	                                                  : now_ms + length_ms;
}

/* {"destination_failed": {"time": ..., "probe": queue id, ...}} */
static struct sp_str detail_of(const struct sp_store_failure *f,
                               struct sp_arena *arena)
{
	struct sp_json *detail = sp_json_object();
	struct sp_json *failed = sp_json_object();
	struct sp_str text = SP_STR("");
	char time[SP_TIME_TEXT];
	struct sp_buf buf;

	sp_time_rfc3339(f->time_ms, time);
	sp_json_set_cstr(failed, "time", time);
	sp_json_set_str(failed, "probe", f->id);
	sp_json_set_str(failed, "host", f->host);
	sp_json_set_str(failed, "address", f->address);
	sp_json_set(detail, "destination_failed", failed);
	sp_buf_init(&buf, DETAIL_MAX);
	if (sp_json_write(detail, &buf) == 0) {
		text = sp_arena_str(arena, sp_buf_str(&buf));
	}
	sp_buf_fini(&buf);
	sp_json_free(&detail);
	return text;
}

static int defer_one(struct sp_queue *q, const struct sp_store_failure *f,
                     struct sp_str detail,
                     const struct sp_store_lease_rcpt *rcpt, int64_t now_ms)
{
	const struct sp_msg_outcome_rcpt as_if = {
		.rcpt_id = rcpt->rcpt_id,
		.code = f->code,
		.cause = f->cause,
		.reply = f->reply,
		.expired_code = f->expired_code,
		.expired_reply = f->expired_reply,
	};
	struct sp_store_outcome_rcpt out = {
		.rcpt_id = rcpt->rcpt_id,
		.code = f->code,
		.cause = f->cause,
		.reply = f->reply,
	};
	const struct sp_store_outcome outcome = {
		.now_ms = now_ms,
		.security = f->security,
		.host = f->host,
		.address = f->address,
		.detail = detail,
		.rcpts = &out,
		.rcpt_count = 1,
	};
	int ret;

	if (rcpt->own_rule) {
		out.state = SP_STORE_QUEUED;
		out.uncounted = true;
		out.due_ms = f->pause_ms;
	} else {
		sp_queue_defer(q, rcpt, &as_if, now_ms, &out);
	}
	ret = sp_store_settle(q->store, &outcome);
	return ret == SP_ENOTFOUND ? 0 : ret;
}

int sp_queue_defer_overdue(struct sp_queue *q, int64_t now_ms)
{
	struct sp_store_lease_rcpt *rcpts;
	struct sp_store_failure failure;
	size_t left = OVERDUE_BATCH;
	size_t count = 1;
	int ret = 0;

	if (!q->ctx->conf->deliver) {
		return 0;
	}
	while (ret == 0 && left > 0 && count > 0) {
		struct sp_str detail;

		ret = sp_store_overdue(q->store, now_ms, left, &q->turn_arena,
		                       &failure, &rcpts, &count);
		if (ret || count == 0) {
			break;
		}
		detail = detail_of(&failure, &q->turn_arena);
		for (size_t i = 0; ret == 0 && i < count; i++) {
			ret = defer_one(q, &failure, detail, &rcpts[i], now_ms);
		}
		left -= count;
		sp_log(&q->ctx->log, SP_LOG_INFO, "queue.deferred_together",
		       SP_F_STR("domain", rcpts[0].domain),
		       SP_F_STR("cause", failure.cause),
		       SP_F_STR("probe", failure.id),
		       SP_F_INT("recipients", count));
	}
	return ret;
}
