/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place is room for one connection, and stands at two sites: an address
 * (with its port) and an MX host. Each site has a limit; who asks for a
 * place waits at the one of the two that is full, and moves to the other if
 * that one is full then. A site lives as long as somebody is there or waits.
 * A connection that becomes free goes to the first who waits under its own
 * key; a place that becomes free, to the first who waits at all; and an idle
 * connection under another key gives way when somebody waits.
 *
 * A handshake costs more than many messages. So connections under one key
 * are a group that grows slowly: who could use one that is there, or is being
 * made, waits for it, unless GROUP_WAITING others per connection do so
 * already, or the group has not grown for GROUP_MS and nothing came free.
 *
 * Many domains may lead to one address, so what one of them has met there
 * serves all:
 *
 *              connection fails,               pause over:
 *              no other one is up              one may try
 *   ANSWERS ─────────────────────▶ PAUSED ───────────────────▶ PROBED
 *      ▲                              ▲                          │ │
 *      │                              └── fails, longer pause ───┘ │
 *      └──────────────── a session comes about ────────────────────┘
 *
 * An address begins with a few places; each session that comes about adds
 * one, each failure halves them. At a failure with no other connection up,
 * all who wait get that failure at once, and so does who asks in the pause;
 * while it is probed, they wait (connections from before do not count). The
 * domain whose failure it was may always try again: its mail comes by its own
 * schedule, or by the pause that the queue has for the domain, and what is
 * alone at the address is never held back. The pause begins short, because a
 * server may just be starting anew, and doubles. Failed addresses are
 * remembered when nobody is there, the last REMEMBERED of them.
 *
 * Sites are served, and dropped, in one place only (serve_all), from a list
 * of those where something has changed.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/pool.h"

#define SHARE_FIRST    5
#define PAUSE_FIRST_MS 10000
#define REMEMBERED     1000
#define GROUP_WAITING  4
#define GROUP_MS       500

enum kind {
	ADDRESS,
	HOST,
	KINDS
};

struct site {
	struct sp_pool *pool;
	enum kind kind;
	struct sp_str name;     /* owned */
	size_t places;          /* taken, idle connections included */
	size_t tickets;         /* not yet answered, here or at the other */
	struct sp_list idle;    /* struct sp_pool_place, oldest first */
	struct sp_list waiting; /* struct sp_pool_ticket */
	struct sp_list changed; /* node of the pool's list */
	/* addresses only */
	size_t share;
	size_t up; /* places with a session */
	bool failed;
	uint64_t failures;
	size_t probes;     /* places since the last failure */
	int64_t failed_ms; /* monotonic */
	int64_t pause_ms;
	enum sp_cause_id cause;
	char *why;               /* owned */
	uint64_t domain;         /* whose failure, as a number */
	struct sp_list forsaken; /* node: nobody is there */
};

/* Under one key. Lives as long as there is a place or a ticket of it. */
struct group {
	struct sp_str key; /* owned */
	size_t places;
	size_t waiting;
	int64_t grown_ms; /* monotonic */
};

struct sp_pool_place {
	struct site *at[KINDS];
	struct group *group;        /* null: it had no key */
	struct sp_list idle[KINDS]; /* nodes */
	struct sp_list idle_node;   /* of the pool's list */
	bool up;
	uint64_t failures;    /* of the address, when it began */
	struct sp_dial *dial; /* owned: idle, or not yet handed out */
	struct sp_timer *timer;
};

struct sp_pool_ticket {
	struct sp_list node;
	struct site *at[KINDS]; /* null once answered */
	struct group *group;    /* null: a new connection is wanted */
	struct sp_timer *grow; /* the group may; null: it did not wait for it */
	uint64_t domain;
	struct sp_pool_place *place;    /* given, not yet told */
	struct sp_pool_failure failure; /* ... or this */
	char *why;                      /* owned */
	struct sp_deferred *tell;
	sp_pool_fn *fn;
	void *arg;
};

struct sp_pool {
	struct sp_loop *loop;
	const struct sp_conf *conf;
	unsigned worker_count;
	struct sp_map sites[KINDS];
	struct sp_map groups;
	struct sp_list idle;     /* struct sp_pool_place, oldest first */
	struct sp_list changed;  /* sites to look at */
	struct sp_list forsaken; /* failed sites, the longest first */
	size_t forsaken_count;
	struct sp_list lingering;
	size_t connections;
};

