/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dialogs with the server session. Events are printed as
 *	begin <sender> <rcpt>...    end size=N [8bit] body=...
 *	abort why    starttls    quit    close why
 * with the line ends of the body shown as /.
 */
#include "dialog.h"
#include "smtp/server.h"

struct under_test {
	struct sp_smtp_server *server;
	struct sp_buf body;
};

#define HELLO                                                                  \
	">220 mx.test ESMTP Sealpost\n"                                        \
	"<EHLO c.test\n"                                                       \
	">250-mx.test\n"                                                       \
	">250-PIPELINING\n"                                                    \
	">250-8BITMIME\n"                                                      \
	">250-SMTPUTF8\n"                                                      \
	">250-DSN\n"                                                           \
	">250-ENHANCEDSTATUSCODES\n"                                           \
	">250-CHUNKING\n"                                                      \
	">250-HELP\n"                                                          \
	">250-STARTTLS\n"                                                      \
	">250 SIZE 200\n"
#define TLS_HELLO                                                              \
	"<EHLO c.test\n>250-mx.test\n>250-PIPELINING\n"                        \
	">250-8BITMIME\n>250-SMTPUTF8\n>250-DSN\n"                             \
	">250-ENHANCEDSTATUSCODES\n>250-CHUNKING\n>250-HELP\n"                 \
	">250-REQUIRETLS\n>250 SIZE 200\n"
#define ENVELOPE                                                               \
	"<MAIL FROM:<a@s.test>\n"                                              \
	"<RCPT TO:<b@d.test>\n"                                                \
	">250 2.1.0 ok\n"                                                      \
	">250 2.1.5 ok\n"
#define GO_AHEAD ">354 end data with <CR><LF>.<CR><LF>\n"
#define BEGIN    "!begin <a@s.test> <b@d.test>\n"
#define UNKNOWN  ">500 5.5.1 command not recognized\n"
#define QUEUED   "#answer\n>250 2.0.0 queued as X1\n"

