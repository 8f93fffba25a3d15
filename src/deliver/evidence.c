/* SPDX-License-Identifier: Apache-2.0 */
/* Facts to JSON; names as in interface.md section 2. */
#include "base/mem.h"
#include "base/time.h"
#include "deliver/evidence.h"
#include "wire/address.h"

void sp_evidence_verdict(struct sp_json *obj, const struct sp_verdict *v)
{
	char code[32];

	if (!v || v->class == SP_VERDICT_DELIVERED) {
		sp_json_set_null(obj, "code");
		sp_json_set_null(obj, "scenario");
		return;
	}
	sp_verdict_code(v, code, sizeof(code));
	sp_json_set_cstr(obj, "code", code);
	sp_json_set_cstr(obj, "scenario", sp_cause_get(v->cause)->name);
}

static const char *address_text(const struct sp_plan_address *a,
                                char out[SP_ADDR_TEXT])
{
	struct sp_addr addr = {.family = a->family};

	for (size_t i = 0; i < sizeof(addr.bytes); i++) {
		addr.bytes[i] = a->bytes[i];
	}
	sp_addr_text(&addr, out);
	return out;
}

static struct sp_json *addresses_json(const struct sp_plan_host *host)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < host->address_count; i++) {
		const struct sp_plan_address *a = &host->addresses[i];
		struct sp_json *row = sp_json_object();
		char text[SP_ADDR_TEXT];

		sp_json_set_cstr(row, "address", address_text(a, text));
		sp_json_set_cstr(row, "dnssec", sp_dnssec_text(a->dnssec));
		sp_json_add(list, row);
	}
	return list;
}

static struct sp_json *records_json(const struct sp_plan_host *host)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < host->tlsa_count; i++) {
		const struct sp_plan_tlsa_record *r = &host->tlsa[i];
		struct sp_json *row = sp_json_object();
		size_t cap = 2 * r->tlsa.data.len + 1;
		char *hex = sp_alloc(cap);

		sp_str_hex(r->tlsa.data.ptr, r->tlsa.data.len, hex, cap);
		sp_json_set_int(row, "usage", r->tlsa.usage);
		sp_json_set_int(row, "selector", r->tlsa.selector);
		sp_json_set_int(row, "matching", r->tlsa.matching);
		sp_json_set_cstr(row, "data", hex);
		sp_json_set_bool(row, "usable", r->reason == SP_TLSA_USABLE);
		sp_json_set_cstr(row, "reason", sp_tlsa_reason_text(r->reason));
		sp_json_add(list, row);
		sp_free(hex);
	}
	return list;
}

static struct sp_json *tlsa_json(const struct sp_plan_host *host)
{
	struct sp_json *tlsa = sp_json_object();
	bool asked = host->tlsa_answer != SP_TLSA_NOT_ASKED;

	sp_json_set_cstr(tlsa, "dnssec",
	                 asked ? sp_dnssec_text(host->tlsa_dnssec) : NULL);
	sp_json_set_cstr(tlsa, "answer",
	                 sp_tlsa_answer_text(host->tlsa_answer));
	sp_json_set_text(tlsa, "base", host->tlsa_base);
	sp_json_set_text(tlsa, "owner", host->tlsa_owner);
	sp_json_set(tlsa, "records", records_json(host));
	return tlsa;
}

static struct sp_json *aliases_json(const struct sp_plan_host *host)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < host->alias_count; i++) {
		struct sp_json *row = sp_json_object();

		sp_json_set_str(row, "name", host->aliases[i].target);
		sp_json_set_str(row, "owner", host->aliases[i].owner);
		sp_json_set_cstr(row, "dnssec",
		                 sp_dnssec_text(host->aliases[i].dnssec));
		sp_json_add(list, row);
	}
	return list;
}

/* Log-only mode let it through. */
static void set_waived(struct sp_json *obj, const struct sp_verdict *v)
{
	char line[1024];

	if (v->class == SP_VERDICT_DELIVERED) {
		return;
	}
	sp_verdict_line(v, line, sizeof(line));
	sp_json_set_cstr(obj, "would_have_blocked", line);
	sp_json_set_cstr(obj, "would_have_blocked_scenario",
	                 sp_cause_get(v->cause)->name);
}

/* What MTA-STS finds wrong, also where nothing comes of it. */
static void set_sts_found(struct sp_json *obj, const struct sp_verdict *v)
{
	if (v->class == SP_VERDICT_DELIVERED) {
		sp_json_set_null(obj, "scenario");
	} else {
		sp_json_set_cstr(obj, "scenario", sp_cause_get(v->cause)->name);
		sp_json_set_text(obj, "evidence", v->evidence);
	}
}

static const char *sts_text(const struct sp_plan_host *host)
{
	return host->sts == SP_STS_NONE ? NULL : sp_sts_mode_text(host->sts);
}

