/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three facts about libunbound shape this file.
 *
 * It may call back from inside ub_resolve_event (cached answers), and from
 * inside ub_ctx_delete (unanswered questions). So a callback only copies the
 * reply, and a context that is being deleted ignores its callbacks.
 *
 * Its callback tells no more about a failure than SERVFAIL. The reason (the
 * server timed out, refused, sent rubbish) goes to its log just before the
 * callback, so the log is a stream of ours. There is one log per process,
 * and deleting a context switches it off.
 *
 * It reads files when the first question is asked. We read them instead,
 * once, and hand it records: a context must be possible in a sandbox.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h> /* before ldns, which else makes bool a char */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ldns/ldns.h>
#include <unbound-event.h>
#include <unbound.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/resolver_context.h"

#define DEFAULT_ANCHOR "/usr/share/dns/root.key"
#define DEFAULT_HINTS  "/usr/share/dns/root.hints"
#define FILE_RRS_MAX   256
#define RCODE_SERVFAIL 2
#define COUNT(array)   (sizeof(array) / sizeof(*(array)))

struct texts {
	char **items; /* owned */
	size_t count;
};

struct sp__dns_setup {
	struct texts anchors; /* DNSKEY and DS records, one line each */
	struct texts hints;   /* addresses of root servers; may be none */
	struct texts forward;
	struct texts stub_zones;
	struct texts stub_addresses; /* as many as zones */
	struct sp_str apex;          /* in arena */
	struct sp_arena arena;
	char restarts[24]; /* how many aliases libunbound follows */
	size_t questions;  /* at one time, about */
	bool own_world; /* not (only) the Internet's DNS: special names live */
	bool loopback;  /* servers on loopback addresses */
	bool ipv6;
};

__attribute__((format(printf, 3, 4))) static int explain(char *out, size_t cap,
                                                         const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(out, cap, fmt, args);
	va_end(args);
	return SP_ECONFIG;
}

static void texts_add(struct texts *texts, struct sp_str text)
{
	texts->items = sp_realloc(texts->items,
	                          (texts->count + 1) * sizeof(*texts->items));
	texts->items[texts->count++] = sp_str_dup(text);
}

static void texts_fini(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		sp_free(texts->items[i]);
	}
	SP_FREE(&texts->items);
}

/* --- files of records --- */

static bool is_file(const char *path)
{
	return access(path, R_OK) == 0;
}

/* Lines without a record, and the end of the file. */
static bool is_no_record(ldns_status status, FILE *file)
{
	return status == LDNS_STATUS_SYNTAX_EMPTY ||
	       status == LDNS_STATUS_SYNTAX_TTL ||
	       status == LDNS_STATUS_SYNTAX_ORIGIN ||
	       (status == LDNS_STATUS_SYNTAX_ERR && feof(file));
}

/* Reads a zone-style file and gives each record to fn until one says no. */
static int read_records(const char *path, int (*fn)(void *arg, ldns_rr *rr),
                        void *arg, char *why_out, size_t why_cap)
{
	ldns_rdf *origin = ldns_dname_new_frm_str(".");
	ldns_rdf *prev = NULL;
	uint32_t ttl_s = 3600;
	FILE *file = fopen(path, "re");
	int line = 0;
	int err = 0;

	if (!file) {
		ldns_rdf_deep_free(origin);
		return explain(why_out, why_cap, "%s: %s", path,
		               strerror(errno));
	}
	while (!err && !feof(file)) {
		ldns_rr *rr = NULL;
		ldns_status status = ldns_rr_new_frm_fp_l(
			&rr, file, &ttl_s, &origin, &prev, &line);

		if (status == LDNS_STATUS_OK) {
			err = fn(arg, rr);
		} else if (!is_no_record(status, file)) {
			err = explain(why_out, why_cap, "%s:%d: %s", path, line,
			              ldns_get_errorstr_by_id(status));
		}
		ldns_rr_free(rr);
	}
	ldns_rdf_deep_free(origin);
	ldns_rdf_deep_free(prev);
	(void)fclose(file);
	return err;
}

