/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_DELIVER_ATTEMPT_ROWS_H
#define SP_TESTS_DELIVER_ATTEMPT_ROWS_H

/*
 * One message and two hosts: the table of test_attempt.c, and its program is
 * the only one that includes it. Numbers in names are sections of mail-flow.
 */
#include "policy/verdict.h"
#include "unit/deliver/peer.h"

#define HOSTS 2

enum tlsa {
	NO_TLSA,
	GOOD,
	WRONG,
	UNUSABLE,
	GOOD_RSA /* of the second key that a server with two_keys has */
};

struct expect {
	enum sp_verdict_class class;
	const char *code;
	const char *cause; /* null: delivered or a reply */
};

struct row {
	const char *name;
	struct script scripts[HOSTS];
	enum tlsa tlsa[HOSTS];
	bool log_only, requiretls, null_sender;
	bool body_8bit;
	bool two_keys;
	bool smtputf8;
	const char *local; /* the second recipient */
	struct expect expect[2];
	const char *security;
	unsigned messages[HOSTS], clear[HOSTS], tls[HOSTS];
	unsigned connections; /* to the first host; 0: no matter */
};

#define OK                                                                     \
	{                                                                      \
		SP_VERDICT_DELIVERED, "2.0.0", ""                              \
	}
#define TEMP(code, cause)                                                      \
	{                                                                      \
		SP_VERDICT_TEMP, code, cause                                   \
	}
#define BOTH(...)                                                              \
	{                                                                      \
		__VA_ARGS__, __VA_ARGS__                                       \
	}

#define UNMET                                                                  \
	{                                                                      \
		SP_VERDICT_PERM, "5.7.30", "requiretls-unmet"                  \
	}
#define OFFERS "\r\n250-REQUIRETLS\r\n250-8BITMIME"

