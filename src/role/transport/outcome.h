/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_TRANSPORT_OUTCOME_H
#define SP_ROLE_TRANSPORT_OUTCOME_H

#include "base/buf.h"
#include "deliver/attempt.h"
#include "ipc/msg.h"

/* The result of an attempt as an OUTCOME frame. Evidence that is too large
 * for a frame is cut, and says so. */
void outcome_pack(const struct sp_msg_job *job,
                  const struct sp_attempt_result *result,
                  struct sp_arena *arena, struct sp_buf *out);

/* For the log: the scenario of the first recipient that was not delivered,
 * or "delivered"; static. */
const char *outcome_scenario(const struct sp_attempt_result *result);

#endif