/* One line without comment, as ub_ctx_add_ta wants it. */
static int add_anchor(void *arg, ldns_rr *rr)
{
	struct sp__dns_setup *setup = arg;
	struct sp_str owner = sp_str_slice(ldns_rdf_data(ldns_rr_owner(rr)),
	                                   ldns_rdf_size(ldns_rr_owner(rr)));
	struct sp_str line;
	size_t len;
	char *text;

	if ((ldns_rr_get_type(rr) != LDNS_RR_TYPE_DS &&
	     ldns_rr_get_type(rr) != LDNS_RR_TYPE_DNSKEY) ||
	    setup->anchors.count == FILE_RRS_MAX) {
		return 0;
	}
	if (setup->anchors.count == 0 &&
	    sp__dns_name_read(owner, &setup->arena, &setup->apex, &len)) {
		return 0;
	}
	text = ldns_rr2str(rr);
	SP_ASSERT(text);
	line = sp_str_from(text);
	line = sp_str_sub(line, 0, sp_str_find(line, ';'));
	line = sp_str_sub(line, 0, sp_str_find(line, '\n'));
	texts_add(&setup->anchors, sp_str_trim(line));
	LDNS_FREE(text);
	return 0;
}

static int add_hint(void *arg, ldns_rr *rr)
{
	struct sp__dns_setup *setup = arg;
	ldns_rr_type type = ldns_rr_get_type(rr);
	char text[INET6_ADDRSTRLEN];
	size_t len = ldns_rr_rd_count(rr) == 1
	                     ? ldns_rdf_size(ldns_rr_rdf(rr, 0))
	                     : 0;
	int family;

	if ((type != LDNS_RR_TYPE_A || len != 4) &&
	    (type != LDNS_RR_TYPE_AAAA || len != 16)) {
		return 0;
	}
	family = len == 4 ? AF_INET : AF_INET6;
	if (setup->hints.count < FILE_RRS_MAX &&
	    inet_ntop(family, ldns_rdf_data(ldns_rr_rdf(rr, 0)), text,
	              sizeof(text))) {
		texts_add(&setup->hints, sp_str_from(text));
	}
	return 0;
}

static int read_anchors(struct sp__dns_setup *setup, const char *path,
                        char *why_out, size_t why_cap)
{
	int err;

	path = path && *path ? path : DEFAULT_ANCHOR;
	err = read_records(path, add_anchor, setup, why_out, why_cap);
	if (!err && setup->anchors.count == 0) {
		err = explain(why_out, why_cap,
		              "%s: no DNSKEY or DS record in it", path);
	}
	return err;
}

/* Without a file of hints libunbound knows the root servers of its day. */
static int read_hints(struct sp__dns_setup *setup, const char *path,
                      char *why_out, size_t why_cap)
{
	bool given = path && *path;
	int err;

	if (!given && !is_file(DEFAULT_HINTS)) {
		return 0;
	}
	path = given ? path : DEFAULT_HINTS;
	err = read_records(path, add_hint, setup, why_out, why_cap);
	if (!err && setup->hints.count == 0) {
		err = explain(why_out, why_cap,
		              "%s: no address of a root server in it", path);
	}
	return err;
}

/* --- setup --- */

/* Is there a way to the IPv6 Internet? Asks the kernel for a route to an
 * address of the documentation prefix; nothing is sent. */
static bool has_ipv6(void)
{
	struct sockaddr_in6 to = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(53),
	};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool routed;

	if (fd < 0) {
		return false;
	}
	(void)inet_pton(AF_INET6, "2001:db8::53", &to.sin6_addr);
	routed = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
	(void)close(fd);
	return routed;
}

static void look_at_servers(struct sp__dns_setup *setup,
                            const struct texts *addresses)
{
	for (size_t i = 0; i < addresses->count; i++) {
		const char *address = addresses->items[i];

		if (strncmp(address, "127.", 4) == 0 ||
		    strncmp(address, "::1", 3) == 0) {
			setup->loopback = true;
		}
		if (strchr(address, ':')) {
			setup->ipv6 = true;
		}
	}
}

