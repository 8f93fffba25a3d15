/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a message: decoded, measured, handed on; and whatever is
 * wrong with them. A fault aborts the message at once for the driver, but
 * the client hears of it at the end of data (of the chunk, with BDAT), the
 * only place where it listens.
 */
#include "base/err.h"
#include "smtp/server_private.h"

/* Faults that the decoder does not know. */
#define TOO_LARGE (1U << 30)
#define LOOP      (1U << 31)

/* What spoils a message. The first row that holds at the end of data is the
 * answer, so that it does not depend on how the bytes were cut. */
static const struct fault {
	unsigned bit;
	unsigned code;
	const char *enhanced, *text, *why;
} FAULTS[] = {
	{TOO_LARGE, 552, "5.3.4", "message too large", "too-large"},
	{LOOP, 554, "5.4.6", "too many Received fields: mail loop", "loop"},
	{SP_SMTP_DATA_NUL, 550, "5.6.0", "NUL byte in the message", "nul"},
	{SP_SMTP_DATA_BARE_LF, 550, "5.6.0",
         "LF without CR in the message: lines end in CRLF", "bare-lf"},
	{SP_SMTP_DATA_BARE_CR, 550, "5.6.0",
         "CR without LF in the message: lines end in CRLF", "bare-cr"},
	{SP_SMTP_DATA_LONG_LINE, 550, "5.6.0", "line in the message too long",
         "long-line"},
};

static const struct fault *find_fault(const struct sp_smtp_server *s)
{
	const struct sp_smtp_data_decoder *d = &s->tx.decoder;
	unsigned bits = d->faults;

	if (s->conf.size_max_bytes > 0 &&
	    d->size_bytes > s->conf.size_max_bytes) {
		bits |= TOO_LARGE;
	}
	if (s->tx.header.received_count > s->conf.received_max) {
		bits |= LOOP;
	}
	for (size_t i = 0; i < sizeof(FAULTS) / sizeof(FAULTS[0]); i++) {
		if ((bits & FAULTS[i].bit) != 0) {
			return &FAULTS[i];
		}
	}
	return NULL;
}

static void copy_text(char *out, size_t cap, const char *text)
{
	size_t i = 0;

	for (; text[i] != '\0' && i < cap - 1; i++) {
		out[i] = text[i] >= 32 && text[i] < 127 ? text[i] : '?';
	}
	out[i] = '\0';
}

static void set_answer(struct sp_smtp_server *s, unsigned code,
                       const char *enhanced, const char *text)
{
	struct sp__smtpd_answer *answer = &s->tx.answer;

	answer->code = code;
	copy_text(answer->enhanced, sizeof(answer->enhanced),
	          enhanced ? enhanced : "");
	copy_text(answer->text, sizeof(answer->text), text);
}

/* At the end of data or of a chunk: true when the message is refused. */
static bool is_refused(struct sp_smtp_server *s)
{
	const struct fault *fault = find_fault(s);

	if (s->tx.answer.code == 0 && fault) {
		set_answer(s, fault->code, fault->enhanced, fault->text);
	}
	return s->tx.answer.code != 0;
}

/* Decoded bytes are in body: measure them and hand them on. */
static void hand_on(struct sp_smtp_server *s)
{
	const struct fault *fault;

	if (!s->tx.header.ended) {
		sp_header_scan_feed(&s->tx.header, sp_buf_str(&s->body));
	}
	fault = find_fault(s);
	if (fault) {
		sp__smtpd_abort(s, fault->why);
	}
	if (s->tx.begun && sp_buf_len(&s->body) > 0) {
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

	if (is_refused(s)) {
		send_answer(s);
		sp__smtpd_tx_end(s, "refused");
		sp__smtpd_goto(s, SP__SMTPD_READY);
		return;
	}
	tx->message.received_count = tx->header.received_count;
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
	sp_header_scan_init(&s->tx.header);
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
	} else if (is_refused(s)) {
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
		set_answer(s, code, enhanced, text);
		sp__smtpd_abort(s, "refused");
		return 0;
	}
	if (s->state != SP__SMTPD_ANSWER) {
		return SP_EBUSY;
	}
	set_answer(s, code, enhanced, text);
	send_answer(s);
	sp__smtpd_tx_end(s, "");
	if (s->event_count == 0) {
		sp_buf_fini(&s->body); /* an idle session is small */
	}
	sp__smtpd_goto(s, SP__SMTPD_READY);
	return 0;
}
