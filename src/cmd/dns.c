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

static void on_time(void *arg)
{
	on_self_test(arg, -1, "the time was over");
}

static int set_up_and_test(struct sp_cmd_dns *dns, const struct sp_conf *conf,
                           bool says, int64_t limit_ms)
{
	int status = set_up(dns, conf, says);
	struct sp_timer *timer;

	if (status) {
		return status;
	}
	timer = sp_timer_new(dns->loop, on_time, dns);
	if (limit_ms > 0) {
		sp_timer_set(timer, limit_ms);
	}
	sp_resolver_self_test(dns->resolver, on_self_test, dns);
	status = sp_loop_run(dns->loop)
	                 ? sp_cmd_fail(SP_EXIT_AGAIN, "event loop failed")
	                 : 0;
	sp_timer_free(&timer);
	return status;
}

int sp_cmd_dns_init_for(struct sp_cmd_dns *dns, const struct sp_conf *conf,
                        bool says)
{
	return set_up_and_test(dns, conf, says, 0);
}

int sp_cmd_dns_init(struct sp_cmd_dns *dns, const struct sp_conf *conf)
{
	return set_up_and_test(dns, conf, true, 0);
}

int sp_cmd_dns_init_within(struct sp_cmd_dns *dns, const struct sp_conf *conf,
                           int64_t limit_ms)
{
	return set_up_and_test(dns, conf, true, limit_ms);
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
