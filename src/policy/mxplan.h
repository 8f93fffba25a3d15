/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_MXPLAN_H
#define SP_POLICY_MXPLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/cause.h"
#include "policy/sts.h"
#include "policy/verdict.h"
#include "wire/dns.h"
#include "wire/tlsa.h"

/*
 * From DNS facts to an ordered list of hosts, each with the rule that binds
 * it: RFC 5321 5.1, RFC 7672 2 and 3, and every row of mail-flow section 3.
 * The one place where facts become a decision, and pure: it says which
 * questions it needs answered, is given the answers in any order, and asks a
 * TLSA question only where a row allows it. No clock, no sockets, no
 * randomness but the seed.
 *
 *   plan = sp_plan_new(&conf, domain, seed);
 *   while (sp_plan_next(plan, &question)) ask(question);
 *   on each answer: sp_plan_answer(plan, question.id, &answer); next again;
 *   sp_plan_done(plan): what DNS and DANE say of the hosts is final;
 *   sp_plan_join_sts(plan, &choice): where the domain has an MTA-STS policy.
 */

enum sp_insecure_mx { /* mail-flow row 18 */
	SP_INSECURE_MX_DANE,
	SP_INSECURE_MX_ENCRYPT,
	SP_INSECURE_MX_MAY,
};

enum sp_dane_mode { /* of a route */
	SP_DANE_OPPORTUNISTIC,
	SP_DANE_MANDATORY,
	SP_DANE_OFF,
};

enum sp_profile {
	SP_PROFILE_RFC,
	SP_PROFILE_EXCHANGE
};

struct sp_plan_conf {
	enum sp_dane_mode dane;
	enum sp_insecure_mx insecure_mx;
	uint16_t port;                /* dialled, and in the TLSA owner */
	struct sp_str fixed_next_hop; /* host of a route "[host]": no MX lookup,
	                               * as good as a secure MX; empty: MX */
	/* Is this one of our own names or addresses (RFC 5321 5.1)? Asked for
	 * MX host names and, as text, for their addresses; null: nothing is.
	 * Not asked for a fixed next hop. */
	bool (*is_self)(void *arg, struct sp_str host);
	void *is_self_arg;
	/* The resolver's self-test failed: every secure or insecure answer is
	 * taken as failed where DANE depends on it. */
	bool validator_broken;
	size_t hosts_max;     /* further MX hosts are ignored */
	size_t addresses_max; /* per host */
	size_t tlsa_max;      /* records used per host */
	/* Does a Full record's data parse as certificate (selector 0) or key
	 * (selector 1)? Null: taken as parsing. Must be pure. */
	bool (*full_parses)(const struct sp_tlsa *tlsa);
};

enum sp_rule { /* words as in interface.md */
	SP_RULE_SKIP,
	SP_RULE_OPPORTUNISTIC,
	SP_RULE_ENCRYPT,
	SP_RULE_HALF_DANE,
	SP_RULE_DANE,
};

enum sp_rule_why {
	SP_WHY_NONE,
	SP_WHY_TLSA,
	SP_WHY_ALL_UNUSABLE,
	SP_WHY_INSECURE_MX,
	SP_WHY_ROUTE,
	SP_WHY_STS,
};

const char *sp_rule_text(enum sp_rule rule);
const char *sp_rule_why_text(enum sp_rule_why why);

struct sp_plan_question {
	unsigned id;        /* of this plan; hand it back with the answer */
	struct sp_str name; /* borrowed from the plan */
	enum sp_dns_type type;
};

/* What of a list was taken, where that is not all of it; else all zero. */
struct sp_plan_cut {
	size_t taken; /* the limit */
	size_t left_out;
	bool more; /* at least so many: the resolver has left out some, which
	            * nobody counted */
};

struct sp_plan_address {
	uint8_t family; /* 4 or 6 */
	uint8_t bytes[16];
	enum sp_dnssec dnssec;
};

struct sp_plan_tlsa_record {
	struct sp_tlsa tlsa;
	enum sp_tlsa_reason reason; /* SP_TLSA_USABLE or why not */
};

enum sp_tlsa_answer { /* words of interface.md: policy --json */
	SP_TLSA_NOT_ASKED,
	SP_TLSA_RECORDS,
	SP_TLSA_NODATA,
	SP_TLSA_NXDOMAIN,
	SP_TLSA_NONE, /* bogus or failed */
};
const char *sp_tlsa_answer_text(enum sp_tlsa_answer answer);

struct sp_plan_host {
	struct sp_str name; /* MX host name as published */
	uint16_t preference;
	bool implicit; /* the domain itself (RFC 5321 5.1) */
	bool literal;  /* an address literal: never DANE */
	struct sp_plan_address *addresses; /* in the order to dial */
	size_t address_count;
	struct sp_plan_cut address_cut;
	struct sp_dns_alias *aliases; /* of the host name, with their states */
	size_t alias_count;

