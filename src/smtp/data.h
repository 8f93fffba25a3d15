/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_SMTP_DATA_H
#define SP_SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * The body of a message as it crosses the wire: dot transparency and the
 * end of data (RFC 5321 4.5.2), CRLF lines (2.3.8). Both directions stream;
 * neither keeps more than one byte back.
 */

/* What is wrong with data that came, as bits. */
enum sp_smtp_data_fault {
	SP_SMTP_DATA_BARE_CR = 1,
	SP_SMTP_DATA_BARE_LF = 2,
	SP_SMTP_DATA_NUL = 4,
	SP_SMTP_DATA_LONG_LINE = 8,
};

struct sp_smtp_data_decoder {
	int state;             /* enum in data.c */
	bool dots;             /* DATA, not BDAT */
	bool normalize;        /* LF to CRLF, CR to a blank, no fault */
	size_t line_max_bytes; /* without CRLF and transparency dot */
	size_t line_bytes;
	uint64_t size_bytes; /* decoded, whether put out or not */
	bool eight_bit;      /* a byte above 127 was seen */
	unsigned faults;     /* bits; nothing is put out once one is set */
};

void sp_smtp_data_decoder_init(struct sp_smtp_data_decoder *d, bool dots,
                               size_t line_max_bytes);
/* Decode until input or the room of out is used up. 1: the end of data
 * (dots only), input begins behind it; 0: more is needed. Only CRLF.CRLF
 * ends the data, also after a fault. */
int sp_smtp_data_decode(struct sp_smtp_data_decoder *d, struct sp_str *input,
                        struct sp_buf *out);
/* The end of BDAT data: a CR held back is a fault or a blank. */
void sp_smtp_data_decode_end(struct sp_smtp_data_decoder *d,
                             struct sp_buf *out);

struct sp_smtp_data_encoder {
	int state;
	bool dots;
};

/* Room that out needs for len raw bytes in the worst case. */
#define SP_SMTP_DATA_ENCODED_MAX(len) (2 * (len) + 8)

void sp_smtp_data_encoder_init(struct sp_smtp_data_encoder *e, bool dots);
/* LF and CRLF become CRLF, a bare CR becomes a blank. last: ends the last
 * line where it is open and, with dots, ends the data. 0 or SP_ELIMIT; then
 * nothing was taken. */
int sp_smtp_data_encode(struct sp_smtp_data_encoder *e, struct sp_str bytes,
                        bool last, struct sp_buf *out);

#endif
