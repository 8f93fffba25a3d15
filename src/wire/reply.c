/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reply is lines of one code, of which only the last has a blank (or
 * nothing) behind it: RFC 5321 4.2.1. The parser takes bytes up to the line
 * feed that ends the reply and none behind it. What is behind a 220 to
 * STARTTLS was not protected, and the session must be able to see that it is
 * there.
 *
 * Between calls the parser holds a partial line and the text so far, both
 * with a maximum; an endless line or an endless reply ends in SP_ELIMIT.
 */
#include "base/ascii.h"
#include "base/err.h"
#include "wire/reply.h"

#define CODE_DIGITS 3
#define CODE_MIN    200
#define CODE_MAX    599

void sp_reply_parser_init(struct sp_reply_parser *p)
{
	*p = (struct sp_reply_parser){0};
	sp_buf_init(&p->line, SP_REPLY_LINE_MAX);
	sp_buf_init(&p->text, SP_REPLY_TEXT_MAX);
}

void sp_reply_parser_fini(struct sp_reply_parser *p)
{
	sp_buf_fini(&p->line);
	sp_buf_fini(&p->text);
}

void sp_reply_parser_reset(struct sp_reply_parser *p)
{
	sp_buf_reset(&p->line);
	sp_buf_reset(&p->text);
	p->code = 0;
	p->line_count = 0;
}

/* One number of an enhanced code: one to three digits, no leading zero
 * (RFC 3463 2). */
static int take_number(struct sp_str *text, unsigned *number_out)
{
	unsigned value = 0;
	size_t len = 0;

	while (len < text->len && len < 3 &&
	       sp_ascii_is_digit(text->ptr[len])) {
		value = value * 10 + (unsigned)(text->ptr[len] - '0');
		len++;
	}
	if (len == 0 || (len > 1 && text->ptr[0] == '0')) {
		return SP_ESYNTAX;
	}
	*text = sp_str_sub(*text, len, text->len);
	*number_out = value;
	return 0;
}

static int take_char(struct sp_str *text, char c)
{
	if (text->len == 0 || text->ptr[0] != c) {
		return SP_ESYNTAX;
	}
	*text = sp_str_sub(*text, 1, text->len);
	return 0;
}

int sp_enhanced_parse(struct sp_str text, struct sp_enhanced *enhanced_out,
                      struct sp_str *rest_out)
{
	struct sp_enhanced e = {0};
	int err = take_number(&text, &e.class);

	if (!err) {
		err = take_char(&text, '.');
	}
	if (!err) {
		err = take_number(&text, &e.subject);
	}
	if (!err) {
		err = take_char(&text, '.');
	}
	if (!err) {
		err = take_number(&text, &e.detail);
	}
	if (err || (e.class != 2 && e.class != 4 && e.class != 5)) {
		return SP_ESYNTAX;
	}
	if (text.len > 0 && text.ptr[0] != ' ' && text.ptr[0] != '\n') {
		return SP_ESYNTAX;
	}
	while (text.len > 0 && text.ptr[0] == ' ') {
		text = sp_str_sub(text, 1, text.len);
	}
	*enhanced_out = e;
	*rest_out = text;
	return 0;
}

/* "250-text": code, whether more lines follow, text. */
static int split_line(struct sp_str line, unsigned *code_out, bool *more_out,
                      struct sp_str *text_out)
{
	unsigned code = 0;

	if (line.len < CODE_DIGITS) {
		return SP_ESYNTAX;
	}
	for (size_t i = 0; i < CODE_DIGITS; i++) {
		if (!sp_ascii_is_digit(line.ptr[i])) {
			return SP_ESYNTAX;
		}
		code = code * 10 + (unsigned)(line.ptr[i] - '0');
	}
	if (code < CODE_MIN || code > CODE_MAX) {
		return SP_ESYNTAX;
	}
	*more_out = line.len > CODE_DIGITS && line.ptr[CODE_DIGITS] == '-';
	if (line.len > CODE_DIGITS && !*more_out &&
	    line.ptr[CODE_DIGITS] != ' ') {
		return SP_ESYNTAX;
	}
	*code_out = code;
	*text_out = sp_str_sub(line, CODE_DIGITS + 1, line.len);
	return 0;
}

/* A carriage return inside a line is no line end; it becomes a blank, so
 * that no one takes it for one later. */
static int append_text(struct sp_reply_parser *p, struct sp_str text)
{
	int err = 0;

	if (p->line_count > 0) {
		err = sp_buf_append_char(&p->text, '\n');
	}
	for (size_t i = 0; !err && i < text.len; i++) {
		bool cr = text.ptr[i] == '\r';

		err = cr ? sp_buf_append_char(&p->text, ' ')
		         : sp_buf_append_char(&p->text, text.ptr[i]);
	}
	return err;
}

/* The line in p->line is complete. 1: the reply is too. */
static int end_line(struct sp_reply_parser *p)
{
	struct sp_str line = sp_buf_str(&p->line);
	unsigned code;
	bool more;
	int err;

	while (line.len > 0 && line.ptr[line.len - 1] == '\r') {
		line.len--;
	}
	err = split_line(line, &code, &more, &line);
	if (err) {
		return err;
	}
	if (p->line_count == 0) {
		sp_buf_reset(&p->text);
		p->code = code;
	}
	if (code != p->code) {
		return SP_ESYNTAX;
	}
	if (p->line_count == SP_REPLY_LINES_MAX) {
		return SP_ELIMIT;
	}
	err = append_text(p, line);
	if (err) {
		return err;
	}
	p->line_count++;
	sp_buf_reset(&p->line);
	return more ? 0 : 1;
}

/* Take bytes up to and with the next line feed. 1: the line is complete. The
 * first fault counts, wherever the input is cut: a NUL behind the end of the
 * longest line is not looked for. */
static int take_line(struct sp_reply_parser *p, struct sp_str *input)
{
	size_t len = sp_str_find(*input, '\n');
	bool complete = len < input->len;
	struct sp_str piece = sp_str_sub(*input, 0, len);
	struct sp_str fitting = sp_str_sub(piece, 0, sp_buf_room(&p->line));
	int err;

	*input = sp_str_sub(*input, complete ? len + 1 : len, input->len);
	if (sp_str_find(fitting, '\0') < fitting.len) {
		return SP_ESYNTAX;
	}
	err = sp_buf_append_str(&p->line, piece);
	return err ? err : complete;
}

static void give_reply(struct sp_reply_parser *p, struct sp_reply *reply_out)
{
	struct sp_str rest;

	*reply_out = (struct sp_reply){
		.code = p->code,
		.text = sp_buf_str(&p->text),
		.line_count = p->line_count,
	};
	if (sp_enhanced_parse(reply_out->text, &reply_out->enhanced, &rest) !=
	            0 ||
	    reply_out->enhanced.class != p->code / 100) {
		reply_out->enhanced = (struct sp_enhanced){0};
	}
	/* The next call starts a new reply and a new text. */
	p->line_count = 0;
	p->code = 0;
}

int sp_reply_parse(struct sp_reply_parser *p, struct sp_str *input,
                   struct sp_reply *reply_out)
{
	while (input->len > 0) {
		int done = take_line(p, input);

		if (done == 1) {
			done = end_line(p);
		} else if (done == 0) {
			return 0;
		}
		if (done < 0) {
			return done;
		}
		if (done == 1) {
			give_reply(p, reply_out);
			return 1;
		}
	}
	return 0;
}
