/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the client: how each is written, and what the replies to
 * those outside a transaction do. Parameters go out only to a peer that
 * offered their extension; need was checked before, so that what is left out
 * here is never something the message depends on.
 */
#include <string.h>

#include "base/err.h"
#include "smtp/client_private.h"
#include "wire/address.h"

static bool has(const struct sp_smtp_client *c, enum sp_smtp_cap cap)
{
	return (c->caps.set & (unsigned)cap) != 0;
}

static bool is_class(const struct sp_reply *reply, unsigned class)
{
	return reply->code / 100 == class;
}

/* Writing. */

static void put_named(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd, struct sp_buf *out)
{
	(void)c;
	(void)sp_buf_printf(out, "%s\r\n", cmd->kind->name);
}

static void put_hello(struct sp_smtp_client *c,
                      const struct sp__smtp_command *cmd, struct sp_buf *out)
{
	(void)sp_buf_printf(out, "%s %s\r\n", cmd->kind->name, c->hostname);
}

static void put_dsn_mail(struct sp_smtp_client *c, struct sp_buf *out)
{
	static const char *const RET[] = {
		[SP_RET_UNSET] = "",
		[SP_RET_FULL] = " RET=FULL",
		[SP_RET_HDRS] = " RET=HDRS",
	};

	(void)sp_buf_append_cstr(out, RET[c->tx.ret]);
	if (c->tx.envid.len > 0) {
		struct sp_str xtext = sp_xtext_encode(c->tx.envid, &c->arena);
		(void)sp_buf_append_cstr(out, " ENVID=");
		(void)sp_buf_append_str(out, xtext);
	}
}

/* RFC 8689 5: a report asks for it where it can, and goes on where nobody
 * offers it. Other mail is not said where it isn't offered. */
static bool says_requiretls(const struct sp_smtp_client *c)
{
	return c->tx.requiretls && has(c, SP_SMTP_CAP_REQUIRETLS) &&
	       (c->tls || c->tx.sender.len > 0);
}

static void put_mail(struct sp_smtp_client *c,
                     const struct sp__smtp_command *cmd, struct sp_buf *out)
{
	const struct sp_smtp_transaction *tx = &c->tx;

	(void)cmd;
	(void)sp_buf_append_cstr(out, "MAIL FROM:<");
	(void)sp_buf_append_str(out, c->sender);
	(void)sp_buf_append_char(out, '>');
	if (has(c, SP_SMTP_CAP_SIZE) && tx->size_bytes > 0) {
		(void)sp_buf_printf(out, " SIZE=%llu",
		                    (unsigned long long)tx->size_bytes);
	}
	if (tx->body_8bit) {
		(void)sp_buf_append_cstr(out, " BODY=8BITMIME");
	}
	if (c->utf8) {
		(void)sp_buf_append_cstr(out, " SMTPUTF8");
	}
	if (has(c, SP_SMTP_CAP_DSN)) {
		put_dsn_mail(c, out);
	}
	if (says_requiretls(c)) {
		(void)sp_buf_append_cstr(out, " REQUIRETLS");
	}
	(void)sp_buf_append_cstr(out, "\r\n");
}

static void put_notify(uint8_t notify, struct sp_buf *out)
{
	static const struct {
		enum sp_notify bit;
		const char *name;
	} NAMES[] = {
		{SP_NOTIFY_NEVER, "NEVER"},
		{SP_NOTIFY_SUCCESS, "SUCCESS"},
		{SP_NOTIFY_FAILURE, "FAILURE"},
		{SP_NOTIFY_DELAY, "DELAY"},
	};
	const char *lead = " NOTIFY=";

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		if ((notify & NAMES[i].bit) != 0) {
			(void)sp_buf_printf(out, "%s%s", lead, NAMES[i].name);
			lead = ",";
		}
	}
}

/* The type utf-8 is not xtext: it goes on as it came inside SMTPUTF8, and
 * elsewhere with the bytes above 127 escaped (RFC 6533 3). */
static void put_orcpt(struct sp_smtp_client *c, struct sp_str orcpt,
                      struct sp_buf *out)
{
	struct sp_str address = orcpt;
	struct sp_str type;

	if (orcpt.len == 0) {
		return;
	}
	(void)sp_str_cut(&address, ';', &type);
	if (!sp_str_eq_nocase(type, SP_STR("utf-8"))) {
		address = sp_xtext_encode(address, &c->arena);
	} else if (!c->utf8) {
		address = sp_utf8_addr_xtext(address, &c->arena);
	}
	(void)sp_buf_printf(out, " ORCPT=" SP_STR_FMT ";", SP_STR_ARG(type));
	(void)sp_buf_append_str(out, address);
}

static void put_rcpt(struct sp_smtp_client *c,
                     const struct sp__smtp_command *cmd, struct sp_buf *out)
{
	const struct sp_envelope_rcpt *rcpt = &c->tx.rcpts[cmd->rcpt];

	(void)sp_buf_append_cstr(out, "RCPT TO:<");
	(void)sp_buf_append_str(out, c->paths[cmd->rcpt]);
	(void)sp_buf_append_char(out, '>');
	if (has(c, SP_SMTP_CAP_DSN)) {
		put_notify(rcpt->notify, out);
		put_orcpt(c, rcpt->orcpt, out);
	}
	(void)sp_buf_append_cstr(out, "\r\n");
}

/* Replies. */

static void keep_text(const struct sp_smtp_client *c,
                      const struct sp_reply *reply, char **text)
{
	if (c->keep_texts) {
		sp_free(*text);
		*text = sp_str_dup(
			sp_str_sub(reply->text, 0, SP__SMTP_TEXT_MAX));
	}
}

