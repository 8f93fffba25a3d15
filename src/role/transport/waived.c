/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of "would have blocked": what enforcing would have cost. */
#include <stdio.h>

#include "role/transport/waived.h"

void waived_count(struct waived_counts *counts,
                  const struct sp_attempt_result *result)
{
	for (size_t i = 0; i < result->waived_count; i++) {
		counts->n[result->waiver][result->waived[i]]++;
	}
}

static struct sp_json *row(const struct sp_cause *cause, enum sp_waiver waiver,
                           uint64_t attempts)
{
	struct sp_json *obj = sp_json_object();
	char code[32];

	(void)snprintf(code, sizeof(code), "4.%u.%u", cause->subject,
	               cause->detail);
	sp_json_set_cstr(obj, "code", code);
	sp_json_set_cstr(obj, "scenario", cause->name);
	sp_json_set_cstr(obj, "filter", sp_waiver_text(waiver));
	sp_json_set_int(obj, "attempts", (int64_t)attempts);
	return obj;
}

struct sp_json *waived_stats(const struct waived_counts *counts)
{
	struct sp_json *list = sp_json_array();

	for (int w = 0; w < SP_WAIVER_COUNT; w++) {
		for (int c = 0; c < SP_CAUSE_COUNT; c++) {
			if (counts->n[w][c] > 0) {
				sp_json_add(
					list,
					row(sp_cause_get((enum sp_cause_id)c),
				            (enum sp_waiver)w,
				            counts->n[w][c]));
			}
		}
	}
	return list;
}
