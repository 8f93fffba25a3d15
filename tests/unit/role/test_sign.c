/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sign role by itself: the test calls it as role.c would and plays the
 * queue. What the signatures are worth is for the scenarios, where another
 * implementation verifies them.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "role/dkim_keys.h"
#include "role/role.h"

#define HEADER  "From: a@s.test\r\nTo: b@d.test\r\n\r\n"
#define LONGEST (1024u * 1024) /* header that is looked at */

/* ---- role.c's part ---- */

static struct world {
	char dir[64];
	struct sp_conf *conf;
	struct sp_role_ctx ctx;
	struct sp_role_link queue, console;
	int fds[3];
	struct sp_arena arena;
	/* what sign said last, and how often */
	struct sp_msg_signed answer;
	struct sp_msg_body_pull pull;
	unsigned answers, pulls;
} w;

bool sp_role_send(struct sp_role_link *link, enum sp_msg type,
                  const struct sp_pack_field *fields, const void *obj)
{
	struct sp_buf payload;
	struct sp_str text;

	(void)link;
	sp_buf_init(&payload, SP_FRAME_MAX);
	assert_int_equal(sp_pack(fields, obj, &payload), 0);
	text = sp_arena_str(&w.arena, sp_buf_str(&payload));
	sp_buf_fini(&payload);
	if (type == SP_MSG_SIGNED) {
		w.answers++;
		assert_int_equal(sp_unpack(SP_MSG_SIGNED_FIELDS, text, true,
		                           &w.arena, &w.answer),
		                 0);
	} else {
		assert_int_equal(type, SP_MSG_BODY_PULL);
		w.pulls++;
		assert_int_equal(sp_unpack(SP_MSG_BODY_PULL_FIELDS, text, true,
		                           &w.arena, &w.pull),
		                 0);
	}
	return true;
}

static int frame(struct sp_role_link *link, enum sp_msg type,
                 const struct sp_pack_field *fields, const void *obj)
{
	struct sp_buf payload;
	int ret;

	sp_buf_init(&payload, SP_FRAME_MAX);
	assert_int_equal(sp_pack(fields, obj, &payload), 0);
	ret = SP_ROLE_SIGN_OPS.frame(&w.ctx, link, (uint16_t)type,
	                             sp_buf_str(&payload));
	sp_buf_fini(&payload);
	return ret;
}

/* ---- set-up ---- */

static void make_key(const char *name, enum sp_dkim_key_type type, int *fd)
{
	struct sp_str pem;
	char path[128];

	assert_int_equal(sp_dkim_key_make(type, 1024, &w.arena, &pem), 0);
	snprintf(path, sizeof(path), "%s/%s", w.dir, name);
	*fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(*fd >= 0);
	assert_int_equal(write(*fd, pem.ptr, pem.len), pem.len);
	unlink(path);
}

