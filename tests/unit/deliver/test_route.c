/* SPDX-License-Identifier: Apache-2.0 */
/* Which MX hosts are this server itself (RFC 5321 5.1), by configuration. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