/* --- sites --- */

/* A worker's part, rounded up. */
static size_t part(const struct sp_pool *pool, int64_t all)
{
	return ((size_t)all + pool->worker_count - 1) / pool->worker_count;
}

static size_t places_max(const struct sp_pool *pool)
{
	return part(pool, pool->conf->smtp.max_per_host);
}

static size_t connections_max(const struct sp_pool *pool)
{
	return part(pool, pool->conf->smtp.max_connections);
}

/* without: so many idle connections less. Where an address has failed there
 * are none. */
static bool has_room(const struct site *site, size_t without)
{
	size_t places = site->places - without;

	if (places >= places_max(site->pool)) {
		return false;
	}
	if (site->failed) {
		return site->probes == 0;
	}
	return site->kind == HOST || places < site->share;
}

static struct site *site_find(struct sp_pool *pool, enum kind kind,
                              struct sp_str name)
{
	struct site *site = sp_map_find(&pool->sites[kind], name);

	if (!site) {
		site = SP_NEW(struct site);
		site->pool = pool;
		site->kind = kind;
		site->name = sp_str_from(sp_str_dup(name));
		site->share = SHARE_FIRST;
		sp_list_init(&site->idle);
		sp_list_init(&site->waiting);
		sp_list_init(&site->changed);
		sp_list_init(&site->forsaken);
		sp_map_set(&pool->sites[kind], name, site);
	} else if (!sp_list_empty(&site->forsaken)) {
		sp_list_remove(&site->forsaken);
		pool->forsaken_count--;
	}
	return site;
}

static void site_free(struct site *site)
{
	sp_list_remove(&site->changed);
	sp_list_remove(&site->forsaken);
	sp_map_remove(&site->pool->sites[site->kind], site->name);
	sp_free((char *)(uintptr_t)site->name.ptr);
	sp_free(site->why);
	sp_free(site);
}

static void forget_one(struct sp_pool *pool)
{
	site_free(SP_CONTAINER(sp_list_first(&pool->forsaken), struct site,
	                       forsaken));
	pool->forsaken_count--;
}

static void site_drop_if_unused(struct site *site)
{
	struct sp_pool *pool = site->pool;

	if (site->places || site->tickets) {
		return;
	}
	if (!site->failed) {
		site_free(site);
		return;
	}
	sp_list_append(&pool->forsaken, &site->forsaken);
	if (++pool->forsaken_count > REMEMBERED) {
		forget_one(pool);
	}
}

/* Somebody has come or gone: serve_all looks at it. */
static void touch(struct site *site)
{
	sp_list_remove(&site->changed);
	sp_list_append(&site->pool->changed, &site->changed);
}

/* --- groups --- */

static struct group *group_find(struct sp_pool *pool, struct sp_str key)
{
	struct group *group = sp_map_find(&pool->groups, key);

	if (!group && key.len > 0) {
		group = SP_NEW(struct group);
		group->key = sp_str_from(sp_str_dup(key));
		sp_map_set(&pool->groups, key, group);
	}
	return group;
}

static void group_drop_if_unused(struct sp_pool *pool, struct group *group)
{
	if (group && !group->places && !group->waiting) {
		sp_map_remove(&pool->groups, group->key);
		sp_free((char *)(uintptr_t)group->key.ptr);
		sp_free(group);
	}
}

/* One of its connections will do, soon. */
static bool will_do(const struct group *group)
{
	return group && group->places > 0 &&
	       group->waiting <= GROUP_WAITING * group->places &&
	       sp_time_mono_ms() - group->grown_ms < GROUP_MS;
}

/* --- places --- */

static struct sp_pool_place *place_new(struct site *const at[KINDS],
                                       struct group *group)
{
	struct sp_pool_place *p = SP_NEW(struct sp_pool_place);

	p->group = group;
	if (group) {
		group->places++;
		group->grown_ms = sp_time_mono_ms();
	}

	for (int k = 0; k < KINDS; k++) {
		p->at[k] = at[k];
		p->at[k]->places++;
		sp_list_init(&p->idle[k]);
	}
	sp_list_init(&p->idle_node);
	p->failures = at[ADDRESS]->failures;
	at[ADDRESS]->probes++;
	at[ADDRESS]->pool->connections++;
	return p;
}

