/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions and what becomes of them.
 *
 *	ask -> WAITING -> ASKED ---- good -----------------------> READY -> fn
 *	          |         |  ^                                     ^
 *	          |         |  '- bad, fresh wanted: once more,      |
 *	          |         |     through a fresh context            |
 *	          |         |--- failed ---------------------------->|
 *	          |         '--- bogus ---> EVIDENCE --- explained ->|
 *	          '------- deadline, from any state before READY ----'
 *
 * A question waits only while as many as libunbound should have are in its
 * hands (resolver_slots.h). READY questions are called back from the end of
 * the turn (deferred), so never from inside sp_resolver_ask. The deadline is
 * the same for all, so the list in the order of asking is also the order of
 * deadlines.
 *
 * Why fresh contexts. libunbound keeps a bogus key for a minute and a server
 * that timed out for a quarter of an hour, and neither can be removed from a
 * context in use. A context that was made just now has none of that. One is
 * used for as many questions as come within FRESH_MS, but never twice for a
 * question that went wrong in it. A question that is asked anew has its first
 * answer from such a context too.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <unbound.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/resolver.h"
#include "net/resolver_context.h"
#include "net/resolver_evidence.h"
#include "net/resolver_failures.h"
#include "net/resolver_packet.h"
#include "net/resolver_slots.h"

/* More than all attempts of a busy server ask at once (smtp.max_connections
 * with a handful each): after an outage they are all due together. */
#define WAITING_MAX     65536
#define FRESH_MS        500 /* how long a context counts as fresh */
#define FRESH_QUESTIONS 64
#define CONTEXTS_MAX    24
#define IDLE_MS         10000  /* an unused context is dropped after */
#define EVIDENCE_MS     10000  /* evidence is used again for so long */
#define RECALL_MS       900000 /* no cache of libunbound keeps more */
#define DEADLINE_MS     10000  /* where the configuration names none */

struct self_test {
	struct sp_list node;
	struct sp_resolver *resolver;
	void (*fn)(void *arg, int result, const char *why);
	void *arg;
	bool clock_absurd;
};

enum stage {
	WAITING,
	ASKED,
	EVIDENCE,
	READY,
};

struct question {
	struct sp_list order; /* in resolver->order, by deadline */
	struct sp_list node;  /* in waiting or ready, or alone */
	uint64_t id;
	struct sp_str name; /* owned, canonical */
	enum sp_dns_type type;
	bool fresh;
	bool anew;    /* not from the main context's cache at all */
	bool renewed; /* asked in one more fresh context already */
	sp_resolver_fn *fn;
	void *arg;
	int64_t due_ms;
	enum stage stage;
	struct sp__dns_shot *shot;     /* in libunbound's hands, or null */
	struct sp__slot slot;          /* taken while there is a shot */
	uint64_t serial;               /* of the context asked last */
	enum sp__dns_kind kind;        /* its kind */
	struct sp_dns_answer *answer;  /* owned; before READY a bad one */
	const char *words;             /* scenario by libunbound's words */
	struct sp__evidence *evidence; /* owned; in EVIDENCE */
};

struct sp_resolver {
	struct sp_loop *loop;        /* borrowed */
	struct sp__dns_setup *setup; /* owned */
	struct sp__dns_home home;
	struct sp__dns_limits limits;
	int64_t deadline_ms;
	char *known_bad; /* owned; or null */

	struct sp_list contexts;                        /* all of them */
	struct sp__dns_context *current[SP__DNS_KINDS]; /* of those */
	size_t context_count;

	struct sp_list order;
	struct sp_list waiting;
	struct sp_list ready;
	size_t waiting_count;
	struct sp__slots slots;
	struct sp_map by_id;
	uint64_t last_id;

	struct sp__failures failures;
	struct sp_list tests; /* self_test.node */

	struct sp_timer *deadline;
	struct sp_timer *sweep;
	struct sp_deferred *turn;
};

/* --- contexts --- */

