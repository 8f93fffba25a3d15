/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a connection (diagram in dial.c) that acts on what the judge
 * says: proceed, once more in clear text, once more for the other key, or
 * fail; and every way in which a session ends. Nothing is decided here.
 */
#include <string.h>

#include "base/assert.h"
#include "base/time.h"
#include "deliver/dial_private.h"

static void first_key_decides(struct sp_dial *d, struct sp_str why);
static void connect_anew(struct sp_dial *d);

void sp__dial_tell(struct sp_dial *d, enum sp_dial_event event)
{
	SP_ASSERT(d->event_count < SP__DIAL_EVENTS_MAX);
	d->events[d->event_count++] = event;
	sp_deferred_call(d->turn);
}

bool sp__dial_next_event(struct sp_dial *d, enum sp_dial_event *event_out)
{
	if (!d->event_count) {
		return false;
	}
	*event_out = d->events[0];
	d->event_count--;
	memmove(d->events, d->events + 1,
	        d->event_count * sizeof(d->events[0]));
	return true;
}

/* READY, where the owner has not heard it yet. */
static bool take_back_ready(struct sp_dial *d)
{
	bool found = d->event_count && d->events[0] == SP_DIAL_READY;
	enum sp_dial_event event;

	return found && sp__dial_next_event(d, &event);
}

/* --- the end of a session --- */

/* A peer can say 454 and 421 in one packet: what is over before the owner
 * heard of it has never been ready. */
void sp__dial_end(struct sp_dial *d)
{
	bool early = take_back_ready(d) || d->state != SP__DIAL_READY;

	if (d->state == SP__DIAL_ENDED) {
		return;
	}
	if (d->anew) {
		connect_anew(d);
		return;
	}
	d->state = SP__DIAL_ENDED;
	if (!d->lingers) {
		sp__dial_tell(d, early ? SP_DIAL_FAILED : SP_DIAL_GONE);
	}
}

static void fail_finally(struct sp_dial *d, struct sp_verdict verdict)
{
	if (!d->quitting) { /* else it stands already */
		verdict.host = d->host_name;
		verdict.address = sp_str_from(d->facts.address);
		d->verdict = verdict;
	}
	sp__dial_end(d);
}

/* The connection that asks for the other key is done for before it was under
 * the rule: the handshake before it decides. */
static bool other_key_failed(const struct sp_dial *d)
{
	return d->other_key != SP_KEY_ANY && !d->facts.tls && !d->quitting;
}

static void fail(struct sp_dial *d, struct sp_verdict verdict)
{
	if (other_key_failed(d)) {
		first_key_decides(d, verdict.evidence);
	} else {
		fail_finally(d, verdict);
	}
}

void sp__dial_fail(struct sp_dial *d, enum sp_cause_id cause,
                   const char *reason)
{
	struct sp_verdict v = sp_verdict_from_cause(
		cause, d->conf.domain, sp_str_from(reason), &d->arena);

	if (!v.evidence.len && reason) {
		v.evidence = sp_arena_str(&d->arena, sp_str_from(reason));
	}
	fail(d, v);
}

/* A reply that refuses the session as a whole: another host may take the
 * message, so it never is a permanent failure. */
void sp__dial_fail_reply(struct sp_dial *d, const struct sp_reply *reply)
{
	struct sp_verdict v = sp_verdict_from_reply(reply, false, &d->arena);

	v.class = SP_VERDICT_TEMP;
	fail(d, v);
}

/* --- the rule --- */

bool sp__dial_clear_allowed(const struct sp_dial *d)
{
	return sp_filter_clear_allowed(&d->conf.judge.filter, d->host);
}

static void connect_anew(struct sp_dial *d)
{
	d->facts.tls = false;
	d->quitting = d->anew = false;
	d->lost = SP_CAUSE_NONE;
	sp_stream_free(&d->stream);
	sp_smtp_client_free(&d->client);
	d->state = SP__DIAL_CONNECT;
	sp__dial_connect(d);
}

void sp__dial_clear_retry(struct sp_dial *d)
{
	SP_ASSERT(!d->clear_only);
	SP_ASSERT(sp__dial_clear_allowed(d));
	d->clear_only = true;
	d->facts.clear_retry = true;
	connect_anew(d);
}

void sp__dial_ask_other_key(struct sp_dial *d)
{
	SP_ASSERT(!d->facts.other_key);
	d->facts.other_key = true;
	d->facts.other_tls = d->facts.tls_facts;
	d->facts.other_chain = d->facts.chain;
	d->facts.chain = (struct sp_tls_chain){0};
	d->other_key = d->facts.judgement.other_key;
	d->anew = d->conf.inspect && sp__dial_say_quit(d);
	if (!d->anew) {
		connect_anew(d);
	}
}

bool sp__dial_say_quit(struct sp_dial *d)
{
	int r;

	if (!d->stream || !d->client || d->lost != SP_CAUSE_NONE) {
		return false;
	}
	r = d->tls_up && !d->facts.tls ? sp_smtp_client_tls_quit(d->client)
	                               : sp_smtp_client_quit(d->client);
	if (r) {
		return false;
	}
	d->state = SP__DIAL_READY;
	d->quitting = true;
	sp_deferred_call(d->turn);
	return true;
}

/* The verdict is that of the first handshake, and why the second one did not
 * change it. */
