/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_RESOLVER_SLOTS_H
#define SP_NET_RESOLVER_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "net/loop.h"

/*
 * How many questions libunbound has in its hands, inside net/resolver only.
 *
 * It gets a limited number at a time, so that none of its own limits is
 * reached. A name server that says nothing keeps a question there for as long
 * as the resolver's deadline, and whoever has some hundred such names could
 * have all of that room. So a question begins as a quick one; when it has no
 * reply after SP__SLOT_SLOW_MS it counts as slow, and gives its room among
 * the quick ones to the next.
 */

#define SP__SLOTS_QUICK  256
#define SP__SLOTS_SLOW   3072 /* those included that nobody waits for */
#define SP__SLOT_SLOW_MS 1000

/* Of one question; zeroed before its first use. */
struct sp__slot {
	struct sp_list node; /* in slots->quick, while it is quick */
	int64_t since_ms;    /* monotonic */
	bool taken;
	bool slow;
};

struct sp__slots {
	struct sp_list quick; /* the oldest first */
	size_t quick_count;
	size_t slow_count;
	struct sp_timer *timer;
	struct sp_deferred *wake; /* borrowed; called when there is room */
};

void sp__slots_init(struct sp__slots *slots, struct sp_loop *loop,
                    struct sp_deferred *wake);
void sp__slots_fini(struct sp__slots *slots); /* after all were given back */

/* forsaken: questions that libunbound works on and nobody waits for. */
bool sp__slots_have_room(const struct sp__slots *slots, size_t forsaken);
void sp__slot_take(struct sp__slots *slots, struct sp__slot *slot);
void sp__slot_give(struct sp__slots *slots, struct sp__slot *slot);

#endif
