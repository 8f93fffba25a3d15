/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that is to come against the records of a host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze/preflight.h"
#include "base/time.h"
#include "unit/net/certs.h"

enum who { /* whose record stands there */
	NOBODY,
	CA,
	OLD,
	NEW,
	OTHER_NAME,
	COUNT,
};

static struct cert certs[COUNT];
static struct sp_arena arena; /* of the PEM texts */
static struct sp_str pems[COUNT], keys[COUNT];

static const struct cert_spec SPECS[COUNT] = {
	[CA] = {"ca", NULL, 0, 0, true, NULL},
	[OLD] = {"old", "DNS:mx.d.test", 0, 0, false, NULL},
	[NEW] = {"new", "DNS:mx.d.test", 0, 0, false, NULL},
	[OTHER_NAME] = {"other", "DNS:mx.e.test", 0, 0, false, NULL},
};

static struct sp_str text_of(BIO *bio)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);
	struct sp_str s = sp_arena_str(&arena, sp_str_slice(text, (size_t)len));

	BIO_free(bio);
	return s;
}

static int set_up(void **state)
{
	(void)state;
	need(sp_tls_setup() == 0);
	sp_arena_init(&arena);
	for (int i = CA; i < COUNT; i++) {
		BIO *pem = BIO_new(BIO_s_mem());
		BIO *key = BIO_new(BIO_s_mem());

		certs[i] = cert_make(&SPECS[i], i == CA ? NULL : &certs[CA],
		                     NULL, NULL);
		need(PEM_write_bio_X509(pem, certs[i].x509) == 1);
		need(i == CA || PEM_write_bio_X509(pem, certs[CA].x509) == 1);
		need(PEM_write_bio_PrivateKey(key, certs[i].key, NULL, NULL, 0,
		                              NULL, NULL) == 1);
		pems[i] = text_of(pem);
		keys[i] = text_of(key);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = CA; i < COUNT; i++) {
		cert_drop(&certs[i]);
	}
	sp_arena_fini(&arena);
	sp_tls_teardown();
	return 0;
}

#define RECORDS_MAX 2

static const struct preflight_case {
	const char *name;
	enum who fresh;
	bool key_only;
	struct {
		enum who of;
		uint8_t usage, selector;
	} records[RECORDS_MAX];
	enum sp_advice_id advice; /* NONE: its cause is: */
	enum sp_cause_id cause;
	enum sp_preflight_issuer issuer;
	size_t remove;
	bool sha512; /* all records have that digest */
} CASES[] = {
	{"RFC 7671 8.1 not published",
         NEW,
         false,
         {{OLD, 3, 1}},
         SP_ADVICE_PREFLIGHT_NOT_PUBLISHED,
         SP_CAUSE_TLSA_MISMATCH,
         SP_PREFLIGHT_ISSUER_PASSES,
         1,
         false},
	{"RFC 7671 8.1 both are published",
         NEW,
         false,
         {{OLD, 3, 1}, {NEW, 3, 1}},
         SP_ADVICE_PREFLIGHT_PUBLISHED,
         SP_CAUSE_NONE,
         SP_PREFLIGHT_ISSUER_PASSES,
         1,
         false},
	{"RFC 7671 9 not published, SHA-512 is",
         NEW,
         false,
         {{OLD, 3, 1}},
         SP_ADVICE_PREFLIGHT_NOT_PUBLISHED,
         SP_CAUSE_TLSA_MISMATCH,
         SP_PREFLIGHT_ISSUER_PASSES,
         1,
         true},
	{"RFC 7671 8.1 by the whole certificate",
         NEW,
         false,
         {{NEW, 3, 0}},
         SP_ADVICE_PREFLIGHT_PUBLISHED,
         SP_CAUSE_NONE,
         SP_PREFLIGHT_ISSUER_PASSES,
         0,
         false},
	{"RFC 7671 5.2 by its issuer",
         NEW,
         false,
         {{CA, 2, 1}},
         SP_ADVICE_PREFLIGHT_BY_ISSUER,
         SP_CAUSE_NONE,
         SP_PREFLIGHT_ISSUER_PASSES,
         0,
         false},
	{"RFC 7672 3.2.3 another name",
         OTHER_NAME,
         false,
         {{CA, 2, 1}},
         SP_ADVICE_NONE,
         SP_CAUSE_CERT_NAME_MISMATCH,
         SP_PREFLIGHT_ISSUER_FAILS,
         0,
         false},
	{"RFC 7671 5.1 by the key the name does not count",
         OTHER_NAME,
         false,
         {{OTHER_NAME, 3, 1}},
         SP_ADVICE_PREFLIGHT_PUBLISHED,
         SP_CAUSE_NONE,
         SP_PREFLIGHT_ISSUER_FAILS,
         0,
         false},
	{"RFC 7671 5.2 no issuer in the file",
         CA,
         false,
         {{CA, 3, 1}},
         SP_ADVICE_PREFLIGHT_PUBLISHED,
         SP_CAUSE_NONE,
         SP_PREFLIGHT_ISSUER_ABSENT,
         0,
         false},
	{"no records",
         NEW,
         false,
         {{NOBODY, 0, 0}},
         SP_ADVICE_PREFLIGHT_NO_DANE,
         SP_CAUSE_NONE,
         SP_PREFLIGHT_ISSUER_PASSES,
         0,
         false},
	{"a key whose record is there",
         NEW,
         true,
         {{NEW, 3, 1}},
         SP_ADVICE_PREFLIGHT_PUBLISHED,
         SP_CAUSE_NONE,
         SP_PREFLIGHT_ISSUER_UNKNOWN,
         0,
         false},
	{"a key whose record is not there",
         NEW,
         true,
         {{OLD, 3, 1}},
         SP_ADVICE_PREFLIGHT_NOT_PUBLISHED,
         SP_CAUSE_NONE,
         SP_PREFLIGHT_ISSUER_UNKNOWN,
         1,
         false},
	{"a key under a record of the issuer",
         NEW,
         true,
         {{CA, 2, 1}, {OLD, 3, 1}},
         SP_ADVICE_PREFLIGHT_UNKNOWN,
         SP_CAUSE_NONE,
         SP_PREFLIGHT_ISSUER_UNKNOWN,
         1,
         false},
};