static const struct server_case {
	const char *name;
	const char *script;
	unsigned modes; /* 0: all */
} CASES[] = {
	{"RFC 5321 D.1 a message",
         HELLO ENVELOPE "<DATA\n" GO_AHEAD BEGIN "<Subject: x\n<\n<..dot\n<.\n"
                        "!end size=20 body=Subject: x//.dot/\n" QUEUED
                        "<QUIT\n>221 2.0.0 bye\n!quit\n",
         0},
	{"RFC 2920 3.1 commands behind the end of data wait",
         HELLO "<MAIL FROM:<a@s.test>\n<RCPT TO:<b@d.test>\n<DATA\n"
               "<x\n<.\n<MAIL FROM:<>\n<RCPT TO:<c@d.test>\n<QUIT\n"
               ">250 2.1.0 ok\n>250 2.1.5 ok\n" GO_AHEAD BEGIN
               "!end size=3 body=x/\n" QUEUED
               ">250 2.1.0 ok\n>250 2.1.5 ok\n>221 2.0.0 bye\n!quit\n",
         0},
	{"RFC 5321 3.3 refusal by the driver at the end",
         HELLO ENVELOPE "<DATA\n" GO_AHEAD BEGIN "<x\n<.\n"
                        "!end size=3 body=x/\n#tempfail\n"
                        ">451 4.3.0 queue not available\n" ENVELOPE,
         0},
	{"refusal by the driver before the end",
         HELLO ENVELOPE "<DATA\n" GO_AHEAD BEGIN
                        "#tempfail\n!abort refused\n<x\n<.\n"
                        ">451 4.3.0 queue not available\n" ENVELOPE,
         0},
	{"RFC 5321 4.1.1.4 order of commands",
         ">220 mx.test ESMTP Sealpost\n"
         "<MAIL FROM:<a@s.test>\n"
         ">503 5.5.1 MAIL needs EHLO and no open transaction\n"
         "<HELO c.test\n>250 mx.test\n"
         "<RCPT TO:<b@d.test>\n>503 5.5.1 RCPT needs MAIL\n"
         "<DATA\n>503 5.5.1 DATA needs RCPT\n"
         "<MAIL FROM:<a@s.test>\n>250 2.1.0 ok\n"
         "<MAIL FROM:<a@s.test>\n"
         ">503 5.5.1 MAIL needs EHLO and no open transaction\n"
         "<DATA\n>554 5.5.1 no valid recipients\n"
         "<RSET\n>250 2.0.0 ok\n<RCPT TO:<b@d.test>\n"
         ">503 5.5.1 RCPT needs MAIL\n",
         0},
	{"RFC 5321 4.5.1 postmaster without a domain",
         HELLO "<MAIL FROM:<>\n<RCPT TO:<Postmaster>\n<DATA\n"
               ">250 2.1.0 ok\n>250 2.1.5 ok\n" GO_AHEAD
               "!begin <> <Postmaster@mx.test>\n<.\n"
               "!end size=0 body=\n" QUEUED,
         0},
	{"RFC 5321 4.1.1 the small commands",
         HELLO "<NOOP\n>250 2.0.0 ok\n<VRFY b\n"
               ">252 2.5.2 not verified; send it and see\n"
               "<EXPN x\n>502 5.5.1 command not implemented\n"
               "<ETRN d.test\n>502 5.5.1 command not implemented\n"
               "<HELP\n>214 2.0.0 see RFC 5321\n"
               "<FROB\n>500 5.5.1 command not recognized\n",
         0},
	{"RFC 3461 4 DSN parameters",
         HELLO "<MAIL FROM:<a@s.test> RET=HDRS ENVID=q+2B1\n"
               "<RCPT TO:<b@d.test> NOTIFY=FAILURE,DELAY "
               "ORCPT=rfc822;B@d.test\n<DATA\n"
               ">250 2.1.0 ok\n>250 2.1.5 ok\n" GO_AHEAD
               "!begin <a@s.test> ret=2 envid=q+1 <b@d.test> notify=12 "
               "orcpt=rfc822;B@d.test\n<.\n!end size=0 body=\n" QUEUED,
         0},
	{"RFC 6531 3.3 an UTF-8 recipient needs SMTPUTF8",
         HELLO "<MAIL FROM:<a@s.test>\n>250 2.1.0 ok\n"
               "<RCPT TO:<\xc3\xa9@d.test>\n"
               ">553 5.6.7 address needs SMTPUTF8\n"
               "<RSET\n>250 2.0.0 ok\n<MAIL FROM:<a@s.test> SMTPUTF8\n"
               ">250 2.1.0 ok\n<RCPT TO:<\xc3\xa9@d.test>\n"
               ">250 2.1.5 ok\n",
         0},
	{"RFC 6152 3 undeclared 8-bit text is flagged",
         HELLO ENVELOPE "<DATA\n" GO_AHEAD BEGIN "<\xc3\xa9\n<.\n"
                        "!end size=4 8bit body=\xc3\xa9/\n" QUEUED,
         0},
	{"RFC 1870 6.1 SIZE too large",
         HELLO "<MAIL FROM:<a@s.test> SIZE=201\n"
               ">552 5.3.4 message too large\n"
               "<MAIL FROM:<a@s.test> SIZE=99999999999999999999\n"
               ">552 5.3.4 message too large\n"
               "<MAIL FROM:<a@s.test> SIZE=200\n>250 2.1.0 ok\n",
         0},
	{"RFC 1870 6.4 too large on the way",
         HELLO ENVELOPE
         "<DATA\n" GO_AHEAD BEGIN
         "<1234567890123456789012345678901234567890123456789012345678901234\n"
         "<1234567890123456789012345678901234567890123456789012345678901234\n"
         "<1234567890123456789012345678901234567890123456789012345678901234\n"
         "<1234567890\n<.\n!abort too-large\n"
         ">552 5.3.4 message too large\n<NOOP\n>250 2.0.0 ok\n",
         0},
	{"RFC 5321 4.5.3.1.10 too many recipients",
         HELLO ENVELOPE "<RCPT TO:<c@d.test>\n>250 2.1.5 ok\n"
                        "<RCPT TO:<d@d.test>\n"
                        ">452 4.5.3 too many recipients\n",
         0},
	{"RFC 5321 2.3.8 bare LF",
         HELLO ENVELOPE
         "<DATA\n" GO_AHEAD BEGIN
         "~a\\n.\\nMAIL FROM:<x@y.test>\\r\\n.\\r\\n\n!abort bare-lf\n"
         ">550 5.6.0 LF without CR in the message: lines end in CRLF\n",
         0},
	{"RFC 5321 2.3.8 bare CR",
         HELLO ENVELOPE
         "<DATA\n" GO_AHEAD BEGIN "~a\\r.\\r\\r\\n.\\r\\n\n!abort bare-cr\n"
         ">550 5.6.0 CR without LF in the message: lines end in CRLF\n",
         0},
	{"RFC 5321 4.5.2 NUL",
         HELLO ENVELOPE "<DATA\n" GO_AHEAD BEGIN
                        "~a\\0b\\r\\n.\\r\\n\n!abort nul\n"
                        ">550 5.6.0 NUL byte in the message\n",
         0},
	{"RFC 5321 4.5.3.1.6 line too long",
         HELLO ENVELOPE "<DATA\n" GO_AHEAD BEGIN
                        "<12345678901234567890123456789012345678901234567890"
                        "123456789012345678901234567890\n<.\n!abort long-line\n"
                        ">550 5.6.0 line in the message too long\n",
         0},
	{"RFC 5321 6.3 loop",
         HELLO ENVELOPE
         "<DATA\n" GO_AHEAD BEGIN
         "<Received: 1\n<received : 2\n<X: y\n<RECEIVED:3\n<\n<.\n"
         "!abort loop\n"
         ">554 5.4.6 too many Received fields: mail loop\n",
         0},
	{"RFC 5321 6.3 only the header counts, only whole names",
         HELLO ENVELOPE
         "<DATA\n" GO_AHEAD BEGIN
         "<Received: 1\n<Received-SPF: 2\n<\tReceived: 3\n<\n"
         "<Received: 4\n<Received: 5\n<.\n"
         "!end size=72 body=Received: 1/Received-SPF: 2/\tReceived: "
         "3//Received: 4/Received: 5/\n" QUEUED,
         0},
	{"RFC 3207 4.2 STARTTLS forgets everything",
         HELLO ENVELOPE "<RSET\n>250 2.0.0 ok\n<STARTTLS\n"
                        ">220 2.0.0 go ahead\n!starttls\n#tls\n"
                        "<MAIL FROM:<a@s.test>\n"
                        ">503 5.5.1 MAIL needs EHLO and no open transaction\n"
                        "<STARTTLS\n>503 5.5.1 TLS is up already\n"
                        "<EHLO c.test\n>250-mx.test\n>250-PIPELINING\n"
                        ">250-8BITMIME\n>250-SMTPUTF8\n>250-DSN\n"
                        ">250-ENHANCEDSTATUSCODES\n>250-CHUNKING\n>250-HELP\n"
                        ">250-REQUIRETLS\n>250 SIZE 200\n",
         0},
	{"RFC 8689 2 REQUIRETLS inside TLS",
         HELLO "<STARTTLS\n>220 2.0.0 go ahead\n!starttls\n#tls\n" TLS_HELLO
               "<MAIL FROM:<a@s.test> REQUIRETLS\n"
               "<RCPT TO:<b@d.test>\n"
               ">250 2.1.0 ok\n"
               ">250 2.1.5 ok\n"
               "<DATA\n" GO_AHEAD "!begin <a@s.test> requiretls <b@d.test>\n"
               "<.\n!end size=0 body=\n" QUEUED,
         0},
	{"RFC 8689 2 REQUIRETLS does not outlive its transaction",
         HELLO "<STARTTLS\n>220 2.0.0 go ahead\n!starttls\n#tls\n" TLS_HELLO
               "<MAIL FROM:<a@s.test> REQUIRETLS\n>250 2.1.0 ok\n<RSET\n"
               ">250 2.0.0 ok\n" ENVELOPE "<DATA\n" GO_AHEAD BEGIN
               "<.\n!end size=0 body=\n" QUEUED,
         0},
	{"RFC 8689 2 REQUIRETLS in clear, and behind HELO",
         HELLO "<MAIL FROM:<a@s.test> REQUIRETLS\n"
               ">555 5.5.4 REQUIRETLS is offered inside TLS only\n"
               "<STARTTLS\n>220 2.0.0 go ahead\n!starttls\n#tls\n"
               "<HELO c.test\n>250 mx.test\n"
               "<MAIL FROM:<a@s.test> REQUIRETLS\n"
               ">555 5.5.4 REQUIRETLS is offered inside TLS only\n",
         0},
	{"RFC 3207 4 a command behind STARTTLS ends the session",
         HELLO "<STARTTLS\n<EHLO c.test\n>554 5.5.1 data behind STARTTLS\n"
               "!close starttls-garbage\n",
         DIALOG_WHOLE},
	{"RFC 3207 4 also when it comes a moment later",
         HELLO "<STARTTLS\n<EHLO c.test\n>220 2.0.0 go ahead\n"
               "!starttls\n!close starttls-garbage\n",
         DIALOG_LINES | DIALOG_BYTES},
	{"RFC 3030 2 chunks",
         HELLO ENVELOPE "<BDAT 5\n~a\\r\\n.\\r\n" BEGIN
                        ">250 2.0.0 chunk taken\n<BDAT 3\n~\\n.b\n"
                        ">250 2.0.0 chunk taken\n<BDAT 2 LAST\n~\\r\\n\n"
                        "!end size=10 body=a/./.b/\n" QUEUED,
         0},
	{"RFC 3030 2 BDAT 0 LAST",
         HELLO ENVELOPE "<BDAT 0 LAST\n" BEGIN "!end size=0 body=\n" QUEUED, 0},
	{"RFC 3030 2 pipelined chunks and commands",
         HELLO "<MAIL FROM:<a@s.test>\n<RCPT TO:<b@d.test>\n<BDAT 3\n"
               "~x\\r\\nBDAT 3 LAST\\r\\ny\\r\\nNOOP\\r\\n\n"
               ">250 2.1.0 ok\n>250 2.1.5 ok\n" BEGIN
               ">250 2.0.0 chunk taken\n!end size=6 body=x/y/\n" QUEUED
               ">250 2.0.0 ok\n",
         0},
	{"RFC 3030 2 RSET between chunks",
         HELLO ENVELOPE "<BDAT 3\n~x\\r\\n\n" BEGIN
                        ">250 2.0.0 chunk taken\n<MAIL FROM:<>\n"
                        ">503 5.5.1 MAIL needs EHLO and no open transaction\n"
                        "<RSET\n!abort reset\n>250 2.0.0 ok\n" ENVELOPE,
         0},
	{"RFC 3030 2 BDAT without a transaction is read and refused",
         HELLO "<BDAT 7 LAST\n~NOOP\\r\\n.\n"
               ">503 5.5.1 BDAT needs RCPT\n<NOOP\n>250 2.0.0 ok\n",
         0},
	{"RFC 3030 2 a bad chunk spoils the rest",
         HELLO ENVELOPE
         "<BDAT 3\n~a\\nb\n" BEGIN "!abort bare-lf\n"
         ">550 5.6.0 LF without CR in the message: lines end in CRLF\n"
         "<BDAT 3\n~abc\n"
         ">550 5.6.0 LF without CR in the message: lines end in CRLF\n"
         "<MAIL FROM:<>\n"
         ">503 5.5.1 MAIL needs EHLO and no open transaction\n"
         "<BDAT 0 LAST\n"
         ">550 5.6.0 LF without CR in the message: lines end in "
         "CRLF\n" ENVELOPE,
         0},
	{"RFC 3030 2 CR at the end of the last chunk",
         HELLO ENVELOPE
         "<BDAT 2\n~a\\r\n" BEGIN ">250 2.0.0 chunk taken\n<BDAT 0 LAST\n"
         "!abort bare-cr\n"
         ">550 5.6.0 CR without LF in the message: lines end in CRLF\n",
         0},
	{"RFC 3030 2 unreadable size: framing is lost",
         HELLO ENVELOPE "<BDAT x\n>501 5.5.4 syntax error in the argument\n"
                        "!close bdat-syntax\n",
         0},
	{"RFC 3030 2 DATA between chunks",
         HELLO ENVELOPE "<BDAT 3\n~x\\r\\n\n" BEGIN
                        ">250 2.0.0 chunk taken\n<DATA\n"
                        ">503 5.5.1 DATA needs RCPT\n<QUIT\n"
                        ">221 2.0.0 bye\n!abort quit\n!quit\n",
         0},
	{"HTTP is no mail",
         ">220 mx.test ESMTP Sealpost\n<POST / HTTP/1.1\n<MAIL FROM:<a@b>\n"
         ">554 5.5.1 this is SMTP, closing\n!close foreign-protocol\n",
         0},
	{"RFC 5321 2.3.8 commands end in CRLF",
         ">220 mx.test ESMTP Sealpost\n~NOOP\\n\n"
         ">500 5.5.2 line does not end in CRLF\n~NO\\rOP\\r\\n\n"
         ">500 5.5.2 control character in the command\n",
         0},
	{"too many errors",
         ">220 mx.test ESMTP Sealpost\n"
         "<X\n<X\n<X\n<X\n<X\n<X\n<X\n<X\n<X\n<NOOP\n" UNKNOWN UNKNOWN UNKNOWN
                 UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
         ">421 4.7.0 too many errors, closing\n!close too-many-errors\n",
         0},
	{"the owner refuses sender and recipient",
         HELLO "<MAIL FROM:<spam@s.test>\n>550 5.7.1 not you\n"
               "<MAIL FROM:<a@s.test>\n>250 2.1.0 ok\n"
               "<RCPT TO:<b@other.test>\n>550 5.7.1 not ours\n"
               "<RCPT TO:<b@D.test>\n>250 2.1.5 ok\n",
         0},
	{"the connection is lost in the data",
         HELLO ENVELOPE "<DATA\n" GO_AHEAD BEGIN
                        "<x\n#lost\n!abort lost\n!close lost\n",
         0},
	{"shutdown",
         HELLO ENVELOPE "#shut\n>421 4.3.2 shutting down\n!close shut\n"
                        "<DATA\n",
         0},
	{"held", HELLO "#hold\n<NOOP\n#release\n>250 2.0.0 ok\n", 0},
};