	enum sp_tlsa_answer tlsa_answer;
	enum sp_dnssec tlsa_dnssec;
	struct sp_str tlsa_base;  /* RFC 7671 7: where the records stood */
	struct sp_str tlsa_owner; /* "_25._tcp.<base>" */
	struct sp_plan_tlsa_record *tlsa; /* all published, with reasons */
	size_t tlsa_count;
	struct sp_plan_cut tlsa_cut;

	enum sp_rule rule;
	enum sp_rule_why why;
	struct sp_verdict verdict; /* why skipped; class DELIVERED: not */
	struct sp_str warning;     /* e.g. insecure TLSA answer; or empty */
	const char *row;           /* of mail-flow section 3, that decided */
	bool mandatory;            /* the route demands DANE: nothing that
	                            * log-only could waive (filter.h) */
	bool waivable;             /* skipped for its TLSA only; the
	                            * addresses are good */
	struct sp_verdict waived;  /* set by sp_filter_plan: would have been
	                            * skipped; else class DELIVERED */

	/* By sp_plan_join_sts: */
	enum sp_sts_mode sts;        /* what binds this host; NONE: no policy,
	                              * or DANE in its place */
	bool sts_watched;            /* there is a policy: its own judgement
	                              * of each session is wanted, also where
	                              * it does not bind */
	struct sp_verdict sts_found; /* what it finds wrong with the host
	                              * itself, also where nothing comes of
	                              * it; else class DELIVERED */

	/* What the session must check, ready for use: */
	struct sp_str sni;            /* TLSA base with DANE, else host name;
	                               * empty for literals */
	struct sp_str *reference_ids; /* RFC 7672 3.2.3, count for usage 2
	                               * only; set with rule (half-)dane */
	size_t reference_id_count;
	/* Complete policy in canonical text: same text, same policy; the key
	 * of connection reuse and TLS resumption. */
	struct sp_str digest;
};

/* The domain's MTA-STS policy, as the plan obeys it. */
struct sp_plan_sts {
	bool known; /* a policy applies, be it of mode none */
	struct sp_sts_kept policy;
	bool fetched;             /* just now */
	bool awaited;             /* sp_plan_await_sts */
	enum sp_cause_id trouble; /* why a newer one could not be had */
	struct sp_str note;       /* one line; or empty */
};

struct sp_plan {
	struct sp_arena arena; /* owns everything below */
	struct sp_str domain;

	/* Valid when done: */
	struct sp_verdict verdict; /* class DELIVERED: deliver by hosts */
	const char *row;           /* of the MX answer; "fixed", "literal" */
	enum sp_dnssec mx_dnssec;  /* SECURE with a fixed next hop */
	enum sp_dns_result mx_result;
	bool null_mx;
	struct sp_str mx_why;       /* reason of bogus or failed */
	struct sp_str expanded;     /* domain after its aliases */
	struct sp_plan_host *hosts; /* in the order of delivery */
	size_t host_count;
	struct sp_plan_cut host_cut; /* of the MX hosts that are better than
	                              * ourselves */
	struct sp_str warning;
	uint32_t ttl_s; /* shortest of all answers used; 0 where one was bogus
	                 * or missing */
	struct sp_plan_sts sts;

	struct sp_plan_work *work; /* private */
};

/* Converts domain to A-labels; what is no domain gives a plan that is done
 * with the cause bad-domain. The limits and the port of conf must not be 0.
 * conf is copied, fixed_next_hop too. */
struct sp_plan *sp_plan_new(const struct sp_plan_conf *conf,
                            struct sp_str domain, uint64_t seed);
void sp_plan_free(struct sp_plan **plan);

/* The next question not yet handed out; false when none is at the moment
 * (all asked, or done). */
bool sp_plan_next(struct sp_plan *plan, struct sp_plan_question *question_out);

/* Takes the answer (nulls the pointer). An unknown or repeated id aborts. An
 * answer to another question than the one with that id counts as failed. */
void sp_plan_answer(struct sp_plan *plan, unsigned id,
                    struct sp_dns_answer **answer);

/* The resolver's self-test turned out to have failed: from here on as with
 * conf.validator_broken. Before the first answer is given. */
void sp_plan_distrust(struct sp_plan *plan);

bool sp_plan_done(const struct sp_plan *plan);

/* Once, when the plan is done, and before the filter: RFC 8461 4 and 5, under
 * RFC 8461 2 (DANE goes first) and mail-flow section 3. The choice is
 * copied. */
void sp_plan_join_sts(struct sp_plan *plan, const struct sp_sts_choice *choice);

/* In its place where a policy may be announced that is not there yet, and
 * nobody can wait for it now: no host is used, and mail comes up again
 * (host-busy). */
void sp_plan_await_sts(struct sp_plan *plan);

/* Would another MTA-STS policy let the host pass, which has failed with this
 * cause? */
bool sp_plan_sts_blamed(const struct sp_plan_host *host,
                        enum sp_cause_id cause);

/* "mail-flow" words of the MX answer for JSON: records, nodata, nxdomain,
 * null-mx, none. */
const char *sp_plan_mx_answer_text(const struct sp_plan *plan);

#endif
