/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "smtp/data.h"

#define CR     SP_SMTP_DATA_BARE_CR
#define LF     SP_SMTP_DATA_BARE_LF
#define NUL    SP_SMTP_DATA_NUL
#define LONG   SP_SMTP_DATA_LONG_LINE
#define LINE   20
#define NO_END SIZE_MAX

static const struct decode_case {
	const char *name;
	struct sp_str in;
	size_t end; /* bytes consumed at the end of data, or NO_END */
	const char *out;
	unsigned faults;
} DECODE[] = {
	{"4.5.2 empty message", SP_STR(".\r\n"), 3, "", 0},
	{"4.5.2 one line", SP_STR("a\r\n.\r\n"), 6, "a\r\n", 0},
	{"4.5.2 dots removed", SP_STR("..\r\n...\r\n.a\r\n.\r\n"), 16,
         ".\r\n..\r\na\r\n", 0},
	{"4.5.2 dot inside a line stays", SP_STR("a.\r\n.\r\n"), 7, "a.\r\n",
         0},
	{"bytes behind the end stay", SP_STR("a\r\n.\r\nRSET\r\n"), 6, "a\r\n",
         0},
	{"no end yet", SP_STR("a\r\n."), NO_END, "a\r\n", 0},
	{"4.1.1.4 LF.LF", SP_STR("a\n.\nb\r\n.\r\n"), 10, "a", LF},
	{"4.1.1.4 LF.CRLF", SP_STR("a\n.\r\nb\r\n.\r\n"), 11, "a", LF},
	{"4.1.1.4 CRLF.LF", SP_STR("a\r\n.\nb\r\n.\r\n"), 11, "a\r\n", LF},
	{"4.1.1.4 CR.CR", SP_STR("a\r.\rb\r\n.\r\n"), 10, "a", CR},
	{"4.1.1.4 CR.CRLF", SP_STR("a\r.\r\nb\r\n.\r\n"), 11, "a", CR},
	{"4.1.1.4 CRLF.CR", SP_STR("a\r\n.\rb\r\n.\r\n"), 11, "a\r\n", CR},
	{"4.1.1.4 CR.LF", SP_STR("a\r.\nb\r\n.\r\n"), 10, "a", CR | LF},
	{"4.1.1.4 LF.CR", SP_STR("a\n.\rb\r\n.\r\n"), 10, "a", CR | LF},
	{"4.1.1.4 CRLF.CRCRLF", SP_STR("a\r\n.\r\r\nb\r\n.\r\n"), 13, "a\r\n",
         CR},
	{"4.1.1.4 CRCRLF.CRLF", SP_STR("a\r\r\n.\r\n"), 7, "a", CR},
	{"4.1.1.4 CRLF NUL .CRLF", SP_STR("a\r\n\0.\r\nb\r\n.\r\n"), 13,
         "a\r\n", NUL},
	{"4.1.1.4 CRLF. NUL CRLF", SP_STR("a\r\n.\0\r\nb\r\n.\r\n"), 13,
         "a\r\n", NUL},
	{"2.3.8 LF at the start", SP_STR("\na\r\n.\r\n"), 7, "", LF},
	{"2.3.8 CR at the start", SP_STR("\ra\r\n.\r\n"), 7, "", CR},
	{"4.5.3.1.6 longest line", SP_STR("12345678901234567890\r\n.\r\n"), 25,
         "12345678901234567890\r\n", 0},
	{"4.5.3.1.6 the transparency dot does not count",
         SP_STR("..2345678901234567890\r\n.\r\n"), 26,
         ".2345678901234567890\r\n", 0},
};

static size_t decode(const struct decode_case *c, size_t piece,
                     struct sp_buf *out, struct sp_smtp_data_decoder *d)
{
	size_t done = 0;

	sp_smtp_data_decoder_init(d, true, LINE);
	while (done < c->in.len) {
		struct sp_str part = sp_str_sub(c->in, done, piece);
		size_t len = part.len;
		int rc = sp_smtp_data_decode(d, &part, out);
		done += len - part.len;
		if (rc == 1) {
			return done;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(part.len, 0);
	}
	return NO_END;
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(DECODE) / sizeof(DECODE[0]); i++) {
		for (size_t piece = 1; piece <= DECODE[i].in.len; piece++) {
			const struct decode_case *c = &DECODE[i];
			struct sp_smtp_data_decoder d;
			struct sp_buf out;
			sp_buf_init(&out, 4096);
			size_t end = decode(c, piece, &out, &d);
			if (end != c->end || d.faults != c->faults ||
			    !sp_str_eq(sp_buf_str(&out), sp_str_from(c->out))) {
				fail_msg("%s, pieces of %zu: end %zu faults "
				         "%u out '" SP_STR_FMT "'",
				         c->name, piece, end, d.faults,
				         SP_STR_ARG(sp_buf_str(&out)));
			}
			sp_buf_fini(&out);
		}
	}
}

static void test_long_line(void **state)
{
	struct sp_smtp_data_decoder d;
	struct sp_str in = SP_STR("123456789012345678901\r\nb\r\n.\r\n");
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 4096);
	sp_smtp_data_decoder_init(&d, true, LINE);
	assert_int_equal(sp_smtp_data_decode(&d, &in, &out), 1);
	assert_int_equal(d.faults, LONG);
	assert_int_equal(d.size_bytes, 26); /* counted all the same */
	assert_int_equal(in.len, 0);
	sp_buf_fini(&out);
}

