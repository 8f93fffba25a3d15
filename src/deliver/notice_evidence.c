/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evidence of an attempt (deliver/evidence.c wrote it as JSON) as lines
 * for the administrator who has to find the fault: the servers tried, their
 * certificates, the TLSA records and which of them matched, and what the DNS
 * said. Every value may come from a stranger.
 */
#include <stdarg.h>
#include <stdio.h>

#include "deliver/notice.h"

#define TRIES_MAX    8
#define HOSTS_MAX    8
#define RECORDS_MAX  16
#define VALUE_MAX    800
#define RECORD_BYTES 262144 /* more than an evidence has */

void sp_notice_clean(struct sp_buf *out, struct sp_str text)
{
	for (size_t i = 0; i < text.len && i < VALUE_MAX; i++) {
		char c = text.ptr[i];

		(void)sp_buf_append_char(out, c >= ' ' && c <= '~' ? c : '?');
	}
	if (text.len > VALUE_MAX) {
		(void)sp_buf_append_cstr(out, "...");
	}
}

/* before, the value and after; nothing of it when there is no value. */
static void put(struct sp_buf *out, const char *before, struct sp_str value,
                const char *after)
{
	if (value.len > 0) {
		(void)sp_buf_append_cstr(out, before);
		sp_notice_clean(out, value);
		(void)sp_buf_append_cstr(out, after);
	}
}

static void put_key(struct sp_buf *out, const char *before,
                    const struct sp_json *obj, const char *key,
                    const char *after)
{
	put(out, before, sp_json_get_str(obj, key), after);
}

/* ---- tries ---- */

const struct sp_json *sp_notice_find_try(const struct sp_json *detail,
                                         struct sp_str cause)
{
	const struct sp_json *tries = sp_json_get(detail, "tries");

	for (size_t i = sp_json_len(tries); i > 0; i--) {
		const struct sp_json *try = sp_json_at(tries, i - 1);

		if (sp_str_eq(sp_json_get_str(try, "scenario"), cause)) {
			return try;
		}
	}
	return NULL;
}

static void put_certificate(struct sp_buf *out, const struct sp_json *cert)
{
	put_key(out, "  certificate: sha256 ", cert, "sha256", "\n");
	put_key(out, "    subject ", cert, "subject", "\n");
	put_key(out, "    names ", cert, "names", "\n");
	put_key(out, "    issuer ", cert, "issuer", "\n");
	put_key(out, "    valid from ", cert, "not_before", "");
	put_key(out, " to ", cert, "not_after", "\n");
}

static void put_try(struct sp_buf *out, const struct sp_json *try)
{
	const struct sp_json *tls = sp_json_get(try, "tls");

	put_key(out, "Server ", try, "host", "");
	put_key(out, " [", try, "address", "]");
	put_key(out, ", rule ", try, "rule", "\n");
	put_key(out, "  result: ", try, "reply", "\n");
	put_key(out, "  protected by: ", try, "security", "\n");
	put_key(out, "  TLS failed: ", tls, "error", "\n");
	put_key(out, "  TLS: ", tls, "protocol", "");
	put_key(out, " ", tls, "cipher", "\n");
	put_certificate(out, sp_json_get(tls, "certificate"));
	put_key(out, "  verification: ", tls, "verify", "\n");
	put_key(out, "  why: ", try, "evidence", "\n");
}

static void put_tries(struct sp_buf *out, const struct sp_json *detail)
{
	const struct sp_json *tries = sp_json_get(detail, "tries");
	size_t count = sp_json_len(tries);

	for (size_t i = 0; i < count && i < TRIES_MAX; i++) {
		put_try(out, sp_json_at(tries, i));
	}
	if (count > TRIES_MAX) {
		(void)sp_buf_printf(out, "and %zu more tries\n",
		                    count - TRIES_MAX);
	}
}

/* ---- the plan ---- */

/* What the tries at the host say of its records. */
struct matching {
	bool compared; /* a certificate was seen */
	struct sp_str record;
};

static struct matching find_match(const struct sp_json *detail,
                                  struct sp_str host)
{
	const struct sp_json *tries = sp_json_get(detail, "tries");
	struct matching m = {.compared = false};

