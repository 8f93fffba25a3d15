/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client session: a queue of commands, and the stage that follows from
 * its head. A reply always belongs to the oldest command that waits for one,
 * and the kind of that command knows what it means; so PIPELINING is no
 * matter of control flow, only of how many commands may wait at once.
 *
 *	GREETING -> EHLO -> IDLE -> STARTTLS -> TLS -> EHLO -> IDLE
 *	IDLE -> [RSET ->] MAIL -> RCPT -> DATA_INIT -> DATA_BLOCK -> DATA_DONE
 *	        -> IDLE -> ... -> QUIT -> CLOSED
 *	BDAT goes from RCPT to DATA_BLOCK; a probe from RCPT or MAIL to RSET;
 *who does not go on inside TLS from TLS to QUIT; a refused MAIL, RCPT, DATA or
 *	BDAT goes to IDLE; every stage may go to CLOSED.
 *
 * Invariants
 * - The stage is that of the oldest waiting command, else of the oldest
 *   unsent one, else DATA_BLOCK while a body is open, else IDLE.
 * - A reply counts only when the driver has taken the last byte of its
 *   command. Whatever comes earlier cannot be an answer, and ends the
 *   session (RFC 5321 4.3.1); so nothing said in clear counts inside TLS.
 * - Every transaction ends in one MESSAGE_DONE, before any CLOSED.
 * - In CLOSED nothing is read and nothing is written any more.
 */
#include "base/ascii.h"
#include "base/assert.h"
#include "base/err.h"
#include "smtp/client_private.h"

#define MINUTES(n) ((int64_t)(n)*60 * 1000)
#define TO(stage)  (1U << SP_SMTP_STAGE_##stage)

static const struct stage_row {
	const char *name;
	int64_t timeout_ms; /* RFC 5321 4.5.3.2; -1: none */
	unsigned next;      /* besides CLOSED */
} STAGES[SP_SMTP_STAGE_COUNT] = {
	[SP_SMTP_STAGE_GREETING] = {"greeting", MINUTES(5),
                                    TO(EHLO) | TO(IDLE)},
	[SP_SMTP_STAGE_EHLO] = {"ehlo", MINUTES(5), TO(IDLE)},
	[SP_SMTP_STAGE_STARTTLS] = {"starttls", MINUTES(5), TO(TLS) | TO(IDLE)},
	[SP_SMTP_STAGE_TLS] = {"tls", -1, TO(EHLO) | TO(QUIT)},
	[SP_SMTP_STAGE_IDLE] = {"idle", -1,
                                TO(STARTTLS) | TO(MAIL) | TO(RSET) | TO(QUIT)},
	[SP_SMTP_STAGE_MAIL] = {"mail", MINUTES(5),
                                TO(RCPT) | TO(RSET) | TO(IDLE)},
	[SP_SMTP_STAGE_RCPT] = {"rcpt", MINUTES(5),
                                TO(DATA_INIT) | TO(DATA_BLOCK) | TO(RSET) |
                                        TO(IDLE)},
	[SP_SMTP_STAGE_DATA_INIT] = {"data-init", MINUTES(2),
                                     TO(DATA_BLOCK) | TO(DATA_DONE) | TO(IDLE)},
	[SP_SMTP_STAGE_DATA_BLOCK] = {"data-block", MINUTES(3),
                                      TO(DATA_DONE) | TO(IDLE)},
	[SP_SMTP_STAGE_DATA_DONE] = {"data-done", MINUTES(10), TO(IDLE)},
	[SP_SMTP_STAGE_RSET] = {"rset", MINUTES(5), TO(MAIL) | TO(IDLE)},
	[SP_SMTP_STAGE_QUIT] = {"quit", MINUTES(5), 0},
	[SP_SMTP_STAGE_CLOSED] = {"closed", -1, 0},
};

const char *sp_smtp_stage_name(enum sp_smtp_stage stage)
{
	SP_ASSERT((unsigned)stage < SP_SMTP_STAGE_COUNT);
	return STAGES[stage].name;
}

int64_t sp_smtp_stage_timeout_ms(enum sp_smtp_stage stage)
{
	SP_ASSERT((unsigned)stage < SP_SMTP_STAGE_COUNT);
	return STAGES[stage].timeout_ms;
}

void sp__smtp_goto(struct sp_smtp_client *c, enum sp_smtp_stage stage)
{
	if (stage == c->stage) {
		return;
	}
	unsigned legal = STAGES[c->stage].next | TO(CLOSED);
	SP_ASSERT(c->stage != SP_SMTP_STAGE_CLOSED &&
	          (legal & (1U << stage)) != 0);
	sp_smtp_history_transition(&c->history, STAGES[c->stage].name,
	                           STAGES[stage].name);
	c->stage = stage;
}

