/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_SMTP_H
#define SP_ANALYZE_CHECK_SMTP_H

#include "analyze/check.h"

/*
 * "Inbound SMTP" (analyzer.md 1, --smtp): a session with every address of
 * every host, up to the recipient and no further. The branch's verdict is
 * what delivery would make of a message to that recipient; a recipient that
 * is put off (4xx, as greylisting does) is a warning. An open relay fails.
 *
 * Steps: smtp, smtp.host, smtp.address and below it connect, greeting, ehlo,
 * starttls, mail, rcpt, relay, submission.
 */

struct sp_check_smtp;

struct sp_check_smtp *sp_check_smtp_new(const struct sp_check_ask *ask,
                                        struct sp_step *parent, sp_check_fn *fn,
                                        void *arg);
/* Before it is freed at work: ends the steps of the addresses that are done. */
void sp_check_smtp_cut(struct sp_check_smtp *part);
void sp_check_smtp_free(struct sp_check_smtp **part);

#endif
