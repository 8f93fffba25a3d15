/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each command does in each state: one row a verb, with the states that
 * take it and the answer elsewhere. A command that is not well formed is
 * answered before its state is looked at, and changes nothing.
 */
#include <string.h>

#include "base/err.h"
#include "smtp/server_private.h"

#define IN(state) (1U << SP__SMTPD_##state)
#define ANYWHERE  (~0U)
#define RCPT_STEP 16

static void ok(struct sp_smtp_server *s, const char *enhanced)
{
	sp__smtpd_reply(s, 250, enhanced, "ok");
}

static void on_helo(struct sp_smtp_server *s, const struct sp_command *command)
{
	struct sp_str name = command->argument;

	sp__smtpd_tx_end(s, "reset");
	s->esmtp = command->verb == SP_VERB_EHLO;
	memcpy(s->helo, name.ptr, name.len); /* at most SP_COMMAND_NAME_MAX */
	s->helo[name.len] = '\0';
	sp__smtpd_goto(s, SP__SMTPD_READY);
}

static void on_plain_helo(struct sp_smtp_server *s,
                          const struct sp_command *command)
{
	on_helo(s, command);
	sp__smtpd_reply(s, 250, NULL, s->hostname);
}

static void on_ehlo(struct sp_smtp_server *s, const struct sp_command *command)
{
	static const char ALWAYS[] = "250-PIPELINING\r\n"
				     "250-8BITMIME\r\n"
				     "250-SMTPUTF8\r\n"
				     "250-DSN\r\n"
				     "250-ENHANCEDSTATUSCODES\r\n"
				     "250-CHUNKING\r\n"
				     "250-HELP\r\n";

	on_helo(s, command);
	(void)sp_buf_printf(&s->out, "250-%s\r\n%s", s->hostname, ALWAYS);
	if (s->tls) { /* RFC 8689 2: nowhere else */
		(void)sp_buf_append_cstr(&s->out, "250-REQUIRETLS\r\n");
	} else if (s->conf.starttls) {
		(void)sp_buf_append_cstr(&s->out, "250-STARTTLS\r\n");
	}
	(void)sp_buf_printf(&s->out, "250 SIZE %llu\r\n",
	                    (unsigned long long)s->conf.size_max_bytes);
	sp_smtp_history_reply(&s->history, "EHLO", 250, s->conf.hostname);
}

static bool allowed_by_owner(struct sp_smtp_server *s, bool allowed,
                             const struct sp_smtp_answer *answer)
{
	if (!allowed) {
		sp__smtpd_reply(s, answer->code, answer->enhanced,
		                answer->text);
	}
	return allowed;
}

static bool mail_allowed(struct sp_smtp_server *s,
                         const struct sp_command *command)
{
	struct sp_smtp_answer answer = {0};

	if (command->requiretls && !(s->tls && s->esmtp)) {
		sp__smtpd_reply(s, 555, "5.5.4",
		                "REQUIRETLS is offered inside TLS only");
		return false;
	}
	if (command->has_size && s->conf.size_max_bytes > 0 &&
	    command->size_bytes > s->conf.size_max_bytes) {
		sp__smtpd_reply(s, 552, "5.3.4", "message too large");
		return false;
	}
	if (!s->conf.ops || !s->conf.ops->mail) {
		return true;
	}
	bool allowed =
		s->conf.ops->mail(s->conf.ops_arg, &command->address, &answer);
	return allowed_by_owner(s, allowed, &answer);
}

static void on_mail(struct sp_smtp_server *s, const struct sp_command *command)
{
	struct sp__smtpd_tx *tx = &s->tx;

	if (!mail_allowed(s, command)) {
		return;
	}
	sp__smtpd_tx_end(s, "reset");
	tx->declared_8bit = command->body == SP_BODY_8BITMIME;
	tx->envelope = (struct sp_envelope){
		.sender = sp_arena_str(&tx->arena, command->mailbox),
		.envid = sp_arena_str(&tx->arena, command->envid),
		.ret = command->ret,
		.smtputf8 = command->smtputf8,
		.requiretls = command->requiretls,
		.body_8bit = tx->declared_8bit,
		.client = s->conf.client,
		.helo = sp_str_from(s->helo),
	};
	ok(s, "2.1.0");
	sp__smtpd_goto(s, SP__SMTPD_MAIL);
}

static struct sp_envelope_rcpt *add_rcpt(struct sp__smtpd_tx *tx)
{
	size_t count = tx->envelope.rcpt_count++;

	if (count == tx->rcpt_cap) { /* at most rcpt_max, checked before */
		tx->rcpt_cap += tx->rcpt_cap > 0 ? tx->rcpt_cap : RCPT_STEP;
		tx->rcpts = sp_realloc(tx->rcpts,
		                       tx->rcpt_cap * sizeof(*tx->rcpts));
		tx->envelope.rcpts = tx->rcpts;
	}
	return &tx->rcpts[count];
}

