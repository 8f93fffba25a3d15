/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of mail-flow section 3, one case a row or more. A case is a
 * small world of DNS answers as text (plan_text.h) and what the plan makes of
 * it as text: the verdict, each host with its rule, and which CNAME and TLSA
 * questions were asked.
 */
#include "unit/policy/plan_text.h"

static void check_cases(const struct plan_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct sp_plan_conf conf = conf_of(&cases[i]);
		struct sp_plan *plan = run(&cases[i], &conf);
		char text[2048];

		summarise(plan, &plan_log, text, sizeof(text));
		if (strcmp(text, cases[i].expected) != 0) {
			fail_msg("%s:\n--- is\n%s--- should be\n%s",
			         cases[i].name, text, cases[i].expected);
		}
		pw_check_all(&plan_log, &conf, plan);
		sp_plan_free(&plan);
	}
}

#define CHECK(cases) check_cases(cases, sizeof(cases) / sizeof(*(cases)))

/* --- Rows 1 to 5: MX and addresses secure --------------------------------- */

static void test_secure(void **state)
{
	static const struct plan_case cases[] = {
		{"row 1 secure, usable record (RFC 7672 2.2)", MX1 A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 1 one usable beside unusable ones",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 0.0.1 1.1.1 2.1.1 9.9.9\n",
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 2 all unusable: encrypt (RFC 7672 2.2, 3.1.3)",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 0.0.1 1.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test encrypt/all-unusable row=2\n" ASK1},
		{"row 2 wrong digest length",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 3.1.1!a\n",
	         "deliver row=1-11\n"
	         "mx1.d.test encrypt/all-unusable row=2\n" ASK1},
		{"row 2 full record that does not parse",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 3.0.0?\n",
	         "deliver row=1-11\n"
	         "mx1.d.test encrypt/all-unusable row=2\n" ASK1},
		{"row 3 NODATA secure",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s nodata\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
		{"row 3 NODATA insecure",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test i nodata\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
		{"row 3 NXDOMAIN secure",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s nxdomain\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
		{"row 3 NXDOMAIN insecure (opt-out)",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test i nxdomain\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
		{"row 4 insecure records",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test i 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=4\n" ASK1},
		{"row 5 bogus, reason known",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test b scenario=denial-unproven\n",
	         "defer 4.7.324 denial-unproven row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "denial-unproven\n" ASK1},
		{"row 5 bogus, reason not known",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "dnssec-bogus\n" ASK1},
		{"row 5 failed, SERVFAIL",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n",
	         "defer 4.7.324 tlsa-servfail row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-servfail\n" ASK1},
		{"row 5 failed, timeout",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test f scenario=dns-timeout\n",
	         "defer 4.7.324 tlsa-timeout row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-timeout\n" ASK1},
		{"row 5 failed, NOTIMP",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2 "
	                "scenario=dns-notimp\n",
	         "defer 4.7.324 tlsa-failed row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 tlsa-failed\n" ASK1},
		{"row 5 one host; the other carries the domain",
	         MX2 A1 A2 "TLSA _25._tcp.mx1.d.test f rcode=2\n"
	                   "TLSA _25._tcp.mx2.d.test s nodata\n",
	         "deliver row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 tlsa-servfail\n"
	         "mx2.d.test opportunistic/none row=3\n" ASK1
	         "asked TLSA _25._tcp.mx2.d.test\n"},
		{"an answer with records and SERVFAIL says nothing",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s rcode=2 nodata\n",
	         "defer 4.7.324 tlsa-servfail row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-servfail\n" ASK1},
	};

	(void)state;
	CHECK(cases);
}

/* --- Rows 6 to 11: addresses ------------------------------------------------
 */

static void test_address(void **state)
{
	static const struct plan_case cases[] = {
		{"row 6 insecure, no alias: TLSA must not be asked",
	         MX1 A1_I "TLSA _25._tcp.mx1.d.test f rcode=4\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=6\n"},
		{"row 6a secure CNAME (RFC 7672 2.2.3)",
	         MX1 ALIAS_I "CNAME mx1.d.test s real.u.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n"
	         "asked CNAME mx1.d.test\n" ASK1},
		{"row 6a secure CNAME, no TLSA at the original name",
	         MX1 ALIAS_I "CNAME mx1.d.test s real.u.test\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n"
	         "asked CNAME mx1.d.test\n" ASK1},
		{"row 6a insecure CNAME: as row 6",
	         MX1 ALIAS_I "CNAME mx1.d.test i real.u.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=6a\n"
	         "asked CNAME mx1.d.test\n"},
		{"row 6a bogus CNAME: host skipped",
	         MX1 ALIAS_I "CNAME mx1.d.test b scenario=rrsig-expired\n",
	         "defer 4.7.324 rrsig-expired row=1-11\n"
	         "mx1.d.test skip/none row=6a defer 4.7.324 rrsig-expired\n"
	         "asked CNAME mx1.d.test\n"},
		{"row 6a failed CNAME: host skipped",
	         MX1 ALIAS_I "CNAME mx1.d.test f rcode=2\n",
	         "defer 4.7.324 alias-lookup-failed row=1-11\n"
	         "mx1.d.test skip/none row=6a defer 4.7.324 "
	         "alias-lookup-failed\n"
	         "asked CNAME mx1.d.test\n"},
		{"row 6a secure DNAME to the end: TLSA must not be asked",
	         MX1 ALIAS_D "DNAME d.test s u.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=6a\n"
	         "asked DNAME d.test\n"},
		{"row 6a insecure DNAME: as row 6",
	         MX1 ALIAS_D "DNAME d.test i u.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=6a\n"
	         "asked DNAME d.test\n"},
		{"row 6a bogus DNAME: host skipped",
	         MX1 ALIAS_D "DNAME d.test b scenario=rrsig-expired\n",
	         "defer 4.7.324 rrsig-expired row=1-11\n"
	         "mx1.d.test skip/none row=6a defer 4.7.324 rrsig-expired\n"
	         "asked DNAME d.test\n"},
		{"row 6a failed DNAME: host skipped",
	         MX1 ALIAS_D "DNAME d.test f rcode=2\n",
	         "defer 4.7.324 alias-lookup-failed row=1-11\n"
	         "mx1.d.test skip/none row=6a defer 4.7.324 "
	         "alias-lookup-failed\n"
	         "asked DNAME d.test\n"},
		{"row 6a the DNAME is gone: TLSA at the original name",
	         MX1 ALIAS_D "DNAME d.test s nodata\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n"
	         "asked DNAME d.test\n" ASK1},
		{"row 6a secure DNAME, then a secure CNAME (RFC 6672 2.2)",
	         MX1 "A mx1.d.test i alias=mx1.e.test/i/d.test "
	             "alias=real.u.test/i 192.0.2.1\n"
	             "DNAME d.test s e.test\n"
	             "CNAME mx1.e.test s real.u.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n"
	         "asked DNAME d.test\nasked CNAME mx1.e.test\n" ASK1},
		{"row 6a secure DNAME, then an insecure CNAME",
	         MX1 "A mx1.d.test i alias=mx1.e.test/i/d.test "
	             "alias=real.u.test/i 192.0.2.1\n"
	             "DNAME d.test s e.test\n"
	             "CNAME mx1.e.test i real.u.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=6a\n"
	         "asked DNAME d.test\nasked CNAME mx1.e.test\n"},
		{"row 6a an alias by way of the root, which is never asked",
	         MX1 "A mx1.d.test i alias=./i/d.test alias=real.u.test/i "
	             "192.0.2.1\n"
	             "DNAME d.test s .\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=6a\n"
	         "asked DNAME d.test\n"},
		{"row 7 A secure, AAAA insecure: asked once",
	         MX1 A1 "AAAA mx1.d.test i 2001:db8::1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 7 A insecure, AAAA secure: asked once",
	         MX1 A1_I "AAAA mx1.d.test s 2001:db8::1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 8 A secure, AAAA bogus", MX1 A1 "AAAA mx1.d.test b\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 8 A failed, AAAA gives addresses (A50)",
	         MX1
	         "A mx1.d.test f rcode=2\nAAAA mx1.d.test s 2001:db8::1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 9 A bogus, AAAA NODATA",
	         MX1 "A mx1.d.test b scenario=rrsig-not-yet-valid\n",
	         "defer 4.7.324 rrsig-not-yet-valid row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 "
	         "rrsig-not-yet-valid\n"},
		{"row 9 A failed, AAAA bogus: the bogus one speaks",
	         MX1 "A mx1.d.test f rcode=2\nAAAA mx1.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n"},
		{"row 9 bogus alias step of a good address",
	         MX1 "A mx1.d.test i alias=x.test/b 192.0.2.1\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n"},
		{"row 10 A failed, AAAA NODATA (A50)",
	         MX1 "A mx1.d.test f rcode=2\n",
	         "defer 4.4.312 address-lookup-failed row=1-11\n"
	         "mx1.d.test skip/none row=10 defer 4.4.312 "
	         "address-lookup-failed\n"},
		{"row 11 no address on the only host",
	         MX1 "A mx1.d.test s nxdomain\nAAAA mx1.d.test s nxdomain\n",
	         "fail 5.4.4 no-addresses row=1-11\n"
	         "mx1.d.test skip/none row=11 fail 5.4.4 no-addresses\n"},
		{"row 11 beside row 10: not for good",
	         MX2 "A mx2.d.test f rcode=5\n",
	         "defer 4.4.312 address-lookup-failed row=1-11\n"
	         "mx1.d.test skip/none row=11 defer 4.4.312 "
	         "host-without-address\n"
	         "mx2.d.test skip/none row=10 defer 4.4.312 "
	         "address-lookup-failed\n"},
		{"row 11 with more hosts than were looked at",
	         "MX d.test s cut 10:mx1.d.test\n",
	         "defer 4.4.312 host-without-address row=1-11\n"
	         "mx1.d.test skip/none row=11 defer 4.4.312 "
	         "host-without-address\n"},
		{"row 11 addresses that are no host's",
	         MX1 "A mx1.d.test s 0.0.0.0 255.255.255.255 224.0.0.1\n"
	             "AAAA mx1.d.test s :: ff02::1 ::ffff:127.0.0.1\n",
	         "fail 5.4.4 no-addresses row=1-11\n"
	         "mx1.d.test skip/none row=11 fail 5.4.4 no-addresses\n"},
	};

	(void)state;
	CHECK(cases);
}

/* --- Names: aliases of the host, of the TLSA owner ---------------------------
 */

static void test_alias(void **state)
{
	static const struct plan_case cases[] = {
		{"secure alias: TLSA at the expanded name (RFC 7672 2.2.2)",
	         MX1 ALIAS_S TREAL "s 3.1.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=real.d.test\n" ASKR},
		{"secure alias: none there, TLSA at the original name",
	         MX1 ALIAS_S TREAL "s nxdomain\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASKR ASK1},
		{"secure alias: insecurely denied there, then the original",
	         MX1 ALIAS_S TREAL "i nodata\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASKR ASK1},
		{"secure alias: insecure records there, then the original",
	         MX1 ALIAS_S TREAL "i 3.1.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASKR ASK1},
		{"secure alias: none at either", MX1 ALIAS_S,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASKR ASK1},
		{"secure alias: error there never falls to the original",
	         MX1 ALIAS_S TREAL "f rcode=2\n" T1,
	         "defer 4.7.324 tlsa-servfail row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-servfail\n" ASKR},
		{"secure alias: bogus there never falls to the original",
	         MX1 ALIAS_S TREAL "b scenario=denial-unproven\n" T1,
	         "defer 4.7.324 denial-unproven row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "denial-unproven\n" ASKR},
		{"secure alias: unusable there is an answer: encrypt",
	         MX1 ALIAS_S TREAL "s 1.1.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test encrypt/all-unusable row=2\n" ASKR},
		{"names between the first and the last alias are not asked",
	         MX1 "A mx1.d.test s alias=mid.d.test/s alias=real.d.test/s "
	             "192.0.2.1\n"
	             "TLSA _25._tcp.mid.d.test s 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASKR ASK1},
		{"an insecure step makes the chain insecure: row 6a",
	         MX1 "A mx1.d.test s alias=mid.d.test/s alias=real.u.test/i "
	             "192.0.2.1\n"
	             "CNAME mx1.d.test s mid.d.test\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n"
	         "asked CNAME mx1.d.test\n" ASK1},
		{"an alias to the root is no TLSA base",
	         MX1 "A mx1.d.test s alias=./s 192.0.2.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"CNAME at the TLSA owner, secure: the base stays",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s alias=t.x.test/s 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"CNAME at the TLSA owner, insecure step: no TLSA here",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s alias=t.x.test/i 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=4\n" ASK1},
		{"CNAME at the TLSA owner, bogus step: host skipped",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s alias=t.x.test/b 3.1.1\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "dnssec-bogus\n" ASK1},
		{"CNAME at the TLSA owner, failed step: host skipped",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s alias=t.x.test/f 3.1.1\n",
	         "defer 4.7.324 tlsa-failed row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 tlsa-failed\n" ASK1},
		{"insecure step at the expanded owner: then the original",
	         MX1 ALIAS_S TREAL "s alias=t.x.test/i 3.1.1\n" T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASKR ASK1},
		{"single-label host",
	         "MX d.test s 10:mx\nA mx s 192.0.2.1\n"
	         "TLSA _25._tcp.mx s 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx dane/tlsa row=1 base=mx\nasked TLSA _25._tcp.mx\n"},
		{"address literal as MX host: never DANE",
	         "MX d.test s 10:192.0.2.9\n",
	         "deliver row=1-11\n"
	         "192.0.2.9 opportunistic/none row=literal\n"},
	};

	(void)state;
	CHECK(cases);
}

/* --- Rows 12 to 17a: the MX answer
 * --------------------------------------------- */

static void test_mx(void **state)
{
	static const struct plan_case cases[] = {
		{"row 12 bogus", "MX d.test b scenario=rrsig-expired\n",
	         "defer 4.7.324 rrsig-expired row=12\n"},
		{"row 12 bogus, DS without DNSKEY",
	         "MX d.test b scenario=ds-without-dnskey\n",
	         "defer 4.7.324 ds-without-dnskey row=12\n"},
		{"row 12 a scenario that is no DNSSEC verdict is not believed",
	         "MX d.test b scenario=tlsa-servfail\n",
	         "defer 4.7.324 dnssec-bogus row=12\n"},
		{"row 12 bogus alias of the domain",
	         "MX d.test i alias=e.test/b 10:mx1.d.test\n" A1,
	         "defer 4.7.324 dnssec-bogus row=12\n"},
		{"row 12 with DANE off too", "MX d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=12\n", .dane = SP_DANE_OFF},
		{"row 13 failed", "MX d.test f rcode=2\n",
	         "defer 4.4.312 mx-lookup-failed row=13\n"},
		{"row 13 failed, a DNSSEC scenario does not make it 324",
	         "MX d.test f scenario=rrsig-expired\n",
	         "defer 4.4.312 mx-lookup-failed row=13\n"},
		{"row 14 NXDOMAIN secure", "MX d.test s nxdomain\n",
	         "fail 5.4.310 no-such-domain row=14\n"},
		{"row 14 NXDOMAIN insecure", "MX d.test i nxdomain\n",
	         "fail 5.4.310 no-such-domain row=14\n"},
		{"row 15 implicit MX, DANE applies",
	         "A d.test s 192.0.2.1\nTLSA _25._tcp.d.test s 3.1.1\n",
	         "deliver row=15\n"
	         "d.test dane/tlsa row=1 base=d.test\n"
	         "asked TLSA _25._tcp.d.test\n"},
		{"row 15 implicit MX, insecure address",
	         "A d.test i 192.0.2.1\n",
	         "deliver row=15\nd.test opportunistic/none row=6\n"},
		{"row 15 implicit MX, no address", "MX d.test s nodata\n",
	         "fail 5.4.4 no-mail-server row=15\n"
	         "d.test skip/none row=11 fail 5.4.4 no-mail-server\n"},
		{"row 16 implicit MX, insecure, no address",
	         "MX d.test i nodata\nA d.test i nodata\n",
	         "fail 5.4.4 no-mail-server row=16\n"
	         "d.test skip/none row=19 fail 5.4.4 no-mail-server\n"},
		{"row 16 implicit MX, one family not known",
	         "MX d.test i nodata\nA d.test f rcode=2\n",
	         "defer 4.4.312 address-lookup-failed row=16\n"
	         "d.test skip/none row=19 defer 4.4.312 "
	         "address-lookup-failed\n"},
		{"row 16 implicit MX, insecure",
	         "MX d.test i nodata\nA d.test i 192.0.2.1\n",
	         "deliver row=16\nd.test opportunistic/none row=19\n"},
		{"row 16 implicit MX, insecure NODATA, secure address",
	         "MX d.test i nodata\nA d.test s 192.0.2.1\n"
	         "TLSA _25._tcp.d.test s 3.1.1\n",
	         "deliver row=16\n"
	         "d.test half-dane/insecure-mx row=18 base=d.test\n"
	         "asked TLSA _25._tcp.d.test\n"},
		{"row 17 null MX (RFC 7505)", "MX d.test s 0:.\n",
	         "fail 5.1.10 null-mx row=17\n"},
		{"row 17 any preference, insecure", "MX d.test i 10:.\n",
	         "fail 5.1.10 null-mx row=17\n"},
		{"row 17a `0 .` beside others",
	         "MX d.test s 0:. 10:mx1.d.test\n" A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"row 17a `10 .` beside others",
	         "MX d.test s 5:mx1.d.test 10:.\n" A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
	};

	(void)state;
	CHECK(cases);
}

/* --- Rows 18, 18a, 19: insecure MX
 * ------------------------------------------------ */

static void test_insecure_mx(void **state)
{
	static const struct plan_case cases[] = {
		{"row 18 insecure_mx = dane", MX1_I A1 T1,
	         "deliver row=18-19\n"
	         "mx1.d.test half-dane/insecure-mx row=18 "
	         "base=mx1.d.test\n" ASK1},
		{"row 18 insecure_mx = encrypt", MX1_I A1 T1,
	         "deliver row=18-19\n"
	         "mx1.d.test encrypt/insecure-mx row=18\n" ASK1,
	         .insecure_mx = SP_INSECURE_MX_ENCRYPT},
		{"row 18 insecure_mx = may: nothing depends on TLSA", MX1_I A1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/none row=18\n",
	         .insecure_mx = SP_INSECURE_MX_MAY},
		{"row 18 all unusable",
	         MX1_I A1 "TLSA _25._tcp.mx1.d.test s 0.0.1\n",
	         "deliver row=18-19\n"
	         "mx1.d.test encrypt/all-unusable row=18\n" ASK1},
		{"row 18 no TLSA", MX1_I A1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/none row=18\n" ASK1},
		{"row 18 insecure alias of the domain makes the MX insecure",
	         "MX d.test s alias=e.test/i 10:mx1.d.test\n" A1 T1,
	         "deliver row=18-19\n"
	         "mx1.d.test half-dane/insecure-mx row=18 "
	         "base=mx1.d.test\n" ASK1},
		{"row 18 secure alias of the host",
	         MX1_I ALIAS_S TREAL "s 3.1.1\n",
	         "deliver row=18-19\n"
	         "mx1.d.test half-dane/insecure-mx row=18 "
	         "base=real.d.test\n" ASKR},
		{"row 18a TLSA bogus",
	         MX1_I A1 "TLSA _25._tcp.mx1.d.test b scenario=rrsig-expired\n",
	         "defer 4.7.324 rrsig-expired row=18-19\n"
	         "mx1.d.test skip/none row=18a defer 4.7.324 "
	         "rrsig-expired\n" ASK1},
		{"row 18a TLSA failed",
	         MX1_I A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n",
	         "defer 4.7.324 tlsa-servfail row=18-19\n"
	         "mx1.d.test skip/none row=18a defer 4.7.324 "
	         "tlsa-servfail\n" ASK1},
		{"row 19 insecure address: not asked (A2)", MX1_I A1_I T1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/none row=19\n"},
		{"row 19 insecure address by alias: no CNAME question",
	         MX1_I ALIAS_I "CNAME mx1.d.test s real.u.test\n" T1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/none row=19\n"},
		{"row 19 bogus address", MX1_I "A mx1.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=18-19\n"
	         "mx1.d.test skip/none row=19 defer 4.7.324 dnssec-bogus\n"},
		{"row 19 failed address", MX1_I "A mx1.d.test f rcode=2\n",
	         "defer 4.4.312 address-lookup-failed row=18-19\n"
	         "mx1.d.test skip/none row=19 defer 4.4.312 "
	         "address-lookup-failed\n"},
		{"row 19 no address", MX1_I,
	         "fail 5.4.4 no-addresses row=18-19\n"
	         "mx1.d.test skip/none row=19 fail 5.4.4 no-addresses\n"},
	};

	(void)state;
	CHECK(cases);
}

/* --- Routes, ourselves, the validator
 * ----------------------------------------------- */

static void test_route(void **state)
{
	static const struct plan_case cases[] = {
		{"dane = off: TLSA is not asked", MX1 A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/route row=1-5\n",
	         .dane = SP_DANE_OFF},
		{"dane = off: bogus addresses are not used all the same",
	         MX1 "A mx1.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n",
	         .dane = SP_DANE_OFF},
		{"mandatory, met", MX1 A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1,
	         MANDAT},
		{"mandatory, no TLSA (A44)", MX1 A1,
	         "defer 4.7.324 dane-required row=1-11\n"
	         "mx1.d.test skip/route row=3 defer 4.7.324 "
	         "dane-required\n" ASK1,
	         MANDAT},
		{"mandatory, half-dane (A44)", MX1_I A1 T1,
	         "defer 4.7.324 dane-required row=18-19\n"
	         "mx1.d.test skip/route row=18 defer 4.7.324 "
	         "dane-required\n" ASK1,
	         MANDAT},
		{"mandatory, all unusable (A44)",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test s 1.1.1\n",
	         "defer 4.7.324 dane-required row=1-11\n"
	         "mx1.d.test skip/route row=2 defer 4.7.324 "
	         "dane-required\n" ASK1,
	         MANDAT},
		{"mandatory, insecure address", MX1 A1_I,
	         "defer 4.7.324 dane-required row=1-11\n"
	         "mx1.d.test skip/route row=6 defer 4.7.324 dane-required\n",
	         MANDAT},
		{"mandatory, TLSA fails: that cause stays",
	         MX1 A1 "TLSA _25._tcp.mx1.d.test f rcode=2\n",
	         "defer 4.7.324 tlsa-servfail row=1-11\n"
	         "mx1.d.test skip/none row=5 defer 4.7.324 "
	         "tlsa-servfail\n" ASK1,
	         MANDAT},
		{"mandatory, forged NXDOMAIN must not return mail",
	         "MX d.test i nxdomain\n",
	         "defer 4.7.324 dane-required row=14\n", MANDAT},
		{"mandatory, forged null MX must not return mail",
	         "MX d.test i 0:.\n", "defer 4.7.324 dane-required row=17\n",
	         MANDAT},
		{"mandatory, proven NXDOMAIN returns it",
	         "MX d.test s nxdomain\n",
	         "fail 5.4.310 no-such-domain row=14\n", MANDAT},
		{"mandatory, forged absence of addresses",
	         MX1 "A mx1.d.test i nodata\n",
	         "defer 4.7.324 dane-required row=1-11\n"
	         "mx1.d.test skip/route row=11 defer 4.7.324 dane-required\n",
	         MANDAT},
		{"mandatory, proven absence of addresses", MX1,
	         "fail 5.4.4 no-addresses row=1-11\n"
	         "mx1.d.test skip/none row=11 fail 5.4.4 no-addresses\n",
	         MANDAT},
		{"fixed next hop: as good as a secure MX, no MX question",
	         "MX d.test b\n" A1 T1,
	         "deliver row=fixed\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1,
	         FIXED},
		{"fixed next hop, mandatory", A1 T1,
	         "deliver row=fixed\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1,
	         MANDAT, FIXED},
		{"fixed next hop, insecure address", A1_I,
	         "deliver row=fixed\n"
	         "mx1.d.test opportunistic/none row=6\n",
	         FIXED},
		{"fixed next hop that is ourselves is meant so",
	         "A self.test s 198.51.100.1\n",
	         "deliver row=fixed\n"
	         "self.test opportunistic/none row=3\n"
	         "asked TLSA _25._tcp.self.test\n",
	         .fixed = "self.test"},
		{"fixed next hop, address literal", "",
	         "deliver row=fixed\n"
	         "[192.0.2.5] opportunistic/none row=literal\n",
	         .fixed = "[192.0.2.5]"},
		{"address literal as domain (RFC 5321 4.1.3)", "",
	         "deliver row=literal\n"
	         "[192.0.2.5] opportunistic/none row=literal\n",
	         .domain = "[192.0.2.5]"},
		{"IPv6 literal as domain", "",
	         "deliver row=literal\n"
	         "[IPv6:2001:db8::7] opportunistic/none row=literal\n",
	         .domain = "[IPv6:2001:db8::7]"},
		{"address literal, mandatory", "",
	         "defer 4.7.324 dane-required row=literal\n"
	         "[192.0.2.5] skip/route row=literal defer 4.7.324 "
	         "dane-required\n",
	         MANDAT, .domain = "[192.0.2.5]"},
		{"address literal that is ourselves", "",
	         "fail 5.4.6 mx-is-self row=literal\n",
	         .domain = "[198.51.100.1]"},
		{"address literal of nobody", "",
	         "fail 5.1.2 bad-domain row=literal\n", .domain = "[0.0.0.0]"},
		{"no domain", "", "fail 5.1.2 bad-domain row=\n",
	         .domain = "a..b"},
		{"the root is no mail domain", "",
	         "fail 5.1.2 bad-domain row=\n", .domain = "."},
		{"RFC 5321 5.1 ourselves and all behind us dropped",
	         "MX d.test s 10:mx1.d.test 20:self.test 20:mx2.d.test "
	         "30:mx3.d.test\n" A1 T1,
	         "deliver row=1-11\n"
	         "mx1.d.test dane/tlsa row=1 base=mx1.d.test\n" ASK1},
		{"RFC 5321 5.1 nothing better than ourselves",
	         "MX d.test s 10:self.test 20:mx1.d.test\n" A1,
	         "fail 5.4.6 mx-is-self row=1-11\n"},
		{"RFC 5321 5.1 ourselves by address",
	         MX2 A1 "AAAA mx2.d.test s 2001:db8::5e1f\n",
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1
	         "asked TLSA _25._tcp.mx2.d.test\n"},
		{"RFC 5321 5.1 ourselves by address, equal preference",
	         "MX d.test s 10:mx1.d.test 10:mx2.d.test\n" A1
	         "A mx2.d.test s 198.51.100.1\n",
	         "fail 5.4.6 mx-is-self row=1-11\n"
	         "asked TLSA _25._tcp.mx1.d.test\n"
	         "asked TLSA _25._tcp.mx2.d.test\n"},
		{"backup MX: the primary without address is not for good",
	         "MX d.test s 10:mx1.d.test 20:self.test\n",
	         "defer 4.4.312 host-without-address row=1-11\n"
	         "mx1.d.test skip/none row=11 defer 4.4.312 "
	         "host-without-address\n"},
		{"broken validator: nothing is insecure, all is failed", MX1 A1,
	         "defer 4.4.312 resolver-not-validating row=13\n",
	         .broken = true},
		{"broken validator: NXDOMAIN does not return mail",
	         "MX d.test s nxdomain\n",
	         "defer 4.4.312 resolver-not-validating row=13\n",
	         .broken = true},
		{"broken validator: bogus does not accuse the destination",
	         "MX d.test b scenario=rrsig-expired\n",
	         "defer 4.4.312 resolver-not-validating row=12\n",
	         .broken = true},
		{"broken validator, fixed next hop", A1_I,
	         "defer 4.4.312 resolver-not-validating row=fixed\n"
	         "mx1.d.test skip/none row=10 defer 4.4.312 "
	         "resolver-not-validating\n",
	         FIXED, .broken = true},
		{"broken validator, DANE off: mail flows, nothing is secure",
	         MX1 A1,
	         "deliver row=18-19\n"
	         "mx1.d.test opportunistic/route row=19\n",
	         .dane = SP_DANE_OFF, .broken = true},
	};

	(void)state;
	CHECK(cases);
}

/* --- Several hosts: who speaks for the domain
 * ------------------------------------------ */

static void test_domain_verdict(void **state)
{
	static const struct plan_case cases[] = {
		{"324 before 4.4.312 (mail-flow 5)",
	         MX2 "A mx1.d.test f rcode=2\nA mx2.d.test b\n",
	         "defer 4.7.324 dnssec-bogus row=1-11\n"
	         "mx1.d.test skip/none row=10 defer 4.4.312 "
	         "address-lookup-failed\n"
	         "mx2.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n"},
		{"first bogus, second good (A14)",
	         MX2 "A mx1.d.test b\n" A2 "TLSA _25._tcp.mx2.d.test s 3.1.1\n",
	         "deliver row=1-11\n"
	         "mx1.d.test skip/none row=9 defer 4.7.324 dnssec-bogus\n"
	         "mx2.d.test dane/tlsa row=1 base=mx2.d.test\n"
	         "asked TLSA _25._tcp.mx2.d.test\n"},
		{"no host has an address: for good", MX2,
	         "fail 5.4.4 no-addresses row=1-11\n"
	         "mx1.d.test skip/none row=11 fail 5.4.4 no-addresses\n"
	         "mx2.d.test skip/none row=11 fail 5.4.4 no-addresses\n"},
		{"the same host twice counts at its best preference",
	         "MX d.test s 20:mx1.d.test 10:mx1.d.test\n" A1,
	         "deliver row=1-11\n"
	         "mx1.d.test opportunistic/none row=3\n" ASK1},
	};

	(void)state;
	CHECK(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secure),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_mx),
		cmocka_unit_test(test_insecure_mx),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_domain_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
