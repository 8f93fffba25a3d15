/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From MX records to the list of hosts: sorted, each host once, shuffled
 * inside equal preference (RFC 5321 5.1), without `.` beside others, without
 * ourselves and what stands behind us, and no longer than the limit.
 *
 * Nothing here knows of DANE: the order of hosts is fixed before the first
 * question that depends on DNSSEC, and later steps only mark hosts, except
 * that a host with an address of ours takes itself and its equals away.
 *
 * The records are sorted by name before the shuffle, so that the order
 * depends on the seed and not on the order in which a server sent them.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/rand.h"
#include "policy/mxplan_private.h"
#include "wire/address.h"

#define IPV6_TAG "IPv6:"

bool sp__is_root(struct sp_str name)
{
	return name.len == 0 || sp_str_eq(name, SP_STR("."));
}

bool sp__null_mx(const struct sp_dns_answer *answer)
{
	for (size_t i = 0; i < answer->record_count; i++) {
		if (!sp__is_root(answer->records[i].name)) {
			return false;
		}
	}
	return answer->record_count > 0;
}

bool sp__host_is_self(const struct sp_plan *plan, struct sp_str host)
{
	const struct sp_plan_conf *conf = &plan->work->conf;

	return conf->is_self != NULL && conf->is_self(conf->is_self_arg, host);
}

/* Addresses that are no host's: unspecified (which would dial ourselves),
 * multicast, broadcast, IPv4 in disguise. */
bool sp__address_dialable(const struct sp_plan_address *address)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0,    0,
	                                   0, 0, 0, 0, 0xff, 0xff};
	static const uint8_t unspecified[16];

	if (address->family == 4) {
		return address->bytes[0] != 0 && address->bytes[0] < 224;
	}
	return address->bytes[0] != 0xff &&
	       memcmp(address->bytes, mapped, sizeof(mapped)) != 0 &&
	       memcmp(address->bytes, unspecified, sizeof(unspecified)) != 0;
}

/* An address in text, with or without brackets and tag. */
static bool parse_literal(struct sp_str text, struct sp_plan_address *out)
{
	char buf[INET6_ADDRSTRLEN + 1];

	if (text.len >= 2 && text.ptr[0] == '[' &&
	    text.ptr[text.len - 1] == ']') {
		text = sp_str_sub(text, 1, text.len - 2);
	}
	if (sp_str_starts_nocase(text, SP_STR(IPV6_TAG))) {
		text = sp_str_sub(text, sizeof(IPV6_TAG) - 1, text.len);
	}
	if (text.len == 0 || text.len >= sizeof(buf)) {
		return false;
	}
	memcpy(buf, text.ptr, text.len);
	buf[text.len] = '\0';
	/* Such an address was not looked up: nothing vouches for it. */
	out->dnssec = SP_DNSSEC_INSECURE;
	if (inet_pton(AF_INET, buf, out->bytes) == 1) {
		out->family = 4;
		return true;
	}
	out->family = 6;
	return inet_pton(AF_INET6, buf, out->bytes) == 1;
}

static void host_init(struct sp_plan *plan, struct sp_plan_host *host,
                      struct sp_str name, uint16_t preference)
{
	struct sp_plan_address literal = {0};

	host->name = sp_arena_str(&plan->arena, name);
	host->preference = preference;
	host->tlsa_answer = SP_TLSA_NOT_ASKED;
	host->tlsa_dnssec = SP_DNSSEC_INSECURE;
	host->rule = SP_RULE_SKIP;
	host->mandatory = plan->work->conf.dane == SP_DANE_MANDATORY;
	host->row = "";
	if (!sp_domain_is_literal(name)) {
		return;
	}
	host->literal = true;
	if (parse_literal(name, &literal) && sp__address_dialable(&literal)) {
		host->addresses = sp_arena_array(&plan->arena, 1,
		                                 sizeof(*host->addresses));
		host->addresses[0] = literal;
		host->address_count = 1;
	}
}

static void hosts_alloc(struct sp_plan *plan, size_t count)
{
	struct sp_plan_work *work = plan->work;

	plan->hosts = sp_arena_array(&plan->arena, count, sizeof(*plan->hosts));
	work->hosts = sp_arena_array(&plan->arena, count, sizeof(*work->hosts));
	plan->host_count = count;
}

