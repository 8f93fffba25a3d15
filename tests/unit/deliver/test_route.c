/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From configuration to what a plan starts from: routes and next hops, and
 * which MX hosts are this server itself (RFC 5321 5.1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/route.h"

#define LISTEN(address)                                                        \
	"hostname = \"mail.d.test\"\n"                                         \
	"listen \"l\" { address = {\"" address "\"} }\n"

static const struct self_case {
	const char *name;
	const char *conf;
	const char *host;
	bool self;
} cases[] = {
	{"our name", LISTEN("192.0.2.1:587"), "MAIL.d.test", true},
	{"another name", LISTEN("192.0.2.1:587"), "mx.d.test", false},
	{"an address for mail", LISTEN("192.0.2.1:25"), "192.0.2.1", true},
	{"an address for submission only", LISTEN("192.0.2.1:587"), "192.0.2.1",
         false},
	{"another address", LISTEN("192.0.2.1:25"), "192.0.2.2", false},
	{"IPv6", LISTEN("[2001:db8::1]:25"), "2001:db8::1", true},
	{"every IPv4 address: ours", LISTEN("0.0.0.0:25"), "127.0.0.1", true},
	{"every IPv4 address: not ours", LISTEN("0.0.0.0:25"), "192.0.2.1",
         false},
	{"every IPv4 address: not IPv6", LISTEN("0.0.0.0:25"), "::1", false},
	{"every IPv4 address, submission only", LISTEN("0.0.0.0:587"),
         "127.0.0.1", false},
	{"every IPv4 address: a name", LISTEN("0.0.0.0:25"), "mx.d.test",
         false},
	{"every IPv6 address: not IPv4", LISTEN("[::]:25"), "127.0.0.1", false},
	{"every IPv6 address: not ours", LISTEN("[::]:25"), "2001:db8::1",
         false},
};

static void test_self(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct self_case *c = &cases[i];
		char why[SP_CONF_WHY] = "";
		struct sp_conf *conf = NULL;
		struct sp_arena arena;
		struct sp_route route;

		if (sp_conf_parse(sp_str_from(c->conf), "t", &conf, why)) {
			fail_msg("%s: %s", c->name, why);
		}
		sp_arena_init(&arena);
		sp_route_find(conf, SP_STR("d.test"), false, &arena, &route);
		if (route.plan.is_self(route.plan.is_self_arg,
		                       sp_str_from(c->host)) != c->self) {
			fail_msg("%s: %s", c->name, c->host);
		}
		sp_arena_fini(&arena);
		sp_conf_free(&conf);
	}
}

#define SMTP "smtp { port = 2525 }\n"

static const struct route_case {
	const char *name;
	const char *conf;
	const char *domain; /* of the recipient */
	const char *asked;  /* whose MX is asked */
	const char *fixed;  /* or the host without that */
	uint16_t port;
	enum sp_dane_mode dane;
} routes[] = {
	{"no route", SMTP, "d.test", "d.test", "", 2525, SP_DANE_OPPORTUNISTIC},
	{"a domain has its own",
         SMTP "route \"*\" { dane = \"off\" }\n"
              "route \"d.test\" { dane = \"mandatory\" }",
         "d.test", "d.test", "", 2525, SP_DANE_MANDATORY},
	{"every other", SMTP "route \"*\" { dane = \"off\" }", "d.test",
         "d.test", "", 2525, SP_DANE_OFF},
	{"not for what lies below", SMTP "route \"d.test\" { dane = \"off\" }",
         "sub.d.test", "sub.d.test", "", 2525, SP_DANE_OPPORTUNISTIC},
	{"an internationalised name (RFC 5891)",
         SMTP "route \"M\xc3\xbcll.test\" { dane = \"off\" }",
         "xn--mll-hoa.test", "xn--mll-hoa.test", "", 2525, SP_DANE_OFF},
	{"next hop with MX",
         SMTP "route \"d.test\" { next_hop = \"Hub.test\" }", "d.test",
         "hub.test", "", 2525, SP_DANE_OPPORTUNISTIC},
	{"next hop with MX and port",
         SMTP "route \"d.test\" { next_hop = \"hub.test:587\" }", "d.test",
         "hub.test", "", 587, SP_DANE_OPPORTUNISTIC},
	{"next hop without MX",
         SMTP "route \"d.test\" { next_hop = \"[mx.hub.test]\" }", "d.test",
         "d.test", "mx.hub.test", 2525, SP_DANE_OPPORTUNISTIC},
	{"next hop without MX, with port",
         SMTP "route \"d.test\" { next_hop = \"[mx.hub.test]:587\" "
              "dane = \"mandatory\" }",
         "d.test", "d.test", "mx.hub.test", 587, SP_DANE_MANDATORY},
	{"next hop by address",
         SMTP "route \"d.test\" { next_hop = \"[192.0.2.1]:26\" }", "d.test",
         "d.test", "192.0.2.1", 26, SP_DANE_OPPORTUNISTIC},
	{"next hop by IPv6 address",
         SMTP "route \"d.test\" { next_hop = \"[2001:db8::1]:26\" }", "d.test",
         "d.test", "2001:db8::1", 26, SP_DANE_OPPORTUNISTIC},
	{"smart host, also for address literals",
         SMTP "route \"*\" { next_hop = \"[mx.hub.test]\" }", "[192.0.2.1]",
         "[192.0.2.1]", "mx.hub.test", 2525, SP_DANE_OPPORTUNISTIC},
};

static void test_routes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		const struct route_case *c = &routes[i];
		char why[SP_CONF_WHY] = "";
		struct sp_conf *conf = NULL;
		struct sp_arena arena;
		struct sp_route route;

		if (sp_conf_parse(sp_str_from(c->conf), "t", &conf, why)) {
			fail_msg("%s: %s", c->name, why);
		}
		sp_arena_init(&arena);
		sp_route_find(conf, sp_str_from(c->domain), false, &arena,
		              &route);
		if (!sp_str_eq(route.domain, sp_str_from(c->asked)) ||
		    !sp_str_eq(route.plan.fixed_next_hop,
		               sp_str_from(c->fixed)) ||
		    route.plan.port != c->port || route.plan.dane != c->dane) {
			fail_msg("%s: " SP_STR_FMT " [" SP_STR_FMT "]:%u %d",
			         c->name, SP_STR_ARG(route.domain),
			         SP_STR_ARG(route.plan.fixed_next_hop),
			         route.plan.port, route.plan.dane);
		}
		sp_arena_fini(&arena);
		sp_conf_free(&conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
