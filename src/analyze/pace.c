/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "analyze/pace.h"
#include "base/assert.h"

static bool to_be_asked(const struct sp_plan_host *host)
{
	return host->rule != SP_RULE_SKIP;
}

void sp_pace_init(struct sp_pace *pace, const struct sp_plan *plan,
                  struct sp_arena *arena)
{
	size_t max = 0;

	for (size_t i = 0; i < plan->host_count; i++) {
		max += plan->hosts[i].address_count;
	}
	*pace = (struct sp_pace){
		.jobs = sp_arena_array(arena, max + 1, sizeof(*pace->jobs)),
	};
	for (size_t i = 0; i < plan->host_count; i++) {
		const struct sp_plan_host *host = &plan->hosts[i];

		for (size_t k = 0; to_be_asked(host) && k < host->address_count;
		     k++) {
			pace->jobs[pace->count++] = (struct sp_pace_job){
				.host = i,
				.address = &host->addresses[k],
			};
		}
	}
}

static bool is_same(const struct sp_plan_address *a,
                    const struct sp_plan_address *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

static bool is_busy(const struct sp_pace *pace,
                    const struct sp_plan_address *address)
{
	for (size_t i = 0; i < pace->count; i++) {
		if (pace->jobs[i].state == SP_PACE_RUNS &&
		    is_same(pace->jobs[i].address, address)) {
			return true;
		}
	}
	return false;
}

bool sp_pace_next(struct sp_pace *pace, size_t *job_out)
{
	for (size_t i = 0; i < pace->count && pace->running < SP_PACE_MAX;
	     i++) {
		struct sp_pace_job *job = &pace->jobs[i];

		if (job->state == SP_PACE_WAITS &&
		    !is_busy(pace, job->address)) {
			job->state = SP_PACE_RUNS;
			pace->running++;
			*job_out = i;
			return true;
		}
	}
	return false;
}

void sp_pace_over(struct sp_pace *pace, size_t job)
{
	SP_ASSERT(pace->jobs[job].state == SP_PACE_RUNS);
	pace->jobs[job].state = SP_PACE_OVER;
	pace->running--;
	pace->over++;
}

bool sp_pace_all_over(const struct sp_pace *pace)
{
	return pace->over == pace->count;
}
