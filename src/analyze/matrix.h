/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ANALYZE_MATRIX_H
#define SP_ANALYZE_MATRIX_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "net/tls.h"
#include "policy/mxplan.h"
#include "wire/json.h"

/*
 * Every certificate that a server presents against every TLSA record: which
 * fits which, and why others can't; and for each certificate the record that
 * it would match, to paste into the zone: 3 1 1 for the server's own, 2 1 1
 * for those above it (RFC 7671 5), or with the digest below. Pure. For people:
 * what a session is worth is libssl's and the judge's word, which also look at
 * chain, dates, names.
 */

enum sp_matrix_cell {
	SP_MATRIX_NO_MATCH,
	SP_MATRIX_MATCH,
	SP_MATRIX_WRONG_USAGE, /* the data fits, but usage 3 speaks of the
	                        * server's own certificate, usage 2 of one
	                        * above it */
	SP_MATRIX_UNUSABLE,    /* the record's reason says why */
};

/* "no match", "match", "wrong usage", "unusable". */
const char *sp_matrix_cell_text(enum sp_matrix_cell cell);

struct sp_matrix_row {
	struct sp_tls_certificate cert; /* empty where it does not parse */
	struct sp_tlsa record;          /* that it would match */
	const enum sp_matrix_cell *cells;
	bool matched; /* by any record */
};

struct sp_matrix {
	struct sp_matrix_row *rows; /* leaf first; arena */
	size_t row_count;
	const struct sp_plan_tlsa_record *records; /* borrowed */
	size_t record_count;
	bool matched; /* any row */
};

void sp_matrix_make(const struct sp_tls_chain *chain,
                    const struct sp_plan_tlsa_record *records,
                    size_t record_count, struct sp_arena *arena,
                    struct sp_matrix *matrix_out);

/* [{"depth", "subject", "issuer", "names", "key", "sha256", "not_before",
 * "not_after", "record", "matches": [{"record", "result", "reason"}]}]; owned.
 * owner: of the records, "_25._tcp.mx.d.test". */
struct sp_json *sp_matrix_json(const struct sp_matrix *matrix,
                               struct sp_str owner, struct sp_arena *arena);

/* The matching type that a new record of that usage and selector has to have
 * beside these: SHA-256, unless SHA-512 is there and makes it count for
 * nothing (RFC 7671 9). */
uint8_t sp_matrix_digest(const struct sp_plan_tlsa_record *records,
                         size_t record_count, uint8_t usage, uint8_t selector);

/* "_25._tcp.mx.d.test. IN TLSA 3 1 1 0123ab..". */
struct sp_str sp_matrix_line(struct sp_str owner, const struct sp_tlsa *record,
                             struct sp_arena *arena);

#endif
