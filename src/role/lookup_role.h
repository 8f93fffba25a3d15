/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_LOOKUP_ROLE_H
#define SP_ROLE_LOOKUP_ROLE_H

#include "deliver/lookup.h"
#include "role/role.h"

/*
 * struct sp_lookup by messages to the resolve role. Questions outlive a
 * restart of that role: they are asked again on the new link.
 */

struct sp_lookup_role;

struct sp_lookup_role *sp_lookup_role_new(void);
void sp_lookup_role_free(struct sp_lookup_role **lookup); /* drops questions */
struct sp_lookup *sp_lookup_role_borrow(struct sp_lookup_role *lookup);

void sp_lookup_role_link_up(struct sp_lookup_role *lookup,
                            struct sp_role_link *link);
void sp_lookup_role_link_down(struct sp_lookup_role *lookup);
/* An ANSWER frame. 0 or SP_EPROTO. */
int sp_lookup_role_answer(struct sp_lookup_role *lookup, struct sp_str payload);

#endif