static int set_up(void **state)
{
	static const char CONF[] = "dkim \"s.test\" { selector = {\"r\", \"e\"}"
				   " key = {\"/r\", \"/e\"} }\n"
				   "dkim \"t.test\" { key = \"/t\" }\n";
	char why[SP_CONF_WHY];

	(void)state;
	memset(&w, 0, sizeof(w));
	snprintf(w.dir, sizeof(w.dir), "/tmp/sp-sign-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	make_key("r", SP_DKIM_KEY_RSA, &w.fds[0]);
	make_key("e", SP_DKIM_KEY_ED25519, &w.fds[1]);
	make_key("t", SP_DKIM_KEY_ED25519, &w.fds[2]);
	assert_int_equal(sp_conf_parse(sp_str_from(CONF), "test", &w.conf, why),
	                 0);
	w.ctx = (struct sp_role_ctx){
		.conf = w.conf,
		.role = SP_ROLE_SIGN,
		.fds = w.fds,
		.fd_count = 3,
	};
	w.queue.role = SP_ROLE_QUEUE;
	w.console.role = SP_ROLE_CONSOLE;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	SP_ROLE_SIGN_OPS.finish(&w.ctx);
	for (size_t i = 0; i < 3; i++) {
		close(w.fds[i]);
	}
	rmdir(w.dir);
	sp_conf_free(&w.conf);
	sp_arena_fini(&w.arena);
	return 0;
}

static void start(void)
{
	assert_int_equal(SP_ROLE_SIGN_OPS.start(&w.ctx), 0);
	SP_ROLE_SIGN_OPS.link_up(&w.ctx, &w.queue);
}

static int sign(uint64_t ask, struct sp_str body)
{
	const struct sp_msg_sign m = {ask, SP_STR("M1"), true, body};

	return frame(&w.queue, SP_MSG_SIGN, SP_MSG_SIGN_FIELDS, &m);
}

static int sign_pulling(uint64_t ask)
{
	const struct sp_msg_sign m = {.ask = ask, .id = SP_STR("M1")};

	return frame(&w.queue, SP_MSG_SIGN, SP_MSG_SIGN_FIELDS, &m);
}

static int chunk(uint64_t ask, uint32_t seq, struct sp_str data, bool last)
{
	const struct sp_msg_body_chunk m = {
		.session = ask, .seq = seq, .data = data, .last = last};

	return frame(&w.queue, SP_MSG_BODY_CHUNK, SP_MSG_BODY_CHUNK_FIELDS, &m);
}

static int64_t in_work(void)
{
	struct sp_json *stats = SP_ROLE_SIGN_OPS.stats(&w.ctx);
	int64_t number = sp_json_get_int(stats, "in_work", -1);

	sp_json_free(&stats);
	return number;
}

static void assert_no(const char *why)
{
	assert_int_equal(w.answer.result, SP_MSG_SIGNED_NO);
	assert_true(sp_str_eq(w.answer.why, sp_str_from(why)));
	assert_int_equal(w.answer.header.len, 0);
}

/* How often the text stands in the answer. */
static unsigned count(const char *text)
{
	char *header = sp_arena_cstr(&w.arena, w.answer.header);
	unsigned n = 0;

	while ((header = strstr(header, text))) {
		header++;
		n++;
	}
	return n;
}

/* ---- messages ---- */

static void test_inline(void **state)
{
	(void)state;
	start();
	assert_int_equal(sign(5, SP_STR(HEADER "body\r\n")), 0);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.answer.ask, 5);
	assert_true(sp_str_eq(w.answer.id, SP_STR("M1")));
	assert_true(sp_str_eq(w.answer.domain, SP_STR("s.test")));
	assert_int_equal(w.answer.result, SP_MSG_SIGNED_YES);
	assert_int_equal(count("DKIM-Signature: "), 2);
	assert_int_equal(count("a=rsa-sha256"), 1);
	assert_int_equal(count("a=ed25519-sha256"), 1);
	assert_int_equal(sign(6, SP_STR("From: x@T.test\r\n\r\n")), 0);
	assert_int_equal(count("DKIM-Signature: "), 1);
	assert_int_equal(count("d=t.test"), 1);
	assert_int_equal(in_work(), 0);
}

static void test_not_signed(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"To: b@d.test\r\n\r\n", "no From field"},
		{"From: a@u.test\r\n\r\n", SP_MSG_SIGN_NO_KEY},
		{"From: a@sub.s.test\r\n\r\n", SP_MSG_SIGN_NO_KEY},
		{"From: a@s.test\r\nFrom: b@s.test\r\n\r\n",
	         "more than one From field"},
		{"From: a@s.test b@s.test\r\n\r\n",
	         "header or From field not readable"},
		{"From: a@s.test\r\nno field\r\n",
	         "header or From field not readable"},
		{"", "no From field"},
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sign(i, sp_str_from(cases[i].text)), 0);
		assert_int_equal(w.answers, i + 1);
		assert_no(cases[i].why);
	}
}

static void test_too_many_fields(void **state)
{
	struct sp_buf text;

	(void)state;
	start();
	sp_buf_init(&text, SP_BODY_INLINE_MAX);
	(void)sp_buf_append_cstr(&text, "From: a@s.test\r\n");
	while (sp_buf_append_cstr(&text, "a:\r\n") == 0) {
	}
	assert_int_equal(sign(1, sp_buf_str(&text)), 0);
	assert_no("too many header fields");
	sp_buf_fini(&text);
}

/* A message cut at every place gives the answer that it gives whole. */
static void test_pulled(void **state)
{
	static const struct sp_str whole = SP_STR(HEADER "a  b \r\n\r\nc\r\n");
	char *hash; /* of the body, in both signatures */

	(void)state;
	start();
	assert_int_equal(sign(1, whole), 0);
	hash = strstr(sp_arena_cstr(&w.arena, w.answer.header), "bh=");
	assert_non_null(hash);
	hash[strlen("bh=") + 44] = '\0';
	assert_int_equal(count(hash), 2);
	for (size_t cut = 1; cut < whole.len; cut++) {
		unsigned before = w.answers;

		assert_int_equal(sign_pulling(cut), 0);
		assert_int_equal(w.pull.seq, 0);
		assert_int_equal(
			chunk(cut, 0, sp_str_sub(whole, 0, cut), false), 0);
		assert_int_equal(w.answers, before);
		assert_int_equal(w.pull.seq, 1);
		assert_int_equal(w.pull.attempt_id, cut);
		assert_int_equal(in_work(), 1);
		assert_int_equal(
			chunk(cut, 1, sp_str_sub(whole, cut, 999), true), 0);
		assert_int_equal(w.answers, before + 1);
		assert_int_equal(w.answer.result, SP_MSG_SIGNED_YES);
		assert_int_equal(count(hash), 2);
	}
	assert_int_equal(in_work(), 0);
}