static bool allow_mail(void *arg, const struct sp_address *sender,
                       struct sp_smtp_answer *answer_out)
{
	(void)arg;
	*answer_out = (struct sp_smtp_answer){550, "5.7.1", "not you"};
	return !sp_str_eq(sender->local, SP_STR("spam"));
}

static bool allow_rcpt(void *arg, const struct sp_address *rcpt,
                       struct sp_str domain, struct sp_smtp_answer *answer_out)
{
	(void)arg;
	(void)rcpt;
	*answer_out = (struct sp_smtp_answer){550, "5.7.1", "not ours"};
	return !sp_str_eq(domain, SP_STR("other.test"));
}

static void print_envelope(const struct sp_envelope *e, struct sp_buf *out)
{
	(void)sp_buf_printf(out, "begin <" SP_STR_FMT ">",
	                    SP_STR_ARG(e->sender));
	if (e->ret != SP_RET_UNSET) {
		(void)sp_buf_printf(out, " ret=%d", (int)e->ret);
	}
	if (e->requiretls) {
		(void)sp_buf_append_cstr(out, " requiretls");
	}
	if (e->envid.len > 0) {
		(void)sp_buf_printf(out, " envid=" SP_STR_FMT,
		                    SP_STR_ARG(e->envid));
	}
	for (size_t i = 0; i < e->rcpt_count; i++) {
		const struct sp_envelope_rcpt *r = &e->rcpts[i];
		(void)sp_buf_printf(out, " <" SP_STR_FMT ">",
		                    SP_STR_ARG(r->address));
		if (r->notify != 0) {
			(void)sp_buf_printf(out, " notify=%u", r->notify);
		}
		if (r->orcpt.len > 0) {
			(void)sp_buf_printf(out, " orcpt=" SP_STR_FMT,
			                    SP_STR_ARG(r->orcpt));
		}
	}
}

