/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_ERR_H
#define SP_BASE_ERR_H

/*
 * One error space: 0 is success, a negative value above -4096 is a negated
 * errno, and the names of err.def stand below that. What the mail system
 * must know of a failed delivery is a value (struct sp_verdict), not a code.
 */

enum sp_err {
	SP_EBASE = -5000,
#define SP_ERR(name, text) SP_##name,
#include "base/err.def"
#undef SP_ERR
};

/* The text of a result; static storage, never null. */
const char *sp_strerror(int err);

#endif
