/* SPDX-License-Identifier: Apache-2.0 */
/*
 *          ┌──────────── the next label ─────────────┐
 *          ▼                                         │ no cut
 *  walk ─▶ CUT ──cut──▶ OPEN ─▶ ADDRESSES ─▶ SERVERS ┤
 *   │                    ▲                           │ the name is reached
 *   └─ nothing known ────┘ (of the root)             ▼
 *                                                   IDLE: fn
 *
 * Each state puts some questions at once, to the resolver or to servers, and
 * ends when all are answered:
 *
 *   CUT        is there a zone at the next label? Two servers of the zone
 *              above, and the resolver, are asked for NS
 *   OPEN       DS, DNSKEY and SOA by the resolver; DS by the parent's server
 *   ADDRESSES  those of the zone's name servers, by the resolver; where it
 *              has none (its verdict may be bogus) the delegation's glue
 *   SERVERS    each server: SOA, DNSKEY, SOA by TCP
 *
 * Invariants
 * - A zone is below the one it was found from: walks end, whatever servers
 *   say of themselves and of each other.
 * - Answers find their place in a zone, which lives as long as the chain.
 * - When the time is up, all that is open is dropped and the walk ends; later
 *   walks and rounds end at once.
 */
#include <string.h>

#include "analyze/chain.h"
#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/guard.h"

#define DNS_PORT   53
#define REFERRERS  2 /* servers that are asked about a cut */
#define GLUE_MAX   4 /* addresses of one name */
#define RCODE_GOOD 0

enum state {
	IDLE,
	CUT,
	OPEN,
	ADDRESSES,
	SERVERS,
	ROUND,
	OVER, /* there was nothing to ask */
};

/* One open question; its answer goes to one of both places. */
struct pending {
	struct sp_list node;
	struct sp_chain *chain;
	uint64_t lookup_id;
	struct sp_dns_server *server; /* owned; null: to the resolver */
	struct sp_dns_answer **answer;
	struct sp_dns_server_reply **reply;
};

/* A name server of the zone that is being opened. */
struct name_server {
	struct sp_str name;
	struct sp_dns_answer *addresses[2]; /* A, AAAA; owned */
	struct sp_addr glue[GLUE_MAX];
	size_t glue_count;
};

struct sp_chain {
	struct sp_chain_conf conf;
	struct sp_arena arena; /* zones, names, servers */
	struct sp_chain_zone *zones[SP_CHAIN_ZONES_MAX];
	size_t zone_count;
	bool own_world; /* the configuration says where DNS begins */
	bool reached;   /* a server answered */
	bool forwarded;
	bool late;

	enum state state;
	sp_chain_fn *fn;
	void *arg;
	struct sp_str target;
	struct sp_str candidate;    /* where the next cut may be */
	struct sp_chain_zone *zone; /* being opened, or above the candidate */
	struct sp_dns_server_reply *referrals[REFERRERS];
	struct sp_dns_answer *ns; /* of the candidate, by the resolver */
	struct name_server names[SP_CHAIN_NAMES_MAX];
	size_t name_count;
	bool names_cut;
	bool referred; /* the names are those of a referral */
	struct sp_dns_server_reply *round[SP_CHAIN_SERVERS_MAX];

	struct sp_list open; /* pending.node */
	struct sp_deferred *next;
	struct sp_timer *deadline;
};

/* --- names --- */

static bool is_root(struct sp_str name)
{
	return sp_str_eq(name, SP_STR("."));
}

/* The name without its first label; the root for one label. */
static struct sp_str above(struct sp_str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == '\\') {
			i++; /* "\." and "\046" are inside a label */
		} else if (name.ptr[i] == '.') {
			struct sp_str rest = sp_str_sub(name, i + 1, name.len);

			return rest.len ? rest : SP_STR(".");
		}
	}
	return SP_STR(".");
}

static size_t label_count(struct sp_str name)
{
	size_t count = 0;

	for (; !is_root(name) && name.len > 0; name = above(name)) {
		count++;
	}
	return count;
}

/* The last `labels` labels of a name. */
static struct sp_str tail(struct sp_str name, size_t labels)
{
	for (size_t have = label_count(name); have > labels; have--) {
		name = above(name);
	}
	return name;
}

/* The root and the top-level domains: others look after those. */
static bool is_sampled(struct sp_str zone)
{
	return label_count(zone) < 2;
}

