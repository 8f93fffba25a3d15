/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One struct site per address, as long as somebody is there or waits. A
 * connection that becomes free goes to the first who waits under its own
 * key; a place that becomes free, to the first who waits at all; and an idle
 * connection under another key gives way when somebody waits.
 */
#include "base/assert.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "deliver/pool.h"

struct site {
	struct sp_pool *pool;
	struct sp_str address;  /* owned */
	size_t places;          /* taken, idle connections included */
	struct sp_list idle;    /* struct idle, oldest first */
	struct sp_list waiting; /* struct sp_pool_ticket */
};

struct idle {
	struct sp_list node;
	struct site *site;
	struct sp_dial *dial; /* owned */
	struct sp_timer *timer;
};

struct sp_pool_ticket {
	struct sp_list node;
	struct site *site;
	struct sp_str key;    /* owned */
	struct sp_dial *dial; /* owned: given, not yet told */
	bool granted;
	struct sp_deferred *tell;
	sp_pool_fn *fn;
	void *arg;
};

struct sp_pool {
	struct sp_loop *loop;
	const struct sp_conf *conf;
	unsigned worker_count;
	struct sp_map sites;
	struct sp_list lingering;
	size_t connections;
};

static size_t places_max(const struct sp_pool *pool)
{
	size_t all = (size_t)pool->conf->smtp.max_per_host;

	return (all + pool->worker_count - 1) / pool->worker_count;
}

static struct site *site_find(struct sp_pool *pool, struct sp_str address)
{
	struct site *site = sp_map_find(&pool->sites, address);

	if (!site) {
		site = SP_NEW(struct site);
		site->pool = pool;
		site->address = sp_str_from(sp_str_dup(address));
		sp_list_init(&site->idle);
		sp_list_init(&site->waiting);
		sp_map_set(&pool->sites, address, site);
	}
	return site;
}

static void site_drop_if_unused(struct site *site)
{
	if (site->places || !sp_list_empty(&site->waiting)) {
		return;
	}
	sp_map_remove(&site->pool->sites, site->address);
	sp_free((char *)(uintptr_t)site->address.ptr);
	sp_free(site);
}

static void on_tell(void *arg)
{
	struct sp_pool_ticket *t = arg;
	sp_pool_fn *fn = t->fn;
	void *fn_arg = t->arg;
	struct sp_dial *dial = t->dial;

	t->dial = NULL;
	t->granted = false;
	sp_pool_cancel(&t);
	fn(fn_arg, dial);
}

/* The connection ended between grant and tell: the place is still there. */
static void on_granted_event(void *arg, enum sp_dial_event event)
{
	struct sp_pool_ticket *t = arg;

	(void)event;
	sp_dial_quit(&t->dial);
}

static void grant(struct sp_pool_ticket *t, struct sp_dial *dial)
{
	sp_list_remove(&t->node);
	t->granted = true;
	t->dial = dial;
	if (dial) {
		sp_dial_adopt(dial, on_granted_event, t);
	}
	sp_deferred_call(t->tell);
}

/* Takes the connection out; the place stays taken. */
static struct sp_dial *idle_take(struct idle *idle)
{
	struct sp_dial *dial = idle->dial;

	sp_list_remove(&idle->node);
	sp_timer_free(&idle->timer);
	sp_free(idle);
	return dial;
}

static void place_free(struct site *site)
{
	SP_ASSERT(site->places > 0);
	site->places--;
	site->pool->connections--;
}

static void serve_waiting(struct site *site)
{
	struct sp_list *first;

	while ((first = sp_list_first(&site->waiting)) &&
	       (site->places < places_max(site->pool) ||
	        !sp_list_empty(&site->idle))) {
		if (site->places >= places_max(site->pool)) {
			struct sp_dial *dial = idle_take(SP_CONTAINER(
				sp_list_first(&site->idle), struct idle, node));

			sp_dial_quit(&dial);
			place_free(site);
		}
		site->places++;
		site->pool->connections++;
		grant(SP_CONTAINER(first, struct sp_pool_ticket, node), NULL);
	}
}

/* An idle connection has lived its time, or the peer has ended it. */
static void idle_end(struct idle *idle)
{
	struct site *site = idle->site;
	struct sp_dial *dial = idle_take(idle);

	sp_dial_quit(&dial);
	place_free(site);
	serve_waiting(site);
	site_drop_if_unused(site);
}

static void on_idle_timeout(void *arg)
{
	idle_end(arg);
}

static void on_idle_event(void *arg, enum sp_dial_event event)
{
	(void)event; /* whatever it says, it is not idle any more */
	idle_end(arg);
}

static struct idle *idle_find(struct site *site, struct sp_str key)
{
	SP_LIST_FOREACH (it, &site->idle) {
		struct idle *idle = SP_CONTAINER(it, struct idle, node);

		if (sp_str_eq(sp_dial_key(idle->dial), key)) {
			return idle;
		}
	}
	return NULL;
}