/* Events. */

static void event_free(struct sp__smtp_event **event)
{
	if (*event) {
		SP_FREE(&(*event)->text);
		SP_FREE(event);
	}
}

struct sp_smtp_client_event *sp__smtp_event(struct sp_smtp_client *c,
                                            enum sp_smtp_client_event_type type,
                                            const struct sp_reply *reply)
{
	struct sp__smtp_event *e = SP_NEW(struct sp__smtp_event);

	e->event.type = type;
	if (reply) {
		struct sp_str kept =
			sp_str_sub(reply->text, 0, SP_SMTP_REPLY_KEEP_MAX);
		e->text = sp_str_dup(kept);
		e->event.reply = *reply;
		e->event.reply.text = sp_str_slice(e->text, kept.len);
	}
	sp_list_append(&c->events, &e->node);
	return &e->event;
}

/* These invite the driver to act. Behind the end of the session they would
 * only mislead it: a peer can say 250 and 421 in one packet. */
static bool is_invitation(enum sp_smtp_client_event_type type)
{
	return type == SP_SMTP_CLIENT_READY ||
	       type == SP_SMTP_CLIENT_STARTTLS_READY ||
	       type == SP_SMTP_CLIENT_WANT_BODY;
}

static struct sp__smtp_event *event_take(struct sp_smtp_client *c)
{
	struct sp_list *first = sp_list_first(&c->events);

	if (!first) {
		return NULL;
	}
	sp_list_remove(first);
	return SP_CONTAINER(first, struct sp__smtp_event, node);
}

bool sp_smtp_client_next(struct sp_smtp_client *client,
                         struct sp_smtp_client_event *event_out)
{
	bool closed = client->stage == SP_SMTP_STAGE_CLOSED;

	do {
		event_free(&client->shown);
		client->shown = event_take(client);
		if (!client->shown) {
			return false;
		}
	} while (closed && is_invitation(client->shown->event.type));
	*event_out = client->shown->event;
	return true;
}

/* Commands. */

static struct sp__smtp_command *command_first(struct sp_list *list)
{
	struct sp_list *node = sp_list_first(list);

	return node ? SP_CONTAINER(node, struct sp__smtp_command, node) : NULL;
}

static struct sp__smtp_command *command_last(struct sp_list *list)
{
	return sp_list_empty(list)
	               ? NULL
	               : SP_CONTAINER(list->prev, struct sp__smtp_command,
	                              node);
}

static struct sp__smtp_command *command_new(const struct sp__smtp_kind *kind)
{
	struct sp__smtp_command *cmd = SP_NEW(struct sp__smtp_command);

	cmd->kind = kind;
	sp_list_init(&cmd->node);
	return cmd;
}

static void commands_drop(struct sp_list *list)
{
	for (struct sp__smtp_command *cmd; (cmd = command_first(list));) {
		sp_list_remove(&cmd->node);
		sp_free(cmd);
	}
}

void sp__smtp_queue(struct sp_smtp_client *c, const struct sp__smtp_kind *kind,
                    size_t rcpt)
{
	struct sp__smtp_command *cmd = command_new(kind);

	cmd->rcpt = rcpt;
	sp_list_append(&c->unsent, &cmd->node);
}

void sp__smtp_queue_sent(struct sp_smtp_client *c,
                         const struct sp__smtp_kind *kind)
{
	struct sp__smtp_command *cmd = command_new(kind);

	cmd->out_end = c->out_total;
	sp_list_append(&c->waiting, &cmd->node);
}

void sp__smtp_unqueue(struct sp_smtp_client *c)
{
	commands_drop(&c->unsent);
}

void sp__smtp_put(struct sp_smtp_client *c, struct sp_str bytes)
{
	int rc = sp_buf_append_str(&c->out, bytes);

	SP_ASSERT(rc == 0);
	c->out_total += bytes.len;
}

bool sp__smtp_pipelining(const struct sp_smtp_client *c)
{
	return !c->no_pipelining && (c->caps.set & SP_SMTP_CAP_PIPELINING) != 0;
}

static bool may_send(struct sp_smtp_client *c)
{
	const struct sp__smtp_command *last = command_last(&c->waiting);

	if (sp_list_empty(&c->unsent) ||
	    sp_buf_room(&c->out) < SP__SMTP_COMMAND_MAX) {
		return false;
	}
	return !last || (sp__smtp_pipelining(c) && !last->kind->ends_group);
}

