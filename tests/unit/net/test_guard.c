/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/guard.h"

struct row {
	const char *name;
	const char *address;
	const char *what; /* null: let through */
};

static const struct row ROWS[] = {
	{"global", "8.8.8.8", NULL},
	{"global, first", "1.0.0.0", NULL},
	{"global, last", "223.255.255.255", NULL},
	{"RFC 1122 3.2.1.3 this host", "0.0.0.0", "unspecified"},
	{"RFC 1122 3.2.1.3 this network", "0.1.2.3", "unspecified"},
	{"RFC 1122 3.2.1.3 loopback", "127.0.0.1", "loopback"},
	{"RFC 1122 3.2.1.3 loopback, last", "127.255.255.255", "loopback"},
	{"before loopback", "126.255.255.255", NULL},
	{"behind loopback", "128.0.0.1", NULL},
	{"RFC 1918 10/8", "10.255.0.1", "private"},
	{"RFC 1918 172.16/12", "172.16.0.1", "private"},
	{"RFC 1918 172.16/12, last", "172.31.255.255", "private"},
	{"behind 172.16/12", "172.32.0.0", NULL},
	{"before 172.16/12", "172.15.255.255", NULL},
	{"RFC 1918 192.168/16", "192.168.1.1", "private"},
	{"behind 192.168/16", "192.169.0.1", NULL},
	{"RFC 3927 link-local, metadata", "169.254.169.254", "link-local"},
	{"RFC 6598 shared", "100.64.0.1", "carrier-grade NAT"},
	{"RFC 6598 shared, last", "100.127.255.255", "carrier-grade NAT"},
	{"behind shared", "100.128.0.0", NULL},
	{"RFC 5737 TEST-NET-1", "192.0.2.1", "documentation"},
	{"RFC 5737 TEST-NET-2", "198.51.100.1", "documentation"},
	{"RFC 5737 TEST-NET-3", "203.0.113.1", "documentation"},
	{"RFC 2544 benchmarking", "198.19.0.1", "benchmarking"},
	{"RFC 6890 protocol assignments", "192.0.0.170", "reserved"},
	{"RFC 1112 multicast", "224.0.0.1", "multicast"},
	{"RFC 1112 multicast, last", "239.255.255.255", "multicast"},
	{"RFC 1112 class E", "240.0.0.1", "reserved"},
	{"RFC 919 broadcast", "255.255.255.255", "reserved"},

	{"global IPv6", "2606:4700::1111", NULL},
	{"RFC 4291 2.5.2 unspecified", "::", "unspecified"},
	{"RFC 4291 2.5.3 loopback", "::1", "loopback"},
	{"RFC 4291 2.5.6 link-local", "fe80::1", "link-local"},
	{"RFC 4291 2.5.6 link-local, last", "febf::1", "link-local"},
	{"RFC 3879 site-local", "fec0::1", "site-local"},
	{"RFC 4193 unique local", "fc00::1", "unique local"},
	{"RFC 4193 unique local, random", "fd12:3456::1", "unique local"},
	{"RFC 4291 2.7 multicast", "ff02::1", "multicast"},
	{"RFC 3849 documentation", "2001:db8::1", "documentation"},
	{"RFC 9637 documentation", "3fff:fff::1", "documentation"},
	{"behind 3fff::/20", "3fff:1000::1", NULL},
	{"RFC 6666 discard", "100::1", "discard-only"},
	{"RFC 4380 Teredo", "2001:0:1::1", "Teredo"},
	{"RFC 2928 protocol assignments", "2001:1ff::1", "reserved"},
	{"behind 2001::/23", "2001:200::1", NULL},
	{"RFC 8215 local NAT64", "64:ff9b:1::808:808", "local NAT64"},
	{"RFC 9602 segment routing", "5f00::1", "segment routing"},
	{"RFC 4291 2.4 not yet given out", "4000::1", "reserved"},

	{"RFC 4291 2.5.5.2 mapped loopback", "::ffff:127.0.0.1", "loopback"},
	{"RFC 4291 2.5.5.2 mapped private", "::ffff:10.0.0.1", "private"},
	{"RFC 4291 2.5.5.2 mapped global", "::ffff:8.8.8.8", NULL},
	{"RFC 4291 2.5.5.1 compatible", "::127.0.0.1", "loopback"},
	{"RFC 2765 2.1 translated", "::ffff:0:192.168.0.1", "private"},
	{"RFC 6052 2.1 NAT64 of private", "64:ff9b::10.0.0.1", "private"},
	{"RFC 6052 2.1 NAT64 of metadata", "64:ff9b::a9fe:a9fe", "link-local"},
	{"RFC 6052 2.1 NAT64 of global", "64:ff9b::8.8.8.8", NULL},
	{"RFC 3056 6to4 of loopback", "2002:7f00:1::1", "loopback"},
	{"RFC 3056 6to4 of private", "2002:c0a8:101::1", "private"},
	{"RFC 3056 6to4 of global", "2002:808:808::1", NULL},
	{"RFC 5214 6.1 ISATAP", "2606:4700::5efe:10.0.0.1", "ISATAP"},
	{"RFC 5214 6.1 ISATAP, global id", "2606:4700::200:5efe:10.0.0.1",
         "ISATAP"},
};

static struct sp_addr parse(const char *text)
{
	struct sp_addr addr;

	assert_int_equal(sp_addr_parse(sp_str_from(text), 443, &addr), 0);
	return addr;
}

static void assert_what(const char *name, const char *found, const char *what)
{
	if ((!found) != (!what) || (found && strcmp(found, what) != 0)) {
		fail_msg("%s: %s instead of %s", name, found ? found : "free",
		         what ? what : "free");
	}
}

static void test_special(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct sp_addr addr = parse(ROWS[i].address);

		assert_what(ROWS[i].name, sp_guard_special(&addr),
		            ROWS[i].what);
	}
}

static void test_no_family(void **state)
{
	const struct sp_addr none = {0};

	(void)state;
	assert_non_null(sp_guard_special(&none));
}

static void test_allow(void **state)
{
	struct sp_cidr allow[2];
	struct sp_guard guard = {true, allow, 2};
	struct sp_addr addr;

	(void)state;
	assert_int_equal(sp_cidr_parse(SP_STR("10.1.0.0/16"), &allow[0]), 0);
	assert_int_equal(sp_cidr_parse(SP_STR("fd00::/8"), &allow[1]), 0);
	addr = parse("10.1.2.3");
	assert_null(sp_guard_refuses(&guard, &addr));
	addr = parse("::ffff:10.1.2.3");
	assert_null(sp_guard_refuses(&guard, &addr));
	addr = parse("10.2.2.3");
	assert_string_equal(sp_guard_refuses(&guard, &addr), "private");
	addr = parse("fd01::1");
	assert_null(sp_guard_refuses(&guard, &addr));
	addr = parse("fc01::1");
	assert_string_equal(sp_guard_refuses(&guard, &addr), "unique local");
	guard.enabled = false;
	assert_null(sp_guard_refuses(&guard, &addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_no_family),
		cmocka_unit_test(test_allow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
