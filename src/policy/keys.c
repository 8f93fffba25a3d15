/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only a record with the whole certificate or key of the server tells the
 * kind of the key. A digest could be of any, and an authority may sign keys
 * of every kind.
 */
#include "policy/keys.h"

enum sp_key_kind sp_keys_first(const struct sp_plan_host *host)
{
	enum sp_key_kind kind = SP_KEY_ANY;

	for (size_t i = 0; i < host->tlsa_count; i++) {
		const struct sp_plan_tlsa_record *record = &host->tlsa[i];
		enum sp_key_kind own = sp_key_kind_of_record(&record->tlsa);

		if (record->reason != SP_TLSA_USABLE) {
			continue;
		}
		if (own == SP_KEY_ANY || (kind != SP_KEY_ANY && own != kind)) {
			return SP_KEY_ANY;
		}
		kind = own;
	}
	return kind;
}

enum sp_key_kind sp_keys_other(const struct sp_plan_host *host,
                               enum sp_key_kind seen)
{
	static const enum sp_key_kind others[] = {
		[SP_KEY_ANY] = SP_KEY_ANY,
		[SP_KEY_RSA] = SP_KEY_EC,
		[SP_KEY_EC] = SP_KEY_RSA,
	};

	for (size_t i = 0; i < host->tlsa_count; i++) {
		const struct sp_plan_tlsa_record *record = &host->tlsa[i];

		if (record->reason == SP_TLSA_USABLE &&
		    sp_key_kind_of_record(&record->tlsa) != seen) {
			return others[seen];
		}
	}
	return SP_KEY_ANY;
}
