/* SPDX-License-Identifier: Apache-2.0 */
/* layer: smtp */
/*
 * A client session and any peer: what the peer says comes in turns, each
 * ended by a byte 0xfe and given whole or byte by byte; between turns the
 * driver acts on the events and writes. Both ways must end alike, every send
 * in one MESSAGE_DONE, and nothing counts as delivered but by a 2xx to an
 * end of data that was sent. Bytes beyond ASCII go only to a peer that offered
 * SMTPUTF8 in this very session. The first byte chooses what the driver wants.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "smtp/client.h"

#define TURN_END ((char)0xfe)
#define LOG_MAX  (1U << 24)

enum option {
	STARTTLS = 1,
	CHUNKING = 2,
	HELO_FALLBACK = 4,
	NO_PIPELINING = 8,
	EIGHT_BIT = 16,
	TWO_CHUNKS = 32,
	BEYOND_ASCII = 64, /* addresses */
	PROBE = 128,       /* RSET in the place of a message */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct sp_smtp_client *client;
	struct sp_buf log;
	unsigned options;
	size_t sent, done;
	bool closed, garbage;
	bool smtputf8; /* offered */
};

static const struct sp_envelope_rcpt RCPTS[] = {
	{.address = {"a@d.test", 8}, .notify = SP_NOTIFY_NEVER},
	{.address = {"b@d.test", 8}, .orcpt = {"rfc822;+=@d.test", 16}},
	{.address = {"c@d.test", 8}},
};

static const struct sp_envelope_rcpt BEYOND[] = {
	{.address = {"a@\xc3\xa9.test", 9},
         .orcpt = {"utf-8;\xc3\xa9@d.test", 15}},
	{.address = {"\xc3\xa9@d.test", 9}},
	{.address = {"c@d.test", 8}},
};

static void send_one(struct run *r)
{
	bool beyond = (r->options & BEYOND_ASCII) != 0;
	const struct sp_smtp_transaction tx = {
		.sender = SP_STR("s@s.test"),
		.envid = SP_STR("id"),
		.rcpts = beyond ? BEYOND : RCPTS,
		.rcpt_count = 1 + r->sent % 3,
		.size_bytes = 5,
		.body_8bit = (r->options & EIGHT_BIT) != 0,
		.chunking = (r->options & CHUNKING) != 0,
		.probe = (r->options & PROBE) != 0,
	};

	if (sp_smtp_client_send(r->client, &tx) == 0) {
		r->sent++;
	}
}

static void check_result(struct run *r, const struct sp_smtp_result *result)
{
	r->done++;
	SP_ASSERT((r->options & PROBE) == 0 ||
	          (!result->end_sent && result->final.code == 0));
	(void)sp_buf_printf(&r->log, "done %d %u %d", (int)result->need,
	                    result->final.code, result->end_sent);
	for (size_t i = 0; i < result->rcpt_count; i++) {
		const struct sp_smtp_rcpt_result *rcpt = &result->rcpts[i];
		if (rcpt->delivered) {
			SP_ASSERT(rcpt->accepted && result->end_sent);
			SP_ASSERT(result->final.code / 100 == 2);
			SP_ASSERT(rcpt->reply.code == result->final.code);
		}
		if (result->final.code / 100 == 2) {
			SP_ASSERT(rcpt->delivered == rcpt->accepted);
		}
		(void)sp_buf_printf(&r->log, " %u/%d/%d", rcpt->reply.code,
		                    (int)rcpt->stage, rcpt->delivered);
	}
}

static void body(struct run *r)
{
	struct sp_str text = SP_STR(".x\ny\r");

	if ((r->options & TWO_CHUNKS) != 0 &&
	    sp_smtp_client_body_room(r->client) >= text.len) {
		(void)sp_smtp_client_body(r->client, text, false);
	}
	if (sp_smtp_client_body_room(r->client) >= text.len) {
		(void)sp_smtp_client_body(r->client, text, true);
	}
}

