/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One MX host: from its addresses to the rule that binds it. RFC 7672 2.2
 * and mail-flow section 3, whose rows are the tables below.
 *
 *   ADDRESS ──(A and AAAA answered; address rows)
 *      │ ├─ secure, by a secure alias ──▶ TLSA_EXPANDED ─┐
 *      │ ├─ secure, no alias ───────────▶ TLSA_ORIGINAL  │ no TLSA at the
 *      │ ├─ insecure by alias ──▶ ALIAS ──▶ TLSA_ORIGINAL│ expanded name
 *      │ │                          │             ▲      │
 *      │ │                          │             └──────┘
 *      ▼ ▼                          ▼
 *      READY ◀──────────────────────┴── TLSA_EXPANDED, TLSA_ORIGINAL
 *
 * Invariants
 * - TLSA is asked only from ask_tlsa(), which only the rows ASK_TLSA and a
 *   secure alias answer reach: never for insecure addresses without a secure
 *   alias, for literals, the root, or with DANE off.
 * - An error at the expanded name skips the host; it never leads to the
 *   original name.
 * - conclude_host() is the only way to READY: there the route's demands are
 *   applied, and a skipped host always has a verdict.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/rand.h"
#include "policy/mxplan_private.h"

/* --- States -------------------------------------------------------------- */

static const unsigned legal[] = {
	[SP__HOST_ADDRESS] =
		1u << SP__HOST_ALIAS | 1u << SP__HOST_TLSA_EXPANDED |
		1u << SP__HOST_TLSA_ORIGINAL | 1u << SP__HOST_READY,
	[SP__HOST_ALIAS] = 1u << SP__HOST_TLSA_ORIGINAL | 1u << SP__HOST_READY,
	[SP__HOST_TLSA_EXPANDED] =
		1u << SP__HOST_TLSA_ORIGINAL | 1u << SP__HOST_READY,
	[SP__HOST_TLSA_ORIGINAL] = 1u << SP__HOST_READY,
	[SP__HOST_READY] = 0,
};

static void goto_state(struct sp__host_work *hw, enum sp__host_state next)
{
	SP_ASSERT(legal[hw->state] & (1u << next));
	hw->state = next;
}

/* --- The end of a host -----------------------------------------------------
 */

struct outcome {
	const char *row;
	enum sp_rule rule;
	enum sp_rule_why why;
	enum sp_cause_id cause; /* with SKIP */
	struct sp_str evidence;
	bool waivable;
};

/* What is missing for DANE, where the plan could go on without it. */
static struct sp_str missing(struct sp_plan *plan, size_t index,
                             struct sp_str evidence)
{
	const struct sp_plan_host *host = &plan->hosts[index];
	struct sp_str mx = sp__evidence_mx(plan);

	if (plan->mx_dnssec != SP_DNSSEC_SECURE && mx.len > 0) {
		return mx;
	}
	if (host->literal) {
		return sp_str_from(sp_arena_printf(
			&plan->arena, SP_STR_FMT " is an address literal",
			SP_STR_ARG(host->name)));
	}
	return evidence.len > 0 ? evidence : host->warning;
}

/* A mandatory route takes DANE and nothing less (RFC 7672 6). */
static void apply_mandatory(struct sp_plan *plan, size_t index,
                            struct outcome *o)
{
	const struct sp__host_work *hw = &plan->work->hosts[index];
	bool unproven =
		hw->insecure_no_address || plan->mx_dnssec != SP_DNSSEC_SECURE;

	if (plan->work->conf.dane != SP_DANE_MANDATORY ||
	    o->rule == SP_RULE_DANE) {
		return;
	}
	o->waivable = false;
	if (o->rule != SP_RULE_SKIP) {
		o->evidence = missing(plan, index, o->evidence);
	}
	if (o->rule != SP_RULE_SKIP ||
	    (unproven && o->cause == SP_CAUSE_NO_ADDRESSES)) {
		o->rule = SP_RULE_SKIP;
		o->why = SP_WHY_ROUTE;
		o->cause = SP_CAUSE_DANE_REQUIRED;
	}
}