static const struct row ROWS[] = {
	{"4 usage 3 matches", .tlsa = {GOOD, GOOD}, .expect = BOTH(OK),
         .security = "dane", .messages = {1}, .tls = {1}},
	{"4 no record matches, no other host", .tlsa = {WRONG, WRONG},
         .expect = BOTH(TEMP("4.7.323", "tlsa-mismatch"))},
	{"5 a host in which DANE fails is skipped", .tlsa = {WRONG, GOOD},
         .expect = BOTH(OK), .security = "dane", .messages = {0, 1},
         .tls = {0, 1}},
	{"5 mismatch, then a host without TLSA",
         .scripts = {{0}, {.no_starttls = true}}, .tlsa = {WRONG, NO_TLSA},
         .expect = BOTH(OK), .security = "clear", .messages = {0, 1},
         .clear = {0, 1}},
	{"RFC 7671 8.4 two keys, TLSA of the ECDSA key", .two_keys = true,
         .tlsa = {GOOD, GOOD}, .expect = BOTH(OK), .security = "dane",
         .messages = {1}, .tls = {1}, .connections = 1},
	{"RFC 7671 8.4 two keys, TLSA of the RSA key", .two_keys = true,
         .tlsa = {GOOD_RSA, GOOD}, .expect = BOTH(OK), .security = "dane",
         .messages = {1}, .tls = {1}, .connections = 2},
	{"two keys, TLSA of neither", .two_keys = true, .tlsa = {WRONG, WRONG},
         .expect = BOTH(TEMP("4.7.323", "tlsa-mismatch")), .connections = 2},
	{"one key, TLSA of another: asked twice", .tlsa = {GOOD_RSA, GOOD_RSA},
         .expect = BOTH(TEMP("4.7.323", "tlsa-mismatch")), .connections = 2},
	{"two keys, the second handshake has no STARTTLS", .two_keys = true,
         .scripts = {{.ends_starttls = 1}}, .tlsa = {GOOD_RSA, GOOD},
         .expect = BOTH(OK), .security = "dane", .messages = {0, 1},
         .tls = {0, 1}, .connections = 2},
	{"two keys, the second connection is refused", .two_keys = true,
         .scripts = {{.ends_greeting = 1}}, .tlsa = {GOOD_RSA, WRONG},
         .expect = BOTH(TEMP("4.7.323", "tlsa-mismatch")), .connections = 2},
	{"log-only: two keys, TLSA of the RSA key", .two_keys = true,
         .tlsa = {GOOD_RSA, GOOD}, .log_only = true, .expect = BOTH(OK),
         .security = "dane", .messages = {1}, .tls = {1}, .connections = 2},
	{"log-only: two keys, TLSA of neither", .two_keys = true,
         .tlsa = {WRONG, WRONG}, .log_only = true, .expect = BOTH(OK),
         .security = "tls", .messages = {1}, .tls = {1}, .connections = 2},
	{"log-only: the second handshake has no STARTTLS, never in clear",
         .scripts = {{.ends_starttls = 1, .starts_again = 2}},
         .tlsa = {WRONG, WRONG}, .log_only = true, .expect = BOTH(OK),
         .security = "tls", .messages = {1}, .tls = {1}, .connections = 3},
	{"4 TLSA and no STARTTLS",
         .scripts = {{.no_starttls = true}, {.no_starttls = true}},
         .tlsa = {GOOD, GOOD},
         .expect = BOTH(TEMP("4.7.321", "starttls-not-offered"))},
	{"4 TLSA and 454",
         .scripts = {{.starttls = "454 no\r\n"}, {.starttls = "454 no\r\n"}},
         .tlsa = {GOOD, GOOD},
         .expect = BOTH(TEMP("4.7.321", "starttls-refused"))},
	{"4 TLSA and silence after STARTTLS",
         .scripts = {{.starttls = ""}, {.starttls = "#"}}, .tlsa = {GOOD, GOOD},
         .expect = BOTH(TEMP("4.7.321", "starttls-timeout"))},
	{"4 TLSA and a handshake that does not come about",
         .scripts = {{.mute_handshake = true}, {.no_handshake = true}},
         .tlsa = {GOOD, GOOD},
         .expect = BOTH(TEMP("4.7.321", "handshake-failed"))},
	{"4 TLSA and bytes behind the 220",
         .scripts = {{.starttls = "220 go\r\n250 x\r\n"},
                     {.starttls = "220 go\r\nx"}},
         .tlsa = {GOOD, GOOD},
         .expect = BOTH(TEMP("4.7.321", "starttls-garbage"))},
	{"3 row 2: all unusable, without TLS",
         .scripts = {{.no_starttls = true}, {.starttls = "454 no\r\n"}},
         .tlsa = {UNUSABLE, UNUSABLE},
         .expect = BOTH(TEMP("4.7.321", "starttls-not-offered"))},
	{"3 row 2: all unusable, with TLS", .tlsa = {UNUSABLE, UNUSABLE},
         .expect = BOTH(OK), .security = "tls", .messages = {1}, .tls = {1}},
	{"4 opportunistic: TLS where offered", .expect = BOTH(OK),
         .security = "tls", .messages = {1}, .tls = {1}},
	{"4 opportunistic: one clear try after a failed handshake",
         .scripts = {{.no_handshake = true}}, .expect = BOTH(OK),
         .security = "clear", .messages = {1}, .clear = {1}},
	{"4 opportunistic: one clear try after silence",
         .scripts = {{.starttls = ""}}, .expect = BOTH(OK), .security = "clear",
         .messages = {1}, .clear = {1}},
	{"4 opportunistic: 454 goes on in clear",
         .scripts = {{.starttls = "454 no\r\n"}}, .expect = BOTH(OK),
         .security = "clear", .messages = {1}, .clear = {1}},
	{"454 and 421 at once: never ready, the next host",
         .scripts = {{.starttls = "454 no\r\n421 bye\r\n"}}, .expect = BOTH(OK),
         .security = "tls", .messages = {0, 1}, .tls = {0, 1}},
	{"421 to STARTTLS, the next host",
         .scripts = {{.starttls = "421 bye\r\n"}}, .expect = BOTH(OK),
         .security = "tls", .messages = {0, 1}, .tls = {0, 1}},
	{"4 opportunistic: garbage behind the 220, the next host",
         .scripts = {{.starttls = "220 go\r\n250 x\r\n"}}, .expect = BOTH(OK),
         .security = "tls", .messages = {0, 1}, .tls = {0, 1}},
	{"1 log-only: a mismatch is delivered", .tlsa = {WRONG, WRONG},
         .log_only = true, .expect = BOTH(OK), .security = "tls",
         .messages = {1}, .tls = {1}},
	{"1 log-only: clear where TLSA stands",
         .scripts = {{.no_starttls = true}}, .tlsa = {GOOD, GOOD},
         .log_only = true, .expect = BOTH(OK), .security = "clear",
         .messages = {1}, .clear = {1}},
	{"RFC 8689 4.2.1 REQUIRETLS: authenticated and offered",
         .scripts = {{.ehlo_more = OFFERS}}, .tlsa = {GOOD, GOOD},
         .requiretls = true, .expect = BOTH(OK), .security = "dane",
         .messages = {1}, .tls = {1}},
	{"RFC 8689 4.2.1 REQUIRETLS: the host that offers it",
         .scripts = {{0}, {.ehlo_more = OFFERS}}, .tlsa = {GOOD, GOOD},
         .requiretls = true, .expect = BOTH(OK), .security = "dane",
         .messages = {0, 1}, .tls = {0, 1}},
	{"RFC 8689 4.2.1 REQUIRETLS: the host with TLSA",
         .scripts = {{.ehlo_more = OFFERS}, {.ehlo_more = OFFERS}},
         .tlsa = {UNUSABLE, GOOD}, .requiretls = true, .expect = BOTH(OK),
         .security = "dane", .messages = {0, 1}, .tls = {0, 1}},
	{"RFC 8689 4.2.1 REQUIRETLS: no host offers it", .tlsa = {GOOD, GOOD},
         .requiretls = true, .expect = BOTH(UNMET)},
	{"RFC 8689 4.2.1 REQUIRETLS: offered, no TLSA",
         .scripts = {{.ehlo_more = OFFERS}, {.ehlo_more = OFFERS}},
         .requiretls = true, .expect = BOTH(UNMET)},
	{"RFC 8689 4.2.1 REQUIRETLS: offered, all unusable",
         .scripts = {{.ehlo_more = OFFERS}, {.ehlo_more = OFFERS}},
         .tlsa = {UNUSABLE, UNUSABLE}, .requiretls = true,
         .expect = BOTH(UNMET)},
	{"RFC 8689 4.2.1 REQUIRETLS: not authenticated, no STARTTLS",
         .scripts = {{.ehlo_more = OFFERS},
                     {.no_starttls = true, .ehlo_more = OFFERS}},
         .tlsa = {WRONG, GOOD}, .requiretls = true, .expect = BOTH(UNMET)},
	{"RFC 8689 4.2.1 REQUIRETLS: log-only does not waive it",
         .scripts = {{.ehlo_more = OFFERS}}, .tlsa = {WRONG, UNUSABLE},
         .log_only = true, .requiretls = true, .expect = BOTH(UNMET)},
	{"RFC 8689 5 REQUIRETLS of a report: no host offers it",
         .tlsa = {GOOD, GOOD}, .requiretls = true, .null_sender = true,
         .expect = BOTH(OK), .security = "dane", .messages = {1}, .tls = {1}},
	{"RFC 8689 5 REQUIRETLS of a report: no STARTTLS, no TLSA",
         .scripts = {{.no_starttls = true, .ehlo_more = OFFERS}},
         .requiretls = true, .null_sender = true, .expect = BOTH(OK),
         .security = "clear", .messages = {1}, .clear = {1}},
	{"RFC 8689 5 REQUIRETLS of a report: TLSA binds it all the same",
         .tlsa = {WRONG, WRONG}, .requiretls = true, .null_sender = true,
         .expect = BOTH(TEMP("4.7.323", "tlsa-mismatch"))},
	{"REQUIRETLS: another host may satisfy the next time",
         .scripts = {{0}, {.greeting = "#"}}, .tlsa = {GOOD, GOOD},
         .requiretls = true,
         .expect = BOTH(TEMP("4.4.318", "connection-closed"))},
	{"greeting: silence, then the next host", .scripts = {{.greeting = ""}},
         .expect = BOTH(OK), .security = "tls", .messages = {0, 1},
         .tls = {0, 1}},
	{"greeting: closed and refused",
         .scripts = {{.greeting = "#"}, {.greeting = "#554 go away\r\n"}},
         .expect = BOTH(TEMP("4.0.0", "remote-reply"))},
	{"greeting: no SMTP",
         .scripts = {{.greeting = "SSH-2.0\r\n"}, {.greeting = "#\r\n"}},
         .expect = BOTH(TEMP("4.5.0", "protocol-error"))},
	{"EHLO: closed, both", .scripts = {{.ehlo = "#"}, {.ehlo = "#"}},
         .expect = BOTH(TEMP("4.4.318", "connection-closed"))},
	{"EHLO: silence, both", .scripts = {{.ehlo = ""}, {.ehlo = ""}},
         .expect = BOTH(TEMP("4.4.315", "session-timeout"))},
	{"5 a 4xx to RCPT goes on to the next host",
         .scripts = {{.rcpt = "451 later\r\n", .rcpt2 = "451 later\r\n"}},
         .expect = BOTH(OK), .security = "tls", .messages = {0, 1},
         .tls = {1, 1}},
	{"5 a 5xx is final, a 4xx of another recipient goes on",
         .scripts = {{.rcpt = "550 5.1.1 no\r\n", .rcpt2 = "450 no\r\n"}},
         .expect = {{SP_VERDICT_PERM, "5.1.1", "remote-reply"}, OK},
         .security = "tls", .messages = {0, 1}, .tls = {1, 1}},
	{"5 one taken, one refused by all hosts",
         .scripts = {{.rcpt2 = "450 4.2.1 no\r\n"},
                     {.rcpt = "450 4.2.2 no\r\n"}},
         .expect = {OK, TEMP("4.2.1", "remote-reply")}, .security = "tls",
         .messages = {1, 0}, .tls = {1, 1}},
	{"5 a reply speaks before a connection",
         .scripts = {{.mail = "450 4.1.8 no\r\n"}, {.greeting = "#"}},
         .expect = BOTH(TEMP("4.1.8", "remote-reply")), .tls = {1}},
	{"MAIL: closed at the first host, taken at the second",
         .scripts = {{.mail = "#"}}, .expect = BOTH(OK), .security = "tls",
         .messages = {0, 1}, .tls = {1, 1}},
	{"DATA: 554, final", .scripts = {{.data = "554 5.6.0 no\r\n"}},
         .expect = BOTH({SP_VERDICT_PERM, "5.6.0", "remote-reply"}),
         .tls = {1}},
	{"dot: 452 at the first host, taken at the second",
         .scripts = {{.dot = "452 full\r\n"}}, .expect = BOTH(OK),
         .security = "tls", .messages = {1, 1}, .tls = {1, 1}},
	{"dot: closed, so no other host gets a second copy",
         .scripts = {{.dot = "#"}},
         .expect = BOTH(TEMP("4.4.318", "connection-closed")),
         .messages = {1, 0}, .tls = {1}},
	{"dot: silence, so no other host gets a second copy",
         .scripts = {{.dot = ""}},
         .expect = BOTH(TEMP("4.4.315", "session-timeout")), .messages = {1, 0},
         .tls = {1}},
	{"dot: no SMTP", .scripts = {{.dot = "what?\r\n"}},
         .expect = BOTH(TEMP("4.5.0", "protocol-error")), .messages = {1, 0},
         .tls = {1}},
	{"dot: 250 and the end at once", .scripts = {{.dot = "#250 ok\r\n"}},
         .expect = BOTH(OK), .security = "tls", .messages = {1, 0}, .tls = {1}},
	{"dot: 250 and 421 at once",
         .scripts = {{.dot = "250 ok\r\n421 bye\r\n"}}, .expect = BOTH(OK),
         .security = "tls", .messages = {1, 0}, .tls = {1}},
	{"RFC 6152 3: 8-bit text, no 8BITMIME",
         .scripts = {{.ehlo_more = "\r\n250-DSN"},
                     {.ehlo_more = "\r\n250-DSN"}},
         .body_8bit = true,
         .expect = BOTH({SP_VERDICT_PERM, "5.6.3", "8bit-not-supported"})},
	{"RFC 6152 3: 8-bit text, the next host has 8BITMIME",
         .scripts = {{.ehlo_more = "\r\n250-DSN"}}, .body_8bit = true,
         .expect = BOTH(OK), .security = "tls", .messages = {0, 1},
         .tls = {0, 1}},
	{"RFC 6531 3.1: UTF-8 in the header, no SMTPUTF8", .smtputf8 = true,
         .expect = BOTH({SP_VERDICT_PERM, "5.6.7", "smtputf8-not-supported"})},
	{"RFC 6531 3.2: the next host has SMTPUTF8", .smtputf8 = true,
         .scripts = {{0}, {.ehlo_more = "\r\n250-SMTPUTF8"}},
         .expect = BOTH(OK), .security = "tls", .messages = {0, 1},
         .tls = {0, 1}},
	{"RFC 6531 3.1: a local part beyond ASCII, the other is ASCII",
         .local = "b\xc3\xa9@d.example",
         .expect = {OK, {SP_VERDICT_PERM, "5.6.7", "smtputf8-not-supported"}},
         .security = "tls", .messages = {1}, .tls = {1}},
	{"RFC 1870: larger than the peer's SIZE, the next host takes it",
         .scripts = {{.ehlo_more = "\r\n250-SIZE 10"}}, .expect = BOTH(OK),
         .security = "tls", .messages = {0, 1}, .tls = {0, 1}},
	{"RFC 1870: larger than the peer's SIZE, the next host is busy",
         .scripts = {{.ehlo_more = "\r\n250-SIZE 10"},
                     {.greeting = "421 4.3.2 busy\r\n"}},
         .expect = BOTH(TEMP("4.3.4", "too-large-for-peer"))},
	{"RFC 1870: the first host fails, the next one has a small SIZE",
         .scripts = {{.greeting = "421 4.3.2 busy\r\n"},
                     {.ehlo_more = "\r\n250-SIZE 10"}},
         .expect = BOTH(TEMP("4.3.4", "too-large-for-peer"))},
	{"RFC 6152 3: no 8BITMIME, the next host defers the recipients",
         .scripts = {{.ehlo_more = "\r\n250-DSN"},
                     {.rcpt = "450 4.2.1 later\r\n",
                      .rcpt2 = "450 4.2.1 later\r\n"}},
         .body_8bit = true, .expect = BOTH(TEMP("4.2.1", "remote-reply")),
         .tls = {0, 1}},
	{"RFC 1870: larger than the peer's SIZE",
         .scripts = {{.ehlo_more = "\r\n250-SIZE 10"},
                     {.ehlo_more = "\r\n250-SIZE 19"}},
         .expect = BOTH({SP_VERDICT_PERM, "5.3.4", "too-large-for-peer"})},
};

