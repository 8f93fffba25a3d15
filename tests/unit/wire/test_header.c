/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/header.h"

#define IN(lit)                                                                \
	{                                                                      \
		lit, sizeof(lit) - 1                                           \
	}

struct scan_case {
	const char *name;
	struct sp_str text;
	unsigned received_count;
	const char *message_id;
	const char *flags; /* From, Date, TLS optional, 8 header, b body
	                    * 8-bit, malformed */
	size_t header_bytes;
};

static const struct scan_case cases[] = {
	{"RFC 5322 2.1 header and body",
         IN("From: a\r\nDate: x\r\nMessage-ID: <1@d>\r\n\r\nReceived: no\r\n"),
         0, "<1@d>", "FD", 39},
	{"RFC 5321 6.3 Received counted",
         IN("Received: a\r\nRECEIVED :b\r\nX-Received: c\r\nreceived:d\r\n"
            "\r\n"),
         3, "", "", 55},
	{"RFC 5322 2.2.3 folded lines do not count",
         IN("Subject: x\r\n Received: a\r\n\tFrom: b\r\n\r\n"), 0, "", "", 38},
	{"RFC 5322 2.2.3 folded Message-ID",
         IN("Message-ID:\r\n <1@d>\r\n\r\n"), 0, "<1@d>", "", 23},
	{"RFC 5322 3.6.4 first Message-ID counts",
         IN("message-id: <1@d>\nMessage-ID: <2@d>\n\n"), 0, "<1@d>", "", 37},
	{"RFC 5322 3.6.4 Message-ID without brackets",
         IN("Message-ID: 1@d\r\n\r\n"), 0, "", "", 19},
	{"RFC 5322 3.6.4 Message-ID with blank",
         IN("Message-ID: <1 @d>\r\n\r\n"), 0, "", "", 22},
	{"RFC 5322 3.6.4 Message-ID not closed",
         IN("Message-ID: <1@d\r\nFrom: >\r\n\r\n"), 0, "", "F", 29},
	{"RFC 6532 3.2 8-bit header", IN("From: \xc3\xa9\r\n\r\nbody\r\n"), 0,
         "", "F8", 12},
	{"RFC 6152 3 8-bit body", IN("From: a\r\n\r\n\xe9\r\n"), 0, "", "Fb",
         11},
	{"RFC 5322 2.1 no header", IN("\r\nbody"), 0, "", "", 2},
	{"RFC 5322 2.1 no body", IN("From: a\r\n"), 0, "", "F", 9},
	{"RFC 5322 2.1 no line end", IN("From: a"), 0, "", "F", 7},
	{"RFC 5322 2.1 nothing", {NULL, 0}, 0, "", "", 0},
	{"RFC 5322 2.2 line without colon",
         IN("From: a\r\nhello there\r\nReceived: x\r\n\r\n"), 0, "", "Fm", 9},
	{"RFC 5322 2.2 mailbox separator", IN("From a@d Mon\nReceived: x\n\n"),
         0, "", "m", 0},
	{"RFC 5322 2.2 first line folded", IN(" x\r\n\r\n"), 0, "", "m", 0},
	{"RFC 5322 2.2 8-bit in a name", IN("A: b\r\n\xe9: x\r\n\r\n"), 0, "",
         "mb", 6},
	{"RFC 5322 2.2 name without end", IN("From: a\r\nTo"), 0, "", "Fm", 9},
	{"RFC 5322 2.2 empty name", IN(": x\r\n\r\n"), 0, "", "m", 0},
	{"RFC 5321 2.3.8 bare CR for an empty line",
         IN("From: a\r\n\rReceived: x\r\n\r\n"), 0, "", "Fm", 9},
	{"RFC 5321 2.3.8 bare CR in a value",
         IN("Subject: a\rReceived: x\r\n\r\n"), 0, "", "", 26},
	{"RFC 8689 3 TLS-Required: No",
         IN("tls-required: no\r\nFrom: a\r\n\r\n"), 0, "", "FT", 29},
	{"RFC 8689 3 TLS-Required folded, without the end of the header",
         IN("TLS-Required :\r\n  NO \r\n\t\r\n"), 0, "", "T", 26},
	{"RFC 8689 3 TLS-Required with another value",
         IN("TLS-Required: Yes\r\n\r\n"), 0, "", "", 21},
	{"RFC 8689 3 TLS-Required that begins with No",
         IN("TLS-Required: No\r\n way\r\n\r\n"), 0, "", "", 26},
	{"RFC 8689 3 TLS-Required with a long value",
         IN("TLS-Required: No, no, no, no\r\n\r\n"), 0, "", "", 32},
	{"RFC 8689 3 TLS-Required without value", IN("TLS-Required:\r\n\r\n"),
         0, "", "", 17},
	{"RFC 8689 3 TLS-Required twice",
         IN("TLS-Required: No\r\nTLS-Required: No\r\n\r\n"), 0, "", "", 38},
	{"RFC 8689 3 TLS-Required in the body",
         IN("From: a\r\n\r\nTLS-Required: No\r\n"), 0, "", "F", 11},
	{"RFC 8689 3 another name", IN("X-TLS-Required: No\r\n\r\n"), 0, "", "",
         22},
	{"longest name kept",
         IN("Receivedxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: a\r\n\r\n"), 0,
         "", "", 54},
};

