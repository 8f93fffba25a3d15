/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file: what is accepted, what is refused and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "conf/conf.h"
#include "conf/conf_schema.h"

/* The example of the manual: every section at once. */
static const char EXAMPLE[] =
	"hostname = \"mail.example.org\"\n"
	"postmaster = \"postmaster@example.org\"\n"
	"store = \"sqlite:/var/lib/sealpost/sealpost.db\"\n"
	"control = \"/run/sealpost/control\"   # comment\n"
	"user = \"sealpost\"\n"
	"enforce = true\n"
	"deliver = true\n"
	"workers = 0\n"
	"ca_bundle = \"\"\n"
	"address_guard { enabled = true  allow = {} }\n"
	"retry = {\"15m\", \"15m\", \"1h\"}   expire = \"24h\"   "
	"delay_notice = \"4h\"\n"
	"listen \"submission\" { address = \"127.0.0.1:587\"  accept_from = "
	"{\"127.0.0.0/8\", \"::1\"}  certificate = \"\"  key = \"\" }\n"
	"listen \"mx\" { address = {\"0.0.0.0:25\", \"[::]:25\"} inbound = "
	"true }\n"
	"smtp { port = 25  source4 = \"\"  source6 = \"\"  max_connections = "
	"2000  max_per_host = 20  messages_per_connection = 100 }\n"
	"dane { profile = \"exchange\"  insecure_mx = \"may\" }\n"
	"resolver { trust_anchor = \"\"  root_hints = \"\"  forward = {}  "
	"stub \"test.\" { address = {\"127.0.53.1@5300\"} }  self_test_bad = "
	"\"\" }\n"
	"sts { port = 443 }\n"
	"dkim \"example.org\" { selector = \"s1\"  key = \"/etc/x.key\" }\n"
	"report { organization = \"\"  contact = \"\"  from = \"\"  spread = "
	"\"4h\"  directory = \"\" }\n"
	"route \"partner.example\" { next_hop = "
	"\"[smtp.partner.example]:587\"  dane = \"mandatory\" }\n"
	"console { address = \"127.0.0.1:8025\" }\n";

static struct sp_conf *parse(const char *text, char *why)
{
	struct sp_conf *conf = NULL;
	int r = sp_conf_parse(sp_str_from(text), "x.conf", &conf, why);

	assert_int_equal(r ? SP_ECONFIG : 0, r);
	assert_int_equal(r == 0, conf != NULL);
	return conf;
}

static void test_example(void **state)
{
	char why[SP_CONF_WHY] = "";
	struct sp_conf *c = parse(EXAMPLE, why);

	(void)state;
	assert_string_equal(why, "");
	assert_string_equal(c->hostname, "mail.example.org");
	assert_true(c->user_given);
	assert_int_equal(c->retry.count, 3);
	assert_int_equal(c->retry.steps_ms[2], 3600 * 1000);
	assert_int_equal(c->expire_ms, 24 * 3600 * 1000);
	assert_int_equal(c->listen_count, 2);
	assert_string_equal(c->listen[0].name, "submission");
	assert_int_equal(c->listen[0].accept_from.count, 2);
	assert_string_equal(c->listen[0].accept_from.items[1], "::1");
	assert_int_equal(c->listen[0].certificate.count, 0);
	assert_int_equal(c->listen[1].address.count, 2);
	assert_true(c->listen[1].inbound);
	assert_string_equal(c->dane.profile, "exchange");
	assert_string_equal(c->dane.insecure_mx, "may");
	assert_int_equal(c->resolver.stub_count, 1);
	assert_string_equal(c->resolver.stub[0].name, "test.");
	assert_string_equal(c->resolver.stub[0].address.items[0],
	                    "127.0.53.1@5300");
	assert_int_equal(c->resolver.forward.count, 0);
	assert_int_equal(c->guard.allow.count, 0);
	assert_int_equal(c->dkim[0].key.count, 1);
	assert_string_equal(c->dkim[0].key.items[0], "/etc/x.key");
	assert_string_equal(c->dkim[0].selector.items[0], "s1");
	assert_string_equal(c->route[0].dane, "mandatory");
	assert_true(c->route[0].mta_sts);
	assert_int_equal(c->route[0].retry.count, 0);
	assert_non_null(sp_conf_route_find(c, SP_STR("Partner.Example")));
	assert_null(sp_conf_route_find(c, SP_STR("other.example")));
	sp_conf_free(&c);
	assert_null(c);
}

