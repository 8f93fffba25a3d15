/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what reporters really send. Each member is asked for by itself, and
 * what is missing or of another type becomes nothing and a line among the
 * oddities; only a text that is no JSON, or holds nothing of a report, is
 * refused. Seen in the wild and understood:
 *
 *  - a TLSA policy-string as one element that holds a JSON array as text
 *  - policy-string and mx-host as a plain string, mx-host missing
 *  - dates without "Z", with a blank for the "T", or without a time
 *  - a report-id that ends in a bare "+", contact-info null
 *  - policies as one object instead of a list, its members not in "policy"
 *  - counts as text or with a fraction, no summary
 *  - the same sessions counted under sts and under tlsa
 *
 * Texts are copied to the arena, cut at their limit: the JSON tree, which is
 * several times as large, is gone when the reader returns.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "wire/gzip.h"
#include "wire/tlsrpt.h"

const struct sp_json_limits SP_TLSRPT_JSON_LIMITS = {
	.bytes_max = (size_t)16 * 1024 * 1024,
	.depth_max = 32,
	.values_max = 1000000,
};

/* Of a policy-string that holds JSON as text. */
static const struct sp_json_limits INNER_LIMITS = {
	.bytes_max = (size_t)64 * 1024,
	.depth_max = 2,
	.values_max = SP_TLSRPT_STRINGS_MAX,
};

#define ODDITY_MAX 160

struct reading {
	struct sp_arena *arena;
	struct sp_tlsrpt_report *report;
	size_t failures; /* of all policies so far */
};

static void odd(struct reading *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Each oddity stands once. */
static void odd(struct reading *r, const char *fmt, ...)
{
	struct sp_tlsrpt_report *report = r->report;
	char line[ODDITY_MAX];
	struct sp_str text;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	text = sp_str_from(line);
	for (size_t i = 0; i < report->oddity_count; i++) {
		if (sp_str_eq(report->oddities[i], text)) {
			return;
		}
	}
	if (report->oddity_count < SP_TLSRPT_ODDITIES_MAX) {
		report->oddities[report->oddity_count++] =
			sp_arena_str(r->arena, text);
	}
}

/* ---- texts, counts, times ---- */

static struct sp_str copy_text(struct reading *r, const char *what,
                               struct sp_str text)
{
	if (text.len <= SP_TLSRPT_TEXT_MAX) {
		return sp_arena_str(r->arena, text);
	}
	odd(r, "%s is too long and was cut", what);
	text.len = SP_TLSRPT_TEXT_MAX;
	while (text.len && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80) {
		text.len--; /* in mid-character */
	}
	return sp_arena_str(r->arena, text);
}

/* A number where a text belongs is its digits. */
static struct sp_str text_value(struct reading *r, const char *key,
                                const struct sp_json *value)
{
	double number;

	if (sp_json_is_string(value)) {
		return copy_text(r, key, sp_json_str(value));
	}
	odd(r, "%s is not a text", key);
	if (sp_json_number(value, &number)) {
		return sp_str_from(sp_arena_printf(r->arena, "%.15g", number));
	}
	return (struct sp_str){0};
}

static struct sp_str read_text(struct reading *r, const struct sp_json *obj,
                               const char *key, bool wanted)
{
	const struct sp_json *value = sp_json_get(obj, key);

	if (sp_json_is_null(value)) {
		if (value) {
			odd(r, "%s is null", key);
		} else if (wanted) {
			odd(r, "%s is missing", key);
		}
		return (struct sp_str){0};
	}
	return text_value(r, key, value);
}

static uint64_t count_of(struct reading *r, const char *key, double number)
{
	if (!(number >= 0)) {
		odd(r, "%s is negative", key);
		return 0;
	}
	if (number > (double)SP_TLSRPT_COUNT_MAX) {
		odd(r, "%s is too large and was lowered", key);
		return SP_TLSRPT_COUNT_MAX;
	}
	if (number > (double)(uint64_t)number) {
		odd(r, "%s is not a whole number", key);
	}
	return (uint64_t)number;
}

static uint64_t read_count(struct reading *r, const struct sp_json *obj,
                           const char *key)
{
	const struct sp_json *value = sp_json_get(obj, key);
	uint64_t count = 0;
	double number;

	if (sp_json_is_null(value)) {
		odd(r, "%s is missing", key);
	} else if (sp_json_number(value, &number)) {
		count = count_of(r, key, number);
	} else if (sp_json_is_string(value) &&
	           sp_str_u64(sp_str_trim(sp_json_str(value)),
	                      SP_TLSRPT_COUNT_MAX, &count) == 0) {
		odd(r, "%s is a text", key);
	} else {
		odd(r, "%s is not a number", key);
		count = 0;
	}
	return count;
}

/* A time as it should be, or without its end. */
static bool parse_time(struct reading *r, const char *key, struct sp_str text,
                       int64_t *wall_ms_out)
{
	static const struct {
		const char *end;
		const char *what;
	} forms[] = {{"", NULL},
	             {"Z", "has no time zone"},
	             {"T00:00:00Z", "has no time of day"}};
	char copy[64];

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		(void)snprintf(copy, sizeof(copy), SP_STR_FMT "%s",
		               SP_STR_ARG(text), forms[i].end);
		if (text.len > 10 && copy[10] == ' ') {
			copy[10] = 'T';
		}
		if (sp_time_parse(sp_str_from(copy), wall_ms_out) != 0) {
			continue;
		}
		if (forms[i].what) {
			odd(r, "%s %s", key, forms[i].what);
		}
		if (text.len > 10 && text.ptr[10] == ' ') {
			odd(r, "%s has a blank for its \"T\"", key);
		}
		return true;
	}
	return false;
}

