/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   port 25: session, RCPT, RCPT of a stranger ──▶ port 587: EHLO ──▶ done
 *                          └── the address does not answer ──────────▲
 *
 * One connection to each port. The steps are made from what the session has
 * shown when it is over; the one that it broke at has the cause.
 */
#include "analyze/probe.h"
#include "analyze/smtp_address.h"
#include "base/mem.h"
#include "deliver/evidence.h"
#include "net/socket.h"

#define SUBMISSION_PORT    587
#define SUBMISSION_WAIT_MS 5000 /* it is for information only */

enum place { /* in the order of a session */
	AT_CONNECT,
	AT_GREETING,
	AT_EHLO,
	AT_STARTTLS,
	AT_MAIL,
	AT_RCPT,
	PAST,
};

struct sp_smtp_address {
	struct sp_smtp_address_ask ask;
	struct sp_arena arena;
	struct sp_step *step;
	struct sp_probe_envelope envelopes[2];
	struct sp_probe *probe;      /* owned */
	struct sp_probe *submission; /* owned */
	struct sp_plan_host plain;   /* for port 587: no rule */
	struct sp_conf quick;        /* the configuration, with less patience */
	enum place broke;            /* where the verdict arose */
	struct sp_verdict verdict;
	struct sp_step *late; /* waits for the verdict; or null */
	sp_smtp_address_fn *fn;
	void *arg;
};

static bool failed(const struct sp_verdict *v)
{
	return v->class != SP_VERDICT_DELIVERED;
}

static bool is_refusal(const struct sp_reply *reply)
{
	return reply->code >= 400;
}

/* ---- what became of the recipient ---- */

static enum place broke_in_session(const struct sp_dial_facts *facts,
                                   const struct sp_verdict *v)
{
	bool replied = v->cause == SP_CAUSE_REMOTE_REPLY;

	if (facts->connect_ms < 0) {
		return AT_CONNECT;
	}
	if (facts->greeting.len == 0 || (replied && facts->hello.len == 0)) {
		return AT_GREETING;
	}
	/* EHLO inside TLS has its reply, too. */
	return replied || facts->hello.len == 0 ? AT_EHLO : AT_STARTTLS;
}

/* No reply, and the session is over. */
static struct sp_verdict broken_off(struct sp_smtp_address *a,
                                    const struct sp_probe_result *r)
{
	return r->broke.class != SP_VERDICT_DELIVERED
	               ? r->broke
	               : sp_verdict_from_cause(SP_CAUSE_CONNECTION_CLOSED,
	                                       a->ask.check->target, SP_STR(""),
	                                       &a->arena);
}

static void judge_recipient(struct sp_smtp_address *a,
                            const struct sp_probe_result *r)
{
	const struct sp_probe_said *said = &r->said[0];
	const struct sp_reply *reply =
		is_refusal(&said->mail) ? &said->mail : &said->rcpt;

	if (said->accepted) {
		a->broke = PAST;
		return;
	}
	a->broke = is_refusal(&said->mail) ? AT_MAIL : AT_RCPT;
	if (is_refusal(reply)) {
		a->verdict = sp_verdict_from_reply(reply, true, &a->arena);
	} else if (said->need == SP_SMTP_NEED_SMTPUTF8) {
		a->verdict = sp_verdict_from_cause(
			SP_CAUSE_SMTPUTF8_NOT_SUPPORTED, a->ask.check->target,
			SP_STR(""), &a->arena);
	} else {
		a->verdict = broken_off(a, r);
	}
	a->verdict.host = a->ask.host->name;
	a->verdict.address = sp_str_from(r->facts->address);
}

static void judge(struct sp_smtp_address *a, const struct sp_probe_result *r)
{
	if (r->ready && r->said_count > 0) {
		judge_recipient(a, r);
	} else if (r->ready) { /* gone before it could be asked */
		a->broke = AT_MAIL;
		a->verdict = broken_off(a, r);
	} else {
		a->verdict = r->verdict;
		a->broke = broke_in_session(r->facts, &r->verdict);
	}
}

/* ---- the steps of a session ---- */

/* Where it broke the step waits, behind that there is none. */
static struct sp_step *begin(struct sp_smtp_address *a, enum place place,
                             const char *id, const char *title)
{
	return place > a->broke ? NULL
	                        : sp_step_begin(a->step, id, "%s", title);
}

static void end(struct sp_smtp_address *a, enum place place,
                struct sp_step *step)
{
	if (place == a->broke && failed(&a->verdict)) {
		a->late = step;
	} else {
		sp_step_finish(step);
	}
}

static void grow_connect(struct sp_smtp_address *a,
                         const struct sp_dial_facts *facts)
{
	struct sp_step *step =
		begin(a, AT_CONNECT, "smtp.address.connect", "TCP connection");

	if (facts->connect_ms >= 0) {
		sp_json_set_int(sp_step_evidence(step), "connect_ms",
		                facts->connect_ms);
	}
	end(a, AT_CONNECT, step);
}