static void conclude_host(struct sp_plan *plan, size_t index, struct outcome o)
{
	struct sp_plan_host *host = &plan->hosts[index];

	apply_mandatory(plan, index, &o);
	host->row = o.row;
	host->rule = o.rule;
	host->why = o.why;
	if (o.rule == SP_RULE_SKIP) {
		SP_ASSERT(o.cause != SP_CAUSE_NONE);
		host->verdict =
			sp__verdict(plan, o.cause, host->name, o.evidence);
		host->waivable = o.waivable;
	}
	sp__dane_session(plan, host);
	goto_state(&plan->work->hosts[index], SP__HOST_READY);
	sp__plan_host_ready(plan);
}

/* No DANE for this host: row 3, 4, 6, 19, or a route that turned it off. q
 * is the question that decided, or null. */
static void conclude_plain(struct sp_plan *plan, size_t index, const char *row,
                           const struct sp__question *q)
{
	bool off = plan->work->conf.dane == SP_DANE_OFF;

	conclude_host(plan, index,
	              (struct outcome){
			      .row = row,
			      .rule = SP_RULE_OPPORTUNISTIC,
			      .why = off ? SP_WHY_ROUTE : SP_WHY_NONE,
			      .evidence = q != NULL ? sp__evidence(plan, q)
	                                            : (struct sp_str){0},
		      });
}

/* --- TLSA rows --------------------------------------------------------------
 */

enum tlsa_said {
	TLSA_USABLE,   /* secure, at least one usable record */
	TLSA_UNUSABLE, /* secure, none usable */
	TLSA_DENIED,   /* NODATA or NXDOMAIN, secure or insecure */
	TLSA_INSECURE, /* records nobody signed */
	TLSA_ERROR,    /* bogus or failed */
};

#define ANY_SETTING (-1)

/* Column TLSA; the first row that fits. insecure_mx "may" has no row: there
 * TLSA is not asked, since the answer could only hold back mail that may go
 * in clear text anyway. */
static const struct tlsa_row {
	const char *row;
	enum sp_dnssec mx;
	enum tlsa_said said;
	int insecure_mx; /* enum sp_insecure_mx or ANY_SETTING */
	enum sp_rule rule;
	enum sp_rule_why why;
	const char *warning;
} tlsa_rows[] = {
	{"1", SP_DNSSEC_SECURE, TLSA_USABLE, ANY_SETTING, SP_RULE_DANE,
         SP_WHY_TLSA, NULL},
	{"2", SP_DNSSEC_SECURE, TLSA_UNUSABLE, ANY_SETTING, SP_RULE_ENCRYPT,
         SP_WHY_ALL_UNUSABLE, "no TLSA record is usable"},
	{"3", SP_DNSSEC_SECURE, TLSA_DENIED, ANY_SETTING, SP_RULE_OPPORTUNISTIC,
         SP_WHY_NONE, NULL},
	{"4", SP_DNSSEC_SECURE, TLSA_INSECURE, ANY_SETTING,
         SP_RULE_OPPORTUNISTIC, SP_WHY_NONE,
         "TLSA records without DNSSEC have no effect"},
	{"5", SP_DNSSEC_SECURE, TLSA_ERROR, ANY_SETTING, SP_RULE_SKIP,
         SP_WHY_NONE, NULL},
	{"18", SP_DNSSEC_INSECURE, TLSA_USABLE, SP_INSECURE_MX_DANE,
         SP_RULE_HALF_DANE, SP_WHY_INSECURE_MX, NULL},
	{"18", SP_DNSSEC_INSECURE, TLSA_USABLE, SP_INSECURE_MX_ENCRYPT,
         SP_RULE_ENCRYPT, SP_WHY_INSECURE_MX, NULL},
	{"18", SP_DNSSEC_INSECURE, TLSA_UNUSABLE, ANY_SETTING, SP_RULE_ENCRYPT,
         SP_WHY_ALL_UNUSABLE, "no TLSA record is usable"},
	{"18", SP_DNSSEC_INSECURE, TLSA_DENIED, ANY_SETTING,
         SP_RULE_OPPORTUNISTIC, SP_WHY_NONE, NULL},
	{"18", SP_DNSSEC_INSECURE, TLSA_INSECURE, ANY_SETTING,
         SP_RULE_OPPORTUNISTIC, SP_WHY_NONE,
         "TLSA records without DNSSEC have no effect"},
	{"18a", SP_DNSSEC_INSECURE, TLSA_ERROR, ANY_SETTING, SP_RULE_SKIP,
         SP_WHY_NONE, NULL},
};

static const struct tlsa_row *tlsa_row_find(const struct sp_plan *plan,
                                            enum tlsa_said said)
{
	int setting = (int)plan->work->conf.insecure_mx;

