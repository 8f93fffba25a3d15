/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4: a short keyed hash. Whoever does not know the key cannot
 * find keys that collide, which is all that base/map needs.
 */
#include "base/siphash.h"

static uint64_t rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static void rounds(uint64_t v[4], int count)
{
	for (int i = 0; i < count; i++) {
		v[0] += v[1];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[0] = rotl(v[0], 32);
		v[2] += v[3];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[2] = rotl(v[2], 32);
	}
}

/* Up to eight bytes, the first the least significant. */
static uint64_t load_le(struct sp_str s)
{
	uint64_t word = 0;

	for (size_t i = 0; i < s.len; i++) {
		word |= (uint64_t)(uint8_t)s.ptr[i] << (8 * i);
	}
	return word;
}

static void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

uint64_t sp_siphash(const uint64_t key[2], struct sp_str s)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575U,
		key[1] ^ 0x646f72616e646f6dU,
		key[0] ^ 0x6c7967656e657261U,
		key[1] ^ 0x7465646279746573U,
	};
	size_t whole = s.len - s.len % 8;

	for (size_t i = 0; i < whole; i += 8) {
		absorb(v, load_le(sp_str_sub(s, i, 8)));
	}
	absorb(v, (uint64_t)s.len << 56 | load_le(sp_str_sub(s, whole, 7)));
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
