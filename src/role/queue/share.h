/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_QUEUE_SHARE_H
#define SP_ROLE_QUEUE_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/str.h"

/*
 * What a worker has in hand, by destination, and when a destination that has
 * its full share may have more. Times are monotonic, in milliseconds.
 */
struct sp_share {
	struct sp_map attempts; /* attempt id -> struct attempt */
	struct sp_map domains;  /* domain -> struct destination */
};

void sp_share_init(struct sp_share *share);
void sp_share_fini(struct sp_share *share);

/* The worker has the attempt; again with the same id changes nothing. */
void sp_share_begin(struct sp_share *share, uint64_t attempt_id,
                    struct sp_str domain, int64_t now_ms);
/* It has it no more; an unknown id changes nothing. */
void sp_share_end(struct sp_share *share, uint64_t attempt_id, int64_t now_ms);

size_t sp_share_count(const struct sp_share *share); /* of all attempts */
size_t sp_share_of(const struct sp_share *share, struct sp_str domain);

/*
 * In how many milliseconds a message is to be due again that finds its
 * domain with all `max` attempts in hand. Each call for a domain names a time
 * later than the last by what one of max attempts lately took, so that they
 * come back about as fast as they can be served; none waits longer than
 * SP_SHARE_LATER_MAX_MS.
 */
int64_t sp_share_later_ms(struct sp_share *share, struct sp_str domain,
                          size_t max, int64_t now_ms);
#define SP_SHARE_LATER_MIN_MS 1000
#define SP_SHARE_LATER_MAX_MS 300000

#endif
