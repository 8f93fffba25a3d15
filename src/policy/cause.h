/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_CAUSE_H
#define SP_POLICY_CAUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/*
 * The table of causes: every way in which a delivery can fail, with its
 * enhanced status code (RFC 3463), the exact text, the stable scenario name,
 * the RFC 8460 4.3 result type, and what to tell people. Reply, trace,
 * report and analyzer read this table and nothing else; cause.def is the
 * table itself.
 */

enum sp_culprit { /* who has to act */
	SP_CULPRIT_NONE,
	SP_CULPRIT_DESTINATION, /* the destination domain's administrator */
	SP_CULPRIT_SENDER,      /* the sender: address, size, content */
	SP_CULPRIT_US,          /* the operator of this server */
	SP_CULPRIT_NETWORK,
};

enum sp_cause_id {
	SP_CAUSE_NONE,
#define SP_CAUSE(id, ...) SP_CAUSE_##id,
#include "policy/cause.def"
#undef SP_CAUSE
	SP_CAUSE_COUNT,
};

struct sp_cause {
	enum sp_cause_id id;
	const char *name; /* scenario, such as "tlsa-mismatch" */
	unsigned subject; /* the 7 and 323 of 4.7.323 */
	unsigned detail;
	unsigned temp_code; /* basic reply code while queued, 450 or 451 */
	unsigned perm_code; /* at expiry or at once: 550, 556 */
	bool at_once;       /* permanent at the first attempt */
	const char *text;   /* after the code; "<domain>" and "<reason>"
	                     * are replaced (sp_cause_text) */
	const char *tlsrpt; /* RFC 8460 result type, or null: not TLS */
	int rank;           /* of several failed hosts the highest speaks;
	                     * section 5 of mail-flow */
	enum sp_culprit culprit;
	const char *meaning; /* one sentence for people */
	const char *action;  /* the steps, separated by "\n" */
};

/* Never null: an id out of range gives the entry of SP_CAUSE_NONE. */
const struct sp_cause *sp_cause_get(enum sp_cause_id id);
/* SP_CAUSE_NONE when no cause has that name. */
enum sp_cause_id sp_cause_find(struct sp_str name);

/* The text with its placeholders filled; NUL-terminated in out. */
void sp_cause_text(const struct sp_cause *cause, struct sp_str domain,
                   struct sp_str reason, char *out, size_t cap);

#endif
