/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a connection:
 *
 *            ┌─ clear retry, or other key (judge), once ─┐
 *            ▼                                           │
 *   CONNECT ──▶ SESSION ──220 to STARTTLS──▶ HANDSHAKE ──┤
 *                 │  ▲                           │       │
 *                 │  └───────judge: proceed──────┘       │
 *                 ▼ EHLO done under the rule             ▼ judge: fail
 *               READY ◀──SENT── SENDING              ENDED ─▶ FAILED
 *                 └──send──────────▲ │ peer gone          ▲
 *                                    └────────────────────┘
 *
 * Other key: no TLSA record matched the key that the server showed; it may
 * have another (policy/keys). It is asked for that one in a new connection.
 * If that brings nothing, for whatever reason, the first handshake decides:
 * FAILED, or in log-only mode a third connection as the first was. Who looks
 * on (conf.inspect) says QUIT to the first one before.
 *
 * Invariants: no message leaves before READY, and READY is reached only by
 * the judge's PROCEED (or its CLEAR_RETRY). What the owner hears is told at
 * the end of a turn, when no machine is in the middle of a call; the owner
 * may free the dial while it hears it. Every way a session can break ends in
 * lose(), which names the cause.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/dial_private.h"
#include "deliver/evidence.h"

/* Bytes that wait to be sent: few, so that the timers fit what was sent. */
#define OUT_FILL     131072
#define OUT_KEEP     512   /* of an empty output of the session */
#define EVIDENCE_MAX 16384 /* of a handshake, to be kept */

static int64_t lap(struct sp_dial *d)
{
	int64_t now_ms = sp_time_mono_ms();
	int64_t passed_ms = now_ms - d->mark_ms;

	d->mark_ms = now_ms;
	return passed_ms;
}

/* --- the session machine's events --- */

static void become_ready(struct sp_dial *d)
{
	if (d->clear_only) {
		d->facts.judgement.security = "clear";
	}
	d->host = NULL;
	d->state = SP__DIAL_READY;
	sp__dial_tell(d, SP_DIAL_READY);
}

static void note_texts(struct sp_dial *d)
{
	if (d->conf.inspect) {
		d->facts.greeting = sp_arena_str(
			&d->arena, sp_smtp_client_greeting(d->client));
		d->facts.hello = sp_arena_str(&d->arena,
		                              sp_smtp_client_hello(d->client));
	}
}

static void on_ready(struct sp_dial *d, const struct sp_smtp_client_event *ev)
{
	if (d->facts.greeting_ms < 0) {
		d->facts.greeting_ms = lap(d);
	}
	d->facts.peer_name = sp_arena_str(&d->arena, ev->host);
	d->facts.starttls_offered |=
		!d->facts.tls && (ev->caps.set & SP_SMTP_CAP_STARTTLS);
	note_texts(d);
	if (!d->facts.tls && !d->clear_only &&
	    (ev->caps.set & SP_SMTP_CAP_STARTTLS)) {
		SP_ASSERT(sp_smtp_client_starttls(d->client) == 0);
	} else if (d->conf.judge.filter.requiretls && d->facts.tls &&
	           !(ev->caps.set & SP_SMTP_CAP_REQUIRETLS)) {
		(void)sp__dial_judge(d, SP_SESSION_NO_REQUIRETLS, NULL);
	} else if (d->facts.tls || d->clear_only ||
	           sp__dial_judge(d, SP_SESSION_NO_STARTTLS, NULL) ==
	                   SP_JUDGE_PROCEED) {
		become_ready(d);
	}
}

/* What was answered to a command, as evidence. */
static struct sp_str reply_text(struct sp_dial *d, const char *command,
                                const struct sp_reply *reply)
{
	struct sp_verdict said = sp_verdict_from_reply(reply, false, &d->arena);

	return sp_str_from(
		sp_arena_printf(&d->arena, "answer to %s: %u " SP_STR_FMT,
	                        command, said.code, SP_STR_ARG(said.text)));
}

static void on_refused(struct sp_dial *d, const struct sp_smtp_client_event *ev)
{
	note_texts(d);
	sp__dial_fail_reply(d, &ev->reply);
}

/* Who does not know EHLO has no STARTTLS either (RFC 5321 3.2). Other
 * refusals are for reasons of the peer's own, which its words tell. */