/* An empty list is not the default list: nobody may submit. */
static void test_empty_list(void **state)
{
	char why[SP_CONF_WHY] = "";
	struct sp_conf *c = parse("listen \"a\" { address = "
	                          "\"127.0.0.1:25\" accept_from = {} }\n"
	                          "listen \"b\" { address = "
	                          "\"127.0.0.1:26\" }\n",
	                          why);

	(void)state;
	assert_int_equal(c->listen[0].accept_from.count, 0);
	assert_int_equal(c->listen[1].accept_from.count, 2);
	sp_conf_free(&c);
}

static void test_defaults(void **state)
{
	char why[SP_CONF_WHY] = "";
	struct sp_conf *c = parse("", why);

	(void)state;
	assert_string_not_equal(c->hostname, "");
	assert_false(c->user_given);
	assert_true(c->enforce);
	assert_int_equal(c->smtp.port, 25);
	assert_int_equal(c->smtp.data_done_timeout_ms, 600 * 1000);
	assert_int_equal(c->receive.size_max_bytes, 50 * 1024 * 1024);
	assert_int_equal(c->retry.count, 3);
	assert_int_equal(c->listen_count, 0);
	assert_true(c->guard.enabled);
	assert_string_equal(c->control, "/run/sealpost/control");
	sp_conf_free(&c);
}

