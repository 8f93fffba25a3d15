/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

static void assert_content(const struct sp_buf *b, const char *want)
{
	assert_int_equal(sp_buf_len(b), strlen(want));
	if (*want) {
		assert_memory_equal(sp_buf_str(b).ptr, want, strlen(want));
	}
}

static void appends_in_all_ways(void **state)
{
	struct sp_buf b;

	(void)state;
	sp_buf_init(&b, 100);
	assert_content(&b, "");
	assert_int_equal(sp_buf_append(&b, NULL, 0), 0);
	assert_int_equal(sp_buf_append(&b, "ab", 2), 0);
	assert_int_equal(sp_buf_append_str(&b, SP_STR("cd")), 0);
	assert_int_equal(sp_buf_append_cstr(&b, "ef"), 0);
	assert_int_equal(sp_buf_append_char(&b, 'g'), 0);
	assert_int_equal(sp_buf_printf(&b, "%03d", 7), 0);
	assert_content(&b, "abcdefg007");
	assert_int_equal(sp_buf_room(&b), 90);
	sp_buf_fini(&b);
}

static void maximum_is_exact_and_sticky(void **state)
{
	struct sp_buf b;

	(void)state;
	sp_buf_init(&b, 4);
	assert_int_equal(sp_buf_printf(&b, "%s", "abcd"), 0);
	assert_int_equal(sp_buf_error(&b), 0);
	assert_int_equal(sp_buf_append_char(&b, 'e'), SP_ELIMIT);
	assert_content(&b, "abcd");
	sp_buf_consume(&b, 4);
	assert_int_equal(sp_buf_append_char(&b, 'e'), SP_ELIMIT);
	assert_null(sp_buf_reserve(&b, 1));
	assert_int_equal(sp_buf_error(&b), SP_ELIMIT);
	sp_buf_reset(&b);
	assert_int_equal(sp_buf_append_char(&b, 'e'), 0);
	assert_int_equal(sp_buf_printf(&b, "%s", "abcd"), SP_ELIMIT);
	assert_content(&b, "e");
	sp_buf_fini(&b);
}

static void reserve_then_commit(void **state)
{
	struct sp_buf b;

	(void)state;
	sp_buf_init(&b, 10);
	assert_null(sp_buf_reserve(&b, 11));
	assert_int_equal(sp_buf_error(&b), 0);
	char *at = sp_buf_reserve(&b, 10);
	assert_non_null(at);
	memset(at, 'x', 10);
	sp_buf_commit(&b, 3);
	assert_content(&b, "xxx");
	assert_non_null(sp_buf_reserve(&b, 7));
	assert_null(sp_buf_reserve(&b, 8));
	sp_buf_fini(&b);
}

static void consume_and_truncate(void **state)
{
	struct sp_buf b;

	(void)state;
	sp_buf_init(&b, 10);
	assert_int_equal(sp_buf_append_cstr(&b, "0123456789"), 0);
	sp_buf_consume(&b, 3);
	sp_buf_truncate(&b, 2);
	assert_content(&b, "34567");
	assert_int_equal(sp_buf_append_cstr(&b, "abcde"), 0);
	assert_content(&b, "34567abcde");
	sp_buf_fini(&b);
}

/* What goes in at the end comes out at the front, for ever, in little
 * memory. */
static void stream_stays_small(void **state)
{
	struct sp_buf b;
	uint8_t in = 0;
	uint8_t out = 0;

	(void)state;
	sp_buf_init(&b, 300);
	for (int round = 0; round < 5000; round++) {
		for (int i = 0; i < 37 && sp_buf_room(&b) > 0; i++) {
			assert_int_equal(sp_buf_append_char(&b, (char)in++), 0);
		}
		for (int i = 0; i < 31; i++) {
			assert_int_equal((uint8_t)sp_buf_str(&b).ptr[0], out++);
			sp_buf_consume(&b, 1);
		}
	}
	assert_true(b.cap <= 2 * b.max);
	sp_buf_fini(&b);
}

static void gives_back_only_what_is_idle(void **state)
{
	struct sp_buf b;

	(void)state;
	sp_buf_init(&b, 100);
	sp_buf_give_back(&b, 0);
	assert_int_equal(sp_buf_append_cstr(&b, "abc"), 0);
	sp_buf_give_back(&b, 0);
	assert_content(&b, "abc");
	sp_buf_consume(&b, 3);
	sp_buf_give_back(&b, b.cap);
	assert_non_null(b.data);
	sp_buf_give_back(&b, b.cap - 1);
	assert_null(b.data);
	assert_int_equal(sp_buf_room(&b), 100);
	assert_int_equal(sp_buf_append_cstr(&b, "abc"), 0);
	sp_buf_consume(&b, 3);
	assert_null(sp_buf_reserve(&b, 101));
	assert_int_equal(sp_buf_printf(&b, "%0101d", 1), SP_ELIMIT);
	sp_buf_give_back(&b, 0); /* an error is not forgotten by it */
	assert_int_equal(sp_buf_error(&b), SP_ELIMIT);
	sp_buf_fini(&b);
}

static void take_gives_text_and_empties(void **state)
{
	struct sp_buf b;

	(void)state;
	sp_buf_init(&b, 10);
	assert_int_equal(sp_buf_append_cstr(&b, "abc"), 0);
	char *text = sp_buf_take(&b);
	assert_string_equal(text, "abc");
	assert_content(&b, "");
	sp_free(text);
	sp_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_in_all_ways),
		cmocka_unit_test(maximum_is_exact_and_sticky),
		cmocka_unit_test(reserve_then_commit),
		cmocka_unit_test(consume_and_truncate),
		cmocka_unit_test(stream_stays_small),
		cmocka_unit_test(gives_back_only_what_is_idle),
		cmocka_unit_test(take_gives_text_and_empties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