static void on_ehlo_refused(struct sp_dial *d,
                            const struct sp_smtp_client_event *ev)
{
	bool unknown = ev->reply.code == 500 || ev->reply.code == 502;
	struct sp_tls_facts facts = {.matched_usage = -1};

	if (unknown && !d->facts.tls && !sp__dial_clear_allowed(d)) {
		note_texts(d);
		facts.error = reply_text(d, "EHLO", &ev->reply);
		(void)sp__dial_judge(d, SP_SESSION_NO_STARTTLS, &facts);
	} else {
		on_refused(d, ev);
	}
}

static void on_starttls_ready(struct sp_dial *d,
                              const struct sp_smtp_client_event *ev)
{
	struct sp_tls_client params;
	int r;

	(void)ev;
	d->state = SP__DIAL_HANDSHAKE;
	lap(d);
	sp_dial_tls_params(d->host, d->key, &d->arena, &params);
	if (d->other_key != SP_KEY_ANY) {
		sp_dial_tls_other_key(d->other_key, &params);
	}
	if (d->conf.inspect) {
		sp_dial_tls_inspect(d->conf.only, &params);
	}
	r = sp_stream_start_tls_client(d->stream, &params);
	if (r == SP_EPROTO) {
		sp__dial_judge_broken(d, SP_SESSION_STARTTLS_GARBAGE, NULL);
	} else if (r) {
		sp__dial_judge_silence(d, sp_strerror(r));
	} else {
		sp_stream_timeout(d->stream,
		                  d->conf.conf->smtp.command_timeout_ms);
	}
}

static void on_starttls_refused(struct sp_dial *d,
                                const struct sp_smtp_client_event *ev)
{
	struct sp_tls_facts facts = {.matched_usage = -1};
	enum sp_judgement j;

	facts.error = reply_text(d, "STARTTLS", &ev->reply);
	j = sp__dial_judge(d, SP_SESSION_STARTTLS_REFUSED, &facts);
	if (j == SP_JUDGE_PROCEED) {
		become_ready(d);
	} else if (j == SP_JUDGE_CLEAR_RETRY) {
		sp__dial_clear_retry(d);
	}
}

static void on_starttls_garbage(struct sp_dial *d,
                                const struct sp_smtp_client_event *ev)
{
	(void)ev;
	sp__dial_judge_broken(d, SP_SESSION_STARTTLS_GARBAGE, NULL);
}

/* Each recipient has the time of a command. */
static void on_rcpt(struct sp_dial *d, const struct sp_smtp_client_event *ev)
{
	(void)ev;
	d->timed_stage = SP_SMTP_STAGE_CLOSED;
}

static void on_want_body(struct sp_dial *d,
                         const struct sp_smtp_client_event *ev)
{
	(void)ev;
	d->body_wanted = true;
}

static void on_message_done(struct sp_dial *d,
                            const struct sp_smtp_client_event *ev)
{
	d->result = ev->result;
	d->transaction = NULL;
	d->body_wanted = false;
	d->facts.smtp_ms = lap(d);
	d->facts.messages++;
	if (sp_smtp_client_stage(d->client) == SP_SMTP_STAGE_CLOSED &&
	    d->lost == SP_CAUSE_NONE) {
		d->lost = SP_CAUSE_PROTOCOL_ERROR;
		d->verdict = sp_verdict_from_cause(d->lost, d->conf.domain,
		                                   SP_STR("no SMTP reply"),
		                                   &d->arena);
		d->verdict.host = d->host_name;
		d->verdict.address = sp_str_from(d->facts.address);
	}
	d->state = SP__DIAL_READY;
	sp__dial_tell(d, SP_DIAL_SENT);
}

static void on_protocol_error(struct sp_dial *d,
                              const struct sp_smtp_client_event *ev)
{
	sp__dial_fail(d, SP_CAUSE_PROTOCOL_ERROR, ev->why);
}

static void on_closed(struct sp_dial *d, const struct sp_smtp_client_event *ev)
{
	if (ev->reply.code) {
		sp__dial_fail_reply(d, &ev->reply);
	} else if (d->lost) {
		sp__dial_end(d); /* the verdict says why */
	} else {
		sp__dial_fail(d, SP_CAUSE_CONNECTION_CLOSED,
		              "the connection ended");
	}
}

static void on_nothing(struct sp_dial *d, const struct sp_smtp_client_event *ev)
{
	(void)d;
	(void)ev;
}

static void on_quit_done(struct sp_dial *d,
                         const struct sp_smtp_client_event *ev)
{
	(void)ev;
	sp__dial_end(d);
}

