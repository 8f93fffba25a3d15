/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * Records, one a line: what is read keeps its limits, a refusal has its
 * reason.
 */
#include <stdint.h>

#include "base/assert.h"
#include "base/err.h"
#include "wire/sender_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str text = sp_str_slice(data, size);
	char spf_why[SP_TXT_FIELD_WHY_MAX] = "";
	char dmarc_why[SP_TXT_FIELD_WHY_MAX] = "";
	struct sp_str records[RECORDS_MAX];
	struct sp_dmarc dmarc;
	struct sp_spf spf;
	size_t count = 0;
	int err;

	while (count < RECORDS_MAX &&
	       sp_str_cut(&text, '\n', &records[count])) {
		count++;
	}
	err = sp_spf_parse(records, count, &spf, spf_why);
	SP_ASSERT((err == 0) == !spf_why[0]);
	SP_ASSERT(err || spf.lookups <= SP_SPF_LOOKUPS_MAX);
	err = sp_dmarc_parse(records, count, &dmarc, dmarc_why);
	SP_ASSERT((err == 0) == !dmarc_why[0]);
	SP_ASSERT(err || dmarc.policy.len >= 4);
	return 0;
}