static void print_end(struct under_test *t, const struct sp_smtp_message *m,
                      struct sp_buf *out)
{
	struct sp_str body = sp_buf_str(&t->body);

	assert_int_equal(body.len, m->size_bytes);
	(void)sp_buf_printf(out, "end size=%zu%s body=", body.len,
	                    m->body_8bit_undeclared ? " 8bit" : "");
	for (size_t i = 0; i < body.len; i++) {
		if (body.ptr[i] != '\r') {
			(void)sp_buf_append_char(
				out, body.ptr[i] == '\n' ? '/' : body.ptr[i]);
		}
	}
	sp_buf_reset(&t->body);
}

static bool next(void *self, struct sp_buf *out)
{
	struct under_test *t = self;
	struct sp_smtp_server_event e;

	if (!sp_smtp_server_next(t->server, &e)) {
		return false;
	}
	switch (e.type) {
	case SP_SMTP_SERVER_STARTTLS:
		(void)sp_buf_printf(out, "starttls");
		break;
	case SP_SMTP_SERVER_MESSAGE_BEGIN:
		print_envelope(e.envelope, out);
		break;
	case SP_SMTP_SERVER_BODY:
		(void)sp_buf_append_str(&t->body, e.bytes);
		break;
	case SP_SMTP_SERVER_MESSAGE_END:
		print_end(t, &e.message, out);
		break;
	case SP_SMTP_SERVER_MESSAGE_ABORT:
		sp_buf_reset(&t->body);
		(void)sp_buf_printf(out, "abort %s", e.why);
		break;
	case SP_SMTP_SERVER_QUIT:
		(void)sp_buf_printf(out, "quit");
		break;
	case SP_SMTP_SERVER_CLOSE:
		(void)sp_buf_printf(out, "close %s", e.why);
		break;
	}
	return true;
}

