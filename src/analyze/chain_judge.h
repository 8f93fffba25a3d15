/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHAIN_JUDGE_H
#define SP_ANALYZE_CHAIN_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyze/advice.h"
#include "analyze/chain.h"
#include "analyze/chain_link.h"
#include "base/mem.h"

/*
 * What there is to mend in a zone and at each of its servers, from the facts
 * of chain.h. Pure. None of it decides: it explains the resolver's verdict,
 * or what may become of it.
 */

/* What is no reason to refuse mail; texts are in the arena. */
struct sp_chain_finding {
	enum sp_advice_id advice;
	struct sp_str subject;
	struct sp_str detail;
};
#define SP_CHAIN_FINDINGS_MAX 8

/* "soon": less than two days left, and less than a quarter of the time that
 * the signature is good for (some sign for two days only). */
#define SP_CHAIN_SOON_MS (INT64_C(2) * 24 * 3600 * 1000)

/* Of the zone itself: algorithms, digests, DS without a key, signatures that
 * end soon. Returns the count. */
size_t sp_chain_judge_zone(const struct sp_chain_zone *zone,
                           const struct sp_chain_link *link, int64_t now_ms,
                           struct sp_arena *arena,
                           struct sp_chain_finding out[SP_CHAIN_FINDINGS_MAX]);

/* The keys that signatures of single servers are held against: the zone's, as
 * the resolver has validated them. None: nothing is verified. */
struct sp_chain_signers {
	struct sp_str zone;
	const struct sp_seen_record *keys; /* borrowed from the link */
	size_t count;
};
struct sp_chain_signers sp_chain_signers(const struct sp_chain_zone *zone,
                                         const struct sp_chain_link *link);

/* Of one of its servers, the gravest first. Nothing of a server that was not
 * asked. */
size_t
sp_chain_judge_server(const struct sp_chain_zone *zone,
                      const struct sp_chain_link *link, size_t index,
                      int64_t now_ms, struct sp_arena *arena,
                      struct sp_chain_finding out[SP_CHAIN_FINDINGS_MAX]);

/* Of what a server said to a question (sp_chain_round); reference: what the
 * server with the newest zone said, or null. compare: answers should be the
 * same everywhere. */
struct sp_chain_answer {
	struct sp_str server; /* sp_chain_server_text */
	const struct sp_dns_server_reply *reply;
	const struct sp_dns_server_reply *reference;
	struct sp_str name;
	enum sp_dns_type type;
	bool signed_zone;
	struct sp_chain_signers signers;
	bool compare;
};
size_t
sp_chain_judge_answer(const struct sp_chain_answer *answer, int64_t now_ms,
                      struct sp_arena *arena,
                      struct sp_chain_finding out[SP_CHAIN_FINDINGS_MAX]);

/* The server with the newest zone (RFC 1982), by its index; the count of
 * servers where none answers. */
size_t sp_chain_newest(const struct sp_chain_zone *zone);

/* No way leads to the server from this machine, which is no fault of its
 * own. */
bool sp_chain_no_way(const struct sp_dns_server_reply *reply);

/* "ns1.d.test [192.0.2.1]" */
struct sp_str sp_chain_server_text(const struct sp_chain_server *server,
                                   struct sp_arena *arena);

#endif