static void copy_servers(struct sp__dns_setup *setup,
                         const struct sp_resolver_conf *conf)
{
	for (size_t i = 0; i < conf->forward_count; i++) {
		texts_add(&setup->forward, conf->forward[i]);
	}
	for (size_t i = 0; i < conf->stub_count; i++) {
		const struct sp_resolver_stub *stub = &conf->stubs[i];

		for (size_t k = 0; k < stub->address_count; k++) {
			texts_add(&setup->stub_zones, stub->zone);
			texts_add(&setup->stub_addresses, stub->addresses[k]);
		}
	}
}

int sp__dns_setup_new(const struct sp_resolver_conf *conf,
                      struct sp__dns_setup **setup_out, char *why_out,
                      size_t why_cap)
{
	struct sp__dns_setup *setup = SP_NEW(struct sp__dns_setup);
	bool own_hints = conf->root_hints && *conf->root_hints;
	bool own_anchor = conf->trust_anchor && *conf->trust_anchor;
	int err;

	sp_arena_init(&setup->arena);
	(void)snprintf(setup->restarts, sizeof(setup->restarts), "%zu",
	               conf->aliases_max ? conf->aliases_max
	                                 : SP__DNS_ALIASES_DEFAULT);
	setup->questions = conf->questions ? conf->questions : SIZE_MAX;
	err = read_anchors(setup, conf->trust_anchor, why_out, why_cap);
	if (!err && conf->forward_count == 0) {
		err = read_hints(setup, conf->root_hints, why_out, why_cap);
	}
	copy_servers(setup, conf);
	setup->own_world = own_anchor || own_hints || conf->stub_count > 0;
	look_at_servers(setup, &setup->forward);
	look_at_servers(setup, &setup->stub_addresses);
	if (own_hints) {
		/* Whoever brings the root may have the rest at home as well. */
		setup->loopback = true;
		look_at_servers(setup, &setup->hints);
	}
	setup->ipv6 = setup->ipv6 || has_ipv6();
	if (err) {
		sp__dns_setup_free(&setup);
	}
	*setup_out = setup;
	return err;
}

void sp__dns_setup_free(struct sp__dns_setup **setup)
{
	struct sp__dns_setup *s = *setup;

	if (!s) {
		return;
	}
	texts_fini(&s->anchors);
	texts_fini(&s->hints);
	texts_fini(&s->forward);
	texts_fini(&s->stub_zones);
	texts_fini(&s->stub_addresses);
	sp_arena_fini(&s->arena);
	SP_FREE(setup);
}

struct sp_str sp__dns_setup_apex(const struct sp__dns_setup *setup)
{
	return setup->apex;
}

/* --- libunbound's log --- */

static struct {
	FILE *stream;            /* owned; null while there is no context */
	struct sp_list contexts; /* sp__dns_context.sink_node */
	char line[2048];         /* being written */
	size_t len;
	char failure[1024]; /* the last "SERVFAIL <...>: reason" */
} sink;

static void take_line(void)
{
	static const char mark[] = "SERVFAIL <";
	char *failure;

	sink.line[sink.len] = '\0';
	sink.len = 0;
	failure = strstr(sink.line, mark);
	if (failure) {
		(void)snprintf(sink.failure, sizeof(sink.failure), "%s",
		               failure);
		return;
	}
	sp_log(NULL, SP_LOG_DEBUG, "resolver.library",
	       SP_F_CSTR("text", sink.line));
}

static ssize_t on_log(void *cookie, const char *text, size_t len)
{
	(void)cookie;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			take_line();
		} else if (sink.len < sizeof(sink.line) - 1) {
			sink.line[sink.len++] = text[i];
		}
	}
	return (ssize_t)len;
}

static void sink_join(struct sp__dns_context *context)
{
	if (!sink.stream) {
		sink.stream = fopencookie(
			NULL, "w", (cookie_io_functions_t){.write = on_log});
		SP_ASSERT(sink.stream);
		SP_ASSERT(setvbuf(sink.stream, NULL, _IOLBF, 0) == 0);
		sp_list_init(&sink.contexts);
	}
	sp_list_append(&sink.contexts, &context->sink_node);
	(void)ub_ctx_debugout(context->ub, sink.stream);
}

