/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing is asked here: the addresses were looked at, and to look again
 * would only burden them. What was seen is put into the form in which an
 * attempt keeps it, and told in the words of the queue's reports.
 */
#include "analyze/check_retry.h"
#include "analyze/retry_text.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/evidence.h"
#include "wire/dsn.h"

struct sp_check_retry {
	const struct sp_check_ask *ask;
	struct sp_step *parent;
	sp_check_fn *fn;
	void *arg;
	struct sp_step *step;
	const struct sp_step *attempt; /* below it: what all that follows is
	                                * about */
	struct sp_deferred *word;      /* owned */
	struct sp_arena arena;
	struct sp_notices notices;
	struct sp_json *detail; /* owned */
	struct sp_retry retry;
	int64_t now_ms;
};

/* ---- growing ---- */

static void grow_attempt(struct sp_check_retry *c)
{
	const struct sp_verdict *v = &c->ask->saw->verdict;
	const struct sp_json *try = sp_notice_find_try(
		c->detail, sp_str_from(sp_cause_get(v->cause)->name));
	struct sp_step *step =
		sp_step_begin(c->step, "retry.attempt", "First attempt, now");
	struct sp_json *e = sp_step_evidence(step);

	sp_json_set_text(e, "host", sp_json_get_str(try, "host"));
	sp_json_set_text(e, "address", sp_json_get_str(try, "address"));
	sp_json_set_text(e, "security", sp_json_get_str(try, "security"));
	sp_step_cause(step, v);
	sp_step_finish(step);
	c->attempt = step;
}

static void grow_schedule(struct sp_check_retry *c)
{
	char expire[SP_TIME_TEXT];
	struct sp_step *step;
	struct sp_buf lines;

	sp_duration_format(c->retry.expire_ms, expire);
	step = sp_step_begin(c->step, "retry.schedule",
	                     "%u attempts within %s, then the message fails",
	                     sp_retry_planned(&c->retry), expire);
	sp_buf_init(&lines, SP_DSN_TEXT_MAX);
	sp_retry_lines(&c->retry, c->now_ms, &lines);
	sp_json_set_str(sp_step_evidence(step), "attempts", sp_buf_str(&lines));
	sp_json_set_time(sp_step_evidence(step), "expires",
	                 sp_retry_expires_ms(&c->retry, c->now_ms));
	sp_buf_fini(&lines);
	sp_step_cause_from(step, c->attempt);
	sp_step_end(step, SP_STEP_FAIL);
}

static void grow_notice(struct sp_check_retry *c)
{
	int64_t notice_ms = c->ask->conf->delay_notice_ms;
	char after[SP_TIME_TEXT];
	struct sp_step *step;

	if (notice_ms <= 0 || notice_ms >= c->retry.expire_ms) {
		return;
	}
	sp_duration_format(notice_ms, after);
	step = sp_step_begin(c->step, "retry.notice",
	                     "After %s the sender is told of the delay", after);
	sp_json_set_time(sp_step_evidence(step), "at", c->now_ms + notice_ms);
	sp_step_cause_from(step, c->attempt);
	sp_step_end(step, SP_STEP_WARN);
}

static struct sp_str sender_of(struct sp_check_retry *c)
{
	return c->ask->sender.len
	               ? c->ask->sender
	               : sp_str_from(sp_arena_printf(&c->arena, "you@%s",
	                                             c->ask->conf->hostname));
}

static struct sp_str recipient_of(struct sp_check_retry *c)
{
	return c->ask->recipient.len
	               ? c->ask->recipient
	               : sp_str_from(sp_arena_printf(
				 &c->arena, "postmaster@" SP_STR_FMT,
				 SP_STR_ARG(c->ask->target)));
}

static void grow_report(struct sp_check_retry *c)
{
	const struct sp_verdict *v = &c->ask->saw->verdict;
	struct sp_step *step = sp_step_begin(c->step, "retry.report",
	                                     "What the sender is told then");
	const struct sp_retry_report report = {
		.conf = c->ask->conf,
		.notices = &c->notices,
		.sender = sender_of(c),
		.recipient = recipient_of(c),
		.domain = c->ask->target,
		.verdict = v,
		.host = v->host,
		.address = v->address,
		.detail = c->detail,
		.now_ms = c->now_ms,
	};
	struct sp_str subject = {0};
	struct sp_buf text;

	sp_buf_init(&text, SP_DSN_TEXT_MAX);
	sp_retry_report(&report, &c->retry, &subject, &text);
	sp_json_set_str(sp_step_evidence(step), "subject", subject);
	sp_json_set_str(sp_step_evidence(step), "text", sp_buf_str(&text));
	sp_buf_fini(&text);
	sp_step_cause_from(step, c->attempt);
	sp_step_end(step, SP_STEP_FAIL);
}

/* ---- its life ---- */

/* The operator's own templates; where one can't be read the server keeps to
 * what it had, and so does this. */
static void load_notices(struct sp_check_retry *c)
{
	char why[512];

	(void)sp_notices_load(c->ask->conf->notice.directory, &c->notices, why,
	                      sizeof(why));
}

static void grow(struct sp_check_retry *c)
{
	enum sp_verdict_class class = c->ask->saw->verdict.class;

	load_notices(c);
	c->now_ms = sp_time_wall_ms();
	c->retry = sp_route_retry(c->ask->conf, c->ask->target);
	c->detail = sp_json_object();
	sp_json_set(c->detail, "plan", sp_evidence_plan(c->ask->plan));
	sp_json_set(c->detail, "tries", sp_json_copy(c->ask->saw->tries));
	c->step = sp_step_begin(c->parent, "retry",
	                        "What a sender would do with a message now");
	grow_attempt(c);
	if (class == SP_VERDICT_TEMP) {
		grow_schedule(c);
		grow_notice(c);
	}
	if (class != SP_VERDICT_DELIVERED) {
		grow_report(c);
	}
	sp_step_finish(c->step);
}

/* Of a mail server alone no message tells: it has a domain. */
static bool is_wanted(const struct sp_check_ask *ask,
                      const struct sp_step *parent)
{
	return ask->saw->known && !ask->is_host &&
	       ((ask->tests & SP_CHECK_SIDE) ||
	        sp_step_verdict(parent) > SP_STEP_PASS);
}

static void go(void *arg)
{
	struct sp_check_retry *c = arg;

	if (is_wanted(c->ask, c->parent)) {
		grow(c);
	}
	c->fn(c->arg);
}

struct sp_check_retry *sp_check_retry_new(const struct sp_check_ask *ask,
                                          struct sp_step *parent,
                                          sp_check_fn *fn, void *arg)
{
	struct sp_check_retry *c = SP_NEW(struct sp_check_retry);

	c->ask = ask;
	c->parent = parent;
	c->fn = fn;
	c->arg = arg;
	sp_arena_init(&c->arena);
	c->word = sp_deferred_new(ask->loop, go, c);
	sp_deferred_call(c->word);
	return c;
}

void sp_check_retry_free(struct sp_check_retry **part)
{
	struct sp_check_retry *c = *part;

	if (!c) {
		return;
	}
	sp_deferred_free(&c->word);
	sp_notices_fini(&c->notices);
	sp_json_free(&c->detail);
	sp_arena_fini(&c->arena);
	SP_FREE(part);
}