	for (size_t i = 0; i < sizeof(tlsa_rows) / sizeof(*tlsa_rows); i++) {
		const struct tlsa_row *row = &tlsa_rows[i];

		if (row->mx == plan->mx_dnssec && row->said == said &&
		    (row->insecure_mx == ANY_SETTING ||
		     row->insecure_mx == setting)) {
			return row;
		}
	}
	SP_ASSERT(!"every TLSA answer has its row");
	return NULL;
}

/* A lookup that failed is named by the first that fits: what the resolver
 * found, or else the response code. */
static const struct failed_row {
	const char *scenario; /* null: any */
	int rcode;            /* -1: any */
	enum sp_cause_id cause;
} failed_rows[] = {
	{"tlsa-servfail", -1, SP_CAUSE_TLSA_SERVFAIL},
	{"tlsa-timeout", -1, SP_CAUSE_TLSA_TIMEOUT},
	{"dns-servfail", -1, SP_CAUSE_TLSA_SERVFAIL},
	{"dns-timeout", -1, SP_CAUSE_TLSA_TIMEOUT},
	{"", 2, SP_CAUSE_TLSA_SERVFAIL},
	{NULL, -1, SP_CAUSE_TLSA_FAILED},
};

/* Every failure of a TLSA lookup is 324, whatever its nature. */
static enum sp_cause_id tlsa_cause(const struct sp_plan *plan,
                                   const struct sp__question *q)
{
	enum sp_cause_id dnssec = sp__bogus_cause(plan, q->answer);
	const struct failed_row *row = failed_rows;

	if (q->state == SP_DNSSEC_BOGUS || dnssec != SP_CAUSE_DNSSEC_BOGUS) {
		return dnssec;
	}
	while ((row->scenario != NULL &&
	        !sp_str_eq(q->answer->scenario, sp_str_from(row->scenario))) ||
	       (row->rcode >= 0 && row->rcode != q->answer->rcode)) {
		row++;
	}
	return row->cause;
}

static struct sp_str join(struct sp_plan *plan, struct sp_str first,
                          const char *then)
{
	return sp_str_from(sp_arena_printf(&plan->arena, SP_STR_FMT "%s",
	                                   SP_STR_ARG(first), then));
}

static void conclude_tlsa(struct sp_plan *plan, const struct sp__question *q,
                          enum tlsa_said said)
{
	struct sp_plan_host *host = &plan->hosts[q->host];
	const struct tlsa_row *row = tlsa_row_find(plan, said);
	struct outcome o = {
		.row = row->row,
		.rule = row->rule,
		.why = row->why,
		.evidence = sp__evidence(plan, q),
	};

	if (row->warning != NULL) {
		sp__warn(plan, &host->warning, row->warning);
	}
	if (row->rule == SP_RULE_SKIP) {
		o.cause = tlsa_cause(plan, q);
		o.waivable = true;
	} else if (said == TLSA_UNUSABLE) {
		o.evidence = join(plan, o.evidence, ", none of them usable");
	}
	conclude_host(plan, q->host, o);
}

/* --- Asking TLSA
 * -------------------------------------------------------------- */

static bool ask_at(struct sp_plan *plan, size_t index, struct sp_str base)
{
	struct sp_plan_host *host = &plan->hosts[index];
	struct sp_str owner = sp__tlsa_owner(plan, base);

	if (owner.len == 0) {
		return false;
	}
	host->tlsa_base = base;
	host->tlsa_owner = owner;
	sp__plan_ask(plan, SP__ASK_TLSA, index, owner);
	return true;
}

static void ask_tlsa_original(struct sp_plan *plan, size_t index)
{
	struct sp_plan_host *host = &plan->hosts[index];

	if (ask_at(plan, index, host->name)) {
		goto_state(&plan->work->hosts[index], SP__HOST_TLSA_ORIGINAL);
		return;
	}
	/* No such name can exist, hence no record: row 3. */
	sp__warn(plan, &host->warning, "host name too long for TLSA records");
	conclude_plain(plan, index, "3", NULL);
}

static void ask_tlsa(struct sp_plan *plan, size_t index)
{
	struct sp__host_work *hw = &plan->work->hosts[index];

	if (hw->expanded.len > 0 && ask_at(plan, index, hw->expanded)) {
		goto_state(hw, SP__HOST_TLSA_EXPANDED);
		return;
	}
	ask_tlsa_original(plan, index);
}

