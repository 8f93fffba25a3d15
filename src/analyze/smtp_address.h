/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_SMTP_ADDRESS_H
#define SP_ANALYZE_SMTP_ADDRESS_H

#include "analyze/check.h"

/*
 * The SMTP session with one address of a host, step by step: connection,
 * greeting, EHLO, STARTTLS, MAIL and RCPT for the probe's recipient, whether
 * it relays for anybody, and, for information, what answers at port 587.
 * Grows smtp.address and what stands below it; steps that fail stay open
 * until it is known what delivery makes of all addresses.
 */

struct sp_smtp_address_ask { /* borrowed for its life */
	const struct sp_check_ask *check;
	const struct sp_plan_host *host; /* not one to skip */
	const struct sp_plan_address *address;
	struct sp_str recipient;
	struct sp_str stranger; /* an address of a domain that is not theirs */
	struct sp_step *parent;
};

struct sp_smtp_address;

typedef void sp_smtp_address_fn(void *arg);

/* fn once, never from inside. */
struct sp_smtp_address *
sp_smtp_address_new(const struct sp_smtp_address_ask *ask,
                    sp_smtp_address_fn *fn, void *arg);
void sp_smtp_address_free(struct sp_smtp_address **address);

/* Of delivery, for the recipient: class DELIVERED where it was accepted. */
const struct sp_verdict *
sp_smtp_address_verdict(const struct sp_smtp_address *address);
/* A session stood: the peer has spoken for its host. */
bool sp_smtp_address_ready(const struct sp_smtp_address *address);
/* Ends what is open; what failed shows `level`. */
void sp_smtp_address_end(struct sp_smtp_address *address,
                         enum sp_step_verdict level);

#endif