static size_t publish(const struct preflight_case *c, struct sp_arena *a,
                      struct sp_plan_tlsa_record *records)
{
	size_t count = 0;
	char why[256];

	for (; count < RECORDS_MAX && c->records[count].of; count++) {
		records[count].reason = SP_TLSA_USABLE;
		assert_int_equal(sp_tls_tlsa_make(pems[c->records[count].of],
		                                  c->records[count].usage,
		                                  c->records[count].selector,
		                                  c->sha512 ? 2 : 1, a,
		                                  &records[count].tlsa, why,
		                                  sizeof(why)),
		                 0);
	}
	return count;
}

static void check_case(const struct preflight_case *c)
{
	struct sp_plan_tlsa_record records[RECORDS_MAX];
	struct sp_str name = SP_STR("mx.d.test");
	struct sp_plan_host host = {
		.name = name,
		.rule = SP_RULE_OPPORTUNISTIC,
		.sni = name,
		.tlsa = records,
		.reference_ids = &name,
		.reference_id_count = 1,
	};
	struct sp_preflight_new fresh = {0};
	struct sp_preflight p;
	struct sp_arena a;
	char why[512];

	sp_arena_init(&a);
	if (c->key_only) {
		fresh.key_pem = keys[c->fresh];
	} else {
		fresh.cert_pem = pems[c->fresh];
	}
	host.tlsa_count = publish(c, &a, records);
	if (host.tlsa_count) {
		host.rule = SP_RULE_DANE;
		host.why = SP_WHY_TLSA;
	}
	assert_int_equal(sp_preflight_look(&fresh, &host, SP_PROFILE_RFC,
	                                   sp_time_wall_ms(), &a, &p, why,
	                                   sizeof(why)),
	                 0);
	if (sp_preflight_advice(&p) != c->advice ||
	    p.verdict.cause != c->cause || p.issuer != c->issuer ||
	    p.remove_count != c->remove || p.add.usage != 3 ||
	    p.add.matching != (c->sha512 ? 2 : 1)) {
		fail_msg("%s: advice %d, cause %s, issuer %d, %zu to remove",
		         c->name, (int)sp_preflight_advice(&p),
		         sp_cause_get(p.verdict.cause)->name, (int)p.issuer,
		         p.remove_count);
	}
	sp_arena_fini(&a);
}

static void test_preflight(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		check_case(&CASES[i]);
	}
}

static void test_unreadable(void **state)
{
	const struct sp_preflight_new fresh = {.cert_pem = SP_STR("x")};
	const struct sp_plan_host host = {.rule = SP_RULE_OPPORTUNISTIC};
	struct sp_preflight p;
	struct sp_arena a;
	char why[512] = "";

	(void)state;
	sp_arena_init(&a);
	assert_true(sp_preflight_look(&fresh, &host, SP_PROFILE_RFC, 0, &a, &p,
	                              why, sizeof(why)) < 0);
	assert_true(*why != '\0');
	sp_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preflight),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