static void on_event(struct run *r, const struct sp_smtp_client_event *e)
{
	SP_ASSERT(!r->closed);
	if (e->type == SP_SMTP_CLIENT_STARTTLS_READY) {
		return; /* shown when the handshake is done */
	}
	(void)sp_buf_printf(&r->log, "event %d %u %u ", (int)e->type,
	                    e->reply.code, e->caps.set);
	(void)sp_buf_append_str(&r->log, e->reply.text);
	if (e->type == SP_SMTP_CLIENT_READY) {
		r->smtputf8 = (e->caps.set & SP_SMTP_CAP_SMTPUTF8) != 0;
	}
	switch (e->type) {
	case SP_SMTP_CLIENT_MESSAGE_DONE:
		check_result(r, e->result);
		break;
	case SP_SMTP_CLIENT_STARTTLS_GARBAGE:
		r->garbage = true;
		r->closed = true;
		break;
	case SP_SMTP_CLIENT_PROTOCOL_ERROR:
	case SP_SMTP_CLIENT_CLOSED:
		SP_ASSERT(r->sent == r->done);
		r->closed = true;
		break;
	case SP_SMTP_CLIENT_READY:
	case SP_SMTP_CLIENT_GREETING_REFUSED:
	case SP_SMTP_CLIENT_EHLO_REFUSED:
	case SP_SMTP_CLIENT_STARTTLS_READY:
	case SP_SMTP_CLIENT_STARTTLS_REFUSED:
	case SP_SMTP_CLIENT_RCPT:
	case SP_SMTP_CLIENT_WANT_BODY:
	case SP_SMTP_CLIENT_RESET_DONE:
	case SP_SMTP_CLIENT_QUIT_DONE:
		break;
	}
	(void)sp_buf_append_char(&r->log, '\n');
}

/* What the driver does when the session is idle: TLS, messages, an end. */
static void act(struct run *r)
{
	struct sp_smtp_client *c = r->client;

	if (sp_smtp_client_stage(c) == SP_SMTP_STAGE_TLS) {
		(void)sp_buf_append_cstr(&r->log, "tls\n");
		sp_smtp_client_tls_started(c);
	}
	if (sp_smtp_client_body_room(c) > 0) {
		body(r);
	}
	if (sp_smtp_client_stage(c) != SP_SMTP_STAGE_IDLE) {
		return;
	}
	bool starttls =
		(r->options & STARTTLS) != 0 && sp_smtp_client_starttls(c) == 0;
	if (!starttls && r->sent < 3) {
		send_one(r);
	} else if (!starttls && sp_smtp_client_quit(c) != 0) {
		SP_ASSERT(false);
	}
}

static void drain(struct run *r)
{
	struct sp_buf *out = sp_smtp_client_output(r->client);
	struct sp_str text = sp_buf_str(out);

	for (size_t i = 0; i < text.len; i++) {
		SP_ASSERT(text.ptr[i] != '\n' ||
		          (i > 0 && text.ptr[i - 1] == '\r'));
		SP_ASSERT((unsigned char)text.ptr[i] < 0x80 || r->smtputf8);
	}
	(void)sp_buf_append_str(&r->log, text);
	sp_buf_consume(out, sp_buf_len(out));
}

static void turn(struct run *r, struct sp_str input, bool bytewise)
{
	struct sp_smtp_client_event e;

	for (size_t i = 0; bytewise && i < input.len; i++) {
		struct sp_str one = sp_str_sub(input, i, 1);
		sp_smtp_client_feed(r->client, &one);
	}
	if (!bytewise) {
		sp_smtp_client_feed(r->client, &input);
	}
	while (sp_smtp_client_next(r->client, &e)) {
		on_event(r, &e);
	}
	act(r);
	while (sp_smtp_client_next(r->client, &e)) {
		on_event(r, &e);
	}
	drain(r);
}

static void play(struct run *r, struct sp_str input, bool bytewise)
{
	struct sp_smtp_client_event e;
	struct sp_str part;

	const struct sp_smtp_client_conf conf = {
		.hostname = SP_STR("c.test"),
		.helo_fallback = (r->options & HELO_FALLBACK) != 0,
		.no_pipelining = (r->options & NO_PIPELINING) != 0,
	};
	r->client = sp_smtp_client_new(&conf);
	sp_buf_init(&r->log, LOG_MAX);
	while (sp_str_cut(&input, TURN_END, &part)) {
		turn(r, part, bytewise);
	}
	sp_smtp_client_lost(r->client);
	while (sp_smtp_client_next(r->client, &e)) {
		on_event(r, &e);
	}
	SP_ASSERT(r->sent == r->done);
	SP_ASSERT(sp_smtp_client_stage(r->client) == SP_SMTP_STAGE_CLOSED);
	SP_ASSERT(sp_buf_error(&r->log) == 0);
}

static void finish(struct run *r)
{
	sp_smtp_client_free(&r->client);
	sp_buf_fini(&r->log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 65536) {
		return 0;
	}
	struct run whole = {.options = data[0]};
	struct run bytes = {.options = data[0]};
	struct sp_str in = sp_str_slice(data + 1, size - 1);

	play(&whole, in, false);
	play(&bytes, in, true);
	SP_ASSERT(sp_str_eq(sp_buf_str(&whole.log), sp_buf_str(&bytes.log)));
	finish(&whole);
	finish(&bytes);
	return 0;
}