/* After the context was deleted, which switched the log off for all. */
static void sink_leave(struct sp__dns_context *context)
{
	struct sp_list *left;

	sp_list_remove(&context->sink_node);
	left = sp_list_first(&sink.contexts);
	if (left) {
		(void)ub_ctx_debugout(
			SP_CONTAINER(left, struct sp__dns_context, sink_node)
				->ub,
			sink.stream);
		return;
	}
	(void)fclose(sink.stream);
	sink.stream = NULL;
}

/* What the log said last, if it is about this question. */
static struct sp_str failure_of(const struct sp__dns_shot *shot)
{
	char number[16];
	char start[SP_DNS_NAME_MAX + 40];
	const char *dot = strcmp(shot->name, ".") == 0 ? "" : ".";
	int len = snprintf(start, sizeof(start),
	                   "SERVFAIL <%s%s %s IN>:", shot->name, dot,
	                   sp__dns_type_text(shot->type, number));

	if (len < 0 || (size_t)len >= sizeof(start) ||
	    strncmp(sink.failure, start, (size_t)len) != 0) {
		return (struct sp_str){0};
	}
	return sp_str_trim(sp_str_from(sink.failure + len));
}

/* --- contexts --- */

struct option {
	const char *name;
	const char *value;
	bool optional; /* not known to every libunbound */
};

/* What differs from libunbound's defaults for library use. */
static const struct option common_options[] = {
	/* Cached proofs would hide a TLSA record that was just published, and
         * the questions in a server's log would not be those that were asked.
         */
	{"aggressive-nsec:", "no", true},
	{"qname-minimisation:", "yes", false},
	{"harden-glue:", "yes", false},
	{"harden-dnssec-stripped:", "yes", false},
	{"harden-below-nxdomain:", "yes", false},
	{"edns-buffer-size:", "1232", false},
	/* One question at a time on a connection: else a server that is slow
         * with one zone's answer, or breaks off in it, takes the questions
         * about others with it. */
	{"max-reuse-tcp-queries:", "1", false},
	{"serve-expired:", "no", false},
	{"prefetch:", "no", false},
	/* The additional section is never read. To validate it costs one
         * signature for each address of each MX host, libunbound makes pauses
         * in that and in the end gives up: a domain with 200 hosts then has no
         * MX. */
	{"val-clean-additional:", "no", false},
	{"val-bogus-ttl:", "5", false},
	{"cache-max-negative-ttl:", "900", true},
	/* Telemetry that we have no part in (RFC 8145, RFC 8509). */
	{"trust-anchor-signaling:", "no", true},
	{"root-key-sentinel:", "no", true},
	/* Known to abort in library use. */
	{"unwanted-reply-threshold:", "0", false},
	/* Reasons, for why_bogus and for the log that we read. */
	{"val-log-level:", "2", false},
	{"log-servfail:", "yes", true},
	{"val-log-squelch:", "no", true},
	{"use-syslog:", "no", false},
};

static const struct option main_options[] = {
	{"module-config:", "validator iterator", false},
	{"msg-cache-size:", "16m", false},
	{"rrset-cache-size:", "32m", false},
	{"key-cache-size:", "4m", false},
	{"neg-cache-size:", "1m", false},
	{"num-queries-per-thread:", "2048", false},
	{"minimal-responses:", "yes", false},
};

static const struct option fresh_options[] = {
	{"module-config:", "validator iterator", false},
	{"minimal-responses:", "yes", false},
};

static const struct option plain_options[] = {
	{"module-config:", "iterator", false},
	/* Proofs beside an answer are evidence. */
	{"minimal-responses:", "no", false},
};

