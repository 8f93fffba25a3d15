/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHAIN_TELL_H
#define SP_ANALYZE_CHAIN_TELL_H

#include <stdbool.h>

#include "analyze/chain.h"
#include "analyze/chain_judge.h"
#include "analyze/step.h"

/*
 * From zones and what was found of them to steps: "dnssec.zone" for each,
 * "dnssec.link" where the chain ends or breaks, "dnssec.server" for each of
 * its servers, "dnssec.note" for what else there is to say. A zone is told
 * once, below the first chain that it is part of.
 */

struct sp_chain_story {
	struct sp_chain *chain; /* borrowed */
	bool fatal;             /* no mail gets there: a broken link fails the
	                         * test; else it is a warning */
	struct sp_arena arena;  /* of links and texts */
	struct sp_chain_link links[SP_CHAIN_ZONES_MAX]; /* as in the chain */
	size_t told;
};

void sp_chain_story_init(struct sp_chain_story *story, struct sp_chain *chain,
                         bool fatal);
void sp_chain_story_fini(struct sp_chain_story *story);

/* The zones that were walked since. */
void sp_chain_tell_zones(struct sp_chain_story *story, struct sp_step *parent);

/* Of a zone that was told; null where the zone is. */
const struct sp_chain_link *
sp_chain_story_link(const struct sp_chain_story *story,
                    const struct sp_chain_zone *zone);
/* Where the chain to a name ends; empty: it does not. */
struct sp_str sp_chain_story_end(const struct sp_chain_story *story,
                                 struct sp_str name);
/* The cause or advice of the link where the chain to a name ends or breaks;
 * nothing where it does not. */
void sp_chain_story_explain(struct sp_chain_story *story, struct sp_step *step,
                            struct sp_str name);

/* What of the last round is worth a word: a step "dnssec.answer" for each
 * server. compare: the answers should be the same. */
void sp_chain_tell_round(struct sp_chain_story *story, struct sp_step *parent,
                         const struct sp_chain_zone *zone, struct sp_str name,
                         enum sp_dns_type type, bool compare);

/* Ends a step as bad as a finding of the destination is. */
void sp_chain_story_blame(const struct sp_chain_story *story,
                          struct sp_step *step,
                          const struct sp_verdict *verdict, bool mild);

#endif