static const struct refused {
	const char *name;
	const char *text;
	const char *why; /* must be in the reason */
} REFUSED[] = {
	{"unknown key", "\n\nhostnam = \"x\"\n", "x.conf:3: no such option"},
	{"unknown key in section", "smtp {\n prt = 25\n}\n", "x.conf:2:"},
	{"bad number", "smtp { port = abc }", "port: 'abc': expected a number"},
	{"number over range", "smtp { port = 65536 }", "from 1 to 65535"},
	{"negative", "workers = -1", "'-1': expected a number"},
	{"bad time", "expire = \"24\"", "expire: '24': expected a time"},
	{"bad step", "retry = {\"15m\", \"soon\"}", "retry: 'soon'"},
	{"empty steps", "retry = {}", "at least one"},
	{"bad bool", "enforce = maybe", "expected true or false"},
	{"bad word", "dane { profile = \"strict\" }", "one of: rfc exchange"},
	{"bad address", "listen \"a\" { address = \"localhost:25\" }",
         "address:port"},
	{"address without port", "listen \"a\" { address = \"127.0.0.1\" }",
         "address:port"},
	{"no address", "listen \"a\" { }", "expected an address"},
	{"bad network",
         "listen \"a\" { address = \"127.0.0.1:25\" accept_from = "
         "{\"10.0.0.0/33\"} }",
         "a network"},
	{"key without certificate",
         "listen \"a\" { address = \"127.0.0.1:25\" key = \"/x\" }",
         "a key for each"},
	{"bad store", "store = \"mysql:x\"", "expected sqlite:"},
	{"bad size", "receive { size_max = \"lots\" }", "a size"},
	{"RFC 8460 3: report from another domain",
         "report { contact = \"tls@a.test\" from = \"tls@b.test\" }",
         "from tls@b.test and contact tls@a.test: expected addresses in one"},
	{"RFC 8460 3: report from another domain than the postmaster's",
         "postmaster = \"p@a.test\" report { from = \"tls@x.a.test\" }",
         "expected addresses in one domain"},
	{"RFC 8460 3: report from another domain than the server's",
         "hostname = \"mx.a.test\" report { from = \"tls@a.test\" }",
         "expected addresses in one domain"},
	{"bad mailbox", "postmaster = \"nobody\"", "a mail address"},
	{"unclosed section", "smtp { port = 25\n", "x.conf:1: the file ends"},
	{"unclosed string", "hostname = \"a", "x.conf:"},
	{"twice the same title", "route \"a\" { }\nroute \"a\" { }\n",
         "x.conf:2"},
	{"next hop without a port behind the colon",
         "route \"a.test\" { next_hop = \"b.test:\" }", "[host]:port"},
	{"next hop with port 0",
         "route \"a.test\" { next_hop = \"[b.test]:0\" }", "[host]:port"},
	{"next hop with a port too large",
         "route \"a.test\" { next_hop = \"b.test:65536\" }", "[host]:port"},
	{"next hop without its bracket",
         "route \"a.test\" { next_hop = \"[b.test\" }", "[host]:port"},
	{"next hop with something behind the bracket",
         "route \"a.test\" { next_hop = \"[b.test]x\" }", "[host]:port"},
	{"empty brackets", "route \"a.test\" { next_hop = \"[]:25\" }",
         "[host]:port"},
	{"next hop that is no name",
         "route \"a.test\" { next_hop = \"[b c]\" }", "[host]:port"},
	{"an address has no MX",
         "route \"a.test\" { next_hop = \"192.0.2.1\" }", "[host]:port"},
	{"route of no domain", "route \"a b\" { }", "expected a domain"},
	{"no key for the domain", "dkim \"d.test\" { selector = \"s1\" }",
         "expected a key"},
	{"a selector missing", "dkim \"d.test\" { key = {\"/a\", \"/b\"} }",
         "for each key"},
	{"selector that is no label",
         "dkim \"d.test\" { selector = \"a b\" key = \"/a\" }", "letters"},
	{"selector with an empty label",
         "dkim \"d.test\" { selector = \"a..b\" key = \"/a\" }", "letters"},
	{"the same selector twice",
         "dkim \"d.test\" { selector = {\"a\", \"A\"}"
         " key = {\"/a\", \"/b\"} }",
         "another name"},
	{"key of no domain", "dkim \"d test\" { key = \"/a\" }",
         "expected a domain"},
	{"key of an address", "dkim \"[192.0.2.1]\" { key = \"/a\" }",
         "expected a domain"},
	{"two spellings of a domain",
         "dkim \"d.test\" { key = \"/a\" }\n"
         "dkim \"D.test\" { key = \"/a\" }",
         "one section"},
	{"control byte", "hostname = \"a\\x01b\"", "hostname"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		char why[SP_CONF_WHY] = "";
		struct sp_conf *c = parse(REFUSED[i].text, why);

		if (c || !strstr(why, REFUSED[i].why)) {
			fail_msg("%s: %s", REFUSED[i].name,
			         c ? "accepted" : why);
		}
	}
}

static void test_dkim(void **state)
{
	char why[SP_CONF_WHY] = "";
	struct sp_conf *c =
		parse("dkim \"B\xc3\xbc"
	              "cher.test\" { key = \"/a\" }\n"
	              "dkim \"D.test\" { selector = {\"rsa\", \"ed.2026\"}"
	              " key = {\"/b\", \"/c\"} }\n",
	              why);
	const struct sp_conf_dkim *d;

	(void)state;
	assert_non_null(c);
	assert_null(sp_conf_dkim_find(c, SP_STR("test")));
	d = sp_conf_dkim_find(c, SP_STR("xn--bcher-kva.test"));
	assert_non_null(d);
	assert_string_equal(d->selector.items[0], "s1");
	d = sp_conf_dkim_find(c, SP_STR("d.test"));
	assert_non_null(d);
	assert_int_equal(d->key.count, 2);
	assert_string_equal(d->selector.items[1], "ed.2026");
	assert_string_equal(d->key.items[1], "/c");
	sp_conf_free(&c);
}

