/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHAIN_LINK_H
#define SP_ANALYZE_CHAIN_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "analyze/advice.h"
#include "analyze/chain.h"
#include "base/mem.h"
#include "policy/cause.h"

/*
 * The link between a zone and its parent, from the facts of chain.h. Pure.
 * Whether a zone is secure, insecure or bogus is the resolver's word and
 * nobody else's; which keys stand on both sides makes it exact.
 */

enum sp_chain_state {
	SP_CHAIN_SECURE,
	SP_CHAIN_UNSIGNED, /* the chain ends at this zone */
	SP_CHAIN_BELOW_UNSIGNED,
	SP_CHAIN_BROKEN, /* at this zone */
	SP_CHAIN_BELOW_BROKEN,
	SP_CHAIN_ABOVE_ANCHOR, /* trust begins further down */
	SP_CHAIN_UNKNOWN,      /* no answer */
};
/* "secure", "unsigned", "below-unsigned", "broken", ... */
const char *sp_chain_state_text(enum sp_chain_state state);

/* The link between a zone and its parent. */
struct sp_chain_link {
	enum sp_chain_state state;
	enum sp_cause_id cause;   /* BROKEN; else NONE */
	bool mild;                /* BROKEN, but only for what is denied */
	enum sp_advice_id advice; /* UNSIGNED; else NONE */
	struct sp_str why;        /* one line; or empty */
	struct sp_str mend;       /* the DS record that the parent should have;
	                           * or what stands there; or empty */
	/* DS at the parent and DNSKEY in the zone, as the resolver has them,
	 * or else as a server said. In the arena. */
	struct sp_seen_record *ds;
	size_t ds_count;
	struct sp_seen_record *keys;
	size_t key_count;
};

/* parent: null for the first zone. */
void sp_chain_judge_link(const struct sp_chain_zone *zone,
                         const struct sp_chain_link *parent,
                         struct sp_arena *arena,
                         struct sp_chain_link *link_out);

/* Does a DS of the link name this key; does a key fit this DS? */
bool sp_chain_key_named(const struct sp_chain_link *link,
                        const struct sp_seen_record *key);
bool sp_chain_ds_fits(const struct sp_chain_link *link,
                      const struct sp_seen_record *ds);

/* --- shared with chain_judge.c --- */

/* Is it a record of that owner and type in the answer section? */
bool sp__chain_is_answer(const struct sp_seen_record *r, struct sp_str owner,
                         unsigned type);
size_t sp__chain_count_answer(const struct sp_dns_server_reply *reply,
                              struct sp_str owner, unsigned type);
/* Those records, in the arena; null is no reply. Returns the count. */
size_t sp__chain_from_reply(const struct sp_dns_server_reply *reply,
                            struct sp_str owner, uint16_t type,
                            struct sp_arena *arena,
                            struct sp_seen_record **out);
/* "4711 (ECDSAP256SHA256), 4712 (RSASHA256)"; "none" */
struct sp_str sp__chain_tags(const struct sp_seen_record *records, size_t count,
                             struct sp_arena *arena);

#endif
