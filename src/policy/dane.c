/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TLSA RRset demands of a session: which records count (RFC 7672 3.1,
 * RFC 7671 4 and 9), under which names the certificate may stand (RFC 7672
 * 3.2.3), and the whole as canonical text, by which connections and TLS
 * sessions are told apart.
 *
 * The records are sorted, usable ones first: two answers that differ in
 * order only give the same digest, and the limit never drops a usable record
 * for the sake of an unusable one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "policy/mxplan_private.h"

/* A policy with the longest records the limits allow still fits. */
#define DIGEST_MAX ((size_t)16 * 1024 * 1024)

struct sp_str sp__tlsa_owner(struct sp_plan *plan, struct sp_str base)
{
	struct sp_str owner;

	if (sp__is_root(base)) {
		return (struct sp_str){0};
	}
	owner = sp_str_from(sp_arena_printf(
		&plan->arena, "_%u._tcp." SP_STR_FMT,
		(unsigned)plan->work->conf.port, SP_STR_ARG(base)));
	/* Too long to exist. A base that is no name itself is asked all the
	 * same: the question then fails, and nothing is concluded from it. */
	if (sp_dns_name_valid(base) && !sp_dns_name_valid(owner)) {
		return (struct sp_str){0};
	}
	return owner;
}

/* --- Usable records ------------------------------------------------------- */

static enum sp_tlsa_reason reason(const struct sp_plan_conf *conf,
                                  const struct sp_tlsa *tlsa)
{
	enum sp_tlsa_reason reason = sp_tlsa_check(tlsa, true);

	if (reason == SP_TLSA_USABLE && tlsa->matching == SP_TLSA_FULL &&
	    conf->full_parses != NULL && !conf->full_parses(tlsa)) {
		return SP_TLSA_DATA_UNPARSABLE;
	}
	return reason;
}

/* RFC 7671 9: of a usage and selector only Full and the strongest digest
 * count. A malformed SHA-512 record was found unusable before and does not
 * count as published. */
static void digest_agility(struct sp_plan_tlsa_record *records, size_t count)
{
	bool sha512[256][2] = {{false}};

	for (size_t i = 0; i < count; i++) {
		const struct sp_tlsa *t = &records[i].tlsa;

		if (records[i].reason == SP_TLSA_USABLE &&
		    t->matching == SP_TLSA_SHA512) {
			sha512[t->usage][t->selector & 1] = true;
		}
	}
	for (size_t i = 0; i < count; i++) {
		const struct sp_tlsa *t = &records[i].tlsa;

		if (records[i].reason == SP_TLSA_USABLE &&
		    t->matching == SP_TLSA_SHA256 &&
		    sha512[t->usage][t->selector & 1]) {
			records[i].reason = SP_TLSA_WEAKER_DIGEST;
		}
	}
}

static int reason_order(enum sp_tlsa_reason reason)
{
	if (reason == SP_TLSA_USABLE) {
		return 0;
	}
	return reason == SP_TLSA_WEAKER_DIGEST ? 1 : 2;
}

static int record_cmp(const void *a, const void *b)
{
	const struct sp_plan_tlsa_record *x = a, *y = b;
	int order = reason_order(x->reason) - reason_order(y->reason);

	return order != 0 ? order : sp_tlsa_cmp(&x->tlsa, &y->tlsa);
}

static size_t unique(struct sp_plan_tlsa_record *records, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || record_cmp(&records[kept - 1], &records[i])) {
			records[kept++] = records[i];
		}
	}
	return kept;
}

static size_t usable_count(const struct sp_plan_host *host)
{
	size_t count = 0;

	while (count < host->tlsa_count &&
	       host->tlsa[count].reason == SP_TLSA_USABLE) {
		count++;
	}
	return count;
}

size_t sp__dane_records(struct sp_plan *plan, struct sp_plan_host *host,
                        const struct sp_dns_answer *answer)
{
	const struct sp_plan_conf *conf = &plan->work->conf;
	size_t count = answer->record_count;
	struct sp_plan_tlsa_record *records;

	records = sp_arena_array(&plan->arena, count, sizeof(*records));
	for (size_t i = 0; i < count; i++) {
		records[i].tlsa = answer->records[i].tlsa;
		records[i].reason = reason(conf, &records[i].tlsa);
	}
	digest_agility(records, count);
	qsort(records, count, sizeof(*records), record_cmp);
	count = unique(records, count);
	host->tlsa = records;
	host->tlsa_count =
		sp__cut(plan, count, conf->tlsa_max, answer->cut,
	                &host->tlsa_cut, &host->warning, "TLSA records");
	return usable_count(host);
}

/* --- Names ------------------------------------------------------------------
 */

