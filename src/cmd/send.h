/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_SEND_H
#define SP_CMD_SEND_H

#include "base/mem.h"
#include "cmd/cmd.h"

/* What `sealpost send` and sendmail(8) share. */

/* The largest message read from standard input; the server says the rest. */
#define SP_SEND_MAX(conf) ((size_t)(conf)->receive.size_max_bytes)

/* user@hostname of the caller. */
struct sp_str sp_send_me(const struct sp_conf *conf, struct sp_arena *arena);

/* A name without a domain is one of this host (sendmail's habit). */
struct sp_str sp_send_qualify(const struct sp_conf *conf, struct sp_str address,
                              struct sp_arena *arena);

/* 0 or SP_EXIT_USAGE, said. */
int sp_send_check(struct sp_str address);

#endif