static struct sp_pool_ticket *waiting_find(struct site *site, struct sp_str key)
{
	SP_LIST_FOREACH (it, &site->waiting) {
		struct sp_pool_ticket *t =
			SP_CONTAINER(it, struct sp_pool_ticket, node);

		if (sp_str_eq(t->key, key)) {
			return t;
		}
	}
	return NULL;
}

struct sp_pool_ticket *sp_pool_ask(struct sp_pool *pool, struct sp_str key,
                                   struct sp_str address, sp_pool_fn *fn,
                                   void *arg)
{
	struct sp_pool_ticket *t = SP_NEW(struct sp_pool_ticket);
	struct idle *idle;

	t->site = site_find(pool, address);
	t->key = sp_str_from(sp_str_dup(key));
	t->fn = fn;
	t->arg = arg;
	t->tell = sp_deferred_new(pool->loop, on_tell, t);
	sp_list_init(&t->node);
	idle = idle_find(t->site, key);
	if (idle && sp_dial_reusable(idle->dial)) {
		grant(t, idle_take(idle));
		return t;
	}
	sp_list_append(&t->site->waiting, &t->node);
	serve_waiting(t->site);
	return t;
}

void sp_pool_cancel(struct sp_pool_ticket **ticket)
{
	struct sp_pool_ticket *t = *ticket;
	struct site *site;

	if (!t) {
		return;
	}
	*ticket = NULL;
	site = t->site;
	sp_list_remove(&t->node);
	if (t->granted) { /* a place that nobody will use */
		sp_dial_quit(&t->dial);
		place_free(site);
		serve_waiting(site);
	}
	sp_deferred_free(&t->tell);
	sp_free((char *)(uintptr_t)t->key.ptr);
	sp_free(t);
	site_drop_if_unused(site);
}

static bool worth_keeping(const struct sp_pool *pool,
                          const struct sp_dial *dial)
{
	uint64_t sent = sp_dial_facts(dial)->messages;

	return sp_dial_reusable(dial) && pool->conf->smtp.idle_timeout_ms > 0 &&
	       sent < (uint64_t)pool->conf->smtp.messages_per_connection;
}

void sp_pool_put(struct sp_pool *pool, struct sp_dial **dial)
{
	struct sp_dial *d = *dial;
	struct sp_str address = sp_str_from(sp_dial_facts(d)->address);
	struct site *site = site_find(pool, address);
	struct sp_pool_ticket *t;
	struct idle *idle;

	*dial = NULL;
	if (!worth_keeping(pool, d)) {
		char copy[SP_ADDR_TEXT];

		sp_log_escape(address, copy, sizeof(copy));
		sp_dial_quit(&d);
		sp_pool_leave(pool, sp_str_from(copy));
		return;
	}
	t = waiting_find(site, sp_dial_key(d));
	if (t) {
		grant(t, d);
		return;
	}
	idle = SP_NEW(struct idle);
	idle->site = site;
	idle->dial = d;
	idle->timer = sp_timer_new(pool->loop, on_idle_timeout, idle);
	sp_timer_set(idle->timer, pool->conf->smtp.idle_timeout_ms);
	sp_dial_adopt(d, on_idle_event, idle);
	sp_list_append(&site->idle, &idle->node);
	serve_waiting(site);
}

void sp_pool_leave(struct sp_pool *pool, struct sp_str address)
{
	struct site *site = site_find(pool, address);

	place_free(site);
	serve_waiting(site);
	site_drop_if_unused(site);
}

struct sp_pool *sp_pool_new(struct sp_loop *loop, const struct sp_conf *conf,
                            unsigned worker_count)
{
	struct sp_pool *pool = SP_NEW(struct sp_pool);

	pool->loop = loop;
	pool->conf = conf;
	pool->worker_count = worker_count ? worker_count : 1;
	sp_map_init(&pool->sites);
	sp_list_init(&pool->lingering);
	return pool;
}

/* False: there was none. */
static bool end_one_idle(struct sp_pool *pool)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&pool->sites, &it, &key, &value)) {
		struct site *site = value;
		struct sp_list *first = sp_list_first(&site->idle);

		if (first) {
			idle_end(SP_CONTAINER(first, struct idle, node));
			return true;
		}
	}
	return false;
}

/* Nobody holds a ticket or a place any more; only idle ones are left. */
void sp_pool_free(struct sp_pool **pool)
{
	struct sp_pool *p = *pool;

	if (!p) {
		return;
	}
	*pool = NULL;
	while (end_one_idle(p)) {
	}
	SP_ASSERT(p->sites.count == 0);
	sp_dial_reap(&p->lingering);
	sp_map_fini(&p->sites);
	sp_free(p);
}

void sp_pool_set_conf(struct sp_pool *pool, const struct sp_conf *conf)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *site;

	pool->conf = conf;
	while (end_one_idle(pool)) {
	}
	while (sp_map_next(&pool->sites, &it, &key, &site)) {
		serve_waiting(site);
	}
}

struct sp_list *sp_pool_lingering(struct sp_pool *pool)
{
	return &pool->lingering;
}

size_t sp_pool_connections(const struct sp_pool *pool)
{
	return pool->connections;
}