static void add_name(struct sp_plan_host *host, struct sp_str name)
{
	for (size_t i = 0; i < host->reference_id_count; i++) {
		if (sp_str_eq_nocase(host->reference_ids[i], name)) {
			return;
		}
	}
	host->reference_ids[host->reference_id_count++] = name;
}

/* RFC 7672 3.2.3. Names that came by an insecure MX vouch for nothing: the
 * base alone stands there. */
static void reference_ids(struct sp_plan *plan, struct sp_plan_host *host)
{
	host->reference_ids =
		sp_arena_array(&plan->arena, 3, sizeof(*host->reference_ids));
	host->reference_id_count = 0;
	add_name(host, host->tlsa_base);
	if (plan->work->fixed) {
		add_name(host, host->name);
	} else if (plan->mx_dnssec == SP_DNSSEC_SECURE) {
		add_name(host, plan->domain);
		add_name(host, plan->expanded);
	}
}

/* --- The policy as text ------------------------------------------------------
 */

static void append_records(struct sp_buf *buf, const struct sp_plan_host *host,
                           struct sp_arena *arena)
{
	const char *comma = "";

	(void)sp_buf_append_cstr(buf, " tlsa=");
	for (size_t i = 0; i < usable_count(host); i++) {
		const struct sp_tlsa *t = &host->tlsa[i].tlsa;
		size_t cap = 2 * t->data.len + 1;
		char *hex = sp_arena_alloc(arena, cap);

		sp_str_hex(t->data.ptr, t->data.len, hex, cap);
		(void)sp_buf_printf(buf, "%s%u.%u.%u.%s", comma, t->usage,
		                    t->selector, t->matching, hex);
		comma = ",";
	}
}

static bool names_matter(const struct sp_plan_host *host)
{
	for (size_t i = 0; i < usable_count(host); i++) {
		if (host->tlsa[i].tlsa.usage == SP_TLSA_DANE_TA) {
			return true;
		}
	}
	return false;
}

static int name_cmp(const void *a, const void *b)
{
	return sp_str_cmp(*(const struct sp_str *)a, *(const struct sp_str *)b);
}

static void append_names(struct sp_buf *buf, const struct sp_plan_host *host,
                         struct sp_arena *arena)
{
	size_t count = host->reference_id_count;
	struct sp_str *names = sp_arena_array(arena, count, sizeof(*names));
	const char *comma = "";

	for (size_t i = 0; i < count; i++) {
		names[i] = host->reference_ids[i];
	}
	qsort(names, count, sizeof(*names), name_cmp);
	(void)sp_buf_append_cstr(buf, " names=");
	for (size_t i = 0; i < count; i++) {
		(void)sp_buf_printf(buf, "%s" SP_STR_FMT, comma,
		                    SP_STR_ARG(names[i]));
		comma = ",";
	}
}

/* The name that a certificate must have is the host's own. A session of which
 * MTA-STS only gives its opinion is another one as well: without it, there is
 * nothing to report. */
static void append_sts(struct sp_buf *buf, const struct sp_plan *plan,
                       const struct sp_plan_host *host)
{
	if (host->sts_watched) {
		(void)sp_buf_printf(buf,
		                    " sts=%s:" SP_STR_FMT " name=" SP_STR_FMT,
		                    sp_sts_mode_text(host->sts),
		                    SP_STR_ARG(plan->sts.policy.id),
		                    SP_STR_ARG(host->name));
	}
}

static struct sp_str digest(struct sp_plan *plan,
                            const struct sp_plan_host *host, bool dane)
{
	struct sp_arena scratch;
	struct sp_str text;
	struct sp_buf buf;

	sp_arena_init(&scratch);
	sp_buf_init(&buf, DIGEST_MAX);
	(void)sp_buf_printf(
		&buf, "rule=%s%s port=%u sni=" SP_STR_FMT,
		sp_rule_text(host->rule), host->mandatory ? " mandatory" : "",
		(unsigned)plan->work->conf.port, SP_STR_ARG(host->sni));
	if (dane) {
		append_records(&buf, host, &scratch);
		if (names_matter(host)) {
			append_names(&buf, host, &scratch);
		}
	}
	append_sts(&buf, plan, host);
	SP_ASSERT(sp_buf_error(&buf) == 0);
	text = sp_arena_str(&plan->arena, sp_buf_str(&buf));
	sp_buf_fini(&buf);
	sp_arena_fini(&scratch);
	return text;
}

void sp__dane_session(struct sp_plan *plan, struct sp_plan_host *host)
{
	bool dane =
		host->rule == SP_RULE_DANE || host->rule == SP_RULE_HALF_DANE;

	host->sni = dane ? host->tlsa_base : host->name;
	if (host->literal) {
		host->sni = (struct sp_str){0};
	}
	if (dane) {
		reference_ids(plan, host);
	}
	host->digest = digest(plan, host, dane);
}
