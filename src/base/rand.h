/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_RAND_H
#define SP_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Random bytes from the kernel; failure aborts. */
void sp_rand_bytes(void *out, size_t len);
uint64_t sp_rand_u64(void);

/* A small seeded generator for pure code (shuffles): the same seed gives
 * the same sequence. Not for secrets. */
uint64_t sp_rand_next(uint64_t *state);
/* Uniform in [0, below); below must not be 0. */
uint64_t sp_rand_below(uint64_t *state, uint64_t below);

#define SP_ID_LEN 20 /* characters of an id, without the NUL */

/* A queue id: letters and digits, sortable by time of creation (48 bits of
 * wall_ms, then 52 random bits). */
void sp_id_new(int64_t wall_ms, char out[SP_ID_LEN + 1]);

#endif