static const struct {
	const char *name;
	const char *text;
	const char *domain; /* that wants a key; null: no warning */
} UNSIGNED[] = {
	{"RFC 8460 3: no key", "hostname = \"mx.a.test\"", "mx.a.test"},
	{"the postmaster's domain",
         "hostname = \"mx.a.test\" postmaster = \"p@B.test\"", "b.test"},
	{"the author's domain, in A-labels",
         "report { contact = \"t@b\303\274cher.test\" }", "xn--bcher-kva.test"},
	{"a key", "postmaster = \"p@B.test\" dkim \"b.test\" { key = \"/k\" }",
         NULL},
	{"a key for a parent domain only",
         "hostname = \"mx.a.test\" dkim \"a.test\" { key = \"/k\" }",
         "mx.a.test"},
	{"nothing is counted", "report { count = false }", NULL},
	{"nothing is mailed", "report { directory = \"/d\" }", NULL},
};

static void test_unsigned_reports(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(UNSIGNED) / sizeof(UNSIGNED[0]); i++) {
		char why[SP_CONF_WHY] = "";
		char advice[100];
		struct sp_conf *c = parse(UNSIGNED[i].text, why);

		print_message("%s\n", UNSIGNED[i].name);
		assert_non_null(c);
		assert_int_equal(sp_conf_warning(c, why),
		                 UNSIGNED[i].domain != NULL);
		if (UNSIGNED[i].domain) {
			snprintf(advice, sizeof(advice),
			         "\"sealpost dkim make %s\"",
			         UNSIGNED[i].domain);
			assert_non_null(strstr(why, advice));
		}
		sp_conf_free(&c);
	}
}

static void test_reports_author(void **state)
{
	char why[SP_CONF_WHY] = "";
	struct sp_conf *c = parse("hostname = \"mx.a.test\"", why);

	(void)state;
	assert_string_equal(c->report.contact, "postmaster@mx.a.test");
	assert_string_equal(c->report.from, "postmaster@mx.a.test");
	assert_string_equal(c->report.organization, "mx.a.test");
	assert_true(sp_str_eq(sp_conf_submitter(c), SP_STR("mx.a.test")));
	sp_conf_free(&c);
}

static void test_nul(void **state)
{
	struct sp_conf *conf;
	char why[SP_CONF_WHY];

	(void)state;
	assert_int_equal(
		sp_conf_parse(SP_STR("workers = 1\0\n"), "x", &conf, why),
		SP_ECONFIG);
	assert_non_null(strstr(why, "NUL"));
}

static void test_missing_file(void **state)
{
	struct sp_conf *conf;
	char why[SP_CONF_WHY];

	(void)state;
	assert_int_not_equal(sp_conf_load("/nonexistent/x", &conf, why), 0);
	assert_non_null(strstr(why, "/nonexistent/x: cannot read"));
}

/* Every row of the table has a sentence and a default that its own check
 * accepts. */
static void test_schema(void **state)
{
	(void)state;
	for (size_t s = 0; s < SP_CONF_SECTION_COUNT; s++) {
		const struct sp_conf_section *sec = &SP_CONF_SECTIONS[s];
		size_t keys = 0;

		for (const struct sp_conf_key *k = sec->keys; k->name; k++) {
			char why[SP_CONF_WHY];

			keys++;
			assert_true(strlen(k->doc) > 10);
			if (!sp_conf_is_list(k->type)) {
				assert_int_equal(sp_conf_check(k, k->fallback,
				                               false, why),
				                 0);
			}
		}
		assert_true(keys < 46);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_empty_list),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_dkim),
		cmocka_unit_test(test_unsigned_reports),
		cmocka_unit_test(test_reports_author),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