static struct sp_chain_zone *find(const struct sp_chain *c, struct sp_str name)
{
	for (size_t i = 0; i < c->zone_count; i++) {
		if (sp_str_eq(c->zones[i]->name, name)) {
			return c->zones[i];
		}
	}
	return NULL;
}

static struct sp_chain_zone *deepest(const struct sp_chain *c,
                                     struct sp_str name)
{
	for (;; name = above(name)) {
		struct sp_chain_zone *zone = find(c, name);

		if (zone || is_root(name)) {
			return zone;
		}
	}
}

/* --- questions --- */

static void forget(struct pending *p)
{
	sp_list_remove(&p->node);
	sp_dns_server_free(&p->server);
	sp_free(p);
}

static void settle(struct sp_chain *c)
{
	if (sp_list_empty(&c->open)) {
		sp_deferred_call(c->next);
	}
}

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct pending *p = arg;
	struct sp_chain *c = p->chain;

	sp_dns_answer_free(p->answer);
	*p->answer = answer;
	forget(p);
	settle(c);
}

static void on_reply(void *arg, struct sp_dns_server_reply *reply)
{
	struct pending *p = arg;
	struct sp_chain *c = p->chain;

	sp_dns_server_reply_free(p->reply);
	*p->reply = reply;
	forget(p);
	settle(c);
}

static struct pending *pending_new(struct sp_chain *c)
{
	struct pending *p = SP_NEW(struct pending);

	p->chain = c;
	sp_list_append(&c->open, &p->node);
	return p;
}

static void ask(struct sp_chain *c, struct sp_str name, enum sp_dns_type type,
                struct sp_dns_answer **place)
{
	struct pending *p = pending_new(c);
	struct sp_lookup *lookup = c->conf.lookup;

	p->answer = place;
	p->lookup_id = lookup->ask(lookup, name, type, false, on_answer, p);
}

static void ask_server(struct sp_chain *c, const struct sp_addr *addr,
                       struct sp_str name, enum sp_dns_type type, bool tcp,
                       struct sp_dns_server_reply **place)
{
	struct pending *p = pending_new(c);
	const struct sp_dns_server_ask asking = {
		.server = *addr,
		.name = name,
		.type = (uint16_t)type,
		.tcp = tcp,
		.timeout_ms = c->conf.server_ms,
	};

	p->reply = place;
	p->server = sp_dns_server_new(c->conf.loop, &asking, on_reply, p);
}

static void drop_open(struct sp_chain *c)
{
	SP_LIST_FOREACH_SAFE (it, tmp, &c->open) {
		struct pending *p = SP_CONTAINER(it, struct pending, node);

		if (!p->server) {
			c->conf.lookup->cancel(c->conf.lookup, p->lookup_id);
		}
		forget(p);
	}
}

/* --- the servers of a zone --- */

bool sp_chain_server_good(const struct sp_chain_server *server)
{
	const struct sp_dns_server_reply *soa = server->soa;

	return soa && !soa->err && soa->seen.rcode == RCODE_GOOD &&
	       soa->seen.authoritative;
}

static const struct sp_conf_stub *stub_of(const struct sp_chain *c,
                                          struct sp_str zone)
{
	for (size_t i = 0; i < c->conf.conf->resolver.stub_count; i++) {
		const struct sp_conf_stub *stub =
			&c->conf.conf->resolver.stub[i];
		struct sp_str name = sp_str_from(stub->name);

		if (name.len > 1 && name.ptr[name.len - 1] == '.') {
			name.len--;
		}
		if (sp_str_eq_nocase(name, zone)) {
			return stub;
		}
	}
	return NULL;
}

/* "127.0.53.1@5300", "::1@5300", "192.0.2.1" */
static int parse_stub(const char *text, struct sp_addr *addr_out)
{
	struct sp_str rest = sp_str_from(text);
	struct sp_str host;
	uint64_t port = DNS_PORT;
	int err;

	(void)sp_str_cut(&rest, '@', &host);
	err = rest.len ? sp_str_u64(rest, UINT16_MAX, &port) : 0;
	return err ? err : sp_addr_parse(host, (uint16_t)port, addr_out);
}

static struct sp_chain_server *add_server(struct sp_chain *c,
                                          struct sp_str name)
{
	struct sp_chain_zone *zone = c->zone;
	size_t max = zone->sampled ? SP_CHAIN_SAMPLE : SP_CHAIN_SERVERS_MAX;

	if (zone->server_count == max) {
		zone->servers_cut = true;
		return NULL;
	}
	zone->servers[zone->server_count].name = sp_arena_str(&c->arena, name);
	return &zone->servers[zone->server_count++];
}

