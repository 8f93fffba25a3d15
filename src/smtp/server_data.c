/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a message: decoded, measured, handed on; and whatever is
 * wrong with them. A fault aborts the message at once for the driver, but
 * the client hears of it at the end of data (of the chunk, with BDAT), the
 * only place where it listens.
 */
#include "base/err.h"
#include "smtp/server_private.h"

/* What spoils a message, gravest first. */
static const struct fault {
	unsigned bit;
	unsigned code;
	const char *enhanced, *text, *why;
} FAULTS[] = {
	{SP_SMTP_DATA_NUL, 550, "5.6.0", "NUL byte in the message", "nul"},
	{SP_SMTP_DATA_BARE_LF, 550, "5.6.0",
         "LF without CR in the message: lines end in CRLF", "bare-lf"},
	{SP_SMTP_DATA_BARE_CR, 550, "5.6.0",
         "CR without LF in the message: lines end in CRLF", "bare-cr"},
	{SP_SMTP_DATA_LONG_LINE, 550, "5.6.0", "line in the message too long",
         "long-line"},
};

static void copy_text(char *out, size_t cap, const char *text)
{
	size_t i = 0;

	for (; text[i] != '\0' && i < cap - 1; i++) {
		out[i] = text[i] >= 32 && text[i] < 127 ? text[i] : '?';
	}
	out[i] = '\0';
}

void sp__smtpd_refuse(struct sp_smtp_server *s, unsigned code,
                      const char *enhanced, const char *text, const char *why)
{
	struct sp__smtpd_answer *answer = &s->tx.answer;

	if (answer->code != 0) {
		return;
	}
	answer->code = code;
	copy_text(answer->enhanced, sizeof(answer->enhanced),
	          enhanced ? enhanced : "");
	copy_text(answer->text, sizeof(answer->text), text);
	if (s->tx.begun) {
		s->tx.begun = false;
		sp__smtpd_event(s, SP_SMTP_SERVER_MESSAGE_ABORT)->why = why;
	}
}

static void header_byte(struct sp__smtpd_header *h, unsigned *count, char c)
{
	static const char NAME[] = "received";
	const size_t name_len = sizeof(NAME) - 1;
	char lower = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;

	if (c == '\n') { /* data has no LF but behind CR */
		h->done = h->column == 0;
		*h = (struct sp__smtpd_header){.done = h->done};
		return;
	}
	if (c == '\r') {
		return;
	}
	h->column++;
	if (h->name_over) {
		return;
	}
	if (h->matched < name_len && lower == NAME[h->matched]) {
		h->matched++;
	} else if (h->matched == name_len && c == ':') {
		(*count)++;
		h->name_over = true;
	} else if (h->matched < name_len || (c != ' ' && c != '\t')) {
		h->name_over = true;
	}
}

static void count_received(struct sp_smtp_server *s)
{
	struct sp_str bytes = sp_buf_str(&s->body);

	for (size_t i = 0; i < bytes.len && !s->tx.header.done; i++) {
		header_byte(&s->tx.header, &s->tx.message.received_count,
		            bytes.ptr[i]);
	}
}

static void check(struct sp_smtp_server *s)
{
	const struct sp_smtp_data_decoder *d = &s->tx.decoder;

	if (s->conf.size_max_bytes > 0 &&
	    d->size_bytes > s->conf.size_max_bytes) {
		sp__smtpd_refuse(s, 552, "5.3.4", "message too large",
		                 "too-large");
	}
	for (size_t i = 0; i < sizeof(FAULTS) / sizeof(FAULTS[0]); i++) {
		const struct fault *f = &FAULTS[i];
		if ((d->faults & f->bit) != 0) {
			sp__smtpd_refuse(s, f->code, f->enhanced, f->text,
			                 f->why);
		}
	}
	if (s->tx.message.received_count > s->conf.received_max) {
		sp__smtpd_refuse(s, 554, "5.4.6",
		                 "too many Received fields: mail loop", "loop");
	}
}

/* Decoded bytes are in body: measure them and hand them on. */
static void hand_on(struct sp_smtp_server *s)
{
	count_received(s);
	check(s);
	if (s->tx.answer.code == 0 && sp_buf_len(&s->body) > 0) {
		sp__smtpd_event(s, SP_SMTP_SERVER_BODY)->bytes =
			sp_buf_str(&s->body);
	}
}

static void send_answer(struct sp_smtp_server *s)
{
	const struct sp__smtpd_answer *r = &s->tx.answer;

	sp__smtpd_reply(s, r->code, r->enhanced[0] ? r->enhanced : NULL,
	                r->text);
}

