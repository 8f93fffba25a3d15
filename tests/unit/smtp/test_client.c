/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dialogs with the client session, and a peer that answers each command from
 * a table, with and without PIPELINING: both must end in the same verdicts.
 */
#include "base/err.h"
#include "client_cases.h"
#include "dialog.h"
#include "smtp/client.h"

struct under_test {
	struct sp_smtp_client *client;
	struct sp_smtp_transaction tx;
	const char *body; /* given at once on WANT_BODY; null: by action */
	bool no_rcpt_events;
};

static void print_reply(const struct sp_smtp_client_event *e, const char *name,
                        struct sp_buf *out)
{
	(void)sp_buf_printf(out, "%s %u", name, e->reply.code);
}

static void print_ready(const struct sp_smtp_client_event *e,
                        struct sp_buf *out)
{
	(void)sp_buf_printf(out, "ready caps=%u%s", e->caps.set,
	                    e->caps.helo ? " helo" : "");
	if (e->caps.size_max_bytes > 0) {
		(void)sp_buf_printf(out, " size=%llu",
		                    (unsigned long long)e->caps.size_max_bytes);
	}
	(void)sp_buf_printf(out, " host=" SP_STR_FMT, SP_STR_ARG(e->host));
}

static void print_result(const struct sp_smtp_result *r, struct sp_buf *out)
{
	(void)sp_buf_printf(out, "done");
	if (r->need != SP_SMTP_NEED_NONE) {
		(void)sp_buf_printf(out, " need=%s",
		                    sp_smtp_need_name(r->need));
	}
	if (r->final.code != 0) {
		(void)sp_buf_printf(out, " final=%u", r->final.code);
	}
	if (r->mail.code != 0) {
		(void)sp_buf_printf(out, " mail=%u", r->mail.code);
	}
	(void)sp_buf_printf(out, "%s", r->end_sent ? " end" : "");
	for (size_t i = 0; i < r->rcpt_count; i++) {
		const struct sp_smtp_rcpt_result *rcpt = &r->rcpts[i];
		(void)sp_buf_printf(
			out, " [%s %u%s%s%s]", sp_smtp_stage_name(rcpt->stage),
			rcpt->reply.code, rcpt->delivered ? " delivered" : "",
			rcpt->need && !r->need ? " need=" : "",
			rcpt->need && !r->need ? sp_smtp_need_name(rcpt->need)
					       : "");
	}
}

static bool next(void *self, struct sp_buf *out)
{
	static const char *const NAMES[] = {
		[SP_SMTP_CLIENT_GREETING_REFUSED] = "greeting-refused",
		[SP_SMTP_CLIENT_EHLO_REFUSED] = "ehlo-refused",
		[SP_SMTP_CLIENT_STARTTLS_REFUSED] = "starttls-refused",
		[SP_SMTP_CLIENT_RESET_DONE] = "reset-done",
		[SP_SMTP_CLIENT_CLOSED] = "closed",
		[SP_SMTP_CLIENT_STARTTLS_READY] = "starttls-ready",
		[SP_SMTP_CLIENT_STARTTLS_GARBAGE] = "starttls-garbage",
		[SP_SMTP_CLIENT_WANT_BODY] = "want-body",
		[SP_SMTP_CLIENT_QUIT_DONE] = "quit-done",
	};
	struct under_test *t = self;
	struct sp_smtp_client_event e;

	if (!sp_smtp_client_next(t->client, &e)) {
		return false;
	}
	switch (e.type) {
	case SP_SMTP_CLIENT_READY:
		print_ready(&e, out);
		break;
	case SP_SMTP_CLIENT_GREETING_REFUSED:
	case SP_SMTP_CLIENT_EHLO_REFUSED:
	case SP_SMTP_CLIENT_STARTTLS_REFUSED:
	case SP_SMTP_CLIENT_RESET_DONE:
	case SP_SMTP_CLIENT_CLOSED:
		print_reply(&e, NAMES[e.type], out);
		break;
	case SP_SMTP_CLIENT_RCPT:
		if (!t->no_rcpt_events) {
			(void)sp_buf_printf(out, "rcpt %zu %u", e.rcpt,
			                    e.reply.code);
		}
		break;
	case SP_SMTP_CLIENT_MESSAGE_DONE:
		print_result(e.result, out);
		break;
	case SP_SMTP_CLIENT_PROTOCOL_ERROR:
		(void)sp_buf_printf(out, "protocol-error %s", e.why);
		break;
	case SP_SMTP_CLIENT_WANT_BODY:
	case SP_SMTP_CLIENT_STARTTLS_READY:
	case SP_SMTP_CLIENT_STARTTLS_GARBAGE:
	case SP_SMTP_CLIENT_QUIT_DONE:
		(void)sp_buf_append_cstr(out, NAMES[e.type]);
		break;
	}
	if (e.type == SP_SMTP_CLIENT_WANT_BODY && t->body) {
		assert_int_equal(sp_smtp_client_body(
					 t->client, sp_str_from(t->body), true),
		                 0);
	}
	return true;
}