/* The domain for scheduling; that of <postmaster> is ours (4.5.1). */
static bool rcpt_domain(struct sp_smtp_server *s,
                        const struct sp_command *command,
                        struct sp_str *domain_out)
{
	struct sp_str domain = command->address.domain;

	if (domain.len == 0) {
		domain = s->conf.hostname;
	}
	if (sp_domain_to_ascii(domain, &s->tx.arena, domain_out) == 0) {
		return true;
	}
	sp__smtpd_reply(s, 501, "5.1.3",
	                "domain of the recipient is not valid");
	return false;
}

static bool rcpt_allowed(struct sp_smtp_server *s,
                         const struct sp_command *command, struct sp_str domain)
{
	struct sp_smtp_answer answer = {0};

	if (!s->conf.ops || !s->conf.ops->rcpt) {
		return true;
	}
	bool allowed = s->conf.ops->rcpt(s->conf.ops_arg, &command->address,
	                                 domain, &answer);
	return allowed_by_owner(s, allowed, &answer);
}

static void on_rcpt(struct sp_smtp_server *s, const struct sp_command *command)
{
	struct sp__smtpd_tx *tx = &s->tx;
	struct sp_str mailbox = command->mailbox;
	struct sp_str domain;

	if (command->address.utf8 && !tx->envelope.smtputf8) {
		struct sp_command_answer a =
			sp_command_answer(SP_COMMAND_NEEDS_SMTPUTF8);
		sp__smtpd_reply(s, a.code, a.enhanced, a.text);
		return;
	}
	if (tx->envelope.rcpt_count >= s->conf.rcpt_max) {
		/* 4xx by RFC 5321 4.5.3.1.10: the client sends the rest in
		 * a transaction of their own */
		sp__smtpd_reply(s, 452, "4.5.3", "too many recipients");
		return;
	}
	if (!rcpt_domain(s, command, &domain) ||
	    !rcpt_allowed(s, command, domain)) {
		return;
	}
	if (command->address.domain.len == 0) {
		mailbox = sp_str_from(
			sp_arena_printf(&tx->arena, SP_STR_FMT "@%s",
		                        SP_STR_ARG(mailbox), s->hostname));
	}
	*add_rcpt(tx) = (struct sp_envelope_rcpt){
		.address = sp_arena_str(&tx->arena, mailbox),
		.domain = domain,
		.orcpt = sp_arena_str(&tx->arena, command->orcpt),
		.notify = command->notify,
	};
	ok(s, "2.1.5");
	sp__smtpd_goto(s, SP__SMTPD_RCPT);
}

static void on_data(struct sp_smtp_server *s, const struct sp_command *command)
{
	(void)command;
	if (s->state == SP__SMTPD_MAIL) {
		sp__smtpd_reply(s, 554, "5.5.1", "no valid recipients");
		return;
	}
	sp__smtpd_reply(s, 354, NULL, "end data with <CR><LF>.<CR><LF>");
	sp__smtpd_goto(s, SP__SMTPD_DATA);
	sp__smtpd_data_start(s, true);
}

static void on_rset(struct sp_smtp_server *s, const struct sp_command *command)
{
	(void)command;
	sp__smtpd_tx_end(s, "reset");
	ok(s, "2.0.0");
	if (s->state != SP__SMTPD_START) {
		sp__smtpd_goto(s, SP__SMTPD_READY);
	}
}

static void on_noop(struct sp_smtp_server *s, const struct sp_command *command)
{
	(void)command;
	ok(s, "2.0.0");
}

static void on_vrfy(struct sp_smtp_server *s, const struct sp_command *command)
{
	(void)command;
	sp__smtpd_reply(s, 252, "2.5.2", "not verified; send it and see");
}

static void on_help(struct sp_smtp_server *s, const struct sp_command *command)
{
	(void)command;
	sp__smtpd_reply(s, 214, "2.0.0", "see RFC 5321");
}

static void on_quit(struct sp_smtp_server *s, const struct sp_command *command)
{
	(void)command;
	sp__smtpd_reply(s, 221, "2.0.0", "bye");
	sp__smtpd_close(s, SP_SMTP_SERVER_QUIT, "quit");
}

