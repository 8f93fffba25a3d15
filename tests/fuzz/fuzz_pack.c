/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * What can be read is written as the same bytes: the form is canonical. And
 * it does not matter whether strings are copied.
 */
#include <string.h>

#include "base/assert.h"
#include "wire/envelope.h"
#include "wire/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	enum sp_ret ret;
	struct sp_str text;
	uint8_t bytes[3];
	struct leaf leaf;
	struct leaf *leaves;
	size_t leaf_count;
};

static const struct sp_pack_field leaf_fields[] = {
	SP_PACK(U16, struct leaf, number),
	SP_PACK_LIM(STR, struct leaf, text, 40),
	SP_PACK_END,
};

static const struct sp_pack_field tree_fields[] = {
	SP_PACK(U8, struct tree, u8),
	SP_PACK(U32, struct tree, u32),
	SP_PACK(U64, struct tree, u64),
	SP_PACK(I64, struct tree, i64),
	SP_PACK(BOOL, struct tree, flag),
	SP_PACK_LIM(ENUM, struct tree, ret, SP_RET_HDRS),
	SP_PACK_LIM(STR, struct tree, text, 300),
	SP_PACK_LIM(BYTES, struct tree, bytes, 3),
	SP_PACK_SUB(struct tree, leaf, leaf_fields),
	SP_PACK_ARR(struct tree, leaves, leaf_count, leaf_fields, 20),
	SP_PACK_END,
};

/* Memory taken stays in proportion to the bytes that were there. */
static void check_memory(const struct sp_arena *arena, size_t size)
{
	SP_ASSERT(arena->total_bytes <= 64 * (size + 1));
}

static void try_fields(const struct sp_pack_field *fields, struct sp_str bytes,
                       bool copy, void *obj)
{
	struct sp_arena arena;
	struct sp_buf out;

	sp_arena_init(&arena);
	sp_buf_init(&out, bytes.len + 1);
	if (sp_unpack(fields, bytes, copy, &arena, obj) == 0) {
		SP_ASSERT(sp_pack(fields, obj, &out) == 0);
		SP_ASSERT(sp_str_eq(sp_buf_str(&out), bytes));
	}
	check_memory(&arena, bytes.len);
	sp_buf_fini(&out);
	sp_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str bytes = sp_str_slice(data, size);

	for (int copy = 0; copy <= 1; copy++) {
		struct tree tree = {0};
		struct sp_envelope envelope = {0};

		try_fields(tree_fields, bytes, copy, &tree);
		try_fields(SP_ENVELOPE_FIELDS, bytes, copy, &envelope);
	}
	return 0;
}
