/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is there or the process is not. A mail server that limps on
 * without memory is harder to reason about than one that is started again.
 *
 * An arena is a chain of blocks, the newest first; only the newest is cut
 * from. A session has ten of them, most of which hold little, so the first
 * block is small and each one is twice its predecessor, up to a limit.
 * Something larger than a quarter of that limit gets a block of its own, put
 * behind the newest so that the rest of that one stays in use.
 */
#include <malloc.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

#define BLOCK_FIRST_BYTES 256U
#define BLOCK_MAX_BYTES   4096U
#define KEEP_BYTES        (8 * 1024 * 1024)

struct sp_arena_block {
	struct sp_arena_block *next;
	size_t used;
	size_t cap;
	alignas(max_align_t) char data[];
};

void sp_mem_keep(void)
{
	(void)mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
	(void)mallopt(M_MMAP_THRESHOLD, KEEP_BYTES / 8);
}

/* What was trimmed still counts as free: no need to look at it again. */
void sp_mem_trim(void)
{
	static size_t seen;
	size_t unused = mallinfo2().fordblks;

	if (unused > KEEP_BYTES && unused != seen) {
		(void)malloc_trim(KEEP_BYTES);
	}
	seen = unused;
}

static _Noreturn void out_of_memory(size_t size)
{
	(void)dprintf(STDERR_FILENO, "out of memory (%zu bytes)\n", size);
	abort();
}

void *sp_alloc(size_t size)
{
	void *ptr = malloc(size ? size : 1);

	if (!ptr) {
		out_of_memory(size);
	}
	return ptr;
}

void *sp_calloc(size_t count, size_t size)
{
	void *ptr = calloc(count ? count : 1, size ? size : 1);

	if (!ptr) {
		out_of_memory(size);
	}
	return ptr;
}

void *sp_realloc(void *ptr, size_t size)
{
	void *moved = realloc(ptr, size ? size : 1);

	if (!moved) {
		out_of_memory(size);
	}
	return moved;
}

char *sp_strdup(const char *s)
{
	return sp_str_dup(sp_str_from(s));
}

char *sp_str_dup(struct sp_str s)
{
	SP_ASSERT(s.len < SIZE_MAX);
	char *copy = sp_alloc(s.len + 1);

	if (s.len > 0) {
		memcpy(copy, s.ptr, s.len);
	}
	copy[s.len] = '\0';
	return copy;
}

void sp_free(void *ptr)
{
	free(ptr);
}

void sp_arena_init(struct sp_arena *a)
{
	*a = (struct sp_arena){0};
}

void sp_arena_fini(struct sp_arena *a)
{
	while (a->head) {
		struct sp_arena_block *next = a->head->next;
		sp_free(a->head);
		a->head = next;
	}
	sp_arena_init(a);
}

static struct sp_arena_block *block_new(size_t cap)
{
	struct sp_arena_block *block = sp_calloc(1, sizeof(*block) + cap);

	block->cap = cap;
	return block;
}

/* One that will be filled as a whole: it need not be zero. */
static struct sp_arena_block *block_raw(size_t cap)
{
	struct sp_arena_block *block = sp_alloc(sizeof(*block) + cap);

	*block = (struct sp_arena_block){.cap = cap};
	return block;
}

static void *block_cut(struct sp_arena_block *block, size_t size)
{
	void *ptr = block->data + block->used;

	block->used += size;
	return ptr;
}

static void *put_apart(struct sp_arena *a, struct sp_arena_block *block)
{
	if (a->head) {
		block->next = a->head->next;
		a->head->next = block;
	} else {
		a->head = block;
	}
	return block_cut(block, block->cap);
}

/* A new head with room for size bytes, which are less than the largest. */
static void add_block(struct sp_arena *a, size_t size)
{
	size_t cap = a->next_bytes ? a->next_bytes : BLOCK_FIRST_BYTES;
	struct sp_arena_block *block;

	while (cap < size) {
		cap *= 2;
	}
	block = block_new(cap);
	block->next = a->head;
	a->head = block;
	a->next_bytes = cap < BLOCK_MAX_BYTES ? 2 * cap : cap;
}

static void *cut(struct sp_arena *a, size_t size, bool zero)
{
	const size_t align = alignof(max_align_t);

	if (size > SIZE_MAX / 2) {
		out_of_memory(size);
	}
	size = size ? (size + align - 1) / align * align : align;
	a->total_bytes += size;
	if (size > BLOCK_MAX_BYTES / 4) {
		return put_apart(a, zero ? block_new(size) : block_raw(size));
	}
	if (!a->head || a->head->cap - a->head->used < size) {
		add_block(a, size);
	}
	return block_cut(a->head, size);
}

void *sp_arena_alloc(struct sp_arena *a, size_t size)
{
	return cut(a, size, true);
}

void *sp_arena_array(struct sp_arena *a, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total)) {
		out_of_memory(SIZE_MAX);
	}
	return sp_arena_alloc(a, total);
}

char *sp_arena_cstr(struct sp_arena *a, struct sp_str s)
{
	SP_ASSERT(s.len < SIZE_MAX);
	char *copy = cut(a, s.len + 1, false);

	if (s.len > 0) {
		memcpy(copy, s.ptr, s.len);
	}
	copy[s.len] = '\0';
	return copy;
}

struct sp_str sp_arena_str(struct sp_arena *a, struct sp_str s)
{
	return (struct sp_str){sp_arena_cstr(a, s), s.len};
}

char *sp_arena_printf(struct sp_arena *a, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	SP_ASSERT(len >= 0);
	char *text = sp_arena_alloc(a, (size_t)len + 1);
	va_start(args, fmt);
	(void)vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return text;
}
