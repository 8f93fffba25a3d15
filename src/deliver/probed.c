/* SPDX-License-Identifier: Apache-2.0 */
/* Entries stand in the order in which they were kept: the first is the one
 * to go. Who waits stands with the probe it waits for, and from that one's
 * end on, or when it is late, in the list of those who are to be told. */
#include "base/assert.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "deliver/probed.h"

struct entry {
	struct sp_list node;
	char *key; /* owned */
	const char *security;
	int64_t at_ms;
};

struct sp_probed_turn {
	struct sp_probed *probed;
	char *key;              /* owned; null: it waits */
	struct sp_list waiting; /* of turns; of one that waits, its node */
	struct sp_timer *late;  /* null: it waits, or is late */
	sp_probed_fn *fn;
	void *arg;
};

struct sp_probed {
	struct sp_loop *loop;
	int64_t wait_ms;
	struct sp_map entries; /* by key */
	struct sp_list order;
	struct sp_map turns; /* struct sp_probed_turn, by key */
	struct sp_list told; /* struct sp_probed_turn: soon */
	struct sp_deferred *tell;
};

/* What fn does may end others of the list. */
static void on_tell(void *arg)
{
	struct sp_probed *p = arg;
	struct sp_list *first;

	while ((first = sp_list_first(&p->told))) {
		struct sp_probed_turn *turn =
			SP_CONTAINER(first, struct sp_probed_turn, waiting);

		sp_list_remove(&turn->waiting);
		turn->fn(turn->arg);
	}
}

struct sp_probed *sp_probed_new(struct sp_loop *loop, int64_t wait_ms)
{
	struct sp_probed *p = SP_NEW(struct sp_probed);

	p->loop = loop;
	p->wait_ms = wait_ms;
	sp_map_init(&p->entries);
	sp_list_init(&p->order);
	sp_map_init(&p->turns);
	sp_list_init(&p->told);
	p->tell = sp_deferred_new(loop, on_tell, p);
	return p;
}

static void entry_end(struct sp_probed *p, struct entry *entry)
{
	(void)sp_map_remove(&p->entries, sp_str_from(entry->key));
	sp_list_remove(&entry->node);
	sp_free(entry->key);
	sp_free(entry);
}

void sp_probed_free(struct sp_probed **probed)
{
	struct sp_probed *p = *probed;

	if (!p) {
		return;
	}
	*probed = NULL;
	SP_LIST_FOREACH_SAFE (it, next, &p->order) {
		entry_end(p, SP_CONTAINER(it, struct entry, node));
	}
	sp_map_fini(&p->entries);
	SP_ASSERT(p->turns.count == 0 && sp_list_empty(&p->told));
	sp_map_fini(&p->turns);
	sp_deferred_free(&p->tell);
	sp_free(p);
}

static void let_go(struct sp_probed_turn *turn)
{
	struct sp_probed *p = turn->probed;
	struct sp_list *first;

	while ((first = sp_list_first(&turn->waiting))) {
		sp_list_remove(first);
		sp_list_append(&p->told, first);
		sp_deferred_call(p->tell);
	}
}

void sp_probed_keep(struct sp_probed *p, struct sp_str key,
                    const char *security, int64_t now_ms)
{
	struct entry *entry = sp_map_find(&p->entries, key);
	struct sp_probed_turn *turn = sp_map_find(&p->turns, key);

	if (entry) {
		entry_end(p, entry);
	} else if (p->entries.count >= SP_PROBED_MAX) {
		entry_end(p, SP_CONTAINER(sp_list_first(&p->order),
		                          struct entry, node));
	}
	entry = SP_NEW(struct entry);
	entry->key = sp_str_dup(key);
	entry->security = security;
	entry->at_ms = now_ms;
	(void)sp_map_set(&p->entries, key, entry);
	sp_list_append(&p->order, &entry->node);
	if (turn) { /* maybe another's */
		let_go(turn);
	}
}

const char *sp_probed_find(const struct sp_probed *p, struct sp_str key,
                           int64_t now_ms)
{
	const struct entry *entry = sp_map_find(&p->entries, key);

	return entry && now_ms - entry->at_ms < SP_PROBED_MS ? entry->security
	                                                     : NULL;
}

/* --- turns --- */

static void on_late(void *arg)
{
	struct sp_probed_turn *turn = arg;

	sp_timer_free(&turn->late);
	let_go(turn);
}

static struct sp_probed_turn *turn_new(struct sp_probed *p)
{
	struct sp_probed_turn *turn = SP_NEW(struct sp_probed_turn);

	turn->probed = p;
	sp_list_init(&turn->waiting);
	return turn;
}

struct sp_probed_turn *sp_probed_begin(struct sp_probed *p, struct sp_str key)
{
	struct sp_probed_turn *turn;

	if (sp_map_find(&p->turns, key)) {
		return NULL;
	}
	turn = turn_new(p);
	turn->key = sp_str_dup(key);
	turn->late = sp_timer_new(p->loop, on_late, turn);
	sp_timer_set(turn->late, p->wait_ms);
	(void)sp_map_set(&p->turns, key, turn);
	return turn;
}

struct sp_probed_turn *sp_probed_await(struct sp_probed *p, struct sp_str key,
                                       sp_probed_fn *fn, void *arg)
{
	struct sp_probed_turn *other = sp_map_find(&p->turns, key);
	struct sp_probed_turn *turn;

	if (!other || !other->late) {
		return NULL;
	}
	turn = turn_new(p);
	turn->fn = fn;
	turn->arg = arg;
	sp_list_append(&other->waiting, &turn->waiting);
	return turn;
}

void sp_probed_end(struct sp_probed_turn **turn)
{
	struct sp_probed_turn *t = *turn;

	if (!t) {
		return;
	}
	*turn = NULL;
	if (t->key) {
		(void)sp_map_remove(&t->probed->turns, sp_str_from(t->key));
		sp_timer_free(&t->late);
		let_go(t);
		sp_free(t->key);
	} else {
		sp_list_remove(&t->waiting);
	}
	sp_free(t);
}
