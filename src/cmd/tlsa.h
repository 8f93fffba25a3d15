/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_TLSA_H
#define SP_CMD_TLSA_H

#include "base/mem.h"
#include "cmd/cmd.h"
#include "net/tls.h"
#include "wire/tlsa.h"

/* The parts of `sealpost tlsa` and what `lint tlsa` shares with them. */

int sp_tlsa_make_run(struct sp_cmd_ctx *ctx);
int sp_tlsa_verify_run(struct sp_cmd_ctx *ctx);
int sp_tlsa_lint_run(struct sp_cmd_ctx *ctx);

/* The certificates of a live host by STARTTLS, as chains in the arena: one for
 * each address and each algorithm of a key that it has there. 0 or an exit
 * status, said; what an address alone refuses is said, too. */
#define SP_TLSA_LIVE_MAX 96

struct sp_tlsa_live {
	struct sp_tls_chain chains[SP_TLSA_LIVE_MAX]; /* none is empty */
	size_t count;
};

int sp_tlsa_live(const struct sp_conf *conf, const char *host, uint16_t port,
                 struct sp_arena *arena, struct sp_tlsa_live *live_out);

/* A number from an option, or fallback where it was not given. 0 or
 * SP_EXIT_USAGE, said. */
int sp_tlsa_number(const struct sp_args *args, const char *option, uint64_t max,
                   uint64_t fallback, uint64_t *number_out);
/* --port, or 25. */
int sp_tlsa_port(const struct sp_args *args, uint64_t *port_out);

/* A record as people and zone files write it: "3 1 1 hex", a whole line
 * "owner [ttl] [IN] TLSA 3 1 1 hex" with blanks, comment and parentheses, or
 * RDATA as RFC 3597 "\# length hex". 0, SP_ESYNTAX or SP_ELIMIT. */
int sp_tlsa_read(struct sp_str line, struct sp_arena *arena,
                 struct sp_tlsa *tlsa_out);

/* {"usage", "selector", "matching", "data"}, usable and reason. */
struct sp_json *sp_tlsa_json(const struct sp_tlsa *tlsa,
                             enum sp_tlsa_reason reason);

#endif