static void feed(void *self, struct sp_str *input)
{
	sp_smtp_server_feed(((struct under_test *)self)->server, input);
}

static struct sp_buf *output(void *self)
{
	return sp_smtp_server_output(((struct under_test *)self)->server);
}

static void act(void *self, struct sp_str action)
{
	struct sp_smtp_server *s = ((struct under_test *)self)->server;

	if (sp_str_eq(action, SP_STR("answer"))) {
		assert_int_equal(
			sp_smtp_server_answer(s, 250, "2.0.0", "queued as X1"),
			0);
	} else if (sp_str_eq(action, SP_STR("tempfail"))) {
		assert_int_equal(sp_smtp_server_answer(s, 451, "4.3.0",
		                                       "queue not available"),
		                 0);
	} else if (sp_str_eq(action, SP_STR("tls"))) {
		sp_smtp_server_tls_started(s);
		assert_true(sp_smtp_server_is_tls(s));
		assert_int_equal(sp_smtp_server_helo(s).len, 0);
	} else if (sp_str_eq(action, SP_STR("lost"))) {
		sp_smtp_server_lost(s);
	} else if (sp_str_eq(action, SP_STR("shut"))) {
		sp_smtp_server_shut(s, "4.3.2", "shutting down");
	} else if (sp_str_eq(action, SP_STR("hold"))) {
		sp_smtp_server_hold(s, true);
	} else if (sp_str_eq(action, SP_STR("release"))) {
		sp_smtp_server_hold(s, false);
	} else {
		fail_msg("unknown action");
	}
}

