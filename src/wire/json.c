/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct sp_json is never defined: a pointer to it is a jansson value. So no
 * other file sees the library, and nothing is wrapped or copied.
 *
 * Building can't fail, because memory comes from base/mem, which aborts, and
 * because text is made valid first. Parsing goes through a scan that counts
 * depth and values before jansson, which recurses and allocates, sees a byte.
 */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/time.h"
#include "wire/json.h"
#include "wire/utf8.h"

const struct sp_json_limits SP_JSON_LIMITS_DEFAULT = {
	.bytes_max = 1048576,
	.depth_max = 32,
	.values_max = 65536,
};

/* U+FFFD in place of NUL, which the parser refuses. */
#define REPLACEMENT "\xef\xbf\xbd"
/* Bytes of UTF-8 that one byte of text can become. */
#define GROWTH_MAX 3

static json_t *value_of(const struct sp_json *value)
{
	return (json_t *)(uintptr_t)value;
}

static struct sp_json *json_of(json_t *value)
{
	SP_ASSERT(value);
	return (struct sp_json *)value;
}

/* Jansson takes its memory from us, and its hash seed too: it would look for
 * a device that a sandboxed role can't open. */
static void setup(void)
{
	static bool done;

	if (done) {
		return;
	}
	json_set_alloc_funcs(sp_alloc, sp_free);
	json_object_seed((size_t)sp_rand_u64() | 1);
	done = true;
}

/* Building */

/* One byte that is no UTF-8, as the character of that number. */
static void append_byte(struct sp_buf *out, unsigned char byte)
{
	char two[] = {(char)(0xc0 | byte >> 6), (char)(0x80 | (byte & 0x3f))};

	(void)sp_buf_append(out, two, sizeof(two));
}

static json_t *string_repaired(struct sp_str text)
{
	struct sp_buf out;
	json_t *value;

	sp_buf_init(&out, text.len * GROWTH_MAX);
	while (text.len > 0) {
		size_t len = sp_utf8_len(text);

		if (text.ptr[0] == '\0') {
			(void)sp_buf_append_cstr(&out, REPLACEMENT);
		} else if (len > 0) {
			(void)sp_buf_append(&out, text.ptr, len);
		} else {
			append_byte(&out, (unsigned char)text.ptr[0]);
		}
		text = sp_str_sub(text, len > 0 ? len : 1, text.len);
	}
	SP_ASSERT(sp_buf_error(&out) == 0);
	value = json_stringn(sp_buf_str(&out).ptr, sp_buf_len(&out));
	sp_buf_fini(&out);
	return value;
}

static struct sp_json *string_new(struct sp_str text)
{
	setup();
	if (sp_str_find(text, '\0') == text.len && sp_utf8_valid(text)) {
		return json_of(json_stringn_nocheck(text.ptr ? text.ptr : "",
		                                    text.len));
	}
	return json_of(string_repaired(text));
}

static struct sp_json *cstr_new(const char *text)
{
	setup();
	return text ? string_new(sp_str_from(text)) : json_of(json_null());
}

struct sp_json *sp_json_object(void)
{
	setup();
	return json_of(json_object());
}

struct sp_json *sp_json_array(void)
{
	setup();
	return json_of(json_array());
}

void sp_json_free(struct sp_json **value)
{
	json_decref(value_of(*value));
	*value = NULL;
}

void sp_json_set(struct sp_json *obj, const char *key, struct sp_json *take)
{
	json_t *value = take ? value_of(take) : json_null();
	int err = json_object_set_new_nocheck(value_of(obj), key, value);

	SP_ASSERT(err == 0);
}

void sp_json_set_str(struct sp_json *obj, const char *key, struct sp_str text)
{
	sp_json_set(obj, key, string_new(text));
}

void sp_json_set_text(struct sp_json *obj, const char *key, struct sp_str text)
{
	sp_json_set(obj, key, text.len ? string_new(text) : NULL);
}

void sp_json_set_cstr(struct sp_json *obj, const char *key, const char *text)
{
	sp_json_set(obj, key, cstr_new(text));
}

