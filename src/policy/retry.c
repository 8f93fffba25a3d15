/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts stand on a fixed grid that begins at the first attempt: what is
 * computed here is a point of that grid, never "now plus something". An
 * attempt that takes long may run over points of the grid; they are gone,
 * and the next one is where it always was.
 *
 * Everything is arithmetic, no loop runs longer than the list of steps:
 * schedules of milliseconds over years are legal.
 */
#include <limits.h>

#include "base/assert.h"
#include "policy/retry.h"

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t mul(int64_t a, int64_t b)
{
	int64_t product;

	return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

/* A step of nothing would be a busy loop: the shortest is a millisecond. */
static int64_t step(const struct sp_retry *retry, size_t i)
{
	return retry->steps_ms[i] > 0 ? retry->steps_ms[i] : 1;
}

static int64_t last_step(const struct sp_retry *retry)
{
	SP_ASSERT(retry->step_count >= 1 &&
	          retry->step_count <= SP_RETRY_STEPS_MAX);
	return step(retry, retry->step_count - 1);
}

int64_t sp_retry_offset_ms(const struct sp_retry *retry, unsigned attempt)
{
	int64_t last = last_step(retry);
	size_t steps = attempt > 0 ? attempt - 1 : 0;
	size_t listed = steps < retry->step_count ? steps : retry->step_count;
	int64_t offset = 0;

	for (size_t i = 0; i < listed; i++) {
		offset = add(offset, step(retry, i));
	}
	return add(offset, mul(last, (int64_t)(steps - listed)));
}

int64_t sp_retry_expires_ms(const struct sp_retry *retry, int64_t queued_ms)
{
	return add(queued_ms, retry->expire_ms);
}

/* The first point of the grid behind elapsed_ms. */
static int64_t grid_after(const struct sp_retry *retry, int64_t elapsed_ms)
{
	int64_t last = last_step(retry);
	int64_t offset = 0;

	for (size_t i = 0; i < retry->step_count; i++) {
		if (offset > elapsed_ms) {
			return offset;
		}
		offset = add(offset, step(retry, i));
	}
	if (offset > elapsed_ms) {
		return offset;
	}
	return add(offset, mul(last, (elapsed_ms - offset) / last + 1));
}

int64_t sp_retry_next_ms(const struct sp_retry *retry, int64_t queued_ms,
                         int64_t first_attempt_ms, unsigned attempts,
                         int64_t now_ms)
{
	int64_t elapsed_ms = now_ms - first_attempt_ms;
	int64_t due_ms;

	if (attempts == 0) {
		due_ms = now_ms;
	} else {
		/* A clock set back must not repeat the first attempt. */
		if (elapsed_ms < 0) {
			elapsed_ms = 0;
		}
		due_ms = add(first_attempt_ms, grid_after(retry, elapsed_ms));
	}
	return due_ms < sp_retry_expires_ms(retry, queued_ms) ? due_ms : -1;
}

unsigned sp_retry_planned(const struct sp_retry *retry)
{
	int64_t last = last_step(retry);
	int64_t offset = 0;
	uint64_t count = 0;

	for (size_t i = 0; i < retry->step_count; i++) {
		if (offset >= retry->expire_ms) {
			return (unsigned)count;
		}
		count++;
		offset = add(offset, step(retry, i));
	}
	if (offset < retry->expire_ms) {
		count += (uint64_t)((retry->expire_ms - offset - 1) / last) + 1;
	}
	return count > UINT_MAX ? UINT_MAX : (unsigned)count;
}
