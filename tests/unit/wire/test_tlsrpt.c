/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/gzip.h"
#include "wire/tlsrpt.h"

/* Like the example of RFC 8460 appendix B. */
#define HEAD                                                                   \
	"{\"organization-name\":\"Company-X\",\"date-range\":{"                \
	"\"start-datetime\":\"2016-04-01T00:00:00Z\","                         \
	"\"end-datetime\":\"2016-04-01T23:59:59Z\"},"                          \
	"\"contact-info\":\"sts-reporting@company-x.example\","                \
	"\"report-id\":\"5065427c-23d3-47ca-b6e0-946ea0e8c4be\",\"policies\":"
#define STS_POLICY                                                             \
	"{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":["             \
	"\"version: STSv1\",\"mode: testing\",\"mx: *.mail.c.example\","       \
	"\"max_age: 86400\"],\"policy-domain\":\"c.example\","                 \
	"\"mx-host\":[\"*.mail.c.example\"]},"
#define SUMMARY                                                                \
	"\"summary\":{\"total-successful-session-count\":5326,"                \
	"\"total-failure-session-count\":303},"
#define DETAILS                                                                \
	"\"failure-details\":["                                                \
	"{\"result-type\":\"certificate-expired\","                            \
	"\"sending-mta-ip\":\"2001:db8:abcd:12::1\","                          \
	"\"receiving-mx-hostname\":\"mx1.mail.c.example\","                    \
	"\"failed-session-count\":100},"                                       \
	"{\"result-type\":\"starttls-not-supported\","                         \
	"\"sending-mta-ip\":\"2001:db8:abcd:13::1\","                          \
	"\"receiving-mx-hostname\":\"mx2.mail.c.example\","                    \
	"\"receiving-mx-helo\":\"h.c.example\","                               \
	"\"receiving-ip\":\"203.0.113.56\",\"failed-session-count\":203,"      \
	"\"additional-information\":\"https://r.example/?id=1\","              \
	"\"failure-reason-code\":\"X509_V_ERR\"}]"
#define EXAMPLE HEAD "[" STS_POLICY SUMMARY DETAILS "}]}"

static struct sp_arena arena;

static int setup(void **state)
{
	(void)state;
	sp_arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sp_arena_fini(&arena);
	return 0;
}

static bool is(struct sp_str text, const char *cstr)
{
	return sp_str_eq(text, sp_str_from(cstr));
}

/* RFC 8460 4.4, appendix B: all of it is read. */
static void test_example(void **state)
{
	const struct sp_tlsrpt_policy *p;
	struct sp_tlsrpt_report r;

	(void)state;
	assert_int_equal(sp_tlsrpt_read(SP_STR(EXAMPLE), &arena, &r, NULL), 0);
	assert_int_equal(r.oddity_count, 0);
	assert_true(is(r.organization, "Company-X"));
	assert_true(is(r.contact, "sts-reporting@company-x.example"));
	assert_true(is(r.report_id, "5065427c-23d3-47ca-b6e0-946ea0e8c4be"));
	assert_int_equal(r.start_ms, 1459468800000);
	assert_int_equal(r.end_ms, 1459555199000);
	assert_int_equal(r.policy_count, 1);
	p = &r.policies[0];
	assert_true(is(p->type, "sts"));
	assert_true(is(p->domain, "c.example"));
	assert_int_equal(p->string_count, 4);
	assert_true(is(p->strings[2], "mx: *.mail.c.example"));
	assert_int_equal(p->mx_host_count, 1);
	assert_true(is(p->mx_hosts[0], "*.mail.c.example"));
	assert_int_equal(p->successful, 5326);
	assert_int_equal(p->failed, 303);
	assert_int_equal(p->failure_count, 2);
	assert_true(is(p->failures[0].result_type, "certificate-expired"));
	assert_int_equal(p->failures[0].count, 100);
	assert_int_equal(p->failures[0].reason.len, 0);
	assert_true(is(p->failures[1].sending_ip, "2001:db8:abcd:13::1"));
	assert_true(is(p->failures[1].mx_host, "mx2.mail.c.example"));
	assert_true(is(p->failures[1].mx_helo, "h.c.example"));
	assert_true(is(p->failures[1].receiving_ip, "203.0.113.56"));
	assert_true(is(p->failures[1].additional, "https://r.example/?id=1"));
	assert_true(is(p->failures[1].reason, "X509_V_ERR"));
}

/* What was read is written again as it was. */
static void test_write(void **state)
{
	struct sp_tlsrpt_report r;
	struct sp_json *json;
	struct sp_buf out;

	(void)state;
	assert_int_equal(sp_tlsrpt_read(SP_STR(EXAMPLE), &arena, &r, NULL), 0);
	json = sp_tlsrpt_json(&r);
	sp_buf_init(&out, 100000);
	assert_int_equal(sp_json_write(json, &out), 0);
	assert_true(sp_str_eq(sp_buf_str(&out), SP_STR(EXAMPLE)));
	sp_json_free(&json);
	sp_buf_fini(&out);
}

#define TLSA_HEAD        HEAD "[{\"policy\":{\"policy-type\":\"tlsa\","
#define TLSA_END         "\"policy-domain\":\"d.test\"}," SUMMARY DETAILS "}]}"
#define STRINGS_OF(list) TLSA_HEAD "\"policy-string\":" list "," TLSA_END

static const struct odd_case {
	const char *name;
	const char *text;
	const char *oddities; /* ";" between */
	const char *strings;  /* of the first policy, " | " between */
	size_t policies;
	uint64_t successful, failed; /* of the first policy */
	int64_t start_ms;
} ODD[] = {
	{"RFC 8460 4.4 as it should be",
         STRINGS_OF("[\"3 1 1 00\",\"3 1 1 01\"]"), "", "3 1 1 00 | 3 1 1 01",
         1, 5326, 303, 1459468800000},
	{"seen: a list as text in a list",
         STRINGS_OF("[\"[\\\"3 1 1 00\\\",\\\"3 1 1 01\\\"]\"]"),
         "policy-string holds a list as text", "3 1 1 00 | 3 1 1 01", 1, 5326,
         303, 1459468800000},
	{"seen: text that only begins like a list", STRINGS_OF("[\"[3 1 1\"]"),
         "", "[3 1 1", 1, 5326, 303, 1459468800000},
	{"seen: a plain string", STRINGS_OF("\"3 1 1 00\""),
         "policy-string is a text, not a list", "3 1 1 00", 1, 5326, 303,
         1459468800000},
	{"a list as a plain string", STRINGS_OF("\"[\\\"3 1 1 00\\\"]\""),
         "policy-string is a text, not a list;"
         "policy-string holds a list as text",
         "3 1 1 00", 1, 5326, 303, 1459468800000},
	{"numbers among the strings", STRINGS_OF("[311,null]"),
         "policy-string is not a text", "311 | ", 1, 5326, 303, 1459468800000},
	{"seen: null for a list", STRINGS_OF("null"), "policy-string is null",
         "", 1, 5326, 303, 1459468800000},
	{"seen: mx-host missing",
         HEAD "[{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[],"
              "\"policy-domain\":\"d.test\"}," SUMMARY DETAILS "}]}",
         "mx-host is missing", "", 1, 5326, 303, 1459468800000},
	{"seen: mx-host a plain string",
         HEAD "[{\"policy\":{\"policy-type\":\"sts\",\"mx-host\":\"m.test\","
              "\"policy-domain\":\"d.test\"}," SUMMARY DETAILS "}]}",
         "mx-host is a text, not a list", "", 1, 5326, 303, 1459468800000},
	{"seen: dates without Z, id with a plus, contact null",
         "{\"organization-name\":\"x\",\"date-range\":{"
         "\"start-datetime\":\"2016-04-01T00:00:00\","
         "\"end-datetime\":\"2016-04-01 23:59:59\"},\"contact-info\":null,"
         "\"report-id\":\"2016+\",\"policies\":[" STS_POLICY SUMMARY DETAILS
         "}]}",
         "start-datetime has no time zone;end-datetime has no time zone;"
         "end-datetime has a blank for its \"T\";contact-info is null;"
         "report-id ends in \"+\"",
         "version: STSv1 | mode: testing | mx: *.mail.c.example | "
         "max_age: 86400",
         1, 5326, 303, 1459468800000},
	{"days for times",
         "{\"organization-name\":\"x\",\"date-range\":{"
         "\"start-datetime\":\"2016-04-01\",\"end-datetime\":\"soon\"},"
         "\"contact-info\":7,\"report-id\":\"1\",\"policies\":[]}",
         "start-datetime has no time of day;end-datetime is not a time;"
         "contact-info is not a text;policies is empty",
         "", 0, 0, 0, 1459468800000},
	{"seen: the same sessions under sts and tlsa",
         HEAD "[" STS_POLICY SUMMARY DETAILS "},"
              "{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":[],"
              "\"policy-domain\":\"C.example\"}," SUMMARY DETAILS "}]}",
         "the same sessions stand under sts and under tlsa",
         "version: STSv1 | mode: testing | mx: *.mail.c.example | "
         "max_age: 86400",
         2, 5326, 303, 1459468800000},
	{"seen: failure without sending-mta-ip",
         HEAD "[" STS_POLICY
              "\"summary\":{\"total-successful-session-count\":0,"
              "\"total-failure-session-count\":2},\"failure-details\":["
              "{\"result-type\":\"sts-policy-fetch-error\","
              "\"failed-session-count\":2}]}]}",
         "sending-mta-ip is missing",
         "version: STSv1 | mode: testing | mx: *.mail.c.example | "
         "max_age: 86400",
         1, 0, 2, 1459468800000},
	{"no summary, one policy without its list, unknown types",
         HEAD "{\"policy-type\":\"dane\",\"policy-domain\":\"d.test\","
              "\"failure-details\":[{\"result-type\":\"new\\u0007\","
              "\"sending-mta-ip\":\"::1\",\"failed-session-count\":\"4\"},"
              "5]}}",
         "policies is an object, not a list;policy is missing;"
         "unknown policy-type dane;failed-session-count is a text;"
         "unknown result-type new\\x07;"
         "a member of failure-details is not an object;summary is missing",
         "", 1, 0, 4, 1459468800000},
	{"counts that are none",
         HEAD "[{\"policy\":{\"policy-type\":\"tlsa\","
              "\"policy-domain\":\"d.test\"},"
              "\"summary\":{\"total-successful-session-count\":-3,"
              "\"total-failure-session-count\":1e18},\"failure-details\":["
              "{\"result-type\":\"tlsa-invalid\",\"sending-mta-ip\":\"::1\","
              "\"failed-session-count\":1.5},{\"result-type\":"
              "\"tlsa-invalid\",\"sending-mta-ip\":\"::1\","
              "\"failed-session-count\":[]}]}]}",
         "failed-session-count is not a whole number;"
         "failed-session-count is not a number;"
         "total-successful-session-count is negative;"
         "total-failure-session-count is too large and was lowered;"
         "failures in the summary and in failure-details differ",
         "", 1, 0, 1000000000000, 1459468800000},
	{"wrong types all over",
         "{\"organization-name\":[],\"date-range\":4,\"contact-info\":{},"
         "\"report-id\":true,\"policies\":7}",
         "organization-name is not a text;date-range is missing;"
         "contact-info is not a text;report-id is not a text;"
         "policies is not a list",
         "", 0, 0, 0, 0},
	{"a member of policies that is none",
         HEAD "[null," STS_POLICY SUMMARY DETAILS "}]}",
         "a member of policies is not an object",
         "version: STSv1 | mode: testing | mx: *.mail.c.example | "
         "max_age: 86400",
         1, 5326, 303, 1459468800000},
	{"RFC 8259 8.1 byte order mark", "\xef\xbb\xbf" EXAMPLE,
         "a byte order mark before the JSON text",
         "version: STSv1 | mode: testing | mx: *.mail.c.example | "
         "max_age: 86400",
         1, 5326, 303, 1459468800000},
	{"only a list of policies", "{\"policies\":[]}",
         "organization-name is missing;date-range is missing;"
         "contact-info is missing;report-id is missing;policies is empty",
         "", 0, 0, 0, 0},
};

static void join(struct sp_buf *out, const struct sp_str *texts, size_t count,
                 const char *between)
{
	sp_buf_reset(out);
	for (size_t i = 0; i < count; i++) {
		(void)sp_buf_append_cstr(out, i ? between : "");
		(void)sp_buf_append_str(out, texts[i]);
	}
	(void)sp_buf_append_char(out, '\0');
}

static void check_odd(const struct odd_case *c)
{
	char why[SP_TLSRPT_READ_WHY_MAX] = "";
	struct sp_tlsrpt_policy none = {.successful = 0};
	struct sp_tlsrpt_policy *p = &none;
	struct sp_tlsrpt_report r;
	struct sp_buf out;

	print_message("  %s\n", c->name);
	sp_buf_init(&out, 10000);
	assert_int_equal(sp_tlsrpt_read(sp_str_from(c->text), &arena, &r, why),
	                 0);
	join(&out, r.oddities, r.oddity_count, ";");
	assert_string_equal(sp_buf_str(&out).ptr, c->oddities);
	assert_int_equal(r.policy_count, c->policies);
	p = r.policy_count ? &r.policies[0] : p;
	join(&out, p->strings, p->string_count, " | ");
	assert_string_equal(sp_buf_str(&out).ptr, c->strings);
	assert_int_equal(p->successful, c->successful);
	assert_int_equal(p->failed, c->failed);
	assert_int_equal(r.start_ms, c->start_ms);
	sp_buf_fini(&out);
}

static void test_odd(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ODD) / sizeof(*ODD); i++) {
		check_odd(&ODD[i]);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *name;
		struct sp_str text;
		int err;
	} cases[] = {
		{"nothing", SP_STR(""), SP_ESYNTAX},
		{"cut off", SP_STR(HEAD "["), SP_ESYNTAX},
		{"no object", SP_STR("[]"), SP_ESYNTAX},
		{"another object", SP_STR("{\"a\":1}"), SP_ESYNTAX},
		{"text behind", SP_STR(EXAMPLE "x"), SP_ESYNTAX},
		{"RFC 8259 4 a key twice",
	         SP_STR("{\"policies\":[],\"policies\":[]}"), SP_ESYNTAX},
		{"a number beyond reals", SP_STR("{\"policies\":[1e400]}"),
	         SP_ESYNTAX},
		{"a number beyond 64 bits",
	         SP_STR("{\"policies\":[18446744073709551616]}"), SP_ESYNTAX},
		{"NUL in a text", SP_STR("{\"report-id\":\"a\\u0000b\"}"),
	         SP_ESYNTAX},
		{"a NUL byte", SP_STR("{\"report-id\":\"a\0b\"}"), SP_ESYNTAX},
		{"no UTF-8", SP_STR("{\"report-id\":\"a\xff\"}"), SP_ESYNTAX},
		{"too deep",
	         SP_STR("{\"policies\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
	         SP_ELIMIT},
	};
	char why[SP_TLSRPT_READ_WHY_MAX];
	struct sp_tlsrpt_report r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("  %s\n", cases[i].name);
		why[0] = '\0';
		assert_int_equal(sp_tlsrpt_read(cases[i].text, &arena, &r, why),
		                 cases[i].err);
		assert_true(why[0] != '\0');
		assert_int_equal(
			sp_tlsrpt_read(cases[i].text, &arena, &r, NULL),
			cases[i].err);
	}
}