static void feed(void *self, struct sp_str *input)
{
	sp_smtp_client_feed(((struct under_test *)self)->client, input);
}

static struct sp_buf *output(void *self)
{
	return sp_smtp_client_output(((struct under_test *)self)->client);
}

static void act_body(struct under_test *t, struct sp_str text, bool last)
{
	struct sp_buf line;

	sp_buf_init(&line, 1000);
	(void)sp_buf_append_str(&line, text);
	(void)sp_buf_append_cstr(&line, "\n");
	assert_int_equal(
		sp_smtp_client_body(t->client, sp_buf_str(&line), last), 0);
	sp_buf_fini(&line);
}

static void act_tx(struct under_test *t, struct sp_str verb, struct sp_str arg)
{
	if (sp_str_eq(verb, SP_STR("size"))) {
		assert_int_equal(sp_str_u64(arg, 1000, &t->tx.size_bytes), 0);
	} else if (sp_str_eq(verb, SP_STR("8bit"))) {
		t->tx.body_8bit = true;
	} else if (sp_str_eq(verb, SP_STR("utf8"))) {
		t->tx.smtputf8 = true;
	} else if (sp_str_eq(verb, SP_STR("usender"))) {
		t->tx.sender = SP_STR("\xc3\xa9@s.test");
	} else if (sp_str_eq(verb, SP_STR("null"))) {
		t->tx.sender = SP_STR("");
	} else if (sp_str_eq(verb, SP_STR("ulocal"))) {
		t->tx.rcpts = ULOCAL;
	} else if (sp_str_eq(verb, SP_STR("uorcpt"))) {
		t->tx.rcpts = UORCPT;
	} else if (sp_str_eq(verb, SP_STR("udomain"))) {
		t->tx.sender = SP_STR("a@b\xc3\xbc"
		                      "cher.test");
		t->tx.rcpts = UDOMAIN;
	} else if (sp_str_eq(verb, SP_STR("requiretls"))) {
		t->tx.requiretls = true;
	} else if (sp_str_eq(verb, SP_STR("chunking"))) {
		t->tx.chunking = true;
	} else if (sp_str_eq(verb, SP_STR("probe"))) {
		t->tx.probe = true;
	} else if (sp_str_eq(verb, SP_STR("envid"))) {
		t->tx.envid = SP_STR("q+1");
		t->tx.ret = SP_RET_HDRS;
	} else {
		fail_msg("unknown action " SP_STR_FMT, SP_STR_ARG(verb));
	}
}

