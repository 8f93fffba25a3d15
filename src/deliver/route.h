/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_ROUTE_H
#define SP_DELIVER_ROUTE_H

#include "base/mem.h"
#include "conf/conf.h"
#include "policy/judge.h"
#include "policy/mxplan.h"
#include "policy/retry.h"

/*
 * The configuration in the words of policy: what a plan for a recipient
 * domain starts from. Server and command line both take it from here.
 */

struct sp_route {
	struct sp_plan_conf plan;
	struct sp_str domain; /* whose MX and MTA-STS policy are asked: the
	                       * recipient's, or the route's next-hop */
	bool mta_sts;
};

/* Strings live in the arena, or in conf. Never fails: conf was checked. */
void sp_route_find(const struct sp_conf *conf, struct sp_str domain,
                   bool validator_broken, struct sp_arena *arena,
                   struct sp_route *route_out);

/* The schedule for a recipient domain: its route's, or the general one. */
struct sp_retry sp_route_retry(const struct sp_conf *conf,
                               struct sp_str domain);

struct sp_judge_conf sp_route_judge(const struct sp_conf *conf);

#endif
