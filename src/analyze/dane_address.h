/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_DANE_ADDRESS_H
#define SP_ANALYZE_DANE_ADDRESS_H

#include "analyze/check.h"
#include "analyze/matrix.h"

/*
 * One address of a host under DANE: probed as delivery would, and then for
 * each other key algorithm that the server has; grows the step dane.address
 * with a dane.address.key for each key, and dane.address.exchange. Steps that
 * fail stay open until it is known what delivery makes of all addresses.
 */

#define SP_DANE_ADDRESS_KEYS_MAX (SP_KEY_ALGORITHM_COUNT + 1)

struct sp_dane_address_ask { /* borrowed for its life */
	const struct sp_check_ask *check;
	const struct sp_plan_host *host; /* not one to skip */
	const struct sp_plan_address *address;
	struct sp_step *parent;
};

struct sp_dane_address;

typedef void sp_dane_address_fn(void *arg);

/* fn once, never from inside, when all probes are done. */
struct sp_dane_address *
sp_dane_address_new(const struct sp_dane_address_ask *ask,
                    sp_dane_address_fn *fn, void *arg);
void sp_dane_address_free(struct sp_dane_address **address);

/* Of delivery; class DELIVERED: it would have sent. */
const struct sp_verdict *
sp_dane_address_verdict(const struct sp_dane_address *address);
/* As the evidence of an attempt has a try; borrowed. */
const struct sp_json *
sp_dane_address_try(const struct sp_dane_address *address);
/* One for each chain that was seen. */
const struct sp_matrix *
sp_dane_address_matrices(const struct sp_dane_address *address,
                         size_t *count_out);
/* Ends what is open; what failed shows `level`: WARN where delivery gets by. */
void sp_dane_address_end(struct sp_dane_address *address,
                         enum sp_step_verdict level);

#endif