static void on_greeting(struct sp_smtp_client *c,
                        const struct sp__smtp_command *cmd,
                        const struct sp_reply *reply)
{
	(void)cmd;
	keep_text(c, reply, &c->greeting);
	if (is_class(reply, 2)) {
		sp__smtp_queue(c, &SP__SMTP_EHLO, 0);
	} else {
		c->refused = true;
		(void)sp__smtp_event(c, SP_SMTP_CLIENT_GREETING_REFUSED, reply);
	}
}

static void keep_host(struct sp_smtp_client *c, struct sp_str host)
{
	host = sp_str_sub(host, 0, SP__SMTP_HOST_MAX);
	if (host.len > 0) {
		memcpy(c->host, host.ptr, host.len);
	}
	c->host[host.len] = '\0';
}

static void ready(struct sp_smtp_client *c, const struct sp_reply *reply)
{
	struct sp_smtp_client_event *event =
		sp__smtp_event(c, SP_SMTP_CLIENT_READY, reply);

	event->caps = c->caps;
	event->host = sp_str_from(c->host);
}

static void on_ehlo(struct sp_smtp_client *c,
                    const struct sp__smtp_command *cmd,
                    const struct sp_reply *reply)
{
	struct sp_str host;

	(void)cmd;
	keep_text(c, reply, &c->hello);
	if (is_class(reply, 2)) {
		sp__smtp_caps_parse(reply->text, &c->caps, &host);
		keep_host(c, host);
		if (c->tls) { /* RFC 3207 4.2: not twice */
			c->caps.set &= ~(unsigned)SP_SMTP_CAP_STARTTLS;
		}
		ready(c, reply);
	} else if (is_class(reply, 5) && c->helo_fallback && !c->tls) {
		sp__smtp_queue(c, &SP__SMTP_HELO, 0);
	} else {
		c->refused = true;
		(void)sp__smtp_event(c, SP_SMTP_CLIENT_EHLO_REFUSED, reply);
	}
}

static void on_helo(struct sp_smtp_client *c,
                    const struct sp__smtp_command *cmd,
                    const struct sp_reply *reply)
{
	struct sp_str text = reply->text;
	struct sp_str host;

	(void)cmd;
	keep_text(c, reply, &c->hello);
	if (is_class(reply, 2)) {
		c->caps = (struct sp_smtp_caps){.helo = true};
		(void)sp_str_cut(&text, ' ', &host);
		keep_host(c, host);
		ready(c, reply);
	} else {
		c->refused = true;
		(void)sp__smtp_event(c, SP_SMTP_CLIENT_EHLO_REFUSED, reply);
	}
}

static void on_starttls(struct sp_smtp_client *c,
                        const struct sp__smtp_command *cmd,
                        const struct sp_reply *reply)
{
	(void)cmd;
	if (reply->code == 220) {
		sp__smtp_goto(c, SP_SMTP_STAGE_TLS);
	} else {
		(void)sp__smtp_event(c, SP_SMTP_CLIENT_STARTTLS_REFUSED, reply);
	}
}

static void on_rset(struct sp_smtp_client *c,
                    const struct sp__smtp_command *cmd,
                    const struct sp_reply *reply)
{
	(void)cmd;
	c->dirty = c->dirty && !is_class(reply, 2);
	(void)sp__smtp_event(c, SP_SMTP_CLIENT_RESET_DONE, reply);
}

/* The RSET before a new MAIL. Should it fail, MAIL will too and says so. */
static void on_rset_first(struct sp_smtp_client *c,
                          const struct sp__smtp_command *cmd,
                          const struct sp_reply *reply)
{
	(void)cmd;
	c->dirty = !is_class(reply, 2);
}

static void on_quit(struct sp_smtp_client *c,
                    const struct sp__smtp_command *cmd,
                    const struct sp_reply *reply)
{
	(void)cmd;
	(void)sp__smtp_event(c, SP_SMTP_CLIENT_QUIT_DONE, reply);
	sp__smtp_goto(c, SP_SMTP_STAGE_CLOSED);
}

#define KIND(NAME, ...) const struct sp__smtp_kind SP__SMTP_##NAME = __VA_ARGS__
#define STAGE(name)     SP_SMTP_STAGE_##name

/* name, stage, ends its pipelining group, writer, reader of the reply */
KIND(GREETING, {"greeting", STAGE(GREETING), true, NULL, on_greeting});
KIND(EHLO, {"EHLO", STAGE(EHLO), true, put_hello, on_ehlo});
KIND(HELO, {"HELO", STAGE(EHLO), true, put_hello, on_helo});
KIND(STARTTLS, {"STARTTLS", STAGE(STARTTLS), true, put_named, on_starttls});
KIND(MAIL, {"MAIL", STAGE(MAIL), false, put_mail, sp__smtp_on_mail});
KIND(RCPT, {"RCPT", STAGE(RCPT), false, put_rcpt, sp__smtp_on_rcpt});
KIND(DATA, {"DATA", STAGE(DATA_INIT), true, put_named, sp__smtp_on_data});
KIND(DOT, {"dot", STAGE(DATA_DONE), true, NULL, sp__smtp_on_dot});
KIND(BDAT, {"BDAT", STAGE(DATA_BLOCK), false, NULL, sp__smtp_on_bdat});
KIND(BDAT_LAST, {"BDAT LAST", STAGE(DATA_DONE), true, NULL, sp__smtp_on_bdat});
KIND(RSET, {"RSET", STAGE(RSET), true, put_named, on_rset});
KIND(RSET_FIRST, {"RSET", STAGE(RSET), false, put_named, on_rset_first});
KIND(QUIT, {"QUIT", STAGE(QUIT), true, put_named, on_quit});
