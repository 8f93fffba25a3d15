/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines are written whole: those of several processes that share a standard
 * error do not mix. A process that gathers (sp_log_gather) writes the lines of
 * a turn of its loop together, as many as a pipe takes in one piece; warnings
 * and errors are never kept back. A line has a maximum; a field that does not
 * fit is left out and the line says so ("cut").
 *
 *   2026-11-23T10:00:00.123Z warn smtp.refused role=transport code=550
 *   {"time":"2026-...","level":"warn","event":"smtp.refused","code":550}
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

#define VALUE_BYTES 512
#define FIELD_BYTES (2 * VALUE_BYTES + 128)
#define LINE_BYTES  8192
#define CONTEXT_MAX 16
#define LINE_START  512 /* most are shorter */

static struct {
	enum sp_log_level max_level;
	bool json;
	void (*capture)(void *arg, enum sp_log_level level, const char *event,
	                const char *line);
	void *capture_arg;
	bool gather;
} setup = {.max_level = SP_LOG_INFO};

static struct {
	size_t len;
	char bytes[PIPE_BUF];
} gathered;

static const char *const level_names[] = {
	[SP_LOG_ERROR] = "error",
	[SP_LOG_WARN] = "warn",
	[SP_LOG_INFO] = "info",
	[SP_LOG_DEBUG] = "debug",
};

void sp_log_setup(enum sp_log_level max_level, bool json)
{
	setup.max_level = max_level;
	setup.json = json;
}

void sp_log_capture(void (*fn)(void *arg, enum sp_log_level level,
                               const char *event, const char *line),
                    void *arg)
{
	setup.capture = fn;
	setup.capture_arg = arg;
}

static bool is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\';
}

/* Bytes of s, from the front, whose escaped form fits into room. */
static size_t fitting(struct sp_str s, size_t room)
{
	size_t used = 0;
	size_t i = 0;

	for (; i < s.len; i++) {
		used += is_plain(s.ptr[i]) ? 1 : 4;
		if (used > room) {
			break;
		}
	}
	return i;
}

void sp_log_escape(struct sp_str text, char *out, size_t cap)
{
	const size_t dots = 3;
	size_t at = 0;

	if (cap == 0) {
		return;
	}
	bool whole = fitting(text, cap - 1) == text.len;
	size_t room = whole ? cap - 1 : (cap - 1 > dots ? cap - 1 - dots : 0);
	size_t count = fitting(text, room);
	for (size_t i = 0; i < count; i++) {
		if (is_plain(text.ptr[i])) {
			out[at++] = text.ptr[i];
		} else {
			(void)snprintf(out + at, 5, "\\x%02x",
			               (unsigned int)(uint8_t)text.ptr[i]);
			at += 4;
		}
	}
	for (size_t i = 0; !whole && i < dots && at < cap - 1; i++) {
		out[at++] = '.';
	}
	out[at] = '\0';
}

static bool needs_quotes(const char *value)
{
	return *value == '\0' || strpbrk(value, " =") != NULL;
}

/* Escaped text holds backslashes only as \xHH; JSON wants them doubled. */
static void append_json_text(struct sp_buf *line, const char *escaped)
{
	(void)sp_buf_append_char(line, '"');
	for (const char *c = escaped; *c; c++) {
		if (*c == '\\') {
			(void)sp_buf_append_char(line, '\\');
		}
		(void)sp_buf_append_char(line, *c);
	}
	(void)sp_buf_append_char(line, '"');
}

static void append_text(struct sp_buf *line, struct sp_str text)
{
	char value[VALUE_BYTES + 1];

	sp_log_escape(text, value, sizeof(value));
	if (setup.json) {
		append_json_text(line, value);
	} else if (needs_quotes(value)) {
		(void)sp_buf_printf(line, "\"%s\"", value);
	} else {
		(void)sp_buf_append_cstr(line, value);
	}
}

static void append_value(struct sp_buf *line, const struct sp_field *f)
{
	switch (f->type) {
	case SP_FIELD_STR:
		append_text(line, f->str);
		break;
	case SP_FIELD_INT:
		(void)sp_buf_printf(line, "%lld", (long long)f->num);
		break;
	case SP_FIELD_BOOL:
		(void)sp_buf_append_cstr(line, f->num ? "true" : "false");
		break;
	case SP_FIELD_END:
		break;
	}
}

