/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/json.h"

static void check_text(const struct sp_json *value, const char *want)
{
	struct sp_buf out;

	sp_buf_init(&out, 10000);
	assert_int_equal(sp_json_write(value, &out), 0);
	assert_int_equal(sp_buf_append_char(&out, '\0'), 0);
	assert_string_equal(sp_buf_str(&out).ptr, want);
	sp_buf_fini(&out);
}

static void test_build(void **state)
{
	static const struct sp_str TEXTS[] = {{"a", 1}, {"", 0}};
	struct sp_json *obj = sp_json_object();
	struct sp_json *list = sp_json_array();
	struct sp_json *copy;

	(void)state;
	sp_json_set_cstr(obj, "z", "first");
	sp_json_set_str(obj, "a", SP_STR("se\"cond"));
	sp_json_set_int(obj, "n", INT64_MIN);
	sp_json_set_bool(obj, "b", true);
	sp_json_set_null(obj, "none");
	sp_json_set_cstr(obj, "nil", NULL);
	sp_json_set(obj, "no value", NULL);
	sp_json_set_time(obj, "t", 0);
	sp_json_set_when(obj, "never", 0);
	sp_json_set_when(obj, "when", 1);
	sp_json_set_strs(obj, "texts", TEXTS, 2);
	sp_json_add_cstr(list, "x");
	sp_json_add_str(list, SP_STR(""));
	sp_json_add_cstr(list, NULL);
	sp_json_add(list, sp_json_object());
	sp_json_set(obj, "l", list);
	copy = sp_json_copy(obj);
	sp_json_free(&obj);
	assert_null(obj);
	check_text(copy, "{\"z\":\"first\",\"a\":\"se\\\"cond\","
	                 "\"n\":-9223372036854775808,\"b\":true,\"none\":null,"
	                 "\"nil\":null,\"no value\":null,"
	                 "\"t\":\"1970-01-01T00:00:00.000Z\",\"never\":null,"
	                 "\"when\":\"1970-01-01T00:00:00.001Z\","
	                 "\"texts\":[\"a\",\"\"],"
	                 "\"l\":[\"x\",\"\",null,{}]}");
	obj = sp_json_share(copy);
	assert_ptr_equal(obj, copy);
	sp_json_free(&copy);
	assert_int_equal(sp_json_len(sp_json_get(obj, "l")), 4);
	sp_json_free(&obj);
	sp_json_free(&obj);
}