static void first_key_decides(struct sp_dial *d, struct sp_str why)
{
	struct sp_judge_result *j = &d->facts.judgement;
	struct sp_tls_facts second = d->facts.tls_facts;
	struct sp_tls_chain second_chain = d->facts.chain;

	d->facts.tls_facts = d->facts.other_tls;
	d->facts.other_tls = second;
	d->facts.chain = d->facts.other_chain;
	d->facts.other_chain = second_chain;
	d->facts.tls_facts.other_key_asked = true;
	*j = sp_judge(&d->conf.judge, d->host, SP_SESSION_HANDSHAKE_DONE,
	              &d->facts.tls_facts, &d->arena);
	if (j->judgement == SP_JUDGE_FAIL) {
		j->verdict.evidence = sp_str_from(sp_arena_printf(
			&d->arena,
			SP_STR_FMT "; asked for its %s key: " SP_STR_FMT,
			SP_STR_ARG(j->verdict.evidence),
			sp_key_kind_text(d->other_key), SP_STR_ARG(why)));
		fail_finally(d, j->verdict);
	} else { /* log-only */
		j->verdict.host = d->host_name;
		d->other_key = SP_KEY_ANY;
		connect_anew(d);
	}
}

enum sp_judgement sp__dial_judge(struct sp_dial *d, enum sp_session_event event,
                                 const struct sp_tls_facts *facts)
{
	struct sp_judge_result *j = &d->facts.judgement;

	d->conf.judge.now_ms = sp_time_wall_ms();
	*j = sp_judge(&d->conf.judge, d->host, event, facts, &d->arena);
	if (j->judgement == SP_JUDGE_CLEAR_RETRY &&
	    d->conf.only != SP_KEY_ALGORITHM_ANY) {
		j->judgement = SP_JUDGE_FAIL;
		j->verdict = sp_verdict_from_cause(
			SP_CAUSE_HANDSHAKE_FAILED, d->conf.domain,
			(struct sp_str){0}, &d->arena);
	}
	j->verdict.host = d->host_name; /* the plan may be gone before us */
	j->sts.host = d->host_name;
	if (!j->verdict.evidence.len && facts) {
		j->verdict.evidence = facts->error;
	}
	if (other_key_failed(d) && (j->judgement != SP_JUDGE_PROCEED ||
	                            event != SP_SESSION_HANDSHAKE_DONE)) {
		first_key_decides(d, j->verdict.evidence);
		return SP_JUDGE_FAIL; /* nothing is left to do here */
	}
	if (j->judgement == SP_JUDGE_FAIL) {
		fail(d, j->verdict);
	}
	return j->judgement;
}

/* The session can't go on in clear text although the rule would allow it:
 * once more, without STARTTLS. */
void sp__dial_judge_broken(struct sp_dial *d, enum sp_session_event event,
                           const struct sp_tls_facts *facts)
{
	if (sp__dial_judge(d, event, facts) == SP_JUDGE_CLEAR_RETRY) {
		sp__dial_clear_retry(d);
	}
}

void sp__dial_judge_silence(struct sp_dial *d, const char *what)
{
	struct sp_tls_facts facts = {.matched_usage = -1};

	facts.error = sp_arena_str(&d->arena, sp_str_from(what));
	if (d->state == SP__DIAL_HANDSHAKE) {
		d->facts.handshake_tried = true;
		d->facts.tls_facts = facts;
	}
	sp__dial_judge_broken(d,
	                      d->state == SP__DIAL_HANDSHAKE
	                              ? SP_SESSION_HANDSHAKE_DONE
	                              : SP_SESSION_STARTTLS_SILENT,
	                      &facts);
}

/* The connection is lost, in whatever state. */
void sp__dial_lose(struct sp_dial *d, enum sp_cause_id cause, const char *why)
{
	bool starttls = d->client && sp_smtp_client_stage(d->client) ==
	                                     SP_SMTP_STAGE_STARTTLS;

	d->lost = cause;
	if (d->state == SP__DIAL_HANDSHAKE ||
	    (d->state == SP__DIAL_SESSION && starttls)) {
		sp__dial_judge_silence(d, why);
	} else if (d->state == SP__DIAL_SENDING) {
		sp_smtp_client_lost(d->client); /* gives MESSAGE_DONE */
		d->verdict = sp_verdict_from_cause(cause, d->conf.domain,
		                                   sp_str_from(why), &d->arena);
		d->verdict.host = d->host_name;
		d->verdict.address = sp_str_from(d->facts.address);
		sp_deferred_call(d->turn);
	} else {
		sp__dial_fail(d, cause, why);
	}
}

/* --- a wait that ends because others need the place --- */

/* Not as a timeout of the session's own: that could fall back to clear text,
 * where TLS is not demanded, and our lack of patience must not. */
static void give_up(struct sp_dial *d, enum sp_cause_id cause)
{
	d->lost = cause; /* no QUIT */
	sp__dial_fail(d, cause,
	              "no answer in time, while the place was needed");
}

/* The end of data is not out, nor any part of it: no copy can be there. */
static bool before_data(const struct sp_dial *d)
{
	enum sp_smtp_stage stage = sp_smtp_client_stage(d->client);

	return stage == SP_SMTP_STAGE_MAIL || stage == SP_SMTP_STAGE_RCPT ||
	       stage == SP_SMTP_STAGE_DATA_INIT;
}

void sp_dial_hurry(struct sp_dial *d)
{
	switch (d->state) {
	case SP__DIAL_CONNECT:
		give_up(d, SP_CAUSE_CONNECTION_TIMEOUT);
		break;
	case SP__DIAL_SESSION:
	case SP__DIAL_HANDSHAKE:
		give_up(d, SP_CAUSE_SESSION_TIMEOUT);
		break;
	case SP__DIAL_SENDING:
		if (before_data(d)) {
			sp__dial_lose(
				d, SP_CAUSE_SESSION_TIMEOUT,
				"no reply in time, while the place was needed");
		}
		break;
	case SP__DIAL_READY:
	case SP__DIAL_ENDED:
		break; /* its owner will hear of it */
	}
}
