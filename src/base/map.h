/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_MAP_H
#define SP_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * Hash map from bytes to a pointer. Keys are copied, values are borrowed.
 * The hash is keyed at random per process (SipHash-2-4), so that peers who
 * choose the keys cannot make it slow.
 */
struct sp_map {
	struct sp_map_node **buckets; /* owned */
	size_t bucket_count;
	size_t count;
};

struct sp_map_iter {
	size_t bucket;
	struct sp_map_node *node;
};

void sp_map_init(struct sp_map *m);
void sp_map_fini(struct sp_map *m); /* values are not freed */

void *sp_map_find(const struct sp_map *m, struct sp_str key); /* or null */
/* Sets the value for key; gives back the value it replaced, or null. */
void *sp_map_set(struct sp_map *m, struct sp_str key, void *value);
void *sp_map_remove(struct sp_map *m, struct sp_str key); /* value or null */

/* Walks all entries in no particular order. The entry just returned may be
 * removed; nothing may be added meanwhile. False at the end. */
bool sp_map_next(const struct sp_map *m, struct sp_map_iter *it,
                 struct sp_str *key_out, void **value_out);

/* Key helpers for integer ids: the bytes of the value itself. */
static inline struct sp_str sp_map_key_u64(const uint64_t *id)
{
	return sp_str_slice(id, sizeof(*id));
}

/* Stable over processes, machines and versions (FNV-1a 64, ASCII lower
 * case): which worker owns a domain. Not for hash tables. */
uint64_t sp_hash_stable(struct sp_str s);

#endif
