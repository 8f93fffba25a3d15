/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHAIN_H
#define SP_ANALYZE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "conf/conf.h"
#include "deliver/lookup.h"
#include "net/dns_server.h"
#include "net/loop.h"
#include "net/socket.h"
#include "wire/dns.h"

/*
 * The zones from the root to a name, and what is to be known of each: what
 * the resolver makes of DS, DNSKEY and SOA (validated: the verdict), and what
 * each of the zone's servers says when it is asked directly (not validated:
 * it explains). What follows from these facts: chain_judge.h.
 *
 * Zone cuts and servers are found by asking the parent's servers, from the
 * resolver's own root servers down; where the configuration names the servers
 * of a zone (stub) these are asked; where single servers can't be reached,
 * as behind a forwarder, the resolver's answers alone tell of the zone.
 *
 * Strangers choose names and servers: how many zones, servers and questions,
 * and how long all of it takes, is bounded. Addresses of private networks are
 * not asked unless the configuration says where DNS begins.
 */

#define SP_CHAIN_ZONES_MAX   24
#define SP_CHAIN_LABELS_MAX  16 /* of a name that are walked */
#define SP_CHAIN_NAMES_MAX   12 /* name servers of a zone that are looked at */
#define SP_CHAIN_SERVERS_MAX 16 /* their addresses that are asked */
#define SP_CHAIN_SAMPLE      4  /* of the root and top-level domains */

/* One address of one name server of a zone. */
struct sp_chain_server {
	struct sp_str name;    /* "ns.d.test"; empty: by the configuration */
	struct sp_addr addr;   /* family 0: the name has no address */
	const char *not_asked; /* null: it was; else why not, in a word */
	struct sp_str trouble; /* why no address was found; or empty */
	struct sp_dns_server_reply *soa;  /* null: no time for it */
	struct sp_dns_server_reply *keys; /* DNSKEY */
	struct sp_dns_server_reply *tcp;  /* SOA by TCP; null: not asked */
};

struct sp_chain_zone {
	struct sp_str name;
	const struct sp_chain_zone *parent; /* null: the first */
	/* By the resolver; null: not asked (the root's DS), or no time. */
	struct sp_dns_answer *ds;
	struct sp_dns_answer *keys;
	struct sp_dns_answer *soa;
	struct sp_dns_answer *ns;
	/* DS, by a server of the parent; or null. */
	struct sp_dns_server_reply *parent_ds;
	/* The name servers that the parent names in its referral; none where
	 * no referral was seen, or where it names too many. */
	struct sp_str *delegated;
	size_t delegated_count;
	struct sp_chain_server *servers;
	size_t server_count;
	bool servers_cut; /* there are more than were looked at */
	bool sampled;     /* the root, a top-level domain: a few servers do */
	bool complete;    /* all questions were put before the time was up */
};

/* A server that answers for the zone. */
bool sp_chain_server_good(const struct sp_chain_server *server);

struct sp_chain_conf {
	struct sp_loop *loop;
	struct sp_lookup *lookup;
	const struct sp_conf *conf; /* stubs, forwarders, root hints */
	int64_t server_ms;          /* for one question to one server */
	int64_t total_ms;           /* for everything, from _new on */
};

struct sp_chain;

/* Called once per walk or round, never from inside the call that began it. */
typedef void sp_chain_fn(void *arg);

struct sp_chain *sp_chain_new(const struct sp_chain_conf *conf);
void sp_chain_free(struct sp_chain **chain); /* cancels */

/* From the root, or from what is known already, to the zone that the name is
 * in. One walk or round at a time. */
void sp_chain_walk(struct sp_chain *chain, struct sp_str name, sp_chain_fn *fn,
                   void *arg);

size_t sp_chain_count(const struct sp_chain *chain);
const struct sp_chain_zone *sp_chain_at(const struct sp_chain *chain,
                                        size_t index); /* parents first */
/* The zone that the name is in, as far as was walked; null: none. */
const struct sp_chain_zone *sp_chain_zone_of(const struct sp_chain *chain,
                                             struct sp_str name);

/* The same question to every server of the zone that answers at all. */
void sp_chain_round(struct sp_chain *chain, const struct sp_chain_zone *zone,
                    struct sp_str name, enum sp_dns_type type, sp_chain_fn *fn,
                    void *arg);
/* What they said, until the next round; index as in zone->servers. Null: was
 * not asked, or no time. */
const struct sp_dns_server_reply *
sp_chain_round_reply(const struct sp_chain *chain, size_t index);

/* The time for everything was up. */
bool sp_chain_late(const struct sp_chain *chain);
/* Single servers can't be reached, and a forwarder is configured: they were
 * not asked any further. */
bool sp_chain_forwarded(const struct sp_chain *chain);

#endif