static void add_address(struct sp_chain *c, struct sp_str name,
                        const struct sp_addr *addr)
{
	struct sp_chain_server *server;

	for (size_t i = 0; i < c->zone->server_count; i++) {
		const struct sp_addr *known = &c->zone->servers[i].addr;

		if (known->family == addr->family &&
		    memcmp(known->bytes, addr->bytes, sizeof(addr->bytes)) ==
		            0) {
			return; /* two names of one server */
		}
	}
	server = add_server(c, name);
	if (server) {
		server->addr = *addr;
		server->not_asked =
			c->own_world ? NULL : sp_guard_special(addr);
	}
}

static void use_stub(struct sp_chain *c, const struct sp_conf_stub *stub)
{
	for (size_t i = 0; i < stub->address.count; i++) {
		struct sp_addr addr;

		if (parse_stub(stub->address.items[i], &addr) == 0) {
			add_address(c, SP_STR(""), &addr);
		}
	}
}

static void add_answer(struct sp_chain *c, const struct name_server *n,
                       int family)
{
	const struct sp_dns_answer *a = n->addresses[family == 6];

	for (size_t i = 0; a && i < a->record_count; i++) {
		struct sp_addr addr = {
			.family = (uint8_t)family,
			.port = DNS_PORT,
		};

		memcpy(addr.bytes, a->records[i].address, family == 4 ? 4 : 16);
		add_address(c, n->name, &addr);
	}
}

static bool has_records(const struct sp_dns_answer *answer)
{
	return answer && answer->record_count > 0;
}

/* A name server without an address, and why it has none. */
static void add_lost(struct sp_chain *c, const struct name_server *n)
{
	struct sp_chain_server *server = add_server(c, n->name);

	for (size_t i = 0; server && i < 2; i++) {
		const struct sp_dns_answer *a = n->addresses[i];

		if (a && a->dnssec > SP_DNSSEC_INSECURE) {
			server->trouble = sp_arena_str(&c->arena, a->why);
		}
	}
}

/* What the resolver knows goes before glue, which nobody vouches for. */
static void use_name(struct sp_chain *c, const struct name_server *n)
{
	size_t before = c->zone->server_count;

	add_answer(c, n, 4);
	add_answer(c, n, 6);
	for (size_t i = 0; c->zone->server_count == before && i < n->glue_count;
	     i++) {
		add_address(c, n->name, &n->glue[i]);
	}
	if (c->zone->server_count == before && n->glue_count == 0 &&
	    !has_records(n->addresses[0]) && !has_records(n->addresses[1])) {
		add_lost(c, n);
	}
}

static void free_names(struct sp_chain *c)
{
	for (size_t i = 0; i < c->name_count; i++) {
		sp_dns_answer_free(&c->names[i].addresses[0]);
		sp_dns_answer_free(&c->names[i].addresses[1]);
	}
	memset(c->names, 0, sizeof(c->names));
	c->name_count = 0;
	c->names_cut = false;
	c->referred = false;
}

/* The entry of a name server, new or old; null: there are enough. */
static struct name_server *name_add(struct sp_chain *c, struct sp_str name)
{
	size_t max =
		is_sampled(c->candidate) ? SP_CHAIN_SAMPLE : SP_CHAIN_NAMES_MAX;

	for (size_t i = 0; i < c->name_count; i++) {
		if (sp_str_eq(c->names[i].name, name)) {
			return &c->names[i];
		}
	}
	if (c->name_count == max || is_root(name)) {
		c->names_cut = c->names_cut || c->name_count == max;
		return NULL;
	}
	c->names[c->name_count].name = sp_arena_str(&c->arena, name);
	return &c->names[c->name_count++];
}

/* --- the end of a walk --- */

static void finish(struct sp_chain *c)
{
	sp_chain_fn *fn = c->fn;

	c->state = IDLE;
	c->fn = NULL;
	if (fn) {
		fn(c->arg); /* may begin the next, or free the chain */
	}
}

static void on_deadline(void *arg)
{
	struct sp_chain *c = arg;

	c->late = true;
	drop_open(c);
	if (c->state != IDLE) {
		sp_deferred_call(c->next);
	}
}

/* --- SERVERS --- */

