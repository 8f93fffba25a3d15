/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_LIST_H
#define SP_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Intrusive doubly linked list with a sentinel. A node that is not in a
 * list points to itself after sp_list_init or sp_list_remove, so removing
 * twice is harmless.
 */
struct sp_list {
	struct sp_list *prev, *next;
};

#define SP_CONTAINER(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void sp_list_init(struct sp_list *l)
{
	l->prev = l;
	l->next = l;
}

static inline bool sp_list_empty(const struct sp_list *l)
{
	return l->next == l;
}

static inline void sp_list_insert_before(struct sp_list *pos, struct sp_list *n)
{
	n->prev = pos->prev;
	n->next = pos;
	pos->prev->next = n;
	pos->prev = n;
}

static inline void sp_list_append(struct sp_list *l, struct sp_list *n)
{
	sp_list_insert_before(l, n);
}

static inline void sp_list_prepend(struct sp_list *l, struct sp_list *n)
{
	sp_list_insert_before(l->next, n);
}

static inline void sp_list_remove(struct sp_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	sp_list_init(n);
}

static inline struct sp_list *sp_list_first(struct sp_list *l)
{
	return sp_list_empty(l) ? NULL : l->next;
}

#define SP_LIST_FOREACH(it, l)                                                 \
	for (struct sp_list *it = (l)->next; it != (l); it = it->next)
/* The body may remove or free the current node. */
#define SP_LIST_FOREACH_SAFE(it, tmp, l)                                       \
	for (struct sp_list *it = (l)->next, *tmp = it->next; it != (l);       \
	     it = tmp, tmp = it->next)

#endif