static void drop_context(struct sp_resolver *r, struct sp__dns_context *c)
{
	if (r->current[c->kind] == c) {
		r->current[c->kind] = NULL;
	}
	r->context_count--;
	sp__dns_context_free(&c);
}

/* Contexts that nobody waits for and that are older than asked. */
static void drop_idle(struct sp_resolver *r, int64_t age_ms)
{
	int64_t now_ms = sp_time_mono_ms();

	SP_LIST_FOREACH_SAFE (node, tmp, &r->contexts) {
		struct sp__dns_context *c =
			SP_CONTAINER(node, struct sp__dns_context, node);

		if (c->kind != SP__DNS_MAIN && c->waiting == 0 &&
		    sp_list_empty(&c->done) && now_ms - c->born_ms >= age_ms) {
			drop_context(r, c);
		}
	}
}

static void on_sweep(void *arg)
{
	struct sp_resolver *r = arg;

	drop_idle(r, IDLE_MS);
	if (r->context_count > 1) {
		sp_timer_set(r->sweep, IDLE_MS);
	}
}

static int add_context(struct sp_resolver *r, enum sp__dns_kind kind,
                       char *why_out, size_t why_cap)
{
	struct sp__dns_context *c;
	int err = sp__dns_context_new(&r->home, kind, &c, why_out, why_cap);

	if (err) {
		return err;
	}
	sp_list_append(&r->contexts, &c->node);
	r->context_count++;
	r->current[kind] = c;
	if (kind != SP__DNS_MAIN) {
		sp_timer_set(r->sweep, IDLE_MS);
	}
	return 0;
}

static bool usable(const struct sp__dns_context *c, uint64_t after)
{
	return c && c->serial > after && c->asked < FRESH_QUESTIONS &&
	       sp_time_mono_ms() - c->born_ms < FRESH_MS;
}

/* A context of a short-lived kind, newer than the one with that serial. When
 * there are too many, or none can be made, the next best one. */
static struct sp__dns_context *
young_context(struct sp_resolver *r, enum sp__dns_kind kind, uint64_t after)
{
	char why[256];

	if (usable(r->current[kind], after)) {
		return r->current[kind];
	}
	if (r->context_count >= CONTEXTS_MAX) {
		drop_idle(r, 0);
	}
	if (r->context_count < CONTEXTS_MAX &&
	    add_context(r, kind, why, sizeof(why))) {
		sp_log(NULL, SP_LOG_WARN, "resolver.context",
		       SP_F_CSTR("error", why));
	}
	return r->current[kind];
}

/* --- the memory of failures --- */

static struct sp__failure *find_failure(const struct sp_resolver *r,
                                        const struct question *q)
{
	return sp__failures_find(&r->failures, q->name, q->type);
}

/* Remembers the question's bad answer. */
static void remember(struct sp_resolver *r, const struct question *q,
                     int64_t explained_ms)
{
	struct sp__failure *f = sp__failures_note(&r->failures, q->answer,
	                                          q->serial, sp_time_mono_ms());

	f->explained_ms = explained_ms;
	f->words = q->words;
}

/* Takes the reason over from the last time, where that says more: a reason
 * out of libunbound's cache is none, and the evidence of a moment ago still
 * holds if libunbound says the same again. Gives back when that evidence was
 * had; 0: there is none. */
static int64_t recall(const struct sp_resolver *r, struct question *q)
{
	const struct sp__failure *f = find_failure(r, q);
	struct sp_dns_answer *a = q->answer;
	int64_t now_ms = sp_time_mono_ms();
	bool vague = sp__why_is_vague(a->why);
	bool recent;

	q->words = a->scenario.ptr;
	if (!f || f->dnssec != a->dnssec || now_ms - f->at_ms > RECALL_MS) {
		return 0;
	}
	recent = f->explained_ms > 0 && now_ms - f->explained_ms < EVIDENCE_MS;
	if (!vague && !(recent && strcmp(f->words, q->words) == 0)) {
		return 0;
	}
	q->words = f->words;
	a->scenario = sp_str_from(f->scenario);
	a->ede = f->ede;
	sp_dns_answer_set_why(a, sp_str_from(f->why));
	return recent ? f->explained_ms : 0;
}

