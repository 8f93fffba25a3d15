/* SPDX-License-Identifier: Apache-2.0 */
/* The field tables of all frames; limits on every string and array. */
#include <string.h>

#include "ipc/channel.h"
#include "ipc/msg.h"
#include "wire/address.h"
#include "wire/dns.h"
#include "wire/mta_sts.h"

#define DOMAIN_MAX 255
#define HOST_MAX   255
#define LINE_MAX   2048

/* The largest frames fit: a SUBMIT with as many recipients as there may be,
 * each as long as it may be. A sender would abort otherwise. */
_Static_assert((SP_ADDRESS_MAX + SP_ADDRESS_DOMAIN_MAX + SP_ENVELOPE_ORCPT_MAX +
                16) * SP_ENVELOPE_RCPT_MAX +
                               SP_BODY_INLINE_MAX + 65536 <
                       SP_FRAME_MAX,
               "an envelope fits into a frame");
_Static_assert((2 * LINE_MAX + 256) * SP_JOB_RCPT_MAX + SP_DETAIL_MAX +
                               (2 * SP_MSG_COUNT_LIST_MAX + LINE_MAX + 1024) *
                                       SP_MSG_COUNT_MAX <
                       SP_FRAME_MAX,
               "an outcome fits into a frame");

const struct sp_pack_field SP_MSG_LINK_FIELDS[] = {
	SP_PACK_LIM(ENUM, struct sp_msg_link, role, SP_ROLE_COUNT - 1),
	SP_PACK(U32, struct sp_msg_link, index),
	SP_PACK(U32, struct sp_msg_link, worker_count),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_RELOAD_FIELDS[] = {
	SP_PACK_LIM(STR, struct sp_msg_reload, config, SP_FRAME_MAX - 64),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_SUBMIT_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_submit, session),
	SP_PACK_LIM(STR, struct sp_msg_submit, id, SP_MSG_ID_MAX),
	SP_PACK_SUB(struct sp_msg_submit, envelope, SP_ENVELOPE_FIELDS),
	SP_PACK(BOOL, struct sp_msg_submit, complete),
	SP_PACK_LIM(STR, struct sp_msg_submit, body, SP_BODY_INLINE_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_BODY_CHUNK_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_body_chunk, session),
	SP_PACK(U32, struct sp_msg_body_chunk, seq),
	SP_PACK(BOOL, struct sp_msg_body_chunk, last),
	SP_PACK(BOOL, struct sp_msg_body_chunk, eight_bit),
	SP_PACK_LIM(STR, struct sp_msg_body_chunk, data, SP_BODY_CHUNK_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_SESSION_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_session, session),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_SUBMIT_DONE_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_submit_done, session),
	SP_PACK(BOOL, struct sp_msg_submit_done, accepted),
	SP_PACK_LIM(STR, struct sp_msg_submit_done, id, SP_MSG_ID_MAX),
	SP_PACK(U32, struct sp_msg_submit_done, code),
	SP_PACK_LIM(STR, struct sp_msg_submit_done, enhanced, 16),
	SP_PACK_LIM(STR, struct sp_msg_submit_done, text, LINE_MAX),
	SP_PACK_END,
};

static const struct sp_pack_field JOB_RCPT_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_job_rcpt, rcpt_id),
	SP_PACK_SUB(struct sp_msg_job_rcpt, rcpt, SP_ENVELOPE_RCPT_FIELDS),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_STS_FIELDS[] = {
	SP_PACK_LIM(STR, struct sp_msg_sts, domain, DOMAIN_MAX),
	SP_PACK_LIM(STR, struct sp_msg_sts, id, SP_STS_ID_MAX),
	SP_PACK_LIM(STR, struct sp_msg_sts, body, SP_MSG_STS_MAX),
	SP_PACK(I64, struct sp_msg_sts, fetched_ms),
	SP_PACK(I64, struct sp_msg_sts, expires_ms),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_JOB_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_job, attempt_id),
	SP_PACK_LIM(STR, struct sp_msg_job, id, SP_MSG_ID_MAX),
	SP_PACK_LIM(STR, struct sp_msg_job, domain, DOMAIN_MAX),
	SP_PACK(U32, struct sp_msg_job, attempt),
	SP_PACK(U64, struct sp_msg_job, size_bytes),
	SP_PACK(I64, struct sp_msg_job, expires_ms),
	SP_PACK_LIM(STR, struct sp_msg_job, exception, SP_MSG_REASON_MAX),
	SP_PACK_SUB(struct sp_msg_job, envelope, SP_ENVELOPE_FIELDS),
	SP_PACK_ARR(struct sp_msg_job, rcpts, rcpt_count, JOB_RCPT_FIELDS,
                    SP_JOB_RCPT_MAX),
	SP_PACK_SUB(struct sp_msg_job, sts, SP_MSG_STS_FIELDS),
	SP_PACK(BOOL, struct sp_msg_job, inline_body),
	SP_PACK_LIM(STR, struct sp_msg_job, body, SP_BODY_INLINE_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_BODY_PULL_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_body_pull, attempt_id),
	SP_PACK_LIM(STR, struct sp_msg_body_pull, id, SP_MSG_ID_MAX),
	SP_PACK(U32, struct sp_msg_body_pull, seq),
	SP_PACK_END,
};

