/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ways to write a report: for the domain it is about, with the names
 * of RFC 8460, and for people and scripts here, with ours.
 */
#include "base/time.h"
#include "wire/tlsrpt.h"

#define SECONDS_LEN 19 /* "2026-11-23T10:00:00" */

bool sp_tlsrpt_is_result(struct sp_str text)
{
	static const char *const results[] = {
#define SP_X(name, text) text,
		SP_TLSRPT_RESULTS(SP_X)
#undef SP_X
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (sp_str_eq(text, sp_str_from(results[i]))) {
			return true;
		}
	}
	return false;
}

/* Whole seconds: some readers know no others. */
static void set_time(struct sp_json *obj, const char *key, int64_t wall_ms)
{
	char text[SP_TIME_TEXT];

	sp_time_rfc3339(wall_ms, text);
	text[SECONDS_LEN] = 'Z';
	text[SECONDS_LEN + 1] = '\0';
	sp_json_set_cstr(obj, key, text);
}

/* ---- as the RFC has it ---- */

static void set_if(struct sp_json *obj, const char *key, struct sp_str text)
{
	if (text.len) {
		sp_json_set_str(obj, key, text);
	}
}

static struct sp_json *failure_json(const struct sp_tlsrpt_failure *f)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_str(obj, "result-type", f->result_type);
	set_if(obj, "sending-mta-ip", f->sending_ip);
	set_if(obj, "receiving-mx-hostname", f->mx_host);
	set_if(obj, "receiving-mx-helo", f->mx_helo);
	set_if(obj, "receiving-ip", f->receiving_ip);
	sp_json_set_int(obj, "failed-session-count", (int64_t)f->count);
	set_if(obj, "additional-information", f->additional);
	set_if(obj, "failure-reason-code", f->reason);
	return obj;
}

static struct sp_json *head_json(const struct sp_tlsrpt_policy *p)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_str(obj, "policy-type", p->type);
	if (p->string_count) {
		sp_json_set_strs(obj, "policy-string", p->strings,
		                 p->string_count);
	}
	sp_json_set_str(obj, "policy-domain", p->domain);
	if (p->mx_host_count) {
		sp_json_set_strs(obj, "mx-host", p->mx_hosts, p->mx_host_count);
	}
	return obj;
}

static struct sp_json *policy_json(const struct sp_tlsrpt_policy *p)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *summary = sp_json_object();
	struct sp_json *failures;

	sp_json_set(obj, "policy", head_json(p));
	sp_json_set_int(summary, "total-successful-session-count",
	                (int64_t)p->successful);
	sp_json_set_int(summary, "total-failure-session-count",
	                (int64_t)p->failed);
	sp_json_set(obj, "summary", summary);
	if (!p->failure_count) {
		return obj;
	}
	failures = sp_json_array();
	for (size_t i = 0; i < p->failure_count; i++) {
		sp_json_add(failures, failure_json(&p->failures[i]));
	}
	sp_json_set(obj, "failure-details", failures);
	return obj;
}

struct sp_json *sp_tlsrpt_json(const struct sp_tlsrpt_report *report)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *range = sp_json_object();
	struct sp_json *policies = sp_json_array();

	sp_json_set_str(obj, "organization-name", report->organization);
	set_time(range, "start-datetime", report->start_ms);
	set_time(range, "end-datetime", report->end_ms);
	sp_json_set(obj, "date-range", range);
	sp_json_set_str(obj, "contact-info", report->contact);
	sp_json_set_str(obj, "report-id", report->report_id);
	for (size_t i = 0; i < report->policy_count; i++) {
		sp_json_add(policies, policy_json(&report->policies[i]));
	}
	sp_json_set(obj, "policies", policies);
	return obj;
}

/* ---- as the command shows it ---- */

static struct sp_json *failure_view(const struct sp_tlsrpt_failure *f)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_text(obj, "result_type", f->result_type);
	sp_json_set_int(obj, "count", (int64_t)f->count);
	sp_json_set_text(obj, "sending_mta_ip", f->sending_ip);
	sp_json_set_text(obj, "receiving_mx_hostname", f->mx_host);
	sp_json_set_text(obj, "receiving_mx_helo", f->mx_helo);
	sp_json_set_text(obj, "receiving_ip", f->receiving_ip);
	sp_json_set_text(obj, "reason_code", f->reason);
	sp_json_set_text(obj, "additional_information", f->additional);
	return obj;
}

static struct sp_json *policy_view(const struct sp_tlsrpt_policy *p)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *failures = sp_json_array();

	sp_json_set_text(obj, "type", p->type);
	sp_json_set_text(obj, "domain", p->domain);
	sp_json_set_strs(obj, "strings", p->strings, p->string_count);
	sp_json_set_strs(obj, "mx_hosts", p->mx_hosts, p->mx_host_count);
	sp_json_set_int(obj, "successful", (int64_t)p->successful);
	sp_json_set_int(obj, "failed", (int64_t)p->failed);
	for (size_t i = 0; i < p->failure_count; i++) {
		sp_json_add(failures, failure_view(&p->failures[i]));
	}
	sp_json_set(obj, "failures", failures);
	return obj;
}

static void set_view_time(struct sp_json *obj, const char *key, int64_t wall_ms)
{
	if (wall_ms) {
		set_time(obj, key, wall_ms);
	} else {
		sp_json_set_null(obj, key);
	}
}

struct sp_json *sp_tlsrpt_view(const struct sp_tlsrpt_report *report)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *policies = sp_json_array();

	sp_json_set_text(obj, "organization_name", report->organization);
	sp_json_set_text(obj, "report_id", report->report_id);
	set_view_time(obj, "start", report->start_ms);
	set_view_time(obj, "end", report->end_ms);
	sp_json_set_text(obj, "contact", report->contact);
	for (size_t i = 0; i < report->policy_count; i++) {
		sp_json_add(policies, policy_view(&report->policies[i]));
	}
	sp_json_set(obj, "policies", policies);
	sp_json_set_strs(obj, "oddities", report->oddities,
	                 report->oddity_count);
	return obj;
}
