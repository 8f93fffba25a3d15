/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_PACK_H
#define SP_WIRE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

/*
 * Structs to bytes and back, by a table of fields: frames between roles and
 * values in the store. Little-endian, fixed order, no padding; each string
 * and array carries its limit in the table and is checked before memory is
 * taken. A decoder that meets anything odd answers SP_ESYNTAX or SP_ELIMIT
 * and leaves nothing behind but arena memory.
 */

enum sp_pack_type {
	SP_PACK_U8,
	SP_PACK_U16,
	SP_PACK_U32,
	SP_PACK_U64,
	SP_PACK_I64,
	SP_PACK_BOOL,   /* one byte, 0 or 1 */
	SP_PACK_ENUM,   /* enum (int sized), value <= max */
	SP_PACK_STR,    /* struct sp_str, length <= max */
	SP_PACK_BYTES,  /* uint8_t[max] inside the struct */
	SP_PACK_STRUCT, /* embedded struct: sub */
	SP_PACK_ARRAY,  /* pointer to elements (sub, elem_size) and a size_t
	                 * count at count_offset; count <= max */
};

struct sp_pack_field {
	enum sp_pack_type type;
	size_t offset;
	size_t max;
	const struct sp_pack_field *sub;
	size_t elem_size;
	size_t count_offset;
};

#define SP_PACK_END ((struct sp_pack_field){.offset = SIZE_MAX})

#define SP_PACK(kind, type_, member)                                           \
	{                                                                      \
		.type = SP_PACK_##kind, .offset = offsetof(type_, member)      \
	}
#define SP_PACK_LIM(kind, type_, member, limit)                                \
	{                                                                      \
		.type = SP_PACK_##kind, .offset = offsetof(type_, member),     \
		.max = (limit)                                                 \
	}
#define SP_PACK_SUB(type_, member, fields)                                     \
	{                                                                      \
		.type = SP_PACK_STRUCT, .offset = offsetof(type_, member),     \
		.sub = (fields)                                                \
	}
#define SP_PACK_ARR(type_, member, count_, fields, limit)                      \
	{                                                                      \
		.type = SP_PACK_ARRAY, .offset = offsetof(type_, member),      \
		.max = (limit), .sub = (fields),                               \
		.elem_size = sizeof(*((type_ *)0)->member),                    \
		.count_offset = offsetof(type_, count_)                        \
	}

/* Append obj to out. 0 or SP_ELIMIT (out's maximum, or a field over its own
 * limit); after an error out holds what it held before. */
int sp_pack(const struct sp_pack_field *fields, const void *obj,
            struct sp_buf *out);

/* Decode all of bytes into the zeroed obj. Strings are copied into the arena
 * when copy is true, else they point into bytes. Trailing bytes are an
 * error. 0, SP_ESYNTAX or SP_ELIMIT. */
int sp_unpack(const struct sp_pack_field *fields, struct sp_str bytes,
              bool copy, struct sp_arena *arena, void *obj);

#endif