static void conf_for_test(struct sp_smtp_server_conf *conf)
{
	static const struct sp_smtp_server_ops OPS = {allow_mail, allow_rcpt};

	sp_smtp_server_conf_init(conf);
	conf->hostname = SP_STR("mx.test");
	conf->size_max_bytes = 200;
	conf->rcpt_max = 2;
	conf->errors_max = 8;
	conf->received_max = 2;
	conf->line_max_bytes = 70;
	conf->starttls = true;
	conf->ops = &OPS;
}

static void run(const struct server_case *c, enum dialog_mode mode)
{
	struct sp_smtp_server_conf conf;
	struct under_test t;
	const struct dialog_session session = {&t, feed, output, next, act};

	if (c->modes != 0 && (c->modes & (unsigned)mode) == 0) {
		return;
	}
	conf_for_test(&conf);
	t.server = sp_smtp_server_new(&conf);
	sp_buf_init(&t.body, 1 << 20);
	dialog_run(c->name, c->script, mode, &session);
	sp_buf_fini(&t.body);
	sp_smtp_server_free(&t.server);
}

static void test_dialogs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		run(&CASES[i], DIALOG_WHOLE);
		run(&CASES[i], DIALOG_LINES);
		run(&CASES[i], DIALOG_BYTES);
	}
}

static struct sp_smtp_server *fresh(bool refuse, bool normalize)
{
	struct sp_smtp_server_conf conf;

	conf_for_test(&conf);
	conf.refuse = refuse;
	conf.bdat_normalize = normalize;
	return sp_smtp_server_new(&conf);
}

static void test_refused_client(void **state)
{
	struct sp_smtp_server *s = fresh(true, false);
	struct sp_smtp_server_event e;
	struct sp_str input = SP_STR("EHLO x\r\n");

	(void)state;
	assert_true(
		sp_str_eq(sp_buf_str(sp_smtp_server_output(s)),
	                  SP_STR("550 5.7.1 client not accepted here\r\n")));
	sp_smtp_server_feed(s, &input);
	assert_int_equal(input.len, 8);
	assert_true(sp_smtp_server_next(s, &e));
	assert_int_equal(e.type, SP_SMTP_SERVER_CLOSE);
	assert_string_equal(e.why, "refused");
	assert_false(sp_smtp_server_next(s, &e));
	sp_smtp_server_free(&s);
}