static void (*const ON_EVENT[])(struct sp_dial *,
                                const struct sp_smtp_client_event *) = {
	[SP_SMTP_CLIENT_READY] = on_ready,
	[SP_SMTP_CLIENT_GREETING_REFUSED] = on_refused,
	[SP_SMTP_CLIENT_EHLO_REFUSED] = on_ehlo_refused,
	[SP_SMTP_CLIENT_STARTTLS_READY] = on_starttls_ready,
	[SP_SMTP_CLIENT_STARTTLS_REFUSED] = on_starttls_refused,
	[SP_SMTP_CLIENT_STARTTLS_GARBAGE] = on_starttls_garbage,
	[SP_SMTP_CLIENT_RCPT] = on_rcpt,
	[SP_SMTP_CLIENT_WANT_BODY] = on_want_body,
	[SP_SMTP_CLIENT_MESSAGE_DONE] = on_message_done,
	[SP_SMTP_CLIENT_RESET_DONE] = on_nothing,
	[SP_SMTP_CLIENT_PROTOCOL_ERROR] = on_protocol_error,
	[SP_SMTP_CLIENT_CLOSED] = on_closed,
	[SP_SMTP_CLIENT_QUIT_DONE] = on_quit_done,
};

/* --- moving bytes --- */

static bool in_session(const struct sp_dial *d)
{
	return d->state == SP__DIAL_SESSION || d->state == SP__DIAL_READY ||
	       d->state == SP__DIAL_SENDING;
}

static void feed(struct sp_dial *d)
{
	struct sp_buf *in = sp_stream_in(d->stream);
	struct sp_str input = sp_buf_str(in);
	size_t before = input.len;

	sp_smtp_client_feed(d->client, &input);
	sp_buf_consume(in, before - input.len);
}

/* Until there is no event, or one that the owner has to hear first (its
 * result is valid until the next call only). */
static void take_events(struct sp_dial *d)
{
	struct sp_smtp_client_event ev;

	while (in_session(d) && sp_smtp_client_next(d->client, &ev)) {
		ON_EVENT[ev.type](d, &ev);
		if (ev.type == SP_SMTP_CLIENT_MESSAGE_DONE) {
			sp_deferred_call(d->turn);
			break;
		}
	}
}

static void push_body(struct sp_dial *d)
{
	while (d->state == SP__DIAL_SENDING && d->body_wanted && d->body_told) {
		size_t room = sp_smtp_client_body_room(d->client);
		struct sp_str part = sp_str_sub(d->body, 0, room);
		bool last = d->body_last && part.len == d->body.len;

		if (!room || (!part.len && !last)) {
			break;
		}
		if (sp_smtp_client_body(d->client, part, last) != 0) {
			break; /* refused meanwhile: MESSAGE_DONE follows */
		}
		d->body = sp_str_sub(d->body, part.len, d->body.len);
		if (last) {
			d->body_wanted = false;
			sp__dial_tell(d, SP_DIAL_TAKEN);
		} else if (!d->body.len) {
			d->body_told = false;
		}
	}
	if (d->state == SP__DIAL_SENDING && d->body_wanted && !d->body_told &&
	    sp_smtp_client_body_room(d->client)) {
		d->body_told = true;
		d->body = (struct sp_str){0};
		d->body_last = false;
		sp__dial_tell(d, SP_DIAL_WANT_BODY);
	}
}

static void write_out(struct sp_dial *d)
{
	struct sp_buf *from = sp_smtp_client_output(d->client);
	struct sp_buf *to = sp_stream_out(d->stream);
	size_t waiting = sp_buf_len(to);
	struct sp_str bytes =
		sp_str_sub(sp_buf_str(from), 0,
	                   waiting < OUT_FILL ? OUT_FILL - waiting : 0);

	if (bytes.len && sp_buf_append_str(to, bytes) == 0) {
		sp_buf_consume(from, bytes.len);
		sp_buf_give_back(from, OUT_KEEP);
		sp_stream_flush(d->stream);
		d->timed_stage = SP_SMTP_STAGE_CLOSED; /* time anew */
	}
}

static void set_timeout(struct sp_dial *d)
{
	enum sp_smtp_stage stage = sp_smtp_client_stage(d->client);

	if (stage != d->timed_stage) {
		d->timed_stage = stage;
		sp_stream_timeout(d->stream,
		                  d->quitting ? SP__DIAL_LINGER_MS
		                              : sp_dial_stage_timeout(
							d->conf.conf, stage));
	}
}