/* Limits in the report: beyond them it is cut, and says so. */
static void test_limits(void **state)
{
	struct sp_tlsrpt_report r;
	struct sp_buf text;

	(void)state;
	sp_buf_init(&text, 4u << 20);
	(void)sp_buf_append_cstr(&text, "{\"organization-name\":\"");
	for (int i = 0; i < 600; i++) {
		(void)sp_buf_append_cstr(&text, "\xe2\x82\xac");
	}
	(void)sp_buf_append_cstr(&text, "\",\"policies\":[");
	for (int i = 0; i < 1001; i++) {
		(void)sp_buf_append_cstr(&text, i ? ",{}" : "{}");
	}
	(void)sp_buf_append_cstr(&text, "]}");
	assert_int_equal(sp_tlsrpt_read(sp_buf_str(&text), &arena, &r, NULL),
	                 0);
	assert_int_equal(r.organization.len, 1023);
	assert_int_equal(r.policy_count, SP_TLSRPT_POLICIES_MAX);
	assert_in_range(r.oddity_count, 5, SP_TLSRPT_ODDITIES_MAX);

	sp_buf_reset(&text);
	(void)sp_buf_append_cstr(&text, "{\"policies\":[");
	for (int i = 0; i < 1000000; i++) {
		(void)sp_buf_append_cstr(&text, "1,");
	}
	(void)sp_buf_append_cstr(&text, "1]}");
	assert_int_equal(sp_tlsrpt_read(sp_buf_str(&text), &arena, &r, NULL),
	                 SP_ELIMIT);
	sp_buf_fini(&text);
}