/* One silent zone costs the deadline of the plan, and itself. */
static const struct silent_row {
	const char *name;
	enum sp_dns_type type;
	const char *silent;
	enum sp_verdict_class class;
	const char *code, *cause;
} SILENT[] = {
	{"MX", SP_DNS_TYPE_MX, "d.example", SP_VERDICT_TEMP, "4.4.312",
         "mx-lookup-failed"},
	{"TLSA of all hosts", SP_DNS_TYPE_TLSA, "mx", SP_VERDICT_TEMP,
         "4.7.324", "tlsa-timeout"},
	{"TLSA of one host", SP_DNS_TYPE_TLSA, "mx1", SP_VERDICT_DELIVERED,
         "2.0.0", NULL},
	{"addresses of one host", SP_DNS_TYPE_AAAA, "mx1", SP_VERDICT_DELIVERED,
         "2.0.0", NULL},
};

/* No answer at some point, and others need the place: hurried once. */
static const struct hurry_row {
	const char *name;
	struct script scripts[HOSTS];
	enum sp_dns_type silent_type;
	const char *silent_name;
	enum sp_verdict_class class;
	const char *cause;
	unsigned messages[HOSTS];
} HURRY[] = {
	{"DNS of MX", .silent_type = SP_DNS_TYPE_MX, .silent_name = "d.example",
         .class = SP_VERDICT_TEMP, .cause = "mx-lookup-failed"},
	{"TLSA of one host", .silent_type = SP_DNS_TYPE_TLSA,
         .silent_name = "mx1", .class = SP_VERDICT_DELIVERED,
         .messages = {0, 1}},
	{"greeting", .scripts = {{.greeting = ""}},
         .class = SP_VERDICT_DELIVERED, .messages = {0, 1}},
	{"EHLO", .scripts = {{.ehlo = ""}}, .class = SP_VERDICT_DELIVERED,
         .messages = {0, 1}},
	{"STARTTLS: no fall back to clear text",
         .scripts = {{.starttls = ""}, {.greeting = "#421 no\r\n"}},
         .class = SP_VERDICT_TEMP, .cause = "remote-reply"},
	{"handshake: no fall back to clear text",
         .scripts = {{.mute_handshake = true}, {.greeting = "#421 no\r\n"}},
         .class = SP_VERDICT_TEMP, .cause = "remote-reply"},
	{"MAIL", .scripts = {{.mail = ""}}, .class = SP_VERDICT_DELIVERED,
         .messages = {0, 1}},
	{"the end of data has its own time", .scripts = {{.dot = ""}},
         .class = SP_VERDICT_TEMP, .cause = "session-timeout",
         .messages = {1, 0}},
};

