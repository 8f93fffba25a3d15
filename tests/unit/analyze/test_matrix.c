/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates against records, and what they say of the next change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze/rollover.h"
#include "base/time.h"
#include "unit/net/certs.h"

#define DAY_S 86400L

enum who {
	NOBODY,
	ROOT,
	FIRST,  /* a leaf that ends in a week */
	SECOND, /* another, in a day */
	NEXT,   /* not in use yet */
	ENDED,
	COUNT,
};

static struct cert certs[COUNT];
static struct sp_str ders[COUNT];

static const struct cert_spec SPECS[COUNT] = {
	[ROOT] = {"root", NULL, -DAY_S, 90 * DAY_S, true, NULL},
	[FIRST] = {"first", "DNS:mx", -DAY_S, 7 * DAY_S, false, NULL},
	[SECOND] = {"second", "DNS:mx", -DAY_S, DAY_S, false, NULL},
	[NEXT] = {"next", "DNS:mx", -DAY_S, DAY_S, false, NULL},
	[ENDED] = {"ended", "DNS:mx", -2 * DAY_S, -DAY_S, false, NULL},
};

static int set_up(void **state)
{
	(void)state;
	for (int i = ROOT; i < COUNT; i++) {
		unsigned char *der = NULL;
		int len;

		certs[i] = cert_make(&SPECS[i], i == ROOT ? NULL : &certs[ROOT],
		                     NULL, NULL);
		len = i2d_X509(certs[i].x509, &der);
		need(len > 0);
		ders[i] = sp_str_slice(der, (size_t)len);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = ROOT; i < COUNT; i++) {
		OPENSSL_free((void *)(uintptr_t)ders[i].ptr);
		cert_drop(&certs[i]);
	}
	return 0;
}

struct wanted { /* a record; of NOBODY: no more */
	uint8_t usage, selector, matching;
	enum who of;
	enum sp_tlsa_reason reason;
};

static size_t make_records(const struct wanted *wanted, size_t max,
                           struct sp_arena *arena,
                           struct sp_plan_tlsa_record *out)
{
	size_t count = 0;

	while (count < max && wanted[count].of) {
		const struct wanted *w = &wanted[count];

		out[count].reason = w->reason;
		assert_int_equal(sp_tls_tlsa_of(ders[w->of], w->usage,
		                                w->selector, w->matching, arena,
		                                &out[count].tlsa),
		                 0);
		count++;
	}
	return count;
}

static void make_matrix(enum who leaf, struct sp_plan_tlsa_record *records,
                        size_t count, struct sp_arena *arena,
                        struct sp_matrix *out)
{
	struct sp_str *der = sp_arena_array(arena, 2, sizeof(*der));
	const struct sp_tls_chain chain = {.der = der, .count = 2};

	der[0] = ders[leaf];
	der[1] = ders[ROOT];
	sp_matrix_make(&chain, records, count, arena, out);
}

/* --- one record and a chain of two --- */

#define NO    SP_MATRIX_NO_MATCH
#define YES   SP_MATRIX_MATCH
#define WRONG SP_MATRIX_WRONG_USAGE
#define UNFIT SP_MATRIX_UNUSABLE

static const struct {
	const char *name;
	struct wanted record;
	enum sp_matrix_cell leaf, root;
} CELLS[] = {
	{"RFC 7671 5.1 3 1 1", {3, 1, 1, FIRST, 0}, YES, NO},
	{"RFC 7671 5.1 3 0 2", {3, 0, 2, FIRST, 0}, YES, NO},
	{"RFC 7671 5.1 3 1 0", {3, 1, 0, FIRST, 0}, YES, NO},
	{"RFC 7671 5.2 2 0 1", {2, 0, 1, ROOT, 0}, NO, YES},
	{"RFC 7671 5.2 2 1 1", {2, 1, 1, ROOT, 0}, NO, YES},
	{"another key", {3, 1, 1, SECOND, 0}, NO, NO},
	{"3 1 1 of the authority", {3, 1, 1, ROOT, 0}, NO, WRONG},
	{"2 1 1 of the server's own", {2, 1, 1, FIRST, 0}, WRONG, NO},
	{"RFC 7672 3.1.3 usage 1",
         {1, 1, 1, FIRST, SP_TLSA_USAGE_PKIX},
         UNFIT,
         UNFIT},
};

