/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_JSON_H
#define SP_WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * JSON values over jansson, which no other file names. Building never fails
 * visibly: each byte that is not UTF-8 becomes the character U+00XX of its
 * number and NUL becomes U+FFFD, so peer bytes may be put in as they are and
 * what was written can be parsed again. Setters and appenders take ownership of
 * the value handed in. Reading: parse, then ask with sp_json_get and friends,
 * which accept null and the wrong type and then give the default.
 */

struct sp_json; /* a reference to a value; freed by sp_json_free */

struct sp_json *sp_json_object(void);
struct sp_json *sp_json_array(void);
void sp_json_free(struct sp_json **value);

/* Into an object; key is a literal. A null value or text sets JSON null. */
void sp_json_set(struct sp_json *obj, const char *key, struct sp_json *take);
void sp_json_set_str(struct sp_json *obj, const char *key, struct sp_str text);
void sp_json_set_text(struct sp_json *obj, const char *key,
                      struct sp_str text); /* JSON null where it is empty */
void sp_json_set_cstr(struct sp_json *obj, const char *key, const char *text);
void sp_json_set_int(struct sp_json *obj, const char *key, int64_t number);
void sp_json_set_real(struct sp_json *obj, const char *key,
                      double number); /* finite; 15 digits are written */
void sp_json_set_bool(struct sp_json *obj, const char *key, bool value);
void sp_json_set_null(struct sp_json *obj, const char *key);
void sp_json_set_time(struct sp_json *obj, const char *key, int64_t wall_ms);
void sp_json_set_when(struct sp_json *obj, const char *key,
                      int64_t wall_ms); /* JSON null where it is 0 */
void sp_json_set_strs(struct sp_json *obj, const char *key,
                      const struct sp_str *texts, size_t count);

void sp_json_add(struct sp_json *array, struct sp_json *take);
void sp_json_add_str(struct sp_json *array, struct sp_str text);
void sp_json_add_cstr(struct sp_json *array, const char *text);

/* One line, keys in order of insertion, no trailing newline. */
int sp_json_write(const struct sp_json *value, struct sp_buf *out);
/* The same where the texts of some objects in it are known: they are taken as
 * they are. */
struct sp_json_known {
	const struct sp_json *value; /* an object; null: none */
	struct sp_str text;
};
int sp_json_write_known(const struct sp_json *value,
                        const struct sp_json_known *known, size_t known_count,
                        struct sp_buf *out);
/* Indented by two, for people: reals have 15 digits. No trailing newline. */
int sp_json_write_pretty(const struct sp_json *value, struct sp_buf *out);

struct sp_json_limits {
	size_t bytes_max;
	unsigned depth_max;
	size_t values_max; /* counted before parsing */
};
extern const struct sp_json_limits
	SP_JSON_LIMITS_DEFAULT; /* 1 MiB, 32, 64 Ki */

/* Parse one document. Duplicate keys and NUL in strings are refused. 0,
 * SP_ESYNTAX or SP_ELIMIT; why_out (may be null, cap bytes) gets one line. */
int sp_json_parse(struct sp_str text, const struct sp_json_limits *limits,
                  struct sp_json **value_out, char *why_out, size_t why_cap);

/* All borrowed from the value; null, empty, 0 or false where absent. */
const struct sp_json *sp_json_get(const struct sp_json *obj, const char *key);
struct sp_str sp_json_get_str(const struct sp_json *obj, const char *key);
int64_t sp_json_get_int(const struct sp_json *obj, const char *key,
                        int64_t fallback);
bool sp_json_get_bool(const struct sp_json *obj, const char *key);
bool sp_json_is_null(const struct sp_json *value); /* absent counts as null */
bool sp_json_is_array(const struct sp_json *value);
bool sp_json_is_object(const struct sp_json *value);
bool sp_json_is_string(const struct sp_json *value);
/* Whether it is a number, whole or not; and which. */
bool sp_json_number(const struct sp_json *value, double *number_out);
struct sp_str sp_json_str(const struct sp_json *value);
int64_t sp_json_int(const struct sp_json *value, int64_t fallback);
size_t sp_json_len(const struct sp_json *array);
const struct sp_json *sp_json_at(const struct sp_json *array, size_t index);
/* Walks the keys of an object in order of insertion: start with *at null.
 * False at the end, and for what is no object. */
bool sp_json_next(const struct sp_json *obj, void **at, const char **key_out,
                  const struct sp_json **value_out);
struct sp_json *sp_json_copy(const struct sp_json *value); /* deep */
/* One more reference to the same value, which nobody changes any more. */
struct sp_json *sp_json_share(struct sp_json *value);
/* The same with each text of more than text_max bytes cut there, at the end
 * of a character, and "..." after it. Keys stay whole. */
struct sp_json *sp_json_copy_cut(const struct sp_json *value, size_t text_max);

#endif