static void set_up(struct sp_pool_place *p, bool up)
{
	p->at[ADDRESS]->up += (size_t)up;
	p->at[ADDRESS]->up -= (size_t)p->up;
	p->up = up;
}

static void end_idleness(struct sp_pool_place *p)
{
	sp_timer_free(&p->timer);
	sp_list_remove(&p->idle_node);
	for (int k = 0; k < KINDS; k++) {
		sp_list_remove(&p->idle[k]);
	}
}

static void place_free(struct sp_pool_place *p)
{
	struct sp_pool *pool = p->at[ADDRESS]->pool;

	set_up(p, false);
	end_idleness(p);
	sp_dial_quit(&p->dial);
	if (p->group) {
		p->group->places--;
		group_drop_if_unused(pool, p->group);
	}
	for (int k = 0; k < KINDS; k++) {
		SP_ASSERT(p->at[k]->places > 0);
		p->at[k]->places--;
		touch(p->at[k]);
	}
	if (p->failures == p->at[ADDRESS]->failures) {
		p->at[ADDRESS]->probes--;
	}
	pool->connections--;
	sp_free(p);
}

/* Idle connections of all addresses give way to those that are used. */
static void bound_idle(struct sp_pool *pool)
{
	struct sp_list *first = sp_list_first(&pool->idle);

	if (first && pool->connections >= connections_max(pool)) {
		place_free(
			SP_CONTAINER(first, struct sp_pool_place, idle_node));
	}
}

/* --- answers --- */

static void ticket_free(struct sp_pool_ticket *t)
{
	sp_list_remove(&t->node);
	sp_deferred_free(&t->tell);
	sp_free(t->why);
	sp_free(t);
}

static void on_tell(void *arg)
{
	struct sp_pool_ticket *t = arg;
	struct sp_pool_place *place = t->place;

	t->place = NULL;
	t->fn(t->arg, place, place ? NULL : &t->failure);
	ticket_free(t);
}

static void detach(struct sp_pool_ticket *t)
{
	sp_list_remove(&t->node);
	sp_timer_free(&t->grow);
	if (t->group) {
		t->group->waiting--;
		group_drop_if_unused(t->at[ADDRESS]->pool, t->group);
		t->group = NULL;
	}
	for (int k = 0; k < KINDS; k++) {
		t->at[k]->tickets--;
		touch(t->at[k]);
		t->at[k] = NULL;
	}
}

static void answer(struct sp_pool_ticket *t)
{
	detach(t);
	sp_deferred_call(t->tell);
}

/* The connection ended between grant and tell: the place is still there. */
static void on_granted_event(void *arg, enum sp_dial_event event)
{
	struct sp_pool_place *p = arg;

	(void)event;
	set_up(p, false);
	sp_dial_quit(&p->dial);
}

static void grant(struct sp_pool_ticket *t, struct sp_pool_place *p)
{
	t->place = p;
	if (p->dial) {
		end_idleness(p);
		sp_dial_adopt(p->dial, on_granted_event, p);
	}
	answer(t);
}

static struct sp_pool_failure failure_of(const struct site *site)
{
	return (struct sp_pool_failure){
		.cause = site->cause,
		.why = sp_str_from(site->why),
		.age_ms = sp_time_mono_ms() - site->failed_ms,
	};
}

static void refuse(struct sp_pool_ticket *t)
{
	t->failure = failure_of(t->at[ADDRESS]);
	t->why = sp_str_dup(t->failure.why);
	t->failure.why = sp_str_from(t->why);
	answer(t);
}

static bool is_refused(const struct sp_pool_ticket *t)
{
	const struct site *site = t->at[ADDRESS];

	return site->failed && site->domain != t->domain &&
	       sp_time_mono_ms() - site->failed_ms < site->pause_ms;
}

/* --- who is next --- */

static void serve_all(struct sp_pool *pool);

static struct sp_pool_place *oldest_idle(struct site *site)
{
	struct sp_list *first = sp_list_first(&site->idle);

	if (!first) {
		return NULL;
	}
	first -= site->kind; /* nodes of a place are an array */
	return SP_CONTAINER(first, struct sp_pool_place, idle[0]);
}