void sp_json_set_int(struct sp_json *obj, const char *key, int64_t number)
{
	sp_json_set(obj, key, json_of(json_integer(number)));
}

void sp_json_set_real(struct sp_json *obj, const char *key, double number)
{
	sp_json_set(obj, key, json_of(json_real(number)));
}

void sp_json_set_bool(struct sp_json *obj, const char *key, bool value)
{
	sp_json_set(obj, key, json_of(json_boolean(value)));
}

void sp_json_set_null(struct sp_json *obj, const char *key)
{
	sp_json_set(obj, key, NULL);
}

void sp_json_set_time(struct sp_json *obj, const char *key, int64_t wall_ms)
{
	char text[SP_TIME_TEXT];

	sp_time_rfc3339(wall_ms, text);
	sp_json_set_cstr(obj, key, text);
}

void sp_json_set_when(struct sp_json *obj, const char *key, int64_t wall_ms)
{
	if (wall_ms) {
		sp_json_set_time(obj, key, wall_ms);
	} else {
		sp_json_set_null(obj, key);
	}
}

void sp_json_set_strs(struct sp_json *obj, const char *key,
                      const struct sp_str *texts, size_t count)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < count; i++) {
		sp_json_add_str(list, texts[i]);
	}
	sp_json_set(obj, key, list);
}

void sp_json_add(struct sp_json *array, struct sp_json *take)
{
	int err = json_array_append_new(value_of(array), value_of(take));

	SP_ASSERT(err == 0);
}

void sp_json_add_str(struct sp_json *array, struct sp_str text)
{
	sp_json_add(array, string_new(text));
}

void sp_json_add_cstr(struct sp_json *array, const char *text)
{
	sp_json_add(array, cstr_new(text));
}

struct sp_json *sp_json_copy(const struct sp_json *value)
{
	setup();
	return value ? json_of(json_deep_copy(value_of(value)))
	             : json_of(json_null());
}

struct sp_json *sp_json_share(struct sp_json *value)
{
	return json_of(json_incref(value_of(value)));
}

static json_t *text_cut(const json_t *value, size_t text_max)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	struct sp_buf out;
	json_t *cut;

	if (len <= text_max) {
		return json_stringn(text, len);
	}
	while (text_max > 0 && ((unsigned char)text[text_max] & 0xc0) == 0x80) {
		text_max--; /* in mid-character */
	}
	sp_buf_init(&out, text_max + 3);
	(void)sp_buf_append(&out, text, text_max);
	(void)sp_buf_append_cstr(&out, "...");
	cut = json_stringn(sp_buf_str(&out).ptr, sp_buf_len(&out));
	sp_buf_fini(&out);
	return cut;
}

/* As deep as what was built or parsed, which has a limit. */
static json_t *copy_cut(json_t *value, size_t text_max)
{
	const char *key;
	json_t *copy, *item;
	size_t i;

	if (json_is_string(value)) {
		return text_cut(value, text_max);
	}
	if (json_is_array(value)) {
		copy = json_array();
		json_array_foreach(value, i, item)
		{
			(void)json_array_append_new(copy,
			                            copy_cut(item, text_max));
		}
		return copy;
	}
	if (json_is_object(value)) {
		copy = json_object();
		json_object_foreach(value, key, item)
		{
			(void)json_object_set_new(copy, key,
			                          copy_cut(item, text_max));
		}
		return copy;
	}
	return json_incref(value);
}

struct sp_json *sp_json_copy_cut(const struct sp_json *value, size_t text_max)
{
	setup();
	return value ? json_of(copy_cut(value_of(value), text_max))
	             : json_of(json_null());
}

/* Writing */

/*
 * One line is written by ourselves: evidence goes with each attempt, and
 * Jansson's dump costs more than all the rest of an attempt, by a table of
 * the parents for each value and a call for each piece. What it would write
 * is written here, byte for byte; reals and indented text are left to it.
 */