/* What an attempt says about the destination as a whole. */
static const struct news_row {
	const char *name;
	struct script scripts[HOSTS];
	enum tlsa tlsa[HOSTS];
	bool requiretls;
	enum sp_attempt_news news;
} NEWS[] = {
	{"taken", .news = SP_ATTEMPT_REACHED},
	{"the second host takes it", .tlsa = {WRONG},
         .news = SP_ATTEMPT_REACHED},
	{"DANE fails at all hosts", .tlsa = {WRONG, WRONG},
         .news = SP_ATTEMPT_FAILED},
	{"no host lets us in",
         .scripts = {{.greeting = "#421 no\r\n"}, {.greeting = "554 no\r\n"}},
         .news = SP_ATTEMPT_FAILED},
	{"RCPT: this message only",
         .scripts = {{.rcpt = "450 no\r\n", .rcpt2 = "450 no\r\n"},
                     {.rcpt = "450 no\r\n", .rcpt2 = "450 no\r\n"}},
         .news = SP_ATTEMPT_REACHED},
	{"MAIL: the end, from both", .scripts = {{.mail = "#"}, {.mail = "#"}},
         .news = SP_ATTEMPT_REACHED},
	{"one message wants more than others (RFC 8689)",
         .scripts = {{.greeting = "#"}, {.greeting = "#"}}, .requiretls = true,
         .news = SP_ATTEMPT_NO_NEWS},
};

#endif