static void test_cells(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CELLS) / sizeof(CELLS[0]); i++) {
		struct sp_plan_tlsa_record record;
		struct sp_matrix m;
		struct sp_arena arena;

		print_message("  %s\n", CELLS[i].name);
		sp_arena_init(&arena);
		make_records(&CELLS[i].record, 1, &arena, &record);
		make_matrix(FIRST, &record, 1, &arena, &m);
		assert_int_equal(m.row_count, 2);
		assert_int_equal(m.rows[0].cells[0], CELLS[i].leaf);
		assert_int_equal(m.rows[1].cells[0], CELLS[i].root);
		assert_int_equal(m.matched,
		                 CELLS[i].leaf == YES || CELLS[i].root == YES);
		sp_arena_fini(&arena);
	}
}

/* What is offered to be pasted is what matches. */
static void test_paste(void **state)
{
	struct sp_plan_tlsa_record records[2] = {0};
	struct sp_matrix m;
	struct sp_arena arena;
	struct sp_str line;
	struct sp_json *json;

	(void)state;
	sp_arena_init(&arena);
	make_matrix(FIRST, NULL, 0, &arena, &m);
	records[0].tlsa = m.rows[0].record;
	records[1].tlsa = m.rows[1].record;
	make_matrix(FIRST, records, 2, &arena, &m);
	assert_int_equal(m.rows[0].cells[0], YES);
	assert_int_equal(m.rows[1].cells[1], YES);
	line = sp_matrix_line(SP_STR("_25._tcp.mx.d.test"), &records[1].tlsa,
	                      &arena);
	assert_true(sp_str_starts_nocase(
		line, SP_STR("_25._tcp.mx.d.test. IN TLSA 2 1 1 ")));
	json = sp_matrix_json(&m, SP_STR("_25._tcp.mx.d.test"), &arena);
	assert_int_equal(sp_json_len(json), 2);
	assert_true(sp_str_eq(sp_json_get_str(sp_json_at(json, 1), "record"),
	                      line));
	assert_true(sp_str_eq(
		sp_json_get_str(
			sp_json_at(sp_json_get(sp_json_at(json, 0), "matches"),
	                           0),
			"result"),
		SP_STR("match")));
	sp_json_free(&json);
	sp_arena_fini(&arena);
}

static const struct {
	const char *name;
	struct wanted record;
	uint8_t leaf, root;
} DIGESTS[] = {
	{"RFC 7671 9 SHA-256", {3, 1, 1, SECOND, 0}, 1, 1},
	{"RFC 7671 9 SHA-512 makes 3 1 1 count for nothing",
         {3, 1, 2, SECOND, 0},
         2,
         1},
	{"RFC 7671 9 another usage", {2, 1, 2, SECOND, 0}, 1, 2},
	{"RFC 7671 9 another selector", {3, 0, 2, SECOND, 0}, 1, 1},
	{"RFC 7671 9 one that can't be used",
         {3, 1, 2, SECOND, SP_TLSA_DIGEST_LENGTH},
         1,
         1},
};

static void test_digest_to_paste(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(DIGESTS) / sizeof(DIGESTS[0]); i++) {
		struct sp_plan_tlsa_record record;
		struct sp_matrix m;
		struct sp_arena arena;

		print_message("  %s\n", DIGESTS[i].name);
		sp_arena_init(&arena);
		make_records(&DIGESTS[i].record, 1, &arena, &record);
		make_matrix(FIRST, &record, 1, &arena, &m);
		assert_int_equal(m.rows[0].record.matching, DIGESTS[i].leaf);
		assert_int_equal(m.rows[1].record.matching, DIGESTS[i].root);
		sp_arena_fini(&arena);
	}
}

