/* SPDX-License-Identifier: Apache-2.0 */
/* The DNS without a server: what the commands that need none share. */
#include "base/err.h"
#include "cmd/dns.h"
#include "deliver/resolver_conf.h"
#include "wire/address.h"

static void on_self_test(void *arg, int result, const char *why)
{
	struct sp_cmd_dns *dns = arg;

	dns->direct.lookup.validator_broken = result != 0;
	if (result && dns->says) {
		sp_cmd_fail(0,
		            "DNSSEC self-test: %s; nothing can be called "
		            "secure or insecure",
		            why);
	}
	sp_loop_stop(dns->loop);
}

static int set_up(struct sp_cmd_dns *dns, const struct sp_conf *conf, bool says)
{
	char why[512];

	*dns = (struct sp_cmd_dns){.loop = sp_loop_new(), .says = says};
	if (sp_resolver_from_conf(dns->loop, conf, &dns->resolver, why,
	                          sizeof(why))) {
		return says ? sp_cmd_fail(SP_EXIT_CONF, "resolver: %s", why)
		            : SP_EXIT_CONF;
	}
	sp_lookup_direct_init(&dns->direct, dns->resolver);
	return 0;
}

int sp_cmd_dns_init_for(struct sp_cmd_dns *dns, const struct sp_conf *conf,
                        bool says)
{
	int status = set_up(dns, conf, says);

	if (status) {
		return status;
	}
	sp_resolver_self_test(dns->resolver, on_self_test, dns);
	if (sp_loop_run(dns->loop)) {
		return sp_cmd_fail(SP_EXIT_AGAIN, "event loop failed");
	}
	return 0;
}

int sp_cmd_dns_init(struct sp_cmd_dns *dns, const struct sp_conf *conf)
{
	return sp_cmd_dns_init_for(dns, conf, true);
}

int sp_cmd_dns_init_untested(struct sp_cmd_dns *dns, const struct sp_conf *conf)
{
	return set_up(dns, conf, true);
}

void sp_cmd_dns_fini(struct sp_cmd_dns *dns)
{
	sp_resolver_free(&dns->resolver);
	sp_loop_free(&dns->loop);
}

int sp_cmd_domain(const char *text, struct sp_arena *arena,
                  struct sp_str *ascii_out)
{
	struct sp_str domain = sp_str_from(text);

	if (sp_domain_is_literal(domain)) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "%s: an address, expected a domain name",
		                   text);
	}
	if (sp_domain_to_ascii(domain, arena, ascii_out) || !ascii_out->len) {
		return sp_cmd_fail(SP_EXIT_USAGE, "%s: not a domain name",
		                   text);
	}
	return 0;
}