void sp__smtp_update_stage(struct sp_smtp_client *c)
{
	const struct sp__smtp_command *cmd = command_first(&c->waiting);

	if (c->stage == SP_SMTP_STAGE_CLOSED || c->stage == SP_SMTP_STAGE_TLS) {
		return;
	}
	cmd = cmd ? cmd : command_first(&c->unsent);
	if (cmd) {
		sp__smtp_goto(c, cmd->kind->stage);
	} else {
		sp__smtp_goto(c, c->body_open ? SP_SMTP_STAGE_DATA_BLOCK
		                              : SP_SMTP_STAGE_IDLE);
	}
}

/* Write what may be written now; called after everything that queues. */
static void pump(struct sp_smtp_client *c)
{
	while (may_send(c)) {
		struct sp__smtp_command *cmd = command_first(&c->unsent);
		size_t before = sp_buf_len(&c->out);
		cmd->kind->format(c, cmd, &c->out);
		SP_ASSERT(sp_buf_error(&c->out) == 0);
		c->out_total += sp_buf_len(&c->out) - before;
		cmd->out_end = c->out_total;
		sp_list_remove(&cmd->node);
		sp_list_append(&c->waiting, &cmd->node);
	}
	sp__smtp_update_stage(c);
}

/* The ends of a session. */

static void close_session(struct sp_smtp_client *c)
{
	commands_drop(&c->unsent);
	commands_drop(&c->waiting);
	c->body_open = false;
	sp__smtp_goto(c, SP_SMTP_STAGE_CLOSED);
}

static void garbage(struct sp_smtp_client *c)
{
	(void)sp__smtp_event(c, SP_SMTP_CLIENT_STARTTLS_GARBAGE, NULL);
	close_session(c);
}

void sp__smtp_protocol_error(struct sp_smtp_client *c, const char *why)
{
	if (c->stage == SP_SMTP_STAGE_STARTTLS) {
		garbage(c);
		return;
	}
	sp__smtp_message_end(c, NULL);
	sp__smtp_event(c, SP_SMTP_CLIENT_PROTOCOL_ERROR, NULL)->why = why;
	close_session(c);
}

void sp__smtp_end(struct sp_smtp_client *c, const struct sp_reply *reply)
{
	sp__smtp_message_end(c, reply);
	(void)sp__smtp_event(c, SP_SMTP_CLIENT_CLOSED, reply);
	close_session(c);
}

void sp_smtp_client_lost(struct sp_smtp_client *client)
{
	if (client->stage != SP_SMTP_STAGE_CLOSED) {
		sp__smtp_end(client, NULL);
	}
}

/* Replies. */

/* True when the driver has taken the last byte of the command. */
static bool was_sent(const struct sp_smtp_client *c,
                     const struct sp__smtp_command *cmd)
{
	return cmd->out_end <= c->out_total - sp_buf_len(&c->out);
}

/* "Closing" is the answer to QUIT only. Taken for a success elsewhere, it
 * would lose the message of a peer that leaves instead of saying 250. */
static bool is_farewell(const struct sp__smtp_command *cmd,
                        const struct sp_reply *reply)
{
	return reply->code == 221 && cmd->kind != &SP__SMTP_QUIT &&
	       cmd->kind != &SP__SMTP_STARTTLS; /* no 220, which says it all */
}

static void on_reply(struct sp_smtp_client *c, const struct sp_reply *reply)
{
	struct sp__smtp_command *cmd = command_first(&c->waiting);

	sp_smtp_history_reply(&c->history, cmd ? cmd->kind->name : "-",
	                      reply->code, reply->text);
	if (!cmd || !was_sent(c, cmd)) {
		sp__smtp_on_early_reply(c, reply);
		return;
	}
	if (is_farewell(cmd, reply)) {
		sp__smtp_protocol_error(c, "221 before QUIT");
		return;
	}
	sp_list_remove(&cmd->node);
	cmd->kind->on_reply(c, cmd, reply);
	sp_free(cmd);
	if (reply->code == 421 && c->stage != SP_SMTP_STAGE_CLOSED) {
		sp__smtp_end(c, reply);
	}
	if (c->open && c->stage != SP_SMTP_STAGE_CLOSED) {
		sp__smtp_message_advance(c);
	}
	pump(c);
}

static bool reading(const struct sp_smtp_client *c)
{
	return c->stage != SP_SMTP_STAGE_CLOSED &&
	       c->stage != SP_SMTP_STAGE_TLS;
}

