/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_MXPLAN_PRIVATE_H
#define SP_POLICY_MXPLAN_PRIVATE_H

#include "policy/mxplan.h"

/*
 * What the files of the plan share, and nobody else sees:
 *   mxplan.c       the public functions, questions, the MX rows, the end
 *   mxplan_mx.c    from MX records to the list of hosts
 *   mxplan_host.c  one host: address, alias and TLSA rows
 *   mxplan_sts.c   MTA-STS beside DANE
 *   dane.c         usable records, digest agility, names, policy digest
 */

enum sp__ask {
	SP__ASK_MX,
	SP__ASK_A,
	SP__ASK_AAAA,
	SP__ASK_CNAME,
	SP__ASK_DNAME,
	SP__ASK_TLSA,
};

struct sp__question {
	enum sp__ask ask;
	size_t host;                  /* index; not with MX */
	struct sp_str name;           /* arena of the plan */
	struct sp_dns_answer *answer; /* owned; null until answered */
	enum sp_dnssec state;         /* what the answer counts as */
};

enum sp__host_state { /* diagram in mxplan_host.c */
	SP__HOST_ADDRESS,
	SP__HOST_ALIAS,
	SP__HOST_TLSA_EXPANDED,
	SP__HOST_TLSA_ORIGINAL,
	SP__HOST_READY,
};

struct sp__host_work {
	enum sp__host_state state;
	const struct sp__question *a, *aaaa; /* answered; borrowed */
	const struct sp__question *address;  /* the one that decided */
	size_t alias;             /* step being asked about, row 6a */
	struct sp_str expanded;   /* end of a wholly secure alias; or empty */
	bool insecure_no_address; /* row 11, and not proven by DNSSEC */
};

struct sp_plan_work {
	struct sp_plan_conf conf;
	uint64_t seed;
	struct sp__question **questions; /* owned; the id is the index */
	size_t question_count;
	size_t question_room;
	size_t handed_out;           /* questions before it are asked */
	struct sp__host_work *hosts; /* as plan->hosts; arena */
	size_t ready_count;
	bool fixed;      /* a next hop by configuration */
	bool incomplete; /* hosts left out: more are known */
	bool done;
};

/* mxplan.c */
void sp__plan_ask(struct sp_plan *plan, enum sp__ask ask, size_t host,
                  struct sp_str name);
/* A verdict for the whole domain; the plan is done. */
void sp__plan_end(struct sp_plan *plan, enum sp_cause_id cause,
                  struct sp_str evidence);
void sp__plan_host_ready(struct sp_plan *plan);
/* From the hosts to the verdict of the plan; may be called again. */
void sp__plan_conclude(struct sp_plan *plan);
/* Bogus answers: the scenario the resolver found, or dnssec-bogus. */
enum sp_cause_id sp__bogus_cause(const struct sp_plan *plan,
                                 const struct sp_dns_answer *answer);
/* One printable line: the question, and what it says or why it says nothing. */
struct sp_str sp__evidence(struct sp_plan *plan, const struct sp__question *q);
/* The same of the MX question; empty where none was asked. */
struct sp_str sp__evidence_mx(struct sp_plan *plan);
void sp__warn(struct sp_plan *plan, struct sp_str *warning, const char *text);
/* How many of `all` are taken; the cut, and a warning of it, where some are
 * left out. more: there were others before. */
size_t sp__cut(struct sp_plan *plan, size_t all, size_t max, bool more,
               struct sp_plan_cut *cut_out, struct sp_str *warning,
               const char *what);
struct sp_verdict sp__verdict(struct sp_plan *plan, enum sp_cause_id cause,
                              struct sp_str host, struct sp_str evidence);

/* mxplan_mx.c */
bool sp__is_root(struct sp_str name);
bool sp__null_mx(const struct sp_dns_answer *answer);
/* Fills plan->hosts; false when only we ourselves were listed. */
bool sp__hosts_from_mx(struct sp_plan *plan,
                       const struct sp_dns_answer *answer);
/* The one host: the domain itself, or a fixed next hop. */
void sp__hosts_single(struct sp_plan *plan, struct sp_str name, bool implicit);
bool sp__address_dialable(const struct sp_plan_address *address);
bool sp__host_is_self(const struct sp_plan *plan, struct sp_str host);
/* Removes the hosts that are as bad as one with an address of ours; the name
 * of that one, or empty. */
struct sp_str sp__hosts_drop_self(struct sp_plan *plan);

/* mxplan_host.c */
void sp__host_start(struct sp_plan *plan, size_t index);
void sp__host_answer(struct sp_plan *plan, const struct sp__question *q);

/* dane.c */
/* "_25._tcp.<base>", or empty where such a name can't exist. */
struct sp_str sp__tlsa_owner(struct sp_plan *plan, struct sp_str base);
/* Copies the records with their reasons; the count of usable ones. */
size_t sp__dane_records(struct sp_plan *plan, struct sp_plan_host *host,
                        const struct sp_dns_answer *answer);
/* SNI, reference ids and digest, once the rule is known. */
void sp__dane_session(struct sp_plan *plan, struct sp_plan_host *host);

#endif
