/* SPDX-License-Identifier: Apache-2.0 */
/* TLSA records as text: the presentation form of RFC 6698 2.2, alone or in a
 * line of a zone file (RFC 1035 5.1), or the unknown form of RFC 3597 5. */
#include "base/err.h"
#include "cmd/tlsa.h"
#include "wire/json.h"

#define LINE_MAX_BYTES 65536

/* Without comment and parentheses, tabs as blanks. */
static struct sp_str plain(struct sp_str line, struct sp_arena *arena)
{
	char *out = sp_arena_alloc(arena, line.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < line.len && line.ptr[i] != ';'; i++) {
		char c = line.ptr[i];

		out[len++] = c == '\t' || c == '(' || c == ')' || c == '\r'
		                     ? ' '
		                     : c;
	}
	return sp_str_trim(sp_str_slice(out, len));
}

static struct sp_str next_word(struct sp_str *text)
{
	struct sp_str word;

	*text = sp_str_trim(*text);
	(void)sp_str_cut(text, ' ', &word); /* empty at the end */
	return word;
}

static bool is_type(struct sp_str word)
{
	return sp_str_eq_nocase(word, SP_STR("TLSA")) ||
	       sp_str_eq_nocase(word, SP_STR("TYPE52"));
}

/* What stands behind the type, or all of it where there is none. */
static struct sp_str behind_type(struct sp_str line)
{
	struct sp_str rest = line;

	while (rest.len) {
		struct sp_str word = next_word(&rest);

		if (is_type(word)) {
			return sp_str_trim(rest);
		}
	}
	return line;
}

/* "\# 35 0301..." */
static int read_unknown(struct sp_str text, struct sp_arena *arena,
                        struct sp_tlsa *tlsa_out)
{
	struct sp_str rest = text;
	char *digits = sp_arena_alloc(arena, text.len + 1);
	uint8_t *rdata = sp_arena_alloc(arena, text.len / 2 + 1);
	uint64_t want;
	size_t count = 0;
	size_t len = 0;

	(void)next_word(&rest);
	if (sp_str_u64(next_word(&rest), UINT16_MAX, &want)) {
		return SP_ESYNTAX;
	}
	for (size_t i = 0; i < rest.len; i++) {
		if (rest.ptr[i] != ' ') {
			digits[count++] = rest.ptr[i];
		}
	}
	if (sp_str_unhex(sp_str_slice(digits, count), rdata, text.len / 2,
	                 &len) ||
	    len != want) {
		return SP_ESYNTAX;
	}
	return sp_tlsa_decode(sp_str_slice(rdata, len), tlsa_out);
}

int sp_tlsa_read(struct sp_str line, struct sp_arena *arena,
                 struct sp_tlsa *tlsa_out)
{
	struct sp_str text;

	if (line.len > LINE_MAX_BYTES) {
		return SP_ELIMIT;
	}
	text = behind_type(plain(line, arena));
	if (text.len > 2 && text.ptr[0] == '\\' && text.ptr[1] == '#') {
		return read_unknown(text, arena, tlsa_out);
	}
	return sp_tlsa_parse(text, arena, tlsa_out);
}

struct sp_json *sp_tlsa_json(const struct sp_tlsa *tlsa,
                             enum sp_tlsa_reason reason)
{
	struct sp_json *obj = sp_json_object();
	size_t cap = 2 * tlsa->data.len + 1;
	char *hex = sp_alloc(cap);

	sp_str_hex(tlsa->data.ptr, tlsa->data.len, hex, cap);
	sp_json_set_int(obj, "usage", tlsa->usage);
	sp_json_set_int(obj, "selector", tlsa->selector);
	sp_json_set_int(obj, "matching", tlsa->matching);
	sp_json_set_cstr(obj, "data", hex);
	sp_json_set_bool(obj, "usable", reason == SP_TLSA_USABLE);
	sp_json_set_cstr(obj, "reason", sp_tlsa_reason_text(reason));
	sp_free(hex);
	return obj;
}
