/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of usage 3 that fits no key in use is the next key's; one of usage
 * 2 outlasts every key that its authority signs. With either, a new key can
 * be switched to at once. With neither, its record has to be published first
 * and the zone's TTL waited for.
 */
#include "analyze/rollover.h"

const char *sp_rollover_scheme_text(enum sp_rollover_scheme scheme)
{
	static const char *const texts[] = {
		[SP_ROLLOVER_NONE] = "none",
		[SP_ROLLOVER_SINGLE] = "single",
		[SP_ROLLOVER_NEXT_KEY] = "3 1 1 + 3 1 1",
		[SP_ROLLOVER_KEY_AND_CA] = "3 1 1 + 2 1 1",
		[SP_ROLLOVER_CA] = "2 1 1",
	};

	return texts[scheme];
}

/* The certificate at which a record of that usage matches; -1: none. */
static int matched_depth(const struct sp_matrix *m, uint8_t usage)
{
	for (size_t i = 0; i < m->row_count; i++) {
		for (size_t k = 0; k < m->record_count; k++) {
			if (m->rows[i].cells[k] == SP_MATRIX_MATCH &&
			    m->records[k].tlsa.usage == usage) {
				return (int)i;
			}
		}
	}
	return -1;
}

static bool any_matches(const struct sp_matrix *matrices, size_t count,
                        uint8_t usage)
{
	for (size_t i = 0; i < count; i++) {
		if (matched_depth(&matrices[i], usage) >= 0) {
			return true;
		}
	}
	return false;
}

static bool is_used(const struct sp_matrix *matrices, size_t count,
                    size_t record)
{
	for (size_t i = 0; i < count; i++) {
		const struct sp_matrix *m = &matrices[i];

		if (m->row_count > 0 &&
		    m->rows[0].cells[record] == SP_MATRIX_MATCH) {
			return true;
		}
	}
	return false;
}

/* A usable record of usage 3 that fits none of the keys in use. */
static bool has_spare(const struct sp_matrix *matrices, size_t count)
{
	const struct sp_matrix *m = &matrices[0];

	for (size_t k = 0; k < m->record_count; k++) {
		if (m->records[k].reason == SP_TLSA_USABLE &&
		    m->records[k].tlsa.usage == SP_TLSA_DANE_EE &&
		    !is_used(matrices, count, k)) {
			return true;
		}
	}
	return false;
}

static void note_end(struct sp_rollover *r, const struct sp_matrix *m,
                     int64_t now_ms)
{
	int depth = matched_depth(m, SP_TLSA_DANE_TA);

	if (matched_depth(m, SP_TLSA_DANE_EE) >= 0) {
		return;
	}
	for (int i = 0; i <= depth; i++) {
		const struct sp_tls_certificate *c = &m->rows[i].cert;

		if (c->not_after_ms > now_ms &&
		    (r->ends_ms == 0 || c->not_after_ms < r->ends_ms)) {
			r->ends_ms = c->not_after_ms;
			r->ends_subject = c->subject;
		}
	}
}

struct sp_rollover sp_rollover_judge(const struct sp_matrix *matrices,
                                     size_t count, int64_t now_ms)
{
	struct sp_rollover r = {.scheme = SP_ROLLOVER_NONE};
	bool key = any_matches(matrices, count, SP_TLSA_DANE_EE);
	bool authority = any_matches(matrices, count, SP_TLSA_DANE_TA);

	if (key && has_spare(matrices, count)) {
		r.scheme = SP_ROLLOVER_NEXT_KEY;
	} else if (key && authority) {
		r.scheme = SP_ROLLOVER_KEY_AND_CA;
	} else if (key) {
		r.scheme = SP_ROLLOVER_SINGLE;
	} else if (authority) {
		r.scheme = SP_ROLLOVER_CA;
	}
	r.ready = r.scheme > SP_ROLLOVER_SINGLE;
	for (size_t i = 0; i < count; i++) {
		note_end(&r, &matrices[i], now_ms);
	}
	return r;
}