static void append_pair(struct sp_buf *line, const struct sp_field *f)
{
	(void)sp_buf_append_cstr(line, setup.json ? ",\"" : " ");
	(void)sp_buf_append_cstr(line, f->key);
	(void)sp_buf_append_cstr(line, setup.json ? "\":" : "=");
	append_value(line, f);
}

/* The field whole, or nothing of it. */
static void append_field(struct sp_buf *line, const struct sp_field *f,
                         bool *cut)
{
	struct sp_buf one;

	if (sp_buf_room(line) >= 2 * FIELD_BYTES) { /* it fits in any case */
		append_pair(line, f);
		return;
	}
	sp_buf_init(&one, FIELD_BYTES);
	append_pair(&one, f);
	if (sp_buf_error(&one) < 0 ||
	    sp_buf_len(&one) + sizeof(",\"cut\":true}\n") > sp_buf_room(line)) {
		*cut = true;
	} else {
		(void)sp_buf_append_str(line, sp_buf_str(&one));
	}
	sp_buf_fini(&one);
}

/* Inherited fields, the outermost first. */
static void append_context(struct sp_buf *line, const struct sp_log *ctx,
                           bool *cut)
{
	const struct sp_log *chain[CONTEXT_MAX];
	size_t depth = 0;

	for (; ctx && depth < CONTEXT_MAX; ctx = ctx->parent) {
		if (ctx->field.key) {
			chain[depth++] = ctx;
		}
	}
	while (depth > 0) {
		append_field(line, &chain[--depth]->field, cut);
	}
}

static void append_head(struct sp_buf *line, enum sp_log_level level,
                        const char *event)
{
	char now[SP_TIME_TEXT];

	sp_time_rfc3339(sp_time_wall_ms(), now);
	(void)sp_buf_append_cstr(line, setup.json ? "{\"time\":\"" : "");
	(void)sp_buf_append_cstr(line, now);
	(void)sp_buf_append_cstr(line, setup.json ? "\",\"level\":\"" : " ");
	(void)sp_buf_append_cstr(line, level_names[level]);
	(void)sp_buf_append_cstr(line, setup.json ? "\",\"event\":\"" : " ");
	(void)sp_buf_append_cstr(line, event);
	(void)sp_buf_append_cstr(line, setup.json ? "\"" : "");
}

/* A standard error that is gone is nobody's to be told about. */
static void write_all(struct sp_str s)
{
	while (s.len > 0) {
		ssize_t n = write(STDERR_FILENO, s.ptr, s.len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return;
		}
		s = sp_str_sub(s, (size_t)n, s.len);
	}
}

void sp_log_flush(void)
{
	size_t len = gathered.len;

	gathered.len = 0;
	write_all(sp_str_slice(gathered.bytes, len));
}

void sp_log_gather(bool on)
{
	sp_log_flush();
	setup.gather = on;
}

static void put_line(struct sp_str line, enum sp_log_level level)
{
	if (line.len > sizeof(gathered.bytes) - gathered.len) {
		sp_log_flush();
	}
	if (!setup.gather || line.len > sizeof(gathered.bytes)) {
		write_all(line);
		return;
	}
	memcpy(gathered.bytes + gathered.len, line.ptr, line.len);
	gathered.len += line.len;
	if (level <= SP_LOG_WARN) {
		sp_log_flush();
	}
}

static void emit(struct sp_buf *line, enum sp_log_level level,
                 const char *event)
{
	if (setup.capture) {
		char *text = sp_buf_take(line);
		setup.capture(setup.capture_arg, level, event, text);
		SP_FREE(&text);
		return;
	}
	(void)sp_buf_append_char(line, '\n');
	put_line(sp_buf_str(line), level);
}

void sp_log_fields(const struct sp_log *ctx, enum sp_log_level level,
                   const char *event, const struct sp_field *fields)
{
	struct sp_buf line;
	bool cut = false;

	if (level > setup.max_level && !setup.capture) {
		return;
	}
	int saved_errno = errno;
	sp_buf_init(&line, LINE_BYTES);
	(void)sp_buf_reserve(&line, LINE_START);
	append_head(&line, level, event);
	append_context(&line, ctx, &cut);
	for (; fields->type != SP_FIELD_END; fields++) {
		append_field(&line, fields, &cut);
	}
	if (cut) {
		(void)sp_buf_append_cstr(&line, setup.json ? ",\"cut\":true"
		                                           : " cut=true");
	}
	if (setup.json) {
		(void)sp_buf_append_char(&line, '}');
	}
	emit(&line, level, event);
	sp_buf_fini(&line);
	errno = saved_errno;
}