static int64_t read_time(struct reading *r, const struct sp_json *obj,
                         const char *key)
{
	struct sp_str text = read_text(r, obj, key, true);
	int64_t wall_ms = 0;

	if (text.len && !parse_time(r, key, text, &wall_ms)) {
		odd(r, "%s is not a time", key);
		wall_ms = 0;
	}
	return wall_ms;
}

/* ---- lists of texts ---- */

static size_t list_of(struct reading *r, const char *key,
                      const struct sp_json *array, struct sp_str **texts_out)
{
	size_t count = sp_json_len(array);

	if (count > SP_TLSRPT_STRINGS_MAX) {
		odd(r, "%s has more than 1000 members", key);
		count = SP_TLSRPT_STRINGS_MAX;
	}
	*texts_out = sp_arena_array(r->arena, count, sizeof(**texts_out));
	for (size_t i = 0; i < count; i++) {
		(*texts_out)[i] = text_value(r, key, sp_json_at(array, i));
	}
	return count;
}

static size_t single(struct reading *r, struct sp_str text,
                     struct sp_str **texts_out)
{
	*texts_out = sp_arena_array(r->arena, 1, sizeof(**texts_out));
	(*texts_out)[0] = text;
	return 1;
}

static size_t read_list(struct reading *r, const struct sp_json *obj,
                        const char *key, struct sp_str **texts_out)
{
	const struct sp_json *value = sp_json_get(obj, key);

	*texts_out = NULL;
	if (sp_json_is_array(value)) {
		return list_of(r, key, value, texts_out);
	}
	if (!value) {
		return 0;
	}
	if (sp_json_is_string(value)) {
		odd(r, "%s is a text, not a list", key);
		return single(r, copy_text(r, key, sp_json_str(value)),
		              texts_out);
	}
	odd(r, "%s is %s", key, sp_json_is_null(value) ? "null" : "not a list");
	return 0;
}

/* The list that stands as JSON text in the only member. */
static void unwrap_strings(struct reading *r, struct sp_tlsrpt_policy *p,
                           const struct sp_json *head)
{
	const struct sp_json *value = sp_json_get(head, "policy-string");
	struct sp_str text = sp_json_str(
		sp_json_is_array(value) ? sp_json_at(value, 0) : value);
	struct sp_json *inner;

	if (p->string_count != 1 || text.len == 0 || text.ptr[0] != '[' ||
	    sp_json_parse(text, &INNER_LIMITS, &inner, NULL, 0) != 0) {
		return;
	}
	odd(r, "policy-string holds a list as text");
	p->string_count = list_of(r, "policy-string", inner, &p->strings);
	sp_json_free(&inner);
}

/* ---- failures and policies ---- */

static void read_failure(struct reading *r, const struct sp_json *obj,
                         struct sp_tlsrpt_failure *f)
{
	char shown[40];

	f->result_type = read_text(r, obj, "result-type", true);
	f->sending_ip = read_text(r, obj, "sending-mta-ip", true);
	f->mx_host = read_text(r, obj, "receiving-mx-hostname", false);
	f->mx_helo = read_text(r, obj, "receiving-mx-helo", false);
	f->receiving_ip = read_text(r, obj, "receiving-ip", false);
	f->additional = read_text(r, obj, "additional-information", false);
	f->reason = read_text(r, obj, "failure-reason-code", false);
	f->count = read_count(r, obj, "failed-session-count");
	if (f->result_type.len && !sp_tlsrpt_is_result(f->result_type)) {
		sp_log_escape(f->result_type, shown, sizeof(shown));
		odd(r, "unknown result-type %s", shown);
	}
}

