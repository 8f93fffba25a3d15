/* SPDX-License-Identifier: Apache-2.0 */
/* layer: net */
/*
 * The bytes are a packet of one name server. Whatever is read must keep its
 * promises: names in the form of wire/dns.h, and records that can be compared
 * with each other and written as the parent's DS line. Its signatures are tried
 * with its own keys.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/dns_seen.h"
#include "net/dns_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1790000000000)
#define PAIRS  8 /* of records are compared */
#define TRIES  4 /* signatures */

static void demand(bool kept)
{
	if (!kept) {
		abort();
	}
}

static void look_at(const struct sp_seen_record *r, struct sp_arena *arena)
{
	char words[24];

	demand(sp_dns_name_valid(r->owner));
	demand(r->name.len == 0 || sp_dns_name_valid(r->name));
	demand(r->signer.len == 0 || sp_dns_name_valid(r->signer));
	demand(r->type == SP_DNS_TYPE_DNSKEY ||
	       sp_seen_ds_line(r, arena).len == 0);
	demand(r->type != SP_DNS_TYPE_DNSKEY ||
	       sp_seen_ds_line(r, arena).len > 0);
	demand(sp_seen_algorithm_text(r->algorithm, words)[0] != '\0');
	demand(sp_seen_type_text(r->type, words)[0] != '\0');
}

/* The packet's records stand for the zone's keys. */
static void verify(const struct sp_seen *seen)
{
	size_t tries = 0;

	for (size_t i = 0; i < seen->record_count && tries < TRIES; i++) {
		const struct sp_seen_record *r = &seen->records[i];

		if (r->type == SP_SEEN_TYPE_RRSIG) {
			tries++;
			(void)sp_dns_signature_verify(seen, r, r->signer,
			                              seen->records,
			                              seen->record_count);
			demand(sp_dns_signature_verify(seen, r, r->signer, NULL,
			                               0) ==
			       SP_DNS_SIGNATURE_FOREIGN);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_seen seen;

	if (sp_seen_decode(sp_str_slice(data, size), NOW_MS, &seen)) {
		return 0;
	}
	for (size_t i = 0; i < seen.record_count; i++) {
		const struct sp_seen_record *r = &seen.records[i];
		struct sp_seen_record again;

		look_at(r, &seen.arena);
		demand(sp_seen_from_rdata(r->owner, r->type, r->rdata,
		                          &seen.arena, &again) == 0);
		demand(again.key_tag == r->key_tag);
		for (size_t k = 0; k < seen.record_count && k < PAIRS; k++) {
			(void)sp_seen_ds_fits(r, &seen.records[k]);
		}
	}
	verify(&seen);
	sp_seen_fini(&seen);
	return 0;
}
