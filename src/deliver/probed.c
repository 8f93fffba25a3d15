/* SPDX-License-Identifier: Apache-2.0 */
/* Entries stand in the order in which they were kept: the first is the one
 * to go. */
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

struct sp_probed {
	struct sp_map entries; /* by key */
	struct sp_list order;
};

struct sp_probed *sp_probed_new(void)
{
	struct sp_probed *p = SP_NEW(struct sp_probed);

	sp_map_init(&p->entries);
	sp_list_init(&p->order);
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
	sp_free(p);
}

void sp_probed_keep(struct sp_probed *p, struct sp_str key,
                    const char *security, int64_t now_ms)
{
	struct entry *entry = sp_map_find(&p->entries, key);

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
}

const char *sp_probed_find(const struct sp_probed *p, struct sp_str key,
                           int64_t now_ms)
{
	const struct entry *entry = sp_map_find(&p->entries, key);

	return entry && now_ms - entry->at_ms < SP_PROBED_MS ? entry->security
	                                                     : NULL;
}
