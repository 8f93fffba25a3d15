/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/tlsrpt_mail.h"

static const struct sp_tlsrpt_mail MAIL = {
	.from = SP_STR("tls@sender.test"),
	.to = SP_STR("reports@d.test"),
	.submitter = SP_STR("sender.test"),
	.domain = SP_STR("d.test"),
	.report_id = SP_STR("2026-11-22.d.test@mail.sender.test"),
	.message_id = SP_STR("1@mail.sender.test"),
	.file = SP_STR("sender.test!d.test!1!2.json.gz"),
	.packed = SP_STR("packed"),
	.now_ms = 1800000000000,
};

/* RFC 8460 5.3: all of its fields, each once. */
static void test_fields(void **state)
{
	static const char *const lines[] = {
		"From: <tls@sender.test>\r\n",
		"\r\nTo: <reports@d.test>\r\n",
		"\r\nDate: Fri, 15 Jan 2027 08:00:00 +0000\r\n",
		"\r\nMessage-ID: <1@mail.sender.test>\r\n",
		"\r\nSubject: Report Domain: d.test\r\n"
		" Submitter: sender.test\r\n"
		" Report-ID: <2026-11-22.d.test@mail.sender.test>\r\n",
		"\r\nTLS-Report-Domain: d.test\r\n",
		"\r\nTLS-Report-Submitter: sender.test\r\n",
		"\r\nTLS-Required: No\r\n",
		"\r\nContent-Type: multipart/report; report-type=tlsrpt;\r\n",
		"\r\nContent-Type: application/tlsrpt+gzip\r\n",
		"filename=\"sender.test!d.test!1!2.json.gz\"\r\n",
		"\r\n\r\ncGFja2Vk\r\n--=_tls-report--\r\n",
	};
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 10000);
	assert_int_equal(sp_tlsrpt_mail_write(&MAIL, &out), 0);
	(void)sp_buf_append_char(&out, '\0');
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		const char *found = strstr(sp_buf_str(&out).ptr, lines[i]);

		print_message("  %s\n", lines[i]);
		assert_non_null(found);
		assert_null(strstr(found + 1, lines[i]));
	}
	sp_buf_fini(&out);
}

/* Nothing gets into the header that was not put there. */
static void test_refused(void **state)
{
	static const struct sp_str values[] = {
		SP_STR(""),   SP_STR("a\r\nBcc: x"), SP_STR("a b"),
		SP_STR("a>"), SP_STR("\xc3\xa9"),    SP_STR("a\"b"),
	};
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 10000);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct sp_tlsrpt_mail mail = MAIL;

		mail.domain = values[i];
		assert_int_equal(sp_tlsrpt_mail_write(&mail, &out), SP_ESYNTAX);
		mail = MAIL;
		mail.to = values[i];
		assert_int_equal(sp_tlsrpt_mail_write(&mail, &out), SP_ESYNTAX);
		mail = MAIL;
		mail.file = values[i];
		assert_int_equal(sp_tlsrpt_mail_write(&mail, &out), SP_ESYNTAX);
		assert_int_equal(sp_buf_len(&out), 0);
	}
	sp_buf_fini(&out);
}

/* RFC 8460 5.1 */
static void test_file_name(void **state)
{
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 1000);
	assert_int_equal(sp_tlsrpt_file_name(SP_STR("s.test"), SP_STR("d.test"),
	                                     1000, 86399000, ".json.gz", &out),
	                 0);
	assert_true(sp_str_eq(sp_buf_str(&out),
	                      SP_STR("s.test!d.test!1!86399.json.gz")));
	sp_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_file_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