static void test_text_of_peers(void **state)
{
	static const struct {
		const char *name;
		struct sp_str in;
		const char *out;
	} cases[] = {
		{"RFC 8259 8.1 UTF-8", {"\xc3\xa9", 2}, "[\"\xc3\xa9\"]"},
		{"RFC 8259 8.1 Latin-1", {"\xe9!", 2}, "[\"\xc3\xa9!\"]"},
		{"RFC 8259 8.1 byte FF", {"\xff", 1}, "[\"\xc3\xbf\"]"},
		{"RFC 3629 3 surrogate",
	         {"\xed\xa0\x80", 3},
	         "[\"\xc3\xad\xc2\xa0\\u0080\"]"},
		{"RFC 8259 7 controls", {"\r\n\x01", 3}, "[\"\\r\\n\\u0001\"]"},
		{"RFC 8259 7 NUL",
	         {"a\0b", 3},
	         "[\"a\xef\xbf\xbd"
	         "b\"]"},
		{"RFC 8259 7 DEL and C1",
	         {"\x7f[2J\xc2\x9b\x9f\xc2\xa0\x7f", 10},
	         "[\"\\u007f[2J\\u009b\\u009f\xc2\xa0\\u007f\"]"},
		{"RFC 8259 7 two characters",
	         {"\b\f\t\\\x1f"
	          "x\xc2",
	          7},
	         "[\"\\b\\f\\t\\\\\\u001Fx\xc3\x82\"]"},
		{"empty", {NULL, 0}, "[\"\"]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_json *list = sp_json_array();
		struct sp_json *back = NULL;

		print_message("  %s\n", cases[i].name);
		sp_json_add_str(list, cases[i].in);
		check_text(list, cases[i].out);
		assert_int_equal(sp_json_parse(sp_str_from(cases[i].out),
		                               &SP_JSON_LIMITS_DEFAULT, &back,
		                               NULL, 0),
		                 0);
		check_text(back, cases[i].out);
		sp_json_free(&list);
		sp_json_free(&back);
	}
}

static void test_parse(void **state)
{
	static const struct sp_json_limits small = {40, 3, 5};
	static const struct {
		const char *name;
		struct sp_str text;
		int err;
	} cases[] = {
		{"RFC 8259 2 object", {"{\"a\": [1, 2]}", 13}, 0},
		{"RFC 8259 2 scalar", {" 17 ", 4}, 0},
		{"RFC 8259 2 empty", {NULL, 0}, SP_ESYNTAX},
		{"RFC 8259 2 two values", {"1 2", 3}, SP_ESYNTAX},
		{"RFC 8259 2 NUL behind", {"1\0", 2}, SP_ESYNTAX},
		{"RFC 8259 4 duplicate key",
	         {"{\"a\":1,\"a\":2}", 13},
	         SP_ESYNTAX},
		{"RFC 8259 4 cut", {"{\"a\":1", 6}, SP_ESYNTAX},
		{"RFC 8259 6 number over 2^63",
	         {"9223372036854775808", 19},
	         SP_ESYNTAX},
		{"RFC 8259 6 1e400", {"1e400", 5}, SP_ESYNTAX},
		{"RFC 8259 7 NUL in a string", {"\"\\u0000\"", 8}, SP_ESYNTAX},
		{"RFC 8259 8.1 no UTF-8", {"\"\xe9\"", 3}, SP_ESYNTAX},
		{"RFC 8259 9 depth 3", {"[[[]]]", 6}, 0},
		{"RFC 8259 9 depth 4", {"[[[[]]]]", 8}, SP_ELIMIT},
		{"RFC 8259 9 depth 4, not closed", {"[[[[", 4}, SP_ELIMIT},
		{"RFC 8259 9 brackets in a string", {"\"[[[[\\\"[[\"", 10}, 0},
		{"RFC 8259 9 four values", {"[1,2,3]", 7}, 0},
		{"RFC 8259 9 six values", {"[1,2,3,4,5]", 11}, SP_ELIMIT},
		{"RFC 8259 9 too long",
	         {"[                                       ]", 41},
	         SP_ELIMIT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_json *value;
		char why[80] = "";

		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_json_parse(cases[i].text, &small, &value,
		                               why, sizeof(why)),
		                 cases[i].err);
		assert_int_equal(value != NULL, cases[i].err == 0);
		assert_int_equal(why[0] != '\0', cases[i].err != 0);
		assert_null(strchr(why, '\n'));
		sp_json_free(&value);
	}
}

static void test_read(void **state)
{
	struct sp_str text =
		SP_STR("{\"s\":\"x\",\"n\":-5,\"b\":true,\"z\":null,"
	               "\"l\":[1,{}],\"r\":1.5}");
	struct sp_json *v;
	const struct sp_json *list;

	(void)state;
	assert_int_equal(
		sp_json_parse(text, &SP_JSON_LIMITS_DEFAULT, &v, NULL, 0), 0);
	assert_true(sp_str_eq(sp_json_get_str(v, "s"), SP_STR("x")));
	assert_int_equal(sp_json_get_str(v, "n").len, 0);
	assert_int_equal(sp_json_get_int(v, "n", 7), -5);
	assert_int_equal(sp_json_get_int(v, "s", 7), 7);
	assert_int_equal(sp_json_get_int(v, "r", 7), 7);
	assert_true(sp_json_get_bool(v, "b"));
	assert_false(sp_json_get_bool(v, "n"));
	assert_true(sp_json_is_null(sp_json_get(v, "z")));
	assert_true(sp_json_is_null(sp_json_get(v, "absent")));
	assert_false(sp_json_is_null(sp_json_get(v, "n")));
	list = sp_json_get(v, "l");
	assert_true(sp_json_is_array(list));
	assert_int_equal(sp_json_len(list), 2);
	assert_int_equal(sp_json_int(sp_json_at(list, 0), 0), 1);
	assert_true(sp_json_is_object(sp_json_at(list, 1)));
	assert_null(sp_json_at(list, 2));
	sp_json_free(&v);
}

/* What a document looks like on one line; it is parsed again to the same. */
static void test_write(void **state)
{
	static const struct {
		const char *name;
		const char *text;
	} cases[] = {
		{"RFC 8259 3 literals", "[true,false,null]"},
		{"RFC 8259 4 nothing in it", "{\"a\":{},\"b\":[]}"},
		{"RFC 8259 4 names with escapes",
	         "{\"a\\\"\\\\\":1,\"\":2,\"\\n\\u007f\\u0085\":{\"c\":[]}}"},
		{"RFC 8259 6 numbers",
	         "[0,-1,10,9223372036854775807,-9223372036854775808,-0.25]"},
		{"RFC 8259 2 a text alone",
	         "\"\\u0001\\u001F \xc2\xa0\xf0\x9f\x93\xa7/\""},
		{"RFC 8259 2 a number alone", "1.5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_json *value = NULL;

		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_json_parse(sp_str_from(cases[i].text),
		                               &SP_JSON_LIMITS_DEFAULT, &value,
		                               NULL, 0),
		                 0);
		check_text(value, cases[i].text);
		sp_json_free(&value);
	}
}

/* No room, at whichever byte: nothing is written. */
static void test_write_short(void **state)
{
	struct sp_str text = SP_STR("{\"k\":[\"a\\nb\",-12,true,1.5,{}]}");
	struct sp_json *value = NULL;

	(void)state;
	assert_int_equal(
		sp_json_parse(text, &SP_JSON_LIMITS_DEFAULT, &value, NULL, 0),
		0);
	for (size_t max = 0; max <= text.len; max++) {
		struct sp_buf out;

		sp_buf_init(&out, max);
		assert_int_equal(sp_json_write(value, &out),
		                 max < text.len ? SP_ELIMIT : 0);
		assert_int_equal(sp_buf_len(&out), max < text.len ? 0 : max);
		sp_buf_fini(&out);
	}
	sp_json_free(&value);
}

/* Objects of which the text is known, however deep they stand. */
static void test_write_known(void **state)
{
	struct sp_json *value = sp_json_object();
	struct sp_json *list = sp_json_array();
	struct sp_json *first = sp_json_object();
	struct sp_json *second = sp_json_object();
	const struct sp_json_known known[] = {{first, SP_STR("{\"x\":2}")},
	                                      {NULL, SP_STR("")},
	                                      {second, SP_STR("{\"y\":3}")}};
	struct sp_buf out;

	(void)state;
	sp_json_set_int(value, "a", 1);
	sp_json_set(value, "b", first);
	sp_json_add(list, second);
	sp_json_add(list, sp_json_object());
	sp_json_set(value, "c", list);
	sp_buf_init(&out, 100);
	assert_int_equal(sp_json_write_known(value, known, 3, &out), 0);
	assert_true(sp_str_eq(
		sp_buf_str(&out),
		SP_STR("{\"a\":1,\"b\":{\"x\":2},\"c\":[{\"y\":3},{}]}")));
	sp_buf_fini(&out);
	sp_buf_init(&out, 20);
	assert_int_equal(sp_json_write_known(value, known, 3, &out), SP_ELIMIT);
	assert_int_equal(sp_buf_len(&out), 0);
	sp_buf_fini(&out);
	sp_json_free(&value);
}

/* A missing value answers like an empty one. */
static void test_copy_cut(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		size_t max;
		const char *cut;
	} cases[] = {
		{"fits", "{\"a\":\"1234\"}", 4, "{\"a\":\"1234\"}"},
		{"too long", "{\"a\":\"12345\"}", 4, "{\"a\":\"1234...\"}"},
		{"deep inside", "{\"a\":[{\"b\":\"12345\"},\"12345\"]}", 2,
	         "{\"a\":[{\"b\":\"12...\"},\"12...\"]}"},
		{"RFC 3629 3 never in mid-character",
	         "[\"1\xe2\x82\xac\",\"12\xc3\xa9\",\"1\xf0\x9f\x93\xa7\"]", 3,
	         "[\"1...\",\"12...\",\"1...\"]"},
		{"to nothing", "[\"\xe2\x82\xac\"]", 2, "[\"...\"]"},
		{"keys and other values stay", "{\"abc\":[1,true,null,1.5]}", 0,
	         "{\"abc\":[1,true,null,1.5]}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sp_json *value = NULL;
		struct sp_json *cut;
		struct sp_buf out;

		print_message("  %s\n", cases[i].name);
		assert_int_equal(sp_json_parse(sp_str_from(cases[i].text),
		                               &SP_JSON_LIMITS_DEFAULT, &value,
		                               NULL, 0),
		                 0);
		cut = sp_json_copy_cut(value, cases[i].max);
		sp_json_free(&value); /* the copy is whole */
		sp_buf_init(&out, 256);
		assert_int_equal(sp_json_write(cut, &out), 0);
		assert_true(
			sp_str_eq(sp_buf_str(&out), sp_str_from(cases[i].cut)));
		sp_buf_fini(&out);
		sp_json_free(&cut);
	}
}

static void test_read_null(void **state)
{
	(void)state;
	assert_null(sp_json_get(NULL, "a"));
	assert_null(sp_json_at(NULL, 0));
	assert_int_equal(sp_json_len(NULL), 0);
	assert_int_equal(sp_json_str(NULL).len, 0);
	assert_int_equal(sp_json_int(NULL, 3), 3);
	assert_true(sp_json_is_null(NULL));
	assert_false(sp_json_is_array(NULL));
	assert_false(sp_json_is_object(NULL));
}

static void test_next(void **state)
{
	struct sp_json *obj = sp_json_object();
	const struct sp_json *value;
	const char *key = NULL;
	void *at = NULL;

	(void)state;
	sp_json_set_int(obj, "z", 1);
	sp_json_set_cstr(obj, "a", "two");
	assert_true(sp_json_next(obj, &at, &key, &value));
	assert_string_equal(key, "z");
	assert_int_equal(sp_json_int(value, 0), 1);
	assert_true(sp_json_next(obj, &at, &key, &value));
	assert_string_equal(key, "a");
	assert_false(sp_json_next(obj, &at, &key, &value));
	at = NULL;
	assert_false(sp_json_next(NULL, &at, &key, &value));
	sp_json_free(&obj);
}

static void test_write_limit(void **state)
{
	struct sp_json *list = sp_json_array();
	struct sp_buf out;

	(void)state;
	sp_json_add_cstr(list, "0123456789");
	sp_buf_init(&out, 10);
	assert_int_equal(sp_json_write(list, &out), SP_ELIMIT);
	assert_int_equal(sp_buf_len(&out), 0);
	sp_buf_fini(&out);
	sp_buf_init(&out, 100);
	assert_int_equal(sp_json_write_pretty(list, &out), 0);
	assert_true(
		sp_str_eq(sp_buf_str(&out), SP_STR("[\n  \"0123456789\"\n]")));
	sp_buf_fini(&out);
	sp_json_free(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_text_of_peers),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_short),
		cmocka_unit_test(test_write_known),
		cmocka_unit_test(test_copy_cut),
		cmocka_unit_test(test_read_null),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_write_limit),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
