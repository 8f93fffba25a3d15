/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_SMTP_CLIENT_CASES_H
#define SP_TESTS_SMTP_CLIENT_CASES_H

/*
 * The dialogues of test_client.c, in the words of dialog.h. Included by that
 * program only.
 */
#include "dialog.h"
#include "wire/envelope.h"

static const struct sp_envelope_rcpt RCPTS[] = {
	{.address = {"b@d.test", 8}},
	{.address = {"c@d.test", 8},
         .notify = 12,
         .orcpt = {"rfc822;c+x@d.test", 17}},
};

static const struct sp_envelope_rcpt UDOMAIN[] = {
	{.address = {"b@b\xc3\xbc"
                     "cher.test",
                     14},
         .orcpt = {"utf-8;b\xc3\xa9", 9}},
	{.address = {"c@d.test", 8}},
};
static const struct sp_envelope_rcpt ULOCAL[] = {
	{.address = {"\xc3\xa9@d.test", 9}},
	{.address = {"c@d.test", 8}},
};
static const struct sp_envelope_rcpt UORCPT[] = {
	{.address = {"b@d.test", 8},
         .orcpt = {"utf-8;b\xc3\xa9\xf0\x9f\x98\x80@d", 15}},
	{.address = {"c@d.test", 8}},
};

#define LONE        ">.\n"
#define EHLO_PLAIN  "<220 mx.test\n>EHLO c.test\n<250 mx.test\n"
#define READY_PLAIN EHLO_PLAIN "!ready caps=0 host=mx.test\n"
#define READY_DSN                                                              \
	"<220 mx\n>EHLO c.test\n<250-mx\n<250 DSN\n!ready caps=32 host=mx\n"
#define READY_UTF8                                                             \
	"<220 mx\n>EHLO c.test\n<250-mx\n<250-SMTPUTF8\n<250 DSN\n"            \
	"!ready caps=48 host=mx\n"
#define EHLO_PIPE                                                              \
	"<220 mx.test\n>EHLO c.test\n<250-mx.test hi\n<250 PIPELINING\n"       \
	"!ready caps=2 host=mx.test\n"
#define SENT ">MAIL FROM:<a@s.test>\n>RCPT TO:<b@d.test>\n>RCPT TO:<c@d.test>\n"

