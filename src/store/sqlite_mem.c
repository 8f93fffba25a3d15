/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for SQLite. A statement takes and gives back a dozen small pieces
 * each time it runs, some 300 for a message, and Debian's SQLite is built
 * without the pool of its own that is meant for them (OMIT_LOOKASIDE). Here a
 * small piece that is given back waits in a list for the next one of its size:
 * a few instructions in place of a hundred. What is kept is what was in use at
 * one time; larger pieces, pages among them, go to the system as ever.
 *
 * Before each piece stands its size. One thread only, as all use of SQLite.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "store/sqlite.h"

#define STEP      16U
#define SMALL_MAX 1024U /* with what stands before it */

struct piece {
	uint64_t size; /* of what follows */
	union {
		struct piece *next; /* in a list */
		char data[8];
	} u;
};

#define HEAD offsetof(struct piece, u)

static struct piece *lists[SMALL_MAX / STEP + 1];

static struct piece *piece_of(void *ptr)
{
	return (struct piece *)(void *)((char *)ptr - HEAD);
}

/* The list of pieces of this size; null: they are large. */
static struct piece **list_of(uint64_t size)
{
	return size + HEAD <= SMALL_MAX ? &lists[(size + HEAD) / STEP] : NULL;
}

static int round_up(int size)
{
	return (int)((((unsigned)size + HEAD + STEP - 1) & ~(STEP - 1)) - HEAD);
}

static void *take(int wanted)
{
	size_t size = (size_t)round_up(wanted);
	struct piece **list = list_of(size);
	struct piece *p = list ? *list : NULL;

	if (p) {
		*list = p->u.next;
	} else {
		p = sp_alloc(HEAD + size);
		p->size = size;
	}
	return p->u.data;
}

static void give_back(void *ptr)
{
	struct piece *p;
	struct piece **list;

	if (!ptr) {
		return;
	}
	p = piece_of(ptr);
	list = list_of(p->size);
	if (list) {
		p->u.next = *list;
		*list = p;
	} else {
		sp_free(p);
	}
}

static int size_of(void *ptr)
{
	return ptr ? (int)piece_of(ptr)->size : 0;
}

static void *take_again(void *ptr, int wanted)
{
	size_t size = (size_t)round_up(wanted);
	size_t before = (size_t)size_of(ptr);
	void *moved;

	if (size == before) {
		return ptr;
	}
	if (!list_of(size) && !list_of(before)) {
		struct piece *p = sp_realloc(piece_of(ptr), HEAD + size);

		p->size = size;
		return p->u.data;
	}
	moved = take(wanted);
	memcpy(moved, ptr, size < before ? size : before);
	give_back(ptr);
	return moved;
}

static int begin(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void end(void *arg)
{
	(void)arg;
}

const sqlite3_mem_methods *sp__sqlite_memory(void)
{
	static const sqlite3_mem_methods METHODS = {
		.xMalloc = take,
		.xFree = give_back,
		.xRealloc = take_again,
		.xSize = size_of,
		.xRoundup = round_up,
		.xInit = begin,
		.xShutdown = end,
	};

	return &METHODS;
}