static void read_failures(struct reading *r, const struct sp_json *obj,
                          struct sp_tlsrpt_policy *p)
{
	const struct sp_json *array = sp_json_get(obj, "failure-details");
	size_t count = sp_json_len(array);

	if (!sp_json_is_null(array) && !sp_json_is_array(array)) {
		odd(r, "failure-details is not a list");
	}
	if (count > SP_TLSRPT_FAILURES_MAX - r->failures) {
		odd(r, "more than 100000 failure-details");
		count = SP_TLSRPT_FAILURES_MAX - r->failures;
	}
	p->failures = sp_arena_array(r->arena, count, sizeof(*p->failures));
	for (size_t i = 0; i < count; i++) {
		const struct sp_json *item = sp_json_at(array, i);

		if (sp_json_is_object(item)) {
			read_failure(r, item, &p->failures[p->failure_count++]);
		} else {
			odd(r, "a member of failure-details is not an object");
		}
	}
	r->failures += p->failure_count;
}

static void read_summary(struct reading *r, const struct sp_json *obj,
                         struct sp_tlsrpt_policy *p)
{
	const struct sp_json *summary = sp_json_get(obj, "summary");
	uint64_t sum = 0;

	for (size_t i = 0; i < p->failure_count; i++) {
		sum += p->failures[i].count;
	}
	if (!sp_json_is_object(summary)) {
		odd(r, "summary is missing");
		p->failed = sum;
		return;
	}
	p->successful =
		read_count(r, summary, "total-successful-session-count");
	p->failed = read_count(r, summary, "total-failure-session-count");
	if (p->failed != sum && (sum || p->failed)) {
		odd(r, "failures in the summary and in failure-details differ");
	}
}

static void read_head(struct reading *r, const struct sp_json *obj,
                      struct sp_tlsrpt_policy *p)
{
	const struct sp_json *head = sp_json_get(obj, "policy");
	char shown[40];

	if (!sp_json_is_object(head)) {
		odd(r, "policy is missing");
		head = obj;
	}
	p->type = read_text(r, head, "policy-type", true);
	p->domain = read_text(r, head, "policy-domain", true);
	p->string_count = read_list(r, head, "policy-string", &p->strings);
	unwrap_strings(r, p, head);
	p->mx_host_count = read_list(r, head, "mx-host", &p->mx_hosts);
	if (sp_str_eq(p->type, SP_STR(SP_TLSRPT_STS))) {
		if (!sp_json_get(head, "mx-host")) {
			odd(r, "mx-host is missing");
		}
	} else if (p->type.len && !sp_str_eq(p->type, SP_STR(SP_TLSRPT_TLSA)) &&
	           !sp_str_eq(p->type, SP_STR(SP_TLSRPT_NONE))) {
		sp_log_escape(p->type, shown, sizeof(shown));
		odd(r, "unknown policy-type %s", shown);
	}
}

static void read_policy(struct reading *r, const struct sp_json *item)
{
	struct sp_tlsrpt_report *report = r->report;
	struct sp_tlsrpt_policy *p = &report->policies[report->policy_count];

	if (!sp_json_is_object(item)) {
		odd(r, "a member of policies is not an object");
		return;
	}
	read_head(r, item, p);
	read_failures(r, item, p);
	read_summary(r, item, p);
	report->policy_count++;
}

static void read_policies(struct reading *r, const struct sp_json *root)
{
	const struct sp_json *list = sp_json_get(root, "policies");
	size_t count = sp_json_len(list);
	bool alone = sp_json_is_object(list);

	if (alone) {
		odd(r, "policies is an object, not a list");
		count = 1;
	} else if (!sp_json_is_array(list)) {
		odd(r, "policies is %s", list ? "not a list" : "missing");
	} else if (!count) {
		odd(r, "policies is empty");
	}
	if (count > SP_TLSRPT_POLICIES_MAX) {
		odd(r, "more than 1000 policies");
		count = SP_TLSRPT_POLICIES_MAX;
	}
	r->report->policies =
		sp_arena_array(r->arena, count, sizeof(*r->report->policies));
	for (size_t i = 0; i < count; i++) {
		read_policy(r, alone ? list : sp_json_at(list, i));
	}
}

