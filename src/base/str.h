/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_STR_H
#define SP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Network text as a slice: pointer and length, by value, never expected to
 * end in NUL. A slice does not own its bytes. All functions are total: any
 * bytes are legal input. ASCII case only; the locale is never consulted.
 */

struct sp_str {
	const char *ptr; /* borrowed; may be null only when len is 0 */
	size_t len;
};

#define SP_STR(lit)   ((struct sp_str){"" lit, sizeof(lit) - 1})
#define SP_STR_FMT    "%.*s"
#define SP_STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

struct sp_str sp_str_from(const char *cstr); /* null gives the empty slice */
struct sp_str sp_str_slice(const void *ptr, size_t len);

bool sp_str_eq(struct sp_str a, struct sp_str b);
bool sp_str_eq_nocase(struct sp_str a, struct sp_str b);
bool sp_str_starts_nocase(struct sp_str s, struct sp_str prefix);
bool sp_str_ends_nocase(struct sp_str s, struct sp_str suffix);
int sp_str_cmp(struct sp_str a, struct sp_str b); /* bytewise, shorter first */

/* The part of s from offset, at most len bytes; clamped to s. */
struct sp_str sp_str_sub(struct sp_str s, size_t offset, size_t len);
struct sp_str sp_str_trim(struct sp_str s); /* blanks and tabs, both ends */

/* Offset of the first c, or s.len where there is none. */
size_t sp_str_find(struct sp_str s, char c);

/* Whether each character, or any of them, is so (base/ascii.h). */
static inline bool sp_str_any(struct sp_str s, bool (*is)(char c))
{
	for (size_t i = 0; i < s.len; i++) {
		if (is(s.ptr[i])) {
			return true;
		}
	}
	return false;
}

static inline bool sp_str_all(struct sp_str s, bool (*is)(char c))
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is(s.ptr[i])) {
			return false;
		}
	}
	return true;
}

bool sp_str_is_ascii(struct sp_str s); /* no byte above 127 */

/* Cut s at the first c: the part before goes to head_out, s becomes the rest
 * behind c. Without c all of s goes to head_out and s becomes empty.
 * Returns false when s was already empty. */
bool sp_str_cut(struct sp_str *s, char c, struct sp_str *head_out);

/* Decimal digits only, the whole slice, at most max. 0, SP_ESYNTAX or
 * SP_ELIMIT. */
int sp_str_u64(struct sp_str s, uint64_t max, uint64_t *value_out);

/* Hex digits to bytes, even count. 0, SP_ESYNTAX or SP_ELIMIT. */
int sp_str_unhex(struct sp_str hex, uint8_t *out, size_t cap, size_t *len_out);
/* Lower-case hex, NUL-terminated; cap must be at least 2 * len + 1. */
void sp_str_hex(const void *data, size_t len, char *out, size_t cap);

#endif