/* A stranger sends what it likes. */
static void test_garbage(void **state)
{
	struct sp_str der = SP_STR("no certificate");
	const struct sp_tls_chain chain = {.der = &der, .count = 1};
	const struct wanted wanted = {3, 1, 1, FIRST, 0};
	struct sp_plan_tlsa_record record;
	struct sp_matrix m;
	struct sp_arena arena;
	struct sp_json *json;

	(void)state;
	sp_arena_init(&arena);
	make_records(&wanted, 1, &arena, &record);
	sp_matrix_make(&chain, &record, 1, &arena, &m);
	assert_false(m.matched);
	json = sp_matrix_json(&m, SP_STR("_25._tcp.mx"), &arena);
	assert_true(
		sp_json_is_null(sp_json_get(sp_json_at(json, 0), "record")));
	sp_json_free(&json);
	sp_arena_fini(&arena);
}

/* --- the next change --- */

static const struct {
	const char *name;
	struct wanted records[4];
	enum who seen[2]; /* leaves of the chains */
	enum sp_rollover_scheme scheme;
	const char *ends; /* subject; null: no date matters */
} ROLLS[] = {
	{"one record",
         {{3, 1, 1, FIRST, 0}},
         {FIRST},
         SP_ROLLOVER_SINGLE,
         NULL},
	{"RFC 7671 8.1 the next key's stands already",
         {{3, 1, 1, FIRST, 0}, {3, 1, 1, NEXT, 0}},
         {FIRST},
         SP_ROLLOVER_NEXT_KEY,
         NULL},
	{"two records of two keys in use are no spare",
         {{3, 1, 1, FIRST, 0}, {3, 1, 1, SECOND, 0}},
         {FIRST, SECOND},
         SP_ROLLOVER_SINGLE,
         NULL},
	{"RFC 7671 8.3 key and authority",
         {{3, 1, 1, FIRST, 0}, {2, 1, 1, ROOT, 0}},
         {FIRST},
         SP_ROLLOVER_KEY_AND_CA,
         NULL},
	{"RFC 7671 8.3 authority only: dates count",
         {{2, 1, 1, ROOT, 0}},
         {FIRST, SECOND},
         SP_ROLLOVER_CA,
         "CN=second"},
	{"the second key by its authority only",
         {{3, 1, 1, FIRST, 0}, {2, 1, 1, ROOT, 0}},
         {FIRST, SECOND},
         SP_ROLLOVER_KEY_AND_CA,
         "CN=second"},
	{"one that has ended is not to come",
         {{2, 1, 1, ROOT, 0}},
         {FIRST, ENDED},
         SP_ROLLOVER_CA,
         "CN=first"},
	{"an unusable record is no spare",
         {{3, 1, 1, FIRST, 0}, {3, 1, 1, NEXT, SP_TLSA_WEAKER_DIGEST}},
         {FIRST},
         SP_ROLLOVER_SINGLE,
         NULL},
	{"nothing matches",
         {{3, 1, 1, NEXT, 0}},
         {FIRST},
         SP_ROLLOVER_NONE,
         NULL},
	{"no records", {{0}}, {FIRST}, SP_ROLLOVER_NONE, NULL},
};

static void test_rollover(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROLLS) / sizeof(ROLLS[0]); i++) {
		struct sp_plan_tlsa_record records[4];
		struct sp_matrix matrices[2];
		struct sp_rollover r;
		struct sp_arena arena;
		size_t count, seen;

		print_message("  %s\n", ROLLS[i].name);
		sp_arena_init(&arena);
		count = make_records(ROLLS[i].records, 4, &arena, records);
		for (seen = 0; seen < 2 && ROLLS[i].seen[seen]; seen++) {
			make_matrix(ROLLS[i].seen[seen], records, count, &arena,
			            &matrices[seen]);
		}
		r = sp_rollover_judge(matrices, seen, sp_time_wall_ms());
		assert_int_equal(r.scheme, ROLLS[i].scheme);
		assert_int_equal(r.ready, ROLLS[i].scheme > SP_ROLLOVER_SINGLE);
		assert_true(
			sp_str_eq(r.ends_subject, sp_str_from(ROLLS[i].ends)));
		assert_int_equal(r.ends_ms != 0, ROLLS[i].ends != NULL);
		sp_arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_paste),
		cmocka_unit_test(test_digest_to_paste),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_rollover),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
