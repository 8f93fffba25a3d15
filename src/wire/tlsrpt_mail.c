/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS-Required: No (RFC 8689 3) stands in the header because a report has to
 * arrive where TLS does not work (RFC 8460 3): that is what it tells of.
 */
#include <inttypes.h>

#include "base/ascii.h"
#include "base/err.h"
#include "base/time.h"
#include "wire/base64.h"
#include "wire/tlsrpt_mail.h"

#define LINE_MAX   76 /* RFC 2045 6.8 */
#define VALUE_MAX  320
#define BOUNDARY   "=_tls-report"
#define SECOND_MS  1000
#define FILE_VALUE 600

int sp_tlsrpt_file_name(struct sp_str submitter, struct sp_str domain,
                        int64_t start_ms, int64_t end_ms, const char *extension,
                        struct sp_buf *out)
{
	return sp_buf_printf(
		out, SP_STR_FMT "!" SP_STR_FMT "!%" PRId64 "!%" PRId64 "%s",
		SP_STR_ARG(submitter), SP_STR_ARG(domain), start_ms / SECOND_MS,
		end_ms / SECOND_MS, extension);
}

/* Nothing that could end its line or its quotes. */
static bool fits(struct sp_str value, size_t max)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if (!sp_ascii_is_graph(c) || c == '"' || c == '\\' ||
		    c == '<' || c == '>') {
			return false;
		}
	}
	return value.len > 0 && value.len <= max;
}

static void write_header(const struct sp_tlsrpt_mail *m, struct sp_buf *out)
{
	char date[SP_TIME_TEXT];

	sp_time_rfc5322(m->now_ms, date);
	(void)sp_buf_printf(
		out,
		"From: <" SP_STR_FMT ">\r\n"
		"To: <" SP_STR_FMT ">\r\n"
		"Date: %s\r\n"
		"Message-ID: <" SP_STR_FMT ">\r\n"
		"Subject: Report Domain: " SP_STR_FMT "\r\n"
		" Submitter: " SP_STR_FMT "\r\n"
		" Report-ID: <" SP_STR_FMT ">\r\n"
		"TLS-Report-Domain: " SP_STR_FMT "\r\n"
		"TLS-Report-Submitter: " SP_STR_FMT "\r\n"
		"TLS-Required: No\r\n"
		"Auto-Submitted: auto-generated\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: multipart/report; report-type=tlsrpt;\r\n"
		" boundary=\"" BOUNDARY "\"\r\n"
		"\r\n",
		SP_STR_ARG(m->from), SP_STR_ARG(m->to), date,
		SP_STR_ARG(m->message_id), SP_STR_ARG(m->domain),
		SP_STR_ARG(m->submitter), SP_STR_ARG(m->report_id),
		SP_STR_ARG(m->domain), SP_STR_ARG(m->submitter));
}

static void write_text(const struct sp_tlsrpt_mail *m, struct sp_buf *out)
{
	(void)sp_buf_printf(
		out,
		"--" BOUNDARY "\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n"
		"\r\n"
		"This is an aggregate TLS report (RFC 8460) from\r\n" SP_STR_FMT
		"\r\n"
		"about connections to mail servers under the policies "
		"of\r\n" SP_STR_FMT "\r\n"
		"\r\n",
		SP_STR_ARG(m->submitter), SP_STR_ARG(m->domain));
}

static void write_packed(const struct sp_tlsrpt_mail *m, struct sp_buf *out)
{
	struct sp_arena arena;
	struct sp_str text;

	(void)sp_buf_printf(out,
	                    "--" BOUNDARY "\r\n"
	                    "Content-Type: application/tlsrpt+gzip\r\n"
	                    "Content-Transfer-Encoding: base64\r\n"
	                    "Content-Disposition: attachment;\r\n"
	                    " filename=\"" SP_STR_FMT "\"\r\n"
	                    "\r\n",
	                    SP_STR_ARG(m->file));
	sp_arena_init(&arena);
	text = sp_base64_encode(m->packed, &arena);
	for (size_t at = 0; at < text.len; at += LINE_MAX) {
		(void)sp_buf_append_str(out, sp_str_sub(text, at, LINE_MAX));
		(void)sp_buf_append_cstr(out, "\r\n");
	}
	sp_arena_fini(&arena);
	(void)sp_buf_append_cstr(out, "--" BOUNDARY "--\r\n");
}

int sp_tlsrpt_mail_write(const struct sp_tlsrpt_mail *m, struct sp_buf *out)
{
	const struct sp_str values[] = {m->from,   m->to,        m->submitter,
	                                m->domain, m->report_id, m->message_id};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (!fits(values[i], VALUE_MAX)) {
			return SP_ESYNTAX;
		}
	}
	if (!fits(m->file, FILE_VALUE)) {
		return SP_ESYNTAX;
	}
	write_header(m, out);
	write_text(m, out);
	write_packed(m, out);
	return sp_buf_error(out);
}
