/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/dsn.h"

#define MIB (1024u * 1024)

static const char ORIGINAL[] = "From: a@s.test\r\nSubject: x\r\n\r\nbody\r\n";

static struct sp_dsn_rcpt failed(void)
{
	return (struct sp_dsn_rcpt){
		.address = SP_STR("b@d.test"),
		.action = SP_DSN_FAILED,
		.status = SP_STR("5.7.323"),
		.diagnostic_type = SP_DSN_SEALPOST,
		.diagnostic = SP_STR("550 5.7.323 tlsa-invalid: no"),
	};
}

static struct sp_dsn report(const struct sp_dsn_rcpt *rcpts, size_t count)
{
	return (struct sp_dsn){
		.hostname = SP_STR("mail.s.test"),
		.to = SP_STR("a@s.test"),
		.subject = SP_STR("Not delivered"),
		.id = SP_STR("R1"),
		.text = SP_STR("It failed.\n"),
		.seed = 1,
		.now_ms = 1000,
		.message_id = SP_STR("<1@s.test>"),
		.rcpts = rcpts,
		.rcpt_count = count,
		.original = sp_str_from(ORIGINAL),
	};
}

/* NUL-terminated, to be freed. */
static char *write_dsn(const struct sp_dsn *d, struct sp_dsn_result *result)
{
	struct sp_buf out;
	char *text;

	sp_buf_init(&out, 4 * MIB);
	assert_int_equal(sp_dsn_write(d, &out, result), 0);
	text = sp_buf_take(&out);
	sp_buf_fini(&out);
	return text;
}

static void has(const char *name, const char *text, const char *part)
{
	if (!strstr(text, part)) {
		fail_msg("%s: no '%s' in:\n%s", name, part, text);
	}
}

static void lacks(const char *name, const char *text, const char *part)
{
	if (strstr(text, part)) {
		fail_msg("%s: '%s' in:\n%s", name, part, text);
	}
}

/* ---- status fields ---- */

static const struct field_case {
	const char *name;
	struct sp_dsn_rcpt rcpt;
	const char *has;
	const char *lacks;
} FIELD_CASES[] = {
	{"RFC 3464 2.3.2 Final-Recipient",
         {.address = SP_STR("b@d.test")},
         "\r\n\r\nFinal-Recipient: rfc822; b@d.test\r\nAction: failed\r\n"
         "Status: 5.0.0\r\n",
         "Original-Recipient"},
	{"RFC 3464 2.3.1 Original-Recipient first",
         {.address = SP_STR("b@d.test"), .orcpt = SP_STR("rfc822;c@e.test")},
         "\r\n\r\nOriginal-Recipient: rfc822; c@e.test\r\nFinal-",
         "Remote"},
	{"RFC 3461 4.2 a type that is no atom is left out",
         {.address = SP_STR("b@d.test"), .orcpt = SP_STR("a b;c@e.test")},
         "\r\n\r\nFinal-Recipient:",
         "Original-Recipient"},
	{"RFC 3464 2.3.3 Action",
         {.action = SP_DSN_RELAYED},
         "Action: relayed\r\n"
         "Status: 2.0.0\r\n",
         "Action: failed"},
	{"RFC 3464 2.3.4 Status kept",
         {.status = SP_STR("5.7.323")},
         "Status: 5.7.323\r\n",
         "5.0.0"},
	{"RFC 3464 2.3.4 no status",
         {.action = SP_DSN_DELAYED, .status = SP_STR("9.1.1")},
         "Status: 4.0.0\r\n",
         "9.1.1"},
	{"RFC 3464 2.3.4 four parts",
         {.status = SP_STR("5.1.1.1")},
         "Status: 5.0.0\r\n",
         "5.1.1"},
	{"RFC 3464 2.3.5 Remote-MTA",
         {.remote_mta = SP_STR("mx.d.test")},
         "Remote-MTA: dns; mx.d.test\r\n",
         "Diagnostic"},
	{"RFC 3464 2.3.6 Diagnostic-Code smtp",
         {.diagnostic_type = SP_DSN_SMTP,
          .diagnostic = SP_STR("550 5.1.1 no such user")},
         "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
         "x-sealpost"},
	{"RFC 3464 2.3.6 Diagnostic-Code of ours, folded",
         {.diagnostic_type = SP_DSN_SEALPOST,
          .diagnostic = SP_STR("550 5.7.323 tlsa-invalid: The domain failed "
                               "DANE validation.")},
         "Diagnostic-Code: x-sealpost; 550 5.7.323 tlsa-invalid: The domain "
         "failed\r\n DANE validation.\r\n",
         "smtp"},
	{"RFC 3464 2.3.7, 2.3.9 times",
         {.last_attempt_ms = 1000, .retry_until_ms = 61000},
         "Last-Attempt-Date: Thu, 01 Jan 1970 00:00:01 +0000\r\n"
         "Will-Retry-Until: Thu, 01 Jan 1970 00:01:01 +0000\r\n",
         "Remote"},
	{"no injection by a reply",
         {.diagnostic_type = SP_DSN_SMTP,
          .diagnostic = SP_STR("550 x\r\n\r\nFinal-Recipient: z\r\n--=_s")},
         "smtp; 550 x?"
         "?"
         "?"
         "?Final-Recipient: z?"
         "?--=_s\r\n",
         "\nFinal-Recipient: z"},
	{"no injection by an address",
         {.address = SP_STR("b\r\nX: y@d.test")},
         "Final-Recipient: rfc822; b?"
         "?X: y@d.test\r\n",
         "\nX: y"},
};