/* After the 220 to STARTTLS nothing may be left of what came in clear. */
static void check_starttls(struct sp_smtp_client *c, struct sp_str rest,
                           const struct sp_reply *reply)
{
	if (c->stage != SP_SMTP_STAGE_TLS) {
		return;
	}
	if (rest.len > 0) {
		garbage(c);
	} else {
		(void)sp__smtp_event(c, SP_SMTP_CLIENT_STARTTLS_READY, reply);
	}
}

static void bad_reply(struct sp_smtp_client *c, int rc)
{
	sp__smtp_protocol_error(c, rc == SP_ELIMIT ? "reply too long"
	                                           : "not an SMTP reply");
}

void sp_smtp_client_feed(struct sp_smtp_client *client, struct sp_str *input)
{
	if (client->stage == SP_SMTP_STAGE_TLS && input->len > 0) {
		garbage(client);
	}
	while (input->len > 0 && reading(client)) {
		struct sp_reply reply;
		int rc = sp_reply_parse(&client->parser, input, &reply);
		if (rc < 0) {
			bad_reply(client, rc);
		} else if (rc > 0) {
			on_reply(client, &reply);
			check_starttls(client, *input, &reply);
		}
	}
}

/* The driver's turn. */

struct sp_smtp_client *
sp_smtp_client_new(const struct sp_smtp_client_conf *conf)
{
	struct sp_smtp_client *c = SP_NEW(struct sp_smtp_client);

	SP_ASSERT(conf->hostname.len > 0 &&
	          conf->hostname.len <= SP__SMTP_HOST_MAX);
	c->hostname = sp_str_dup(conf->hostname);
	c->helo_fallback = conf->helo_fallback;
	c->no_pipelining = conf->no_pipelining;
	c->keep_texts = conf->keep_texts;
	c->stage = SP_SMTP_STAGE_GREETING;
	sp_reply_parser_init(&c->parser);
	sp_buf_init(&c->out, SP__SMTP_OUTPUT_MAX);
	sp_buf_init(&c->chunk, SP__SMTP_OUTPUT_MAX);
	sp_list_init(&c->unsent);
	sp_list_init(&c->waiting);
	sp_list_init(&c->events);
	sp_arena_init(&c->arena);
	sp__smtp_queue_sent(c, &SP__SMTP_GREETING);
	return c;
}

void sp_smtp_client_free(struct sp_smtp_client **client)
{
	struct sp_smtp_client *c = *client;
	struct sp_smtp_client_event event;

	if (!c) {
		return;
	}
	while (sp_smtp_client_next(c, &event)) {
	}
	commands_drop(&c->unsent);
	commands_drop(&c->waiting);
	sp_smtp_history_fini(&c->history);
	sp_reply_parser_fini(&c->parser);
	sp_buf_fini(&c->out);
	sp_buf_fini(&c->chunk);
	sp_arena_fini(&c->arena);
	SP_FREE(&c->hostname);
	SP_FREE(&c->greeting);
	SP_FREE(&c->hello);
	SP_FREE(client);
}

static int idle(const struct sp_smtp_client *c)
{
	if (c->stage == SP_SMTP_STAGE_CLOSED) {
		return SP_ECLOSED;
	}
	return c->stage == SP_SMTP_STAGE_IDLE ? 0 : SP_EBUSY;
}

static int command(struct sp_smtp_client *c, const struct sp__smtp_kind *kind)
{
	int rc = idle(c);

	if (rc == 0 && c->refused && kind != &SP__SMTP_QUIT) {
		rc = SP_ECLOSED;
	}
	if (rc == 0) {
		sp__smtp_queue(c, kind, 0);
		pump(c);
	}
	return rc;
}

int sp_smtp_client_starttls(struct sp_smtp_client *client)
{
	if ((client->caps.set & SP_SMTP_CAP_STARTTLS) == 0) {
		return SP_EUNSUPPORTED;
	}
	return command(client, &SP__SMTP_STARTTLS);
}

/* The first command inside TLS; of what was said in clear nothing is left. */
static void tls_begin(struct sp_smtp_client *c,
                      const struct sp__smtp_kind *first)
{
	SP_ASSERT(c->stage == SP_SMTP_STAGE_TLS);
	SP_ASSERT(sp_buf_len(&c->out) == 0);
	c->tls = true;
	c->caps = (struct sp_smtp_caps){0};
	c->host[0] = '\0';
	c->dirty = false;
	sp_reply_parser_reset(&c->parser);
	sp__smtp_goto(c, first->stage);
	sp__smtp_queue(c, first, 0);
	pump(c);
}

