/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_PARENT_KEYS_H
#define SP_ROLE_PARENT_KEYS_H

#include <stddef.h>

#include "conf/conf.h"

/*
 * The files of the DKIM keys, opened with the parent's rights for the sign
 * role. The parent itself never reads them: what it has read would be in the
 * memory of every role that it forks later.
 */

#define SP_KEY_FILES_MAX 500

struct sp_key_files {
	int *fds; /* owned; one for each key in the order of the
	           * configuration */
	size_t count;
};

/* 0, or SP_ECONFIG with one line in why_out; files_out is empty then. */
int sp_key_files_open(const struct sp_conf *conf,
                      struct sp_key_files *files_out, char *why_out,
                      size_t why_cap);
void sp_key_files_close(struct sp_key_files *files);

/* Whether the sign role could start with them, found out by a child process
 * that ends at once. 0, or SP_ECONFIG with one line in why_out. */
int sp_key_files_check(const struct sp_conf *conf,
                       const struct sp_key_files *files, char *why_out,
                       size_t why_cap);

#endif