static void test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(FIELD_CASES) / sizeof(FIELD_CASES[0]);
	     i++) {
		const struct field_case *c = &FIELD_CASES[i];
		struct sp_dsn d = report(&c->rcpt, 1);
		struct sp_dsn_result r;
		char *text = write_dsn(&d, &r);

		has(c->name, text, c->has);
		has(c->name, text, "Content-Type: message/delivery-status\r\n");
		lacks(c->name, text, c->lacks);
		sp_free(text);
	}
}

/* ---- the frame ---- */

static void test_header(void **state)
{
	struct sp_dsn_rcpt r = failed();
	struct sp_dsn d = report(&r, 1);
	struct sp_dsn_result result;
	char *text;

	(void)state;
	d.envid = SP_STR("e 1");
	d.arrival_ms = 5000;
	d.original_id = SP_STR("Q1");
	text = write_dsn(&d, &result);
	has("RFC 5322", text, "Date: Thu, 01 Jan 1970 00:00:01 +0000\r\n");
	has("RFC 5322", text,
	    "From: Mail Delivery System <MAILER-DAEMON@mail.s.test>\r\n"
	    "To: <a@s.test>\r\nSubject: Not delivered\r\n"
	    "Message-ID: <R1@mail.s.test>\r\n");
	has("RFC 5322 3.6.4", text, "References: <1@s.test>\r\n");
	has("RFC 3834 5", text, "Auto-Submitted: auto-replied\r\n");
	has("RFC 6522 3", text,
	    "multipart/report; report-type=delivery-status;\r\n");
	has("RFC 3464 2.2", text,
	    "Original-Envelope-Id: e 1\r\nReporting-MTA: dns; mail.s.test\r\n"
	    "Arrival-Date: Thu, 01 Jan 1970 00:00:05 +0000\r\n"
	    "X-Sealpost-Queue-Id: Q1\r\n\r\nFinal");
	assert_false(result.smtputf8 || result.body_8bit || result.whole);
	sp_free(text);
}

static const struct subject_case {
	const char *name, *subject, *line;
} SUBJECT_CASES[] = {
	{"RFC 5322 2.2.3 folded",
         "one two three four five six seven eight nine ten eleven twelve "
         "thirteen",
         "Subject: one two three four five six seven eight nine ten eleven "
         "twelve\r\n thirteen\r\n"},
	{"RFC 2047 4.2 beyond ASCII", "Z\xc3\xbc rich",
         "Subject: =?utf-8?q?Z=C3=BC=20rich?=\r\n"},
	{"no injection", "a\r\nBcc: x",
         "Subject: a?"
         "?Bcc: x\r\n"},
	{"bytes that are no UTF-8", "a\xff", "Subject: a?\r\n"},
};

static void test_subject(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(SUBJECT_CASES) / sizeof(SUBJECT_CASES[0]);
	     i++) {
		struct sp_dsn_rcpt r = failed();
		struct sp_dsn d = report(&r, 1);
		struct sp_dsn_result result;
		char *text;

		d.subject = sp_str_from(SUBJECT_CASES[i].subject);
		text = write_dsn(&d, &result);
		has(SUBJECT_CASES[i].name, text, SUBJECT_CASES[i].line);
		sp_free(text);
	}
}

/* ---- the bodies ---- */

