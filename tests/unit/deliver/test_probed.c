/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "deliver/probed.h"

static void test_time(void **state)
{
	struct sp_probed *p = sp_probed_new();

	(void)state;
	assert_null(sp_probed_find(p, SP_STR("a"), 0));
	sp_probed_keep(p, SP_STR("a"), "dane", 1000);
	assert_string_equal(sp_probed_find(p, SP_STR("a"), 1000), "dane");
	assert_null(sp_probed_find(p, SP_STR("b"), 1000));
	assert_non_null(
		sp_probed_find(p, SP_STR("a"), 1000 + SP_PROBED_MS - 1));
	assert_null(sp_probed_find(p, SP_STR("a"), 1000 + SP_PROBED_MS));
	sp_probed_keep(p, SP_STR("a"), "tls", 5000 + SP_PROBED_MS);
	assert_string_equal(sp_probed_find(p, SP_STR("a"), 5000 + SP_PROBED_MS),
	                    "tls");
	sp_probed_free(&p);
}

/* The one that was kept the longest ago goes. */
static void test_bound(void **state)
{
	struct sp_probed *p = sp_probed_new();
	char key[32];

	(void)state;
	for (unsigned n = 0; n < SP_PROBED_MAX + 10; n++) {
		(void)snprintf(key, sizeof(key), "%u", n);
		sp_probed_keep(p, sp_str_from(key), "dane", 0);
		if (n == 100) { /* anew */
			sp_probed_keep(p, SP_STR("0"), "dane", 0);
		}
	}
	assert_non_null(sp_probed_find(p, SP_STR("0"), 0));
	assert_null(sp_probed_find(p, SP_STR("1"), 0));
	assert_null(sp_probed_find(p, SP_STR("9"), 0));
	assert_non_null(sp_probed_find(p, SP_STR("11"), 0));
	assert_non_null(sp_probed_find(p, sp_str_from(key), 0));
	sp_probed_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
