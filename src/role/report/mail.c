/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which part is the report is told by its media type, and where a reporter
 * says just "gzip" or "octet-stream", by its name. GMime decodes into memory
 * no more than what came, because every encoding of mail shrinks when it is
 * decoded; unpacking is for wire/gzip and its limits.
 */
#include <gmime/gmime.h>

#include "base/err.h"
#include "role/report/mail.h"
#include "wire/gzip.h"

#define FIELDS_MAX 20000
#define NAME_SEEN  200 /* bytes of a line that may be a field's name */

struct walking {
	struct sp_arena *arena;
	struct report_mail *mail;
	size_t seen;
};

bool report_mail_is_bare(struct sp_str bytes)
{
	static const struct sp_str mark = SP_STR("\xef\xbb\xbf");

	if (sp_str_starts_nocase(bytes, mark)) {
		return true;
	}
	while (bytes.len && (bytes.ptr[0] == ' ' || bytes.ptr[0] == '\t' ||
	                     bytes.ptr[0] == '\n' || bytes.ptr[0] == '\r')) {
		bytes = sp_str_sub(bytes, 1, bytes.len);
	}
	return bytes.len == 0 || sp_gzip_is(bytes) || bytes.ptr[0] == '{' ||
	       bytes.ptr[0] == '[';
}

static bool is_report_name(const char *name)
{
	struct sp_str text = sp_str_from(name);

	return sp_str_ends_nocase(text, SP_STR(".json")) ||
	       sp_str_ends_nocase(text, SP_STR(".json.gz")) ||
	       sp_str_ends_nocase(text, SP_STR(".gz"));
}

static bool is_report(GMimePart *part)
{
	GMimeContentType *type =
		g_mime_object_get_content_type(GMIME_OBJECT(part));

	return g_mime_content_type_is_type(type, "application",
	                                   "tlsrpt+gzip") ||
	       g_mime_content_type_is_type(type, "application",
	                                   "tlsrpt+json") ||
	       is_report_name(g_mime_part_get_filename(part));
}

static void take_part(struct walking *w, GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *stream;
	GByteArray *bytes;

	if (!content || w->mail->count == REPORT_PARTS_MAX) {
		return;
	}
	stream = g_mime_stream_mem_new();
	if (g_mime_data_wrapper_write_to_stream(content, stream) >= 0) {
		bytes = g_mime_stream_mem_get_byte_array(
			GMIME_STREAM_MEM(stream));
		w->mail->parts[w->mail->count++] = sp_arena_str(
			w->arena, sp_str_slice(bytes->data, bytes->len));
	}
	g_object_unref(stream);
}

static void on_part(GMimeObject *parent, GMimeObject *part, gpointer arg)
{
	struct walking *w = arg;

	(void)parent;
	if (w->seen++ < REPORT_PARTS_SEEN && GMIME_IS_PART(part) &&
	    is_report(GMIME_PART(part))) {
		take_part(w, GMIME_PART(part));
	}
}

static void read_message(struct walking *w, GMimeMessage *message)
{
	const char *submitter = g_mime_object_get_header(
		GMIME_OBJECT(message), "TLS-Report-Submitter");

	w->mail->submitter =
		sp_arena_str(w->arena, sp_str_trim(sp_str_from(submitter)));
	g_mime_message_foreach(message, on_part, w);
}

/* A field costs many times its bytes once it is parsed; lines that look like
 * one are counted, wherever they stand. Encoded parts have none. */
static bool has_too_many_fields(struct sp_str mail)
{
	static const struct sp_str never = SP_STR(" \t\"\r");
	struct sp_str line;
	size_t count = 0;

	while (sp_str_cut(&mail, '\n', &line)) {
		size_t i = 0;

		while (i < line.len && i < NAME_SEEN && line.ptr[i] != ':' &&
		       sp_str_find(never, line.ptr[i]) == never.len) {
			i++;
		}
		if (i > 0 && i < line.len && line.ptr[i] == ':' &&
		    ++count > FIELDS_MAX) {
			return true;
		}
	}
	return false;
}

int report_mail_open(struct sp_str mail, struct sp_arena *arena,
                     struct report_mail *mail_out)
{
	static bool ready;
	struct walking w = {.arena = arena, .mail = mail_out};
	GMimeMessage *message;
	GMimeParser *parser;
	GMimeStream *stream;

	*mail_out = (struct report_mail){.count = 0};
	if (mail.len > REPORT_MAIL_MAX || has_too_many_fields(mail)) {
		return SP_ELIMIT;
	}
	if (!ready) {
		g_mime_init();
		ready = true;
	}
	stream = g_mime_stream_mem_new_with_buffer(mail.ptr, mail.len);
	parser = g_mime_parser_new_with_stream(stream);
	message = g_mime_parser_construct_message(parser, NULL);
	if (message) {
		read_message(&w, message);
		g_object_unref(message);
	}
	g_object_unref(parser);
	g_object_unref(stream);
	if (!message) {
		return SP_ESYNTAX;
	}
	return mail_out->count ? 0 : SP_ENOTFOUND;
}
