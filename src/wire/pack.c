/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table per struct describes both directions, so that what is written
 * and what is read can't drift apart, and each limit stands in one place.
 *
 * Form: integers little-endian in their own width, bool one byte, enums four
 * bytes, strings and arrays a count of four bytes and then their content.
 * Nothing is aligned and nothing is optional.
 *
 * The reader treats its input as hostile. Before an array is allocated, its
 * count is checked against the table's limit and against the bytes that are
 * left: each element needs at least the size of its fixed parts, so memory
 * taken stays in proportion to the bytes received. Recursion follows the
 * nesting of the tables, never of the input.
 */
#include <limits.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "wire/pack.h"

#define COUNT_BYTES 4
#define ENUM_BYTES  4

_Static_assert(sizeof(bool) == 1, "a bool is one byte here");
_Static_assert(sizeof(int) == ENUM_BYTES, "enums are int sized here");

static const void *member(const void *obj, size_t offset)
{
	return (const char *)obj + offset;
}

static bool is_end(const struct sp_pack_field *f)
{
	return f->offset == SIZE_MAX;
}

/* Bytes of an integer of this type on the wire and in memory; 0: no integer. */
static size_t int_width(enum sp_pack_type type)
{
	static const size_t widths[] = {
		[SP_PACK_U8] = 1,
		[SP_PACK_U16] = 2,
		[SP_PACK_U32] = 4,
		[SP_PACK_U64] = 8,
		[SP_PACK_I64] = 8,
		[SP_PACK_BOOL] = 1,
		[SP_PACK_ENUM] = ENUM_BYTES,
		[SP_PACK_ARRAY] = 0,
	};

	return widths[type];
}

static uint64_t load_int(const void *from, size_t width)
{
	uint64_t value = 0;
	uint32_t u32;
	uint16_t u16;

	switch (width) {
	case 1:
		return *(const uint8_t *)from;
	case 2:
		memcpy(&u16, from, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, from, sizeof(u32));
		return u32;
	default:
		memcpy(&value, from, sizeof(value));
		return value;
	}
}

static void store_int(void *to, size_t width, uint64_t value)
{
	uint32_t u32 = (uint32_t)value;
	uint16_t u16 = (uint16_t)value;
	uint8_t u8 = (uint8_t)value;

	switch (width) {
	case 1:
		memcpy(to, &u8, sizeof(u8));
		break;
	case 2:
		memcpy(to, &u16, sizeof(u16));
		break;
	case 4:
		memcpy(to, &u32, sizeof(u32));
		break;
	default:
		memcpy(to, &value, sizeof(value));
	}
}

/* Whether an integer field may hold this value. */
static bool int_legal(const struct sp_pack_field *f, uint64_t value)
{
	if (f->type == SP_PACK_BOOL) {
		return value <= 1;
	}
	if (f->type == SP_PACK_ENUM) {
		return value <= f->max;
	}
	return true;
}

/* Writing */

static int put_int(struct sp_buf *out, uint64_t value, size_t width)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < width; i++) {
		bytes[i] = (uint8_t)(value >> (8 * i));
	}
	return sp_buf_append(out, bytes, width);
}

static int put_fields(const struct sp_pack_field *fields, const void *obj,
                      struct sp_buf *out);

static int put_str(const struct sp_pack_field *f, const void *at,
                   struct sp_buf *out)
{
	struct sp_str s;
	int err;

	memcpy(&s, at, sizeof(s));
	if (s.len > f->max || s.len > UINT32_MAX) {
		return SP_ELIMIT;
	}
	err = put_int(out, s.len, COUNT_BYTES);
	return err ? err : sp_buf_append_str(out, s);
}

static int put_array(const struct sp_pack_field *f, const void *obj,
                     struct sp_buf *out)
{
	const char *elems;
	size_t count;
	int err;

	memcpy(&elems, member(obj, f->offset), sizeof(elems));
	memcpy(&count, member(obj, f->count_offset), sizeof(count));
	if (count > f->max || count > UINT32_MAX) {
		return SP_ELIMIT;
	}
	err = put_int(out, count, COUNT_BYTES);
	for (size_t i = 0; !err && i < count; i++) {
		err = put_fields(f->sub, elems + i * f->elem_size, out);
	}
	return err;
}

static int put_number(const struct sp_pack_field *f, const void *at,
                      struct sp_buf *out)
{
	size_t width = int_width(f->type);
	uint64_t value = load_int(at, width);

	return int_legal(f, value) ? put_int(out, value, width) : SP_ELIMIT;
}

static int put_field(const struct sp_pack_field *f, const void *obj,
                     struct sp_buf *out)
{
	const void *at = member(obj, f->offset);

	switch (f->type) {
	case SP_PACK_U8:
	case SP_PACK_U16:
	case SP_PACK_U32:
	case SP_PACK_U64:
	case SP_PACK_I64:
	case SP_PACK_BOOL:
	case SP_PACK_ENUM:
		return put_number(f, at, out);
	case SP_PACK_STR:
		return put_str(f, at, out);
	case SP_PACK_BYTES:
		return sp_buf_append(out, at, f->max);
	case SP_PACK_STRUCT:
		return put_fields(f->sub, at, out);
	case SP_PACK_ARRAY:
		return put_array(f, obj, out);
	}
	SP_ASSERT(!"pack field of unknown type");
	return SP_ESYNTAX;
}

