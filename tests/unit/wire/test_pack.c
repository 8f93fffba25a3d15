/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/pack.h"

enum colour {
	RED,
	GREEN,
	BLUE
};

struct leaf {
	uint16_t number;
	struct sp_str text;
};

struct tree {
	uint8_t u8;
	uint32_t u32;
	uint64_t u64;
	int64_t i64;
	bool flag;
	enum colour colour;
	struct sp_str text;
	uint8_t bytes[3];
	struct leaf leaf;
	struct leaf *leaves;
	size_t leaf_count;
};

static const struct sp_pack_field leaf_fields[] = {
	SP_PACK(U16, struct leaf, number),
	SP_PACK_LIM(STR, struct leaf, text, 8),
	SP_PACK_END,
};

static const struct sp_pack_field tree_fields[] = {
	SP_PACK(U8, struct tree, u8),
	SP_PACK(U32, struct tree, u32),
	SP_PACK(U64, struct tree, u64),
	SP_PACK(I64, struct tree, i64),
	SP_PACK(BOOL, struct tree, flag),
	SP_PACK_LIM(ENUM, struct tree, colour, BLUE),
	SP_PACK_LIM(STR, struct tree, text, 4),
	SP_PACK_LIM(BYTES, struct tree, bytes, 3),
	SP_PACK_SUB(struct tree, leaf, leaf_fields),
	SP_PACK_ARR(struct tree, leaves, leaf_count, leaf_fields, 2),
	SP_PACK_END,
};

/* The wire form of the tree below, byte by byte. */
static const uint8_t tree_bytes[] = {
	7,                                              /* 0: u8 */
	0x04, 0x03, 0x02, 0x01,                         /* 1: u32 */
	0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0x80, /* 5: u64 */
	0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* 13: i64 */
	1,                                              /* 21: flag */
	2,    0,    0,    0,                            /* 22: colour */
	3,    0,    0,    0,    'a',  0,    'c',        /* 26: text */
	9,    8,    7,                                  /* 33: bytes */
	0x34, 0x12, 0,    0,    0,    0,                /* 36: leaf */
	2,    0,    0,    0,                     /* 42: count of leaves */
	1,    0,    1,    0,    0,    0,    'x', /* 46: first leaf */
	2,    0,    0,    0,    0,    0,         /* 53: second leaf */
};

static struct leaf leaves[] = {
	{1, {"x", 1}},
	{2, {NULL, 0}},
};

static struct tree tree_new(void)
{
	return (struct tree){
		.u8 = 7,
		.u32 = 0x01020304,
		.u64 = 0x80000000ffffffff,
		.i64 = -2,
		.flag = true,
		.colour = BLUE,
		.text = sp_str_slice("a\0c", 3),
		.bytes = {9, 8, 7},
		.leaf = {0x1234, {NULL, 0}},
		.leaves = leaves,
		.leaf_count = 2,
	};
}

static void test_written_bytes(void **state)
{
	struct tree tree = tree_new();
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 1000);
	assert_int_equal(sp_pack(tree_fields, &tree, &out), 0);
	assert_int_equal(sp_buf_len(&out), sizeof(tree_bytes));
	assert_memory_equal(sp_buf_str(&out).ptr, tree_bytes,
	                    sizeof(tree_bytes));
	sp_buf_fini(&out);
}

static void check_tree(const struct tree *t)
{
	struct tree want = tree_new();

	assert_int_equal(t->u8, want.u8);
	assert_int_equal(t->u32, want.u32);
	assert_true(t->u64 == want.u64);
	assert_true(t->i64 == want.i64);
	assert_true(t->flag);
	assert_int_equal(t->colour, BLUE);
	assert_true(sp_str_eq(t->text, want.text));
	assert_memory_equal(t->bytes, want.bytes, 3);
	assert_int_equal(t->leaf.number, 0x1234);
	assert_int_equal(t->leaf_count, 2);
	assert_int_equal(t->leaves[0].number, 1);
	assert_true(sp_str_eq(t->leaves[0].text, SP_STR("x")));
	assert_int_equal(t->leaves[1].number, 2);
	assert_int_equal(t->leaves[1].text.len, 0);
}