/* The end of data, or of the last chunk. */
static void message_complete(struct sp_smtp_server *s)
{
	struct sp__smtpd_tx *tx = &s->tx;

	if (tx->answer.code != 0) {
		send_answer(s);
		sp__smtpd_tx_end(s, "refused");
		sp__smtpd_goto(s, SP__SMTPD_READY);
		return;
	}
	tx->message.size_bytes = tx->decoder.size_bytes;
	tx->message.body_8bit = tx->decoder.eight_bit;
	tx->message.body_8bit_undeclared =
		tx->decoder.eight_bit && !tx->declared_8bit;
	tx->envelope.body_8bit = tx->declared_8bit || tx->decoder.eight_bit;
	tx->begun = false;
	sp__smtpd_event(s, SP_SMTP_SERVER_MESSAGE_END)->message = tx->message;
	sp__smtpd_goto(s, SP__SMTPD_ANSWER);
}

void sp__smtpd_data_start(struct sp_smtp_server *s, bool dots)
{
	sp_smtp_data_decoder_init(&s->tx.decoder, dots, s->conf.line_max_bytes);
	s->tx.decoder.normalize = !dots && s->conf.bdat_normalize;
	s->tx.begun = true;
	sp__smtpd_event(s, SP_SMTP_SERVER_MESSAGE_BEGIN)->envelope =
		&s->tx.envelope;
}

void sp__smtpd_data_feed(struct sp_smtp_server *s, struct sp_str *input)
{
	int rc = sp_smtp_data_decode(&s->tx.decoder, input, &s->body);

	hand_on(s);
	if (rc == 1) {
		message_complete(s);
	}
}

/* BDAT (RFC 3030). */

/* A chunk is never left unread: what follows it would be taken for commands.
 * So one that is not welcome is read, dropped, and refused at its end. */
static void dropped_complete(struct sp_smtp_server *s)
{
	if (s->chunk_back != SP__SMTPD_CHUNK_BAD) {
		sp__smtpd_reply(s, 503, "5.5.1", "BDAT needs RCPT");
		sp__smtpd_goto(s, s->chunk_back);
		return;
	}
	send_answer(s);
	s->errors--; /* the same error, told again */
	if (s->chunk_last) {
		sp__smtpd_tx_end(s, "refused");
	}
	sp__smtpd_goto(s,
	               s->chunk_last ? SP__SMTPD_READY : SP__SMTPD_CHUNK_BAD);
}

static void chunk_complete(struct sp_smtp_server *s)
{
	if (s->chunk_dropped) {
		dropped_complete(s);
	} else if (s->chunk_last) {
		message_complete(s);
	} else if (s->tx.answer.code != 0) {
		send_answer(s);
		sp__smtpd_goto(s, SP__SMTPD_CHUNK_BAD);
	} else {
		sp__smtpd_reply(s, 250, "2.0.0", "chunk taken");
		sp__smtpd_goto(s, SP__SMTPD_CHUNK_NEXT);
	}
}

/* Some bytes of the chunk, perhaps none, were decoded into body. */
static void chunk_advance(struct sp_smtp_server *s)
{
	bool complete = s->chunk_left == 0;

	if (!s->chunk_dropped) {
		if (complete && s->chunk_last) {
			sp_smtp_data_decode_end(&s->tx.decoder, &s->body);
		}
		hand_on(s);
	}
	if (complete) {
		chunk_complete(s);
	}
}

void sp__smtpd_chunk_start(struct sp_smtp_server *s,
                           const struct sp_command *command)
{
	bool first = s->state == SP__SMTPD_RCPT;

	s->chunk_dropped = !first && s->state != SP__SMTPD_CHUNK_NEXT;
	s->chunk_back = s->state;
	s->chunk_left = command->chunk_bytes;
	s->chunk_last = command->last;
	sp__smtpd_goto(s, SP__SMTPD_CHUNK);
	if (first) {
		sp__smtpd_data_start(s, false);
	}
	if (s->chunk_left == 0) {
		chunk_advance(s);
	}
}

void sp__smtpd_chunk_feed(struct sp_smtp_server *s, struct sp_str *input)
{
	size_t max =
		s->chunk_left < input->len ? (size_t)s->chunk_left : input->len;
	struct sp_str part = sp_str_sub(*input, 0, max);

	if (s->chunk_dropped) {
		part.len = 0;
	} else {
		(void)sp_smtp_data_decode(&s->tx.decoder, &part, &s->body);
	}
	size_t taken = max - part.len;
	*input = sp_str_sub(*input, taken, input->len);
	s->chunk_left -= taken;
	chunk_advance(s);
}

int sp_smtp_server_answer(struct sp_smtp_server *server, unsigned code,
                          const char *enhanced, const char *text)
{
	struct sp_smtp_server *s = server;

	if (s->state == SP__SMTPD_CLOSED) {
		return SP_ECLOSED;
	}
	if (s->tx.begun && code >= 400) {
		sp__smtpd_refuse(s, code, enhanced, text, "refused");
		return 0;
	}
	if (s->state != SP__SMTPD_ANSWER) {
		return SP_EBUSY;
	}
	sp__smtpd_refuse(s, code, enhanced, text, "");
	send_answer(s);
	sp__smtpd_tx_end(s, "");
	sp__smtpd_goto(s, SP__SMTPD_READY);
	return 0;
}