static void grow_greeting(struct sp_smtp_address *a,
                          const struct sp_dial_facts *facts)
{
	struct sp_step *step =
		begin(a, AT_GREETING, "smtp.address.greeting", "Greeting");

	if (step) {
		sp_json_set_text(sp_step_evidence(step), "greeting",
		                 facts->greeting);
		end(a, AT_GREETING, step);
	}
}

/* The reply to EHLO but for its first line. */
static struct sp_json *extensions(struct sp_str hello)
{
	struct sp_json *list = sp_json_array();
	struct sp_str line;

	(void)sp_str_cut(&hello, '\n', &line);
	while (sp_str_cut(&hello, '\n', &line)) {
		sp_json_add_str(list, line);
	}
	return list;
}

static void grow_ehlo(struct sp_smtp_address *a,
                      const struct sp_dial_facts *facts)
{
	struct sp_step *step =
		begin(a, AT_EHLO, "smtp.address.ehlo", "EHLO and extensions");
	struct sp_json *e;

	if (!step) {
		return;
	}
	e = sp_step_evidence(step);
	sp_json_set_text(e, "name", facts->peer_name);
	sp_json_set(e, "extensions", extensions(facts->hello));
	end(a, AT_EHLO, step);
}

/* With what is to be mended: where. */
static void advise(struct sp_smtp_address *a, struct sp_step *step,
                   enum sp_advice_id advice, struct sp_str subject)
{
	struct sp_json *e = sp_step_evidence(step);

	sp_json_set_str(e, "host", a->ask.host->name);
	sp_json_set_cstr(e, "address",
	                 sp_probe_result(a->probe)->facts->address);
	sp_step_advice(step, advice, subject);
}

static void grow_starttls(struct sp_smtp_address *a,
                          const struct sp_dial_facts *facts)
{
	struct sp_step *step =
		begin(a, AT_STARTTLS, "smtp.address.starttls", "STARTTLS");
	struct sp_json *e;

	if (!step) {
		return;
	}
	e = sp_step_evidence(step);
	sp_json_set_bool(e, "offered", facts->starttls_offered);
	sp_json_set_cstr(e, "rule", sp_rule_text(a->ask.host->rule));
	if (facts->handshake_tried) {
		sp_json_set(e, "tls", sp_evidence_tls(&facts->tls_facts));
	}
	if (a->broke > AT_STARTTLS && !facts->tls) {
		advise(a, step,
		       facts->starttls_offered ? SP_ADVICE_STARTTLS_BROKEN
		                               : SP_ADVICE_STARTTLS_ABSENT,
		       a->ask.host->name);
	}
	end(a, AT_STARTTLS, step);
}

static void put_reply(struct sp_smtp_address *a, struct sp_step *step,
                      const struct sp_reply *reply)
{
	if (reply->code) {
		sp_json_set_cstr(sp_step_evidence(step), "reply",
		                 sp_arena_printf(&a->arena, "%u " SP_STR_FMT,
		                                 reply->code,
		                                 SP_STR_ARG(reply->text)));
	}
}

static void grow_envelope(struct sp_smtp_address *a,
                          const struct sp_probe_said *said)
{
	const struct sp_probe_envelope *env = &a->envelopes[0];
	struct sp_step *step = begin(a, AT_MAIL, "smtp.address.mail",
	                             "MAIL FROM the probe's sender");

	if (!step) {
		return;
	}
	sp_json_set_str(sp_step_evidence(step), "sender",
	                env->sender.len ? env->sender : SP_STR("<>"));
	if (said) {
		put_reply(a, step, &said->mail);
	}
	end(a, AT_MAIL, step);
	if (!said) {
		return;
	}
	step = begin(a, AT_RCPT, "smtp.address.rcpt",
	             "RCPT TO the probe's recipient, without DATA");
	if (!step) {
		return;
	}
	sp_json_set_str(sp_step_evidence(step), "recipient", env->recipient);
	put_reply(a, step, &said->rcpt);
	end(a, AT_RCPT, step);
}

/* In a transaction of its own. What refuses it may do so for any reason. */
static void grow_relay(struct sp_smtp_address *a,
                       const struct sp_probe_said *said)
{
	struct sp_step *step =
		sp_step_begin(a->step, "smtp.address.relay",
	                      "Relaying for strangers, without DATA");
	struct sp_json *e = sp_step_evidence(step);

	sp_json_set_str(e, "recipient", a->ask.stranger);
	put_reply(a, step, said->rcpt.code ? &said->rcpt : &said->mail);
	if (said->accepted) {
		advise(a, step, SP_ADVICE_OPEN_RELAY, a->ask.stranger);
		sp_step_finish(step);
	} else if (said->rcpt.code || said->mail.code) {
		sp_step_finish(step);
	} else {
		sp_json_set_cstr(e, "note", "the session had ended");
		sp_step_end(step, SP_STEP_SKIP);
	}
}

static void grow_session(struct sp_smtp_address *a,
                         const struct sp_probe_result *r)
{
	grow_connect(a, r->facts);
	grow_greeting(a, r->facts);
	grow_ehlo(a, r->facts);
	grow_starttls(a, r->facts);
	grow_envelope(a, r->said_count > 0 ? &r->said[0] : NULL);
	if (r->said_count > 1) {
		grow_relay(a, &r->said[1]);
	}
}

