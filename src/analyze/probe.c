/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   DIAL ──READY──▶ ASK envelope 0, 1, ... ──▶ PART ──GONE──▶ DONE
 *     │                                         ▲  │ no QUIT    ▲
 *     └───────────────FAILED────────────────────┘  └────────────┘
 *
 * The verdict is taken at the first READY or FAILED and stands: what follows
 * is for looking, and no message would have been in its place.
 */
#include "analyze/probe.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/route.h"

struct sp_probe {
	struct sp_probe_ask ask;
	struct sp_arena arena;
	struct sp_list lingering; /* none ever does: the dial is kept */
	struct sp_dial *dial;     /* owned, to the end */
	struct sp_envelope_rcpt rcpt;
	struct sp_smtp_transaction transaction;
	struct sp_probe_said said[SP_PROBE_ENVELOPES_MAX];
	struct sp_probe_result result;
	bool decided;
	sp_probe_fn *fn;
	void *arg;
};

static struct sp_judge_conf judge_conf(const struct sp_probe *p)
{
	struct sp_judge_conf judge = sp_route_judge(p->ask.conf);

	judge.filter = (struct sp_filter){0};
	return judge;
}

struct sp_verdict sp_probe_judge(enum sp_profile profile,
                                 const struct sp_plan_host *host,
                                 const struct sp_tls_facts *facts,
                                 struct sp_arena *arena)
{
	const struct sp_judge_conf judge = {
		.profile = profile,
		.now_ms = sp_time_wall_ms(),
	};
	struct sp_tls_facts tls = *facts;
	struct sp_judge_result r;

	tls.other_key_asked = true;
	r = sp_judge(&judge, host, SP_SESSION_HANDSHAKE_DONE, &tls, arena);
	return r.judgement == SP_JUDGE_FAIL ? r.verdict
	                                    : (struct sp_verdict){0};
}

/* The judge is asked once more, about the same handshake. Where a session
 * failed for another reason, it fails under every profile. */
static struct sp_verdict by_profile(struct sp_probe *p, enum sp_profile profile)
{
	const struct sp_dial_facts *facts = p->result.facts;
	bool judged = facts->handshake_tried && facts->tls_facts.handshake_ok;
	struct sp_verdict v;

	if (!judged || judge_conf(p).profile == profile ||
	    (!p->result.ready && facts->judgement.judgement != SP_JUDGE_FAIL)) {
		return p->result.verdict;
	}
	v = sp_probe_judge(profile, p->ask.host, &facts->tls_facts, &p->arena);
	v.address = sp_str_from(facts->address);
	return v;
}

static void decide(struct sp_probe *p, bool ready)
{
	if (p->decided) {
		return;
	}
	p->decided = true;
	p->result.ready = ready;
	if (!ready) {
		p->result.verdict =
			sp_verdict_keep(&p->arena, sp_dial_verdict(p->dial));
	}
	p->result.rfc = by_profile(p, SP_PROFILE_RFC);
	p->result.exchange = by_profile(p, SP_PROFILE_EXCHANGE);
}

static struct sp_reply keep(struct sp_probe *p, struct sp_reply reply)
{
	reply.text = sp_arena_str(&p->arena, reply.text);
	return reply;
}

static void note_said(struct sp_probe *p, const struct sp_smtp_result *result)
{
	struct sp_probe_said *said = &p->said[p->result.said_count++];
	const struct sp_smtp_rcpt_result *rcpt = &result->rcpts[0];

	said->mail = keep(p, result->mail);
	if (rcpt->stage == SP_SMTP_STAGE_RCPT) {
		said->rcpt = keep(p, rcpt->reply);
	}
	said->accepted = rcpt->accepted;
	said->need =
		result->need != SP_SMTP_NEED_NONE ? result->need : rcpt->need;
}

static void part(struct sp_probe *p)
{
	if (!sp_dial_part(p->dial)) {
		p->fn(p->arg);
	}
}

static void ask_next(struct sp_probe *p)
{
	const struct sp_probe_envelope *e;

	if (p->result.said_count == p->ask.envelope_count) {
		part(p);
		return;
	}
	e = &p->ask.envelopes[p->result.said_count];
	p->rcpt = (struct sp_envelope_rcpt){.address = e->recipient};
	p->transaction = (struct sp_smtp_transaction){
		.sender = e->sender,
		.rcpts = &p->rcpt,
		.rcpt_count = 1,
		.probe = true,
	};
	sp_dial_send(p->dial, &p->transaction);
}

/* Behind READY, where nobody but the dial knows why. */
static void note_broken(struct sp_probe *p)
{
	const struct sp_verdict *v = sp_dial_verdict(p->dial);

	if (v->class != SP_VERDICT_DELIVERED &&
	    p->result.broke.class == SP_VERDICT_DELIVERED) {
		p->result.broke = sp_verdict_keep(&p->arena, v);
	}
}

/* A session that is over: the envelopes that are left find no ear. */
static void on_sent(struct sp_probe *p)
{
	note_said(p, sp_dial_result(p->dial));
	note_broken(p);
	if (sp_dial_reusable(p->dial)) {
		ask_next(p);
	} else {
		part(p);
	}
}

static void on_dial(void *arg, enum sp_dial_event event)
{
	struct sp_probe *p = arg;

	switch (event) {
	case SP_DIAL_READY:
		decide(p, true);
		ask_next(p);
		break;
	case SP_DIAL_SENT:
		on_sent(p);
		break;
	case SP_DIAL_FAILED:
		if (p->decided) {
			note_broken(p);
		}
		decide(p, false);
		part(p);
		break;
	case SP_DIAL_GONE:
		p->fn(p->arg);
		break;
	case SP_DIAL_WANT_BODY:
	case SP_DIAL_TAKEN:
		break; /* a probe has none */
	}
}

struct sp_probe *sp_probe_new(const struct sp_probe_ask *ask, sp_probe_fn *fn,
                              void *arg)
{
	struct sp_probe *p = SP_NEW(struct sp_probe);
	struct sp_dial_conf conf;

	p->ask = *ask;
	p->fn = fn;
	p->arg = arg;
	sp_arena_init(&p->arena);
	sp_list_init(&p->lingering);
	conf = (struct sp_dial_conf){
		.loop = ask->loop,
		.conf = ask->conf,
		.domain = ask->domain,
		.port = ask->port,
		.judge = judge_conf(p),
		.lingering = &p->lingering,
		.inspect = true,
		.only = ask->only,
	};
	p->dial = sp_dial_new(&conf, ask->host, ask->address, on_dial, p);
	p->result.facts = sp_dial_facts(p->dial);
	p->result.said = p->said;
	return p;
}

void sp_probe_free(struct sp_probe **probe)
{
	if (!*probe) {
		return;
	}
	sp_dial_free(&(*probe)->dial);
	sp_arena_fini(&(*probe)->arena);
	SP_FREE(probe);
}

const struct sp_probe_result *sp_probe_result(const struct sp_probe *probe)
{
	return &probe->result;
}
