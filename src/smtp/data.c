/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message data on the wire. Where two servers disagree about the end of
 * data, one message can smuggle a second one past the first server. So only
 * the five bytes CRLF.CRLF end it here, a line begins only behind CRLF, and
 * a CR or LF by itself spoils the message; going out, neither can occur.
 *
 *	            CR            LF          CR  LF
 *	LINE_START ----> CR ----> LINE_START     .-----> END
 *	    | '.'                               |
 *	    '----> DOT ---- CR ----> DOT_CR ----'
 *	other bytes lead to TEXT, and TEXT leads to CR by CR.
 *
 * Invariants: in TEXT the byte before was no line end; bytes put out never
 * hold a bare CR or LF; after a fault nothing is put out, but the same five
 * bytes still end the data.
 */
#include <string.h>

#include "base/err.h"
#include "smtp/data.h"

enum data_state {
	LINE_START,
	TEXT,
	CR,
	DOT,
	DOT_CR,
};

/* The most that one byte of input can put out. */
#define STEP_MAX 4

/* How far one look for the end of a line goes. */
#define LOOK_MAX 4096

void sp_smtp_data_decoder_init(struct sp_smtp_data_decoder *d, bool dots,
                               size_t line_max_bytes)
{
	*d = (struct sp_smtp_data_decoder){
		.state = LINE_START,
		.dots = dots,
		.line_max_bytes = line_max_bytes,
	};
}

static void fault(struct sp_smtp_data_decoder *d, enum sp_smtp_data_fault what)
{
	d->faults |= (unsigned)what;
}

static void emit(struct sp_smtp_data_decoder *d, struct sp_buf *out,
                 const char *bytes, size_t len)
{
	d->size_bytes += len;
	if (d->faults == 0) {
		(void)sp_buf_append(out, bytes, len);
	}
}

static void emit_line_end(struct sp_smtp_data_decoder *d, struct sp_buf *out)
{
	emit(d, out, "\r\n", 2);
	d->line_bytes = 0;
	d->state = LINE_START;
}

static void emit_text(struct sp_smtp_data_decoder *d, struct sp_buf *out,
                      const char *bytes, size_t len)
{
	size_t room = d->line_max_bytes - d->line_bytes;

	if (d->line_bytes <= d->line_max_bytes && len > room) {
		emit(d, out, bytes, room);
		fault(d, SP_SMTP_DATA_LONG_LINE);
		emit(d, out, bytes + room, len - room);
	} else {
		emit(d, out, bytes, len);
	}
	d->line_bytes += len;
	d->state = TEXT;
}

static void bare_cr(struct sp_smtp_data_decoder *d, struct sp_buf *out)
{
	if (d->normalize) {
		emit_text(d, out, " ", 1);
	} else {
		fault(d, SP_SMTP_DATA_BARE_CR);
		d->size_bytes++;
	}
}

static void bare_lf(struct sp_smtp_data_decoder *d, struct sp_buf *out)
{
	if (d->normalize) {
		emit_line_end(d, out);
	} else {
		fault(d, SP_SMTP_DATA_BARE_LF);
		d->size_bytes++;
		d->state = TEXT;
	}
}

static void text_byte(struct sp_smtp_data_decoder *d, struct sp_buf *out,
                      char c)
{
	if (c == '\n') {
		bare_lf(d, out);
		return;
	}
	if (c == '\0') {
		fault(d, SP_SMTP_DATA_NUL);
	}
	if ((unsigned char)c > 127) {
		d->eight_bit = true;
	}
	emit_text(d, out, &c, 1);
}

/* One byte through the machine; true at the end of data. */
static bool step(struct sp_smtp_data_decoder *d, struct sp_buf *out, char c)
{
	if (d->state == CR || d->state == DOT_CR) {
		if (c == '\n' && d->state == DOT_CR) {
			return true;
		}
		if (c == '\n') {
			emit_line_end(d, out);
			return false;
		}
		bare_cr(d, out);
		d->state = TEXT;
	}
	if (c == '\r') {
		d->state = d->state == DOT ? DOT_CR : CR;
	} else if (c == '.' && d->dots && d->state == LINE_START) {
		d->state = DOT; /* swallowed: transparency, or the end */
	} else {
		text_byte(d, out, c);
	}
	return false;
}