static const struct client_case {
	const char *name;
	const char *script;
	unsigned modes; /* 0: all */
	bool helo_fallback;
} CASES[] = {
	{"RFC 5321 D.1 one command at a time",
         READY_PLAIN
         "#send\n>MAIL FROM:<a@s.test>\n<250 ok\n>RCPT TO:<b@d.test>\n"
         "<250 ok\n!rcpt 0 250\n>RCPT TO:<c@d.test>\n<251 ok\n!rcpt 1 251\n"
         ">DATA\n<354 go\n!want-body\n#stage data-block\n#body .x\n"
         "#last y\n>..x\n>y\n>.\n#stage data-done\n<250 2.0.0 done\n"
         "!done final=250 end [data-done 250 delivered] "
         "[data-done 250 delivered]\n"
         "#quit\n>QUIT\n<221 bye\n!quit-done\n#stage closed\n",
         0, false},
	{"RFC 2920 3.1 one group",
         EHLO_PIPE "#send\n" SENT
                   ">DATA\n#stage mail\n<250 ok\n<250 ok\n<550 no\n<354 go\n"
                   "!rcpt 0 250\n!rcpt 1 550\n!want-body\n#last x\n>x\n>.\n"
                   "<250 done\n!done final=250 end [data-done 250 delivered] "
                   "[rcpt 550]\n",
         0, false},
	{"RFC 2920 3.1 all refused, yet 354: the lone dot",
         EHLO_PIPE "#send\n" SENT
                   ">DATA\n<250 ok\n<550 no\n<450 wait\n<354 go\n" LONE
                   "!rcpt 0 550\n!rcpt 1 450\n<554 nobody\n"
                   "!done [rcpt 550] [rcpt 450]\n#send\n" SENT ">DATA\n",
         0, false},
	{"RFC 2920 3.1 the lone dot is even accepted",
         EHLO_PIPE "#send\n" SENT
                   ">DATA\n<250 ok\n<550 no\n<450 wait\n<354 go\n" LONE
                   "!rcpt 0 550\n!rcpt 1 450\n<250 fine\n"
                   "!done [rcpt 550] [rcpt 450]\n",
         0, false},
	{"RFC 2920 3.1 all refused and DATA refused",
         EHLO_PIPE "#send\n" SENT
                   ">DATA\n<250 ok\n<550 no\n<450 wait\n<503 nobody\n"
                   "!rcpt 0 550\n!rcpt 1 450\n!done [rcpt 550] [rcpt 450]\n"
                   "#stage idle\n#send\n>RSET\n" SENT ">DATA\n",
         0, false},
	{"RFC 2920 3.1 MAIL refused, the rest echoes it",
         EHLO_PIPE "#send\n" SENT
                   ">DATA\n<451 later\n<503 no\n<503 no\n<503 no\n"
                   "!done [mail 451] [mail 451]\n#send\n" SENT ">DATA\n",
         0, false},
	{"MAIL refused, yet RCPT and DATA accepted: nobody has it",
         EHLO_PIPE "#send\n" SENT
                   ">DATA\n<551 no\n<250 ok\n<250 ok\n<354 go\n" LONE
                   "<250 ok\n!done [mail 551] [mail 551]\n",
         0, false},
	{"DATA refused",
         EHLO_PIPE "#send\n" SENT
                   ">DATA\n<250 ok\n<250 ok\n<550 no\n<451 disk full\n"
                   "!rcpt 0 250\n!rcpt 1 550\n"
                   "!done [data-init 451] [rcpt 550]\n",
         0, false},
	{"end of data refused",
         EHLO_PIPE "#send\n" SENT ">DATA\n<250 ok\n<250 ok\n<250 ok\n<354 go\n"
                   "!rcpt 0 250\n!rcpt 1 250\n!want-body\n#last x\n>x\n>.\n"
                   "<554 5.7.1 spam\n"
                   "!done final=554 end [data-done 554] [data-done 554]\n"
                   "#send\n" SENT ">DATA\n",
         0, false},
	{"RFC 5321 3.8 421 in the middle",
         EHLO_PIPE "#send\n" SENT ">DATA\n<250 ok\n<550 no\n<421 4.3.2 bye\n"
                   "!rcpt 0 550\n!rcpt 1 421\n!done [rcpt 550] [rcpt 421]\n"
                   "!closed 421\n#stage closed\n",
         0, false},
	{"RFC 5321 3.8 421 to MAIL",
         READY_PLAIN "#send\n>MAIL FROM:<a@s.test>\n<421 bye\n"
                     "!done [mail 421] [mail 421]\n!closed 421\n",
         0, false},
	{"RFC 5321 4.2.3 221 to MAIL is no success",
         READY_PLAIN "#send\n>MAIL FROM:<a@s.test>\n<221 bye\n"
                     "!done [greeting 0] [greeting 0]\n"
                     "!protocol-error 221 before QUIT\n",
         0, false},
	{"RFC 5321 4.2.3 221 to the end of data is no success",
         EHLO_PIPE "#send\n" SENT ">DATA\n<250 ok\n<250 ok\n<250 ok\n<354 go\n"
                   "!rcpt 0 250\n!rcpt 1 250\n!want-body\n#last x\n>x\n>.\n"
                   "<221 bye\n!done end [greeting 0] [greeting 0]\n"
                   "!protocol-error 221 before QUIT\n",
         0, false},
	{"RFC 5321 3.8 421 while idle",
         READY_PLAIN "<421 idle too long\n!closed 421\n", 0, false},
	{"RFC 5321 3.8 421 in the body",
         EHLO_PIPE "#send\n" SENT ">DATA\n<250 ok\n<250 ok\n<550 no\n<354 go\n"
                   "!rcpt 0 250\n!rcpt 1 550\n!want-body\n<421 4.3.2 bye\n"
                   "!done [data-block 421] [rcpt 550]\n!closed 421\n",
         0, false},
	{"4.3.1 a refusal in the body is taken, the session ends",
         EHLO_PIPE "#send\n" SENT ">DATA\n<250 ok\n<250 ok\n<550 no\n<354 go\n"
                   "!rcpt 0 250\n!rcpt 1 550\n!want-body\n#body x\n>x\n"
                   "<552 too much\n!done [data-done 552] [rcpt 550]\n"
                   "!protocol-error reply before its command\n",
         0, false},
	{"4.3.1 a 250 before the end of data delivers nothing",
         EHLO_PIPE "#send\n" SENT ">DATA\n<250 ok\n<250 ok\n<550 no\n<354 go\n"
                   "!rcpt 0 250\n!rcpt 1 550\n!want-body\n#body x\n>x\n"
                   "<250 done\n!done [greeting 0] [rcpt 550]\n"
                   "!protocol-error reply before its command\n",
         0, false},
	{"4.3.1 a reply without a command",
         READY_PLAIN "<250 ok\n!protocol-error reply before its command\n", 0,
         false},
	{"4.3.1 a reply behind that to EHLO: no READY any more",
         "<220 mx\n>EHLO c.test\n<250 mx\n<250 x\n"
         "!protocol-error reply before its command\n#lost\n",
         DIALOG_WHOLE, true},
	{"RFC 5321 3.8 421 behind the reply to EHLO",
         "<220 mx\n>EHLO c.test\n<250 mx\n<421 x\n!closed 421\n", DIALOG_WHOLE,
         true},
	{"RFC 5321 3.8 421 behind 354: no body is wanted",
         EHLO_PIPE "#send\n" SENT
                   ">DATA\n<250 ok\n<250 ok\n<250 ok\n<354 go\n<421 x\n"
                   "!rcpt 0 250\n!rcpt 1 250\n"
                   "!done [data-block 421] [data-block 421]\n!closed 421\n",
         DIALOG_WHOLE, false},
	{"4.2 not a reply", "<SSH-2.0-x\n!protocol-error not an SMTP reply\n",
         0, false},
	{"lost after the end of data: unknown",
         EHLO_PIPE "#send\n" SENT ">DATA\n<250 ok\n<250 ok\n<250 ok\n<354 go\n"
                   "!rcpt 0 250\n!rcpt 1 250\n!want-body\n#last x\n>x\n>.\n"
                   "#lost\n!done end [greeting 0] [greeting 0]\n!closed 0\n",
         0, false},
	{"lost while idle", READY_PLAIN "#lost\n!closed 0\n#lost\n", 0, false},
	{"RFC 5321 3.1 554 greeting",
         "<554-no\n<554 service\n!greeting-refused 554\n#quit\n>QUIT\n"
         "<221 bye\n!quit-done\n",
         0, false},
	{"RFC 5321 3.8 421 greeting",
         "<421 busy\n!greeting-refused 421\n!closed 421\n", 0, false},
	{"RFC 5321 4.1.1.1 EHLO refused",
         "<220 mx\n>EHLO c.test\n<502 what\n!ehlo-refused 502\n", 0, false},
	{"RFC 5321 3.2 HELO where it may",
         "<220 mx\n>EHLO c.test\n<502 what\n>HELO c.test\n<250 mx.test hi\n"
         "!ready caps=0 helo host=mx.test\n#send\n>MAIL FROM:<a@s.test>\n",
         0, true},
	{"RFC 3207 STARTTLS and EHLO anew",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250-STARTTLS\n<250-SIZE 99\n"
         "<250 PIPELINING\n!ready caps=7 size=99 host=mx\n"
         "#starttls\n>STARTTLS\n<220 go\n!starttls-ready\n#stage tls\n#tls\n"
         ">EHLO c.test\n<250-mx\n<250-STARTTLS\n<250 DSN\n"
         "!ready caps=32 host=mx\n",
         0, false},
	{"RFC 3207 no HELO inside TLS",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250 STARTTLS\n"
         "!ready caps=1 host=mx\n#starttls\n>STARTTLS\n<220 go\n"
         "!starttls-ready\n#tls\n>EHLO c.test\n<502 what\n"
         "!ehlo-refused 502\n",
         0, true},
	{"RFC 3207 STARTTLS refused",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250 STARTTLS\n"
         "!ready caps=1 host=mx\n#starttls\n>STARTTLS\n<454 no\n"
         "!starttls-refused 454\n#stage idle\n",
         0, false},
	{"RFC 3207 STARTTLS and 421",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250 STARTTLS\n"
         "!ready caps=1 host=mx\n#starttls\n>STARTTLS\n<421 no\n"
         "!starttls-refused 421\n!closed 421\n",
         0, false},
	{"CVE-2011-0411 a reply behind the 220",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250 STARTTLS\n"
         "!ready caps=1 host=mx\n#starttls\n>STARTTLS\n<220 go\n<250 x\n"
         "!starttls-garbage\n#stage closed\n",
         DIALOG_WHOLE, false},
	{"CVE-2011-0411 a moment later",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250 STARTTLS\n"
         "!ready caps=1 host=mx\n#starttls\n>STARTTLS\n<220 go\n<250 x\n"
         "!starttls-ready\n!starttls-garbage\n#stage closed\n",
         DIALOG_LINES | DIALOG_BYTES, false},
	{"RFC 5321 4.1.1.5 RSET as a question",
         READY_PLAIN "#reset\n>RSET\n<250 ok\n!reset-done 250\n", 0, false},
	{"RFC 1870 6.2 too large for the peer",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250 SIZE 10\n"
         "!ready caps=4 size=10 host=mx\n#size 11\n#send\n"
         "!done need=size [greeting 0] [greeting 0]\n#size 10\n#send\n"
         ">MAIL FROM:<a@s.test> SIZE=10\n",
         0, false},
	{"RFC 6152 3 8-bit text and a 7-bit peer",
         READY_PLAIN "#8bit\n#send\n"
                     "!done need=8bitmime [greeting 0] [greeting 0]\n",
         0, false},
	{"RFC 6531 3.1 a peer without SMTPUTF8",
         READY_PLAIN "#utf8\n#send\n"
                     "!done need=smtputf8 [greeting 0] [greeting 0]\n",
         0, false},
	{"RFC 6531 3.1 a domain goes as A-labels",
         READY_PLAIN "#udomain\n#send\n"
                     ">MAIL FROM:<a@xn--bcher-kva.test>\n<250 ok\n"
                     ">RCPT TO:<b@xn--bcher-kva.test>\n<250 ok\n!rcpt 0 250\n"
                     ">RCPT TO:<c@d.test>\n",
         0, false},
	{"RFC 6531 3.1 a domain as it was given",
         READY_UTF8 "#udomain\n#send\n"
                    ">MAIL FROM:<a@b\xc3\xbc"
                    "cher.test> SMTPUTF8\n<250 ok\n"
                    ">RCPT TO:<b@b\xc3\xbc"
                    "cher.test> ORCPT=utf-8;b\xc3\xa9\n<250 ok\n!rcpt 0 250\n"
                    ">RCPT TO:<c@d.test>\n",
         0, false},
	{"RFC 6531 3.1.6 not asked for where nothing needs it",
         READY_UTF8 "#send\n>MAIL FROM:<a@s.test>\n", 0, false},
	{"RFC 6531 3.1 a sender beyond ASCII",
         READY_PLAIN "#usender\n#send\n"
                     "!done need=smtputf8 [greeting 0] [greeting 0]\n",
         0, false},
	{"RFC 6531 3.1 a recipient beyond ASCII is left out",
         READY_PLAIN "#ulocal\n#send\n"
                     ">MAIL FROM:<a@s.test>\n<250 ok\n"
                     ">RCPT TO:<c@d.test>\n<250 ok\n!rcpt 1 250\n>DATA\n"
                     "<354 go\n!want-body\n#last x\n>x\n>.\n<250 done\n"
                     "!done final=250 end [greeting 0 need=smtputf8] "
                     "[data-done 250 delivered]\n",
         0, false},
	{"RFC 6533 3 ORCPT of type utf-8 without SMTPUTF8",
         READY_DSN "#uorcpt\n#send\n>MAIL FROM:<a@s.test>\n<250 ok\n"
                   ">RCPT TO:<b@d.test> ORCPT=utf-8;b\\x{E9}\\x{1F600}@d\n",
         0, false},
	{"RFC 8689 4.2.1 a peer without REQUIRETLS",
         READY_PLAIN "#requiretls\n#utf8\n#send\n"
                     "!done need=requiretls [greeting 0] [greeting 0]\n",
         0, false},
	{"RFC 8689 5 a report to a peer without REQUIRETLS",
         READY_PLAIN "#requiretls\n#null\n#send\n>MAIL FROM:<>\n", 0, false},
	{"RFC 8689 5 a report to a peer with REQUIRETLS",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250 STARTTLS\n"
         "!ready caps=1 host=mx\n#starttls\n>STARTTLS\n<220 go\n"
         "!starttls-ready\n#tls\n>EHLO c.test\n<250-mx\n<250 REQUIRETLS\n"
         "!ready caps=128 host=mx\n#requiretls\n#null\n#send\n"
         ">MAIL FROM:<> REQUIRETLS\n",
         0, false},
	{"RFC 8689 2 REQUIRETLS that is offered in clear",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250 REQUIRETLS\n"
         "!ready caps=128 host=mx\n#requiretls\n#null\n#send\n"
         ">MAIL FROM:<>\n",
         0, false},
	{"parameters go where they were offered",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250-PIPELINING\n<250-8BITMIME\n"
         "<250-SMTPUTF8\n<250-REQUIRETLS\n<250-ENHANCEDSTATUSCODES\n"
         "<250 DSN\n!ready caps=442 host=mx\n#8bit\n#utf8\n#requiretls\n"
         "#envid\n#send\n"
         ">MAIL FROM:<a@s.test> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q+2B1 "
         "REQUIRETLS\n>RCPT TO:<b@d.test>\n"
         ">RCPT TO:<c@d.test> NOTIFY=FAILURE,DELAY "
         "ORCPT=rfc822;c+2Bx@d.test\n>DATA\n",
         0, false},
	{"RFC 3030 2 BDAT",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250-PIPELINING\n<250 CHUNKING\n"
         "!ready caps=66 host=mx\n#chunking\n#send\n" SENT
         "<250 ok\n<250 ok\n<550 no\n!rcpt 0 250\n!rcpt 1 550\n!want-body\n"
         "#body .x\n#last y\n>BDAT 4\n>.x\n>BDAT 3 LAST\n>y\n<250 ok\n"
         "#stage data-done\n<250 done\n"
         "!done final=250 end [data-done 250 delivered] [rcpt 550]\n",
         0, false},
	{"RFC 3030 2 a chunk is refused",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250-PIPELINING\n<250 CHUNKING\n"
         "!ready caps=66 host=mx\n#chunking\n#send\n" SENT
         "<250 ok\n<250 ok\n<550 no\n!rcpt 0 250\n!rcpt 1 550\n!want-body\n"
         "#body x\n>BDAT 3\n>x\n<552 too much\n"
         "!done final=552 [data-done 552] [rcpt 550]\n#send\n>RSET\n" SENT,
         0, false},
	{"RFC 3030 2 a chunk is refused, the last was on its way",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250-PIPELINING\n<250 CHUNKING\n"
         "!ready caps=66 host=mx\n#chunking\n#send\n" SENT
         "<250 ok\n<250 ok\n<550 no\n!rcpt 0 250\n!rcpt 1 550\n!want-body\n"
         "#body x\n#last y\n>BDAT 3\n>x\n>BDAT 3 LAST\n>y\n<552 too much\n"
         "<250 what\n!done final=552 end [data-done 552] [rcpt 550]\n",
         0, false},
	{"RFC 3030 2 one chunk at a time without PIPELINING",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250 CHUNKING\n"
         "!ready caps=64 host=mx\n#chunking\n#send\n>MAIL FROM:<a@s.test>\n"
         "<250 ok\n>RCPT TO:<b@d.test>\n<250 ok\n>RCPT TO:<c@d.test>\n"
         "<250 ok\n!rcpt 0 250\n!rcpt 1 250\n!want-body\n#body x\n>BDAT 3\n"
         ">x\n#room 0\n<250 ok\n#last y\n>BDAT 3 LAST\n>y\n<250 ok\n"
         "!done final=250 end [data-done 250 delivered] "
         "[data-done 250 delivered]\n",
         0, false},
	{"a probe pipelines no DATA, RSET ends it",
         EHLO_PIPE "#probe\n#send\n" SENT
                   "#stage mail\n<250 ok\n<250 ok\n<550 no\n!rcpt 0 250\n"
                   "!rcpt 1 550\n>RSET\n#stage rset\n<250 ok\n"
                   "!done mail=250 [rcpt 250] [rcpt 550]\n#stage idle\n"
                   "#send\n" SENT "<250 ok\n<250 ok\n<250 ok\n"
                   "!rcpt 0 250\n!rcpt 1 250\n>RSET\n<500 what\n"
                   "!done mail=250 [rcpt 250] [rcpt 250]\n"
                   "#quit\n>QUIT\n<221 bye\n!quit-done\n",
         0, false},
	{"a probe one command at a time, all refused",
         READY_PLAIN "#probe\n#send\n>MAIL FROM:<a@s.test>\n<250 ok\n"
                     ">RCPT TO:<b@d.test>\n<550 ok\n!rcpt 0 550\n"
                     ">RCPT TO:<c@d.test>\n<450 ok\n!rcpt 1 450\n>RSET\n"
                     "<250 ok\n!done mail=250 [rcpt 550] [rcpt 450]\n",
         0, false},
	{"a probe whose MAIL is refused needs no RSET",
         READY_PLAIN "#probe\n#send\n>MAIL FROM:<a@s.test>\n<550 no\n"
                     "!done mail=550 [mail 550] [mail 550]\n#stage idle\n",
         0, false},
	{"a probe behind one whose RSET was refused",
         READY_PLAIN "#probe\n#send\n>MAIL FROM:<a@s.test>\n<250 ok\n"
                     ">RCPT TO:<b@d.test>\n<550 no\n!rcpt 0 550\n"
                     ">RCPT TO:<c@d.test>\n<550 no\n!rcpt 1 550\n>RSET\n"
                     "<500 what\n!done mail=250 [rcpt 550] [rcpt 550]\n"
                     "#send\n>RSET\n<500 what\n>MAIL FROM:<a@s.test>\n"
                     "<503 no\n>RSET\n<500 what\n"
                     "!done mail=503 [mail 503] [mail 503]\n",
         0, false},
	{"a probe never uses BDAT",
         "<220 mx\n>EHLO c.test\n<250-mx\n<250-PIPELINING\n<250 CHUNKING\n"
         "!ready caps=66 host=mx\n#chunking\n#probe\n#send\n" SENT
         "<250 ok\n<250 ok\n<250 ok\n!rcpt 0 250\n!rcpt 1 250\n>RSET\n"
         "<250 ok\n!done mail=250 [rcpt 250] [rcpt 250]\n",
         0, false},
	{"RFC 5321 3.8 421 to the RSET of a probe",
         READY_PLAIN "#probe\n#send\n>MAIL FROM:<a@s.test>\n<250 ok\n"
                     ">RCPT TO:<b@d.test>\n<250 ok\n!rcpt 0 250\n"
                     ">RCPT TO:<c@d.test>\n<250 ok\n!rcpt 1 250\n>RSET\n"
                     "<421 bye\n!done mail=250 [rcpt 250] [rcpt 250]\n"
                     "!closed 421\n",
         0, false},
	{"RFC 5321 4.1.1.10 QUIT is all that is said inside TLS",
         "<220 hi\n>EHLO c.test\n<250-mx\n<250 STARTTLS\n"
         "!ready caps=1 host=mx\n#greeting hi\n"
         "#starttls\n>STARTTLS\n<220 go\n!starttls-ready\n#tls-quit\n"
         ">QUIT\n#stage quit\n<221 bye\n!quit-done\n#stage closed\n",
         0, false},
	{"what EHLO said last",
         "<220 hi\n>EHLO c.test\n<502 no\n>HELO c.test\n<250 mx hello\n"
         "!ready caps=0 helo host=mx\n#hello mx hello\n",
         0, true},
	{"a second message on the same connection",
         EHLO_PIPE "#send\n" SENT ">DATA\n<250 ok\n<550 no\n<250 ok\n<354 go\n"
                   "!rcpt 0 550\n!rcpt 1 250\n!want-body\n#last x\n>x\n>.\n"
                   "<250 done\n!done final=250 end [rcpt 550] "
                   "[data-done 250 delivered]\n#send\n" SENT ">DATA\n"
                   "<451 a\n<451 b\n<451 c\n<451 d\n"
                   "!done [mail 451] [mail 451]\n",
         0, false},
};

#endif