static void work(struct sp_dial *d)
{
	if (!in_session(d) || !d->client || !d->stream) {
		return;
	}
	feed(d);
	take_events(d);
	push_body(d);
	if (d->client && d->stream && in_session(d)) {
		write_out(d);
		take_events(d);
	}
	if (d->client && d->stream && in_session(d)) {
		write_out(d);
		set_timeout(d);
	}
}

/* One turn: work, then tell the owner what has come of it. */
static void on_turn(void *arg)
{
	struct sp_dial *d = arg;
	enum sp_dial_event event;
	bool freed = false;

	if (d->lingers) {
		return;
	}
	work(d);
	d->freed = &freed;
	while (sp__dial_next_event(d, &event)) {
		d->fn(d->arg, event);
		if (freed) {
			return;
		}
	}
	d->freed = NULL;
}

/* --- the stream's events --- */

static void on_connected(struct sp_dial *d)
{
	struct sp_smtp_client_conf conf = {
		.hostname = sp_str_from(d->conf.conf->hostname),
		.helo_fallback = sp__dial_clear_allowed(d),
		.keep_texts = d->conf.inspect,
	};
	struct sp_addr local;

	d->facts.connect_ms = lap(d);
	if (sp_stream_local(d->stream, &local) == 0) {
		sp_addr_text(&local, d->facts.local);
	}
	d->client = sp_smtp_client_new(&conf);
	d->state = SP__DIAL_SESSION;
	d->timed_stage = SP_SMTP_STAGE_CLOSED;
}

static void on_tls(struct sp_dial *d, bool up)
{
	struct sp_tls_facts *facts = &d->facts.tls_facts;
	enum sp_judgement j;

	sp_dial_read_tls(d->stream, &d->arena, facts);
	d->facts.handshake_tried = true;
	d->facts.tls_ms = lap(d);
	facts->other_key_asked =
		d->facts.other_key || d->conf.only != SP_KEY_ALGORITHM_ANY;
	d->tls_up = up;
	if (up && d->conf.inspect) {
		sp_stream_tls_chain(d->stream, &d->arena, &d->facts.chain);
	}
	j = sp__dial_judge(d, SP_SESSION_HANDSHAKE_DONE, facts);
	if (j == SP_JUDGE_OTHER_KEY) {
		sp__dial_ask_other_key(d);
	} else if (j == SP_JUDGE_CLEAR_RETRY ||
	           (j == SP_JUDGE_PROCEED && !up)) {
		sp__dial_clear_retry(d);
	} else if (j == SP_JUDGE_PROCEED) {
		d->facts.tls = true;
		d->state = SP__DIAL_SESSION;
		d->timed_stage = SP_SMTP_STAGE_CLOSED;
		sp_smtp_client_tls_started(d->client);
	}
}

/* In TLS 1.3 the peer looks at our half of the handshake when we hold it for
 * done: its alert comes in the place of its first reply (RFC 8446 4.4.2.4). */
static bool is_late_alert(const struct sp_dial *d, int err)
{
	return err == SP_ETLS && d->state == SP__DIAL_SESSION && d->facts.tls &&
	       sp_smtp_client_stage(d->client) == SP_SMTP_STAGE_EHLO;
}

static void on_late_alert(struct sp_dial *d)
{
	struct sp_tls_facts *facts = &d->facts.tls_facts;
	const char *why = sp_stream_error_text(d->stream);

	facts->handshake_ok = false;
	facts->error = sp_arena_str(&d->arena, sp_str_from(why));
	d->facts.tls = false;
	d->lost = SP_CAUSE_CONNECTION_CLOSED; /* no QUIT */
	sp__dial_judge_broken(d, SP_SESSION_HANDSHAKE_DONE, facts);
}

static void on_error(struct sp_dial *d)
{
	int err = sp_stream_error(d->stream);

	if (is_late_alert(d, err)) {
		on_late_alert(d);
		return;
	}
	d->facts.failed_here = d->state == SP__DIAL_CONNECT &&
	                       sp_dial_connect_failed_here(err);
	sp__dial_lose(d,
	              d->state == SP__DIAL_CONNECT ? sp_dial_connect_cause(err)
	                                           : SP_CAUSE_CONNECTION_CLOSED,
	              sp_stream_error_text(d->stream));
}