/* Is there room, or would there be without the idle connections? */
static bool may_have_room(const struct site *site)
{
	size_t idle = 0;

	SP_LIST_FOREACH (it, &site->idle) {
		idle++;
	}
	return has_room(site, idle);
}

static void make_room(struct site *site)
{
	while (!has_room(site, 0)) {
		place_free(oldest_idle(site));
	}
}

/* Idle connections give way only here: where it is of use. */
static void grant_new(struct sp_pool_ticket *t)
{
	make_room(t->at[ADDRESS]);
	make_room(t->at[HOST]);
	bound_idle(t->at[ADDRESS]->pool);
	grant(t, place_new(t->at, t->group));
}

static void on_grow(void *arg)
{
	struct sp_pool_ticket *t = arg;

	sp_timer_free(&t->grow);
	touch(t->at[ADDRESS]);
	touch(t->at[HOST]);
	serve_all(t->at[ADDRESS]->pool);
}

static void wait_for_group(struct sp_pool_ticket *t)
{
	if (!t->grow) {
		t->grow = sp_timer_new(t->at[ADDRESS]->pool->loop, on_grow, t);
		sp_timer_set(t->grow, GROUP_MS);
	}
}

static void serve(struct site *site)
{
	SP_LIST_FOREACH_SAFE (it, next, &site->waiting) {
		struct sp_pool_ticket *t =
			SP_CONTAINER(it, struct sp_pool_ticket, node);
		struct site *other = t->at[site->kind == HOST ? ADDRESS : HOST];

		if (is_refused(t)) {
			refuse(t);
		} else if (will_do(t->group)) {
			wait_for_group(t);
		} else if (!may_have_room(site)) {
			return;
		} else if (may_have_room(other)) {
			grant_new(t);
		} else {
			sp_list_remove(&t->node);
			sp_list_append(&other->waiting, &t->node);
		}
	}
}

static void serve_all(struct sp_pool *pool)
{
	struct sp_list *first;

	while ((first = sp_list_first(&pool->changed))) {
		struct site *site = SP_CONTAINER(first, struct site, changed);

		serve(site);
		sp_list_remove(&site->changed);
		site_drop_if_unused(site);
	}
}

static void place_end(struct sp_pool_place *p)
{
	struct sp_pool *pool = p->at[ADDRESS]->pool;

	place_free(p);
	serve_all(pool);
}

static struct sp_pool_place *idle_find(struct site *site, struct sp_str key)
{
	SP_LIST_FOREACH (it, &site->idle) {
		struct sp_pool_place *p =
			SP_CONTAINER(it, struct sp_pool_place, idle[ADDRESS]);

		if (sp_str_eq(sp_dial_key(p->dial), key)) {
			return sp_dial_reusable(p->dial) ? p : NULL;
		}
	}
	return NULL;
}

static struct sp_pool_ticket *waiting_find(struct site *site, struct sp_str key)
{
	SP_LIST_FOREACH (it, &site->waiting) {
		struct sp_pool_ticket *t =
			SP_CONTAINER(it, struct sp_pool_ticket, node);

		if (t->group && sp_str_eq(t->group->key, key)) {
			return t;
		}
	}
	return NULL;
}

static struct site *address_find(struct sp_pool *pool,
                                 const struct sp_pool_ask *ask)
{
	char name[SP_ADDR_TEXT + 8];

	snprintf(name, sizeof(name), SP_STR_FMT " %u", SP_STR_ARG(ask->address),
	         ask->port);
	return site_find(pool, ADDRESS, sp_str_from(name));
}

struct sp_pool_ticket *sp_pool_ask(struct sp_pool *pool,
                                   const struct sp_pool_ask *ask,
                                   sp_pool_fn *fn, void *arg)
{
	struct sp_pool_ticket *t = SP_NEW(struct sp_pool_ticket);
	struct sp_pool_place *idle;

	t->at[ADDRESS] = address_find(pool, ask);
	t->at[HOST] = site_find(pool, HOST, ask->host);
	t->group = group_find(pool, ask->key);
	if (t->group) {
		t->group->waiting++;
	}
	t->domain = sp_hash_stable(ask->domain);
	t->fn = fn;
	t->arg = arg;
	t->tell = sp_deferred_new(pool->loop, on_tell, t);
	sp_list_init(&t->node);
	t->at[ADDRESS]->tickets++;
	t->at[HOST]->tickets++;
	idle = idle_find(t->at[ADDRESS], ask->key);
	if (idle) {
		grant(t, idle);
	} else if (is_refused(t)) {
		refuse(t);
	} else {
		sp_list_append(&t->at[ADDRESS]->waiting, &t->node);
		touch(t->at[ADDRESS]);
	}
	serve_all(pool);
	return t;
}