static void act(void *self, struct sp_str action)
{
	struct under_test *t = self;
	struct sp_smtp_client *c = t->client;
	struct sp_str verb;

	(void)sp_str_cut(&action, ' ', &verb);
	if (sp_str_eq(verb, SP_STR("send"))) {
		assert_int_equal(sp_smtp_client_send(c, &t->tx), 0);
	} else if (sp_str_eq(verb, SP_STR("quit"))) {
		assert_int_equal(sp_smtp_client_quit(c), 0);
	} else if (sp_str_eq(verb, SP_STR("reset"))) {
		assert_int_equal(sp_smtp_client_reset(c), 0);
	} else if (sp_str_eq(verb, SP_STR("starttls"))) {
		assert_int_equal(sp_smtp_client_starttls(c), 0);
	} else if (sp_str_eq(verb, SP_STR("tls"))) {
		sp_smtp_client_tls_started(c);
	} else if (sp_str_eq(verb, SP_STR("tls-quit"))) {
		assert_int_equal(sp_smtp_client_tls_quit(c), 0);
	} else if (sp_str_eq(verb, SP_STR("greeting"))) {
		assert_true(sp_str_eq(sp_smtp_client_greeting(c), action));
	} else if (sp_str_eq(verb, SP_STR("hello"))) {
		assert_true(sp_str_eq(sp_smtp_client_hello(c), action));
	} else if (sp_str_eq(verb, SP_STR("lost"))) {
		sp_smtp_client_lost(c);
	} else if (sp_str_eq(verb, SP_STR("body"))) {
		act_body(t, action, false);
	} else if (sp_str_eq(verb, SP_STR("last"))) {
		act_body(t, action, true);
	} else if (sp_str_eq(verb, SP_STR("room"))) {
		assert_int_equal(sp_smtp_client_body_room(c), 0);
	} else if (sp_str_eq(verb, SP_STR("stage"))) {
		const char *name = sp_smtp_stage_name(sp_smtp_client_stage(c));
		assert_true(sp_str_eq(sp_str_from(name), action));
	} else {
		act_tx(t, verb, action);
	}
}

static void start(struct under_test *t, bool helo_fallback)
{
	const struct sp_smtp_client_conf conf = {
		.hostname = SP_STR("c.test"),
		.helo_fallback = helo_fallback,
		.keep_texts = true,
	};

	*t = (struct under_test){
		.client = sp_smtp_client_new(&conf),
		.tx = {.sender = SP_STR("a@s.test"),
	               .rcpts = RCPTS,
	               .rcpt_count = 2},
	};
}