static void test_header_without_end(void **state)
{
	static char filler[SP_BODY_CHUNK_MAX];
	uint32_t seq;

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(filler); i++) {
		filler[i] = "X: 123456789012345678901234567890\r\n"[i % 35];
	}
	assert_int_equal(sign_pulling(1), 0);
	for (seq = 0; w.answers == 0; seq++) {
		assert_true(seq < 2 * LONGEST / SP_BODY_CHUNK_MAX);
		assert_int_equal(chunk(1, seq,
		                       sp_str_slice(filler, sizeof(filler)),
		                       false),
		                 0);
	}
	assert_no("header too long");
	assert_int_equal(in_work(), 0);
}

/* ---- what may go wrong ---- */

static void test_dropped(void **state)
{
	(void)state;
	start();
	assert_int_equal(sign_pulling(1), 0);
	assert_int_equal(sign_pulling(2), 0);
	assert_int_equal(chunk(1, 7, SP_STR("late"), true), 0);
	assert_int_equal(chunk(3, 0, SP_STR("nobody's"), true), 0);
	assert_int_equal(in_work(), 2);
	assert_int_equal(chunk(1, 0, SP_STR(""), false), 0); /* has gone */
	assert_int_equal(in_work(), 1);
	SP_ROLE_SIGN_OPS.link_down(&w.ctx, &w.queue);
	assert_int_equal(in_work(), 0);
	assert_int_equal(w.answers, 0);
	SP_ROLE_SIGN_OPS.link_up(&w.ctx, &w.queue);
	assert_int_equal(sign_pulling(2), 0);
	assert_int_equal(in_work(), 1); /* tear_down frees it */
}

static void test_protocol(void **state)
{
	const struct sp_msg_sign m = {1, SP_STR("M1"), true, SP_STR("x")};

	(void)state;
	start();
	assert_int_equal(sign_pulling(1), 0);
	assert_int_equal(sign_pulling(1), SP_EPROTO);
	assert_int_equal(SP_ROLE_SIGN_OPS.frame(&w.ctx, &w.queue, SP_MSG_SIGN,
	                                        SP_STR("junk")),
	                 SP_EPROTO);
	assert_int_equal(SP_ROLE_SIGN_OPS.frame(&w.ctx, &w.queue, SP_MSG_JOB,
	                                        SP_STR("")),
	                 SP_EPROTO);
	assert_int_equal(frame(&w.console, SP_MSG_SIGN, SP_MSG_SIGN_FIELDS, &m),
	                 SP_EPROTO);
	for (uint64_t i = 2; i <= 1000; i++) {
		assert_int_equal(sign_pulling(i), 0);
	}
	assert_int_equal(sign_pulling(1001), SP_EPROTO);
}

/* ---- keys ---- */

static void test_keys_read_again(void **state)
{
	(void)state;
	start();
	SP_ROLE_SIGN_OPS.finish(&w.ctx);
	start(); /* by another process, the files at their end */
	assert_int_equal(sign(1, SP_STR(HEADER)), 0);
	assert_int_equal(count("DKIM-Signature: "), 2);
}

static void test_bad_key(void **state)
{
	(void)state;
	assert_int_equal(ftruncate(w.fds[1], 20), 0);
	assert_int_equal(SP_ROLE_SIGN_OPS.start(&w.ctx), SP_ECONFIG);
	assert_non_null(strstr(w.ctx.why, "dkim \"s.test\": /e: not a private "
	                                  "key"));
}

static void test_wrong_files(void **state)
{
	(void)state;
	w.ctx.fd_count = 2;
	assert_int_equal(SP_ROLE_SIGN_OPS.start(&w.ctx), SP_ECONFIG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_inline),
		TEST(test_not_signed),
		TEST(test_too_many_fields),
		TEST(test_pulled),
		TEST(test_header_without_end),
		TEST(test_dropped),
		TEST(test_protocol),
		TEST(test_keys_read_again),
		TEST(test_bad_key),
		TEST(test_wrong_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