static const struct {
	const struct option *options;
	size_t count;
} kinds[SP__DNS_KINDS] = {
	[SP__DNS_MAIN] = {main_options, COUNT(main_options)},
	[SP__DNS_FRESH] = {fresh_options, COUNT(fresh_options)},
	[SP__DNS_PLAIN] = {plain_options, COUNT(plain_options)},
};

/* UDP sockets, and an eighth as many for TCP. In the main context as
 * many as there are questions, and some more for those that need several:
 * where UDP sockets are used up, all wait for those who get no answer; where
 * connections are, the oldest is closed, whatever it waits for. Each costs a
 * kilobyte, one for TCP four. */
static const struct {
	size_t least;
	size_t most;  /* questions go no higher: resolver_slots.h */
	rlim_t share; /* of all descriptors, one of so many for UDP */
} sockets[SP__DNS_KINDS] = {
	[SP__DNS_MAIN] = {512, 4096, 2},
	[SP__DNS_FRESH] = {256, 256, 16},
	[SP__DNS_PLAIN] = {256, 256, 16},
};

static int set_options(struct ub_ctx *ub, const struct option *options,
                       size_t count, char *why_out, size_t why_cap)
{
	for (size_t i = 0; i < count; i++) {
		int result = ub_ctx_set_option(ub, options[i].name,
		                               options[i].value);

		if (result && !options[i].optional) {
			return explain(why_out, why_cap,
			               "libunbound refuses %s %s: %s",
			               options[i].name, options[i].value,
			               ub_strerror(result));
		}
	}
	return 0;
}

/* A question whose socket the system refuses counts as failed, and what it was
 * to prove as bogus: where few descriptors are allowed, questions wait. */
static size_t sockets_for(enum sp__dns_kind kind, size_t questions)
{
	size_t most = sockets[kind].most;
	size_t count = questions < most ? questions + questions / 4 : most;
	struct rlimit files = {0};
	rlim_t share;

	(void)getrlimit(RLIMIT_NOFILE, &files);
	share = files.rlim_cur / sockets[kind].share + 1;
	count = count < most ? count : most;
	count = count > sockets[kind].least ? count : sockets[kind].least;
	return count < share ? count : (size_t)share;
}

static int set_sockets(struct ub_ctx *ub, enum sp__dns_kind kind,
                       size_t questions, char *why_out, size_t why_cap)
{
	size_t count = sockets_for(kind, questions);
	char udp[24];
	char tcp[24];
	const struct option options[] = {
		{"outgoing-range:", udp, false},
		{"outgoing-num-tcp:", tcp, false},
	};

	(void)snprintf(udp, sizeof(udp), "%zu", count);
	(void)snprintf(tcp, sizeof(tcp), "%zu", count / 8 + 1);
	return set_options(ub, options, COUNT(options), why_out, why_cap);
}

static int set_world_options(struct ub_ctx *ub,
                             const struct sp__dns_setup *setup, char *why_out,
                             size_t why_cap)
{
	const struct option options[] = {
		{"do-ip6:", setup->ipv6 ? "yes" : "no", false},
		/* Delegations to 127/8 are followed in worlds on loopback
	         * only: elsewhere a stranger would steer us to local ports. */
		{"do-not-query-localhost:", setup->loopback ? "no" : "yes",
	         false},
		{"max-query-restarts:", setup->restarts, true},
		{"unblock-lan-zones:", setup->own_world ? "yes" : "no", true},
	};

	return set_options(ub, options, COUNT(options), why_out, why_cap);
}

static int set_servers(struct ub_ctx *ub, const struct sp__dns_setup *setup,
                       char *why_out, size_t why_cap)
{
	for (size_t i = 0; i < setup->forward.count; i++) {
		if (ub_ctx_set_fwd(ub, setup->forward.items[i])) {
			return explain(why_out, why_cap,
			               "forward %s: not an address",
			               setup->forward.items[i]);
		}
	}
	for (size_t i = 0; i < setup->stub_zones.count; i++) {
		if (ub_ctx_set_stub(ub, setup->stub_zones.items[i],
		                    setup->stub_addresses.items[i], 0)) {
			return explain(why_out, why_cap,
			               "stub %s %s: not a zone and address",
			               setup->stub_zones.items[i],
			               setup->stub_addresses.items[i]);
		}
	}
	for (size_t i = 0; i < setup->hints.count; i++) {
		if (ub_ctx_set_stub(ub, ".", setup->hints.items[i], 1)) {
			return explain(why_out, why_cap,
			               "root server %s: not an address",
			               setup->hints.items[i]);
		}
	}
	return 0;
}