static int put_fields(const struct sp_pack_field *fields, const void *obj,
                      struct sp_buf *out)
{
	for (const struct sp_pack_field *f = fields; !is_end(f); f++) {
		int err = put_field(f, obj, out);

		if (err) {
			return err;
		}
	}
	return 0;
}

int sp_pack(const struct sp_pack_field *fields, const void *obj,
            struct sp_buf *out)
{
	size_t before = sp_buf_len(out);
	int err = put_fields(fields, obj, out);

	if (err) {
		sp_buf_truncate(out, sp_buf_len(out) - before);
	}
	return err;
}

/* Reading */

struct reader {
	const uint8_t *at;
	size_t left;
	bool copy;
	struct sp_arena *arena;
};

static int get_int(struct reader *r, size_t width, uint64_t *value_out)
{
	uint64_t value = 0;

	if (r->left < width) {
		return SP_ESYNTAX;
	}
	for (size_t i = 0; i < width; i++) {
		value |= (uint64_t)r->at[i] << (8 * i);
	}
	r->at += width;
	r->left -= width;
	*value_out = value;
	return 0;
}

/* A count, checked against the limit of the table and against what is left
 * when each counted thing takes at least unit bytes. */
static int get_count(struct reader *r, size_t max, size_t unit,
                     size_t *count_out)
{
	uint64_t count;
	int err = get_int(r, COUNT_BYTES, &count);

	if (err) {
		return err;
	}
	if (count > max) {
		return SP_ELIMIT;
	}
	if (count > r->left / unit) {
		return SP_ESYNTAX;
	}
	*count_out = (size_t)count;
	return 0;
}

static size_t min_size(const struct sp_pack_field *fields)
{
	size_t sum = 0;

	for (const struct sp_pack_field *f = fields; !is_end(f); f++) {
		if (f->type == SP_PACK_STRUCT) {
			sum += min_size(f->sub);
		} else if (f->type == SP_PACK_BYTES) {
			sum += f->max;
		} else if (f->type == SP_PACK_STR || f->type == SP_PACK_ARRAY) {
			sum += COUNT_BYTES;
		} else {
			sum += int_width(f->type);
		}
	}
	return sum;
}

static int get_fields(struct reader *r, const struct sp_pack_field *fields,
                      void *obj);

static int get_str(struct reader *r, const struct sp_pack_field *f, void *at)
{
	struct sp_str s;
	size_t len;
	int err = get_count(r, f->max, 1, &len);

	if (err) {
		return err;
	}
	s = sp_str_slice(r->at, len);
	if (r->copy) {
		s = sp_arena_str(r->arena, s);
	}
	memcpy(at, &s, sizeof(s));
	r->at += len;
	r->left -= len;
	return 0;
}

static int get_array(struct reader *r, const struct sp_pack_field *f, void *obj)
{
	char *elems = NULL;
	size_t unit = min_size(f->sub);
	size_t count;
	int err;

	SP_ASSERT(unit > 0);
	err = get_count(r, f->max, unit, &count);
	if (err) {
		return err;
	}
	if (count > 0) {
		elems = sp_arena_array(r->arena, count, f->elem_size);
	}
	for (size_t i = 0; i < count; i++) {
		err = get_fields(r, f->sub, elems + i * f->elem_size);
		if (err) {
			return err;
		}
	}
	memcpy((char *)obj + f->offset, &elems, sizeof(elems));
	memcpy((char *)obj + f->count_offset, &count, sizeof(count));
	return 0;
}

static int get_number(struct reader *r, const struct sp_pack_field *f, void *at)
{
	size_t width = int_width(f->type);
	uint64_t value;
	int err = get_int(r, width, &value);

	if (err) {
		return err;
	}
	if (!int_legal(f, value)) {
		return SP_ESYNTAX;
	}
	store_int(at, width, value);
	return 0;
}

static int get_bytes(struct reader *r, const struct sp_pack_field *f, void *at)
{
	if (r->left < f->max) {
		return SP_ESYNTAX;
	}
	memcpy(at, r->at, f->max);
	r->at += f->max;
	r->left -= f->max;
	return 0;
}

static int get_field(struct reader *r, const struct sp_pack_field *f, void *obj)
{
	void *at = (char *)obj + f->offset;

	switch (f->type) {
	case SP_PACK_U8:
	case SP_PACK_U16:
	case SP_PACK_U32:
	case SP_PACK_U64:
	case SP_PACK_I64:
	case SP_PACK_BOOL:
	case SP_PACK_ENUM:
		return get_number(r, f, at);
	case SP_PACK_STR:
		return get_str(r, f, at);
	case SP_PACK_BYTES:
		return get_bytes(r, f, at);
	case SP_PACK_STRUCT:
		return get_fields(r, f->sub, at);
	case SP_PACK_ARRAY:
		return get_array(r, f, obj);
	}
	SP_ASSERT(!"pack field of unknown type");
	return SP_ESYNTAX;
}

static int get_fields(struct reader *r, const struct sp_pack_field *fields,
                      void *obj)
{
	for (const struct sp_pack_field *f = fields; !is_end(f); f++) {
		int err = get_field(r, f, obj);

		if (err) {
			return err;
		}
	}
	return 0;
}

int sp_unpack(const struct sp_pack_field *fields, struct sp_str bytes,
              bool copy, struct sp_arena *arena, void *obj)
{
	struct reader r = {
		.at = (const uint8_t *)bytes.ptr,
		.left = bytes.len,
		.copy = copy,
		.arena = arena,
	};
	int err = get_fields(&r, fields, obj);

	if (err) {
		return err;
	}
	return r.left ? SP_ESYNTAX : 0;
}