/* Length of the plain text at the start of s: no CR, LF, NUL, 8-bit. */
static size_t plain_run(struct sp_str s)
{
	const uint64_t ones = 0x0101010101010101U;
	size_t i = 0;

	/* Eight at a time while none is below 14 (CR is 13) or above 127. */
	for (uint64_t word; s.len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, s.ptr + i, sizeof(word));
		if (((word | (word - 14 * ones)) & 128 * ones) != 0) {
			break;
		}
	}
	while (i < s.len && (unsigned char)s.ptr[i] < 128 && s.ptr[i] != '\r' &&
	       s.ptr[i] != '\n' && s.ptr[i] != '\0') {
		i++;
	}
	return i;
}

int sp_smtp_data_decode(struct sp_smtp_data_decoder *d, struct sp_str *input,
                        struct sp_buf *out)
{
	while (input->len > 0 && sp_buf_room(out) >= STEP_MAX) {
		if (d->state == TEXT) {
			size_t n = plain_run(
				sp_str_sub(*input, 0, sp_buf_room(out)));
			if (n > 0) {
				emit_text(d, out, input->ptr, n);
				*input = sp_str_sub(*input, n, input->len);
				continue;
			}
		}
		char c = input->ptr[0];
		*input = sp_str_sub(*input, 1, input->len);
		if (step(d, out, c)) {
			d->state = LINE_START;
			return 1;
		}
	}
	return 0;
}

void sp_smtp_data_decode_end(struct sp_smtp_data_decoder *d, struct sp_buf *out)
{
	if (d->state == CR) {
		d->state = TEXT;
		bare_cr(d, out);
	}
}

void sp_smtp_data_encoder_init(struct sp_smtp_data_encoder *e, bool dots)
{
	*e = (struct sp_smtp_data_encoder){.state = LINE_START, .dots = dots};
}

static void encode_byte(struct sp_smtp_data_encoder *e, char c,
                        struct sp_buf *out)
{
	if (c == '\n') {
		(void)sp_buf_append(out, "\r\n", 2);
		e->state = LINE_START;
		return;
	}
	if (e->state == CR) {
		(void)sp_buf_append_char(out, ' ');
	} else if (c == '.' && e->dots && e->state == LINE_START) {
		(void)sp_buf_append_char(out, '.');
	}
	if (c == '\r') {
		e->state = CR;
		return;
	}
	(void)sp_buf_append_char(out, c);
	e->state = TEXT;
}

static void encode_end(struct sp_smtp_data_encoder *e, struct sp_buf *out)
{
	if (e->state == CR) {
		(void)sp_buf_append_char(out, ' ');
	}
	if (e->state != LINE_START) {
		(void)sp_buf_append(out, "\r\n", 2);
	}
	if (e->dots) {
		(void)sp_buf_append(out, ".\r\n", 3);
	}
	e->state = LINE_START;
}

/* Of the line at the start of s, or of as much as is looked at, how much goes
 * out as it is. */
static size_t line_as_is(struct sp_str s, bool *ends_out)
{
	struct sp_str seen = sp_str_sub(s, 0, LOOK_MAX);
	const char *lf = memchr(seen.ptr, '\n', seen.len);
	size_t len = lf ? (size_t)(lf - seen.ptr) + 1 : seen.len;
	const char *cr = memchr(seen.ptr, '\r', len);
	size_t text_len = cr ? (size_t)(cr - seen.ptr) : len;

	*ends_out = cr && lf && cr + 1 == lf;
	if (*ends_out) {
		return len;
	}
	return cr ? text_len : len - (lf != NULL);
}

/* Whole lines with CRLF and without a leading dot, and text: most of any
 * message. The state behind them. */
static size_t run_as_is(struct sp_smtp_data_encoder *e, struct sp_str s)
{
	size_t done = 0;

	while (e->state != CR && done < s.len &&
	       !(e->state == LINE_START && e->dots && s.ptr[done] == '.')) {
		bool ends;
		size_t len = line_as_is(sp_str_sub(s, done, s.len), &ends);

		if (len == 0) {
			break;
		}
		e->state = ends ? LINE_START : TEXT;
		done += len;
	}
	return done;
}

int sp_smtp_data_encode(struct sp_smtp_data_encoder *e, struct sp_str bytes,
                        bool last, struct sp_buf *out)
{
	if (bytes.len > SIZE_MAX / 4 ||
	    sp_buf_room(out) < SP_SMTP_DATA_ENCODED_MAX(bytes.len)) {
		return SP_ELIMIT;
	}
	while (bytes.len > 0) {
		size_t n = run_as_is(e, bytes);
		if (n > 0) {
			(void)sp_buf_append(out, bytes.ptr, n);
		} else {
			encode_byte(e, bytes.ptr[0], out);
			n = 1;
		}
		bytes = sp_str_sub(bytes, n, bytes.len);
	}
	if (last) {
		encode_end(e, out);
	}
	return sp_buf_error(out);
}