/* RFC 8460 5.1: packed or not, it is the same report. */
static void test_packed(void **state)
{
	struct sp_tlsrpt_report r;
	struct sp_buf packed;

	(void)state;
	sp_buf_init(&packed, 100000);
	assert_int_equal(
		sp_tlsrpt_read_packed(SP_STR(EXAMPLE), &arena, &r, NULL), 0);
	assert_int_equal(r.policy_count, 1);
	assert_int_equal(sp_gzip_pack(SP_STR(EXAMPLE), &packed), 0);
	assert_int_equal(
		sp_tlsrpt_read_packed(sp_buf_str(&packed), &arena, &r, NULL),
		0);
	assert_int_equal(r.policies[0].failed, 303);
	assert_int_equal(r.oddity_count, 0);
	(void)sp_buf_append_cstr(&packed, "\r\n");
	assert_int_equal(
		sp_tlsrpt_read_packed(sp_buf_str(&packed), &arena, &r, NULL),
		0);
	assert_int_equal(r.oddity_count, 1);
	sp_buf_truncate(&packed, 10);
	assert_int_equal(
		sp_tlsrpt_read_packed(sp_buf_str(&packed), &arena, &r, NULL),
		SP_ESYNTAX);
	sp_buf_fini(&packed);
}

static void test_view(void **state)
{
	struct sp_tlsrpt_report r;
	struct sp_json *json;
	struct sp_buf out;

	(void)state;
	assert_int_equal(
		sp_tlsrpt_read(SP_STR("{\"policies\":[{\"policy\":{"
	                              "\"policy-type\":\"tlsa\"},"
	                              "\"failure-details\":[{\"result-type\":"
	                              "\"tlsa-invalid\"}]}]}"),
	                       &arena, &r, NULL),
		0);
	r.oddity_count = 1;
	json = sp_tlsrpt_view(&r);
	sp_buf_init(&out, 100000);
	assert_int_equal(sp_json_write(json, &out), 0);
	assert_true(is(
		sp_buf_str(&out),
		"{\"organization_name\":null,\"report_id\":null,\"start\":null,"
		"\"end\":null,\"contact\":null,\"policies\":[{\"type\":"
		"\"tlsa\","
		"\"domain\":null,\"strings\":[],\"mx_hosts\":[],"
		"\"successful\":0,\"failed\":0,\"failures\":[{\"result_type\":"
		"\"tlsa-invalid\",\"count\":0,\"sending_mta_ip\":null,"
		"\"receiving_mx_hostname\":null,\"receiving_mx_helo\":null,"
		"\"receiving_ip\":null,\"reason_code\":null,"
		"\"additional_information\":null}]}],"
		"\"oddities\":[\"organization-name is missing\"]}"));
	sp_json_free(&json);
	sp_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_example, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_view, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
