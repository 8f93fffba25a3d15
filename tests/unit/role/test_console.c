/* SPDX-License-Identifier: Apache-2.0 */
/* What clients of the control socket may make us hold, who don't read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "role/console/console.h"

#define MIB (1024u * 1024)

static const struct {
	const char *name;
	size_t held;
	size_t room;
} ROOMS[] = {
	{"alone", 0, 64 * MIB},
	{"beside one large reply", 64 * MIB, 64 * MIB},
	{"beside more", 100 * MIB, 28 * MIB},
	{"what is left is little", 128 * MIB - 1, MIB},
	{"nothing is left", 128 * MIB, MIB},
	{"more than there is", SIZE_MAX, MIB},
};

static void test_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROOMS) / sizeof(ROOMS[0]); i++) {
		if (console_room(ROOMS[i].held) != ROOMS[i].room) {
			fail_msg("%s", ROOMS[i].name);
		}
	}
}

/* Each of them asks for as much as it can get. */
static void test_together(void **state)
{
	size_t held = 0;

	(void)state;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		held += console_room(held);
	}
	assert_true(held <= REPLIES_MAX + CLIENTS_MAX * REPLY_SMALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