/*
 * Names that libunbound answers by itself (RFC 6303, 6761, 7686, 8375) would
 * shadow a configured world. They go when an own trust anchor, own hints or
 * a stub is set, and after the stubs, since this is also what makes the
 * context final: mistakes that it finds only now show here, not at the first
 * question. A zone that does not exist may be removed as well.
 */
static int finish_context(struct ub_ctx *ub, bool own_world, char *why_out,
                          size_t why_cap)
{
	static const char loopback6[] =
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
		"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.";
	static const char *const zones[] = {
		"no-such-zone.invalid.",
		"test.",
		"invalid.",
		"onion.",
		"home.arpa.",
		"localhost.",
		"127.in-addr.arpa.",
		loopback6,
	};
	size_t count = own_world ? COUNT(zones) : 1;

	for (size_t i = 0; i < count; i++) {
		int result = ub_ctx_zone_remove(ub, zones[i]);

		if (result) {
			return explain(why_out, why_cap, "libunbound: %s",
			               ub_strerror(result));
		}
	}
	return 0;
}

static int configure(struct sp__dns_context *context,
                     const struct sp__dns_setup *setup, char *why_out,
                     size_t why_cap)
{
	struct ub_ctx *ub = context->ub;
	int err = set_options(ub, common_options, COUNT(common_options),
	                      why_out, why_cap);

	if (!err) {
		err = set_options(ub, kinds[context->kind].options,
		                  kinds[context->kind].count, why_out, why_cap);
	}
	if (!err) {
		err = set_sockets(ub, context->kind, setup->questions, why_out,
		                  why_cap);
	}
	if (!err) {
		err = set_world_options(ub, setup, why_out, why_cap);
	}
	if (!err) {
		err = set_servers(ub, setup, why_out, why_cap);
	}
	for (size_t i = 0;
	     !err && context->kind != SP__DNS_PLAIN && i < setup->anchors.count;
	     i++) {
		if (ub_ctx_add_ta(ub, setup->anchors.items[i])) {
			err = explain(why_out, why_cap, "trust anchor: %s",
			              setup->anchors.items[i]);
		}
	}
	if (!err) {
		err = finish_context(ub, setup->own_world, why_out, why_cap);
	}
	return err;
}

int sp__dns_context_new(const struct sp__dns_home *home, enum sp__dns_kind kind,
                        struct sp__dns_context **context_out, char *why_out,
                        size_t why_cap)
{
	static uint64_t last_serial;
	struct sp__dns_context *c = SP_NEW(struct sp__dns_context);
	int err;

	*context_out = NULL;
	c->ub = ub_ctx_create_event(sp_loop_base(home->loop));
	if (!c->ub) {
		sp_free(c);
		return explain(why_out, why_cap,
		               "libunbound was built without libevent");
	}
	c->kind = kind;
	c->serial = ++last_serial;
	c->born_ms = sp_time_mono_ms();
	c->wake = home->wake;
	sp_list_init(&c->node);
	sp_list_init(&c->shots);
	sp_list_init(&c->done);
	sink_join(c);
	err = configure(c, home->setup, why_out, why_cap);
	if (err) {
		sp__dns_context_free(&c);
	}
	*context_out = c;
	return err;
}

void sp__dns_context_free(struct sp__dns_context **context)
{
	struct sp__dns_context *c = *context;
	struct sp_list *node;

	if (!c) {
		return;
	}
	c->closing = true;
	ub_ctx_delete(c->ub);
	sink_leave(c);
	while ((node = sp_list_first(&c->shots)) ||
	       (node = sp_list_first(&c->done))) {
		struct sp__dns_shot *shot =
			SP_CONTAINER(node, struct sp__dns_shot, node);

		sp__dns_shot_free(&shot);
	}
	sp_list_remove(&c->node);
	SP_FREE(context);
}

