/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TEST_SMTP_DIALOG_H
#define SP_TEST_SMTP_DIALOG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

/*
 * A dialog as text, run against a session whole, line by line and byte by
 * byte. Each line begins with what it is:
 *
 *	<line     bytes that arrive, CRLF is added
 *	~bytes    bytes that arrive as they are: \r \n \0 \\ are escapes
 *	>line     the next line the session put out
 *	!event    the next event, as the test prints it
 *	#action   the driver does something
 *
 * At the end nothing may be left over. Between lines the driver has always
 * written everything.
 */
enum dialog_mode {
	DIALOG_WHOLE = 1, /* all arriving lines in a row at once */
	DIALOG_LINES = 2,
	DIALOG_BYTES = 4,
};

struct dialog_session {
	void *self;
	void (*feed)(void *self, struct sp_str *input);
	struct sp_buf *(*output)(void *self);
	/* One event as a line without its end; false: none. An empty line is
	 * an event that the test does not show. */
	bool (*next)(void *self, struct sp_buf *line_out);
	void (*act)(void *self, struct sp_str action);
};

struct dialog {
	const char *name;
	enum dialog_mode mode;
	const struct dialog_session *session;
	struct sp_buf in, out, events;
};

static void dialog_fail(const struct dialog *d, const char *what,
                        struct sp_str wanted, struct sp_str got)
{
	fail_msg("%s (mode %d): %s: wanted '" SP_STR_FMT "', got '" SP_STR_FMT
	         "'",
	         d->name, d->mode, what, SP_STR_ARG(wanted), SP_STR_ARG(got));
}

/* All that the session has for its driver. */
static void dialog_collect(struct dialog *d)
{
	const struct dialog_session *s = d->session;
	struct sp_buf line;
	struct sp_buf *out;

	sp_buf_init(&line, 1 << 20);
	while (s->next(s->self, &line)) {
		if (sp_buf_len(&line) > 0) {
			(void)sp_buf_append_char(&line, '\n');
			(void)sp_buf_append_str(&d->events, sp_buf_str(&line));
		}
		sp_buf_reset(&line);
	}
	sp_buf_fini(&line);
	out = s->output(s->self);
	assert_int_equal(sp_buf_append_str(&d->out, sp_buf_str(out)), 0);
	sp_buf_consume(out, sp_buf_len(out));
}

/* Feed what is there until the session takes no more. */
static void dialog_flush(struct dialog *d)
{
	size_t before;

	do {
		before = sp_buf_len(&d->in);
		struct sp_str input = sp_buf_str(&d->in);
		if (d->mode == DIALOG_BYTES) {
			input.len = input.len > 0 ? 1 : 0;
		}
		size_t offered = input.len;
		d->session->feed(d->session->self, &input);
		sp_buf_consume(&d->in, offered - input.len);
		/* in one feed the session has not been written out between */
		dialog_collect(d);
	} while (sp_buf_len(&d->in) != before);
}

static void dialog_take(struct dialog *d, struct sp_buf *from, const char *what,
                        struct sp_str wanted)
{
	struct sp_str text = sp_buf_str(from);
	struct sp_str line;

	dialog_flush(d);
	text = sp_buf_str(from);
	(void)sp_str_cut(&text, '\n', &line);
	size_t len = line.len + (line.len < sp_buf_len(from) ? 1 : 0);
	if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
		line.len--;
	}
	if (!sp_str_eq(line, wanted)) {
		dialog_fail(d, what, wanted, line);
	}
	sp_buf_consume(from, len);
}

static void dialog_bytes(struct dialog *d, struct sp_str raw)
{
	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.ptr[i];
		if (c == '\\' && i + 1 < raw.len) {
			c = raw.ptr[++i];
			c = c == 'r' ? '\r' : c == 'n' ? '\n' : c;
			c = c == '0' ? '\0' : c;
		}
		(void)sp_buf_append_char(&d->in, c);
	}
}

static bool dialog_arrives(char tag)
{
	return tag == '<' || tag == '~';
}

static void dialog_step(struct dialog *d, struct sp_str line, char next_tag)
{
	struct sp_str rest = sp_str_sub(line, 1, line.len);

	switch (line.ptr[0]) {
	case '<':
		(void)sp_buf_append_str(&d->in, rest);
		(void)sp_buf_append_cstr(&d->in, "\r\n");
		break;
	case '~':
		dialog_bytes(d, rest);
		break;
	case '>':
		dialog_take(d, &d->out, "output", rest);
		break;
	case '!':
		dialog_take(d, &d->events, "event", rest);
		break;
	case '#':
		dialog_flush(d);
		d->session->act(d->session->self, rest);
		dialog_collect(d);
		break;
	default:
		fail_msg("%s: bad script line", d->name);
	}
	if (dialog_arrives(line.ptr[0]) &&
	    (d->mode != DIALOG_WHOLE || !dialog_arrives(next_tag))) {
		dialog_flush(d);
	}
}

static void dialog_run(const char *name, const char *script,
                       enum dialog_mode mode, const struct dialog_session *s)
{
	struct dialog d = {.name = name, .mode = mode, .session = s};
	struct sp_str text = sp_str_from(script);
	struct sp_str line;

	sp_buf_init(&d.in, 1 << 24);
	sp_buf_init(&d.out, 1 << 24);
	sp_buf_init(&d.events, 1 << 24);
	dialog_collect(&d);
	while (sp_str_cut(&text, '\n', &line)) {
		dialog_step(&d, line, text.len > 0 ? text.ptr[0] : '\0');
	}
	dialog_flush(&d);
	if (sp_buf_len(&d.out) > 0) {
		dialog_fail(&d, "output left", SP_STR(""), sp_buf_str(&d.out));
	}
	if (sp_buf_len(&d.events) > 0) {
		dialog_fail(&d, "events left", SP_STR(""),
		            sp_buf_str(&d.events));
	}
	sp_buf_fini(&d.in);
	sp_buf_fini(&d.out);
	sp_buf_fini(&d.events);
}

#endif
