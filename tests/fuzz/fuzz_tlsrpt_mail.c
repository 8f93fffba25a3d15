/* SPDX-License-Identifier: Apache-2.0 */
/* layer: role */
/*
 * Any bytes as a mail: what is found in it are reports to be read, and there
 * are no more of them, and no longer ones, than there may be.
 */
#include "base/assert.h"
#include "base/err.h"
#include "role/report/mail.h"
#include "wire/tlsrpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str bytes = sp_str_slice(data, size);
	struct sp_tlsrpt_report report;
	struct report_mail mail;
	struct sp_arena arena;
	int err;

	sp_arena_init(&arena);
	(void)report_mail_is_bare(bytes);
	err = report_mail_open(bytes, &arena, &mail);
	SP_ASSERT(err == 0 || err == SP_ENOTFOUND || err == SP_ESYNTAX);
	SP_ASSERT((err == 0) == (mail.count > 0));
	SP_ASSERT(mail.count <= REPORT_PARTS_MAX);
	for (size_t i = 0; i < mail.count; i++) {
		SP_ASSERT(mail.parts[i].len <= size);
		(void)sp_tlsrpt_read_packed(mail.parts[i], &arena, &report,
		                            NULL);
	}
	sp_arena_fini(&arena);
	return 0;
}