	for (size_t i = 0; i < sp_json_len(tries); i++) {
		const struct sp_json *try = sp_json_at(tries, i);
		const struct sp_json *tls = sp_json_get(try, "tls");

		if (!sp_str_eq(sp_json_get_str(try, "host"), host)) {
			continue;
		}
		m.compared = m.compared ||
		             sp_json_is_object(sp_json_get(tls, "certificate"));
		if (sp_json_is_object(sp_json_get(tls, "match"))) {
			m.record = sp_json_get_str(sp_json_get(tls, "match"),
			                           "record");
		}
	}
	return m;
}

static void put_record(struct sp_buf *out, const struct sp_json *record,
                       const struct matching *m)
{
	struct sp_buf text;

	sp_buf_init(&text, RECORD_BYTES);
	(void)sp_buf_printf(&text, "%d %d %d " SP_STR_FMT,
	                    (int)sp_json_get_int(record, "usage", -1),
	                    (int)sp_json_get_int(record, "selector", -1),
	                    (int)sp_json_get_int(record, "matching", -1),
	                    SP_STR_ARG(sp_json_get_str(record, "data")));
	put(out, "  ", sp_buf_str(&text), "");
	if (!sp_json_get_bool(record, "usable")) {
		put_key(out, ": not usable, ", record, "reason", "");
	} else if (sp_str_eq_nocase(sp_buf_str(&text), m->record)) {
		(void)sp_buf_append_cstr(out, ": matched");
	} else if (m->compared) {
		(void)sp_buf_append_cstr(out, ": did not match");
	}
	(void)sp_buf_append_char(out, '\n');
	sp_buf_fini(&text);
}

static void put_tlsa(struct sp_buf *out, const struct sp_json *detail,
                     const struct sp_json *host)
{
	const struct sp_json *tlsa = sp_json_get(host, "tlsa");
	const struct sp_json *records = sp_json_get(tlsa, "records");
	struct matching m = find_match(detail, sp_json_get_str(host, "name"));

	if (sp_json_get_str(tlsa, "dnssec").len == 0) {
		return; /* not asked */
	}
	put_key(out, "TLSA ", tlsa, "owner", "");
	put_key(out, ": ", tlsa, "answer", "");
	put_key(out, ", DNSSEC ", tlsa, "dnssec", "\n");
	for (size_t i = 0; i < sp_json_len(records) && i < RECORDS_MAX; i++) {
		put_record(out, sp_json_at(records, i), &m);
	}
	if (sp_json_len(records) > RECORDS_MAX) {
		(void)sp_buf_printf(out, "  and %zu more records\n",
		                    sp_json_len(records) - RECORDS_MAX);
	}
}

static void put_host(struct sp_buf *out, const struct sp_json *detail,
                     const struct sp_json *host)
{
	if (sp_json_get_str(host, "scenario").len) {
		put_key(out, "Host ", host, "name", "");
		put_key(out, " was not used: ", host, "code", "");
		put_key(out, " ", host, "scenario", "\n");
		put_key(out, "  why: ", host, "evidence", "\n");
	}
	put_tlsa(out, detail, host);
}

static void put_plan(struct sp_buf *out, const struct sp_json *detail)
{
	const struct sp_json *plan = sp_json_get(detail, "plan");
	const struct sp_json *mx = sp_json_get(plan, "mx");
	const struct sp_json *hosts = sp_json_get(plan, "hosts");

	put_key(out, "MX of ", plan, "domain", "");
	put_key(out, ": ", mx, "answer", "");
	put_key(out, ", DNSSEC ", mx, "dnssec", "\n");
	put_key(out,
	        "  why: ", sp_json_get_str(plan, "evidence").len ? plan : mx,
	        sp_json_get_str(plan, "evidence").len ? "evidence" : "why",
	        "\n");
	for (size_t i = 0; i < sp_json_len(hosts) && i < HOSTS_MAX; i++) {
		put_host(out, detail, sp_json_at(hosts, i));
	}
}

void sp_notice_evidence(const struct sp_notice_group *group, struct sp_buf *out)
{
	const struct sp_notice_rcpt *r = group->rcpts[0];

	if (group->detail) {
		put_tries(out, group->detail);
		put_plan(out, group->detail);
	} else if (r->host.len) {
		put(out, "Server ", r->host, "");
		put(out, " [", r->host_address, "]");
	} else {
		(void)sp_buf_append_cstr(out, "There was no attempt.");
	}
}
