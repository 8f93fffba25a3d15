/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_MEM_H
#define SP_BASE_MEM_H

#include <stddef.h>

#include "base/str.h"

/*
 * The only place that calls malloc. Results are never null: running out of
 * memory aborts the process (the parent restarts it). Sizes that a peer
 * chooses are checked against a limit before they come here.
 */

void *sp_alloc(size_t size) __attribute__((malloc, warn_unused_result));
void *sp_calloc(size_t count, size_t size) /* zeroed, overflow aborts */
	__attribute__((malloc, warn_unused_result));
void *sp_realloc(void *ptr, size_t size) __attribute__((warn_unused_result));
char *sp_strdup(const char *s) __attribute__((warn_unused_result));
char *sp_str_dup(struct sp_str s) /* NUL-terminated copy */
	__attribute__((warn_unused_result));
void sp_free(void *ptr); /* null is legal */

/* Free what p points to and null it: SP_FREE(&obj->name). */
#define SP_FREE(pp)                                                            \
	do {                                                                   \
		sp_free(*(pp));                                                \
		*(pp) = NULL;                                                  \
	} while (0)

#define SP_NEW(type) ((type *)sp_calloc(1, sizeof(type)))

/* For a process that serves for long: up to 8 MiB of freed memory stay with
 * it instead of going back to the system after each message and being asked
 * for again with the next. Before the first large allocation. */
void sp_mem_keep(void);
/* To be called now and then: whole pages of freed memory between what is in
 * use, where they are more than that, go back to the system after all. */
void sp_mem_trim(void);

/*
 * An arena owns everything parsed during one attempt and frees it at once.
 * All memory from it is zeroed and aligned for any type.
 */
struct sp_arena {
	struct sp_arena_block *head; /* owned */
	size_t total_bytes;          /* handed out so far */
	size_t next_bytes;           /* of the next block; 0: the first */
};

void sp_arena_init(struct sp_arena *a);
void sp_arena_fini(struct sp_arena *a); /* frees all; a may be used again */
void *sp_arena_alloc(struct sp_arena *a, size_t size);
void *sp_arena_array(struct sp_arena *a, size_t count, size_t size);
char *sp_arena_cstr(struct sp_arena *a, struct sp_str s); /* NUL-terminated */
struct sp_str sp_arena_str(struct sp_arena *a, struct sp_str s);
char *sp_arena_printf(struct sp_arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
