/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_DNS_H
#define SP_CMD_DNS_H

#include <stdbool.h>

#include "cmd/cmd.h"
#include "deliver/lookup_direct.h"
#include "net/loop.h"
#include "net/resolver.h"

/* A loop and a validating resolver of the command's own, as the server's. */
struct sp_cmd_dns {
	struct sp_loop *loop;
	struct sp_resolver *resolver;
	struct sp_lookup_direct direct;
	bool says;
};

/* Set up and self-tested; a failed self-test is said and stands in
 * direct.lookup.validator_broken. 0 or SP_EXIT_CONF, said. Freed by fini in
 * any case. */
int sp_cmd_dns_init(struct sp_cmd_dns *dns, const struct sp_conf *conf);
/* The same; with says false, one of several processes, which complains of
 * nothing. */
int sp_cmd_dns_init_for(struct sp_cmd_dns *dns, const struct sp_conf *conf,
                        bool says);
/* The self-test fails where it takes longer; 0: no limit. */
int sp_cmd_dns_init_within(struct sp_cmd_dns *dns, const struct sp_conf *conf,
                           int64_t limit_ms);
/* Without the self-test, for what needs no name. */
int sp_cmd_dns_init_untested(struct sp_cmd_dns *dns,
                             const struct sp_conf *conf);
void sp_cmd_dns_fini(struct sp_cmd_dns *dns);

/* A domain from the command line as lower-case A-labels in the arena. 0 or
 * SP_EXIT_USAGE, said. */
int sp_cmd_domain(const char *text, struct sp_arena *arena,
                  struct sp_str *ascii_out);

#endif
