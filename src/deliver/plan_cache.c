/* SPDX-License-Identifier: Apache-2.0 */
/* Entries stand in the order in which they were kept: the first is the one
 * to go. */
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "deliver/evidence.h"
#include "deliver/plan_cache.h"

#define TEXT_MAX 16384

struct entry {
	struct sp_list node;
	char *domain;                  /* owned */
	struct sp_shared_plan *shared; /* held */
	int64_t until_ms;
};

struct sp_plan_cache {
	struct sp_map entries; /* by domain */
	struct sp_list order;
};

struct sp_shared_plan *sp_shared_plan_new(struct sp_plan **plan)
{
	struct sp_shared_plan *shared = SP_NEW(struct sp_shared_plan);

	shared->plan = *plan;
	shared->holders = 1;
	sp_buf_init(&shared->text, TEXT_MAX);
	*plan = NULL;
	return shared;
}

struct sp_shared_plan *sp_shared_plan_hold(struct sp_shared_plan *shared)
{
	shared->holders++;
	return shared;
}

void sp_shared_plan_drop(struct sp_shared_plan **shared)
{
	struct sp_shared_plan *s = *shared;

	*shared = NULL;
	if (s && --s->holders == 0) {
		sp_plan_free(&s->plan);
		sp_json_free(&s->evidence);
		sp_buf_fini(&s->text);
		sp_free(s);
	}
}

struct sp_json *sp_shared_plan_evidence(struct sp_shared_plan *shared)
{
	if (!shared->evidence) {
		shared->evidence = sp_evidence_plan(shared->plan);
	} else if (sp_buf_len(&shared->text) == 0 &&
	           sp_buf_error(&shared->text) == 0) {
		/* One that is too long stays untold. */
		(void)sp_json_write(shared->evidence, &shared->text);
	}
	return sp_json_share(shared->evidence);
}

struct sp_json_known sp_shared_plan_known(const struct sp_shared_plan *shared)
{
	struct sp_json_known known = {.text = sp_buf_str(&shared->text)};

	known.value = known.text.len ? shared->evidence : NULL;
	return known;
}

struct sp_plan_cache *sp_plan_cache_new(void)
{
	struct sp_plan_cache *cache = SP_NEW(struct sp_plan_cache);

	sp_map_init(&cache->entries);
	sp_list_init(&cache->order);
	return cache;
}

static void entry_end(struct sp_plan_cache *cache, struct entry *entry)
{
	(void)sp_map_remove(&cache->entries, sp_str_from(entry->domain));
	sp_list_remove(&entry->node);
	sp_shared_plan_drop(&entry->shared);
	sp_free(entry->domain);
	sp_free(entry);
}

void sp_plan_cache_forget(struct sp_plan_cache *cache, struct sp_str domain)
{
	struct entry *entry = sp_map_find(&cache->entries, domain);

	if (entry) {
		entry_end(cache, entry);
	}
}

void sp_plan_cache_clear(struct sp_plan_cache *cache)
{
	SP_LIST_FOREACH_SAFE (it, next, &cache->order) {
		entry_end(cache, SP_CONTAINER(it, struct entry, node));
	}
}

void sp_plan_cache_free(struct sp_plan_cache **cache)
{
	struct sp_plan_cache *c = *cache;

	if (!c) {
		return;
	}
	*cache = NULL;
	sp_plan_cache_clear(c);
	sp_map_fini(&c->entries);
	sp_free(c);
}

struct sp_shared_plan *sp_plan_cache_find(struct sp_plan_cache *cache,
                                          struct sp_str domain, int64_t now_ms)
{
	struct entry *entry = sp_map_find(&cache->entries, domain);

	return entry && now_ms < entry->until_ms ? entry->shared : NULL;
}

static struct entry *oldest(struct sp_plan_cache *cache)
{
	struct sp_list *first = sp_list_first(&cache->order);

	return first ? SP_CONTAINER(first, struct entry, node) : NULL;
}

bool sp_plan_cache_age(struct sp_plan_cache *cache, int64_t now_ms)
{
	struct entry *entry;

	while ((entry = oldest(cache)) && now_ms >= entry->until_ms) {
		entry_end(cache, entry);
	}
	return entry != NULL;
}

static int64_t good_for_ms(const struct sp_plan *plan)
{
	int64_t ttl_ms = (int64_t)plan->ttl_s * 1000;

	if (plan->verdict.class != SP_VERDICT_DELIVERED) {
		return 0;
	}
	return ttl_ms < SP_PLAN_SHARE_MS ? ttl_ms : SP_PLAN_SHARE_MS;
}

void sp_plan_cache_keep(struct sp_plan_cache *cache, struct sp_str domain,
                        struct sp_shared_plan *shared, int64_t now_ms)
{
	struct entry *entry = sp_map_find(&cache->entries, domain);
	int64_t good_ms = good_for_ms(shared->plan);

	if (entry) {
		entry_end(cache, entry);
	} else if (cache->entries.count >= SP_PLAN_CACHE_MAX) {
		entry_end(cache, oldest(cache));
	}
	if (good_ms <= 0) {
		return;
	}
	entry = SP_NEW(struct entry);
	entry->domain = sp_str_dup(domain);
	entry->shared = sp_shared_plan_hold(shared);
	entry->until_ms = now_ms + good_ms;
	(void)sp_map_set(&cache->entries, domain, entry);
	sp_list_append(&cache->order, &entry->node);
}
