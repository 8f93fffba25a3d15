/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_FILTER_H
#define SP_ROLE_FILTER_H

#include <stddef.h>

#include "store/store.h"
#include "wire/json.h"

/*
 * The filters of `sealpost trace` and `sealpost queue`, as they travel from
 * the command line to console and queue: a JSON object with any of
 *   id, message_id, sender, recipient, domain, code, scenario: text
 *   status: "pending", "delivered", "failed", "expanded", or a list of them
 *   from, to: RFC 3339;  size_min, size_max, limit: numbers;  held: bool
 */

/* Strings are borrowed from the JSON. 0 or SP_ESYNTAX with one line in
 * why_out: an unknown key, a wrong type, a bad time. */
int sp_filter_read(const struct sp_json *json, struct sp_store_filter *out,
                   char *why_out, size_t why_cap);

#endif
