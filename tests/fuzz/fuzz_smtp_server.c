/* SPDX-License-Identifier: Apache-2.0 */
/* layer: smtp */
/*
 * A server session under any input, whole and byte by byte: replies, events
 * and messages must be the same. The first byte chooses the configuration;
 * a byte 0xfe ends a turn, after which a started handshake is done.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "smtp/server.h"

#define TURN_END ((char)0xfe)
#define LOG_MAX  (1U << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct sp_smtp_server *server;
	struct sp_buf events, replies, body;
	bool open, tls_due, garbage, over;
	uint8_t options;
};

static void on_end(struct run *r, const struct sp_smtp_message *m)
{
	SP_ASSERT(r->open && sp_buf_len(&r->body) == m->size_bytes);
	(void)sp_buf_printf(&r->events, "end %d %d %u ", m->body_8bit,
	                    m->body_8bit_undeclared, m->received_count);
	(void)sp_buf_append_str(&r->events, sp_buf_str(&r->body));
	r->open = false;
	int rc = (r->options & 8) != 0
	                 ? sp_smtp_server_answer(r->server, 451, "4.3.0", "no")
	                 : sp_smtp_server_answer(r->server, 250, "2.0.0", "ok");
	SP_ASSERT(rc == 0);
}

static void on_begin(struct run *r, const struct sp_envelope *e)
{
	SP_ASSERT(!r->open && e->rcpt_count > 0 && e->rcpt_count <= 3);
	r->open = true;
	sp_buf_reset(&r->body);
	(void)sp_buf_printf(&r->events, "begin " SP_STR_FMT,
	                    SP_STR_ARG(e->sender));
	for (size_t i = 0; i < e->rcpt_count; i++) {
		SP_ASSERT(e->rcpts[i].domain.len > 0);
		(void)sp_buf_printf(&r->events, " " SP_STR_FMT,
		                    SP_STR_ARG(e->rcpts[i].address));
	}
}

static void on_event(struct run *r, const struct sp_smtp_server_event *e)
{
	SP_ASSERT(!r->over);
	switch (e->type) {
	case SP_SMTP_SERVER_STARTTLS:
		r->tls_due = true;
		break;
	case SP_SMTP_SERVER_MESSAGE_BEGIN:
		on_begin(r, e->envelope);
		break;
	case SP_SMTP_SERVER_BODY:
		SP_ASSERT(r->open && e->bytes.len > 0);
		(void)sp_buf_append_str(&r->body, e->bytes);
		return; /* shown at the end */
	case SP_SMTP_SERVER_MESSAGE_END:
		on_end(r, &e->message);
		break;
	case SP_SMTP_SERVER_MESSAGE_ABORT:
		SP_ASSERT(r->open);
		r->open = false;
		/* which fault is seen first depends on the cut */
		(void)sp_buf_append_cstr(&r->events, "abort");
		break;
	case SP_SMTP_SERVER_QUIT:
	case SP_SMTP_SERVER_CLOSE:
		SP_ASSERT(!r->open);
		r->over = true;
		r->garbage = strcmp(e->why, "starttls-garbage") == 0;
		(void)sp_buf_printf(&r->events, "over %s", e->why);
		break;
	}
	(void)sp_buf_append_char(&r->events, '\n');
}

static void drain(struct run *r)
{
	struct sp_buf *out = sp_smtp_server_output(r->server);

	(void)sp_buf_append_str(&r->replies, sp_buf_str(out));
	sp_buf_consume(out, sp_buf_len(out));
}

static void feed(struct run *r, struct sp_str input)
{
	struct sp_smtp_server_event e;
	size_t before;

	do {
		before = input.len;
		bool wanted = sp_smtp_server_wants_input(r->server);
		sp_smtp_server_feed(r->server, &input);
		SP_ASSERT(wanted || input.len == before);
		while (sp_smtp_server_next(r->server, &e)) {
			if (e.type == SP_SMTP_SERVER_STARTTLS) {
				r->tls_due = true;
			} else {
				on_event(r, &e);
			}
		}
		drain(r);
	} while (input.len > 0 && input.len < before);
}

static void turn(struct run *r, struct sp_str input, bool bytewise)
{
	for (size_t i = 0; bytewise && i < input.len; i++) {
		feed(r, sp_str_sub(input, i, 1));
	}
	if (!bytewise) {
		feed(r, input);
	}
	if (r->tls_due && !r->over) {
		r->tls_due = false;
		(void)sp_buf_append_cstr(&r->events, "tls\n");
		sp_smtp_server_tls_started(r->server);
	}
}

static void start(struct run *r, uint8_t options)
{
	struct sp_smtp_server_conf conf;

	sp_smtp_server_conf_init(&conf);
	conf.starttls = (options & 1) != 0;
	conf.tls = (options & 2) != 0;
	conf.bdat_normalize = (options & 4) != 0;
	conf.size_max_bytes = 500;
	conf.rcpt_max = 3;
	conf.received_max = 2;
	conf.line_max_bytes = 80;
	*r = (struct run){.options = options};
	sp_buf_init(&r->events, LOG_MAX);
	sp_buf_init(&r->replies, LOG_MAX);
	sp_buf_init(&r->body, LOG_MAX);
	r->server = sp_smtp_server_new(&conf);
	drain(r); /* the greeting */
}

static void play(struct run *r, struct sp_str input, bool bytewise)
{
	struct sp_str part;
	struct sp_smtp_server_event e;

	while (sp_str_cut(&input, TURN_END, &part)) {
		turn(r, part, bytewise);
	}
	sp_smtp_server_lost(r->server);
	while (sp_smtp_server_next(r->server, &e)) {
		on_event(r, &e);
	}
	SP_ASSERT(r->over && !r->open);
	SP_ASSERT(sp_buf_error(&r->events) == 0);
}

/* Every line of output ends in CRLF and begins with a code. */
static void check_replies(struct sp_str text)
{
	struct sp_str line;

	while (sp_str_cut(&text, '\n', &line)) {
		SP_ASSERT(line.len >= 4 && line.ptr[line.len - 1] == '\r');
		SP_ASSERT(line.ptr[0] >= '2' && line.ptr[0] <= '5');
		SP_ASSERT(line.ptr[3] == ' ' || line.ptr[3] == '-');
	}
}

static void finish(struct run *r)
{
	sp_smtp_server_free(&r->server);
	sp_buf_fini(&r->events);
	sp_buf_fini(&r->replies);
	sp_buf_fini(&r->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, bytes;

	if (size < 1 || size > 65536) {
		return 0;
	}
	struct sp_str in = sp_str_slice(data + 1, size - 1);
	start(&whole, data[0]);
	start(&bytes, data[0]);
	play(&whole, in, false);
	play(&bytes, in, true);
	SP_ASSERT(sp_str_eq(sp_buf_str(&whole.events),
	                    sp_buf_str(&bytes.events)));
	/* data behind STARTTLS is told only when it came in one piece */
	SP_ASSERT(whole.garbage || sp_str_eq(sp_buf_str(&whole.replies),
	                                     sp_buf_str(&bytes.replies)));
	check_replies(sp_buf_str(&whole.replies));
	finish(&whole);
	finish(&bytes);
	return 0;
}