static void test_output_bound(void **state)
{
	struct sp_smtp_data_decoder d;
	struct sp_str in = SP_STR("aaaaaaaaaaaa\r\nb\r\n.\r\n");
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, 8);
	sp_smtp_data_decoder_init(&d, true, LINE);
	assert_int_equal(sp_smtp_data_decode(&d, &in, &out), 0);
	assert_true(in.len > 0);
	size_t total = 0;
	int rc = 0;
	while (rc == 0) {
		total += sp_buf_len(&out);
		sp_buf_reset(&out);
		rc = sp_smtp_data_decode(&d, &in, &out);
	}
	assert_int_equal(total + sp_buf_len(&out), 17);
	assert_int_equal(d.faults, 0);
	sp_buf_fini(&out);
}

static void test_chunk(void **state)
{
	static const struct {
		const char *name;
		bool normalize;
		const char *in, *out;
		unsigned faults;
	} CASES[] = {
		{"RFC 3030 dots mean nothing", false, ".\r\n..\r\n",
	         ".\r\n..\r\n", 0},
		{"bare LF", false, "a\nb\r\n", "a", LF},
		{"CR at the end", false, "a\r", "a", CR},
		{"normalized LF", true, "a\n\nb\r\n", "a\r\n\r\nb\r\n", 0},
		{"normalized CR", true, "a\rb\r\r\n", "a b \r\n", 0},
		{"normalized CR at the end", true, "a\r", "a ", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct sp_smtp_data_decoder d;
		struct sp_str in = sp_str_from(CASES[i].in);
		struct sp_buf out;
		sp_buf_init(&out, 4096);
		sp_smtp_data_decoder_init(&d, false, LINE);
		d.normalize = CASES[i].normalize;
		assert_int_equal(sp_smtp_data_decode(&d, &in, &out), 0);
		sp_smtp_data_decode_end(&d, &out);
		if (d.faults != CASES[i].faults ||
		    !sp_str_eq(sp_buf_str(&out), sp_str_from(CASES[i].out))) {
			fail_msg("%s", CASES[i].name);
		}
		sp_buf_fini(&out);
	}
}

static void test_encode(void **state)
{
	static const struct {
		const char *name, *in;
		bool dots;
		const char *out;
	} CASES[] = {
		{"4.5.2 empty", "", true, ".\r\n"},
		{"4.5.2 dot doubled", ".\r\na\r\n", true, "..\r\na\r\n.\r\n"},
		{"4.5.2 open line closed", "a", true, "a\r\n.\r\n"},
		{"2.3.8 LF becomes CRLF", "a\n.\nb", true,
	         "a\r\n..\r\nb\r\n.\r\n"},
		{"2.3.8 CR becomes a blank", "a\r.\rb\r", true,
	         "a . b \r\n.\r\n"},
		{"2.3.8 CRCRLF", "a\r\r\n.b\r\n", true, "a \r\n..b\r\n.\r\n"},
		{"8 bit", "\xc3\xa9\r\n", true, "\xc3\xa9\r\n.\r\n"},
		{"RFC 3030", ".\r\n.", false, ".\r\n.\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct sp_str in = sp_str_from(CASES[i].in);
		for (size_t piece = 1; piece <= in.len + 1; piece++) {
			struct sp_smtp_data_encoder e;
			struct sp_buf out;
			sp_buf_init(&out, 4096);
			sp_smtp_data_encoder_init(&e, CASES[i].dots);
			for (size_t at = 0; at <= in.len; at += piece) {
				struct sp_str part = sp_str_sub(in, at, piece);
				assert_int_equal(
					sp_smtp_data_encode(&e, part,
				                            at + piece > in.len,
				                            &out),
					0);
			}
			if (!sp_str_eq(sp_buf_str(&out),
			               sp_str_from(CASES[i].out))) {
				fail_msg("%s, %zu: '" SP_STR_FMT "'",
				         CASES[i].name, piece,
				         SP_STR_ARG(sp_buf_str(&out)));
			}
			sp_buf_fini(&out);
		}
	}
}

static void encode_in(struct sp_str text, size_t step, bool dots,
                      struct sp_buf *out)
{
	struct sp_smtp_data_encoder e;

	sp_smtp_data_encoder_init(&e, dots);
	sp_buf_reset(out);
	for (size_t i = 0; i < text.len; i += step) {
		assert_int_equal(sp_smtp_data_encode(&e,
		                                     sp_str_sub(text, i, step),
		                                     i + step >= text.len, out),
		                 0);
	}
}

/* Lines that go out as they are, and bytes one by one, make the same. */
static void test_encode_runs(void **state)
{
	static const char letters[] = {'.', '\r', '\n', 'x'};
	struct sp_buf whole, bytes;
	char text[6];

	(void)state;
	sp_buf_init(&whole, 256);
	sp_buf_init(&bytes, 256);
	for (unsigned n = 0; n < 2 * 4096; n++) {
		struct sp_str s = {text, sizeof(text)};

		for (size_t i = 0; i < sizeof(text); i++) {
			text[i] = letters[n >> (2 * i) & 3];
		}
		encode_in(s, s.len, n >= 4096, &whole);
		encode_in(s, 1, n >= 4096, &bytes);
		assert_true(sp_str_eq(sp_buf_str(&whole), sp_buf_str(&bytes)));
	}
	sp_buf_fini(&whole);
	sp_buf_fini(&bytes);
}

static void test_encode_room(void **state)
{
	struct sp_smtp_data_encoder e;
	struct sp_buf out;

	(void)state;
	sp_buf_init(&out, SP_SMTP_DATA_ENCODED_MAX(4));
	sp_smtp_data_encoder_init(&e, true);
	assert_int_equal(sp_smtp_data_encode(&e, SP_STR("12345"), false, &out),
	                 SP_ELIMIT);
	assert_int_equal(sp_smtp_data_encode(&e, SP_STR(".\n.\n"), true, &out),
	                 0);
	sp_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_output_bound),
		cmocka_unit_test(test_chunk),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_encode_runs),
		cmocka_unit_test(test_encode_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
