/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_IPC_SANDBOX_H
#define SP_IPC_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What a role gives up before its first byte of work: root, core files, new
 * privileges, and every descriptor that is not its own.
 */

struct sp_identity { /* who the roles run as */
	bool change; /* false: stay who we are */
	unsigned uid;
	unsigned gid;
};

/* Looks the user up. Not root, or an empty name: nothing changes. A user
 * that does not exist, or can't be taken on here (a user namespace without
 * it), is an error when it was given, and a warning (change = false,
 * why_out filled, result 0) when the name is the built-in default.
 * 0 or SP_ECONFIG with one line in why_out. */
int sp_identity_find(const char *user, bool given,
                     struct sp_identity *identity_out, char *why_out,
                     size_t why_cap);

/* Close every descriptor above 2 that is not in keep. */
void sp_sandbox_close_others(const int *keep, size_t count);

/* Give up privileges for ever, and take all the descriptors that the system
 * allows. 0 or negated errno. */
int sp_sandbox_enter(const struct sp_identity *identity);

/* Make the directory that holds path if it is missing, owned by identity.
 * 0 or negated errno. */
int sp_sandbox_make_dir(const char *path, const struct sp_identity *identity);

#endif