/* ---- port 587 ---- */

static void on_submission(void *arg)
{
	struct sp_smtp_address *a = arg;
	const struct sp_dial_facts *facts =
		sp_probe_result(a->submission)->facts;
	struct sp_step *step = sp_step_begin(a->step, "smtp.address.submission",
	                                     "Submission (port 587)");
	struct sp_json *e = sp_step_evidence(step);

	if (facts->greeting.len) {
		sp_json_set_str(e, "greeting", facts->greeting);
		sp_json_set_bool(e, "starttls", facts->starttls_offered);
		sp_json_set(e, "extensions", extensions(facts->hello));
		sp_step_finish(step);
	} else {
		sp_json_set_cstr(e, "note",
		                 facts->connect_ms < 0
		                         ? "nothing answers, as it may be"
		                         : "no greeting");
		sp_step_end(step, SP_STEP_SKIP);
	}
	a->fn(a->arg);
}

static void ask_submission(struct sp_smtp_address *a)
{
	const struct sp_check_ask *check = a->ask.check;
	struct sp_probe_ask ask = {
		.loop = check->loop,
		.conf = &a->quick,
		.domain = check->target,
		.port = SUBMISSION_PORT,
		.host = &a->plain,
		.address = a->ask.address,
	};

	a->plain = (struct sp_plan_host){
		.name = a->ask.host->name,
		.rule = SP_RULE_OPPORTUNISTIC,
		.sni = a->ask.host->literal ? (struct sp_str){0}
	                                    : a->ask.host->name,
	};
	a->quick = *check->conf;
	if (a->quick.smtp.connect_timeout_ms > SUBMISSION_WAIT_MS) {
		a->quick.smtp.connect_timeout_ms = SUBMISSION_WAIT_MS;
	}
	a->submission = sp_probe_new(&ask, on_submission, a);
}

/* ---- its life ---- */

static void on_probe(void *arg)
{
	struct sp_smtp_address *a = arg;
	const struct sp_probe_result *r = sp_probe_result(a->probe);

	judge(a, r);
	grow_session(a, r);
	if (a->verdict.cause == SP_CAUSE_CONNECTION_TIMEOUT ||
	    r->facts->failed_here ||
	    a->ask.check->route->plan.port == SUBMISSION_PORT) {
		a->fn(a->arg);
	} else {
		ask_submission(a);
	}
}

static void begin_step(struct sp_smtp_address *a)
{
	struct sp_addr addr = {.family = a->ask.address->family};
	char text[SP_ADDR_TEXT];

	for (size_t i = 0; i < sizeof(addr.bytes); i++) {
		addr.bytes[i] = a->ask.address->bytes[i];
	}
	sp_addr_text(&addr, text);
	a->step = sp_step_begin(a->ask.parent, "smtp.address",
	                        SP_STR_FMT " [%s]:%u",
	                        SP_STR_ARG(a->ask.host->name), text,
	                        a->ask.check->route->plan.port);
}

struct sp_smtp_address *
sp_smtp_address_new(const struct sp_smtp_address_ask *ask,
                    sp_smtp_address_fn *fn, void *arg)
{
	struct sp_smtp_address *a = SP_NEW(struct sp_smtp_address);
	const struct sp_check_ask *check = ask->check;
	const struct sp_probe_ask probe = {
		.loop = check->loop,
		.conf = check->conf,
		.domain = check->target,
		.port = check->route->plan.port,
		.host = ask->host,
		.address = ask->address,
		.envelopes = a->envelopes,
		.envelope_count = 2,
	};

	a->ask = *ask;
	a->fn = fn;
	a->arg = arg;
	sp_arena_init(&a->arena);
	a->envelopes[0].sender = a->envelopes[1].sender = check->sender;
	a->envelopes[0].recipient = ask->recipient;
	a->envelopes[1].recipient = ask->stranger;
	begin_step(a);
	a->probe = sp_probe_new(&probe, on_probe, a);
	return a;
}

void sp_smtp_address_free(struct sp_smtp_address **address)
{
	struct sp_smtp_address *a = *address;

	if (!a) {
		return;
	}
	sp_probe_free(&a->probe);
	sp_probe_free(&a->submission);
	sp_arena_fini(&a->arena);
	SP_FREE(address);
}

const struct sp_verdict *
sp_smtp_address_verdict(const struct sp_smtp_address *address)
{
	return &address->verdict;
}

bool sp_smtp_address_ready(const struct sp_smtp_address *address)
{
	return sp_probe_result(address->probe)->ready;
}

void sp_smtp_address_end(struct sp_smtp_address *a, enum sp_step_verdict level)
{
	bool here = sp_probe_result(a->probe)->facts->failed_here;

	if (a->late && here && level == SP_STEP_WARN) {
		sp_json_set_cstr(sp_step_evidence(a->late), "note",
		                 "no way to this address from here");
		sp_step_end(a->late, SP_STEP_SKIP);
	} else if (a->late) {
		sp_step_cause(a->late, &a->verdict);
		sp_step_end(a->late, level);
	}
	sp_step_finish(a->step);
}
