/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands from the console, {"verb": ..., "filter": {...}}: statistics, the
 * exceptions of destinations ({"verb", "domain", "until", "reason"}), and the
 * operator's retry, hold, release and remove. An action on many
 * recipients takes several turns, so that mail does not wait for it; it is
 * answered when the last of them is on disk. An action without any filter
 * must say "all": true.
 */
#include <string.h>

#include "base/err.h"
#include "base/time.h"
#include "role/filter.h"
#include "role/queue/queue.h"
#include "wire/address.h"
#include "wire/json.h"

#define ACT_BATCH 500
#define REPLY_MAX (64u * 1024)

static const struct {
	const char *verb;
	enum sp_store_action action;
} ACTIONS[] = {
	{"queue-retry", SP_STORE_ACT_RETRY},
	{"queue-hold", SP_STORE_ACT_HOLD},
	{"queue-release", SP_STORE_ACT_RELEASE},
	{"queue-remove", SP_STORE_ACT_REMOVE},
};

static bool filter_is_empty(const struct sp_store_filter *f)
{
	return !f->id.len && !f->message_id.len && !f->sender.len &&
	       !f->recipient.len && !f->domain.len && !f->statuses &&
	       !f->held && !f->code.len && !f->cause.len && !f->from_ms &&
	       !f->to_ms && !f->size_min && !f->size_max;
}

/* ---- answering ---- */

static void set_reply(struct sp_queue_op *op, struct sp_json *take)
{
	struct sp_buf text;

	sp_buf_init(&text, REPLY_MAX);
	if (sp_json_write(take, &text) == 0) {
		op->data = sp_arena_str(&op->arena, sp_buf_str(&text));
	}
	sp_buf_fini(&text);
	sp_json_free(&take);
}

static void set_error(struct sp_queue_op *op, const char *why)
{
	struct sp_json *reply = sp_json_object();

	sp_json_set_bool(reply, "ok", false);
	sp_json_set_cstr(reply, "error", why);
	set_reply(op, reply);
}

static void set_changed(struct sp_queue_op *op)
{
	struct sp_json *reply = sp_json_object();

	sp_json_set_bool(reply, "ok", true);
	sp_json_set_int(reply, "changed",
	                (int64_t)(op->changed + op->changed_now));
	set_reply(op, reply);
}

/* ---- verbs ---- */

static int act(struct sp_queue *q, struct sp_queue_op *op,
               enum sp_store_action action, const struct sp_json *command)
{
	const struct sp_json *object = sp_json_get(command, "filter");
	struct sp_store_filter filter;
	size_t batch = ACT_BATCH;
	char why[128];
	int ret;

	if (sp_filter_read(object, &filter, why, sizeof(why))) {
		set_error(op, why);
		return 0;
	}
	if (filter_is_empty(&filter) && !sp_json_get_bool(object, "all") &&
	    !sp_json_get_bool(command, "all")) {
		set_error(op, "filter: empty; say all to mean all");
		return 0;
	}
	if (filter.limit && filter.limit - op->changed < batch) {
		batch = filter.limit - op->changed;
	}
	ret = batch ? sp_store_act(q->store, action, &filter, batch,
	                           sp_time_wall_ms(), &op->changed_now)
	            : 0;
	q->forget |= action == SP_STORE_ACT_RETRY;
	op->again = op->changed_now == batch && batch == ACT_BATCH;
	set_changed(op);
	return ret;
}

static int stats(struct sp_queue *q, struct sp_queue_op *op)
{
	struct sp_json *reply = sp_json_object();
	struct sp_json *recipients = sp_json_object();
	struct sp_store_stats s;
	int ret = sp_store_stats(q->store, &s);

	for (int i = 0; i < SP_STORE_STATE_COUNT; i++) {
		sp_json_set_int(recipients,
		                sp_store_state_name((enum sp_store_state)i),
		                (int64_t)s.recipients[i]);
	}
	sp_json_set_bool(reply, "ok", true);
	sp_json_set(reply, "recipients", recipients);
	sp_json_set_int(reply, "report_due", (int64_t)s.report_due);
	sp_json_set_int(reply, "messages", (int64_t)s.messages);
	sp_json_set_int(reply, "incoming", (int64_t)s.incoming);
	sp_json_set_int(reply, "in_flight", (int64_t)sp_queue_in_flight(q));
	sp_json_set_int(reply, "signing", (int64_t)q->signing.asked.count);
	set_reply(op, reply);
	return ret;
}