static void on_timeout(struct sp_dial *d)
{
	if (d->state == SP__DIAL_CONNECT) {
		sp__dial_lose(d, SP_CAUSE_CONNECTION_TIMEOUT,
		              "no answer in time");
	} else {
		char why[64];

		snprintf(why, sizeof(why), "no answer in time: %s",
		         d->state == SP__DIAL_HANDSHAKE
		                 ? "TLS handshake"
		                 : sp_smtp_stage_name(
					   sp_smtp_client_stage(d->client)));
		sp__dial_lose(d, SP_CAUSE_SESSION_TIMEOUT, why);
	}
}

static void on_stream(void *arg, enum sp_stream_event event)
{
	struct sp_dial *d = arg;

	if (d->state == SP__DIAL_ENDED || d->lingers) {
		if (d->lingers && event != SP_STREAM_DATA &&
		    event != SP_STREAM_DRAINED) {
			sp_dial_free(&d);
		}
		return;
	}
	switch (event) {
	case SP_STREAM_CONNECTED:
		on_connected(d);
		break;
	case SP_STREAM_TLS_UP:
		on_tls(d, true);
		break;
	case SP_STREAM_TLS_FAILED:
		on_tls(d, false);
		break;
	case SP_STREAM_EOF:
		work(d); /* what came before the end */
		if (in_session(d)) {
			sp__dial_lose(d, SP_CAUSE_CONNECTION_CLOSED,
			              "closed by the peer");
		}
		break;
	case SP_STREAM_ERROR:
		on_error(d);
		break;
	case SP_STREAM_TIMEOUT:
		on_timeout(d);
		break;
	case SP_STREAM_DATA:
	case SP_STREAM_DRAINED:
		break;
	}
	on_turn(d); /* may free d */
}

/* --- the owner's calls --- */

void sp__dial_connect(struct sp_dial *d)
{
	struct sp_addr to = {.family = d->address.family, .port = d->conf.port};
	struct sp_addr from = {0};
	const char *source = to.family == 4 ? d->conf.conf->smtp.source4
	                                    : d->conf.conf->smtp.source6;

	memcpy(to.bytes, d->address.bytes, sizeof(to.bytes));
	sp_addr_text(&to, d->facts.address);
	if (*source && sp_addr_parse(sp_str_from(source), 0, &from)) {
		from.family = 0;
	}
	d->facts.port = to.port;
	d->facts.connect_ms = d->facts.greeting_ms = -1;
	d->facts.tls_ms = d->facts.smtp_ms = -1;
	d->tls_up = false;
	d->mark_ms = sp_time_mono_ms();
	d->stream = sp_stream_connect(d->conf.loop, &to,
	                              from.family ? &from : NULL, on_stream, d);
	sp_stream_timeout(d->stream, d->conf.conf->smtp.connect_timeout_ms);
}

struct sp_dial *sp_dial_new(const struct sp_dial_conf *conf,
                            const struct sp_plan_host *host,
                            const struct sp_plan_address *address,
                            sp_dial_fn *fn, void *arg)
{
	struct sp_dial *d = SP_NEW(struct sp_dial);

	sp_arena_init(&d->arena);
	sp_list_init(&d->linger_node);
	d->conf = *conf;
	d->conf.domain = sp_arena_str(&d->arena, conf->domain);
	d->host = host;
	d->address = *address;
	d->host_name = sp_arena_str(&d->arena, host->name);
	d->key = sp_str_from(sp_dial_make_key(host, address, conf->port,
	                                      &conf->judge, &d->arena));
	d->fn = fn;
	d->arg = arg;
	d->facts.tls_facts.matched_usage = -1;
	d->facts.judgement.security = "clear";
	d->turn = sp_deferred_new(conf->loop, on_turn, d);
	sp__dial_connect(d);
	return d;
}

void sp_dial_free(struct sp_dial **dial)
{
	struct sp_dial *d = *dial;

	if (!d) {
		return;
	}
	*dial = NULL;
	if (d->freed) {
		*d->freed = true;
	}
	sp_list_remove(&d->linger_node);
	sp_json_free(&d->facts.tls_evidence);
	sp_stream_free(&d->stream);
	sp_smtp_client_free(&d->client);
	sp_deferred_free(&d->turn);
	sp_arena_fini(&d->arena);
	sp_free(d);
}