static void ask_servers(struct sp_chain *c)
{
	struct sp_chain_zone *zone = c->zone;
	const struct sp_conf_stub *stub = stub_of(c, zone->name);

	c->state = SERVERS;
	zone->servers = sp_arena_array(&c->arena, SP_CHAIN_SERVERS_MAX,
	                               sizeof(*zone->servers));
	zone->servers_cut = c->names_cut;
	if (stub) {
		use_stub(c, stub);
	}
	for (size_t i = 0; !stub && i < c->name_count; i++) {
		use_name(c, &c->names[i]);
	}
	for (size_t i = 0; i < zone->server_count && !c->forwarded; i++) {
		struct sp_chain_server *s = &zone->servers[i];

		if (!s->addr.family || s->not_asked) {
			continue;
		}
		ask_server(c, &s->addr, zone->name, SP_DNS_TYPE_SOA, false,
		           &s->soa);
		ask_server(c, &s->addr, zone->name, SP_DNS_TYPE_DNSKEY, false,
		           &s->keys);
		if (!zone->sampled) {
			ask_server(c, &s->addr, zone->name, SP_DNS_TYPE_SOA,
			           true, &s->tcp);
		}
	}
	settle(c);
}

static size_t good_servers(const struct sp_chain_zone *zone)
{
	size_t good = 0;

	for (size_t i = 0; i < zone->server_count; i++) {
		good += sp_chain_server_good(&zone->servers[i]);
	}
	return good;
}

/* --- ADDRESSES --- */

static void ask_addresses(struct sp_chain *c)
{
	const struct sp_dns_answer *ns = c->zone->ns;

	c->state = ADDRESSES;
	for (size_t i = 0; ns && i < ns->record_count; i++) {
		(void)name_add(c, ns->records[i].name);
	}
	if (stub_of(c, c->zone->name)) {
		c->name_count = 0; /* the configuration knows better */
	}
	for (size_t i = 0; i < c->name_count; i++) {
		struct name_server *n = &c->names[i];

		ask(c, n->name, SP_DNS_TYPE_A, &n->addresses[0]);
		ask(c, n->name, SP_DNS_TYPE_AAAA, &n->addresses[1]);
	}
	settle(c);
}

/* --- OPEN --- */

static const struct sp_chain_server *
good_server(const struct sp_chain_zone *zone, size_t which)
{
	for (size_t i = 0; zone && i < zone->server_count; i++) {
		if (sp_chain_server_good(&zone->servers[i]) && which-- == 0) {
			return &zone->servers[i];
		}
	}
	return NULL;
}

/* What the parent says, before the zone's own word is added to it. */
static void keep_referral(struct sp_chain *c, struct sp_chain_zone *zone)
{
	if (!c->referred || c->names_cut) {
		return;
	}
	zone->delegated = sp_arena_array(&c->arena, c->name_count + 1,
	                                 sizeof(*zone->delegated));
	for (size_t i = 0; i < c->name_count; i++) {
		zone->delegated[zone->delegated_count++] = c->names[i].name;
	}
}

/* A zone below c->zone, or the root. Names of its servers stand already. */
static void open_zone(struct sp_chain *c, struct sp_str name)
{
	struct sp_chain_zone *zone = sp_arena_alloc(&c->arena, sizeof(*zone));
	const struct sp_chain_server *above_it = good_server(c->zone, 0);

	SP_ASSERT(c->zone_count < SP_CHAIN_ZONES_MAX);
	c->zones[c->zone_count++] = zone;
	zone->name = sp_arena_str(&c->arena, name);
	zone->parent = c->zone;
	zone->sampled = is_sampled(name);
	keep_referral(c, zone);
	zone->ns = c->ns;
	c->ns = NULL;
	c->zone = zone;
	c->state = OPEN;
	if (!is_root(name)) {
		ask(c, name, SP_DNS_TYPE_DS, &zone->ds);
	}
	if (!zone->ns) {
		ask(c, name, SP_DNS_TYPE_NS, &zone->ns);
	}
	ask(c, name, SP_DNS_TYPE_DNSKEY, &zone->keys);
	ask(c, name, SP_DNS_TYPE_SOA, &zone->soa);
	if (above_it) {
		ask_server(c, &above_it->addr, name, SP_DNS_TYPE_DS, false,
		           &zone->parent_ds);
	}
}

/* --- CUT --- */

static void add_glue(struct name_server *n, const struct sp_seen_record *r)
{
	struct sp_addr *glue;

	if (n->glue_count == GLUE_MAX) {
		return;
	}
	glue = &n->glue[n->glue_count++];
	*glue = (struct sp_addr){.family = r->family, .port = DNS_PORT};
	memcpy(glue->bytes, r->address, sizeof(r->address));
}

