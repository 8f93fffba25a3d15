/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records go back to ldns by their wire form, which it brings into canonical
 * order and form itself (RFC 4034 6). Everything in them was chosen by a
 * stranger but the keys, and even of those there may be many with one tag
 * (CVE-2023-50387): only a few are tried.
 */
#include <stdbool.h> /* before ldns, which else makes bool a char */

#include <ldns/ldns.h>

#include "base/buf.h"
#include "net/dns_verify.h"

#define TRIES_MAX  4 /* keys of one tag */
#define RECORD_MAX (255 + 10 + SP_DNS_DATA_MAX)

/* ---- to ldns ---- */

static int put_number(struct sp_buf *out, uint32_t number, unsigned bytes)
{
	int err = 0;

	while (bytes-- > 0 && !err) {
		const uint8_t byte = (uint8_t)(number >> (8 * bytes));

		err = sp_buf_append(out, &byte, 1);
	}
	return err;
}

/* Null: it is no record to ldns. */
static ldns_rr *to_rr(const struct sp_seen_record *r)
{
	struct sp_buf wire;
	struct sp_str bytes;
	ldns_rr *rr = NULL;
	size_t at = 0;

	sp_buf_init(&wire, RECORD_MAX);
	if (!sp_buf_append_str(&wire, r->owner_wire) &&
	    !put_number(&wire, r->type, 2) &&
	    !put_number(&wire, LDNS_RR_CLASS_IN, 2) &&
	    !put_number(&wire, r->ttl_s, 4) &&
	    !put_number(&wire, (uint32_t)r->rdata.len, 2) &&
	    !sp_buf_append_str(&wire, r->rdata)) {
		bytes = sp_buf_str(&wire);
		if (ldns_wire2rr(&rr, (const uint8_t *)bytes.ptr, bytes.len,
		                 &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) {
			rr = NULL;
		}
	}
	sp_buf_fini(&wire);
	return rr;
}

static bool push(ldns_rr_list *list, const struct sp_seen_record *r)
{
	ldns_rr *rr = to_rr(r);

	if (rr && !ldns_rr_list_push_rr(list, rr)) {
		ldns_rr_free(rr);
		rr = NULL;
	}
	return rr != NULL;
}

static bool is_covered(const struct sp_seen_record *r,
                       const struct sp_seen_record *rrsig)
{
	return r->type == rrsig->covered && r->section == rrsig->section &&
	       sp_str_eq(r->owner, rrsig->owner);
}

/* Null: some record is none to ldns, or there is none. */
static ldns_rr_list *covered(const struct sp_seen *seen,
                             const struct sp_seen_record *rrsig)
{
	ldns_rr_list *set = ldns_rr_list_new();
	bool good = set != NULL;

	for (size_t i = 0; i < seen->record_count && good; i++) {
		good = !is_covered(&seen->records[i], rrsig) ||
		       push(set, &seen->records[i]);
	}
	if (!good || ldns_rr_list_rr_count(set) == 0) {
		ldns_rr_list_deep_free(set);
		return NULL;
	}
	return set;
}

/* ---- keys ---- */

static bool may_have_made(const struct sp_seen_record *key,
                          const struct sp_seen_record *rrsig)
{
	return key->type == SP_DNS_TYPE_DNSKEY &&
	       (key->flags & SP_SEEN_KEY_ZONE) &&
	       key->key_tag == rrsig->key_tag &&
	       key->algorithm == rrsig->algorithm;
}

/* Those that may have made it, of which the first few are taken. */
static size_t choose(ldns_rr_list *out, const struct sp_seen_record *rrsig,
                     const struct sp_seen_record *keys, size_t key_count)
{
	size_t count = 0;

	for (size_t i = 0; i < key_count; i++) {
		if (may_have_made(&keys[i], rrsig) && ++count <= TRIES_MAX) {
			(void)push(out, &keys[i]);
		}
	}
	return count;
}

static enum sp_dns_signature by_status(ldns_status status)
{
	switch ((int)status) {
	case LDNS_STATUS_OK:
		return SP_DNS_SIGNATURE_GOOD;
	case LDNS_STATUS_CRYPTO_UNKNOWN_ALGO:
	case LDNS_STATUS_CRYPTO_ALGO_NOT_IMPL:
	case LDNS_STATUS_MEM_ERR:
		return SP_DNS_SIGNATURE_UNKNOWN;
	default:
		return SP_DNS_SIGNATURE_BROKEN;
	}
}

static enum sp_dns_signature verify(const struct sp_seen *seen,
                                    const struct sp_seen_record *rrsig,
                                    const ldns_rr_list *keys)
{
	ldns_rr_list *set = covered(seen, rrsig);
	ldns_rr_list *good = ldns_rr_list_new();
	ldns_rr *rr = to_rr(rrsig);
	enum sp_dns_signature found = SP_DNS_SIGNATURE_UNKNOWN;

	if (set && good && rr) {
		found = by_status(
			ldns_verify_rrsig_keylist_notime(set, rr, keys, good));
	}
	ldns_rr_free(rr);
	ldns_rr_list_free(good); /* the keys in it are borrowed */
	ldns_rr_list_deep_free(set);
	return found;
}

enum sp_dns_signature
sp_dns_signature_verify(const struct sp_seen *seen,
                        const struct sp_seen_record *rrsig, struct sp_str zone,
                        const struct sp_seen_record *keys, size_t key_count)
{
	ldns_rr_list *chosen;
	enum sp_dns_signature found;
	size_t count;

	if (!sp_str_eq(rrsig->signer, zone)) {
		return SP_DNS_SIGNATURE_UNKNOWN;
	}
	chosen = ldns_rr_list_new();
	count = choose(chosen, rrsig, keys, key_count);
	found = count == 0 ? SP_DNS_SIGNATURE_FOREIGN
	                   : verify(seen, rrsig, chosen);
	if (found == SP_DNS_SIGNATURE_BROKEN && count > TRIES_MAX) {
		found = SP_DNS_SIGNATURE_UNKNOWN;
	}
	ldns_rr_list_deep_free(chosen);
	return found;
}