void sp__hosts_single(struct sp_plan *plan, struct sp_str name, bool implicit)
{
	hosts_alloc(plan, 1);
	host_init(plan, &plan->hosts[0], name, 0);
	plan->hosts[0].implicit = implicit;
}

static int record_cmp(const void *a, const void *b)
{
	const struct sp_dns_record *x = a, *y = b;

	if (x->preference != y->preference) {
		return x->preference < y->preference ? -1 : 1;
	}
	return sp_str_cmp(x->name, y->name);
}

static bool listed(const struct sp_dns_record *records, size_t count,
                   struct sp_str name)
{
	for (size_t i = 0; i < count; i++) {
		if (sp_str_eq_nocase(records[i].name, name)) {
			return true;
		}
	}
	return false;
}

/* Each host once, at its best preference; `.` never. */
static size_t unique(struct sp_dns_record *records, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!sp__is_root(records[i].name) &&
		    !listed(records, kept, records[i].name)) {
			records[kept++] = records[i];
		}
	}
	return kept;
}

/* The records are sorted: those that are better than the best of ours. */
static size_t before_self(const struct sp_plan *plan,
                          const struct sp_dns_record *records, size_t count)
{
	size_t better = 0;

	for (size_t i = 0; i < count; i++) {
		if (records[i].preference != records[better].preference) {
			better = i;
		}
		if (sp__host_is_self(plan, records[i].name)) {
			return better;
		}
	}
	return count;
}

static void shuffle(struct sp_dns_record *records, size_t count, uint64_t *rand)
{
	for (size_t start = 0, end; start < count; start = end) {
		for (end = start + 1;
		     end < count &&
		     records[end].preference == records[start].preference;
		     end++) {
		}
		for (size_t n = end - start; n > 1; n--) {
			size_t k = (size_t)sp_rand_below(rand, n);
			struct sp_dns_record last = records[start + n - 1];

			records[start + n - 1] = records[start + k];
			records[start + k] = last;
		}
	}
}

static void note_null_mx(struct sp_plan *plan,
                         const struct sp_dns_answer *answer)
{
	for (size_t i = 0; i < answer->record_count; i++) {
		if (sp__is_root(answer->records[i].name)) {
			sp__warn(plan, &plan->warning,
			         "null MX beside other MX records ignored");
			break;
		}
	}
}

bool sp__hosts_from_mx(struct sp_plan *plan, const struct sp_dns_answer *answer)
{
	struct sp_plan_work *work = plan->work;
	size_t count = answer->record_count, all;
	struct sp_dns_record *records;
	uint64_t rand = work->seed;

	records = sp_arena_array(&plan->arena, count, sizeof(*records));
	memcpy(records, answer->records, count * sizeof(*records));
	qsort(records, count, sizeof(*records), record_cmp);
	all = unique(records, count);
	count = before_self(plan, records, all);
	if (count < all) {
		work->incomplete = true;
	}
	shuffle(records, count, &rand);
	note_null_mx(plan, answer);
	if (answer->cut || count > work->conf.hosts_max) {
		work->incomplete = true;
	}
	count = sp__cut(plan, count, work->conf.hosts_max, answer->cut,
	                &plan->host_cut, &plan->warning, "MX hosts");
	if (count == 0) {
		return false;
	}
	hosts_alloc(plan, count);
	for (size_t i = 0; i < count; i++) {
		host_init(plan, &plan->hosts[i], records[i].name,
		          records[i].preference);
	}
	return true;
}

static bool has_self_address(const struct sp_plan *plan,
                             const struct sp_plan_host *host)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < host->address_count; i++) {
		const struct sp_plan_address *address = &host->addresses[i];
		int family = address->family == 4 ? AF_INET : AF_INET6;

		if (inet_ntop(family, address->bytes, text, sizeof(text)) !=
		            NULL &&
		    sp__host_is_self(plan, sp_str_from(text))) {
			return true;
		}
	}
	return false;
}

struct sp_str sp__hosts_drop_self(struct sp_plan *plan)
{
	size_t kept = 0;

	/* Hosts stand by preference: the first of ours is the best one. */
	for (size_t i = 0; i < plan->host_count; i++) {
		if (has_self_address(plan, &plan->hosts[i])) {
			struct sp_str own = plan->hosts[i].name;

			plan->work->incomplete = true;
			while (kept < i && plan->hosts[kept].preference !=
			                           plan->hosts[i].preference) {
				kept++;
			}
			plan->host_count = kept;
			return own;
		}
	}
	return (struct sp_str){0};
}