static const struct sp_pack_field OUTCOME_RCPT_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_outcome_rcpt, rcpt_id),
	SP_PACK(U8, struct sp_msg_outcome_rcpt, class),
	SP_PACK(BOOL, struct sp_msg_outcome_rcpt, retry_now),
	SP_PACK(BOOL, struct sp_msg_outcome_rcpt, dsn),
	SP_PACK_LIM(STR, struct sp_msg_outcome_rcpt, cause, 64),
	SP_PACK_LIM(STR, struct sp_msg_outcome_rcpt, code, 16),
	SP_PACK_LIM(STR, struct sp_msg_outcome_rcpt, reply, LINE_MAX),
	SP_PACK_LIM(STR, struct sp_msg_outcome_rcpt, expired_code, 16),
	SP_PACK_LIM(STR, struct sp_msg_outcome_rcpt, expired_reply, LINE_MAX),
	SP_PACK_END,
};

static const struct sp_pack_field COUNT_FIELDS[] = {
	SP_PACK_LIM(STR, struct sp_msg_count, type, 32),
	SP_PACK_LIM(STR, struct sp_msg_count, domain, DOMAIN_MAX),
	SP_PACK_LIM(STR, struct sp_msg_count, recipient, DOMAIN_MAX),
	SP_PACK_LIM(STR, struct sp_msg_count, policy, SP_MSG_COUNT_LIST_MAX),
	SP_PACK_LIM(STR, struct sp_msg_count, mx_hosts, SP_MSG_COUNT_LIST_MAX),
	SP_PACK_LIM(STR, struct sp_msg_count, result, 64),
	SP_PACK_LIM(STR, struct sp_msg_count, sending_ip, 64),
	SP_PACK_LIM(STR, struct sp_msg_count, mx_host, HOST_MAX),
	SP_PACK_LIM(STR, struct sp_msg_count, mx_helo, HOST_MAX),
	SP_PACK_LIM(STR, struct sp_msg_count, receiving_ip, 64),
	SP_PACK_LIM(STR, struct sp_msg_count, reason, LINE_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_OUTCOME_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_outcome, attempt_id),
	SP_PACK_LIM(ENUM, struct sp_msg_outcome, destination,
                    SP_MSG_DESTINATION_FAILED),
	SP_PACK_LIM(STR, struct sp_msg_outcome, id, SP_MSG_ID_MAX),
	SP_PACK_LIM(STR, struct sp_msg_outcome, security, 16),
	SP_PACK_LIM(STR, struct sp_msg_outcome, host, HOST_MAX),
	SP_PACK_LIM(STR, struct sp_msg_outcome, address, 64),
	SP_PACK_LIM(STR, struct sp_msg_outcome, detail, SP_DETAIL_MAX),
	SP_PACK_ARR(struct sp_msg_outcome, rcpts, rcpt_count,
                    OUTCOME_RCPT_FIELDS, SP_JOB_RCPT_MAX),
	SP_PACK_ARR(struct sp_msg_outcome, counts, count_count, COUNT_FIELDS,
                    SP_MSG_COUNT_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_ATTEMPT_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_attempt, attempt_id),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_HELLO_FIELDS[] = {
	SP_PACK(U32, struct sp_msg_hello, slots),
	SP_PACK_ARR(struct sp_msg_hello, held, held_count,
                    SP_MSG_ATTEMPT_FIELDS, SP_HELLO_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_ASK_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_ask, id),
	SP_PACK_LIM(STR, struct sp_msg_ask, name, SP_DNS_NAME_MAX + 16),
	SP_PACK(U32, struct sp_msg_ask, type),
	SP_PACK(BOOL, struct sp_msg_ask, fresh),
	SP_PACK(BOOL, struct sp_msg_ask, anew),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_ASK_CANCEL_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_ask_cancel, id),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_ANSWER_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_answer, id),
	SP_PACK_LIM(STR, struct sp_msg_answer, answer, SP_FRAME_MAX - 4096),
	SP_PACK(BOOL, struct sp_msg_answer, validator_broken),
	SP_PACK_LIM(STR, struct sp_msg_answer, self_test, LINE_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_FETCH_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_fetch, id),
	SP_PACK_LIM(STR, struct sp_msg_fetch, url, SP_MSG_URL_MAX),
	SP_PACK(BOOL, struct sp_msg_fetch, post),
	SP_PACK_LIM(STR, struct sp_msg_fetch, post_type, 100),
	SP_PACK_LIM(STR, struct sp_msg_fetch, body, SP_MSG_POST_MAX),
	SP_PACK(U32, struct sp_msg_fetch, body_max),
	SP_PACK(U32, struct sp_msg_fetch, timeout_ms),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_FETCH_CANCEL_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_fetch_cancel, id),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_FETCHED_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_fetched, id),
	SP_PACK(U8, struct sp_msg_fetched, status),
	SP_PACK(U32, struct sp_msg_fetched, code),
	SP_PACK_LIM(STR, struct sp_msg_fetched, type, 256),
	SP_PACK_LIM(STR, struct sp_msg_fetched, body, SP_MSG_FETCHED_MAX),
	SP_PACK_LIM(STR, struct sp_msg_fetched, why, LINE_MAX),
	SP_PACK_LIM(STR, struct sp_msg_fetched, address, 64),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_SIGN_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_sign, ask),
	SP_PACK_LIM(STR, struct sp_msg_sign, id, SP_MSG_ID_MAX),
	SP_PACK(BOOL, struct sp_msg_sign, inline_body),
	SP_PACK_LIM(STR, struct sp_msg_sign, body, SP_BODY_INLINE_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_SIGNED_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_signed, ask),
	SP_PACK_LIM(STR, struct sp_msg_signed, id, SP_MSG_ID_MAX),
	SP_PACK_LIM(ENUM, struct sp_msg_signed, result, SP_MSG_SIGNED_FAILED),
	SP_PACK_LIM(STR, struct sp_msg_signed, header, SP_MSG_SIGNATURE_MAX),
	SP_PACK_LIM(STR, struct sp_msg_signed, domain, DOMAIN_MAX),
	SP_PACK_LIM(STR, struct sp_msg_signed, why, LINE_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_TLS_REPORT_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_tls_report, id),
	SP_PACK(I64, struct sp_msg_tls_report, day),
	SP_PACK_LIM(STR, struct sp_msg_tls_report, domain, DOMAIN_MAX),
	SP_PACK_LIM(STR, struct sp_msg_tls_report, uri, 1024),
	SP_PACK(U32, struct sp_msg_tls_report, state),
	SP_PACK_LIM(STR, struct sp_msg_tls_report, report_id, 255),
	SP_PACK(U32, struct sp_msg_tls_report, tries),
	SP_PACK(I64, struct sp_msg_tls_report, next_ms),
	SP_PACK_LIM(STR, struct sp_msg_tls_report, why, SP_MSG_REASON_MAX),
	SP_PACK_LIM(STR, struct sp_msg_tls_report, queue_id, SP_MSG_ID_MAX),
	SP_PACK_LIM(STR, struct sp_msg_tls_report, to, SP_ADDRESS_MAX),
	SP_PACK_LIM(STR, struct sp_msg_tls_report, to_domain, DOMAIN_MAX),
	SP_PACK_LIM(STR, struct sp_msg_tls_report, body, SP_MSG_TLS_REPORT_MAX),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_TLS_REPORT_DONE_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_tls_report_done, id),
	SP_PACK(BOOL, struct sp_msg_tls_report_done, done),
	SP_PACK_END,
};

