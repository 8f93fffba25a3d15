/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_TIME_H
#define SP_BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * The only place that asks the clock. Time points and durations are int64_t
 * milliseconds: `_ms`. Wall time counts from the Unix epoch; monotonic time
 * has no meaning outside this boot. Pure code takes `now_ms` as an argument.
 */

int64_t sp_time_wall_ms(void);
int64_t sp_time_mono_ms(void);
int64_t sp_time_mono_us(void);

/* A number of this boot of the machine; 0: not known. Two boots have two
 * numbers, one boot always the same. */
uint64_t sp_time_boot(void);

#define SP_TIME_TEXT 40

/* "2026-11-23T10:00:00.123Z" (RFC 3339). */
void sp_time_rfc3339(int64_t wall_ms, char out[SP_TIME_TEXT]);
/* "Mon, 23 Nov 2026 10:00:00 +0000" (RFC 5322 3.3). */
void sp_time_rfc5322(int64_t wall_ms, char out[SP_TIME_TEXT]);
/* Reads what sp_time_rfc3339 writes, the fraction and its digits optional,
 * offset Z or +hh:mm. 0 or SP_ESYNTAX. */
int sp_time_parse(struct sp_str s, int64_t *wall_ms_out);

/* "15m", "1h", "250ms", "2d", "1h30m"; units w d h m s ms, each at most
 * once and the larger first; a bare "0" is legal. 0, SP_ESYNTAX or SP_ELIMIT
 * (over ten years). */
int sp_duration_parse(struct sp_str s, int64_t *duration_ms_out);
/* Exact, the largest units first, such as "1h30m" for 90 minutes; weeks only
 * when nothing is left over. */
void sp_duration_format(int64_t duration_ms, char out[SP_TIME_TEXT]);

/* "50MiB", "64KiB", "1000"; units B KiB MiB GiB KB MB GB. 0, SP_ESYNTAX or
 * SP_ELIMIT (over 2^50). */
int sp_size_parse(struct sp_str s, uint64_t *size_bytes_out);

#endif