static void on_starttls(struct sp_smtp_server *s,
                        const struct sp_command *command)
{
	(void)command;
	if (s->tls || !s->conf.starttls) {
		sp__smtpd_reply(s, s->tls ? 503 : 502, "5.5.1",
		                s->tls ? "TLS is up already"
		                       : "STARTTLS is not offered");
	} else if (s->behind > 0) {
		sp__smtpd_reply(s, 554, "5.5.1", "data behind STARTTLS");
		sp__smtpd_close(s, SP_SMTP_SERVER_CLOSE, "starttls-garbage");
	} else {
		sp__smtpd_reply(s, 220, "2.0.0", "go ahead");
		sp__smtpd_goto(s, SP__SMTPD_TLS);
		(void)sp__smtpd_event(s, SP_SMTP_SERVER_STARTTLS);
	}
}

static void on_refused(struct sp_smtp_server *s,
                       const struct sp_command *command)
{
	(void)command;
	sp__smtpd_reply(s, 502, "5.5.1", "command not implemented");
}

/* A browser was made to talk to us: nothing it sent may be answered to. */
static void on_foreign(struct sp_smtp_server *s,
                       const struct sp_command *command)
{
	(void)command;
	sp__smtpd_reply(s, 554, "5.5.1", "this is SMTP, closing");
	sp__smtpd_close(s, SP_SMTP_SERVER_CLOSE, "foreign-protocol");
}

static const struct row {
	enum sp_verb verb;
	unsigned states; /* elsewhere: 503 and what is missing */
	void (*act)(struct sp_smtp_server *s, const struct sp_command *command);
	const char *elsewhere;
} ROWS[] = {
	{SP_VERB_HELO, ANYWHERE, on_plain_helo, NULL},
	{SP_VERB_EHLO, ANYWHERE, on_ehlo, NULL},
	{SP_VERB_STARTTLS, IN(START) | IN(READY), on_starttls,
         "STARTTLS inside a transaction"},
	{SP_VERB_MAIL, IN(READY), on_mail,
         "MAIL needs EHLO and no open "
         "transaction"},
	{SP_VERB_RCPT, IN(MAIL) | IN(RCPT), on_rcpt, "RCPT needs MAIL"},
	{SP_VERB_DATA, IN(MAIL) | IN(RCPT), on_data, "DATA needs RCPT"},
	{SP_VERB_BDAT, ANYWHERE, sp__smtpd_chunk_start, NULL},
	{SP_VERB_RSET, ANYWHERE, on_rset, NULL},
	{SP_VERB_NOOP, ANYWHERE, on_noop, NULL},
	{SP_VERB_VRFY, ANYWHERE, on_vrfy, NULL},
	{SP_VERB_HELP, ANYWHERE, on_help, NULL},
	{SP_VERB_QUIT, ANYWHERE, on_quit, NULL},
	{SP_VERB_EXPN, ANYWHERE, on_refused, NULL},
	{SP_VERB_AUTH, ANYWHERE, on_refused, NULL},
	{SP_VERB_FOREIGN, ANYWHERE, on_foreign, NULL},
};

/* Commands that exist, but not here: 502 instead of 500 (4.2.4). */
static bool is_known_elsewhere(struct sp_str line)
{
	static const char *const VERBS[] = {"ETRN", "ATRN", "TURN",
	                                    "SEND", "SOML", "SAML"};
	struct sp_str word;

	(void)sp_str_cut(&line, ' ', &word);
	for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
		if (sp_str_eq_nocase(word, sp_str_from(VERBS[i]))) {
			return true;
		}
	}
	return false;
}

static void answer_problem(struct sp_smtp_server *s, struct sp_str line,
                           const struct sp_command *command)
{
	struct sp_command_answer a = sp_command_answer(command->problem);

	if (command->problem == SP_COMMAND_UNKNOWN &&
	    is_known_elsewhere(line)) {
		on_refused(s, command);
		return;
	}
	sp__smtpd_reply(s, a.code, a.enhanced, a.text);
	if (command->verb == SP_VERB_BDAT) {
		/* how many bytes follow is unknown: nothing behind this can
		 * be told from data */
		sp__smtpd_close(s, SP_SMTP_SERVER_CLOSE, "bdat-syntax");
	}
}

static void act(struct sp_smtp_server *s, const struct sp_command *command)
{
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		const struct row *row = &ROWS[i];
		if (row->verb != command->verb) {
			continue;
		}
		if ((row->states & (1U << s->state)) != 0) {
			row->act(s, command);
		} else {
			sp__smtpd_reply(s, 503, "5.5.1", row->elsewhere);
		}
		return;
	}
	on_refused(s, command);
}

void sp__smtpd_command(struct sp_smtp_server *s, struct sp_str line)
{
	struct sp_arena scratch;
	struct sp_command command;

	sp_arena_init(&scratch);
	int rc = sp_command_parse(line, &scratch, &command);
	if (command.verb == SP_VERB_FOREIGN || rc == 0) {
		act(s, &command);
	} else {
		answer_problem(s, line, &command);
	}
	sp_arena_fini(&scratch);
}