static void run(const struct client_case *c, enum dialog_mode mode)
{
	struct under_test t;
	const struct dialog_session session = {&t, feed, output, next, act};

	if (c->modes != 0 && (c->modes & (unsigned)mode) == 0) {
		return;
	}
	start(&t, c->helo_fallback);
	dialog_run(c->name, c->script, mode, &session);
	sp_smtp_client_free(&t.client);
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

/* The answering peer. */

static const struct peer_case {
	const char *name;
	const char *mail, *rcpt[2], *data, *end;
	const char *result;
} PEERS[] = {
	{"all accepted",
         "250",
         {"250", "250"},
         "354",
         "250",
         "done final=250 end [data-done 250 delivered] "
         "[data-done 250 delivered]\n"},
	{"one refused",
         "250",
         {"550", "250"},
         "354",
         "250",
         "done final=250 end [rcpt 550] [data-done 250 delivered]\n"},
	{"end refused",
         "250",
         {"250", "452"},
         "354",
         "451",
         "done final=451 end [data-done 451] [rcpt 452]\n"},
	{"DATA refused",
         "250",
         {"250", "250"},
         "554",
         "250",
         "done [data-init 554] [data-init 554]\n"},
	{"all refused",
         "250",
         {"550", "450"},
         "354",
         "554",
         "done [rcpt 550] [rcpt 450]\n"},
	{"MAIL refused",
         "550",
         {"503", "503"},
         "503",
         "503",
         "done [mail 550] [mail 550]\n"},
	{"421 at the end",
         "250",
         {"250", "250"},
         "354",
         "421",
         "done final=421 end [data-done 421] [data-done 421]\nclosed 421\n"},
};

static const char *answer(const struct peer_case *p, struct sp_str line,
                          size_t *rcpt, bool *in_data)
{
	if (*in_data) {
		*in_data = !sp_str_eq(line, SP_STR("."));
		return *in_data ? NULL : p->end;
	}
	if (sp_str_starts_nocase(line, SP_STR("MAIL"))) {
		return p->mail;
	}
	if (sp_str_starts_nocase(line, SP_STR("RCPT"))) {
		return p->rcpt[(*rcpt)++];
	}
	assert_true(sp_str_eq(line, SP_STR("DATA")));
	*in_data = strcmp(p->data, "354") == 0;
	return p->data;
}

/* Answer all that is in out; true while something was. */
static bool converse(struct under_test *t, const struct peer_case *p,
                     size_t *rcpt, bool *in_data)
{
	struct sp_buf *out = sp_smtp_client_output(t->client);
	struct sp_buf replies;
	struct sp_str line;

	sp_buf_init(&replies, 4096);
	struct sp_str text = sp_buf_str(out);
	while (sp_str_cut(&text, '\n', &line)) {
		line.len--;
		const char *code = answer(p, line, rcpt, in_data);
		if (code) {
			(void)sp_buf_printf(&replies, "%s x\r\n", code);
		}
	}
	bool any = sp_buf_len(out) > 0;
	sp_buf_consume(out, sp_buf_len(out));
	text = sp_buf_str(&replies);
	sp_smtp_client_feed(t->client, &text);
	sp_buf_fini(&replies);
	return any;
}

static void run_peer(const struct peer_case *p, bool pipelining)
{
	struct under_test t;
	struct sp_buf events, line;
	size_t rcpt = 0;
	bool in_data = false;

	start(&t, false);
	t.body = "x\r\n";
	t.no_rcpt_events = true;
	struct sp_str in = SP_STR("220 x\r\n");
	sp_smtp_client_feed(t.client, &in);
	sp_buf_consume(sp_smtp_client_output(t.client),
	               sp_buf_len(sp_smtp_client_output(t.client)));
	in = pipelining ? SP_STR("250-x\r\n250 PIPELINING\r\n")
	                : SP_STR("250 x\r\n");
	sp_smtp_client_feed(t.client, &in);
	assert_int_equal(sp_smtp_client_send(t.client, &t.tx), 0);
	sp_buf_init(&events, 4096);
	sp_buf_init(&line, 4096);
	do {
		while (next(&t, &line)) {
			bool shown = sp_buf_len(&line) > 0 &&
			             sp_buf_str(&line).ptr[0] != 'r' &&
			             sp_buf_str(&line).ptr[0] != 'w';
			if (shown) {
				(void)sp_buf_append_char(&line, '\n');
				(void)sp_buf_append_str(&events,
				                        sp_buf_str(&line));
			}
			sp_buf_reset(&line);
		}
	} while (converse(&t, p, &rcpt, &in_data));
	if (!sp_str_eq(sp_buf_str(&events), sp_str_from(p->result))) {
		fail_msg("%s, pipelining %d: " SP_STR_FMT, p->name, pipelining,
		         SP_STR_ARG(sp_buf_str(&events)));
	}
	sp_buf_fini(&events);
	sp_buf_fini(&line);
	sp_smtp_client_free(&t.client);
}

static void test_peers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(PEERS) / sizeof(PEERS[0]); i++) {
		run_peer(&PEERS[i], false);
		run_peer(&PEERS[i], true);
	}
}

static void ready(struct under_test *t, struct sp_str ehlo)
{
	struct sp_smtp_client_event e;
	struct sp_str in = SP_STR("220 x\r\n");

	start(t, false);
	sp_smtp_client_feed(t->client, &in);
	struct sp_buf *out = sp_smtp_client_output(t->client);
	sp_buf_consume(out, sp_buf_len(out));
	sp_smtp_client_feed(t->client, &ehlo);
	while (sp_smtp_client_next(t->client, &e)) {
	}
}

