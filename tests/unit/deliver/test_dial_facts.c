/* SPDX-License-Identifier: Apache-2.0 */
/* Which failures of a connection are held against its address. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/dial_facts.h"

static const struct {
	const char *name;
	int err;
	bool here;
} ERRORS[] = {
	{"refused", -ECONNREFUSED, false},
	{"no answer", -ETIMEDOUT, false},
	{"reset", -ECONNRESET, false},
	{"host unreachable", -EHOSTUNREACH, false},
	{"no route, as without IPv6", -ENETUNREACH, true},
	{"no source address", -EADDRNOTAVAIL, true},
	{"forbidden by our firewall", -EPERM, true},
	{"no IPv6 in the kernel", -EAFNOSUPPORT, true},
};

static void test_failed_here(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
		if (sp_dial_connect_failed_here(ERRORS[i].err) !=
		    ERRORS[i].here) {
			fail_msg("%s", ERRORS[i].name);
		}
	}
}

static const struct {
	const char *name;
	struct sp_dial_facts facts;
	enum sp_cause_id cause;
	bool mute;
} MUTE[] = {
	{"refused", {.greeting_ms = -1}, SP_CAUSE_CONNECTION_REFUSED, true},
	{"silence", {.greeting_ms = -1}, SP_CAUSE_SESSION_TIMEOUT, true},
	{"no way out",
         {.greeting_ms = -1, .failed_here = true},
         SP_CAUSE_CONNECTION_FAILED,
         false},
	{"no descriptor left",
         {.greeting_ms = -1},
         SP_CAUSE_LOCAL_RESOURCES,
         false},
	{"the greeting is a reply",
         {.greeting_ms = -1},
         SP_CAUSE_REMOTE_REPLY,
         false},
	{"silence behind the greeting",
         {.greeting_ms = 5},
         SP_CAUSE_SESSION_TIMEOUT,
         false},
	{"RFC 7672 a handshake is of one policy",
         {.greeting_ms = -1, .handshake_tried = true},
         SP_CAUSE_CONNECTION_CLOSED,
         false},
	{"RFC 7435 once more in clear",
         {.greeting_ms = -1, .clear_retry = true},
         SP_CAUSE_CONNECTION_CLOSED,
         false},
};

static void test_mute(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(MUTE) / sizeof(MUTE[0]); i++) {
		const struct sp_verdict v = {.class = SP_VERDICT_TEMP,
		                             .cause = MUTE[i].cause};

		if (sp_dial_was_mute(&MUTE[i].facts, &v) != MUTE[i].mute) {
			fail_msg("%s", MUTE[i].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failed_here),
		cmocka_unit_test(test_mute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