void sp_dial_quit(struct sp_dial **dial)
{
	struct sp_dial *d = *dial;

	if (!d) {
		return;
	}
	if (!d->stream || !d->client || d->lost ||
	    d->state == SP__DIAL_HANDSHAKE ||
	    sp_smtp_client_quit(d->client) != 0) {
		sp_dial_free(dial);
		return;
	}
	*dial = NULL;
	write_out(d);
	d->lingers = true;
	sp_json_free(&d->facts.tls_evidence);
	d->event_count = 0;
	if (d->freed) { /* inside on_turn: it must not touch d again */
		*d->freed = true;
		d->freed = NULL;
	}
	sp_list_append(d->conf.lingering, &d->linger_node);
	sp_smtp_client_free(&d->client);
	sp_arena_fini(&d->arena);
	sp_arena_init(&d->arena);
	sp_stream_close_after_answer(d->stream);
	sp_stream_timeout(d->stream, SP__DIAL_LINGER_MS);
}

bool sp_dial_part(struct sp_dial *d)
{
	d->event_count = 0;
	return sp__dial_say_quit(d);
}

void sp_dial_reap(struct sp_list *lingering)
{
	SP_LIST_FOREACH_SAFE (it, next, lingering) {
		struct sp_dial *d =
			SP_CONTAINER(it, struct sp_dial, linger_node);

		sp_dial_free(&d);
	}
}

/* The next messages have the same to tell of the handshake. */
static void keep_evidence(struct sp_dial *d)
{
	struct sp_buf text;

	d->facts.tls_evidence = sp_evidence_tls(&d->facts.tls_facts);
	sp_buf_init(&text, EVIDENCE_MAX);
	if (sp_json_write(d->facts.tls_evidence, &text) == 0) {
		d->facts.tls_text = sp_arena_str(&d->arena, sp_buf_str(&text));
	} else {
		sp_json_free(&d->facts.tls_evidence);
	}
	sp_buf_fini(&text);
}

void sp_dial_adopt(struct sp_dial *d, sp_dial_fn *fn, void *arg)
{
	d->fn = fn;
	d->arg = arg;
	if (d->facts.handshake_tried && !d->facts.tls_text.len) {
		keep_evidence(d);
	}
}

void sp_dial_send(struct sp_dial *d,
                  const struct sp_smtp_transaction *transaction)
{
	int r;

	SP_ASSERT(d->state == SP__DIAL_READY);
	d->state = SP__DIAL_SENDING;
	d->transaction = transaction;
	d->result = NULL;
	d->body_wanted = false;
	d->body_told = false;
	lap(d);
	r = sp_smtp_client_send(d->client, transaction);
	if (r) { /* an envelope that can't be said, or an end while idle */
		sp__dial_fail(d,
		              r == SP_ESYNTAX ? SP_CAUSE_INTERNAL_ERROR
		                              : SP_CAUSE_CONNECTION_CLOSED,
		              sp_strerror(r));
	}
	sp_deferred_call(d->turn);
}

void sp_dial_body(struct sp_dial *d, struct sp_str bytes, bool last)
{
	d->body = bytes;
	d->body_last = last;
	sp_deferred_call(d->turn);
}

const struct sp_smtp_result *sp_dial_result(const struct sp_dial *d)
{
	return d->result;
}

const struct sp_verdict *sp_dial_verdict(const struct sp_dial *d)
{
	return &d->verdict;
}

const struct sp_dial_facts *sp_dial_facts(const struct sp_dial *d)
{
	return &d->facts;
}

struct sp_str sp_dial_key(const struct sp_dial *d)
{
	return d->key;
}

bool sp_dial_reusable(const struct sp_dial *d)
{
	return d->state == SP__DIAL_READY && d->lost == SP_CAUSE_NONE &&
	       !d->facts.judgement.waived &&
	       sp_smtp_client_stage(d->client) == SP_SMTP_STAGE_IDLE;
}

bool sp_dial_awaits_end(const struct sp_dial *d)
{
	return d->state == SP__DIAL_SENDING && d->client &&
	       sp_smtp_client_stage(d->client) == SP_SMTP_STAGE_DATA_DONE;
}

struct sp_json *sp_dial_live(const struct sp_dial *d)
{
	static const char *const STATES[] = {
		[SP__DIAL_CONNECT] = "connect",
		[SP__DIAL_SESSION] = "session",
		[SP__DIAL_HANDSHAKE] = "handshake",
		[SP__DIAL_READY] = "ready",
		[SP__DIAL_SENDING] = "sending",
		[SP__DIAL_ENDED] = "ended",
	};
	struct sp_json *live = sp_json_object();

	sp_json_set_str(live, "host", d->host_name);
	sp_json_set_str(live, "domain", d->conf.domain);
	sp_json_set_cstr(live, "state", STATES[d->state]);
	sp_dial_live_facts(live, &d->facts, d->client);
	return live;
}
