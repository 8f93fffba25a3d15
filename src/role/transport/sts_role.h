/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_TRANSPORT_STS_ROLE_H
#define SP_ROLE_TRANSPORT_STS_ROLE_H

#include "deliver/sts.h"
#include "role/role.h"

/*
 * A worker's source of MTA-STS policies: fetches by messages to the role
 * fetch, fresh rows to the queue (STS_KEEP). Both may come and go: open
 * fetches are asked again, remembered rows sent again on a new link.
 */

struct sts_role;

struct sts_role *sts_role_new(struct sp_role_ctx *ctx);
void sts_role_free(struct sts_role **sts);
struct sp_sts_source *sts_role_borrow(struct sts_role *sts);

void sts_role_reload(struct sts_role *sts);
/* Of the roles fetch and queue; others are passed over. */
void sts_role_link_up(struct sts_role *sts, struct sp_role_link *link);
void sts_role_link_down(struct sts_role *sts, const struct sp_role_link *link);
/* A FETCHED frame. 0 or SP_EPROTO. */
int sts_role_fetched(struct sts_role *sts, struct sp_str payload);

/* The row that came with a job, or null: none. Strings are borrowed from the
 * message. What is remembered and not newer is dropped. */
const struct sp_sts_row *sts_role_row(struct sts_role *sts,
                                      const struct sp_msg_sts *msg,
                                      struct sp_sts_row *row_out);

#endif