#define C1_LEADS '\xc2' /* where what follows is below U+00A0 */
#define ONES     0x0101010101010101U

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\' &&
	       c != '\x7f' && c != C1_LEADS;
}

/* The highest bit of each byte that is zero; of one above it perhaps too. */
static uint64_t zeros(uint64_t word)
{
	return (word - ONES) & ~word;
}

static size_t plain_len(const char *text, size_t len)
{
	uint64_t word;
	size_t i = 0;

	/* Eight at a time, while all are plain and of ASCII. */
	for (; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, text + i, sizeof(word));
		if (((word | (word - ONES * 0x20) | zeros(word ^ ONES * '"') |
		      zeros(word ^ ONES * '\\') | zeros(word ^ ONES * 0x7f)) &
		     ONES * 0x80) != 0) {
			break;
		}
	}
	while (i < len && is_plain(text[i])) {
		i++;
	}
	return i;
}

/* The character at text, which is not plain; how many bytes it takes. DEL
 * and C1 JSON lets pass, and some terminals obey. */
static size_t write_special(const char *text, size_t len, struct sp_buf *out)
{
	static const char *const ESCAPES[] = {
		['\b'] = "\\b",  ['\f'] = "\\f",    ['\n'] = "\\n",
		['\r'] = "\\r",  ['\t'] = "\\t",    ['"'] = "\\\"",
		['\\'] = "\\\\", [0x7f] = "\\u007f"};
	unsigned char byte = (unsigned char)text[0];
	bool c1 = len > 1 && (unsigned char)text[1] < 0xa0;

	if (text[0] == C1_LEADS && c1) {
		(void)sp_buf_printf(out, "\\u%04x", (unsigned char)text[1]);
		return 2;
	}
	if (text[0] == C1_LEADS) {
		(void)sp_buf_append_char(out, text[0]);
	} else if (ESCAPES[byte]) {
		(void)sp_buf_append_cstr(out, ESCAPES[byte]);
	} else {
		(void)sp_buf_printf(out, "\\u%04X", byte);
	}
	return 1;
}

/* In quotes, and then the mark if it is not NUL. */
static void write_string(const char *text, size_t len, char mark,
                         struct sp_buf *out)
{
	size_t plain = plain_len(text, len);
	char *at = sp_buf_reserve(out, plain + 3);

	if (at && plain == len) { /* most often */
		at[0] = '"';
		memcpy(at + 1, text, len);
		at[len + 1] = '"';
		at[len + 2] = mark;
		sp_buf_commit(out, len + 2 + (mark != '\0'));
		return;
	}
	(void)sp_buf_append_char(out, '"');
	while (len > 0) {
		(void)sp_buf_append(out, text, plain);
		text += plain;
		len -= plain;
		plain = len > 0 ? write_special(text, len, out) : 0;
		text += plain;
		len -= plain;
		plain = plain_len(text, len);
	}
	(void)sp_buf_append_char(out, '"');
	if (mark != '\0') {
		(void)sp_buf_append_char(out, mark);
	}
}

static void write_integer(json_int_t number, struct sp_buf *out)
{
	unsigned long long rest = number < 0 ? 0ULL - (unsigned long long)number
	                                     : (unsigned long long)number;
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0) {
		digits[--at] = '-';
	}
	(void)sp_buf_append(out, digits + at, sizeof(digits) - at);
}

static int append_piece(const char *piece, size_t len, void *arg)
{
	return sp_buf_append(arg, piece, len) == 0 ? 0 : -1;
}

struct known {
	const struct sp_json_known *list;
	size_t count;
};

static void write_line(json_t *value, const struct known *known,
                       struct sp_buf *out);

static bool write_as_known(json_t *value, const struct known *known,
                           struct sp_buf *out)
{
	for (size_t i = 0; i < known->count; i++) {
		if (value_of(known->list[i].value) == value) {
			(void)sp_buf_append_str(out, known->list[i].text);
			return true;
		}
	}
	return false;
}

static void write_object(json_t *value, const struct known *known,
                         struct sp_buf *out)
{
	char before = '{';
	const char *key;
	json_t *item;

