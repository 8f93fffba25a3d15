/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_CHECK_H
#define SP_ANALYZE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/step.h"
#include "conf/conf.h"
#include "deliver/lookup.h"
#include "deliver/route.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "policy/mxplan.h"

/*
 * One analysis of one target: the plan that delivery makes, then the parts
 * that were asked for, one after the other, each growing its branch of the
 * tree. The engine is delivery's own (gather, dial, judge); what this layer
 * adds is to look at everything where delivery stops at the first that will
 * do, and to say what it saw.
 */

enum sp_check_test { /* bits; a test brings those it builds on */
	SP_CHECK_DNSSEC = 1 << 0,
	SP_CHECK_DANE = 1 << 1,
	SP_CHECK_SMTP = 1 << 2,
	SP_CHECK_STS = 1 << 3,
	SP_CHECK_TLSRPT = 1 << 4,
	SP_CHECK_SIDE = 1 << 5,      /* SPF, DKIM, DMARC */
	SP_CHECK_RETRY = 1 << 6,     /* what a sender would do with a message */
	SP_CHECK_PREFLIGHT = 1 << 7, /* a certificate that is to come */
};

/* What became of the addresses, as delivery would have met them: by the DANE
 * part, for the one that tells what a sender does. */
struct sp_check_saw {
	bool known;
	struct sp_verdict verdict; /* of a message; class DELIVERED: sent */
	struct sp_json *tries;     /* as in the evidence of an attempt */
};

/* What all parts start from. Borrowed for the analysis. */
struct sp_check_ask {
	struct sp_loop *loop;
	const struct sp_conf *conf;
	struct sp_lookup *lookup;
	struct sp_resolver *resolver;
	struct sp_str target;    /* A-labels, or an address */
	bool is_host;            /* an MX host rather than a domain: no MX is
	                          * looked up */
	unsigned tests;          /* of enum sp_check_test */
	struct sp_str sender;    /* of the probe; empty: the null sender */
	struct sp_str recipient; /* empty: postmaster@target */
	struct sp_str dkim_selector; /* empty: none given */
	struct sp_str new_cert_pem;  /* preflight; one of both, or none */
	struct sp_str new_key_pem;
	int64_t timeout_ms; /* of the whole analysis; 0: none. What is not
	                     * finished by then shows as SKIP, and so does the
	                     * root, unless it is known to fail. */
	int64_t began_ms;   /* mono: from when that counts */
	/* Set by sp_check itself before the parts run: */
	const struct sp_route *route;
	const struct sp_plan *plan;
	struct sp_check_saw *saw; /* what one part leaves for a later one */
};

/*
 * A part: begun with the step it grows below; says once, never from inside
 * _new, that it is done. Freeing it before cancels all that it waits for.
 * Every part has this shape:
 *
 *	struct sp_check_X *sp_check_X_new(const struct sp_check_ask *ask,
 *	                                  struct sp_step *parent,
 *	                                  sp_check_fn *fn, void *arg);
 *	void sp_check_X_free(struct sp_check_X **part);
 */
typedef void sp_check_fn(void *arg);

/* The verdict is copied, tries are taken. */
void sp_check_saw_delivery(const struct sp_check_ask *ask,
                           const struct sp_verdict *verdict,
                           struct sp_json *tries);

struct sp_check;
struct sp_check *sp_check_new(const struct sp_check_ask *ask,
                              struct sp_tree *tree, sp_check_fn *fn, void *arg);
void sp_check_free(struct sp_check **check);

#endif
