/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence that must fit a frame: what is left of it, and that what is left
 * is a document again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "deliver/evidence.h"

#define MAX (256u * 1024)

/* An attempt with so many hosts and tries, each with texts of such a length
 * that are made of one byte. */
struct shape {
	size_t hosts;
	size_t records; /* TLSA, of a host */
	size_t tries;
	size_t text_len;
	char byte;
};

static struct sp_str text_of(const struct shape *s, char *room)
{
	memset(room, s->byte, s->text_len);
	return sp_str_slice(room, s->text_len);
}

static struct sp_json *make_host(const struct shape *s, struct sp_str text)
{
	struct sp_json *host = sp_json_object();
	struct sp_json *records = sp_json_array();

	for (size_t i = 0; i < s->records; i++) {
		struct sp_json *record = sp_json_object();

		sp_json_set_str(record, "data", text);
		sp_json_add(records, record);
	}
	sp_json_set_cstr(host, "name", "mx.d.test");
	sp_json_set(host, "records", records);
	return host;
}

/* As many texts as a try with two handshakes has. */
static struct sp_json *make_try(size_t number, struct sp_str text)
{
	static const char *const keys[] = {
		"peer_name", "protocol", "cipher", "sha256", "subject",
		"issuer",    "names",    "key",    "verify", "record",
		"evidence",  "reply",    "error",  "text",
	};
	struct sp_json *try = sp_json_object();

	sp_json_set_int(try, "number", (int64_t)number);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		sp_json_set_str(try, keys[i], text);
	}
	sp_json_set(try, "other", sp_json_copy(try));
	return try;
}

static struct sp_json *make_detail(const struct shape *s)
{
	char *room = sp_alloc(s->text_len + 1);
	struct sp_str text = text_of(s, room);
	struct sp_json *detail = sp_json_object();
	struct sp_json *plan = sp_json_object();
	struct sp_json *hosts = sp_json_array();
	struct sp_json *tries = sp_json_array();

	for (size_t i = 0; i < s->hosts; i++) {
		sp_json_add(hosts, make_host(s, text));
	}
	for (size_t i = 0; i < s->tries; i++) {
		sp_json_add(tries, make_try(i + 1, text));
	}
	sp_json_set_cstr(plan, "verdict", "defer");
	sp_json_set_cstr(plan, "code", "4.7.323");
	sp_json_set(plan, "hosts", hosts);
	sp_json_set_str(plan, "evidence", text);
	sp_json_set(detail, "plan", plan);
	sp_json_set(detail, "tries", tries);
	sp_json_set_int(detail, "try_count", (int64_t)s->tries);
	sp_free(room);
	return detail;
}

/* What was written, read again. */
static struct sp_json *written(const struct shape *s)
{
	struct sp_json *detail = make_detail(s);
	struct sp_json *read = NULL;
	struct sp_buf out;

	sp_buf_init(&out, MAX);
	assert_int_equal(sp_evidence_write(detail, NULL, 0, MAX, &out), 0);
	assert_true(sp_buf_len(&out) <= MAX);
	assert_int_equal(sp_json_parse(sp_buf_str(&out),
	                               &SP_JSON_LIMITS_DEFAULT, &read, NULL, 0),
	                 0);
	sp_buf_fini(&out);
	sp_json_free(&detail);
	return read;
}

static void check_tries(const struct sp_json *detail, size_t count, size_t last)
{
	const struct sp_json *tries = sp_json_get(detail, "tries");

	assert_int_equal(sp_json_len(tries), count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(
			sp_json_get_int(sp_json_at(tries, i), "number", 0),
			last - count + i + 1);
	}
	assert_int_equal(sp_json_get_int(detail, "try_count", 0), last);
}

static void test_cut(void **state)
{
	static const struct {
		const char *name;
		struct shape shape;
		size_t hosts;
		size_t tries;
		const char *cut;
	} cases[] = {
		{"all fits", {10, 4, 4, 100, 'a'}, 10, 4, ""},
		{"whole certificates as TLSA records (RFC 6698 2.1.3)",
	         {10, 10, 4, 4000, 'a'},
	         10,
	         4,
	         "texts after 512 bytes"},
		{"many tries",
	         {10, 4, 40, 600, 'a'},
	         8,
	         8,
	         "texts after 512 bytes, 2 hosts of the plan, the first 32 "
	         "tries"},
		{"many records",
	         {100, 16, 40, 600, 'a'},
	         8,
	         8,
	         "texts after 512 bytes, 92 hosts of the plan, the first 32 "
	         "tries"},
		{"more records than a host may have",
	         {3, 600, 1, 600, 'a'},
	         0,
	         1,
	         "texts after 256 bytes, 3 hosts of the plan"},
		{"the longest form of every byte (RFC 8259 7)",
	         {100, 100, 40, 2000, '\1'},
	         0,
	         4,
	         "texts after 256 bytes, 100 hosts of the plan, the first 36 "
	         "tries"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sp_json *detail = written(&cases[i].shape);
		const struct sp_json *plan = sp_json_get(detail, "plan");

		print_message("  %s\n", cases[i].name);
		assert_true(sp_str_eq(sp_json_get_str(detail, "cut"),
		                      sp_str_from(cases[i].cut)));
		assert_true(sp_str_eq(sp_json_get_str(plan, "verdict"),
		                      SP_STR("defer")));
		assert_true(sp_str_eq(sp_json_get_str(plan, "code"),
		                      SP_STR("4.7.323")));
		assert_int_equal(sp_json_len(sp_json_get(plan, "hosts")),
		                 cases[i].hosts);
		check_tries(detail, cases[i].tries, cases[i].shape.tries);
		sp_json_free(&detail);
	}
}

static void test_no_room(void **state)
{
	static const struct shape shape = {1, 1, 2, 300, 'a'};
	struct sp_json *detail = make_detail(&shape);
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, MAX);
	assert_int_equal(sp_evidence_write(detail, NULL, 0, 100, &out),
	                 SP_ELIMIT);
	assert_int_equal(sp_buf_len(&out), 0);
	assert_int_equal(sp_evidence_write(detail, NULL, 0, 16384, &out), 0);
	sp_buf_fini(&out);
	sp_json_free(&detail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