/* --- one question --- */

static void drop_shot(struct sp_resolver *r, struct question *q)
{
	if (q->shot) {
		sp__dns_shot_drop(q->shot);
		q->shot = NULL;
		sp__slot_give(&r->slots, &q->slot);
	}
}

static void free_question(struct sp_resolver *r, struct question *q)
{
	if (q->stage == WAITING) {
		r->waiting_count--;
	}
	drop_shot(r, q);
	(void)sp_map_remove(&r->by_id, sp_map_key_u64(&q->id));
	sp_list_remove(&q->order);
	sp_list_remove(&q->node);
	sp__evidence_free(&q->evidence);
	sp_dns_answer_free(&q->answer);
	sp_free((void *)q->name.ptr);
	sp_free(q);
}

/* The question's answer, which it has, is final. */
static void finish(struct sp_resolver *r, struct question *q)
{
	SP_ASSERT(q->answer && q->stage != READY);
	drop_shot(r, q);
	if (q->stage == WAITING) {
		r->waiting_count--;
	}
	q->stage = READY;
	sp_list_remove(&q->order);
	sp_list_remove(&q->node);
	sp_list_append(&r->ready, &q->node);
	sp_deferred_call(r->turn);
}

static void set_answer(struct question *q, struct sp_dns_answer *a)
{
	sp_dns_answer_free(&q->answer);
	q->answer = a;
}

static void fail(struct sp_resolver *r, struct question *q,
                 const char *scenario, const char *why)
{
	set_answer(q, sp__dns_answer_failed(q->name, q->type, scenario,
	                                    sp_str_from(why)));
	finish(r, q);
}

static void fire(struct sp_resolver *r, struct question *q,
                 struct sp__dns_context *context, struct sp_str name,
                 enum sp_dns_type type)
{
	q->shot = sp__dns_context_ask(context, name, (uint16_t)type, q);
	sp__slot_take(&r->slots, &q->slot);
}

static void ask_context(struct sp_resolver *r, struct question *q,
                        struct sp__dns_context *context)
{
	q->stage = ASKED;
	q->serial = context->serial;
	q->kind = context->kind;
	fire(r, q, context, q->name, q->type);
}

static struct sp__dns_context *fresh_or_main(struct sp_resolver *r,
                                             uint64_t after)
{
	struct sp__dns_context *c = young_context(r, SP__DNS_FRESH, after);

	return c ? c : r->current[SP__DNS_MAIN];
}

static void launch(struct sp_resolver *r, struct question *q)
{
	const struct sp__failure *f = q->fresh ? find_failure(r, q) : NULL;

	r->waiting_count--;
	sp_list_remove(&q->node);
	ask_context(r, q,
	            f || q->anew ? fresh_or_main(r, f ? f->serial : 0)
	                         : r->current[SP__DNS_MAIN]);
}

static size_t dropped_count(const struct sp_resolver *r)
{
	size_t count = 0;

	SP_LIST_FOREACH (node, &r->contexts) {
		count += SP_CONTAINER(node, struct sp__dns_context, node)
		                 ->dropped;
	}
	return count;
}

/* Hands over as many waiting questions as there is room for. */
static void pump(struct sp_resolver *r)
{
	struct sp_list *node;

	while ((node = sp_list_first(&r->waiting)) &&
	       sp__slots_have_room(&r->slots, dropped_count(r))) {
		launch(r, SP_CONTAINER(node, struct question, node));
	}
}

/* --- evidence --- */

static void explain(struct question *q, const struct sp__finding *finding)
{
	struct sp_dns_answer *a = q->answer;
	struct sp_buf why;

	a->scenario = sp_str_from(finding->scenario);
	a->ede = finding->ede;
	sp_buf_init(&why, SP_DNS_WHY_MAX * 2);
	(void)sp_buf_append_str(&why, a->why);
	(void)sp_buf_append_cstr(&why, a->why.len ? "; " : "");
	(void)sp_buf_append_cstr(&why, finding->text);
	sp_dns_answer_set_why(a, sp_buf_str(&why));
	sp_buf_fini(&why);
}

