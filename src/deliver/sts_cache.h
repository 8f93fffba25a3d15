/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_STS_CACHE_H
#define SP_DELIVER_STS_CACHE_H

#include "deliver/sts.h"
#include "net/loop.h"

/*
 * The source of policies in one process, whoever does the fetching: one fetch
 * at a time for a domain, a pause after one that failed or brought no policy
 * (RFC 8461 3.3), and a bounded memory of the rows that are newer than those
 * of the store. Nothing of it is needed for correctness after a restart.
 */

struct sp_sts_backend {
	/* The answer comes by sp_sts_cache_done, never from inside. */
	void (*start)(struct sp_sts_backend *backend, uint64_t id,
	              struct sp_str domain);
	/* Nobody waits for it any more: no answer. */
	void (*cancel)(struct sp_sts_backend *backend, uint64_t id);
	/* A fresh policy was noted: the store should have it. May be null. */
	void (*kept)(struct sp_sts_backend *backend,
	             const struct sp_sts_row *row);
};

struct sp_sts_cache;

/* The backend is borrowed. */
struct sp_sts_cache *sp_sts_cache_new(struct sp_loop *loop,
                                      struct sp_sts_backend *backend,
                                      int64_t back_off_ms);
void sp_sts_cache_free(struct sp_sts_cache **cache); /* drops what is open */
void sp_sts_cache_set_back_off(struct sp_sts_cache *cache, int64_t ms);
struct sp_sts_source *sp_sts_cache_borrow(struct sp_sts_cache *cache);

/* What a fetch came to; an id that is not open any more is harmless. */
void sp_sts_cache_done(struct sp_sts_cache *cache, uint64_t id,
                       const struct sp_sts_fetched *fetched);

/* This row came from the store: what is remembered of the domain goes unless
 * it is newer. */
void sp_sts_cache_stored(struct sp_sts_cache *cache,
                         const struct sp_sts_row *row);

typedef void sp_sts_row_fn(void *arg, const struct sp_sts_row *row);
/* All rows that are remembered. */
void sp_sts_cache_each(struct sp_sts_cache *cache, sp_sts_row_fn *fn,
                       void *arg);
/* Fetches that are open: to be started again by a backend that has lost
 * them. */
void sp_sts_cache_restart(struct sp_sts_cache *cache);

#endif