static const enum sp_tlsa_answer answer_word[] = {
	[SP_DNS_NONE] = SP_TLSA_NONE,
	[SP_DNS_RECORDS] = SP_TLSA_RECORDS,
	[SP_DNS_NODATA] = SP_TLSA_NODATA,
	[SP_DNS_NXDOMAIN] = SP_TLSA_NXDOMAIN,
};

/* Takes the answer into the host, and says what it amounts to. */
static enum tlsa_said take_tlsa(struct sp_plan *plan,
                                const struct sp__question *q)
{
	struct sp_plan_host *host = &plan->hosts[q->host];

	host->tlsa_dnssec = q->state;
	if (q->state > SP_DNSSEC_INSECURE) {
		host->tlsa_answer = SP_TLSA_NONE;
		return TLSA_ERROR;
	}
	host->tlsa_answer = answer_word[q->answer->result];
	if (q->answer->result != SP_DNS_RECORDS) {
		return TLSA_DENIED;
	}
	if (sp__dane_records(plan, host, q->answer) > 0 &&
	    q->state == SP_DNSSEC_SECURE) {
		return TLSA_USABLE;
	}
	return q->state == SP_DNSSEC_SECURE ? TLSA_UNUSABLE : TLSA_INSECURE;
}

static void answer_tlsa(struct sp_plan *plan, const struct sp__question *q)
{
	struct sp__host_work *hw = &plan->work->hosts[q->host];
	struct sp_plan_host *host = &plan->hosts[q->host];
	enum tlsa_said said = take_tlsa(plan, q);

	if (hw->state == SP__HOST_TLSA_EXPANDED &&
	    (said == TLSA_DENIED || said == TLSA_INSECURE)) {
		if (said == TLSA_INSECURE) {
			sp__warn(plan, &host->warning,
			         "TLSA records without DNSSEC at the end of "
			         "the alias have no effect");
		}
		host->tlsa = NULL;
		host->tlsa_count = 0;
		ask_tlsa_original(plan, q->host);
		return;
	}
	conclude_tlsa(plan, q, said);
}

/* --- Row 6a: the state of the alias itself
 * ------------------------------------
 *
 * A step by DNAME takes the names below the host along: what would be TLSA at
 * the original name stands where the DNAME leads. So the step that counts is
 * the first by CNAME, and without one the TLSA owner is as insecure as the
 * addresses, and must not be asked. For a step by DNAME we ask the DNAME:
 * libunbound 1.17 finds a question for CNAME below a secure DNAME bogus when
 * the target is unsigned.
 */

static void ask_alias(struct sp_plan *plan, size_t index)
{
	const struct sp_plan_host *host = &plan->hosts[index];
	const struct sp__host_work *hw = &plan->work->hosts[index];
	const struct sp_dns_alias *alias = &host->aliases[hw->alias];

	if (alias->dname.len > 0) {
		sp__plan_ask(plan, SP__ASK_DNAME, index, alias->dname);
	} else {
		sp__plan_ask(plan, SP__ASK_CNAME, index, alias->owner);
	}
}

static void secure_alias(struct sp_plan *plan, const struct sp__question *q)
{
	struct sp__host_work *hw = &plan->work->hosts[q->host];
	struct sp_plan_host *host = &plan->hosts[q->host];

	host->aliases[hw->alias].dnssec = SP_DNSSEC_SECURE;
	if (q->ask == SP__ASK_CNAME || q->answer->result != SP_DNS_RECORDS) {
		ask_tlsa_original(plan, q->host);
	} else if (++hw->alias < host->alias_count &&
	           !sp__is_root(host->aliases[hw->alias].owner)) {
		ask_alias(plan, q->host);
	} else {
		conclude_plain(plan, q->host, "6a", hw->address);
	}
}

static void answer_alias(struct sp_plan *plan, const struct sp__question *q)
{
	struct outcome o = {
		.row = "6a",
		.rule = SP_RULE_SKIP,
		.evidence = sp__evidence(plan, q),
	};

	switch (q->state) {
	case SP_DNSSEC_SECURE:
		secure_alias(plan, q);
		return;
	case SP_DNSSEC_INSECURE:
		conclude_plain(plan, q->host, "6a", q);
		return;
	case SP_DNSSEC_BOGUS:
		o.cause = sp__bogus_cause(plan, q->answer);
		break;
	case SP_DNSSEC_FAILED:
		o.cause = plan->work->conf.validator_broken
		                  ? SP_CAUSE_RESOLVER_NOT_VALIDATING
		                  : SP_CAUSE_ALIAS_LOOKUP_FAILED;
		/* The addresses are good; only TLSA hangs on this answer. A
		 * bogus one speaks against the addresses too. */
		o.waivable = true;
		break;
	}
	conclude_host(plan, q->host, o);
}

