/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the plan and what they mean, from tables. */
#include "cmd/plan_text.h"
#include "cmd/text.h"

struct meaning {
	const char *word;
	const char *text;
};

static const struct meaning RULES[] = {
	{"dane", "TLS, and the certificate must match a TLSA record"},
	{"half-dane", "TLS, and the certificate must match a TLSA record; "
                      "the MX records themselves are not signed"},
	{"encrypt", "TLS, whatever the certificate"},
	{"opportunistic", "TLS if it is offered, else clear text; no DANE: "
                          "nothing checks who reads the mail"},
	{"skip", "not used"},
	{NULL, NULL},
};

/* The same where the host's MTA-STS policy is enforced. */
static const struct meaning ENFORCED[] = {
	{"dane", "TLS, and the certificate must match a TLSA record"},
	{"half-dane",
         "TLS, and the certificate must match a TLSA record and be "
         "one that MTA-STS trusts"},
	{"encrypt", "TLS, with a certificate that a known authority issued for "
                    "this name (MTA-STS)"},
	{"opportunistic",
         "TLS, with a certificate that a known authority issued "
         "for this name (MTA-STS)"},
	{"skip", "not used"},
	{NULL, NULL},
};

static const struct meaning REASONS[] = {
	{"tlsa", "usable TLSA records are published"},
	{"all-unusable", "TLSA records are published, none is usable"},
	{"insecure-mx", "TLSA records are published, the MX is not signed"},
	{"route", "a route of the configuration says so"},
	{"sts", "the domain has an MTA-STS policy"},
	{NULL, NULL},
};

static const struct meaning VERDICTS[] = {
	{"deliver", "mail can be delivered"},
	{"defer", "mail waits: nothing is sent until this is mended"},
	{"fail", "mail is returned at once"},
	{NULL, NULL},
};

static const struct meaning MX_ANSWERS[] = {
	{"records", "records found"},
	{"nodata", "none: the domain itself is its mail host"},
	{"nxdomain", "the domain does not exist"},
	{"null-mx", "null MX: the domain takes no mail (RFC 7505)"},
	{"none", "no answer that counts"},
	{NULL, NULL},
};

static const struct meaning TLSA_ANSWERS[] = {
	{"records", "records found"},        {"nodata", "none"},
	{"nxdomain", "none (no such name)"}, {"none", "no answer that counts"},
	{"not-asked", "not asked"},          {NULL, NULL},
};

static struct sp_str meaning_of(const struct meaning *rows, struct sp_str word)
{
	for (; rows->word; rows++) {
		if (sp_str_eq(word, sp_str_from(rows->word))) {
			return sp_str_from(rows->text);
		}
	}
	return word;
}

struct sp_str sp_plan_rule_meaning(const struct sp_json *host)
{
	struct sp_str rule = sp_json_get_str(host, "rule");
	bool enforced =
		sp_str_eq(sp_json_get_str(host, "sts"), SP_STR("enforce"));

	return meaning_of(enforced ? ENFORCED : RULES, rule);
}

void sp_put(FILE *f, const char *before, struct sp_str text, const char *after)
{
	if (text.len) {
		fputs(before, f);
		sp_text_put(f, text);
		fputs(after, f);
	}
}

/* "key: text" on a line of its own. */
static void put_line(FILE *f, int indent, const char *key, struct sp_str text)
{
	if (text.len) {
		fprintf(f, "%*s%s: ", indent, "", key);
		sp_text_put(f, text);
		fputc('\n', f);
	}
}

static void put_records(FILE *f, int indent, const struct sp_json *records)
{
	for (size_t i = 0; i < sp_json_len(records); i++) {
		const struct sp_json *r = sp_json_at(records, i);
		struct sp_str data = sp_json_get_str(r, "data");

		fprintf(f, "%*s%lld %lld %lld ", indent, "",
		        (long long)sp_json_get_int(r, "usage", -1),
		        (long long)sp_json_get_int(r, "selector", -1),
		        (long long)sp_json_get_int(r, "matching", -1));
		sp_text_put(f, sp_str_sub(data, 0, 32));
		fputs(data.len > 32 ? "..." : "", f);
		fputs(sp_json_get_bool(r, "usable") ? "  usable" : "", f);
		sp_put(f, "  not usable: ", sp_json_get_str(r, "reason"), "");
		fputc('\n', f);
	}
}

static void put_tlsa(FILE *f, int indent, const struct sp_json *tlsa)
{
	struct sp_str answer = sp_json_get_str(tlsa, "answer");

	fprintf(f, "%*sTLSA: ", indent, "");
	sp_text_put(f, meaning_of(TLSA_ANSWERS, answer));
	sp_put(f, ", ", sp_json_get_str(tlsa, "dnssec"), "");
	sp_put(f, ", at ", sp_json_get_str(tlsa, "owner"), "");
	fputc('\n', f);
	put_records(f, indent + 2, sp_json_get(tlsa, "records"));
}