/* The domain of an exception as it is scheduled; false: refused. */
static bool exception_domain(struct sp_queue_op *op,
                             const struct sp_json *command,
                             struct sp_str *domain_out)
{
	struct sp_str domain = sp_json_get_str(command, "domain");

	if (sp_domain_to_ascii(domain, &op->arena, domain_out) == 0) {
		return true;
	}
	set_error(op, "domain: not a domain");
	return false;
}

static int exception_add(struct sp_queue *q, struct sp_queue_op *op,
                         const struct sp_json *command)
{
	struct sp_store_exception e = {
		.reason = sp_json_get_str(command, "reason"),
		.added_ms = sp_time_wall_ms(),
	};

	if (!exception_domain(op, command, &e.domain)) {
		return 0;
	}
	if (sp_time_parse(sp_json_get_str(command, "until"), &e.until_ms) ||
	    e.until_ms <= e.added_ms) {
		set_error(op, "until: not a time to come");
		return 0;
	}
	if (e.reason.len == 0 || e.reason.len > SP_STORE_REASON_MAX) {
		set_error(op, "reason: missing, or too long");
		return 0;
	}
	sp_log(&q->ctx->log, SP_LOG_WARN, "queue.exception_added",
	       SP_F_STR("domain", e.domain),
	       SP_F_STR("until", sp_json_get_str(command, "until")),
	       SP_F_STR("reason", e.reason));
	op->changed_now = 1;
	q->end_pauses = q->forget = true; /* mail that waits may go now */
	set_changed(op);
	return sp_store_exception_set(q->store, &e);
}

static int exception_remove(struct sp_queue *q, struct sp_queue_op *op,
                            const struct sp_json *command)
{
	struct sp_str domain;
	int ret;

	if (!exception_domain(op, command, &domain)) {
		return 0;
	}
	ret = sp_store_exception_remove(q->store, domain);
	op->changed_now = ret == 0;
	set_changed(op);
	sp_log(&q->ctx->log, SP_LOG_INFO, "queue.exception_removed",
	       SP_F_STR("domain", domain), SP_F_INT("found", ret == 0));
	return ret == SP_ENOTFOUND ? 0 : ret;
}

static int report_import(struct sp_queue *q, struct sp_queue_op *op,
                         const struct sp_json *command)
{
	struct sp_json *reply = NULL;
	int ret = sp_queue_report_import(q, &op->arena, command, &reply);

	set_reply(op, reply);
	return ret;
}

static int run(struct sp_queue *q, struct sp_queue_op *op,
               const struct sp_json *command)
{
	struct sp_str verb = sp_json_get_str(command, "verb");

	if (sp_str_eq(verb, SP_STR("stats"))) {
		return stats(q, op);
	}
	if (sp_str_eq(verb, SP_STR("report-import"))) {
		return report_import(q, op, command);
	}
	if (sp_str_eq(verb, SP_STR("exception-add"))) {
		return exception_add(q, op, command);
	}
	if (sp_str_eq(verb, SP_STR("exception-remove"))) {
		return exception_remove(q, op, command);
	}
	for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
		if (sp_str_eq(verb, sp_str_from(ACTIONS[i].verb))) {
			return act(q, op, ACTIONS[i].action, command);
		}
	}
	set_error(op, "verb: not known here");
	return 0;
}

static int command_apply(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_command *m = op->msg;
	struct sp_json *command = NULL;
	char why[128];
	int ret = sp_json_parse(m->json, &SP_JSON_LIMITS_DEFAULT, &command, why,
	                        sizeof(why));

	if (ret) {
		set_error(op, why);
		return 0;
	}
	ret = run(q, op, command);
	sp_json_free(&command);
	return ret;
}

static void command_answer(struct sp_queue *q, struct sp_queue_op *op)
{
	const struct sp_msg_command *m = op->msg;
	const struct sp_msg_command reply = {m->id, op->data};

	(void)q;
	sp_role_send(op->link, SP_MSG_COMMAND_REPLY, SP_MSG_COMMAND_FIELDS,
	             &reply);
}

const struct sp_queue_verb SP_QUEUE_COMMAND = {"command", command_apply,
                                               command_answer, NULL};
