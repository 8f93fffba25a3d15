/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry for each domain of which something is to be remembered:
 *
 *   ──fetch──▶ OPEN (id, waiters) ──a policy──▶ gone, or REMEMBERED (keep)
 *               │   │                    └─nobody waits──▶ GOT, for a while
 *               │   └─all have gone (cancel), and none has left──▶ gone
 *               └─failed, or no policy──▶ PAUSED until its time ──▶ gone
 *
 * Who leaves will ask again: the fetch goes on without him.
 *
 * A row may be remembered in any of these states. Entries without an open
 * fetch are dropped, the longest untouched first, when there are too many or
 * their rows too large: this costs a fetch, or a row that the store has.
 *
 * Waiters are called from the loop: those of a fetch when its answer comes,
 * those in a pause by a deferred call.
 */
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/sts_cache.h"
#include "wire/mta_sts.h"

#define DOMAINS_MAX 5000
#define BYTES_MAX   (4u * 1024 * 1024) /* of all rows */
#define LEFT_MAX    200                /* open fetches nobody waits for */
#define GOT_MS      20000

struct entry {
	struct sp_list node;  /* in entries, the last touched at the end */
	struct sp_str domain; /* owned */
	uint64_t id;          /* of the open fetch; 0: none */
	struct sp_list waiters;
	int64_t paused_until_ms; /* monotonic */
	char *why;               /* owned: of the pause */
	struct sp_sts_row row;   /* owned; body null: none */
	bool left;               /* the open fetch goes on without waiters */
	struct sp_str got;       /* owned: a policy that nobody waited for */
	int64_t got_until_ms;    /* monotonic */
};

struct waiter {
	struct sp_list node; /* of an entry, or of paused */
	uint64_t id;
	struct entry *entry; /* null: paused, or got */
	char *why;           /* owned, with paused */
	struct sp_str got;   /* owned, with got */
	sp_sts_fetch_fn *fn;
	void *arg;
};

struct sp_sts_cache {
	struct sp_sts_source source; /* first: handed out as itself */
	struct sp_sts_backend *backend;
	int64_t back_off_ms;
	struct sp_map domains; /* struct entry by domain */
	struct sp_map waiters; /* struct waiter by id */
	struct sp_list entries;
	struct sp_list paused; /* struct waiter: told in a moment */
	size_t left;           /* entries that are */
	struct sp_deferred *tell;
	size_t bytes;
	uint64_t last_id; /* of fetches and waiters */
};

/* ---- rows ---- */

static void row_drop(struct sp_sts_cache *c, struct entry *e)
{
	c->bytes -= e->row.body.len;
	sp_free((char *)(uintptr_t)e->row.domain.ptr);
	sp_free((char *)(uintptr_t)e->row.id.ptr);
	sp_free((char *)(uintptr_t)e->row.body.ptr);
	e->row = (struct sp_sts_row){0};
}

static struct sp_str dup(struct sp_str s)
{
	return (struct sp_str){sp_str_dup(s), s.len};
}

/* row may be the entry's own. */
static void row_set(struct sp_sts_cache *c, struct entry *e,
                    const struct sp_sts_row *row)
{
	struct sp_sts_row copy = *row;

	copy.domain = dup(row->domain);
	copy.id = dup(row->id);
	copy.body = dup(row->body);
	row_drop(c, e);
	e->row = copy;
	c->bytes += copy.body.len;
}

/* ---- what nobody waited for ---- */

static void got_drop(struct sp_sts_cache *c, struct entry *e)
{
	c->bytes -= e->got.len;
	sp_free((char *)(uintptr_t)e->got.ptr);
	e->got = (struct sp_str){NULL, 0};
}

static void got_set(struct sp_sts_cache *c, struct entry *e, struct sp_str body)
{
	got_drop(c, e);
	e->got = dup(body);
	e->got_until_ms = sp_time_mono_ms() + GOT_MS;
	c->bytes += e->got.len;
}

static bool has_got(const struct entry *e)
{
	return e->got.ptr && e->got_until_ms > sp_time_mono_ms();
}

static void set_left(struct sp_sts_cache *c, struct entry *e, bool left)
{
	c->left += (size_t)left;
	c->left -= (size_t)e->left;
	e->left = left;
}

/* ---- entries ---- */

static void entry_free(struct sp_sts_cache *c, struct entry *e)
{
	sp_map_remove(&c->domains, e->domain);
	sp_list_remove(&e->node);
	row_drop(c, e);
	got_drop(c, e);
	set_left(c, e, false);
	sp_free((char *)(uintptr_t)e->domain.ptr);
	sp_free(e->why);
	sp_free(e);
}

static bool is_paused(const struct entry *e)
{
	return e->why && e->paused_until_ms > sp_time_mono_ms();
}

static void entry_tidy(struct sp_sts_cache *c, struct entry *e)
{
	if (!e->id && !e->row.body.ptr && !is_paused(e) && !has_got(e)) {
		entry_free(c, e);
	}
}