static void check_scan(const struct scan_case *c,
                       const struct sp_header_scan *s)
{
	assert_true(s->ended);
	assert_int_equal(s->received_count, c->received_count);
	assert_true(
		sp_str_eq(sp_header_message_id(s), sp_str_from(c->message_id)));
	assert_int_equal(s->has_from, strchr(c->flags, 'F') != NULL);
	assert_int_equal(s->has_date, strchr(c->flags, 'D') != NULL);
	assert_int_equal(sp_header_tls_optional(s),
	                 strchr(c->flags, 'T') != NULL);
	assert_int_equal(s->header_8bit, strchr(c->flags, '8') != NULL);
	assert_int_equal(s->body_8bit, strchr(c->flags, 'b') != NULL);
	assert_int_equal(s->malformed, strchr(c->flags, 'm') != NULL);
	assert_int_equal(s->header_bytes, c->header_bytes);
	assert_int_equal(s->total_bytes, c->text.len);
}

/* Each case whole and cut into pieces of each size. */
static void test_scan(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("  %s\n", cases[i].name);
		for (size_t size = cases[i].text.len + 1; size > 0; size--) {
			struct sp_header_scan s;
			struct sp_str text = cases[i].text;

			sp_header_scan_init(&s);
			while (text.len > 0) {
				sp_header_scan_feed(&s,
				                    sp_str_sub(text, 0, size));
				text = sp_str_sub(text, size, text.len);
			}
			sp_header_scan_finish(&s);
			check_scan(&cases[i], &s);
		}
	}
}

static void test_id_limit(void **state)
{
	(void)state;
	for (size_t over = 0; over <= 1; over++) {
		struct sp_header_scan s;

		sp_header_scan_init(&s);
		sp_header_scan_feed(&s, SP_STR("Message-ID: <"));
		for (size_t i = 0; i < SP_ENVELOPE_MESSAGE_ID_MAX - 2 + over;
		     i++) {
			sp_header_scan_feed(&s, SP_STR("x"));
		}
		sp_header_scan_feed(&s, SP_STR(">\r\n\r\n"));
		assert_true(s.has_message_id);
		assert_int_equal(sp_header_message_id(&s).len,
		                 over ? 0 : SP_ENVELOPE_MESSAGE_ID_MAX);
	}
}

static void test_received(void **state)
{
	static const struct {
		const char *name;
		struct sp_received parts;
		const char *text;
	} written[] = {
		{"RFC 5321 4.4 all parts",
	         {.helo = IN("c.test"),
	          .rdns = IN("client.test"),
	          .address = IN("192.0.2.1"),
	          .by = IN("mx.test"),
	          .with = IN("ESMTPS"),
	          .tls = IN("TLSv1.3, TLS_AES_256_GCM_SHA384"),
	          .id = IN("ABC"),
	          .rcpt = IN("b@d.test")},
	         "Received: from c.test (client.test [192.0.2.1])\r\n"
	         "\tby mx.test with ESMTPS\r\n"
	         "\t(TLSv1.3, TLS_AES_256_GCM_SHA384)\r\n"
	         "\tid ABC\r\n"
	         "\tfor <b@d.test>;\r\n"
	         "\tThu, 01 Jan 1970 00:00:00 +0000\r\n"},
		{"RFC 5321 4.4 IPv6, no name",
	         {.helo = IN("[IPv6:::1]"),
	          .address = IN("::1"),
	          .by = IN("mx.test"),
	          .with = IN("SMTP"),
	          .id = IN("ABC")},
	         "Received: from [IPv6:::1] ([IPv6:::1])\r\n"
	         "\tby mx.test with SMTP\r\n"
	         "\tid ABC;\r\n"
	         "\tThu, 01 Jan 1970 00:00:00 +0000\r\n"},
		{"RFC 5321 4.4 by and date alone",
	         {.by = IN("mx.test")},
	         "Received:\r\n\tby mx.test;\r\n"
	         "\tThu, 01 Jan 1970 00:00:00 +0000\r\n"},
		{"RFC 5322 2.2 nothing of the client ends a line",
	         {.helo = IN("a\r\nX: (b) \\\0"),
	          .by = IN("mx.test"),
	          .rcpt = IN("a\n@d")},
	         "Received: from a??X:??b????\r\n\tby mx.test\r\n"
	         "\tfor <a?@d>;\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++) {
		struct sp_header_scan s;
		struct sp_buf out;

		print_message("  %s\n", written[i].name);
		sp_buf_init(&out, 2000);
		assert_int_equal(sp_header_received(&written[i].parts, &out),
		                 0);
		assert_int_equal(sp_buf_len(&out), strlen(written[i].text));
		assert_memory_equal(sp_buf_str(&out).ptr, written[i].text,
		                    sp_buf_len(&out));
		/* The scanner must see one field. */
		sp_header_scan_init(&s);
		sp_header_scan_feed(&s, sp_buf_str(&out));
		assert_int_equal(s.received_count, 1);
		assert_false(s.ended);
		sp_buf_fini(&out);
	}
}

static void test_received_limit(void **state)
{
	struct sp_received parts = {.by = SP_STR("mx.test")};
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 30);
	assert_int_equal(sp_buf_append_cstr(&out, "x"), 0);
	assert_int_equal(sp_header_received(&parts, &out), SP_ELIMIT);
	assert_true(sp_str_eq(sp_buf_str(&out), SP_STR("x")));
	sp_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_id_limit),
		cmocka_unit_test(test_received),
		cmocka_unit_test(test_received_limit),
	};

	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