static void step_evidence(struct sp_resolver *r, struct question *q)
{
	const struct sp__finding *finding;
	struct sp__dns_context *context;
	struct sp_str name;
	enum sp_dns_type type;

	if (sp__evidence_next(q->evidence, &name, &type)) {
		context = young_context(r, SP__DNS_PLAIN, 0);
		if (context) {
			fire(r, q, context, name, type);
			return;
		}
	}
	finding = sp__evidence_finding(q->evidence);
	if (finding) {
		explain(q, finding);
	}
	remember(r, q, sp_time_mono_ms());
	finish(r, q);
}

static void start_evidence(struct sp_resolver *r, struct question *q)
{
	q->stage = EVIDENCE;
	q->evidence = sp__evidence_new(q->name, q->type, q->answer->why);
	step_evidence(r, q);
}

/* --- answers --- */

/* Where to ask once more because this answer may be a cached failure; null:
 * it is what the servers say now. */
static struct sp__dns_context *again_in(struct sp_resolver *r,
                                        struct question *q, bool cached)
{
	struct sp__dns_context *fresh = NULL;

	if (!q->fresh) {
		return NULL;
	}
	if (q->kind == SP__DNS_MAIN) {
		fresh = fresh_or_main(r, 0);
	} else if (cached && !q->renewed) {
		q->renewed = true;
		fresh = fresh_or_main(r, q->serial);
	}
	return fresh && fresh->kind == SP__DNS_FRESH &&
	                       fresh->serial != q->serial
	               ? fresh
	               : NULL;
}

static void on_bad_answer(struct sp_resolver *r, struct question *q)
{
	bool cached = sp__why_is_cached(q->answer->why);
	int64_t explained_ms = recall(r, q);
	struct sp__dns_context *again;

	remember(r, q, explained_ms);
	again = again_in(r, q, cached);
	if (again) {
		ask_context(r, q, again);
	} else if (q->answer->dnssec == SP_DNSSEC_FAILED || explained_ms > 0) {
		finish(r, q);
	} else {
		start_evidence(r, q);
	}
}

static void on_answer(struct sp_resolver *r, struct question *q,
                      const struct sp__dns_reply *reply)
{
	struct sp__failure *f;

	set_answer(q, sp__dns_answer_make(q->name, q->type, reply, &r->limits));
	if (q->answer->result == SP_DNS_NONE) {
		on_bad_answer(r, q);
		return;
	}
	f = q->kind == SP__DNS_MAIN ? find_failure(r, q) : NULL;
	sp__failures_drop(&r->failures, f);
	finish(r, q);
}

static void on_shot(struct sp_resolver *r, struct sp__dns_shot *shot)
{
	struct question *q = shot->arg;

	q->shot = NULL;
	sp__slot_give(&r->slots, &q->slot);
	if (q->stage == ASKED) {
		on_answer(r, q, &shot->reply);
		return;
	}
	SP_ASSERT(q->stage == EVIDENCE);
	sp__evidence_answer(q->evidence, shot->reply.packet, sp_time_wall_ms());
	step_evidence(r, q);
}

/* Whether a reply was taken; the list of contexts may change by it. */
static bool take_one(struct sp_resolver *r)
{
	SP_LIST_FOREACH (node, &r->contexts) {
		struct sp__dns_shot *shot = sp__dns_context_take(
			SP_CONTAINER(node, struct sp__dns_context, node));

		if (shot) {
			on_shot(r, shot);
			sp__dns_shot_free(&shot);
			return true;
		}
	}
	return false;
}

static void deliver(struct sp_resolver *r, struct question *q)
{
	struct sp_dns_answer *answer = q->answer;
	sp_resolver_fn *fn = q->fn;
	void *arg = q->arg;

	q->answer = NULL;
	free_question(r, q);
	fn(arg, answer);
}