static const struct body_case {
	const char *name;
	struct sp_str original;
	const char *has;
	bool whole, whole_out, body_8bit;
} BODY_CASES[] = {
	{"RFC 6522 4 header only", SP_STR("A: b\r\n\r\nbody\r\n"),
         "Content-Type: text/rfc822-headers\r\n"
         "Content-Transfer-Encoding: 7bit\r\n\r\nA: b\r\n",
         false, false, false},
	{"RFC 2046 5.2.1 whole", SP_STR("A: b\n\nbody"),
         "Content-Type: message/rfc822\r\n"
         "Content-Transfer-Encoding: 7bit\r\n\r\nA: b\r\n\r\nbody\r\n",
         true, true, false},
	{"RFC 3461 4.3 8-bit body: the header",
         SP_STR("A: b\r\n\r\n\xc3\xbc\r\n"),
         "Content-Type: text/rfc822-headers\r\n"
         "Content-Transfer-Encoding: 7bit\r\n\r\nA: b\r\n",
         true, false, false},
	{"RFC 6532 3.7 whole with UTF-8 header, encoded",
         SP_STR("A: \xc3\xbc\r\n\r\nx\r\n"),
         "Content-Type: message/global\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\nA: =C3=BC\r\n",
         true, true, false},
	{"RFC 6533 5 UTF-8 header", SP_STR("A: \xc3\xbc\r\n\r\nx\r\n"),
         "Content-Type: message/global-headers\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\nA: =C3=BC\r\n",
         false, false, false},
	{"header with other bytes", SP_STR("A: \xff\r\n\r\nx\r\n"),
         "Content-Type: text/rfc822-headers\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\nA: =FF\r\n",
         false, false, false},
	{"RFC 5321 2.3.8 bare CR: not whole", SP_STR("A: b\r\n\r\nx\ry\r\n"),
         "text/rfc822-headers", true, false, false},
	{"only a header", SP_STR("A: b\r\n"), "\r\n\r\nA: b\r\n", true, true,
         false},
	{"no header at all", SP_STR("body\r\n"), "\r\n\r\n--=_", false, false,
         false},
};

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(BODY_CASES) / sizeof(BODY_CASES[0]);
	     i++) {
		const struct body_case *c = &BODY_CASES[i];
		struct sp_dsn_rcpt r = failed();
		struct sp_dsn d = report(&r, 1);
		struct sp_dsn_result result;
		char *text;

		d.original = c->original;
		d.whole = c->whole;
		text = write_dsn(&d, &result);
		has(c->name, text, c->has);
		if (result.whole != c->whole_out ||
		    result.body_8bit != c->body_8bit) {
			fail_msg("%s: whole %d 8bit %d", c->name, result.whole,
			         result.body_8bit);
		}
		sp_free(text);
	}
}

static void test_long_lines(void **state)
{
	static char original[3000];
	struct sp_dsn_rcpt r = failed();
	struct sp_dsn d = report(&r, 1);
	struct sp_dsn_result result;
	char *text;

	(void)state;
	memset(original, 'x', sizeof(original));
	original[0] = 'A';
	original[1] = ':';
	d.original = sp_str_slice(original, sizeof(original));
	d.text = d.original;
	d.whole = true;
	text = write_dsn(&d, &result);
	assert_false(result.whole);
	for (const char *p = text, *end; (end = strchr(p, '\n')); p = end + 1) {
		assert_true(end - p <= 999);
	}
	sp_free(text);
}

static void test_large_header(void **state)
{
	static const char line[] = "Received: from somewhere\r\n";
	struct sp_dsn_rcpt r = failed();
	struct sp_dsn d = report(&r, 1);
	struct sp_dsn_result result;
	struct sp_buf original;
	char *text;

	(void)state;
	sp_buf_init(&original, MIB);
	while (sp_buf_len(&original) < 4 * SP_DSN_HEADER_MAX) {
		sp_buf_append_cstr(&original, line);
	}
	d.original = sp_buf_str(&original);
	text = write_dsn(&d, &result);
	assert_true(strlen(text) < SP_DSN_HEADER_MAX + 4096);
	has("cut at a line's end", text, "from somewhere\r\n\r\n--=_");
	sp_free(text);
	sp_buf_fini(&original);
}

static void test_utf8(void **state)
{
	struct sp_dsn_rcpt r = failed();
	struct sp_dsn d = report(&r, 1);
	struct sp_dsn_result result;
	char *text;

	(void)state;
	r.address = SP_STR("\xc3\xbc@d.test");
	text = write_dsn(&d, &result);
	has("RFC 6533 3", text,
	    "Content-Type: message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n");
	has("RFC 6533 3", text, "Final-Recipient: utf-8; =C3=BC@d.test\r\n");
	assert_false(result.smtputf8);
	sp_free(text);
	d.to = r.address;
	text = write_dsn(&d, &result);
	has("RFC 6531 3.2", text, "To: <\xc3\xbc@d.test>\r\n");
	assert_true(result.smtputf8);
	sp_free(text);
}

static void test_boundary(void **state)
{
	struct sp_dsn_rcpt r = failed();
	struct sp_dsn d = report(&r, 1);
	struct sp_dsn_result result;
	char *text;

	(void)state;
	d.original = SP_STR("A: b\r\n\r\n--=_sealpost_0000000000000001--\r\n");
	d.text = SP_STR("--=_sealpost_0000000000000002\n");
	d.whole = true;
	text = write_dsn(&d, &result);
	has("RFC 2046 5.1.1", text, "boundary=\"=_sealpost_0000000000000003\"");
	sp_free(text);
}

static void test_too_large(void **state)
{
	struct sp_dsn_rcpt r = failed();
	struct sp_dsn d = report(&r, 1);
	struct sp_dsn_result result;
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 300);
	sp_buf_append_cstr(&out, "x");
	assert_int_equal(sp_dsn_write(&d, &out, &result), SP_ELIMIT);
	assert_int_equal(sp_buf_len(&out), 1);
	sp_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_subject),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_large_header),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