/* --- Address rows
 * ---------------------------------------------------------------- */

enum address_said { /* of a family, and of the host; best first */
	ADDRESS_SECURE,
	ADDRESS_INSECURE,
	ADDRESS_BOGUS,
	ADDRESS_FAILED,
	ADDRESS_NONE, /* NODATA, NXDOMAIN */
};

enum address_action {
	ASK_TLSA,
	ASK_ALIAS,
	NO_DANE,
	SKIP
};

#define ANY_ALIAS (-1)

/* Column A/AAAA; the first row that fits. Rows 7 and 8 are in the order of
 * enum address_said: the better family speaks for the host. */
static const struct address_row {
	const char *row;
	enum sp_dnssec mx;
	enum address_said said;
	int alias; /* 0, 1 or ANY_ALIAS */
	enum address_action action;
	enum sp_cause_id cause; /* with SKIP; NONE: by the answer */
} address_rows[] = {
	{"1-5", SP_DNSSEC_SECURE, ADDRESS_SECURE, ANY_ALIAS, ASK_TLSA,
         SP_CAUSE_NONE},
	{"6", SP_DNSSEC_SECURE, ADDRESS_INSECURE, 0, NO_DANE, SP_CAUSE_NONE},
	{"6a", SP_DNSSEC_SECURE, ADDRESS_INSECURE, 1, ASK_ALIAS, SP_CAUSE_NONE},
	{"9", SP_DNSSEC_SECURE, ADDRESS_BOGUS, ANY_ALIAS, SKIP, SP_CAUSE_NONE},
	{"10", SP_DNSSEC_SECURE, ADDRESS_FAILED, ANY_ALIAS, SKIP,
         SP_CAUSE_ADDRESS_LOOKUP_FAILED},
	{"11", SP_DNSSEC_SECURE, ADDRESS_NONE, ANY_ALIAS, SKIP,
         SP_CAUSE_NO_ADDRESSES},
	{"18", SP_DNSSEC_INSECURE, ADDRESS_SECURE, ANY_ALIAS, ASK_TLSA,
         SP_CAUSE_NONE},
	{"19", SP_DNSSEC_INSECURE, ADDRESS_INSECURE, ANY_ALIAS, NO_DANE,
         SP_CAUSE_NONE},
	{"19", SP_DNSSEC_INSECURE, ADDRESS_BOGUS, ANY_ALIAS, SKIP,
         SP_CAUSE_NONE},
	{"19", SP_DNSSEC_INSECURE, ADDRESS_FAILED, ANY_ALIAS, SKIP,
         SP_CAUSE_ADDRESS_LOOKUP_FAILED},
	{"19", SP_DNSSEC_INSECURE, ADDRESS_NONE, ANY_ALIAS, SKIP,
         SP_CAUSE_NO_ADDRESSES},
};

static const struct address_row *
address_row_find(const struct sp_plan *plan, enum address_said said, bool alias)
{
	for (size_t i = 0; i < sizeof(address_rows) / sizeof(*address_rows);
	     i++) {
		const struct address_row *row = &address_rows[i];

		if (row->mx == plan->mx_dnssec && row->said == said &&
		    (row->alias == ANY_ALIAS || row->alias == (int)alias)) {
			return row;
		}
	}
	SP_ASSERT(!"every pair of address answers has its row");
	return NULL;
}

/* The addresses of one family in random order; the count. */
static size_t collect(const struct sp__question *q, uint64_t *rand,
                      struct sp_plan_address *out)
{
	size_t count = 0, size = q->ask == SP__ASK_A ? 4 : 16;

	if (q->state > SP_DNSSEC_INSECURE ||
	    q->answer->result != SP_DNS_RECORDS) {
		return 0;
	}
	for (size_t i = 0; i < q->answer->record_count; i++) {
		struct sp_plan_address address = {
			.family = q->ask == SP__ASK_A ? 4 : 6,
			.dnssec = q->state,
		};
		size_t k;

		memcpy(address.bytes, q->answer->records[i].address, size);
		if (!sp__address_dialable(&address)) {
			continue;
		}
		k = (size_t)sp_rand_below(rand, count + 1);
		out[count++] = out[k];
		out[k] = address;
	}
	return count;
}