static void run_absurd_clocks(struct sp_resolver *r)
{
	SP_LIST_FOREACH_SAFE (node, tmp, &r->tests) {
		struct self_test *test =
			SP_CONTAINER(node, struct self_test, node);

		if (test->clock_absurd) {
			sp_list_remove(&test->node);
			test->fn(test->arg, SP_EDNS,
			         "the clock is before this program was built");
			sp_free(test);
		}
	}
}

static void on_turn(void *arg)
{
	struct sp_resolver *r = arg;
	struct sp_list now;
	struct sp_list *node;

	while (take_one(r)) {
	}
	pump(r);
	run_absurd_clocks(r);
	/* What becomes ready by the calls belongs to the next turn. */
	sp_list_init(&now);
	while ((node = sp_list_first(&r->ready))) {
		sp_list_remove(node);
		sp_list_append(&now, node);
	}
	while ((node = sp_list_first(&now))) {
		deliver(r, SP_CONTAINER(node, struct question, node));
	}
}

/* --- deadlines --- */

static void arm_deadline(struct sp_resolver *r)
{
	struct sp_list *node = sp_list_first(&r->order);
	int64_t left_ms;

	if (!node) {
		sp_timer_stop(r->deadline);
		return;
	}
	left_ms = SP_CONTAINER(node, struct question, order)->due_ms -
	          sp_time_mono_ms();
	sp_timer_set(r->deadline, left_ms > 0 ? left_ms : 0);
}

static void expire(struct sp_resolver *r, struct question *q)
{
	char why[64];

	if (!q->answer) {
		(void)snprintf(why, sizeof(why), "no answer within %lld ms",
		               (long long)r->deadline_ms);
		set_answer(q, sp__dns_answer_failed(q->name, q->type,
		                                    "dns-timeout",
		                                    sp_str_from(why)));
		q->answer->ede = sp__finding_of_failure(
					 0, SP_STR("upstream server timeout"))
		                         .ede;
	}
	if (q->stage != WAITING) {
		q->words = q->answer->scenario.ptr;
		remember(r, q, 0);
	}
	finish(r, q);
}

static void on_deadline(void *arg)
{
	struct sp_resolver *r = arg;
	int64_t now_ms = sp_time_mono_ms();
	struct sp_list *node;

	while ((node = sp_list_first(&r->order))) {
		struct question *q = SP_CONTAINER(node, struct question, order);

		if (q->due_ms > now_ms) {
			break;
		}
		expire(r, q);
	}
	arm_deadline(r);
}

/* --- lifecycle --- */

static size_t limit(size_t wanted, size_t otherwise, size_t max)
{
	size_t value = wanted ? wanted : otherwise;

	return value < max ? value : max;
}

int sp_resolver_new(struct sp_loop *loop, const struct sp_resolver_conf *conf,
                    struct sp_resolver **resolver_out, char *why_out,
                    size_t why_cap)
{
	struct sp_resolver *r = SP_NEW(struct sp_resolver);
	int err;

	r->loop = loop;
	r->limits.records_max = limit(conf->records_max, SP_DNS_RECORDS_MAX,
	                              SP_DNS_RECORDS_MAX);
	r->limits.aliases_max = limit(
		conf->aliases_max, SP__DNS_ALIASES_DEFAULT, SP_DNS_ALIASES_MAX);
	r->deadline_ms =
		conf->deadline_ms > 0 ? conf->deadline_ms : DEADLINE_MS;
	if (conf->self_test_bad.len > 0) {
		r->known_bad = sp_str_dup(conf->self_test_bad);
	}
	sp_list_init(&r->contexts);
	sp_list_init(&r->order);
	sp_list_init(&r->waiting);
	sp_list_init(&r->ready);
	sp_list_init(&r->tests);
	sp_map_init(&r->by_id);
	sp__failures_init(&r->failures);
	r->deadline = sp_timer_new(loop, on_deadline, r);
	r->sweep = sp_timer_new(loop, on_sweep, r);
	r->turn = sp_deferred_new(loop, on_turn, r);
	sp__slots_init(&r->slots, loop, r->turn);
	err = sp__dns_setup_new(conf, &r->setup, why_out, why_cap);
	if (!err) {
		r->home.loop = loop;
		r->home.setup = r->setup;
		r->home.wake = r->turn;
		err = add_context(r, SP__DNS_MAIN, why_out, why_cap);
	}
	if (err) {
		sp_resolver_free(&r);
	}
	*resolver_out = r;
	return err;
}