	if (write_as_known(value, known, out)) {
		return;
	}
	json_object_foreach(value, key, item)
	{
		(void)sp_buf_append_char(out, before);
		write_string(key, strlen(key), ':', out);
		write_line(item, known, out);
		before = ',';
	}
	(void)sp_buf_append(out, "{}", before == '{' ? 2 : 0);
	(void)sp_buf_append(out, "}", before == '{' ? 0 : 1);
}

static void write_array(json_t *value, const struct known *known,
                        struct sp_buf *out)
{
	json_t *item;
	size_t i;

	(void)sp_buf_append_char(out, '[');
	json_array_foreach(value, i, item)
	{
		(void)sp_buf_append(out, ",", i > 0);
		write_line(item, known, out);
	}
	(void)sp_buf_append_char(out, ']');
}

/* As deep as what was built or parsed, which has a limit. Errors stick to the
 * buffer. */
static void write_line(json_t *value, const struct known *known,
                       struct sp_buf *out)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		write_object(value, known, out);
		break;
	case JSON_ARRAY:
		write_array(value, known, out);
		break;
	case JSON_STRING:
		write_string(json_string_value(value),
		             json_string_length(value), '\0', out);
		break;
	case JSON_INTEGER:
		write_integer(json_integer_value(value), out);
		break;
	case JSON_REAL:
		(void)json_dump_callback(value, append_piece, out,
		                         JSON_ENCODE_ANY);
		break;
	case JSON_TRUE:
		(void)sp_buf_append(out, "true", 4);
		break;
	case JSON_FALSE:
		(void)sp_buf_append(out, "false", 5);
		break;
	case JSON_NULL:
		(void)sp_buf_append(out, "null", 4);
		break;
	}
}

int sp_json_write_known(const struct sp_json *value,
                        const struct sp_json_known *known, size_t known_count,
                        struct sp_buf *out)
{
	const struct known k = {known, known_count};
	size_t before = sp_buf_len(out);

	write_line(value_of(value), &k, out);
	if (sp_buf_error(out)) { /* all of it, or nothing */
		sp_buf_truncate(out, sp_buf_len(out) - before);
	}
	return sp_buf_error(out);
}

int sp_json_write(const struct sp_json *value, struct sp_buf *out)
{
	return sp_json_write_known(value, NULL, 0, out);
}

/* How many bytes of DEL or C1 stand at the start; 0: there is none. */
static size_t control_len(const char *at, size_t left)
{
	if (at[0] == '\x7f') {
		return 1;
	}
	return left > 1 && at[0] == '\xc2' && (unsigned char)at[1] < 0xa0 ? 2
	                                                                  : 0;
}

/* A piece of Jansson's begins and ends with whole characters. */
static int append_escaped(const char *piece, size_t len, void *arg)
{
	size_t done = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++) {
		size_t size = control_len(piece + i, len - i);

		if (size > 0) {
			r = sp_buf_append(arg, piece + done, i - done);
			i += size - 1;
			done = i + 1;
			r = r ? r
			      : sp_buf_printf(arg, "\\u%04x",
			                      (unsigned char)piece[i]);
		}
	}
	r = r ? r : sp_buf_append(arg, piece + done, len - done);
	return r == 0 ? 0 : -1;
}

int sp_json_write_pretty(const struct sp_json *value, struct sp_buf *out)
{
	size_t before = sp_buf_len(out);

	if (json_dump_callback(value_of(value), append_escaped, out,
	                       JSON_INDENT(2) | JSON_ENCODE_ANY |
	                               JSON_REAL_PRECISION(15)) == 0) {
		return 0;
	}
	sp_buf_truncate(out, sp_buf_len(out) - before);
	return SP_ELIMIT;
}

/* Parsing */

/* Whether depth and number of values stay within the limits. Each comma and
 * each opening bracket announces a value, which is at least the true number;
 * where the document is not well formed jansson stops, having made no more. */
