/* SPDX-License-Identifier: Apache-2.0 */
/* layer: smtp */
/*
 * Two properties of message data. Decoding: any split of the input gives the
 * same bytes, faults, size and end, and what is put out has no bare CR, LF
 * or NUL. Encoding: decode(encode(x)) is x in canonical form, and x itself
 * where x is canonical already.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "smtp/data.h"

#define LINE_MAX_BYTES 64
#define BUF_MAX        (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	struct sp_smtp_data_decoder state;
	struct sp_buf out;
	size_t consumed;
	int rc;
};

static void decode(struct sp_str in, size_t piece, size_t line_max, bool dots,
                   struct decoded *d)
{
	sp_buf_init(&d->out, BUF_MAX);
	sp_smtp_data_decoder_init(&d->state, dots, line_max);
	d->consumed = 0;
	d->rc = 0;
	while (d->consumed < in.len && d->rc == 0) {
		struct sp_str part = sp_str_sub(in, d->consumed, piece);
		size_t len = part.len;
		d->rc = sp_smtp_data_decode(&d->state, &part, &d->out);
		d->consumed += len - part.len;
	}
}

static void check_clean(struct sp_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		SP_ASSERT(s.ptr[i] != '\0');
		if (s.ptr[i] == '\n') {
			SP_ASSERT(i > 0 && s.ptr[i - 1] == '\r');
		}
		if (s.ptr[i] == '\r' && i + 1 < s.len) {
			SP_ASSERT(s.ptr[i + 1] == '\n');
		}
	}
}

static void check_decode(struct sp_str in, size_t piece, bool dots)
{
	struct decoded whole, pieces;

	decode(in, in.len + 1, LINE_MAX_BYTES, dots, &whole);
	decode(in, piece, LINE_MAX_BYTES, dots, &pieces);
	SP_ASSERT(whole.rc == pieces.rc && whole.consumed == pieces.consumed);
	SP_ASSERT(whole.state.faults == pieces.state.faults);
	SP_ASSERT(whole.state.size_bytes == pieces.state.size_bytes);
	if (whole.state.faults == 0) {
		SP_ASSERT(sp_str_eq(sp_buf_str(&whole.out),
		                    sp_buf_str(&pieces.out)));
		SP_ASSERT(whole.state.size_bytes == sp_buf_len(&whole.out));
	}
	check_clean(sp_buf_str(&whole.out));
	sp_buf_fini(&whole.out);
	sp_buf_fini(&pieces.out);
}

static void encode(struct sp_str in, size_t piece, struct sp_buf *out)
{
	struct sp_smtp_data_encoder e;

	sp_smtp_data_encoder_init(&e, true);
	for (;;) {
		struct sp_str part = sp_str_sub(in, 0, piece);
		in = sp_str_sub(in, part.len, in.len);
		int rc = sp_smtp_data_encode(&e, part, in.len == 0, out);
		SP_ASSERT(rc == 0);
		if (in.len == 0) {
			return;
		}
	}
}

/* What any text becomes, said a second time and differently. */
static void canonical(struct sp_str in, struct sp_buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		bool lf_next = i + 1 < in.len && in.ptr[i + 1] == '\n';
		if (in.ptr[i] == '\r') {
			if (!lf_next) {
				(void)sp_buf_append_char(out, ' ');
			}
		} else if (in.ptr[i] == '\n') {
			(void)sp_buf_append_cstr(out, "\r\n");
		} else {
			(void)sp_buf_append_char(out, in.ptr[i]);
		}
	}
	if (in.len > 0 && in.ptr[in.len - 1] != '\n') {
		(void)sp_buf_append_cstr(out, "\r\n");
	}
}

static void check_encode(struct sp_str in, size_t piece)
{
	struct sp_buf wire, wanted;
	struct decoded d;

	sp_buf_init(&wire, BUF_MAX);
	sp_buf_init(&wanted, BUF_MAX);
	encode(in, piece, &wire);
	canonical(in, &wanted);
	decode(sp_buf_str(&wire), wire.max, SIZE_MAX, true, &d);
	SP_ASSERT(d.rc == 1 && d.consumed == sp_buf_len(&wire));
	SP_ASSERT((d.state.faults & ~(unsigned)SP_SMTP_DATA_NUL) == 0);
	if (d.state.faults == 0) {
		SP_ASSERT(sp_str_eq(sp_buf_str(&d.out), sp_buf_str(&wanted)));
	}
	sp_buf_fini(&d.out);
	sp_buf_fini(&wire);
	sp_buf_fini(&wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 65536) {
		return 0;
	}
	size_t piece = 1 + (data[0] & 7U);
	struct sp_str in = sp_str_slice(data + 1, size - 1);

	check_decode(in, piece, true);
	check_decode(in, piece, false);
	check_encode(in, piece);
	return 0;
}
