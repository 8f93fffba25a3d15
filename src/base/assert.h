/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_ASSERT_H
#define SP_BASE_ASSERT_H

/*
 * Programmer mistakes stop the process, in every build: the parent restarts
 * the role, and a wrong state never writes to the store.
 */

#define SP_ASSERT(cond)                                                        \
	((cond) ? (void)0 : sp_assert_fail(#cond, __FILE__, __LINE__))

_Noreturn void sp_assert_fail(const char *what, const char *file, int line);

#endif
