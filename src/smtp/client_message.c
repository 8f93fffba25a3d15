/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transaction of the client: which reply decides for which recipient,
 * when the body may flow, and when it is over.
 *
 * Invariants
 * - A recipient is decided once: by a refusal of MAIL, RCPT or DATA, or by
 *   the reply to the end of data. Later replies don't change it.
 * - Only a 2xx to an end of data that left the output delivers.
 * - Where DATA was pipelined and got 354 though no recipient is left, the
 *   lone dot ends it and its reply counts for nobody (RFC 2920 3.1).
 */
#include "base/assert.h"
#include "base/err.h"
#include "smtp/client_private.h"

#define BDAT_LINE_MAX 40

static bool is_class(const struct sp_reply *reply, unsigned class)
{
	return reply->code / 100 == class;
}

static bool is_refusal(const struct sp_reply *reply)
{
	return is_class(reply, 4) || is_class(reply, 5);
}

/* A copy that lives as long as the result. */
static struct sp_reply keep(struct sp_smtp_client *c,
                            const struct sp_reply *reply)
{
	struct sp_reply kept = *reply;

	kept.text = sp_arena_str(
		&c->arena, sp_str_sub(reply->text, 0, SP_SMTP_REPLY_KEEP_MAX));
	return kept;
}

static bool is_decided(const struct sp_smtp_rcpt_result *rcpt)
{
	return rcpt->reply.code != 0 || rcpt->need != SP_SMTP_NEED_NONE;
}

/* The reply decides for every recipient that is still undecided. */
static void decide_rest(struct sp_smtp_client *c, const struct sp_reply *reply,
                        enum sp_smtp_stage stage, bool delivered)
{
	struct sp_reply kept = keep(c, reply);

	for (size_t i = 0; i < c->result.rcpt_count; i++) {
		struct sp_smtp_rcpt_result *rcpt = &c->result.rcpts[i];
		if (!is_decided(rcpt)) {
			rcpt->reply = kept;
			rcpt->stage = stage;
			rcpt->delivered = delivered && rcpt->accepted;
		}
	}
}

void sp__smtp_message_end(struct sp_smtp_client *c,
                          const struct sp_reply *reply)
{
	if (!c->open) {
		return;
	}
	if (reply) {
		decide_rest(c, reply, c->stage, false);
	}
	c->open = false;
	c->body_open = false;
	sp_buf_fini(&c->chunk);
	if (sp_buf_len(&c->out) == 0) {
		sp_buf_fini(&c->out); /* an idle session is small */
	}
	sp__smtp_event(c, SP_SMTP_CLIENT_MESSAGE_DONE, NULL)->result =
		&c->result;
}

void sp__smtp_on_mail(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd,
                      const struct sp_reply *reply)
{
	(void)cmd;
	if (c->tx.probe) {
		c->result.mail = keep(c, reply);
	}
	if (is_class(reply, 2)) {
		c->mail_ok = true;
		c->dirty = true;
	} else if (is_refusal(reply)) {
		decide_rest(c, reply, SP_SMTP_STAGE_MAIL, false);
		sp__smtp_unqueue(c);
	} else {
		sp__smtp_protocol_error(c, "3xx to MAIL");
	}
}

void sp__smtp_on_rcpt(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd,
                      const struct sp_reply *reply)
{
	struct sp_smtp_rcpt_result *rcpt = &c->result.rcpts[cmd->rcpt];

	if (!c->mail_ok) {
		return; /* MAIL decided; this only echoes it */
	}
	if (is_class(reply, 2)) {
		rcpt->accepted = true;
		c->accepted++;
		if (c->tx.probe) {
			rcpt->reply = keep(c, reply);
			rcpt->stage = SP_SMTP_STAGE_RCPT;
		}
	} else if (is_refusal(reply)) {
		rcpt->reply = keep(c, reply);
		rcpt->stage = SP_SMTP_STAGE_RCPT;
	} else {
		sp__smtp_protocol_error(c, "3xx to RCPT");
		return;
	}
	sp__smtp_event(c, SP_SMTP_CLIENT_RCPT, reply)->rcpt = cmd->rcpt;
}

static void want_body(struct sp_smtp_client *c)
{
	c->body_open = true;
	(void)sp__smtp_event(c, SP_SMTP_CLIENT_WANT_BODY, NULL);
}

void sp__smtp_on_data(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd,
                      const struct sp_reply *reply)
{
	(void)cmd;
	if (reply->code == 354 && c->accepted > 0) {
		want_body(c);
	} else if (reply->code == 354) {
		sp__smtp_put(c, SP_STR(".\r\n"));
		sp__smtp_queue_sent(c, &SP__SMTP_DOT);
	} else if (is_refusal(reply)) {
		decide_rest(c, reply, SP_SMTP_STAGE_DATA_INIT, false);
	} else {
		sp__smtp_protocol_error(c, "neither 354 nor a refusal to DATA");
	}
}

