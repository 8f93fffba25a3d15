/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing bytes. The maximum counts live bytes; the memory behind them may
 * be up to twice that, so that a buffer which is filled at one end and
 * drained at the other moves each byte a bounded number of times: bytes are
 * moved to the front only when at least as many were consumed before them,
 * and new memory is always twice of what is needed now.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define MIN_CAP 64U

void sp_buf_init(struct sp_buf *b, size_t max)
{
	SP_ASSERT(max <= SIZE_MAX / 4);
	*b = (struct sp_buf){.max = max};
}

void sp_buf_fini(struct sp_buf *b)
{
	SP_FREE(&b->data);
	sp_buf_init(b, b->max);
}

void sp_buf_reset(struct sp_buf *b)
{
	b->start = 0;
	b->end = 0;
	b->failed = false;
}

void sp_buf_give_back(struct sp_buf *b, size_t keep)
{
	if (sp_buf_len(b) == 0 && b->cap > keep && !b->failed) {
		sp_buf_fini(b);
	}
}

size_t sp_buf_len(const struct sp_buf *b)
{
	return b->end - b->start;
}

size_t sp_buf_room(const struct sp_buf *b)
{
	return b->max - sp_buf_len(b);
}

/* Makes space for len bytes behind the end, whatever the maximum says. */
static void make_space(struct sp_buf *b, size_t len)
{
	size_t live = sp_buf_len(b);

	if (b->data && len <= b->cap - b->end) {
		return;
	}
	if (b->data && b->start >= live && len <= b->cap - live) {
		memcpy(b->data, b->data + b->start, live);
	} else {
		size_t cap = 2 * (live + len);
		cap = cap < MIN_CAP ? MIN_CAP : cap;
		char *data = sp_alloc(cap);
		if (b->data) {
			memcpy(data, b->data + b->start, live);
		}
		sp_free(b->data);
		b->data = data;
		b->cap = cap;
	}
	b->start = 0;
	b->end = live;
}

static bool admit(struct sp_buf *b, size_t len)
{
	if (b->failed || len > sp_buf_room(b)) {
		b->failed = true;
		return false;
	}
	return true;
}

int sp_buf_append(struct sp_buf *b, const void *data, size_t len)
{
	if (!admit(b, len)) {
		return SP_ELIMIT;
	}
	if (len > 0) {
		make_space(b, len);
		memcpy(b->data + b->end, data, len);
		b->end += len;
	}
	return 0;
}

int sp_buf_append_str(struct sp_buf *b, struct sp_str s)
{
	return sp_buf_append(b, s.ptr, s.len);
}

int sp_buf_append_cstr(struct sp_buf *b, const char *s)
{
	return sp_buf_append_str(b, sp_str_from(s));
}

int sp_buf_append_char(struct sp_buf *b, char c)
{
	return sp_buf_append(b, &c, 1);
}

int sp_buf_printf(struct sp_buf *b, const char *fmt, ...)
{
	size_t spare = b->data ? b->cap - b->end : 0;
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(spare ? b->data + b->end : NULL, spare, fmt, args);
	va_end(args);
	SP_ASSERT(len >= 0);
	if (!admit(b, (size_t)len)) {
		return SP_ELIMIT;
	}
	if ((size_t)len < spare) { /* it fitted at once */
		b->end += (size_t)len;
		return 0;
	}
	make_space(b, (size_t)len + 1); /* and the NUL that is not counted */
	va_start(args, fmt);
	(void)vsnprintf(b->data + b->end, (size_t)len + 1, fmt, args);
	va_end(args);
	b->end += (size_t)len;
	return 0;
}

char *sp_buf_reserve(struct sp_buf *b, size_t len)
{
	if (b->failed || len > sp_buf_room(b)) {
		return NULL;
	}
	make_space(b, len);
	return b->data + b->end;
}

void sp_buf_commit(struct sp_buf *b, size_t len)
{
	SP_ASSERT(len <= b->cap - b->end && len <= sp_buf_room(b));
	b->end += len;
}

void sp_buf_consume(struct sp_buf *b, size_t len)
{
	SP_ASSERT(len <= sp_buf_len(b));
	b->start += len;
	if (b->start == b->end) {
		b->start = 0;
		b->end = 0;
	}
}

void sp_buf_truncate(struct sp_buf *b, size_t len)
{
	SP_ASSERT(len <= sp_buf_len(b));
	b->end -= len;
}

struct sp_str sp_buf_str(const struct sp_buf *b)
{
	return (struct sp_str){b->data ? b->data + b->start : NULL,
	                       sp_buf_len(b)};
}

int sp_buf_error(const struct sp_buf *b)
{
	return b->failed ? SP_ELIMIT : 0;
}

char *sp_buf_take(struct sp_buf *b)
{
	char *text = sp_str_dup(sp_buf_str(b));

	sp_buf_reset(b);
	return text;
}
