/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a process that has found itself in a state it cannot have. It
 * says so without the log and without memory, because either may be what
 * is broken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"

_Noreturn void sp_assert_fail(const char *what, const char *file, int line)
{
	(void)dprintf(STDERR_FILENO, "%s:%d: assertion failed: %s\n", file,
	              line, what);
	sp_log_flush(); /* what led to it; a plain write */
	abort();
}