void sp_smtp_client_tls_started(struct sp_smtp_client *client)
{
	tls_begin(client, &SP__SMTP_EHLO);
}

int sp_smtp_client_tls_quit(struct sp_smtp_client *client)
{
	if (client->stage != SP_SMTP_STAGE_TLS) {
		return SP_EBUSY;
	}
	tls_begin(client, &SP__SMTP_QUIT);
	return 0;
}

int sp_smtp_client_reset(struct sp_smtp_client *client)
{
	return command(client, &SP__SMTP_RSET);
}

int sp_smtp_client_quit(struct sp_smtp_client *client)
{
	return command(client, &SP__SMTP_QUIT);
}

static bool is_clean_text(struct sp_str s, size_t max)
{
	return s.len <= max && !sp_str_any(s, sp_ascii_is_control);
}

/* No line can be smuggled into a command, whatever the store gave back. */
static bool is_clean(const struct sp_smtp_transaction *tx)
{
	bool clean = is_clean_text(tx->sender, SP__SMTP_PATH_MAX) &&
	             is_clean_text(tx->envid, SP_ENVELOPE_ENVID_MAX);

	for (size_t i = 0; clean && i < tx->rcpt_count; i++) {
		clean = is_clean_text(tx->rcpts[i].address,
		                      SP__SMTP_PATH_MAX) &&
		        is_clean_text(tx->rcpts[i].orcpt,
		                      SP_ENVELOPE_ORCPT_MAX);
	}
	return clean;
}

static void message_start(struct sp_smtp_client *c)
{
	if (c->dirty) {
		sp__smtp_queue(c, &SP__SMTP_RSET_FIRST, 0);
	}
	sp__smtp_queue(c, &SP__SMTP_MAIL, 0);
	for (size_t i = 0; i < c->tx.rcpt_count; i++) {
		if (c->result.rcpts[i].need == SP_SMTP_NEED_NONE) {
			sp__smtp_queue(c, &SP__SMTP_RCPT, i);
		}
	}
	if (sp__smtp_pipelining(c) && !c->bdat && !c->tx.probe) {
		sp__smtp_queue(c, &SP__SMTP_DATA, 0);
		c->data_queued = true;
	}
	pump(c);
}

int sp_smtp_client_send(struct sp_smtp_client *client,
                        const struct sp_smtp_transaction *transaction)
{
	struct sp_smtp_client *c = client;
	int rc = c->refused ? SP_ECLOSED : idle(c);

	if (rc != 0) {
		return rc;
	}
	if (!is_clean(transaction)) {
		return SP_ESYNTAX;
	}
	SP_ASSERT(transaction->rcpt_count > 0 &&
	          transaction->rcpt_count <= SP_ENVELOPE_RCPT_MAX);
	sp_arena_fini(&c->arena);
	c->tx = *transaction;
	c->result = (struct sp_smtp_result){
		.rcpt_count = transaction->rcpt_count,
		.need = sp_smtp_need_check(&c->caps, transaction),
		.dsn = (c->caps.set & SP_SMTP_CAP_DSN) != 0,
	};
	c->result.rcpts = sp_arena_array(&c->arena, c->result.rcpt_count,
	                                 sizeof(*c->result.rcpts));
	sp__smtp_address(c);
	c->accepted = 0;
	c->mail_ok = false;
	c->data_queued = false;
	c->bdat = transaction->chunking && !transaction->probe &&
	          (c->caps.set & SP_SMTP_CAP_CHUNKING) != 0;
	sp_smtp_data_encoder_init(&c->encoder, !c->bdat);
	c->open = true;
	if (c->result.need != SP_SMTP_NEED_NONE) {
		sp__smtp_message_end(c, NULL);
	} else {
		message_start(c);
	}
	return 0;
}

struct sp_buf *sp_smtp_client_output(struct sp_smtp_client *client)
{
	return &client->out;
}

enum sp_smtp_stage sp_smtp_client_stage(const struct sp_smtp_client *client)
{
	return client->stage;
}

const struct sp_smtp_caps *
sp_smtp_client_caps(const struct sp_smtp_client *client)
{
	return &client->caps;
}

const struct sp_smtp_history *
sp_smtp_client_history(const struct sp_smtp_client *client)
{
	return &client->history;
}

struct sp_str sp_smtp_client_greeting(const struct sp_smtp_client *client)
{
	return sp_str_from(client->greeting);
}

struct sp_str sp_smtp_client_hello(const struct sp_smtp_client *client)
{
	return sp_str_from(client->hello);
}
