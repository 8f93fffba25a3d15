/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our client against our server, joined by two buffers: what went in at one
 * end comes out at the other, in every combination of PIPELINING, BDAT and
 * cuts of the stream.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "smtp/client.h"
#include "smtp/server.h"

struct pair {
	struct sp_smtp_client *client;
	struct sp_smtp_server *server;
	struct sp_buf to_server, to_client, received;
	const struct sp_smtp_transaction *tx;
	struct sp_str body; /* what is not sent yet */
	size_t piece;
	size_t sends; /* left */
	size_t messages, delivered;
	bool body_wanted, starttls, over;
};

static const struct sp_envelope_rcpt RCPTS[] = {
	{.address = {"b@d.test", 8}, .notify = SP_NOTIFY_FAILURE},
	{.address = {"\"c d\"@d.test", 12}, .orcpt = {"rfc822;c+=@d.test", 17}},
};

static void move(struct sp_buf *from, struct sp_buf *to)
{
	assert_int_equal(sp_buf_append_str(to, sp_buf_str(from)), 0);
	sp_buf_consume(from, sp_buf_len(from));
}

static void check_envelope(const struct pair *p, const struct sp_envelope *e)
{
	assert_true(sp_str_eq(e->sender, p->tx->sender));
	assert_true(sp_str_eq(e->envid, p->tx->envid));
	assert_int_equal(e->ret, p->tx->ret);
	assert_int_equal(e->rcpt_count, p->tx->rcpt_count);
	for (size_t i = 0; i < e->rcpt_count; i++) {
		const struct sp_envelope_rcpt *r = &p->tx->rcpts[i];
		assert_true(sp_str_eq(e->rcpts[i].address, r->address));
		assert_true(sp_str_eq(e->rcpts[i].orcpt, r->orcpt));
		assert_int_equal(e->rcpts[i].notify, r->notify);
	}
}

static void on_server(struct pair *p, const struct sp_smtp_server_event *e)
{
	switch (e->type) {
	case SP_SMTP_SERVER_STARTTLS:
		p->starttls = true;
		break;
	case SP_SMTP_SERVER_MESSAGE_BEGIN:
		check_envelope(p, e->envelope);
		sp_buf_reset(&p->received);
		break;
	case SP_SMTP_SERVER_BODY:
		(void)sp_buf_append_str(&p->received, e->bytes);
		break;
	case SP_SMTP_SERVER_MESSAGE_END:
		assert_int_equal(e->message.size_bytes,
		                 sp_buf_len(&p->received));
		p->messages++;
		assert_int_equal(
			sp_smtp_server_answer(p->server, 250, "2.0.0", "kept"),
			0);
		break;
	case SP_SMTP_SERVER_MESSAGE_ABORT:
	case SP_SMTP_SERVER_CLOSE:
		fail_msg("server: %s", e->why);
		break;
	case SP_SMTP_SERVER_QUIT:
		break;
	}
}

static void next_message(struct pair *p, struct sp_str body)
{
	if (p->sends == 0) {
		assert_int_equal(sp_smtp_client_quit(p->client), 0);
		return;
	}
	p->sends--;
	p->body = body;
	assert_int_equal(sp_smtp_client_send(p->client, p->tx), 0);
}

static void on_client(struct pair *p, const struct sp_smtp_client_event *e,
                      struct sp_str body)
{
	switch (e->type) {
	case SP_SMTP_CLIENT_READY:
		if (sp_smtp_client_starttls(p->client) != 0) {
			next_message(p, body);
		}
		break;
	case SP_SMTP_CLIENT_STARTTLS_READY:
		assert_true(p->starttls);
		sp_smtp_server_tls_started(p->server);
		sp_smtp_client_tls_started(p->client);
		break;
	case SP_SMTP_CLIENT_WANT_BODY:
		p->body_wanted = true;
		break;
	case SP_SMTP_CLIENT_MESSAGE_DONE:
		for (size_t i = 0; i < e->result->rcpt_count; i++) {
			p->delivered += e->result->rcpts[i].delivered;
		}
		assert_true(e->result->dsn);
		next_message(p, body);
		break;
	case SP_SMTP_CLIENT_QUIT_DONE:
		p->over = true;
		break;
	case SP_SMTP_CLIENT_RCPT:
		assert_int_equal(e->reply.code, 250);
		break;
	case SP_SMTP_CLIENT_GREETING_REFUSED:
	case SP_SMTP_CLIENT_EHLO_REFUSED:
	case SP_SMTP_CLIENT_STARTTLS_REFUSED:
	case SP_SMTP_CLIENT_STARTTLS_GARBAGE:
	case SP_SMTP_CLIENT_RESET_DONE:
	case SP_SMTP_CLIENT_PROTOCOL_ERROR:
	case SP_SMTP_CLIENT_CLOSED:
		fail_msg("client event %d", (int)e->type);
	}
}

