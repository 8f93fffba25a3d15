/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_SURVEY_H
#define SP_ANALYZE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "deliver/lookup.h"
#include "deliver/sts.h"
#include "net/loop.h"
#include "wire/pack.h"

/*
 * Many domains, so many at one time: each has the plan that delivery makes,
 * and unless that is all that is asked for, a probe (deliver/attempt.h) in
 * place of a message. What comes out is a row for each domain: what would
 * become of mail to it.
 *
 * The verdict is the one under full enforcement: the caller's configuration
 * has `enforce` set. Verdicts of TLSA, STARTTLS and MTA-STS, which log-only
 * mode would let pass, are marked as blocked: this is the analysis that goes
 * before switching on enforcement.
 *
 * Connections to one address are limited by smtp.max_per_host, divided over
 * worker_count as the pool does it.
 */

#define SP_SURVEY_TEXT_MAX 512 /* of each text in a row; others are cut */

/* Texts are empty where there is nothing to say. */
struct sp_survey_row {
	uint64_t number; /* as added */
	struct sp_str domain;
	bool dnssec; /* the MX answer was validated: the domain is signed */
	struct sp_str mx; /* secure, insecure, bogus, failed */
	int64_t hosts;
	int64_t tlsa_hosts;    /* of them, those with TLSA records that count */
	struct sp_str sts;     /* enforce, testing, none; empty: no policy */
	struct sp_str rule;    /* of the host below */
	struct sp_str verdict; /* deliver, defer, fail; empty: see error */
	struct sp_str code;
	struct sp_str scenario;
	struct sp_str security; /* of the session, as in trace */
	bool shared;  /* the session was another domain's, with the same host,
	               * address and policy */
	bool blocked; /* by enforcement alone */
	struct sp_str host; /* that took part last, or is to blame */
	struct sp_str address;
	struct sp_str evidence;
	int64_t elapsed_ms;
	struct sp_str error; /* why there is no verdict */
};

extern const struct sp_pack_field SP_SURVEY_ROW_FIELDS[];

struct sp_survey_ask { /* all borrowed for the survey's life */
	struct sp_loop *loop;
	const struct sp_conf *conf;
	struct sp_lookup *lookup;
	struct sp_sts_source *sts; /* null: MTA-STS is left out */
	bool dns_only;             /* the plan, and no connection */
	size_t jobs;               /* domains at one time, at least 1 */
	unsigned worker_count;     /* processes that share the limits */
};

/* The row is borrowed for the call. Never from inside sp_survey_add. */
typedef void sp_survey_fn(void *arg, const struct sp_survey_row *row);

struct sp_survey;

struct sp_survey *sp_survey_new(const struct sp_survey_ask *ask,
                                sp_survey_fn *fn, void *arg);
/* What is not finished is dropped without a row. Not from inside fn. */
void sp_survey_free(struct sp_survey **survey);

/* A domain as lower-case A-labels; copied. It begins when a place is free. */
void sp_survey_add(struct sp_survey *survey, uint64_t number,
                   struct sp_str domain);

#endif