void sp_pool_cancel(struct sp_pool_ticket **ticket)
{
	struct sp_pool_ticket *t = *ticket;
	struct sp_pool *pool;

	if (!t) {
		return;
	}
	*ticket = NULL;
	if (t->at[ADDRESS]) {
		pool = t->at[ADDRESS]->pool;
		detach(t);
		serve_all(pool);
	} else if (t->place) { /* that nobody will use */
		place_end(t->place);
	}
	ticket_free(t);
}

void sp_pool_give_up(struct sp_pool_ticket *t)
{
	struct site *site = t->at[ADDRESS];

	if (!site) {
		return; /* the answer is on its way */
	}
	if (site->failed) {
		refuse(t);
	} else {
		t->failure.cause = SP_CAUSE_HOST_BUSY;
		answer(t);
	}
	serve_all(site->pool);
}

/* --- what a place is used for --- */

struct sp_dial *sp_pool_place_dial(struct sp_pool_place *p)
{
	struct sp_dial *dial = p->dial;

	p->dial = NULL;
	return dial;
}

void sp_pool_note_up(struct sp_pool_place *p)
{
	struct site *site = p->at[ADDRESS];

	if (p->up) {
		return;
	}
	set_up(p, true);
	site->failed = false;
	if (site->share < places_max(site->pool)) {
		site->share++;
	}
	touch(site);
	serve_all(site->pool);
}

static int64_t shortest_step(const struct sp_conf_steps *steps,
                             int64_t shortest_ms)
{
	for (size_t i = 0; i < steps->count; i++) {
		if (steps->steps_ms[i] < shortest_ms) {
			shortest_ms = steps->steps_ms[i];
		}
	}
	return shortest_ms;
}

/* Shorter than any message has to wait for its next attempt. */
static int64_t pause_max(const struct sp_conf *conf)
{
	int64_t step_ms = shortest_step(&conf->retry, INT64_MAX);

	for (size_t i = 0; i < conf->route_count; i++) {
		step_ms = shortest_step(&conf->route[i].retry, step_ms);
	}
	return step_ms / 2 < conf->smtp.host_pause_ms
	               ? step_ms / 2
	               : conf->smtp.host_pause_ms;
}

static void lengthen_pause(struct site *site, int64_t now_ms)
{
	int64_t max_ms = pause_max(site->pool->conf);

	if (!site->failed) {
		site->pause_ms = PAUSE_FIRST_MS;
	} else if (now_ms - site->failed_ms >= site->pause_ms) {
		site->pause_ms *= 2;
	}
	if (site->pause_ms > max_ms) {
		site->pause_ms = max_ms;
	}
}

void sp_pool_note_failure(struct sp_pool_place *p, struct sp_str domain,
                          enum sp_cause_id cause, struct sp_str why)
{
	struct site *site = p->at[ADDRESS];
	int64_t now_ms = sp_time_mono_ms();

	site->share = site->share > 1 ? site->share / 2 : 1;
	if (site->up) {
		return;
	}
	lengthen_pause(site, now_ms);
	site->failed = true;
	site->failures++;
	site->probes = 0;
	site->failed_ms = now_ms;
	site->domain = sp_hash_stable(domain);
	site->cause = cause;
	sp_free(site->why);
	site->why = sp_str_dup(why);
	SP_LIST_FOREACH_SAFE (it, next, &site->waiting) {
		refuse(SP_CONTAINER(it, struct sp_pool_ticket, node));
	}
	serve_all(site->pool);
}

/* --- idle connections --- */

static void on_idle_timeout(void *arg)
{
	place_end(arg);
}

static void on_idle_event(void *arg, enum sp_dial_event event)
{
	(void)event; /* whatever it says, it is not idle any more */
	place_end(arg);
}

