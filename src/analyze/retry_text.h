/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_RETRY_TEXT_H
#define SP_ANALYZE_RETRY_TEXT_H

#include "base/buf.h"
#include "conf/conf.h"
#include "deliver/notice.h"
#include "policy/retry.h"
#include "policy/verdict.h"
#include "wire/json.h"

/*
 * The future of a message that came now and whose first attempt has failed:
 * pure text, from the schedule and the words of the queue's own reports.
 */

#define SP_RETRY_LINES_MAX 60 /* attempts shown one by one */

/* A line for each attempt: its number, how long after the first, when. */
void sp_retry_lines(const struct sp_retry *retry, int64_t now_ms,
                    struct sp_buf *out);

struct sp_retry_report {
	const struct sp_conf *conf;
	const struct sp_notices *notices;
	struct sp_str sender, recipient, domain;
	const struct sp_verdict *verdict; /* of the attempt: TEMP or PERM */
	struct sp_str host, address;      /* of the last try */
	const struct sp_json *detail;     /* of the attempt */
	int64_t now_ms;                   /* wall */
};

/* The report at the message's end: its text into out, its subject borrowed
 * from the notices. */
void sp_retry_report(const struct sp_retry_report *report,
                     const struct sp_retry *retry, struct sp_str *subject_out,
                     struct sp_buf *out);

#endif
