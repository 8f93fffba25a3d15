/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Randomness: the kernel's for what a peer must not guess, splitmix64 for
 * what a test must be able to repeat.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/rand.h"

/* A few numbers at a time, for one call of the kernel. A forked process must
 * not go on with its parent's. */
static struct {
	uint64_t numbers[32];
	size_t left;
	bool watches_fork;
} pool;

static void forked(void)
{
	pool.left = 0;
}

void sp_rand_bytes(void *out, size_t len)
{
	char *at = out;

	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		SP_ASSERT(got > 0);
		at += got;
		len -= (size_t)got;
	}
}

uint64_t sp_rand_u64(void)
{
	uint64_t value;

	if (!pool.watches_fork) {
		SP_ASSERT(pthread_atfork(NULL, NULL, forked) == 0);
		pool.watches_fork = true;
	}
	if (pool.left == 0) {
		pool.left = sizeof(pool.numbers) / sizeof(pool.numbers[0]);
		sp_rand_bytes(pool.numbers, sizeof(pool.numbers));
	}
	value = pool.numbers[--pool.left];
	pool.numbers[pool.left] = 0;
	return value;
}

uint64_t sp_rand_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

uint64_t sp_rand_below(uint64_t *state, uint64_t below)
{
	SP_ASSERT(below > 0);
	/* Values under 2^64 mod below would favour the small results. */
	uint64_t reject = (0 - below) % below;
	uint64_t value;

	do {
		value = sp_rand_next(state);
	} while (value < reject);
	return value % below;
}

/* Twenty digits of five bits, in an alphabet that sorts like its values. */
void sp_id_new(int64_t wall_ms, char out[SP_ID_LEN + 1])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t time_bits = (uint64_t)wall_ms & 0xffffffffffffU;
	uint64_t random_bits = sp_rand_u64() & 0xfffffffffffffU;
	uint64_t high = time_bits << 2 | random_bits >> 50;
	uint64_t low = random_bits & 0x3ffffffffffffU;

	for (int i = 9; i >= 0; i--) {
		out[i] = digits[high & 31];
		out[i + 10] = digits[low & 31];
		high >>= 5;
		low >>= 5;
	}
	out[SP_ID_LEN] = '\0';
}
