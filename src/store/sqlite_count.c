/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters that statistics read. Who changes rows of messages or
 * recipients says so here; the sums are written before the turn is committed,
 * and before rows are deleted, which triggers count down: a counter never
 * falls below zero.
 */
#include <string.h>

#include "store/sqlite.h"

void sp__count(struct sp__sqlite *s, int kind, int64_t by)
{
	s->counts[kind] += by;
}

void sp__count_state(struct sp__sqlite *s, int from, int to, int64_t rows)
{
	s->counts[from] -= rows;
	s->counts[to] += rows;
}

int sp__counts_flush(struct sp__sqlite *s)
{
	int ret = 0;

	for (int kind = 0; ret == 0 && kind < SP__COUNT_KINDS; kind++) {
		struct sp__use u;

		if (s->counts[kind] == 0) {
			continue;
		}
		u = sp__use(s, SP__SQL_COUNTER_ADD);
		sp__bind_int(&u, s->counts[kind]);
		sp__bind_int(&u, kind);
		ret = sp__run(&u);
		s->counts[kind] = 0;
	}
	return ret;
}

void sp__counts_drop(struct sp__sqlite *s)
{
	memset(s->counts, 0, sizeof(s->counts));
}
