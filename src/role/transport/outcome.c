/* SPDX-License-Identifier: Apache-2.0 */
/* From verdicts to the frame that the queue settles by. */
#include "base/assert.h"
#include "base/mem.h"
#include "deliver/evidence.h"
#include "role/transport/outcome.h"

#define LINE_MAX 1900 /* below the frame's own limit for a reply */

static struct sp_str line_of(const struct sp_verdict *v, struct sp_arena *arena)
{
	char line[LINE_MAX];

	sp_verdict_line(v, line, sizeof(line));
	return sp_arena_str(arena, sp_str_from(line));
}

static struct sp_str code_of(const struct sp_verdict *v, struct sp_arena *arena)
{
	char code[16];

	sp_verdict_code(v, code, sizeof(code));
	return sp_arena_str(arena, sp_str_from(code));
}

static void fill_rcpt(struct sp_msg_outcome_rcpt *out, uint64_t rcpt_id,
                      const struct sp_attempt_rcpt *rcpt, bool interrupted,
                      struct sp_arena *arena)
{
	const struct sp_verdict *v = &rcpt->verdict;
	struct sp_verdict expired = sp_verdict_expire(v);

	out->rcpt_id = rcpt_id;
	out->class = (uint8_t)v->class;
	out->retry_now = (interrupted && v->cause == SP_CAUSE_INTERRUPTED) ||
	                 v->cause == SP_CAUSE_HOST_BUSY;
	out->dsn = rcpt->dsn;
	out->code = code_of(v, arena);
	out->reply = line_of(v, arena);
	if (v->class != SP_VERDICT_DELIVERED) {
		out->cause = sp_str_from(sp_cause_get(v->cause)->name);
		out->expired_code = code_of(&expired, arena);
		out->expired_reply = line_of(&expired, arena);
	}
}

/* A report must never cause a report. */
static void fill_counts(struct sp_msg_outcome *msg,
                        const struct sp_msg_job *job,
                        const struct sp_attempt_result *result,
                        struct sp_arena *arena)
{
	if (sp_envelope_is_tls_report(&job->envelope)) {
		return;
	}
	msg->count_count = result->count_count;
	msg->counts = sp_arena_array(arena, result->count_count,
	                             sizeof(*msg->counts));
	for (size_t i = 0; i < result->count_count; i++) {
		const struct sp_count *c = &result->counts[i];

		msg->counts[i] = (struct sp_msg_count){
			.type = c->type,
			.domain = c->domain,
			.recipient = c->recipient,
			.policy = c->policy,
			.mx_hosts = c->mx_hosts,
			.result = c->result,
			.sending_ip = c->sending_ip,
			.mx_host = c->mx_host,
			.mx_helo = c->mx_helo,
			.receiving_ip = c->receiving_ip,
			.reason = c->reason,
		};
	}
}

static const enum sp_msg_destination DESTINATION[] = {
	[SP_ATTEMPT_NO_NEWS] = SP_MSG_DESTINATION_UNKNOWN,
	[SP_ATTEMPT_REACHED] = SP_MSG_DESTINATION_REACHED,
	[SP_ATTEMPT_FAILED] = SP_MSG_DESTINATION_FAILED,
};

void outcome_pack(const struct sp_msg_job *job,
                  const struct sp_attempt_result *result,
                  struct sp_arena *arena, struct sp_buf *out)
{
	struct sp_msg_outcome msg = {
		.attempt_id = job->attempt_id,
		.destination = DESTINATION[result->news],
		.id = job->id,
		.security = sp_str_from(result->security),
		.host = result->host,
		.address = result->address,
		.rcpt_count = result->rcpt_count,
	};
	struct sp_buf detail;
	int r;

	msg.rcpts =
		sp_arena_array(arena, result->rcpt_count, sizeof(*msg.rcpts));
	for (size_t i = 0; i < result->rcpt_count; i++) {
		fill_rcpt(&msg.rcpts[i], job->rcpts[i].rcpt_id,
		          &result->rcpts[i], result->interrupted, arena);
	}
	fill_counts(&msg, job, result, arena);
	sp_buf_init(&detail, SP_DETAIL_MAX);
	if (sp_evidence_write(result->detail, result->known,
	                      SP_ATTEMPT_KNOWN_MAX, SP_DETAIL_MAX, &detail)) {
		sp_buf_append_cstr(&detail, "{\"cut\": \"all of it\"}");
	}
	msg.detail = sp_buf_str(&detail);
	r = sp_pack(SP_MSG_OUTCOME_FIELDS, &msg, out);
	SP_ASSERT(r == 0);
	sp_buf_fini(&detail);
}

const char *outcome_scenario(const struct sp_attempt_result *result)
{
	for (size_t i = 0; i < result->rcpt_count; i++) {
		const struct sp_verdict *v = &result->rcpts[i].verdict;

		if (v->class != SP_VERDICT_DELIVERED) {
			return sp_cause_get(v->cause)->name;
		}
	}
	return "delivered";
}
