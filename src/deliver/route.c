/* SPDX-License-Identifier: Apache-2.0 */
/* From configuration words to policy values. */
#include <string.h>

#include "deliver/route.h"
#include "net/socket.h"
#include "net/tls.h"
#include "wire/address.h"

struct word {
	const char *word;
	int value;
};

static const struct word DANE_MODES[] = {
	{"opportunistic", SP_DANE_OPPORTUNISTIC},
	{"mandatory", SP_DANE_MANDATORY},
	{"off", SP_DANE_OFF},
	{NULL, SP_DANE_OPPORTUNISTIC},
};

static const struct word INSECURE_MX[] = {
	{"dane", SP_INSECURE_MX_DANE},
	{"encrypt", SP_INSECURE_MX_ENCRYPT},
	{"may", SP_INSECURE_MX_MAY},
	{NULL, SP_INSECURE_MX_DANE},
};

static int value_of(const struct word *words, const char *word)
{
	while (words->word && strcmp(words->word, word) != 0) {
		words++;
	}
	return words->value;
}

/* Is that one of the addresses that a listener takes connections for? One
 * that listens everywhere does so for every address of this machine. */
static bool is_heard(const struct sp_addr *listen, const struct sp_addr *addr)
{
	static const uint8_t everywhere[16];

	if (listen->family != addr->family) {
		return false;
	}
	if (memcmp(listen->bytes, everywhere, sizeof(everywhere)) == 0) {
		return sp_socket_is_local_address(addr);
	}
	return memcmp(listen->bytes, addr->bytes, sizeof(addr->bytes)) == 0;
}

/* Is it our own name, or an address that we listen on for mail of others? */
static bool is_self(void *arg, struct sp_str host)
{
	const struct sp_conf *conf = arg;
	struct sp_addr addr, listen;

	if (sp_str_eq_nocase(host, sp_str_from(conf->hostname))) {
		return true;
	}
	if (sp_addr_parse(host, 0, &addr)) {
		return false;
	}
	for (size_t i = 0; i < conf->listen_count; i++) {
		const struct sp_conf_strings *list = &conf->listen[i].address;

		for (size_t k = 0; k < list->count; k++) {
			if (sp_addr_parse(sp_str_from(list->items[k]), 0,
			                  &listen) == 0 &&
			    listen.port == conf->smtp.port &&
			    is_heard(&listen, &addr)) {
				return true;
			}
		}
	}
	return false;
}

/* "[host]:port", "[host]", "domain:port", "domain". */
static void read_next_hop(struct sp_str text, struct sp_arena *arena,
                          struct sp_route *route)
{
	bool fixed = text.len && text.ptr[0] == '[';
	size_t end = fixed ? sp_str_find(text, ']') : sp_str_find(text, ':');
	struct sp_str host = sp_str_sub(text, fixed, end - fixed);
	struct sp_str rest = sp_str_sub(text, end + fixed, text.len);
	struct sp_str ascii;
	uint64_t port;

	if (rest.len > 1 && rest.ptr[0] == ':' &&
	    !sp_str_u64(sp_str_sub(rest, 1, rest.len), 65535, &port) && port) {
		route->plan.port = (uint16_t)port;
	}
	if (sp_domain_to_ascii(host, arena, &ascii)) {
		ascii = host;
	}
	if (fixed) {
		route->plan.fixed_next_hop = ascii;
	} else {
		route->domain = ascii;
	}
}

void sp_route_find(const struct sp_conf *conf, struct sp_str domain,
                   bool validator_broken, struct sp_arena *arena,
                   struct sp_route *route_out)
{
	const struct sp_conf_route *route = sp_conf_route_find(conf, domain);

	*route_out = (struct sp_route){
		.plan =
			{
				.insecure_mx = (enum sp_insecure_mx)value_of(
					INSECURE_MX, conf->dane.insecure_mx),
				.port = (uint16_t)conf->smtp.port,
				.is_self = is_self,
				.is_self_arg = (void *)(uintptr_t)conf,
				.validator_broken = validator_broken,
				.hosts_max = (size_t)conf->smtp.hosts_max,
				.addresses_max =
					(size_t)conf->smtp.addresses_max,
				.tlsa_max = (size_t)conf->dane.records_max,
				.full_parses = sp_tls_full_parses,
			},
		.domain = domain,
		.mta_sts = true,
	};
	if (route) {
		route_out->mta_sts = route->mta_sts;
		route_out->plan.dane =
			(enum sp_dane_mode)value_of(DANE_MODES, route->dane);
		if (*route->next_hop) {
			read_next_hop(sp_str_from(route->next_hop), arena,
			              route_out);
		}
	}
}

struct sp_retry sp_route_retry(const struct sp_conf *conf, struct sp_str domain)
{
	const struct sp_conf_route *route = sp_conf_route_find(conf, domain);
	const struct sp_conf_steps *steps =
		route && route->retry.count ? &route->retry : &conf->retry;
	struct sp_retry retry = {
		.step_count = steps->count,
		.expire_ms = route && route->expire_ms ? route->expire_ms
	                                               : conf->expire_ms,
	};

	_Static_assert(sizeof(retry.steps_ms) == sizeof(steps->steps_ms),
	               "as many steps as the configuration takes");
	memcpy(retry.steps_ms, steps->steps_ms, sizeof(retry.steps_ms));
	return retry;
}

struct sp_judge_conf sp_route_judge(const struct sp_conf *conf)
{
	return (struct sp_judge_conf){
		.profile = strcmp(conf->dane.profile, "exchange") == 0
	                           ? SP_PROFILE_EXCHANGE
	                           : SP_PROFILE_RFC,
		.filter.log_only = !conf->enforce,
	};
}
