/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/retry_text.h"
#include "base/time.h"

void sp_retry_lines(const struct sp_retry *retry, int64_t now_ms,
                    struct sp_buf *out)
{
	unsigned planned = sp_retry_planned(retry);

	for (unsigned i = 1; i <= planned && i <= SP_RETRY_LINES_MAX; i++) {
		int64_t offset_ms = sp_retry_offset_ms(retry, i);
		char after[SP_TIME_TEXT], at[SP_TIME_TEXT];

		sp_duration_format(offset_ms, after);
		sp_time_rfc3339(now_ms + offset_ms, at);
		(void)sp_buf_printf(out, "%s%u. %s%s, %s", i > 1 ? "\n" : "", i,
		                    offset_ms ? "after " : "",
		                    offset_ms ? after : "at once", at);
	}
	if (planned > SP_RETRY_LINES_MAX) {
		(void)sp_buf_printf(out, "\nand %u more",
		                    planned - SP_RETRY_LINES_MAX);
	}
}

/* What the queue would know of the recipient in the end. */
struct ending {
	char code[32];
	char reply[1024];
	struct sp_notice_rcpt rcpt;
};

static void foresee(const struct sp_retry_report *report,
                    const struct sp_retry *retry, struct ending *out)
{
	bool at_once = report->verdict->class == SP_VERDICT_PERM;
	unsigned attempts = at_once ? 1 : sp_retry_planned(retry);
	struct sp_verdict last = sp_verdict_expire(report->verdict);

	sp_verdict_code(&last, out->code, sizeof(out->code));
	sp_verdict_line(&last, out->reply, sizeof(out->reply));
	out->rcpt = (struct sp_notice_rcpt){
		.address = report->recipient,
		.domain = report->domain,
		.code = sp_str_from(out->code),
		.cause = sp_str_from(sp_cause_get(last.cause)->name),
		.reply = sp_str_from(out->reply),
		.attempts = attempts,
		.expires_ms = sp_retry_expires_ms(retry, report->now_ms),
		.attempt_ms =
			report->now_ms + sp_retry_offset_ms(retry, attempts),
		.host = report->host,
		.host_address = report->address,
	};
}

void sp_retry_report(const struct sp_retry_report *report,
                     const struct sp_retry *retry, struct sp_str *subject_out,
                     struct sp_buf *out)
{
	struct ending end;
	const struct sp_notice_rcpt *rcpts[] = {&end.rcpt};
	struct sp_notice_group group = {
		.rcpts = rcpts, .count = 1, .detail = report->detail};
	const struct sp_notice notice = {
		.hostname = report->conf->hostname,
		.postmaster = report->conf->postmaster,
		.kind = SP_NOTICE_FAILED,
		.id = SP_STR("(a simulation)"),
		.sender = report->sender,
		.message_id = SP_STR("(a simulation)"),
		.received_ms = report->now_ms,
		.groups = &group,
		.group_count = 1,
	};

	foresee(report, retry, &end);
	group.try = sp_notice_find_try(report->detail, end.rcpt.cause);
	sp_notice_write(report->notices, &notice, subject_out, out);
}
