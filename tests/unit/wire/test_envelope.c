/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/envelope.h"

static struct sp_envelope_rcpt rcpts[] = {
	{.address = {"b@d.test", 8}, .domain = {"d.test", 6}},
	{.address = {"c@e.test", 8},
         .domain = {"e.test", 6},
         .orcpt = {"rfc822;x@y", 10},
         .notify = SP_NOTIFY_SUCCESS | SP_NOTIFY_DELAY},
};

static struct sp_envelope envelope_new(void)
{
	return (struct sp_envelope){
		.sender = SP_STR("a@s.test"),
		.envid = SP_STR("QQ1"),
		.ret = SP_RET_HDRS,
		.smtputf8 = true,
		.tls_optional = true,
		.client = SP_STR("127.0.0.1"),
		.helo = SP_STR("client.test"),
		.message_id = SP_STR("<1@s.test>"),
		.received_ms = 1795428000123,
		.rcpts = rcpts,
		.rcpt_count = 2,
	};
}

static void check_same(const struct sp_envelope *a, const struct sp_envelope *b)
{
	assert_true(sp_str_eq(a->sender, b->sender));
	assert_true(sp_str_eq(a->envid, b->envid));
	assert_int_equal(a->ret, b->ret);
	assert_int_equal(a->smtputf8, b->smtputf8);
	assert_int_equal(a->body_8bit, b->body_8bit);
	assert_int_equal(a->requiretls, b->requiretls);
	assert_int_equal(a->tls_optional, b->tls_optional);
	assert_true(sp_str_eq(a->client, b->client));
	assert_true(sp_str_eq(a->helo, b->helo));
	assert_true(sp_str_eq(a->message_id, b->message_id));
	assert_true(a->received_ms == b->received_ms);
	assert_int_equal(a->rcpt_count, b->rcpt_count);
	for (size_t i = 0; i < a->rcpt_count; i++) {
		assert_true(
			sp_str_eq(a->rcpts[i].address, b->rcpts[i].address));
		assert_true(sp_str_eq(a->rcpts[i].domain, b->rcpts[i].domain));
		assert_true(sp_str_eq(a->rcpts[i].orcpt, b->rcpts[i].orcpt));
		assert_int_equal(a->rcpts[i].notify, b->rcpts[i].notify);
	}
}

static void test_round_trip(void **state)
{
	struct sp_envelope envelope = envelope_new();
	struct sp_envelope back = {0};
	struct sp_arena arena;
	struct sp_buf out;

	(void)state;
	sp_arena_init(&arena);
	sp_buf_init(&out, 10000);
	assert_int_equal(sp_pack(SP_ENVELOPE_FIELDS, &envelope, &out), 0);
	assert_int_equal(sp_unpack(SP_ENVELOPE_FIELDS, sp_buf_str(&out), true,
	                           &arena, &back),
	                 0);
	check_same(&envelope, &back);
	sp_buf_fini(&out);
	sp_arena_fini(&arena);
}

/* The table's limits are those of the RFCs: one byte more is refused. */
static void test_limits(void **state)
{
	static const char text[1000] = {'x'};
	static const struct {
		const char *name;
		size_t offset;
		size_t max;
	} cases[] = {
		{"RFC 5321 4.5.3.1 sender",
	         offsetof(struct sp_envelope, sender), 320},
		{"RFC 3461 4.4 ENVID", offsetof(struct sp_envelope, envid),
	         100},
		{"RFC 5321 4.5.3.1.2 HELO name",
	         offsetof(struct sp_envelope, helo), 255},
		{"RFC 5322 2.1.1 Message-ID",
	         offsetof(struct sp_envelope, message_id), 998},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t over = 0; over <= 1; over++) {
			struct sp_envelope e = envelope_new();
			struct sp_str *field =
				(struct sp_str *)(void *)((char *)&e +
			                                  cases[i].offset);
			struct sp_buf out;

			*field = sp_str_slice(text, cases[i].max + over);
			sp_buf_init(&out, 10000);
			assert_int_equal(sp_pack(SP_ENVELOPE_FIELDS, &e, &out),
			                 over ? SP_ELIMIT : 0);
			sp_buf_fini(&out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