/* The delegation in what a server of the parent said, or what a server of
 * both zones said. Anything else, such as a referral to elsewhere, is none. */
static size_t take_referral(struct sp_chain *c,
                            const struct sp_dns_server_reply *reply)
{
	const struct sp_seen *seen = &reply->seen;
	size_t taken = 0;

	for (size_t i = 0; i < seen->record_count; i++) {
		const struct sp_seen_record *r = &seen->records[i];

		if (r->type == SP_DNS_TYPE_NS &&
		    r->section != SP_SEEN_ADDITIONAL &&
		    sp_str_eq(r->owner, c->candidate)) {
			(void)name_add(c, r->name);
			taken++;
		}
	}
	for (size_t i = 0; i < seen->record_count; i++) {
		const struct sp_seen_record *r = &seen->records[i];

		for (size_t k = 0; k < c->name_count && r->family; k++) {
			struct name_server *n = &c->names[k];

			if (sp_str_eq(n->name, r->owner)) {
				add_glue(n, r);
			}
		}
	}
	return taken;
}

enum cut {
	CUT_HERE,
	CUT_NONE,
	CUT_UNKNOWN,
};

static enum cut look_for_cut(struct sp_chain *c)
{
	bool heard = false;

	free_names(c);
	for (size_t i = 0; i < REFERRERS; i++) {
		const struct sp_dns_server_reply *r = c->referrals[i];

		if (!r || r->err || r->tcp_err || r->seen.rcode != RCODE_GOOD) {
			continue;
		}
		heard = true;
		if (take_referral(c, r) > 0) {
			c->referred = !r->seen.authoritative;
			return CUT_HERE;
		}
	}
	return heard ? CUT_NONE : CUT_UNKNOWN;
}

/* By the resolver: it has NS records of this very name. */
static bool resolver_knows_cut(const struct sp_chain *c)
{
	return c->ns && c->ns->record_count > 0 &&
	       sp_str_eq(c->ns->canonical, c->candidate);
}

static void free_referrals(struct sp_chain *c)
{
	for (size_t i = 0; i < REFERRERS; i++) {
		sp_dns_server_reply_free(&c->referrals[i]);
	}
}

/* Asks whether there is a zone at the next label; false: there is none. */
static bool ask_cut(struct sp_chain *c)
{
	size_t labels = label_count(c->candidate) + 1;

	if (labels > label_count(c->target) || labels > SP_CHAIN_LABELS_MAX ||
	    c->zone_count == SP_CHAIN_ZONES_MAX) {
		return false;
	}
	c->state = CUT;
	c->candidate = tail(c->target, labels);
	free_referrals(c);
	sp_dns_answer_free(&c->ns);
	ask(c, c->candidate, SP_DNS_TYPE_NS, &c->ns);
	for (size_t i = 0; i < REFERRERS; i++) {
		const struct sp_chain_server *s = good_server(c->zone, i);

		if (s) {
			ask_server(c, &s->addr, c->candidate, SP_DNS_TYPE_NS,
			           false, &c->referrals[i]);
		}
	}
	return true;
}

/* --- the machine --- */

static void after_cut(struct sp_chain *c)
{
	enum cut cut = look_for_cut(c);

	free_referrals(c);
	if (cut == CUT_HERE || stub_of(c, c->candidate) ||
	    (cut == CUT_UNKNOWN && resolver_knows_cut(c))) {
		open_zone(c, c->candidate);
	} else if (!ask_cut(c)) {
		finish(c);
	}
}

static void after_servers(struct sp_chain *c)
{
	c->zone->complete = true;
	free_names(c);
	c->reached = c->reached || good_servers(c->zone) > 0;
	/* Where nothing was ever reached, forwarders are the only way out. */
	if (c->conf.conf->resolver.forward.count > 0 && !c->reached &&
	    c->zone->server_count > 0) {
		c->forwarded = true;
	}
	c->candidate = c->zone->name;
	if (!ask_cut(c)) {
		finish(c);
	}
}

static void on_next(void *arg)
{
	struct sp_chain *c = arg;

	if (c->late) {
		free_names(c);
		finish(c);
		return;
	}
	switch (c->state) {
	case IDLE:
		break;
	case CUT:
		after_cut(c);
		break;
	case OPEN:
		ask_addresses(c);
		break;
	case ADDRESSES:
		ask_servers(c);
		break;
	case SERVERS:
		after_servers(c);
		break;
	case ROUND:
	case OVER:
		finish(c);
		break;
	}
}

