/* SPDX-License-Identifier: Apache-2.0 */
/* All wait equally long before they count as slow: the list in the order of
 * asking is also the order in which they do. */
#include "base/assert.h"
#include "base/time.h"
#include "net/resolver_slots.h"

static void arm(struct sp__slots *slots)
{
	struct sp_list *first = sp_list_first(&slots->quick);
	int64_t left_ms;

	if (!first) {
		sp_timer_stop(slots->timer);
		return;
	}
	left_ms = SP_CONTAINER(first, struct sp__slot, node)->since_ms +
	          SP__SLOT_SLOW_MS - sp_time_mono_ms();
	sp_timer_set(slots->timer, left_ms > 0 ? left_ms : 0);
}

static void become_slow(struct sp__slots *slots, struct sp__slot *slot)
{
	sp_list_remove(&slot->node);
	slot->slow = true;
	slots->quick_count--;
	slots->slow_count++;
	sp_deferred_call(slots->wake);
}

static void on_timer(void *arg)
{
	struct sp__slots *slots = arg;
	int64_t before_ms = sp_time_mono_ms() - SP__SLOT_SLOW_MS;

	SP_LIST_FOREACH_SAFE (node, tmp, &slots->quick) {
		struct sp__slot *slot =
			SP_CONTAINER(node, struct sp__slot, node);

		if (slot->since_ms > before_ms) {
			break;
		}
		become_slow(slots, slot);
	}
	arm(slots);
}

void sp__slots_init(struct sp__slots *slots, struct sp_loop *loop,
                    struct sp_deferred *wake)
{
	*slots = (struct sp__slots){.wake = wake};
	sp_list_init(&slots->quick);
	slots->timer = sp_timer_new(loop, on_timer, slots);
}

void sp__slots_fini(struct sp__slots *slots)
{
	SP_ASSERT(slots->quick_count == 0 && slots->slow_count == 0);
	sp_timer_free(&slots->timer);
}

bool sp__slots_have_room(const struct sp__slots *slots, size_t forsaken)
{
	return slots->quick_count < SP__SLOTS_QUICK &&
	       slots->slow_count + forsaken < SP__SLOTS_SLOW;
}

void sp__slot_take(struct sp__slots *slots, struct sp__slot *slot)
{
	bool first = sp_list_empty(&slots->quick);

	SP_ASSERT(!slot->taken);
	slot->taken = true;
	slot->slow = false;
	slot->since_ms = sp_time_mono_ms();
	sp_list_append(&slots->quick, &slot->node);
	slots->quick_count++;
	if (first) {
		arm(slots);
	}
}

void sp__slot_give(struct sp__slots *slots, struct sp__slot *slot)
{
	SP_ASSERT(slot->taken);
	slot->taken = false;
	if (slot->slow) {
		slots->slow_count--;
		return;
	}
	sp_list_remove(&slot->node);
	slots->quick_count--;
}