/* Sessions with the same numbers for the same domain under both. */
static bool is_double(const struct sp_tlsrpt_policy *a,
                      const struct sp_tlsrpt_policy *b)
{
	return sp_str_eq(a->type, SP_STR(SP_TLSRPT_STS)) &&
	       sp_str_eq(b->type, SP_STR(SP_TLSRPT_TLSA)) &&
	       sp_str_eq_nocase(a->domain, b->domain) &&
	       a->successful == b->successful && a->failed == b->failed &&
	       a->successful + a->failed > 0;
}

static void find_double(struct reading *r)
{
	const struct sp_tlsrpt_report *report = r->report;

	for (size_t i = 0; i < report->policy_count; i++) {
		for (size_t k = 0; k < report->policy_count; k++) {
			if (is_double(&report->policies[i],
			              &report->policies[k])) {
				odd(r, "the same sessions stand under sts and "
				       "under tlsa");
				return;
			}
		}
	}
}

/* ---- the report ---- */

static void read_range(struct reading *r, const struct sp_json *root)
{
	const struct sp_json *range = sp_json_get(root, "date-range");

	if (!sp_json_is_object(range)) {
		odd(r, "date-range is missing");
		return;
	}
	r->report->start_ms = read_time(r, range, "start-datetime");
	r->report->end_ms = read_time(r, range, "end-datetime");
}

static void read_root(struct reading *r, const struct sp_json *root)
{
	struct sp_tlsrpt_report *report = r->report;
	struct sp_str id;

	report->organization = read_text(r, root, "organization-name", true);
	read_range(r, root);
	report->contact = read_text(r, root, "contact-info", true);
	report->report_id = id = read_text(r, root, "report-id", true);
	if (id.len && id.ptr[id.len - 1] == '+') {
		odd(r, "report-id ends in \"+\"");
	}
	read_policies(r, root);
	find_double(r);
}

/* Nothing but other things' JSON has none of these. */
static bool is_report(const struct sp_json *root)
{
	static const char *const members[] = {"organization-name", "date-range",
	                                      "report-id", "policies"};
	bool any = false;

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		any |= sp_json_get(root, members[i]) != NULL;
	}
	return any && sp_json_is_object(root);
}

int sp_tlsrpt_read(struct sp_str text, struct sp_arena *arena,
                   struct sp_tlsrpt_report *report_out, char *why_out)
{
	static const struct sp_str mark = SP_STR("\xef\xbb\xbf");
	struct reading r = {.arena = arena, .report = report_out};
	struct sp_json *root;
	int err;

	*report_out = (struct sp_tlsrpt_report){.policy_count = 0};
	report_out->oddities = sp_arena_array(arena, SP_TLSRPT_ODDITIES_MAX,
	                                      sizeof(*report_out->oddities));
	if (sp_str_starts_nocase(text, mark)) {
		odd(&r, "a byte order mark before the JSON text");
		text = sp_str_sub(text, mark.len, text.len);
	}
	err = sp_json_parse(text, &SP_TLSRPT_JSON_LIMITS, &root, why_out,
	                    why_out ? SP_TLSRPT_READ_WHY_MAX : 0);
	if (err) {
		return err;
	}
	if (is_report(root)) {
		read_root(&r, root);
	} else {
		err = SP_ESYNTAX;
	}
	if (err && why_out) {
		(void)snprintf(why_out, SP_TLSRPT_READ_WHY_MAX,
		               "JSON, but nothing of a TLS report in it");
	}
	sp_json_free(&root);
	return err;
}

int sp_tlsrpt_read_packed(struct sp_str bytes, struct sp_arena *arena,
                          struct sp_tlsrpt_report *report_out, char *why_out)
{
	struct reading r = {.arena = arena, .report = report_out};
	struct sp_buf text;
	size_t surplus = 0;
	int err;

	_Static_assert(SP_GZIP_WHY_MAX <= SP_TLSRPT_READ_WHY_MAX,
	               "room for the reason");
	*report_out = (struct sp_tlsrpt_report){.policy_count = 0};
	if (!sp_gzip_is(bytes)) {
		return sp_tlsrpt_read(bytes, arena, report_out, why_out);
	}
	sp_buf_init(&text, SP_GZIP_LIMITS_REPORT.out_max);
	err = sp_gzip_unpack(bytes, &SP_GZIP_LIMITS_REPORT, &text, &surplus,
	                     why_out);
	if (!err) {
		err = sp_tlsrpt_read(sp_buf_str(&text), arena, report_out,
		                     why_out);
	}
	if (!err && surplus) {
		odd(&r, "bytes behind the end of the gzip data");
	}
	sp_buf_fini(&text);
	return err;
}