static void make_room(struct sp_sts_cache *c, const struct entry *but)
{
	SP_LIST_FOREACH_SAFE (it, next, &c->entries) {
		struct entry *e = SP_CONTAINER(it, struct entry, node);

		if (c->domains.count <= DOMAINS_MAX && c->bytes <= BYTES_MAX) {
			return;
		}
		if (e != but && !e->id) {
			entry_free(c, e);
		}
	}
}

static struct entry *entry_get(struct sp_sts_cache *c, struct sp_str domain)
{
	struct entry *e = sp_map_find(&c->domains, domain);

	if (!e) {
		e = SP_NEW(struct entry);
		e->domain = dup(domain);
		sp_list_init(&e->node);
		sp_list_init(&e->waiters);
		sp_map_set(&c->domains, domain, e);
	}
	sp_list_remove(&e->node);
	sp_list_append(&c->entries, &e->node);
	make_room(c, e);
	return e;
}

/* ---- waiters ---- */

static void waiter_free(struct sp_sts_cache *c, struct waiter *w)
{
	sp_map_remove(&c->waiters, sp_map_key_u64(&w->id));
	sp_list_remove(&w->node);
	sp_free(w->why);
	sp_free((char *)(uintptr_t)w->got.ptr);
	sp_free(w);
}

/* Taken off first: the callback may ask again, and cancel others. */
static void tell(struct sp_sts_cache *c, struct waiter *w,
                 const struct sp_sts_fetched *fetched)
{
	sp_sts_fetch_fn *fn = w->fn;
	void *arg = w->arg;

	waiter_free(c, w);
	fn(arg, fetched);
}

static void on_tell(void *arg)
{
	struct sp_sts_cache *c = arg;
	struct sp_list now;
	struct sp_list *it;

	sp_list_init(&now);
	while ((it = sp_list_first(&c->paused))) {
		sp_list_remove(it);
		sp_list_append(&now, it);
	}
	while ((it = sp_list_first(&now))) {
		struct waiter *w = SP_CONTAINER(it, struct waiter, node);
		char *why = w->why;
		struct sp_str got = w->got;
		const struct sp_sts_fetched fetched = {
			.status = why ? SP_STS_FETCH_BACKOFF : SP_STS_FETCHED,
			.body = got,
			.why = sp_str_from(why),
		};

		w->why = NULL;
		w->got = (struct sp_str){NULL, 0};
		tell(c, w, &fetched);
		sp_free(why);
		sp_free((char *)(uintptr_t)got.ptr);
	}
}

static uint64_t fetch(struct sp_sts_source *source, struct sp_str domain,
                      sp_sts_fetch_fn *fn, void *arg)
{
	struct sp_sts_cache *c = (struct sp_sts_cache *)source;
	struct entry *e = entry_get(c, domain);
	struct waiter *w = SP_NEW(struct waiter);

	w->id = ++c->last_id;
	w->fn = fn;
	w->arg = arg;
	sp_list_init(&w->node);
	sp_map_set(&c->waiters, sp_map_key_u64(&w->id), w);
	if (!e->id && (is_paused(e) || has_got(e))) {
		if (is_paused(e)) {
			w->why = sp_strdup(e->why);
		} else {
			w->got = dup(e->got);
			got_drop(c, e); /* a later one may be of another id */
		}
		sp_list_append(&c->paused, &w->node);
		sp_deferred_call(c->tell);
		return w->id;
	}
	w->entry = e;
	sp_list_append(&e->waiters, &w->node);
	if (!e->id) {
		e->id = ++c->last_id;
		c->backend->start(c->backend, e->id, e->domain);
	}
	return w->id;
}

static void go(struct sp_sts_source *source, uint64_t id, bool leave)
{
	struct sp_sts_cache *c = (struct sp_sts_cache *)source;
	struct waiter *w = sp_map_find(&c->waiters, sp_map_key_u64(&id));
	struct entry *e;

	if (!w) {
		return;
	}
	e = w->entry;
	waiter_free(c, w);
	if (!e || !e->id) {
		return;
	}
	if (leave && c->left < LEFT_MAX) {
		set_left(c, e, true);
	}
	if (sp_list_empty(&e->waiters) && !e->left) {
		c->backend->cancel(c->backend, e->id);
		e->id = 0;
		entry_tidy(c, e);
	}
}

static void cancel(struct sp_sts_source *source, uint64_t id)
{
	go(source, id, false);
}

static void leave(struct sp_sts_source *source, uint64_t id)
{
	go(source, id, true);
}

static const struct sp_sts_row *find(struct sp_sts_source *source,
                                     struct sp_str domain)
{
	const struct sp_sts_cache *c = (struct sp_sts_cache *)source;
	const struct entry *e = sp_map_find(&c->domains, domain);

	return e && e->row.body.ptr ? &e->row : NULL;
}