const struct sp_pack_field SP_MSG_COMMAND_FIELDS[] = {
	SP_PACK(U64, struct sp_msg_command, id),
	SP_PACK_LIM(STR, struct sp_msg_command, json, SP_FRAME_MAX - 64),
	SP_PACK_END,
};

int sp_msg_job_unpack(struct sp_str payload, struct sp_arena *arena,
                      char **frame_out, char **body_out,
                      struct sp_msg_job *job_out)
{
	struct sp_arena aside = {0};
	uint32_t none = 0;
	struct sp_str body;
	size_t len;
	int err;

	sp_arena_init(&aside);
	err = sp_unpack(SP_MSG_JOB_FIELDS, payload, false, &aside, job_out);
	sp_arena_fini(&aside);
	body = job_out->body;
	if (err) {
		return err;
	}
	/* It is the last field, behind its length. */
	len = payload.len - body.len;
	*frame_out = sp_str_dup(sp_str_sub(payload, 0, len));
	memcpy(*frame_out + len - sizeof(none), &none, sizeof(none));
	*body_out = sp_str_dup(body);
	err = sp_unpack(SP_MSG_JOB_FIELDS, sp_str_slice(*frame_out, len), false,
	                arena, job_out);
	job_out->body = sp_str_slice(*body_out, body.len);
	return err;
}