static bool known(const struct sp_plan_host *host,
                  const struct sp_plan_address *address)
{
	for (size_t i = 0; i < host->address_count; i++) {
		if (host->addresses[i].family == address->family &&
		    memcmp(host->addresses[i].bytes, address->bytes, 16) == 0) {
			return true;
		}
	}
	return false;
}

static void append(struct sp_plan_host *host,
                   const struct sp_plan_address *address, size_t max)
{
	if (host->address_count < max && !known(host, address)) {
		host->addresses[host->address_count++] = *address;
	}
}

static int address_cmp(const void *a, const void *b)
{
	const struct sp_plan_address *x = a, *y = b;

	return memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

/* How many different ones there are, of one family; sorts them. */
static size_t distinct(struct sp_plan_address *addresses, size_t count)
{
	size_t different = count > 0;

	qsort(addresses, count, sizeof(*addresses), address_cmp);
	for (size_t i = 1; i < count; i++) {
		different += address_cmp(&addresses[i - 1], &addresses[i]) != 0;
	}
	return different;
}

/* Families in turn, IPv6 first: one that does not work costs one attempt,
 * and the limit never takes a whole family away. */
static void take_addresses(struct sp_plan *plan, size_t index)
{
	const struct sp__host_work *hw = &plan->work->hosts[index];
	struct sp_plan_host *host = &plan->hosts[index];
	size_t max = plan->work->conf.addresses_max, count4, count6;
	uint64_t rand = plan->work->seed ^ sp_hash_stable(host->name);
	size_t room4 = hw->a->answer->record_count;
	size_t room6 = hw->aaaa->answer->record_count;
	struct sp_plan_address *v4, *v6;

	v4 = sp_arena_array(&plan->arena, room4 + 1, sizeof(*v4));
	v6 = sp_arena_array(&plan->arena, room6 + 1, sizeof(*v6));
	count4 = collect(hw->a, &rand, v4);
	count6 = collect(hw->aaaa, &rand, v6);
	host->addresses = sp_arena_array(&plan->arena, count4 + count6 + 1,
	                                 sizeof(*host->addresses));
	for (size_t i = 0; i < count4 || i < count6; i++) {
		if (i < count6) {
			append(host, &v6[i], max);
		}
		if (i < count4) {
			append(host, &v4[i], max);
		}
	}
	(void)sp__cut(plan, distinct(v4, count4) + distinct(v6, count6), max,
	              hw->a->answer->cut || hw->aaaa->answer->cut,
	              &host->address_cut, &host->warning, "addresses");
}

static bool has_family(const struct sp_plan_host *host, uint8_t family)
{
	for (size_t i = 0; i < host->address_count; i++) {
		if (host->addresses[i].family == family) {
			return true;
		}
	}
	return false;
}

static enum address_said family_said(const struct sp_plan_host *host,
                                     const struct sp__question *q)
{
	switch (q->state) {
	case SP_DNSSEC_BOGUS:
		return ADDRESS_BOGUS;
	case SP_DNSSEC_FAILED:
		return ADDRESS_FAILED;
	case SP_DNSSEC_SECURE:
	case SP_DNSSEC_INSECURE:
		break;
	}
	if (!has_family(host, q->ask == SP__ASK_A ? 4 : 6)) {
		return ADDRESS_NONE;
	}
	return q->state == SP_DNSSEC_SECURE ? ADDRESS_SECURE : ADDRESS_INSECURE;
}

/* The alias the deciding family came by, if it did. */
static void take_aliases(struct sp_plan *plan, const struct sp__question *q,
                         enum address_said said)
{
	struct sp__host_work *hw = &plan->work->hosts[q->host];
	struct sp_plan_host *host = &plan->hosts[q->host];
	const struct sp_dns_answer *answer = q->answer;

	hw->address = q;
	host->aliases = answer->aliases;
	host->alias_count = answer->alias_count;
	if (said == ADDRESS_SECURE && answer->alias_count > 0) {
		hw->expanded = answer->canonical;
		if (hw->expanded.len == 0) {
			hw->expanded =
				answer->aliases[answer->alias_count - 1].target;
		}
		if (sp_str_eq_nocase(hw->expanded, host->name)) {
			hw->expanded = (struct sp_str){0};
		}
	}
}

static void skip_address(struct sp_plan *plan, size_t index,
                         const struct address_row *row,
                         const struct sp__question *q)
{
	struct sp__host_work *hw = &plan->work->hosts[index];
	struct outcome o = {
		.row = row->row,
		.rule = SP_RULE_SKIP,
		.cause = row->cause,
		.evidence = sp__evidence(plan, q),
	};
	const struct sp__question *other = q == hw->a ? hw->aaaa : hw->a;

	/* Both families: each could have given an address. */
	o.evidence = join(plan, o.evidence, "; ");
	o.evidence = join(plan, o.evidence, sp__evidence(plan, other).ptr);
	hw->insecure_no_address = hw->a->state != SP_DNSSEC_SECURE ||
	                          hw->aaaa->state != SP_DNSSEC_SECURE;
	if (row->cause == SP_CAUSE_NONE) {
		o.cause = sp__bogus_cause(plan, q->answer);
	} else if (row->said == ADDRESS_FAILED &&
	           plan->work->conf.validator_broken) {
		o.cause = SP_CAUSE_RESOLVER_NOT_VALIDATING;
	}
	conclude_host(plan, index, o);
}

/* Does the table's question make sense here at all? */
static bool dane_possible(const struct sp_plan *plan)
{
	const struct sp_plan_conf *conf = &plan->work->conf;

	return conf->dane != SP_DANE_OFF &&
	       !(plan->mx_dnssec == SP_DNSSEC_INSECURE &&
	         conf->insecure_mx == SP_INSECURE_MX_MAY);
}

static void decide_address(struct sp_plan *plan, size_t index)
{
	struct sp__host_work *hw = &plan->work->hosts[index];
	struct sp_plan_host *host = &plan->hosts[index];
	enum address_said a, aaaa, said;
	const struct sp__question *q;
	const struct address_row *row;

	take_addresses(plan, index);
	a = family_said(host, hw->a);
	aaaa = family_said(host, hw->aaaa);
	q = aaaa < a ? hw->aaaa : hw->a;
	said = aaaa < a ? aaaa : a;
	take_aliases(plan, q, said);
	row = address_row_find(plan, said, host->alias_count > 0);
	if (row->action == SKIP) {
		skip_address(plan, index, row, q);
	} else if (row->action == NO_DANE || !dane_possible(plan)) {
		conclude_plain(plan, index, row->row, q);
	} else if (row->action == ASK_ALIAS) {
		goto_state(hw, SP__HOST_ALIAS);
		ask_alias(plan, index);
	} else {
		ask_tlsa(plan, index);
	}
}

/* --- In and out
 * -------------------------------------------------------------------- */

static void start_literal(struct sp_plan *plan, size_t index)
{
	struct outcome o = {
		.row = "11",
		.rule = SP_RULE_SKIP,
		.cause = SP_CAUSE_NO_ADDRESSES,
	};

	if (plan->hosts[index].address_count > 0) {
		conclude_plain(plan, index, "literal", NULL);
		return;
	}
	plan->work->hosts[index].insecure_no_address = true;
	conclude_host(plan, index, o);
}

void sp__host_start(struct sp_plan *plan, size_t index)
{
	struct sp_plan_host *host = &plan->hosts[index];

	if (host->literal) {
		start_literal(plan, index);
		return;
	}
	sp__plan_ask(plan, SP__ASK_A, index, host->name);
	sp__plan_ask(plan, SP__ASK_AAAA, index, host->name);
}

void sp__host_answer(struct sp_plan *plan, const struct sp__question *q)
{
	struct sp__host_work *hw = &plan->work->hosts[q->host];

	switch (q->ask) {
	case SP__ASK_MX:
		SP_ASSERT(!"MX belongs to the plan");
		return;
	case SP__ASK_A:
		hw->a = q;
		break;
	case SP__ASK_AAAA:
		hw->aaaa = q;
		break;
	case SP__ASK_CNAME:
	case SP__ASK_DNAME:
		answer_alias(plan, q);
		return;
	case SP__ASK_TLSA:
		answer_tlsa(plan, q);
		return;
	}
	if (hw->a != NULL && hw->aaaa != NULL) {
		decide_address(plan, q->host);
	}
}