static void put_addresses(FILE *f, int indent, const struct sp_json *host)
{
	const struct sp_json *addresses = sp_json_get(host, "addresses");
	const struct sp_json *aliases = sp_json_get(host, "aliases");

	for (size_t i = 0; i < sp_json_len(aliases); i++) {
		const struct sp_json *a = sp_json_at(aliases, i);

		fprintf(f, "%*salias ", indent, "");
		sp_text_put(f, sp_json_get_str(a, "owner"));
		sp_put(f, " to ", sp_json_get_str(a, "name"), "");
		sp_put(f, ": ", sp_json_get_str(a, "dnssec"), "\n");
	}
	for (size_t i = 0; i < sp_json_len(addresses); i++) {
		const struct sp_json *a = sp_json_at(addresses, i);

		fprintf(f, "%*saddress ", indent, "");
		sp_text_put(f, sp_json_get_str(a, "address"));
		sp_put(f, ": ", sp_json_get_str(a, "dnssec"), "\n");
	}
}

static const struct meaning STS_MODES[] = {
	{"enforce", "enforced: the certificate must be a public authority's, "
                    "for the host's name"},
	{"testing", "only being tested: failures are reported, not acted upon"},
	{"none", "says that there is none"},
	{NULL, NULL},
};

static void put_sts(FILE *f, int indent, const struct sp_json *plan)
{
	const struct sp_json *sts = sp_json_get(plan, "sts");
	const struct sp_json *mx = sp_json_get(sts, "mx");
	struct sp_str mode = sp_json_get_str(sts, "mode");

	if (mode.len) {
		fprintf(f, "%*sMTA-STS: ", indent, "");
		sp_text_put(f, mode);
		sp_put(f, ", ", meaning_of(STS_MODES, mode), "");
		sp_put(f, "; id ", sp_json_get_str(sts, "id"), "");
		sp_put(f, ", until ", sp_json_get_str(sts, "expires"), "");
		fputc('\n', f);
		for (size_t i = 0; i < sp_json_len(mx); i++) {
			fprintf(f, "%*smx ", indent + 2, "");
			sp_text_put(f, sp_json_str(sp_json_at(mx, i)));
			fputc('\n', f);
		}
	}
	put_line(f, indent, "MTA-STS trouble",
	         sp_json_get_str(plan, "sts_scenario"));
	put_line(f, indent, "MTA-STS note", sp_json_get_str(plan, "sts_note"));
}

static void put_host(FILE *f, int indent, const struct sp_json *host)
{
	struct sp_str rule = sp_json_get_str(host, "rule");
	struct sp_str why = sp_json_get_str(host, "why");
	struct sp_str code = sp_json_get_str(host, "code");

	fprintf(f, "%*shost ", indent, "");
	sp_text_put(f, sp_json_get_str(host, "name"));
	fprintf(f, ", preference %lld%s\n",
	        (long long)sp_json_get_int(host, "preference", 0),
	        sp_json_get_bool(host, "implicit") ? " (implicit)" : "");
	indent += 2;
	fprintf(f, "%*srule ", indent, "");
	sp_text_put(f, rule);
	sp_put(f, ": ", sp_plan_rule_meaning(host), "");
	if (!sp_str_eq(why, SP_STR("none"))) {
		sp_put(f, " (", meaning_of(REASONS, why), ")");
	}
	fputc('\n', f);
	if (code.len) {
		fprintf(f, "%*scode ", indent, "");
		sp_text_put(f, code);
		sp_put(f, ", ", sp_json_get_str(host, "scenario"), "");
		fputc('\n', f);
	}
	put_line(f, indent, "MTA-STS", sp_json_get_str(host, "sts"));
	put_line(f, indent, "MTA-STS, only noted",
	         sp_json_get_str(sp_json_get(host, "sts_found"), "evidence"));
	put_line(f, indent, "log-only, would have been",
	         sp_json_get_str(host, "would_have_blocked"));
	put_line(f, indent, "evidence", sp_json_get_str(host, "evidence"));
	put_line(f, indent, "warning", sp_json_get_str(host, "warning"));
	put_addresses(f, indent, host);
	put_tlsa(f, indent, sp_json_get(host, "tlsa"));
}

void sp_plan_put(FILE *f, const struct sp_json *plan, int indent)
{
	const struct sp_json *mx = sp_json_get(plan, "mx");
	const struct sp_json *hosts = sp_json_get(plan, "hosts");
	struct sp_str verdict = sp_json_get_str(plan, "verdict");

	fprintf(f, "%*s", indent, "");
	sp_text_put(f, sp_json_get_str(plan, "domain"));
	sp_put(f, ": ", verdict, "");
	sp_put(f, " - ", meaning_of(VERDICTS, verdict), "\n");
	indent += 2;
	if (sp_json_get_str(plan, "code").len) {
		fprintf(f, "%*s", indent, "");
		sp_put(f, "", sp_json_get_str(plan, "code"), " ");
		sp_put(f, "", sp_json_get_str(plan, "text"), "");
		sp_put(f, " [Scenario=", sp_json_get_str(plan, "scenario"),
		       "]");
		fputc('\n', f);
	}
	put_line(f, indent, "evidence", sp_json_get_str(plan, "evidence"));
	put_line(f, indent, "warning", sp_json_get_str(plan, "warning"));
	fprintf(f, "%*sMX: ", indent, "");
	sp_text_put(f, meaning_of(MX_ANSWERS, sp_json_get_str(mx, "answer")));
	sp_put(f, ", ", sp_json_get_str(mx, "dnssec"), "");
	sp_put(f, ": ", sp_json_get_str(mx, "why"), "");
	fputc('\n', f);
	put_sts(f, indent, plan);
	for (size_t i = 0; i < sp_json_len(hosts); i++) {
		put_host(f, indent, sp_json_at(hosts, i));
	}
}