static void free_questions(struct sp_resolver *r)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *q;

	while (sp_map_next(&r->by_id, &it, &key, &q)) {
		free_question(r, q);
	}
}

void sp_resolver_free(struct sp_resolver **resolver)
{
	struct sp_resolver *r = *resolver;
	struct sp_list *node;

	if (!r) {
		return;
	}
	free_questions(r);
	while ((node = sp_list_first(&r->contexts))) {
		drop_context(r,
		             SP_CONTAINER(node, struct sp__dns_context, node));
	}
	while ((node = sp_list_first(&r->tests))) {
		sp_list_remove(node);
		sp_free(SP_CONTAINER(node, struct self_test, node));
	}
	sp_map_fini(&r->by_id);
	sp__failures_fini(&r->failures);
	sp_timer_free(&r->deadline);
	sp_timer_free(&r->sweep);
	sp__slots_fini(&r->slots);
	sp_deferred_free(&r->turn);
	sp__dns_setup_free(&r->setup);
	sp_free(r->known_bad);
	SP_FREE(resolver);
}

const char *sp_resolver_version(void)
{
	return ub_version();
}

/* --- asking --- */

static struct sp_str own_name(struct sp_str name)
{
	struct sp_arena arena;
	struct sp_str canonical;

	sp_arena_init(&arena);
	canonical = sp_dns_name_canonical(name, &arena);
	canonical = sp_str_slice(sp_str_dup(canonical), canonical.len);
	sp_arena_fini(&arena);
	return canonical;
}

/* Its answer is about the root, for want of a name that can be written. */
static void refuse_name(struct sp_resolver *r, struct question *q)
{
	char name[SP_DNS_NAME_MAX];
	char why[SP_DNS_NAME_MAX + 32];

	sp_log_escape(q->name, name, sizeof(name));
	(void)snprintf(why, sizeof(why), "not a domain name: %s", name);
	set_answer(q, sp__dns_answer_failed(SP_STR("."), q->type, "dns-name",
	                                    sp_str_from(why)));
	finish(r, q);
}

static void enqueue(struct sp_resolver *r, struct question *q)
{
	bool first = sp_list_empty(&r->order);

	r->waiting_count++; /* finish takes it back */
	sp_list_append(&r->order, &q->order);
	if (!sp_dns_name_valid(q->name)) {
		refuse_name(r, q);
		return;
	}
	if (r->waiting_count > WAITING_MAX) {
		fail(r, q, "dns-busy", "too many questions are waiting");
		return;
	}
	sp_list_append(&r->waiting, &q->node);
	if (first) {
		arm_deadline(r);
	}
	pump(r);
}

static struct question *new_question(struct sp_resolver *r, struct sp_str name,
                                     enum sp_dns_type type, sp_resolver_fn *fn,
                                     void *arg)
{
	struct question *q = SP_NEW(struct question);

	sp_list_init(&q->order);
	sp_list_init(&q->node);
	q->id = ++r->last_id;
	q->name = own_name(name);
	q->type = type;
	q->fn = fn;
	q->arg = arg;
	q->due_ms = sp_time_mono_ms() + r->deadline_ms;
	q->stage = WAITING;
	(void)sp_map_set(&r->by_id, sp_map_key_u64(&q->id), q);
	return q;
}

uint64_t sp_resolver_ask(struct sp_resolver *r, struct sp_str name,
                         enum sp_dns_type type, bool fresh, sp_resolver_fn *fn,
                         void *arg)
{
	struct question *q = new_question(r, name, type, fn, arg);

	q->fresh = fresh;
	enqueue(r, q);
	return q->id;
}