static void set_host_sts(struct sp_json *obj, const struct sp_plan_host *host)
{
	sp_json_set_cstr(obj, "sts", sts_text(host));
	if (host->sts_found.class != SP_VERDICT_DELIVERED &&
	    host->rule != SP_RULE_SKIP) {
		struct sp_json *found = sp_json_object();

		set_sts_found(found, &host->sts_found);
		sp_json_set(obj, "sts_found", found);
	}
}

static struct sp_json *host_json(const struct sp_plan_host *host)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_str(obj, "name", host->name);
	sp_json_set_int(obj, "preference", host->preference);
	sp_json_set_bool(obj, "implicit", host->implicit);
	sp_json_set(obj, "addresses", addresses_json(host));
	sp_json_set(obj, "tlsa", tlsa_json(host));
	sp_json_set(obj, "aliases", aliases_json(host));
	sp_json_set_cstr(obj, "rule", sp_rule_text(host->rule));
	sp_json_set_cstr(obj, "why", sp_rule_why_text(host->why));
	set_host_sts(obj, host);
	sp_evidence_verdict(obj, &host->verdict);
	sp_json_set_text(obj, "warning", host->warning);
	set_waived(obj, &host->waived);
	sp_json_set_text(obj, "evidence", host->verdict.evidence);
	return obj;
}

static const char *verdict_word(const struct sp_verdict *v)
{
	static const char *const WORDS[] = {
		[SP_VERDICT_DELIVERED] = "deliver",
		[SP_VERDICT_TEMP] = "defer",
		[SP_VERDICT_PERM] = "fail",
	};

	return WORDS[v->class];
}

static struct sp_json *policy_json(const struct sp_sts_kept *kept)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_cstr(obj, "mode", sp_sts_mode_text(kept->policy.mode));
	sp_json_set_str(obj, "id", kept->id);
	sp_json_set_strs(obj, "mx", kept->policy.mx, kept->policy.mx_count);
	sp_json_set_time(obj, "expires", kept->expires_ms);
	return obj;
}

static void set_plan_sts(struct sp_json *obj, const struct sp_plan_sts *sts)
{
	sp_json_set(obj, "sts", sts->known ? policy_json(&sts->policy) : NULL);
	if (sts->trouble != SP_CAUSE_NONE) {
		sp_json_set_cstr(obj, "sts_scenario",
		                 sp_cause_get(sts->trouble)->name);
	}
	if (sts->note.len) {
		sp_json_set_str(obj, "sts_note", sts->note);
	}
}

struct sp_json *sp_evidence_plan(const struct sp_plan *plan)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *mx = sp_json_object();
	struct sp_json *hosts = sp_json_array();

	sp_json_set_str(obj, "domain", plan->domain);
	sp_json_set_cstr(obj, "verdict", verdict_word(&plan->verdict));
	sp_evidence_verdict(obj, &plan->verdict);
	sp_json_set_text(obj, "text", plan->verdict.text);
	sp_json_set_cstr(mx, "dnssec", sp_dnssec_text(plan->mx_dnssec));
	sp_json_set_cstr(mx, "answer", sp_plan_mx_answer_text(plan));
	sp_json_set_text(mx, "why", plan->mx_why);
	sp_json_set(obj, "mx", mx);
	set_plan_sts(obj, &plan->sts);
	for (size_t i = 0; i < plan->host_count; i++) {
		sp_json_add(hosts, host_json(&plan->hosts[i]));
	}
	sp_json_set(obj, "hosts", hosts);
	sp_json_set_text(obj, "warning", plan->warning);
	sp_json_set_text(obj, "evidence", plan->verdict.evidence);
	return obj;
}

static struct sp_json *certificate_json(const struct sp_tls_facts *f)
{
	struct sp_json *cert = sp_json_object();

	sp_json_set_str(cert, "sha256", f->cert_sha256);
	sp_json_set_str(cert, "subject", f->cert_subject);
	sp_json_set_str(cert, "issuer", f->cert_issuer);
	sp_json_set_str(cert, "names", f->cert_names);
	sp_json_set_text(cert, "key", f->key_text);
	sp_json_set_time(cert, "not_before", f->not_before_ms);
	sp_json_set_time(cert, "not_after", f->not_after_ms);
	sp_json_set_bool(cert, "name_matches", f->cert_name_matches);
	return cert;
}

static struct sp_json *match_json(const struct sp_tls_facts *f)
{
	struct sp_json *match = sp_json_object();

	sp_json_set_int(match, "usage", f->matched_usage);
	sp_json_set_int(match, "selector", f->matched_selector);
	sp_json_set_int(match, "matching", f->matched_matching);
	sp_json_set_int(match, "depth", f->matched_depth);
	sp_json_set_str(match, "record", f->matched_record);
	return match;
}

struct sp_json *sp_evidence_tls(const struct sp_tls_facts *f)
{
	struct sp_json *tls = sp_json_object();