/* --- questions --- */

void sp__dns_shot_free(struct sp__dns_shot **shot)
{
	struct sp__dns_shot *s = *shot;

	if (!s) {
		return;
	}
	sp_list_remove(&s->node);
	sp_free(s->name);
	sp_free((void *)s->reply.packet.ptr);
	sp_free((void *)s->reply.why.ptr);
	SP_FREE(shot);
}

static struct sp_str copy(struct sp_str bytes)
{
	return sp_str_slice(sp_str_dup(bytes), bytes.len);
}

/* "validation failure <name type class>: reason" to the reason. */
static struct sp_str reason_in(const char *why_bogus)
{
	const char *at = why_bogus ? strstr(why_bogus, ">: ") : NULL;

	return sp_str_from(at ? at + 3 : why_bogus);
}

static void settle(struct sp__dns_shot *shot, struct sp__dns_reply reply)
{
	struct sp__dns_context *c = shot->context;

	shot->returned = true;
	shot->reply = reply;
	shot->reply.packet = copy(reply.packet);
	shot->reply.why = copy(reply.why);
	sp_list_remove(&shot->node);
	sp_list_append(&c->done, &shot->node);
	c->waiting--;
	sp_deferred_call(c->wake);
}

/* The type of the callback is libunbound's. */
/* NOLINTNEXTLINE(readability-function-size) */
static void on_reply(void *arg, int rcode, void *packet, int packet_len,
                     int security, char *why_bogus, int was_ratelimited)
{
	struct sp__dns_shot *shot = arg;
	struct sp__dns_reply reply = {
		.rcode = rcode,
		.security = security == 1   ? SP__DNS_SEC_BOGUS
	                    : security == 2 ? SP__DNS_SEC_SECURE
	                                    : SP__DNS_SEC_NONE,
	};

	(void)was_ratelimited;
	if (shot->context->closing) {
		return; /* sp__dns_context_free takes them all */
	}
	if (!shot->arg) {
		shot->context->dropped--;
		sp__dns_shot_free(&shot);
		return;
	}
	if (rcode == 0 && packet && packet_len > 0) {
		reply.packet = sp_str_slice(packet, (size_t)packet_len);
	}
	reply.why = security == 1 ? reason_in(why_bogus)
	            : rcode != 0  ? failure_of(shot)
	                          : (struct sp_str){0};
	settle(shot, reply);
}

struct sp__dns_shot *sp__dns_context_ask(struct sp__dns_context *context,
                                         struct sp_str name, uint16_t type,
                                         void *arg)
{
	struct sp__dns_shot *shot = SP_NEW(struct sp__dns_shot);
	int result;

	SP_ASSERT(arg);
	shot->context = context;
	shot->name = sp_str_dup(name);
	shot->type = type;
	shot->arg = arg;
	sp_list_init(&shot->node);
	sp_list_append(&context->shots, &shot->node);
	context->asked++;
	context->waiting++;
	result = ub_resolve_event(context->ub, shot->name, type,
	                          LDNS_RR_CLASS_IN, shot, on_reply, NULL);
	if (result && !shot->returned) {
		settle(shot, (struct sp__dns_reply){
				     .rcode = RCODE_SERVFAIL,
				     .why = sp_str_from(ub_strerror(result)),
			     });
	}
	return shot;
}

void sp__dns_shot_drop(struct sp__dns_shot *shot)
{
	if (shot->returned) {
		sp__dns_shot_free(&shot);
		return;
	}
	shot->arg = NULL;
	shot->context->waiting--;
	shot->context->dropped++;
}

struct sp__dns_shot *sp__dns_context_take(struct sp__dns_context *context)
{
	struct sp_list *node = sp_list_first(&context->done);

	if (!node) {
		return NULL;
	}
	sp_list_remove(node);
	return SP_CONTAINER(node, struct sp__dns_shot, node);
}