static void keep(struct sp_sts_source *source, const struct sp_sts_row *row)
{
	struct sp_sts_cache *c = (struct sp_sts_cache *)source;
	struct entry *e = entry_get(c, row->domain);

	row_set(c, e, row);
	make_room(c, e);
	if (c->backend->kept) {
		c->backend->kept(c->backend, &e->row);
	}
}

/* ---- answers ---- */

static struct entry *entry_of(struct sp_sts_cache *c, uint64_t id)
{
	SP_LIST_FOREACH (it, &c->entries) {
		struct entry *e = SP_CONTAINER(it, struct entry, node);

		if (e->id == id) {
			return e;
		}
	}
	return NULL;
}

/* A file that is no policy is not asked for again at once either. */
static bool is_policy(const struct sp_sts_fetched *fetched, char *why)
{
	struct sp_sts_policy policy;
	struct sp_arena arena;
	int r;

	sp_arena_init(&arena);
	r = sp_sts_policy_parse(fetched->body, &arena, &policy, why);
	sp_arena_fini(&arena);
	return r == 0;
}

static void note_failure(struct sp_sts_cache *c, struct entry *e,
                         const struct sp_sts_fetched *fetched)
{
	char why[SP_STS_WHY_MAX] = "";

	SP_FREE(&e->why);
	if (fetched->status != SP_STS_FETCHED) {
		e->why = sp_str_dup(fetched->why);
	} else if (!is_policy(fetched, why)) {
		e->why = sp_strdup(why);
	} else {
		return;
	}
	e->paused_until_ms = sp_time_mono_ms() + c->back_off_ms;
}

void sp_sts_cache_done(struct sp_sts_cache *c, uint64_t id,
                       const struct sp_sts_fetched *fetched)
{
	struct entry *e = id ? entry_of(c, id) : NULL;
	struct sp_list now;
	struct sp_list *it;

	if (!e) {
		return;
	}
	e->id = 0;
	set_left(c, e, false);
	note_failure(c, e, fetched);
	if (sp_list_empty(&e->waiters) && !e->why) {
		got_set(c, e, fetched->body);
	}
	sp_list_init(&now);
	while ((it = sp_list_first(&e->waiters))) {
		sp_list_remove(it);
		sp_list_append(&now, it);
		SP_CONTAINER(it, struct waiter, node)->entry = NULL;
	}
	entry_tidy(c, e); /* not touched below: callbacks may end it */
	while ((it = sp_list_first(&now))) {
		tell(c, SP_CONTAINER(it, struct waiter, node), fetched);
	}
}

void sp_sts_cache_stored(struct sp_sts_cache *c, const struct sp_sts_row *row)
{
	struct entry *e = sp_map_find(&c->domains, row->domain);

	if (e && e->row.body.ptr && e->row.fetched_ms <= row->fetched_ms) {
		row_drop(c, e);
		entry_tidy(c, e);
	}
}

void sp_sts_cache_each(struct sp_sts_cache *c, sp_sts_row_fn *fn, void *arg)
{
	SP_LIST_FOREACH (it, &c->entries) {
		const struct entry *e = SP_CONTAINER(it, struct entry, node);

		if (e->row.body.ptr) {
			fn(arg, &e->row);
		}
	}
}

void sp_sts_cache_restart(struct sp_sts_cache *c)
{
	SP_LIST_FOREACH (it, &c->entries) {
		const struct entry *e = SP_CONTAINER(it, struct entry, node);

		if (e->id) {
			c->backend->start(c->backend, e->id, e->domain);
		}
	}
}

/* ---- life ---- */

struct sp_sts_cache *sp_sts_cache_new(struct sp_loop *loop,
                                      struct sp_sts_backend *backend,
                                      int64_t back_off_ms)
{
	struct sp_sts_cache *c = SP_NEW(struct sp_sts_cache);

	c->source = (struct sp_sts_source){fetch, cancel, leave, find, keep};
	c->backend = backend;
	c->back_off_ms = back_off_ms;
	sp_map_init(&c->domains);
	sp_map_init(&c->waiters);
	sp_list_init(&c->entries);
	sp_list_init(&c->paused);
	c->tell = sp_deferred_new(loop, on_tell, c);
	return c;
}

void sp_sts_cache_free(struct sp_sts_cache **cache)
{
	struct sp_sts_cache *c = *cache;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	if (!c) {
		return;
	}
	*cache = NULL;
	while (sp_map_next(&c->waiters, &it, &key, &value)) {
		waiter_free(c, value);
		it = (struct sp_map_iter){0};
	}
	SP_LIST_FOREACH_SAFE (node, next, &c->entries) {
		entry_free(c, SP_CONTAINER(node, struct entry, node));
	}
	sp_map_fini(&c->waiters);
	sp_map_fini(&c->domains);
	sp_deferred_free(&c->tell);
	sp_free(c);
}

void sp_sts_cache_set_back_off(struct sp_sts_cache *c, int64_t ms)
{
	c->back_off_ms = ms;
}

struct sp_sts_source *sp_sts_cache_borrow(struct sp_sts_cache *c)
{
	return &c->source;
}