	if (!f->handshake_ok) {
		sp_json_set_text(tls, "error", f->error);
		return tls;
	}
	sp_json_set_str(tls, "protocol", f->protocol);
	sp_json_set_str(tls, "cipher", f->cipher);
	sp_json_set_bool(tls, "resumed", f->resumed);
	sp_json_set(tls, "certificate",
	            f->cert_sha256.len ? certificate_json(f) : NULL);
	sp_json_set(tls, "match", f->matched_usage >= 0 ? match_json(f) : NULL);
	if (f->dane_active) {
		sp_json_set_text(tls, "verify", f->verify_text);
	}
	if (f->pki_text.len) { /* MTA-STS: by the public authorities */
		sp_json_set_text(tls, "verify_sts", f->pki_text);
	}
	return tls;
}

static struct sp_json *timings_json(const struct sp_dial_facts *facts)
{
	struct sp_json *t = sp_json_object();
	const struct {
		const char *name;
		int64_t ms;
	} rows[] = {{"connect_ms", facts->connect_ms},
	            {"greeting_ms", facts->greeting_ms},
	            {"tls_ms", facts->tls_ms},
	            {"smtp_ms", facts->smtp_ms}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].ms >= 0) {
			sp_json_set_int(t, rows[i].name, rows[i].ms);
		} else {
			sp_json_set_null(t, rows[i].name);
		}
	}
	return t;
}

/* Null where MTA-STS has no opinion: no policy, or no session to judge. */
static struct sp_json *try_sts_json(const struct sp_plan_host *host,
                                    const struct sp_dial_facts *facts)
{
	const struct sp_verdict *found = &facts->judgement.sts;
	struct sp_json *obj;

	if (!host->sts_watched ||
	    (!facts->tls && found->class == SP_VERDICT_DELIVERED)) {
		return NULL;
	}
	obj = sp_json_object();
	sp_json_set_cstr(obj, "mode",
	                 sts_text(host)); /* null: DANE is in its place */
	set_sts_found(obj, found);
	return obj;
}

struct sp_json *sp_evidence_try(const struct sp_plan_host *host,
                                const struct sp_dial_facts *facts,
                                const struct sp_verdict *verdict, bool reused)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *sts = try_sts_json(host, facts);
	const struct sp_judge_result *j = &facts->judgement;
	char line[1024];

	sp_json_set_str(obj, "host", host->name);
	sp_json_set_cstr(obj, "address", facts->address);
	sp_json_set_int(obj, "port", facts->port);
	sp_json_set_cstr(obj, "rule", sp_rule_text(host->rule));
	sp_json_set_bool(obj, "reused", reused);
	sp_json_set_bool(obj, "clear_retry", facts->clear_retry);
	sp_json_set_text(obj, "peer_name", facts->peer_name);
	sp_json_set_cstr(obj, "security", verdict ? NULL : j->security);
	sp_json_set_bool(obj, "authenticated", !verdict && j->authenticated);
	if (facts->tls_evidence) {
		sp_json_set(obj, "tls", sp_json_share(facts->tls_evidence));
	} else if (facts->handshake_tried) {
		sp_json_set(obj, "tls", sp_evidence_tls(&facts->tls_facts));
	} else {
		sp_json_set_null(obj, "tls");
	}
	if (facts->other_key) {
		sp_json_set(obj, "other_key_tls",
		            sp_evidence_tls(&facts->other_tls));
	}
	if (sts) {
		sp_json_set(obj, "sts", sts);
	}
	sp_json_set_text(obj, "warning", j->warning);
	sp_evidence_verdict(obj, verdict);
	if (verdict) {
		sp_verdict_line(verdict, line, sizeof(line));
		sp_json_set_cstr(obj, "reply", line);
		sp_json_set_text(obj, "evidence", verdict->evidence);
	}
	if (j->waived) {
		set_waived(obj, &j->verdict);
	}
	sp_json_set(obj, "timings", timings_json(facts));
	return obj;
}

struct sp_str sp_evidence_not_tried(const struct sp_pool_failure *failure,
                                    struct sp_arena *arena)
{
	int64_t age_ms = failure->age_ms;
	char age[SP_TIME_TEXT];

	if (failure->cause == SP_CAUSE_HOST_BUSY) {
		return SP_STR("not tried: no place became free in time");
	}
	age_ms -= age_ms > 1000 ? age_ms % 1000 : 0;
	sp_duration_format(age_ms, age);
	return sp_str_from(sp_arena_printf(
		arena, "not tried: it failed %s ago (" SP_STR_FMT ")", age,
		SP_STR_ARG(failure->why)));
}

void sp_evidence_filter(struct sp_json *detail, const struct sp_filter *filter,
                        struct sp_str exception,
                        const struct sp_verdict *waived)
{
	enum sp_waiver waiver = sp_filter_waiver(filter);

	if (filter->log_only) {
		sp_json_set_bool(detail, "enforce", false);
	}
	if (filter->requiretls) {
		sp_json_set_bool(detail, "requiretls", true);
	}
	if (waiver) {
		sp_json_set_cstr(detail, "filter", sp_waiver_text(waiver));
	}
	if (waiver == SP_WAIVER_EXCEPTION) {
		sp_json_set_str(detail, "exception", exception);
	}
	set_waived(detail, waived);
}
