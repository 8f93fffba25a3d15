/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_DKIM_KEYS_H
#define SP_ROLE_DKIM_KEYS_H

#include <stddef.h>

#include "conf/conf.h"
#include "role/dkim.h"

/*
 * The keys of all dkim sections, read from open files: by the sign role,
 * and in a short-lived child of the parent, which looks whether a new
 * configuration can be worked with.
 */

struct sp_dkim_keys;

/* fds: one for each key, in the order of the configuration; read from their
 * beginning and left open. 0, or SP_ECONFIG with one line in why_out. conf
 * is borrowed for the life of the keys. */
int sp_dkim_keys_load(const struct sp_conf *conf, const int *fds,
                      size_t fd_count, struct sp_dkim_keys **keys_out,
                      char *why_out, size_t why_cap);
void sp_dkim_keys_free(struct sp_dkim_keys **keys); /* memory wiped */

size_t sp_dkim_keys_count(const struct sp_dkim_keys *keys);

/* With what mail of the domain (lower-case A-labels) is signed; count 0:
 * with nothing. */
void sp_dkim_keys_find(const struct sp_dkim_keys *keys, struct sp_str domain,
                       const struct sp_dkim_signing **first_out,
                       size_t *count_out);

#endif