/* --- in and out --- */

/* Whoever brings a root or servers of his own may have them anywhere. */
static bool has_own_world(const struct sp_conf *conf)
{
	return (conf->resolver.root_hints && *conf->resolver.root_hints) ||
	       conf->resolver.stub_count > 0;
}

struct sp_chain *sp_chain_new(const struct sp_chain_conf *conf)
{
	struct sp_chain *c = SP_NEW(struct sp_chain);

	c->conf = *conf;
	c->own_world = has_own_world(conf->conf);
	sp_arena_init(&c->arena);
	sp_list_init(&c->open);
	c->next = sp_deferred_new(conf->loop, on_next, c);
	c->deadline = sp_timer_new(conf->loop, on_deadline, c);
	sp_timer_set(c->deadline, conf->total_ms);
	return c;
}

static void free_round(struct sp_chain *c)
{
	for (size_t i = 0; i < SP_CHAIN_SERVERS_MAX; i++) {
		sp_dns_server_reply_free(&c->round[i]);
	}
}

static void zone_fini(struct sp_chain_zone *zone)
{
	sp_dns_answer_free(&zone->ds);
	sp_dns_answer_free(&zone->keys);
	sp_dns_answer_free(&zone->soa);
	sp_dns_answer_free(&zone->ns);
	sp_dns_server_reply_free(&zone->parent_ds);
	for (size_t i = 0; i < zone->server_count; i++) {
		sp_dns_server_reply_free(&zone->servers[i].soa);
		sp_dns_server_reply_free(&zone->servers[i].keys);
		sp_dns_server_reply_free(&zone->servers[i].tcp);
	}
}

void sp_chain_free(struct sp_chain **chain)
{
	struct sp_chain *c = *chain;

	if (!c) {
		return;
	}
	drop_open(c);
	free_names(c);
	free_referrals(c);
	free_round(c);
	sp_dns_answer_free(&c->ns);
	for (size_t i = 0; i < c->zone_count; i++) {
		zone_fini(c->zones[i]);
	}
	sp_timer_free(&c->deadline);
	sp_deferred_free(&c->next);
	sp_arena_fini(&c->arena);
	SP_FREE(chain);
}

static void begin(struct sp_chain *c, enum state state, sp_chain_fn *fn,
                  void *arg)
{
	SP_ASSERT(c->state == IDLE);
	c->state = state;
	c->fn = fn;
	c->arg = arg;
}

void sp_chain_walk(struct sp_chain *c, struct sp_str name, sp_chain_fn *fn,
                   void *arg)
{
	begin(c, CUT, fn, arg);
	c->target = sp_dns_name_canonical(name, &c->arena);
	c->zone = deepest(c, c->target);
	if (c->late) {
		sp_deferred_call(c->next);
	} else if (!c->zone) {
		c->candidate = SP_STR(".");
		open_zone(c, c->candidate);
	} else {
		c->candidate = c->zone->name;
		if (!ask_cut(c)) {
			c->state = OVER;
			settle(c);
		}
	}
}

void sp_chain_round(struct sp_chain *c, const struct sp_chain_zone *zone,
                    struct sp_str name, enum sp_dns_type type, sp_chain_fn *fn,
                    void *arg)
{
	begin(c, ROUND, fn, arg);
	free_round(c);
	for (size_t i = 0; zone && !c->late && i < zone->server_count; i++) {
		if (sp_chain_server_good(&zone->servers[i])) {
			ask_server(c, &zone->servers[i].addr, name, type, false,
			           &c->round[i]);
		}
	}
	settle(c);
}

const struct sp_dns_server_reply *sp_chain_round_reply(const struct sp_chain *c,
                                                       size_t index)
{
	return index < SP_CHAIN_SERVERS_MAX ? c->round[index] : NULL;
}

size_t sp_chain_count(const struct sp_chain *c)
{
	return c->zone_count;
}

const struct sp_chain_zone *sp_chain_at(const struct sp_chain *c, size_t index)
{
	return c->zones[index];
}

const struct sp_chain_zone *sp_chain_zone_of(const struct sp_chain *c,
                                             struct sp_str name)
{
	return deepest(c, name);
}

bool sp_chain_late(const struct sp_chain *c)
{
	return c->late;
}

bool sp_chain_forwarded(const struct sp_chain *c)
{
	return c->forwarded;
}
