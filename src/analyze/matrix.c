/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/matrix.h"

const char *sp_matrix_cell_text(enum sp_matrix_cell cell)
{
	static const char *const texts[] = {
		[SP_MATRIX_NO_MATCH] = "no match",
		[SP_MATRIX_MATCH] = "match",
		[SP_MATRIX_WRONG_USAGE] = "wrong usage",
		[SP_MATRIX_UNUSABLE] = "unusable",
	};

	return texts[cell];
}

static enum sp_matrix_cell compare(const struct sp_plan_tlsa_record *record,
                                   struct sp_str der, size_t depth)
{
	uint8_t usage = depth == 0 ? SP_TLSA_DANE_EE : SP_TLSA_DANE_TA;

	if (record->reason != SP_TLSA_USABLE) {
		return SP_MATRIX_UNUSABLE;
	}
	if (!sp_tls_tlsa_fits(&record->tlsa, der)) {
		return SP_MATRIX_NO_MATCH;
	}
	return record->tlsa.usage == usage ? SP_MATRIX_MATCH
	                                   : SP_MATRIX_WRONG_USAGE;
}

uint8_t sp_matrix_digest(const struct sp_plan_tlsa_record *records,
                         size_t record_count, uint8_t usage, uint8_t selector)
{
	for (size_t i = 0; i < record_count; i++) {
		const struct sp_tlsa *tlsa = &records[i].tlsa;

		if (records[i].reason == SP_TLSA_USABLE &&
		    tlsa->usage == usage && tlsa->selector == selector &&
		    tlsa->matching == SP_TLSA_SHA512) {
			return SP_TLSA_SHA512;
		}
	}
	return SP_TLSA_SHA256;
}

static void make_row(const struct sp_matrix *m, struct sp_str der, size_t depth,
                     struct sp_arena *arena, struct sp_matrix_row *row)
{
	uint8_t usage = depth == 0 ? SP_TLSA_DANE_EE : SP_TLSA_DANE_TA;
	enum sp_matrix_cell *cells =
		sp_arena_array(arena, m->record_count + 1, sizeof(*cells));

	*row = (struct sp_matrix_row){.cells = cells};
	for (size_t i = 0; i < m->record_count; i++) {
		cells[i] = compare(&m->records[i], der, depth);
		row->matched |= cells[i] == SP_MATRIX_MATCH;
	}
	/* What does not parse stays empty, and is shown as such. */
	if (sp_tls_certificate_read(der, arena, &row->cert) == 0) {
		(void)sp_tls_tlsa_of(der, usage, SP_TLSA_SPKI,
		                     sp_matrix_digest(m->records,
		                                      m->record_count, usage,
		                                      SP_TLSA_SPKI),
		                     arena, &row->record);
	}
}

void sp_matrix_make(const struct sp_tls_chain *chain,
                    const struct sp_plan_tlsa_record *records,
                    size_t record_count, struct sp_arena *arena,
                    struct sp_matrix *matrix_out)
{
	*matrix_out = (struct sp_matrix){
		.rows = sp_arena_array(arena, chain->count + 1,
	                               sizeof(struct sp_matrix_row)),
		.row_count = chain->count,
		.records = records,
		.record_count = record_count,
	};
	for (size_t i = 0; i < chain->count; i++) {
		make_row(matrix_out, chain->der[i], i, arena,
		         &matrix_out->rows[i]);
		matrix_out->matched |= matrix_out->rows[i].matched;
	}
}

struct sp_str sp_matrix_line(struct sp_str owner, const struct sp_tlsa *record,
                             struct sp_arena *arena)
{
	return sp_str_from(sp_arena_printf(arena, SP_STR_FMT ". IN TLSA %s",
	                                   SP_STR_ARG(owner),
	                                   sp_tlsa_format(record, arena)));
}

static struct sp_json *cells_json(const struct sp_matrix *m,
                                  const struct sp_matrix_row *row,
                                  struct sp_arena *arena)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < m->record_count; i++) {
		struct sp_json *cell = sp_json_object();

		sp_json_set_cstr(cell, "record",
		                 sp_tlsa_format(&m->records[i].tlsa, arena));
		sp_json_set_cstr(cell, "result",
		                 sp_matrix_cell_text(row->cells[i]));
		if (row->cells[i] == SP_MATRIX_UNUSABLE) {
			sp_json_set_cstr(
				cell, "reason",
				sp_tlsa_reason_text(m->records[i].reason));
		}
		sp_json_add(list, cell);
	}
	return list;
}

struct sp_json *sp_matrix_json(const struct sp_matrix *m, struct sp_str owner,
                               struct sp_arena *arena)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < m->row_count; i++) {
		const struct sp_matrix_row *row = &m->rows[i];
		struct sp_json *obj = sp_json_object();

		sp_json_set_int(obj, "depth", (int64_t)i);
		sp_json_set_text(obj, "subject", row->cert.subject);
		sp_json_set_text(obj, "issuer", row->cert.issuer);
		sp_json_set_text(obj, "names", row->cert.names);
		sp_json_set_text(obj, "key", row->cert.key_text);
		sp_json_set_text(obj, "sha256", row->cert.sha256);
		if (row->record.data.len) {
			sp_json_set_time(obj, "not_before",
			                 row->cert.not_before_ms);
			sp_json_set_time(obj, "not_after",
			                 row->cert.not_after_ms);
			sp_json_set_str(
				obj, "record",
				sp_matrix_line(owner, &row->record, arena));
		}
		sp_json_set(obj, "matches", cells_json(m, row, arena));
		sp_json_add(list, obj);
	}
	return list;
}
