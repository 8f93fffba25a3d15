/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work is claimed in the order in which it is due, so a destination with much
 * mail and slow servers would soon hold every place of its worker, and all
 * other mail of the worker would wait for its timeouts. So a destination may
 * have a share of the places and no more. What it has beyond that is put off,
 * without an attempt: the claim looks at each such message a few times an
 * hour, not in every turn.
 */
#include <string.h>

#include "base/mem.h"
#include "role/queue/share.h"

#define FIRST_GUESS_MS 1000 /* of how long an attempt takes */

struct destination {
	char *domain; /* owned */
	size_t in_hand;
	int64_t took_ms;      /* an attempt, on the average */
	int64_t next_free_ms; /* given to the last one that was put off */
};

struct attempt {
	struct destination *to;
	int64_t began_ms;
};

void sp_share_init(struct sp_share *share)
{
	sp_map_init(&share->attempts);
	sp_map_init(&share->domains);
}

void sp_share_fini(struct sp_share *share)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&share->attempts, &it, &key, &value)) {
		sp_free(value);
	}
	it = (struct sp_map_iter){0};
	while (sp_map_next(&share->domains, &it, &key, &value)) {
		sp_free(((struct destination *)value)->domain);
		sp_free(value);
	}
	sp_map_fini(&share->attempts);
	sp_map_fini(&share->domains);
}

static struct destination *destination(struct sp_share *share,
                                       struct sp_str domain)
{
	struct destination *d = sp_map_find(&share->domains, domain);

	if (!d) {
		d = SP_NEW(struct destination);
		d->domain = sp_str_dup(domain);
		d->took_ms = FIRST_GUESS_MS;
		(void)sp_map_set(&share->domains, domain, d);
	}
	return d;
}

void sp_share_begin(struct sp_share *share, uint64_t attempt_id,
                    struct sp_str domain, int64_t now_ms)
{
	struct sp_str key = sp_map_key_u64(&attempt_id);
	struct attempt *a;

	if (sp_map_find(&share->attempts, key)) {
		return;
	}
	a = SP_NEW(struct attempt);
	a->to = destination(share, domain);
	a->to->in_hand++;
	a->began_ms = now_ms;
	(void)sp_map_set(&share->attempts, key, a);
}

void sp_share_end(struct sp_share *share, uint64_t attempt_id, int64_t now_ms)
{
	struct attempt *a =
		sp_map_remove(&share->attempts, sp_map_key_u64(&attempt_id));
	struct destination *d;

	if (!a) {
		return;
	}
	d = a->to;
	d->took_ms = (3 * d->took_ms + now_ms - a->began_ms) / 4;
	sp_free(a);
	if (--d->in_hand == 0) {
		(void)sp_map_remove(&share->domains, sp_str_from(d->domain));
		sp_free(d->domain);
		sp_free(d);
	}
}

size_t sp_share_count(const struct sp_share *share)
{
	return share->attempts.count;
}

size_t sp_share_of(const struct sp_share *share, struct sp_str domain)
{
	const struct destination *d = sp_map_find(&share->domains, domain);

	return d ? d->in_hand : 0;
}

int64_t sp_share_later_ms(struct sp_share *share, struct sp_str domain,
                          size_t max, int64_t now_ms)
{
	struct destination *d = sp_map_find(&share->domains, domain);
	int64_t soonest_ms = now_ms + SP_SHARE_LATER_MIN_MS;
	int64_t latest_ms = now_ms + SP_SHARE_LATER_MAX_MS;

	if (!d) { /* all its attempts are of this very turn */
		return SP_SHARE_LATER_MIN_MS;
	}
	d->next_free_ms += d->took_ms / (int64_t)max + 1;
	if (d->next_free_ms < soonest_ms) {
		d->next_free_ms = soonest_ms;
	}
	if (d->next_free_ms > latest_ms) {
		d->next_free_ms = latest_ms;
	}
	return d->next_free_ms - now_ms;
}