static void test_read_back(void **state)
{
	struct sp_str bytes = sp_str_slice(tree_bytes, sizeof(tree_bytes));

	(void)state;
	for (int copy = 0; copy <= 1; copy++) {
		struct tree tree = {0};
		struct sp_arena arena;
		const char *text;

		sp_arena_init(&arena);
		assert_int_equal(
			sp_unpack(tree_fields, bytes, copy, &arena, &tree), 0);
		check_tree(&tree);
		text = tree.text.ptr;
		assert_int_equal(text == bytes.ptr + 30, !copy);
		sp_arena_fini(&arena);
	}
}

/* Each proper prefix lacks something, and nothing may follow. */
static void test_every_other_length(void **state)
{
	char longer[sizeof(tree_bytes) + 1] = {0};

	(void)state;
	memcpy(longer, tree_bytes, sizeof(tree_bytes));
	for (size_t len = 0; len <= sizeof(longer); len++) {
		struct tree tree = {0};
		struct sp_arena arena;
		int err;

		if (len == sizeof(tree_bytes)) {
			continue;
		}
		sp_arena_init(&arena);
		err = sp_unpack(tree_fields, sp_str_slice(longer, len), true,
		                &arena, &tree);
		assert_int_equal(err, SP_ESYNTAX);
		sp_arena_fini(&arena);
	}
}

static void test_odd_bytes(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t byte;
		int err;
	} cases[] = {
		{"bool is 0 or 1", 21, 2, SP_ESYNTAX},
		{"enum above its last value", 22, 3, SP_ESYNTAX},
		{"enum in its high byte", 25, 0x80, SP_ESYNTAX},
		{"string over its limit", 26, 5, SP_ELIMIT},
		{"string length near 2^32", 29, 0xff, SP_ELIMIT},
		{"array over its limit", 42, 3, SP_ELIMIT},
		{"array count near 2^32", 45, 0xff, SP_ELIMIT},
		{"string behind the end", 55, 1, SP_ESYNTAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t bytes[sizeof(tree_bytes)];
		struct tree tree = {0};
		struct sp_arena arena;
		int err;

		print_message("  %s\n", cases[i].name);
		memcpy(bytes, tree_bytes, sizeof(bytes));
		bytes[cases[i].at] = cases[i].byte;
		sp_arena_init(&arena);
		err = sp_unpack(tree_fields, sp_str_slice(bytes, sizeof(bytes)),
		                true, &arena, &tree);
		assert_int_equal(err, cases[i].err);
		sp_arena_fini(&arena);
	}
}

/* Four bytes must not buy memory for the largest legal array. */
static void test_count_against_bytes(void **state)
{
	struct pair {
		struct leaf *leaves;
		size_t count;
	} pair = {0};
	static const struct sp_pack_field fields[] = {
		SP_PACK_ARR(struct pair, leaves, count, leaf_fields, 1000000),
		SP_PACK_END,
	};
	struct sp_arena arena;

	(void)state;
	sp_arena_init(&arena);
	assert_int_equal(sp_unpack(fields, SP_STR("\x40\x42\x0f\0"), true,
	                           &arena, &pair),
	                 SP_ESYNTAX);
	assert_int_equal(arena.total_bytes, 0);
	sp_arena_fini(&arena);
}

static void test_not_written(void **state)
{
	(void)state;
	for (int what = 0; what < 4; what++) {
		struct tree tree = tree_new();
		struct sp_buf out;

		sp_buf_init(&out, what == 3 ? 50 : 1000);
		assert_int_equal(sp_buf_append_cstr(&out, "before"), 0);
		if (what == 0) {
			tree.text = SP_STR("12345");
		} else if (what == 1) {
			tree.leaf_count = 3;
		} else if (what == 2) {
			tree.colour = (enum colour)3;
		}
		assert_int_equal(sp_pack(tree_fields, &tree, &out), SP_ELIMIT);
		assert_true(sp_str_eq(sp_buf_str(&out), SP_STR("before")));
		sp_buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_bytes),
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_every_other_length),
		cmocka_unit_test(test_odd_bytes),
		cmocka_unit_test(test_count_against_bytes),
		cmocka_unit_test(test_not_written),
	};

	return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