static void test_many_recipients(void **state)
{
	struct sp_envelope_rcpt *rcpts =
		sp_calloc(SP_ENVELOPE_RCPT_MAX, sizeof(*rcpts));
	struct under_test t;
	size_t replies = 0;
	size_t delivered = 0;

	(void)state;
	ready(&t, SP_STR("250-x\r\n250 PIPELINING\r\n"));
	char name[200];
	memset(name, 'n', sizeof(name));
	memcpy(name + sizeof(name) - 7, "@d.test", 7);
	for (size_t i = 0; i < SP_ENVELOPE_RCPT_MAX; i++) {
		rcpts[i].address = sp_str_slice(name, sizeof(name));
	}
	t.tx.rcpts = rcpts;
	t.tx.rcpt_count = SP_ENVELOPE_RCPT_MAX;
	assert_int_equal(sp_smtp_client_send(t.client, &t.tx), 0);
	t.body = "x\n";
	for (size_t turn = 0; turn < 10000; turn++) {
		struct sp_buf line;
		struct sp_buf *out = sp_smtp_client_output(t.client);
		sp_buf_consume(out, sp_buf_len(out));
		struct sp_str in = SP_STR("250 ok\r\n");
		if (sp_smtp_client_stage(t.client) == SP_SMTP_STAGE_DATA_INIT) {
			in = SP_STR("354 go\r\n");
		}
		sp_smtp_client_feed(t.client, &in);
		replies++;
		sp_buf_init(&line, 1 << 20);
		t.no_rcpt_events = true;
		while (next(&t, &line)) {
		}
		if (sp_smtp_client_stage(t.client) == SP_SMTP_STAGE_IDLE) {
			struct sp_str all = sp_buf_str(&line);
			struct sp_str one;
			while (sp_str_cut(&all, '[', &one)) {
				delivered += sp_str_ends_nocase(
					one, SP_STR("delivered] "));
			}
			sp_buf_fini(&line);
			break;
		}
		sp_buf_fini(&line);
	}
	assert_int_equal(replies, SP_ENVELOPE_RCPT_MAX + 3);
	assert_int_equal(delivered, SP_ENVELOPE_RCPT_MAX - 1);
	sp_smtp_client_free(&t.client);
	SP_FREE(&rcpts);
}

static void test_not_now(void **state)
{
	struct under_test t;

	(void)state;
	start(&t, false);
	assert_int_equal(sp_smtp_client_send(t.client, &t.tx), SP_EBUSY);
	assert_int_equal(sp_smtp_client_quit(t.client), SP_EBUSY);
	assert_int_equal(sp_smtp_client_body(t.client, SP_STR("x"), true),
	                 SP_EBUSY);
	assert_int_equal(sp_smtp_client_body_room(t.client), 0);
	assert_int_equal(sp_smtp_client_starttls(t.client), SP_EUNSUPPORTED);
	sp_smtp_client_lost(t.client);
	assert_int_equal(sp_smtp_client_send(t.client, &t.tx), SP_ECLOSED);
	sp_smtp_client_free(&t.client);
}

static void test_smuggled_address(void **state)
{
	static const struct sp_envelope_rcpt BAD = {
		.address = {"b@d.test>\r\nRSET", 15}};
	struct under_test t;

	(void)state;
	ready(&t, SP_STR("250 x\r\n"));
	t.tx.rcpts = &BAD;
	t.tx.rcpt_count = 1;
	assert_int_equal(sp_smtp_client_send(t.client, &t.tx), SP_ESYNTAX);
	assert_int_equal(sp_buf_len(sp_smtp_client_output(t.client)), 0);
	assert_int_equal(sp_smtp_client_stage(t.client), SP_SMTP_STAGE_IDLE);
	sp_smtp_client_free(&t.client);
}

/* A reply in the same packet as the greeting: before EHLO was written. */
static void test_early_reply(void **state)
{
	struct under_test t;
	struct sp_smtp_client_event e;
	struct sp_str in = SP_STR("220 x\r\n250-x\r\n250 STARTTLS\r\n");

	(void)state;
	start(&t, false);
	sp_smtp_client_feed(t.client, &in);
	assert_true(sp_smtp_client_next(t.client, &e));
	assert_int_equal(e.type, SP_SMTP_CLIENT_PROTOCOL_ERROR);
	assert_int_equal(sp_smtp_client_stage(t.client), SP_SMTP_STAGE_CLOSED);
	sp_smtp_client_free(&t.client);
}

static void test_endless_reply(void **state)
{
	struct under_test t;
	struct sp_smtp_client_event e;
	size_t i = 0;

	(void)state;
	start(&t, false);
	for (; i < 100000 && !sp_smtp_client_next(t.client, &e); i++) {
		struct sp_str in = SP_STR("220-more and more\r\n");
		sp_smtp_client_feed(t.client, &in);
	}
	assert_in_range(i, 1, 1000);
	assert_int_equal(e.type, SP_SMTP_CLIENT_PROTOCOL_ERROR);
	assert_string_equal(e.why, "reply too long");
	sp_smtp_client_free(&t.client);
}

