/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * A document that can be read is written so that it reads the same; any
 * bytes can be text of a document; the limits hold.
 */
#include <string.h>

#include "base/assert.h"
#include "wire/json.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sp_json_limits limits = {
	.bytes_max = 16384, .depth_max = 8, .values_max = 500};
static const struct sp_json_limits wide = {
	.bytes_max = 1048576, .depth_max = 10, .values_max = 1000};

#define OUT_MAX 1048576

typedef int write_fn(const struct sp_json *value, struct sp_buf *out);

static void check_again(struct sp_str text, write_fn *write)
{
	struct sp_json *value;
	struct sp_buf out;

	if (sp_json_parse(text, &wide, &value, NULL, 0) != 0) {
		/* The largest real of all, rounded up, is none any more. */
		SP_ASSERT(write == sp_json_write_pretty);
		return;
	}
	sp_buf_init(&out, OUT_MAX);
	SP_ASSERT(write(value, &out) == 0);
	SP_ASSERT(sp_str_eq(sp_buf_str(&out), text));
	sp_buf_fini(&out);
	sp_json_free(&value);
}

/* For people, reals are rounded: only the line keeps them exactly. */
static void check_value(const struct sp_json *value)
{
	struct sp_buf line;
	struct sp_buf pretty;

	sp_buf_init(&line, OUT_MAX);
	sp_buf_init(&pretty, OUT_MAX);
	SP_ASSERT(sp_json_write(value, &line) == 0);
	SP_ASSERT(sp_json_write_pretty(value, &pretty) == 0);
	SP_ASSERT(sp_str_find(sp_buf_str(&line), '\n') == sp_buf_len(&line));
	SP_ASSERT(sp_utf8_valid(sp_buf_str(&line)));
	check_again(sp_buf_str(&line), sp_json_write);
	check_again(sp_buf_str(&pretty), sp_json_write_pretty);
	sp_buf_fini(&line);
	sp_buf_fini(&pretty);
}

static void try_parse(struct sp_str text)
{
	struct sp_json *value;
	char why[40] = "";
	int err = sp_json_parse(text, &limits, &value, why, sizeof(why));

	SP_ASSERT((err == 0) == (value != NULL));
	SP_ASSERT((err == 0) == (why[0] == '\0'));
	SP_ASSERT(strlen(why) < sizeof(why) && !strchr(why, '\n'));
	if (value) {
		(void)sp_json_get_int(value, "a", 0);
		(void)sp_json_get_str(value, "a");
		(void)sp_json_at(value, 1);
		check_value(value);
	}
	sp_json_free(&value);
}

static void try_build(struct sp_str text)
{
	struct sp_json *list = sp_json_array();

	sp_json_add_str(list, text);
	check_value(list);
	if (sp_utf8_valid(text) && sp_str_find(text, '\0') == text.len) {
		SP_ASSERT(sp_str_eq(sp_json_str(sp_json_at(list, 0)), text));
	}
	sp_json_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str text = sp_str_slice(data, size);

	try_parse(text);
	try_build(text);
	return 0;
}
