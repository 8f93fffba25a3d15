/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_ATTEMPT_H
#define SP_DELIVER_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "deliver/count.h"
#include "deliver/lookup.h"
#include "deliver/plan_cache.h"
#include "deliver/pool.h"
#include "deliver/probed.h"
#include "deliver/sts.h"
#include "policy/filter.h"
#include "policy/verdict.h"
#include "wire/envelope.h"
#include "wire/json.h"

/*
 * One attempt to deliver a message to its recipients in one domain: plan,
 * hosts in order, every address one try, a verdict per recipient
 * (mail-flow sections 1 and 5). A 5xx to a recipient is final, a 4xx goes on
 * to the next host; a host that fails its rule is skipped.
 *
 * A probe is an attempt without a message: hosts and addresses have their
 * turn as they would for one, and the first session that stands under its
 * host's rule counts as a delivery. It ends with QUIT; no MAIL is said, and
 * no idle connection is taken.
 */

struct sp_attempt_ask {
	struct sp_loop *loop;
	const struct sp_conf *conf;
	struct sp_lookup *lookup;
	struct sp_pool *pool;
	struct sp_plan_cache *plans; /* or null */
	struct sp_str domain;
	const struct sp_envelope *envelope; /* sender and parameters */
	const struct sp_envelope_rcpt *rcpts;
	size_t rcpt_count;
	uint64_t size_bytes;
	bool probe; /* instead of a message: envelope, recipients and body
	             * are not looked at, the result has one recipient */
	struct sp_probed *probed;  /* what other probes have found good, and
	                            * this one may rely on and add to; or
	                            * null */
	bool bare;                 /* result.detail is not wanted, and null */
	bool fresh;                /* not the first attempt */
	struct sp_sts_source *sts; /* null: MTA-STS is off */
	const struct sp_sts_row *sts_row; /* of the policy domain, from the
	                                   * store; or null */
	struct sp_str exception; /* why verdicts of TLS are waived for this
	                          * destination now; empty: they are not */
	struct sp_str body;      /* all of it, when inline_body */
	bool inline_body;
	/* Otherwise, and after taken: ask for chunk seq; it comes by
	 * sp_attempt_body. */
	void (*pull)(void *arg, uint32_t seq);
	/* Or null. What there is of the body here may be freed: it waits for
	 * the answer to its end, and would be pulled for another host. */
	void (*taken)(void *arg);
};

struct sp_attempt_rcpt {
	struct sp_verdict verdict;
	bool settled; /* no other host is asked for it */
	bool dsn;     /* delivered to a host that took over NOTIFY */
};

#define SP_ATTEMPT_WAIVED_MAX 16
#define SP_ATTEMPT_KNOWN_MAX  2

/* What the attempt says about the destination as a whole. */
enum sp_attempt_news {
	SP_ATTEMPT_NO_NEWS, /* interrupted, or the reason is ours */
	SP_ATTEMPT_REACHED, /* a session came about, or it has said no */
	SP_ATTEMPT_FAILED,  /* no host could be talked to under its rule */
};

/* Owned by the attempt. */
struct sp_attempt_result {
	const struct sp_attempt_rcpt *rcpts; /* as asked */
	size_t rcpt_count;
	const char *security; /* of the connection that took the message;
	                       * null: none did */
	struct sp_str host;   /* of the last try */
	struct sp_str address;
	struct sp_json *detail; /* evidence; owned; null where it is bare */
	/* Parts of detail whose text is known: the plan, the last handshake. */
	struct sp_json_known known[SP_ATTEMPT_KNOWN_MAX];
	const struct sp_plan *plan; /* the last one; null: none was made */
	bool shared;      /* of a probe: the session was another domain's */
	bool blocked;     /* not delivered, and log-only mode would have let a
	                   * host pass that failed */
	bool interrupted; /* stopped before it could be decided */
	enum sp_waiver waiver; /* what let through what is waived */
	enum sp_cause_id waived[SP_ATTEMPT_WAIVED_MAX]; /* "would have
	                                                 * blocked" */
	size_t waived_count;
	enum sp_attempt_news news;
	const struct sp_count *counts; /* for TLS reports */
	size_t count_count;
};

/* What speaks for the hosts that have failed so far (mail-flow section 5). A
 * host that is skipped, an address that fails: one verdict each. */
struct sp_attempt_fold {
	struct sp_verdict verdict; /* class DELIVERED: none has */
};
void sp_attempt_fold(struct sp_attempt_fold *fold, const struct sp_verdict *v);

struct sp_attempt;

/* Once; the attempt may be freed in it. Never from inside a call. */
typedef void sp_attempt_fn(void *arg, const struct sp_attempt_result *result);

/* All that ask points to is borrowed for the attempt's life. */
struct sp_attempt *sp_attempt_new(const struct sp_attempt_ask *ask,
                                  sp_attempt_fn *fn, void *arg);
void sp_attempt_free(struct sp_attempt **attempt);

/* A chunk that was pulled; bytes are borrowed until the next pull or the
 * end. */
void sp_attempt_body(struct sp_attempt *attempt, struct sp_str bytes,
                     bool last);
/* The chunk can't be had (the queue is away): the attempt is given up. */
void sp_attempt_body_failed(struct sp_attempt *attempt);

/* End soon: what has not begun to send a message is given up at once. */
void sp_attempt_stop(struct sp_attempt *attempt);

/* How long it has kept its place with nothing to show for it, beyond the
 * patience that is set; negative: not so long, or it is sending. Of patience
 * it has at first all, the half once it was hurried, and so on; and so again
 * from the first connection that it dials. */
int64_t sp_attempt_overdue_ms(const struct sp_attempt *attempt, int64_t now_ms);
/* Others need the place: what it waits for counts as having timed out, and
 * the next address or host has its turn. */
void sp_attempt_hurry(struct sp_attempt *attempt);

/* For `sealpost sessions`. */
struct sp_json *sp_attempt_live(const struct sp_attempt *attempt);

#endif
