/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_TRANSPORT_LOOKUP_ROLE_H
#define SP_ROLE_TRANSPORT_LOOKUP_ROLE_H

#include "deliver/lookup.h"
#include "role/role.h"

/*
 * struct sp_lookup by messages to the resolve role. Questions outlive a
 * restart of that role: they are asked again on the new link.
 */

struct lookup_role;

struct lookup_role *lookup_role_new(void);
void lookup_role_free(struct lookup_role **lookup); /* drops questions */
struct sp_lookup *lookup_role_borrow(struct lookup_role *lookup);

void lookup_role_link_up(struct lookup_role *lookup, struct sp_role_link *link);
void lookup_role_link_down(struct lookup_role *lookup);
/* An ANSWER frame. 0 or SP_EPROTO. */
int lookup_role_answer(struct lookup_role *lookup, struct sp_str payload);

#endif
