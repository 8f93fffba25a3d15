/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relaxed canonicalisation and the signature field. The body machine keeps
 * back what may turn out to be nothing: blanks until a byte follows in the
 * line, line ends until one follows in the body.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/err.h"
#include "wire/base64.h"
#include "wire/dkim.h"

#define LINE_WIDTH 72 /* of the signature field */

/* RFC 6376 5.4.1, and what mail programs show or act on. */
const char *const SP_DKIM_OVERSIGNED[] = {
	"from",         "to",
	"cc",           "subject",
	"date",         "message-id",
	"reply-to",     "mime-version",
	"content-type", "content-transfer-encoding",
	NULL,
};

const char *const SP_DKIM_SIGNED[] = {
	"sender",
	"in-reply-to",
	"references",
	"resent-date",
	"resent-from",
	"resent-sender",
	"resent-to",
	"resent-cc",
	"resent-message-id",
	"content-id",
	"content-description",
	"content-disposition",
	"content-language",
	"auto-submitted",
	"list-id",
	"list-help",
	"list-unsubscribe",
	"list-unsubscribe-post", /* RFC 8058 4 */
	"list-subscribe",
	"list-post",
	"list-owner",
	"list-archive",
	"tls-required",         /* RFC 8689 3 */
	"tls-report-domain",    /* RFC 8460 5.3 */
	"tls-report-submitter", /* RFC 8460 5.3 */
	NULL,
};

/* ---- header ---- */

int sp_dkim_relax_field(struct sp_str name, struct sp_str value,
                        struct sp_buf *out)
{
	bool blank = false;
	bool any = false;

	for (size_t i = 0; i < name.len; i++) {
		(void)sp_buf_append_char(
			out, sp_ascii_lower(name.ptr[i])); /* sticky */
	}
	(void)sp_buf_append_char(out, ':');
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if (c == '\r' || c == '\n') {
			continue; /* unfolded */
		}
		if (sp_ascii_is_blank(c)) {
			blank = true;
			continue;
		}
		if (blank && any) {
			(void)sp_buf_append_char(out, ' ');
		}
		(void)sp_buf_append_char(out, c);
		blank = false;
		any = true;
	}
	return sp_buf_append_cstr(out, "\r\n");
}

/* ---- body ---- */

void sp_dkim_body_init(struct sp_dkim_body *body, sp_dkim_sink_fn *sink,
                       void *arg)
{
	*body = (struct sp_dkim_body){.sink = sink, .arg = arg};
}

static void put_lines(struct sp_dkim_body *body)
{
	static const char MANY[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
				   "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";

	while (body->lines > 0) {
		uint64_t n = body->lines < 16 ? body->lines : 16;

		body->sink(body->arg, sp_str_slice(MANY, (size_t)n * 2));
		body->lines -= n;
	}
}

/* Bytes that are neither blanks nor line ends. */
static void put_text(struct sp_dkim_body *body, struct sp_str text)
{
	put_lines(body);
	if (body->blank) {
		body->sink(body->arg, SP_STR(" "));
	}
	body->sink(body->arg, text);
	body->blank = false;
	body->any = true;
}

static bool is_text(char c)
{
	return !sp_ascii_is_blank(c) && c != '\r' && c != '\n';
}

void sp_dkim_body_feed(struct sp_dkim_body *body, struct sp_str piece)
{
	for (size_t i = 0; i < piece.len;) {
		size_t from = i;
		char c = piece.ptr[i];

		if (body->cr && c != '\n') { /* a CR of its own is text */
			body->cr = false;
			put_text(body, SP_STR("\r"));
		}
		while (i < piece.len && is_text(piece.ptr[i])) {
			i++;
		}
		if (i > from) {
			put_text(body, sp_str_sub(piece, from, i - from));
			continue;
		}
		i++;
		if (c == '\n') {
			body->lines++;
			body->blank = false;
			body->cr = false;
		} else if (c == '\r') {
			body->cr = true;
		} else {
			body->blank = true;
		}
	}
}

void sp_dkim_body_finish(struct sp_dkim_body *body)
{
	if (body->cr) {
		put_text(body, SP_STR("\r"));
		body->cr = false;
	}
	if (body->any) {
		body->sink(body->arg, SP_STR("\r\n"));
	}
}

/* ---- the signature field ---- */

/* What is being put together: the names of h=, and the fields behind it. */
struct chosen {
	const struct sp_header_field *fields;
	size_t count;
	struct sp_buf *field; /* the signature field */
	struct sp_buf *input;
	size_t line_start; /* in field */
	bool first;
};

static void put_name(struct chosen *c, const char *name)
{
	if (!c->first) {
		(void)sp_buf_append_char(c->field, ':'); /* sticky */
	}
	if (sp_buf_len(c->field) - c->line_start + strlen(name) > LINE_WIDTH) {
		(void)sp_buf_append_cstr(c->field, "\r\n\t");
		c->line_start = sp_buf_len(c->field) - 1;
	}
	(void)sp_buf_append_cstr(c->field, name);
	c->first = false;
}

/* All fields of the name, the last first. */
static void choose(struct chosen *c, const char *name, bool oversign)
{
	for (size_t i = c->count; i > 0; i--) {
		const struct sp_header_field *f = &c->fields[i - 1];

		if (sp_str_eq_nocase(f->name, sp_str_from(name))) {
			put_name(c, name);
			(void)sp_dkim_relax_field(f->name, f->value, c->input);
		}
	}
	if (oversign) {
		put_name(c, name);
	}
}

int sp_dkim_signature_input(const struct sp_dkim_signature *s,
                            const struct sp_header_field *fields, size_t count,
                            struct sp_buf *field_out, struct sp_buf *input_out)
{
	struct chosen c = {.fields = fields,
	                   .count = count,
	                   .field = field_out,
	                   .input = input_out,
	                   .first = true};
	size_t start = sp_buf_len(field_out);
	struct sp_arena arena;
	struct sp_str value;

	sp_arena_init(&arena);
	(void)sp_buf_printf(field_out,
	                    "DKIM-Signature: v=1; a=%s; c=relaxed/relaxed;\r\n"
	                    "\td=" SP_STR_FMT "; s=" SP_STR_FMT "; t=%lld;\r\n"
	                    "\tbh=" SP_STR_FMT ";\r\n",
	                    s->algorithm, SP_STR_ARG(s->domain),
	                    SP_STR_ARG(s->selector), (long long)s->time_s,
	                    SP_STR_ARG(sp_base64_encode(s->body_hash, &arena)));
	sp_arena_fini(&arena);
	c.line_start = sp_buf_len(field_out);
	(void)sp_buf_append_cstr(field_out, "\th=");
	for (size_t i = 0; SP_DKIM_OVERSIGNED[i]; i++) {
		choose(&c, SP_DKIM_OVERSIGNED[i], true);
	}
	for (size_t i = 0; SP_DKIM_SIGNED[i]; i++) {
		choose(&c, SP_DKIM_SIGNED[i], false);
	}
	if (sp_buf_append_cstr(field_out, ";\r\n\tb=")) {
		return SP_ELIMIT;
	}
	value = sp_str_sub(sp_buf_str(field_out), start, SIZE_MAX);
	value = sp_str_sub(value, sizeof("DKIM-Signature:") - 1, value.len);
	if (sp_dkim_relax_field(SP_STR("DKIM-Signature"), value, input_out)) {
		return SP_ELIMIT;
	}
	sp_buf_truncate(input_out, 2); /* its CRLF is not hashed (3.7) */
	return 0;
}