static bool within_limits(struct sp_str text, const struct sp_json_limits *max)
{
	size_t values = 1;
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (quoted) {
			if (c == '\\') {
				i++;
			} else if (c == '"') {
				quoted = false;
			}
			continue;
		}
		quoted = c == '"';
		if (c == '[' || c == '{') {
			depth++;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
		if (c == '[' || c == '{' || c == ',') {
			values++;
		}
		if (depth > max->depth_max || values > max->values_max) {
			return false;
		}
	}
	return true;
}

static void explain(const json_error_t *error, char *why_out, size_t why_cap)
{
	char line[sizeof(error->text) + 32];

	if (!why_out) {
		return;
	}
	(void)snprintf(line, sizeof(line), "line %d: %s", error->line,
	               error->text);
	sp_log_escape(sp_str_from(line), why_out, why_cap);
}

int sp_json_parse(struct sp_str text, const struct sp_json_limits *limits,
                  struct sp_json **value_out, char *why_out, size_t why_cap)
{
	json_error_t error;
	json_t *value;

	*value_out = NULL;
	if (text.len > limits->bytes_max || !within_limits(text, limits)) {
		if (why_out) {
			(void)snprintf(why_out, why_cap,
			               "too long, too deep or too many values");
		}
		return SP_ELIMIT;
	}
	/* Jansson would pass over a NUL between values. */
	if (sp_str_find(text, '\0') < text.len) {
		if (why_out) {
			(void)snprintf(why_out, why_cap, "NUL byte");
		}
		return SP_ESYNTAX;
	}
	setup();
	value = json_loadb(text.ptr ? text.ptr : "", text.len,
	                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!value) {
		explain(&error, why_out, why_cap);
		return SP_ESYNTAX;
	}
	*value_out = json_of(value);
	return 0;
}

/* Reading */

const struct sp_json *sp_json_get(const struct sp_json *obj, const char *key)
{
	return (const struct sp_json *)json_object_get(value_of(obj), key);
}

struct sp_str sp_json_str(const struct sp_json *value)
{
	return sp_str_slice(json_string_value(value_of(value)),
	                    json_string_length(value_of(value)));
}

int64_t sp_json_int(const struct sp_json *value, int64_t fallback)
{
	if (!json_is_integer(value_of(value))) {
		return fallback;
	}
	return json_integer_value(value_of(value));
}

struct sp_str sp_json_get_str(const struct sp_json *obj, const char *key)
{
	return sp_json_str(sp_json_get(obj, key));
}

int64_t sp_json_get_int(const struct sp_json *obj, const char *key,
                        int64_t fallback)
{
	return sp_json_int(sp_json_get(obj, key), fallback);
}

bool sp_json_get_bool(const struct sp_json *obj, const char *key)
{
	return json_is_true(value_of(sp_json_get(obj, key)));
}

bool sp_json_is_null(const struct sp_json *value)
{
	return !value || json_is_null(value_of(value));
}

bool sp_json_is_array(const struct sp_json *value)
{
	return json_is_array(value_of(value));
}

bool sp_json_is_object(const struct sp_json *value)
{
	return json_is_object(value_of(value));
}

bool sp_json_is_string(const struct sp_json *value)
{
	return json_is_string(value_of(value));
}

bool sp_json_number(const struct sp_json *value, double *number_out)
{
	*number_out = json_number_value(value_of(value));
	return json_is_number(value_of(value));
}

size_t sp_json_len(const struct sp_json *array)
{
	return json_array_size(value_of(array));
}

const struct sp_json *sp_json_at(const struct sp_json *array, size_t index)
{
	return (const struct sp_json *)json_array_get(value_of(array), index);
}

bool sp_json_next(const struct sp_json *obj, void **at, const char **key_out,
                  const struct sp_json **value_out)
{
	json_t *object = value_of(obj);

	*at = *at ? json_object_iter_next(object, *at)
	          : json_object_iter(object);
	if (!*at) {
		return false;
	}
	*key_out = json_object_iter_key(*at);
	*value_out = (const struct sp_json *)json_object_iter_value(*at);
	return true;
}