void sp__smtp_on_dot(struct sp_smtp_client *c,
                     const struct sp__smtp_command *cmd,
                     const struct sp_reply *reply)
{
	(void)cmd;
	if (!is_class(reply, 2) && !is_refusal(reply)) {
		sp__smtp_protocol_error(c, "3xx to the end of data");
		return;
	}
	c->dirty = false;
	if (c->accepted > 0) {
		c->result.final = keep(c, reply);
		decide_rest(c, reply, SP_SMTP_STAGE_DATA_DONE,
		            is_class(reply, 2));
	}
}

void sp__smtp_on_bdat(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd,
                      const struct sp_reply *reply)
{
	bool last = cmd->kind == &SP__SMTP_BDAT_LAST;

	if (is_class(reply, 2) && !last) {
		return;
	}
	if (!is_class(reply, 2) && !is_refusal(reply)) {
		sp__smtp_protocol_error(c, "3xx to BDAT");
		return;
	}
	if (c->result.final.code == 0) { /* else an earlier chunk failed */
		c->result.final = keep(c, reply);
		decide_rest(c, reply, SP_SMTP_STAGE_DATA_DONE,
		            is_class(reply, 2));
		c->dirty = !is_class(reply, 2);
	}
	c->body_open = false;
}

void sp__smtp_on_early_reply(struct sp_smtp_client *c,
                             const struct sp_reply *reply)
{
	bool in_body = c->stage == SP_SMTP_STAGE_DATA_BLOCK ||
	               c->stage == SP_SMTP_STAGE_DATA_DONE;

	if (reply->code == 421) {
		sp__smtp_end(c, reply);
		return;
	}
	if (in_body && is_refusal(reply)) {
		decide_rest(c, reply, SP_SMTP_STAGE_DATA_DONE, false);
	}
	sp__smtp_protocol_error(c, "reply before its command");
}

void sp__smtp_message_advance(struct sp_smtp_client *c)
{
	bool outstanding = !sp_list_empty(&c->waiting) ||
	                   !sp_list_empty(&c->unsent) || c->body_open;

	if (outstanding) {
		return;
	}
	if (c->tx.probe && c->dirty && !c->data_queued) {
		c->data_queued = true;
		sp__smtp_queue(c, &SP__SMTP_RSET_FIRST, 0);
		return;
	}
	if (c->accepted == 0 || c->data_queued) {
		sp__smtp_message_end(c, NULL);
		return;
	}
	c->data_queued = true;
	if (c->bdat) {
		want_body(c);
	} else {
		sp__smtp_queue(c, &SP__SMTP_DATA, 0);
	}
}

/* The body. */

size_t sp_smtp_client_body_room(const struct sp_smtp_client *client)
{
	const struct sp_smtp_client *c = client;
	size_t room = sp_buf_room(&c->out);
	size_t spare = SP_SMTP_DATA_ENCODED_MAX(0) + BDAT_LINE_MAX;
	bool chunk_outstanding = c->bdat && !sp_list_empty(&c->waiting);

	if (!c->body_open || room <= spare ||
	    (chunk_outstanding && !sp__smtp_pipelining(c))) {
		return 0;
	}
	return (room - spare) / 2;
}

static void put_chunk(struct sp_smtp_client *c, struct sp_str bytes, bool last)
{
	struct sp_buf line;

	int rc = sp_smtp_data_encode(&c->encoder, bytes, last, &c->chunk);
	SP_ASSERT(rc == 0);
	if (sp_buf_len(&c->chunk) == 0 && !last) {
		return;
	}
	sp_buf_init(&line, BDAT_LINE_MAX);
	rc = sp_buf_printf(&line, "BDAT %zu%s\r\n", sp_buf_len(&c->chunk),
	                   last ? " LAST" : "");
	SP_ASSERT(rc == 0);
	sp__smtp_put(c, sp_buf_str(&line));
	sp__smtp_put(c, sp_buf_str(&c->chunk));
	sp_buf_fini(&line);
	sp_buf_reset(&c->chunk);
	if (last) {
		sp_buf_fini(&c->chunk); /* the reply may take minutes */
	}
	sp__smtp_queue_sent(c, last ? &SP__SMTP_BDAT_LAST : &SP__SMTP_BDAT);
}

static void put_data(struct sp_smtp_client *c, struct sp_str bytes, bool last)
{
	size_t before = sp_buf_len(&c->out);
	int rc = sp_smtp_data_encode(&c->encoder, bytes, last, &c->out);

	SP_ASSERT(rc == 0);
	c->out_total += sp_buf_len(&c->out) - before;
	if (last) {
		sp__smtp_queue_sent(c, &SP__SMTP_DOT);
	}
}

int sp_smtp_client_body(struct sp_smtp_client *client, struct sp_str bytes,
                        bool last)
{
	struct sp_smtp_client *c = client;

	if (!c->body_open) {
		return SP_EBUSY;
	}
	if (sp_smtp_client_body_room(c) < bytes.len ||
	    sp_smtp_client_body_room(c) == 0) {
		return SP_ELIMIT;
	}
	if (c->bdat) {
		put_chunk(c, bytes, last);
	} else {
		put_data(c, bytes, last);
	}
	if (last) {
		c->body_open = false;
		c->result.end_sent = true;
	}
	sp__smtp_update_stage(c);
	return 0;
}