static void push_body(struct pair *p)
{
	while (p->body_wanted) {
		size_t room = sp_smtp_client_body_room(p->client);
		if (room == 0) {
			return;
		}
		size_t most = room < 3 * p->piece ? room : 3 * p->piece;
		struct sp_str part = sp_str_sub(p->body, 0, most);
		bool last = part.len == p->body.len;
		assert_int_equal(sp_smtp_client_body(p->client, part, last), 0);
		p->body = sp_str_sub(p->body, part.len, p->body.len);
		p->body_wanted = !last;
	}
}

/* Everything that waits at one side of the server, cut into pieces. */
static void serve(struct pair *p)
{
	struct sp_smtp_server_event e;
	size_t before;

	do {
		before = sp_buf_len(&p->to_server);
		struct sp_str in =
			sp_str_sub(sp_buf_str(&p->to_server), 0, p->piece);
		size_t offered = in.len;
		sp_smtp_server_feed(p->server, &in);
		sp_buf_consume(&p->to_server, offered - in.len);
		while (sp_smtp_server_next(p->server, &e)) {
			on_server(p, &e);
		}
		move(sp_smtp_server_output(p->server), &p->to_client);
	} while (sp_buf_len(&p->to_server) != before);
}

static void turn(struct pair *p, struct sp_str body)
{
	struct sp_smtp_client_event e;

	serve(p);
	while (sp_buf_len(&p->to_client) > 0) {
		struct sp_str in =
			sp_str_sub(sp_buf_str(&p->to_client), 0, p->piece);
		size_t offered = in.len;
		sp_smtp_client_feed(p->client, &in);
		assert_int_equal(in.len, 0);
		sp_buf_consume(&p->to_client, offered);
	}
	while (sp_smtp_client_next(p->client, &e)) {
		on_client(p, &e, body);
	}
	push_body(p);
	move(sp_smtp_client_output(p->client), &p->to_server);
}

static void join(struct pair *p, bool pipelining)
{
	const struct sp_smtp_client_conf cc = {
		.hostname = SP_STR("c.test"),
		.no_pipelining = !pipelining,
	};
	struct sp_smtp_server_conf sc;

	sp_smtp_server_conf_init(&sc);
	sc.hostname = SP_STR("mx.test");
	sc.starttls = true;
	p->client = sp_smtp_client_new(&cc);
	p->server = sp_smtp_server_new(&sc);
	sp_buf_init(&p->to_server, 1 << 24);
	sp_buf_init(&p->to_client, 1 << 24);
	sp_buf_init(&p->received, 1 << 24);
}

static void part(struct pair *p)
{
	sp_smtp_client_free(&p->client);
	sp_smtp_server_free(&p->server);
	sp_buf_fini(&p->to_server);
	sp_buf_fini(&p->to_client);
	sp_buf_fini(&p->received);
}

static void exchange(struct sp_str sent, struct sp_str wanted, bool pipelining,
                     bool chunking, size_t piece)
{
	const struct sp_smtp_transaction tx = {
		.sender = SP_STR("a@s.test"),
		.envid = SP_STR("q+1=2"),
		.ret = SP_RET_FULL,
		.rcpts = RCPTS,
		.rcpt_count = 2,
		.size_bytes = wanted.len,
		.body_8bit = true,
		.chunking = chunking,
	};
	struct pair p = {.tx = &tx, .piece = piece, .sends = 2};

	join(&p, pipelining);
	for (size_t i = 0; i < 1000000 && !p.over; i++) {
		turn(&p, sent);
	}
	assert_true(p.over);
	assert_int_equal(p.messages, 2);
	assert_int_equal(p.delivered, 4);
	assert_true(sp_smtp_server_is_tls(p.server));
	assert_true(sp_str_eq(sp_buf_str(&p.received), wanted));
	part(&p);
}

static void every_way(struct sp_str sent, struct sp_str wanted)
{
	static const size_t PIECES[] = {1, 7, 65536};

	for (size_t i = 0; i < 3; i++) {
		for (unsigned way = 0; way < 4; way++) {
			exchange(sent, wanted, (way & 1) != 0, (way & 2) != 0,
			         PIECES[i]);
		}
	}
}

static void test_small(void **state)
{
	(void)state;
	every_way(SP_STR(""), SP_STR(""));
	every_way(SP_STR(".\r\n..\r\n.x\r\n"), SP_STR(".\r\n..\r\n.x\r\n"));
	every_way(SP_STR("a\n.\nQUIT\rb"), SP_STR("a\r\n.\r\nQUIT b\r\n"));
	every_way(SP_STR("\xc3\xa9\r\n"), SP_STR("\xc3\xa9\r\n"));
}

static void test_large(void **state)
{
	struct sp_buf body;

	(void)state;
	sp_buf_init(&body, 1 << 20);
	for (size_t i = 0; i < 4000; i++) {
		(void)sp_buf_printf(&body, "%sline %zu\r\n", i % 3 ? "" : ".",
		                    i);
	}
	every_way(sp_buf_str(&body), sp_buf_str(&body));
	sp_buf_fini(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