static void feed_text(struct sp_smtp_server *s, const char *text)
{
	struct sp_str input = sp_str_from(text);

	sp_smtp_server_feed(s, &input);
	assert_int_equal(input.len, 0);
}

static void test_bdat_normalize(void **state)
{
	struct sp_smtp_server *s = fresh(false, true);
	struct sp_smtp_server_event e;

	(void)state;
	feed_text(s, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\n"
	             "BDAT 6 LAST\r\n");
	assert_true(sp_smtp_server_next(s, &e));
	feed_text(s, "a\nb\rc\n");
	assert_true(sp_smtp_server_next(s, &e));
	assert_int_equal(e.type, SP_SMTP_SERVER_BODY);
	assert_true(sp_str_eq(e.bytes, SP_STR("a\r\nb c\r\n")));
	assert_true(sp_smtp_server_next(s, &e));
	assert_int_equal(e.type, SP_SMTP_SERVER_MESSAGE_END);
	assert_int_equal(e.message.size_bytes, 8);
	sp_smtp_server_free(&s);
}

static void test_long_command(void **state)
{
	struct sp_smtp_server *s = fresh(false, false);
	struct sp_buf *out = sp_smtp_server_output(s);

	(void)state;
	sp_buf_consume(out, sp_buf_len(out));
	for (size_t i = 0; i < 100000; i++) { /* nothing is kept of it */
		feed_text(s, "NOOP xxxxxxxxxxx");
	}
	assert_int_equal(sp_buf_len(out), 0);
	feed_text(s, "\r\nNOOP\r\n");
	assert_true(sp_str_eq(
		sp_buf_str(out),
		SP_STR("500 5.5.2 line too long\r\n250 2.0.0 ok\r\n")));
	sp_smtp_server_free(&s);
}

static void test_output_bound(void **state)
{
	struct sp_smtp_server *s = fresh(false, false);
	struct sp_buf *out = sp_smtp_server_output(s);
	size_t fed = 0;

	(void)state;
	for (;; fed++) {
		struct sp_str input = SP_STR("NOOP\r\n");
		sp_smtp_server_feed(s, &input);
		if (input.len > 0) {
			break;
		}
	}
	assert_false(sp_smtp_server_wants_input(s));
	assert_in_range(fed, 100, 10000);
	assert_int_equal(sp_buf_error(out), 0);
	sp_buf_consume(out, sp_buf_len(out));
	assert_true(sp_smtp_server_wants_input(s));
	sp_smtp_server_free(&s);
}

static void test_with(void **state)
{
	struct sp_smtp_server *s = fresh(false, false);
	struct sp_buf *out = sp_smtp_server_output(s);
	struct sp_smtp_server_event e;

	(void)state;
	feed_text(s, "HELO c\r\n");
	assert_string_equal(sp_smtp_server_with(s), "SMTP");
	feed_text(s, "EHLO c\r\n");
	assert_string_equal(sp_smtp_server_with(s), "ESMTP");
	feed_text(s, "STARTTLS\r\n");
	assert_true(sp_smtp_server_next(s, &e));
	assert_int_equal(e.type, SP_SMTP_SERVER_STARTTLS);
	sp_buf_consume(out, sp_buf_len(out));
	sp_smtp_server_tls_started(s);
	feed_text(s, "EHLO c\r\n");
	assert_string_equal(sp_smtp_server_with(s), "ESMTPS");
	feed_text(s, "MAIL FROM:<> SMTPUTF8\r\n");
	assert_string_equal(sp_smtp_server_with(s), "UTF8SMTPS");
	assert_false(sp_smtp_server_is_idle(s));
	assert_string_equal(sp_smtp_server_state(s), "mail");
	assert_true(sp_smtp_history_len(sp_smtp_server_history(s)) > 5);
	sp_smtp_server_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogs),
		cmocka_unit_test(test_refused_client),
		cmocka_unit_test(test_bdat_normalize),
		cmocka_unit_test(test_long_command),
		cmocka_unit_test(test_output_bound),
		cmocka_unit_test(test_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