static bool worth_keeping(const struct sp_pool *pool,
                          const struct sp_dial *dial)
{
	uint64_t sent = sp_dial_facts(dial)->messages;

	return sp_dial_reusable(dial) && pool->conf->smtp.idle_timeout_ms > 0 &&
	       sent < (uint64_t)pool->conf->smtp.messages_per_connection;
}

static void become_idle(struct sp_pool_place *p)
{
	struct sp_pool *pool = p->at[ADDRESS]->pool;

	p->timer = sp_timer_new(pool->loop, on_idle_timeout, p);
	sp_timer_set(p->timer, pool->conf->smtp.idle_timeout_ms);
	sp_dial_adopt(p->dial, on_idle_event, p);
	sp_list_append(&pool->idle, &p->idle_node);
	for (int k = 0; k < KINDS; k++) {
		sp_list_append(&p->at[k]->idle, &p->idle[k]);
		touch(p->at[k]);
	}
}

void sp_pool_put(struct sp_pool_place **place, struct sp_dial **dial)
{
	struct sp_pool_place *p = *place;
	struct sp_pool *pool = p->at[ADDRESS]->pool;
	struct sp_pool_ticket *t = NULL;

	*place = NULL;
	p->dial = *dial;
	*dial = NULL;
	if (!worth_keeping(pool, p->dial)) {
		place_end(p);
		return;
	}
	for (int k = 0; k < KINDS && !t; k++) {
		t = waiting_find(p->at[k], sp_dial_key(p->dial));
	}
	if (t) {
		grant(t, p);
	} else {
		become_idle(p);
	}
	serve_all(pool);
}

void sp_pool_leave(struct sp_pool_place **place)
{
	struct sp_pool_place *p = *place;

	if (p) {
		*place = NULL;
		place_end(p);
	}
}

/* --- the pool --- */

struct sp_pool *sp_pool_new(struct sp_loop *loop, const struct sp_conf *conf,
                            unsigned worker_count)
{
	struct sp_pool *pool = SP_NEW(struct sp_pool);

	pool->loop = loop;
	pool->conf = conf;
	pool->worker_count = worker_count ? worker_count : 1;
	for (int k = 0; k < KINDS; k++) {
		sp_map_init(&pool->sites[k]);
	}
	sp_map_init(&pool->groups);
	sp_list_init(&pool->idle);
	sp_list_init(&pool->changed);
	sp_list_init(&pool->forsaken);
	sp_list_init(&pool->lingering);
	return pool;
}

static void end_all_idle(struct sp_pool *pool)
{
	struct sp_list *first;

	while ((first = sp_list_first(&pool->idle))) {
		place_end(SP_CONTAINER(first, struct sp_pool_place, idle_node));
	}
}

/* Nobody holds a ticket or a place any more; only idle ones are left. */
void sp_pool_free(struct sp_pool **pool)
{
	struct sp_pool *p = *pool;

	if (!p) {
		return;
	}
	*pool = NULL;
	end_all_idle(p);
	sp_pool_forget(p);
	for (int k = 0; k < KINDS; k++) {
		SP_ASSERT(p->sites[k].count == 0);
		sp_map_fini(&p->sites[k]);
	}
	SP_ASSERT(p->groups.count == 0);
	sp_map_fini(&p->groups);
	sp_dial_reap(&p->lingering);
	sp_free(p);
}

void sp_pool_forget(struct sp_pool *pool)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (pool->forsaken_count > 0) {
		forget_one(pool);
	}
	for (int k = 0; k < KINDS; k++) {
		it = (struct sp_map_iter){0};
		while (sp_map_next(&pool->sites[k], &it, &key, &value)) {
			struct site *site = value;

			if (site->failed) {
				site->failed = false;
				site->share = SHARE_FIRST;
			}
			touch(site);
		}
	}
	serve_all(pool);
}

void sp_pool_set_conf(struct sp_pool *pool, const struct sp_conf *conf)
{
	pool->conf = conf;
	end_all_idle(pool);
	sp_pool_forget(pool);
}

struct sp_list *sp_pool_lingering(struct sp_pool *pool)
{
	return &pool->lingering;
}

size_t sp_pool_connections(const struct sp_pool *pool)
{
	return pool->connections;
}
