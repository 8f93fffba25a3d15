/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map with chained nodes; the number of buckets is a power of two and
 * doubles when there is more than one entry per bucket. It never shrinks.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/siphash.h"

#define MIN_BUCKETS 16U

struct sp_map_node {
	struct sp_map_node *next;
	void *value; /* borrowed */
	uint64_t hash;
	size_t key_len;
	char key[];
};

/* One key for all maps of the process, drawn at the first use. */
static uint64_t hash_key(struct sp_str key)
{
	static uint64_t secret[2];
	static bool drawn;

	if (!drawn) {
		sp_rand_bytes(secret, sizeof(secret));
		drawn = true;
	}
	return sp_siphash(secret, key);
}

static struct sp_map_node **bucket_of(const struct sp_map *m, uint64_t hash)
{
	return &m->buckets[hash & (m->bucket_count - 1)];
}

/* Where the pointer to the node of key stands, or the end of its chain. */
static struct sp_map_node **locate(const struct sp_map *m, struct sp_str key,
                                   uint64_t hash)
{
	struct sp_map_node **at = bucket_of(m, hash);

	for (; *at; at = &(*at)->next) {
		struct sp_str have = {(*at)->key, (*at)->key_len};
		if ((*at)->hash == hash && sp_str_eq(have, key)) {
			break;
		}
	}
	return at;
}

static void grow(struct sp_map *m)
{
	struct sp_map_node **old = m->buckets;
	size_t old_count = m->bucket_count;

	m->bucket_count = old_count ? 2 * old_count : MIN_BUCKETS;
	m->buckets = sp_calloc(m->bucket_count, sizeof(struct sp_map_node *));
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct sp_map_node *node = old[i];
			struct sp_map_node **to = bucket_of(m, node->hash);
			old[i] = node->next;
			node->next = *to;
			*to = node;
		}
	}
	sp_free(old);
}

void sp_map_init(struct sp_map *m)
{
	*m = (struct sp_map){0};
}

void sp_map_fini(struct sp_map *m)
{
	for (size_t i = 0; i < m->bucket_count; i++) {
		while (m->buckets[i]) {
			struct sp_map_node *node = m->buckets[i];
			m->buckets[i] = node->next;
			sp_free(node);
		}
	}
	sp_free(m->buckets);
	sp_map_init(m);
}

void *sp_map_find(const struct sp_map *m, struct sp_str key)
{
	if (m->count == 0) {
		return NULL;
	}
	struct sp_map_node *node = *locate(m, key, hash_key(key));

	return node ? node->value : NULL;
}

static struct sp_map_node *node_new(struct sp_str key, uint64_t hash)
{
	struct sp_map_node *node = sp_calloc(1, sizeof(*node) + key.len);

	node->hash = hash;
	node->key_len = key.len;
	if (key.len > 0) {
		memcpy(node->key, key.ptr, key.len);
	}
	return node;
}

void *sp_map_set(struct sp_map *m, struct sp_str key, void *value)
{
	uint64_t hash = hash_key(key);

	if (m->count >= m->bucket_count) {
		grow(m);
	}
	struct sp_map_node **at = locate(m, key, hash);
	if (!*at) {
		*at = node_new(key, hash);
		m->count++;
	}
	void *replaced = (*at)->value;
	(*at)->value = value;
	return replaced;
}

void *sp_map_remove(struct sp_map *m, struct sp_str key)
{
	if (m->count == 0) {
		return NULL;
	}
	struct sp_map_node **at = locate(m, key, hash_key(key));
	struct sp_map_node *node = *at;
	if (!node) {
		return NULL;
	}
	void *value = node->value;
	*at = node->next;
	sp_free(node);
	m->count--;
	return value;
}

/* it->node is the next entry of the chain, it->bucket the next chain. */
bool sp_map_next(const struct sp_map *m, struct sp_map_iter *it,
                 struct sp_str *key_out, void **value_out)
{
	while (!it->node) {
		if (it->bucket >= m->bucket_count) {
			return false;
		}
		it->node = m->buckets[it->bucket++];
	}
	if (key_out) {
		*key_out = sp_str_slice(it->node->key, it->node->key_len);
	}
	if (value_out) {
		*value_out = it->node->value;
	}
	it->node = it->node->next;
	return true;
}

uint64_t sp_hash_stable(struct sp_str s)
{
	uint64_t hash = 0xcbf29ce484222325U;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t byte = (uint8_t)sp_ascii_lower(s.ptr[i]);

		hash = (hash ^ byte) * 0x100000001b3U;
	}
	return hash;
}
