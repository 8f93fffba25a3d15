/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_VERDICT_H
#define SP_POLICY_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/cause.h"
#include "wire/reply.h"

/*
 * What became of an attempt, for a host or for a recipient: a value filled
 * by the callee, one per attempt. Either a cause of ours or a reply of the
 * peer; its strings live in the arena of the attempt.
 */

enum sp_verdict_class {
	SP_VERDICT_DELIVERED,
	SP_VERDICT_TEMP, /* defer: 4.x.y */
	SP_VERDICT_PERM, /* fail now: 5.x.y */
};

struct sp_verdict {
	enum sp_verdict_class class;
	enum sp_cause_id cause; /* NONE when delivered; REMOTE_REPLY for
	                         * a reply of the peer */
	unsigned code;          /* basic reply code */
	struct sp_enhanced enhanced;
	struct sp_str text; /* behind the codes, one line */
	struct sp_str host; /* culprit or last host; may be empty */
	struct sp_str address;
	struct sp_str evidence; /* one line for trace and report */
	bool at_envelope;       /* peer's reply to MAIL, RCPT or DATA */
};

/* A verdict of ours: TEMP, or PERM where the cause is permanent at once. */
struct sp_verdict sp_verdict_from_cause(enum sp_cause_id cause_id,
                                        struct sp_str domain,
                                        struct sp_str reason,
                                        struct sp_arena *arena);

/* A verdict from a peer's reply at the given stage (cause REMOTE_REPLY):
 * keeps its code, and its enhanced code if consistent, else X.0.0. */
struct sp_verdict sp_verdict_from_reply(const struct sp_reply *reply,
                                        bool at_envelope,
                                        struct sp_arena *arena);

/* The one that speaks for the message when several hosts failed (mail-flow
 * section 5): a peer's reply to envelope or data first, then by rank. */
const struct sp_verdict *sp_verdict_worse(const struct sp_verdict *a,
                                          const struct sp_verdict *b);

/* The same verdict made temporary: a permanent one of ours where another host
 * may still take the message. A peer's own reply stays as it is. */
struct sp_verdict sp_verdict_defer(const struct sp_verdict *v);

/* The same verdict made permanent: what a message shows at expiry. */
struct sp_verdict sp_verdict_expire(const struct sp_verdict *v);

/* A copy whose strings are in the arena. */
struct sp_verdict sp_verdict_keep(struct sp_arena *arena,
                                  const struct sp_verdict *v);

/* "450 4.7.323 tlsa-invalid: ..." and "4.7.323", NUL-terminated. */
void sp_verdict_line(const struct sp_verdict *v, char *out, size_t cap);
void sp_verdict_code(const struct sp_verdict *v, char *out, size_t cap);

#endif