static void test_body_bound(void **state)
{
	struct under_test t;
	struct sp_smtp_client_event e;
	static const char *const REPLIES[] = {"250 a\r\n", "250 b\r\n",
	                                      "250 c\r\n", "354 d\r\n"};

	(void)state;
	ready(&t, SP_STR("250 x\r\n"));
	assert_int_equal(sp_smtp_client_send(t.client, &t.tx), 0);
	struct sp_buf *out = sp_smtp_client_output(t.client);
	for (size_t i = 0; i < 4; i++) {
		struct sp_str in = sp_str_from(REPLIES[i]);
		sp_buf_consume(out, sp_buf_len(out));
		sp_smtp_client_feed(t.client, &in);
	}
	while (sp_smtp_client_next(t.client, &e)) {
	}
	size_t room = sp_smtp_client_body_room(t.client);
	assert_in_range(room, 10000, 40000);
	char *body = sp_alloc(room + 1);
	memset(body, '\n', room + 1); /* doubles on the wire */
	assert_int_equal(sp_smtp_client_body(
				 t.client, sp_str_slice(body, room + 1), false),
	                 SP_ELIMIT);
	assert_int_equal(
		sp_smtp_client_body(t.client, sp_str_slice(body, room), false),
		0);
	assert_int_equal(sp_buf_len(out), 2 * room);
	assert_true(sp_smtp_client_body_room(t.client) < 32);
	sp_buf_consume(out, sp_buf_len(out));
	assert_int_equal(sp_smtp_client_body_room(t.client), room);
	SP_FREE(&body);
	sp_smtp_client_free(&t.client);
}

static void test_stages(void **state)
{
	static const struct {
		enum sp_smtp_stage stage;
		const char *name;
		int minutes;
	} ROWS[] = {
		{SP_SMTP_STAGE_GREETING, "greeting", 5},
		{SP_SMTP_STAGE_MAIL, "mail", 5},
		{SP_SMTP_STAGE_RCPT, "rcpt", 5},
		{SP_SMTP_STAGE_DATA_INIT, "data-init", 2},
		{SP_SMTP_STAGE_DATA_BLOCK, "data-block", 3},
		{SP_SMTP_STAGE_DATA_DONE, "data-done", 10},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		assert_string_equal(sp_smtp_stage_name(ROWS[i].stage),
		                    ROWS[i].name);
		assert_int_equal(sp_smtp_stage_timeout_ms(ROWS[i].stage),
		                 ROWS[i].minutes * 60000);
	}
	assert_int_equal(sp_smtp_stage_timeout_ms(SP_SMTP_STAGE_IDLE), -1);
}

static void test_history(void **state)
{
	struct under_test t;

	(void)state;
	ready(&t, SP_STR("250 \xff\x1b[31mx\r\n"));
	const struct sp_smtp_history *h = sp_smtp_client_history(t.client);
	bool seen = false;
	for (size_t i = 0; i < sp_smtp_history_len(h); i++) {
		const struct sp_smtp_step *step = sp_smtp_history_at(h, i);
		if (step->code == 250) {
			assert_string_equal(step->to, "EHLO");
			assert_string_equal(step->text, "?\x3f[31mx");
			seen = true;
		}
	}
	assert_true(seen);
	sp_smtp_client_free(&t.client);
}

static void test_history_ring(void **state)
{
	struct sp_smtp_history h = {0};

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		sp_smtp_history_reply(&h, "X", 200 + i, SP_STR("t"));
	}
	assert_int_equal(sp_smtp_history_len(&h), SP_SMTP_HISTORY_MAX);
	assert_int_equal(sp_smtp_history_at(&h, 0)->code, 268);
	assert_int_equal(sp_smtp_history_at(&h, 31)->code, 299);
	sp_smtp_history_fini(&h);
	assert_int_equal(sp_smtp_history_len(&h), 0);
	sp_smtp_history_reply(&h, "X", 250, SP_STR("t"));
	assert_int_equal(sp_smtp_history_at(&h, 0)->code, 250);
	sp_smtp_history_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogs),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_not_now),
		cmocka_unit_test(test_smuggled_address),
		cmocka_unit_test(test_early_reply),
		cmocka_unit_test(test_endless_reply),
		cmocka_unit_test(test_body_bound),
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_history_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
