/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_SUBMIT_H
#define SP_CMD_SUBMIT_H

#include "conf/conf.h"
#include "wire/envelope.h"

/*
 * A message handed to the server's own submission listener by SMTP, from the
 * same machine: 0.0.0.0 and [::] are reached at the loopback address.
 */

struct sp_submission {
	const struct sp_conf *conf;
	struct sp_str sender; /* empty: null sender */
	struct sp_envelope_rcpt *rcpts;
	size_t rcpt_count;
	struct sp_str body; /* lines in LF or CRLF */
	enum sp_ret ret;
	struct sp_str envid;
	int refused_status; /* what a 5xx makes of the exit status */
};

#define SP_SUBMIT_ID_MAX 64

/* 0 with the queue id in id_out when all recipients were taken; else an exit
 * status, said: refused_status, SP_EXIT_AGAIN, SP_EXIT_CONF. id_out is empty
 * when nobody's message was taken. */
int sp_submit(const struct sp_submission *submission,
              char id_out[SP_SUBMIT_ID_MAX]);

/* A non-blocking descriptor connected to the first submission address that
 * answers, from the one numbered *at on, which is moved behind it. Negative:
 * none (any more); status_out then says why, when *at was 0 it was said. */
int sp_submit_connect(const struct sp_conf *conf, size_t *at, int *status_out);

#endif
