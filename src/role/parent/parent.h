/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_PARENT_PARENT_H
#define SP_ROLE_PARENT_PARENT_H

#include <stdbool.h>

#include "conf/conf.h"

/*
 * The parent: opens ports and the control socket, starts the roles with just
 * the descriptors they need and without privileges, makes the socket pairs
 * between them, restarts what dies, relays reload and stop. It handles no
 * mail and speaks with no stranger.
 */

/* Runs the server until it is told to stop. Takes over conf. path is what a
 * reload reads again. ready_fd (or -1) gets one byte, the exit status so
 * far, when all roles are up or the start has failed. Returns the exit
 * status (sysexits: 0, 78 configuration, 75 try again, 70 internal). */
int sp_parent_run(struct sp_conf **conf, const char *path, int ready_fd);

#endif