uint64_t sp_resolver_ask_anew(struct sp_resolver *r, struct sp_str name,
                              enum sp_dns_type type, sp_resolver_fn *fn,
                              void *arg)
{
	struct question *q = new_question(r, name, type, fn, arg);

	q->fresh = true;
	q->anew = true;
	enqueue(r, q);
	return q->id;
}

void sp_resolver_cancel(struct sp_resolver *r, uint64_t id)
{
	struct question *q = sp_map_find(&r->by_id, sp_map_key_u64(&id));

	if (q) {
		free_question(r, q);
		sp_deferred_call(r->turn); /* there may be room now */
	}
}

/* --- self-test --- */

/* Midnight of the day of the build, from "Mmm dd yyyy". */
static int64_t build_day_ms(void)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *date = __DATE__;
	char month[4] = {date[0], date[1], date[2], '\0'};
	const char *found = strstr(months, month);
	int day = (date[4] == ' ' ? 0 : date[4] - '0') * 10 + date[5] - '0';
	char text[SP_TIME_TEXT];
	int64_t day_ms = 0;

	SP_ASSERT(found);
	(void)snprintf(text, sizeof(text), "%.4s-%02d-%02dT00:00:00Z", date + 7,
	               (int)(found - months) / 3 + 1, day);
	SP_ASSERT(sp_time_parse(sp_str_from(text), &day_ms) == 0);
	return day_ms;
}

static void end_test(struct self_test *test, int result, const char *why)
{
	void (*fn)(void *arg, int result, const char *why) = test->fn;
	void *arg = test->arg;

	sp_list_remove(&test->node);
	sp_free(test);
	fn(arg, result, why);
}

static void on_known_bad(void *arg, struct sp_dns_answer *a)
{
	struct self_test *test = arg;
	bool passed = a->result == SP_DNS_NONE;
	char why[512];

	(void)snprintf(why, sizeof(why),
	               "%s, which must not validate, came out as %s",
	               test->resolver->known_bad, sp_dnssec_text(a->dnssec));
	sp_dns_answer_free(&a);
	end_test(test, passed ? 0 : SP_EDNS, passed ? "validates" : why);
}

static void on_apex(void *arg, struct sp_dns_answer *a)
{
	struct self_test *test = arg;
	struct sp_resolver *r = test->resolver;
	bool passed =
		a->dnssec == SP_DNSSEC_SECURE && a->result == SP_DNS_RECORDS;
	char why[SP_DNS_NAME_MAX + SP_DNS_WHY_MAX + 80];

	(void)snprintf(why, sizeof(why),
	               "the zone of the trust anchor, " SP_STR_FMT
	               ", came out as %s: " SP_STR_FMT,
	               SP_STR_ARG(a->name), sp_dnssec_text(a->dnssec),
	               SP_STR_ARG(a->why));
	sp_dns_answer_free(&a);
	if (!passed) {
		end_test(test, SP_EDNS, why);
	} else if (r->known_bad) {
		(void)sp_resolver_ask(r, sp_str_from(r->known_bad),
		                      SP_DNS_TYPE_A, true, on_known_bad, test);
	} else {
		end_test(test, 0, "validates");
	}
}

void sp_resolver_self_test(struct sp_resolver *r,
                           void (*fn)(void *arg, int result, const char *why),
                           void *arg)
{
	struct self_test *test = SP_NEW(struct self_test);

	test->resolver = r;
	test->fn = fn;
	test->arg = arg;
	sp_list_init(&test->node);
	sp_list_append(&r->tests, &test->node);
	if (sp_time_wall_ms() < build_day_ms()) {
		test->clock_absurd = true;
		sp_deferred_call(r->turn);
		return;
	}
	(void)sp_resolver_ask(r, sp__dns_setup_apex(r->setup), SP_DNS_TYPE_SOA,
	                      true, on_apex, test);
}
